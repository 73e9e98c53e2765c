// SPDX-License-Identifier: GPL-2.0-only
/*
 * The interface, as far as a comparison of programs does not cover it: boot words,
 * parameters, reads and writes of the debugfs file, memory that is given back.
 */
#include "tap.h"
#include "world.h"
#undef snprintf

static struct world_file file;

static int boot(const char *arg)
{
	shim_strict = true;
	world_task(&world_tasks[0]);
	world_boot(arg);
	return world_open(&file, "kmemleak", FMODE_READ | FMODE_WRITE);
}

static ssize_t command(const char *cmd)
{
	ssize_t n = world_write(&file, cmd, strlen(cmd));

	world_quiesce();
	return n;
}

static void *block(unsigned long i)
{
	return (void *)(W_HEAP + i * 64);
}

static void leak(unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		kmemleak_alloc(block(i), 64, 1, GFP_KERNEL);
	command("scan");
	shim_time_advance(msecs_to_jiffies(6000));
	command("scan");
}

static int boot_words(void *arg)
{
	static const struct {
		const char *words;
		int ret;
	} t[] = {
		{ "on", 0 }, { "parallel", 0 }, { "on,parallel", 0 }, { "parallel,on", 0 },
		{ "", -EINVAL }, { "ON", -EINVAL }, { "on,", -EINVAL }, { ",on", -EINVAL },
		{ "parallel,bogus", -EINVAL }, { "o", -EINVAL }, { "onn", -EINVAL },
	};
	unsigned int i;
	char buf[64], *log;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		strscpy(buf, t[i].words);
		free(shim_log_take());
		TAP_CHECK(shim_boot_param("kmemleak", buf) == t[i].ret, "\"%s\"", t[i].words);
		log = shim_log_take();
		TAP_CHECK(!t[i].ret == !*log, "\"%s\" logs: %s", t[i].words, log);
		TAP_CHECK(!*log || strstr(log, "kmemleak: "), "no prefix: %s", log);
	}
	TAP_CHECK(shim_boot_param("kmemleak", NULL) == -EINVAL, "no argument");
	TAP_CHECK(!boot(NULL), "no file");
	TAP_CHECK(command("scan") == 4, "not on");
	return 0;
}

/* Only root may read about the kernel's heap, even if others may read debugfs. */
static int file_modes(void *arg)
{
	static const struct {
		const char *name;
		umode_t mode;
	} t[] = {
		{ "kmemleak", 0644 }, { "kmemleak_stats", 0400 }, { "kmemleak_pages", 0400 },
		{ "kmemleak_leaks", 0400 }, { "kmemleak_stacks", 0400 }, { "kmemleak_refs", 0600 },
	};
	unsigned int i;

	TAP_CHECK(!boot("on"), "boot");
	for (i = 0; i < ARRAY_SIZE(t); i++) {
		umode_t mode = 0;

		shim_debugfs_find(t[i].name, NULL, &mode);
		TAP_CHECK(mode == t[i].mode, "%s: %o", t[i].name, mode);
	}
	return 0;
}

static int boot_off(void *arg)
{
	umode_t mode = 0;

	TAP_CHECK(!boot("off"), "no file although built in");
	shim_debugfs_find("kmemleak", NULL, &mode);
	TAP_CHECK(mode == 0644, "mode %o", mode);
	kmemleak_alloc(block(0), 64, 1, GFP_KERNEL);
	kmemleak_free(block(0));
	TAP_CHECK(command("scan") == -EPERM, "scan");
	TAP_CHECK(command("nonsense") == -EPERM, "nonsense");
	TAP_CHECK(command("clear") == 5, "clear");
	return 0;
}

static int parameters(void *arg)
{
	char buf[4096];

	TAP_CHECK(!boot("on"), "boot");
	TAP_CHECK(shim_param_perm("kmemleak.verbose") == 0600, "verbose: %o",
		  shim_param_perm("kmemleak.verbose"));
	TAP_CHECK(shim_param_perm("kmemleak.min_unref_scans") == 0644, "min_unref_scans");
	TAP_CHECK(shim_param_perm("kmemleak.workers") == 0444, "workers");
	shim_param_get("kmemleak.verbose", buf);
	TAP_CHECK(!strcmp(buf, "N\n"), "verbose is %s", buf);
	shim_param_get("kmemleak.min_unref_scans", buf);
	TAP_CHECK(!strcmp(buf, "1\n"), "min_unref_scans is %s", buf);
	TAP_CHECK(!shim_param_set("kmemleak.min_unref_scans", "3"), "set");
	leak(1);
	TAP_CHECK(!strstr(shim_log_take(), "new suspected"), "reported after one scan");
	command("scan");
	TAP_CHECK(!strstr(shim_log_take(), "new suspected"), "reported after two");
	command("scan");
	TAP_CHECK(strstr(shim_log_take(), "kmemleak: 1 new suspected memory leaks "
			 "(see /sys/kernel/debug/kmemleak)\n"), "not after three");
	return 0;
}

