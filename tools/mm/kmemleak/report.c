// SPDX-License-Identifier: GPL-2.0-only
/* The report of kmemleak scan as text, for people. */

#include <ctype.h>

#include "kmemleak.h"

static const char *plural(unsigned long n)
{
	return n == 1 ? "" : "s";
}

static void print_hex(const struct leak *leak, const char *indent)
{
	u32 row, i;

	for (row = 0; row < leak->len; row += 16) {
		printf("%s", indent);
		for (i = row; i < row + 16; i++) {
			if (i < leak->len)
				printf("%02x ", leak->content[i]);
			else
				printf("   ");
		}
		putchar(' ');
		for (i = row; i < row + 16 && i < leak->len; i++)
			putchar(isprint(leak->content[i]) && leak->content[i] < 127 ?
				leak->content[i] : '.');
		putchar('\n');
	}
}

static void print_totals(const struct leaks *l)
{
	struct heap *heap = l->heap;
	struct image *im = heap->im;
	unsigned long kinds[AREA_PERCPU + 1] = {}, i;

	for (i = 0; i < heap->nr_areas; i++)
		kinds[heap->areas[i].kind]++;
	printf("Linux %s, %s, %lu MiB\n", im->release, im->arch,
	       im->max_pfn << im->page_shift >> 20);
	printf("%lu objects: %lu of %lu slots in %lu slab caches (%lu free in sheaves and on CPUs),"
	       " %lu large kmalloc, %lu vmalloc, %lu per-CPU, %lu KFENCE\n",
	       heap->nr_used, heap->nr_used - heap->nr_areas, heap->nr_objects, heap->nr_caches,
	       heap->nr_sheaf_objects, kinds[AREA_LARGE], kinds[AREA_VMALLOC], kinds[AREA_PERCPU],
	       kinds[AREA_KFENCE]);
	printf("pages:");
	for (i = 0; i < KML_NR_FRAME_CLASSES; i++)
		printf("%s %lu %s", i ? "," : "", heap->classes[i], kml_frame_class_names[i]);
	printf("\nread %lu MiB in %.1f s\n", l->words * sizeof(long) >> 20, l->seconds);
	if (heap->nr_bad)
		printf("%lu free lists or structures contradict themselves: "
		       "the report may be wrong\n",
		       heap->nr_bad);
}

static void print_group(const struct leaks *l, const struct group *g)
{
	const struct leak *leak = &l->leaks[g->sample];
	unsigned int i;

	printf("\n%lu block%s of %s, size %lu: %lu bytes; ", g->nr, plural(g->nr),
	       heap_cache_name(l->heap, leak->id), heap_size(l->heap, leak->id), g->bytes);
	if (g->heads)
		printf("%lu head%s, retaining %lu bytes\n", g->heads, plural(g->heads),
		       g->retained);
	else
		printf("no head\n");
	for (i = 0; i < g->nr_owners; i++)
		printf("  owner: %s (at +0x%x)\n", g->owners[i].name, g->owners[i].off);
	printf("  for example 0x%lx:\n", heap_addr(l->heap, leak->id));
	print_hex(leak, "    ");
}

/**
 * report_text() - print a report
 * @l: what was found
 * @options: how much of it
 */
void report_text(const struct leaks *l, const struct report_options *options)
{
	unsigned long i;

	print_totals(l);
	printf("leaks: %lu block%s, %lu bytes, %lu head%s\n", l->nr, plural(l->nr), l->bytes,
	       l->heads, plural(l->heads));
	for (i = 0; i < l->nr_suppressed; i++)
		printf("suppressed: %lu by \"%s\"\n", l->suppressed[i].nr, l->suppressed[i].rule);
	for (i = 0; i < l->nr_groups && i < options->max_groups; i++)
		print_group(l, &l->groups[i]);
	if (i < l->nr_groups)
		printf("\n%lu more groups: --groups shows them\n", l->nr_groups - i);
	if (!options->all || !l->nr)
		return;
	putchar('\n');
	for (i = 0; i < l->nr; i++)
		printf("leak 0x%lx size %lu %s head 0x%lx\n", heap_addr(l->heap, l->leaks[i].id),
		       heap_size(l->heap, l->leaks[i].id), heap_cache_name(l->heap, l->leaks[i].id),
		       heap_addr(l->heap, l->leaks[l->leaks[i].head].id));
}
