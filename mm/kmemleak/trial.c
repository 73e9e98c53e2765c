// SPDX-License-Identifier: GPL-2.0-only
/* The trial of suspects: confirming marks and the search of untracked memory. */

#include "os.h"
#include "scan.h"

/* === Bloom filter of suspects =========================================== */

/* With more bits set, too many candidates pass for the test to pay. */
#define KML_BLOOM_MAX	(KML_BLOOM_BITS / 4)

/* Protected by kml_scan_mutex. All workers set bits. */
static unsigned long *kml_bloom;
static atomic_long_t kml_bloom_blocks;

/*
 * Allocate an empty filter. Without memory there is none, and all candidates pass.
 * Context: process, kml_scan_mutex held.
 */
void kml_bloom_open(void)
{
	kml_bloom = kml_pool_alloc(KML_POOL_BLOOM, GFP_KERNEL);
	atomic_long_set(&kml_bloom_blocks, 0);
}

/*
 * Add an object, so that pointers to it pass. Context: any, between
 * kml_bloom_open() and kml_bloom_ready().
 */
void kml_bloom_add(unsigned long start, size_t size)
{
	unsigned long block = start >> KML_BLOCK_SHIFT;
	unsigned long last = kml_last(start, size) >> KML_BLOCK_SHIFT;

	if (!kml_bloom || last - block >= KML_BLOOM_MAX ||
	    atomic_long_add_return(last - block + 1, &kml_bloom_blocks) >
	    KML_BLOOM_MAX) {
		atomic_long_set(&kml_bloom_blocks, KML_BLOOM_MAX + 1);
		return;
	}
	while (block <= last) {
		unsigned int bit = block % KML_BLOOM_BITS;
		unsigned int shift = bit % BITS_PER_LONG;
		unsigned long n = min(last - block + 1, BITS_PER_LONG - shift);

		/* whole words: a large object has thousands of bits, and a lock is held */
		atomic_long_or((~0UL >> (BITS_PER_LONG - n)) << shift,
			       (atomic_long_t *)&kml_bloom[BIT_WORD(bit)]);
		block += n;
	}
}

/**
 * kml_bloom_ready() - get the filter after all objects have been added
 *
 * Context: process, kml_scan_mutex held.
 * Return: the bitmap, or NULL if all candidates are to pass.
 */
const unsigned long *kml_bloom_ready(void)
{
	if (atomic_long_read(&kml_bloom_blocks) > KML_BLOOM_MAX)
		return NULL;
	return kml_bloom;
}

void kml_bloom_close(void)
{
	kml_pool_free(KML_POOL_BLOOM, kml_bloom);
	kml_bloom = NULL;
}

/* === Confirming marks =================================================== */

/*
 * During the first mark the only reference to a suspect may have moved from memory
 * that was not read yet to memory that was. So a confirming mark reads all roots and
 * all grey objects again. Objects that it finds turn grey and are read, too. The
 * result is that of a second full mark, since such a mark reads no other memory.
 *
 * The first mark reads aligned words. A confirming mark reads words at every byte
 * offset (kml_mark.bytewise), since a packed structure may hold the only pointer.
 * kml_confirm_all() in scan.c decides how many confirming marks there are.
 *
 * A confirming mark is much cheaper than the first one. It makes few objects white,
 * so the settled bits stay valid: they are set for all objects that are not white.
 * Grey objects are read in the order of their addresses. The range filter passes only
 * words that point between the first suspect and the last, and few of these words
 * pass the Bloom filter unless they point to a suspect.
 *
 * References are counted again, from zero, for these objects:
 *
 * - Suspects. They may have some references, but fewer than they need.
 * - Objects that are grey only because their checksum changed (KML_F_PROVISIONAL), and
 *   objects whose colour or count depends on those. To users they are unreferenced: a
 *   report of such an object stays in the list.
 * - Objects that pass surplus references to one of the above. They become
 *   KML_F_PROVISIONAL. If such an object needs no references itself, it stays grey.
 *   Every reference to such a grey object is surplus, and the Bloom filter has it.
 * - White objects that are not suspects, because they have been reported already or
 *   are too young. They may refer to a suspect.
 *
 * An object that turns grey in this mark becomes KML_F_PROVISIONAL and is put on the
 * work list, and the sweep skips it. So each object is read once. If it were read
 * twice, its references would count twice.
 *
 * An object that an earlier confirming mark found stays grey for the rest of the
 * scan, since it was referenced. So the number of suspects can only decrease.
 */

