/* SPDX-License-Identifier: GPL-2.0-only */
/* What addresses in modules meant when they were noted. */
#ifndef _MM_KMEMLEAK_MODULES_H
#define _MM_KMEMLEAK_MODULES_H

#include "os.h"

/* Kept at most of modules that are gone; the oldest are dropped. */
#define KML_MODULES_GONE	64
#define KML_MODULES_BYTES	SZ_2M

/* An address in a module, as it was for an object. */
struct kml_frame {
	const char *module;
	const char *symbol;		/* NULL: not known */
	unsigned long offset;
	unsigned long size;
	bool unloaded;			/* all of the module, not only its init text */
};

/* What %pS would say of an address. */
enum kml_frame_kind {
	KML_FRAME_LIVE,			/* what it should */
	KML_FRAME_GONE,			/* nothing, but there is a struct kml_frame */
	KML_FRAME_OTHER,		/* something wrong: others are there now */
};

#if defined(CONFIG_MODULES) && defined(CONFIG_KALLSYMS)
enum kml_frame_kind kml_modules_frame(unsigned long addr, unsigned long born,
				      struct kml_frame *frame);
void kml_modules_drop(void);
void kml_modules_init(void);
#else
static inline enum kml_frame_kind
kml_modules_frame(unsigned long addr, unsigned long born, struct kml_frame *frame)
{
	return KML_FRAME_LIVE;
}

static inline void kml_modules_drop(void)
{
}

static inline void kml_modules_init(void)
{
}
#endif

#endif /* _MM_KMEMLEAK_MODULES_H */
