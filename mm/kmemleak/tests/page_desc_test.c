// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page descriptors, against a plain array of what starts where. Descriptors are
 * not in an index here, and what they say is cold metadata is a number.
 */

#include "common.h"
#include "../index.h"

/* Slot of the model: 0, or one more than the object's "size". */
struct kml_page_model {
	u32 size[KML_PAGE_SIZE];
	unsigned int nr;
};

/* Unique, so that entries cannot be confused. */
static struct kml_cold *fake_cold(unsigned int off)
{
	return (struct kml_cold *)(0x1000UL + 16 * off);
}

static u32 fake_state(unsigned int off)
{
	return kml_state_set_min(off, off % 3) | KML_F_ALLOCATED |
	       (off % 5 ? 0 : KML_F_NO_SCAN);
}

static struct kml_desc *new_desc(struct kunit *test, unsigned int cls)
{
	struct kml_desc *desc = kunit_kzalloc(test, kml_desc_size(cls), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, desc);
	desc->cls = cls;
	return desc;
}

static void add(struct kml_desc *desc, struct kml_page_model *m, unsigned int off)
{
	kml_desc_add(desc, fake_state(off), off + 7, fake_cold(off));
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

/* Ask for every offset. Return: did all answers match the model? */
static bool check(struct kunit *test, struct kml_desc *desc,
		  const struct kml_page_model *m, u32 flags)
{
	unsigned int off, slot, nr = 0;
	int pred = -1, succ = -1;

	for (off = 0; off < KML_PAGE_SIZE; off++) {
		if (m->size[off])
			pred = off;
		if (!kml_ok(test, is(kml_desc_find(desc, off), pred, flags)) ||
		    !kml_ok(test, is(kml_desc_exact(desc, off),
				     m->size[off] ? (int)off : -1, flags)))
			return false;
	}
	while (off--) {
		if (m->size[off])
			succ = off;
		if (!kml_ok(test, is(kml_desc_next(desc, off), succ, flags)))
			return false;
	}
	for_each_set_bit(slot, desc->bits, kml_desc_slots(desc->cls))
		nr++;
	return kml_ok(test, nr == m->nr) && kml_ok(test, desc->nr == m->nr);
}

static struct kml_page_model *new_model(struct kunit *test)
{
	struct kml_page_model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, m);
	return m;
}

static void slots_of_all_classes(struct kunit *test)
{
	unsigned int cls, off;

	KUNIT_EXPECT_TRUE(test, kml_desc_selftest());

	for (cls = 0; cls < KML_NR_CLASSES; cls++) {
		unsigned int grain = kml_desc_grain(cls), slots = kml_desc_slots(cls);

		KUNIT_EXPECT_GT(test, grain, cls ? kml_desc_grain(cls - 1) : 0U);
		/* the last byte of a page has a slot, and there is none to spare */
		KUNIT_EXPECT_EQ(test, kml_desc_slot(cls, KML_PAGE_SIZE - 1), slots - 1);
		KUNIT_EXPECT_GE(test, kml_desc_size(cls),
				sizeof(struct kml_desc) + slots * sizeof(struct kml_hot));
		for (off = 0; off < KML_PAGE_SIZE; off++)
			if (!kml_ok(test, kml_desc_slot(cls, off) == off / grain))
				return;
	}
}

/* No finer than the size asks for: neighbours of that size fit, at least. */
static void class_of_a_size(struct kunit *test)
{
	size_t size;

	for (size = 0; size < 3 * KML_PAGE_SIZE; size++) {
		unsigned int cls = kml_desc_class(size);

		if (!kml_ok(test, cls < KML_NR_CLASSES) ||
		    !kml_ok(test, !cls || kml_desc_grain(cls) <= size) ||
		    !kml_ok(test, cls == KML_NR_CLASSES - 1 ||
			    kml_desc_grain(cls + 1) > size))
			return;
	}
	KUNIT_EXPECT_EQ(test, kml_desc_class(~0UL), KML_NR_CLASSES - 1U);
}

