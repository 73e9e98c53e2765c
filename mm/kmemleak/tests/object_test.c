// SPDX-License-Identifier: GPL-2.0-only
/* Metadata of objects: initial values, order of allocation, packed fields. */

#include "common.h"
#include "../scan.h"

static void birth(struct kml_cold *cold, depot_stack_handle_t trace,
		  unsigned long ptr)
{
	unsigned long flags;

	local_irq_save(flags);
	kml_cold_init(cold, trace, ptr);
	local_irq_restore(flags);
}

static bool before(const struct kml_cold *a, const struct kml_cold *b)
{
	return kml_born_before(a->born, a->stamp, b->born, b->stamp);
}

/* The allocations of one CPU are in order, however fast they follow each other. */
static void stamps_increase_on_a_cpu(struct kunit *test)
{
	unsigned int round, i;

	for (round = 0; round < 200; round++) {
		struct kml_cold cold[16];
		unsigned long flags;

		local_irq_save(flags);
		for (i = 0; i < ARRAY_SIZE(cold); i++)
			kml_cold_init(&cold[i], 0, 0);
		local_irq_restore(flags);

		for (i = 1; i < ARRAY_SIZE(cold); i++)
			if (!kml_ok(test, before(&cold[i - 1], &cold[i])) ||
			    !kml_ok(test, !before(&cold[i], &cold[i - 1])))
				return;
	}
}

static void born_before(struct kunit *test)
{
	static const struct {
		unsigned long j1;
		u32 s1;
		unsigned long j2;
		u32 s2;
	} ordered[] = {
		{ 1, 0, 2, 0 }, { 1, 9, 2, 3 }, { 5, 1, 5, 2 },
		/* jiffies wrap: on 32 bits five minutes after boot */
		{ ~0UL, 5, 0, 5 }, { ~0UL - 100, 7, 100, 1 },
		/* stamps wrap, too */
		{ 5, U32_MAX, 5, 0 }, { 5, U32_MAX - 3, 5, 1000 }, { 5, 0, 5, S32_MAX },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ordered); i++) {
		KUNIT_EXPECT_TRUE(test, kml_born_before(ordered[i].j1, ordered[i].s1,
							ordered[i].j2, ordered[i].s2));
		KUNIT_EXPECT_FALSE(test, kml_born_before(ordered[i].j2, ordered[i].s2,
							 ordered[i].j1, ordered[i].s1));
		KUNIT_EXPECT_FALSE(test, kml_born_before(ordered[i].j1, ordered[i].s1,
							 ordered[i].j1, ordered[i].s1));
	}
}

static void birth_certificate(struct kunit *test)
{
	unsigned long then = jiffies;
	struct kml_cold cold;

	memset(&cold, 0xee, sizeof(cold));
	birth(&cold, 0x1234, ~0UL);
	KUNIT_EXPECT_FALSE(test, time_before(cold.born, then));
	KUNIT_EXPECT_FALSE(test, time_after(cold.born, jiffies));
	KUNIT_EXPECT_EQ(test, cold.checksum, ~0U);
	KUNIT_EXPECT_EQ(test, cold.trace, (depot_stack_handle_t)0x1234);
	KUNIT_EXPECT_EQ(test, kml_cold_pid(&cold), (int)current->pid);
	KUNIT_EXPECT_EQ(test, kml_cold_unref(&cold), 0U);
	KUNIT_EXPECT_STREQ(test, cold.comm, current->comm);
}

static void unreferenced_scans_saturate(struct kunit *test)
{
	static const u32 pids[] = { 0, 1, 4194303, KML_PID_MASK };
	struct kml_cold cold = {};
	unsigned int i, n;

	for (i = 0; i < ARRAY_SIZE(pids); i++) {
		cold.pid = pids[i];
		for (n = 0; n < KML_UNREF_MAX; n++) {
			KUNIT_EXPECT_EQ(test, kml_cold_unref(&cold), n);
			kml_cold_set_unref(&cold, kml_cold_unref(&cold) + 1);
			if (!kml_ok(test, kml_cold_pid(&cold) == pids[i]))
				return;
		}
		kml_cold_set_unref(&cold, kml_cold_unref(&cold) + 1);
		KUNIT_EXPECT_EQ(test, kml_cold_unref(&cold), KML_UNREF_MAX);
		kml_cold_set_unref(&cold, UINT_MAX);
		KUNIT_EXPECT_EQ(test, kml_cold_unref(&cold), KML_UNREF_MAX);
		KUNIT_EXPECT_EQ(test, kml_cold_pid(&cold), (int)pids[i]);
		kml_cold_set_unref(&cold, 0);
		KUNIT_EXPECT_EQ(test, cold.pid, pids[i]);
	}
}

