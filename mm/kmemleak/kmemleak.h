/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kmemleak internals: limits, types, and the rules for every file.
 *
 * Interface, messages and annotations are those of mm/kmemleak.c, Copyright (C)
 * 2008 ARM Limited, written by Catalin Marinas.
 *
 * Data flow of a scan
 * -------------------
 *
 * A hook (hooks.c) makes an allocated block an object (object.c), whose metadata
 * (meta.c) is found by address in the index (index.c: address -> interval -> page
 * leaf -> page descriptor -> object).
 *
 * A scan (scan.c) makes all objects white and reads the roots (roots.c). Their words
 * pass the range filter (filter.c); candidates in settled blocks are dropped, the
 * others looked up, and the objects they point to turn grey (mark.c). Grey objects
 * are read in the same way, on several CPUs (work.c). Objects that stay white are
 * checksummed (scan.c), have a trial (trial.c) and are reported (report.c).
 * Commands and files are in control.c.
 *
 * Locks, outermost first
 * ----------------------
 *
 * kml_scan_mutex (mutex)
 *	Serialises scans, uses of the debugfs file and the trimmer. A walk of the
 *	intervals needs it, so intervals and leaf groups are freed only under it.
 *	The initiator of a scan holds it for all workers. It protects the report
 *	table and the parameters of the scan.
 * mem_hotplug_lock (percpu rwsem, of memory hotplug; read)
 *	Struct pages stay. Held for a unit of pages at a time, and tried instead of
 *	waited for: kml_mark_lock_mems().
 * kml_roots_at.lock, kml_last_lock (spin)
 *	The next roots to hand out; the statistics of the last scans.
 * leaf->lock (raw, IRQs off)
 *	The objects that start in one 4 KiB page: the pointer to the page
 *	descriptor, its bitmap, hot entries except for the atomic state, cold and
 *	extended metadata, and leaf->continued_from. Leaf locks never nest.
 * space->lock (raw, IRQs off)
 *	Publication of directory tables, intervals, leaf groups and interval
 *	covers; growth of the window. Never taken inside leaf->lock.
 * shard->lock (raw, IRQs off)
 *	The list of a shard's intervals and the position in it. Inside space->lock.
 * kml_phys_lock (raw, IRQs off)
 *	The tree of physical blocks. Inside kml_roots_at.lock.
 * pool, reserve and work-list locks (raw, IRQs off)
 *	Innermost: no lock is taken inside them.
 *
 * Under a raw lock there is no allocation, no printing and no free to the slab:
 * callers allocate first, retry if the size was wrong, and release afterwards.
 * Hooks run in any context except NMI, so they take raw locks only.
 *
 * Publication order, and the barriers that pair
 * ---------------------------------------------
 *
 * Look-up: readers walk space -> l2 -> l3 -> interval -> leaf -> page -> hot under
 *	rcu_read_lock(), without a lock. Each pointer is published with release
 *	semantics (rcu_assign_pointer() or smp_store_release()) and read with
 *	READ_ONCE() or rcu_dereference() (address dependency). Removed tables are
 *	freed after a grace period.
 * Slot: a writer fills the hot entry, stores its state with release, and then sets
 *	its bit in the bitmap. Readers test the bit, then load the state with
 *	acquire. If a slot is freed and reused while a reader looks at it, the
 *	reader may credit the reference to the new object. That is harmless:
 *	objects allocated during a scan are never reported by that scan.
 * Re-grain: the writer, with leaf->lock held, freezes each old state by an atomic OR
 *	of KML_F_FROZEN and copies the value that the OR returned. A reader that
 *	meets a frozen state repeats the look-up: the new descriptor is published
 *	before the lock is dropped. State changes are cmpxchg loops, so none is lost.
 * Free against scan: "Pins" in index.h. Workers among themselves: work.c.
 * New objects: an inserter reads kml_scan_active and publishes the entry within one
 *	RCU read-side section. A scan sets kml_scan_active and then waits for a
 *	grace period, so for every insertion either the scan sees the entry or the
 *	inserter sees the scan. In the latter case the object is flagged
 *	KML_F_NEW: it counts as grey, needs no references, and is read once at the
 *	end of the mark. This bounds a mark to the objects that existed when it
 *	began. Only intervals with @has_new are searched for new objects: the
 *	inserter publishes the entry, full barrier, sets @has_new if it is clear;
 *	kml_prepare_all() clears it, full barrier, and clears KML_F_NEW of the
 *	objects it finds there.
 * Settle: bits are cleared by kml_prepare_all() and kml_confirm_prepare() only, and
 *	set by markers. A marker need not recheck that the object is still
 *	allocated: an object that is allocated there later is KML_F_NEW.
 * Addresses: data and bss are roots, and the static pool is in bss. Addresses of
 *	tracked blocks are kept there, and in tracked memory, inverted or shifted.
 *	Otherwise kmemleak itself would reference the blocks it should report.
 * Hints: interval->recount, leaf->recount_seq, the Bloom filter, and the results that a worker
 *	gathers are plain fields, written by one job of a scan and read by the
 *	next; the end of a job orders them (work.c). @excess of intervals and
 *	leaves is set by hooks at any time and never cleared; if the confirmation
 *	misses a new one, it takes the references to that object for surplus, and
 *	a suspect is hidden until the next scan. leaf->grain_idx may be out of date,
 *	which costs a cache miss.
 * Trim hints: removing the last object of a page, or of the pages that one reaches
 *	into, sets iv->vacated in the same RCU section, if it is clear. The trimmer
 *	clears the flag, waits for a grace period, and then looks at the interval:
 *	removals that saw the old flag are complete, later ones set it again.
 * Trim: the trimmer marks each leaf of a group dead under the leaf's lock, then
 *	unpublishes the group. A writer that finds a dead leaf under the lock
 *	repeats the look-up.
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

