/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The index, the objects in it, and the memory of both. index.c defines page
 * descriptors, intervals, shards and walks; object.c metadata, tails and objects;
 * stack.c allocation stacks; meta.c memory and the reserve; mark.c pins and the settled
 * bitmap.
 */
#ifndef _MM_KMEMLEAK_INDEX_H
#define _MM_KMEMLEAK_INDEX_H

#include "kmemleak.h"

/* === Page descriptors =================================================== */

/*
 * A page descriptor (struct kml_page) holds the objects that start in one page of
 * 4 KiB.
 */

#define KML_NR_GRAINS		15

/*
 * The slots of a page for each grain. The slab has size classes of 96 and 192
 * bytes: with these as grains the descriptor of a full slab page has hardly an
 * empty slot. The reciprocal is exact for all offsets; kml_page_selftest() checks
 * that.
 */
struct kml_grain {
	u16 grain;
	u16 slots;
	u32 recip;		/* 2^24 / grain, rounded up */
};

extern const struct kml_grain kml_grains[KML_NR_GRAINS];

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

/* Offset of the first slot in a descriptor: the bitmap ends there. */
static inline size_t kml_page_head(unsigned int grain_idx)
{
	return offsetof(struct kml_page, bits) +
	       BITS_TO_LONGS(kml_page_slots(grain_idx)) * sizeof(long);
}

static inline struct kml_hot *kml_page_hot(struct kml_page *page)
{
	return (void *)page + page->head * sizeof(long);
}

/* As kml_page_slot(), without the table of grains. */
static inline unsigned int kml_page_slot_of(const struct kml_page *page, unsigned int off)
{
	return ((u64)off * page->recip) >> 24;
}

/* Set up a page descriptor, which is zeroed. Context: it is not published. */
static inline void kml_page_init(struct kml_page *page, unsigned int grain_idx)
{
	page->grain_idx = grain_idx;
	page->head = kml_page_head(grain_idx) / sizeof(long);
	page->recip = kml_grains[grain_idx].recip;
}

size_t kml_page_size(unsigned int grain_idx);
unsigned int kml_page_grain_idx(size_t size);
struct kml_hot *kml_page_next(struct kml_page *page, unsigned int off);
int kml_page_grain_idx_for(struct kml_page *page, unsigned int off);
void kml_page_move(struct kml_page *to, struct kml_page *from);
bool kml_page_selftest(void);

/* === Metadata of an object ============================================== */

/*
 * The metadata of an object: when and by whom it was allocated, its state, its rare
 * attributes, and a copy of all these for reports.
 */

/* Flags as the command dump= prints them. Users know the values. */
#define KML_SHOW_ALLOCATED	BIT(0)
#define KML_SHOW_REPORTED	BIT(1)
#define KML_SHOW_NO_SCAN	BIT(2)
#define KML_SHOW_FULL_SCAN	BIT(3)
#define KML_SHOW_PHYS		BIT(4)
#define KML_SHOW_PERCPU		BIT(5)
#define KML_SHOW_SUSPECT	BIT(6)

#define KML_HEX_BYTES		32

/* A copy of an object's metadata, made with leaf->lock held. */
struct kml_info {
	enum kml_space_id space;
	unsigned long addr;		/* from the allocator, with its tag */
	size_t size;			/* in bytes */
	unsigned long born;		/* in jiffies */
	unsigned long excess_ref;	/* gets surplus references; 0: none */
	u32 stamp;
	u32 state;
	u32 checksum;
	depot_stack_handle_t trace;
	int pid;
	char comm[TASK_COMM_LEN];
};

extern unsigned int kml_depth;	/* frames of an allocation stack that are saved */
depot_stack_handle_t kml_stack_save(gfp_t gfp);
void kml_cold_init(struct kml_cold *cold, depot_stack_handle_t trace,
		   unsigned long ptr);
