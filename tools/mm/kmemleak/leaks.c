// SPDX-License-Identifier: GPL-2.0-only
/*
 * Leaks, and what a person looks at first: heads, which no other leak refers to, and
 * groups of leaks that look alike.
 */

#include "kmemleak.h"

/* === Finding ============================================================ */

static void read_content(struct heap *heap, struct leak *leak)
{
	unsigned long addr = heap_addr(heap, leak->id), off = 0;

	leak->len = min_t(unsigned long, heap_size(heap, leak->id), LEAK_HEAD_BYTES);
	if (leak->id >= heap->nr_objects &&
	    heap->areas[leak->id - heap->nr_objects].kind == AREA_PERCPU)
		heap->im->mem.percpu(&heap->im->mem, 0, &off);
	if (!image_read(heap->im, addr + off, leak->content, leak->len))
		leak->len = 0;
}

static void count_rule(struct leaks *l, const char *rule)
{
	unsigned long i;

	for (i = 0; i < l->nr_suppressed; i++)
		if (l->suppressed[i].rule == rule)
			break;
	if (i == l->nr_suppressed) {
		GROW(l->suppressed, l->nr_suppressed, l->room_suppressed);
		l->suppressed[i].rule = rule;
		l->suppressed[i].nr = 0;
		l->nr_suppressed++;
	}
	l->suppressed[i].nr++;
}

static void each_unmarked(struct leaks *l, struct mark *mark, struct suppressions *rules)
{
	struct heap *heap = l->heap;
	unsigned long i, w, end = heap->nr_objects + heap->nr_areas;

	for (w = 0; w * BITS_PER_LONG < end; w++) {
		if (!(heap->used[w] & ~mark->marked[w]))
			continue;
		for (i = w * BITS_PER_LONG; i < (w + 1) * BITS_PER_LONG && i < end; i++) {
			struct leak leak = { .id = i };
			const char *rule;

			if (!test_bit(i, heap->used) || test_bit(i, mark->marked))
				continue;
			read_content(heap, &leak);
			if (!rules) {
				GROW(l->leaks, l->nr, l->room);
				l->leaks[l->nr++] = leak;
				continue;
			}
			rule = suppress_match(rules, heap, &leak);
			if (rule) {
				count_rule(l, rule);
				mark_also(mark, i);
			}
		}
	}
}

/* What the kernel keeps of a vmalloc block goes with it: that is no leak by itself. */
static void hide_owners(struct heap *heap, struct mark *mark)
{
	unsigned long i, id;
	u64 pages;

	for (i = 0; i < heap->nr_areas; i++) {
		if (heap->areas[i].kind != AREA_VMALLOC ||
		    test_bit(heap->nr_objects + i, mark->marked))
			continue;
		id = heap_find(heap, heap->areas[i].owner);
		if (id != NO_OBJECT)
			set_bit(id, mark->marked);
		if (!layout_get(heap->im, "vm_struct", "pages", heap->areas[i].owner, &pages))
			continue;
		id = heap_find(heap, pages);
		if (id != NO_OBJECT)
			set_bit(id, mark->marked);
	}
}

/* === Heads ============================================================== */

struct graph {
	struct leaks *leaks;
	u32 *edges;
	unsigned long nr_edges, room_edges;
	unsigned long *first;		/* of each leak; one more at the end */
	unsigned long from;
};

