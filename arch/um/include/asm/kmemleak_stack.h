/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the live part of a task's stack begins, for kmemleak. */
#ifndef _ASM_UM_KMEMLEAK_STACK_H
#define _ASM_UM_KMEMLEAK_STACK_H

#include <linux/sched.h>

/*
 * What setjmp() in switch_threads() stored: the stack pointer of its caller, a
 * frame that has nothing below.
 */
static inline const void *kmemleak_saved_sp(const struct task_struct *task)
{
	return (const void *)(unsigned long)READ_ONCE(task->thread.switch_buf->JB_SP);
}

/* setjmp() keeps registers here, not on the stack. */
static inline const void *kmemleak_saved_regs(const struct task_struct *task,
					      size_t *len)
{
	*len = sizeof(task->thread.switch_buf);
	return &task->thread.switch_buf;
}

#endif /* _ASM_UM_KMEMLEAK_STACK_H */
