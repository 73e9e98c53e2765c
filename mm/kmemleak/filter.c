// SPDX-License-Identifier: GPL-2.0-only
/*
 * The range filter. The generic one is the contract: others are tested against
 * it. It is free of branches: which words are candidates cannot be predicted.
 */

#include "os.h"
#include "filter.h"

/* not bool: what is combined below are bits, not conditions */
static unsigned int kml_in(unsigned long v, const struct kmemleak_range *r)
{
	return v - r->min < r->len;
}

unsigned int kml_filter_generic(const unsigned long *words, unsigned int nr,
				const struct kmemleak_windows *win,
				unsigned long *out)
{
	const struct kmemleak_range virt = win->virt, self = win->self;
	const struct kmemleak_range percpu = win->percpu;
	const unsigned int tag_bits = win->tag_bits;
	unsigned int i, n = 0;

	for (i = 0; i < nr; i++) {
		unsigned long v = READ_ONCE(words[i]);

		v = (long)(v << tag_bits) >> tag_bits;
		out[n] = v;
		n += (kml_in(v, &virt) & ~kml_in(v, &self)) | kml_in(v, &percpu);
	}
	return n;
}

static const struct kmemleak_filter kml_filter_c = {
	.name	= "generic",
	.filter	= kml_filter_generic,
};

const struct kmemleak_filter * const kml_filters[] = {
	&kml_filter_c,
	NULL,
};

const struct kmemleak_filter *kml_filter_current(void)
{
	return &kml_filter_c;
}

static struct kmemleak_range kml_space_range(enum kml_space_id id)
{
	struct kml_space *space = kml_space(id);
	unsigned long min = kml_window_min(space);
	unsigned long last = kml_window_last(space);
	struct kmemleak_range range = { .min = min };

	/* all of a space does not fit in len: nobody needs its last byte */
	if (min <= last)
		range.len = min(last - min, ULONG_MAX - 1) + 1;
	return range;
}

/* What to look for now. Objects born later are not missed by this scan. */
void kml_filter_windows(struct kmemleak_windows *win)
{
	win->virt = kml_space_range(KML_VIRT);
	win->percpu = kml_space_range(KML_PERCPU);
	win->self = (struct kmemleak_range){};
	win->tag_bits = KML_TAG_BITS;
}

/**
 * kml_filter_run() - collect the candidates in a range
 * @start: memory that stays readable; need not be aligned
 * @len: in bytes, at most KML_CHUNK
 * @win: what to look for
 * @out: room for KML_CHUNK / sizeof(long) + KMEMLEAK_FILTER_PAD words
 *
 * Only words that lie wholly in the range are looked at.
 *
 * Context: any.
 * Return: number of words put into @out.
 */
unsigned int kml_filter_run(const void *start, size_t len,
			    const struct kmemleak_windows *win,
			    unsigned long *out)
{
	unsigned long first = ALIGN((unsigned long)start, sizeof(long));
	unsigned long skip = first - (unsigned long)start;
	unsigned int n;

	if (len < skip + sizeof(long))
		return 0;

	kasan_disable_current();
	n = kml_filter_generic(kasan_reset_tag((void *)first),
			       (len - skip) / sizeof(long), win, out);
	kasan_enable_current();
	return n;
}
