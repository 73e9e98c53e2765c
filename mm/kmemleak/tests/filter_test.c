// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every usable filter, compared with a naive one. Filters may write into the padding
 * after the words that they return, and nowhere else.
 */

#include "common.h"
#include "../mark.h"

#define KML_MAX_WORDS	(KML_CHUNK / sizeof(long))
#define KML_GUARD	16
#define KML_CANARY	(~0UL / 255 * 0xc5)	/* 0xc5 in all bytes */

struct kml_filter_case {
	unsigned long words[KML_MAX_WORDS + 16];
	unsigned long out[KML_MAX_WORDS + KMEMLEAK_FILTER_PAD + KML_GUARD];
	unsigned long want[KML_MAX_WORDS];
};

static unsigned long range_last(const struct kmemleak_range *r)
{
	return r->min + r->len - 1;
}

static bool range_has(unsigned long v, const struct kmemleak_range *r)
{
	return r->len && v >= r->min && v <= range_last(r);
}

static unsigned int naive(const unsigned long *words, unsigned int nr,
			  const struct kmemleak_windows *win, unsigned long *out)
{
	unsigned int i, n = 0;

	for (i = 0; i < nr; i++) {
		unsigned long v = words[i], tag;

		if (win->tag_bits) {
			tag = ~0UL << (BITS_PER_LONG - win->tag_bits);
			v = v & BIT(BITS_PER_LONG - win->tag_bits - 1) ? v | tag : v & ~tag;
		}
		if ((range_has(v, &win->virt) && !range_has(v, &win->self)) ||
		    range_has(v, &win->percpu))
			out[n++] = v;
	}
	return n;
}

static bool run(struct kunit *test, const struct kmemleak_filter *f,
		struct kml_filter_case *c, const unsigned long *words,
		unsigned int nr, const struct kmemleak_windows *win)
{
	unsigned int want = naive(words, nr, win, c->want), got, i;

	for (i = 0; i < nr + KMEMLEAK_FILTER_PAD + KML_GUARD; i++)
		c->out[i] = KML_CANARY;
	got = kml_filter_call(f, words, nr, win, c->out);
	if (!kml_ok(test, got == want) ||
	    !kml_ok(test, !memcmp(c->out, c->want, want * sizeof(long))))
		return false;
	for (i = got + KMEMLEAK_FILTER_PAD; i < nr + KMEMLEAK_FILTER_PAD + KML_GUARD; i++)
		if (!kml_ok(test, c->out[i] == KML_CANARY))
			return false;
	return true;
}

#define KML_VMIN	(~0UL - 0x1000000)
#define KML_PMIN	0x10000UL

/* Windows: anywhere, empty, at 0, up to the top, all numbers, overlapping. */
static const struct kmemleak_windows kml_windows[] = {
	{ .virt = { KML_VMIN, 0x2000 } },
	{ .virt = { KML_VMIN, 0x2000 }, .percpu = { KML_PMIN, 0x3000 } },
	{ .virt = { KML_VMIN, 0x2000 }, .self = { KML_VMIN + 64, 128 } },
	{ .virt = { KML_VMIN, 0x2000 }, .self = { KML_VMIN - 64, 0x4000 } },
	{ .virt = { KML_VMIN, 1 }, .percpu = { KML_PMIN, 1 } },
	{ .percpu = { KML_PMIN, 0x3000 } },
	{ .virt = { 0, 0x1000 }, .percpu = { KML_PMIN, 0x100 } },
	{ .virt = { 0, 1 } },
	{ .virt = { 0 - 0x1000UL, 0x1000 } },
	{ .virt = { 0 - 0x1000UL, 0x1000 }, .self = { 0 - 8UL, 8 } },
	{ .virt = { ~0UL, 1 }, .percpu = { 0, 1 } },
	{ .virt = { 0, ~0UL }, .self = { KML_VMIN, 0x2000 } },
	{ .virt = { 1, ~0UL } },
	/* overlapping: a word in @self still counts as per-CPU pointer */
	{ .virt = { KML_VMIN, 0x2000 }, .percpu = { KML_VMIN + 0x1000, 0x2000 } },
	{ .virt = { KML_VMIN, 0x2000 }, .percpu = { KML_VMIN, 0x2000 },
	  .self = { KML_VMIN + 0x400, 0x400 } },
	{ .virt = { KML_VMIN, 0x2000 }, .percpu = { KML_VMIN + 0x500, 0x10 },
	  .self = { KML_VMIN, 0x2000 } },
	/* a range with length 0 is empty, whatever its start is */
	{ .virt = { KML_VMIN, 0 }, .percpu = { ~0UL, 0 } },
	{ .virt = { KML_VMIN, 0x2000 }, .self = { KML_VMIN + 8, 0 } },
	{},
	/* the windows are the two halves of all numbers */
	{ .virt = { ~(~0UL >> 1), ~(~0UL >> 1) }, .percpu = { 0, ~(~0UL >> 1) } },
};

