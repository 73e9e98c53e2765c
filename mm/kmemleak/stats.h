/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters. Per CPU once the pool is ready; before, one CPU runs and a plain
 * array does (per-CPU data written that early would be copied to every CPU).
 */
#ifndef _MM_KMEMLEAK_STATS_H
#define _MM_KMEMLEAK_STATS_H

#include "os.h"
#include "state.h"

enum kml_counter {
	KML_C_ALLOCS,		/* ever filed */
	KML_C_FREES,
	KML_C_OVERLAPS,
	KML_C_RESERVED,		/* put into the reserve for want of memory */
	KML_C_LOST,		/* not even the reserve had room */
	KML_C_REGRAINS,		/* page descriptors rebuilt */
	KML_C_PIN_WAITS,	/* frees that waited for a scan to let go */
	KML_C_META_BYTES,	/* metadata in use, early pool included */
	KML_NR_COUNTERS,
};

struct kml_counters {
	long v[KML_NR_COUNTERS];
};

DECLARE_PER_CPU(struct kml_counters, kml_counters);
extern struct kml_counters kml_early_counters;

/*
 * May be called with or without preemption. The early array is written by one
 * CPU only, with IRQs off.
 */
static inline void kml_count_add(enum kml_counter c, long n)
{
	if (likely(kml_pool_ready()))
		this_cpu_add(kml_counters.v[c], n);
	else
		kml_early_counters.v[c] += n;
}

/* Cheaper: IRQs are off. */
static inline void kml_count_irqs_off(enum kml_counter c)
{
	if (likely(kml_pool_ready()))
		this_cpu_ptr(&kml_counters)->v[c]++;
	else
		kml_early_counters.v[c]++;
}

static inline void kml_count_inc(enum kml_counter c)
{
	kml_count_add(c, 1);
}

long kml_count_sum(enum kml_counter c);
long kml_count_objects(void);
const char *kml_counter_name(enum kml_counter c);

/* What a worker has done, or all of them. */
struct kml_mark_stats {
	u64 words;			/* read through the filter */
	u64 candidates;			/* passed the filter */
	u64 settled;			/* of those, needed no look-up */
	u64 lookups;
	u64 objects;			/* whose content was read */
	u64 overflows;			/* work list full, objects left pending */
	u64 steals;			/* blocks of work that others had filled */
	u64 ns;				/* at work or waiting for some */
};

/* The phases of a scan; include/trace/events/kmemleak.h names them, too. */
enum kml_stage {
	KML_STAGE_IDLE,
	KML_STAGE_PREPARE,
	KML_STAGE_MARK,
	KML_STAGE_CHECK,
	KML_STAGE_CONFIRM,
	KML_STAGE_REPORT,
	KML_NR_STAGES,
};

/* A scan: the running one (kml_scan_mutex), or one that has ended. */
struct kml_scan_stats {
	unsigned long seq;		/* since boot, from 1 */
	unsigned long all_stopped;	/* since boot, not finished */
	bool stopped;
	u64 ns;				/* from begin to end */
	u64 stage_ns[KML_NR_STAGES];
	struct kml_mark_stats sum;
	unsigned int workers;
	unsigned long suspects;		/* after the first mark */
	unsigned int marks;		/* the first and the confirming ones */
	unsigned long in_pages;		/* referenced by untracked memory alone */
	unsigned long leaks;		/* after confirmation, new */
};

extern struct kml_scan_stats kml_scan_stats;

#endif /* _MM_KMEMLEAK_STATS_H */
