/* SPDX-License-Identifier: GPL-2.0-only */
/* How far a scan is, and how the last ones went. */
#ifndef _MM_KMEMLEAK_PROGRESS_H
#define _MM_KMEMLEAK_PROGRESS_H

#include "stats.h"

/* Scans remembered, the last one included. */
#define KML_SCANS_KEPT	8

/* The running scan. Written by its initiator, read by anybody. */
struct kml_progress {
	u64 begin;			/* ktime_get_ns(); 0: no scan runs */
	u64 stage_begin;
	u64 expected;			/* bytes the last whole scan read */
	enum kml_stage stage;
};

extern struct kml_progress kml_progress;

void kml_progress_begin(unsigned int workers);
void kml_progress_stage(enum kml_stage stage);
void kml_progress_end(const struct kml_mark_stats *sum, bool done);
unsigned int kml_progress_last(struct kml_scan_stats *scans);
const char *kml_stage_name(enum kml_stage stage);

#endif /* _MM_KMEMLEAK_PROGRESS_H */
