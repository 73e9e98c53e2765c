// SPDX-License-Identifier: GPL-2.0-only
/*
 * No block is read after kmemleak_free() has returned. Blocks have pages of their own,
 * which are made inaccessible when the hook returns. A scan, a checksum or a report
 * that still reads one crashes.
 */
#include "stress.h"
#undef snprintf

#define THREADS		3
/* Few blocks, so that even a slow scan reads faster than they are replaced. */
#define SLOTS		96
#define SLOT_PAGES	16

struct slot {
	unsigned long addr;
	size_t size;		/* of the registered block; 0: none */
	bool percpu;
};

static struct slot slots[THREADS][SLOTS];

static unsigned long *cell(unsigned int thread, unsigned int i)
{
	return (unsigned long *)W_DATA + thread * SLOTS + i;
}

static void protect(unsigned long addr, size_t size, int prot)
{
	if (mprotect((void *)addr, size, prot))
		shim_fatal("mprotect: %d", errno);
}

static void protect_slot(struct slot *s, size_t from, int prot)
{
	unsigned long at = s->addr - W_PCPU_COOKIE + W_PCPU_AREA;
	unsigned int cpu;

	if (!s->percpu) {
		protect(s->addr + from, s->size - from, prot);
		return;
	}
	for (cpu = 0; cpu < nr_cpu_ids; cpu++)
		protect(at + cpu * W_PCPU_UNIT + from, s->size - from, prot);
}

/* Fill a block with work for a scan: pointers to blocks of other threads. */
static void fill(struct worker *w, struct slot *s)
{
	unsigned long *p = (unsigned long *)s->addr;
	size_t i;

	for (i = 0; i < s->size / sizeof(long); i += 1 + stress_rnd(w) % 8) {
		struct slot *to = &slots[stress_rnd(w) % THREADS][stress_rnd(w) % SLOTS];

		WRITE_ONCE(p[i], READ_ONCE(to->addr));
	}
}

static void take(struct worker *w, struct slot *s, unsigned int i)
{
	s->size = PAGE_SIZE * (1 + stress_rnd(w) % SLOT_PAGES);
	if (s->percpu)
		s->size = PAGE_SIZE;
	protect_slot(s, 0, PROT_READ | PROT_WRITE);
	if (s->percpu) {
		kmemleak_alloc_percpu((void *)s->addr, s->size, GFP_KERNEL);
	} else {
		fill(w, s);
		kmemleak_alloc((void *)s->addr, s->size, 1, GFP_KERNEL);
	}
	/* One third are leaks, which are checksummed and reported instead of scanned. */
	if (stress_rnd(w) % 3)
		WRITE_ONCE(*cell(w->nr, i), s->addr + stress_rnd(w) % s->size);
}

static void give(struct worker *w, struct slot *s, unsigned int i)
{
	unsigned long flags;

	WRITE_ONCE(*cell(w->nr, i), 0);
	/* Sometimes the tail is freed first, sometimes an interrupt handler frees. */
	if (!s->percpu && s->size > 4 * PAGE_SIZE && stress_rnd(w) % 4 == 0) {
		size_t keep = 2 * PAGE_SIZE;

		kmemleak_free_part((void *)(s->addr + keep), s->size - keep);
		protect_slot(s, keep, PROT_NONE);
		s->size = keep;
		return;
	}
	if (s->percpu) {
		kmemleak_free_percpu((void *)s->addr);
	} else if (stress_rnd(w) % 4 == 0) {
		local_irq_save(flags);
		kmemleak_free((void *)s->addr);
		local_irq_restore(flags);
	} else {
		kmemleak_free((void *)s->addr);
	}
	protect_slot(s, 0, PROT_NONE);
	s->size = 0;
}

static void step(struct worker *w)
{
	unsigned int i = stress_rnd(w) % SLOTS;
	struct slot *s = &slots[w->nr][i];

	if (s->size)
		give(w, s, i);
	else
		take(w, s, i);
	if (SHIM_TSAN)
		sched_yield();
}

static void late_read(int sig, siginfo_t *info, void *ctx)
{
	unsigned long addr = (unsigned long)info->si_addr;
	static const char text[] = "# read after kmemleak_free() returned\n";

	if (addr - W_BASE < W_END - W_BASE && write(2, text, sizeof(text) - 1) < 0)
		_exit(98);
	_exit(addr - W_BASE < W_END - W_BASE ? 97 : 96);
}

static int free_case(void *arg)
{
	struct sigaction sa = { .sa_sigaction = late_read, .sa_flags = SA_SIGINFO };
	struct worker w[THREADS] = { 0 };
	unsigned int i, t;
	u64 ops;

	sigaction(SIGSEGV, &sa, NULL);
	for (t = 0; t < THREADS; t++) {
		for (i = 0; i < SLOTS; i++) {
			struct slot *s = &slots[t][i];

			s->percpu = i % 8 == 7;
			s->addr = s->percpu ?
				W_PCPU_COOKIE + (16 + t * SLOTS / 8 + i / 8) * PAGE_SIZE :
				W_VMALLOC + (t * SLOTS + i) * (SLOT_PAGES + 1) * PAGE_SIZE;
		}
	}
	stress_boot(4);
	stress_start(w, THREADS, step);
	for (i = 0; i < STRESS_SCANS; i++) {
		TAP_CHECK(stress_scan() == 4, "a scan failed");
		free(stress_report());
	}
	ops = stress_stop(w, THREADS);
	TAP_CHECK(ops > 100, "only %llu steps", ops);
	fprintf(stderr, "# %d scans, %llu frees and allocations\n", STRESS_SCANS, ops);
	return 0;
}

int main(void)
{
	world_map();
	tap_case("no read after kmemleak_free() returned", free_case, NULL, 300);
	return tap_done();
}