void kml_cold_free(u32 state, struct kml_cold *cold);
bool kml_born_before(unsigned long j1, u32 s1, unsigned long j2, u32 s2);
void kml_born_now(unsigned long *born, u32 *stamp);
size_t kml_hot_size(const struct kml_hot *hot, u32 state);
void kml_info_fill(struct kml_info *info, struct kml_space *space,
		   unsigned long start, const struct kml_hot *hot);
u32 kml_hot_change(struct kml_hot *hot, u32 clear, u32 set);

/* For readers that use nothing but the state, or hold leaf->lock. */
static inline u32 kml_hot_state(const struct kml_hot *hot)
{
	return atomic_read(&hot->state);
}

/* For readers without the lock that use @size or @cold afterwards. */
static inline u32 kml_hot_state_acquire(const struct kml_hot *hot)
{
	/* pairs with the release in kml_page_add() */
	return atomic_read_acquire(&hot->state);
}

static inline int kml_cold_pid(const struct kml_cold *cold)
{
	return cold->pid & KML_PID_MASK;
}

/* The number of scans in a row that found the object unreferenced. */
static inline unsigned int kml_cold_unref(const struct kml_cold *cold)
{
	return cold->pid >> KML_PID_BITS;
}

static inline void kml_cold_set_unref(struct kml_cold *cold, unsigned int n)
{
	cold->pid = (cold->pid & KML_PID_MASK) |
		    min(n, KML_UNREF_MAX) << KML_PID_BITS;
}

/* The extension of an object that has KML_F_EXT. */
static inline struct kml_ext *kml_ext(const struct kml_hot *hot)
{
	return container_of(READ_ONCE(hot->cold), struct kml_ext, cold);
}

/* The address that the allocator returned, with its tag. */
static inline unsigned long kml_tagged(unsigned long addr,
				       const struct kml_cold *cold)
{
#ifdef KML_POINTER_TAGS
	return (addr & (~0UL >> 8)) | (unsigned long)cold->tag << 56;
#else
	return addr;
#endif
}

/* === Look-up in a page descriptor ======================================= */

/*
 * Inline, since each hook calls several of them.
 */

/* The last used slot up to and including @slot, or -1 if there is none. */
static __always_inline int kml_page_pred(const struct kml_page *page, unsigned int slot)
{
	int word = BIT_WORD(slot);
	unsigned long bits;

	bits = READ_ONCE(page->bits[word]) & (~0UL >> (BITS_PER_LONG - 1 - slot % BITS_PER_LONG));
	while (!bits) {
		if (--word < 0)
			return -1;
		bits = READ_ONCE(page->bits[word]);
	}
	return word * BITS_PER_LONG + __fls(bits);
}

static inline bool kml_page_used(const struct kml_page *page, unsigned int slot)
{
	return READ_ONCE(page->bits[BIT_WORD(slot)]) & BIT_MASK(slot);
}

/**
 * kml_page_find() - find the last object that starts at or before an offset
 * @page: page descriptor
 * @off: offset in the page, in bytes
 *
 * Context: rcu_read_lock() or leaf->lock.
 * Return: its hot entry, or NULL. The caller has to check that the object reaches
 * up to @off.
 */
static __always_inline struct kml_hot *kml_page_find(struct kml_page *page, unsigned int off)
{
	struct kml_hot *hot = kml_page_hot(page);
	int slot = kml_page_pred(page, kml_page_slot_of(page, off));

	if (slot >= 0 && (kml_hot_state(&hot[slot]) & KML_OFF_MASK) > off)
		slot = slot ? kml_page_pred(page, slot - 1) : -1;
	return slot < 0 ? NULL : &hot[slot];
}

/**
 * kml_page_exact() - find the object that starts at an offset
 * @page: page descriptor
 * @off: offset in the page, in bytes
 *
 * Context: rcu_read_lock() or leaf->lock.
 * Return: its hot entry, or NULL.
 */
