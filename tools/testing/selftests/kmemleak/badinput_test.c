// SPDX-License-Identifier: GPL-2.0
/*
 * Wrong input for kmemleak's files: any byte, too many or too few, from unmapped memory;
 * wrong numbers; addresses without an object; and users without the right to write. The
 * errors are the same as those of stock. Afterwards kmemleak works as before.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "kmemleak_util.h"

#define LOOKED_AT	63	/* bytes of a write */
#define NOBODY		65534
#define PARAMS		"/sys/module/kmemleak/parameters/"

static struct kst_obj leak, held;
/* addresses that the compiler must not know */
static void *volatile nowhere = (void *)8, *volatile beyond = (void *)-4096L;

/* The expected result of a command, from its documentation */

#define ANY_ERROR	1	/* 0 or -EINVAL: there may be such an object */

static bool begins(const char *text, const char *word)
{
	return !strncmp(text, word, strlen(word));
}

/* An unsigned int, as kstrtouint() reads it: in any base, with one newline at most. */
static int number(const char *s)
{
	unsigned __int128 value = 0;
	int base = 10, digit;
	bool any = false;

	if (*s == '+')
		s++;
	if (s[0] == '0' && (s[1] | 32) == 'x' && isxdigit((unsigned char)s[2])) {
		base = 16;
		s += 2;
	} else if (s[0] == '0') {
		base = 8;
	}
	for (; isxdigit((unsigned char)*s); s++) {
		digit = isdigit((unsigned char)*s) ? *s - '0' : (*s | 32) - 'a' + 10;
		if (digit >= base)
			break;
		any = true;
		if (value <= ULLONG_MAX)
			value = value * base + digit;
	}
	if (!any)
		return -EINVAL;
	/* an overflow is noticed before wrong characters after it */
	if (value > ULLONG_MAX)
		return -ERANGE;
	if (*s == '\n')
		s++;
	if (*s)
		return -EINVAL;
	return value > UINT_MAX ? -ERANGE : 0;
}

static int expected(const char *data, size_t len)
{
	char text[LOOKED_AT + 1] = "";

	memcpy(text, data, len < LOOKED_AT ? len : LOOKED_AT);
	if (begins(text, "clear") || begins(text, "stack=on") || begins(text, "stack=off") ||
	    begins(text, "scan=on") || begins(text, "scan=off"))
		return 0;
	if (begins(text, "scan="))
		return number(text + 5);
	if (begins(text, "scan"))
		return 0;
	if (begins(text, "dump="))
		return ANY_ERROR;
	if (!kml_is_stock() && (begins(text, "check") || begins(text, "mark")))
		return 0;
	if (!kml_is_stock() && (begins(text, "parallel=on") || begins(text, "parallel=off")))
		return 0;
	if (!kml_is_stock() && begins(text, "parallel="))
		return number(text + 9);
	return -EINVAL;
}

FIXTURE(bad) {
	int fd;
};

FIXTURE_SETUP(bad)
{
	self->fd = open(KML_FILE, O_RDWR);
	ASSERT_GE(self->fd, 0);
}

/* kmemleak works as before, and has kept its objects. */
FIXTURE_TEARDOWN(bad)
{
	close(self->fd);
	kml_command("scan=off");
	EXPECT_EQ(0, kml_command("stack=off"));
	EXPECT_EQ(0, kml_scan());
	EXPECT_LISTED(leak);
	EXPECT_UNLISTED(held);
	EXPECT_FALSE(kml_task_exists("kmemleak"));
}

/* Neither "clear", which would remove the report of the leak, nor "off". */
static void try(struct __test_metadata *_metadata, int fd, const char *data, size_t len)
{
	int want = expected(data, len), got;
	ssize_t ret;

	errno = 0;
	ret = write(fd, data, len);
	got = ret < 0 ? -errno : 0;
	if (want == ANY_ERROR && (got == 0 || got == -EINVAL))
		want = got;
	EXPECT_EQ(want, got)
		TH_LOG("%zu bytes, \"%.*s\", first 0x%02x", len, (int)len, data,
		       len ? (unsigned char)data[0] : 0);
	if (ret >= 0)
		EXPECT_EQ((ssize_t)len, ret);
}