/* 6.12: the only CPU's, in .data */
extern union thread_union cpu0_irqstack __weak;
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

/*
 * A clock for the order of allocations. A clock source may be slow and take a lock
 * (HPET); but where nothing says that sched_clock() is more than jiffies (User Mode
 * Linux), it has to be one.
 */
#if defined(CONFIG_HAVE_UNSTABLE_SCHED_CLOCK) || defined(CONFIG_GENERIC_SCHED_CLOCK)
#define kml_clock_ns()	local_clock()
#else
#define kml_clock_ns()	ktime_get_mono_fast_ns()
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
 * references, the count wanted and the flags ("Colours" below); all changes are
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
 * [i * grain, (i + 1) * grain). @grain_idx selects the grain, never changes, and
 * fixes how much follows: the bitmap of used slots and then the slots.
 */
struct kml_page {
	struct rcu_head rcu;
	u16 nr;				/* used slots */
	u8 grain_idx;
	bool early;			/* from the static pool */
	unsigned long bits[];
};

/*
 * One page. @grain_idx is the grain of @page or of one before it: with it whoever
 * fetches ahead knows where an entry will be without waiting for the descriptor.
 * @recount_seq is the number of the last scan whose confirmation had to look here.
 * @continued_from is the inverted start of an object that reaches in from before the page
 * (0: none; inverted because physical memory starts at 0).
 */
struct kml_leaf {
	raw_spinlock_t lock;
	u8 grain_idx;
	bool excess;			/* objects here passed references on */
	u16 recount_seq;
	struct kml_page __rcu *page;
	unsigned long continued_from;
};

/* The leaves of 512 KiB: what one slab of order zero holds. */
struct kml_group {
	struct rcu_head rcu;
	struct kml_leaf leaf[KML_LEAVES];
};

/* One 2 MiB interval of an address space, owned by the CPU that touched it first. */
struct kml_interval {
	unsigned long *settled;		/* a bit per 64 bytes, see mark.c */
	struct kml_group *group[KML_GROUPS];
	unsigned long filled_by;	/* like leaf->continued_from, for the whole interval */
	unsigned long nr;		/* address / KML_INTERVAL_SIZE */
	bool has_new;			/* has objects with KML_F_NEW */
	bool recount;			/* with KML_F_SUSPECT or KML_F_PROVISIONAL */
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
#define KML_F_PROVISIONAL		BIT(20)	/* counted after the first mark: trial.c */
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

/*
 * What hooks have to say. Their caller may hold a console's lock (port->lock of a
 * serial line), for which printk() would wait: the text is in the log at once, and
 * on consoles when irq_work comes to it. printk_deferred_enter() wants IRQs off.
 */
static inline unsigned long kml_print_begin(void)
{
	unsigned long flags;

	local_irq_save(flags);
	printk_deferred_enter();
	return flags;
}

static inline void kml_print_end(unsigned long flags)
{
	printk_deferred_exit();
	local_irq_restore(flags);
}

#define kml_warn_once(fmt, ...)						\
do {									\
	unsigned long __flags = kml_print_begin();			\
									\
	pr_warn_once(fmt, ##__VA_ARGS__);				\
	kml_print_end(__flags);						\
} while (0)

void kml_state_disable(void);
bool kml_state_has_error(void);
void kml_state_on_disable(void (*fn)(void));

/* === Counters =========================================================== */

/*
 * Counters. Per CPU once the pool is ready; before, one CPU runs and a plain
 * array does (per-CPU data written that early would be copied to every CPU).
 */

/* In the order of kmemleak_stats, which begins with what users act on. */
enum kml_counter {
	KML_C_RESERVED,		/* put into the reserve for want of memory */
	KML_C_LOST,		/* not even the reserve had room */
	KML_C_OVERLAPS,
	KML_C_META_BYTES,	/* metadata in use, early pool included */
	KML_NR_USER_COUNTERS,
	KML_C_ALLOCS = KML_NR_USER_COUNTERS,	/* ever filed */
	KML_C_FREES,
	KML_C_REGRAINS,		/* page descriptors rebuilt */
	KML_C_PIN_WAITS,	/* frees that waited for a scan to let go */
	KML_NR_COUNTERS,
};

/* 64 bits on all machines: 2^31 allocations take an hour. */
struct kml_counters {
	s64 v[KML_NR_COUNTERS];
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

s64 kml_count_sum(enum kml_counter c);
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

/* The stages of a scan; include/trace/events/kmemleak.h names them, too. */
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
	u64 end;			/* ktime_get_ns() */
	u64 stage_ns[KML_NR_STAGES];
	struct kml_mark_stats sum;
	unsigned int workers;
	unsigned long suspects;		/* after the first mark */
	unsigned int marks;		/* the first and the confirming ones */
	unsigned long in_pages;		/* referenced by untracked memory alone */
	unsigned long leaks;		/* after confirmation, new */
};

extern struct kml_scan_stats kml_scan_stats;

/* The running scan. Its initiator writes this, readers need no lock. */
struct kml_running {
	u64 begin;			/* ktime_get_ns(); 0: no scan runs */
	u64 stage_begin;		/* ktime_get_ns() */
	u64 expected;			/* bytes that the last complete scan read */
	enum kml_stage stage;
};

extern struct kml_running kml_running;

#endif /* _MM_KMEMLEAK_KMEMLEAK_H */