/* The command dump= prints these numbers. Users know them. */
static void flags_as_shown(struct kunit *test)
{
	static const struct {
		u32 state;
		enum kml_space_id space;
		unsigned int shown;
	} cases[] = {
		{ 0, KML_VIRT, 0 },
		{ KML_F_ALLOCATED, KML_VIRT, 1 },
		{ KML_F_ALLOCATED | KML_F_REPORTED, KML_VIRT, 3 },
		{ KML_F_ALLOCATED | KML_F_NO_SCAN, KML_VIRT, 5 },
		{ KML_F_ALLOCATED | KML_F_FULL_SCAN, KML_VIRT, 9 },
		{ KML_F_ALLOCATED, KML_PHYS, 0x11 },
		{ KML_F_ALLOCATED, KML_PERCPU, 0x21 },
		{ KML_F_ALLOCATED | KML_F_SUSPECT, KML_VIRT, 0x41 },
		{ ~0U, KML_PERCPU, 0x6f },
		/* internal flags are not printed */
		{ KML_F_FROZEN | KML_F_EXT | KML_F_BIG | KML_F_UNREF | KML_F_PENDING |
		  KML_COUNT_MASK | KML_MIN_MASK | KML_OFF_MASK, KML_VIRT, 0 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct kml_info info = {
			.state = cases[i].state, .space = cases[i].space,
		};

		KUNIT_EXPECT_EQ(test, kml_info_flags(&info), cases[i].shown);
	}
}

static void changing_a_state(struct kunit *test)
{
	struct kml_hot hot = {};

	atomic_set(&hot.state, KML_F_ALLOCATED | KML_F_SUSPECT | 77);
	KUNIT_EXPECT_EQ(test, kml_hot_change(&hot, KML_F_SUSPECT, KML_F_REPORTED),
			(u32)(KML_F_ALLOCATED | KML_F_SUSPECT | 77));
	KUNIT_EXPECT_EQ(test, kml_hot_state(&hot), (u32)(KML_F_ALLOCATED | KML_F_REPORTED | 77));
	/* a bit that is both cleared and set is set */
	kml_hot_change(&hot, ~0U, KML_F_PENDING);
	KUNIT_EXPECT_EQ(test, kml_hot_state(&hot), (u32)KML_F_PENDING);
}

static void sizes_that_need_an_extension(struct kunit *test)
{
	struct kml_ext ext = { .size = SIZE_MAX };
	struct kml_hot hot = { .size = 123, .cold = &ext.cold };

	KUNIT_EXPECT_EQ(test, kml_hot_size(&hot, KML_F_ALLOCATED), (size_t)123);
	KUNIT_EXPECT_EQ(test, kml_hot_size(&hot, KML_F_ALLOCATED | KML_F_EXT), (size_t)123);
	KUNIT_EXPECT_EQ(test, kml_hot_size(&hot, KML_F_ALLOCATED | KML_F_EXT | KML_F_BIG),
			(size_t)SIZE_MAX);
	KUNIT_EXPECT_PTR_EQ(test, kml_ext(&hot), &ext);
}

/* An allocation takes the metadata from the magazine that was freed last. */
static void metadata_is_recycled(struct kunit *test)
{
	struct kml_cold *one = kml_pool_alloc(KML_POOL_COLD, GFP_KERNEL), *two;
	unsigned long flags;

	KUNIT_ASSERT_NOT_NULL(test, one);
	local_irq_save(flags);
	/* make room, since the magazine may be full */
	two = kml_cold_get_cached();
	kml_cold_free(KML_F_ALLOCATED, one);
	KUNIT_EXPECT_PTR_EQ(test, kml_cold_get_cached(), one);
	local_irq_restore(flags);
	kml_cold_free(KML_F_ALLOCATED, one);
	kml_cold_free(KML_F_ALLOCATED, two);
	kml_cold_free(KML_F_ALLOCATED, NULL);
}

static struct kunit_case kml_object_cases[] = {
	KUNIT_CASE(stamps_increase_on_a_cpu),
	KUNIT_CASE(born_before),
	KUNIT_CASE(birth_certificate),
	KUNIT_CASE(unreferenced_scans_saturate),
	KUNIT_CASE(flags_as_shown),
	KUNIT_CASE(changing_a_state),
	KUNIT_CASE(sizes_that_need_an_extension),
	KUNIT_CASE(metadata_is_recycled),
	{}
};

static struct kunit_suite kml_object_suite = {
	.name = "kmemleak_object",
	.test_cases = kml_object_cases,
};

kunit_test_suite(kml_object_suite);
