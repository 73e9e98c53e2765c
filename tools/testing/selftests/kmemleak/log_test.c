// SPDX-License-Identifier: GPL-2.0
/*
 * Messages of kmemleak in the kernel log: the number of new leaks, the leaks themselves
 * with verbose, and the output of dump=.
 *
 * Objects are planted and held, and are old enough when the first test runs, as in
 * policy_test.
 */
#include "../kselftest_harness.h"
#include "kmemleak_util.h"

#define NR_GROUP	5

/* the planter of all objects; tests run in its children */
static pid_t planter;

static struct kst_obj held(const char *kind, size_t size)
{
	struct kst_obj obj = kst_make(size, kind, "");

	kst_hold(obj, 0);
	return obj;
}

static void hold_all(struct kst_obj *objs, int nr, bool hold)
{
	int i;

	for (i = 0; i < nr; i++)
		if (hold)
			kst_hold(objs[i], 0);
		else
			kst_drop(objs[i]);
}

/* The messages of a command, whose result goes to @ret. */
static char *logged(const char *command, int *ret)
{
	int fd = kml_log_open();

	*ret = kml_command(command);
	return kml_log_read(fd);
}

static int count(const char *text, const char *what)
{
	int nr = 0;

	while ((text = strstr(text, what))) {
		text += strlen(what);
		nr++;
	}
	return nr;
}

/* The message about one leak, cut out of the log. */
static char *block_of(const char *log, struct kst_obj obj)
{
	char head[64], *block, *end;

	snprintf(head, sizeof(head), "kmemleak: unreferenced object %s ",
		 kst_name(obj, 0));
	log = strstr(log, head);
	if (!log)
		return NULL;
	block = strdup(log);
	end = strstr(block + 1, "kmemleak: unreferenced object");
	if (!end)
		end = strstr(block, " new suspected memory leaks");
	if (end) {
		while (end > block && end[-1] != '\n')
			end--;
		*end = '\0';
	}
	return block;
}

FIXTURE(log) {
	char *text;
	int ret;
};

FIXTURE_SETUP(log)
{
	self->text = NULL;
	ASSERT_EQ(0, kml_write_file(KML_PARAM("verbose"), "0"));
}

FIXTURE_TEARDOWN(log)
{
	free(self->text);
	kml_write_file(KML_PARAM("verbose"), "0");
}

/* Drop the objects of a group. Return: the log of the scan that reports them, or NULL. */
static char *log_of_report(struct kst_obj *objs, int nr)
{
	bool all = true;
	char *log;
	int i, ret;

	hold_all(objs, nr, false);
	kml_scan();
	log = logged("scan", &ret);
	for (i = 0; i < nr; i++)
		all &= kml_must_list(objs[i]);
	if (!ret && all)
		return log;
	free(log);
	return NULL;
}

/* The count */

static struct kst_obj counted[3], recount;

KST_PLANT(count)
{
	kst_burst("page", 3, 64, counted);
	hold_all(counted, 3, true);
	recount = held("page", 64);
}

TEST_F(log, new_leaks_are_counted)
{
	self->text = log_of_report(counted, 3);
	ASSERT_NE(NULL, self->text);
	EXPECT_TRUE(kml_match(self->text,
			      "^kmemleak: 3 new suspected memory leaks "
		"\\(see /sys/kernel/debug/kmemleak\\)$"))
		TH_LOG("%s", self->text);
	EXPECT_EQ(1, count(self->text, "kmemleak:"));
	/* they are not new any more */
	free(self->text);
	self->text = logged("scan", &self->ret);
	ASSERT_NE(NULL, self->text);
	EXPECT_EQ(0, count(self->text, "kmemleak:"));
}

TEST_F(log, a_leak_is_new_once)
{
	kst_drop(recount);
	kml_scan();
	kml_scan();
	EXPECT_LISTED(recount);
	kst_hold(recount, 0);
	kml_scan();
	EXPECT_FALSE(kml_listed(recount));
	kst_drop(recount);
	self->text = logged("scan", &self->ret);
	ASSERT_NE(NULL, self->text);
	EXPECT_EQ(0, count(self->text, "kmemleak:"));
	EXPECT_LISTED(recount);
}

/* Verbose */

/* a burst, then an object with its own backtrace, then a per-CPU object */
#define SINGLE	NR_GROUP
#define PERCPU	(NR_GROUP + 1)
#define NR_ALL	(NR_GROUP + 2)

