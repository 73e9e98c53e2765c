// SPDX-License-Identifier: GPL-2.0-only
/*
 * The trimmer: page descriptors, leaf groups and intervals without objects are
 * given back. Who may still look at them, and how it is known where to look:
 * "Trim" and "Vacate" in kmemleak.h.
 */

#include "os.h"
#include "interval.h"
#include "pool.h"
#include "settled.h"
#include "shard.h"

static void kml_group_free_cb(struct rcu_head *rcu)
{
	kml_pool_free(KML_POOL_GROUP, container_of(rcu, struct kml_group, rcu));
}

static void kml_interval_free_cb(struct rcu_head *rcu)
{
	struct kml_interval *iv = container_of(rcu, struct kml_interval, rcu);

	kml_settled_free(iv);
	kml_pool_free(KML_POOL_INTERVAL, iv);
}

/* Does no object start in the page? Final only under leaf->lock. */
static bool kml_leaf_unused(struct kml_leaf *leaf)
{
	struct kml_desc *desc;
	bool unused;

	rcu_read_lock();
	desc = kml_leaf_desc(leaf);
	unused = !desc || !READ_ONCE(desc->nr);
	rcu_read_unlock();
	return unused;
}

static bool kml_leaf_empty(struct kml_leaf *leaf)
{
	return !READ_ONCE(leaf->cont) && kml_leaf_unused(leaf);
}

/* Descriptors to be freed when no lock is held, linked through their heads. */
static void kml_desc_chain(struct kml_desc **chain, struct kml_desc *desc)
{
	desc->rcu.next = (struct rcu_head *)*chain;
	*chain = desc;
}

static void kml_desc_free_chain(struct kml_desc *chain)
{
	while (chain) {
		struct kml_desc *next = (struct kml_desc *)chain->rcu.next;

		kml_desc_free_rcu(chain);
		chain = next;
	}
}

/* Take the descriptor from a leaf without objects. Context: leaf->lock. */
static void kml_leaf_strip(struct kml_leaf *leaf, struct kml_desc *replacement,
			   struct kml_desc **chain)
{
	struct kml_desc *desc = kml_leaf_desc(leaf);

	lockdep_assert_held(&leaf->lock);
	if (desc)
		kml_desc_chain(chain, desc);
	rcu_assign_pointer(leaf->desc, replacement);
}

/*
 * Take out a group all of whose leaves are empty. Writers spin on dead leaves,
 * so IRQs are off until the group is out: an interrupt handler that allocates
 * in this group would wait for us for ever. Return: false if one is in use.
 */
static bool kml_group_remove(struct kml_space *space, struct kml_interval *iv,
			     unsigned int slot, struct kml_group *group,
			     struct kml_desc **chain)
{
	bool empty = true;
	unsigned int i;

	for (i = 0; i < KML_LEAVES && empty; i++)
		empty = kml_leaf_empty(&group->leaf[i]);
	if (!empty)
		return false;

	local_irq_disable();
	for (i = 0; i < KML_LEAVES && empty; i++) {
		struct kml_leaf *leaf = &group->leaf[i];

		raw_spin_lock(&leaf->lock);
		empty = kml_leaf_empty(leaf);
		if (empty)
			kml_leaf_strip(leaf, KML_DESC_DEAD, chain);
		raw_spin_unlock(&leaf->lock);
	}
	if (empty) {
		raw_spin_lock(&space->lock);
		WRITE_ONCE(iv->group[slot], NULL);
		raw_spin_unlock(&space->lock);
	} else {
		/* a writer was faster: bring the dead back to life */
		for (i -= 1; i--; )
			rcu_assign_pointer(group->leaf[i].desc, NULL);
	}
	local_irq_enable();

	if (empty)
		kml_free_rcu(&group->rcu, kml_group_free_cb);
	return empty;
}

/* Free what a group does not need. */
static void kml_group_trim(struct kml_space *space, struct kml_interval *iv,
			   unsigned int slot)
{
	struct kml_group *group = READ_ONCE(iv->group[slot]);
	struct kml_desc *chain = NULL;
	unsigned int i;

	if (!group)
		return;

	if (!kml_group_remove(space, iv, slot, group, &chain)) {
		for (i = 0; i < KML_LEAVES; i++) {
			struct kml_leaf *leaf = &group->leaf[i];

			if (!rcu_access_pointer(leaf->desc) ||
			    !kml_leaf_unused(leaf))
				continue;
			raw_spin_lock_irq(&leaf->lock);
			if (kml_leaf_unused(leaf))
				kml_leaf_strip(leaf, NULL, &chain);
			raw_spin_unlock_irq(&leaf->lock);
		}
	}
	kml_desc_free_chain(chain);
}

/* Note what the next walk has to look at. */
static int kml_interval_trim_note(struct kml_space *space,
				  struct kml_interval *iv, void *data)
{
	bool *any = data;

	if (READ_ONCE(iv->vacated)) {
		WRITE_ONCE(iv->vacated, false);
		iv->trim = true;
		*any = true;
	}
	cond_resched();
	return 0;
}

static int kml_interval_trim_one(struct kml_space *space,
				 struct kml_interval *iv, void *data)
{
	unsigned long base = kml_interval_base(iv);
	bool used = false;
	unsigned int i;

	if (!iv->trim)
		return 0;
	iv->trim = false;
	for (i = 0; i < KML_GROUPS; i++)
		kml_group_trim(space, iv, i);

	raw_spin_lock_irq(&space->lock);
	for (i = 0; i < KML_GROUPS; i++)
		used |= !!iv->group[i];
	used |= iv->cover != 0;
	if (!used) {
		struct kml_l3 *l3 = *kml_l3_slot(space, base);

		WRITE_ONCE(l3->iv[(base >> KML_L3_SHIFT) %
				  (1U << KML_L3_BITS)], NULL);
		kml_shard_del(iv);
	}
	raw_spin_unlock_irq(&space->lock);

	if (!used)
		kml_free_rcu(&iv->rcu, kml_interval_free_cb);
	cond_resched();
	return 0;
}

/**
 * kml_interval_trim() - give back the memory of what has become empty
 * @hurry: somebody waits for it
 *
 * Context: process, kml_scan_mutex held, no scan active.
 */
void kml_interval_trim(bool hurry)
{
	bool any = false;
	unsigned int id;

	for (id = 0; id < KML_NR_SPACES; id++)
		kml_interval_walk(kml_space(id), kml_interval_trim_note, &any);
	if (!any)
		return;
	/* see "Vacate" in kmemleak.h */
	if (hurry)
		synchronize_rcu_expedited();
	else
		synchronize_rcu();
	for (id = 0; id < KML_NR_SPACES; id++)
		kml_interval_walk(kml_space(id), kml_interval_trim_one, NULL);
}
