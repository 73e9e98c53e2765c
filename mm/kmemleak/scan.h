/* SPDX-License-Identifier: GPL-2.0-only */
/* A scan, from beginning to end. */
#ifndef _MM_KMEMLEAK_SCAN_H
#define _MM_KMEMLEAK_SCAN_H

#include "os.h"

struct kml_scan_params {
	unsigned int min_unref_scans;	/* unreferenced this often: reported */
	unsigned int min_age_ms;	/* and if they are as old */
	bool since_mark;		/* list only what was born since "mark" */
	bool verbose;			/* log each report */
	bool stacks;			/* task stacks are roots */
	struct task_struct *thread;	/* but not this one's: it only scans */
};

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

#endif /* _MM_KMEMLEAK_SCAN_H */
