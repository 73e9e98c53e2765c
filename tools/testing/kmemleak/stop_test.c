// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scans that are stopped. On random heaps a signal arrives at each point where a scan
 * may sleep, at one point in each scan. A stopped scan must have no visible effect: the
 * report does not change, and the next complete scan has the same result as without it.
 */
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "tap.h"
#include "oracle.h"
#include "world.h"
#include "scan.h"

#define SEEDS		24
#define MOST_POLLS	4000

static struct world_file file;

static ssize_t write_file(const char *cmd)
{
	return world_write(&file, cmd, strlen(cmd));
}

/* Does the result of the write agree with what the scan has done? */
static bool stopped_at(const char *cmd, long poll)
{
	bool stopped;
	ssize_t ret;

	shim_signal_in = poll;
	ret = write_file(cmd);
	stopped = ret == -ERESTARTSYS;
	if (ret != (stopped ? -ERESTARTSYS : (ssize_t)strlen(cmd)))
		shim_fatal("%s at poll %ld returns %zd", cmd, poll, ret);
	if (stopped != (world_stat("scan_stopped") == 1) || (stopped && !current->sigpending))
		shim_fatal("%s at poll %ld returns %zd, which is wrong", cmd, poll, ret);
	current->sigpending = 0;
	shim_signal_in = 0;
	world_quiesce();
	return stopped;
}

static bool scan_stopped_at(long poll)
{
	return stopped_at("scan", poll);
}

static char *report(void)
{
	ssize_t err;

	return world_slurp(&file, 65536, &err);
}

/* Print lines of @a that @b does not have. */
static void missing(const char *a, const char *b, char sign)
{
	char line[200];

	while (*a) {
		size_t len = strcspn(a, "\n");

		shim_snprintf(line, sizeof(line), "%.*s\n", (int)min_t(size_t, len, 198), a);
		if (*a != ' ' && !strstr(b, line))
			fprintf(stderr, "# %c %s", sign, line);
		a += len + (a[len] == '\n');
	}
}

static bool same(const char *a, const char *b)
{
	if (!strcmp(a, b))
		return true;
	missing(a, b, '-');
	missing(b, a, '+');
	return false;
}

/* Stop scans at each poll; now and then let one complete. */
static int stop_everywhere(const char *what)
{
	char *want = report(), *got;
	long k;

	for (k = 1; k < MOST_POLLS && scan_stopped_at(k); k++) {
		got = report();
		TAP_CHECK(same(want, got), "%s, stopped at poll %ld", what, k);
		free(got);
		if (k % 16)
			continue;
		TAP_CHECK(!scan_stopped_at(0), "a scan without a signal was stopped");
		got = report();
		TAP_CHECK(same(want, got), "%s, whole scan after %ld", what, k);
		free(got);
	}
	TAP_CHECK(k > 3, "%s: only %ld polls in a scan", what, k);
	free(want);
	return 0;
}

/* Run more operations of the program; the oracle follows. */
static int follow(struct prog *p, const char *what)
{
	struct sink out = { .fd = -1 };

	prog_exec(p, &out, EXEC_ORACLE | EXEC_STRICT);
	TAP_CHECK(!strstr(out.buf, "ORACLE:"), "%s:\n%s", what, out.buf);
	free(out.buf);
	prog_free(p);
	return 0;
}

static int stop_case(void *arg)
{
	struct prog p = { 0 };
	unsigned long addr;
	char *text;

	prog_generate(&p, (long)arg, GEN_CALM);
	if (follow(&p, "start"))
		return 1;
	if (world_open(&file, "kmemleak", FMODE_READ | FMODE_WRITE))
		return 1;
	world_task(&world_tasks[0]);
	if (stop_everywhere("steady heap"))
		return 1;

	/* Reported blocks that are referenced again must not be reported again. */
	text = report();
	if (sscanf(text, "unreferenced object 0x%lx", &addr) != 1)
		return 0;
	free(text);
	prog_add(&p, OP_STORE, W_DATA + 8, addr, 0);
	prog_add_text(&p, OP_CMD, "scan");
	prog_add(&p, OP_CAT, 0, 0, 0);
	if (follow(&p, "referenced again"))
		return 1;
	return stop_everywhere("a block is referenced again");
}

/*
 * A command stops the scan while a helper has all the work, one of some lists, and the
 * initiator sleeps until it is done. The helper waits in the middle of the list, and
 * must be told to stop.
 */
#define LISTS		8
#define LIST		20000UL		/* objects */
#define ROUNDS		50
#define PATIENCE	20		/* seconds, in case of a failure */

static long helper_polls, initiator_polls;
static bool helper_waits, halted;
static unsigned int told;

