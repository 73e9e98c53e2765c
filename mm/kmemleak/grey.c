// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lists of the grey objects whose content has to be read.
 *
 * A worker pushes and pops objects, last in, first out, in blocks of its own. When
 * other workers are idle, it moves its oldest block, or half of its only one, to
 * the shared list, from which any worker takes blocks. Empty blocks are fetched
 * KML_SPARES at once, so that workers seldom contend for the lock of the shared
 * list (benchmarks/model.py).
 *
 * Blocks are allocated before the mark. If no empty block is left, a push fails,
 * and the object is found again by its KML_F_PENDING (mark.c).
 */

#include "os.h"
#include "mark.h"

/* With less work in the only block, sharing costs more than it gains. */
#define KML_SHARE_MIN	4

/* Make an empty list without blocks. Context: boot. */
void kml_worklist_init(struct kml_worklist *list)
{
	memset(list, 0, sizeof(*list));
	raw_spin_lock_init(&list->lock);
}

/*
 * Take up to @nr empty blocks; @nr is set to their number. Return: the first of
 * them, or NULL.
 */
static struct kml_block *kml_worklist_get_empty(struct kml_worklist *list,
						unsigned int *nr)
{
	struct kml_block *first, **end;
	unsigned long flags;
	unsigned int n = 0;

	/* irqsave: also called in early boot, when IRQs have to stay off */
	raw_spin_lock_irqsave(&list->lock, flags);
	first = list->empty;
	for (end = &first; n < *nr && *end; n++)
		end = &(*end)->next;
	list->empty = *end;
	*end = NULL;
	raw_spin_unlock_irqrestore(&list->lock, flags);
	*nr = n;
	return first;
}

/* Return the empty blocks from @first to @last to the shared list. */
static void kml_worklist_put_empty(struct kml_worklist *list,
				   struct kml_block *first,
				   struct kml_block *last)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&list->lock, flags);
	last->next = list->empty;
	list->empty = first;
	raw_spin_unlock_irqrestore(&list->lock, flags);
}

/**
 * kml_worklist_grow() - allocate blocks until a list has enough of them
 * @list: shared list
 * @blocks: number of blocks wanted
 *
 * Context: process, kml_scan_mutex held, or boot; may sleep.
 * Return: true if the list has a block, even if fewer than wanted.
 */
bool kml_worklist_grow(struct kml_worklist *list, unsigned long blocks)
{
	struct kml_block *block, *first = NULL, *last = NULL;

	for (; list->nr_blocks < blocks; list->nr_blocks++) {
		block = kml_pool_alloc(KML_POOL_WORK, GFP_KERNEL);
		if (!block)
			break;
		block->next = first;
		first = block;
		last = last ?: block;
		cond_resched();
	}
	if (first)
		kml_worklist_put_empty(list, first, last);
	return list->nr_blocks;
}

/* Blocks that are freed at once, to take the lock less often. */
#define KML_FREE_BULK	16U

/* Free up to @nr empty blocks. Return: false if there was none. */
static bool kml_worklist_free(struct kml_worklist *list, unsigned int nr)
{
	struct kml_block *block = kml_worklist_get_empty(list, &nr);
	void *p[KML_FREE_BULK];
	unsigned int i;

	for (i = 0; i < nr; i++, block = block->next)
		p[i] = block;
	kml_pool_free_bulk(KML_POOL_WORK, nr, p);
	list->nr_blocks -= nr;
	return nr;
}

/**
 * kml_worklist_shrink() - free all blocks of a list but a few
 * @list: shared list; work that a stopped scan has left on it is dropped
 * @keep: number of blocks to keep
 *
 * Context: process, kml_scan_mutex held, all grey lists are closed; may sleep.
 */
void kml_worklist_shrink(struct kml_worklist *list, unsigned long keep)
{
	struct kml_block *block;

	/* drop the work that a stopped scan has left */
	while (list->full) {
		block = list->full;
		list->full = block->next;
		block->nr = 0;
		kml_worklist_put_empty(list, block, block);
	}
	list->nr_full = 0;

	while (list->nr_blocks > keep &&
	       kml_worklist_free(list, min(list->nr_blocks - keep, KML_FREE_BULK)))
		cond_resched();
}

/* Put the @nr full blocks from @first to @last on the shared list. */
static void kml_worklist_put_full(struct kml_worklist *list,
				  struct kml_block *first,
				  struct kml_block *last, unsigned long nr)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&list->lock, flags);
	last->next = list->full;
	list->full = first;
	WRITE_ONCE(list->nr_full, list->nr_full + nr);
	raw_spin_unlock_irqrestore(&list->lock, flags);
}

/* Get a spare block, else one of the shared list. Return: NULL if there is none. */
static struct kml_block *kml_greylist_get_empty(struct kml_greylist *d)
{
	struct kml_block *block;

	if (!d->spares) {
		d->nr_spares = KML_SPARES;
		d->spares = kml_worklist_get_empty(d->list, &d->nr_spares);
	}
	block = d->spares;
	if (block) {
		d->spares = block->next;
		d->nr_spares--;
	}
	return block;
}

/* Return the first @nr spare blocks to the shared list. */
static void kml_greylist_put_spares(struct kml_greylist *d, unsigned int nr)
{
	struct kml_block *first = d->spares, *last = first;

	if (!nr)
		return;
	d->nr_spares -= nr;
	while (--nr)
		last = last->next;
	d->spares = last->next;
	kml_worklist_put_empty(d->list, first, last);
}

