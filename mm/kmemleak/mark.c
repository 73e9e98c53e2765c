// SPDX-License-Identifier: GPL-2.0-only
/*
 * Marking: candidates -> settled? -> look-up -> shade.
 *
 * An object's content is read in mark_scan.c, which hands candidates to
 * kml_mark_take() here. Whoever turns an object grey (one cmpxchg wins) pushes
 * it to the list of work. Nothing is allocated; when the list is full the
 * object gets KML_F_PENDING and the scan walks the index for those once the
 * list is empty (mark stack overflow as in Boehm and Weiser, "Garbage
 * collection in an uncooperative environment", 1988).
 */

#include "os.h"
#include "interval.h"
#include "mark.h"
#include "pool.h"
#include "settled.h"
#include "sieve.h"
#include "track.h"

struct kml_mark kml_mark;

/**
 * kml_worker_alloc() - memory for one more marker
 *
 * It stays: whoever frees a block may look at its pins at any time.
 *
 * Context: process or boot.
 * Return: the worker or NULL.
 */
struct kml_worker *kml_worker_alloc(void)
{
	struct kml_worker *w = kml_pool_alloc(KML_POOL_WORKER, GFP_KERNEL);

	static_assert(sizeof(struct kml_worker) <= KML_WORKER_BYTES);
	if (w && !kml_pins_attach(&w->pins)) {
		kml_pool_free(KML_POOL_WORKER, w);
		return NULL;
	}
	return w;
}

/* Change the state of an object that may move. Context: RCU. */
static void kml_mark_pending(struct kml_space *space, unsigned long start)
{
	struct kml_locked l;

	if (kml_object_lock(&l, space, start, false)) {
		kml_hot_change(l.hot, 0, KML_F_PENDING);
		kml_object_unlock(&l);
	}
	WRITE_ONCE(kml_mark.overflow, true);
}

/* Context: process. Return: false without memory for work. */
bool kml_mark_open(struct kml_worker *w)
{
	memset(w->nr_unsettled, 0, sizeof(w->nr_unsettled));
	w->locked_cand = 0;
	w->locked_bytes = 0;
	return kml_deque_open(&w->deque, &kml_mark.list);
}

void kml_mark_close(struct kml_worker *w)
{
	kml_deque_close(&w->deque);
}

/* What to look for from now on; what is known of settled tables may be old. */
void kml_mark_windows(struct kml_worker *w, const struct kmemleak_windows *win)
{
	w->win = *win;
	/* another filter may come any time, but a job is all one or all the other */
	w->copies = kml_mark.bytewise || kml_filter_copies();
	memset(w->near, 0, sizeof(w->near));
}

/**
 * kml_mark_stop() - has the scan been told to stop?
 * @w: who asks; every few KiB
 *
 * Context: process; may reschedule.
 */
bool kml_mark_stop(struct kml_worker *w)
{
	struct kml_mark *m = &kml_mark;

	cond_resched_tasks_rcu_qs();
	if (READ_ONCE(m->stopped))
		return true;
	if (likely(kml_enabled() && !(w->initiator && m->stop())))
		return false;
	WRITE_ONCE(m->stopped, true);
	return true;
}

/* Have an object's content read. Context: RCU read-side section, no lock. */
static void kml_mark_push(struct kml_worker *w, struct kml_space *space,
			  unsigned long start, size_t size)
{
	if (likely(kml_deque_push(&w->deque, kml_work(space->id, start, 0, size))))
		return;
	w->stats.overflows++;
	kml_mark_pending(space, start);
}

/* An object has just turned grey; @state is its state now. Context: likewise. */
static void kml_mark_greyed(struct kml_worker *w, struct kml_space *space,
			    unsigned long start, size_t size, u32 state)
{
	/* with an extension there may be surplus references to pass on */
	if (!(state & KML_F_EXT))
		kml_settled_set(space, start, size);
	if (kml_scannable(state))
		kml_mark_push(w, space, start, size);
}

/*
 * Count a reference to the object at @start. Return: false if the entry is out
 * of date and has to be looked up again. *surplus: it was grey already and may
 * know somebody who needs the reference.
 */
