// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmemleak_accuracy: ways to lose a block
 *
 * Each function plants one leak, or several that refer to each other. It is not inlined,
 * and runs in a thread that wipes its stack and ends.
 */

#include <linux/list.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "accuracy.h"

struct kmem_cache *acc_cache, *acc_ctor_cache, *acc_bulk_cache;

#define ACC_CACHE_SIZE	152

static void acc_ctor(void *block)
{
	memset(block, 0x5a, ACC_CACHE_SIZE);
}

/**
 * acc_caches_create() - make the caches that leaks come from
 *
 * Their slabs have no other blocks.
 *
 * Context: process, may sleep.
 * Return: 0, or -ENOMEM.
 */
int acc_caches_create(void)
{
	acc_cache = kmem_cache_create("kml_plain", ACC_CACHE_SIZE, 0, SLAB_NO_MERGE, NULL);
	acc_ctor_cache = kmem_cache_create("kml_ctor", ACC_CACHE_SIZE, 0, SLAB_NO_MERGE, acc_ctor);
	acc_bulk_cache = kmem_cache_create("kml_bulk", ACC_CACHE_SIZE, 0, SLAB_NO_MERGE, NULL);
	if (acc_cache && acc_ctor_cache && acc_bulk_cache)
		return 0;
	kmem_cache_destroy(acc_cache);
	kmem_cache_destroy(acc_ctor_cache);
	kmem_cache_destroy(acc_bulk_cache);
	return -ENOMEM;
}

#define ACC_TURN(sizes, step) ((sizes)[(step) % ARRAY_SIZE(sizes)])

static noinline int acc_kmalloc_tiny(unsigned int step)
{
	static const u16 sizes[] = { 8, 16, 32 };

	return acc_keep(kmalloc(ACC_TURN(sizes, step), GFP_KERNEL));
}

static noinline int acc_kmalloc_small(unsigned int step)
{
	static const u16 sizes[] = { 64, 96, 128, 192 };

	return acc_keep(kmalloc(ACC_TURN(sizes, step), GFP_KERNEL));
}

static noinline int acc_kmalloc_medium(unsigned int step)
{
	static const u16 sizes[] = { 256, 512, 1024 };

	return acc_keep(kmalloc(ACC_TURN(sizes, step), GFP_KERNEL));
}

static noinline int acc_kmalloc_large(unsigned int step)
{
	static const u16 sizes[] = { 2048, 4096, 8192 };

	return acc_keep(kmalloc(ACC_TURN(sizes, step), GFP_KERNEL));
}

static noinline int acc_kmalloc_pages(unsigned int step)
{
	static const u32 sizes[] = { SZ_16K, SZ_64K };

	return acc_keep(kmalloc(ACC_TURN(sizes, step), GFP_KERNEL));
}

static noinline int acc_kzalloc(unsigned int step)
{
	static const u16 sizes[] = { 24, 80, 176, 400, 1500 };

	return acc_keep(kzalloc(ACC_TURN(sizes, step), GFP_KERNEL));
}

static noinline int acc_kmalloc_array(unsigned int step)
{
	return acc_keep(kmalloc_array(1 + step * 3, 12, GFP_KERNEL));
}

/* Only the block after it has grown: the first block is freed. */
static noinline int acc_krealloc(unsigned int step)
{
	void *block = kmalloc(20 + 4 * step, GFP_KERNEL), *grown;

	if (!block)
		return -ENOMEM;
	grown = krealloc(block, 300 + 10 * step, GFP_KERNEL);
	if (!grown)
		kfree(block);
	return acc_keep(grown);
}

static noinline int acc_kvmalloc(unsigned int step)
{
	static const u32 sizes[] = { 3000, 6000, 40000 };

	return acc_keep(kvmalloc(ACC_TURN(sizes, step), GFP_KERNEL));
}

static noinline int acc_vmalloc_page(unsigned int step)
{
	return acc_keep(vmalloc(64));
}

static noinline int acc_vmalloc_pages(unsigned int step)
{
	return acc_keep(vmalloc((2 + step) * PAGE_SIZE));
}

static noinline int acc_percpu(unsigned int step)
{
	static const u16 sizes[] = { 8, 32, 64, 256 };

	return acc_keep((__force void *)__alloc_percpu(ACC_TURN(sizes, step), 8));
}

static noinline int acc_cache_alloc(unsigned int step)
{
	return acc_keep(kmem_cache_alloc(acc_cache, GFP_KERNEL));
}

static noinline int acc_ctor_cache_alloc(unsigned int step)
{
	return acc_keep(kmem_cache_alloc(acc_ctor_cache, GFP_KERNEL));
}

#define ACC_BULK	16

