// SPDX-License-Identifier: GPL-2.0
/*
 * kmemleak_selftest: load on the allocator during scans
 *
 * Each thread has a table of live objects. It keeps half of them, frees and replaces the
 * others all the time, and leaks some objects. Live objects begin with "KSTLIVE!" and
 * leaked ones with "KSTLEAK!", which a report shows. Every other leak is of pages that are
 * registered by hand.
 */
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "kst.h"

#define KST_MAX_THREADS		16
#define KST_MAX_LEAKS		256
#define KST_TAG_LIVE		"KSTLIVE!"
#define KST_TAG_LEAK		"KSTLEAK!"
#define KST_TAG_LEN		8
/* operations between two sleeps of a thread */
#define KST_STRIDE		64

struct kst_thread {
	struct task_struct *task;
	void **live;
	unsigned long nr_live;
	unsigned long leaks_left;
};

static struct kst_thread kst_threads[KST_MAX_THREADS];
static unsigned long kst_nr_threads;
/* leaked objects, filled by all threads */
static struct kst_slot kst_leaks[KST_MAX_LEAKS];
static atomic_t kst_nr_leaks;
static void **kst_chain;

static void *kst_tagged(const char *tag)
{
	size_t size = KST_TAG_LEN + get_random_u32_below(1000);
	void *p = kzalloc(size, GFP_KERNEL);

	if (p)
		memcpy(p, tag, KST_TAG_LEN);
	return p;
}

static void kst_leak_one(void)
{
	int i = atomic_fetch_inc(&kst_nr_leaks);
	struct kst_slot *slot = &kst_leaks[i];
	int ret;

	if (i >= KST_MAX_LEAKS)
		return;
	if (i % 2)
		ret = kst_create(KST_KMALLOC, slot, 8 << get_random_u32_below(8));
	else
		ret = kst_create_registered(slot, 64, 1, KST_TASK);
	if (!ret)
		memcpy(kst_slot_memory(slot, 0), KST_TAG_LEAK, KST_TAG_LEN);
}

static void kst_stress_once(struct kst_thread *thread)
{
	unsigned long half = thread->nr_live / 2;
	unsigned long i = get_random_u32_below(half);
	unsigned long *kept = thread->live[i];
	void *old = thread->live[half + i];

	/* write to an object that stays ... */
	if (kept)
		kept[KST_TAG_LEN / sizeof(*kept)]++;
	/* ... and replace one that does not */
	thread->live[half + i] = NULL;
	kfree(old);
	thread->live[half + i] = kst_tagged(KST_TAG_LIVE);
}

static int kst_stress_thread(void *arg)
{
	struct kst_thread *thread = arg;
	unsigned long i;

	while (!kthread_should_stop()) {
		for (i = 0; i < KST_STRIDE; i++)
			kst_stress_once(thread);
		if (thread->leaks_left) {
			thread->leaks_left--;
			kst_leak_one();
		}
		usleep_range(1000, 2000);
	}
	return 0;
}

static int kst_thread_start(struct kst_thread *thread, unsigned int cpu,
			    unsigned long nr_live, unsigned long nr_leaks)
{
	struct task_struct *task;
	unsigned long i;

	thread->live = kvcalloc(nr_live, sizeof(void *), GFP_KERNEL);
	if (!thread->live)
		return -ENOMEM;
	thread->nr_live = nr_live;
	thread->leaks_left = nr_leaks;
	for (i = 0; i < nr_live; i++) {
		/* room for the word that kst_stress_once() changes */
		thread->live[i] = kzalloc(KST_TAG_LEN + 16, GFP_KERNEL);
		if (thread->live[i])
			memcpy(thread->live[i], KST_TAG_LIVE, KST_TAG_LEN);
	}

	task = kthread_create_on_cpu(kst_stress_thread, thread, cpu,
				     "kst_stress/%u");
	if (IS_ERR(task))
		return PTR_ERR(task);
	thread->task = task;
	wake_up_process(task);
	return 0;
}

int kst_stress_start(unsigned long nr_threads, unsigned long nr_live,
		     unsigned long nr_leaks)
{
	unsigned int cpu = cpumask_first(cpu_online_mask);
	unsigned long i;
	int ret;

	if (kst_nr_threads || nr_threads > KST_MAX_THREADS || nr_live < 2 ||
	    nr_threads * nr_leaks > KST_MAX_LEAKS)
		return -EINVAL;
	for (i = 0; i < nr_threads; i++) {
		kst_nr_threads = i + 1;
		ret = kst_thread_start(&kst_threads[i], cpu, nr_live, nr_leaks);
		if (ret) {
			kst_stress_cleanup();
			return ret;
		}
		cpu = cpumask_next(cpu, cpu_online_mask);
		if (cpu >= nr_cpu_ids)
			cpu = cpumask_first(cpu_online_mask);
	}
	return 0;
}

/* Stop the threads; their objects stay, for the test. */
int kst_stress_stop(void)
{
	unsigned long i;

	for (i = 0; i < kst_nr_threads; i++) {
		if (kst_threads[i].task)
			kthread_stop(kst_threads[i].task);
		kst_threads[i].task = NULL;
	}
	return 0;
}

void kst_stress_cleanup(void)
{
	unsigned long i, k;

	kst_stress_stop();
	for (i = 0; i < kst_nr_threads; i++) {
		struct kst_thread *thread = &kst_threads[i];

		for (k = 0; thread->live && k < thread->nr_live; k++)
			kfree(thread->live[k]);
		kvfree(thread->live);
		memset(thread, 0, sizeof(*thread));
	}
	kst_nr_threads = 0;

	for (i = 0; i < KST_MAX_LEAKS; i++)
		kst_destroy(&kst_leaks[i]);
	atomic_set(&kst_nr_leaks, 0);
}

/*
 * @nr more objects, each of which refers to the one before. The only reference to an
 * object is in the next one: if one is not read, all older ones are leaks.
 */
int kst_chain_grow(unsigned long nr)
{
	void **link;

	while (nr--) {
		link = kzalloc(4 * sizeof(*link), GFP_KERNEL);
		if (!link)
			return -ENOMEM;
		*link = kst_chain;
		kst_chain = link;
	}
	return 0;
}

void kst_chain_free(void)
{
	while (kst_chain) {
		void **link = kst_chain;

		kst_chain = *link;
		kfree(link);
	}
}

/* All leaked objects, one a line: scrambled address and size. */
int kst_stress_leaks(char *buf, size_t size)
{
	size_t len = 0;
	unsigned long i;

	for (i = 0; i < KST_MAX_LEAKS; i++) {
		struct kst_slot *slot = &kst_leaks[i];

		if (slot->kind != KST_NONE)
			len += scnprintf(buf + len, size - len, "0x%lx %zu\n",
					 slot->hidden, slot->size);
	}
	return len + 1 < size ? 0 : -ENOSPC;
}

/*
 * Allocate and free @nr objects of @size on this CPU, so that the slab allocator's
 * pointers to its latest objects are overwritten.
 */
int kst_churn(size_t size, unsigned long nr)
{
	void **objects = kvcalloc(nr, sizeof(void *), GFP_KERNEL);
	unsigned long i;

	if (!objects)
		return -ENOMEM;
	for (i = 0; i < nr; i++)
		objects[i] = kzalloc(size, GFP_KERNEL);
	for (i = 0; i < nr; i++) {
		kfree(objects[i]);
		objects[i] = NULL;
	}
	kvfree(objects);
	return 0;
}
