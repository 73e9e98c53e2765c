// SPDX-License-Identifier: GPL-2.0-only
/*
 * The speed of the machine's memory, which limits that of a scan. Also functions to run a
 * bench on several threads.
 */
#include <pthread.h>
#include <stdlib.h>

#include "bench.h"

static struct {
	pthread_barrier_t start;
	void (*work)(unsigned int thread);
	double seconds[NR_CPUS];
} run;

static void *run_thread(void *arg)
{
	unsigned int i = (unsigned long)arg;
	double begin;

	shim_thread_attach(i);
	pthread_barrier_wait(&run.start);
	begin = bench_now();
	run.work(i);
	run.seconds[i] = bench_now() - begin;
	shim_thread_detach();
	return NULL;
}

double threads_run(unsigned int threads, void (*work)(unsigned int thread))
{
	pthread_t t[NR_CPUS];
	double sum = 0;
	unsigned long i;

	run.work = work;
	pthread_barrier_init(&run.start, NULL, threads);
	for (i = 0; i < threads; i++)
		if (pthread_create(&t[i], NULL, run_thread, (void *)i))
			abort();
	for (i = 0; i < threads; i++) {
		pthread_join(t[i], NULL);
		sum += run.seconds[i];
	}
	pthread_barrier_destroy(&run.start);
	return sum / threads;
}

/* A random order of the objects, which are read here, and not tracked. */
static unsigned int *order;
static unsigned int nr_threads;
/* so that the compiler cannot drop the reads */
static unsigned long sums[NR_CPUS];

static void memory_prepare(const struct bench_args *args)
{
	unsigned long i, j;

	if (!heap_layout(args->objects, args->heap))
		exit(2);
	order = malloc(heap.nr * sizeof(*order));
	if (!order)
		abort();
	for (i = 0; i < heap.nr; i++)
		order[i] = i;
	for (i = heap.nr - 1; i; i--) {
		j = heap_rnd() % (i + 1);
		swap(order[i], order[j]);
	}
	/* pages that were never written are one and the same page */
	for (i = 0; i < heap.nr; i++)
		memset((void *)heap.start[i], 1, heap.size[i]);
	nr_threads = args->threads;
}

/* Four sums, so that no addition waits for the one before. */
static unsigned long read_words(const unsigned long *p, unsigned long nr)
{
	unsigned long a = 0, b = 0, c = 0, d = 0;

	for (; nr >= 4; nr -= 4, p += 4) {
		a += p[0];
		b += p[1];
		c += p[2];
		d += p[3];
	}
	return a + b + c + d;
}

/* In address order, in ranges that are long enough for hardware prefetch. */
static void read_stream(unsigned int thread)
{
	unsigned long part = heap.bytes / nr_threads & ~4095UL;

	sums[thread] += read_words((unsigned long *)(heap.start[0] + thread * part),
				   part / sizeof(long));
}

#define AHEAD		16
#define LINES_AHEAD	8	/* of an object; hardware fetches the rest */

static void fetch(unsigned long i)
{
	unsigned int off;

	for (off = 0; off < heap.size[i] && off < LINES_AHEAD * 64; off += 64)
		__builtin_prefetch((char *)heap.start[i] + off);
}

/* All objects in random order: the limit for a mark. */
static void read_random(unsigned int thread)
{
	unsigned long part = heap.nr / nr_threads, first = thread * part, i;

	for (i = 0; i < part; i++) {
		unsigned int at = order[first + i];

		if (i + AHEAD < part)
			fetch(order[first + i + AHEAD]);
		sums[thread] += read_words((unsigned long *)heap.start[at],
					   heap.size[at] / sizeof(long));
	}
}

static double stream_run(const struct bench_args *args)
{
	return heap.bytes / threads_run(args->threads, read_stream) / 1e9;
}

static double random_run(const struct bench_args *args)
{
	return heap.bytes / threads_run(args->threads, read_random) / 1e9;
}

const struct bench bench_stream = {
	"stream", "GB/s", "limit: the heap's memory is read in address order",
	memory_prepare, stream_run,
};

const struct bench bench_random = {
	"random", "GB/s", "limit: its objects are read at random, 16 prefetched",
	memory_prepare, random_run,
};
