// SPDX-License-Identifier: GPL-2.0-only
/* Control: boot option, module parameters, commands, and the files in debugfs. */

#include "os.h"
#include "scan.h"

/* === Parameters ========================================================= */

/*
 * Boot option and module parameters. The prefix of their names must not depend on
 * the name of this file.
 */

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "kmemleak."
/* also in modules.builtin.modinfo, from which modinfo prints their types */
#undef __MODULE_INFO_PREFIX
#define __MODULE_INFO_PREFIX "kmemleak."

static int kml_filter_set(const char *val, const struct kernel_param *kp)
{
	return kml_filter_want(val);
}

static int kml_filter_get(char *buffer, const struct kernel_param *kp)
{
	return scnprintf(buffer, PAGE_SIZE, "%s\n", kml_filter_wanted());
}

static const struct kernel_param_ops kml_filter_ops = {
	.set = kml_filter_set,
	.get = kml_filter_get,
};

static int kml_depth_set(const char *val, const struct kernel_param *kp)
{
	return param_set_uint_minmax(val, kp, 1, KML_MAX_TRACE);
}

static const struct kernel_param_ops kml_depth_ops = {
	.set = kml_depth_set,
	.get = param_get_uint,
};

static int kml_budget_set(const char *val, const struct kernel_param *kp)
{
	int ret = param_set_uint_minmax(val, kp, 0, 100);

	/* those that sleep for another budget */
	if (!ret)
		kml_workers_wake_initiator();
	return ret;
}

static const struct kernel_param_ops kml_budget_ops = {
	.set = kml_budget_set,
	.get = param_get_uint,
};

module_param_cb(budget, &kml_budget_ops, &kml_budget, 0644);
module_param_cb(filter, &kml_filter_ops, NULL, 0644);
module_param_cb(depth, &kml_depth_ops, &kml_depth, 0644);
module_param_named(min_unref_scans, kml_scan_params.min_unref_scans, uint, 0644);
module_param_named(min_age_ms, kml_scan_params.min_age_ms, uint, 0644);
module_param_named(since_mark, kml_scan_params.since_mark, bool, 0644);
module_param_named(verbose, kml_scan_params.verbose, bool, 0600);
module_param_named(trial, kml_scan_params.trial, bool, 0644);
module_param_named(trial_marks, kml_scan_params.trial_marks, uint, 0644);
/* disable kmemleak at the first block that overlaps another one */
bool kml_strict;
module_param_named(strict, kml_strict, bool, 0644);
#ifdef CONFIG_KMEMLEAK_LIVE_STACKS
module_param_named(live_stacks, kml_live_stacks, bool, 0644);
#endif
module_param_named(workers, kml_boot.workers, uint, 0444);

static const struct {
	const char *name;
	bool on, off, parallel;
} kml_boot_words[] = {
	{ .name = "on",		.on = true },
	{ .name = "off",	.off = true },
	{ .name = "parallel",	.on = true,	.parallel = true },
};

/* kmemleak=WORD[,WORD...]; an unknown word invalidates the whole option. */
static int __init kml_boot_setup(char *str)
{
	bool on = false, off = false, parallel = false;
	const char *word = str;
	unsigned int i;

	if (!str)
		return -EINVAL;

	for (;;) {
		size_t len = strcspn(word, ",");

		for (i = 0; i < ARRAY_SIZE(kml_boot_words); i++)
			if (strlen(kml_boot_words[i].name) == len &&
			    !strncmp(kml_boot_words[i].name, word, len))
				break;
		if (i == ARRAY_SIZE(kml_boot_words)) {
			pr_err("Unknown word \"%.*s\" in kmemleak=%s: use on, off, parallel or a list of these\n",
			       (int)len, word, str);
			return -EINVAL;
		}
		on |= kml_boot_words[i].on;
		off |= kml_boot_words[i].off;
		parallel |= kml_boot_words[i].parallel;
		if (!word[len])
			break;
		word += len + 1;
	}

	kml_boot.parallel = parallel;
	if (off) {
		kml_state_disable();
	} else if (on) {
		kml_boot.on = true;
		stack_depot_request_early_init();
	}
	return 0;
}
early_param("kmemleak", kml_boot_setup);

