// SPDX-License-Identifier: GPL-2.0-only
/*
 * Physical blocks: memory of memblock.
 *
 * No mark looks for references to them, and they are never reported. They are roots,
 * so they are not in the index but in a tree of their own: a block of any size, a huge
 * page or the memmap of a node, costs one node. Adjacent blocks become one where there
 * is no memory for a node.
 *
 * A block may be given back while it is read. The protocol is that of "Pins" in index.h
 * with one value for all blocks, since their starts change: a reader pins it, finds the
 * block under kml_phys_lock, and copies at most KML_CHUNK bytes; a free cuts the block
 * under the lock, and then waits for the pins.
 */

#include "mark.h"

/* What readers pin: the start of no object. */
#define KML_PHYS_PIN	1UL

static DEFINE_RAW_SPINLOCK(kml_phys_lock);
static struct rb_root kml_phys_root;

static unsigned long kml_phys_start(const struct kml_phys *b)
{
	return ~b->not_start;
}

static unsigned long kml_phys_last(const struct kml_phys *b)
{
	return kml_last(kml_phys_start(b), b->size);
}

static struct kml_phys *kml_phys_entry(struct rb_node *node)
{
	return node ? rb_entry(node, struct kml_phys, node) : NULL;
}

/* The first block that ends at @addr or later, or NULL. */
static struct kml_phys *kml_phys_from(unsigned long addr)
{
	struct rb_node *node = kml_phys_root.rb_node;
	struct kml_phys *b, *found = NULL;

	while (node) {
		b = kml_phys_entry(node);
		if (kml_phys_last(b) >= addr) {
			found = b;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return found;
}

/* The block that holds @addr, or NULL. */
static struct kml_phys *kml_phys_find(unsigned long addr)
{
	struct kml_phys *b = kml_phys_from(addr);

	return b && kml_phys_start(b) <= addr ? b : NULL;
}

static void kml_phys_link(struct kml_phys *new)
{
	struct rb_node **link = &kml_phys_root.rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		if (kml_phys_start(new) < kml_phys_start(kml_phys_entry(parent)))
			link = &parent->rb_left;
		else
			link = &parent->rb_right;
	}
	rb_link_node(&new->node, parent, link);
	rb_insert_color(&new->node, &kml_phys_root);
	kml_count_inc(KML_C_ALLOCS);
}

static void kml_phys_unlink(struct kml_phys *b)
{
	rb_erase(&b->node, &kml_phys_root);
	kml_count_inc(KML_C_FREES);
}

static void kml_phys_fill(struct kml_info *info, const struct kml_phys *b)
{
	*info = (struct kml_info){
		.space = KML_PHYS,
		.addr = kml_phys_start(b),
		.size = b->size,
		.born = b->cold.born,
		.stamp = b->cold.stamp,
		.checksum = b->cold.checksum,
		.trace = b->cold.trace,
		.pid = kml_cold_pid(&b->cold),
		.state = kml_state_set_min(KML_F_ALLOCATED, b->black ? -1 : 0) |
			 (b->no_scan ? KML_F_NO_SCAN : 0),
	};
	memcpy(info->comm, b->cold.comm, sizeof(info->comm));
}

/* Without memory for a node: does a block touch one that it can be a part of? */
static bool kml_phys_extend(unsigned long start, size_t size, struct kml_phys *next)
{
	struct kml_phys *prev = start ? kml_phys_find(start - 1) : NULL;

	if (prev && !prev->black) {
		prev->size += size;
		prev->merged = true;
		prev->is_new |= kml_scan_active();
		return true;
	}
	if (!next || next->black || kml_phys_start(next) - start != size)
		return false;
	next->not_start = ~start;
	next->size += size;
	next->merged = true;
	next->is_new |= kml_scan_active();
	return true;
}

/**
 * kml_phys_insert() - record a physical block
 * @start: its first byte
 * @size: in bytes
 * @gfp: of the allocation
 * @trace: from kml_stack_save()
 * @hit: filled with the block in the way on -EEXIST
 *
 * Without memory for it, the block becomes a part of an adjacent one, or goes to the
 * reserve.
 *
 * Context: any.
 * Return: 0 or -EEXIST.
 */
int kml_phys_insert(unsigned long start, size_t size, gfp_t gfp,
		    depot_stack_handle_t trace, struct kml_info *hit)
{
	struct kml_phys *new, *next;
	unsigned long flags;
	int ret = 0;

	if (unlikely(!size))
		return 0;
	new = kml_pool_alloc(KML_POOL_PHYS, gfp);

	raw_spin_lock_irqsave(&kml_phys_lock, flags);
	next = kml_phys_from(start);
	if (next && kml_phys_start(next) <= kml_last(start, size)) {
		kml_phys_fill(hit, next);
		ret = -EEXIST;
	} else if (new) {
		new->not_start = ~start;
		new->size = size;
		new->is_new = kml_scan_active();
		kml_cold_init(&new->cold, trace, start);
		kml_phys_link(new);
		new = NULL;
	} else if (!kml_phys_extend(start, size, next)) {
		ret = -ENOMEM;
	}
	raw_spin_unlock_irqrestore(&kml_phys_lock, flags);

	kml_pool_free(KML_POOL_PHYS, new);
	if (ret == -EEXIST)
		kml_count_inc(KML_C_OVERLAPS);
	if (ret != -ENOMEM)
		return ret;
	kml_reserve_add(kml_space(KML_PHYS), start, size, 0);
	return 0;
}

/*
 * Cut [@addr, @last] out of the block that holds @addr. @spare is memory for what
 * follows the part, if that is needed: it is set to NULL when used. Return: how many
 * bytes were cut, 0 if there is no such block, -EAGAIN if @spare is missing.
 */
static ssize_t kml_phys_cut(unsigned long addr, unsigned long last,
			    depot_stack_handle_t trace, struct kml_phys **spare,
			    struct kml_phys **gone)
{
	struct kml_phys *b = kml_phys_find(addr), *rest = *spare;
	unsigned long start, end;

