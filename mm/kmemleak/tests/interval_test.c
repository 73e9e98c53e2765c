// SPDX-License-Identifier: GPL-2.0-only
/* The directory of intervals: creation, look-ups, walks and trimming. */

#include "common.h"

/* Both sides of every boundary in the tree, and regions that share an l1 slot. */
static const unsigned long kml_edges[] = {
	0, 1, KML_PAGE_SIZE - 1, KML_PAGE_SIZE,
	(1UL << KML_GROUP_SHIFT) - 1, 1UL << KML_GROUP_SHIFT,
	KML_INTERVAL_SIZE - 1, KML_INTERVAL_SIZE, 3 * KML_INTERVAL_SIZE,
	(1UL << KML_L2_SHIFT) - 1, 1UL << KML_L2_SHIFT,
#if BITS_PER_LONG == 64
	(1UL << 39) - 1, 1UL << 39, (1UL << 39) + KML_INTERVAL_SIZE,
	/* keys that are equal modulo the size of l1 */
	1UL << 45, (1UL << 45) + (1UL << 39), 2UL << 45, 3UL << 45, 1UL << 51,
#if !KML_TAG_BITS
	1UL << 56, 1UL << 57, 0x7fffffffffffffffUL, 0x8000000000000000UL,
#endif
	0xffff800000000000UL, 0xffff888000000000UL, 0xffffffff80000000UL,
#else
	0x7fffffffUL, 0x80000000UL, 0xc0000000UL,
#endif
	~0UL - KML_INTERVAL_SIZE, ~0UL - KML_INTERVAL_SIZE + 1,
	~0UL - KML_PAGE_SIZE, ~0UL - KML_PAGE_SIZE + 1, ~0UL - 1, ~0UL,
};

static bool same_interval(unsigned long a, unsigned long b)
{
	return a >> KML_INTERVAL_SHIFT == b >> KML_INTERVAL_SHIFT;
}

/* Is the right interval found for @addr, after those of the first @n edges exist? */
static bool found_as_filed(struct kunit *test, struct kml_space *space,
			   unsigned long addr, unsigned int n)
{
	struct kml_interval *iv = kml_interval_find(space, addr);
	bool filed = false;
	unsigned int i;

	for (i = 0; i < n; i++)
		filed |= same_interval(addr, kml_edges[i]);
	return kml_ok(test, !!iv == filed) &&
	       kml_ok(test, !iv || iv->nr == addr >> KML_INTERVAL_SHIFT) &&
	       kml_ok(test, !iv || same_interval(kml_interval_base(iv), addr));
}

static void intervals_fn(struct kunit *test, struct kml_space *space)
{
	unsigned int n, i;

	for (n = 0; n <= ARRAY_SIZE(kml_edges); n++) {
		for (i = 0; i < ARRAY_SIZE(kml_edges); i++) {
			unsigned long addr = kml_edges[i];

			if (!found_as_filed(test, space, addr, n) ||
			    !found_as_filed(test, space, addr ^ KML_INTERVAL_SIZE, n) ||
			    !found_as_filed(test, space, addr ^ 1UL << KML_L2_SHIFT, n) ||
			    !found_as_filed(test, space, addr ^ 1UL << (BITS_PER_LONG - 1), n))
				return;
		}
		if (n < ARRAY_SIZE(kml_edges) &&
		    !kml_ok(test, !kml_interval_ensure(space, kml_edges[n], GFP_KERNEL)))
			return;
	}
}

static void intervals_at_all_edges(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, intervals_fn);
}

static void ensure_twice_fn(struct kunit *test, struct kml_space *space)
{
	unsigned long addr = 5 * KML_INTERVAL_SIZE + 12345;
	struct kml_interval *iv;
	struct kml_leaf *leaf;

	KUNIT_EXPECT_EQ(test, kml_leaf_ensure(space, addr, GFP_KERNEL), 0);
	iv = kml_interval_find(space, addr);
	if (!kml_ok(test, iv))
		return;
	leaf = kml_leaf_find(iv, addr);
	KUNIT_EXPECT_NOT_NULL(test, leaf);
	KUNIT_EXPECT_EQ(test, kml_interval_ensure(space, addr + 1, GFP_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, kml_leaf_ensure(space, addr + 1, GFP_KERNEL), 0);
	KUNIT_EXPECT_PTR_EQ(test, kml_interval_find(space, addr), iv);
	KUNIT_EXPECT_PTR_EQ(test, kml_leaf_find(iv, addr), leaf);
}

static void ensuring_twice_changes_nothing(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, ensure_twice_fn);
}

