// SPDX-License-Identifier: GPL-2.0-only
/*
 * The index finds the object that holds an address, without a lock: address ->
 * interval -> leaf -> page descriptor -> hot entry. The rules are in kmemleak.h.
 *
 * Sections: page descriptors; shards, that is lists of intervals by CPU; settled
 * bitmaps; intervals, with look-ups and the insertion of tables; walks over all
 * objects; trimming of empty tables.
 */

#include "os.h"
#include "index.h"

/* === Page descriptors =================================================== */

/*
 * A page descriptor has a slot for each grain of its page. The grain is chosen such
 * that no two objects start in one slot. Objects do not overlap, so an inner pointer
 * belongs to the last object that starts at or before it. To find this object, the
 * bitmap is searched backwards from the pointer's slot, in O(1). If the object in
 * that slot starts after the pointer, the search goes on before that slot.
 *
 * Writers hold leaf->lock. Readers need only rcu_read_lock().
 */

#define KML_LAST_GRAIN	(KML_NR_GRAINS - 1)

/**
 * kml_page_grain_idx() - choose the grain for objects at a distance
 * @size: smallest distance of two objects' starts, or the size of a first object, in
 *	bytes
 *
 * Context: any.
 * Return: index of the coarsest grain that gives each object a slot of its own.
 */
unsigned int kml_page_grain_idx(size_t size)
{
	unsigned int grain_idx = KML_LAST_GRAIN;

	while (grain_idx && kml_grains[grain_idx].grain > size)
		grain_idx--;
	return grain_idx;
}

/**
 * kml_page_next() - find the first object that starts at or after an offset
 * @page: page descriptor
 * @off: offset in the page, in bytes
 *
 * Context: leaf->lock.
 * Return: its hot entry, or NULL.
 */
struct kml_hot *kml_page_next(struct kml_page *page, unsigned int off)
{
	unsigned int slots = kml_page_slots(page->grain_idx);
	struct kml_hot *hot = kml_page_hot(page);
	unsigned int slot = kml_page_slot_of(page, off);

	slot = find_next_bit(page->bits, slots, slot);
	if (slot < slots && (kml_hot_state(&hot[slot]) & KML_OFF_MASK) < off)
		slot = find_next_bit(page->bits, slots, slot + 1);
	return slot < slots ? &hot[slot] : NULL;
}

/**
 * kml_page_grain_idx_for() - choose the grain for one more object in a page
 * @page: page descriptor
 * @off: offset of the new object, in bytes
 *
 * Context: leaf->lock.
 * Return: index of the coarsest grain that gives the new object and those of @page a
 * slot each, or -1 if an object starts at @off already.
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

/**
 * kml_page_move() - move all objects to a page descriptor of finer or coarser grain
 * @to: not published, empty, of a grain from kml_page_grain_idx_for()
 * @from: published
 *
 * The old states become frozen. A worker that meets a frozen state repeats the
 * look-up until the caller has published @to.
 *
 * Context: leaf->lock; it must be held until @to is published.
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

/**
 * kml_page_selftest() - check the table of grains, for KUnit
 *
 * Context: any.
 * Return: true if for each grain and offset kml_page_slot() is the quotient of the
 * two, and less than the number of slots.
 */
bool kml_page_selftest(void)
{
	unsigned int grain_idx, off;

	for (grain_idx = 0; grain_idx < KML_NR_GRAINS; grain_idx++)
		for (off = 0; off < KML_PAGE_SIZE; off++)
			if (kml_page_slot(grain_idx, off) != off / kml_grains[grain_idx].grain ||
			    kml_page_slot(grain_idx, off) >= kml_page_slots(grain_idx))
				return false;
	return true;
}

/* === Shards ============================================================= */

/*
 * An interval belongs to the shard of the CPU that allocated the interval's first
 * object. Its tables are in the memory of that node, so in a scan the worker on that
 * CPU takes the intervals of its own shard first. Intervals that are created before
 * per-CPU data can be used belong to the boot shard.
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

/*
 * The shard of this CPU. Context: any. If the caller migrates, the tables of its
 * interval are on another node; that costs speed only.
 */
static struct kml_shard *kml_shard_here(void)
{
	return likely(kml_pool_ready()) ? raw_cpu_ptr(&kml_shards) : &kml_boot_shard;
}

/*
 * Iterate over the boot shard and then those of all possible CPUs: NULL begins the
 * iteration, and is returned at its end.
 */
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

/* Context: space->lock. kml_interval_walk() reads the list without shard->lock. */
static void kml_shard_add(struct kml_interval *iv, enum kml_space_id id)
{
	struct kml_shard *shard = iv->shard;

	raw_spin_lock(&shard->lock);
	list_add_tail_rcu(&iv->link, &shard->intervals[id]);
	shard->nr++;
	raw_spin_unlock(&shard->lock);
}

