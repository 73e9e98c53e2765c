// SPDX-License-Identifier: GPL-2.0-only
/*
 * Visit every object, in the order of shards, intervals and addresses. Objects
 * born or freed meanwhile may or may not be visited; nobody is visited twice.
 */

#include "os.h"
#include "walk.h"

/* Let the lock go at least this often: it bounds the time with IRQs off. */
#define KML_WALK_BATCH	64

/* Visit the objects of a leaf that start at @off or later. */
static enum kml_visit kml_walk_some(struct kml_space *space,
				    struct kml_leaf *leaf, unsigned long page,
				    unsigned int *off, struct kml_visitor *v)
{
	enum kml_visit ret = KML_VISIT_NEXT;
	struct kml_desc *desc;
	unsigned int n = 0;

	raw_spin_lock_irq(&leaf->lock);
	desc = kml_leaf_desc(leaf);
	while (desc && ret == KML_VISIT_NEXT && *off < KML_PAGE_SIZE) {
		struct kml_hot *hot = kml_desc_next(desc, *off);
		unsigned int this;

		if (!hot)
			break;
		this = kml_hot_state(hot) & KML_OFF_MASK;
		*off = this + 1;
		ret = v->visit(v, space, page + this, hot);
		if (ret == KML_VISIT_NEXT && ++n == KML_WALK_BATCH)
			ret = KML_VISIT_BREATHE;
	}
	raw_spin_unlock_irq(&leaf->lock);
	return ret;
}

static bool kml_walk_leaf(struct kml_space *space, struct kml_leaf *leaf,
			  unsigned long page, struct kml_visitor *v)
{
	enum kml_visit ret;
	unsigned int off = 0;

	do {
		ret = kml_walk_some(space, leaf, page, &off, v);
		if (ret == KML_VISIT_UNLOCKED)
			v->unlocked(v, space, page + off - 1);
	} while (ret != KML_VISIT_NEXT);

	if (v->resched)
		return v->resched(v);
	cond_resched();
	return false;
}

static int kml_walk_interval(struct kml_space *space, struct kml_interval *iv,
			     void *data)
{
	unsigned long page = kml_interval_base(iv);
	struct kml_visitor *v = data;
	unsigned int i, j;

	if (v->want && !v->want(iv))
		return 0;
	for (i = 0; i < KML_GROUPS; i++) {
		struct kml_group *group = READ_ONCE(iv->group[i]);

		if (!group) {
			page += 1UL << KML_GROUP_SHIFT;
			continue;
		}
		for (j = 0; j < KML_LEAVES; j++, page += KML_PAGE_SIZE) {
			struct kml_leaf *leaf = &group->leaf[j];

			/* nobody to visit, as most often, without the lock */
			if (rcu_access_pointer(leaf->desc) &&
			    (!v->want_leaf || v->want_leaf(leaf)) &&
			    kml_walk_leaf(space, leaf, page, v))
				return 1;
		}
	}
	return 0;
}

/**
 * kml_walk_share() - visit the objects of an interval nobody else has visited
 * @c: the caller's place in a walk that began with kml_shards_rewind()
 * @v: visitor
 *
 * Context: process, for one or many; kml_scan_mutex is held on their behalf.
 * Return: false if no interval is left.
 */
bool kml_walk_share(struct kml_shard_cursor *c, struct kml_visitor *v)
{
	struct kml_interval *iv;
	enum kml_space_id id;

	iv = kml_shard_take(c, &id);
	if (!iv)
		return false;
	kml_walk_interval(kml_space(id), iv, v);
	return true;
}

/**
 * kml_walk() - visit the objects of a space
 * @space: which
 * @v: visitor
 *
 * Context: process, kml_scan_mutex held.
 */
void kml_walk(struct kml_space *space, struct kml_visitor *v)
{
	kml_interval_walk(space, kml_walk_interval, v);
}
