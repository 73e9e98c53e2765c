// SPDX-License-Identifier: GPL-2.0-only
/*
 * Work items, interrupt work and timers. They wait on lists until the harness or a flush
 * runs them, so that a test decides when they run.
 */
#include <pthread.h>
#include <stdlib.h>

#include "../os.h"

static int shim_wq_token;
#define SHIM_WQ ((struct workqueue_struct *)&shim_wq_token)
struct workqueue_struct *system_wq = SHIM_WQ, *system_unbound_wq = SHIM_WQ;
struct workqueue_struct *system_long_wq = SHIM_WQ, *system_percpu_wq = SHIM_WQ;
struct workqueue_struct *system_dfl_wq = SHIM_WQ, *system_highpri_wq = SHIM_WQ;

static pthread_mutex_t shim_work_lock = PTHREAD_MUTEX_INITIALIZER;
/* A running item, so that a synchronous cancel can wait for it. */
static pthread_cond_t shim_work_cond = PTHREAD_COND_INITIALIZER;
static struct work_struct *shim_work_current;
static pthread_t shim_work_runner;
static LIST_HEAD(shim_works);
static LIST_HEAD(shim_timers);
static LLIST_HEAD(shim_irq_works);

bool shim_queue_work(struct work_struct *w, unsigned long delay, bool timer, bool mod)
{
	bool queued = false;

	pthread_mutex_lock(&shim_work_lock);
	if (w->pending && mod)
		list_del(&w->entry);
	if (!w->pending || mod) {
		queued = !w->pending;
		w->due = jiffies + delay;
		WRITE_ONCE(w->pending, timer ? 2 : 1);
		list_add_tail(&w->entry, &shim_works);
	}
	pthread_mutex_unlock(&shim_work_lock);
	return queued;
}

static struct work_struct *shim_work_due(void)
{
	struct work_struct *w;

	list_for_each_entry(w, &shim_works, entry)
		if (w->pending == 1 || time_after_eq(jiffies, w->due))
			return w;
	return NULL;
}

/* Called with the lock held; drops it meanwhile. */
static void shim_work_exec(struct work_struct *w)
{
	work_func_t func = w->func;

	list_del(&w->entry);
	WRITE_ONCE(w->pending, 0);
	shim_work_current = w;
	shim_work_runner = pthread_self();
	pthread_mutex_unlock(&shim_work_lock);
	func(w);
	pthread_mutex_lock(&shim_work_lock);
	shim_work_current = NULL;
	pthread_cond_broadcast(&shim_work_cond);
}

static void shim_work_wait(struct work_struct *w)
{
	while (shim_work_current == w && !pthread_equal(shim_work_runner, pthread_self()))
		pthread_cond_wait(&shim_work_cond, &shim_work_lock);
}

bool cancel_work_sync(struct work_struct *w)
{
	bool was;

	pthread_mutex_lock(&shim_work_lock);
	was = w->pending;
	if (was)
		list_del(&w->entry);
	WRITE_ONCE(w->pending, 0);
	shim_work_wait(w);
	pthread_mutex_unlock(&shim_work_lock);
	return was;
}

bool flush_work(struct work_struct *w)
{
	bool was;

	shim_might_sleep("flush_work");
	pthread_mutex_lock(&shim_work_lock);
	was = w->pending;
	shim_work_wait(w);
	if (w->pending)
		shim_work_exec(w);
	pthread_mutex_unlock(&shim_work_lock);
	return was;
}

static int shim_timers_run(void)
{
	struct timer_list *t;
	int ran = 0;

	pthread_mutex_lock(&shim_work_lock);
again:
	list_for_each_entry(t, &shim_timers, entry) {
		if (time_before(jiffies, t->expires))
			continue;
		list_del(&t->entry);
		t->pending = 0;
		pthread_mutex_unlock(&shim_work_lock);
		shim_self()->softirq++;
		t->function(t);
		shim_self()->softirq--;
		ran++;
		pthread_mutex_lock(&shim_work_lock);
		goto again;
	}
	pthread_mutex_unlock(&shim_work_lock);
	return ran;
}

int shim_work_run(void)
{
	struct work_struct *w;
	int ran;

	shim_irqs_now_on();
	ran = shim_timers_run();
	pthread_mutex_lock(&shim_work_lock);
	while ((w = shim_work_due())) {
		shim_work_exec(w);
		ran++;
	}
	pthread_mutex_unlock(&shim_work_lock);
	return ran;
}

int mod_timer(struct timer_list *t, unsigned long expires)
{
	int was;

	pthread_mutex_lock(&shim_work_lock);
	was = t->pending;
	if (!was)
		list_add_tail(&t->entry, &shim_timers);
	t->pending = 1;
	t->expires = expires;
	pthread_mutex_unlock(&shim_work_lock);
	return was;
}

int timer_delete_sync(struct timer_list *t)
{
	int was;

	pthread_mutex_lock(&shim_work_lock);
	was = t->pending;
	if (was)
		list_del(&t->entry);
	t->pending = 0;
	pthread_mutex_unlock(&shim_work_lock);
	return was;
}

bool irq_work_queue(struct irq_work *w)
{
	if (xchg(&w->pending, 1))
		return false;
	llist_add(&w->node, &shim_irq_works);
	if (!irqs_disabled())
		shim_irqs_now_on();
	return true;
}

void irq_work_sync(struct irq_work *w)
{
	shim_irqs_now_on();
	while (smp_load_acquire(&w->pending))
		cpu_relax();
}

/* Interrupts were enabled: run the work that has waited for that. */
void shim_irqs_now_on(void)
{
	struct shim_thread *t = shim_self();
	struct irq_work *w, *n;
	struct llist_node *list;

	if (llist_empty(&shim_irq_works) || t->irqs_off)
		return;
	list = llist_reverse_order(llist_del_all(&shim_irq_works));
	t->hardirq++;
	llist_for_each_entry_safe(w, n, list, node) {
		smp_store_release(&w->pending, 0);
		w->func(w);
	}
	t->hardirq--;
}
