// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects that do not end where they start: pages and intervals they reach
 * into point back to their start.
 */

#include "os.h"
#include "span.h"

static void kml_cover_set(struct kml_interval *iv, unsigned long cover)
{
	WRITE_ONCE(iv->cover, cover);
}

/* Does anything start in or reach into an interval? Context: RCU. */
static bool kml_interval_taken(struct kml_span *s, struct kml_interval *iv)
{
	unsigned int i, j;

	if (kml_cont_get(READ_ONCE(iv->cover), &s->hit))
		return true;

	for (i = 0; i < KML_GROUPS; i++) {
		struct kml_group *group = READ_ONCE(iv->group[i]);

		for (j = 0; group && j < KML_LEAVES; j++) {
			struct kml_leaf *leaf = &group->leaf[j];
			struct kml_desc *desc = kml_leaf_desc(leaf);
			struct kml_hot *hot = NULL;

			if (kml_cont_get(READ_ONCE(leaf->cont), &s->hit))
				return true;
			if (desc)
				hot = kml_desc_find(desc, KML_PAGE_SIZE - 1);
			if (hot) {
				s->hit = kml_interval_base(iv) +
					 i * BIT(KML_GROUP_SHIFT) +
					 j * KML_PAGE_SIZE +
					 (kml_hot_state(hot) & KML_OFF_MASK);
				return true;
			}
		}
	}
	return false;
}

/* Say in the interval at @addr that the object fills it. */
static int kml_fill_interval(struct kml_span *s, unsigned long addr)
{
	struct kml_space *space = s->space;
	struct kml_interval *iv;
	unsigned long flags;
	int ret;

	for (;;) {
		ret = kml_interval_ensure(space, addr, s->gfp);
		if (ret)
			return ret;

		rcu_read_lock();
		iv = kml_interval_find(space, addr);
		ret = iv && kml_interval_taken(s, iv) ? -EEXIST : 0;
		rcu_read_unlock();
		if (ret)
			return ret;

		raw_spin_lock_irqsave(&space->lock, flags);
		iv = kml_interval_find(space, addr);
		if (iv)
			kml_cover_set(iv, ~s->start);
		raw_spin_unlock_irqrestore(&space->lock, flags);
		if (iv)
			return 0;
	}
}

/* Say in the page at @addr that the object reaches into it. */
static int kml_fill_page(struct kml_span *s, unsigned long addr)
{
	unsigned long end = min(s->last - addr, KML_PAGE_SIZE - 1);
	struct kml_interval *iv;
	struct kml_desc *desc;
	struct kml_leaf *leaf;
	struct kml_hot *hot;
	unsigned long flags;
	int ret;

	do {
		rcu_read_lock();
		iv = kml_interval_find(s->space, addr);
		leaf = iv ? kml_leaf_find(iv, addr) : NULL;
		ret = leaf ? -EAGAIN : -ENOENT;
		if (leaf) {
			raw_spin_lock_irqsave(&leaf->lock, flags);
			desc = kml_leaf_desc(leaf);
			hot = desc ? kml_desc_find(desc, end) : NULL;
			if (kml_leaf_dead(leaf)) {
				cpu_relax();
			} else if (hot) {
				s->hit = addr + (kml_hot_state(hot) & KML_OFF_MASK);
				ret = -EEXIST;
			} else if (kml_cont_get(leaf->cont ?: READ_ONCE(iv->cover),
						&s->hit)) {
				ret = -EEXIST;
			} else {
				WRITE_ONCE(leaf->cont, ~s->start);
				ret = 0;
			}
			raw_spin_unlock_irqrestore(&leaf->lock, flags);
		}
		rcu_read_unlock();

		if (ret == -ENOENT) {
			ret = kml_leaf_ensure(s->space, addr, s->gfp);
			if (!ret)
				ret = -EAGAIN;
		}
	} while (ret == -EAGAIN);
	return ret;
}

/* Does an object up to @last fill the interval that starts at @addr? */
static bool kml_fills_interval(unsigned long addr, unsigned long last)
{
	return !(addr & ~KML_INTERVAL_MASK) && last - addr >= KML_INTERVAL_SIZE - 1;
}

static unsigned long kml_fill_step(unsigned long addr, unsigned long last)
{
	return kml_fills_interval(addr, last) ? KML_INTERVAL_SIZE : KML_PAGE_SIZE;
}

/**
 * kml_span_clear() - no object reaches from its first page on any more
 * @space: where
 * @start: of the object
 * @last: its last address
 *
 * Marks of other objects stay, so this undoes half a kml_span_fill(), too.
 *
 * Context: any.
 */
void kml_span_clear(struct kml_space *space, unsigned long start,
		    unsigned long last)
{
	unsigned long addr = start & KML_PAGE_MASK, step = KML_PAGE_SIZE, flags;

	while (last - addr >= step) {
		struct kml_interval *iv;
		struct kml_leaf *leaf;

		addr += step;
		step = kml_fill_step(addr, last);

		rcu_read_lock();
		iv = kml_interval_find(space, addr);
		if (iv && step == KML_INTERVAL_SIZE) {
			raw_spin_lock_irqsave(&space->lock, flags);
			if (iv->cover == ~start) {
				kml_cover_set(iv, 0);
				kml_interval_vacate(iv);
			}
			raw_spin_unlock_irqrestore(&space->lock, flags);
		} else if (iv) {
			leaf = kml_leaf_find(iv, addr);
			if (leaf) {
				raw_spin_lock_irqsave(&leaf->lock, flags);
				if (leaf->cont == ~start) {
					WRITE_ONCE(leaf->cont, 0);
					kml_interval_vacate(iv);
				}
				raw_spin_unlock_irqrestore(&leaf->lock, flags);
			}
		}
		rcu_read_unlock();
	}
}

/**
 * kml_span_fill() - mark what an object reaches into behind its first page
 * @s: the object; @s->hit is set on -EEXIST
 *
 * Context: as @s->gfp allows.
 * Return: 0, -ENOMEM, or -EEXIST: another object
 * is in the way. The caller then undoes what was done with kml_span_clear().
 */
int kml_span_fill(struct kml_span *s)
{
	unsigned long addr = s->start & KML_PAGE_MASK, step = KML_PAGE_SIZE;
	int ret = 0;

	while (!ret && s->last - addr >= step) {
		addr += step;
		step = kml_fill_step(addr, s->last);
		ret = step == KML_PAGE_SIZE ? kml_fill_page(s, addr) :
					      kml_fill_interval(s, addr);
	}
	return ret;
}
