// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signals. signal_pending() says that a task should soon return to user space,
 * which is more than that it should give up: it is also true for a child that has
 * ended, for work that was queued to the task, for a freezer, and for a tracer. None
 * of these may end a scan: a shell with a background job would not get one done.
 */

#include "os.h"
#include "signals.h"
#include "state.h"

/* What shells and terminals send all the time, and what only stops a task. */
#define KML_HARMLESS	(SIG_KERNEL_IGNORE_MASK | SIG_KERNEL_STOP_MASK)

static bool kml_signal_in(const struct sigpending *pending)
{
	unsigned long some = 0;
	unsigned int i;

	for (i = 0; i < _NSIG_WORDS; i++)
		some |= READ_ONCE(pending->signal.sig[i]) & ~current->blocked.sig[i] &
			~(i ? 0UL : (unsigned long)KML_HARMLESS);
	return some;
}

/**
 * kml_signalled() - is there a signal that ends what the current task waits for?
 *
 * That is one that is not blocked, and neither ignored by default (SIGCHLD, SIGCONT,
 * SIGURG, SIGWINCH) nor stopping the task (job control). A task that is to be
 * frozen, stopped by a tracer or given work has no such signal either.
 *
 * No lock is needed. The current task alone changes what it blocks. Others add to what
 * is pending, and set TIF_SIGPENDING then: whoever asks every few KiB misses nothing
 * for long. Another thread may take a shared signal after we saw it: then
 * TIF_SIGPENDING stays, which only the current task clears, and who returns
 * -ERESTARTSYS is restarted.
 *
 * Context: process.
 */
bool kml_signalled(void)
{
	if (likely(!task_sigpending(current)))
		return false;
	return kml_signal_in(&current->pending) ||
	       kml_signal_in(&current->signal->shared_pending);
}

/**
 * kml_scan_lock() - take kml_scan_mutex
 *
 * mutex_lock_interruptible() does not wait beside any pending signal. Beside those
 * that end nothing the mutex is tried again and again; who waits in the mutex's own
 * queue goes first then.
 *
 * Context: process; sleeps.
 * Return: 0, or -ERESTARTSYS if kml_signalled().
 */
int kml_scan_lock(void)
{
	while (mutex_lock_interruptible(&kml_scan_mutex)) {
		if (kml_signalled())
			return -ERESTARTSYS;
		usleep_range_state(500, 1000 * KML_SIGNAL_POLL_MSECS, TASK_IDLE);
	}
	return 0;
}
