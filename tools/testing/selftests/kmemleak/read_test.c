// SPDX-License-Identifier: GPL-2.0
/*
 * Reads of the report: in pieces of any size, from any offset, by one descriptor for
 * commands and reads, by sendfile(), and while leaks are freed.
 *
 * The leaks are planted and reported before the first test runs. The last tests free some
 * of them.
 */
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "../kselftest_harness.h"
#include "kmemleak_util.h"

#define NR_BULK		80

static struct kst_obj bulk[NR_BULK];
static bool found[NR_BULK];
static struct kst_obj percpu, live;

FIXTURE(reading) {
	int fd;
};

FIXTURE_SETUP(reading)
{
	self->fd = open(KML_FILE, O_RDWR);
	ASSERT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN(reading)
{
	close(self->fd);
}

/*
 * The dump of a per-CPU block is that of the CPU that reads, and a task may change its
 * CPU between two reads.
 */
static char *read_pinned(int fd, size_t chunk, size_t *len)
{
	char *text;

	kml_pin(0);
	text = lseek(fd, 0, SEEK_SET) ? NULL : kml_read_chunks(fd, chunk, len);
	kml_pin(-1);
	return text;
}

/*
 * See kml_load(): our report must be correct at the first try, stock may try again for
 * some time.
 */
static bool another_try(int tries)
{
	if (!kml_is_stock() || tries >= 20)
		return false;
	kml_sleep_ms(50);
	return true;
}

/* The whole report, with which other reads are compared. */
static char *read_all(int fd, size_t *len)
{
	char *text = read_pinned(fd, 1 << 22, len), *last = NULL;
	int tries = 0;

	while (text && (!last || strcmp(text, last)) && another_try(tries++)) {
		free(last);
		last = text;
		text = read_pinned(fd, 1 << 22, len);
	}
	free(last);
	return text;
}

TEST_F(reading, any_chunk_size_gives_the_same_bytes)
{
	static const size_t chunks[] = {
		1, 7, 64, 1000, 4095, 4096, 4097, 65536, 128 << 10, 1 << 20,
	};
	size_t len, all_len, i;
	char *text, *all;

	all = read_all(self->fd, &all_len);
	ASSERT_NE(NULL, all);
	EXPECT_GT(all_len, 16384);
	for (i = 0; i < ARRAY_SIZE(chunks); i++) {
		int tries = 0;

		text = read_pinned(self->fd, chunks[i], &len);
		while (text && strcmp(all, text) && another_try(tries++)) {
			free(text);
			free(all);
			all = read_all(self->fd, &all_len);
			text = read_pinned(self->fd, chunks[i], &len);
		}
		ASSERT_NE(NULL, text);
		EXPECT_EQ(all_len, len)
			TH_LOG("%zu bytes at a time", chunks[i]);
		EXPECT_EQ(0, strcmp(all, text))
			TH_LOG("%zu bytes at a time", chunks[i]);
		free(text);
	}
	free(all);
}

TEST_F(reading, pread_and_lseek_reach_any_offset)
{
	static const long offsets[] = {
		1, 19, 4095, 4096, 4097, 9999, 3, 16384, 0,
	};
	char part[100], *all;
	size_t len, i;

	all = read_all(self->fd, &len);
	ASSERT_NE(NULL, all);
	kml_pin(0);
	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		ASSERT_EQ(100, pread(self->fd, part, 100, offsets[i]));
		EXPECT_EQ(0, memcmp(part, all + offsets[i], 100))
			TH_LOG("pread at %ld", offsets[i]);
		ASSERT_EQ(offsets[i], lseek(self->fd, offsets[i], SEEK_SET));
		ASSERT_EQ(100, read(self->fd, part, 100));
		EXPECT_EQ(0, memcmp(part, all + offsets[i], 100))
			TH_LOG("read at %ld", offsets[i]);
		EXPECT_EQ(offsets[i] + 100, kml_position(self->fd));
	}
	EXPECT_EQ(0, pread(self->fd, part, 100, len));
	EXPECT_EQ(0, pread(self->fd, part, 100, len + 4096));
	EXPECT_EQ(10, pread(self->fd, part, 100, len - 10));
	free(all);
}

TEST_F(reading, readv_fills_its_parts)
{
	char one[10], two[500], *all;
	struct iovec parts[2] = {
		{ .iov_base = one, .iov_len = sizeof(one) },
		{ .iov_base = two, .iov_len = sizeof(two) },
	};
	size_t len;

	all = read_all(self->fd, &len);
	ASSERT_NE(NULL, all);
	ASSERT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	ASSERT_EQ(510, readv(self->fd, parts, 2));
	EXPECT_EQ(0, memcmp(one, all, sizeof(one)));
	EXPECT_EQ(0, memcmp(two, all + sizeof(one), sizeof(two)));
	free(all);
}

/* After a write, reading continues at the position of the write. */
TEST_F(reading, read_after_write_is_at_the_position)
{
	char part[64], *all;
	size_t len;

	all = read_all(self->fd, &len);
	ASSERT_NE(NULL, all);
	ASSERT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	ASSERT_EQ(9, write(self->fd, "stack=off", 9));
	ASSERT_EQ(64, read(self->fd, part, 64));
	EXPECT_EQ(0, memcmp(part, all + 9, 64));
	free(all);
}