/**
 * kml_shard_del() - take an interval out of its shard
 * @iv: interval
 *
 * Context: space->lock and kml_scan_mutex held.
 */
void kml_shard_del(struct kml_interval *iv)
{
	struct kml_shard *shard = iv->shard;

	raw_spin_lock(&shard->lock);
	list_del_rcu(&iv->link);
	shard->nr--;
	raw_spin_unlock(&shard->lock);
}

/**
 * kml_shards_rewind() - let kml_shard_take() return all intervals once more
 *
 * Context: process, kml_scan_mutex held, and no worker takes intervals.
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

/**
 * kml_shard_cursor_init() - prepare a cursor for kml_shard_take()
 * @c: cursor
 * @cpu: CPU of the worker; shards of its node come first
 *
 * Context: any.
 */
void kml_shard_cursor_init(struct kml_shard_cursor *c, unsigned int cpu)
{
	*c = (struct kml_shard_cursor){ .cpu = cpu };
}

/* An interval that is added meanwhile is taken, too, unless its list is finished. */
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
 * kml_shard_take() - take an interval that no other worker has taken
 * @c: cursor of the calling worker
 * @id: set to the interval's space
 *
 * Context: process; several workers may call this at the same time. The initiator of
 * the scan holds kml_scan_mutex for them, so that intervals are not freed.
 * Return: the interval, or NULL if all have been taken since kml_shards_rewind().
 */
struct kml_interval *kml_shard_take(struct kml_shard_cursor *c,
				    enum kml_space_id *id)
{
	struct kml_interval *iv = NULL;

	for (;;) {
		/* nr_cpu_ids stands for the boot shard */
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

/**
 * kml_shard_intervals() - count intervals
 *
 * Context: any.
 * Return: number of intervals in all spaces; may be out of date.
 */
unsigned long kml_shard_intervals(void)
{
	struct kml_shard *shard;
	unsigned long nr = 0;

	for (shard = kml_shard_next(NULL); shard; shard = kml_shard_next(shard))
		nr += READ_ONCE(shard->nr);
	return nr;
}

/**
 * kml_shard_init() - prepare the per-CPU shards
 *
 * Context: boot, before kml_pool_init().
 */
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

/**
 * kml_settled_free() - free the settled bitmap of an interval
 * @iv: interval that no reader can reach
 *
 * Context: any, no raw lock held.
 */
void kml_settled_free(struct kml_interval *iv)
{
	if (!kml_settled_shared(iv->settled))
		kml_pool_free(KML_POOL_SETTLED, iv->settled);
}

/* === Intervals ========================================================== */

/*
 * The directory of intervals is a radix tree: l1 -> l2 -> l3 -> interval of 2 MiB.
 * An interval holds groups of leaves. A group is for 512 KiB of memory, and is
 * allocated when the first object comes. Slab pages mostly stay on the CPU that has
 * allocated them, and so do the leaves' cache lines, with the locks in them.
 *
 * Tables are published under space->lock and read under RCU; see "Look-up" in
 * kmemleak.h. The trimmer frees intervals and groups without objects. The tables l2
 * and l3 are never freed.
 */

u16 kml_recount_seq;

/**
 * kml_lookup_exact() - find the object that starts at an address
 * @space: address space
 * @start: untagged address
 *
 * Context: rcu_read_lock() or leaf->lock.
 * Return: its hot entry, or NULL. Without the lock the object may be freed and the
 * entry reused at any time: check the state.
 */
struct kml_hot *kml_lookup_exact(struct kml_space *space, unsigned long start)
{
	struct kml_leaf *leaf = kml_leaf_of(space, start);
	struct kml_page *page = leaf ? kml_leaf_page(leaf) : NULL;

	return page ? kml_page_exact(page, start & ~KML_PAGE_MASK) : NULL;
}

/**
 * kml_lookup_pinned() - read the size and the state of a pinned object
 * @leaf: leaf of @start, or NULL
 * @start: untagged start of the object; the caller has pinned it
 * @p: filled on success
 *
 * The pin keeps the block and the extension from being freed, but not the entry: a
 * free removes the entry first and then waits for the pin. A neighbour may reuse the
 * entry meanwhile, so the state is checked again after the other fields were read.
 *
 * Context: rcu_read_lock(), IRQs off.
 * Return: false if no allocated object starts at @start.
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
			/* another CPU is about to publish the new descriptor */
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
 * kml_lookup() - find the only object that may hold an address
 * @space: address space
 * @addr: untagged address
 * @start: set to the start of the object
 *
 * The caller has to check that the object reaches up to @addr: the size of an object
 * with KML_F_BIG can only be read under leaf->lock or a pin.
 *
 * Context: rcu_read_lock().
 * Return: its hot entry, or NULL. The object may be freed and the entry reused at
 * any time: check the state.
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

/*
 * The place of the pointer to the l3 table of @addr, or NULL if there is no l2
 * table. Context: space->lock.
 */
static struct kml_l3 **kml_l3_slot(struct kml_space *space, unsigned long addr)
{
	unsigned long key = kml_l2_key(addr);
	struct kml_l2 *l2 = space->l1[key % (1U << KML_L1_BITS)];

	while (l2 && l2->key != key)
		l2 = l2->next;
	return l2 ? &l2->l3[(addr >> KML_L2_SHIFT) % (1U << KML_L2_BITS)] : NULL;
}

/*
 * Publish the tables that are missing on the path to the interval of @addr, and the
 * interval. A table that is used is set to NULL in the caller. A table that is NULL
 * was there before, or could not be allocated; in the latter case nothing below it
 * can be published. Context: space->lock.
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
		/* content before pointer: pairs with kml_interval_find() */
		smp_store_release(head, *l2);
		*l2 = NULL;
		slot = kml_l3_slot(space, addr);
	}
	if (!*slot) {
		if (!*l3)
			return;
		/* content before pointer: pairs with kml_interval_find() */
		smp_store_release(slot, *l3);
		*l3 = NULL;
	}
	ivp = &(*slot)->iv[(addr >> KML_L3_SHIFT) % (1U << KML_L3_BITS)];
	if (!*ivp) {
		kml_shard_add(*iv, space->id);
		kml_interval_vacate(*iv);
		/* content before pointer: pairs with kml_interval_find() */
		smp_store_release(ivp, *iv);
		*iv = NULL;
	}
}

