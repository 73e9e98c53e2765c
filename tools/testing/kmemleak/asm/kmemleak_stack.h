/* SPDX-License-Identifier: GPL-2.0-only */
/* The saved registers of a sleeping task, which tests set. */
#ifndef _ASM_SHIM_KMEMLEAK_STACK_H
#define _ASM_SHIM_KMEMLEAK_STACK_H

static inline const void *kmemleak_saved_sp(const struct task_struct *task)
{
	return READ_ONCE(task->sp);
}

static inline const void *kmemleak_saved_regs(const struct task_struct *task,
					      size_t *len)
{
	*len = sizeof(task->regs);
	return task->regs;
}

#endif /* _ASM_SHIM_KMEMLEAK_STACK_H */
