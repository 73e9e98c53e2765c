// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stacks of other tasks: which part is read if the task sleeps, or if it wakes up
 * meanwhile, and which objects are reported that only the stack refers to.
 */

#include "plant.h"
#include "../mark.h"

#ifdef CONFIG_KMEMLEAK_LIVE_STACKS

/*
 * Frames of functions that have returned. The frames in use while the task sleeps
 * overlap the outer ones and have holes, so no address is written to the outer ones.
 */
#define KML_GRAVES	8	/* number of frames */
#define KML_DEEP	3	/* number of inner frames that contain the address */
#define KML_GRAVE	64	/* words of a frame */

enum kml_part {
	KML_FRAME,		/* in an array of a function that sleeps */
	KML_REGISTER,		/* in a variable that should be in a register */
	KML_DEAD,		/* in frames of functions that have returned */
	KML_NR_PARTS,
};

/* A thread that sleeps, and the words in each part of its stack. */
struct kml_sleeper {
	unsigned long word[KML_NR_PARTS];	/* inverted */
	struct task_struct *task;
	struct completion ran;
	unsigned int wakeups;
	bool stay;				/* stay awake */
};

static noinline void bury(const struct kml_sleeper *s, unsigned int depth)
{
	unsigned long grave[KML_GRAVE];
	unsigned int i;

	for (i = 0; i < KML_GRAVE; i++)
		grave[i] = depth < KML_DEEP ? ~s->word[KML_DEAD] : 0;
	barrier_data(grave);
	if (depth)
		bury(s, depth - 1);
	barrier_data(grave);
}

static noinline void sleep_or_stay(struct kml_sleeper *s)
{
	set_current_state(TASK_INTERRUPTIBLE);
	if (!kthread_should_stop())
		schedule();
	__set_current_state(TASK_RUNNING);
	WRITE_ONCE(s->wakeups, s->wakeups + 1);
	complete(&s->ran);
	while (READ_ONCE(s->stay) && !kthread_should_stop()) {
		cond_resched();
		cpu_relax();
	}
}

static int kml_sleeper_main(void *arg)
{
	struct kml_sleeper *s = arg;
	unsigned long frame[2], kept;

	frame[0] = ~s->word[KML_FRAME];
	frame[1] = 0;
	kept = ~s->word[KML_REGISTER];
	/* keeps the compiler from loading the word from @s again */
	asm volatile("" : "+r" (kept));
	bury(s, KML_GRAVES - 1);
	while (!kthread_should_stop()) {
		barrier_data(frame);
		sleep_or_stay(s);
		asm volatile("" : "+r" (kept));
	}
	return 0;
}

/* Wait until the thread sleeps, its registers saved. Return: false if not. */
static noinline bool kml_sleeper_settle(struct kml_sleeper *s)
{
	unsigned int n;

	for (n = 0; n < 60 * HZ; n++) {
		if (wait_task_inactive(s->task, TASK_INTERRUPTIBLE))
			return true;
		schedule_timeout_uninterruptible(1);
	}
	return false;
}

/* Start the thread and wait until it sleeps. Return: whether that worked. */
static noinline bool kml_sleeper_start(struct kunit *test, struct kml_sleeper *s)
{
	init_completion(&s->ran);
	s->task = kthread_run(kml_sleeper_main, s, "kml_sleeper");
	return kml_ok(test, !IS_ERR(s->task)) &&
	       kml_ok(test, kml_sleeper_settle(s));
}

static void kml_sleeper_stop(struct kml_sleeper *s)
{
	if (!IS_ERR_OR_NULL(s->task))
		kthread_stop(s->task);
}

/* A sink that counts the words it gets, and can wake the sleeper meanwhile. */
struct kml_stack_sink {
	struct kml_root_sink sink;	/* must be first */
	struct kml_sleeper *s;
	void (*meanwhile)(struct kml_sleeper *s);
	unsigned int seen[KML_NR_PARTS];
	bool whole;			/* the whole stack was read at once */
};

static bool kml_stack_range(struct kml_root_sink *sink, const void *start, size_t len)
{
	struct kml_stack_sink *k = container_of(sink, struct kml_stack_sink, sink);
	const unsigned long *word = start;
	unsigned int part;

	/* if registers are saved on the stack, their own range is empty: wait */
	if (k->meanwhile && len) {
		k->meanwhile(k->s);
		k->meanwhile = NULL;
	}
	k->whole |= start == task_stack_page(k->s->task) && len == THREAD_SIZE;
	for (; (const void *)word < start + len; word++)
		for (part = 0; part < KML_NR_PARTS; part++)
			k->seen[part] += READ_ONCE(*word) == ~k->s->word[part];
	return true;
}

