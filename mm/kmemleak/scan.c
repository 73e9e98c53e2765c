// SPDX-License-Identifier: GPL-2.0-only
/*
 * The scan: prepare, roots, mark, checksum, confirm, report.
 *
 * Prepare whitens all objects and fills the settled bitmap (prepare.c). Mark
 * reads roots and grey objects until nothing is left to read. What is white then
 * is checked (check.c). Suspects have a trial: marks that confirm them (confirm.c),
 * and a search of memory that nobody tracks (untracked.c). Suspects that are left
 * are reported if they have been unreferenced often enough. A scan that is stopped
 * reports nothing.
 */

#include "os.h"
#include "phase.h"
#include "progress.h"
#include "report.h"
#include "reserve.h"
#include "roots.h"
#include "scan.h"
#include "sieve.h"
#include "signals.h"
#include "track.h"
#include "untracked.h"

struct kml_scan_params kml_scan_params = {
	.min_unref_scans = IS_ENABLED(CONFIG_DEBUG_KMEMLEAK_VERBOSE) ? 2 : 1,
	.min_age_ms = KML_MIN_AGE_MSECS,
	.verbose = IS_ENABLED(CONFIG_DEBUG_KMEMLEAK_VERBOSE),
	.stacks = true,
	.trial = true,
	.trial_marks = KML_TRIAL_MARKS,
};

/* kml_scan_mutex */
enum kml_scan_kind kml_scan_kind;
static struct task_struct *kml_initiator;
static int kml_stop_error;		/* why the scan was told to stop */

/* how many wait for what they have halted */
static atomic_t kml_halted[KML_HALT_ALL + 1];
static bool kml_sleeping;		/* the machine goes to sleep */
static DECLARE_WAIT_QUEUE_HEAD(kml_pause_wait);

/* Tasks are being frozen, of which we may be one that has to let go. */
static bool kml_freezing(void)
{
#ifdef CONFIG_FREEZER
	return READ_ONCE(pm_freezing);
#else
	return false;
#endif
}

/*
 * Why would a scan of the current task end at once? Whoever asked for it may be
 * stopped: the scan thread by kthread_stop(), a writer of the file by a signal, both
 * by a command, or before the machine sleeps. Return: 0 or what to say then.
 */
static int kml_scan_why_stop(void)
{
	if (READ_ONCE(kml_sleeping) || kml_freezing())
		return -EAGAIN;
	if (!kml_enabled() || atomic_read(&kml_halted[KML_HALT_ALL]))
		return -EPERM;
	if (current == kml_scan_params.thread &&
	    atomic_read(&kml_halted[KML_HALT_THREAD]))
		return -EINTR;
	if (current->flags & PF_KTHREAD)
		return kthread_should_stop() ? -EINTR : 0;
	return kml_signalled() ? -ERESTARTSYS : 0;
}

/* Would a scan that we begin be made to end at once? Context: any. */
bool kml_scan_halted(void)
{
	return READ_ONCE(kml_sleeping) || kml_freezing() ||
	       atomic_read(&kml_halted[KML_HALT_ALL]) ||
	       (current == kml_scan_params.thread &&
		atomic_read(&kml_halted[KML_HALT_THREAD]));
}

/* Asked by the initiator, every few KiB and when it has waited. */
static bool kml_scan_should_stop(void)
{
	int why = kml_scan_why_stop();

	if (unlikely(why))
		kml_stop_error = why;
	return why;
}

/**
 * kml_scan_halt() - have scans end, so that the mutex can be had
 * @whose: the scan thread's, all, or none
 *
 * The one that runs, and any that begin before kml_scan_resume(), end as if
 * by a signal: nothing is reported, and the next is none the worse for it.
 *
 * Context: process, kml_scan_mutex not held.
 */
void kml_scan_halt(enum kml_halt whose)
{
	atomic_inc(&kml_halted[whose]);
	kml_workers_poke();
	wake_up_all(&kml_pause_wait);
}

/* Undo one kml_scan_halt(). Context: any. */
void kml_scan_resume(enum kml_halt whose)
{
	atomic_dec(&kml_halted[whose]);
}

/**
 * kml_scan_sleep() - the machine goes to sleep, or is awake again
 * @sleep: which of them
 *
 * A scan that runs ends, and none begins until it is awake. Said twice is said once:
 * who announces a sleep does not always tell that it has been called off.
 *
 * Context: process, kml_scan_mutex not held.
 */
void kml_scan_sleep(bool sleep)
{
	WRITE_ONCE(kml_sleeping, sleep);
	if (!sleep)
		return;
	/* the flag before the wake-ups: pairs with those that wait */
	smp_mb();
	kml_workers_poke();
	wake_up_all(&kml_pause_wait);
}

