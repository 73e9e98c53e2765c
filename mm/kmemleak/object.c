// SPDX-License-Identifier: GPL-2.0-only
/* Objects: birth, attributes, death. */

#include "os.h"
#include "index.h"

/* === Metadata of an object ============================================== */

/*
 * Object metadata.
 *
 * Objects are listed in the order of their allocation, without a counter that all
 * CPUs share: each object records jiffies and, for the order within a jiffy, a stamp
 * from a clock that increases strictly on its CPU. Where local_clock() differs between
 * CPUs, objects that two CPUs allocate in the same jiffy are listed in any order.
 */

static_assert(PID_MAX_LIMIT <= 1U << KML_PID_BITS);

struct kml_stamp {
	unsigned long born;
	u32 last;
};

static DEFINE_PER_CPU(struct kml_stamp, kml_stamp);

/*
 * Context: IRQs off. Before per-CPU data works the one CPU there is writes to
 * the initial copy, from which all start; that does no harm.
 */
static u32 kml_stamp_next(unsigned long now)
{
	struct kml_stamp *stamp = this_cpu_ptr(&kml_stamp);
	/* 16 ns: what happens within one jiffy before timers tick still fits */
	u32 t = kml_clock_ns() >> 4;

	if (stamp->born == now && (s32)(t - stamp->last) <= 0)
		t = stamp->last + 1;
	stamp->born = now;
	stamp->last = t;
	return t;
}

/*
 * Was the object of (@j1, @s1) allocated before that of (@j2, @s2)? The longer ago,
 * the earlier: unlike time_before() this is right for whatever jiffies can count.
 */
bool kml_born_before(unsigned long j1, u32 s1, unsigned long j2, u32 s2)
{
	unsigned long now = jiffies;

	if (j1 != j2)
		return now - j1 > now - j2;
	return (s32)(s1 - s2) < 0;
}

/* Now, in the same terms, after all that was born so far. Context: any but NMI. */
void kml_born_now(unsigned long *born, u32 *stamp)
{
	unsigned long flags;

	local_irq_save(flags);
	*born = jiffies;
	*stamp = kml_stamp_next(*born);
	local_irq_restore(flags);
}

/**
 * kml_stack_save() - record the caller's stack
 *
 * Skips itself, KML_SKIP_FRAMES: the first frame is its caller, an exported hook
 * that is not inlined.
 *
 * Context: any.
 * Return: handle, or 0 when there is no depot yet or no memory.
 */
noinline depot_stack_handle_t kml_stack_save(void)
{
	unsigned long entries[KML_MAX_TRACE];
	unsigned int nr;

	if (!kml_pool_ready())
		return 0;
	nr = stack_trace_save(entries, ARRAY_SIZE(entries), KML_SKIP_FRAMES);
	return stack_depot_save(entries, nr, GFP_NOWAIT);
}

/**
 * kml_cold_init() - note who allocates
 * @cold: to fill
 * @trace: from kml_stack_save()
 * @ptr: what the allocator returned
 *
 * Context: IRQs off.
 */
void kml_cold_init(struct kml_cold *cold, depot_stack_handle_t trace,
		   unsigned long ptr)
{
	u32 pid = 0;

	cold->born = jiffies;
	cold->stamp = kml_stamp_next(cold->born);
	cold->checksum = ~0;	/* the first scan finds it changed */
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
		 * No get_task_comm(): its lock is not for all contexts. A
		 * rename at this moment may leave a mixture of both names.
		 */
		strscpy(cold->comm, current->comm);
	}
	cold->pid = pid;
}

/**
 * kml_cold_free() - free metadata of an object that is out of the index
 * @state: the object's last state
 * @cold: its metadata, NULL is fine
 *
 * Context: any, no raw lock held, no pin on the object any more.
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

/* Context: leaf->lock, if KML_F_BIG is set in @state. */
size_t kml_hot_size(const struct kml_hot *hot, u32 state)
{
	if (unlikely(state & KML_F_BIG))
		return kml_ext(hot)->size;
	return READ_ONCE(hot->size);
}

/* Copy all there is to know. Context: leaf->lock. */
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

unsigned int kml_info_flags(const struct kml_info *info)
{
	static const struct {
		u32 from;
		unsigned int to;
	} map[] = {
		{ KML_F_ALLOCATED,	KML_SHOW_ALLOCATED },
		{ KML_F_REPORTED,	KML_SHOW_REPORTED },
		{ KML_F_NO_SCAN,	KML_SHOW_NO_SCAN },
		{ KML_F_FULL_SCAN,	KML_SHOW_FULL_SCAN },
		{ KML_F_SUSPECT,	KML_SHOW_SUSPECT },
	};
	unsigned int i, flags = 0;

	for (i = 0; i < ARRAY_SIZE(map); i++)
		if (info->state & map[i].from)
			flags |= map[i].to;
	if (info->space == KML_PHYS)
		flags |= KML_SHOW_PHYS;
	if (info->space == KML_PERCPU)
		flags |= KML_SHOW_PERCPU;
	return flags;
}

