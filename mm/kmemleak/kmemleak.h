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
 * leaf -> page descriptor -> object). The stack of the caller is saved by stack.c.
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
 *	Publication of directory tables, intervals and leaf groups;
 *	interval->filled_by; growth of the window. Never taken inside leaf->lock.
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
 * Look-up: readers go space -> l2 -> l3 -> interval -> leaf -> page -> hot under
 *	rcu_read_lock() or with IRQs off, without a lock. Both are read-side
 *	sections of RCU. Each pointer is published with release semantics
 *	(rcu_assign_pointer() or smp_store_release()) and read with READ_ONCE() or
 *	rcu_dereference() (address dependency). Removed tables are freed after a
 *	grace period.
 * Slot: a writer fills the hot entry, stores its state with release, and then sets
 *	its bit in the bitmap. Readers test the bit, then load the state with
 *	acquire. If a slot is freed and reused while a reader looks at it, the
 *	reader may credit the reference to the new object. That is harmless:
 *	objects allocated during a scan are never reported by that scan.
 * Re-grain: the writer, with leaf->lock held, freezes each old state by an atomic OR
 *	of KML_F_FROZEN and copies the value that the OR returned. A reader that
 *	meets a frozen state repeats the look-up: the new descriptor is published
 *	before the lock is dropped. State changes are cmpxchg loops, so none is lost.
 * Frees during a scan: "Pins" in index.h. Workers of one scan: work.c.
 * New objects: an inserter reads kml_scan_active and publishes the entry within one
 *	RCU read-side section. A scan sets kml_scan_active and then waits for a
 *	grace period, so for every insertion either the scan sees the entry or the
 *	inserter sees the scan. In the latter case the object is flagged
 *	KML_F_NEW: it counts as grey, needs no references, and is read once at the
 *	end of the mark. This bounds a mark to the objects that existed when it
 *	began. Only intervals with @has_new are searched for new objects: the
 *	inserter publishes the entry, issues a full barrier, and sets @has_new if it
 *	is clear; kml_prepare_all() clears @has_new, issues a full barrier, and
 *	clears KML_F_NEW of the objects that it finds there.
 * Settled bits: kml_prepare_all() and kml_confirm_prepare() clear them; workers set
 *	them. A worker need not recheck that the object is still allocated: an
 *	object that is allocated there later is KML_F_NEW.
 * Addresses: data and bss are roots, and the static pool is in bss. Addresses of
 *	tracked blocks are kept there, and in tracked memory, inverted or shifted.
 *	Otherwise kmemleak itself would reference the blocks that it should report.
 * Hints: interval->recount, leaf->recount_seq, the Bloom filter, and the results
 *	that a worker gathers are plain fields, written by one job of a scan and
 *	read by the next; the end of a job orders them (work.c). @excess of
 *	intervals and leaves is set by hooks at any time and never cleared. If the
 *	confirmation misses a new one, it takes the references to that object for
 *	surplus, and a suspect is hidden until the next scan. leaf->grain_idx may be
 *	out of date, which costs a cache miss.
 * Trim hints: removing the last object of a page, or the mark of a tail, sets
 *	iv->vacated in the same RCU section, if it is clear, and puts the interval on the
 *	list of its shard. The trimmer takes the lists, clears the
 *	flags, waits for a grace period, and then looks at the intervals: removals
 *	that saw the old flag are complete, later ones set it again. The flag is
 *	set under a lock of the interval (leaf->lock or space->lock), so an interval
 *	without leaves whose flag is clear is on no list, and may be freed.
 * Trim: the trimmer marks each leaf of a group dead under the leaf's lock, and then
 *	unpublishes the group. A writer that finds a dead leaf under the lock
 *	repeats the look-up.
 */
#ifndef _MM_KMEMLEAK_KMEMLEAK_H
#define _MM_KMEMLEAK_KMEMLEAK_H

#include "os.h"

/* === Differences between kernels ======================================== */