TEST_F(reading, end_of_file_stays_end_of_file)
{
	char byte;
	size_t len;

	free(kml_read_chunks(self->fd, 4096, &len));
	EXPECT_EQ(0, read(self->fd, &byte, 1));
	EXPECT_EQ(0, read(self->fd, &byte, 1));
}

/* wireguard's init copies the report to its stdout by sendfile(). */
TEST_F(reading, sendfile_copies_it_all)
{
	size_t len, all_len, done = 0;
	char *all, *text;
	ssize_t ret;
	FILE *out;

	kml_pin(0);
	all = read_all(self->fd, &all_len);
	ASSERT_NE(NULL, all);
	out = tmpfile();
	ASSERT_NE(NULL, out);
	ASSERT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	kml_pin(0);
	while ((ret = sendfile(fileno(out), self->fd, NULL, 0x7ffff000)) > 0)
		done += ret;
	if (ret < 0 && errno == EINVAL && kml_is_stock())
		SKIP(return, "this kmemleak has no sendfile()");
	ASSERT_EQ(0, ret)
		TH_LOG("sendfile: %s", strerror(errno));
	EXPECT_EQ(all_len, done);
	rewind(out);
	text = kml_read_chunks(fileno(out), 4096, &len);
	ASSERT_NE(NULL, text);
	EXPECT_STREQ(all, text);
	free(all);
	free(text);
	fclose(out);
}

/* The following tests free leaks. */

TEST_F(reading, each_lseek_gives_a_fresh_report)
{
	struct kml_report now;
	size_t len;
	char *text;

	free(kml_read_chunks(self->fd, 4096, &len));
	EXPECT_EQ(0, kst("free %d", bulk[3].slot));
	text = read_all(self->fd, &len);
	ASSERT_NE(NULL, text);
	ASSERT_EQ(0, kml_parse(text, len, &now));
	EXPECT_EQ(NULL, kml_find(&now, bulk[3]));
	EXPECT_TRUE(!found[2] || kml_find(&now, bulk[2]));
	EXPECT_TRUE(!found[4] || kml_find(&now, bulk[4]));
	kml_unload(&now);
}

/*
 * If objects, reported or not, are allocated or freed between two reads, no other entry is
 * lost or repeated.
 */
TEST_F(reading, frees_between_reads_lose_nothing)
{
	char *text = calloc(1, 1 << 20);
	struct kml_report now;
	size_t used = 0;
	ssize_t ret;
	int i, k, next = 10;

	if (kml_is_stock())
		SKIP(return, "this kmemleak counts objects, not entries");
	ASSERT_NE(NULL, text);
	while ((ret = read(self->fd, text + used, 512)) > 0) {
		used += ret;
		/* one before the position, one after it, and one that is no leak */
		if (next < NR_BULK / 2) {
			kst("free %d", bulk[next].slot);
			kst("free %d", bulk[NR_BULK - next].slot);
			next++;
		}
		kst("free %d", live.slot);
	}
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, kml_parse(text, used, &now));
	for (i = 0; i < NR_BULK; i++) {
		bool gone = i == 3 || (i >= 10 && i <= NR_BULK - 10);
		int seen = 0;

		for (k = 0; k < now.nr; k++)
			seen += now.entry[k].key == bulk[i].key;
		EXPECT_LE(seen, 1)
			TH_LOG("bulk object %d is listed %d times", i, seen);
		EXPECT_TRUE(gone || seen || !found[i])
			TH_LOG("bulk object %d is missing", i);
	}
	kml_unload(&now);
}

TEST_F(reading, clear_empties_it)
{
	char byte;

	EXPECT_EQ(5, write(self->fd, "clear", 5));
	EXPECT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	EXPECT_EQ(0, read(self->fd, &byte, 1));
}

int main(int argc, char **argv)
{
	struct kml_report report = {};
	int i, tries, nr = 0;

	kml_setup(KML_NEED_MODULE | KML_NEED_ENABLED);
	live = kst_page(64);
	kst_hold(live, 0);
	kst_burst("page", NR_BULK, 200, bulk);
	percpu = kst_make(96, "percpu", "");
	kst("fill %d 1", percpu.slot);
	kml_sleep_ms(KML_AGE_MS);
	kml_scan();
	/* until the last report, which is read, has all */
	for (tries = 0; tries < 10 && nr < NR_BULK; tries++) {
		kml_unload(&report);
		kml_scan();
		if (kml_load(&report))
			ksft_exit_fail_msg("the report cannot be parsed\n");
		for (nr = 0, i = 0; i < NR_BULK; i++) {
			found[i] = kml_find(&report, bulk[i]);
			nr += found[i];
		}
	}
	if (nr < NR_BULK / 2)
		ksft_exit_fail_msg("only %d leaks of %d found\n", nr, NR_BULK);
	return test_harness_run(argc, argv);
}
