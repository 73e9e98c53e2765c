/* SPDX-License-Identifier: GPL-2.0-only */
/* Read tracked memory that may be freed meanwhile. */
#ifndef _MM_KMEMLEAK_SNAPSHOT_H
#define _MM_KMEMLEAK_SNAPSHOT_H

#include "object.h"
#include "pin.h"

const void *kml_object_memory(struct kml_space *space, unsigned long start,
			      int cpu);
u32 kml_checksum(u32 seed, const void *p, size_t len);
bool kml_checksum_pinned(struct kml_pins *pins, struct kml_space *space,
			 unsigned long start, size_t size, u32 *sum,
			 bool (*stop)(void *data), void *data);
size_t kml_copy_head(const struct kml_info *info, void *buf, int *cpu);

#endif /* _MM_KMEMLEAK_SNAPSHOT_H */
