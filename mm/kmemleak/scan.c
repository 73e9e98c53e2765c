// SPDX-License-Identifier: GPL-2.0-only
/*
 * A scan: its sequence of stages and marks, those stages that are in no other file,
 * and the statistics. Confirming marks and untracked memory: trial.c.
 */

#include "os.h"
#include "scan.h"

/* === Progress and statistics ============================================ */

/*
 * Progress of the running scan, statistics of the last scans, and tracepoints. The
 * progress is read while it changes: each value was right a moment ago.
 */

#include <trace/events/kmemleak.h>

/* The last scans, the most recent one first. Protected by kml_last_lock. */
static struct kml_scan_stats kml_last_scans[KML_SCANS_KEPT];
static unsigned int kml_nr_last;
static DEFINE_SPINLOCK(kml_last_lock);

static const char * const kml_stage_names[] = {
	[KML_STAGE_IDLE]	= "idle",
	[KML_STAGE_PREPARE]	= "prepare",
	[KML_STAGE_MARK]	= "mark",
	[KML_STAGE_CHECK]	= "check",
	[KML_STAGE_CONFIRM]	= "confirm",
	[KML_STAGE_REPORT]	= "report",
};

static_assert(ARRAY_SIZE(kml_stage_names) == KML_NR_STAGES);

/* The name of a stage in kmemleak_stats. Context: any. */
const char *kml_stage_name(enum kml_stage stage)
{
	return kml_stage_names[stage];
}

/*
 * Estimate the memory that the first scan reads, in bytes: slabs and per-CPU memory
 * are objects for the most part, and struct pages are roots. Context: process.
 */
static u64 kml_stats_estimate(void)
{
	u64 pages = global_node_page_state_pages(NR_SLAB_RECLAIMABLE_B) +
		    global_node_page_state_pages(NR_SLAB_UNRECLAIMABLE_B) + pcpu_nr_pages();

	return pages * PAGE_SIZE + (u64)totalram_pages() * sizeof(struct page);
}

/*
 * Begin the statistics of a scan. @workers: number of workers that may take part.
 * Context: process, kml_scan_mutex held.
 */
static void kml_stats_begin(unsigned int workers)
{
	struct kml_scan_stats *s = &kml_scan_stats;
	unsigned long seq = s->seq + 1;

	*s = (struct kml_scan_stats){
		.seq = seq,
		.all_stopped = s->all_stopped,
		.workers = workers,
	};
	if (!kml_running.expected)
		WRITE_ONCE(kml_running.expected, kml_stats_estimate());
	WRITE_ONCE(kml_running.stage_begin, ktime_get_ns());
	WRITE_ONCE(kml_running.begin, kml_running.stage_begin);
	trace_kmemleak_scan_begin(seq, kml_count_objects(), workers);
}

/* End a stage and begin the next one. Context: process, kml_scan_mutex held. */
static void kml_stats_stage(enum kml_stage stage)
{
	u64 now = ktime_get_ns();

	if (kml_running.stage) {
		kml_scan_stats.stage_ns[kml_running.stage] +=
			now - kml_running.stage_begin;
		trace_kmemleak_stage_end(kml_running.stage);
	}
	WRITE_ONCE(kml_running.stage_begin, now);
	WRITE_ONCE(kml_running.stage, stage);
	if (stage)
		trace_kmemleak_stage_begin(stage);
}

/*
 * End the statistics of a scan. @sum: those of all workers; @done: false if the scan
 * was stopped. Context: process, kml_scan_mutex held.
 */
static void kml_stats_end(const struct kml_mark_stats *sum, bool done)
{
	struct kml_scan_stats *s = &kml_scan_stats;

	kml_stats_stage(KML_STAGE_IDLE);
	s->sum = *sum;
	s->stopped = !done;
	s->all_stopped += !done;
	s->end = ktime_get_ns();
	s->ns = s->end - kml_running.begin;
	if (done)
		WRITE_ONCE(kml_running.expected, sum->words * sizeof(long));
	WRITE_ONCE(kml_running.begin, 0);

	spin_lock(&kml_last_lock);
	memmove(kml_last_scans + 1, kml_last_scans,
		sizeof(kml_last_scans) - sizeof(kml_last_scans[0]));
	kml_last_scans[0] = *s;
	kml_nr_last = min(kml_nr_last + 1, KML_SCANS_KEPT);
	spin_unlock(&kml_last_lock);
	trace_kmemleak_scan_end(s->seq, done, s->ns, s->suspects, s->leaks);
}

