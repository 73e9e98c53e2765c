// SPDX-License-Identifier: GPL-2.0-only
/*
 * Passes, until two agree, and what a person looks at first: heads, which no other leak
 * refers to, and groups of leaks that look alike.
 *
 * A pass looks at a kernel that runs. A block whose only reference is moved from a place
 * that was not read yet to one that was, and a block that is freed after the walk, are
 * unreferenced in that pass. A leak is so in all passes, with the same size and content.
 */

#include "oneshot.h"

#define PASS_MSECS	1000	/* from one pass to the next */
#define SUM_BYTES	SZ_1M	/* of a block that are compared */
#define GROUPS_MAX	4096

/* === Passes ============================================================= */

/* CRC-32 of a block's content. Per-CPU blocks are counters, mostly, which change. */
static u32 sum_of(struct kml_worker *w, unsigned long id)
{
	unsigned long size = min(kml_heap_size(w->heap, id), SUM_BYTES + 0UL), off, n;
	u32 sum = 0;

	if (id >= w->heap->nr_slots && kml_heap_area(w->heap, id)->kind == KML_AREA_PERCPU)
		return 0;
	for (off = 0; off < size; off += n) {
		n = min(size - off, PAGE_SIZE);
		/* zeroed by kml_alloc(), or stale: both are compared with the next */
		if (!kml_object_read(w->heap, id, off, w->copy, n))
			return ~sum;
		sum = crc32_le(sum, w->copy, n);
	}
	return sum;
}

struct sums {
	struct kml_report *report;
	atomic_long_t next;
	bool first;
};

#define LEAKS_AT_ONCE	64UL

/* Sums of the first pass are kept; others are compared, and 0 is the size of no leak. */
static void sums_job(struct kml_worker *w, void *data)
{
	struct sums *s = data;
	size_t i, end;

	while (!kml_pause()) {
		end = atomic_long_add_return(LEAKS_AT_ONCE, &s->next);
		i = end - LEAKS_AT_ONCE;
		if (i >= s->report->nr)
			return;
		for (; i < min(end, s->report->nr); i++) {
			struct kml_leak *leak = &s->report->leaks[i];
			u32 sum = leak->size ? sum_of(w, leak->id) : 0;

			if (s->first)
				leak->sum = sum;
			else if (sum != leak->sum)
				leak->size = 0;
		}
	}
}

static void run_sums(struct kml_report *report, struct kml_heap *heap, bool first)
{
	struct sums s = { .report = report, .first = first };

	kml_crew_run(heap, sums_job, &s);
}

static bool add_suspect(struct kml_report *report, struct kml_heap *heap, unsigned long id)
{
	struct kml_leak *leaks = kml_grow(report->leaks, report->nr, &report->room,
					  sizeof(*leaks));

	if (!leaks)
		return false;
	report->leaks = leaks;
	leaks += report->nr++;
	memset(leaks, 0, sizeof(*leaks));
	leaks->not_addr = ~kml_heap_addr(heap, id);
	leaks->size = kml_heap_size(heap, id);
	leaks->id = id;
	leaks->kind = id < heap->nr_slots ? -1 : kml_heap_area(heap, id)->kind;
	return true;
}

static void collect(struct kml_report *report, struct kml_heap *heap)
{
	unsigned long nr = heap->nr_slots + heap->nr_areas, w, id;

	for (w = 0; w * BITS_PER_LONG < nr; w++) {
		if (!(w % 4096))
			cond_resched();
		if (!(heap->used[w] & ~heap->marked[w]))
			continue;
		for (id = w * BITS_PER_LONG; id < min(nr, (w + 1) * BITS_PER_LONG); id++) {
			if (!test_bit(id, heap->used) || test_bit(id, heap->marked))
				continue;
			if (report->cut || !add_suspect(report, heap, id))
				report->cut++;
		}
	}
}

/* Find the block of an earlier pass in this one. Return: KML_NONE if it is referenced. */
static unsigned long still_there(struct kml_heap *heap, const struct kml_leak *leak)
{
	unsigned long addr = ~leak->not_addr, id, unit;

	id = leak->kind == KML_AREA_PERCPU ? kml_heap_find_percpu(heap, addr) :
					     kml_heap_find(heap, addr, &unit);
	if (id == KML_NONE || test_bit(id, heap->marked) ||
	    kml_heap_addr(heap, id) != addr || kml_heap_size(heap, id) != leak->size)
		return KML_NONE;
	return id;
}