static void kml_extent_add(struct kml_extent *e, unsigned long start, size_t size)
{
	e->min = min(e->min, start);
	e->last = max(e->last, kml_last(start, size));
}

/* Is the object that gets the surplus references of @hot counted again? */
static bool kml_excess_target_recounted(const struct kml_hot *hot)
{
	unsigned long start = kml_untag(~kml_ext(hot)->not_excess);
	struct kml_hot *target;

	if (!start)
		return false;
	target = kml_lookup_exact(kml_space(KML_VIRT), start);
	return target && kml_hot_state(target) & (KML_F_SUSPECT | KML_F_PROVISIONAL);
}

/*
 * Make an object white, with no references. If it was grey, its number of
 * consecutive unreferenced scans restarts at zero. Context: leaf->lock.
 */
static void kml_make_white(struct kml_hot *hot, u32 set)
{
	u32 clear = KML_COUNT_MASK;

	if (!kml_white(kml_hot_state(hot)))
		clear |= KML_F_UNREF;
	if (kml_hot_change(hot, clear, set) & clear & KML_F_UNREF)
		kml_cold_set_unref(hot->cold, 0);
}

static enum kml_visit kml_recount_visit(struct kml_visitor *v, struct kml_space *space,
					unsigned long start, struct kml_hot *hot)
{
	struct kml_walk_ctx *ctx = kml_walk_ctx(v);
	u32 state = kml_hot_state(hot);
	size_t size;

	/*
	 * The object stays grey for this scan, and the sweep reads it, if it was
	 * painted grey after its checksum changed or if the previous confirming mark
	 * found it.
	 */
	if (state & KML_F_PROVISIONAL &&
	    (!kml_state_min(state) || (kml_mark.confirm && kml_grey(state))))
		state = kml_hot_change(hot, KML_F_PROVISIONAL, 0) & ~KML_F_PROVISIONAL;
	if (kml_mark.add_counts && kml_white(state) &&
	    state & (KML_F_SUSPECT | KML_F_PROVISIONAL)) {
		/* keep the count: references from untracked memory are added to it */
	} else if (state & KML_F_SUSPECT) {
		kml_hot_change(hot, KML_COUNT_MASK, 0);
	} else if (state & KML_F_PROVISIONAL) {
		kml_make_white(hot, 0);
	} else if (state & KML_F_EXT && kml_grey(state) && !(state & KML_F_NEW) &&
		   kml_excess_target_recounted(hot)) {
		/* an object with min_count 0 stays grey: all references are surplus */
		if (kml_state_min(state) && !kml_mark.add_counts)
			kml_make_white(hot, KML_F_PROVISIONAL);
	} else {
		return KML_VISIT_NEXT;
	}

	size = kml_hot_size(hot, state);
	if (space->id == KML_VIRT)
		kml_bloom_add(start, size);
	kml_extent_add(&ctx->w->recount[space->id], start, size);
	if (!kml_grey(state))
		return KML_VISIT_NEXT;
	return kml_walk_unsettle(ctx, space, start, size);
}

/* Select the intervals and the pages with objects that are counted again. */
static bool kml_interval_wants_recount(const struct kml_interval *iv)
{
	return READ_ONCE(iv->recount) || READ_ONCE(iv->excess);
}

static bool kml_leaf_wants_recount(const struct kml_leaf *leaf)
{
	return READ_ONCE(leaf->recount_seq) == kml_recount_seq || READ_ONCE(leaf->excess);
}

static bool kml_source_recount(struct kml_worker *w)
{
	struct kml_walk_ctx ctx = {
		.v = {
			.visit = kml_recount_visit,
			.unlocked = kml_walk_unsettle_big,
			.resched = kml_walk_resched,
			.wants_interval = kml_interval_wants_recount,
			.wants_leaf = kml_leaf_wants_recount,
		},
		.w = w,
	};

	return kml_walk_share(&w->cursor, &ctx.v);
}

static void kml_extent_init(struct kml_worker *w, void *data)
{
	unsigned int id;

	for (id = 0; id < KML_NR_SPACES; id++)
		w->recount[id] = (struct kml_extent){ .min = ULONG_MAX };
}