static void kml_stack_read(struct kml_stack_sink *k, struct kml_sleeper *s,
			   void (*meanwhile)(struct kml_sleeper *s))
{
	*k = (struct kml_stack_sink){
		.sink.range = kml_stack_range,
		.s = s,
		.meanwhile = meanwhile,
	};
	kml_roots_stack(&k->sink, s->task);
}

static bool have_stacks(struct kunit *test)
{
	if (!task_stack_page(current))
		kunit_skip(test, "tasks have no stack here");
	if (!kml_live_stacks)
		kunit_skip(test, "kmemleak.live_stacks is off");
	return true;
}

static void kml_sleeper_words(struct kml_sleeper *s)
{
	unsigned int part;

	*s = (struct kml_sleeper){};
	for (part = 0; part < KML_NR_PARTS; part++)
		s->word[part] = ~(0x5ca1ab1e + 16UL * part);
}

static void asleep(struct kunit *test)
{
	struct kml_stack_sink k;
	struct kml_sleeper s;

	have_stacks(test);
	kml_sleeper_words(&s);
	if (kml_sleeper_start(test, &s)) {
		kml_stack_read(&k, &s, NULL);
		KUNIT_EXPECT_GE(test, k.seen[KML_FRAME], 1U);
		KUNIT_EXPECT_GE(test, k.seen[KML_REGISTER], 1U);
		KUNIT_EXPECT_EQ(test, k.seen[KML_DEAD], 0U);
		KUNIT_EXPECT_FALSE(test, k.whole);

		/* the whole stack does have the word in dead frames */
		kml_live_stacks = false;
		kml_stack_read(&k, &s, NULL);
		kml_live_stacks = true;
		KUNIT_EXPECT_TRUE(test, k.whole);
		KUNIT_EXPECT_GE(test, k.seen[KML_DEAD], 1U);
	}
	kml_sleeper_stop(&s);
}

/* The sleeper wakes up, runs, and sleeps again. */
static void kml_one_round(struct kml_sleeper *s)
{
	wake_up_process(s->task);
	wait_for_completion(&s->ran);
	kml_sleeper_settle(s);
}

static void woken_and_asleep_again(struct kunit *test)
{
	struct kml_stack_sink k;
	struct kml_sleeper s;

	have_stacks(test);
	kml_sleeper_words(&s);
	if (kml_sleeper_start(test, &s)) {
		kml_stack_read(&k, &s, kml_one_round);
		KUNIT_EXPECT_EQ(test, s.wakeups, 1U);
		KUNIT_EXPECT_TRUE(test, k.whole);
		/* and now it sleeps all the time */
		kml_stack_read(&k, &s, NULL);
		KUNIT_EXPECT_FALSE(test, k.whole);
	}
	kml_sleeper_stop(&s);
}

/* The sleeper wakes up and stays awake, on another CPU. */
static void kml_stay_awake(struct kml_sleeper *s)
{
	WRITE_ONCE(s->stay, true);
	wake_up_process(s->task);
	wait_for_completion(&s->ran);
}

static void woken_and_running(struct kunit *test)
{
	struct kml_stack_sink k;
	struct kml_sleeper s;

	have_stacks(test);
	if (num_online_cpus() < 2)
		kunit_skip(test, "there is one CPU");
	kml_sleeper_words(&s);
	if (kml_sleeper_start(test, &s)) {
		kml_stack_read(&k, &s, kml_stay_awake);
		KUNIT_EXPECT_TRUE(test, k.whole);
		KUNIT_EXPECT_GE(test, k.seen[KML_FRAME], 1U);
	}
	kml_sleeper_stop(&s);
}

/*
 * A thread that has a word in a frame while it sleeps, each time at another depth,
 * and nowhere while it runs. Whenever its stack is read as that of a sleeping task,
 * the word must be found.
 */
#define KML_ROUNDS	2000

static noinline void wander(struct kml_sleeper *s, unsigned int depth)
{
	unsigned long frame[4] = {};

	if (depth) {
		wander(s, depth - 1);
		barrier_data(frame);
		return;
	}
	frame[1] = ~s->word[KML_FRAME];
	barrier_data(frame);
	set_current_state(TASK_INTERRUPTIBLE);
	if (!kthread_should_stop())
		schedule();
	__set_current_state(TASK_RUNNING);
	memzero_explicit(frame, sizeof(frame));
	WRITE_ONCE(s->wakeups, s->wakeups + 1);
}

static int kml_wanderer_main(void *arg)
{
	unsigned int n;

	for (n = 0; !kthread_should_stop(); n++)
		wander(arg, n % KML_GRAVES);
	return 0;
}

