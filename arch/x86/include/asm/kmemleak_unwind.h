/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A stack walk of a few instructions a frame, for x86-64 with ORC: see
 * <linux/kmemleak_unwind.h>.
 *
 * The way from one return address to the next is a pure function of the address, for
 * as long as there is the text: the rule. It is found in the ORC tables once, packed
 * into 32 bits, and remembered in a table that all CPUs share, direct-mapped by the
 * address. An entry is one word: the rule, and the low half of the address. Kernel
 * and modules are in the last 2 GiB of the address space, so the low half is enough;
 * kmemleak_stack_valid() checks the other half.
 *
 * Publication: an entry is written by one WRITE_ONCE() and read by one READ_ONCE(),
 * so each reader sees the whole of an old or of a new entry. Nothing else is read by
 * way of it, so no barrier is needed. An address that finds its place taken overwrites
 * it. A reader that meets another address, or none, asks the tables again.
 *
 * Text that goes away: init text of the kernel and of modules has rules that are not
 * remembered. For the rest of a module the order is as follows.
 *
 *   writer (kmemleak_rule_find())		module loader, notifier
 *
 *   W1: begin RCU and RCU-sched section	N1: state = MODULE_STATE_GOING
 *   W2: read state; if GOING, no W3		N2: synchronize_rcu()
 *   W3: WRITE_ONCE(entry)			N3: clear entries of the module
 *   W4: end of the sections			N4: the text is freed
 *
 * The module loader does N1 before it calls the notifier, which does N2 and N3. A
 * section that began before N2 ends before N3, so its entry is cleared; a section
 * that begins later reads GOING at W2 and writes nothing. After N3 there is no entry
 * of the module, and the text at its addresses may be another's.
 *
 * A reader may have read an entry before N3 and use it later. Then it has met the
 * address of a module whose code nobody runs any more: its stack is corrupt. A rule
 * moves the walk upward inside of the stack, whatever stack it is applied to, so that
 * does not fault.
 *
 * Addresses in bss are roots of a scan. Bit 63 of an entry is clear, so that no entry
 * looks like the address of a block.
 */
#ifndef _ASM_X86_KMEMLEAK_UNWIND_H
#define _ASM_X86_KMEMLEAK_UNWIND_H

#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <asm/ptrace.h>

/*
 * A rule. The frame ends KMEMLEAK_RULE_SIZE bytes above SP; the word below its end is
 * the next return address. If BP_SAVED, the BP of the caller is
 * rule >> KMEMLEAK_RULE_BP_SHIFT bytes below the end. 0: there is no rule.
 *
 * A rule with FROM_BP, STOP or SWITCH has FAR. Bytes up to the end that include it are
 * beyond the end of any stack, so one comparison finds both what is rare and what is
 * wrong.
 */
#define KMEMLEAK_RULE_BP_SAVED	BIT(0)
#define KMEMLEAK_RULE_FROM_BP	BIT(1)	/* above BP instead */
#define KMEMLEAK_RULE_STOP	BIT(2)	/* the trace ends here, see below */
#define KMEMLEAK_RULE_SIZE	GENMASK(13, 3)
#define KMEMLEAK_RULE_SWITCH	BIT(14)	/* above *SP, which is in another stack */
#define KMEMLEAK_RULE_FAR	BIT(17)
#define KMEMLEAK_RULE_BP_SHIFT	18

/* With STOP: the size leads to registers, which must be those of user space. */
#define KMEMLEAK_RULE_USER	BIT(1)

#define KMEMLEAK_RULE_BITS	14

extern u64 kmemleak_rules[1 << KMEMLEAK_RULE_BITS];

struct module;

u32 kmemleak_rule_find(unsigned long ret);
void kmemleak_rules_forget(const struct module *mod);
unsigned long kmemleak_stack_end(unsigned long sp);

static __always_inline u64 *kmemleak_rule_slot(u32 ret)
{
	return &kmemleak_rules[ret * 0x61c88647u >> (32 - KMEMLEAK_RULE_BITS)];
}

