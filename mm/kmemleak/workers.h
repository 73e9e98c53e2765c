/* SPDX-License-Identifier: GPL-2.0-only */
/* Who does the work of a scan: its initiator, and helpers on other CPUs. */
#ifndef _MM_KMEMLEAK_WORKERS_H
#define _MM_KMEMLEAK_WORKERS_H

#include "mark.h"

/*
 * Where more work comes from. Called by each worker over and over; does a part
 * of what there is (some ms at most) and returns true, or finds that nothing is
 * left, for anybody, and returns false.
 */
typedef bool (*kml_source)(struct kml_worker *w);

/* How many mark, the initiator included; KML_WORKERS_ALL: one a CPU. */
#define KML_WORKERS_ALL	UINT_MAX

int kml_workers_init(void);
int kml_workers_set(unsigned int nr);
unsigned int kml_workers_wanted(void);

struct kml_worker *kml_workers_begin(bool (*stop)(void));
void kml_workers_end(struct kml_mark_stats *sum);
bool kml_workers_run(kml_source source, bool drain);
void kml_workers_feed(struct kml_worker *w);
bool kml_workers_leaving(const struct kml_worker *w);
unsigned int kml_workers_nr(void);
u64 kml_workers_words(void);
void kml_workers_poke(void);
bool kml_workers_has(const struct task_struct *task);

/* Calls @fn for the initiator's worker and those of all helpers. */
void kml_workers_each(void (*fn)(struct kml_worker *w, void *data), void *data);

#endif /* _MM_KMEMLEAK_WORKERS_H */
