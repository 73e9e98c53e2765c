/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Helpers of all suites. The suites run in the kernel and in the user-space harness
 * (tools/testing/kmemleak), so they use only the parts of KUnit that both have.
 */
#ifndef _MM_KMEMLEAK_TESTS_COMMON_H
#define _MM_KMEMLEAK_TESTS_COMMON_H

#include "../os.h"
#include "../index.h"
#include <kunit/test.h>

/*
 * An expectation that returns its result, so that a loop of a million rounds can end
 * at the first failure. An assertion would end the test's thread at once, with locks
 * held and fake objects in the index.
 */
#define kml_ok(test, cond) ({						\
	bool __ok = (cond);						\
									\
	KUNIT_EXPECT_TRUE_MSG(test, __ok, "%s:%d: %s", __func__,	\
			      __LINE__, #cond);				\
	__ok;								\
})

/* Pseudo-random numbers, the same in every run: xorshift64* (Vigna, 2016). */
static inline u32 kml_test_rand(u64 *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return (*seed * 0x2545f4914f6cdd1dULL) >> 32;
}

/* A pseudo-random number from 0 to @n - 1. */
static inline u32 kml_test_below(u64 *seed, u32 n)
{
	return (u64)kml_test_rand(seed) * n >> 32;
}

/* Call @fn for each interval of a space that only this test changes. */
static inline void kml_test_intervals(struct kml_space *space,
				      void (*fn)(struct kml_space *space,
						 struct kml_interval *iv,
						 void *data),
				      void *data)
{
	struct kml_l2 *l2;
	unsigned int i, j, k;

	for (i = 0; i < ARRAY_SIZE(space->l1); i++)
		for (l2 = space->l1[i]; l2; l2 = l2->next)
			for (j = 0; j < ARRAY_SIZE(l2->l3); j++)
				for (k = 0; l2->l3[j] && k < ARRAY_SIZE(l2->l3[j]->iv); k++)
					if (l2->l3[j]->iv[k])
						fn(space, l2->l3[j]->iv[k], data);
}

/* The page descriptor of a leaf, in a space that only this test changes. */
static inline struct kml_page *kml_test_page(struct kml_leaf *leaf)
{
	struct kml_page *page;

	rcu_read_lock();
	page = kml_leaf_page(leaf);
	rcu_read_unlock();
	return page;
}

static inline void kml_test_interval_empty(struct kml_space *space,
					   struct kml_interval *iv, void *data)
{
	unsigned int i, j, slot;

	for (i = 0; i < KML_GROUPS; i++) {
		for (j = 0; iv->group[i] && j < KML_LEAVES; j++) {
			struct kml_page *page = kml_test_page(&iv->group[i]->leaf[j]);
			unsigned long base = kml_interval_base(iv) +
					     ((unsigned long)i << KML_GROUP_SHIFT) +
					     ((unsigned long)j << KML_PAGE_SHIFT);

			if (!page)
				continue;
			for_each_set_bit(slot, page->bits, kml_page_slots(page->grain_idx))
				kml_object_remove(space, base +
						 (kml_hot_state(kml_page_hot(page) + slot) &
						  KML_OFF_MASK));
		}
	}
}

static inline void kml_test_interval_count(struct kml_space *space,
					   struct kml_interval *iv, void *data)
{
	++*(unsigned int *)data;
}

/* Remove all objects from a space that only this test changes; its tables stay. */
static inline void kml_test_space_empty(struct kml_space *space)
{
	kml_test_intervals(space, kml_test_interval_empty, NULL);
}

/*
 * Run @fn with a space of its own, and remove the objects that it leaves behind. The
 * objects have no memory, but their intervals are in the shards, where a scan would
 * find them. So kml_scan_mutex is held meanwhile.
 */
static inline void kml_test_in_space(struct kunit *test, enum kml_space_id id,
				     void (*fn)(struct kunit *test,
						struct kml_space *space))
{
	struct kml_space *space = kunit_kzalloc(test, sizeof(*space), GFP_KERNEL);
	unsigned int i, j, left = 0;

	KUNIT_ASSERT_NOT_NULL(test, space);
	raw_spin_lock_init(&space->lock);
	space->id = id;
	space->not_last = ~0UL;

	mutex_lock(&kml_scan_mutex);
	fn(test, space);
	kml_test_space_empty(space);
	kml_interval_trim(true);
	kml_test_intervals(space, kml_test_interval_count, &left);
	KUNIT_EXPECT_EQ(test, left, 0);
	for (i = 0; i < ARRAY_SIZE(space->l1); i++) {
		struct kml_l2 *l2;

		while ((l2 = space->l1[i])) {
			space->l1[i] = l2->next;
			for (j = 0; j < ARRAY_SIZE(l2->l3); j++)
				kml_pool_free(KML_POOL_L3, l2->l3[j]);
			kml_pool_free(KML_POOL_L2, l2);
		}
	}
	mutex_unlock(&kml_scan_mutex);
}

/* Insert an object of which only the place matters. Return: 0 or -EEXIST. */
static inline int kml_test_insert(struct kml_space *space, unsigned long start,
				  size_t size)
{
	struct kml_info hit;

	return kml_object_insert(space, start, size, 1, GFP_KERNEL, 0, &hit);
}

#endif /* _MM_KMEMLEAK_TESTS_COMMON_H */
