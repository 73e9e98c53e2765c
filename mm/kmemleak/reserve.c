// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reserve.
 *
 * When memory for metadata runs out, a block is not forgotten: it is noted here
 * with its address and size, scanned as a root, and never reported. Leaks may
 * be missed then, false ones are not reported. Entries are static at first and
 * topped up from process context (kml_reserve_refill()).
 *
 * If even these run out, kml_reserve_ran_dry() tells the scan to take memory in
 * use whole as roots. That stays: nobody knows when the last of the blocks that
 * got away is freed.
 *
 * A hash of raw-locked chains, by start: used when memory is short, so that
 * simplicity and never allocating matter more than speed.
 */

#include "os.h"
#include "pin.h"
#include "pool.h"
#include "reserve.h"
#include "stats.h"

#define KML_RESERVE_STATIC	512
#define KML_RESERVE_LOW		256	/* free entries: refill below */
#define KML_RESERVE_BUCKETS	1024

struct kml_reserved {
	struct kml_reserved *next;
	unsigned long not_start;	/* inverted: static entries are in bss */
	size_t size;
	u8 space;
	u8 flags;
	u8 mark;			/* the mark that has read it */
	u8 round;			/* when it came */
};

static DEFINE_RAW_SPINLOCK(kml_reserve_lock);
static struct kml_reserved *kml_reserve_hash[KML_RESERVE_BUCKETS];
static struct kml_reserved kml_reserve_static[KML_RESERVE_STATIC];
static unsigned int kml_reserve_static_used;
static struct kml_reserved *kml_reserve_free;
static unsigned int kml_reserve_nr_free = KML_RESERVE_STATIC;
static bool kml_reserve_dry;
static u8 kml_reserve_mark;
static u8 kml_reserve_round;
static unsigned int kml_reserve_at;	/* bucket; kml_scan_mutex */
unsigned long kml_reserve_nr;

static struct kml_reserved **kml_reserve_bucket(unsigned long start)
{
	return &kml_reserve_hash[(start >> 4 ^ start >> 14) % KML_RESERVE_BUCKETS];
}

static bool __kml_reserve_add(struct kml_space *space, unsigned long start,
			      size_t size, unsigned int flags)
{
	struct kml_reserved **head = kml_reserve_bucket(start);
	struct kml_reserved *r = kml_reserve_free;

	lockdep_assert_held(&kml_reserve_lock);

	if (r)
		kml_reserve_free = r->next;
	else if (kml_reserve_static_used < KML_RESERVE_STATIC)
		r = &kml_reserve_static[kml_reserve_static_used++];
	else
		return false;

	WRITE_ONCE(kml_reserve_nr_free, kml_reserve_nr_free - 1);
	r->not_start = ~start;
	r->mark = kml_reserve_mark - 1;
	r->round = kml_reserve_round;
	r->size = size;
	r->space = space->id;
	r->flags = flags;
	r->next = *head;
	*head = r;
	WRITE_ONCE(kml_reserve_nr, kml_reserve_nr + 1);
	return true;
}

/**
 * kml_reserve_add() - note a block that cannot be tracked
 * @space: where
 * @start: untagged
 * @size: in bytes
 * @flags: KML_RESERVE_*
 *
 * Context: any.
 * Return: false if the reserve has run dry.
 */
bool kml_reserve_add(struct kml_space *space, unsigned long start, size_t size,
		     unsigned int flags)
{
	unsigned long irqflags;
	bool added;

	raw_spin_lock_irqsave(&kml_reserve_lock, irqflags);
	added = __kml_reserve_add(space, start, size, flags);
	raw_spin_unlock_irqrestore(&kml_reserve_lock, irqflags);

	if (added) {
		kml_count_inc(KML_C_RESERVED);
		pr_warn_once("No memory for metadata: blocks are scanned, but not checked for leaks until they are freed\n");
	} else {
		WRITE_ONCE(kml_reserve_dry, true);
		kml_count_inc(KML_C_LOST);
		pr_warn_once("No memory for metadata, and the reserve has run dry: all memory in use is taken as referenced from now on\n");
	}
	return added;
}

