// SPDX-License-Identifier: GPL-2.0-only
/* Whole scans of the running kernel: which objects are reported, when, and how. */

#include "plant.h"
#include "../mark.h"
#include "../scan.h"

/* 0 -> 1 -> 2 -> 3 by pointers to start, middle and end; the others are leaks. */
static void chains_fn(struct kunit *test, struct kml_plant *p)
{
	unsigned int i;

	for (i = 1; i < 20; i++)
		plant(p, i);
	refer(p, 0, 0, 1, 0);
	refer(p, 1, 7, 2, KML_OBJ_SIZE / 2);
	refer(p, 2, KML_OBJ_SIZE / sizeof(long) - 1, 3, KML_OBJ_SIZE - 1);
	/* pointers to the byte after or before an object are no references */
	refer(p, 3, 0, 4, KML_OBJ_SIZE);
	refer(p, 3, 1, 5, -1);
	/*
	 * 6 and 7 are a cycle, and 7 points to 8. 9 points to a reachable object,
	 * and 10 to itself. All of them are leaks.
	 */
	refer(p, 6, 0, 7, 0);
	refer(p, 7, 0, 6, 0);
	refer(p, 7, 1, 8, 0);
	refer(p, 9, 0, 1, 0);
	refer(p, 10, 0, 10, 8);

	scan(test);
	for (i = 0; i < 20; i++)
		KUNIT_EXPECT_FALSE(test, reported(p, i));
	scan_for(test, p, 20, GENMASK(19, 4));
}

static void lost_and_reachable(struct kunit *test)
{
	with_pages(test, chains_fn);
}

/*
 * With VMAP_STACK the stack of the test is a tracked block; otherwise the test makes
 * it one. It contains stale addresses of objects, from the test and from the scan,
 * so the scan must not read that block. After the scan the block is as it was.
 */
static void stack_as_block_fn(struct kunit *test, struct kml_plant *p)
{
	unsigned long stack = (unsigned long)task_stack_page(current);
	struct kml_info info = {};
	unsigned int i;
	bool ours;
	u32 was;

	ours = !kml_object_info(kml_space(KML_VIRT), stack, false, &info);
	/* an earlier scan may have set NO_SCAN for another thread with this stack */
	was = info.state & KML_F_NO_SCAN;
	if (ours)
		kmemleak_alloc((void *)stack, THREAD_SIZE, 0, GFP_KERNEL);
	for (i = 1; i < 20; i++)
		plant(p, i);
	refer(p, 0, 0, 1, 0);
	scan_for(test, p, 20, GENMASK(19, 2));

	if (kml_ok(test, kml_object_info(kml_space(KML_VIRT), stack, false, &info)))
		KUNIT_EXPECT_EQ(test, info.state & KML_F_NO_SCAN, was);
	if (ours)
		kmemleak_free((void *)stack);
}

static void lost_but_on_our_stack(struct kunit *test)
{
	if (!task_stack_page(current))
		kunit_skip(test, "tasks have no stack here");
	with_pages(test, stack_as_block_fn);
}

/* Is there a report that contains @text? */
static bool listed(struct kunit *test, const char *text)
{
	const unsigned int room = 4096;
	struct seq_file *seq = kunit_kzalloc(test, sizeof(*seq), GFP_KERNEL);
	char *buf = kunit_kzalloc(test, room, GFP_KERNEL);
	struct kml_report_entry *e;
	unsigned long pos;

	if (!kml_ok(test, seq && buf))
		return false;
	for (pos = 0; (e = kml_report_get(pos)); pos++) {
		memset(seq, 0, sizeof(*seq));
		memset(buf, 0, room);
		seq->buf = buf;
		seq->size = room - 1;
		kml_report_show(seq, e);
		if (strstr(buf, text))
			return true;
	}
	return false;
}

/*
 * The report table must not be scanned: its unused part may contain stale addresses.
 * In the harness the table is no object, for its allocator has no hooks.
 */
static void expect_table_unread(struct kunit *test)
{
	unsigned long table = (unsigned long)kml_report_get(0);
	struct kml_info info;

	if (table && kml_object_info(kml_space(KML_VIRT), table, true, &info))
		KUNIT_EXPECT_TRUE(test, info.state & KML_F_NO_SCAN);
}

