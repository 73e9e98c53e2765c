/* SPDX-License-Identifier: GPL-2.0-only */
/* Lists of grey objects whose content has to be read. */
#ifndef _MM_KMEMLEAK_DEQUE_H
#define _MM_KMEMLEAK_DEQUE_H

#include "kmemleak.h"

/* Large objects are cut into slices, which different workers may read. */
#define KML_SLICE	(128UL * 1024)

/*
 * Read the object at ~@not_start from @off (a multiple of KML_CHUNK), with
 * KML_WORK_SLICE to the end of the slice, else to its own. Inverted: blocks of
 * these go back to the page allocator as they are, and what gets them next may
 * be scanned.
 */
struct kml_work {
	unsigned long not_start;
	unsigned long off_space;
};

#define KML_WORK_SPACE	3UL
#define KML_WORK_SLICE	4UL
/* and the size, in cache lines, for those who fetch ahead */
#define KML_WORK_LINES_SHIFT	3
#define KML_WORK_LINES_MAX	(KML_CHUNK / 64)

static inline struct kml_work kml_work(enum kml_space_id space,
				       unsigned long start, size_t off, size_t size)
{
	unsigned long lines = min(size / 64, KML_WORK_LINES_MAX - 1);

	return (struct kml_work){
		.not_start = ~start,
		.off_space = off | lines << KML_WORK_LINES_SHIFT | space,
	};
}

static inline unsigned long kml_work_start(const struct kml_work *w)
{
	return ~w->not_start;
}

static inline unsigned int kml_work_lines(const struct kml_work *w)
{
	return (w->off_space >> KML_WORK_LINES_SHIFT) % KML_WORK_LINES_MAX + 1;
}

static inline enum kml_space_id kml_work_space(const struct kml_work *w)
{
	return w->off_space & KML_WORK_SPACE;
}

/* Behind the last byte to be read of an object of @size. */
static inline size_t kml_work_end(const struct kml_work *w, size_t size)
{
	size_t slice = w->off_space | (KML_SLICE - 1);

	return w->off_space & KML_WORK_SLICE ? min(size - 1, slice) + 1 : size;
}

static inline size_t kml_work_off(const struct kml_work *w)
{
	return w->off_space & ~(KML_CHUNK - 1UL);
}

#define KML_BLOCK_WORK	((KML_PAGE_SIZE - 3 * sizeof(long)) / sizeof(struct kml_work))

struct kml_block {
	struct kml_block *next;
	struct kml_block *newer;	/* in a worker's own list of full ones */
	unsigned long nr;
	struct kml_work work[KML_BLOCK_WORK];
};

static_assert(sizeof(struct kml_block) <= KML_PAGE_SIZE);
static_assert(KML_WORK_LINES_MAX << KML_WORK_LINES_SHIFT <= KML_CHUNK);

/* Shared between workers: full blocks to take over, empty ones to fill. */
struct kml_worklist {
	raw_spinlock_t lock;
	struct kml_block *full;
	struct kml_block *empty;
	unsigned long nr_full;		/* read without the lock as a hint */
	unsigned long nr_blocks;	/* kml_scan_mutex */
};

#define KML_SPARES	8U	/* empty blocks are fetched and given back by so many */

/* One worker's end of it. */
struct kml_deque {
	struct kml_worklist *list;
	struct kml_block *cur;		/* never NULL between open and close */
	struct kml_block *oldest;	/* full ones, linked through newer */
	struct kml_block *newest;	/* and, the other way, through next */
	struct kml_block *spares;
	unsigned int nr_spares;
	unsigned long stolen;		/* blocks taken from the list */
};

/* With these for each worker nobody has to go without because others have. */
#define KML_WORKER_BLOCKS	(2 * KML_SPARES + 2)

void kml_worklist_init(struct kml_worklist *list);
bool kml_worklist_grow(struct kml_worklist *list, unsigned long blocks);
void kml_worklist_shrink(struct kml_worklist *list, unsigned long keep);

bool kml_deque_open(struct kml_deque *d, struct kml_worklist *list);
void kml_deque_close(struct kml_deque *d);
bool kml_deque_push(struct kml_deque *d, struct kml_work work);
bool kml_deque_pop(struct kml_deque *d, struct kml_work *work);
bool kml_deque_share(struct kml_deque *d);

/* Is nothing left here? Others may have put something on the list. */
static inline bool kml_deque_empty(const struct kml_deque *d)
{
	return !d->cur->nr && !d->newest;
}

static inline bool kml_worklist_has_work(struct kml_worklist *list)
{
	return READ_ONCE(list->nr_full);
}

#endif /* _MM_KMEMLEAK_DEQUE_H */
