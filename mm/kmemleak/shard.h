/* SPDX-License-Identifier: GPL-2.0-only */
/* Shards: which CPU owns which intervals. */
#ifndef _MM_KMEMLEAK_SHARD_H
#define _MM_KMEMLEAK_SHARD_H

#include "kmemleak.h"

/* A worker's way through the shards: those of its node first. */
struct kml_shard_cursor {
	unsigned int cpu;		/* its own */
	unsigned int i;
	bool remote;			/* its node's are done */
};

struct kml_shard *kml_shard_here(void);
void kml_shards_rewind(void);
void kml_shard_cursor_init(struct kml_shard_cursor *c, unsigned int cpu);
struct kml_interval *kml_shard_take(struct kml_shard_cursor *c,
				    enum kml_space_id *id);
struct kml_shard *kml_shard_next(struct kml_shard *shard);
void kml_shard_add(struct kml_interval *iv, enum kml_space_id id);
void kml_shard_del(struct kml_interval *iv);
unsigned long kml_shard_intervals(void);
void kml_shard_init(void);

#endif /* _MM_KMEMLEAK_SHARD_H */
