/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kmemleak and kmalloc_nolock(). The hooks of <linux/kmemleak.h> take locks, so
 * they are not for blocks that may come and go in any context, NMI included.
 * These hooks take none.
 */
#ifndef _LINUX_KMEMLEAK_NOLOCK_H
#define _LINUX_KMEMLEAK_NOLOCK_H

#include <linux/types.h>

#ifdef CONFIG_DEBUG_KMEMLEAK
void kmemleak_alloc_nolock(const void *ptr, size_t size);
void kmemleak_free_nolock(const void *ptr);
#else
static inline void kmemleak_alloc_nolock(const void *ptr, size_t size)
{
}

static inline void kmemleak_free_nolock(const void *ptr)
{
}
#endif

#endif /* _LINUX_KMEMLEAK_NOLOCK_H */
