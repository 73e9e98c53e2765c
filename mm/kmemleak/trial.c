// SPDX-License-Identifier: GPL-2.0-only
/* The trial of suspects. */

#include "os.h"
#include "scan.h"

/* === Sieve ============================================================== */

/* With more bits set it lets too much through to be worth a look. */
#define KML_BLOOM_MAX	(KML_BLOOM_BITS / 4)

/* kml_scan_mutex; the bits are set by all workers */
static unsigned long *kml_bloom;
static atomic_long_t kml_bloom_blocks;

/* An empty one, if there is memory. Context: process, kml_scan_mutex held. */
void kml_bloom_open(void)
{
	kml_bloom = kml_pool_alloc(KML_POOL_BLOOM, GFP_KERNEL);
	atomic_long_set(&kml_bloom_blocks, 0);
}

/* Let pointers to an object through. Context: any, between open and ready. */
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

		/* by words: a large object has thousands of bits, and a lock held */
		atomic_long_or((~0UL >> (BITS_PER_LONG - n)) << shift,
			       (atomic_long_t *)&kml_bloom[BIT_WORD(bit)]);
		block += n;
	}
}

/**
 * kml_bloom_ready() - all objects have been added
 *
 * Context: process, kml_scan_mutex held.
 * Return: the bitmap, or NULL if everything is to be let through.
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
 * suspect and the last, and the bloom little else than what points to
 * one.
 *
 * Some objects are white again and their references are counted anew, from zero:
 *
 * - suspects: they may have been referenced, but not often enough;
 * - those whose colour or count depends on objects that are grey only because
 *   their checksum changed (KML_F_PROVISIONAL), and these themselves. To users they
 *   are unreferenced: if one has been reported, it is still listed;
 * - an object whose surplus references one of these would get. It becomes
 *   KML_F_PROVISIONAL, too. Or, if it is grey anyway, the bloom lets pass what points to
 *   it: all of that is surplus;
 * - white ones that are no suspects, being reported already or too young: what
 *   they reference may be a suspect.
 *
 * What turns grey in this mark is KML_F_PROVISIONAL, and on the list of work: the sweep
 * leaves it alone. Each object is read once, or references would count twice.
 *
 * An object that an earlier confirming mark has found stays grey for the rest of the
 * scan, since it was referenced. So suspects only become fewer.
 */

static void kml_extent_add(struct kml_extent *e, unsigned long start, size_t size)
{
	e->min = min(e->min, start);
	e->last = max(e->last, kml_last(start, size));
}

/* Does somebody who is counted anew get the surplus of a locked object? */
static bool kml_excess_target_recounted(const struct kml_hot *hot)
{
	unsigned long start = kml_untag(~kml_ext(hot)->not_excess);
	struct kml_hot *target;

	if (!start)
		return false;
	target = kml_lookup_exact(kml_space(KML_VIRT), start);
	return target && kml_hot_state(target) & (KML_F_SUSPECT | KML_F_PROVISIONAL);
}

/* White, not yet referenced. If it was grey its unreferenced scans start anew. */
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
	 * Grey for good, the sweep reads it: painted since it was found in use, or
	 * found by the confirming mark before this one.
	 */
	if (state & KML_F_PROVISIONAL &&
	    (!kml_state_min(state) || (kml_mark.confirm && kml_grey(state))))
		state = kml_hot_change(hot, KML_F_PROVISIONAL, 0) & ~KML_F_PROVISIONAL;
	if (kml_mark.add_counts && kml_white(state) &&
	    state & (KML_F_SUSPECT | KML_F_PROVISIONAL)) {
		/* references from other memory are counted on top */
	} else if (state & KML_F_SUSPECT) {
		kml_hot_change(hot, KML_COUNT_MASK, 0);
	} else if (state & KML_F_PROVISIONAL) {
		kml_make_white(hot, 0);
	} else if (state & KML_F_EXT && kml_grey(state) && !(state & KML_F_NEW) &&
		   kml_excess_target_recounted(hot)) {
		/* wants none itself: every reference to it is surplus, and has to pass */
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

/* Visitors: intervals, and pages of them, with objects that are counted anew. */
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
	 * We are here and hold the lock: small plain ones are read at once. What
	 * points to itself does no harm: it is grey and has no surplus to pass.
	 */
	if (space->id != KML_VIRT || state & (KML_F_EXT | KML_F_BIG) ||
	    !kml_mark_locked(w, kml_object_memory(space, start, 0), hot->size))
		kml_grey_push(w, space, start, hot);
	return KML_VISIT_NEXT;
}

