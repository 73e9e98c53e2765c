// SPDX-License-Identifier: GPL-2.0-only
/* See sieve.h. */

#include "os.h"
#include "pool.h"
#include "sieve.h"

/* With more bits set it lets too much through to be worth a look. */
#define KML_SIEVE_MAX	(KML_SIEVE_BITS / 4)

/* kml_scan_mutex; the bits are set by all workers */
static unsigned long *kml_sieve;
static atomic_long_t kml_sieve_blocks;

/* An empty one, if there is memory. Context: process, kml_scan_mutex held. */
void kml_sieve_open(void)
{
	kml_sieve = kml_pool_alloc(KML_POOL_SIEVE, GFP_KERNEL);
	atomic_long_set(&kml_sieve_blocks, 0);
}

/* Let pointers to an object through. Context: any, between open and ready. */
void kml_sieve_add(unsigned long start, size_t size)
{
	unsigned long block = start >> KML_BLOCK_SHIFT;
	unsigned long last = kml_last(start, size) >> KML_BLOCK_SHIFT;

	if (!kml_sieve || last - block >= KML_SIEVE_MAX ||
	    atomic_long_add_return(last - block + 1, &kml_sieve_blocks) >
	    KML_SIEVE_MAX) {
		atomic_long_set(&kml_sieve_blocks, KML_SIEVE_MAX + 1);
		return;
	}
	while (block <= last) {
		unsigned int bit = block % KML_SIEVE_BITS;
		unsigned int shift = bit % BITS_PER_LONG;
		unsigned long n = min(last - block + 1, BITS_PER_LONG - shift);

		/* by words: a large object has thousands of bits, and a lock held */
		atomic_long_or((~0UL >> (BITS_PER_LONG - n)) << shift,
			       (atomic_long_t *)&kml_sieve[BIT_WORD(bit)]);
		block += n;
	}
}

/**
 * kml_sieve_ready() - all objects have been added
 *
 * Context: process, kml_scan_mutex held.
 * Return: the bitmap, or NULL if everything is to be let through.
 */
const unsigned long *kml_sieve_ready(void)
{
	if (atomic_long_read(&kml_sieve_blocks) > KML_SIEVE_MAX)
		return NULL;
	return kml_sieve;
}

void kml_sieve_close(void)
{
	kml_pool_free(KML_POOL_SIEVE, kml_sieve);
	kml_sieve = NULL;
}
