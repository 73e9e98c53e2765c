/* SPDX-License-Identifier: GPL-2.0-only */
/* The range filter: choice, windows, reference implementation. */
#ifndef _MM_KMEMLEAK_FILTER_H
#define _MM_KMEMLEAK_FILTER_H

#include "kmemleak.h"
#include <linux/kmemleak_filter.h>

/* NULL-terminated; the last is the generic one, which is always there. */
extern const struct kmemleak_filter * const kml_filters[];

const struct kmemleak_filter *kml_filter_current(void);
bool kml_filter_copies(void);
void kml_filter_use(const struct kmemleak_filter *f, unsigned int from);
int kml_filter_want(const char *name);
const char *kml_filter_wanted(void);
unsigned int kml_filter_call(const struct kmemleak_filter *f,
			     const unsigned long *words, unsigned int nr,
			     const struct kmemleak_windows *win,
			     unsigned long *out);
struct kmemleak_range kml_filter_range(unsigned long min, unsigned long last);
void kml_filter_windows(struct kmemleak_windows *win);
unsigned int kml_filter_run(const void *start, size_t len,
			    const struct kmemleak_windows *win,
			    unsigned long *out);
unsigned int kml_filter_run_at(const void *start, size_t len,
			       const struct kmemleak_windows *win,
			       unsigned long *out);
unsigned int kml_filter_generic(const unsigned long *words, unsigned int nr,
				const struct kmemleak_windows *win,
				unsigned long *out);

#endif /* _MM_KMEMLEAK_FILTER_H */