/* A word at or near a limit of a window, within a window, or anywhere. */
static unsigned long pick_word(const struct kmemleak_windows *win, u64 *seed)
{
	const struct kmemleak_range *r;
	unsigned long v;

	switch (kml_test_below(seed, 4)) {
	case 0:
		r = &win->virt;
		break;
	case 1:
		r = &win->percpu;
		break;
	case 2:
		r = &win->self;
		break;
	default:
		v = kml_test_rand(seed);
		return v << (BITS_PER_LONG / 2) ^ kml_test_rand(seed);
	}
	switch (kml_test_below(seed, 6)) {
	case 0:
		return r->min;
	case 1:
		return r->min - 1;
	case 2:
		return range_last(r);
	case 3:
		return range_last(r) + 1;
	case 4:
		return r->min + kml_test_rand(seed) % (r->len ?: 1);
	default:
		return 0 - (unsigned long)kml_test_below(seed, 2);
	}
}

static unsigned long add_tag(unsigned long v, unsigned int bits, u64 *seed)
{
	unsigned long tag = kml_test_rand(seed);

	return bits ? (v << bits >> bits) | tag << (BITS_PER_LONG - bits) : v;
}

static const unsigned int kml_tag_bits[] = { 0, 4, 8, 16 };

static void filter_all(struct kunit *test, const struct kmemleak_filter *f)
{
	struct kml_filter_case *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);
	unsigned int w, t, nr, align, i;
	u64 seed = 6;

	KUNIT_ASSERT_NOT_NULL(test, c);
	for (w = 0; w < ARRAY_SIZE(kml_windows); w++) {
		for (t = 0; t < ARRAY_SIZE(kml_tag_bits); t++) {
			struct kmemleak_windows win = kml_windows[w];

			win.tag_bits = kml_tag_bits[t];
			for (nr = 0; nr <= 72; nr++) {
				align = nr % 9;
				for (i = align; i < align + nr; i++)
					c->words[i] = add_tag(pick_word(&win, &seed),
							      win.tag_bits, &seed);
				if (!run(test, f, c, c->words + align, nr, &win)) {
					KUNIT_EXPECT_TRUE_MSG(test, false,
							      "%s: windows %u, %u tag bits, %u words",
							      f->name, w, win.tag_bits, nr);
					return;
				}
			}
		}
	}
}

/* All patterns of candidates among up to 12 words, at several alignments. */
static void filter_patterns(struct kunit *test, const struct kmemleak_filter *f)
{
	struct kml_filter_case *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);
	const struct kmemleak_windows win = {
		.virt = { KML_VMIN, 0x2000 }, .percpu = { KML_PMIN, 0x3000 },
	};
	unsigned int nr, bits, align, i;

	KUNIT_ASSERT_NOT_NULL(test, c);
	for (nr = 0; nr <= 12; nr++) {
		for (bits = 0; bits < 1U << nr; bits++) {
			align = (nr + bits) % 9;
			for (i = 0; i < nr; i++)
				c->words[align + i] = !(bits & BIT(i)) ? 77 + i :
					i % 3 ? KML_VMIN + 8 * i : KML_PMIN + i;
			if (!run(test, f, c, c->words + align, nr, &win))
				return;
		}
	}
}

/* Kind 0 is no candidate, 1 virtual, 2 per-CPU, 3 in the object being read. */
static unsigned long word_of_kind(unsigned int kind, unsigned int i)
{
	switch (kind) {
	case 0:
		return 77 + i;
	case 1:
		return KML_VMIN + 8 * i;
	case 2:
		return KML_PMIN + i;
	default:
		return KML_VMIN + 0x1000 + i;
	}
}

