// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmemleak.ko: finds leaks of a kernel without kmemleak, also those of before the
 * module was loaded. It looks at memory and tracks nothing: no probe, no tracepoint, and
 * no function is called that is not exported.
 *
 * PREEMPT_RT makes no difference here, since there is no probe that could be called
 * with preemption off: locks are the module's own, and are held for some instructions.
 */

#include "oneshot.h"

static bool scan = true;
module_param(scan, bool, 0444);
MODULE_PARM_DESC(scan, "scan when the module is loaded (default: yes)");

static unsigned int passes = 6;
module_param(passes, uint, 0444);
MODULE_PARM_DESC(passes, "stop after so many passes, 2 or more, also if two never agree (default: 6)");

static unsigned int workers;
module_param(workers, uint, 0444);
MODULE_PARM_DESC(workers, "threads that scan, up to 64 (default: 0, one for each CPU)");

static unsigned int max_mb;
module_param(max_mb, uint, 0444);
MODULE_PARM_DESC(max_mb, "MiB of memory that a scan may use (default: 0, a sixteenth of all)");

static unsigned int max_kb;
module_param(max_kb, uint, 0444);
MODULE_PARM_DESC(max_kb, "the same in KiB, in place of max_mb=, for small machines");

static struct kml_layout layout;
static struct kml_chunk_layout chunk;

/* === The thread that scans ============================================== */

static struct task_struct *thread;
static DECLARE_WAIT_QUEUE_HEAD(scan_wait);
static DEFINE_MUTEX(report_mutex);	/* of @report, and what rules matched */
static struct kml_report report;

/* Counts of scans that were asked for, that have begun, and that have ended. */
static DEFINE_SPINLOCK(scan_lock);	/* of these */
static unsigned int scans_wanted, scans_begun, scans_ended;
static bool stopping;			/* the scan that runs */
static bool leaving;			/* the module is being unloaded */

bool kml_stopped(void)
{
	return READ_ONCE(stopping) || READ_ONCE(leaving);
}

void kml_sleep(unsigned int msecs)
{
	wait_event_idle_timeout(scan_wait, kml_stopped(), msecs_to_jiffies(msecs));
}

/* In bytes. */
static unsigned long memory_limit(void)
{
	if (max_kb)
		return (unsigned long)max_kb << 10;
	if (max_mb)
		return (unsigned long)max_mb << 20;
	return max(totalram_pages() << PAGE_SHIFT >> 4, SZ_4M + 0UL);
}

static void publish(struct kml_report *new)
{
	struct kml_report old;

	mutex_lock(&report_mutex);
	old = report;
	report = *new;
	mutex_unlock(&report_mutex);
	kml_leaks_free(&old);
}

static void scan_once(void)
{
	unsigned int nr = workers ?: min(num_online_cpus(), KML_WORKERS_MAX);
	struct kml_report new = { .done = true };
	ktime_t start = ktime_get();

	/* its memory is for the new one; the rules count from the start */
	publish(&(struct kml_report){});
	kml_memory_limit(memory_limit());
	new.err = kml_crew_start(nr, &layout);
	if (!new.err) {
		new.workers = kml_crew_size();
		new.err = kml_leaks_scan(&new, &layout, &chunk, passes);
		kml_crew_end();
	}
	new.metadata = kml_memory_peak();
	new.msecs = ktime_ms_delta(ktime_get(), start);
	if (new.err)
		pr_info("no result: %s\n", new.err == -EINTR ? "the scan was stopped" :
			"max_mb= is too small, or memory is short");
	else
		pr_info("%zu suspected memory leaks%s (see /dev/kmemleak)\n", new.nr,
			new.left_out || new.cut ? " in a part of memory" : "");
	publish(&new);
}

static int scan_thread(void *unused)
{
	set_user_nice(current, 10);
	for (;;) {
		wait_event_idle(scan_wait, kthread_should_stop() ||
				READ_ONCE(scans_wanted) != scans_ended);
		if (kthread_should_stop())
			return 0;
		spin_lock(&scan_lock);
		scans_begun++;
		WRITE_ONCE(stopping, false);
		spin_unlock(&scan_lock);
		scan_once();
		spin_lock(&scan_lock);
		WRITE_ONCE(scans_ended, scans_begun);
		spin_unlock(&scan_lock);
		wake_up_all(&scan_wait);
	}
}

/* === For control.c ====================================================== */

static bool has_ended(unsigned int nr)
{
	return READ_ONCE(leaving) || (int)(READ_ONCE(scans_ended) - nr) >= 0;
}

/**
 * kml_scan_wait() - wait until all scans have ended that were asked for
 *
 * Context: process; sleeps.
 * Return: 0, -EINTR after a signal, or -ENODEV.
 */
int kml_scan_wait(void)
{
	unsigned int nr = READ_ONCE(scans_wanted);

	if (wait_event_interruptible(scan_wait, has_ended(nr)))
		return -EINTR;
	return READ_ONCE(leaving) ? -ENODEV : 0;
}

