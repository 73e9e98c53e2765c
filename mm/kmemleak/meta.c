// SPDX-License-Identifier: GPL-2.0-only
/*
 * Data that the other files share, and the memory for metadata.
 *
 * Sections: the global on/off state; address spaces; counters; the grains of page
 * descriptors; memory, from slab caches or a static pool; pins, the side of a free;
 * the reserve, which lists blocks that got no metadata.
 */

#include "os.h"
#include "index.h"

#define CREATE_TRACE_POINTS
#include <trace/events/kmemleak.h>

/* === On or off ========================================================== */

/*
 * Global on/off state. kmemleak can be disabled once, from any context, and cannot
 * be re-enabled.
 */

/* See "Locks" in kmemleak.h. */
DEFINE_MUTEX(kml_scan_mutex);

struct kml_state kml_state __read_mostly = {
	.enabled	= true,
	.free_enabled	= true,
};

static int kml_error;
static void (*kml_cleanup)(void);

/**
 * kml_state_disable() - disable kmemleak until reboot
 *
 * Allocations are not tracked from now on. Frees are tracked until the cleanup that
 * kml_state_on_disable() has registered knows that no scan runs. All calls but the
 * first have no effect.
 *
 * Context: any but NMI; does not sleep.
 */
void kml_state_disable(void)
{
	void (*cleanup)(void);
	unsigned long flags;

	if (cmpxchg(&kml_error, 0, 1))
		return;

	WRITE_ONCE(kml_state.enabled, false);

	/* pairs with the barrier in kml_state_on_disable() */
	smp_mb();
	cleanup = READ_ONCE(kml_cleanup);
	if (cleanup)
		cleanup();
	else
		WRITE_ONCE(kml_state.free_enabled, false);

	flags = kml_print_begin();
	pr_info("Kernel memory leak detector disabled\n");
	kml_print_end(flags);
}

/**
 * kml_state_on_disable() - register the cleanup for kml_state_disable()
 * @fn: called once or never, in any context: it should only schedule work
 *
 * If kmemleak is disabled already, @fn may not be called. Then the caller has to
 * clean up, so it has to check kml_state_has_error() after this call.
 *
 * Context: process, once.
 */
void kml_state_on_disable(void (*fn)(void))
{
	WRITE_ONCE(kml_cleanup, fn);
	/* pairs with the barrier in kml_state_disable() */
	smp_mb();
}

/* Was kmemleak disabled? Context: any. */
bool kml_state_has_error(void)
{
	return READ_ONCE(kml_error);
}

/* === Address spaces ===================================================== */

struct kml_space kml_spaces[KML_NR_SPACES] = {
	[KML_VIRT] = {
		.lock = __RAW_SPIN_LOCK_UNLOCKED(kml_spaces[KML_VIRT].lock),
		.id = KML_VIRT,
		.not_last = ~0UL,
	},
	[KML_PHYS] = {
		.lock = __RAW_SPIN_LOCK_UNLOCKED(kml_spaces[KML_PHYS].lock),
		.id = KML_PHYS,
		.not_last = ~0UL,
	},
	[KML_PERCPU] = {
		.lock = __RAW_SPIN_LOCK_UNLOCKED(kml_spaces[KML_PERCPU].lock),
		.id = KML_PERCPU,
		.not_last = ~0UL,
	},
};

/* === Counters =========================================================== */

DEFINE_PER_CPU(struct kml_counters, kml_counters);
struct kml_counters kml_early_counters;

static const char * const kml_counter_names[] = {
	[KML_C_ALLOCS]		= "allocs",
	[KML_C_FREES]		= "frees",
	[KML_C_OVERLAPS]	= "overlaps",
	[KML_C_RESERVED]	= "reserved",
	[KML_C_LOST]		= "lost",
	[KML_C_REGRAINS]	= "regrains",
	[KML_C_PIN_WAITS]	= "pin_waits",
	[KML_C_STACK_FALLBACKS]	= "stack_fallbacks",
#ifdef CONFIG_DEBUG_KMEMLEAK_STACK_CHECK
	[KML_C_STACK_CHECKS]	= "stack_checks",
	[KML_C_STACK_MISMATCHES] = "stack_mismatches",
#endif
	[KML_C_META_BYTES]	= "metadata_bytes",
};

static_assert(ARRAY_SIZE(kml_counter_names) == KML_NR_COUNTERS);

/* The name of a counter in the statistics file. Context: any. */
const char *kml_counter_name(enum kml_counter c)
{
	return kml_counter_names[c];
}

/*
 * A counter of another CPU, which writes it at any time. On 32 bits that takes two
 * stores, so the value is read until it is the same twice.
 */
static s64 kml_count_of_cpu(enum kml_counter c, int cpu)
{
	s64 seen, again = 0;

	do {
		seen = again;
		barrier();
		/* each CPU writes its own, at any time */
		again = data_race(per_cpu(kml_counters.v[c], cpu));
	} while (BITS_PER_LONG == 32 && seen != again);
	return again;
}

/**
 * kml_count_sum() - sum up a counter over all CPUs
 * @c: counter
 *
 * Context: any.
 * Return: the sum. It is no snapshot: CPUs may count while it is computed.
 */
s64 kml_count_sum(enum kml_counter c)
{
	s64 sum = kml_early_counters.v[c];
	int cpu;

	if (!kml_pool_ready())
		return sum;

	for_each_possible_cpu(cpu)
		sum += kml_count_of_cpu(c, cpu);
	return sum;
}

