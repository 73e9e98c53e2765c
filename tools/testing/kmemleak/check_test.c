// SPDX-License-Identifier: GPL-2.0-only
/*
 * The commands "check" and "mark", the parameters of reports, and how commands end.
 * Stock has none of these, so programs cannot be compared.
 */
#include <pthread.h>
#include <sched.h>

#include "tap.h"
#include "world.h"
#include "scan.h"
#undef snprintf

static struct world_file file;

static int boot(void)
{
	world_cpus(2);
	world_task(&world_tasks[0]);
	world_boot("on");
	return world_open(&file, "kmemleak", FMODE_READ | FMODE_WRITE);
}

static ssize_t command(const char *cmd)
{
	ssize_t n = world_write(&file, cmd, strlen(cmd));

	world_quiesce();
	return n;
}

static unsigned long *block(unsigned long i)
{
	return (unsigned long *)(W_HEAP + i * 64);
}

static unsigned long *root(unsigned int i)
{
	return (unsigned long *)W_DATA + i;
}

static void birth(unsigned long i)
{
	memset(block(i), 0, 64);
	kmemleak_alloc(block(i), 64, 1, GFP_KERNEL);
}

static bool listed(unsigned long i)
{
	char line[80], *text;
	ssize_t err;
	bool is;

	text = world_slurp(&file, 65536, &err);
	shim_snprintf(line, sizeof(line), "unreferenced object 0x%08lx (size 64):",
		      (unsigned long)block(i));
	is = strstr(text, line);
	free(text);
	return is;
}

/* Call a function at the first poll of one of the scans of a check. */
static enum kml_scan_kind when;
static void (*what)(void);

static void at_poll(void)
{
	void (*fn)(void) = what;

	if (current->flags & PF_KTHREAD || !fn || kml_scan_kind != when)
		return;
	what = NULL;
	fn();
}

static ssize_t check_with(enum kml_scan_kind kind, void (*fn)(void))
{
	ssize_t ret;

	when = kind;
	what = fn;
	shim_poll = at_poll;
	ret = command("check");
	shim_poll = NULL;
	if (fn && what)
		shim_fatal("the scan did not take place");
	return ret;
}

/* Leaks of any age, some referenced by others; referenced blocks are not reported. */
static int young_case(void *arg)
{
	unsigned int i;

	TAP_CHECK(!boot(), "boot");
	for (i = 0; i < 5; i++)
		birth(i);
	*root(0) = (unsigned long)block(1);
	*block(1) = (unsigned long)block(2);
	*block(3) = (unsigned long)block(4);
	TAP_CHECK(command("check") == 5, "check");
	TAP_CHECK(world_stat("scans") == 2, "%ld scans", world_stat("scans"));
	TAP_CHECK(listed(0) && listed(3) && listed(4), "a leak is missing");
	TAP_CHECK(!listed(1) && !listed(2), "no leak");
	TAP_CHECK(world_stat("scan_leaks") == 3, "%ld leaks", world_stat("scan_leaks"));
	/* reported still, and by a scan, too */
	TAP_CHECK(command("checking\n") == 9, "by prefix");
	TAP_CHECK(listed(0) && !listed(1) && world_stat("scan_leaks") == 0, "once more");
	TAP_CHECK(command("scan") == 4 && listed(0) && listed(3), "a scan after it");
	/* referenced again, and leaked again */
	*root(1) = (unsigned long)block(0);
	TAP_CHECK(listed(0) && command("check") == 5 && !listed(0), "found again");
	*root(1) = 0;
	TAP_CHECK(command("check") == 5 && listed(0), "lost again");
	return 0;
}

static void drop(void)
{
	*root(0) = 0;
}

static void hold(void)
{
	*root(0) = (unsigned long)block(0);
}

static void change(void)
{
	block(0)[5]++;
}

static void bear(void)
{
	birth(7);
}