/*
 * Adaptations to the kernels that kmemleak is built on, 6.12 to 7.3. All other files
 * are written for the newest kernel; only this file adapts them to older ones.
 */

#if defined(CONFIG_KASAN_SW_TAGS) || defined(CONFIG_KASAN_HW_TAGS)
#define KML_POINTER_TAGS 1
#define KML_TAG_BITS	8	/* kasan_reset_tag() extends the sign of bit 55 */
#else
#define KML_TAG_BITS	0
#endif

/* 7.x: declared in linux/kmemleak.h */
void kmemleak_ignore_percpu(const void __percpu *ptr);

/* 7.x and later releases of 6.12: declared in linux/kmemleak.h */
void kmemleak_transient_leak(const void *ptr);

/* 7.x: declared in mm/page_alloc.h */
void drain_all_pages(struct zone *zone);

/*
 * Is a task running, or about to run? The acquire pairs with the release in
 * finish_task(): the caller sees everything that the task did before it was switched
 * out. Without SMP only current runs, and older kernels lack the field.
 */
#ifdef CONFIG_SMP
/* pairs with finish_task() */
#define kml_task_on_cpu(task)	(smp_load_acquire(&(task)->on_cpu) != 0)
#else
#define kml_task_on_cpu(task)	({ barrier(); (task) == current; })
#endif

/*
 * A clock for the order of allocations within a jiffy, in units of 0.5 to 4 ns. Best is
 * a counter that one instruction reads: if those of two CPUs differ, the order of their
 * allocations is arbitrary. The scheduler clock comes next: a clock source may be slow
 * and take a lock (HPET). But where sched_clock() may be no finer than jiffies, as on
 * User Mode Linux, the clock source has to be used.
 */
#if defined(CONFIG_X86_64) && !defined(CONFIG_UML)
#define kml_clock()	(rdtsc() >> 2)
#elif defined(CONFIG_HAVE_UNSTABLE_SCHED_CLOCK) || defined(CONFIG_GENERIC_SCHED_CLOCK)
#define kml_clock()	local_clock()
#else
#define kml_clock()	ktime_get_mono_fast_ns()
#endif

#ifndef secs_to_jiffies
#define secs_to_jiffies(secs)	((secs) * HZ)
#endif

#define KML_MAX_TRACE		16	/* frames of an allocation stack */
#define KML_SKIP_FRAMES		1	/* kml_stack_save() itself */
#define KML_MIN_AGE_MSECS	5000	/* younger objects are not reported */
#define KML_FIRST_SCAN_SECS	60	/* automatic scanning: first scan */
#define KML_SCAN_WAIT_SECS	600	/* automatic scanning: period */

/* Bytes that are read with IRQs off before IRQs are enabled again. */
#define KML_CHUNK		4096

#define KML_PAGE_SHIFT		12	/* index granule, whatever PAGE_SIZE is */
#define KML_PAGE_SIZE		BIT(KML_PAGE_SHIFT)
#define KML_PAGE_MASK		(~(KML_PAGE_SIZE - 1))
#define KML_GROUP_SHIFT		19	/* one group of leaves covers 512 KiB */
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

/* Address spaces. Each has an index, since their addresses may coincide. */
enum kml_space_id {
	KML_VIRT,
	KML_PHYS,
	KML_PERCPU,
	KML_NR_SPACES,
};

/*
 * Cold metadata of an object: the fields that marking does not touch. They are read
 * and written under the lock of the leaf in which the object starts, so they are
 * freed without a grace period. @born is in jiffies; @stamp orders objects of the
 * same jiffy, see object.c. @pid holds the allocating task in its low KML_PID_BITS
 * and, above them, the number of scans in a row that found the object unreferenced.
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

/* A scan area: of an object with areas, only these are scanned. */
struct kml_area {
	struct kml_area *next;
	unsigned long not_start;	/* inverted, untagged */
	size_t size;			/* in bytes */
};

