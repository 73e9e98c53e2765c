// SPDX-License-Identifier: GPL-2.0
/*
 * The report: its text, byte for byte, and its order.
 *
 * One set of leaks is planted and reported before the first test runs. The tests only
 * check the report, which is read once. read_test tests reading.
 */
#include <ctype.h>
#include <fcntl.h>
#include <sys/prctl.h>

#include "../kselftest_harness.h"
#include "kmemleak_util.h"

/* sizes around the rows of a hex dump, and larger than a page */
static const size_t sizes[] = {
	1, 2, 7, 8, 15, 16, 17, 24, 31, 32, 33, 64, 4096, 3 * 4096 + 8,
};

#define NR_SIZES	ARRAY_SIZE(sizes)
#define NR_ORDERED	24
/* an object may be registered with a larger size than requested */
#define KMALLOC_SIZE	128
#define PLANTER		"kst planter"
/* the first bytes of the content: printable ones, then others */
#define FILL_SEED	0x78

static struct kst_obj sized[NR_SIZES];
static struct kst_obj ordered[NR_ORDERED];
static struct kst_obj percpu, percpu_small, in_softirq, in_hardirq;
static struct kst_obj by_child, early, late, phys, live;
static struct kst_obj by_kmalloc, by_vmalloc, owner, owned;
static pid_t planter, child_pid;

static struct kml_report report;

static void plant_from_child(void)
{
	char buf[64];
	int pipes[2], status;

	if (pipe(pipes))
		return;
	child_pid = fork();
	if (!child_pid) {
		prctl(PR_SET_NAME, PLANTER);
		by_child = kst_page(64);
		dprintf(pipes[1], "%lx", by_child.key);
		_exit(0);
	}
	close(pipes[1]);
	memset(buf, 0, sizeof(buf));
	if (read(pipes[0], buf, sizeof(buf) - 1) > 0)
		sscanf(buf, "%lx", &by_child.key);
	close(pipes[0]);
	waitpid(child_pid, &status, 0);
}

/* Objects of both kinds in turn, each from another CPU than the one before. */
static void plant_ordered(void)
{
	int i;

	for (i = 0; i < NR_ORDERED; i++) {
		kml_pin(i % kml_nr_cpus());
		ordered[i] = kst_make(72, i % 3 == 1 ? "percpu" : "page", "");
	}
	kml_pin(-1);
}

static void plant(void)
{
	size_t i;

	early = kst_page(40);
	for (i = 0; i < NR_SIZES; i++) {
		sized[i] = kst_page(sizes[i]);
		kst("fill %d %d", sized[i].slot, FILL_SEED);
	}
	percpu = kst_make(96, "percpu", "");
	kst("fill %d %d", percpu.slot, FILL_SEED);
	percpu_small = kst_make(8, "percpu", "");
	kst("fill %d %d", percpu_small.slot, FILL_SEED);
	in_softirq = kst_make(64, "page", "1 softirq");
	/* PREEMPT_RT does not allocate in hard interrupts */
	in_hardirq = kst_make(64, "page", kml_is_rt() ? "1 softirq" : "1 hardirq");
	by_kmalloc = kst_make(KMALLOC_SIZE, "kmalloc", "");
	kst("fill %d %d", by_kmalloc.slot, FILL_SEED);
	by_vmalloc = kst_make(3 * 4096, "vmalloc", "");
	kst("fill %d %d", by_vmalloc.slot, FILL_SEED);
	phys = kst_make(4096, "phys", "");
	live = kst_page(64);
	kst_hold(live, 0);
	owned = kst_page(200);
	owner = kst_page(120);
	kst_store(owned, 8, owner, 16);
	plant_ordered();
	kml_sleep_ms(100);
	late = kst_page(40);
	/* last, since the slot of the child's object is not known here */
	plant_from_child();
}

/* A line of a hex dump, written from its description. */
static void hex_row(char *line, const unsigned char *data, size_t len)
{
	size_t i;

	line += sprintf(line, "    ");
	for (i = 0; i < 16; i++)
		line += i < len ? sprintf(line, "%02x ", data[i]) :
				  sprintf(line, "   ");
	*line++ = ' ';
	for (i = 0; i < len; i++)
		*line++ = data[i] < 0x80 && isprint(data[i]) ? data[i] : '.';
	*line++ = '\n';
	*line = '\0';
}

