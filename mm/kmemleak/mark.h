/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Marks and their parts: filters, lists of grey objects, roots, workers, signals,
 * statistics of scans. The functions are in mark.c, filter.c, read.c, roots.c,
 * work.c, trial.c and scan.c.
 */
#ifndef _MM_KMEMLEAK_MARK_H
#define _MM_KMEMLEAK_MARK_H

#include "index.h"
#include <linux/kmemleak_filter.h>

/* === Filters ============================================================ */

/*
 * A range filter picks the words of a memory range that may point to objects.
 */

/* Ends with the generic filter, which works on every machine, and NULL. */
extern const struct kmemleak_filter * const kml_filters[];

const struct kmemleak_filter *kml_filter_current(void);
bool kml_filter_copies(void);
int kml_filter_want(const char *name);
const char *kml_filter_wanted(void);
unsigned int kml_filter_call(const struct kmemleak_filter *f,
			     const unsigned long *words, unsigned int nr,
			     const struct kmemleak_windows *win,
			     unsigned long *out);
struct kmemleak_range kml_filter_range(unsigned long min, unsigned long last);
void kml_filter_windows(struct kmemleak_windows *win);
unsigned int kml_filter_run(const void *start, size_t len,
			    const struct kmemleak_windows *win,
			    unsigned long *out);
unsigned int kml_filter_run_at(const void *start, size_t len,
			       const struct kmemleak_windows *win,
			       unsigned long *out);
unsigned int kml_filter_generic(const unsigned long *words, unsigned int nr,
				const struct kmemleak_windows *win,
				unsigned long *out);

/* === Grey work ========================================================== */

/*
 * Grey objects whose content has to be read are kept in lists.
 */

/* Large objects are cut into slices, which several workers may read. */
#define KML_SLICE	(128UL * 1024)

/*
 * A part of a grey object that has to be read. It begins at an offset which is a
 * multiple of KML_CHUNK. With KML_WORK_SLICE it ends where the slice ends, else
 * where the object ends. @off_space packs the offset, the space and that flag. The
 * start is inverted: pages that hold such work are not cleared when they are freed,
 * and their next owner may be scanned.
 */
struct kml_work {
	unsigned long not_start;
	unsigned long off_space;
};

#define KML_WORK_SPACE	3UL
#define KML_WORK_SLICE	4UL
/* Also in @off_space: the object's size in cache lines, for kml_next_group(). */
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

/* The offset after the last byte to be read of an object of @size bytes. */
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
	struct kml_block *newer;	/* in a worker's list of full blocks */
	unsigned long nr;
	struct kml_work work[KML_BLOCK_WORK];
};

static_assert(sizeof(struct kml_block) <= KML_PAGE_SIZE);
static_assert(KML_WORK_LINES_MAX << KML_WORK_LINES_SHIFT <= KML_CHUNK);

/* The list that all workers share: full blocks to be read, empty blocks to fill. */
struct kml_worklist {
	raw_spinlock_t lock;
	struct kml_block *full;
	struct kml_block *empty;
	unsigned long nr_full;		/* read without the lock as a hint */
	unsigned long nr_blocks;	/* kml_scan_mutex */
};

#define KML_SPARES	8U	/* empty blocks fetched or returned at once */

/* The grey objects of one worker. */
struct kml_greylist {
	struct kml_worklist *list;
	struct kml_block *cur;		/* never NULL between open and close */
	struct kml_block *oldest;	/* full blocks, linked through @newer */
	struct kml_block *newest;	/* the same blocks, linked through @next */
	struct kml_block *spares;	/* empty blocks */
	unsigned int nr_spares;
	unsigned long stolen;		/* blocks taken from the shared list */
};

/* Blocks for each worker, so that no worker runs short while others have spares. */
#define KML_WORKER_BLOCKS	(2 * KML_SPARES + 2)

void kml_worklist_init(struct kml_worklist *list);
bool kml_worklist_grow(struct kml_worklist *list, unsigned long blocks);
void kml_worklist_shrink(struct kml_worklist *list, unsigned long keep);

bool kml_greylist_open(struct kml_greylist *d, struct kml_worklist *list);
void kml_greylist_close(struct kml_greylist *d);
bool kml_greylist_push(struct kml_greylist *d, struct kml_work work);
bool kml_greylist_pop(struct kml_greylist *d, struct kml_work *work);
bool kml_greylist_share(struct kml_greylist *d);

