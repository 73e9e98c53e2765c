// SPDX-License-Identifier: GPL-2.0-only
/*
 * Filing and removing, against a list of what should be there. Only metadata is
 * touched, so that objects may lie anywhere and be of any size.
 */

#include "common.h"

#define KML_MODEL_MAX	160

/* What should be filed; sorted by nothing, searched by comparing with all. */
struct kml_model {
	unsigned int nr;
	struct kml_model_object {
		unsigned long start;
		unsigned long last;
		int min_count;
	} obj[KML_MODEL_MAX];
};

static int model_find(const struct kml_model *m, unsigned long addr)
{
	unsigned int i;

	for (i = 0; i < m->nr; i++)
		if (addr >= m->obj[i].start && addr <= m->obj[i].last)
			return i;
	return -1;
}

static bool model_free(const struct kml_model *m, unsigned long start,
		       unsigned long last)
{
	unsigned int i;

	for (i = 0; i < m->nr; i++)
		if (start <= m->obj[i].last && last >= m->obj[i].start)
			return false;
	return true;
}

static void model_add(struct kml_model *m, unsigned long start, unsigned long last,
		      int min_count)
{
	m->obj[m->nr++] = (struct kml_model_object){ start, last, min_count };
}

/* Is the answer for @addr that of the model? */
static bool check_addr(struct kunit *test, struct kml_space *space,
		       const struct kml_model *m, unsigned long addr)
{
	int i = model_find(m, addr);
	struct kml_info info;
	bool found;

	found = kml_object_info(space, addr, true, &info);
	if (!kml_ok(test, found == (i >= 0)))
		return false;
	if (found && (!kml_ok(test, info.addr == m->obj[i].start) ||
		      !kml_ok(test, info.size - 1 == m->obj[i].last - m->obj[i].start) ||
		      !kml_ok(test, kml_state_min_count(info.state) == m->obj[i].min_count) ||
		      !kml_ok(test, info.state & KML_F_ALLOCATED)))
		return false;

	found = kml_object_info(space, addr, false, &info);
	return kml_ok(test, found == (i >= 0 && m->obj[i].start == addr));
}

/* Both ends and the middle of an object, inside and out. */
static bool check_object(struct kunit *test, struct kml_space *space,
			 const struct kml_model *m, unsigned long start,
			 unsigned long last)
{
	unsigned long at[] = {
		start, start + 1, start - 1, last, last - 1, last + 1,
		start + (last - start) / 2,
		(start + KML_PAGE_SIZE) & KML_PAGE_MASK, last & KML_PAGE_MASK,
		(start + KML_INTERVAL_SIZE) & KML_INTERVAL_MASK,
		last & KML_INTERVAL_MASK, last ^ KML_PAGE_SIZE,
		start + (last - start) / 3,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(at); i++)
		if (!check_addr(test, space, m, at[i]))
			return false;
	return true;
}

static bool check_all(struct kunit *test, struct kml_space *space,
		      const struct kml_model *m)
{
	unsigned int i;

	for (i = 0; i < m->nr; i++)
		if (!check_object(test, space, m, m->obj[i].start, m->obj[i].last))
			return false;
	return true;
}

static void count_left(struct kml_space *space, struct kml_interval *iv, void *data)
{
	unsigned int *left = data, i, j;

	*left += iv->cover != 0;
	for (i = 0; i < KML_GROUPS; i++) {
		for (j = 0; iv->group[i] && j < KML_LEAVES; j++) {
			struct kml_leaf *leaf = &iv->group[i]->leaf[j];
			struct kml_desc *desc = kml_leaf_desc(leaf);

			*left += leaf->cont != 0;
			*left += desc ? desc->nr : 0;
		}
	}
}

/* Entries and marks in a space; none when all objects are gone. */
static unsigned int left_over(struct kml_space *space)
{
	unsigned int left = 0;

	kml_test_intervals(space, count_left, &left);
	return left;
}