static struct kst_obj group[NR_ALL], pair[2];

KST_PLANT(verbose)
{
	kst_burst("page", NR_GROUP, 200, group);
	group[SINGLE] = kst_page(4096);
	kst("fill %d 65", group[SINGLE].slot);
	group[PERCPU] = kst_make(64, "percpu", "");
	kst("fill %d 65", group[PERCPU].slot);
	hold_all(group, NR_ALL, true);
	kst_burst("page", 2, 200, pair);
	hold_all(pair, 2, true);
}

TEST_F(log, verbose_says_each_backtrace_once_a_scan)
{
	char line[256], *block;
	int i;

	ASSERT_EQ(0, kml_write_file(KML_PARAM("verbose"), "1"));
	self->text = log_of_report(group, NR_ALL);
	ASSERT_NE(NULL, self->text);
	snprintf(line, sizeof(line), "kmemleak: %d new suspected memory leaks "
		 "(see /sys/kernel/debug/kmemleak)\n", NR_GROUP + 2);
	EXPECT_NE(NULL, strstr(self->text, line))
		TH_LOG("%s", self->text);
	EXPECT_EQ(3, count(self->text, "kmemleak: unreferenced object"));

	/* the first object represents its group, without its content */
	block = block_of(self->text, group[0]);
	ASSERT_NE(NULL, block);
	snprintf(line, sizeof(line),
		 "^kmemleak: unreferenced object %s \\(size 200\\):$",
		 kst_name(group[0], 0));
	EXPECT_TRUE(kml_match(block, line));
	snprintf(line, sizeof(line),
		 "^kmemleak:   comm \"log_test\", pid %d, jiffies [0-9]+$",
		 planter);
	EXPECT_TRUE(kml_match(block, line))
		TH_LOG("%s", block);
	EXPECT_FALSE(kml_match(block, "hex dump"));
	EXPECT_TRUE(kml_match(block,
			      "^kmemleak:   backtrace \\(crc [0-9a-f]+\\):$"));
	EXPECT_TRUE(kml_match(block,
			      "^kmemleak:     kst_plant_page[.a-z0-9]*\\+0x[0-9a-f]+/0x[0-9a-f]+ "
		"\\[kmemleak_selftest\\]$"));
	snprintf(line, sizeof(line), "kmemleak:   ... and %d more object(s) "
		 "with the same backtrace\n", NR_GROUP - 1);
	EXPECT_EQ(1, count(block, line))
		TH_LOG("%s", block);
	free(block);
	for (i = 1; i < NR_GROUP; i++) {
		block = block_of(self->text, group[i]);
		EXPECT_EQ(NULL, block);
	}

	/* an object with its own backtrace is logged with its content */
	block = block_of(self->text, group[SINGLE]);
	ASSERT_NE(NULL, block);
	EXPECT_EQ(0, count(block, "more object(s)"));
	EXPECT_TRUE(kml_match(block,
			      "^kmemleak:   hex dump \\(first 32 bytes\\):$"));
	EXPECT_TRUE(kml_match(block,
			      "^kmemleak:     41 42 43 44 45 46 47 48 49 4a 4b 4c 4d 4e 4f 50"
		"  ABCDEFGHIJKLMNOP$"));
	EXPECT_EQ(2, count(block, "kmemleak:     41 42") +
		     count(block, "kmemleak:     51 52"));
	free(block);

	EXPECT_TRUE(kml_match(self->text,
			      "^kmemleak: unreferenced object \\(percpu\\) 0x[0-9a-f]+ "
		"\\(size 64\\):$"));
	EXPECT_TRUE(kml_match(self->text,
			      "^kmemleak:   hex dump \\(first 32 bytes on cpu [0-9]+\\):$"));
}

TEST_F(log, the_next_scan_starts_over)
{
	char *block;

	ASSERT_EQ(0, kml_write_file(KML_PARAM("verbose"), "1"));
	self->text = log_of_report(pair, 2);
	ASSERT_NE(NULL, self->text);
	block = block_of(self->text, pair[0]);
	ASSERT_NE(NULL, block);
	EXPECT_EQ(1, count(block, "kmemleak:   ... and 1 more object(s) with "
			   "the same backtrace\n"));
	free(block);
	free(self->text);
	/* no message without new leaks */
	self->text = logged("scan", &self->ret);
	ASSERT_NE(NULL, self->text);
	EXPECT_EQ(0, count(self->text, "kmemleak:"));
}

