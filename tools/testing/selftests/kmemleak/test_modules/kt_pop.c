// SPDX-License-Identifier: GPL-2.0
/*
 * kmemleak_torture: lists whose first member is removed and added
 *
 * Singly linked lists, last in, first out. All threads remove the first member and add it
 * again; the others stay. A scan may read the head while the first member is in the list,
 * and the first member while it is not: then that mark does not reach the rest of the
 * list, although it has not moved.
 *
 * References to the first two members move (the one to the second member is in the head or
 * in the first member), so these are KT_MOVED. The others are KT_LIVE.
 */
#include <linux/sched.h>
#include <linux/spinlock.h>

#include "kt.h"

#define KT_NR_POPS	8
#define KT_POP_DEPTH	24
#define KT_POP_MOVED	2

static struct kt_pop {
	/* protects the list */
	spinlock_t lock;
	struct kt_object *first;
} kt_pops[KT_NR_POPS];

/* The next member. */
static struct kt_object *kt_pop_next(struct kt_object *obj)
{
	return (struct kt_object *)obj->link.next;
}

static void kt_pop_push(struct kt_pop *pop, struct kt_object *obj)
{
	spin_lock(&pop->lock);
	WRITE_ONCE(obj->link.next, (struct list_head *)pop->first);
	WRITE_ONCE(pop->first, obj);
	spin_unlock(&pop->lock);
}

static struct kt_object *kt_pop_take(struct kt_pop *pop)
{
	struct kt_object *obj;

	spin_lock(&pop->lock);
	obj = pop->first;
	/* members of another class stay */
	if (obj && !memcmp(obj->tag, "KTMOVED!", sizeof(obj->tag)) && kt_pop_next(obj) &&
	    !memcmp(kt_pop_next(obj)->tag, "KTMOVED!", sizeof(obj->tag))) {
		WRITE_ONCE(pop->first, kt_pop_next(obj));
		WRITE_ONCE(obj->link.next, NULL);
	} else {
		obj = NULL;
	}
	spin_unlock(&pop->lock);
	return obj;
}

/* Remove the first member of a list, and add it again. */
void kt_pop_some(struct rnd_state *rnd, unsigned long *transit)
{
	struct kt_pop *pop = &kt_pops[prandom_u32_state(rnd) % KT_NR_POPS];
	struct kt_object *obj;
	bool on_stack;

	/* the reference is on the stack, which is read, or in this word */
	on_stack = kt_stack_enter();
	obj = kt_pop_take(pop);
	if (obj) {
		if (!on_stack)
			WRITE_ONCE(*transit, (unsigned long)obj);
		if (prandom_u32_state(rnd) % 16 == 0)
			cond_resched();
		kt_pop_push(pop, obj);
		kt_count(KT_C_MOVES);
	}
	if (on_stack)
		kt_stack_leave();
	else
		WRITE_ONCE(*transit, 0);
}

int kt_pop_init(void)
{
	unsigned int i, k;

	for (i = 0; i < KT_NR_POPS; i++)
		spin_lock_init(&kt_pops[i].lock);
	for (i = 0; i < KT_NR_POPS; i++) {
		for (k = 0; k < KT_POP_DEPTH; k++) {
			bool moved = k >= KT_POP_DEPTH - KT_POP_MOVED;
			unsigned long ref;

			/* numbers below those of kt_stand.c */
			ref = kt_object_new(KT_KMALLOC, KT_MIN_SIZE << k % 4,
					    moved ? KT_MOVED : KT_LIVE,
					    U32_MAX / 2 - i * KT_POP_DEPTH - k, GFP_KERNEL);
			if (!ref)
				return -ENOMEM;
			kt_pop_push(&kt_pops[i], kt_object(ref));
		}
	}
	return 0;
}

/* All threads have ended. */
void kt_pop_exit(void)
{
	unsigned int i, nr;

	for (i = 0; i < KT_NR_POPS; i++) {
		for (nr = 0; kt_pops[i].first; nr++) {
			struct kt_object *obj = kt_pops[i].first;

			kt_pops[i].first = kt_pop_next(obj);
			kt_object_free((unsigned long)obj);
		}
		if (nr && nr != KT_POP_DEPTH)
			kt_count(KT_C_BAD);
	}
}