static bool insert(struct kunit *test, struct kml_space *space, struct kml_model *m,
		   unsigned long start, unsigned long size, int min_count)
{
	unsigned long last = start + min(size - 1, ULONG_MAX - start);
	bool room = model_free(m, start, last);
	struct kml_info hit = {};
	int ret;

	ret = kml_track_insert(space, start, size, min_count, GFP_KERNEL, 0, &hit);
	if (!kml_ok(test, ret == (room ? 0 : -EEXIST)))
		return false;
	if (room)
		model_add(m, start, last, min_count);
	else if (!kml_ok(test, hit.addr <= last && hit.addr + hit.size - 1 >= start) ||
		 !kml_ok(test, model_find(m, hit.addr) >= 0 &&
			 m->obj[model_find(m, hit.addr)].start == hit.addr))
		return false;
	return check_object(test, space, m, start, last);
}

static bool drop(struct kunit *test, struct kml_space *space, struct kml_model *m,
		 unsigned long start)
{
	int i = model_find(m, start);
	bool there = i >= 0 && m->obj[i].start == start;
	unsigned long last = i >= 0 ? m->obj[i].last : start;

	if (!kml_ok(test, kml_track_remove(space, start) == there))
		return false;
	if (there)
		m->obj[i] = m->obj[--m->nr];
	return check_object(test, space, m, start, last);
}

static bool drop_part(struct kunit *test, struct kml_space *space,
		      struct kml_model *m, unsigned long addr, unsigned long size)
{
	int i = model_find(m, addr), ret;
	struct kml_model_object old;
	struct kml_info hit;

	ret = kml_track_remove_part(space, addr, size, 0, &hit);
	if (!kml_ok(test, ret == (i >= 0 ? 0 : -ENOENT)))
		return false;
	if (i < 0)
		return check_addr(test, space, m, addr);

	old = m->obj[i];
	m->obj[i] = m->obj[--m->nr];
	if (addr > old.start)
		model_add(m, old.start, addr - 1, old.min_count);
	if (size - 1 < old.last - addr)
		model_add(m, addr + size, old.last, old.min_count);
	return check_object(test, space, m, old.start, old.last) &&
	       check_object(test, space, m, addr, addr + min(size - 1, old.last - addr));
}

static struct kml_model *new_model(struct kunit *test)
{
	struct kml_model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);

	/* callers hold kml_scan_mutex: see kml_ok() */
	kml_ok(test, m);
	return m;
}

static const unsigned long kml_sizes[] = {
	1, 2, 7, 8, 9, 63, 64, 65, 96, 100, 192, 1000, 2048, 4095, 4096, 4097,
	8192, 8193, 65536, 65537, (1UL << 19) - 1, 1UL << 19,
	KML_INTERVAL_SIZE - 1, KML_INTERVAL_SIZE, KML_INTERVAL_SIZE + 1,
	2 * KML_INTERVAL_SIZE, 3 * KML_INTERVAL_SIZE + 4097, 1UL << 28,
#if BITS_PER_LONG == 64
	(1UL << 32) - 2,
	/* from here on the size does not fit into the hot entry: KML_F_BIG */
	(1UL << 32) - 1, 1UL << 32, (1UL << 32) + 1, (1UL << 33) + 12345,
#endif
};

#define KML_NR_BIG	(BITS_PER_LONG == 64 ? 4 : 0)
#define KML_NR_PLAIN	(ARRAY_SIZE(kml_sizes) - KML_NR_BIG)

static const unsigned long kml_places[] = {
	0, 1, 8, 100, 4095, 4096, 5000, KML_INTERVAL_SIZE - 1,
	KML_INTERVAL_SIZE, KML_INTERVAL_SIZE / 2 + 3, (1UL << 30) - 8,
#if BITS_PER_LONG == 64
	(1UL << 39) - 4096, 1UL << 45, 0xffff888000000000UL,
#endif
};

/* One object of each size at each place, alone and then at the very top. */
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

