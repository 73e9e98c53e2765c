/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sieve: a bitmap small enough for a CPU's first cache, which most
 * candidates of a confirming mark do not pass. Few objects are looked for then,
 * wherever they are: what hits none of their blocks, modulo its size, is not one
 * of them. (A Bloom filter, Communications of the ACM 13, 1970, with one hash.)
 */
#ifndef _MM_KMEMLEAK_SIEVE_H
#define _MM_KMEMLEAK_SIEVE_H

#include "settled.h"

#define KML_SIEVE_BITS		65536UL
#define KML_SIEVE_BYTES		(KML_SIEVE_BITS / 8)

void kml_sieve_open(void);
void kml_sieve_add(unsigned long start, size_t size);
const unsigned long *kml_sieve_ready(void);
void kml_sieve_close(void);

/* Could @addr be in an object that was added? */
static inline bool kml_sieve_passes(const unsigned long *sieve, unsigned long addr)
{
	unsigned long bit = (addr >> KML_BLOCK_SHIFT) % KML_SIEVE_BITS;

	return sieve[BIT_WORD(bit)] >> bit % BITS_PER_LONG & 1;
}

#endif /* _MM_KMEMLEAK_SIEVE_H */