/* dump= */

static struct kst_obj dumped, dumped_percpu, dumped_phys, dumped_grey, twice;
static struct kst_obj dumped_black, beyond;

KST_PLANT(dump)
{
	dumped = held("page", 300);
	dumped_percpu = held("percpu", 64);
	dumped_phys = kst_make(4096, "phys", "");
	dumped_grey = kst_page_min(64, 0);
	dumped_black = kst_page(64);
	kst_hook("ignore", dumped_black);
	twice = held("page", 64);
	/* physical memory that no machine has, at an address without a tag */
	beyond = kst_bare(64);
	beyond.key = kml_scramble(1UL << (sizeof(long) == 8 ? 54 : 31));
	kst("rawphys %d %s 4096", beyond.slot, kst_name(beyond, 0));
}

static char *dump(struct kst_obj obj, long offset, int *ret)
{
	char command[64];

	snprintf(command, sizeof(command), "dump=%s\n", kst_name(obj, offset));
	return logged(command, ret);
}

TEST_F(log, dump_finds_by_any_inner_address)
{
	static const long offsets[] = { 0, 1, 8, 150, 299 };
	char head[128];
	size_t i;

	snprintf(head, sizeof(head), "^kmemleak: Object %s \\(size 300\\):$",
		 kst_name(dumped, 0));
	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		long offset = offsets[i];

		self->text = dump(dumped, offset, &self->ret);
		ASSERT_NE(NULL, self->text);
		EXPECT_EQ(0, self->ret);
		EXPECT_TRUE(kml_match(self->text, head))
			TH_LOG("offset %ld: %s", offset, self->text);
		free(self->text);
		self->text = NULL;
	}
}

TEST_F(log, dump_tells_all_about_an_object)
{
	static const char * const lines[] = {
		"^kmemleak:   comm \"log_test\", pid [0-9]+, jiffies [0-9]+$",
		"^kmemleak:   min_count = 1$",
		"^kmemleak:   count = [0-9]+$",
		"^kmemleak:   flags = 0x[0-9a-f]+$",
		"^kmemleak:   checksum = [0-9]+$",
		"^kmemleak:   backtrace:$",
		"^ kst_plant_page[.a-z0-9]*\\+0x[0-9a-f]+/0x[0-9a-f]+ "
		"\\[kmemleak_selftest\\]$",
	};
	size_t i;

	kml_scan();
	self->text = dump(dumped, 0, &self->ret);
	ASSERT_NE(NULL, self->text);
	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		const char *line = lines[i];

		EXPECT_TRUE(kml_match(self->text, line))
			TH_LOG("%s\nin\n%s", line, self->text);
	}
}

TEST_F(log, dump_shows_the_colour)
{
	self->text = dump(dumped_grey, 0, &self->ret);
	ASSERT_NE(NULL, self->text);
	EXPECT_TRUE(kml_match(self->text, "^kmemleak:   min_count = 0$"));
	free(self->text);
	self->text = dump(dumped_black, 0, &self->ret);
	ASSERT_NE(NULL, self->text);
	EXPECT_TRUE(kml_match(self->text, "^kmemleak:   min_count = -1$"));
}

TEST_F(log, dump_takes_numbers_in_any_base)
{
	static const char * const forms[] = {
		"dump=0x%lx", "dump=0X%lX\n", "dump=%lu", "dump=0%lo\n",
		"dump=+0x%lx",
	};
	char command[64], head[128];
	size_t i;

	snprintf(head, sizeof(head), "^kmemleak: Object %s ",
		 kst_name(dumped, 0));
	for (i = 0; i < ARRAY_SIZE(forms); i++) {
		snprintf(command, sizeof(command), forms[i],
			 kml_scramble(dumped.key));
		self->text = logged(command, &self->ret);
		ASSERT_NE(NULL, self->text);
		EXPECT_EQ(0, self->ret)
			TH_LOG("%s", command);
		EXPECT_TRUE(kml_match(self->text, head))
			TH_LOG("%s: %s", command, self->text);
		free(self->text);
		self->text = NULL;
	}
}