/* Ask for a scan. Return: its number. */
static unsigned int want_scan(void)
{
	unsigned int nr;

	spin_lock(&scan_lock);
	nr = scans_wanted + 1;
	WRITE_ONCE(scans_wanted, nr);
	spin_unlock(&scan_lock);
	wake_up_all(&scan_wait);
	return nr;
}

/* End that scan, if it runs; if it has not begun, it ends when it has. */
static void abort_scan(unsigned int nr)
{
	for (;;) {
		spin_lock(&scan_lock);
		if (scans_begun == nr)
			WRITE_ONCE(stopping, true);
		spin_unlock(&scan_lock);
		wake_up_all(&scan_wait);
		if (wait_event_idle_timeout(scan_wait, has_ended(nr), HZ / 10))
			return;
	}
}

/**
 * kml_scan_run() - scan, and wait for the end
 *
 * Context: process; sleeps.
 * Return: 0; -EINTR after a signal: the scan was stopped; or -ENODEV.
 */
int kml_scan_run(void)
{
	unsigned int nr = want_scan();

	if (!wait_event_interruptible(scan_wait, has_ended(nr)))
		return READ_ONCE(leaving) ? -ENODEV : 0;
	abort_scan(nr);
	return -EINTR;
}

/* Stop the scan that runs, and wait for its end. */
void kml_scan_stop(void)
{
	unsigned int nr;

	spin_lock(&scan_lock);
	nr = scans_begun;
	spin_unlock(&scan_lock);
	abort_scan(nr);
}

/* Add a rule for the next scans. Return: 0, or -EBUSY, -EINVAL, -ENOSPC. */
int kml_scan_rule(const char *text)
{
	int err = -EBUSY;

	mutex_lock(&report_mutex);
	if (READ_ONCE(scans_ended) == READ_ONCE(scans_wanted))
		err = kml_rules_add(text);
	mutex_unlock(&report_mutex);
	return err;
}

void kml_report_clear(void)
{
	publish(&(struct kml_report){});
}

const struct kml_report *kml_report_get(void)
{
	mutex_lock(&report_mutex);
	return &report;
}

void kml_report_put(void)
{
	mutex_unlock(&report_mutex);
}

/* === Loading ============================================================ */

/* Pages of guests, and of the module that runs them, must not be read there. */
static bool hosts_confidential_guests(void)
{
#ifdef X86_FEATURE_TDX_HOST_PLATFORM
	if (boot_cpu_has(X86_FEATURE_TDX_HOST_PLATFORM))
		return true;
#endif
#ifdef HAVE_CC_ATTR_HOST_SEV_SNP
	return cc_platform_has(CC_ATTR_HOST_SEV_SNP);
#else
	return false;
#endif
}

static int check_parameters(void)
{
	if (passes < 2 || passes > 100) {
		pr_err("passes=%u: 2 to 100\n", passes);
		return -EINVAL;
	}
	if (workers > KML_WORKERS_MAX) {
		pr_err("workers=%u: 0 to %u\n", workers, KML_WORKERS_MAX);
		return -EINVAL;
	}
	if (max_mb > totalram_pages() >> (20 - PAGE_SHIFT)) {
		pr_err("max_mb=%u: this machine has %lu MiB\n", max_mb,
		       totalram_pages() >> (20 - PAGE_SHIFT));
		return -EINVAL;
	}
	return 0;
}

static int check_kernel(void)
{
	/* with its parameters, no module of that name could be loaded at all */
	if (IS_ENABLED(CONFIG_DEBUG_KMEMLEAK)) {
		pr_err("this kernel has kmemleak built in: boot with kmemleak=on\n");
		return -EBUSY;
	}
	if (hosts_confidential_guests()) {
		pr_err("this machine hosts confidential guests: their memory must not be read\n");
		return -EPERM;
	}
	/* the class of /proc/kcore: all of memory */
	if (security_locked_down(LOCKDOWN_KCORE)) {
		pr_err("the kernel is locked down to confidentiality\n");
		return -EPERM;
	}
	return 0;
}

static int __init kmemleak_init(void)
{
	int err = check_parameters() ?: check_kernel() ?: kml_layout_load(&layout, &chunk) ?:
		  kml_filter_setup();

	if (err)
		return err;
	err = kml_rules_init();
	if (err)
		goto no_thread;
	thread = kthread_run(scan_thread, NULL, "kmemleak/0");
	if (IS_ERR(thread)) {
		err = PTR_ERR(thread);
		goto no_thread;
	}
	err = kml_control_init();
	if (err) {
		kthread_stop(thread);
		goto no_thread;
	}
	if (scan)
		want_scan();
	return 0;
no_thread:
	kml_rules_free();
	return err;
}

static void __exit kmemleak_exit(void)
{
	WRITE_ONCE(leaving, true);
	wake_up_all(&scan_wait);
	kml_control_exit();
	kthread_stop(thread);
	kml_leaks_free(&report);
	kml_rules_free();
}

module_init(kmemleak_init);
module_exit(kmemleak_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Finds memory leaks of the kernel, also those of before it was loaded");
