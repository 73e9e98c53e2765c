// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUs go offline and come online while several workers scan: a helper may give its
 * work back at any point, and the others do it. Each scan must report all leaks and no
 * other block, in a graph that is deep, wide, and has objects that are read in slices.
 */
#include "stress.h"
#undef snprintf

#define CPUS		4
#define NODES		20000UL
#define NODE_SIZE	96UL
#define LARGE		8		/* of 1 MiB each */
#define LEAKS		64

static unsigned long node(unsigned long i)
{
	return W_HEAP + i * NODE_SIZE;
}

static unsigned long large(unsigned int i)
{
	return W_VMALLOC + i * SZ_2M;
}

static unsigned long leak(unsigned int i)
{
	return W_HEAP + SZ_64M + i * 256;
}

static unsigned long *word(unsigned long addr, unsigned int i)
{
	return (unsigned long *)addr + i;
}

/*
 * A tree below the first node, a list of the last half, and a node for each slice of
 * each large object, which refers to it.
 */
static void populate(void)
{
	unsigned long i, next = NODES;
	unsigned int j, k;

	for (i = 0; i < NODES; i++) {
		kmemleak_alloc((void *)node(i), NODE_SIZE, 1, GFP_KERNEL);
		if (i < NODES / 2) {
			*word(node(i), 2) = node(min(2 * i + 1, NODES - 1)) + 5;
			*word(node(i), 3) = node(min(2 * i + 2, NODES - 1));
		} else if (i + 1 < NODES) {
			*word(node(i), 11) = node(i + 1);
		}
	}
	*word(W_DATA, 0) = node(0);
	for (j = 0; j < LARGE; j++) {
		kmemleak_alloc((void *)large(j), SZ_1M, 1, GFP_KERNEL);
		*word(W_DATA, 1 + j) = large(j) + 77;
		for (k = 0; k < 16; k++, next++) {
			kmemleak_alloc((void *)node(next), NODE_SIZE, 1, GFP_KERNEL);
			*word(large(j) + k * SZ_64K, stress_rnd_seed(next) % 8000) = node(next);
		}
	}
	for (j = 0; j < LEAKS; j++)
		kmemleak_alloc((void *)leak(j), 64, 1, GFP_KERNEL);
}

/* Take a CPU offline and online again, after different delays. */
static void step(struct worker *w)
{
	unsigned int cpu = stress_rnd(w) % CPUS, spin = stress_rnd(w) % 100000;

	shim_cpu_down(cpu);
	while (spin--)
		cpu_relax();
	shim_cpu_up(cpu);
	for (spin = stress_rnd(w) % 100000; spin; spin--)
		cpu_relax();
}

static int count(char *report)
{
	int n = 0;

	while ((report = strstr(report, "unreferenced object"))) {
		unsigned long addr = strtoul(strstr(report, "0x"), NULL, 16);

		report++;
		if (addr - leak(0) >= leak(LEAKS) - leak(0)) {
			fprintf(stderr, "# reported although referenced: 0x%lx\n", addr);
			return -1;
		}
		n++;
	}
	return n;
}

static int park_case(void *arg)
{
	struct worker w[1] = { 0 };
	static const char * const modes[] = { "parallel=4", "parallel=2", "parallel=on" };
	unsigned int i;
	char *report;
	u64 ops;
	int n;

	stress_boot(CPUS);
	populate();
	TAP_CHECK(world_write(&stress_file, "parallel=4", 10) == 10, "no threads");
	stress_start(w, 1, step);
	for (i = 0; i < STRESS_SCANS; i++) {
		const char *mode = modes[i % ARRAY_SIZE(modes)];

		world_write(&stress_file, mode, strlen(mode));
		TAP_CHECK(stress_scan() == 4, "a scan failed");
		report = stress_report();
		n = count(report);
		free(report);
		TAP_CHECK(n == (i ? LEAKS : 0), "%d of %d leaks after scan %u", n, LEAKS, i);
	}
	ops = stress_stop(w, 1);
	TAP_CHECK(ops > 100, "only %llu CPUs went", ops);
	fprintf(stderr, "# %d scans, %llu CPUs went and came\n", STRESS_SCANS, ops);
	return 0;
}

int main(void)
{
	world_map();
	tap_case("scans while CPUs go offline and come online", park_case, NULL, 300);
	return tap_done();
}