/* The number of objects and physical blocks, about. Context: any. */
long kml_count_objects(void)
{
	return kml_count_sum(KML_C_ALLOCS) - kml_count_sum(KML_C_FREES);
}

/* Written by scan.c; defined here for files of lower levels. */
struct kml_running kml_running;
struct kml_scan_stats kml_scan_stats;

/* === Grains ============================================================= */

const struct kml_grain kml_grains[KML_NR_GRAINS] = {
	{ 1,	4096,	16777216 },
	{ 2,	2048,	8388608 },
	{ 4,	1024,	4194304 },
	{ 8,	512,	2097152 },
	{ 16,	256,	1048576 },
	{ 32,	128,	524288 },
	{ 64,	64,	262144 },
	{ 96,	43,	174763 },
	{ 128,	32,	131072 },
	{ 192,	22,	87382 },
	{ 256,	16,	65536 },
	{ 512,	8,	32768 },
	{ 1024,	4,	16384 },
	{ 2048,	2,	8192 },
	{ 4096,	1,	4096 },
};

/**
 * kml_page_size() - get the size of a page descriptor
 * @grain_idx: index of its grain
 *
 * Context: any.
 * Return: size in bytes, bitmap and slots included.
 */
size_t kml_page_size(unsigned int grain_idx)
{
	return kml_page_head(grain_idx) + kml_page_slots(grain_idx) * sizeof(struct kml_hot);
}

/* === Memory ============================================================= */

/*
 * After kml_pool_init(), metadata comes from slab caches of kmemleak's own. They
 * have SLAB_NOLEAKTRACE, so hooks do not recurse. Cold metadata, which every object
 * needs, has a small per-CPU magazine in front of its cache: an allocation that
 * follows a free touches no slab.
 *
 * Before kml_pool_init(), and when the slab has no memory, a static pool is used.
 * It has a bump pointer, and a free list for each type. Its size is chosen for
 * CONFIG_DEBUG_KMEMLEAK_MEM_POOL_SIZE objects.
 */

char kml_early_pool[KML_EARLY_BYTES] __aligned(sizeof(u64));

struct kml_free_item {
	struct kml_free_item *next;
};

static DEFINE_RAW_SPINLOCK(kml_early_lock);
static size_t kml_early_used;
static struct kml_free_item *kml_early_free[KML_NR_POOLS];
static size_t kml_early_free_bytes;

static struct kmem_cache *kml_caches[KML_NR_POOLS] __ro_after_init;

static const struct {
	const char *name;
	size_t size;
} kml_pools[] = {
	[KML_POOL_COLD]		= { "kmemleak_object", sizeof(struct kml_cold) },
	[KML_POOL_EXT]		= { "kmemleak_ext", sizeof(struct kml_ext) },
	[KML_POOL_AREA]		= { "kmemleak_scan_area", sizeof(struct kml_area) },
	[KML_POOL_RESERVE]	= { "kmemleak_reserve", KML_PAGE_SIZE },
	[KML_POOL_INTERVAL]	= { "kmemleak_interval", sizeof(struct kml_interval) },
	[KML_POOL_GROUP]	= { "kmemleak_leaves", sizeof(struct kml_group) },
	[KML_POOL_SETTLED]	= { "kmemleak_settled", KML_INTERVAL_SIZE / 64 / 8 },
	[KML_POOL_L3]		= { "kmemleak_l3", sizeof(struct kml_l3) },
	[KML_POOL_L2]		= { "kmemleak_l2", sizeof(struct kml_l2) },
	[KML_POOL_WORK]		= { "kmemleak_work", KML_PAGE_SIZE },
	[KML_POOL_WORKER]	= { "kmemleak_worker", KML_WORKER_BYTES },
	[KML_POOL_BLOOM]	= { "kmemleak_bloom", KML_BLOOM_BYTES },
	[KML_POOL_PHYS]		= { "kmemleak_phys", sizeof(struct kml_phys) },
};

static_assert(ARRAY_SIZE(kml_pools) == KML_POOL_PAGE);

static size_t kml_pool_size(enum kml_pool_type type)
{
	if (type < KML_POOL_PAGE)
		return kml_pools[type].size;
	return kml_page_size(type - KML_POOL_PAGE);
}

static size_t kml_early_room(void)
{
	return KML_EARLY_BYTES - kml_early_used;
}

/*
 * Does the static pool serve this type? It is in bss, which is scanned, so it must
 * not hold plain addresses of objects, nor words that look like addresses.
 */
static bool kml_early_serves(enum kml_pool_type type)
{
	return type != KML_POOL_WORK && type != KML_POOL_WORKER &&
	       type != KML_POOL_BLOOM;
}

static void *kml_early_alloc(enum kml_pool_type type)
{
	size_t size = ALIGN(kml_pool_size(type), sizeof(u64));
	struct kml_free_item *item;
	unsigned long flags;

	raw_spin_lock_irqsave(&kml_early_lock, flags);
	item = kml_early_free[type];
	if (item) {
		kml_early_free[type] = item->next;
		kml_early_free_bytes -= size;
	} else if (kml_early_room() >= size) {
		item = (void *)kml_early_pool + kml_early_used;
		kml_early_used += size;
	}
	raw_spin_unlock_irqrestore(&kml_early_lock, flags);

	if (item)
		memset(item, 0, size);
	else
		kml_warn_once("Memory pool empty, consider increasing CONFIG_DEBUG_KMEMLEAK_MEM_POOL_SIZE\n");
	return item;
}

