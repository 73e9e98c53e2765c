// SPDX-License-Identifier: GPL-2.0-only
/*
 * The report as text: blocks as the report file of a kernel with kmemleak has them, for
 * programs that read it, and a summary, which is that of kmemleak(8).
 */

#include "oneshot.h"

static const char *plural(unsigned long n)
{
	return n == 1 ? "" : "s";
}

static void hex_dump(struct seq_file *seq, const struct kml_leak *leak)
{
	seq_hex_dump(seq, "    ", DUMP_PREFIX_NONE, 16, 1, leak->content, leak->len, true);
}

/**
 * kml_text_leak() - print a block
 * @seq: printed to
 * @report: the report
 * @nr: index of the leak
 *
 * The task that allocated the block is unknown: the name of the slab cache stands in
 * its place.
 */
void kml_text_leak(struct seq_file *seq, const struct kml_report *report, size_t nr)
{
	const struct kml_leak *leak = &report->leaks[nr];

	seq_printf(seq, "unreferenced object%s 0x%08lx (size %lu):\n",
		   leak->kind == KML_AREA_PERCPU ? " (percpu)" : "", ~leak->not_addr, leak->size);
	seq_printf(seq, "  comm \"[%s]\", pid 0, jiffies 0\n", report->groups[leak->group].name);
	if (leak->len) {
		seq_printf(seq, "  hex dump (first %u bytes%s):\n", leak->len,
			   leak->kind == KML_AREA_PERCPU ? " on cpu 0" : "");
		hex_dump(seq, leak);
	}
	seq_printf(seq, "  backtrace (crc %x):\n", leak->sum);
}

static void print_totals(struct seq_file *seq, const struct kml_report *r)
{
	unsigned int i;

	seq_printf(seq, "Linux %s, %s\n", init_utsname()->release, init_utsname()->machine);
	seq_printf(seq, "%lu objects, of %lu slots in %lu slab caches (%lu free in sheaves and on CPUs)",
		   r->objects, r->slots, r->caches, r->in_sheaves);
	seq_printf(seq, ", %lu large kmalloc, %lu vmalloc, %lu per-CPU\n",
		   r->areas[KML_AREA_LARGE], r->areas[KML_AREA_VMALLOC],
		   r->areas[KML_AREA_PERCPU]);
	seq_puts(seq, "pages:");
	for (i = 0; i < KML_NR_FRAME_CLASSES; i++)
		seq_printf(seq, "%s %lu %s", i ? "," : "", r->classes[i],
			   kml_frame_class_names[i]);
	seq_printf(seq, "\nread %lu MiB in %lu.%03lu s: %u pass%s, %u worker%s, %lu KiB of memory\n",
		   r->words * sizeof(long) >> 20, r->msecs / 1000, r->msecs % 1000, r->passes,
		   r->passes == 1 ? "" : "es", r->workers, plural(r->workers),
		   r->metadata >> 10);
	if (r->bad)
		seq_printf(seq, "%lu free list%s changed while they were read\n", r->bad,
			   plural(r->bad));
}

static void print_group(struct seq_file *seq, const struct kml_report *r,
			const struct kml_group *g)
{
	const struct kml_leak *leak = &r->leaks[g->sample];
	unsigned int i;

	seq_printf(seq, "\n%lu block%s of %s, size %lu: %lu bytes; ", g->nr, plural(g->nr),
		   g->name, leak->size, g->bytes);
	if (g->heads)
		seq_printf(seq, "%lu head%s, retaining %lu bytes\n", g->heads, plural(g->heads),
			   g->retained);
	else
		seq_puts(seq, "no head\n");
	if (g->caller)
		seq_printf(seq, "  allocated by: %pS\n", g->caller);
	for (i = 0; i < g->nr_owners; i++)
		seq_printf(seq, "  owner: %pS (at +0x%x)\n", (void *)g->owner[i], g->at[i]);
	seq_printf(seq, "  for example 0x%lx:\n", ~leak->not_addr);
	hex_dump(seq, leak);
}

static void print_rule(void *data, const char *text, unsigned long nr)
{
	seq_printf(data, "suppressed: %lu by \"%s\"\n", nr, text);
}

/* A report that is not complete says so before anything else. */
static bool print_state(struct seq_file *seq, const struct kml_report *r)
{
	if (!r->done) {
		seq_puts(seq, "no scan yet\n");
		return false;
	}
	if (r->err == -EINTR) {
		seq_printf(seq, "no result: the scan was stopped in pass %u\n", r->passes + 1);
		return false;
	}
	if (r->err) {
		seq_printf(seq, "no result: no memory for a map of all pages after %lu KiB; see max_mb=\n",
			   r->metadata >> 10);
		return false;
	}
	if (r->left_out)
		seq_printf(seq, "PARTIAL: memory for %lu of %lu slots (max_mb=); the others were not looked at, and are roots\n",
			   r->slots, r->slots + r->left_out);
	if (r->cut)
		seq_printf(seq, "PARTIAL: no memory for %lu of %lu suspects (max_mb=)\n", r->cut,
			   r->suspects);
	return true;
}

/**
 * kml_text_summary() - print totals and groups
 * @seq: printed to
 * @r: the report
 */
void kml_text_summary(struct seq_file *seq, const struct kml_report *r)
{
	size_t i;

	if (!print_state(seq, r))
		return;
	print_totals(seq, r);
	seq_printf(seq, "leaks: %zu block%s, %lu bytes, %lu head%s; %lu unreferenced in the first pass\n",
		   r->nr, plural(r->nr), r->bytes, r->heads, plural(r->heads), r->suspects);
	kml_rules_each(print_rule, seq);
	for (i = 0; i < r->nr_groups; i++)
		print_group(seq, r, &r->groups[i]);
}
