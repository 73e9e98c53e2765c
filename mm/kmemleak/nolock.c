// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocks of kmalloc_nolock() are no objects: they come and go in any context, NMI
 * included, where no lock may be taken. But what they reference is in use. So
 * their addresses are kept in a hash table, which the trial of suspects reads.
 *
 * The table has a fixed size and no locks. A block may be in any slot of a short
 * window behind the hash of its address (open addressing; Knuth, The Art of
 * Computer Programming 3, 6.4), so that a slot that becomes empty needs no mark.
 *
 *	alloc: claims an empty slot by cmpxchg(), then stores the size (release);
 *	free: clears the size, then the slot (release). The block is freed after.
 *	a reader of the table loads the size (acquire) and the slot, and copies the
 *	block without faulting. Later it copies a word of interest again, smp_rmb(),
 *	and loads size and slot again. The word counts if it is the same, and lies
 *	in a block that is still there.
 *
 * A block for which there is no room in its window is counted as missed: what it
 * alone references may be reported, as in a kernel without this file.
 */

#include "os.h"
#include "kmemleak.h"
#include "nolock.h"
#include "state.h"
#include "track.h"

#include <linux/kmemleak_nolock.h>

#define KML_NOLOCK_WINDOW	16U	/* slots looked at */

/* Inverted addresses: the table must not be a reference. 0: the slot is empty. */
struct kml_nolock_slot {
	unsigned long not_start;
	unsigned long size;
};

static struct kml_nolock_slot *kml_nolock_slots __read_mostly;
static unsigned int kml_nolock_bits __read_mostly;
static atomic_long_t kml_nolock_lost;

static unsigned long kml_nolock_slot(unsigned long start, unsigned int i)
{
	unsigned long mask = (1UL << kml_nolock_bits) - 1;

	return (hash_long(start, kml_nolock_bits) + i) & mask;
}

/**
 * kmemleak_alloc_nolock() - a block was allocated that the other hooks cannot track
 * @ptr: its start
 * @size: in bytes
 *
 * The block is never reported. What it references is not reported either.
 *
 * Context: any, NMI included.
 */
void kmemleak_alloc_nolock(const void *ptr, size_t size)
{
	/* pairs with the release in kml_nolock_init() */
	struct kml_nolock_slot *slots = smp_load_acquire(&kml_nolock_slots);
	unsigned long start = kml_untag((unsigned long)ptr);
	unsigned int i;

	if (!ptr || !kml_enabled())
		return;
	for (i = 0; slots && i < KML_NOLOCK_WINDOW; i++) {
		struct kml_nolock_slot *slot = &slots[kml_nolock_slot(start, i)];

		if (READ_ONCE(slot->not_start) ||
		    cmpxchg(&slot->not_start, 0, ~start))
			continue;
		/* pairs with the acquire in kml_nolock_next() */
		smp_store_release(&slot->size, size);
		return;
	}
	atomic_long_inc(&kml_nolock_lost);
}

/**
 * kml_nolock_forget() - a block that is no object is about to be freed
 * @start: its untagged start
 *
 * Context: any, NMI included.
 */
void kml_nolock_forget(unsigned long start)
{
	/* pairs with the release in kml_nolock_init() */
	struct kml_nolock_slot *slots = smp_load_acquire(&kml_nolock_slots);
	unsigned int i;

	for (i = 0; slots && i < KML_NOLOCK_WINDOW; i++) {
		struct kml_nolock_slot *slot = &slots[kml_nolock_slot(start, i)];

		if (READ_ONCE(slot->not_start) != ~start)
			continue;
		WRITE_ONCE(slot->size, 0);
		/* the size first: the next hook that claims the slot stores its own */
		smp_store_release(&slot->not_start, 0);
		return;
	}
}

/**
 * kmemleak_free_nolock() - a block of kmalloc_nolock() is about to be freed
 * @ptr: its start
 *
 * kmemleak_free() does it as well.
 *
 * Context: any, NMI included.
 */
void kmemleak_free_nolock(const void *ptr)
{
	if (ptr && kml_free_enabled())
		kml_nolock_forget(kml_untag((unsigned long)ptr));
}

/**
 * kml_nolock_next() - the next block of the table
 * @at: where to look from; set to the block's place. 0 before the first call, and
 *	one more than it was set to before the next
 * @block: filled
 *
 * Context: any.
 * Return: false if there are no more.
 */
bool kml_nolock_next(unsigned long *at, struct kml_nolock_block *block)
{
	if (!kml_nolock_slots)
		return false;
	for (; *at < 1UL << kml_nolock_bits; ++*at) {
		struct kml_nolock_slot *slot = &kml_nolock_slots[*at];

		/* pairs with the release in kmemleak_alloc_nolock() */
		block->size = smp_load_acquire(&slot->size);
		if (!block->size)
			continue;
		block->start = ~READ_ONCE(slot->not_start);
		if (block->start != ~0UL)
			return true;
	}
	return false;
}

/**
 * kml_nolock_size() - is a block still in its place?
 * @at: the place, from kml_nolock_next()
 * @start: the block's start
 *
 * If it is, what was read of the block before was read while it was there.
 *
 * Context: any.
 * Return: its size in bytes, or 0 if it is gone.
 */
size_t kml_nolock_size(unsigned long at, unsigned long start)
{
	struct kml_nolock_slot *slot = &kml_nolock_slots[at];
	size_t size;

	/* the block's content before the slot */
	smp_rmb();
	/* pairs with the release in kmemleak_alloc_nolock() */
	size = smp_load_acquire(&slot->size);
	return READ_ONCE(slot->not_start) == ~start ? size : 0;
}

/* Blocks for which there was no room since boot. Context: any. */
unsigned long kml_nolock_missed(void)
{
	return atomic_long_read(&kml_nolock_lost);
}

/* One slot for so much memory: 256 KiB for 4 GiB. */
#define KML_NOLOCK_BYTES	(256UL * 1024)
#define KML_NOLOCK_MIN_BITS	10U
#define KML_NOLOCK_MAX_BITS	20U

/* Context: late_initcall. Blocks allocated before are few, and counted as missed. */
void __init kml_nolock_init(void)
{
	unsigned long want = totalram_pages() / (KML_NOLOCK_BYTES / PAGE_SIZE);
	unsigned int bits = clamp((unsigned int)fls_long(want), KML_NOLOCK_MIN_BITS,
				  KML_NOLOCK_MAX_BITS);
	struct kml_nolock_slot *slots;

	slots = kvcalloc(1UL << bits, sizeof(*slots), GFP_KERNEL | __GFP_NOWARN);
	if (!slots)
		return;
	/* what it holds are no references, and it is never freed */
	kml_track_paint(kml_space(KML_VIRT), (unsigned long)slots, -1);
	kml_nolock_bits = bits;
	/* pairs with the acquires in the hooks */
	smp_store_release(&kml_nolock_slots, slots);
}