static void kml_early_put(enum kml_pool_type type, void *p)
{
	struct kml_free_item *item = p;
	unsigned long flags;

	raw_spin_lock_irqsave(&kml_early_lock, flags);
	item->next = kml_early_free[type];
	kml_early_free[type] = item;
	kml_early_free_bytes += ALIGN(kml_pool_size(type), sizeof(u64));
	raw_spin_unlock_irqrestore(&kml_early_lock, flags);
}

/**
 * kml_pool_alloc() - allocate zeroed memory for metadata
 * @type: type of the metadata, which has a fixed size
 * @gfp: flags of the tracked allocation; reduced to those that may nest in it, and
 *	failures print no warning
 *
 * Context: any but NMI in which @gfp may be used; no raw lock is held.
 * Return: the memory, or NULL.
 */
void *kml_pool_alloc(enum kml_pool_type type, gfp_t gfp)
{
	void *p = NULL;

	if (unlikely(kml_pool_should_fail(type)))
		return NULL;

	if (likely(kml_pool_ready()))
		p = kmem_cache_alloc_noprof(kml_caches[type],
					    gfp_nested_mask(gfp) | __GFP_ZERO);
	if (unlikely(!p) && kml_early_serves(type))
		p = kml_early_alloc(type);
	if (p)
		kml_count_add(KML_C_META_BYTES, kml_pool_size(type));
	return p;
}

/* Memory whose free was deferred, see kml_pool_free_later(). */
struct kml_dead {
	struct rcu_head rcu;
	enum kml_pool_type type;
};

/* the smallest types that hooks free have room for it */
static_assert(sizeof(struct kml_dead) <= sizeof(struct kml_cold));
static_assert(sizeof(struct kml_dead) <= sizeof(struct kml_area));

static void kml_dead_free(struct rcu_head *rcu)
{
	struct kml_dead *dead = container_of(rcu, struct kml_dead, rcu);

	kmem_cache_free(kml_caches[dead->type], dead);
}

/*
 * On PREEMPT_RT the locks of the slab sleep, so only preemptible code may take
 * them. But bio_put() calls kmemleak_free() with preemption disabled: then RCU
 * frees the memory later. Return: true if the free was deferred.
 */
static bool kml_pool_free_later(enum kml_pool_type type, void *p)
{
	struct kml_dead *dead = p;

	if (!IS_ENABLED(CONFIG_PREEMPT_RT) || preemptible())
		return false;
	dead->type = type;
	call_rcu(&dead->rcu, kml_dead_free);
	return true;
}

/**
 * kml_pool_free() - free memory of metadata
 * @type: type with which it was allocated
 * @p: the memory, to which no reader has a pointer, or NULL
 *
 * Context: any but NMI; no raw lock is held.
 */
void kml_pool_free(enum kml_pool_type type, void *p)
{
	if (!p)
		return;
	kml_count_add(KML_C_META_BYTES, -(long)kml_pool_size(type));
	if (unlikely(kml_is_early(p)))
		kml_early_put(type, p);
	else if (!kml_pool_free_later(type, p))
		kmem_cache_free(kml_caches[type], p);
}

/**
 * kml_pool_free_bulk() - free several pieces of metadata of one type
 * @type: type with which they were allocated
 * @nr: number of pieces
 * @p: the pieces: not from the static pool, and no reader has a pointer to them
 *
 * Context: process; no raw lock is held.
 */
void kml_pool_free_bulk(enum kml_pool_type type, unsigned int nr, void **p)
{
	if (!nr)
		return;
	kml_count_add(KML_C_META_BYTES, -(long)kml_pool_size(type) * (long)nr);
	kmem_cache_free_bulk(kml_caches[type], nr, p);
}

/* The number of objects for which the static pool has room, about. Context: any. */
int kml_pool_early_left(void)
{
	return (kml_early_room() + kml_early_free_bytes) / KML_EARLY_OBJECT;
}

DEFINE_PER_CPU(struct kml_magazine, kml_magazine);

/**
 * kml_pool_init() - create the slab caches for metadata, and use them from now on
 *
 * Context: once, from kmemleak_init(): the slab, per-CPU data and call_rcu() can be
 * used, and only one CPU runs.
 */
void __init kml_pool_init(void)
{
	unsigned int i;

	for (i = 0; i < KML_NR_POOLS; i++) {
		char name[24];

		if (i >= KML_POOL_PAGE)
			snprintf(name, sizeof(name), "kmemleak_page_%u",
				 kml_page_grain(i - KML_POOL_PAGE));
		/* SLAB_PANIC: an allocation this small does not fail this early */
		kml_caches[i] = kmem_cache_create(i < KML_POOL_PAGE ?
						  kml_pools[i].name :
						  name,
						  kml_pool_size(i), 0,
						  SLAB_NOLEAKTRACE | SLAB_PANIC,
						  NULL);
	}
	WRITE_ONCE(kml_state.pool_ready, true);
}

/* === Pins =============================================================== */

/*
 * The side of a free. The protocol and the side of the reader are in index.h.
 */

/* The pins of all workers; never removed. A free reads one line per worker. */
static struct kml_pins *kml_readers[NR_CPUS + 1];
static unsigned int kml_nr_readers;
static DEFINE_RAW_SPINLOCK(kml_readers_lock);