static void entries_lie_behind_the_bitmap(struct kunit *test)
{
	unsigned int cls;

	for (cls = 0; cls < KML_NR_CLASSES; cls++) {
		struct kml_desc *desc = new_desc(test, cls);
		void *end = (void *)desc + kml_desc_size(cls);
		struct kml_hot *hot = kml_desc_hot(desc);

		KUNIT_EXPECT_GE(test, (unsigned long)hot, (unsigned long)desc->bits +
				DIV_ROUND_UP(kml_desc_slots(cls), 8));
		KUNIT_EXPECT_PTR_EQ(test, (void *)(hot + kml_desc_slots(cls)), end);
	}
}

static void empty_page(struct kunit *test)
{
	struct kml_page_model *m = new_model(test);
	unsigned int cls;

	for (cls = 0; cls < KML_NR_CLASSES; cls++)
		if (!check(test, new_desc(test, cls), m, 0))
			return;
}

/* Fill at random, check, empty at random, check in between. */
static void random_pages(struct kunit *test)
{
	unsigned int cls, round, n, off;
	u64 seed = 1;

	for (cls = 0; cls < KML_NR_CLASSES; cls++) {
		for (round = 0; round < 6; round++) {
			struct kml_page_model *m = new_model(test);
			struct kml_desc *desc = new_desc(test, cls);
			unsigned int tries = 1U << 2 * round;

			for (n = 0; n < tries; n++) {
				off = kml_test_below(&seed, KML_PAGE_SIZE);
				if (kml_desc_slot_free(desc, off))
					add(desc, m, off);
			}
			if (!check(test, desc, m, 0))
				return;

			for (off = 0; off < KML_PAGE_SIZE; off++) {
				if (!m->size[off] || kml_test_below(&seed, 2))
					continue;
				kml_desc_del(desc, kml_desc_exact(desc, off));
				m->size[off] = 0;
				m->nr--;
			}
			if (!check(test, desc, m, 0))
				return;
		}
	}
}

/* A slot per grain, all used, each time at another place in the slot. */
static void full_pages(struct kunit *test)
{
	unsigned int cls, slot, grain, off, shift;

	for (cls = 0; cls < KML_NR_CLASSES; cls++) {
		grain = kml_desc_grain(cls);
		for (shift = 0; shift < 3; shift++) {
			struct kml_page_model *m = new_model(test);
			struct kml_desc *desc = new_desc(test, cls);

			for (slot = 0; slot < kml_desc_slots(cls); slot++) {
				off = slot * grain + shift * (grain - 1) / 2;
				if (off < KML_PAGE_SIZE)
					add(desc, m, off);
			}
			if (!check(test, desc, m, 0))
				return;
		}
	}
}

static void slot_free_means_the_whole_slot(struct kunit *test)
{
	unsigned int cls, off;

	for (cls = 0; cls < KML_NR_CLASSES; cls++) {
		struct kml_page_model *m = new_model(test);
		struct kml_desc *desc = new_desc(test, cls);
		unsigned int grain = kml_desc_grain(cls), used = 2048 + grain / 3;

		add(desc, m, used);
		for (off = 0; off < KML_PAGE_SIZE; off++)
			if (!kml_ok(test, kml_desc_slot_free(desc, off) ==
				    (off / grain != used / grain)))
				return;
	}
}

/* The least distance between starts if one were added, by comparing all. */
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

/* All of @from and one at @off have to come out of a move unharmed. */
static bool regrain(struct kunit *test, struct kml_desc *from,
		    struct kml_page_model *m, unsigned int off)
{
	int cls = kml_desc_class_for(from, off);
	struct kml_desc *to;

	if (!kml_ok(test, cls >= 0))
		return false;
	if (!kml_ok(test, cls == kml_desc_class(least_distance(m, off))))
		return false;
	to = new_desc(test, cls);
	kml_desc_move(to, from);
	/* the old one says the same and tells everyone to look again */
	if (!check(test, to, m, 0) || !check(test, from, m, KML_F_FROZEN))
		return false;
	if (!kml_ok(test, kml_desc_slot_free(to, off)))
		return false;
	add(to, m, off);
	return check(test, to, m, 0);
}

