// SPDX-License-Identifier: GPL-2.0
/*
 * Conditions for a report: age, the number of scans, min_unref_scans, references that
 * appear again, clear, task stacks, the scan thread.
 *
 * Objects are planted and held before the first test runs, and are old enough then. A
 * test drops its objects, and after that only the number of scans matters, not the time.
 * No scan has taken the checksum of an object that was held: the scan after the drop is
 * its first.
 */
#include "../kselftest_harness.h"
#include "kmemleak_util.h"

static struct kst_obj held(const char *kind)
{
	struct kst_obj obj = kst_make(64, kind, "");

	kst_hold(obj, 0);
	return obj;
}

static void scans(int nr)
{
	while (nr--)
		kml_scan();
}

static int set_min_unref_scans(const char *value)
{
	return kml_write_file(KML_PARAM("min_unref_scans"), value);
}

FIXTURE(policy) {
};

FIXTURE_SETUP(policy)
{
	ASSERT_EQ(0, set_min_unref_scans("1"));
}

FIXTURE_TEARDOWN(policy)
{
	set_min_unref_scans("1");
	kml_command("stack=off");
	kml_command("scan=off");
}

/* The first scan */

static struct kst_obj unseen, dropped;

KST_PLANT(first_scan)
{
	unseen = kst_page(64);
	dropped = held("page");
}

/* The first test: there was no scan since the objects were planted. */
TEST_F(policy, first_scan_never_reports)
{
	kst_drop(dropped);
	scans(1);
	EXPECT_UNLISTED(unseen);
	EXPECT_UNLISTED(dropped);
	scans(1);
	EXPECT_LISTED(unseen);
	EXPECT_LISTED(dropped);
}

static struct kst_obj read_only;

KST_PLANT(reading)
{
	read_only = held("page");
}

TEST_F(policy, reading_is_not_scanning)
{
	kst_drop(read_only);
	scans(1);
	EXPECT_UNLISTED(read_only);
	EXPECT_UNLISTED(read_only);
	scans(1);
	EXPECT_LISTED(read_only);
}

/* min_unref_scans */

static struct kst_obj wait_zero, wait_two, wait_three, stays, restarted;
static struct kst_obj rewritten, lowered;

KST_PLANT(min_unref_scans)
{
	wait_zero = held("page");
	wait_two = held("page");
	wait_three = held("page");
	stays = held("page");
	restarted = held("page");
	rewritten = held("page");
	lowered = held("page");
}

TEST_F(policy, min_unref_scans_0_is_like_1)
{
	ASSERT_EQ(0, set_min_unref_scans("0"));
	kst_drop(wait_zero);
	scans(1);
	EXPECT_UNLISTED(wait_zero);
	scans(1);
	EXPECT_LISTED(wait_zero);
}

TEST_F(policy, min_unref_scans_2)
{
	ASSERT_EQ(0, set_min_unref_scans("2"));
	kst_drop(wait_two);
	scans(2);
	EXPECT_UNLISTED(wait_two);
	scans(1);
	EXPECT_LISTED(wait_two);
}

TEST_F(policy, min_unref_scans_3)
{
	ASSERT_EQ(0, set_min_unref_scans("3"));
	kst_drop(wait_three);
	scans(3);
	EXPECT_UNLISTED(wait_three);
	scans(1);
	EXPECT_LISTED(wait_three);
}

TEST_F(policy, min_unref_scans_is_read_at_every_scan)
{
	ASSERT_EQ(0, set_min_unref_scans("100"));
	kst_drop(lowered);
	scans(4);
	EXPECT_UNLISTED(lowered);
	ASSERT_EQ(0, set_min_unref_scans("1"));
	scans(1);
	EXPECT_LISTED(lowered);
}

TEST_F(policy, what_is_reported_stays_so_at_a_higher_threshold)
{
	kst_drop(stays);
	scans(2);
	EXPECT_LISTED(stays);
	ASSERT_EQ(0, set_min_unref_scans("9"));
	scans(2);
	EXPECT_LISTED(stays);
}

TEST_F(policy, a_reference_restarts_the_count)
{
	ASSERT_EQ(0, set_min_unref_scans("2"));
	kst_drop(restarted);
	scans(2);
	kst_hold(restarted, 0);
	scans(1);
	kst_drop(restarted);
	scans(1);
	EXPECT_UNLISTED(restarted);
	scans(1);
	EXPECT_LISTED(restarted);
}

TEST_F(policy, a_change_of_content_restarts_the_count)
{
	ASSERT_EQ(0, set_min_unref_scans("2"));
	kst_drop(rewritten);
	scans(2);
	kst("poke %d 8 1234", rewritten.slot);
	scans(1);
	EXPECT_UNLISTED(rewritten);
	scans(1);
	EXPECT_UNLISTED(rewritten);
	scans(1);
	EXPECT_LISTED(rewritten);
}

/* Objects that are referenced, changed or painted again */

static struct kst_obj transient, found_again, changing, freed, painted[2];
static struct kst_obj found_percpu;

KST_PLANT(changes)
{
	transient = held("page");
	found_again = held("page");
	changing = held("page");
	freed = held("page");
	painted[0] = held("page");
	painted[1] = held("page");
	found_percpu = held("percpu");
}

TEST_F(policy, transient_leak_gains_one_scan)
{
	if (kst_hook("transient_leak", transient) == -EOPNOTSUPP)
		SKIP(return, "this kernel has no kmemleak_transient_leak()");
	kst_drop(transient);
	scans(1);
	kst_hook("transient_leak", transient);
	scans(1);
	EXPECT_UNLISTED(transient);
	kst_hook("transient_leak", transient);
	scans(1);
	EXPECT_UNLISTED(transient);
	scans(1);
	EXPECT_LISTED(transient);
	/* after it was reported, too */
	kst_hook("transient_leak", transient);
	scans(1);
	EXPECT_UNLISTED(transient);
	scans(1);
	EXPECT_LISTED(transient);
}