static void kml_extent_merge(struct kml_worker *w, void *data)
{
	struct kml_extent *all = data;
	unsigned int id;

	for (id = 0; id < KML_NR_SPACES; id++) {
		all[id].min = min(all[id].min, w->recount[id].min);
		all[id].last = max(all[id].last, w->recount[id].last);
	}
}

/**
 * kml_confirm_prepare() - prepare a confirming mark
 * @w: the initiator's worker
 * @bytewise: read words at every byte offset
 * @add: the mark will read memory that no mark has read: keep the references that
 *	the previous mark has counted
 *
 * Context: process, kml_scan_mutex held.
 * Return: false if the scan was stopped.
 */
bool kml_confirm_prepare(struct kml_worker *w, bool bytewise, bool add)
{
	kml_mark.add_counts = add;
	kml_workers_each(kml_extent_init, NULL);
	kml_bloom_close();
	kml_bloom_open();
	if (!kml_workers_run(kml_source_recount, false))
		return false;
	kml_mark.bloom = kml_bloom_ready();

	kml_workers_each(kml_extent_merge, w->recount);
	w->base.virt = kml_filter_range(w->recount[KML_VIRT].min,
					w->recount[KML_VIRT].last);
	w->base.percpu = kml_filter_range(w->recount[KML_PERCPU].min,
					  w->recount[KML_PERCPU].last);
	kml_mark.provisional = true;
	kml_mark.confirm = true;
	kml_mark.bytewise = bytewise;
	kml_mark_windows(w, &w->base);
	return true;
}

static enum kml_visit kml_sweep(struct kml_visitor *v, struct kml_space *space,
				unsigned long start, struct kml_hot *hot)
{
	struct kml_worker *w = kml_walk_ctx(v)->w;
	u32 state = kml_hot_state(hot);

	if (!kml_grey(state) || !kml_scannable(state) ||
	    state & (KML_F_NEW | KML_F_PROVISIONAL))
		return KML_VISIT_NEXT;
	/*
	 * The leaf is locked, so read small plain objects now. References of an object
	 * to itself do no harm: it is grey and passes no surplus references.
	 */
	if (space->id != KML_VIRT || state & (KML_F_EXT | KML_F_BIG) ||
	    !kml_mark_locked(w, kml_object_memory(space, start, 0), hot->size))
		kml_grey_push(w, space, start, hot);
	return KML_VISIT_NEXT;
}

/*
 * After each page: read the objects that kml_sweep() has put on the work list. A
 * helper that has to leave does not read them, so that other workers do.
 */
static bool kml_sweep_page(struct kml_visitor *v)
{
	struct kml_worker *w = kml_walk_ctx(v)->w;

	kml_mark_unlocked(w);
	while (!kml_workers_leaving(w) && kml_mark_group(w)) {
		if (kml_mark_stop(w))
			return true;
		kml_workers_share(w);
	}
	return kml_mark_stop(w);
}

/* Read all grey objects. Call it when kml_roots_next() has no more roots. */
bool kml_source_sweep(struct kml_worker *w)
{
	struct kml_walk_ctx ctx = {
		.v = { .visit = kml_sweep, .resched = kml_sweep_page },
		.w = w,
	};

	return kml_walk_share(&w->cursor, &ctx.v);
}