/**
 * kml_pins_attach() - register the pins of a worker
 * @pins: the pins; their memory must not be freed afterwards
 *
 * A scan waits for a grace period after this, so a free that sees the scan sees the
 * worker: kml_scan_open().
 *
 * Context: process or boot, before the first scan of the worker.
 * Return: false if there are more than NR_CPUS + 1 workers, which is a bug.
 */
bool kml_pins_attach(struct kml_pins *pins)
{
	unsigned long flags;
	bool room;

	raw_spin_lock_irqsave(&kml_readers_lock, flags);
	room = kml_nr_readers < ARRAY_SIZE(kml_readers);
	if (room) {
		kml_readers[kml_nr_readers] = pins;
		/* pairs with the acquire in __kml_pin_wait() */
		smp_store_release(&kml_nr_readers, kml_nr_readers + 1);
	}
	raw_spin_unlock_irqrestore(&kml_readers_lock, flags);
	return !WARN_ON_ONCE(!room);
}

static bool kml_pinned(const struct kml_pins *pins, unsigned long start)
{
	unsigned long hit = 0;
	unsigned int i;

	/* without branches the CPU can fetch the lines of several workers at once */
	for (i = 0; i < KML_PINS; i++)
		/* pairs with the release in kml_unpin() */
		hit |= smp_load_acquire(&pins->start[i]) == ~start;
	return hit;
}

/* The slow path of kml_pin_wait(), while a scan is active. Context: any but NMI. */
void __kml_pin_wait(unsigned long start)
{
	bool waited = false;
	unsigned int nr, i;

	/* pairs with the release in kml_pins_attach() */
	nr = smp_load_acquire(&kml_nr_readers);
	for (i = 0; i < nr; i++) {
		while (unlikely(kml_pinned(kml_readers[i], start))) {
			/* panic() has stopped the CPU of the reader: it never lets go */
			if (atomic_read(&panic_cpu) != PANIC_CPU_INVALID)
				return;
			waited = true;
			cpu_relax();
		}
	}

	if (waited)
		kml_count_inc(KML_C_PIN_WAITS);
}

/* === Pages of lost blocks =============================================== */

/*
 * A block is lost if there is memory for neither its metadata nor an entry of the
 * reserve. Its references are unknown, so the pages that it lies in are roots until
 * they are free.
 *
 * A map has a bit for each page frame number modulo its size. Pages that share a bit
 * are roots together, which may hide leaks, but reports no live object. There are two
 * maps, to find the pages that were freed:
 *
 *	kml_lost_begin()	swaps the maps, if the previous one is empty, and waits
 *				for a grace period: hooks then use the current map only
 *	kml_lost_has()		is the bit of a page set in one of the maps?
 *	kml_lost_keep()		the page is in use: set its bit in the current map
 *	kml_lost_end()		clears the previous map, after all pages were seen
 *
 * If a page is free when it is seen, and a block in it is lost afterwards, the hook
 * sets its bit in the current map, due to the grace period. A mark that is stopped does
 * not call kml_lost_end(), so the next one reads the same previous map.
 *
 * The first maps are small and static, for blocks that are lost during boot.
 */
#define KML_LOST_BITS	BIT(16)

struct kml_lost_map {
	unsigned long mask;		/* number of bits - 1 */
	unsigned long *bits;
};

static unsigned long kml_lost_bits[2][KML_LOST_BITS / BITS_PER_LONG];
static struct kml_lost_map kml_lost_maps[4] = {
	{ .mask = KML_LOST_BITS - 1, .bits = kml_lost_bits[0] },
	{ .mask = KML_LOST_BITS - 1, .bits = kml_lost_bits[1] },
};

/* Pointers, written under kml_scan_mutex. Hooks read the current one under RCU. */
static struct kml_lost_map *kml_lost_current = &kml_lost_maps[0];
static struct kml_lost_map *kml_lost_previous = &kml_lost_maps[1];
static struct kml_lost_map *kml_lost_unused;	/* the next of kml_lost_grow() */
static bool kml_lost_swapped;			/* the previous map is not empty */
static atomic_long_t kml_lost_nr;		/* bits that are set in both maps */

static void kml_lost_set(struct kml_lost_map *map, unsigned long pfn)
{
	if (!test_and_set_bit(pfn & map->mask, map->bits))
		atomic_long_inc(&kml_lost_nr);
}

static bool kml_lost_test(const struct kml_lost_map *map, unsigned long pfn)
{
	return test_bit(pfn & map->mask, map->bits);
}

static void kml_lost_add_pfn(unsigned long pfn)
{
	rcu_read_lock();
	kml_lost_set(READ_ONCE(kml_lost_current), pfn);
	rcu_read_unlock();
}

static void kml_lost_add_addr(struct kml_space *space, unsigned long addr)
{
	struct page *page = NULL;
	int cpu;

	if (space->id == KML_PHYS) {
		kml_lost_add_pfn(PHYS_PFN(addr));
	} else if (space->id == KML_PERCPU) {
		for_each_possible_cpu(cpu) {
			void *p = per_cpu_ptr((void __percpu __force *)addr, cpu);

			kml_lost_add_pfn(PHYS_PFN(per_cpu_ptr_to_phys(p)));
		}
	} else {
		if (is_vmalloc_or_module_addr((void *)addr))
			page = vmalloc_to_page((void *)addr);
		else if (virt_addr_valid((void *)addr))
			page = virt_to_page((void *)addr);
		/* otherwise it is in a section, which is a root */
		if (page)
			kml_lost_add_pfn(page_to_pfn(page));
	}
}

