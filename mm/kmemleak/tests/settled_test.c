// SPDX-License-Identifier: GPL-2.0-only
/*
 * The settled bitmap, compared with a model that looks at all objects. A bit may be
 * clear although its block is settled, but only if objects share the block.
 */

#include "common.h"

#define KML_BASE	(6 * KML_INTERVAL_SIZE)
#define KML_RANGE	(2 * KML_INTERVAL_SIZE)
#define KML_NR_BLOCKS	(KML_RANGE >> KML_BLOCK_SHIFT)
#define KML_MAX_OBJECTS	300

struct kml_settled_model {
	u8 block[KML_NR_BLOCKS];	/* enum kml_block_says */
	unsigned int nr;
	struct {
		unsigned long start;
		size_t size;
	} obj[KML_MAX_OBJECTS];
};

/* Settle an object like a worker. */
static void settle(struct kml_space *space, unsigned long start, size_t size)
{
	rcu_read_lock();
	kml_settled_set(space, start, size);
	rcu_read_unlock();
}

static void prepare_one(struct kml_space *space, struct kml_interval *iv, void *data)
{
	kml_settled_prepare(iv);
}

static void prepare(struct kml_space *space)
{
	kml_test_intervals(space, prepare_one, NULL);
}

/* Set count and min_count of the object at @start, as a mark might. */
static u32 set_state(struct kml_space *space, unsigned long start, unsigned int count,
		     int min_count)
{
	struct kml_locked l;
	u32 state;

	if (!kml_object_lock(&l, space, start, false))
		return 0;
	kml_hot_change(l.hot, KML_COUNT_MASK | KML_MIN_MASK,
		       kml_state_set_min(count << KML_COUNT_SHIFT, min_count));
	state = kml_hot_state(l.hot);
	kml_object_unlock(&l);
	return state;
}

static bool is_unsettled(struct kml_space *space, unsigned long start)
{
	struct kml_info info;

	return kml_object_info(space, start, false, &info) &&
	       (kml_white(info.state) || info.state & KML_F_EXT);
}

enum kml_block_says {
	KML_SETTLED,
	KML_SHARED,		/* settled, but the bit may be clear */
	KML_UNSETTLED,
};

/* Update the model for the blocks that an object overlaps. */
static void model_object(struct kml_space *space, struct kml_settled_model *m,
			 unsigned long start, unsigned long last)
{
	unsigned long block = round_down(start, KML_BLOCK_SIZE);
	bool unsettled = is_unsettled(space, start);

	for (; block <= last; block += KML_BLOCK_SIZE) {
		u8 *says = &m->block[(block - KML_BASE) >> KML_BLOCK_SHIFT];

		if (unsettled)
			*says = KML_UNSETTLED;
		else if (block < start || last - block < KML_BLOCK_SIZE - 1)
			*says = max_t(u8, *says, KML_SHARED);
	}
}

/* Compare the bitmap with the model for all blocks. */
static bool check(struct kunit *test, struct kml_space *space,
		  struct kml_settled_model *m)
{
	unsigned long block;
	unsigned int i;

	memset(m->block, KML_SETTLED, sizeof(m->block));
	for (i = 0; i < m->nr; i++)
		model_object(space, m, m->obj[i].start,
			     m->obj[i].start + m->obj[i].size - 1);
	for (block = 0; block < KML_NR_BLOCKS; block++) {
		unsigned long addr = KML_BASE + (block << KML_BLOCK_SHIFT) + block % KML_BLOCK_SIZE;
		bool want = m->block[block] == KML_SETTLED;

		if (m->block[block] != KML_SHARED &&
		    !kml_ok(test, kml_settled(space, addr) == want)) {
			KUNIT_EXPECT_TRUE_MSG(test, false, "block of 0x%lx", addr);
			return false;
		}
	}
	return true;
}

/* Insert objects, dense at a few places, so that up to 64 objects share a block. */
static void populate(struct kml_space *space, struct kml_settled_model *m, u64 *seed)
{
	unsigned int tries;

	for (tries = 0; tries < 3 * KML_MAX_OBJECTS && m->nr < KML_MAX_OBJECTS; tries++) {
		unsigned long start = KML_BASE + kml_test_below(seed, 4) * (KML_RANGE / 4);
		size_t size = 1 + kml_test_below(seed, 1U << kml_test_below(seed, 9));

		if (!kml_test_below(seed, 16))
			size = kml_test_below(seed, KML_INTERVAL_SIZE / 2) + 1;
		start += kml_test_below(seed, tries % 2 ? 4096 : KML_RANGE / 4);
		if (tries == 7)		/* across the border of the intervals */
			start = KML_BASE + KML_INTERVAL_SIZE - 30;
		if (start + size > KML_BASE + KML_RANGE ||
		    kml_test_insert(space, start, size))
			continue;
		m->obj[m->nr].start = start;
		m->obj[m->nr++].size = size;
	}
}

