/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM kmemleak

#if !defined(_TRACE_KMEMLEAK_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_KMEMLEAK_H

#include <linux/tracepoint.h>

/* enum kml_stage: tools find the values in the format of the events */
TRACE_DEFINE_ENUM(KML_STAGE_IDLE);
TRACE_DEFINE_ENUM(KML_STAGE_PREPARE);
TRACE_DEFINE_ENUM(KML_STAGE_MARK);
TRACE_DEFINE_ENUM(KML_STAGE_CHECK);
TRACE_DEFINE_ENUM(KML_STAGE_CONFIRM);
TRACE_DEFINE_ENUM(KML_STAGE_REPORT);

#define kmemleak_show_stage(stage)					\
	__print_symbolic(stage,						\
			 { KML_STAGE_IDLE,	"idle" },		\
			 { KML_STAGE_PREPARE,	"prepare" },		\
			 { KML_STAGE_MARK,	"mark" },		\
			 { KML_STAGE_CHECK,	"check" },		\
			 { KML_STAGE_CONFIRM,	"confirm" },		\
			 { KML_STAGE_REPORT,	"report" })

/**
 * kmemleak_scan_begin - a scan begins
 * @seq:	number of the scan since boot
 * @objects:	objects tracked
 * @workers:	CPUs that will take part, at most
 */
TRACE_EVENT(kmemleak_scan_begin,

	TP_PROTO(unsigned long seq, long objects, unsigned int workers),

	TP_ARGS(seq, objects, workers),

	TP_STRUCT__entry(
		__field(unsigned long,	seq)
		__field(long,		objects)
		__field(unsigned int,	workers)
	),

	TP_fast_assign(
		__entry->seq		= seq;
		__entry->objects	= objects;
		__entry->workers	= workers;
	),

	TP_printk("seq=%lu objects=%ld workers=%u",
		  __entry->seq, __entry->objects, __entry->workers)
);

/**
 * kmemleak_scan_end - a scan has ended
 * @seq:	number of the scan since boot
 * @done:	false if it was stopped
 * @ns:		from begin to end
 * @suspects:	objects unreferenced after the first mark
 * @leaks:	objects reported for the first time
 */
TRACE_EVENT(kmemleak_scan_end,

	TP_PROTO(unsigned long seq, bool done, u64 ns, unsigned long suspects,
		 unsigned long leaks),

	TP_ARGS(seq, done, ns, suspects, leaks),

	TP_STRUCT__entry(
		__field(unsigned long,	seq)
		__field(u64,		ns)
		__field(unsigned long,	suspects)
		__field(unsigned long,	leaks)
		__field(bool,		done)
	),

	TP_fast_assign(
		__entry->seq		= seq;
		__entry->ns		= ns;
		__entry->suspects	= suspects;
		__entry->leaks		= leaks;
		__entry->done		= done;
	),

	TP_printk("seq=%lu done=%d ns=%llu suspects=%lu leaks=%lu",
		  __entry->seq, __entry->done, __entry->ns,
		  __entry->suspects, __entry->leaks)
);

DECLARE_EVENT_CLASS(kmemleak_stage,

	TP_PROTO(unsigned int stage),

	TP_ARGS(stage),

	TP_STRUCT__entry(
		__field(unsigned int,	stage)
	),

	TP_fast_assign(
		__entry->stage		= stage;
	),

	TP_printk("stage=%s", kmemleak_show_stage(__entry->stage))
);

/**
 * kmemleak_stage_begin - a stage of a scan begins
 * @stage:	which
 */
DEFINE_EVENT(kmemleak_stage, kmemleak_stage_begin,
	TP_PROTO(unsigned int stage),
	TP_ARGS(stage)
);

/**
 * kmemleak_stage_end - a stage of a scan has ended
 * @stage:	which
 */
DEFINE_EVENT(kmemleak_stage, kmemleak_stage_end,
	TP_PROTO(unsigned int stage),
	TP_ARGS(stage)
);

/**
 * kmemleak_worker_begin - a CPU begins its part of a job
 * @stage:	to which the job belongs
 */
DEFINE_EVENT(kmemleak_stage, kmemleak_worker_begin,
	TP_PROTO(unsigned int stage),
	TP_ARGS(stage)
);

/**
 * kmemleak_worker_end - a CPU has done its part of a job
 * @stage:	to which the job belongs
 * @words:	read
 * @candidates:	of those, between the lowest and the highest object
 * @settled:	of those, needed no look-up
 * @lookups:	for the others
 * @steals:	blocks of work taken from the shared list
 */
TRACE_EVENT(kmemleak_worker_end,

	TP_PROTO(unsigned int stage, u64 words, u64 candidates, u64 settled,
		 u64 lookups, u64 steals),

	TP_ARGS(stage, words, candidates, settled, lookups, steals),

	TP_STRUCT__entry(
		__field(u64,		words)
		__field(u64,		candidates)
		__field(u64,		settled)
		__field(u64,		lookups)
		__field(u64,		steals)
		__field(unsigned int,	stage)
	),

	TP_fast_assign(
		__entry->words		= words;
		__entry->candidates	= candidates;
		__entry->settled	= settled;
		__entry->lookups	= lookups;
		__entry->steals		= steals;
		__entry->stage		= stage;
	),

	TP_printk("stage=%s words=%llu candidates=%llu settled=%llu lookups=%llu steals=%llu",
		  kmemleak_show_stage(__entry->stage), __entry->words,
		  __entry->candidates, __entry->settled, __entry->lookups,
		  __entry->steals)
);

/**
 * kmemleak_report - an object is reported for the first time
 * @ptr:	as the allocator returned it; the text has its hash
 * @size:	in bytes
 * @pid:	of the task that allocated it
 */
TRACE_EVENT(kmemleak_report,

	TP_PROTO(const void *ptr, size_t size, int pid),

	TP_ARGS(ptr, size, pid),

	TP_STRUCT__entry(
		__field(const void *,	ptr)
		__field(size_t,		size)
		__field(int,		pid)
	),

	TP_fast_assign(
		__entry->ptr		= ptr;
		__entry->size		= size;
		__entry->pid		= pid;
	),

	TP_printk("ptr=%p size=%zu pid=%d", __entry->ptr, __entry->size,
		  __entry->pid)
);

#endif /* _TRACE_KMEMLEAK_H */

/* This part must be outside protection */
#include <trace/define_trace.h>