/* Drop those that the pass has cleared. Return: their number. */
static size_t compare(struct kml_report *report, struct kml_heap *heap)
{
	size_t i, n = 0, before = report->nr;
	unsigned long id;

	for (i = 0; i < report->nr; i++) {
		id = still_there(heap, &report->leaks[i]);
		if (id == KML_NONE)
			report->leaks[i].size = 0;
		else
			report->leaks[i].id = id;
		if (!(i % 1024))
			cond_resched();
	}
	run_sums(report, heap, false);
	for (i = 0; i < report->nr; i++)
		if (report->leaks[i].size)
			report->leaks[n++] = report->leaks[i];
	report->nr = n;
	return before - n;
}

static int pass(struct kml_report *report, struct kml_heap *heap,
		const struct kml_layout *layout, const struct kml_chunk_layout *chunk,
		size_t *cleared)
{
	int err;

	kml_rules_begin();
	err = kml_heap_load(heap, layout, chunk) ?: kml_mark(heap);
	if (err)
		return err;
	if (report->passes++) {
		*cleared = compare(report, heap);
	} else {
		collect(report, heap);
		report->suspects = report->nr + report->cut;
		run_sums(report, heap, true);
		*cleared = report->nr;
	}
	return kml_stopped() ? -EINTR : 0;
}

/* What was about to be freed is: the next pass does not see it. */
static void between_passes(void)
{
	synchronize_rcu();
	kml_sleep(PASS_MSECS);
}

/* === Heads ============================================================== */

struct graph {
	struct kml_report *report;
	u32 *edges;
	size_t nr_edges, room_edges;
	u32 *first;		/* of each leak; one more at the end */
	size_t from;
	bool failed;
};