static bool mark_randomly(struct kunit *test, struct kml_space *space,
			  struct kml_settled_model *m, u64 *seed)
{
	struct kml_info info;
	unsigned int i, n;

	/* some objects are grey or black from the start, some have an excess_ref */
	for (i = 0; i < m->nr; i++) {
		if (kml_test_below(seed, 4))
			set_state(space, m->obj[i].start, 0, kml_test_below(seed, 4) - 1);
		if (!kml_test_below(seed, 8))
			kml_object_set_excess(space, m->obj[i].start, 1, GFP_KERNEL);
	}
	prepare(space);
	for (i = 0; i < KML_NR_BLOCKS; i += 61)
		if (!kml_ok(test, kml_settled(space, KML_BASE + i * KML_BLOCK_SIZE)))
			return false;
	for (i = 0; i < m->nr; i++)
		if (is_unsettled(space, m->obj[i].start))
			kml_settled_clear(space, m->obj[i].start, m->obj[i].size);
	if (!check(test, space, m))
		return false;

	/* turn white objects grey in random order, and check from time to time */
	for (n = 0; n < 4 * m->nr; n++) {
		i = kml_test_below(seed, m->nr);
		if (!kml_object_info(space, m->obj[i].start, false, &info) ||
		    !kml_white(info.state))
			continue;
		set_state(space, m->obj[i].start, 2, 2);
		if (!(info.state & KML_F_EXT))
			settle(space, m->obj[i].start, m->obj[i].size);
		if (n % 64 == 0 && !check(test, space, m))
			return false;
	}
	return check(test, space, m);
}

static void random_fn(struct kunit *test, struct kml_space *space)
{
	struct kml_settled_model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	unsigned int round;
	u64 seed = 7;

	if (!kml_ok(test, m))
		return;
	/* both intervals exist and have a bitmap of their own */
	kml_leaf_ensure(space, KML_BASE, GFP_KERNEL);
	kml_leaf_ensure(space, KML_BASE + KML_INTERVAL_SIZE, GFP_KERNEL);
	for (round = 0; round < 6; round++) {
		m->nr = 0;
		populate(space, m, &seed);
		if (!mark_randomly(test, space, m, &seed))
			return;
		kml_test_space_empty(space);
	}
}

static void random_marks(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, random_fn);
}

/* Three objects share a block: it is settled when the last of them is. */
static void shared_fn(struct kunit *test, struct kml_space *space)
{
	unsigned long a = KML_BASE + 10, b = KML_BASE + 40, c = KML_BASE + 60;

	kml_test_insert(space, a, 30);
	kml_test_insert(space, b, 8);
	kml_test_insert(space, c, 100);
	prepare(space);
	kml_settled_clear(space, a, 30);
	kml_settled_clear(space, b, 8);
	kml_settled_clear(space, c, 100);

	set_state(space, c, 1, 1);
	settle(space, c, 100);
	KUNIT_EXPECT_FALSE(test, kml_settled(space, c));
	KUNIT_EXPECT_TRUE(test, kml_settled(space, c + 4));
	KUNIT_EXPECT_TRUE(test, kml_settled(space, c + 99));
	set_state(space, a, 1, 1);
	settle(space, a, 30);
	KUNIT_EXPECT_FALSE(test, kml_settled(space, a));
	set_state(space, b, 1, 1);
	settle(space, b, 8);
	KUNIT_EXPECT_TRUE(test, kml_settled(space, a));
	/* settling an object twice has no effect, and it can be unsettled again */
	settle(space, a, 30);
	KUNIT_EXPECT_TRUE(test, kml_settled(space, c));
	kml_settled_clear(space, c, 100);
	KUNIT_EXPECT_FALSE(test, kml_settled(space, a));
	KUNIT_EXPECT_FALSE(test, kml_settled(space, c + 99));
	KUNIT_EXPECT_TRUE(test, kml_settled(space, KML_BASE + 3 * KML_BLOCK_SIZE));
}

static void shared_blocks(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, shared_fn);
}

/* Intervals that one object fills have no bitmap of their own. */
static void covered_fn(struct kunit *test, struct kml_space *space)
{
	unsigned long start = KML_BASE - 100, size = 5 * KML_INTERVAL_SIZE + 1000, off;
	unsigned int set;

	kml_test_insert(space, start, size);
	prepare(space);
	kml_settled_clear(space, start, size);
	for (set = 0; set < 2; set++) {
		if (set) {
			set_state(space, start, 1, 1);
			settle(space, start, size);
		}
		for (off = 0; off < size; off += 4096 + 8)
			if (!kml_ok(test, kml_settled(space, start + off) == set))
				return;
		KUNIT_EXPECT_EQ(test, kml_settled(space, start + size - 1), (bool)set);
		/* there is no other object before or after */
		KUNIT_EXPECT_TRUE(test, kml_settled(space, start - KML_BLOCK_SIZE));
		KUNIT_EXPECT_TRUE(test, kml_settled(space, start + size + KML_BLOCK_SIZE));
	}
}

