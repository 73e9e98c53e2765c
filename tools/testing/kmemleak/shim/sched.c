// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sleeping, waking, kernel threads and the clock. There is one mutex and one condition
 * for all sleepers. Only shim_time_advance() changes the clock, so a run does not depend
 * on the speed of the machine.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "../os.h"

struct shim_kthread {
	struct task_struct task;
	pthread_t thread;
	int (*fn)(void *arg);
	void *arg;
	int cpu;
	int ret;
	bool started, should_stop, should_park, parked, ended;
	bool asleep;
	struct shim_kthread *next;
};

unsigned long volatile jiffies = INITIAL_JIFFIES;
int shim_kthread_fail;
int (*shim_pm_notify)(struct notifier_block *nb, unsigned long action, void *data);
bool pm_freezing;
unsigned long shim_isolated;
bool shim_kthreads_gated;
static bool shim_gate_open = true;
wait_queue_head_t shim_var_wq;
struct pid_namespace init_pid_ns;
struct task_struct shim_tasks[W_NR_TASKS];
struct task_struct *shim_more_tasks;
int shim_nr_more_tasks;

static pthread_mutex_t shim_sleepers = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t shim_cond = PTHREAD_COND_INITIALIZER;
static struct shim_kthread *shim_kthreads;
static int shim_next_pid = 1000;

u64 shim_clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

u64 shim_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (u64)ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

/* Sleep on the condition; meanwhile a kernel thread counts as settled. */
static void shim_block(void)
{
	struct shim_kthread *k = current->kthread;

	if (k) {
		k->asleep = true;
		pthread_cond_broadcast(&shim_cond);
	}
	pthread_cond_wait(&shim_cond, &shim_sleepers);
	shim_span_begin(shim_self(), SHIM_SPAN_POLL);
	if (k)
		k->asleep = false;
}

static void shim_wake_everyone(void)
{
	struct shim_kthread *k;

	/* They are awake from now on: settle() must wait for them. */
	for (k = shim_kthreads; k; k = k->next)
		k->asleep = false;
	pthread_cond_broadcast(&shim_cond);
}

/* The kernel reads jiffies unmarked, so TSan must not see this write. */
static noinline __no_kcsan void shim_set_clock(unsigned long now)
{
	jiffies = now;
}

void shim_time_advance(unsigned long delta)
{
	pthread_mutex_lock(&shim_sleepers);
	shim_set_clock(jiffies + delta);
	shim_wake_everyone();
	pthread_mutex_unlock(&shim_sleepers);
}

static long shim_sleep(long timeout, bool intr)
{
	unsigned long until = jiffies + timeout;
	struct shim_kthread *k = current->kthread;

	shim_might_sleep("schedule_timeout");
	pthread_mutex_lock(&shim_sleepers);
	/* Threads of the harness cannot wait for the clock, which they advance. */
	while (k && time_before(jiffies, until) && !k->should_stop &&
	       !(intr && signal_pending(current)) &&
	       READ_ONCE(current->__state) != TASK_RUNNING)
		shim_block();
	WRITE_ONCE(current->__state, TASK_RUNNING);
	pthread_mutex_unlock(&shim_sleepers);
	return time_before(jiffies, until) && k ? (long)(until - jiffies) : 0;
}

long schedule_timeout(long timeout)
{
	if (READ_ONCE(current->__state) == TASK_RUNNING)
		WRITE_ONCE(current->__state, TASK_UNINTERRUPTIBLE);
	return shim_sleep(timeout, false);
}

long schedule_timeout_interruptible(long timeout)
{
	WRITE_ONCE(current->__state, TASK_INTERRUPTIBLE);
	return shim_sleep(timeout, true);
}

void msleep(unsigned int ms)
{
	WRITE_ONCE(current->__state, TASK_UNINTERRUPTIBLE);
	shim_sleep(msecs_to_jiffies(ms), false);
	sched_yield();
}

void shim_nap(void)
{
	shim_might_sleep("usleep_range");
	usleep(100);
}

void schedule(void)
{
	shim_might_sleep("schedule");
	pthread_mutex_lock(&shim_sleepers);
	while (READ_ONCE(current->__state) != TASK_RUNNING)
		shim_block();
	pthread_mutex_unlock(&shim_sleepers);
}

void yield(void)
{
	sched_yield();
}

int wake_up_process(struct task_struct *t)
{
	int was;

	pthread_mutex_lock(&shim_sleepers);
	was = READ_ONCE(t->__state) != TASK_RUNNING;
	WRITE_ONCE(t->__state, TASK_RUNNING);
	if (t->kthread)
		t->kthread->started = true;
	shim_wake_everyone();
	pthread_mutex_unlock(&shim_sleepers);
	return was;
}