static unsigned long leak_index(const struct leaks *l, unsigned long id)
{
	unsigned long low = 0, high = l->nr;

	while (low < high) {
		unsigned long mid = (low + high) / 2;

		if (l->leaks[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low < l->nr && l->leaks[low].id == id ? low : NO_OBJECT;
}

static void add_edge(void *data, unsigned long id, unsigned long where, unsigned long from,
		     unsigned long word)
{
	struct graph *g = data;
	unsigned long to = leak_index(g->leaks, id);

	/* several words may point to the same one */
	if (to == NO_OBJECT ||
	    (g->nr_edges > g->first[g->from] && g->edges[g->nr_edges - 1] == to))
		return;
	GROW(g->edges, g->nr_edges, g->room_edges);
	g->edges[g->nr_edges++] = to;
}

/*
 * All leaks in the order in which a depth-first search leaves them. Backwards, each
 * comes before what it leads to, unless that leads back to it.
 */
static u32 *leave_order(const struct graph *g)
{
	unsigned long nr = g->leaks->nr, done = 0, depth, i;
	unsigned long *next = must_alloc(NULL, nr, sizeof(*next));
	unsigned long *seen = must_alloc(NULL, nr / BITS_PER_LONG + 1, sizeof(long));
	u32 *stack = must_alloc(NULL, nr, sizeof(*stack));
	u32 *order = must_alloc(NULL, nr, sizeof(*order));

	for (i = 0; i < nr; i++) {
		if (test_bit(i, seen))
			continue;
		set_bit(i, seen);
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
				set_bit(to, seen);
				next[to] = g->first[to];
				stack[depth++] = to;
			}
		}
	}
	free(next);
	free(seen);
	free(stack);
	return order;
}

/* A leak that is not retained yet is a head, of all that it leads to. */
static void find_heads(struct leaks *l)
{
	struct graph g = { .leaks = l };
	unsigned long i, j, head, depth;
	u32 *order, *stack;

	g.first = must_alloc(NULL, l->nr + 1, sizeof(*g.first));
	for (i = 0; i < l->nr; i++) {
		g.first[i] = g.nr_edges;
		g.from = i;
		l->leaks[i].head = NO_OBJECT;
		mark_refs(l->heap, l->leaks[i].id, add_edge, &g);
	}
	g.first[l->nr] = g.nr_edges;
	order = leave_order(&g);
	stack = must_alloc(NULL, l->nr, sizeof(*stack));
	for (i = l->nr; i-- > 0;) {
		head = order[i];
		if (l->leaks[head].head != NO_OBJECT)
			continue;
		l->heads++;
		depth = 0;
		stack[depth++] = head;
		l->leaks[head].head = head;
		while (depth) {
			u32 at = stack[--depth];

			l->leaks[head].retained += heap_size(l->heap, l->leaks[at].id);
			l->leaks[head].nr_retained++;
			for (j = g.first[at]; j < g.first[at + 1]; j++) {
				if (l->leaks[g.edges[j]].head != NO_OBJECT)
					continue;
				l->leaks[g.edges[j]].head = head;
				stack[depth++] = g.edges[j];
			}
		}
	}
	free(order);
	free(stack);
	free(g.edges);
	free(g.first);
}

/* === Groups ============================================================= */

#define LOOK_WORDS	4	/* first words that make leaks look alike */

/*
 * What a word is: 0, a certain symbol of the kernel, an object, or anything else. Two
 * objects that an allocator left to the same code begin with the same.
 */
static unsigned long kind_of_word(struct heap *heap, unsigned long word)
{
	if (!word)
		return 0;
	if (symbol_name(heap->im, word))
		return word;
	if (heap_slot(heap, word) != NO_OBJECT)
		return 1;
	return 2;
}

static u64 look_of(struct heap *heap, const struct leak *leak)
{
	u64 look = heap_size(heap, leak->id);
	unsigned int i;

	if (leak->id < heap->nr_objects)
		look = look * 31 + heap_slab_of(heap, leak->id)->cache;
	else
		look = look * 31 + ~heap->areas[leak->id - heap->nr_objects].kind;
	for (i = 0; i < LOOK_WORDS && (i + 1) * sizeof(u64) <= leak->len; i++)
		look = (look ^ kind_of_word(heap, get_unaligned((u64 *)leak->content + i))) *
		       0x9e3779b97f4a7c15ULL;
	return look;
}

static void find_owners(struct heap *heap, const struct leak *leak, struct group *g)
{
	unsigned long off;

	for (off = 0; off + sizeof(u64) <= leak->len && g->nr_owners < LEAK_OWNERS;
	     off += sizeof(u64)) {
		const char *name =
			symbol_name(heap->im, get_unaligned((u64 *)(leak->content + off)));

		if (!name)
			continue;
		g->owners[g->nr_owners].name = strdup(name);
		g->owners[g->nr_owners++].off = off;
	}
}

struct look {
	u64 look;
	u32 leak;
};

static int compare_looks(const void *a, const void *b)
{
	const struct look *x = a, *y = b;

	return x->look != y->look ? (x->look < y->look ? -1 : 1) :
				    (x->leak > y->leak) - (x->leak < y->leak);
}

static int compare_groups(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	if (x->retained != y->retained)
		return x->retained > y->retained ? -1 : 1;
	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	return (x->sample > y->sample) - (x->sample < y->sample);
}

static void find_groups(struct leaks *l)
{
	struct look *looks = must_alloc(NULL, l->nr, sizeof(*looks));
	unsigned long i;

	for (i = 0; i < l->nr; i++)
		looks[i] = (struct look){ look_of(l->heap, &l->leaks[i]), i };
	sort_array(looks, l->nr, sizeof(*looks), compare_looks);
	for (i = 0; i < l->nr; i++) {
		struct leak *leak = &l->leaks[looks[i].leak];
		struct group *g;

		if (!i || looks[i].look != looks[i - 1].look) {
			GROW(l->groups, l->nr_groups, l->room_groups);
			l->groups[l->nr_groups++] = (struct group){ .sample = looks[i].leak };
		}
		g = &l->groups[l->nr_groups - 1];
		g->nr++;
		g->bytes += heap_size(l->heap, leak->id);
		if (leak->head == looks[i].leak) {
			g->heads++;
			g->retained += leak->retained;
		}
	}
	free(looks);
	sort_array(l->groups, l->nr_groups, sizeof(*l->groups), compare_groups);
	for (i = 0; i < l->nr_groups; i++)
		find_owners(l->heap, &l->leaks[l->groups[i].sample], &l->groups[i]);
}

/**
 * leaks_find() - find leaks, their heads and groups
 * @leaks: filled
 * @heap: the objects
 * @mark: what is referenced; what suppressed objects lead to is marked, too
 * @rules: suppressions, or NULL
 */
void leaks_find(struct leaks *leaks, struct heap *heap, struct mark *mark,
		struct suppressions *rules)
{
	unsigned long i;

	memset(leaks, 0, sizeof(*leaks));
	leaks->heap = heap;
	if (rules)
		each_unmarked(leaks, mark, rules);
	hide_owners(heap, mark);
	each_unmarked(leaks, mark, NULL);
	if (leaks->nr >= UINT32_MAX)
		die(EXIT_OTHER, "more than %u leaks", UINT32_MAX);
	for (i = 0; i < leaks->nr; i++)
		leaks->bytes += heap_size(heap, leaks->leaks[i].id);
	find_heads(leaks);
	find_groups(leaks);
	leaks->words = mark->words;
}

void leaks_free(struct leaks *leaks)
{
	unsigned long i;
	unsigned int j;

	for (i = 0; i < leaks->nr_groups; i++)
		for (j = 0; j < leaks->groups[i].nr_owners; j++)
			free(leaks->groups[i].owners[j].name);
	free(leaks->leaks);
	free(leaks->groups);
	free(leaks->suppressed);
}
