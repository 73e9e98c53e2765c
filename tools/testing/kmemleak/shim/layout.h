/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The addresses of the simulated memory. They are fixed, so that reports have the same
 * text in all runs and with both implementations. A native process does not use them,
 * and they are application memory for ASan and TSan.
 */
#ifndef _SHIM_LAYOUT_H
#define _SHIM_LAYOUT_H

#if __SIZEOF_LONG__ == 8
#define W_BASE		0x7e9000000000UL
#else
#define W_BASE		0x60000000UL
#endif

/* The size of arrays at fixed addresses: none is larger. */
#define SHIM_ANY_SIZE	(1UL << (__SIZEOF_LONG__ == 8 ? 46 : 30))

/* Linker sections, all roots. The read-only one lies outside data. */
#define W_DATA		(W_BASE)
#define W_DATA_SIZE	0x2000UL
#define W_BSS		(W_BASE + 0x10000UL)
#define W_BSS_SIZE	0x2000UL
#define W_RO		(W_BASE + 0x20000UL)
#define W_RO_SIZE	0x1000UL

/* Task stacks, in a row. */
#define W_STACKS	(W_BASE + 0x100000UL)
#define W_NR_TASKS	4
#define THREAD_SHIFT	14
#define THREAD_SIZE	(1UL << THREAD_SHIFT)

/* The memory map: one struct page per frame. */
#define W_VMEMMAP	(W_BASE + 0x200000UL)
#define W_MAX_PAGES	0x4000UL

/*
 * Per-CPU memory. Cookies are addresses that are not mapped. Each unit begins with the
 * static area, which is a root; the rest has tracked per-CPU objects.
 */
#define W_PCPU_COOKIE	(W_BASE + 0x1000000UL)
#define W_PCPU_UNIT	0x100000UL
#define W_PCPU_STATIC	0x1000UL
#define W_PCPU_AREA	(W_BASE + 0x2000000UL)

/* Physical memory from 0 appears at W_PHYSMAP; part of it counts as highmem. */
#define W_PHYSMAP	(W_BASE + 0x4000000UL)
#define W_PHYS_SIZE	0x1000000UL
#define W_LOW_START	0x100000UL
#define W_LOW_END	0xc00000UL

/* Tracked memory. Giant blocks are at multiples of a step. */
#define W_HEAP		(W_BASE + 0x10000000UL)
#if __SIZEOF_LONG__ == 8 && !defined(SHIM_SMALL_WORLD)
#define W_HEAP_SIZE	0x10000000UL
#define W_VMALLOC	(W_BASE + 0x40000000UL)
#define W_VMALLOC_SIZE	0x80000000UL
#define W_GIANT		(W_BASE + 0x100000000UL)
#define W_GIANT_SIZE	0x1000000000UL
#else
/*
 * 32 bits: below the stack, in addresses that all systems leave to programs. Small also
 * because qemu-user has a table of all pages, which each fork() copies.
 */
#define W_HEAP_SIZE	0x8000000UL
#define W_VMALLOC	(W_BASE + 0x18000000UL)
#define W_VMALLOC_SIZE	0x18000000UL
#define W_GIANT		(W_BASE + 0x30000000UL)
#define W_GIANT_SIZE	0x28000000UL
#endif
#define W_GIANT_STEP	(W_GIANT_SIZE / 64)
#define W_END		(W_GIANT + W_GIANT_SIZE)

#endif /* _SHIM_LAYOUT_H */
