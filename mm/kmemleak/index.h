/* SPDX-License-Identifier: GPL-2.0-only */
/* The index, and the objects in it. */
#ifndef _MM_KMEMLEAK_INDEX_H
#define _MM_KMEMLEAK_INDEX_H

#include "kmemleak.h"

/* === Page descriptors =================================================== */

/*
 * Page descriptors: the objects that start in one 4 KiB page.
 */

/* of grains */
#define KML_NR_GRAINS		15

/*
 * Slots per page by class. Grains between the powers of two are those of the
 * slab's size classes: with them a full slab page has no empty slot. The
 * reciprocal is exact for all offsets: see kml_page_selftest().
 */
struct kml_grain {
	u16 grain;
	u16 slots;
	u32 recip;		/* 2^24 / grain, rounded up */
};

extern const struct kml_grain kml_grains[];

static inline unsigned int kml_page_grain(unsigned int grain_idx)
{
	return kml_grains[grain_idx].grain;
}

static inline unsigned int kml_page_slots(unsigned int grain_idx)
{
	return kml_grains[grain_idx].slots;
}

static inline unsigned int kml_page_slot(unsigned int grain_idx, unsigned int off)
{
	return ((u64)off * kml_grains[grain_idx].recip) >> 24;
}

/* Where the slots of a descriptor begin. */
static inline size_t kml_page_head(unsigned int grain_idx)
{
	return offsetof(struct kml_page, bits) +
	       BITS_TO_LONGS(kml_page_slots(grain_idx)) * sizeof(long);
}

static inline struct kml_hot *kml_page_hot(struct kml_page *page)
{
	return (void *)page + kml_page_head(page->grain_idx);
}

size_t kml_page_size(unsigned int grain_idx);
unsigned int kml_page_grain_idx(size_t size);
struct kml_hot *kml_page_find(struct kml_page *page, unsigned int off);
struct kml_hot *kml_page_exact(struct kml_page *page, unsigned int off);
struct kml_hot *kml_page_next(struct kml_page *page, unsigned int off);
bool kml_page_slot_free(struct kml_page *page, unsigned int off);
void kml_page_add(struct kml_page *page, u32 state, u32 size, struct kml_cold *cold);
void kml_page_del(struct kml_page *page, struct kml_hot *hot);
int kml_page_grain_idx_for(struct kml_page *page, unsigned int off);
void kml_page_move(struct kml_page *to, struct kml_page *from);
bool kml_page_selftest(void);

/* === Metadata of an object ============================================== */

/*
 * Object metadata: birth, rare attributes, a printable copy, death.
 */

/* flags as dump= has always shown them */
#define KML_SHOW_ALLOCATED	BIT(0)
#define KML_SHOW_REPORTED	BIT(1)
#define KML_SHOW_NO_SCAN	BIT(2)
#define KML_SHOW_FULL_SCAN	BIT(3)
#define KML_SHOW_PHYS		BIT(4)
#define KML_SHOW_PERCPU		BIT(5)
#define KML_SHOW_SUSPECT	BIT(6)

#define KML_HEX_BYTES		32

/* All there is to say about an object, copied out under the lock. */
struct kml_info {
	enum kml_space_id space;
	unsigned long addr;		/* as the allocator returned it */
	size_t size;
	unsigned long born;
	unsigned long excess_ref;
	u32 stamp;
	u32 state;
	u32 checksum;
	depot_stack_handle_t trace;
	int pid;
	char comm[TASK_COMM_LEN];
};

depot_stack_handle_t kml_stack_save(void);
void kml_cold_init(struct kml_cold *cold, depot_stack_handle_t trace,
		   unsigned long ptr);
void kml_cold_free(u32 state, struct kml_cold *cold);
bool kml_born_before(unsigned long j1, u32 s1, unsigned long j2, u32 s2);
void kml_born_now(unsigned long *born, u32 *stamp);
size_t kml_hot_size(const struct kml_hot *hot, u32 state);
void kml_info_fill(struct kml_info *info, struct kml_space *space,
		   unsigned long start, const struct kml_hot *hot);
unsigned int kml_info_flags(const struct kml_info *info);
u32 kml_hot_change(struct kml_hot *hot, u32 clear, u32 set);

