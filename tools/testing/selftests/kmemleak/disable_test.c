// SPDX-License-Identifier: GPL-2.0
/*
 * kmemleak is disabled by a command or, with the first argument "overlap", by a block
 * that overlaps another, if kmemleak.strict is set.
 *
 * Only a boot enables kmemleak again, so this test is run only by name. Tests that run
 * after it find kmemleak disabled.
 */
#include <fcntl.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "kmemleak_util.h"

static struct kst_obj live, parent;
static struct kst_obj leak;
static char *disable_log;
static int disable_ret;
static bool by_overlap, scan_ran;
static long scan_stopped;
static int scan_ret;

/* A work item frees the metadata. */
static void wait_for_cleanup(void)
{
	int i;

	for (i = 0; i < 1000 && kml_stat("running") == 1; i++)
		kml_sleep_ms(10);
	kml_sleep_ms(500);
}

TEST(disabling_is_logged)
{
	char line[128];

	EXPECT_EQ(0, disable_ret);
	ASSERT_NE(NULL, disable_log);
	EXPECT_TRUE(kml_match(disable_log,
			      "^kmemleak: Kernel memory leak detector disabled$"))
		TH_LOG("%s", disable_log);
	if (!by_overlap)
		return;
	snprintf(line, sizeof(line), "^kmemleak: Cannot insert %s into the "
		 "object search tree \\(overlaps existing\\)$",
		 kst_name(parent, 2048));
	EXPECT_TRUE(kml_match(disable_log, line))
		TH_LOG("%s", disable_log);
	snprintf(line, sizeof(line), "^kmemleak: Object %s "
		 "\\(size 4096\\):$", kst_name(parent, 0));
	EXPECT_TRUE(kml_match(disable_log, line))
		TH_LOG("%s", disable_log);
}

TEST(commands_are_refused)
{
	static const char * const commands[] = {
		"scan", "scan\n", "scan=on", "scan=off", "scan=10", "stack=on",
		"stack=off", "off", "dump=0x1", "nonsense", "", "scan=nonsense",
		"check", "mark",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		const char *command = commands[i];

		EXPECT_EQ(-EPERM, kml_command(command))
			TH_LOG("\"%s\"", command);
	}
}

TEST(a_scan_has_ended_early)
{
	if (!scan_ran)
		SKIP(return, "no scan ran, or nothing tells");
	EXPECT_EQ(1, scan_stopped);
	EXPECT_EQ(EPERM, scan_ret);
}

TEST(the_scan_thread_is_gone)
{
	EXPECT_TRUE(kml_task_ends("kmemleak"));
}

/* The report can be read until the metadata is freed. */
TEST(the_report_stays_until_clear)
{
	char byte;
	int fd;

	EXPECT_LISTED(leak);
	EXPECT_TRUE(kml_match(disable_log,
			      "^kmemleak: Kmemleak disabled without freeing internal data. "
		"Reclaim the memory with \"echo clear > "
		"/sys/kernel/debug/kmemleak\"\\.$"))
		TH_LOG("%s", disable_log);
	EXPECT_EQ(0, kml_command("clear"));
	EXPECT_UNLISTED(leak);
	EXPECT_EQ(0, kml_command("clear\n"));
	EXPECT_EQ(0, kml_command("clearly"));

	fd = open(KML_FILE, O_RDWR);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(5, write(fd, "clear", 5));
	EXPECT_EQ(-1, write(fd, "scan", 4));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(5, kml_position(fd));
	EXPECT_EQ(0, lseek(fd, 0, SEEK_SET));
	EXPECT_EQ(0, read(fd, &byte, 1));
	close(fd);
}

TEST(parameters_stay)
{
	char buf[16];

	EXPECT_EQ(0, kml_read_file(KML_PARAM("verbose"), buf, sizeof(buf)));
	EXPECT_EQ(0, kml_read_file(KML_PARAM("min_unref_scans"), buf,
				   sizeof(buf)));
}

/* The allocators still call the hooks, which do nothing and print nothing. */
TEST(hooks_do_nothing)
{
	struct kst_obj objs[4];
	int fd = kml_log_open();
	char *log;
	size_t i;

	ASSERT_GE(fd, 0);
	objs[0] = kst_page(64);
	objs[1] = kst_make(64, "kmalloc", "");
	objs[2] = kst_make(64, "percpu", "");
	objs[3] = kst_make(4096, "phys", "");
	kst_hook("not_leak", objs[0]);
	kst_hook("no_scan", objs[0]);
	kst_hook("transient_leak", objs[0]);
	kst_hook("update_trace", objs[0]);
	kst_hook_part("scan_area", objs[0], 0, 8);
	kst_hook_part("free_part", objs[0], 8, 8);
	EXPECT_EQ(0, kst("tolerate"));
	for (i = 0; i < ARRAY_SIZE(objs); i++)
		kst("free %d", objs[i].slot);
	log = kml_log_read(fd);
	ASSERT_NE(NULL, log);
	EXPECT_FALSE(kml_match(log, "kmemleak:"))
		TH_LOG("%s", log);
	free(log);
}

TEST(what_was_tracked_can_be_freed)
{
	EXPECT_EQ(0, kst("reset"));
	EXPECT_UNLISTED(leak);
}

/* Return when a long scan is running, if possible. */
static void begin_scan(void)
{
	struct kst_obj target = kst_page_min(64, 0x7fffffff);
	int i;

	kst_hook("not_leak", target);
	kst("alias 1024 %d", target.slot);
	if (!fork())
		_exit(-kml_command("scan"));
	for (i = 0; i < 1000 && !kml_stat("running"); i++)
		kml_sleep_ms(1);
	scan_ran = kml_stat("running") == 1;
}

int main(int argc, char **argv)
{
	int fd, status;

	kml_setup(KML_NEED_MODULE | KML_NEED_ENABLED);
	by_overlap = argc > 1 && !strcmp(argv[1], "overlap");
	leak = kst_page(64);
	live = kst_page(64);
	kst_hold(live, 0);
	parent = kst_page(4096);
	kst_hold(parent, 0);
	kml_sleep_ms(KML_AGE_MS);
	kml_scan();
	kml_scan();
	kml_command("scan=on");

	if (by_overlap && !kml_is_stock() && kml_write_file(KML_PARAM("strict"), "1"))
		ksft_exit_fail_msg("no parameter \"strict\"\n");

	fd = kml_log_open();
	begin_scan();
	disable_ret = by_overlap ? kst("overlap %d", parent.slot) :
				   kml_command("offx");
	while (wait(&status) > 0)
		scan_ret = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	wait_for_cleanup();
	scan_stopped = kml_stat("scan_stopped");
	disable_log = kml_log_read(fd);
	if (by_overlap) {
		argv++;
		argc--;
	}
	return test_harness_run(argc, argv);
}
