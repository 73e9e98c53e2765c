/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Scans, trials of suspects, reports and commands. The functions are in scan.c,
 * trial.c, report.c, leaks.c, refs.c and control.c.
 */
#ifndef _MM_KMEMLEAK_SCAN_H
#define _MM_KMEMLEAK_SCAN_H

#include "mark.h"

/* === Scan =============================================================== */

/*
 * Parameters of scans, and how scans are run and stopped.
 */

struct kml_scan_params {
	unsigned int min_unref_scans;	/* unreferenced scans before a report */
	unsigned int min_age_ms;	/* younger objects are not reported */
	bool since_mark;		/* list objects allocated after "mark" */
	bool verbose;			/* log each report */
	bool stacks;			/* stacks of tasks are roots */
	bool trial;			/* bytewise marks, untracked memory */
	unsigned int trial_marks;	/* limits kml_confirm_all() */
	struct task_struct *thread;	/* the scan thread, or NULL */
};

/* The default of trial_marks. */
#define KML_TRIAL_MARKS		16

extern struct kml_scan_params kml_scan_params;

/*
 * The kinds of scans. A plain scan reports objects that are old enough and that
 * enough scans in a row have found unreferenced. The other kinds are scans of the
 * command "check". Only the last of these reports: objects of any age that none of
 * these scans has found referenced.
 */
enum kml_scan_kind {
	KML_SCAN_PLAIN,
	KML_SCAN_FIRST,
	KML_SCAN_NEXT,
	KML_SCAN_LAST,
};

extern enum kml_scan_kind kml_scan_kind;	/* of the running scan */

/* The scans that kml_scan_halt() ends. */
enum kml_halt {
	KML_HALT_NONE,
	KML_HALT_THREAD,		/* those of the scan thread */
	KML_HALT_ALL,
};

int kml_scan(enum kml_scan_kind kind);
int kml_scan_pause(unsigned int msecs);
bool kml_scan_halted(void);
void kml_scan_sleep(bool sleep);
void kml_scan_halt(enum kml_halt whose);
void kml_scan_resume(enum kml_halt whose);

/* Woken when kml_scan_mutex is released, and when scans are allowed again. */
extern wait_queue_head_t kml_scan_free;

static inline void kml_scan_may_begin(void)
{
	/* has a full barrier: pairs with set_current_state() of the waiting task */
	if (wq_has_sleeper(&kml_scan_free))
		wake_up(&kml_scan_free);
}

static inline void kml_scan_unlock(void)
{
	mutex_unlock(&kml_scan_mutex);
	kml_scan_may_begin();
}

/* === Stages of a scan =================================================== */

bool kml_confirm_prepare(struct kml_worker *w, bool bytewise, bool add);
bool kml_source_sweep(struct kml_worker *w);
void kml_report_suspects(void);

/* === Untracked memory =================================================== */

/*
 * Memory in use that is neither an object nor a root, see trial.c.
 */

bool kml_untracked_next(struct kml_root_sink *sink,
			void (*visit)(struct kml_root_sink *sink, struct page *page,
				      unsigned long pfn));
bool kml_block_copy(void *to, unsigned long from, size_t len);
bool kml_untracked_mark(struct kml_worker *w);
void kml_untracked_drop(void);
unsigned long kml_untracked_nr(void);

/* For kmemleak_pages and kmemleak_leaks. An entry is valid until kml_scan_mutex is released. */
struct kml_held;
const struct kml_held *kml_untracked_get(unsigned long pos);
bool kml_untracked_info(const struct kml_held *h, struct kml_info *info);
void kml_untracked_show(struct seq_file *seq, const struct kml_held *h);

/* === Report ============================================================= */

/*
 * The table of reported objects, and the text of reports.
 */

/*
 * The table. Context: process, kml_scan_mutex held; kml_report_add() also needs
 * leaf->lock. kml_report_listed() may be called in any context, without a lock.
 */
void kml_report_room(unsigned long more);
bool kml_report_add(struct kml_space *space, unsigned long start,
		    const struct kml_cold *cold);