/**
 * kml_interval_ensure() - make sure that an address has an interval
 * @space: address space
 * @addr: untagged address
 * @gfp: of the tracked allocation
 *
 * The trimmer may remove the interval again at once, so the caller has to look the
 * interval up and to call this again if it is gone.
 *
 * Context: any that allows allocations with @gfp, no raw lock held.
 * Return: 0, or -ENOMEM if there was no memory for a table.
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
		iv->space = space;
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
	/* another CPU may have created the interval meanwhile */
	rcu_read_lock();
	iv = kml_interval_find(space, addr);
	rcu_read_unlock();
	return iv ? 0 : -ENOMEM;
}

/**
 * kml_leaf_ensure() - make sure that an address has a leaf
 * @space: address space
 * @addr: untagged address
 * @gfp: of the tracked allocation
 *
 * The trimmer may remove the leaf or its interval again at once, so the caller has
 * to look the leaf up and to call this again if it is gone.
 *
 * Context: any that allows allocations with @gfp, no raw lock held.
 * Return: 0, or -ENOMEM if there was no memory for a table.
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
		/* content before pointer: pairs with kml_leaf_find() */
		smp_store_release(&iv->group[slot], group);
		group = NULL;
		/* the insertion may fail: then the trimmer has to free the group */
		kml_interval_vacate(iv);
	}
	raw_spin_unlock_irqrestore(&space->lock, flags);

	kml_pool_free(KML_POOL_GROUP, group);
	return 0;
}

/* The slow path of kml_window_grow(). Context: any, no raw lock held. */
void __kml_window_grow(struct kml_space *space, unsigned long first,
		       unsigned long last)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&space->lock, flags);
	if (first < kml_window_min(space))
		WRITE_ONCE(space->not_min, ~first);
	if (last > kml_window_last(space))
		WRITE_ONCE(space->not_last, ~last);
	raw_spin_unlock_irqrestore(&space->lock, flags);
}

/*
 * Free after a grace period. Before the pool is ready call_rcu() cannot be used, but
 * then only one CPU runs, and no free interrupts a reader.
 */
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

/**
 * kml_page_free_rcu() - free a page descriptor after a grace period
 * @page: descriptor that is no longer published, or NULL
 *
 * Context: any, no raw lock held.
 */
void kml_page_free_rcu(struct kml_page *page)
{
	if (page)
		kml_free_rcu(&page->rcu, kml_page_free_cb);
}

/**
 * kml_interval_walk() - call a function for each interval of a space
 * @space: address space
 * @fn: called for each interval, which it may remove. It may sleep, and ends the
 *	walk by a return value other than 0.
 * @data: argument of @fn
 *
 * Intervals that are added during the walk may be missed.
 *
 * Context: process, kml_scan_mutex held.
 * Return: the last value that @fn returned, or 0 if there is no interval.
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
			/* @fn may return at once for most of very many intervals */
			cond_resched();
		}
	}
	return ret;
}

