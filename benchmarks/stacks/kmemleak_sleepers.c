// SPDX-License-Identifier: GPL-2.0
/*
 * kmemleak_sleepers: leaks by tasks that then sleep, or end
 *
 * A command to kmemleak-sleepers/plant in debugfs has tasks leak two or three blocks each,
 * in functions that are called 1 to 12 deep:
 *
 *	here N		the writer, by the plan of that number
 *	end N		the writer, which is about to end
 *	threads N	N threads, which then sleep
 *	ends N		N threads, which end
 *	works N		N works, in kworkers
 *
 * kmemleak-sleepers/leaks lists the leaks: the kind of task, the kind of leak, and the
 * inverted address, so that programs that read the list have no reference.
 */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#define KSL_MAX		8192

enum ksl_who { KSL_HERE, KSL_THREAD, KSL_ENDS, KSL_WORK, KSL_USER_ENDS, KSL_NR_WHO };

static const char * const ksl_names[] = {
	[KSL_HERE] = "process-sleeps",
	[KSL_THREAD] = "thread-sleeps",
	[KSL_ENDS] = "thread-ended",
	[KSL_WORK] = "work",
	[KSL_USER_ENDS] = "process-ended",
};

static_assert(ARRAY_SIZE(ksl_names) == KSL_NR_WHO);

static struct {
	unsigned long inverted;
	u8 who, kind;
} ksl_leaks[KSL_MAX];

static atomic_t ksl_nr = ATOMIC_INIT(0);
static struct task_struct *ksl_threads[1024];
static unsigned int ksl_nr_threads;
static u32 ksl_seed = 1;
module_param_named(seed, ksl_seed, uint, 0444);

struct ksl_plan {
	struct rnd_state rnd;
	u8 who;
};

struct ksl_node {
	struct list_head link;
	char data[72];
};

struct ksl_box {
	void *item[6];
	unsigned int nr;
};

static noinline void ksl_note(struct ksl_plan *p, void *leak, unsigned int kind)
{
	unsigned int i;

	if (!leak)
		return;
	i = atomic_inc_return(&ksl_nr) - 1;
	if (i >= KSL_MAX)
		return;
	ksl_leaks[i].who = p->who;
	ksl_leaks[i].kind = kind;
	WRITE_ONCE(ksl_leaks[i].inverted, ~(unsigned long)leak);
}

static unsigned int ksl_rnd(struct ksl_plan *p, unsigned int n)
{
	return prandom_u32_state(&p->rnd) % n;
}

static noinline void *ksl_new(struct ksl_plan *p)
{
	static const u16 sizes[] = { 24, 40, 64, 96, 120, 192, 256, 400, 512, 1000, 2000 };
	size_t size = sizes[ksl_rnd(p, ARRAY_SIZE(sizes))];
	char *new = kmalloc(size, GFP_KERNEL);

	if (new)
		memset(new, 0x5a, size);
	return new;
}

/* simply forgotten */
static noinline int ksl_forget(struct ksl_plan *p)
{
	void *leak = ksl_new(p);

	ksl_note(p, leak, 0);
	return leak ? 0 : -ENOMEM;
}

/* the box is freed, its content is not */
static noinline struct ksl_box *ksl_fill(struct ksl_plan *p)
{
	struct ksl_box *box = kzalloc(sizeof(*box), GFP_KERNEL);

	if (!box)
		return NULL;
	for (box->nr = 0; box->nr < 2; box->nr++)
		box->item[box->nr] = ksl_new(p);
	return box;
}

static noinline void ksl_free_box(struct ksl_plan *p, struct ksl_box *box)
{
	unsigned int i;

	for (i = 0; i < box->nr; i++)
		ksl_note(p, box->item[i], 1);
	memset(box, 0, sizeof(*box));
	kfree(box);
}

static noinline int ksl_container(struct ksl_plan *p)
{
	struct ksl_box *box = ksl_fill(p);

	if (box)
		ksl_free_box(p, box);
	return 0;
}