static const struct kmemleak_windows kml_kinds = {
	.virt	= { KML_VMIN, 0x2000 },
	.percpu	= { KML_PMIN, 0x3000 },
	.self	= { KML_VMIN + 0x1000, 0x1000 },
};

/*
 * Filters have separate paths for many candidates, and for long runs without any. So
 * try up to 40 words at every place of a cache line. All words are of one kind but
 * one, which is of any kind and in any place.
 */
static void filter_small(struct kunit *test, const struct kmemleak_filter *f)
{
	struct kml_filter_case *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);
	unsigned int nr, align, kinds, at, i;

	KUNIT_ASSERT_NOT_NULL(test, c);
	for (nr = 0; nr <= 40; nr++)
		for (align = 0; align < 8; align++)
			for (kinds = 0; kinds < 16; kinds++)
				for (at = 0; at <= nr; at++) {
					unsigned long *words = c->words + align;

					for (i = 0; i < nr; i++)
						words[i] = word_of_kind(kinds % 4, i);
					words[at] = word_of_kind(kinds / 4, at);
					if (!run(test, f, c, words, nr, &kml_kinds))
						return;
				}
}

/* A whole chunk with stretches of one kind, of random lengths. */
static void filter_stretches(struct kunit *test, const struct kmemleak_filter *f)
{
	struct kml_filter_case *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);
	unsigned int round, kind, left, i, nr;
	u64 seed = 11;

	KUNIT_ASSERT_NOT_NULL(test, c);
	for (round = 0; round < 2000; round++) {
		struct kmemleak_windows win = kml_kinds;

		win.tag_bits = round % 2 * 8;
		nr = KML_MAX_WORDS - kml_test_below(&seed, 40);
		for (i = 0, left = 0; i < nr; i++, left--) {
			if (!left) {
				left = 1 + kml_test_below(&seed, 1 << kml_test_below(&seed, 8));
				kind = kml_test_below(&seed, 5);
			}
			/* kind 4 is a mixture of the others */
			c->words[i] = word_of_kind(kind < 4 ? kind : kml_test_below(&seed, 4), i);
			c->words[i] = add_tag(c->words[i], win.tag_bits, &seed);
		}
		if (!run(test, f, c, c->words, nr, &win))
			return;
	}
}

/* Find a word that is no candidate. Return: false if there seems to be none. */
static bool pick_miss(const struct kmemleak_windows *win, u64 *seed, unsigned long *miss)
{
	unsigned long out;
	unsigned int i;

	for (i = 0; i < 100; i++) {
		*miss = pick_word(win, seed);
		if (!naive(miss, 1, win, &out))
			return true;
	}
	return false;
}

/* A random word in every place, among many words that are no candidates. */
static void filter_lonely(struct kunit *test, const struct kmemleak_filter *f)
{
	struct kml_filter_case *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);
	const unsigned int nr = 160;
	unsigned int w, tag_bits, at, i;
	unsigned long miss;
	u64 seed = 5;

	KUNIT_ASSERT_NOT_NULL(test, c);
	for (w = 0; w < ARRAY_SIZE(kml_windows); w++)
		for (tag_bits = 0; tag_bits <= 8; tag_bits += 8) {
			struct kmemleak_windows win = kml_windows[w];

			win.tag_bits = tag_bits;
			if (!pick_miss(&win, &seed, &miss))
				continue;
			for (i = 0; i < nr; i++)
				c->words[i] = add_tag(miss, tag_bits, &seed);
			for (at = 0; at < nr; at++) {
				c->words[at] = add_tag(pick_word(&win, &seed), tag_bits, &seed);
				if (!run(test, f, c, c->words, nr, &win))
					return;
				c->words[at] = add_tag(miss, tag_bits, &seed);
			}
		}
}

/*
 * A filter reads nothing before the first word and after the last word. The test
 * uses vmalloc() memory: the page after it cannot be read.
 */
