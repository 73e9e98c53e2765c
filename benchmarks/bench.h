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

/*
 * A bench prepares, then is run some times in the same process. It returns one
 * figure, in the unit it names; less is better.
 */
struct bench {
	const char *name;
	const char *unit;
	const char *what;
	void (*prepare)(const struct bench_args *args);
	double (*run)(const struct bench_args *args);
};

extern const struct bench bench_hooks_hot, bench_hooks_cold, bench_meta, bench_scan;

/* bench_heap.c: an arena of tracked objects. */
struct bench_heap {
	unsigned long nr;
	unsigned long *start;
	unsigned int *size;
	unsigned long bytes;
};

extern struct bench_heap heap;

void heap_layout(unsigned long objects);
void heap_track(void);
bool heap_connect(const char *kind);

double bench_now(void);

#endif /* _KML_BENCH_H */