/* an error path that frees one of two */
static noinline int ksl_half(struct ksl_plan *p)
{
	void *a = ksl_new(p), *b = ksl_new(p);
	char name[32];

	snprintf(name, sizeof(name), "%u", ksl_rnd(p, 1000));
	if (strlen(name) < sizeof(name) - 1) {
		kfree(a);
		ksl_note(p, b, 2);
		return -EIO;
	}
	kfree(b);
	kfree(a);
	return 0;
}

/* a list is emptied, and one node not freed */
static noinline int ksl_list(struct ksl_plan *p)
{
	struct ksl_node *node, *next;
	const size_t size = sizeof(*node);
	unsigned int i, lose = ksl_rnd(p, 3);
	LIST_HEAD(list);

	for (i = 0; i < 3; i++) {
		node = kzalloc(size, GFP_KERNEL);
		if (node)
			list_add(&node->link, &list);
	}
	i = 0;
	list_for_each_entry_safe(node, next, &list, link) {
		list_del_init(&node->link);
		INIT_LIST_HEAD(&node->link);
		if (i++ == lose) {
			/* no pointer to itself */
			memset(node, 0, sizeof(*node));
			ksl_note(p, node, 3);
		} else {
			memset(node, 0, sizeof(*node));
			kfree(node);
		}
	}
	return 0;
}

static noinline int ksl_vmalloc(struct ksl_plan *p)
{
	ksl_note(p, vmalloc(2 * PAGE_SIZE), 4);
	return 0;
}

static noinline int ksl_string(struct ksl_plan *p)
{
	ksl_note(p, kasprintf(GFP_KERNEL, "name-%u", ksl_rnd(p, 99999)), 5);
	return 0;
}

static int ksl_leak(struct ksl_plan *p)
{
	static int (* const kinds[])(struct ksl_plan *p) = {
		ksl_forget, ksl_forget, ksl_forget, ksl_forget, ksl_forget,
		ksl_container, ksl_container, ksl_container,
		ksl_half, ksl_half, ksl_half, ksl_list, ksl_list,
		ksl_vmalloc, ksl_string, ksl_string,
	};

	return kinds[ksl_rnd(p, ARRAY_SIZE(kinds))](p);
}

/* callers with frames of several sizes */
static int ksl_deep(struct ksl_plan *p, unsigned int depth);

#define KSL_FRAME(n)							\
static noinline int ksl_frame##n(struct ksl_plan *p, unsigned int depth) \
{									\
	char buf[n];							\
	int ret;							\
									\
	snprintf(buf, min(16, n), "%u", depth);				\
	ret = ksl_deep(p, depth - 1);					\
	barrier_data(buf);						\
	return ret + buf[0];						\
}

KSL_FRAME(16)
KSL_FRAME(40)
KSL_FRAME(96)
KSL_FRAME(160)

static int ksl_deep(struct ksl_plan *p, unsigned int depth)
{
	if (!depth)
		return ksl_leak(p);
	switch (ksl_rnd(p, 4)) {
	case 0:
		return ksl_frame16(p, depth);
	case 1:
		return ksl_frame40(p, depth);
	case 2:
		return ksl_frame96(p, depth);
	default:
		return ksl_frame160(p, depth);
	}
}

static noinline void ksl_plant(u8 who, u32 seed)
{
	struct ksl_plan p = { .who = who };

	prandom_seed_state(&p.rnd, seed * 2654435761u + ksl_seed);
	ksl_deep(&p, 1 + ksl_rnd(&p, 12));
	ksl_deep(&p, 1 + ksl_rnd(&p, 12));
}

/* other work of a thread before it sleeps */
static noinline void ksl_churn(unsigned int n)
{
	while (n--) {
		char *s = kasprintf(GFP_KERNEL, "%u-%s", n, "churn");
		void *b = kmalloc(200 + n % 800, GFP_KERNEL);

		kfree(s);
		kfree(b);
		if (n % 8 == 0)
			schedule_timeout_interruptible(1);
	}
}

static DECLARE_WAIT_QUEUE_HEAD(ksl_wait);

