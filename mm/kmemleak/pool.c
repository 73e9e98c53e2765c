// SPDX-License-Identifier: GPL-2.0-only
/*
 * Metadata memory.
 *
 * After kml_pool_init() everything comes from slab caches of its own
 * (SLAB_NOLEAKTRACE, so no hook recurses), allocated on the local node. In
 * front of the one allocated for each object there is a small per-CPU
 * magazine: an allocation and a free that follow each other touch no slab.
 *
 * Before that, and when the slab has nothing to give, a static pool serves: a
 * bump pointer and a free list for each type. It is sized for
 * CONFIG_DEBUG_KMEMLEAK_MEM_POOL_SIZE objects, and grows while memblock allocates.
 */

#include "os.h"
#include "page_desc.h"
#include "pool.h"
#include "sieve.h"
#include "stats.h"

/*
 * An early object costs its cold metadata, its slot and its share of tables;
 * the constant is for the tables that the first object needs.
 */
#define KML_EARLY_OBJECT	(sizeof(struct kml_cold) + 2 * sizeof(struct kml_hot) + 24)
#define KML_EARLY_TABLES	(256 * 1024)
#define KML_EARLY_BYTES		(CONFIG_DEBUG_KMEMLEAK_MEM_POOL_SIZE * \
				 KML_EARLY_OBJECT + KML_EARLY_TABLES)

static char kml_early_pool[KML_EARLY_BYTES] __aligned(sizeof(u64));

/*
 * Chunks of it: the static one, and what kml_pool_grow_early() adds, each as
 * large as all before. The last one serves.
 */
#define KML_EARLY_CHUNKS	16

static struct kml_early_chunk {
	char *start;
	size_t size;
} kml_early_chunk[KML_EARLY_CHUNKS] __ro_after_init = {
	{ kml_early_pool, KML_EARLY_BYTES },
};

static unsigned int kml_early_chunks __ro_after_init = 1;

struct kml_free_item {
	struct kml_free_item *next;
};

static DEFINE_RAW_SPINLOCK(kml_early_lock);
static size_t kml_early_used;		/* of the last chunk */
static struct kml_free_item *kml_early_free[KML_NR_POOLS];
static size_t kml_early_free_bytes;

static struct kmem_cache *kml_caches[KML_NR_POOLS] __ro_after_init;

static const struct {
	const char *name;
	size_t size;
} kml_pool_desc[] = {
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
	[KML_POOL_SIEVE]	= { "kmemleak_sieve", KML_SIEVE_BYTES },
};

static_assert(ARRAY_SIZE(kml_pool_desc) == KML_POOL_DESC);

size_t kml_pool_size(enum kml_pool_type type)
{
	if (type < KML_POOL_DESC)
		return kml_pool_desc[type].size;
	return kml_desc_size(type - KML_POOL_DESC);
}

static bool kml_is_early(const void *p)
{
	unsigned int i;

	for (i = 0; i < kml_early_chunks; i++)
		if ((unsigned long)p - (unsigned long)kml_early_chunk[i].start <
		    kml_early_chunk[i].size)
			return true;
	return false;
}

static size_t kml_early_room(void)
{
	return kml_early_chunk[kml_early_chunks - 1].size - kml_early_used;
}

/* It is in bss, which is scanned: not for raw addresses, nor what looks like one. */
static bool kml_early_serves(enum kml_pool_type type)
{
	return type != KML_POOL_WORK && type != KML_POOL_WORKER &&
	       type != KML_POOL_SIEVE;
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
		item = (void *)kml_early_chunk[kml_early_chunks - 1].start +
		       kml_early_used;
		kml_early_used += size;
	}
	raw_spin_unlock_irqrestore(&kml_early_lock, flags);

	if (item)
		memset(item, 0, size);
	else
		pr_warn_once("Memory pool empty, consider increasing CONFIG_DEBUG_KMEMLEAK_MEM_POOL_SIZE\n");
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
 * kml_pool_alloc() - get zeroed memory for metadata
 * @type: what for
 * @gfp: flags of the allocation that is being tracked; only what may nest in
 *	it is used, and no warning is given on failure
 *
 * Context: any in which @gfp may be used, but no raw lock may be held.
 * Return: memory of kml_pool_size(@type) bytes or NULL.
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

/* What waits for its turn to be freed. */
struct kml_dead {
	struct rcu_head rcu;
	enum kml_pool_type type;
};

/* types that hooks free: room for it */
static_assert(sizeof(struct kml_dead) <= sizeof(struct kml_cold));
static_assert(sizeof(struct kml_dead) <= sizeof(struct kml_area));

static void kml_dead_free(struct rcu_head *rcu)
{
	struct kml_dead *dead = container_of(rcu, struct kml_dead, rcu);

	kmem_cache_free(kml_caches[dead->type], dead);
}

