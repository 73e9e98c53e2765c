// SPDX-License-Identifier: GPL-2.0-only
/*
 * Allocations of metadata fail while random programs run: each in turn, then at random,
 * then all. kmemleak must continue and report no block that is referenced. It may miss
 * leaks.
 */
#include "tap.h"
#include "fail.h"
#include "oracle.h"
#include "world.h"
#undef snprintf

#define ONE_BY_ONE	10	/* programs in which each site fails once */
#define AT_RANDOM	120	/* programs for each probability */

static char *slurp(const char *name)
{
	struct world_file f;
	ssize_t err;
	char *text;

	if (world_open(&f, name, FMODE_READ))
		return NULL;
	text = world_slurp(&f, 65536, &err);
	world_close(&f);
	return text;
}

static int command(const char *cmd)
{
	struct world_file f;
	ssize_t n;

	if (world_open(&f, "kmemleak", FMODE_READ | FMODE_WRITE))
		return -ENOENT;
	n = world_write(&f, cmd, strlen(cmd));
	world_close(&f);
	world_quiesce();
	return n == (ssize_t)strlen(cmd) ? 0 : n;
}

/* Save the program for "differ run-fault -", which shrinks it. */
static void save(const struct prog *p)
{
	char path[] = "/tmp/kml-fault-XXXXXX";
	struct sink out = { .fd = mkstemp(path) };

	if (out.fd < 0)
		return;
	prog_print(p, &out);
	fprintf(stderr, "# the program: %s\n", path);
}

static int run(const struct prog *p)
{
	struct sink out = { .fd = -1 };
	char *bad;

	prog_exec(p, &out, EXEC_ORACLE | EXEC_STRICT | EXEC_LOSSY);
	bad = strstr(out.buf, "ORACLE:");
	if (!bad)
		bad = strstr(out.buf, "WARNINGS");
	if (!bad)
		bad = strstr(out.buf, "disabled");
	if (bad)
		save(p);
	TAP_CHECK(!bad, "%.*s", (int)strcspn(bad, "\n"), bad);
	fail.permille = 0;
	fail.nth = 0;
	TAP_CHECK(!command("scan"), "a scan is refused afterwards");
	free(out.buf);
	return 0;
}

struct one {
	struct prog p;
	long site;
};

static int run_one(void *arg)
{
	struct one *o = arg;

	o->p.op[0].a[0] = o->site;
	if (run(&o->p))
		return 1;
	/* 77: there are fewer allocations. */
	return fail.fails ? 0 : 77;
}

/* A child for each allocation, until there are no more. */
static int one_by_one(void *arg)
{
	struct one o = { { 0 }, 1 };
	long s = (long)arg;
	int status;

	prog_add(&o.p, OP_FAIL, 0, 0, 0);
	prog_generate(&o.p, s, GEN_CALM);
	for (;; o.site++) {
		pid_t pid = fork();

		if (!pid) {
			alarm(30);
			status = run_one(&o);
			fflush(stderr);
			_exit(status);
		}
		if (waitpid(pid, &status, 0) != pid)
			return 1;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
			break;
		TAP_CHECK(!status, "seed %ld, site %ld: status %x", s, o.site, status);
	}
	TAP_CHECK(o.site > 10, "only %ld sites", o.site);
	return 0;
}

static int random_case(void *arg)
{
	long s = (long)arg / 1001;
	struct prog p = { 0 };

	prog_add(&p, OP_FAIL, 0, (long)arg % 1001, 0);
	prog_generate(&p, s, GEN_CALM);
	return run(&p);
}

/* The slab fails, and the static pool is used: no block may be lost. */
static int pool_case(void *arg)
{
	struct sink out = { .fd = -1 };
	struct prog p = { 0 };
	char *bad;

	prog_generate(&p, (long)arg, GEN_CALM);
	shim_mem.fail_cache = "kmemleak_";
	shim_mem.fail_permille = 500;
	shim_mem.fail_seed = (long)arg;
	prog_exec(&p, &out, EXEC_ORACLE | EXEC_STRICT);
	bad = strstr(out.buf, "ORACLE:");
	TAP_CHECK(!bad, "seed %ld: %.*s", (long)arg, (int)strcspn(bad, "\n"), bad);
	TAP_CHECK(shim_mem.failed > 2, "only %ld failures", shim_mem.failed);
	return 0;
}

