// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page descriptors, compared with an array that has an element for each offset. The
 * descriptors are not in an index, and pointers to cold metadata are just numbers.
 */

#include "common.h"
#include "../index.h"

/* For each offset: 0, or one more than the size of the object that starts there. */
struct kml_page_model {
	u32 size[KML_PAGE_SIZE];
	unsigned int nr;
};

/* A unique pointer for each object. It is never dereferenced. */
static struct kml_cold *fake_cold(unsigned int off)
{
	return (struct kml_cold *)(0x1000UL + 16 * off);
}

static u32 fake_state(unsigned int off)
{
	return kml_state_set_min(off, off % 3) | KML_F_ALLOCATED |
	       (off % 5 ? 0 : KML_F_NO_SCAN);
}

static struct kml_page *new_page(struct kunit *test, unsigned int grain_idx)
{
	struct kml_page *page = kunit_kzalloc(test, kml_page_size(grain_idx), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, page);
	kml_page_init(page, grain_idx);
	return page;
}

static void add(struct kml_page *page, struct kml_page_model *m, unsigned int off)
{
	kml_page_add(page, fake_state(off), off + 7, fake_cold(off));
	m->size[off] = off + 8;
	m->nr++;
}

static bool is(const struct kml_hot *hot, int off, u32 flags)
{
	if (off < 0)
		return !hot;
	return hot && kml_hot_state(hot) == (fake_state(off) | flags) &&
	       hot->size == off + 7 && hot->cold == fake_cold(off);
}

/* Look up every offset. Return: true if all results match the model. */
static bool check(struct kunit *test, struct kml_page *page,
		  const struct kml_page_model *m, u32 flags)
{
	unsigned int off, slot, nr = 0;
	int pred = -1, succ = -1;

	for (off = 0; off < KML_PAGE_SIZE; off++) {
		if (m->size[off])
			pred = off;
		if (!kml_ok(test, is(kml_page_find(page, off), pred, flags)) ||
		    !kml_ok(test, is(kml_page_exact(page, off),
				     m->size[off] ? (int)off : -1, flags)))
			return false;
	}
	while (off--) {
		if (m->size[off])
			succ = off;
		if (!kml_ok(test, is(kml_page_next(page, off), succ, flags)))
			return false;
	}
	for_each_set_bit(slot, page->bits, kml_page_slots(page->grain_idx))
		nr++;
	return kml_ok(test, nr == m->nr) && kml_ok(test, page->nr == m->nr);
}

static struct kml_page_model *new_model(struct kunit *test)
{
	struct kml_page_model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, m);
	return m;
}

static void slots_of_all_classes(struct kunit *test)
{
	unsigned int grain_idx, off;

	KUNIT_EXPECT_TRUE(test, kml_page_selftest());

	for (grain_idx = 0; grain_idx < KML_NR_GRAINS; grain_idx++) {
		unsigned int grain = kml_page_grain(grain_idx), slots = kml_page_slots(grain_idx);

		KUNIT_EXPECT_GT(test, grain, grain_idx ? kml_page_grain(grain_idx - 1) : 0U);
		/* the last byte of the page belongs to the last slot */
		KUNIT_EXPECT_EQ(test, kml_page_slot(grain_idx, KML_PAGE_SIZE - 1), slots - 1);
		KUNIT_EXPECT_GE(test, kml_page_size(grain_idx),
				sizeof(struct kml_page) + slots * sizeof(struct kml_hot));
		for (off = 0; off < KML_PAGE_SIZE; off++)
			if (!kml_ok(test, kml_page_slot(grain_idx, off) == off / grain))
				return;
	}
}

/* The grain is the coarsest that is no coarser than the size. */
static void class_of_a_size(struct kunit *test)
{
	size_t size;

	for (size = 0; size < 3 * KML_PAGE_SIZE; size++) {
		unsigned int grain_idx = kml_page_grain_idx(size);

		if (!kml_ok(test, grain_idx < KML_NR_GRAINS) ||
		    !kml_ok(test, !grain_idx || kml_page_grain(grain_idx) <= size) ||
		    !kml_ok(test, grain_idx == KML_NR_GRAINS - 1 ||
			    kml_page_grain(grain_idx + 1) > size))
			return;
	}
	KUNIT_EXPECT_EQ(test, kml_page_grain_idx(~0UL), KML_NR_GRAINS - 1U);
}