static noinline int acc_cache_bulk(unsigned int step)
{
	void *blocks[ACC_BULK];
	unsigned int i;

	if (!kmem_cache_alloc_bulk(acc_bulk_cache, GFP_KERNEL, ACC_BULK, blocks))
		return -ENOMEM;
	for (i = 0; i < ACC_BULK; i++)
		acc_record(blocks[i]);
	memzero_explicit(blocks, sizeof(blocks));
	return 0;
}

static noinline int acc_kmemdup(unsigned int step)
{
	static const char text[200] = "a copy that nobody has asked for";

	return acc_keep(kmemdup(text, 40 + 10 * step, GFP_KERNEL));
}

static noinline int acc_kstrdup(unsigned int step)
{
	return acc_keep(kstrdup(&"the name of something that is gone"[step], GFP_KERNEL));
}

struct acc_node {
	char before[40];
	struct list_head list;
	char behind[40];
};

/* A head and its members, all in a ring. */
#define ACC_MEMBERS	4

static noinline int acc_list(unsigned int step)
{
	struct acc_node *head = kzalloc(sizeof(*head), GFP_KERNEL);
	unsigned int i;

	if (!head)
		return -ENOMEM;
	INIT_LIST_HEAD(&head->list);
	acc_record(head);
	for (i = 0; i < ACC_MEMBERS; i++) {
		struct acc_node *member = kzalloc(sizeof(*member), GFP_KERNEL);

		if (!member)
			return -ENOMEM;
		list_add_tail(&member->list, &head->list);
		acc_record(member);
	}
	return 0;
}

static noinline int acc_pair(unsigned int step)
{
	void **a = kzalloc(100, GFP_KERNEL), **b = kzalloc(1000, GFP_KERNEL);

	if (!a || !b)
		return -ENOMEM;
	a[2] = b;
	b[3] = a;
	acc_record(a);
	acc_record(b);
	return 0;
}

/* Removed from a list that is still in use, and not freed. */
static noinline int acc_unlinked(unsigned int step)
{
	static LIST_HEAD(list);
	struct acc_node *node = kzalloc(sizeof(*node), GFP_KERNEL);

	if (!node)
		return -ENOMEM;
	list_add(&node->list, &list);
	list_del(&node->list);
	acc_record(node);
	return 0;
}

/* The container is freed, the block to which only it refers is not. */
struct acc_container {
	long header[4];
	void *members[3];
};

static noinline int acc_freed_container(unsigned int step)
{
	struct acc_container *c = kzalloc(sizeof(*c), GFP_KERNEL);
	int i, ret = c ? 0 : -ENOMEM;

	for (i = 0; i < ARRAY_SIZE(c->members) && !ret; i++) {
		c->members[i] = kzalloc(32 << i, GFP_KERNEL);
		ret = acc_keep(c->members[i]);
	}
	kfree(c);
	return ret;
}

/* The only pointer to a block is overwritten by that of another block. */
static noinline int acc_overwritten(unsigned int step)
{
	static void *place;

	WRITE_ONCE(place, kzalloc(72, GFP_KERNEL));
	if (acc_keep(READ_ONCE(place)))
		return -ENOMEM;
	WRITE_ONCE(place, kzalloc(72, GFP_KERNEL));
	if (acc_keep(READ_ONCE(place)))
		return -ENOMEM;
	WRITE_ONCE(place, NULL);
	return 0;
}

const struct acc_kind acc_leaks[] = {
	{ "kmalloc, 8 to 32 bytes",		30, acc_kmalloc_tiny },
	{ "kmalloc, 64 to 192",			40, acc_kmalloc_small },
	{ "kmalloc, 256 to 1024",		30, acc_kmalloc_medium },
	{ "kmalloc, 2048 to 8192",		24, acc_kmalloc_large },
	{ "kmalloc, larger",			8, acc_kmalloc_pages },
	{ "kzalloc",				20, acc_kzalloc },
	{ "kmalloc_array",			20, acc_kmalloc_array },
	{ "krealloc",				20, acc_krealloc },
	{ "kvmalloc",				12, acc_kvmalloc },
	{ "vmalloc, one page",			20, acc_vmalloc_page },
	{ "vmalloc, several",			16, acc_vmalloc_pages },
	{ "alloc_percpu",			20, acc_percpu },
	{ "kmem_cache_alloc",			30, acc_cache_alloc },
	{ "kmem_cache_alloc, constructor",	30, acc_ctor_cache_alloc },
	{ "kmem_cache_alloc_bulk",		2, acc_cache_bulk },
	{ "kmemdup",				16, acc_kmemdup },
	{ "kstrdup",				16, acc_kstrdup },
	{ "list, head and members",		4, acc_list },
	{ "pair that refers to itself",		8, acc_pair },
	{ "unlinked from a list",		10, acc_unlinked },
	{ "members of a freed block",		6, acc_freed_container },
	{ "only pointer overwritten",		6, acc_overwritten },
};

const unsigned int acc_nr_leaks = ARRAY_SIZE(acc_leaks);
