/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kmemleak internals: limits, types and the rules every file follows.
 *
 * The way of a byte
 * -----------------
 *
 * api.c takes a hook, track.c files the block in the interval index
 * (interval.c: address -> interval -> page leaf; page_desc.c: page leaf ->
 * object). A scan (scan.c) whitens all objects (prepare.c), feeds the roots
 * (roots.c) and the grey objects (mark_scan.c) word by word through the range
 * filter (filter.c), drops candidates whose 64-byte block is settled
 * (settled.c), resolves the rest and shades the objects they hit (mark.c), on
 * several CPUs (workers.c). Objects which stay white are checksummed (check.c),
 * confirmed by further marks (confirm.c), looked for in untracked memory
 * (untracked.c), and reported (report.c).
 *
 * Locks, outermost first
 * ----------------------
 *
 * kml_scan_mutex (mutex)
 *	One scan, one reader or writer of the debugfs file, one trimmer at a
 *	time. Whoever walks the intervals holds it, so intervals and leaf groups
 *	vanish only under it; whoever asked for a scan holds it for all its
 *	workers. Protects the report table and scan parameters.
 * kml_part_mutex (mutex)
 *	Parts of one physical block may be freed on several CPUs: one after the
 *	other. Memory is allocated with it held.
 * kml_roots_at.lock, kml_last_lock (spin)
 *	Which roots come next; the statistics of the last scans.
 * leaf->lock (raw, IRQs off)
 *	The objects which start in one 4 KiB page: the page descriptor pointer,
 *	its bitmap, hot entries other than the atomic state, cold and extended
 *	metadata, and leaf->cont. Leaf locks never nest.
 * space->lock (raw, IRQs off)
 *	Publication of directory tables, intervals, leaf groups and interval
 *	covers, and the windows when they grow. Never inside leaf->lock.
 * shard->lock (raw, IRQs off)
 *	A shard's intervals and which of them was taken last. Inside space->lock.
 * pool, reserve and work-list locks (raw, IRQs off)
 *	Innermost; nothing is taken inside them.
 *
 * Nothing is allocated, printed or freed to the slab under a raw lock: callers
 * allocate first, retry if that was the wrong size, and release afterwards.
 * Hooks run in any context (NMI excepted), so they take raw locks only.
 *
 * Who publishes, who waits, which barrier pairs
 * ---------------------------------------------
 *
 * Look-up:	readers walk space -> l2 -> l3 -> interval -> leaf -> desc -> hot
 *	under rcu_read_lock() and no lock. Every pointer is published with
 *	release semantics (rcu_assign_pointer() or smp_store_release()) and read
 *	with READ_ONCE()/rcu_dereference() (address dependency). What leaves the
 *	tree is freed after a grace period.
 * Slot:	a hot entry is filled, its state stored with release, then its
 *	bitmap bit is set; readers test the bit, then load the state with
 *	acquire. A reader that catches a slot between two owners may count a
 *	reference for the new one: that hides it for this scan only, and an
 *	object born during a scan is never reported by it.
 * Re-grain:	the writer (leaf->lock held) freezes each old state with an atomic
 *	OR of KML_F_FROZEN and copies the value that OR returned. Whoever meets
 *	a frozen state looks again: the new descriptor is published before the
 *	lock is dropped. State changes are cmpxchg loops, so none is lost.
 * Free against scan: see pin.h. Workers against each other: see workers.c.
 * Insert against scan: the writer reads kml_scan_active and makes the entry
 *	visible in the same RCU section. A scan sets that and waits for a grace
 *	period: it sees the entry, or the writer sees the scan. Then the object
 *	is born grey (KML_F_NEW): nobody has to count references to it, so that
 *	settled bits stay true whatever is born, and a mark has only so much to
 *	do: what was there when it began. New objects are read once, at its end,
 *	and only in intervals marked fresh. The writer files the entry, full
 *	barrier, marks the interval if it is not; kml_prepare_all() unmarks it,
 *	full barrier, and makes old ones of those it finds there.
 * Settle:	bits are cleared by kml_prepare_all() and kml_confirm_prepare() only, and
 *	set by markers after them, who do not care whether the object is still
 *	there: see above.
 * Addresses: data and bss are roots, and the static pool is in bss. Addresses of
 *	tracked blocks are kept there (and in tracked memory) inverted or shifted,
 *	else kmemleak itself would reference what it should report.
 * Hints:	interval->doubtful, leaf->doubt, the sieve and what a worker gathers for
 *	itself are written by one job of a scan and read by the next: the end of
 *	a job orders them (workers.c), so they are plain. excess, of intervals
 *	and leaves, is set by hooks at any time and never cleared. A confirmation
 *	that does not see it yet takes the references to that object for surplus,
 *	which hides a suspect for this scan. leaf->cls may be out of date, which
 *	costs a miss.
 * Vacate:	whoever takes the last object of a page out, or a mark that one reaches
 *	in, says so in the interval unless it is said already; all in one RCU
 *	section. The trimmer takes that back, waits for a grace period, and only
 *	then looks: what it was told of before is done, and what comes later says
 *	so again.
 * Trim:	marks each leaf of a group dead under its lock, then unpublishes the
 *	group. A writer who finds a dead leaf under the lock looks again.
 */
