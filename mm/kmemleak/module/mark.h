/* SPDX-License-Identifier: GPL-2.0-only */
/* Stands in for ../mark.h: the functions of ../filter.c, and those that it calls. */
#ifndef _MM_KMEMLEAK_MARK_H
#define _MM_KMEMLEAK_MARK_H

#include "os.h"
#include <linux/kmemleak_filter.h>

#define KML_CHUNK	4096	/* bytes that are filtered at a time */
#define KML_TAG_BITS	0

static inline bool kml_enabled(void)
{
	return true;
}

extern const struct kmemleak_filter * const kml_filters[];

int kml_filter_setup(void);
const struct kmemleak_filter *kml_filter_current(void);
bool kml_filter_copies(void);
int kml_filter_want(const char *name);
const char *kml_filter_wanted(void);
unsigned int kml_filter_call(const struct kmemleak_filter *f,
			     const unsigned long *words, unsigned int nr,
			     const struct kmemleak_windows *win,
			     unsigned long *out);
struct kmemleak_range kml_filter_range(unsigned long min, unsigned long last);
unsigned int kml_filter_run(const void *start, size_t len,
			    const struct kmemleak_windows *win,
			    unsigned long *out);
unsigned int kml_filter_run_at(const void *start, size_t len,
			       const struct kmemleak_windows *win,
			       unsigned long *out);
unsigned int kml_filter_generic(const unsigned long *words, unsigned int nr,
				const struct kmemleak_windows *win,
				unsigned long *out);

#endif /* _MM_KMEMLEAK_MARK_H */
