// SPDX-License-Identifier: GPL-2.0-only
/* Signals that end a scan; workers and their jobs; walks of workers. */

#include "os.h"
#include "mark.h"

/* === Signals ============================================================ */

/*
 * signal_pending() tells a task to return to user space soon. It is also true after
 * a child has ended, when work was queued to the task, and when the task is to be
 * frozen or stopped by a tracer. None of these may end a scan: otherwise a shell
 * with a background job could not complete one.
 */

/* Signals that are ignored by default, and signals that only stop a task. */
#define KML_HARMLESS	(SIG_KERNEL_IGNORE_MASK | SIG_KERNEL_STOP_MASK)

static bool kml_signal_in(const struct sigpending *pending)
{
	unsigned long some = 0;
	unsigned int i;

	for (i = 0; i < _NSIG_WORDS; i++)
		some |= READ_ONCE(pending->signal.sig[i]) & ~current->blocked.sig[i] &
			~(i ? 0UL : (unsigned long)KML_HARMLESS);
	return some;
}

/**
 * kml_signalled() - is a signal pending that ends a scan or a wait?
 *
 * Such a signal is not blocked, is not ignored by default (SIGCHLD, SIGCONT, SIGURG,
 * SIGWINCH), and does not stop the task (job control). If the current task is to be
 * frozen or stopped by a tracer, or has work queued, this is no such signal either.
 *
 * No lock is needed. Only the current task changes its mask of blocked signals. A
 * sender adds the signal to a pending set and then sets TIF_SIGPENDING, so a caller
 * that asks every few KiB sees the signal soon. Another thread may take a shared
 * signal after this function has seen it. TIF_SIGPENDING then stays set, since only
 * the current task clears it, and a system call that returns -ERESTARTSYS is
 * restarted.
 *
 * Context: process.
 * Return: true if there is such a signal.
 */
bool kml_signalled(void)
{
	if (likely(!task_sigpending(current)))
		return false;
	return kml_signal_in(&current->pending) ||
	       kml_signal_in(&current->signal->shared_pending);
}

static void kml_workers_wake(void);

/* Tasks in kml_scan_lock(): they wait for a scan, which then does not sleep. */
static atomic_t kml_scan_waiting;

/**
 * kml_scan_lock() - take kml_scan_mutex
 *
 * While the calling task waits, the running scan has no budget.
 *
 * mutex_lock_interruptible() does not wait while any signal is pending. While the
 * pending signals are such that kml_signalled() is false, this function tries again
 * every KML_SIGNAL_POLL_MSECS. Tasks in the queue of the mutex go first.
 *
 * Context: process, kml_scan_mutex not held; sleeps.
 * Return: 0, or -ERESTARTSYS if kml_signalled() and the mutex was not taken.
 */
int kml_scan_lock(void)
{
	int ret = 0;

	if (mutex_trylock(&kml_scan_mutex))
		return 0;
	atomic_inc(&kml_scan_waiting);
	kml_workers_wake();
	while (mutex_lock_interruptible(&kml_scan_mutex)) {
		if (kml_signalled()) {
			ret = -ERESTARTSYS;
			break;
		}
		usleep_range_state(500, 1000 * KML_SIGNAL_POLL_MSECS, TASK_IDLE);
	}
	atomic_dec(&kml_scan_waiting);
	return ret;
}

/* === Workers ============================================================ */