/* Make the pages of a block roots. Context: any but NMI; the block is in use. */
static void kml_lost_add(struct kml_space *space, unsigned long start, size_t size)
{
	size_t off;

	for (off = 0; off < size - 1; off += min(PAGE_SIZE, size - 1 - off))
		kml_lost_add_addr(space, start + off);
	kml_lost_add_addr(space, start + size - 1);
}

/* The number of pages with lost blocks when they were last seen. Context: any. */
unsigned long kml_lost_pages(void)
{
	return atomic_long_read(&kml_lost_nr);
}

/**
 * kml_lost_has() - may a page have lost blocks?
 * @pfn: its page frame number
 *
 * Context: process, between kml_lost_begin() and the end of the mark.
 * Return: true if a block in it was lost, and it was not free since; or if another
 * page has the same bit.
 */
bool kml_lost_has(unsigned long pfn)
{
	return kml_lost_test(kml_lost_previous, pfn) || kml_lost_test(kml_lost_current, pfn);
}

/* Keep the bit of a page that is in use. Context: that of kml_lost_has(). */
void kml_lost_keep(unsigned long pfn)
{
	kml_lost_set(kml_lost_current, pfn);
}

/**
 * kml_lost_begin() - start to look for the pages with lost blocks
 *
 * Context: process, kml_scan_mutex held, before a mark that calls kml_lost_has();
 * sleeps.
 */
void kml_lost_begin(void)
{
	struct kml_lost_map *next = kml_lost_unused ?: kml_lost_previous;

	if (kml_lost_swapped)
		return;
	kml_lost_swapped = true;
	kml_lost_previous = kml_lost_current;
	if (kml_lost_unused && ++kml_lost_unused == kml_lost_maps + ARRAY_SIZE(kml_lost_maps))
		kml_lost_unused = NULL;
	WRITE_ONCE(kml_lost_current, next);
	synchronize_rcu_expedited();
}

/**
 * kml_lost_end() - forget the pages with lost blocks that were freed
 *
 * Context: process, kml_scan_mutex held, after all pages of which kml_lost_has() is
 * true were seen; may reschedule.
 */
void kml_lost_end(void)
{
	struct kml_lost_map *old = kml_lost_previous;
	unsigned long i, nr = 0;

	if (!kml_lost_swapped)
		return;
	for (i = 0; i <= old->mask / BITS_PER_LONG; i++) {
		nr += hweight_long(old->bits[i]);
		old->bits[i] = 0;
		if (!(i % 4096))
			cond_resched();
	}
	atomic_long_sub(nr, &kml_lost_nr);
	kml_lost_swapped = false;
}

/**
 * kml_lost_grow() - use larger maps from the next kml_lost_begin() on
 * @bits: memory of the maps, zeroed: 2 * @nr bits
 * @nr: number of bits of a map, a power of two
 *
 * Context: boot, once, before kmemleak's files can be used.
 */
void __init kml_lost_grow(unsigned long *bits, unsigned long nr)
{
	kml_lost_maps[2] = (struct kml_lost_map){ .mask = nr - 1, .bits = bits };
	kml_lost_maps[3] = (struct kml_lost_map){ .mask = nr - 1,
						  .bits = bits + nr / BITS_PER_LONG };
	kml_lost_unused = &kml_lost_maps[2];
}

/* === Reserve ============================================================ */

/*
 * If there is no memory for the metadata of a block, the reserve records its
 * address and size. Such a block is scanned as a root and never reported: leaks may
 * be missed, but no false ones are reported.
 *
 * A burst of atomic allocations may need many entries before a process can allocate
 * more. So one free entry is kept for each MiB of memory, and no fewer than
 * KML_RESERVE_STATIC. If fewer than half of them are free, a work item allocates
 * more. Hooks may hold scheduler locks, so they queue it through irq_work.
 *
 * A block for which the reserve has no entry either is lost: see above.
 *
 * The entries are in a hash table by start, with chains and one raw lock. Hooks use
 * the reserve when memory is short, so an insertion allocates nothing.
 */

#define KML_RESERVE_STATIC	512UL
#define KML_RESERVE_BUCKETS	1024

struct kml_reserved {
	struct kml_reserved *next;
	unsigned long not_start;	/* inverted: static entries are in bss */
	size_t size;
	u8 space;
	u8 flags;
	u8 mark;			/* the last mark that has read it */
	u8 round;			/* the round in which it was added */
};

static DEFINE_RAW_SPINLOCK(kml_reserve_lock);
static struct kml_reserved *kml_reserve_hash[KML_RESERVE_BUCKETS];
static struct kml_reserved kml_reserve_static[KML_RESERVE_STATIC];
static unsigned int kml_reserve_static_used;
static struct kml_reserved *kml_reserve_free;
static unsigned int kml_reserve_nr_free = KML_RESERVE_STATIC;
static unsigned int kml_reserve_wanted = KML_RESERVE_STATIC;	/* free entries */
static u8 kml_reserve_mark;
static u8 kml_reserve_round;
static unsigned int kml_reserve_at;	/* next bucket; kml_scan_mutex */
unsigned long kml_reserve_nr;
struct kml_overlaps kml_overlaps = { .not_last = ~0UL };