/*
 * The extension of an object, for rare attributes. It replaces the cold metadata
 * when the first attribute is set (KML_F_EXT). Areas are added under leaf->lock,
 * read by workers that hold a pin on the object, and freed when all pins are
 * released. The other fields are read and written under leaf->lock.
 */
struct kml_ext {
	struct kml_cold cold;		/* must be first */
	unsigned long not_excess;	/* inverted start of the excess_ref target */
	size_t size;			/* in bytes; valid if KML_F_BIG */
	struct kml_area *areas;
};

/*
 * The hot entry of an object: the fields that marking touches. @state packs the
 * offset in the page, the number of references found, the number wanted, and the
 * flags ("Colours" below); all changes are atomic. @size is the object's size in
 * bytes, unless KML_F_BIG is set. With KML_F_EXT, @cold is part of a struct
 * kml_ext.
 */
struct kml_hot {
	atomic_t state;
	u32 size;
	struct kml_cold *cold;
};

/*
 * A page descriptor: the objects that start in one page. Slot i holds the object
 * that starts in [i * grain, (i + 1) * grain). @grain_idx selects the grain; it, @head
 * and @recip never change. The bitmap of used slots and the slots follow; the grain
 * gives their size.
 */
struct kml_page {
	struct rcu_head rcu;
	u16 nr;				/* used slots */
	u8 grain_idx;
	u8 head;			/* longs before the first slot */
	u32 recip;			/* of the grain, see kml_grains[] */
	unsigned long bits[];
};

/*
 * The leaf of one page. @grain_idx is the grain of @page or of an earlier
 * descriptor: a prefetch computes from it where a hot entry is, and does not read
 * the descriptor. @recount_seq is the number of the last scan whose confirming marks
 * had to visit this page. @continued_from is the inverted start of an object that
 * starts before the page and reaches into it; 0: there is none.
 */
struct kml_leaf {
	raw_spinlock_t lock;
	u8 grain_idx;
	bool excess;			/* an object had an excess_ref target */
	u16 recount_seq;
	struct kml_page __rcu *page;
	unsigned long continued_from;
};

/* The leaves of 512 KiB: as many as fit in one slab of order 0. */
struct kml_group {
	struct rcu_head rcu;
	struct kml_leaf leaf[KML_LEAVES];
};

/* An interval: 2 MiB of an address space. The CPU that creates it owns it. */
struct kml_interval {
	unsigned long *settled;		/* one bit per 64 bytes, see mark.c */
	struct kml_group *group[KML_GROUPS];
	unsigned long filled_by;	/* inverted start of object that fills it */
	unsigned long nr;		/* address / KML_INTERVAL_SIZE */
	bool has_new;			/* an object has KML_F_NEW */
	bool recount;			/* the confirming marks have to visit it */
	bool excess;			/* an object had an excess_ref target */
	u32 vacated;			/* pages may be empty: "Trim hints" */
	struct kml_space *space;
	struct kml_shard *shard;
	struct list_head link;		/* shard->intervals[space->id] */
	struct llist_node vacated_link;	/* shard->vacated */
	union {
		struct kml_interval *trim_next;	/* the trimmer's list */
		struct rcu_head rcu;
	};
};

/*
 * A shard: the intervals that one CPU owns. Workers take intervals from it in the
 * order of the lists. @taken is the last interval taken, or the head of the list of
 * @space.
 */
struct kml_shard {
	raw_spinlock_t lock;		/* protects @nr to @space */
	unsigned long nr;		/* intervals */
	struct list_head intervals[KML_NR_SPACES];
	struct list_head *taken;
	unsigned int space;
	int cpu;			/* -1: the boot shard */
	struct llist_head vacated;	/* intervals for the trimmer */
};

/* The tables of the directory: l1 in struct kml_space -> l2 -> l3 -> interval. */
struct kml_l3 {
	struct kml_interval *iv[1U << KML_L3_BITS];
};

