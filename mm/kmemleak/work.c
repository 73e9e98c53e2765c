// SPDX-License-Identifier: GPL-2.0-only
/* Workers, and the grey objects they have to read. */

#include "os.h"
#include "mark.h"

/* === Signals ============================================================ */

/*
 * Signals. signal_pending() says that a task should soon return to user space,
 * which is more than that it should give up: it is also true for a child that has
 * ended, for work that was queued to the task, for a freezer, and for a tracer. None
 * of these may end a scan: a shell with a background job would not get one done.
 */

/* What shells and terminals send all the time, and what only stops a task. */
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
 * kml_signalled() - is there a signal that ends what the current task waits for?
 *
 * That is one that is not blocked, and neither ignored by default (SIGCHLD, SIGCONT,
 * SIGURG, SIGWINCH) nor stopping the task (job control). A task that is to be
 * frozen, stopped by a tracer or given work has no such signal either.
 *
 * No lock is needed. The current task alone changes what it blocks. Others add to what
 * is pending, and set TIF_SIGPENDING then: whoever asks every few KiB misses nothing
 * for long. Another thread may take a shared signal after we saw it: then
 * TIF_SIGPENDING stays, which only the current task clears, and who returns
 * -ERESTARTSYS is restarted.
 *
 * Context: process.
 */
bool kml_signalled(void)
{
	if (likely(!task_sigpending(current)))
		return false;
	return kml_signal_in(&current->pending) ||
	       kml_signal_in(&current->signal->shared_pending);
}

/**
 * kml_scan_lock() - take kml_scan_mutex
 *
 * mutex_lock_interruptible() does not wait beside any pending signal. Beside those
 * that end nothing the mutex is tried again and again; who waits in the mutex's own
 * queue goes first then.
 *
 * Context: process; sleeps.
 * Return: 0, or -ERESTARTSYS if kml_signalled().
 */
int kml_scan_lock(void)
{
	while (mutex_lock_interruptible(&kml_scan_mutex)) {
		if (kml_signalled())
			return -ERESTARTSYS;
		usleep_range_state(500, 1000 * KML_SIGNAL_POLL_MSECS, TASK_IDLE);
	}
	return 0;
}

/* === Workers ============================================================ */

/*
 * A scan is a sequence of jobs, each done by the task that asked for the scan,
 * the initiator, and by helpers: threads bound to other CPUs, which smpboot
 * parks and unparks as CPUs go and come. A job has a source of work and, if it
 * marks, the shared list of grey objects.
 *
 * Whoever comes. The initiator posts a job to its helpers and begins. A helper
 * takes it (POSTED -> RUNNING, one cmpxchg) whenever its CPU gets to it. When
 * the initiator runs out of work it takes back what nobody took (POSTED ->
 * IDLE) and waits for those running. So no job waits for a CPU that is busy or
 * gone, and the initiator alone can do all of it.
 *
 * When is it done? Work is on the list, in the source, or with a busy worker.
 * A worker counts as busy (kml_job.busy) before it takes any, and until it has
 * found list and source empty with nothing left of its own. The last one to
 * become idle found the list empty when nobody else was busy; nobody can put
 * work there after it. Hence: busy == 0 and then an empty list means done, for
 * ever, as long as nobody leaves. The counter's atomics are fully ordered, so
 * what an idle worker put on the list is seen by whoever sees it idle.
 *
 * A helper that leaves (its CPU goes away) puts its work on the list first: then
 * an idle one sees busy == 0 and a list which is not empty, and takes it. But
 * between the two looks of the initiator another helper may have taken it, who
 * may leave, too. So when all have ended the initiator, who never leaves, looks
 * at the list again. tools/testing/kmemleak/models/termination.pml is this as a
 * model.
 *
 * Who has what, and since when? Threads are there on all CPUs, as smpboot makes them. A
 * helper's worker is allocated, and its pins are made known to those who free, when
 * its CPU is first chosen for a scan: by the initiator, before the scan is active. So
 * nobody looks at the pins of a CPU that never helps, and a free that sees the scan
 * sees all pins (kml_pins_attach()). It stays. Without memory for it the CPU does not
 * help with this scan, and the next one tries again. No helper comes to a scan later:
 * what is set up for all workers before a job is set up for all who may take it.
 *
 * A helper whose CPU goes away ends its part some ms later at most: a source does no
 * more at a time, or asks kml_workers_leaving() and leaves the rest to others.
 *
 * Idle workers spin for a while, then sleep on kml_job.wait. Busy ones who see
 * that others are idle put half of what they have on the list and wake them.
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
	bool used;			/* by this scan; kml_scan_mutex */
};

static DEFINE_PER_CPU(struct kml_helper, kml_helpers);
static DEFINE_PER_CPU(struct task_struct *, kml_helper_task);