/* CRC-32, least significant bit first, without inversion before or after. */
static unsigned int crc_of(unsigned int crc, const unsigned char *data,
			   size_t len)
{
	int bit;

	while (len--) {
		crc ^= *data++;
		for (bit = 0; bit < 8; bit++)
			crc = crc & 1 ? (crc >> 1) ^ 0xedb88320u : crc >> 1;
	}
	return crc;
}

/* The bytes that "fill" has written for a CPU. */
static void filled(unsigned char *data, size_t size, int cpu)
{
	size_t i;

	for (i = 0; i < size; i++)
		data[i] = FILL_SEED + i + 16 * cpu;
}

/* The part of an entry before its backtrace. */
static void expected_head(char *text, const struct kst_obj *obj,
			  const char *space, const char *where, int cpu,
			  unsigned long jiffies)
{
	size_t shown = obj->size < 32 ? obj->size : 32;
	unsigned char data[32] = {};

	filled(data, shown, cpu);
	text += sprintf(text, "unreferenced object%s %s (size %zu):\n",
			space, kst_name(*obj, 0), obj->size);
	text += sprintf(text, "  comm \"report_test\", pid %d, jiffies %lu\n",
			planter, jiffies);
	text += sprintf(text, "  hex dump (first %zu bytes%s):\n", shown, where);
	hex_row(text, data, shown < 16 ? shown : 16);
	if (shown > 16)
		hex_row(text + strlen(text), data + 16, shown - 16);
	strcat(text, "  backtrace (crc ");
}

TEST(every_leak_is_listed_and_nothing_alive)
{
	size_t i;

	for (i = 0; i < NR_SIZES; i++)
		EXPECT_TRUE(kml_find_leak(&report, sized[i]))
			TH_LOG("size %zu", sizes[i]);
	for (i = 0; i < NR_ORDERED; i++)
		EXPECT_TRUE(kml_find_leak(&report, ordered[i]))
			TH_LOG("number %zu in order", i);
	EXPECT_TRUE(kml_find_leak(&report, percpu));
	EXPECT_TRUE(kml_find_leak(&report, percpu_small));
	EXPECT_TRUE(kml_find_leak(&report, by_kmalloc));
	EXPECT_TRUE(kml_find_leak(&report, by_vmalloc));
	EXPECT_EQ(NULL, kml_find(&report, live));
	EXPECT_EQ(NULL, kml_find(&report, phys));
}

TEST(text_before_the_backtrace)
{
	const struct kml_entry *entry;
	char text[1024];
	size_t i;

	for (i = 0; i < NR_SIZES; i++) {
		entry = kml_find(&report, sized[i]);
		ASSERT_NE(NULL, entry);
		expected_head(text, &sized[i], "", "", 0, entry->jiffies);
		EXPECT_EQ(0, strncmp(text, entry->text, strlen(text)))
			TH_LOG("expected:\n%sgot:\n%.*s", text,
			       (int)entry->len, entry->text);
	}
}

TEST(text_of_allocated_blocks)
{
	const struct kst_obj *objs[] = { &by_kmalloc, &by_vmalloc };
	const struct kml_entry *entry;
	char text[1024];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(objs); i++) {
		entry = kml_find(&report, *objs[i]);
		ASSERT_NE(NULL, entry);
		expected_head(text, objs[i], "", "", 0, entry->jiffies);
		EXPECT_EQ(0, strncmp(text, entry->text, strlen(text)))
			TH_LOG("expected:\n%sgot:\n%.*s", text,
			       (int)entry->len, entry->text);
	}
}

/* The dump is that of the copy of the CPU that it names. */
TEST(text_of_a_percpu_block)
{
	const struct kst_obj *objs[] = { &percpu, &percpu_small };
	const struct kml_entry *entry;
	char text[1024], where[32];
	const char *at;
	size_t i;
	int cpu;

	for (i = 0; i < ARRAY_SIZE(objs); i++) {
		entry = kml_find(&report, *objs[i]);
		ASSERT_NE(NULL, entry);
		EXPECT_STREQ("percpu", entry->space);
		at = strstr(entry->text, " bytes on cpu ");
		ASSERT_NE(NULL, at);
		ASSERT_EQ(1, sscanf(at, " bytes on cpu %d):", &cpu));
		EXPECT_LT(cpu, kml_nr_cpus());
		snprintf(where, sizeof(where), " on cpu %d", cpu);
		expected_head(text, objs[i], " (percpu)", where, cpu,
			      entry->jiffies);
		EXPECT_EQ(0, strncmp(text, entry->text, strlen(text)))
			TH_LOG("expected:\n%sgot:\n%.*s", text,
			       (int)entry->len, entry->text);
	}
}

