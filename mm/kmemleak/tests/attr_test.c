// SPDX-License-Identifier: GPL-2.0-only
/* Attributes that callers change after an object was allocated. */

#include "common.h"

#define KML_OBJ		0x12345678UL
#define KML_OBJ_SIZE	1000UL

/* A copy of the object's metadata; all zero if there is no object. */
static struct kml_info info_of(struct kml_space *space, unsigned long addr)
{
	struct kml_info info = {};

	kml_object_info(space, addr, true, &info);
	return info;
}

/* The state of the object without its offset. */
static u32 state_of(struct kml_space *space)
{
	return info_of(space, KML_OBJ).state & ~KML_OFF_MASK;
}

static void paint_fn(struct kunit *test, struct kml_space *space)
{
	const u32 born = kml_state_set_min(KML_F_ALLOCATED, 1);

	kml_test_insert(space, KML_OBJ, KML_OBJ_SIZE);
	KUNIT_EXPECT_EQ(test, state_of(space), born);

	KUNIT_EXPECT_EQ(test, kml_object_paint(space, KML_OBJ, 0), 0);
	KUNIT_EXPECT_EQ(test, state_of(space), kml_state_set_min(born, 0));
	KUNIT_EXPECT_EQ(test, kml_object_paint(space, KML_OBJ, -1), 0);
	KUNIT_EXPECT_EQ(test, state_of(space), kml_state_set_min(born, -1) | KML_F_NO_SCAN);

	/* only the start of an object is accepted */
	KUNIT_EXPECT_EQ(test, kml_object_paint(space, KML_OBJ + 1, 0), -ENOENT);
	KUNIT_EXPECT_EQ(test, kml_object_paint(space, KML_OBJ - 1, -1), -ENOENT);
	KUNIT_EXPECT_EQ(test, state_of(space), kml_state_set_min(born, -1) | KML_F_NO_SCAN);
}

static void paint(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, paint_fn);
}

/* Painting changes min_count only, not the count and not the flags. */
static void paint_keeps_fn(struct kunit *test, struct kml_space *space)
{
	const u32 flags = 2 * KML_COUNT_ONE | KML_F_REPORTED | KML_F_SUSPECT |
			  KML_F_FULL_SCAN | KML_F_UNREF | KML_F_PENDING;
	struct kml_locked l;

	kml_test_insert(space, KML_OBJ, KML_OBJ_SIZE);
	if (!kml_ok(test, kml_object_lock(&l, space, KML_OBJ, false)))
		return;
	kml_hot_change(l.hot, 0, flags);
	kml_object_unlock(&l);
	kml_object_paint(space, KML_OBJ, 0);
	KUNIT_EXPECT_EQ(test, state_of(space), flags | KML_F_ALLOCATED);
}

static void paint_keeps_the_rest(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, paint_keeps_fn);
}

static void no_scan_fn(struct kunit *test, struct kml_space *space)
{
	kml_test_insert(space, KML_OBJ, KML_OBJ_SIZE);
	KUNIT_EXPECT_EQ(test, kml_object_no_scan(space, KML_OBJ + 8), -ENOENT);
	KUNIT_EXPECT_EQ(test, state_of(space) & KML_F_NO_SCAN, 0U);
	KUNIT_EXPECT_EQ(test, kml_object_no_scan(space, KML_OBJ), 0);
	KUNIT_EXPECT_EQ(test, state_of(space),
			kml_state_set_min(KML_F_ALLOCATED | KML_F_NO_SCAN, 1));
	KUNIT_EXPECT_FALSE(test, kml_scannable(state_of(space)));
	KUNIT_EXPECT_TRUE(test, kml_white(state_of(space)));
}

static void no_scan(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, no_scan_fn);
}

static void checksum_fn(struct kunit *test, struct kml_space *space)
{
	struct kml_locked l;

	kml_test_insert(space, KML_OBJ, KML_OBJ_SIZE);
	/* the first scan must take a new object for changed */
	KUNIT_EXPECT_EQ(test, info_of(space, KML_OBJ).checksum, ~0U);
	if (!kml_ok(test, kml_object_lock(&l, space, KML_OBJ, false)))
		return;
	l.hot->cold->checksum = 5;
	kml_object_unlock(&l);
	KUNIT_EXPECT_EQ(test, kml_object_reset_checksum(space, KML_OBJ + 1), -ENOENT);
	KUNIT_EXPECT_EQ(test, info_of(space, KML_OBJ).checksum, 5U);
	KUNIT_EXPECT_EQ(test, kml_object_reset_checksum(space, KML_OBJ), 0);
	KUNIT_EXPECT_EQ(test, info_of(space, KML_OBJ).checksum, ~0U);
}

static void reset_checksum(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, checksum_fn);
}