/*
 * A scan is a sequence of jobs. The workers of a job are the initiator, which is the
 * task that has asked for the scan, and helpers. Helpers are threads bound to other
 * CPUs; smpboot parks and unparks them as CPUs go offline and come online. A job has
 * a source of work, or reads grey objects from the shared list, or both.
 *
 * Participation. Helpers are optional: the initiator alone can do a whole job. It
 * posts the job to the helpers and begins. A helper takes the job when it gets CPU
 * time (POSTED -> RUNNING, one cmpxchg). When the initiator finds no more work, it
 * cancels the job for helpers that have not taken it (POSTED -> IDLE) and waits for
 * those that are running. So no job waits for a helper that has not started.
 *
 * Termination. Work is on the shared list, in the source, or with a busy worker. A
 * worker counts as busy (kml_job.busy) before it takes any work. It becomes idle
 * when it has found source and list empty and has no work of its own. The last
 * worker to become idle found the list empty while no other worker was busy, and
 * after it no worker can add work to the list. Hence, if no helper leaves: when a
 * worker reads busy as 0 and then finds the list empty, the job is done and stays
 * done. The atomics on the counter are fully ordered: a worker that sees another one
 * idle also sees the work that this one has put on the list.
 *
 * Leaving. A helper whose CPU goes offline puts its work on the list before it stops
 * counting as busy. An idle worker then sees busy == 0 and a list that is not empty,
 * and takes the work. But after the initiator has read busy == 0, another helper may
 * take the work before the initiator looks at the list, and this helper may leave,
 * too. So the initiator, which never leaves, looks at the list again after all
 * helpers have stopped. tools/testing/kmemleak/models/termination.pml is a model of
 * this protocol.
 *
 * Promptness. A helper whose CPU goes offline ends its part of a job within some ms:
 * each call of a source takes no longer, or it asks kml_workers_leaving() and leaves
 * the rest to the other workers.
 *
 * Lifetime. smpboot creates a thread for each CPU that is or comes online. The
 * worker of a helper is allocated when its CPU is first selected for a scan. The
 * allocation publishes the pins of the worker (kml_pins_attach()). The initiator
 * does this before the scan is active, so a free that sees the scan sees the pins of
 * all its workers. A free does not look at pins for a CPU that was never selected.
 * Workers are never freed. If there is no memory for a worker, its CPU does not help
 * with this scan; the next scan tries again. No helper joins a scan later, so a
 * value that is set up for all workers before a job is set up for every helper that
 * may take the job.
 *
 * Budget. The workers of a scan by the scan thread sleep on kml_job.wait, between two
 * pieces of work, so that all of them together use at most kml_budget per cent of a
 * CPU. A worker that sleeps counts as busy. It ends its sleep when the scan has to
 * stop, its CPU goes offline, the parameter changes, or a task waits for the scan.
 *
 * Sharing. Idle workers spin for a while and then sleep on kml_job.wait. A busy
 * worker that sees idle ones wakes them. If the list has no work, it first puts its
 * oldest full block of work there, or half of its only block.
 */

#include <trace/events/kmemleak.h>

enum kml_helper_state {
	KML_HELPER_IDLE,
	KML_HELPER_POSTED,
	KML_HELPER_RUNNING,
};

struct kml_helper {
	atomic_t state;
	struct kml_worker *w;		/* set once, under kml_scan_mutex */
	bool used;			/* selected for this scan; kml_scan_mutex */
};

static DEFINE_PER_CPU(struct kml_helper, kml_helpers);
static DEFINE_PER_CPU(struct task_struct *, kml_helper_task);

static struct kml_job {
	kml_source source;
	bool read_grey;
	atomic_t busy;			/* workers that have work or look for it */
	atomic_t nr_idle;		/* workers that wait for work */
	bool spread;			/* the scan keeps to kml_budget */
	wait_queue_head_t wait;		/* idle workers, and those that sleep */
	wait_queue_head_t left;		/* the initiator waits for helpers to end */
	int nice;			/* nice value of the initiator */
} kml_job = {
	.wait = __WAIT_QUEUE_HEAD_INITIALIZER(kml_job.wait),
	.left = __WAIT_QUEUE_HEAD_INITIALIZER(kml_job.left),
};

/* The initiator's worker. Allocated at boot, so that a scan can always begin. */
static struct kml_worker *kml_first_worker;

unsigned int kml_budget;

