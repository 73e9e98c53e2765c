// SPDX-License-Identifier: GPL-2.0-only
/* The rare parts of <asm/kmemleak_unwind.h>. */

#include <linux/ftrace.h>
#include <linux/kernel.h>
#include <linux/kmemleak_unwind.h>
#include <linux/kprobes.h>
#include <linux/preempt.h>
#include <linux/stackdepot.h>
#include <linux/stacktrace.h>
#include <asm/stacktrace.h>

/**
 * kmemleak_stack_cut() - end a trace at the entry of an interrupt
 * @entries: the trace up to where the walk cannot go on
 * @nr: length of @entries, at least 1
 * @hash: set to the hash of the result
 *
 * Context: any but NMI.
 * Return: the length with the entry as the last frame, or 0 if there is none.
 */
unsigned int kmemleak_stack_cut(unsigned long *entries, unsigned int nr,
				unsigned long *hash)
{
	unsigned long last[2] = { entries[nr - 1], 0 };
	unsigned int i, len;

	if (!in_interrupt())
		return 0;
	len = filter_irq_stacks(entries, nr);
	/* the result does not tell a last frame from none */
	if (len == nr && filter_irq_stacks(last, ARRAY_SIZE(last)) != 1)
		return 0;
	*hash = 0;
	for (i = 0; i < len; i++)
		*hash = kmemleak_stack_hash(*hash, entries[i]);
	return len;
}

/**
 * kmemleak_stack_end() - find the end of a stack that is not the task's
 * @fp: address of a record in the stack
 *
 * Context: any but NMI, on this stack.
 * Return: the end, or 0 if this is no interrupt stack.
 */
unsigned long kmemleak_stack_end(unsigned long fp)
{
	/* only an interrupt is on such a stack: it stays on its CPU */
	if (preemptible() || !on_irq_stack(fp, KMEMLEAK_RECORD))
		return 0;
	return stackinfo_get_irq().high;
}

/* See <linux/kmemleak_unwind.h>: there is no address that tracers replace. */
bool kmemleak_stack_valid(const unsigned long *entries, unsigned int nr)
{
	while (nr--) {
#ifdef CONFIG_FUNCTION_GRAPH_TRACER
		if (entries[nr] == (unsigned long)return_to_handler)
			return false;
#endif
		if (is_kretprobe_trampoline(entries[nr]))
			return false;
	}
	return true;
}
