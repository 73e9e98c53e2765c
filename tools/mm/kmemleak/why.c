// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmemleak why: who refers to a block. Memory is swept once for each step from the
 * block towards a root, so that the first chain that is found is a shortest one.
 */

#include <getopt.h>

#include "reports.h"

struct ref {
	unsigned long id;	/* of the block that is referred to */
	unsigned long from;	/* of the block with the reference, or NO_OBJECT: a root */
	unsigned long where, word;
};

struct search {
	struct heap *heap;
	unsigned long *wanted;		/* bit for each block of this step */
	unsigned long *seen;
	struct ref *refs;
	unsigned long nr, room;
	unsigned long root;		/* index of a reference from a root */
};

static void describe(struct heap *heap, unsigned long id)
{
	printf("%s block 0x%lx (size %lu)", heap_cache_name(heap, id), heap_addr(heap, id),
	       heap_size(heap, id));
}

static void print_where(struct heap *heap, const struct ref *r)
{
	const char *name = symbol_name(heap->im, r->where);
	unsigned long phys;

	if (r->from != NO_OBJECT) {
		describe(heap, r->from);
		if (heap->areas && r->from >= heap->nr_objects &&
		    heap->areas[r->from - heap->nr_objects].kind == AREA_PERCPU)
			printf(" at 0x%lx", r->where);
		else
			printf(" +0x%lx", r->where - heap_addr(heap, r->from));
		return;
	}
	/* data of the kernel's image is read by physical address */
	if (!name && image_to_phys(heap->im, r->where, &phys)) {
		unsigned long stext = symbol(heap->im, "_stext"), text_phys;

		if (stext && image_to_phys(heap->im, stext, &text_phys))
			name = symbol_name(heap->im, stext + phys - text_phys);
	}
	if (name)
		printf("root: %s", name);
	else
		printf("root: memory in use at 0x%lx", r->where);
}

static void found(void *data, unsigned long id, unsigned long where, unsigned long from,
		  unsigned long word)
{
	struct search *s = data;

	if (!test_bit(id, s->wanted))
		return;
	if (from != NO_OBJECT && test_bit(from, s->wanted))
		return;
	GROW(s->refs, s->nr, s->room);
	s->refs[s->nr] = (struct ref){ id, from, where, word };
	if (from == NO_OBJECT && s->root == NO_OBJECT)
		s->root = s->nr;
	s->nr++;
}

/* The chain from a root, by the first reference that each block was found by. */
static void print_chain(struct search *s, unsigned long at)
{
	struct heap *heap = s->heap;

	for (;;) {
		const struct ref *r = &s->refs[at];
		unsigned long i;

		printf("  ");
		print_where(heap, r);
		printf(" -> 0x%lx, in ", r->word);
		describe(heap, r->id);
		putchar('\n');
		/* who of the steps before was referred to by that block? */
		for (i = 0; i < at; i++)
			if (s->refs[i].from == r->id)
				break;
		if (i == at)
			return;
		at = i;
	}
}

static void search(struct search *s, unsigned long id, unsigned long depth, unsigned long show)
{
	struct heap *heap = s->heap;
	unsigned long words = (heap->nr_objects + heap->nr_areas) / BITS_PER_LONG + 1;
	unsigned long step, first = 0, i, shown = 0;

	s->wanted = must_alloc(NULL, words, sizeof(long));
	s->seen = must_alloc(NULL, words, sizeof(long));
	s->root = NO_OBJECT;
	set_bit(id, s->wanted);
	set_bit(id, s->seen);
	for (step = 0; step < depth; step++) {
		unsigned long min = ~0UL, max = 0, next = 0;

		for (i = 0; i < heap->nr_objects + heap->nr_areas; i++) {
			if (!test_bit(i, s->wanted))
				continue;
			min = min_t(unsigned long, min, heap_addr(heap, i));
			max = max_t(unsigned long, max,
				    heap_addr(heap, i) + heap_size(heap, i) - 1);
		}
		if (min > max)
			break;
		mark_sweep(heap, heap->used, min, max, found, s);
		if (!step) {
			for (i = 0; i < s->nr && shown < show; i++, shown++) {
				printf("  referred to by ");
				print_where(heap, &s->refs[i]);
				printf(" -> 0x%lx\n", s->refs[i].word);
			}
			if (s->nr > shown)
				printf("  ... and %lu more\n", s->nr - shown);
		}
		if (s->root != NO_OBJECT)
			break;
		/* those that refer to it are looked for next */
		memset(s->wanted, 0, words * sizeof(long));
		for (i = first; i < s->nr; i++) {
			unsigned long from = s->refs[i].from;

			if (from == NO_OBJECT || test_bit(from, s->seen))
				continue;
			set_bit(from, s->seen);
			set_bit(from, s->wanted);
			next++;
		}
		first = s->nr;
		if (!next)
			break;
	}
	if (s->root != NO_OBJECT) {
		puts("chain from a root:");
		print_chain(s, s->root);
	} else if (!s->nr) {
		puts("nobody refers to it: it is a leak");
	} else if (step == depth) {
		printf("no root among %lu steps: --depth looks further\n", depth);
	} else {
		puts("no root leads to it: all that refer to it are leaks");
	}
}

int cmd_why(int argc, char **argv)
{
	static const struct option options[] = {
		{ "image", required_argument, NULL, 'i' },
		{ "vmlinux", required_argument, NULL, 'V' },
		{ "map", required_argument, NULL, 'M' },
		{ "btf", required_argument, NULL, 'B' },
		{ "depth", required_argument, NULL, 'd' },
		{ "refs", required_argument, NULL, 'n' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "debugfs", required_argument, NULL, 'D' },
		{ }
	};
	const char *debugfs = DEBUGFS;
	unsigned long depth = 8, refs = 8, addr, id;
	struct image_options io = {};
	struct search s = {};
	struct image image;
	struct heap heap;
	int c;

	while ((c = getopt_long(argc, argv, "i:d:n:q", options, NULL)) != -1) {
		if (image_option(c, optarg, &io))
			continue;
		if (c == 'd')
			depth = parse_number("--depth", optarg, 0);
		else if (c == 'n')
			refs = parse_number("--refs", optarg, 0);
		else if (c == 'D')
			debugfs = optarg;
		else
			return EXIT_USAGE;
	}
	if (optind + 1 != argc)
		die(EXIT_USAGE, "why: an address is needed: see kmemleak help why");
	addr = parse_number("why", argv[optind], 16);
	if (!io.file && (io.vmlinux || io.map || io.btf))
		die(EXIT_USAGE, "why: this option needs --image FILE");
	if (!io.file)
		return live_why(debugfs, addr, depth, refs);
	image_open(&image, &io);
	heap_load(&heap, &image);
	image_check(&image);
	id = heap_slot(&heap, addr);
	if (id == NO_OBJECT)
		id = heap_find_percpu(&heap, addr);
	if (id == NO_OBJECT)
		die(EXIT_OTHER, "0x%lx is in no block", addr);
	describe(&heap, id);
	if (!test_bit(id, heap.used)) {
		puts(": free");
		return EXIT_DONE;
	}
	putchar('\n');
	s.heap = &heap;
	search(&s, id, depth, refs);
	return EXIT_DONE;
}