/* Leaves come in groups for 512 KiB, and each page has a leaf of its own. */
static void leaves_fn(struct kunit *test, struct kml_space *space)
{
	unsigned long base = ~0UL - KML_INTERVAL_SIZE + 1, off;
	struct kml_leaf *leaf, *last = NULL;
	struct kml_interval *iv;

	kml_leaf_ensure(space, base + (1UL << KML_GROUP_SHIFT), GFP_KERNEL);
	iv = kml_interval_find(space, base);
	if (!kml_ok(test, iv))
		return;
	for (off = 0; off < KML_INTERVAL_SIZE; off += KML_PAGE_SIZE) {
		bool present = off >> KML_GROUP_SHIFT == 1;

		leaf = kml_leaf_find(iv, base + off);
		if (!kml_ok(test, !!leaf == present) ||
		    !kml_ok(test, kml_leaf_find(iv, base + off + KML_PAGE_SIZE - 1) == leaf) ||
		    !kml_ok(test, !leaf || !last || leaf == last + 1))
			return;
		last = leaf;
	}
}

static void leaves_of_an_interval(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, leaves_fn);
}

static bool pinned_at(struct kml_space *space, unsigned long addr,
		      struct kml_pinned *p)
{
	return kml_lookup_pinned(kml_leaf_of(space, addr), addr, p);
}

/* An object of one byte at each edge is found there and only there. */
static void lookup_fn(struct kunit *test, struct kml_space *space)
{
	struct kml_pinned p;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(kml_edges); i++)
		if (!kml_ok(test, !kml_test_insert(space, kml_edges[i], 1)))
			return;

	rcu_read_lock();
	for (i = 0; i < ARRAY_SIZE(kml_edges); i++) {
		unsigned long addr = kml_edges[i], start = 0;
		struct kml_hot *hot = kml_lookup(space, addr, &start);

		KUNIT_EXPECT_NOT_NULL(test, hot);
		KUNIT_EXPECT_EQ(test, start, addr);
		KUNIT_EXPECT_PTR_EQ(test, kml_lookup_exact(space, addr), hot);
		KUNIT_EXPECT_TRUE(test, pinned_at(space, addr, &p));
		KUNIT_EXPECT_EQ(test, p.size, 1UL);
		KUNIT_EXPECT_NULL(test, p.ext);
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_PTR_NE(test, kml_lookup_exact(space, kml_edges[j]), hot);
	}
	/* addresses next to an edge, where no object is */
	KUNIT_EXPECT_NULL(test, kml_lookup_exact(space, 2));
	KUNIT_EXPECT_FALSE(test, pinned_at(space, KML_PAGE_SIZE + 1, &p));
	KUNIT_EXPECT_NULL(test, kml_lookup_exact(space, ~0UL - 2));
	rcu_read_unlock();
}

static void lookups_at_all_edges(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, lookup_fn);
}

/* An address of one space does not find the object of another space. */
static void other_space_fn(struct kunit *test, struct kml_space *space)
{
	unsigned long addr = kml_interval_base(&(struct kml_interval){ .nr = 77 });
	struct kml_space *other = kml_space(KML_PHYS);
	bool known = kml_interval_find(other, addr);

	kml_test_insert(space, addr, 100);
	KUNIT_EXPECT_NOT_NULL(test, kml_interval_find(space, addr));
	KUNIT_EXPECT_EQ(test, !!kml_interval_find(other, addr), known);
}

static void spaces_are_apart(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, other_space_fn);
}