static void boot(void)
{
	/* Pages are in use for all of the heap that the cases use. */
	unsigned long pfn;

	world_pages(4096);
	for (pfn = 0; pfn < 4096; pfn++)
		pfn_to_page(pfn)->refcount = 1;
	world_boot("on");
	shim_strict = true;
}

static void *block(unsigned int n)
{
	return (void *)(W_HEAP + n * 64UL);
}

/* Track @n blocks. Each is referenced by one of @n others, which have no metadata. */
static void alloc_pairs(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		kmemleak_alloc(block(i), 64, 1, GFP_KERNEL);
	fail.permille = 1000;
	for (i = 0; i < n; i++) {
		*(void **)block(n + i) = block(i);
		kmemleak_alloc(block(n + i), 64, 1, GFP_ATOMIC);
	}
	fail.permille = 0;
}

/* Scan when the blocks are old enough to be reported: none may be. */
static int no_report(void)
{
	unsigned int i;
	char *text;

	shim_time_advance(msecs_to_jiffies(6000));
	for (i = 0; i < 3; i++)
		TAP_CHECK(!command("scan"), "scan");
	text = slurp("kmemleak");
	TAP_CHECK(!*text, "false report: %.100s", text);
	return 0;
}

/* More blocks without metadata than the reserve holds: their pages are roots. */
static int dry_case(void *arg)
{
	char *text;

	boot();
	alloc_pairs(3000);
	TAP_CHECK(world_stat("lost_pages") > 0, "no page has lost blocks");
	TAP_CHECK(world_stat("lost") > 0, "no block is counted as lost");
	if (no_report())
		return 1;
	text = shim_log_take();
	TAP_CHECK(strstr(text, "run dry"), "not logged:\n%s", text);
	return 0;
}

/*
 * Have blocks of @size bytes fail, from block() @first on. The reserve has no entries for
 * the last of many.
 */
static void lose(unsigned int first, unsigned int nr, size_t size)
{
	unsigned int i;

	fail.permille = 1000;
	for (i = 0; i < nr; i++)
		kmemleak_alloc(block(first + i * size / 64), size, 1, GFP_ATOMIC);
	fail.permille = 0;
}

/*
 * A scan reads the pages of lost blocks, as long as they are in use. A page without a
 * count may be in use, as a part of a block. A page that was free and is in use again
 * has no lost blocks.
 */
#define MANY		3000U			/* more than the reserve holds */
#define FREE_ORDER	4U
#define PER_PAGE	((unsigned int)PAGE_SIZE / 64)

static unsigned long *page_word(unsigned long pfn)
{
	return (unsigned long *)(W_HEAP + pfn * PAGE_SIZE) + 17;
}

static bool is_listed(unsigned int n)
{
	char line[60], *text = slurp("kmemleak");

	shim_snprintf(line, sizeof(line), "unreferenced object 0x%08lx ", (unsigned long)block(n));
	return strstr(text, line);
}

/* Stop scans at one point after the other: then some pages are seen by none of them. */
static int stop_scans(void)
{
	long poll = 0;
	int ret;

	do {
		shim_signal_in = ++poll;
		ret = command("scan");
		current->sigpending = 0;
		shim_signal_in = 0;
		world_quiesce();
	} while (ret);
	TAP_CHECK(poll > 10, "only %ld points at which a scan may stop", poll);
	return 0;
}

static bool is_lost(long pages)
{
	return world_stat("lost_pages") == pages;
}

