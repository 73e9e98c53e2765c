/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Leaks planted in pages of the test's own, for scans of the running kernel.
 * The page allocator's memory is not tracked: what is registered there by hand
 * was never in a slab's lists, so nothing else can know its address. What the
 * test itself knows is on its stack, hence stacks are no roots meanwhile.
 *
 * Registers are kept elsewhere while a thread sleeps or is interrupted (UML has
 * them in the task_struct and on signal stacks, all of which is scanned). So
 * addresses are only handled by functions that are not inlined: when they have
 * returned, the registers which calls preserve hold what they held before. And
 * what is lost may take a few scans to be found so, for an interrupt of a scan
 * leaves behind whatever the scan was looking at. What is reachable must not be
 * reported by any.
 */
#ifndef _MM_KMEMLEAK_TESTS_PLANT_H
#define _MM_KMEMLEAK_TESTS_PLANT_H

#include "common.h"
#ifdef CONFIG_UML
#include <linux/initrd.h>
#endif
#include "../scan.h"

#define KML_BYTES	(32 * KML_PAGE_SIZE)
#define KML_RUNS	12	/* in so many of these a test may run; 4 was the most seen */
#define KML_OBJ_SIZE	200UL
#define KML_STEP	512UL

/*
 * The planted objects. Object 0 is the root from which live ones are reached;
 * the pages begin with a gap, so that @base points to none of them.
 */
struct kml_plant {
	unsigned long base;
	bool missed;			/* something lost was not found */
};

static noinline unsigned long addr_of(struct kml_plant *p, unsigned int i)
{
	return p->base + KML_PAGE_SIZE + i * KML_STEP;
}

static noinline void *object(struct kml_plant *p, unsigned int i)
{
	return (void *)addr_of(p, i);
}

/* Let word @word of object @from point @off bytes into object @to. */
static noinline __maybe_unused
void refer(struct kml_plant *p, unsigned int from, unsigned int word, unsigned int to,
	   long off)
{
	((unsigned long *)object(p, from))[word] = addr_of(p, to) + off;
}

static noinline __maybe_unused
void forget(struct kml_plant *p, unsigned int from, unsigned int word)
{
	((unsigned long *)object(p, from))[word] = 0;
}

/* @age: in jiffies */
static noinline void set_age(struct kml_space *space, unsigned long addr, long age)
{
	struct kml_locked l;

	if (!kml_object_lock(&l, space, kml_untag(addr), false))
		return;
	l.hot->cold->born = jiffies - age;
	kml_object_unlock(&l);
}

/*
 * What is younger is not reported. Emulated and with all checks on, one scan may take
 * longer than what is allocated now takes to come of age by default; how long that
 * is, the harness tests, whose time stands still.
 */
#define KML_TEST_AGE_MSECS	600000

/* Make an object older than any that must not be reported yet. */
static noinline void age(struct kml_space *space, unsigned long addr)
{
	set_age(space, addr, msecs_to_jiffies(2 * KML_TEST_AGE_MSECS));
}

/* Make an object too young to be reported for some minutes. */
static noinline void rejuvenate(struct kml_space *space, unsigned long addr)
{
	set_age(space, addr, 0);
}

static noinline void plant_young(struct kml_plant *p, unsigned int i, size_t size)
{
	kmemleak_alloc(object(p, i), size, 1, GFP_KERNEL);
	rejuvenate(kml_space(KML_VIRT), addr_of(p, i));
}

static noinline __maybe_unused void plant(struct kml_plant *p, unsigned int i)
{
	plant_young(p, i, KML_OBJ_SIZE);
	age(kml_space(KML_VIRT), addr_of(p, i));
}

static noinline bool reported_in(struct kml_space *space, unsigned long addr)
{
	struct kml_info info;

	return kml_object_info(space, addr, false, &info) &&
	       info.state & KML_F_REPORTED;
}

static noinline bool reported(struct kml_plant *p, unsigned int i)
{
	return reported_in(kml_space(KML_VIRT), addr_of(p, i));
}

