/* SPDX-License-Identifier: GPL-2.0-only */
/* The mark engine: from ranges to shaded objects. */
#ifndef _MM_KMEMLEAK_MARK_H
#define _MM_KMEMLEAK_MARK_H

#include "deque.h"
#include "filter.h"
#include "object.h"
#include "pin.h"
#include "shard.h"
#include "stats.h"

#define KML_BATCH	64	/* look-ups in flight together */
#define KML_NEAR	1024	/* settled tables at hand */
#define KML_WORDS	(KML_CHUNK / sizeof(long))

/*
 * Where an interval's settled bits are. Valid for one job: a table may be
 * replaced by a better one meanwhile, and what is born needs no look-up.
 */
struct kml_near {
	unsigned long key;		/* interval + 1 */
	unsigned long *table;		/* NULL: no such interval */
};

/* What lies between the lowest and the highest of some objects; min > last: none. */
struct kml_extent {
	unsigned long min;
	unsigned long last;
};

/*
 * One marker. Holds addresses of objects, so it lives in memory that is not
 * scanned: see kml_worker_alloc().
 */
struct kml_worker {
	struct kml_pins pins;
	struct kml_deque deque;
	struct kmemleak_windows base;	/* the initiator's: of this mark */
	struct kmemleak_windows win;	/* and without the object being read */
	struct kml_shard_cursor cursor;	/* in the current walk */
	struct kml_extent doubtful[KML_NR_SPACES];	/* see confirm.c */
	struct kmemleak_range self_percpu;
	bool initiator;			/* who asked for the scan, not a helper */
	bool copies;			/* content is copied, then filtered: in this job */
	unsigned int locked_cand;	/* candidates of kml_mark_locked() */
	size_t locked_bytes;		/* and what they came from */
	unsigned int nr_unsettled[KML_NR_SPACES];
	struct kml_mark_stats stats;
	unsigned long unsettled[KML_NR_SPACES][KML_BATCH];
	struct kml_near near[KML_NEAR];
	unsigned long cand[KML_WORDS + KMEMLEAK_FILTER_PAD];
	/* and what several copies need to be aligned, or to end after a word */
	char copy[KML_CHUNK + (KML_PINS + 1) * sizeof(long)] __aligned(sizeof(long));
};

/* Set up by the scan for all its workers. */
struct kml_mark {
	struct kml_worklist list;
	atomic_long_t suspects;		/* objects with KML_F_SUSPECT */
	bool late;			/* who turns grey now gets KML_F_LATE */
	bool confirm;			/* count only what confirm.c has chosen */
	bool add_counts;		/* to those of the mark before */
	bool bytewise;			/* words at every byte offset count */
	const unsigned long *sieve;	/* which is all that passes here; or NULL */
	bool overflow;			/* some objects are pending */
	bool stopped;			/* all are to stop */
	bool (*stop)(void);		/* asked by the initiator alone */
};

extern struct kml_mark kml_mark;

struct kml_worker *kml_worker_alloc(void);
bool kml_mark_open(struct kml_worker *w);
void kml_mark_close(struct kml_worker *w);
void kml_mark_windows(struct kml_worker *w, const struct kmemleak_windows *win);
bool kml_mark_stop(struct kml_worker *w);

bool kml_mark_range(struct kml_worker *w, const void *start, size_t len);
bool kml_mark_page(struct kml_worker *w, const struct page *page,
		   const struct kmemleak_range *self);
void kml_mark_copy(struct kml_worker *w, size_t len);
bool kml_mark_reserve(struct kml_worker *w);
bool kml_mark_group(struct kml_worker *w);
bool kml_mark_locked(struct kml_worker *w, const void *from, size_t size);
void kml_mark_unlocked(struct kml_worker *w);
bool kml_mark_probe(struct kml_worker *w, const void *start, size_t len);
void kml_mark_take(struct kml_worker *w, const struct kmemleak_windows *win,
		   unsigned int from, unsigned int to);
void kml_mark_flush(struct kml_worker *w);

static inline bool kml_mark_unresolved(const struct kml_worker *w)
{
	return w->nr_unsettled[KML_VIRT] || w->nr_unsettled[KML_PERCPU];
}

#endif /* _MM_KMEMLEAK_MARK_H */