static void entries_lie_behind_the_bitmap(struct kunit *test)
{
	unsigned int grain_idx;

	for (grain_idx = 0; grain_idx < KML_NR_GRAINS; grain_idx++) {
		struct kml_page *page = new_page(test, grain_idx);
		void *end = (void *)page + kml_page_size(grain_idx);
		struct kml_hot *hot = kml_page_hot(page);

		KUNIT_EXPECT_GE(test, (unsigned long)hot, (unsigned long)page->bits +
				DIV_ROUND_UP(kml_page_slots(grain_idx), 8));
		KUNIT_EXPECT_PTR_EQ(test, (void *)(hot + kml_page_slots(grain_idx)), end);
	}
}

static void empty_page(struct kunit *test)
{
	struct kml_page_model *m = new_model(test);
	unsigned int grain_idx;

	for (grain_idx = 0; grain_idx < KML_NR_GRAINS; grain_idx++)
		if (!check(test, new_page(test, grain_idx), m, 0))
			return;
}

/* Add objects at random offsets, then remove about half of them. */
static void random_pages(struct kunit *test)
{
	unsigned int grain_idx, round, n, off;
	u64 seed = 1;

	for (grain_idx = 0; grain_idx < KML_NR_GRAINS; grain_idx++) {
		for (round = 0; round < 6; round++) {
			struct kml_page_model *m = new_model(test);
			struct kml_page *page = new_page(test, grain_idx);
			unsigned int tries = 1U << 2 * round;

			for (n = 0; n < tries; n++) {
				off = kml_test_below(&seed, KML_PAGE_SIZE);
				if (kml_page_slot_free(page, off))
					add(page, m, off);
			}
			if (!check(test, page, m, 0))
				return;

			for (off = 0; off < KML_PAGE_SIZE; off++) {
				if (!m->size[off] || kml_test_below(&seed, 2))
					continue;
				kml_page_del(page, kml_page_exact(page, off));
				m->size[off] = 0;
				m->nr--;
			}
			if (!check(test, page, m, 0))
				return;
		}
	}
}

/* All slots are used. Objects start at the head, middle or end of their slots. */
static void full_pages(struct kunit *test)
{
	unsigned int grain_idx, slot, grain, off, shift;

	for (grain_idx = 0; grain_idx < KML_NR_GRAINS; grain_idx++) {
		grain = kml_page_grain(grain_idx);
		for (shift = 0; shift < 3; shift++) {
			struct kml_page_model *m = new_model(test);
			struct kml_page *page = new_page(test, grain_idx);

			for (slot = 0; slot < kml_page_slots(grain_idx); slot++) {
				off = slot * grain + shift * (grain - 1) / 2;
				if (off < KML_PAGE_SIZE)
					add(page, m, off);
			}
			if (!check(test, page, m, 0))
				return;
		}
	}
}

static void slot_free_means_the_whole_slot(struct kunit *test)
{
	unsigned int grain_idx, off;

	for (grain_idx = 0; grain_idx < KML_NR_GRAINS; grain_idx++) {
		struct kml_page_model *m = new_model(test);
		struct kml_page *page = new_page(test, grain_idx);
		unsigned int grain = kml_page_grain(grain_idx), used = 2048 + grain / 3;

		add(page, m, used);
		for (off = 0; off < KML_PAGE_SIZE; off++)
			if (!kml_ok(test, kml_page_slot_free(page, off) ==
				    (off / grain != used / grain)))
				return;
	}
}

/* The smallest distance of two starts, if an object at @new is added. */
static unsigned int least_distance(const struct kml_page_model *m, unsigned int new)
{
	unsigned int off, dist = KML_PAGE_SIZE;
	int last = -1;

	for (off = 0; off < KML_PAGE_SIZE; off++) {
		if (!m->size[off] && off != new)
			continue;
		if (last >= 0)
			dist = min(dist, off - last);
		last = off;
	}
	return dist;
}

/* Move all objects of @from to a new grain that has room for one more at @off. */
static bool regrain(struct kunit *test, struct kml_page *from,
		    struct kml_page_model *m, unsigned int off)
{
	int grain_idx = kml_page_grain_idx_for(from, off);
	struct kml_page *to;

	if (!kml_ok(test, grain_idx >= 0))
		return false;
	if (!kml_ok(test, grain_idx == kml_page_grain_idx(least_distance(m, off))))
		return false;
	to = new_page(test, grain_idx);
	kml_page_move(to, from);
	/* the old descriptor is unchanged, but its states are frozen */
	if (!check(test, to, m, 0) || !check(test, from, m, KML_F_FROZEN))
		return false;
	if (!kml_ok(test, kml_page_slot_free(to, off)))
		return false;
	add(to, m, off);
	return check(test, to, m, 0);
}

