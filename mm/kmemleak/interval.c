// SPDX-License-Identifier: GPL-2.0-only
/*
 * The interval directory.
 *
 * A radix tree of three levels whose last level is 2 MiB intervals, each of
 * which belongs to the shard of the CPU that touched it first: slabs stay on
 * their CPU, so do the leaves' cache lines and, with them, the locks. Tables
 * below the intervals are allocated by 512 KiB, as objects come, and given back
 * by trim.c.
 *
 * Everything here is published under space->lock and read under RCU; see the
 * head of kmemleak.h.
 */

#include "os.h"
#include "interval.h"
#include "pool.h"
#include "settled.h"
#include "shard.h"
#include "state.h"

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

u16 kml_doubt_nr;

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
	struct kml_desc *desc = leaf ? kml_leaf_desc(leaf) : NULL;

	return desc ? kml_desc_exact(desc, start & ~KML_PAGE_MASK) : NULL;
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
		struct kml_desc *desc = leaf ? kml_leaf_desc(leaf) : NULL;
		struct kml_hot *hot;
		struct kml_cold *cold;
		u32 state, again;

		hot = desc ? kml_desc_exact(desc, start & ~KML_PAGE_MASK) : NULL;
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
		/* pairs with the release of the state in kml_desc_add() */
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
	struct kml_desc *desc;
	struct kml_hot *hot;
	unsigned long cont = 0;

	if (!iv)
		return NULL;

	leaf = kml_leaf_find(iv, addr);
	if (leaf) {
		desc = kml_leaf_desc(leaf);
		hot = desc ? kml_desc_find(desc, addr & ~KML_PAGE_MASK) : NULL;
		if (hot) {
			*start = (addr & KML_PAGE_MASK) +
				 (kml_hot_state(hot) & KML_OFF_MASK);
			return hot;
		}
		cont = READ_ONCE(leaf->cont);
	}
	if (!cont)
		cont = READ_ONCE(iv->cover);
	if (!kml_cont_get(cont, start))
		return NULL;
	return kml_lookup_exact(space, *start);
}

/* Where the l3 table of @addr is published, or NULL. Context: space->lock. */
struct kml_l3 **kml_l3_slot(struct kml_space *space, unsigned long addr)
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
void kml_free_rcu(struct rcu_head *rcu, rcu_callback_t cb)
{
	if (likely(kml_pool_ready()))
		call_rcu(rcu, cb);
	else
		cb(rcu);
}

static void kml_desc_free_cb(struct rcu_head *rcu)
{
	struct kml_desc *desc = container_of(rcu, struct kml_desc, rcu);

	kml_pool_free(KML_POOL_DESC + desc->cls, desc);
}

/* Context: any, no raw lock held; @desc was unpublished. */
void kml_desc_free_rcu(struct kml_desc *desc)
{
	if (desc)
		kml_free_rcu(&desc->rcu, kml_desc_free_cb);
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
