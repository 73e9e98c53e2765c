// SPDX-License-Identifier: GPL-2.0
/*
 * kmemleak_torture: what looks like a reference to a leak?
 *
 * Leaks that kmemleak takes for referenced should have something somewhere that
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

static const char *kt_page_kind(struct page *page)
{
	if (PageReserved(page))
		return "reserved";
	if (PageSlab(page))
		return "slab";
	return "page";
}

static void kt_look_at(unsigned long value, struct page *page, unsigned long where)
{
	unsigned int i;

	for (i = 0; i < kt_nr_wanted; i++) {
		struct kt_wanted *w = &kt_wanted[i];
		unsigned long start = kt_scramble(w->hidden);

		if (value - start >= w->size)
			continue;
		/* what it says of itself does not count */
		if (where - start < w->size)
			continue;
		if (w->found++ < KT_MAX_SAID)
			pr_info(KT_NAME "leak %u: a word at 0x%lx (%s %pS) looks like a reference\n",
				w->id, where, kt_page_kind(page), (void *)where);
	}
}

static void kt_look_through(struct page *page, unsigned long *copy)
{
	unsigned long *from = page_address(page);
	unsigned int i;

	/*
	 * In user-mode Linux what lies between the kernel's image and its heap is
	 * not mapped, and a fault there is one below TASK_SIZE: 6.12 panics.
	 */
	if (IS_ENABLED(CONFIG_UML) && PageReserved(page))
		return;
	if (!from || copy_from_kernel_nofault(copy, from, PAGE_SIZE))
		return;
	for (i = 0; i < PAGE_SIZE / sizeof(long); i++)
		if (copy[i])
			kt_look_at(copy[i], page, (unsigned long)&from[i]);
	/* this copy is no reference */
	memset(copy, 0, PAGE_SIZE);
}

/* Log, of leaks that were not reported, what seems to refer to them. */
void kt_find(void)
{
	unsigned long *copy = (void *)__get_free_page(GFP_KERNEL);
	unsigned int i, without = 0;
	unsigned long pfn;
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
	for_each_online_node(nid) {
		for (pfn = node_start_pfn(nid); pfn < node_end_pfn(nid); pfn++) {
			struct page *page = pfn_to_online_page(pfn);

			/* slab pages have no count */
			if (page && !PageBuddy(page) && (page_count(page) || PageSlab(page)))
				kt_look_through(page, copy);
			cond_resched();
		}
	}
	free_page((unsigned long)copy);
	for (i = 0; i < kt_nr_wanted; i++)
		without += !kt_wanted[i].found;
	pr_info(KT_NAME "%u leaks not reported, %u of them without a word that looks like a reference\n",
		kt_nr_wanted, without);
}
