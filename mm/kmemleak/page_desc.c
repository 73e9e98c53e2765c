// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page descriptors.
 *
 * A page's objects do not overlap, so two that are at least a grain apart fall
 * into different slots. Any inner pointer is resolved by going back from its
 * slot to the last used one: O(1), a bit scan. An object may start behind the
 * pointer in the pointer's own slot; then it is the one before.
 *
 * Changes are made under the leaf's lock. Readers hold only rcu_read_lock().
 */

#include "os.h"
#include "page_desc.h"
#include "stats.h"

/* checked by kml_desc_selftest() */
const struct kml_grain kml_grains[] = {
	{ 1,	4096,	16777216 },
	{ 2,	2048,	8388608 },
	{ 4,	1024,	4194304 },
	{ 8,	512,	2097152 },
	{ 16,	256,	1048576 },
	{ 32,	128,	524288 },
	{ 64,	64,	262144 },
	{ 96,	43,	174763 },
	{ 128,	32,	131072 },
	{ 192,	22,	87382 },
	{ 256,	16,	65536 },
	{ 512,	8,	32768 },
	{ 1024,	4,	16384 },
	{ 2048,	2,	8192 },
	{ 4096,	1,	4096 },
};

#define KML_LAST_CLASS	(ARRAY_SIZE(kml_grains) - 1)

size_t kml_desc_size(unsigned int cls)
{
	return kml_desc_head(cls) + kml_desc_slots(cls) * sizeof(struct kml_hot);
}

/* The coarsest grain that keeps objects this far apart in different slots. */
unsigned int kml_desc_class(size_t size)
{
	unsigned int cls = KML_LAST_CLASS;

	while (cls && kml_grains[cls].grain > size)
		cls--;
	return cls;
}

/* The last used slot up to and including @slot, or -1. */
static int kml_desc_pred(const struct kml_desc *desc, int slot)
{
	int word = BIT_WORD(slot);
	unsigned long bits;

	if (slot < 0)
		return -1;

	bits = READ_ONCE(desc->bits[word]) & (~0UL >> (BITS_PER_LONG - 1 - slot % BITS_PER_LONG));
	while (!bits) {
		if (--word < 0)
			return -1;
		bits = READ_ONCE(desc->bits[word]);
	}
	return word * BITS_PER_LONG + __fls(bits);
}

static bool kml_desc_used(const struct kml_desc *desc, unsigned int slot)
{
	return READ_ONCE(desc->bits[BIT_WORD(slot)]) & BIT_MASK(slot);
}

/* The object with the largest start at or before @off, or NULL. */
struct kml_hot *kml_desc_find(struct kml_desc *desc, unsigned int off)
{
	struct kml_hot *hot = kml_desc_hot(desc);
	int slot = kml_desc_pred(desc, kml_desc_slot(desc->cls, off));

	if (slot < 0)
		return NULL;
	if ((kml_hot_state(&hot[slot]) & KML_OFF_MASK) > off) {
		slot = kml_desc_pred(desc, slot - 1);
		if (slot < 0)
			return NULL;
	}
	return &hot[slot];
}

/* The object that starts at @off, or NULL. */
struct kml_hot *kml_desc_exact(struct kml_desc *desc, unsigned int off)
{
	unsigned int slot = kml_desc_slot(desc->cls, off);
	struct kml_hot *hot = kml_desc_hot(desc) + slot;

	if (!kml_desc_used(desc, slot) ||
	    (kml_hot_state(hot) & KML_OFF_MASK) != off)
		return NULL;
	return hot;
}

/* The first object that starts at or behind @off, or NULL. */
struct kml_hot *kml_desc_next(struct kml_desc *desc, unsigned int off)
{
	unsigned int slots = kml_desc_slots(desc->cls);
	struct kml_hot *hot = kml_desc_hot(desc);
	unsigned int slot = kml_desc_slot(desc->cls, off);