/* After each page: read the rest. Who has to leave only makes a list of it. */
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

/* The roots must have been handed out by kml_roots_next() before. */
bool kml_source_sweep(struct kml_worker *w)
{
	struct kml_walk_ctx ctx = {
		.v = { .visit = kml_sweep, .resched = kml_sweep_page },
		.w = w,
	};

	return kml_walk_share(&w->cursor, &ctx.v);
}

/* A suspect that is white after both marks: reported, if often enough. */
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

/* Put the suspects that are left into the report. Too late to be stopped. */
void kml_report_suspects(void)
{
	struct kml_visitor v = {
		.visit = kml_report_visit,
		.wants_interval = kml_interval_wants_recount,
		.wants_leaf = kml_leaf_wants_recount,
	};
	unsigned int id;

	/* without room for all, those left over are reported by the next scan */
	kml_report_room(atomic_long_read(&kml_mark.suspects));
	for (id = 0; id < KML_NR_SPACES; id++)
		kml_walk(kml_space(id), &v);
}

/* === Untracked memory =================================================== */

/*
 * Untracked memory, the last resort of suspects.
 *
 * Pages of alloc_pages() and blocks of kmalloc_nolock() are no objects. Nobody
 * knows whether they are referenced, but they are in use, and so is what they
 * reference. A scan does not read them: they are many, and hold much that only
 * looks like a pointer. When suspects are left after the last confirming mark,
 * they are searched for words that point to one. An object that is found only
 * here is not reported, but listed, with the page (kmemleak_pages).
 *
 * Not searched: memory of users, the page cache, free memory, everything that has
 * a page type (slab, page tables, ballooned, large kmalloc() blocks, ...) and
 * reserved pages, which are tracked as physical blocks or must not be read.
 *
 * The struct page does not say what else a page is: a part of a tracked block (of
 * vmalloc(), of a per-CPU chunk, of a driver that calls kmemleak_alloc()), or of
 * the stack of a task, which is a root by rules of its own. To find out takes a
 * walk through these, so it is asked of the few pages that have a hit:
 *
 * 1. all workers search; a word that points to a suspect becomes a hit;
 * 2. the initiator drops hits in memory that is tracked, or a stack;
 * 3. it reads the words of the rest again and counts them as references. What
 *    turns grey is read, by all workers, as in any mark.
 *
 * A page may be freed and have another owner at any time, or go offline between
 * these steps. The former can only make a stale word count, which hides a suspect
 * for this scan; the latter is looked for whenever the page is touched.
 */

/* A word that points to a suspect. Addresses are inverted, as everywhere. */
struct kml_hit {
	unsigned long pfn;
	unsigned long nolock_at;	/* of the block in the table, or KML_NO_BLOCK */
	unsigned long not_block;	/* and its start */
	unsigned long not_target;	/* start of the object pointed to */
	u32 off;			/* of the word, in the page or block */
	u8 space;			/* of the object */
	u8 order;			/* of the page */
	bool dropped;
};

#define KML_NO_BLOCK	ULONG_MAX

/* An object that only untracked memory references. */
struct kml_held {
	unsigned long not_start;
	unsigned long pfn;		/* 0: only through another of these */
	unsigned long born;
	u32 stamp;
	u8 space;
	u8 order;
};

