// SPDX-License-Identifier: GPL-2.0-only
/*
 * The switch. It can be thrown once, from any context, and does not go back.
 */

#include "os.h"
#include "state.h"

/* see "Locks" in kmemleak.h */
DEFINE_MUTEX(kml_scan_mutex);

struct kml_state kml_state __read_mostly = {
	.enabled	= true,
	.free_enabled	= true,
};

static int kml_error;
static void (*kml_cleanup)(void);

/**
 * kml_state_disable() - stop tracking for good
 *
 * Tracking of allocations stops here; that of frees goes on until the cleanup
 * registered with kml_state_on_disable() has made sure that no scan runs.
 *
 * Context: any; does not sleep.
 */
void kml_state_disable(void)
{
	void (*cleanup)(void);

	if (cmpxchg(&kml_error, 0, 1))
		return;

	WRITE_ONCE(kml_state.enabled, false);

	/* pairs with the barrier in kml_state_on_disable() */
	smp_mb();
	cleanup = READ_ONCE(kml_cleanup);
	if (cleanup)
		cleanup();
	else
		WRITE_ONCE(kml_state.free_enabled, false);

	pr_info("Kernel memory leak detector disabled\n");
}

/**
 * kml_state_on_disable() - register the cleanup that runs when disabled
 * @fn: called at most once from any context, so it can but schedule work
 *
 * If kmemleak is disabled already the caller has to clean up itself: check
 * kml_state_has_error() afterwards.
 */
void kml_state_on_disable(void (*fn)(void))
{
	WRITE_ONCE(kml_cleanup, fn);
	/* pairs with the barrier in kml_state_disable() */
	smp_mb();
}

bool kml_state_has_error(void)
{
	return READ_ONCE(kml_error);
}
