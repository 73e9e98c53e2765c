// SPDX-License-Identifier: GPL-2.0-only
/*
 * Roots: the kernel stacks of all tasks. Without them, memory that a task refers
 * to from its stack alone would be reported.
 *
 * Below the frames in use a stack is full of pointers of calls that have
 * returned: they are no references and hide leaks. So a task that does not run
 * is read from the stack pointer on that it has saved, where the architecture
 * says which (<asm/kmemleak_stack.h>), with the registers saved elsewhere.
 *
 * Such a task may wake up at any time, and nobody keeps it from that. Memory is
 * read as if it slept, and then the reader asks whether it did. If it may have
 * run its whole stack is read, as that of a running task is: no worse than
 * before. (What it counted twice then is of no harm: a reference more.) The
 * protocol, kml_roots_asleep() against __schedule() of the kernel's:
 *
 *	reader					who switches to or from the task
 *
 *	c = nvcsw + nivcsw			prepare_task():
 *	smp_rmb()				  S1: on_cpu = 1
 *	L1: on_cpu == 0? (acquire)		barrier of the switch
 *	sp, registers				  S2: stack, as long as it runs
 *	[sp, top)				__schedule():
 *	smp_rmb()				  S3: ++*switch_count
 *	L2: on_cpu == 0? (acquire)		switch_to(): S4: sp, registers
 *	c == nvcsw + nivcsw?			finish_task():
 *						  S5: on_cpu = 0 (release)
 *
 * Let L1 read what S5 of the n-th switch from the task has stored. The acquire
 * shows all that the task has written until then, S2 to S4 of the n-th switch
 * with the rest. Can the reader have seen anything later?
 *
 * - If L2 reads the same S5, no. The barrier of a switch orders S1 before all
 *   that the task does afterwards. If sp or a word was of later, L2, after an
 *   smp_rmb(), would have found that switch's S1, or what came after it.
 * - If L2 reads a later S5, the acquire shows that switch's S3: the second look
 *   at the counts has at least n + 1. And the first one had n: it is before L1,
 *   so had it been of a later S3, L1 would have found the S1 before that.
 *
 * The barrier of a switch: any store to the other on x86, which UML runs on, too;
 * dsb(ish) in arm64's __switch_to(), which cpu_switch_to() comes after. An
 * architecture that is added here needs one between prepare_task() and the first
 * store of the task that was switched to.
 *
 * tools/testing/kmemleak/models/asleep.pml is this as a model.
 *
 * A task that has not run yet has the frame of a fork as its stack, one that has
 * ended the frames of do_exit(), for as long as somebody keeps its stack. Idle
 * tasks are not read here.
 *
 * With VMAP_STACK, a stack is a tracked block, too, and would be read as a whole
 * by any mark. So before one it is marked as not to be scanned, and stays so when
 * kernel/fork.c gives it to another task: that one's stack is read here as well.
 */

#include "os.h"
#include "compat.h"
#include "roots.h"
#include "track.h"

#ifdef CONFIG_KMEMLEAK_LIVE_STACKS
#include <asm/kmemleak_stack.h>
#endif

/*
 * The first task with a number of at least *@nr, which is set behind it.
 * Context: any that RCU readers may be in. Return: referenced, or NULL.
 */
struct task_struct *kml_task_from(int *nr)
{
	struct task_struct *task = NULL;
	struct pid *pid;

	rcu_read_lock();
	do {
		pid = find_ge_pid(*nr, &init_pid_ns);
		if (!pid)
			break;
		*nr = pid_nr(pid) + 1;
		task = pid_task(pid, PIDTYPE_PID);
		if (task)
			get_task_struct(task);
	} while (!task);
	rcu_read_unlock();
	return task;
}

#ifdef CONFIG_KMEMLEAK_LIVE_STACKS
bool kml_live_stacks = true;

/* How often was it switched from? */
static unsigned long kml_task_switches(const struct task_struct *task)
{
	return READ_ONCE(task->nvcsw) + READ_ONCE(task->nivcsw);
}

/*
 * Read a task from its stack pointer on. Return: whether it slept all that time;
 * if not, what was read is worth nothing.
 */
static bool kml_roots_asleep(struct kml_root_sink *sink, const struct task_struct *task,
			     const void *stack, bool *more)
{
	const void *sp, *regs, *top = stack + THREAD_SIZE;
	unsigned long switches = kml_task_switches(task);
	size_t len;

	/* the count is not younger than on_cpu: at the head of this file */
	smp_rmb();
	if (kml_task_on_cpu(task))
		return false;
	sp = kmemleak_saved_sp(task);
	if (sp < stack || sp >= top || !IS_ALIGNED((unsigned long)sp, sizeof(long)))
		return false;
	regs = kmemleak_saved_regs(task, &len);

	*more = sink->range(sink, regs, len) && sink->range(sink, sp, top - sp);

	/* what was read is not younger than on_cpu, nor that than the count */
	smp_rmb();
	return !kml_task_on_cpu(task) && kml_task_switches(task) == switches;
}

/* Read the part of a stack that is in use. Return: false if that is not known. */
static bool kml_roots_live(struct kml_root_sink *sink, const struct task_struct *task,
			   const void *stack, bool *more)
{
	return READ_ONCE(kml_live_stacks) && kml_roots_asleep(sink, task, stack, more);
}

/**
 * kml_roots_hush_stacks() - let no mark read a stack as a block
 *
 * Context: process, before a mark.
 */
void kml_roots_hush_stacks(void)
{
	struct task_struct *task;
	int nr = 1;

	if (!IS_ENABLED(CONFIG_VMAP_STACK) || !READ_ONCE(kml_live_stacks))
		return;
	while ((task = kml_task_from(&nr))) {
		void *stack = try_get_task_stack(task);

		if (stack) {
			kml_track_hush(stack, true);
			put_task_stack(task);
		}
		put_task_struct(task);
		cond_resched_tasks_rcu_qs();
	}
}
#else
static bool kml_roots_live(struct kml_root_sink *sink, const struct task_struct *task,
			   const void *stack, bool *more)
{
	return false;
}
#endif

/* Another task's stack. */
bool kml_roots_stack(struct kml_root_sink *sink, struct task_struct *task)
{
	void *stack = try_get_task_stack(task);
	bool more = true;

	if (stack) {
		if (!kml_roots_live(sink, task, stack, &more) && more)
			more = sink->range(sink, stack, THREAD_SIZE);
		put_task_stack(task);
	}
	return more;
}

/*
 * Our own. Below the frames in use, it is littered with addresses that we went
 * through in an earlier phase: they are not references. Not inlined, so that
 * registers which our callers saved lie above.
 */
noinline bool kml_roots_own_stack(struct kml_root_sink *sink)
{
	void *stack = task_stack_page(current);
	const void *begin = stack;

	if (!stack)
		return true;
#ifndef CONFIG_STACK_GROWSUP
	begin = __builtin_frame_address(0);
#endif
	return sink->range(sink, begin, stack + THREAD_SIZE - begin);
}
