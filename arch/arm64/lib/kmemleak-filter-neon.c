// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmemleak's range filter with NEON. Two words make a vector, too few to pack
 * by a table. It is used to skip what has no candidates, eight words at a time;
 * the rest is appended word by word without branches, as the generic filter
 * does, but with comparisons made for two.
 *
 * This file is compiled with floating point enabled: intrinsics only.
 */

#include <linux/kmemleak_filter.h>

/* sparse can read nothing of the compiler's vectors */
#ifndef __CHECKER__
#include <asm/neon-intrinsics.h>

/* Rounds of eight words without a candidate until words are skipped. */
#define PATIENCE	4

struct neon_windows {
	uint64x2_t virt_min, virt_len;
	uint64x2_t percpu_min, percpu_len;
	uint64x2_t self_add, self_len;	/* negated: see kml_filter_range() */
	int64x2_t left, right;		/* shifts to replace tags */
};

static __always_inline uint64x2_t within(uint64x2_t v, uint64x2_t min, uint64x2_t len)
{
	return vcltq_u64(vsubq_u64(v, min), len);
}

static __always_inline uint64x2_t untag(uint64x2_t v, const struct neon_windows *w)
{
	int64x2_t s = vreinterpretq_s64_u64(vshlq_u64(v, w->left));

	return vreinterpretq_u64_s64(vshlq_s64(s, w->right));
}

static __always_inline uint64x2_t load(const unsigned long *words,
				       const struct neon_windows *w)
{
	return untag(vld1q_u64((const uint64_t *)words), w);
}

/* In a window, self not considered. */
static __always_inline uint64x2_t in_windows(uint64x2_t v, const struct neon_windows *w)
{
	return vorrq_u64(within(v, w->virt_min, w->virt_len),
			 within(v, w->percpu_min, w->percpu_len));
}

static __always_inline uint64x2_t candidates(uint64x2_t v, const struct neon_windows *w)
{
	uint64x2_t hits = vbicq_u64(within(v, w->virt_min, w->virt_len),
				    vcltq_u64(vaddq_u64(v, w->self_add), w->self_len));

	return vorrq_u64(hits, within(v, w->percpu_min, w->percpu_len));
}

/* Each hit is all ones: minus one. */
static __always_inline unsigned long *append(unsigned long *out, uint64x2_t v,
					     const struct neon_windows *w)
{
	int64x2_t hits = vreinterpretq_s64_u64(candidates(v, w));

	*out = vgetq_lane_u64(v, 0);
	out -= vgetq_lane_s64(hits, 0);
	*out = vgetq_lane_u64(v, 1);
	out -= vgetq_lane_s64(hits, 1);
	return out;
}

static __always_inline bool any_candidate(const unsigned long *words, const struct neon_windows *w)
{
	uint64x2_t a = vorrq_u64(in_windows(load(words, w), w),
				 in_windows(load(words + 2, w), w));
	uint64x2_t b = vorrq_u64(in_windows(load(words + 4, w), w),
				 in_windows(load(words + 6, w), w));

	return vmaxvq_u32(vreinterpretq_u32_u64(vorrq_u64(a, b)));
}

unsigned int kmemleak_filter_neon(const unsigned long *words, unsigned int nr,
				  const struct kmemleak_windows *win,
				  unsigned long *out);
unsigned int kmemleak_filter_neon(const unsigned long *words, unsigned int nr,
				  const struct kmemleak_windows *win,
				  unsigned long *out)
{
	const struct neon_windows w = {
		.virt_min = vdupq_n_u64(win->virt.min),
		.virt_len = vdupq_n_u64(win->virt.len),
		.percpu_min = vdupq_n_u64(win->percpu.min),
		.percpu_len = vdupq_n_u64(win->percpu.len),
		.self_add = vdupq_n_u64(-win->self.min),
		.self_len = vdupq_n_u64(win->self.len),
		.left = vdupq_n_s64(win->tag_bits),
		.right = vdupq_n_s64(-(long)win->tag_bits),
	};
	const unsigned long *const begin = out;
	unsigned int left = 1;		/* rounds to go without skipping */

	for (; nr >= 8; nr -= 8, words += 8) {
		unsigned long *before = out;

		if (!left) {
			if (!any_candidate(words, &w))
				continue;
			left = 1;
		}
		out = append(out, load(words, &w), &w);
		out = append(out, load(words + 2, &w), &w);
		out = append(out, load(words + 4, &w), &w);
		out = append(out, load(words + 6, &w), &w);
		left = out == before ? left - 1 : PATIENCE;
	}
	for (; nr >= 2; nr -= 2, words += 2)
		out = append(out, load(words, &w), &w);
	if (nr) {
		uint64x2_t v = untag(vld1q_dup_u64((const uint64_t *)words), &w);

		*out = vgetq_lane_u64(v, 0);
		out -= vgetq_lane_s64(vreinterpretq_s64_u64(candidates(v, &w)), 0);
	}
	return out - begin;
}
#endif /* !__CHECKER__ */
