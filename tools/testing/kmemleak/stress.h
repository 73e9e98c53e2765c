/* SPDX-License-Identifier: GPL-2.0-only */
/* Threads against running scans, for the stress programs. */
#ifndef _KML_STRESS_H
#define _KML_STRESS_H

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#include "tap.h"
#include "world.h"

struct worker {
	pthread_t thread;
	unsigned int nr;
	int cpu;
	u64 rnd;
	u64 ops;
	bool parked;
	void (*step)(struct worker *w);
};

/* True once the workers are to end. */
extern bool stress_over;
extern struct world_file stress_file;

u64 stress_rnd(struct worker *w);
u64 stress_rnd_seed(u64 seed);
/* The number of scans of a program: fewer if each step is slow. */
#define STRESS_SCANS	(SHIM_TSAN ? 100 : SHIM_ASAN ? 150 : 400)

/* Boot with @cpus CPUs, and with a thread for RCU callbacks. */
void stress_boot(unsigned int cpus);
/* Start @nr threads, spread over the CPUs, which call @step again and again. */
void stress_start(struct worker *w, unsigned int nr, void (*step)(struct worker *w));
/* Stop them; return the number of steps. */
u64 stress_stop(struct worker *w, unsigned int nr);
/*
 * Scan, six virtual seconds after the last scan. Return: the result of write(), or -1
 * if a block is not tracked, since there is memory for all.
 */
ssize_t stress_scan(void);
/* The report; the caller frees it. */
char *stress_report(void);

#endif /* _KML_STRESS_H */
