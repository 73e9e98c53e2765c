// SPDX-License-Identifier: GPL-2.0-only
/* The table of rules of <asm/kmemleak_unwind.h>, which has the protocol. */

#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/kmemleak_unwind.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/rcupdate.h>
#include <linux/stacktrace.h>
#include <linux/stackdepot.h>
#include <asm/orc_types.h>
#include <asm/stacktrace.h>
#include <asm/unwind.h>

u64 kmemleak_rules[1 << KMEMLEAK_RULE_BITS];

/* Bytes of a rule: offsets beyond the largest frames are the unwinder's. */
static bool kmemleak_rule_bytes(int offset)
{
	return offset >= 0 && !(offset & ~(int)KMEMLEAK_RULE_SIZE);
}

/* Does filter_irq_stacks() end a trace here? */
static bool kmemleak_rule_is_irq(unsigned long ret)
{
	unsigned long entries[2] = { ret, 0 };

	return filter_irq_stacks(entries, ARRAY_SIZE(entries)) == 1;
}

static u32 kmemleak_rule_pack(unsigned long ret, const struct orc_entry *orc)
{
	u32 rule;

	if (kmemleak_rule_is_irq(ret) || orc->type == ORC_TYPE_END_OF_STACK)
		return KMEMLEAK_RULE_STOP | KMEMLEAK_RULE_FAR;
	if (!kmemleak_rule_bytes(orc->sp_offset))
		return 0;
	if (orc->type == ORC_TYPE_REGS && orc->sp_reg == ORC_REG_SP)
		return KMEMLEAK_RULE_STOP | KMEMLEAK_RULE_FAR | KMEMLEAK_RULE_USER |
		       orc->sp_offset;
	/* the caller of a @signal frame has no return address, but an address */
	if (orc->type != ORC_TYPE_CALL || orc->signal || !orc->sp_offset)
		return 0;

	rule = orc->sp_offset;
	if (orc->sp_reg == ORC_REG_BP)
		rule |= KMEMLEAK_RULE_FROM_BP | KMEMLEAK_RULE_FAR;
	else if (orc->sp_reg == ORC_REG_SP_INDIRECT)
		rule |= KMEMLEAK_RULE_SWITCH | KMEMLEAK_RULE_FAR;
	else if (orc->sp_reg != ORC_REG_SP)
		return 0;
	if (orc->bp_reg == ORC_REG_PREV_SP) {
		int below = -orc->bp_offset;

		/* in the frame; bit 31 stays clear */
		if (!below || !kmemleak_rule_bytes(below) || below > orc->sp_offset ||
		    below >> (31 - KMEMLEAK_RULE_BP_SHIFT))
			return 0;
		rule |= KMEMLEAK_RULE_BP_SAVED | below << KMEMLEAK_RULE_BP_SHIFT;
	} else if (orc->bp_reg != ORC_REG_UNDEFINED) {
		return 0;
	}
	return rule;
}

/**
 * kmemleak_rule_find() - find the rule of a return address in the ORC tables
 * @ret: return address
 *
 * Context: any but NMI.
 * Return: the rule, or 0: use the unwinder.
 */
u32 kmemleak_rule_find(unsigned long ret)
{
	struct orc_entry orc;
	bool lasting;
	u32 rule = 0;

	rcu_read_lock();
	/* 6.12: a module stays for RCU-sched sections only */
	preempt_disable();
	if (unwind_orc_entry(ret, &orc, &lasting)) {
		rule = kmemleak_rule_pack(ret, &orc);
		if (rule && lasting)
			WRITE_ONCE(*kmemleak_rule_slot(ret), (u64)rule << 32 | (u32)ret);
	}
	preempt_enable();
	rcu_read_unlock();
	return rule;
}

/**
 * kmemleak_stack_end() - find the end of a stack that is not the task's
 * @sp: address in the stack
 *
 * Context: any but NMI, on this stack.
 * Return: the end, or 0 if this is no interrupt stack.
 */
unsigned long kmemleak_stack_end(unsigned long sp)
{
	struct stack_info info = {};
	unsigned long mask = 0;

	if (get_stack_info((unsigned long *)sp, current, &info, &mask) ||
	    info.type != STACK_TYPE_IRQ)
		return 0;
	return (unsigned long)info.end;
}

#ifdef CONFIG_MODULES
/**
 * kmemleak_rules_forget() - clear the entries of a module
 * @mod: the module; entries that are written meanwhile are not its own
 *
 * Context: any.
 */
void kmemleak_rules_forget(const struct module *mod)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kmemleak_rules); i++) {
		u64 entry = READ_ONCE(kmemleak_rules[i]);

		/* what is written meanwhile may be lost: it is found again */
		if (entry && within_module((unsigned long)(long)(s32)entry, mod))
			WRITE_ONCE(kmemleak_rules[i], 0);
	}
}

static int kmemleak_module_notify(struct notifier_block *nb, unsigned long state,
				  void *mod)
{
	if (state == MODULE_STATE_GOING) {
		synchronize_rcu();
		kmemleak_rules_forget(mod);
	}
	return NOTIFY_DONE;
}

static struct notifier_block kmemleak_module_nb = {
	.notifier_call = kmemleak_module_notify,
};

static int __init kmemleak_unwind_init(void)
{
	return register_module_notifier(&kmemleak_module_nb);
}
core_initcall(kmemleak_unwind_init);
#endif
