// SPDX-License-Identifier: GPL-2.0-only
/* The Bloom filter: addresses of added objects pass, most others do not. */

#include "common.h"
#include "../mark.h"

#define KML_BASE	(40 * KML_INTERVAL_SIZE)
#define KML_FAR		(2 * KML_BLOOM_BITS * KML_BLOCK_SIZE)

static void what_was_added_passes(struct kunit *test)
{
	static const struct {
		unsigned long start;
		size_t size;
	} obj[] = {
		{ KML_BASE, 1 }, { KML_BASE + 63, 2 }, { KML_BASE + 4096 + 60, 200 },
		{ KML_FAR - 64, 128 }, { ULONG_MAX - 9, 10 }, { 0, 64 },
		{ KML_FAR + KML_BASE + 640, 100000 },
	};
	const unsigned long *bloom;
	unsigned int i, passed = 0;
	unsigned long off;

	mutex_lock(&kml_scan_mutex);
	kml_bloom_open();
	for (i = 0; i < ARRAY_SIZE(obj); i++)
		kml_bloom_add(obj[i].start, obj[i].size);
	bloom = kml_bloom_ready();
	if (!bloom)
		goto out;

	for (i = 0; i < ARRAY_SIZE(obj); i++)
		for (off = 0; off < obj[i].size; off++)
			kml_ok(test, kml_bloom_passes(bloom, obj[i].start + off));
	/* the large object has 1563 blocks, the others have a few */
	for (off = 0; off < KML_BLOOM_BITS; off++)
		passed += kml_bloom_passes(bloom, off << KML_BLOCK_SHIFT);
	KUNIT_EXPECT_GT(test, passed, 1560U);
	KUNIT_EXPECT_LT(test, passed, 1580U);
out:
	kml_bloom_close();
	mutex_unlock(&kml_scan_mutex);
	KUNIT_EXPECT_NOT_NULL(test, bloom);
}

/* With one object that is too large, or too many objects, there is no filter. */
static void too_much_lets_everything_through(struct kunit *test)
{
	unsigned long i;

	mutex_lock(&kml_scan_mutex);
	kml_bloom_open();
	kml_bloom_add(KML_BASE, KML_BLOOM_BITS * KML_BLOCK_SIZE);
	KUNIT_EXPECT_NULL(test, kml_bloom_ready());
	/* objects that are added later do not change that */
	kml_bloom_add(KML_BASE, 8);
	KUNIT_EXPECT_NULL(test, kml_bloom_ready());
	kml_bloom_close();

	kml_bloom_open();
	for (i = 0; i < KML_BLOOM_BITS / 2; i++)
		kml_bloom_add(KML_BASE + i * 4096, 64);
	KUNIT_EXPECT_NULL(test, kml_bloom_ready());
	kml_bloom_close();
	mutex_unlock(&kml_scan_mutex);
}

static struct kunit_case kml_bloom_cases[] = {
	KUNIT_CASE(what_was_added_passes),
	KUNIT_CASE(too_much_lets_everything_through),
	{}
};

static struct kunit_suite kml_bloom_suite = {
	.name = "kmemleak_bloom",
	.test_cases = kml_bloom_cases,
};

kunit_test_suite(kml_bloom_suite);