/* All lines of the report have one of these forms. */
TEST(every_line_is_well_formed)
{
	static const char form[] =
		"^unreferenced object( \\((phys|percpu)\\))? 0x[0-9a-f]{8,16} \\(size [0-9]+\\):$|"
		"^  comm \".*\", pid [0-9]+, jiffies [0-9]+$|"
		"^  hex dump \\(first [0-9]+ bytes( on cpu [0-9]+)?\\):$|"
		"^    ([0-9a-f]{2} ){1,16} {1,46}.{1,16}$|"
		"^  backtrace \\(crc [0-9a-f]{1,8}\\):$|"
		"^    (0x)?[A-Za-z0-9_.]+(\\+0x[0-9a-f]+/0x[0-9a-f]+)?( \\[[a-z0-9_]+\\])?$";
	char *copy = strdup(report.text), *line, *rest = copy;

	ASSERT_NE(NULL, copy);
	while ((line = strsep(&rest, "\n"))) {
		if (!*line)
			break;
		EXPECT_TRUE(kml_match(line, form))
			TH_LOG("%s", line);
	}
	EXPECT_EQ(NULL, rest)
		TH_LOG("empty line inside the report");
	free(copy);
}

TEST(entries_end_with_their_backtrace)
{
	int i;

	ASSERT_GT(report.nr, NR_ORDERED);
	for (i = 0; i < report.nr; i++) {
		EXPECT_GT(report.entry[i].nr_frames, 0);
		EXPECT_LE(report.entry[i].nr_frames, 16);
		EXPECT_EQ('\n', report.entry[i].text[report.entry[i].len - 1]);
	}
}

/*
 * Backtraces begin after the functions of kmemleak. On architectures that cannot skip
 * frames, kmemleak's own function comes first.
 */
TEST(backtraces_begin_at_the_caller)
{
	static const char * const internal[] = {
		"set_track_prepare", "__alloc_object", "__create_object",
		"create_object", "stack_trace_save",
	};
	const struct kml_entry *entry = kml_find(&report, early);
	size_t i;

	ASSERT_NE(NULL, entry);
	EXPECT_TRUE(kml_has_frame(entry, "kst_plant_page"))
		TH_LOG("%.*s", (int)entry->len, entry->text);
	if (kml_has_frame(entry, "save_stack_trace"))
		SKIP(return, "this architecture leaves no functions out");
	for (i = 0; i < ARRAY_SIZE(internal); i++) {
		const char *name = internal[i];

		EXPECT_FALSE(kml_has_frame(entry, name))
			TH_LOG("%s\n%.*s", name, (int)entry->len, entry->text);
	}
}

TEST(backtraces_show_who_allocated)
{
	const struct kml_entry *entry;

	entry = kml_find(&report, by_kmalloc);
	ASSERT_NE(NULL, entry);
	EXPECT_TRUE(kml_has_frame(entry, "kst_plant_kmalloc"));
	entry = kml_find(&report, by_vmalloc);
	ASSERT_NE(NULL, entry);
	EXPECT_TRUE(kml_has_frame(entry, "kst_plant_vmalloc"));
	entry = kml_find(&report, percpu);
	ASSERT_NE(NULL, entry);
	EXPECT_TRUE(kml_has_frame(entry, "kst_plant_percpu"));
}

TEST(crc_is_that_of_the_content)
{
	unsigned char data[3 * 4096 + 8];
	const struct kml_entry *entry;
	unsigned int crc = 0;
	size_t i;
	int cpu;

	for (i = 0; i < NR_SIZES; i++) {
		entry = kml_find(&report, sized[i]);
		ASSERT_NE(NULL, entry);
		filled(data, sizes[i], 0);
		EXPECT_EQ(crc_of(0, data, sizes[i]), entry->crc)
			TH_LOG("size %zu", sizes[i]);
	}
	/* the checksum of a per-CPU object is that of all copies */
	entry = kml_find(&report, percpu);
	ASSERT_NE(NULL, entry);
	for (cpu = 0; cpu < sysconf(_SC_NPROCESSORS_CONF); cpu++) {
		filled(data, percpu.size, cpu);
		crc = crc_of(crc, data, percpu.size);
	}
	EXPECT_EQ(crc, entry->crc);
}

TEST(order_is_that_of_allocation)
{
	const struct kml_entry *entry, *last = report.entry;
	int i;

	for (i = 0; i < NR_ORDERED; i++) {
		entry = kml_find(&report, ordered[i]);
		ASSERT_NE(NULL, entry);
		EXPECT_GT(entry, last)
			TH_LOG("number %d is before one in front of it", i);
		last = entry;
	}
	EXPECT_GT(kml_find(&report, late), last);
}

