// SPDX-License-Identifier: GPL-2.0
/*
 * The interface of the kmemleak file: type and mode, commands and the results of
 * write(), positions and descriptors, the scan thread, the module parameters.
 *
 * These tests do not depend on reports; report_test and policy_test do.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "../kselftest_harness.h"
#include "kmemleak_util.h"

FIXTURE(file) {
	int fd;
};

FIXTURE_SETUP(file)
{
	self->fd = open(KML_FILE, O_RDWR);
	ASSERT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN(file)
{
	close(self->fd);
}

TEST_F(file, is_regular_and_empty_and_0644)
{
	struct stat st;

	ASSERT_EQ(0, fstat(self->fd, &st));
	EXPECT_EQ(S_IFREG | 0644, st.st_mode);
	EXPECT_EQ(0, st.st_size);
	EXPECT_EQ(0, st.st_uid);
	EXPECT_EQ(0, st.st_gid);
}

/* In the ways of a shell's '>' and '>>', and of C programs. */
TEST_F(file, opens_in_every_way_in_use)
{
	static const int flags[] = {
		O_RDONLY, O_WRONLY, O_RDWR, O_WRONLY | O_APPEND,
		O_WRONLY | O_CREAT | O_TRUNC, O_RDWR | O_CLOEXEC,
	};
	ssize_t ret;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		fd = open(KML_FILE, flags[i], 0666);
		EXPECT_GE(fd, 0)
			TH_LOG("flags %#x: %s", flags[i], strerror(errno));
		if (fd < 0)
			continue;
		ret = write(fd, "stack=on", 8);
		EXPECT_EQ((flags[i] & O_ACCMODE) == O_RDONLY ? -1 : 8, ret);
		close(fd);
	}
	EXPECT_EQ(9, write(self->fd, "stack=off", 9));
}

TEST_F(file, access_mode_is_kept)
{
	char byte;
	int fd;

	fd = open(KML_FILE, O_RDONLY);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(-1, write(fd, "scan", 4));
	EXPECT_EQ(EBADF, errno);
	close(fd);

	fd = open(KML_FILE, O_WRONLY);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(-1, read(fd, &byte, 1));
	EXPECT_EQ(EBADF, errno);
	close(fd);
}

/* A command is known by its first letters; the rest is ignored. */
TEST_F(file, commands_match_by_prefix)
{
	static const char * const accepted[] = {
		"scan", "scan\n", "scanfoo", "scan ", "scan on", "scans\n",
		"clear", "clear\n", "clearly", "clear=1",
		"stack=off", "stack=off\n", "stack=offx",
		"stack=on", "stack=on\n", "stack=only",
		"scan=off", "scan=off\n", "scan=offline",
		"scan=on", "scan=onward\n", "scan=off",
		"scan=3600", "scan=0",
		"stack=off",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(accepted); i++) {
		ssize_t len = strlen(accepted[i]);

		EXPECT_EQ(len, write(self->fd, accepted[i], len))
			TH_LOG("\"%s\": %s", accepted[i], strerror(errno));
	}
}

TEST_F(file, unknown_commands_are_invalid)
{
	static const char * const unknown[] = {
		"", "\n", " ", "foo", "o", "of", "on", "cle", "sca", "SCAN",
		" scan", "\nscan", "stack", "stack=", "stack=o", "stack=of",
		"stack=1", "dump", "Off", "=", "0",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(unknown); i++) {
		errno = 0;
		EXPECT_EQ(-1, write(self->fd, unknown[i], strlen(unknown[i])))
			TH_LOG("\"%s\"", unknown[i]);
		EXPECT_EQ(EINVAL, errno)
			TH_LOG("\"%s\"", unknown[i]);
	}
}

/* The period: a whole unsigned number in any base, one newline at most. */
TEST_F(file, scan_period_is_parsed_strictly)
{
	static const struct {
		const char *command;
		int err;
	} periods[] = {
		{ "scan=600", 0 },
		{ "scan=600\n", 0 },
		{ "scan=0x258", 0 },
		{ "scan=01130", 0 },
		{ "scan=+600", 0 },
		{ "scan=4294967295", 0 },
		{ "scan=", EINVAL },
		{ "scan=\n", EINVAL },
		{ "scan=o", EINVAL },
		{ "scan=of", EINVAL },
		{ "scan=x", EINVAL },
		{ "scan=-1", EINVAL },
		{ "scan= 600", EINVAL },
		{ "scan=600 ", EINVAL },
		{ "scan=600\n\n", EINVAL },
		{ "scan=600s", EINVAL },
		{ "scan=09", EINVAL },
		{ "scan=4294967296", ERANGE },
		{ "scan=99999999999999999999", ERANGE },
		{ "scan=0", 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(periods); i++) {
		ssize_t len = strlen(periods[i].command);
		ssize_t ret;

		errno = 0;
		ret = write(self->fd, periods[i].command, len);
		EXPECT_EQ(periods[i].err ? -1 : len, ret)
			TH_LOG("\"%s\"", periods[i].command);
		EXPECT_EQ(periods[i].err, errno)
			TH_LOG("\"%s\"", periods[i].command);
	}
}

TEST_F(file, a_nul_ends_the_command)
{
	EXPECT_EQ(10, write(self->fd, "clear\0junk", 10));
	EXPECT_EQ(12, write(self->fd, "scan=0\0other", 12));
	EXPECT_EQ(-1, write(self->fd, "\0scan", 5));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->fd, "sca\0n", 5));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(file, write_returns_the_full_length)
{
	static const size_t sizes[] = { 62, 63, 64, 65, 128, 4096, 100000 };
	char *buf = malloc(100000);
	size_t i;

	ASSERT_NE(NULL, buf);
	memset(buf, 'x', 100000);
	memcpy(buf, "clear", 5);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		ssize_t size = sizes[i];

		EXPECT_EQ(size, write(self->fd, buf, size));
	}
	memcpy(buf, "xlear", 5);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		EXPECT_EQ(-1, write(self->fd, buf, sizes[i]));
		EXPECT_EQ(EINVAL, errno);
	}
	free(buf);
}

