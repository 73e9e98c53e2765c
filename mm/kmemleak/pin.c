// SPDX-License-Identifier: GPL-2.0-only
/* Pins, the side of those who wait; the protocol is in pin.h. */

#include "os.h"
#include "pin.h"
#include "stats.h"

/* All who may ever read, one a worker. They stay: a slot costs a line. */
static struct kml_pins *kml_readers[NR_CPUS + 1];
static unsigned int kml_nr_readers;

/* Context: kml_scan_mutex held or boot, no scan active. */
void kml_pins_attach(struct kml_pins *pins)
{
	if (WARN_ON_ONCE(kml_nr_readers == ARRAY_SIZE(kml_readers)))
		return;
	kml_readers[kml_nr_readers] = pins;
	/* pairs with the acquire in __kml_pin_wait() */
	smp_store_release(&kml_nr_readers, kml_nr_readers + 1);
}

void __kml_pin_wait(unsigned long start)
{
	unsigned int nr, i, j;
	bool waited = false;

	/* pairs with the release in kml_pins_attach() */
	nr = smp_load_acquire(&kml_nr_readers);
	for (i = 0; i < nr; i++) {
		struct kml_pins *pins = kml_readers[i];

		for (j = 0; j < KML_PINS; j++) {
			/* pairs with the release in kml_unpin() */
			while (smp_load_acquire(&pins->start[j]) == ~start) {
				waited = true;
				cpu_relax();
			}
		}
	}

	if (waited)
		kml_count_inc(KML_C_PIN_WAITS);
}
