/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading the content of grey objects, between deque and mark. */
#ifndef _MM_KMEMLEAK_MARK_SCAN_H
#define _MM_KMEMLEAK_MARK_SCAN_H

#include "mark.h"

void kml_mark_take(struct kml_worker *w, const struct kmemleak_windows *win,
		   unsigned int from, unsigned int to);

#endif /* _MM_KMEMLEAK_MARK_SCAN_H */
