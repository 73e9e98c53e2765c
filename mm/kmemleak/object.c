// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects. A hook inserts an object when a block is allocated, changes its
 * attributes while the block is in use, and removes it when the block is freed.
 *
 * Sections: the metadata of an object, from its cold metadata to the copy for
 * reports; tails of objects that span pages; insertion, look-up and removal;
 * attributes. index.c stores the objects, meta.c allocates the memory.
 */

#include "os.h"
#include "index.h"

/* === Metadata of an object ============================================== */

/*
 * Reports list objects in the order of their allocation, without a global counter:
 * each object records jiffies and, for the order within a jiffy, a clock reading
 * that is strictly increasing per CPU (the stamp). If the clocks of two CPUs
 * differ, the order of their objects within a jiffy is arbitrary.
 */

static_assert(PID_MAX_LIMIT <= 1U << KML_PID_BITS);

struct kml_stamp {
	unsigned long born;
	u32 last;
};

static DEFINE_PER_CPU(struct kml_stamp, kml_stamp);

/*
 * The next stamp of this CPU. Before per-CPU data is set up, the boot CPU writes to
 * the initial copy, from which the data of every CPU is copied. That is harmless.
 * Context: IRQs off.
 */
static u32 kml_stamp_next(unsigned long now)
{
	struct kml_stamp *stamp = this_cpu_ptr(&kml_stamp);
	/* the long jiffy before timers tick has to fit in 32 bits */
	u32 t = kml_clock() >> 4;

	if (likely(stamp->born == now) && unlikely((s32)(t - stamp->last) <= 0))
		t = stamp->last + 1;
	stamp->born = now;
	stamp->last = t;
	return t;
}

/**
 * kml_born_before() - compare the times of two allocations
 * @j1: jiffies of the first allocation
 * @s1: its stamp
 * @j2: jiffies of the second allocation
 * @s2: its stamp
 *
 * The ages are compared, not the times as in time_before(): objects may be older
 * than half the range of jiffies.
 *
 * Context: any.
 * Return: true if the first allocation was earlier than the second.
 */
bool kml_born_before(unsigned long j1, u32 s1, unsigned long j2, u32 s2)
{
	unsigned long now = jiffies;

	if (j1 != j2)
		return now - j1 > now - j2;
	return (s32)(s1 - s2) < 0;
}

/**
 * kml_born_now() - the current time, comparable with kml_born_before()
 * @born: set to jiffies
 * @stamp: set to a stamp later than those of all objects that this CPU has allocated
 *
 * Context: any but NMI.
 */
void kml_born_now(unsigned long *born, u32 *stamp)
{
	unsigned long flags;

	local_irq_save(flags);
	*born = jiffies;
	*stamp = kml_stamp_next(*born);
	local_irq_restore(flags);
}

static __always_inline void __kml_cold_init(struct kml_cold *cold,
					    depot_stack_handle_t trace, unsigned long ptr)
{
	u32 pid = 0;

	cold->born = jiffies;
	cold->stamp = kml_stamp_next(cold->born);
	cold->checksum = ~0;	/* the first scan takes the content as changed */
	cold->trace = trace;
#ifdef KML_POINTER_TAGS
	cold->tag = ptr >> 56;
#endif
	if (in_hardirq()) {
		strscpy(cold->comm, "hardirq");
	} else if (in_serving_softirq()) {
		strscpy(cold->comm, "softirq");
	} else {
		pid = current->pid;
		/*
		 * get_task_comm() takes a lock that not every context may take.
		 * Without it, a concurrent rename may leave a mix of both names.
		 * The name is two words, and what follows its end is not shown.
		 */
		memcpy(cold->comm, current->comm, sizeof(cold->comm));
		cold->comm[sizeof(cold->comm) - 1] = '\0';
	}
	cold->pid = pid;
}

/**
 * kml_cold_init() - fill cold metadata: time, stack and task of an allocation
 * @cold: filled
 * @trace: stack of the allocation, from kml_stack_save()
 * @ptr: address that the allocator returned, with its tag
 *
 * Context: IRQs off.
 */
void kml_cold_init(struct kml_cold *cold, depot_stack_handle_t trace,
		   unsigned long ptr)
{
	__kml_cold_init(cold, trace, ptr);
}

/**
 * kml_cold_free() - free the metadata of an object that was removed from the index
 * @state: last state of the object
 * @cold: its cold metadata, or NULL
 *
 * The extension and its scan areas are freed, too, if @state has KML_F_EXT.
 *
 * Context: any but NMI. No raw lock is held, and no worker has pinned the object.
 */
void kml_cold_free(u32 state, struct kml_cold *cold)
{
	unsigned long flags;
	bool cached;

	if (!cold)
		return;
	if (unlikely(state & KML_F_EXT)) {
		struct kml_ext *ext = container_of(cold, struct kml_ext, cold);
		struct kml_area *area, *next;

		for (area = ext->areas; area; area = next) {
			next = area->next;
			kml_pool_free(KML_POOL_AREA, area);
		}
		kml_pool_free(KML_POOL_EXT, ext);
		return;
	}
	local_irq_save(flags);
	cached = kml_cold_put_cached(cold);
	local_irq_restore(flags);
	if (!cached)
		kml_pool_free(KML_POOL_COLD, cold);
}

/**
 * kml_hot_size() - get the size of an object
 * @hot: its hot entry
 * @state: its state
 *
 * Context: rcu_read_lock() or leaf->lock; leaf->lock if @state has KML_F_BIG.
 * Return: size in bytes.
 */
size_t kml_hot_size(const struct kml_hot *hot, u32 state)
{
	if (unlikely(state & KML_F_BIG))
		return kml_ext(hot)->size;
	return READ_ONCE(hot->size);
}

