// SPDX-License-Identifier: GPL-2.0-only
/*
 * Filing and removing objects.
 *
 * An object has one hot entry, in the page where it starts. Pages which it
 * reaches into say so (leaf->cont), intervals which it fills say so once
 * (interval->cover), so that a gigabyte costs 512 words. These marks are set
 * one by one after the entry, with no lock held in between: nobody can have a
 * pointer into the block before the hook returns. For the same reason they are
 * all gone before the hook of a free returns.
 */

#include "os.h"
#include "pin.h"
#include "pool.h"
#include "reserve.h"
#include "span.h"
#include "state.h"
#include "stats.h"
#include "track.h"
#include "walk.h"

/*
 * Parts of one physical block may be freed on several CPUs: hugetlb does so with
 * the memmap. One at a time; a virtual block has an owner who sees to that, and
 * who may hold locks that reclaim wants.
 */
static DEFINE_MUTEX(kml_part_mutex);

/**
 * kml_object_lock() - find an object and keep it
 * @l: filled on success
 * @space: where
 * @addr: untagged address
 * @alias: take any inner address, not only the start
 *
 * Context: any. On success IRQs are off, the leaf is locked and an RCU
 * read-side section is open until kml_object_unlock().
 * Return: whether it was found.
 */
bool kml_object_lock(struct kml_locked *l, struct kml_space *space,
		     unsigned long addr, bool alias)
{
	struct kml_interval *iv;
	struct kml_hot *hot;
	unsigned long start = addr;
	struct kml_desc *desc;

	rcu_read_lock();
	if (alias && !kml_lookup(space, addr, &start))
		goto none;

	iv = kml_interval_find(space, start);
	l->leaf = iv ? kml_leaf_find(iv, start) : NULL;
	if (!l->leaf)
		goto none;

	raw_spin_lock_irqsave(&l->leaf->lock, l->flags);
	desc = kml_leaf_desc(l->leaf);
	hot = desc ? kml_desc_exact(desc, start & ~KML_PAGE_MASK) : NULL;
	if (hot && addr - start < kml_hot_size(hot, kml_hot_state(hot))) {
		l->space = space;
		l->iv = iv;
		l->start = start;
		l->hot = hot;
		/* for sparse, which knows no locks kept on a condition */
		__release(&l->leaf->lock);
		__release(RCU);
		return true;
	}
	raw_spin_unlock_irqrestore(&l->leaf->lock, l->flags);
none:
	rcu_read_unlock();
	return false;
}

void kml_object_unlock(struct kml_locked *l)
{
	__acquire(RCU);
	__acquire(&l->leaf->lock);
	raw_spin_unlock_irqrestore(&l->leaf->lock, l->flags);
	rcu_read_unlock();
}

/* Copy all there is to know about an object. Return: whether it was found. */
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

/* An object on its way into the index. */
struct kml_birth {
	struct kml_span s;
	unsigned long ptr;		/* as the allocator returned it */
	size_t size;			/* as recorded: KFENCE may know better */
	u32 state;
	depot_stack_handle_t trace;
	struct kml_cold *cold;		/* for the entry, until it is filed */
	struct kml_desc *spare;		/* for the page, likewise */
	bool passed;			/* @before is set */
	unsigned long before;		/* start of an object that ends before us */
};

enum kml_birth_step {
	KML_BIRTH_DONE,
	KML_BIRTH_AGAIN,
	KML_BIRTH_TAKEN,
	KML_BIRTH_REACHED,	/* is it taken by one that reaches in? */
	KML_BIRTH_LEAF,		/* these three: allocate it and try again */
	KML_BIRTH_COLD,
	KML_BIRTH_DESC,		/* + class */
};

/*
 * Is there an object in the way in the page where @b starts? One that reaches in
 * from before is under another leaf's lock: it may go, and another one come in
 * its slot, while its size is read. So what seems to be taken is looked at again,
 * under that lock. Context: leaf->lock.
 */
static int kml_start_taken(struct kml_birth *b, struct kml_interval *iv,
			   struct kml_leaf *leaf, struct kml_desc *desc)
{
	unsigned long page = b->s.start & KML_PAGE_MASK;
	unsigned long last = min(b->s.last, page + KML_PAGE_SIZE - 1);
	struct kml_hot *hot = NULL;
	u32 state;

	if (desc)
		hot = kml_desc_find(desc, last - page);
	if (hot) {
		state = kml_hot_state(hot);
		b->s.hit = page + (state & KML_OFF_MASK);
		if (b->s.hit >= b->s.start ||
		    b->s.start - b->s.hit < kml_hot_size(hot, state))
			return KML_BIRTH_TAKEN;
		return KML_BIRTH_DONE;
	}

