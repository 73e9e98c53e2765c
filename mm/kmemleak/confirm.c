// SPDX-License-Identifier: GPL-2.0-only
/*
 * The confirming marks. The only reference to a suspect may have moved while the
 * first mark ran, from memory that it had not read yet to memory that it had. So
 * all roots and all grey objects are read again; objects that are found now turn
 * grey and are read, too. A second mark from white would find nothing else, for
 * everything such a mark reads this one reads.
 *
 * The first mark reads aligned words. A confirming mark reads words at every byte
 * offset (kml_mark.bytewise), since a packed structure may hold the only pointer.
 * trial.c says how many marks there are, and what follows them.
 *
 * It is cheaper by far. Next to nothing is whitened, so the settled bits stay as
 * they are: set for all but white objects. Grey objects are read in the order of
 * their addresses. The filter lets through only what points between the first
 * suspect and the last, and the sieve (sieve.h) little else than what points to
 * one.
 *
 * Some objects are white again and their references are counted anew, from zero:
 *
 * - suspects: they may have been referenced, but not often enough;
 * - those whose colour or count depends on objects that are grey only because
 *   their checksum changed (KML_F_LATE), and these themselves. To users they
 *   are unreferenced: if one has been reported, it is still listed;
 * - an object whose surplus references one of these would get. It becomes
 *   KML_F_LATE, too. Or, if it is grey anyway, the sieve lets pass what points to
 *   it: all of that is surplus;
 * - white ones that are no suspects, being reported already or too young: what
 *   they reference may be a suspect.
 *
 * What turns grey in this mark is KML_F_LATE, and on the list of work: the sweep
 * leaves it alone. Each object is read once, or references would count twice.
 *
 * An object that an earlier confirming mark has found stays grey for the rest of the
 * scan, since it was referenced. So suspects only become fewer.
 */

#include "os.h"
#include "phase.h"
#include "report.h"
#include "scan.h"
#include "settled.h"
#include "sieve.h"
#include "snapshot.h"
#include "stats.h"
#include "track.h"

static void kml_extent_add(struct kml_extent *e, unsigned long start, size_t size)
{
	e->min = min(e->min, start);
	e->last = max(e->last, kml_last(start, size));
}

/* Does somebody who is counted anew get the surplus of a locked object? */
static bool kml_feeds_counted(const struct kml_hot *hot)
{
	unsigned long start = kml_untag(~kml_ext(hot)->not_excess);
	struct kml_hot *target;

	if (!start)
		return false;
	target = kml_lookup_exact(kml_space(KML_VIRT), start);
	return target && kml_hot_state(target) & (KML_F_SUSPECT | KML_F_LATE);
}

/* White, not yet referenced. If it was grey its unreferenced scans start anew. */
static void kml_bleach(struct kml_hot *hot, u32 set)
{
	u32 clear = KML_COUNT_MASK;

	if (!kml_white(kml_hot_state(hot)))
		clear |= KML_F_UNREF;
	if (kml_hot_change(hot, clear, set) & clear & KML_F_UNREF)
		kml_cold_set_unref(hot->cold, 0);
}

static enum kml_visit kml_doubt(struct kml_visitor *v, struct kml_space *space,
				unsigned long start, struct kml_hot *hot)
{
	struct kml_phase *phase = kml_phase(v);
	u32 state = kml_hot_state(hot);
	size_t size;

	/*
	 * Grey for good, the sweep reads it: painted since it was found in use, or
	 * found by the confirming mark before this one.
	 */
	if (state & KML_F_LATE &&
	    (!kml_state_min(state) || (kml_mark.confirm && kml_grey(state))))
		state = kml_hot_change(hot, KML_F_LATE, 0) & ~KML_F_LATE;
	if (kml_mark.add_counts && kml_white(state) &&
	    state & (KML_F_SUSPECT | KML_F_LATE)) {
		/* references from other memory are counted on top */
	} else if (state & KML_F_SUSPECT) {
		kml_hot_change(hot, KML_COUNT_MASK, 0);
	} else if (state & KML_F_LATE) {
		kml_bleach(hot, 0);
	} else if (state & KML_F_EXT && kml_grey(state) && !(state & KML_F_NEW) &&
		   kml_feeds_counted(hot)) {
		/* wants none itself: every reference to it is surplus, and has to pass */
		if (kml_state_min(state) && !kml_mark.add_counts)
			kml_bleach(hot, KML_F_LATE);
	} else {
		return KML_VISIT_NEXT;
	}

	size = kml_hot_size(hot, state);
	if (space->id == KML_VIRT)
		kml_sieve_add(start, size);
	kml_extent_add(&phase->w->doubtful[space->id], start, size);
	if (!kml_grey(state))
		return KML_VISIT_NEXT;
	return kml_phase_unsettle(phase, space, start, size);
}

/* Visitors: intervals, and pages of them, with objects that are counted anew. */
bool kml_is_doubtful(const struct kml_interval *iv)
{
	return READ_ONCE(iv->doubtful) || READ_ONCE(iv->excess);
}