/*
 * On PREEMPT_RT the slab's locks sleep, so they may only be taken where one may
 * be preempted; but bio_put() calls kmemleak_free() where one may not.
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
 * kml_pool_free() - give metadata memory back
 * @type: as allocated
 * @p: memory that nobody can reach any more, or NULL
 *
 * Context: any, but no raw lock may be held.
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

/* As above for @nr pieces that are not from the static pool. Context: process. */
void kml_pool_free_bulk(enum kml_pool_type type, unsigned int nr, void **p)
{
	if (!nr)
		return;
	kml_count_add(KML_C_META_BYTES, -(long)kml_pool_size(type) * (long)nr);
	kmem_cache_free_bulk(kml_caches[type], nr, p);
}

/* How many more objects the static pool can hold, about. */
int kml_pool_early_left(void)
{
	return (kml_early_room() + kml_early_free_bytes) / KML_EARLY_OBJECT;
}

/**
 * kml_pool_grow_early() - have room for the metadata of a block from memblock
 * @size: of the block, in bytes
 *
 * CONFIG_DEBUG_KMEMLEAK_MEM_POOL_SIZE is for blocks of any size. A thousand huge
 * pages of 1 GiB, or the memmap of 2 TiB, fill more intervals than the static
 * pool has room for: what memblock gives to others, it gives to us, too. It is
 * neither a root nor tracked. Where it gives nothing, the reserve serves.
 *
 * Before an architecture has mapped all memory memblock may give what cannot be
 * used yet. Most of what is tracked then are page tables, for which nothing
 * grows; and what came is tried before it is used.
 *
 * Context: boot, from a hook of memblock: one CPU runs, memblock allocates.
 */
void __ref kml_pool_grow_early(size_t size)
{
	size_t want = KML_EARLY_TABLES / 4, bytes = 0;
	unsigned int i;
	char *start, c;

	if (size < KML_INTERVAL_SIZE || kml_pool_ready() || slab_is_available())
		return;
	want += (size >> KML_INTERVAL_SHIFT) * sizeof(struct kml_interval) +
		(size >> KML_L2_SHIFT) * sizeof(struct kml_l3);
	if (likely(kml_early_room() >= want) ||
	    kml_early_chunks == KML_EARLY_CHUNKS)
		return;

	for (i = 0; i < kml_early_chunks; i++)
		bytes += kml_early_chunk[i].size;
	bytes = PAGE_ALIGN(max(bytes, want));
	start = memblock_alloc_try_nid_raw(bytes, PAGE_SIZE, 0,
					   MEMBLOCK_ALLOC_NOLEAKTRACE,
					   NUMA_NO_NODE);
	if (!start)
		return;
	if (copy_from_kernel_nofault(&c, start, 1) ||
	    copy_from_kernel_nofault(&c, start + bytes - 1, 1)) {
		memblock_free(start, bytes);
		return;
	}
	kml_early_chunk[kml_early_chunks].start = start;
	kml_early_chunk[kml_early_chunks].size = bytes;
	kml_early_chunks++;
	kml_early_used = 0;
}

/*
 * Magazines. Filled by frees only; owned by their CPU, used with IRQs off.
 */
#define KML_MAGAZINE	30

struct kml_magazine {
	unsigned int nr;
	struct kml_cold *cold[KML_MAGAZINE];
};

static DEFINE_PER_CPU(struct kml_magazine, kml_magazine);

/**
 * kml_cold_get_cached() - take cold metadata from this CPU's magazine
 *
 * Context: IRQs off.
 * Return: memory with undefined content, or NULL.
 */
struct kml_cold *kml_cold_get_cached(void)
{
	struct kml_magazine *mag;

	lockdep_assert_irqs_disabled();
	if (unlikely(!kml_pool_ready()))
		return NULL;

	mag = this_cpu_ptr(&kml_magazine);
	return mag->nr ? mag->cold[--mag->nr] : NULL;
}

/**
 * kml_cold_put_cached() - put cold metadata into this CPU's magazine
 * @cold: not from the static pool
 *
 * Context: IRQs off.
 * Return: false if there is no room.
 */
bool kml_cold_put_cached(struct kml_cold *cold)
{
	struct kml_magazine *mag;

	lockdep_assert_irqs_disabled();
	if (unlikely(!kml_pool_ready() || kml_is_early(cold)))
		return false;

	mag = this_cpu_ptr(&kml_magazine);
	if (mag->nr == KML_MAGAZINE)
		return false;
	mag->cold[mag->nr++] = cold;
	return true;
}

/**
 * kml_pool_init() - from now on use the slab
 *
 * Context: once, from kmemleak_init(): slab, per-CPU data and call_rcu() work,
 * one CPU runs.
 */
void __init kml_pool_init(void)
{
	unsigned int i;

	for (i = 0; i < KML_NR_POOLS; i++) {
		char name[24];

		if (i >= KML_POOL_DESC)
			snprintf(name, sizeof(name), "kmemleak_page_%u",
				 kml_desc_grain(i - KML_POOL_DESC));
		/* SLAB_PANIC: nothing this small can fail this early */
		kml_caches[i] = kmem_cache_create(i < KML_POOL_DESC ?
						  kml_pool_desc[i].name :
						  name,
						  kml_pool_size(i), 0,
						  SLAB_NOLEAKTRACE | SLAB_PANIC,
						  NULL);
	}
	WRITE_ONCE(kml_state.pool_ready, true);
}
