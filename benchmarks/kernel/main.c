// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmemleak_scale: the cost of kmemleak for a running kernel
 *
 * A module for any kernel with CONFIG_DEBUG_KMEMLEAK, so that the same sources measure two
 * implementations. A word that is written to its parameter "run", or given when the module
 * is loaded, is a command. Results are lines "kmemleak_scale: name value unit" in the log.
 *
 *	pairs	kmalloc() and kfree() of the same block, tight loop (hot)
 *	frames	the same with more= frames more on the stack; one block is kept, whose
 *		address is printed
 *	cold	the same over a window of live objects, oldest freed first
 *	untracked	pairs, from a cache that kmemleak does not track
 *	stack	the part of a hook that is the stack trace and its depot
 *	churn	blocks of a window are replaced at random
 *	latency	the same, with the time of each allocation and each free
 *
 * These run nthreads= threads, each on its CPU, loops= times. With "background-" before
 * the name the write returns at once, and the threads run loops= times at most (0: they
 * only hold the blocks that they have allocated), until
 *
 *	stop	ends them, and prints their results
 *	plant	leaks leaks= blocks, which have the text "kml-leak-" and a number
 *
 * heap=<kind>, when the module is loaded, builds a heap of objects= blocks, which exists
 * until the module is unloaded: see heap.c.
 */

#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/string.h>

#include "scale.h"

static unsigned int nthreads = 1;
module_param(nthreads, uint, 0644);
MODULE_PARM_DESC(nthreads, "threads, each on a CPU of its own");

static unsigned long loops = 200000;
module_param(loops, ulong, 0644);
MODULE_PARM_DESC(loops, "pairs a thread");

unsigned int scale_size = 64;
module_param_named(size, scale_size, uint, 0644);
MODULE_PARM_DESC(size, "bytes a block");

unsigned long scale_objects = 100000;
module_param_named(objects, scale_objects, ulong, 0644);
MODULE_PARM_DESC(objects, "heap: blocks; others: live blocks a thread");

unsigned int scale_more;
module_param_named(more, scale_more, uint, 0644);
MODULE_PARM_DESC(more, "frames: more of them than those of pairs");

unsigned long scale_leaks = 100;
module_param_named(leaks, scale_leaks, ulong, 0644);
MODULE_PARM_DESC(leaks, "plant: number of leaked blocks");

static char *heap;
module_param(heap, charp, 0444);
MODULE_PARM_DESC(heap, "kind of the heap to build");

static const struct scale_test * const tests[] = {
	&scale_pairs, &scale_deep, &scale_frames, &scale_cold, &scale_untracked,
	&scale_stack, &scale_churn, &scale_latency,
};

struct scale_thread {
	struct task_struct *task;
	u64 ns, pairs;
	bool failed;
};

/* One run. The lock of the module's parameters serialises runs. */
static struct {
	const struct scale_test *test;	/* NULL: none */
	struct scale_thread *threads;
	unsigned int nr;
	bool warm;			/* pairs for warming up, not counted */
	atomic_t starting, running;
	struct completion started, done;
} run;

static bool module_ready;

static void pairs_until(void *arg, struct scale_thread *t, unsigned long max)
{
	u64 begin = ktime_get_ns();
	unsigned long i;

	for (i = 0; i < max; i++) {
		run.test->pair(arg);
		if (i & 0x3f)
			continue;
		cond_resched();
		if (kthread_should_stop())
			break;
	}
	t->ns = ktime_get_ns() - begin;
	t->pairs = i;
}

static int scale_thread_fn(void *data)
{
	struct scale_thread *t = data;
	void *arg = NULL;

	if (run.test->init) {
		arg = run.test->init(t - run.threads);
		t->failed = !arg;
	}
	if (!t->failed && run.warm)
		pairs_until(arg, t, loops / 10);

	/* all start together; the last one to finish completes the run */
	if (atomic_dec_and_test(&run.starting))
		complete_all(&run.started);
	wait_for_completion(&run.started);
	if (!t->failed)
		pairs_until(arg, t, loops);
	if (atomic_dec_and_test(&run.running))
		complete(&run.done);

	set_current_state(TASK_INTERRUPTIBLE);
	while (!kthread_should_stop()) {
		schedule();
		set_current_state(TASK_INTERRUPTIBLE);
	}
	__set_current_state(TASK_RUNNING);
	if (arg && run.test->exit)
		run.test->exit(arg);
	return 0;
}

