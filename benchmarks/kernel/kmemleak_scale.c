// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmemleak_scale: what kmemleak costs a running kernel.
 *
 * Builds as a module for any kernel with CONFIG_DEBUG_KMEMLEAK, so that the same
 * object code measures two implementations. Loading it runs the test chosen by
 * test= and prints "kmemleak_scale: name value unit" lines; test=heap leaves the
 * heap in place, to be scanned, until the module is unloaded.
 *
 *	pairs	kmalloc() and kfree() of the same block, tight loop (hot)
 *	cold	the same over a window of live objects, oldest freed first
 *	untracked	pairs, from a cache kmemleak does not see
 *	stack	what a hook spends on the stack trace and its depot
 *	heap	objects= blocks that point to each other, leaks= of them leaked
 *
 * All but heap run nthreads= threads, each on its CPU, loops= times, and print
 * the time of one pair.
 */

#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/prandom.h>
#include <linux/slab.h>
#include <linux/stackdepot.h>
#include <linux/stacktrace.h>
#include <linux/vmalloc.h>

#define pr_out(fmt, ...) pr_info("kmemleak_scale: " fmt, ##__VA_ARGS__)

static char *test = "pairs";
module_param(test, charp, 0444);
MODULE_PARM_DESC(test, "what to run");

static unsigned int nthreads = 1;
module_param(nthreads, uint, 0444);
MODULE_PARM_DESC(nthreads, "threads, each on a CPU of its own");

static unsigned long loops = 200000;
module_param(loops, ulong, 0444);
MODULE_PARM_DESC(loops, "pairs a thread");

static unsigned int size = 64;
module_param(size, uint, 0444);
MODULE_PARM_DESC(size, "bytes a block");

static unsigned long objects = 100000;
module_param(objects, ulong, 0444);
MODULE_PARM_DESC(objects, "heap: blocks; cold: live blocks a thread");

static unsigned long leaks = 100;
module_param(leaks, ulong, 0444);
MODULE_PARM_DESC(leaks, "heap: of these, blocks nobody points to");

static unsigned int pointers = 26;
module_param(pointers, uint, 0444);
MODULE_PARM_DESC(pointers, "heap: words that are pointers, in per cent");

static struct kmem_cache *untracked;

static void pair_kmalloc(void *arg)
{
	kfree(kmalloc(size, GFP_KERNEL));
}

static void pair_untracked(void *arg)
{
	void *p = kmem_cache_alloc(untracked, GFP_KERNEL);

	if (p)
		kmem_cache_free(untracked, p);
}

static void pair_stack(void *arg)
{
	unsigned long entries[16];
	unsigned int nr = stack_trace_save(entries, ARRAY_SIZE(entries), 1);

	stack_depot_save(entries, nr, GFP_NOWAIT);
}

/* A ring of live blocks: metadata of what is freed has long left the caches. */
struct ring {
	void **slot;
	unsigned long next;
};

static void pair_cold(void *arg)
{
	struct ring *ring = arg;

	kfree(ring->slot[ring->next]);
	ring->slot[ring->next] = kmalloc(size, GFP_KERNEL);
	/* a large odd stride: neighbours in time are not neighbours in memory */
	ring->next = (ring->next + 40503) % objects;
}

static void ring_exit(void *arg)
{
	struct ring *ring = arg;
	unsigned long i;

	if (ring)
		for (i = 0; ring->slot && i < objects; i++)
			kfree(ring->slot[i]);
	if (ring)
		vfree(ring->slot);
	kfree(ring);
}

static void *ring_init(void)
{
	struct ring *ring = kzalloc(sizeof(*ring), GFP_KERNEL);
	unsigned long i;

	if (!ring)
		return NULL;
	ring->slot = vzalloc(array_size(objects, sizeof(void *)));
	for (i = 0; ring->slot && i < objects; i++)
		ring->slot[i] = kmalloc(size, GFP_KERNEL);
	if (ring->slot)
		return ring;
	ring_exit(ring);
	return NULL;
}

static const struct scale_test {
	const char *name;
	void (*pair)(void *arg);
	void *(*init)(void);
	void (*exit)(void *arg);
} scale_tests[] = {
	{ "pairs",	pair_kmalloc },
	{ "cold",	pair_cold,	ring_init,	ring_exit },
	{ "untracked",	pair_untracked },
	{ "stack",	pair_stack },
};

static const struct scale_test *chosen;
static atomic_t ready, finished;
static struct completion done;
static u64 total_ns;
static DEFINE_SPINLOCK(total_lock);

static int scale_thread(void *unused)
{
	void *arg = chosen->init ? chosen->init() : NULL;
	unsigned long i;
	u64 begin;

	/* all start together, warm; the last one to finish says so */
	for (i = 0; i < loops / 10; i++)
		chosen->pair(arg);
	atomic_inc(&ready);
	while (atomic_read(&ready) < nthreads)
		cond_resched();

	begin = ktime_get_ns();
	for (i = 0; i < loops; i++) {
		chosen->pair(arg);
		if (!(i & 0x3ff))
			cond_resched();
	}
	begin = ktime_get_ns() - begin;

	spin_lock(&total_lock);
	total_ns += begin;
	spin_unlock(&total_lock);
	if (atomic_inc_return(&finished) == nthreads)
		complete(&done);

	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	if (chosen->exit)
		chosen->exit(arg);
	return 0;
}