#ifndef _MM_KMEMLEAK_KMEMLEAK_H
#define _MM_KMEMLEAK_KMEMLEAK_H

#include "os.h"

/* === Differences between kernels ======================================== */

/*
 * What differs between the kernels we build on (6.12 to 7.3). The core is
 * written for the newer one; this file, and none else of it, adapts the older.
 */

#if defined(CONFIG_KASAN_SW_TAGS) || defined(CONFIG_KASAN_HW_TAGS)
#define KML_POINTER_TAGS 1
#define KML_TAG_BITS	8	/* kasan_reset_tag() extends the sign of bit 55 */
#else
#define KML_TAG_BITS	0
#endif

/* 7.x: declared in linux/kmemleak.h */
void kmemleak_ignore_percpu(const void __percpu *ptr);

/* So is this one, later in 6.12 */
void kmemleak_transient_leak(const void *ptr);

/* 7.x: declared in mm/page_alloc.h */
void drain_all_pages(struct zone *zone);

#ifdef CONFIG_UML
/* 7.x: declared where only arch/um looks, an array of one for each CPU */
extern char cpu_irqstacks[][THREAD_SIZE] __weak;
#endif

/*
 * Does a task run, or is it about to? 7.x has the field with one CPU, too; there who
 * asks is who runs. The acquire pairs with the release in finish_task(): all that a
 * task did before it was switched from is seen.
 */
#ifdef CONFIG_SMP
/* pairs with finish_task() */
#define kml_task_on_cpu(task)	(smp_load_acquire(&(task)->on_cpu) != 0)
#else
#define kml_task_on_cpu(task)	({ barrier(); (task) == current; })
#endif

#ifndef secs_to_jiffies
#define secs_to_jiffies(secs)	((secs) * HZ)
#endif

#define KML_MAX_TRACE		16	/* frames kept of an allocation */
#define KML_SKIP_FRAMES		1	/* kml_stack_save() itself */
#define KML_MIN_AGE_MSECS	5000	/* younger objects are not reported */
#define KML_FIRST_SCAN_SECS	60	/* automatic scanning: first scan */
#define KML_SCAN_WAIT_SECS	600	/* automatic scanning: period */

/* Bytes read with IRQs off, between two chances to reschedule. */
#define KML_CHUNK		4096

#define KML_PAGE_SHIFT		12	/* index granule, whatever PAGE_SIZE is */
#define KML_PAGE_SIZE		BIT(KML_PAGE_SHIFT)
#define KML_PAGE_MASK		(~(KML_PAGE_SIZE - 1))
#define KML_GROUP_SHIFT		19	/* leaves are allocated by 512 KiB */
#define KML_LEAVES		(1U << (KML_GROUP_SHIFT - KML_PAGE_SHIFT))
#define KML_INTERVAL_SHIFT	21
#define KML_INTERVAL_SIZE	BIT(KML_INTERVAL_SHIFT)
#define KML_INTERVAL_MASK	(~(KML_INTERVAL_SIZE - 1))
#define KML_GROUPS		(1U << (KML_INTERVAL_SHIFT - KML_GROUP_SHIFT))

#if BITS_PER_LONG == 64
#define KML_L3_BITS		9
#define KML_L2_BITS		9
#else
#define KML_L3_BITS		6
#define KML_L2_BITS		5
#endif
#define KML_L3_SHIFT		KML_INTERVAL_SHIFT
#define KML_L2_SHIFT		(KML_L3_SHIFT + KML_L3_BITS)
#define KML_L1_BITS		6

/* Address spaces: one index each, numbers may coincide between them. */
enum kml_space_id {
	KML_VIRT,
	KML_PHYS,
	KML_PERCPU,
	KML_NR_SPACES,
};

/*
 * What only reports and checksums touch. Read and written under the lock of
 * the leaf in which the object starts, hence freed without a grace period.
 * @stamp orders objects born in the same jiffy, see object.c. @pid keeps the
 * allocating task in its low KML_PID_BITS and, above, the number of scans in
 * a row that found the object unreferenced.
 */
