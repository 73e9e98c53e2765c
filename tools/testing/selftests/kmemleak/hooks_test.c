// SPDX-License-Identifier: GPL-2.0
/*
 * The effects of the hooks of include/linux/kmemleak.h on reports.
 *
 * Each test plants its objects before the first scan (KST_PLANT), and looks for them in
 * one of two reports: with the trial of suspects, and without. Objects are pages that
 * are registered by hand, unless a hook of an allocator is tested.
 */
#include "../kselftest_harness.h"
#include "kmemleak_util.h"

static struct kml_report report, untried;

#define EXPECT_LEAK(obj)	EXPECT_TRUE(kml_find(&report, obj) || kml_must_list(obj))
/* Only the trial finds the reference. */
#define EXPECT_TRIAL_CLEARS(obj)					\
	do {								\
		EXPECT_TRUE(kml_find_leak(&untried, obj));		\
		if (!kml_is_stock())					\
			EXPECT_NO_LEAK(obj);				\
	} while (0)
#define EXPECT_NO_LEAK(obj)	EXPECT_EQ(NULL, kml_find(&report, obj))
#define EXPECT_NO_LEAK_AT(obj, offset)					\
	EXPECT_EQ(NULL, kml_find_at(&report, obj, offset))

/* An object in use, to store pointers in. */
static struct kst_obj container(size_t size)
{
	struct kst_obj obj = kst_page(size);

	kst_hold(obj, 0);
	return obj;
}

/* kmemleak_alloc() and the minimum count */

static struct kst_obj one_ref, one_missing, two_refs, two_missing, never, black;
static struct kst_obj by_black;

KST_PLANT(min_count)
{
	struct kst_obj more = container(64);

	one_ref = kst_page_min(64, 1);
	kst_hold(one_ref, 0);
	one_missing = kst_page_min(64, 1);
	two_refs = kst_page_min(64, 2);
	kst_hold(two_refs, 0);
	kst_store(two_refs, 0, more, 8);
	two_missing = kst_page_min(64, 2);
	kst_hold(two_missing, 0);
	never = kst_page_min(64, 0);
	black = kst_page_min(64, -1);
	by_black = kst_page(64);
	kst_store(by_black, 0, black, 0);
}

TEST(min_count_is_the_number_of_references_needed)
{
	EXPECT_NO_LEAK(one_ref);
	EXPECT_LEAK(one_missing);
	EXPECT_NO_LEAK(two_refs);
	EXPECT_LEAK(two_missing);
	EXPECT_NO_LEAK(never);
	EXPECT_NO_LEAK(black);
}

TEST(an_object_registered_as_ignored_is_not_scanned)
{
	EXPECT_LEAK(by_black);
}

/* Words that are references, and words that are not */

static struct kst_obj inner_first, inner_last, one_past, unaligned, self, big;
static struct kst_obj by_big_last, cycle[2], chain[3], aligned;

KST_PLANT(references)
{
	struct kst_obj box = container(4096);
	int i;

	inner_first = kst_page(100);
	kst_store(inner_first, 1, box, 0);
	inner_last = kst_page(100);
	kst_store(inner_last, 99, box, 8);
	one_past = kst_page(100);
	kst_store(one_past, 100, box, 16);
	unaligned = kst_page(100);
	kst_store(unaligned, 0, box, 33);
	aligned = kst_page(100);
	kst_store(aligned, 0, box, 4096 - sizeof(long));
	self = kst_page(100);
	kst_store(self, 0, self, 8);

	/* more than one chunk of a scan; the last word has the pointer */
	big = container((1 << 20) + 40);
	by_big_last = kst_page(64);
	kst_store(by_big_last, 0, big, (1 << 20) + 40 - sizeof(long));

	for (i = 0; i < 2; i++)
		cycle[i] = kst_page(64);
	kst_store(cycle[0], 0, cycle[1], 0);
	kst_store(cycle[1], 0, cycle[0], 0);
	for (i = 0; i < 3; i++)
		chain[i] = kst_page(64);
	kst_store(chain[1], 0, chain[0], 0);
	kst_store(chain[2], 0, chain[1], 0);
}

