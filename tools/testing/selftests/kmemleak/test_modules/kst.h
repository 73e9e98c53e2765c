/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kmemleak_selftest: objects under the control of a test program
 *
 * A test asks for objects by slot number, and sets the references to them. The module
 * keeps no plain pointer to an object: the slot table has scrambled ones, so that an
 * object without a reference of the test is a leak.
 *
 * kst_main.c: the command file; kst_pool.c: memory; kst_objects.c: objects and hooks;
 * kst_roots.c: places for pointers; kst_stress.c: load; kst_wipe.c: stale pointers.
 */
#ifndef _KST_H
#define _KST_H

#include <linux/types.h>

#define KST_NR_SLOTS	2048
#define KST_NR_SPLITS	4

enum kst_kind {
	KST_NONE,
	KST_PAGE,	/* whole pages, registered by hand or not at all */
	KST_KMALLOC,
	KST_VMALLOC,
	KST_PERCPU,
	KST_PHYS,	/* whole pages, registered by physical address */
	KST_RAWPHYS,	/* a physical address without memory */
};

enum kst_context {
	KST_TASK,
	KST_SOFTIRQ,
	KST_HARDIRQ,
};

/**
 * struct kst_slot - one object of a test
 * @kind: kind of memory
 * @nr_splits: used entries of @split
 * @hidden: address of the object, scrambled
 * @size: size the test asked for
 * @split: offsets at which partial frees have left a new object
 */
struct kst_slot {
	enum kst_kind kind;
	unsigned int nr_splits;
	unsigned long hidden;
	size_t size;
	size_t split[KST_NR_SPLITS];
};

/* Scramble an address so that it is no reference, or unscramble it. */
static inline unsigned long kst_scramble(unsigned long address)
{
	return address ^ (unsigned long)0xa5a5a5a5a5a5a5a5ULL;
}

/* kst_pool.c */
int kst_pool_try(void);
int kst_pool_list(char *buf, size_t size);
int kst_pool_reject(unsigned long nr);
void kst_pool_use(void);
void kst_pool_destroy(void);
void *kst_get_pages(size_t size);
void kst_free_pages(void *p, size_t size);

/* kst_objects.c */
struct kst_slot *kst_get_slot(unsigned long nr);
unsigned long kst_slot_address(const struct kst_slot *slot);
void *kst_slot_memory(const struct kst_slot *slot, unsigned int cpu);
int kst_create(enum kst_kind kind, struct kst_slot *slot, size_t size);
void kst_free_in_first(void);
void kst_avoid_init(unsigned long address);
void kst_free_in_init(void);
int kst_create_registered(struct kst_slot *slot, size_t size, int min_count,
			  enum kst_context context);
int kst_create_rawphys(struct kst_slot *slot, unsigned long phys, size_t size);
int kst_burst(enum kst_kind kind, unsigned long first, unsigned long nr,
	      size_t size);
int kst_hook(const char *name, struct kst_slot *slot, size_t offset,
	     size_t size);
int kst_vm_struct(struct kst_slot *vm, struct kst_slot *slot);
int kst_overlap(struct kst_slot *slot);
int kst_free_atomic(unsigned long nr);
void kst_tolerate(void);
void kst_destroy(struct kst_slot *slot);
void kst_destroy_all(void);

/* kst_roots.c */
int kst_hold(unsigned long index, unsigned long value);
int kst_drop(unsigned long index);
int kst_root(const char *name, unsigned long nr);
int kst_unroot(const char *name);
void kst_unroot_all(void);
int kst_alias(unsigned long nr, struct kst_slot *target);
void kst_unalias(void);
int kst_run_in(enum kst_context context, void (*func)(void *), void *arg);

/* kst_stress.c */
int kst_chain_grow(unsigned long nr);
void kst_chain_free(void);
int kst_churn(size_t size, unsigned long nr);
int kst_stress_start(unsigned long nr_threads, unsigned long nr_live,
		     unsigned long nr_leaks);
int kst_stress_stop(void);
int kst_stress_leaks(char *buf, size_t size);
void kst_stress_cleanup(void);

/* kst_wipe.c */
void kst_wipe_idle(void);

#endif /* _KST_H */
