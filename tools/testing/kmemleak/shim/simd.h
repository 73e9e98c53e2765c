/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Vector registers. A process may always use them, but code under test must begin and
 * end each use. CPU features are those of the machine.
 */
#ifndef _SHIM_SIMD_H
#define _SHIM_SIMD_H

#include "thread.h"

extern __thread bool shim_simd_begun;
/* Are they unusable with IRQs off, as with NEON on 6.12? */
extern bool shim_simd_wants_irqs;

static inline bool irq_fpu_usable(void)
{
	return !shim_simd_begun && !(shim_simd_wants_irqs && irqs_disabled());
}

static inline void kernel_fpu_begin(void)
{
	if (!irq_fpu_usable())
		shim_fatal("SIMD registers used where they must not be");
	shim_simd_begun = true;
}

static inline void kernel_fpu_end(void)
{
	if (!shim_simd_begun)
		shim_fatal("SIMD registers were not in use");
	shim_simd_begun = false;
}

#define may_use_simd()		irq_fpu_usable()
#define kernel_neon_begin()	kernel_fpu_begin()
#define kernel_neon_end()	kernel_fpu_end()
#define cpu_has_neon()		true

#define X86_FEATURE_AVX2	"avx2"
#define X86_FEATURE_BMI2	"bmi2"
#define X86_FEATURE_POPCNT	"popcnt"
/* Registers that the system does not save are not reported as supported. */
#define boot_cpu_has(f)		(!!__builtin_cpu_supports(f))
#define XFEATURE_MASK_SSE	0
#define XFEATURE_MASK_YMM	0
#define cpu_has_xfeatures(mask, missing) true

#endif /* _SHIM_SIMD_H */
