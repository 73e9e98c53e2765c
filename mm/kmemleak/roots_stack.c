// SPDX-License-Identifier: GPL-2.0-only
/*
 * Roots: the kernel stacks of all tasks. They hold stale pointers, too, and may
 * so hide leaks; without them, what a running task has but on its stack would
 * be reported.
 */

#include "os.h"
#include "roots.h"

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

/* Another task's stack. */
bool kml_roots_stack(struct kml_root_sink *sink, struct task_struct *task)
{
	void *stack = try_get_task_stack(task);
	bool more = true;

	if (stack) {
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
