// SPDX-License-Identifier: GPL-2.0-only
/*
 * A copy of the per-CPU section for each CPU, and a simple allocator for the memory
 * after it. The copies must exist before a constructor uses a variable.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "../os.h"

#define SHIM_PCPU_DYN	(1UL << 20)

extern char __start_shim_percpu[], __stop_shim_percpu[];
/* The section has to exist even if the core defines no variable. */
static DEFINE_PER_CPU(long, shim_percpu_anchor);

unsigned long shim_percpu_off[NR_CPUS];
struct cpumask shim_cpu_mask;
void (*shim_percpu_hook)(void *p, size_t size);
void (*shim_percpu_unhook)(void *p);
static size_t shim_pcpu_used;

static void __attribute__((__constructor__(101))) shim_percpu_setup(void)
{
	size_t size = __stop_shim_percpu - __start_shim_percpu;
	size_t unit = ALIGN(size + SHIM_PCPU_DYN + 4096, 4096);
	size_t slack = (unsigned long)__start_shim_percpu & 4095;
	char *base;
	int cpu;

	base = mmap(NULL, unit * NR_CPUS, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		shim_fatal("no memory for per-CPU data");
	for (cpu = 0; cpu < NR_CPUS; cpu++) {
		char *copy = base + cpu * unit + slack;

		memcpy(copy, __start_shim_percpu, size);
		shim_percpu_off[cpu] = (unsigned long)copy - (unsigned long)__start_shim_percpu;
	}
	shim_percpu_anchor = 0;
	shim_pcpu_used = ALIGN(size, 64);
	for (cpu = 0; cpu < (int)shim_nr_cpus; cpu++)
		__set_bit(cpu, shim_cpu_mask.bits);
}

/* Memory is not freed: the core allocates per-CPU memory once. */
void *shim_alloc_percpu(size_t size, size_t align)
{
	size_t at = ALIGN(shim_pcpu_used, max_t(size_t, align, 8));
	size_t limit = __stop_shim_percpu - __start_shim_percpu + SHIM_PCPU_DYN;

	void *p;

	shim_might_sleep("alloc_percpu");
	if (at + size > limit)
		return NULL;
	shim_pcpu_used = at + size;
	p = (void *)((unsigned long)__start_shim_percpu + at);
	if (shim_percpu_hook)
		shim_percpu_hook(p, size);
	return p;
}

void free_percpu(void *p)
{
	if (p && shim_percpu_unhook)
		shim_percpu_unhook(p);
}

const struct cpumask *shim_cpumask_of(int cpu)
{
	static struct cpumask masks[NR_CPUS];

	__set_bit(cpu, masks[cpu].bits);
	return &masks[cpu];
}

/* Run as the other CPU, whose threads wait for its token. */
void smp_call_function_single(int cpu, void (*fn)(void *), void *arg, int wait)
{
	struct shim_thread *t = shim_self();
	int was = t->cpu;

	if (t->atomic_depth)
		shim_fatal("cross-CPU call from atomic context");
	t->cpu = cpu;
	t->hardirq++;
	local_irq_disable();
	fn(arg);
	local_irq_enable();
	t->hardirq--;
	t->cpu = was;
}

void on_each_cpu(void (*fn)(void *), void *arg, int wait)
{
	int cpu;

	for_each_online_cpu(cpu)
		smp_call_function_single(cpu, fn, arg, wait);
}
