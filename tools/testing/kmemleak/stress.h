/* SPDX-License-Identifier: GPL-2.0-only */
/* Threads against a running scan: what the stress programs share. */
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
/* How many scans a program makes: fewer where each step is slow. */
#define STRESS_SCANS	(SHIM_TSAN ? 100 : SHIM_ASAN ? 150 : 400)

/* Boot with so many CPUs and with RCU callbacks in a thread of their own. */
void stress_boot(unsigned int cpus);
/* Start @nr threads, spread over the CPUs, which call @step over and over. */
void stress_start(struct worker *w, unsigned int nr, void (*step)(struct worker *w));
/* Let them finish; returns the number of steps. */
u64 stress_stop(struct worker *w, unsigned int nr);
/*
 * A scan six virtual seconds after the last one; returns what write() did, or -1
 * if a block is not tracked: there is memory for all.
 */
ssize_t stress_scan(void);
/* The report; the caller frees it. */
char *stress_report(void);

#endif /* _KML_STRESS_H */