/* === Commands and the scan thread ======================================= */

/*
 * The commands that can be written to the debugfs file, the thread that scans
 * periodically, and the cleanup after kmemleak was disabled.
 */

struct kml_boot kml_boot;

static struct task_struct *kml_thread;
static unsigned long kml_scan_wait;	/* jiffies */

/* Sleep until the timeout, in jiffies, or until kthread_stop(). */
static void kml_thread_sleep(signed long timeout)
{
	while (timeout && !kthread_should_stop())
		timeout = schedule_timeout_interruptible(timeout);
}

static bool kml_thread_trylock(void)
{
	return !kml_scan_halted() && mutex_trylock(&kml_scan_mutex);
}

/*
 * Take kml_scan_mutex when a scan may begin. mutex_lock() would deadlock: the task
 * that calls kthread_stop() holds the mutex. The timeout is needed since nothing
 * wakes the thread when tasks are thawed.
 *
 * Return: false if kthread_stop() was called.
 */
static bool kml_thread_lock(void)
{
	bool locked = false;

	while (!locked && !kthread_should_stop())
		wait_event_interruptible_timeout(kml_scan_free, kthread_should_stop() ||
						 (locked = kml_thread_trylock()), HZ);
	return locked;
}

static int kml_thread_fn(void *arg)
{
	static bool first_run = IS_ENABLED(CONFIG_DEBUG_KMEMLEAK_AUTO_SCAN);

	pr_info("Automatic memory scanning thread started\n");
	set_user_nice(current, 10);
	/* no scan reads this stack, even if another task is the initiator */
	kml_own_stack_set_no_scan(true);

	/* let the system boot first */
	if (first_run) {
		first_run = false;
		kml_thread_sleep(secs_to_jiffies(KML_FIRST_SCAN_SECS));
	}

	while (kml_thread_lock()) {
		signed long timeout = READ_ONCE(kml_scan_wait);

		kml_scan(KML_SCAN_PLAIN);
		kml_scan_unlock();
		/* a scan that was halted is repeated as soon as scans are allowed */
		if (!kml_scan_halted())
			kml_thread_sleep(timeout);
	}

	pr_info("Automatic memory scanning thread ended\n");
	/* the stack may be reused by another task */
	kml_own_stack_set_no_scan(false);
	return 0;
}

/*
 * Start the scan thread, unless it runs. Context: process, kml_scan_mutex held;
 * sleeps.
 * Return: 0, -ENOMEM, or -EINTR if the current task is being killed.
 */
static int kml_thread_start(void)
{
	struct task_struct *thread;

	lockdep_assert_held(&kml_scan_mutex);

	if (kml_thread)
		return 0;
	thread = kthread_run(kml_thread_fn, NULL, "kmemleak");
	if (IS_ERR(thread)) {
		pr_warn("Failed to create the scan thread\n");
		return PTR_ERR(thread);
	}
	kml_thread = thread;
	kml_scan_params.thread = thread;
	return 0;
}

static void kml_thread_stop(void)
{
	lockdep_assert_held(&kml_scan_mutex);

	if (kml_thread)
		kthread_stop(kml_thread);
	kml_thread = NULL;
	kml_scan_params.thread = NULL;
}

/*
 * Suspend and hibernation must not wait for a scan, nor compete with its workers. So
 * scans end when they are announced, and no scan begins until the machine is awake.
 * PM_RESTORE_PREPARE is ignored, since PM_POST_RESTORE does not always follow it
 * (/dev/snapshot, when there is no memory). Tasks are frozen before an image is
 * read, and that ends a scan, too.
 */
static int kml_pm_notify(struct notifier_block *nb, unsigned long action,
			 void *data)
{
	switch (action) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
		kml_scan_sleep(true);
		break;
	case PM_POST_SUSPEND:
	case PM_POST_HIBERNATION:
	case PM_POST_RESTORE:
		kml_scan_sleep(false);
		break;
	}
	return NOTIFY_DONE;
}

