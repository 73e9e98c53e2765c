// SPDX-License-Identifier: GPL-2.0
/*
 * Scans that a signal stops: the result of the write, the report after a stopped scan, and
 * the scan after it.
 *
 * Views of one block make a scan long enough.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/time.h>

#include "../kselftest_harness.h"
#include "kmemleak_util.h"

/* a signal can arrive long before the end */
#define LONG_SCAN_MS	400
#define MAX_VIEWS	16384

/* attempts, since a signal may be too late on a busy machine */
#define NR_TRIES	4

static struct kst_obj target, live;
static struct kst_obj leak[NR_TRIES], other[NR_TRIES], dropped[NR_TRIES];
static unsigned int scan_ms;

static void on_alarm(int unused)
{
	(void)unused;
}

/* A signal after which no system call is restarted. */
static void interrupt_in(unsigned int ms)
{
	struct itimerval timer = {
		.it_value.tv_sec = ms / 1000,
		.it_value.tv_usec = ms % 1000 * 1000,
	};
	struct sigaction action = { .sa_handler = on_alarm };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static unsigned int timed_scan(void)
{
	unsigned long long start = kml_now_ms();

	kml_command("scan");
	return kml_now_ms() - start;
}

/* The number of views that make a scan long enough; 0: no number does. */
static unsigned int make_scans_long(void)
{
	unsigned int views;

	for (views = 16; views <= MAX_VIEWS; views *= 4) {
		kst("unalias");
		if (kst("alias %u %d", views, target.slot))
			return 0;
		scan_ms = timed_scan();
		if (scan_ms >= LONG_SCAN_MS)
			return views;
	}
	return 0;
}

FIXTURE(long_scan) {
	int fd;
};

FIXTURE_SETUP(long_scan)
{
	if (!scan_ms)
		SKIP(return, "no scan takes long enough here");
	self->fd = open(KML_FILE, O_RDWR);
	ASSERT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN(long_scan)
{
	interrupt_in(0);
	close(self->fd);
}

/* Scan, and stop the scan after @ms. Return: true if it has ended long before its end. */
static bool scan_cut_short(int fd, unsigned int ms, ssize_t *ret)
{
	unsigned long long start;

	interrupt_in(ms + 1);
	start = kml_now_ms();
	*ret = write(fd, "scan", 4);
	start = kml_now_ms() - start;
	interrupt_in(0);
	return start < scan_ms / 2;
}

/* Does the write fail after a stopped scan? With stock it succeeds. */
static bool said_so(ssize_t ret)
{
	return kml_is_stock() ? ret == 4 : ret == -1 && errno == EINTR;
}

TEST_F(long_scan, a_signal_ends_it)
{
	bool cut = false, said;
	ssize_t ret;
	int i;

	for (i = 0; !cut && i < NR_TRIES; i++) {
		kst_drop(leak[i]);
		ASSERT_EQ(0, lseek(self->fd, 0, SEEK_SET));
		ASSERT_EQ(4, write(self->fd, "scan", 4));
		cut = scan_cut_short(self->fd, scan_ms / 8, &ret);
		said = said_so(ret);
		EXPECT_TRUE(cut ? said : said || ret == 4);
		EXPECT_EQ(ret == 4 ? 8 : 4, kml_position(self->fd));
		/* a stopped scan does not report the leak ... */
		if (cut)
			EXPECT_UNLISTED(leak[i]);
		/* ... and a complete scan does */
		EXPECT_EQ(4, write(self->fd, "scan", 4));
		EXPECT_LISTED(leak[i]);
	}
	EXPECT_TRUE(cut);
}

/* A stopped scan reports no block in use. */
TEST_F(long_scan, cut_short_anywhere_it_reports_nothing)
{
	int i, part, nr_cut = 0;
	ssize_t ret;

	for (i = 0; nr_cut < 3 && i < NR_TRIES; i++) {
		kst_drop(other[i]);
		EXPECT_EQ(4, write(self->fd, "scan", 4));
		for (part = 0; part < 6; part++) {
			if (!scan_cut_short(self->fd, scan_ms * part / 16, &ret))
				break;
			EXPECT_TRUE(said_so(ret));
			EXPECT_UNLISTED(other[i]);
			EXPECT_FALSE(kml_listed(target));
			EXPECT_FALSE(kml_listed(live));
			nr_cut++;
		}
		EXPECT_EQ(4, write(self->fd, "scan", 4));
		EXPECT_LISTED(other[i]);
		EXPECT_FALSE(kml_listed(live));
	}
	EXPECT_GE(nr_cut, 3);
}

/* The scan after a stopped one is complete. */
TEST_F(long_scan, the_next_one_is_complete)
{
	unsigned int ms;

	interrupt_in(scan_ms / 8 + 1);
	kml_scan();
	ms = timed_scan();
	EXPECT_GE(ms, scan_ms / 4);
}

/* Start a scan in a child, and return when it has read some memory. */
static pid_t scan_elsewhere(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(kml_command("scan") ? 1 : 0);
	kml_sleep_ms(scan_ms / 8 + 1);
	return pid;
}

/* Wait for another task's scan, in a command or a read, until a signal arrives. */
static int interrupted_wait(int fd, const char *command)
{
	pid_t pid = scan_elsewhere();
	int err = 0, status;
	ssize_t ret;
	char byte;

	interrupt_in(20);
	if (command)
		ret = write(fd, command, strlen(command));
	else
		ret = read(fd, &byte, 1);
	if (ret < 0)
		err = errno;
	interrupt_in(0);
	if (waitpid(pid, &status, 0) != pid || status)
		return -1;
	return err;
}

TEST_F(long_scan, waiting_for_another_can_be_interrupted)
{
	static const char * const commands[] = {
		"scan", "clear", "stack=off", NULL,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		const char *command = commands[i];
		int err = 0, tries;

		/* the other scan may start too late */
		for (tries = 0; !err && tries < 2 * NR_TRIES; tries++) {
			lseek(self->fd, 0, SEEK_SET);
			err = interrupted_wait(self->fd, command);
		}
		EXPECT_EQ(EINTR, err)
			TH_LOG("%s", command ?: "read");
		EXPECT_EQ(0, kml_position(self->fd));
	}
}

/* The write returns when the scan is over, and the report is there. */
TEST_F(long_scan, a_write_waits_for_its_scan)
{
	unsigned long long start = kml_now_ms();
	long scans = kml_stat("scans");

	EXPECT_EQ(4, write(self->fd, "scan", 4));
	/* for stock only the time counts, which was a quarter on a busy host */
	if (scans < 0)
		EXPECT_GE(kml_now_ms() - start, scan_ms / 4);
	if (scans >= 0)
		EXPECT_EQ(scans + 1, kml_stat("scans"));
}

/* Killing the scanning task ends the scan as well. */
TEST_F(long_scan, a_kill_ends_it)
{
	unsigned long long took = scan_ms;
	int status, tries;

	for (tries = 0; took >= scan_ms && tries < NR_TRIES; tries++) {
		unsigned long long start = kml_now_ms();
		pid_t pid = scan_elsewhere();

		ASSERT_GT(pid, 0);
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status));
		took = kml_now_ms() - start;
	}
	EXPECT_LT(took, scan_ms);
}

