// SPDX-License-Identifier: GPL-2.0-only
/*
 * A block is freed page by page, on several CPUs, as hugetlb does with the memmap of
 * its pages at boot: the first page of each group stays. The remaining pages must be
 * tracked, and no others.
 */
#include "stress.h"

#define THREADS		4
#define GROUP		8		/* pages */
#define GROUPS		(SHIM_TSAN || SHIM_ASAN ? 512 : 4096)
#define BLOCK		0x40000000UL	/* a physical address */
#define SIZE		(GROUPS * GROUP * PAGE_SIZE)

static unsigned int next_group[THREADS];

static unsigned long page(unsigned int group, unsigned int nr)
{
	return BLOCK + (group * GROUP + nr) * PAGE_SIZE;
}

/* The groups of the threads alternate. */
static void step(struct worker *w)
{
	unsigned int i, group = next_group[w->nr] * THREADS + w->nr;

	if (group >= GROUPS) {
		sched_yield();
		return;
	}
	for (i = 1; i < GROUP; i++)
		kmemleak_free_part_phys(page(group, i), PAGE_SIZE);
	WRITE_ONCE(next_group[w->nr], next_group[w->nr] + 1);
}

static bool all_done(void)
{
	unsigned int i;

	for (i = 0; i < THREADS; i++)
		if (READ_ONCE(next_group[i]) < GROUPS / THREADS)
			return false;
	return true;
}

static int part_case(void *arg)
{
	struct worker w[THREADS] = { 0 };
	long before;
	unsigned int i;
	u64 begin;

	stress_boot(THREADS);
	before = world_stat("objects");
	kmemleak_alloc_phys(BLOCK, SIZE, GFP_KERNEL);
	TAP_CHECK(world_stat("objects") == before + 1, "not tracked");

	begin = ktime_get_ns();
	stress_start(w, THREADS, step);
	while (!all_done())
		sched_yield();
	stress_stop(w, THREADS);
	fprintf(stderr, "# %llu ns a page\n",
		(ktime_get_ns() - begin) / (GROUPS * (GROUP - 1)));

	TAP_CHECK(world_stat("overlaps") == 0 && world_stat("enabled") == 1,
		  "two of the rest overlap");
	TAP_CHECK(world_stat("reserve_blocks") == 0, "some are not tracked");
	TAP_CHECK(world_stat("objects") == before + GROUPS, "%ld of %u pages remain",
		  world_stat("objects") - before, GROUPS);
	TAP_CHECK(stress_scan() == 4, "a scan failed");
	for (i = 0; i < GROUPS; i++)
		kmemleak_free_part_phys(page(i, 0), PAGE_SIZE);
	TAP_CHECK(world_stat("objects") == before, "%ld objects cannot be freed",
		  world_stat("objects") - before);
	return 0;
}

/* The rest of a block is two blocks, each of which is freed as a whole. */
static int whole_case(void *arg)
{
	long before;

	stress_boot(1);
	before = world_stat("objects");
	kmemleak_alloc_phys(BLOCK, SIZE, GFP_KERNEL);
	kmemleak_free_part_phys(page(GROUPS / 2, 1), PAGE_SIZE);
	TAP_CHECK(world_stat("objects") == before + 2, "%ld blocks after a cut",
		  world_stat("objects") - before);
	kmemleak_free_part_phys(page(GROUPS / 2, 2), PAGE_SIZE);
	/* after the cut, and then before it */
	kmemleak_free_part_phys(page(GROUPS / 2, 3), BLOCK + SIZE - page(GROUPS / 2, 3));
	kmemleak_free_part_phys(BLOCK, page(GROUPS / 2, 1) - BLOCK);
	TAP_CHECK(world_stat("objects") == before, "%ld objects remain",
		  world_stat("objects") - before);
	TAP_CHECK(world_stat("overlaps") == 0, "two overlap");
	return 0;
}

int main(void)
{
	world_map();
	tap_case("the rest of a block is freed whole", whole_case, NULL, 60);
	tap_case("a block is freed page by page on several CPUs", part_case, NULL, 300);
	return tap_done();
}
