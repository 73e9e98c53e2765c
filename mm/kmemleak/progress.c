// SPDX-License-Identifier: GPL-2.0-only
/*
 * Progress of the running scan, statistics of the last ones, and their
 * tracepoints. What is shown of a running scan is read while it changes: each
 * value is right, or was a moment ago.
 */

#include "os.h"
#include "progress.h"

#define CREATE_TRACE_POINTS
#include <trace/events/kmemleak.h>

struct kml_progress kml_progress;
struct kml_scan_stats kml_scan_stats;

/* The last scans, the most recent one first. */
static struct kml_scan_stats kml_last[KML_SCANS_KEPT];
static unsigned int kml_nr_last;
static DEFINE_SPINLOCK(kml_last_lock);

static const char * const kml_stage_names[] = {
	[KML_STAGE_IDLE]	= "idle",
	[KML_STAGE_PREPARE]	= "prepare",
	[KML_STAGE_MARK]	= "mark",
	[KML_STAGE_CHECK]	= "check",
	[KML_STAGE_CONFIRM]	= "confirm",
	[KML_STAGE_REPORT]	= "report",
};

static_assert(ARRAY_SIZE(kml_stage_names) == KML_NR_STAGES);

const char *kml_stage_name(enum kml_stage stage)
{
	return kml_stage_names[stage];
}

/**
 * kml_progress_begin() - a scan begins
 * @workers: who may take part
 *
 * Context: process, kml_scan_mutex held.
 */
void kml_progress_begin(unsigned int workers)
{
	struct kml_scan_stats *s = &kml_scan_stats;
	unsigned long seq = s->seq + 1;

	*s = (struct kml_scan_stats){
		.seq = seq,
		.all_stopped = s->all_stopped,
		.workers = workers,
	};
	WRITE_ONCE(kml_progress.stage_begin, ktime_get_ns());
	WRITE_ONCE(kml_progress.begin, kml_progress.stage_begin);
	trace_kmemleak_scan_begin(seq, kml_count_objects(), workers);
}

/* The next stage begins, and the one before ends. Context: as above. */
void kml_progress_stage(enum kml_stage stage)
{
	u64 now = ktime_get_ns();

	if (kml_progress.stage) {
		kml_scan_stats.stage_ns[kml_progress.stage] +=
			now - kml_progress.stage_begin;
		trace_kmemleak_phase_end(kml_progress.stage);
	}
	WRITE_ONCE(kml_progress.stage_begin, now);
	WRITE_ONCE(kml_progress.stage, stage);
	if (stage)
		trace_kmemleak_phase_begin(stage);
}

/* The scan has ended. Context: as above. */
void kml_progress_end(const struct kml_mark_stats *sum, bool done)
{
	struct kml_scan_stats *s = &kml_scan_stats;

	kml_progress_stage(KML_STAGE_IDLE);
	s->sum = *sum;
	s->stopped = !done;
	s->all_stopped += !done;
	s->ns = ktime_get_ns() - kml_progress.begin;
	if (done)
		WRITE_ONCE(kml_progress.expected, sum->words * sizeof(long));
	WRITE_ONCE(kml_progress.begin, 0);

	spin_lock(&kml_last_lock);
	memmove(kml_last + 1, kml_last, sizeof(kml_last) - sizeof(kml_last[0]));
	kml_last[0] = *s;
	kml_nr_last = min(kml_nr_last + 1, KML_SCANS_KEPT);
	spin_unlock(&kml_last_lock);
	trace_kmemleak_scan_end(s->seq, done, s->ns, s->suspects, s->leaks);
}

/**
 * kml_progress_last() - how did the last scans go?
 * @scans: room for KML_SCANS_KEPT, filled with the most recent one first
 *
 * Context: process.
 * Return: how many.
 */
unsigned int kml_progress_last(struct kml_scan_stats *scans)
{
	unsigned int nr;

	spin_lock(&kml_last_lock);
	memcpy(scans, kml_last, sizeof(kml_last));
	nr = kml_nr_last;
	spin_unlock(&kml_last_lock);
	return nr;
}
