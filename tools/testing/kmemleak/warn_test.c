// SPDX-License-Identifier: GPL-2.0-only
/*
 * Complaints of hooks: blocks that overlap others, after which kmemleak continues, and
 * messages while the caller holds the lock of a console.
 */
#include "tap.h"
#include "world.h"

static struct world_file file;

static ssize_t command(const char *cmd)
{
	return world_command(&file, cmd);
}

static int boot(void)
{
	shim_strict = true;
	world_task(&world_tasks[0]);
	world_boot("on");
	free(shim_log_take());
	return world_open(&file, "kmemleak", FMODE_READ | FMODE_WRITE);
}

static void *block(unsigned int i)
{
	return (void *)(W_HEAP + i * 256UL);
}

static void overlap(void *ptr, size_t size)
{
	kmemleak_alloc(ptr, size, 1, GFP_ATOMIC);
}

static unsigned int said(const char *what)
{
	char *log = shim_log_take(), *at;
	unsigned int n = 0;

	for (at = log; (at = strstr(at, what)); at++)
		n++;
	free(log);
	return n;
}

#define OVERLAPS	"overlaps existing"

static unsigned int listed(void)
{
	unsigned int n = 0;
	ssize_t err;
	char *text, *at;

	shim_time_advance(msecs_to_jiffies(6000));
	command("scan");
	command("scan");
	text = world_slurp(&file, 65536, &err);
	for (at = text; (at = strstr(at, "unreferenced")); at++)
		n++;
	free(text);
	return n;
}

/* A block over the head, the tail or all of another: scanned, never reported. */
static int goes_on_case(void *arg)
{
	static const struct {
		long off;
		size_t size;
	} t[] = { { -8, 64 }, { 0, 8 }, { 0, 128 }, { 32, 8 }, { 40, 64 }, { -8, 128 } };
	unsigned int i, n = ARRAY_SIZE(t);

	TAP_CHECK(!boot(), "boot");
	for (i = 0; i < n; i++) {
		void *child = block(100 + i);

		/* only the overlapping block refers to these */
		kmemleak_alloc(child, 64, 1, GFP_KERNEL);
		kmemleak_alloc(block(i), 64, 0, GFP_KERNEL);
		kmemleak_no_scan(block(i));
		overlap(block(i) + t[i].off, t[i].size);
		/* in a word of its own */
		*(void **)(block(i) + max(t[i].off, 0L)) = child;
	}
	TAP_CHECK(world_stat("enabled") == 1 && world_stat("overlaps") == n,
		  "enabled %ld, %ld overlaps", world_stat("enabled"), world_stat("overlaps"));
	TAP_CHECK(world_stat("reserve_blocks") == n && !world_stat("reserved"),
		  "%ld in the reserve, %ld without memory", world_stat("reserve_blocks"),
		  world_stat("reserved"));
	TAP_CHECK(!listed(), "reported, or not scanned");

	/* freed one by one: then the blocks behind them are leaks */
	for (i = 0; i < n; i++) {
		kmemleak_free(block(i) + t[i].off);
		TAP_CHECK(world_stat("reserve_blocks") == n - i - 1, "%ld after %u are freed",
			  world_stat("reserve_blocks"), i + 1);
	}
	TAP_CHECK(listed() == n, "%u of %u are lost", listed(), n);
	return 0;
}

/* Each call site is logged once, with the other block; all are counted. */
static int once_case(void *arg)
{
	unsigned int i, site;

	TAP_CHECK(!boot(), "boot");
	for (i = 0; i < 40; i++)
		kmemleak_alloc(block(i), 64, 1, GFP_KERNEL);
	for (site = 1; site <= 2; site++) {
		shim_stack_id = site;
		overlap(block(site) + 8, 8);
		TAP_CHECK(said(OVERLAPS) == 1, "site %u: not once", site);
		for (i = 10; i < 20; i++)
			overlap(block(10 * site + i) + 8, 8);
		TAP_CHECK(!said("kmemleak"), "site %u: again", site);
	}
	TAP_CHECK(world_stat("overlaps") == 22, "%ld overlaps", world_stat("overlaps"));

	/* the table of call sites has a limit */
	for (site = 3; site < 300; site++) {
		shim_stack_id = site;
		overlap(block(1) + 8, 8);
	}
	i = said(OVERLAPS);
	TAP_CHECK(i > 30 && i < 100, "%u of 300 sites", i);
	TAP_CHECK(world_stat("overlaps") == 22 + 297, "%ld overlaps", world_stat("overlaps"));
	return 0;
}

