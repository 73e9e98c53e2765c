// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reserve. The kernel has only one, so the tests use physical addresses at which
 * there is no memory, and remove all blocks that they have added. They never exhaust
 * the reserve: the blocks would be lost.
 */

#include "common.h"
#include "../index.h"

#define KML_BASE	(1UL << (BITS_PER_LONG - KML_TAG_BITS - 5))
#define KML_NR		150UL	/* fewer than KML_RESERVE_LOW, which are free */

/* The address of block @i. Several blocks share a bucket of the hash. */
static unsigned long nth(unsigned long i)
{
	return KML_BASE + (i / 3 << 30) + i % 3 * 64;
}

/*
 * Run a test while no scan reads the reserve. Afterwards the blocks of the test must
 * be gone, and the counter of reserved blocks is restored.
 */
static void with_reserve(struct kunit *test,
			 void (*fn)(struct kunit *test, struct kml_space *space))
{
	unsigned long before;
	long counted, lost;

	mutex_lock(&kml_scan_mutex);
	kml_reserve_refill();
	before = kml_reserve_nr;
	counted = kml_count_sum(KML_C_RESERVED);
	lost = kml_count_sum(KML_C_LOST);
	fn(test, kml_space(KML_PHYS));
	KUNIT_EXPECT_EQ(test, kml_reserve_nr, before);
	KUNIT_EXPECT_EQ(test, kml_count_sum(KML_C_LOST), lost);
	kml_count_add(KML_C_RESERVED, counted - kml_count_sum(KML_C_RESERVED));
	mutex_unlock(&kml_scan_mutex);
}

/* How often does a mark get a block from the reserve? */
static unsigned int walks_by(struct kml_space *space, unsigned long start, size_t size)
{
	struct kml_reserve_block block;
	unsigned int n = 0;

	kml_reserve_new_mark();
	while (kml_reserve_next(&block))
		n += block.space == space && block.start == start && block.size == size;
	return n;
}

static void add_remove_fn(struct kunit *test, struct kml_space *space)
{
	unsigned long nr = kml_reserve_nr, i;

	for (i = 0; i < KML_NR; i++)
		if (!kml_ok(test, kml_reserve_add(space, nth(i), 64, 0)))
			break;
	KUNIT_EXPECT_EQ(test, kml_reserve_nr, nr + i);

	/* a block is found by its start and by inner addresses, in its space only */
	KUNIT_EXPECT_TRUE(test, !!kml_reserve_size(space, nth(5)));
	KUNIT_EXPECT_FALSE(test, !!kml_reserve_size(space, nth(5) + 1));
	KUNIT_EXPECT_FALSE(test, !!kml_reserve_size(kml_space(KML_PERCPU), nth(5)));
	KUNIT_EXPECT_TRUE(test, kml_reserve_holds(space, nth(5) + 63));
	KUNIT_EXPECT_FALSE(test, kml_reserve_holds(space, nth(5) + 64));
	KUNIT_EXPECT_FALSE(test, kml_reserve_holds(kml_space(KML_PERCPU), nth(5)));
	KUNIT_EXPECT_FALSE(test, kml_reserve_remove(kml_space(KML_PERCPU), nth(5)));
	KUNIT_EXPECT_FALSE(test, kml_reserve_remove(space, nth(5) + 8));

	/* remove blocks in the middle, at the end and at the start of chains */
	for (i = 1; i < KML_NR; i += 4)
		kml_ok(test, kml_reserve_remove(space, nth(i)));
	for (i = 0; i < KML_NR; i++)
		kml_ok(test, !!kml_reserve_size(space, nth(i)) == (i % 4 != 1));
	for (i = 0; i < KML_NR; i++)
		kml_ok(test, kml_reserve_remove(space, nth(i)) == (i % 4 != 1));
	for (i = 0; i < KML_NR; i++)
		kml_ok(test, !kml_reserve_size(space, nth(i)));
}

static void add_and_remove(struct kunit *test)
{
	with_reserve(test, add_remove_fn);
}

/* A mark gets each block once, and no block that must not be scanned. */
static void walk_fn(struct kunit *test, struct kml_space *space)
{
	unsigned long i;

	for (i = 0; i < KML_NR; i++)
		kml_reserve_add(space, nth(i), i + 1, i % 5 ? 0 : KML_RESERVE_NO_SCAN);
	for (i = 0; i < KML_NR; i++)
		kml_ok(test, walks_by(space, nth(i), i + 1) == (i % 5 ? 1 : 0));
	for (i = 0; i < KML_NR; i++)
		kml_ok(test, kml_reserve_remove(space, nth(i)));
	KUNIT_EXPECT_EQ(test, walks_by(space, nth(1), 2), 0U);
}

static void walk_meets_each_once(struct kunit *test)
{
	with_reserve(test, walk_fn);
}

/* A round ends even if a block is added for each block that the mark gets. */
static void rounds_fn(struct kunit *test, struct kml_space *space)
{
	struct kml_reserve_block block;
	unsigned long came = 1, met = 0;

	kml_reserve_add(space, nth(0), 8, 0);
	kml_reserve_new_mark();
	while (kml_reserve_next(&block) && came < KML_NR)
		kml_reserve_add(space, nth(came++), 8, 0);
	KUNIT_EXPECT_LT(test, came, (unsigned long)KML_NR);

	/* the next round has the blocks that were added */
	kml_reserve_next_round();
	while (kml_reserve_next(&block))
		met += block.space == space && block.start != nth(0) &&
		       block.start - nth(0) <= nth(came) - nth(0);
	KUNIT_EXPECT_EQ(test, met, came - 1);
	while (came--)
		kml_ok(test, kml_reserve_remove(space, nth(came)));
}

