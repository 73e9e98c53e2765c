// SPDX-License-Identifier: GPL-2.0-only
/*
 * Allocation stacks: the fast walk and the handles equal what the unwinder and the
 * depot say, and a corrupt stack does no harm.
 */

#include "common.h"
#include <linux/irq_work.h>
#include <linux/kmemleak_unwind.h>

#define KML_DEEP	(KML_MAX_TRACE + 4)

/* Call @fn below @depth frames. */
static noinline void below(unsigned int depth, void (*fn)(void *arg), void *arg)
{
	if (depth)
		below(depth - 1, fn, arg);
	else
		fn(arg);
	barrier();
}

struct kml_saved {
	depot_stack_handle_t handle;
	unsigned long want[KML_MAX_TRACE];
	unsigned int nr;
};

static noinline void save_both(void *arg)
{
	struct kml_saved *s = arg;

	s->handle = kml_stack_save(GFP_KERNEL);
	s->nr = stack_trace_save(s->want, ARRAY_SIZE(s->want), 0);
	s->nr = filter_irq_stacks(s->want, s->nr);
}

/* Both traces begin in save_both(), at another of its calls. */
static bool same(const unsigned long *a, const unsigned long *b, unsigned int nr)
{
	unsigned int i;

	for (i = 1; i < nr; i++)
		if (a[i] != b[i])
			return false;
	return abs((long)(a[0] - b[0])) < 256;
}

/* A trace that is guessed has return addresses that earlier calls left on the stack. */
static bool unwinder_guesses(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_UML) && !IS_ENABLED(CONFIG_UNWINDER_GUESS))
		return false;
	kunit_mark_skipped(test, "the unwinder guesses");
	return true;
}

static void saved_as_by_the_unwinder(struct kunit *test)
{
	unsigned int depth;

	if (unwinder_guesses(test))
		return;
	for (depth = 0; depth <= KML_DEEP; depth++) {
		struct kml_saved s;
		unsigned long *entries;
		unsigned int nr;

		below(depth, save_both, &s);
		nr = stack_depot_fetch(s.handle, &entries);
		KUNIT_ASSERT_EQ(test, nr, s.nr);
		KUNIT_EXPECT_TRUE_MSG(test, same(entries, s.want, nr), "depth %u", depth);
	}
}

static void save_here(void *arg)
{
	struct kml_saved *s = arg;

	s->handle = kml_stack_save(GFP_KERNEL);
}

/* A handle is found again, though other traces have been saved meanwhile. */
static void handles_stay(struct kunit *test)
{
	depot_stack_handle_t first[KML_DEEP];
	unsigned int depth, round;

	for (round = 0; round < 3; round++)
		for (depth = 0; depth < KML_DEEP; depth++) {
			struct kml_saved s = {};

			below(depth, save_here, &s);
			KUNIT_EXPECT_NE(test, s.handle, 0U);
			if (!round)
				first[depth] = s.handle;
			KUNIT_EXPECT_EQ(test, s.handle, first[depth]);
		}
}

static void depth_limits_frames(struct kunit *test)
{
	unsigned int old = kml_depth, max;

	if (unwinder_guesses(test))
		return;
	for (max = 1; max <= KML_MAX_TRACE; max++) {
		struct kml_saved s;
		unsigned long *entries;
		unsigned int nr;

		WRITE_ONCE(kml_depth, max);
		below(KML_DEEP, save_both, &s);
		WRITE_ONCE(kml_depth, old);
		nr = stack_depot_fetch(s.handle, &entries);
		KUNIT_EXPECT_EQ(test, nr, min(max, s.nr));
		KUNIT_EXPECT_TRUE_MSG(test, same(entries, s.want, nr), "%u frames", max);
	}
}

#ifdef CONFIG_HAVE_ARCH_KMEMLEAK_STACK
struct kml_interrupted {
	struct irq_work work;
	struct kml_saved s;
	unsigned int depth;
	bool in_hardirq;
};

static void save_in_interrupt(struct irq_work *work)
{
	struct kml_interrupted *i = container_of(work, struct kml_interrupted, work);

	i->in_hardirq = in_hardirq();
	below(i->depth, save_both, &i->s);
}

/* The trace of an interrupt ends at its entry, wherever its stack is. */
static void saved_in_an_interrupt(struct kunit *test)
{
	struct kml_interrupted *i = kunit_kzalloc(test, sizeof(*i), GFP_KERNEL);
	unsigned long *entries;
	unsigned int nr;

	KUNIT_ASSERT_NOT_NULL(test, i);
	for (i->depth = 0; i->depth <= KML_DEEP; i->depth++) {
		i->work = IRQ_WORK_INIT_HARD(save_in_interrupt);
		KUNIT_ASSERT_TRUE(test, irq_work_queue(&i->work));
		irq_work_sync(&i->work);
		KUNIT_EXPECT_TRUE(test, i->in_hardirq);
		nr = stack_depot_fetch(i->s.handle, &entries);
		KUNIT_ASSERT_EQ(test, nr, i->s.nr);
		KUNIT_EXPECT_TRUE_MSG(test, same(entries, i->s.want, nr), "depth %u", i->depth);
	}
}

