// SPDX-License-Identifier: GPL-2.0-only
/*
 * Before a mark: all objects white, all blocks settled but those of white
 * objects. After it: the objects for which the list of work had no room, and
 * those born meanwhile.
 */

#include "os.h"
#include "phase.h"
#include "reserve.h"
#include "roots.h"
#include "scan.h"
#include "settled.h"

/* After each page. */
bool kml_phase_resched(struct kml_visitor *v)
{
	struct kml_phase *phase = kml_phase(v);

	if (phase->blocks)
		kml_settled_clear_page(phase->space, ~phase->not_page,
				       phase->blocks);
	phase->blocks = 0;
	return kml_mark_stop(phase->w);
}

/* Have an object read. Context: leaf->lock. */
void kml_phase_push(struct kml_worker *w, struct kml_space *space,
		    unsigned long start, struct kml_hot *hot)
{
	struct kml_work work = kml_work(space->id, start, 0, hot->size);

	if (likely(kml_deque_push(&w->deque, work)))
		return;
	kml_hot_change(hot, 0, KML_F_PENDING);
	WRITE_ONCE(kml_mark.overflow, true);
	w->stats.overflows++;
}

/*
 * Let references to an object be looked up: soon, if it is all in the page being
 * visited. Context: leaf->lock.
 */
enum kml_visit kml_phase_unsettle(struct kml_phase *phase, struct kml_space *space,
				  unsigned long start, size_t size)
{
	unsigned long first = start & ~KML_PAGE_MASK;

	if (likely(first + size <= KML_PAGE_SIZE)) {
		phase->space = space;
		phase->not_page = ~(start & KML_PAGE_MASK);
		phase->blocks |= GENMASK_ULL((first + size - 1) >> KML_BLOCK_SHIFT,
					     first >> KML_BLOCK_SHIFT);
		return KML_VISIT_NEXT;
	}
	if (unlikely(size > KML_INTERVAL_SIZE)) {
		phase->not_big_start = ~start;
		phase->big_size = size;
		return KML_VISIT_UNLOCKED;
	}
	kml_settled_clear(space, start, size);
	return KML_VISIT_NEXT;
}

/* If it was freed meanwhile, bits are cleared for nothing. */
void kml_phase_unsettle_big(struct kml_visitor *v, struct kml_space *space,
			    unsigned long start)
{
	struct kml_phase *phase = kml_phase(v);
	size_t off, len;

	for (off = 0; off < phase->big_size; off += len) {
		len = min(phase->big_size - off, KML_SETTLE_MAX);
		kml_settled_clear(space, ~phase->not_big_start + off, len);
		cond_resched();
	}
}

static bool kml_source_tables(struct kml_worker *w)
{
	enum kml_space_id id;
	struct kml_interval *iv = kml_shard_take(&w->cursor, &id);

	if (!iv)
		return false;
	/* pairs with kml_interval_freshen(), through the barrier behind us */
	WRITE_ONCE(iv->fresh, false);
	WRITE_ONCE(iv->doubtful, false);
	/* nobody looks a physical address up */
	if (id != KML_PHYS)
		kml_settled_prepare(iv);
	return true;
}

/*
 * Has the object been unreferenced in all scans of a check so far? What is grey only
 * since its content was new, or what such an object references, has been.
 */
