/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The times for which other tasks may have to wait. With SHIM_SPANS, each span of a
 * thread without preemption, in an RCU read-side section (on many kernels the same), and
 * between two chances to reschedule is measured, and counted for the line where it ends.
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

/* One line: the number of spans, their maximum and percentiles. */
struct shim_site {
	void *place;
	unsigned long count;
	unsigned long disturbed;	/* disturbed by the host: not counted */
	double max, p9999, mean;	/* us */
};

/* For new threads. @nr: in, room; out, lines. The worst come first. */
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