/*
 * A work item trims the index, so that metadata without objects is freed even if no
 * scan runs, and refills the reserve. It is deferrable: it does not wake idle CPUs.
 */
#define KML_TRIM_SECS	5	/* period */

static void kml_trim_fn(struct work_struct *work);
static DECLARE_DEFERRABLE_WORK(kml_trim_work, kml_trim_fn);

static void kml_trim_fn(struct work_struct *work)
{
	static s64 frees;
	s64 now;

	if (!kml_enabled())
		return;
	kml_reserve_refill();

	/* a scan or a reader of the debugfs file holds the mutex: try again later */
	now = kml_count_sum(KML_C_FREES);
	if (now - frees > 1000 && mutex_trylock(&kml_scan_mutex)) {
		frees = now;
		kml_interval_trim(false);
		kml_scan_unlock();
	}
	schedule_delayed_work(&kml_trim_work, secs_to_jiffies(KML_TRIM_SECS));
}

/* Free all metadata. Context: process, kml_scan_mutex held, kmemleak is disabled. */
static void kml_drop_everything(void)
{
	lockdep_assert_held(&kml_scan_mutex);

	kml_object_remove_all();
	kml_phys_drop_all();
	kml_reserve_drop_all();
	kml_report_drop();
	kml_leaks_drop();
	kml_untracked_drop();
	kml_modules_drop();
	kml_interval_trim(true);
}

/* Clean up after kml_state_disable(). Metadata is kept while there are reports. */
static void kml_cleanup_fn(struct work_struct *work)
{
	mutex_lock(&kml_scan_mutex);
	kml_thread_stop();
	/* no scan runs or will run, so frees need not be tracked */
	WRITE_ONCE(kml_state.free_enabled, false);
	if (!kml_report_found())
		kml_drop_everything();
	else
		pr_info("Kmemleak disabled without freeing internal data. Reclaim the memory with \"echo clear > /sys/kernel/debug/kmemleak\".\n");
	kml_scan_unlock();
}

static DECLARE_WORK(kml_cleanup_work, kml_cleanup_fn);

/* Called by kml_state_disable(). Context: any but NMI. */
static void kml_cleanup(void)
{
	schedule_work(&kml_cleanup_work);
}

static int kml_cmd_clear(const char *arg)
{
	if (kml_enabled())
		kml_report_clear();
	else
		kml_drop_everything();
	return 0;
}

static int kml_cmd_off(const char *arg)
{
	kml_state_disable();
	return 0;
}

static int kml_cmd_stack_on(const char *arg)
{
	kml_scan_params.stacks = true;
	return 0;
}

static int kml_cmd_stack_off(const char *arg)
{
	kml_scan_params.stacks = false;
	return 0;
}

static int kml_cmd_scan_on(const char *arg)
{
	return kml_thread_start();
}

static int kml_cmd_scan_off(const char *arg)
{
	kml_thread_stop();
	return 0;
}

static int kml_cmd_scan_period(const char *arg)
{
	unsigned int secs, msecs;
	int ret = kstrtouint(arg, 0, &secs);

	if (ret)
		return ret;

	msecs = min_t(u64, (u64)secs * MSEC_PER_SEC, UINT_MAX);
	kml_thread_stop();
	if (msecs) {
		WRITE_ONCE(kml_scan_wait, msecs_to_jiffies(msecs));
		return kml_thread_start();
	}
	return 0;
}

static int kml_cmd_scan(const char *arg)
{
	return kml_scan(KML_SCAN_PLAIN);
}

/*
 * A block that waits for an RCU grace period to be freed looks like a leak, and
 * blocks that it references do not. So "check" first flushes RCU. A work item waits
 * for the callbacks, so that a signal can end the wait of the command. Each command
 * takes a number; the work item stores the last number that was taken before it
 * began.
 */
static void kml_rcu_fn(struct work_struct *work);
static DECLARE_WORK(kml_rcu_work, kml_rcu_fn);
static DECLARE_WAIT_QUEUE_HEAD(kml_rcu_wait);
static atomic_t kml_rcu_wanted, kml_rcu_done;