/**
 * kml_info_fill() - copy the metadata of an object
 * @info: filled
 * @space: address space
 * @start: untagged start of the object
 * @hot: its hot entry
 *
 * Context: leaf->lock.
 */
void kml_info_fill(struct kml_info *info, struct kml_space *space,
		   unsigned long start, const struct kml_hot *hot)
{
	const struct kml_cold *cold = hot->cold;

	info->space = space->id;
	info->state = kml_hot_state(hot);
	info->addr = kml_tagged(start, cold);
	info->size = kml_hot_size(hot, info->state);
	info->born = cold->born;
	info->stamp = cold->stamp;
	info->checksum = cold->checksum;
	info->trace = cold->trace;
	info->pid = kml_cold_pid(cold);
	info->excess_ref = info->state & KML_F_EXT ? ~kml_ext(hot)->not_excess : 0;
	memcpy(info->comm, cold->comm, sizeof(info->comm));
}

/**
 * kml_hot_change() - change bits of an object's state
 * @hot: its hot entry
 * @clear: bits to clear
 * @set: bits to set, after @clear
 *
 * Workers change the state without the lock at the same time; no change is lost.
 *
 * Context: leaf->lock.
 * Return: the old state.
 */
u32 kml_hot_change(struct kml_hot *hot, u32 clear, u32 set)
{
	int old = atomic_read(&hot->state);

	while (!atomic_try_cmpxchg(&hot->state, &old, (old & ~clear) | set))
		;
	return old;
}

/* === Objects that span pages ============================================ */

/*
 * The pages and intervals of an object's tail point back to its start: a page in
 * leaf->continued_from, an interval that the object fills in interval->filled_by.
 * An object of 1 GiB thus costs 512 words.
 */

static void kml_filled_by_set(struct kml_interval *iv, unsigned long cover)
{
	WRITE_ONCE(iv->filled_by, cover);
}

/*
 * Does an object start in an interval or reach into it? Then its start is in
 * @s->hit. Context: rcu_read_lock().
 */
static bool kml_interval_taken(struct kml_tail *s, struct kml_interval *iv)
{
	unsigned int i, j;

	if (kml_decode_start(READ_ONCE(iv->filled_by), &s->hit))
		return true;

	for (i = 0; i < KML_GROUPS; i++) {
		struct kml_group *group = READ_ONCE(iv->group[i]);

		for (j = 0; group && j < KML_LEAVES; j++) {
			struct kml_leaf *leaf = &group->leaf[j];
			struct kml_page *page = kml_leaf_page(leaf);
			struct kml_hot *hot = NULL;

			if (kml_decode_start(READ_ONCE(leaf->continued_from), &s->hit))
				return true;
			if (page)
				hot = kml_page_find(page, KML_PAGE_SIZE - 1);
			if (hot) {
				s->hit = kml_interval_base(iv) +
					 i * BIT(KML_GROUP_SHIFT) +
					 j * KML_PAGE_SIZE +
					 (kml_hot_state(hot) & KML_OFF_MASK);
				return true;
			}
		}
	}
	return false;
}

/*
 * Mark the interval at @addr as filled by the object. Return: 0, -ENOMEM, or -EEXIST
 * with the other object in @s->hit.
 */
static int kml_fill_interval(struct kml_tail *s, unsigned long addr)
{
	struct kml_space *space = s->space;
	struct kml_interval *iv;
	unsigned long flags;
	int ret;

	for (;;) {
		ret = kml_interval_ensure(space, addr, s->gfp);
		if (ret)
			return ret;

		rcu_read_lock();
		iv = kml_interval_find(space, addr);
		ret = iv && kml_interval_taken(s, iv) ? -EEXIST : 0;
		rcu_read_unlock();
		if (ret)
			return ret;

		raw_spin_lock_irqsave(&space->lock, flags);
		iv = kml_interval_find(space, addr);
		if (iv)
			kml_filled_by_set(iv, ~s->start);
		raw_spin_unlock_irqrestore(&space->lock, flags);
		if (iv)
			return 0;
	}
}

/*
 * Mark the page at @addr as part of the object's tail. Return: 0, -ENOMEM, or
 * -EEXIST with the other object in @s->hit.
 */
static int kml_fill_page(struct kml_tail *s, unsigned long addr)
{
	unsigned long end = min(s->last - addr, KML_PAGE_SIZE - 1);
	struct kml_interval *iv;
	struct kml_page *page;
	struct kml_leaf *leaf;
	struct kml_hot *hot;
	unsigned long flags;
	int ret;

	do {
		rcu_read_lock();
		iv = kml_interval_find(s->space, addr);
		leaf = iv ? kml_leaf_find(iv, addr) : NULL;
		ret = leaf ? -EAGAIN : -ENOENT;
		if (leaf) {
			raw_spin_lock_irqsave(&leaf->lock, flags);
			page = kml_leaf_page(leaf);
			hot = page ? kml_page_find(page, end) : NULL;
			if (kml_leaf_dead(leaf)) {
				cpu_relax();
			} else if (hot) {
				s->hit = addr + (kml_hot_state(hot) & KML_OFF_MASK);
				ret = -EEXIST;
			} else if (kml_decode_start(leaf->continued_from ?:
						    READ_ONCE(iv->filled_by),
						    &s->hit)) {
				ret = -EEXIST;
			} else {
				WRITE_ONCE(leaf->continued_from, ~s->start);
				ret = 0;
			}
			raw_spin_unlock_irqrestore(&leaf->lock, flags);
		}
		rcu_read_unlock();

		if (ret == -ENOENT) {
			ret = kml_leaf_ensure(s->space, addr, s->gfp);
			if (!ret)
				ret = -EAGAIN;
		}
	} while (ret == -EAGAIN);
	return ret;
}

