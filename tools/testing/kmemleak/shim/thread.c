// SPDX-License-Identifier: GPL-2.0-only
/* Threads, virtual CPUs and locks. */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "../os.h"

#define SHIM_MAX_THREADS	256
#define SHIM_SPINS		200

__thread struct shim_thread *shim_me;
unsigned int shim_nr_cpus = 2;
bool shim_strict;
bool shim_cpus_private;
int shim_need_resched;
long shim_signal_in, shim_polls;
void (*shim_poll)(void);
unsigned long shim_trylocks;
int shim_fence_word;

/* Structures are kept when threads end: RCU waiters and locks refer to them. */
static struct shim_thread shim_threads[SHIM_MAX_THREADS];
static unsigned int shim_nr_threads;
static pthread_mutex_t shim_threads_lock = PTHREAD_MUTEX_INITIALIZER;

/* The token of a CPU: the id of the thread with preemption off, or 0. */
static struct {
	unsigned int owner;
} __aligned(64) shim_cpus[NR_CPUS];

static struct task_struct shim_driver_task = {
	.pid = 1, .tgid = 1, .comm = "driver",
};

static pthread_once_t shim_once = PTHREAD_ONCE_INIT;
static pthread_key_t shim_key;

static void shim_at_exit(void *arg)
{
	shim_me = arg;
	shim_thread_detach();
}

static void shim_make_key(void)
{
	pthread_key_create(&shim_key, shim_at_exit);
}

struct shim_thread *shim_thread_attach(int cpu)
{
	struct shim_thread *t = NULL;
	unsigned int i;

	pthread_once(&shim_once, shim_make_key);
	pthread_mutex_lock(&shim_threads_lock);
	for (i = 0; i < shim_nr_threads && !t; i++)
		if (!shim_threads[i].live)
			t = &shim_threads[i];
	if (!t && shim_nr_threads < SHIM_MAX_THREADS) {
		t = &shim_threads[shim_nr_threads];
		smp_store_release(&shim_nr_threads, shim_nr_threads + 1);
	}
	if (!t)
		shim_fatal("too many threads");
	t->id = t - shim_threads + 1;
	t->cpu = cpu >= 0 ? cpu : (int)((t->id - 1) % shim_nr_cpus);
	t->atomic_depth = 0;
	t->raw_held = 0;
	t->sleeping_held = 0;
	t->migrate_off = 0;
	t->rcu_nest = 0;
	t->hardirq = 0;
	t->softirq = 0;
	t->irqs_off = false;
	t->mems = false;
	t->task = &shim_driver_task;
	t->live = true;
	pthread_mutex_unlock(&shim_threads_lock);
	shim_me = t;
	pthread_setspecific(shim_key, t);
	return t;
}

void shim_thread_detach(void)
{
	struct shim_thread *t = shim_me;

	if (!t)
		return;
	if (t->atomic_depth || t->raw_held || t->rcu_nest || t->sleeping_held || t->mems)
		shim_fatal("thread ends in an atomic or locked section");
	pthread_mutex_lock(&shim_threads_lock);
	t->live = false;
	pthread_mutex_unlock(&shim_threads_lock);
	shim_me = NULL;
	pthread_setspecific(shim_key, NULL);
}

struct shim_thread *shim_thread_nth(unsigned int i)
{
	return i < smp_load_acquire(&shim_nr_threads) ? &shim_threads[i] : NULL;
}

void cpu_relax(void)
{
	static __thread unsigned int spins;

	if (++spins % SHIM_SPINS == 0)
		sched_yield();
#ifdef __x86_64__
	else
		__builtin_ia32_pause();
#endif
}

void shim_cpu_claim(struct shim_thread *t)
{
	if (!shim_cpus_private) {
		unsigned int *owner = &shim_cpus[t->cpu].owner;
		unsigned int free = 0;

		while (!__atomic_compare_exchange_n(owner, &free, t->id, false,
						    __ATOMIC_ACQUIRE,
						    __ATOMIC_RELAXED)) {
			free = 0;
			cpu_relax();
		}
	}
	shim_rcu_enter(t);
}

void shim_cpu_release(struct shim_thread *t)
{
	shim_rcu_exit(t);
	if (!shim_cpus_private)
		__atomic_store_n(&shim_cpus[t->cpu].owner, 0, __ATOMIC_RELEASE);
}

void shim_might_sleep(const char *what)
{
	struct shim_thread *t = shim_self();

	if (t->raw_held)
		shim_fatal("%s while holding a raw lock", what);
	if (t->irqs_off)
		shim_fatal("%s with interrupts off", what);
	if (t->atomic_depth)
		shim_fatal("%s with preemption off", what);
	if (t->rcu_nest)
		shim_fatal("%s inside rcu_read_lock()", what);
	if (t->hardirq || t->softirq)
		shim_fatal("%s in interrupt context", what);
}

int shim_cond_resched(void)
{
	shim_might_sleep("cond_resched");
	if (shim_self()->mems)
		shim_self()->mems_polls++;
	if (unlikely(READ_ONCE(shim_signal_in))) {
		shim_polls++;
		if (!--shim_signal_in)
			current->sigpending = 1;
	}
	if (unlikely(shim_poll))
		shim_poll();
	return 0;
}

void shim_no_raw_lock(const char *what)
{
	if (shim_self()->raw_held)
		shim_fatal("%s while holding a raw lock", what);
}

