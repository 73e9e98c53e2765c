// SPDX-License-Identifier: GPL-2.0-only
/*
 * A mark takes candidates from the words of roots and grey objects, drops those in
 * settled blocks, looks up the others, and turns the objects grey that they hit.
 *
 * Sections: pins, the side that frees; the settled bitmap; marks, from candidates to
 * grey objects; reading grey objects.
 */

#include "os.h"
#include "mark.h"

/* === Settled blocks ===================================================== */

/*
 * A block of 64 bytes is settled if all objects that overlap it are grey or black,
 * and none has an extension, for such an object may pass references on. A clear bit
 * only costs look-ups; a set bit must be true.
 *
 * An interval without leaf groups, which one object may fill, needs no bitmap of its
 * own: it points to one of two constant ones. An interval for which there was no
 * memory, or that was created during the scan, points to kml_settled_none.
 */

/**
 * kml_settled_prepare() - before a mark, settle every block of an interval
 * @iv: interval
 *
 * Context: process, a scan is active and its initiator holds kml_scan_mutex; sleeps.
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

/* Set or clear the bits [@first, @last] of a bitmap: words change atomically. */
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
 * kml_settled_clear() - unsettle the blocks of an object: pointers are looked up
 * @space: address space
 * @start: untagged start of the object
 * @size: of the object, in bytes, not 0
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
 * kml_settled_clear_page() - unsettle some blocks of a page
 * @space: address space
 * @page: untagged address of the page
 * @blocks: a bit for each of the 64 blocks; bit 0 is the first block
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

/* Can a reference to the object still change the state of any object? */
static bool kml_unsettled(const struct kml_hot *hot)
{
	u32 state = kml_hot_state(hot);

	return kml_white(state) || (state & KML_F_EXT);
}

/* Does an object that starts before @addr end before it? With KML_F_BIG: say no. */
static bool kml_ends_before(const struct kml_hot *hot, unsigned long start,
			    unsigned long addr)
{
	return !(kml_hot_state_acquire(hot) & KML_F_BIG) &&
	       READ_ONCE(hot->size) <= addr - start;
}

/* May the bit of a block be set? All objects that overlap it have to allow that. */
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

/* Settle a block that several objects share, if all of them allow it. */
static void kml_settle_shared(struct kml_space *space, unsigned long *table,
			      unsigned long addr)
{
	unsigned int bit = kml_settled_bit(addr);

	if (kml_block_settled(space, round_down(addr, KML_BLOCK_SIZE)))
		kml_settled_change(table, bit, bit, true);
}