static void filter_borders(struct kunit *test, const struct kmemleak_filter *f)
{
	struct kml_filter_case *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);
	const unsigned int page_words = PAGE_SIZE / sizeof(long);
	unsigned int nr, kind, i;
	unsigned long *page;

	KUNIT_ASSERT_NOT_NULL(test, c);
	page = vmalloc(PAGE_SIZE);
	KUNIT_ASSERT_NOT_NULL(test, page);
	for (kind = 0; kind < 4; kind++) {
		for (i = 0; i < page_words; i++)
			page[i] = word_of_kind(kind, i % 0x100);
		for (nr = 0; nr <= KML_MAX_WORDS; nr += nr < 80 ? 1 : 27)
			if (!run(test, f, c, page, nr, &kml_kinds) ||
			    !run(test, f, c, page + page_words - nr, nr, &kml_kinds))
				break;
	}
	vfree(page);
}

static void for_all_filters(struct kunit *test,
			    void (*fn)(struct kunit *test, const struct kmemleak_filter *f))
{
	unsigned int i;

	for (i = 0; kml_filters[i]; i++)
		if (!kml_filters[i]->usable || kml_filters[i]->usable())
			fn(test, kml_filters[i]);
	KUNIT_EXPECT_GT(test, i, 0U);
}

static void windows_sizes_and_tags(struct kunit *test)
{
	for_all_filters(test, filter_all);
}

static void all_patterns(struct kunit *test)
{
	for_all_filters(test, filter_patterns);
}

static void small_ranges(struct kunit *test)
{
	for_all_filters(test, filter_small);
}

static void stretches(struct kunit *test)
{
	for_all_filters(test, filter_stretches);
}

static void lonely_words(struct kunit *test)
{
	for_all_filters(test, filter_lonely);
}

static void borders(struct kunit *test)
{
	for_all_filters(test, filter_borders);
}

/* The filter in use is in the table, and the generic one is the last. */
static void table_of_filters(struct kunit *test)
{
	const struct kmemleak_filter *current_one = kml_filter_current(), *last = NULL;
	bool listed = false;
	unsigned int i, j;

	for (i = 0; kml_filters[i]; i++) {
		last = kml_filters[i];
		listed |= last == current_one;
		KUNIT_EXPECT_NOT_NULL(test, last->name);
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_NE(test, strcmp(last->name, kml_filters[j]->name), 0);
	}
	KUNIT_EXPECT_TRUE(test, listed);
	if (!last)
		return;
	KUNIT_EXPECT_STREQ(test, last->name, "generic");
	KUNIT_EXPECT_PTR_EQ(test, (void *)last->usable, NULL);
}

/* Words that are not aligned, or not completely in the range, are not read. */
static void unaligned_ranges(struct kunit *test)
{
	struct kml_filter_case *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);
	const struct kmemleak_windows win = { .virt = { KML_VMIN, 0x2000 } };
	unsigned int from, len, i, first, behind, n;

	KUNIT_ASSERT_NOT_NULL(test, c);
	for (i = 0; i < 16; i++)
		c->words[i] = KML_VMIN + i;
	for (from = 0; from < 3 * sizeof(long); from++) {
		for (len = 0; len < 8 * sizeof(long); len++) {
			n = kml_filter_run((char *)c->words + from, len, &win, c->out);
			first = DIV_ROUND_UP(from, sizeof(long));
			behind = max(first, (unsigned int)((from + len) / sizeof(long)));
			if (!kml_ok(test, n == behind - first))
				return;
			for (i = 0; i < n; i++)
				if (!kml_ok(test, c->out[i] == KML_VMIN + first + i))
					return;
		}
	}
}

/* The longest range, with candidates only: the output is just large enough. */
static void whole_chunk(struct kunit *test)
{
	const unsigned int nr = KML_CHUNK / sizeof(long);
	unsigned long *words = kunit_kzalloc(test, KML_CHUNK, GFP_KERNEL);
	unsigned long *out = kunit_kzalloc(test, 2 * KML_CHUNK, GFP_KERNEL);
	const struct kmemleak_windows win = { .virt = { KML_VMIN, 0x2000 } };
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, words);
	KUNIT_ASSERT_NOT_NULL(test, out);
	for (i = 0; i < nr; i++)
		words[i] = KML_VMIN + i;
	KUNIT_EXPECT_EQ(test, kml_filter_run(words, KML_CHUNK, &win, out), nr);
	KUNIT_EXPECT_MEMEQ(test, out, words, KML_CHUNK);
	for (i = nr + KMEMLEAK_FILTER_PAD; i < 2 * nr; i++)
		if (!kml_ok(test, !out[i]))
			return;
}