static void kml_greylist_put_empty(struct kml_greylist *d, struct kml_block *block)
{
	block->nr = 0;
	block->next = d->spares;
	d->spares = block;
	if (++d->nr_spares == 2 * KML_SPARES)
		kml_greylist_put_spares(d, KML_SPARES);
}

static void kml_greylist_keep_full(struct kml_greylist *d, struct kml_block *block)
{
	block->newer = NULL;
	block->next = d->newest;
	if (d->newest)
		d->newest->newer = block;
	else
		d->oldest = block;
	d->newest = block;
}

/* Take the newest full block, which has to exist. */
static struct kml_block *kml_greylist_newest(struct kml_greylist *d)
{
	struct kml_block *block = d->newest;

	d->newest = block->next;
	if (d->newest)
		d->newest->newer = NULL;
	else
		d->oldest = NULL;
	return block;
}

/* Move the oldest full block, which has to exist, to the shared list. */
static void kml_greylist_give(struct kml_greylist *d)
{
	struct kml_block *block = d->oldest;

	d->oldest = block->newer;
	if (d->oldest)
		d->oldest->next = NULL;
	else
		d->newest = NULL;
	kml_worklist_put_full(d->list, block, block, 1);
}

/**
 * kml_greylist_open() - prepare the grey list of a worker for a job
 * @d: grey list
 * @list: shared list
 *
 * Context: process, in the worker.
 * Return: false if there is no empty block: the worker cannot take part.
 */
bool kml_greylist_open(struct kml_greylist *d, struct kml_worklist *list)
{
	unsigned int one = 1;

	*d = (struct kml_greylist){ .list = list };
	d->cur = kml_worklist_get_empty(list, &one);
	return d->cur;
}

/**
 * kml_greylist_close() - move all work and all blocks to the shared list
 * @d: grey list of the calling worker
 *
 * Context: process, in the worker.
 */
void kml_greylist_close(struct kml_greylist *d)
{
	struct kml_block *block;
	unsigned long nr = 0;

	for (block = d->newest; block; block = block->next)
		nr++;
	if (nr)
		kml_worklist_put_full(d->list, d->newest, d->oldest, nr);
	d->newest = NULL;
	d->oldest = NULL;
	if (d->cur && d->cur->nr)
		kml_worklist_put_full(d->list, d->cur, d->cur, 1);
	else if (d->cur)
		kml_greylist_put_empty(d, d->cur);
	d->cur = NULL;
	kml_greylist_put_spares(d, d->nr_spares);
}

/**
 * kml_greylist_share() - move old work to the shared list
 * @d: grey list of the calling worker
 *
 * The oldest work is shared: in depth-first order, the largest unread parts of the
 * graph are reached from it.
 *
 * Context: process, in the worker.
 * Return: false if there is too little work to share, or no empty block.
 */
bool kml_greylist_share(struct kml_greylist *d)
{
	struct kml_block *block, *cur = d->cur;
	unsigned long n = cur->nr / 2;

	if (d->oldest) {
		kml_greylist_give(d);
		return true;
	}
	/* the rest of a large object is always worth sharing */
	if (!n || (n < KML_SHARE_MIN && !kml_work_off(&cur->work[0])))
		return false;
	block = kml_greylist_get_empty(d);
	if (!block)
		return false;

	memcpy(block->work, cur->work, n * sizeof(*cur->work));
	block->nr = n;
	cur->nr -= n;
	memmove(cur->work, cur->work + n, cur->nr * sizeof(*cur->work));
	kml_worklist_put_full(d->list, block, block, 1);
	return true;
}

/**
 * kml_greylist_push() - add an object to a grey list
 * @d: grey list of the calling worker
 * @work: the object, or a part of it
 *
 * Context: any but NMI, in the worker.
 * Return: false if the list is full and there is no empty block.
 */
bool kml_greylist_push(struct kml_greylist *d, struct kml_work work)
{
	struct kml_block *cur = d->cur;

	if (unlikely(cur->nr == KML_BLOCK_WORK)) {
		cur = kml_greylist_get_empty(d);
		if (!cur)
			return false;
		kml_greylist_keep_full(d, d->cur);
		cur->nr = 0;
		d->cur = cur;
	}
	cur->work[cur->nr++] = work;
	return true;
}

/* Take a full block from the shared list. Return: NULL if there is none. */
static struct kml_block *kml_greylist_steal(struct kml_greylist *d)
{
	struct kml_worklist *list = d->list;
	struct kml_block *block;

	if (!kml_worklist_has_work(list))
		return NULL;
	raw_spin_lock_irq(&list->lock);
	block = list->full;
	if (block) {
		list->full = block->next;
		WRITE_ONCE(list->nr_full, list->nr_full - 1);
		d->stolen++;
	}
	raw_spin_unlock_irq(&list->lock);
	return block;
}

/**
 * kml_greylist_pop() - get work, from the grey list or else from the shared list
 * @d: grey list of the calling worker
 * @work: filled on success
 *
 * Context: process, IRQs on, in the worker.
 * Return: false if both lists are empty.
 */
bool kml_greylist_pop(struct kml_greylist *d, struct kml_work *work)
{
	if (unlikely(!d->cur->nr)) {
		struct kml_block *block;

		block = d->newest ? kml_greylist_newest(d) : kml_greylist_steal(d);
		if (!block)
			return false;
		kml_greylist_put_empty(d, d->cur);
		d->cur = block;
	}
	*work = d->cur->work[--d->cur->nr];
	return true;
}