/* Has the worker no grey objects of its own? The shared list may have some. */
static inline bool kml_greylist_empty(const struct kml_greylist *d)
{
	return !d->cur->nr && !d->newest;
}

static inline bool kml_worklist_has_work(struct kml_worklist *list)
{
	return READ_ONCE(list->nr_full);
}

/* === Progress and statistics ============================================ */

/*
 * The progress of the running scan, and the statistics of the last scans.
 */

/* Scans whose statistics are kept. */
#define KML_SCANS_KEPT	8

unsigned int kml_stats_last(struct kml_scan_stats *scans);
const char *kml_stage_name(enum kml_stage stage);

/* === Signals ============================================================ */

/*
 * Signals that end a scan, and how to wait while other signals are pending.
 */

/* How often a wait looks for new signals while an uninteresting one is pending. */
#define KML_SIGNAL_POLL_MSECS	2

bool kml_signalled(void);
int kml_scan_lock(void);

/*
 * Wait until @condition holds or a signal may have arrived. The caller repeats this
 * in a loop, and calls kml_signalled() each time. An interruptible wait returns at
 * once while any signal is pending, even one that does not end a scan. The wait is
 * then a short one that cannot be interrupted.
 */
#define kml_wait_once(wq, condition) kml_wait_for(wq, condition, KTIME_MAX)

/* The same, for @timeout nanoseconds at most. */
#define kml_wait_for(wq, condition, timeout)				\
do {									\
	bool __beside = signal_pending(current);			\
	ktime_t __most = timeout;					\
									\
	if (__beside)							\
		__most = min(__most, ms_to_ktime(KML_SIGNAL_POLL_MSECS)); \
	__wait_event_hrtimeout(wq, condition, __most,			\
			       __beside ? TASK_IDLE : TASK_INTERRUPTIBLE); \
} while (0)

/* === Bloom filter ======================================================= */

/*
 * A confirming mark looks for few objects, which may be anywhere. The Bloom filter
 * drops most other candidates without a look-up. It is a bitmap that fits in the L1
 * cache, with a bit for each 64-byte block of memory, modulo its size. A candidate
 * whose bit is clear points to none of these objects. After Bloom, "Space/time
 * trade-offs in hash coding with allowable errors", CACM 13(7), 1970, with one hash.
 */

void kml_bloom_open(void);
void kml_bloom_add(unsigned long start, size_t size);
const unsigned long *kml_bloom_ready(void);
void kml_bloom_close(void);

/* May @addr be in an object that was added? False positives are possible. */
static inline bool kml_bloom_passes(const unsigned long *bloom, unsigned long addr)
{
	unsigned long bit = (addr >> KML_BLOCK_SHIFT) % KML_BLOOM_BITS;

	return bloom[BIT_WORD(bit)] >> bit % BITS_PER_LONG & 1;
}

/* === Reading objects ==================================================== */

/*
 * Read tracked memory that may be freed at any time.
 */

const void *kml_object_memory(struct kml_space *space, unsigned long start,
			      int cpu);
u32 kml_checksum(u32 seed, const void *p, size_t len);
bool kml_checksum_pinned(struct kml_pins *pins, struct kml_space *space,
			 unsigned long start, size_t size, u32 *sum,
			 bool (*stop)(void *data), void *data);
size_t kml_copy_head(const struct kml_info *info, void *buf, int *cpu);

/* === Sections, per-CPU areas, struct pages ============================== */

/*
 * Roots: memory that a mark reads without a reference to it.
 */

/**
 * struct kml_root_sink - callbacks that receive roots
 * @range: called for each range of memory. Returns false to stop. May sleep.
 * @phys: called for each piece of a physical block, which may be freed meanwhile.
 *	Returns false to stop. May sleep.
 * @page: called for each struct page, with the address of the memory that it
 *	describes, or 0 for highmem. A word that points into this memory is no
 *	reference: it may be the free list of a slab that is gone, which stays in
 *	the struct page when the page has another owner. Returns false to stop. May
 *	sleep.
 * @probe: returns false if the range holds no reference that matters. It is cheaper
 *	than @range, changes no object, and may read memory that is not a root.
 * @skip: returns true if the stack of this task is not a root
 * @stop: returns true if the walk is to end. May reschedule.
 * @lock: takes the memory hotplug lock, which put_online_mems() releases. Returns
 *	false to stop.
 * @buf: KML_CHUNK bytes, for content that has to be copied
 */