/**
 * kml_scan_pause() - let time pass between two scans
 * @msecs: so much of it
 *
 * Context: process, kml_scan_mutex held; sleeps.
 * Return: 0, or for what a scan would end: see kml_scan().
 */
int kml_scan_pause(unsigned int msecs)
{
	u64 now = ktime_get_ns(), end = now + msecs * (u64)NSEC_PER_MSEC;
	int why = kml_scan_why_stop();

	for (; !why && now < end; now = ktime_get_ns()) {
		if (!signal_pending(current))
			wait_event_interruptible_hrtimeout(kml_pause_wait,
							   kml_scan_why_stop(),
							   ns_to_ktime(end - now));
		else
			usleep_range_state(500, 1000 * KML_SIGNAL_POLL_MSECS, TASK_IDLE);
		why = kml_scan_why_stop();
	}
	return why;
}

/* Roots, as a worker sees them. */
struct kml_scan_sink {
	struct kml_root_sink sink;	/* must be first */
	struct kml_worker *w;
};

static struct kml_worker *kml_sink_worker(struct kml_root_sink *sink)
{
	return container_of(sink, struct kml_scan_sink, sink)->w;
}

static bool kml_sink_range(struct kml_root_sink *sink, const void *start,
			   size_t len)
{
	return kml_mark_range(kml_sink_worker(sink), start, len);
}

static bool kml_sink_page(struct kml_root_sink *sink, const struct page *page,
			  unsigned long mem)
{
	struct kmemleak_range self = { mem, mem ? PAGE_SIZE : 0 };

	return kml_mark_page(kml_sink_worker(sink), page, &self);
}

static bool kml_sink_probe(struct kml_root_sink *sink, const void *start,
			   size_t len)
{
	return kml_mark_probe(kml_sink_worker(sink), start, len);
}

/* Those who scan go through addresses of all objects: not on their stacks. */
static bool kml_sink_skip(const struct task_struct *task)
{
	return task == kml_initiator || task == kml_scan_params.thread ||
	       kml_workers_has(task);
}

static struct kml_scan_sink kml_sink(struct kml_worker *w)
{
	return (struct kml_scan_sink){
		.sink = {
			.range = kml_sink_range,
			.page = kml_sink_page,
			.probe = kml_sink_probe,
			.skip = kml_sink_skip,
		},
		.w = w,
	};
}

static bool kml_source_roots(struct kml_worker *w)
{
	struct kml_scan_sink s = kml_sink(w);

	return kml_roots_next(&s.sink);
}

static bool kml_source_confirm(struct kml_worker *w)
{
	return kml_source_roots(w) || kml_source_sweep(w);
}

/* What only the initiator can read, or what is rare. */
static bool kml_own_roots(struct kml_worker *w)
{
	struct kml_scan_sink s = kml_sink(w);

	if (kml_scan_params.stacks && current != kml_scan_params.thread &&
	    !kml_roots_own_stack(&s.sink))
		return false;
	if (kml_reserve_ran_dry() && !kml_roots_in_use(&s.sink, w->copy))
		return false;
	return kml_mark_reserve(w);
}

/*
 * What we called before has left addresses of objects on the stack, and the
 * frames from which we are about to read our own have holes. Fill those.
 */
static noinline void kml_wipe_stack(void)
{
	unsigned long dead[128];

	memzero_explicit(dead, sizeof(dead));
}

/* The part of a mark in which memory is read. Return: false if stopped. */
static noinline bool kml_mark_from(struct kml_worker *w, kml_source source)
{
	bool more;

	kml_reserve_new_mark();
	if (!kml_own_roots(w))
		return false;
	kml_roots_begin(kml_scan_params.stacks);
	more = kml_workers_run(source, true);
	kml_roots_end();
	return more && kml_drain_pending() && kml_adopt_all(w);
}

/*
 * Objects that have moved may have moved again. While marks find some, more follow:
 * after each mark that found any, one more mark must find none. RCU readers end in
 * between, and with them what they moved.
 */
#define KML_QUIET_MARKS		4U

/* Mark again until suspects are left that no mark finds. False: stopped. */
static noinline bool kml_confirm_all(struct kml_worker *w)
{
	const bool trial = READ_ONCE(kml_scan_params.trial);
	unsigned int most = trial ? READ_ONCE(kml_scan_params.trial_marks) : 1;
	unsigned int found = 0, quiet = 0;
	long before, left = atomic_long_read(&kml_mark.suspects);

	do {
		if (found + quiet)
			synchronize_rcu_expedited();
		before = left;
		if (!kml_confirm_prepare(w, trial, false))
			return false;
		kml_wipe_stack();
		if (!kml_mark_from(w, kml_source_confirm))
			return false;
		kml_scan_stats.marks++;
		left = atomic_long_read(&kml_mark.suspects);
		if (left < before) {
			found++;
			quiet = 0;
		} else {
			quiet++;
		}
	} while (left > 0 && found + quiet < most &&
		 quiet < min(found + 1, KML_QUIET_MARKS));

	if (!trial || left <= 0)
		return true;
	if (!kml_confirm_prepare(w, true, true) || !kml_untracked_mark(w))
		return false;
	kml_scan_stats.in_pages = kml_untracked_nr();
	return true;
}