static __always_inline struct kml_hot *kml_page_exact(struct kml_page *page, unsigned int off)
{
	unsigned int slot = kml_page_slot_of(page, off);
	struct kml_hot *hot = kml_page_hot(page) + slot;

	if (unlikely(!kml_page_used(page, slot) ||
		     (kml_hot_state(hot) & KML_OFF_MASK) != off))
		return NULL;
	return hot;
}

/* Is the slot for an object at offset @off unused? Context: leaf->lock. */
static __always_inline bool kml_page_slot_free(struct kml_page *page, unsigned int off)
{
	return !kml_page_used(page, kml_page_slot_of(page, off));
}

/**
 * kml_page_put() - put an object into a slot of a page descriptor
 * @page: page descriptor
 * @slot: the slot that the offset selects, which is free
 * @state: the object's state
 * @size: in bytes; U32_MAX with KML_F_BIG
 * @cold: its cold metadata
 *
 * Look-ups rely on the order of the stores: first @size and @cold, then the state
 * with release semantics, then the bit with release semantics.
 *
 * Context: leaf->lock, or @page is not published.
 */
static __always_inline void kml_page_put(struct kml_page *page, unsigned int slot, u32 state,
					 u32 size, struct kml_cold *cold)
{
	struct kml_hot *hot = kml_page_hot(page) + slot;
	unsigned long *word = &page->bits[BIT_WORD(slot)];

	WRITE_ONCE(hot->size, size);
	WRITE_ONCE(hot->cold, cold);
	/* pairs with kml_hot_state_acquire() */
	atomic_set_release(&hot->state, state);
	/* no atomic operation: leaf->lock serialises writers */
	smp_store_release(word, *word | BIT_MASK(slot));
	/* the trimmer reads this without the lock */
	WRITE_ONCE(page->nr, page->nr + 1);
}

/* kml_page_put() into the slot of the object's offset. Context: the same. */
static inline void kml_page_add(struct kml_page *page, u32 state, u32 size,
				struct kml_cold *cold)
{
	kml_page_put(page, kml_page_slot_of(page, state & KML_OFF_MASK), state, size, cold);
}

/**
 * kml_page_clear() - remove an object from a page descriptor
 * @page: page descriptor
 * @slot: slot of the object
 *
 * Only the bit is cleared: a reader that has found the entry may go on to use it.
 *
 * Context: leaf->lock.
 */
static __always_inline void kml_page_clear(struct kml_page *page, unsigned int slot)
{
	unsigned long *word = &page->bits[BIT_WORD(slot)];

	WRITE_ONCE(*word, *word & ~BIT_MASK(slot));
	WRITE_ONCE(page->nr, page->nr - 1);
}

/* kml_page_clear() by the hot entry. Context: the same. */
static inline void kml_page_del(struct kml_page *page, struct kml_hot *hot)
{
	kml_page_clear(page, hot - kml_page_hot(page));
}

/* === Intervals ========================================================== */

/*
 * The directory: address -> interval (2 MiB) -> leaf (4 KiB) -> page descriptor.
 */

/* In leaf->page: the leaf is dead, its group is being removed. Look up again. */
#define KML_PAGE_DEAD	((struct kml_page *)1UL)

static inline unsigned long kml_l2_key(unsigned long addr)
{
#if BITS_PER_LONG == 64
	return addr >> (KML_L2_SHIFT + KML_L2_BITS);
#else
	return 0;
#endif
}

/**
 * kml_interval_find() - find the interval of an address
 * @space: address space
 * @addr: untagged address
 *
 * Context: rcu_read_lock(), space->lock or kml_scan_mutex; any of them keeps the
 * interval from being freed.
 * Return: the interval, or NULL if there is none.
 */
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

/**
 * kml_leaf_find() - find the leaf of an address in its interval
 * @iv: interval of @addr
 * @addr: untagged address
 *
 * Context: rcu_read_lock(), space->lock or kml_scan_mutex; any of them keeps the
 * leaf from being freed.
 * Return: the leaf, or NULL if its group has not been allocated.
 */
