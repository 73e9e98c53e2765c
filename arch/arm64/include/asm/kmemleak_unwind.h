/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A stack walk along frame records, for arm64: see <linux/kmemleak_unwind.h>.
 *
 * A record is { FP of the caller, return address }. The walk goes up one stack, to the
 * record in the task's pt_regs, which is the last one. At a change of stacks, and at a
 * record of zeros, which an exception has left, kmemleak_stack_cut() says whether the
 * trace ends there, since it has the entry of an interrupt; if not, the unwinder has
 * to go on. There is no table, so nothing is published, and modules need no care.
 *
 * Return addresses that a tracer has replaced look like others here:
 * kmemleak_stack_valid() finds them, once for each trace.
 */
#ifndef _ASM_ARM64_KMEMLEAK_UNWIND_H
#define _ASM_ARM64_KMEMLEAK_UNWIND_H

#include <linux/compiler.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <asm/compiler.h>
#include <asm/ptrace.h>

#define KMEMLEAK_RECORD		(2 * sizeof(unsigned long))	/* bytes of a record */

unsigned int kmemleak_stack_cut(unsigned long *entries, unsigned int nr,
				unsigned long *hash);
unsigned long kmemleak_stack_end(unsigned long fp);
bool kmemleak_stack_valid(const unsigned long *entries, unsigned int nr);

/*
 * Walk from a record on. @fp: the record, aligned, in the stack; @end: end of the stack;
 * @last: the record that ends the trace. Each record is in the stack and above the one
 * before, so nothing else is read.
 */
static __always_inline unsigned int
kmemleak_stack_walk(unsigned long fp, unsigned long end, unsigned long last,
		    unsigned long *entries, unsigned int max, unsigned long *hash)
{
	unsigned long h = 0;
	unsigned int nr = 0;

	for (;;) {
		unsigned long next = READ_ONCE_NOCHECK(((unsigned long *)fp)[0]);
		unsigned long ret = READ_ONCE_NOCHECK(((unsigned long *)fp)[1]);

		if (unlikely(!next && !ret))
			return nr ? kmemleak_stack_cut(entries, nr, hash) : 0;
		ret = ptrauth_strip_kernel_insn_pac(ret);
		entries[nr++] = ret;
		h = kmemleak_stack_hash(h, ret);
		if (nr == max || next == last)
			break;
		if (unlikely(next - fp < KMEMLEAK_RECORD ||
			     next - fp > end - KMEMLEAK_RECORD - fp || next % 8))
			return kmemleak_stack_cut(entries, nr, hash);
		fp = next;
	}
	*hash = h;
	return nr;
}

static __always_inline unsigned int
arch_kmemleak_stack(const unsigned long *frame, unsigned long *entries,
		    unsigned int max, unsigned long *hash)
{
	unsigned long fp = (unsigned long)frame;
	unsigned long stack = (unsigned long)task_stack_page(current);
	unsigned long end = stack + THREAD_SIZE;

	if (unlikely(fp - stack > THREAD_SIZE - KMEMLEAK_RECORD)) {
		end = kmemleak_stack_end(fp);
		if (!end)
			return 0;
	}
	return kmemleak_stack_walk(fp, end,
				   (unsigned long)&task_pt_regs(current)->stackframe,
				   entries, max, hash);
}

#endif /* _ASM_ARM64_KMEMLEAK_UNWIND_H */