TEST_F(log, dump_knows_percpu_objects)
{
	char head[128];

	snprintf(head, sizeof(head),
		 "^kmemleak: Object \\(percpu\\) %s \\(size 64\\):$",
		 kst_name(dumped_percpu, 0));
	self->text = dump(dumped_percpu, 0, &self->ret);
	ASSERT_NE(NULL, self->text);
	EXPECT_EQ(0, self->ret);
	EXPECT_TRUE(kml_match(self->text, head))
		TH_LOG("%s", self->text);
	free(self->text);
	self->text = dump(dumped_percpu, 63, &self->ret);
	ASSERT_NE(NULL, self->text);
	EXPECT_EQ(0, self->ret);
	EXPECT_TRUE(kml_match(self->text, head));
}

TEST_F(log, dump_knows_physical_objects)
{
	char head[128];

	snprintf(head, sizeof(head),
		 "^kmemleak: Object \\(phys\\) %s \\(size 4096\\):$",
		 kst_name(dumped_phys, 0));
	self->text = dump(dumped_phys, 0, &self->ret);
	ASSERT_NE(NULL, self->text);
	EXPECT_EQ(0, self->ret);
	EXPECT_TRUE(kml_match(self->text, head))
		TH_LOG("%s", self->text);
	EXPECT_TRUE(kml_match(self->text, "^kmemleak:   min_count = 0$"));
	free(self->text);
	self->text = dump(dumped_phys, 4095, &self->ret);
	ASSERT_NE(NULL, self->text);
	EXPECT_EQ(0, self->ret);
	EXPECT_TRUE(kml_match(self->text, head));
}

TEST_F(log, physical_objects_beyond_memory_turn_black)
{
	kml_scan();
	self->text = dump(beyond, 0, &self->ret);
	ASSERT_NE(NULL, self->text);
	EXPECT_EQ(0, self->ret);
	EXPECT_TRUE(kml_match(self->text, "^kmemleak: Object \\(phys\\) "));
	EXPECT_TRUE(kml_match(self->text, "^kmemleak:   min_count = -1$"))
		TH_LOG("%s", self->text);
}

TEST_F(log, dump_of_an_unknown_address)
{
	static const long offsets[] = { 300, -1, 0, 1, -1, -4096 };
	struct kst_obj nothing = { .key = kml_scramble(0) };
	char line[128];
	size_t i;

	/* next to an object, and at both ends of all addresses */
	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		struct kst_obj from = i < 2 ? dumped : nothing;
		long offset = offsets[i];

		self->text = dump(from, offset, &self->ret);
		ASSERT_NE(NULL, self->text);
		EXPECT_EQ(-EINVAL, self->ret);
		snprintf(line, sizeof(line), "kmemleak: Unknown object at %s\n",
			 kst_name(from, offset));
		EXPECT_NE(NULL, strstr(self->text, line))
			TH_LOG("%s", self->text);
		EXPECT_EQ(1, count(self->text, "kmemleak:"));
		free(self->text);
		self->text = NULL;
	}
}

TEST_F(log, dump_of_a_freed_object)
{
	self->text = dump(twice, 0, &self->ret);
	EXPECT_EQ(0, self->ret);
	free(self->text);
	kst("free %d", twice.slot);
	self->text = dump(twice, 0, &self->ret);
	ASSERT_NE(NULL, self->text);
	EXPECT_EQ(-EINVAL, self->ret);
	EXPECT_TRUE(kml_match(self->text, "^kmemleak: Unknown object at 0x"));
}

TEST_F(log, dump_of_nonsense_is_silent)
{
	static const char * const bad[] = {
		"dump=", "dump=\n", "dump=x", "dump=0x", "dump=12z", "dump= 1",
		"dump=-1", "dump=0x10000000000000000", "dump",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		const char *command = bad[i];

		self->text = logged(command, &self->ret);
		ASSERT_NE(NULL, self->text);
		EXPECT_EQ(-EINVAL, self->ret)
			TH_LOG("\"%s\"", command);
		EXPECT_EQ(0, count(self->text, "kmemleak:"));
		free(self->text);
		self->text = NULL;
	}
}

int main(int argc, char **argv)
{
	kml_setup(KML_NEED_MODULE | KML_NEED_ENABLED);
	planter = getpid();
	kst_plant_all();
	kml_sleep_ms(KML_AGE_MS);
	return test_harness_run(argc, argv);
}