/* Protected by kml_scan_mutex; statistics read the first two without it. */
static unsigned int kml_wanted = 1;
static unsigned int kml_nr_workers = 1;	/* in this scan */
static bool kml_have_threads;

/**
 * kml_workers_share() - share work with idle workers, if there are any
 * @w: the calling worker
 *
 * If the shared list has work already, the idle workers are only woken.
 *
 * Context: process, during a job; no lock held.
 */
void kml_workers_share(struct kml_worker *w)
{
	struct kml_worklist *list = &kml_mark.list;

	if (likely(!atomic_read(&kml_job.nr_idle)))
		return;
	if (!kml_worklist_has_work(list) && !kml_greylist_share(&w->grey))
		return;
	if (wq_has_sleeper(&kml_job.wait))
		wake_up(&kml_job.wait);
}

static bool kml_job_may_be_done(void)
{
	if (atomic_read(&kml_job.busy))
		return false;
	/* read busy before the list: pairs with the atomics that change busy */
	smp_rmb();
	return !kml_worklist_has_work(&kml_mark.list);
}

/**
 * kml_workers_leaving() - must a helper end its part of a job?
 * @w: the calling worker
 *
 * Context: process, during a job.
 * Return: true if its CPU goes offline; always false for the initiator.
 */
bool kml_workers_leaving(const struct kml_worker *w)
{
	return !w->initiator && kthread_should_park();
}

/* Let sleeping workers find out whether they have to go on. */
static void kml_workers_wake(void)
{
	wake_up_all(&kml_job.wait);
}

/* Is there a reason to stop waiting for work? */
static bool kml_wait_is_over(struct kml_worker *w)
{
	if (kml_worklist_has_work(&kml_mark.list) || kml_job_may_be_done() ||
	    READ_ONCE(kml_mark.stopped))
		return true;
	return w->initiator ? kml_mark.stop() : kml_workers_leaving(w);
}

#define KML_IDLE_SPINS	2000	/* some tens of microseconds */

/*
 * Wait for work on the shared list. The worker counts as idle meanwhile. Return:
 * true if there may be work; the worker then counts as busy again. False if the job
 * is done or stopped, or if the worker is leaving.
 */
static bool kml_wait_for_work(struct kml_worker *w)
{
	unsigned int spins = 0;

	atomic_inc(&kml_job.nr_idle);
	/* full barrier: our additions to the list come before */
	if (!atomic_dec_return(&kml_job.busy))
		wake_up_all(&kml_job.wait);

	while (!kml_worklist_has_work(&kml_mark.list)) {
		if (kml_job_may_be_done() || kml_mark_stop(w) ||
		    kml_workers_leaving(w)) {
			atomic_dec(&kml_job.nr_idle);
			return false;
		}
		if (spins++ < KML_IDLE_SPINS)
			cpu_relax();
		else
			kml_wait_once(kml_job.wait, kml_wait_is_over(w));
	}
	atomic_dec(&kml_job.nr_idle);
	/* before we take work: pairs with kml_job_may_be_done() */
	atomic_inc_return(&kml_job.busy);
	return true;
}

/* A worker works for so long before it sleeps: some pieces of work. */
#define KML_SPREAD_NS	(4 * NSEC_PER_MSEC)

static bool kml_spread_is_over(struct kml_worker *w, unsigned int budget)
{
	if (READ_ONCE(kml_mark.stopped) || !kml_enabled() || READ_ONCE(kml_budget) != budget ||
	    atomic_read(&kml_scan_waiting))
		return true;
	return w->initiator ? kml_mark.stop() : kml_workers_leaving(w);
}

/*
 * If the scan has a budget, and the worker has used some ms of CPU time since it last
 * slept, sleep until this is its share of the budget. @checked: time of the last check;
 * @slept: CPU time at the last sleep. Context: process, no lock held, no object pinned.
 */