/**
 * kml_stats_last() - get the statistics of the last scans
 * @scans: room for KML_SCANS_KEPT entries, set to the most recent scan first
 *
 * Context: process; kml_scan_mutex is not needed.
 * Return: the number of scans, up to KML_SCANS_KEPT.
 */
unsigned int kml_stats_last(struct kml_scan_stats *scans)
{
	unsigned int nr;

	spin_lock(&kml_last_lock);
	memcpy(scans, kml_last_scans, sizeof(kml_last_scans));
	nr = kml_nr_last;
	spin_unlock(&kml_last_lock);
	return nr;
}

/* === Prepare ============================================================ */

/*
 * Before the first mark, all objects that need references become white, and all
 * blocks are settled, except for those of unsettled objects. After a mark, new
 * objects are read.
 */

static bool kml_source_tables(struct kml_worker *w)
{
	enum kml_space_id id;
	struct kml_interval *iv = kml_shard_take(&w->cursor, &id);

	if (!iv)
		return false;
	/* smp_mb() in kml_prepare_all() follows: see kml_interval_set_has_new() */
	WRITE_ONCE(iv->has_new, false);
	WRITE_ONCE(iv->recount, false);
	kml_settled_prepare(iv);
	return true;
}

/*
 * Set or clear KML_F_THROUGHOUT: no scan of a check has found the object referenced
 * so far. @state is the state after the last scan. An object that is grey and
 * KML_F_PROVISIONAL was not found referenced: its content has changed, or only such
 * objects refer to it. Return: @new with the flag.
 */
static u32 kml_check_flag(u32 state, u32 new)
{
	switch (kml_scan_kind) {
	case KML_SCAN_FIRST:
		return new | KML_F_THROUGHOUT;
	case KML_SCAN_NEXT:
	case KML_SCAN_LAST:
		if (kml_white(state) || state & KML_F_PROVISIONAL)
			return new;
		break;
	default:
		break;
	}
	return new & ~KML_F_THROUGHOUT;
}

static enum kml_visit kml_whiten(struct kml_visitor *v, struct kml_space *space,
				 unsigned long start, struct kml_hot *hot)
{
	struct kml_walk_ctx *ctx = kml_walk_ctx(v);
	u32 state = kml_hot_state(hot), new;
	size_t size = kml_hot_size(hot, state);

	new = state & ~(KML_COUNT_MASK | KML_F_PENDING | KML_F_NEW |
			KML_F_PROVISIONAL | KML_F_SUSPECT);
	/* the last scan found it referenced: count unreferenced scans from zero */
	if (!kml_white(state))
		new &= ~KML_F_UNREF;
	new = kml_check_flag(state, new);
	/* no worker marks now, and all other writers hold leaf->lock */
	if (new != state)
		atomic_set(&hot->state, new);

	if (state & ~new & KML_F_UNREF)
		kml_cold_set_unref(hot->cold, 0);
	if (kml_grey(new) && kml_scannable(new))
		kml_grey_push(ctx->w, space, start, hot);

	if (!(kml_white(new) || new & KML_F_EXT))
		return KML_VISIT_NEXT;
	return kml_walk_unsettle(ctx, space, start, size);
}

static bool kml_source_whiten(struct kml_worker *w)
{
	struct kml_walk_ctx ctx = {
		.v = {
			.visit = kml_whiten,
			.unlocked = kml_walk_unsettle_big,
			.resched = kml_walk_resched,
		},
		.w = w,
	};

	return kml_walk_share(&w->cursor, &ctx.v);
}

/*
 * Prepare the first mark of a scan. One job settles all blocks, and another job then
 * unsettles those of unsettled objects: such an object may reach into an interval
 * that another worker prepares. Return: false if the scan was stopped.
 */
