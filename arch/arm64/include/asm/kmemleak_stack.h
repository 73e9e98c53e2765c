/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the live part of a task's stack begins, for kmemleak. */
#ifndef _ASM_ARM64_KMEMLEAK_STACK_H
#define _ASM_ARM64_KMEMLEAK_STACK_H

#include <linux/sched.h>

static inline const void *kmemleak_saved_sp(const struct task_struct *task)
{
	return (const void *)READ_ONCE(task->thread.cpu_context.sp);
}

/* cpu_switch_to() keeps x19 to x28 here, not on the stack. */
static inline const void *kmemleak_saved_regs(const struct task_struct *task,
					      size_t *len)
{
	*len = sizeof(task->thread.cpu_context);
	return &task->thread.cpu_context;
}

#endif /* _ASM_ARM64_KMEMLEAK_STACK_H */
