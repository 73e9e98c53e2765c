// SPDX-License-Identifier: GPL-2.0
/*
 * kmemleak_torture: objects that move fast
 *
 * They move between lists, xarrays, maple trees, RCU-protected pointers and plain words,
 * which all threads share. Meanwhile their references are on the stack of the thread that
 * moves them, or only in a register; without scans of stacks, in a word of the thread.
 */
#include <linux/delay.h>
#include <linux/list.h>
#include <linux/maple_tree.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>

#include "kt.h"

#define KT_NR_OF_EACH	4
#define KT_NR_WORDS	256
#define KT_INDICES	4096UL
#define KT_PUT_TRIES	8

static struct kt_list {
	/* protects all of the list */
	spinlock_t lock;
	struct list_head head;
} kt_lists[KT_NR_OF_EACH];
static struct xarray kt_xas[KT_NR_OF_EACH];
static struct maple_tree kt_mts[KT_NR_OF_EACH];
static struct kt_object __rcu *kt_rcus[KT_NR_WORDS];
static unsigned long kt_plain[KT_NR_WORDS];
static atomic_t kt_nr_moved;

enum kt_place { IN_LIST, IN_XARRAY, IN_MAPLE, IN_RCU, IN_WORD, NR_PLACES };

static unsigned long kt_take_list(struct kt_list *list)
{
	struct kt_object *obj;

	spin_lock(&list->lock);
	obj = list_first_entry_or_null(&list->head, struct kt_object, link);
	if (obj)
		list_del_init(&obj->link);
	spin_unlock(&list->lock);
	return (unsigned long)obj;
}

static bool kt_put_list(struct kt_list *list, unsigned long ref)
{
	spin_lock(&list->lock);
	list_add_tail(&kt_object(ref)->link, &list->head);
	spin_unlock(&list->lock);
	return true;
}

static unsigned long kt_take_xarray(struct xarray *xa, unsigned long index)
{
	if (!xa_find(xa, &index, KT_INDICES, XA_PRESENT))
		return 0;
	return (unsigned long)xa_erase(xa, index);
}

static unsigned long kt_take_maple(struct maple_tree *mt, unsigned long index)
{
	if (!mt_find(mt, &index, KT_INDICES))
		return 0;
	/* empty if another thread has taken it */
	return (unsigned long)mtree_erase(mt, index - 1);
}

static unsigned long kt_take(struct rnd_state *rnd)
{
	unsigned long index = prandom_u32_state(rnd) % KT_INDICES;
	unsigned int i = index % KT_NR_OF_EACH;
	unsigned int k = index % KT_NR_WORDS;

	switch ((enum kt_place)(prandom_u32_state(rnd) % NR_PLACES)) {
	case IN_LIST:
		return kt_take_list(&kt_lists[i]);
	case IN_XARRAY:
		return kt_take_xarray(&kt_xas[i], index);
	case IN_MAPLE:
		return kt_take_maple(&kt_mts[i], index);
	case IN_RCU:
		return (unsigned long)unrcu_pointer(xchg(&kt_rcus[k], NULL));
	case IN_WORD:
		return xchg(&kt_plain[k], 0);
	default:
		return 0;
	}
}

/* False if the place is taken, or not for this object, or if there is no memory. */
static bool kt_put(struct rnd_state *rnd, unsigned long ref)
{
	unsigned long index = prandom_u32_state(rnd) % KT_INDICES;
	unsigned int i = index % KT_NR_OF_EACH;
	unsigned int k = index % KT_NR_WORDS;
	unsigned int place = prandom_u32_state(rnd) % NR_PLACES;

	if (ref & KT_REF_PERCPU)
		place = IN_WORD;
	switch ((enum kt_place)place) {
	case IN_LIST:
		return kt_put_list(&kt_lists[i], ref);
	case IN_XARRAY:
		return !xa_insert(&kt_xas[i], index, (void *)ref, GFP_KERNEL);
	case IN_MAPLE:
		return !mtree_insert(&kt_mts[i], index, (void *)ref, GFP_KERNEL);
	case IN_RCU:
		return !unrcu_pointer(cmpxchg(&kt_rcus[k], NULL,
					      RCU_INITIALIZER((struct kt_object *)ref)));
	case IN_WORD:
		return !cmpxchg(&kt_plain[k], 0, ref);
	default:
		return false;
	}
}