/* The usual reason: a free without a hook. No data of such blocks are kept. */
static int stale_case(void *arg)
{
	unsigned int i;

	TAP_CHECK(!boot(), "boot");
	for (i = 0; i < 100; i++)
		overlap(block(0), 64);
	TAP_CHECK(world_stat("reserve_blocks") == 1, "%ld of one block in the reserve",
		  world_stat("reserve_blocks"));
	kmemleak_free(block(0));
	TAP_CHECK(!world_stat("reserve_blocks"), "a freed block would be read");
	overlap(block(0), 64);
	TAP_CHECK(world_stat("overlaps") == 99, "the place is taken");

	/* nor of blocks inside of a block that is freed, or in part */
	kmemleak_alloc((void *)W_VMALLOC, 16 * PAGE_SIZE, 1, GFP_KERNEL);
	for (i = 1; i < 16; i++)
		overlap((void *)W_VMALLOC + i * PAGE_SIZE, 64);
	kmemleak_free_part((void *)W_VMALLOC + 8 * PAGE_SIZE, 8 * PAGE_SIZE);
	TAP_CHECK(world_stat("reserve_blocks") == 7, "%ld in the part that is left",
		  world_stat("reserve_blocks"));
	kmemleak_free((void *)W_VMALLOC);
	TAP_CHECK(!world_stat("reserve_blocks"), "%ld in a freed block",
		  world_stat("reserve_blocks"));
	return 0;
}

static int strict_case(void *arg)
{
	TAP_CHECK(!boot(), "boot");
	TAP_CHECK(!shim_param_set("kmemleak.strict", "1"), "no such parameter");
	kmemleak_alloc(block(0), 64, 1, GFP_KERNEL);
	overlap(block(0) + 8, 8);
	TAP_CHECK(said("Kernel memory leak detector disabled") == 1, "not logged");
	TAP_CHECK(world_stat("enabled") == 0 && command("scan") == -EPERM, "still on");
	return 0;
}

/* All messages of hooks, under a lock that a console needs. */
static int console_case(void *arg)
{
	struct vm_struct *vm = block(50);
	unsigned int i;

	TAP_CHECK(!boot(), "boot");
	kmemleak_alloc(block(0), 64, 1, GFP_KERNEL);
	shim_console_held = true;
	overlap(block(0) + 8, 8);
	kmemleak_free(block(0) + 16);
	kmemleak_no_scan(block(1));
	kmemleak_transient_leak(block(2));
	kmemleak_scan_area(block(3), 8, GFP_ATOMIC);
	kmemleak_scan_area(block(0) + 32, 64, GFP_ATOMIC);
	vm->addr = (void *)W_VMALLOC;
	vm->size = PAGE_SIZE;
	kmemleak_vmalloc(vm, PAGE_SIZE, GFP_ATOMIC);
	i = said("(stack dump)");
	TAP_CHECK(i == 7, "%u of 7 complaints", i);

	/* no memory for an area, then for anything */
	shim_mem.fail_permille = 1000;
	for (i = 1000; i < 100000; i++)
		kmemleak_alloc((void *)(W_HEAP + i * 64UL), 64, 1, GFP_ATOMIC);
	kmemleak_scan_area(block(0), 8, GFP_ATOMIC);
	i = said("No memory for metadata");
	TAP_CHECK(i == 2, "%u of 2 messages", i);
	shim_mem.fail_permille = 0;

	shim_param_set("kmemleak.strict", "1");
	overlap(block(0) + 8, 8);
	TAP_CHECK(said("detector disabled") == 1, "not off");
	return 0;
}

int main(void)
{
	world_map();
	tap_case("a block that overlaps another: kmemleak continues", goes_on_case, NULL, 30);
	tap_case("each call site of such blocks is logged once", once_case, NULL, 30);
	tap_case("such blocks are forgotten when their memory is freed", stale_case, NULL, 30);
	tap_case("kmemleak.strict=1: off, as stock", strict_case, NULL, 30);
	tap_case("messages while a console is locked", console_case, NULL, 60);
	return tap_done();
}
