// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scans while pointers move, and blocks are allocated and freed. A block that is always
 * referenced must not be reported, although its only reference may move once during
 * each scan. All leaks must be reported.
 *
 * Only once: one mark can miss a reference that moves, and the second mark of the scan
 * then finds it. References move between cells that are always referenced: with two
 * moves in a chain both marks could miss a block.
 */
#include "stress.h"
#undef snprintf

#define MOVERS		2
#define THREADS		4	/* the others allocate and free */
#define MOVED		500	/* objects a mover moves */
#define CELLS		2000	/* places for their addresses */
#define CHURN		64	/* blocks a churner has at most */
#define LEAKS		100

struct mover {
	unsigned int at[MOVED];		/* cell that holds the object's address */
	unsigned int moved_in[MOVED];
	unsigned int busy;
};

static struct mover movers[MOVERS];
static size_t churn_size[THREADS][CHURN];
/* Incremented before each scan; a move belongs to one generation. */
static unsigned int generation = 1;

static unsigned long leak_addr(unsigned int i)
{
	return W_HEAP + SZ_16M + i * 4160UL;
}

static unsigned long moved_addr(unsigned int mover, unsigned int i)
{
	return W_HEAP + mover * SZ_4M + i * 192UL;
}

/* A mover's cells: an object of its own, referenced from a section. */
static unsigned long cells_addr(unsigned int mover)
{
	return W_VMALLOC + mover * SZ_1M;
}

static unsigned long *cell(unsigned int mover, unsigned int i)
{
	return (unsigned long *)cells_addr(mover) + i;
}

static unsigned long churn_addr(unsigned int thread, unsigned int i)
{
	return W_HEAP + SZ_64M + thread * SZ_2M + i * 12288UL;
}

static unsigned long *churn_cell(unsigned int thread, unsigned int i)
{
	return (unsigned long *)W_BSS + thread * CHURN + i;
}

static void move(struct worker *w)
{
	struct mover *m = &movers[w->nr];
	unsigned int i = stress_rnd(w) % MOVED, to = stress_rnd(w) % CELLS, gen;

	smp_store_release(&m->busy, 1);
	smp_mb();
	gen = smp_load_acquire(&generation);
	if (m->moved_in[i] != gen && !*cell(w->nr, to)) {
		m->moved_in[i] = gen;
		WRITE_ONCE(*cell(w->nr, to), moved_addr(w->nr, i) + stress_rnd(w) % 128);
		smp_mb();
		WRITE_ONCE(*cell(w->nr, m->at[i]), 0);
		m->at[i] = to;
	}
	smp_store_release(&m->busy, 0);
}

/* A block is referenced from before its insertion until after its removal. */
static void churn(struct worker *w)
{
	unsigned int i = stress_rnd(w) % CHURN;
	unsigned long addr = churn_addr(w->nr, i), flags = 0;
	size_t *size = &churn_size[w->nr][i];
	bool irq = stress_rnd(w) % 2;

	if (irq)
		local_irq_save(flags);
	if (*size) {
		kmemleak_free((void *)addr);
		WRITE_ONCE(*churn_cell(w->nr, i), 0);
		*size = 0;
	} else {
		*size = 8 + stress_rnd(w) % 12000;
		WRITE_ONCE(*churn_cell(w->nr, i), addr + stress_rnd(w) % *size);
		kmemleak_alloc((void *)addr, *size, 1, irq ? GFP_ATOMIC : GFP_KERNEL);
		if (stress_rnd(w) % 16 == 0)
			kmemleak_no_scan((void *)addr);
	}
	if (irq)
		local_irq_restore(flags);
}

static void step(struct worker *w)
{
	if (w->nr < MOVERS)
		move(w);
	else
		churn(w);
}

static void next_generation(void)
{
	unsigned int i;

	smp_store_release(&generation, generation + 1);
	smp_mb();
	for (i = 0; i < MOVERS; i++)
		while (smp_load_acquire(&movers[i].busy))
			cpu_relax();
}

static struct worker workers[THREADS];

static void explain_block(unsigned int t, unsigned int i)
{
	unsigned long addr = churn_addr(t, i);
	char cmd[40];
	size_t off;

	for (off = 0; off < churn_size[t][i]; off += PAGE_SIZE) {
		shim_snprintf(cmd, sizeof(cmd), "dump=0x%lx", addr + off);
		if (world_write(&stress_file, cmd, strlen(cmd)) < 0)
			fprintf(stderr, "# 0x%lx (size %zu): unknown at +0x%zx\n", addr,
				churn_size[t][i], off);
	}
}

/* While all threads are stopped: does the index have all pages of the blocks? */
static void explain(void)
{
	unsigned int t, i;

	stress_stop(workers, THREADS);
	for (t = MOVERS; t < THREADS; t++)
		for (i = 0; i < CHURN; i++)
			explain_block(t, i);
}

/* The number of leaks in the report; -1 if other blocks are in it. */
static int count(char *report)
{
	int n = 0;

	while ((report = strstr(report, "unreferenced object"))) {
		unsigned long addr = strtoul(strstr(report, "0x"), NULL, 16);

		report++;
		if (addr - leak_addr(0) < leak_addr(LEAKS) - leak_addr(0)) {
			n++;
			continue;
		}
		fprintf(stderr, "# reported although referenced: 0x%lx\n", addr);
		explain();
		return -1;
	}
	return n;
}

static void populate(void)
{
	unsigned int m, i;

	for (i = 0; i < LEAKS; i++)
		kmemleak_alloc((void *)leak_addr(i), 8 + i % 4000, 1, GFP_KERNEL);
	for (m = 0; m < MOVERS; m++) {
		kmemleak_alloc((void *)cells_addr(m), CELLS * sizeof(long), 1, GFP_KERNEL);
		WRITE_ONCE(((unsigned long *)W_DATA)[m], cells_addr(m));
		for (i = 0; i < MOVED; i++) {
			movers[m].at[i] = i;
			WRITE_ONCE(*cell(m, i), moved_addr(m, i));
			kmemleak_alloc((void *)moved_addr(m, i), 128, 1, GFP_KERNEL);
		}
	}
}

static int move_case(void *arg)
{
	struct worker *w = workers;
	unsigned int i;
	char *report;
	u64 ops;
	int n = 0;

	stress_boot(4);
	populate();
	stress_start(w, THREADS, step);
	for (i = 0; i < STRESS_SCANS; i++) {
		next_generation();
		TAP_CHECK(stress_scan() == 4, "a scan failed");
		report = stress_report();
		n = count(report);
		free(report);
		TAP_CHECK(n >= 0, "in scan %u", i);
		TAP_CHECK(i < 2 || n == LEAKS, "%d of %d leaks after scan %u", n, LEAKS, i);
	}
	ops = stress_stop(w, THREADS);
	TAP_CHECK(ops > 1000, "only %llu steps", ops);
	fprintf(stderr, "# %d scans, %llu moves, frees and allocations\n", STRESS_SCANS, ops);
	return 0;
}

int main(void)
{
	world_map();
	tap_case("moving blocks are not reported, leaks are", move_case, NULL, 300);
	return tap_done();
}
