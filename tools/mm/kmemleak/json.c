// SPDX-License-Identifier: GPL-2.0-only
/* The report of kmemleak scan for programs; kmemleak.8 names the members. */

#include "kmemleak.h"

#ifdef HAVE_JSON
#include <json-c/json.h>

static void add_u64(json_object *o, const char *key, unsigned long value)
{
	json_object_object_add(o, key, json_object_new_uint64(value));
}

/* Numbers of programs that read it may be too small for an address. */
static void add_addr(json_object *o, const char *key, unsigned long addr)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%lx", addr);
	json_object_object_add(o, key, json_object_new_string(text));
}

static json_object *hex_of(const struct leak *leak)
{
	char text[2 * LEAK_HEAD_BYTES + 1] = "";
	u32 i;

	for (i = 0; i < leak->len; i++)
		sprintf(text + 2 * i, "%02x", leak->content[i]);
	return json_object_new_string(text);
}

static json_object *group_object(const struct leaks *l, const struct group *g)
{
	json_object *o = json_object_new_object(), *owners = json_object_new_array();
	const struct leak *leak = &l->leaks[g->sample];
	unsigned int i;

	json_object_object_add(o, "cache",
			       json_object_new_string(heap_cache_name(l->heap, leak->id)));
	add_u64(o, "size", heap_size(l->heap, leak->id));
	add_u64(o, "blocks", g->nr);
	add_u64(o, "bytes", g->bytes);
	add_u64(o, "heads", g->heads);
	add_u64(o, "retained_bytes", g->retained);
	add_addr(o, "sample", heap_addr(l->heap, leak->id));
	json_object_object_add(o, "content", hex_of(leak));
	for (i = 0; i < g->nr_owners; i++) {
		json_object *owner = json_object_new_object();

		json_object_object_add(owner, "symbol", json_object_new_string(g->owners[i].name));
		add_u64(owner, "offset", g->owners[i].off);
		json_object_array_add(owners, owner);
	}
	json_object_object_add(o, "owners", owners);
	return o;
}

static json_object *leak_object(const struct leaks *l, const struct leak *leak)
{
	json_object *o = json_object_new_object();

	add_addr(o, "address", heap_addr(l->heap, leak->id));
	add_u64(o, "size", heap_size(l->heap, leak->id));
	json_object_object_add(o, "cache",
			       json_object_new_string(heap_cache_name(l->heap, leak->id)));
	add_addr(o, "head", heap_addr(l->heap, l->leaks[leak->head].id));
	if (l->leaks + leak->head == leak) {
		add_u64(o, "retained_blocks", leak->nr_retained);
		add_u64(o, "retained_bytes", leak->retained);
	}
	return o;
}

void report_json(const struct leaks *l, const struct report_options *options)
{
	json_object *root = json_object_new_object(), *totals = json_object_new_object();
	json_object *groups = json_object_new_array(), *rules = json_object_new_array();
	json_object *all = json_object_new_array();
	unsigned long i;

	add_u64(root, "version", 1);
	json_object_object_add(root, "release", json_object_new_string(l->heap->im->release));
	json_object_object_add(root, "arch", json_object_new_string(l->heap->im->arch));
	add_u64(totals, "objects", l->heap->nr_used);
	add_u64(totals, "slots", l->heap->nr_objects);
	add_u64(totals, "caches", l->heap->nr_caches);
	add_u64(totals, "read_bytes", l->words * sizeof(long));
	add_u64(totals, "contradictions", l->heap->nr_bad);
	add_u64(totals, "missing_pages", l->heap->im->missing);
	add_u64(totals, "leaks", l->nr);
	add_u64(totals, "leaked_bytes", l->bytes);
	add_u64(totals, "heads", l->heads);
	json_object_object_add(totals, "seconds", json_object_new_double(l->seconds));
	json_object_object_add(root, "totals", totals);
	for (i = 0; i < l->nr_suppressed; i++) {
		json_object *o = json_object_new_object();

		json_object_object_add(o, "rule", json_object_new_string(l->suppressed[i].rule));
		add_u64(o, "blocks", l->suppressed[i].nr);
		json_object_array_add(rules, o);
	}
	json_object_object_add(root, "suppressed", rules);
	for (i = 0; i < l->nr_groups && i < options->max_groups; i++)
		json_object_array_add(groups, group_object(l, &l->groups[i]));
	json_object_object_add(root, "groups", groups);
	for (i = 0; options->all && i < l->nr; i++)
		json_object_array_add(all, leak_object(l, &l->leaks[i]));
	json_object_object_add(root, "leaks", all);
	puts(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
							  JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(root);
}
#else
void report_json(const struct leaks *l, const struct report_options *options)
{
	die(EXIT_USAGE, "--json: this command was built without json-c");
}
#endif
