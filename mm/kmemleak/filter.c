// SPDX-License-Identifier: GPL-2.0-only
/* Filters, and reading memory that others write. */

#include "os.h"
#include "mark.h"

/* === Reading objects ==================================================== */

/*
 * Reading tracked memory: where it is, its checksum, its first bytes.
 *
 * This file is built without KASAN and KCSAN always: it reads what belongs to
 * others, while they write it.
 */

/**
 * kml_object_memory() - where to read an object
 * @space: of the object
 * @start: its untagged start
 * @cpu: whose copy of a per-CPU object
 *
 * Context: any; what is read must be pinned.
 * Return: address of its first byte.
 */
const void *kml_object_memory(struct kml_space *space, unsigned long start,
			      int cpu)
{
	switch (space->id) {
	case KML_PHYS:
		return __va((phys_addr_t)start);
	case KML_PERCPU:
		return per_cpu_ptr((void __percpu *)start, cpu);
	default:
		return (const void *)start;
	}
}

u32 kml_checksum(u32 seed, const void *p, size_t len)
{
	kasan_disable_current();
	kcsan_disable_current();
	seed = crc32(seed, kasan_reset_tag(p), len);
	kcsan_enable_current();
	kasan_enable_current();
	return seed;
}

/* Sum up one chunk of an object, if it still exists. */
static bool kml_checksum_chunk(struct kml_pins *pins, struct kml_space *space,
			       unsigned long start, size_t off, size_t len,
			       int cpu, u32 *sum)
{
	unsigned long flags;
	struct kml_pinned p;
	bool alive;

	rcu_read_lock();
	local_irq_save(flags);
	kml_pin(pins, 0, start);
	/* pairs with the atomic in kml_remove_entry(): "Pins" in index.h */
	smp_mb();
	/* it may have become shorter, or be another one, since the last chunk */
	alive = kml_lookup_pinned(kml_leaf_of(space, start), start, &p) &&
		off + len <= p.size;
	if (alive)
		*sum = kml_checksum(*sum, kml_object_memory(space, start, cpu) + off,
				    len);
	kml_unpin(pins, 0);
	local_irq_restore(flags);
	rcu_read_unlock();
	return alive;
}

/**
 * kml_checksum_pinned() - CRC-32 of an object's content, all CPUs' copies
 * @pins: the caller's
 * @space: of the object
 * @start: its untagged start
 * @size: in bytes
 * @sum: result
 * @stop: asked after each chunk; may reschedule
 * @data: for @stop
 *
 * Context: process, a scan is active.
 * Return: false if the object went away or
 * @stop said so.
 */
bool kml_checksum_pinned(struct kml_pins *pins, struct kml_space *space,
			 unsigned long start, size_t size, u32 *sum,
			 bool (*stop)(void *data), void *data)
{
	unsigned int cpu;
	size_t off, len;

	*sum = 0;
	for_each_possible_cpu(cpu) {
		for (off = 0; off < size; off += len) {
			len = min_t(size_t, size - off, KML_CHUNK);
			if (!kml_checksum_chunk(pins, space, start, off, len,
						cpu, sum) || stop(data))
				return false;
		}
		if (space->id != KML_PERCPU)
			break;
	}
	return true;
}

/**
 * kml_copy_head() - copy the first bytes of an object for a hex dump
 * @info: of the object, not in physical space
 * @buf: room for KML_HEX_BYTES
 * @cpu: set to the CPU whose copy of a per-CPU object was taken
 *
 * Context: any.
 * Return: bytes copied; 0 if it is no longer the same object, or if frees go
 * unnoticed: then another mapping may be there, of device registers for example.
 */
size_t kml_copy_head(const struct kml_info *info, void *buf, int *cpu)
{
	unsigned long start = kml_untag(info->addr);
	struct kml_space *space = kml_space(info->space);
	size_t len = min_t(size_t, info->size, KML_HEX_BYTES);
	struct kml_locked l;
	const void *mem;

	/* the lock keeps a free from returning while we copy */
	if (!kml_free_enabled() || !kml_object_lock(&l, space, start, false))
		return 0;
	*cpu = raw_smp_processor_id();
	mem = kasan_reset_tag(kml_object_memory(space, start, *cpu));
	if (l.hot->cold->stamp != info->stamp ||
	    l.hot->cold->born != info->born) {
		len = 0;
	} else {
		kasan_disable_current();
		memcpy(buf, mem, len);
		kasan_enable_current();
	}
	kml_object_unlock(&l);
	return len;
}

/* === Filters ============================================================ */

/*
 * The range filter: the table, what is used of it, and the generic one. That is
 * the contract: others are tested against it. It is free of branches: which
 * words are candidates cannot be predicted.
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

/* Context: process; one at a time, while others filter. */
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

/* === Choice of a filter ================================================= */

/* As it was set: a name of the table, or "auto" for the first usable filter. */
static char kml_filter_name[16] = "auto";
static bool kml_filter_chosen;	/* CPU features are known */

/* Return: the filter, or -EINVAL, and a message with the choices. */
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

/* The parameter, as it was set. Context: kernel_param_lock() held, or boot. */
const char *kml_filter_wanted(void)
{
	return kml_filter_name;
}

/**
 * kml_filter_want() - set the parameter that names the filter to use
 * @name: of the table, or "auto"; may end with a newline
 *
 * On the command line it is noted, and checked later. At run time it takes effect at
 * once, even in the middle of a scan.
 *
 * Context: process, kernel_param_lock() held; or boot.
 * Return: 0, or -EINVAL for a filter that is not usable here.
 */
int kml_filter_want(const char *name)
{
	const struct kmemleak_filter *wanted;
	char copy[sizeof(kml_filter_name)];
	size_t len;

	/* a name that does not fit is not in the table, cut or not */
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

/* Late: CPU features are known for good. */
static int __init kml_filter_init(void)
{
	const struct kmemleak_filter *wanted = kml_filter_find(kml_filter_name);

	kml_filter_chosen = true;
	if (kml_enabled())
		kml_filter_use(IS_ERR(wanted) ? kml_filter_find("auto") : wanted);
	return 0;
}
late_initcall(kml_filter_init);
