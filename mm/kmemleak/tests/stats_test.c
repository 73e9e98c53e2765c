// SPDX-License-Identifier: GPL-2.0-only
/* Counters: names, sums, and the events that the core counts. */

#include "common.h"

static void every_counter_has_a_name_of_its_own(struct kunit *test)
{
	unsigned int c, other;

	for (c = 0; c < KML_NR_COUNTERS; c++) {
		const char *name = kml_counter_name(c);

		KUNIT_ASSERT_NOT_NULL(test, name);
		/* names are keys in a file, so each is one word */
		KUNIT_EXPECT_GT(test, strlen(name), 0UL);
		KUNIT_EXPECT_NULL(test, strpbrk(name, " :\n"));
		for (other = 0; other < c; other++)
			KUNIT_EXPECT_NE(test, strcmp(name, kml_counter_name(other)), 0);
	}
}

/* No other code counts overlaps meanwhile: no allocator of the test kernel makes any. */
static void sums_of_what_was_added(struct kunit *test)
{
	s64 before = kml_count_sum(KML_C_OVERLAPS), others = kml_count_sum(KML_C_LOST);
	int i;

	for (i = 0; i < 1000; i++)
		kml_count_inc(KML_C_OVERLAPS);
	KUNIT_EXPECT_EQ(test, kml_count_sum(KML_C_OVERLAPS), before + 1000);
	/* not a constant: arm64 casts it to every size, and sparse complains */
	kml_count_add(KML_C_OVERLAPS, -i - i / 2);
	KUNIT_EXPECT_EQ(test, kml_count_sum(KML_C_OVERLAPS), before - 500);
	kml_count_add(KML_C_OVERLAPS, i / 2);
	KUNIT_EXPECT_EQ(test, kml_count_sum(KML_C_OVERLAPS), before);
	KUNIT_EXPECT_EQ(test, kml_count_sum(KML_C_LOST), others);
}

/* A variable: sparse complains of constants in this_cpu_add() of arm64. */
static long kml_many = S32_MAX;

/* An hour of allocations. */
static void counts_beyond_32_bits(struct kunit *test)
{
	s64 before = kml_count_sum(KML_C_OVERLAPS), n = kml_many;

	kml_count_add(KML_C_OVERLAPS, kml_many);
	kml_count_add(KML_C_OVERLAPS, kml_many);
	kml_count_inc(KML_C_OVERLAPS);
	KUNIT_EXPECT_EQ(test, kml_count_sum(KML_C_OVERLAPS), before + 2 * n + 1);
	kml_count_add(KML_C_OVERLAPS, -kml_many);
	kml_count_add(KML_C_OVERLAPS, -kml_many);
	kml_count_add(KML_C_OVERLAPS, -1);
	KUNIT_EXPECT_EQ(test, kml_count_sum(KML_C_OVERLAPS), before);
}

/* An object may be freed on another CPU, so the count of a CPU may be negative. */
static void counts_of_all_cpus(struct kunit *test)
{
	s64 before = kml_count_sum(KML_C_OVERLAPS);
	s64 *here, n = 0;
	int cpu;

	for_each_possible_cpu(cpu) {
		here = &per_cpu(kml_counters.v[KML_C_OVERLAPS], cpu);
		*here += cpu % 2 ? -7 : 3;
		n += cpu % 2 ? -7 : 3;
	}
	KUNIT_EXPECT_EQ(test, kml_count_sum(KML_C_OVERLAPS), before + n);
	for_each_possible_cpu(cpu)
		per_cpu(kml_counters.v[KML_C_OVERLAPS], cpu) -= cpu % 2 ? -7 : 3;
	KUNIT_EXPECT_EQ(test, kml_count_sum(KML_C_OVERLAPS), before);
}

/* Other CPUs allocate meanwhile, so the test knows lower bounds only. */
static void core_fn(struct kunit *test, struct kml_space *space)
{
	s64 overlaps = kml_count_sum(KML_C_OVERLAPS);
	s64 allocs = kml_count_sum(KML_C_ALLOCS), frees = kml_count_sum(KML_C_FREES);
	s64 regrains = kml_count_sum(KML_C_REGRAINS);
	unsigned long i;

	for (i = 0; i < 100; i++)
		kml_test_insert(space, 4096 + 300 * i, 200);
	KUNIT_EXPECT_GE(test, kml_count_sum(KML_C_ALLOCS), allocs + 100);
	KUNIT_EXPECT_EQ(test, kml_test_insert(space, 4100, 1), -EEXIST);
	KUNIT_EXPECT_EQ(test, kml_test_insert(space, 4096 - 10, 11), -EEXIST);
	KUNIT_EXPECT_EQ(test, kml_count_sum(KML_C_OVERLAPS), overlaps + 2);
	kml_count_add(KML_C_OVERLAPS, -2);

	/* two objects start in one slot */
	kml_test_insert(space, 1UL << 30, 8);
	kml_test_insert(space, (1UL << 30) + 4000, 2);
	kml_test_insert(space, (1UL << 30) + 4002, 2);
	KUNIT_EXPECT_GT(test, kml_count_sum(KML_C_REGRAINS), regrains);

	for (i = 0; i < 100; i++)
		kml_object_remove(space, 4096 + 300 * i);
	KUNIT_EXPECT_GE(test, kml_count_sum(KML_C_FREES), frees + 100);
}

static void the_core_counts(struct kunit *test)
{
	kml_test_in_space(test, KML_VIRT, core_fn);
}

static struct kunit_case kml_stats_cases[] = {
	KUNIT_CASE(every_counter_has_a_name_of_its_own),
	KUNIT_CASE(sums_of_what_was_added),
	KUNIT_CASE(counts_beyond_32_bits),
	KUNIT_CASE(counts_of_all_cpus),
	KUNIT_CASE(the_core_counts),
	{}
};

static struct kunit_suite kml_stats_suite = {
	.name = "kmemleak_stats",
	.test_cases = kml_stats_cases,
};

kunit_test_suite(kml_stats_suite);
