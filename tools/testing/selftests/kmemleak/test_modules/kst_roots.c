// SPDX-License-Identifier: GPL-2.0
/*
 * kmemleak_selftest: places for pointers
 *
 * Held pointers are in this module's .bss. The named roots are one of each other kind of
 * roots.
 */
#include <linux/completion.h>
#include <linux/gfp.h>
#include <linux/irq_work.h>
#include <linux/kmemleak.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timer.h>
#include <linux/unaligned.h>
#include <linux/vmalloc.h>

#include "kst.h"

/* Held pointers */
static void *kst_held[KST_NR_SLOTS];

int kst_hold(unsigned long index, unsigned long value)
{
	if (index >= KST_NR_SLOTS)
		return -EINVAL;
	kst_held[index] = (void *)value;
	return 0;
}

int kst_drop(unsigned long index)
{
	if (index >= KST_NR_SLOTS)
		return -EINVAL;
	kmemleak_erase(&kst_held[index]);
	return 0;
}

/* Named roots */
#define KST_STACK_OBJECTS	3

static unsigned long kst_data_root = 1;
static DEFINE_PER_CPU(unsigned long, kst_percpu_root);
static struct page *kst_page_root;
static struct task_struct *kst_stack_root;

/*
 * Keep the addresses of some objects on this stack and in no other place. The argument is
 * the slot of the first one: the kthread code would keep a pointer, too.
 */
static int kst_stack_thread(void *arg)
{
	unsigned long first = (unsigned long)arg;
	unsigned long kept[KST_STACK_OBJECTS];
	unsigned long i;

	/*
	 * A stack from vmalloc() is a block, too, which is also read with stack=off.
	 * This one must not be.
	 */
	if (IS_ENABLED(CONFIG_VMAP_STACK))
		kmemleak_no_scan(task_stack_page(current));
	for (i = 0; i < KST_STACK_OBJECTS; i++) {
		struct kst_slot *slot = kst_get_slot(first + i);

		kept[i] = slot ? kst_slot_address(slot) : 0;
	}
	while (!kthread_should_stop()) {
		barrier_data(kept);
		schedule_timeout_interruptible(HZ);
	}
	memzero_explicit(kept, sizeof(kept));
	return 0;
}

static int kst_root_stack(unsigned long nr)
{
	struct task_struct *task;

	task = kthread_run(kst_stack_thread, (void *)nr, "kst_stack");
	if (IS_ERR(task))
		return PTR_ERR(task);
	kst_stack_root = task;
	/* until it sleeps, with its registers on its stack */
	schedule_timeout_uninterruptible(HZ / 10 + 1);
	return 0;
}

static int kst_root_page(unsigned long address)
{
	struct page *page = alloc_page(GFP_KERNEL);

	if (!page)
		return -ENOMEM;
	set_page_private(page, address);
	kst_page_root = page;
	return 0;
}

/*
 * Untracked memory: a page whose address is kept, pages whose struct page is kept, and a
 * block of kmalloc_nolock(). Objects to which they refer are in use. The pointer in the
 * first is at an odd offset, that in the second in a page without a reference count.
 */
#define KST_ODD_OFFSET		5
#define KST_TAIL_ORDER		2
#define KST_TAIL_OFFSET		(PAGE_SIZE + 8)
#define KST_NOLOCK_SIZE		96
#define KST_NOLOCK_OFFSET	88

static void *kst_odd_root;
static struct page *kst_tail_root;
static unsigned long *kst_nolock_root;

static int kst_root_odd(unsigned long address)
{
	kst_odd_root = (void *)get_zeroed_page(GFP_KERNEL);
	if (!kst_odd_root)
		return -ENOMEM;
	put_unaligned(address, (unsigned long *)(kst_odd_root + KST_ODD_OFFSET));
	return 0;
}

static int kst_root_tail(unsigned long address)
{
	kst_tail_root = alloc_pages(GFP_KERNEL | __GFP_ZERO, KST_TAIL_ORDER);
	if (!kst_tail_root)
		return -ENOMEM;
	*(unsigned long *)(page_address(kst_tail_root) + KST_TAIL_OFFSET) = address;
	return 0;
}

