// SPDX-License-Identifier: GPL-2.0-only
/*
 * Insert and remove objects, and compare the index with a model after each step.
 * Only metadata is used, so that objects may have any address and any size.
 */

#include "track_model.h"

static const unsigned long kml_places[] = {
	0, 1, 8, 100, 4095, 4096, 5000, KML_INTERVAL_SIZE - 1,
	KML_INTERVAL_SIZE, KML_INTERVAL_SIZE / 2 + 3, (1UL << 30) - 8,
#if BITS_PER_LONG == 64
	(1UL << 39) - 4096, 1UL << 45, 0xffff888000000000UL,
#endif
};

/* One object of each size at each place, and at the top of the space. */
static void sizes_fn(struct kunit *test, struct kml_space *space)
{
	struct kml_model *m = new_model(test);
	unsigned int i, j;

	if (!m)
		return;
	for (i = 0; i < ARRAY_SIZE(kml_sizes); i++) {
		for (j = 0; j < ARRAY_SIZE(kml_places); j++)
			if (!insert(test, space, m, kml_places[j], kml_sizes[i], 1) ||
			    !drop(test, space, m, kml_places[j]))
				return;
		if (!insert(test, space, m, 0 - kml_sizes[i], kml_sizes[i], 1) ||
		    !drop(test, space, m, 0 - kml_sizes[i]) ||
		    !kml_ok(test, !left_over(space)))
			return;
	}
}

static void all_sizes_everywhere(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, sizes_fn);
}

/* An object that would reach beyond the top of the space ends at the top. */
static void top_fn(struct kunit *test, struct kml_space *space)
{
	unsigned long start = ~0UL - 3 * KML_PAGE_SIZE;
	struct kml_info info;

	KUNIT_EXPECT_EQ(test, kml_test_insert(space, start, 1UL << 20), 0);
	KUNIT_EXPECT_TRUE(test, kml_object_info(space, ~0UL, true, &info));
	KUNIT_EXPECT_EQ(test, info.addr, start);
	KUNIT_EXPECT_FALSE(test, kml_object_info(space, 0, true, &info));
	KUNIT_EXPECT_EQ(test, kml_test_insert(space, 0, 100), 0);
	KUNIT_EXPECT_TRUE(test, kml_object_remove(space, start));
	KUNIT_EXPECT_FALSE(test, kml_object_info(space, ~0UL, true, &info));
	KUNIT_EXPECT_TRUE(test, kml_object_remove(space, 0));
	KUNIT_EXPECT_EQ(test, left_over(space), 0U);
}

static void beyond_the_top(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, top_fn);
}

/* Free a part at the front, at the end, in the middle, all, and more than all. */
static void parts_fn(struct kunit *test, struct kml_space *space)
{
	struct kml_model *m = new_model(test);
	unsigned int i, j, k;

	for (i = 0; m && i < ARRAY_SIZE(kml_sizes); i++) {
		unsigned long start = 4 * KML_INTERVAL_SIZE - 64, size = kml_sizes[i];
		const unsigned long from[] = {
			0, 1, size / 2, size - 1, size / 3,
			KML_PAGE_SIZE, KML_INTERVAL_SIZE + 64,
		};
		const unsigned long len[] = {
			1, size / 3 + 1, size, size + 1, KML_PAGE_SIZE,
			2 * KML_INTERVAL_SIZE,
		};

		for (j = 0; j < ARRAY_SIZE(from); j++) {
			for (k = 0; k < ARRAY_SIZE(len); k++) {
				if (from[j] >= size)
					continue;
				if (!insert(test, space, m, start, size, 2) ||
				    !drop_part(test, space, m, start + from[j], len[k]))
					return;
				while (m->nr)
					if (!drop(test, space, m, m->obj[0].start))
						return;
			}
		}
		if (!kml_ok(test, !left_over(space)))
			return;
	}
}

static void parts_of_all_sizes(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, parts_fn);
}

/* The rests of an object that was cut have its min_count, also after painting. */
static void split_colour_fn(struct kunit *test, struct kml_space *space)
{
	static const int colours[] = { 0, -1 };
	struct kml_info info;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(colours); i++) {
		kml_test_insert(space, 10000, 3000);
		kml_object_paint(space, 10000, colours[i]);
		KUNIT_EXPECT_EQ(test, kml_object_remove_part(space, 11000, 1000, 0, &info), 0);
		KUNIT_EXPECT_TRUE(test, kml_object_info(space, 10000, false, &info));
		KUNIT_EXPECT_EQ(test, kml_state_min_count(info.state), colours[i]);
		KUNIT_EXPECT_TRUE(test, kml_object_info(space, 12000, false, &info));
		KUNIT_EXPECT_EQ(test, kml_state_min_count(info.state), colours[i]);
		kml_test_space_empty(space);
	}
}

static void splitting_keeps_the_colour(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, split_colour_fn);
}

