// SPDX-License-Identifier: GPL-2.0-only
/* See span.h. */
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "../os.h"

#ifdef SHIM_SPANS

#define SITES		512
#define BUCKETS		(40 * 8)	/* 8 to each power of two of ns */

struct site {
	void *place;
	unsigned long count, disturbed, max, bucket[BUCKETS];
	double sum;
};

static struct site sites[SHIM_NR_SPANS][SITES];
static raw_spinlock_t sites_lock;

static __thread unsigned long began[SHIM_NR_SPANS];
static __thread long switches;
static __thread unsigned long disturbed_at;
static __thread bool counting;

static unsigned long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000UL + ts.tv_nsec;
}

/* The times at which the host has taken the CPU away. */
static long disturbances(void)
{
	struct rusage u;

	getrusage(RUSAGE_THREAD, &u);
	return u.ru_nivcsw + u.ru_minflt + u.ru_majflt;
}

static unsigned int bucket_of(unsigned long ns)
{
	unsigned int log = ns < 8 ? 3 : fls64(ns) - 1;

	return min((log - 3) * 8 + (unsigned int)(ns >> (log - 3)) % 8, BUCKETS - 1U);
}

static double bucket_us(unsigned int b)
{
	return (8UL + b % 8 + 1) * (1UL << b / 8) / 1e3;
}

static struct site *site_of(enum shim_span_kind kind, void *place)
{
	struct site *s = sites[kind];
	unsigned long i = (unsigned long)place * 2654435761U % SITES, n;

	for (n = 0; n < SITES; n++, i = (i + 1) % SITES) {
		if (!s[i].place)
			s[i].place = place;
		if (s[i].place == place)
			return &s[i];
	}
	abort();
}

void shim_span_begin(struct shim_thread *t, enum shim_span_kind kind)
{
	began[kind] = counting ? 0 : now();
}

/* Only long spans are checked for disturbances, since this takes time. */
#define LONG_NS		3000

noinline void shim_span_end(struct shim_thread *t, enum shim_span_kind kind)
{
	void *place = __builtin_return_address(0);
	unsigned long ns, was = began[kind];
	bool disturbed = false;
	struct site *s;

	if (counting || !was)
		return;
	ns = now() - was;
	counting = true;
	if (ns > LONG_NS) {
		long n = disturbances();

		if (n != switches)
			disturbed_at = was + ns;
		switches = n;
		/* perhaps in a shorter span inside this one */
		disturbed = disturbed_at >= was;
	}
	while (__atomic_exchange_n(&sites_lock.owner, 1, __ATOMIC_ACQUIRE))
		;
	s = site_of(kind, place);
	if (disturbed) {
		s->disturbed++;
	} else {
		s->count++;
		s->sum += ns;
		s->max = max(s->max, ns);
		s->bucket[bucket_of(ns)]++;
	}
	__atomic_store_n(&sites_lock.owner, 0, __ATOMIC_RELEASE);
	counting = false;
	began[kind] = 0;
}

void shim_spans_clear(void)
{
	memset(sites, 0, sizeof(sites));
	switches = disturbances();
}

static int worse(const void *a, const void *b)
{
	const struct shim_site *x = a, *y = b;

	return (x->max < y->max) - (x->max > y->max);
}

void shim_spans_list(enum shim_span_kind kind, struct shim_site *site, unsigned int *nr)
{
	unsigned int i, b, room = *nr;

	*nr = 0;
	for (i = 0; i < SITES && *nr < room; i++) {
		struct site *s = &sites[kind][i];
		unsigned long left = s->count / 10000;

		if (!s->count)
			continue;
		for (b = BUCKETS - 1; b && left >= s->bucket[b]; b--)
			left -= s->bucket[b];
		site[(*nr)++] = (struct shim_site){
			.place = s->place,
			.count = s->count,
			.disturbed = s->disturbed,
			.max = s->max / 1e3,
			.p9999 = bucket_us(b),
			.mean = s->sum / s->count / 1e3,
		};
	}
	qsort(site, *nr, sizeof(*site), worse);
}
#endif
