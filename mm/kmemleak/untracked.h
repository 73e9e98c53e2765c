/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory in use that is neither an object nor a root: see untracked.c. */
#ifndef _MM_KMEMLEAK_UNTRACKED_H
#define _MM_KMEMLEAK_UNTRACKED_H

#include "mark.h"

bool kml_untracked_mark(struct kml_worker *w);
void kml_untracked_begin(void);
void kml_untracked_drop(void);
unsigned long kml_untracked_nr(void);

/* For the seq_file; an entry is valid until kml_scan_mutex is released. */
struct kml_held;
const struct kml_held *kml_untracked_get(unsigned long pos);
void kml_untracked_show(struct seq_file *seq, const struct kml_held *h);

#endif /* _MM_KMEMLEAK_UNTRACKED_H */