static void kml_spread(struct kml_worker *w, u64 *checked, u64 *slept)
{
	unsigned int budget = READ_ONCE(kml_budget), nr = kml_nr_workers;
	u64 now, end, t, used;

	if (likely(!kml_job.spread || !budget))
		return;
	now = ktime_get_ns();
	if (now - *checked < KML_SPREAD_NS)
		return;
	*checked = now;
	used = task_sched_runtime(current) - *slept;
	if (used < KML_SPREAD_NS)
		return;
	/* each worker has budget / nr per cent */
	end = now + div_u64(used * (100 * nr - budget), budget);
	for (t = now; t < end && !kml_spread_is_over(w, budget); t = ktime_get_ns())
		kml_wait_for(kml_job.wait, kml_spread_is_over(w, budget), (ktime_t)(end - t));
	w->stats.slept_ns += t - now;
	*checked = t;
	*slept = task_sched_runtime(current);
}

/* Do the calling worker's part of a job. */
static void kml_do_job(struct kml_worker *w)
{
	const struct kml_mark_stats was = w->stats;
	u64 begin = ktime_get_ns(), checked = begin - w->used_ns;
	u64 slept = task_sched_runtime(current) - w->used_ns;
	bool busy = true;

	trace_kmemleak_worker_begin(READ_ONCE(kml_running.stage));
	kml_mark_windows(w, &kml_first_worker->base);
	kml_shard_cursor_init(&w->cursor, raw_smp_processor_id());

	/* before we take work: pairs with kml_job_may_be_done() */
	atomic_inc_return(&kml_job.busy);
	while (!kml_mark_stop(w) && !kml_workers_leaving(w)) {
		kml_spread(w, &checked, &slept);
		if ((kml_job.read_grey && kml_mark_group(w)) ||
		    (kml_job.source && kml_job.source(w))) {
			kml_workers_share(w);
			continue;
		}
		if (kml_mark_unresolved(w)) {
			kml_mark_flush(w);
			continue;
		}
		if (!kml_job.read_grey)
			break;
		busy = kml_wait_for_work(w);
		if (!busy)
			break;
	}

	kml_mark_flush(w);
	w->stats.steals += w->grey.stolen;
	w->grey.stolen = 0;
	if (!w->initiator)
		kml_mark_close(w);
	/* full barrier: the work that we return is on the list before */
	if ((busy && !atomic_dec_return(&kml_job.busy)) ||
	    READ_ONCE(kml_mark.stopped))
		wake_up_all(&kml_job.wait);
	w->used_ns = kml_job.spread ? task_sched_runtime(current) - slept : 0;
	w->stats.ns += ktime_get_ns() - begin;
	trace_kmemleak_worker_end(READ_ONCE(kml_running.stage),
				  w->stats.words - was.words,
				  w->stats.candidates - was.candidates,
				  w->stats.settled - was.settled,
				  w->stats.lookups - was.lookups,
				  w->stats.steals - was.steals);
}

static int kml_helper_should_run(unsigned int cpu)
{
	return atomic_read(&per_cpu_ptr(&kml_helpers, cpu)->state) ==
	       KML_HELPER_POSTED;
}

static void kml_helper_run(unsigned int cpu)
{
	struct kml_helper *h = per_cpu_ptr(&kml_helpers, cpu);

	/* pairs with the release in kml_workers_queue() */
	if (atomic_cmpxchg(&h->state, KML_HELPER_POSTED, KML_HELPER_RUNNING) !=
	    KML_HELPER_POSTED)
		return;
	set_user_nice(current, kml_job.nice);
	if (kml_mark_open(h->w))
		kml_do_job(h->w);
	/* pairs with the acquire in kml_helper_is_idle() */
	atomic_set_release(&h->state, KML_HELPER_IDLE);
	wake_up(&kml_job.left);
}

static void kml_helper_setup(unsigned int cpu)
{
	kml_own_stack_set_no_scan(true);
}

static struct smp_hotplug_thread kml_helper_threads = {
	.store			= &kml_helper_task,
	.setup			= kml_helper_setup,
	.thread_should_run	= kml_helper_should_run,
	.thread_fn		= kml_helper_run,
	.thread_comm		= "kmemleak/%u",
};

