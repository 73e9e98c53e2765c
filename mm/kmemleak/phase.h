/* SPDX-License-Identifier: GPL-2.0-only */
/* The phases of a scan, as jobs for its workers. */
#ifndef _MM_KMEMLEAK_PHASE_H
#define _MM_KMEMLEAK_PHASE_H

#include "walk.h"
#include "workers.h"

/* One worker's walk through the objects. */
struct kml_phase {
	struct kml_visitor v;		/* must be first */
	struct kml_worker *w;
	/* to be unsettled: blocks of a page, and a big object; inverted addresses */
	struct kml_space *space;
	unsigned long not_page;
	u64 blocks;
	unsigned long not_big_start;
	size_t big_size;
};

static inline struct kml_phase *kml_phase(struct kml_visitor *v)
{
	return container_of(v, struct kml_phase, v);
}

bool kml_phase_resched(struct kml_visitor *v);
enum kml_visit kml_phase_unsettle(struct kml_phase *phase, struct kml_space *space,
				  unsigned long start, size_t size);
void kml_phase_unsettle_big(struct kml_visitor *v, struct kml_space *space,
			    unsigned long start);
void kml_phase_push(struct kml_worker *w, struct kml_space *space,
		    unsigned long start, struct kml_hot *hot);

/* prepare.c */
bool kml_prepare_all(struct kml_worker *w);
bool kml_drain_pending(void);
bool kml_adopt_all(struct kml_worker *w);

/* check.c */
bool kml_check_all(struct kml_worker *w);

/* confirm.c */
bool kml_confirm_prepare(struct kml_worker *w, bool bytewise, bool add);
bool kml_is_doubtful(const struct kml_interval *iv);
bool kml_is_doubtful_leaf(const struct kml_leaf *leaf);
bool kml_source_sweep(struct kml_worker *w);
void kml_convict_all(void);

#endif /* _MM_KMEMLEAK_PHASE_H */