static bool kml_prepare_all(struct kml_worker *w)
{
	kml_mark.provisional = false;
	kml_mark.confirm = false;
	kml_mark.bytewise = false;
	kml_mark.bloom = NULL;
	kml_filter_windows(&w->base);
	kml_mark_windows(w, &w->base);
	kml_recount_seq++;
	if (!kml_workers_run(kml_source_tables, false))
		return false;
	/* clear has_new, then read entries: pairs with kml_interval_set_has_new() */
	smp_mb();
	return kml_workers_run(kml_source_whiten, false);
}

static enum kml_visit kml_newborn_visit(struct kml_visitor *v, struct kml_space *space,
					unsigned long start, struct kml_hot *hot)
{
	u32 state = kml_hot_state(hot);

	if (state & KML_F_NEW && kml_grey(state) && kml_scannable(state))
		kml_grey_push(kml_walk_ctx(v)->w, space, start, hot);
	return KML_VISIT_NEXT;
}

static bool kml_interval_has_new(const struct kml_interval *iv)
{
	return READ_ONCE(iv->has_new);
}

static bool kml_source_newborn(struct kml_worker *w)
{
	struct kml_walk_ctx ctx = {
		.v = {
			.visit = kml_newborn_visit,
			.resched = kml_walk_resched,
			.wants_interval = kml_interval_has_new,
		},
		.w = w,
	};

	return kml_walk_share(&w->cursor, &ctx.v);
}

/*
 * Read the objects and the blocks that were allocated since the scan began, because
 * the only pointer to an object may have moved there. A single pass: only objects
 * that existed before can turn grey, so it terminates regardless of the allocation
 * rate. Pointers that it misses are left to the confirming marks. Return: false if
 * the scan was stopped.
 */
static bool kml_scan_newborn(struct kml_worker *w)
{
	unsigned long at = 0, start;
	size_t len;

	while ((len = kml_phys_next(&at, &start, true)))
		if (!kml_mark_phys(w, start, len, NULL))
			return false;
	kml_reserve_next_round();
	return kml_mark_reserve(w) && kml_workers_run(kml_source_newborn, true) &&
	       kml_read_pending();
}

/* === Check ============================================================== */

/*
 * A white object whose content has changed since its last checksum is in use: it
 * turns grey and is read. The first checksum of an object counts as such a change,
 * too. Other white objects are not read; those that this scan may report become
 * suspects.
 */

/*
 * Objects up to this size, in bytes, are checksummed under leaf->lock. A
 * table-driven CRC-32 takes a few microseconds for it.
 */
#define KML_CHECK_LOCKED	1024

/* Turn an unreferenced object grey that is in use. Context: leaf->lock. */
static void kml_in_use(struct kml_worker *w, struct kml_space *space,
		       unsigned long start, struct kml_hot *hot)
{
	u32 state = kml_hot_state(hot);

	state = kml_hot_change(hot, KML_COUNT_MASK, KML_F_PROVISIONAL |
			       kml_state_min(state) << KML_COUNT_SHIFT);
	kml_interval_set_recount(space, start);
	if (kml_scannable(state))
		kml_grey_push(w, space, start, hot);
}

/* Classify an object, if it is white, by its checksum @sum. Context: leaf->lock. */
static void kml_classify_white(struct kml_worker *w, struct kml_space *space,
			       unsigned long start, struct kml_hot *hot, u32 sum)
{
	u32 state = kml_hot_state(hot);

	if (!kml_white(state))
		return;
	if (hot->cold->checksum != sum) {
		hot->cold->checksum = sum;
		kml_in_use(w, space, start, hot);
	} else if (!(state & KML_F_REPORTED) && kml_report_eligible(state, hot->cold)) {
		kml_hot_change(hot, 0, KML_F_SUSPECT);
		kml_interval_set_recount(space, start);
		atomic_long_inc(&kml_mark.suspects);
	} else {
		/* not reported by this scan, but objects that it refers to may be */
		kml_hot_change(hot, 0, KML_F_PROVISIONAL);
		kml_interval_set_recount(space, start);
	}
}

static enum kml_visit kml_check(struct kml_visitor *v, struct kml_space *space,
				unsigned long start, struct kml_hot *hot)
{
	u32 state = kml_hot_state(hot);
	const void *mem;

	if (!kml_white(state))
		return KML_VISIT_NEXT;
	/* the lock delays a free of the block; larger blocks are pinned instead */
	if (space->id == KML_PERCPU || state & KML_F_BIG ||
	    hot->size > KML_CHECK_LOCKED)
		return KML_VISIT_UNLOCKED;

	mem = kml_object_memory(space, start, 0);
	kml_classify_white(kml_walk_ctx(v)->w, space, start, hot,
			   kml_checksum(0, mem, hot->size));
	return KML_VISIT_DROP_LOCK;
}