struct kml_root_sink {
	bool (*range)(struct kml_root_sink *sink, const void *start, size_t len);
	bool (*phys)(struct kml_root_sink *sink, unsigned long start, size_t len);
	bool (*page)(struct kml_root_sink *sink, const struct page *page,
		     unsigned long mem);
	bool (*probe)(struct kml_root_sink *sink, const void *start, size_t len);
	bool (*skip)(const struct task_struct *task);
	bool (*stop)(struct kml_root_sink *sink);
	bool (*lock)(struct kml_root_sink *sink);
	void *buf;
};

bool kml_roots_begin(struct kml_root_sink *sink, bool stacks, bool content);
bool kml_roots_next(struct kml_root_sink *sink);

struct zone *kml_roots_pages(unsigned long *pfn, unsigned long *end);
unsigned long kml_pages_free(struct zone *zone, unsigned long pfn, bool first);
bool kml_roots_copy(struct page *page, size_t off, void *buf, size_t len);
bool kml_roots_own_stack(struct kml_root_sink *sink);

/*
 * Call @section for each section of kernel data. Sections are not handed to a sink:
 * at boot the caller makes each of them an object that is always grey.
 */
void kml_roots_sections(void (*section)(const void *start, size_t len));

struct task_struct *kml_task_from(int *nr);
bool kml_roots_stack(struct kml_root_sink *sink, struct task_struct *task);
#ifdef CONFIG_KMEMLEAK_LIVE_STACKS
extern bool kml_live_stacks;	/* read only frames in use, of tasks that sleep */
bool kml_stacks_set_no_scan(struct kml_root_sink *sink);
#else
static inline bool kml_stacks_set_no_scan(struct kml_root_sink *sink)
{
	return true;
}
#endif

/* === Blocks of kmalloc_nolock() ========================================= */

struct kml_nolock_block {
	unsigned long start;		/* untagged */
	size_t size;			/* in bytes */
};

void kml_nolock_init(void);
void kml_lost_init(void);
void kml_nolock_forget(unsigned long start);
bool kml_nolock_next(unsigned long *at, struct kml_nolock_block *block);
size_t kml_nolock_size(unsigned long at, unsigned long start);
unsigned long kml_nolock_missed(void);

/* === Marks ============================================================== */

/*
 * A mark reads ranges of memory, and turns the objects grey that these reference.
 */

#define KML_BATCH	64	/* candidates that are looked up together */
#define KML_SETTLED_CACHE	1024	/* entries of kml_worker.settled_cache */
#define KML_WORDS	(KML_CHUNK / sizeof(long))

/*
 * Where to find the settled bits of an interval. An entry is valid for one job, even
 * if it becomes stale. The interval may get a bitmap with more bits set: an old one
 * only costs look-ups. An interval that is created during the job holds only new
 * objects, which need no look-up.
 */
struct kml_settled_cache {
	unsigned long key;		/* interval + 1 */
	unsigned long *table;		/* NULL: no such interval */
};

/* The range from the lowest to the highest of some objects; empty if min > last. */
struct kml_extent {
	unsigned long min;
	unsigned long last;
};

/*
 * A worker, which marks. It holds addresses of objects, so it lives in memory that
 * is not scanned: see kml_worker_alloc().
 */
struct kml_worker {
	struct kml_pins pins;
	struct kml_greylist grey;
	struct kmemleak_windows base;	/* of this mark; the initiator's only */
	struct kmemleak_windows win;	/* @base, minus the object being read */
	struct kml_shard_cursor cursor;	/* in the current walk */
	struct kml_extent recount[KML_NR_SPACES];	/* see trial.c */
	struct kmemleak_range self_percpu;	/* the per-CPU object being read */
	bool initiator;			/* the task that scans, not a helper */
	bool copies;			/* this job filters copies of content */
	unsigned int locked_cand;	/* candidates of kml_mark_locked() */
	size_t locked_bytes;		/* bytes that it has read */
	u64 used_ns;			/* CPU time of jobs, since it last slept for the budget */
	unsigned int nr_unsettled[KML_NR_SPACES];
	struct kml_mark_stats stats;
	unsigned long unsettled[KML_NR_SPACES][KML_BATCH];
	struct kml_settled_cache settled_cache[KML_SETTLED_CACHE];
	unsigned long cand[KML_WORDS + KMEMLEAK_FILTER_PAD];
	/* with room to align several copies, and for a word across the end */
	char copy[KML_CHUNK + (KML_PINS + 1) * sizeof(long)] __aligned(sizeof(long));
};

