// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmemleak_accuracy: ways to hold a block
 *
 * Each block has one reference, in a place that its function names. Only kmemleak reads
 * these places: WRITE_ONCE() or barrier_data() prevent the compiler from dropping the
 * writes.
 */

#include <linux/completion.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/idr.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/maple_tree.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/rbtree.h>
#include <linux/rcupdate.h>
#include <linux/vmalloc.h>
#include <linux/xarray.h>

#include "accuracy.h"

#define ACC_CONTROLS	8		/* of each kind */

/* Pointers at odd offsets, in a block and in a root. */
struct acc_packed {
	u8 kind;
	void *block;
	u8 flags;
} __packed;

static void *acc_place(void)
{
	void *block = kzalloc(112, GFP_KERNEL);

	if (block)
		acc_record(block);
	return block;
}

static noinline int acc_odd_in_block(unsigned int step)
{
	static struct acc_packed *holders[ACC_CONTROLS];
	struct acc_packed *holder = kzalloc(sizeof(*holder), GFP_KERNEL);

	if (!holder)
		return -ENOMEM;
	WRITE_ONCE(holders[step], holder);
	holder->block = acc_place();
	return holder->block ? 0 : -ENOMEM;
}

static noinline int acc_odd_in_data(unsigned int step)
{
	static struct acc_packed holders[ACC_CONTROLS];
	struct acc_packed *holder = &holders[step];

	holder->block = acc_place();
	barrier_data(holder);
	return holder->block ? 0 : -ENOMEM;
}

/* Pages of the buddy allocator, which kmemleak does not track. */
static noinline int acc_page_by_address(unsigned int step)
{
	static unsigned long pages[ACC_CONTROLS];
	void **words = (void **)get_zeroed_page(GFP_KERNEL);

	if (!words)
		return -ENOMEM;
	WRITE_ONCE(pages[step], (unsigned long)words);
	words[10 + 7 * step] = acc_place();
	return words[10 + 7 * step] ? 0 : -ENOMEM;
}

static noinline int acc_page_by_struct(unsigned int step)
{
	static struct page *pages[ACC_CONTROLS];
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_ZERO, step % 2);
	void **words;

	if (!page)
		return -ENOMEM;
	WRITE_ONCE(pages[step], page);
	words = page_address(page);
	words[20 + 7 * step] = acc_place();
	return words[20 + 7 * step] ? 0 : -ENOMEM;
}

#ifdef kmalloc_nolock
#define ACC_HAVE_NOLOCK 1

/* Blocks of kmalloc_nolock() are not tracked, either; 0 if the processor has none. */
static noinline int acc_in_nolock(unsigned int step)
{
	static void **holders[ACC_CONTROLS];
	void **holder = kmalloc_nolock(64, __GFP_ZERO, NUMA_NO_NODE);

	if (!holder)
		return 0;
	WRITE_ONCE(holders[step], holder);
	holder[3] = acc_place();
	return holder[3] ? 0 : -ENOMEM;
}
#endif

/*
 * Blocks that RCU has not freed yet: a sheaf has them until it is full. Each kind has a
 * size that is not used otherwise.
 */
struct acc_pending {
	char before[300];
	struct rcu_head rcu;
	char behind[300];
};

static noinline int acc_kfree_rcu(unsigned int step)
{
	struct acc_pending *block = kzalloc(sizeof(*block), GFP_KERNEL);

	if (!block)
		return -ENOMEM;
	acc_record(block);
	kfree_rcu(block, rcu);
	return 0;
}

#ifdef ACC_HAVE_NOLOCK
struct acc_pending_nolock {
	char before[700];
	struct rcu_head rcu;
	char behind[700];
};

/* The first makes the sheaf, with kmalloc_nolock(). */
static noinline int acc_kfree_rcu_nolock(unsigned int step)
{
	struct acc_pending_nolock *block = kzalloc(sizeof(*block), GFP_KERNEL);

	if (!block)
		return -ENOMEM;
	acc_record(block);
	if (step)
		kfree_rcu(block, rcu);
	else
		kfree_call_rcu_nolock((struct kvfree_rcu_head *)&block->rcu, block);
	return 0;
}
#endif

