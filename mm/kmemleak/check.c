// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is white after the mark and has changed since the last scan (so has every
 * new object) is in use: it turns grey, and is read. The rest, if old enough, is
 * suspect.
 */

#include "os.h"
#include "phase.h"
#include "report.h"
#include "snapshot.h"
#include "track.h"

/* A table-driven CRC-32 takes a few microseconds for this. */
#define KML_CHECK_LOCKED	1024

/* An object is in use, though unreferenced. Context: leaf->lock. */
static void kml_in_use(struct kml_worker *w, struct kml_space *space,
		       unsigned long start, struct kml_hot *hot)
{
	u32 state = kml_hot_state(hot);

	state = kml_hot_change(hot, KML_COUNT_MASK, KML_F_LATE |
			       kml_state_min(state) << KML_COUNT_SHIFT);
	kml_interval_doubt(space, start);
	if (kml_scannable(state))
		kml_phase_push(w, space, start, hot);
}

/* A white object's content is known. Context: leaf->lock. */
static void kml_judge(struct kml_worker *w, struct kml_space *space,
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
		kml_interval_doubt(space, start);
		atomic_long_inc(&kml_mark.suspects);
	} else {
		/* not to be reported, but what it references may be */
		kml_hot_change(hot, 0, KML_F_LATE);
		kml_interval_doubt(space, start);
	}
}

static enum kml_visit kml_check(struct kml_visitor *v, struct kml_space *space,
				unsigned long start, struct kml_hot *hot)
{
	u32 state = kml_hot_state(hot);
	const void *mem;

	if (!kml_white(state) || space->id == KML_PHYS)
		return KML_VISIT_NEXT;
	/* the lock keeps the block; larger ones are pinned by chunks */
	if (space->id == KML_PERCPU || state & KML_F_BIG ||
	    hot->size > KML_CHECK_LOCKED)
		return KML_VISIT_UNLOCKED;

	mem = kml_object_memory(space, start, 0);
	kml_judge(kml_phase(v)->w, space, start, hot,
		  kml_checksum(0, mem, hot->size));
	return KML_VISIT_BREATHE;
}

static bool kml_check_stop(void *data)
{
	return kml_mark_stop(data);
}

static void kml_check_unlocked(struct kml_visitor *v, struct kml_space *space,
			       unsigned long start)
{
	struct kml_worker *w = kml_phase(v)->w;
	struct kml_info info;
	struct kml_locked l;
	u32 sum;

	if (!kml_object_info(space, start, false, &info) ||
	    !kml_checksum_pinned(&w->pins, space, start, info.size, &sum,
				 kml_check_stop, w) ||
	    !kml_object_lock(&l, space, start, false))
		return;
	/* somebody else's by now? then its sum is unknown yet */
	if (l.hot->cold->stamp == info.stamp && l.hot->cold->born == info.born)
		kml_judge(w, space, start, l.hot, sum);
	kml_object_unlock(&l);
}

static bool kml_source_check(struct kml_worker *w)
{
	struct kml_phase phase = {
		.v = {
			.visit = kml_check,
			.unlocked = kml_check_unlocked,
			.resched = kml_phase_resched,
		},
		.w = w,
	};

	return kml_walk_share(&w->cursor, &phase.v);
}

/**
 * kml_check_all() - find suspects among the white objects
 * @w: the initiator's
 *
 * All sums first, then the objects found in use: what these reference turns
 * grey, too, and should have had its own sum noted.
 *
 * Return: false if stopped.
 */
bool kml_check_all(struct kml_worker *w)
{
	if (!kml_workers_run(kml_source_check, false))
		return false;
	kml_mark.late = true;
	return kml_workers_run(NULL, true) && kml_drain_pending();
}