static int lost_pages_case(void *arg)
{
	/* pages of small lost blocks, some of which are freed, and of a large one */
	const unsigned long small = 1280, free = small + (1 << FREE_ORDER), large = 2560;
	const unsigned int nr_large = 64;
	unsigned long bytes;
	long lost;
	unsigned int i;

	setenv("KMEMLEAK_PARALLEL", (char *)arg, 1);
	boot();
	lose(PER_PAGE * 100, MANY, 64);
	lost = world_stat("lost_pages");
	TAP_CHECK(lost > 0 && lost <= MANY / PER_PAGE + 1, "%ld pages", lost);
	lose(PER_PAGE * small, PER_PAGE * 2 << FREE_ORDER, 64);
	lost += 2 << FREE_ORDER;
	lose(PER_PAGE * large, 1, nr_large * PAGE_SIZE);
	lost += nr_large;
	/* across two pages */
	lose(PER_PAGE * 3200 - 1, 1, 128);
	lost += 2;
	TAP_CHECK(is_lost(lost), "%ld pages, not %ld", world_stat("lost_pages"), lost);

	/*
	 * Referenced by pages: 0 and 1 with lost blocks, 2 by one that will be freed, 3 by
	 * the last of a large block, 4 by one without lost blocks.
	 */
	for (i = 0; i < 5; i++)
		kmemleak_alloc(block(i), 64, 1, GFP_KERNEL);
	*page_word(small) = (unsigned long)block(0);
	*page_word(small + 1) = (unsigned long)block(1);
	pfn_to_page(small + 1)->refcount = 0;
	*page_word(free + 3) = (unsigned long)block(2);
	*page_word(large + nr_large - 1) = (unsigned long)block(3);
	*page_word(3000) = (unsigned long)block(4);
	shim_time_advance(msecs_to_jiffies(6000));
	TAP_CHECK(!stop_scans(), "stopped scans");
	TAP_CHECK(!command("scan"), "scan");
	for (i = 0; i < 5; i++)
		TAP_CHECK(is_listed(i) == (i == 4), "%u of 5: %d", i, is_listed(i));
	TAP_CHECK(is_lost(lost), "%ld pages, not %ld", world_stat("lost_pages"), lost);
	bytes = world_stat("scan_bytes") / world_stat("scan_marks");
	TAP_CHECK(bytes < (unsigned long)lost * PAGE_SIZE + SZ_1M, "%lu bytes are read", bytes);

	world_free_block(free, FREE_ORDER);
	lost -= 1 << FREE_ORDER;
	TAP_CHECK(!stop_scans(), "stopped scans");
	TAP_CHECK(!command("scan"), "scan");
	TAP_CHECK(is_lost(lost), "%ld pages, not %ld", world_stat("lost_pages"), lost);
	for (i = 0; i < (1 << FREE_ORDER); i++)
		pfn_to_page(free + i)->refcount = 1;
	pfn_to_page(free)->mapcount = 0;
	TAP_CHECK(!command("scan"), "scan");
	for (i = 0; i < 5; i++)
		TAP_CHECK(is_listed(i) == (i == 4 || i == 2), "%u of 5: %d", i, is_listed(i));

	/* All are free: the next leak is found, whatever the pages hold by then. */
	for (i = 0; i < 4096; i += 256)
		world_free_block(i, 8);
	TAP_CHECK(!command("scan"), "scan");
	TAP_CHECK(!world_stat("lost_pages"), "%ld pages are left", world_stat("lost_pages"));
	return 0;
}

/* The reserve has room: its blocks are roots until they are freed. */
static int reserve_case(void *arg)
{
	unsigned int i, n = 200;
	char *text;

	boot();
	alloc_pairs(n);
	TAP_CHECK(world_stat("reserve_blocks") == n, "%ld blocks", world_stat("reserve_blocks"));
	TAP_CHECK(world_stat("lost_pages") == 0, "dry already");
	if (no_report())
		return 1;

	/* Freed blocks are no roots: now all the others are leaks. */
	for (i = 0; i < n; i++)
		kmemleak_free(block(n + i));
	TAP_CHECK(world_stat("reserve_blocks") == 0, "%ld left", world_stat("reserve_blocks"));
	/* The first one takes checksums. */
	TAP_CHECK(!command("scan") && !command("scan"), "scan");
	text = slurp("kmemleak");
	for (i = 0; strstr(text, "unreferenced"); i++)
		text = strstr(text, "unreferenced") + 1;
	TAP_CHECK(i == n, "%u of %u leaks reported", i, n);
	return 0;
}