static struct kml_reserved **kml_reserve_find(struct kml_space *space,
					      unsigned long start)
{
	struct kml_reserved **p = kml_reserve_bucket(start);

	lockdep_assert_held(&kml_reserve_lock);

	for (; *p; p = &(*p)->next)
		if ((*p)->not_start == ~start && (*p)->space == space->id)
			return p;
	return NULL;
}

/* In one bucket, a block that holds @addr. */
static struct kml_reserved **kml_reserve_find_alias(unsigned int bucket,
						    struct kml_space *space,
						    unsigned long addr)
{
	struct kml_reserved **p = &kml_reserve_hash[bucket];

	lockdep_assert_held(&kml_reserve_lock);

	for (; *p; p = &(*p)->next)
		if (addr - ~(*p)->not_start < (*p)->size &&
		    (*p)->space == space->id)
			return p;
	return NULL;
}

static struct kml_reserved kml_reserve_unlink(struct kml_reserved **p)
{
	struct kml_reserved *r = *p;
	struct kml_reserved copy = *r;

	*p = r->next;
	r->next = kml_reserve_free;
	kml_reserve_free = r;
	WRITE_ONCE(kml_reserve_nr_free, kml_reserve_nr_free + 1);
	WRITE_ONCE(kml_reserve_nr, kml_reserve_nr - 1);
	return copy;
}

/* The block was freed. Context: any. Return: whether it was here. */
bool __kml_reserve_remove(struct kml_space *space, unsigned long start)
{
	struct kml_reserved **p;
	unsigned long flags;

	raw_spin_lock_irqsave(&kml_reserve_lock, flags);
	p = kml_reserve_find(space, start);
	if (p)
		kml_reserve_unlink(p);
	raw_spin_unlock_irqrestore(&kml_reserve_lock, flags);

	if (!p)
		return false;
	/* order the removal before looking at the pins */
	smp_mb();
	kml_pin_wait(start);
	return true;
}

/*
 * A part was freed: what remains is noted again. Context: any. Return: how much
 * of @size was here.
 */
size_t kml_reserve_remove_part(struct kml_space *space, unsigned long addr,
			       size_t size)
{
	struct kml_reserved **p = NULL;
	struct kml_reserved old = {};
	unsigned long flags, start;
	unsigned int i;
	size_t before;

	if (likely(!READ_ONCE(kml_reserve_nr)))
		return 0;
	/* one bucket at a time: it may take long with IRQs off */
	for (i = 0; i < KML_RESERVE_BUCKETS && !p; i++) {
		raw_spin_lock_irqsave(&kml_reserve_lock, flags);
		p = kml_reserve_find_alias(i, space, addr);
		if (p)
			old = kml_reserve_unlink(p);
		raw_spin_unlock_irqrestore(&kml_reserve_lock, flags);
	}
	if (!p)
		return 0;
	start = ~old.not_start;
	/* order the removal before looking at the pins */
	smp_mb();
	kml_pin_wait(start);

	before = addr - start;
	if (before)
		kml_reserve_add(space, start, before, old.flags & KML_RESERVE_BLACK);
	if (old.size - before <= size)
		return old.size - before;
	kml_reserve_add(space, addr + size, old.size - before - size,
			old.flags & KML_RESERVE_BLACK);
	return size;
}

/* Size of the reserved block that starts at @start, or 0. Context: any. */
size_t kml_reserve_size(struct kml_space *space, unsigned long start)
{
	struct kml_reserved **p;
	unsigned long flags;
	size_t size;

	raw_spin_lock_irqsave(&kml_reserve_lock, flags);
	p = kml_reserve_find(space, start);
	size = p ? (*p)->size : 0;
	raw_spin_unlock_irqrestore(&kml_reserve_lock, flags);
	return size;
}

/* Is @addr in a reserved block? Context: any. */
bool kml_reserve_holds(struct kml_space *space, unsigned long addr)
{
	unsigned long flags;
	bool holds = false;
	unsigned int i;

	if (likely(!READ_ONCE(kml_reserve_nr)))
		return false;
	for (i = 0; i < KML_RESERVE_BUCKETS && !holds; i++) {
		raw_spin_lock_irqsave(&kml_reserve_lock, flags);
		holds = kml_reserve_find_alias(i, space, addr);
		raw_spin_unlock_irqrestore(&kml_reserve_lock, flags);
	}
	return holds;
}

