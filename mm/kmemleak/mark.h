/* SPDX-License-Identifier: GPL-2.0-only */
/* The mark engine: from ranges to shaded objects. */
#ifndef _MM_KMEMLEAK_MARK_H
#define _MM_KMEMLEAK_MARK_H

#include "deque.h"
#include "filter.h"
#include "object.h"
#include "pin.h"

#define KML_BATCH	64	/* look-ups in flight together */
#define KML_WORDS	(KML_CHUNK / sizeof(long))

struct kml_mark_stats {
	u64 words;
	u64 candidates;
	u64 settled;
	u64 lookups;
	u64 objects;
	u64 overflows;
};

/*
 * One marker. Holds addresses of objects, so it lives in memory that is not
 * scanned: see kml_worker_alloc().
 */
struct kml_worker {
	struct kml_pins pins;
	struct kml_deque deque;
	struct kmemleak_windows win;
	unsigned long scanned;		/* object being read, if it may get surplus */
	struct kmemleak_range self_percpu;
	unsigned int nr_unsettled[KML_NR_SPACES];
	struct kml_mark_stats stats;
	unsigned long unsettled[KML_NR_SPACES][KML_BATCH];
	unsigned long cand[KML_WORDS + KMEMLEAK_FILTER_PAD];
	char copy[KML_CHUNK];
};

/* Set up by the scan for all its workers. */
struct kml_mark {
	struct kml_worklist list;
	atomic_long_t suspects;		/* objects with KML_F_SUSPECT */
	atomic_t idle;			/* workers with nothing to do */
	unsigned int nr_workers;
	bool overflow;			/* some objects are pending */
	/* May this worker go on? May reschedule. Called every few KiB. */
	bool (*stop)(void);
};

extern struct kml_mark kml_mark;

int kml_mark_init(void);
struct kml_worker *kml_mark_worker(void);
bool kml_mark_open(struct kml_worker *w);
void kml_mark_close(struct kml_worker *w);

void kml_mark_push(struct kml_worker *w, struct kml_space *space,
		   unsigned long start);
void kml_mark_greyed(struct kml_worker *w, struct kml_space *space,
		     unsigned long start, size_t size, u32 state);
bool kml_mark_range(struct kml_worker *w, const void *start, size_t len,
		    const struct kmemleak_range *self);
bool kml_mark_reserve(struct kml_worker *w);
bool kml_mark_drain(struct kml_worker *w);

#endif /* _MM_KMEMLEAK_MARK_H */
