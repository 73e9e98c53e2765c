// SPDX-License-Identifier: GPL-2.0-only
/* Pairs of an allocation and a free, and the share of them that is not kmemleak's. */

#include <linux/stackdepot.h>
#include <linux/stacktrace.h>

#include "scale.h"

static struct kmem_cache *untracked;

int scale_pairs_begin(void)
{
	untracked = kmem_cache_create("kmemleak_scale", scale_size, 0,
				      SLAB_NOLEAKTRACE, NULL);
	return untracked ? 0 : -ENOMEM;
}

void scale_pairs_end(void)
{
	kmem_cache_destroy(untracked);
	untracked = NULL;
}

static void pair_kmalloc(void *arg)
{
	kfree(kmalloc(scale_size, GFP_KERNEL));
}

/* The same below so many frames that the whole trace is full. */
#define DEEP	12

static noinline void deep(unsigned int depth)
{
	if (depth)
		deep(depth - 1);
	else
		pair_kmalloc(NULL);
	barrier();
}

static void pair_deep(void *arg)
{
	deep(DEEP);
}

/*
 * The same below scale_more frames. The first block of a run is kept: kmemleak tells how
 * many frames it has saved. @arg: the frames that are to come, this one included.
 */
static void *kept;

static noinline void pair_frames(void *arg)
{
	unsigned long more = (unsigned long)arg - 1;
	void *p;

	if (more) {
		pair_frames((void *)more);
	} else {
		p = kmalloc(scale_size, GFP_KERNEL);
		if (unlikely(!kept))
			kept = p;
		else
			kfree(p);
	}
	barrier();
}

void scale_frames_free(void)
{
	kfree(kept);
	kept = NULL;
}

static void *frames_init(unsigned int thread)
{
	if (thread)
		return NULL;	/* there is one block */
	scale_frames_free();
	return (void *)(scale_more + 1UL);
}

static void frames_print(unsigned int nthreads)
{
	scale_out("frames_block %lu address", (unsigned long)kept);
}

static void pair_untracked(void *arg)
{
	void *p = kmem_cache_alloc(untracked, GFP_KERNEL);

	if (p)
		kmem_cache_free(untracked, p);
}

static void pair_stack(void *arg)
{
	unsigned long entries[16];
	unsigned int nr = stack_trace_save(entries, ARRAY_SIZE(entries), 1);

	stack_depot_save(entries, nr, GFP_NOWAIT);
}

/* A ring of live blocks: metadata of a freed block are in no cache any more. */
struct ring {
	void **slot;
	unsigned long nr, next;
	struct rnd_state rnd;
};

static void pair_cold(void *arg)
{
	struct ring *ring = arg;

	kfree(ring->slot[ring->next]);
	ring->slot[ring->next] = kmalloc(scale_size, GFP_KERNEL);
	/* a large odd stride: neighbours in time are not neighbours in memory */
	ring->next = (ring->next + 40503) % ring->nr;
}

static void pair_churn(void *arg)
{
	struct ring *ring = arg;
	void **slot = &ring->slot[prandom_u32_state(&ring->rnd) % ring->nr];

	kfree(*slot);
	*slot = kmalloc(scale_size, GFP_KERNEL);
}

static void ring_exit(void *arg)
{
	struct ring *ring = arg;
	unsigned long i;

	if (ring)
		for (i = 0; ring->slot && i < ring->nr; i++)
			kfree(ring->slot[i]);
	if (ring)
		vfree(ring->slot);
	kfree(ring);
}

static void *ring_init(unsigned int thread)
{
	struct ring *ring = kzalloc(sizeof(*ring), GFP_KERNEL);
	unsigned long i;

	if (!ring)
		return NULL;
	prandom_seed_state(&ring->rnd, thread + 1);
	ring->nr = scale_objects;
	ring->slot = vzalloc(array_size(ring->nr, sizeof(void *)));
	for (i = 0; ring->slot && i < ring->nr; i++) {
		ring->slot[i] = kmalloc(scale_size, GFP_KERNEL);
		if (!ring->slot[i])
			break;
		if (!(i & 0x3ff))
			cond_resched();
	}
	if (ring->slot && i == ring->nr)
		return ring;
	ring_exit(ring);
	return NULL;
}

const struct scale_test scale_pairs = { .name = "pairs", .pair = pair_kmalloc };
const struct scale_test scale_deep = { .name = "deep", .pair = pair_deep };
const struct scale_test scale_frames = {
	.name = "frames", .pair = pair_frames, .init = frames_init, .print = frames_print,
};

const struct scale_test scale_untracked = { .name = "untracked", .pair = pair_untracked };
const struct scale_test scale_stack = { .name = "stack", .pair = pair_stack };

const struct scale_test scale_cold = {
	.name = "cold", .pair = pair_cold, .init = ring_init, .exit = ring_exit,
};

const struct scale_test scale_churn = {
	.name = "churn", .pair = pair_churn, .init = ring_init, .exit = ring_exit,
};