static bool kml_count_ref(struct kml_worker *w, struct kml_space *space,
			  struct kml_hot *hot, unsigned long start,
			  unsigned long addr, bool *surplus)
{
	u32 state = kml_hot_state_acquire(hot), new;
	int old;
	size_t size;

	*surplus = false;
	for (;;) {
		if (state & KML_F_FROZEN ||
		    (state & KML_OFF_MASK) != (start & ~KML_PAGE_MASK))
			return false;
		if (!(state & KML_F_ALLOCATED))
			return true;

		size = READ_ONCE(hot->size);
		if (unlikely(state & KML_F_BIG)) {
			struct kml_info info;

			if (!kml_object_info(space, start, false, &info))
				return true;
			size = info.size;
		}
		if (addr - start >= size)
			return true;
		if (unlikely(kml_mark.confirm) && kml_white(state) &&
		    !(state & (KML_F_SUSPECT | KML_F_LATE)))
			return true;
		if (!kml_white(state)) {
			*surplus = kml_grey(state) && (state & KML_F_EXT);
			return true;
		}

		new = state + KML_COUNT_ONE;
		if (kml_mark.late)
			new |= KML_F_LATE;
		if (kml_grey(new))
			new &= ~KML_F_SUSPECT;
		old = state;
		if (atomic_try_cmpxchg(&hot->state, &old, new))
			break;
		/* not from @old: a failed exchange orders nothing */
		state = kml_hot_state_acquire(hot);
	}

	if (unlikely(new & KML_F_LATE))
		kml_interval_doubt(space, start);
	if (kml_grey(new)) {
		if (state & KML_F_SUSPECT)
			atomic_long_dec(&kml_mark.suspects);
		kml_mark_greyed(w, space, start, size, new);
	}
	return true;
}

/* Find the object that holds @addr (or starts there) and count a reference. */
static unsigned long kml_shade_one(struct kml_worker *w, struct kml_space *space,
				   unsigned long addr, bool exact, bool *surplus)
{
	struct kml_hot *hot;
	unsigned long start = addr;

	*surplus = false;
	for (;;) {
		hot = exact ? kml_lookup_exact(space, addr) :
			      kml_lookup(space, addr, &start);
		if (!hot || kml_count_ref(w, space, hot, start, addr, surplus))
			return start;
		cpu_relax();
	}
}

/*
 * A surplus reference to the object at @start goes to whom it names. If that is
 * the object in which the reference was found, nothing happens: it is read, so
 * it is grey.
 */
static void kml_pass_surplus(struct kml_worker *w, struct kml_space *space,
			     unsigned long start)
{
	struct kml_info info;
	unsigned long target;
	bool more;

	if (!kml_object_info(space, start, false, &info) || !info.excess_ref)
		return;
	target = kml_untag(info.excess_ref);
	kml_shade_one(w, kml_space(KML_VIRT), target, true, &more);
}

static void kml_shade(struct kml_worker *w, struct kml_space *space,
		      unsigned long addr)
{
	unsigned long start;
	bool surplus;

	start = kml_shade_one(w, space, addr, false, &surplus);
	if (unlikely(surplus))
		kml_pass_surplus(w, space, start);
}

/*
 * Look up a batch. Cold, a look-up is a chain of two misses: leaf, then page
 * descriptor and entry. Each pass fetches one of them for all of the batch. A
 * small batch is what there is to do: what it finds will be read at once.
 */
static void kml_resolve(struct kml_worker *w, struct kml_space *space)
{
	const unsigned long *addr = w->unsettled[space->id];
	unsigned int i, n = w->nr_unsettled[space->id];
	struct kml_leaf *leaf[KML_BATCH];

	w->nr_unsettled[space->id] = 0;
	w->stats.lookups += n;

	rcu_read_lock();
	for (i = 0; i < n; i++) {
		leaf[i] = kml_leaf_of(space, addr[i]);
		prefetch(leaf[i]);
		if (n <= KML_PINS && space->id == KML_VIRT)
			prefetch((void *)addr[i]);
	}
	for (i = 0; i < n; i++)
		if (leaf[i])
			kml_leaf_fetch(leaf[i], addr[i]);
	for (i = 0; i < n; i++)
		kml_shade(w, space, addr[i]);
	rcu_read_unlock();
}

/* Look up what has been put off. */
void kml_mark_flush(struct kml_worker *w)
{
	kml_resolve(w, kml_space(KML_VIRT));
	kml_resolve(w, kml_space(KML_PERCPU));
}

/* kml_settled(), with the way to the table remembered. Context: RCU. */
static bool kml_mark_settled(struct kml_worker *w, struct kml_space *space,
			     unsigned long addr)
{
	unsigned long nr = addr >> KML_INTERVAL_SHIFT;
	struct kml_near *near = &w->near[nr % KML_NEAR];
	unsigned int bit = kml_settled_bit(addr);

	if (unlikely(near->key != nr + 1)) {
		struct kml_interval *iv = kml_interval_find(space, addr);

		near->key = nr + 1;
		near->table = iv ? READ_ONCE(iv->settled) : NULL;
	}
	return !near->table ||
	       READ_ONCE(near->table[BIT_WORD(bit)]) & BIT_MASK(bit);
}

