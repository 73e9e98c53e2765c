// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hotplug of memory and CPUs. A plug request waits no longer than a scan needs for a
 * unit of pages; a scan that waits for a request can be stopped; and no page is read
 * that is not mapped. A CPU that goes offline waits for some KiB, and a CPU that cannot
 * take part in scans has no worker.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <time.h>

#include "tap.h"
#include "world.h"
#include "scan.h"

#define VICTIM	W_HEAP
#define DECOY	(W_HEAP + 8 * SZ_1M)	/* a leak */
#define LIST	(W_HEAP + 16 * SZ_1M)
#define CELL	((unsigned long *)W_DATA)

static struct world_file file;

static ssize_t command(const char *cmd)
{
	return world_write(&file, cmd, strlen(cmd));
}

static ssize_t scan(void)
{
	ssize_t ret;

	shim_time_advance(msecs_to_jiffies(6000));
	ret = command("scan");
	shim_rcu_run();
	return ret;
}

static bool reported(unsigned long addr)
{
	return world_reported(&file, addr);
}

static void begin(unsigned int cpus)
{
	world_cpus(cpus);
	world_task(&world_tasks[0]);
	world_boot("on");
	if (world_open(&file, "kmemleak", FMODE_READ | FMODE_WRITE))
		shim_fatal("no debugfs file");
	kmemleak_alloc((void *)DECOY, 64, 1, GFP_KERNEL);
}

/* A list of grey objects. */
static void make_list(unsigned long nr)
{
	unsigned long i;

	for (i = 0; i < nr; i++) {
		unsigned long *p = (void *)(LIST + i * 256);

		kmemleak_alloc(p, 64, 1, GFP_KERNEL);
		*p = i + 1 < nr ? (unsigned long)p + 256 : VICTIM;
	}
	CELL[0] = LIST;
}

static long mark_polls;
static void (*at_mark_poll)(void);

static void poll(void)
{
	if (READ_ONCE(kml_running.stage) != KML_STAGE_MARK)
		return;
	__atomic_fetch_add(&mark_polls, 1, __ATOMIC_RELAXED);
	if (at_mark_poll)
		at_mark_poll();
}

/* A mark holds the hotplug lock for a small part of its polls at a time. */
static int unit_case(void *arg)
{
	world_pages(W_MAX_PAGES);
	begin(2);
	kmemleak_alloc((void *)VICTIM, 64, 1, GFP_KERNEL);
	make_list(60000);
	TAP_CHECK(scan() == 4, "scan");
	shim_poll = poll;
	shim_mems_most_polls = 0;
	TAP_CHECK(scan() == 4, "scan");
	shim_poll = NULL;
	TAP_CHECK(reported(DECOY) && !reported(VICTIM), "a wrong report");
	TAP_CHECK(mark_polls > 2000, "%ld polls in a mark", mark_polls);
	TAP_CHECK(shim_mems_most_polls > 10 && shim_mems_most_polls < 300,
		  "memory hotplug waits for %ld polls, a mark has %ld",
		  shim_mems_most_polls, mark_polls);
	return 0;
}

static bool over;

static void *plug_main(void *arg)
{
	unsigned long *times = arg;

	shim_thread_attach(-1);
	while (!READ_ONCE(over)) {
		mem_hotplug_begin();
		usleep(300);
		mem_hotplug_done();
		usleep(100);
		++*times;
	}
	shim_thread_detach();
	return NULL;
}

/* Memory is plugged and unplugged all the time, and scans are still correct. */
static int plug_case(void *arg)
{
	unsigned long times = 0;
	pthread_t thread;
	unsigned int i;

	world_pages(W_MAX_PAGES);
	begin(4);
	TAP_CHECK(command("parallel=4") == 10, "parallel");
	kmemleak_alloc((void *)VICTIM, 64, 1, GFP_KERNEL);
	make_list(2000);
	if (pthread_create(&thread, NULL, plug_main, &times))
		shim_fatal("no thread");
	for (i = 0; i < 20; i++) {
		TAP_CHECK(scan() == 4, "scan");
		TAP_CHECK(!i == !reported(DECOY) && !reported(VICTIM), "scan %u", i);
	}
	WRITE_ONCE(over, true);
	pthread_join(thread, NULL);
	TAP_CHECK(times > 20, "only %lu requests", times);
	return 0;
}

/* A request to unplug memory does not end, since the memory does not go offline. */
static long stop_at;

static void signal_comes(void)
{
	if (!(current->flags & PF_KTHREAD) && READ_ONCE(mark_polls) >= stop_at)
		current->sigpending = SHIM_SIGINT;
}

static void *halt_main(void *arg)
{
	shim_thread_attach(-1);
	while (READ_ONCE(mark_polls) < stop_at)
		sched_yield();
	kml_scan_halt(KML_HALT_ALL);
	shim_thread_detach();
	return NULL;
}