/* kml_scan_mutex; workers add hits under the lock. */
#define KML_MAX_HITS	4096UL

static DEFINE_SPINLOCK(kml_hits_lock);
static struct kml_hit *kml_hits;
static unsigned long kml_nr_hits;

static struct kml_held *kml_held;
static unsigned long kml_held_room;
static unsigned long kml_nr_held;

/* One table at a time: never scanned, for words in its unused part are stale. */
static void *kml_table_alloc(unsigned long nr, size_t size)
{
	void *table = kvcalloc(nr, size, GFP_KERNEL | __GFP_NOWARN);

	if (table)
		kml_object_paint(kml_space(KML_VIRT), (unsigned long)table, -1);
	return table;
}

static bool kml_pfn_is_untracked(struct page *page, unsigned long pfn)
{
	/* A count of 0 says nothing: all but the first page of a block have it. */
	return !PageReserved(page) && !kml_pfn_has_owner(page) &&
	       !is_page_hwpoison(page) && !pfn_is_unaccepted_memory(pfn);
}

/* Is there an object at @addr that has to be counted anew? Then @hit gets it. */
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

/* Per-CPU pointers count in aligned words: see kml_take_copy(). */
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

/* Without room the word counts at once, whatever the memory is. */
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

/* Search @len bytes in w->copy; @hit says where they are from. */
static void kml_search_copy(struct kml_worker *w, size_t len, u32 base,
			    struct kml_hit *hit)
{
	unsigned long word;
	unsigned int nr;
	size_t i, off;

	for (i = 0; i < sizeof(long) && i + sizeof(long) <= len; i++) {
		nr = kml_filter_run_at(w->copy + i, len - i, &w->win, w->cand);
		/* mostly there is nothing, and then the filter was enough */
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

static void kml_search_page(struct kml_worker *w, struct page *page,
			    unsigned long pfn)
{
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
	unsigned long pfn, end, nr;
	unsigned int skipped = 0;
	struct zone *zone;
	bool first = true;

	if (!kml_workers_lock_mems(w))
		return false;
	zone = kml_roots_pages(&pfn, &end);
	for (; zone && pfn < end; pfn += nr) {
		struct page *page = pfn_to_online_page(pfn);

		nr = 1;
		/* to look at a page is much less work than to search it */
		if (!(++skipped % 64) && kml_mark_stop(w))
			break;
		if (!page || page_zone(page) != zone)
			continue;
		nr = kml_pages_free(zone, pfn, first);
		first = false;
		if (nr)
			continue;
		nr = 1;
		if (kml_pfn_is_untracked(page, pfn)) {
			kml_search_page(w, page, pfn);
			if (kml_mark_stop(w))
				break;
		}
	}
	put_online_mems();
	return zone;
}

/* Copy a part of a block that may be freed meanwhile. */
static bool kml_block_copy(void *to, unsigned long from, size_t len)
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
		if (!kml_workers_lock_mems(w))
			return;
		/* freed from now on, its memory stays online until we unlock */
		if (kml_nolock_size(at, block.start))
			kml_search_block(w, at, &block);
		put_online_mems();
		if (kml_mark_stop(w))
			return;
	}
}

/* The address of a hit in the direct map, or 0. */
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

/* Context: hits are sorted by pfn. */
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

/* Stacks that are no tracked blocks: roots or not, by their own rules. */
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

/* A part of an object in the direct map? Then the object's own colour counts. */
static bool kml_hit_is_tracked(const struct kml_hit *hit)
{
	unsigned long addr = kml_hit_address(hit);
	struct kml_info info;

	if (addr && kml_object_info(kml_space(KML_VIRT), addr, true, &info))
		return true;
	return hit->nolock_at == KML_NO_BLOCK &&
	       kml_object_info(kml_space(KML_PHYS), PFN_PHYS(hit->pfn) + hit->off,
			       true, &info);
}