/* Any address in the object is accepted. */
static void trace_fn(struct kunit *test, struct kml_space *space)
{
	kml_test_insert(space, KML_OBJ, KML_OBJ_SIZE);
	KUNIT_EXPECT_EQ(test, kml_object_set_trace(space, KML_OBJ, 11), 0);
	KUNIT_EXPECT_EQ(test, info_of(space, KML_OBJ).trace, (depot_stack_handle_t)11);
	KUNIT_EXPECT_EQ(test, kml_object_set_trace(space, KML_OBJ + KML_OBJ_SIZE - 1, 12), 0);
	KUNIT_EXPECT_EQ(test, info_of(space, KML_OBJ).trace, (depot_stack_handle_t)12);
	KUNIT_EXPECT_EQ(test, kml_object_set_trace(space, KML_OBJ + KML_OBJ_SIZE, 13), -ENOENT);
	KUNIT_EXPECT_EQ(test, info_of(space, KML_OBJ).trace, (depot_stack_handle_t)12);
}

static void set_trace(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, trace_fn);
}

/* Are two copies the same, except for excess_ref and KML_F_EXT? */
static bool same_facts(struct kunit *test, const struct kml_info *a,
		       const struct kml_info *b)
{
	return kml_ok(test, a->addr == b->addr && a->size == b->size) &&
	       kml_ok(test, a->born == b->born && a->stamp == b->stamp) &&
	       kml_ok(test, a->trace == b->trace && a->checksum == b->checksum) &&
	       kml_ok(test, a->pid == b->pid && !strcmp(a->comm, b->comm)) &&
	       kml_ok(test, (a->state ^ b->state) == KML_F_EXT || a->state == b->state);
}

static void excess_fn(struct kunit *test, struct kml_space *space)
{
	struct kml_info before, after;

	kml_test_insert(space, KML_OBJ, KML_OBJ_SIZE);
	kml_object_set_trace(space, KML_OBJ, 99);
	before = info_of(space, KML_OBJ);

	KUNIT_EXPECT_EQ(test, kml_object_set_excess(space, KML_OBJ + 1, 7, GFP_KERNEL), -ENOENT);
	KUNIT_EXPECT_EQ(test, info_of(space, KML_OBJ).state, before.state);

	KUNIT_EXPECT_EQ(test, kml_object_set_excess(space, KML_OBJ, 0xabcd, GFP_KERNEL), 0);
	after = info_of(space, KML_OBJ);
	KUNIT_EXPECT_EQ(test, after.excess_ref, 0xabcdUL);
	KUNIT_EXPECT_EQ(test, after.state & KML_F_EXT, (u32)KML_F_EXT);
	same_facts(test, &before, &after);

	/* the object has an extension by now */
	KUNIT_EXPECT_EQ(test, kml_object_set_excess(space, KML_OBJ, 0xbcde, GFP_KERNEL), 0);
	after = info_of(space, KML_OBJ);
	KUNIT_EXPECT_EQ(test, after.excess_ref, 0xbcdeUL);
	same_facts(test, &before, &after);
}

static void set_excess(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, excess_fn);
}

/* Copy the scan areas of an object, the newest first. Return: number of areas. */
static unsigned int areas_of(struct kml_space *space, unsigned long start,
			     struct kml_area *to, unsigned int max)
{
	const struct kml_area *area;
	struct kml_locked l;
	unsigned int n = 0;

	if (!kml_object_lock(&l, space, start, false))
		return 0;
	if (kml_hot_state(l.hot) & KML_F_EXT)
		for (area = kml_ext(l.hot)->areas; area && n < max; area = area->next)
			to[n++] = *area;
	kml_object_unlock(&l);
	return n;
}

static void areas_fn(struct kunit *test, struct kml_space *space)
{
	static const struct {
		unsigned long off;
		size_t size, kept;
	} areas[] = {
		{ 0, 8, 8 }, { 16, 100, 100 }, { 17, 1, 1 },
		{ KML_OBJ_SIZE - 1, 1, 1 }, { 0, KML_OBJ_SIZE, KML_OBJ_SIZE },
		{ 500, SIZE_MAX, KML_OBJ_SIZE - 500 }, { 0, SIZE_MAX, KML_OBJ_SIZE },
	};
	struct kml_area found[ARRAY_SIZE(areas) + 1];
	struct kml_info before, hit;
	unsigned int i, n;

	kml_test_insert(space, KML_OBJ, KML_OBJ_SIZE);
	before = info_of(space, KML_OBJ);
	for (i = 0; i < ARRAY_SIZE(areas); i++)
		KUNIT_EXPECT_EQ(test, kml_object_add_area(space, KML_OBJ + areas[i].off,
							  areas[i].size, GFP_KERNEL, &hit), 0);
	n = areas_of(space, KML_OBJ, found, ARRAY_SIZE(found));
	KUNIT_EXPECT_EQ(test, n, (unsigned int)ARRAY_SIZE(areas));
	for (i = 0; i < n; i++) {
		KUNIT_EXPECT_EQ(test, found[n - 1 - i].not_start, ~(KML_OBJ + areas[i].off));
		KUNIT_EXPECT_EQ(test, found[n - 1 - i].size, areas[i].kept);
	}
	hit = info_of(space, KML_OBJ);
	same_facts(test, &before, &hit);
}

