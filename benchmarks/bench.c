// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench-ours, bench-stock: run one bench several times, and print each figure. The same
 * sources are linked with our core and with the mm/kmemleak.c of a kernel tree.
 * compare.py runs both in turn.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "bench.h"

static const struct bench * const benches[] = {
	&bench_hooks_hot, &bench_hooks_cold, &bench_lookup, &bench_meta,
	&bench_scan, &bench_suspects, &bench_mark, &bench_stream, &bench_random,
	&bench_pages,
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

	fprintf(f, "bench [-js] [-n objects] [-t threads] [-l loops] [-r runs] [-H heap] bench\n");
	for (i = 0; i < ARRAY_SIZE(benches); i++)
		fprintf(f, "  %-9s %s (%s)\n", benches[i]->name,
			benches[i]->what, benches[i]->unit);
	fprintf(f, "heaps: %s\n", heap_kinds);
	return status;
}

/* The value of an option: @text must be a number above 0. */
static unsigned long number(int opt, const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 0);

	if (*text >= '0' && *text <= '9' && !*end && n && n < 1UL << 40)
		return n;
	fprintf(stderr, "-%c %s: expected a number above 0\n", opt, text);
	exit(2);
}

static void print_json(const struct bench *b, const struct bench_args *args,
		       const double *figures, unsigned int nr)
{
	unsigned int i;

	printf("{\"bench\": \"%s\", \"unit\": \"%s\", \"objects\": %lu, \"threads\": %u, ",
	       b->name, b->unit, args->objects, args->threads);
	printf("\"loops\": %lu, \"heap\": \"%s\", \"bytes\": %lu, ",
	       args->loops, args->heap, heap.bytes);
	if (b->leaks)
		printf("\"leaks\": \"%s\", ", b->leaks());
	printf("\"figures\": [");
	for (i = 0; i < nr; i++)
		printf("%s%.4f", i ? ", " : "", figures[i]);
	printf("]}\n");
}

/* Print kmemleak_stats; stock has no such file. */
static void print_stats(void)
{
	struct world_file file;
	char *text;
	ssize_t err;

	if (world_open(&file, "kmemleak_stats", FMODE_READ))
		return;
	text = world_slurp(&file, 65536, &err);
	fputs(text, stderr);
	free(text);
}

int main(int argc, char **argv)
{
	struct bench_args args = {
		.objects = 100000, .threads = 1, .loops = 1000000, .heap = "dense",
	};
	const struct bench *b = NULL;
	unsigned long runs = 5, threads = 1;
	bool json = false, stats = false;
	double *figures;
	unsigned int i;
	int opt;

	while ((opt = getopt(argc, argv, "jsn:t:l:r:H:h")) != -1) {
		switch (opt) {
		case 'j':
			json = true;
			break;
		case 's':
			stats = true;
			break;
		case 'n':
			args.objects = number(opt, optarg);
			break;
		case 't':
			threads = number(opt, optarg);
			break;
		case 'l':
			args.loops = number(opt, optarg);
			break;
		case 'r':
			runs = number(opt, optarg);
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
	if (!b)
		return usage(2);
	if (threads > NR_CPUS) {
		fprintf(stderr, "-t %lu: at most %u\n", threads, NR_CPUS);
		return 2;
	}
	args.threads = threads;
	figures = calloc(runs, sizeof(*figures));
	if (!figures)
		abort();

	world_map();
	/* The kernel maps its memory by large pages; without them TLB misses dominate. */
	madvise((void *)W_GIANT, W_GIANT_SIZE, MADV_HUGEPAGE);
	world_cpus(max(args.threads, 2U));
	shim_cpus_private = true;
	world_boot(NULL);
	b->prepare(&args);
	for (i = 0; i < runs; i++) {
		figures[i] = b->run(&args);
		if (!json)
			printf("%s %.3f %s\n", b->name, figures[i], b->unit);
	}
	if (json)
		print_json(b, &args, figures, runs);
	else if (b->leaks)
		printf("leaks %s\n", b->leaks());
	if (stats)
		print_stats();
	free(figures);
	return 0;
}
