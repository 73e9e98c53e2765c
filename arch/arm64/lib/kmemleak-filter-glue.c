// SPDX-License-Identifier: GPL-2.0-only
/* kmemleak's range filter for arm64. */

#include <asm/kmemleak.h>

unsigned int kmemleak_filter_neon(const unsigned long *words, unsigned int nr,
				  const struct kmemleak_windows *win,
				  unsigned long *out);

static bool kmemleak_neon_usable(void)
{
	return cpu_has_neon();
}

const struct kmemleak_filter kmemleak_filter_ops_neon = {
	.name		= "neon",
	.usable		= kmemleak_neon_usable,
	.filter		= kmemleak_filter_neon,
	.min_words	= 16,
};
