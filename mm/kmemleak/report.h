/* SPDX-License-Identifier: GPL-2.0-only */
/* What users get to read: the report table and its text. */
#ifndef _MM_KMEMLEAK_REPORT_H
#define _MM_KMEMLEAK_REPORT_H

#include "object.h"

/* The table. Context of all: kml_scan_mutex held, process. */
bool kml_report_room(unsigned long more);
bool kml_report_add(struct kml_space *space, unsigned long start,
		    const struct kml_cold *cold);
unsigned long kml_report_commit(bool verbose);
void kml_report_refresh(void);
void kml_report_compact(void);
void kml_report_drop(void);
bool kml_report_found(void);
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

#endif /* _MM_KMEMLEAK_REPORT_H */
