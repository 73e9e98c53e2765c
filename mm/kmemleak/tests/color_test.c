// SPDX-License-Identifier: GPL-2.0-only
/* The colours of kmemleak.h, for all combinations of count and min_count. */

#include "common.h"
#include "../kmemleak.h"

/* Other bits of the state: painting must not change them. */
static const u32 kml_others[] = {
	0, KML_OFF_MASK, KML_F_ALLOCATED, KML_F_PENDING,
	KML_F_NEW, (u32)~(KML_COUNT_MASK | KML_MIN_MASK),
};

static u32 kml_compose(unsigned int count, unsigned int min, u32 others)
{
	return others | count << KML_COUNT_SHIFT | min << KML_MIN_SHIFT;
}

/* The fields of the state do not overlap, and leave no bit out. */
static void fields_tile_the_word(struct kunit *test)
{
	static const u32 fields[] = {
		KML_OFF_MASK, KML_COUNT_MASK, KML_MIN_MASK, KML_STATE_FREE,
		KML_F_THROUGHOUT, KML_F_PROVISIONAL, KML_F_NEW, KML_F_ALLOCATED,
		KML_F_FROZEN, KML_F_NO_SCAN, KML_F_FULL_SCAN, KML_F_REPORTED,
		KML_F_SUSPECT, KML_F_EXT, KML_F_BIG, KML_F_UNREF, KML_F_PENDING,
	};
	unsigned int i;
	u32 all = 0;

	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		KUNIT_EXPECT_EQ(test, all & fields[i], 0U);
		all |= fields[i];
	}
	KUNIT_EXPECT_EQ(test, all, ~0U);
	KUNIT_EXPECT_EQ(test, KML_OFF_MASK, (u32)(KML_PAGE_SIZE - 1));
}

static void every_count_and_min(struct kunit *test)
{
	unsigned int count, min, i;

	for (count = 0; count < 8; count++) {
		for (min = 0; min < 8; min++) {
			for (i = 0; i < ARRAY_SIZE(kml_others); i++) {
				u32 s = kml_compose(count, min, kml_others[i]);
				bool black = min == KML_BLACK;
				bool white = !black && count < min && !(s & KML_F_NEW);

				if (!kml_ok(test, kml_state_count(s) == count) ||
				    !kml_ok(test, kml_state_min(s) == min) ||
				    !kml_ok(test, kml_black(s) == black) ||
				    !kml_ok(test, kml_white(s) == white) ||
				    !kml_ok(test, kml_grey(s) == (!black && !white)) ||
				    !kml_ok(test, kml_state_min_count(s) ==
					    (black ? -1 : (int)min)))
					return;
			}
		}
	}
}

/* References turn a white object grey when their number is the wanted one. */
static void references_turn_white_to_grey(struct kunit *test)
{
	unsigned int min, i;

	for (min = 0; min <= KML_MIN_MAX; min++) {
		u32 s = kml_compose(0, min, KML_OFF_MASK | KML_F_ALLOCATED);

		for (i = 0; i < min; i++, s += KML_COUNT_ONE)
			KUNIT_EXPECT_TRUE(test, kml_white(s));
		KUNIT_EXPECT_TRUE(test, kml_grey(s));
		KUNIT_EXPECT_EQ(test, kml_state_min(s), min);
		KUNIT_EXPECT_EQ(test, s & (KML_OFF_MASK | KML_F_ALLOCATED),
				KML_OFF_MASK | KML_F_ALLOCATED);
	}
}

static void painting(struct kunit *test)
{
	static const int min_counts[] = {
		0, 1, 2, 3, 5, 6, 7, 8, 14, 15, 16, 1000, INT_MAX, -1, -2, INT_MIN,
	};
	unsigned int i, j, was;

	for (i = 0; i < ARRAY_SIZE(min_counts); i++) {
		int wanted = min_counts[i] < 0 ? -1 : min_t(int, min_counts[i], KML_MIN_MAX);

		for (j = 0; j < ARRAY_SIZE(kml_others); j++) {
			for (was = 0; was < 8; was++) {
				u32 s = kml_compose(was, was, kml_others[j]);
				u32 t = kml_state_set_min(s, min_counts[i]);

				if (!kml_ok(test, kml_state_min_count(t) == wanted) ||
				    !kml_ok(test, (t & ~KML_MIN_MASK) == (s & ~KML_MIN_MASK)) ||
				    !kml_ok(test, kml_black(t) == (wanted == -1)))
					return;
			}
		}
	}
}

/* With min_count 0 an object is always grey, and with -1 always black. */
static void grey_and_black_do_not_count(struct kunit *test)
{
	unsigned int count;

	for (count = 0; count < 8; count++) {
		u32 s = kml_compose(count, KML_BLACK, KML_F_ALLOCATED);

		KUNIT_EXPECT_TRUE(test, kml_grey(kml_state_set_min(s, 0)));
		KUNIT_EXPECT_FALSE(test, kml_white(kml_state_set_min(s, -1)));
		KUNIT_EXPECT_FALSE(test, kml_grey(kml_state_set_min(s, -1)));
	}
}

static void scannable_means_allocated_and_wanted(struct kunit *test)
{
	unsigned int bits;

	for (bits = 0; bits < 1024; bits++) {
		u32 s = bits << 22;
		bool want = (s & KML_F_ALLOCATED) && !(s & KML_F_NO_SCAN);

		if (!kml_ok(test, kml_scannable(s) == want))
			return;
	}
}

static struct kunit_case kml_color_cases[] = {
	KUNIT_CASE(fields_tile_the_word),
	KUNIT_CASE(every_count_and_min),
	KUNIT_CASE(references_turn_white_to_grey),
	KUNIT_CASE(painting),
	KUNIT_CASE(grey_and_black_do_not_count),
	KUNIT_CASE(scannable_means_allocated_and_wanted),
	{}
};

static struct kunit_suite kml_color_suite = {
	.name = "kmemleak_color",
	.test_cases = kml_color_cases,
};

kunit_test_suite(kml_color_suite);