TEST_F(bad, every_byte_alone)
{
	int i;

	for (i = 0; i < 256; i++) {
		char byte = i;

		try(_metadata, self->fd, &byte, 1);
	}
	EXPECT_EQ(0, kml_position(self->fd));
}

TEST_F(bad, every_byte_behind_a_word)
{
	static const char * const words[] = {
		"scan=", "stack=", "stack=o", "scan=6", "scan=0x", "dump=", "dump=0x", "dump=1",
		"parallel=", "parallel=1", "parallel=o", "sca", "clea", "dump", "parallel",
		"chec", "mar", "mark", "mark=",
	};
	char text[32];
	size_t i, len;
	int byte;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		for (byte = 0; byte < 256; byte++) {
			len = strlen(words[i]);
			memcpy(text, words[i], len);
			text[len] = byte;
			if (begins(words[i], "clea") && byte == 'r')
				continue;
			if (begins(words[i], "sca") && !words[i][3] && byte == 'n')
				continue;
			if (begins(words[i], "chec") && byte == 'k')
				continue;
			try(_metadata, self->fd, text, len + 1);
			/* a period starts the thread, which scans */
			if (begins(words[i], "scan=") && isxdigit(byte))
				EXPECT_EQ(8, write(self->fd, "scan=off", 8));
		}
	}
}

TEST_F(bad, every_byte_in_front_of_a_word)
{
	int byte;

	for (byte = 0; byte < 256; byte++) {
		char text[] = "?scan";

		text[0] = byte;
		try(_metadata, self->fd, text, 5);
	}
}

/* Random words, some of them nearly right. */
TEST_F(bad, any_bytes)
{
	static const char * const near[] = {
		"", "scan=", "stack=", "dump=0x", "parallel=", "Scan", " scan", "scan =", "=",
	};
	static const char likely[] = "0123456789abcdefxon+-\n =";
	char data[300];
	size_t len, start, i;
	int n;

	srandom(1);
	for (n = 0; n < 4000; n++) {
		const char *word = near[n % ARRAY_SIZE(near)];

		start = strlen(word);
		memcpy(data, word, start);
		len = start + random() % (n % 16 ? 40 : sizeof(data) - start);
		for (i = start; i < len; i++)
			data[i] = random() % 4 ? likely[random() % strlen(likely)] : random();
		if (begins(data, "off") || begins(data, "clear") ||
		    (begins(data, "scan") && data[4] != '='))
			continue;
		try(_metadata, self->fd, data, len);
		if (begins(data, "scan="))
			EXPECT_EQ(8, write(self->fd, "scan=off", 8));
	}
}

TEST_F(bad, numbers_that_overflow)
{
	static const char * const numbers[] = {
		"4294967296", "4294967295", "0x100000000", "0xffffffff", "037777777777",
		"040000000000", "18446744073709551615", "18446744073709551616",
		"99999999999999999999999999999999999999", "-1", "-0", "--1", "+-1", "++1", "0x",
		"0x0x1", "1e3", "0b1", "1_000", "1,000", "\xd9\xa1", "0xg", "08", "+", "-",
	};
	static const char * const words[] = { "scan=", "parallel=" };
	char text[80];
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		for (k = 0; k < ARRAY_SIZE(numbers); k++) {
			snprintf(text, sizeof(text), "%s%s", words[i], numbers[k]);
			try(_metadata, self->fd, text, strlen(text));
			EXPECT_EQ(8, write(self->fd, "scan=off", 8));
		}
	}
	if (!kml_is_stock())
		EXPECT_EQ(0, kml_command("parallel=on"));
}

