// SPDX-License-Identifier: GPL-2.0-only
/* Objects that overlap or touch others: all cases, then random programs. */

#include "track_model.h"

/* Insert a second object in every position relative to the first one. */
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

/* A byte within a large object, where only filled_by says that memory is in use. */
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

/* Addresses for random programs: near a few bases, so that objects overlap. */
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

/* A size, mostly small, that does not reach beyond the top of the space. */
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

	/* often take the address of an object that exists */
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

static struct kunit_case kml_overlap_cases[] = {
	KUNIT_CASE(overlaps_of_all_forms),
	KUNIT_CASE(overlaps_with_big_ones),
	KUNIT_CASE(inside_a_big_one),
	KUNIT_CASE(random_programs),
	{}
};

static struct kunit_suite kml_overlap_suite = {
	.name = "kmemleak_overlap",
	.test_cases = kml_overlap_cases,
};

kunit_test_suite(kml_overlap_suite);