/* Does an object that ends at @last fill the interval that starts at @addr? */
static bool kml_fills_interval(unsigned long addr, unsigned long last)
{
	return !(addr & ~KML_INTERVAL_MASK) && last - addr >= KML_INTERVAL_SIZE - 1;
}

static unsigned long kml_fill_step(unsigned long addr, unsigned long last)
{
	return kml_fills_interval(addr, last) ? KML_INTERVAL_SIZE : KML_PAGE_SIZE;
}

/**
 * kml_tail_clear() - clear the marks of an object's tail
 * @space: address space
 * @start: untagged start of the object
 * @last: its last address
 *
 * Marks of other objects stay, so this also undoes a kml_tail_fill() that failed
 * halfway.
 *
 * Context: any but NMI; no raw lock is held.
 */
void kml_tail_clear(struct kml_space *space, unsigned long start,
		    unsigned long last)
{
	unsigned long addr = start & KML_PAGE_MASK, step = KML_PAGE_SIZE, flags;

	while (last - addr >= step) {
		struct kml_interval *iv;
		struct kml_leaf *leaf;

		addr += step;
		step = kml_fill_step(addr, last);

		rcu_read_lock();
		iv = kml_interval_find(space, addr);
		if (iv && step == KML_INTERVAL_SIZE) {
			raw_spin_lock_irqsave(&space->lock, flags);
			if (iv->filled_by == ~start) {
				kml_filled_by_set(iv, 0);
				kml_interval_vacate(iv);
			}
			raw_spin_unlock_irqrestore(&space->lock, flags);
		} else if (iv) {
			leaf = kml_leaf_find(iv, addr);
			if (leaf) {
				raw_spin_lock_irqsave(&leaf->lock, flags);
				if (leaf->continued_from == ~start) {
					WRITE_ONCE(leaf->continued_from, 0);
					kml_interval_vacate(iv);
				}
				raw_spin_unlock_irqrestore(&leaf->lock, flags);
			}
		}
		rcu_read_unlock();
	}
}

/**
 * kml_tail_fill() - mark the tail of an object
 * @s: the object; on -EEXIST, @s->hit is set to the start of the other object
 *
 * On an error some marks may be set: the caller has to call kml_tail_clear().
 *
 * Context: any in which @s->gfp may be used; no raw lock is held.
 * Return: 0, -ENOMEM, or -EEXIST if another object lies in the tail.
 */
int kml_tail_fill(struct kml_tail *s)
{
	unsigned long addr = s->start & KML_PAGE_MASK, step = KML_PAGE_SIZE;
	int ret = 0;

	while (!ret && s->last - addr >= step) {
		addr += step;
		step = kml_fill_step(addr, s->last);
		ret = step == KML_PAGE_SIZE ? kml_fill_page(s, addr) :
					      kml_fill_interval(s, addr);
	}
	return ret;
}

/* === Birth and death ==================================================== */

/*
 * An object has one hot entry, in the page where it starts. An insertion publishes
 * the entry, and then marks the pages of the tail one by one, without a lock in
 * between: no pointer into the block exists before the hook returns. A removal
 * deletes the entry and clears all marks before the hook returns, since the block
 * may then be reused.
 *
 * Partial frees of one block are not serialised here: the owner of the block
 * serialises them.
 */

/* With IRQs off, a section is a read-side section of RCU without rcu_read_lock(). */
static __always_inline bool __kml_object_lock(struct kml_locked *l, struct kml_space *space,
					      unsigned long addr, bool alias)
{
	struct kml_interval *iv;
	struct kml_hot *hot;
	unsigned long start = addr;
	struct kml_page *page;

	local_irq_save(l->flags);
	if (alias && !kml_lookup(space, addr, &start))
		goto none;

	iv = kml_interval_find(space, start);
	l->leaf = iv ? kml_leaf_find(iv, start) : NULL;
	if (unlikely(!l->leaf))
		goto none;

	raw_spin_lock(&l->leaf->lock);
	page = kml_leaf_page(l->leaf);
	hot = page ? kml_page_exact(page, start & ~KML_PAGE_MASK) : NULL;
	if (likely(hot) &&
	    (!alias || addr - start < kml_hot_size(hot, kml_hot_state(hot)))) {
		l->space = space;
		l->iv = iv;
		l->page = page;
		l->start = start;
		l->hot = hot;
		/* sparse does not know functions that lock conditionally */
		__release(&l->leaf->lock);
		return true;
	}
	raw_spin_unlock(&l->leaf->lock);
none:
	local_irq_restore(l->flags);
	return false;
}

/**
 * kml_object_lock() - find an object and lock its leaf
 * @l: filled on success
 * @space: address space
 * @addr: untagged address
 * @alias: accept any address in the object, not only its start
 *
 * Context: any but NMI; no leaf is locked. On success, until kml_object_unlock(),
 * IRQs are off, which is an RCU read-side section, too, and leaf->lock is held.
 * Return: true if the object was found.
 */
bool kml_object_lock(struct kml_locked *l, struct kml_space *space,
		     unsigned long addr, bool alias)
{
	return __kml_object_lock(l, space, addr, alias);
}

static __always_inline void __kml_object_unlock(struct kml_locked *l)
{
	__acquire(&l->leaf->lock);
	raw_spin_unlock(&l->leaf->lock);
	local_irq_restore(l->flags);
}

/* Release what a successful kml_object_lock() has taken. */
void kml_object_unlock(struct kml_locked *l)
{
	__kml_object_unlock(l);
}

/**
 * kml_object_info() - find an object and copy its metadata
 * @space: address space
 * @addr: address, may have a tag
 * @alias: accept any address in the object, not only its start
 * @info: filled on success
 *
 * Context: any but NMI; no leaf is locked.
 * Return: true if the object was found.
 */