/* The state alone, or with the leaf's lock held. */
static inline u32 kml_hot_state(const struct kml_hot *hot)
{
	return atomic_read(&hot->state);
}

/* For those who go on to read size or cold without the lock: they are valid. */
static inline u32 kml_hot_state_acquire(const struct kml_hot *hot)
{
	/* pairs with the release in kml_page_add() */
	return atomic_read_acquire(&hot->state);
}

static inline int kml_cold_pid(const struct kml_cold *cold)
{
	return cold->pid & KML_PID_MASK;
}

static inline unsigned int kml_cold_unref(const struct kml_cold *cold)
{
	return cold->pid >> KML_PID_BITS;
}

static inline void kml_cold_set_unref(struct kml_cold *cold, unsigned int n)
{
	cold->pid = (cold->pid & KML_PID_MASK) |
		    min(n, KML_UNREF_MAX) << KML_PID_BITS;
}

static inline struct kml_ext *kml_ext(const struct kml_hot *hot)
{
	return container_of(READ_ONCE(hot->cold), struct kml_ext, cold);
}

/* The address the allocator returned, tag included. */
static inline unsigned long kml_tagged(unsigned long addr,
				       const struct kml_cold *cold)
{
#ifdef KML_POINTER_TAGS
	return (addr & (~0UL >> 8)) | (unsigned long)cold->tag << 56;
#else
	return addr;
#endif
}

/* === Intervals ========================================================== */

/*
 * The directory: address -> interval -> page leaf.
 */

/* in leaf->page: the group is being taken out of the tree, look up again */
#define KML_PAGE_DEAD	((struct kml_page *)1UL)

static inline unsigned long kml_l2_key(unsigned long addr)
{
#if BITS_PER_LONG == 64
	return addr >> (KML_L2_SHIFT + KML_L2_BITS);
#else
	return 0;
#endif
}

/* The interval of @addr, or NULL. Context: rcu_read_lock() or kml_scan_mutex. */
static inline struct kml_interval *kml_interval_find(struct kml_space *space,
						     unsigned long addr)
{
	unsigned long key = kml_l2_key(addr);
	struct kml_l2 *l2 = READ_ONCE(space->l1[key % (1U << KML_L1_BITS)]);
	struct kml_l3 *l3;

	while (l2 && l2->key != key)
		l2 = READ_ONCE(l2->next);
	if (!l2)
		return NULL;
	l3 = READ_ONCE(l2->l3[(addr >> KML_L2_SHIFT) % (1U << KML_L2_BITS)]);
	if (!l3)
		return NULL;
	return READ_ONCE(l3->iv[(addr >> KML_L3_SHIFT) % (1U << KML_L3_BITS)]);
}

/* The leaf of @addr in @iv, or NULL. Context: as above. */
static inline struct kml_leaf *kml_leaf_find(struct kml_interval *iv,
					     unsigned long addr)
{
	struct kml_group *group;

	group = READ_ONCE(iv->group[(addr >> KML_GROUP_SHIFT) % KML_GROUPS]);
	return group ? &group->leaf[(addr >> KML_PAGE_SHIFT) % KML_LEAVES] : NULL;
}

/*
 * The leaf of @addr, or NULL. Context: as above. It stays while a scan is active:
 * only kml_interval_trim() takes leaves away.
 */
static inline struct kml_leaf *kml_leaf_of(struct kml_space *space,
					   unsigned long addr)
{
	struct kml_interval *iv = kml_interval_find(space, addr);

	return iv ? kml_leaf_find(iv, addr) : NULL;
}

/*
 * The page descriptor of @leaf, or NULL. Whoever files an object may replace it,
 * scan or not. Context: rcu_read_lock(), IRQs off, or leaf->lock.
 */
static inline struct kml_page *kml_leaf_page(struct kml_leaf *leaf)
{
	struct kml_page *page;

	page = rcu_dereference_check(leaf->page, rcu_read_lock_any_held() ||
				     lockdep_is_held(&leaf->lock));
	return likely(page != KML_PAGE_DEAD) ? page : NULL;
}

/*
 * Have what a look-up of @addr will touch of a descriptor fetched: its bitmap
 * and the entry. Not dereferenced: it may be NULL, dead or of another class.
 */