static noinline int acc_in_variable(unsigned int step)
{
	static void *places[ACC_CONTROLS];

	WRITE_ONCE(places[step], acc_place());
	return READ_ONCE(places[step]) ? 0 : -ENOMEM;
}

/* A pointer to the middle of the block. */
static noinline int acc_inner_pointer(unsigned int step)
{
	static void *places[ACC_CONTROLS];
	char *block = acc_place();

	if (!block)
		return -ENOMEM;
	WRITE_ONCE(places[step], block + 8 * step + 13);
	return 0;
}

struct acc_member {
	long header[3];
	struct list_head list;
	struct rb_node rb;
};

static struct acc_member *acc_member(void)
{
	struct acc_member *member = kzalloc(sizeof(*member), GFP_KERNEL);

	if (member)
		acc_record(member);
	return member;
}

static noinline int acc_in_list(unsigned int step)
{
	static LIST_HEAD(list);
	struct acc_member *member = acc_member();

	if (!member)
		return -ENOMEM;
	list_add(&member->list, &list);
	return 0;
}

static noinline int acc_in_rbtree(unsigned int step)
{
	static struct rb_root root = RB_ROOT;
	struct rb_node **link = &root.rb_node, *parent = NULL;
	struct acc_member *member = acc_member();

	if (!member)
		return -ENOMEM;
	while (*link) {
		parent = *link;
		link = &parent->rb_right;
	}
	rb_link_node(&member->rb, parent, link);
	rb_insert_color(&member->rb, &root);
	return 0;
}

static noinline int acc_in_xarray(unsigned int step)
{
	static DEFINE_XARRAY(array);

	return xa_err(xa_store(&array, step * 1000, acc_place(), GFP_KERNEL));
}

static noinline int acc_in_maple_tree(unsigned int step)
{
	static DEFINE_MTREE(tree);

	return mtree_store(&tree, step * 1000, acc_place(), GFP_KERNEL);
}

static noinline int acc_in_idr(unsigned int step)
{
	static struct idr idr = IDR_INIT(idr);
	int id = idr_alloc(&idr, acc_place(), 0, 0, GFP_KERNEL);

	return id < 0 ? id : 0;
}

static noinline int acc_rcu_pointer(unsigned int step)
{
	static void __rcu *places[ACC_CONTROLS];

	rcu_assign_pointer(places[step], acc_place());
	return rcu_access_pointer(places[step]) ? 0 : -ENOMEM;
}

struct acc_slots {
	void *blocks[ACC_CONTROLS];
};

static DEFINE_PER_CPU(struct acc_slots, acc_slots);

static noinline int acc_in_percpu_variable(unsigned int step)
{
	void **place = &per_cpu(acc_slots, cpumask_first(cpu_online_mask)).blocks[step];

	WRITE_ONCE(*place, acc_place());
	return READ_ONCE(*place) ? 0 : -ENOMEM;
}

static noinline int acc_in_percpu_block(unsigned int step)
{
	static unsigned long places[ACC_CONTROLS];
	struct acc_slots __percpu *slots;
	void **place;

	slots = alloc_percpu(struct acc_slots);
	if (!slots)
		return -ENOMEM;
	acc_record((__force void *)slots);
	WRITE_ONCE(places[step], (__force unsigned long)slots);
	place = &per_cpu_ptr(slots, cpumask_first(cpu_online_mask))->blocks[step];
	WRITE_ONCE(*place, acc_place());
	return READ_ONCE(*place) ? 0 : -ENOMEM;
}

static noinline int acc_in_vmalloc(unsigned int step)
{
	static void **places[ACC_CONTROLS];
	void **block = vzalloc(2 * PAGE_SIZE);

	if (!block)
		return -ENOMEM;
	acc_record(block);
	WRITE_ONCE(places[step], block);
	WRITE_ONCE(block[600 + step], acc_place());
	return READ_ONCE(block[600 + step]) ? 0 : -ENOMEM;
}

