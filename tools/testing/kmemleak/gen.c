// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random programs: the operations, their order, and the beginning and the end of a
 * program of each flavour.
 */
#include <stdlib.h>

#include "gen.h"

static void paint(struct gen *g)
{
	static const enum op_kind virt[] = {
		OP_GREY, OP_TRANSIENT, OP_IGNORE, OP_NO_SCAN, OP_TRACE, OP_AREA, OP_AREA,
	};
	struct blk *b = gen_pick(g, -1);
	enum op_kind kind;
	unsigned long addr;

	/* No scan areas before init: stock has no memory for them, and no kernel sets any. */
	if (!b)
		return;
	if (b->space == G_PCPU || b->space == G_PHYS) {
		prog_add(g->p, b->space == G_PCPU ? OP_PIGNORE : OP_PHYS_IGNORE, b->addr, 0, 0);
		return;
	}
	kind = virt[gen_below(g, ARRAY_SIZE(virt) - 2 * g->early)];
	addr = (gen_chance(g, 90) ? b->addr : b->addr + gen_below(g, b->size)) | b->tag;
	if (kind == OP_AREA) {
		unsigned long at = gen_below(g, b->size) & ~7UL;

		prog_add(g->p, kind, (b->addr + at) | b->tag,
			 gen_chance(g, 25) ? SIZE_MAX :
			 gen_chance(g, 90) ? 1 + gen_below(g, b->size - at) : b->size + 8, 0);
		return;
	}
	prog_add(g->p, kind, addr, 0, 0);
}

/* NULL, error pointers, unknown and inner addresses: all hooks accept these. */
static void nonsense(struct gen *g)
{
	static const enum op_kind kind[] = {
		OP_ALLOC, OP_FREE, OP_FREE_PART, OP_PALLOC, OP_PFREE, OP_PIGNORE, OP_GREY,
		OP_TRANSIENT, OP_IGNORE, OP_NO_SCAN, OP_TRACE, OP_PHYS_IGNORE, OP_AREA,
	};
	static const long bad[] = { 0, -ENOMEM, -1, -MAX_ERRNO };
	enum op_kind k = kind[gen_below(g, ARRAY_SIZE(kind) - g->early)];
	unsigned long addr = bad[gen_below(g, ARRAY_SIZE(bad))];

	if (k != OP_ALLOC && k != OP_PALLOC && gen_chance(g, 60)) {
		addr = W_HEAP + W_HEAP_SIZE - SZ_1M + gen_below(g, SZ_1M);
		if (k == OP_PFREE || k == OP_PIGNORE)
			addr = W_PCPU_COOKIE + W_PCPU_UNIT - 1 - gen_below(g, 4096);
	}
	prog_add(g->p, k, addr, 8 + gen_below(g, 100), 1);
}

static void change_context(struct gen *g)
{
	switch (gen_below(g, 5)) {
	case 0:
		prog_add(g->p, OP_STACK, gen_below(g, 12), 0, 0);
		break;
	case 1:
		prog_add(g->p, OP_TASK, gen_below(g, 4), 0, 0);
		break;
	case 2:
		prog_add(g->p, OP_CTX, gen_chance(g, 60) ? 0 : gen_below(g, 4), 0, 0);
		break;
	case 3:
		prog_add(g->p, OP_GFP, gen_below(g, 2), 0, 0);
		break;
	case 4:
		prog_add(g->p, OP_CPU, gen_below(g, g->cpus), 0, 0);
		break;
	}
}

static void control(struct gen *g)
{
	static const unsigned int chunks[] = { 0, 1, 7, 64, 255, 4096, 131072 };
	struct blk *b;

	switch (g->flavour & GEN_CALM ? 13 : gen_below(g, 22)) {
	case 0:
		prog_add_text(g->p, OP_CMD, "clear");
		break;
	case 1:
		prog_add_text(g->p, OP_CMD, "stack=%s", gen_chance(g, 50) ? "on" : "off");
		break;
	case 2:
		b = gen_pick(g, -1);
		prog_add_text(g->p, OP_CMD, "dump=0x%lx",
			      b ? b->addr + (gen_chance(g, 50) ? 0 : gen_below(g, b->size)) : 0);
		break;
	case 3:
		prog_add_text(g->p, OP_PARAM, "min_unref_scans %lu", gen_below(g, 4));
		break;
	case 4:
		prog_add_text(g->p, OP_PARAM, "verbose %lu", gen_below(g, 2));
		break;
	case 5:
		prog_add_text(g->p, OP_CMD, "scan=off");
		break;
	case 6:
		prog_add(g->p, OP_PAGE, gen_below(g, g->pages), gen_below(g, 3), 0);
		break;
	case 7:
		prog_add(g->p, OP_RESCHED, gen_below(g, 2), 0, 0);
		break;
	case 8:
	case 9:
		prog_add(g->p, gen_chance(g, 50) ? OP_CAT : OP_READ,
			 chunks[gen_below(g, ARRAY_SIZE(chunks))], 0, 0);
		break;
	case 10:
		if (g->flavour & GEN_SIGNAL)
			prog_add(g->p, OP_SIGNAL, gen_below(g, 2), 0, 0);
		break;
	case 11:
		if (g->flavour & GEN_THREAD)
			prog_add_text(g->p, OP_CMD, "scan=%s", gen_chance(g, 50) ? "on" : "20");
		break;
	case 12:
		prog_add_text(g->p, OP_CMD, "%s", gen_chance(g, 50) ? "nonsense" : "scan=x");
		break;
	default:
		prog_add(g->p, OP_TIME, 1 + gen_below(g, 7000), 0, 0);
		prog_add_text(g->p, OP_CMD, "scan");
		if (gen_chance(g, 50))
			prog_add(g->p, OP_READ, 0, 0, 0);
		break;
	}
}