static void regraining_keeps_everything(struct kunit *test)
{
	unsigned int cls, round, n, off;
	u64 seed = 2;

	for (cls = 0; cls < KML_NR_CLASSES; cls++) {
		for (round = 0; round < 4; round++) {
			struct kml_page_model *m = new_model(test);
			struct kml_desc *desc = new_desc(test, cls);

			for (n = 0; n < 1U << 2 * round; n++) {
				off = kml_test_below(&seed, KML_PAGE_SIZE);
				if (kml_desc_slot_free(desc, off))
					add(desc, m, off);
			}
			do {
				off = kml_test_below(&seed, KML_PAGE_SIZE);
			} while (m->size[off] && m->nr < KML_PAGE_SIZE);
			if (m->nr < KML_PAGE_SIZE && !regrain(test, desc, m, off))
				return;
		}
	}
}

/* Where the new object lies matters: before all, behind all, one byte off. */
static void regraining_at_the_edges(struct kunit *test)
{
	static const unsigned int at[][2] = {
		{ 0, 1 }, { 1, 0 }, { 4095, 4094 }, { 4094, 4095 }, { 4095, 0 },
		{ 0, 4095 }, { 64, 127 }, { 127, 64 }, { 2048, 2047 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(at); i++) {
		struct kml_page_model *m = new_model(test);
		struct kml_desc *desc = new_desc(test, KML_NR_CLASSES - 1);

		add(desc, m, at[i][0]);
		if (!regrain(test, desc, m, at[i][1]))
			return;
	}
}

/* A newcomer before, between and behind two others, at every offset. */
static void class_for_every_place(struct kunit *test)
{
	struct kml_page_model *m = new_model(test);
	struct kml_desc *desc = new_desc(test, KML_NR_CLASSES - 2);
	unsigned int off;

	add(desc, m, 1000);
	add(desc, m, 3300);
	for (off = 0; off < KML_PAGE_SIZE; off++)
		if (!m->size[off] &&
		    !kml_ok(test, kml_desc_class_for(desc, off) ==
			    kml_desc_class(least_distance(m, off))))
			return;
}

static void no_class_for_a_taken_start(struct kunit *test)
{
	struct kml_page_model *m = new_model(test);
	struct kml_desc *desc = new_desc(test, kml_desc_class(64));
	unsigned int off;

	for (off = 0; off < KML_PAGE_SIZE; off += 320)
		add(desc, m, off);
	for (off = 0; off < KML_PAGE_SIZE; off++)
		if (!kml_ok(test, (kml_desc_class_for(desc, off) == -1) == !!m->size[off]))
			return;
}

/* References counted up to the very freeze move along; later ones fail. */
static void counts_survive_a_move(struct kunit *test)
{
	struct kml_desc *from = new_desc(test, KML_NR_CLASSES - 1), *to = new_desc(test, 0);
	struct kml_hot *hot;

	kml_desc_add(from, kml_state_set_min(5, 2) | KML_F_ALLOCATED, 9, NULL);
	hot = kml_desc_exact(from, 5);
	atomic_add(KML_COUNT_ONE, &hot->state);
	kml_desc_move(to, from);

	KUNIT_EXPECT_EQ(test, kml_hot_state(hot) & KML_F_FROZEN, (u32)KML_F_FROZEN);
	hot = kml_desc_exact(to, 5);
	KUNIT_ASSERT_NOT_NULL(test, hot);
	KUNIT_EXPECT_EQ(test, kml_state_count(kml_hot_state(hot)), 1U);
	KUNIT_EXPECT_EQ(test, kml_hot_state(hot) & KML_F_FROZEN, 0U);
}

static struct kunit_case kml_page_desc_cases[] = {
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

static struct kunit_suite kml_page_desc_suite = {
	.name = "kmemleak_page_desc",
	.test_cases = kml_page_desc_cases,
};

kunit_test_suite(kml_page_desc_suite);
