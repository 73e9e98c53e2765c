// SPDX-License-Identifier: GPL-2.0-only
/*
 * Work lists. A worker fills and empties a block of its own, last in, first
 * out; full blocks go to a shared list from which any worker takes. Blocks are
 * allocated before the mark: when they run out a push fails, and the object is
 * found again by its KML_F_PENDING (see mark.c).
 */

#include "os.h"
#include "deque.h"
#include "pool.h"

void kml_worklist_init(struct kml_worklist *list)
{
	memset(list, 0, sizeof(*list));
	raw_spin_lock_init(&list->lock);
}

static void kml_worklist_put_empty(struct kml_worklist *list,
				   struct kml_block *block)
{
	unsigned long flags;

	block->nr = 0;
	/* also called in early boot, where IRQs have to stay off */
	raw_spin_lock_irqsave(&list->lock, flags);
	block->next = list->empty;
	list->empty = block;
	raw_spin_unlock_irqrestore(&list->lock, flags);
}

static struct kml_block *kml_worklist_get_empty(struct kml_worklist *list)
{
	struct kml_block *block;
	unsigned long flags;

	raw_spin_lock_irqsave(&list->lock, flags);
	block = list->empty;
	if (block)
		list->empty = block->next;
	raw_spin_unlock_irqrestore(&list->lock, flags);
	return block;
}

/* Have @blocks if possible. Context: process. Return: is there one at least? */
bool kml_worklist_grow(struct kml_worklist *list, unsigned long blocks)
{
	for (; list->nr_blocks < blocks; list->nr_blocks++) {
		struct kml_block *block = kml_pool_alloc(KML_POOL_WORK, GFP_KERNEL);

		if (!block)
			break;
		kml_worklist_put_empty(list, block);
		cond_resched();
	}
	return list->nr_blocks;
}

/* Free all but @keep blocks. Context: process; all deques are closed. */
void kml_worklist_shrink(struct kml_worklist *list, unsigned long keep)
{
	struct kml_block *block;

	/* work that a stopped scan has left behind */
	while (list->full) {
		block = list->full;
		list->full = block->next;
		kml_worklist_put_empty(list, block);
	}
	list->nr_full = 0;

	for (; list->nr_blocks > keep; list->nr_blocks--)
		kml_pool_free(KML_POOL_WORK, kml_worklist_get_empty(list));
}

bool kml_deque_open(struct kml_deque *d, struct kml_worklist *list)
{
	d->list = list;
	d->cur = kml_worklist_get_empty(list);
	return d->cur;
}

/* What is left undone is dropped. */
void kml_deque_close(struct kml_deque *d)
{
	if (d->cur)
		kml_worklist_put_empty(d->list, d->cur);
	d->cur = NULL;
}

/* Context: any. Return: false if there is no room. */
bool kml_deque_push(struct kml_deque *d, struct kml_work work)
{
	struct kml_worklist *list = d->list;
	struct kml_block *cur = d->cur;
	unsigned long flags;

	if (unlikely(cur->nr == KML_BLOCK_WORK)) {
		struct kml_block *empty = kml_worklist_get_empty(list);

		if (!empty)
			return false;
		raw_spin_lock_irqsave(&list->lock, flags);
		cur->next = list->full;
		list->full = cur;
		WRITE_ONCE(list->nr_full, list->nr_full + 1);
		raw_spin_unlock_irqrestore(&list->lock, flags);
		empty->nr = 0;
		d->cur = empty;
		cur = empty;
	}
	cur->work[cur->nr++] = work;
	return true;
}

/* Context: process. Return: false if there is nothing here nor to share. */
bool kml_deque_pop(struct kml_deque *d, struct kml_work *work)
{
	struct kml_worklist *list = d->list;

	if (unlikely(!d->cur->nr)) {
		struct kml_block *block = NULL;

		if (!kml_worklist_has_work(list))
			return false;
		raw_spin_lock_irq(&list->lock);
		block = list->full;
		if (block) {
			list->full = block->next;
			WRITE_ONCE(list->nr_full, list->nr_full - 1);
			d->cur->next = list->empty;
			list->empty = d->cur;
			d->cur = block;
		}
		raw_spin_unlock_irq(&list->lock);
		if (!block)
			return false;
	}
	*work = d->cur->work[--d->cur->nr];
	return true;
}
