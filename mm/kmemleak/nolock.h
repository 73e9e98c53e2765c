/* SPDX-License-Identifier: GPL-2.0-only */
/* Blocks of kmalloc_nolock(): see nolock.c. */
#ifndef _MM_KMEMLEAK_NOLOCK_H
#define _MM_KMEMLEAK_NOLOCK_H

#include "os.h"

struct kml_nolock_block {
	unsigned long start;
	size_t size;
};

void kml_nolock_init(void);
void kml_nolock_forget(unsigned long start);
bool kml_nolock_next(unsigned long *at, struct kml_nolock_block *block);
size_t kml_nolock_size(unsigned long at, unsigned long start);
unsigned long kml_nolock_missed(void);

#endif /* _MM_KMEMLEAK_NOLOCK_H */