/* Report a suspect that is still white, if enough scans found it unreferenced. */
static enum kml_visit kml_report_visit(struct kml_visitor *v, struct kml_space *space,
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

/* Add the remaining suspects to the report. This part of a scan cannot be stopped. */
void kml_report_suspects(void)
{
	struct kml_visitor v = {
		.visit = kml_report_visit,
		.wants_interval = kml_interval_wants_recount,
		.wants_leaf = kml_leaf_wants_recount,
	};
	unsigned int id;

	kml_report_room(atomic_long_read(&kml_mark.suspects));
	for (id = 0; id < KML_NR_SPACES; id++)
		kml_walk(kml_space(id), &v);
	kml_report_added();
}

/* === Untracked memory =================================================== */

/*
 * Pages of alloc_pages() and blocks of kmalloc_nolock() are no objects. kmemleak does
 * not know whether they are referenced, but they are in use, and so are the objects
 * to which they refer. Marks do not read them: there are many, with many words that
 * only look like pointers. If suspects are left after the last confirming mark,
 * these pages and blocks are searched for words that point to a suspect. An object
 * that is found only here is not reported but listed, with the page
 * (kmemleak_pages).
 *
 * These pages are not searched: memory of users, the page cache, free memory, pages
 * that have a page type (slab, page tables, ballooned pages, large kmalloc() blocks,
 * ...), and reserved pages, which are tracked as physical blocks or must not be read.
 *
 * The struct page does not show whether a page is a part of a tracked block (of
 * vmalloc(), of a per-CPU chunk, of a driver that calls kmemleak_alloc()) or of the
 * stack of a task, for which roots.c has the rules. To find out, all of these must be
 * walked. So the search has three steps:
 *
 * 1. All workers search. A word that points to a suspect becomes a hit.
 * 2. The initiator drops the hits in tracked memory and in stacks.
 * 3. The initiator reads the words of the other hits again and counts them as
 *    references. All workers read the objects that turn grey, as in any mark.
 *
 * A page may get another owner at any time. The worst effect is that a stale word
 * counts, which hides a suspect during this scan. A page may also go offline between
 * the steps: each step looks for that before it touches the page.
 */

/* A word that points to a suspect. Addresses are inverted, see kmemleak.h. */
struct kml_hit {
	unsigned long pfn;
	unsigned long nolock_at;	/* place of the block in its table, or KML_NO_BLOCK */
	unsigned long not_block;	/* start of this block */
	unsigned long not_target;	/* start of the object that the word points to */
	u32 off;			/* offset of the word in the page or block */
	u8 space;			/* address space of the object */
	u8 order;			/* order of the page */
	bool dropped;			/* not a reference */
};

#define KML_NO_BLOCK	ULONG_MAX

/* An object to which only untracked memory refers. */
struct kml_held {
	unsigned long not_start;
	unsigned long pfn;		/* 0: only another such object refers to it */
	unsigned long born;
	u32 stamp;
	u8 space;
	u8 order;
};

/* Protected by kml_scan_mutex. Workers add hits under kml_hits_lock. */
#define KML_MAX_HITS	4096UL

static DEFINE_SPINLOCK(kml_hits_lock);
static struct kml_hit *kml_hits;
static unsigned long kml_nr_hits;

static struct kml_held *kml_held;
static unsigned long kml_held_room;
static unsigned long kml_nr_held;

/* Tables are not scanned, since the values in their unused part may be stale. */
static void *kml_table_alloc(unsigned long nr, size_t size)
{
	void *table = kvcalloc(nr, size, GFP_KERNEL | __GFP_NOWARN);

	if (table)
		kml_object_paint(kml_space(KML_VIRT), (unsigned long)table, -1);
	return table;
}

static bool kml_pfn_is_untracked(struct page *page, unsigned long pfn)
{
	/* All pages of a block but the first have a count of 0, so do not test it. */
	return !PageReserved(page) && !kml_pfn_has_owner(page) &&
	       !is_page_hwpoison(page) && !pfn_is_unaccepted_memory(pfn);
}

/* Is the object at @addr counted again? Sets the object in @hit. */
static bool kml_target_wanted(struct kml_space *space, unsigned long addr,
			      struct kml_hit *hit)
{
	struct kml_locked l;
	u32 state;

	if (!kml_object_lock(&l, space, addr, true))
		return false;
	state = kml_hot_state(l.hot);
	hit->not_target = ~l.start;
	hit->space = space->id;
	kml_object_unlock(&l);
	return kml_white(state) && state & (KML_F_SUSPECT | KML_F_PROVISIONAL);
}

/* Does @word point to such an object? Per-CPU pointers: see kml_take_copy(). */
static bool kml_word_wanted(const struct kml_worker *w, unsigned long word,
			    bool aligned, struct kml_hit *hit)
{
	if (word - w->win.virt.min < w->win.virt.len &&
	    (!kml_mark.bloom || kml_bloom_passes(kml_mark.bloom, word)) &&
	    kml_target_wanted(kml_space(KML_VIRT), word, hit))
		return true;
	return aligned && word - w->win.percpu.min < w->win.percpu.len &&
	       kml_target_wanted(kml_space(KML_PERCPU), word, hit);
}

/*
 * Record a hit. Without room, the word counts as a reference at once, even if the
 * memory is tracked.
 */
static void kml_hit_add(struct kml_worker *w, unsigned long word,
			const struct kml_hit *hit)
{
	bool room;

	spin_lock(&kml_hits_lock);
	room = kml_nr_hits < KML_MAX_HITS;
	if (room)
		kml_hits[kml_nr_hits++] = *hit;
	spin_unlock(&kml_hits_lock);
	if (room)
		return;
	w->cand[0] = word;
	kml_mark_take(w, &w->win, 0, 1);
}

/* Search @len bytes in w->copy. @hit has the place from which they were copied. */
static void kml_search_copy(struct kml_worker *w, size_t len, u32 base,
			    struct kml_hit *hit)
{
	unsigned long word;
	unsigned int nr;
	size_t i, off;

	for (i = 0; i < sizeof(long) && i + sizeof(long) <= len; i++) {
		nr = kml_filter_run_at(w->copy + i, len - i, &w->win, w->cand);
		/* usually the filter finds no candidate, and the words are skipped */
		for (off = i; nr && off + sizeof(long) <= len; off += sizeof(long)) {
			word = kml_untag(get_unaligned((unsigned long *)(w->copy + off)));
			if (!kml_word_wanted(w, word, !i, hit))
				continue;
			hit->off = base + off;
			kml_hit_add(w, word, hit);
		}
	}
	w->stats.words += len / sizeof(long);
}

/**
 * kml_untracked_next() - visit the untracked pages among a few MiB that no other task
 * has taken
 * @sink: its @lock and @stop are called
 * @visit: called for each page in use that belongs neither to a user nor to a block
 *
 * Call kml_roots_begin() before.
 *
 * Context: process, several tasks at a time; memory hotplug lock not held, but held
 * when @visit is called; sleeps.
 * Return: false if no pages are left, or if the sink stops the search.
 */
bool kml_untracked_next(struct kml_root_sink *sink,
			void (*visit)(struct kml_root_sink *sink, struct page *page,
				      unsigned long pfn))
{
	unsigned long pfn, end, nr;
	unsigned int skipped = 0;
	struct zone *zone;
	bool first = true;

	if (!sink->lock(sink))
		return false;
	zone = kml_roots_pages(&pfn, &end);
	for (; zone && pfn < end; pfn += nr) {
		struct page *page = pfn_to_online_page(pfn);

		nr = 1;
		/* skipping a page is cheap: test for a stop only every 64 pages */
		if (!(++skipped % 64) && sink->stop(sink))
			break;
		if (!page || page_zone(page) != zone)
			continue;
		nr = kml_pages_free(zone, pfn, first);
		first = false;
		if (nr)
			continue;
		nr = 1;
		if (kml_pfn_is_untracked(page, pfn)) {
			visit(sink, page, pfn);
			if (sink->stop(sink))
				break;
		}
	}
	put_online_mems();
	return zone;
}

/* A worker that searches untracked memory. */
struct kml_search {
	struct kml_root_sink sink;	/* must be first */
	struct kml_worker *w;
};

static struct kml_worker *kml_search_worker(struct kml_root_sink *sink)
{
	return container_of(sink, struct kml_search, sink)->w;
}

static bool kml_search_stop(struct kml_root_sink *sink)
{
	return kml_mark_stop(kml_search_worker(sink));
}

static bool kml_search_lock(struct kml_root_sink *sink)
{
	return kml_mark_lock_mems(kml_search_worker(sink));
}

static void kml_search_page(struct kml_root_sink *sink, struct page *page,
			    unsigned long pfn)
{
	struct kml_worker *w = kml_search_worker(sink);
	struct page *head = compound_head(page);
	struct kml_hit hit = {
		.pfn = pfn,
		.nolock_at = KML_NO_BLOCK,
		.order = PageHead(head) ? compound_order(head) : 0,
	};
	size_t off;

	for (off = 0; off < PAGE_SIZE; off += KML_CHUNK)
		if (kml_roots_copy(page, off, w->copy, KML_CHUNK))
			kml_search_copy(w, KML_CHUNK, off, &hit);
}

static bool kml_source_pages(struct kml_worker *w)
{
	struct kml_search s = {
		.sink = { .stop = kml_search_stop, .lock = kml_search_lock },
		.w = w,
	};

	return kml_untracked_next(&s.sink, kml_search_page);
}

/* Copy a part of a block that may be freed concurrently. Return: false if unmapped. */
bool kml_block_copy(void *to, unsigned long from, size_t len)
{
	return !copy_from_kernel_nofault(to, kasan_reset_tag((void *)from), len);
}

/* Context: memory hotplug lock: the block is there, and with it its struct page. */
static void kml_search_block(struct kml_worker *w, unsigned long at,
			     const struct kml_nolock_block *block)
{
	struct page *head = virt_to_head_page((void *)block->start);
	struct kml_hit hit = {
		.pfn = page_to_pfn(head),
		.nolock_at = at,
		.not_block = ~block->start,
		.order = compound_order(head),
	};
	size_t off, len;

	for (off = 0; off < block->size; off += len) {
		len = min_t(size_t, block->size - off, KML_CHUNK);
		if (kml_block_copy(w->copy, block->start + off, len))
			kml_search_copy(w, len, off, &hit);
	}
}

static void kml_search_nolock(struct kml_worker *w)
{
	struct kml_nolock_block block;
	unsigned long at;

	for (at = 0; kml_nolock_next(&at, &block); at++) {
		if (!kml_mark_lock_mems(w))
			return;
		/* freed from now on, its memory stays online until we unlock */
		if (kml_nolock_size(at, block.start))
			kml_search_block(w, at, &block);
		put_online_mems();
		if (kml_mark_stop(w))
			return;
	}
}

/* Return: the direct map address of a hit, or 0 for highmem. */
static unsigned long kml_hit_address(const struct kml_hit *hit)
{
	struct page *page = pfn_to_page(hit->pfn);

	if (hit->nolock_at != KML_NO_BLOCK)
		return ~hit->not_block + hit->off;
	if (PageHighMem(page))
		return 0;
	return kml_untag((unsigned long)page_address(page)) + hit->off;
}

static void kml_hits_drop_range(unsigned long start, size_t size)
{
	unsigned long i, addr;

	for (i = 0; i < kml_nr_hits; i++) {
		addr = kml_hit_address(&kml_hits[i]);
		if (addr && addr - start < size)
			kml_hits[i].dropped = true;
	}
}

static int kml_hit_cmp(const void *a, const void *b)
{
	const struct kml_hit *x = a, *y = b;

	return x->pfn < y->pfn ? -1 : x->pfn > y->pfn;
}

/* Drop the hits in a page. Context: hits are sorted by pfn. */
static void kml_hits_drop_page(unsigned long pfn)
{
	unsigned long lo = 0, hi = kml_nr_hits;

	while (lo < hi) {
		unsigned long mid = lo + (hi - lo) / 2;

		if (kml_hits[mid].pfn < pfn)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < kml_nr_hits && kml_hits[lo].pfn == pfn; lo++)
		if (kml_hits[lo].nolock_at == KML_NO_BLOCK)
			kml_hits[lo].dropped = true;
}

/* Drop the hits in a stack that is not a tracked block: "Stacks" in roots.c. */
static void kml_hits_drop_stack(struct task_struct *task)
{
	void *stack = task ? try_get_task_stack(task) : NULL;

	if (!stack)
		return;
	kml_hits_drop_range(kml_untag((unsigned long)stack), THREAD_SIZE);
	put_task_stack(task);
}

static void kml_hits_drop_stacks(void)
{
	struct task_struct *task;
	unsigned int cpu;
	int nr = 1;

	for_each_possible_cpu(cpu)
		kml_hits_drop_stack(idle_task(cpu));
	while ((task = kml_task_from(&nr))) {
		kml_hits_drop_stack(task);
		put_task_struct(task);
		cond_resched();
	}
}

/*
 * Is the hit in an object of the direct map or of physical space? Then marks have
 * read the word if the object is grey, and it is no reference otherwise.
 */
static bool kml_hit_is_tracked(const struct kml_hit *hit)
{
	unsigned long addr = kml_hit_address(hit);
	struct kml_info info;

	if (addr && kml_object_info(kml_space(KML_VIRT), addr, true, &info))
		return true;
	return hit->nolock_at == KML_NO_BLOCK &&
	       kml_phys_info(PFN_PHYS(hit->pfn) + hit->off, &info);
}

static void kml_hits_drop_tracked(void)
{
	unsigned long i;

	for (i = 0; i < kml_nr_hits; i++) {
		kml_hits[i].dropped = kml_hit_is_tracked(&kml_hits[i]);
		cond_resched();
	}
}

/* The page at an address outside of the direct map. Return: its pfn, or 0. */
static unsigned long kml_mapped_pfn(struct kml_space *space, unsigned long addr)
{
	struct page *page;

	if (space->id == KML_PERCPU)
		return PHYS_PFN(per_cpu_ptr_to_phys((void *)addr));
	page = vmalloc_to_page((void *)addr);
	return page ? page_to_pfn(page) : 0;
}

/* Drop the hits in the pages of an object outside of the direct map. */
static void kml_hits_drop_pages(struct kml_visitor *v, struct kml_space *space,
				unsigned long start)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		size_t off = 0, size = 1;

		while (off < size) {
			unsigned long addr, pfn;
			struct kml_locked l;

			/* the lock delays a free, so the pages stay mapped */
			if (!kml_object_lock(&l, space, start, false))
				return;
			size = kml_hot_size(l.hot, kml_hot_state(l.hot));
			addr = (unsigned long)kml_object_memory(space, start, cpu) + off;
			pfn = kml_mapped_pfn(space, addr);
			kml_object_unlock(&l);
			kml_hits_drop_page(pfn);
			off += PAGE_SIZE - offset_in_page(addr);
			cond_resched();
		}
		if (space->id != KML_PERCPU)
			break;
	}
}

