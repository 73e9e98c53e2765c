/* SPDX-License-Identifier: GPL-2.0-only */
/* Register, find, change and unregister objects. */
#ifndef _MM_KMEMLEAK_TRACK_H
#define _MM_KMEMLEAK_TRACK_H

#include "interval.h"
#include "object.h"

/* An object found and its leaf's lock taken, see kml_object_lock(). */
struct kml_locked {
	struct kml_space *space;
	struct kml_interval *iv;
	struct kml_leaf *leaf;
	struct kml_hot *hot;
	unsigned long start;
	unsigned long flags;
};

bool kml_object_lock(struct kml_locked *l, struct kml_space *space,
		     unsigned long addr, bool alias);
void kml_object_unlock(struct kml_locked *l);
bool kml_object_info(struct kml_space *space, unsigned long addr, bool alias,
		     struct kml_info *info);

int kml_track_insert(struct kml_space *space, unsigned long ptr, size_t size,
		     int min_count, gfp_t gfp, depot_stack_handle_t trace,
		     struct kml_info *hit);
bool kml_track_remove(struct kml_space *space, unsigned long ptr);
int kml_track_remove_part(struct kml_space *space, unsigned long ptr,
			  size_t size, depot_stack_handle_t trace,
			  struct kml_info *hit);
void kml_track_remove_all(void);

int kml_track_paint(struct kml_space *space, unsigned long ptr, int color);
int kml_track_no_scan(struct kml_space *space, unsigned long ptr);
bool kml_track_hush(const void *stack, bool hush);
bool kml_track_hush_stack(bool hush);
int kml_track_reset_checksum(struct kml_space *space, unsigned long ptr);
int kml_track_set_trace(struct kml_space *space, unsigned long ptr,
			depot_stack_handle_t trace);
int kml_track_set_excess(struct kml_space *space, unsigned long ptr,
			 unsigned long excess_ref, gfp_t gfp);
int kml_track_add_area(struct kml_space *space, unsigned long ptr, size_t size,
		       gfp_t gfp, struct kml_info *hit);

#endif /* _MM_KMEMLEAK_TRACK_H */
