/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the live part of a task's stack begins, for kmemleak. */
#ifndef _ASM_X86_KMEMLEAK_STACK_H
#define _ASM_X86_KMEMLEAK_STACK_H

#include <linux/sched.h>

/*
 * __switch_to_asm() pushes the registers that a function must preserve, then
 * stores the stack pointer.
 */
static inline const void *kmemleak_saved_sp(const struct task_struct *task)
{
	return (const void *)READ_ONCE(task->thread.sp);
}

static inline const void *kmemleak_saved_regs(const struct task_struct *task,
					      size_t *len)
{
	*len = 0;
	return NULL;
}

#endif /* _ASM_X86_KMEMLEAK_STACK_H */
