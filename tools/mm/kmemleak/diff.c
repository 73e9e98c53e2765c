// SPDX-License-Identifier: GPL-2.0-only
/* kmemleak diff: what changed between two reports in JSON. */

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <sys/stat.h>

#include "reports.h"

#ifdef HAVE_JSON
#include <json-c/json.h>

/* A group in either report; 0 bytes and 0 leaks where it is not. */
struct change {
	const char *key, *function;
	unsigned long bytes[2], leaks[2];
};

struct diff {
	struct change *changes;
	unsigned long nr, room;
	unsigned long bytes[2], leaks[2];
	const char *by;
};

static json_object *member(const char *file, json_object *o, const char *key, json_type type)
{
	json_object *m;

	if (!json_object_object_get_ex(o, key, &m) || !json_object_is_type(m, type))
		die(EXIT_BAD_IMAGE, "%s: no %s: this is no report of kmemleak report -f json",
		    file, key);
	return m;
}

static unsigned long number(const char *file, json_object *o, const char *key)
{
	return json_object_get_uint64(member(file, o, key, json_type_int));
}

static const char *string(const char *file, json_object *o, const char *key)
{
	json_object *m = member(file, o, key, json_type_string);

	return intern(json_object_get_string(m), json_object_get_string_len(m));
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(((const struct change *)a)->key, ((const struct change *)b)->key);
}

static void load(struct diff *d, const char *file, int side)
{
	json_object *root, *totals, *groups;
	size_t i, nr;
	struct stat st;
	const char *by;

	if (stat(file, &st))
		die(EXIT_NO_FILE, "%s: %s", file, strerror(errno));
	root = json_object_from_file(file);
	if (!root || !json_object_is_type(root, json_type_object))
		die(EXIT_BAD_IMAGE, "%s: this is no JSON of a report", file);
	if (number(file, root, "version") != 1)
		die(EXIT_UNKNOWN, "%s: only version 1 is known", file);
	by = string(file, root, "by");
	if (d->by && strcmp(d->by, by))
		die(EXIT_USAGE, "%s has groups by %s, the other file by %s", file, by, d->by);
	d->by = by;
	totals = member(file, root, "totals", json_type_object);
	d->bytes[side] = number(file, totals, "bytes");
	d->leaks[side] = number(file, totals, "leaks");
	groups = member(file, root, "groups", json_type_array);
	nr = json_object_array_length(groups);
	if (nr < number(file, totals, "groups"))
		warn("%s has %zu of %lu groups: it was written with -n", file, nr,
		     number(file, totals, "groups"));
	for (i = 0; i < nr; i++) {
		json_object *o = json_object_array_get_idx(groups, i);
		struct change *c;

		if (!json_object_is_type(o, json_type_object))
			die(EXIT_BAD_IMAGE, "%s: group %zu is damaged", file, i);
		GROW(d->changes, d->nr, d->room);
		c = &d->changes[d->nr++];
		*c = (struct change){
			.key = string(file, o, "group"),
			.function = string(file, o, "function"),
		};
		c->bytes[side] = number(file, o, "bytes");
		c->leaks[side] = number(file, o, "leaks");
	}
	json_object_put(root);
}

/* One entry for each key. */
static void merge(struct diff *d)
{
	unsigned long i, j = 0;
	int side;

	sort_array(d->changes, d->nr, sizeof(*d->changes), compare_keys);
	for (i = 0; i < d->nr; i++) {
		if (j && d->changes[j - 1].key == d->changes[i].key) {
			for (side = 0; side < 2; side++) {
				d->changes[j - 1].bytes[side] += d->changes[i].bytes[side];
				d->changes[j - 1].leaks[side] += d->changes[i].leaks[side];
			}
		} else {
			d->changes[j++] = d->changes[i];
		}
	}
	d->nr = j;
}

static unsigned long distance(const struct change *c)
{
	return c->bytes[0] < c->bytes[1] ? c->bytes[1] - c->bytes[0] : c->bytes[0] - c->bytes[1];
}

static int compare_changes(const void *a, const void *b)
{
	unsigned long x = distance(a), y = distance(b);

	return x != y ? x > y ? -1 : 1 : compare_keys(a, b);
}

enum kind { NEW, GROWN, SHRUNK, GONE, SAME };

static enum kind kind_of(const struct change *c)
{
	if (!c->leaks[0])
		return c->leaks[1] ? NEW : SAME;
	if (!c->leaks[1])
		return GONE;
	if (c->bytes[0] == c->bytes[1] && c->leaks[0] == c->leaks[1])
		return SAME;
	return c->bytes[1] > c->bytes[0] ||
	       (c->bytes[1] == c->bytes[0] && c->leaks[1] > c->leaks[0]) ? GROWN : SHRUNK;
}

static unsigned long print_kind(const struct diff *d, enum kind kind)
{
	static const char * const names[] = { "new", "grown", "shrunk", "gone" };
	unsigned long i, nr = 0;

	for (i = 0; i < d->nr; i++) {
		const struct change *c = &d->changes[i];

		if (kind_of(c) != kind)
			continue;
		nr++;
		printf("%-6s %+ld bytes, %+ld leaks (now %lu in %lu): %s\n", names[kind],
		       (long)(c->bytes[1] - c->bytes[0]), (long)(c->leaks[1] - c->leaks[0]),
		       c->bytes[1], c->leaks[1], c->function);
		if (strcmp(c->key, c->function))
			printf("         %s\n", c->key);
	}
	return nr;
}

int cmd_diff(int argc, char **argv)
{
	static const struct option options[] = {
		{ "check", no_argument, NULL, 'c' },
		{ }
	};
	unsigned long worse, better;
	struct diff d = {};
	bool check = false;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 'c')
			return EXIT_USAGE;
		check = true;
	}
	if (optind + 2 != argc)
		die(EXIT_USAGE, "diff: two files are needed: see kmemleak help diff");
	signal(SIGPIPE, SIG_IGN);
	load(&d, argv[optind], 0);
	load(&d, argv[optind + 1], 1);
	merge(&d);
	sort_array(d.changes, d.nr, sizeof(*d.changes), compare_changes);
	printf("leaks %lu -> %lu, bytes %lu -> %lu\n", d.leaks[0], d.leaks[1], d.bytes[0],
	       d.bytes[1]);
	worse = print_kind(&d, NEW);
	worse += print_kind(&d, GROWN);
	better = print_kind(&d, SHRUNK);
	better += print_kind(&d, GONE);
	if (!worse && !better)
		puts("no group has changed");
	output_done();
	free(d.changes);
	return check && worse ? EXIT_LEAKS : EXIT_DONE;
}
#else
int cmd_diff(int argc, char **argv)
{
	die(EXIT_USAGE, "diff: this command was built without json-c");
}
#endif