static inline struct kml_leaf *kml_leaf_find(struct kml_interval *iv,
					     unsigned long addr)
{
	struct kml_group *group;

	group = READ_ONCE(iv->group[(addr >> KML_GROUP_SHIFT) % KML_GROUPS]);
	return group ? &group->leaf[(addr >> KML_PAGE_SHIFT) % KML_LEAVES] : NULL;
}

/**
 * kml_leaf_of() - find the leaf of an address
 * @space: address space
 * @addr: untagged address
 *
 * During a scan the leaf may be used after the read-side section, too: only
 * kml_interval_trim() removes leaves, and it never runs during a scan.
 *
 * Context: rcu_read_lock(), space->lock or kml_scan_mutex.
 * Return: the leaf, or NULL if there is none.
 */
static inline struct kml_leaf *kml_leaf_of(struct kml_space *space,
					   unsigned long addr)
{
	struct kml_interval *iv = kml_interval_find(space, addr);

	return iv ? kml_leaf_find(iv, addr) : NULL;
}

/**
 * kml_leaf_page() - get the page descriptor of a leaf
 * @leaf: leaf
 *
 * The insertion of an object may replace the descriptor, also during a scan; the old
 * one is freed after a grace period.
 *
 * Context: rcu_read_lock(), IRQs off, or leaf->lock.
 * Return: the descriptor, or NULL if the leaf has none or is dead.
 */
static inline struct kml_page *kml_leaf_page(struct kml_leaf *leaf)
{
	struct kml_page *page;

	page = rcu_dereference_check(leaf->page, rcu_read_lock_any_held() ||
				     lockdep_is_held(&leaf->lock));
	return likely(page != KML_PAGE_DEAD) ? page : NULL;
}

/*
 * Prefetch the parts of the page descriptor that a look-up of @addr will read: the
 * bitmap and the hot entry. The descriptor is not dereferenced: it may be NULL or
 * KML_PAGE_DEAD. If its grain is not leaf->grain_idx, the wrong line is fetched.
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

/* Is the leaf dead? Then the look-up has to be repeated: see KML_PAGE_DEAD. */
static inline bool kml_leaf_dead(struct kml_leaf *leaf)
{
	return rcu_access_pointer(leaf->page) == KML_PAGE_DEAD;
}

/*
 * An object with KML_F_NEW was inserted: the scan has to visit @iv for it. Pairs
 * with kml_prepare_all(); see "New objects" in kmemleak.h. Context: the RCU
 * read-side section of the insertion.
 */
static inline void kml_interval_set_has_new(struct kml_interval *iv)
{
	/* the entry before the flag */
	smp_mb();
	if (!READ_ONCE(iv->has_new))
		WRITE_ONCE(iv->has_new, true);
}

/*
 * An object left a page of @iv: tell the trimmer. Usually the flag is set already;
 * avoid dirtying the line. Context: the RCU read-side section of the removal, leaf->lock
 * or space->lock held; see "Trim hints" in kmemleak.h.
 */
static inline void kml_interval_vacate(struct kml_interval *iv)
{
	/* pairs with the release in kml_trim_take() */
	if (!READ_ONCE(iv->vacated) && !xchg(&iv->vacated, 1))
		llist_add(&iv->vacated_link, &iv->shard->vacated);
}

/*
 * Number of the running scan, modulo 2^16. A leaf->recount_seq from 65536 scans ago
 * looks current: its page is then visited for nothing.
 */
extern u16 kml_recount_seq;

/*
 * The confirming marks have to visit the object at @addr: flag its interval and its
 * leaf. Context: RCU read-side section.
 */
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

/*
 * Decode leaf->continued_from or interval->filled_by: the inverted start of an
 * object, or 0 for no object. Return: true if there is an object.
 */
static inline bool kml_decode_start(unsigned long inverted, unsigned long *start)
{
	*start = ~inverted;
	return inverted;
}