static int kst_root_nolock(unsigned long address)
{
#ifdef KST_HAVE_KMALLOC_NOLOCK
	kst_nolock_root = kmalloc_nolock(KST_NOLOCK_SIZE, __GFP_ZERO, NUMA_NO_NODE);
	if (!kst_nolock_root)
		return -ENOMEM;
	*(unsigned long *)((char *)kst_nolock_root + KST_NOLOCK_OFFSET) = address;
	return 0;
#else
	return -EOPNOTSUPP;
#endif
}

static void kst_unroot_odd(void)
{
	if (kst_odd_root) {
		memset(kst_odd_root, 0, PAGE_SIZE);
		free_page((unsigned long)kst_odd_root);
	}
	kst_odd_root = NULL;
}

static void kst_unroot_tail(void)
{
	if (kst_tail_root) {
		memset(page_address(kst_tail_root), 0, PAGE_SIZE << KST_TAIL_ORDER);
		__free_pages(kst_tail_root, KST_TAIL_ORDER);
	}
	kst_tail_root = NULL;
}

/* The block may be freed by either function, and keeps its content. */
static void kst_unroot_nolock(bool any_context)
{
#ifdef KST_HAVE_KMALLOC_NOLOCK
	if (kst_nolock_root && any_context)
		kfree_nolock(kst_nolock_root);
	else
		kfree(kst_nolock_root);
#endif
	kst_nolock_root = NULL;
}

static unsigned int kst_last_cpu(void)
{
	unsigned int cpu, last = 0;

	for_each_possible_cpu(cpu)
		last = cpu;
	return last;
}

int kst_root(const char *name, unsigned long nr)
{
	struct kst_slot *slot = kst_get_slot(nr);
	unsigned long address;

	if (!slot || slot->kind == KST_NONE)
		return -ENOENT;
	kst_unroot(name);
	address = kst_slot_address(slot);
	if (!strcmp(name, "data"))
		WRITE_ONCE(kst_data_root, address);
	else if (!strcmp(name, "percpu"))
		WRITE_ONCE(per_cpu(kst_percpu_root, kst_last_cpu()), address);
	else if (!strcmp(name, "page"))
		return kst_root_page(address);
	else if (!strcmp(name, "stack"))
		return kst_root_stack(nr);
	else if (!strcmp(name, "odd"))
		return kst_root_odd(address);
	else if (!strcmp(name, "tail"))
		return kst_root_tail(address);
	else if (!strcmp(name, "nolock"))
		return kst_root_nolock(address);
	else
		return -EINVAL;
	return 0;
}

int kst_unroot(const char *name)
{
	if (!strcmp(name, "data")) {
		WRITE_ONCE(kst_data_root, 1);
	} else if (!strcmp(name, "percpu")) {
		WRITE_ONCE(per_cpu(kst_percpu_root, kst_last_cpu()), 0);
	} else if (!strcmp(name, "page")) {
		if (kst_page_root) {
			set_page_private(kst_page_root, 0);
			__free_page(kst_page_root);
		}
		kst_page_root = NULL;
	} else if (!strcmp(name, "stack")) {
		if (kst_stack_root)
			kthread_stop(kst_stack_root);
		kst_stack_root = NULL;
	} else if (!strcmp(name, "odd")) {
		kst_unroot_odd();
	} else if (!strcmp(name, "tail")) {
		kst_unroot_tail();
	} else if (!strcmp(name, "nolock")) {
		kst_unroot_nolock(true);
	} else if (!strcmp(name, "nolock_kfree")) {
		kst_unroot_nolock(false);
	} else {
		return -EINVAL;
	}
	return 0;
}

void kst_unroot_all(void)
{
	kst_unroot("data");
	kst_unroot("percpu");
	kst_unroot("page");
	kst_unroot("stack");
	kst_unroot("odd");
	kst_unroot("tail");
	kst_unroot("nolock");
	memset(kst_held, 0, sizeof(kst_held));
}