static void window_fn(struct kunit *test, struct kml_space *space)
{
	/* at first the window is empty */
	KUNIT_EXPECT_GT(test, kml_window_min(space), kml_window_last(space));

	kml_window_grow(space, 1000, 2000);
	KUNIT_EXPECT_EQ(test, kml_window_min(space), 1000UL);
	KUNIT_EXPECT_EQ(test, kml_window_last(space), 2000UL);
	kml_window_grow(space, 1500, 1600);
	KUNIT_EXPECT_EQ(test, kml_window_min(space), 1000UL);
	KUNIT_EXPECT_EQ(test, kml_window_last(space), 2000UL);
	kml_window_grow(space, 999, 1000);
	KUNIT_EXPECT_EQ(test, kml_window_min(space), 999UL);
	KUNIT_EXPECT_EQ(test, kml_window_last(space), 2000UL);
	kml_window_grow(space, 1000, 2001);
	KUNIT_EXPECT_EQ(test, kml_window_min(space), 999UL);
	KUNIT_EXPECT_EQ(test, kml_window_last(space), 2001UL);
	kml_window_grow(space, 0, ~0UL);
	KUNIT_EXPECT_EQ(test, kml_window_min(space), 0UL);
	KUNIT_EXPECT_EQ(test, kml_window_last(space), ~0UL);
}

static void windows_only_grow(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, window_fn);
}

/* filled_by and continued_from are inverted, for 0 may be the start of an object. */
static void cont_of_address_zero(struct kunit *test)
{
	unsigned long start = 1;

	KUNIT_EXPECT_FALSE(test, kml_decode_start(0, &start));
	KUNIT_EXPECT_TRUE(test, kml_decode_start(~0UL, &start));
	KUNIT_EXPECT_EQ(test, start, 0UL);
	KUNIT_EXPECT_TRUE(test, kml_decode_start(~0x123456UL, &start));
	KUNIT_EXPECT_EQ(test, start, 0x123456UL);
}

struct kml_walk_count {
	struct kml_space *space;
	unsigned int mine;
	unsigned int stop_after;
};

/* Shards list the intervals of all spaces: count only those of the test. */
static int count_mine(struct kml_space *space, struct kml_interval *iv, void *data)
{
	struct kml_walk_count *c = data;

	if (kml_interval_find(c->space, kml_interval_base(iv)) != iv)
		return 0;
	return ++c->mine == c->stop_after ? 42 : 0;
}

static void walk_fn(struct kunit *test, struct kml_space *space)
{
	struct kml_walk_count all = { .space = space }, some = all;
	unsigned long addr;

	for (addr = 0; addr < 20 * KML_INTERVAL_SIZE; addr += 2 * KML_INTERVAL_SIZE)
		kml_interval_ensure(space, addr, GFP_KERNEL);

	KUNIT_EXPECT_EQ(test, kml_interval_walk(space, count_mine, &all), 0);
	KUNIT_EXPECT_EQ(test, all.mine, 10U);
	some.stop_after = 4;
	KUNIT_EXPECT_EQ(test, kml_interval_walk(space, count_mine, &some), 42);
	KUNIT_EXPECT_EQ(test, some.mine, 4U);
}

static void walk_sees_each_interval_once(struct kunit *test)
{
	kml_test_in_space(test, KML_PERCPU, walk_fn);
}

/* The trimmer looks at an interval only if an object left it since it last did. */
static void trim_visits_fn(struct kunit *test, struct kml_space *space)
{
	const unsigned long base = KML_INTERVAL_SIZE;
	struct kml_interval *iv[3];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(iv); i++) {
		kml_ok(test, !kml_test_insert(space, base + i * KML_INTERVAL_SIZE, 64));
		kml_ok(test, !kml_test_insert(space, base + i * KML_INTERVAL_SIZE + 4096, 64));
		rcu_read_lock();
		iv[i] = kml_interval_find(space, base + i * KML_INTERVAL_SIZE);
		rcu_read_unlock();
		if (!kml_ok(test, iv[i]))
			return;
		/* new: the insertion might have failed */
		KUNIT_EXPECT_TRUE(test, iv[i]->vacated);
	}
	kml_interval_trim(true);
	kml_object_remove(space, base + KML_INTERVAL_SIZE);
	for (i = 0; i < ARRAY_SIZE(iv); i++)
		KUNIT_EXPECT_EQ(test, iv[i]->vacated, i == 1);
	kml_object_remove(space, base + KML_INTERVAL_SIZE + 4096);
	kml_interval_trim(true);
	for (i = 0; i < ARRAY_SIZE(iv); i++)
		kml_ok(test, !kml_interval_find(space, base + i * KML_INTERVAL_SIZE) ==
		       (i == 1));
}

