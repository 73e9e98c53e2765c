/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Virtual CPUs and the execution context of a thread: interrupts, preemption, hard and
 * soft interrupts, and the kernel's rules for the context.
 *
 * Threads may share a virtual CPU. While one of them has preemption or interrupts off,
 * it has the CPU's token, and the others wait. So local_irq_save() alone protects
 * per-CPU data, as in the kernel, and without it there is a race here, too.
 */
#ifndef _SHIM_THREAD_H
#define _SHIM_THREAD_H

#include "bits.h"
#include "span.h"

#define nr_cpu_ids	shim_nr_cpus
#define NR_CPUS		CONFIG_NR_CPUS

struct task_struct;

struct shim_thread {
	unsigned int id;		/* non-zero; the owner word of its locks */
	int cpu;
	int atomic_depth;		/* preemption is off, for any reason */
	int raw_held;
	int sleeping_held;		/* mutexes and other sleeping locks */
	int migrate_off;
	int rcu_nest;
	bool irqs_off;
	int hardirq, softirq;
	bool mems;			/* has the memory hotplug lock */
	long mems_polls;		/* polls since then */
	unsigned long rcu_ctr;		/* 0, or the period in which the reader began */
	struct task_struct *task;
	long mem_bytes, mem_allocs, mem_frees;
	bool live;
};

extern __thread struct shim_thread *shim_me;
extern unsigned int shim_nr_cpus;
/* Refuse to print under a raw lock, which only stock does. */
extern bool shim_strict;
/* Set before threads start if each thread has a CPU of its own. */
extern bool shim_cpus_private;

struct shim_thread *shim_thread_attach(int cpu);
void shim_thread_detach(void);
/* The thread that has attached as number @i, ended or not; NULL: there is none. */
struct shim_thread *shim_thread_nth(unsigned int i);
void shim_cpu_claim(struct shim_thread *t);
void shim_cpu_release(struct shim_thread *t);
void shim_irqs_now_on(void);
void shim_might_sleep(const char *what);
void shim_no_raw_lock(const char *what);

static inline struct shim_thread *shim_self(void)
{
	struct shim_thread *t = shim_me;

	return likely(t) ? t : shim_thread_attach(-1);
}

static inline void shim_atomic_enter(struct shim_thread *t)
{
	if (!t->atomic_depth++) {
		shim_cpu_claim(t);
		shim_span_begin(t, SHIM_SPAN_ATOMIC);
	}
	barrier();
}

static inline void shim_atomic_exit(struct shim_thread *t)
{
	barrier();
	if (t->atomic_depth <= 0)
		shim_fatal("preemption enabled more often than disabled");
	if (!--t->atomic_depth) {
		shim_span_end(t, SHIM_SPAN_ATOMIC);
		shim_cpu_release(t);
	}
}

#define preempt_disable()	shim_atomic_enter(shim_self())
#define preempt_enable()	shim_atomic_exit(shim_self())
#define preempt_disable_notrace() preempt_disable()
#define preempt_enable_notrace() preempt_enable()
#define preempt_enable_no_resched() preempt_enable()
#define preempt_count()		(shim_self()->atomic_depth)
#define preemptible()		(!preempt_count() && !irqs_disabled())
#define in_atomic()		(preempt_count() != 0)
#define migrate_disable()	(shim_self()->migrate_off++)
#define migrate_enable()	(shim_self()->migrate_off--)
#define might_sleep()		shim_might_sleep(__func__)
#define might_sleep_if(c)	do { if (c) might_sleep(); } while (0)
#define might_resched()		do { } while (0)
#define cant_sleep()		do { } while (0)

static inline unsigned long shim_irq_save(void)
{
	struct shim_thread *t = shim_self();
	unsigned long was = t->irqs_off;

	if (!was) {
		shim_atomic_enter(t);
		t->irqs_off = true;
	}
	return was;
}

static inline void shim_irq_restore(unsigned long was)
{
	struct shim_thread *t = shim_self();

	if (!was && t->irqs_off) {
		t->irqs_off = false;
		shim_atomic_exit(t);
		shim_irqs_now_on();
	}
}

#define local_irq_save(f)	((f) = shim_irq_save())
#define local_irq_restore(f)	shim_irq_restore(f)
#define local_irq_disable()	((void)shim_irq_save())
#define local_irq_enable()	shim_irq_restore(0)
#define local_save_flags(f)	((f) = shim_self()->irqs_off)
#define raw_local_irq_save(f)	local_irq_save(f)
#define raw_local_irq_restore(f) local_irq_restore(f)
#define irqs_disabled()		(shim_self()->irqs_off)
#define irqs_disabled_flags(f)	(f)
#define raw_irqs_disabled()	irqs_disabled()
#define local_bh_disable() do {						\
	shim_self()->softirq += 2;					\
	preempt_disable();						\
} while (0)
#define local_bh_enable() do {						\
	preempt_enable();						\
	shim_self()->softirq -= 2;					\
} while (0)

#define in_hardirq()		(shim_self()->hardirq != 0)
#define in_irq()		in_hardirq()
#define in_serving_softirq()	((shim_self()->softirq & 1) != 0)
#define in_softirq()		(shim_self()->softirq != 0)
#define in_interrupt()		(in_hardirq() || in_softirq())
#define in_nmi()		0
#define in_task()		(!in_hardirq() && !in_serving_softirq())

#define raw_smp_processor_id()	(shim_self()->cpu)
#define smp_processor_id()	raw_smp_processor_id()
#define debug_smp_processor_id() raw_smp_processor_id()

static inline int get_cpu(void)
{
	preempt_disable();
	return raw_smp_processor_id();
}

#define put_cpu()		preempt_enable()
#define numa_node_id()		0
#define numa_mem_id()		0
#define cpu_to_node(c)		0
#define cpu_to_mem(c)		0
#define NUMA_NO_NODE		(-1)
#define MAX_NUMNODES		1
#define nr_node_ids		1
#define for_each_node(n)	for ((n) = 0; (n) < 1; (n)++)
#define for_each_online_node(n)	for_each_node(n)

/*
 * A poll: a signal arrives at the call at which shim_signal_in, which is decremented,
 * becomes 0. shim_polls counts the calls. shim_poll(), if set, is called each time, and
 * may do anything that another thread could do.
 */
extern void (*shim_poll)(void);
extern long shim_signal_in, shim_polls;
/* Calls of mutex_trylock(). */
extern unsigned long shim_trylocks;
int shim_cond_resched(void);

static inline int cond_resched(void)
{
	int ret;

	shim_span_end(shim_self(), SHIM_SPAN_POLL);
	ret = shim_cond_resched();
	shim_span_begin(shim_self(), SHIM_SPAN_POLL);
	return ret;
}

#define cond_resched_rcu()	do { } while (0)
#define cond_resched_tasks_rcu_qs() cond_resched()
#define rcu_softirq_qs()	do { } while (0)
extern int shim_need_resched;
#define need_resched()		READ_ONCE(shim_need_resched)
#define touch_nmi_watchdog()	do { } while (0)
#define touch_softlockup_watchdog() do { } while (0)

#endif /* _SHIM_THREAD_H */
