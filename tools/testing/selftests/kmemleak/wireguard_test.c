// SPDX-License-Identifier: GPL-2.0
/*
 * kmemleak as wireguard's test init uses it: one clear before its tests, one scan after
 * them, and a failure if sendfile() sends anything. With scans by one CPU, and by all.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "kmemleak_util.h"

#define NR_LEAKS	4

/* clear_leaks(): five bytes of "clear\n" */
static void clear_leaks(struct __test_metadata *_metadata)
{
	int fd = open(KML_FILE, O_WRONLY);

	ASSERT_GE(fd, 0);
	EXPECT_EQ(5, write(fd, "clear\n", 5));
	close(fd);
}

/*
 * check_leaks(), without its wait and its panic. Return: the result of sendfile(). The
 * original sends to its standard output, which is the console, opened for reading, too.
 * Here it is the console, since the output of this test may be a pipe.
 */
static ssize_t check_leaks(struct __test_metadata *_metadata)
{
	ssize_t sent;
	int fd, out;

	fd = open(KML_FILE, O_WRONLY);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(5, write(fd, "scan\n", 5));
	close(fd);

	out = open("/dev/console", O_RDWR);
	fd = open(KML_FILE, O_RDONLY);
	ASSERT_GE(out, 0);
	ASSERT_GE(fd, 0);
	sent = sendfile(out, fd, NULL, 0x7ffff000);
	if (sent < 0)
		sent = -errno;
	close(fd);
	close(out);
	return sent;
}

FIXTURE(wireguard) {
};

FIXTURE_VARIANT(wireguard) {
	const char *command;
};

FIXTURE_VARIANT_ADD(wireguard, serial) {
	.command = "parallel=off",
};

FIXTURE_VARIANT_ADD(wireguard, parallel) {
	.command = "parallel=on",
};

FIXTURE_SETUP(wireguard)
{
	if (kml_is_stock())
		SKIP(return, "a known bug of this kmemleak: its report cannot be sent");
	ASSERT_EQ(0, kml_command(variant->command));
	clear_leaks(_metadata);
}

FIXTURE_TEARDOWN(wireguard)
{
	kst("reset");
}

TEST_F(wireguard, sends_nothing_when_nothing_leaks)
{
	struct kst_obj held = kst_page(64);

	kst_hold(held, 0);
	EXPECT_EQ(0, check_leaks(_metadata));
	kml_sleep_ms(KML_AGE_MS);
	EXPECT_EQ(0, check_leaks(_metadata));
	EXPECT_EQ(0, check_leaks(_metadata));
}

/*
 * Its only scan reports leaks that an earlier scan has found: here a scan of the test;
 * otherwise one of the scan thread.
 */
TEST_F(wireguard, sends_leaks)
{
	struct kst_obj leaks[NR_LEAKS];
	int i;

	ASSERT_EQ(0, kst_burst("page", NR_LEAKS, 64, leaks));
	kml_scan();
	kml_sleep_ms(KML_AGE_MS);
	EXPECT_GT(check_leaks(_metadata), 0);
	for (i = 0; i < NR_LEAKS; i++)
		EXPECT_LISTED(leaks[i]);
	clear_leaks(_metadata);
	EXPECT_EQ(0, check_leaks(_metadata));
}

int main(int argc, char **argv)
{
	kml_setup(KML_NEED_MODULE | KML_NEED_ENABLED);
	return test_harness_run(argc, argv);
}
