// SPDX-License-Identifier: GPL-2.0-only
/*
 * Physical blocks: memory that memblock has allocated. They are roots: marks read
 * them, but never look for references to them, and they are never reported. So they
 * are not in the index, but in a tree: a block of any size, such as the memmap of a
 * node, costs one tree node. If there is no memory for a node, the block is merged
 * into an adjacent one.
 *
 * A block may be freed while a worker reads it. "Pins" in index.h has the protocol,
 * but all blocks share one pin value, since a partial free changes the start of a
 * block. A worker sets the pin, finds the block under kml_phys_lock, and copies up
 * to KML_CHUNK bytes, and some more to complete a word. A free cuts the block under
 * the lock, and then waits for the pins.
 */

#include "mark.h"

/* The pin value of all physical blocks. No object starts at this address. */
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

/*
 * Merge a block for which there is no node into an adjacent one. @next is the first
 * block after it, or NULL. Return: false if no adjacent block can take it: there is
 * none, or it is black. Context: kml_phys_lock.
 */
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

/*
 * Make a block of one page a part of the block beside it, if that is of one page, too,
 * or of several such by now. Return: the free node, or NULL. Context: kml_phys_lock.
 */
static struct kml_phys *kml_phys_join(struct kml_phys *to, struct kml_phys *b)
{
	if (!to || to->black != b->black || b->size != PAGE_SIZE ||
	    (to->size != PAGE_SIZE && !to->merged))
		return NULL;

	if (kml_phys_start(b) < kml_phys_start(to))
		to->not_start = b->not_start;
	to->size += PAGE_SIZE;
	to->merged = true;
	kml_phys_unlink(b);
	memset(b, 0, sizeof(*b));
	return b;
}

/*
 * Before the slab works, page tables and per-CPU areas may be thousands of blocks of one
 * page, side by side, and the static pool has no room for all of them. So the block
 * beside a new one joins the one behind it. The new one stays separate: if it is to be
 * ignored, kmemleak_ignore_phys() is called before the next one is allocated.
 *
 * Return: the free node, or NULL. Context: kml_phys_lock.
 */
static struct kml_phys *kml_phys_condense(unsigned long start)
{
	struct kml_phys *below = start ? kml_phys_find(start - 1) : NULL;
	struct kml_phys *above = kml_phys_find(start + PAGE_SIZE);
	struct kml_phys *node = NULL;

	if (below)
		node = kml_phys_join(kml_phys_find(kml_phys_start(below) - 1), below);
	if (!node && above)
		node = kml_phys_join(kml_phys_find(kml_phys_last(above) + 1), above);
	return node;
}

/* A node for a new block: early, that of a block beside it, if possible. Context: any. */
static struct kml_phys *kml_phys_new(unsigned long start, size_t size, gfp_t gfp)
{
	struct kml_phys *new = NULL;
	unsigned long flags;

	if (unlikely(!kml_pool_ready()) && size == PAGE_SIZE) {
		raw_spin_lock_irqsave(&kml_phys_lock, flags);
		new = kml_phys_condense(start);
		raw_spin_unlock_irqrestore(&kml_phys_lock, flags);
	}
	return new ?: kml_pool_alloc(KML_POOL_PHYS, gfp);
}

/**
 * kml_phys_insert() - insert a physical block
 * @start: physical address of its first byte
 * @size: in bytes; 0: nothing is inserted
 * @gfp: flags of the tracked allocation
 * @trace: stack of the allocation, from kml_stack_save()
 * @hit: on -EEXIST, filled with the other block
 *
 * If there is no memory for a tree node, the block is merged into an adjacent one,
 * or goes into the reserve.
 *
 * Context: any but NMI in which @gfp may be used; no raw lock is held.
 * Return: 0, or -EEXIST if it overlaps another block.
 */
