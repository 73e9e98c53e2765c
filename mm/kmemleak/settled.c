// SPDX-License-Identifier: GPL-2.0-only
/*
 * Settled bits are a cache: a clear bit only costs a look-up, a set bit must be
 * true. A block is settled if no object reaches into it, or only objects that
 * are black, or grey and without somebody to pass surplus references to.
 *
 * An interval which one object covers needs no table of its own: it points to
 * one of two constant ones. So does an interval that got no memory for its own,
 * or that was born during the scan: to the one without a bit.
 */

#include "os.h"
#include "pool.h"
#include "settled.h"

unsigned long kml_settled_none[KML_SETTLED_LONGS];
static unsigned long kml_settled_all[KML_SETTLED_LONGS] = {
	[0 ... KML_SETTLED_LONGS - 1] = ~0UL,
};

static bool kml_settled_shared(const unsigned long *table)
{
	return table == kml_settled_none || table == kml_settled_all;
}

/**
 * kml_settled_prepare() - start a mark with every block of an interval settled
 * @iv: interval
 *
 * Context: process, kml_scan_mutex held, kml_scan_active; may sleep.
 */
void kml_settled_prepare(struct kml_interval *iv)
{
	unsigned long *table = iv->settled;
	bool leaves = false;
	unsigned int i;

	for (i = 0; i < KML_GROUPS; i++)
		leaves |= !!READ_ONCE(iv->group[i]);

	if (!leaves && kml_settled_shared(table)) {
		WRITE_ONCE(iv->settled, kml_settled_all);
		return;
	}
	if (kml_settled_shared(table)) {
		table = kml_pool_alloc(KML_POOL_SETTLED, GFP_KERNEL);
		if (!table) {
			WRITE_ONCE(iv->settled, kml_settled_none);
			return;
		}
	}
	memset(table, 0xff, KML_SETTLED_LONGS * sizeof(long));
	/* bits before pointer: pairs with READ_ONCE() in kml_settled() */
	smp_store_release(&iv->settled, table);
}

void kml_settled_free(struct kml_interval *iv)
{
	if (!kml_settled_shared(iv->settled))
		kml_pool_free(KML_POOL_SETTLED, iv->settled);
}

/* Set or clear the bits [@first, @last] of a table, atomically by words. */
static void kml_settled_change(unsigned long *table, unsigned int first,
			       unsigned int last, bool set)
{
	while (first <= last) {
		unsigned int word = BIT_WORD(first);
		unsigned int end = min(last, (word + 1) * BITS_PER_LONG - 1);
		unsigned long mask = GENMASK(end % BITS_PER_LONG,
					     first % BITS_PER_LONG);

		if (set)
			atomic_long_or(mask, (atomic_long_t *)&table[word]);
		else
			atomic_long_andnot(mask, (atomic_long_t *)&table[word]);
		first = end + 1;
	}
}

/**
 * kml_settled_clear() - let pointers into a block be looked up
 * @space: where
 * @start: of the object
 * @size: of the object, not 0
 *
 * Context: any.
 */
void kml_settled_clear(struct kml_space *space, unsigned long start, size_t size)
{
	unsigned long last = kml_last(start, size);
	unsigned long addr = start;

	for (;;) {
		unsigned long end = min(last, addr | ~KML_INTERVAL_MASK);
		struct kml_interval *iv;
		unsigned long *table;

		rcu_read_lock();
		iv = kml_interval_find(space, addr);
		table = iv ? READ_ONCE(iv->settled) : NULL;
		if (table == kml_settled_all)
			WRITE_ONCE(iv->settled, kml_settled_none);
		else if (table && table != kml_settled_none)
			kml_settled_change(table, kml_settled_bit(addr),
					   kml_settled_bit(end), false);
		rcu_read_unlock();
		if (end == last)
			break;
		addr = end + 1;
	}
}

/**
 * kml_settled_clear_page() - the same for some blocks of a page
 * @space: where
 * @page: its address
 * @blocks: a bit for each block, the first one's lowest
 *
 * Context: any.
 */
