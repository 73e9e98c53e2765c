// SPDX-License-Identifier: GPL-2.0
/*
 * kmemleak_torture: what looks like a reference to a leak?
 *
 * Leaks that kmemleak takes for referenced must have something somewhere that
 * looks like it. Goes through all memory in use, by its linear mapping, however
 * it was allocated: it is not kmemleak that is asked.
 */
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "kt.h"

#define KT_MAX_WANTED	256
/* for one leak, so many places are told */
#define KT_MAX_SAID	2

struct kt_wanted {
	unsigned long hidden, size;
	unsigned int id, found;
};

static struct kt_wanted kt_wanted[KT_MAX_WANTED];
static unsigned int kt_nr_wanted;
/*
 * The kernel's data, from and up to where: arm64 (7.x) has it at its own addresses
 * only, not in the linear mapping. Modules are not told; it is who asks that knows.
 */
static unsigned long kt_image_from, kt_image_to;

static const char *kt_page_kind(struct page *page)
{
	if (!page)
		return "image";
	if (PageReserved(page))
		return "reserved";
	if (PageSlab(page))
		return "slab";
	return "page";
}

static void kt_look_at(unsigned long value, struct page *page, unsigned long where)
{
	unsigned int i;

	value = kt_untagged(value);
	for (i = 0; i < kt_nr_wanted; i++) {
		struct kt_wanted *w = &kt_wanted[i];
		unsigned long start = kt_scramble(w->hidden);

		if (value - start >= w->size)
			continue;
		/* what it says of itself does not count */
		if (kt_untagged(where) - start < w->size)
			continue;
		if (w->found++ < KT_MAX_SAID)
			pr_info(KT_NAME "leak %u: a word at 0x%lx (%s %pS) looks like a reference\n",
				w->id, where, kt_page_kind(page), (void *)where);
	}
}

/* One page, at @from; @page is NULL for the image's. */
static void kt_look_through(unsigned long *from, struct page *page, unsigned long *copy)
{
	unsigned int i;

	if (!from || copy_from_kernel_nofault(copy, from, PAGE_SIZE))
		return;
	for (i = 0; i < PAGE_SIZE / sizeof(long); i++)
		if (copy[i])
			kt_look_at(copy[i], page, (unsigned long)&from[i]);
	/* this copy is no reference */
	memset(copy, 0, PAGE_SIZE);
}

static void kt_look_at_node(int nid, unsigned long *copy)
{
	/*
	 * User-mode Linux maps nothing between its image and its heap, and a fault
	 * there is one below TASK_SIZE: 6.12 panics.
	 */
	bool reserved = !IS_ENABLED(CONFIG_UML);
	unsigned long pfn;

	for (pfn = node_start_pfn(nid); pfn < node_end_pfn(nid); pfn++) {
		struct page *page = pfn_to_online_page(pfn);

		cond_resched();
		if (!page)
			continue;
		/* the heap begins: from here on what is reserved is mapped as well */
		if (!PageReserved(page))
			reserved = true;
		else if (!reserved)
			continue;
		/* pages of the slab allocator have a type, and need not have a count */
		if (!PageBuddy(page) && (page_count(page) || page_has_type(compound_head(page))))
			kt_look_through(page_address(page), page, copy);
	}
}

void kt_find_image(unsigned long from, unsigned long to)
{
	if (from)
		kt_image_from = from & PAGE_MASK;
	if (to)
		kt_image_to = to;
}

/*
 * Log, of leaks that were not reported, what seems to refer to them, and remember
 * for which of them there was something.
 */
void kt_find(void)
{
	unsigned long *copy = (void *)__get_free_page(GFP_KERNEL);
	unsigned int i, without = 0;
	unsigned long at;
	int nid;

	if (!copy)
		return;
	kt_nr_wanted = 0;
	for (i = 0; i < kt_leaks_planted() && kt_nr_wanted < KT_MAX_WANTED; i++) {
		struct kt_wanted *w = &kt_wanted[kt_nr_wanted];

		if (!kt_leak_unreported(i, &w->hidden, &w->size))
			continue;
		w->id = i;
		w->found = 0;
		kt_nr_wanted++;
	}
	for_each_online_node(nid)
		kt_look_at_node(nid, copy);
	for (at = kt_image_from; at < kt_image_to; at += PAGE_SIZE)
		kt_look_through((unsigned long *)at, NULL, copy);
	free_page((unsigned long)copy);
	for (i = 0; i < kt_nr_wanted; i++) {
		if (kt_wanted[i].found)
			kt_leak_explained(kt_wanted[i].id);
		else
			without++;
	}
	pr_info(KT_NAME "%u leaks not reported, %u of them without a word that looks like a reference\n",
		kt_nr_wanted, without);
}