TEST(jiffies_are_the_time_of_allocation)
{
	const struct kst_obj *objs[] = {
		&early, &percpu, &in_softirq, &in_hardirq, &late,
	};
	const struct kml_entry *entry;
	unsigned long last = 0;
	size_t i;
	int k;

	for (i = 0; i < ARRAY_SIZE(objs); i++) {
		entry = kml_find(&report, *objs[i]);
		ASSERT_NE(NULL, entry);
		EXPECT_GE(entry->jiffies, objs[i]->since);
		EXPECT_LE(entry->jiffies, objs[i]->until);
	}
	for (k = 0; k < report.nr; k++) {
		EXPECT_GE(report.entry[k].jiffies, last)
			TH_LOG("entry %d", k);
		last = report.entry[k].jiffies;
	}
	EXPECT_GT(kml_find(&report, late)->jiffies,
		  kml_find(&report, early)->jiffies);
}

TEST(comm_and_pid_are_the_allocating_task)
{
	const struct kml_entry *entry = kml_find(&report, by_child);

	ASSERT_NE(NULL, entry);
	EXPECT_STREQ(PLANTER, entry->comm);
	EXPECT_EQ(child_pid, entry->pid);
	entry = kml_find(&report, early);
	ASSERT_NE(NULL, entry);
	EXPECT_STREQ("report_test", entry->comm);
	EXPECT_EQ(planter, entry->pid);
}

TEST(interrupts_have_a_name_and_no_pid)
{
	const struct kml_entry *entry;

	entry = kml_find(&report, in_softirq);
	ASSERT_NE(NULL, entry);
	EXPECT_STREQ("softirq", entry->comm);
	EXPECT_EQ(0, entry->pid);
	entry = kml_find(&report, in_hardirq);
	ASSERT_NE(NULL, entry);
	EXPECT_STREQ(kml_is_rt() ? "softirq" : "hardirq", entry->comm);
	EXPECT_EQ(0, entry->pid);
}

/* A file of debugfs as a string, or NULL. */
static char *whole(const char *path)
{
	size_t room = 1 << 20, len = 0, got;
	char *text = calloc(1, room);
	FILE *f = fopen(path, "r");

	if (!f || !text) {
		free(text);
		return NULL;
	}
	while ((got = fread(text + len, 1, room - 1 - len, f)) > 0)
		len += got;
	fclose(f);
	return text;
}

/* The line of kmemleak_leaks about an object, until the next call; "" if there is none. */
static const char *leak_line(const char *leaks, struct kst_obj obj)
{
	static char line[512];
	char key[64];
	const char *at;

	snprintf(key, sizeof(key), "\naddr=%s ", kst_name(obj, 0));
	at = strstr(leaks, key);
	line[0] = '\0';
	if (at)
		snprintf(line, sizeof(line), "%.*s", (int)strcspn(at + 1, "\n"), at + 1);
	return line;
}

TEST(programs_find_the_same_leaks)
{
	char *leaks = whole(KML_LEAKS), *stacks = whole(KML_STACKS);
	char text[128], frame[128];
	unsigned int stack;
	const char *line;
	size_t i;

	if (!leaks || !stacks)
		SKIP(return, "no kmemleak_leaks: stock kmemleak");
	EXPECT_EQ(0, strncmp(leaks, "kmemleak_leaks 1\n", 17));
	for (i = 0; i < NR_SIZES; i++) {
		if (!kml_find(&report, sized[i]))
			continue;
		line = leak_line(leaks, sized[i]);
		snprintf(text, sizeof(text), " space=virt size=%zu age_ms=", sizes[i]);
		EXPECT_NE(NULL, strstr(line, text)) {
			TH_LOG("%s", line);
		}
		snprintf(text, sizeof(text), " pid=%d comm=\"report_test\" ", planter);
		EXPECT_NE(NULL, strstr(line, text));
	}
	EXPECT_NE(NULL, strstr(leak_line(leaks, by_kmalloc), " cache=kmalloc-"));
	EXPECT_NE(NULL, strstr(leak_line(leaks, by_vmalloc), " cache=- "));
	EXPECT_NE(NULL, strstr(leak_line(leaks, percpu), " space=percpu size=96 "));
	EXPECT_STREQ("", leak_line(leaks, live));

	snprintf(text, sizeof(text), " head=%s retains=2 retained_bytes=320 ",
		 kst_name(owner, 0));
	EXPECT_NE(NULL, strstr(leak_line(leaks, owner), text));
	snprintf(text, sizeof(text), " head=%s retains=0 ", kst_name(owner, 0));
	EXPECT_NE(NULL, strstr(leak_line(leaks, owned), text));

	/* the stack of a leak has the frames of its report */
	line = strstr(leak_line(leaks, owner), " stack=");
	ASSERT_NE(NULL, line);
	ASSERT_EQ(1, sscanf(line, " stack=%u", &stack));
	snprintf(text, sizeof(text), "\nstack=%u frames=", stack);
	line = strstr(stacks, text);
	ASSERT_NE(NULL, line);
	ASSERT_EQ(1, sscanf(line, " stack=%*u frames=%*u 0x%*x %127s", frame));
	EXPECT_NE(NULL, strstr(kml_find(&report, owner)->text, frame)) {
		TH_LOG("%s", frame);
	}
	free(leaks);
	free(stacks);
}

