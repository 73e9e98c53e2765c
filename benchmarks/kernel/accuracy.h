/* SPDX-License-Identifier: GPL-2.0-only */
/* kmemleak_accuracy, see accuracy_main.c. */
#ifndef _KMEMLEAK_ACCURACY_H
#define _KMEMLEAK_ACCURACY_H

#include <linux/compiler.h>
#include <linux/prandom.h>
#include <linux/slab.h>
#include <linux/types.h>

/**
 * struct acc_kind - a way to lose a block, or to hold one
 * @name: name of its row in the table
 * @steps: number of calls of @plant
 * @plant: allocates and records one block, or several that refer to each other; the
 *	argument counts from 0 to @steps - 1. May sleep. Returns 0 or -ENOMEM.
 *	NULL: this kernel does not have the kind
 */
struct acc_kind {
	const char *name;
	unsigned int steps;
	int (*plant)(unsigned int step);
};

extern const struct acc_kind acc_leaks[], acc_controls[];
extern const unsigned int acc_nr_leaks, acc_nr_controls;

/* Caches of our own: plain, with a constructor, for bulk allocations. */
extern struct kmem_cache *acc_cache, *acc_ctor_cache, *acc_bulk_cache;

int acc_caches_create(void);
int acc_holder_start(void);
void acc_record(const void *block);

/**
 * acc_keep() - record a block
 * @block: the result of an allocator
 *
 * Return: 0, or -ENOMEM if that is NULL.
 */
static inline int acc_keep(const void *block)
{
	if (!block)
		return -ENOMEM;
	acc_record(block);
	return 0;
}

/* Overwrite the stack below the caller's frame, which earlier calls have used. */
void acc_scrub_stack(unsigned int frames);

int acc_churn(unsigned long loops, unsigned long seed);

#endif /* _KMEMLEAK_ACCURACY_H */
