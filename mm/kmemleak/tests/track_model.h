/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model of an index: a list of the objects that should be in it. The operations
 * change model and index, and return whether the two agree.
 */
#ifndef _MM_KMEMLEAK_TESTS_TRACK_MODEL_H
#define _MM_KMEMLEAK_TESTS_TRACK_MODEL_H

#include "common.h"

#define KML_MODEL_MAX	160

/* The objects that should be in the index, unsorted. */
struct kml_model {
	unsigned int nr;
	struct kml_model_object {
		unsigned long start;
		unsigned long last;
		int min_count;
	} obj[KML_MODEL_MAX];
};

static inline int model_find(const struct kml_model *m, unsigned long addr)
{
	unsigned int i;

	for (i = 0; i < m->nr; i++)
		if (addr >= m->obj[i].start && addr <= m->obj[i].last)
			return i;
	return -1;
}

static inline bool model_free(const struct kml_model *m, unsigned long start,
			      unsigned long last)
{
	unsigned int i;

	for (i = 0; i < m->nr; i++)
		if (start <= m->obj[i].last && last >= m->obj[i].start)
			return false;
	return true;
}

static inline void model_add(struct kml_model *m, unsigned long start, unsigned long last,
			     int min_count)
{
	m->obj[m->nr++] = (struct kml_model_object){ start, last, min_count };
}

/* Does the index find the same object for @addr as the model? */
static inline bool check_addr(struct kunit *test, struct kml_space *space,
			      const struct kml_model *m, unsigned long addr)
{
	int i = model_find(m, addr);
	struct kml_info info;
	bool there = i >= 0, found;

	found = kml_object_info(space, addr, true, &info);
	if (!kml_ok(test, found == there))
		return false;
	if (found && (!kml_ok(test, info.addr == m->obj[i].start) ||
		      !kml_ok(test, info.size - 1 == m->obj[i].last - m->obj[i].start) ||
		      !kml_ok(test, kml_state_min_count(info.state) == m->obj[i].min_count) ||
		      !kml_ok(test, info.state & KML_F_ALLOCATED)))
		return false;

	found = kml_object_info(space, addr, false, &info);
	return kml_ok(test, found == (there && m->obj[i].start == addr));
}

/* Compare index and model at, next to and between the ends of an object. */
static inline bool check_object(struct kunit *test, struct kml_space *space,
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

static inline bool check_all(struct kunit *test, struct kml_space *space,
			     const struct kml_model *m)
{
	unsigned int i;

	for (i = 0; i < m->nr; i++)
		if (!check_object(test, space, m, m->obj[i].start, m->obj[i].last))
			return false;
	return true;
}

static inline void count_left(struct kml_space *space, struct kml_interval *iv, void *data)
{
	unsigned int *left = data, i, j;

	*left += iv->filled_by != 0;
	for (i = 0; i < KML_GROUPS; i++) {
		for (j = 0; iv->group[i] && j < KML_LEAVES; j++) {
			struct kml_leaf *leaf = &iv->group[i]->leaf[j];
			struct kml_page *page = kml_test_page(leaf);

			*left += leaf->continued_from != 0;
			*left += page ? page->nr : 0;
		}
	}
}

/* Count the entries and the tail marks in a space: 0 when all objects are gone. */
static inline unsigned int left_over(struct kml_space *space)
{
	unsigned int left = 0;

	kml_test_intervals(space, count_left, &left);
	return left;
}

static inline bool insert(struct kunit *test, struct kml_space *space, struct kml_model *m,
			  unsigned long start, unsigned long size, int min_count)
{
	unsigned long last = start + min(size - 1, ULONG_MAX - start);
	bool room = model_free(m, start, last);
	struct kml_info hit = {};
	int ret;

	ret = kml_object_insert(space, start, size, min_count, GFP_KERNEL, 0, &hit);
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

static inline bool drop(struct kunit *test, struct kml_space *space, struct kml_model *m,
			unsigned long start)
{
	int i = model_find(m, start);
	bool there = i >= 0 && m->obj[i].start == start;
	unsigned long last = i >= 0 ? m->obj[i].last : start;

	if (!kml_ok(test, kml_object_remove(space, start) == there))
		return false;
	if (there)
		m->obj[i] = m->obj[--m->nr];
	return check_object(test, space, m, start, last);
}

static inline bool drop_part(struct kunit *test, struct kml_space *space,
			     struct kml_model *m, unsigned long addr, unsigned long size)
{
	int i = model_find(m, addr), ret;
	struct kml_model_object old;
	struct kml_info hit;

	ret = kml_object_remove_part(space, addr, size, 0, &hit);
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

static inline struct kml_model *new_model(struct kunit *test)
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

#endif /* _MM_KMEMLEAK_TESTS_TRACK_MODEL_H */