TEST(a_pointer_anywhere_inside_refers)
{
	EXPECT_NO_LEAK(inner_first);
	EXPECT_NO_LEAK(inner_last);
	EXPECT_LEAK(one_past);
}

TEST(a_reference_is_an_aligned_word)
{
	EXPECT_TRIAL_CLEARS(unaligned);
	EXPECT_NO_LEAK(aligned);
	EXPECT_NO_LEAK(by_big_last);
}

TEST(references_from_leaks_do_not_count)
{
	EXPECT_LEAK(self);
	EXPECT_LEAK(cycle[0]);
	EXPECT_LEAK(cycle[1]);
	EXPECT_LEAK(chain[0]);
	EXPECT_LEAK(chain[1]);
	EXPECT_LEAK(chain[2]);
}

/* Inner pointers into objects that span pages, and intervals */

static struct kst_obj spans[6];

KST_PLANT(spans)
{
	static const size_t sizes[] = {
		4097, 3 * 4096, 65536 + 8, 1 << 20, (2 << 20) + 4096, 4 << 20,
	};
	struct kst_obj box = container(64);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		spans[i] = kst_page(sizes[i]);
		kst_store(spans[i], sizes[i] - 1, box, i * sizeof(long));
	}
}

TEST(the_last_byte_of_a_large_object_refers)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(spans); i++) {
		size_t size = spans[i].size;

		EXPECT_NO_LEAK(spans[i])
			TH_LOG("size %zu", size);
	}
}

/* kmemleak_not_leak(), _ignore() */

static struct kst_obj grey, by_grey, ignored, by_ignored, inner_grey;

KST_PLANT(paint)
{
	grey = kst_page(64);
	kst_hook("not_leak", grey);
	by_grey = kst_page(64);
	kst_store(by_grey, 0, grey, 16);
	ignored = kst_page(64);
	kst_hook("ignore", ignored);
	kst_hold(ignored, 0);
	by_ignored = kst_page(64);
	kst_store(by_ignored, 0, ignored, 16);
	/* only by its start */
	inner_grey = kst_page(64);
}

TEST(not_leak_is_not_reported_but_scanned)
{
	EXPECT_NO_LEAK(grey);
	EXPECT_NO_LEAK(by_grey);
	EXPECT_LEAK(inner_grey);
}

TEST(ignore_is_neither_reported_nor_scanned)
{
	EXPECT_NO_LEAK(ignored);
	EXPECT_LEAK(by_ignored);
}

/* kmemleak_no_scan(), _scan_area(), _erase() */

static struct kst_obj unscanned, by_unscanned, areas, in_area[2], off_area[3];
static struct kst_obj open_area, in_open, off_open, erased;

KST_PLANT(scan_limits)
{
	int i;

	unscanned = container(64);
	kst_hook("no_scan", unscanned);
	by_unscanned = kst_page(64);
	kst_store(by_unscanned, 0, unscanned, 0);

	areas = container(256);
	kst_hook_part("scan_area", areas, 32, 32);
	kst_hook_part("scan_area", areas, 128, 8);
	for (i = 0; i < 2; i++)
		in_area[i] = kst_page(64);
	for (i = 0; i < 3; i++)
		off_area[i] = kst_page(64);
	kst_store(off_area[0], 0, areas, 24);
	kst_store(in_area[0], 0, areas, 56);
	kst_store(off_area[1], 0, areas, 64);
	kst_store(in_area[1], 0, areas, 128);
	kst_store(off_area[2], 0, areas, 248);

	/* up to the end of the object */
	open_area = container(256);
	kst("hook scan_area %d 128 -1", open_area.slot);
	in_open = kst_page(64);
	off_open = kst_page(64);
	kst_store(off_open, 0, open_area, 120);
	kst_store(in_open, 0, open_area, 248);

	erased = kst_page(64);
	kst_hold(erased, 0);
	kst_drop(erased);
}