/* The scan thread stops for a command during a long scan. */
TEST_F(long_scan, scan_off_waits_for_the_thread)
{
	EXPECT_EQ(0, kml_command("scan=on"));
	kml_sleep_ms(scan_ms / 4 + 1);
	EXPECT_EQ(0, kml_command("scan=off"));
	EXPECT_TRUE(kml_task_ends("kmemleak"));
}

/* The thread's scan is stopped for that, and the next scan is complete. */
TEST_F(long_scan, scan_off_ends_the_threads_scan)
{
	long stopped = 0;
	int i;

	if (kml_stat("scan_stopped") < 0)
		SKIP(return, "no " KML_STATS);
	for (i = 0; !stopped && i < NR_TRIES; i++) {
		kst_drop(dropped[i]);
		kml_scan();
		EXPECT_EQ(0, kml_command("scan=on"));
		kml_sleep_ms(scan_ms / 8 + 1);
		EXPECT_EQ(0, kml_command("scan=off"));
		EXPECT_EQ(0, kml_stat("running"));
		stopped = kml_stat("scan_stopped");
		if (stopped)
			EXPECT_UNLISTED(dropped[i]);
		kml_scan();
		EXPECT_EQ(0, kml_stat("scan_stopped"));
		EXPECT_LISTED(dropped[i]);
		EXPECT_FALSE(kml_listed(live));
	}
	EXPECT_EQ(1, stopped);
}

/* A scan that another task has asked for is not stopped. */
TEST_F(long_scan, scan_off_leaves_others_alone)
{
	pid_t pid = scan_elsewhere();
	int status;

	ASSERT_GT(pid, 0);
	EXPECT_EQ(0, kml_command("scan=off"));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_GE(0, kml_stat("scan_stopped"));
}

int main(int argc, char **argv)
{
	unsigned int views;
	int i;

	kml_setup(KML_NEED_MODULE | KML_NEED_ENABLED);
	/* the target of the views needs more references than there are */
	target = kst_page_min(64, 0x7fffffff);
	kst_hook("not_leak", target);
	live = kst_page(64);
	kst_hold(live, 0);
	for (i = 0; i < NR_TRIES; i++) {
		leak[i] = kst_page(64);
		kst_hold(leak[i], 0);
		other[i] = kst_page(64);
		kst_hold(other[i], 0);
		dropped[i] = kst_page(64);
		kst_hold(dropped[i], 0);
	}
	views = make_scans_long();
	if (views)
		ksft_print_msg("%u views make a scan %u ms long\n", views,
			       scan_ms);
	else
		scan_ms = 0;
	kml_sleep_ms(KML_AGE_MS);
	return test_harness_run(argc, argv);
}
