// SPDX-License-Identifier: GPL-2.0-only
/*
 * Grace periods. A reader notes the period in which it began. A waiter opens a new
 * period, and waits until all readers of older ones have ended. Callbacks are on a
 * lockless list, and run after such a wait, in softirq context.
 */
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../os.h"

/* Offsets of kfree_rcu() are below, addresses of functions above. */
#define SHIM_RCU_OFFSETS	4096

unsigned long shim_rcu_period = 1;
long shim_rcu_pending;
static unsigned long shim_rcu_completed;
static struct rcu_head *shim_rcu_queue;

static pthread_mutex_t shim_rcu_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t shim_rcu_cond = PTHREAD_COND_INITIALIZER;
static pthread_t shim_rcu_pthread;
static bool shim_rcu_running, shim_rcu_stop;
/* Batches that were taken from the queue, and that are done, for rcu_barrier(). */
static unsigned long shim_rcu_taken, shim_rcu_done;

static void shim_rcu_heavy_barrier(void)
{
#if !SHIM_TSAN
	static int ready = -1;

	if (ready < 0)
		ready = !syscall(SYS_membarrier,
				 MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
	if (ready && !syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0))
		return;
	shim_fatal("membarrier() is not available");
#endif
}

static void shim_rcu_wait(void)
{
	unsigned long target, c;
	struct shim_thread *t;
	unsigned int i;

	target = __atomic_add_fetch(&shim_rcu_period, 1, __ATOMIC_SEQ_CST);
	shim_fence();
	shim_rcu_heavy_barrier();
	for (i = 0; (t = shim_thread_nth(i)); i++) {
		for (;;) {
			c = __atomic_load_n(&t->rcu_ctr, __ATOMIC_SEQ_CST);
			if (!c || c >= target)
				break;
			sched_yield();
		}
	}
	shim_rcu_heavy_barrier();
	shim_fence();
	c = READ_ONCE(shim_rcu_completed);
	while (c < target && !try_cmpxchg(&shim_rcu_completed, &c, target))
		;
}

void synchronize_rcu(void)
{
	shim_might_sleep("synchronize_rcu");
	shim_rcu_wait();
}

long shim_rcu_expedited;

void synchronize_rcu_expedited(void)
{
	__atomic_fetch_add(&shim_rcu_expedited, 1, __ATOMIC_RELAXED);
	synchronize_rcu();
}

unsigned long get_state_synchronize_rcu(void)
{
	return __atomic_load_n(&shim_rcu_period, __ATOMIC_SEQ_CST) + 1;
}

/* The wait that opened the cookie's period began after the cookie was taken. */
bool poll_state_synchronize_rcu(unsigned long cookie)
{
	return smp_load_acquire(&shim_rcu_completed) >= cookie;
}

void cond_synchronize_rcu(unsigned long cookie)
{
	if (!poll_state_synchronize_rcu(cookie))
		synchronize_rcu();
}

void call_rcu(struct rcu_head *head, rcu_callback_t func)
{
	struct rcu_head *old;

	head->func = func;
	__atomic_fetch_add(&shim_rcu_pending, 1, __ATOMIC_RELAXED);
	old = READ_ONCE(shim_rcu_queue);
	do {
		WRITE_ONCE(head->next, old);
	} while (!try_cmpxchg(&shim_rcu_queue, &old, head));
}

static void shim_rcu_call(struct rcu_head *head)
{
	unsigned long off = (unsigned long)head->func;

	if (off < SHIM_RCU_OFFSETS)
		kfree((char *)head - off);
	else
		head->func(head);
	__atomic_fetch_sub(&shim_rcu_pending, 1, __ATOMIC_RELAXED);
}

/* Oldest first, like the kernel. */
static bool shim_rcu_batch(void)
{
	struct rcu_head *in = xchg(&shim_rcu_queue, NULL), *list = NULL;
	struct shim_thread *t = shim_self();

	if (!in)
		return false;
	while (in) {
		struct rcu_head *next = in->next;

		in->next = list;
		list = in;
		in = next;
	}
	shim_rcu_wait();
	t->softirq++;
	while (list) {
		struct rcu_head *next = list->next;

		shim_rcu_call(list);
		list = next;
	}
	t->softirq--;
	return true;
}

void shim_rcu_run(void)
{
	if (!READ_ONCE(shim_rcu_queue))
		return;
	while (shim_rcu_batch())
		;
}

static void *shim_rcu_main(void *arg)
{
	shim_thread_attach(-1);
	pthread_mutex_lock(&shim_rcu_lock);
	while (!shim_rcu_stop || READ_ONCE(shim_rcu_queue)) {
		unsigned long ticket = shim_rcu_taken;
		bool some;

		pthread_mutex_unlock(&shim_rcu_lock);
		some = shim_rcu_batch();
		if (!some)
			usleep(200);
		pthread_mutex_lock(&shim_rcu_lock);
		shim_rcu_done = ticket;
		pthread_cond_broadcast(&shim_rcu_cond);
	}
	pthread_mutex_unlock(&shim_rcu_lock);
	return NULL;
}

void rcu_barrier(void)
{
	shim_might_sleep("rcu_barrier");
	pthread_mutex_lock(&shim_rcu_lock);
	if (shim_rcu_running) {
		unsigned long ticket = ++shim_rcu_taken;

		while ((long)(shim_rcu_done - ticket) < 0)
			pthread_cond_wait(&shim_rcu_cond, &shim_rcu_lock);
		pthread_mutex_unlock(&shim_rcu_lock);
		return;
	}
	pthread_mutex_unlock(&shim_rcu_lock);
	shim_rcu_run();
}

void shim_rcu_thread(bool on)
{
	if (on == shim_rcu_running)
		return;
	if (on) {
		shim_rcu_stop = false;
		shim_rcu_running = true;
		if (pthread_create(&shim_rcu_pthread, NULL, shim_rcu_main, NULL))
			shim_fatal("no thread for RCU");
		return;
	}
	pthread_mutex_lock(&shim_rcu_lock);
	shim_rcu_stop = true;
	pthread_mutex_unlock(&shim_rcu_lock);
	pthread_join(shim_rcu_pthread, NULL);
	shim_rcu_running = false;
}
