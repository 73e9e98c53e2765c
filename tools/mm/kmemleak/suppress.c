// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is no leak, though nobody refers to it: a list of rules, one a line. A rule is
 * words "key=pattern", which must all match, and a reason behind '#':
 *
 *	cache=NAME	name of the slab cache; a pattern of the shell
 *	size=N		bytes
 *	owner=SYMBOL	a symbol that one of the object's words points to; a pattern
 *	at=OFFSET	where that word must be
 *	word=OFFSET:VALUE  a word of the object, both in hexadecimal
 */

#include <errno.h>
#include <fnmatch.h>

#include "kmemleak.h"

#define RULE_WORDS	4

struct rule {
	char *cache, *owner, *text;
	unsigned long size, at;
	bool has_size, has_at;
	struct {
		unsigned long off, value;
	} word[RULE_WORDS];
	unsigned int nr_words;
};

struct suppressions {
	struct rule *rules;
	unsigned long nr, room;
};

static void parse_word(struct rule *r, char *value, const char *file, unsigned int line)
{
	unsigned long off, v;
	char extra;

	if (r->nr_words == RULE_WORDS || sscanf(value, "%lx:%lx%c", &off, &v, &extra) != 2)
		die(EXIT_USAGE, "%s:%u: word=%s: expected OFFSET:VALUE, at most %d of them", file,
		    line, value, RULE_WORDS);
	r->word[r->nr_words].off = off;
	r->word[r->nr_words++].value = v;
}

static void parse_line(struct suppressions *s, char *text, const char *file, unsigned int line)
{
	char *save, *word, *value, *hash = strchr(text, '#');
	struct rule r = {};

	if (hash)
		*hash = '\0';
	r.text = strdup(text + strspn(text, " \t"));
	r.text[strcspn(r.text, "\n")] = '\0';
	while (*r.text && strchr(" \t", r.text[strlen(r.text) - 1]))
		r.text[strlen(r.text) - 1] = '\0';
	word = strtok_r(text, " \t\n", &save);
	if (!word) {
		free(r.text);
		return;
	}
	for (; word; word = strtok_r(NULL, " \t\n", &save)) {
		value = strchr(word, '=');
		if (!value)
			die(EXIT_USAGE, "%s:%u: %s: expected key=pattern", file, line, word);
		*value++ = '\0';
		if (!strcmp(word, "cache")) {
			r.cache = strdup(value);
		} else if (!strcmp(word, "owner")) {
			r.owner = strdup(value);
		} else if (!strcmp(word, "size")) {
			r.size = parse_number("size", value, 0);
			r.has_size = true;
		} else if (!strcmp(word, "at")) {
			r.at = parse_number("at", value, 0);
			r.has_at = true;
		} else if (!strcmp(word, "word")) {
			parse_word(&r, value, file, line);
		} else {
			die(EXIT_USAGE,
			    "%s:%u: unknown key %s; choices: cache, size, owner, at, word", file,
			    line, word);
		}
	}
	GROW(s->rules, s->nr, s->room);
	s->rules[s->nr++] = r;
}

/**
 * suppress_load() - read rules
 * @s: rules that are added to; NULL: new ones
 * @file: name of the file
 * @must: it has to be there
 *
 * Return: the rules.
 */
struct suppressions *suppress_load(struct suppressions *s, const char *file, bool must)
{
	unsigned int line = 0;
	char text[1024];
	FILE *f = fopen(file, "r");

	if (!s)
		s = must_alloc(NULL, 1, sizeof(*s));
	if (!f) {
		if (must)
			die(EXIT_NO_FILE, "%s: %s", file, strerror(errno));
		return s;
	}
	while (fgets(text, sizeof(text), f))
		parse_line(s, text, file, ++line);
	fclose(f);
	return s;
}

static bool match_owner(const struct rule *r, struct image *im, const struct leak *leak)
{
	unsigned long off;

	for (off = 0; off + sizeof(u64) <= leak->len; off += sizeof(u64)) {
		char name[256];
		const char *symbol;

		if (r->has_at && off != r->at)
			continue;
		symbol = symbol_name(im, get_unaligned((u64 *)(leak->content + off)));
		if (!symbol)
			continue;
		/* neither where in the symbol, nor of which module */
		snprintf(name, sizeof(name), "%s", symbol);
		name[strcspn(name, "+ ")] = '\0';
		if (!fnmatch(r->owner, name, 0))
			return true;
	}
	return false;
}

static bool match_words(const struct rule *r, const struct leak *leak)
{
	unsigned int i;

	for (i = 0; i < r->nr_words; i++)
		if (r->word[i].off + sizeof(u64) > leak->len ||
		    get_unaligned((u64 *)(leak->content + r->word[i].off)) != r->word[i].value)
			return false;
	return true;
}

/**
 * suppress_match() - is a leak none?
 * @s: the rules
 * @heap: the objects
 * @leak: the leak, with its content
 *
 * Return: the text of the first rule that says so, or NULL.
 */
const char *suppress_match(struct suppressions *s, struct heap *heap, const struct leak *leak)
{
	const char *cache = heap_cache_name(heap, leak->id);
	unsigned long size = heap_size(heap, leak->id), i;

	for (i = 0; i < s->nr; i++) {
		const struct rule *r = &s->rules[i];

		if ((!r->cache || !fnmatch(r->cache, cache, 0)) &&
		    (!r->has_size || r->size == size) &&
		    (!r->owner || match_owner(r, heap->im, leak)) && match_words(r, leak))
			return r->text;
	}
	return NULL;
}