	if (likely(!kml_cont_get(leaf->cont ?: READ_ONCE(iv->cover), &b->s.hit)))
		return KML_BIRTH_DONE;
	hot = kml_lookup_exact(b->s.space, b->s.hit);
	if (!hot)
		return KML_BIRTH_DONE;
	if (!(kml_hot_state_acquire(hot) & KML_F_BIG) &&
	    b->s.start - b->s.hit >= READ_ONCE(hot->size))
		return KML_BIRTH_DONE;
	return b->passed && b->before == b->s.hit ? KML_BIRTH_DONE :
						    KML_BIRTH_REACHED;
}

/* Make room in the leaf for an entry. Context: leaf->lock. */
static int kml_leaf_room(struct kml_birth *b, struct kml_leaf *leaf,
			 struct kml_desc *desc, struct kml_desc **old)
{
	unsigned int off = b->s.start & ~KML_PAGE_MASK;
	int cls;

	if (likely(desc && desc->nr && kml_desc_slot_free(desc, off)))
		return KML_BIRTH_DONE;
	if (desc && desc->nr)
		cls = kml_desc_class_for(desc, off);
	else
		cls = kml_desc_class(b->size);
	/* empty, and what we want */
	if (desc && desc->cls == cls)
		return KML_BIRTH_DONE;

	if (!b->spare || b->spare->cls != cls)
		return KML_BIRTH_DESC + cls;
	if (desc)
		kml_desc_move(b->spare, desc);
	WRITE_ONCE(leaf->cls, b->spare->cls);
	rcu_assign_pointer(leaf->desc, b->spare);
	b->spare = NULL;
	*old = desc;
	return KML_BIRTH_DONE;
}

/* Try to file the entry; KML_BIRTH_* says how that went. */
static int kml_birth_try(struct kml_birth *b)
{
	struct kml_desc *desc, *old = NULL;
	struct kml_interval *iv;
	struct kml_leaf *leaf;
	unsigned long flags;
	int ret;

	rcu_read_lock();
	local_irq_save(flags);
	iv = kml_interval_find(b->s.space, b->s.start);
	leaf = iv ? kml_leaf_find(iv, b->s.start) : NULL;
	ret = KML_BIRTH_LEAF;
	if (!leaf)
		goto out;
	if (!b->cold)
		b->cold = kml_cold_get_cached();
	ret = KML_BIRTH_COLD;
	if (!b->cold)
		goto out;

	raw_spin_lock(&leaf->lock);
	ret = KML_BIRTH_AGAIN;
	if (kml_leaf_dead(leaf))
		goto unlock;
	desc = kml_leaf_desc(leaf);
	ret = kml_start_taken(b, iv, leaf, desc);
	if (ret)
		goto unlock;
	ret = kml_leaf_room(b, leaf, desc, &old);
	if (ret)
		goto unlock;

	kml_cold_init(b->cold, b->trace, b->ptr);
	/* in this RCU section: see "Insert against scan" in kmemleak.h */
	if (unlikely(kml_scan_active()))
		b->state |= KML_F_NEW;
	kml_desc_add(kml_leaf_desc(leaf), b->state,
		     b->state & KML_F_BIG ? U32_MAX : b->size, b->cold);
	b->cold = NULL;
	if (unlikely(b->state & KML_F_NEW))
		kml_interval_freshen(iv);
	kml_count_irqs_off(KML_C_ALLOCS);
unlock:
	raw_spin_unlock(&leaf->lock);
out:
	local_irq_restore(flags);
	rcu_read_unlock();
	kml_desc_free_rcu(old);
	return ret;
}

/* Get what kml_birth_try() found missing. */
static int kml_birth_supply(struct kml_birth *b, int what)
{
	struct kml_info info;

	switch (what) {
	case KML_BIRTH_REACHED:
		if (kml_object_info(b->s.space, b->s.hit, false, &info) &&
		    b->s.start - b->s.hit < info.size)
			return -EEXIST;
		b->passed = true;
		b->before = b->s.hit;
		return 0;
	case KML_BIRTH_AGAIN:
		cpu_relax();
		return 0;
	case KML_BIRTH_LEAF:
		return kml_leaf_ensure(b->s.space, b->s.start, b->s.gfp);
	case KML_BIRTH_COLD:
		b->cold = kml_pool_alloc(KML_POOL_COLD, b->s.gfp);
		return b->cold ? 0 : -ENOMEM;
	case KML_BIRTH_TAKEN:
		return -EEXIST;
	}

	if (b->spare)
		kml_pool_free(KML_POOL_DESC + b->spare->cls, b->spare);
	what -= KML_BIRTH_DESC;
	b->spare = kml_pool_alloc(KML_POOL_DESC + what, b->s.gfp);
	if (!b->spare)
		return -ENOMEM;
	b->spare->cls = what;
	return 0;
}