/* Are the registers at @sp those of user space? As user_mode(), for any stack. */
static __always_inline bool kmemleak_user_regs(unsigned long sp)
{
	return READ_ONCE_NOCHECK(*(unsigned long *)
				 (sp + offsetof(struct pt_regs, cs))) & 3;
}

/*
 * Walk from a return address on. @sp: behind the word that has it; @bp: BP of the code
 * that it returns to; @end: end of the stack; @outer: end of the stack that the walk
 * may go over to, THREAD_SIZE bytes, or 0. Only words in [sp, end) and in the other
 * stack are read, for: sp only grows, by no more than end - sp; a saved BP is in its
 * frame, that is, above the old sp; and registers are checked. An empty entry matches
 * address 0: the walk stays where it is until it has @max addresses, which are not
 * valid.
 */
static __always_inline unsigned int
kmemleak_stack_walk(unsigned long ret, unsigned long bp, unsigned long sp,
		    unsigned long end, unsigned long outer, unsigned long *entries,
		    unsigned int max, unsigned long *hash)
{
	unsigned long *at = entries, *last = entries + max - 1;
	unsigned long h = 0;

	BUILD_BUG_ON(THREAD_SIZE >= KMEMLEAK_RULE_FAR || IRQ_STACK_SIZE >= KMEMLEAK_RULE_FAR);

	for (;; at++) {
		u64 entry = READ_ONCE(*kmemleak_rule_slot(ret));
		u32 rule = entry >> 32;

		if (unlikely((u32)entry != (u32)ret)) {
			rule = kmemleak_rule_find(ret);
			if (!rule)
				return 0;
		}
		*at = ret;
		h = kmemleak_stack_hash(h, ret);
		if (at == last)
			break;
		sp += rule & (KMEMLEAK_RULE_SIZE | KMEMLEAK_RULE_FAR);
		if (unlikely(sp > end)) {
			unsigned long size = rule & KMEMLEAK_RULE_SIZE, base = bp;

			if (!(rule & KMEMLEAK_RULE_FAR))
				return 0;
			sp -= KMEMLEAK_RULE_FAR + size;
			if (rule & KMEMLEAK_RULE_STOP) {
				if (!(rule & KMEMLEAK_RULE_USER))
					break;
				sp += size;
				if (sp > end || end - sp < sizeof(struct pt_regs) ||
				    !kmemleak_user_regs(sp))
					return 0;
				break;
			}
			if (rule & KMEMLEAK_RULE_SWITCH) {
				if (!outer || end - sp < sizeof(long))
					return 0;
				base = READ_ONCE_NOCHECK(*(unsigned long *)sp);
				end = outer;
				outer = 0;
				sp = end - THREAD_SIZE;
			}
			/* below @end, so that the sum does not wrap */
			if (base < sp || base > end)
				return 0;
			sp = base + size;
			if (sp > end)
				return 0;
		}
		if (rule & KMEMLEAK_RULE_BP_SAVED)
			bp = READ_ONCE_NOCHECK(*(unsigned long *)
					       (sp - (rule >> KMEMLEAK_RULE_BP_SHIFT)));
		ret = READ_ONCE_NOCHECK(((unsigned long *)sp)[-1]);
	}
	*hash = h;
	return at - entries + 1;
}

static __always_inline unsigned int
arch_kmemleak_stack(const unsigned long *frame, unsigned long *entries,
		    unsigned int max, unsigned long *hash)
{
	unsigned long sp = (unsigned long)(frame + 2);
	unsigned long end = (unsigned long)task_stack_page(current) + THREAD_SIZE;
	unsigned long outer = 0;

	if (unlikely(end - sp > THREAD_SIZE)) {
		outer = end;
		end = kmemleak_stack_end(sp);
		if (!end)
			return 0;
	}
	return kmemleak_stack_walk(frame[1], frame[0], sp, end, outer, entries, max, hash);
}

static inline bool kmemleak_stack_valid(const unsigned long *entries, unsigned int nr)
{
	while (nr--)
		if (entries[nr] != (unsigned long)(long)(s32)entries[nr] ||
		    !(entries[nr] >> 63))
			return false;
	return true;
}

#endif /* _ASM_X86_KMEMLEAK_UNWIND_H */
