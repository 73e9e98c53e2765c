/* SPDX-License-Identifier: GPL-2.0-only */
/* Shards: which CPU owns which intervals. */
#ifndef _MM_KMEMLEAK_SHARD_H
#define _MM_KMEMLEAK_SHARD_H

#include "kmemleak.h"

struct kml_shard *kml_shard_here(void);
struct kml_shard *kml_shard_next(struct kml_shard *shard);
void kml_shard_add(struct kml_interval *iv, enum kml_space_id id);
void kml_shard_del(struct kml_interval *iv);
unsigned long kml_shard_intervals(void);
void kml_shard_init(void);

#endif /* _MM_KMEMLEAK_SHARD_H */