static void scan_for_text(struct kunit *test, struct kml_plant *p,
			  const char *text)
{
	unsigned int n;

	for (n = 0; n < KML_SCANS; n++) {
		if (listed(test, text))
			return;
		scan(test);
	}
	p->missed = true;
}

static void report_fn(struct kunit *test, struct kml_plant *p)
{
	char head[80], who[80];

	plant(p, 1);
	strscpy(object(p, 1), "the quick brown fox", KML_OBJ_SIZE);
	scan_for(test, p, 2, BIT(1));
	snprintf(head, sizeof(head), "unreferenced object 0x%08lx (size %lu):\n",
		 addr_of(p, 1), KML_OBJ_SIZE);
	snprintf(who, sizeof(who), "  comm \"%s\", pid %d, jiffies ",
		 current->comm, current->pid);
	scan_for_text(test, p, head);
	expect_table_unread(test);
	scan_for_text(test, p, who);
	scan_for_text(test, p, "  hex dump (first 32 bytes):\n");
	scan_for_text(test, p, "    74 68 65 20 71 75 69 63 6b 20 62 72 6f 77 6e 20  the quick ");

	/* an object with a reference again is no leak any more */
	refer(p, 0, 0, 1, 0);
	scan(test);
	KUNIT_EXPECT_FALSE(test, listed(test, head));
	forget(p, 0, 0);
	scan_for_text(test, p, head);
	kmemleak_free(object(p, 1));
	KUNIT_EXPECT_FALSE(test, listed(test, head));
	/* a new object in the same place has no report */
	plant(p, 1);
	KUNIT_EXPECT_FALSE(test, listed(test, head));
}

static void report_text(struct kunit *test)
{
	with_pages(test, report_fn);
}

/* Objects that are young, have just changed, or are transient leaks: not yet. */
static void not_yet_fn(struct kunit *test, struct kml_plant *p)
{
	unsigned int i;

	plant_young(p, 1, KML_OBJ_SIZE);
	for (i = 2; i < 5; i++)
		plant(p, i);
	scan(test);
	((char *)object(p, 2))[KML_OBJ_SIZE - 1]++;
	kmemleak_transient_leak(object(p, 3));
	scan(test);
	KUNIT_EXPECT_FALSE(test, reported(p, 1));
	KUNIT_EXPECT_FALSE(test, reported(p, 2));
	KUNIT_EXPECT_FALSE(test, reported(p, 3));
	/* object 1 is still too young */
	scan_for(test, p, 5, BIT(2) | BIT(3) | BIT(4));
	age(kml_space(KML_VIRT), addr_of(p, 1));
	scan_for(test, p, 5, GENMASK(4, 1));
}

static void not_yet(struct kunit *test)
{
	with_pages(test, not_yet_fn);
}

static void unref_scans_fn(struct kunit *test, struct kml_plant *p)
{
	unsigned int n;

	kml_scan_params.min_unref_scans = 3;
	plant(p, 1);
	scan(test);
	for (n = 1; n < 3; n++) {
		scan(test);
		KUNIT_EXPECT_FALSE(test, reported(p, 1));
	}
	/* a scan that finds a reference resets the number of unreferenced scans */
	refer(p, 0, 0, 1, 4);
	scan(test);
	forget(p, 0, 0);
	for (n = 1; n < 3; n++) {
		scan(test);
		KUNIT_EXPECT_FALSE(test, reported(p, 1));
	}
	scan_for(test, p, 2, BIT(1));
}

static void unreferenced_in_several_scans(struct kunit *test)
{
	with_pages(test, unref_scans_fn);
}

