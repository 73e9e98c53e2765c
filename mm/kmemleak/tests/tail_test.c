// SPDX-License-Identifier: GPL-2.0-only
/* Tails: the marks of an object in the pages and intervals after its first page. */

#include "common.h"
#include "../index.h"

static int fill(struct kml_space *space, unsigned long start, unsigned long last,
		unsigned long *hit)
{
	struct kml_tail s = {
		.space = space, .start = start, .last = last, .gfp = GFP_KERNEL,
	};
	int ret = kml_tail_fill(&s);

	if (hit)
		*hit = s.hit;
	return ret;
}

/* The inverted start of the object whose tail has the page at @addr; 0: none. */
static unsigned long mark_at(struct kml_space *space, unsigned long addr)
{
	struct kml_interval *iv = kml_interval_find(space, addr);
	struct kml_leaf *leaf = iv ? kml_leaf_find(iv, addr) : NULL;

	if (leaf && leaf->continued_from)
		return leaf->continued_from;
	return iv ? iv->filled_by : 0;
}

/*
 * Are the pages after the first one, up to that of @last, marked as the tail of
 * @start? With @want false: is none of them? The first page and the page after the
 * last must never have that mark.
 */
static bool marked(struct kunit *test, struct kml_space *space,
		   unsigned long start, unsigned long last, bool want)
{
	unsigned long page = start & KML_PAGE_MASK;

	if (!kml_ok(test, mark_at(space, page) != ~start))
		return false;
	while (last - page >= KML_PAGE_SIZE) {
		page += KML_PAGE_SIZE;
		if (!kml_ok(test, (mark_at(space, page) == ~start) == want))
			return false;
	}
	/* the page after the last, unless that is beyond the top */
	page += KML_PAGE_SIZE;
	return !page || kml_ok(test, mark_at(space, page) != ~start);
}

/* Objects whose first and last pages are anywhere in an interval. */
static const struct {
	unsigned long start;
	unsigned long size;
} kml_spans[] = {
	{ 0, 1 },
	{ 0, KML_PAGE_SIZE },
	{ 0, KML_PAGE_SIZE + 1 },
	{ KML_PAGE_SIZE - 1, 1 },
	{ KML_PAGE_SIZE - 1, 2 },
	{ 0, KML_INTERVAL_SIZE },
	{ 0, KML_INTERVAL_SIZE + 1 },
	{ 0, 2 * KML_INTERVAL_SIZE - 1 },
	{ 0, 2 * KML_INTERVAL_SIZE },
	{ 0, 2 * KML_INTERVAL_SIZE + 1 },
	{ KML_INTERVAL_SIZE - 1, 2 },
	{ KML_INTERVAL_SIZE - 1, KML_INTERVAL_SIZE },
	{ KML_INTERVAL_SIZE - 1, KML_INTERVAL_SIZE + 1 },
	{ KML_INTERVAL_SIZE - 1, KML_INTERVAL_SIZE + 2 },
	{ KML_INTERVAL_SIZE / 2 + 8, 3 * KML_INTERVAL_SIZE },
	{ 7 * KML_INTERVAL_SIZE + 5, 5 * KML_INTERVAL_SIZE + 4091 },
	{ ~0UL - KML_PAGE_SIZE, KML_PAGE_SIZE + 1 },
	{ ~0UL - KML_INTERVAL_SIZE + 1, KML_INTERVAL_SIZE },
	{ ~0UL - 2 * KML_INTERVAL_SIZE + 1, 2 * KML_INTERVAL_SIZE },
	{ ~0UL - 2 * KML_INTERVAL_SIZE, 2 * KML_INTERVAL_SIZE + 1 },
	{ ~0UL - 3 * KML_INTERVAL_SIZE - 77, 3 * KML_INTERVAL_SIZE + 78 },
};

static void fill_and_clear_fn(struct kunit *test, struct kml_space *space)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kml_spans); i++) {
		unsigned long start = kml_spans[i].start;
		unsigned long last = start + kml_spans[i].size - 1;

		if (!kml_ok(test, !fill(space, start, last, NULL)) ||
		    !marked(test, space, start, last, true))
			return;
		kml_tail_clear(space, start, last);
		if (!marked(test, space, start, last, false))
			return;
	}
}

static void fill_and_clear(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, fill_and_clear_fn);
}

