// SPDX-License-Identifier: GPL-2.0
/*
 * kmemleak_torture: parameters, the command file, statistics, verdict
 *
 * /sys/kernel/debug/kmemleak_torture/cmd takes one command a write, and shows the leaks
 * that were not reported yet. torture_test.c writes its observations:
 *
 *   leak ID, live ID, moved ID	 an object of that class was reported
 *   scans N, hidden N, missed N at the end: the number of scans, and of leaks not
 *				 reported that have, or do not have, a word like a
 *				 reference
 *   unseen N			 objects reported in the log, but freed before they
 *				 were read
 *   others N			 reported objects that are not the module's
 *   stacks 0|1			 stacks are not read from now on, or are
 *   stop			 end all threads, keep all objects
 *   find			 log words that look like references to leaks
 *   image_from N, image_to N	 the bounds of the kernel's data, for find
 *   bare N			 hidden leaks for which no search has found a word
 *				 like a reference
 *   judged			 the end: the verdict may be given
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "boot_memory.h"
#include "kt.h"

#define KT_STATS_LEN	800

#define KT_PARAM(_name, value, what)					\
	unsigned int kt_##_name = value;				\
	module_param_named(_name, kt_##_name, uint, 0444);		\
	MODULE_PARM_DESC(_name, what)

KT_PARAM(nthreads, 0, "threads that allocate; 0: two for each CPU");
KT_PARAM(nparkers, 0, "threads that keep references on their stack; 0: one for each CPU");
KT_PARAM(live, 300, "live objects of each thread");
KT_PARAM(moving, 600, "objects that move fast, all together");
KT_PARAM(moves, 2, "of these are moved by a thread at a time");
KT_PARAM(pause_us, 1000, "for so long, up to twice, a thread sleeps between its steps");
KT_PARAM(overlap_ms, 4000, "for so long a live object has two references; longer than a scan");
KT_PARAM(vmalloc_max, 4 << 20, "largest block by vmalloc()");
KT_PARAM(leak_ms, 200, "a thread leaks so often; 0: never");
KT_PARAM(max_leaks, 500, "leaks at most");
KT_PARAM(irq_us, 1000, "period of the interrupts that allocate; 0: none");
KT_PARAM(stall_s, 30, "a thread has stalled that has not moved for so long");
KT_PARAM(stat_interval, 15, "seconds between statistics; 0: only at the end");
KT_PARAM(max_moved, 0, "reports of moving objects that are tolerated, for 1000 scans");
/* 3 to 6 of 500 were, on UML: see Documentation/mm/kmemleak-internals.rst */
KT_PARAM(max_hidden, 2, "percent of leaks that something stale may refer to");

static const char * const kt_counter_names[KT_NR_COUNTERS] = {
	[KT_C_OPS]	= "ops",
	[KT_C_BIRTHS]	= "births",
	[KT_C_DEATHS]	= "deaths",
	[KT_C_MOVES]	= "moves",
	[KT_C_PARKS]	= "parks",
	[KT_C_IRQS]	= "irqs",
	[KT_C_NOMEM]	= "nomem",
	[KT_C_BAD]	= "bad",
};

static const char * const kt_timing_names[KT_NR_TIMINGS] = {
	[KT_T_ALLOC]	= "alloc",
	[KT_T_FREE]	= "free",
	[KT_T_IRQ_ALLOC] = "irq_alloc",
	[KT_T_IRQ_FREE]	= "irq_free",
	[KT_T_LATE]	= "irq_late",
};

struct kt_numbers {
	u64 counter[KT_NR_COUNTERS];
	u64 max_ns[KT_NR_TIMINGS];
	u64 above_ms[KT_NR_TIMINGS];
};

static DEFINE_PER_CPU(struct kt_numbers, kt_numbers);

bool kt_stacks = true;
atomic_t kt_on_stack;
DECLARE_WAIT_QUEUE_HEAD(kt_wait);

static struct dentry *kt_dir;
static unsigned long kt_started;
static bool kt_stalled, kt_stopped, kt_judged;
/* serialises commands; protects their data */
static DEFINE_MUTEX(kt_mutex);
static unsigned long kt_nr_scans, kt_nr_hidden, kt_nr_missed, kt_nr_others,
	kt_nr_bare;
/* live and moved objects that were reported, by number */
static struct xarray kt_seen[KT_NR_CLASSES];
static unsigned long kt_nr_seen[KT_NR_CLASSES];

static void kt_stat_fn(struct work_struct *work);
static DECLARE_DELAYED_WORK(kt_stat_work, kt_stat_fn);