/* Change flags against concurrent markers. Context: leaf->lock. */
u32 kml_hot_change(struct kml_hot *hot, u32 clear, u32 set)
{
	int old = atomic_read(&hot->state);

	while (!atomic_try_cmpxchg(&hot->state, &old, (old & ~clear) | set))
		;
	return old;
}

/* === Objects that span pages ============================================ */

/*
 * Objects that do not end where they start: pages and intervals they reach
 * into point back to their start.
 */

static void kml_filled_by_set(struct kml_interval *iv, unsigned long cover)
{
	WRITE_ONCE(iv->filled_by, cover);
}

/* Does anything start in or reach into an interval? Context: RCU. */
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

/* Say in the interval at @addr that the object fills it. */
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

/* Say in the page at @addr that the object reaches into it. */
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

/* Does an object up to @last fill the interval that starts at @addr? */
static bool kml_fills_interval(unsigned long addr, unsigned long last)
{
	return !(addr & ~KML_INTERVAL_MASK) && last - addr >= KML_INTERVAL_SIZE - 1;
}

static unsigned long kml_fill_step(unsigned long addr, unsigned long last)
{
	return kml_fills_interval(addr, last) ? KML_INTERVAL_SIZE : KML_PAGE_SIZE;
}

/**
 * kml_tail_clear() - no object reaches from its first page on any more
 * @space: where
 * @start: of the object
 * @last: its last address
 *
 * Marks of other objects stay, so this undoes half a kml_tail_fill(), too.
 *
 * Context: any.
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
 * kml_tail_fill() - mark what an object reaches into behind its first page
 * @s: the object; @s->hit is set on -EEXIST
 *
 * Context: as @s->gfp allows.
 * Return: 0, -ENOMEM, or -EEXIST: another object
 * is in the way. The caller then undoes what was done with kml_tail_clear().
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
 * Filing and removing objects.
 *
 * An object has one hot entry, in the page where it starts. Pages which it
 * reaches into say so (leaf->continued_from), intervals which it fills say so once
 * (interval->filled_by), so that a gigabyte costs 512 words. These marks are set
 * one by one after the entry, with no lock held in between: nobody can have a
 * pointer into the block before the hook returns. For the same reason they are
 * all gone before the hook of a free returns.
 */

/*
 * Parts of one physical block may be freed on several CPUs: hugetlb does so with
 * the memmap. One at a time; a virtual block has an owner who sees to that, and
 * who may hold locks that reclaim wants.
 */

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
	struct kml_page *page;

	rcu_read_lock();
	if (alias && !kml_lookup(space, addr, &start))
		goto none;

	iv = kml_interval_find(space, start);
	l->leaf = iv ? kml_leaf_find(iv, start) : NULL;
	if (!l->leaf)
		goto none;

	raw_spin_lock_irqsave(&l->leaf->lock, l->flags);
	page = kml_leaf_page(l->leaf);
	hot = page ? kml_page_exact(page, start & ~KML_PAGE_MASK) : NULL;
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
struct kml_insert_ctx {
	struct kml_tail s;
	unsigned long ptr;		/* as the allocator returned it */
	size_t size;			/* as recorded: KFENCE may know better */
	u32 state;
	depot_stack_handle_t trace;
	struct kml_cold *cold;		/* for the entry, until it is filed */
	struct kml_page *spare;		/* for the page, likewise */
	bool passed;			/* @before is set */
	unsigned long before;		/* start of an object that ends before us */
};

enum kml_insert_step {
	KML_INSERT_DONE,
	KML_INSERT_AGAIN,
	KML_INSERT_TAKEN,
	KML_INSERT_REACHED,	/* is it taken by one that reaches in? */
	KML_INSERT_LEAF,		/* these three: allocate it and try again */
	KML_INSERT_COLD,
	KML_INSERT_PAGE,		/* + class */
};

/*
 * Is there an object in the way in the page where @b starts? One that reaches in
 * from before is under another leaf's lock: it may go, and another one come in
 * its slot, while its size is read. So what seems to be taken is looked at again,
 * under that lock. Context: leaf->lock.
 */
static int kml_start_taken(struct kml_insert_ctx *b, struct kml_interval *iv,
			   struct kml_leaf *leaf, struct kml_page *page)
{
	unsigned long base = b->s.start & KML_PAGE_MASK;
	unsigned long last = min(b->s.last, base + KML_PAGE_SIZE - 1);
	struct kml_hot *hot = NULL;
	u32 state;