struct kml_hot *kml_lookup(struct kml_space *space, unsigned long addr,
			   unsigned long *start);
struct kml_hot *kml_lookup_exact(struct kml_space *space, unsigned long start);

/* The result of kml_lookup_pinned(). */
struct kml_pinned {
	u32 state;
	size_t size;			/* in bytes */
	struct kml_ext *ext;		/* NULL: none; valid until the unpin */
};

bool kml_lookup_pinned(struct kml_leaf *leaf, unsigned long start,
		       struct kml_pinned *p);

int kml_interval_ensure(struct kml_space *space, unsigned long addr, gfp_t gfp);
int kml_leaf_ensure(struct kml_space *space, unsigned long addr, gfp_t gfp);
void __kml_window_grow(struct kml_space *space, unsigned long first,
		       unsigned long last);

/**
 * kml_window_grow() - widen the window of a space
 * @space: address space
 * @first: first address of a new object, untagged
 * @last: its last address
 *
 * Filters look for pointers into the window of a space only.
 *
 * Context: any, no raw lock held.
 */
static inline void kml_window_grow(struct kml_space *space, unsigned long first,
				   unsigned long last)
{
	if (unlikely(first < kml_window_min(space) || last > kml_window_last(space)))
		__kml_window_grow(space, first, last);
}

void kml_page_free_rcu(struct kml_page *page);

/*
 * kml_interval_walk() calls this for each interval of a space. A return value other
 * than 0 ends the walk. Context: process, kml_scan_mutex held; may sleep.
 */
typedef int (*kml_interval_fn)(struct kml_space *space, struct kml_interval *iv,
			       void *data);
int kml_interval_walk(struct kml_space *space, kml_interval_fn fn, void *data);
void kml_interval_trim(bool expedited);

/* === Objects that span pages ============================================ */

/*
 * The tail of an object: the pages and intervals that it reaches into after the page
 * where it starts.
 */

struct kml_tail {
	struct kml_space *space;
	unsigned long start;		/* of the object, untagged */
	unsigned long last;		/* its last address */
	gfp_t gfp;			/* of the tracked allocation */
	unsigned long hit;		/* on -EEXIST: start of the other object */
};

int kml_tail_fill(struct kml_tail *s);
void kml_tail_clear(struct kml_space *space, unsigned long start,
		    unsigned long last);

/* Is an object from @start to @last without a tail? */
static inline bool kml_one_page(unsigned long start, unsigned long last)
{
	return !((start ^ last) & KML_PAGE_MASK);
}

/* === Shards ============================================================= */

/*
 * A shard is the list of the intervals that one CPU owns.
 */