static size_t leak_index(const struct kml_report *report, u32 id)
{
	size_t low = 0, high = report->nr;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (report->leaks[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low < report->nr && report->leaks[low].id == id ? low : SIZE_MAX;
}

static void add_edge(struct kml_worker *w, unsigned long id, unsigned long unit,
		     unsigned long from)
{
	struct graph *g = w->data;
	size_t to = leak_index(g->report, id);
	u32 *edges;

	/* several words may point to the same one */
	if (to == SIZE_MAX || g->failed ||
	    (g->nr_edges > g->first[g->from] && g->edges[g->nr_edges - 1] == to))
		return;
	edges = kml_grow(g->edges, g->nr_edges, &g->room_edges, sizeof(*edges));
	if (!edges || g->nr_edges == U32_MAX) {
		g->failed = true;
		return;
	}
	g->edges = edges;
	edges[g->nr_edges++] = to;
}

static void find_edges(struct graph *g)
{
	struct kml_worker *w = kml_crew_first();
	size_t i;

	w->hit = add_edge;
	w->data = g;
	for (i = 0; i < g->report->nr && !g->failed && !kml_pause(); i++) {
		g->first[i] = g->nr_edges;
		g->from = i;
		kml_refs_of(w, g->report->leaks[i].id);
	}
	w->hit = NULL;
	g->first[g->report->nr] = g->nr_edges;
	if (i < g->report->nr)
		g->failed = true;
}

/*
 * All leaks in the order in which a depth-first search leaves them. Backwards, each
 * comes before what it leads to, unless that leads back to it.
 */
static void leave_order(const struct graph *g, u32 *order, u32 *stack, u32 *next,
			unsigned long *seen)
{
	size_t i, done = 0, depth;

	for (i = 0; i < g->report->nr; i++) {
		if (test_bit(i, seen))
			continue;
		__set_bit(i, seen);
		depth = 0;
		stack[depth++] = i;
		next[i] = g->first[i];
		while (depth) {
			u32 at = stack[depth - 1], to;

			if (next[at] == g->first[at + 1]) {
				order[done++] = at;
				depth--;
				continue;
			}
			to = g->edges[next[at]++];
			if (!test_bit(to, seen)) {
				__set_bit(to, seen);
				next[to] = g->first[to];
				stack[depth++] = to;
			}
		}
		if (!(i % 1024))
			cond_resched();
	}
}

/* A leak that is not retained yet is a head, of all that it leads to. */
static void retain(struct graph *g, const u32 *order, u32 *stack)
{
	struct kml_leak *leaks = g->report->leaks;
	size_t i, j, depth;

	for (i = g->report->nr; i-- > 0;) {
		u32 head = order[i];

		if (leaks[head].head != U32_MAX)
			continue;
		g->report->heads++;
		depth = 0;
		stack[depth++] = head;
		leaks[head].head = head;
		while (depth) {
			u32 at = stack[--depth];

			leaks[head].retained += leaks[at].size;
			leaks[head].nr_retained++;
			for (j = g->first[at]; j < g->first[at + 1]; j++) {
				if (leaks[g->edges[j]].head != U32_MAX)
					continue;
				leaks[g->edges[j]].head = head;
				stack[depth++] = g->edges[j];
			}
		}
		if (!(i % 1024))
			cond_resched();
	}
}

/* Without memory for it, each is a head. */
static void no_heads(struct kml_report *report)
{
	size_t i;

	for (i = 0; i < report->nr; i++) {
		report->leaks[i].head = i;
		report->leaks[i].nr_retained = 1;
		report->leaks[i].retained = report->leaks[i].size;
	}
	report->heads = report->nr;
}

static void find_heads(struct kml_report *report)
{
	struct graph g = { .report = report };
	size_t nr = report->nr, i;
	u32 *order, *stack, *next;
	unsigned long *seen;

	g.first = kml_alloc((nr + 1) * sizeof(u32));
	order = kml_alloc(nr * sizeof(u32));
	stack = kml_alloc(nr * sizeof(u32));
	next = kml_alloc(nr * sizeof(u32));
	seen = kml_alloc(BITS_TO_LONGS(nr) * sizeof(long));
	for (i = 0; i < nr; i++)
		report->leaks[i].head = U32_MAX;
	if (g.first && order && stack && next && seen)
		find_edges(&g);
	else
		g.failed = true;
	if (g.failed) {
		no_heads(report);
	} else {
		leave_order(&g, order, stack, next, seen);
		retain(&g, order, stack);
	}
	kml_free(g.edges);
	kml_free(g.first);
	kml_free(order);
	kml_free(stack);
	kml_free(next);
	kml_free(seen);
}

/* === Groups ============================================================= */

#define LOOK_WORDS	4	/* first words that make leaks look alike */

static bool is_symbol(unsigned long word)
{
	char name[KSYM_SYMBOL_LEN];

	return kml_in_image(word) && sprint_symbol(name, word) > 0 && strncmp(name, "0x", 2);
}

/*
 * What a word is: 0, a certain symbol of the kernel, an object, or anything else. Two
 * objects that an allocator left to the same code begin with the same.
 */
static unsigned long kind_of_word(const struct kml_heap *heap, unsigned long word)
{
	if (!word)
		return 0;
	if (is_symbol(word))
		return word;
	if (kml_heap_slot(heap, word) != KML_NONE)
		return 1;
	return 2;
}

static unsigned long word_of(const struct kml_leak *leak, unsigned int i)
{
	return get_unaligned((unsigned long *)leak->content + i);
}

static u64 look_of(const struct kml_heap *heap, const struct kml_leak *leak)
{
	const char *name = kml_heap_cache_name(heap, leak->id);
	u64 look = crc32_le(leak->size, name, strlen(name));
	unsigned int i;

	look = look << 32 | leak->size;
	if (leak->kind == KML_AREA_VMALLOC)
		look ^= (unsigned long)kml_area_caller(kml_heap_area(heap, leak->id));
	for (i = 0; i < LOOK_WORDS && (i + 1) * sizeof(long) <= leak->len; i++)
		look = (look ^ kind_of_word(heap, word_of(leak, i))) * 0x9e3779b97f4a7c15ULL;
	return look;
}

static void find_owners(const struct kml_heap *heap, const struct kml_leak *leak,
			struct kml_group *g)
{
	unsigned int i;

	for (i = 0; (i + 1) * sizeof(long) <= leak->len && g->nr_owners < KML_LEAK_OWNERS; i++) {
		unsigned long word = word_of(leak, i);

		if (!is_symbol(word))
			continue;
		g->owner[g->nr_owners] = word;
		g->at[g->nr_owners++] = i * sizeof(long);
	}
}

/* There are few groups: each is compared. Return: its index, or U32_MAX. */
static u32 group_of(struct kml_report *report, const struct kml_heap *heap, u32 nr)
{
	struct kml_leak *leak = &report->leaks[nr];
	u64 look = look_of(heap, leak);
	struct kml_group *g;
	size_t i;

	for (i = report->nr_groups; i-- > 0;)
		if (report->groups[i].look == look)
			return i;
	if (report->nr_groups == GROUPS_MAX)
		return report->nr_groups - 1;
	g = kml_grow(report->groups, report->nr_groups, &report->room_groups, sizeof(*g));
	if (!g)
		return U32_MAX;
	report->groups = g;
	g += report->nr_groups;
	memset(g, 0, sizeof(*g));
	g->look = look;
	g->sample = nr;
	strscpy(g->name, kml_heap_cache_name(heap, leak->id), sizeof(g->name));
	find_owners(heap, leak, g);
	if (leak->kind == KML_AREA_VMALLOC)
		g->caller = kml_area_caller(kml_heap_area(heap, leak->id));
	return report->nr_groups++;
}

static int compare_groups(const void *a, const void *b)
{
	const struct kml_group *x = a, *y = b;

	if (x->retained != y->retained)
		return x->retained > y->retained ? -1 : 1;
	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	return x->sample < y->sample ? -1 : x->sample > y->sample;
}

/* Leaks know their group by its cache's name, so groups stay where they are for these. */
static void find_groups(struct kml_report *report, const struct kml_heap *heap)
{
	struct kml_group *sorted;
	u32 *place;
	size_t i;

	for (i = 0; i < report->nr; i++) {
		struct kml_leak *leak = &report->leaks[i];
		struct kml_group *g;

		leak->group = group_of(report, heap, i);
		if (leak->group == U32_MAX) {
			/* no memory for the first one */
			report->cut += report->nr - i;
			report->nr = i;
			break;
		}
		g = &report->groups[leak->group];
		g->nr++;
		g->bytes += leak->size;
		if (leak->head == i) {
			g->heads++;
			g->retained += leak->retained;
		}
		if (!(i % 256))
			cond_resched();
	}
	sorted = report->groups;
	place = kml_alloc(report->nr_groups * sizeof(*place));
	if (!sorted || !place) {
		kml_free(place);
		return;
	}
	for (i = 0; i < report->nr_groups; i++)
		sorted[i].look = i;
	sort(sorted, report->nr_groups, sizeof(*sorted), compare_groups, NULL);
	for (i = 0; i < report->nr_groups; i++)
		place[sorted[i].look] = i;
	for (i = 0; i < report->nr; i++)
		report->leaks[i].group = place[report->leaks[i].group];
	kml_free(place);
}

/* === All ================================================================ */

static void totals(struct kml_report *report, const struct kml_heap *heap)
{
	size_t i;

	report->objects = heap->nr_used;
	report->slots = heap->nr_slots;
	report->caches = heap->nr_caches;
	for (i = 0; i < heap->nr_areas; i++)
		report->areas[heap->areas[i].kind]++;
	report->in_sheaves = atomic_long_read(&heap->in_sheaves);
	report->bad = atomic_long_read(&heap->bad);
	memcpy(report->classes, heap->classes, sizeof(report->classes));
	report->left_out = heap->left_out;
}

static void build(struct kml_report *report, struct kml_heap *heap)
{
	size_t i;

	for (i = 0; i < report->nr; i++) {
		struct kml_leak *leak = &report->leaks[i];

		report->bytes += leak->size;
		leak->len = min_t(unsigned long, leak->size, KML_LEAK_BYTES);
		if (!kml_object_read(heap, leak->id, 0, leak->content, leak->len))
			leak->len = 0;
	}
	find_heads(report);
	find_groups(report, heap);
}

/**
 * kml_leaks_scan() - find leaks
 * @report: filled; to be freed by kml_leaks_free()
 * @layout: of the kernel
 * @chunk: of struct pcpu_chunk
 * @passes: how many there are at most
 *
 * Context: process, with workers started.
 * Return: 0, -EINTR or -ENOMEM; then there is no leak in @report.
 */
int kml_leaks_scan(struct kml_report *report, const struct kml_layout *layout,
		   const struct kml_chunk_layout *chunk, unsigned int passes)
{
	struct kml_heap *heap = kml_alloc(sizeof(*heap));
	size_t cleared = 0;
	unsigned int i;
	int err;

	if (!heap)
		return -ENOMEM;
	for (;;) {
		err = pass(report, heap, layout, chunk, &cleared);
		if (err || !report->nr || (report->passes > 1 && !cleared) ||
		    report->passes >= passes)
			break;
		kml_heap_free(heap);
		between_passes();
		if (kml_stopped()) {
			err = -EINTR;
			break;
		}
	}
	if (!err) {
		totals(report, heap);
		build(report, heap);
		if (kml_stopped())
			err = -EINTR;
	}
	if (err)
		kml_leaks_free(report);
	kml_heap_free(heap);
	kml_free(heap);
	for (i = 0; i < kml_crew_size(); i++)
		report->words += kml_crew_first()[i].words;
	return err;
}

void kml_leaks_free(struct kml_report *report)
{
	kml_free(report->leaks);
	kml_free(report->groups);
	report->leaks = NULL;
	report->groups = NULL;
	report->nr = 0;
	report->nr_groups = 0;
	report->room = 0;
	report->room_groups = 0;
}
