/* SPDX-License-Identifier: GPL-2.0-only */
/* The directory: address -> interval -> page leaf. */
#ifndef _MM_KMEMLEAK_INTERVAL_H
#define _MM_KMEMLEAK_INTERVAL_H

#include "kmemleak.h"
#include "page_desc.h"

/* in leaf->desc: the group is being taken out of the tree, look up again */
#define KML_DESC_DEAD	((struct kml_desc *)1UL)

static inline unsigned long kml_l2_key(unsigned long addr)
{
#if BITS_PER_LONG == 64
	return addr >> (KML_L2_SHIFT + KML_L2_BITS);
#else
	return 0;
#endif
}

/* The interval of @addr, or NULL. Context: rcu_read_lock() or kml_scan_mutex. */
static inline struct kml_interval *kml_interval_find(struct kml_space *space,
						     unsigned long addr)
{
	unsigned long key = kml_l2_key(addr);
	struct kml_l2 *l2 = READ_ONCE(space->l1[key % (1U << KML_L1_BITS)]);
	struct kml_l3 *l3;

	while (l2 && l2->key != key)
		l2 = READ_ONCE(l2->next);
	if (!l2)
		return NULL;
	l3 = READ_ONCE(l2->l3[(addr >> KML_L2_SHIFT) % (1U << KML_L2_BITS)]);
	if (!l3)
		return NULL;
	return READ_ONCE(l3->iv[(addr >> KML_L3_SHIFT) % (1U << KML_L3_BITS)]);
}

/* The leaf of @addr in @iv, or NULL. Context: as above. */
static inline struct kml_leaf *kml_leaf_find(struct kml_interval *iv,
					     unsigned long addr)
{
	struct kml_group *group;

	group = READ_ONCE(iv->group[(addr >> KML_GROUP_SHIFT) % KML_GROUPS]);
	return group ? &group->leaf[(addr >> KML_PAGE_SHIFT) % KML_LEAVES] : NULL;
}

/*
 * The leaf of @addr, or NULL. Context: as above. It stays while a scan is active:
 * only kml_interval_trim() takes leaves away.
 */
static inline struct kml_leaf *kml_leaf_of(struct kml_space *space,
					   unsigned long addr)
{
	struct kml_interval *iv = kml_interval_find(space, addr);

	return iv ? kml_leaf_find(iv, addr) : NULL;
}

/*
 * The page descriptor of @leaf, or NULL. Whoever files an object may replace it,
 * scan or not. Context: rcu_read_lock(), IRQs off, or leaf->lock.
 */
static inline struct kml_desc *kml_leaf_desc(struct kml_leaf *leaf)
{
	struct kml_desc *desc;

	desc = rcu_dereference_check(leaf->desc, rcu_read_lock_any_held() ||
				     lockdep_is_held(&leaf->lock));
	return likely(desc != KML_DESC_DEAD) ? desc : NULL;
}

/*
 * Have what a look-up of @addr will touch of a descriptor fetched: its bitmap
 * and the entry. Not dereferenced: it may be NULL, dead or of another class.
 */
static inline void kml_leaf_fetch(struct kml_leaf *leaf, unsigned long addr)
{
	unsigned long desc = (unsigned long)rcu_access_pointer(leaf->desc);
	unsigned int cls = READ_ONCE(leaf->cls);

	prefetch((void *)desc);
	prefetch((void *)(desc + kml_desc_head(cls) +
			  kml_desc_slot(cls, addr & ~KML_PAGE_MASK) *
			  sizeof(struct kml_hot)));
}

static inline bool kml_leaf_dead(struct kml_leaf *leaf)
{
	return rcu_access_pointer(leaf->desc) == KML_DESC_DEAD;
}

/* An object with KML_F_NEW was filed. Pairs with kml_prepare_all(): kmemleak.h. */
static inline void kml_interval_freshen(struct kml_interval *iv)
{
	/* the entry before the flag */
	smp_mb();
	if (!READ_ONCE(iv->fresh))
		WRITE_ONCE(iv->fresh, true);
}

/*
 * Something is no more in @iv: worth the trimmer's while. Mostly it is said
 * already, and the line is not written to. Context: the RCU section in which it
 * went; see "Vacate" in kmemleak.h.
 */
static inline void kml_interval_vacate(struct kml_interval *iv)
{
	if (!READ_ONCE(iv->vacated))
		WRITE_ONCE(iv->vacated, true);
}

/* Number of the running scan, modulo 2^16: an old leaf->doubt costs a look. */
extern u16 kml_doubt_nr;

/* An object that the confirmation has to look at. Context: RCU. */
static inline void kml_interval_doubt(struct kml_space *space, unsigned long addr)
{
	struct kml_interval *iv = kml_interval_find(space, addr);
	struct kml_leaf *leaf = iv ? kml_leaf_find(iv, addr) : NULL;

	if (!leaf)
		return;
	if (!READ_ONCE(iv->doubtful))
		WRITE_ONCE(iv->doubtful, true);
	if (READ_ONCE(leaf->doubt) != kml_doubt_nr)
		WRITE_ONCE(leaf->doubt, kml_doubt_nr);
}

/* leaf->cont and interval->cover: inverted, so that no object is 0 */
static inline bool kml_cont_get(unsigned long cont, unsigned long *start)
{
	*start = ~cont;
	return cont;
}

struct kml_hot *kml_lookup(struct kml_space *space, unsigned long addr,
			   unsigned long *start);
struct kml_hot *kml_lookup_exact(struct kml_space *space, unsigned long start);

/* What kml_lookup_pinned() finds. */
struct kml_pinned {
	u32 state;
	size_t size;
	struct kml_ext *ext;		/* or NULL; stays while pinned */
};

bool kml_lookup_pinned(struct kml_leaf *leaf, unsigned long start,
		       struct kml_pinned *p);

struct kml_l3 **kml_l3_slot(struct kml_space *space, unsigned long addr);
int kml_interval_ensure(struct kml_space *space, unsigned long addr, gfp_t gfp);
int kml_leaf_ensure(struct kml_space *space, unsigned long addr, gfp_t gfp);
void kml_window_grow(struct kml_space *space, unsigned long first,
		     unsigned long last);
void kml_free_rcu(struct rcu_head *rcu, rcu_callback_t cb);
void kml_desc_free_rcu(struct kml_desc *desc);

/*
 * Called for each interval of a space by kml_interval_walk(); non-zero ends the
 * walk. Context: kml_scan_mutex held; may sleep.
 */
typedef int (*kml_interval_fn)(struct kml_space *space, struct kml_interval *iv,
			       void *data);
int kml_interval_walk(struct kml_space *space, kml_interval_fn fn, void *data);
void kml_interval_trim(bool hurry);

#endif /* _MM_KMEMLEAK_INTERVAL_H */