/* The position of a worker in the shards: those of its node come first. */
struct kml_shard_cursor {
	unsigned int cpu;		/* the worker's */
	unsigned int i;			/* shards tried, counted from @cpu */
	bool remote;			/* the shards of this node are done */
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
 * A walk calls a visitor for every object of a space.
 */

enum kml_visit {
	KML_VISIT_NEXT,		/* go on under the same lock */
	KML_VISIT_DROP_LOCK,	/* release the lock, then go on */
	KML_VISIT_UNLOCKED,	/* call @unlocked for this object, then go on */
};

/**
 * struct kml_visitor - callbacks of a walk
 * @visit: called for each object, with leaf->lock held and IRQs off
 * @unlocked: called for an object when @visit has returned KML_VISIT_UNLOCKED. No
 *	lock is held, so the object may have been freed. May sleep.
 * @resched: called after each leaf, with no lock held. Returns true to end the
 *	walk. NULL: cond_resched()
 * @wants_interval: does the walk visit this interval? NULL: all of them
 * @wants_leaf: does the walk visit this page? NULL: all of them
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
 * Insert, lock, change and remove objects.
 */

/* An object whose leaf is locked, see kml_object_lock(). */
struct kml_locked {
	struct kml_space *space;
	struct kml_interval *iv;
	struct kml_leaf *leaf;
	struct kml_page *page;
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
 * Pins keep a block readable: kmemleak_free() does not return while a worker reads
 * the block, and a worker reads only between setting and clearing a pin.
 *
 *	worker (reader)				hook (free)
 *
 *	local_irq_save()
 *	pin = ~start				clear KML_F_ALLOCATED
 *	smp_mb()				(atomic, full barrier)
 *	not allocated? give up			scan not active? done
 *	read up to KML_CHUNK bytes		while any pin == ~start (acquire):
 *	pin = 0 (release)				cpu_relax()
 *	local_irq_restore()
 *
 * Both sides store, pass a full barrier and load (Dekker): either the worker sees
 * that the object is gone, or the hook sees the pin. The hook also sees that a scan
 * is active, since kml_scan_open() sets scan_active and waits for a grace period
 * before the first pin is set. Pins are inverted: 0 is the start of a block, too.
 *
 * IRQs are off for two reasons. A free in an interrupt handler never waits for the
 * CPU that it runs on, and no free waits longer than it takes to read 4 KiB.
 *
 * After Michael, "Hazard pointers: safe memory reclamation for lock-free
 * objects", IEEE TPDS 15(6), 2004. There reclamation is deferred; here the free
 * waits, for it is the owner of the block that frees it, and cannot defer.
 */

/* The pins of a reader are one cache line: a free reads one line per reader. */
#define KML_PINS	(64 / sizeof(unsigned long))

struct kml_pins {
	unsigned long start[KML_PINS];	/* inverted; 0: not in use */
} ____cacheline_aligned;

bool kml_pins_attach(struct kml_pins *pins);
void __kml_pin_wait(unsigned long start);

/**
 * kml_pin_wait() - wait until no worker reads a block
 * @start: untagged start of the block
 *
 * Context: any. The caller has removed the object, and a full barrier follows the
 * removal: an atomic that clears KML_F_ALLOCATED, or smp_mb() for the reserve.
 */
static inline void kml_pin_wait(unsigned long start)
{
	if (unlikely(kml_scan_active()))
		__kml_pin_wait(start);
}

/**
 * kml_pin() - set a pin of the calling worker
 * @pins: the worker's
 * @i: which of them
 * @start: untagged start of the block
 *
 * Several pins may share a barrier: the caller issues one smp_mb() after the last of
 * them, and then looks up each object again.
 *
 * Context: IRQs off until kml_unpin().
 */
static inline void kml_pin(struct kml_pins *pins, unsigned int i,
			   unsigned long start)
{
	lockdep_assert_irqs_disabled();
	WRITE_ONCE(pins->start[i], ~start);
}

static inline void kml_unpin(struct kml_pins *pins, unsigned int i)
{
	/* our reads are done: pairs with the acquire in kml_pinned() */
	smp_store_release(&pins->start[i], 0);
}

/* === Settled blocks ===================================================== */

/*
 * The settled bitmap of an interval has a bit for each block of 64 bytes. The bit is
 * set if no pointer into the block can change an object's state for the rest of the
 * mark. Such a pointer needs no look-up.
 */

#define KML_BLOCK_SHIFT		6
#define KML_BLOCK_SIZE		BIT(KML_BLOCK_SHIFT)
#define KML_SETTLED_BITS	(KML_INTERVAL_SIZE >> KML_BLOCK_SHIFT)
#define KML_SETTLED_LONGS	(KML_SETTLED_BITS / BITS_PER_LONG)

/* blocks in a page: 64 on 32-bit machines, too */
#define KML_PAGE_BLOCKS		(KML_PAGE_SIZE >> KML_BLOCK_SHIFT)

/* Larger objects stay unsettled: 256 intervals take 10 us without preemption. */
#define KML_SETTLE_MAX		BIT(29)

/* Bitmaps for intervals that have none of their own: no bit set, all bits set. */
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

/**
 * kml_settled() - does a pointer to an address need no look-up?
 * @space: address space
 * @addr: untagged address
 *
 * Context: rcu_read_lock(), while a mark runs.
 * Return: true if the block of @addr is settled, or @addr has no interval and so
 * belongs to no object.
 */
static inline bool kml_settled(struct kml_space *space, unsigned long addr)
{
	struct kml_interval *iv = kml_interval_find(space, addr);
	unsigned int bit = kml_settled_bit(addr);

	if (!iv)
		return true;
	return READ_ONCE(READ_ONCE(iv->settled)[BIT_WORD(bit)]) & BIT_MASK(bit);
}

/* === Physical blocks ==================================================== */

struct kml_phys {
	struct rb_node node;
	unsigned long not_start;	/* inverted: the static pool is read, too */
	size_t size;
	bool black;			/* not read */
	bool no_scan;			/* shown with dump=; not of the rest of a block */
	bool merged;			/* from several */
	bool is_new;			/* since the current mark began */
	struct kml_cold cold;
};

int kml_phys_insert(unsigned long start, size_t size, gfp_t gfp,
		    depot_stack_handle_t trace, struct kml_info *hit);
int kml_phys_remove(unsigned long start, size_t size, depot_stack_handle_t trace);
int kml_phys_paint(unsigned long start, bool black);
bool kml_phys_info(unsigned long addr, struct kml_info *info);
size_t kml_phys_next(unsigned long *at, unsigned long *start, bool only_new);
struct kml_reserve_block;
bool kml_phys_copy_root(void *to, unsigned long from, size_t len);
size_t kml_phys_copy(struct kml_pins *pins, void *to, unsigned long from, size_t len,
		     size_t more, const struct kml_reserve_block *reserved);
bool kml_pfn_has_owner(struct page *page);
bool kml_pfn_is_untouchable(struct page *page, unsigned long pfn);
void kml_phys_drop_all(void);

/* === Memory ============================================================= */

/*
 * Memory for metadata: slab caches, per-CPU magazines, and a static pool. The pool
 * serves before the slab works, and later when the slab has no memory.
 */

/* Room for a struct kml_worker, which mark.h defines. */
#define KML_WORKER_BYTES	(8 * KML_PAGE_SIZE)
/* The Bloom filter of suspects, see mark.h. */
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
	KML_POOL_PHYS,
	KML_POOL_PAGE,		/* the first of KML_NR_GRAINS pools */
	KML_NR_POOLS = KML_POOL_PAGE + KML_NR_GRAINS,
};

void kml_pool_init(void);
void *kml_pool_alloc(enum kml_pool_type type, gfp_t gfp);
void kml_pool_free(enum kml_pool_type type, void *p);
void kml_pool_free_bulk(enum kml_pool_type type, unsigned int nr, void **p);
int kml_pool_early_left(void);

/*
 * The static pool. An early object needs its cold metadata, its slot, and a part of
 * the tables. KML_EARLY_TABLES is for the tables that the first objects need.
 */
#define KML_EARLY_OBJECT	(sizeof(struct kml_cold) + 2 * sizeof(struct kml_hot) + 24)
#define KML_EARLY_TABLES	(256 * 1024)
#define KML_EARLY_BYTES		(CONFIG_DEBUG_KMEMLEAK_MEM_POOL_SIZE * \
				 KML_EARLY_OBJECT + KML_EARLY_TABLES)

