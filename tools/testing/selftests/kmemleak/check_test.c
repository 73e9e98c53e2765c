// SPDX-License-Identifier: GPL-2.0
/*
 * The commands "check" and "mark", ages, and signals: some end a scan, and others do not.
 *
 * Views of one block make a scan so long that a child can act on the task that scans. No
 * test depends on the time: if the scan is over before the child has acted, the test
 * tries again.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "kmemleak_util.h"

#define VIEWS		128
#define LOOP		20
#define MAX_TRIES	200

static struct kst_obj target;

static int set_param(const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), KML_PARAM("%s"), name);
	return kml_write_file(path, value);
}

static int check(void)
{
	kst("wipe");
	return kml_command("check");
}

FIXTURE(check) {
};

FIXTURE_SETUP(check)
{
	if (kml_is_stock())
		SKIP(return, "this kmemleak has no such commands");
}

FIXTURE_TEARDOWN(check)
{
	set_param("min_unref_scans", "1");
	set_param("min_age_ms", "5000");
	set_param("since_mark", "N");
	kst("unalias");
}

/* Leaks */

TEST_F(check, reports_what_was_allocated_a_moment_ago)
{
	struct kst_obj leak = kst_page(64), percpu = kst_make(64, "percpu", "");
	struct kst_obj live = kst_page(64);
	long scans = kml_stat("scans");

	kst_hold(live, 0);
	EXPECT_EQ(0, check());
	EXPECT_EQ(2, kml_stat("scans") - scans);
	EXPECT_LISTED(leak);
	EXPECT_LISTED(percpu);
	EXPECT_UNLISTED(live);
	kst_drop(live);
	EXPECT_UNLISTED(live);
	EXPECT_EQ(0, check());
	EXPECT_LISTED(live);
}

TEST_F(check, scans_as_often_as_min_unref_scans_says)
{
	struct kst_obj leak = kst_page(64);
	long scans = kml_stat("scans");

	ASSERT_EQ(0, set_param("min_unref_scans", "4"));
	EXPECT_EQ(0, check());
	EXPECT_EQ(4, kml_stat("scans") - scans);
	EXPECT_LISTED(leak);
}

/* Two checks at a time, and the scan thread: each check is complete. */
TEST_F(check, beside_others)
{
	struct kst_obj leak = kst_page(64);
	int i, status;

	EXPECT_EQ(0, kml_command("scan=1"));
	for (i = 0; i < 3; i++)
		if (!fork())
			_exit(-kml_command("check"));
	while (i--) {
		ASSERT_GT(wait(&status), 0);
		EXPECT_EQ(0, status);
	}
	EXPECT_EQ(0, kml_command("scan=off"));
	EXPECT_EQ(0, check());
	EXPECT_LISTED(leak);
}

TEST_F(check, mark_begins_a_new_generation)
{
	struct kst_obj before = kst_page(64), after;

	EXPECT_EQ(0, check());
	EXPECT_LISTED(before);
	EXPECT_EQ(0, kml_command("mark\n"));
	EXPECT_LISTED(before);
	after = kst_page(64);
	EXPECT_EQ(0, check());
	EXPECT_LISTED(before);
	EXPECT_LISTED(after);
	ASSERT_EQ(0, set_param("since_mark", "Y"));
	EXPECT_UNLISTED(before);
	EXPECT_LISTED(after);
	ASSERT_EQ(0, set_param("since_mark", "N"));
	EXPECT_LISTED(before);
}

TEST_F(check, min_age_ms_0)
{
	struct kst_obj leak;

	ASSERT_EQ(0, set_param("min_age_ms", "0"));
	leak = kst_page(64);
	kml_scan();
	EXPECT_UNLISTED(leak);
	kml_scan();
	EXPECT_LISTED(leak);
	ASSERT_EQ(0, set_param("min_age_ms", "100000"));
	leak = kst_page(64);
	kml_scan();
	kml_scan();
	EXPECT_UNLISTED(leak);
}

/* Signals */

/* The action of a child during our scan, and its result. */
struct during {
	bool scanned;			/* a scan ran before and after */
};

static struct during *during;

static void make_scans_long(struct __test_metadata *_metadata)
{
	ASSERT_EQ(0, kst("alias %d %d", VIEWS, target.slot));
}

/* A handler like that of a shell, or one after which system calls are restarted. */
static void on_signal(int unused)
{
}

static void handle(int signal, int flags)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };

	sigaction(signal, &action, NULL);
}

/*
 * Write @command, and have a child do @what to us when the scan runs. Return: the error
 * of the write, or 0. during->scanned is set if the child has acted during the scan.
 */
static int command_during(const char *command, void (*what)(pid_t scanner))
{
	pid_t scanner = getpid(), child;
	long scans = kml_stat("scans");
	int ret;

	during->scanned = 0;
	child = fork();
	if (!child) {
		while (!kml_stat("running") && kml_stat("scans") == scans)
			kml_sleep_ms(1);
		what(scanner);
		during->scanned = kml_stat("running") == 1 && kml_stat("scans") == scans;
		_exit(0);
	}
	ret = kml_command(command);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	return ret;
}

/* The same, until the child has acted during the scan. */
static int command_hit(const char *command, void (*what)(pid_t scanner))
{
	int ret, i;

	for (i = 0; i < MAX_TRIES; i++) {
		ret = command_during(command, what);
		if (ret || during->scanned)
			return ret;
	}
	return -ETIME;
}

