// SPDX-License-Identifier: GPL-2.0
/*
 * kmemleak_torture: threads
 *
 * Each thread has words for references to its live objects: one for each object, or two
 * while it moves from one to the other. A parker keeps some references on its stack for a
 * while.
 */
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/wait.h>

#include "kt.h"

#define KT_MAX_THREADS	128
#define KT_RING		64
#define KT_CHURN	16
#define KT_PARKED	8
/* words of odd number point to the middle of their objects */
#define KT_BIAS		24

enum kt_home_state { HOME_FREE, HOME_USED, HOME_LEAVING, HOME_ARRIVING };

struct kt_home {
	enum kt_home_state state;
	unsigned int partner;		/* LEAVING: the word that it moves to */
	unsigned long since;
};

struct kt_thread {
	struct task_struct *task;
	struct rnd_state rnd;
	bool parker;
	unsigned int first, nr_words, nr_live, next_sweep, next_ring;
	unsigned long beat, leaked;	/* jiffies */
	unsigned long transit;
	unsigned long ring[KT_RING];
	struct kt_home *home;
};

static struct kt_thread *kt_threads[KT_MAX_THREADS];
static unsigned int kt_nr_threads;
static atomic_t kt_nr_parked;

static unsigned int kt_random(struct kt_thread *t, unsigned int below)
{
	return prandom_u32_state(&t->rnd) % below;
}

/* Words */

static void kt_home_write(struct kt_thread *t, unsigned int i, unsigned long ref)
{
	WRITE_ONCE(*kt_word(t->first + i), ref ? ref + (i % 2 ? KT_BIAS : 0) : 0);
}

static unsigned long kt_home_read(struct kt_thread *t, unsigned int i)
{
	unsigned long value = READ_ONCE(*kt_word(t->first + i));

	return value ? value - (i % 2 ? KT_BIAS : 0) : 0;
}

/* A word in @state, from a random one on. */
static int kt_home_find(struct kt_thread *t, enum kt_home_state state)
{
	unsigned int i, k = kt_random(t, t->nr_words);

	for (i = 0; i < t->nr_words; i++, k++)
		if (t->home[k % t->nr_words].state == state)
			return k % t->nr_words;
	return -1;
}

static void kt_home_birth(struct kt_thread *t)
{
	int i = kt_home_find(t, HOME_FREE);
	unsigned long ref;

	if (i < 0)
		return;
	ref = kt_object_random(&t->rnd, KT_LIVE);
	if (!ref)
		return;
	kt_home_write(t, i, ref);
	t->home[i].state = HOME_USED;
	t->nr_live++;
}

/* The word is cleared last: the object is referenced until it is freed. */
static void kt_home_death(struct kt_thread *t)
{
	int i = kt_home_find(t, HOME_USED);
	unsigned long ref;

	if (i < 0)
		return;
	ref = kt_home_read(t, i);
	if (kt_object_check(ref, KT_LIVE))
		kt_object_free(ref);
	kt_home_write(t, i, 0);
	t->home[i].state = HOME_FREE;
	t->nr_live--;
}

static void kt_home_move(struct kt_thread *t)
{
	int from = kt_home_find(t, HOME_USED);
	int to = kt_home_find(t, HOME_FREE);
	unsigned long ref;

	if (from < 0 || to < 0)
		return;
	ref = kt_home_read(t, from);
	if (!kt_object_check(ref, KT_LIVE))
		return;
	kt_home_write(t, to, ref);
	t->home[to].state = HOME_ARRIVING;
	t->home[from].state = HOME_LEAVING;
	t->home[from].partner = to;
	t->home[from].since = jiffies;
	/* only some change, since an object that changes is not reported */
	if (kt_random(t, 16) == 0)
		WRITE_ONCE(kt_object(ref)->touched, kt_random(t, 1000));
}

/* Both references have existed for longer than a scan takes: remove one. */
static void kt_home_sweep(struct kt_thread *t, unsigned int nr)
{
	unsigned long overlap = msecs_to_jiffies(kt_overlap_ms);

	while (nr--) {
		unsigned int i = t->next_sweep++ % t->nr_words;
		struct kt_home *home = &t->home[i];

		if (home->state != HOME_LEAVING || time_before(jiffies, home->since + overlap))
			continue;
		kt_home_write(t, i, 0);
		t->home[home->partner].state = HOME_USED;
		home->state = HOME_FREE;
	}
}