struct kml_walked {
	unsigned long fast[KML_MAX_TRACE], want[KML_MAX_TRACE];
	unsigned int nr, nr_want;
	unsigned long hash;
};

/* One call site, so that all addresses are the same. */
static noinline void walk_both(void *arg)
{
	struct kml_walked *w = arg;

	w->nr = arch_kmemleak_stack(__builtin_frame_address(0), w->fast,
				    ARRAY_SIZE(w->fast), &w->hash);
	/* without the frame of this function */
	w->nr_want = stack_trace_save(w->want, ARRAY_SIZE(w->want), 1);
}

/* The size of this frame is not known when it is compiled. */
static noinline void below_alloca(unsigned int depth, void (*fn)(void *arg), void *arg)
{
	unsigned long *room = __builtin_alloca(depth % 5 * 16 + 16);

	room[0] = depth;
	barrier_data(room);
	if (!depth)
		fn(arg);
	else if (depth % 3)
		below_alloca(depth - 1, fn, arg);
	else
		below(1, fn, arg);
	barrier_data(room);
}

static void check_walk(struct kunit *test, struct kml_walked *w)
{
	unsigned long hash = 0;
	unsigned int i;

	KUNIT_EXPECT_EQ(test, w->nr, w->nr_want);
	KUNIT_EXPECT_MEMEQ(test, w->fast, w->want, min(w->nr, w->nr_want) * sizeof(long));
	KUNIT_EXPECT_TRUE(test, kmemleak_stack_valid(w->fast, w->nr));
	for (i = 0; i < w->nr; i++)
		hash = kmemleak_stack_hash(hash, w->fast[i]);
	KUNIT_EXPECT_EQ(test, hash, w->hash);
}

static void walk_equals_unwinder(struct kunit *test)
{
	struct kml_walked w;
	unsigned int depth;

	for (depth = 0; depth <= KML_DEEP; depth++) {
		below(depth, walk_both, &w);
		check_walk(test, &w);
		below_alloca(depth, walk_both, &w);
		check_walk(test, &w);
	}
}

#if defined(CONFIG_X86_64) && defined(CONFIG_MODULES)
static u64 rule_of(unsigned long ret)
{
	return READ_ONCE(*kmemleak_rule_slot(ret));
}

/* A module that has the text of below(). */
static void rules_of_a_module_go(struct kunit *test)
{
	struct module *mod = kunit_kzalloc(test, sizeof(*mod), GFP_KERNEL);
	struct kml_walked w;
	unsigned long outer;

	KUNIT_ASSERT_NOT_NULL(test, mod);
	below(3, walk_both, &w);
	KUNIT_ASSERT_GE(test, w.nr, 6U);
	outer = w.fast[w.nr - 1];
	mod->mem[MOD_TEXT].base = (void *)(w.fast[1] - 64);
	mod->mem[MOD_TEXT].size = 128;
	KUNIT_ASSERT_FALSE(test, within_module(outer, mod));

	KUNIT_EXPECT_EQ(test, (u32)rule_of(w.fast[1]), (u32)w.fast[1]);
	KUNIT_EXPECT_NE(test, rule_of(outer), 0ULL);
	kmemleak_rules_forget(mod);
	KUNIT_EXPECT_EQ(test, rule_of(w.fast[1]), 0ULL);
	KUNIT_EXPECT_NE(test, rule_of(outer), 0ULL);
	below(3, walk_both, &w);
	check_walk(test, &w);
}
#endif

/*
 * A copy of a stack, which ends where a vmalloc() block ends: a read beyond it hits
 * the guard page. Frame pointers in it lead to the copy.
 */
struct kml_copy {
	struct kunit *test;
	struct kml_walked w;		/* the stack itself */
	unsigned long *good, *bad;	/* two copies; only one is damaged */
	unsigned int words;
	unsigned long begin, end, last;	/* of @bad */
};

static unsigned int walk_copy(const struct kml_copy *c, unsigned long *entries,
			      unsigned long *hash)
{
#ifdef CONFIG_X86
	return kmemleak_stack_walk(c->bad[1], c->bad[0], c->begin + 2 * sizeof(long), c->end, 0,
				   entries, KML_MAX_TRACE, hash);
#else
	return kmemleak_stack_walk(c->begin, c->end, c->last, entries, KML_MAX_TRACE, hash);
#endif
}