/* The state of a mark. The scan sets it up for all workers. */
struct kml_mark {
	struct kml_worklist list;
	atomic_long_t suspects;		/* objects with KML_F_SUSPECT */
	bool provisional;		/* new grey objects: KML_F_PROVISIONAL */
	bool confirm;			/* count only for chosen objects */
	bool add_counts;		/* keep the counts of the previous mark */
	bool bytewise;			/* read words at every byte offset */
	const unsigned long *bloom;	/* drops other candidates; or NULL */
	bool overflow;			/* some objects have KML_F_PENDING */
	bool stopped;			/* tells all workers to stop */
	bool (*stop)(void);		/* called by the initiator only */
};

extern struct kml_mark kml_mark;

struct kml_worker *kml_worker_alloc(void);
bool kml_mark_open(struct kml_worker *w);
void kml_mark_close(struct kml_worker *w);
void kml_mark_windows(struct kml_worker *w, const struct kmemleak_windows *win);
bool kml_mark_stop(struct kml_worker *w);

bool kml_mark_range(struct kml_worker *w, const void *start, size_t len);
bool kml_mark_lock_mems(struct kml_worker *w);
bool kml_mark_phys(struct kml_worker *w, unsigned long start, size_t len,
		   const struct kml_reserve_block *reserved);
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

/* Has the worker candidates that wait for their look-up? See kml_mark_flush(). */
static inline bool kml_mark_unresolved(const struct kml_worker *w)
{
	return w->nr_unsettled[KML_VIRT] || w->nr_unsettled[KML_PERCPU];
}

/* === Workers ============================================================ */

/*
 * The workers of a scan are its initiator, and helpers on other CPUs.
 */

/*
 * A source of work. Each worker calls it repeatedly. It does a part of the work and
 * returns true, or returns false if no work is left for any worker. A part takes
 * some ms; it takes longer if the checksum of a large object is part of it.
 */
typedef bool (*kml_source)(struct kml_worker *w);

/* As a number of workers, initiator included: one for each housekeeping CPU. */
#define KML_WORKERS_ALL	UINT_MAX

int kml_workers_init(void);
int kml_workers_set(unsigned int nr);
unsigned int kml_workers_wanted(void);

extern unsigned int kml_budget;	/* per cent of a CPU; 0: no limit */
struct kml_worker *kml_workers_begin(bool (*stop)(void), bool spread);
void kml_workers_end(struct kml_mark_stats *sum);
bool kml_workers_run(kml_source source, bool read_grey);
void kml_workers_share(struct kml_worker *w);
bool kml_workers_leaving(const struct kml_worker *w);
unsigned int kml_workers_nr(void);
u64 kml_workers_words(void);
void kml_workers_wake_initiator(void);
bool kml_workers_has(const struct task_struct *task);

/* Call @fn for the initiator's worker and for those of all helpers of this scan. */
void kml_workers_each(void (*fn)(struct kml_worker *w, void *data), void *data);

/* === Walks of workers =================================================== */

/* One worker's walk through the objects. */
struct kml_walk_ctx {
	struct kml_visitor v;		/* must be first */
	struct kml_worker *w;
	/* to be unsettled: blocks of a page, and a big object; inverted addresses */
	struct kml_space *space;
	unsigned long not_page;
	u64 blocks;
	unsigned long not_big_start;
	size_t big_size;
};

static inline struct kml_walk_ctx *kml_walk_ctx(struct kml_visitor *v)
{
	return container_of(v, struct kml_walk_ctx, v);
}

bool kml_walk_resched(struct kml_visitor *v);
enum kml_visit kml_walk_unsettle(struct kml_walk_ctx *ctx, struct kml_space *space,
				 unsigned long start, size_t size);
void kml_walk_unsettle_big(struct kml_visitor *v, struct kml_space *space,
			   unsigned long start);
void kml_grey_push(struct kml_worker *w, struct kml_space *space,
		   unsigned long start, struct kml_hot *hot);
bool kml_read_pending(void);

#endif /* _MM_KMEMLEAK_MARK_H */