/* Take the entry of the object at @start out. Return: its size or 0. */
static size_t kml_remove_entry(struct kml_space *space, unsigned long start,
			       u32 *state, struct kml_cold **cold)
{
	struct kml_locked l;
	struct kml_desc *desc;
	size_t size;

	if (!kml_object_lock(&l, space, start, false))
		return 0;

	/* a full barrier, for kml_pin_wait() */
	*state = atomic_fetch_andnot(KML_F_ALLOCATED, &l.hot->state);
	size = kml_hot_size(l.hot, *state);
	*cold = l.hot->cold;
	desc = kml_leaf_desc(l.leaf);
	kml_desc_del(desc, l.hot);
	if (!desc->nr)
		kml_interval_vacate(l.iv);
	kml_count_irqs_off(KML_C_FREES);

	/* plain cold metadata is read under the leaf's lock only */
	if (likely(!(*state & KML_F_EXT)) && kml_cold_put_cached(*cold))
		*cold = NULL;
	kml_object_unlock(&l);
	return size;
}

/**
 * kml_track_insert() - file an object
 * @space: where
 * @ptr: what the allocator returned
 * @size: in bytes
 * @min_count: references wanted; 0: grey, negative: black
 * @gfp: of the allocation
 * @trace: from kml_stack_save()
 * @hit: filled with the object in the way on -EEXIST
 *
 * If there is no memory for metadata the block goes into the reserve: it will
 * be scanned as a root and not be reported.
 *
 * Context: any.
 * Return: 0 or -EEXIST.
 */
int kml_track_insert(struct kml_space *space, unsigned long ptr, size_t size,
		     int min_count, gfp_t gfp, depot_stack_handle_t trace,
		     struct kml_info *hit)
{
	struct kml_birth b = {
		.s	= { .space = space, .start = kml_untag(ptr), .gfp = gfp },
		.ptr	= ptr,
		.trace	= trace,
	};
	int ret;

	if (unlikely(!size))
		return 0;	/* nothing can point into it */

	b.size = kfence_ksize((void *)ptr) ?: size;
	b.s.last = kml_last(b.s.start, b.size);
	b.state = kml_state_set_min(b.s.start & ~KML_PAGE_MASK, min_count) |
		  KML_F_ALLOCATED;
	if (unlikely(b.size > U32_MAX - 1)) {
		struct kml_ext *ext = kml_pool_alloc(KML_POOL_EXT, gfp);

		ret = -ENOMEM;
		if (!ext)
			goto reserve;
		ext->size = b.size;
		ext->not_excess = ~0UL;
		b.cold = &ext->cold;
		b.state |= KML_F_EXT | KML_F_BIG;
	}

	kml_window_grow(space, b.s.start, b.s.last);
	for (;;) {
		ret = kml_birth_try(&b);
		if (likely(!ret))
			break;
		ret = kml_birth_supply(&b, ret);
		if (ret)
			break;
	}
	if (likely(!ret) && !kml_one_page(b.s.start, b.s.last)) {
		ret = kml_span_fill(&b.s);
		if (ret) {
			u32 state;

			kml_span_clear(space, b.s.start, b.s.last);
			if (kml_remove_entry(space, b.s.start, &state, &b.cold)) {
				kml_pin_wait(b.s.start);
				b.state = state;
			}
		}
	}
	if (b.spare)
		kml_pool_free(KML_POOL_DESC + b.spare->cls, b.spare);
	kml_cold_free(b.state, b.cold);

	if (likely(!ret))
		return 0;
	if (ret == -EEXIST) {
		kml_count_inc(KML_C_OVERLAPS);
		if (!kml_object_info(space, b.s.hit, false, hit))
			memset(hit, 0, sizeof(*hit));
		return ret;
	}
reserve:
	kml_reserve_add(space, b.s.start, b.s.last - b.s.start + 1,
			min_count < 0 ? KML_RESERVE_BLACK : 0);
	return 0;
}

/* Remove the object at @start; all but freeing @cold. Return: size or 0. */
static size_t kml_detach(struct kml_space *space, unsigned long start,
			 u32 *state, struct kml_cold **cold)
{
	size_t size = kml_remove_entry(space, start, state, cold);
	unsigned long last;

	if (!size)
		return 0;
	last = kml_last(start, size);
	if (!kml_one_page(start, last))
		kml_span_clear(space, start, last);
	kml_pin_wait(start);
	return size;
}

/**
 * kml_track_remove() - an object was freed
 * @space: where
 * @ptr: its start
 *
 * When this returns nobody reads the block any more.
 *
 * Context: any.
 * Return: false if there is no such object.
 */
