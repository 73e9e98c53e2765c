// SPDX-License-Identifier: GPL-2.0-only
/*
 * The scan: prepare, roots, mark, checksum, confirm, report.
 *
 * Prepare whitens all objects and fills the settled bitmap. Mark reads roots
 * and grey objects until nothing is left to read. What is white then and has
 * changed since the last scan (so has every new object) is in use: it turns
 * grey, and is read. The rest, if old enough, is suspect. A second mark clears
 * those whose only reference moved while the first one ran; what is still white
 * has been unreferenced in one more scan and is reported if that is often
 * enough. A scan that is stopped reports nothing.
 */

#include "os.h"
#include "mark.h"
#include "report.h"
#include "reserve.h"
#include "roots.h"
#include "scan.h"
#include "settled.h"
#include "snapshot.h"
#include "stats.h"
#include "track.h"
#include "walk.h"

struct kml_scan_params kml_scan_params = {
	.min_unref_scans = IS_ENABLED(CONFIG_DEBUG_KMEMLEAK_VERBOSE) ? 2 : 1,
	.verbose = IS_ENABLED(CONFIG_DEBUG_KMEMLEAK_VERBOSE),
	.stacks = true,
};

/*
 * Whoever asked for the scan may be stopped: the scan thread by kthread_stop(),
 * a writer of the file by a signal, both by kmemleak being disabled.
 */
static bool kml_scan_should_stop(void)
{
	cond_resched_tasks_rcu_qs();
	if (!kml_enabled())
		return true;
	if (current->flags & PF_KTHREAD)
		return kthread_should_stop();
	return signal_pending(current);
}

struct kml_phase {
	struct kml_visitor v;		/* must be first */
	struct kml_worker *w;
	bool full;			/* the first mark, not the confirmation */
	unsigned long not_big_start;	/* inverted: to be unsettled, unlocked */
	size_t big_size;
};

static bool kml_phase_resched(struct kml_visitor *v)
{
	return kml_scan_should_stop();
}

/* Push under the leaf's lock. */
static void kml_push_locked(struct kml_worker *w, struct kml_space *space,
			    unsigned long start, struct kml_hot *hot)
{
	if (likely(kml_deque_push(&w->deque, kml_work(space->id, start, 0))))
		return;
	kml_hot_change(hot, 0, KML_F_PENDING);
	WRITE_ONCE(kml_mark.overflow, true);
	w->stats.overflows++;
}

static int kml_prepare_interval(struct kml_space *space, struct kml_interval *iv,
				void *data)
{
	/* pairs with kml_interval_freshen(), through the barrier behind us */
	WRITE_ONCE(iv->fresh, false);
	/* nobody looks a physical address up */
	if (space->id != KML_PHYS)
		kml_settled_prepare(iv);
	return kml_scan_should_stop();
}

static enum kml_visit kml_whiten(struct kml_visitor *v, struct kml_space *space,
				 unsigned long start, struct kml_hot *hot)
{
	struct kml_phase *phase = container_of(v, struct kml_phase, v);
	u32 state = kml_hot_state(hot), new;
	size_t size = kml_hot_size(hot, state);
	int old = state;

	do {
		state = old;
		new = state & ~(KML_COUNT_MASK | KML_F_PENDING | KML_F_NEW);
		if (phase->full)
			new &= ~KML_F_SUSPECT;
		/* referenced last time: its unreferenced scans start anew */
		if (!kml_white(state))
			new &= ~KML_F_UNREF;
		if (space->id == KML_PHYS && !(state & KML_F_NO_SCAN) &&
		    !kml_phys_in_lowmem(start, size))
			new = kml_state_set_min(new, -1) | KML_F_NO_SCAN;
	} while (!atomic_try_cmpxchg(&hot->state, &old, new));

	if (state & ~new & KML_F_UNREF)
		kml_cold_set_unref(hot->cold, 0);
	if (kml_grey(new) && kml_scannable(new))
		kml_push_locked(phase->w, space, start, hot);

	if (space->id == KML_PHYS || !(kml_white(new) || new & KML_F_EXT))
		return KML_VISIT_NEXT;
	if (unlikely(size > KML_INTERVAL_SIZE)) {
		phase->not_big_start = ~start;
		phase->big_size = size;
		return KML_VISIT_UNLOCKED;
	}
	kml_settled_clear(space, start, size);
	return KML_VISIT_NEXT;
}

