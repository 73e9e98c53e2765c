/* SPDX-License-Identifier: GPL-2.0-only */
/* A scan, from beginning to end. */
#ifndef _MM_KMEMLEAK_SCAN_H
#define _MM_KMEMLEAK_SCAN_H

#include "os.h"

struct kml_scan_params {
	unsigned int min_unref_scans;	/* unreferenced this often: reported */
	bool verbose;			/* log each report */
	bool stacks;			/* task stacks are roots */
	struct task_struct *thread;	/* but not this one's: it only scans */
};

extern struct kml_scan_params kml_scan_params;

void kml_scan(void);

#endif /* _MM_KMEMLEAK_SCAN_H */
