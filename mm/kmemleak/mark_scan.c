// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading grey objects.
 *
 * Most are small and plain: they are taken in groups which share one section
 * with IRQs off, one barrier and KML_CHUNK bytes. Large ones are cut into slices
 * for several workers. What needs more (per-CPU objects, scan areas) is read one
 * by one.
 * Candidates are collected with IRQs off and processed with IRQs on. Where the
 * filter cannot run with IRQs off (kml_filter_copies()) content is copied then,
 * and filtered after. A bytewise mark copies content as well, and filters the copy
 * once for each byte offset of a word.
 */

#include "os.h"
#include "interval.h"
#include "mark.h"
#include "reserve.h"
#include "roots.h"
#include "snapshot.h"
#include "track.h"

/* Needs more than a plain range of memory? The object is pinned. */
static bool kml_special(const struct kml_work *work, const struct kml_pinned *p)
{
	if (kml_work_space(work) == KML_PERCPU)
		return true;
	if (likely(!p->ext) || p->state & KML_F_FULL_SCAN)
		return false;
	/* pairs with the release in kml_track_add_area() */
	return smp_load_acquire(&p->ext->areas);
}

/* What was taken from an object while it stayed, see kml_take(). */
struct kml_taken {
	const void *copy;		/* or NULL: candidates are in w->cand */
	size_t len;			/* of the copy; without, whole words */
	size_t used;			/* what the copy took of w->copy */
	unsigned int end;		/* of the candidates */
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

/* Bytes after a chunk which a word that begins in the chunk may reach. */
#define KML_STRADDLE	(sizeof(long) - 1)

/* The highest byte of no kernel address, tagged or not, on 64 bits. */
#define KML_GAP_BYTE	0x55

/* Copy to where the words that are aligned in memory are aligned in the copy. */
static void *kml_copy_bytes(void *to, const void *from, size_t len)
{
	size_t gap = (from - to) % sizeof(long);

	memset(to, KML_GAP_BYTE, gap);
	kml_copy(to + gap, from, len);
	return to + gap;
}

/*
 * Take candidates from memory that is pinned or whose leaf is locked, behind the
 * first @nr, or a copy of it, behind the first @used bytes of copies. A bytewise
 * mark takes up to KML_STRADDLE of the @more bytes that the object has after
 * @len. Context: IRQs off.
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
	unsigned long flags;
	struct kml_pinned p;
	size_t size = 0;
	bool alive, take;

	rcu_read_lock();
	local_irq_save(flags);
	kml_pin(&w->pins, 0, r->start);
	/* pairs with the atomic in kml_remove_entry(), see pin.h */
	smp_mb();
	if (r->reserved)
		size = kml_reserve_size(r->space, r->start);
	else if (kml_lookup_pinned(kml_leaf_of(r->space, r->start), r->start, &p) &&
		 kml_scannable(p.state))
		size = p.size;
	/* it may have become shorter, or be another one, since the last chunk */
	alive = r->off + off + len <= size;
	take = alive && (r->space->id != KML_PHYS ||
			 kml_phys_is_root(r->start + r->off + off, len));
	if (take)
		kml_take(w, r->from + off, len,
			 min(r->len - off, size - r->off - off) - len,
			 &r->win, 0, 0, &taken);
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
	while (n < KML_PINS && kml_deque_pop(&w->deque, &group[n].work)) {
		const struct kml_work *work = &group[n].work;

		group[n].leaf = kml_leaf_of(kml_space(kml_work_space(work)),
					    kml_work_start(work));
		prefetch(group[n].leaf);
		n++;
	}
	rcu_read_unlock();

	/* alone it is needed at once, and kml_mark_hurry() has seen to it */
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
static void kml_cut(struct kml_worker *w, struct kml_work *work, size_t size)
{
	size_t off = kml_work_off(work);
	size_t next = round_down(off, KML_SLICE) + KML_SLICE;
	struct kml_work rest;

	if (work->off_space & KML_WORK_SLICE || next >= size)
		return;
	rest = kml_work(kml_work_space(work), kml_work_start(work), next, size);
	if (kml_deque_push(&w->deque, rest))
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
	if (unlikely(kml_special(work, &p)))
		return KML_GROUP_SPECIAL;
	if (unlikely(p.size > KML_SLICE))
		kml_cut(w, work, p.size);
	end = kml_work_end(work, p.size);
	len = min(end - off, KML_CHUNK);
	if (*used + len > KML_CHUNK)
		return KML_GROUP_MORE;

	if (space->id == KML_VIRT) {
		w->win.self.min = kml_work_start(work);
		w->win.self.len = p.size;
	}
	if (space->id != KML_PHYS || kml_phys_is_root(kml_work_start(work) + off, len)) {
		kml_take(w, kml_object_memory(space, kml_work_start(work), 0) + off, len,
			 p.size - off - len, &w->win, nr, *used, taken);
		*used += taken->used;
		w->stats.words += len / sizeof(long);
	}
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
	/* pairs with the atomic in kml_remove_entry(), see pin.h */
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
		    !kml_deque_push(&w->deque, group[i].work))
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
	kml_take(w, from, size, 0, &w->win, w->locked_cand, w->locked_bytes, &t);
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
			if (!kml_read(w, &r) || block.space->id != KML_PERCPU)
				break;
		}
		if (kml_mark_stop(w))
			return false;
	}
	return true;
}