static struct kml_reserved **kml_reserve_bucket(unsigned long start)
{
	return &kml_reserve_hash[(start >> 4 ^ start >> 14) % KML_RESERVE_BUCKETS];
}

static bool __kml_reserve_add(struct kml_space *space, unsigned long start,
			      size_t size, unsigned int flags)
{
	struct kml_reserved **head = kml_reserve_bucket(start);
	struct kml_reserved *r = kml_reserve_free;

	lockdep_assert_held(&kml_reserve_lock);

	if (r)
		kml_reserve_free = r->next;
	else if (kml_reserve_static_used < KML_RESERVE_STATIC)
		r = &kml_reserve_static[kml_reserve_static_used++];
	else
		return false;

	WRITE_ONCE(kml_reserve_nr_free, kml_reserve_nr_free - 1);
	r->not_start = ~start;
	r->mark = kml_reserve_mark - 1;
	r->round = kml_reserve_round;
	r->size = size;
	r->space = space->id;
	r->flags = flags;
	r->next = *head;
	*head = r;
	WRITE_ONCE(kml_reserve_nr, kml_reserve_nr + 1);
	if (flags & KML_RESERVE_OVERLAP) {
		WRITE_ONCE(kml_overlaps.not_min, max(kml_overlaps.not_min, ~start));
		WRITE_ONCE(kml_overlaps.not_last, min(kml_overlaps.not_last, ~start));
		WRITE_ONCE(kml_overlaps.nr, kml_overlaps.nr + 1);
	}
	return true;
}

static void kml_reserve_refill_fn(struct work_struct *work)
{
	kml_reserve_refill();
}

static DECLARE_WORK(kml_reserve_work, kml_reserve_refill_fn);

static void kml_reserve_irq_fn(struct irq_work *work)
{
	schedule_work(&kml_reserve_work);
}

static DEFINE_IRQ_WORK(kml_reserve_irq, kml_reserve_irq_fn);

static struct kml_reserved **kml_reserve_find(struct kml_space *space,
					      unsigned long start)
{
	struct kml_reserved **p = kml_reserve_bucket(start);

	lockdep_assert_held(&kml_reserve_lock);

	for (; *p; p = &(*p)->next)
		if ((*p)->not_start == ~start && (*p)->space == space->id)
			return p;
	return NULL;
}

/*
 * Call with KML_RESERVE_OVERLAP for a block in the place of another. The same start
 * again is the same block: its free was not noticed.
 */
static bool kml_reserve_put(struct kml_space *space, unsigned long start, size_t size,
			    unsigned int flags)
{
	struct kml_reserved **p = NULL;
	unsigned long irqflags;
	bool added = true, low;

	raw_spin_lock_irqsave(&kml_reserve_lock, irqflags);
	if (flags & KML_RESERVE_OVERLAP)
		p = kml_reserve_find(space, start);
	if (p)
		(*p)->size = max((*p)->size, size);
	else
		added = __kml_reserve_add(space, start, size, flags);
	low = kml_reserve_nr_free < kml_reserve_wanted / 2;
	raw_spin_unlock_irqrestore(&kml_reserve_lock, irqflags);

	if (low && system_state >= SYSTEM_RUNNING)
		irq_work_queue(&kml_reserve_irq);
	if (!added) {
		kml_lost_add(space, start, size);
		kml_count_inc(KML_C_LOST);
		kml_warn_once("No memory for metadata, and the reserve has run dry: pages with lost blocks are scanned, until they are free\n");
	}
	return added;
}

/* A block is in the place of another one, whose metadata stay. Context: any. */
void kml_reserve_add_overlap(struct kml_space *space, unsigned long start, size_t size,
			     int min_count)
{
	kml_reserve_put(space, start, size, KML_RESERVE_OVERLAP |
			(min_count < 0 ? KML_RESERVE_BLACK : 0));
}

/**
 * kml_reserve_add() - record a block for which there is no memory for metadata
 * @space: address space
 * @start: untagged start of the block
 * @size: in bytes
 * @flags: KML_RESERVE_NO_SCAN, KML_RESERVE_BLACK or 0
 *
 * Context: any but NMI; no raw lock is held.
 * Return: false if the reserve has run dry.
 */
bool kml_reserve_add(struct kml_space *space, unsigned long start, size_t size,
		     unsigned int flags)
{
	if (!kml_reserve_put(space, start, size, flags))
		return false;
	kml_count_inc(KML_C_RESERVED);
	kml_warn_once("No memory for metadata: blocks are scanned, but not checked for leaks until they are freed\n");
	return true;
}

/* Find the block that holds @addr in one bucket of the hash table. */
static struct kml_reserved **kml_reserve_find_alias(unsigned int bucket,
						    struct kml_space *space,
						    unsigned long addr)
{
	struct kml_reserved **p = &kml_reserve_hash[bucket];

	lockdep_assert_held(&kml_reserve_lock);

	for (; *p; p = &(*p)->next)
		if (addr - ~(*p)->not_start < (*p)->size &&
		    (*p)->space == space->id)
			return p;
	return NULL;
}

static struct kml_reserved kml_reserve_unlink(struct kml_reserved **p)
{
	struct kml_reserved *r = *p;
	struct kml_reserved copy = *r;

