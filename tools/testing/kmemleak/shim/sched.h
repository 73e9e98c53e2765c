/* SPDX-License-Identifier: GPL-2.0-only */
/* Tasks, their stacks, kernel threads, waiting, time and deferred work. */
#ifndef _SHIM_SCHED_H
#define _SHIM_SCHED_H

#include "percpu.h"

#define TASK_COMM_LEN	16
#define PID_MAX_LIMIT	(4 * 1024 * 1024)
#define PF_KTHREAD	0x00200000
#define PF_EXITING	0x00000004
#define PF_NO_SETAFFINITY 0x04000000
#define TASK_RUNNING	0
#define TASK_INTERRUPTIBLE 1
#define TASK_UNINTERRUPTIBLE 2
#define TASK_IDLE	0x402
#define TASK_NORMAL	3
#define MAX_SCHEDULE_TIMEOUT LONG_MAX

struct mm_struct;

/* Signals: a bit each, as in the kernel. */
#define _NSIG_WORDS	1
struct sigpending {
	struct {
		unsigned long sig[_NSIG_WORDS];
	} signal;
};

struct signal_struct {
	struct sigpending shared_pending;
};

/* The numbers of most machines. Signals are only used by these masks. */
#define SHIM_SIG(nr)	(1UL << ((nr) - 1))
#define SHIM_SIGINT	SHIM_SIG(2)
#define SHIM_SIGCHLD	SHIM_SIG(17)
#define SHIM_SIGTSTP	SHIM_SIG(20)
#define SIG_KERNEL_IGNORE_MASK (SHIM_SIGCHLD | SHIM_SIG(18) | SHIM_SIG(23) | SHIM_SIG(28))
#define SIG_KERNEL_STOP_MASK (SHIM_SIG(19) | SHIM_SIGTSTP | SHIM_SIG(21) | SHIM_SIG(22))

struct pid {
	int nr;
};

struct task_struct {
	struct pid pid_struct;
	pid_t pid, tgid;
	char comm[TASK_COMM_LEN];
	unsigned int flags;
	void *stack;			/* NULL: exited, or a task of the harness */
	struct mm_struct *mm;
	union {
		struct sigpending pending;
		unsigned long sigpending;
	};
	struct signal_struct signal[1];
	struct {
		unsigned long sig[_NSIG_WORDS];
	} blocked;
	bool notified;			/* TIF_NOTIFY_SIGNAL */
	unsigned int __state;
	int usage;
	int nice;
	unsigned int cpu;
	/* for a task that sleeps; without sp, its whole stack is read */
	int on_cpu;
	unsigned long nvcsw, nivcsw;
	void *sp;
	unsigned long regs[2];
	int kmemleak_nesting;
	struct shim_kthread *kthread;
};

#define current		(shim_self()->task)
#define get_current()	current
#define task_pid_nr(t)	((t)->pid)
#define get_task_struct(t) ({ (t)->usage++; (t); })
#define put_task_struct(t) ((void)(t)->usage--)
#define task_stack_page(t) ((t)->stack)
#define try_get_task_stack(t) ((t)->stack)
#define put_task_stack(t) ((void)(t))
#define set_user_nice(t, n) ((void)((t)->nice = (n)))
#define set_cpus_allowed_ptr(t, m) ((void)(t), (void)(m), 0)
#define task_sigpending(t) (READ_ONCE((t)->sigpending) ||			\
			    READ_ONCE((t)->signal->shared_pending.signal.sig[0]))
#define signal_pending(t) (READ_ONCE((t)->notified) || task_sigpending(t))
#define fatal_signal_pending(t) signal_pending(t)
#define get_task_comm(b, t) strscpy(b, (t)->comm)
#define sched_set_fifo_low(t) ((void)(t))

/* All tasks, in the order of their pids. */
struct pid_namespace { int unused; };
extern struct pid_namespace init_pid_ns;
enum pid_type { PIDTYPE_PID, PIDTYPE_TGID };
extern struct task_struct shim_tasks[W_NR_TASKS];
/* more tasks: see world_many_tasks() */
extern struct task_struct *shim_more_tasks;
extern int shim_nr_more_tasks;
struct pid *find_ge_pid(int nr, struct pid_namespace *ns);
#define pid_nr(p)	((p)->nr)
struct task_struct *pid_task(struct pid *p, enum pid_type t);
#define init_task	(shim_tasks[0])
#define for_each_process(p)						\
	for ((p) = shim_tasks; (p) < shim_tasks + W_NR_TASKS; (p)++)
