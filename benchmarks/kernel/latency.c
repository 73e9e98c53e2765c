// SPDX-License-Identifier: GPL-2.0-only
/*
 * The times of single allocations and frees: quantiles and the maximum. Two readings of
 * the clock with nothing between them are measured in the same way: the share of
 * interrupts and of the host.
 */

#include <linux/bitops.h>
#include <linux/ktime.h>
#include <linux/spinlock.h>

#include "scale.h"

/* Sixteen steps for each power of two: 6 % apart, exact below 16 ns. */
#define STEP_BITS	4
#define STEPS		(1U << STEP_BITS)
#define NR_BUCKETS	(64U * STEPS)

enum what { ALLOC, FREE, NOTHING, NR_WHAT };

static const char * const names[NR_WHAT] = { "alloc", "free", "clock" };

struct histogram {
	u32 count[NR_BUCKETS];
	u64 nr, max;
};

struct latency {
	void **slot;
	unsigned long nr;
	struct rnd_state rnd;
	struct histogram of[NR_WHAT];
};

static struct histogram total[NR_WHAT];
static DEFINE_SPINLOCK(total_lock);

static unsigned int bucket(u64 ns)
{
	unsigned int order;

	if (ns < STEPS)
		return ns;
	order = fls64(ns) - 1 - STEP_BITS;
	return (order + 1) * STEPS + ((ns >> order) & (STEPS - 1));
}

/* The longest time that falls into bucket @b. */
static u64 bucket_limit(unsigned int b)
{
	if (b < STEPS)
		return b;
	return ((u64)(STEPS + b % STEPS + 1) << (b / STEPS - 1)) - 1;
}

static void note(struct histogram *h, u64 ns)
{
	h->count[bucket(ns)]++;
	h->nr++;
	h->max = max(h->max, ns);
}

static void pair_latency(void *arg)
{
	struct latency *l = arg;
	void **slot = &l->slot[prandom_u32_state(&l->rnd) % l->nr];
	u64 t0, t1, t2, t3;

	t0 = ktime_get_ns();
	t1 = ktime_get_ns();
	kfree(*slot);
	t2 = ktime_get_ns();
	*slot = kmalloc(scale_size, GFP_KERNEL);
	t3 = ktime_get_ns();
	note(&l->of[NOTHING], t1 - t0);
	note(&l->of[FREE], t2 - t1);
	note(&l->of[ALLOC], t3 - t2);
}

static void latency_add(struct latency *l)
{
	unsigned int i, b;

	spin_lock(&total_lock);
	for (i = 0; i < NR_WHAT; i++) {
		for (b = 0; b < NR_BUCKETS; b++)
			total[i].count[b] += l->of[i].count[b];
		total[i].nr += l->of[i].nr;
		total[i].max = max(total[i].max, l->of[i].max);
	}
	spin_unlock(&total_lock);
}

static void latency_exit(void *arg)
{
	struct latency *l = arg;
	unsigned long i;

	latency_add(l);
	for (i = 0; l->slot && i < l->nr; i++)
		kfree(l->slot[i]);
	vfree(l->slot);
	vfree(l);
}

static void *latency_init(unsigned int thread)
{
	struct latency *l = vzalloc(sizeof(*l));
	unsigned long i;

	if (!l)
		return NULL;
	prandom_seed_state(&l->rnd, thread + 1);
	l->nr = scale_objects;
	l->slot = vzalloc(array_size(l->nr, sizeof(void *)));
	for (i = 0; l->slot && i < l->nr; i++) {
		l->slot[i] = kmalloc(scale_size, GFP_KERNEL);
		if (!l->slot[i])
			break;
	}
	if (l->slot && i == l->nr)
		return l;
	latency_exit(l);
	return NULL;
}

static u64 quantile(const struct histogram *h, unsigned int permille)
{
	u64 seen = 0, want = div_u64(h->nr * permille + 999, 1000);
	unsigned int b;

	for (b = 0; b < NR_BUCKETS; b++) {
		seen += h->count[b];
		if (seen >= want)
			return min(bucket_limit(b), h->max);
	}
	return h->max;
}

static void latency_print(unsigned int nthreads)
{
	unsigned int i;

	for (i = 0; i < NR_WHAT; i++) {
		const struct histogram *h = &total[i];
		const char *name = names[i];

		if (i != NOTHING) {
			scale_out("latency_%s_p50_%u %llu ns", name, nthreads, quantile(h, 500));
			scale_out("latency_%s_p99_%u %llu ns", name, nthreads, quantile(h, 990));
		}
		scale_out("latency_%s_p99.9_%u %llu ns", name, nthreads, quantile(h, 999));
		scale_out("latency_%s_max_%u %llu ns", name, nthreads, h->max);
		scale_out("latency_%s_samples_%u %llu samples", name, nthreads, h->nr);
	}
	memset(total, 0, sizeof(total));
}

const struct scale_test scale_latency = {
	.name = "latency", .pair = pair_latency, .init = latency_init,
	.exit = latency_exit, .print = latency_print,
};