/* Bursts without memory, with pauses in which the reserve is refilled. */
static int burst_case(void *arg)
{
	unsigned int i, burst;

	boot();
	for (burst = 0; burst < 4; burst++) {
		fail.permille = 1000;
		for (i = 0; i < 250; i++)
			kmemleak_alloc(block(250 * burst + i), 64, 1, GFP_ATOMIC);
		fail.permille = 0;
		world_quiesce();
	}
	TAP_CHECK(!world_stat("lost") && !world_stat("lost_pages"), "%ld blocks lost",
		  world_stat("lost"));
	TAP_CHECK(world_stat("reserve_blocks") == 1000, "%ld in reserve",
		  world_stat("reserve_blocks"));
	return 0;
}

/* A server that boots with thousands of huge pages, before there is a slab. */
#if BITS_PER_LONG == 64
#define EARLY_BLOCK	BIT(30)
#define EARLY_BASE	BIT(40)
#define EARLY_NR	1500
#else
#define EARLY_BLOCK	BIT(22)
#define EARLY_BASE	BIT(30)
#define EARLY_NR	256
#endif

static int early_case(void *arg)
{
	unsigned long i;

	for (i = 0; i < EARLY_NR; i++)
		kmemleak_alloc_phys(EARLY_BASE + i * EARLY_BLOCK, EARLY_BLOCK, 0);
	/* free one, and a part of another */
	kmemleak_free_part_phys(EARLY_BASE, EARLY_BLOCK);
	kmemleak_free_part_phys(EARLY_BASE + EARLY_BLOCK, EARLY_BLOCK / 2);
	boot();
	TAP_CHECK(!world_stat("lost") && !world_stat("reserved"),
		  "%ld blocks lost, %ld in the reserve", world_stat("lost"),
		  world_stat("reserved"));
	TAP_CHECK(world_stat("objects") >= EARLY_NR - 1, "%ld objects",
		  world_stat("objects"));
	for (i = 0; i < EARLY_NR; i++)
		kmemleak_free_part_phys(EARLY_BASE + i * EARLY_BLOCK, EARLY_BLOCK);
	kmemleak_free_part_phys(EARLY_BASE + EARLY_BLOCK + EARLY_BLOCK / 2,
				EARLY_BLOCK / 2);
	/* only the sections of the kernel */
	TAP_CHECK(world_stat("objects") < 8, "%ld objects remain", world_stat("objects"));
	TAP_CHECK(!command("scan"), "scan");
	return 0;
}

/*
 * Page tables of a direct map of small pages, from the top down, and per-CPU areas of
 * single pages, each of which is ignored at once: before there is a slab, and more than
 * the static pool has room for.
 */
#define EARLY_TABLES	20000
#define EARLY_AREAS	20000

static int early_pages_case(void *arg)
{
	const unsigned long areas = EARLY_BASE, tables = EARLY_BASE + EARLY_BLOCK;
	unsigned long i;

	for (i = 1; i <= EARLY_TABLES; i++)
		kmemleak_alloc_phys(tables - i * PAGE_SIZE, PAGE_SIZE, 0);
	for (i = 0; i < EARLY_AREAS; i++) {
		kmemleak_alloc_phys(areas + i * PAGE_SIZE, PAGE_SIZE, 0);
		kmemleak_ignore_phys(areas + i * PAGE_SIZE);
	}
	boot();
	TAP_CHECK(!world_stat("lost") && !world_stat("reserved"),
		  "%ld blocks lost, %ld in the reserve", world_stat("lost"),
		  world_stat("reserved"));
	TAP_CHECK(world_stat("objects") < 16, "%ld objects", world_stat("objects"));
	for (i = 1; i <= EARLY_TABLES; i++)
		kmemleak_free_part_phys(tables - i * PAGE_SIZE, PAGE_SIZE);
	for (i = 0; i < EARLY_AREAS; i++)
		kmemleak_free_part_phys(areas + i * PAGE_SIZE, PAGE_SIZE);
	TAP_CHECK(world_stat("objects") < 8, "%ld objects remain", world_stat("objects"));
	TAP_CHECK(!command("scan"), "scan");
	return 0;
}

static unsigned int listed(void)
{
	char *text = slurp("kmemleak"), *at;
	unsigned int n = 0;

	for (at = text; (at = strstr(at, "unreferenced")); at++)
		n++;
	free(text);
	return n;
}