/* End the threads, and print. Return: 0, or the error of one of them. */
static int run_stop(void)
{
	u64 ns = 0, pairs = 0;
	unsigned int i;
	int ret = 0;

	if (!run.test)
		return 0;
	for (i = 0; i < run.nr; i++) {
		kthread_stop(run.threads[i].task);
		ns += run.threads[i].ns;
		pairs += run.threads[i].pairs;
		if (run.threads[i].failed)
			ret = -ENOMEM;
	}
	if (!ret && pairs) {
		scale_out("%s_%u %llu ps", run.test->name, run.nr,
			  div64_u64(ns * 1000, pairs));
		if (run.test->print)
			run.test->print(run.nr);
	}
	scale_pairs_end();
	kfree(run.threads);
	run.threads = NULL;
	run.test = NULL;
	return ret;
}

static int run_start(const struct scale_test *test, bool background)
{
	unsigned int i, want = nthreads;
	struct task_struct *task;
	int ret;

	if (run.test)
		return -EBUSY;
	if ((!loops && !background) || !want || want > num_online_cpus() ||
	    !scale_objects || !scale_size)
		return -EINVAL;
	run.threads = kcalloc(want, sizeof(*run.threads), GFP_KERNEL);
	ret = run.threads ? scale_pairs_begin() : -ENOMEM;
	if (ret) {
		kfree(run.threads);
		return ret;
	}

	run.test = test;
	run.warm = !background;
	run.nr = 0;
	init_completion(&run.started);
	init_completion(&run.done);
	atomic_set(&run.starting, want);
	atomic_set(&run.running, want);
	for (i = 0; i < want; i++) {
		task = kthread_create_on_cpu(scale_thread_fn, &run.threads[i], i,
					     "kmemleak_scale/%u");
		if (IS_ERR(task)) {
			ret = PTR_ERR(task);
			break;
		}
		run.threads[run.nr++].task = task;
	}
	/* all threads or none: a kthread that is stopped now does not run */
	if (ret) {
		run_stop();
		return ret;
	}
	for (i = 0; i < run.nr; i++)
		wake_up_process(run.threads[i].task);
	/* no thread is stopped before it runs: the others would wait for it */
	wait_for_completion(&run.started);
	if (background)
		return 0;
	wait_for_completion(&run.done);
	return run_stop();
}

static void list_choices(const char *word)
{
	unsigned int i;

	pr_err("kmemleak_scale: nothing to run is called \"%s\"; there are: stop plant", word);
	for (i = 0; i < ARRAY_SIZE(tests); i++)
		pr_cont(" [background-]%s", tests[i]->name);
	pr_cont("\n");
}

static int run_word(const char *word)
{
	static const char before[] = "background-";
	bool background = !strncmp(word, before, strlen(before));
	unsigned int i;

	if (!strcmp(word, "stop"))
		return run_stop();
	if (!strcmp(word, "plant"))
		return scale_plant();
	for (i = 0; i < ARRAY_SIZE(tests); i++)
		if (!strcmp(word + (background ? strlen(before) : 0), tests[i]->name))
			return run_start(tests[i], background);
	list_choices(word);
	return -EINVAL;
}

/* A word given at load time is run when the module is loaded. */
static char first_word[32];

static int run_set(const char *val, const struct kernel_param *kp)
{
	char word[sizeof(first_word)];

	if (strscpy(word, val, sizeof(word)) < 0)
		return -EINVAL;
	if (module_ready)
		return run_word(strim(word));
	strscpy(first_word, strim(word), sizeof(first_word));
	return 0;
}

static const struct kernel_param_ops run_ops = { .set = run_set };
module_param_cb(run, &run_ops, NULL, 0200);
MODULE_PARM_DESC(run, "what to do now");

static int __init scale_init(void)
{
	int ret = heap ? scale_heap_build(heap) : 0;

	if (!ret && *first_word)
		ret = run_word(first_word);
	if (ret) {
		run_stop();
		scale_frames_free();
		scale_heap_free();
		return ret;
	}
	module_ready = true;
	return 0;
}

static void __exit scale_exit(void)
{
	run_stop();
	scale_frames_free();
	scale_heap_free();
}

module_init(scale_init);
module_exit(scale_exit);
MODULE_DESCRIPTION("Measure what kmemleak costs");
MODULE_LICENSE("GPL");
