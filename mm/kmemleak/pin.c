// SPDX-License-Identifier: GPL-2.0-only
/* Pins, the side of those who wait; the protocol is in pin.h. */

#include "os.h"
#include "pin.h"
#include "stats.h"

/* All who may ever read, one a worker. They stay: a slot costs a line. */
static struct kml_pins *kml_readers[NR_CPUS + 1];
static unsigned int kml_nr_readers;
static DEFINE_RAW_SPINLOCK(kml_readers_lock);

/* Context: process or boot; before the reader's first pin. */
bool kml_pins_attach(struct kml_pins *pins)
{
	unsigned long flags;
	bool room;

	raw_spin_lock_irqsave(&kml_readers_lock, flags);
	room = kml_nr_readers < ARRAY_SIZE(kml_readers);
	if (room) {
		kml_readers[kml_nr_readers] = pins;
		/* pairs with the acquire in __kml_pin_wait() */
		smp_store_release(&kml_nr_readers, kml_nr_readers + 1);
	}
	raw_spin_unlock_irqrestore(&kml_readers_lock, flags);
	return !WARN_ON_ONCE(!room);
}

static bool kml_pinned(const struct kml_pins *pins, unsigned long start)
{
	unsigned long hit = 0;
	unsigned int i;

	/* no branch: a line each, and the lines of all may be fetched at once */
	for (i = 0; i < KML_PINS; i++)
		/* pairs with the release in kml_unpin() */
		hit |= smp_load_acquire(&pins->start[i]) == ~start;
	return hit;
}

void __kml_pin_wait(unsigned long start)
{
	bool waited = false;
	unsigned int nr, i;

	/* pairs with the release in kml_pins_attach() */
	nr = smp_load_acquire(&kml_nr_readers);
	for (i = 0; i < nr; i++) {
		while (unlikely(kml_pinned(kml_readers[i], start))) {
			waited = true;
			cpu_relax();
		}
	}

	if (waited)
		kml_count_inc(KML_C_PIN_WAITS);
}
