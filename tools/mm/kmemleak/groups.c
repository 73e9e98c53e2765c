// SPDX-License-Identifier: GPL-2.0-only
/* kmemleak report: leaks in groups, the largest first. */

#include <fnmatch.h>
#include <getopt.h>
#include <signal.h>

#include "reports.h"

/* Functions that allocate for others. The caller of these is the one to look at. */
static const char * const allocators[] = {
	"kml_*", "kmemleak_alloc*", "kmemleak_vmalloc", "kmemleak_update_trace",
	"save_stack*", "stack_trace_save*", "set_track_prepare*", "create_object*",
	"__create_object*", "slab_post_alloc_hook*", "slab_alloc*", "__slab_alloc*",
	"___slab_alloc*", "kmalloc*", "__kmalloc*", "__do_kmalloc*", "___kmalloc*",
	"kzalloc*", "kcalloc*", "kmem_cache_alloc*", "kmem_cache_zalloc*",
	"__kmem_cache_alloc*", "krealloc*", "__krealloc*", "__do_krealloc*", "kvmalloc*",
	"__kvmalloc*", "kvzalloc*", "kvrealloc*", "vmalloc*", "__vmalloc*", "vzalloc*",
	"vcalloc*", "__vcalloc*", "vrealloc*", "module_alloc", "execmem_alloc*",
	"execmem_vmalloc*", "kstrdup*", "kstrndup*", "kmemdup*", "kvmemdup*",
	"memdup_user*", "vmemdup_user*", "strndup_user*", "kasprintf*", "kvasprintf*",
	"alloc_pages*", "__alloc_pages*", "alloc_*_pages*", "__get_free_pages*",
	"get_zeroed_page*", "pcpu_alloc*", "__alloc_percpu*", "alloc_percpu*",
	"devm_kmalloc*", "devm_kzalloc*", "devm_kstrdup*", "devm_kmemdup*",
	"devm_krealloc*", "alloc_dr", "__devres_alloc*", "mempool_alloc*",
	"mempool_kmalloc", "memblock_alloc*", "memblock_phys_alloc*",
};

/**
 * is_allocator() - does a function allocate for its caller?
 * @func: its name
 *
 * Return: true if so.
 */
bool is_allocator(const char *func)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(allocators); i++)
		if (!fnmatch(allocators[i], func, 0))
			return true;
	return false;
}

const char *stack_function(const struct rstack *s)
{
	const struct rframe *f = &s->frames[s->caller < s->nr ? s->caller : 0];
	char buf[512];
	int n;

	if (!s->nr)
		return "(no stack)";
	if (!f->module)
		return f->func;
	n = snprintf(buf, sizeof(buf), "%s [%s]", f->func, f->module);
	return intern(buf, min_t(int, n, sizeof(buf) - 1));
}

/*
 * Frames without addresses, the innermost first: also those of another boot. Calls from
 * two places of a function differ by their offsets, which flame graphs do not have.
 */
static const char *stack_key(const struct rstack *s, bool offsets)
{
	char buf[8192];
	size_t n = 0;
	u32 i;

	if (!s->nr)
		return "(no stack)";
	for (i = 0; i < s->nr && n < sizeof(buf) - 1; i++) {
		const struct rframe *f = &s->frames[i];
		const char *name = offsets ? f->text : f->func;

		n += snprintf(buf + n, sizeof(buf) - n, "%s%.*s%s%s%s", i ? " < " : "",
			      (int)strcspn(name, "/ "), name, f->module ? " [" : "",
			      f->module ?: "", f->module ? "]" : "");
	}
	return intern(buf, min_t(size_t, n, sizeof(buf) - 1));
}

static const char **stack_keys(const struct reports *r, const struct group_options *o)
{
	const char **keys = must_alloc(NULL, r->nr_stacks, sizeof(*keys));
	unsigned long i;

	for (i = 0; i < r->nr_stacks; i++) {
		const struct rstack *s = &r->stacks[i];

		if (o->by == BY_STACK)
			keys[i] = stack_key(s, o->format != FORMAT_FOLDED);
		else if (o->by == BY_FUNCTION)
			keys[i] = stack_function(s);
		else
			keys[i] = s->module ?: s->nr ? "vmlinux" : "(no stack)";
	}
	return keys;
}