/* Objects that live for some milliseconds */
static void kt_ring_step(struct kt_thread *t)
{
	unsigned int i = t->next_ring++ % KT_RING;
	unsigned long ref = t->ring[i];

	if (ref) {
		if (!kt_object_check(ref, KT_LIVE))
			return;
		if (!(ref & KT_REF_PERCPU) && kt_random(t, 4) == 0)
			kt_object_free_elsewhere(ref);
		else
			kt_object_free(ref);
	}
	ref = kt_object_random(&t->rnd, KT_LIVE);
	WRITE_ONCE(t->ring[i], ref);
	if (ref && kt_random(t, 8) == 0)
		kt_hooks(&t->rnd, ref);
}

static void kt_thread_burst(struct kt_thread *t)
{
	unsigned int i;

	for (i = 0; i < KT_CHURN; i++)
		kt_ring_step(t);
	if (t->nr_live < kt_live)
		kt_home_birth(t);
	else if (kt_random(t, 8) == 0)
		kt_home_death(t);
	kt_home_move(t);
	kt_home_sweep(t, 8);
	kt_move_some(&t->rnd, &t->transit);
	kt_move_look(&t->rnd);
	kt_pop_some(&t->rnd, &t->transit);
	if (kt_leak_ms && time_after(jiffies, t->leaked + msecs_to_jiffies(kt_leak_ms))) {
		t->leaked = jiffies;
		kt_leak_one(&t->rnd);
	}
	kt_count(KT_C_OPS);
}

static int kt_thread_fn(void *arg)
{
	struct kt_thread *t = arg;

	while (!kthread_should_stop()) {
		kt_thread_burst(t);
		WRITE_ONCE(t->beat, jiffies);
		if (kt_pause_us)
			usleep_range(kt_pause_us, 2 * kt_pause_us);
		else
			cond_resched();
	}
	return 0;
}

/* Parkers */

static void kt_parker_sleep(struct kt_thread *t, unsigned int ms, bool interruptible)
{
	unsigned long end = jiffies + msecs_to_jiffies(ms);

	while (time_before(jiffies, end) && !kthread_should_stop()) {
		if (interruptible && !READ_ONCE(kt_stacks))
			break;
		WRITE_ONCE(t->beat, jiffies);
		wait_event_interruptible_timeout(kt_wait, kthread_should_stop() ||
						 (interruptible && !READ_ONCE(kt_stacks)), HZ / 10);
	}
}

/*
 * The references are in words, in words and on the stack, only on the stack, in both, and
 * in words again. They are in both for longer than a scan takes, unless the thread stops.
 */
static noinline void kt_park(struct kt_thread *t)
{
	unsigned long kept[KT_PARKED];
	unsigned int i;

	for (i = 0; i < KT_PARKED; i++)
		kept[i] = kt_home_read(t, i);
	barrier_data(kept);
	kt_parker_sleep(t, kt_overlap_ms, true);
	if (READ_ONCE(kt_stacks) && !kthread_should_stop()) {
		for (i = 0; i < KT_PARKED; i++)
			kt_home_write(t, i, 0);
		atomic_add(KT_PARKED, &kt_nr_parked);
		kt_parker_sleep(t, kt_overlap_ms * 3 / 2, true);
		atomic_sub(KT_PARKED, &kt_nr_parked);
		barrier_data(kept);
		for (i = 0; i < KT_PARKED; i++) {
			kt_object_check(kept[i], KT_LIVE);
			kt_home_write(t, i, kept[i]);
		}
		kt_count(KT_C_PARKS);
		kt_parker_sleep(t, kt_overlap_ms, false);
	}
	memset(kept, 0, sizeof(kept));
	barrier_data(kept);
}

static int kt_parker_fn(void *arg)
{
	struct kt_thread *t = arg;

	while (!kthread_should_stop()) {
		if (kt_stack_enter()) {
			kt_park(t);
			kt_stack_leave();
			kt_wipe_stack();
		}
		kt_parker_sleep(t, 100, false);
	}
	return 0;
}

unsigned int kt_threads_parked(void)
{
	return atomic_read(&kt_nr_parked);
}