static enum kml_visit kml_visit_mapped(struct kml_visitor *v, struct kml_space *space,
				       unsigned long start, struct kml_hot *hot)
{
	if (space->id == KML_PERCPU || is_vmalloc_or_module_addr((void *)start))
		return KML_VISIT_UNLOCKED;
	return KML_VISIT_NEXT;
}

static bool kml_is_mapped(const struct kml_interval *iv)
{
	unsigned long base = kml_interval_base(iv);

	return is_vmalloc_or_module_addr((void *)base) ||
	       is_vmalloc_or_module_addr((void *)(base + KML_INTERVAL_SIZE - 1));
}

static void kml_hits_drop_mapped(void)
{
	struct kml_visitor v = {
		.visit = kml_visit_mapped,
		.unlocked = kml_hits_drop_pages,
		.wants_interval = kml_is_mapped,
	};

	sort(kml_hits, kml_nr_hits, sizeof(*kml_hits), kml_hit_cmp, NULL);
	kml_walk(kml_space(KML_VIRT), &v);
	v.wants_interval = NULL;
	kml_walk(kml_space(KML_PERCPU), &v);
}

static bool kml_hits_left(void)
{
	unsigned long i;

	for (i = 0; i < kml_nr_hits; i++)
		if (!kml_hits[i].dropped)
			return true;
	return false;
}

