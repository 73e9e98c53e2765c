// SPDX-License-Identifier: GPL-2.0-only
/*
 * The range filter: the table, what is used of it, and the generic one. That is
 * the contract: others are tested against it. It is free of branches: which
 * words are candidates cannot be predicted.
 */

#include "os.h"
#include "filter.h"

#ifdef CONFIG_HAVE_ARCH_KMEMLEAK_FILTER
#include <asm/kmemleak.h>
#else
#define KMEMLEAK_FILTERS(generic) { (generic), NULL }

struct kmemleak_simd {
};

static inline bool kmemleak_simd_usable(void)
{
	return false;
}

static inline void kmemleak_simd_begin(struct kmemleak_simd *simd)
{
}

static inline void kmemleak_simd_end(struct kmemleak_simd *simd)
{
}
#endif

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
	const bool aligned = IS_ALIGNED((unsigned long)words, sizeof(long));
	unsigned int i, n = 0;

	for (i = 0; i < nr; i++) {
		/* unaligned words are in a copy that nobody writes to */
		unsigned long v = likely(aligned) ? READ_ONCE(words[i]) :
						    get_unaligned((unsigned long *)words + i);

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

const struct kmemleak_filter * const kml_filters[] = KMEMLEAK_FILTERS(&kml_filter_c);

/*
 * They may change while others filter. Whoever sees some of them old and some new
 * is as right: every filter finds the same, called with SIMD registers or not.
 * Whether to copy is asked once a job (kml_mark_windows()).
 */
static const struct kmemleak_filter *kml_filter_used __read_mostly = &kml_filter_c;
static unsigned int kml_filter_from __read_mostly = UINT_MAX;	/* words */
static bool kml_filter_wants_irqs __read_mostly;
DEFINE_STATIC_CALL(kml_filter_simd, kml_filter_generic);

const struct kmemleak_filter *kml_filter_current(void)
{
	return READ_ONCE(kml_filter_used);
}

/**
 * kml_filter_copies() - should memory be copied, to be filtered later?
 *
 * Return: true if the filter in use cannot run with IRQs off, so that
 * kml_filter_run() would not use it there.
 */
bool kml_filter_copies(void)
{
	return READ_ONCE(kml_filter_wants_irqs);
}

/**
 * kml_filter_use() - choose a filter
 * @f: of the table, usable here
 * @from: for so many words and more; below, and where SIMD cannot be used, it is
 *	the generic one
 *
 * Context: process; one at a time, while others filter.
 */
void kml_filter_use(const struct kmemleak_filter *f, unsigned int from)
{
	bool wants_irqs = false;
	unsigned long flags;

	if (f == &kml_filter_c) {
		from = UINT_MAX;
	} else {
		local_irq_save(flags);
		wants_irqs = !kmemleak_simd_usable();
		local_irq_restore(flags);
		static_call_update(kml_filter_simd, f->filter);
	}
	WRITE_ONCE(kml_filter_wants_irqs, wants_irqs);
	WRITE_ONCE(kml_filter_from, from);
	WRITE_ONCE(kml_filter_used, f);
}

/**
 * kml_filter_call() - run a filter, in use or not
 * @f: of the table
 * @words: as for its function
 * @nr: likewise
 * @win: likewise
 * @out: likewise
 *
 * Context: process.
 * Return: number of words put into @out.
 */
unsigned int kml_filter_call(const struct kmemleak_filter *f,
			     const unsigned long *words, unsigned int nr,
			     const struct kmemleak_windows *win,
			     unsigned long *out)
{
	struct kmemleak_simd simd __uninitialized;
	unsigned int n;

	if (f == &kml_filter_c)
		return kml_filter_generic(words, nr, win, out);
	if (WARN_ON_ONCE(!kmemleak_simd_usable()))
		return kml_filter_generic(words, nr, win, out);
	kmemleak_simd_begin(&simd);
	n = f->filter(words, nr, win, out);
	kmemleak_simd_end(&simd);
	return n;
}

/* Apart: what has to be kept may be large. */
static noinline_for_stack unsigned int
kml_filter_words(const unsigned long *words, unsigned int nr,
		 const struct kmemleak_windows *win, unsigned long *out)
{
	struct kmemleak_simd simd __uninitialized;
	unsigned int n;

	kmemleak_simd_begin(&simd);
	n = static_call(kml_filter_simd)(words, nr, win, out);
	kmemleak_simd_end(&simd);
	return n;
}

/**
 * kml_filter_range() - a range for a filter
 * @min: lowest address wanted
 * @last: highest; lower than @min: none is wanted
 *
 * It has one more at either end. Filters hold the limits in registers all the
 * time, an interrupt saves them in some stack, and stacks are read: @min itself
 * would be a reference to the object that begins there. The object being read
 * cannot be widened, so filters hold its beginning in another form. On user-mode
 * Linux their registers live on after them, until the dynamic linker saves them
 * in the stack of whoever calls a function of the C library's for the first time.
 */
struct kmemleak_range kml_filter_range(unsigned long min, unsigned long last)
{
	if (min > last)
		return (struct kmemleak_range){};
	min -= !!min;
	last += last != ULONG_MAX;
	/* all of a space does not fit in len: nobody needs its last byte */
	return (struct kmemleak_range){ min, min(last - min, ULONG_MAX - 1) + 1 };
}

static struct kmemleak_range kml_space_range(enum kml_space_id id)
{
	struct kml_space *space = kml_space(id);

	return kml_filter_range(kml_window_min(space), kml_window_last(space));
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
 * @len: in bytes, at most KML_CHUNK: SIMD registers are held that long
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

	if (len < skip + sizeof(long))
		return 0;
	return kml_filter_run_at((const void *)first, len - skip, win, out);
}

/**
 * kml_filter_run_at() - collect the candidates among the words from an address on
 * @start: the first word, at any byte offset; if it is not aligned, memory that
 *	nobody writes to meanwhile
 * @len: in bytes, at most KML_CHUNK + sizeof(long) - 1
 * @win: what to look for
 * @out: room for KML_CHUNK / sizeof(long) + KMEMLEAK_FILTER_PAD words
 *
 * Context: any.
 * Return: number of words put into @out.
 */
unsigned int kml_filter_run_at(const void *start, size_t len,
			       const struct kmemleak_windows *win,
			       unsigned long *out)
{
	const unsigned long *words = kasan_reset_tag(start);
	unsigned int n, nr = len / sizeof(long);

	kasan_disable_current();
	if (nr >= READ_ONCE(kml_filter_from) && kmemleak_simd_usable())
		n = kml_filter_words(words, nr, win, out);
	else
		n = kml_filter_generic(words, nr, win, out);
	kasan_enable_current();
	return n;
}