/*
 * "scan=" accepts nothing after its number, so it shows how much of a write is used:
 * digits fill the buffer up to its 63rd byte, and any bytes may follow.
 */
TEST_F(file, only_63_bytes_are_looked_at)
{
	char buf[80];

	memset(buf, '0', sizeof(buf));
	memcpy(buf, "scan=", 5);

	buf[63] = 'x';
	EXPECT_EQ(80, write(self->fd, buf, 80));
	EXPECT_EQ(64, write(self->fd, buf, 64));
	buf[63] = '0';
	buf[62] = 'x';
	EXPECT_EQ(-1, write(self->fd, buf, 80));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->fd, buf, 63));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(62, write(self->fd, buf, 62));
}

/* A write has one command: the rest of the buffer is ignored. */
TEST_F(file, one_command_a_write)
{
	EXPECT_EQ(16, write(self->fd, "clear\nnonsense=1", 16));
	EXPECT_EQ(-1, write(self->fd, "nonsense\nclear\n", 15));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(file, writev_is_a_write_for_each_part)
{
	struct iovec two[2] = {
		{ .iov_base = "clear", .iov_len = 5 },
		{ .iov_base = "stack=off", .iov_len = 9 },
	};
	struct iovec torn[2] = {
		{ .iov_base = "cle", .iov_len = 3 },
		{ .iov_base = "ar", .iov_len = 2 },
	};

	EXPECT_EQ(14, writev(self->fd, two, 2));
	EXPECT_EQ(-1, writev(self->fd, torn, 2));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(file, bad_buffers_fault)
{
	const char *volatile nowhere = (const char *)8;

	EXPECT_EQ(-1, write(self->fd, nowhere, 4));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(0, kml_position(self->fd));
}

TEST_F(file, write_advances_the_position)
{
	EXPECT_EQ(0, kml_position(self->fd));
	EXPECT_EQ(5, write(self->fd, "clear", 5));
	EXPECT_EQ(5, kml_position(self->fd));
	EXPECT_EQ(10, write(self->fd, "stack=off\n", 10));
	EXPECT_EQ(15, kml_position(self->fd));
	EXPECT_EQ(-1, write(self->fd, "nonsense", 8));
	EXPECT_EQ(15, kml_position(self->fd));
	EXPECT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	EXPECT_EQ(0, kml_position(self->fd));
	EXPECT_EQ(5, write(self->fd, "clear", 5));
	EXPECT_EQ(5, kml_position(self->fd));
}

TEST_F(file, lseek_knows_set_and_cur)
{
	EXPECT_EQ(5, write(self->fd, "clear", 5));
	EXPECT_EQ(0, lseek(self->fd, -5, SEEK_CUR));
	EXPECT_EQ(-1, lseek(self->fd, -1, SEEK_SET));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, lseek(self->fd, 0, SEEK_END));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, kml_position(self->fd));
}

TEST_F(file, writes_have_no_place)
{
	EXPECT_EQ(-1, pwrite(self->fd, "clear", 5, 0));
	EXPECT_EQ(ESPIPE, errno);
}

TEST_F(file, descriptors_are_independent)
{
	int other = open(KML_FILE, O_RDWR);

	ASSERT_GE(other, 0);
	EXPECT_EQ(5, write(self->fd, "clear", 5));
	EXPECT_EQ(0, kml_position(other));
	EXPECT_EQ(9, write(other, "stack=off", 9));
	EXPECT_EQ(5, kml_position(self->fd));
	close(other);
}