/* If it was freed meanwhile, bits are cleared for nothing. */
static void kml_whiten_big(struct kml_visitor *v, struct kml_space *space,
			   unsigned long start)
{
	struct kml_phase *phase = container_of(v, struct kml_phase, v);
	size_t off, len;

	for (off = 0; off < phase->big_size; off += len) {
		len = min(phase->big_size - off, KML_SETTLE_MAX);
		kml_settled_clear(space, ~phase->not_big_start + off, len);
		cond_resched();
	}
}

static bool kml_walk_all(struct kml_visitor *v)
{
	unsigned int id;

	for (id = 0; id < KML_NR_SPACES; id++)
		if (kml_walk(kml_space(id), v))
			return false;
	return true;
}

/* All blocks settled first, then those of unsettled objects not: kmemleak.h. */
static bool kml_prepare(struct kml_phase *phase)
{
	unsigned int id;

	phase->v.visit = kml_whiten;
	phase->v.unlocked = kml_whiten_big;

	for (id = 0; id < KML_NR_SPACES; id++)
		if (kml_interval_walk(kml_space(id), kml_prepare_interval, NULL))
			return false;
	/* flags before entries: pairs with kml_interval_freshen() */
	smp_mb();
	return kml_walk_all(&phase->v);
}

static enum kml_visit kml_push_pending(struct kml_visitor *v,
				       struct kml_space *space,
				       unsigned long start, struct kml_hot *hot)
{
	struct kml_phase *phase = container_of(v, struct kml_phase, v);

	if (kml_hot_state(hot) & KML_F_PENDING) {
		kml_hot_change(hot, KML_F_PENDING, 0);
		kml_push_locked(phase->w, space, start, hot);
	}
	return KML_VISIT_NEXT;
}

/* Read all that is grey, also what did not fit into the list of work. */
static bool kml_drain(struct kml_phase *phase)
{
	for (;;) {
		atomic_set(&kml_mark.idle, 0);
		if (!kml_mark_drain(phase->w))
			return false;
		if (!READ_ONCE(kml_mark.overflow))
			return true;
		WRITE_ONCE(kml_mark.overflow, false);
		phase->v.visit = kml_push_pending;
		if (!kml_walk_all(&phase->v))
			return false;
	}
}

/* Roots, as the scan's worker sees them. */
struct kml_scan_sink {
	struct kml_root_sink sink;	/* must be first */
	struct kml_worker *w;
};

static bool kml_sink_range(struct kml_root_sink *sink, const void *start,
			   size_t len)
{
	struct kml_scan_sink *s = container_of(sink, struct kml_scan_sink, sink);

	return kml_mark_range(s->w, start, len, NULL);
}

static bool kml_sink_page(struct kml_root_sink *sink, const struct page *page,
			  unsigned long mem)
{
	struct kml_scan_sink *s = container_of(sink, struct kml_scan_sink, sink);
	struct kmemleak_range self = { mem, mem ? PAGE_SIZE : 0 };

	return kml_mark_range(s->w, page, sizeof(*page), &self);
}

static bool kml_sink_probe(struct kml_root_sink *sink, const void *start,
			   size_t len)
{
	struct kml_scan_sink *s = container_of(sink, struct kml_scan_sink, sink);
	size_t chunk;

	for (; len; start += chunk, len -= chunk) {
		chunk = min_t(size_t, len, KML_CHUNK);
		if (kml_filter_run(start, chunk, &s->w->win, s->w->cand))
			return true;
	}
	return false;
}

static bool kml_roots(struct kml_worker *w)
{
	struct kml_scan_sink s = {
		.sink = {
			.range = kml_sink_range,
			.page = kml_sink_page,
			.probe = kml_sink_probe,
		},
		.w = w,
	};

	return kml_roots_percpu(&s.sink) && kml_roots_pages(&s.sink) &&
	       (!kml_scan_params.stacks ||
		kml_roots_stacks(&s.sink, kml_scan_params.thread)) &&
	       (!kml_reserve_ran_dry() || kml_roots_in_use(&s.sink, w->copy));
}