/* The answer of kmemleak_refs about an object, until the next call. */
static const char *refs_of(struct kst_obj obj)
{
	static char text[65536];
	ssize_t len, got;
	int fd = open(KML_REFS, O_RDWR);

	text[0] = '\0';
	if (fd < 0)
		return text;
	len = dprintf(fd, "%s", kst_name(obj, 8)) > 0 ? 0 : -1;
	while (len >= 0 && (got = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += got;
	text[len > 0 ? len : 0] = '\0';
	close(fd);
	return text;
}

TEST(holders_of_a_block_are_named)
{
	const char *text = refs_of(owned), *at;
	char want[128];
	int fd;

	if (access(KML_REFS, F_OK))
		SKIP(return, "no kmemleak_refs: stock kmemleak");
	EXPECT_EQ(0, strncmp(text, "kmemleak_refs 1\naddr=", 21)) {
		TH_LOG("%s", text);
	}
	/* another leak holds it, at the offset at which it was stored */
	at = strstr(text, " to=+0x8 kind=object object=");
	ASSERT_NE(NULL, at) {
		TH_LOG("%s", text);
	}
	snprintf(want, sizeof(want), " object=%s offset=16 size=120 weak=leak at ",
		 kst_name(owner, 0));
	EXPECT_NE(NULL, strstr(at, want)) {
		TH_LOG("%s", text);
	}
	/* the module's array of pointers holds this one */
	text = refs_of(live);
	EXPECT_NE(NULL, strstr(text, " to=+0x0 kind=symbol name=")) {
		TH_LOG("%s", text);
	}
	EXPECT_EQ(NULL, strstr(text, " refs=0 "));

	/* the open file, which knows the address, is no reference */
	fd = open(KML_REFS, O_RDWR);
	ASSERT_LE(0, fd);
	EXPECT_LT(0, dprintf(fd, "%s", kst_name(early, 0)));
	kml_scan();
	EXPECT_EQ(KST_WHITE, kst_opinion(early.key, false));
	close(fd);
}

/* Expressions of other test suites for the text. */
TEST(known_parsers_find_what_they_look_for)
{
	static const char syzkaller[] =
		"[^k] backtrace( \\(crc [[:xdigit:]]*\\))?:";
	static const char nipa[] =
		"^.*(  |0:|>\\] )([a-z0-9_]+)\\+0x[0-9a-f]+/0x[0-9a-f]+.*$";
	int i;

	for (i = 0; i < report.nr; i++) {
		char *text = strndup(report.entry[i].text, report.entry[i].len);

		ASSERT_NE(NULL, text);
		EXPECT_TRUE(kml_match(text, syzkaller));
		EXPECT_TRUE(kml_match(text, nipa));
		free(text);
	}
	EXPECT_NE(NULL, strstr(report.text, "unreferenced object 0x"));
}

int main(int argc, char **argv)
{
	size_t i;

	kml_setup(KML_NEED_MODULE | KML_NEED_ENABLED);
	planter = getpid();
	plant();
	kml_sleep_ms(KML_AGE_MS);
	kml_scan();
	kml_scan();
	for (i = 0; i < NR_SIZES; i++)
		kml_must_list(sized[i]);
	for (i = 0; i < NR_ORDERED; i++)
		kml_must_list(ordered[i]);
	kml_must_list(by_kmalloc);
	kml_must_list(by_vmalloc);
	kml_must_list(owner);
	kml_must_list(owned);
	if (kml_load(&report))
		ksft_exit_fail_msg("the report cannot be parsed\n");
	return test_harness_run(argc, argv);
}
