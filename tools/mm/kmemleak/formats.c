// SPDX-License-Identifier: GPL-2.0-only
/* The formats of kmemleak report. All strings are ASCII: reports.c has seen to that. */

#include "reports.h"

/* How many groups are printed. */
static unsigned long limit(const struct groups *g)
{
	unsigned long max = g->options->max_groups;

	return max && max < g->nr ? max : g->nr;
}

static void print_age(const struct groups *g, const struct rgroup *group)
{
	unsigned long old = g->reports->leaks[group->sample].age_ms;
	unsigned long young = g->reports->leaks[group->youngest].age_ms;

	if (old == R_UNKNOWN || young == R_UNKNOWN)
		return;
	if (group->nr > 1)
		printf(", %lu.%lu to %lu.%lu s old", young / 1000, young / 100 % 10, old / 1000,
		       old / 100 % 10);
	else
		printf(", %lu.%lu s old", old / 1000, old / 100 % 10);
}

static const char *plural(unsigned long nr)
{
	return nr == 1 ? "" : "s";
}

/* By bytes, with the caller: what a reader of a stack looks for. */
static void print_title(const struct groups *g, const struct rgroup *group)
{
	const struct rleak *l = &g->reports->leaks[group->sample];
	const struct rstack *s = &g->reports->stacks[l->stack];

	if (g->options->by == BY_STACK)
		puts(s->nr ? s->frames[s->caller < s->nr ? s->caller : 0].text : group->key);
	else
		puts(group->key);
}

static void print_group(const struct groups *g, const struct rgroup *group)
{
	const struct rleak *l = &g->reports->leaks[group->sample];
	const struct rstack *s = &g->reports->stacks[l->stack];
	u32 i;

	printf("\n%lu bytes in %lu leak%s: ", group->bytes, group->nr, plural(group->nr));
	print_title(g, group);
	if (group->min_size == group->max_size)
		printf("  size %lu", group->min_size);
	else
		printf("  sizes %lu to %lu", group->min_size, group->max_size);
	print_age(g, group);
	if (!g->reports->text)
		printf(", %lu head%s", group->heads, plural(group->heads));
	if (group->possible)
		printf(", %lu possible", group->possible);
	printf("\n  oldest: 0x%08lx%s, comm \"%s\", pid %d", l->addr, l->percpu ? " (percpu)" : "",
	       l->comm ?: "-", l->pid);
	if (l->cache)
		printf(", cache %s", l->cache);
	if (l->generation != R_UNKNOWN)
		printf(", generation %lu", l->generation);
	putchar('\n');
	/* a saved file may have any bytes */
	for (i = 0; i < l->hex_len; i++)
		putchar((l->hex[i] >= ' ' && l->hex[i] < 0x7f) || l->hex[i] == '\n' ?
			l->hex[i] : '?');
	for (i = 0; i < s->nr; i++)
		printf("    %s%s\n", i == s->caller && s->nr > 1 ? "> " : "  ",
		       s->frames[i].text);
}

static void print_text(const struct groups *g)
{
	unsigned long i, bytes = 0;

	if (!g->leaks) {
		puts("no leaks");
		return;
	}
	printf("%lu leak%s, %lu bytes, %lu group%s", g->leaks, plural(g->leaks), g->bytes, g->nr,
	       plural(g->nr));
	if (!g->reports->text)
		printf(", %lu head%s", g->heads, plural(g->heads));
	putchar('\n');
	for (i = 0; i < limit(g); i++)
		print_group(g, &g->groups[i]);
	if (i == g->nr)
		return;
	printf("\n%lu more groups", g->nr - i);
	for (; i < g->nr; i++)
		bytes += g->groups[i].bytes;
	printf(", %lu bytes (-n)\n", bytes);
}

/* For flame graphs: the outermost function first, without offsets. */
static void print_folded(const struct groups *g)
{
	unsigned long i;
	u32 j;

	for (i = 0; i < limit(g); i++) {
		const struct rgroup *group = &g->groups[i];
		const struct rleak *l = &g->reports->leaks[group->sample];
		const struct rstack *s = &g->reports->stacks[l->stack];

		if (!s->nr)
			fputs("(no stack)", stdout);
		for (j = s->nr; j--;)
			printf("%s%s%s%s%s", s->frames[j].func, s->frames[j].module ? " [" : "",
			       s->frames[j].module ?: "", s->frames[j].module ? "]" : "",
			       j ? ";" : "");
		printf(" %lu\n", g->options->sort == SORT_COUNT ? group->nr : group->bytes);
	}
}