/* The child only ends, which sends SIGCHLD. */
static void end(pid_t scanner)
{
	_exit(0);
}

/* A shell with background jobs. */
TEST_F(check, a_child_that_ends_ends_no_scan)
{
	long scans = kml_stat("scans"), stopped = kml_stat("scans_stopped");
	int i;

	make_scans_long(_metadata);
	handle(SIGCHLD, 0);
	for (i = 0; i < LOOP; i++) {
		EXPECT_EQ(0, command_during("scan", end));
		EXPECT_EQ(0, kml_stat("scan_stopped"));
	}
	EXPECT_EQ(LOOP, kml_stat("scans") - scans);
	EXPECT_EQ(stopped, kml_stat("scans_stopped"));
}

static void chld(pid_t scanner)
{
	kill(scanner, SIGCHLD);
	kill(scanner, SIGWINCH);
	kill(scanner, SIGURG);
	kill(scanner, SIGCONT);
}

TEST_F(check, what_is_ignored_by_default_ends_no_scan)
{
	static const int signals[] = { SIGCHLD, SIGWINCH, SIGURG, SIGCONT };
	long stopped = kml_stat("scans_stopped");
	size_t i;

	make_scans_long(_metadata);
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		handle(signals[i], 0);
	EXPECT_EQ(0, command_hit("scan", chld));
	EXPECT_EQ(0, command_hit("check", chld));
	EXPECT_EQ(stopped, kml_stat("scans_stopped"));
}

static void interrupt(pid_t scanner)
{
	kill(scanner, SIGINT);
}

TEST_F(check, an_interrupt_ends_a_scan_and_says_so)
{
	struct kst_obj leak = kst_page(64);
	long stopped = kml_stat("scans_stopped");

	make_scans_long(_metadata);
	handle(SIGINT, 0);
	EXPECT_EQ(-EINTR, command_hit("scan", interrupt));
	EXPECT_EQ(1, kml_stat("scans_stopped") - stopped);
	EXPECT_EQ(-EINTR, command_hit("check", interrupt));
	EXPECT_UNLISTED(leak);
	/* restarted, and complete */
	handle(SIGINT, SA_RESTART);
	EXPECT_EQ(0, command_hit("check", interrupt));
	EXPECT_EQ(0, kml_stat("scan_stopped"));
	EXPECT_LISTED(leak);
}

static void stop_and_continue(pid_t scanner)
{
	kill(scanner, SIGSTOP);
	kml_sleep_ms(1);
	kill(scanner, SIGCONT);
}

TEST_F(check, a_stopped_task_has_scanned)
{
	long stopped = kml_stat("scans_stopped");

	make_scans_long(_metadata);
	EXPECT_EQ(0, command_during("scan", stop_and_continue));
	EXPECT_EQ(0, command_during("check", stop_and_continue));
	EXPECT_EQ(stopped, kml_stat("scans_stopped"));
}

static void trace(pid_t scanner)
{
	int status;

	if (ptrace(PTRACE_SEIZE, scanner, 0, 0))
		return;
	ptrace(PTRACE_INTERRUPT, scanner, 0, 0);
	/* when it has scanned */
	waitpid(scanner, &status, __WALL);
	ptrace(PTRACE_DETACH, scanner, 0, 0);
}

TEST_F(check, a_tracer_ends_no_scan)
{
	long stopped = kml_stat("scans_stopped");

	make_scans_long(_metadata);
	EXPECT_EQ(0, command_during("scan", trace));
	EXPECT_EQ(0, command_during("check", trace));
	EXPECT_EQ(stopped, kml_stat("scans_stopped"));
}

/* Commands and reads that wait for the scan of another task. */
static void *shared_zeroes(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static void wait_for_scan(long scans)
{
	while (!kml_stat("running") && kml_stat("scans") == scans)
		kml_sleep_ms(1);
}

TEST_F(check, a_child_that_ends_ends_no_wait)
{
	static const char * const commands[] = { "stack=off", "scan", "check", "mark", NULL };
	long scans;
	char byte;
	size_t i;
	pid_t pid;
	int fd;

	make_scans_long(_metadata);
	handle(SIGCHLD, 0);
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		const char *command = commands[i];

		scans = kml_stat("scans");
		pid = fork();
		if (!pid)
			_exit(-kml_command("scan"));
		wait_for_scan(scans);
		/* to end while we wait */
		if (!fork()) {
			kml_sleep_ms(1);
			_exit(0);
		}
		if (command) {
			EXPECT_EQ(0, kml_command(command))
				TH_LOG("\"%s\"", command);
		} else {
			fd = open(KML_FILE, O_RDONLY);
			ASSERT_GE(fd, 0);
			EXPECT_GE(read(fd, &byte, 1), 0);
			close(fd);
		}
		while (wait(NULL) > 0 || errno == EINTR)
			;
	}
}

int main(int argc, char **argv)
{
	kml_setup(KML_NEED_MODULE | KML_NEED_ENABLED);
	during = shared_zeroes(sizeof(*during));
	if (during == MAP_FAILED)
		ksft_exit_fail_msg("no memory\n");
	/* the target of the views needs more references than there are */
	target = kst_page_min(64, 0x7fffffff);
	kst_hook("not_leak", target);
	return test_harness_run(argc, argv);
}
