/* SPDX-License-Identifier: GPL-2.0-only */
/* Blocks for which there was no metadata memory. */
#ifndef _MM_KMEMLEAK_RESERVE_H
#define _MM_KMEMLEAK_RESERVE_H

#include "kmemleak.h"

#define KML_RESERVE_NO_SCAN	BIT(0)	/* said by kmemleak_no_scan() */
#define KML_RESERVE_BLACK	BIT(1)	/* not scanned until painted grey */

enum kml_reserve_paint {
	KML_RESERVE_KEEP,
	KML_RESERVE_MAKE_GREY,
	KML_RESERVE_MAKE_BLACK,
	KML_RESERVE_MAKE_NO_SCAN,
};

bool kml_reserve_add(struct kml_space *space, unsigned long start, size_t size,
		     unsigned int flags);
bool __kml_reserve_remove(struct kml_space *space, unsigned long start);
size_t kml_reserve_remove_part(struct kml_space *space, unsigned long addr,
			       size_t size);
size_t kml_reserve_size(struct kml_space *space, unsigned long start);
bool kml_reserve_holds(struct kml_space *space, unsigned long addr);
bool kml_reserve_paint(struct kml_space *space, unsigned long start,
		       enum kml_reserve_paint how);
void kml_reserve_refill(void);
void kml_reserve_drop_all(void);
bool kml_reserve_ran_dry(void);

extern unsigned long kml_reserve_nr;

static inline bool kml_reserve_remove(struct kml_space *space,
				      unsigned long start)
{
	return unlikely(READ_ONCE(kml_reserve_nr)) &&
	       __kml_reserve_remove(space, start);
}

/* A block as the scan gets to see it. */
struct kml_reserve_block {
	struct kml_space *space;
	unsigned long start;
	size_t size;
};

void kml_reserve_new_mark(void);
void kml_reserve_next_round(void);
bool kml_reserve_next(struct kml_reserve_block *block);

#endif /* _MM_KMEMLEAK_RESERVE_H */