void kt_count(enum kt_counter counter)
{
	this_cpu_inc(kt_numbers.counter[counter]);
}

/* Any context; an interrupt may overwrite the value of a thread. */
void kt_note_time(enum kt_timing timing, u64 ns)
{
	struct kt_numbers *n = get_cpu_ptr(&kt_numbers);

	n->max_ns[timing] = max(n->max_ns[timing], ns);
	n->above_ms[timing] += ns > NSEC_PER_MSEC;
	put_cpu_ptr(&kt_numbers);
}

static void kt_sum(struct kt_numbers *sum)
{
	unsigned int cpu, i;

	memset(sum, 0, sizeof(*sum));
	for_each_possible_cpu(cpu) {
		struct kt_numbers *n = &per_cpu(kt_numbers, cpu);

		for (i = 0; i < KT_NR_COUNTERS; i++)
			sum->counter[i] += n->counter[i];
		for (i = 0; i < KT_NR_TIMINGS; i++) {
			sum->max_ns[i] = max(sum->max_ns[i], n->max_ns[i]);
			sum->above_ms[i] += n->above_ms[i];
		}
	}
}

/*
 * May references be only on the stack? A caller that gets true calls kt_stack_leave()
 * afterwards; only when all have done so is kmemleak told not to read stacks.
 */
bool kt_stack_enter(void)
{
	atomic_inc(&kt_on_stack);
	/* either kt_cmd_stacks() sees our count, or we see its flag */
	smp_mb__after_atomic();
	if (READ_ONCE(kt_stacks))
		return true;
	kt_stack_leave();
	return false;
}

void kt_stack_leave(void)
{
	if (atomic_dec_and_test(&kt_on_stack))
		wake_up_all(&kt_wait);
}

static int kt_cmd_stacks(unsigned long on)
{
	WRITE_ONCE(kt_stacks, on);
	smp_mb(); /* pairs with the barrier in kt_stack_enter() */
	wake_up_all(&kt_wait);
	if (!on && wait_event_interruptible(kt_wait, !atomic_read(&kt_on_stack)))
		return -EINTR;
	return 0;
}

static void kt_print_stats(const char *when)
{
	struct kt_numbers *sum = kzalloc(sizeof(*sum), GFP_KERNEL);
	char *line = kzalloc(KT_STATS_LEN, GFP_KERNEL);
	unsigned int i;
	int len = 0;

	if (sum && line) {
		kt_sum(sum);
		len = scnprintf(line, KT_STATS_LEN, " planted %u found %u moved %lu",
				kt_leaks_planted(), kt_leaks_found(), kt_nr_seen[KT_MOVED]);
		for (i = 0; i < KT_NR_COUNTERS; i++)
			len += scnprintf(line + len, KT_STATS_LEN - len, " %s %llu",
					 kt_counter_names[i], sum->counter[i]);
		for (i = 0; i < KT_NR_TIMINGS; i++)
			len += scnprintf(line + len, KT_STATS_LEN - len,
					 " %s_max_ns %llu %s_above_ms %llu", kt_timing_names[i],
					 sum->max_ns[i], kt_timing_names[i], sum->above_ms[i]);
		pr_info(KT_NAME "%s after %lu s: %u leaks, %u reported, %lu hidden, %lu missed; %lu live, %lu moved and %lu others reported in %lu scans; %u on stacks\n",
			when, (jiffies - kt_started) / HZ, kt_leaks_planted(), kt_leaks_found(),
			kt_nr_hidden, kt_nr_missed, kt_nr_seen[KT_LIVE],
			kt_nr_seen[KT_MOVED], kt_nr_others, kt_nr_scans, kt_threads_parked());
		pr_info(KT_NAME "%s:%s\n", when, line);
	}
	kfree(line);
	kfree(sum);
}

static void kt_stat_fn(struct work_struct *work)
{
	static unsigned int seconds;

	if (kt_threads_stalled())
		kt_stalled = true;
	seconds += 5;
	if (kt_stat_interval && seconds >= kt_stat_interval) {
		seconds = 0;
		kt_print_stats("stats");
	}
	schedule_delayed_work(&kt_stat_work, 5 * HZ);
}

static void kt_stop(void)
{
	if (kt_stopped)
		return;
	kt_stopped = true;
	cancel_delayed_work_sync(&kt_stat_work);
	if (kt_threads_stalled())
		kt_stalled = true;
	kt_threads_stop();
	kt_irq_exit();
	kt_objects_drain();
}