bool kml_object_info(struct kml_space *space, unsigned long addr, bool alias,
		     struct kml_info *info)
{
	struct kml_locked l;

	if (!kml_object_lock(&l, space, kml_untag(addr), alias))
		return false;
	kml_info_fill(info, space, l.start, l.hot);
	kml_object_unlock(&l);
	return true;
}

/* An object that is being inserted. */
struct kml_insert_ctx {
	struct kml_tail s;
	unsigned long ptr;		/* from the allocator, with its tag */
	size_t size;			/* in bytes; for a KFENCE block, its own */
	u32 state;
	depot_stack_handle_t trace;
	struct kml_cold *cold;		/* NULL once the entry has it */
	struct kml_page *spare;		/* NULL once the leaf has it */
	bool passed;			/* @before is valid */
	unsigned long before;		/* start of one that ends before this one */
};

/* Results of kml_insert_try(). After the last three: allocate it and try again. */
enum kml_insert_step {
	KML_INSERT_DONE,
	KML_INSERT_AGAIN,	/* the leaf is dead: look up again */
	KML_INSERT_TAKEN,	/* another object overlaps */
	KML_INSERT_REACHED,	/* one from an earlier page may overlap: recheck */
	KML_INSERT_LEAF,
	KML_INSERT_COLD,
	KML_INSERT_PAGE,		/* plus the index of the grain */
};

/*
 * Does an object overlap the new one on its first page? An object that starts on an
 * earlier page is protected by that page's leaf->lock, which is not held here: while
 * its size is read, it may be removed and its slot be reused. So an apparent overlap
 * is rechecked under that lock (KML_INSERT_REACHED). @slot is set to the slot for the
 * new object if nothing is in it or behind it, as most often, else to -1: it may be
 * used. Context: leaf->lock.
 */
static __always_inline int kml_start_taken(struct kml_insert_ctx *b, struct kml_interval *iv,
					   struct kml_leaf *leaf, struct kml_page *page,
					   int *slot)
{
	unsigned long base = b->s.start & KML_PAGE_MASK;
	unsigned int last = min(b->s.last, base + KML_PAGE_SIZE - 1) - base;
	struct kml_hot *hot;
	int own, i = -1;
	u32 state;

	*slot = -1;
	if (likely(page)) {
		hot = kml_page_hot(page);
		own = kml_page_slot_of(page, b->s.start - base);
		i = kml_page_pred(page, kml_page_slot_of(page, last));
		if (unlikely(i >= own)) {
			/* it may start behind the new one, in the slot of its end */
			if ((kml_hot_state(&hot[i]) & KML_OFF_MASK) > last)
				i = i ? kml_page_pred(page, i - 1) : -1;
		} else if (i >= 0 || page->nr) {
			*slot = own;
		}
	}
	if (i >= 0) {
		state = kml_hot_state(&hot[i]);
		b->s.hit = base + (state & KML_OFF_MASK);
		if (unlikely(b->s.hit >= b->s.start ||
			     b->s.start - b->s.hit < kml_hot_size(&hot[i], state)))
			return KML_INSERT_TAKEN;
		return KML_INSERT_DONE;
	}

	if (likely(!kml_decode_start(leaf->continued_from ?: READ_ONCE(iv->filled_by), &b->s.hit)))
		return KML_INSERT_DONE;
	hot = kml_lookup_exact(b->s.space, b->s.hit);
	if (!hot)
		return KML_INSERT_DONE;
	if (!(kml_hot_state_acquire(hot) & KML_F_BIG) &&
	    b->s.start - b->s.hit >= READ_ONCE(hot->size))
		return KML_INSERT_DONE;
	return b->passed && b->before == b->s.hit ? KML_INSERT_DONE :
						    KML_INSERT_REACHED;
}

/*
 * Make sure that the leaf has a page descriptor with a free slot for an object at @off.
 * A descriptor that was replaced is returned in @old. Context: leaf->lock.
 */
static noinline int kml_leaf_room(struct kml_leaf *leaf, unsigned int off, size_t size,
				  struct kml_page **spare, struct kml_page **old)
{
	struct kml_page *page = kml_leaf_page(leaf);
	int grain_idx;

	if (likely(page && page->nr && kml_page_slot_free(page, off)))
		return KML_INSERT_DONE;
	if (page && page->nr)
		grain_idx = kml_page_grain_idx_for(page, off);
	else
		grain_idx = kml_page_grain_idx(size);
	/* an empty descriptor of the right grain */
	if (page && page->grain_idx == grain_idx)
		return KML_INSERT_DONE;

	if (!*spare || (*spare)->grain_idx != grain_idx)
		return KML_INSERT_PAGE + grain_idx;
	if (page)
		kml_page_move(*spare, page);
	WRITE_ONCE(leaf->grain_idx, (*spare)->grain_idx);
	rcu_assign_pointer(leaf->page, *spare);
	*spare = NULL;
	*old = page;
	return KML_INSERT_DONE;
}

/*
 * Try to publish the entry of an object. Inline: with a @b that no other function gets,
 * its members are in registers. Return: KML_INSERT_*.
 */
