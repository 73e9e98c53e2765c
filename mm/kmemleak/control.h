/* SPDX-License-Identifier: GPL-2.0-only */
/* Commands, the scan thread, switching off. */
#ifndef _MM_KMEMLEAK_CONTROL_H
#define _MM_KMEMLEAK_CONTROL_H

#include "os.h"

/* What the boot option asked for. */
struct kml_boot {
	bool on;		/* overrides CONFIG_DEBUG_KMEMLEAK_DEFAULT_OFF */
	bool parallel;
	unsigned int threads;	/* with parallel; 0: one a housekeeping CPU */
};

extern struct kml_boot kml_boot;

int kml_control_command(const char *cmd);
int kml_control_write(const char *cmd);
void kml_control_late_init(void);

#endif /* _MM_KMEMLEAK_CONTROL_H */