#define for_each_process_thread(p, t)					\
	for ((p) = shim_tasks, (t) = (p); (p) < shim_tasks + W_NR_TASKS; (t) = ++(p))
#define for_each_thread(p, t)						\
	for ((t) = (p); (t); (t) = NULL)
#define idle_task(c)	((struct task_struct *)NULL)

/* Time: jiffies change only when the harness advances them. */
extern unsigned long volatile jiffies;
#define INITIAL_JIFFIES	((unsigned long)(unsigned int)(-300 * HZ))
#define time_after(a, b) ((long)((b) - (a)) < 0)
#define time_before(a, b) time_after(b, a)
#define time_after_eq(a, b) ((long)((a) - (b)) >= 0)
#define time_before_eq(a, b) time_after_eq(b, a)
#define time_is_before_jiffies(a) time_after(jiffies, a)
#define time_is_after_jiffies(a) time_before(jiffies, a)
#define msecs_to_jiffies(m) (((unsigned long)(m) * HZ + 999) / 1000)
#define secs_to_jiffies(s) ((unsigned long)(s) * HZ)
#define usecs_to_jiffies(u) (((unsigned long)(u) * HZ + 999999) / 1000000)
#define jiffies_to_msecs(j) ((unsigned int)((j) * (1000 / HZ)))
#define jiffies_to_nsecs(j) ((u64)(j) * (NSEC_PER_SEC / HZ))
#define get_jiffies_64() ((u64)jiffies)
typedef s64 ktime_t;
u64 shim_clock_ns(void);
u64 shim_cpu_ns(void);
#define task_sched_runtime(t)	((void)(t), shim_cpu_ns())	/* of the current task */
#define local_clock()	shim_clock_ns()
/* A counter of 4 GHz; the harness decides what time it is. */
#define rdtsc()		((u64)shim_clock_ns() << 2)
#define ktime_get_mono_fast_ns() shim_clock_ns()
#define sched_clock()	shim_clock_ns()
#define ktime_get_ns()	shim_clock_ns()
#define ktime_get_mono_fast_ns() shim_clock_ns()
#define ktime_get_raw_ns() shim_clock_ns()
#define ktime_get_boottime_ns() shim_clock_ns()
#define ms_to_ktime(m)	((ktime_t)(m) * NSEC_PER_MSEC)
#define ns_to_ktime(n)	((ktime_t)(n))
#define ktime_get()	((ktime_t)shim_clock_ns())
#define ktime_sub(a, b)	((a) - (b))
#define ktime_add(a, b)	((a) + (b))
#define ktime_to_ns(t)	((s64)(t))
#define ktime_to_us(t)	((s64)(t) / 1000)
#define ktime_to_ms(t)	((s64)(t) / 1000000)
#define ktime_us_delta(a, b) (((a) - (b)) / 1000)
#define ktime_ms_delta(a, b) (((a) - (b)) / 1000000)
#define get_cycles()	((unsigned long)shim_clock_ns())

/* Advance the clock; wake sleepers, and make timers due. */
void shim_time_advance(unsigned long delta);

long schedule_timeout(long timeout);
long schedule_timeout_interruptible(long timeout);
#define schedule_timeout_uninterruptible(t) schedule_timeout(t)
#define schedule_timeout_idle(t) schedule_timeout(t)
void schedule(void);
void yield(void);
#define set_current_state(s)	smp_store_mb(current->__state, (s))
#define __set_current_state(s)	WRITE_ONCE(current->__state, (s))
int wake_up_process(struct task_struct *t);
void msleep(unsigned int ms);
#define msleep_interruptible(m)	(msleep(m), 0UL)
#define usleep_range(a, b)	msleep(1)
#define usleep_range_state(a, b, s) shim_nap()
/* A short time of the real clock, independent of jiffies. */
void shim_nap(void);
#define udelay(u)		((void)(u))
#define ndelay(n)		((void)(n))

/* Kernel threads are pthreads with a task. */
struct task_struct *shim_kthread_create(int (*fn)(void *), void *arg, int cpu,
					const char *fmt, ...) __printf(4, 5);
