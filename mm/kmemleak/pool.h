/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory for metadata: slab caches, magazines, and a static pool for the time
 * before the slab exists and for emergencies after.
 */
#ifndef _MM_KMEMLEAK_POOL_H
#define _MM_KMEMLEAK_POOL_H

#include "page_desc.h"

/* a struct kml_worker, of which this layer knows nothing else */
#define KML_WORKER_BYTES	(8 * KML_PAGE_SIZE)

enum kml_pool_type {
	KML_POOL_COLD,
	KML_POOL_EXT,
	KML_POOL_AREA,
	KML_POOL_RESERVE,
	KML_POOL_INTERVAL,
	KML_POOL_GROUP,
	KML_POOL_SETTLED,
	KML_POOL_L3,
	KML_POOL_L2,
	KML_POOL_WORK,
	KML_POOL_WORKER,
	KML_POOL_SIEVE,
	KML_POOL_DESC,		/* KML_NR_CLASSES of them */
	KML_NR_POOLS = KML_POOL_DESC + KML_NR_CLASSES,
};

void kml_pool_init(void);
void *kml_pool_alloc(enum kml_pool_type type, gfp_t gfp);
void kml_pool_free(enum kml_pool_type type, void *p);
void kml_pool_free_bulk(enum kml_pool_type type, unsigned int nr, void **p);
size_t kml_pool_size(enum kml_pool_type type);
int kml_pool_early_left(void);
void kml_pool_grow_early(size_t size);

struct kml_cold *kml_cold_get_cached(void);
bool kml_cold_put_cached(struct kml_cold *cold);

#ifdef KML_FAULT_INJECTION
bool kml_pool_should_fail(enum kml_pool_type type);
#else
static inline bool kml_pool_should_fail(enum kml_pool_type type)
{
	return false;
}
#endif

#endif /* _MM_KMEMLEAK_POOL_H */
