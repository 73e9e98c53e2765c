// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heaps: objects with the sizes of a kernel's slabs. Each page has objects of one size.
 * The kind of a heap is the way in which its objects refer to each other. One object in
 * a thousand is leaked: no word points to it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

struct bench_heap heap;

#define HUGE_SIZE	(4UL << 20)	/* > KML_INTERVAL_SIZE */
#define LEAK_EVERY	1000

static const struct kind {
	const char *name;
	unsigned int percent;		/* of the words are pointers */
	unsigned int reach;		/* to one of the next @reach objects; 0: to any */
	enum { CHAIN, TABLE, SERIAL, NOTHING } alive;	/* the references that keep objects alive */
	unsigned int size;		/* of all objects; 0: mixed */
} kinds[] = {
	{ "dense",	26, 0,		CHAIN },
	{ "region",	26, 65536,	CHAIN },
	{ "local",	26, 512,	CHAIN },
	{ "sparse",	 7, 0,		CHAIN },
	{ "plain",	 0, 0,		TABLE },
	{ "blank",	 0, 0,		TABLE,	HUGE_SIZE },
	{ "huge",	26, 0,		CHAIN,	HUGE_SIZE },
	{ "tiny",	26, 0,		CHAIN,	32 },
	{ "list",	 0, 0,		SERIAL },
	{ "white",	 7, 0,		NOTHING },
};

const char * const heap_kinds = "dense region local sparse plain blank huge tiny list white";

static const struct kind *kind;

/* Size class and share, in per cent: 483 bytes on average, as on a server. */
static const struct { unsigned int size, share; } mix[] = {
	{ 32, 12 }, { 64, 18 }, { 96, 8 }, { 128, 14 }, { 192, 12 }, { 256, 10 },
	{ 512, 10 }, { 1024, 10 }, { 2048, 4 }, { 4096, 2 },
};

static unsigned long rnd_state = 88172645463325252UL;

unsigned long heap_rnd(void)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return rnd_state;
}

/* Pages with objects of one size, in a random order. */
static void layout_mixed(unsigned long addr)
{
	unsigned long i = 0;
	unsigned int pick, share, class, off;

	while (i < heap.nr) {
		/* by the share of objects, not of pages */
		pick = heap_rnd() % 1000;
		for (class = 0, share = 0; class < ARRAY_SIZE(mix) - 1; class++) {
			share += mix[class].share * mix[class].size * 1000 / 48300;
			if (pick < share)
				break;
		}
		for (off = 0; off + mix[class].size <= 4096 && i < heap.nr; i++) {
			heap.start[i] = addr + off;
			heap.size[i] = mix[class].size;
			heap.bytes += mix[class].size;
			off += mix[class].size;
		}
		addr += 4096;
	}
}

static void layout_even(unsigned long addr, unsigned int size)
{
	unsigned long i;

	for (i = 0; i < heap.nr; i++) {
		heap.start[i] = addr + i * size;
		heap.size[i] = size;
	}
	heap.bytes = heap.nr * size;
}

/* Return: false for an unknown kind. */
bool heap_layout(unsigned long objects, const char *name)
{
	unsigned long addr = W_GIANT + (1UL << 30);
	unsigned int i;

	kind = NULL;
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(name, kinds[i].name))
			kind = &kinds[i];
	if (!kind) {
		fprintf(stderr, "no heap \"%s\": %s\n", name, heap_kinds);
		return false;
	}

	/* as many bytes as that number of mixed objects */
	heap.nr = kind->size == HUGE_SIZE ? max(objects * 483 / HUGE_SIZE, 2UL) : objects;
	heap.start = malloc(heap.nr * sizeof(*heap.start));
	heap.size = malloc(heap.nr * sizeof(*heap.size));
	if (!heap.start || !heap.size)
		abort();
	if (kind->size)
		layout_even(addr, kind->size);
	else
		layout_mixed(addr);
	return true;
}

void heap_track(void)
{
	unsigned long i;

	for (i = 0; i < heap.nr; i++)
		kmemleak_alloc((void *)heap.start[i], heap.size[i], 1, GFP_KERNEL);
}

static bool leaked(unsigned long i)
{
	return kind->alive != NOTHING && i % LEAK_EVERY == LEAK_EVERY - 1;
}

static void fill(void)
{
	unsigned long i, j, to;

	for (i = 0; i < heap.nr; i++) {
		unsigned long *words = (unsigned long *)heap.start[i];

		for (j = 0; j < heap.size[i] / sizeof(long); j++) {
			words[j] = heap_rnd() >> 32;
			if (heap_rnd() % 100 >= kind->percent)
				continue;
			to = heap_rnd();
			to = (kind->reach ? i + to % kind->reach : to) % heap.nr;
			words[j] = heap.start[to - leaked(to)] + (heap_rnd() % 8 ? 0 : 8);
		}
	}
}

/* Each object refers to the next, besides random pointers. */
static void connect_chain(const unsigned long *order)
{
	unsigned long i, from = 0;

	*(unsigned long *)W_DATA = heap.start[order ? order[0] : 0];
	for (i = 0; i < heap.nr; i++) {
		unsigned long at = order ? order[i] : i;

		if (leaked(at))
			continue;
		/* the first one refers to itself until there is a second one */
		*(unsigned long *)heap.start[from] = heap.start[at];
		from = at;
	}
	*(unsigned long *)heap.start[from] = 0;
}

static void connect_serial(void)
{
	unsigned long i, j, *order = malloc(heap.nr * sizeof(*order));

	if (!order)
		abort();
	for (i = 0; i < heap.nr; i++)
		order[i] = i;
	for (i = heap.nr - 1; i; i--) {
		j = heap_rnd() % (i + 1);
		swap(order[i], order[j]);
	}
	/* the first object of the chain must not be a leak */
	for (i = 0; leaked(order[0]); i++)
		swap(order[0], order[i]);
	connect_chain(order);
	free(order);
}

/* One table refers to all objects, like a hash table. */
static void connect_table(void)
{
	unsigned long i, *table = (unsigned long *)(W_GIANT + (1UL << 29));

	kmemleak_alloc(table, heap.nr * sizeof(*table), 1, GFP_KERNEL);
	for (i = 0; i < heap.nr; i++)
		table[i] = leaked(i) ? 0 : heap.start[i];
	*(unsigned long *)W_DATA = (unsigned long)table;
}

/* Give the objects their content. */
void heap_connect(void)
{
	if (kind->alive != SERIAL)
		fill();
	switch (kind->alive) {
	case CHAIN:
		connect_chain(NULL);
		break;
	case SERIAL:
		connect_serial();
		break;
	case TABLE:
		connect_table();
		break;
	case NOTHING:
		*(unsigned long *)W_DATA = 0;
		break;
	}
}