	*p = r->next;
	r->next = kml_reserve_free;
	kml_reserve_free = r;
	WRITE_ONCE(kml_reserve_nr_free, kml_reserve_nr_free + 1);
	WRITE_ONCE(kml_reserve_nr, kml_reserve_nr - 1);
	if (copy.flags & KML_RESERVE_OVERLAP) {
		WRITE_ONCE(kml_overlaps.nr, kml_overlaps.nr - 1);
		if (!kml_overlaps.nr) {
			WRITE_ONCE(kml_overlaps.not_min, 0);
			WRITE_ONCE(kml_overlaps.not_last, ~0UL);
		}
	}
	return copy;
}

/* The slow path of kml_reserve_remove(): the reserve is in use. */
bool __kml_reserve_remove(struct kml_space *space, unsigned long start)
{
	struct kml_reserved **p;
	unsigned long flags;

	raw_spin_lock_irqsave(&kml_reserve_lock, flags);
	p = kml_reserve_find(space, start);
	if (p)
		kml_reserve_unlink(p);
	raw_spin_unlock_irqrestore(&kml_reserve_lock, flags);

	if (!p)
		return false;
	/* order the removal before the reads of the pins */
	smp_mb();
	kml_pin_wait(start);
	return true;
}

/* Find a block in one bucket that overlapped another one and starts in the range. */
static struct kml_reserved **kml_reserve_find_overlap(unsigned int bucket,
						      struct kml_space *space,
						      unsigned long start, size_t size)
{
	struct kml_reserved **p = &kml_reserve_hash[bucket];

	lockdep_assert_held(&kml_reserve_lock);

	for (; *p; p = &(*p)->next)
		if (((*p)->flags & KML_RESERVE_OVERLAP) && (*p)->space == space->id &&
		    ~(*p)->not_start - start < size)
			return p;
	return NULL;
}

/*
 * Remove the blocks that overlap a tracked block of which this part was freed: their
 * memory is free now, too, even if their owner does not say so. Context: any.
 */
void __kml_reserve_remove_overlaps(struct kml_space *space, unsigned long start,
				   size_t size)
{
	struct kml_reserved **p, old;
	unsigned long flags;
	unsigned int i;

	for (i = 0; i < KML_RESERVE_BUCKETS; i++) {
		while (READ_ONCE(kml_reserve_hash[i])) {
			raw_spin_lock_irqsave(&kml_reserve_lock, flags);
			p = kml_reserve_find_overlap(i, space, start, size);
			if (p)
				old = kml_reserve_unlink(p);
			raw_spin_unlock_irqrestore(&kml_reserve_lock, flags);
			if (!p)
				break;
			/* order the removal before looking at the pins */
			smp_mb();
			kml_pin_wait(~old.not_start);
		}
	}
}

/**
 * kml_reserve_remove_part() - remove a part of a reserved block
 * @space: address space
 * @addr: untagged start of the part
 * @size: of the part, in bytes
 *
 * The memory before and after the part is recorded again. When this returns no
 * worker reads the part.
 *
 * Context: any but NMI; no raw lock is held.
 * Return: the number of bytes of the part that the block held; 0 if no reserved
 * block holds @addr.
 */
size_t kml_reserve_remove_part(struct kml_space *space, unsigned long addr,
			       size_t size)
{
	struct kml_reserved **p = NULL;
	struct kml_reserved old = {};
	unsigned long flags, start;
	unsigned int i, kept;
	size_t before;

	if (likely(!READ_ONCE(kml_reserve_nr)))
		return 0;
	/* release the lock after each bucket, to bound the time with IRQs off */
	for (i = 0; i < KML_RESERVE_BUCKETS && !p; i++) {
		raw_spin_lock_irqsave(&kml_reserve_lock, flags);
		p = kml_reserve_find_alias(i, space, addr);
		if (p)
			old = kml_reserve_unlink(p);
		raw_spin_unlock_irqrestore(&kml_reserve_lock, flags);
	}
	if (!p)
		return 0;
	start = ~old.not_start;
	/* order the removal before the reads of the pins */
	smp_mb();
	kml_pin_wait(start);

	kept = old.flags & (KML_RESERVE_BLACK | KML_RESERVE_OVERLAP);
	before = addr - start;
	if (before)
		kml_reserve_add(space, start, before, kept);
	if (old.size - before <= size)
		return old.size - before;
	kml_reserve_add(space, addr + size, old.size - before - size, kept);
	return size;
}

/**
 * kml_reserve_size() - get the size of a reserved block
 * @space: address space
 * @start: untagged start of the block
 *
 * Context: any but NMI.
 * Return: size in bytes, or 0 if no reserved block starts at @start.
 */
size_t kml_reserve_size(struct kml_space *space, unsigned long start)
{
	struct kml_reserved **p;
	unsigned long flags;
	size_t size;

	raw_spin_lock_irqsave(&kml_reserve_lock, flags);
	p = kml_reserve_find(space, start);
	size = p ? (*p)->size : 0;
	raw_spin_unlock_irqrestore(&kml_reserve_lock, flags);
	return size;
}

/**
 * kml_reserve_holds() - is an address in a reserved block?
 * @space: address space
 * @addr: untagged address
 *
 * Context: any but NMI.
 * Return: true if a reserved block holds @addr.
 */