bool shim_wait(wait_queue_head_t *q, unsigned int seq, bool intr, unsigned long until)
{
	pthread_mutex_lock(&shim_sleepers);
	while (READ_ONCE(q->seq) == seq && !(intr && signal_pending(current)) &&
	       !(until && time_after_eq(jiffies, until)) &&
	       !(current->kthread && current->kthread->should_stop && intr))
		shim_block();
	pthread_mutex_unlock(&shim_sleepers);
	return true;
}

void wake_up_all(wait_queue_head_t *q)
{
	pthread_mutex_lock(&shim_sleepers);
	smp_store_release(&q->seq, q->seq + 1);
	shim_wake_everyone();
	pthread_mutex_unlock(&shim_sleepers);
}

static void shim_complete(struct completion *c, unsigned int n)
{
	pthread_mutex_lock(&shim_sleepers);
	WRITE_ONCE(c->done, n ? c->done + n : UINT_MAX / 2);
	smp_store_release(&c->wait.seq, c->wait.seq + 1);
	shim_wake_everyone();
	pthread_mutex_unlock(&shim_sleepers);
}

void complete(struct completion *c)
{
	shim_complete(c, 1);
}

void complete_all(struct completion *c)
{
	shim_complete(c, 0);
}

static int shim_wait_completion(struct completion *c, bool intr)
{
	int err = 0;

	shim_might_sleep("wait_for_completion");
	pthread_mutex_lock(&shim_sleepers);
	while (!c->done && !err) {
		if (intr && signal_pending(current))
			err = -ERESTARTSYS;
		else
			shim_block();
	}
	if (!err && c->done < UINT_MAX / 2)
		c->done--;
	pthread_mutex_unlock(&shim_sleepers);
	return err;
}

void wait_for_completion(struct completion *c)
{
	shim_wait_completion(c, false);
}

int wait_for_completion_interruptible(struct completion *c)
{
	return shim_wait_completion(c, true);
}

bool try_wait_for_completion(struct completion *c)
{
	bool got;

	pthread_mutex_lock(&shim_sleepers);
	got = c->done;
	if (got && c->done < UINT_MAX / 2)
		c->done--;
	pthread_mutex_unlock(&shim_sleepers);
	return got;
}

static void *shim_kthread_main(void *arg)
{
	struct shim_kthread *k = arg;

	shim_thread_attach(k->cpu)->task = &k->task;
	pthread_mutex_lock(&shim_sleepers);
	while (!(k->started && shim_gate_open) && !k->should_stop)
		shim_block();
	pthread_mutex_unlock(&shim_sleepers);
	/* As in the kernel, a thread that is stopped before it has run does not run. */
	k->ret = k->should_stop ? -EINTR : k->fn(k->arg);
	/* kthread_stop() frees the task: do not keep a pointer to it. */
	shim_thread_detach();
	pthread_mutex_lock(&shim_sleepers);
	k->ended = true;
	k->asleep = true;
	pthread_cond_broadcast(&shim_cond);
	pthread_mutex_unlock(&shim_sleepers);
	return NULL;
}

struct task_struct *shim_kthread_create(int (*fn)(void *), void *arg, int cpu,
					const char *fmt, ...)
{
	struct shim_kthread *k;
	va_list ap;

	shim_might_sleep("kthread_create");
	if (shim_kthread_fail && !--shim_kthread_fail)
		return ERR_PTR(-ENOMEM);
	k = calloc(1, sizeof(*k));
	if (!k)
		return ERR_PTR(-ENOMEM);
	k->fn = fn;
	k->arg = arg;
	k->cpu = cpu;
	k->task.flags = PF_KTHREAD;
	k->task.kthread = k;
	k->task.__state = TASK_UNINTERRUPTIBLE;
	if (shim_kthreads_gated)
		shim_gate_open = false;
	va_start(ap, fmt);
	shim_vsnprintf(k->task.comm, sizeof(k->task.comm), fmt, ap);
	va_end(ap);

	pthread_mutex_lock(&shim_sleepers);
	k->task.pid = shim_next_pid++;
	k->task.tgid = k->task.pid;
	k->next = shim_kthreads;
	shim_kthreads = k;
	pthread_mutex_unlock(&shim_sleepers);
	if (pthread_create(&k->thread, NULL, shim_kthread_main, k))
		shim_fatal("no thread for %s", k->task.comm);
	return &k->task;
}

void kthread_bind(struct task_struct *t, unsigned int cpu)
{
	t->kthread->cpu = cpu;
}

void kthread_bind_mask(struct task_struct *t, const struct cpumask *m)
{
}

bool kthread_should_stop(void)
{
	struct shim_kthread *k = current->kthread;

	return k && READ_ONCE(k->should_stop);
}

bool kthread_should_park(void)
{
	struct shim_kthread *k = current->kthread;

	return k && READ_ONCE(k->should_park);
}

