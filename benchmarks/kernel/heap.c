// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heaps of real kmalloc() blocks, and leaks.
 *
 * This module's data refer to block 0, and the first word of each block to the next block,
 * so all are alive. Other words may be pointers to blocks, as the kind says. The table of
 * all blocks is not scanned: it would refer to each block directly.
 */

#include <linux/completion.h>
#include <linux/gfp.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/string.h>

#include "scale.h"

static const struct kind {
	const char *name;
	unsigned int percent;		/* of the words are pointers */
	bool local;			/* to blocks allocated soon after */
	bool shuffled;			/* the next block is anywhere */
	unsigned int alive;		/* in per cent */
} kinds[] = {
	{ "dense",	26, false, false, 100 },
	{ "local",	26, true,  false, 100 },
	{ "sparse",	 7, false, false, 100 },
	{ "list",	 0, false, true,  100 },
	{ "white",	 0, false, false, 2 },
};

/*
 * A number that is no address on any machine. In user-mode Linux, 6 % of all 32-bit
 * numbers are addresses of its memory: with such numbers most leaks had a reference.
 */
#define NO_POINTER	(0x5a5aUL << (BITS_PER_LONG - 16))

/* The heap in use; its size is a copy, since the parameter may be changed. */
static void **blocks;
static unsigned long nr_blocks;
/* Only kmemleak reads it: WRITE_ONCE(), or the compiler drops it. */
static void *root;

static int heap_alloc(void)
{
	static const u16 sizes[] = { 32, 64, 96, 128, 192, 256, 512, 1024 };
	struct rnd_state rnd;
	unsigned long i;

	prandom_seed_state(&rnd, 1);
	blocks = vzalloc(array_size(nr_blocks, sizeof(*blocks)));
	if (!blocks)
		return -ENOMEM;
	kmemleak_no_scan(blocks);
	for (i = 0; i < nr_blocks; i++) {
		blocks[i] = kmalloc(sizes[prandom_u32_state(&rnd) % ARRAY_SIZE(sizes)],
				    GFP_KERNEL);
		if (!blocks[i])
			return -ENOMEM;
		if (!(i & 0x3ff))
			cond_resched();
	}
	return 0;
}

static void heap_fill(const struct kind *kind)
{
	unsigned long i, j, to, nr, alive = max(nr_blocks * kind->alive / 100, 1UL);
	struct rnd_state rnd;
	u64 bytes = 0;
	u32 r;

	prandom_seed_state(&rnd, 2);
	for (i = nr_blocks - 1; kind->shuffled && i; i--) {
		j = prandom_u32_state(&rnd) % (i + 1);
		swap(blocks[i], blocks[j]);
	}
	for (i = 0; i < nr_blocks; i++) {
		unsigned long *words = blocks[i];

		nr = ksize(words) / sizeof(long);
		bytes += nr * sizeof(long);
		for (j = 0; j < nr; j++) {
			r = prandom_u32_state(&rnd);
			words[j] = NO_POINTER | r;
			if (r % 100 >= kind->percent)
				continue;
			r = prandom_u32_state(&rnd);
			to = kind->local ? (i + r % 512) % nr_blocks : r % nr_blocks;
			/* one in eight points to the middle, as for container_of() */
			words[j] = (unsigned long)blocks[to] + (j % 8 ? 0 : 8);
		}
		words[0] = i + 1 < alive ? (unsigned long)blocks[i + 1] : 0;
		if (!(i & 0x3ff))
			cond_resched();
	}
	WRITE_ONCE(root, blocks[0]);
	scale_out("heap_bytes %llu bytes", bytes);
}

int scale_heap_build(const char *name)
{
	const struct kind *kind = NULL;
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(name, kinds[i].name))
			kind = &kinds[i];
	if (!kind) {
		pr_err("kmemleak_scale: no heap \"%s\"; there are:", name);
		for (i = 0; i < ARRAY_SIZE(kinds); i++)
			pr_cont(" %s", kinds[i].name);
		pr_cont("\n");
		return -EINVAL;
	}
	if (!scale_objects)
		return -EINVAL;
	nr_blocks = scale_objects;
	ret = heap_alloc();
	if (!ret)
		heap_fill(kind);
	return ret;
}

/*
 * Leaks of several sizes; every other one and its neighbour refer to each other. They are
 * parts of a block of pages, registered by the hooks that allocators use: slab caches keep
 * pointers to allocated blocks, which would hide some leaks, not always the same.
 */
static const u16 leak_sizes[] = { 48, 96, 200, 1000, 3000 };
#define LEAK_ROOM	8192UL		/* for each leak, a part of a block of pages */

static struct {
	unsigned long not_base;		/* inverted, so that it is no reference */
	unsigned long nr;
	unsigned int order;
} leaked;

static void *leak_at(unsigned long i)
{
	return (void *)(~leaked.not_base + i * LEAK_ROOM);
}

static noinline int plant_leaks(void)
{
	struct page *pages = alloc_pages(GFP_KERNEL | __GFP_ZERO, leaked.order);
	unsigned long i;

	if (!pages)
		return -ENOMEM;
	leaked.not_base = ~(unsigned long)page_address(pages);
	for (i = 0; i < leaked.nr; i++) {
		void **words = leak_at(i);

		kmemleak_alloc(words, leak_sizes[i % ARRAY_SIZE(leak_sizes)], 1, GFP_KERNEL);
		scnprintf((char *)words, 17, "kml-leak-%07lu", i);
		if (i & 1) {
			words[4] = leak_at(i - 1);
			((void **)leak_at(i - 1))[4] = words;
		}
	}
	return 0;
}

/* Overwrite the stack below this frame, which the functions above have used. */
static noinline void scrub_stack(unsigned int times)
{
	char room[1024];

	memzero_explicit(room, sizeof(room));
	if (times)
		scrub_stack(times - 1);
	/* no tail call: each call needs a frame */
	barrier_data(room);
}

struct plant {
	struct completion done;
	int ret;
};

static int plant_fn(void *data)
{
	struct plant *p = data;

	p->ret = plant_leaks();
	scrub_stack(6);
	complete(&p->done);
	return 0;
}

/* In a thread of its own: no other stack or register has an address. */
int scale_plant(void)
{
	struct plant p = {};
	struct task_struct *task;

	if (leaked.nr || !scale_leaks)
		return -EINVAL;
	leaked.order = get_order(scale_leaks * LEAK_ROOM);
	if (leaked.order > MAX_PAGE_ORDER)
		return -EINVAL;
	leaked.nr = scale_leaks;
	init_completion(&p.done);
	task = kthread_run(plant_fn, &p, "kmemleak_scale");
	if (IS_ERR(task)) {
		leaked.nr = 0;
		return PTR_ERR(task);
	}
	wait_for_completion(&p.done);
	if (p.ret)
		leaked.nr = 0;
	return p.ret;
}

static void leaks_free(void)
{
	unsigned long i;

	if (!leaked.nr)
		return;
	for (i = 0; i < leaked.nr; i++)
		kmemleak_free(leak_at(i));
	free_pages((unsigned long)leak_at(0), leaked.order);
	leaked.nr = 0;
}

void scale_heap_free(void)
{
	unsigned long i;

	leaks_free();
	WRITE_ONCE(root, NULL);
	for (i = 0; blocks && i < nr_blocks; i++) {
		/* cleared: pointers in freed blocks could refer to the next heap */
		kfree_sensitive(blocks[i]);
		if (!(i & 0x3ff))
			cond_resched();
	}
	if (blocks)
		memset(blocks, 0, nr_blocks * sizeof(*blocks));
	vfree(blocks);
	blocks = NULL;
}
