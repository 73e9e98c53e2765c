/* SPDX-License-Identifier: GPL-2.0-only */
/* A plain model of kmemleak: what must be reported, and what not. */
#ifndef _KML_ORACLE_H
#define _KML_ORACLE_H

#include "prog.h"

/* Pointers carry tags in their top byte. */
extern bool oracle_tags;
/* Follow @op, which has just been executed; cheap except for a scan. */
void oracle_op(const struct op *op);
/* False once the program did what the model does not cover. */
bool oracle_knows(void);
/*
 * The first difference between @report and what it has to be, into @why;
 * false if there is none.
 */
bool oracle_differs(const char *report, char *why, size_t n);
/*
 * The weaker demand when metadata was lost: leaks may be missing from @report,
 * but nothing may be in it that is not one.
 */
bool oracle_refutes(const char *report, char *why, size_t n);
/* Number of objects that reading the report must show now. */
size_t oracle_reported(void);

#endif /* _KML_ORACLE_H */