/* W_HEAP, and the first per-CPU address after the static ones. */
#ifdef CONFIG_64BIT
#define BLOCK_TEXT	"0x7e9010000000"
#define PERCPU_TEXT	"0x7e9001001000"
#else
#define BLOCK_TEXT	"0x70000000"
#define PERCPU_TEXT	"0x61001000"
#endif

static int text(void *arg)
{
	static const char want[] =
		"unreferenced object " BLOCK_TEXT " (size 40):\n"
		"  comm \"modprobe\", pid 4321, jiffies 4294892296\n"
		"  hex dump (first 32 bytes):\n"
		"    6b 65 72 6e 65 6c 20 6d 65 6d 6f 72 79 00 ff 7f  kernel memory...\n"
		"    00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  ................\n"
		"  backtrace (crc 9f4fda6c):\n"
		"    frame_3+0x1/0x100\n"
		"    frame_4+0x5/0x100\n"
		"    frame_5+0x9/0x100\n"
		"    frame_6+0xd/0x100\n"
		"unreferenced object (percpu) " PERCPU_TEXT " (size 8):\n"
		"  comm \"softirq\", pid 0, jiffies 4294892296\n"
		"  hex dump (first 8 bytes on cpu 1):\n"
		"    00 00 00 00 00 00 00 00                          ........\n"
		"  backtrace (crc 0):\n"
		"    frame_3+0x1/0x100\n"
		"    frame_4+0x5/0x100\n"
		"    frame_5+0x9/0x100\n"
		"    frame_6+0xd/0x100\n";
	ssize_t err;
	char *got;

	TAP_CHECK(!boot("on"), "boot");
	memcpy(block(0), "kernel memory\0\xff\x7f", 16);
	shim_stack_id = 3;
	world_task(&world_tasks[1]);
	kmemleak_alloc(block(0), 40, 1, GFP_KERNEL);
	shim_self()->softirq++;
	kmemleak_alloc_percpu((void *)(W_PCPU_COOKIE + W_PCPU_STATIC), 8, GFP_ATOMIC);
	shim_self()->softirq--;
	leak(0);
	shim_self()->cpu = 1;
	got = world_slurp(&file, 4096, &err);
	TAP_CHECK(!strcmp(got, want), "got:\n%s", got);
	return 0;
}

static int reading(void *arg)
{
	static const size_t chunk[] = { 1, 2, 3, 31, 127, 1000, 4096, 100000 };
	char *want, *got, buf[70000];
	struct world_file other;
	unsigned int i;
	ssize_t err, n;
	size_t len = 0;

	TAP_CHECK(!boot("on"), "boot");
	leak(200);
	want = world_slurp(&file, 131072, &err);
	TAP_CHECK(!err && strlen(want) > 30000, "%zu bytes", strlen(want));
	for (i = 0; i < ARRAY_SIZE(chunk); i++) {
		got = world_slurp(&file, chunk[i], &err);
		TAP_CHECK(!strcmp(got, want), "chunks of %zu differ", chunk[i]);
		free(got);
	}
	/* From the middle, after a seek. */
	TAP_CHECK(world_seek(&file, 12345) == 12345, "seek");
	n = world_read(&file, buf, 100);
	TAP_CHECK(n > 0 && !memcmp(buf, want + 12345, n), "after a seek");

	/* sendfile(), into a pipe of an odd size. */
	TAP_CHECK(!world_open(&other, "kmemleak", FMODE_READ), "open");
	while ((n = world_sendfile(&other, buf + len, 4093)) > 0)
		len += n;
	TAP_CHECK(!n && len == strlen(want) && !memcmp(buf, want, len),
		  "sendfile: %zd after %zu bytes", n, len);
	world_close(&other);
	return 0;
}

static int writing(void *arg)
{
	char longer[200];
	loff_t pos;

	TAP_CHECK(!boot("on"), "boot");
	TAP_CHECK(command("scan") == 4 && command("scan\n") == 5, "scan");
	TAP_CHECK(command("scanner") == 7 && command("clearly") == 7, "prefixes");
	TAP_CHECK(command("sca") == -EINVAL && command("") == -EINVAL, "less than a word");
	TAP_CHECK(command("scan=1x") == -EINVAL && command("scan=") == -EINVAL, "numbers");
	TAP_CHECK(command("scan=99999999999") == -ERANGE, "range");
	TAP_CHECK(command("dump=zz") == -EINVAL && command("dump=0x1") == -EINVAL, "dump");
	memset(longer, 'x', sizeof(longer));
	memcpy(longer, "stack=off", 9);
	pos = file.file.f_pos;
	TAP_CHECK(world_write(&file, longer, sizeof(longer)) == sizeof(longer), "long");
	TAP_CHECK(file.file.f_pos == pos + (loff_t)sizeof(longer), "position");
	TAP_CHECK(world_write(&file, (char *)8, 4) == -EFAULT, "fault");
	return 0;
}