static void kml_mark_unsettled(struct kml_worker *w, struct kml_space *space,
			       unsigned long addr)
{
	unsigned int *n = &w->nr_unsettled[space->id];

	w->unsettled[space->id][(*n)++] = addr;
	if (*n == KML_BATCH)
		kml_resolve(w, space);
}

/*
 * Keep only what passes the sieve, or is in the other window. Without branches:
 * what passes cannot be predicted. Return: the end of what is kept.
 */
static unsigned int kml_mark_strain(struct kml_worker *w,
				    const struct kmemleak_range *percpu,
				    unsigned int from, unsigned int to)
{
	const unsigned long *sieve = kml_mark.sieve;
	unsigned int i, n = from;

	for (i = from; i < to; i++) {
		unsigned long v = w->cand[i];
		unsigned int wanted = v - percpu->min < percpu->len;

		w->cand[n] = v;
		n += wanted | kml_sieve_passes(sieve, v);
	}
	w->stats.settled += to - n;
	return n;
}

#define KML_HURRY_LINES	4U		/* most objects have no more */

/*
 * There is no other work: what these point to will be read next. Fetch it, and
 * the way to its entry, while the settled bits are on their way.
 */
static void kml_mark_hurry(struct kml_worker *w, const struct kmemleak_range *win,
			   unsigned int from, unsigned int to)
{
	unsigned int i, line;

	for (i = from; i < to; i++) {
		unsigned long v = w->cand[i];

		if (v - win->min >= win->len)
			continue;
		prefetch(kml_leaf_of(kml_space(KML_VIRT), v));
		for (line = 0; line < KML_HURRY_LINES; line++)
			prefetch((void *)v + line * 64);
	}
}

/**
 * kml_mark_take() - process the candidates a filter has found
 * @w: worker, with candidates in w->cand
 * @win: the windows the filter was given
 * @from: first candidate
 * @to: behind the last
 *
 * A word in both windows counts in both spaces. Most candidates end here: a
 * pointer to what is settled needs no look-up.
 *
 * Context: process, no lock held.
 */
void kml_mark_take(struct kml_worker *w, const struct kmemleak_windows *win,
		   unsigned int from, unsigned int to)
{
	struct kml_space *virt = kml_space(KML_VIRT);
	struct kml_space *percpu = kml_space(KML_PERCPU);
	unsigned int i, settled = 0;

	w->stats.candidates += to - from;
	if (kml_mark.sieve)
		to = kml_mark_strain(w, &win->percpu, from, to);
	rcu_read_lock();
	if (to - from <= KML_PINS && kml_deque_empty(&w->deque))
		kml_mark_hurry(w, &win->virt, from, to);
	for (i = from; i < to; i++) {
		unsigned long v = w->cand[i];
		bool known;

		/* where RCU means no preemption, do not overdo it */
		if (unlikely(!((i + 1) % KML_BATCH))) {
			rcu_read_unlock();
			rcu_read_lock();
		}
		known = kml_mark_settled(w, virt, v);
		if (likely(known))
			settled++;
		else if (v - win->virt.min < win->virt.len &&
			 v - win->self.min >= win->self.len)
			kml_mark_unsettled(w, virt, v);

		if (likely(v - win->percpu.min >= win->percpu.len) || kml_settled(percpu, v))
			continue;
		settled -= known;
		if (v - w->self_percpu.min >= w->self_percpu.len)
			kml_mark_unsettled(w, percpu, v);
	}
	rcu_read_unlock();
	w->stats.settled += settled;
}

/**
 * kml_mark_probe() - could a range hold a reference that changes anything?
 * @w: worker
 * @start: memory that stays readable
 * @len: in bytes
 *
 * Context: process, no lock held.
 */
bool kml_mark_probe(struct kml_worker *w, const void *start, size_t len)
{
	const struct kmemleak_windows *win = &w->win;
	bool found = false;
	unsigned int i, nr;
	size_t chunk;

	for (; len && !found; start += chunk, len -= chunk) {
		chunk = min_t(size_t, len, KML_CHUNK);
		nr = kml_filter_run(start, chunk, win, w->cand);
		w->stats.words += chunk / sizeof(long);
		rcu_read_lock();
		for (i = 0; i < nr && !found; i++) {
			unsigned long v = w->cand[i];

			found = (v - win->virt.min < win->virt.len &&
				 !kml_settled(kml_space(KML_VIRT), v)) ||
				(v - win->percpu.min < win->percpu.len &&
				 !kml_settled(kml_space(KML_PERCPU), v));
		}
		rcu_read_unlock();
	}
	return found;
}
