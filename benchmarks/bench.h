/* SPDX-License-Identifier: GPL-2.0-only */
/* Benchmarks of the core in user space: one registry, one way to print. */
#ifndef _KML_BENCH_H
#define _KML_BENCH_H

#include "os.h"
#include "world.h"

struct bench_args {
	unsigned long objects;
	unsigned int threads;
	unsigned long loops;
	const char *heap;
};

/* Exit status: this implementation does not have the feature. */
#define BENCH_SKIP	3

/*
 * A bench is prepared, and then run several times in the same process. It returns one
 * figure in @unit; less is better, except for rates ("/s"). @leaks: the reported leaks,
 * as a word to compare.
 */
struct bench {
	const char *name;
	const char *unit;
	const char *what;
	void (*prepare)(const struct bench_args *args);
	double (*run)(const struct bench_args *args);
	const char *(*leaks)(void);
};

extern const struct bench bench_hooks_hot, bench_hooks_cold, bench_lookup;
extern const struct bench bench_meta, bench_scan, bench_suspects, bench_mark;
extern const struct bench bench_stream, bench_random, bench_pages;

/* bench_heap.c: an arena of tracked objects. */
struct bench_heap {
	unsigned long nr;
	unsigned long *start;
	unsigned int *size;
	unsigned long bytes;
};

extern struct bench_heap heap;

/* Choices, separated by blanks. */
extern const char * const heap_kinds;

bool heap_layout(unsigned long objects, const char *kind);
void heap_track(void);
void heap_connect(void);
unsigned long heap_rnd(void);

/* bench_memory.c: run @work on that many threads; return their mean time. */
double threads_run(unsigned int threads, void (*work)(unsigned int thread));

double bench_now(void);

#endif /* _KML_BENCH_H */