static int off_frees(void *arg)
{
	struct shim_mem_usage before, after;
	unsigned long i;

	TAP_CHECK(!boot("on"), "boot");
	before = shim_mem_usage();
	for (i = 0; i < 50000; i++)
		kmemleak_alloc(block(i), 64, 1, GFP_KERNEL);
	kmemleak_scan_area(block(5), 8, GFP_KERNEL);
	TAP_CHECK(command("off") == 3, "off");
	after = shim_mem_usage();
	TAP_CHECK(after.blocks <= before.blocks + 100, "%ld blocks left of metadata",
		  after.blocks - before.blocks);
	TAP_CHECK(command("scan") == -EPERM, "scan afterwards");
	return 0;
}

static int clear_frees(void *arg)
{
	struct shim_mem_usage before, after;
	ssize_t err;
	char *got;

	TAP_CHECK(!boot("on"), "boot");
	before = shim_mem_usage();
	leak(1000);
	got = world_slurp(&file, 4096, &err);
	TAP_CHECK(strstr(got, "hex dump"), "no hex dump");
	TAP_CHECK(command("off") == 3, "off");
	TAP_CHECK(strstr(shim_log_take(), "Reclaim the memory"), "not logged");
	/* Reports can still be read, until they are cleared. */
	got = world_slurp(&file, 4096, &err);
	TAP_CHECK(strstr(got, "unreferenced object"), "report lost");
	/* but blocks are not read: other blocks or device registers may be there */
	TAP_CHECK(!strstr(got, "hex dump"), "a block is read although frees are not noticed");
	TAP_CHECK(command("clear") == 5, "clear");
	got = world_slurp(&file, 4096, &err);
	TAP_CHECK(!*got, "still something: %.100s", got);
	after = shim_mem_usage();
	TAP_CHECK(after.blocks <= before.blocks + 100, "%ld blocks left of metadata",
		  after.blocks - before.blocks);
	return 0;
}

static int gives_back(void *arg)
{
	unsigned long i, n = 1000000;
	struct shim_mem_usage start, peak, end;

	TAP_CHECK(!boot("on"), "boot");
	start = shim_mem_usage();
	for (i = 0; i < n; i++)
		kmemleak_alloc(block(i), 64, 0, GFP_KERNEL);
	peak = shim_mem_usage();
	for (i = 0; i < n; i++)
		kmemleak_free(block(i));
	command("scan");
	shim_time_advance(10 * HZ);
	world_quiesce();
	end = shim_mem_usage();
	fprintf(stderr, "# %ld bytes of metadata an object, %ld KiB at the peak, %ld left\n",
		(peak.bytes - start.bytes) / (long)n, peak.bytes >> 10, end.bytes >> 10);
	TAP_CHECK(end.bytes - start.bytes < (peak.bytes - start.bytes) / 20, "too much is kept");
	return 0;
}

static int nonsense(void *arg)
{
	static const long bad[] = { 0, -1, -12, -4095 };
	unsigned int i, round;

	for (round = 0; round < 3; round++) {
		if (round == 1)
			TAP_CHECK(!boot("on"), "boot");
		if (round == 2)
			command("off");
		for (i = 0; i < ARRAY_SIZE(bad); i++) {
			void *p = (void *)bad[i];

			kmemleak_alloc(p, 8, 1, GFP_KERNEL);
			kmemleak_alloc_percpu(p, 8, GFP_KERNEL);
			kmemleak_free(p);
			kmemleak_free_part(p, 8);
			kmemleak_free_percpu(p);
			kmemleak_update_trace(p);
			kmemleak_not_leak(p);
			kmemleak_transient_leak(p);
			kmemleak_ignore(p);
			kmemleak_ignore_percpu(p);
			kmemleak_scan_area(p, 8, GFP_KERNEL);
			kmemleak_no_scan(p);
		}
		kmemleak_scan_area(block(1), 0, GFP_KERNEL);
		kmemleak_free(block(1));
	}
	TAP_CHECK(!strstr(shim_log_take(), "(stack dump)"), "a warning");
	return 0;
}

