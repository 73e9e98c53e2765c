// SPDX-License-Identifier: GPL-2.0-only
/* Marks: from the words of roots and grey objects to the objects they name. */

#include "os.h"
#include "mark.h"

/* === Pins =============================================================== */

/* The side that waits; the protocol is in index.h. */

/* All who may ever read, one a worker. They stay: a slot costs a line. */
static struct kml_pins *kml_readers[NR_CPUS + 1];
static unsigned int kml_nr_readers;
static DEFINE_RAW_SPINLOCK(kml_readers_lock);

/*
 * Context: process or boot; before the reader's first scan. A scan waits for a grace
 * period after that, so a free that sees the scan sees the reader: kml_scan_open().
 */
static bool kml_pins_attach(struct kml_pins *pins)
{
	unsigned long flags;
	bool room;

	raw_spin_lock_irqsave(&kml_readers_lock, flags);
	room = kml_nr_readers < ARRAY_SIZE(kml_readers);
	if (room) {
		kml_readers[kml_nr_readers] = pins;
		/* pairs with the acquire in __kml_pin_wait() */
		smp_store_release(&kml_nr_readers, kml_nr_readers + 1);
	}
	raw_spin_unlock_irqrestore(&kml_readers_lock, flags);
	return !WARN_ON_ONCE(!room);
}

static bool kml_pinned(const struct kml_pins *pins, unsigned long start)
{
	unsigned long hit = 0;
	unsigned int i;

	/* no branch: a line each, and the lines of all may be fetched at once */
	for (i = 0; i < KML_PINS; i++)
		/* pairs with the release in kml_unpin() */
		hit |= smp_load_acquire(&pins->start[i]) == ~start;
	return hit;
}

void __kml_pin_wait(unsigned long start)
{
	bool waited = false;
	unsigned int nr, i;

	/* pairs with the release in kml_pins_attach() */
	nr = smp_load_acquire(&kml_nr_readers);
	for (i = 0; i < nr; i++) {
		while (unlikely(kml_pinned(kml_readers[i], start))) {
			waited = true;
			cpu_relax();
		}
	}

	if (waited)
		kml_count_inc(KML_C_PIN_WAITS);
}

/* === Settled blocks ===================================================== */

/*
 * Settled bits are a cache: a clear bit only costs a look-up, a set bit must be
 * true. A block is settled if no object reaches into it, or only objects that
 * are black, or grey and without somebody to pass surplus references to.
 *
 * An interval which one object covers needs no table of its own: it points to
 * one of two constant ones. So does an interval that got no memory for its own,
 * or that was born during the scan: to the one without a bit.
 */

/**
 * kml_settled_prepare() - start a mark with every block of an interval settled
 * @iv: interval
 *
 * Context: process, kml_scan_mutex held, kml_scan_active; may sleep.
 */
void kml_settled_prepare(struct kml_interval *iv)
{
	unsigned long *table = iv->settled;
	bool leaves = false;
	unsigned int i;

	for (i = 0; i < KML_GROUPS; i++)
		leaves |= !!READ_ONCE(iv->group[i]);

	if (!leaves && kml_settled_shared(table)) {
		WRITE_ONCE(iv->settled, kml_settled_all);
		return;
	}
	if (kml_settled_shared(table)) {
		table = kml_pool_alloc(KML_POOL_SETTLED, GFP_KERNEL);
		if (!table) {
			WRITE_ONCE(iv->settled, kml_settled_none);
			return;
		}
	}
	memset(table, 0xff, KML_SETTLED_LONGS * sizeof(long));
	/* bits before pointer: pairs with READ_ONCE() in kml_settled() */
	smp_store_release(&iv->settled, table);
}

/* Set or clear the bits [@first, @last] of a table, atomically by words. */
static void kml_settled_change(unsigned long *table, unsigned int first,
			       unsigned int last, bool set)
{
	while (first <= last) {
		unsigned int word = BIT_WORD(first);
		unsigned int end = min(last, (word + 1) * BITS_PER_LONG - 1);
		unsigned long mask = GENMASK(end % BITS_PER_LONG,
					     first % BITS_PER_LONG);

		if (set)
			atomic_long_or(mask, (atomic_long_t *)&table[word]);
		else
			atomic_long_andnot(mask, (atomic_long_t *)&table[word]);
		first = end + 1;
	}
}