static void scan_areas(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, areas_fn);
}

/* An area that does not fit is refused, and the object is unchanged. */
static void bad_areas_fn(struct kunit *test, struct kml_space *space)
{
	struct kml_area found[2];
	struct kml_info hit = {};

	kml_test_insert(space, KML_OBJ, KML_OBJ_SIZE);
	KUNIT_EXPECT_EQ(test, kml_object_add_area(space, KML_OBJ, KML_OBJ_SIZE + 1,
						  GFP_KERNEL, &hit), -ERANGE);
	KUNIT_EXPECT_EQ(test, hit.addr, KML_OBJ);
	KUNIT_EXPECT_EQ(test, hit.size, KML_OBJ_SIZE);
	KUNIT_EXPECT_EQ(test, kml_object_add_area(space, KML_OBJ + 999, 2,
						  GFP_KERNEL, &hit), -ERANGE);
	KUNIT_EXPECT_EQ(test, kml_object_add_area(space, KML_OBJ + 8, SIZE_MAX - 8,
						  GFP_KERNEL, &hit), -ERANGE);
	KUNIT_EXPECT_EQ(test, kml_object_add_area(space, KML_OBJ + KML_OBJ_SIZE, 1,
						  GFP_KERNEL, &hit), -ENOENT);
	KUNIT_EXPECT_EQ(test, kml_object_add_area(space, KML_OBJ - 1, 1,
						  GFP_KERNEL, &hit), -ENOENT);
	KUNIT_EXPECT_EQ(test, areas_of(space, KML_OBJ, found, 2), 0U);
	KUNIT_EXPECT_EQ(test, state_of(space) & KML_F_FULL_SCAN, 0U);
}

static void areas_that_do_not_fit(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, bad_areas_fn);
}

/* All rare attributes are in one extension, and do not overwrite each other. */
static void together_fn(struct kunit *test, struct kml_space *space)
{
	unsigned long size = BITS_PER_LONG == 64 ? (5UL << 30) << 1 : 1UL << 30;
	struct kml_area found[4];
	struct kml_info info;

	KUNIT_EXPECT_EQ(test, kml_test_insert(space, KML_OBJ, size), 0);
	KUNIT_EXPECT_EQ(test, kml_object_add_area(space, KML_OBJ + size - 8, 8,
						  GFP_KERNEL, &info), 0);
	KUNIT_EXPECT_EQ(test, kml_object_set_excess(space, KML_OBJ, 0x55, GFP_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, kml_object_add_area(space, KML_OBJ, SIZE_MAX, GFP_KERNEL, &info), 0);
	kml_object_paint(space, KML_OBJ, -1);

	info = info_of(space, KML_OBJ + size / 2);
	KUNIT_EXPECT_EQ(test, info.size, size);
	KUNIT_EXPECT_EQ(test, info.excess_ref, 0x55UL);
	KUNIT_EXPECT_EQ(test, kml_state_min_count(info.state), -1);
	KUNIT_EXPECT_EQ(test, areas_of(space, KML_OBJ, found, 4), 2U);
	KUNIT_EXPECT_EQ(test, found[0].size, size);
	KUNIT_EXPECT_EQ(test, found[1].not_start, ~(KML_OBJ + size - 8));
	KUNIT_EXPECT_TRUE(test, kml_object_remove(space, KML_OBJ));
	KUNIT_EXPECT_EQ(test, info_of(space, KML_OBJ).size, (size_t)0);
}

static void all_at_once(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, together_fn);
}

static struct kunit_case kml_attr_cases[] = {
	KUNIT_CASE(paint),
	KUNIT_CASE(paint_keeps_the_rest),
	KUNIT_CASE(no_scan),
	KUNIT_CASE(reset_checksum),
	KUNIT_CASE(set_trace),
	KUNIT_CASE(set_excess),
	KUNIT_CASE(scan_areas),
	KUNIT_CASE(areas_that_do_not_fit),
	KUNIT_CASE(all_at_once),
	{}
};

static struct kunit_suite kml_attr_suite = {
	.name = "kmemleak_attr",
	.test_cases = kml_attr_cases,
};

kunit_test_suite(kml_attr_suite);