TEST_F(policy, a_leak_found_again_is_listed_no_more)
{
	struct kst_obj objs[] = { found_again, found_percpu };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(objs); i++) {
		kst_drop(objs[i]);
		scans(2);
		EXPECT_LISTED(objs[i]);
		kst_hold(objs[i], 10);
		EXPECT_LISTED(objs[i]);
		scans(1);
		EXPECT_UNLISTED(objs[i]);
		kst_drop(objs[i]);
		scans(1);
		EXPECT_LISTED(objs[i]);
	}
}

TEST_F(policy, a_leak_that_changes_is_unlisted_for_a_scan)
{
	kst_drop(changing);
	scans(2);
	EXPECT_LISTED(changing);
	kst("poke %d 8 99", changing.slot);
	EXPECT_LISTED(changing);
	scans(1);
	EXPECT_UNLISTED(changing);
	scans(1);
	EXPECT_LISTED(changing);
}

TEST_F(policy, a_freed_or_painted_leak_is_unlisted_at_once)
{
	kst_drop(freed);
	kst_drop(painted[0]);
	kst_drop(painted[1]);
	scans(2);
	EXPECT_LISTED(freed);
	EXPECT_LISTED(painted[0]);
	EXPECT_LISTED(painted[1]);
	kst_hook("free", freed);
	kst_hook("not_leak", painted[0]);
	kst_hook("ignore", painted[1]);
	EXPECT_UNLISTED(freed);
	EXPECT_UNLISTED(painted[0]);
	EXPECT_UNLISTED(painted[1]);
}

/* clear */

static struct kst_obj cleared, cleared_percpu, not_yet, by_cleared;

KST_PLANT(clear)
{
	cleared = held("page");
	cleared_percpu = held("percpu");
	not_yet = held("page");
	by_cleared = held("page");
}

TEST_F(policy, clear_greys_what_is_reported)
{
	kst_drop(cleared);
	kst_drop(cleared_percpu);
	scans(2);
	EXPECT_LISTED(cleared);
	EXPECT_LISTED(cleared_percpu);
	kst_drop(not_yet);
	scans(1);
	EXPECT_UNLISTED(not_yet);

	EXPECT_EQ(0, kml_command("clear"));
	EXPECT_UNLISTED(cleared);
	EXPECT_UNLISTED(cleared_percpu);
	scans(1);
	EXPECT_UNLISTED(cleared);
	EXPECT_UNLISTED(cleared_percpu);
	EXPECT_LISTED(not_yet);

	/* grey: not reported again, but read */
	kst_store(by_cleared, 0, cleared, 16);
	kst_drop(by_cleared);
	scans(2);
	EXPECT_UNLISTED(by_cleared);
	EXPECT_UNLISTED(cleared);
	kst("poke %d 16 0", cleared.slot);
	scans(2);
	EXPECT_LISTED(by_cleared);
}

/* Task stacks */

static struct kst_obj on_stack;

KST_PLANT(stack)
{
	on_stack = held("page");
}

TEST_F(policy, stacks_are_scanned_unless_told_otherwise)
{
	ASSERT_EQ(0, kst("root stack %d", on_stack.slot));
	EXPECT_EQ(0, kml_command("stack=on"));
	kst_drop(on_stack);
	scans(3);
	EXPECT_UNLISTED(on_stack);
	EXPECT_EQ(0, kml_command("stack=off"));
	scans(2);
	EXPECT_LISTED(on_stack);
	EXPECT_EQ(0, kml_command("stack=on\n"));
	scans(1);
	EXPECT_UNLISTED(on_stack);
	kst("unroot stack");
}

/* The scan thread */

static struct kst_obj by_itself;

KST_PLANT(thread)
{
	by_itself = held("page");
}

TEST_F(policy, the_thread_scans_by_itself)
{
	unsigned long long end = kml_now_ms() + 20000;

	kst_drop(by_itself);
	EXPECT_EQ(0, kml_command("scan=1"));
	while (!kml_listed(by_itself) && kml_now_ms() < end)
		kml_sleep_ms(200);
	EXPECT_LISTED(by_itself);
	EXPECT_EQ(0, kml_command("scan=off"));
}

/* Age, with objects of its own. */
TEST_F(policy, nothing_is_reported_before_five_seconds)
{
	unsigned long long start = kml_now_ms();
	struct kst_obj young, young_percpu;
	int in_time = 0;

	young = kst_page(64);
	young_percpu = kst_make(64, "percpu", "");
	scans(1);
	while (kml_now_ms() - start < KML_MIN_AGE_MS - 400) {
		scans(1);
		/* a scan that ends too late proves nothing */
		if (kml_now_ms() - start >= KML_MIN_AGE_MS - 50)
			break;
		EXPECT_UNLISTED(young);
		EXPECT_UNLISTED(young_percpu);
		in_time++;
		kml_sleep_ms(500);
	}
	EXPECT_GT(in_time, 0);
	/* jiffies of an emulated machine may be late, and its scans slow */
	do {
		kml_sleep_ms(KML_AGE_MS - KML_MIN_AGE_MS + 600);
		scans(1);
	} while ((!kml_listed(young) || !kml_listed(young_percpu)) &&
		 kml_now_ms() - start < 30000);
	EXPECT_LISTED(young);
	EXPECT_LISTED(young_percpu);
}

int main(int argc, char **argv)
{
	kml_setup(KML_NEED_MODULE | KML_NEED_ENABLED);
	kst_plant_all();
	kml_sleep_ms(KML_AGE_MS);
	return test_harness_run(argc, argv);
}