/* Nothing is reported yet: each read returns 0. */
TEST_F(file, empty_report_reads_as_end_of_file)
{
	char buf[64];
	int i;

	EXPECT_EQ(5, write(self->fd, "clear", 5));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, lseek(self->fd, 0, SEEK_SET));
		EXPECT_EQ(0, read(self->fd, buf, sizeof(buf)));
		EXPECT_EQ(0, read(self->fd, buf, 1));
	}
	EXPECT_EQ(0, pread(self->fd, buf, sizeof(buf), 0));
}

TEST_F(file, concurrent_scans_take_turns)
{
	int i, status, children = 4;

	for (i = 0; i < children; i++) {
		pid_t pid = fork();

		ASSERT_GE(pid, 0);
		if (!pid)
			_exit(kml_command("scan") || kml_command("scan"));
	}
	for (i = 0; i < children; i++) {
		ASSERT_GT(wait(&status), 0);
		EXPECT_EQ(0, status);
	}
}

/* The thread exists, or has ended, when the write returns. */
TEST_F(file, scan_thread_starts_and_stops)
{
	static const char * const starts[] = { "scan=on", "scan=3600" };
	static const char * const stops[] = { "scan=off", "scan=0" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(starts); i++) {
		EXPECT_EQ(0, kml_command(starts[i]));
		EXPECT_TRUE(kml_task_exists("kmemleak"));
		/* a second start is no error */
		EXPECT_EQ(0, kml_command("scan=on"));
		EXPECT_EQ(0, kml_command(stops[i]));
		EXPECT_TRUE(kml_task_ends("kmemleak"));
		EXPECT_EQ(0, kml_command(stops[i]));
	}
}

TEST_F(file, scan_thread_says_when_it_starts_and_ends)
{
	int fd = kml_log_open();
	char *log;

	ASSERT_GE(fd, 0);
	EXPECT_EQ(0, kml_command("scan=on"));
	kml_sleep_ms(200);
	EXPECT_EQ(0, kml_command("scan=off"));
	log = kml_log_read(fd);
	ASSERT_NE(NULL, log);
	EXPECT_TRUE(kml_match(log,
			      "^kmemleak: Automatic memory scanning thread started$"));
	EXPECT_TRUE(kml_match(log,
			      "^kmemleak: Automatic memory scanning thread ended$"));
	free(log);
}

/* Module parameters */

FIXTURE(param) {
	char saved[16];
};

FIXTURE_VARIANT(param) {
	const char *path;
	mode_t mode;
	const char *good[4][2];		/* written, read back */
	const char *bad[3];
};

FIXTURE_VARIANT_ADD(param, min_unref_scans) {
	.path = KML_PARAM("min_unref_scans"),
	.mode = 0644,
	.good = { { "0", "0" }, { "3\n", "3" }, { "0x10", "16" },
		  { "4294967295", "4294967295" } },
	.bad = { "-1", "few", "4294967296" },
};

FIXTURE_VARIANT_ADD(param, verbose) {
	.path = KML_PARAM("verbose"),
	.mode = 0600,
	.good = { { "1", "Y" }, { "n\n", "N" }, { "on", "Y" }, { "0", "N" } },
	.bad = { "2", "maybe", "-" },
};

FIXTURE_SETUP(param)
{
	ASSERT_EQ(0, kml_read_file(variant->path, self->saved,
				   sizeof(self->saved)));
}

FIXTURE_TEARDOWN(param)
{
	kml_write_file(variant->path, self->saved);
}

TEST_F(param, has_its_mode)
{
	struct stat st;

	ASSERT_EQ(0, stat(variant->path, &st));
	EXPECT_EQ(S_IFREG | variant->mode, st.st_mode);
}

TEST_F(param, reads_back_what_was_written)
{
	char buf[32];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(variant->good); i++) {
		EXPECT_EQ(0, kml_write_file(variant->path,
					    variant->good[i][0]));
		EXPECT_EQ(0, kml_read_file(variant->path, buf, sizeof(buf)));
		EXPECT_STREQ(variant->good[i][1], buf);
	}
}

TEST_F(param, refuses_nonsense)
{
	char before[32], after[32];
	size_t i;

	kml_read_file(variant->path, before, sizeof(before));
	for (i = 0; i < ARRAY_SIZE(variant->bad); i++) {
		const char *value = variant->bad[i];

		EXPECT_LT(kml_write_file(variant->path, value), 0)
			TH_LOG("\"%s\"", value);
	}
	kml_read_file(variant->path, after, sizeof(after));
	EXPECT_STREQ(before, after);
}

/* Other test suites look for this symbol before they scan. */
TEST(kmemleak_init_is_in_kallsyms)
{
	char line[512];
	bool found = false;
	FILE *file;

	file = fopen("/proc/kallsyms", "r");
	if (!file)
		SKIP(return, "no /proc/kallsyms");
	while (!found && fgets(line, sizeof(line), file))
		found = strstr(line, " kmemleak_init\n");
	fclose(file);
	EXPECT_TRUE(found);
}

int main(int argc, char **argv)
{
	kml_setup(KML_NEED_ENABLED);
	return test_harness_run(argc, argv);
}
