// SPDX-License-Identifier: GPL-2.0-only
/*
 * The range filters, which read memory that its owners write concurrently. This file is
 * always built without KASAN and KCSAN instrumentation, which would report such reads.
 * Shared by the core and the module (module/).
 *
 * Sections: filters, the generic one and the calls of those with SIMD registers; the
 * choice of a filter.
 */

#include "os.h"
#include "mark.h"

/* === Filters ============================================================ */

/*
 * The table of filters, the filter in use, and the generic filter. The generic
 * filter is the reference against which the others are tested. It has no branches
 * on the words, since branch prediction cannot know which words are candidates.
 */

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

/* unsigned int, not bool: the results are combined with bit operators */
static unsigned int kml_in(unsigned long v, const struct kmemleak_range *r)
{
	return v - r->min < r->len;
}

/**
 * kml_filter_generic() - the filter that every machine can run
 * @words: first word, at any byte offset; if it is not aligned, the memory is a copy
 *	that is not written meanwhile
 * @nr: number of words
 * @win: ranges of addresses to look for
 * @out: filled with the candidates, without tags, in the order of @words; room for
 *	@nr + KMEMLEAK_FILTER_PAD words
 *
 * Context: any; the memory stays readable.
 * Return: number of candidates in @out.
 */
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
		/* unaligned words are in a copy that is not written meanwhile */
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
 * The filter in use. It may be changed while workers filter, and they may see a mix
 * of old and new values. That is fine: all filters return the same result, and a
 * worker reads kml_filter_wants_irqs only once a job (kml_mark_windows()).
 */
static const struct kmemleak_filter *kml_filter_used __read_mostly = &kml_filter_c;
static unsigned int kml_filter_from __read_mostly = UINT_MAX;	/* words */
static bool kml_filter_wants_irqs __read_mostly;
DEFINE_STATIC_CALL(kml_filter_simd, kml_filter_generic);

/* The filter in use. Context: any. */
const struct kmemleak_filter *kml_filter_current(void)
{
	return READ_ONCE(kml_filter_used);
}

/**
 * kml_filter_copies() - should content be copied with IRQs off, and filtered later?
 *
 * Context: any.
 * Return: true if the filter in use needs SIMD registers that cannot be used with
 * IRQs off. There kml_filter_run() falls back to the generic filter.
 */
bool kml_filter_copies(void)
{
	return READ_ONCE(kml_filter_wants_irqs);
}

/* Change the filter in use. Context: process, kernel_param_lock() held; or boot. */
static void kml_filter_use(const struct kmemleak_filter *f)
{
	unsigned int from = UINT_MAX;
	bool wants_irqs = false;
	unsigned long flags;

	if (f != &kml_filter_c) {
		from = f->min_words;
		local_irq_save(flags);
		wants_irqs = !kmemleak_simd_usable();
		local_irq_restore(flags);
		static_call_update(kml_filter_simd, f->filter);
	}
	WRITE_ONCE(kml_filter_wants_irqs, wants_irqs);
	WRITE_ONCE(kml_filter_from, from);
	WRITE_ONCE(kml_filter_used, f);
	pr_info("filter: %s\n", f->name);
}

/**
 * kml_filter_call() - run a certain filter, for tests and benchmarks
 * @f: filter of the table that this machine can run; it need not be the one in use
 * @words: first word, at any byte offset; if it is not aligned, the memory is a copy
 *	that is not written meanwhile
 * @nr: number of words
 * @win: ranges of addresses to look for
 * @out: filled with the candidates, without tags, in the order of @words; room for
 *	@nr + KMEMLEAK_FILTER_PAD words
 *
 * Context: process, IRQs on; the memory stays readable.
 * Return: number of candidates in @out.
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

/* Out of line: struct kmemleak_simd may be large (arm64: 528 bytes of stack). */
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
 * kml_filter_range() - make a range for a filter
 * @min: lowest address wanted
 * @last: highest address wanted; lower than @min: the range is empty
 *
 * The range is one address wider at each end. Filters keep the limits in registers,
 * which an interrupt may save on a stack that is scanned, and @min itself would be a
 * reference to the object that starts there.
 *
 * Context: any.
 * Return: the range.
 */
