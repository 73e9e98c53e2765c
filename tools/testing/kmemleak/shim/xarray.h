/* SPDX-License-Identifier: GPL-2.0-only */
/* An ordered map from unsigned long to pointer: a radix tree, RCU-readable. */
#ifndef _SHIM_XARRAY_H
#define _SHIM_XARRAY_H

#include "io.h"

#define XA_CHUNK_SHIFT	6
#define XA_CHUNK_SIZE	(1UL << XA_CHUNK_SHIFT)

struct shim_xa_node {
	struct rcu_head rcu;
	unsigned int shift;
	unsigned int count;
	void *slot[XA_CHUNK_SIZE];
};

struct xarray {
	spinlock_t xa_lock;
	gfp_t xa_flags;
	struct shim_xa_node *root;
};

#define XARRAY_INIT(n, f) { .xa_flags = (f) }
#define DEFINE_XARRAY_FLAGS(n, f) struct xarray n = XARRAY_INIT(n, f)
#define DEFINE_XARRAY(n) DEFINE_XARRAY_FLAGS(n, 0)
#define XA_FLAGS_LOCK_IRQ 1u
#define XA_FLAGS_ALLOC	4u
#define xa_init_flags(x, f) (*(x) = (struct xarray)XARRAY_INIT(, f))
#define xa_init(x)	xa_init_flags(x, 0)
#define xa_is_err(p)	unlikely(((unsigned long)(p) & 3) == 2 && (long)(p) < 0)
#define xa_err(p)	(xa_is_err(p) ? (int)((long)(p) >> 2) : 0)
#define xa_mk_value(v)	((void *)(((unsigned long)(v) << 1) | 1))
#define xa_to_value(p)	((unsigned long)(p) >> 1)
#define xa_is_value(p)	((unsigned long)(p) & 1)
#define xa_empty(x)	(!READ_ONCE((x)->root))
#define xa_lock(x)	spin_lock(&(x)->xa_lock)
#define xa_unlock(x)	spin_unlock(&(x)->xa_lock)
#define xa_lock_irqsave(x, f) spin_lock_irqsave(&(x)->xa_lock, f)
#define xa_unlock_irqrestore(x, f) spin_unlock_irqrestore(&(x)->xa_lock, f)
void *xa_load(struct xarray *xa, unsigned long index);
void *xa_store(struct xarray *xa, unsigned long index, void *p, gfp_t gfp);
void *xa_erase(struct xarray *xa, unsigned long index);
void *xa_find(struct xarray *xa, unsigned long *index, unsigned long max, unsigned int filter);
void *xa_find_after(struct xarray *xa, unsigned long *index, unsigned long max,
		    unsigned int filter);
void xa_destroy(struct xarray *xa);
void *xa_cmpxchg(struct xarray *xa, unsigned long index, void *old, void *p, gfp_t gfp);
#define xa_insert(x, i, p, g) ({ void *__xo = xa_cmpxchg(x, i, NULL, p, g); \
	__xo ? xa_is_err(__xo) ? xa_err(__xo) : -EBUSY : 0; })
#define XA_PRESENT	8u
#define xa_for_each_range(x, i, p, first, last)				\
	for ((i) = (first), (p) = xa_find(x, &(i), last, XA_PRESENT); (p); \
	     (p) = xa_find_after(x, &(i), last, XA_PRESENT))
#define xa_for_each_start(x, i, p, s) xa_for_each_range(x, i, p, s, ULONG_MAX)
#define xa_for_each(x, i, p) xa_for_each_range(x, i, p, 0UL, ULONG_MAX)

#endif /* _SHIM_XARRAY_H */