static void csv_string(const char *s, char end)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '"')
			putchar('"');
		putchar(*s);
	}
	printf("\"%c", end);
}

static void csv_number(unsigned long value)
{
	if (value != R_UNKNOWN)
		printf("%lu", value);
	putchar(',');
}

static void print_csv(const struct groups *g)
{
	unsigned long i;

	fputs("bytes,leaks,heads,possible,min_size,max_size,oldest_ms,youngest_ms,", stdout);
	puts("generation,address,pid,comm,cache,function,module,group");
	for (i = 0; i < limit(g); i++) {
		const struct rgroup *group = &g->groups[i];
		const struct rleak *l = &g->reports->leaks[group->sample];
		const struct rstack *s = &g->reports->stacks[l->stack];

		csv_number(group->bytes);
		csv_number(group->nr);
		csv_number(g->reports->text ? R_UNKNOWN : group->heads);
		csv_number(g->reports->text ? R_UNKNOWN : group->possible);
		csv_number(group->min_size);
		csv_number(group->max_size);
		csv_number(l->age_ms);
		csv_number(g->reports->leaks[group->youngest].age_ms);
		csv_number(l->generation);
		printf("0x%lx,%d,", l->addr, l->pid);
		csv_string(l->comm ?: "", ',');
		csv_string(l->cache ?: "", ',');
		csv_string(stack_function(s), ',');
		csv_string(s->module ?: "", ',');
		csv_string(group->key, '\n');
	}
}

void groups_print(const struct groups *g)
{
	switch (g->options->format) {
	case FORMAT_TEXT:
		print_text(g);
		break;
	case FORMAT_JSON:
		groups_json(g);
		break;
	case FORMAT_FOLDED:
		print_folded(g);
		break;
	case FORMAT_CSV:
		print_csv(g);
		break;
	}
}

#ifdef HAVE_JSON
#include <json-c/json.h>

static void add_number(json_object *o, const char *key, unsigned long value)
{
	json_object_object_add(o, key, value == R_UNKNOWN ? NULL : json_object_new_uint64(value));
}

static void add_string(json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, value ? json_object_new_string(value) : NULL);
}

static json_object *group_object(const struct groups *g, const struct rgroup *group)
{
	const struct rleak *l = &g->reports->leaks[group->sample];
	const struct rstack *s = &g->reports->stacks[l->stack];
	json_object *o = json_object_new_object(), *frames = json_object_new_array();
	char addr[32];
	u32 i;

	add_string(o, "group", group->key);
	add_number(o, "bytes", group->bytes);
	add_number(o, "leaks", group->nr);
	add_number(o, "heads", g->reports->text ? R_UNKNOWN : group->heads);
	add_number(o, "possible", g->reports->text ? R_UNKNOWN : group->possible);
	add_number(o, "min_size", group->min_size);
	add_number(o, "max_size", group->max_size);
	add_number(o, "oldest_ms", l->age_ms);
	add_number(o, "youngest_ms", g->reports->leaks[group->youngest].age_ms);
	add_number(o, "generation", l->generation);
	snprintf(addr, sizeof(addr), "0x%lx", l->addr);
	add_string(o, "address", addr);
	add_string(o, "space", l->percpu ? "percpu" : "virt");
	json_object_object_add(o, "pid", json_object_new_int(l->pid));
	add_string(o, "comm", l->comm);
	add_string(o, "cache", l->cache);
	add_string(o, "function", stack_function(s));
	add_string(o, "module", s->module);
	for (i = 0; i < s->nr; i++)
		json_object_array_add(frames, json_object_new_string(s->frames[i].text));
	json_object_object_add(o, "frames", frames);
	return o;
}

void groups_json(const struct groups *g)
{
	static const char * const by[] = { "stack", "function", "module", "cache" };
	json_object *root = json_object_new_object(), *totals = json_object_new_object();
	json_object *groups = json_object_new_array();
	unsigned long i;

	add_number(root, "version", 1);
	add_string(root, "by", by[g->options->by]);
	add_number(totals, "leaks", g->leaks);
	add_number(totals, "bytes", g->bytes);
	add_number(totals, "heads", g->reports->text ? R_UNKNOWN : g->heads);
	add_number(totals, "groups", g->nr);
	json_object_object_add(root, "totals", totals);
	for (i = 0; i < limit(g); i++)
		json_object_array_add(groups, group_object(g, &g->groups[i]));
	json_object_object_add(root, "groups", groups);
	puts(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
							  JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(root);
}
#else
void groups_json(const struct groups *g)
{
	die(EXIT_USAGE, "--format json: this command was built without json-c");
}
#endif
