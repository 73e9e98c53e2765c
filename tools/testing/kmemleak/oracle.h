/* SPDX-License-Identifier: GPL-2.0-only */
/* A simple model of kmemleak: objects that must be reported, and no others. */
#ifndef _KML_ORACLE_H
#define _KML_ORACLE_H

#include "prog.h"

/* Pointers carry tags in their top byte. */
extern bool oracle_tags;
/* Follow @op, which was just executed; cheap except for a scan. */
void oracle_op(const struct op *op);
/* False after an operation that the model does not cover. */
bool oracle_knows(void);
/*
 * Write the first difference between @report and the expected one to @why; false if
 * there is none.
 */
bool oracle_differs(const char *report, char *why, size_t n);
/*
 * The weaker condition if metadata was lost: leaks may be missing from @report, but
 * all objects in it must be leaks.
 */
bool oracle_refutes(const char *report, char *why, size_t n);
/* The number of objects in the expected report. */
size_t oracle_reported(void);

#endif /* _KML_ORACLE_H */