/**
 * kml_settled_clear() - let pointers into a block be looked up
 * @space: where
 * @start: of the object
 * @size: of the object, not 0
 *
 * Context: any.
 */
void kml_settled_clear(struct kml_space *space, unsigned long start, size_t size)
{
	unsigned long last = kml_last(start, size);
	unsigned long addr = start;

	for (;;) {
		unsigned long end = min(last, addr | ~KML_INTERVAL_MASK);
		struct kml_interval *iv;
		unsigned long *table;

		rcu_read_lock();
		iv = kml_interval_find(space, addr);
		table = iv ? READ_ONCE(iv->settled) : NULL;
		if (table == kml_settled_all)
			WRITE_ONCE(iv->settled, kml_settled_none);
		else if (table && table != kml_settled_none)
			kml_settled_change(table, kml_settled_bit(addr),
					   kml_settled_bit(end), false);
		rcu_read_unlock();
		if (end == last)
			break;
		addr = end + 1;
	}
}

/**
 * kml_settled_clear_page() - the same for some blocks of a page
 * @space: where
 * @page: its address
 * @blocks: a bit for each block, the first one's lowest
 *
 * Context: any.
 */
void kml_settled_clear_page(struct kml_space *space, unsigned long page,
			    u64 blocks)
{
	struct kml_interval *iv;
	unsigned long *table;
	unsigned int i;

	rcu_read_lock();
	iv = kml_interval_find(space, page);
	table = iv ? READ_ONCE(iv->settled) : NULL;
	if (table == kml_settled_all)
		WRITE_ONCE(iv->settled, kml_settled_none);
	else if (table && table != kml_settled_none)
		for (i = 0; i < KML_PAGE_BLOCKS; i += BITS_PER_LONG)
			atomic_long_andnot(blocks >> i, (atomic_long_t *)
					   &table[BIT_WORD(kml_settled_bit(page) + i)]);
	rcu_read_unlock();
}

/* May a pointer to something in @hot still change a state? */
static bool kml_unsettled(const struct kml_hot *hot)
{
	u32 state = kml_hot_state(hot);

	return kml_white(state) || (state & KML_F_EXT);
}

/* Does an object that starts before @addr end there? */
static bool kml_ends_before(const struct kml_hot *hot, unsigned long start,
			    unsigned long addr)
{
	return !(kml_hot_state_acquire(hot) & KML_F_BIG) &&
	       READ_ONCE(hot->size) <= addr - start;
}

/* Would every object that reaches into the block at @block allow its bit? */
static bool kml_block_settled(struct kml_space *space, unsigned long block)
{
	unsigned long addr = block + KML_BLOCK_SIZE - 1, start;

	for (;;) {
		struct kml_hot *hot = kml_lookup(space, addr, &start);

		if (!hot)
			return true;
		if (kml_unsettled(hot))
			return start < block && kml_ends_before(hot, start, block);
		if (start <= block)
			return true;
		addr = start - 1;
	}
}

/* Settle a block which an object shares with others, if they all are. */
static void kml_settle_shared(struct kml_space *space, unsigned long *table,
			      unsigned long addr)
{
	unsigned int bit = kml_settled_bit(addr);

	if (kml_block_settled(space, round_down(addr, KML_BLOCK_SIZE)))
		kml_settled_change(table, bit, bit, true);
}

/* Settle what an object has of one interval: [@addr, @end]. */
static void kml_settle_part(struct kml_space *space, struct kml_interval *iv,
			    unsigned long start, unsigned long addr,
			    unsigned long end)
{
	unsigned long *table = READ_ONCE(iv->settled);
	int first = kml_settled_bit(addr), last = kml_settled_bit(end);

	if (table == kml_settled_none) {
		if (READ_ONCE(iv->filled_by) == ~start &&
		    end - addr == KML_INTERVAL_SIZE - 1)
			WRITE_ONCE(iv->settled, kml_settled_all);
		return;
	}
	if (kml_settled_shared(table))
		return;

	if (addr % KML_BLOCK_SIZE) {
		kml_settle_shared(space, table, addr);
		first++;
	}
	if ((end + 1) % KML_BLOCK_SIZE && last >= first) {
		kml_settle_shared(space, table, end);
		last--;
	}
	if (first <= last)
		kml_settled_change(table, first, last, true);
}