void kml_settled_clear_page(struct kml_space *space, unsigned long page,
			    u64 blocks)
{
	struct kml_interval *iv;
	unsigned long *table;
	unsigned int i;

	rcu_read_lock();
	iv = kml_interval_find(space, page);
	table = iv ? READ_ONCE(iv->settled) : NULL;
	if (table == kml_settled_all)
		WRITE_ONCE(iv->settled, kml_settled_none);
	else if (table && table != kml_settled_none)
		for (i = 0; i < KML_PAGE_BLOCKS; i += BITS_PER_LONG)
			atomic_long_andnot(blocks >> i, (atomic_long_t *)
					   &table[BIT_WORD(kml_settled_bit(page) + i)]);
	rcu_read_unlock();
}

/* May a pointer to something in @hot still change a state? */
static bool kml_unsettled(const struct kml_hot *hot)
{
	u32 state = kml_hot_state(hot);

	return kml_white(state) || (state & KML_F_EXT);
}

/* Does an object that starts before @addr end there? */
static bool kml_ends_before(const struct kml_hot *hot, unsigned long start,
			    unsigned long addr)
{
	return !(kml_hot_state_acquire(hot) & KML_F_BIG) &&
	       READ_ONCE(hot->size) <= addr - start;
}

/* Would every object that reaches into the block at @block allow its bit? */
static bool kml_block_settled(struct kml_space *space, unsigned long block)
{
	unsigned long addr = block + KML_BLOCK_SIZE - 1, start;

	for (;;) {
		struct kml_hot *hot = kml_lookup(space, addr, &start);

		if (!hot)
			return true;
		if (kml_unsettled(hot))
			return start < block && kml_ends_before(hot, start, block);
		if (start <= block)
			return true;
		addr = start - 1;
	}
}

/* Settle a block which an object shares with others, if they all are. */
static void kml_settle_shared(struct kml_space *space, unsigned long *table,
			      unsigned long addr)
{
	unsigned int bit = kml_settled_bit(addr);

	if (kml_block_settled(space, round_down(addr, KML_BLOCK_SIZE)))
		kml_settled_change(table, bit, bit, true);
}

/* Settle what an object has of one interval: [@addr, @end]. */
static void kml_settle_part(struct kml_space *space, struct kml_interval *iv,
			    unsigned long start, unsigned long addr,
			    unsigned long end)
{
	unsigned long *table = READ_ONCE(iv->settled);
	int first = kml_settled_bit(addr), last = kml_settled_bit(end);

	if (table == kml_settled_none) {
		if (READ_ONCE(iv->cover) == ~start &&
		    end - addr == KML_INTERVAL_SIZE - 1)
			WRITE_ONCE(iv->settled, kml_settled_all);
		return;
	}
	if (kml_settled_shared(table))
		return;

	if (addr % KML_BLOCK_SIZE) {
		kml_settle_shared(space, table, addr);
		first++;
	}
	if ((end + 1) % KML_BLOCK_SIZE && last >= first) {
		kml_settle_shared(space, table, end);
		last--;
	}
	if (first <= last)
		kml_settled_change(table, first, last, true);
}

/**
 * kml_settled_set() - an object is settled; settle the blocks it fills
 * @space: where
 * @start: of the object
 * @size: of the object, not 0
 *
 * Blocks which it shares are settled if its neighbours are. Very large objects
 * are not settled: that would take too long, and they are few.
 *
 * Context: process, RCU read-side section, a mark is running.
 */
void kml_settled_set(struct kml_space *space, unsigned long start, size_t size)
{
	unsigned long last = kml_last(start, size);
	unsigned long addr = start;

	if (size > KML_SETTLE_MAX)
		return;

	for (;;) {
		unsigned long end = min(last, addr | ~KML_INTERVAL_MASK);
		struct kml_interval *iv = kml_interval_find(space, addr);

		if (iv)
			kml_settle_part(space, iv, start, addr, end);
		if (end == last)
			break;
		addr = end + 1;
	}
}