static int scale_run(void)
{
	struct task_struct **threads;
	unsigned int i;
	int ret = 0;

	if (!loops || !nthreads || nthreads > num_online_cpus())
		return -EINVAL;
	threads = kcalloc(nthreads, sizeof(*threads), GFP_KERNEL);
	untracked = kmem_cache_create("kmemleak_scale", size, 0,
				      SLAB_NOLEAKTRACE, NULL);
	init_completion(&done);
	if (!threads || !untracked) {
		ret = -ENOMEM;
		goto out;
	}

	for (i = 0; i < nthreads; i++) {
		threads[i] = kthread_create_on_cpu(scale_thread, NULL, i,
						   "kmemleak_scale/%u");
		if (IS_ERR(threads[i])) {
			ret = PTR_ERR(threads[i]);
			/* let those that run finish without the rest */
			nthreads = i;
			break;
		}
		wake_up_process(threads[i]);
	}
	if (nthreads)
		wait_for_completion(&done);
	for (i = 0; i < nthreads; i++)
		kthread_stop(threads[i]);
	if (!ret)
		pr_out("%s_%u %llu ps\n", chosen->name, nthreads,
		       div64_u64(total_ns * 1000, (u64)loops * nthreads));
out:
	kmem_cache_destroy(untracked);
	kfree(threads);
	return ret;
}

/* The heap: a tree of tables that point to blocks that point to each other. */
static void ***heap;
#define HEAP_TABLE	512UL

static void **heap_slot(unsigned long i)
{
	return &heap[i / HEAP_TABLE][i % HEAP_TABLE];
}

static void heap_free(void)
{
	unsigned long i;

	for (i = 0; heap && i < objects; i++)
		if (heap[i / HEAP_TABLE])
			kfree(*heap_slot(i));
	for (i = 0; heap && i < DIV_ROUND_UP(objects, HEAP_TABLE); i++)
		kfree(heap[i]);
	vfree(heap);
}

static int heap_build(void)
{
	static const u16 sizes[] = { 32, 64, 96, 128, 192, 256, 512, 1024 };
	struct rnd_state rnd;
	unsigned long i, j;
	u64 bytes = 0;

	prandom_seed_state(&rnd, 1);
	heap = vzalloc(array_size(DIV_ROUND_UP(objects, HEAP_TABLE), sizeof(*heap)));
	if (!heap)
		return -ENOMEM;
	for (i = 0; i < DIV_ROUND_UP(objects, HEAP_TABLE); i++) {
		heap[i] = kcalloc(HEAP_TABLE, sizeof(void *), GFP_KERNEL);
		if (!heap[i])
			return -ENOMEM;
	}
	for (i = 0; i < objects; i++) {
		*heap_slot(i) = kzalloc(sizes[prandom_u32_state(&rnd) % ARRAY_SIZE(sizes)],
					GFP_KERNEL);
		if (!*heap_slot(i))
			return -ENOMEM;
		if (!(i & 0x3ff))
			cond_resched();
	}
	for (i = 0; i < objects; i++) {
		unsigned long *words = *heap_slot(i);
		unsigned long nr = ksize(words) / sizeof(long);

		bytes += nr * sizeof(long);
		for (j = 0; j < nr; j++) {
			u32 r = prandom_u32_state(&rnd);

			words[j] = r % 100 < pointers ?
				   (unsigned long)*heap_slot(prandom_u32_state(&rnd) % objects) :
				   r;
		}
		if (!(i & 0x3ff))
			cond_resched();
	}
	pr_out("heap_bytes %llu bytes\n", bytes);
	for (i = 0; i < leaks; i++)
		if (!kmalloc(96, GFP_KERNEL))
			return -ENOMEM;
	return 0;
}

static int __init scale_init(void)
{
	unsigned int i;
	int ret;

	if (!strcmp(test, "heap")) {
		ret = heap_build();
		if (ret)
			heap_free();
		return ret;
	}
	for (i = 0; i < ARRAY_SIZE(scale_tests); i++)
		if (!strcmp(test, scale_tests[i].name))
			chosen = &scale_tests[i];
	if (chosen)
		return scale_run();

	pr_err("kmemleak_scale: no test \"%s\"; there are: heap", test);
	for (i = 0; i < ARRAY_SIZE(scale_tests); i++)
		pr_cont(" %s", scale_tests[i].name);
	pr_cont("\n");
	return -EINVAL;
}

static void __exit scale_exit(void)
{
	heap_free();
}

module_init(scale_init);
module_exit(scale_exit);
MODULE_DESCRIPTION("Measure what kmemleak costs");
MODULE_LICENSE("GPL");
