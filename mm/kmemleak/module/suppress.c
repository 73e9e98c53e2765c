// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocks in use to which no word refers: the rules of kmemleak(8),
 * tools/mm/kmemleak/suppressions, and more that are written to the control file. A rule
 * is words "key=pattern", which must all match:
 *
 *	cache=NAME	name of the slab cache; a pattern of the shell
 *	size=N		bytes
 *	owner=SYMBOL	a symbol that one of the first words points to; a pattern
 *	at=OFFSET	where that word must be
 *	word=OFFSET:VALUE  a word of the object, both in hexadecimal
 */

#include "oneshot.h"

#define RULE_TEXT	160
#define RULE_WORDS	4
#define RULES_MAX	64
#define RULE_LOOK	64	/* bytes of an object that are looked at */

struct rule {
	char text[RULE_TEXT];
	char copy[RULE_TEXT];	/* cut into words */
	const char *cache, *owner;
	unsigned long size, at;
	bool has_size, has_at;
	struct {
		unsigned long off, value;
	} word[RULE_WORDS];
	unsigned int nr_words;
	atomic_long_t matched;
};

static struct rule *rules;
static unsigned int nr_rules;

static const char * const shipped[] = {
#include "suppressions.h"
};

static int parse_word(struct rule *r, char *value)
{
	char *colon = strchr(value, ':');
	unsigned long off, v;

	if (!colon || r->nr_words == RULE_WORDS)
		return -EINVAL;
	*colon++ = '\0';
	if (kstrtoul(value, 16, &off) || kstrtoul(colon, 16, &v))
		return -EINVAL;
	r->word[r->nr_words].off = off;
	r->word[r->nr_words++].value = v;
	return 0;
}

static int parse_key(struct rule *r, const char *key, char *value)
{
	if (!strcmp(key, "cache")) {
		r->cache = value;
		return 0;
	}
	if (!strcmp(key, "owner")) {
		r->owner = value;
		return 0;
	}
	if (!strcmp(key, "size")) {
		r->has_size = true;
		return kstrtoul(value, 0, &r->size);
	}
	if (!strcmp(key, "at")) {
		r->has_at = true;
		return kstrtoul(value, 0, &r->at);
	}
	return strcmp(key, "word") ? -EINVAL : parse_word(r, value);
}

/**
 * kml_rules_add() - add a rule
 * @text: the rule
 *
 * Context: process, while no scan runs.
 * Return: 0, -ENOSPC, or -EINVAL after a line in the log.
 */
int kml_rules_add(const char *text)
{
	struct rule *r = &rules[nr_rules];
	char *rest, *word, *value;

	if (nr_rules == RULES_MAX)
		return -ENOSPC;
	memset(r, 0, sizeof(*r));
	strscpy(r->text, text, sizeof(r->text));
	strscpy(r->copy, text, sizeof(r->copy));
	rest = strim(r->copy);
	while ((word = strsep(&rest, " \t"))) {
		if (!*word)
			continue;
		value = strchr(word, '=');
		if (value)
			*value++ = '\0';
		if (!value || parse_key(r, word, value)) {
			pr_warn("rule \"%s\" is not understood; keys: cache, size, owner, at, word\n",
				r->text);
			return -EINVAL;
		}
	}
	if (!r->cache && !r->owner && !r->has_size && !r->nr_words)
		return -EINVAL;
	nr_rules++;
	return 0;
}

int kml_rules_init(void)
{
	unsigned int i;
	int err = 0;

	rules = kml_alloc(RULES_MAX * sizeof(*rules));
	if (!rules)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(shipped) && !err; i++)
		err = kml_rules_add(shipped[i]);
	return err;
}

void kml_rules_free(void)
{
	kml_free(rules);
	rules = NULL;
	nr_rules = 0;
}

/* A pass begins: nothing matched yet. */
void kml_rules_begin(void)
{
	unsigned int i;

	for (i = 0; i < nr_rules; i++)
		atomic_long_set(&rules[i].matched, 0);
}

/* Call a function for each rule that matched. */
void kml_rules_each(void (*fn)(void *data, const char *text, unsigned long nr), void *data)
{
	unsigned int i;

	for (i = 0; i < nr_rules; i++)
		if (atomic_long_read(&rules[i].matched))
			fn(data, rules[i].text, atomic_long_read(&rules[i].matched));
}

static bool match_symbol(const char *pattern, unsigned long word)
{
	char name[KSYM_SYMBOL_LEN];

	if (!kml_in_image(word) || sprint_symbol(name, word) <= 0 || !strncmp(name, "0x", 2))
		return false;
	/* neither where in the symbol, nor of which module */
	name[strcspn(name, "+ ")] = '\0';
	return glob_match(pattern, name);
}

static bool match_owner(const struct rule *r, const unsigned long *words, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if ((!r->has_at || r->at == i * sizeof(long)) && match_symbol(r->owner, words[i]))
			return true;
	return false;
}

static bool match_words(const struct rule *r, const unsigned long *words, size_t nr)
{
	unsigned int i;

	for (i = 0; i < r->nr_words; i++)
		if (r->word[i].off % sizeof(long) || r->word[i].off / sizeof(long) >= nr ||
		    words[r->word[i].off / sizeof(long)] != r->word[i].value)
			return false;
	return true;
}

/**
 * kml_rules_match() - is an object that nobody refers to no leak?
 * @heap: the heap
 * @id: of the object
 *
 * Context: process; workers call it.
 * Return: true if a rule says so.
 */
bool kml_rules_match(const struct kml_heap *heap, unsigned long id)
{
	const char *cache = kml_heap_cache_name(heap, id);
	unsigned long size = kml_heap_size(heap, id);
	unsigned long words[RULE_LOOK / sizeof(long)];
	size_t nr = min_t(size_t, size / sizeof(long), ARRAY_SIZE(words));
	bool match = false, read = false;
	unsigned int i;

	for (i = 0; i < nr_rules && !match; i++) {
		struct rule *r = &rules[i];

		if ((r->cache && !glob_match(r->cache, cache)) || (r->has_size && r->size != size))
			continue;
		if (!read && (r->owner || r->nr_words) &&
		    !kml_object_read(heap, id, 0, words, nr * sizeof(long)))
			return false;
		read = read || r->owner || r->nr_words;
		match = (!r->owner || match_owner(r, words, nr)) && match_words(r, words, nr);
		if (match)
			atomic_long_inc(&r->matched);
	}
	/* they are on a stack, which may be read */
	memzero_explicit(words, sizeof(words));
	return match;
}
