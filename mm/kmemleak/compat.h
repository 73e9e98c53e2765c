/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels we build on (6.12 to 7.3). The core is
 * written for the newer one; this file, and none else of it, adapts the older.
 */
#ifndef _MM_KMEMLEAK_COMPAT_H
#define _MM_KMEMLEAK_COMPAT_H

#include "os.h"

#if defined(CONFIG_KASAN_SW_TAGS) || defined(CONFIG_KASAN_HW_TAGS)
#define KML_POINTER_TAGS 1
#define KML_TAG_BITS	8	/* kasan_reset_tag() extends the sign of bit 55 */
#else
#define KML_TAG_BITS	0
#endif

/* 7.x: declared in linux/kmemleak.h */
void kmemleak_ignore_percpu(const void __percpu *ptr);

/* So is this one, later in 6.12 */
void kmemleak_transient_leak(const void *ptr);

/* 7.x: declared in mm/page_alloc.h */
void drain_all_pages(struct zone *zone);

#ifdef CONFIG_UML
/* 7.x: declared where only arch/um looks, an array of one for each CPU */
extern char cpu_irqstacks[][THREAD_SIZE] __weak;

/* 6.12: the only CPU's, in .data */
extern union thread_union cpu0_irqstack __weak;
#endif

/*
 * Does a task run, or is it about to? 7.x has the field with one CPU, too; there who
 * asks is who runs. The acquire pairs with the release in finish_task(): all that a
 * task did before it was switched from is seen.
 */
#ifdef CONFIG_SMP
/* pairs with finish_task() */
#define kml_task_on_cpu(task)	(smp_load_acquire(&(task)->on_cpu) != 0)
#else
#define kml_task_on_cpu(task)	({ barrier(); (task) == current; })
#endif

#ifndef secs_to_jiffies
#define secs_to_jiffies(secs)	((secs) * HZ)
#endif

#endif /* _MM_KMEMLEAK_COMPAT_H */
