// SPDX-License-Identifier: GPL-2.0-only
/*
 * Control: what can be written to the debugfs file, the thread that scans by
 * itself, and what happens when kmemleak is switched off.
 */

#include "os.h"
#include "compat.h"
#include "control.h"
#include "interval.h"
#include "modules.h"
#include "report.h"
#include "reserve.h"
#include "scan.h"
#include "signals.h"
#include "state.h"
#include "stats.h"
#include "track.h"
#include "untracked.h"
#include "workers.h"

struct kml_boot kml_boot;

static struct task_struct *kml_thread;
static unsigned long kml_scan_wait;	/* jiffies */

/* Sleep, but not when told to stop. */
static void kml_thread_sleep(signed long timeout)
{
	while (timeout && !kthread_should_stop())
		timeout = schedule_timeout_interruptible(timeout);
}

static int kml_thread_fn(void *arg)
{
	static bool first_run = IS_ENABLED(CONFIG_DEBUG_KMEMLEAK_AUTO_SCAN);

	pr_info("Automatic memory scanning thread started\n");
	set_user_nice(current, 10);
	/* no scan of others reads it, either */
	kml_track_hush_stack(true);

	/* let the system come up first */
	if (first_run) {
		first_run = false;
		kml_thread_sleep(secs_to_jiffies(KML_FIRST_SCAN_SECS));
	}

	while (!kthread_should_stop()) {
		signed long timeout = READ_ONCE(kml_scan_wait);

		/* whoever stops us may hold the mutex: do not wait for it */
		if (kml_scan_halted() || !mutex_trylock(&kml_scan_mutex)) {
			kml_thread_sleep(1);
			continue;
		}
		kml_scan(KML_SCAN_PLAIN);
		mutex_unlock(&kml_scan_mutex);
		/* in the middle, maybe: once more when it may be */
		if (!kml_scan_halted())
			kml_thread_sleep(timeout);
	}

	pr_info("Automatic memory scanning thread ended\n");
	/* stacks are used again, by others */
	kml_track_hush_stack(false);
	return 0;
}

/* Return: 0, also if there is one; -ENOMEM, or -EINTR for who is being killed. */
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
 * A machine that is about to sleep, or to write an image of its memory, is not to
 * wait for a scan, nor to have threads run on all its CPUs. Before an image is read
 * tasks are frozen, which ends scans, too: PM_RESTORE_PREPARE is not always taken
 * back (/dev/snapshot, without memory).
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
 * Memory of what has become empty goes back even if nobody scans, and the
 * reserve is kept full. Deferrable: an idle CPU is not woken for it.
 */
#define KML_TRIM_SECS	5

static void kml_trim_fn(struct work_struct *work);
static DECLARE_DEFERRABLE_WORK(kml_trim_work, kml_trim_fn);

static void kml_trim_fn(struct work_struct *work)
{
	static long frees;
	long now;

	if (!kml_enabled())
		return;
	kml_reserve_refill();

	/* busy scanning or being read: later */
	now = kml_count_sum(KML_C_FREES);
	if (now - frees > 1000 && mutex_trylock(&kml_scan_mutex)) {
		frees = now;
		kml_interval_trim(false);
		mutex_unlock(&kml_scan_mutex);
	}
	schedule_delayed_work(&kml_trim_work, secs_to_jiffies(KML_TRIM_SECS));
}

static void kml_drop_everything(void)
{
	lockdep_assert_held(&kml_scan_mutex);

	kml_track_remove_all();
	kml_reserve_drop_all();
	kml_report_drop();
	kml_untracked_drop();
	kml_modules_drop();
	kml_interval_trim(true);
}

static void kml_cleanup_fn(struct work_struct *work)
{
	mutex_lock(&kml_scan_mutex);
	kml_thread_stop();
	/* no scan runs and none will: blocks may go away unnoticed */
	WRITE_ONCE(kml_state.free_enabled, false);
	if (!kml_report_found())
		kml_drop_everything();
	else
		pr_info("Kmemleak disabled without freeing internal data. Reclaim the memory with \"echo clear > /sys/kernel/debug/kmemleak\".\n");
	mutex_unlock(&kml_scan_mutex);
}

static DECLARE_WORK(kml_cleanup_work, kml_cleanup_fn);

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
 * A block that RCU is about to free looks like a leak, or keeps one referenced. A work
 * item waits for the grace period, so that a signal can end the wait of the command.
 * Each command takes a number; the item stores the last number taken before it began.
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

/* Context: process; sleeps. Return: 0 or -ERESTARTSYS. */
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

/* Time for the content of what is in use to change, between two scans. */
#define KML_CHECK_MSECS		50

/*
 * Two scans, or as many as min_unref_scans asks for. Whatever stops one of them stops
 * all, and nothing is reported.
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
		if (!kml_object_info(kml_space(id), addr, true, &info))
			continue;
		kml_report_dump(&info);
		found = true;
	}
	if (found)
		return 0;
	pr_info("Unknown object at 0x%08lx\n", addr);
	return -EINVAL;
}

/* parallel=on: as many as at boot, or would have been */
static int kml_cmd_parallel_on(const char *arg)
{
	return kml_workers_set(kml_boot.threads ?: KML_WORKERS_ALL);
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

/* Matched by prefix, in this order; what follows is the argument. */
static const struct kml_command {
	const char *name;
	int (*fn)(const char *arg);
	bool when_off;			/* accepted after kmemleak was disabled */
	enum kml_halt halts;		/* does not wait for these to end */
	int (*before)(void);		/* without the mutex, if kmemleak is on */
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
 * kml_control_command() - do what was written to the debugfs file
 * @cmd: NUL-terminated
 *
 * Context: process, kml_scan_mutex held.
 * Return: 0; -EPERM if kmemleak is off; -EINVAL for what we do not know; or what the
 * command says: see kml_scan().
 */
int kml_control_command(const char *cmd)
{
	const struct kml_command *c = kml_command(cmd);

	if (!kml_enabled() && !(c && c->when_off))
		return -EPERM;
	return c ? c->fn(cmd + strlen(c->name)) : -EINVAL;
}

/**
 * kml_control_write() - likewise, after the scan that runs
 * @cmd: NUL-terminated
 *
 * What ends scans ends the one that it would have to wait for: "off" anybody's,
 * "scan=off" the scan thread's.
 *
 * Context: process; takes kml_scan_mutex.
 * Return: what kml_control_command() returns, or -ERESTARTSYS if a signal came first.
 */
int kml_control_write(const char *cmd)
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
		mutex_unlock(&kml_scan_mutex);
	}
	kml_scan_resume(halts);
	return ret;
}

/* Context: late_initcall. */
void __init kml_control_late_init(void)
{
	kml_scan_wait = secs_to_jiffies(KML_SCAN_WAIT_SECS);

	kml_modules_init();
	kml_state_on_disable(kml_cleanup);
	if (kml_state_has_error()) {
		/* too early then for the cleanup to be scheduled */
		schedule_work(&kml_cleanup_work);
		return;
	}

	mutex_lock(&kml_scan_mutex);
	/* if that fails, one will do */
	if (kml_boot.parallel)
		kml_cmd_parallel_on(NULL);
	if (IS_ENABLED(CONFIG_DEBUG_KMEMLEAK_AUTO_SCAN))
		kml_thread_start();
	mutex_unlock(&kml_scan_mutex);
	schedule_delayed_work(&kml_trim_work, secs_to_jiffies(KML_TRIM_SECS));
	pm_notifier(kml_pm_notify, 0);
}