static void kml_rcu_fn(struct work_struct *work)
{
	int nr = atomic_read(&kml_rcu_wanted);

	kvfree_rcu_barrier();
	rcu_barrier();
	/* pairs with the acquire in kml_rcu_is_done() */
	atomic_set_release(&kml_rcu_done, nr);
	wake_up_all(&kml_rcu_wait);
}

static bool kml_rcu_is_done(int nr)
{
	/* pairs with the release in kml_rcu_fn() */
	return atomic_read_acquire(&kml_rcu_done) - nr >= 0;
}

/*
 * Wait until RCU has freed all blocks that were handed to it before the call.
 * Context: process; sleeps. Return: 0, or -ERESTARTSYS if there is a signal.
 */
static int kml_rcu_flush(void)
{
	int nr = atomic_inc_return(&kml_rcu_wanted);

	queue_work(system_long_wq, &kml_rcu_work);
	while (!kml_rcu_is_done(nr)) {
		if (kml_signalled())
			return -ERESTARTSYS;
		kml_wait_once(kml_rcu_wait, kml_rcu_is_done(nr));
	}
	return 0;
}

/* Time between scans of a check, for the content of used objects to change. */
#define KML_CHECK_MSECS		50

/*
 * "check": two scans, or min_unref_scans if that is more. If one of them is stopped,
 * the check ends and reports nothing.
 */
static int kml_cmd_check(const char *arg)
{
	unsigned int wanted = READ_ONCE(kml_scan_params.min_unref_scans);
	int ret;

	ret = kml_scan(KML_SCAN_FIRST);
	if (!ret)
		ret = kml_scan_pause(KML_CHECK_MSECS);
	for (wanted = clamp(wanted, 2, KML_UNREF_MAX); !ret && wanted > 2; wanted--)
		ret = kml_scan(KML_SCAN_NEXT);
	return ret ?: kml_scan(KML_SCAN_LAST);
}

static int kml_cmd_mark(const char *arg)
{
	kml_report_mark();
	return 0;
}

static int kml_cmd_dump(const char *arg)
{
	struct kml_info info;
	bool found = false;
	unsigned long addr;
	unsigned int id;

	if (kstrtoul(arg, 0, &addr))
		return -EINVAL;

	for (id = 0; id < KML_NR_SPACES; id++) {
		if (id == KML_PHYS ? !kml_phys_info(addr, &info) :
				     !kml_object_info(kml_space(id), addr, true, &info))
			continue;
		kml_report_dump(&info);
		found = true;
	}
	if (found)
		return 0;
	pr_info("Unknown object at 0x%08lx\n", addr);
	return -EINVAL;
}

/* "parallel=on": as many workers as the parameter "workers" asks for */
static int kml_cmd_parallel_on(const char *arg)
{
	return kml_workers_set(kml_boot.workers ?: KML_WORKERS_ALL);
}

static int kml_cmd_parallel_off(const char *arg)
{
	return kml_workers_set(1);
}

static int kml_cmd_parallel(const char *arg)
{
	unsigned int nr;
	int ret = kstrtouint(arg, 0, &nr);

	return ret ?: kml_workers_set(nr ?: KML_WORKERS_ALL);
}

/*
 * Commands are matched by prefix, in this order. The rest of the input is the
 * argument.
 */
static const struct kml_command {
	const char *name;
	int (*fn)(const char *arg);
	bool when_off;			/* accepted after kmemleak was disabled */
	enum kml_halt halts;		/* scans that the command ends */
	int (*before)(void);		/* called without the mutex, if enabled */
} kml_commands[] = {
	{ "clear",	kml_cmd_clear,		true },
	{ "off",	kml_cmd_off,		.halts = KML_HALT_ALL },
	{ "stack=on",	kml_cmd_stack_on },
	{ "stack=off",	kml_cmd_stack_off },
	{ "scan=on",	kml_cmd_scan_on },
	{ "scan=off",	kml_cmd_scan_off,	.halts = KML_HALT_THREAD },
	{ "scan=",	kml_cmd_scan_period },
	{ "scan",	kml_cmd_scan },
	{ "check",	kml_cmd_check,		.before = kml_rcu_flush },
	{ "mark",	kml_cmd_mark },
	{ "dump=",	kml_cmd_dump },
	{ "parallel=on", kml_cmd_parallel_on },
	{ "parallel=off", kml_cmd_parallel_off },
	{ "parallel=",	kml_cmd_parallel },
};