/*
 * Read the word of a hit again, and count it if it still points to a suspect. Drop
 * the hit if its page has an owner now or its block is gone. Context: memory
 * hotplug lock held.
 */
static void kml_hit_count(struct kml_worker *w, struct kml_hit *hit)
{
	struct page *page = pfn_to_online_page(hit->pfn);
	bool same;

	if (hit->nolock_at != KML_NO_BLOCK)
		same = kml_block_copy(w->copy, ~hit->not_block + hit->off, sizeof(long)) &&
		       hit->off + sizeof(long) <=
		       kml_nolock_size(hit->nolock_at, ~hit->not_block);
	else
		same = page && kml_pfn_is_untracked(page, hit->pfn) &&
		       kml_roots_copy(page, hit->off, w->copy, sizeof(long));
	if (same)
		kml_mark_copy(w, sizeof(long));
	else
		hit->dropped = true;
}

static bool kml_hits_count(struct kml_worker *w)
{
	unsigned long i;

	for (i = 0; i < kml_nr_hits; i++) {
		if (kml_hits[i].dropped)
			continue;
		if (!kml_mark_lock_mems(w))
			return false;
		kml_hit_count(w, &kml_hits[i]);
		put_online_mems();
		if (kml_mark_stop(w))
			return false;
	}
	return kml_workers_run(NULL, true) && kml_read_pending();
}

