// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random programs. The generator plays allocator: it knows which blocks are
 * live, places new ones the way slabs, the page allocator and vmalloc do (and
 * sometimes as nobody does), and stores pointers where kernels keep them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "prog.h"

enum { G_VIRT, G_PCPU, G_PHYS };

struct blk {
	int space;
	unsigned long addr;
	size_t size;
	unsigned long tag;		/* in its pointers, if they have any */
};

struct gen {
	struct prog *p;
	u64 rnd;
	const u8 *input, *input_end;	/* in place of rnd */
	unsigned int flavour, cpus, pages;
	bool early;			/* before kmemleak_init() */
	struct blk *blk;
	size_t nr, cap;
	unsigned long window;		/* how far blocks spread */
	unsigned long freed[16];
	unsigned int nr_freed;
	unsigned long cell[64];		/* where pointers were stored */
	unsigned int nr_cells;
};

static u64 rnd(struct gen *g)
{
	u64 x = g->rnd += 0x9e3779b97f4a7c15ULL;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

/* 0 to @n - 1, at random or as the input has it; 0 when that is used up. */
static unsigned long below(struct gen *g, unsigned long n)
{
	unsigned long v = 0, bytes;

	if (!g->input)
		return n ? rnd(g) % n : 0;
	for (bytes = n - 1; bytes && g->input < g->input_end; bytes >>= 8)
		v = v << 8 | *g->input++;
	return n ? v % n : 0;
}

static bool chance(struct gen *g, unsigned int percent)
{
	return below(g, 100) < percent;
}

static bool vacant(struct gen *g, int space, unsigned long addr, size_t size)
{
	size_t i;

	for (i = 0; i < g->nr; i++)
		if (g->blk[i].space == space && addr < g->blk[i].addr + g->blk[i].size &&
		    g->blk[i].addr < addr + size)
			return false;
	return true;
}

static bool mapped(unsigned long addr, size_t size)
{
	return addr - W_HEAP <= W_HEAP_SIZE - size ||
	       addr - W_VMALLOC <= W_VMALLOC_SIZE - size ||
	       addr - W_GIANT <= W_GIANT_SIZE - size;
}

static struct blk *remember(struct gen *g, int space, unsigned long addr, size_t size)
{
	if (g->nr == g->cap) {
		g->cap = g->cap * 2 + 64;
		g->blk = realloc(g->blk, g->cap * sizeof(*g->blk));
		if (!g->blk)
			abort();
	}
	g->blk[g->nr] = (struct blk){ space, addr, size, 0 };
	if ((g->flavour & GEN_TAGS) && space == G_VIRT && addr - W_HEAP < W_HEAP_SIZE)
		g->blk[g->nr].tag = below(g, 256) << 56;
	return &g->blk[g->nr++];
}

static void forget(struct gen *g, struct blk *b)
{
	g->freed[g->nr_freed++ % ARRAY_SIZE(g->freed)] = b->addr;
	*b = g->blk[--g->nr];
}

static struct blk *pick(struct gen *g, int space)
{
	size_t i, from, n = g->nr;

	from = n ? below(g, n) : 0;
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

	return sizes[min(below(g, ARRAY_SIZE(sizes)), below(g, ARRAY_SIZE(sizes)))];
}

/* An address and a size for a new block, by one of several habits. */
static void place(struct gen *g, unsigned long *addr, size_t *size)
{
	unsigned long page = W_HEAP + below(g, g->window) / PAGE_SIZE * PAGE_SIZE;
	struct blk *b;

	switch (below(g, 20)) {
	default:		/* a slot of a slab page */
		*size = slab_size(g);
		*addr = page + below(g, max(PAGE_SIZE / *size, 1UL)) * *size;
		return;
	case 11:		/* what nobody aligns */
		*size = 1 + below(g, 300);
		*addr = page + below(g, PAGE_SIZE);
		return;
	case 12:		/* next to another, in its 64-byte block */
		b = pick(g, G_VIRT);
		*size = 8 + below(g, 64);
		*addr = b ? b->addr + b->size : page;
		return;
	case 13:		/* before another */
		b = pick(g, G_VIRT);
		*size = 8 * (1 + below(g, 16));
		*addr = b ? b->addr - *size : page;
		return;
	case 14:		/* whole pages */
		*size = PAGE_SIZE << below(g, 5);
		*addr = ALIGN_DOWN(page, *size);
		return;
	case 15:		/* across the end of a page */
		*size = 16 + 8 * below(g, 200);
		*addr = page + PAGE_SIZE - 8 * (1 + below(g, *size / 8 - 1));
		return;
	case 16:		/* across a boundary of 2 MiB */
		*size = 64 + 8 * below(g, 1500);
		*addr = W_HEAP + (1 + below(g, 8)) * SZ_2M - 8 * (1 + below(g, *size / 8 - 1));
		return;
	case 17:		/* where something just was */
		*size = slab_size(g);
		*addr = g->nr_freed ? g->freed[below(g, min_t(size_t, g->nr_freed, 16))] : page;
		return;
	case 18:		/* vmalloc, guard page after it */
		*size = PAGE_SIZE * (1 + below(g, 12));
		*addr = W_VMALLOC + below(g, 64) * 16 * PAGE_SIZE;
		return;
	case 19:		/* far away */
		*size = slab_size(g);
		*addr = W_GIANT + below(g, W_GIANT_SIZE / SZ_2M) * SZ_2M + below(g, 512) * 8;
		return;
	}
}

/* Some word that is, or may be, searched for pointers. */
static unsigned long cell(struct gen *g)
{
	unsigned long at;
	struct blk *b;

	switch (below(g, 16)) {
	case 0:
		return W_DATA + below(g, W_DATA_SIZE / 8) * 8;
	case 1:
		return W_BSS + below(g, W_BSS_SIZE / 8) * 8;
	case 2:
		return W_RO + below(g, W_RO_SIZE / 8) * 8;
	case 3:
		return W_PCPU_AREA + below(g, g->cpus) * W_PCPU_UNIT +
		       below(g, W_PCPU_STATIC / 8) * 8;
	case 4:
		return W_STACKS + below(g, W_NR_TASKS * THREAD_SIZE / 8) * 8;
	case 5:
		return W_VMEMMAP + below(g, g->pages) * 64 + 8 + below(g, 5) * 8;
	default:
		b = pick(g, -1);
		if (!b)
			return W_DATA;
		at = below(g, min(b->size, SZ_64K + 0UL));
		if (!chance(g, 4))
			at = ALIGN_DOWN(at, 8);
		if (b->space == G_PCPU)
			return b->addr - W_PCPU_COOKIE + W_PCPU_AREA +
			       below(g, g->cpus) * W_PCPU_UNIT + at;
		/* Unaligned blocks hold their pointers aligned. */
		at += b->space == G_PHYS ? b->addr + PAGE_OFFSET : b->addr;
		return chance(g, 4) ? at : ALIGN(at, 8);
	}
}

static unsigned long pointer(struct gen *g)
{
	struct blk *b = pick(g, -1);
	unsigned long addr;

	if (!b)
		return 0;
	addr = b->addr | b->tag;
	/* A pointer with a wrong tag is one all the same. */
	if (b->tag && chance(g, 10))
		addr ^= below(g, 256) << 56;
	switch (below(g, 20)) {
	default:
		return addr;
	case 12:
	case 13:
	case 14:
	case 15:
		return addr + below(g, b->size);
	case 16:
		return addr + b->size - 1;
	case 17:
		return addr + b->size;
	case 18:
		return addr - 1;
	case 19:
		return g->freed[below(g, ARRAY_SIZE(g->freed))];
	}
}

static void store(struct gen *g, unsigned long at, unsigned long v)
{
	g->cell[g->nr_cells++ % ARRAY_SIZE(g->cell)] = at;
	prog_add(g->p, OP_STORE, at, v, 0);
}

static void new_block(struct gen *g)
{
	static const s8 counts[] = { 1, 1, 1, 1, 1, 1, 1, 1, 0, 2, -1 };
	unsigned long addr;
	size_t size;
	int tries;

	for (tries = 0; tries < 8; tries++) {
		place(g, &addr, &size);
		if (!vacant(g, G_VIRT, addr, size) || !mapped(addr, size))
			continue;
		/* Words across the end of a 4 KiB chunk are nobody's promise. */
		if (size > PAGE_SIZE && !IS_ALIGNED(addr, 8))
			continue;
		addr |= remember(g, G_VIRT, addr, size)->tag;
		prog_add(g->p, OP_ALLOC, addr, size,
			 (u64)(s64)counts[below(g, ARRAY_SIZE(counts))]);
		if (chance(g, 55))
			store(g, cell(g), addr);
		return;
	}
}

static void new_percpu(struct gen *g)
{
	size_t size = 4 << below(g, 9);
	unsigned long addr = W_PCPU_COOKIE + W_PCPU_STATIC +
			     below(g, chance(g, 70) ? SZ_16K : W_PCPU_UNIT - SZ_16K) / 8 * 8;

	if (!vacant(g, G_PCPU, addr, size))
		return;
	remember(g, G_PCPU, addr, size);
	prog_add(g->p, OP_PALLOC, addr, size, 0);
	if (chance(g, 60))
		store(g, cell(g), addr);
}

static void new_phys(struct gen *g)
{
	size_t size = 64 << below(g, 9);
	unsigned long addr = below(g, W_PHYS_SIZE - SZ_64K) / 64 * 64;

	if (!vacant(g, G_PHYS, addr, size))
		return;
	remember(g, G_PHYS, addr, size);
	prog_add(g->p, OP_PHYS, addr, size, 0);
}

static void new_vmalloc(struct gen *g)
{
	unsigned long vm = W_HEAP + below(g, g->window) / 64 * 64;
	unsigned long addr = W_VMALLOC + below(g, 64) * 16 * PAGE_SIZE;
	size_t size = PAGE_SIZE * (1 + below(g, 8));

	if (!vacant(g, G_VIRT, vm, 64) || !vacant(g, G_VIRT, addr, size))
		return;
	/* The hook reads it, and this machine cannot read through a tag. */
	remember(g, G_VIRT, vm, 64)->tag = 0;
	prog_add(g->p, OP_ALLOC, vm, 64, 1);
	remember(g, G_VIRT, addr, size);
	prog_add(g->p, OP_VMALLOC, vm, addr, size);
	if (chance(g, 60))
		store(g, cell(g), addr);
	if (chance(g, 50))
		store(g, cell(g), chance(g, 50) ? vm : addr + below(g, size));
}

static void release(struct gen *g)
{
	static const enum op_kind kind[] = { OP_FREE, OP_PFREE, OP_PHYS_PART };
	struct blk *b = pick(g, -1);

	if (!b)
		return;
	prog_add(g->p, kind[b->space], b->addr | b->tag, b->size, 0);
	forget(g, b);
}

/* Free the head, the tail, the middle or a stretch beyond the end. */
static void release_part(struct gen *g)
{
	struct blk *b = pick(g, chance(g, 70) ? G_VIRT : G_PHYS);
	unsigned long from, to, end, tag;

	if (!b || b->space == G_PCPU || b->size < 16)
		return;
	end = b->addr + b->size;
	from = chance(g, 30) ? b->addr : b->addr + below(g, b->size);
	to = chance(g, 30) ? end : from + 1 + below(g, end - from);
	if (b->size > PAGE_SIZE || chance(g, 70)) {
		from = ALIGN_DOWN(from, 8);
		to = min(ALIGN(to, 8), end);
		if (from < b->addr)
			return;
	}
	if (to <= from)
		return;
	prog_add(g->p, b->space == G_PHYS ? OP_PHYS_PART : OP_FREE_PART, from | b->tag,
		 to - from + (to == end && chance(g, 10) ? 8 : 0), 0);
	tag = b->tag;
	if (to < end)
		remember(g, b->space, to, end - to)->tag = tag;
	/* remember() may have moved the array; find the block again. */
	for (b = g->blk; b->addr + b->size != end || b->addr > from; b++)
		;
	if (from > b->addr)
		b->size = from - b->addr;
	else
		forget(g, b);
}

static void paint(struct gen *g)
{
	static const enum op_kind virt[] = {
		OP_GREY, OP_TRANSIENT, OP_IGNORE, OP_NO_SCAN, OP_TRACE, OP_AREA, OP_AREA,
	};
	struct blk *b = pick(g, -1);
	enum op_kind kind;
	unsigned long addr;

	/* No scan areas before init: stock lacks memory for them, no kernel asks. */
	if (!b)
		return;
	if (b->space == G_PCPU || b->space == G_PHYS) {
		prog_add(g->p, b->space == G_PCPU ? OP_PIGNORE : OP_PHYS_IGNORE, b->addr, 0, 0);
		return;
	}
	kind = virt[below(g, ARRAY_SIZE(virt) - 2 * g->early)];
	addr = (chance(g, 90) ? b->addr : b->addr + below(g, b->size)) | b->tag;
	if (kind == OP_AREA) {
		unsigned long at = below(g, b->size) & ~7UL;

		prog_add(g->p, kind, (b->addr + at) | b->tag,
			 chance(g, 25) ? SIZE_MAX : chance(g, 90) ? 1 + below(g, b->size - at) :
			 b->size + 8, 0);
		return;
	}
	prog_add(g->p, kind, addr, 0, 0);
}

/* NULL, error pointers, unknown and inner addresses: tolerated everywhere. */
static void nonsense(struct gen *g)
{
	static const enum op_kind kind[] = {
		OP_ALLOC, OP_FREE, OP_FREE_PART, OP_PALLOC, OP_PFREE, OP_PIGNORE, OP_GREY,
		OP_TRANSIENT, OP_IGNORE, OP_NO_SCAN, OP_TRACE, OP_PHYS_IGNORE, OP_AREA,
	};
	static const long bad[] = { 0, -ENOMEM, -1, -MAX_ERRNO };
	enum op_kind k = kind[below(g, ARRAY_SIZE(kind) - g->early)];
	unsigned long addr = bad[below(g, ARRAY_SIZE(bad))];

	if (k != OP_ALLOC && k != OP_PALLOC && chance(g, 60)) {
		addr = W_HEAP + W_HEAP_SIZE - SZ_1M + below(g, SZ_1M);
		if (k == OP_PFREE || k == OP_PIGNORE)
			addr = W_PCPU_COOKIE + W_PCPU_UNIT - 1 - below(g, 4096);
	}
	prog_add(g->p, k, addr, 8 + below(g, 100), 1);
}

static void change_context(struct gen *g)
{
	switch (below(g, 5)) {
	case 0:
		prog_add(g->p, OP_STACK, below(g, 12), 0, 0);
		break;
	case 1:
		prog_add(g->p, OP_TASK, below(g, 4), 0, 0);
		break;
	case 2:
		prog_add(g->p, OP_CTX, chance(g, 60) ? 0 : below(g, 4), 0, 0);
		break;
	case 3:
		prog_add(g->p, OP_GFP, below(g, 2), 0, 0);
		break;
	case 4:
		prog_add(g->p, OP_CPU, below(g, g->cpus), 0, 0);
		break;
	}
}

static void control(struct gen *g)
{
	static const unsigned int chunks[] = { 0, 1, 7, 64, 255, 4096, 131072 };
	struct blk *b;

	switch (g->flavour & GEN_CALM ? 13 : below(g, 22)) {
	case 0:
		prog_add_text(g->p, OP_CMD, "clear");
		break;
	case 1:
		prog_add_text(g->p, OP_CMD, "stack=%s", chance(g, 50) ? "on" : "off");
		break;
	case 2:
		b = pick(g, -1);
		prog_add_text(g->p, OP_CMD, "dump=0x%lx",
			      b ? b->addr + (chance(g, 50) ? 0 : below(g, b->size)) : 0);
		break;
	case 3:
		prog_add_text(g->p, OP_PARAM, "min_unref_scans %lu", below(g, 4));
		break;
	case 4:
		prog_add_text(g->p, OP_PARAM, "verbose %lu", below(g, 2));
		break;
	case 5:
		prog_add_text(g->p, OP_CMD, "scan=off");
		break;
	case 6:
		prog_add(g->p, OP_PAGE, below(g, g->pages), below(g, 3), 0);
		break;
	case 7:
		prog_add(g->p, OP_RESCHED, below(g, 2), 0, 0);
		break;
	case 8:
	case 9:
		prog_add(g->p, chance(g, 50) ? OP_CAT : OP_READ,
			 chunks[below(g, ARRAY_SIZE(chunks))], 0, 0);
		break;
	case 10:
		if (g->flavour & GEN_SIGNAL)
			prog_add(g->p, OP_SIGNAL, below(g, 2), 0, 0);
		break;
	case 11:
		if (g->flavour & GEN_THREAD)
			prog_add_text(g->p, OP_CMD, "scan=%s", chance(g, 50) ? "on" : "20");
		break;
	case 12:
		prog_add_text(g->p, OP_CMD, "%s", chance(g, 50) ? "nonsense" : "scan=x");
		break;
	default:
		prog_add(g->p, OP_TIME, 1 + below(g, 7000), 0, 0);
		prog_add_text(g->p, OP_CMD, "scan");
		if (chance(g, 50))
			prog_add(g->p, OP_READ, 0, 0, 0);
		break;
	}
}

static void clear(struct gen *g)
{
	unsigned long at;

	if (!g->nr_cells)
		return;
	at = g->cell[below(g, min_t(size_t, g->nr_cells, ARRAY_SIZE(g->cell)))];
	prog_add(g->p, chance(g, 70) || !IS_ALIGNED(at, 8) ? OP_STORE : OP_ERASE, at, 0, 0);
}

static void step(struct gen *g)
{
	switch (below(g, 40)) {
	default:
		new_block(g);
		break;
	case 12:
		new_percpu(g);
		break;
	case 13:
		new_phys(g);
		break;
	case 14:
		new_vmalloc(g);
		break;
	case 15 ... 18:
		release(g);
		break;
	case 19:
		release_part(g);
		break;
	case 20 ... 26:
		store(g, cell(g), pointer(g));
		break;
	case 27 ... 29:
		clear(g);
		break;
	case 30 ... 31:
		paint(g);
		break;
	case 32:
		nonsense(g);
		break;
	case 33:
		change_context(g);
		break;
	case 34:
		if (g->nr) {
			struct blk *b = pick(g, G_VIRT);

			if (b)
				prog_add(g->p, OP_FILL, b->addr, min(b->size, 64UL),
					 below(g, 256));
		}
		break;
	case 35 ... 39:
		control(g);
		break;
	}
}

static void settle(struct gen *g, unsigned int scans)
{
	prog_add(g->p, OP_CTX, 0, 0, 0);
	while (scans--) {
		prog_add(g->p, OP_TIME, 6000, 0, 0);
		prog_add_text(g->p, OP_CMD, "scan");
		prog_add(g->p, OP_READ, 0, 0, 0);
	}
}

/*
 * A block over one that exists: over its head, its tail, inside or all around;
 * over one only, for which of two is in the way is not defined.
 */
static void overlap(struct gen *g)
{
	struct blk *b = chance(g, 70) ? pick(g, G_VIRT) : NULL, old;
	unsigned long from, to;
	bool one;

	if (!b) {
		prog_add_text(g->p, OP_CMD, "off");
		return;
	}
	old = *b;
	from = chance(g, 50) ? old.addr + below(g, old.size) : old.addr - below(g, 64);
	to = chance(g, 50) ? old.addr + 1 + below(g, old.size) : old.addr + old.size + below(g, 64);
	if (to <= from)
		to = max(from, old.addr) + 1;
	*b = g->blk[--g->nr];
	one = vacant(g, G_VIRT, from, to - from);
	remember(g, G_VIRT, old.addr, old.size);
	if (one && mapped(from, to - from))
		prog_add(g->p, OP_ALLOC, from, to - from, 1);
	else
		prog_add(g->p, OP_ALLOC, old.addr, 1, 1);
}

/* MiBs, at intervals' borders and across them; GiBs have programs of their own. */
static void giants(struct gen *g)
{
	unsigned long addr = W_GIANT + below(g, 30) * SZ_1G + below(g, 512) * PAGE_SIZE;
	size_t size = SZ_256K * (1 + below(g, 20));

	if (!vacant(g, G_VIRT, addr, size))
		return;
	remember(g, G_VIRT, addr, size);
	prog_add(g->p, OP_ALLOC, addr, size, 1);
	store(g, cell(g), addr + below(g, size));
}

/*
 * Never GEN_SIGNAL: after a stopped scan stock shows objects that are referenced
 * again, and takes the stop for a scan where checksums are concerned. Ours does
 * neither; stop_test.c has the rules.
 */
unsigned int gen_flavour(u64 seed)
{
	unsigned int f = 0;

	if (seed % 16 == 3)
		f |= GEN_OVERLAP;
	if (seed % 32 == 11)
		f |= GEN_THREAD;
	if (seed % 64 == 13)
		f |= GEN_GIANT;
	return f;
}

/* For a world that goes on: all is freed and forgotten at the end. */
static void tidy(struct gen *g)
{
	static const enum op_kind plain[] = {
		OP_CTX, OP_GFP, OP_TASK, OP_STACK, OP_CPU, OP_RESCHED,
	};
	size_t i, nr = g->p->nr;

	while (g->nr)
		release(g);
	for (i = 0; i < nr; i++) {
		struct op op = g->p->op[i];

		if (op.kind == OP_STORE)
			prog_add(g->p, OP_STORE, op.a[0], 0, 0);
		if (op.kind == OP_FILL)
			prog_add(g->p, OP_FILL, op.a[0], op.a[1], 0);
		if (op.kind == OP_VMALLOC)
			prog_add(g->p, OP_FILL, op.a[0], sizeof(struct vm_struct), 0);
	}
	for (i = 0; i < ARRAY_SIZE(plain); i++)
		prog_add(g->p, plain[i], 0, 0, 0);
	prog_add(g->p, OP_PAGES, g->pages, 0, 0);
	prog_add_text(g->p, OP_CMD, "stack=on");
	prog_add_text(g->p, OP_PARAM, "min_unref_scans 1");
	prog_add_text(g->p, OP_PARAM, "verbose 0");
	settle(g, 1);
}

void prog_generate_from(struct prog *p, const u8 *input, size_t len)
{
	struct gen g = { .p = p, .input = input, .input_end = input + len };
	int steps = 0;

	g.cpus = shim_nr_cpus;
	g.pages = 128;
	prog_add(p, OP_PAGES, g.pages, 0, 0);
	g.window = PAGE_SIZE << below(&g, 12);
	while (g.input < g.input_end && ++steps < 400)
		step(&g);
	settle(&g, 2);
	tidy(&g);
	free(g.blk);
}

void prog_generate(struct prog *p, u64 seed, unsigned int flavour)
{
	struct gen g = { .p = p, .rnd = seed * 0x632be59bd9b4e019ULL + 1, .flavour = flavour };
	unsigned int n, i;

	g.cpus = 1 + below(&g, 4);
	g.pages = 64 << below(&g, 4);
	g.window = PAGE_SIZE << below(&g, 12);
	prog_add(p, OP_CPUS, g.cpus, 0, 0);
	prog_add(p, OP_PAGES, g.pages, 0, 0);
	if (chance(&g, 20))
		prog_add_text(p, OP_BOOT, "on");
	g.early = true;
	for (i = below(&g, 3) ? 0 : below(&g, 12); i--;)
		step(&g);
	g.early = false;
	prog_add(p, OP_CTX, 0, 0, 0);
	prog_add(p, OP_INIT, 0, 0, 0);
	for (i = below(&g, 2) ? 0 : below(&g, 12); i--;)
		step(&g);
	prog_add(p, OP_CTX, 0, 0, 0);
	prog_add(p, OP_LATE, 0, 0, 0);
	n = 20 + below(&g, 10 + below(&g, 400));
	while (n--) {
		if ((flavour & GEN_GIANT) && chance(&g, 2))
			giants(&g);
		step(&g);
	}
	settle(&g, 3);
	if (flavour & GEN_OVERLAP) {
		overlap(&g);
		for (i = 0; i < 10; i++)
			step(&g);
		prog_add(p, OP_CTX, 0, 0, 0);
		prog_add_text(p, OP_CMD, "scan");
		prog_add(p, OP_READ, 0, 0, 0);
		prog_add_text(p, OP_CMD, "clear");
		prog_add(p, OP_READ, 0, 0, 0);
	}
	free(g.blk);
}