/**
 * kml_settled_set() - an object is settled; settle the blocks it fills
 * @space: where
 * @start: of the object
 * @size: of the object, not 0
 *
 * Blocks which it shares are settled if its neighbours are. Very large objects
 * are not settled: that would take too long, and they are few.
 *
 * Context: process, RCU read-side section, a mark is running.
 */
void kml_settled_set(struct kml_space *space, unsigned long start, size_t size)
{
	unsigned long last = kml_last(start, size);
	unsigned long addr = start;

	if (size > KML_SETTLE_MAX)
		return;

	for (;;) {
		unsigned long end = min(last, addr | ~KML_INTERVAL_MASK);
		struct kml_interval *iv = kml_interval_find(space, addr);

		if (iv)
			kml_settle_part(space, iv, start, addr, end);
		if (end == last)
			break;
		addr = end + 1;
	}
}

/* === Marks ============================================================== */

/*
 * Marking: candidates -> settled? -> look-up -> shade.
 *
 * An object's content is read further below ("Reading grey objects"), and its
 * candidates come to kml_mark_take() here. Whoever turns an object grey (one cmpxchg wins) pushes
 * it to the list of work. Nothing is allocated; when the list is full the
 * object gets KML_F_PENDING and the scan walks the index for those once the
 * list is empty (mark stack overflow as in Boehm and Weiser, "Garbage
 * collection in an uncooperative environment", 1988).
 */

struct kml_mark kml_mark;

/**
 * kml_worker_alloc() - memory for one more marker
 *
 * It stays: whoever frees a block may look at its pins at any time.
 *
 * Context: process or boot; no scan is active.
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
	return kml_greylist_open(&w->grey, &kml_mark.list);
}

void kml_mark_close(struct kml_worker *w)
{
	kml_greylist_close(&w->grey);
}

/* What to look for from now on; what is known of settled tables may be old. */
void kml_mark_windows(struct kml_worker *w, const struct kmemleak_windows *win)
{
	w->win = *win;
	/* another filter may come any time, but a job is all one or all the other */
	w->copies = kml_mark.bytewise || kml_filter_copies();
	memset(w->settled_cache, 0, sizeof(w->settled_cache));
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
	if (likely(kml_greylist_push(&w->grey, kml_work(space->id, start, 0, size))))
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
		    !(state & (KML_F_SUSPECT | KML_F_PROVISIONAL)))
			return true;
		if (!kml_white(state)) {
			*surplus = kml_grey(state) && (state & KML_F_EXT);
			return true;
		}

		new = state + KML_COUNT_ONE;
		if (kml_mark.provisional)
			new |= KML_F_PROVISIONAL;
		if (kml_grey(new))
			new &= ~KML_F_SUSPECT;
		old = state;
		if (atomic_try_cmpxchg(&hot->state, &old, new))
			break;
		/* not from @old: a failed exchange orders nothing */
		state = kml_hot_state_acquire(hot);
	}

	if (unlikely(new & KML_F_PROVISIONAL))
		kml_interval_set_recount(space, start);
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
	struct kml_settled_cache *near = &w->settled_cache[nr % KML_SETTLED_CACHE];
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
 * Keep only what passes the Bloom filter, or is in the other window. Without branches:
 * what passes cannot be predicted. Return: the end of what is kept.
 */
static unsigned int kml_bloom_filter(struct kml_worker *w,
				    const struct kmemleak_range *percpu,
				    unsigned int from, unsigned int to)
{
	const unsigned long *bloom = kml_mark.bloom;
	unsigned int i, n = from;

	for (i = from; i < to; i++) {
		unsigned long v = w->cand[i];
		unsigned int wanted = v - percpu->min < percpu->len;

		w->cand[n] = v;
		n += wanted | kml_bloom_passes(bloom, v);
	}
	w->stats.settled += to - n;
	return n;
}

#define KML_PREFETCH_LINES	4U		/* most objects have no more */

/*
 * There is no other work: what these point to will be read next. Fetch it, and
 * the way to its entry, while the settled bits are on their way.
 */