int kml_phys_insert(unsigned long start, size_t size, gfp_t gfp,
		    depot_stack_handle_t trace, struct kml_info *hit)
{
	struct kml_phys *new, *next;
	unsigned long flags;
	int ret = 0;

	if (unlikely(!size))
		return 0;
	new = kml_phys_new(start, size, gfp);

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
 * Cut [@addr, @last] out of the block that holds @addr. If memory remains on both
 * sides of the part, the second rest needs a node: @spare is used and set to NULL.
 * If nothing remains, the caller has to free the node in @gone.
 *
 * Context: kml_phys_lock.
 * Return: the number of bytes cut, 0 if no block holds @addr, or -EAGAIN if @spare
 * is NULL, but needed.
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

	/* what remains is shown with the stack of this free, as with objects */
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

/*
 * Like kml_phys_cut(), for a part in the middle of a block, without a node for the
 * second rest: that goes into the reserve. It is reserved before it leaves the tree, so
 * that no scan misses it; if the block has changed meanwhile, all is done again.
 *
 * Context: any but NMI; no raw lock is held.
 * Return: the number of bytes cut, or 0 if the part is no longer in a block.
 */
static ssize_t kml_phys_cut_reserve(unsigned long addr, unsigned long last)
{
	struct kml_space *space = kml_space(KML_PHYS);
	unsigned long flags, end;
	bool black, same;
	struct kml_phys *b;

	for (;;) {
		raw_spin_lock_irqsave(&kml_phys_lock, flags);
		b = kml_phys_find(addr);
		end = b ? kml_phys_last(b) : 0;
		black = b && b->black;
		raw_spin_unlock_irqrestore(&kml_phys_lock, flags);
		if (!b || end <= last)
			return 0;

		kml_reserve_add(space, last + 1, end - last, black ? KML_RESERVE_BLACK : 0);
		raw_spin_lock_irqsave(&kml_phys_lock, flags);
		b = kml_phys_find(addr);
		same = b && kml_phys_last(b) == end && kml_phys_start(b) < addr;
		if (same)
			b->size = addr - kml_phys_start(b);
		raw_spin_unlock_irqrestore(&kml_phys_lock, flags);
		if (same)
			return last - addr + 1;
		kml_reserve_remove(space, last + 1);
	}
}

/**
 * kml_phys_remove() - remove physical memory that is being freed
 * @start: physical address of its first byte
 * @size: in bytes; the memory may consist of several blocks, or of parts of blocks
 * @trace: stack of the free, from kml_stack_save(); shown for what remains
 *
 * The removal ends at the first byte that is not tracked. When this returns no
 * worker reads the memory that was removed.
 *
 * Context: process or boot; may sleep.
 * Return: 0, or -ENOENT if the first byte is not tracked.
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
 * kml_phys_paint() - make a physical block black (marks do not read it) or grey
 * @start: physical address of its first byte
 * @black: true for black, false for grey
 *
 * Context: any but NMI; no raw lock is held.
 * Return: 0, or -ENOENT if no block starts at @start.
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

/**
 * kml_phys_info() - find a physical block and copy its metadata
 * @addr: physical address, anywhere in the block
 * @info: filled on success
 *
 * Context: any but NMI.
 * Return: true if a block holds @addr. Blocks in the reserve are not found.
 */
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

/* Is all of the memory in the direct mapping? Context: any. */
static bool kml_phys_in_lowmem(unsigned long start, size_t size)
{
	return PHYS_PFN(start) >= min_low_pfn && PFN_UP(start + size) <= max_low_pfn;
}

/* The lock is released after so many blocks, to bound the time with IRQs off. */
#define KML_PHYS_BATCH	64

/* Does a mark read the block? A block that is not mapped becomes black here. */
static bool kml_phys_is_wanted(struct kml_phys *b, bool only_new)
{
	if (!b->no_scan && !b->merged &&
	    !kml_phys_in_lowmem(kml_phys_start(b), b->size)) {
		b->black = true;
		b->no_scan = true;
	}
	return !b->black && (b->is_new || !only_new);
}

/*
 * The first block from @b on that a mark reads, or NULL. After KML_PHYS_BATCH blocks
 * that it does not read, the next one, where to go on. Context: kml_phys_lock.
 */
static struct kml_phys *kml_phys_wanted(struct kml_phys *b, bool only_new,
					unsigned long *at)
{
	unsigned int n;

	for (n = 0; b && n < KML_PHYS_BATCH; n++) {
		if (kml_phys_is_wanted(b, only_new))
			return b;
		b = kml_phys_entry(rb_next(&b->node));
	}
	if (b)
		*at = kml_phys_start(b);
	return b;
}

/* Take a piece of the block. Return: its length. Context: kml_phys_lock. */
static size_t kml_phys_piece(struct kml_phys *b, unsigned long *at, unsigned long *start,
			     bool only_new)
{
	size_t len;

	*start = max(kml_phys_start(b), *at);
	/* no aligned word crosses a multiple of KML_SLICE */
	len = min(kml_phys_last(b), *start | (KML_SLICE - 1)) - *start + 1;
	*at = *start + len;
	/* the piece ends at the top of the address space: end there */
	if (!*at)
		*at = ULONG_MAX;
	/* a block that has grown at its front since is read again as a new one */
	if (only_new)
		b->is_new = *at <= kml_phys_last(b);
	else if (*start == kml_phys_start(b))
		b->is_new = false;
	return len;
}

/**
 * kml_phys_next() - get the next piece of physical memory that a mark has to read
 * @at: physical address at which to start, 0 at first; set to the end of the piece
 * @start: set to the physical address of the first byte of the piece
 * @only_new: true for blocks that are new since the scan began, each of them once
 *
 * A block that is not mapped as a whole is made black, unless it was merged from
 * several blocks: of these kml_phys_copy() reads the mapped pages.
 *
 * Context: any but NMI.
 * Return: the length of the piece in bytes, up to KML_SLICE, or 0 at the end.
 */
size_t kml_phys_next(unsigned long *at, unsigned long *start, bool only_new)
{
	struct kml_phys *b;
	unsigned long flags;
	size_t len = 0;

	do {
		raw_spin_lock_irqsave(&kml_phys_lock, flags);
		b = kml_phys_wanted(kml_phys_from(*at), only_new, at);
		if (b && kml_phys_is_wanted(b, only_new))
			len = kml_phys_piece(b, at, start, only_new);
		raw_spin_unlock_irqrestore(&kml_phys_lock, flags);
	} while (b && !len);
	return len;
}

/**
 * kml_pfn_has_owner() - does a page have an owner other than memblock?
 * @page: page of online memory
 *
 * The owner may be the buddy allocator (a free page), a slab, user space or the page
 * cache. A page in use without such an owner is untracked memory.
 *
 * Context: any.
 * Return: true if the page has an owner.
 */
bool kml_pfn_has_owner(struct page *page)
{
	struct page *head = compound_head(page);

	return page_has_type(head) || PageLRU(head) || READ_ONCE(head->mapping);
}

/**
 * kml_pfn_is_untouchable() - must a page not be read, mapped or not?
 * @page: struct page
 * @pfn: its page frame number
 *
 * Context: memory hotplug lock held.
 * Return: true if the page was given to a hypervisor, or not yet accepted from it, or
 * is broken.
 */
bool kml_pfn_is_untouchable(struct page *page, unsigned long pfn)
{
	return PageOffline(page) || is_page_hwpoison(page) ||
	       pfn_is_unaccepted_memory(pfn);
}

/*
 * Does physical memory still belong to memblock? No hook is called when it is passed to
 * the page allocator, as the memory of the initrd is, or becomes user memory, as
 * boot-time huge pages do. Then it is no root any more. Its struct pages show that.
 * Return: true if at least one of the pages has no other owner, and may be read.
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

/* The number of bytes from @from to the end of a block that is read. Context: IRQs off. */
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

/**
 * kml_phys_copy_root() - copy physical memory that is mapped and still a root
 * @to: room for @len bytes
 * @from: physical address of the first byte
 * @len: in bytes; the part lies in one page of KML_PAGE_SIZE
 *
 * Context: memory hotplug lock held.
 * Return: false if it is not mapped, or has another owner.
 */
bool kml_phys_copy_root(void *to, unsigned long from, size_t len)
{
	return kml_phys_in_lowmem(from, len) && kml_phys_is_root(from, len) &&
	       !copy_from_kernel_nofault(to, __va((phys_addr_t)from), len);
}

/**
 * kml_phys_copy() - copy a part of a physical block
 * @pins: pins of the calling worker; the first one is used
 * @to: room for @len + @more bytes
 * @from: physical address of the first byte
 * @len: in bytes; the part lies in one page of KML_PAGE_SIZE
 * @more: number of bytes after the part that are copied, too, if the block has them
 * @reserved: the block, if it is in the reserve, or NULL
 *
 * Context: memory hotplug lock held, no raw lock held.
 * Return: the number of bytes copied. It is less than @len at the end of the block,
 * and 0 if the memory is no longer tracked, black, not mapped, or has another
 * owner.
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
 * kml_phys_drop_all() - remove all physical blocks
 *
 * Context: process, kmemleak is off and no scan runs; may sleep.
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
