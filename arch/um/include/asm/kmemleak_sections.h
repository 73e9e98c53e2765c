/* SPDX-License-Identifier: GPL-2.0-only */
/* Parts of the kernel's data that are no roots for kmemleak. */
#ifndef _ASM_UM_KMEMLEAK_SECTIONS_H
#define _ASM_UM_KMEMLEAK_SECTIONS_H

#include <linux/cpumask.h>
#include <linux/sched.h>
#include <asm/sections.h>

/* 7.x: an array with one stack for each CPU, in .bss; declared in arch/um only */
extern char cpu_irqstacks[][THREAD_SIZE] __weak;

/* 6.12: the stack of the only CPU, in .data */
extern union thread_union cpu0_irqstack __weak;

/*
 * Get hole @nr: [*@start, *@end). Return: false if there are no more.
 *
 * - Init data is inside of .data, and its memory is not reused. No code uses its
 *   pointers after boot.
 * - Unused frames of the interrupt stacks keep the registers of interrupted code, such
 *   as a scan with object addresses. Unused frames are no roots on other stacks either.
 */
static inline bool kmemleak_section_hole(unsigned int nr, const void **start,
					 const void **end)
{
	switch (nr) {
	case 0:
		*start = __init_begin;
		*end = __init_end;
		return true;
	case 1:
		*start = cpu_irqstacks ? cpu_irqstacks[0] : NULL;
		*end = cpu_irqstacks ? cpu_irqstacks[nr_cpu_ids] : NULL;
		return true;
	case 2:
		*start = &cpu0_irqstack;
		*end = &cpu0_irqstack ? &cpu0_irqstack + 1 : NULL;
		return true;
	}
	return false;
}

#endif /* _ASM_UM_KMEMLEAK_SECTIONS_H */