static void kml_hits_drop_tracked(void)
{
	unsigned long i;

	for (i = 0; i < kml_nr_hits; i++) {
		kml_hits[i].dropped = kml_hit_is_tracked(&kml_hits[i]);
		cond_resched();
	}
}

/* The page of one address of an object that lies elsewhere than in the direct map. */
static unsigned long kml_mapped_pfn(struct kml_space *space, unsigned long addr)
{
	struct page *page;

	if (space->id == KML_PERCPU)
		return PHYS_PFN(per_cpu_ptr_to_phys((void *)addr));
	page = vmalloc_to_page((void *)addr);
	return page ? page_to_pfn(page) : 0;
}

/* The pages of an object that lies elsewhere than in the direct map. */
static void kml_hits_drop_pages(struct kml_visitor *v, struct kml_space *space,
				unsigned long start)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		size_t off = 0, size = 1;

		while (off < size) {
			unsigned long addr, pfn;
			struct kml_locked l;

			/* the lock keeps the block: its pages stay mapped */
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
 * Is it still there, and the same? Then it is a reference. Context: memory hotplug
 * lock.
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
		if (!kml_workers_lock_mems(w))
			return false;
		kml_hit_count(w, &kml_hits[i]);
		put_online_mems();
		if (kml_mark_stop(w))
			return false;
	}
	return kml_workers_run(NULL, true) && kml_read_pending();
}

/*
 * Since the last kml_confirm_prepare() only hits turned objects grey, and what
 * these reference. Context: leaf->lock.
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
 * kml_untracked_mark() - take untracked memory as roots for what is still suspect
 * @w: the initiator's
 *
 * Call after kml_confirm_prepare(). Lists what it found: kml_untracked_get().
 *
 * Context: process, kml_scan_mutex held, a scan is active.
 * Return: false if stopped.
 */
bool kml_untracked_mark(struct kml_worker *w)
{
	long before = atomic_long_read(&kml_mark.suspects);
	bool more;

	kml_nr_hits = 0;
	kml_hits = kml_table_alloc(KML_MAX_HITS, sizeof(*kml_hits));
	/* without memory for the search suspects are as in a kernel without it */
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

/* A scan begins, or all objects are gone. Context: process, kml_scan_mutex held. */
void kml_untracked_drop(void)
{
	kvfree(kml_held);
	kml_held = NULL;
	kml_held_room = 0;
	kml_nr_held = 0;
}

/* Objects found by the last scan, listed or not. Context: any. */
unsigned long kml_untracked_nr(void)
{
	return READ_ONCE(kml_nr_held);
}

/**
 * kml_untracked_get() - an object that only untracked memory references
 * @pos: its number in the list
 *
 * Context: process, kml_scan_mutex held.
 * Return: the entry, or NULL behind the last one.
 */
const struct kml_held *kml_untracked_get(unsigned long pos)
{
	lockdep_assert_held(&kml_scan_mutex);
	return pos < min(kml_nr_held, kml_held_room) ? &kml_held[pos] : NULL;
}

/**
 * kml_untracked_show() - print a line about an entry, if the object still exists
 * @seq: where to
 * @h: from kml_untracked_get()
 *
 * Context: process, kml_scan_mutex held.
 */
void kml_untracked_show(struct seq_file *seq, const struct kml_held *h)
{
	unsigned long *entries;
	struct kml_info info;
	unsigned int i, nr;

	if (!kml_object_info(kml_space(h->space), ~h->not_start, false, &info) ||
	    info.born != h->born || info.stamp != h->stamp)
		return;
	seq_printf(seq, "0x%08lx size %zu pfn 0x%lx order %u comm \"%s\" pid %d jiffies %lu",
		   info.addr, info.size, h->pfn, h->order, info.comm, info.pid,
		   info.born);
	nr = stack_depot_fetch(info.trace, &entries);
	for (i = 0; i < nr; i++)
		seq_printf(seq, "%s%pS", i ? " < " : " at ", (void *)entries[i]);
	seq_putc(seq, '\n');
}
