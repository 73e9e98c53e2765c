// SPDX-License-Identifier: GPL-2.0
/*
 * kmemleak_torture: live objects to which only a structure of the kernel refers
 *
 * They are made before the load begins, and stay in their places until its end: in lists,
 * whose links are in the objects, in xarrays and maple trees, whose nodes have tags in the
 * low bits of their addresses, and in RCU-protected pointers. Objects that move between
 * such structures (kt_move.c) may be reported, but none of these.
 */
#include <linux/list.h>
#include <linux/maple_tree.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "kt.h"

/* in each structure, enough for several levels of nodes */
#define KT_STANDING	96
/* distance of indices: several levels of an xarray */
#define KT_STRIDE	641UL

static LIST_HEAD(kt_stand_list);
static DEFINE_XARRAY(kt_stand_xa);
static struct maple_tree kt_stand_mt;
static struct kt_object __rcu **kt_stand_rcu;
static unsigned int kt_nr_stood;

enum kt_stand { IN_LIST, IN_XARRAY, IN_MAPLE, IN_RCU, NR_STANDS };

static int kt_stand_one(unsigned int i)
{
	static const enum kt_kind kinds[] = { KT_KMALLOC, KT_KMALLOC, KT_PAGES, KT_VMALLOC };
	unsigned int nr = i / NR_STANDS;
	unsigned long index = nr * KT_STRIDE;
	/* numbers from the top down: those of the threads count up */
	unsigned long ref = kt_object_new(kinds[nr % ARRAY_SIZE(kinds)], KT_MIN_SIZE << nr % 4,
					  KT_LIVE, U32_MAX - i, GFP_KERNEL);
	struct kt_object *obj;
	int ret = 0;

	if (!ref)
		return -ENOMEM;
	obj = kt_object(ref);
	switch ((enum kt_stand)(i % NR_STANDS)) {
	case IN_LIST:
		list_add_tail(&obj->link, &kt_stand_list);
		break;
	case IN_XARRAY:
		ret = xa_insert(&kt_stand_xa, index, obj, GFP_KERNEL);
		break;
	case IN_MAPLE:
		ret = mtree_insert(&kt_stand_mt, index, obj, GFP_KERNEL);
		break;
	default:
		rcu_assign_pointer(kt_stand_rcu[nr], obj);
	}
	if (ret)
		kt_object_free(ref);
	return ret;
}

int kt_stand_init(void)
{
	int ret;

	mt_init_flags(&kt_stand_mt, MT_FLAGS_USE_RCU);
	kt_stand_rcu = kcalloc(KT_STANDING, sizeof(*kt_stand_rcu), GFP_KERNEL);
	if (!kt_stand_rcu)
		return -ENOMEM;
	for (; kt_nr_stood < KT_STANDING * NR_STANDS; kt_nr_stood++) {
		ret = kt_stand_one(kt_nr_stood);
		if (ret)
			return ret;
	}
	return 0;
}

static void kt_stand_free(struct kt_object *obj)
{
	if (!kt_object_check((unsigned long)obj, KT_LIVE))
		return;
	kt_object_free((unsigned long)obj);
	kt_nr_stood--;
}

void kt_stand_exit(void)
{
	struct kt_object *obj, *next;
	unsigned long index;
	unsigned int i;

	if (!kt_stand_rcu)
		return;
	list_for_each_entry_safe(obj, next, &kt_stand_list, link) {
		list_del(&obj->link);
		kt_stand_free(obj);
	}
	xa_for_each(&kt_stand_xa, index, obj)
		kt_stand_free(obj);
	xa_destroy(&kt_stand_xa);
	index = 0;
	mt_for_each(&kt_stand_mt, obj, index, ULONG_MAX)
		kt_stand_free(obj);
	mtree_destroy(&kt_stand_mt);
	for (i = 0; i < KT_STANDING; i++) {
		obj = rcu_dereference_protected(kt_stand_rcu[i], true);
		if (obj)
			kt_stand_free(obj);
	}
	kfree(kt_stand_rcu);
	kt_stand_rcu = NULL;
	/* an object that a structure has lost */
	if (kt_nr_stood)
		kt_count(KT_C_BAD);
}