static void lists_poll(void)
{
	time_t end = time(NULL) + PATIENCE;
	long was;

	if (!(current->flags & PF_KTHREAD)) {
		WRITE_ONCE(initiator_polls, initiator_polls + 1);
		/* let helpers take some of it */
		sched_yield();
		return;
	}
	if (__atomic_add_fetch(&helper_polls, 1, __ATOMIC_RELAXED) != 100)
		return;
	do {
		was = READ_ONCE(initiator_polls);
		usleep(50000);
	} while (was != READ_ONCE(initiator_polls));
	WRITE_ONCE(helper_waits, true);
	while (!READ_ONCE(kml_mark.stopped) && time(NULL) < end)
		sched_yield();
	told += READ_ONCE(kml_mark.stopped);
}

static void *halt_main(void *arg)
{
	shim_thread_attach(-1);
	while (!READ_ONCE(halted)) {
		if (READ_ONCE(helper_waits)) {
			WRITE_ONCE(halted, true);
			kml_scan_halt(KML_HALT_ALL);
		}
		sched_yield();
	}
	shim_thread_detach();
	return NULL;
}

static int halt_case(void *arg)
{
	unsigned int round, waited = 0;
	pthread_t thread;
	unsigned long i;

	world_cpus(3);
	world_task(&world_tasks[0]);
	setenv("KMEMLEAK_PARALLEL", "3", 1);
	world_boot("on");
	if (world_open(&file, "kmemleak", FMODE_READ | FMODE_WRITE))
		return 1;
	for (i = 0; i < LISTS * LIST; i++) {
		unsigned long *p = (void *)(W_HEAP + i * 256);

		kmemleak_alloc(p, 64, 1, GFP_KERNEL);
		*p = (unsigned long)p + LISTS * 256;
		if (i < LISTS)
			((unsigned long *)W_DATA)[i] = (unsigned long)p;
	}
	shim_poll = lists_poll;
	for (round = 0; round < ROUNDS && waited < 3; round++) {
		helper_polls = 0;
		helper_waits = false;
		halted = false;
		if (pthread_create(&thread, NULL, halt_main, NULL))
			shim_fatal("no thread");
		world_write(&file, "scan", 4);
		waited += helper_waits;
		if (!helper_waits)
			WRITE_ONCE(halted, true);
		pthread_join(thread, NULL);
		if (helper_waits)
			kml_scan_resume(KML_HALT_ALL);
		TAP_CHECK(told == waited, "the helper was not told to stop");
	}
	TAP_CHECK(waited, "the initiator did the list itself, %u times", round);
	return 0;
}

/* Each mark reads the stacks of all tasks, which may be many. */
#define TASKS		50000
#define STOP_POLL	100

static long polls;

static void tasks_poll(void)
{
	if (READ_ONCE(kml_running.stage) == KML_STAGE_MARK && ++polls == STOP_POLL)
		current->sigpending = SHIM_SIGINT;
}

static int tasks_case(void *arg)
{
	world_cpus(1);
	world_many_tasks(TASKS);
	world_task(&world_tasks[0]);
	world_boot("on");
	if (world_open(&file, "kmemleak", FMODE_READ | FMODE_WRITE))
		return 1;
	shim_poll = tasks_poll;
	TAP_CHECK(write_file("scan") == -ERESTARTSYS, "not stopped");
	shim_poll = NULL;
	TAP_CHECK(polls >= STOP_POLL && polls < 2 * STOP_POLL,
		  "stopped %ld polls after the signal", polls - STOP_POLL);
	return 0;
}

/*
 * A machine that is about to sleep halts scans until it is awake, or has failed to
 * sleep. A task that is to read an image announces that, but not always its end: then
 * it only matters whether tasks are frozen.
 */
static int sleep_case(void *arg)
{
	static const unsigned long pairs[][2] = {
		{ PM_SUSPEND_PREPARE, PM_POST_SUSPEND },
		{ PM_HIBERNATION_PREPARE, PM_POST_HIBERNATION },
	};
	unsigned int i;

	world_cpus(1);
	world_task(&world_tasks[0]);
	world_boot("on");
	if (!shim_pm_notify || world_open(&file, "kmemleak", FMODE_READ | FMODE_WRITE))
		return 1;
	for (i = 0; i < ARRAY_SIZE(pairs); i++) {
		TAP_CHECK(!kml_scan_halted(), "halted before %u", i);
		/* twice: once to suspend to both */
		shim_pm_notify(NULL, pairs[i][0], NULL);
		shim_pm_notify(NULL, pairs[i][0], NULL);
		TAP_CHECK(kml_scan_halted(), "not halted by %lu", pairs[i][0]);
		TAP_CHECK(write_file("scan") == -EAGAIN && write_file("check") == -EAGAIN,
			  "a scan while the machine goes to sleep");
		shim_pm_notify(NULL, pairs[i][1], NULL);
	}
	TAP_CHECK(!kml_scan_halted(), "still halted");
	shim_pm_notify(NULL, PM_RESTORE_PREPARE, NULL);
	TAP_CHECK(write_file("scan") == 4, "halted by an image that is not read");
	pm_freezing = true;
	TAP_CHECK(write_file("scan") == -EAGAIN, "a scan while tasks are frozen");
	pm_freezing = false;
	TAP_CHECK(write_file("scan") == 4, "halted after tasks were thawed");
	return 0;
}