/*
 * Views of one block, which is mapped many times. Each view is registered as an object
 * that is never a leak: any amount of memory to scan, for some pages. Each word of the
 * block is a pointer to the target.
 */
#define KST_ALIAS_ORDER		8
#define KST_ALIAS_PAGES		(1UL << KST_ALIAS_ORDER)
#define KST_ALIAS_SIZE		(KST_ALIAS_PAGES * PAGE_SIZE)

static struct page *kst_alias_block;
static void **kst_alias_views;
static unsigned long kst_nr_views;

static int kst_add_view(struct page **pages)
{
	void *view = vmap(pages, KST_ALIAS_PAGES, VM_MAP, PAGE_KERNEL);

	if (!view)
		return -ENOMEM;
	kst_alias_views[kst_nr_views++] = view;
	kmemleak_alloc(view, KST_ALIAS_SIZE, 0, GFP_KERNEL);
	return 0;
}

int kst_alias(unsigned long nr, struct kst_slot *target)
{
	struct page **pages;
	unsigned long *words;
	unsigned long i;
	int ret = 0;

	if (kst_alias_block)
		return -EBUSY;
	kst_alias_block = alloc_pages(GFP_KERNEL, KST_ALIAS_ORDER);
	kst_alias_views = kvcalloc(nr, sizeof(void *), GFP_KERNEL);
	pages = kcalloc(KST_ALIAS_PAGES, sizeof(*pages), GFP_KERNEL);
	if (!kst_alias_block || !kst_alias_views || !pages) {
		ret = -ENOMEM;
		goto out;
	}

	words = page_address(kst_alias_block);
	for (i = 0; i < KST_ALIAS_SIZE / sizeof(*words); i++)
		words[i] = kst_slot_address(target);
	for (i = 0; i < KST_ALIAS_PAGES; i++)
		pages[i] = kst_alias_block + i;
	for (i = 0; i < nr && !ret; i++)
		ret = kst_add_view(pages);
out:
	kfree(pages);
	if (ret)
		kst_unalias();
	return ret;
}

void kst_unalias(void)
{
	while (kst_nr_views) {
		void *view = kst_alias_views[--kst_nr_views];

		/* freed memory must not keep pointers */
		kmemleak_erase(&kst_alias_views[kst_nr_views]);
		kmemleak_free(view);
		vunmap(view);
	}
	kvfree(kst_alias_views);
	kst_alias_views = NULL;
	if (kst_alias_block) {
		memset(page_address(kst_alias_block), 0, KST_ALIAS_SIZE);
		__free_pages(kst_alias_block, KST_ALIAS_ORDER);
	}
	kst_alias_block = NULL;
}

/* Contexts */
static void (*kst_deferred_func)(void *);
static void *kst_deferred_arg;
static DECLARE_COMPLETION(kst_deferred_done);

static void kst_deferred_run(void)
{
	kst_deferred_func(kst_deferred_arg);
	complete(&kst_deferred_done);
}

static void kst_in_softirq(struct timer_list *unused)
{
	kst_deferred_run();
}

static void kst_in_hardirq(struct irq_work *unused)
{
	kst_deferred_run();
}

static DEFINE_TIMER(kst_timer, kst_in_softirq);
/* like the handler of a device, which is a thread with PREEMPT_RT */
static struct irq_work kst_irq_work = IRQ_WORK_INIT(kst_in_hardirq);

/* Run @func in @context and wait for it. */
int kst_run_in(enum kst_context context, void (*func)(void *), void *arg)
{
	kst_deferred_func = func;
	kst_deferred_arg = arg;
	reinit_completion(&kst_deferred_done);
	if (context == KST_SOFTIRQ)
		mod_timer(&kst_timer, jiffies + 1);
	else
		irq_work_queue(&kst_irq_work);
	wait_for_completion(&kst_deferred_done);
	kst_deferred_arg = NULL;
	return 0;
}
