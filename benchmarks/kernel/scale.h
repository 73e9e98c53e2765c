/* SPDX-License-Identifier: GPL-2.0-only */
/* kmemleak_scale, see main.c. */
#ifndef _KMEMLEAK_SCALE_H
#define _KMEMLEAK_SCALE_H

#include <linux/kmemleak.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

/* A result in the log, for scripts: a name, a number, a unit. */
#define scale_out(fmt, ...) pr_info("kmemleak_scale: " fmt "\n", ##__VA_ARGS__)

/* Parameters, main.c. */
extern unsigned int scale_size, scale_more;
extern unsigned long scale_objects, scale_leaks;

/**
 * struct scale_test - a test that threads run
 * @name: its name in commands
 * @pair: called again and again
 * @init: called before, in the thread; returns NULL without memory
 * @exit: called afterwards, in the thread, with the result of @init
 * @print: prints results besides the time of @pair, when all threads have ended
 */
struct scale_test {
	const char *name;
	void (*pair)(void *arg);
	void *(*init)(unsigned int thread);
	void (*exit)(void *arg);
	void (*print)(unsigned int nthreads);
};

extern const struct scale_test scale_pairs, scale_deep, scale_cold, scale_untracked;
extern const struct scale_test scale_frames, scale_stack, scale_churn, scale_latency;

int scale_pairs_begin(void);
void scale_pairs_end(void);
void scale_frames_free(void);

int scale_heap_build(const char *kind);
void scale_heap_free(void);
int scale_plant(void);

#endif /* _KMEMLEAK_SCALE_H */
