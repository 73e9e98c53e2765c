// SPDX-License-Identifier: GPL-2.0
/*
 * kmemleak_torture: objects of all kinds
 */
#include <linux/gfp.h>
#include <linux/kmemleak.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "kt.h"

static const char kt_tags[KT_NR_CLASSES][9] = {
	[KT_LIVE]	= "KTLIVE!!",
	[KT_MOVED]	= "KTMOVED!",
	[KT_LEAK]	= "KTLEAK!!",
};

static const char kt_dead[9] = "KTDEAD!!";

static atomic_long_t kt_next_id;
/* objects to be freed later */
static atomic_t kt_pending_frees;

static void __percpu *kt_percpu(unsigned long ref)
{
	return (void __percpu *)(ref & ~KT_REF_PERCPU);
}

/* The content of an object; of a per-CPU object, the first copy. */
struct kt_object *kt_object(unsigned long ref)
{
	if (ref & KT_REF_PERCPU)
		return per_cpu_ptr(kt_percpu(ref), cpumask_first(cpu_possible_mask));
	return (struct kt_object *)ref;
}

enum kt_kind kt_object_kind(unsigned long ref)
{
	return READ_ONCE(kt_object(ref)->what) & ~KT_MARK;
}

static unsigned long kt_allocate(enum kt_kind kind, size_t size, gfp_t gfp)
{
	void *p = NULL;

	switch (kind) {
	case KT_KMALLOC:
		p = kzalloc(size, gfp);
		break;
	case KT_PAGES:
		p = (void *)__get_free_pages(gfp | __GFP_ZERO | __GFP_NOWARN, get_order(size));
		if (p)
			kmemleak_alloc(p, size, 1, gfp);
		break;
	case KT_VMALLOC:
		p = vzalloc(size);
		break;
	case KT_PERCPU:
		p = (__force void *)__alloc_percpu(size, 8);
		return p ? (unsigned long)p | KT_REF_PERCPU : 0;
	default:
		break;
	}
	return (unsigned long)p;
}

static void kt_object_init(struct kt_object *obj, enum kt_kind kind, size_t size,
			   enum kt_class class, u64 id)
{
	memcpy(obj->tag, kt_tags[class], sizeof(obj->tag));
	obj->id = id | (u64)KT_MARK << 32;
	obj->size = size;
	obj->what = kind | KT_MARK;
}

unsigned long kt_object_new(enum kt_kind kind, size_t size, enum kt_class class,
			    u64 id, gfp_t gfp)
{
	unsigned int cpu;
	unsigned long ref;
	u64 t0;

	size = max(size, KT_MIN_SIZE);
	t0 = ktime_get_ns();
	ref = kt_allocate(kind, size, gfp);
	if (kind == KT_KMALLOC)
		kt_note_time(gfpflags_allow_blocking(gfp) ? KT_T_ALLOC : KT_T_IRQ_ALLOC,
			     ktime_get_ns() - t0);
	if (!ref) {
		kt_count(KT_C_NOMEM);
		return 0;
	}
	if (kind == KT_PERCPU)
		for_each_possible_cpu(cpu)
			kt_object_init(per_cpu_ptr(kt_percpu(ref), cpu), kind, size, class, id);
	else
		kt_object_init((void *)ref, kind, size, class, id);
	kt_count(KT_C_BIRTHS);
	return ref;
}

/* A size from all magnitudes below @max. */
static size_t kt_random_size(struct rnd_state *rnd, size_t max)
{
	size_t top = KT_MIN_SIZE << (prandom_u32_state(rnd) % (ilog2(max / KT_MIN_SIZE) + 1));

	return min(max, KT_MIN_SIZE + prandom_u32_state(rnd) % top);
}

/* Most objects are small; blocks of vmalloc() are rare and large. */
unsigned long kt_object_random(struct rnd_state *rnd, enum kt_class class)
{
	u64 id = atomic_long_inc_return(&kt_next_id) & U32_MAX;
	unsigned int what = prandom_u32_state(rnd) % 64;

	if (what == 0)
		return kt_object_new(KT_VMALLOC, kt_random_size(rnd, kt_vmalloc_max), class, id,
				     GFP_KERNEL);
	if (what < 4)
		return kt_object_new(KT_PERCPU, kt_random_size(rnd, 512), class, id, GFP_KERNEL);
	if (what < 14)
		return kt_object_new(KT_PAGES, kt_random_size(rnd, 4 * PAGE_SIZE), class, id,
				     GFP_KERNEL);
	if (what < 16)
		return kt_object_new(KT_KMALLOC, kt_random_size(rnd, 65536), class, id,
				     GFP_KERNEL | __GFP_NOWARN);
	return kt_object_new(KT_KMALLOC, kt_random_size(rnd, 1024), class, id, GFP_KERNEL);
}

/* Has the object the right content? If not, it was freed. */
bool kt_object_check(unsigned long ref, enum kt_class class)
{
	struct kt_object *obj = kt_object(ref);

	if (!memcmp(obj->tag, kt_tags[class], sizeof(obj->tag)) &&
	    obj->id >> 32 == KT_MARK && (obj->what & KT_MARK) == KT_MARK)
		return true;
	kt_count(KT_C_BAD);
	return false;
}