/* Memory that ends before the write does */
TEST_F(bad, buffers_that_end_too_early)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *map, *end;

	map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, munmap(map + page, page));
	end = map + page;

	memcpy(end - 4, "scan", 4);
	EXPECT_EQ(-1, write(self->fd, end - 4, 5));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, write(self->fd, end - 4, 4096));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, write(self->fd, end, 1));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(4, write(self->fd, end - 4, 4));
	/* bytes after the command are not read */
	memcpy(end - 7, "scan=0", 7);
	EXPECT_EQ(100, write(self->fd, end - 7, 100));
	/* nor are bytes after the 63rd */
	memset(end - LOOKED_AT, ' ', LOOKED_AT);
	memcpy(end - LOOKED_AT, "stack=off", 9);
	EXPECT_EQ(4096, write(self->fd, end - LOOKED_AT, 4096));
	EXPECT_EQ(-1, write(self->fd, beyond, 4));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, read(self->fd, beyond, 4096));
	EXPECT_EQ(EFAULT, errno);
	munmap(map, page);
}

/* Reads into unmapped memory lose no report. */
TEST_F(bad, reads_into_nowhere)
{
	char *before, *after;
	size_t len;

	ASSERT_EQ(0, kml_command("stack=off"));
	kml_scan();
	before = kml_read_chunks(self->fd, 1 << 20, &len);
	ASSERT_NE(NULL, before);
	ASSERT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	if (len) {
		EXPECT_EQ(-1, read(self->fd, nowhere, 100));
		EXPECT_EQ(EFAULT, errno);
	}
	ASSERT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	after = kml_read_chunks(self->fd, 1 << 20, &len);
	ASSERT_NE(NULL, after);
	EXPECT_EQ(0, strcmp(before, after));
	EXPECT_EQ(0, read(self->fd, before, 0));
	EXPECT_EQ(0, pread(self->fd, before, 10, LLONG_MAX - 10));
	EXPECT_EQ(-1, pread(self->fd, before, 10, -1));
	EXPECT_EQ(EINVAL, errno);
	free(before);
	free(after);
}

static void dump(struct __test_metadata *_metadata, unsigned long address)
{
	char text[40];
	int ret;

	snprintf(text, sizeof(text), "dump=0x%lx", address);
	ret = kml_command(text);
	EXPECT_TRUE(ret == 0 || ret == -EINVAL)
		TH_LOG("%s: %s", text, strerror(-ret));
}

TEST_F(bad, dumps_of_wild_addresses)
{
	static const char * const none[] = {
		"dump=", "dump=\n", "dump=x", "dump=-1", "dump=0x", "dump= 1", "dump=1 ",
		"dump=0x10000000000000000", "dump=18446744073709551616", "dump=0xffff8880z",
		"dump=ffff888000000000", "dump=0x1\n\n", "dump=(null)", "dump=0x1,0x2",
	};
	unsigned long bit;
	size_t i;
	int d;

	for (i = 0; i < ARRAY_SIZE(none); i++) {
		const char *text = none[i];

		EXPECT_EQ(-EINVAL, kml_command(text))
			TH_LOG("\"%s\"", text);
	}
	for (bit = 1; bit; bit <<= 1)
		for (d = -1; d <= 1; d++) {
			dump(_metadata, bit + d);
			dump(_metadata, ~bit + d);
		}
	srandom(1);
	for (i = 0; i < 200; i++)
		dump(_metadata, (unsigned long)random() << (random() % 34));
}

TEST_F(bad, dumps_around_an_object)
{
	struct kst_obj obj = held;
	char text[64];
	long offset;
	int ret;

	for (offset = -16; offset < (long)obj.size + 16; offset++) {
		snprintf(text, sizeof(text), "dump=%s", kst_name(obj, offset));
		ret = kml_command(text);
		/* there may be another object beside it */
		if (offset < 0 || offset >= (long)obj.size)
			EXPECT_TRUE(ret == 0 || ret == -EINVAL);
		if (offset >= 0 && offset < (long)obj.size)
			EXPECT_EQ(0, ret);
	}
	memset(text, 0, sizeof(text));
}

/* Users */

/* In a child without rights, whose exit status is the number of successes. */
static int as_nobody(int (*what)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY))
			_exit(99);
		_exit(what());
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static int opens(const char *path, int flags, int err)
{
	int fd = open(path, flags);

	if (fd >= 0) {
		printf("# %s opened with flags %#x\n", path, flags);
		close(fd);
		return 1;
	}
	if (errno != err)
		printf("# %s: %s\n", path, strerror(errno));
	return errno != err;
}

