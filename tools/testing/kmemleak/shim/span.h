/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long may somebody have to wait? With SHIM_SPANS every stretch of a thread
 * without preemption, in an RCU read-side section (on many kernels the same) and
 * between two chances to reschedule is timed, by the place where it ended.
 */
#ifndef _SHIM_SPAN_H
#define _SHIM_SPAN_H

enum shim_span_kind {
	SHIM_SPAN_ATOMIC,
	SHIM_SPAN_RCU,
	SHIM_SPAN_POLL,
	SHIM_NR_SPANS,
};

struct shim_thread;

#ifdef SHIM_SPANS
void shim_span_begin(struct shim_thread *t, enum shim_span_kind kind);
void shim_span_end(struct shim_thread *t, enum shim_span_kind kind);

/* One place: how often, and how long at most and at the usual percentiles. */
struct shim_site {
	void *place;
	unsigned long count;
	unsigned long disturbed;	/* preempted meanwhile: not counted */
	double max, p9999, mean;	/* us */
};

/* For threads to come. @nr: in, room; out, sites. Worst first. */
void shim_spans_clear(void);
void shim_spans_list(enum shim_span_kind kind, struct shim_site *site, unsigned int *nr);
#else
static inline void shim_span_begin(struct shim_thread *t, enum shim_span_kind kind)
{
}

static inline void shim_span_end(struct shim_thread *t, enum shim_span_kind kind)
{
}
#endif

#endif /* _SHIM_SPAN_H */
