// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmemleak_accuracy: leaks, and blocks that are no leaks
 *
 * When the module is loaded, threads on all CPUs allocate and free for a while
 * (accuracy_churn.c). Then another thread plants, in random order, blocks without a
 * reference (accuracy_leaks.c) and blocks with one (accuracy_controls.c), and ends.
 * /sys/kernel/debug/kmemleak_accuracy lists them:
 *
 *	leak|control <tab> kind <tab> address, inverted, in hexadecimal
 *
 * and a line "kind" for each kind, with the number of its blocks (0: this kernel cannot
 * have any).
 *
 * The module must not hide its own leaks. So no address of a leak stays in memory as it
 * is: the table has inverted addresses, functions that handle plain ones are not inlined
 * and run in the thread that ends, and the thread wipes its stack before.
 *
 * The module cannot be unloaded, since its leaks cannot be freed.
 */

#include <linux/completion.h>
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/seq_file.h>
#include <linux/string.h>

#include "accuracy.h"

static unsigned long seed = 1;
module_param(seed, ulong, 0444);
MODULE_PARM_DESC(seed, "of the order of allocations");

static unsigned long churn = 20000;
module_param(churn, ulong, 0444);
MODULE_PARM_DESC(churn, "blocks that each CPU replaces before anything is planted");

/* A block. */
struct acc_block {
	unsigned long inverted;
	u16 kind;
	bool control;
};

#define ACC_MAX_BLOCKS	1024
static struct acc_block acc_blocks[ACC_MAX_BLOCKS];
static unsigned int acc_nr_blocks;

/* The steps of the planter, in their order. */
struct acc_step {
	u16 kind;
	u16 nr;
	bool control;
};

static struct acc_step acc_steps[ACC_MAX_BLOCKS];
static unsigned int acc_nr_steps;
static const struct acc_step *acc_current;

/**
 * acc_record() - note a block of the kind that is being planted
 * @block: virtual address, or per-CPU pointer
 *
 * Context: the planter and the threads it waits for, one at a time.
 */
noinline void acc_record(const void *block)
{
	struct acc_block *b;

	if (WARN_ON_ONCE(acc_nr_blocks == ACC_MAX_BLOCKS))
		return;
	b = &acc_blocks[acc_nr_blocks++];
	b->inverted = ~(unsigned long)block;
	b->kind = acc_current->kind;
	b->control = acc_current->control;
}

/**
 * acc_scrub_stack() - overwrite the stack that earlier calls have used
 * @frames: number of KiB below the caller's frame, minus one
 */
noinline void acc_scrub_stack(unsigned int frames)
{
	char room[1024];

	memzero_explicit(room, sizeof(room));
	if (frames)
		acc_scrub_stack(frames - 1);
	/* no tail call: each call needs a frame */
	barrier_data(room);
}

static int acc_add_steps(const struct acc_kind *kinds, unsigned int nr, bool control)
{
	unsigned int i, step;

	for (i = 0; i < nr; i++) {
		for (step = 0; kinds[i].plant && step < kinds[i].steps; step++) {
			if (acc_nr_steps == ACC_MAX_BLOCKS)
				return -ENOSPC;
			acc_steps[acc_nr_steps++] = (struct acc_step) {
				.kind = i, .nr = step, .control = control,
			};
		}
	}
	return 0;
}

static int acc_order_steps(void)
{
	struct rnd_state rnd;
	unsigned int i, j;
	int ret;

	ret = acc_add_steps(acc_leaks, acc_nr_leaks, false);
	if (!ret)
		ret = acc_add_steps(acc_controls, acc_nr_controls, true);
	prandom_seed_state(&rnd, seed);
	for (i = acc_nr_steps; i > 1; i--) {
		j = prandom_u32_state(&rnd) % i;
		swap(acc_steps[i - 1], acc_steps[j]);
	}
	return ret;
}

static noinline int acc_plant(void)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < acc_nr_steps && !ret; i++) {
		const struct acc_step *step = &acc_steps[i];
		const struct acc_kind *kind;

		kind = step->control ? &acc_controls[step->kind] : &acc_leaks[step->kind];
		acc_current = step;
		ret = kind->plant(step->nr);
	}
	return ret;
}

/* More than the stack of an allocation, with the planter's frames. */
#define ACC_STACK_KIB	6

static DECLARE_COMPLETION(acc_planted);

static int acc_planter(void *unused)
{
	int ret = acc_plant();

	acc_scrub_stack(ACC_STACK_KIB);
	complete(&acc_planted);
	return ret;
}

/* Return: the result of the thread, when it has ended. */
static int acc_plant_in_thread(void)
{
	struct task_struct *task;
	int ret;

	task = kthread_create(acc_planter, NULL, "kml_planter");
	if (IS_ERR(task))
		return PTR_ERR(task);
	get_task_struct(task);
	wake_up_process(task);
	/* a kthread that is stopped too early does not run */
	wait_for_completion(&acc_planted);
	ret = kthread_stop(task);
	put_task_struct(task);
	return ret;
}

static void acc_show_kinds(struct seq_file *m, const struct acc_kind *kinds, unsigned int nr,
			   bool control)
{
	unsigned int i, j, blocks;

	for (i = 0; i < nr; i++) {
		for (blocks = j = 0; j < acc_nr_blocks; j++)
			blocks += acc_blocks[j].kind == i && acc_blocks[j].control == control;
		seq_printf(m, "kind\t%s\t%s\t%u\n", control ? "control" : "leak",
			   kinds[i].name, blocks);
	}
}

static int acc_show(struct seq_file *m, void *unused)
{
	unsigned int i;

	acc_show_kinds(m, acc_leaks, acc_nr_leaks, false);
	acc_show_kinds(m, acc_controls, acc_nr_controls, true);
	for (i = 0; i < acc_nr_blocks; i++) {
		const struct acc_block *b = &acc_blocks[i];
		const struct acc_kind *kinds = b->control ? acc_controls : acc_leaks;

		seq_printf(m, "%s\t%s\t%lx\n", b->control ? "control" : "leak",
			   kinds[b->kind].name, b->inverted);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(acc);

/*
 * From here on it must not fail: the module would be freed, and with it the only
 * references to blocks.
 */
static int __init acc_init(void)
{
	int ret;

	ret = acc_order_steps();
	if (!ret)
		ret = acc_caches_create();
	if (!ret)
		ret = acc_holder_start();
	if (!ret)
		ret = acc_churn(churn, seed);
	if (!ret)
		ret = acc_plant_in_thread();
	if (ret)
		pr_err("kmemleak_accuracy: nothing to measure: error %d\n", ret);
	else
		debugfs_create_file("kmemleak_accuracy", 0400, NULL, NULL, &acc_fops);
	return ret;
}

module_init(acc_init);
MODULE_DESCRIPTION("Leak blocks in many ways, and hold others in as many");
MODULE_LICENSE("GPL");