void shim_spin_slow(unsigned int *owner, unsigned int me)
{
	unsigned int seen = READ_ONCE(*owner);

	if (seen == me)
		shim_fatal("raw lock %p taken twice by one thread", (void *)owner);
	for (;;) {
		seen = 0;
		if (!READ_ONCE(*owner) &&
		    __atomic_compare_exchange_n(owner, &seen, me, false,
						__ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return;
		cpu_relax();
	}
}

/* One condition for all mutexes: contention is rare, and not measured. */
static pthread_mutex_t shim_sleep_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t shim_sleep_cond = PTHREAD_COND_INITIALIZER;

static bool shim_mutex_try(struct mutex *m, unsigned int me)
{
	unsigned int free = 0;

	return __atomic_compare_exchange_n(&m->owner, &free, me, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static int shim_mutex_lock(struct mutex *m, bool intr)
{
	struct shim_thread *t = shim_self();
	int err = 0;

	shim_might_sleep("mutex_lock");
	if (READ_ONCE(m->owner) == t->id)
		shim_fatal("mutex taken twice by one thread");
	if (!shim_mutex_try(m, t->id)) {
		pthread_mutex_lock(&shim_sleep_lock);
		while (!shim_mutex_try(m, t->id)) {
			if (intr && signal_pending(t->task)) {
				err = -EINTR;
				break;
			}
			pthread_cond_wait(&shim_sleep_cond, &shim_sleep_lock);
		}
		pthread_mutex_unlock(&shim_sleep_lock);
	}
	if (!err)
		t->sleeping_held++;
	return err;
}

void mutex_lock(struct mutex *m)
{
	shim_mutex_lock(m, false);
}

int mutex_lock_interruptible(struct mutex *m)
{
	if (signal_pending(current) && mutex_is_locked(m))
		return -EINTR;
	return shim_mutex_lock(m, true);
}

int mutex_trylock(struct mutex *m)
{
	struct shim_thread *t = shim_self();

	__atomic_fetch_add(&shim_trylocks, 1, __ATOMIC_RELAXED);
	if (!shim_mutex_try(m, t->id))
		return 0;
	t->sleeping_held++;
	return 1;
}

void mutex_unlock(struct mutex *m)
{
	struct shim_thread *t = shim_self();

	if (READ_ONCE(m->owner) != t->id)
		shim_fatal("mutex released by another thread");
	t->sleeping_held--;
	pthread_mutex_lock(&shim_sleep_lock);
	__atomic_store_n(&m->owner, 0, __ATOMIC_RELEASE);
	pthread_cond_broadcast(&shim_sleep_cond);
	pthread_mutex_unlock(&shim_sleep_lock);
}

/*
 * Memory hotplug: only tests take the lock for writing. The polls of readers that hold
 * it are counted.
 */
bool shim_mems_blocked;
long shim_mems_readers, shim_mems_most_polls;

bool try_get_online_mems(void)
{
	struct shim_thread *t = shim_self();

	if (t->mems)
		shim_fatal("memory hotplug lock taken twice: a writer may be between");
	__atomic_fetch_add(&shim_mems_readers, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&shim_mems_blocked, __ATOMIC_SEQ_CST)) {
		__atomic_fetch_sub(&shim_mems_readers, 1, __ATOMIC_SEQ_CST);
		return false;
	}
	t->mems = true;
	t->mems_polls = 0;
	return true;
}

void get_online_mems(void)
{
	shim_might_sleep("get_online_mems");
	while (!try_get_online_mems())
		sched_yield();
}

void put_online_mems(void)
{
	struct shim_thread *t = shim_self();
	long most = READ_ONCE(shim_mems_most_polls);

	if (!t->mems)
		shim_fatal("memory hotplug lock released by another thread");
	t->mems = false;
	while (most < t->mems_polls && !try_cmpxchg(&shim_mems_most_polls, &most, t->mems_polls))
		;
	__atomic_fetch_sub(&shim_mems_readers, 1, __ATOMIC_SEQ_CST);
}

void mem_hotplug_begin(void)
{
	__atomic_store_n(&shim_mems_blocked, true, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&shim_mems_readers, __ATOMIC_SEQ_CST))
		sched_yield();
}

void mem_hotplug_done(void)
{
	__atomic_store_n(&shim_mems_blocked, false, __ATOMIC_SEQ_CST);
}

static bool shim_rwsem_step(struct rw_semaphore *s, int want, int delta)
{
	bool ok;

	raw_spin_lock(&s->lock);
	ok = want < 0 ? s->count >= 0 : s->count == 0;
	if (ok)
		s->count += delta;
	raw_spin_unlock(&s->lock);
	return ok;
}

void down_read(struct rw_semaphore *s)
{
	shim_might_sleep("down_read");
	while (!shim_rwsem_step(s, -1, 1))
		sched_yield();
}

void down_write(struct rw_semaphore *s)
{
	shim_might_sleep("down_write");
	while (!shim_rwsem_step(s, 0, -1))
		sched_yield();
}

void up_read(struct rw_semaphore *s)
{
	raw_spin_lock(&s->lock);
	s->count--;
	raw_spin_unlock(&s->lock);
}

void up_write(struct rw_semaphore *s)
{
	raw_spin_lock(&s->lock);
	s->count++;
	raw_spin_unlock(&s->lock);
}

/*
 * No leak check at exit: it does not find blocks whose addresses are in per-CPU memory
 * or inverted. Tests count blocks instead.
 */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0:detect_stack_use_after_return=0";
}
