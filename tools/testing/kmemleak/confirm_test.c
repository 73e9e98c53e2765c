// SPDX-License-Identifier: GPL-2.0-only
/*
 * References that the first mark misses because they move are found by confirming
 * marks. Their objects, and the objects behind those, are then in use, whatever their
 * state. The trial: words at odd offsets, and references in untracked pages.
 */
#include "tap.h"
#include "world.h"
#include "mark.h"

/* Each in an interval of its own, so that neighbours have no influence. */
#define VICTIM	W_HEAP
#define HOLDER	(W_HEAP + 4 * SZ_1M)
#define DECOY	(W_HEAP + 8 * SZ_1M)
#define AREA	(W_HEAP + 12 * SZ_1M)	/* outside of the range of suspects */
#define FILLER	(W_HEAP + 16 * SZ_1M)
#define CELL	((unsigned long *)W_DATA)

static struct world_file file;
static void (*arrive)(void);

static bool reported(unsigned long addr)
{
	return world_reported(&file, addr);
}

/* Called every few KiB; acts at the first poll of the stage of the second mark. */
static void poll(void)
{
	if (!arrive || READ_ONCE(kml_running.stage) != KML_STAGE_CONFIRM)
		return;
	arrive();
	arrive = NULL;
}

static void scan_after(unsigned int msecs)
{
	shim_time_advance(msecs_to_jiffies(msecs));
	world_write(&file, "scan", 4);
	world_quiesce();
}

/* Scan when blocks are old enough to be reported. */
static void scan(void)
{
	scan_after(6000);
}

static void begin(void)
{
	unsigned int i;

	world_map();
	world_task(&world_tasks[0]);
	world_boot("on");
	world_open(&file, "kmemleak", FMODE_READ | FMODE_WRITE);
	for (i = 0; i < 40; i++)
		kmemleak_alloc((void *)(FILLER + i * PAGE_SIZE), 256, 0, GFP_KERNEL);
}

/* Without a suspect there is no second mark. Its checksum is known. */
static void make_suspect(void)
{
	kmemleak_alloc((void *)DECOY, 64, 1, GFP_KERNEL);
}

/* A scan after @msecs, during which @fn is called. Return: 0 if it is correct. */
static int last_scan(void (*fn)(void), unsigned int msecs)
{
	arrive = fn;
	shim_poll = poll;
	scan_after(msecs);
	shim_poll = NULL;
	TAP_CHECK(!arrive, "there was no second mark");
	TAP_CHECK(reported(DECOY), "a leak was not reported");
	TAP_CHECK(!reported(VICTIM), "reported, though referenced all the time");
	return 0;
}

/* The victim's checksum is known, too, and it is referenced. */
static void begin_with_victim(void)
{
	begin();
	kmemleak_alloc((void *)VICTIM, 128, 1, GFP_KERNEL);
	scan();
	CELL[0] = VICTIM;
	make_suspect();
}

static void holder_arrives(void)
{
	WRITE_ONCE(CELL[1], HOLDER);
}

/* The holder of the reference was reported before. */
static int holder_reported(void *unused)
{
	begin();
	kmemleak_alloc((void *)VICTIM, 128, 1, GFP_KERNEL);
	kmemleak_alloc((void *)HOLDER, 128, 1, GFP_KERNEL);
	*(unsigned long *)HOLDER = VICTIM;
	CELL[0] = VICTIM;
	scan();
	scan();
	TAP_CHECK(reported(HOLDER) && !reported(VICTIM), "wrong reports before the scan");
	make_suspect();
	scan();
	CELL[0] = 0;
	if (last_scan(holder_arrives, 6000))
		return 1;
	TAP_CHECK(!reported(HOLDER), "still listed, though referenced");
	return 0;
}

/* The holder is too young to be reported. */
static int holder_young(void *unused)
{
	begin_with_victim();
	shim_time_advance(msecs_to_jiffies(4000));
	kmemleak_alloc((void *)HOLDER, 128, 1, GFP_KERNEL);
	*(unsigned long *)HOLDER = VICTIM;
	/* both checksums are noted, neither is old */
	scan_after(0);
	CELL[0] = 0;
	return last_scan(holder_arrives, 2000);
}

static void holder_is_painted(void)
{
	*(unsigned long *)HOLDER = VICTIM;
	kmemleak_not_leak((void *)HOLDER);
}