TEST(no_scan_content_does_not_refer)
{
	EXPECT_NO_LEAK(unscanned);
	EXPECT_LEAK(by_unscanned);
}

TEST(scan_areas_are_all_that_is_scanned)
{
	EXPECT_NO_LEAK(areas);
	EXPECT_NO_LEAK(in_area[0]);
	EXPECT_NO_LEAK(in_area[1]);
	EXPECT_LEAK(off_area[0]);
	EXPECT_LEAK(off_area[1]);
	EXPECT_LEAK(off_area[2]);
}

TEST(a_scan_area_may_run_to_the_end)
{
	EXPECT_NO_LEAK(in_open);
	EXPECT_LEAK(off_open);
}

TEST(erase_takes_the_reference_away)
{
	EXPECT_LEAK(erased);
}

/* kmemleak_free(), _free_part() */

static struct kst_obj freed, cut_middle, cut_start, cut_end, cut_all, cut_held;
static struct kst_obj cut_grey;

KST_PLANT(frees)
{
	freed = kst_page(64);
	kst_hook("free", freed);
	cut_middle = kst_page(8192);
	kst_hook_part("free_part", cut_middle, 1024, 3072);
	cut_start = kst_page(8192);
	kst_hook_part("free_part", cut_start, 0, 2048);
	cut_end = kst_page(8192);
	kst_hook_part("free_part", cut_end, 8192 - 512, 512);
	cut_all = kst_page(8192);
	kst_hook_part("free_part", cut_all, 0, 8192);
	cut_held = kst_page(8192);
	kst_hook_part("free_part", cut_held, 4096, 1024);
	kst_hold(cut_held, 4096 + 1024 + 8);
	cut_grey = kst_page_min(8192, 0);
	kst_hook_part("free_part", cut_grey, 4096, 1024);
}

TEST(a_freed_object_is_gone)
{
	EXPECT_NO_LEAK(freed);
	EXPECT_NO_LEAK(cut_all);
}

/* The kernel complains if the hook sleeps. */
TEST(objects_are_freed_with_preemption_off)
{
	EXPECT_EQ(0, kst("freeatomic 500"));
}

TEST(a_partial_free_leaves_the_rest)
{
	const struct kml_entry *left, *right;

	left = kml_find(&report, cut_middle);
	right = kml_find_at(&report, cut_middle, 4096);
	ASSERT_NE(NULL, left);
	ASSERT_NE(NULL, right);
	EXPECT_EQ(1024, left->size);
	EXPECT_EQ(4096, right->size);
	EXPECT_LT(left, right);
	EXPECT_NO_LEAK_AT(cut_middle, 1024);

	right = kml_find_at(&report, cut_start, 2048);
	ASSERT_NE(NULL, right);
	EXPECT_EQ(8192 - 2048, right->size);
	EXPECT_NO_LEAK(cut_start);

	left = kml_find(&report, cut_end);
	ASSERT_NE(NULL, left);
	EXPECT_EQ(8192 - 512, left->size);
	EXPECT_NO_LEAK_AT(cut_end, 8192 - 512);
}

TEST(the_parts_are_objects_of_their_own)
{
	EXPECT_LEAK(cut_held);
	EXPECT_NO_LEAK_AT(cut_held, 4096 + 1024);
	EXPECT_NO_LEAK(cut_grey);
	EXPECT_NO_LEAK_AT(cut_grey, 4096 + 1024);
}

/* kmemleak_update_trace() */

static struct kst_obj retraced, retraced_inside;

KST_PLANT(retrace)
{
	retraced = kst_page(64);
	kst_hook("update_trace", retraced);
	retraced_inside = kst_page(64);
	kst_hook_part("update_trace", retraced_inside, 40, 0);
}

TEST(update_trace_replaces_the_backtrace)
{
	const struct kml_entry *entry;

	entry = kml_find(&report, retraced);
	ASSERT_NE(NULL, entry);
	EXPECT_TRUE(kml_has_frame(entry, "kst_retrace"));
	EXPECT_FALSE(kml_has_frame(entry, "kst_plant_page"));
	entry = kml_find(&report, retraced_inside);
	ASSERT_NE(NULL, entry);
	EXPECT_TRUE(kml_has_frame(entry, "kst_retrace"));
}