/* All of them */

static void kt_thread_free(struct kt_thread *t)
{
	unsigned int i;
	unsigned long ref;

	for (i = 0; t->home && i < t->nr_words; i++) {
		/* the word that it moves to has another reference */
		ref = t->home[i].state == HOME_LEAVING ? 0 : kt_home_read(t, i);
		kt_home_write(t, i, 0);
		if (ref && kt_object_check(ref, KT_LIVE))
			kt_object_free(ref);
	}
	for (i = 0; i < KT_RING; i++)
		if (t->ring[i])
			kt_object_free(t->ring[i]);
	kfree(t->home);
	kfree(t);
}

static struct kt_thread *kt_thread_new(unsigned int first, bool parker)
{
	struct kt_thread *t = kzalloc(sizeof(*t), GFP_KERNEL);
	unsigned int i;
	unsigned long ref;

	if (!t)
		return NULL;
	t->parker = parker;
	t->first = first;
	t->nr_words = parker ? KT_PARKED : 2 * kt_live;
	t->leaked = jiffies;
	t->beat = jiffies;
	prandom_seed_state(&t->rnd, get_random_u64());
	t->home = kcalloc(t->nr_words, sizeof(*t->home), GFP_KERNEL);
	for (i = 0; t->home && parker && i < KT_PARKED; i++) {
		/* until there is memory for one */
		do {
			ref = kt_object_random(&t->rnd, KT_LIVE);
			cond_resched();
		} while (!ref);
		kt_home_write(t, i, ref);
	}
	if (t->home)
		return t;
	kt_thread_free(t);
	return NULL;
}

/* Half of the workers are bound to a CPU, the others are not. */
static int kt_thread_start(struct kt_thread *t, unsigned int nr)
{
	unsigned int cpu = cpumask_nth(nr / 2 % num_online_cpus(), cpu_online_mask);
	struct task_struct *task;

	if (!t->parker && nr % 2 == 0 && cpu < nr_cpu_ids)
		task = kthread_create_on_cpu(kt_thread_fn, t, cpu, "kt_worker/%u");
	else
		task = kthread_create(t->parker ? kt_parker_fn : kt_thread_fn, t,
				      t->parker ? "kt_parker" : "kt_worker");
	if (IS_ERR(task))
		return PTR_ERR(task);
	t->task = task;
	wake_up_process(task);
	return 0;
}

int kt_threads_start(void)
{
	unsigned int i, words = 0;
	int ret;

	if (kt_nthreads + kt_nparkers > KT_MAX_THREADS)
		return -EINVAL;
	ret = kt_words_init(kt_nthreads * 2 * kt_live + kt_nparkers * KT_PARKED);
	if (ret)
		return ret;
	for (i = 0; i < kt_nthreads + kt_nparkers; i++) {
		struct kt_thread *t = kt_thread_new(words, i >= kt_nthreads);

		if (!t)
			return -ENOMEM;
		kt_threads[kt_nr_threads++] = t;
		words += t->nr_words;
		ret = kt_thread_start(t, i);
		if (ret)
			return ret;
	}
	return 0;
}

/* Their objects stay in their places. */
void kt_threads_stop(void)
{
	unsigned int i;

	for (i = 0; i < kt_nr_threads; i++) {
		if (kt_threads[i]->task)
			kthread_stop(kt_threads[i]->task);
		kt_threads[i]->task = NULL;
	}
}

void kt_threads_free(void)
{
	kt_threads_stop();
	while (kt_nr_threads) {
		kt_thread_free(kt_threads[--kt_nr_threads]);
		kt_threads[kt_nr_threads] = NULL;
	}
	kt_words_exit();
}

/* Is a thread without progress for too long? */
bool kt_threads_stalled(void)
{
	bool stalled = false;
	unsigned int i;

	for (i = 0; i < kt_nr_threads; i++) {
		struct kt_thread *t = kt_threads[i];

		if (!t->task || time_before(jiffies, READ_ONCE(t->beat) + kt_stall_s * HZ))
			continue;
		pr_alert(KT_NAME "%s has not moved for %u s\n", t->task->comm,
			 jiffies_to_msecs(jiffies - READ_ONCE(t->beat)) / 1000);
		stalled = true;
	}
	return stalled;
}