#define kthread_create(fn, a, fmt...) shim_kthread_create(fn, a, -1, fmt)
#define kthread_create_on_node(fn, a, n, fmt...) shim_kthread_create(fn, a, -1, fmt)
#define kthread_create_on_cpu(fn, a, c, fmt) shim_kthread_create(fn, a, c, fmt, c)
#define kthread_run(fn, a, fmt...) ({					\
	struct task_struct *__k = kthread_create(fn, a, fmt);		\
	if (!IS_ERR(__k))						\
		wake_up_process(__k);					\
	__k; })
#define kthread_run_on_cpu(fn, a, c, fmt) ({				\
	struct task_struct *__k = kthread_create_on_cpu(fn, a, c, fmt);	\
	if (!IS_ERR(__k))						\
		wake_up_process(__k);					\
	__k; })
void kthread_bind(struct task_struct *t, unsigned int cpu);
void kthread_bind_mask(struct task_struct *t, const struct cpumask *m);
#define kthread_affine_preferred(t, m) ((void)(t), (void)(m), 0)
bool kthread_should_stop(void);
bool kthread_should_park(void);
void kthread_parkme(void);
int kthread_park(struct task_struct *t);
void kthread_unpark(struct task_struct *t);
int kthread_stop(struct task_struct *t);
/* A test calls the notifier to make the machine sleep. */
enum {
	PM_HIBERNATION_PREPARE = 1, PM_POST_HIBERNATION, PM_SUSPEND_PREPARE, PM_POST_SUSPEND,
	PM_RESTORE_PREPARE, PM_POST_RESTORE,
};

#define NOTIFY_DONE	0

extern bool pm_freezing;

struct notifier_block;
extern int (*shim_pm_notify)(struct notifier_block *nb, unsigned long action, void *data);
#define pm_notifier(fn, pri)	((void)(shim_pm_notify = (fn)))
/* One thread for each CPU; see shim_cpu_down() and shim_cpu_up(). */
struct smp_hotplug_thread {
	struct task_struct **store;
	int (*thread_should_run)(unsigned int cpu);
	void (*thread_fn)(unsigned int cpu);
	void (*setup)(unsigned int cpu);
	const char *thread_comm;
};

int smpboot_register_percpu_thread(struct smp_hotplug_thread *ht);
void shim_cpu_down(unsigned int cpu);
void shim_cpu_up(unsigned int cpu);
/* A bit for each CPU. */
extern unsigned long shim_isolated;
#define cpu_is_isolated(c)	(READ_ONCE(shim_isolated) >> (c) & 1)
#define housekeeping_test_cpu(c, t) ((void)(c), (t) == HK_TYPE_TICK)
#define wait_task_inactive(t, s) ((void)(t), (void)(s), 1UL)
#define task_cpu(t)		((t)->cpu)
#define task_nice(t)		((t)->nice)
/* Wait until every kernel thread sleeps or has ended. */
void shim_kthreads_settle(void);
/* Let new threads begin only in shim_kthreads_settle(): no race with a test. */
extern bool shim_kthreads_gated;
/* Make the Nth creation from now fail; 0 for none. */
extern int shim_kthread_fail;

/* Waiting. A queue's sequence number makes a lost wake-up impossible. */
typedef struct wait_queue_head {
	unsigned int seq;
	unsigned int waiters;
} wait_queue_head_t;

#define __WAIT_QUEUE_HEAD_INITIALIZER(n) { 0, 0 }
#define DECLARE_WAIT_QUEUE_HEAD(n) wait_queue_head_t n = { 0, 0 }
#define init_waitqueue_head(q)	((void)((q)->seq = 0, (q)->waiters = 0))
bool shim_wait(wait_queue_head_t *q, unsigned int seq, bool intr, unsigned long until);
void wake_up_all(wait_queue_head_t *q);
#define wake_up(q)		wake_up_all(q)
#define wake_up_interruptible(q) wake_up_all(q)
#define wake_up_interruptible_all(q) wake_up_all(q)
#define wq_has_sleeper(q)						\
	({ smp_mb(); __atomic_load_n(&(q)->waiters, __ATOMIC_SEQ_CST) != 0; })
#define waitqueue_active(q)	wq_has_sleeper(q)