/* Count an object that was reported and should not have been, once. */
static int kt_seen_one(enum kt_class class, unsigned long id)
{
	int ret = xa_insert(&kt_seen[class], id, xa_mk_value(1), GFP_KERNEL);

	if (ret == -EBUSY)
		return 0;
	if (ret)
		return ret;
	kt_nr_seen[class]++;
	if (class == KT_LIVE)
		pr_alert(KT_NAME "live object %lu was reported\n", id);
	return 0;
}

static int kt_command(char *line)
{
	const char *name = strsep(&line, " ");
	unsigned long arg = 0;

	if (line && kstrtoul(line, 0, &arg))
		return -EINVAL;
	if (!strcmp(name, "stop"))
		kt_stop();
	else if (!strcmp(name, "find"))
		kt_find();
	else if (!strcmp(name, "judged"))
		kt_judged = true;
	else if (!line)
		return -EINVAL;
	else if (!strcmp(name, "stacks"))
		return kt_cmd_stacks(arg);
	else if (!strcmp(name, "leak"))
		kt_leak_found(arg);
	else if (!strcmp(name, "live"))
		return kt_seen_one(KT_LIVE, arg);
	else if (!strcmp(name, "moved"))
		return kt_seen_one(KT_MOVED, arg);
	else if (!strcmp(name, "scans"))
		kt_nr_scans = arg;
	else if (!strcmp(name, "hidden"))
		kt_nr_hidden = arg;
	else if (!strcmp(name, "missed"))
		kt_nr_missed = arg;
	else if (!strcmp(name, "unseen"))
		kt_nr_seen[KT_MOVED] += arg;
	else if (!strcmp(name, "others"))
		kt_nr_others = arg;
	else if (!strcmp(name, "bare"))
		kt_nr_bare = arg;
	else if (!strcmp(name, "image_from"))
		kf_set_image(arg, 0);
	else if (!strcmp(name, "image_to"))
		kf_set_image(0, arg);
	else
		return -EINVAL;
	return 0;
}

static ssize_t kt_write(struct file *file, const char __user *user_buf, size_t size, loff_t *ppos)
{
	char line[64];
	int ret;

	if (size >= sizeof(line))
		return -E2BIG;
	if (copy_from_user(line, user_buf, size))
		return -EFAULT;
	line[size] = '\0';
	mutex_lock(&kt_mutex);
	ret = kt_command(strim(line));
	mutex_unlock(&kt_mutex);
	return ret ?: size;
}

static ssize_t kt_read(struct file *file, char __user *user_buf, size_t size, loff_t *ppos)
{
	size_t room = kt_max_leaks * 48UL + 32;
	char *buf = kvzalloc(room, GFP_KERNEL);
	ssize_t ret;

	if (!buf)
		return -ENOMEM;
	ret = simple_read_from_buffer(user_buf, size, ppos, buf, kt_leak_list(buf, room));
	kvfree(buf);
	return ret;
}

static const struct file_operations kt_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = kt_read,
	.write = kt_write,
	.llseek = default_llseek,
};

/* Log all reasons for a failure. */
static bool kt_verdict(void)
{
	struct kt_numbers *sum = kzalloc(sizeof(*sum), GFP_KERNEL);
	unsigned int planted = kt_leaks_planted(), found = kt_leaks_found();
	unsigned long explained, moved = kt_nr_seen[KT_MOVED] + kt_nr_others;
	bool good = sum;

#define KT_FAIL_IF(condition, ...)					\
do {									\
	if (condition) {						\
		pr_alert(KT_NAME __VA_ARGS__);				\
		good = false;						\
	}								\
} while (0)

	if (sum)
		kt_sum(sum);
	KT_FAIL_IF(sum && !sum->counter[KT_C_OPS], "no thread has done anything\n");
	KT_FAIL_IF(sum && sum->counter[KT_C_BAD],
		   "%llu times an object was not what it should be\n", sum->counter[KT_C_BAD]);
	KT_FAIL_IF(kt_stalled, "threads have stalled\n");
	KT_FAIL_IF(!kt_judged, "kmemleak's reports were not judged\n");
	KT_FAIL_IF(kt_judged && !kt_nr_scans, "nothing was scanned\n");
	KT_FAIL_IF(kt_nr_seen[KT_LIVE], "%lu live objects were reported\n", kt_nr_seen[KT_LIVE]);
	/* the load also makes the kernel move objects of its own */
	KT_FAIL_IF(moved * 1000ULL > (u64)kt_max_moved * kt_nr_scans,
		   "%lu moving objects and %lu others were reported in %lu scans, %u in 1000 are tolerated\n",
		   kt_nr_seen[KT_MOVED], kt_nr_others, kt_nr_scans, kt_max_moved);
	KT_FAIL_IF(kt_leak_ms && !planted, "nothing was leaked\n");
	KT_FAIL_IF(kt_nr_missed, "%lu leaks without a reference were not reported\n", kt_nr_missed);
	KT_FAIL_IF(kt_nr_bare, "%lu leaks were not reported, and no word looks like a reference\n",
		   kt_nr_bare);
	explained = kt_nr_hidden + kt_nr_missed;
	KT_FAIL_IF(kt_judged && found + explained < planted,
		   "of %u leaks, only %u were reported and %lu explained\n", planted, found,
		   explained);
	KT_FAIL_IF(kt_nr_hidden * 100 > (u64)kt_max_hidden * planted,
		   "%lu of %u leaks had what looked like a reference, %u %% are tolerated\n",
		   kt_nr_hidden, planted, kt_max_hidden);
	kfree(sum);
	return good;
}

