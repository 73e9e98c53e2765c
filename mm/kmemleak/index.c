// SPDX-License-Identifier: GPL-2.0-only
/* Index: address -> object. */

#include "os.h"
#include "index.h"

/* === Page descriptors =================================================== */

/*
 * A page's objects do not overlap, so two that are at least a grain apart fall
 * into different slots. Any inner pointer is resolved by going back from its
 * slot to the last used one: O(1), a bit scan. An object may start behind the
 * pointer in the pointer's own slot; then it is the one before.
 *
 * Changes are made under the leaf's lock. Readers hold only rcu_read_lock().
 */

/* checked by kml_page_selftest() */
const struct kml_grain kml_grains[] = {
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

#define KML_LAST_GRAIN	(ARRAY_SIZE(kml_grains) - 1)

size_t kml_page_size(unsigned int grain_idx)
{
	return kml_page_head(grain_idx) + kml_page_slots(grain_idx) * sizeof(struct kml_hot);
}

/* The coarsest grain that keeps objects this far apart in different slots. */
unsigned int kml_page_grain_idx(size_t size)
{
	unsigned int grain_idx = KML_LAST_GRAIN;

	while (grain_idx && kml_grains[grain_idx].grain > size)
		grain_idx--;
	return grain_idx;
}

/* The last used slot up to and including @slot, or -1. */
static int kml_page_pred(const struct kml_page *page, int slot)
{
	int word = BIT_WORD(slot);
	unsigned long bits;

	if (slot < 0)
		return -1;

	bits = READ_ONCE(page->bits[word]) & (~0UL >> (BITS_PER_LONG - 1 - slot % BITS_PER_LONG));
	while (!bits) {
		if (--word < 0)
			return -1;
		bits = READ_ONCE(page->bits[word]);
	}
	return word * BITS_PER_LONG + __fls(bits);
}

static bool kml_page_used(const struct kml_page *page, unsigned int slot)
{
	return READ_ONCE(page->bits[BIT_WORD(slot)]) & BIT_MASK(slot);
}

/* The object with the largest start at or before @off, or NULL. */
struct kml_hot *kml_page_find(struct kml_page *page, unsigned int off)
{
	struct kml_hot *hot = kml_page_hot(page);
	int slot = kml_page_pred(page, kml_page_slot(page->grain_idx, off));

	if (slot < 0)
		return NULL;
	if ((kml_hot_state(&hot[slot]) & KML_OFF_MASK) > off) {
		slot = kml_page_pred(page, slot - 1);
		if (slot < 0)
			return NULL;
	}
	return &hot[slot];
}

/* The object that starts at @off, or NULL. */
struct kml_hot *kml_page_exact(struct kml_page *page, unsigned int off)
{
	unsigned int slot = kml_page_slot(page->grain_idx, off);
	struct kml_hot *hot = kml_page_hot(page) + slot;

	if (!kml_page_used(page, slot) ||
	    (kml_hot_state(hot) & KML_OFF_MASK) != off)
		return NULL;
	return hot;
}

/* The first object that starts at or behind @off, or NULL. */
struct kml_hot *kml_page_next(struct kml_page *page, unsigned int off)
{
	unsigned int slots = kml_page_slots(page->grain_idx);
	struct kml_hot *hot = kml_page_hot(page);
	unsigned int slot = kml_page_slot(page->grain_idx, off);

	slot = find_next_bit(page->bits, slots, slot);
	if (slot < slots && (kml_hot_state(&hot[slot]) & KML_OFF_MASK) < off)
		slot = find_next_bit(page->bits, slots, slot + 1);
	return slot < slots ? &hot[slot] : NULL;
}

bool kml_page_slot_free(struct kml_page *page, unsigned int off)
{
	return !kml_page_used(page, kml_page_slot(page->grain_idx, off));
}

/*
 * Fill the slot of the object at the offset in @state, which must be free. The
 * order is what look-ups rely on: content, state (release), bit.
 */
void kml_page_add(struct kml_page *page, u32 state, u32 size,
		  struct kml_cold *cold)
{
	unsigned int slot = kml_page_slot(page->grain_idx, state & KML_OFF_MASK);
	struct kml_hot *hot = kml_page_hot(page) + slot;
	unsigned long *word = &page->bits[BIT_WORD(slot)];

	WRITE_ONCE(hot->size, size);
	WRITE_ONCE(hot->cold, cold);
	/* pairs with kml_hot_state_acquire() */
	atomic_set_release(&hot->state, state);
	/* plain store: writers are serialised by the leaf's lock */
	smp_store_release(word, *word | BIT_MASK(slot));
	/* trimming reads it without the lock */
	WRITE_ONCE(page->nr, page->nr + 1);
}

void kml_page_del(struct kml_page *page, struct kml_hot *hot)
{
	unsigned int slot = hot - kml_page_hot(page);
	unsigned long *word = &page->bits[BIT_WORD(slot)];

	WRITE_ONCE(*word, *word & ~BIT_MASK(slot));
	WRITE_ONCE(page->nr, page->nr - 1);
}

/*
 * The coarsest class in which all objects of @page and one at @off have slots
 * of their own, or -1 if one starts at @off already.
 */
int kml_page_grain_idx_for(struct kml_page *page, unsigned int off)
{
	struct kml_hot *hot = kml_page_hot(page);
	unsigned int dist = KML_PAGE_SIZE, slot, o;
	int prev = -1;
	bool seen = false;

	for_each_set_bit(slot, page->bits, kml_page_slots(page->grain_idx)) {
		o = kml_hot_state(&hot[slot]) & KML_OFF_MASK;
		if (!seen && o >= off) {
			if (prev >= 0)
				dist = min(dist, off - prev);
			prev = off;
			seen = true;
		}
		if (prev >= 0)
			dist = min(dist, o - prev);
		prev = o;
	}
	if (!seen && prev >= 0)
		dist = min(dist, off - prev);
	return dist ? (int)kml_page_grain_idx(dist) : -1;
}

/*
 * Move all objects of @from into @to, which is empty, not published and of a
 * class from kml_page_grain_idx_for(). The old states are frozen: a marker that
 * still holds @from has to look up again and waits for @to to be published.
 */
void kml_page_move(struct kml_page *to, struct kml_page *from)
{
	struct kml_hot *hot = kml_page_hot(from);
	unsigned int slot;

	for_each_set_bit(slot, from->bits, kml_page_slots(from->grain_idx)) {
		u32 state = atomic_fetch_or(KML_F_FROZEN, &hot[slot].state);

		kml_page_add(to, state, hot[slot].size, hot[slot].cold);
	}
	kml_count_inc(KML_C_REGRAINS);
}

/* Is slot(off) == off / grain everywhere, and within the descriptor? For KUnit. */
bool kml_page_selftest(void)
{
	unsigned int grain_idx, off;

	BUILD_BUG_ON(ARRAY_SIZE(kml_grains) != KML_NR_GRAINS);

	for (grain_idx = 0; grain_idx < KML_NR_GRAINS; grain_idx++)
		for (off = 0; off < KML_PAGE_SIZE; off++)
			if (kml_page_slot(grain_idx, off) != off / kml_grains[grain_idx].grain ||
			    kml_page_slot(grain_idx, off) >= kml_page_slots(grain_idx))
				return false;
	return true;
}

/* === Shards ============================================================= */

/*
 * Shards. An interval belongs to the CPU on which its first object was born;
 * its tables were allocated there, so they are on that node, and the CPU's
 * share of a scan is its own intervals. What is born before per-CPU data works
 * belongs to the boot shard.
 */

static struct kml_shard kml_boot_shard = {
	.lock = __RAW_SPIN_LOCK_UNLOCKED(kml_boot_shard.lock),
	.cpu = -1,
	.intervals = {
		[KML_VIRT]	= LIST_HEAD_INIT(kml_boot_shard.intervals[KML_VIRT]),
		[KML_PHYS]	= LIST_HEAD_INIT(kml_boot_shard.intervals[KML_PHYS]),
		[KML_PERCPU]	= LIST_HEAD_INIT(kml_boot_shard.intervals[KML_PERCPU]),
	},
};

static DEFINE_PER_CPU(struct kml_shard, kml_shards);

/* Context: any. The caller may migrate; then its memory is remote, no more. */
static struct kml_shard *kml_shard_here(void)
{
	return likely(kml_pool_ready()) ? raw_cpu_ptr(&kml_shards) : &kml_boot_shard;
}

/* The boot shard first, then one a CPU; NULL starts and ends. */
static struct kml_shard *kml_shard_next(struct kml_shard *shard)
{
	unsigned int cpu;

	if (!shard)
		return &kml_boot_shard;
	if (!kml_pool_ready())
		return NULL;

	cpu = cpumask_next(shard->cpu, cpu_possible_mask);
	return cpu < nr_cpu_ids ? per_cpu_ptr(&kml_shards, cpu) : NULL;
}

/* Context: space->lock. Walkers go without a lock, see kml_interval_walk(). */
static void kml_shard_add(struct kml_interval *iv, enum kml_space_id id)
{
	struct kml_shard *shard = iv->shard;

	raw_spin_lock(&shard->lock);
	list_add_tail_rcu(&iv->link, &shard->intervals[id]);
	shard->nr++;
	raw_spin_unlock(&shard->lock);
}

/* Context: space->lock and kml_scan_mutex. */
void kml_shard_del(struct kml_interval *iv)
{
	struct kml_shard *shard = iv->shard;

	raw_spin_lock(&shard->lock);
	list_del_rcu(&iv->link);
	shard->nr--;
	raw_spin_unlock(&shard->lock);
}

/*
 * Let workers take all intervals anew. Context: kml_scan_mutex held, so that
 * none vanishes; nobody is taking.
 */
void kml_shards_rewind(void)
{
	struct kml_shard *shard;

	for (shard = kml_shard_next(NULL); shard; shard = kml_shard_next(shard)) {
		raw_spin_lock_irq(&shard->lock);
		WRITE_ONCE(shard->space, 0);
		shard->taken = &shard->intervals[0];
		raw_spin_unlock_irq(&shard->lock);
	}
}

void kml_shard_cursor_init(struct kml_shard_cursor *c, unsigned int cpu)
{
	*c = (struct kml_shard_cursor){ .cpu = cpu };
}

/* Intervals born meanwhile are taken, too, unless their list is done. */
static struct kml_interval *kml_shard_take_one(struct kml_shard *shard,
					       enum kml_space_id *id)
{
	struct kml_interval *iv = NULL;

	if (READ_ONCE(shard->space) == KML_NR_SPACES)
		return NULL;

	raw_spin_lock_irq(&shard->lock);
	while (!iv && shard->space < KML_NR_SPACES) {
		struct list_head *next = shard->taken->next;

		if (next != &shard->intervals[shard->space]) {
			iv = list_entry(next, struct kml_interval, link);
			*id = shard->space;
		} else {
			WRITE_ONCE(shard->space, shard->space + 1);
			next = &shard->intervals[shard->space % KML_NR_SPACES];
		}
		shard->taken = next;
	}
	raw_spin_unlock_irq(&shard->lock);
	return iv;
}

/**
 * kml_shard_take() - take an interval that nobody else has taken
 * @c: the caller's, its own
 * @id: set to the interval's space
 *
 * Context: process; the initiator of the scan holds kml_scan_mutex.
 * Return: the interval, or NULL if there is none left.
 */
struct kml_interval *kml_shard_take(struct kml_shard_cursor *c,
				    enum kml_space_id *id)
{
	struct kml_interval *iv = NULL;

	for (;;) {
		/* behind the last CPU: the boot shard */
		unsigned int cpu = (c->cpu + c->i) % (nr_cpu_ids + 1);

		if (cpu == nr_cpu_ids)
			iv = kml_shard_take_one(&kml_boot_shard, id);
		else if (cpu_possible(cpu) &&
			 (c->remote || cpu_to_node(cpu) == cpu_to_node(c->cpu)))
			iv = kml_shard_take_one(per_cpu_ptr(&kml_shards, cpu), id);
		if (iv)
			return iv;
		if (c->i < nr_cpu_ids) {
			c->i++;
		} else {
			if (c->remote)
				return NULL;
			c->remote = true;
			c->i = 0;
		}
	}
}

unsigned long kml_shard_intervals(void)
{
	struct kml_shard *shard;
	unsigned long nr = 0;

	for (shard = kml_shard_next(NULL); shard; shard = kml_shard_next(shard))
		nr += READ_ONCE(shard->nr);
	return nr;
}

/* Context: before kml_pool_init(). */
void __init kml_shard_init(void)
{
	int cpu, id;

	for_each_possible_cpu(cpu) {
		struct kml_shard *shard = per_cpu_ptr(&kml_shards, cpu);

		raw_spin_lock_init(&shard->lock);
		shard->cpu = cpu;
		for (id = 0; id < KML_NR_SPACES; id++)
			INIT_LIST_HEAD(&shard->intervals[id]);
	}
}

/* === Settled tables ===================================================== */

unsigned long kml_settled_none[KML_SETTLED_LONGS];
unsigned long kml_settled_all[KML_SETTLED_LONGS] = {
	[0 ... KML_SETTLED_LONGS - 1] = ~0UL,
};

void kml_settled_free(struct kml_interval *iv)
{
	if (!kml_settled_shared(iv->settled))
		kml_pool_free(KML_POOL_SETTLED, iv->settled);
}

/* === Intervals ========================================================== */

/*
 * The interval directory.
 *
 * A radix tree of three levels whose last level is 2 MiB intervals, each of
 * which belongs to the shard of the CPU that touched it first: slabs stay on
 * their CPU, so do the leaves' cache lines and, with them, the locks. Tables
 * below the intervals are allocated by 512 KiB, as objects come, and given back
 * by the trimmer.
 *
 * Everything here is published under space->lock and read under RCU; see the
 * head of kmemleak.h.
 */

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

u16 kml_recount_seq;

/**
 * kml_lookup_exact() - find the object that starts at an address
 * @space: where
 * @start: untagged address
 *
 * Context: rcu_read_lock(), or leaf->lock.
 * Return: its hot entry or NULL. It
 * may be going away or being reused: check its state.
 */
struct kml_hot *kml_lookup_exact(struct kml_space *space, unsigned long start)
{
	struct kml_leaf *leaf = kml_leaf_of(space, start);
	struct kml_page *page = leaf ? kml_leaf_page(leaf) : NULL;

	return page ? kml_page_exact(page, start & ~KML_PAGE_MASK) : NULL;
}

/**
 * kml_lookup_pinned() - what is at an address, for those who have pinned it
 * @leaf: of @start, or NULL
 * @start: untagged address, pinned
 * @p: set to what is there
 *
 * What is found stays until it is unpinned. Its entry does not: whoever frees
 * the object takes the entry out and then waits. The entry may belong to a
 * neighbour by then, so the state is checked again after reading from it.
 *
 * Context: rcu_read_lock(), IRQs off.
 * Return: false if no allocated object
 * starts at @start.
 */
bool kml_lookup_pinned(struct kml_leaf *leaf, unsigned long start,
		       struct kml_pinned *p)
{
	const u32 fixed = KML_OFF_MASK | KML_F_ALLOCATED | KML_F_FROZEN |
			  KML_F_EXT | KML_F_BIG;

	for (;;) {
		struct kml_page *page = leaf ? kml_leaf_page(leaf) : NULL;
		struct kml_hot *hot;
		struct kml_cold *cold;
		u32 state, again;

		hot = page ? kml_page_exact(page, start & ~KML_PAGE_MASK) : NULL;
		if (!hot)
			return false;
		state = kml_hot_state_acquire(hot);
		if ((state & KML_OFF_MASK) != (start & ~KML_PAGE_MASK))
			return false;
		if (unlikely(state & KML_F_FROZEN)) {
			/* its new place is about to be published */
			cpu_relax();
			continue;
		}
		if (!(state & KML_F_ALLOCATED))
			return false;

		p->state = state;
		p->size = READ_ONCE(hot->size);
		p->ext = NULL;
		cold = READ_ONCE(hot->cold);
		/* pairs with the release of the state in kml_page_add() */
		smp_rmb();
		again = atomic_read(&hot->state);
		if (unlikely((state ^ again) & fixed))
			continue;
		if (unlikely(state & KML_F_EXT))
			p->ext = container_of(cold, struct kml_ext, cold);
		if (unlikely(state & KML_F_BIG))
			p->size = p->ext->size;
		return true;
	}
}

/**
 * kml_lookup() - find the object that could hold an address
 * @space: where
 * @addr: untagged address
 * @start: set to the start of the object
 *
 * The size is left to the caller, who knows whether it can read a big one.
 *
 * Context: rcu_read_lock().
 * Return: like kml_lookup_exact().
 */
struct kml_hot *kml_lookup(struct kml_space *space, unsigned long addr,
			   unsigned long *start)
{
	struct kml_interval *iv = kml_interval_find(space, addr);
	struct kml_leaf *leaf;
	struct kml_page *page;
	struct kml_hot *hot;
	unsigned long cont = 0;

	if (!iv)
		return NULL;

	leaf = kml_leaf_find(iv, addr);
	if (leaf) {
		page = kml_leaf_page(leaf);
		hot = page ? kml_page_find(page, addr & ~KML_PAGE_MASK) : NULL;
		if (hot) {
			*start = (addr & KML_PAGE_MASK) +
				 (kml_hot_state(hot) & KML_OFF_MASK);
			return hot;
		}
		cont = READ_ONCE(leaf->continued_from);
	}
	if (!cont)
		cont = READ_ONCE(iv->filled_by);
	if (!kml_decode_start(cont, start))
		return NULL;
	return kml_lookup_exact(space, *start);
}

/* Where the l3 table of @addr is published, or NULL. Context: space->lock. */
static struct kml_l3 **kml_l3_slot(struct kml_space *space, unsigned long addr)
{
	unsigned long key = kml_l2_key(addr);
	struct kml_l2 *l2 = space->l1[key % (1U << KML_L1_BITS)];

	while (l2 && l2->key != key)
		l2 = l2->next;
	return l2 ? &l2->l3[(addr >> KML_L2_SHIFT) % (1U << KML_L2_BITS)] : NULL;
}

/*
 * Publish what is missing of the way to the interval of @addr. Takes what it
 * used out of the caller's hands; NULL is what was thought to be there. Context: space->lock.
 */
static void kml_interval_publish(struct kml_space *space, unsigned long addr,
				 struct kml_l2 **l2, struct kml_l3 **l3,
				 struct kml_interval **iv)
{
	struct kml_l3 **slot = kml_l3_slot(space, addr);
	struct kml_interval **ivp;

	lockdep_assert_held(&space->lock);

	if (!slot) {
		struct kml_l2 **head = &space->l1[kml_l2_key(addr) %
						  (1U << KML_L1_BITS)];

		if (!*l2)
			return;
		(*l2)->key = kml_l2_key(addr);
		(*l2)->next = *head;
		/* pairs with READ_ONCE() of look-ups: content before pointer */
		smp_store_release(head, *l2);
		*l2 = NULL;
		slot = kml_l3_slot(space, addr);
	}
	if (!*slot) {
		if (!*l3)
			return;
		/* as above */
		smp_store_release(slot, *l3);
		*l3 = NULL;
	}
	ivp = &(*slot)->iv[(addr >> KML_L3_SHIFT) % (1U << KML_L3_BITS)];
	if (!*ivp) {
		kml_shard_add(*iv, space->id);
		/* as above */
		smp_store_release(ivp, *iv);
		*iv = NULL;
	}
}

/**
 * kml_interval_ensure() - make the directory reach an address
 * @space: where
 * @addr: untagged address
 * @gfp: of the tracked allocation
 *
 * A trimmer may take it away again at once: look up and retry.
 *
 * Context: as @gfp allows; no raw lock, not in an RCU read-side section.
 * Return: 0 or -ENOMEM.
 */
int kml_interval_ensure(struct kml_space *space, unsigned long addr, gfp_t gfp)
{
	struct kml_interval *iv;
	struct kml_l2 *l2 = NULL;
	struct kml_l3 *l3 = NULL;
	unsigned long flags;
	bool need_l2, need_l3, failed;

	rcu_read_lock();
	iv = kml_interval_find(space, addr);
	rcu_read_unlock();
	if (iv)
		return 0;

	raw_spin_lock_irqsave(&space->lock, flags);
	need_l2 = !kml_l3_slot(space, addr);
	need_l3 = need_l2 || !*kml_l3_slot(space, addr);
	raw_spin_unlock_irqrestore(&space->lock, flags);

	iv = kml_pool_alloc(KML_POOL_INTERVAL, gfp);
	if (need_l2)
		l2 = kml_pool_alloc(KML_POOL_L2, gfp);
	if (need_l3)
		l3 = kml_pool_alloc(KML_POOL_L3, gfp);
	failed = !iv || (need_l2 && !l2) || (need_l3 && !l3);

	if (iv) {
		iv->nr = addr >> KML_INTERVAL_SHIFT;
		iv->settled = kml_settled_none;
		iv->vacated = true;
		iv->shard = kml_shard_here();
		raw_spin_lock_irqsave(&space->lock, flags);
		kml_interval_publish(space, addr, &l2, &l3, &iv);
		raw_spin_unlock_irqrestore(&space->lock, flags);
	}

	kml_pool_free(KML_POOL_INTERVAL, iv);
	kml_pool_free(KML_POOL_L2, l2);
	kml_pool_free(KML_POOL_L3, l3);

	if (likely(!failed))
		return 0;
	/* somebody else may have had more luck */
	rcu_read_lock();
	iv = kml_interval_find(space, addr);
	rcu_read_unlock();
	return iv ? 0 : -ENOMEM;
}

/**
 * kml_leaf_ensure() - make sure that an address has a leaf
 * @space: where
 * @addr: untagged address
 * @gfp: of the tracked allocation
 *
 * Context: as kml_interval_ensure().
 * Return: 0 or -ENOMEM.
 */
int kml_leaf_ensure(struct kml_space *space, unsigned long addr, gfp_t gfp)
{
	unsigned int i, slot = (addr >> KML_GROUP_SHIFT) % KML_GROUPS;
	struct kml_interval *iv;
	struct kml_group *group;
	unsigned long flags;
	bool found;
	int ret;

	rcu_read_lock();
	iv = kml_interval_find(space, addr);
	found = iv && kml_leaf_find(iv, addr);
	rcu_read_unlock();
	if (found)
		return 0;
	if (!iv) {
		ret = kml_interval_ensure(space, addr, gfp);
		if (ret)
			return ret;
	}

	group = kml_pool_alloc(KML_POOL_GROUP, gfp);
	if (!group)
		return -ENOMEM;
	for (i = 0; i < KML_LEAVES; i++)
		raw_spin_lock_init(&group->leaf[i].lock);

	raw_spin_lock_irqsave(&space->lock, flags);
	iv = kml_interval_find(space, addr);
	if (iv && !iv->group[slot]) {
		/* locks before pointer: pairs with READ_ONCE() of look-ups */
		smp_store_release(&iv->group[slot], group);
		group = NULL;
		/* nobody knows whether an object will come */
		kml_interval_vacate(iv);
	}
	raw_spin_unlock_irqrestore(&space->lock, flags);

	kml_pool_free(KML_POOL_GROUP, group);
	return 0;
}

/**
 * kml_window_grow() - widen the range in which pointers are looked for
 * @space: which
 * @first: first address of an object
 * @last: its last address
 *
 * Context: any.
 */
void kml_window_grow(struct kml_space *space, unsigned long first,
		     unsigned long last)
{
	unsigned long flags;

	if (likely(first >= kml_window_min(space) &&
		   last <= kml_window_last(space)))
		return;

	raw_spin_lock_irqsave(&space->lock, flags);
	if (first < kml_window_min(space))
		WRITE_ONCE(space->not_min, ~first);
	if (last > kml_window_last(space))
		WRITE_ONCE(space->not_last, ~last);
	raw_spin_unlock_irqrestore(&space->lock, flags);
}

/* Before the pool is ready one CPU runs, and nothing reads without a lock. */
static void kml_free_rcu(struct rcu_head *rcu, rcu_callback_t cb)
{
	if (likely(kml_pool_ready()))
		call_rcu(rcu, cb);
	else
		cb(rcu);
}

static void kml_page_free_cb(struct rcu_head *rcu)
{
	struct kml_page *page = container_of(rcu, struct kml_page, rcu);

	kml_pool_free(KML_POOL_PAGE + page->grain_idx, page);
}

/* Context: any, no raw lock held; @page was unpublished. */
void kml_page_free_rcu(struct kml_page *page)
{
	if (page)
		kml_free_rcu(&page->rcu, kml_page_free_cb);
}

/**
 * kml_interval_walk() - call a function for each interval of a space
 * @space: which
 * @fn: may sleep; non-zero ends the walk; may remove the interval given to it
 * @data: passed on
 *
 * Intervals added meanwhile may be missed.
 *
 * Context: process, kml_scan_mutex held.
 * Return: what @fn returned last.
 */
int kml_interval_walk(struct kml_space *space, kml_interval_fn fn, void *data)
{
	struct kml_interval *iv, *next;
	struct kml_shard *shard;
	int ret = 0;

	lockdep_assert_held(&kml_scan_mutex);

	for (shard = kml_shard_next(NULL); shard; shard = kml_shard_next(shard)) {
		struct list_head *head = &shard->intervals[space->id];

		iv = list_entry_rcu(head->next, struct kml_interval, link);
		for (; &iv->link != head; iv = next) {
			next = list_entry_rcu(iv->link.next,
					      struct kml_interval, link);
			ret = fn(space, iv, data);
			if (ret)
				return ret;
			/* most may be none of @fn's business, and they are many */
			cond_resched();
		}
	}
	return ret;
}

/* === Walks ============================================================== */

/*
 * Visit every object, in the order of shards, intervals and addresses. Objects
 * born or freed meanwhile may or may not be visited; nobody is visited twice.
 */

/* Let the lock go at least this often: it bounds the time with IRQs off. */
#define KML_WALK_BATCH	64

/* Visit the objects of a leaf that start at @off or later. */
static enum kml_visit kml_walk_some(struct kml_space *space,
				    struct kml_leaf *leaf, unsigned long base,
				    unsigned int *off, struct kml_visitor *v)
{
	enum kml_visit ret = KML_VISIT_NEXT;
	struct kml_page *page;
	unsigned int n = 0;

	raw_spin_lock_irq(&leaf->lock);
	page = kml_leaf_page(leaf);
	while (page && ret == KML_VISIT_NEXT && *off < KML_PAGE_SIZE) {
		struct kml_hot *hot = kml_page_next(page, *off);
		unsigned int this;

		if (!hot)
			break;
		this = kml_hot_state(hot) & KML_OFF_MASK;
		*off = this + 1;
		ret = v->visit(v, space, base + this, hot);
		if (ret == KML_VISIT_NEXT && ++n == KML_WALK_BATCH)
			ret = KML_VISIT_DROP_LOCK;
	}
	raw_spin_unlock_irq(&leaf->lock);
	return ret;
}

static bool kml_walk_leaf(struct kml_space *space, struct kml_leaf *leaf,
			  unsigned long page, struct kml_visitor *v)
{
	enum kml_visit ret;
	unsigned int off = 0;

	do {
		ret = kml_walk_some(space, leaf, page, &off, v);
		if (ret == KML_VISIT_UNLOCKED)
			v->unlocked(v, space, page + off - 1);
	} while (ret != KML_VISIT_NEXT);

	if (v->resched)
		return v->resched(v);
	cond_resched();
	return false;
}

static int kml_walk_interval(struct kml_space *space, struct kml_interval *iv,
			     void *data)
{
	unsigned long page = kml_interval_base(iv);
	struct kml_visitor *v = data;
	unsigned int i, j;

	if (v->wants_interval && !v->wants_interval(iv))
		return 0;
	for (i = 0; i < KML_GROUPS; i++) {
		struct kml_group *group = READ_ONCE(iv->group[i]);

		if (!group) {
			page += 1UL << KML_GROUP_SHIFT;
			continue;
		}
		for (j = 0; j < KML_LEAVES; j++, page += KML_PAGE_SIZE) {
			struct kml_leaf *leaf = &group->leaf[j];

			/* nobody to visit, as most often, without the lock */
			if (rcu_access_pointer(leaf->page) &&
			    (!v->wants_leaf || v->wants_leaf(leaf)) &&
			    kml_walk_leaf(space, leaf, page, v))
				return 1;
		}
	}
	return 0;
}

/**
 * kml_walk_share() - visit the objects of an interval nobody else has visited
 * @c: the caller's place in a walk that began with kml_shards_rewind()
 * @v: visitor
 *
 * Context: process, for one or many; kml_scan_mutex is held on their behalf.
 * Return: false if no interval is left.
 */
bool kml_walk_share(struct kml_shard_cursor *c, struct kml_visitor *v)
{
	struct kml_interval *iv;
	enum kml_space_id id;

	iv = kml_shard_take(c, &id);
	if (!iv)
		return false;
	kml_walk_interval(kml_space(id), iv, v);
	return true;
}

/**
 * kml_walk() - visit the objects of a space
 * @space: which
 * @v: visitor
 *
 * Context: process, kml_scan_mutex held.
 */
void kml_walk(struct kml_space *space, struct kml_visitor *v)
{
	kml_interval_walk(space, kml_walk_interval, v);
}

/* === Trimming =========================================================== */

/*
 * The trimmer: page descriptors, leaf groups and intervals without objects are
 * given back. Who may still look at them, and how it is known where to look:
 * "Trim" and "Vacate" in kmemleak.h.
 */

static void kml_group_free_cb(struct rcu_head *rcu)
{
	kml_pool_free(KML_POOL_GROUP, container_of(rcu, struct kml_group, rcu));
}

static void kml_interval_free_cb(struct rcu_head *rcu)
{
	struct kml_interval *iv = container_of(rcu, struct kml_interval, rcu);

	kml_settled_free(iv);
	kml_pool_free(KML_POOL_INTERVAL, iv);
}

/* Does no object start in the page? Final only under leaf->lock. */
static bool kml_leaf_unused(struct kml_leaf *leaf)
{
	struct kml_page *page;
	bool unused;

	rcu_read_lock();
	page = kml_leaf_page(leaf);
	unused = !page || !READ_ONCE(page->nr);
	rcu_read_unlock();
	return unused;
}

static bool kml_leaf_empty(struct kml_leaf *leaf)
{
	return !READ_ONCE(leaf->continued_from) && kml_leaf_unused(leaf);
}

/* Descriptors to be freed when no lock is held, linked through their heads. */
static void kml_page_chain(struct kml_page **chain, struct kml_page *page)
{
	page->rcu.next = (struct rcu_head *)*chain;
	*chain = page;
}

static void kml_page_free_chain(struct kml_page *chain)
{
	while (chain) {
		struct kml_page *next = (struct kml_page *)chain->rcu.next;

		kml_page_free_rcu(chain);
		chain = next;
	}
}

/* Take the descriptor from a leaf without objects. Context: leaf->lock. */
static void kml_leaf_strip(struct kml_leaf *leaf, struct kml_page *replacement,
			   struct kml_page **chain)
{
	struct kml_page *page = kml_leaf_page(leaf);

	lockdep_assert_held(&leaf->lock);
	if (page)
		kml_page_chain(chain, page);
	rcu_assign_pointer(leaf->page, replacement);
}

/*
 * Take out a group all of whose leaves are empty. Writers spin on dead leaves,
 * so IRQs are off until the group is out: an interrupt handler that allocates
 * in this group would wait for us for ever. Return: false if one is in use.
 */
static bool kml_group_remove(struct kml_space *space, struct kml_interval *iv,
			     unsigned int slot, struct kml_group *group,
			     struct kml_page **chain)
{
	bool empty = true;
	unsigned int i;

	for (i = 0; i < KML_LEAVES && empty; i++)
		empty = kml_leaf_empty(&group->leaf[i]);
	if (!empty)
		return false;

	local_irq_disable();
	for (i = 0; i < KML_LEAVES && empty; i++) {
		struct kml_leaf *leaf = &group->leaf[i];

		raw_spin_lock(&leaf->lock);
		empty = kml_leaf_empty(leaf);
		if (empty)
			kml_leaf_strip(leaf, KML_PAGE_DEAD, chain);
		raw_spin_unlock(&leaf->lock);
	}
	if (empty) {
		raw_spin_lock(&space->lock);
		WRITE_ONCE(iv->group[slot], NULL);
		raw_spin_unlock(&space->lock);
	} else {
		/* a writer was faster: bring the dead back to life */
		for (i -= 1; i--; )
			rcu_assign_pointer(group->leaf[i].page, NULL);
	}
	local_irq_enable();

	if (empty)
		kml_free_rcu(&group->rcu, kml_group_free_cb);
	return empty;
}

/* Free what a group does not need. */
static void kml_group_trim(struct kml_space *space, struct kml_interval *iv,
			   unsigned int slot)
{
	struct kml_group *group = READ_ONCE(iv->group[slot]);
	struct kml_page *chain = NULL;
	unsigned int i;

	if (!group)
		return;

	if (!kml_group_remove(space, iv, slot, group, &chain)) {
		for (i = 0; i < KML_LEAVES; i++) {
			struct kml_leaf *leaf = &group->leaf[i];

			if (!rcu_access_pointer(leaf->page) ||
			    !kml_leaf_unused(leaf))
				continue;
			raw_spin_lock_irq(&leaf->lock);
			if (kml_leaf_unused(leaf))
				kml_leaf_strip(leaf, NULL, &chain);
			raw_spin_unlock_irq(&leaf->lock);
		}
	}
	kml_page_free_chain(chain);
}

/* Note what the next walk has to look at. */
static int kml_interval_trim_note(struct kml_space *space,
				  struct kml_interval *iv, void *data)
{
	bool *any = data;

	if (READ_ONCE(iv->vacated)) {
		WRITE_ONCE(iv->vacated, false);
		iv->trim = true;
		*any = true;
	}
	cond_resched();
	return 0;
}

static int kml_interval_trim_one(struct kml_space *space,
				 struct kml_interval *iv, void *data)
{
	unsigned long base = kml_interval_base(iv);
	bool used = false;
	unsigned int i;

	if (!iv->trim)
		return 0;
	iv->trim = false;
	for (i = 0; i < KML_GROUPS; i++)
		kml_group_trim(space, iv, i);

	raw_spin_lock_irq(&space->lock);
	for (i = 0; i < KML_GROUPS; i++)
		used |= !!iv->group[i];
	used |= iv->filled_by != 0;
	if (!used) {
		struct kml_l3 *l3 = *kml_l3_slot(space, base);

		WRITE_ONCE(l3->iv[(base >> KML_L3_SHIFT) %
				  (1U << KML_L3_BITS)], NULL);
		kml_shard_del(iv);
	}
	raw_spin_unlock_irq(&space->lock);

	if (!used)
		kml_free_rcu(&iv->rcu, kml_interval_free_cb);
	cond_resched();
	return 0;
}

/**
 * kml_interval_trim() - give back the memory of what has become empty
 * @expedited: a task waits for it
 *
 * Context: process, kml_scan_mutex held, no scan active.
 */
void kml_interval_trim(bool expedited)
{
	bool any = false;
	unsigned int id;

	for (id = 0; id < KML_NR_SPACES; id++)
		kml_interval_walk(kml_space(id), kml_interval_trim_note, &any);
	if (!any)
		return;
	/* see "Vacate" in kmemleak.h */
	if (expedited)
		synchronize_rcu_expedited();
	else
		synchronize_rcu();
	for (id = 0; id < KML_NR_SPACES; id++)
		kml_interval_walk(kml_space(id), kml_interval_trim_one, NULL);
}
