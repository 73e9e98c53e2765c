// SPDX-License-Identifier: GPL-2.0-only
/*
 * Leaks blocks of every kind that an image can tell apart, and keeps as many. Each
 * is named in the log, so that a test knows which addresses have to be in a report
 * and which must not be.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#define LEAKS_BLOCK	96
#define LEAKS_CACHED	136
#define LEAKS_LARGE	300000
#define LEAKS_VMALLOC	(5 * PAGE_SIZE)
#define LEAKS_PERCPU	48
#define NR_BLOCKS	10
#define NR_CACHED	5
#define NR_NODES	8
#define NR_BULK		12
#define NR_KEPT		20

struct leaks_node {
	struct list_head list;
	char pad[200];
};

static struct kmem_cache *leaks_cache;
static LIST_HEAD(leaks_kept_nodes);
static DECLARE_COMPLETION(leaks_done);

/* volatile: nobody reads them, and they have to be stored all the same */
static void *volatile leaks_kept[NR_KEPT];
static void *volatile leaks_kept_large;
static void *volatile leaks_kept_vmalloc;
static void __percpu *volatile leaks_kept_percpu;

/* The log is in memory: an address is written as text, which is no reference. */
static void leaks_log(const char *kind, const void *p)
{
	pr_info("%s 0x%llx\n", kind, (unsigned long long)(unsigned long)p);
}

static noinline void leaks_blocks(void)
{
	int i;

	for (i = 0; i < NR_BLOCKS; i++)
		leaks_log("leaked block", kzalloc(LEAKS_BLOCK, GFP_KERNEL));
}

static noinline void leaks_cached(void)
{
	int i;

	for (i = 0; i < NR_CACHED; i++)
		leaks_log("leaked cached", kmem_cache_zalloc(leaks_cache, GFP_KERNEL));
}

/* A ring that nobody enters: its nodes refer to each other only. */
static noinline void leaks_ring(void)
{
	LIST_HEAD(head);
	int i;

	for (i = 0; i < NR_NODES; i++) {
		struct leaks_node *node = kzalloc(sizeof(*node), GFP_KERNEL);

		leaks_log("leaked node", node);
		if (node)
			list_add(&node->list, &head);
	}
	list_del(&head);
}

static noinline void leaks_bulk(void)
{
	void *blocks[NR_BULK] = {};
	int i;

	/* how many there are, or, since 7.x, whether there are all */
	if (!kmem_cache_alloc_bulk(leaks_cache, GFP_KERNEL | __GFP_ZERO, NR_BULK, blocks))
		return;
	for (i = 0; i < NR_BULK; i++)
		leaks_log("leaked bulk", blocks[i]);
	memzero_explicit(blocks, sizeof(blocks));
}

static noinline void leaks_areas(void)
{
	leaks_log("leaked large", kzalloc(LEAKS_LARGE, GFP_KERNEL));
	leaks_log("leaked vmalloc", vzalloc(LEAKS_VMALLOC));
	leaks_log("leaked percpu", (void __force *)__alloc_percpu(LEAKS_PERCPU, 8));
}

/* A chain: one head, which retains the others. */
static noinline void leaks_chain(void)
{
	void **block, *next = NULL;
	int i;

	for (i = 0; i < 3; i++) {
		block = kzalloc(512, GFP_KERNEL);
		leaks_log(i == 2 ? "leaked head" : "leaked child", block);
		if (block)
			block[3] = next;
		next = block;
	}
}

static noinline void leaks_keep(void)
{
	int i;

	for (i = 0; i < NR_KEPT; i++) {
		struct leaks_node *node = kzalloc(sizeof(*node), GFP_KERNEL);

		leaks_kept[i] = kzalloc(LEAKS_BLOCK, GFP_KERNEL);
		leaks_log("kept block", leaks_kept[i]);
		leaks_log("kept node", node);
		if (node)
			list_add(&node->list, &leaks_kept_nodes);
	}
	leaks_kept_large = kzalloc(LEAKS_LARGE, GFP_KERNEL);
	leaks_log("kept large", leaks_kept_large);
	leaks_kept_vmalloc = vzalloc(LEAKS_VMALLOC);
	leaks_log("kept vmalloc", leaks_kept_vmalloc);
	leaks_kept_percpu = __alloc_percpu(LEAKS_PERCPU, 8);
	leaks_log("kept percpu", (void __force *)leaks_kept_percpu);
}

/* In a thread of its own: the words that it leaves are on a stack that goes with it. */
static int leaks_thread(void *unused)
{
	leaks_keep();
	leaks_blocks();
	leaks_cached();
	leaks_ring();
	leaks_bulk();
	leaks_areas();
	leaks_chain();
	complete(&leaks_done);
	while (!kthread_should_stop())
		schedule_timeout_idle(1);
	return 0;
}

static int __init leaks_init(void)
{
	struct task_struct *thread;

	leaks_cache = kmem_cache_create("leaks_cache", LEAKS_CACHED, 0, 0, NULL);
	if (!leaks_cache)
		return -ENOMEM;
	thread = kthread_run(leaks_thread, NULL, "leaks");
	if (IS_ERR(thread))
		return PTR_ERR(thread);
	/* a thread that is stopped before it has begun would do nothing */
	wait_for_completion(&leaks_done);
	return kthread_stop(thread);
}
module_init(leaks_init);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Leaks for tests of kmemleak scan --image");