static void attributes_fn(struct kunit *test, struct kml_plant *p)
{
	unsigned int i;

	for (i = 1; i < 13; i++)
		plant(p, i);
	/* 1 is grey: it is not reported, nor is 11, to which it points */
	kmemleak_not_leak(object(p, 1));
	/* 3 is black: it is not read, so 4 is a leak */
	kmemleak_ignore(object(p, 3));
	refer(p, 3, 0, 4, 0);
	/* 5 is referenced, but not read, so 6 is a leak */
	refer(p, 0, 0, 5, 0);
	kmemleak_no_scan(object(p, 5));
	refer(p, 5, 0, 6, 0);
	/* 7 is read in two areas only: 8 and 10 are referenced there, 9 is not */
	refer(p, 0, 1, 7, 0);
	kmemleak_scan_area(object(p, 7) + 64, 8, GFP_KERNEL);
	kmemleak_scan_area(object(p, 7) + 128, SIZE_MAX, GFP_KERNEL);
	refer(p, 7, 64 / sizeof(long), 8, 0);
	refer(p, 7, 72 / sizeof(long), 9, 0);
	refer(p, 7, KML_OBJ_SIZE / sizeof(long) - 1, 10, 0);
	refer(p, 1, 3, 11, 0);

	scan_for(test, p, 13, BIT(2) | BIT(4) | BIT(6) | BIT(9) | BIT(12));
}

static void attributes(struct kunit *test)
{
	with_pages(test, attributes_fn);
}

/* An object of several pages, and its rests after its middle was freed. */
static void parts_fn(struct kunit *test, struct kml_plant *p)
{
	const unsigned int pages = KML_PAGE_SIZE / KML_STEP;
	unsigned int n;

	plant_young(p, 1, 5 * KML_PAGE_SIZE);
	age(kml_space(KML_VIRT), addr_of(p, 1));
	plant(p, 6 * pages);
	refer(p, 0, 0, 1 + 5 * pages, -1);
	refer(p, 4 * pages, 0, 6 * pages, 0);
	scan_twice(test);
	KUNIT_EXPECT_FALSE(test, reported(p, 1));
	KUNIT_EXPECT_FALSE(test, reported(p, 6 * pages));

	/* the only reference to object 6 * pages is in the part that is freed */
	kmemleak_free_part(object(p, 1 + 3 * pages), KML_PAGE_SIZE);
	age(kml_space(KML_VIRT), addr_of(p, 1));
	age(kml_space(KML_VIRT), addr_of(p, 1 + 4 * pages));
	scan_for(test, p, 2, BIT(1));
	for (n = 0; n < KML_SCANS && !reported(p, 6 * pages); n++)
		scan(test);
	p->missed |= !reported(p, 6 * pages);
	KUNIT_EXPECT_FALSE(test, reported(p, 1 + 4 * pages));
}

static void large_objects_and_parts(struct kunit *test)
{
	with_pages(test, parts_fn);
}

/* Object @i is the vm_struct of object @i + 1. */
static noinline void plant_vmalloc(struct kml_plant *p, unsigned int i)
{
	struct vm_struct *area = object(p, i);

	plant(p, i);
	area->addr = object(p, i + 1);
	kmemleak_vmalloc(area, KML_OBJ_SIZE, GFP_KERNEL);
	age(kml_space(KML_VIRT), addr_of(p, i + 1));
}

/*
 * Blocks of vmalloc() want two references. One is in their descriptor, the
 * vm_struct. Surplus references to the descriptor count for the block.
 */
static void vmalloc_fn(struct kunit *test, struct kml_plant *p)
{
	unsigned int i;

	for (i = 1; i < 10; i += 2)
		plant_vmalloc(p, i);
	/* 1, 2: neither is referenced. 3, 4: the descriptor is, once */
	refer(p, 0, 0, 3, 0);
	/* 5, 6: both are referenced */
	refer(p, 0, 1, 5, 0);
	refer(p, 0, 2, 6, 0);
	/* 7, 8: the second reference to the descriptor is in the block itself */
	refer(p, 0, 3, 7, 0);
	refer(p, 8, 0, 7, 0);
	/* 9, 10: the descriptor is referenced twice */
	refer(p, 0, 4, 9, 0);
	refer(p, 0, 5, 9, 8);
	scan_for(test, p, 11, BIT(1) | BIT(2) | BIT(4) | BIT(8));
}

static void blocks_with_descriptors(struct kunit *test)
{
	with_pages(test, vmalloc_fn);
}