static __always_inline int __kml_insert_try(struct kml_insert_ctx *b)
{
	struct kml_page *page, *old = NULL;
	struct kml_interval *iv;
	struct kml_leaf *leaf;
	unsigned long flags;
	int ret, slot;

	/* a read-side section of RCU, too */
	local_irq_save(flags);
	iv = kml_interval_find(b->s.space, b->s.start);
	leaf = iv ? kml_leaf_find(iv, b->s.start) : NULL;
	ret = KML_INSERT_LEAF;
	if (unlikely(!leaf))
		goto out;
	if (!b->cold)
		b->cold = kml_cold_get_cached();
	ret = KML_INSERT_COLD;
	if (unlikely(!b->cold))
		goto out;

	__kml_cold_init(b->cold, b->trace, b->ptr);

	raw_spin_lock(&leaf->lock);
	page = rcu_dereference_check(leaf->page, lockdep_is_held(&leaf->lock));
	ret = KML_INSERT_AGAIN;
	if (unlikely(page == KML_PAGE_DEAD))
		goto unlock;
	ret = kml_start_taken(b, iv, leaf, page, &slot);
	if (unlikely(ret))
		goto unlock;
	if (unlikely(slot < 0)) {
		unsigned int off = b->s.start & ~KML_PAGE_MASK;
		struct kml_page *spare = b->spare;

		ret = kml_leaf_room(leaf, off, b->size, &spare, &old);
		b->spare = spare;
		if (ret)
			goto unlock;
		page = kml_leaf_page(leaf);
		slot = kml_page_slot_of(page, off);
	}

	/* must be in this RCU section: see "New objects" in kmemleak.h */
	if (unlikely(kml_scan_active()))
		b->state |= KML_F_NEW;
	kml_page_put(page, slot, b->state, b->state & KML_F_BIG ? U32_MAX : b->size, b->cold);
	b->cold = NULL;
	if (unlikely(b->state & KML_F_NEW))
		kml_interval_set_has_new(iv);
	kml_count_irqs_off(KML_C_ALLOCS);
unlock:
	raw_spin_unlock(&leaf->lock);
out:
	local_irq_restore(flags);
	if (unlikely(old))
		kml_page_free_rcu(old);
	return ret;
}

static noinline int kml_insert_try(struct kml_insert_ctx *b)
{
	return __kml_insert_try(b);
}

/*
 * Prepare the next kml_insert_try(): allocate the missing memory, or recheck the
 * object in the way. Return: 0 to try again, -ENOMEM or -EEXIST.
 */
static int kml_insert_supply(struct kml_insert_ctx *b, int what)
{
	struct kml_info info;

	switch (what) {
	case KML_INSERT_REACHED:
		if (kml_object_info(b->s.space, b->s.hit, false, &info) &&
		    b->s.start - b->s.hit < info.size)
			return -EEXIST;
		b->passed = true;
		b->before = b->s.hit;
		return 0;
	case KML_INSERT_AGAIN:
		cpu_relax();
		return 0;
	case KML_INSERT_LEAF:
		return kml_leaf_ensure(b->s.space, b->s.start, b->s.gfp);
	case KML_INSERT_COLD:
		b->cold = kml_pool_alloc(KML_POOL_COLD, b->s.gfp);
		return b->cold ? 0 : -ENOMEM;
	case KML_INSERT_TAKEN:
		return -EEXIST;
	}

	if (b->spare)
		kml_pool_free(KML_POOL_PAGE + b->spare->grain_idx, b->spare);
	what -= KML_INSERT_PAGE;
	b->spare = kml_pool_alloc(KML_POOL_PAGE + what, b->s.gfp);
	if (!b->spare)
		return -ENOMEM;
	kml_page_init(b->spare, what);
	return 0;
}

/*
 * Remove the hot entry of the object at @start. @cold is set to the metadata that
 * the caller has to free, or NULL. Return: the size of the object, or 0 if there is
 * none.
 */
static __always_inline size_t kml_remove_entry(struct kml_space *space, unsigned long start,
					       u32 *state, struct kml_cold **cold)
{
	struct kml_locked l __uninitialized;
	size_t size;

	if (!__kml_object_lock(&l, space, start, false))
		return 0;

	/* the full barrier that kml_pin_wait() requires */
	*state = atomic_fetch_andnot(KML_F_ALLOCATED, &l.hot->state);
	size = kml_hot_size(l.hot, *state);
	*cold = l.hot->cold;
	kml_page_clear(l.page, kml_page_slot_of(l.page, start & ~KML_PAGE_MASK));
	if (unlikely(!l.page->nr))
		kml_interval_vacate(l.iv);
	kml_count_irqs_off(KML_C_FREES);

	/* users of plain cold metadata hold leaf->lock: it can be reused now */
	if (likely(!(*state & KML_F_EXT)) && likely(kml_cold_put_cached(*cold)))
		*cold = NULL;
	__kml_object_unlock(&l);
	return size;
}

/*
 * Go on with an insertion of which the first try has returned @ret: not all was there.
 * Return: as kml_object_insert().
 */
static noinline int kml_insert_more(struct kml_insert_ctx *b, int ret, int min_count,
				    struct kml_info *hit)
{
	struct kml_space *space = b->s.space;

	while (ret) {
		ret = kml_insert_supply(b, ret);
		if (ret)
			break;
		ret = kml_insert_try(b);
	}
	if (likely(!ret) && !kml_one_page(b->s.start, b->s.last)) {
		ret = kml_tail_fill(&b->s);
		if (ret) {
			u32 state;

			kml_tail_clear(space, b->s.start, b->s.last);
			if (kml_remove_entry(space, b->s.start, &state, &b->cold)) {
				kml_pin_wait(b->s.start);
				b->state = state;
			}
		}
	}
	if (unlikely(b->spare))
		kml_pool_free(KML_POOL_PAGE + b->spare->grain_idx, b->spare);
	if (unlikely(b->cold))
		kml_cold_free(b->state, b->cold);