/* The holder's checksum has changed, and it is painted grey. */
static int holder_painted(void *unused)
{
	begin_with_victim();
	scan();
	kmemleak_alloc((void *)HOLDER, 128, 1, GFP_KERNEL);
	CELL[0] = 0;
	return last_scan(holder_is_painted, 6000);
}

static void area_arrives(void)
{
	WRITE_ONCE(CELL[1], AREA);
}

/* The holder forwards surplus references, and needs none any more. */
static int holder_of_surplus(void *unused)
{
	struct vm_struct *area = (void *)AREA;

	begin();
	kmemleak_alloc(area, sizeof(*area), 1, GFP_KERNEL);
	area->addr = (void *)VICTIM;
	kmemleak_vmalloc(area, PAGE_SIZE, GFP_KERNEL);
	scan();
	CELL[2] = VICTIM;
	CELL[3] = VICTIM;
	scan();
	TAP_CHECK(reported(AREA) && !reported(VICTIM), "wrong reports before the scan");
	world_write(&file, "clear", 5);
	CELL[2] = 0;
	CELL[3] = 0;
	make_suspect();
	CELL[1] = AREA;
	scan();
	TAP_CHECK(!reported(VICTIM), "surplus does not count at all");
	CELL[1] = 0;
	return last_scan(area_arrives, 6000);
}

/* A reference to HOLDER appears in the first confirming mark, one to VICTIM in the next. */
static void poll_marks(void)
{
	if (READ_ONCE(kml_running.stage) != KML_STAGE_CONFIRM)
		return;
	WRITE_ONCE(CELL[1], HOLDER);
	if (READ_ONCE(kml_scan_stats.marks) >= 2)
		WRITE_ONCE(CELL[2], VICTIM);
}

static int mark_after_a_find(void *unused)
{
	begin();
	kmemleak_alloc((void *)VICTIM, 128, 1, GFP_KERNEL);
	kmemleak_alloc((void *)HOLDER, 128, 1, GFP_KERNEL);
	make_suspect();
	scan();
	shim_poll = poll_marks;
	scan();
	shim_poll = NULL;
	TAP_CHECK(reported(DECOY), "a leak was not reported");
	TAP_CHECK(!reported(HOLDER), "not found by the first confirming mark");
	TAP_CHECK(!reported(VICTIM), "no mark followed one that had found something");
	TAP_CHECK(world_stat("scan_marks") >= 4, "marks: %ld", world_stat("scan_marks"));
	return 0;
}

/* The reference to VICTIM appears in the third confirming mark; the second finds none. */
static void poll_marks_apart(void)
{
	if (READ_ONCE(kml_running.stage) != KML_STAGE_CONFIRM)
		return;
	WRITE_ONCE(CELL[1], HOLDER);
	if (READ_ONCE(kml_scan_stats.marks) >= 3)
		WRITE_ONCE(CELL[2], VICTIM);
}

static int marks_are_limited(void *unused)
{
	begin();
	kmemleak_alloc((void *)VICTIM, 128, 1, GFP_KERNEL);
	kmemleak_alloc((void *)HOLDER, 128, 1, GFP_KERNEL);
	make_suspect();
	scan();
	shim_param_set("kmemleak.trial_marks", "3");
	shim_poll = poll_marks_apart;
	scan();
	shim_poll = NULL;
	TAP_CHECK(!reported(HOLDER) && !reported(VICTIM), "not found by the marks");
	TAP_CHECK(world_stat("scan_marks") == 4, "marks: %ld, the first included",
		  world_stat("scan_marks"));
	return 0;
}

/* A word at an odd offset that lies in two chunks. */
static int odd_over_pieces(void *unused)
{
	/* after a chunk, and after a slice, which another worker may read */
	static const size_t where[] = { 4096 - 3, 128 * 1024 - 5 };
	unsigned int i;

	begin();
	kmemleak_alloc((void *)HOLDER, 256 * 1024, 0, GFP_KERNEL);
	for (i = 0; i < ARRAY_SIZE(where); i++) {
		kmemleak_alloc((void *)(VICTIM + i * PAGE_SIZE), 128, 1, GFP_KERNEL);
		put_unaligned(VICTIM + i * PAGE_SIZE, (unsigned long *)(HOLDER + where[i]));
	}
	make_suspect();
	scan();
	scan();
	TAP_CHECK(reported(DECOY), "a leak was not reported");
	for (i = 0; i < ARRAY_SIZE(where); i++)
		TAP_CHECK(!reported(VICTIM + i * PAGE_SIZE), "reported: offset %zu", where[i]);
	return 0;
}