static void kt_moved_free(unsigned long ref)
{
	atomic_dec(&kt_nr_moved);
	if (ref & KT_REF_PERCPU)
		kt_object_free(ref);
	else
		kt_object_free_rcu(ref);
}

/* Wait while the reference is only on this stack, or in a register. */
static void kt_dwell(struct rnd_state *rnd, unsigned long ref)
{
	switch (prandom_u32_state(rnd) % 64) {
	case 0:
		schedule_timeout_uninterruptible(1);
		break;
	case 1 ... 4:
		cond_resched();
		break;
	case 5 ... 12:
		udelay(5);
		break;
	}
	asm volatile("" : : "r" (ref));
}

static unsigned long kt_moved_new(struct rnd_state *rnd)
{
	unsigned long ref;

	if (atomic_read(&kt_nr_moved) >= kt_moving)
		return 0;
	ref = kt_object_random(rnd, KT_MOVED);
	if (ref) {
		atomic_inc(&kt_nr_moved);
		INIT_LIST_HEAD(&kt_object(ref)->link);
	}
	return ref;
}

static void kt_move_one(struct rnd_state *rnd, unsigned long *transit)
{
	unsigned long ref = kt_take(rnd);
	bool on_stack;
	int i;

	if (!ref)
		ref = kt_moved_new(rnd);
	if (!ref || !kt_object_check(ref, KT_MOVED))
		return;
	if (prandom_u32_state(rnd) % 256 == 0) {
		kt_moved_free(ref);
		return;
	}

	on_stack = kt_stack_enter();
	if (!on_stack)
		WRITE_ONCE(*transit, ref);
	kt_dwell(rnd, ref);
	for (i = 0; i < KT_PUT_TRIES; i++)
		if (kt_put(rnd, ref))
			break;
	if (i == KT_PUT_TRIES)
		kt_moved_free(ref);
	if (on_stack)
		kt_stack_leave();
	else
		WRITE_ONCE(*transit, 0);
	kt_count(KT_C_MOVES);
}

void kt_move_some(struct rnd_state *rnd, unsigned long *transit)
{
	unsigned int i;

	for (i = 0; i < kt_moves; i++)
		kt_move_one(rnd, transit);
}

/* Read like an RCU reader: the objects must have the right content. */
void kt_move_look(struct rnd_state *rnd)
{
	unsigned long index = prandom_u32_state(rnd) % KT_INDICES;
	struct kt_object *obj;

	rcu_read_lock();
	obj = rcu_dereference(kt_rcus[index % KT_NR_WORDS]);
	if (obj)
		kt_object_check((unsigned long)obj, KT_MOVED);
	obj = xa_load(&kt_xas[index % KT_NR_OF_EACH], index);
	if (obj)
		kt_object_check((unsigned long)obj, KT_MOVED);
	rcu_read_unlock();
}

int kt_move_init(void)
{
	int i;

	for (i = 0; i < KT_NR_OF_EACH; i++) {
		spin_lock_init(&kt_lists[i].lock);
		INIT_LIST_HEAD(&kt_lists[i].head);
		xa_init(&kt_xas[i]);
		mt_init_flags(&kt_mts[i], MT_FLAGS_USE_RCU);
	}
	return 0;
}

/* All threads have ended. */
void kt_move_exit(void)
{
	unsigned long ref;
	int i;

	for (i = 0; i < KT_NR_OF_EACH; i++) {
		while ((ref = kt_take_list(&kt_lists[i])))
			kt_moved_free(ref);
		while ((ref = kt_take_xarray(&kt_xas[i], 0)))
			kt_moved_free(ref);
		while ((ref = kt_take_maple(&kt_mts[i], 0)))
			kt_moved_free(ref);
		xa_destroy(&kt_xas[i]);
		mtree_destroy(&kt_mts[i]);
	}
	for (i = 0; i < KT_NR_WORDS; i++) {
		ref = (unsigned long)unrcu_pointer(xchg(&kt_rcus[i], NULL));
		if (ref)
			kt_moved_free(ref);
		ref = xchg(&kt_plain[i], 0);
		if (ref)
			kt_moved_free(ref);
	}
	if (atomic_read(&kt_nr_moved))
		kt_count(KT_C_BAD);
}
