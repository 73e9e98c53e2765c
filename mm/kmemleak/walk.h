/* SPDX-License-Identifier: GPL-2.0-only */
/* Visit every object of a space. */
#ifndef _MM_KMEMLEAK_WALK_H
#define _MM_KMEMLEAK_WALK_H

#include "interval.h"
#include "shard.h"

enum kml_visit {
	KML_VISIT_NEXT,		/* go on under the same lock */
	KML_VISIT_BREATHE,	/* go on, but release the lock first */
	KML_VISIT_UNLOCKED,	/* call @unlocked for this one, then go on */
};

/**
 * struct kml_visitor - what to do with each object
 * @visit: called with the leaf's lock held and IRQs off
 * @unlocked: called where @visit wants it, with no lock held; may sleep. The
 *	object may be gone by then.
 * @resched: called with no lock held after each leaf; NULL: cond_resched().
 *	Returns whether to stop.
 * @want: which intervals to visit; NULL: all
 * @want_leaf: which of their pages; NULL: all
 */
struct kml_visitor {
	enum kml_visit (*visit)(struct kml_visitor *v, struct kml_space *space,
				unsigned long start, struct kml_hot *hot);
	void (*unlocked)(struct kml_visitor *v, struct kml_space *space,
			 unsigned long start);
	bool (*resched)(struct kml_visitor *v);
	bool (*want)(const struct kml_interval *iv);
	bool (*want_leaf)(const struct kml_leaf *leaf);
};

void kml_walk(struct kml_space *space, struct kml_visitor *v);
bool kml_walk_share(struct kml_shard_cursor *c, struct kml_visitor *v);

#endif /* _MM_KMEMLEAK_WALK_H */