bool kml_is_doubtful_leaf(const struct kml_leaf *leaf)
{
	return READ_ONCE(leaf->doubt) == kml_doubt_nr || READ_ONCE(leaf->excess);
}

static bool kml_source_doubt(struct kml_worker *w)
{
	struct kml_phase phase = {
		.v = {
			.visit = kml_doubt,
			.unlocked = kml_phase_unsettle_big,
			.resched = kml_phase_resched,
			.want = kml_is_doubtful,
			.want_leaf = kml_is_doubtful_leaf,
		},
		.w = w,
	};

	return kml_walk_share(&w->cursor, &phase.v);
}

static void kml_extent_init(struct kml_worker *w, void *data)
{
	unsigned int id;

	for (id = 0; id < KML_NR_SPACES; id++)
		w->doubtful[id] = (struct kml_extent){ .min = ULONG_MAX };
}

static void kml_extent_merge(struct kml_worker *w, void *data)
{
	struct kml_extent *all = data;
	unsigned int id;

	for (id = 0; id < KML_NR_SPACES; id++) {
		all[id].min = min(all[id].min, w->doubtful[id].min);
		all[id].last = max(all[id].last, w->doubtful[id].last);
	}
}

/**
 * kml_confirm_prepare() - get ready for a confirming mark
 * @w: the initiator's
 * @bytewise: should it read words at every byte offset?
 * @add: will it read memory that no mark has read? Then references are added to
 *	those that the mark before has counted
 *
 * Context: process, kml_scan_mutex held.
 * Return: false if stopped.
 */
bool kml_confirm_prepare(struct kml_worker *w, bool bytewise, bool add)
{
	kml_mark.add_counts = add;
	kml_workers_each(kml_extent_init, NULL);
	kml_sieve_close();
	kml_sieve_open();
	if (!kml_workers_run(kml_source_doubt, false))
		return false;
	kml_mark.sieve = kml_sieve_ready();

	kml_workers_each(kml_extent_merge, w->doubtful);
	w->base.virt = kml_filter_range(w->doubtful[KML_VIRT].min,
					w->doubtful[KML_VIRT].last);
	w->base.percpu = kml_filter_range(w->doubtful[KML_PERCPU].min,
					  w->doubtful[KML_PERCPU].last);
	kml_mark.late = true;
	kml_mark.confirm = true;
	kml_mark.bytewise = bytewise;
	kml_mark_windows(w, &w->base);
	return true;
}

static enum kml_visit kml_sweep(struct kml_visitor *v, struct kml_space *space,
				unsigned long start, struct kml_hot *hot)
{
	struct kml_worker *w = kml_phase(v)->w;
	u32 state = kml_hot_state(hot);

	if (!kml_grey(state) || !kml_scannable(state) ||
	    state & (KML_F_NEW | KML_F_LATE))
		return KML_VISIT_NEXT;
	/*
	 * We are here and hold the lock: small plain ones are read at once. What
	 * points to itself does no harm: it is grey and has no surplus to pass.
	 */
	if (space->id != KML_VIRT || state & (KML_F_EXT | KML_F_BIG) ||
	    !kml_mark_locked(w, kml_object_memory(space, start, 0), hot->size))
		kml_phase_push(w, space, start, hot);
	return KML_VISIT_NEXT;
}

/* After each page: read the rest. Who has to leave only makes a list of it. */
static bool kml_sweep_page(struct kml_visitor *v)
{
	struct kml_worker *w = kml_phase(v)->w;

	kml_mark_unlocked(w);
	while (!kml_workers_leaving(w) && kml_mark_group(w)) {
		if (kml_mark_stop(w))
			return true;
		kml_workers_feed(w);
	}
	return kml_mark_stop(w);
}

/* The roots must have been handed out by kml_roots_next() before. */
bool kml_source_sweep(struct kml_worker *w)
{
	struct kml_phase phase = {
		.v = { .visit = kml_sweep, .resched = kml_sweep_page },
		.w = w,
	};

	return kml_walk_share(&w->cursor, &phase.v);
}

/* A suspect that is white after both marks: reported, if often enough. */
static enum kml_visit kml_convict(struct kml_visitor *v, struct kml_space *space,
				  unsigned long start, struct kml_hot *hot)
{
	unsigned int unref, wanted = kml_report_wanted();
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

/* Put the suspects that are left into the report. Too late to be stopped. */
void kml_convict_all(void)
{
	struct kml_visitor v = {
		.visit = kml_convict,
		.want = kml_is_doubtful,
		.want_leaf = kml_is_doubtful_leaf,
	};
	unsigned int id;

	/* without room for all, those left over are reported by the next scan */
	kml_report_room(atomic_long_read(&kml_mark.suspects));
	for (id = 0; id < KML_NR_SPACES; id++)
		kml_walk(kml_space(id), &v);
}
