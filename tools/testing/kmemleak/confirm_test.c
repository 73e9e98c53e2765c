// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the second mark is for: a reference that was on its way during the first
 * one, and so missed, is where it belongs before the second begins. Its object,
 * and what that references, is in use, whatever the object is otherwise.
 */
#include "tap.h"
#include "world.h"
#include "mark.h"

/* From one interval each, so that no neighbour has a look at them. */
#define VICTIM	W_HEAP
#define HOLDER	(W_HEAP + 4 * SZ_1M)
#define DECOY	(W_HEAP + 8 * SZ_1M)
#define AREA	(W_HEAP + 12 * SZ_1M)	/* not between suspects */
#define FILLER	(W_HEAP + 16 * SZ_1M)
#define CELL	((unsigned long *)W_DATA)

static struct world_file file;
static void (*arrive)(void);

static bool reported(unsigned long addr)
{
	return world_reported(&file, addr);
}

/* Asked every few KiB: the first time in the second mark's stage. */
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

/* Old enough to be reported. */
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

/* A suspect, or there would be no second mark; its checksum is known. */
static void make_suspect(void)
{
	kmemleak_alloc((void *)DECOY, 64, 1, GFP_KERNEL);
}

/* A scan so much later, during which @fn is called. Return: 0 if all is well. */
static int last_scan(void (*fn)(void), unsigned int msecs)
{
	arrive = fn;
	shim_poll = poll;
	scan_after(msecs);
	shim_poll = NULL;
	TAP_CHECK(!arrive, "there was no second mark");
	TAP_CHECK(reported(DECOY), "what is not referenced was not reported");
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

/* The object in between has been reported before. */
static int holder_reported(void *unused)
{
	begin();
	kmemleak_alloc((void *)VICTIM, 128, 1, GFP_KERNEL);
	kmemleak_alloc((void *)HOLDER, 128, 1, GFP_KERNEL);
	*(unsigned long *)HOLDER = VICTIM;
	CELL[0] = VICTIM;
	scan();
	scan();
	TAP_CHECK(reported(HOLDER) && !reported(VICTIM), "not as it should begin");
	make_suspect();
	scan();
	CELL[0] = 0;
	if (last_scan(holder_arrives, 6000))
		return 1;
	TAP_CHECK(!reported(HOLDER), "still listed, though referenced");
	return 0;
}

/* It is too young to be. */
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

/* It was found in use by its checksum, then painted grey. */
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

/* It passes on the references it does not need, and needs none any more. */
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
	TAP_CHECK(reported(AREA) && !reported(VICTIM), "not as it should begin");
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

/* A reference to HOLDER arrives in the first confirming mark, one to VICTIM in the next. */
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
	TAP_CHECK(reported(DECOY), "an object without a reference was not reported");
	TAP_CHECK(!reported(HOLDER), "not found by the first confirming mark");
	TAP_CHECK(!reported(VICTIM), "no mark followed one that had found something");
	TAP_CHECK(world_stat("scan_marks") >= 4, "marks: %ld", world_stat("scan_marks"));
	return 0;
}

/* The reference to VICTIM arrives in the third confirming mark: a quiet one is between. */
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

/* A word at an odd offset, which begins in one piece that is read and ends in the next. */
static int odd_over_pieces(void *unused)
{
	/* 4 KiB, and a slice for another worker */
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
	TAP_CHECK(reported(DECOY), "an object without a reference was not reported");
	for (i = 0; i < ARRAY_SIZE(where); i++)
		TAP_CHECK(!reported(VICTIM + i * PAGE_SIZE), "reported: offset %zu", where[i]);
	return 0;
}

/*
 * Memory that nobody tracks. Its content is in the heap at the page's number, its
 * address in the direct map.
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
	TAP_CHECK(reported(DECOY), "what is not referenced was not reported");
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

/* The word is in an object that is itself not referenced. */
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

/* A vmalloc block needs two references: one may be in a page, one elsewhere. */
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
	TAP_CHECK(reported(DECOY) && !reported(VICTIM), "one and one are not two");
	CELL[0] = 0;
	scan();
	TAP_CHECK(reported(VICTIM), "one is two");
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
	tap_case("a word over two pieces", odd_over_pieces, NULL, 60);
	tap_case("in a page that nobody tracks", page_untracked, NULL, 60);
	tap_case("in a page of an object", page_tracked, NULL, 60);
	tap_case("in a page and elsewhere", page_adds, NULL, 60);
	return tap_done();
}