static int ksl_sleeps(void *arg)
{
	unsigned int nr = (unsigned long)arg;

	ksl_plant(KSL_THREAD, nr);
	if (nr % 2)
		ksl_churn(20);
	if (nr % 4 < 2)
		wait_event_interruptible(ksl_wait, kthread_should_stop());
	while (!kthread_should_stop())
		schedule_timeout_interruptible(MAX_SCHEDULE_TIMEOUT);
	return 0;
}

static int ksl_ends(void *arg)
{
	ksl_plant(KSL_ENDS, 100000 + (unsigned long)arg);
	return 0;
}

struct ksl_job {
	struct work_struct work;
	unsigned int nr;
};

static struct workqueue_struct *ksl_wq;

static void ksl_work(struct work_struct *work)
{
	struct ksl_job *job = container_of(work, struct ksl_job, work);

	ksl_plant(KSL_WORK, 200000 + job->nr);
	if (job->nr % 2)
		msleep(20);
	kfree(job);
}

static void ksl_start_threads(unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr && ksl_nr_threads < ARRAY_SIZE(ksl_threads); i++) {
		struct task_struct *t;

		t = kthread_run(ksl_sleeps, (void *)(unsigned long)i, "ksl/%u", i);
		if (!IS_ERR(t))
			ksl_threads[ksl_nr_threads++] = t;
	}
}

static void ksl_start_enders(unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		kthread_run(ksl_ends, (void *)(unsigned long)i, "ksl-ends/%u", i);
}

static void ksl_start_works(unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		struct ksl_job *job = kzalloc(sizeof(*job), GFP_KERNEL);

		if (!job)
			break;
		INIT_WORK(&job->work, ksl_work);
		job->nr = i;
		queue_work(ksl_wq, &job->work);
	}
}

static ssize_t ksl_write(struct file *file, const char __user *ubuf, size_t len, loff_t *pos)
{
	char buf[32] = {}, what[16];
	unsigned int n;

	if (len >= sizeof(buf))
		return -EINVAL;
	if (copy_from_user(buf, ubuf, len))
		return -EFAULT;
	if (sscanf(buf, "%15s %u", what, &n) != 2)
		return -EINVAL;
	if (!strcmp(what, "here"))
		ksl_plant(KSL_HERE, 300000 + n);
	else if (!strcmp(what, "end"))
		ksl_plant(KSL_USER_ENDS, 400000 + n);
	else if (!strcmp(what, "threads"))
		ksl_start_threads(n);
	else if (!strcmp(what, "ends"))
		ksl_start_enders(n);
	else if (!strcmp(what, "works"))
		ksl_start_works(n);
	else
		return -EINVAL;
	return len;
}

static const struct file_operations ksl_plant_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = ksl_write,
};

static int ksl_leaks_show(struct seq_file *m, void *v)
{
	unsigned int i;

	for (i = 0; i < min(atomic_read(&ksl_nr), KSL_MAX); i++)
		seq_printf(m, "%s %u %lx\n", ksl_names[ksl_leaks[i].who],
			   ksl_leaks[i].kind, ksl_leaks[i].inverted);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(ksl_leaks);

static struct dentry *ksl_dir;

static int __init ksl_init(void)
{
	ksl_wq = alloc_workqueue("ksl", WQ_UNBOUND, 0);
	if (!ksl_wq)
		return -ENOMEM;
	ksl_dir = debugfs_create_dir("kmemleak-sleepers", NULL);
	debugfs_create_file("plant", 0200, ksl_dir, NULL, &ksl_plant_fops);
	debugfs_create_file("leaks", 0400, ksl_dir, NULL, &ksl_leaks_fops);
	return 0;
}

static void __exit ksl_exit(void)
{
	debugfs_remove(ksl_dir);
	while (ksl_nr_threads)
		kthread_stop(ksl_threads[--ksl_nr_threads]);
	destroy_workqueue(ksl_wq);
}

module_init(ksl_init);
module_exit(ksl_exit);
MODULE_DESCRIPTION("Leaks by tasks that then sleep");
MODULE_LICENSE("GPL");