	slot = find_next_bit(desc->bits, slots, slot);
	if (slot < slots && (kml_hot_state(&hot[slot]) & KML_OFF_MASK) < off)
		slot = find_next_bit(desc->bits, slots, slot + 1);
	return slot < slots ? &hot[slot] : NULL;
}

bool kml_desc_slot_free(struct kml_desc *desc, unsigned int off)
{
	return !kml_desc_used(desc, kml_desc_slot(desc->cls, off));
}

/*
 * Fill the slot of the object at the offset in @state, which must be free. The
 * order is what look-ups rely on: content, state (release), bit.
 */
void kml_desc_add(struct kml_desc *desc, u32 state, u32 size,
		  struct kml_cold *cold)
{
	unsigned int slot = kml_desc_slot(desc->cls, state & KML_OFF_MASK);
	struct kml_hot *hot = kml_desc_hot(desc) + slot;
	unsigned long *word = &desc->bits[BIT_WORD(slot)];

	WRITE_ONCE(hot->size, size);
	WRITE_ONCE(hot->cold, cold);
	/* pairs with kml_hot_state_acquire() */
	atomic_set_release(&hot->state, state);
	/* plain store: writers are serialised by the leaf's lock */
	smp_store_release(word, *word | BIT_MASK(slot));
	/* trimming reads it without the lock */
	WRITE_ONCE(desc->nr, desc->nr + 1);
}

void kml_desc_del(struct kml_desc *desc, struct kml_hot *hot)
{
	unsigned int slot = hot - kml_desc_hot(desc);
	unsigned long *word = &desc->bits[BIT_WORD(slot)];

	WRITE_ONCE(*word, *word & ~BIT_MASK(slot));
	WRITE_ONCE(desc->nr, desc->nr - 1);
}

/*
 * The coarsest class in which all objects of @desc and one at @off have slots
 * of their own, or -1 if one starts at @off already.
 */
int kml_desc_class_for(struct kml_desc *desc, unsigned int off)
{
	struct kml_hot *hot = kml_desc_hot(desc);
	unsigned int dist = KML_PAGE_SIZE, slot, o;
	int prev = -1;
	bool seen = false;

	for_each_set_bit(slot, desc->bits, kml_desc_slots(desc->cls)) {
		o = kml_hot_state(&hot[slot]) & KML_OFF_MASK;
		if (!seen && o >= off) {
			if (prev >= 0)
				dist = min(dist, off - prev);
			prev = off;
			seen = true;
		}
		if (prev >= 0)
			dist = min(dist, o - prev);
		prev = o;
	}
	if (!seen && prev >= 0)
		dist = min(dist, off - prev);
	return dist ? (int)kml_desc_class(dist) : -1;
}

/*
 * Move all objects of @from into @to, which is empty, not published and of a
 * class from kml_desc_class_for(). The old states are frozen: a marker that
 * still holds @from has to look up again and waits for @to to be published.
 */
void kml_desc_move(struct kml_desc *to, struct kml_desc *from)
{
	struct kml_hot *hot = kml_desc_hot(from);
	unsigned int slot;

	for_each_set_bit(slot, from->bits, kml_desc_slots(from->cls)) {
		u32 state = atomic_fetch_or(KML_F_FROZEN, &hot[slot].state);

		kml_desc_add(to, state, hot[slot].size, hot[slot].cold);
	}
	kml_count_inc(KML_C_REGRAINS);
}

/* Is slot(off) == off / grain everywhere, and within the descriptor? For KUnit. */
bool kml_desc_selftest(void)
{
	unsigned int cls, off;

	BUILD_BUG_ON(ARRAY_SIZE(kml_grains) != KML_NR_CLASSES);

	for (cls = 0; cls < KML_NR_CLASSES; cls++)
		for (off = 0; off < KML_PAGE_SIZE; off++)
			if (kml_desc_slot(cls, off) != off / kml_grains[cls].grain ||
			    kml_desc_slot(cls, off) >= kml_desc_slots(cls))
				return false;
	return true;
}
