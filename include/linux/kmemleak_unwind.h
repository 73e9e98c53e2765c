/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fast stack walk of kmemleak, for architectures that have one
 * (HAVE_ARCH_KMEMLEAK_STACK, <asm/kmemleak_unwind.h>).
 *
 * The contract of arch_kmemleak_stack(): it returns the return addresses that
 * stack_trace_save() would return, from one call on, or nothing. What is unusual is
 * left to the unwinder: nothing is guessed. It reads only the part of the stack above
 * the frame, never faults whatever that part contains, and takes no lock.
 *
 * Some checks depend only on the addresses, so they are made once for each trace and
 * not in each walk: kmemleak_stack_valid() must be true of a trace, and
 * filter_irq_stacks() must not shorten it, before the trace is remembered. A trace
 * that is equal to a remembered one needs no check.
 */
#ifndef _LINUX_KMEMLEAK_UNWIND_H
#define _LINUX_KMEMLEAK_UNWIND_H

#include <linux/types.h>

/* The hash of a trace: that of the addresses before, and the next address. */
static __always_inline unsigned long kmemleak_stack_hash(unsigned long hash,
							 unsigned long addr)
{
	return hash * 5 + addr;
}

#ifdef CONFIG_HAVE_ARCH_KMEMLEAK_STACK
#include <asm/kmemleak_unwind.h>
#else
/**
 * arch_kmemleak_stack() - walk the stack of the current task or interrupt
 * @frame: __builtin_frame_address(0) of the caller
 * @entries: filled with return addresses: that of the caller, that of its caller, ...
 * @max: the length of @entries, at least 1
 * @hash: set to the hash of the addresses, from 0 on
 *
 * Context: any but NMI.
 * Return: the number of addresses, or 0: use stack_trace_save().
 */
static inline unsigned int arch_kmemleak_stack(const unsigned long *frame,
					       unsigned long *entries,
					       unsigned int max, unsigned long *hash)
{
	return 0;
}

/**
 * kmemleak_stack_valid() - check the addresses of a trace
 * @entries: addresses, from arch_kmemleak_stack() or stack_trace_save()
 * @nr: their number
 *
 * Context: any.
 * Return: true if the trace may be remembered, and one from arch_kmemleak_stack() be
 * used.
 */
static inline bool kmemleak_stack_valid(const unsigned long *entries, unsigned int nr)
{
	return true;
}
#endif

#endif /* _LINUX_KMEMLEAK_UNWIND_H */