/*
 * Some white objects have no checksum yet, because a helper left while it computed
 * the checksum. They have KML_F_PENDING, and another job checks them.
 */
static bool kml_unchecked;

static bool kml_check_stop(void *data)
{
	return kml_mark_stop(data) || kml_workers_leaving(data);
}

/* Leave an object to the next job, because the helper has to leave. */
static void kml_check_later(struct kml_space *space, unsigned long start)
{
	struct kml_locked l;

	if (!kml_object_lock(&l, space, start, false))
		return;
	/* on a grey object the flag would mean that the content must be read */
	if (kml_white(kml_hot_state(l.hot))) {
		kml_hot_change(l.hot, 0, KML_F_PENDING);
		WRITE_ONCE(kml_unchecked, true);
	}
	kml_object_unlock(&l);
}

static void kml_check_unlocked(struct kml_visitor *v, struct kml_space *space,
			       unsigned long start)
{
	struct kml_worker *w = kml_walk_ctx(v)->w;
	struct kml_info info;
	struct kml_locked l;
	u32 sum;

	if (!kml_object_info(space, start, false, &info))
		return;
	/* a CPU that goes offline must not wait for a large checksum */
	if (!kml_checksum_pinned(&w->pins, space, start, info.size, &sum,
				 kml_check_stop, w)) {
		if (kml_workers_leaving(w))
			kml_check_later(space, start);
		return;
	}
	if (!kml_object_lock(&l, space, start, false))
		return;
	/* is it still the object that was checksummed? */
	if (l.hot->cold->stamp == info.stamp && l.hot->cold->born == info.born)
		kml_classify_white(w, space, start, l.hot, sum);
	kml_object_unlock(&l);
}

static bool kml_check_share(struct kml_worker *w, typeof(kml_check) *visit)
{
	struct kml_walk_ctx ctx = {
		.v = {
			.visit = visit,
			.unlocked = kml_check_unlocked,
			.resched = kml_walk_resched,
		},
		.w = w,
	};

	return kml_walk_share(&w->cursor, &ctx.v);
}

static bool kml_source_check(struct kml_worker *w)
{
	return kml_check_share(w, kml_check);
}

/* Check an object that a helper has left. */
static enum kml_visit kml_check_left(struct kml_visitor *v, struct kml_space *space,
				     unsigned long start, struct kml_hot *hot)
{
	u32 state = kml_hot_state(hot);

	if (!(state & KML_F_PENDING) || !kml_white(state))
		return KML_VISIT_NEXT;
	kml_hot_change(hot, KML_F_PENDING, 0);
	return kml_check(v, space, start, hot);
}

static bool kml_source_check_left(struct kml_worker *w)
{
	return kml_check_share(w, kml_check_left);
}

/*
 * Find suspects among the white objects. All checksums are computed before any
 * object in use is read: the objects that it refers to turn grey, and their
 * checksums have to be recorded first. Return: false if the scan was stopped.
 */
static bool kml_check_all(struct kml_worker *w)
{
	kml_unchecked = false;
	if (!kml_workers_run(kml_source_check, false))
		return false;
	while (READ_ONCE(kml_unchecked)) {
		WRITE_ONCE(kml_unchecked, false);
		if (!kml_workers_run(kml_source_check_left, false))
			return false;
	}
	kml_mark.provisional = true;
	return kml_workers_run(NULL, true) && kml_read_pending();
}

/* === Scan =============================================================== */

/*
 * The stages of a scan:
 *
 * - prepare: objects become white, and the settled bitmaps are filled
 * - mark: roots and grey objects are read until no grey object is unread
 * - check: white objects are checksummed, and some of them become suspects
 * - confirm: suspects have a trial (trial.c), that is, confirming marks and a search
 *   of untracked memory; those left are added to the report table if enough scans
 *   have found them unreferenced
 * - report: the file and the log get the new reports (report.c)
 *
 * A scan that is stopped reports nothing.
 */