static void kml_prefetch_targets(struct kml_worker *w, const struct kmemleak_range *win,
			   unsigned int from, unsigned int to)
{
	unsigned int i, line;

	for (i = from; i < to; i++) {
		unsigned long v = w->cand[i];

		if (v - win->min >= win->len)
			continue;
		prefetch(kml_leaf_of(kml_space(KML_VIRT), v));
		for (line = 0; line < KML_PREFETCH_LINES; line++)
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
	if (kml_mark.bloom)
		to = kml_bloom_filter(w, &win->percpu, from, to);
	rcu_read_lock();
	if (to - from <= KML_PINS && kml_greylist_empty(&w->grey))
		kml_prefetch_targets(w, &win->virt, from, to);
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

/* === Reading grey objects =============================================== */

/*
 * Most are small and plain: they are taken in groups which share one section
 * with IRQs off, one barrier and KML_CHUNK bytes. Large ones are cut into slices
 * for several workers. What needs more (per-CPU objects, scan areas, physical blocks)
 * is read one by one.
 * Candidates are collected with IRQs off and processed with IRQs on. Where the
 * filter cannot run with IRQs off (kml_filter_copies()) content is copied then,
 * and filtered after. A bytewise mark copies content as well, and filters the copy
 * once for each byte offset of a word.
 */

/* Needs more than a plain range of memory? The object is pinned. */
static bool kml_special(const struct kml_work *work, const struct kml_pinned *p)
{
	if (kml_work_space(work) != KML_VIRT)
		return true;
	if (likely(!p->ext) || p->state & KML_F_FULL_SCAN)
		return false;
	/* pairs with the release in kml_object_add_area() */
	return smp_load_acquire(&p->ext->areas);
}

/* What was taken from an object while it stayed, see kml_take(). */
struct kml_taken {
	const void *copy;		/* or NULL: candidates are in w->cand */
	size_t len;			/* of the copy; without, whole words */
	size_t used;			/* what the copy took of w->copy */
	unsigned int end;		/* of the candidates */
};

/*
 * Copy memory that others may be writing to. Return: false if it is @unmapped, or
 * may be, and could not be read.
 */
static bool kml_copy(void *to, const void *from, size_t len, bool unmapped)
{
	if (unlikely(unmapped))
		return !copy_from_kernel_nofault(to, kasan_reset_tag(from), len);
	kasan_disable_current();
	kcsan_disable_current();
	memcpy(to, kasan_reset_tag(from), len);
	kcsan_enable_current();
	kasan_enable_current();
	return true;
}

/* Bytes after a chunk which a word that begins in the chunk may reach. */
#define KML_STRADDLE	(sizeof(long) - 1)

/* The highest byte of no kernel address, tagged or not, on 64 bits. */
#define KML_GAP_BYTE	0x55

/*
 * Copy to where the words that are aligned in memory are aligned in the copy.
 * Return: the copy, or NULL as above.
 */
static void *kml_copy_bytes(void *to, const void *from, size_t len, bool unmapped)
{
	size_t gap = (from - to) % sizeof(long);

	memset(to, KML_GAP_BYTE, gap);
	return kml_copy(to + gap, from, len, unmapped) ? to + gap : NULL;
}

/*
 * Take candidates from memory that is pinned or whose leaf is locked, behind the
 * first @nr, or a copy of it, behind the first @used bytes of copies. A bytewise
 * mark takes up to KML_STRADDLE of the @more bytes that the object has after
 * @len. Memory of a physical block may not be mapped any more, and is always copied.
 * Context: IRQs off. Return: false if it could not be read.
 */
static bool kml_take(struct kml_worker *w, const void *from, size_t len,
		     size_t more, const struct kmemleak_windows *win, bool phys,
		     unsigned int nr, size_t used, struct kml_taken *t)
{
	const void *first = PTR_ALIGN(from, sizeof(long));
	size_t skip = first - from;

	t->end = nr;
	if (kml_mark.bytewise) {
		t->len = len + min(more, KML_STRADDLE);
		t->copy = kml_copy_bytes(w->copy + used, from, t->len, phys);
		t->used = t->copy - (void *)w->copy - used + t->len;
		return t->copy;
	}
	t->copy = NULL;
	t->len = len > skip ? round_down(len - skip, sizeof(long)) : 0;
	t->used = t->len;
	if (!w->copies && !phys) {
		t->end += kml_filter_run(first, t->len, win, w->cand + nr);
		return true;
	}
	t->copy = w->copy + used;
	return kml_copy(w->copy + used, first, t->len, phys);
}

/*
 * Filter and process a copy; in a bytewise mark at each byte offset. Per-CPU
 * pointers count in aligned words only: they may be small numbers, and there is
 * always a place between other numbers that looks like one.
 */
static void kml_take_copy(struct kml_worker *w, const void *copy, size_t len,
			  const struct kmemleak_windows *win)
{
	size_t offsets = kml_mark.bytewise ? sizeof(long) : 1, i;
	struct kmemleak_windows odd = *win;

	odd.percpu = (struct kmemleak_range){};
	for (i = 0; i < offsets && i + sizeof(long) <= len; i++) {
		bool aligned = IS_ALIGNED((unsigned long)copy + i, sizeof(long));
		const struct kmemleak_windows *here = aligned ? win : &odd;

		kml_mark_take(w, here, 0,
			      kml_filter_run_at(copy + i, len - i, here, w->cand));
	}
}

/* Process what was taken. @from: first candidate, if it was not copied. */
static void kml_taken(struct kml_worker *w, const struct kmemleak_windows *win,
		      unsigned int from, const struct kml_taken *t)
{
	if (t->copy)
		kml_take_copy(w, t->copy, t->len, win);
	else
		kml_mark_take(w, win, from, t->end);
}

/* An object one of whose chunks is to be read. */
struct kml_reading {
	struct kml_space *space;
	unsigned long start;		/* of the object */
	size_t off;			/* of what is to be read, in the object */
	const void *from;
	size_t len;
	struct kmemleak_windows win;
	bool reserved;			/* look for it in the reserve */
};

/*
 * Read one chunk of an object, if it still has it. Return: false if not. An
 * object that has become NO_SCAN meanwhile counts as gone.
 */
static bool kml_read_chunk(struct kml_worker *w, struct kml_reading *r,
			   size_t off, size_t len)
{
	struct kml_taken taken;
	bool phys = r->space->id == KML_PHYS, alive, take;
	unsigned long flags;
	struct kml_pinned p;
	size_t size = 0;

	rcu_read_lock();
	local_irq_save(flags);
	kml_pin(&w->pins, 0, r->start);
	/* pairs with the atomic in kml_remove_entry(): "Pins" in index.h */
	smp_mb();
	if (r->reserved)
		size = kml_reserve_size(r->space, r->start);
	else if (kml_lookup_pinned(kml_leaf_of(r->space, r->start), r->start, &p) &&
		 kml_scannable(p.state))
		size = p.size;
	/* it may have become shorter, or be another one, since the last chunk */
	alive = r->off + off + len <= size;
	take = alive && (!phys || kml_phys_is_root(r->start + r->off + off, len)) &&
	       (kml_take(w, r->from + off, len,
			 min(r->len - off, size - r->off - off) - len,
			 &r->win, phys, 0, 0, &taken) ||
		/* without what a word may reach of the next page */
		kml_take(w, r->from + off, len, 0, &r->win, phys, 0, 0, &taken));
	kml_unpin(&w->pins, 0);
	local_irq_restore(flags);
	rcu_read_unlock();

	if (take) {
		w->stats.words += len / sizeof(long);
		kml_taken(w, &r->win, 0, &taken);
	}
	return alive;
}

static bool kml_read(struct kml_worker *w, struct kml_reading *r)
{
	size_t off, len;

	for (off = 0; off < r->len; off += len) {
		len = min_t(size_t, r->len - off, KML_CHUNK);
		if (kml_mark_stop(w) || !kml_read_chunk(w, r, off, len))
			return false;
	}
	return true;
}

/*
 * The same for a physical block: page by page, since some may be no part of it any
 * more. Their struct pages stay for as long as they are looked at.
 */
static bool kml_read_phys(struct kml_worker *w, struct kml_reading *r)
{
	size_t off, len;
	bool alive = true;

	for (off = 0; alive && off < r->len; off += len) {
		len = min_t(size_t, r->len - off,
			    KML_CHUNK - (r->start + r->off + off) % KML_CHUNK);
		if (kml_mark_stop(w) || !kml_workers_lock_mems(w))
			return false;
		alive = kml_read_chunk(w, r, off, len);
		put_online_mems();
	}
	return alive;
}

/*
 * Find the scan area number @i of an object. Areas are pushed to the head of
 * the list, so that a new one shifts the numbers: an area may then be read
 * twice, but none is missed before the list ends.
 */
static bool kml_nth_area(struct kml_space *space, unsigned long start,
			 unsigned int i, struct kml_area *copy)
{
	struct kml_area *area = NULL;
	struct kml_locked l;

	if (!kml_object_lock(&l, space, start, false))
		return false;
	if (kml_hot_state(l.hot) & KML_F_EXT) {
		area = kml_ext(l.hot)->areas;
		while (area && i--)
			area = area->next;
		if (area)
			*copy = *area;
	}
	kml_object_unlock(&l);
	return area;
}

/* Read an object that is not plain, from @off. */
static void kml_read_special(struct kml_worker *w, const struct kml_work *work)
{
	struct kml_space *space = kml_space(kml_work_space(work));
	unsigned long start = kml_work_start(work);
	struct kml_reading r = { .space = space, .start = start };
	size_t off = kml_work_off(work);
	struct kml_area area;
	struct kml_info info;
	unsigned int i, cpu;

	if (!kml_object_info(space, start, false, &info) ||
	    !kml_scannable(info.state))
		return;

	w->stats.objects += !off;
	r.win = w->win;
	if (space->id == KML_VIRT)
		r.win.self = (struct kmemleak_range){ start, info.size };
	if (space->id == KML_PERCPU)
		w->self_percpu = (struct kmemleak_range){ start, info.size };

	if (space->id == KML_PERCPU) {
		for_each_possible_cpu(cpu) {
			r.from = kml_object_memory(space, start, cpu);
			r.len = info.size;
			if (!kml_read(w, &r))
				break;
		}
	} else if (!(info.state & KML_F_FULL_SCAN) &&
		   kml_nth_area(space, start, 0, &area)) {
		i = 0;
		do {
			r.from = (const void *)~area.not_start;
			r.off = ~area.not_start - start;
			r.len = area.size;
		} while (kml_read(w, &r) &&
			 kml_nth_area(space, start, ++i, &area));
	} else if (off < info.size) {
		r.from = kml_object_memory(space, start, 0) + off;
		r.off = off;
		r.len = kml_work_end(work, info.size) - off;
		if (space->id == KML_PHYS)
			kml_read_phys(w, &r);
		else
			kml_read(w, &r);
	}

	w->self_percpu = (struct kmemleak_range){};
}

/* Work, and the leaf that knows the object. */
struct kml_item {
	struct kml_work work;
	struct kml_leaf *leaf;
};

#define KML_FETCH_LINES	8U		/* from there on the CPU has noticed */

/*
 * Take work for a group. What reading an object touches is likely to be cold: its
 * content, and the way to its entry, which is a chain of two. Each link is fetched
 * for all of the group before the next is needed.
 */
static unsigned int kml_next_group(struct kml_worker *w, struct kml_item *group)
{
	unsigned int i, line, n = 0;

	rcu_read_lock();
	while (n < KML_PINS && kml_greylist_pop(&w->grey, &group[n].work)) {
		const struct kml_work *work = &group[n].work;

		group[n].leaf = kml_leaf_of(kml_space(kml_work_space(work)),
					    kml_work_start(work));
		prefetch(group[n].leaf);
		n++;
	}
	rcu_read_unlock();

	/* alone it is needed at once, and kml_prefetch_targets() has seen to it */
	if (n < 2)
		return n;

	for (i = 0; i < n; i++) {
		const struct kml_work *work = &group[i].work;
		unsigned int lines = min(kml_work_lines(work), KML_FETCH_LINES);

		if (kml_work_space(work) != KML_VIRT)
			continue;
		for (line = 0; line < lines; line++)
			prefetch((void *)(kml_work_start(work) + kml_work_off(work) + line * 64));
	}
	for (i = 0; i < n; i++)
		if (group[i].leaf)
			kml_leaf_fetch(group[i].leaf, kml_work_start(&group[i].work));
	return n;
}

/* What became of one object of a group. */
enum kml_group_fate {
	KML_GROUP_DONE,
	KML_GROUP_SPECIAL,
	KML_GROUP_MORE,		/* from work->off on */
};

/*
 * Leave all but the first slice of a large object to whoever has time. Without
 * room to note that it stays in one piece.
 */
static void kml_slice(struct kml_worker *w, struct kml_work *work, size_t size)
{
	size_t off = kml_work_off(work);
	size_t next = round_down(off, KML_SLICE) + KML_SLICE;
	struct kml_work rest;

	if (work->off_space & KML_WORK_SLICE || next >= size)
		return;
	rest = kml_work(kml_work_space(work), kml_work_start(work), next, size);
	if (kml_greylist_push(&w->grey, rest))
		work->off_space |= KML_WORK_SLICE;
}

/*
 * Read an object, up to what is left of KML_CHUNK bytes after @used; it is
 * pinned. @nr: candidates before. Nothing @taken unless set.
 */
static enum kml_group_fate kml_group_read(struct kml_worker *w,
					  struct kml_item *item, size_t *used,
					  unsigned int nr,
					  struct kml_taken *taken)
{
	struct kml_work *work = &item->work;
	struct kml_space *space = kml_space(kml_work_space(work));
	size_t off = kml_work_off(work), len, end;
	struct kml_pinned p;

	if (!kml_lookup_pinned(item->leaf, kml_work_start(work), &p) ||
	    !kml_scannable(p.state) || off >= p.size)
		return KML_GROUP_DONE;
	if (unlikely(p.size > KML_SLICE) && (space->id == KML_PHYS || !kml_special(work, &p)))
		kml_slice(w, work, p.size);
	if (unlikely(kml_special(work, &p)))
		return KML_GROUP_SPECIAL;
	end = kml_work_end(work, p.size);
	len = min(end - off, KML_CHUNK);
	if (*used + len > KML_CHUNK)
		return KML_GROUP_MORE;

	w->win.self.min = kml_work_start(work);
	w->win.self.len = p.size;
	kml_take(w, kml_object_memory(space, kml_work_start(work), 0) + off, len,
		 p.size - off - len, &w->win, false, nr, *used, taken);
	*used += taken->used;
	w->stats.words += len / sizeof(long);
	w->stats.objects += !off;
	if (off + len == end)
		return KML_GROUP_DONE;
	work->off_space += len;
	return KML_GROUP_MORE;
}

/**
 * kml_mark_group() - read some grey objects
 * @w: worker
 *
 * Context: process, no lock held. IRQs are off for at most KML_CHUNK bytes.
 * Return: false if there was nothing to do.
 */
bool kml_mark_group(struct kml_worker *w)
{
	enum kml_group_fate fate[KML_PINS];
	struct kml_item group[KML_PINS];
	struct kml_taken taken[KML_PINS];
	size_t size[KML_PINS], used = 0;
	unsigned int i, n, nr = 0;
	unsigned long flags;

	n = kml_next_group(w, group);
	if (!n)
		return false;

	rcu_read_lock();
	local_irq_save(flags);
	for (i = 0; i < n; i++)
		kml_pin(&w->pins, i, kml_work_start(&group[i].work));
	/* pairs with the atomic in kml_remove_entry(): "Pins" in index.h */
	smp_mb();
	for (i = 0; i < n; i++) {
		w->win.self.len = 0;
		taken[i] = (struct kml_taken){ .end = nr };
		fate[i] = kml_group_read(w, &group[i], &used, nr, &taken[i]);
		size[i] = w->win.self.len;
		nr = taken[i].end;
	}
	for (i = 0; i < n; i++)
		kml_unpin(&w->pins, i);
	local_irq_restore(flags);
	rcu_read_unlock();

	for (i = 0; i < n; i++) {
		w->win.self.min = kml_work_start(&group[i].work);
		w->win.self.len = size[i];
		kml_taken(w, &w->win, i ? taken[i - 1].end : 0, &taken[i]);
	}
	w->win.self = (struct kmemleak_range){};

	for (i = 0; i < n; i++) {
		if (fate[i] == KML_GROUP_MORE &&
		    !kml_greylist_push(&w->grey, group[i].work))
			fate[i] = KML_GROUP_SPECIAL;
		if (fate[i] == KML_GROUP_SPECIAL)
			kml_read_special(w, &group[i].work);
	}
	return true;
}

/**
 * kml_mark_locked() - read a plain object whose leaf is locked
 * @w: worker
 * @from: its memory
 * @size: in bytes
 *
 * The lock keeps it from being freed. What was found waits for
 * kml_mark_unlocked().
 *
 * Context: leaf->lock.
 * Return: false if KML_CHUNK bytes would be exceeded.
 */
bool kml_mark_locked(struct kml_worker *w, const void *from, size_t size)
{
	/* keeps a bytewise mark from reading words of two objects */
	size_t gap = kml_mark.bytewise ? sizeof(long) : 0;
	struct kml_taken t;

	if (w->locked_bytes + 2 * gap + size > KML_CHUNK)
		return false;
	kml_take(w, from, size, 0, &w->win, false, w->locked_cand, w->locked_bytes, &t);
	w->locked_cand = t.end;
	w->locked_bytes += t.used;
	memset(w->copy + w->locked_bytes, KML_GAP_BYTE, gap);
	w->locked_bytes += gap;
	w->stats.words += t.len / sizeof(long);
	w->stats.objects++;
	return true;
}

/* Process it. Context: process, no lock held. */
void kml_mark_unlocked(struct kml_worker *w)
{
	if (w->copies)
		kml_take_copy(w, w->copy, w->locked_bytes, &w->win);
	else
		kml_mark_take(w, &w->win, 0, w->locked_cand);
	w->locked_cand = 0;
	w->locked_bytes = 0;
}

/**
 * kml_mark_range() - read memory that stays: a root
 * @w: worker
 * @start: first byte
 * @len: in bytes
 *
 * Context: process, no lock held.
 * Return: false if stopped.
 */
bool kml_mark_range(struct kml_worker *w, const void *start, size_t len)
{
	size_t chunk;

	for (; len; start += chunk, len -= chunk) {
		chunk = min_t(size_t, len, KML_CHUNK);
		if (kml_mark.bytewise) {
			size_t all = min(len, chunk + KML_STRADDLE);
			const void *copy = start;

			/* if it is not a copy already: kml_roots_in_use() */
			if (start != w->copy)
				copy = kml_copy_bytes(w->copy, start, all, false);
			kml_take_copy(w, copy, all, &w->win);
		} else {
			kml_mark_take(w, &w->win, 0,
				      kml_filter_run(start, chunk, &w->win, w->cand));
		}
		w->stats.words += chunk / sizeof(long);
		if (kml_mark_stop(w))
			return false;
	}
	return true;
}

/**
 * kml_mark_page() - read a struct page
 * @w: worker
 * @page: the struct page
 * @self: the memory it describes: words that point there are no references
 *
 * Its members are aligned, so a bytewise mark reads it like any other.
 *
 * Context: process, no lock held.
 * Return: false if stopped.
 */
bool kml_mark_page(struct kml_worker *w, const struct page *page,
		   const struct kmemleak_range *self)
{
	w->win.self = *self;
	kml_mark_take(w, &w->win, 0,
		      kml_filter_run(page, sizeof(*page), &w->win, w->cand));
	w->win.self = (struct kmemleak_range){};
	w->stats.words += sizeof(*page) / sizeof(long);
	return !kml_mark_stop(w);
}

/**
 * kml_mark_copy() - read memory that has been copied to w->copy
 * @w: worker
 * @len: in bytes, at most KML_CHUNK
 *
 * Context: process, no lock held.
 */
void kml_mark_copy(struct kml_worker *w, size_t len)
{
	kml_take_copy(w, w->copy, len, &w->win);
	w->stats.words += len / sizeof(long);
}

/**
 * kml_mark_reserve() - read the blocks that have no metadata
 * @w: worker
 *
 * Those which this mark has not read yet.
 *
 * Context: process, no lock held.
 * Return: false if stopped.
 */
bool kml_mark_reserve(struct kml_worker *w)
{
	struct kml_reserve_block block;
	unsigned int cpu;

	while (kml_reserve_next(&block)) {
		struct kml_reading r = {
			.space = block.space,
			.start = block.start,
			.len = block.size,
			.reserved = true,
		};

		if (block.space->id == KML_PHYS &&
		    !kml_phys_in_lowmem(block.start, block.size))
			continue;
		r.win = w->win;
		for_each_possible_cpu(cpu) {
			r.from = kml_object_memory(block.space, block.start, cpu);
			if (block.space->id == KML_PHYS)
				kml_read_phys(w, &r);
			else if (kml_read(w, &r) && block.space->id == KML_PERCPU)
				continue;
			break;
		}
		if (kml_mark_stop(w))
			return false;
	}
	return true;
}