static void regraining_keeps_everything(struct kunit *test)
{
	unsigned int grain_idx, round, n, off;
	u64 seed = 2;

	for (grain_idx = 0; grain_idx < KML_NR_GRAINS; grain_idx++) {
		for (round = 0; round < 4; round++) {
			struct kml_page_model *m = new_model(test);
			struct kml_page *page = new_page(test, grain_idx);

			for (n = 0; n < 1U << 2 * round; n++) {
				off = kml_test_below(&seed, KML_PAGE_SIZE);
				if (kml_page_slot_free(page, off))
					add(page, m, off);
			}
			do {
				off = kml_test_below(&seed, KML_PAGE_SIZE);
			} while (m->size[off] && m->nr < KML_PAGE_SIZE);
			if (m->nr < KML_PAGE_SIZE && !regrain(test, page, m, off))
				return;
		}
	}
}

/* The new object is before or after the other one, near to it or far from it. */
static void regraining_at_the_edges(struct kunit *test)
{
	static const unsigned int at[][2] = {
		{ 0, 1 }, { 1, 0 }, { 4095, 4094 }, { 4094, 4095 }, { 4095, 0 },
		{ 0, 4095 }, { 64, 127 }, { 127, 64 }, { 2048, 2047 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(at); i++) {
		struct kml_page_model *m = new_model(test);
		struct kml_page *page = new_page(test, KML_NR_GRAINS - 1);

		add(page, m, at[i][0]);
		if (!regrain(test, page, m, at[i][1]))
			return;
	}
}

/* A new object at every offset: before, between and after two others. */
static void class_for_every_place(struct kunit *test)
{
	struct kml_page_model *m = new_model(test);
	struct kml_page *page = new_page(test, KML_NR_GRAINS - 2);
	unsigned int off;

	add(page, m, 1000);
	add(page, m, 3300);
	for (off = 0; off < KML_PAGE_SIZE; off++)
		if (!m->size[off] &&
		    !kml_ok(test, kml_page_grain_idx_for(page, off) ==
			    kml_page_grain_idx(least_distance(m, off))))
			return;
}

static void no_class_for_a_taken_start(struct kunit *test)
{
	struct kml_page_model *m = new_model(test);
	struct kml_page *page = new_page(test, kml_page_grain_idx(64));
	unsigned int off;

	for (off = 0; off < KML_PAGE_SIZE; off += 320)
		add(page, m, off);
	for (off = 0; off < KML_PAGE_SIZE; off++)
		if (!kml_ok(test, (kml_page_grain_idx_for(page, off) == -1) == !!m->size[off]))
			return;
}

/* References that are counted before the freeze are in the new state. */
static void counts_survive_a_move(struct kunit *test)
{
	struct kml_page *from = new_page(test, KML_NR_GRAINS - 1), *to = new_page(test, 0);
	struct kml_hot *hot;

	kml_page_add(from, kml_state_set_min(5, 2) | KML_F_ALLOCATED, 9, NULL);
	hot = kml_page_exact(from, 5);
	atomic_add(KML_COUNT_ONE, &hot->state);
	kml_page_move(to, from);

	KUNIT_EXPECT_EQ(test, kml_hot_state(hot) & KML_F_FROZEN, (u32)KML_F_FROZEN);
	hot = kml_page_exact(to, 5);
	KUNIT_ASSERT_NOT_NULL(test, hot);
	KUNIT_EXPECT_EQ(test, kml_state_count(kml_hot_state(hot)), 1U);
	KUNIT_EXPECT_EQ(test, kml_hot_state(hot) & KML_F_FROZEN, 0U);
}

static struct kunit_case kml_page_cases[] = {
	KUNIT_CASE(slots_of_all_classes),
	KUNIT_CASE(class_of_a_size),
	KUNIT_CASE(entries_lie_behind_the_bitmap),
	KUNIT_CASE(empty_page),
	KUNIT_CASE(random_pages),
	KUNIT_CASE(full_pages),
	KUNIT_CASE(slot_free_means_the_whole_slot),
	KUNIT_CASE(regraining_keeps_everything),
	KUNIT_CASE(regraining_at_the_edges),
	KUNIT_CASE(class_for_every_place),
	KUNIT_CASE(no_class_for_a_taken_start),
	KUNIT_CASE(counts_survive_a_move),
	{}
};

static struct kunit_suite kml_page_suite = {
	.name = "kmemleak_page",
	.test_cases = kml_page_cases,
};

kunit_test_suite(kml_page_suite);