struct kmemleak_range kml_filter_range(unsigned long min, unsigned long last)
{
	if (min > last)
		return (struct kmemleak_range){};
	min -= !!min;
	last += last != ULONG_MAX;
	/* the length of a whole space does not fit: leave out the last address */
	return (struct kmemleak_range){ min, min(last - min, ULONG_MAX - 1) + 1 };
}

/**
 * kml_filter_run() - collect the candidates among the aligned words of a range
 * @start: first byte, at any offset
 * @len: in bytes, up to KML_CHUNK, since SIMD registers are held meanwhile
 * @win: ranges of addresses to look for
 * @out: filled with the candidates, without tags, in order; room for KML_CHUNK /
 *	sizeof(long) + KMEMLEAK_FILTER_PAD words
 *
 * Words that reach out of the range are left out.
 *
 * Context: any but NMI; the memory stays readable.
 * Return: number of candidates in @out.
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
 * kml_filter_run_at() - collect the candidates among words at any byte offset
 * @start: first word; if it is not aligned, the memory is a copy that is not written
 *	meanwhile
 * @len: in bytes, up to KML_CHUNK + sizeof(long) - 1; a rest shorter than a word is
 *	left out
 * @win: ranges of addresses to look for
 * @out: filled with the candidates, without tags, in order; room for KML_CHUNK /
 *	sizeof(long) + KMEMLEAK_FILTER_PAD words
 *
 * Context: any but NMI; the memory stays readable.
 * Return: number of candidates in @out.
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

/* === Choice of a filter ================================================= */

/* The parameter: a name of the table, or "auto" for the first usable filter. */
static char kml_filter_name[16] = "auto";
static bool kml_filter_chosen;	/* kml_filter_init() has run */

/*
 * Find a usable filter by name. Return: the filter, or ERR_PTR(-EINVAL) after a
 * message that lists the choices.
 */
static const struct kmemleak_filter *kml_filter_find(const char *name)
{
	char names[64] = "auto";
	unsigned int i, len = strlen(names);

	for (i = 0; kml_filters[i]; i++) {
		if (kml_filters[i]->usable && !kml_filters[i]->usable())
			continue;
		if (!strcmp(name, "auto") || !strcmp(name, kml_filters[i]->name))
			return kml_filters[i];
		len += scnprintf(names + len, sizeof(names) - len, ", %s",
				 kml_filters[i]->name);
	}
	pr_warn("No filter \"%s\" here: choose one of %s\n", name, names);
	return ERR_PTR(-EINVAL);
}

/* The value of the parameter. Context: kernel_param_lock() held, or boot. */
const char *kml_filter_wanted(void)
{
	return kml_filter_name;
}

/**
 * kml_filter_want() - set the parameter that names the filter to use
 * @name: name of the table, or "auto"; may end with a newline
 *
 * A name from the command line is stored and checked later, by kml_filter_init().
 * At run time the filter is changed at once, also during a scan.
 *
 * Context: process, kernel_param_lock() held; or boot.
 * Return: 0, or -EINVAL if this machine has no such filter.
 */
int kml_filter_want(const char *name)
{
	const struct kmemleak_filter *wanted;
	char copy[sizeof(kml_filter_name)];
	size_t len;

	/* names of the table fit; a longer name, even if cut, is not one of them */
	len = strnlen(name, sizeof(copy) - 1);
	if (len && name[len - 1] == '\n')
		len--;
	memcpy(copy, name, len);
	copy[len] = '\0';

	if (kml_filter_chosen) {
		wanted = kml_filter_find(copy);
		if (IS_ERR(wanted))
			return PTR_ERR(wanted);
		kml_filter_use(wanted);
	}
	strscpy(kml_filter_name, copy, sizeof(kml_filter_name));
	return 0;
}

/* A late initcall: CPU features do not change any more. */
static int __init kml_filter_init(void)
{
	const struct kmemleak_filter *wanted = kml_filter_find(kml_filter_name);

	kml_filter_chosen = true;
	if (kml_enabled())
		kml_filter_use(IS_ERR(wanted) ? kml_filter_find("auto") : wanted);
	return 0;
}
late_initcall(kml_filter_init);
