// SPDX-License-Identifier: GPL-2.0-only
/* Complete scans, and the memory of the metadata of a heap. */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

static struct world_file file;
static char leaks[64];

static void scan(void)
{
	if (world_write(&file, "scan", 4) != 4)
		abort();
}

static void set_min_unref(const char *scans)
{
	if (!shim_param_set("kmemleak.min_unref_scans", scans))
		return;
	fprintf(stderr, "this kmemleak has no min_unref_scans\n");
	exit(BENCH_SKIP);
}

/*
 * The reported objects: their number, and a checksum of their addresses. Stock walks all
 * objects for each 4 KiB of the report, so of many objects only the number is taken.
 */
#define MAX_READ	20000

static void read_leaks(void)
{
	unsigned long nr = 0, sum = 14695981039346656037UL;
	char *log = shim_log_take(), *at, *text;
	ssize_t err;

	at = strstr(log, " new suspected memory leaks");
	if (at) {
		while (at > log && at[-1] >= '0' && at[-1] <= '9')
			at--;
		nr = strtoul(at, NULL, 10);
	}
	free(log);
	snprintf(leaks, sizeof(leaks), "%lu", nr);
	if (nr > MAX_READ)
		return;

	text = world_slurp(&file, 65536, &err);
	nr = 0;
	for (at = text; (at = strstr(at, "unreferenced object 0x")); nr++) {
		at += strlen("unreferenced object 0x");
		/* in the order in which they were allocated */
		sum = (sum ^ strtoul(at, NULL, 16)) * 1099511628211UL;
	}
	free(text);
	snprintf(leaks, sizeof(leaks), "%lu:%lx", nr, sum);
}

static void begin(const struct bench_args *args)
{
	char cmd[32];

	if (!heap_layout(args->objects, args->heap))
		exit(2);
	heap_track();
	heap_connect();
	if (world_open(&file, "kmemleak", FMODE_READ | FMODE_WRITE))
		abort();
	/* stock has no such command, and no second thread */
	snprintf(cmd, sizeof(cmd), "parallel=%u", args->threads);
	world_write(&file, cmd, strlen(cmd));
	/* take checksums, and wait until the heap is old enough */
	scan();
	jiffies += 10 * HZ;
}

/* Reported objects are no suspects any more. */
static void scan_prepare(const struct bench_args *args)
{
	begin(args);
	free(shim_log_take());
	scan();
	read_leaks();
}

/* Unreferenced, but not often enough to be reported: confirmed in each scan. */
static void suspects_prepare(const struct bench_args *args)
{
	set_min_unref("1000");
	begin(args);
}

static const char *scan_leaks(void)
{
	return leaks;
}

static const char *suspects_leaks(void)
{
	free(shim_log_take());
	set_min_unref("1");
	scan();
	read_leaks();
	return leaks;
}

static double scan_run(const struct bench_args *args)
{
	double begin = bench_now();

	scan();
	return (bench_now() - begin) * 1e3;
}

static double mark_run(const struct bench_args *args)
{
	return scan_run(args) * 1e6 / (heap.bytes / sizeof(long));
}

const struct bench bench_scan = {
	"scan", "ms", "a whole scan of objects= objects, connected as heap=",
	scan_prepare, scan_run, scan_leaks,
};

const struct bench bench_suspects = {
	"suspects", "ms", "the same, 1 in 1000 unreferenced and to be confirmed",
	suspects_prepare, scan_run, suspects_leaks,
};

/*
 * Struct pages: the time of a scan with -n of them, minus one with few. They have no
 * pointers, like most struct pages.
 */
static double few_pages_s;

static double pages_scan(void)
{
	double begin = bench_now();

	scan();
	return bench_now() - begin;
}

static void pages_prepare(const struct bench_args *args)
{
	struct bench_args few = *args;
	double best = 1e9;
	int i;

	few.objects = 1000;
	begin(&few);
	scan();
	for (i = 0; i < 5; i++)
		best = min(best, pages_scan());
	few_pages_s = best;
	world_many_pages(args->objects);
	scan();
}

static double pages_run(const struct bench_args *args)
{
	return args->objects * sizeof(struct page) / (pages_scan() - few_pages_s) / 1e9;
}

const struct bench bench_pages = {
	"pages", "GB/s", "the struct pages of objects= pages, in a scan of little else",
	pages_prepare, pages_run,
};

const struct bench bench_mark = {
	"mark", "ns/word", "a whole scan, for each word of the heap",
	scan_prepare, mark_run, scan_leaks,
};

static void meta_prepare(const struct bench_args *args)
{
	if (!heap_layout(args->objects, args->heap))
		exit(2);
	heap_track();
}

static double meta_run(const struct bench_args *args)
{
	struct shim_thread *t;
	unsigned int i;
	long bytes = 0;

	for (i = 0; (t = shim_thread_nth(i)); i++)
		bytes += READ_ONCE(t->mem_bytes);
	return (double)bytes / heap.nr;
}

const struct bench bench_meta = {
	"meta", "B/object", "slab memory of metadata", meta_prepare, meta_run,
};