/* kmemleak_vmalloc(): two references, or one, and a second one to the vm_struct */

static struct kst_obj vm[5], block[5];

KST_PLANT(vm_struct)
{
	struct kst_obj box = container(256);
	int i;

	for (i = 0; i < 5; i++) {
		vm[i] = kst_page(256);
		block[i] = kst_bare(4096);
		kst("vmstruct %d %d", vm[i].slot, block[i].slot);
	}
	/* 0: the vm_struct only */
	kst_hold(vm[0], 0);
	/* 1: a second reference to the vm_struct counts for the block */
	kst_hold(vm[1], 0);
	kst_store(vm[1], 0, box, 0);
	/* 2: the vm_struct and the block */
	kst_hold(vm[2], 0);
	kst_store(block[2], 0, box, 8);
	/* 3: the block only: the vm_struct is a leak, and its reference does not count */
	kst_store(block[3], 0, box, 16);
	/* 4: nothing */
}

TEST(vmalloc_wants_two_references)
{
	EXPECT_NO_LEAK(vm[0]);
	EXPECT_LEAK(block[0]);
	EXPECT_NO_LEAK(vm[2]);
	EXPECT_NO_LEAK(block[2]);
	EXPECT_LEAK(vm[3]);
	EXPECT_LEAK(block[3]);
	EXPECT_LEAK(vm[4]);
	EXPECT_LEAK(block[4]);
}

TEST(vmalloc_takes_surplus_references_to_the_vm_struct)
{
	EXPECT_NO_LEAK(vm[1]);
	EXPECT_NO_LEAK(block[1]);
}

static struct kst_obj vm_lost, vm_held, vm_inner, by_vm;

KST_PLANT(vmalloc)
{
	vm_lost = kst_make(3 * 4096, "vmalloc", "");
	vm_held = kst_make(5 << 20, "vmalloc", "");
	kst_hold(vm_held, 0);
	vm_inner = kst_make(5 << 20, "vmalloc", "");
	kst_hold(vm_inner, (5 << 20) - 1);
	by_vm = kst_page(64);
	kst_store(by_vm, 0, vm_held, (5 << 20) - sizeof(long));
}

TEST(vmalloc_blocks)
{
	const struct kml_entry *entry = kml_find_leak(&report, vm_lost);

	ASSERT_NE(NULL, entry);
	EXPECT_EQ(3 * 4096, entry->size);
	EXPECT_NO_LEAK(vm_held);
	EXPECT_NO_LEAK(vm_inner);
	EXPECT_NO_LEAK(by_vm);
}

/* Per-CPU objects */

static struct kst_obj pc_lost, pc_held, pc_inner, pc_ignored, by_pc, by_pc_last;
static int pc_ignore_result;

KST_PLANT(percpu)
{
	int last = sysconf(_SC_NPROCESSORS_CONF) - 1;

	pc_lost = kst_make(64, "percpu", "");
	pc_held = kst_make(64, "percpu", "");
	kst_hold(pc_held, 0);
	pc_inner = kst_make(64, "percpu", "");
	kst_hold(pc_inner, 63);
	pc_ignored = kst_make(64, "percpu", "");
	pc_ignore_result = kst_hook("ignore_percpu", pc_ignored);
	by_pc = kst_page(64);
	kst_store(by_pc, 0, pc_held, 0);
	by_pc_last = kst_page(64);
	kst("store %d 0 %d 56 %d", by_pc_last.slot, pc_held.slot, last);
}

TEST(percpu_objects)
{
	const struct kml_entry *entry = kml_find(&report, pc_lost);

	ASSERT_NE(NULL, entry);
	EXPECT_STREQ("percpu", entry->space);
	EXPECT_EQ(64, entry->size);
	EXPECT_NO_LEAK(pc_held);
	EXPECT_NO_LEAK(pc_inner);
}