extern char kml_early_pool[KML_EARLY_BYTES];

static inline bool kml_is_early(const void *p)
{
	return (unsigned long)p - (unsigned long)kml_early_pool < KML_EARLY_BYTES;
}

/*
 * A magazine is a stack of free cold metadata. Only frees fill it. Its CPU owns it
 * and uses it with IRQs off, without a lock. Until kml_pool_init() it is empty, since
 * all cold metadata are from the static pool.
 */
#define KML_MAGAZINE	30

struct kml_magazine {
	unsigned int nr;
	struct kml_cold *cold[KML_MAGAZINE];
};

DECLARE_PER_CPU(struct kml_magazine, kml_magazine);

/**
 * kml_cold_get_cached() - take cold metadata from this CPU's magazine
 *
 * Context: IRQs off.
 * Return: memory with undefined content, or NULL if the magazine is empty.
 */
static inline struct kml_cold *kml_cold_get_cached(void)
{
	struct kml_magazine *mag;

	lockdep_assert_irqs_disabled();
	mag = this_cpu_ptr(&kml_magazine);
	return likely(mag->nr) ? mag->cold[--mag->nr] : NULL;
}

/**
 * kml_cold_put_cached() - put cold metadata into this CPU's magazine
 * @cold: cold metadata to which no reader has a pointer
 *
 * Context: IRQs off.
 * Return: true if the magazine has taken it. False if there is no room, or if @cold
 * is from the static pool: the caller has to free it.
 */
