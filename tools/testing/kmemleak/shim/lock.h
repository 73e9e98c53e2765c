/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Locks. A raw lock is one word with the thread id of its owner. That is no larger than
 * the kernel's, and enough to assert ownership and to notice a deadlock of a thread
 * with itself. Mutexes may only be taken where sleeping is allowed.
 */
#ifndef _SHIM_LOCK_H
#define _SHIM_LOCK_H

#include "list.h"
#include "thread.h"

struct lock_class_key { };
struct lockdep_map { int unused; };
struct lockdep_subclass_key { char c; };

typedef struct raw_spinlock {
	unsigned int owner;
} raw_spinlock_t;

typedef struct spinlock {
	raw_spinlock_t rlock;
} spinlock_t;

typedef raw_spinlock_t arch_spinlock_t;

struct mutex {
	unsigned int owner;
};

struct rw_semaphore {
	int count;			/* readers, or -1 for a writer */
	raw_spinlock_t lock;
};

#define __RAW_SPIN_LOCK_UNLOCKED(n) (raw_spinlock_t){ 0 }
#define __SPIN_LOCK_UNLOCKED(n)	(spinlock_t){ { 0 } }
#define __ARCH_SPIN_LOCK_UNLOCKED { 0 }
#define DEFINE_RAW_SPINLOCK(n)	raw_spinlock_t n = { 0 }
#define DEFINE_SPINLOCK(n)	spinlock_t n = { { 0 } }
#define DEFINE_MUTEX(n)		struct mutex n = { 0 }
#define __MUTEX_INITIALIZER(n)	{ 0 }
#define raw_spin_lock_init(l)	((void)((l)->owner = 0))
#define spin_lock_init(l)	((void)((l)->rlock.owner = 0))
#define mutex_init(m)		((void)((m)->owner = 0))
#define mutex_destroy(m)	((void)(m))
#define SINGLE_DEPTH_NESTING	1

void shim_spin_slow(unsigned int *owner, unsigned int me);
void shim_mutex_slow(struct mutex *m, unsigned int me);

