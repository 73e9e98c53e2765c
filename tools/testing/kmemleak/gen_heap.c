// SPDX-License-Identifier: GPL-2.0-only
/*
 * The heap of a random program: blocks with the addresses of slabs, of the page
 * allocator and of vmalloc (and some unusual ones), and pointers in places where
 * kernels keep them.
 */
#include <stdlib.h>

#include "gen.h"

#define WORD	sizeof(long)

static u64 rnd(struct gen *g)
{
	u64 x = g->rnd += 0x9e3779b97f4a7c15ULL;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

unsigned long gen_below(struct gen *g, unsigned long n)
{
	unsigned long v = 0, bytes;

	if (!g->input)
		return n ? rnd(g) % n : 0;
	for (bytes = n - 1; bytes && g->input < g->input_end; bytes >>= 8)
		v = v << 8 | *g->input++;
	return n ? v % n : 0;
}

bool gen_chance(struct gen *g, unsigned int percent)
{
	return gen_below(g, 100) < percent;
}

bool gen_vacant(struct gen *g, int space, unsigned long addr, size_t size)
{
	size_t i;

	for (i = 0; i < g->nr; i++)
		if (g->blk[i].space == space && addr < g->blk[i].addr + g->blk[i].size &&
		    g->blk[i].addr < addr + size)
			return false;
	return true;
}

bool gen_mapped(unsigned long addr, size_t size)
{
	return addr - W_HEAP <= W_HEAP_SIZE - size ||
	       addr - W_VMALLOC <= W_VMALLOC_SIZE - size ||
	       addr - W_GIANT <= W_GIANT_SIZE - size;
}

struct blk *gen_remember(struct gen *g, int space, unsigned long addr, size_t size)
{
	if (g->nr == g->cap) {
		g->cap = g->cap * 2 + 64;
		g->blk = realloc(g->blk, g->cap * sizeof(*g->blk));
		if (!g->blk)
			abort();
	}
	g->blk[g->nr] = (struct blk){ space, addr, size, 0 };
	if ((g->flavour & GEN_TAGS) && space == G_VIRT && addr - W_HEAP < W_HEAP_SIZE)
		g->blk[g->nr].tag = gen_below(g, 256) << (BITS_PER_LONG - 8);
	return &g->blk[g->nr++];
}

static void forget(struct gen *g, struct blk *b)
{
	g->freed[g->nr_freed++ % ARRAY_SIZE(g->freed)] = b->addr;
	*b = g->blk[--g->nr];
}

struct blk *gen_pick(struct gen *g, int space)
{
	size_t i, from, n = g->nr;

	from = n ? gen_below(g, n) : 0;
	for (i = 0; i < n; i++)
		if (space < 0 || g->blk[(from + i) % n].space == space)
			return &g->blk[(from + i) % n];
	return NULL;
}

static size_t slab_size(struct gen *g)
{
	static const u16 sizes[] = {
		8, 16, 24, 32, 40, 48, 64, 72, 96, 104, 128, 184, 192, 256,
		312, 512, 640, 1024, 2048, 4096, 8192,
	};

	return sizes[min(gen_below(g, ARRAY_SIZE(sizes)), gen_below(g, ARRAY_SIZE(sizes)))];
}

/* An address and a size for a new block, of one of several kinds. */
static void place(struct gen *g, unsigned long *addr, size_t *size)
{
	unsigned long page = W_HEAP + gen_below(g, g->window) / PAGE_SIZE * PAGE_SIZE;
	struct blk *b;

	switch (gen_below(g, 20)) {
	default:		/* a slot of a slab page */
		*size = slab_size(g);
		*addr = page + gen_below(g, max(PAGE_SIZE / *size, 1UL)) * *size;
		return;
	case 11:		/* unaligned */
		*size = 1 + gen_below(g, 300);
		*addr = page + gen_below(g, PAGE_SIZE);
		return;
	case 12:		/* next to another, in its 64-byte block */
		b = gen_pick(g, G_VIRT);
		*size = 8 + gen_below(g, 64);
		*addr = b ? b->addr + b->size : page;
		return;
	case 13:		/* before another */
		b = gen_pick(g, G_VIRT);
		*size = 8 * (1 + gen_below(g, 16));
		*addr = b ? b->addr - *size : page;
		return;
	case 14:		/* whole pages */
		*size = PAGE_SIZE << gen_below(g, 5);
		*addr = ALIGN_DOWN(page, *size);
		return;
	case 15:		/* across the end of a page */
		*size = 16 + 8 * gen_below(g, 200);
		*addr = page + PAGE_SIZE - 8 * (1 + gen_below(g, *size / 8 - 1));
		return;
	case 16:		/* across a boundary of 2 MiB */
		*size = 64 + 8 * gen_below(g, 1500);
		*addr = W_HEAP + (1 + gen_below(g, 8)) * SZ_2M -
			8 * (1 + gen_below(g, *size / 8 - 1));
		return;
	case 17:		/* at the place of a freed block */
		*size = slab_size(g);
		*addr = g->nr_freed ? g->freed[gen_below(g, min_t(size_t, g->nr_freed, 16))] : page;
		return;
	case 18:		/* vmalloc, guard page after it */
		*size = PAGE_SIZE * (1 + gen_below(g, 12));
		*addr = W_VMALLOC + gen_below(g, 64) * 16 * PAGE_SIZE;
		return;
	case 19:		/* far away */
		*size = slab_size(g);
		*addr = W_GIANT + gen_below(g, W_GIANT_SIZE / SZ_2M) * SZ_2M +
			gen_below(g, 512) * 8;
		return;
	}
}

unsigned long gen_cell(struct gen *g)
{
	unsigned long at;
	struct blk *b;

	switch (gen_below(g, 16)) {
	case 0:
		return W_DATA + gen_below(g, W_DATA_SIZE / WORD) * WORD;
	case 1:
		return W_BSS + gen_below(g, W_BSS_SIZE / WORD) * WORD;
	case 2:
		return W_RO + gen_below(g, W_RO_SIZE / WORD) * WORD;
	case 3:
		return W_PCPU_AREA + gen_below(g, g->cpus) * W_PCPU_UNIT +
		       gen_below(g, W_PCPU_STATIC / WORD) * WORD;
	case 4:
		return W_STACKS + gen_below(g, W_NR_TASKS * THREAD_SIZE / WORD) * WORD;
	case 5:
		return W_VMEMMAP + gen_below(g, g->pages) * sizeof(struct page) +
		       (1 + gen_below(g, 5)) * WORD;
	default:
		b = gen_pick(g, -1);
		if (!b)
			return W_DATA;
		at = gen_below(g, min(b->size, SZ_64K + 0UL));
		if (!gen_chance(g, 4))
			at = ALIGN_DOWN(at, WORD);
		if (b->space == G_PCPU)
			return b->addr - W_PCPU_COOKIE + W_PCPU_AREA +
			       gen_below(g, g->cpus) * W_PCPU_UNIT + at;
		/* Unaligned blocks hold their pointers aligned. */
		at += b->space == G_PHYS ? b->addr + PAGE_OFFSET : b->addr;
		return gen_chance(g, 4) ? at : ALIGN(at, WORD);
	}
}

unsigned long gen_pointer(struct gen *g)
{
	struct blk *b = gen_pick(g, -1);
	unsigned long addr;

	if (!b)
		return 0;
	addr = b->addr | b->tag;
	/* A pointer with a wrong tag is a reference, too. */
	if (b->tag && gen_chance(g, 10))
		addr ^= gen_below(g, 256) << (BITS_PER_LONG - 8);
	switch (gen_below(g, 20)) {
	default:
		return addr;
	case 12:
	case 13:
	case 14:
	case 15:
		return addr + gen_below(g, b->size);
	case 16:
		return addr + b->size - 1;
	case 17:
		return addr + b->size;
	case 18:
		return addr - 1;
	case 19:
		return g->freed[gen_below(g, ARRAY_SIZE(g->freed))];
	}
}

void gen_store(struct gen *g, unsigned long at, unsigned long v)
{
	g->cell[g->nr_cells++ % ARRAY_SIZE(g->cell)] = at;
	prog_add(g->p, OP_STORE, at, v, 0);
}

void gen_new_block(struct gen *g)
{
	static const s8 counts[] = { 1, 1, 1, 1, 1, 1, 1, 1, 0, 2, -1 };
	unsigned long addr;
	size_t size;
	int tries;

	for (tries = 0; tries < 8; tries++) {
		place(g, &addr, &size);
		if (!gen_vacant(g, G_VIRT, addr, size) || !gen_mapped(addr, size))
			continue;
		/* It is not defined whether words in two chunks of 4 KiB are read. */
		if (size > PAGE_SIZE && !IS_ALIGNED(addr, 8))
			continue;
		addr |= gen_remember(g, G_VIRT, addr, size)->tag;
		prog_add(g->p, OP_ALLOC, addr, size,
			 (u64)(s64)counts[gen_below(g, ARRAY_SIZE(counts))]);
		if (gen_chance(g, 55))
			gen_store(g, gen_cell(g), addr);
		return;
	}
}

void gen_new_percpu(struct gen *g)
{
	size_t size = 4 << gen_below(g, 9);
	unsigned long addr = W_PCPU_COOKIE + W_PCPU_STATIC +
			     gen_below(g, gen_chance(g, 70) ? SZ_16K :
				       W_PCPU_UNIT - SZ_16K) / 8 * 8;

	if (!gen_vacant(g, G_PCPU, addr, size))
		return;
	gen_remember(g, G_PCPU, addr, size);
	prog_add(g->p, OP_PALLOC, addr, size, 0);
	if (gen_chance(g, 60))
		gen_store(g, gen_cell(g), addr);
}

void gen_new_phys(struct gen *g)
{
	size_t size = 64 << gen_below(g, 9);
	unsigned long addr = gen_below(g, W_PHYS_SIZE - SZ_64K) / 64 * 64;

	if (!gen_vacant(g, G_PHYS, addr, size))
		return;
	gen_remember(g, G_PHYS, addr, size);
	prog_add(g->p, OP_PHYS, addr, size, 0);
}

void gen_new_vmalloc(struct gen *g)
{
	unsigned long vm = W_HEAP + gen_below(g, g->window) / 64 * 64;
	unsigned long addr = W_VMALLOC + gen_below(g, 64) * 16 * PAGE_SIZE;
	size_t size = PAGE_SIZE * (1 + gen_below(g, 8));

	if (!gen_vacant(g, G_VIRT, vm, 64) || !gen_vacant(g, G_VIRT, addr, size))
		return;
	/* The hook reads the block, and this machine cannot read by a tagged pointer. */
	gen_remember(g, G_VIRT, vm, 64)->tag = 0;
	prog_add(g->p, OP_ALLOC, vm, 64, 1);
	gen_remember(g, G_VIRT, addr, size);
	prog_add(g->p, OP_VMALLOC, vm, addr, size);
	if (gen_chance(g, 60))
		gen_store(g, gen_cell(g), addr);
	if (gen_chance(g, 50))
		gen_store(g, gen_cell(g), gen_chance(g, 50) ? vm : addr + gen_below(g, size));
	/* A circle of references does not keep its blocks from being leaks. */
	if (gen_chance(g, 15))
		gen_store(g, vm + 32, vm + gen_below(g, 64));
	if (gen_chance(g, 15))
		gen_store(g, addr + 8 * gen_below(g, size / 8), gen_chance(g, 50) ? vm : addr);
}

void gen_release(struct gen *g)
{
	static const enum op_kind kind[] = { OP_FREE, OP_PFREE, OP_PHYS_PART };
	struct blk *b = gen_pick(g, -1);

	if (!b)
		return;
	prog_add(g->p, kind[b->space], b->addr | b->tag, b->size, 0);
	forget(g, b);
}

/* Free the head, the tail, the middle, or a range that goes beyond the end. */
void gen_release_part(struct gen *g)
{
	struct blk *b = gen_pick(g, gen_chance(g, 70) ? G_VIRT : G_PHYS);
	unsigned long from, to, end, tag;

	if (!b || b->space == G_PCPU || b->size < 16)
		return;
	end = b->addr + b->size;
	from = gen_chance(g, 30) ? b->addr : b->addr + gen_below(g, b->size);
	to = gen_chance(g, 30) ? end : from + 1 + gen_below(g, end - from);
	if (b->size > PAGE_SIZE || gen_chance(g, 70)) {
		from = ALIGN_DOWN(from, 8);
		to = min(ALIGN(to, 8), end);
		if (from < b->addr)
			return;
	}
	if (to <= from)
		return;
	prog_add(g->p, b->space == G_PHYS ? OP_PHYS_PART : OP_FREE_PART, from | b->tag,
		 to - from + (to == end && gen_chance(g, 10) ? 8 : 0), 0);
	tag = b->tag;
	if (to < end)
		gen_remember(g, b->space, to, end - to)->tag = tag;
	/* gen_remember() may have moved the array; find the block again. */
	for (b = g->blk; b->addr + b->size != end || b->addr > from; b++)
		;
	if (from > b->addr)
		b->size = from - b->addr;
	else
		forget(g, b);
}