#define __shim_wait_event(q, c, intr, until) ({				\
	long __ret = 0;							\
	shim_might_sleep("wait_event");					\
	/* on the queue before the condition is checked */		\
	__atomic_fetch_add(&(q).waiters, 1, __ATOMIC_SEQ_CST);		\
	for (;;) {							\
		unsigned int __seq = smp_load_acquire(&(q).seq);	\
		if (c)							\
			break;						\
		if ((intr) && signal_pending(current)) {		\
			__ret = -ERESTARTSYS;				\
			break;						\
		}							\
		if ((until) && time_after_eq(jiffies, (until))) {	\
			__ret = -ETIME;					\
			break;						\
		}							\
		shim_wait(&(q), __seq, intr, until);			\
	}								\
	__atomic_fetch_sub(&(q).waiters, 1, __ATOMIC_SEQ_CST);		\
	__ret; })
#define wait_event(q, c)	((void)__shim_wait_event(q, c, 0, 0UL))
#define wait_event_idle(q, c)	wait_event(q, c)
#define wait_event_interruptible(q, c) ((int)__shim_wait_event(q, c, 1, 0UL))
#define wait_event_killable(q, c) wait_event_interruptible(q, c)
#define wait_event_timeout(q, c, t) ({					\
	unsigned long __until = jiffies + (t);				\
	__shim_wait_event(q, c, 0, __until) ? 0L :			\
		max_t(long, (long)(__until - jiffies), 1L); })
#define wait_event_interruptible_timeout(q, c, t) ({			\
	unsigned long __until = jiffies + (t);				\
	long __r = __shim_wait_event(q, c, 1, __until);			\
	__r == -ETIME ? 0L : __r ? __r :				\
		max_t(long, (long)(__until - jiffies), 1L); })
/* By the real clock, which goes on without the harness. */
#define __shim_wait_hrtimeout(q, c, t, intr) ({				\
	u64 __end = shim_clock_ns() + (t);				\
	int __ret = 0;							\
	shim_might_sleep("wait_event");					\
	while (!(c) && !__ret) {					\
		if ((intr) && signal_pending(current))			\
			__ret = -ERESTARTSYS;				\
		else if (shim_clock_ns() >= __end)			\
			__ret = -ETIME;					\
		else							\
			shim_nap();					\
	}								\
	__ret; })
#define KTIME_MAX		LLONG_MAX
#define __wait_event_hrtimeout(q, c, t, s)				\
	((t) == KTIME_MAX ? wait_event_interruptible(q, c) :		\
	 __shim_wait_hrtimeout(q, c, t, (s) == TASK_INTERRUPTIBLE))
#define wait_event_interruptible_hrtimeout(q, c, t) __shim_wait_hrtimeout(q, c, t, 1)
#define wait_event_freezable(q, c) wait_event_interruptible(q, c)
#define wait_event_freezable_timeout(q, c, t) wait_event_interruptible_timeout(q, c, t)
#define wait_event_idle_timeout(q, c, t) wait_event_timeout(q, c, t)
#define wait_var_event(v, c)	wait_event(shim_var_wq, c)
#define wake_up_var(v)		wake_up_all(&shim_var_wq)
extern wait_queue_head_t shim_var_wq;

struct completion {
	unsigned int done;
	wait_queue_head_t wait;
};

#define COMPLETION_INITIALIZER(c) { 0, { 0, 0 } }
#define DECLARE_COMPLETION(c)	struct completion c = COMPLETION_INITIALIZER(c)
#define DECLARE_COMPLETION_ONSTACK(c) DECLARE_COMPLETION(c)
#define init_completion(c)	((void)((c)->done = 0, (c)->wait.seq = 0, (c)->wait.waiters = 0))
#define reinit_completion(c)	WRITE_ONCE((c)->done, 0)
void complete(struct completion *c);
void complete_all(struct completion *c);
void wait_for_completion(struct completion *c);
int wait_for_completion_interruptible(struct completion *c);
bool try_wait_for_completion(struct completion *c);
#define completion_done(c)	(READ_ONCE((c)->done) != 0)

/* Programs begin when the kernel has booted. */
#define SYSTEM_RUNNING	1
#define system_state	SYSTEM_RUNNING

/* Work runs when the harness calls shim_work_run(), in process context. */
struct work_struct;
typedef void (*work_func_t)(struct work_struct *w);

