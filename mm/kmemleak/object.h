/* SPDX-License-Identifier: GPL-2.0-only */
/* Object metadata: birth, rare attributes, a printable copy, death. */
#ifndef _MM_KMEMLEAK_OBJECT_H
#define _MM_KMEMLEAK_OBJECT_H

#include "kmemleak.h"
#include "color.h"

/* flags as dump= has always shown them */
#define KML_SHOW_ALLOCATED	BIT(0)
#define KML_SHOW_REPORTED	BIT(1)
#define KML_SHOW_NO_SCAN	BIT(2)
#define KML_SHOW_FULL_SCAN	BIT(3)
#define KML_SHOW_PHYS		BIT(4)
#define KML_SHOW_PERCPU		BIT(5)
#define KML_SHOW_SUSPECT	BIT(6)

#define KML_HEX_BYTES		32

/* All there is to say about an object, copied out under the lock. */
struct kml_info {
	enum kml_space_id space;
	unsigned long addr;		/* as the allocator returned it */
	size_t size;
	unsigned long born;
	unsigned long excess_ref;
	u32 stamp;
	u32 state;
	u32 checksum;
	depot_stack_handle_t trace;
	int pid;
	char comm[TASK_COMM_LEN];
};

depot_stack_handle_t kml_stack_save(void);
void kml_cold_init(struct kml_cold *cold, depot_stack_handle_t trace,
		   unsigned long ptr);
void kml_cold_free(u32 state, struct kml_cold *cold);
bool kml_born_before(unsigned long j1, u32 s1, unsigned long j2, u32 s2);
void kml_born_now(unsigned long *born, u32 *stamp);
size_t kml_hot_size(const struct kml_hot *hot, u32 state);
void kml_info_fill(struct kml_info *info, struct kml_space *space,
		   unsigned long start, const struct kml_hot *hot);
unsigned int kml_info_flags(const struct kml_info *info);
u32 kml_hot_change(struct kml_hot *hot, u32 clear, u32 set);

/* The state alone, or with the leaf's lock held. */
static inline u32 kml_hot_state(const struct kml_hot *hot)
{
	return atomic_read(&hot->state);
}

/* For those who go on to read size or cold without the lock: they are valid. */
static inline u32 kml_hot_state_acquire(const struct kml_hot *hot)
{
	/* pairs with the release in kml_desc_add() */
	return atomic_read_acquire(&hot->state);
}

static inline int kml_cold_pid(const struct kml_cold *cold)
{
	return cold->pid & KML_PID_MASK;
}

static inline unsigned int kml_cold_unref(const struct kml_cold *cold)
{
	return cold->pid >> KML_PID_BITS;
}

static inline void kml_cold_set_unref(struct kml_cold *cold, unsigned int n)
{
	cold->pid = (cold->pid & KML_PID_MASK) |
		    min(n, KML_UNREF_MAX) << KML_PID_BITS;
}

static inline struct kml_ext *kml_ext(const struct kml_hot *hot)
{
	return container_of(READ_ONCE(hot->cold), struct kml_ext, cold);
}

/* The address the allocator returned, tag included. */
static inline unsigned long kml_tagged(unsigned long addr,
				       const struct kml_cold *cold)
{
#ifdef KML_POINTER_TAGS
	return (addr & (~0UL >> 8)) | (unsigned long)cold->tag << 56;
#else
	return addr;
#endif
}

#endif /* _MM_KMEMLEAK_OBJECT_H */