static inline void kml_leaf_fetch(struct kml_leaf *leaf, unsigned long addr)
{
	unsigned long page = (unsigned long)rcu_access_pointer(leaf->page);
	unsigned int grain_idx = READ_ONCE(leaf->grain_idx);

	prefetch((void *)page);
	prefetch((void *)(page + kml_page_head(grain_idx) +
			  kml_page_slot(grain_idx, addr & ~KML_PAGE_MASK) *
			  sizeof(struct kml_hot)));
}

static inline bool kml_leaf_dead(struct kml_leaf *leaf)
{
	return rcu_access_pointer(leaf->page) == KML_PAGE_DEAD;
}

/* An object with KML_F_NEW was filed. Pairs with kml_prepare_all(): kmemleak.h. */
static inline void kml_interval_set_has_new(struct kml_interval *iv)
{
	/* the entry before the flag */
	smp_mb();
	if (!READ_ONCE(iv->has_new))
		WRITE_ONCE(iv->has_new, true);
}

/*
 * Something is no more in @iv: worth the trimmer's while. Mostly it is said
 * already, and the line is not written to. Context: the RCU section in which it
 * went; see "Vacate" in kmemleak.h.
 */
static inline void kml_interval_vacate(struct kml_interval *iv)
{
	if (!READ_ONCE(iv->vacated))
		WRITE_ONCE(iv->vacated, true);
}

/* Number of the running scan, modulo 2^16: an old leaf->recount_seq costs a look. */
extern u16 kml_recount_seq;

/* An object that the confirmation has to look at. Context: RCU. */
static inline void kml_interval_set_recount(struct kml_space *space, unsigned long addr)
{
	struct kml_interval *iv = kml_interval_find(space, addr);
	struct kml_leaf *leaf = iv ? kml_leaf_find(iv, addr) : NULL;

	if (!leaf)
		return;
	if (!READ_ONCE(iv->recount))
		WRITE_ONCE(iv->recount, true);
	if (READ_ONCE(leaf->recount_seq) != kml_recount_seq)
		WRITE_ONCE(leaf->recount_seq, kml_recount_seq);
}

/* leaf->continued_from and interval->filled_by: inverted, so that no object is 0 */
static inline bool kml_decode_start(unsigned long inverted, unsigned long *start)
{
	*start = ~inverted;
	return inverted;
}

struct kml_hot *kml_lookup(struct kml_space *space, unsigned long addr,
			   unsigned long *start);
struct kml_hot *kml_lookup_exact(struct kml_space *space, unsigned long start);

/* What kml_lookup_pinned() finds. */
struct kml_pinned {
	u32 state;
	size_t size;
	struct kml_ext *ext;		/* or NULL; stays while pinned */
};

bool kml_lookup_pinned(struct kml_leaf *leaf, unsigned long start,
		       struct kml_pinned *p);

int kml_interval_ensure(struct kml_space *space, unsigned long addr, gfp_t gfp);
int kml_leaf_ensure(struct kml_space *space, unsigned long addr, gfp_t gfp);
void kml_window_grow(struct kml_space *space, unsigned long first,
		     unsigned long last);
void kml_page_free_rcu(struct kml_page *page);

/*
 * Called for each interval of a space by kml_interval_walk(); non-zero ends the
 * walk. Context: kml_scan_mutex held; may sleep.
 */
typedef int (*kml_interval_fn)(struct kml_space *space, struct kml_interval *iv,
			       void *data);
int kml_interval_walk(struct kml_space *space, kml_interval_fn fn, void *data);
void kml_interval_trim(bool expedited);

/* === Objects that span pages ============================================ */

/*
 * What an object reaches into behind the page where it starts.
 */

struct kml_tail {
	struct kml_space *space;
	unsigned long start;		/* untagged */
	unsigned long last;
	gfp_t gfp;
	unsigned long hit;		/* start of the object in the way */
};

int kml_tail_fill(struct kml_tail *s);
void kml_tail_clear(struct kml_space *space, unsigned long start,
		    unsigned long last);

static inline bool kml_one_page(unsigned long start, unsigned long last)
{
	return !((start ^ last) & KML_PAGE_MASK);
}

