// SPDX-License-Identifier: GPL-2.0
/*
 * Messages about callers that misuse hooks. Each has a backtrace of the caller, which a
 * check of the log takes for a bug, so this test is run only by name.
 */
#include "../kselftest_harness.h"
#include "kmemleak_util.h"

FIXTURE(warning) {
	struct kst_obj known, unknown;
	char text[160];
	char *log;
	int fd;
};

FIXTURE_SETUP(warning)
{
	ASSERT_EQ(0, kst("reset"));
	self->known = kst_page(64);
	self->unknown = kst_bare(64);
	self->fd = kml_log_open();
	ASSERT_GE(self->fd, 0);
	self->log = NULL;
}

FIXTURE_TEARDOWN(warning)
{
	free(self->log);
	kst("reset");
}

#define EXPECT_WARNING(fmt, obj, offset)				\
do {									\
	snprintf(self->text, sizeof(self->text), "^kmemleak: " fmt "$",	\
		 kst_name(obj, offset));				\
	self->log = kml_log_read(self->fd);				\
	ASSERT_NE(NULL, self->log);					\
	EXPECT_TRUE(kml_match(self->log, self->text))			\
		TH_LOG("%s", self->log);				\
	/* and the caller */						\
	EXPECT_TRUE(kml_match(self->log, "kst_"));			\
} while (0)

TEST_F(warning, transient_leak_of_an_unknown_object)
{
	if (kst_hook("transient_leak", self->unknown) == -EOPNOTSUPP)
		SKIP(return, "this kernel has no kmemleak_transient_leak()");
	EXPECT_WARNING("Not resetting the checksum of an unknown object at %s",
		       self->unknown, 0);
}

TEST_F(warning, no_scan_of_an_unknown_object)
{
	kst_hook("no_scan", self->unknown);
	EXPECT_WARNING("Not scanning unknown object at %s",
		       self->unknown, 0);
}

TEST_F(warning, scan_area_in_an_unknown_object)
{
	kst_hook("scan_area", self->unknown);
	EXPECT_WARNING("Adding scan area to unknown object at %s",
		       self->unknown, 0);
}

TEST_F(warning, scan_area_beyond_the_end)
{
	kst_hook_part("scan_area", self->known, 32, 64);
	EXPECT_WARNING("Scan area larger than object %s",
		       self->known, 32);
}

TEST_F(warning, free_of_an_inner_pointer)
{
	kst_hook_part("free", self->known, 8, 0);
	EXPECT_WARNING("Found object by alias at %s",
		       self->known, 8);
	/* the object is not freed */
	free(self->log);
	kst_hook("not_leak", self->known);
	self->log = kml_log_read(self->fd);
	ASSERT_NE(NULL, self->log);
	EXPECT_FALSE(kml_match(self->log, "unknown object"))
		TH_LOG("%s", self->log);
}

TEST_F(warning, vmalloc_with_an_unknown_vm_struct)
{
	struct kst_obj vm = kst_bare(256);

	kst("vmstruct %d %d", vm.slot, self->unknown.slot);
	EXPECT_WARNING("Setting excess_ref on unknown object at %s",
		       vm, 0);
}

/* Logged with the other block, once for each call site, and counted. */
TEST_F(warning, block_in_the_place_of_another)
{
	long before = kml_stat("overlaps");
	char line[160];

	if (kml_is_stock())
		SKIP(return, "stock goes off");
	ASSERT_EQ(0, kst("overlap %d", self->known.slot));
	EXPECT_WARNING("Cannot insert %s into the object search tree \\(overlaps existing\\)",
		       self->known, 32);
	snprintf(line, sizeof(line), "^kmemleak: Object %s \\(size 64\\):$",
		 kst_name(self->known, 0));
	EXPECT_TRUE(kml_match(self->log, line))
		TH_LOG("%s", self->log);
	EXPECT_FALSE(kml_match(self->log, "disabled"));
	EXPECT_EQ(before + 1, kml_stat("overlaps"));
	EXPECT_EQ(1, kml_stat("enabled"));

	free(self->log);
	ASSERT_EQ(0, kst("overlap %d", self->known.slot));
	self->log = kml_log_read(self->fd);
	ASSERT_NE(NULL, self->log);
	EXPECT_FALSE(kml_match(self->log, "Cannot insert"))
		TH_LOG("%s", self->log);
	EXPECT_EQ(before + 2, kml_stat("overlaps"));

	/* it is read, until its memory is freed */
	EXPECT_EQ(1, kml_stat("reserve_blocks"));
	EXPECT_EQ(0, kml_scan());
	ASSERT_EQ(0, kst("reset"));
	EXPECT_EQ(0, kml_stat("reserve_blocks"));
}

/* kmemleak stays enabled. */
TEST(kmemleak_goes_on)
{
	EXPECT_EQ(0, kml_scan());
}

int main(int argc, char **argv)
{
	kml_setup(KML_NEED_MODULE | KML_NEED_ENABLED);
	return test_harness_run(argc, argv);
}
