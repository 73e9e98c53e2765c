// SPDX-License-Identifier: GPL-2.0-only
/* kmemleak scan: what an image has that nobody refers to. */

#include <errno.h>
#include <getopt.h>
#include <time.h>
#include <unistd.h>

#include "reports.h"

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int compare_caches(const void *a, const void *b)
{
	return strcmp((*(const struct cache *const *)a)->c.name,
		      (*(const struct cache *const *)b)->c.name);
}

/*
 * One line a cache: name, allocated objects, slots, bytes of an object. Then, if that is
 * wanted, one for each of these objects.
 */
static void print_slabs(struct heap *heap, bool all)
{
	struct cache **sorted = must_alloc(NULL, heap->nr_caches, sizeof(*sorted));
	unsigned long i;

	for (i = 0; i < heap->nr_caches; i++)
		sorted[i] = &heap->caches[i];
	qsort(sorted, heap->nr_caches, sizeof(*sorted), compare_caches);
	for (i = 0; i < heap->nr_caches; i++)
		printf("%s %lu %lu %u\n", sorted[i]->c.name, sorted[i]->used, sorted[i]->nr,
		       sorted[i]->c.object_size);
	free(sorted);
	for (i = 0; all && i < heap->nr_objects; i++)
		if (test_bit(i, heap->used))
			printf("%s 0x%lx\n", heap_cache_name(heap, i), heap_addr(heap, i));
}

/* The rules that come with the command lie beside it, or where it is installed. */
static struct suppressions *load_rules(const struct report_options *ro)
{
	struct suppressions *rules = NULL;
	char path[4096];
	ssize_t n;

	if (!ro->no_suppressions) {
		n = readlink("/proc/self/exe", path, sizeof(path) - sizeof("/suppressions"));
		if (n > 0) {
			path[n] = '\0';
			strcpy(strrchr(path, '/'), "/suppressions");
		}
		if (n > 0 && !access(path, R_OK))
			rules = suppress_load(rules, path, true);
		else
			rules = suppress_load(rules, SUPPRESSIONS, false);
	}
	if (ro->suppressions)
		rules = suppress_load(rules, ro->suppressions, true);
	return rules;
}

int cmd_scan(int argc, char **argv)
{
	static const struct option options[] = {
		{ "image", required_argument, NULL, 'i' },
		{ "vmlinux", required_argument, NULL, 'V' },
		{ "map", required_argument, NULL, 'M' },
		{ "btf", required_argument, NULL, 'B' },
		{ "suppressions", required_argument, NULL, 'S' },
		{ "no-suppressions", no_argument, NULL, 'N' },
		{ "json", no_argument, NULL, 'j' },
		{ "all", no_argument, NULL, 'a' },
		{ "groups", required_argument, NULL, 'n' },
		{ "check", no_argument, NULL, 'c' },
		{ "slabs", no_argument, NULL, 's' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "debugfs", required_argument, NULL, 'D' },
		{ }
	};
	const char *debugfs = DEBUGFS;
	struct report_options ro = { .max_groups = 40 };
	struct suppressions *rules;
	struct image_options io = {};
	bool check = false, slabs = false;
	unsigned long found;
	struct image image;
	struct leaks leaks;
	struct heap heap;
	struct mark mark;
	double start = now();
	int c;

	while ((c = getopt_long(argc, argv, "i:S:jan:sq", options, NULL)) != -1) {
		if (image_option(c, optarg, &io))
			continue;
		switch (c) {
		case 'S':
			ro.suppressions = optarg;
			break;
		case 'N':
			ro.no_suppressions = true;
			break;
		case 'j':
			ro.json = true;
			break;
		case 'a':
			ro.all = true;
			break;
		case 'n':
			ro.max_groups = parse_number("--groups", optarg, 0);
			break;
		case 'c':
			check = true;
			break;
		case 's':
			slabs = true;
			break;
		case 'D':
			debugfs = optarg;
			break;
		default:
			return EXIT_USAGE;
		}
	}
	if (optind != argc)
		die(EXIT_USAGE, "scan: %s: see kmemleak help scan", argv[optind]);
	if (!io.file) {
		struct group_options o = {
			.since = R_UNKNOWN,
			.max_groups = ro.max_groups,
			.format = ro.json ? FORMAT_JSON : FORMAT_TEXT,
		};

		if (slabs || ro.all || ro.suppressions || ro.no_suppressions || io.vmlinux ||
		    io.map || io.btf)
			die(EXIT_USAGE, "scan: this option needs --image FILE");
		return live_scan(debugfs, check, &o);
	}
	rules = load_rules(&ro);
	image_open(&image, &io);
	heap_load(&heap, &image);
	image_check(&image);
	if (slabs) {
		print_slabs(&heap, ro.all);
		return EXIT_DONE;
	}
	mark_run(&mark, &heap);
	image_check(&image);
	/* makedumpfile leaves out pages of zeros, which have no references */
	if (image.missing && heap.nr_bad)
		die(EXIT_BAD_IMAGE,
		    "%lu pages with objects are not in the image: was it made by a "
		    "makedumpfile that does not know Linux %s?",
		    image.missing, image.release);
	leaks_find(&leaks, &heap, &mark, rules);
	leaks.seconds = now() - start;
	if (ro.json)
		report_json(&leaks, &ro);
	else
		report_text(&leaks, &ro);
	found = leaks.nr;
	leaks_free(&leaks);
	mark_free(&mark);
	heap_free(&heap);
	image_close(&image);
	if (fflush(stdout) || ferror(stdout))
		die(EXIT_OTHER, "the report could not be written: %s", strerror(errno));
	return check && found ? EXIT_LEAKS : EXIT_DONE;
}