/* Is the CPU neither isolated nor nohz_full? Helpers run on such CPUs only. */
static bool kml_is_housekeeping(unsigned int cpu)
{
	bool is;

	/* cpusets may isolate CPUs any time; 7.x then frees the old mask by RCU */
	rcu_read_lock();
	is = !cpu_is_isolated(cpu) && housekeeping_test_cpu(cpu, HK_TYPE_TICK);
	rcu_read_unlock();
	return is;
}

/*
 * Allocate the worker of a helper, unless it has one. The memory may be on another
 * node than the helper's CPU, but it is small enough for the caches of that CPU.
 * Return: false if there is no memory.
 */
static bool kml_helper_equip(struct kml_helper *h)
{
	if (!h->w)
		/* pairs with the acquire in kml_workers_words() */
		smp_store_release(&h->w, kml_worker_alloc());
	return h->w;
}

/* Select the helpers of a scan. Context: kml_scan_mutex; the scan is not active. */
static void kml_workers_select(void)
{
	unsigned int cpu, here = raw_smp_processor_id(), nr = 1;
	struct kml_helper *h;

	for_each_possible_cpu(cpu) {
		h = per_cpu_ptr(&kml_helpers, cpu);
		h->used = kml_have_threads && nr < kml_wanted &&
			  cpu != here && cpu_online(cpu) &&
			  kml_is_housekeeping(cpu) && per_cpu(kml_helper_task, cpu) &&
			  kml_helper_equip(h);
		if (!h->used)
			continue;
		nr++;
		memset(&h->w->stats, 0, sizeof(h->w->stats));
	}
	WRITE_ONCE(kml_nr_workers, nr);
}

/* Post the job to the helpers of this scan. */
static void kml_workers_queue(void)
{
	struct kml_helper *h;
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		h = per_cpu_ptr(&kml_helpers, cpu);
		if (!h->used)
			continue;
		/* kml_job before the state: pairs with kml_helper_run() */
		atomic_set_release(&h->state, KML_HELPER_POSTED);
		wake_up_process(per_cpu(kml_helper_task, cpu));
	}
}

static bool kml_helper_is_idle(struct kml_helper *h)
{
	/* pairs with the release in kml_helper_run() */
	return atomic_read_acquire(&h->state) == KML_HELPER_IDLE;
}

/* Wait for a running helper to end. If the scan has to stop, tell the workers. */
static void kml_workers_wait(struct kml_helper *h)
{
	while (!kml_helper_is_idle(h) && !kml_mark_stop(kml_first_worker))
		kml_wait_once(kml_job.left,
			      kml_helper_is_idle(h) || kml_mark.stop());
	wake_up_all(&kml_job.wait);
	wait_event(kml_job.left, kml_helper_is_idle(h));
}

/* Cancel the job for helpers that have not taken it, and wait for the others. */
static void kml_workers_cancel(void)
{
	struct kml_helper *h;
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		h = per_cpu_ptr(&kml_helpers, cpu);
		if (!h->used ||
		    atomic_cmpxchg(&h->state, KML_HELPER_POSTED,
				   KML_HELPER_IDLE) == KML_HELPER_POSTED)
			continue;
		/* The cmpxchg failed and orders nothing; this load acquires. */
		if (!kml_helper_is_idle(h))
			kml_workers_wait(h);
	}
}

/**
 * kml_workers_wake_initiator() - let the initiator find out whether it has to stop
 *
 * The initiator may be asleep: it waits for work, for its share of the budget, or for
 * a helper to end. If it is, it wakes up and calls the @stop function of
 * kml_workers_begin().
 *
 * Context: process. The caller has set the condition that @stop looks at.
 */
void kml_workers_wake_initiator(void)
{
	kml_workers_wake();
	wake_up_all(&kml_job.left);
}