static void trim_visits_what_objects_left(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, trim_visits_fn);
}

/* Physical space is the kernel's, so addresses far above all memory are used. */
#define KML_TRIM_BASE	(1UL << (BITS_PER_LONG - KML_TAG_BITS - 4))
#define KML_TRIM_NR	512UL

static unsigned long trim_addr(unsigned long i)
{
	/* three intervals, with about one object per page in two groups of each */
	return KML_TRIM_BASE + i % 3 * KML_INTERVAL_SIZE + i * 1408;
}

static void trim_gives_back_what_is_empty(struct kunit *test)
{
	struct kml_space *space = kml_space(KML_PHYS);
	unsigned long i, intervals, min, last, flags;

	mutex_lock(&kml_scan_mutex);
	kml_interval_trim(true);
	intervals = kml_shard_intervals();
	min = space->not_min;
	last = space->not_last;
	kml_ok(test, !kml_interval_find(space, KML_TRIM_BASE));

	for (i = 0; i < KML_TRIM_NR; i++)
		kml_ok(test, !kml_test_insert(space, trim_addr(i), 1000));
	/* an object that fills the fifth interval and ends in the sixth */
	kml_ok(test, !kml_test_insert(space, KML_TRIM_BASE + 4 * KML_INTERVAL_SIZE - 1,
				      KML_INTERVAL_SIZE + 2));

	for (i = 0; i < KML_TRIM_NR; i++)
		if (i % 192 != 1)
			kml_ok(test, kml_object_remove(space, trim_addr(i)));
	kml_interval_trim(true);
	rcu_read_lock();
	for (i = 0; i < KML_TRIM_NR; i++)
		kml_ok(test, !!kml_lookup_exact(space, trim_addr(i)) == (i % 192 == 1));
	rcu_read_unlock();
	/* the small objects that are left are in the second interval */
	for (i = 0; i < 6; i++)
		kml_ok(test, !kml_interval_find(space, KML_TRIM_BASE + i * KML_INTERVAL_SIZE) ==
		       (i == 0 || i == 2));

	/* intervals that were trimmed can be used again */
	for (i = 0; i < KML_TRIM_NR; i++)
		if (i % 192 != 1)
			kml_ok(test, !kml_test_insert(space, trim_addr(i), 1000));
	for (i = 0; i < KML_TRIM_NR; i++)
		kml_ok(test, kml_object_remove(space, trim_addr(i)));
	kml_ok(test, kml_object_remove(space, KML_TRIM_BASE + 4 * KML_INTERVAL_SIZE - 1));

	kml_interval_trim(true);
	for (i = 0; i < 6; i++)
		kml_ok(test, !kml_interval_find(space, KML_TRIM_BASE + i * KML_INTERVAL_SIZE));
	/* the kernel may have added some intervals meanwhile, in other spaces */
	kml_ok(test, kml_shard_intervals() <= intervals + 6);

	raw_spin_lock_irqsave(&space->lock, flags);
	WRITE_ONCE(space->not_min, min);
	WRITE_ONCE(space->not_last, last);
	raw_spin_unlock_irqrestore(&space->lock, flags);
	mutex_unlock(&kml_scan_mutex);
}

static struct kunit_case kml_interval_cases[] = {
	KUNIT_CASE(intervals_at_all_edges),
	KUNIT_CASE(ensuring_twice_changes_nothing),
	KUNIT_CASE(leaves_of_an_interval),
	KUNIT_CASE(lookups_at_all_edges),
	KUNIT_CASE(spaces_are_apart),
	KUNIT_CASE(windows_only_grow),
	KUNIT_CASE(cont_of_address_zero),
	KUNIT_CASE(walk_sees_each_interval_once),
	KUNIT_CASE(trim_visits_what_objects_left),
	KUNIT_CASE(trim_gives_back_what_is_empty),
	{}
};

static struct kunit_suite kml_interval_suite = {
	.name = "kmemleak_interval",
	.test_cases = kml_interval_cases,
};

kunit_test_suite(kml_interval_suite);