static enum kml_visit kml_adopt(struct kml_visitor *v, struct kml_space *space,
				unsigned long start, struct kml_hot *hot)
{
	struct kml_phase *phase = container_of(v, struct kml_phase, v);
	u32 state = kml_hot_state(hot);

	if (state & KML_F_NEW && kml_grey(state) && kml_scannable(state) &&
	    (space->id != KML_PHYS ||
	     kml_phys_in_lowmem(start, kml_hot_size(hot, state))))
		kml_push_locked(phase->w, space, start, hot);
	return KML_VISIT_NEXT;
}

/*
 * Read what was born since the mark began: a pointer may have moved there and
 * nowhere else. One round, in which no more than old objects turn grey, so that
 * it ends however fast others are born; the second mark is there for what is
 * missed.
 */
static bool kml_adopt_all(struct kml_phase *phase)
{
	bool more;

	kml_reserve_next_round();
	phase->v.visit = kml_adopt;
	phase->v.fresh = true;
	more = kml_mark_reserve(phase->w) && kml_walk_all(&phase->v);
	phase->v.fresh = false;
	return more && kml_drain(phase);
}

/* One mark, from white to done. Return: false if stopped. */
static noinline bool kml_mark_all(struct kml_phase *phase)
{
	kml_report_scan_began();
	kml_reserve_new_mark();
	return kml_prepare(phase) && kml_roots(phase->w) &&
	       kml_mark_reserve(phase->w) && kml_drain(phase) &&
	       kml_adopt_all(phase);
}

/*
 * A white object's content is known: has it changed? Then it is in use: grey
 * for this scan. Else it may be suspect. Context: leaf->lock.
 */
static void kml_judge(struct kml_phase *phase, struct kml_space *space,
		      unsigned long start, struct kml_hot *hot, u32 sum)
{
	u32 state = kml_hot_state(hot);

	if (!kml_white(state))
		return;
	if (hot->cold->checksum != sum) {
		hot->cold->checksum = sum;
		state = kml_hot_change(hot, KML_COUNT_MASK,
				       kml_state_min(state) << KML_COUNT_SHIFT);
		if (kml_scannable(state))
			kml_push_locked(phase->w, space, start, hot);
	} else if (!(state & KML_F_REPORTED) && kml_report_old_enough(hot->cold)) {
		state = kml_hot_change(hot, 0, KML_F_SUSPECT);
		if (!(state & KML_F_SUSPECT))
			atomic_long_inc(&kml_mark.suspects);
	}
}

/* A table-driven CRC-32 takes a few microseconds for this. */
#define KML_CHECK_LOCKED	1024

static enum kml_visit kml_check(struct kml_visitor *v, struct kml_space *space,
				unsigned long start, struct kml_hot *hot)
{
	struct kml_phase *phase = container_of(v, struct kml_phase, v);
	u32 state = kml_hot_state(hot);
	const void *mem;

	if (!kml_white(state) || space->id == KML_PHYS)
		return KML_VISIT_NEXT;
	/* the lock keeps the block; larger ones are pinned by chunks */
	if (space->id == KML_PERCPU || state & KML_F_BIG ||
	    hot->size > KML_CHECK_LOCKED)
		return KML_VISIT_UNLOCKED;

	mem = kml_object_memory(space, start, 0);
	kml_judge(phase, space, start, hot, kml_checksum(0, mem, hot->size));
	return KML_VISIT_BREATHE;
}

static void kml_check_unlocked(struct kml_visitor *v, struct kml_space *space,
			       unsigned long start)
{
	struct kml_phase *phase = container_of(v, struct kml_phase, v);
	struct kml_info info;
	struct kml_locked l;
	u32 sum;

	if (!kml_object_info(space, start, false, &info) ||
	    !kml_checksum_pinned(&phase->w->pins, space, start, info.size, &sum,
				 kml_scan_should_stop) ||
	    !kml_object_lock(&l, space, start, false))
		return;
	/* somebody else's by now? then its sum is unknown yet */
	if (l.hot->cold->stamp == info.stamp && l.hot->cold->born == info.born)
		kml_judge(phase, space, start, l.hot, sum);
	kml_object_unlock(&l);
}