/* Return: the per-CPU pointer, inverted to hide it from scans; ~0 without memory. */
static noinline unsigned long plant_percpu(void)
{
	unsigned long ptr = (__force unsigned long)alloc_percpu(unsigned long);

	age(kml_space(KML_PERCPU), ptr);
	return ~ptr;
}

static noinline void fill_percpu(struct kml_plant *p, unsigned long hidden)
{
	unsigned long __percpu *ptr = (unsigned long __percpu *)~hidden;

	((unsigned long *)object(p, 0))[3] = ~hidden;
	*per_cpu_ptr(ptr, cpumask_last(cpu_possible_mask)) = addr_of(p, 1);
}

static noinline void uproot_percpu(unsigned long hidden)
{
	free_percpu((unsigned long __percpu *)~hidden);
}

static noinline bool reported_percpu(unsigned long hidden)
{
	return reported_in(kml_space(KML_PERCPU), ~hidden);
}

static void percpu_fn(struct kunit *test, struct kml_plant *p)
{
	unsigned long known = plant_percpu(), lost = plant_percpu();
	unsigned int n;

	if (kml_ok(test, known != ~0UL && lost != ~0UL)) {
		plant(p, 1);
		fill_percpu(p, known);
		scan_twice(test);
		for (n = 0; n < KML_SCANS && !reported_percpu(lost); n++)
			scan(test);
		KUNIT_EXPECT_FALSE(test, reported_percpu(known));
		p->missed |= !reported_percpu(lost);
		KUNIT_EXPECT_FALSE(test, reported(p, 1));
	}
	uproot_percpu(known);
	uproot_percpu(lost);
	forget(p, 0, 3);
	scan_for(test, p, 2, BIT(1));
}

static void percpu_objects(struct kunit *test)
{
	with_pages(test, percpu_fn);
}

/*
 * Variables in roots: a pointer in one of them is a reference. The compiler must not
 * remove them, although they are only written.
 */
static unsigned long kml_in_data __used = 1;
static unsigned long kml_in_bss;
static DEFINE_PER_CPU(unsigned long, kml_in_percpu);

static noinline void know(unsigned long data, unsigned long bss,
			  unsigned long percpu)
{
	WRITE_ONCE(kml_in_data, data);
	WRITE_ONCE(kml_in_bss, bss);
	WRITE_ONCE(per_cpu(kml_in_percpu, cpumask_last(cpu_possible_mask)), percpu);
}

static noinline void know_three(struct kml_plant *p)
{
	know(addr_of(p, 1), addr_of(p, 2) + 1, addr_of(p, 3) + 2);
}

static void roots_fn(struct kunit *test, struct kml_plant *p)
{
	unsigned int i;

	for (i = 1; i < 5; i++)
		plant(p, i);
	know_three(p);
	scan_for(test, p, 5, BIT(4));
	know(1, 0, 0);
	scan_for(test, p, 5, GENMASK(4, 1));
}

static void roots(struct kunit *test)
{
	with_pages(test, roots_fn);
}

#define KML_MANY	3072U
#define KML_TINY	(3 * sizeof(long))

static noinline unsigned long *tiny(struct kml_plant *p, unsigned int i)
{
	return (unsigned long *)(p->base + 8 * KML_PAGE_SIZE + i * KML_TINY);
}

/* Register small object @i. With @known, its parent in the tree points to it. */
static noinline void plant_tiny(struct kml_plant *p, unsigned int i,
				bool known, unsigned int off)
{
	unsigned long *parent = i ? tiny(p, (i - 1) / 2) : object(p, 0);

	kmemleak_alloc(tiny(p, i), KML_TINY, 1, GFP_KERNEL);
	age(kml_space(KML_VIRT), (unsigned long)tiny(p, i));
	if (known)
		parent[i ? (i - 1) % 2 : 0] = (unsigned long)tiny(p, i) + off;
}

static noinline bool reported_tiny(struct kml_plant *p, unsigned int i)
{
	return reported_in(kml_space(KML_VIRT), (unsigned long)tiny(p, i));
}

/* Every fifth object has no pointer in its parent, except near the root. */
static bool cut(unsigned int i)
{
	return i > 40 && i % 5 == 0;
}

