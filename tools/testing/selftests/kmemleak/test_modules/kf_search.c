// SPDX-License-Identifier: GPL-2.0
/*
 * Search for words that look like references to blocks. Reads all memory in use, by its
 * linear mapping, however it was allocated. Does not depend on kmemleak.
 */
#include <linux/gfp.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/unaligned.h>

#include "kf.h"

/*
 * The bounds of the kernel's data. arm64 (7.x) has it only at its own addresses, not in
 * the linear mapping. Modules do not know the bounds; the user has to set them.
 */
static unsigned long kf_image_from, kf_image_to;

struct kf_state {
	struct kf_wanted *wanted;
	unsigned int nr;
	kf_found_t found;
	unsigned int step;
	unsigned long *copy;
};

/**
 * kf_page_kind() - name the use of a page
 * @page: the page, NULL for a page of the kernel's image
 *
 * Context: any. Return: a static string.
 */
const char *kf_page_kind(struct page *page)
{
	if (!page)
		return "image";
	if (PageReserved(page))
		return "reserved";
	/* only the first page of a folio has a type */
	if (folio_test_slab(page_folio(page)))
		return "slab";
	return "page";
}

static void kf_look_at(struct kf_state *s, unsigned long value, struct page *page,
		       unsigned long where)
{
	unsigned int i;

	value = kt_untagged(value);
	for (i = 0; i < s->nr; i++) {
		struct kf_wanted *w = &s->wanted[i];
		unsigned long start = kt_scramble(w->hidden);

		if (value - start >= w->size)
			continue;
		/* words inside the block do not count */
		if (kt_untagged(where) - start < w->size)
			continue;
		s->found(w, value - start, where, page);
		w->found++;
	}
}

/* Search one page, at @from; @page is NULL for the image. */
static void kf_look_through(struct kf_state *s, unsigned long *from, struct page *page)
{
	unsigned int i;

	if (!from || copy_from_kernel_nofault(s->copy, from, PAGE_SIZE))
		return;
	for (i = 0; i <= PAGE_SIZE - sizeof(long); i += s->step) {
		unsigned long value = get_unaligned((unsigned long *)((u8 *)s->copy + i));

		if (value)
			kf_look_at(s, value, page, (unsigned long)from + i);
	}
	/* the copy must not be a reference */
	memset(s->copy, 0, PAGE_SIZE);
}

static void kf_look_at_node(struct kf_state *s, int nid)
{
	/*
	 * User-mode Linux maps no memory between its image and its heap. A fault there
	 * is below TASK_SIZE, and 6.12 panics.
	 */
	bool reserved = !IS_ENABLED(CONFIG_UML);
	unsigned long pfn;

	for (pfn = node_start_pfn(nid); pfn < node_end_pfn(nid); pfn++) {
		struct page *page = pfn_to_online_page(pfn);

		cond_resched();
		if (!page)
			continue;
		/* the heap begins: from here on reserved pages are mapped, too */
		if (!PageReserved(page))
			reserved = true;
		else if (!reserved)
			continue;
		/* slab pages have a type, and may have no reference count */
		if (!PageBuddy(page) && (page_count(page) || page_has_type(compound_head(page))))
			kf_look_through(s, page_address(page), page);
	}
}

/**
 * kf_set_image() - set the bounds of the kernel's data
 * @from: address of its first byte, 0 for no change
 * @to: address after its last byte, 0 for no change
 *
 * Without bounds, the image is searched only if it is in the linear mapping.
 * Context: serialized with kf_search() by the caller.
 */
void kf_set_image(unsigned long from, unsigned long to)
{
	if (from)
		kf_image_from = from & PAGE_MASK;
	if (to)
		kf_image_to = to;
}

/**
 * kf_search() - search all memory in use for words that point into blocks
 * @wanted: the blocks
 * @nr: number of blocks
 * @step: bytes from one word to the next: sizeof(long), or 1 like the marks that confirm
 *	suspects
 * @found: called for each such word
 *
 * Context: process, may sleep; the blocks must stay allocated, and calls are
 * serialized by the caller. Return: 0, or -ENOMEM when nothing was searched.
 */
int kf_search(struct kf_wanted *wanted, unsigned int nr, unsigned int step, kf_found_t found)
{
	struct kf_state s = {
		.wanted = wanted,
		.nr = nr,
		.found = found,
		.step = step,
		.copy = (void *)__get_free_page(GFP_KERNEL),
	};
	unsigned long at;
	int nid;

	if (!s.copy)
		return -ENOMEM;
	for_each_online_node(nid)
		kf_look_at_node(&s, nid);
	for (at = kf_image_from; at < kf_image_to; at += PAGE_SIZE)
		kf_look_through(&s, (unsigned long *)at, NULL);
	free_page((unsigned long)s.copy);
	return 0;
}
