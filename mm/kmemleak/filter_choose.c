// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which range filter to use, and from how many words on: both are measured, at
 * boot and whenever another one is asked for. It takes less than a millisecond.
 */

#include "os.h"
#include "filter.h"
#include "state.h"

#define KML_CHUNK_WORDS		(KML_CHUNK / sizeof(long))

/* Words of a trial: fits the caches nearest to the CPU. */
#define KML_TRIAL_WORDS		(8 * KML_CHUNK_WORDS)
#define KML_TRIAL_CALLS		64	/* at most, of those for less than a chunk */
#define KML_TRIAL_LOOPS		4	/* timed together: clocks may be coarse */
#define KML_TRIAL_ROUNDS	8	/* the best one counts */
#define KML_TRIAL_UNMEASURED	16	/* where to begin if that is not known */

/* Candidates of each chunk, in per cent: much memory has none at all. */
static const u8 kml_trial_mix[] = { 0, 26, 0, 7, 0, 26, 0, 7 };

struct kml_trial {
	unsigned long words[KML_TRIAL_WORDS];
	unsigned long out[KML_CHUNK_WORDS + KMEMLEAK_FILTER_PAD];
};

/* Objects in the upper half, per-CPU pointers elsewhere, as in most kernels. */
static const struct kmemleak_windows kml_trial_windows = {
	.virt	= { ~(~0UL >> 1), ~0UL >> 4 },
	.percpu	= { ~0UL >> 2, 0x10000 },
	.self	= { ~(~0UL >> 1), 0x100 },
	.tag_bits = KML_TAG_BITS,
};

/* As it was asked for: of the table, "auto", or what we do not know. */
static char kml_filter_name[16] = "auto";
static bool kml_filter_chosen;	/* has been; so there is a clock */

