/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Leaks for scans of the running kernel, planted in pages that the test allocates.
 * Pages are not tracked, so the test registers objects in them by hand. These were
 * never in a slab's lists, and only the test knows their addresses. It has them on
 * its stack, hence stacks are no roots meanwhile.
 *
 * Registers are saved elsewhere while a thread sleeps or is interrupted: UML saves
 * them in the task_struct and on signal stacks, and all these are scanned. So only
 * functions that are not inlined handle addresses: after their return the
 * callee-saved registers have their old values. A leak may still need a few scans to
 * be found, because an interrupt of a scan saves addresses that the scan was looking
 * at. A reachable object must not be reported by any scan.
 */
#ifndef _MM_KMEMLEAK_TESTS_PLANT_H
#define _MM_KMEMLEAK_TESTS_PLANT_H

#include "common.h"
#include "../scan.h"

#define KML_BYTES	(32 * KML_PAGE_SIZE)
#define KML_PAGES	64	/* most allocations of pages that are tried */
#define KML_RUNS	12	/* most runs of a test; no more than 4 were seen */
#define KML_OBJ_SIZE	200UL
#define KML_STEP	512UL

/*
 * The planted objects. Object 0 is the root of all reachable objects. The pages
 * begin with a gap, so that @base points to no object.
 */
struct kml_plant {
	unsigned long base;
	bool missed;			/* a leak was not found */
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
 * The age from which on objects are reported. The default is too short: in an
 * emulator with all checks on, a new object would reach it within one scan. The
 * harness tests the default, for there the clock stands still.
 */
#define KML_TEST_AGE_MSECS	600000

/* Make an object old enough to be reported. */
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

/* The first scan notes the checksums, the second may report. */
static inline void scan_twice(struct kunit *test)
{
	scan(test);
	scan(test);
}

#define KML_SCANS	8

/* Scan until all objects of the bitmap @lost are reported, of 1 to @nr - 1. */
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
 * Does physical space have an object in our pages? Memblock gives memory, like that
 * of the initial ramdisk, to the page allocator without telling kmemleak. The object
 * stays and may be read, and so may references that the test does not count on.
 */
static inline bool in_phys(struct kml_plant *p)
{
	struct kml_info info;
	unsigned long off;

	for (off = 0; off < KML_BYTES; off += KML_PAGE_SIZE)
		if (kml_phys_info(virt_to_phys((void *)p->base) + off, &info))
			return true;
	return false;
}

/*
 * The stack of the test may lie in such an object, too, and would be read with it.
 * Set NO_SCAN on the object. Return: its start, or ~0 if there is nothing to undo.
 */
static noinline unsigned long paint_phys_stack(void)
{
	void *stack = task_stack_page(current);
	struct kml_info info;

	if (!stack || !kml_phys_info(virt_to_phys(stack), &info) || kml_black(info.state))
		return ~0UL;
	kml_phys_paint(info.addr, true);
	return info.addr;
}

static noinline void unpaint_phys(unsigned long start)
{
	if (start != ~0UL)
		kml_phys_paint(start, false);
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
 * Run a test in newly allocated pages. A slab may have used them before, and stale
 * pointers to its objects may survive in roots for longer than a test scans. So a
 * test that has missed a leak is run again in other pages. A report of a reachable
 * object fails at once.
 */
static inline void with_pages(struct kunit *test,
			      void (*fn)(struct kunit *test, struct kml_plant *p))
{
	struct kml_scan_params saved;
	unsigned long used[KML_PAGES], painted;
	unsigned int n = 0, runs = 0;
	struct kml_plant p = {};

	if (!kml_enabled())
		kunit_skip(test, "kmemleak is off");

	mutex_lock(&kml_scan_mutex);
	saved = kml_scan_params;
	painted = paint_phys_stack();
	while (n < KML_PAGES && runs < KML_RUNS) {
		p.base = (unsigned long)alloc_pages_exact(KML_BYTES, GFP_KERNEL | __GFP_ZERO);
		if (!p.base)
			break;
		used[n++] = p.base;
		if (in_phys(&p))
			continue;
		kml_scan_params = (struct kml_scan_params){
			.min_unref_scans = 1,
			.min_age_ms = KML_TEST_AGE_MSECS,
		};
		runs++;
		p.missed = false;
		in_pages(test, &p, fn);
		if (!p.missed)
			break;
	}
	unpaint_phys(painted);
	kml_scan_params = saved;
	mutex_unlock(&kml_scan_mutex);

	while (n)
		free_pages_exact((void *)used[--n], KML_BYTES);
	if (!runs)
		kunit_skip(test, "no pages to plant in");
	if (runs > 1)
		kunit_info(test, "in the %u. place", runs);
	KUNIT_EXPECT_FALSE(test, p.missed);
}

#endif /* _MM_KMEMLEAK_TESTS_PLANT_H */