static void clear(struct gen *g)
{
	unsigned long at;

	if (!g->nr_cells)
		return;
	at = g->cell[gen_below(g, min_t(size_t, g->nr_cells, ARRAY_SIZE(g->cell)))];
	prog_add(g->p, gen_chance(g, 70) || !IS_ALIGNED(at, 8) ? OP_STORE : OP_ERASE, at, 0, 0);
}

static void step(struct gen *g)
{
	switch (gen_below(g, 40)) {
	default:
		gen_new_block(g);
		break;
	case 12:
		gen_new_percpu(g);
		break;
	case 13:
		gen_new_phys(g);
		break;
	case 14:
		gen_new_vmalloc(g);
		break;
	case 15 ... 18:
		gen_release(g);
		break;
	case 19:
		gen_release_part(g);
		break;
	case 20 ... 26:
		gen_store(g, gen_cell(g), gen_pointer(g));
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
			struct blk *b = gen_pick(g, G_VIRT);

			if (b)
				prog_add(g->p, OP_FILL, b->addr, min(b->size, 64UL),
					 gen_below(g, 256));
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
 * Insert a block that overlaps an existing one: its head, its tail, a part inside, or
 * all of it. Only one, since it is not defined which of two would be named.
 */
static void overlap(struct gen *g)
{
	struct blk *b = gen_chance(g, 70) ? gen_pick(g, G_VIRT) : NULL, old;
	unsigned long from, to;
	bool one;

	if (!b) {
		prog_add_text(g->p, OP_CMD, "off");
		return;
	}
	old = *b;
	from = gen_chance(g, 50) ? old.addr + gen_below(g, old.size) : old.addr - gen_below(g, 64);
	to = old.addr + (gen_chance(g, 50) ? 1 + gen_below(g, old.size) :
			 old.size + gen_below(g, 64));
	if (to <= from)
		to = max(from, old.addr) + 1;
	*b = g->blk[--g->nr];
	one = gen_vacant(g, G_VIRT, from, to - from);
	gen_remember(g, G_VIRT, old.addr, old.size);
	if (one && gen_mapped(from, to - from))
		prog_add(g->p, OP_ALLOC, from, to - from, 1);
	else
		prog_add(g->p, OP_ALLOC, old.addr, 1, 1);
}

/* Blocks of MiBs, at borders of intervals and across them; GiBs: progs/giant.prog. */
static void giants(struct gen *g)
{
	unsigned long addr = W_GIANT + gen_below(g, 30) * W_GIANT_STEP +
			     gen_below(g, 512) * PAGE_SIZE;
	size_t size = SZ_256K * (1 + gen_below(g, 20));

	if (!gen_vacant(g, G_VIRT, addr, size))
		return;
	gen_remember(g, G_VIRT, addr, size);
	prog_add(g->p, OP_ALLOC, addr, size, 1);
	gen_store(g, gen_cell(g), addr + gen_below(g, size));
}

/*
 * Never GEN_SIGNAL: after a stopped scan stock shows objects that are referenced again,
 * and has changed checksums. Ours has not; stop_test.c has the rules.
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

/* Free all blocks at the end, for the next program in the same process. */
static void tidy(struct gen *g)
{
	static const enum op_kind plain[] = {
		OP_CTX, OP_GFP, OP_TASK, OP_STACK, OP_CPU, OP_RESCHED,
	};
	size_t i, nr = g->p->nr;

	while (g->nr)
		gen_release(g);
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
	g.window = PAGE_SIZE << gen_below(&g, 12);
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

	g.cpus = 1 + gen_below(&g, 4);
	g.pages = 64 << gen_below(&g, 4);
	g.window = PAGE_SIZE << gen_below(&g, 12);
	prog_add(p, OP_CPUS, g.cpus, 0, 0);
	prog_add(p, OP_PAGES, g.pages, 0, 0);
	if (gen_chance(&g, 20))
		prog_add_text(p, OP_BOOT, "on");
	g.early = true;
	for (i = gen_below(&g, 3) ? 0 : gen_below(&g, 12); i--;)
		step(&g);
	g.early = false;
	prog_add(p, OP_CTX, 0, 0, 0);
	prog_add(p, OP_INIT, 0, 0, 0);
	for (i = gen_below(&g, 2) ? 0 : gen_below(&g, 12); i--;)
		step(&g);
	prog_add(p, OP_CTX, 0, 0, 0);
	prog_add(p, OP_LATE, 0, 0, 0);
	n = 20 + gen_below(&g, 10 + gen_below(&g, 400));
	while (n--) {
		if ((flavour & GEN_GIANT) && gen_chance(&g, 2))
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
