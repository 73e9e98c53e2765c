/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The settled bitmap: one bit per 64 bytes, set when no pointer into that
 * block can change any object's state for the rest of the mark.
 */
#ifndef _MM_KMEMLEAK_SETTLED_H
#define _MM_KMEMLEAK_SETTLED_H

#include "interval.h"

#define KML_BLOCK_SHIFT		6
#define KML_BLOCK_SIZE		BIT(KML_BLOCK_SHIFT)
#define KML_SETTLED_BITS	(KML_INTERVAL_SIZE >> KML_BLOCK_SHIFT)
#define KML_SETTLED_LONGS	(KML_SETTLED_BITS / BITS_PER_LONG)

/* in a page: 64, on a 32-bit machine, too */
#define KML_PAGE_BLOCKS		(KML_PAGE_SIZE >> KML_BLOCK_SHIFT)

/* larger objects are never settled: 256 intervals take 10 us, without preemption */
#define KML_SETTLE_MAX		BIT(29)

extern unsigned long kml_settled_none[];

void kml_settled_prepare(struct kml_interval *iv);
void kml_settled_clear(struct kml_space *space, unsigned long start, size_t size);
void kml_settled_clear_page(struct kml_space *space, unsigned long page,
			    u64 blocks);
void kml_settled_set(struct kml_space *space, unsigned long start, size_t size);
void kml_settled_free(struct kml_interval *iv);

static inline unsigned int kml_settled_bit(unsigned long addr)
{
	return (addr & ~KML_INTERVAL_MASK) >> KML_BLOCK_SHIFT;
}

/*
 * Could a pointer to @addr still change anything? An address without an
 * interval holds no object. Context: rcu_read_lock(), a mark is running.
 */
static inline bool kml_settled(struct kml_space *space, unsigned long addr)
{
	struct kml_interval *iv = kml_interval_find(space, addr);
	unsigned int bit = kml_settled_bit(addr);

	if (!iv)
		return true;
	return READ_ONCE(READ_ONCE(iv->settled)[BIT_WORD(bit)]) & BIT_MASK(bit);
}

#endif /* _MM_KMEMLEAK_SETTLED_H */