static void jiffies_pass(unsigned int nr)
{
	for (; nr; nr--) {
		shim_time_advance(1);
		shim_kthreads_settle();
	}
}

/*
 * The scan thread waits while another task holds the mutex, or has halted scans. It
 * sleeps until that ends, and then scans at once, without a timer.
 */
static int thread_case(void *arg)
{
	unsigned long tries;
	long scans;

	world_cpus(1);
	world_task(&world_tasks[0]);
	world_boot("on");
	if (world_open(&file, "kmemleak", FMODE_READ | FMODE_WRITE))
		return 1;
	TAP_CHECK(write_file("scan=1") == 6, "no thread");
	shim_time_advance(61 * HZ);
	shim_kthreads_settle();
	scans = world_stat("scans");
	TAP_CHECK(scans > 0, "it does not scan");

	TAP_CHECK(!kml_scan_lock(), "the mutex");
	shim_time_advance(2 * HZ);
	shim_kthreads_settle();
	tries = shim_trylocks;
	jiffies_pass(20);
	TAP_CHECK(shim_trylocks - tries <= 1, "it tried to get the mutex %lu times in 20 jiffies",
		  shim_trylocks - tries);
	kml_scan_unlock();
	shim_kthreads_settle();
	TAP_CHECK(world_stat("scans") == scans + 1, "not woken when the mutex is free");

	kml_scan_halt(KML_HALT_THREAD);
	shim_time_advance(2 * HZ);
	shim_kthreads_settle();
	TAP_CHECK(world_stat("scans") == scans + 1, "it scans although halted");
	kml_scan_resume(KML_HALT_THREAD);
	shim_kthreads_settle();
	TAP_CHECK(world_stat("scans") == scans + 2, "not woken when no longer halted");

	shim_pm_notify(NULL, PM_SUSPEND_PREPARE, NULL);
	shim_time_advance(2 * HZ);
	shim_kthreads_settle();
	shim_pm_notify(NULL, PM_POST_SUSPEND, NULL);
	shim_kthreads_settle();
	TAP_CHECK(world_stat("scans") == scans + 3, "not woken when the machine wakes");

	/* thawed without a notification: some time later */
	pm_freezing = true;
	shim_time_advance(2 * HZ);
	shim_kthreads_settle();
	pm_freezing = false;
	shim_time_advance(HZ);
	shim_kthreads_settle();
	TAP_CHECK(world_stat("scans") == scans + 4, "still asleep after tasks were thawed");

	/* stopped by a task that holds the mutex: each waits for the other */
	TAP_CHECK(!kml_scan_lock(), "the mutex");
	shim_time_advance(2 * HZ);
	shim_kthreads_settle();
	TAP_CHECK(!kml_control_command("scan=off"), "scan=off");
	kml_scan_unlock();
	return 0;
}

/* A worker on a CPU that panic() has stopped keeps its pins: frees do not wait for it. */
static int panic_case(void *arg)
{
	void *block = (void *)W_HEAP;
	struct kml_worker *w;
	unsigned long flags;

	world_task(&world_tasks[0]);
	world_boot("on");
	kmemleak_alloc(block, 64, 1, GFP_KERNEL);
	w = kml_worker_alloc();
	if (!w)
		return 1;
	WRITE_ONCE(kml_state.scan_active, true);
	local_irq_save(flags);
	kml_pin(&w->pins, 0, (unsigned long)block);
	local_irq_restore(flags);
	atomic_set(&panic_cpu, 1);
	/* if the free waits, the alarm ends the test */
	kmemleak_free(block);
	TAP_CHECK(world_stat("frees") == 1, "%ld frees", world_stat("frees"));
	return 0;
}

/* With an argument n, only each nth heap. */
int main(int argc, char **argv)
{
	long seed, every = argc > 1 ? atol(argv[1]) : 1;
	char name[80];

	world_map();
	tap_case("a scan is stopped while its initiator sleeps", halt_case, NULL, 300);
	tap_case("the scan thread waits for its turn", thread_case, NULL, 30);
	tap_case("a free during a panic", panic_case, NULL, 10);
	tap_case("a scan is stopped while it reads the stacks of tasks", tasks_case, NULL, 60);
	tap_case("a machine that sleeps", sleep_case, NULL, 60);
	for (seed = 1; seed <= SEEDS; seed += every) {
		shim_snprintf(name, sizeof(name), "stopped scans, heap %ld", seed);
		tap_case(name, stop_case, (void *)seed, 120);
	}
	return tap_done();
}