/*
 * Without memory for its metadata, a physical block becomes a part of its neighbour, or
 * goes to the reserve. So does the rest of a block that is cut. All are roots until
 * they are freed.
 */
static int phys_case(void *arg)
{
	const unsigned long a = W_LOW_START, b = a + SZ_64K;
	long objects;
	int i;

	boot();
	kmemleak_alloc_phys(a, 4096, GFP_KERNEL);
	objects = world_stat("objects");
	for (i = 0; i < 3; i++)
		kmemleak_alloc(block(i), 64, 1, GFP_KERNEL);
	fail.permille = 1000;
	kmemleak_alloc_phys(a + 4096, 4096, GFP_KERNEL);
	kmemleak_alloc_phys(b, 4096, GFP_KERNEL);
	kmemleak_alloc_phys(a - 4096, 4096, GFP_KERNEL);
	fail.permille = 0;
	TAP_CHECK(world_stat("objects") == objects + 3, "%ld objects", world_stat("objects"));
	TAP_CHECK(world_stat("reserve_blocks") == 1, "%ld in reserve",
		  world_stat("reserve_blocks"));
	*(void **)__va(a + 4096 + 8) = block(0);
	*(void **)__va(b + 8) = block(1);
	*(void **)__va(a + 16) = block(2);

	fail.permille = 1000;
	kmemleak_free_part_phys(a + 1024, 1024);
	fail.permille = 0;
	TAP_CHECK(world_stat("reserve_blocks") == 2, "%ld in reserve after the cut",
		  world_stat("reserve_blocks"));
	shim_time_advance(msecs_to_jiffies(6000));
	TAP_CHECK(!command("scan") && !command("scan"), "scan");
	TAP_CHECK(!listed(), "%u false reports", listed());

	kmemleak_free_part_phys(a + 2048, 6144);
	kmemleak_free_part_phys(b, 4096);
	TAP_CHECK(!world_stat("reserve_blocks"), "%ld left", world_stat("reserve_blocks"));
	TAP_CHECK(!command("scan") && !command("scan"), "scan");
	TAP_CHECK(listed() == 2, "%u of 2 leaks", listed());
	kmemleak_free_part_phys(a - 4096, 4096 + 1024);
	TAP_CHECK(!command("scan") && !command("scan"), "scan");
	TAP_CHECK(listed() == 3, "%u of 3 leaks", listed());
	TAP_CHECK(world_stat("objects") == objects + 2, "%ld objects remain",
		  world_stat("objects"));
	return 0;
}

static void family(const char *fmt, int from, int to, long scale, long add,
		   int (*fn)(void *arg))
{
	char name[100];
	bool good = true;
	long s;

	for (s = from; s < to && good; s++)
		good = tap_try(fn, (void *)(s * scale + add), 300);
	snprintf(name, sizeof(name), fmt, to - from, add);
	tap_line(name, good, "");
}

/* With an argument n, only one nth of the programs. */
int main(int argc, char **argv)
{
	static const int rate[] = { 5, 50, 300, 1000 };
	int part = argc > 1 ? atoi(argv[1]) : 1;
	unsigned int i;

	world_map();
	tap_case("the reserve keeps blocks without metadata", reserve_case, NULL, 60);
	tap_case("a dry reserve causes no false report", dry_case, NULL, 60);
	tap_case("bursts without memory", burst_case, NULL, 60);
	tap_case("pages of lost blocks are roots until they are free", lost_pages_case, "1", 60);
	tap_case("pages of lost blocks are roots until they are free, 3 workers",
		 lost_pages_case, "3", 60);
	tap_case("huge blocks before there is a slab", early_case, NULL, 60);
	tap_case("blocks of a page before there is a slab", early_pages_case, NULL, 60);
	tap_case("physical blocks without memory for metadata", phys_case, NULL, 60);
	family("the slab fails half the time, %d programs lose nothing", 1, 200 / part, 1, 0,
	       pool_case);
	family("each allocation fails once, %d programs", 1, ONE_BY_ONE / part + 1, 1, 0,
	       one_by_one);
	for (i = 0; i < ARRAY_SIZE(rate); i++)
		family("%d programs, %ld of 1000 allocations fail", 1, AT_RANDOM / part + 1, 1001,
		       rate[i], random_case);
	return tap_done();
}