/* Objects of different sizes, and so grains, follow each other at an address. */
static void reuse_fn(struct kunit *test, struct kml_space *space)
{
	struct kml_model *m = new_model(test);
	unsigned int i, round;

	for (round = 0; m && round < 3; round++) {
		for (i = 0; i < ARRAY_SIZE(kml_sizes); i++)
			if (!insert(test, space, m, 4096, kml_sizes[i], round) ||
			    !drop(test, space, m, 4096))
				return;
		/* full pages; the size of the objects differs in each round */
		for (i = 0; i < 128; i++)
			if (!insert(test, space, m, 8192 + i * (32 << round), 32 << round, 1))
				return;
		if (!check_all(test, space, m))
			return;
		while (m->nr)
			if (!drop(test, space, m, m->obj[m->nr / 2].start))
				return;
	}
	KUNIT_EXPECT_EQ(test, left_over(space), 0U);
}

static void reuse_after_free(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, reuse_fn);
}

/* Unknown addresses, and an object of size 0, into which no pointer can point. */
static void unknown_fn(struct kunit *test, struct kml_space *space)
{
	struct kml_info info;

	KUNIT_EXPECT_EQ(test, kml_test_insert(space, 4096, 0), 0);
	KUNIT_EXPECT_FALSE(test, kml_object_info(space, 4096, true, &info));
	KUNIT_EXPECT_FALSE(test, kml_object_remove(space, 4096));
	KUNIT_EXPECT_EQ(test, kml_object_remove_part(space, 4096, 10, 0, &info), -ENOENT);

	kml_test_insert(space, 4096, 100);
	/* an inner address does not free the object */
	KUNIT_EXPECT_FALSE(test, kml_object_remove(space, 4097));
	KUNIT_EXPECT_FALSE(test, kml_object_remove(space, 4195));
	KUNIT_EXPECT_EQ(test, kml_object_remove_part(space, 4196, 10, 0, &info), -ENOENT);
	KUNIT_EXPECT_TRUE(test, kml_object_remove(space, 4096));
	KUNIT_EXPECT_FALSE(test, kml_object_remove(space, 4096));
}

static void unknown_objects(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, unknown_fn);
}

/* The metadata of an object says who allocated it, when, and how many bytes. */
static void facts_fn(struct kunit *test, struct kml_space *space)
{
	unsigned long before = jiffies;
	struct kml_info info;

	KUNIT_EXPECT_EQ(test, kml_object_insert(space, 123456, 789, 2, GFP_KERNEL, 0x77, &info), 0);
	if (!kml_ok(test, kml_object_info(space, 123456 + 788, true, &info)))
		return;
	KUNIT_EXPECT_EQ(test, info.space, KML_PERCPU);
	KUNIT_EXPECT_EQ(test, info.addr, 123456UL);
	KUNIT_EXPECT_EQ(test, info.size, (size_t)789);
	KUNIT_EXPECT_EQ(test, info.trace, (depot_stack_handle_t)0x77);
	KUNIT_EXPECT_EQ(test, info.pid, (int)current->pid);
	KUNIT_EXPECT_STREQ(test, info.comm, current->comm);
	KUNIT_EXPECT_EQ(test, info.excess_ref, 0UL);
	KUNIT_EXPECT_EQ(test, info.state & (KML_F_REPORTED | KML_F_SUSPECT | KML_F_NO_SCAN), 0U);
	KUNIT_EXPECT_EQ(test, kml_state_count(info.state), 0U);
	KUNIT_EXPECT_TRUE(test, info.born - before < 1000 * HZ);
}

static void facts_of_an_object(struct kunit *test)
{
	kml_test_in_space(test, KML_PERCPU, facts_fn);
}

/* The limits of a window are inverted: see "Addresses" in kmemleak.h. */
static void windows_fn(struct kunit *test, struct kml_space *space)
{
	kml_test_insert(space, 1UL << 30, 4096);
	kml_test_insert(space, 1UL << 20, 8);
	kml_test_insert(space, (1UL << 31) - 5, 5);
	KUNIT_EXPECT_EQ(test, kml_window_min(space), 1UL << 20);
	KUNIT_EXPECT_EQ(test, kml_window_last(space), (1UL << 31) - 1);
	KUNIT_EXPECT_EQ(test, space->not_min, ~(1UL << 20));
}

static void window_follows_the_objects(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, windows_fn);
}

static struct kunit_case kml_track_cases[] = {
	KUNIT_CASE(all_sizes_everywhere),
	KUNIT_CASE(beyond_the_top),
	KUNIT_CASE(parts_of_all_sizes),
	KUNIT_CASE(splitting_keeps_the_colour),
	KUNIT_CASE(reuse_after_free),
	KUNIT_CASE(unknown_objects),
	KUNIT_CASE(facts_of_an_object),
	KUNIT_CASE(window_follows_the_objects),
	{}
};

static struct kunit_suite kml_track_suite = {
	.name = "kmemleak_track",
	.test_cases = kml_track_cases,
};

kunit_test_suite(kml_track_suite);