static struct task_struct *kml_initiator;
static int kml_stop_error;		/* the error that kml_scan() returns, or 0 */

/* Number of kml_scan_halt() without kml_scan_resume(), for each enum kml_halt. */
static atomic_t kml_halted[KML_HALT_ALL + 1];
static bool kml_sleeping;		/* system sleep, see kml_scan_sleep() */
static DECLARE_WAIT_QUEUE_HEAD(kml_pause_wait);
DECLARE_WAIT_QUEUE_HEAD(kml_scan_free);

/* Are tasks being frozen? The current task may be one of them, and must not scan. */
static bool kml_freezing(void)
{
#ifdef CONFIG_FREEZER
	return READ_ONCE(pm_freezing);
#else
	return false;
#endif
}

/*
 * Does a scan by the current task have to stop? kthread_stop() stops kernel threads,
 * a signal stops other tasks, and a command or system sleep stops all of them.
 * Return: 0, or the error that kml_scan() returns.
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

/**
 * kml_scan_halted() - are scans by the current task halted?
 *
 * They are halted by kml_scan_halt(), by system sleep, and while tasks are frozen.
 *
 * Context: any task.
 * Return: true if a scan that the current task begins would stop at once.
 */
bool kml_scan_halted(void)
{
	return READ_ONCE(kml_sleeping) || kml_freezing() ||
	       atomic_read(&kml_halted[KML_HALT_ALL]) ||
	       (current == kml_scan_params.thread &&
		atomic_read(&kml_halted[KML_HALT_THREAD]));
}

/* The initiator calls this every few KiB, and after each wait. */
static bool kml_scan_should_stop(void)
{
	int why = kml_scan_why_stop();

	if (unlikely(why))
		kml_stop_error = why;
	return why;
}

/**
 * kml_scan_halt() - stop scans, so that the caller can take kml_scan_mutex
 * @whose: the scans to stop: those of the scan thread, all, or none
 *
 * The running scan, and scans that begin before kml_scan_resume(), stop and report
 * nothing. The next scan is not affected. Calls nest.
 *
 * Context: process, kml_scan_mutex not held.
 */
void kml_scan_halt(enum kml_halt whose)
{
	atomic_inc(&kml_halted[whose]);
	kml_workers_wake_initiator();
	wake_up_all(&kml_pause_wait);
}

/**
 * kml_scan_resume() - undo one call of kml_scan_halt()
 * @whose: the argument of that call
 *
 * Wakes the tasks that wait on kml_scan_free.
 *
 * Context: process.
 */
void kml_scan_resume(enum kml_halt whose)
{
	atomic_dec(&kml_halted[whose]);
	kml_scan_may_begin();
}

/**
 * kml_scan_sleep() - stop scans before system sleep, or allow them again
 * @sleep: true before system sleep, false after it
 *
 * With @sleep the running scan stops, and scans that begin before the next call
 * without @sleep stop at once. Calls do not nest, because the PM core does not
 * announce the end of every sleep that it has announced.
 *
 * Context: process, kml_scan_mutex not held.
 */
void kml_scan_sleep(bool sleep)
{
	WRITE_ONCE(kml_sleeping, sleep);
	if (!sleep) {
		kml_scan_may_begin();
		return;
	}
	/* the flag before the wake-ups: pairs with set_current_state() of waiters */
	smp_mb();
	kml_workers_wake_initiator();
	wake_up_all(&kml_pause_wait);
}

/**
 * kml_scan_pause() - wait between two scans
 * @msecs: time to wait, in ms
 *
 * The wait ends early for the reasons that stop a scan.
 *
 * Context: process, kml_scan_mutex held; sleeps.
 * Return: 0 after @msecs; otherwise -EAGAIN before system sleep or while tasks are
 * frozen, -EPERM if kmemleak is disabled or about to be, -EINTR if the calling
 * kernel thread has to stop, -ERESTARTSYS if kml_signalled().
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

/* The sink through which a worker receives roots. */
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