/* === Shards ============================================================= */

/*
 * Shards: which CPU owns which intervals.
 */

/* A worker's way through the shards: those of its node first. */
struct kml_shard_cursor {
	unsigned int cpu;		/* its own */
	unsigned int i;
	bool remote;			/* its node's are done */
};

void kml_shards_rewind(void);
void kml_shard_cursor_init(struct kml_shard_cursor *c, unsigned int cpu);
struct kml_interval *kml_shard_take(struct kml_shard_cursor *c,
				    enum kml_space_id *id);
void kml_shard_del(struct kml_interval *iv);
unsigned long kml_shard_intervals(void);
void kml_shard_init(void);

/* === Walks ============================================================== */

/*
 * Visit every object of a space.
 */

enum kml_visit {
	KML_VISIT_NEXT,		/* go on under the same lock */
	KML_VISIT_DROP_LOCK,	/* go on, but release the lock first */
	KML_VISIT_UNLOCKED,	/* call @unlocked for this one, then go on */
};

/**
 * struct kml_visitor - what to do with each object
 * @visit: called with the leaf's lock held and IRQs off
 * @unlocked: called where @visit wants it, with no lock held; may sleep. The
 *	object may be gone by then.
 * @resched: called with no lock held after each leaf; NULL: cond_resched().
 *	Returns whether to stop.
 * @wants_interval: which intervals to visit; NULL: all
 * @wants_leaf: which of their pages; NULL: all
 */
struct kml_visitor {
	enum kml_visit (*visit)(struct kml_visitor *v, struct kml_space *space,
				unsigned long start, struct kml_hot *hot);
	void (*unlocked)(struct kml_visitor *v, struct kml_space *space,
			 unsigned long start);
	bool (*resched)(struct kml_visitor *v);
	bool (*wants_interval)(const struct kml_interval *iv);
	bool (*wants_leaf)(const struct kml_leaf *leaf);
};

void kml_walk(struct kml_space *space, struct kml_visitor *v);
bool kml_walk_share(struct kml_shard_cursor *c, struct kml_visitor *v);

/* === Birth and death ==================================================== */

/*
 * Register, find, change and unregister objects.
 */

/* An object found and its leaf's lock taken, see kml_object_lock(). */
struct kml_locked {
	struct kml_space *space;
	struct kml_interval *iv;
	struct kml_leaf *leaf;
	struct kml_hot *hot;
	unsigned long start;
	unsigned long flags;
};

bool kml_object_lock(struct kml_locked *l, struct kml_space *space,
		     unsigned long addr, bool alias);
void kml_object_unlock(struct kml_locked *l);
bool kml_object_info(struct kml_space *space, unsigned long addr, bool alias,
		     struct kml_info *info);

int kml_object_insert(struct kml_space *space, unsigned long ptr, size_t size,
		     int min_count, gfp_t gfp, depot_stack_handle_t trace,
		     struct kml_info *hit);
bool kml_object_remove(struct kml_space *space, unsigned long ptr);
int kml_object_remove_part(struct kml_space *space, unsigned long ptr,
			  size_t size, depot_stack_handle_t trace,
			  struct kml_info *hit);
void kml_object_remove_all(void);

int kml_object_paint(struct kml_space *space, unsigned long ptr, int color);
int kml_object_no_scan(struct kml_space *space, unsigned long ptr);
bool kml_stack_set_no_scan(const void *stack, bool on);
bool kml_own_stack_set_no_scan(bool on);
int kml_object_reset_checksum(struct kml_space *space, unsigned long ptr);
int kml_object_set_trace(struct kml_space *space, unsigned long ptr,
			depot_stack_handle_t trace);
int kml_object_set_excess(struct kml_space *space, unsigned long ptr,
			 unsigned long excess_ref, gfp_t gfp);
int kml_object_add_area(struct kml_space *space, unsigned long ptr, size_t size,
		       gfp_t gfp, struct kml_info *hit);

/* === Pins =============================================================== */

