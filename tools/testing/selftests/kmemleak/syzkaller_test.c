// SPDX-License-Identifier: GPL-2.0
/*
 * kmemleak as the executor of syzkaller uses it: one descriptor that stays open, commands
 * without a newline, reads of 128 KiB, and its own parser. With scans by one CPU, and by
 * all.
 */
#include <fcntl.h>
#include <regex.h>

#include "../kselftest_harness.h"
#include "kmemleak_util.h"

#define HEADLINE	"unreferenced object"
/* few enough for one read of any kmemleak */
#define NR_LEAKS	4

static char buf[128 << 10];

FIXTURE(executor) {
	int fd;
};

FIXTURE_VARIANT(executor) {
	bool parallel;
};

FIXTURE_VARIANT_ADD(executor, serial) {
	.parallel = false,
};

FIXTURE_VARIANT_ADD(executor, parallel) {
	.parallel = true,
};

FIXTURE_SETUP(executor)
{
	self->fd = -1;
	if (kml_is_stock() && variant->parallel)
		SKIP(return, "this kmemleak scans with one CPU");
	if (!kml_is_stock())
		ASSERT_EQ(0, kml_command(variant->parallel ? "parallel=on" : "parallel=off"));
	self->fd = open(KML_FILE, O_RDWR);
	ASSERT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN(executor)
{
	close(self->fd);
}

/* The number of reports in the buffer, by their first words. */
static int cut(char *text, char **first)
{
	int nr = 0;

	*first = strstr(text, HEADLINE);
	while ((text = strstr(text, HEADLINE))) {
		text += strlen(HEADLINE);
		nr++;
	}
	return nr;
}

/*
 * The number of reports with a stack, by syzkaller's expression. That has Perl's "(?:",
 * which POSIX does not know and which changes nothing.
 */
static int stacks(const char *text)
{
	regmatch_t match;
	regex_t re;
	int nr = 0;

	if (regcomp(&re, "[^k] backtrace( \\(crc [[:xdigit:]]*\\))?:", REG_EXTENDED))
		return -1;
	while (!regexec(&re, text, 1, &match, 0)) {
		text += match.rm_eo;
		nr++;
	}
	regfree(&re);
	return nr;
}

/* Before the first program, syzkaller clears the leaks of the boot. */
static void set_up(struct __test_metadata *_metadata)
{
	ASSERT_EQ(0, kml_command("scan=off"));
	ASSERT_EQ(0, kml_command("scan"));
	kml_sleep_ms(KML_MIN_AGE_MS);
	ASSERT_EQ(0, kml_command("scan"));
	ASSERT_EQ(0, kml_command("clear"));
}

/*
 * After each program: scan, wait, scan, and read. The first read begins at the position
 * after two writes.
 */
TEST_F(executor, scans_and_reads_by_one_descriptor)
{
	unsigned long long start;
	struct kst_obj leaks[NR_LEAKS];
	char *first;
	ssize_t len;
	int i, nr, round;

	set_up(_metadata);
	for (round = 0; round < 2; round++) {
		ASSERT_EQ(5, write(self->fd, "clear", 5));
		ASSERT_EQ(0, lseek(self->fd, 0, SEEK_SET));

		kst_burst("page", NR_LEAKS, 64, leaks);
		start = kml_now_ms();
		ASSERT_EQ(4, write(self->fd, "scan", 4));
		kml_sleep_ms(1000);
		while (kml_now_ms() - start < KML_AGE_MS)
			kml_sleep_ms(200);
		ASSERT_EQ(4, write(self->fd, "scan", 4));
		len = read(self->fd, buf, sizeof(buf) - 1);
		ASSERT_GT(len, 0);
		buf[len] = '\0';
		/* eight bytes into the first headline */
		EXPECT_EQ(0, strncmp(buf, &HEADLINE[8], strlen(HEADLINE) - 8));

		kml_sleep_ms(1000);
		ASSERT_EQ(4, write(self->fd, "scan", 4));
		ASSERT_EQ(0, lseek(self->fd, 0, SEEK_SET));
		len = read(self->fd, buf, sizeof(buf) - 1);
		ASSERT_GT(len, 0);
		buf[len] = '\0';
		nr = cut(buf, &first);
		EXPECT_EQ(&buf[0], first);
		for (i = 0; i < NR_LEAKS; i++)
			nr -= !!strstr(buf, kst_name(leaks[i], 0));
		/* these reports, and no others */
		EXPECT_EQ(0, nr);
		EXPECT_EQ(NR_LEAKS, cut(buf, &first));
		EXPECT_EQ(cut(buf, &first), stacks(buf));
		EXPECT_EQ(0, read(self->fd, buf, sizeof(buf) - 1));
		ASSERT_EQ(0, kst("reset"));
	}
}

TEST_F(executor, nothing_to_read_when_nothing_leaks)
{
	struct kst_obj held;
	ssize_t len;

	/* the process of the test before has ended some milliseconds ago */
	ASSERT_EQ(0, kst("reset"));
	/* blocks in use that are old enough for a false report */
	held = kst_page(128);
	kst_hold(held, 0);
	ASSERT_EQ(5, write(self->fd, "clear", 5));
	ASSERT_EQ(4, write(self->fd, "scan", 4));
	kml_sleep_ms(KML_AGE_MS);
	ASSERT_EQ(4, write(self->fd, "scan", 4));
	len = read(self->fd, buf, sizeof(buf) - 1);
	buf[len > 0 ? len : 0] = '\0';
	EXPECT_EQ(0, len)
		TH_LOG("%s", buf);
	EXPECT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	EXPECT_EQ(0, read(self->fd, buf, sizeof(buf) - 1));
	ASSERT_EQ(0, kst("reset"));
}

int main(int argc, char **argv)
{
	kml_setup(KML_NEED_MODULE | KML_NEED_ENABLED);
	return test_harness_run(argc, argv);
}