/*
 * List an object that untracked memory holds. Since the last kml_confirm_prepare(),
 * objects turned grey only because of hits, or because of references from such an
 * object. Context: leaf->lock.
 */
static enum kml_visit kml_visit_held(struct kml_visitor *v, struct kml_space *space,
				     unsigned long start, struct kml_hot *hot)
{
	u32 state = kml_hot_state(hot);
	struct kml_held *h;
	unsigned long i;

	if (!(state & KML_F_PROVISIONAL) || !kml_state_min(state) || !kml_grey(state) ||
	    !kml_report_old_enough(hot->cold))
		return KML_VISIT_NEXT;
	if (kml_nr_held++ >= kml_held_room)
		return KML_VISIT_NEXT;
	h = &kml_held[kml_nr_held - 1];
	*h = (struct kml_held){
		.not_start = ~start,
		.born = hot->cold->born,
		.stamp = hot->cold->stamp,
		.space = space->id,
	};
	for (i = 0; i < kml_nr_hits; i++) {
		const struct kml_hit *hit = &kml_hits[i];

		if (!hit->dropped && hit->not_target == ~start && hit->space == space->id) {
			h->pfn = hit->pfn;
			h->order = hit->order;
			break;
		}
	}
	return KML_VISIT_NEXT;
}

