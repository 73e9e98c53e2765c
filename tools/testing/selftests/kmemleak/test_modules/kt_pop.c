// SPDX-License-Identifier: GPL-2.0
/*
 * kmemleak_torture: lists whose first member comes and goes
 *
 * Singly linked, last in, first out. All threads take the first member off and put
 * it back; the others stay where they are. A scan may read the head while the
 * first member is in the list, and the first member while it is not: then the
 * rest of the list is unreachable in that mark, though nothing in it has moved.
 *
 * References to the first two members move (the second one's is in the head or in
 * the first member), so these are KT_MOVED. The rest is KT_LIVE.
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

/* The link of a list that has but one. */
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
	/* not more than the first one: the others stay */
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

/* Take the first member of a list off, and put it back. */
void kt_pop_some(struct rnd_state *rnd, unsigned long *transit)
{
	struct kt_pop *pop = &kt_pops[prandom_u32_state(rnd) % KT_NR_POPS];
	struct kt_object *obj;
	bool on_stack;

	/* from here on the stack is scanned, or this word is its place */
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