static bool wanted(const struct reports *r, const struct rleak *l,
		   const struct group_options *o)
{
	const struct rstack *s = &r->stacks[l->stack];
	u32 i;

	if (o->heads && l->head != l->addr)
		return false;
	if (l->size < o->min_size || (o->certain && l->possible))
		return false;
	/* numbers that are not known are at least as high as any */
	if (o->since != R_UNKNOWN && (l->generation == R_UNKNOWN || l->generation < o->since))
		return false;
	for (i = 0; o->module && i < s->nr; i++)
		if (s->frames[i].module && !strcmp(s->frames[i].module, o->module))
			return true;
	return !o->module || (!strcmp(o->module, "vmlinux") && !s->module && s->nr);
}

/* Is a leak older than another? Texts of new kernels have no age but a time. */
static bool is_older(const struct rleak *a, const struct rleak *b)
{
	if (a->age_ms != R_UNKNOWN && b->age_ms != R_UNKNOWN && a->age_ms != b->age_ms)
		return a->age_ms > b->age_ms;
	/* jiffies may wrap around */
	if (a->born != R_UNKNOWN && b->born != R_UNKNOWN && a->born != b->born)
		return (long)(a->born - b->born) < 0;
	return a->addr < b->addr;
}

static const struct groups *sorted;

static int compare_groups(const void *a, const void *b)
{
	const struct rgroup *x = a, *y = b;
	const struct rleak *l = sorted->reports->leaks;

	if (sorted->options->sort == SORT_AGE && x->sample != y->sample)
		return is_older(&l[x->sample], &l[y->sample]) ? -1 : 1;
	if (sorted->options->sort == SORT_COUNT && x->nr != y->nr)
		return x->nr > y->nr ? -1 : 1;
	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	if (x->nr != y->nr)
		return x->nr > y->nr ? -1 : 1;
	return strcmp(x->key, y->key);
}

/* A head counts as all that it retains, with itself. */
static unsigned long blocks_of(const struct groups *g, const struct rleak *l)
{
	return g->options->heads && l->retains != R_UNKNOWN ? l->retains : 1;
}

static unsigned long bytes_of(const struct groups *g, const struct rleak *l)
{
	return g->options->heads && l->retained_bytes != R_UNKNOWN ? l->retained_bytes : l->size;
}

static void add_to_group(struct groups *g, struct rgroup *to, unsigned long i)
{
	const struct rleak *leaks = g->reports->leaks, *l = &leaks[i];

	if (!to->nr) {
		to->sample = i;
		to->youngest = i;
		to->min_size = l->size;
		to->max_size = l->size;
	}
	if (is_older(l, &leaks[to->sample]))
		to->sample = i;
	if (is_older(&leaks[to->youngest], l))
		to->youngest = i;
	to->min_size = min_t(unsigned long, to->min_size, l->size);
	to->max_size = max_t(unsigned long, to->max_size, l->size);
	to->nr += blocks_of(g, l);
	to->bytes += bytes_of(g, l);
	to->heads += l->head == l->addr;
	to->possible += l->possible;
}

/* The group of a key, which has one address: a hash table by that address. */
struct by_key {
	unsigned long *slot;		/* number of the group plus 1; 0: none */
	unsigned long room;
};

static struct rgroup *find_group(struct groups *g, struct by_key *t, const char *key)
{
	unsigned long i, j;

	if (2 * (g->nr + 1) > t->room) {
		free(t->slot);
		t->room = t->room ? 2 * t->room : 1024;
		t->slot = must_alloc(NULL, t->room, sizeof(*t->slot));
		for (j = 0; j < g->nr; j++) {
			i = ((unsigned long)g->groups[j].key >> 4) * 0x9e3779b97f4a7c15UL >> 32;
			for (i &= t->room - 1; t->slot[i]; i = (i + 1) & (t->room - 1))
				;
			t->slot[i] = j + 1;
		}
	}
	i = ((unsigned long)key >> 4) * 0x9e3779b97f4a7c15UL >> 32;
	for (i &= t->room - 1; t->slot[i]; i = (i + 1) & (t->room - 1))
		if (g->groups[t->slot[i] - 1].key == key)
			return &g->groups[t->slot[i] - 1];
	GROW(g->groups, g->nr, g->room);
	g->groups[g->nr] = (struct rgroup){ .key = key };
	t->slot[i] = ++g->nr;
	return &g->groups[g->nr - 1];
}

/**
 * groups_make() - group the leaks that an option selects, and sort the groups
 * @g: filled
 * @r: the leaks
 * @o: the options; they have to stay
 */
