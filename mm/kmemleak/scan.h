/* SPDX-License-Identifier: GPL-2.0-only */
/* A scan, from beginning to end. */
#ifndef _MM_KMEMLEAK_SCAN_H
#define _MM_KMEMLEAK_SCAN_H

#include "os.h"

struct kml_scan_params {
	unsigned int min_unref_scans;	/* unreferenced this often: reported */
	bool verbose;			/* log each report */
	bool stacks;			/* task stacks are roots */
	bool trial;			/* suspects get more than one aligned mark */
	unsigned int trial_marks;	/* confirming marks at most, with @trial */
	struct task_struct *thread;	/* but not this one's: it only scans */
};

/* The default of trial_marks. */
#define KML_TRIAL_MARKS		16

extern struct kml_scan_params kml_scan_params;

/* Whose scans are to end at once. */
enum kml_halt {
	KML_HALT_NONE,
	KML_HALT_THREAD,
	KML_HALT_ALL,
};

void kml_scan(void);
bool kml_scan_halted(void);
void kml_scan_halt(enum kml_halt whose);
void kml_scan_resume(enum kml_halt whose);

#endif /* _MM_KMEMLEAK_SCAN_H */
