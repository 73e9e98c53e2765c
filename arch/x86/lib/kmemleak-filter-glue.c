// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmemleak's range filter for x86-64: can this machine run it?
 *
 * User Mode Linux uses it, too: its kernel is a process of the host, which
 * saves vector registers around signals and between its threads. UML's own
 * switches are function calls, over which no vector register is preserved, and
 * there are none within a filter. Hence kernel_fpu_begin() is empty there.
 */

#include <linux/linkage.h>
#include <asm/cpufeature.h>
#include <asm/kmemleak.h>

asmlinkage unsigned int kmemleak_filter_avx2(const unsigned long *words,
					     unsigned int nr,
					     const struct kmemleak_windows *win,
					     unsigned long *out);

#ifdef CONFIG_UML
/* Flags come from the host's /proc/cpuinfo: it does not show what it cannot save. */
#define kmemleak_saves_ymm()	true
#else
#define kmemleak_saves_ymm()	\
	cpu_has_xfeatures(XFEATURE_MASK_SSE | XFEATURE_MASK_YMM, NULL)
#endif

static bool kmemleak_avx2_usable(void)
{
	return boot_cpu_has(X86_FEATURE_AVX2) &&
	       boot_cpu_has(X86_FEATURE_POPCNT) &&
	       kmemleak_saves_ymm();
}

const struct kmemleak_filter kmemleak_filter_ops_avx2 = {
	.name		= "avx2",
	.usable		= kmemleak_avx2_usable,
	.filter		= kmemleak_filter_avx2,
	.min_words	= 8,
};