/* The episode. Return: false if it was stopped. */
static noinline bool kml_scan_episode(struct kml_worker *w)
{
	atomic_long_set(&kml_mark.suspects, 0);
	kml_untracked_drop();
	kml_report_scan_began();
	kml_progress_stage(KML_STAGE_PREPARE);
	if (!kml_prepare_all(w))
		return false;
	kml_progress_stage(KML_STAGE_MARK);
	kml_wipe_stack();
	if (!kml_mark_from(w, kml_source_roots))
		return false;
	kml_scan_stats.marks = 1;
	kml_progress_stage(KML_STAGE_CHECK);
	if (!kml_check_all(w))
		return false;
	kml_scan_stats.suspects = atomic_long_read(&kml_mark.suspects);
	if (!kml_scan_stats.suspects)
		return true;

	kml_report_scan_began();
	kml_progress_stage(KML_STAGE_CONFIRM);
	/* the check had the suspects in its hands, where the next frame will be */
	kml_wipe_stack();
	if (!kml_confirm_all(w))
		return false;
	kml_convict_all();
	return true;
}

/*
 * Room for all objects to be grey and unread at once, which a dense random heap
 * comes close to, but no more than 64 MiB: the rest overflows and is pending.
 */
#define KML_MAX_BLOCKS		16384UL

static struct kml_worker *kml_scan_open(void)
{
	unsigned long blocks = kml_count_objects() / KML_BLOCK_WORK;
	struct kml_worker *w;

	kml_mark.overflow = false;
	/* some for each worker to hold and to share */
	kml_worklist_grow(&kml_mark.list, min(blocks, KML_MAX_BLOCKS) +
			  KML_WORKER_BLOCKS *
			  min(kml_workers_wanted(), num_online_cpus()));

	w = kml_workers_begin(kml_scan_should_stop);
	kml_progress_begin(kml_workers_nr());
	WRITE_ONCE(kml_state.scan_active, true);
	/* from now on hooks know, or we see what they have done: kmemleak.h */
	synchronize_rcu_expedited();
	return w;
}

static void kml_scan_close(bool done)
{
	struct kml_mark_stats sum;

	/*
	 * Whoever sees that does not look for pins: what they kept has been read.
	 * Pairs with the control dependency in kml_pin_wait().
	 */
	smp_store_release(&kml_state.scan_active, false);
	kml_sieve_close();
	kml_workers_end(&sum);
	kml_worklist_shrink(&kml_mark.list, 4);

	kml_progress_stage(KML_STAGE_REPORT);
	/* of a check's scans only the last changes what is listed */
	if (done && (kml_scan_kind == KML_SCAN_PLAIN || kml_scan_kind == KML_SCAN_LAST))
		kml_report_refresh();
	if (done && kml_scan_stats.suspects)
		kml_scan_stats.leaks =
			kml_report_commit(READ_ONCE(kml_scan_params.verbose));
	kml_progress_end(&sum, done);
}

/**
 * kml_scan() - scan memory and report what has become unreferenced
 * @kind: by the rules, or a part of "check"
 *
 * A scan that was stopped has reported nothing.
 *
 * Context: process, kml_scan_mutex held; sleeps.
 * Return: 0; -ENOMEM without memory for work, or for all that is to be reported;
 * -EAGAIN if the machine goes to sleep; -EPERM if kmemleak is, or is being, switched
 * off; -ERESTARTSYS for a signal; -EINTR if the scan thread is to end.
 */
int kml_scan(enum kml_scan_kind kind)
{
	struct kml_worker *w;
	bool done, hushed;
	int ret;

	lockdep_assert_held(&kml_scan_mutex);

	kml_interval_trim(true);
	kml_reserve_refill();
	kml_report_compact();

	kml_scan_kind = kind;
	kml_stop_error = 0;
	kml_initiator = current;
	hushed = kml_track_hush_stack(true);
	w = kml_scan_open();
	kml_wipe_stack();
	done = w && kml_scan_episode(w);
	kml_scan_close(done);
	if (hushed)
		kml_track_hush_stack(false);
	kml_initiator = NULL;

	if (done)
		ret = kml_report_was_short() ? -ENOMEM : 0;
	else if (w)
		/* nobody was asked: it was switched off */
		ret = kml_stop_error ?: -EPERM;
	else
		ret = -ENOMEM;
	kml_scan_kind = KML_SCAN_PLAIN;
	return ret;
}
