/* SPDX-License-Identifier: GPL-2.0-only */
/* Scans, trials, reports, control. */
#ifndef _MM_KMEMLEAK_SCAN_H
#define _MM_KMEMLEAK_SCAN_H

#include "mark.h"

/* === Scan =============================================================== */

/*
 * A scan, from beginning to end.
 */

struct kml_scan_params {
	unsigned int min_unref_scans;	/* unreferenced this often: reported */
	unsigned int min_age_ms;	/* and if they are as old */
	bool since_mark;		/* list only what was born since "mark" */
	bool verbose;			/* log each report */
	bool stacks;			/* task stacks are roots */
	bool trial;			/* suspects get more than one aligned mark */
	unsigned int trial_marks;	/* confirming marks at most, with @trial */
	struct task_struct *thread;	/* but not this one's: it only scans */
};

/* The default of trial_marks. */
#define KML_TRIAL_MARKS		16

extern struct kml_scan_params kml_scan_params;

/*
 * What a scan is for: a report by the rules, or a part of "check". Of those only the
 * last one reports: what none of them has found referenced, whatever its age.
 */
enum kml_scan_kind {
	KML_SCAN_PLAIN,
	KML_SCAN_FIRST,
	KML_SCAN_NEXT,
	KML_SCAN_LAST,
};

extern enum kml_scan_kind kml_scan_kind;	/* of the one that runs */

/* Whose scans are to end at once. */
enum kml_halt {
	KML_HALT_NONE,
	KML_HALT_THREAD,
	KML_HALT_ALL,
};

int kml_scan(enum kml_scan_kind kind);
int kml_scan_pause(unsigned int msecs);
bool kml_scan_halted(void);
void kml_scan_sleep(bool sleep);
void kml_scan_halt(enum kml_halt whose);
void kml_scan_resume(enum kml_halt whose);

/* Woken when kml_scan_mutex is released, or a scan is no longer halted. */
extern wait_queue_head_t kml_scan_free;

static inline void kml_scan_may_begin(void)
{
	/* a full barrier: pairs with the one of the task that goes to sleep */
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
 * Memory in use that is neither an object nor a root.
 */

bool kml_untracked_mark(struct kml_worker *w);
void kml_untracked_drop(void);
unsigned long kml_untracked_nr(void);

/* For the seq_file; an entry is valid until kml_scan_mutex is released. */
struct kml_held;
const struct kml_held *kml_untracked_get(unsigned long pos);
void kml_untracked_show(struct seq_file *seq, const struct kml_held *h);

/* === Report ============================================================= */

/*
 * What users get to read: the report table and its text.
 */

/* The table. Context of all: kml_scan_mutex held, process. */
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

/* Who is reported: objects of some age, when the last scan began. */
void kml_report_scan_began(void);
bool kml_report_old_enough(const struct kml_cold *cold);
bool kml_report_eligible(u32 state, const struct kml_cold *cold);
unsigned int kml_report_wanted(void);

/* For the seq_file; an entry is valid until the mutex is released. */
struct kml_report_entry;
struct kml_report_entry *kml_report_get(unsigned long pos);
void kml_report_show(struct seq_file *seq, const struct kml_report_entry *e);

/* For messages about one object, to the log. */
void kml_report_dump(const struct kml_info *info);

/* === Modules that are gone ============================================== */

/*
 * What addresses in modules meant when they were noted.
 */

/* Kept at most of modules that are gone; the oldest are dropped. */
#define KML_MODULES_GONE	64
#define KML_MODULES_BYTES	SZ_2M

/* An address in a module, as it was for an object. */
struct kml_frame {
	const char *module;
	const char *symbol;		/* NULL: not known */
	unsigned long offset;
	unsigned long size;
	bool unloaded;			/* all of the module, not only its init text */
};

/* What %pS would say of an address. */
enum kml_frame_kind {
	KML_FRAME_LIVE,			/* what it should */
	KML_FRAME_GONE,			/* nothing, but there is a struct kml_frame */
	KML_FRAME_OTHER,		/* something wrong: others are there now */
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
 * Commands, the scan thread, switching off.
 */

/* What the boot option asked for. */
struct kml_boot {
	bool on;		/* overrides CONFIG_DEBUG_KMEMLEAK_DEFAULT_OFF */
	bool parallel;
	unsigned int workers;	/* with parallel; 0: one a housekeeping CPU */
};

extern struct kml_boot kml_boot;

extern bool kml_strict;

int kml_control_command(const char *cmd);
void kml_control_late_init(void);

/* === Files in debugfs =================================================== */

void kml_debugfs_init(void);

#endif /* _MM_KMEMLEAK_SCAN_H */