static struct kml_job {
	kml_source source;
	bool read_grey;
	atomic_t busy;			/* workers who have work or look for it */
	atomic_t nr_idle;	/* workers that have found no work */
	wait_queue_head_t wait;		/* they */
	wait_queue_head_t left;		/* the initiator, for its helpers */
	int nice;			/* the initiator's */
} kml_job = {
	.wait = __WAIT_QUEUE_HEAD_INITIALIZER(kml_job.wait),
	.left = __WAIT_QUEUE_HEAD_INITIALIZER(kml_job.left),
};

/* The initiator's worker is always there: a scan needs no memory to begin. */
static struct kml_worker *kml_first_worker;

/* kml_scan_mutex; statistics read the first two without */
static unsigned int kml_wanted = 1;
static unsigned int kml_nr_workers = 1;	/* in this scan */
static bool kml_have_threads;

/*
 * Does somebody have nothing to do? Then share. What is on the list already is
 * better than half of ours. Context: process, no lock held.
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
	/* busy before list: pairs with the atomics that change busy */
	smp_rmb();
	return !kml_worklist_has_work(&kml_mark.list);
}

/* Is the worker's CPU going away? Then it should end its part of the job. */
bool kml_workers_leaving(const struct kml_worker *w)
{
	return !w->initiator && kthread_should_park();
}

/* Is there a reason to stop waiting for work? */
static bool kml_wait_is_over(struct kml_worker *w)
{
	if (kml_worklist_has_work(&kml_mark.list) || kml_job_may_be_done() ||
	    READ_ONCE(kml_mark.stopped))
		return true;
	return w->initiator ? kml_mark.stop() : kml_workers_leaving(w);
}

#define KML_IDLE_SPINS	2000	/* some tens of us */

/*
 * Idle. Return: true if there may be work again, and then the caller counts as
 * busy again; false if there will be none, or the job is stopped.
 */
static bool kml_wait_for_work(struct kml_worker *w)
{
	unsigned int spins = 0;

	atomic_inc(&kml_job.nr_idle);
	/* full barrier: what we put on the list comes before */
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
	/* before we take any: pairs with kml_job_may_be_done() */
	atomic_inc_return(&kml_job.busy);
	return true;
}

/* One worker's part of a job. */
static void kml_do_job(struct kml_worker *w)
{
	const struct kml_mark_stats was = w->stats;
	u64 begin = ktime_get_ns();
	bool busy = true;

	trace_kmemleak_worker_begin(READ_ONCE(kml_running.stage));
	kml_mark_windows(w, &kml_first_worker->base);
	kml_shard_cursor_init(&w->cursor, raw_smp_processor_id());

	/* before we take any: pairs with kml_job_may_be_done() */
	atomic_inc_return(&kml_job.busy);
	while (!kml_mark_stop(w) && !kml_workers_leaving(w)) {
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
	/* full barrier: what we gave back is on the list */
	if ((busy && !atomic_dec_return(&kml_job.busy)) ||
	    READ_ONCE(kml_mark.stopped))
		wake_up_all(&kml_job.wait);
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

/* Not on CPUs that are to be free of what the kernel does on its own account. */
static bool kml_is_housekeeping(unsigned int cpu)
{
	bool is;

	/* cpusets may isolate CPUs at any time: 7.x frees the old mask by RCU */
	rcu_read_lock();
	is = !cpu_is_isolated(cpu) && housekeeping_test_cpu(cpu, HK_TYPE_TICK);
	rcu_read_unlock();
	return is;
}

/*
 * Has the helper what it needs? Its memory is not near its CPU on all machines, but
 * small enough for its caches.
 */
static bool kml_helper_equip(struct kml_helper *h)
{
	if (!h->w)
		/* pairs with the acquire in kml_workers_words() */
		smp_store_release(&h->w, kml_worker_alloc());
	return h->w;
}

/* Choose who will help with this scan. Context: kml_scan_mutex, no scan is active. */
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

static void kml_workers_queue(void)
{
	struct kml_helper *h;
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		h = per_cpu_ptr(&kml_helpers, cpu);
		if (!h->used)
			continue;
		/* the job before the post: pairs with kml_helper_run() */
		atomic_set_release(&h->state, KML_HELPER_POSTED);
		wake_up_process(per_cpu(kml_helper_task, cpu));
	}
}

static bool kml_helper_is_idle(struct kml_helper *h)
{
	/* pairs with the release in kml_helper_run() */
	return atomic_read_acquire(&h->state) == KML_HELPER_IDLE;
}

/* Wait for a helper who still works; we may be told to stop meanwhile. */
static void kml_workers_wait(struct kml_helper *h)
{
	while (!kml_helper_is_idle(h) && !kml_mark_stop(kml_first_worker))
		kml_wait_once(kml_job.left,
			      kml_helper_is_idle(h) || kml_mark.stop());
	wake_up_all(&kml_job.wait);
	wait_event(kml_job.left, kml_helper_is_idle(h));
}

/* The job is done: nobody need begin, and those who did have ended. */
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
		/* Taken. A cmpxchg that fails orders nothing: this acquires. */
		if (!kml_helper_is_idle(h))
			kml_workers_wait(h);
	}
}