/* A size that reaches beyond the top ends there. */
static void top_fn(struct kunit *test, struct kml_space *space)
{
	unsigned long start = ~0UL - 3 * KML_PAGE_SIZE;
	struct kml_info info;

	KUNIT_EXPECT_EQ(test, kml_test_insert(space, start, 1UL << 20), 0);
	KUNIT_EXPECT_TRUE(test, kml_object_info(space, ~0UL, true, &info));
	KUNIT_EXPECT_EQ(test, info.addr, start);
	KUNIT_EXPECT_FALSE(test, kml_object_info(space, 0, true, &info));
	KUNIT_EXPECT_EQ(test, kml_test_insert(space, 0, 100), 0);
	KUNIT_EXPECT_TRUE(test, kml_track_remove(space, start));
	KUNIT_EXPECT_FALSE(test, kml_object_info(space, ~0UL, true, &info));
	KUNIT_EXPECT_TRUE(test, kml_track_remove(space, 0));
	KUNIT_EXPECT_EQ(test, left_over(space), 0U);
}

static void beyond_the_top(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, top_fn);
}

/* Every way in which a second object can lie to a first one. */
static bool overlaps(struct kunit *test, struct kml_space *space,
		     struct kml_model *m, unsigned long start, unsigned long size)
{
	unsigned long last = start + size - 1;
	const struct {
		unsigned long start, last;
	} other[] = {
		{ start, last }, { start, start }, { last, last },
		{ start + 1, last - 1 }, { start - 1, last + 1 },
		{ start - 1, start }, { last, last + 1 },
		{ start - 1, start - 1 }, { last + 1, last + 1 },
		{ start - KML_PAGE_SIZE, start - 1 },
		{ start - KML_PAGE_SIZE, start },
		{ start - KML_PAGE_SIZE, last }, { start, last + KML_PAGE_SIZE },
		{ last + 1, last + 3 * KML_PAGE_SIZE },
		{ last, last + 3 * KML_PAGE_SIZE },
		{ start - KML_INTERVAL_SIZE, last + KML_INTERVAL_SIZE },
		{ start - 2 * KML_INTERVAL_SIZE, start },
		{ start - 2 * KML_INTERVAL_SIZE, start - 1 },
		{ last, last + 2 * KML_INTERVAL_SIZE },
		{ last + 1, last + 2 * KML_INTERVAL_SIZE },
		{ start + size / 2, start + size / 2 },
		{ start + size / 2, start + size / 2 + 2 * KML_PAGE_SIZE },
		{ start + size / 2, start + size / 2 + 2 * KML_INTERVAL_SIZE },
	};
	unsigned int i;

	if (!insert(test, space, m, start, size, 1))
		return false;
	for (i = 0; i < ARRAY_SIZE(other); i++) {
		unsigned int nr = m->nr;

		if (other[i].last < other[i].start)
			continue;
		if (!insert(test, space, m, other[i].start,
			    other[i].last - other[i].start + 1, 2) ||
		    (m->nr > nr && !drop(test, space, m, other[i].start)) ||
		    !check_object(test, space, m, start, last)) {
			KUNIT_EXPECT_TRUE_MSG(test, false, "size 0x%lx, case %u", size, i);
			return false;
		}
	}
	return drop(test, space, m, start);
}

static void overlaps_of(struct kunit *test, struct kml_space *space,
			unsigned int from, unsigned int to)
{
	static const unsigned long at[] = { 0, 1, 96, 4095, 2048, KML_INTERVAL_SIZE - 1 };
	struct kml_model *m = new_model(test);
	unsigned int i, j;

	for (i = from; m && i < to; i++)
		for (j = 0; j < ARRAY_SIZE(at); j++)
			if (!overlaps(test, space, m, 8 * KML_INTERVAL_SIZE + at[j],
				      kml_sizes[i]))
				return;
	KUNIT_EXPECT_EQ(test, left_over(space), 0U);
}