static unsigned long bad_word(const struct kml_copy *c, u64 *seed)
{
	u32 pick = kml_test_rand(seed);
	unsigned long any = (unsigned long)kml_test_rand(seed) << 32 | kml_test_rand(seed);

	switch (pick % 8) {
	case 0:
		return any;
	case 1:		/* about 0, and about the top of the address space */
		return (long)(any % 64) - 32;
	case 2:		/* about the ends of the stack */
		return (any & 64 ? c->begin : c->end) + any % 64 - 32;
	case 3:
		return c->begin + any % (c->words * sizeof(long));
	case 4:		/* a return address, or beside one */
		return c->w.fast[any % c->w.nr] + (any & 64 ? 0 : any % 32);
	case 5:		/* its low half is right */
		return (u32)c->w.fast[any % c->w.nr] | any << 32;
	default:	/* from elsewhere in the stack */
		return c->good[any % c->words];
	}
}

static noinline void fuzz(struct kml_copy *c)
{
	unsigned long entries[KML_MAX_TRACE];
	u64 seed = 0x6b6d656d;
	unsigned int round, i, nr, walked = 0;
	unsigned long hash;

	nr = walk_copy(c, entries, &hash);
	KUNIT_EXPECT_EQ(c->test, nr, c->w.nr);
	KUNIT_EXPECT_EQ(c->test, hash, c->w.hash);

	for (round = 0; round < 100000; round++) {
		for (i = 1 + kml_test_below(&seed, 8); i; i--) {
			/* where the walk goes, or anywhere */
			u32 n = kml_test_below(&seed, i % 2 ? c->words : min(c->words, 64));

			c->bad[n] = bad_word(c, &seed);
		}
		nr = walk_copy(c, entries, &hash);
		walked += nr > 1;
		if (!kml_ok(c->test, nr <= KML_MAX_TRACE))
			break;
		memcpy(c->bad, c->good, c->words * sizeof(long));
		if (!(round % 1024))
			cond_resched();
	}
	/* most of the damage is where the walk does not go */
	KUNIT_EXPECT_GT(c->test, walked, round / 16);
}

static noinline void copy_and_fuzz(void *arg)
{
	struct kml_copy *c = arg;
	unsigned long *frame = __builtin_frame_address(0);
	unsigned long begin = (unsigned long)frame;
	unsigned long end = (unsigned long)task_stack_page(current) + THREAD_SIZE;
	unsigned long size = PAGE_ALIGN(end - begin);
	unsigned int i;

	c->w.nr = arch_kmemleak_stack(frame, c->w.fast, ARRAY_SIZE(c->w.fast), &c->w.hash);
	c->good = vzalloc(size);
	c->bad = vzalloc(size);
	if (!kml_ok(c->test, c->w.nr && c->good && c->bad))
		goto out;
	c->words = (end - begin) / sizeof(long);
	c->bad += (size - (end - begin)) / sizeof(long);
	c->begin = (unsigned long)c->bad;
	c->end = c->begin + (end - begin);
#ifdef CONFIG_ARM64
	c->last = (unsigned long)&task_pt_regs(current)->stackframe - begin + c->begin;
#endif
	for (i = 0; i < c->words; i++) {
		c->good[i] = READ_ONCE_NOCHECK(frame[i]);
		if (c->good[i] - begin <= end - begin)
			c->good[i] += c->begin - begin;
		c->bad[i] = c->good[i];
	}
	fuzz(c);
	c->bad -= (size - (end - begin)) / sizeof(long);
out:
	vfree(c->good);
	vfree(c->bad);
}

static void corrupt_stack(struct kunit *test)
{
	struct kml_copy *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, c);
	c->test = test;
	below(3, copy_and_fuzz, c);
	below_alloca(5, copy_and_fuzz, c);
}
#endif

static struct kunit_case kml_unwind_cases[] = {
	KUNIT_CASE(saved_as_by_the_unwinder),
	KUNIT_CASE(handles_stay),
	KUNIT_CASE(depth_limits_frames),
#ifdef CONFIG_HAVE_ARCH_KMEMLEAK_STACK
	KUNIT_CASE(walk_equals_unwinder),
	KUNIT_CASE(saved_in_an_interrupt),
#if defined(CONFIG_X86_64) && defined(CONFIG_MODULES)
	KUNIT_CASE(rules_of_a_module_go),
#endif
	KUNIT_CASE_SLOW(corrupt_stack),
#endif
	{}
};

static struct kunit_suite kml_unwind_suite = {
	.name = "kmemleak_unwind",
	.test_cases = kml_unwind_cases,
};

kunit_test_suite(kml_unwind_suite);