/* The lines for users come first, each once, with the number of leaks. */
static int summary(void *arg)
{
	static const char * const first[] = {
		"enabled", "objects", "leaks", "scans", "scans_stopped", "scan_age_ms", "scan_ms",
		"scan_stopped", "scan_leaks", "running", "reserve_blocks", "lost_pages",
		"reserved", "lost", "overlaps", "metadata_bytes",
	};
	struct world_file stats;
	char *text, *line, *again, name[40];
	unsigned int i;
	ssize_t err;

	TAP_CHECK(!boot("on"), "boot");
	leak(10);
	TAP_CHECK(world_stat("leaks") == 10, "%ld leaks", world_stat("leaks"));
	/* referenced again: not before the next scan; "clear": at once */
	*(void **)W_DATA = block(3);
	command("scan");
	TAP_CHECK(world_stat("leaks") == 9, "%ld leaks, one found", world_stat("leaks"));

	TAP_CHECK(!world_open(&stats, "kmemleak_stats", FMODE_READ), "open");
	text = world_slurp(&stats, 4096, &err);
	for (i = 0, line = text; *line; i++, line += strcspn(line, "\n") + 1) {
		TAP_CHECK(sscanf(line, "%39s ", name) == 1, "no name: %.40s", line);
		TAP_CHECK(i >= ARRAY_SIZE(first) || !strcmp(name, first[i]),
			  "line %u is %s, not %s", i, name, first[i]);
		strcat(name, " ");
		for (again = line; (again = strstr(again + 1, name)); )
			TAP_CHECK(again[-1] != '\n', "%stwice", name);
	}
	TAP_CHECK(i > ARRAY_SIZE(first), "%u lines", i);
	command("clear");
	TAP_CHECK(world_stat("leaks") == 0, "%ld leaks after clear", world_stat("leaks"));

	/* the clock is the host's */
	for (err = world_stat("scan_age_ms"), i = 0; world_stat("scan_age_ms") <= err + 1; i++)
		usleep(1000);
	TAP_CHECK(command("scan") == 4 && i, "scan");
	TAP_CHECK(world_stat("scan_age_ms") >= 0 && world_stat("scan_age_ms") < 60000,
		  "%ld ms old", world_stat("scan_age_ms"));
	return 0;
}

static long expected_bytes;

static void look_at_progress(void)
{
	if (expected_bytes <= 0)
		expected_bytes = world_stat("running_bytes_expected");
}

/* The first scan has no scan before it: its size is estimated. */
static int first_progress(void *arg)
{
	TAP_CHECK(!boot("on"), "boot");
	TAP_CHECK(world_stat("running_bytes_expected") == -1, "no scan runs");
	shim_poll = look_at_progress;
	command("scan");
	shim_poll = NULL;
	TAP_CHECK(expected_bytes > 0, "%ld bytes", expected_bytes);
	return 0;
}

/* Words that point to one per-CPU block: each candidate is counted once. */
static int statistics(void *arg)
{
	unsigned long *words = block(0), percpu = W_PCPU_COOKIE + W_PCPU_STATIC;
	long candidates, settled, nr = PAGE_SIZE / sizeof(*words), i;

	TAP_CHECK(!boot("on"), "boot");
	kmemleak_alloc(words, PAGE_SIZE, 0, GFP_KERNEL);
	kmemleak_alloc_percpu((void *)percpu, 64, GFP_KERNEL);
	command("scan");
	candidates = world_stat("scan_candidates");
	settled = world_stat("scan_settled");
	TAP_CHECK(candidates >= 0 && settled >= 0, "no statistics");
	for (i = 0; i < nr; i++)
		words[i] = percpu;
	command("scan");
	candidates = world_stat("scan_candidates") - candidates;
	settled = world_stat("scan_settled") - settled;
	TAP_CHECK(candidates == nr, "%ld candidates instead of %ld", candidates, nr);
	TAP_CHECK(settled > nr / 2 && settled < nr, "%ld of %ld settled", settled, nr);
	return 0;
}

int main(void)
{
	world_map();
	tap_case("boot words, alone and in lists", boot_words, NULL, 30);
	tap_case("kmemleak=off: the file stays, commands are refused", boot_off, NULL, 30);
	tap_case("modes of the files", file_modes, NULL, 30);
	tap_case("module parameters", parameters, NULL, 30);
	tap_case("the report's text", text, NULL, 30);
	tap_case("reads of any size, seek, sendfile", reading, NULL, 60);
	tap_case("writes", writing, NULL, 30);
	tap_case("off frees the metadata", off_frees, NULL, 60);
	tap_case("off keeps what was reported until it is cleared", clear_frees, NULL, 60);
	tap_case("metadata of a million objects goes back", gives_back, NULL, 120);
	tap_case("arguments that all hooks ignore", nonsense, NULL, 30);
	tap_case("statistics: users' first", summary, NULL, 30);
	tap_case("statistics of words for per-CPU blocks", statistics, NULL, 30);
	tap_case("progress of the first scan", first_progress, NULL, 60);
	return tap_done();
}
