/* SPDX-License-Identifier: GPL-2.0-only */
/* Which signals end what a user asked for, and how to wait beside the others. */
#ifndef _MM_KMEMLEAK_SIGNALS_H
#define _MM_KMEMLEAK_SIGNALS_H

#include "os.h"

/* How often who cannot sleep interruptibly looks for a signal. */
#define KML_SIGNAL_POLL_MSECS	2

bool kml_signalled(void);
int kml_scan_lock(void);

/*
 * Wait for @condition, or until there may be a signal to look at: the caller loops,
 * and asks kml_signalled() each time. Beside a signal that ends nothing an
 * interruptible wait returns at once, so that one is replaced by short ones.
 */
#define kml_wait_once(wq, condition)					\
do {									\
	bool __beside = signal_pending(current);			\
									\
	__wait_event_hrtimeout(wq, condition, __beside ?		\
			       ms_to_ktime(KML_SIGNAL_POLL_MSECS) : KTIME_MAX, \
			       __beside ? TASK_IDLE : TASK_INTERRUPTIBLE); \
} while (0)

#endif /* _MM_KMEMLEAK_SIGNALS_H */
