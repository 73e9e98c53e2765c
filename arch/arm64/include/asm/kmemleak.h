/* SPDX-License-Identifier: GPL-2.0-only */
/* kmemleak's range filter for arm64. */
#ifndef _ASM_ARM64_KMEMLEAK_H
#define _ASM_ARM64_KMEMLEAK_H

#include <linux/kmemleak_filter.h>
#include <asm/neon.h>
#include <asm/simd.h>

extern const struct kmemleak_filter kmemleak_filter_ops_neon;

#define KMEMLEAK_FILTERS(generic) { &kmemleak_filter_ops_neon, (generic), NULL }

/* Older kernels want IRQs on. */
static inline bool kmemleak_simd_usable(void)
{
	return may_use_simd();
}

#ifdef scoped_ksimd
/* Registers go here if the task is scheduled out meanwhile. */
struct kmemleak_simd {
	struct user_fpsimd_state state;
};

static inline void kmemleak_simd_begin(struct kmemleak_simd *simd)
{
	kernel_neon_begin(&simd->state);
}

static inline void kmemleak_simd_end(struct kmemleak_simd *simd)
{
	kernel_neon_end(&simd->state);
}
#else
/* Linux 6.12 */
struct kmemleak_simd {
};

static inline void kmemleak_simd_begin(struct kmemleak_simd *simd)
{
	kernel_neon_begin();
}

static inline void kmemleak_simd_end(struct kmemleak_simd *simd)
{
	kernel_neon_end();
}
#endif

#endif /* _ASM_ARM64_KMEMLEAK_H */