static int stuck_case(void *arg)
{
	bool by_signal = arg;
	pthread_t thread;
	ssize_t ret;

	begin(3);
	TAP_CHECK(command("parallel=3") == 10, "parallel");
	TAP_CHECK(scan() == 4, "scan");
	mem_hotplug_begin();
	shim_poll = poll;
	stop_at = 50;
	if (by_signal)
		at_mark_poll = signal_comes;
	else if (pthread_create(&thread, NULL, halt_main, NULL))
		shim_fatal("no thread");
	ret = scan();
	shim_poll = NULL;
	TAP_CHECK(ret == (by_signal ? -ERESTARTSYS : -EPERM), "scan returns %zd", ret);
	TAP_CHECK(!reported(DECOY), "a scan that was stopped has reported");
	if (!by_signal) {
		pthread_join(thread, NULL);
		kml_scan_resume(KML_HALT_ALL);
	}
	current->sigpending = 0;
	mem_hotplug_done();
	TAP_CHECK(scan() == 4 && reported(DECOY), "not after it");
	return 0;
}

/* The first zone loses its memory when a unit of the second one has been read. */
static int units;
static bool in_unit;

static void zone_goes(void)
{
	units += shim_self()->mems && !in_unit;
	in_unit = shim_self()->mems;
	if (units == 2 && !in_unit)
		shim_zones[0].present_pages = 0;
}

static int zone_case(void *arg)
{
	world_pages(W_MAX_PAGES);
	begin(1);
	kmemleak_alloc((void *)VICTIM, 64, 1, GFP_KERNEL);
	TAP_CHECK(scan() == 4, "scan");
	pfn_to_page(W_MAX_PAGES - 100)->refcount = 1;
	pfn_to_page(W_MAX_PAGES - 100)->word[3] = VICTIM;
	shim_poll = poll;
	at_mark_poll = zone_goes;
	TAP_CHECK(scan() == 4, "scan");
	shim_poll = NULL;
	TAP_CHECK(units == 3, "%d units", units);
	TAP_CHECK(reported(DECOY), "a leak was not reported");
	TAP_CHECK(!reported(VICTIM), "struct pages of the second zone were left out");
	return 0;
}

/* A free block is found by its first page, and by any other. */
static int free_case(void *arg)
{
	struct zone *zone = &shim_zones[1];
	struct page *page = pfn_to_page(2048);

	world_pages(W_MAX_PAGES);
	zone->zone_start_pfn = 1025;
	world_free_block(2048, 6);
	TAP_CHECK(kml_pages_free(zone, 2048, true) == 64, "not from its first page");
	TAP_CHECK(kml_pages_free(zone, 2048, false) == 64, "not from its first page");
	TAP_CHECK(kml_pages_free(zone, 2048 + 3, true) == 61, "not from its fourth page");
	TAP_CHECK(!kml_pages_free(zone, 2048 + 3, false), "looked for without need");
	TAP_CHECK(!kml_pages_free(zone, 2048 + 64, true), "the page after it");
	TAP_CHECK(!kml_pages_free(zone, 1025, true), "the first page of the zone");
	/* allocated since: the word is not an order */
	page->mapcount = SHIM_BUDDY + 40;
	TAP_CHECK(kml_pages_free(zone, 2048, true) == 1UL << MAX_PAGE_ORDER, "no limit");
	world_free_block(2048 + 32, 0);
	pfn_to_page(2048 + 32)->mapcount = SHIM_BUDDY + 40;
	TAP_CHECK(!kml_pages_free(zone, 2048 + 32, false), "not aligned to its size");
	return 0;
}

/* The second of three pages of a physical block, which is not mapped. */
#define PHYS		(W_LOW_START + 0x1000)

static int unmapped_case(void *arg)
{
	static const size_t where[] = { 8, PAGE_SIZE - 16, 2 * PAGE_SIZE, 3 * PAGE_SIZE - 8,
					/* at odd offsets, only in a trial */
					PAGE_SIZE - 27, 2 * PAGE_SIZE + 21 };
	unsigned long first = (unsigned long)__va(PHYS);
	unsigned int i;

	begin(2);
	kmemleak_alloc_phys(PHYS, 3 * PAGE_SIZE, 0);
	for (i = 0; i < ARRAY_SIZE(where); i++) {
		kmemleak_alloc((void *)(VICTIM + i * 256), 64, 1, GFP_KERNEL);
		put_unaligned(VICTIM + i * 256, (unsigned long *)(first + where[i]));
	}
	if (mprotect((void *)(first + PAGE_SIZE), PAGE_SIZE, PROT_NONE))
		shim_fatal("cannot take the page's mapping away");
	shim_unmapped = first + PAGE_SIZE;
	shim_unmapped_len = PAGE_SIZE;
	for (i = 0; i < 3; i++)
		TAP_CHECK(scan() == 4, "scan");
	TAP_CHECK(reported(DECOY), "a leak was not reported");
	for (i = 0; i < ARRAY_SIZE(where); i++)
		TAP_CHECK(!reported(VICTIM + i * 256), "reported: offset %zu", where[i]);
	return 0;
}