struct kml_cold {
	unsigned long born;
	u32 stamp;
	u32 checksum;
	depot_stack_handle_t trace;
	u32 pid;
	char comm[TASK_COMM_LEN];
#ifdef KML_POINTER_TAGS
	u8 tag;
#endif
};

#define KML_PID_BITS		22
#define KML_PID_MASK		((1U << KML_PID_BITS) - 1)
#define KML_UNREF_MAX		((1U << (32 - KML_PID_BITS)) - 1)

/* A range inside an object to which scanning is limited. */
struct kml_area {
	struct kml_area *next;
	unsigned long not_start;	/* inverted, untagged */
	size_t size;
};

/*
 * Rare attributes: cold metadata grows into this when the first is set
 * (KML_F_EXT). @areas is pushed to under the leaf lock and walked by whoever
 * holds a pin on the object; it is freed after the pins are gone. The rest is
 * read and written under the leaf lock.
 */
struct kml_ext {
	struct kml_cold cold;		/* must be first */
	unsigned long not_excess;	/* inverted: who gets our surplus references */
	size_t size;			/* if KML_F_BIG */
	struct kml_area *areas;
};

/*
 * What marking touches. @state packs the offset in the page, the count of
 * references, the count wanted and the flags (color.h); all changes are
 * atomic. @size is the object's size, unless KML_F_BIG. @cold points to a
 * struct kml_ext with KML_F_EXT.
 */
struct kml_hot {
	atomic_t state;
	u32 size;
	struct kml_cold *cold;
};

/*
 * The objects which start in one page: slot i holds the one which starts in
 * [i * grain, (i + 1) * grain). @cls selects the grain, never changes, and
 * fixes how much follows: the bitmap of used slots and then the slots.
 */
struct kml_desc {
	struct rcu_head rcu;
	u16 nr;				/* used slots */
	u8 cls;
	bool early;			/* from the static pool */
	unsigned long bits[];
};

/*
 * One page. @cls is the class of @desc or of one before it: with it whoever
 * fetches ahead knows where an entry will be without waiting for the descriptor.
 * @doubt is the number of the last scan whose confirmation had to look here.
 * @cont is the inverted start of an object that reaches in from before the page
 * (0: none; inverted because physical memory starts at 0).
 */
struct kml_leaf {
	raw_spinlock_t lock;
	u8 cls;
	bool excess;			/* objects here passed references on */
	u16 doubt;
	struct kml_desc __rcu *desc;
	unsigned long cont;
};

/* The leaves of 512 KiB: what one slab of order zero holds. */
struct kml_group {
	struct rcu_head rcu;
	struct kml_leaf leaf[KML_LEAVES];
};

/* One 2 MiB interval of an address space, owned by the CPU that touched it first. */
struct kml_interval {
	unsigned long *settled;		/* a bit per 64 bytes, see settled.c */
	struct kml_group *group[KML_GROUPS];
	unsigned long cover;		/* like leaf->cont, for the whole interval */
	unsigned long nr;		/* address / KML_INTERVAL_SIZE */
	bool fresh;			/* has objects with KML_F_NEW */
	bool doubtful;			/* with KML_F_SUSPECT or KML_F_LATE */
	bool excess;			/* that have ever passed references on */
	bool vacated;			/* pages may have become empty: "Vacate" */
	bool trim;			/* the trimmer's: they have been for a while */
	struct kml_shard *shard;
	struct list_head link;		/* shard->intervals[space] */
	struct rcu_head rcu;
};

/*
 * A CPU's intervals: its share of scan work. Workers take one after the other:
 * @taken is the last one taken, or the head of the list of @space.
 */
struct kml_shard {
	raw_spinlock_t lock;		/* of the lists and what follows */
	unsigned long nr;
	struct list_head intervals[KML_NR_SPACES];
	struct list_head *taken;
	unsigned int space;
	int cpu;			/* -1: the boot shard */
};

struct kml_l3 {
	struct kml_interval *iv[1U << KML_L3_BITS];
};

/* @key is the rest of the address: regions far apart may share an l1 slot. */
struct kml_l2 {
	unsigned long key;
	struct kml_l2 *next;
	struct kml_l3 *l3[1U << KML_L2_BITS];
};

/*
 * One address space. Every object ever filed lies in its window. The limits
 * only move outwards, so a reader who gets one old and one new is fine. They
 * are kept inverted: as they are they would be references to the lowest and
 * the highest object, from data that is scanned.
 */