/**
 * kml_workers_run() - do a job, with the helpers of this scan
 * @source: source of work, or NULL
 * @read_grey: also read grey objects, until none is left on any list
 *
 * When the function returns, all helpers have ended their part of the job. Their
 * writes are visible to the initiator, and to all workers in the next job.
 *
 * Context: process, in the initiator, kml_scan_mutex held; between
 * kml_workers_begin() and kml_workers_end(). Sleeps.
 * Return: false if the scan was stopped; some of the work may then be left.
 */
bool kml_workers_run(kml_source source, bool read_grey)
{
	lockdep_assert_held(&kml_scan_mutex);

	if (READ_ONCE(kml_mark.stopped))
		return false;

	kml_job.source = source;
	kml_job.read_grey = read_grey;
	kml_job.nice = task_nice(current);
	atomic_set(&kml_job.busy, 0);
	atomic_set(&kml_job.nr_idle, 0);
	kml_shards_rewind();

	kml_workers_queue();
	kml_do_job(kml_first_worker);
	kml_workers_cancel();
	/* do the work that helpers returned when they left */
	while (read_grey && !READ_ONCE(kml_mark.stopped) &&
	       kml_worklist_has_work(&kml_mark.list))
		kml_do_job(kml_first_worker);
	return !READ_ONCE(kml_mark.stopped);
}

/**
 * kml_workers_each() - call a function for each worker of the scan
 * @fn: called for the initiator's worker first, then for those of the helpers
 * @data: passed to @fn
 *
 * Context: process, kml_scan_mutex held; after kml_workers_begin(), not in a job.
 */
void kml_workers_each(void (*fn)(struct kml_worker *w, void *data), void *data)
{
	unsigned int cpu;

	fn(kml_first_worker, data);
	for_each_possible_cpu(cpu) {
		struct kml_helper *h = per_cpu_ptr(&kml_helpers, cpu);

		if (h->used)
			fn(h->w, data);
	}
}

/**
 * kml_workers_begin() - begin a scan: select its helpers
 * @stop: called by the initiator every few KiB, may reschedule; returns true if the
 *	scan has to stop
 * @spread: keep to the budget
 *
 * The calling task is the initiator. It has to call kml_workers_end() in any case.
 *
 * Context: process, kml_scan_mutex held, before kml_state.scan_active is set.
 * Return: the initiator's worker, or NULL if there is no memory for grey objects.
 */
struct kml_worker *kml_workers_begin(bool (*stop)(void), bool spread)
{
	struct kml_worker *w = kml_first_worker;

	lockdep_assert_held(&kml_scan_mutex);

	kml_mark.stop = stop;
	kml_mark.stopped = false;
	kml_job.spread = spread;
	kml_workers_select();
	memset(&w->stats, 0, sizeof(w->stats));
	return kml_mark_open(w) ? w : NULL;
}

/**
 * kml_workers_words() - get the progress of the running scan
 *
 * Context: any.
 * Return: the number of words that its workers have read so far; if no scan runs,
 * that of the last one.
 */
u64 kml_workers_words(void)
{
	unsigned int cpu;
	u64 words = 0;

	if (kml_first_worker)
		/* workers change their counters any time; an old value will do */
		words = data_race(kml_first_worker->stats.words);

	for_each_possible_cpu(cpu) {
		struct kml_helper *h = per_cpu_ptr(&kml_helpers, cpu);
		/* pairs with the release in kml_helper_equip() */
		struct kml_worker *w = smp_load_acquire(&h->w);

		if (w && READ_ONCE(h->used))
			/* an old value will do here, too */
			words += data_race(w->stats.words);
	}
	return words;
}

static void kml_stats_add(struct kml_worker *w, void *data)
{
	struct kml_mark_stats *sum = data;

	sum->words += w->stats.words;
	sum->candidates += w->stats.candidates;
	sum->settled += w->stats.settled;
	sum->lookups += w->stats.lookups;
	sum->objects += w->stats.objects;
	sum->overflows += w->stats.overflows;
	sum->steals += w->stats.steals;
	sum->ns += w->stats.ns;
	sum->slept_ns += w->stats.slept_ns;
}