static void kml_held_list(long most)
{
	struct kml_visitor v = {
		.visit = kml_visit_held,
		.wants_interval = kml_interval_wants_recount,
		.wants_leaf = kml_leaf_wants_recount,
	};

	if (!kml_nr_hits)
		return;
	kml_held = kml_table_alloc(most, sizeof(*kml_held));
	kml_held_room = kml_held ? most : 0;
	kml_walk(kml_space(KML_VIRT), &v);
	kml_walk(kml_space(KML_PERCPU), &v);
}

/**
 * kml_untracked_mark() - search untracked memory for references to suspects
 * @w: the initiator's worker
 *
 * Call it after kml_confirm_prepare(). kml_untracked_get() returns the objects that
 * it found.
 *
 * Context: process, kml_scan_mutex held, a scan is active.
 * Return: false if the scan was stopped.
 */
bool kml_untracked_mark(struct kml_worker *w)
{
	long before = atomic_long_read(&kml_mark.suspects);
	bool more;

	kml_nr_hits = 0;
	kml_hits = kml_table_alloc(KML_MAX_HITS, sizeof(*kml_hits));
	/* without memory there is no search, and the suspects are reported */
	if (!kml_hits)
		return true;

	kml_roots_begin(NULL, false, true);
	more = kml_workers_run(kml_source_pages, false);
	if (more)
		kml_search_nolock(w);
	kml_hits_drop_tracked();
	if (kml_hits_left())
		kml_hits_drop_stacks();
	if (kml_hits_left())
		kml_hits_drop_mapped();
	more = more && kml_hits_count(w);

	if (more && kml_hits_left())
		kml_held_list(before);
	kvfree(kml_hits);
	kml_hits = NULL;
	return more;
}

/*
 * Drop the list, when a scan begins or all objects have been removed. Context:
 * process, kml_scan_mutex held.
 */
void kml_untracked_drop(void)
{
	kvfree(kml_held);
	kml_held = NULL;
	kml_held_room = 0;
	kml_nr_held = 0;
}

/* Number of objects that the last search found, listed or not. Context: any. */
unsigned long kml_untracked_nr(void)
{
	return READ_ONCE(kml_nr_held);
}

/**
 * kml_untracked_get() - get an object to which only untracked memory refers
 * @pos: position in the list, from 0
 *
 * Context: process, kml_scan_mutex held.
 * Return: the entry, or NULL after the last one.
 */
const struct kml_held *kml_untracked_get(unsigned long pos)
{
	lockdep_assert_held(&kml_scan_mutex);
	return pos < min(kml_nr_held, kml_held_room) ? &kml_held[pos] : NULL;
}

/**
 * kml_untracked_info() - get the metadata of an object, if it still exists
 * @h: entry from kml_untracked_get()
 * @info: filled
 *
 * Context: process, kml_scan_mutex held.
 * Return: false if the object was freed.
 */
bool kml_untracked_info(const struct kml_held *h, struct kml_info *info)
{
	return kml_object_info(kml_space(h->space), ~h->not_start, false, info) &&
	       info->born == h->born && info->stamp == h->stamp;
}

/**
 * kml_untracked_show() - print a line about an object, if it still exists
 * @seq: file to print to
 * @h: entry from kml_untracked_get()
 *
 * Context: process, kml_scan_mutex held.
 */
void kml_untracked_show(struct seq_file *seq, const struct kml_held *h)
{
	struct kml_info info;

	if (!kml_untracked_info(h, &info))
		return;
	seq_printf(seq, "0x%08lx size %zu pfn 0x%lx order %u comm \"%s\" pid %d jiffies %lu",
		   info.addr, info.size, h->pfn, h->order, info.comm, info.pid,
		   info.born);
	kml_report_stack(seq, info.trace);
	seq_putc(seq, '\n');
}
