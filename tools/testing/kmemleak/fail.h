/* SPDX-License-Identifier: GPL-2.0-only */
/* Which of the core's metadata allocations fail; see fail.c. */
#ifndef _KML_FAIL_H
#define _KML_FAIL_H

#include "os.h"

struct fail {
	long nth;		/* the nth from now, then none; 0: no such */
	unsigned int permille;	/* and so many of 1000 */
	u64 seed;
	long sites, fails;	/* asked, failed */
};

extern struct fail fail;

#endif /* _KML_FAIL_H */