static bool kml_sink_phys(struct kml_root_sink *sink, unsigned long start, size_t len)
{
	return kml_mark_phys(kml_sink_worker(sink), start, len, NULL);
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

static bool kml_sink_stop(struct kml_root_sink *sink)
{
	return kml_mark_stop(kml_sink_worker(sink));
}

static bool kml_sink_lock(struct kml_root_sink *sink)
{
	return kml_mark_lock_mems(kml_sink_worker(sink));
}

/*
 * The stacks of tasks that scan are full of object addresses, so they are skipped.
 * kml_own_roots() reads the live part of the initiator's stack.
 */
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
			.phys = kml_sink_phys,
			.page = kml_sink_page,
			.probe = kml_sink_probe,
			.skip = kml_sink_skip,
			.stop = kml_sink_stop,
			.lock = kml_sink_lock,
			.buf = w->copy,
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

/* Read the roots that the initiator reads alone: its own stack, and the reserve. */
static bool kml_own_roots(struct kml_worker *w)
{
	struct kml_scan_sink s = kml_sink(w);

	if (kml_scan_params.stacks && current != kml_scan_params.thread &&
	    !kml_roots_own_stack(&s.sink))
		return false;
	return kml_mark_reserve(w);
}

/*
 * Earlier calls have left object addresses in dead stack slots below the caller's
 * frame. Clear them: the frames of later calls lie there and do not fill all of
 * their slots, and kml_roots_own_stack() reads these frames.
 */
static noinline void kml_wipe_stack(void)
{
	unsigned long dead[128];

	memzero_explicit(dead, sizeof(dead));
}

/* Read all memory of a mark. Return: false if the scan was stopped. */
static noinline bool kml_mark_from(struct kml_worker *w, kml_source source)
{
	struct kml_scan_sink s = kml_sink(w);
	bool lost = kml_lost_pages();

	kml_reserve_new_mark();
	if (lost)
		kml_lost_begin();
	if (!kml_own_roots(w) ||
	    !kml_roots_begin(&s.sink, kml_scan_params.stacks, lost) ||
	    !kml_workers_run(source, true))
		return false;
	if (lost)
		kml_lost_end();
	return kml_read_pending() && kml_scan_newborn(w);
}

/*
 * Wait for an RCU grace period. No user waits for the scan thread, so it does not
 * use an expedited grace period, which interrupts all CPUs, even nohz_full ones.
 */
static void kml_scan_synchronize_rcu(void)
{
	if (current == kml_scan_params.thread)
		synchronize_rcu();
	else
		synchronize_rcu_expedited();
}

/*
 * A mark misses a reference that moves while it reads memory, and the reference may
 * move again during the next mark. So confirming marks are repeated: if @found of
 * them have found suspects, the last @found + 1 marks, but no more than this many,
 * must have found none. RCU grace periods separate the marks, so that readers which
 * move references come to an end.
 */
#define KML_QUIET_MARKS		4U

/*
 * Repeat confirming marks, up to @most times, then search untracked memory.
 * Return: false if the scan was stopped.
 */
static noinline bool kml_confirm_all(struct kml_worker *w)
{
	const bool trial = READ_ONCE(kml_scan_params.trial);
	unsigned int most = trial ? READ_ONCE(kml_scan_params.trial_marks) : 1;
	unsigned int found = 0, quiet = 0;
	long before, left = atomic_long_read(&kml_mark.suspects);

	do {
		if (found + quiet)
			kml_scan_synchronize_rcu();
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
	} while (left > 0 && kml_scan_stats.marks <= most &&
		 quiet < min(found + 1, KML_QUIET_MARKS));

	if (!trial || left <= 0)
		return true;
	if (!kml_confirm_prepare(w, true, true) || !kml_untracked_mark(w))
		return false;
	kml_scan_stats.in_pages = kml_untracked_nr();
	return true;
}

/* Run all stages of one scan up to the report. Return: false if it was stopped. */
static noinline bool kml_scan_episode(struct kml_worker *w)
{
	atomic_long_set(&kml_mark.suspects, 0);
	kml_untracked_drop();
	kml_report_scan_began();
	kml_stats_stage(KML_STAGE_PREPARE);
	if (!kml_prepare_all(w))
		return false;
	kml_stats_stage(KML_STAGE_MARK);
	kml_wipe_stack();
	if (!kml_mark_from(w, kml_source_roots))
		return false;
	kml_scan_stats.marks = 1;
	kml_stats_stage(KML_STAGE_CHECK);
	if (!kml_check_all(w))
		return false;
	kml_scan_stats.suspects = atomic_long_read(&kml_mark.suspects);
	if (!kml_scan_stats.suspects)
		return true;

	kml_report_scan_began();
	kml_stats_stage(KML_STAGE_CONFIRM);
	/* the check has left addresses of suspects below this frame */
	kml_wipe_stack();
	if (!kml_confirm_all(w))
		return false;
	kml_report_suspects();
	return true;
}

/*
 * Limit for the work list: 64 MiB. The list has room for all objects to be grey and
 * unread at once, as nearly happens on a dense random heap, but not beyond this
 * limit: further objects become KML_F_PENDING.
 */
#define KML_MAX_BLOCKS		16384UL

static struct kml_worker *kml_scan_open(void)
{
	unsigned long blocks = kml_count_objects() / KML_BLOCK_WORK;
	struct kml_worker *w;

	kml_mark.overflow = false;
	/* additional blocks for each worker to hold and to share */
	kml_worklist_grow(&kml_mark.list, min(blocks, KML_MAX_BLOCKS) +
			  KML_WORKER_BLOCKS *
			  min(kml_workers_wanted(), num_online_cpus()));

	w = kml_workers_begin(kml_scan_should_stop, current == kml_scan_params.thread);
	kml_stats_begin(kml_workers_nr());
	WRITE_ONCE(kml_state.scan_active, true);
	/* hooks see the scan, or we see their objects: kmemleak.h, New objects */
	kml_scan_synchronize_rcu();
	return w;
}

static void kml_scan_close(bool done)
{
	struct kml_mark_stats sum;

	/*
	 * A hook that sees this does not look at pins: the workers have read all
	 * pinned blocks. Pairs with the control dependency in kml_pin_wait().
	 */
	smp_store_release(&kml_state.scan_active, false);
	kml_bloom_close();
	kml_workers_end(&sum);
	kml_worklist_shrink(&kml_mark.list, 4);

	kml_stats_stage(KML_STAGE_REPORT);
	/* among the scans of a check only the last one changes the list */
	if (done && (kml_scan_kind == KML_SCAN_PLAIN || kml_scan_kind == KML_SCAN_LAST))
		kml_report_refresh();
	if (done && kml_scan_stats.suspects)
		kml_scan_stats.leaks =
			kml_report_commit(READ_ONCE(kml_scan_params.verbose));
	kml_stats_end(&sum, done);
}

/**
 * kml_scan() - scan memory and report unreferenced objects
 * @kind: a plain scan, or one of the scans of "check"
 *
 * The calling task is the initiator. A scan that was stopped has reported nothing.
 *
 * Context: process, kml_scan_mutex held; sleeps.
 * Return:
 * * 0		- the scan is complete
 * * -ENOMEM	- no memory for grey objects, and nothing was scanned; or no memory
 *		  for all reports, and some objects are left to the next scan
 * * -EAGAIN	- stopped before system sleep, or while tasks are frozen
 * * -EPERM	- stopped because kmemleak is disabled or about to be
 * * -EINTR	- stopped because the calling kernel thread has to stop
 * * -ERESTARTSYS - stopped by a signal, see kml_signalled()
 */
int kml_scan(enum kml_scan_kind kind)
{
	struct kml_worker *w;
	bool done, changed;
	int ret;

	lockdep_assert_held(&kml_scan_mutex);

	kml_interval_trim(current != kml_scan_params.thread);
	kml_reserve_refill();
	kml_report_compact();

	kml_scan_kind = kind;
	kml_stop_error = 0;
	kml_initiator = current;
	changed = kml_own_stack_set_no_scan(true);
	w = kml_scan_open();
	kml_wipe_stack();
	done = w && kml_scan_episode(w);
	kml_scan_close(done);
	if (changed)
		kml_own_stack_set_no_scan(false);
	kml_initiator = NULL;

	if (done)
		ret = kml_report_was_short() ? -ENOMEM : 0;
	else if (w)
		/* no stop condition of the initiator: kmemleak was disabled */
		ret = kml_stop_error ?: -EPERM;
	else
		ret = -ENOMEM;
	kml_scan_kind = KML_SCAN_PLAIN;
	return ret;
}