static void overlaps_fn(struct kunit *test, struct kml_space *space)
{
	overlaps_of(test, space, 0, KML_NR_PLAIN);
}

static void overlaps_of_all_forms(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, overlaps_fn);
}

static void big_overlaps_fn(struct kunit *test, struct kml_space *space)
{
	overlaps_of(test, space, KML_NR_PLAIN, ARRAY_SIZE(kml_sizes));
}

static void overlaps_with_big_ones(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, big_overlaps_fn);
}

/* A byte in the midst of a big one, where nothing else tells that it is taken. */
static void inside_big_fn(struct kunit *test, struct kml_space *space)
{
	struct kml_model *m = new_model(test);
	unsigned long start = 3 * KML_INTERVAL_SIZE + 24;
	unsigned int i;

	for (i = KML_NR_PLAIN; m && i < ARRAY_SIZE(kml_sizes); i++)
		if (!insert(test, space, m, start, kml_sizes[i], 1) ||
		    !insert(test, space, m, start + KML_PAGE_SIZE, 1, 1) ||
		    !insert(test, space, m, start + kml_sizes[i] / 2, 1, 1) ||
		    !drop(test, space, m, start))
			return;
}

static void inside_a_big_one(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, inside_big_fn);
}

/* A part from the front, the back, the middle, all, and more than there is. */
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

