/* SPDX-License-Identifier: GPL-2.0-only */
/* Marks: roots, filters, grey work, workers. */
#ifndef _MM_KMEMLEAK_MARK_H
#define _MM_KMEMLEAK_MARK_H

#include "index.h"
#include <linux/kmemleak_filter.h>

/* === Filters ============================================================ */

/*
 * The range filter: choice, windows, reference implementation.
 */

/* NULL-terminated; the last is the generic one, which is always there. */
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
 * Lists of grey objects whose content has to be read.
 */

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
struct kml_greylist {
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

bool kml_greylist_open(struct kml_greylist *d, struct kml_worklist *list);
void kml_greylist_close(struct kml_greylist *d);
bool kml_greylist_push(struct kml_greylist *d, struct kml_work work);
bool kml_greylist_pop(struct kml_greylist *d, struct kml_work *work);
bool kml_greylist_share(struct kml_greylist *d);

/* Is nothing left here? Others may have put something on the list. */
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
 * How far a scan is, and how the last ones went.
 */

/* Scans remembered, the last one included. */
#define KML_SCANS_KEPT	8

/* The running scan. Written by its initiator, read by anybody. */
struct kml_running {
	u64 begin;			/* ktime_get_ns(); 0: no scan runs */
	u64 stage_begin;
	u64 expected;			/* bytes the last whole scan read */
	enum kml_stage stage;
};

extern struct kml_running kml_running;

unsigned int kml_stats_last(struct kml_scan_stats *scans);
const char *kml_stage_name(enum kml_stage stage);

/* === Signals ============================================================ */

/*
 * Which signals end what a user asked for, and how to wait beside the others.
 */

/* How often who cannot sleep interruptibly looks for a signal. */
#define KML_SIGNAL_POLL_MSECS	2

bool kml_signalled(void);
int kml_scan_lock(void);

/*
 * Wait for @condition, or until there may be a signal to look at: the caller loops,
 * and asks kml_signalled() each time. Beside a signal that ends nothing an
 * interruptible wait returns at once, so that one is replaced by short ones.
 */
#define kml_wait_once(wq, condition)					\
do {									\
	bool __beside = signal_pending(current);			\
									\
	__wait_event_hrtimeout(wq, condition, __beside ?		\
			       ms_to_ktime(KML_SIGNAL_POLL_MSECS) : KTIME_MAX, \
			       __beside ? TASK_IDLE : TASK_INTERRUPTIBLE); \
} while (0)

/* === Sieve ============================================================== */

/*
 * The Bloom filter of suspects: a bitmap small enough for a CPU's first cache, which most
 * candidates of a confirming mark do not pass. Few objects are looked for then,
 * wherever they are: what hits none of their blocks, modulo its size, is not one
 * of them. (A Bloom filter, Communications of the ACM 13, 1970, with one hash.)
 */

void kml_bloom_open(void);
void kml_bloom_add(unsigned long start, size_t size);
const unsigned long *kml_bloom_ready(void);
void kml_bloom_close(void);

/* Could @addr be in an object that was added? */
static inline bool kml_bloom_passes(const unsigned long *bloom, unsigned long addr)
{
	unsigned long bit = (addr >> KML_BLOCK_SHIFT) % KML_BLOOM_BITS;

	return bloom[BIT_WORD(bit)] >> bit % BITS_PER_LONG & 1;
}

/* === Reading objects ==================================================== */

/*
 * Read tracked memory that may be freed meanwhile.
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
 * Memory that keeps objects alive without being an object.
 */

/**
 * struct kml_root_sink - where roots go
 * @range: told of each range; returns false to stop. May sleep.
 * @page: the same for a struct page, with the memory that it describes: what
 *	points there is no reference. The free list of a slab does, and stays in
 *	the struct page when the slab is gone and its page somebody's.
 * @probe: could the range hold a reference? Cheaper than @range and without
 *	effect; the range may contain memory that is not a root.
 * @skip: is the stack of this task not a root?
 * @stop: should the walk end? May reschedule.
 * @lock: takes the memory hotplug lock; put_online_mems() releases it. Returns false
 *	to stop.
 * @buf: KML_CHUNK bytes, for content that has to be copied
 */
struct kml_root_sink {
	bool (*range)(struct kml_root_sink *sink, const void *start, size_t len);
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
bool kml_phys_in_lowmem(unsigned long phys, size_t size);
bool kml_phys_is_root(unsigned long phys, size_t len);
bool kml_pfn_has_owner(struct page *page);

/* Calls @section for each section that is to be an object, always grey. */
void kml_roots_sections(void (*section)(const void *start, size_t len));

struct task_struct *kml_task_from(int *nr);
bool kml_roots_stack(struct kml_root_sink *sink, struct task_struct *task);
#ifdef CONFIG_KMEMLEAK_LIVE_STACKS
extern bool kml_live_stacks;	/* read stacks from the saved stack pointer on */
bool kml_stacks_set_no_scan(struct kml_root_sink *sink);
#else
static inline bool kml_stacks_set_no_scan(struct kml_root_sink *sink)
{
	return true;
}
#endif

/* === Blocks of kmalloc_nolock() ========================================= */


struct kml_nolock_block {
	unsigned long start;
	size_t size;
};

void kml_nolock_init(void);
void kml_nolock_forget(unsigned long start);
bool kml_nolock_next(unsigned long *at, struct kml_nolock_block *block);
size_t kml_nolock_size(unsigned long at, unsigned long start);
unsigned long kml_nolock_missed(void);

/* === Marks ============================================================== */

/*
 * The mark engine: from ranges to shaded objects.
 */

#define KML_BATCH	64	/* look-ups in flight together */
#define KML_SETTLED_CACHE	1024	/* settled tables at hand */
#define KML_WORDS	(KML_CHUNK / sizeof(long))

/*
 * Where an interval's settled bits are. Valid for one job: a table may be
 * replaced by a better one meanwhile, and what is born needs no look-up.
 */
struct kml_settled_cache {
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
	struct kml_greylist grey;
	struct kmemleak_windows base;	/* the initiator's: of this mark */
	struct kmemleak_windows win;	/* and without the object being read */
	struct kml_shard_cursor cursor;	/* in the current walk */
	struct kml_extent recount[KML_NR_SPACES];	/* see trial.c */
	struct kmemleak_range self_percpu;
	bool initiator;			/* who asked for the scan, not a helper */
	bool copies;			/* content is copied, then filtered: in this job */
	unsigned int locked_cand;	/* candidates of kml_mark_locked() */
	size_t locked_bytes;		/* and what they came from */
	unsigned int nr_unsettled[KML_NR_SPACES];
	struct kml_mark_stats stats;
	unsigned long unsettled[KML_NR_SPACES][KML_BATCH];
	struct kml_settled_cache settled_cache[KML_SETTLED_CACHE];
	unsigned long cand[KML_WORDS + KMEMLEAK_FILTER_PAD];
	/* and what several copies need to be aligned, or to end after a word */
	char copy[KML_CHUNK + (KML_PINS + 1) * sizeof(long)] __aligned(sizeof(long));
};

/* Set up by the scan for all its workers. */
struct kml_mark {
	struct kml_worklist list;
	atomic_long_t suspects;		/* objects with KML_F_SUSPECT */
	bool provisional;		/* objects that turn grey get KML_F_PROVISIONAL */
	bool confirm;			/* count only objects that the trial has chosen */
	bool add_counts;		/* to those of the mark before */
	bool bytewise;			/* words at every byte offset count */
	const unsigned long *bloom;	/* only words that pass this count; or NULL */
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

/* === Workers ============================================================ */

/*
 * Who does the work of a scan: its initiator, and helpers on other CPUs.
 */

/*
 * Where more work comes from. Called by each worker over and over; does a part
 * of what there is (some ms at most) and returns true, or finds that nothing is
 * left, for anybody, and returns false.
 */
typedef bool (*kml_source)(struct kml_worker *w);

/* How many mark, the initiator included; KML_WORKERS_ALL: one a CPU. */
#define KML_WORKERS_ALL	UINT_MAX

int kml_workers_init(void);
int kml_workers_set(unsigned int nr);
unsigned int kml_workers_wanted(void);

struct kml_worker *kml_workers_begin(bool (*stop)(void));
void kml_workers_end(struct kml_mark_stats *sum);
bool kml_workers_run(kml_source source, bool read_grey);
void kml_workers_share(struct kml_worker *w);
bool kml_workers_leaving(const struct kml_worker *w);
unsigned int kml_workers_nr(void);
u64 kml_workers_words(void);
void kml_workers_wake_initiator(void);
bool kml_workers_lock_mems(struct kml_worker *w);
bool kml_workers_has(const struct task_struct *task);

/* Calls @fn for the initiator's worker and those of all helpers. */
void kml_workers_each(void (*fn)(struct kml_worker *w, void *data), void *data);

#endif /* _MM_KMEMLEAK_MARK_H */
