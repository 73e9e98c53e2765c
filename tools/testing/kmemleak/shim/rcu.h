/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * RCU with the kernel's rules: readers nest, a section with preemption or interrupts off
 * is a reader, too, and call_rcu() works in any context. Callbacks run when the harness
 * calls them, or in the reclaimer thread if there are threads.
 */
#ifndef _SHIM_RCU_H
#define _SHIM_RCU_H

#include "lock.h"

struct rcu_head {
	struct rcu_head *next;
	void (*func)(struct rcu_head *head);
};

#define callback_head rcu_head
typedef void (*rcu_callback_t)(struct rcu_head *head);

extern unsigned long shim_rcu_period;
/* Callbacks queued and not yet run. */
extern long shim_rcu_pending;

static inline void shim_rcu_enter(struct shim_thread *t)
{
	if (t->rcu_nest++)
		return;
	/* with preemption off, that section is the reader */
	if (!t->atomic_depth)
		shim_span_begin(t, SHIM_SPAN_RCU);
#if SHIM_TSAN
	__atomic_store_n(&t->rcu_ctr,
			 __atomic_load_n(&shim_rcu_period, __ATOMIC_SEQ_CST),
			 __ATOMIC_SEQ_CST);
	shim_fence();
#else
	/* The waiter's membarrier() acts as the full barrier that is needed here. */
	WRITE_ONCE(t->rcu_ctr, READ_ONCE(shim_rcu_period));
	barrier();
#endif
}

static inline void shim_rcu_exit(struct shim_thread *t)
{
	if (t->rcu_nest <= 0)
		shim_fatal("rcu_read_unlock() without a lock");
	if (!--t->rcu_nest) {
		shim_span_end(t, SHIM_SPAN_RCU);
		smp_store_release(&t->rcu_ctr, 0);
	}
}

#define rcu_read_lock()		shim_rcu_enter(shim_self())
#define rcu_read_unlock()	shim_rcu_exit(shim_self())
#define rcu_read_lock_sched()	do { preempt_disable(); } while (0)
#define rcu_read_unlock_sched()	do { preempt_enable(); } while (0)
#define rcu_read_lock_bh()	rcu_read_lock()
#define rcu_read_unlock_bh()	rcu_read_unlock()
#define rcu_read_lock_held()	(shim_self()->rcu_nest > 0 || shim_self()->atomic_depth > 0)
#define rcu_read_lock_any_held() rcu_read_lock_held()
#define rcu_read_lock_sched_held() (shim_self()->atomic_depth > 0)
#define rcu_is_watching()	true
#define rcu_assert_reader(c) do {					\
	if (unlikely(!(c) && !rcu_read_lock_held()))			\
		shim_fatal("%s:%d: RCU pointer read outside a reader",	\
			   __FILE__, __LINE__);				\
} while (0)
#define RCU_LOCKDEP_WARN(c, s) do {					\
	if (unlikely(c))						\
		shim_fatal("%s:%d: %s", __FILE__, __LINE__, s);		\
} while (0)

#define __shim_rcu_load(p) __atomic_load_n(&(p), __ATOMIC_ACQUIRE)
#define rcu_dereference(p) ({ rcu_assert_reader(0); __shim_rcu_load(p); })
#define rcu_dereference_check(p, c) ({ rcu_assert_reader(c); __shim_rcu_load(p); })
#define rcu_dereference_sched(p) rcu_dereference(p)
#define rcu_dereference_raw(p)	__shim_rcu_load(p)
#define rcu_dereference_protected(p, c) ({				\
	if (unlikely(!(c)))						\
		shim_fatal("%s:%d: %s", __FILE__, __LINE__, #c);	\
	READ_ONCE(p); })
#define rcu_access_pointer(p)	READ_ONCE(p)
#define rcu_pointer_handoff(p)	(p)
#define rcu_assign_pointer(p, v) smp_store_release(&(p), v)
#define rcu_replace_pointer(p, n, c) ({ typeof(p) __old = (p);		\
	rcu_assign_pointer(p, n); __old; })
#define RCU_INIT_POINTER(p, v)	WRITE_ONCE(p, v)

void call_rcu(struct rcu_head *head, rcu_callback_t func);
#define call_rcu_hurry(h, f)	call_rcu(h, f)
void synchronize_rcu(void);
/* Expedited grace periods, which interrupt all CPUs. */
extern long shim_rcu_expedited;
void synchronize_rcu_expedited(void);
#define synchronize_sched()	synchronize_rcu()
#define synchronize_net()	synchronize_rcu()
void rcu_barrier(void);
#define kvfree_rcu_barrier() rcu_barrier()
unsigned long get_state_synchronize_rcu(void);
bool poll_state_synchronize_rcu(unsigned long cookie);
#define start_poll_synchronize_rcu() get_state_synchronize_rcu()
void cond_synchronize_rcu(unsigned long cookie);

/* kfree_rcu(): the offset is passed as the function, since it is small. */
#define kfree_rcu(p, m) do { typeof(p) __kp = (p);			\
	if (__kp)							\
		call_rcu(&__kp->m, (rcu_callback_t)offsetof(typeof(*__kp), m)); \
} while (0)
#define kvfree_rcu(p, m)	kfree_rcu(p, m)

/* For the harness: run callbacks that are ready; start or stop the reclaimer thread. */
void shim_rcu_run(void);
void shim_rcu_thread(bool on);

#endif /* _SHIM_RCU_H */
