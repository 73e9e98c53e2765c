/* SPDX-License-Identifier: GPL-2.0-only */
/* The allocations of metadata that fail; see fail.c. */
#ifndef _KML_FAIL_H
#define _KML_FAIL_H

#include "os.h"

struct fail {
	long nth;		/* the nth from now on; 0: none */
	unsigned int permille;	/* and that many of 1000 */
	u64 seed;
	long sites, fails;	/* allocations, failures */
};

extern struct fail fail;

#endif /* _KML_FAIL_H */