/* Reported are blocks that both scans find unreferenced and unchanged. */
static int throughout_case(void *arg)
{
	TAP_CHECK(!boot(), "boot");
	birth(0);
	birth(1);
	/* known and old: the second scan alone would report it */
	hold();
	TAP_CHECK(command("scan") == 4, "scan");
	drop();
	TAP_CHECK(command("scan") == 4, "scan");
	hold();
	shim_time_advance(msecs_to_jiffies(6000));
	TAP_CHECK(check_with(KML_SCAN_LAST, drop) == 5, "check");
	TAP_CHECK(!listed(0), "referenced by the first scan, and reported");
	TAP_CHECK(listed(1), "a leak is missing");
	TAP_CHECK(check_with(KML_SCAN_FIRST, drop) == 5 && listed(0), "not by the next");
	return 0;
}

static int changes_case(void *arg)
{
	TAP_CHECK(!boot(), "boot");
	birth(0);
	TAP_CHECK(check_with(KML_SCAN_LAST, change) == 5, "check");
	TAP_CHECK(!listed(0), "changed in between, and reported");
	TAP_CHECK(check_with(KML_SCAN_LAST, bear) == 5, "check");
	TAP_CHECK(listed(0), "unchanged by now, not reported");
	TAP_CHECK(!listed(7), "born in between, and reported");
	TAP_CHECK(check_with(KML_SCAN_FIRST, NULL) == 5 && listed(7), "not by the next");
	return 0;
}

/* min_unref_scans: a check has that many scans, at least two. */
static int often_case(void *arg)
{
	TAP_CHECK(!boot(), "boot");
	shim_param_set("kmemleak.min_unref_scans", "5");
	birth(0);
	birth(1);
	hold();
	TAP_CHECK(check_with(KML_SCAN_NEXT, drop) == 5, "check");
	TAP_CHECK(world_stat("scans") == 5, "%ld scans", world_stat("scans"));
	TAP_CHECK(!listed(0) && listed(1), "unreferenced by four of five");
	TAP_CHECK(command("check") == 5 && listed(0), "by all");
	return 0;
}

static void off(void)
{
	kml_state_disable();
}

static int off_case(void *arg)
{
	TAP_CHECK(!boot(), "boot");
	birth(0);
	birth(1);
	TAP_CHECK(command("check") == 5 && listed(0), "check");
	birth(2);
	TAP_CHECK(check_with((long)arg, off) == -EPERM, "off in the middle");
	TAP_CHECK(listed(0) && listed(1) && !listed(2), "the report has changed");
	TAP_CHECK(command("check") == -EPERM && command("mark") == -EPERM, "when off");
	TAP_CHECK(command("clear") == 5 && !listed(0), "clear");
	return 0;
}

static void signal_comes(void)
{
	current->sigpending = SHIM_SIGINT;
}

static int signal_case(void *arg)
{
	enum kml_scan_kind kind;

	TAP_CHECK(!boot(), "boot");
	shim_param_set("kmemleak.min_unref_scans", "3");
	birth(0);
	birth(1);
	TAP_CHECK(command("check") == 5 && listed(0), "check");
	birth(2);
	for (kind = KML_SCAN_FIRST; kind <= KML_SCAN_LAST; kind++) {
		/* changes that a complete check would find */
		*root(0) = (unsigned long)block(0);
		TAP_CHECK(check_with(kind, signal_comes) == -ERESTARTSYS, "not stopped");
		TAP_CHECK(listed(0) && listed(1) && !listed(2), "the report has changed");
		*root(0) = 0;
		/* still pending: it ends the wait for RCU */
		TAP_CHECK(command("check") == -ERESTARTSYS, "not stopped at once");
		current->sigpending = 0;
	}
	TAP_CHECK(command("check") == 5 && listed(0) && listed(2), "check afterwards");
	return 0;
}