/* Remove pointers before a free: the memory may be used for a leak. */
static void kt_wipe(struct kt_object *obj)
{
	memset(obj, 0, sizeof(*obj));
	memcpy(obj->tag, kt_dead, sizeof(obj->tag));
}

void kt_object_free(unsigned long ref)
{
	struct kt_object *obj = kt_object(ref);
	enum kt_kind kind = kt_object_kind(ref);
	size_t size = obj->size;
	unsigned int cpu;
	u64 t0;

	kt_count(KT_C_DEATHS);
	switch (kind) {
	case KT_KMALLOC:
		kt_wipe(obj);
		t0 = ktime_get_ns();
		kfree(obj);
		kt_note_time(in_hardirq() ? KT_T_IRQ_FREE : KT_T_FREE, ktime_get_ns() - t0);
		break;
	case KT_PAGES:
		kt_wipe(obj);
		kmemleak_free(obj);
		free_pages((unsigned long)obj, get_order(size));
		break;
	case KT_VMALLOC:
		kt_wipe(obj);
		vfree(obj);
		break;
	case KT_PERCPU:
		for_each_possible_cpu(cpu)
			kt_wipe(per_cpu_ptr(kt_percpu(ref), cpu));
		free_percpu(kt_percpu(ref));
		break;
	default:
		kt_count(KT_C_BAD);
	}
}

static void kt_free_rcu_fn(struct rcu_head *rcu)
{
	kt_object_free((unsigned long)container_of(rcu, struct kt_object, rcu));
	atomic_dec(&kt_pending_frees);
}

/* Free an object that RCU readers may be using. Not for per-CPU objects. */
void kt_object_free_rcu(unsigned long ref)
{
	struct kt_object *obj = kt_object(ref);

	if (kt_object_kind(ref) == KT_KMALLOC && obj->id & 1) {
		/* in bulk, by arrays that kmemleak does not track */
		kt_count(KT_C_DEATHS);
		kvfree_rcu(obj, rcu);
		return;
	}
	atomic_inc(&kt_pending_frees);
	call_rcu(&obj->rcu, kt_free_rcu_fn);
}

static void kt_free_work_fn(struct work_struct *work);

/* Objects that another CPU is to free. */
static LIST_HEAD(kt_handed_over);
/* protects kt_handed_over */
static DEFINE_SPINLOCK(kt_handed_lock);
static DECLARE_WORK(kt_free_work, kt_free_work_fn);

static void kt_free_work_fn(struct work_struct *work)
{
	struct kt_object *obj, *next;
	LIST_HEAD(todo);

	spin_lock_irq(&kt_handed_lock);
	list_splice_init(&kt_handed_over, &todo);
	spin_unlock_irq(&kt_handed_lock);
	list_for_each_entry_safe(obj, next, &todo, link)
		kt_object_free((unsigned long)obj);
}

/* Not for per-CPU objects. */
void kt_object_free_elsewhere(unsigned long ref)
{
	unsigned int cpu = get_random_u32_below(nr_cpu_ids);
	struct kt_object *obj = kt_object(ref);
	unsigned long flags;

	spin_lock_irqsave(&kt_handed_lock, flags);
	list_add_tail(&obj->link, &kt_handed_over);
	spin_unlock_irqrestore(&kt_handed_lock, flags);
	if (cpu_online(cpu))
		schedule_work_on(cpu, &kt_free_work);
	else
		schedule_work(&kt_free_work);
}

/* Wait until all objects with a callback are freed. */
void kt_objects_drain(void)
{
	flush_work(&kt_free_work);
	kt_free_work_fn(NULL);
	rcu_barrier();
	if (atomic_read(&kt_pending_frees))
		kt_count(KT_C_BAD);
}

/*
 * Call hooks for an object that is freed before it is old enough to be reported: after
 * some hooks it would never be.
 */
void kt_hooks(struct rnd_state *rnd, unsigned long ref)
{
	struct kt_object *obj = kt_object(ref);
	size_t size = obj->size;

	if (ref & KT_REF_PERCPU) {
#ifdef KST_HAVE_IGNORE_PERCPU
		kmemleak_ignore_percpu(kt_percpu(ref));
#endif
		return;
	}
	switch (prandom_u32_state(rnd) % 8) {
	case 0:
		kmemleak_not_leak(obj);
		break;
	case 1:
		kmemleak_ignore(obj);
		break;
	case 2:
		kmemleak_no_scan(obj);
		break;
	case 3:
		kmemleak_scan_area(obj, KT_MIN_SIZE, GFP_KERNEL);
		break;
	case 4:
		kmemleak_update_trace(obj);
		break;
	case 5:
#ifdef KST_HAVE_TRANSIENT_LEAK
		kmemleak_transient_leak(obj);
#endif
		break;
	case 6:
		if (kt_object_kind(ref) == KT_PAGES && size >= 2 * KT_MIN_SIZE)
			kmemleak_free_part((void *)obj + size / 2, size - size / 2);
		break;
	case 7:
		/* a physical object at the same address is another object */
		if (kt_object_kind(ref) == KT_PAGES) {
			kmemleak_alloc_phys(__pa(obj), size, GFP_KERNEL);
			kmemleak_ignore_phys(__pa(obj));
			kmemleak_free_part_phys(__pa(obj), size);
		}
		break;
	}
}
