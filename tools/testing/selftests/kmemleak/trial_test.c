// SPDX-License-Identifier: GPL-2.0
/*
 * The trial of suspects: pointers at odd offsets, pointers in untracked memory, and the
 * parameter that disables the trial.
 *
 * Objects are planted and held, and are old enough when the first test runs: see
 * policy_test.c. A test that then disables the trial shows that only the trial kept its
 * object out of the report.
 */
#include <fcntl.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "kmemleak_util.h"

static struct kst_obj held(size_t size)
{
	struct kst_obj obj = kst_page(size);

	kst_hold(obj, 0);
	return obj;
}

static void scans(int nr)
{
	while (nr--)
		kml_scan();
}

static int set_trial(const char *value)
{
	return kml_write_file(KML_PARAM("trial"), value);
}

/* The line of kmemleak_pages about an object: its pfn, or -1 if there is none. */
static long pages_pfn(struct kst_obj obj)
{
	static char text[1 << 16];
	size_t len = 0;
	unsigned long pfn;
	const char *at;
	ssize_t ret;
	int fd;

	fd = open(KML_PAGES, O_RDONLY);
	if (fd < 0)
		return -1;
	while ((ret = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += ret;
	close(fd);
	text[len] = '\0';
	at = strstr(text, kst_name(obj, 0));
	if (!at || sscanf(at, "0x%*x size %*u pfn 0x%lx order", &pfn) != 1)
		return -1;
	return pfn;
}

FIXTURE(trial) {
};

FIXTURE_SETUP(trial)
{
	ASSERT_EQ(0, set_trial("Y"));
}

FIXTURE_TEARDOWN(trial)
{
	set_trial("Y");
}

/* Odd offsets; sizes and offsets at which a container is read in pieces */

static const struct {
	size_t size;		/* of the container */
	size_t where;		/* offset of the pointer in it */
} odd[] = {
	{ 64, 13 },
	{ 64, 64 - sizeof(long) - 1 },
	{ 64, 1 },
	/* across the end of 4 KiB, and of a slice that another worker may read */
	{ 3 * 4096, 4096 - 3 },
	{ 3 * 4096, 3 * 4096 - sizeof(long) - 1 },
	{ 256 * 1024, 128 * 1024 - 5 },
};

static struct kst_obj odd_target[ARRAY_SIZE(odd)], odd_container[ARRAY_SIZE(odd)];

KST_PLANT(odd)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(odd); i++) {
		odd_target[i] = held(64);
		odd_container[i] = held(odd[i].size);
		kst_store(odd_target[i], 0, odd_container[i], odd[i].where);
	}
}

TEST_F(trial, a_pointer_at_an_odd_offset_is_a_reference)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(odd); i++)
		kst_drop(odd_target[i]);
	scans(3);
	for (i = 0; i < ARRAY_SIZE(odd); i++)
		EXPECT_UNLISTED(odd_target[i]);
	ASSERT_EQ(0, set_trial("N"));
	scans(1);
	for (i = 0; i < ARRAY_SIZE(odd); i++)
		EXPECT_LISTED(odd_target[i])
			TH_LOG("offset %zu of %zu", odd[i].where, odd[i].size);
}

/* One object refers to the next; an untracked page refers to the first */

static struct kst_obj in_odd, from_odd, in_tail;

KST_PLANT(untracked)
{
	in_odd = held(64);
	from_odd = held(64);
	in_tail = held(64);
	kst_store(from_odd, 0, in_odd, 8);
	kst("root odd %d", in_odd.slot);
	kst("root tail %d", in_tail.slot);
}

TEST_F(trial, untracked_pages_are_roots_for_suspects)
{
	kst_drop(in_odd);
	kst_drop(from_odd);
	kst_drop(in_tail);
	scans(3);
	EXPECT_UNLISTED(in_odd);
	EXPECT_UNLISTED(from_odd);
	EXPECT_UNLISTED(in_tail);
	EXPECT_GE(kml_stat("scan_in_pages"), 3);
	EXPECT_GT(pages_pfn(in_odd), 0);
	EXPECT_EQ(0, pages_pfn(from_odd));
	EXPECT_GT(pages_pfn(in_tail), 0);

	ASSERT_EQ(0, set_trial("N"));
	scans(1);
	EXPECT_LISTED(in_odd);
	EXPECT_LISTED(from_odd);
	EXPECT_LISTED(in_tail);
	EXPECT_EQ(0, kml_stat("scan_in_pages"));
	EXPECT_EQ(-1, pages_pfn(in_odd));
	kst("unroot odd");
	kst("unroot tail");
}

/* The pages of an object are no roots */

static struct kst_obj leak[3], from_leak[3];

KST_PLANT(tracked)
{
	static const char * const kinds[] = { "page", "vmalloc", "percpu" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(leak); i++) {
		leak[i] = kst_make(2 * 4096, kinds[i], "");
		kst_hold(leak[i], 0);
		from_leak[i] = held(64);
		kst_store(from_leak[i], 0, leak[i], 4096 + 64);
	}
}

TEST_F(trial, pages_of_a_leak_are_no_roots)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(leak); i++) {
		kst_drop(leak[i]);
		kst_drop(from_leak[i]);
	}
	scans(3);
	for (i = 0; i < ARRAY_SIZE(leak); i++) {
		EXPECT_LISTED(leak[i]);
		EXPECT_LISTED(from_leak[i])
			TH_LOG("kind %u, pfn %lx", i, pages_pfn(from_leak[i]));
	}
}

/* Blocks of kmalloc_nolock(), if the kernel and the machine have it */

static struct kst_obj in_nolock, in_nolock_kfree;
static int nolock_missing;

KST_PLANT(nolock)
{
	in_nolock = held(64);
	in_nolock_kfree = held(64);
	nolock_missing = kst("root nolock %d", in_nolock.slot);
}

static void nolock(struct __test_metadata *_metadata, struct kst_obj obj, const char *free)
{
	kst_drop(obj);
	scans(3);
	EXPECT_UNLISTED(obj);
	EXPECT_GT(pages_pfn(obj), 0);
	/* the block is free, and still has its content */
	ASSERT_EQ(0, kst("unroot %s", free));
	scans(1);
	EXPECT_LISTED(obj);
}

TEST_F(trial, blocks_without_locks_are_roots_for_suspects)
{
	if (nolock_missing)
		SKIP(return, "no kmalloc_nolock() here");
	nolock(_metadata, in_nolock, "nolock");
	ASSERT_EQ(0, kst("root nolock %d", in_nolock_kfree.slot));
	nolock(_metadata, in_nolock_kfree, "nolock_kfree");
	EXPECT_EQ(0, kml_stat("nolock_missed"));
}

/* The limit of marks */

TEST_F(trial, a_quiet_scan_needs_one_confirming_mark)
{
	struct kst_obj leak = kst_page(64);

	kml_sleep_ms(KML_AGE_MS);
	scans(1);
	ASSERT_EQ(0, kml_write_file(KML_PARAM("trial_marks"), "1"));
	scans(1);
	EXPECT_LISTED(leak);
	EXPECT_EQ(2, kml_stat("scan_marks"));
	ASSERT_EQ(0, kml_write_file(KML_PARAM("trial_marks"), "16"));
}

int main(int argc, char **argv)
{
	kml_setup(KML_NEED_MODULE | KML_NEED_ENABLED);
	if (kml_is_stock())
		ksft_exit_skip("the trial is not in stock kmemleak\n");
	kst_plant_all();
	kml_sleep_ms(KML_AGE_MS);
	return test_harness_run(argc, argv);
}