static void rounds_end(struct kunit *test)
{
	with_reserve(test, rounds_fn);
}

static void paint_fn(struct kunit *test, struct kml_space *space)
{
	kml_reserve_add(space, nth(0), 10, 0);
	KUNIT_EXPECT_FALSE(test, kml_reserve_paint(space, nth(0) + 1, KML_RESERVE_MAKE_NO_SCAN));
	KUNIT_EXPECT_FALSE(test, kml_reserve_paint(space, nth(1), KML_RESERVE_MAKE_NO_SCAN));
	KUNIT_EXPECT_TRUE(test, kml_reserve_paint(space, nth(0), KML_RESERVE_KEEP));
	KUNIT_EXPECT_EQ(test, walks_by(space, nth(0), 10), 1U);
	KUNIT_EXPECT_TRUE(test, kml_reserve_paint(space, nth(0), KML_RESERVE_MAKE_NO_SCAN));
	KUNIT_EXPECT_EQ(test, walks_by(space, nth(0), 10), 0U);
	/* NO_SCAN cannot be undone */
	KUNIT_EXPECT_TRUE(test, kml_reserve_paint(space, nth(0), KML_RESERVE_KEEP));
	KUNIT_EXPECT_EQ(test, walks_by(space, nth(0), 10), 0U);
	KUNIT_EXPECT_TRUE(test, kml_reserve_remove(space, nth(0)));
}

static void paint(struct kunit *test)
{
	with_reserve(test, paint_fn);
}

static void parts_fn(struct kunit *test, struct kml_space *space)
{
	static const struct {
		unsigned long off;
		size_t size, before, behind;
	} parts[] = {
		{ 0, 1000, 0, 0 }, { 0, 2000, 0, 0 }, { 0, 1, 0, 999 },
		{ 999, 1, 999, 0 }, { 999, 5, 999, 0 }, { 1, 998, 1, 1 },
		{ 500, 100, 500, 400 }, { 500, SIZE_MAX, 500, 0 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		unsigned long start = nth(i), behind = start + parts[i].off + parts[i].size;

		kml_reserve_add(space, start, 1000, i % 2 ? KML_RESERVE_BLACK : 0);
		KUNIT_EXPECT_EQ(test, kml_reserve_remove_part(space, start + 1000, 1), 0);
		KUNIT_EXPECT_EQ(test, kml_reserve_remove_part(space, start + parts[i].off,
							      parts[i].size),
				min(parts[i].size, 1000 - parts[i].off));
		KUNIT_EXPECT_FALSE(test, kml_reserve_holds(space, start + parts[i].off));
		/* the rests are scanned if the block was */
		if (parts[i].before)
			KUNIT_EXPECT_EQ(test, walks_by(space, start, parts[i].before), 1 - i % 2);
		if (parts[i].behind)
			KUNIT_EXPECT_EQ(test, walks_by(space, behind, parts[i].behind), 1 - i % 2);
		KUNIT_EXPECT_EQ(test, kml_reserve_remove(space, start), parts[i].before > 0);
		if (parts[i].behind)
			KUNIT_EXPECT_TRUE(test, kml_reserve_remove(space, behind));
		KUNIT_EXPECT_FALSE(test, kml_reserve_holds(space, start + 999));
	}
}

static void free_in_part(struct kunit *test)
{
	with_reserve(test, parts_fn);
}

/* Functions for objects also know the blocks of the reserve. */
static void tracking_fn(struct kunit *test, struct kml_space *space)
{
	struct kml_info hit;

	kml_reserve_add(space, nth(0), 1000, 0);
	KUNIT_EXPECT_EQ(test, kml_object_paint(space, nth(0), 0), 0);
	KUNIT_EXPECT_EQ(test, kml_object_reset_checksum(space, nth(0)), 0);
	/* a block that is not in the reserve is unknown */
	KUNIT_EXPECT_EQ(test, kml_object_no_scan(space, nth(1)), -ENOENT);
	KUNIT_EXPECT_EQ(test, kml_object_add_area(space, nth(0) + 10, 10, GFP_KERNEL, &hit), 0);
	KUNIT_EXPECT_EQ(test, kml_object_set_excess(space, nth(0), 1, GFP_KERNEL), -ENOMEM);
	KUNIT_EXPECT_EQ(test, walks_by(space, nth(0), 1000), 1U);
	KUNIT_EXPECT_EQ(test, kml_object_no_scan(space, nth(0)), 0);
	KUNIT_EXPECT_EQ(test, walks_by(space, nth(0), 1000), 0U);
	KUNIT_EXPECT_EQ(test, kml_object_remove_part(space, nth(0) + 100, 100, 0, &hit), 0);
	KUNIT_EXPECT_TRUE(test, kml_object_remove(space, nth(0)));
	KUNIT_EXPECT_TRUE(test, kml_object_remove(space, nth(0) + 200));
	KUNIT_EXPECT_FALSE(test, kml_object_remove(space, nth(0)));
}

static void reserved_objects_are_known(struct kunit *test)
{
	with_reserve(test, tracking_fn);
}

static struct kunit_case kml_reserve_cases[] = {
	KUNIT_CASE(add_and_remove),
	KUNIT_CASE(walk_meets_each_once),
	KUNIT_CASE(rounds_end),
	KUNIT_CASE(paint),
	KUNIT_CASE(free_in_part),
	KUNIT_CASE(reserved_objects_are_known),
	{}
};

static struct kunit_suite kml_reserve_suite = {
	.name = "kmemleak_reserve",
	.test_cases = kml_reserve_cases,
};

kunit_test_suite(kml_reserve_suite);
