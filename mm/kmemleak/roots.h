/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory that keeps objects alive without being an object. */
#ifndef _MM_KMEMLEAK_ROOTS_H
#define _MM_KMEMLEAK_ROOTS_H

#include "os.h"

/**
 * struct kml_root_sink - where roots go
 * @range: told of each range; returns false to stop. May sleep.
 * @page: the same for a struct page, with the memory that it describes: what
 *	points there is no reference. The free list of a slab does, and stays in
 *	the struct page when the slab is gone and its page somebody's.
 * @probe: could the range hold a reference? Cheaper than @range and without
 *	effect; the range may contain memory that is not a root.
 * @skip: is the stack of this task not a root?
 */
struct kml_root_sink {
	bool (*range)(struct kml_root_sink *sink, const void *start, size_t len);
	bool (*page)(struct kml_root_sink *sink, const struct page *page,
		     unsigned long mem);
	bool (*probe)(struct kml_root_sink *sink, const void *start, size_t len);
	bool (*skip)(const struct task_struct *task);
};

void kml_roots_begin(bool stacks);
bool kml_roots_next(struct kml_root_sink *sink);
void kml_roots_end(void);

struct zone *kml_roots_pages(unsigned long *pfn, unsigned long *end);
bool kml_roots_copy(struct page *page, size_t off, void *buf, size_t len);
bool kml_roots_own_stack(struct kml_root_sink *sink);
bool kml_roots_in_use(struct kml_root_sink *sink, void *buf);
bool kml_phys_in_lowmem(unsigned long phys, size_t size);
bool kml_phys_is_root(unsigned long phys, size_t len);
bool kml_page_has_owner(struct page *page);

/* Calls @section for each section that is to be an object, always grey. */
void kml_roots_sections(void (*section)(const void *start, size_t len));

/* roots_stack.c: */
struct task_struct *kml_task_from(int *nr);
bool kml_roots_stack(struct kml_root_sink *sink, struct task_struct *task);
#ifdef CONFIG_KMEMLEAK_LIVE_STACKS
extern bool kml_live_stacks;	/* read stacks from the saved stack pointer on */
void kml_roots_hush_stacks(void);
#else
static inline void kml_roots_hush_stacks(void)
{
}
#endif

#endif /* _MM_KMEMLEAK_ROOTS_H */