/* Reserved blocks have no colour but "not scanned". Return: was it here? */
bool kml_reserve_paint(struct kml_space *space, unsigned long start,
		       enum kml_reserve_paint how)
{
	struct kml_reserved **p;
	unsigned long flags;

	if (likely(!READ_ONCE(kml_reserve_nr)))
		return false;
	raw_spin_lock_irqsave(&kml_reserve_lock, flags);
	p = kml_reserve_find(space, start);
	if (p && how == KML_RESERVE_MAKE_GREY)
		(*p)->flags &= ~KML_RESERVE_BLACK;
	else if (p && how == KML_RESERVE_MAKE_BLACK)
		(*p)->flags |= KML_RESERVE_BLACK;
	else if (p && how == KML_RESERVE_MAKE_NO_SCAN)
		(*p)->flags |= KML_RESERVE_NO_SCAN;
	raw_spin_unlock_irqrestore(&kml_reserve_lock, flags);
	return p;
}

/*
 * Read those which are there now and which this mark has not read; those which
 * come later wait for the next round, so that each round ends. Blocks from 256
 * rounds ago look as if they came now: they are read by the next.
 *
 * Context: kml_scan_mutex.
 */
void kml_reserve_next_round(void)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&kml_reserve_lock, flags);
	kml_reserve_round++;
	raw_spin_unlock_irqrestore(&kml_reserve_lock, flags);
	kml_reserve_at = 0;
}

/* A new mark begins: it has read no block yet. Context: kml_scan_mutex. */
void kml_reserve_new_mark(void)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&kml_reserve_lock, flags);
	kml_reserve_mark++;
	raw_spin_unlock_irqrestore(&kml_reserve_lock, flags);
	kml_reserve_next_round();
}

/**
 * kml_reserve_next() - get a block which this round has not been given yet
 * @block: filled
 *
 * Context: process, kml_scan_mutex held.
 * Return: false if there is none.
 */
bool kml_reserve_next(struct kml_reserve_block *block)
{
	struct kml_reserved *r = NULL;

	if (!READ_ONCE(kml_reserve_nr))
		return false;

	for (; kml_reserve_at < KML_RESERVE_BUCKETS; kml_reserve_at++) {
		raw_spin_lock_irq(&kml_reserve_lock);
		for (r = kml_reserve_hash[kml_reserve_at]; r; r = r->next)
			if (r->mark != kml_reserve_mark &&
			    r->round != kml_reserve_round &&
			    !(r->flags & (KML_RESERVE_NO_SCAN | KML_RESERVE_BLACK)))
				break;
		if (r) {
			r->mark = kml_reserve_mark;
			block->space = kml_space(r->space);
			block->start = ~r->not_start;
			block->size = r->size;
		}
		raw_spin_unlock_irq(&kml_reserve_lock);
		if (r)
			return true;
	}
	return false;
}

/**
 * kml_reserve_refill() - top up the entries
 *
 * Context: process; allocates.
 */
void kml_reserve_refill(void)
{
	while (READ_ONCE(kml_reserve_nr_free) < KML_RESERVE_LOW) {
		struct kml_reserved *r = kml_pool_alloc(KML_POOL_RESERVE,
							GFP_KERNEL);
		unsigned int n = KML_PAGE_SIZE / sizeof(*r), i;

		if (!r)
			return;
		for (i = 0; i < n - 1; i++)
			r[i].next = &r[i + 1];

		raw_spin_lock_irq(&kml_reserve_lock);
		r[n - 1].next = kml_reserve_free;
		kml_reserve_free = r;
		WRITE_ONCE(kml_reserve_nr_free, kml_reserve_nr_free + n);
		raw_spin_unlock_irq(&kml_reserve_lock);
	}
}

/* kmemleak is off: forget all blocks. Context: process. */
void kml_reserve_drop_all(void)
{
	unsigned int i;

	for (i = 0; i < KML_RESERVE_BUCKETS; i++) {
		raw_spin_lock_irq(&kml_reserve_lock);
		while (kml_reserve_hash[i])
			kml_reserve_unlink(&kml_reserve_hash[i]);
		raw_spin_unlock_irq(&kml_reserve_lock);
	}
}

bool kml_reserve_ran_dry(void)
{
	return READ_ONCE(kml_reserve_dry);
}