void groups_make(struct groups *g, const struct reports *r, const struct group_options *o)
{
	const char **keys = o->by == BY_CACHE ? NULL : stack_keys(r, o);
	static const char none[] = "-";
	struct by_key table = {};
	unsigned long i;

	*g = (struct groups){ .reports = r, .options = o };
	for (i = 0; i < r->nr; i++) {
		const struct rleak *l = &r->leaks[i];

		if (!wanted(r, l, o))
			continue;
		add_to_group(g, find_group(g, &table, keys ? keys[l->stack] : l->cache ?: none), i);
		g->leaks += blocks_of(g, l);
		g->bytes += bytes_of(g, l);
		g->heads += l->head == l->addr;
	}
	sorted = g;
	sort_array(g->groups, g->nr, sizeof(*g->groups), compare_groups);
	free(table.slot);
	free(keys);
}

void groups_free(struct groups *g)
{
	free(g->groups);
}

static int word(const char *option, const char *value, const char * const *words)
{
	int i;

	for (i = 0; words[i]; i++)
		if (!strcmp(value, words[i]))
			return i;
	die(EXIT_USAGE, "%s %s: see kmemleak help report", option, value);
}

/* What only kmemleak_leaks has. */
static void check_input(const struct reports *r, const struct group_options *o)
{
	const char *what = o->by == BY_CACHE ? "--group cache" : o->heads ? "--heads" :
			   o->since != R_UNKNOWN ? "--since" : NULL;
	unsigned long i;

	if (what && r->text)
		die(EXIT_LACKING,
		    "%s: stock's text has none, kmemleak_leaks of the parallel kmemleak has", what);
	for (i = 0; o->heads && i < r->nr; i++)
		if (r->leaks[i].head != R_UNKNOWN)
			return;
	if (o->heads && r->nr)
		die(EXIT_LACKING, "--heads: the kernel had no memory to find them");
}

int cmd_report(int argc, char **argv)
{
	static const char * const bys[] = { "stack", "function", "module", "cache", NULL };
	static const char * const sorts[] = { "bytes", "count", "age", NULL };
	static const char * const formats[] = { "text", "json", "folded", "csv", NULL };
	static const struct option options[] = {
		{ "input", required_argument, NULL, 'i' },
		{ "stacks", required_argument, NULL, 'K' },
		{ "debugfs", required_argument, NULL, 'D' },
		{ "group", required_argument, NULL, 'g' },
		{ "sort", required_argument, NULL, 's' },
		{ "heads", no_argument, NULL, 'H' },
		{ "since", required_argument, NULL, 'S' },
		{ "module", required_argument, NULL, 'm' },
		{ "min-size", required_argument, NULL, 'M' },
		{ "format", required_argument, NULL, 'f' },
		{ "groups", required_argument, NULL, 'n' },
		{ "check", no_argument, NULL, 'c' },
		{ }
	};
	struct group_options o = { .since = R_UNKNOWN };
	struct reports_source from = {};
	bool check = false, given = false;
	struct reports r;
	struct groups g;
	int c;

	while ((c = getopt_long(argc, argv, "i:g:s:m:f:n:", options, NULL)) != -1) {
		switch (c) {
		case 'i':
			from.file = optarg;
			break;
		case 'K':
			from.stacks = optarg;
			break;
		case 'D':
			from.debugfs = optarg;
			break;
		case 'g':
			o.by = word("--group", optarg, bys);
			break;
		case 's':
			o.sort = word("--sort", optarg, sorts);
			break;
		case 'H':
			o.heads = true;
			break;
		case 'S':
			o.since = parse_number("--since", optarg, 0);
			break;
		case 'm':
			o.module = optarg;
			break;
		case 'M':
			o.min_size = parse_number("--min-size", optarg, 0);
			break;
		case 'f':
			o.format = word("--format", optarg, formats);
			break;
		case 'n':
			o.max_groups = parse_number("--groups", optarg, 0);
			given = true;
			break;
		case 'c':
			check = true;
			break;
		default:
			return EXIT_USAGE;
		}
	}
	if (optind != argc)
		die(EXIT_USAGE, "report: %s: see kmemleak help report", argv[optind]);
	if (o.format == FORMAT_FOLDED && o.by != BY_STACK)
		die(EXIT_USAGE, "--format folded: stacks are its only groups");
	if (!given && o.format == FORMAT_TEXT)
		o.max_groups = 40;
	signal(SIGPIPE, SIG_IGN);
	reports_load(&r, &from);
	check_input(&r, &o);
	groups_make(&g, &r, &o);
	groups_print(&g);
	output_done();
	c = check && g.leaks ? EXIT_LEAKS : EXIT_DONE;
	groups_free(&g);
	return c;
}