	if (!b)
		return 0;
	start = kml_phys_start(b);
	end = kml_phys_last(b);
	last = min(last, end);

	if (addr == start && last == end) {
		kml_phys_unlink(b);
		*gone = b;
		return last - addr + 1;
	}
	if (addr != start && last != end && !rest)
		return -EAGAIN;

	/* the rest has come with this free, as for other objects */
	kml_cold_init(&b->cold, trace, start);
	b->no_scan = false;
	if (addr == start) {
		b->not_start = ~(last + 1);
		b->size = end - last;
	} else {
		b->size = addr - start;
	}
	if (addr != start && last != end) {
		*rest = *b;
		rest->not_start = ~(last + 1);
		rest->size = end - last;
		kml_phys_link(rest);
		*spare = NULL;
	}
	return last - addr + 1;
}

/* As kml_phys_cut(), when there is no memory: what follows the part is reserved. */
static ssize_t kml_phys_cut_reserve(unsigned long addr, unsigned long last)
{
	struct kml_phys *b;
	unsigned long flags, end;
	ssize_t cut = 0;

	raw_spin_lock_irqsave(&kml_phys_lock, flags);
	b = kml_phys_find(addr);
	end = b ? kml_phys_last(b) : 0;
	raw_spin_unlock_irqrestore(&kml_phys_lock, flags);
	if (!b || end <= last)
		return 0;

	/* before it leaves the tree, so that no scan misses it */
	kml_reserve_add(kml_space(KML_PHYS), last + 1, end - last, 0);
	raw_spin_lock_irqsave(&kml_phys_lock, flags);
	b = kml_phys_find(addr);
	if (b && kml_phys_last(b) == end && kml_phys_start(b) < addr) {
		b->size = addr - kml_phys_start(b);
		cut = last - addr + 1;
	}
	raw_spin_unlock_irqrestore(&kml_phys_lock, flags);
	return cut;
}

/**
 * kml_phys_remove() - a part of the physical memory was freed
 * @start: first byte
 * @size: in bytes; several blocks, or parts of them
 * @trace: from kml_stack_save()
 *
 * When this returns no scan reads it any more.
 *
 * Context: process or boot; may sleep.
 * Return: 0, or -ENOENT if no block holds @start.
 */
int kml_phys_remove(unsigned long start, size_t size, depot_stack_handle_t trace)
{
	struct kml_phys *spare = NULL, *gone;
	unsigned long flags, addr = start;
	size_t rest = size;
	ssize_t cut;

	while (rest) {
		gone = NULL;
		raw_spin_lock_irqsave(&kml_phys_lock, flags);
		cut = kml_phys_cut(addr, kml_last(addr, rest), trace, &spare, &gone);
		raw_spin_unlock_irqrestore(&kml_phys_lock, flags);
		kml_pool_free(KML_POOL_PHYS, gone);

		if (cut == -EAGAIN) {
			spare = kml_pool_alloc(KML_POOL_PHYS, GFP_KERNEL);
			if (spare)
				continue;
			cut = kml_phys_cut_reserve(addr, kml_last(addr, rest));
		} else if (!cut) {
			cut = kml_reserve_remove_part(kml_space(KML_PHYS), addr, rest);
		}
		if (!cut)
			break;
		kml_reserve_remove_overlaps(kml_space(KML_PHYS), addr, cut);
		addr += cut;
		rest -= cut;
	}
	kml_pool_free(KML_POOL_PHYS, spare);
	/* pairs with the barrier in kml_phys_copy() */
	smp_mb();
	kml_pin_wait(KML_PHYS_PIN);
	return size && rest == size ? -ENOENT : 0;
}

/**
 * kml_phys_paint() - is a physical block to be read?
 * @start: its first byte
 * @black: no
 *
 * Context: any.
 * Return: 0, or -ENOENT if no block begins at @start.
 */
int kml_phys_paint(unsigned long start, bool black)
{
	struct kml_phys *b;
	unsigned long flags;
	int ret = -ENOENT;

	raw_spin_lock_irqsave(&kml_phys_lock, flags);
	b = kml_phys_find(start);
	if (b && kml_phys_start(b) == start) {
		b->black = black;
		b->no_scan = black;
		ret = 0;
	}
	raw_spin_unlock_irqrestore(&kml_phys_lock, flags);
	if (!ret)
		return 0;
	return kml_reserve_paint(kml_space(KML_PHYS), start,
				 black ? KML_RESERVE_MAKE_BLACK : KML_RESERVE_MAKE_GREY) ?
	       0 : ret;
}

/* The block that holds @addr, as for a message. Context: any. */
bool kml_phys_info(unsigned long addr, struct kml_info *info)
{
	struct kml_phys *b;
	unsigned long flags;

	raw_spin_lock_irqsave(&kml_phys_lock, flags);
	b = kml_phys_find(addr);
	if (b)
		kml_phys_fill(info, b);
	raw_spin_unlock_irqrestore(&kml_phys_lock, flags);
	return b;
}

/* Is all of a physical block mapped? */
static bool kml_phys_in_lowmem(unsigned long start, size_t size)
{
	return PHYS_PFN(start) >= min_low_pfn && PFN_UP(start + size) <= max_low_pfn;
}

/**
 * kml_phys_next() - the next piece of physical memory to read
 * @at: where to go on, 0 at first; set to the first byte after the piece
 * @start: set to the first byte of the piece
 * @only_new: of blocks that came since the mark began, once each
 *
 * Blocks that are not mapped as a whole become black.
 *
 * Context: any.
 * Return: the length of the piece, at most KML_SLICE, or 0 at the end.
 */
size_t kml_phys_next(unsigned long *at, unsigned long *start, bool only_new)
{
	struct kml_phys *b;
	unsigned long flags;
	size_t len = 0;

	raw_spin_lock_irqsave(&kml_phys_lock, flags);
	for (b = kml_phys_from(*at); b; b = kml_phys_entry(rb_next(&b->node))) {
		if (!b->no_scan && !b->merged &&
		    !kml_phys_in_lowmem(kml_phys_start(b), b->size)) {
			b->black = true;
			b->no_scan = true;
		}
		if (!b->black && (b->is_new || !only_new))
			break;
	}
	if (b) {
		*start = max(kml_phys_start(b), *at);
		/* slices end where no word does */
		len = min(kml_phys_last(b), *start | (KML_SLICE - 1)) - *start + 1;
		*at = *start + len;
		/* the top of the space: there is nothing after it */
		if (!*at)
			*at = ULONG_MAX;
		b->is_new = only_new && *at <= kml_phys_last(b);
	}
	raw_spin_unlock_irqrestore(&kml_phys_lock, flags);
	return len;
}

/*
 * Does the page belong to somebody else than memblock: is it free, a user's, the page
 * cache's, a slab? What is in use and none of these is untracked memory.
 */
bool kml_pfn_has_owner(struct page *page)
{
	struct page *head = compound_head(page);

	return page_has_type(head) || PageLRU(head) || READ_ONCE(head->mapping);
}

/*
 * Pages that must not be read, mapped or not: given away to a hypervisor, not
 * yet taken from it, or broken.
 */
bool kml_pfn_is_untouchable(struct page *page, unsigned long pfn)
{
	return PageOffline(page) || is_page_hwpoison(page) ||
	       pfn_is_unaccepted_memory(pfn);
}

/*
 * Nobody tells when memblock's memory goes to the page allocator: the initrd's does,
 * and boot-time huge pages become user memory. References are in pages that have not.
 */
static bool kml_phys_is_root(unsigned long start, size_t len)
{
	unsigned long pfn;

	for (pfn = PHYS_PFN(start); pfn <= PHYS_PFN(start + len - 1); pfn++) {
		struct page *page = pfn_to_online_page(pfn);

		if (!page || ((PageReserved(page) || !kml_pfn_has_owner(page)) &&
			      !kml_pfn_is_untouchable(page, pfn)))
			return true;
	}
	return false;
}

/* How many bytes from @from on are of a block that is read? Context: IRQs off. */
static unsigned long kml_phys_left(unsigned long from)
{
	unsigned long left = 0;
	struct kml_phys *b;

	raw_spin_lock(&kml_phys_lock);
	b = kml_phys_find(from);
	if (b && !b->black)
		left = kml_phys_last(b) - from + 1;
	raw_spin_unlock(&kml_phys_lock);
	return left;
}

/* The same for a block of the reserve, which may be gone or shorter by now. */
static unsigned long kml_phys_left_reserved(unsigned long from,
					    const struct kml_reserve_block *reserved)
{
	size_t size = kml_reserve_size(reserved->space, reserved->start);
	unsigned long off = from - reserved->start;

	return off < size ? size - off : 0;
}

/* Copy what is still a root, and mapped. Return: false if that was not all. */
static bool kml_phys_copy_root(void *to, unsigned long from, size_t len)
{
	return kml_phys_in_lowmem(from, len) && kml_phys_is_root(from, len) &&
	       !copy_from_kernel_nofault(to, __va((phys_addr_t)from), len);
}

/**
 * kml_phys_copy() - copy from a physical block
 * @pins: of the worker
 * @to: room for @len + @more bytes
 * @from: first byte
 * @len: in bytes, not beyond a page of KML_PAGE_SIZE
 * @more: bytes after these that are wanted if the block has them
 * @reserved: the block, if it is in the reserve, or NULL
 *
 * Context: memory hotplug lock held, no other lock.
 * Return: bytes that were copied: fewer at the end of the block, 0 if the memory is no
 * longer tracked, or has another owner, or is not mapped.
 */
size_t kml_phys_copy(struct kml_pins *pins, void *to, unsigned long from, size_t len,
		     size_t more, const struct kml_reserve_block *reserved)
{
	unsigned long flags, left;
	size_t done = 0;

	local_irq_save(flags);
	kml_pin(pins, 0, reserved ? reserved->start : KML_PHYS_PIN);
	/* pairs with the barriers in kml_phys_remove() and of the reserve */
	smp_mb();
	left = reserved ? kml_phys_left_reserved(from, reserved) : kml_phys_left(from);

	len = min(len, left);
	more = min(more, left - len);
	if (len && kml_phys_copy_root(to, from, len)) {
		done = len;
		if (more && kml_phys_copy_root(to + len, from + len, more))
			done += more;
	}
	kml_unpin(pins, 0);
	local_irq_restore(flags);
	return done;
}

/**
 * kml_phys_drop_all() - forget all physical blocks
 *
 * Context: process, kmemleak is off.
 */
void kml_phys_drop_all(void)
{
	struct kml_phys *b;
	unsigned long flags;

	for (;;) {
		raw_spin_lock_irqsave(&kml_phys_lock, flags);
		b = kml_phys_from(0);
		if (b)
			kml_phys_unlink(b);
		raw_spin_unlock_irqrestore(&kml_phys_lock, flags);
		if (!b)
			break;
		kml_pool_free(KML_POOL_PHYS, b);
		cond_resched();
	}
}
