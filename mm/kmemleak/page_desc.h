/* SPDX-License-Identifier: GPL-2.0-only */
/* Page descriptors: the objects that start in one 4 KiB page. */
#ifndef _MM_KMEMLEAK_PAGE_DESC_H
#define _MM_KMEMLEAK_PAGE_DESC_H

#include "kmemleak.h"
#include "object.h"

/* grains, see page_desc.c */
#define KML_NR_CLASSES		15

/*
 * Slots per page by class. Grains between the powers of two are those of the
 * slab's size classes: with them a full slab page has no empty slot. The
 * reciprocal is exact for all offsets: see kml_desc_selftest().
 */
struct kml_grain {
	u16 grain;
	u16 slots;
	u32 recip;		/* 2^24 / grain, rounded up */
};

extern const struct kml_grain kml_grains[];

static inline unsigned int kml_desc_grain(unsigned int cls)
{
	return kml_grains[cls].grain;
}

static inline unsigned int kml_desc_slots(unsigned int cls)
{
	return kml_grains[cls].slots;
}

static inline unsigned int kml_desc_slot(unsigned int cls, unsigned int off)
{
	return ((u64)off * kml_grains[cls].recip) >> 24;
}

/* Where the slots of a descriptor begin. */
static inline size_t kml_desc_head(unsigned int cls)
{
	return offsetof(struct kml_desc, bits) +
	       BITS_TO_LONGS(kml_desc_slots(cls)) * sizeof(long);
}

static inline struct kml_hot *kml_desc_hot(struct kml_desc *desc)
{
	return (void *)desc + kml_desc_head(desc->cls);
}

size_t kml_desc_size(unsigned int cls);
unsigned int kml_desc_class(size_t size);
struct kml_hot *kml_desc_find(struct kml_desc *desc, unsigned int off);
struct kml_hot *kml_desc_exact(struct kml_desc *desc, unsigned int off);
struct kml_hot *kml_desc_next(struct kml_desc *desc, unsigned int off);
bool kml_desc_slot_free(struct kml_desc *desc, unsigned int off);
void kml_desc_add(struct kml_desc *desc, u32 state, u32 size, struct kml_cold *cold);
void kml_desc_del(struct kml_desc *desc, struct kml_hot *hot);
int kml_desc_class_for(struct kml_desc *desc, unsigned int off);
void kml_desc_move(struct kml_desc *to, struct kml_desc *from);
bool kml_desc_selftest(void);

#endif /* _MM_KMEMLEAK_PAGE_DESC_H */