static noinline int acc_in_cache(unsigned int step)
{
	static void **places[ACC_CONTROLS];
	void **block = kmem_cache_zalloc(acc_cache, GFP_KERNEL);

	if (!block)
		return -ENOMEM;
	acc_record(block);
	WRITE_ONCE(places[step], block);
	WRITE_ONCE(block[step], acc_place());
	return READ_ONCE(block[step]) ? 0 : -ENOMEM;
}

/*
 * A thread that sleeps forever has the pointers in its frame. It is made first: its stack
 * keeps the address of its argument, which is freed and would hide a leak in that memory.
 */
static DECLARE_COMPLETION(acc_hold);
static DECLARE_COMPLETION(acc_held);
static int acc_hold_result;

static int acc_holder(void *unused)
{
	void *places[ACC_CONTROLS] = {};
	unsigned int nr = 0;

	while (!kthread_should_stop()) {
		if (wait_for_completion_interruptible(&acc_hold))
			continue;
		WRITE_ONCE(places[nr % ACC_CONTROLS], acc_place());
		acc_hold_result = READ_ONCE(places[nr++ % ACC_CONTROLS]) ? 0 : -ENOMEM;
		complete(&acc_held);
		barrier_data(places);
	}
	return 0;
}

/**
 * acc_holder_start() - make the thread whose stack holds blocks
 *
 * Context: process, may sleep.
 * Return: 0 or an error.
 */
int acc_holder_start(void)
{
	return PTR_ERR_OR_ZERO(kthread_run(acc_holder, NULL, "kml_holder"));
}

static noinline int acc_on_stack(unsigned int step)
{
	complete(&acc_hold);
	wait_for_completion(&acc_held);
	return acc_hold_result;
}

const struct acc_kind acc_controls[] = {
	{ "odd offset, in a block",	ACC_CONTROLS, acc_odd_in_block },
	{ "odd offset, in data",	ACC_CONTROLS, acc_odd_in_data },
	{ "page, by its address",	ACC_CONTROLS, acc_page_by_address },
	{ "page, by its struct page",	ACC_CONTROLS, acc_page_by_struct },
#ifdef ACC_HAVE_NOLOCK
	{ "kmalloc_nolock",		ACC_CONTROLS, acc_in_nolock },
	{ "kfree_rcu",			ACC_CONTROLS, acc_kfree_rcu },
	{ "kfree_call_rcu_nolock",	ACC_CONTROLS, acc_kfree_rcu_nolock },
#else
	{ "kmalloc_nolock" },
	{ "kfree_rcu",			ACC_CONTROLS, acc_kfree_rcu },
	{ "kfree_call_rcu_nolock" },
#endif
	{ "variable",			ACC_CONTROLS, acc_in_variable },
	{ "variable, inner pointer",	ACC_CONTROLS, acc_inner_pointer },
	{ "list",			ACC_CONTROLS, acc_in_list },
	{ "rbtree",			ACC_CONTROLS, acc_in_rbtree },
	{ "xarray",			ACC_CONTROLS, acc_in_xarray },
	{ "maple tree",			ACC_CONTROLS, acc_in_maple_tree },
	{ "IDR",			ACC_CONTROLS, acc_in_idr },
	{ "RCU pointer",		ACC_CONTROLS, acc_rcu_pointer },
	{ "per-CPU variable",		ACC_CONTROLS, acc_in_percpu_variable },
	{ "per-CPU block",		ACC_CONTROLS, acc_in_percpu_block },
	{ "vmalloc block",		ACC_CONTROLS, acc_in_vmalloc },
	{ "kmem_cache block",		ACC_CONTROLS, acc_in_cache },
	{ "stack of a sleeping thread",	ACC_CONTROLS, acc_on_stack },
};

const unsigned int acc_nr_controls = ARRAY_SIZE(acc_controls);
