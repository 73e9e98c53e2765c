// SPDX-License-Identifier: GPL-2.0-only
/*
 * Roots: the kernel stacks of all tasks. They hold stale pointers, too, and may
 * so hide leaks; without them, what a running task has but on its stack would
 * be reported.
 */

#include "os.h"
#include "roots.h"

static struct task_struct *kml_next_task(int *nr)
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

/*
 * Below the frames in use, our own stack is littered with addresses that we
 * went through in an earlier phase: they are not references. Not inlined, so
 * that registers which our callers saved lie above.
 */
static noinline const void *kml_stack_begin(struct task_struct *task, const void *stack)
{
#ifndef CONFIG_STACK_GROWSUP
	if (task == current)
		return __builtin_frame_address(0);
#endif
	return stack;
}

/* @skip: a task whose stack is not a root, or NULL. */
bool kml_roots_stacks(struct kml_root_sink *sink, struct task_struct *skip)
{
	struct task_struct *task;
	bool more = true;
	int nr = 1;

	while (more && (task = kml_next_task(&nr))) {
		void *stack = task == skip ? NULL : try_get_task_stack(task);

		if (stack) {
			const void *begin = kml_stack_begin(task, stack);

			more = sink->range(sink, begin, stack + THREAD_SIZE - begin);
			put_task_stack(task);
		}
		put_task_struct(task);
		cond_resched_tasks_rcu_qs();
	}
	return more;
}