static int kml_waker_main(void *arg)
{
	struct kml_sleeper *s = arg;

	while (!kthread_should_stop()) {
		wake_up_process(s->task);
		cond_resched();
	}
	return 0;
}

/* Run a thread on the last CPU, for the reader mostly runs on another one. */
static struct task_struct *kml_run_apart(int (*fn)(void *), void *arg, const char *name)
{
	struct task_struct *task = kthread_create(fn, arg, "%s", name);
	unsigned int cpu, last = 0;

	if (IS_ERR(task))
		return task;
	for_each_online_cpu(cpu)
		last = cpu;
	kthread_bind(task, last);
	wake_up_process(task);
	return task;
}

static void kml_read_wanderer(struct kunit *test, struct kml_sleeper *s)
{
	/* on a slow machine, or with one CPU, fewer rounds are enough */
	unsigned long end = jiffies + 5 * HZ;
	unsigned int reads, asleep = 0, lost = 0;
	struct kml_stack_sink k;

	for (reads = 0; READ_ONCE(s->wakeups) < KML_ROUNDS && time_before(jiffies, end); reads++) {
		kml_stack_read(&k, s, NULL);
		asleep += !k.whole;
		lost += !k.whole && !k.seen[KML_FRAME];
		cond_resched();
	}
	KUNIT_EXPECT_EQ(test, lost, 0U);
	kunit_info(test, "%u rounds, %u reads, %u of them asleep", s->wakeups,
		   reads, asleep);
}

static void woken_at_any_time(struct kunit *test)
{
	struct task_struct *waker;
	struct kml_sleeper s;

	have_stacks(test);
	kml_sleeper_words(&s);
	s.task = kml_run_apart(kml_wanderer_main, &s, "kml_wanderer");
	if (kml_ok(test, !IS_ERR(s.task)) && kml_ok(test, kml_sleeper_settle(&s))) {
		waker = kml_run_apart(kml_waker_main, &s, "kml_waker");
		if (kml_ok(test, !IS_ERR(waker))) {
			kml_read_wanderer(test, &s);
			kthread_stop(waker);
		}
	}
	kml_sleeper_stop(&s);
}

/* Objects 1 to 3: a frame, a register and a dead frame refer to one each. */
static noinline void know_objects(struct kml_plant *p, struct kml_sleeper *s)
{
	unsigned int part;

	*s = (struct kml_sleeper){};
	for (part = 0; part < KML_NR_PARTS; part++) {
		plant(p, 1 + part);
		s->word[part] = ~addr_of(p, 1 + part);
	}
}

/*
 * The stack of the test is read, too. The functions of the scan have holes in their
 * frames: clear the memory where these frames will be.
 */
static noinline void clear_below(unsigned int depth)
{
	unsigned long dead[KML_GRAVE];

	memzero_explicit(dead, sizeof(dead));
	if (depth)
		clear_below(depth - 1);
	barrier_data(dead);
}

static void of_sleepers_fn(struct kunit *test, struct kml_plant *p)
{
	bool found = false;
	struct kml_sleeper s;
	unsigned int n;

	know_objects(p, &s);
	kml_scan_params.stacks = true;
	if (kml_sleeper_start(test, &s)) {
		for (n = 0; n < KML_SCANS && !found; n++) {
			clear_below(KML_GRAVES / 2);
			scan(test);
			KUNIT_EXPECT_FALSE(test, reported(p, 1 + KML_FRAME));
			KUNIT_EXPECT_FALSE(test, reported(p, 1 + KML_REGISTER));
			found = reported(p, 1 + KML_DEAD);
		}
		p->missed |= !found;
	}
	kml_sleeper_stop(&s);
}

static void objects_of_sleepers(struct kunit *test)
{
	have_stacks(test);
	with_pages(test, of_sleepers_fn);
}

static struct kunit_case kml_stack_cases[] = {
	KUNIT_CASE(asleep),
	KUNIT_CASE(woken_and_asleep_again),
	KUNIT_CASE(woken_and_running),
	KUNIT_CASE(woken_at_any_time),
	KUNIT_CASE(objects_of_sleepers),
	{}
};
#else
static void nothing_to_test(struct kunit *test)
{
	kunit_skip(test, "stacks are read whole here");
}

static struct kunit_case kml_stack_cases[] = {
	KUNIT_CASE(nothing_to_test),
	{}
};
#endif

static struct kunit_suite kml_stack_suite = {
	.name = "kmemleak_stack",
	.test_cases = kml_stack_cases,
};

kunit_test_suite(kml_stack_suite);