/* A pending signal ends a scan only if it is one of those that should. */
static int harmless_case(void *arg)
{
	static const struct {
		unsigned long pending, shared, blocked;
		bool notified, ends;
	} t[] = {
		{ .pending = SHIM_SIGCHLD },
		{ .shared = SHIM_SIGCHLD | SHIM_SIGTSTP },
		{ .notified = true },
		{ .notified = true, .shared = SHIM_SIGCHLD, .pending = SHIM_SIGTSTP },
		{ .pending = SHIM_SIGINT, .blocked = SHIM_SIGINT },
		{ .shared = SHIM_SIGINT, .blocked = SHIM_SIGINT },
		{ .pending = SHIM_SIGINT, .ends = true },
		{ .shared = SHIM_SIGINT, .ends = true },
		{ .shared = SHIM_SIGINT | SHIM_SIGCHLD, .blocked = SHIM_SIGCHLD, .ends = true },
	};
	static const char * const cmds[] = { "scan", "check" };
	unsigned int i, k;
	ssize_t ret;

	setenv("KMEMLEAK_PARALLEL", "2", 1);
	TAP_CHECK(!boot(), "boot");
	for (i = 0; i < 2000; i++)
		birth(i);
	for (i = 0; i < ARRAY_SIZE(t); i++) {
		for (k = 0; k < ARRAY_SIZE(cmds); k++) {
			current->sigpending = t[i].pending;
			current->signal->shared_pending.signal.sig[0] = t[i].shared;
			current->blocked.sig[0] = t[i].blocked;
			current->notified = t[i].notified;
			ret = world_write(&file, cmds[k], strlen(cmds[k]));
			TAP_CHECK(ret == (t[i].ends ? -ERESTARTSYS : (ssize_t)strlen(cmds[k])),
				  "%s, signals %u: %zd", cmds[k], i, ret);
			/* before the scans of a check, which first waits for RCU */
			TAP_CHECK((t[i].ends && k) ||
				  world_stat("scan_stopped") == t[i].ends, "signals %u", i);
		}
	}
	return 0;
}

/* Another task has the mutex for a moment of real time. */
static bool locked, release;

static void *holder_main(void *arg)
{
	shim_thread_attach(1);
	mutex_lock(&kml_scan_mutex);
	WRITE_ONCE(locked, true);
	while (!READ_ONCE(release))
		sched_yield();
	mutex_unlock(&kml_scan_mutex);
	shim_thread_detach();
	return NULL;
}

static void *release_main(void *arg)
{
	usleep(20000);
	WRITE_ONCE(release, true);
	return NULL;
}

static int mutex_case(void *arg)
{
	unsigned long pending = (unsigned long)arg;
	pthread_t holder, releaser;
	ssize_t ret, err = 0;
	char byte;

	TAP_CHECK(!boot(), "boot");
	birth(0);
	TAP_CHECK(command("check") == 5 && listed(0), "check");
	if (pthread_create(&holder, NULL, holder_main, NULL))
		shim_fatal("no thread");
	while (!READ_ONCE(locked))
		sched_yield();
	current->sigpending = pending;
	if (pending == SHIM_SIGCHLD && pthread_create(&releaser, NULL, release_main, NULL))
		shim_fatal("no thread");
	world_seek(&file, 0);
	ret = world_write(&file, "stack=on", 8);
	if (pending != SHIM_SIGCHLD)
		err = world_read(&file, &byte, 1);
	current->sigpending = 0;
	WRITE_ONCE(release, true);
	pthread_join(holder, NULL);
	if (pending == SHIM_SIGCHLD) {
		TAP_CHECK(ret == 8, "SIGCHLD ends the wait: %zd", ret);
		pthread_join(releaser, NULL);
	} else {
		TAP_CHECK(ret == -ERESTARTSYS, "the signal does not end the wait: %zd", ret);
		TAP_CHECK(err == -ERESTARTSYS, "the signal does not end a reader's wait: %zd", err);
	}
	return 0;
}

/* The command fails if there is no memory for the thread. */
static int thread_case(void *arg)
{
	TAP_CHECK(!boot(), "boot");
	TAP_CHECK(command("scan=off") == 8, "scan=off");
	shim_kthread_fail = 1;
	TAP_CHECK(command("scan=on") == -ENOMEM, "no thread, and no error");
	shim_kthread_fail = 1;
	TAP_CHECK(command("scan=600") == -ENOMEM, "no thread, and no error");
	TAP_CHECK(command("scan=600") == 8 && command("scan=on") == 7, "a thread");
	TAP_CHECK(command("scan=0") == 6, "scan=0");
	return 0;
}

