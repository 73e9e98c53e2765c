/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pins: kmemleak_free() returns only when nobody reads the block.
 *
 * Whoever reads a tracked block that may be freed meanwhile
 *
 *	disables IRQs and writes the block's start (inverted: 0 is an address, too)
 *	into one of its pins,
 *	smp_mb(),
 *	looks the object up again: still allocated?  then reads at most KML_CHUNK,
 *	clears the pin (release) and enables IRQs,
 *
 * and whoever frees
 *
 *	clears KML_F_ALLOCATED (atomic, full barrier),
 *	kml_scan_active? then waits while a pin holds the start (acquire).
 *
 * Store, full barrier, load on both sides (Dekker): either the reader sees that
 * the object is gone or the one who frees sees the pin. The same holds for
 * kml_scan_active, set with a full barrier before the first pin. IRQs are off
 * so that a free in an interrupt handler never waits for the CPU it is on, and
 * so that the wait is as short as the read: a chunk of 4 KiB.
 *
 * After Michael, "Hazard pointers: safe memory reclamation for lock-free
 * objects", IEEE TPDS 15(6), 2004, with waiting in place of deferring: the
 * block's owner cannot be told to come back later.
 */
#ifndef _MM_KMEMLEAK_PIN_H
#define _MM_KMEMLEAK_PIN_H

#include "kmemleak.h"
#include "state.h"

/* One cache line a reader: whoever frees looks at one line for each. */
#define KML_PINS	(64 / sizeof(unsigned long))

struct kml_pins {
	unsigned long start[KML_PINS];
} ____cacheline_aligned;

bool kml_pins_attach(struct kml_pins *pins);

void __kml_pin_wait(unsigned long start);

/* Free side; KML_F_ALLOCATED was cleared by a fully ordered atomic. */
static inline void kml_pin_wait(unsigned long start)
{
	if (unlikely(kml_scan_active()))
		__kml_pin_wait(start);
}

/* Reader side. IRQs are off. The caller orders a batch with one smp_mb(). */
static inline void kml_pin(struct kml_pins *pins, unsigned int i,
			   unsigned long start)
{
	lockdep_assert_irqs_disabled();
	WRITE_ONCE(pins->start[i], ~start);
}

static inline void kml_unpin(struct kml_pins *pins, unsigned int i)
{
	/* pairs with the acquire in __kml_pin_wait(): our reads are done */
	smp_store_release(&pins->start[i], 0);
}

#endif /* _MM_KMEMLEAK_PIN_H */
