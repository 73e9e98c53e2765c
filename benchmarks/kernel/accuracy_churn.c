// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmemleak_accuracy: allocations before the leaks
 *
 * A thread on each CPU replaces blocks of a window at random, and then frees all of them.
 * Caches of allocators then have many pointers to free blocks, which will be leaked. When
 * acc_churn() returns, the window is cleared and the threads have ended.
 */

#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/vmalloc.h>

#include "accuracy.h"

#define ACC_WINDOW	256

struct acc_churner {
	struct task_struct *task;
	unsigned long loops;
	struct rnd_state rnd;
	void *blocks[ACC_WINDOW];
	u8 from[ACC_WINDOW];		/* enum acc_from */
};

enum acc_from {
	ACC_FROM_KMALLOC,
	ACC_FROM_VMALLOC,
	ACC_FROM_CACHE,
	ACC_FROM_CTOR_CACHE,
	ACC_FROM_BULK_CACHE,
};

static atomic_t acc_churning;
static DECLARE_COMPLETION(acc_churned);

static void acc_churn_free(struct acc_churner *c, unsigned int i)
{
	void *block = c->blocks[i];

	c->blocks[i] = NULL;
	if (!block)
		return;
	switch (c->from[i]) {
	case ACC_FROM_KMALLOC:
		kfree(block);
		break;
	case ACC_FROM_VMALLOC:
		vfree(block);
		break;
	case ACC_FROM_CACHE:
		kmem_cache_free(acc_cache, block);
		break;
	case ACC_FROM_CTOR_CACHE:
		kmem_cache_free(acc_ctor_cache, block);
		break;
	case ACC_FROM_BULK_CACHE:
		kmem_cache_free(acc_bulk_cache, block);
		break;
	}
}

static void acc_churn_alloc(struct acc_churner *c, unsigned int i)
{
	u32 r = prandom_u32_state(&c->rnd), size = r >> 8;

	switch (r & 31) {
	case 0:
		c->from[i] = ACC_FROM_VMALLOC;
		c->blocks[i] = vmalloc((1 + size % 4) * PAGE_SIZE);
		break;
	case 1 ... 3:
		c->from[i] = ACC_FROM_CACHE;
		c->blocks[i] = kmem_cache_alloc(acc_cache, GFP_KERNEL);
		break;
	case 4 ... 6:
		c->from[i] = ACC_FROM_CTOR_CACHE;
		c->blocks[i] = kmem_cache_alloc(acc_ctor_cache, GFP_KERNEL);
		break;
	case 7 ... 9:
		c->from[i] = ACC_FROM_BULK_CACHE;
		c->blocks[i] = kmem_cache_alloc(acc_bulk_cache, GFP_KERNEL);
		break;
	default:
		/* the same number of each size class, up to 8 KiB */
		c->from[i] = ACC_FROM_KMALLOC;
		c->blocks[i] = kmalloc(8 + (size >> 11) % (8UL << size % 11), GFP_KERNEL);
		break;
	}
}

static int acc_churn_fn(void *data)
{
	struct acc_churner *c = data;
	unsigned long n;
	unsigned int i;

	for (n = 0; n < c->loops; n++) {
		i = prandom_u32_state(&c->rnd) % ACC_WINDOW;
		acc_churn_free(c, i);
		acc_churn_alloc(c, i);
		cond_resched();
	}
	for (i = 0; i < ACC_WINDOW; i++)
		acc_churn_free(c, i);
	if (atomic_dec_and_test(&acc_churning))
		complete(&acc_churned);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

/**
 * acc_churn() - allocate and free on all CPUs
 * @loops: blocks that each CPU replaces
 * @seed: of the random sizes and kinds of blocks
 *
 * Context: process, may sleep.
 * Return: 0, or -ENOMEM.
 */
int acc_churn(unsigned long loops, unsigned long seed)
{
	unsigned int nr = num_online_cpus(), started = 0, cpu, i;
	struct acc_churner *churners;

	churners = kvcalloc(nr, sizeof(*churners), GFP_KERNEL);
	if (!churners)
		return -ENOMEM;
	/* one more, so that it is not 0 before all threads have started */
	atomic_set(&acc_churning, nr + 1);
	for_each_online_cpu(cpu) {
		struct acc_churner *c;
		struct task_struct *task;

		if (started == nr)
			break;
		c = &churners[started];
		c->loops = loops;
		prandom_seed_state(&c->rnd, (u64)seed << 32 | cpu);
		task = kthread_create_on_cpu(acc_churn_fn, c, cpu, "kml_churn/%u");
		if (IS_ERR(task))
			break;
		c->task = task;
		started++;
		wake_up_process(task);
	}
	if (!atomic_sub_and_test(nr + 1 - started, &acc_churning))
		wait_for_completion(&acc_churned);
	for (i = 0; i < started; i++)
		kthread_stop(churners[i].task);
	kvfree_sensitive(churners, nr * sizeof(*churners));
	return started ? 0 : -ENOMEM;
}