/* The first confirming mark finds a reference, so that another mark follows. */
static void find_poll(void)
{
	if (READ_ONCE(kml_running.stage) == KML_STAGE_CONFIRM)
		WRITE_ONCE(*root(1), (unsigned long)block(1));
}

/* No task waits for the scan thread, so it sends no interrupts to other CPUs. */
static int grace_case(void *arg)
{
	long scans, expedited, marks = 0;
	unsigned int i;

	TAP_CHECK(!boot(), "boot");
	birth(0);
	birth(1);
	shim_poll = find_poll;
	TAP_CHECK(command("scan=600") == 8, "a thread");
	shim_kthreads_settle();
	for (i = 0; i < 3; i++) {
		/* an interval that has become empty: the trimmer waits for RCU, too */
		birth(SZ_1M / 64 * (i + 1));
		kmemleak_free(block(SZ_1M / 64 * (i + 1)));
		scans = world_stat("scans");
		expedited = shim_rcu_expedited;
		shim_time_advance(secs_to_jiffies(601));
		world_quiesce();
		TAP_CHECK(world_stat("scans") > scans, "no automatic scan");
		TAP_CHECK(shim_rcu_expedited == expedited, "%ld expedited grace periods",
			  shim_rcu_expedited - expedited);
		marks = max(marks, world_stat("scan_marks"));
	}
	shim_poll = NULL;
	TAP_CHECK(listed(0) && !listed(1) && marks > 2, "%ld marks at most", marks);
	TAP_CHECK(command("scan=off") == 8, "scan=off");
	/* a task waits for this one */
	birth(SZ_1M / 64);
	kmemleak_free(block(SZ_1M / 64));
	expedited = shim_rcu_expedited;
	TAP_CHECK(command("scan") == 4 && shim_rcu_expedited - expedited >= 2,
		  "%ld expedited grace periods", shim_rcu_expedited - expedited);
	return 0;
}

/* No memory to report leaks: the next scan reports them. */
static int short_case(void *arg)
{
	unsigned int i, nr = 200;

	TAP_CHECK(!boot(), "boot");
	for (i = 0; i < nr; i++)
		birth(i);
	shim_time_advance(msecs_to_jiffies(6000));
	TAP_CHECK(command("scan") == 4, "scan");
	shim_mem.fail_cache = "kmalloc";
	shim_mem.fail_permille = 1000;
	TAP_CHECK(world_write(&file, "scan", 4) == -ENOMEM, "not all reported, and no error");
	TAP_CHECK(shim_mem.failed, "nothing failed");
	shim_mem.fail_permille = 0;
	TAP_CHECK(!listed(0), "listed without memory");
	TAP_CHECK(command("scan") == 4 && listed(0) && listed(nr - 1), "not by the next");
	return 0;
}

static int mark_case(void *arg)
{
	TAP_CHECK(!boot(), "boot");
	birth(0);
	shim_param_set("kmemleak.since_mark", "Y");
	TAP_CHECK(command("check") == 5 && listed(0), "no mark yet");
	birth(1);
	TAP_CHECK(command("mark") == 4, "mark");
	/* in the same jiffy, and later */
	birth(2);
	shim_time_advance(1);
	birth(3);
	TAP_CHECK(command("check") == 5, "check");
	TAP_CHECK(!listed(0) && !listed(1), "born before the mark");
	TAP_CHECK(listed(2) && listed(3), "born after the mark");
	TAP_CHECK(strstr(shim_log_take(), "kmemleak: 3 new suspected memory leaks"),
		  "the log does not count all");
	shim_param_set("kmemleak.since_mark", "N");
	TAP_CHECK(listed(0) && listed(1) && listed(2) && listed(3), "all");
	shim_param_set("kmemleak.since_mark", "Y");
	TAP_CHECK(command("marked\n") == 7 && !listed(2), "another mark");
	TAP_CHECK(command("clear") == 5, "clear");
	shim_param_set("kmemleak.since_mark", "N");
	TAP_CHECK(!listed(0) && !listed(3), "clear leaves some");
	return 0;
}