struct work_struct {
	work_func_t func;
	struct list_head entry;
	unsigned int pending;		/* 1: queued, 2: queued with a timer */
	unsigned long due;
};

struct delayed_work {
	struct work_struct work;
};

struct workqueue_struct;
extern struct workqueue_struct *system_wq, *system_unbound_wq, *system_long_wq;
extern struct workqueue_struct *system_percpu_wq, *system_dfl_wq, *system_highpri_wq;
#define WQ_UNBOUND	2
#define WQ_MEM_RECLAIM	8
#define WORK_CPU_UNBOUND NR_CPUS
#define __SHIM_WORK(f)	{ .func = (f) }
#define DECLARE_WORK(n, f) struct work_struct n = __SHIM_WORK(f)
#define DECLARE_DELAYED_WORK(n, f) struct delayed_work n = { __SHIM_WORK(f) }
#define DECLARE_DEFERRABLE_WORK(n, f) DECLARE_DELAYED_WORK(n, f)
#define INIT_WORK(w, f)	(*(w) = (struct work_struct)__SHIM_WORK(f))
#define INIT_DELAYED_WORK(w, f) INIT_WORK(&(w)->work, f)
#define INIT_DEFERRABLE_WORK(w, f) INIT_DELAYED_WORK(w, f)
#define to_delayed_work(w) container_of(w, struct delayed_work, work)
bool shim_queue_work(struct work_struct *w, unsigned long delay, bool timer, bool mod);
#define schedule_work(w)	shim_queue_work(w, 0, false, false)
/* Work on system_long_wq runs at once; the caller waits for it. */
#define queue_work(q, w)						\
	((q) == system_long_wq ? ((w)->func(w), true) : schedule_work(w))
#define queue_work_on(c, q, w)	((void)(c), queue_work(q, w))
#define schedule_work_on(c, w)	((void)(c), schedule_work(w))
#define schedule_delayed_work(d, t) shim_queue_work(&(d)->work, t, (t) != 0, false)
#define queue_delayed_work(q, d, t) ((void)(q), schedule_delayed_work(d, t))
#define queue_delayed_work_on(c, q, d, t) ((void)(c), queue_delayed_work(q, d, t))
#define mod_delayed_work(q, d, t) ((void)(q), shim_queue_work(&(d)->work, t, (t) != 0, true))
bool cancel_work_sync(struct work_struct *w);
#define cancel_work(w)		cancel_work_sync(w)
#define cancel_delayed_work(d)	cancel_work_sync(&(d)->work)
#define cancel_delayed_work_sync(d) cancel_work_sync(&(d)->work)
bool flush_work(struct work_struct *w);
#define flush_delayed_work(d)	flush_work(&(d)->work)
#define work_pending(w)		(READ_ONCE((w)->pending) != 0)
#define delayed_work_pending(d)	work_pending(&(d)->work)
#define alloc_workqueue(n, f, m, a...) ((void)(f), system_wq)
#define alloc_ordered_workqueue(n, f) system_wq
#define destroy_workqueue(q)	((void)(q))
#define flush_workqueue(q)	((void)(q), shim_work_run())
/* Run all work that is due; return the number of items. */
int shim_work_run(void);

struct irq_work {
	void (*func)(struct irq_work *w);
	struct llist_node node;
	unsigned int pending;
};

#define IRQ_WORK_INIT(f)	{ .func = (f) }
#define DEFINE_IRQ_WORK(n, f)	struct irq_work n = IRQ_WORK_INIT(f)
#define init_irq_work(w, f)	(*(w) = (struct irq_work)IRQ_WORK_INIT(f))
bool irq_work_queue(struct irq_work *w);
void irq_work_sync(struct irq_work *w);

struct timer_list {
	struct list_head entry;
	unsigned long expires;
	void (*function)(struct timer_list *t);
	unsigned int pending;
};

#define timer_setup(t, f, fl)	(*(t) = (struct timer_list){ .function = (f) })
int mod_timer(struct timer_list *t, unsigned long expires);
int timer_delete_sync(struct timer_list *t);
#define del_timer_sync(t)	timer_delete_sync(t)
#define timer_delete(t)		timer_delete_sync(t)
#define timer_pending(t)	((t)->pending != 0)

#endif /* _SHIM_SCHED_H */