/* What is left of an object wants what the object wanted, painted or not. */
static void split_colour_fn(struct kunit *test, struct kml_space *space)
{
	static const int colours[] = { 0, -1 };
	struct kml_info info;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(colours); i++) {
		kml_test_insert(space, 10000, 3000);
		kml_track_paint(space, 10000, colours[i]);
		KUNIT_EXPECT_EQ(test, kml_track_remove_part(space, 11000, 1000, 0, &info), 0);
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

/* Other size, other page layout, same place. */
static void reuse_fn(struct kunit *test, struct kml_space *space)
{
	struct kml_model *m = new_model(test);
	unsigned int i, round;

	for (round = 0; m && round < 3; round++) {
		for (i = 0; i < ARRAY_SIZE(kml_sizes); i++)
			if (!insert(test, space, m, 4096, kml_sizes[i], round) ||
			    !drop(test, space, m, 4096))
				return;
		/* pages full of one size, then of another */
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

/* Nothing can point into it, so there is nothing to file; nor to find. */
static void unknown_fn(struct kunit *test, struct kml_space *space)
{
	struct kml_info info;

	KUNIT_EXPECT_EQ(test, kml_test_insert(space, 4096, 0), 0);
	KUNIT_EXPECT_FALSE(test, kml_object_info(space, 4096, true, &info));
	KUNIT_EXPECT_FALSE(test, kml_track_remove(space, 4096));
	KUNIT_EXPECT_EQ(test, kml_track_remove_part(space, 4096, 10, 0, &info), -ENOENT);

	kml_test_insert(space, 4096, 100);
	/* only the start of an object frees it */
	KUNIT_EXPECT_FALSE(test, kml_track_remove(space, 4097));
	KUNIT_EXPECT_FALSE(test, kml_track_remove(space, 4195));
	KUNIT_EXPECT_EQ(test, kml_track_remove_part(space, 4196, 10, 0, &info), -ENOENT);
	KUNIT_EXPECT_TRUE(test, kml_track_remove(space, 4096));
	KUNIT_EXPECT_FALSE(test, kml_track_remove(space, 4096));
}

static void unknown_objects(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, unknown_fn);
}

/* Where random programs put objects: few places, so that they meet. */
static unsigned long random_addr(u64 *seed)
{
	static const unsigned long bases[] = {
		0, 0, 16 * KML_INTERVAL_SIZE, 16 * KML_INTERVAL_SIZE,
		1UL << 30, 0 - 4 * KML_INTERVAL_SIZE,
	};
	unsigned long base = bases[kml_test_below(seed, ARRAY_SIZE(bases))];

	switch (kml_test_below(seed, 4)) {
	case 0:
		return base + kml_test_below(seed, 3 * KML_PAGE_SIZE);
	case 1:
		return base + KML_INTERVAL_SIZE - 300 + kml_test_below(seed, 600);
	case 2:
		return base + kml_test_below(seed, 4) * KML_INTERVAL_SIZE;
	default:
		return base + kml_test_below(seed, 4 * KML_INTERVAL_SIZE);
	}
}

/* Mostly small, and not beyond the top. */
static unsigned long random_size(u64 *seed, unsigned long addr)
{
	unsigned long more;

	switch (kml_test_below(seed, 8)) {
	case 0:
		more = kml_test_below(seed, 3 * KML_INTERVAL_SIZE);
		break;
	case 1:
		more = kml_test_below(seed, 4 * KML_PAGE_SIZE);
		break;
	case 2:
		more = kml_sizes[kml_test_below(seed, KML_NR_PLAIN)] - 1;
		break;
	default:
		more = kml_test_below(seed, 1U << kml_test_below(seed, 11));
	}
	return min(more, ~0UL - addr) + 1;
}

/* One step of a random program. */
static bool random_step(struct kunit *test, struct kml_space *space,
			struct kml_model *m, u64 *seed)
{
	unsigned int what = kml_test_below(seed, 10);
	unsigned long addr = random_addr(seed);

	/* often meet what is there */
	if (m->nr && what > 2)
		addr = m->obj[kml_test_below(seed, m->nr)].start;
	if (what < 6 && m->nr < KML_MODEL_MAX - 2)
		return insert(test, space, m, addr, random_size(seed, addr),
			      (int)kml_test_below(seed, 4) - 1);
	if (what < 9 || m->nr >= KML_MODEL_MAX - 2)
		return drop(test, space, m, addr);
	addr += kml_test_below(seed, 5000);
	return drop_part(test, space, m, addr, random_size(seed, addr));
}

static void random_fn(struct kunit *test, struct kml_space *space)
{
	struct kml_model *m = new_model(test);
	unsigned int round, step;
	bool ok = m;
	u64 seed = 3;

	for (round = 0; ok && round < 20; round++) {
		for (step = 0; ok && step < 400; step++)
			ok = random_step(test, space, m, &seed);
		ok = ok && check_all(test, space, m);
		while (ok && m->nr)
			ok = drop(test, space, m, m->obj[0].start);
		ok = ok && kml_ok(test, !left_over(space));
		if (!ok)
			KUNIT_EXPECT_TRUE_MSG(test, false, "round %u", round);
	}
}

static void random_programs(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, random_fn);
}

/* What is filed comes with who, when and how much. */
static void facts_fn(struct kunit *test, struct kml_space *space)
{
	unsigned long before = jiffies;
	struct kml_info info;

	KUNIT_EXPECT_EQ(test, kml_track_insert(space, 123456, 789, 2, GFP_KERNEL, 0x77, &info), 0);
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
	KUNIT_EXPECT_TRUE(test, info.jiffies - before < 1000 * HZ);
}

static void facts_of_an_object(struct kunit *test)
{
	kml_test_in_space(test, KML_PERCPU, facts_fn);
}

/* Metadata must not hold an address of an object as it is: see kmemleak.h. */
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
	KUNIT_CASE(overlaps_of_all_forms),
	KUNIT_CASE(overlaps_with_big_ones),
	KUNIT_CASE(inside_a_big_one),
	KUNIT_CASE(parts_of_all_sizes),
	KUNIT_CASE(splitting_keeps_the_colour),
	KUNIT_CASE(reuse_after_free),
	KUNIT_CASE(unknown_objects),
	KUNIT_CASE(random_programs),
	KUNIT_CASE(facts_of_an_object),
	KUNIT_CASE(window_follows_the_objects),
	{}
};

static struct kunit_suite kml_track_suite = {
	.name = "kmemleak_track",
	.test_cases = kml_track_cases,
};

kunit_test_suite(kml_track_suite);
