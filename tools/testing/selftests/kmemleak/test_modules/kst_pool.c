// SPDX-License-Identifier: GPL-2.0
/*
 * kmemleak_selftest: memory that nothing refers to
 *
 * There may still be references to a page that was used before: in slots of the slab
 * allocator, in saved registers, in any word that looks like its address. A leak in such
 * a page may never be reported.
 *
 * So a test program has the module make a pool of blocks and register all of them. It
 * rejects those that kmemleak does not report, 2 to 4 of 256, and the others are used from
 * then on. The next program begins with the same blocks, and new ones for those that were
 * rejected: later, uninitialised words of new objects may refer to a block.
 */
#include <linux/gfp.h>
#include <linux/kmemleak.h>
#include <linux/mm.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "kst.h"

#define KST_BLOCK_ORDER		2
#define KST_BLOCK_SIZE		(PAGE_SIZE << KST_BLOCK_ORDER)
#define KST_NR_BLOCKS		256

enum kst_block_state {
	KST_BLOCK_NONE,
	KST_BLOCK_TRIED,
	KST_BLOCK_FREE,
	KST_BLOCK_USED,
};

struct kst_block {
	unsigned long hidden;
	enum kst_block_state state;
};

static struct kst_block kst_blocks[KST_NR_BLOCKS];
/* protects the states of kst_blocks[] once the pool is in use */
static DEFINE_SPINLOCK(kst_pool_lock);

/* Register a pool of candidates, none of which may be in use. */
int kst_pool_try(void)
{
	unsigned long p;
	int i;

	for (i = 0; i < KST_NR_BLOCKS; i++)
		if (kst_blocks[i].state == KST_BLOCK_USED)
			return -EBUSY;
	for (i = 0; i < KST_NR_BLOCKS; i++) {
		struct kst_block *block = &kst_blocks[i];

		if (block->state == KST_BLOCK_TRIED)
			continue;
		if (block->state == KST_BLOCK_NONE) {
			p = __get_free_pages(GFP_KERNEL | __GFP_ZERO, KST_BLOCK_ORDER);
			if (!p)
				return -ENOMEM;
			block->hidden = kst_scramble(p);
		}
		block->state = KST_BLOCK_TRIED;
		kmemleak_alloc((void *)kst_scramble(block->hidden), KST_BLOCK_SIZE, 1, GFP_KERNEL);
	}
	return 0;
}

/* The candidates, one a line, by scrambled address. */
int kst_pool_list(char *buf, size_t size)
{
	size_t len = 0;
	int i;

	for (i = 0; i < KST_NR_BLOCKS; i++)
		len += scnprintf(buf + len, size - len, "0x%lx\n",
				 kst_blocks[i].hidden);
	return len + 1 < size ? 0 : -ENOSPC;
}

static void kst_block_release(struct kst_block *block)
{
	unsigned long p = kst_scramble(block->hidden);

	kmemleak_free((void *)p);
	free_pages(p, KST_BLOCK_ORDER);
	block->state = KST_BLOCK_NONE;
	block->hidden = 0;
}

int kst_pool_reject(unsigned long nr)
{
	if (nr >= KST_NR_BLOCKS || kst_blocks[nr].state != KST_BLOCK_TRIED)
		return -EINVAL;
	kst_block_release(&kst_blocks[nr]);
	return 0;
}

/* Use the blocks that were not rejected. */
void kst_pool_use(void)
{
	int i;

	for (i = 0; i < KST_NR_BLOCKS; i++) {
		struct kst_block *block = &kst_blocks[i];

		if (block->state != KST_BLOCK_TRIED)
			continue;
		kmemleak_free((void *)kst_scramble(block->hidden));
		block->state = KST_BLOCK_FREE;
	}
}

/* Zeroed memory, from the pool if possible. */
void *kst_get_pages(size_t size)
{
	unsigned long flags;
	void *p = NULL;
	int i;

	if (size <= KST_BLOCK_SIZE) {
		spin_lock_irqsave(&kst_pool_lock, flags);
		for (i = 0; !p && i < KST_NR_BLOCKS; i++) {
			if (kst_blocks[i].state != KST_BLOCK_FREE)
				continue;
			kst_blocks[i].state = KST_BLOCK_USED;
			p = (void *)kst_scramble(kst_blocks[i].hidden);
		}
		spin_unlock_irqrestore(&kst_pool_lock, flags);
	}
	if (p)
		return memset(p, 0, KST_BLOCK_SIZE);
	return (void *)__get_free_pages(GFP_KERNEL | __GFP_ZERO,
					get_order(size));
}

void kst_free_pages(void *p, size_t size)
{
	unsigned long hidden = kst_scramble((unsigned long)p);
	bool pooled = false;
	unsigned long flags;
	int i;

	spin_lock_irqsave(&kst_pool_lock, flags);
	for (i = 0; !pooled && i < KST_NR_BLOCKS; i++) {
		pooled = kst_blocks[i].state == KST_BLOCK_USED &&
			 kst_blocks[i].hidden == hidden;
		if (pooled)
			kst_blocks[i].state = KST_BLOCK_FREE;
	}
	spin_unlock_irqrestore(&kst_pool_lock, flags);
	if (!pooled)
		free_pages((unsigned long)p, get_order(size));
}

void kst_pool_destroy(void)
{
	int i;

	for (i = 0; i < KST_NR_BLOCKS; i++)
		if (kst_blocks[i].state != KST_BLOCK_NONE)
			kst_block_release(&kst_blocks[i]);
}
