// SPDX-License-Identifier: GPL-2.0-only
/* What an allocation and a free cost, hot and cold, on one or more CPUs. */
#include <pthread.h>
#include <stdlib.h>

#include "bench.h"

static const struct bench_args *bench_args;
static pthread_barrier_t start;
static bool cold;
static double seconds[NR_CPUS];

static void pairs_hot(unsigned int cpu, unsigned long loops)
{
	/* a page for each CPU, as slabs are */
	void *p = (void *)(W_GIANT + cpu * (16UL << 20) + 128);

	while (loops--) {
		kmemleak_alloc(p, 64, 1, GFP_KERNEL);
		kmemleak_free(p);
	}
}

/* Free and allocate again objects of this CPU's part of the heap, at random. */
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

static void *hooks_thread(void *arg)
{
	void (*pairs)(unsigned int, unsigned long) = cold ? pairs_cold : pairs_hot;
	unsigned int cpu = (unsigned long)arg;
	double begin;

	shim_thread_attach(cpu);
	pairs(cpu, bench_args->loops / 10);
	pthread_barrier_wait(&start);
	begin = bench_now();
	pairs(cpu, bench_args->loops);
	seconds[cpu] = bench_now() - begin;
	shim_thread_detach();
	return NULL;
}

static double hooks_run(const struct bench_args *args)
{
	pthread_t threads[NR_CPUS];
	unsigned long i;
	double sum = 0;

	bench_args = args;
	pthread_barrier_init(&start, NULL, args->threads);
	for (i = 0; i < args->threads; i++)
		if (pthread_create(&threads[i], NULL, hooks_thread, (void *)i))
			abort();
	for (i = 0; i < args->threads; i++) {
		pthread_join(threads[i], NULL);
		sum += seconds[i];
	}
	return sum / args->threads / args->loops * 1e9;
}

static void hot_prepare(const struct bench_args *args)
{
	cold = false;
}

static void cold_prepare(const struct bench_args *args)
{
	cold = true;
	heap_layout(args->objects);
	heap_track();
}

const struct bench bench_hooks_hot = {
	"hot", "ns/pair", "kmemleak_alloc() and kmemleak_free() of one object",
	hot_prepare, hooks_run,
};

const struct bench bench_hooks_cold = {
	"cold", "ns/pair", "the same at random in a heap of objects= objects",
	cold_prepare, hooks_run,
};