struct kml_space {
	raw_spinlock_t lock;
	enum kml_space_id id;
	unsigned long not_min;
	unsigned long not_last;
	struct kml_l2 *l1[1U << KML_L1_BITS];
};

extern struct kml_space kml_spaces[KML_NR_SPACES];

static inline struct kml_space *kml_space(enum kml_space_id id)
{
	return &kml_spaces[id];
}

static inline unsigned long kml_interval_base(const struct kml_interval *iv)
{
	return iv->nr << KML_INTERVAL_SHIFT;
}

static inline unsigned long kml_window_min(const struct kml_space *space)
{
	return ~READ_ONCE(space->not_min);
}

static inline unsigned long kml_window_last(const struct kml_space *space)
{
	return ~READ_ONCE(space->not_last);
}

/* Last address of an object; what would wrap ends at the top of the space. */
static inline unsigned long kml_last(unsigned long start, size_t size)
{
	return start + min(size - 1, ULONG_MAX - start);
}

static inline unsigned long kml_untag(unsigned long addr)
{
	return (unsigned long)kasan_reset_tag((void *)addr);
}

/* === Colours ============================================================ */

/*
 * The tri-colour rules, as pure functions of a hot entry's state word:
 *
 *   bits  0-11	offset of the object in its page
 *   bits 12-14	count: references found by this scan, at most min_count
 *   bits 15-17	min_count: references wanted; KML_BLACK for "not of interest"
 *   bit  18	free
 *   bits 19-31	flags
 *
 * White: fewer references than wanted. Grey: enough (or none wanted, or born
 * since the mark began), the content is scanned. Black: neither reported nor
 * scanned.
 * Colours after Dijkstra, Lamport et al., "On-the-fly garbage collection",
 * CACM 21(11), 1978; grey here includes objects already scanned.
 */

#define KML_OFF_MASK		0x00000fffU
#define KML_COUNT_SHIFT		12
#define KML_COUNT_ONE		((u32)BIT(KML_COUNT_SHIFT))
#define KML_COUNT_MASK		(0x7U << KML_COUNT_SHIFT)
#define KML_MIN_SHIFT		15
#define KML_MIN_MASK		(0x7U << KML_MIN_SHIFT)
#define KML_MIN_MAX		0x6U	/* callers ask for 2 at most */
#define KML_BLACK		0x7U

#define KML_STATE_FREE		BIT(18)
#define KML_F_THROUGHOUT	BIT(19)	/* not referenced since a check began */
#define KML_F_LATE		BIT(20)	/* counted after the first mark: confirm.c */
#define KML_F_NEW		BIT(21)	/* born since this mark began: grey */
#define KML_F_ALLOCATED		BIT(22)
#define KML_F_FROZEN		BIT(23)	/* the entry moved: look up again */
#define KML_F_NO_SCAN		BIT(24)	/* do not read the content */
#define KML_F_FULL_SCAN		BIT(25)	/* a scan area got lost: ignore areas */
#define KML_F_REPORTED		BIT(26)
#define KML_F_SUSPECT		BIT(27)	/* white after the first mark */
#define KML_F_EXT		BIT(28)	/* cold is a struct kml_ext */
#define KML_F_BIG		BIT(29)	/* size is in the extension */
#define KML_F_UNREF		BIT(30)	/* cold counts unreferenced scans */
#define KML_F_PENDING		BIT(31)	/* grey, but the work list was full */

static inline unsigned int kml_state_count(u32 s)
{
	return (s & KML_COUNT_MASK) >> KML_COUNT_SHIFT;
}

static inline unsigned int kml_state_min(u32 s)
{
	return (s & KML_MIN_MASK) >> KML_MIN_SHIFT;
}

static inline u32 kml_state_set_min(u32 s, int min_count)
{
	u32 wanted = min_count < 0 ? KML_BLACK : min_t(u32, min_count, KML_MIN_MAX);

	return (s & ~KML_MIN_MASK) | wanted << KML_MIN_SHIFT;
}

/* min_count the way users write it: black is -1 */
static inline int kml_state_min_count(u32 s)
{
	unsigned int min = kml_state_min(s);

	return min == KML_BLACK ? -1 : (int)min;
}

static inline bool kml_black(u32 s)
{
	return kml_state_min(s) == KML_BLACK;
}

static inline bool kml_white(u32 s)
{
	return !kml_black(s) && !(s & KML_F_NEW) &&
	       kml_state_count(s) < kml_state_min(s);
}

static inline bool kml_grey(u32 s)
{
	return !kml_black(s) && !kml_white(s);
}

