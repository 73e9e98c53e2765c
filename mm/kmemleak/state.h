/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Is kmemleak on? Read by every hook, so kept apart from everything else.
 */
#ifndef _MM_KMEMLEAK_STATE_H
#define _MM_KMEMLEAK_STATE_H

#include "os.h"

/* One scan, one user of the debugfs file or one trimmer at a time. */
extern struct mutex kml_scan_mutex;

struct kml_state {
	bool enabled;		/* allocations are tracked */
	bool free_enabled;	/* frees still are, until a last scan has ended */
	bool pool_ready;	/* slab caches, per-CPU data and RCU can be used */
	bool scan_active;	/* settled bits and pins mean something */
};

extern struct kml_state kml_state;

static inline bool kml_enabled(void)
{
	return READ_ONCE(kml_state.enabled);
}

static inline bool kml_free_enabled(void)
{
	return READ_ONCE(kml_state.free_enabled);
}

static inline bool kml_pool_ready(void)
{
	return READ_ONCE(kml_state.pool_ready);
}

static inline bool kml_scan_active(void)
{
	return READ_ONCE(kml_state.scan_active);
}

void kml_state_disable(void);
bool kml_state_has_error(void);
void kml_state_on_disable(void (*fn)(void));

#endif /* _MM_KMEMLEAK_STATE_H */
