/* SPDX-License-Identifier: GPL-2.0-only */
/* What an object reaches into behind the page where it starts. */
#ifndef _MM_KMEMLEAK_SPAN_H
#define _MM_KMEMLEAK_SPAN_H

#include "interval.h"

struct kml_span {
	struct kml_space *space;
	unsigned long start;		/* untagged */
	unsigned long last;
	gfp_t gfp;
	unsigned long hit;		/* start of the object in the way */
};

int kml_span_fill(struct kml_span *s);
void kml_span_clear(struct kml_space *space, unsigned long start,
		    unsigned long last);

static inline bool kml_one_page(unsigned long start, unsigned long last)
{
	return !((start ^ last) & KML_PAGE_MASK);
}

#endif /* _MM_KMEMLEAK_SPAN_H */