/* a grey object whose content has to be read */
static inline bool kml_scannable(u32 s)
{
	return (s & KML_F_ALLOCATED) && !(s & KML_F_NO_SCAN);
}

/* === On or off ========================================================== */

/*
 * Is kmemleak on? Read by every hook, so kept apart from everything else.
 */

/* One scan, one user of the debugfs file or one trimmer at a time. */
extern struct mutex kml_scan_mutex;

struct kml_state {
	bool enabled;		/* allocations are tracked */
	bool free_enabled;	/* frees still are, until a last scan has ended */
	bool pool_ready;	/* slab caches, per-CPU data and RCU can be used */
	bool scan_active;	/* settled bits and pins mean something */
};

extern struct kml_state kml_state;

static inline bool kml_enabled(void)
{
	return READ_ONCE(kml_state.enabled);
}

static inline bool kml_free_enabled(void)
{
	return READ_ONCE(kml_state.free_enabled);
}

static inline bool kml_pool_ready(void)
{
	return READ_ONCE(kml_state.pool_ready);
}

static inline bool kml_scan_active(void)
{
	return READ_ONCE(kml_state.scan_active);
}

void kml_state_disable(void);
bool kml_state_has_error(void);
void kml_state_on_disable(void (*fn)(void));

/* === Counters =========================================================== */

/*
 * Counters. Per CPU once the pool is ready; before, one CPU runs and a plain
 * array does (per-CPU data written that early would be copied to every CPU).
 */

enum kml_counter {
	KML_C_ALLOCS,		/* ever filed */
	KML_C_FREES,
	KML_C_OVERLAPS,
	KML_C_RESERVED,		/* put into the reserve for want of memory */
	KML_C_LOST,		/* not even the reserve had room */
	KML_C_REGRAINS,		/* page descriptors rebuilt */
	KML_C_PIN_WAITS,	/* frees that waited for a scan to let go */
	KML_C_META_BYTES,	/* metadata in use, early pool included */
	KML_NR_COUNTERS,
};

struct kml_counters {
	long v[KML_NR_COUNTERS];
};

DECLARE_PER_CPU(struct kml_counters, kml_counters);
extern struct kml_counters kml_early_counters;

/*
 * May be called with or without preemption. The early array is written by one
 * CPU only, with IRQs off.
 */
static inline void kml_count_add(enum kml_counter c, long n)
{
	if (likely(kml_pool_ready()))
		this_cpu_add(kml_counters.v[c], n);
	else
		kml_early_counters.v[c] += n;
}

/* Cheaper: IRQs are off. */
static inline void kml_count_irqs_off(enum kml_counter c)
{
	if (likely(kml_pool_ready()))
		this_cpu_ptr(&kml_counters)->v[c]++;
	else
		kml_early_counters.v[c]++;
}

static inline void kml_count_inc(enum kml_counter c)
{
	kml_count_add(c, 1);
}

long kml_count_sum(enum kml_counter c);
long kml_count_objects(void);
const char *kml_counter_name(enum kml_counter c);

/* What a worker has done, or all of them. */
struct kml_mark_stats {
	u64 words;			/* read through the filter */
	u64 candidates;			/* passed the filter */
	u64 settled;			/* of those, needed no look-up */
	u64 lookups;
	u64 objects;			/* whose content was read */
	u64 overflows;			/* work list full, objects left pending */
	u64 steals;			/* blocks of work that others had filled */
	u64 ns;				/* at work or waiting for some */
};

/* The phases of a scan; include/trace/events/kmemleak.h names them, too. */
enum kml_stage {
	KML_STAGE_IDLE,
	KML_STAGE_PREPARE,
	KML_STAGE_MARK,
	KML_STAGE_CHECK,
	KML_STAGE_CONFIRM,
	KML_STAGE_REPORT,
	KML_NR_STAGES,
};

/* A scan: the running one (kml_scan_mutex), or one that has ended. */
struct kml_scan_stats {
	unsigned long seq;		/* since boot, from 1 */
	unsigned long all_stopped;	/* since boot, not finished */
	bool stopped;
	u64 ns;				/* from begin to end */
	u64 stage_ns[KML_NR_STAGES];
	struct kml_mark_stats sum;
	unsigned int workers;
	unsigned long suspects;		/* after the first mark */
	unsigned int marks;		/* the first and the confirming ones */
	unsigned long in_pages;		/* referenced by untracked memory alone */
	unsigned long leaks;		/* after confirmation, new */
};

extern struct kml_scan_stats kml_scan_stats;

#endif /* _MM_KMEMLEAK_KMEMLEAK_H */
