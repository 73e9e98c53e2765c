// SPDX-License-Identifier: GPL-2.0-only
/* Whole scans, and what the metadata of a heap takes. */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

static struct world_file file;

static void scan(void)
{
	if (world_write(&file, "scan", 4) != 4)
		abort();
}

static void scan_prepare(const struct bench_args *args)
{
	char cmd[32];

	heap_layout(args->objects);
	heap_track();
	if (!heap_connect(args->heap)) {
		fprintf(stderr, "no heap \"%s\": dense local sparse white list\n",
			args->heap);
		exit(2);
	}
	if (world_open(&file, "kmemleak", FMODE_READ | FMODE_WRITE))
		abort();
	/* stock knows no such command, and no second thread */
	snprintf(cmd, sizeof(cmd), "parallel=%u", args->threads);
	world_write(&file, cmd, strlen(cmd));
	/* checksums settle, and the heap gets its age */
	scan();
	jiffies += 10 * HZ;
}

static double scan_run(const struct bench_args *args)
{
	double begin = bench_now();

	scan();
	return (bench_now() - begin) * 1e3;
}

const struct bench bench_scan = {
	"scan", "ms", "a whole scan of objects= objects, connected as heap=",
	scan_prepare, scan_run,
};

static void meta_prepare(const struct bench_args *args)
{
	heap_layout(args->objects);
	heap_track();
}

static double meta_run(const struct bench_args *args)
{
	struct shim_thread *t;
	unsigned int i;
	long bytes = 0;

	for (i = 0; (t = shim_thread_nth(i)); i++)
		bytes += READ_ONCE(t->mem_bytes);
	return (double)bytes / args->objects;
}

const struct bench bench_meta = {
	"meta", "B/object", "slab memory of metadata", meta_prepare, meta_run,
};