	if (likely(!ret))
		return 0;
	if (ret == -EEXIST) {
		kml_count_inc(KML_C_OVERLAPS);
		if (!kml_object_info(space, b->s.hit, false, hit))
			memset(hit, 0, sizeof(*hit));
		return ret;
	}
	kml_reserve_add(space, b->s.start, b->s.last - b->s.start + 1,
			min_count < 0 ? KML_RESERVE_BLACK : 0);
	return 0;
}

/**
 * kml_object_insert() - insert an object
 * @space: address space
 * @ptr: address that the allocator returned, with its tag
 * @size: in bytes; 0: nothing is inserted
 * @min_count: number of references wanted; 0: grey, negative: black
 * @gfp: flags of the tracked allocation
 * @trace: stack of the allocation, from kml_stack_save()
 * @hit: on -EEXIST, filled with the other object; zeroed if that was freed meanwhile
 *
 * If there is no memory for metadata, the block goes into the reserve: it is
 * scanned as a root, unless it is black, and never reported.
 *
 * Context: any but NMI in which @gfp may be used; no raw lock is held.
 * Return: 0, or -EEXIST if the block overlaps another object.
 */
int kml_object_insert(struct kml_space *space, unsigned long ptr, size_t size,
		      int min_count, gfp_t gfp, depot_stack_handle_t trace,
		      struct kml_info *hit)
{
	/* not initialisers: they would clear all of it */
	struct kml_insert_ctx b __uninitialized, more __uninitialized;
	int ret;

	if (unlikely(!size))
		return 0;	/* no pointer can point into it */

	b.s.space = space;
	b.s.start = kml_untag(ptr);
	b.s.gfp = gfp;
	b.ptr = ptr;
	b.trace = trace;
	b.cold = NULL;
	b.spare = NULL;
	b.passed = false;
	b.size = size;
	if (unlikely(is_kfence_address((void *)ptr)))
		b.size = kfence_ksize((void *)ptr) ?: size;
	b.s.last = kml_last(b.s.start, b.size);
	b.state = kml_state_set_min(b.s.start & ~KML_PAGE_MASK, min_count) |
		  KML_F_ALLOCATED;
	if (unlikely(b.size > U32_MAX - 1)) {
		struct kml_ext *ext = kml_pool_alloc(KML_POOL_EXT, gfp);

		if (!ext) {
			kml_reserve_add(space, b.s.start, b.s.last - b.s.start + 1,
					min_count < 0 ? KML_RESERVE_BLACK : 0);
			return 0;
		}
		ext->size = b.size;
		ext->not_excess = ~0UL;
		b.cold = &ext->cold;
		b.state |= KML_F_EXT | KML_F_BIG;
	}

	kml_window_grow(space, b.s.start, b.s.last);
	ret = __kml_insert_try(&b);
	if (likely(!ret && kml_one_page(b.s.start, b.s.last)))
		return 0;
	/* a copy, since other functions get its address */
	more = b;
	return kml_insert_more(&more, ret, min_count, hit);
}

/*
 * Remove the object at @start, and wait for workers that read it. The caller has to
 * free @cold. Return: the size of the object, or 0 if there is none.
 */
static __always_inline size_t kml_detach(struct kml_space *space, unsigned long start,
					 u32 *state, struct kml_cold **cold)
{
	size_t size = kml_remove_entry(space, start, state, cold);
	unsigned long last;

	if (!size)
		return 0;
	last = kml_last(start, size);
	if (!kml_one_page(start, last))
		kml_tail_clear(space, start, last);
	kml_pin_wait(start);
	return size;
}

/**
 * kml_object_remove() - remove the object of a block that is being freed
 * @space: address space
 * @ptr: start of the block, may have a tag
 *
 * When this returns no worker reads the block. A block in the reserve is removed,
 * too.
 *
 * Context: any but NMI; no raw lock is held.
 * Return: false if no tracked block starts at @ptr.
 */
bool kml_object_remove(struct kml_space *space, unsigned long ptr)
{
	unsigned long start = kml_untag(ptr);
	struct kml_cold *cold = NULL;
	size_t size;
	u32 state;

	size = kml_detach(space, start, &state, &cold);
	if (likely(size)) {
		if (unlikely(cold))
			kml_cold_free(state, cold);
		kml_reserve_remove_overlaps(space, start, size);
		return true;
	}
	return kml_reserve_remove(space, start);
}

/* Make what a partial free leaves of an object an object of its own. */
static int kml_insert_rest(struct kml_space *space, unsigned long ptr, size_t size,
			   u32 state, depot_stack_handle_t trace, struct kml_info *hit)
{
	int min_count = kml_state_min_count(state);
	int ret = kml_object_insert(space, ptr, size, min_count, GFP_KERNEL, trace, hit);

	if (ret)
		kml_reserve_add_overlap(space, kml_untag(ptr), size, min_count);
	return ret;
}

/**
 * kml_object_remove_part() - remove the part of an object that is being freed
 * @space: address space
 * @ptr: start of the part, may have a tag
 * @size: of the part, in bytes
 * @trace: stack of the free, from kml_stack_save(); reported for what remains
 * @hit: on -EEXIST, filled with the other object; zeroed if that was freed meanwhile
 *
 * The memory before and after the part becomes new objects, which want as many
 * references as the old object did. When this returns no worker reads the part.
 *
 * Context: process or boot; may sleep. The caller serialises partial frees of a
 * block.
 * Return: 0, -ENOENT if no tracked block holds @ptr, or -EEXIST if memory that
 * remains overlaps another object.
 */
int kml_object_remove_part(struct kml_space *space, unsigned long ptr,
			   size_t size, depot_stack_handle_t trace,
			   struct kml_info *hit)
{
	unsigned long addr = kml_untag(ptr), tag, start;
	struct kml_cold *cold = NULL;
	size_t old_size, before;
	struct kml_locked l;
	int ret, err;
	u32 state;

