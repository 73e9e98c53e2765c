// SPDX-License-Identifier: GPL-2.0
/*
 * Scans by several CPUs, and with each filter: the command and the parameter, and that
 * reports do not depend on them. Skipped if kmemleak has no such command.
 */
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "kmemleak_util.h"

static const char * const widths[] = {
	"parallel=1", "parallel=2", "parallel=3", "parallel=on", "parallel=off", "parallel=0",
};

static struct kst_obj leak[ARRAY_SIZE(widths)], held;

FIXTURE(parallel) {
};

FIXTURE_SETUP(parallel)
{
	if (kml_is_stock())
		SKIP(return, "this kmemleak scans with one CPU");
}

FIXTURE_TEARDOWN(parallel)
{
	if (!kml_is_stock())
		kml_command("parallel=on");
}

TEST_F(parallel, numbers_are_parsed_strictly)
{
	static const struct {
		const char *command;
		int err;
	} commands[] = {
		{ "parallel=on", 0 }, { "parallel=on\n", 0 }, { "parallel=off", 0 },
		{ "parallel=0", 0 }, { "parallel=2\n", 0 }, { "parallel=0x2", 0 },
		{ "parallel=4294967295", 0 },
		{ "parallel", -EINVAL }, { "parallel=", -EINVAL },
		{ "parallel=x", -EINVAL }, { "parallel=-1", -EINVAL },
		{ "parallel=2 ", -EINVAL }, { "parallel=1.5", -EINVAL },
		{ "parallel=4294967296", -ERANGE }, { "Parallel=on", -EINVAL },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		EXPECT_EQ(commands[i].err, kml_command(commands[i].command))
			TH_LOG("\"%s\"", commands[i].command);
}

/* Statistics: the wanted number at once, the number of the last scan after it. */
TEST_F(parallel, as_many_as_asked_for)
{
	int cpus = kml_nr_cpus(), n;
	char command[32];

	for (n = 1; n <= cpus + 1; n++) {
		snprintf(command, sizeof(command), "parallel=%d", n);
		ASSERT_EQ(0, kml_command(command));
		EXPECT_EQ(n < cpus ? n : cpus, kml_stat("workers_wanted"));
		EXPECT_EQ(n > 1, kml_stat("parallel"));
		ASSERT_EQ(0, kml_scan());
		/* some CPUs may be isolated */
		EXPECT_GE(kml_stat("scan_workers"), 1);
		EXPECT_LE(kml_stat("scan_workers"), n < cpus ? n : cpus);
	}
}

TEST_F(parallel, a_wrong_number_changes_nothing)
{
	ASSERT_EQ(0, kml_command("parallel=1"));
	EXPECT_EQ(-EINVAL, kml_command("parallel=two"));
	EXPECT_EQ(1, kml_stat("workers_wanted"));
}

TEST_F(parallel, a_filter_that_is_not_there_changes_nothing)
{
	static const char * const bad_names[] = {
		"\n", " ", "Auto", "auto ", " auto", "autos", "aut", "generic\n\n", "generic,avx2",
		"avx1024", "generic-and-more", "no name of a filter is as long as this one",
	};
	char before[64], after[64], big[5000];
	size_t i;

	kml_read_file(KML_PARAM("filter"), before, sizeof(before));
	for (i = 0; i < ARRAY_SIZE(bad_names); i++)
		EXPECT_EQ(-EINVAL, kml_write_file(KML_PARAM("filter"), bad_names[i]))
			TH_LOG("\"%s\"", bad_names[i]);
	memset(big, 'a', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	EXPECT_LT(kml_write_file(KML_PARAM("filter"), big), 0);
	kml_read_file(KML_PARAM("filter"), after, sizeof(after));
	EXPECT_STREQ(before, after);

	EXPECT_EQ(0, kml_write_file(KML_PARAM("filter"), "generic\n"));
	kml_read_file(KML_PARAM("filter"), after, sizeof(after));
	EXPECT_STREQ("generic", after);
	EXPECT_TRUE(kml_stats_has("filter generic\n"));
	EXPECT_EQ(0, kml_write_file(KML_PARAM("filter"), "auto"));
	/* the name from the command line may be one that this machine does not have */
	kml_write_file(KML_PARAM("filter"), before);
}

TEST_F(parallel, the_report_does_not_depend_on_it)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(widths); i++) {
		kst_drop(leak[i]);
		ASSERT_EQ(0, kml_command(widths[i]));
		/* the first scan that finds them unreferenced takes their checksums */
		ASSERT_EQ(0, kml_scan());
		ASSERT_EQ(0, kml_scan());
		EXPECT_LISTED(leak[i])
			TH_LOG("%s", widths[i]);
		EXPECT_UNLISTED(held)
			TH_LOG("%s", widths[i]);
	}
}

TEST_F(parallel, statistics_are_names_and_values)
{
	char line[200];
	int lines = 0;
	FILE *f;

	ASSERT_EQ(0, kml_scan());
	f = fopen(KML_STATS, "r");
	ASSERT_NE(NULL, f);
	while (fgets(line, sizeof(line), f)) {
		EXPECT_TRUE(kml_match(line, "^[a-z][a-z_]*(\\.[0-9])? [a-z0-9-]+$"))
			TH_LOG("%s", line);
		lines++;
	}
	fclose(f);
	EXPECT_GT(lines, 30);
	EXPECT_EQ(0, kml_stat("running"));
	EXPECT_GT(kml_stat("scan_bytes"), 0);
	EXPECT_GE(kml_stat("scan_candidates"), kml_stat("scan_settled"));
}

int main(int argc, char **argv)
{
	size_t i;

	kml_setup(KML_NEED_MODULE | KML_NEED_ENABLED);
	/* pages, since slabs keep pointers to their latest objects */
	held = kst_page(128);
	kst_hold(held, 0);
	for (i = 0; i < ARRAY_SIZE(leak); i++) {
		leak[i] = kst_page(96);
		kst_hold(leak[i], 0);
	}
	/* until they are old enough */
	kml_scan();
	kml_sleep_ms(KML_AGE_MS);
	return test_harness_run(argc, argv);
}
