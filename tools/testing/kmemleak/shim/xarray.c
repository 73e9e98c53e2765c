// SPDX-License-Identifier: GPL-2.0-only
/* A radix tree of nodes with 64 slots, with the interface of xarrays. */
#include "../os.h"

#define SHIM_XA_NOMEM	((void *)(((long)-ENOMEM << 2) | 2))

static struct kmem_cache *shim_xa_cache(void)
{
	static struct kmem_cache *cache;

	if (!cache)
		cache = shim_cache_create("xa_node", sizeof(struct shim_xa_node), 8,
					  SLAB_NOLEAKTRACE | SLAB_PANIC, NULL);
	return cache;
}

/* Made at the start, before code is in atomic context. */
static void __attribute__((__constructor__)) shim_xa_setup(void)
{
	shim_xa_cache();
}

static struct shim_xa_node *shim_xa_node_new(unsigned int shift, gfp_t gfp)
{
	struct shim_xa_node *n = kmem_cache_alloc(shim_xa_cache(), gfp | __GFP_ZERO);

	if (n)
		n->shift = shift;
	return n;
}

static void shim_xa_node_rcu(struct rcu_head *rcu)
{
	kmem_cache_free(shim_xa_cache(), container_of(rcu, struct shim_xa_node, rcu));
}

static bool shim_xa_covers(const struct shim_xa_node *n, unsigned long index)
{
	unsigned int bits = n->shift + XA_CHUNK_SHIFT;

	return bits >= BITS_PER_LONG || !(index >> bits);
}

static unsigned int shim_xa_at(const struct shim_xa_node *n, unsigned long index)
{
	return (index >> n->shift) % XA_CHUNK_SIZE;
}

void *xa_load(struct xarray *xa, unsigned long index)
{
	struct shim_xa_node *n;
	void *p = NULL;

	rcu_read_lock();
	n = smp_load_acquire(&xa->root);
	if (n && shim_xa_covers(n, index)) {
		for (;;) {
			p = smp_load_acquire(&n->slot[shim_xa_at(n, index)]);
			if (!p || !n->shift)
				break;
			n = p;
		}
	}
	rcu_read_unlock();
	return p;
}

/* The slot of @index; makes the nodes above it. NULL: no memory. */
static void **shim_xa_slot(struct xarray *xa, unsigned long index, gfp_t gfp,
			   struct shim_xa_node **leaf)
{
	struct shim_xa_node *n = xa->root;

	if (!n) {
		n = shim_xa_node_new(0, gfp);
		if (!n)
			return NULL;
		smp_store_release(&xa->root, n);
	}
	while (!shim_xa_covers(n, index)) {
		struct shim_xa_node *top = shim_xa_node_new(n->shift + XA_CHUNK_SHIFT, gfp);

		if (!top)
			return NULL;
		top->slot[0] = n;
		top->count = 1;
		smp_store_release(&xa->root, top);
		n = top;
	}
	while (n->shift) {
		void **slot = &n->slot[shim_xa_at(n, index)];

		if (!*slot) {
			struct shim_xa_node *low = shim_xa_node_new(n->shift - XA_CHUNK_SHIFT, gfp);

			if (!low)
				return NULL;
			smp_store_release(slot, (void *)low);
			n->count++;
		}
		n = *slot;
	}
	*leaf = n;
	return &n->slot[shim_xa_at(n, index)];
}

static void *shim_xa_put(struct xarray *xa, unsigned long index, void *p, gfp_t gfp)
{
	struct shim_xa_node *leaf;
	void **slot, *old;

	slot = shim_xa_slot(xa, index, gfp, &leaf);
	if (!slot)
		return SHIM_XA_NOMEM;
	old = *slot;
	leaf->count += !old;
	smp_store_release(slot, p);
	return old;
}

void *xa_store(struct xarray *xa, unsigned long index, void *p, gfp_t gfp)
{
	unsigned long flags;
	void *old;

	if (!p)
		return xa_erase(xa, index);
	spin_lock_irqsave(&xa->xa_lock, flags);
	old = shim_xa_put(xa, index, p, gfp & ~__GFP_DIRECT_RECLAIM);
	spin_unlock_irqrestore(&xa->xa_lock, flags);
	return old;
}

void *xa_cmpxchg(struct xarray *xa, unsigned long index, void *old, void *p, gfp_t gfp)
{
	unsigned long flags;
	void *now;

	spin_lock_irqsave(&xa->xa_lock, flags);
	now = xa_load(xa, index);
	if (now == old) {
		void *ret = shim_xa_put(xa, index, p, gfp & ~__GFP_DIRECT_RECLAIM);

		if (xa_is_err(ret))
			now = ret;
	}
	spin_unlock_irqrestore(&xa->xa_lock, flags);
	return now;
}

/* Sets @empty if @n became empty and was freed. Return: the old entry. */
static void *shim_xa_remove(struct shim_xa_node *n, unsigned long index, bool *empty)
{
	void **slot = &n->slot[shim_xa_at(n, index)], *old = *slot;
	bool gone = true;

	*empty = false;
	if (!old)
		return NULL;
	if (n->shift)
		old = shim_xa_remove(*slot, index, &gone);
	if (gone) {
		smp_store_release(slot, NULL);
		if (!--n->count) {
			*empty = true;
			call_rcu(&n->rcu, shim_xa_node_rcu);
		}
	}
	return old;
}

void *xa_erase(struct xarray *xa, unsigned long index)
{
	unsigned long flags;
	bool empty = false;
	void *old = NULL;

	spin_lock_irqsave(&xa->xa_lock, flags);
	if (xa->root && shim_xa_covers(xa->root, index)) {
		struct shim_xa_node *root = xa->root;

		old = shim_xa_remove(root, index, &empty);
		if (empty)
			smp_store_release(&xa->root, NULL);
	}
	spin_unlock_irqrestore(&xa->xa_lock, flags);
	return old;
}

static void *shim_xa_next(struct shim_xa_node *n, unsigned long *index)
{
	unsigned int i = shim_xa_at(n, *index);
	unsigned long base = n->shift + XA_CHUNK_SHIFT >= BITS_PER_LONG ? 0 :
		*index >> (n->shift + XA_CHUNK_SHIFT) << (n->shift + XA_CHUNK_SHIFT);

	for (; i < XA_CHUNK_SIZE; i++) {
		unsigned long first = base + ((unsigned long)i << n->shift);
		void *p = smp_load_acquire(&n->slot[i]);

		if (first > *index)
			*index = first;
		if (p && n->shift)
			p = shim_xa_next(p, index);
		if (p)
			return p;
	}
	return NULL;
}

void *xa_find(struct xarray *xa, unsigned long *index, unsigned long max,
	      unsigned int filter)
{
	struct shim_xa_node *n;
	unsigned long at = *index;
	void *p = NULL;

	rcu_read_lock();
	n = smp_load_acquire(&xa->root);
	if (n && shim_xa_covers(n, at))
		p = shim_xa_next(n, &at);
	rcu_read_unlock();
	if (!p || at > max)
		return NULL;
	*index = at;
	return p;
}

void *xa_find_after(struct xarray *xa, unsigned long *index, unsigned long max,
		    unsigned int filter)
{
	unsigned long at = *index + 1;
	void *p;

	if (!at)
		return NULL;
	p = xa_find(xa, &at, max, filter);
	if (p)
		*index = at;
	return p;
}

void xa_destroy(struct xarray *xa)
{
	unsigned long i = 0;

	while (xa_find(xa, &i, ULONG_MAX, XA_PRESENT))
		xa_erase(xa, i);
}
