/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Per-CPU pointers that look like addresses
 */
#ifndef KMEMLEAK_TEST_FIRST_CHUNK_H
#define KMEMLEAK_TEST_FIRST_CHUNK_H

#include <linux/kernel_stat.h>
#include <linux/percpu.h>
#include <linux/sizes.h>

/* more than the size of the first chunk of each CPU */
#define FIRST_CHUNK_ROOM	SZ_1M

/*
 * Pointers into the first chunk of per-CPU memory are numbers next to those of the kernel's
 * per-CPU variables. These are addresses in the kernel's image, where there are other
 * variables to which words point. In 6.12 on x86-64 they begin at zero, and are numbers
 * like 0x35190. Of 60 blocks of 8 kB on UML 2 were hidden, both in the first chunk; of 31
 * small ones on arm64, 13. A leak that must be found is in another chunk.
 */
static inline bool in_first_chunk(const void __percpu *p)
{
	unsigned long first = (__force unsigned long)&kernel_cpustat;

	return (__force unsigned long)p - first + FIRST_CHUNK_ROOM < 2 * FIRST_CHUNK_ROOM;
}

#endif