	if (!size)
		return 0;
	if (!kml_object_lock(&l, space, addr, true)) {
		size = kml_reserve_remove_part(space, addr, size);
		kml_reserve_remove_overlaps(space, addr, size);
		return size ? 0 : -ENOENT;
	}
	start = l.start;
	tag = kml_tagged(start, l.hot->cold) - start;
	kml_object_unlock(&l);

	old_size = kml_detach(space, start, &state, &cold);
	if (!old_size)
		return -ENOENT;		/* concurrently freed: a bug of the caller */
	kml_cold_free(state, cold);

	before = addr - start;
	size = min(size, old_size - before);
	kml_reserve_remove_overlaps(space, addr, size);
	/* when kmemleak is off, frees are tracked, but no new objects */
	if (!kml_enabled())
		return 0;

	ret = kml_insert_rest(space, start + tag, before, state, trace, hit);
	err = kml_insert_rest(space, addr + size + tag, old_size - before - size, state,
			      trace, hit);
	return ret ?: err;
}

static enum kml_visit kml_remove_visit(struct kml_visitor *v,
				       struct kml_space *space,
				       unsigned long start, struct kml_hot *hot)
{
	return KML_VISIT_UNLOCKED;
}

static void kml_remove_unlocked(struct kml_visitor *v, struct kml_space *space,
				unsigned long start)
{
	kml_object_remove(space, start);
}

/**
 * kml_object_remove_all() - remove all objects of the index
 *
 * Context: process, kml_scan_mutex held, kmemleak is off; may sleep.
 */
void kml_object_remove_all(void)
{
	struct kml_visitor v = {
		.visit = kml_remove_visit,
		.unlocked = kml_remove_unlocked,
	};
	unsigned int id;

	for (id = 0; id < KML_NR_SPACES; id++)
		kml_walk(kml_space(id), &v);
}

/* === Attributes ========================================================= */

/*
 * Changes of an object's attributes. A block in the reserve has few attributes; a
 * change of any other one is ignored.
 */

/**
 * kml_object_paint() - make an object grey (never a leak) or black (ignored)
 * @space: address space
 * @ptr: start of the object, may have a tag
 * @color: 0: grey, -1: black
 *
 * Context: any but NMI; no raw lock is held.
 * Return: 0, or -ENOENT if no tracked block starts at @ptr.
 */
int kml_object_paint(struct kml_space *space, unsigned long ptr, int color)
{
	unsigned long start = kml_untag(ptr);
	struct kml_locked l;

	if (!kml_object_lock(&l, space, start, false))
		return kml_reserve_paint(space, start, color < 0 ?
					 KML_RESERVE_MAKE_BLACK :
					 KML_RESERVE_MAKE_GREY) ? 0 : -ENOENT;
	kml_hot_change(l.hot, KML_MIN_MASK,
		       kml_state_set_min(0, color) |
		       (color < 0 ? KML_F_NO_SCAN : 0));
	kml_object_unlock(&l);
	return 0;
}

/**
 * kml_object_no_scan() - do not read the content of an object in scans
 * @space: address space
 * @ptr: start of the object, may have a tag
 *
 * Context: any but NMI; no raw lock is held.
 * Return: 0, or -ENOENT if no tracked block starts at @ptr.
 */
int kml_object_no_scan(struct kml_space *space, unsigned long ptr)
{
	unsigned long start = kml_untag(ptr);
	struct kml_locked l;

	if (!kml_object_lock(&l, space, start, false))
		return kml_reserve_paint(space, start, KML_RESERVE_MAKE_NO_SCAN) ? 0 : -ENOENT;
	kml_hot_change(l.hot, 0, KML_F_NO_SCAN);
	kml_object_unlock(&l);
	return 0;
}

/**
 * kml_stack_set_no_scan() - set or clear KML_F_NO_SCAN on the block of a stack
 * @stack: lowest address of the stack, or NULL
 * @on: true to set the flag, false to clear it
 *
 * A VMAP stack is a tracked block, and scans would read it whole, unused frames
 * included. With the flag set, roots.c reads only its live part.
 *
 * Context: process.
 * Return: true if the flag was changed.
 */
bool kml_stack_set_no_scan(const void *stack, bool on)
{
	unsigned long start = kml_untag((unsigned long)stack);
	struct kml_locked l;
	bool change;

	if (!start || !kml_object_lock(&l, kml_space(KML_VIRT), start, false))
		return false;
	change = on == !(kml_hot_state(l.hot) & KML_F_NO_SCAN);
	if (change)
		kml_hot_change(l.hot, on ? 0 : KML_F_NO_SCAN,
			       on ? KML_F_NO_SCAN : 0);
	kml_object_unlock(&l);
	return change;
}

/**
 * kml_own_stack_set_no_scan() - set or clear KML_F_NO_SCAN on current's stack
 * @on: true to set the flag, false to clear it
 *
 * The unused frames of a task that scans are full of object addresses.
 *
 * Context: process.
 * Return: true if the flag was changed.
 */
bool kml_own_stack_set_no_scan(bool on)
{
	return kml_stack_set_no_scan(task_stack_page(current), on);
}

/**
 * kml_object_reset_checksum() - let the next scan take an object as changed
 * @space: address space
 * @ptr: start of the object, may have a tag
 *
 * Context: any but NMI; no raw lock is held.
 * Return: 0, or -ENOENT if no tracked block starts at @ptr.
 */
int kml_object_reset_checksum(struct kml_space *space, unsigned long ptr)
{
	unsigned long start = kml_untag(ptr);
	struct kml_locked l;

	if (!kml_object_lock(&l, space, start, false))
		return kml_reserve_paint(space, start, KML_RESERVE_KEEP) ? 0 : -ENOENT;
	l.hot->cold->checksum = ~0;
	kml_object_unlock(&l);
	return 0;
}

