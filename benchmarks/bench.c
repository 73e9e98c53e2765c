// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench-ours, bench-stock: run one bench some times, print each figure. The same
 * sources are linked with our core and with a kernel tree's mm/kmemleak.c.
 * compare.py runs both in turn.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "bench.h"

static const struct bench * const benches[] = {
	&bench_hooks_hot, &bench_hooks_cold, &bench_meta, &bench_scan,
};

double bench_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static int usage(int status)
{
	FILE *f = status ? stderr : stdout;
	unsigned int i;

	fprintf(f, "bench [-n objects] [-t threads] [-l loops] [-r runs] [-H heap] bench\n");
	for (i = 0; i < ARRAY_SIZE(benches); i++)
		fprintf(f, "  %-6s %s (%s)\n", benches[i]->name,
			benches[i]->what, benches[i]->unit);
	return status;
}

int main(int argc, char **argv)
{
	struct bench_args args = {
		.objects = 100000, .threads = 1, .loops = 1000000, .heap = "dense",
	};
	const struct bench *b = NULL;
	unsigned int i, runs = 5;
	int opt;

	while ((opt = getopt(argc, argv, "n:t:l:r:H:h")) != -1) {
		switch (opt) {
		case 'n':
			args.objects = strtoul(optarg, NULL, 0);
			break;
		case 't':
			args.threads = strtoul(optarg, NULL, 0);
			break;
		case 'l':
			args.loops = strtoul(optarg, NULL, 0);
			break;
		case 'r':
			runs = strtoul(optarg, NULL, 0);
			break;
		case 'H':
			args.heap = optarg;
			break;
		case 'h':
			return usage(0);
		default:
			return usage(2);
		}
	}
	for (i = 0; optind < argc && i < ARRAY_SIZE(benches); i++)
		if (!strcmp(benches[i]->name, argv[optind]))
			b = benches[i];
	if (!b || !args.threads || args.threads > NR_CPUS || !args.objects ||
	    !args.loops)
		return usage(2);

	world_map();
	/* The kernel maps its memory by large pages; without, TLB misses hide all. */
	madvise((void *)W_GIANT, W_GIANT_SIZE, MADV_HUGEPAGE);
	world_cpus(max(args.threads, 2U));
	shim_cpus_private = true;
	world_boot(NULL);
	b->prepare(&args);
	for (i = 0; i < runs; i++)
		printf("%s %.3f %s\n", b->name, b->run(&args), b->unit);
	return 0;
}
