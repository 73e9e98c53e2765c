// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench-filter: the speed of each range filter of this machine, in a cache and outside of
 * all caches, beside the limit, which is reading alone (a sum). As in a scan, 4 KiB at a
 * time are read, and the output goes to the same buffer. Also the cost of short ranges,
 * which decides from how many words on vectors are used.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "world.h"
#include "scan.h"

#define CACHED_BYTES	(256UL << 10)
#define MAX_RUNS	1000

/* The range of addresses to which candidates point. */
static const struct kmemleak_windows windows = {
	.virt	= { 0xffff888000000000UL, 1UL << 40 },
	.percpu	= { 0x607f00000000UL, 1UL << 24 },
};

typedef unsigned long vec __attribute__((vector_size(32)));

static unsigned long out[KML_CHUNK / sizeof(long) + KMEMLEAK_FILTER_PAD];
static volatile unsigned long sink;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void fill(unsigned long *words, size_t bytes, unsigned int percent)
{
	unsigned long x = 88172645463325252UL;
	size_t i;

	for (i = 0; i < bytes / sizeof(long); i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		words[i] = (x >> 57) * 100 / 128 < percent ?
			windows.virt.min + (x & 0xfffffff8) : x & 0xffffffff;
	}
}

#ifdef __x86_64__
__attribute__((target("avx2")))
#endif
static void read_all(const unsigned long *words, size_t bytes)
{
	const vec *v = (const vec *)words, *end = v + bytes / sizeof(*v);
	vec a = {}, b = {}, c = {}, d = {};

	for (; v < end; v += 4) {
		a += v[0];
		b += v[1];
		c += v[2];
		d += v[3];
	}
	a += b + c + d;
	sink = a[0] + a[1] + a[2] + a[3];
}

static void filter_all(const struct kmemleak_filter *f, const unsigned long *words,
		       size_t bytes)
{
	const char *p = (const char *)words, *end = p + bytes;

	for (; p < end; p += KML_CHUNK)
		sink = kml_filter_call(f, (const unsigned long *)p,
				       KML_CHUNK / sizeof(long), &windows, out);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* GB/s of runs of at least 32 MiB each; a filter, or NULL for the sum. */
static void measure(const char *arena, int percent, const struct kmemleak_filter *f,
		    const unsigned long *words, size_t bytes, unsigned int runs)
{
	unsigned int loops = max((32UL << 20) / bytes, 1UL), run, i;
	double rate[MAX_RUNS], t;

	for (run = 0; run < runs; run++) {
		t = now();
		for (i = 0; i < loops; i++) {
			if (f)
				filter_all(f, words, bytes);
			else
				read_all(words, bytes);
		}
		rate[run] = loops * bytes / (now() - t) / 1e9;
	}
	qsort(rate, runs, sizeof(*rate), compare);
	printf("%-6s %4d %-8s %7.2f %7.2f %7.2f\n", arena, percent, f ? f->name : "read",
	       rate[runs / 2], rate[0], rate[runs - 1]);
	fflush(stdout);
}

static bool usable(const struct kmemleak_filter *f)
{
	return !f->usable || f->usable();
}

static void measure_all(const char *arena, unsigned long *words, size_t bytes,
			unsigned int runs)
{
	static const int percents[] = { 0, 7, 26 };
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(percents); i++) {
		fill(words, bytes, percents[i]);
		measure(arena, percents[i], NULL, words, bytes, runs);
		for (j = 0; kml_filters[j]; j++)
			if (usable(kml_filters[j]))
				measure(arena, percents[i], kml_filters[j], words, bytes, runs);
	}
}

/* Nanoseconds for a range, the least of the runs; 7 % of the words are candidates. */
static void measure_short(const unsigned long *words, unsigned int runs)
{
	static const unsigned int sizes[] = { 1, 2, 4, 8, 12, 16, 24, 32, 64, 128, 512 };
	const unsigned int nr = CACHED_BYTES / sizeof(long);
	unsigned int i, j, k, run;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		printf("%5u words", sizes[i]);
		for (j = 0; kml_filters[j]; j++) {
			double t, best = 1;

			if (!usable(kml_filters[j]))
				continue;
			for (run = 0; run < runs; run++) {
				t = now();
				for (k = 0; k + sizes[i] <= nr; k += sizes[i])
					sink = kml_filter_call(kml_filters[j], words + k,
							       sizes[i], &windows, out);
				best = min(best, (now() - t) / (nr / sizes[i]));
			}
			printf("  %s %.1f", kml_filters[j]->name, best * 1e9);
		}
		printf("  ns\n");
	}
}

int main(int argc, char **argv)
{
	unsigned long mib = 2560;
	unsigned int runs = 15;
	unsigned long *words;
	size_t bytes;
	int opt;

	while ((opt = getopt(argc, argv, "m:r:h")) != -1) {
		switch (opt) {
		case 'm':
			mib = strtoul(optarg, NULL, 0);
			break;
		case 'r':
			runs = strtoul(optarg, NULL, 0);
			break;
		default:
			fprintf(opt == 'h' ? stdout : stderr,
				"bench-filter [-m MiB of the cold arena; 0: none] [-r runs]\n");
			return opt == 'h' ? 0 : 2;
		}
	}
	if (!runs || runs > MAX_RUNS)
		return 2;

	bytes = max(mib << 20, CACHED_BYTES);
	words = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (words == MAP_FAILED) {
		perror("bench-filter");
		return 1;
	}
	/* by large pages, like the kernel's memory */
	madvise(words, bytes, MADV_HUGEPAGE);

	printf("# GB/s: median, least, most of %u runs\n", runs);
	printf("# arena    %% filter\n");
	measure_all("cached", words, CACHED_BYTES, runs);
	if (mib)
		measure_all("cold", words, bytes, runs);
	printf("# short ranges\n");
	fill(words, CACHED_BYTES, 7);
	measure_short(words, runs);
	return 0;
}