/* An interval that an object fills has one mark, and no leaves. */
static void cheap_fn(struct kunit *test, struct kml_space *space)
{
	unsigned long base = 16 * KML_INTERVAL_SIZE;
	unsigned int i, j;

	/* an object that fills four intervals, and starts a byte before them */
	KUNIT_EXPECT_EQ(test, fill(space, base - 1, base + 4 * KML_INTERVAL_SIZE - 1, NULL), 0);
	for (i = 0; i < 4; i++) {
		struct kml_interval *iv = kml_interval_find(space, base + i * KML_INTERVAL_SIZE);

		if (!kml_ok(test, iv))
			return;
		KUNIT_EXPECT_EQ(test, iv->filled_by, ~(base - 1));
		for (j = 0; j < KML_GROUPS; j++)
			KUNIT_EXPECT_NULL(test, iv->group[j]);
	}
	kml_tail_clear(space, base - 1, base + 4 * KML_INTERVAL_SIZE - 1);
}

static void covered_intervals_are_cheap(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, cheap_fn);
}

/*
 * An object in the way is found, wherever it is. The marks of that object survive
 * when the attempt is undone.
 */
static void in_the_way_fn(struct kunit *test, struct kml_space *space)
{
	static const unsigned long size[] = { 1, 200, KML_PAGE_SIZE, 3 * KML_INTERVAL_SIZE };
	unsigned long start = 8 * KML_INTERVAL_SIZE - 100;
	unsigned long last = start + 4 * KML_INTERVAL_SIZE, hit;
	unsigned long at[] = {
		KML_INTERVAL_SIZE * 8 + 1,			/* in its 2nd page */
		KML_INTERVAL_SIZE * 9 - 1,
		KML_INTERVAL_SIZE * 9,
		KML_INTERVAL_SIZE * 10 + 5 * KML_PAGE_SIZE + 3,
		last & KML_PAGE_MASK,				/* its last page */
		last,
	};
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(at); i++) {
		for (j = 0; j < ARRAY_SIZE(size); j++) {
			unsigned long other_last = at[i] + size[j] - 1;

			if (!kml_ok(test, !kml_test_insert(space, at[i], size[j])))
				return;
			hit = 0;
			kml_ok(test, fill(space, start, last, &hit) == -EEXIST);
			kml_ok(test, hit == at[i]);
			kml_tail_clear(space, start, last);
			kml_ok(test, marked(test, space, at[i], other_last, true));
			kml_ok(test, marked(test, space, start, last, false));
			if (!kml_ok(test, kml_object_remove(space, at[i])))
				return;
		}
	}
}

static void something_in_the_way(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, in_the_way_fn);
}

/* An object that ends right before, or starts right after, is not in the way. */
static void neighbours_fn(struct kunit *test, struct kml_space *space)
{
	unsigned long start = 3 * KML_INTERVAL_SIZE + 64;
	unsigned long last = start + 2 * KML_INTERVAL_SIZE - 1;

	KUNIT_EXPECT_EQ(test, kml_test_insert(space, start - 2 * KML_PAGE_SIZE,
					      2 * KML_PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, kml_test_insert(space, last + 1, 2 * KML_PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, fill(space, start, last, NULL), 0);
	marked(test, space, start, last, true);
	kml_tail_clear(space, start, last);
	KUNIT_EXPECT_EQ(test, mark_at(space, start), ~(start - 2 * KML_PAGE_SIZE));
	marked(test, space, last + 1, last + 2 * KML_PAGE_SIZE, true);
}

static void neighbours_are_left_alone(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, neighbours_fn);
}

static void one_page(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, kml_one_page(0, 0));
	KUNIT_EXPECT_TRUE(test, kml_one_page(0, KML_PAGE_SIZE - 1));
	KUNIT_EXPECT_FALSE(test, kml_one_page(0, KML_PAGE_SIZE));
	KUNIT_EXPECT_FALSE(test, kml_one_page(KML_PAGE_SIZE - 1, KML_PAGE_SIZE));
	KUNIT_EXPECT_TRUE(test, kml_one_page(~0UL - KML_PAGE_SIZE + 1, ~0UL));
	KUNIT_EXPECT_FALSE(test, kml_one_page(~0UL - KML_PAGE_SIZE, ~0UL));
}

static struct kunit_case kml_tail_cases[] = {
	KUNIT_CASE(fill_and_clear),
	KUNIT_CASE(covered_intervals_are_cheap),
	KUNIT_CASE(something_in_the_way),
	KUNIT_CASE(neighbours_are_left_alone),
	KUNIT_CASE(one_page),
	{}
};

static struct kunit_suite kml_tail_suite = {
	.name = "kmemleak_tail",
	.test_cases = kml_tail_cases,
};

kunit_test_suite(kml_tail_suite);
