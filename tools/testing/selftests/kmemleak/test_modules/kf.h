/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The search of all memory for words that look like references, for kmemleak_torture and
 * kmemleak_find.
 */
#ifndef _KF_H
#define _KF_H

#include <linux/kasan.h>
#include <linux/types.h>

struct page;

/* Scramble an address so that it is no reference, or unscramble it: see kst.h. */
static inline unsigned long kt_scramble(unsigned long address)
{
	return address ^ (unsigned long)0xa5a5a5a5a5a5a5a5ULL;
}

/* An address as kmemleak compares it. */
static inline unsigned long kt_untagged(unsigned long value)
{
	return (unsigned long)kasan_reset_tag((void *)value);
}

/**
 * struct kf_wanted - a block whose references are searched for
 * @hidden: its address, untagged and scrambled
 * @size: in bytes
 * @id: a number for the caller
 * @found: words that point into the block; kf_search() adds to it
 */
struct kf_wanted {
	unsigned long hidden, size;
	unsigned int id, found;
};

/**
 * typedef kf_found_t - called for each word that was found
 * @w: the block that the word points into; @w->found is incremented afterwards
 * @offset: offset in the block of the byte that the word points to
 * @where: address of the word, in the linear mapping or in the kernel's image
 * @page: its page, NULL for the image
 *
 * Context: process, may sleep.
 */
typedef void (*kf_found_t)(struct kf_wanted *w, unsigned long offset, unsigned long where,
			   struct page *page);

const char *kf_page_kind(struct page *page);
void kf_set_image(unsigned long from, unsigned long to);
int kf_search(struct kf_wanted *wanted, unsigned int nr, unsigned int step, kf_found_t found);

#endif /* _KF_H */