static const struct kml_command *kml_command(const char *cmd)
{
	const struct kml_command *c;

	for (c = kml_commands; c < kml_commands + ARRAY_SIZE(kml_commands); c++)
		if (!strncmp(cmd, c->name, strlen(c->name)))
			return c;
	return NULL;
}

/**
 * kml_control_command() - execute a command
 * @cmd: the command and its argument, NUL-terminated
 *
 * Context: process, kml_scan_mutex held; sleeps.
 * Return: 0; -EPERM if kmemleak is disabled; -EINVAL if the command or its argument
 * is invalid; or another error of the command, such as those of kml_scan().
 */
int kml_control_command(const char *cmd)
{
	const struct kml_command *c = kml_command(cmd);

	if (!kml_enabled() && !(c && c->when_off))
		return -EPERM;
	return c ? c->fn(cmd + strlen(c->name)) : -EINVAL;
}

/*
 * Take kml_scan_mutex and execute a command. Usually this waits until the running
 * scan ends. Two commands do not wait, but stop it: "off" stops any scan, "scan=off"
 * one of the scan thread.
 *
 * Context: process; sleeps.
 * Return: see kml_control_command(), or -ERESTARTSYS if a signal arrived first.
 */
static int kml_control_write(const char *cmd)
{
	const struct kml_command *c = kml_command(cmd);
	enum kml_halt halts = c ? c->halts : KML_HALT_NONE;
	int ret = 0;

	if (c && c->before && kml_enabled())
		ret = c->before();
	if (ret)
		return ret;

	kml_scan_halt(halts);
	ret = kml_scan_lock();
	if (!ret) {
		ret = kml_control_command(cmd);
		kml_scan_unlock();
	}
	kml_scan_resume(halts);
	return ret;
}

/**
 * kml_control_late_init() - start the scan thread and the trimmer, if kmemleak is on
 *
 * If kmemleak was disabled during boot, this schedules the cleanup instead.
 *
 * Context: late_initcall; sleeps.
 */
void __init kml_control_late_init(void)
{
	kml_scan_wait = secs_to_jiffies(KML_SCAN_WAIT_SECS);

	kml_modules_init();
	kml_state_on_disable(kml_cleanup);
	if (kml_state_has_error()) {
		/* kmemleak may have been disabled before the cleanup was known */
		schedule_work(&kml_cleanup_work);
		return;
	}

	mutex_lock(&kml_scan_mutex);
	/* on an error, scans have one worker */
	if (kml_boot.parallel)
		kml_cmd_parallel_on(NULL);
	if (IS_ENABLED(CONFIG_DEBUG_KMEMLEAK_AUTO_SCAN))
		kml_thread_start();
	kml_scan_unlock();
	schedule_delayed_work(&kml_trim_work, secs_to_jiffies(KML_TRIM_SECS));
	pm_notifier(kml_pm_notify, 0);
}

/* === Files in debugfs =================================================== */

/*
 * Files in /sys/kernel/debug: kmemleak takes commands and lists reports;
 * kmemleak_stats has statistics, one "name value" pair per line; kmemleak_pages
 * lists objects that only untracked memory references. leaks.c and refs.c have the
 * other files.
 */

static void *kml_seq_start(struct seq_file *seq, loff_t *pos)
{
	int err = kml_scan_lock();

	return err ? ERR_PTR(err) : kml_report_get(*pos);
}

static void *kml_seq_next(struct seq_file *seq, void *v, loff_t *pos)
{
	return kml_report_get(++*pos);
}

static void kml_seq_stop(struct seq_file *seq, void *v)
{
	/* start() has not taken the mutex if it failed */
	if (!IS_ERR(v))
		kml_scan_unlock();
}

static int kml_seq_show(struct seq_file *seq, void *v)
{
	kml_report_show(seq, v);
	return 0;
}