static inline void scan(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, kml_control_command("scan"), 0);
}

/* The first scan learns the checksums, the second may report. */
static inline void scan_twice(struct kunit *test)
{
	scan(test);
	scan(test);
}

#define KML_SCANS	8

/* Scan until objects 1 to @nr - 1 are reported, if their bit in @lost is set. */
static inline void scan_for(struct kunit *test, struct kml_plant *p, unsigned int nr,
			    u32 lost)
{
	unsigned int i, n;
	u32 found = 0;

	for (n = 0; n < KML_SCANS && (n < 2 || found != lost); n++) {
		scan(test);
		for (i = 1; i < nr; i++)
			found |= reported(p, i) ? BIT(i) : 0;
	}
	KUNIT_EXPECT_EQ(test, found & ~lost, 0U);
	p->missed |= found != lost;
}

/*
 * UML gives the memory of its initial ramdisk to the page allocator without a word
 * to kmemleak: the object stays, and is read, whatever its pages have become, be it
 * our own or the stack of a thread of ours. What the page allocator owns is not the
 * boot allocator's: end it.
 */
static inline void forget_boot_memory(void)
{
#ifdef CONFIG_UML
	unsigned long pfn;

	/* which is when it gets them */
	wait_for_initramfs();
	for (pfn = 0; pfn_valid(pfn); pfn++) {
		if (!PageReserved(pfn_to_page(pfn)))
			kmemleak_free_part_phys(PFN_PHYS(pfn), PAGE_SIZE);
		cond_resched();
	}
#endif
}

static inline void in_pages(struct kunit *test, struct kml_plant *p,
			    void (*fn)(struct kunit *test, struct kml_plant *p))
{
	unsigned int i;

	kmemleak_alloc(object(p, 0), KML_OBJ_SIZE, 0, GFP_KERNEL);
	fn(test, p);
	for (i = 0; addr_of(p, i) < p->base + KML_BYTES; i++)
		if (kml_object_info(kml_space(KML_VIRT), addr_of(p, i), false,
				    &(struct kml_info){}))
			kmemleak_free(object(p, i));
}

/*
 * Run a test in pages of its own. They may have been a slab's before, and
 * pointers to what was in there may have survived in some corner, for longer
 * than a test scans: the struct page of a slab that is gone has its free list,
 * in another page of the slab's. So a test that has missed something is run
 * again elsewhere; in 20 boots of UML that was many_small_objects, in 7, which
 * covers whole pages. A report of a reachable object fails at once.
 */
static inline void with_pages(struct kunit *test,
			      void (*fn)(struct kunit *test, struct kml_plant *p))
{
	struct kml_scan_params saved;
	unsigned long used[KML_RUNS];
	unsigned int n, runs = 0;
	struct kml_plant p = {};

	if (!kml_enabled())
		kunit_skip(test, "kmemleak is off");

	forget_boot_memory();
	mutex_lock(&kml_scan_mutex);
	saved = kml_scan_params;
	while (runs < KML_RUNS) {
		p.base = (unsigned long)alloc_pages_exact(KML_BYTES, GFP_KERNEL | __GFP_ZERO);
		if (!p.base)
			break;
		used[runs++] = p.base;
		kml_scan_params = (struct kml_scan_params){
			.min_unref_scans = 1,
			.min_age_ms = KML_TEST_AGE_MSECS,
		};
		p.missed = false;
		in_pages(test, &p, fn);
		if (!p.missed)
			break;
	}
	kml_scan_params = saved;
	mutex_unlock(&kml_scan_mutex);

	for (n = 0; n < runs; n++)
		free_pages_exact((void *)used[n], KML_BYTES);
	if (!runs)
		kunit_skip(test, "no pages to plant in");
	if (runs > 1)
		kunit_info(test, "in the %u. place", runs);
	KUNIT_EXPECT_FALSE(test, p.missed);
}

#endif /* _MM_KMEMLEAK_TESTS_PLANT_H */
