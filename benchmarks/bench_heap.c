// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heaps: objects of the sizes that a kernel's slabs have, page by page of one
 * size, connected in ways that are told apart by name.
 */
#include <stdlib.h>

#include "bench.h"

struct bench_heap heap;

/* Size class and share, in per cent: mean 483 bytes, as on a server. */
static const struct { unsigned int size, share; } mix[] = {
	{ 32, 12 }, { 64, 18 }, { 96, 8 }, { 128, 14 }, { 192, 12 }, { 256, 10 },
	{ 512, 10 }, { 1024, 10 }, { 2048, 4 }, { 4096, 2 },
};

static unsigned long rnd_state = 88172645463325252UL;

static unsigned long rnd(void)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return rnd_state;
}

/* Whole pages of one size, in random order of sizes. */
void heap_layout(unsigned long objects)
{
	unsigned long addr = W_GIANT + (1UL << 30), i = 0;
	unsigned int pick, share, class, off;

	heap.nr = objects;
	heap.start = malloc(objects * sizeof(*heap.start));
	heap.size = malloc(objects * sizeof(*heap.size));
	if (!heap.start || !heap.size)
		abort();
	while (i < objects) {
		/* a page is picked by its objects' share, not its own */
		pick = rnd() % 1000;
		for (class = 0, share = 0; class < ARRAY_SIZE(mix) - 1; class++) {
			share += mix[class].share * mix[class].size * 1000 / 48300;
			if (pick < share)
				break;
		}
		for (off = 0; off + mix[class].size <= 4096 && i < objects; i++) {
			heap.start[i] = addr + off;
			heap.size[i] = mix[class].size;
			heap.bytes += mix[class].size;
			off += mix[class].size;
		}
		addr += 4096;
	}
}

void heap_track(void)
{
	unsigned long i;

	for (i = 0; i < heap.nr; i++)
		kmemleak_alloc((void *)heap.start[i], heap.size[i], 1, GFP_KERNEL);
}

static void fill(unsigned int percent, bool local, bool referenced)
{
	unsigned long i, j;

	for (i = 0; i < heap.nr; i++) {
		unsigned long *words = (unsigned long *)heap.start[i];

		for (j = 0; j < heap.size[i] / sizeof(long); j++) {
			unsigned long to = rnd() % heap.nr;

			words[j] = rnd() >> 32;
			if (rnd() % 100 >= percent)
				continue;
			if (local)
				to = (i + rnd() % 512) % heap.nr;
			words[j] = heap.start[to] + (rnd() % 8 ? 0 : 8);
		}
		/* a chain keeps all alive, whatever the dice say */
		if (referenced && i + 1 < heap.nr)
			words[0] = heap.start[i + 1];
	}
	*(unsigned long *)W_DATA = heap.start[0];
}

/* Connect the objects. Return: false for a kind that does not exist. */
bool heap_connect(const char *kind)
{
	unsigned long i, j, *order;

	if (!strcmp(kind, "dense")) {
		fill(26, false, true);
	} else if (!strcmp(kind, "local")) {
		fill(26, true, true);
	} else if (!strcmp(kind, "sparse")) {
		fill(7, false, true);
	} else if (!strcmp(kind, "white")) {
		fill(7, false, false);
		*(unsigned long *)W_DATA = 0;
	} else if (!strcmp(kind, "list")) {
		/* one serial list in random order, nothing else */
		order = malloc(heap.nr * sizeof(*order));
		if (!order)
			abort();
		for (i = 0; i < heap.nr; i++)
			order[i] = i;
		for (i = heap.nr - 1; i; i--) {
			j = rnd() % (i + 1);
			swap(order[i], order[j]);
		}
		for (i = 0; i + 1 < heap.nr; i++)
			*(unsigned long *)heap.start[order[i]] = heap.start[order[i + 1]];
		*(unsigned long *)W_DATA = heap.start[order[0]];
		free(order);
	} else {
		return false;
	}
	return true;
}