/* @raw: 1, or 0 for a spinlock_t, under which RT kernels may allocate and print. */
static inline void shim_acquire(raw_spinlock_t *l, int raw)
{
	struct shim_thread *t = shim_self();
	unsigned int free = 0;

	if (!__atomic_compare_exchange_n(&l->owner, &free, t->id, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		shim_spin_slow(&l->owner, t->id);
	t->raw_held += raw;
}

static inline bool shim_try_acquire(raw_spinlock_t *l, int raw)
{
	struct shim_thread *t = shim_self();
	unsigned int free = 0;

	if (!__atomic_compare_exchange_n(&l->owner, &free, t->id, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return false;
	t->raw_held += raw;
	return true;
}

static inline void shim_release(raw_spinlock_t *l, int raw)
{
	struct shim_thread *t = shim_self();

	if (READ_ONCE(l->owner) != t->id)
		shim_fatal("lock %p released by thread %u, held by %u",
			   (void *)l, t->id, READ_ONCE(l->owner));
	t->raw_held -= raw;
	__atomic_store_n(&l->owner, 0, __ATOMIC_RELEASE);
}

static inline void shim_lock(raw_spinlock_t *l, int raw)
{
	preempt_disable();
	shim_acquire(l, raw);
}

static inline bool shim_trylock(raw_spinlock_t *l, int raw)
{
	preempt_disable();
	if (shim_try_acquire(l, raw))
		return true;
	preempt_enable();
	return false;
}

static inline void shim_unlock(raw_spinlock_t *l, int raw)
{
	shim_release(l, raw);
	preempt_enable();
}

#define shim_lock_irq(l, raw) do { local_irq_disable(); shim_acquire(l, raw); } while (0)
#define shim_unlock_irq(l, raw) do { shim_release(l, raw); local_irq_enable(); } while (0)
#define shim_lock_irqsave(l, f, raw) do { local_irq_save(f); shim_acquire(l, raw); } while (0)
#define shim_unlock_irqrestore(l, f, raw) do {				\
	shim_release(l, raw);						\
	local_irq_restore(f);						\
} while (0)
#define shim_lock_bh(l, raw) do { local_bh_disable(); shim_acquire(l, raw); } while (0)
#define shim_unlock_bh(l, raw) do { shim_release(l, raw); local_bh_enable(); } while (0)

#define raw_spin_lock(l) shim_lock(l, 1)
#define raw_spin_trylock(l) shim_trylock(l, 1)
#define raw_spin_unlock(l) shim_unlock(l, 1)
#define raw_spin_lock_nested(l, s) raw_spin_lock(l)
#define raw_spin_lock_nest_lock(l, o) raw_spin_lock(l)
#define raw_spin_lock_irq(l) shim_lock_irq(l, 1)
#define raw_spin_unlock_irq(l) shim_unlock_irq(l, 1)
#define raw_spin_lock_irqsave(l, f) shim_lock_irqsave(l, f, 1)
#define raw_spin_lock_irqsave_nested(l, f, s) raw_spin_lock_irqsave(l, f)
#define raw_spin_unlock_irqrestore(l, f) shim_unlock_irqrestore(l, f, 1)
#define raw_spin_lock_bh(l) shim_lock_bh(l, 1)
#define raw_spin_unlock_bh(l) shim_unlock_bh(l, 1)
#define raw_spin_trylock_irqsave(l, f) ({				\
	local_irq_save(f);						\
	shim_try_acquire(l, 1) ? 1 : ({ local_irq_restore(f); 0; }); })
#define raw_spin_is_locked(l)	(READ_ONCE((l)->owner) != 0)
#define raw_spin_is_contended(l) 0
#define assert_raw_spin_locked(l) lockdep_assert_held(l)

#define spin_lock(l)		shim_lock(&(l)->rlock, 0)
#define spin_lock_nested(l, s)	spin_lock(l)
#define spin_trylock(l)		shim_trylock(&(l)->rlock, 0)
#define spin_unlock(l)		shim_unlock(&(l)->rlock, 0)
#define spin_lock_irq(l)	shim_lock_irq(&(l)->rlock, 0)
#define spin_unlock_irq(l)	shim_unlock_irq(&(l)->rlock, 0)
#define spin_lock_bh(l)		shim_lock_bh(&(l)->rlock, 0)
#define spin_unlock_bh(l)	shim_unlock_bh(&(l)->rlock, 0)
#define spin_lock_irqsave(l, f)	shim_lock_irqsave(&(l)->rlock, f, 0)
#define spin_unlock_irqrestore(l, f) shim_unlock_irqrestore(&(l)->rlock, f, 0)
#define spin_is_locked(l)	raw_spin_is_locked(&(l)->rlock)

#define arch_spin_lock(l)	shim_acquire(l, 1)
#define arch_spin_trylock(l)	shim_try_acquire(l, 1)
#define arch_spin_unlock(l)	shim_release(l, 1)
#define arch_spin_is_locked(l)	raw_spin_is_locked(l)

void mutex_lock(struct mutex *m);
int mutex_lock_interruptible(struct mutex *m);
int mutex_trylock(struct mutex *m);
void mutex_unlock(struct mutex *m);
#define mutex_lock_killable(m)	mutex_lock_interruptible(m)
#define mutex_lock_nested(m, s)	mutex_lock(m)
#define mutex_is_locked(m)	(READ_ONCE((m)->owner) != 0)

void down_read(struct rw_semaphore *s);
void up_read(struct rw_semaphore *s);
void down_write(struct rw_semaphore *s);
void up_write(struct rw_semaphore *s);
#define DECLARE_RWSEM(n)	struct rw_semaphore n = { 0 }

/* Assertions that work: each kind of lock begins with its owner. */
#define lockdep_is_held(l) (READ_ONCE(*(const unsigned int *)(l)) == shim_self()->id)
#define lockdep_assert_held(l) do {					\
	if (unlikely(!lockdep_is_held(l)))				\
		shim_fatal("%s:%d: %s is not held", __FILE__, __LINE__, #l); \
} while (0)
#define lockdep_assert_held_once(l) lockdep_assert_held(l)
#define lockdep_assert_not_held(l) do {					\
	if (unlikely(lockdep_is_held(l)))				\
		shim_fatal("%s:%d: %s is held", __FILE__, __LINE__, #l); \
} while (0)
#define lockdep_assert(c) do {						\
	if (unlikely(!(c)))						\
		shim_fatal("%s:%d: %s", __FILE__, __LINE__, #c);	\
} while (0)
#define lockdep_assert_once(c)	lockdep_assert(c)
#define lockdep_assert_irqs_disabled() lockdep_assert(irqs_disabled())
#define lockdep_assert_irqs_enabled() lockdep_assert(!irqs_disabled())
#define lockdep_assert_preemption_disabled() lockdep_assert(in_atomic())
#define lockdep_assert_in_rcu_read_lock() lockdep_assert(rcu_read_lock_held())
#define lockdep_assert_cpus_held() do { } while (0)
#define lockdep_set_class(l, k)	((void)(l), (void)(k))
#define lockdep_set_class_and_name(l, k, n) ((void)(l), (void)(k))
#define lockdep_set_subclass(l, s) ((void)(l))
#define lockdep_set_novalidate_class(l) ((void)(l))
#define lockdep_register_key(k)	((void)(k))
#define lockdep_unregister_key(k) ((void)(k))
#define lock_acquire(x...)	((void)0)
#define lock_release(x...)	((void)0)
#define lock_map_acquire(m)	((void)(m))
#define lock_map_acquire_read(m) ((void)(m))
#define lock_map_release(m)	((void)(m))
#define might_lock(l)		((void)(l))
#define debug_locks		1

/* Sequence counters; the caller has a lock for writers. */
typedef struct seqcount {
	unsigned int sequence;
} seqcount_t;

typedef seqcount_t seqcount_raw_spinlock_t;
typedef seqcount_t seqcount_spinlock_t;

#define SEQCNT_ZERO(n)		{ 0 }
#define SEQCNT_RAW_SPINLOCK_ZERO(n, l) { 0 }
#define seqcount_init(s)	((void)((s)->sequence = 0))
#define seqcount_raw_spinlock_init(s, l) seqcount_init(s)

static inline unsigned int raw_read_seqcount(const seqcount_t *s)
{
	unsigned int v = READ_ONCE(s->sequence);

	smp_rmb();
	return v;
}

static inline unsigned int read_seqcount_begin(const seqcount_t *s)
{
	unsigned int v;

	while ((v = READ_ONCE(s->sequence)) & 1)
		cpu_relax();
	smp_rmb();
	return v;
}

static inline int read_seqcount_retry(const seqcount_t *s, unsigned int v)
{
	smp_rmb();
	return READ_ONCE(s->sequence) != v;
}

#define raw_read_seqcount_begin(s) read_seqcount_begin(s)
#define raw_seqcount_begin(s)	(raw_read_seqcount(s) & ~1U)

static inline void write_seqcount_begin(seqcount_t *s)
{
	WRITE_ONCE(s->sequence, s->sequence + 1);
	smp_wmb();
}

static inline void write_seqcount_end(seqcount_t *s)
{
	smp_wmb();
	WRITE_ONCE(s->sequence, s->sequence + 1);
}

#define raw_write_seqcount_begin(s) write_seqcount_begin(s)
#define raw_write_seqcount_end(s) write_seqcount_end(s)

/* Scope guards. */
#define SHIM_GUARD(name, lock_t, lockx, unlockx)			\
static inline void *shim_guard_##name(lock_t *l) { lockx; return l; }	\
static inline void shim_unguard_##name(void **p) { lock_t *l = *p; unlockx; }
#define guard(name) __SHIM_GUARD_##name
SHIM_GUARD(mutex, struct mutex, mutex_lock(l), mutex_unlock(l))
SHIM_GUARD(raw_spinlock, raw_spinlock_t, raw_spin_lock(l), raw_spin_unlock(l))
#define __SHIM_GUARD_mutex(l)						\
	void *__UNIQUE_ID(g) __attribute__((__cleanup__(shim_unguard_mutex), __unused__)) = \
		shim_guard_mutex(l)
#define __SHIM_GUARD_raw_spinlock(l)					\
	void *__UNIQUE_ID(g) __attribute__((__cleanup__(shim_unguard_raw_spinlock), __unused__)) = \
		shim_guard_raw_spinlock(l)

#endif /* _SHIM_LOCK_H */