static inline bool kml_cold_put_cached(struct kml_cold *cold)
{
	struct kml_magazine *mag;

	lockdep_assert_irqs_disabled();
	if (unlikely(kml_is_early(cold)))
		return false;

	mag = this_cpu_ptr(&kml_magazine);
	if (unlikely(mag->nr == KML_MAGAZINE))
		return false;
	mag->cold[mag->nr++] = cold;
	return true;
}

#ifdef KML_FAULT_INJECTION
bool kml_pool_should_fail(enum kml_pool_type type);
#else
static inline bool kml_pool_should_fail(enum kml_pool_type type)
{
	return false;
}
#endif

/* === Pages of lost blocks =============================================== */

/* Pages with blocks for which there was no memory at all are roots until they are free. */

unsigned long kml_lost_pages(void);
bool kml_lost_has(unsigned long pfn);
void kml_lost_keep(unsigned long pfn);
void kml_lost_begin(void);
void kml_lost_end(void);
void kml_lost_grow(unsigned long *bits, unsigned long nr);

/* === Reserve ============================================================ */

/*
 * The reserve lists blocks for which there was no memory for metadata.
 */

#define KML_RESERVE_NO_SCAN	BIT(0)	/* set by kmemleak_no_scan() */
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

extern unsigned long kml_reserve_nr;

/**
 * kml_reserve_remove() - remove a freed block from the reserve
 * @space: address space
 * @start: untagged start of the block
 *
 * When this returns no worker reads the block.
 *
 * Context: any.
 * Return: true if the block was in the reserve.
 */
static inline bool kml_reserve_remove(struct kml_space *space,
				      unsigned long start)
{
	return unlikely(READ_ONCE(kml_reserve_nr)) &&
	       __kml_reserve_remove(space, start);
}

/* Blocks with KML_RESERVE_OVERLAP: their number, and between which addresses they start. */
struct kml_overlaps {
	unsigned long nr;
	unsigned long not_min;		/* inverted */
	unsigned long not_last;		/* inverted */
};

extern struct kml_overlaps kml_overlaps;

/* Every free comes here, so the hash table is searched only if it may have a hit. */
static inline void kml_reserve_remove_overlaps(struct kml_space *space,
					       unsigned long start, size_t size)
{
	if (unlikely(READ_ONCE(kml_overlaps.nr)) &&
	    start <= ~READ_ONCE(kml_overlaps.not_last) &&
	    kml_last(start, size) >= ~READ_ONCE(kml_overlaps.not_min))
		__kml_reserve_remove_overlaps(space, start, size);
}

/* A block of the reserve that a mark has to read. */
struct kml_reserve_block {
	struct kml_space *space;
	unsigned long start;
	size_t size;
};

void kml_reserve_new_mark(void);
void kml_reserve_next_round(void);
bool kml_reserve_next(struct kml_reserve_block *block);

#endif /* _MM_KMEMLEAK_INDEX_H */
