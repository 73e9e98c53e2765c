// SPDX-License-Identifier: GPL-2.0-only
/*
 * Work lists. A worker fills and empties a block of its own, last in, first
 * out; full blocks go to a shared list from which any worker takes, and halves
 * of blocks when others have nothing to do. Blocks are
 * allocated before the mark: when they run out a push fails, and the object is
 * found again by its KML_F_PENDING (see mark.c).
 */

#include "os.h"
#include "deque.h"
#include "pool.h"

/* Less work is sooner done than handed over. */
#define KML_SHARE_MIN	4

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
	d->stolen = 0;
	d->cur = kml_worklist_get_empty(list);
	return d->cur;
}

static void kml_worklist_put_full(struct kml_worklist *list,
				  struct kml_block *block)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&list->lock, flags);
	block->next = list->full;
	list->full = block;
	WRITE_ONCE(list->nr_full, list->nr_full + 1);
	raw_spin_unlock_irqrestore(&list->lock, flags);
}

/* What is left undone goes to the others. */
void kml_deque_close(struct kml_deque *d)
{
	if (d->cur && d->cur->nr)
		kml_worklist_put_full(d->list, d->cur);
	else if (d->cur)
		kml_worklist_put_empty(d->list, d->cur);
	d->cur = NULL;
}

/*
 * Give others the older half of what is here: in a depth-first order that is
 * where large parts of the graph are still to be seen. Context: process. Return:
 * false if it is not worth it, or for want of a block.
 */
bool kml_deque_share(struct kml_deque *d)
{
	struct kml_block *block, *cur = d->cur;
	unsigned long n = cur->nr / 2;

	/* the rest of a large object is always worth it */
	if (!n || (n < KML_SHARE_MIN && !kml_work_off(&cur->work[0])))
		return false;
	block = kml_worklist_get_empty(d->list);
	if (!block)
		return false;

	memcpy(block->work, cur->work, n * sizeof(*cur->work));
	block->nr = n;
	cur->nr -= n;
	memmove(cur->work, cur->work + n, cur->nr * sizeof(*cur->work));
	kml_worklist_put_full(d->list, block);
	return true;
}

/* Context: any. Return: false if there is no room. */
bool kml_deque_push(struct kml_deque *d, struct kml_work work)
{
	struct kml_worklist *list = d->list;
	struct kml_block *cur = d->cur;

	if (unlikely(cur->nr == KML_BLOCK_WORK)) {
		struct kml_block *empty = kml_worklist_get_empty(list);

		if (!empty)
			return false;
		kml_worklist_put_full(list, cur);
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
		d->stolen++;
	}
	*work = d->cur->work[--d->cur->nr];
	return true;
}