/*
 * Pins: kmemleak_free() returns only when nobody reads the block.
 *
 * Whoever reads a tracked block that may be freed meanwhile
 *
 * 	disables IRQs and writes the block's start (inverted: 0 is an address, too)
 * 	into one of its pins,
 * 	smp_mb(),
 * 	looks the object up again: still allocated?  then reads at most KML_CHUNK,
 * 	clears the pin (release) and enables IRQs,
 *
 * and whoever frees
 *
 * 	clears KML_F_ALLOCATED (atomic, full barrier),
 * 	kml_scan_active? then waits while a pin holds the start (acquire).
 *
 * Store, full barrier, load on both sides (Dekker): either the reader sees that
 * the object is gone or the one who frees sees the pin. The same holds for
 * kml_scan_active, set with a full barrier before the first pin. IRQs are off
 * so that a free in an interrupt handler never waits for the CPU it is on, and
 * so that the wait is as short as the read: a chunk of 4 KiB.
 *
 * After Michael, "Hazard pointers: safe memory reclamation for lock-free
 * objects", IEEE TPDS 15(6), 2004, with waiting in place of deferring: the
 * block's owner cannot be told to come back later.
 */

/* One cache line a reader: whoever frees looks at one line for each. */
#define KML_PINS	(64 / sizeof(unsigned long))

struct kml_pins {
	unsigned long start[KML_PINS];
} ____cacheline_aligned;


void __kml_pin_wait(unsigned long start);

/* Free side; KML_F_ALLOCATED was cleared by a fully ordered atomic. */
static inline void kml_pin_wait(unsigned long start)
{
	if (unlikely(kml_scan_active()))
		__kml_pin_wait(start);
}

/* Reader side. IRQs are off. The caller orders a batch with one smp_mb(). */
static inline void kml_pin(struct kml_pins *pins, unsigned int i,
			   unsigned long start)
{
	lockdep_assert_irqs_disabled();
	WRITE_ONCE(pins->start[i], ~start);
}

static inline void kml_unpin(struct kml_pins *pins, unsigned int i)
{
	/* pairs with the acquire in __kml_pin_wait(): our reads are done */
	smp_store_release(&pins->start[i], 0);
}

/* === Settled blocks ===================================================== */

/*
 * The settled bitmap: one bit per 64 bytes, set when no pointer into that
 * block can change any object's state for the rest of the mark.
 */

#define KML_BLOCK_SHIFT		6
#define KML_BLOCK_SIZE		BIT(KML_BLOCK_SHIFT)
#define KML_SETTLED_BITS	(KML_INTERVAL_SIZE >> KML_BLOCK_SHIFT)
#define KML_SETTLED_LONGS	(KML_SETTLED_BITS / BITS_PER_LONG)

/* in a page: 64, on a 32-bit machine, too */
#define KML_PAGE_BLOCKS		(KML_PAGE_SIZE >> KML_BLOCK_SHIFT)

/* larger objects are never settled: 256 intervals take 10 us, without preemption */
#define KML_SETTLE_MAX		BIT(29)

/* Tables for intervals that need none of their own. */
extern unsigned long kml_settled_none[];
extern unsigned long kml_settled_all[];

static inline bool kml_settled_shared(const unsigned long *table)
{
	return table == kml_settled_none || table == kml_settled_all;
}

void kml_settled_free(struct kml_interval *iv);
void kml_settled_prepare(struct kml_interval *iv);
void kml_settled_clear(struct kml_space *space, unsigned long start, size_t size);
void kml_settled_clear_page(struct kml_space *space, unsigned long page,
			    u64 blocks);
void kml_settled_set(struct kml_space *space, unsigned long start, size_t size);

static inline unsigned int kml_settled_bit(unsigned long addr)
{
	return (addr & ~KML_INTERVAL_MASK) >> KML_BLOCK_SHIFT;
}

/*
 * Could a pointer to @addr still change anything? An address without an
 * interval holds no object. Context: rcu_read_lock(), a mark is running.
 */
static inline bool kml_settled(struct kml_space *space, unsigned long addr)
{
	struct kml_interval *iv = kml_interval_find(space, addr);
	unsigned int bit = kml_settled_bit(addr);

	if (!iv)
		return true;
	return READ_ONCE(READ_ONCE(iv->settled)[BIT_WORD(bit)]) & BIT_MASK(bit);
}

/* === Memory ============================================================= */

