/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kmemleak's range filter: picks the words of a memory range that could be
 * pointers to tracked objects. Architectures may bring faster ones.
 */
#ifndef _LINUX_KMEMLEAK_FILTER_H
#define _LINUX_KMEMLEAK_FILTER_H

#include <linux/types.h>

/* Words behind the last candidate that a filter may overwrite in its output. */
#define KMEMLEAK_FILTER_PAD	8

/* [min, min + len); empty if len is 0 */
struct kmemleak_range {
	unsigned long min;
	unsigned long len;
};

/**
 * struct kmemleak_windows - what a filter looks for
 * @virt: addresses of tracked objects
 * @percpu: per-CPU pointers to tracked objects
 * @self: the object being read; a word in it is dropped unless it is in @percpu
 * @tag_bits: high bits to be replaced by the sign of the rest (KASAN tags)
 */
struct kmemleak_windows {
	struct kmemleak_range virt;
	struct kmemleak_range percpu;
	struct kmemleak_range self;
	unsigned int tag_bits;
};

/**
 * struct kmemleak_filter - a filter implementation
 * @name: as users choose it
 * @usable: can this machine run it? NULL: any can
 * @min_words: shorter runs go to the generic filter, since vector registers have
 *	to be set up
 * @filter: append to @out those of the @nr words at @words that lie in
 *	@win->virt, but not in @win->self, or in @win->percpu, in order, without
 *	their tags. @words is mostly aligned to its words; where it is not, nobody
 *	writes to them meanwhile. @out has room for @nr words and
 *	KMEMLEAK_FILTER_PAD more. Returns how many were appended. Takes no
 *	lock, does not fault and leaves beginning and ending the use of SIMD
 *	registers to the caller.
 */
struct kmemleak_filter {
	const char *name;
	bool (*usable)(void);
	unsigned int (*filter)(const unsigned long *words, unsigned int nr,
			       const struct kmemleak_windows *win,
			       unsigned long *out);
	unsigned int min_words;
};

#endif /* _LINUX_KMEMLEAK_FILTER_H */