bool kml_track_remove(struct kml_space *space, unsigned long ptr)
{
	unsigned long start = kml_untag(ptr);
	struct kml_cold *cold = NULL;
	u32 state;

	if (likely(kml_detach(space, start, &state, &cold))) {
		kml_cold_free(state, cold);
		return true;
	}
	return kml_reserve_remove(space, start);
}

/*
 * Nobody looks for references to physical blocks or reports them: once there is
 * memory for them, what remains of one may be several objects. Beside a cut they
 * are small and grow with the distance, so that blocks which are given back page
 * by page, like the memmap of huge pages, cost each of their pages a few times and
 * not once for each cut.
 */
#define KML_CUT_MIN	(16 * KML_PAGE_SIZE)

/* What remains of a block on one side of a cut. */
struct kml_rest {
	struct kml_space *space;
	unsigned long ptr;		/* with its tag */
	size_t size;
	bool before;			/* the cut is at its end */
	int min_count;
	depot_stack_handle_t trace;
};

static int kml_file_rest(const struct kml_rest *r, struct kml_info *hit)
{
	bool split = r->space->id == KML_PHYS && r->min_count <= 0 &&
		     kml_pool_ready();
	size_t done, step;
	unsigned long at;
	int ret = 0;

	for (done = 0; done < r->size && !ret; done += step) {
		step = r->size - done;
		if (split)
			step = min(step, max(done, KML_CUT_MIN));
		at = r->before ? r->size - done - step : done;
		ret = kml_track_insert(r->space, r->ptr + at, step, r->min_count,
				       GFP_KERNEL, r->trace, hit);
	}
	return ret;
}

/*
 * Cut the part at @addr out of the object that holds it; @ret is the first error
 * so far. Return: how much of @size it was, 0 if there is no such object.
 */
static size_t kml_cut(struct kml_space *space, unsigned long addr, size_t size,
		      depot_stack_handle_t trace, struct kml_info *hit, int *ret)
{
	struct kml_rest rest = { .space = space, .trace = trace };
	struct kml_cold *cold = NULL;
	size_t old_size, before;
	unsigned long tag, start;
	struct kml_locked l;
	int err;
	u32 state;

	if (!kml_object_lock(&l, space, addr, true))
		return 0;
	start = l.start;
	tag = kml_tagged(start, l.hot->cold) - start;
	kml_object_unlock(&l);

	old_size = kml_detach(space, start, &state, &cold);
	if (!old_size)
		return 0;		/* freed under our hands: caller's bug */
	kml_cold_free(state, cold);

	before = addr - start;
	size = min(size, old_size - before);
	/* switched off: blocks that go away matter, those that stay do not */
	if (!kml_enabled())
		return size;

	rest.min_count = kml_state_min_count(state);
	rest.ptr = start + tag;
	rest.size = before;
	rest.before = true;
	err = kml_file_rest(&rest, hit);
	*ret = *ret ?: err;
	rest.ptr = addr + size + tag;
	rest.size = old_size - before - size;
	rest.before = false;
	err = kml_file_rest(&rest, hit);
	*ret = *ret ?: err;
	return size;
}

/**
 * kml_track_remove_part() - a part of an object was freed
 * @space: where
 * @ptr: start of the part
 * @size: of the part
 * @trace: who frees: becomes the origin of what remains
 * @hit: as for kml_track_insert()
 *
 * What remains before and behind the part are new objects which want as many
 * references as the old one did.
 *
 * Context: process or boot.
 * Return: 0, -ENOENT, -EEXIST.
 */
int kml_track_remove_part(struct kml_space *space, unsigned long ptr,
			  size_t size, depot_stack_handle_t trace,
			  struct kml_info *hit)
{
	bool phys = space->id == KML_PHYS;
	unsigned long addr = kml_untag(ptr);
	size_t cut, rest = size;
	int ret = 0;

	if (!size)
		return 0;
	if (phys)
		mutex_lock(&kml_part_mutex);
	do {
		cut = kml_cut(space, addr, rest, trace, hit, &ret) ?:
		      kml_reserve_remove_part(space, addr, rest);
		addr += cut;
		rest -= cut;
	} while (cut && rest && phys);
	if (phys)
		mutex_unlock(&kml_part_mutex);
	return rest == size ? -ENOENT : ret;
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
	kml_track_remove(space, start);
}

/**
 * kml_track_remove_all() - forget all objects
 *
 * Context: process, kml_scan_mutex held, kmemleak is off.
 */
void kml_track_remove_all(void)
{
	struct kml_visitor v = {
		.visit = kml_remove_visit,
		.unlocked = kml_remove_unlocked,
	};
	unsigned int id;

	for (id = 0; id < KML_NR_SPACES; id++)
		kml_walk(kml_space(id), &v);
}