/*
 * Untracked memory. The content of a page is in the heap, at its page frame number;
 * its address is in the direct map.
 */
#define PAGE_NR		200UL
#define PAGE_WORD	1203UL			/* odd */
#define NEXT		(W_HEAP + 20 * SZ_1M)

static void begin_with_page(void)
{
	begin();
	shim_untracked_pfn = PAGE_NR;
	shim_untracked_nr = 1;
	kmemleak_alloc((void *)VICTIM, 128, 1, GFP_KERNEL);
	kmemleak_alloc((void *)NEXT, 64, 1, GFP_KERNEL);
	*(unsigned long *)VICTIM = NEXT + 8;
	put_unaligned(VICTIM + 100, (unsigned long *)(W_HEAP + PAGE_NR * PAGE_SIZE + PAGE_WORD));
	make_suspect();
	scan();
	scan();
}

static int page_untracked(void *unused)
{
	begin_with_page();
	TAP_CHECK(reported(DECOY), "a leak was not reported");
	TAP_CHECK(!reported(VICTIM), "reported, though a page refers to it");
	TAP_CHECK(!reported(NEXT), "reported, though referenced by what a page refers to");
	TAP_CHECK(world_stat("scan_in_pages") == 2, "not counted: %ld",
		  world_stat("scan_in_pages"));
	shim_param_set("kmemleak.trial", "N");
	scan();
	TAP_CHECK(reported(VICTIM) && reported(NEXT), "not reported without a trial");
	TAP_CHECK(!world_stat("scan_in_pages"), "counted without a trial");
	return 0;
}

/* The word is in an object to which nothing refers. */
static int page_tracked(void *unused)
{
	unsigned long holder = W_PHYSMAP + PAGE_NR * PAGE_SIZE + 1024;

	begin();
	kmemleak_alloc((void *)holder, 512, 1, GFP_KERNEL);
	shim_untracked_pfn = PAGE_NR;
	shim_untracked_nr = 1;
	kmemleak_alloc((void *)VICTIM, 128, 1, GFP_KERNEL);
	put_unaligned(VICTIM + 100, (unsigned long *)(W_HEAP + PAGE_NR * PAGE_SIZE + PAGE_WORD));
	scan();
	scan();
	TAP_CHECK(reported(holder), "the holder was not reported");
	TAP_CHECK(reported(VICTIM), "a page of an object was taken for a root");
	TAP_CHECK(!world_stat("scan_in_pages"), "counted");
	return 0;
}

/* A vmalloc block needs two references: one is in a page, one elsewhere. */
static int page_adds(void *unused)
{
	begin();
	shim_untracked_pfn = PAGE_NR;
	shim_untracked_nr = 1;
	kmemleak_alloc((void *)VICTIM, 128, 2, GFP_KERNEL);
	CELL[0] = VICTIM;
	*(unsigned long *)(W_HEAP + PAGE_NR * PAGE_SIZE) = VICTIM;
	make_suspect();
	scan();
	scan();
	TAP_CHECK(reported(DECOY) && !reported(VICTIM), "two references do not suffice");
	CELL[0] = 0;
	scan();
	TAP_CHECK(reported(VICTIM), "one reference suffices");
	return 0;
}

int main(void)
{
	tap_case("through an object that has been reported", holder_reported, NULL, 60);
	tap_case("through a young object", holder_young, NULL, 60);
	tap_case("through an object that is painted grey meanwhile", holder_painted, NULL, 60);
	tap_case("surplus of an object that was cleared", holder_of_surplus, NULL, 60);
	tap_case("found in one mark after another", mark_after_a_find, NULL, 60);
	tap_case("trial_marks limits all confirming marks", marks_are_limited, NULL, 10);
	tap_case("a word in two chunks", odd_over_pieces, NULL, 60);
	tap_case("in an untracked page", page_untracked, NULL, 60);
	tap_case("in a page of an object", page_tracked, NULL, 60);
	tap_case("in a page and elsewhere", page_adds, NULL, 60);
	return tap_done();
}