/* @key is the rest of the address: distant regions may share a slot of @l1. */
struct kml_l2 {
	unsigned long key;
	struct kml_l2 *next;
	struct kml_l3 *l3[1U << KML_L2_BITS];
};

/*
 * An address space. Every object that was ever inserted lies in its window. The
 * limits only move outwards, so a reader may see one old and one new limit. They
 * are kept inverted, for this data is scanned: otherwise they would be references
 * to the lowest and the highest object.
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

/* The last address of an object, limited to the top of the space. @size is not 0. */
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
 * The tri-colour rules, as pure functions of the state word of a hot entry:
 *
 *   bits  0-11	offset of the object in its page
 *   bits 12-14	count: references that this scan has found, up to min_count
 *   bits 15-17	min_count: references wanted; KML_BLACK: the object is black
 *   bit  18	unused
 *   bits 19-31	flags
 *
 * White: fewer references were found than are wanted. Grey: enough were found, or
 * none is wanted, or the object is new; its content is scanned. Black: the object
 * is neither reported nor scanned.
 *
 * The colours are those of Dijkstra, Lamport et al., "On-the-fly garbage
 * collection", CACM 21(11), 1978, except that an object stays grey after it was
 * scanned.
 */

#define KML_OFF_MASK		0x00000fffU
#define KML_COUNT_SHIFT		12
#define KML_COUNT_ONE		((u32)BIT(KML_COUNT_SHIFT))
#define KML_COUNT_MASK		(0x7U << KML_COUNT_SHIFT)
#define KML_MIN_SHIFT		15
#define KML_MIN_MASK		(0x7U << KML_MIN_SHIFT)
#define KML_MIN_MAX		0x6U	/* hooks pass no more than 2 */
#define KML_BLACK		0x7U

#define KML_STATE_FREE		BIT(18)
#define KML_F_THROUGHOUT	BIT(19)	/* white in every scan of a check so far */
#define KML_F_PROVISIONAL		BIT(20)	/* counted after mark 1: trial.c */
#define KML_F_NEW		BIT(21)	/* inserted during this scan: grey */
#define KML_F_ALLOCATED		BIT(22)
#define KML_F_FROZEN		BIT(23)	/* the entry moved: look up again */
#define KML_F_NO_SCAN		BIT(24)	/* do not read the content */
#define KML_F_FULL_SCAN		BIT(25)	/* no memory for an area: ignore areas */
#define KML_F_REPORTED		BIT(26)
#define KML_F_SUSPECT		BIT(27)	/* white after the first mark */
#define KML_F_EXT		BIT(28)	/* @cold is part of a struct kml_ext */
#define KML_F_BIG		BIT(29)	/* the size is in the extension */
#define KML_F_UNREF		BIT(30)	/* @pid counts unreferenced scans */
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

/* min_count as hooks pass it and reports print it: -1 for black */
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

/* Has a grey object content that has to be read? */
static inline bool kml_scannable(u32 s)
{
	return (s & KML_F_ALLOCATED) && !(s & KML_F_NO_SCAN);
}

/* === On or off ========================================================== */

/*
 * The global on/off state. Every hook reads it, so it shares no cache line with data
 * that is written often.
 */

/* Serialises scans, uses of the debugfs file, and the trimmer. */
extern struct mutex kml_scan_mutex;