static u32 kml_check_flag(u32 state, u32 new)
{
	switch (kml_scan_kind) {
	case KML_SCAN_FIRST:
		return new | KML_F_THROUGHOUT;
	case KML_SCAN_NEXT:
	case KML_SCAN_LAST:
		if (kml_white(state) || state & KML_F_LATE)
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
	struct kml_phase *phase = kml_phase(v);
	u32 state = kml_hot_state(hot), new;
	size_t size = kml_hot_size(hot, state);

	new = state & ~(KML_COUNT_MASK | KML_F_PENDING | KML_F_NEW |
			KML_F_LATE | KML_F_SUSPECT);
	/* referenced last time: its unreferenced scans start anew */
	if (!kml_white(state))
		new &= ~KML_F_UNREF;
	new = kml_check_flag(state, new);
	if (space->id == KML_PHYS && !(state & KML_F_NO_SCAN) &&
	    !kml_phys_in_lowmem(start, size))
		new = kml_state_set_min(new, -1) | KML_F_NO_SCAN;
	/* nobody marks now, all others hold the lock */
	if (new != state)
		atomic_set(&hot->state, new);

	if (state & ~new & KML_F_UNREF)
		kml_cold_set_unref(hot->cold, 0);
	if (kml_grey(new) && kml_scannable(new))
		kml_phase_push(phase->w, space, start, hot);

	if (space->id == KML_PHYS || !(kml_white(new) || new & KML_F_EXT))
		return KML_VISIT_NEXT;
	return kml_phase_unsettle(phase, space, start, size);
}

static bool kml_source_whiten(struct kml_worker *w)
{
	struct kml_phase phase = {
		.v = {
			.visit = kml_whiten,
			.unlocked = kml_phase_unsettle_big,
			.resched = kml_phase_resched,
		},
		.w = w,
	};

	return kml_walk_share(&w->cursor, &phase.v);
}

/**
 * kml_prepare_all() - get ready for a mark
 * @w: the initiator's
 *
 * First all blocks settled, then those of unsettled objects not: an object may
 * reach into an interval that another worker prepares.
 *
 * Return: false if stopped.
 */
bool kml_prepare_all(struct kml_worker *w)
{
	kml_filter_windows(&w->base);
	kml_mark_windows(w, &w->base);
	kml_mark.late = false;
	kml_mark.confirm = false;
	kml_mark.sieve = NULL;
	kml_doubt_nr++;
	if (!kml_workers_run(kml_source_tables, false))
		return false;
	/* flags before entries: pairs with kml_interval_freshen() */
	smp_mb();
	return kml_workers_run(kml_source_whiten, false);
}

static enum kml_visit kml_push_pending(struct kml_visitor *v,
				       struct kml_space *space,
				       unsigned long start, struct kml_hot *hot)
{
	if (kml_hot_state(hot) & KML_F_PENDING) {
		kml_hot_change(hot, KML_F_PENDING, 0);
		kml_phase_push(kml_phase(v)->w, space, start, hot);
	}
	return KML_VISIT_NEXT;
}

static bool kml_source_pending(struct kml_worker *w)
{
	struct kml_phase phase = {
		.v = { .visit = kml_push_pending, .resched = kml_phase_resched },
		.w = w,
	};

	return kml_walk_share(&w->cursor, &phase.v);
}

/* Read what did not fit into the list of work. Return: false if stopped. */
bool kml_drain_pending(void)
{
	while (READ_ONCE(kml_mark.overflow)) {
		WRITE_ONCE(kml_mark.overflow, false);
		if (!kml_workers_run(kml_source_pending, true))
			return false;
	}
	return true;
}

static enum kml_visit kml_adopt(struct kml_visitor *v, struct kml_space *space,
				unsigned long start, struct kml_hot *hot)
{
	u32 state = kml_hot_state(hot);

	if (state & KML_F_NEW && kml_grey(state) && kml_scannable(state) &&
	    (space->id != KML_PHYS ||
	     kml_phys_in_lowmem(start, kml_hot_size(hot, state))))
		kml_phase_push(kml_phase(v)->w, space, start, hot);
	return KML_VISIT_NEXT;
}

static bool kml_is_fresh(const struct kml_interval *iv)
{
	return READ_ONCE(iv->fresh);
}

static bool kml_source_adopt(struct kml_worker *w)
{
	struct kml_phase phase = {
		.v = {
			.visit = kml_adopt,
			.resched = kml_phase_resched,
			.want = kml_is_fresh,
		},
		.w = w,
	};

	return kml_walk_share(&w->cursor, &phase.v);
}

/**
 * kml_adopt_all() - read what was born since the mark began
 * @w: the initiator's
 *
 * A pointer may have moved there and nowhere else. One round, in which no more
 * than old objects turn grey, so that it ends however fast others are born; the
 * second mark is there for what is missed.
 *
 * Return: false if stopped.
 */
bool kml_adopt_all(struct kml_worker *w)
{
	kml_reserve_next_round();
	return kml_mark_reserve(w) && kml_workers_run(kml_source_adopt, true) &&
	       kml_drain_pending();
}
