// SPDX-License-Identifier: GPL-2.0
/*
 * kmemleak_selftest: stale words on the stacks of idle tasks
 *
 * Softirqs run on the stack of an idle task, and leave addresses of freed objects below
 * its stack pointer. The stack of the first idle task may be part of .data, which is
 * scanned as a whole: these words then refer to the present owners of the memory. A timer
 * on each CPU overwrites them by zeroes.
 */
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/percpu.h>
#include <linux/string.h>
#include <linux/timer.h>

#include "kst.h"

/* a frame of that many words is deeper than callbacks and functions of kst_run_in() */
#define KST_WIPE_WORDS	64
#define KST_WIPE_FRAMES	16

static DEFINE_PER_CPU(struct timer_list, kst_wipe_timer);
static DECLARE_COMPLETION(kst_wiped);
static atomic_t kst_wipes;

static noinline void kst_wipe_frames(unsigned int n)
{
	unsigned long dead[KST_WIPE_WORDS];

	if (n)
		kst_wipe_frames(n - 1);
	memzero_explicit(dead, sizeof(dead));
}

static void kst_wipe_fn(struct timer_list *timer)
{
	kst_wipe_frames(KST_WIPE_FRAMES);
	if (atomic_dec_and_test(&kst_wipes))
		complete(&kst_wiped);
}

/* Commands are serialised. */
void kst_wipe_idle(void)
{
	unsigned int cpu;

	cpus_read_lock();
	reinit_completion(&kst_wiped);
	atomic_set(&kst_wipes, 1);
	for_each_online_cpu(cpu) {
		struct timer_list *timer = per_cpu_ptr(&kst_wipe_timer, cpu);

		timer_setup(timer, kst_wipe_fn, TIMER_PINNED);
		timer->expires = jiffies + 1;
		atomic_inc(&kst_wipes);
		add_timer_on(timer, cpu);
	}
	if (!atomic_dec_and_test(&kst_wipes))
		wait_for_completion(&kst_wiped);
	for_each_online_cpu(cpu)
		timer_delete_sync(per_cpu_ptr(&kst_wipe_timer, cpu));
	cpus_read_unlock();
}