/* A scan reads most memory with IRQs off. */
static void irqs_off(struct kunit *test)
{
	struct kml_filter_case *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);
	unsigned int nr, want, got, i;
	unsigned long flags;

	KUNIT_ASSERT_NOT_NULL(test, c);
	for (i = 0; i < KML_MAX_WORDS; i++)
		c->words[i] = word_of_kind(i % 7 % 4, i);
	for (nr = 1; nr <= KML_MAX_WORDS; nr *= 2) {
		want = naive(c->words, nr, &kml_kinds, c->want);
		local_irq_save(flags);
		got = kml_filter_run(c->words, nr * sizeof(long), &kml_kinds, c->out);
		local_irq_restore(flags);
		KUNIT_EXPECT_EQ(test, got, want);
		KUNIT_EXPECT_MEMEQ(test, c->out, c->want, want * sizeof(long));
	}
	/* the generic filter can run with IRQs off and needs no copy */
	if (!kml_filter_current()->usable)
		KUNIT_EXPECT_FALSE(test, kml_filter_copies());
}

/* The windows of a scan contain all objects. */
static void windows_of_a_scan(struct kunit *test)
{
	void *object = kunit_kzalloc(test, 100, GFP_KERNEL);
	unsigned long v = kml_untag((unsigned long)object);
	struct kmemleak_windows win;

	KUNIT_ASSERT_NOT_NULL(test, object);
	kml_filter_windows(&win);
	KUNIT_EXPECT_EQ(test, win.tag_bits, (unsigned int)KML_TAG_BITS);
	KUNIT_EXPECT_EQ(test, win.self.len, 0UL);
	if (!kml_object_info(kml_space(KML_VIRT), v, true, &(struct kml_info){}))
		return;		/* the harness does not track this memory */
	KUNIT_EXPECT_TRUE(test, range_has(v, &win.virt));
	KUNIT_EXPECT_TRUE(test, range_has(v + 99, &win.virt));
}

/* The limits of a range, which filters keep in registers, are not in an object. */
static void ranges_have_a_margin(struct kunit *test)
{
	struct kmemleak_range r = kml_filter_range(4096, 8191);

	KUNIT_EXPECT_EQ(test, r.min, 4095UL);
	KUNIT_EXPECT_EQ(test, r.min + r.len, 8193UL);
	r = kml_filter_range(0, ULONG_MAX);
	KUNIT_EXPECT_EQ(test, r.min, 0UL);
	KUNIT_EXPECT_EQ(test, r.len, ULONG_MAX);
	r = kml_filter_range(1, ULONG_MAX);
	KUNIT_EXPECT_EQ(test, r.min, 0UL);
	KUNIT_EXPECT_EQ(test, r.len, ULONG_MAX);
	r = kml_filter_range(ULONG_MAX, ULONG_MAX);
	KUNIT_EXPECT_TRUE(test, range_has(ULONG_MAX, &r));
	KUNIT_EXPECT_EQ(test, r.min, ULONG_MAX - 1);
	KUNIT_EXPECT_EQ(test, kml_filter_range(2, 1).len, 0UL);
}

static struct kunit_case kml_filter_cases[] = {
	KUNIT_CASE(table_of_filters),
	KUNIT_CASE(windows_sizes_and_tags),
	KUNIT_CASE(all_patterns),
	KUNIT_CASE(small_ranges),
	KUNIT_CASE(stretches),
	KUNIT_CASE(lonely_words),
	KUNIT_CASE(borders),
	KUNIT_CASE(unaligned_ranges),
	KUNIT_CASE(whole_chunk),
	KUNIT_CASE(irqs_off),
	KUNIT_CASE(ranges_have_a_margin),
	KUNIT_CASE(windows_of_a_scan),
	{}
};

static struct kunit_suite kml_filter_suite = {
	.name = "kmemleak_filter",
	.test_cases = kml_filter_cases,
};

kunit_test_suite(kml_filter_suite);