	if (page)
		hot = kml_page_find(page, last - base);
	if (hot) {
		state = kml_hot_state(hot);
		b->s.hit = base + (state & KML_OFF_MASK);
		if (b->s.hit >= b->s.start ||
		    b->s.start - b->s.hit < kml_hot_size(hot, state))
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

/* Make room in the leaf for an entry. Context: leaf->lock. */
static int kml_leaf_room(struct kml_insert_ctx *b, struct kml_leaf *leaf,
			 struct kml_page *page, struct kml_page **old)
{
	unsigned int off = b->s.start & ~KML_PAGE_MASK;
	int grain_idx;

	if (likely(page && page->nr && kml_page_slot_free(page, off)))
		return KML_INSERT_DONE;
	if (page && page->nr)
		grain_idx = kml_page_grain_idx_for(page, off);
	else
		grain_idx = kml_page_grain_idx(b->size);
	/* empty, and what we want */
	if (page && page->grain_idx == grain_idx)
		return KML_INSERT_DONE;

	if (!b->spare || b->spare->grain_idx != grain_idx)
		return KML_INSERT_PAGE + grain_idx;
	if (page)
		kml_page_move(b->spare, page);
	WRITE_ONCE(leaf->grain_idx, b->spare->grain_idx);
	rcu_assign_pointer(leaf->page, b->spare);
	b->spare = NULL;
	*old = page;
	return KML_INSERT_DONE;
}

/* Try to file the entry; KML_INSERT_* says how that went. */
static int kml_insert_try(struct kml_insert_ctx *b)
{
	struct kml_page *page, *old = NULL;
	struct kml_interval *iv;
	struct kml_leaf *leaf;
	unsigned long flags;
	int ret;

	rcu_read_lock();
	local_irq_save(flags);
	iv = kml_interval_find(b->s.space, b->s.start);
	leaf = iv ? kml_leaf_find(iv, b->s.start) : NULL;
	ret = KML_INSERT_LEAF;
	if (!leaf)
		goto out;
	if (!b->cold)
		b->cold = kml_cold_get_cached();
	ret = KML_INSERT_COLD;
	if (!b->cold)
		goto out;

	kml_cold_init(b->cold, b->trace, b->ptr);

	raw_spin_lock(&leaf->lock);
	ret = KML_INSERT_AGAIN;
	if (kml_leaf_dead(leaf))
		goto unlock;
	page = kml_leaf_page(leaf);
	ret = kml_start_taken(b, iv, leaf, page);
	if (ret)
		goto unlock;
	ret = kml_leaf_room(b, leaf, page, &old);
	if (ret)
		goto unlock;

	/* in this RCU section: see "New objects" in kmemleak.h */
	if (unlikely(kml_scan_active()))
		b->state |= KML_F_NEW;
	kml_page_add(kml_leaf_page(leaf), b->state,
		     b->state & KML_F_BIG ? U32_MAX : b->size, b->cold);
	b->cold = NULL;
	if (unlikely(b->state & KML_F_NEW))
		kml_interval_set_has_new(iv);
	kml_count_irqs_off(KML_C_ALLOCS);
unlock:
	raw_spin_unlock(&leaf->lock);
out:
	local_irq_restore(flags);
	rcu_read_unlock();
	kml_page_free_rcu(old);
	return ret;
}

/* Get what kml_insert_try() found missing. */
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
	b->spare->grain_idx = what;
	return 0;
}

/* Take the entry of the object at @start out. Return: its size or 0. */
static size_t kml_remove_entry(struct kml_space *space, unsigned long start,
			       u32 *state, struct kml_cold **cold)
{
	struct kml_locked l;
	struct kml_page *page;
	size_t size;

	if (!kml_object_lock(&l, space, start, false))
		return 0;

	/* a full barrier, for kml_pin_wait() */
	*state = atomic_fetch_andnot(KML_F_ALLOCATED, &l.hot->state);
	size = kml_hot_size(l.hot, *state);
	*cold = l.hot->cold;
	page = kml_leaf_page(l.leaf);
	kml_page_del(page, l.hot);
	if (!page->nr)
		kml_interval_vacate(l.iv);
	kml_count_irqs_off(KML_C_FREES);

	/* plain cold metadata is read under the leaf's lock only */
	if (likely(!(*state & KML_F_EXT)) && kml_cold_put_cached(*cold))
		*cold = NULL;
	kml_object_unlock(&l);
	return size;
}

/**
 * kml_object_insert() - file an object
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
int kml_object_insert(struct kml_space *space, unsigned long ptr, size_t size,
		      int min_count, gfp_t gfp, depot_stack_handle_t trace,
		      struct kml_info *hit)
{
	struct kml_insert_ctx b = {
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
		ret = kml_insert_try(&b);
		if (likely(!ret))
			break;
		ret = kml_insert_supply(&b, ret);
		if (ret)
			break;
	}
	if (likely(!ret) && !kml_one_page(b.s.start, b.s.last)) {
		ret = kml_tail_fill(&b.s);
		if (ret) {
			u32 state;

			kml_tail_clear(space, b.s.start, b.s.last);
			if (kml_remove_entry(space, b.s.start, &state, &b.cold)) {
				kml_pin_wait(b.s.start);
				b.state = state;
			}
		}
	}
	if (b.spare)
		kml_pool_free(KML_POOL_PAGE + b.spare->grain_idx, b.spare);
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
		kml_tail_clear(space, start, last);
	kml_pin_wait(start);
	return size;
}

/**
 * kml_object_remove() - an object was freed
 * @space: where
 * @ptr: its start
 *
 * When this returns nobody reads the block any more.
 *
 * Context: any.
 * Return: false if there is no such object.
 */
bool kml_object_remove(struct kml_space *space, unsigned long ptr)
{
	unsigned long start = kml_untag(ptr);
	struct kml_cold *cold = NULL;
	size_t size;
	u32 state;

	size = kml_detach(space, start, &state, &cold);
	if (likely(size)) {
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
 * kml_object_remove_part() - a part of an object was freed
 * @space: address space
 * @ptr: start of the part
 * @size: of the part
 * @trace: stack of the free: becomes the origin of the rest
 * @hit: as for kml_object_insert()
 *
 * The memory before and after the part becomes new objects, which want as many
 * references as the old one did.
 *
 * Context: process or boot.
 * Return: 0, -ENOENT, -EEXIST.
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
	/* switched off: only the blocks that go away matter */
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
 * kml_object_remove_all() - forget all objects
 *
 * Context: process, kml_scan_mutex held, kmemleak is off.
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
 * What callers say about an object after its birth. Unless noted: any context;
 * return 0, or -ENOENT if no object starts at the address (nor waits in the
 * reserve, where there is nothing more to say about it).
 */

/**
 * kml_object_paint() - make an object grey (never a leak) or black (ignored)
 * @space: where
 * @ptr: start of the object
 * @color: 0 or -1
 *
 * Return: see above.
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

/* kml_object_no_scan() - references to the object count, its content does not */
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
 * kml_stack_set_no_scan() - set or clear NO_SCAN on the block of a stack
 * @stack: where the stack begins; may be NULL
 * @on: set or clear the flag
 *
 * With VMAP_STACK, a stack is a block like others, and would be read as a whole
 * by any scan, dead frames included. roots.c reads what is to be read of
 * it.
 *
 * Context: process.
 * Return: true if this changed anything.
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
 * kml_own_stack_set_no_scan() - set or clear NO_SCAN on the stack of this task
 * @on: set or clear the flag
 *
 * The stack of a task that scans is littered with addresses that it went
 * through.
 *
 * Context: process.
 * Return: true if this changed anything.
 */
bool kml_own_stack_set_no_scan(bool on)
{
	return kml_stack_set_no_scan(task_stack_page(current), on);
}

/* kml_object_reset_checksum() - let the next scan take the object as changed */
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

/* kml_object_set_trace() - @ptr may point anywhere into the object */
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
 * Give a locked object an extension: @ext if it has none. Return: metadata that
 * is now unused, to be freed after unlocking, in @unused.
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
	/* pointer before flag: who sees the flag finds an extension */
	smp_store_release(&hot->cold, &ext->cold);
	kml_hot_change(hot, 0, KML_F_EXT);
	return ext;
}

/**
 * kml_object_set_excess() - pass on surplus references
 * @space: where
 * @ptr: start of the object
 * @excess_ref: start of the object that gets what @ptr does not need
 * @gfp: for metadata
 *
 * Called when both are born. A scan that began before and has settled @ptr does
 * not pass references on, but does not report @excess_ref either: that one's
 * checksum is not known yet.
 *
 * Context: as @gfp allows.
 * Return: 0, -ENOENT, or -ENOMEM: then the caller has
 * to see to it that @excess_ref is not taken for a leak.
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
 * kml_object_add_area() - scan only this part of an object (and others so named)
 * @space: where
 * @ptr: start of the area, anywhere in the object
 * @size: of the area; SIZE_MAX: up to the object's end
 * @gfp: for metadata
 * @hit: filled on -ERANGE
 *
 * Without memory for the area the whole object is scanned.
 *
 * Context: as @gfp allows.
 * Return: 0, -ENOENT, -ENOMEM, or -ERANGE if the area
 * is longer than the object.
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
		/* walkers hold a pin, not the lock */
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