static void kt_free_all(void)
{
	unsigned int i;

	kt_stop();
	kt_threads_free();
	kt_move_exit();
	kt_pop_exit();
	kt_stand_exit();
	kt_leak_exit();
	kt_objects_drain();
	for (i = 0; i < KT_NR_CLASSES; i++)
		xa_destroy(&kt_seen[i]);
}

static int __init kt_init(void)
{
	unsigned int i;
	int ret;

	if (!kt_nthreads)
		kt_nthreads = 2 * num_online_cpus();
	if (!kt_nparkers)
		kt_nparkers = num_online_cpus();
	if (!kt_live || !kt_overlap_ms || kt_vmalloc_max < PAGE_SIZE) {
		pr_err(KT_NAME "live and overlap_ms must not be 0, vmalloc_max not below a page\n");
		return -EINVAL;
	}
	for (i = 0; i < KT_NR_CLASSES; i++)
		xa_init(&kt_seen[i]);
	kt_started = jiffies;
	pr_info(KT_NAME "--- Start of test: nthreads=%u nparkers=%u live=%u moving=%u moves=%u pause_us=%u overlap_ms=%u vmalloc_max=%u leak_ms=%u max_leaks=%u irq_us=%u stat_interval=%u max_moved=%u max_hidden=%u\n",
		kt_nthreads, kt_nparkers, kt_live, kt_moving, kt_moves, kt_pause_us,
		kt_overlap_ms, kt_vmalloc_max, kt_leak_ms, kt_max_leaks, kt_irq_us,
		kt_stat_interval, kt_max_moved, kt_max_hidden);
	forget_boot_memory();
	ret = kt_leak_init() ?: kt_stand_init() ?: kt_pop_init() ?: kt_move_init() ?:
	      kt_irq_init() ?: kt_threads_start();
	if (ret) {
		kt_free_all();
		return ret;
	}
	kt_dir = debugfs_create_dir("kmemleak_torture", NULL);
	debugfs_create_file("cmd", 0600, kt_dir, NULL, &kt_fops);
	schedule_delayed_work(&kt_stat_work, 5 * HZ);
	return 0;
}
module_init(kt_init);

/* All objects were freed, and had the right content. */
static bool kt_all_freed(void)
{
	struct kt_numbers *sum = kzalloc(sizeof(*sum), GFP_KERNEL);
	bool good;

	if (!sum)
		return false;
	kt_sum(sum);
	good = sum->counter[KT_C_BIRTHS] == sum->counter[KT_C_DEATHS] &&
	       !sum->counter[KT_C_BAD];
	if (!good)
		pr_alert(KT_NAME "%llu objects were made, %llu freed, %llu bad\n",
			 sum->counter[KT_C_BIRTHS], sum->counter[KT_C_DEATHS],
			 sum->counter[KT_C_BAD]);
	kfree(sum);
	return good;
}

static void __exit kt_exit(void)
{
	bool good;

	debugfs_remove(kt_dir);
	kt_stop();
	kt_print_stats("end");
	good = kt_verdict();
	kt_free_all();
	good &= kt_all_freed();
	/* areas that vfree() unmaps later would still be tracked */
	vm_unmap_aliases();
	pr_info(KT_NAME "--- End of test: %s\n", good ? "SUCCESS" : "FAILURE");
}
module_exit(kt_exit);

MODULE_DESCRIPTION("Torture for kmemleak");
MODULE_LICENSE("GPL");