static int try_all_files(void)
{
	static const int flags[] = { O_RDONLY, O_WRONLY, O_RDWR, O_WRONLY | O_TRUNC };
	int bad = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		bad += opens(KML_FILE, flags[i], EACCES);
		bad += opens(KML_STATS, flags[i], EACCES);
		bad += opens(PARAMS "verbose", flags[i], EACCES);
		if (flags[i] == O_RDONLY)
			continue;
		bad += opens(PARAMS "min_unref_scans", flags[i], EACCES);
		if (!kml_is_stock()) {
			bad += opens(PARAMS "filter", flags[i], EACCES);
			bad += opens(PARAMS "min_age_ms", flags[i], EACCES);
			bad += opens(PARAMS "since_mark", flags[i], EACCES);
			bad += opens(PARAMS "workers", flags[i], EACCES);
		}
	}
	bad += opens(PARAMS "min_unref_scans", O_RDONLY, 0) != 1;
	if (!kml_is_stock())
		bad += opens(PARAMS "filter", O_RDONLY, 0) != 1;
	return bad;
}

TEST_F(bad, nobody_gets_in)
{
	EXPECT_EQ(0, as_nobody(try_all_files));
}

static int try_to_write(void)
{
	static const int flags[] = { O_WRONLY, O_RDWR, O_WRONLY | O_TRUNC };
	int bad = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		bad += opens(KML_FILE, flags[i], EACCES);
		if (!kml_is_stock())
			bad += opens(KML_STATS, flags[i], EACCES);
	}
	/* anybody may read the file, but not the directory */
	bad += opens(KML_FILE, O_RDONLY, 0) != 1;
	return bad;
}

/* If everybody may read the directory, still only root may write the file. */
TEST_F(bad, an_open_directory_lets_nobody_write)
{
	struct stat st;

	ASSERT_EQ(0, stat("/sys/kernel/debug", &st));
	if (chmod("/sys/kernel/debug", 0755))
		SKIP(return, "the directory's mode cannot be changed");
	EXPECT_EQ(0, as_nobody(try_to_write));
	chmod("/sys/kernel/debug", st.st_mode & 07777);
}

static int inherited;

static int use_inherited(void)
{
	return write(inherited, "stack=off", 9) != 9;
}

/* As for any file, the rights of the task that has opened it matter. */
TEST_F(bad, a_descriptor_can_be_handed_over)
{
	inherited = self->fd;
	EXPECT_EQ(0, as_nobody(use_inherited));
}

/* The other file */

TEST_F(bad, statistics_cannot_be_written)
{
	char buf[64];
	int fd;

	if (kml_is_stock())
		SKIP(return, "this kmemleak has none");
	fd = open(KML_STATS, O_RDWR);
	if (fd >= 0) {
		EXPECT_EQ(-1, write(fd, "objects 0", 9));
		EXPECT_EQ(EINVAL, errno);
		close(fd);
	} else {
		EXPECT_EQ(EACCES, errno);
	}
	fd = open(KML_STATS, O_RDONLY);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(-1, write(fd, "x", 1));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(-1, read(fd, nowhere, 64));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, lseek(fd, -1, SEEK_SET));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, pread(fd, buf, sizeof(buf), 1 << 20));
	EXPECT_EQ(sizeof(buf), pread(fd, buf, sizeof(buf), 0));
	EXPECT_EQ(0, strncmp(buf, "enabled ", 8));
	close(fd);
}

int main(int argc, char **argv)
{
	kml_setup(KML_NEED_MODULE | KML_NEED_ENABLED);
	leak = kst_page(128);
	held = kst_page(128);
	kst_hold(held, 0);
	/* the first scan takes their checksums; when they are old enough they are reported */
	kml_scan();
	kml_sleep_ms(KML_AGE_MS);
	kml_scan();
	if (!kml_must_list(leak))
		ksft_exit_fail_msg("no leak is reported before anything is tried\n");
	return test_harness_run(argc, argv);
}