struct kml_state {
	bool enabled;		/* allocations are tracked */
	bool free_enabled;	/* frees are tracked until the last scan has ended */
	bool pool_ready;	/* slab caches, per-CPU data and RCU can be used */
	bool scan_active;	/* settled bits and pins are valid */
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
 * Counters are per CPU once the pool is ready. Before that a plain array is used:
 * only one CPU runs, and per-CPU data written that early would be copied to every
 * CPU.
 */

/* In the order of kmemleak_stats, which begins with what users act on. */
enum kml_counter {
	KML_C_RESERVED,		/* blocks put into the reserve: no metadata memory */
	KML_C_LOST,		/* blocks for which the reserve had no room */
	KML_C_OVERLAPS,		/* blocks in the place of another */
	KML_C_META_BYTES,	/* metadata in use, static pool included */
	KML_NR_USER_COUNTERS,
	KML_C_ALLOCS = KML_NR_USER_COUNTERS,	/* objects and physical blocks inserted */
	KML_C_FREES,		/* objects and physical blocks removed */
	KML_C_REGRAINS,		/* page descriptors replaced by finer ones */
	KML_C_PIN_WAITS,	/* frees that waited until a worker released a pin */
	KML_C_STACK_FALLBACKS,	/* stacks that the fast walk left to the unwinder */
#ifdef CONFIG_DEBUG_KMEMLEAK_STACK_CHECK
	KML_C_STACK_CHECKS,	/* stacks that the fast walk and the unwinder saved */
	KML_C_STACK_MISMATCHES,	/* of these, stacks that differed */
#endif
	KML_NR_COUNTERS,
};

/* 64 bits on all machines: 2^31 allocations take an hour. */
struct kml_counters {
	s64 v[KML_NR_COUNTERS];
};

DECLARE_PER_CPU(struct kml_counters, kml_counters);
extern struct kml_counters kml_early_counters;

/*
 * Add to a counter. Context: any. The early array needs no protection: it is written
 * by one CPU, with IRQs off.
 */
static inline void kml_count_add(enum kml_counter c, long n)
{
	if (likely(kml_pool_ready()))
		this_cpu_add(kml_counters.v[c], n);
	else
		kml_early_counters.v[c] += n;
}

/* Add 1 to a counter, without an atomic instruction. Context: IRQs off. */
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

/* The work of one worker in a scan, or the sum over all workers. */
struct kml_mark_stats {
	u64 words;			/* words that the filter has read */
	u64 candidates;			/* words that passed the filter */
	u64 settled;			/* candidates that needed no look-up */
	u64 lookups;			/* candidates looked up */
	u64 objects;			/* objects whose content was read */
	u64 overflows;			/* objects left pending: work list full */
	u64 steals;			/* blocks taken from the shared list */
	u64 ns;				/* in jobs, waits for work included */
	u64 slept_ns;			/* of these, to keep to the budget */
};

/* The stages of a scan. include/trace/events/kmemleak.h has their names, too. */
enum kml_stage {
	KML_STAGE_IDLE,
	KML_STAGE_PREPARE,
	KML_STAGE_MARK,
	KML_STAGE_CHECK,
	KML_STAGE_CONFIRM,
	KML_STAGE_REPORT,
	KML_NR_STAGES,
};

/*
 * Statistics of a scan that has ended, or of the running one. Those of the running
 * scan are protected by kml_scan_mutex.
 */
struct kml_scan_stats {
	unsigned long seq;		/* number of the scan since boot, from 1 */
	unsigned long all_stopped;	/* scans since boot that were stopped */
	bool stopped;			/* this scan was stopped */
	u64 ns;				/* duration */
	u64 end;			/* ktime_get_ns() */
	u64 stage_ns[KML_NR_STAGES];	/* duration of each stage */
	struct kml_mark_stats sum;	/* of all workers */
	unsigned int workers;
	unsigned long suspects;		/* after the first mark */
	unsigned int marks;		/* the first and the confirming marks */
	unsigned long in_pages;		/* referenced by untracked memory only */
	unsigned long leaks;		/* new leaks after confirmation */
};

extern struct kml_scan_stats kml_scan_stats;

/* Progress of the running scan. The initiator writes it; readers need no lock. */
struct kml_running {
	u64 begin;			/* ktime_get_ns(); 0: no scan runs */
	u64 stage_begin;		/* ktime_get_ns() */
	u64 expected;			/* bytes; the last complete scan read them */
	enum kml_stage stage;
};

extern struct kml_running kml_running;

#endif /* _MM_KMEMLEAK_KMEMLEAK_H */