static const struct seq_operations kml_seq_ops = {
	.start	= kml_seq_start,
	.next	= kml_seq_next,
	.stop	= kml_seq_stop,
	.show	= kml_seq_show,
};

static int kml_open(struct inode *inode, struct file *file)
{
	return seq_open(file, &kml_seq_ops);
}

/* Each write is one command. Bytes that do not fit into the buffer are ignored. */
static ssize_t kml_write(struct file *file, const char __user *user_buf,
			 size_t size, loff_t *ppos)
{
	char buf[64];
	long len;
	int ret;

	len = min(size, sizeof(buf) - 1);
	if (strncpy_from_user(buf, user_buf, len) < 0)
		return -EFAULT;
	buf[len] = '\0';

	ret = kml_control_write(buf);
	if (ret)
		return ret;

	*ppos += size;
	return size;
}

static const struct file_operations kml_fops = {
	.owner		= THIS_MODULE,
	.open		= kml_open,
	.read_iter	= seq_read_iter,
	.splice_read	= copy_splice_read,
	.write		= kml_write,
	.llseek		= seq_lseek,
	.release	= seq_release,
};

static void kml_show_running(struct seq_file *seq)
{
	u64 begin = READ_ONCE(kml_running.begin);

	seq_printf(seq, "running %d\n", !!begin);
	if (!begin)
		return;
	seq_printf(seq, "running_stage %s\n",
		   kml_stage_name(READ_ONCE(kml_running.stage)));
	seq_printf(seq, "running_ms %llu\n",
		   div_u64(ktime_get_ns() - begin, NSEC_PER_MSEC));
	seq_printf(seq, "running_bytes %llu\n", kml_workers_words() * sizeof(long));
	seq_printf(seq, "running_bytes_expected %llu\n",
		   READ_ONCE(kml_running.expected));
	seq_printf(seq, "running_workers %u\n", kml_workers_nr());
}

static void kml_show_counters(struct seq_file *seq, unsigned int from, unsigned int to)
{
	for (; from < to; from++)
		seq_printf(seq, "%s %lld\n", kml_counter_name(from), kml_count_sum(from));
}

/* Show the statistics that administrators act on. @s: the last scan, or NULL. */
static void kml_show_summary(struct seq_file *seq, const struct kml_scan_stats *s)
{
	seq_printf(seq, "enabled %d\n", kml_enabled());
	seq_printf(seq, "objects %ld\n", kml_count_objects());
	seq_printf(seq, "leaks %lu\n", kml_report_listed());
	seq_printf(seq, "scans %lu\n", s ? s->seq : 0);
	seq_printf(seq, "scans_stopped %lu\n", s ? s->all_stopped : 0);
	if (s) {
		seq_printf(seq, "scan_age_ms %llu\n",
			   div_u64(ktime_get_ns() - s->end, NSEC_PER_MSEC));
		seq_printf(seq, "scan_ms %llu\n", div_u64(s->ns, NSEC_PER_MSEC));
		seq_printf(seq, "scan_stopped %d\n", s->stopped);
		seq_printf(seq, "scan_leaks %lu\n", s->leaks);
	}
	kml_show_running(seq);
	seq_printf(seq, "reserve_blocks %lu\n", READ_ONCE(kml_reserve_nr));
	seq_printf(seq, "lost_pages %lu\n", kml_lost_pages());
	kml_show_counters(seq, 0, KML_NR_USER_COUNTERS);
}