void kml_report_added(void);
unsigned long kml_report_commit(bool verbose);
void kml_report_refresh(void);
void kml_report_compact(void);
void kml_report_drop(void);
bool kml_report_found(void);
unsigned long kml_report_listed(void);
void kml_report_clear(void);
void kml_report_mark(void);
bool kml_report_was_short(void);

/*
 * The conditions for a report: the kind of the scan, and the age that the object had
 * when the scan or its confirming marks began. Context: in a worker, during a scan;
 * leaf->lock protects @cold.
 */
void kml_report_scan_began(void);
bool kml_report_old_enough(const struct kml_cold *cold);
bool kml_report_eligible(u32 state, const struct kml_cold *cold);
unsigned int kml_report_wanted(void);

struct kml_report_entry {
	unsigned long not_start;	/* inverted, untagged */
	unsigned long born;
	u32 stamp;
	u32 same;			/* other new entries with this backtrace */
	u32 scan;			/* number of the scan that reported it first */
	u8 space;
	bool white;			/* at the end of the last complete scan */
};

/* For the files. An entry is valid until kml_scan_mutex is released. */
struct kml_report_entry *kml_report_get(unsigned long pos);
void kml_report_show(struct seq_file *seq, const struct kml_report_entry *e);
unsigned long kml_report_nr(void);
unsigned long kml_report_epoch(void);
unsigned int kml_report_generation(unsigned long born, u32 stamp);
void kml_report_stack(struct seq_file *seq, depot_stack_handle_t trace);
bool kml_report_lock(const struct kml_report_entry *e, struct kml_locked *l);

/* Print the metadata of an object to the log. */
void kml_report_dump(const struct kml_info *info);
unsigned int kml_info_flags(const struct kml_info *info);

/* === Leaks and references for tools ===================================== */

void kml_leaks_drop(void);
void kml_leaks_init(void);
void kml_refs_init(void);

/* === Modules that are gone ============================================== */

/*
 * Names for return addresses in modules that were unloaded after the allocation.
 */

/*
 * Limits: unloaded modules that are remembered, and bytes of symbols. The modules
 * that were loaded first are forgotten first.
 */
#define KML_MODULES_GONE	64
#define KML_MODULES_BYTES	SZ_2M

/* What an address in a module referred to when an object was allocated. */
struct kml_frame {
	const char *module;
	const char *symbol;		/* NULL: unknown */
	unsigned long offset;
	unsigned long size;
	bool unloaded;			/* all of it, not only its init text */
};

/* Does %pS print the symbol that an address had at the allocation? */
enum kml_frame_kind {
	KML_FRAME_LIVE,			/* yes, as far as is known */
	KML_FRAME_GONE,			/* no: struct kml_frame has the symbol */
	KML_FRAME_OTHER,		/* no: another module is there now */
};

#if defined(CONFIG_MODULES) && defined(CONFIG_KALLSYMS)
enum kml_frame_kind kml_modules_frame(unsigned long addr, unsigned long born,
				      struct kml_frame *frame);
void kml_modules_drop(void);
void kml_modules_init(void);
#else
static inline enum kml_frame_kind
kml_modules_frame(unsigned long addr, unsigned long born, struct kml_frame *frame)
{
	return KML_FRAME_LIVE;
}

static inline void kml_modules_drop(void)
{
}

static inline void kml_modules_init(void)
{
}
#endif

/* === Commands and the scan thread ======================================= */

/*
 * Commands, the scan thread, and what happens when kmemleak is disabled.
 */

/* The values of the boot parameters kmemleak= and kmemleak.workers=. */
struct kml_boot {
	bool on;		/* overrides CONFIG_DEBUG_KMEMLEAK_DEFAULT_OFF */
	bool parallel;
	unsigned int workers;	/* with @parallel; 0: one per housekeeping CPU */
};

extern struct kml_boot kml_boot;

extern bool kml_strict;

int kml_control_command(const char *cmd);
void kml_control_late_init(void);

/* === Files in debugfs =================================================== */

void kml_debugfs_init(void);

#endif /* _MM_KMEMLEAK_SCAN_H */