/*
 * Memory for metadata: slab caches, magazines, and a static pool for the time
 * before the slab exists and for emergencies after.
 */

/* a struct kml_worker, of which this layer knows nothing else */
#define KML_WORKER_BYTES	(8 * KML_PAGE_SIZE)
/* a Bloom filter: see mark.h */
#define KML_BLOOM_BITS		65536UL
#define KML_BLOOM_BYTES		(KML_BLOOM_BITS / 8)

enum kml_pool_type {
	KML_POOL_COLD,
	KML_POOL_EXT,
	KML_POOL_AREA,
	KML_POOL_RESERVE,
	KML_POOL_INTERVAL,
	KML_POOL_GROUP,
	KML_POOL_SETTLED,
	KML_POOL_L3,
	KML_POOL_L2,
	KML_POOL_WORK,
	KML_POOL_WORKER,
	KML_POOL_BLOOM,
	KML_POOL_PAGE,		/* KML_NR_GRAINS of them */
	KML_NR_POOLS = KML_POOL_PAGE + KML_NR_GRAINS,
};

void kml_pool_init(void);
void *kml_pool_alloc(enum kml_pool_type type, gfp_t gfp);
void kml_pool_free(enum kml_pool_type type, void *p);
void kml_pool_free_bulk(enum kml_pool_type type, unsigned int nr, void **p);
int kml_pool_early_left(void);
void kml_pool_grow_early(size_t size);

struct kml_cold *kml_cold_get_cached(void);
bool kml_cold_put_cached(struct kml_cold *cold);

#ifdef KML_FAULT_INJECTION
bool kml_pool_should_fail(enum kml_pool_type type);
#else
static inline bool kml_pool_should_fail(enum kml_pool_type type)
{
	return false;
}
#endif

/* === Reserve ============================================================ */

/*
 * Blocks for which there was no metadata memory.
 */

#define KML_RESERVE_NO_SCAN	BIT(0)	/* said by kmemleak_no_scan() */
#define KML_RESERVE_BLACK	BIT(1)	/* not scanned until painted grey */
#define KML_RESERVE_OVERLAP	BIT(2)	/* in the place of a tracked one */

enum kml_reserve_paint {
	KML_RESERVE_KEEP,
	KML_RESERVE_MAKE_GREY,
	KML_RESERVE_MAKE_BLACK,
	KML_RESERVE_MAKE_NO_SCAN,
};

void kml_reserve_add_overlap(struct kml_space *space, unsigned long start, size_t size,
			     int min_count);
void __kml_reserve_remove_overlaps(struct kml_space *space, unsigned long start,
				   size_t size);
bool kml_reserve_add(struct kml_space *space, unsigned long start, size_t size,
		     unsigned int flags);
bool __kml_reserve_remove(struct kml_space *space, unsigned long start);
size_t kml_reserve_remove_part(struct kml_space *space, unsigned long addr,
			       size_t size);
size_t kml_reserve_size(struct kml_space *space, unsigned long start);
bool kml_reserve_holds(struct kml_space *space, unsigned long addr);
bool kml_reserve_paint(struct kml_space *space, unsigned long start,
		       enum kml_reserve_paint how);
void kml_reserve_refill(void);
void kml_reserve_drop_all(void);
bool kml_reserve_ran_dry(void);

extern unsigned long kml_reserve_nr;

static inline bool kml_reserve_remove(struct kml_space *space,
				      unsigned long start)
{
	return unlikely(READ_ONCE(kml_reserve_nr)) &&
	       __kml_reserve_remove(space, start);
}

extern unsigned long kml_reserve_overlaps;

static inline void kml_reserve_remove_overlaps(struct kml_space *space,
					       unsigned long start, size_t size)
{
	if (unlikely(READ_ONCE(kml_reserve_overlaps)))
		__kml_reserve_remove_overlaps(space, start, size);
}

/* A block as the scan gets to see it. */
struct kml_reserve_block {
	struct kml_space *space;
	unsigned long start;
	size_t size;
};

void kml_reserve_new_mark(void);
void kml_reserve_next_round(void);
bool kml_reserve_next(struct kml_reserve_block *block);

#endif /* _MM_KMEMLEAK_INDEX_H */
