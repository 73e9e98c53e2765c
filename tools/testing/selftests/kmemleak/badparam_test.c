// SPDX-License-Identifier: GPL-2.0
/*
 * Wrong values for kmemleak's module parameters. badinput_test.c tests its files, and
 * users without rights.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>

#include "../kselftest_harness.h"
#include "kmemleak_util.h"

static int write_param(const char *name, const char *data, size_t len)
{
	char path[128];
	ssize_t ret;
	int fd;

	snprintf(path, sizeof(path), KML_PARAM("%s"), name);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return -errno;
	ret = write(fd, data, len);
	ret = ret < 0 ? -errno : ret == (ssize_t)len ? 0 : -EIO;
	close(fd);
	return ret;
}

static void read_param(const char *name, char *buf, size_t size)
{
	char path[128];

	snprintf(path, sizeof(path), KML_PARAM("%s"), name);
	kml_read_file(path, buf, size);
}

TEST(parameters_take_what_they_are_for)
{
	static const char * const bad_numbers[] = {
		"-1", "4294967296", "99999999999999999999", "1 2", "1x", " 1", "0x", "1.5",
		"one", "1\n\n", "+-1",
	};
	static const char * const bad_words[] = { "2", "-1", "maybe", "oo", " 1" };
	char before[32], after[32], big[5000];
	size_t i;
	int byte;

	read_param("min_unref_scans", before, sizeof(before));
	for (i = 0; i < ARRAY_SIZE(bad_numbers); i++)
		EXPECT_LT(write_param("min_unref_scans", bad_numbers[i], strlen(bad_numbers[i])), 0)
			TH_LOG("\"%s\"", bad_numbers[i]);
	memset(big, '9', sizeof(big));
	EXPECT_LT(write_param("min_unref_scans", big, 4000), 0);
	EXPECT_LT(write_param("min_unref_scans", big, sizeof(big)), 0);
	read_param("min_unref_scans", after, sizeof(after));
	EXPECT_STREQ(before, after);
	for (byte = 0; byte < 256; byte++) {
		char text = byte;

		EXPECT_EQ(isdigit(byte) ? 0 : -EINVAL, write_param("min_unref_scans", &text, 1))
			TH_LOG("byte 0x%x", byte);
	}
	EXPECT_EQ(0, write_param("min_unref_scans", before, strlen(before)));

	read_param("verbose", before, sizeof(before));
	for (i = 0; i < ARRAY_SIZE(bad_words); i++)
		EXPECT_EQ(-EINVAL, write_param("verbose", bad_words[i], strlen(bad_words[i])))
			TH_LOG("\"%s\"", bad_words[i]);
	read_param("verbose", after, sizeof(after));
	EXPECT_STREQ(before, after);
	for (byte = 0; byte < 256; byte++) {
		char text = byte;

		/* "enable" and "disable": only some kernels know them */
		if (byte && strchr("eEdD", byte))
			continue;
		EXPECT_EQ(byte && strchr("yYtT1nNfF0", byte) ? 0 : -EINVAL,
			  write_param("verbose", &text, 1))
			TH_LOG("byte 0x%x", byte);
	}
	EXPECT_EQ(0, write_param("verbose", before, strlen(before)));
}

/* A wrong name changes nothing, whichever byte is wrong. */
TEST(filters_are_known_by_name)
{
	static const char * const names[] = { "", "auto", "generi", "auto\n" };
	char before[32], after[32], text[32];
	char big[5000];
	size_t i, len;
	int byte;

	if (kml_is_stock())
		SKIP(return, "this kmemleak has none");
	read_param("filter", before, sizeof(before));
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		len = strlen(names[i]);
		memcpy(text, names[i], len);
		for (byte = 0; byte < 256; byte++) {
			bool ends = !byte || byte == '\n', known;

			text[len] = byte;
			/* the end or one newline may follow */
			known = (ends && i == 1) || (byte == 'c' && i == 2) || (!byte && i == 3);
			EXPECT_EQ(known ? 0 : -EINVAL, write_param("filter", text, len + 1))
				TH_LOG("\"%s\" and byte 0x%x", names[i], byte);
			read_param("filter", after, sizeof(after));
			if (!known) {
				EXPECT_STREQ(before, after);
				continue;
			}
			EXPECT_EQ(0, write_param("filter", before, strlen(before)));
		}
	}
	memset(big, 'a', sizeof(big));
	EXPECT_LT(write_param("filter", big, 4000), 0);
	EXPECT_LT(write_param("filter", big, sizeof(big)), 0);
	read_param("filter", after, sizeof(after));
	EXPECT_STREQ(before, after);
	EXPECT_EQ(0, kml_scan());
}

/* A number that is in a range. */
static void refuses_other_numbers(struct __test_metadata *_metadata, const char *name,
				  const char * const *bad, size_t nr, const char *least,
				  const char *most)
{
	char before[32], after[32];
	size_t i;

	read_param(name, before, sizeof(before));
	for (i = 0; i < nr; i++)
		EXPECT_LT(write_param(name, bad[i], strlen(bad[i])), 0)
			TH_LOG("%s: \"%s\"", name, bad[i]);
	read_param(name, after, sizeof(after));
	EXPECT_STREQ(before, after);
	EXPECT_EQ(0, write_param(name, least, strlen(least)));
	EXPECT_EQ(0, write_param(name, most, strlen(most)));
	EXPECT_EQ(0, write_param(name, before, strlen(before)));
}

TEST(depth_is_a_number_of_frames)
{
	static const char * const bad[] = { "0", "17", "-1", "4294967297", "all" };

	if (kml_is_stock())
		SKIP(return, "this kmemleak has none");
	refuses_other_numbers(_metadata, "depth", bad, ARRAY_SIZE(bad), "1", "16");
}

TEST(budget_is_a_percentage)
{
	static const char * const bad[] = { "101", "-1", "4294967296", "50%" };

	if (kml_is_stock())
		SKIP(return, "this kmemleak has none");
	refuses_other_numbers(_metadata, "budget", bad, ARRAY_SIZE(bad), "0", "100");
}

TEST(other_parameters_cannot_be_written)
{
	if (kml_is_stock())
		SKIP(return, "this kmemleak has none");
	EXPECT_EQ(-EACCES, write_param("workers", "1", 1));
}

int main(int argc, char **argv)
{
	kml_setup(KML_NEED_ENABLED);
	return test_harness_run(argc, argv);
}