static void kml_show_scan(struct seq_file *seq, const struct kml_scan_stats *s)
{
	unsigned int i;

	seq_printf(seq, "scan_us %llu\n", div_u64(s->ns, NSEC_PER_USEC));
	for (i = KML_STAGE_PREPARE; i < KML_NR_STAGES; i++)
		seq_printf(seq, "scan_%s_us %llu\n", kml_stage_name(i),
			   div_u64(s->stage_ns[i], NSEC_PER_USEC));
	seq_printf(seq, "scan_workers %u\n", s->workers);
	seq_printf(seq, "scan_worker_us %llu\n", div_u64(s->sum.ns, NSEC_PER_USEC));
	seq_printf(seq, "scan_slept_us %llu\n", div_u64(s->sum.slept_ns, NSEC_PER_USEC));
	seq_printf(seq, "scan_bytes %llu\n", s->sum.words * sizeof(long));
	seq_printf(seq, "scan_objects %llu\n", s->sum.objects);
	seq_printf(seq, "scan_candidates %llu\n", s->sum.candidates);
	seq_printf(seq, "scan_settled %llu\n", s->sum.settled);
	seq_printf(seq, "scan_lookups %llu\n", s->sum.lookups);
	seq_printf(seq, "scan_steals %llu\n", s->sum.steals);
	seq_printf(seq, "scan_overflows %llu\n", s->sum.overflows);
	seq_printf(seq, "scan_suspects %lu\n", s->suspects);
	seq_printf(seq, "scan_marks %u\n", s->marks);
	seq_printf(seq, "scan_in_pages %lu\n", s->in_pages);
}

/* Takes no lock that a scan holds, so the progress of a scan can be read. */
static int kml_stats_show(struct seq_file *seq, void *v)
{
	struct kml_scan_stats *scans;
	unsigned int i, nr;

	scans = kcalloc(KML_SCANS_KEPT, sizeof(*scans), GFP_KERNEL);
	if (!scans)
		return -ENOMEM;
	nr = kml_stats_last(scans);

	kml_show_summary(seq, nr ? &scans[0] : NULL);
	seq_printf(seq, "parallel %d\n", kml_workers_wanted() > 1);
	seq_printf(seq, "workers_wanted %u\n",
		   min(kml_workers_wanted(), num_possible_cpus()));
	seq_printf(seq, "filter %s\n", kml_filter_current()->name);
	kml_show_counters(seq, KML_NR_USER_COUNTERS, KML_NR_COUNTERS);
	seq_printf(seq, "intervals %lu\n", kml_shard_intervals());
	seq_printf(seq, "nolock_missed %lu\n", kml_nolock_missed());
	if (nr)
		kml_show_scan(seq, &scans[0]);
	/* number 1 is the scan before the last one */
	for (i = 1; i < nr; i++) {
		seq_printf(seq, "scan_us.%u %llu\n", i,
			   div_u64(scans[i].ns, NSEC_PER_USEC));
		seq_printf(seq, "scan_bytes.%u %llu\n", i,
			   scans[i].sum.words * sizeof(long));
		seq_printf(seq, "scan_workers.%u %u\n", i, scans[i].workers);
		seq_printf(seq, "scan_stopped.%u %d\n", i, scans[i].stopped);
		seq_printf(seq, "scan_leaks.%u %lu\n", i, scans[i].leaks);
	}
	kfree(scans);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(kml_stats);

static void *kml_pages_start(struct seq_file *seq, loff_t *pos)
{
	int err = kml_scan_lock();

	return err ? ERR_PTR(err) : (void *)kml_untracked_get(*pos);
}

static void *kml_pages_next(struct seq_file *seq, void *v, loff_t *pos)
{
	return (void *)kml_untracked_get(++*pos);
}

static int kml_pages_show(struct seq_file *seq, void *v)
{
	kml_untracked_show(seq, v);
	return 0;
}

static const struct seq_operations kml_pages_sops = {
	.start	= kml_pages_start,
	.next	= kml_pages_next,
	.stop	= kml_seq_stop,
	.show	= kml_pages_show,
};
DEFINE_SEQ_ATTRIBUTE(kml_pages);

/**
 * kml_debugfs_init() - create the files in debugfs
 *
 * debugfs_create_file_unsafe() does not protect a file against removal, and
 * "kmemleak" is never removed. Unlike debugfs_create_file(), it passes splice_read
 * to the file, so splice() and sendfile() work.
 *
 * Context: late_initcall.
 */
void __init kml_debugfs_init(void)
{
	debugfs_create_file_unsafe("kmemleak", 0644, NULL, NULL, &kml_fops);
	debugfs_create_file("kmemleak_stats", 0400, NULL, NULL, &kml_stats_fops);
	debugfs_create_file("kmemleak_pages", 0400, NULL, NULL, &kml_pages_fops);
	kml_leaks_init();
	kml_refs_init();
}