/**
 * kml_object_set_trace() - replace the allocation stack of an object
 * @space: address space
 * @ptr: any address in the object, may have a tag
 * @trace: new stack, from kml_stack_save()
 *
 * Context: any but NMI; no raw lock is held.
 * Return: 0, or -ENOENT if no object holds @ptr. A block in the reserve has no
 * stack: -ENOENT, too.
 */
int kml_object_set_trace(struct kml_space *space, unsigned long ptr,
			 depot_stack_handle_t trace)
{
	struct kml_locked l;

	if (!kml_object_lock(&l, space, kml_untag(ptr), true))
		return -ENOENT;
	l.hot->cold->trace = trace;
	kml_object_unlock(&l);
	return 0;
}

/*
 * Make sure that a locked object has an extension; use @ext if it has none. The
 * caller has to free @unused after unlocking: the replaced cold metadata, or NULL.
 * Return: the extension, or NULL if the object has none and @ext is NULL.
 */
static struct kml_ext *kml_hot_extend(struct kml_hot *hot, struct kml_ext *ext,
				      struct kml_cold **unused)
{
	*unused = NULL;
	if (kml_hot_state(hot) & KML_F_EXT)
		return kml_ext(hot);
	if (!ext)
		return NULL;

	ext->cold = *hot->cold;
	ext->not_excess = ~0UL;
	*unused = hot->cold;
	/* pointer before flag: a reader that sees KML_F_EXT finds the extension */
	smp_store_release(&hot->cold, &ext->cold);
	kml_hot_change(hot, 0, KML_F_EXT);
	return ext;
}

/**
 * kml_object_set_excess() - forward surplus references to an object to another one
 * @space: address space
 * @ptr: start of the object, may have a tag
 * @excess_ref: start of the target: it gets the references that @ptr does not need
 * @gfp: flags of the tracked allocation
 *
 * Hooks call this when both objects have just been inserted. A scan that has begun
 * before, and has settled @ptr, forwards no references. It does not report the
 * target either, since the checksum of a new object is not known yet.
 *
 * Context: any but NMI in which @gfp may be used; no raw lock is held.
 * Return: 0, -ENOENT if no tracked block starts at @ptr, or -ENOMEM. On an error the
 * caller has to make sure that the target is not reported.
 */
int kml_object_set_excess(struct kml_space *space, unsigned long ptr,
			  unsigned long excess_ref, gfp_t gfp)
{
	unsigned long start = kml_untag(ptr);
	struct kml_ext *spare, *ext;
	struct kml_cold *unused;
	struct kml_locked l;

	spare = kml_pool_alloc(KML_POOL_EXT, gfp);
	if (!kml_object_lock(&l, space, start, false)) {
		kml_pool_free(KML_POOL_EXT, spare);
		return kml_reserve_paint(space, start, KML_RESERVE_KEEP) ? -ENOMEM : -ENOENT;
	}
	ext = kml_hot_extend(l.hot, spare, &unused);
	if (ext) {
		ext->not_excess = ~excess_ref;
		WRITE_ONCE(kml_interval_find(space, start)->excess, true);
		WRITE_ONCE(l.leaf->excess, true);
	}
	kml_object_unlock(&l);

	if (spare != ext)
		kml_pool_free(KML_POOL_EXT, spare);
	kml_cold_free(0, unused);
	return ext ? 0 : -ENOMEM;
}

/**
 * kml_object_add_area() - add a scan area to an object
 * @space: address space
 * @ptr: start of the area, anywhere in the object, may have a tag
 * @size: of the area, in bytes; SIZE_MAX: up to the end of the object
 * @gfp: for metadata
 * @hit: on -ERANGE, filled with the object
 *
 * Of an object with areas, scans read only these. If there is no memory for an area,
 * they read the whole object.
 *
 * Context: any but NMI in which @gfp may be used; no raw lock is held.
 * Return: 0, -ENOENT if no tracked block holds @ptr, -ENOMEM, or -ERANGE if the area
 * ends after the object.
 */
int kml_object_add_area(struct kml_space *space, unsigned long ptr, size_t size,
			gfp_t gfp, struct kml_info *hit)
{
	unsigned long addr = kml_untag(ptr);
	struct kml_ext *spare, *ext;
	struct kml_cold *unused = NULL;
	struct kml_area *area;
	struct kml_locked l;
	size_t room;
	int ret = 0;

	area = kml_pool_alloc(KML_POOL_AREA, gfp);
	spare = kml_pool_alloc(KML_POOL_EXT, gfp);

	if (!kml_object_lock(&l, space, addr, true)) {
		ret = kml_reserve_holds(space, addr) ? 0 : -ENOENT;
		ext = NULL;
		goto out;
	}

	ext = area ? kml_hot_extend(l.hot, spare, &unused) : NULL;
	room = kml_hot_size(l.hot, kml_hot_state(l.hot)) - (addr - l.start);
	if (!ext) {
		kml_hot_change(l.hot, 0, KML_F_FULL_SCAN);
		ret = -ENOMEM;
	} else if (size != SIZE_MAX && size > room) {
		kml_info_fill(hit, space, l.start, l.hot);
		ret = -ERANGE;
	} else {
		area->not_start = ~addr;
		area->size = min(size, room);
		area->next = ext->areas;
		/* workers read the list with a pin, without the lock */
		smp_store_release(&ext->areas, area);
		area = NULL;
	}
	kml_object_unlock(&l);
out:
	if (spare != ext)
		kml_pool_free(KML_POOL_EXT, spare);
	kml_pool_free(KML_POOL_AREA, area);
	kml_cold_free(0, unused);
	return ret;
}
