/* SPDX-License-Identifier: GPL-2.0-only */
/* kmemleak's range filter for x86-64 and for User Mode Linux on it. */
#ifndef _ASM_X86_KMEMLEAK_H
#define _ASM_X86_KMEMLEAK_H

#include <linux/kmemleak_filter.h>
#include <asm/fpu/api.h>

extern const struct kmemleak_filter kmemleak_filter_ops_avx2;

/* In order of preference. */
#define KMEMLEAK_FILTERS(generic) { &kmemleak_filter_ops_avx2, (generic), NULL }

/* What the user of SIMD registers has to keep until the end. */
struct kmemleak_simd {
};

static inline bool kmemleak_simd_usable(void)
{
	return irq_fpu_usable();
}

static inline void kmemleak_simd_begin(struct kmemleak_simd *simd)
{
	kernel_fpu_begin();
}

static inline void kmemleak_simd_end(struct kmemleak_simd *simd)
{
	kernel_fpu_end();
}

#endif /* _ASM_X86_KMEMLEAK_H */