/**
 * kml_workers_wake_initiator() - have the initiator look whether it should stop
 *
 * It may sleep until a helper has something for it, or has ended.
 *
 * Context: process.
 */
void kml_workers_wake_initiator(void)
{
	wake_up_all(&kml_job.wait);
	wake_up_all(&kml_job.left);
}

/**
 * kml_workers_run() - do a job
 * @source: of work, or NULL
 * @read_grey: read grey objects, too
 *
 * Context: process; between kml_workers_begin() and kml_workers_end().
 * Return: false if the scan was stopped.
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
	/* what the last to leave have left */
	while (read_grey && !READ_ONCE(kml_mark.stopped) &&
	       kml_worklist_has_work(&kml_mark.list))
		kml_do_job(kml_first_worker);
	return !READ_ONCE(kml_mark.stopped);
}

/**
 * kml_workers_each() - call a function for the worker of each who marks
 * @fn: function
 * @data: passed on
 *
 * Context: process, kml_scan_mutex held, during a scan but not during a job.
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
 * kml_workers_begin() - a scan begins
 * @stop: asked by the initiator, us, every few KiB: should the scan stop? May
 *	reschedule.
 *
 * Context: process, kml_scan_mutex held.
 * Return: the initiator's worker, or NULL without memory for work.
 */
struct kml_worker *kml_workers_begin(bool (*stop)(void))
{
	struct kml_worker *w = kml_first_worker;

	lockdep_assert_held(&kml_scan_mutex);

	kml_mark.stop = stop;
	kml_mark.stopped = false;
	kml_workers_select();
	memset(&w->stats, 0, sizeof(w->stats));
	return kml_mark_open(w) ? w : NULL;
}

/* Words read so far by a running scan. Context: any that may not sleep, too. */
u64 kml_workers_words(void)
{
	unsigned int cpu;
	u64 words = 0;

	if (kml_first_worker)
		/* counted by their owners, at any time: a moment ago will do */
		words = data_race(kml_first_worker->stats.words);

	for_each_possible_cpu(cpu) {
		struct kml_helper *h = per_cpu_ptr(&kml_helpers, cpu);
		/* pairs with the release in kml_helper_equip() */
		struct kml_worker *w = smp_load_acquire(&h->w);

		if (w && READ_ONCE(h->used))
			/* as above */
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
}

/* The scan is over. @sum: what all workers did. Context: as above. */
void kml_workers_end(struct kml_mark_stats *sum)
{
	kml_mark_close(kml_first_worker);
	*sum = (struct kml_mark_stats){};
	kml_workers_each(kml_stats_add, sum);
}

/* How many mark in this scan, or did in the last one. */
unsigned int kml_workers_nr(void)
{
	return READ_ONCE(kml_nr_workers);
}

unsigned int kml_workers_wanted(void)
{
	return READ_ONCE(kml_wanted);
}

/* Is @task a helper? Context: any; @task is pinned. */
bool kml_workers_has(const struct task_struct *task)
{
	return task->flags & PF_KTHREAD &&
	       per_cpu(kml_helper_task, task_cpu(task)) == task;
}

/**
 * kml_workers_set() - choose how many mark from the next scan on
 * @nr: at least 1; KML_WORKERS_ALL for as many as there are housekeeping CPUs
 *
 * Threads are created when first needed, and stay, asleep; workers when a scan
 * chooses their CPU.
 *
 * Context: process, kml_scan_mutex held.
 * Return: 0 or -ENOMEM.
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

/* Context: kmemleak_init(), after kml_pool_init(). Return: 0 or -ENOMEM. */
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

/* After each page. */
bool kml_walk_resched(struct kml_visitor *v)
{
	struct kml_walk_ctx *ctx = kml_walk_ctx(v);

	if (ctx->blocks)
		kml_settled_clear_page(ctx->space, ~ctx->not_page,
				       ctx->blocks);
	ctx->blocks = 0;
	return kml_mark_stop(ctx->w);
}

/* Have an object read. Context: leaf->lock. */
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

/*
 * Let references to an object be looked up: soon, if it is all in the page being
 * visited. Context: leaf->lock.
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

/* If it was freed meanwhile, bits are cleared for nothing. */
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

/* Read what did not fit into the list of work. Return: false if stopped. */
bool kml_read_pending(void)
{
	while (READ_ONCE(kml_mark.overflow)) {
		WRITE_ONCE(kml_mark.overflow, false);
		if (!kml_workers_run(kml_source_pending, true))
			return false;
	}
	return true;
}