TEST(percpu_content_is_scanned_on_every_cpu)
{
	EXPECT_NO_LEAK(by_pc);
	EXPECT_NO_LEAK(by_pc_last);
}

TEST(ignore_percpu)
{
	if (pc_ignore_result == -EOPNOTSUPP)
		SKIP(return, "this kernel has no kmemleak_ignore_percpu()");
	EXPECT_EQ(0, pc_ignore_result);
	EXPECT_NO_LEAK(pc_ignored);
}

/* Physical addresses */

static struct kst_obj ph, by_ph, ph_ignored, by_ph_ignored, ph_freed;
static struct kst_obj by_ph_freed, ph_cut, by_ph_cut[3];

KST_PLANT(phys)
{
	int i;

	ph = kst_make(4096, "phys", "");
	by_ph = kst_page(64);
	kst_store(by_ph, 0, ph, 4088);
	ph_ignored = kst_make(4096, "phys", "");
	kst_hook("ignore_phys", ph_ignored);
	by_ph_ignored = kst_page(64);
	kst_store(by_ph_ignored, 0, ph_ignored, 0);
	ph_freed = kst_make(4096, "phys", "");
	kst_hook_part("free_part", ph_freed, 0, 4096);
	by_ph_freed = kst_page(64);
	kst_store(by_ph_freed, 0, ph_freed, 0);
	ph_cut = kst_make(8192, "phys", "");
	kst_hook_part("free_part", ph_cut, 1024, 4096);
	for (i = 0; i < 3; i++) {
		by_ph_cut[i] = kst_page(64);
		kst_store(by_ph_cut[i], 0, ph_cut, i * 3072);
	}
}

TEST(phys_objects_are_scanned_and_never_reported)
{
	int i;

	EXPECT_NO_LEAK(by_ph);
	EXPECT_NO_LEAK(ph);
	for (i = 0; i < report.nr; i++)
		EXPECT_STRNE("phys", report.entry[i].space);
}

TEST(ignore_phys_is_not_scanned)
{
	EXPECT_LEAK(by_ph_ignored);
}

TEST(free_part_phys)
{
	/* the freed part is an untracked page in use */
	EXPECT_TRIAL_CLEARS(by_ph_freed);
	EXPECT_NO_LEAK(by_ph_cut[0]);
	EXPECT_TRIAL_CLEARS(by_ph_cut[1]);
	EXPECT_NO_LEAK(by_ph_cut[2]);
}

/* Roots */

static struct kst_obj in_bss, in_data, in_percpu, in_page;

KST_PLANT(roots)
{
	in_bss = kst_page(64);
	kst_hold(in_bss, 0);
	in_data = kst_page(64);
	kst("root data %d", in_data.slot);
	in_percpu = kst_page(64);
	kst("root percpu %d", in_percpu.slot);
	in_page = kst_page(64);
	kst("root page %d", in_page.slot);
}

TEST(roots)
{
	EXPECT_NO_LEAK(in_bss);
	EXPECT_NO_LEAK(in_data);
	EXPECT_NO_LEAK(in_percpu);
	EXPECT_NO_LEAK(in_page);
}

/* Arguments about which a hook must not complain */

TEST(null_error_and_unknown_pointers_are_silent)
{
	int fd = kml_log_open();
	char *log;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, kst("tolerate"));
	log = kml_log_read(fd);
	ASSERT_NE(NULL, log);
	EXPECT_STREQ("", log);
	free(log);
}

static void load_report(struct kml_report *to)
{
	kml_scan();
	if (kml_load(to))
		ksft_exit_fail_msg("the report cannot be parsed\n");
}

int main(int argc, char **argv)
{
	kml_setup(KML_NEED_MODULE | KML_NEED_ENABLED);
	kst_plant_all();
	kml_sleep_ms(KML_AGE_MS);
	kml_scan();
	load_report(&report);
	if (!kml_is_stock())
		kml_write_file(KML_PARAM("trial"), "N");
	load_report(&untried);
	if (!kml_is_stock())
		kml_write_file(KML_PARAM("trial"), "Y");
	return test_harness_run(argc, argv);
}