static void covered_intervals(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, covered_fn);
}

static void nothing_fn(struct kunit *test, struct kml_space *space)
{
	KUNIT_EXPECT_TRUE(test, kml_settled(space, 0));
	KUNIT_EXPECT_TRUE(test, kml_settled(space, KML_BASE));
	KUNIT_EXPECT_TRUE(test, kml_settled(space, ~0UL));
	/* without an interval there is nothing to clear */
	kml_settled_clear(space, KML_BASE, 3 * KML_INTERVAL_SIZE);
	KUNIT_EXPECT_TRUE(test, kml_settled(space, KML_BASE));
}

static void no_object_no_interest(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, nothing_fn);
}

/* A new object is grey during a scan, and does not unsettle its blocks. */
static void born_fn(struct kunit *test, struct kml_space *space)
{
	unsigned long other = KML_BASE + 9 * KML_INTERVAL_SIZE;
	bool active = kml_state.scan_active;
	struct kml_interval *iv;
	u32 state;

	kml_leaf_ensure(space, KML_BASE, GFP_KERNEL);
	kml_test_insert(space, KML_BASE, 64);
	prepare(space);
	iv = kml_interval_find(space, KML_BASE);
	KUNIT_EXPECT_FALSE(test, iv->has_new);
	KUNIT_EXPECT_TRUE(test, kml_settled(space, KML_BASE + 4000));

	/* we hold kml_scan_mutex, so no real scan is confused by this */
	WRITE_ONCE(kml_state.scan_active, true);
	kml_test_insert(space, KML_BASE + 4000, 200);
	kml_test_insert(space, other, 3 * KML_INTERVAL_SIZE);
	kml_test_insert(space, other - 8, 8);
	WRITE_ONCE(kml_state.scan_active, active);

	KUNIT_EXPECT_TRUE(test, kml_settled(space, KML_BASE + 4000));
	KUNIT_EXPECT_TRUE(test, kml_settled(space, KML_BASE + 4199));
	KUNIT_EXPECT_TRUE(test, iv->has_new);
	KUNIT_EXPECT_TRUE(test, kml_interval_find(space, other)->has_new);
	KUNIT_EXPECT_TRUE(test, kml_interval_find(space, other - 8)->has_new);

	rcu_read_lock();
	state = kml_hot_state(kml_lookup_exact(space, KML_BASE + 4000));
	KUNIT_EXPECT_TRUE(test, state & KML_F_NEW);
	KUNIT_EXPECT_TRUE(test, kml_grey(state));
	KUNIT_EXPECT_FALSE(test, kml_white(state));
	state = kml_hot_state(kml_lookup_exact(space, KML_BASE));
	rcu_read_unlock();
	KUNIT_EXPECT_FALSE(test, state & KML_F_NEW);
	KUNIT_EXPECT_TRUE(test, kml_white(state));
}

static void born_during_a_scan(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, born_fn);
}

static void try_at_top(struct kunit *test, struct kml_space *space, size_t size)
{
	unsigned long start = 0 - 3 * KML_BLOCK_SIZE + 5;

	kml_test_insert(space, start, size);
	prepare(space);
	KUNIT_EXPECT_TRUE(test, kml_settled(space, start));
	kml_settled_clear(space, start, size);
	KUNIT_EXPECT_FALSE(test, kml_settled(space, start));
	KUNIT_EXPECT_FALSE(test, kml_settled(space, ~0UL));
	KUNIT_EXPECT_TRUE(test, kml_settled(space, start - KML_BLOCK_SIZE));
	set_state(space, start, 1, 1);
	settle(space, start, size);
	KUNIT_EXPECT_TRUE(test, kml_settled(space, ~0UL));
	kml_object_remove(space, start);
}

static void top_fn(struct kunit *test, struct kml_space *space)
{
	try_at_top(test, space, 3 * KML_BLOCK_SIZE - 5);
}

static void top_of_the_space(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, top_fn);
}

/* An object that would reach beyond the top of the space ends at the top. */
static void beyond_fn(struct kunit *test, struct kml_space *space)
{
	try_at_top(test, space, 1UL << 20);
}

static void beyond_the_top(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, beyond_fn);
}

static struct kunit_case kml_settled_cases[] = {
	KUNIT_CASE(random_marks),
	KUNIT_CASE(shared_blocks),
	KUNIT_CASE(covered_intervals),
	KUNIT_CASE(no_object_no_interest),
	KUNIT_CASE(born_during_a_scan),
	KUNIT_CASE(top_of_the_space),
	KUNIT_CASE(beyond_the_top),
	{}
};

static struct kunit_suite kml_settled_suite = {
	.name = "kmemleak_settled",
	.test_cases = kml_settled_cases,
};

kunit_test_suite(kml_settled_suite);