/* Is the object a leak: is it or one of its ancestors cut? */
static bool cut_off(unsigned int i)
{
	bool off = false;

	for (; i; i = (i - 1) / 2)
		off |= cut(i);
	return off;
}

/* Thousands of small objects that share pages and blocks. */
static void many_fn(struct kunit *test, struct kml_plant *p)
{
	static bool found[KML_MANY];
	unsigned int i, n, missed = 1, wrong = 0;
	u64 seed = 8;

	memset(found, 0, sizeof(found));
	for (i = 0; i < KML_MANY; i++)
		plant_tiny(p, i, !cut(i), kml_test_below(&seed, KML_TINY));
	for (n = 0; n < KML_SCANS && missed; n++) {
		scan(test);
		for (i = 0, missed = 0; i < KML_MANY; i++) {
			found[i] |= reported_tiny(p, i);
			missed += cut_off(i) && !found[i];
			wrong += !cut_off(i) && found[i];
		}
	}
	p->missed |= missed;
	KUNIT_EXPECT_EQ(test, wrong, 0U);
	for (i = 0; i < KML_MANY; i++)
		kmemleak_free(tiny(p, i));
}

static void many_small_objects(struct kunit *test)
{
	with_pages(test, many_fn);
}

#define KML_BUDGET_SCANS	400

/*
 * Scan until the workers sleep. @last has room for KML_SCANS_KEPT. Return: the sleep of
 * the last scan, in ns.
 */
static u64 scan_until_sleep(struct kunit *test, struct kml_scan_stats *last,
			    unsigned int most)
{
	unsigned int i;

	last[0].sum.slept_ns = 0;
	for (i = 0; i < most && !last[0].sum.slept_ns; i++) {
		scan(test);
		kml_stats_last(last);
		KUNIT_EXPECT_LE(test, last[0].sum.slept_ns, last[0].sum.ns);
	}
	return last[0].sum.slept_ns;
}

/* Only scans of the scan thread sleep, and only with a budget. */
static void budget_of_the_scan_thread(struct kunit *test)
{
	struct kml_scan_stats *last;
	struct task_struct *thread;
	unsigned int budget;
	u64 slept;

	if (!kml_enabled())
		kunit_skip(test, "kmemleak is off");
	last = kunit_kcalloc(test, KML_SCANS_KEPT, sizeof(*last), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, last);
	mutex_lock(&kml_scan_mutex);
	thread = kml_scan_params.thread;
	budget = kml_budget;

	WRITE_ONCE(kml_budget, 50);
	KUNIT_EXPECT_EQ(test, scan_until_sleep(test, last, 4), 0ULL);

	kml_scan_params.thread = current;
	slept = scan_until_sleep(test, last, KML_BUDGET_SCANS);
	/* at least as long as it has worked before */
	KUNIT_EXPECT_GE(test, slept, 4ULL * NSEC_PER_MSEC);
	WRITE_ONCE(kml_budget, 0);
	KUNIT_EXPECT_EQ(test, scan_until_sleep(test, last, 4), 0ULL);

	kml_scan_params.thread = thread;
	WRITE_ONCE(kml_budget, budget);
	mutex_unlock(&kml_scan_mutex);
}

static struct kunit_case kml_e2e_cases[] = {
	KUNIT_CASE(lost_and_reachable),
	KUNIT_CASE(lost_but_on_our_stack),
	KUNIT_CASE(report_text),
	KUNIT_CASE(not_yet),
	KUNIT_CASE(unreferenced_in_several_scans),
	KUNIT_CASE(attributes),
	KUNIT_CASE(large_objects_and_parts),
	KUNIT_CASE(blocks_with_descriptors),
	KUNIT_CASE(percpu_objects),
	KUNIT_CASE(roots),
	KUNIT_CASE(many_small_objects),
	KUNIT_CASE(budget_of_the_scan_thread),
	{}
};

static struct kunit_suite kml_e2e_suite = {
	.name = "kmemleak_e2e",
	.test_cases = kml_e2e_cases,
};

kunit_test_suite(kml_e2e_suite);