/* Settle the part [@addr, @end] of an object; all of it is in one interval. */
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
 * kml_settled_set() - settle the blocks of an object
 * @space: address space
 * @start: untagged start of the object
 * @size: of the object, in bytes, not 0
 *
 * A block that the object shares with others is settled if these allow it. Objects
 * above KML_SETTLE_MAX are few, and stay unsettled because it would take too long.
 *
 * Context: process, RCU read-side section, while a mark runs.
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
 * kml_mark_take() drops candidates in settled blocks and looks up the others, in
 * batches. The worker whose cmpxchg turns an object grey pushes it to its list.
 *
 * Marking allocates nothing. When the list is full, the object gets KML_F_PENDING;
 * the scan walks the index for such objects after the list has been emptied (mark
 * stack overflow as in Boehm and Weiser, "Garbage collection in an uncooperative
 * environment", Software: Practice and Experience 18(9), 1988).
 */

struct kml_mark kml_mark;

/**
 * kml_worker_alloc() - allocate a worker
 *
 * A worker is never freed, because a free of a block may read its pins at any time.
 *
 * Context: process, may sleep; or boot.
 * Return: the worker, or NULL if there is no memory.
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

/* A re-grain may move the entry, hence the lock. Context: RCU read-side section. */
static void kml_mark_pending(struct kml_space *space, unsigned long start)
{
	struct kml_locked l;

	if (kml_object_lock(&l, space, start, false)) {
		kml_hot_change(l.hot, 0, KML_F_PENDING);
		kml_object_unlock(&l);
	}
	WRITE_ONCE(kml_mark.overflow, true);
}

/*
 * Let a worker take part in a job. Context: process. Return: false if there is no
 * block for its list; then it cannot take part.
 */
bool kml_mark_open(struct kml_worker *w)
{
	memset(w->nr_unsettled, 0, sizeof(w->nr_unsettled));
	w->locked_cand = 0;
	w->locked_bytes = 0;
	return kml_greylist_open(&w->grey, &kml_mark.list);
}

/* Move the worker's grey objects to the shared list. Context: process. */
void kml_mark_close(struct kml_worker *w)
{
	kml_greylist_close(&w->grey);
}

/* Let a worker look for pointers into @win. Context: process, when a job begins. */
void kml_mark_windows(struct kml_worker *w, const struct kmemleak_windows *win)
{
	w->win = *win;
	/* another filter may be chosen during the job; whether it copies stays */
	w->copies = kml_mark.bytewise || kml_filter_copies();
	memset(w->settled_cache, 0, sizeof(w->settled_cache));
}

/**
 * kml_mark_stop() - find out whether the scan has to stop
 * @w: worker, which asks every few KiB
 *
 * Context: process; may reschedule.
 * Return: true if the worker has to end its part of the job.
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

/* Let a worker read the object later. Context: RCU read-side section, no lock. */
static void kml_mark_push(struct kml_worker *w, struct kml_space *space,
			  unsigned long start, size_t size)
{
	if (likely(kml_greylist_push(&w->grey, kml_work(space->id, start, 0, size))))
		return;
	w->stats.overflows++;
	kml_mark_pending(space, start);
}

/*
 * The object has just turned grey, and @state is its new state. Context: RCU
 * read-side section, no lock held.
 */
static void kml_mark_greyed(struct kml_worker *w, struct kml_space *space,
			    unsigned long start, size_t size, u32 state)
{
	/* with an extension, its next references may have to be passed on */
	if (!(state & KML_F_EXT))
		kml_settled_set(space, start, size);
	if (kml_scannable(state))
		kml_mark_push(w, space, start, size);
}

/*
 * A word points to @addr: count a reference to the object at @start. @surplus is set
 * if the object was grey already and may have an excess_ref target. Return: false if
 * @hot is out of date and the look-up has to be repeated.
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
		/* do not use @old: a failed cmpxchg implies no ordering */
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

/*
 * Find the object that holds @addr, or with @exact starts there, and count a
 * reference. Return: the start of the object, if one was found.
 */
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
 * Forward a surplus reference to the object's excess_ref target. If the reference
 * was found in the target itself, nothing changes: the target is grey already.
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
 * Look up a batch of candidates. A cold look-up takes two dependent cache misses:
 * the leaf, then the page descriptor with the entry. Each is prefetched for the
 * whole batch. For a small batch, objects are prefetched, too: they are read next.
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

/* Look up candidates that wait for a full batch. Context: process, no lock held. */
void kml_mark_flush(struct kml_worker *w)
{
	kml_resolve(w, kml_space(KML_VIRT));
	kml_resolve(w, kml_space(KML_PERCPU));
}

/* kml_settled() with a cache of the bitmaps. Context: RCU read-side section. */
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
 * Drop candidates that neither pass the Bloom filter nor lie in the per-CPU window.
 * The loop has no branches, which could not be predicted. Return: the new @to.
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

#define KML_PREFETCH_LINES	4U		/* most objects are not longer */

/*
 * There is no other work, so the targets of these candidates are read next. Prefetch
 * their content and their leaves while the settled bits are fetched.
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
 * kml_mark_take() - process the candidates that a filter has found
 * @w: worker, with candidates in w->cand
 * @win: windows that the filter has used
 * @from: index of the first candidate
 * @to: index after the last candidate
 *
 * A word in both windows counts in both spaces. Most candidates point into settled
 * blocks and are dropped here. The others may wait for kml_mark_flush().
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

		/* an RCU read-side section may disable preemption: keep it short */
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
 * kml_mark_probe() - look for candidates in unsettled blocks, without effect
 * @w: worker
 * @start: memory that stays readable
 * @len: in bytes
 *
 * Context: process, no lock held.
 * Return: true if a word of the range may be a reference that matters.
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
 * Most objects are small and plain. They are read in groups: a group shares one
 * section with IRQs off, one barrier, and KML_CHUNK bytes. Large objects are cut
 * into slices for several workers. Special objects (per-CPU objects, objects with
 * scan areas) are read one by one.
 *
 * Candidates are collected with IRQs off and processed with IRQs on. If the filter
 * cannot run with IRQs off (kml_filter_copies()), the content is copied, and the
 * copy is filtered with IRQs on. A bytewise mark copies, too, and filters the copy
 * at each byte offset of a word.
 */

/* Is the object more than one range of memory? It is pinned. */
static bool kml_special(const struct kml_work *work, const struct kml_pinned *p)
{
	if (kml_work_space(work) == KML_PERCPU)
		return true;
	if (likely(!p->ext) || p->state & KML_F_FULL_SCAN)
		return false;
	/* pairs with the release in kml_object_add_area() */
	return smp_load_acquire(&p->ext->areas);
}

/* The result of kml_take(): a copy, or candidates in w->cand. */
struct kml_taken {
	const void *copy;		/* NULL: there are candidates instead */
	size_t len;			/* bytes read; no copy: whole words */
	size_t used;			/* bytes of w->copy that the copy uses */
	unsigned int end;		/* index after the last candidate */
};

/* Copy memory that others may be writing to. */
static void kml_copy(void *to, const void *from, size_t len)
{
	kasan_disable_current();
	kcsan_disable_current();
	memcpy(to, kasan_reset_tag(from), len);
	kcsan_enable_current();
	kasan_enable_current();
}

/* Bytes after a chunk that a word may reach which begins in the chunk. */
#define KML_STRADDLE	(sizeof(long) - 1)

/*
 * Fills the gaps between copies. On 64 bits no kernel address has this highest byte.
 * With pointer tags the filter ignores that byte: then a word that ends in a gap may
 * be a candidate, which at worst hides a leak.
 */
#define KML_GAP_BYTE	0x55

/* Copy such that words that are aligned in memory are aligned in the copy. */
static void *kml_copy_bytes(void *to, const void *from, size_t len)
{
	size_t gap = (from - to) % sizeof(long);

	memset(to, KML_GAP_BYTE, gap);
	kml_copy(to + gap, from, len);
	return to + gap;
}

/*
 * Read @len bytes of an object: store their candidates after the first @nr in
 * w->cand, or a copy after the first @used bytes of w->copy. The object has @more
 * bytes after these, of which a bytewise mark also reads up to KML_STRADDLE.
 * Context: IRQs off; the object is pinned or its leaf is locked.
 */
static void kml_take(struct kml_worker *w, const void *from, size_t len,
		     size_t more, const struct kmemleak_windows *win,
		     unsigned int nr, size_t used, struct kml_taken *t)
{
	const void *first = PTR_ALIGN(from, sizeof(long));
	size_t skip = first - from;

	t->end = nr;
	if (kml_mark.bytewise) {
		t->len = len + min(more, KML_STRADDLE);
		t->copy = kml_copy_bytes(w->copy + used, from, t->len);
		t->used = t->copy - (void *)w->copy - used + t->len;
		return;
	}
	t->copy = NULL;
	t->len = len > skip ? round_down(len - skip, sizeof(long)) : 0;
	t->used = t->len;
	if (!w->copies) {
		t->end += kml_filter_run(first, t->len, win, w->cand + nr);
		return;
	}
	t->copy = w->copy + used;
	kml_copy(w->copy + used, first, t->len);
}

/*
 * Filter a copy and process its candidates; in a bytewise mark at each byte offset.
 * Per-CPU pointers count in aligned words only: they may be small numbers, and parts
 * of two neighbouring numbers too easily look like one.
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

/* Process the result of kml_take(). @from: first candidate, if there is no copy. */
static void kml_taken(struct kml_worker *w, const struct kmemleak_windows *win,
		      unsigned int from, const struct kml_taken *t)
{
	if (t->copy)
		kml_take_copy(w, t->copy, t->len, win);
	else
		kml_mark_take(w, win, from, t->end);
}

/* A range in an object, which is read by chunks. */
struct kml_reading {
	struct kml_space *space;
	unsigned long start;		/* of the object */
	size_t off;			/* of the range, in the object */
	const void *from;		/* memory of the range */
	size_t len;			/* of the range, in bytes */
	struct kmemleak_windows win;
	bool reserved;			/* the block is in the reserve */
};

/*
 * Read one chunk, at offset @off of the range. Return: false if the object is gone,
 * too short by now, or not to be scanned any more.
 */
static bool kml_read_chunk(struct kml_worker *w, struct kml_reading *r,
			   size_t off, size_t len)
{
	struct kml_taken taken;
	unsigned long flags;
	struct kml_pinned p;
	size_t size = 0;
	bool alive;

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
	/* since the last chunk the object may have shrunk or been replaced */
	alive = r->off + off + len <= size;
	if (alive)
		kml_take(w, r->from + off, len,
			 min(r->len - off, size - r->off - off) - len,
			 &r->win, 0, 0, &taken);
	kml_unpin(&w->pins, 0);
	local_irq_restore(flags);
	rcu_read_unlock();

	if (alive) {
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
 * Find the scan area number @i of an object. A new area is added at the head of the
 * list and shifts the numbers of the others: one of these may then be read twice,
 * but none is missed. The new area is read by the next mark.
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

/* Read a special object, or a plain one whose rest the list has no room for. */
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
		kml_read(w, &r);
	}

	w->self_percpu = (struct kmemleak_range){};
}

/* A part of an object that is to be read, and the object's leaf. */
struct kml_item {
	struct kml_work work;
	struct kml_leaf *leaf;
};

#define KML_FETCH_LINES	8U	/* the hardware prefetcher fetches further lines */

/*
 * Take the objects of a group from the list. Their content is likely to be cold, and
 * so are the leaf, the page descriptor and the entry. Each of these is prefetched
 * for the whole group before the next one is needed.
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

	/* it is read at once, and kml_prefetch_targets() has prefetched it */
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

/* The result of reading one object of a group. */
enum kml_group_fate {
	KML_GROUP_DONE,
	KML_GROUP_SPECIAL,	/* kml_read_special() has to read it */
	KML_GROUP_MORE,		/* the rest has to be read, from work->off on */
};

/*
 * Split a large object after the current slice, and push the rest for any worker to
 * read. If the list is full, the object is not split.
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
 * Read the next chunk of a pinned object, if it fits into KML_CHUNK bytes after the
 * @used ones; else leave @taken alone. The group has @nr candidates so far.
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
	if (unlikely(kml_special(work, &p)))
		return KML_GROUP_SPECIAL;
	if (unlikely(p.size > KML_SLICE))
		kml_slice(w, work, p.size);
	end = kml_work_end(work, p.size);
	len = min(end - off, KML_CHUNK);
	if (*used + len > KML_CHUNK)
		return KML_GROUP_MORE;

	if (space->id == KML_VIRT) {
		w->win.self.min = kml_work_start(work);
		w->win.self.len = p.size;
	}
	kml_take(w, kml_object_memory(space, kml_work_start(work), 0) + off, len,
		 p.size - off - len, &w->win, nr, *used, taken);
	*used += taken->used;
	w->stats.words += len / sizeof(long);
	w->stats.objects += !off;
	if (off + len == end)
		return KML_GROUP_DONE;
	work->off_space += len;
	return KML_GROUP_MORE;
}

/**
 * kml_mark_group() - read a chunk of each of some grey objects
 * @w: worker
 *
 * Context: process, no lock held. IRQs are off while up to KML_CHUNK bytes are read.
 * Return: false if neither the worker nor the shared list has a grey object.
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
 * @from: memory of the object
 * @size: of the object, in bytes
 *
 * The lock keeps the object from being freed. Its candidates or its copy wait for
 * kml_mark_unlocked().
 *
 * Context: leaf->lock.
 * Return: false if the object was not read, because it does not fit into KML_CHUNK
 * bytes with the objects read since the last kml_mark_unlocked().
 */
bool kml_mark_locked(struct kml_worker *w, const void *from, size_t size)
{
	/* keeps a bytewise mark from reading words of two objects */
	size_t gap = kml_mark.bytewise ? sizeof(long) : 0;
	struct kml_taken t;

	if (w->locked_bytes + 2 * gap + size > KML_CHUNK)
		return false;
	kml_take(w, from, size, 0, &w->win, w->locked_cand, w->locked_bytes, &t);
	w->locked_cand = t.end;
	w->locked_bytes += t.used;
	memset(w->copy + w->locked_bytes, KML_GAP_BYTE, gap);
	w->locked_bytes += gap;
	w->stats.words += t.len / sizeof(long);
	w->stats.objects++;
	return true;
}

/* Process the objects that kml_mark_locked() has read. Context: process, no lock. */
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
 * kml_mark_range() - read a root
 * @w: worker
 * @start: memory that stays readable, or w->copy
 * @len: in bytes; at most KML_CHUNK for w->copy
 *
 * Context: process, no lock held.
 * Return: false if the scan has to stop.
 */
bool kml_mark_range(struct kml_worker *w, const void *start, size_t len)
{
	size_t chunk;

	for (; len; start += chunk, len -= chunk) {
		chunk = min_t(size_t, len, KML_CHUNK);
		if (kml_mark.bytewise) {
			size_t all = min(len, chunk + KML_STRADDLE);
			const void *copy = start;

			/* kml_roots_lost() has made a copy already */
			if (start != w->copy)
				copy = kml_copy_bytes(w->copy, start, all);
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
 * kml_mark_lock_mems() - take the memory hotplug lock, unless the scan has to stop
 * @w: worker
 *
 * A memory block that does not go offline may keep readers out for as long as somebody
 * tries to offline it. A request to stop must not wait for that, so the lock is tried
 * again and again. A helper that is leaving keeps trying: the holder of the lock also
 * holds cpu_hotplug_lock, so no CPU goes away meanwhile.
 *
 * Context: process, memory hotplug lock not held; put_online_mems() releases it.
 * Return: false if stopped.
 */
bool kml_mark_lock_mems(struct kml_worker *w)
{
	while (!try_get_online_mems()) {
		if (kml_mark_stop(w))
			return false;
		usleep_range_state(500, 1000 * KML_SIGNAL_POLL_MSECS, TASK_IDLE);
	}
	return true;
}

/**
 * kml_mark_phys() - read a piece of a physical block
 * @w: worker
 * @start: physical address of its first byte
 * @len: in bytes
 * @reserved: the block, if it is in the reserve, or NULL
 *
 * Context: process, memory hotplug lock not held.
 * Return: false if stopped.
 */
bool kml_mark_phys(struct kml_worker *w, unsigned long start, size_t len,
		   const struct kml_reserve_block *reserved)
{
	size_t off, step, got, gap, skip;

	for (off = 0; off < len; off += step) {
		unsigned long from = start + off;

		/* words that are aligned in memory are aligned in the copy */
		gap = from % sizeof(long);
		step = min(len - off, KML_PAGE_SIZE - from % KML_PAGE_SIZE);
		if (kml_mark_stop(w) || !kml_mark_lock_mems(w))
			return false;
		got = kml_phys_copy(&w->pins, w->copy + gap, from, step,
				    kml_mark.bytewise ? KML_STRADDLE : 0, reserved);
		put_online_mems();
		skip = kml_mark.bytewise ? gap : ALIGN(gap, sizeof(long));
		if (gap + got > skip)
			kml_take_copy(w, w->copy + skip, gap + got - skip, &w->win);
		w->stats.words += got / sizeof(long);
	}
	return true;
}

/**
 * kml_mark_page() - read a struct page
 * @w: worker
 * @page: the struct page
 * @self: memory that it describes; words that point there are no references
 *
 * Even a bytewise mark reads aligned words only, for the members are aligned.
 *
 * Context: process, no lock held.
 * Return: false if the scan has to stop.
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
 * kml_mark_copy() - filter the content of w->copy and process its candidates
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
 * kml_mark_reserve() - read blocks of the reserve
 * @w: the initiator's worker
 *
 * Reads those blocks of the current round that this mark has not read yet.
 *
 * Context: process, kml_scan_mutex held.
 * Return: false if the scan has to stop.
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

		if (block.space->id == KML_PHYS) {
			if (!kml_mark_phys(w, block.start, block.size, &block))
				return false;
			continue;
		}
		r.win = w->win;
		for_each_possible_cpu(cpu) {
			r.from = kml_object_memory(block.space, block.start, cpu);
			if (!kml_read(w, &r) || block.space->id != KML_PERCPU)
				break;
		}
		if (kml_mark_stop(w))
			return false;
	}
	return true;
}