bool kml_reserve_holds(struct kml_space *space, unsigned long addr)
{
	unsigned long flags;
	bool holds = false;
	unsigned int i;

	if (likely(!READ_ONCE(kml_reserve_nr)))
		return false;
	for (i = 0; i < KML_RESERVE_BUCKETS && !holds; i++) {
		raw_spin_lock_irqsave(&kml_reserve_lock, flags);
		holds = kml_reserve_find_alias(i, space, addr);
		raw_spin_unlock_irqrestore(&kml_reserve_lock, flags);
	}
	return holds;
}

/**
 * kml_reserve_paint() - change whether a reserved block is scanned
 * @space: address space
 * @start: untagged start of the block
 * @how: the change. KML_RESERVE_KEEP changes nothing, and asks only for the result
 *
 * Context: any but NMI.
 * Return: true if a reserved block starts at @start.
 */
bool kml_reserve_paint(struct kml_space *space, unsigned long start,
		       enum kml_reserve_paint how)
{
	struct kml_reserved **p;
	unsigned long flags;

	if (likely(!READ_ONCE(kml_reserve_nr)))
		return false;
	raw_spin_lock_irqsave(&kml_reserve_lock, flags);
	p = kml_reserve_find(space, start);
	if (p && how == KML_RESERVE_MAKE_GREY)
		(*p)->flags &= ~KML_RESERVE_BLACK;
	else if (p && how == KML_RESERVE_MAKE_BLACK)
		(*p)->flags |= KML_RESERVE_BLACK;
	else if (p && how == KML_RESERVE_MAKE_NO_SCAN)
		(*p)->flags |= KML_RESERVE_NO_SCAN;
	raw_spin_unlock_irqrestore(&kml_reserve_lock, flags);
	return p;
}

/**
 * kml_reserve_next_round() - start a round of kml_reserve_next()
 *
 * A round returns the blocks that are in the reserve now and that the current mark
 * has not read. Blocks that are added later wait for the next round, so each round
 * ends. The number of a round has 8 bits: a block that was added 256 rounds ago
 * looks new, and waits for the next round, too.
 *
 * Context: process, kml_scan_mutex held.
 */
void kml_reserve_next_round(void)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&kml_reserve_lock, flags);
	kml_reserve_round++;
	raw_spin_unlock_irqrestore(&kml_reserve_lock, flags);
	kml_reserve_at = 0;
}

/**
 * kml_reserve_new_mark() - start a mark: it has read no reserved block yet
 *
 * This starts the first round of the mark, too.
 *
 * Context: process, kml_scan_mutex held.
 */
void kml_reserve_new_mark(void)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&kml_reserve_lock, flags);
	kml_reserve_mark++;
	raw_spin_unlock_irqrestore(&kml_reserve_lock, flags);
	kml_reserve_next_round();
}

/**
 * kml_reserve_next() - get the next reserved block of a round
 * @block: filled on success
 *
 * The caller has to read the block, with a pin: a hook may remove it at any time.
 *
 * Context: process, kml_scan_mutex held.
 * Return: false if the round has no more blocks.
 */
bool kml_reserve_next(struct kml_reserve_block *block)
{
	struct kml_reserved *r = NULL;

	if (!READ_ONCE(kml_reserve_nr))
		return false;

	for (; kml_reserve_at < KML_RESERVE_BUCKETS; kml_reserve_at++) {
		raw_spin_lock_irq(&kml_reserve_lock);
		for (r = kml_reserve_hash[kml_reserve_at]; r; r = r->next)
			if (r->mark != kml_reserve_mark &&
			    r->round != kml_reserve_round &&
			    !(r->flags & (KML_RESERVE_NO_SCAN | KML_RESERVE_BLACK)))
				break;
		if (r) {
			r->mark = kml_reserve_mark;
			block->space = kml_space(r->space);
			block->start = ~r->not_start;
			block->size = r->size;
		}
		raw_spin_unlock_irq(&kml_reserve_lock);
		if (r)
			return true;
	}
	return false;
}

/**
 * kml_reserve_refill() - allocate entries until enough are free
 *
 * Context: process; may sleep.
 */
void kml_reserve_refill(void)
{
	unsigned int wanted = max(totalram_pages() >> (20 - PAGE_SHIFT), KML_RESERVE_STATIC);

	WRITE_ONCE(kml_reserve_wanted, wanted);
	while (READ_ONCE(kml_reserve_nr_free) < wanted) {
		struct kml_reserved *r = kml_pool_alloc(KML_POOL_RESERVE,
							GFP_KERNEL);
		unsigned int n = KML_PAGE_SIZE / sizeof(*r), i;

		if (!r)
			return;
		cond_resched();
		for (i = 0; i < n - 1; i++)
			r[i].next = &r[i + 1];

		raw_spin_lock_irq(&kml_reserve_lock);
		r[n - 1].next = kml_reserve_free;
		kml_reserve_free = r;
		WRITE_ONCE(kml_reserve_nr_free, kml_reserve_nr_free + n);
		raw_spin_unlock_irq(&kml_reserve_lock);
	}
}

/* Remove all reserved blocks. Context: process, kmemleak is off and no scan runs. */
void kml_reserve_drop_all(void)
{
	unsigned int i;

	for (i = 0; i < KML_RESERVE_BUCKETS; i++) {
		raw_spin_lock_irq(&kml_reserve_lock);
		while (kml_reserve_hash[i])
			kml_reserve_unlink(&kml_reserve_hash[i]);
		raw_spin_unlock_irq(&kml_reserve_lock);
	}
}