static u32 kml_trial_rand(u32 *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

static void kml_trial_fill(struct kml_trial *trial)
{
	u32 seed = 2463534242U;
	unsigned int i;

	BUILD_BUG_ON(ARRAY_SIZE(kml_trial_mix) * KML_CHUNK_WORDS != KML_TRIAL_WORDS);

	for (i = 0; i < KML_TRIAL_WORDS; i++) {
		trial->words[i] = kml_trial_rand(&seed) >> 8;
		if (kml_trial_rand(&seed) % 100 < kml_trial_mix[i / KML_CHUNK_WORDS])
			trial->words[i] += kml_trial_windows.virt.min + 0x100;
	}
}

/* Time to filter pieces of @piece words, the same ones for each filter. */
static u32 kml_trial_ns(const struct kmemleak_filter *f,
			struct kml_trial *trial, unsigned int piece)
{
	unsigned int step = piece, round, loop, i;
	u64 best = U32_MAX, from;

	if (piece < KML_CHUNK_WORDS)
		step = max_t(unsigned int, piece, KML_TRIAL_WORDS / KML_TRIAL_CALLS);

	for (round = 0; round < KML_TRIAL_ROUNDS; round++) {
		from = ktime_get_ns();
		for (loop = 0; loop < KML_TRIAL_LOOPS; loop++)
			for (i = 0; i + piece <= KML_TRIAL_WORDS; i += step)
				kml_filter_call(f, trial->words + i, piece,
						&kml_trial_windows, trial->out);
		best = min(best, ktime_get_ns() - from);
	}
	return best;
}

static u32 kml_trial_chunks_ns(const struct kmemleak_filter *f,
			       struct kml_trial *trial)
{
	return kml_trial_ns(f, trial, KML_CHUNK_WORDS);
}

/* Tenths of GB/s: bytes in a nanosecond. */
static u32 kml_trial_speed(u32 ns)
{
	return 10 * sizeof(long) * KML_TRIAL_WORDS * KML_TRIAL_LOOPS / max(ns, 1U);
}

/* What setting up and beginning to use SIMD registers costs has to come back. */
static unsigned int kml_trial_break_even(const struct kmemleak_filter *f,
					 const struct kmemleak_filter *generic,
					 struct kml_trial *trial)
{
	unsigned int words;

	for (words = 1; words < KML_CHUNK_WORDS; words *= 2)
		if (kml_trial_ns(f, trial, words) < kml_trial_ns(generic, trial, words))
			return words;
	/* slower than the generic one: somebody wants it, so let them have it */
	return KML_TRIAL_UNMEASURED;
}

static bool kml_filter_usable(const struct kmemleak_filter *f)
{
	return !f->usable || f->usable();
}

/* Return: the filter of that name, NULL for any, or -EINVAL. */
static const struct kmemleak_filter *kml_filter_find(const char *name)
{
	char names[64] = "auto";
	unsigned int i, len = strlen(names);

	if (!strcmp(name, "auto"))
		return NULL;
	for (i = 0; kml_filters[i]; i++) {
		if (!kml_filter_usable(kml_filters[i]))
			continue;
		if (!strcmp(name, kml_filters[i]->name))
			return kml_filters[i];
		len += scnprintf(names + len, sizeof(names) - len, ", %s",
				 kml_filters[i]->name);
	}
	pr_warn("No filter \"%s\" here: choose one of %s\n", name, names);
	return ERR_PTR(-EINVAL);
}

static void kml_filter_choose(const struct kmemleak_filter *wanted,
			      struct kml_trial *trial)
{
	const struct kmemleak_filter *f, *best = NULL, *generic = NULL;
	u32 ns, best_ns = 0, speed;
	unsigned int i, len = 0, from = 0;
	char others[96] = "";

	kml_trial_fill(trial);
	for (i = 0; kml_filters[i]; i++) {
		const struct kmemleak_filter *loser = NULL;
		u32 loser_ns = 0;

		f = kml_filters[i];
		if (!kml_filter_usable(f))
			continue;
		ns = kml_trial_chunks_ns(f, trial);
		if (!best || f == wanted || (best != wanted && ns < best_ns)) {
			loser = best;
			loser_ns = best_ns;
			best = f;
			best_ns = ns;
		} else {
			loser = f;
			loser_ns = ns;
		}
		generic = f;
		if (!loser)
			continue;
		speed = kml_trial_speed(loser_ns);
		len += scnprintf(others + len, sizeof(others) - len, "; %s %u.%u GB/s",
				 loser->name, speed / 10, speed % 10);
	}

	speed = kml_trial_speed(best_ns);
	if (best == generic) {
		pr_info("filter: %s (%u.%u GB/s%s)\n", best->name,
			speed / 10, speed % 10, others);
	} else if (!best_ns) {
		from = KML_TRIAL_UNMEASURED;
		pr_info("filter: %s, from %u words: no clock to measure it\n",
			best->name, from);
	} else {
		from = kml_trial_break_even(best, generic, trial);
		pr_info("filter: %s (%u.%u GB/s%s), from %u words\n", best->name,
			speed / 10, speed % 10, others, from);
	}
	kml_filter_use(best, from);
}

/* Return: 0 or -ENOMEM. */
static int kml_filter_measure(const struct kmemleak_filter *wanted)
{
	const size_t size = sizeof(struct kml_trial);
	struct kml_trial *trial;

	/* only the generic one: nothing to measure for */
	if (!kml_filters[1])
		return 0;
	trial = kvmalloc(size, GFP_KERNEL);
	if (!trial)
		return -ENOMEM;
	kml_filter_choose(wanted, trial);
	kvfree(trial);
	return 0;
}

/* The parameter, as it was set. Context: kernel_param_lock() held, or boot. */
const char *kml_filter_wanted(void)
{
	return kml_filter_name;
}

/**
 * kml_filter_want() - the parameter: which filter to use
 * @name: of the table, or "auto"; may end with a newline
 *
 * At boot it is noted, and known to be wrong only later. Then it takes effect
 * at once, in the middle of a scan, too.
 *
 * Context: process, kernel_param_lock() held; or boot.
 * Return: 0, -EINVAL for one that is not usable here, -ENOMEM.
 */
int kml_filter_want(const char *name)
{
	const struct kmemleak_filter *wanted;
	char copy[sizeof(kml_filter_name)];
	size_t len;
	int ret;

	/* what does not fit is none of them, whole or not */
	len = strnlen(name, sizeof(copy) - 1);
	if (len && name[len - 1] == '\n')
		len--;
	memcpy(copy, name, len);
	copy[len] = '\0';

	if (kml_filter_chosen) {
		wanted = kml_filter_find(copy);
		if (IS_ERR(wanted))
			return PTR_ERR(wanted);
		ret = kml_filter_measure(wanted);
		if (ret)
			return ret;
	}
	strscpy(kml_filter_name, copy, sizeof(kml_filter_name));
	return 0;
}

/* Late: the clock is there, and CPU features are known for good. */
static int __init kml_filter_init(void)
{
	const struct kmemleak_filter *wanted = kml_filter_find(kml_filter_name);

	kml_filter_chosen = true;
	return kml_enabled() ? kml_filter_measure(IS_ERR(wanted) ? NULL : wanted) : 0;
}
late_initcall(kml_filter_init);