/* A CPU goes offline while its helper checksums a large block. */
#define BLOCKS		6
#define BLOCK		(8 * SZ_1M)
#define PATIENCE	20		/* seconds, in case of a failure */

static long helper_polls, polls_after;
static int leaving = -1;

static void check_poll(void)
{
	time_t end = time(NULL) + PATIENCE;

	if (READ_ONCE(kml_running.stage) != KML_STAGE_CHECK)
		return;
	if (!(current->flags & PF_KTHREAD)) {
		/* until the helper has one */
		while (READ_ONCE(helper_polls) < 20 && time(NULL) < end)
			usleep(100);
		return;
	}
	if (kthread_should_park())
		polls_after++;
	WRITE_ONCE(helper_polls, helper_polls + 1);
	if (helper_polls != 20)
		return;
	WRITE_ONCE(leaving, raw_smp_processor_id());
	while (!kthread_should_park() && time(NULL) < end)
		sched_yield();
}

static void *down_main(void *arg)
{
	shim_thread_attach(-1);
	while (READ_ONCE(leaving) < 0)
		sched_yield();
	shim_cpu_down(READ_ONCE(leaving));
	shim_thread_detach();
	return NULL;
}

static int cpu_case(void *arg)
{
	pthread_t thread;
	unsigned int i;

	begin(2);
	TAP_CHECK(command("parallel=2") == 10, "parallel");
	for (i = 0; i < BLOCKS; i++)
		kmemleak_alloc((void *)(W_VMALLOC + i * SZ_16M), BLOCK, 1, GFP_KERNEL);
	TAP_CHECK(scan() == 4, "scan");
	if (pthread_create(&thread, NULL, down_main, NULL))
		shim_fatal("no thread");
	shim_poll = check_poll;
	TAP_CHECK(scan() == 4, "scan");
	shim_poll = NULL;
	TAP_CHECK(leaving >= 0, "the helper had nothing to do");
	pthread_join(thread, NULL);
	TAP_CHECK(polls_after < 50, "the CPU waited for %ld chunks", polls_after);
	/* all checksums are known: the helper has left its work to others */
	for (i = 0; i < BLOCKS; i++)
		TAP_CHECK(reported(W_VMALLOC + i * SZ_16M), "block %u is not reported", i);
	return 0;
}

/* Workers are allocated when a CPU first helps; the next scan repeats a failed one. */
static int isolated_case(void *arg)
{
	world_task(&world_tasks[0]);
	shim_isolated = BIT(3);
	begin(4);
	shim_self()->cpu = 0;
	shim_mem.fail_cache = "kmemleak_worker";
	shim_mem.fail_permille = 1000;
	TAP_CHECK(command("parallel=on") == 11, "parallel");
	shim_kthreads_settle();
	TAP_CHECK(!shim_mem.failed, "%ld workers allocated too early", shim_mem.failed);
	TAP_CHECK(scan() == 4 && world_stat("scan_workers") == 1, "alone: %ld",
		  world_stat("scan_workers"));
	TAP_CHECK(shim_mem.failed == 2, "%ld workers wanted", shim_mem.failed);
	shim_mem.fail_permille = 0;
	TAP_CHECK(scan() == 4 && world_stat("scan_workers") == 3, "%ld workers after it",
		  world_stat("scan_workers"));
	shim_isolated = 0;
	TAP_CHECK(scan() == 4 && world_stat("scan_workers") == 4, "%ld workers at last",
		  world_stat("scan_workers"));
	TAP_CHECK(reported(DECOY), "a leak was not reported");
	return 0;
}

int main(void)
{
	world_map();
	tap_case("memory hotplug waits for a unit of pages", unit_case, NULL, 120);
	tap_case("memory hotplug during scans", plug_case, NULL, 120);
	tap_case("a signal while memory does not go offline", stuck_case, (void *)true, 60);
	tap_case("a command while memory does not go offline", stuck_case, NULL, 60);
	tap_case("a zone disappears while roots are read", zone_case, NULL, 60);
	tap_case("free blocks", free_case, NULL, 10);
	tap_case("a physical block is not mapped", unmapped_case, NULL, 60);
	tap_case("a CPU goes during a large checksum", cpu_case, NULL, 120);
	tap_case("only CPUs that can help have workers", isolated_case, NULL, 60);
	return tap_done();
}