/* === Walks ============================================================== */

/*
 * A walk visits the intervals in the order of shards and of their age, and the
 * objects of an interval by address. It visits no object twice, and may or may not
 * visit objects that are allocated or freed during the walk.
 */

/* Visits after which leaf->lock is released, to bound the time with IRQs off. */
#define KML_WALK_BATCH	64

/*
 * Visit objects of a leaf from the page offset *@off on, and advance *@off. Return:
 * KML_VISIT_NEXT if none is left.
 */
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

			/* most pages have no objects: test that without the lock */
			if (rcu_access_pointer(leaf->page) &&
			    (!v->wants_leaf || v->wants_leaf(leaf)) &&
			    kml_walk_leaf(space, leaf, page, v))
				return 1;
		}
	}
	return 0;
}

/**
 * kml_walk_share() - visit the objects of an interval that no other worker has taken
 * @c: cursor of the calling worker, in a walk that began with kml_shards_rewind()
 * @v: visitor
 *
 * Several workers share one walk: each visits a part of the intervals.
 *
 * Context: process; the initiator of the scan holds kml_scan_mutex for all workers.
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
 * @space: address space
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
 * The trimmer frees page descriptors, leaf groups and intervals without objects.
 * "Trim" in kmemleak.h says how readers and writers are kept safe, and "Trim hints"
 * how the trimmer knows which intervals to look at.
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

/* Does no object start in the page? Without leaf->lock the answer is a hint. */
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

/* Does no object start in the page nor reach into it? A hint without leaf->lock. */
static bool kml_leaf_empty(struct kml_leaf *leaf)
{
	return !READ_ONCE(leaf->continued_from) && kml_leaf_unused(leaf);
}

/* Collect descriptors that can be freed only when no lock is held. */
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

/* Remove the descriptor of a leaf without objects. Context: leaf->lock. */
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
 * Remove a group if all its leaves are empty. Writers spin on dead leaves until the
 * group is unpublished. IRQs are off meanwhile: an interrupt handler on this CPU
 * that allocates in the group would spin without end. Return: false if a leaf is in
 * use.
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
		/* an insertion raced with us: undo */
		for (i -= 1; i--; )
			rcu_assign_pointer(group->leaf[i].page, NULL);
	}
	local_irq_enable();

	if (empty)
		kml_free_rcu(&group->rcu, kml_group_free_cb);
	return empty;
}

/* Free a group if it is empty, else the descriptors of its empty pages. */
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

/* Take the vacated intervals of all shards. Return: the first of a list. */
static struct kml_interval *kml_trim_take(void)
{
	struct kml_interval *list = NULL, *iv;
	struct kml_shard *shard = NULL;
	struct llist_node *node;

	while ((shard = kml_shard_next(shard))) {
		if (llist_empty(&shard->vacated))
			continue;
		node = llist_del_all(&shard->vacated);
		while (node) {
			iv = llist_entry(node, struct kml_interval, vacated_link);
			node = llist_next(node);
			iv->trim_next = list;
			list = iv;
			/* The link was read. Pairs with xchg() in kml_interval_vacate(). */
			smp_store_release(&iv->vacated, 0);
		}
		cond_resched();
	}
	return list;
}

/* Trim an interval, and free it if nothing is left in it. */
static void kml_interval_trim_one(struct kml_space *space, struct kml_interval *iv)
{
	unsigned long base = kml_interval_base(iv);
	bool used = false;
	unsigned int i;

	for (i = 0; i < KML_GROUPS; i++)
		kml_group_trim(space, iv, i);

	raw_spin_lock_irq(&space->lock);
	for (i = 0; i < KML_GROUPS; i++)
		used |= !!iv->group[i];
	used |= iv->filled_by != 0;
	/* on the list again: free it next time */
	used |= READ_ONCE(iv->vacated);
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
}

/**
 * kml_interval_trim() - free page descriptors, groups and intervals without objects
 * @expedited: use an expedited grace period, because a user waits
 *
 * The work is proportional to the number of intervals that objects have left since the
 * last call.
 *
 * Context: process, kml_scan_mutex held, no scan active; sleeps.
 */
void kml_interval_trim(bool expedited)
{
	struct kml_interval *iv = kml_trim_take(), *next;

	if (!iv)
		return;
	/* removals that saw the old flag are complete: "Trim hints" in kmemleak.h */
	if (expedited)
		synchronize_rcu_expedited();
	else
		synchronize_rcu();
	for (; iv; iv = next) {
		next = iv->trim_next;
		kml_interval_trim_one(iv->space, iv);
	}
}
