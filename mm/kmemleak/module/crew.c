// SPDX-License-Identifier: GPL-2.0-only
/*
 * Worker threads of a scan. They live as long as a scan does, have nice 10, and run
 * one job after another; the thread that scans is one of them.
 */

#include "oneshot.h"

static struct kml_worker *workers;
static unsigned int nr_workers;		/* with the first, who is no thread of ours */
static DECLARE_WAIT_QUEUE_HEAD(crew_wait);	/* for a job */
static DECLARE_WAIT_QUEUE_HEAD(crew_done);	/* for the end of one */
static unsigned int job_nr;
static kml_job_fn job_fn;
static void *job_data;
static atomic_t job_left;
static bool crew_leave;

static bool job_is_new(unsigned int done)
{
	/* pairs with the release in kml_crew_run() */
	return smp_load_acquire(&job_nr) != done;
}

static int worker_thread(void *data)
{
	struct kml_worker *w = data;
	unsigned int done = 0;

	set_user_nice(current, 10);
	for (;;) {
		wait_event_idle(crew_wait, READ_ONCE(crew_leave) || job_is_new(done));
		if (READ_ONCE(crew_leave))
			break;
		done = job_nr;
		job_fn(w, job_data);
		/* orders what the job has done before the end that the first one sees */
		if (atomic_dec_and_test(&job_left))
			wake_up(&crew_done);
	}
	/* kthread_stop() wants the task */
	wait_event_idle(crew_wait, kthread_should_stop());
	return 0;
}

static bool worker_init(struct kml_worker *w, unsigned int nr, const struct kml_layout *layout)
{
	w->nr = nr;
	w->copy = kml_alloc(KML_CHUNK + PAGE_SIZE);
	w->out = kml_alloc(KML_CHUNK + KMEMLEAK_FILTER_PAD * sizeof(long));
	kml_reader_init(&w->reader, layout);
	return w->copy && w->out;
}

/**
 * kml_crew_start() - start workers for a scan
 * @nr: how many are wanted
 * @layout: of the kernel
 *
 * Return: 0, if there is one at least; or -ENOMEM.
 */
int kml_crew_start(unsigned int nr, const struct kml_layout *layout)
{
	struct kml_worker *w;

	crew_leave = false;
	job_nr = 0;
	workers = kml_alloc(nr * sizeof(*workers));
	if (!workers || !worker_init(&workers[0], 0, layout)) {
		if (workers)
			nr_workers = 1;
		kml_crew_end();
		return -ENOMEM;
	}
	workers[0].task = current;
	for (nr_workers = 1; nr_workers < nr; nr_workers++) {
		w = &workers[nr_workers];
		if (!worker_init(w, nr_workers, layout))
			break;
		w->task = kthread_create(worker_thread, w, "kmemleak/%u", nr_workers);
		if (IS_ERR(w->task))
			break;
		wake_up_process(w->task);
	}
	/* one that could not be started */
	if (nr_workers < nr) {
		kml_free(workers[nr_workers].copy);
		kml_free(workers[nr_workers].out);
	}
	return 0;
}

/* End all workers. They have no job. */
void kml_crew_end(void)
{
	unsigned int i;

	WRITE_ONCE(crew_leave, true);
	wake_up_all(&crew_wait);
	for (i = 1; i < nr_workers; i++)
		kthread_stop(workers[i].task);
	for (i = 0; i < nr_workers; i++) {
		kml_free(workers[i].copy);
		kml_free(workers[i].out);
	}
	kml_free(workers);
	workers = NULL;
	nr_workers = 0;
}

/**
 * kml_crew_run() - have all workers do a job, and wait for its end
 * @heap: that they work on
 * @fn: the job, which ends soon after kml_pause() returns true
 * @data: its argument
 */
void kml_crew_run(struct kml_heap *heap, kml_job_fn fn, void *data)
{
	unsigned int i;

	for (i = 0; i < nr_workers; i++)
		workers[i].heap = heap;
	job_fn = fn;
	job_data = data;
	atomic_set(&job_left, nr_workers - 1);
	/* pairs with the acquire in worker_thread() */
	smp_store_release(&job_nr, job_nr + 1);
	wake_up_all(&crew_wait);
	fn(&workers[0], data);
	wait_event_idle(crew_done, !atomic_read(&job_left));
	/* the last of them is done: see what it did */
	smp_mb();
}

struct kml_worker *kml_crew_first(void)
{
	return workers;
}

unsigned int kml_crew_size(void)
{
	return nr_workers;
}

/* Is that task one that scans? */
bool kml_crew_has(const struct task_struct *task)
{
	unsigned int i;

	for (i = 0; i < nr_workers; i++)
		if (workers[i].task == task)
			return true;
	return false;
}

bool kml_pause(void)
{
	cond_resched();
	return kml_stopped();
}
