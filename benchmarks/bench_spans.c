// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench-spans: the times for which other tasks may have to wait during a scan. These are
 * the longest spans without preemption, in RCU read-side sections and without a chance to
 * reschedule, with the lines where they end. The program is instrumented, so it does not
 * show the time of a scan.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "bench.h"

#define TOP	8U

static const char * const kinds[SHIM_NR_SPANS] = {
	[SHIM_SPAN_ATOMIC] = "no preemption",
	[SHIM_SPAN_RCU] = "RCU read-side section",
	[SHIM_SPAN_POLL] = "no chance to reschedule",
};

/* A giant object, besides those of the heap. */
static void track_giant(unsigned long bytes)
{
	if (bytes)
		kmemleak_alloc((void *)(W_GIANT + (4UL << 30)), bytes, 0, GFP_KERNEL);
}

/* The innermost function that is not the harness's, and its line. */
static void print_place(const char *self, void *place)
{
	char cmd[256], function[256], line[256];
	FILE *p;

	snprintf(cmd, sizeof(cmd), "addr2line -sife %s %lx", self,
		 (unsigned long)place - 1);
	p = popen(cmd, "r");
	while (p && fscanf(p, "%255s %255[^\n]", function, line) == 2)
		if (strncmp(function, "shim_", 5) && strcmp(function, "cond_resched"))
			break;
	printf("%s %s\n", function, line);
	if (p)
		pclose(p);
}

static void print_spans(const char *self)
{
	struct shim_site site[TOP * 20];
	unsigned int kind, nr, i;

	for (kind = 0; kind < SHIM_NR_SPANS; kind++) {
		nr = ARRAY_SIZE(site);
		shim_spans_list(kind, site, &nr);
		printf("%s, us:\n  %9s %9s %9s %10s %9s  ended in\n", kinds[kind], "max",
		       "99.99 %", "mean", "times", "disturbed");
		for (i = 0; i < min(nr, TOP); i++) {
			printf("  %9.2f %9.2f %9.3f %10lu %9lu  ", site[i].max,
			       site[i].p9999, site[i].mean, site[i].count,
			       site[i].disturbed);
			print_place(self, site[i].place);
		}
	}
}

static int usage(int status)
{
	fprintf(status ? stderr : stdout,
		"bench-spans [-n objects] [-t threads] [-r runs] [-H heap] [-g bytes] [-T tasks]\n"
		"  -g bytes  one more object, of so many bytes (up to 3 GiB)\n"
		"  -T tasks  so many, asleep, their stacks to be read\n"
		"heaps: %s\n", heap_kinds);
	return status;
}

int main(int argc, char **argv)
{
	unsigned long objects = 100000, threads = 1, runs = 5, giant = 0, tasks = 0, i;
	const char *kind = "dense";
	struct world_file file;
	char cmd[32];
	int opt;

	while ((opt = getopt(argc, argv, "n:t:r:H:g:T:h")) != -1) {
		switch (opt) {
		case 'n':
			objects = strtoul(optarg, NULL, 0);
			break;
		case 't':
			threads = strtoul(optarg, NULL, 0);
			break;
		case 'r':
			runs = strtoul(optarg, NULL, 0);
			break;
		case 'H':
			kind = optarg;
			break;
		case 'g':
			giant = strtoul(optarg, NULL, 0);
			break;
		case 'T':
			tasks = strtoul(optarg, NULL, 0);
			break;
		default:
			return usage(opt == 'h' ? 0 : 2);
		}
	}
	if (!objects || !threads || threads > NR_CPUS || giant > 3UL << 30 ||
	    tasks > 1000000)
		return usage(2);

	world_map();
	madvise((void *)W_GIANT, W_GIANT_SIZE, MADV_HUGEPAGE);
	world_cpus(max(threads, 2UL));
	shim_cpus_private = true;
	world_boot(NULL);
	if (!heap_layout(objects, kind))
		return 2;
	heap_track();
	heap_connect();
	track_giant(giant);
	if (tasks)
		world_many_tasks(tasks);
	if (world_open(&file, "kmemleak", FMODE_READ | FMODE_WRITE))
		abort();
	snprintf(cmd, sizeof(cmd), "parallel=%lu", threads);
	world_write(&file, cmd, strlen(cmd));
	/* touch memory, take checksums */
	for (i = 0; i < 2; i++)
		world_write(&file, "scan", 4);
	jiffies += 10 * HZ;

	shim_spans_clear();
	shim_span_begin(shim_self(), SHIM_SPAN_POLL);
	for (i = 0; i < runs; i++)
		world_write(&file, "scan", 4);
	print_spans(argv[0]);
	return 0;
}