static bool kml_check_all(struct kml_phase *phase)
{
	phase->v.visit = kml_check;
	phase->v.unlocked = kml_check_unlocked;
	return kml_walk_all(&phase->v) && kml_drain(phase);
}

/* A suspect that is white after both marks: reported, if often enough. */
static enum kml_visit kml_convict(struct kml_visitor *v, struct kml_space *space,
				  unsigned long start, struct kml_hot *hot)
{
	unsigned int unref, wanted = READ_ONCE(kml_scan_params.min_unref_scans);
	u32 state = kml_hot_state(hot);

	if ((state & (KML_F_SUSPECT | KML_F_REPORTED)) != KML_F_SUSPECT ||
	    !kml_white(state) || !kml_report_old_enough(hot->cold))
		return KML_VISIT_NEXT;

	unref = kml_cold_unref(hot->cold) + 1;
	kml_cold_set_unref(hot->cold, unref);
	if (unref >= min(wanted, KML_UNREF_MAX) &&
	    kml_report_add(space, start, hot->cold))
		kml_hot_change(hot, 0, KML_F_UNREF | KML_F_REPORTED);
	else
		kml_hot_change(hot, 0, KML_F_UNREF);
	return KML_VISIT_NEXT;
}

/* The episode. Return: false if it was stopped. */
static noinline bool kml_scan_episode(struct kml_worker *w)
{
	struct kml_phase phase = {
		.v = { .resched = kml_phase_resched },
		.w = w,
		.full = true,
	};

	atomic_long_set(&kml_mark.suspects, 0);
	if (!kml_mark_all(&phase) || !kml_check_all(&phase))
		return false;
	kml_scan_stats.suspects = atomic_long_read(&kml_mark.suspects);
	if (!kml_scan_stats.suspects)
		return true;

	phase.full = false;
	if (!kml_mark_all(&phase))
		return false;

	/* without room for all, those left over are reported by the next scan */
	kml_report_room(atomic_long_read(&kml_mark.suspects));
	phase.v.visit = kml_convict;
	phase.v.resched = NULL;		/* too late to be stopped */
	return kml_walk_all(&phase.v);
}

/*
 * Room for all objects to be grey and unread at once, which a dense random heap
 * comes close to, but no more than 64 MiB: the rest overflows and is pending.
 */
#define KML_MAX_BLOCKS		16384UL

static void kml_scan_open(void)
{
	unsigned long blocks = kml_count_objects() / KML_BLOCK_WORK + 4;

	kml_worklist_grow(&kml_mark.list, min(blocks, KML_MAX_BLOCKS));
	kml_mark.overflow = false;
	kml_mark.nr_workers = 1;
	kml_mark.stop = kml_scan_should_stop;

	WRITE_ONCE(kml_state.scan_active, true);
	/* from now on hooks know, or we see what they have done: kmemleak.h */
	synchronize_rcu_expedited();
}

static void kml_scan_close(struct kml_worker *w, u64 begin, bool done)
{
	struct kml_scan_stats *s = &kml_scan_stats;

	WRITE_ONCE(kml_state.scan_active, false);
	kml_mark_close(w);
	kml_worklist_shrink(&kml_mark.list, 4);

	s->scans++;
	s->stopped += !done;
	s->ns = ktime_get_ns() - begin;
	s->words = w->stats.words;
	s->candidates = w->stats.candidates;
	s->settled = w->stats.settled;
	s->lookups = w->stats.lookups;
	s->objects = w->stats.objects;
	s->overflows = w->stats.overflows;
}

/**
 * kml_scan() - scan memory and report what has become unreferenced
 *
 * Context: process, kml_scan_mutex held; sleeps.
 */
void kml_scan(void)
{
	struct kml_worker *w = kml_mark_worker();
	u64 begin = ktime_get_ns();
	unsigned int id;
	bool done;

	lockdep_assert_held(&kml_scan_mutex);

	for (id = 0; id < KML_NR_SPACES; id++)
		kml_interval_trim(kml_space(id));
	kml_reserve_refill();
	kml_report_compact();

	kml_scan_open();
	done = kml_mark_open(w) && kml_scan_episode(w);
	kml_scan_close(w, begin, done);

	if (done)
		kml_report_refresh();
	if (done && kml_scan_stats.suspects)
		kml_report_commit(READ_ONCE(kml_scan_params.verbose));
}