void kthread_parkme(void)
{
	struct shim_kthread *k = current->kthread;

	pthread_mutex_lock(&shim_sleepers);
	while (k->should_park && !k->should_stop) {
		k->parked = true;
		shim_block();
	}
	k->parked = false;
	pthread_mutex_unlock(&shim_sleepers);
}

int kthread_park(struct task_struct *t)
{
	struct shim_kthread *k = t->kthread;

	pthread_mutex_lock(&shim_sleepers);
	WRITE_ONCE(k->should_park, true);
	WRITE_ONCE(t->__state, TASK_RUNNING);
	k->started = true;
	shim_wake_everyone();
	while (!k->parked && !k->ended)
		pthread_cond_wait(&shim_cond, &shim_sleepers);
	pthread_mutex_unlock(&shim_sleepers);
	return 0;
}

void kthread_unpark(struct task_struct *t)
{
	pthread_mutex_lock(&shim_sleepers);
	WRITE_ONCE(t->kthread->should_park, false);
	shim_wake_everyone();
	pthread_mutex_unlock(&shim_sleepers);
}

int kthread_stop(struct task_struct *t)
{
	struct shim_kthread *k = t->kthread, **link;
	int ret;

	shim_might_sleep("kthread_stop");
	pthread_mutex_lock(&shim_sleepers);
	WRITE_ONCE(k->should_stop, true);
	WRITE_ONCE(t->__state, TASK_RUNNING);
	shim_wake_everyone();
	pthread_mutex_unlock(&shim_sleepers);
	pthread_join(k->thread, NULL);
	pthread_mutex_lock(&shim_sleepers);
	for (link = &shim_kthreads; *link != k; link = &(*link)->next)
		;
	*link = k->next;
	pthread_mutex_unlock(&shim_sleepers);
	ret = k->ret;
	free(k);
	return ret;
}

void shim_kthreads_settle(void)
{
	struct shim_kthread *k;

	pthread_mutex_lock(&shim_sleepers);
	if (shim_kthreads_gated && shim_kthreads) {
		shim_gate_open = true;
		shim_wake_everyone();
	}
	for (k = shim_kthreads; k;) {
		if (k->asleep) {
			k = k->next;
			continue;
		}
		pthread_cond_wait(&shim_cond, &shim_sleepers);
		k = shim_kthreads;
	}
	shim_gate_open = !shim_kthreads_gated;
	pthread_mutex_unlock(&shim_sleepers);
}

/* Like kernel/smpboot.c: run, sleep or park. */
static struct smp_hotplug_thread *shim_smpboot;

static int shim_smpboot_main(void *arg)
{
	unsigned int cpu = (unsigned long)arg;
	struct smp_hotplug_thread *ht = shim_smpboot;

	if (ht->setup)
		ht->setup(cpu);
	while (!kthread_should_stop()) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (kthread_should_park()) {
			__set_current_state(TASK_RUNNING);
			kthread_parkme();
		} else if (ht->thread_should_run(cpu)) {
			__set_current_state(TASK_RUNNING);
			ht->thread_fn(cpu);
		} else {
			schedule();
		}
	}
	return 0;
}

int smpboot_register_percpu_thread(struct smp_hotplug_thread *ht)
{
	unsigned int cpu;

	shim_smpboot = ht;
	for_each_online_cpu(cpu) {
		struct task_struct *t;

		t = kthread_create_on_cpu(shim_smpboot_main, (void *)(unsigned long)cpu,
					  cpu, ht->thread_comm);
		if (IS_ERR(t))
			return PTR_ERR(t);
		t->cpu = cpu;
		WRITE_ONCE(*per_cpu_ptr(ht->store, cpu), t);
		wake_up_process(t);
	}
	return 0;
}

void shim_cpu_down(unsigned int cpu)
{
	kthread_park(*per_cpu_ptr(shim_smpboot->store, cpu));
}

void shim_cpu_up(unsigned int cpu)
{
	kthread_unpark(*per_cpu_ptr(shim_smpboot->store, cpu));
}

struct pid *find_ge_pid(int nr, struct pid_namespace *ns)
{
	struct pid *best = NULL;
	int i;

	for (i = 0; i < W_NR_TASKS; i++) {
		struct pid *p = &shim_tasks[i].pid_struct;

		if (p->nr >= nr && (!best || p->nr < best->nr))
			best = p;
	}
	if (best || !shim_nr_more_tasks)
		return best;
	/* numbered without gaps */
	i = max(nr - shim_more_tasks->pid, 0);
	return i < shim_nr_more_tasks ? &shim_more_tasks[i].pid_struct : NULL;
}

struct task_struct *pid_task(struct pid *p, enum pid_type t)
{
	return container_of(p, struct task_struct, pid_struct);
}