/**
 * kml_workers_end() - end a scan
 * @sum: set to the sum of the statistics of all workers
 *
 * Context: process, kml_scan_mutex held, in the initiator, after kml_workers_begin()
 * and not during a job.
 */
void kml_workers_end(struct kml_mark_stats *sum)
{
	kml_mark_close(kml_first_worker);
	*sum = (struct kml_mark_stats){};
	kml_workers_each(kml_stats_add, sum);
}

/* Number of workers of the running scan, or of the last one. Context: any. */
unsigned int kml_workers_nr(void)
{
	return READ_ONCE(kml_nr_workers);
}

/* The number of workers that kml_workers_set() was called with. Context: any. */
unsigned int kml_workers_wanted(void)
{
	return READ_ONCE(kml_wanted);
}

/* Is @task a helper thread? Context: any; the caller has a reference to @task. */
bool kml_workers_has(const struct task_struct *task)
{
	return task->flags & PF_KTHREAD &&
	       per_cpu(kml_helper_task, task_cpu(task)) == task;
}

/**
 * kml_workers_set() - set the number of workers, from the next scan on
 * @nr: at least 1, for the initiator; KML_WORKERS_ALL: one per housekeeping CPU
 *
 * The helper threads are created when @nr is first greater than 1, and stay.
 *
 * Context: process, kml_scan_mutex held; sleeps.
 * Return: 0; -ENOMEM if there is no memory for the threads; -EINTR if the caller is
 * being killed. On an error the number does not change.
 */
int kml_workers_set(unsigned int nr)
{
	int ret;

	lockdep_assert_held(&kml_scan_mutex);

	if (nr > 1 && !kml_have_threads && num_possible_cpus() > 1) {
		ret = smpboot_register_percpu_thread(&kml_helper_threads);
		if (ret) {
			pr_warn("Failed to create helper threads\n");
			return ret;
		}
		kml_have_threads = true;
	}
	WRITE_ONCE(kml_wanted, nr);
	return 0;
}

/**
 * kml_workers_init() - allocate the memory that a scan by the initiator alone needs
 *
 * Context: kmemleak_init(), after kml_pool_init().
 * Return: 0 or -ENOMEM.
 */
int __init kml_workers_init(void)
{
	kml_worklist_init(&kml_mark.list);
	kml_first_worker = kml_worker_alloc();
	if (!kml_first_worker || !kml_worklist_grow(&kml_mark.list, 2))
		return -ENOMEM;
	kml_first_worker->initiator = true;
	return 0;
}

/* === Walks of workers =================================================== */

/**
 * kml_walk_resched() - the resched callback of walks by workers
 * @v: visitor, part of a struct kml_walk_ctx
 *
 * Unsettles the blocks that kml_walk_unsettle() has collected in the page.
 *
 * Context: process, in the worker, no lock held; may reschedule.
 * Return: true if the scan has to stop.
 */
bool kml_walk_resched(struct kml_visitor *v)
{
	struct kml_walk_ctx *ctx = kml_walk_ctx(v);

	if (ctx->blocks)
		kml_settled_clear_page(ctx->space, ~ctx->not_page,
				       ctx->blocks);
	ctx->blocks = 0;
	return kml_mark_stop(ctx->w);
}

/**
 * kml_grey_push() - let an object be read
 * @w: the calling worker
 * @space: address space of the object
 * @start: untagged start of the object
 * @hot: its hot entry; the object is grey and scannable
 *
 * If the list of the worker is full, the object becomes KML_F_PENDING and
 * kml_read_pending() finds it.
 *
 * Context: leaf->lock held.
 */
