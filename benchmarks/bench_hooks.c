// SPDX-License-Identifier: GPL-2.0-only
/* The cost of an allocation and a free, hot and cold, on one or more CPUs. */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

static const struct bench_args *bench_args;

static void pairs_hot(unsigned int cpu, unsigned long loops)
{
	/* a page for each CPU, like slabs */
	void *p = (void *)(W_GIANT + cpu * (16UL << 20) + 128);

	while (loops--) {
		kmemleak_alloc(p, 64, 1, GFP_KERNEL);
		kmemleak_free(p);
	}
}

/* Free and allocate objects of this CPU's part of the heap, at random. */
static void pairs_cold(unsigned int cpu, unsigned long loops)
{
	unsigned long part = heap.nr / bench_args->threads, first = cpu * part;
	unsigned long i, x = cpu + 1;

	while (loops--) {
		x = x * 6364136223846793005UL + 1442695040888963407UL;
		i = first + (x >> 33) % part;
		kmemleak_free((void *)heap.start[i]);
		kmemleak_alloc((void *)heap.start[i], heap.size[i], 1, GFP_KERNEL);
	}
}

/* Look-ups miss the caches: heap order and address order are independent. */
static void lookups(unsigned int cpu, unsigned long loops)
{
	unsigned long x = cpu + 1;

	while (loops--) {
		x = x * 6364136223846793005UL + 1442695040888963407UL;
		kmemleak_no_scan((void *)heap.start[(x >> 33) % heap.nr]);
	}
}

static void (*what)(unsigned int cpu, unsigned long loops);

static void warm_up(unsigned int cpu)
{
	what(cpu, bench_args->loops / 10 + 1);
}

static void all_loops(unsigned int cpu)
{
	what(cpu, bench_args->loops);
}

static double hooks_run(const struct bench_args *args)
{
	bench_args = args;
	threads_run(args->threads, warm_up);
	return threads_run(args->threads, all_loops) / args->loops * 1e9;
}

static void hot_prepare(const struct bench_args *args)
{
	what = pairs_hot;
}

static void cold_prepare(const struct bench_args *args)
{
	what = pairs_cold;
	if (!heap_layout(args->objects, args->heap))
		exit(2);
	if (heap.nr < args->threads) {
		fprintf(stderr, "fewer objects than threads\n");
		exit(2);
	}
	heap_track();
}

static void lookup_prepare(const struct bench_args *args)
{
	cold_prepare(args);
	what = lookups;
}

const struct bench bench_hooks_hot = {
	"hot", "ns/pair", "kmemleak_alloc() and kmemleak_free() of one object",
	hot_prepare, hooks_run,
};

const struct bench bench_hooks_cold = {
	"cold", "ns/pair", "the same at random in a heap of objects= objects",
	cold_prepare, hooks_run,
};

const struct bench bench_lookup = {
	"lookup", "ns", "kmemleak_no_scan() of a random object: one look-up",
	lookup_prepare, hooks_run,
};