static int age_case(void *arg)
{
	char buf[4096];

	TAP_CHECK(!boot(), "boot");
	TAP_CHECK(shim_param_perm("kmemleak.min_age_ms") == 0644, "min_age_ms");
	TAP_CHECK(shim_param_perm("kmemleak.since_mark") == 0644, "since_mark");
	shim_param_get("kmemleak.min_age_ms", buf);
	TAP_CHECK(!strcmp(buf, "5000\n"), "min_age_ms is %s", buf);
	shim_param_get("kmemleak.since_mark", buf);
	TAP_CHECK(!strcmp(buf, "N\n"), "since_mark is %s", buf);
	TAP_CHECK(shim_param_set("kmemleak.min_age_ms", "-1"), "-1");

	birth(0);
	TAP_CHECK(command("scan") == 4, "scan");
	shim_time_advance(msecs_to_jiffies(5000) - 1);
	TAP_CHECK(command("scan") == 4 && !listed(0), "younger than 5 s");
	shim_time_advance(1);
	TAP_CHECK(command("scan") == 4 && listed(0), "not at 5 s");

	TAP_CHECK(!shim_param_set("kmemleak.min_age_ms", "0"), "set");
	birth(1);
	TAP_CHECK(command("scan") == 4 && !listed(1), "at its first scan");
	TAP_CHECK(command("scan") == 4 && listed(1), "not at its second");

	TAP_CHECK(!shim_param_set("kmemleak.min_age_ms", "60000"), "set");
	birth(2);
	TAP_CHECK(command("scan") == 4, "scan");
	shim_time_advance(msecs_to_jiffies(60000) - 1);
	TAP_CHECK(command("scan") == 4 && !listed(2), "younger than a minute");
	shim_time_advance(1);
	TAP_CHECK(command("scan") == 4 && listed(2), "not at a minute");

	/* half of the range of jiffies: time_before() has the opposite result */
	birth(3);
	TAP_CHECK(command("scan") == 4, "scan");
	shim_time_advance(LONG_MAX);
	shim_time_advance(LONG_MAX / 2);
	birth(4);
	TAP_CHECK(command("scan") == 4 && listed(3), "too old to be reported");
	shim_param_set("kmemleak.min_age_ms", "4294967295");
	TAP_CHECK(command("scan") == 4 && !listed(4), "too long an age");
	return 0;
}

int main(void)
{
	world_map();
	tap_case("check: leaks of any age", young_case, NULL, 30);
	tap_case("check: unreferenced by the first scan, too", throughout_case, NULL, 30);
	tap_case("check: blocks that change, and new blocks", changes_case, NULL, 30);
	tap_case("check: min_unref_scans", often_case, NULL, 30);
	tap_case("check: off during its first scan", off_case, (void *)KML_SCAN_FIRST, 30);
	tap_case("check: off during its last scan", off_case, (void *)KML_SCAN_LAST, 30);
	tap_case("check: a signal during each of its scans", signal_case, NULL, 30);
	tap_case("which signals end a scan", harmless_case, NULL, 60);
	tap_case("SIGCHLD while a command waits", mutex_case, (void *)SHIM_SIGCHLD, 30);
	tap_case("SIGINT while a command waits", mutex_case, (void *)SHIM_SIGINT, 30);
	tap_case("no memory for the scan thread", thread_case, NULL, 30);
	tap_case("automatic scans use plain grace periods", grace_case, NULL, 60);
	tap_case("no memory for the report", short_case, NULL, 30);
	tap_case("mark", mark_case, NULL, 30);
	tap_case("min_age_ms", age_case, NULL, 30);
	return tap_done();
}