void kml_grey_push(struct kml_worker *w, struct kml_space *space,
		   unsigned long start, struct kml_hot *hot)
{
	struct kml_work work = kml_work(space->id, start, 0, hot->size);

	if (likely(kml_greylist_push(&w->grey, work)))
		return;
	kml_hot_change(hot, 0, KML_F_PENDING);
	WRITE_ONCE(kml_mark.overflow, true);
	w->stats.overflows++;
}

/**
 * kml_walk_unsettle() - unsettle the blocks of an object during a walk
 * @ctx: the walk of the calling worker
 * @space: address space of the object
 * @start: untagged start of the object, in the page being visited
 * @size: of the object, in bytes, not 0
 *
 * Blocks of an object that ends in this page are collected for kml_walk_resched().
 * An object larger than KML_INTERVAL_SIZE is left to kml_walk_unsettle_big(). The
 * blocks of any other object are unsettled at once.
 *
 * Context: in the visit callback: leaf->lock held.
 * Return: the result of the visit callback.
 */
enum kml_visit kml_walk_unsettle(struct kml_walk_ctx *ctx, struct kml_space *space,
				 unsigned long start, size_t size)
{
	unsigned long first = start & ~KML_PAGE_MASK;

	if (likely(first + size <= KML_PAGE_SIZE)) {
		ctx->space = space;
		ctx->not_page = ~(start & KML_PAGE_MASK);
		ctx->blocks |= GENMASK_ULL((first + size - 1) >> KML_BLOCK_SHIFT,
					     first >> KML_BLOCK_SHIFT);
		return KML_VISIT_NEXT;
	}
	if (unlikely(size > KML_INTERVAL_SIZE)) {
		ctx->not_big_start = ~start;
		ctx->big_size = size;
		return KML_VISIT_UNLOCKED;
	}
	kml_settled_clear(space, start, size);
	return KML_VISIT_NEXT;
}

/**
 * kml_walk_unsettle_big() - the unlocked callback of walks that unsettle objects
 * @v: visitor, part of a struct kml_walk_ctx
 * @space: address space of the object
 * @start: untagged start of the object
 *
 * Unsettles the blocks of the object that kml_walk_unsettle() has left. If the
 * object was freed meanwhile, the clear bits cost some look-ups.
 *
 * Context: process, no lock held; may reschedule.
 */
void kml_walk_unsettle_big(struct kml_visitor *v, struct kml_space *space,
			   unsigned long start)
{
	struct kml_walk_ctx *ctx = kml_walk_ctx(v);
	size_t off, len;

	for (off = 0; off < ctx->big_size; off += len) {
		len = min(ctx->big_size - off, KML_SETTLE_MAX);
		kml_settled_clear(space, ~ctx->not_big_start + off, len);
		cond_resched();
	}
}

static enum kml_visit kml_push_pending(struct kml_visitor *v,
				       struct kml_space *space,
				       unsigned long start, struct kml_hot *hot)
{
	if (kml_hot_state(hot) & KML_F_PENDING) {
		kml_hot_change(hot, KML_F_PENDING, 0);
		kml_grey_push(kml_walk_ctx(v)->w, space, start, hot);
	}
	return KML_VISIT_NEXT;
}

static bool kml_source_pending(struct kml_worker *w)
{
	struct kml_walk_ctx ctx = {
		.v = { .visit = kml_push_pending, .resched = kml_walk_resched },
		.w = w,
	};

	return kml_walk_share(&w->cursor, &ctx.v);
}

/**
 * kml_read_pending() - read the grey objects for which the work list had no room
 *
 * Walks the index for KML_F_PENDING, until no such object is left.
 *
 * Context: process, in the initiator, kml_scan_mutex held; not during a job. Sleeps.
 * Return: false if the scan was stopped.
 */
bool kml_read_pending(void)
{
	while (READ_ONCE(kml_mark.overflow)) {
		WRITE_ONCE(kml_mark.overflow, false);
		if (!kml_workers_run(kml_source_pending, true))
			return false;
	}
	return true;
}
