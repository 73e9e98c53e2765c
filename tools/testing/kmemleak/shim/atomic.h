/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Atomics and barriers by the compiler's __atomic builtins, so that TSan sees all of
 * them. The kernel's operations that return a value are fully ordered.
 */
#ifndef _SHIM_ATOMIC_H
#define _SHIM_ATOMIC_H

#include "base.h"

#if SHIM_TSAN
/* TSan knows nothing of address dependencies: pointers are read with acquire. */
#define READ_ONCE(x)							\
	__atomic_load_n(&(x), __builtin_classify_type(x) == 5 ?		\
			__ATOMIC_ACQUIRE : __ATOMIC_RELAXED)
#else
#define READ_ONCE(x)	__atomic_load_n(&(x), __ATOMIC_RELAXED)
#endif
#define WRITE_ONCE(x, v) do {						\
	typeof(x) *__wp = (typeof(x) *)&(x);				\
	__atomic_store_n(__wp, (typeof(x))(v), __ATOMIC_RELAXED);	\
} while (0)
#if SHIM_TSAN
/* The sanitizer's interface for intentional data races. */
void AnnotateIgnoreReadsBegin(const char *file, int line);
void AnnotateIgnoreReadsEnd(const char *file, int line);
void AnnotateIgnoreWritesBegin(const char *file, int line);
void AnnotateIgnoreWritesEnd(const char *file, int line);
#define data_race(e) ({							\
	AnnotateIgnoreReadsBegin(__FILE__, __LINE__);			\
	AnnotateIgnoreWritesBegin(__FILE__, __LINE__);			\
	__auto_type __dr = (e);						\
	AnnotateIgnoreWritesEnd(__FILE__, __LINE__);			\
	AnnotateIgnoreReadsEnd(__FILE__, __LINE__);			\
	__dr; })
#else
#define data_race(e)	({ (e); })
#endif
#define ACCESS_PRIVATE(p, m) ((p)->m)
#define READ_ONCE_NOCHECK(x) READ_ONCE(x)
#define ASSERT_EXCLUSIVE_WRITER(x) ((void)0)
#define ASSERT_EXCLUSIVE_ACCESS(x) ((void)0)

#if SHIM_TSAN
/*
 * TSan does not model fences. Here, each fence writes one shared word, which orders it
 * before all later fences. So there is no false report, and some races are missed.
 */
extern int shim_fence_word;
#define shim_fence() ((void)__atomic_fetch_add(&shim_fence_word, 0, __ATOMIC_SEQ_CST))
#else
#define shim_fence() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#endif
#if SHIM_TSAN
#define smp_mb()	shim_fence()
#define smp_rmb()	shim_fence()
#define smp_wmb()	shim_fence()
#else
#define smp_mb()	__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_rmb()	__atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_wmb()	__atomic_thread_fence(__ATOMIC_RELEASE)
#endif
#define mb()		smp_mb()
#define rmb()		smp_rmb()
#define wmb()		smp_wmb()
#define smp_mb__before_atomic() shim_fence()
#define smp_mb__after_atomic() shim_fence()
#define smp_mb__after_spinlock() shim_fence()
#define smp_mb__after_unlock_lock() shim_fence()
#define smp_acquire__after_ctrl_dep() smp_rmb()
#define smp_load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define smp_store_release(p, v) do {					\
	typeof(p) __sp = (p);						\
	__atomic_store_n(__sp, (typeof(*__sp))(v), __ATOMIC_RELEASE);	\
} while (0)
#define smp_store_mb(x, v) __atomic_exchange_n(&(x), (v), __ATOMIC_SEQ_CST)

void cpu_relax(void);
#define __shim_cond_load(p, cond, order) ({				\
	typeof(p) __cp = (p);						\
	typeof(*(p)) VAL;						\
	for (;;) {							\
		VAL = __atomic_load_n(__cp, order);			\
		if (cond)						\
			break;						\
		cpu_relax();						\
	}								\
	VAL; })
#define smp_cond_load_acquire(p, c) __shim_cond_load(p, c, __ATOMIC_ACQUIRE)
#define smp_cond_load_relaxed(p, c) __shim_cond_load(p, c, __ATOMIC_RELAXED)

/* Plain words and pointers. */
#define __shim_xchg(p, v, o) ({						\
	typeof(p) __xp = (p);						\
	__atomic_exchange_n(__xp, (typeof(*__xp))(v), o); })
#define xchg(p, v)	__shim_xchg(p, v, __ATOMIC_SEQ_CST)
#define xchg_acquire(p, v) __shim_xchg(p, v, __ATOMIC_ACQUIRE)
#define xchg_release(p, v) __shim_xchg(p, v, __ATOMIC_RELEASE)
#define xchg_relaxed(p, v) __shim_xchg(p, v, __ATOMIC_RELAXED)
#define __shim_cmpxchg(p, o, n, s, f) ({				\
	typeof(p) __xp = (p);						\
	typeof(*(p)) __xo = (typeof(*(p)))(o);				\
	__atomic_compare_exchange_n(__xp, &__xo, (typeof(*__xp))(n),	\
				    false, s, f);			\
	__xo; })
#define cmpxchg(p, o, n) __shim_cmpxchg(p, o, n, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
#define cmpxchg_acquire(p, o, n) __shim_cmpxchg(p, o, n, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)
#define cmpxchg_release(p, o, n) __shim_cmpxchg(p, o, n, __ATOMIC_RELEASE, __ATOMIC_RELAXED)
#define cmpxchg_relaxed(p, o, n) __shim_cmpxchg(p, o, n, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
#define cmpxchg64(p, o, n) cmpxchg(p, o, n)
#define __shim_try_cmpxchg(p, o, n, s, f) ({				\
	typeof(p) __xp = (p);						\
	__atomic_compare_exchange_n(__xp, (o), (typeof(*__xp))(n),	\
				    false, s, f); })
#define try_cmpxchg(p, o, n) __shim_try_cmpxchg(p, o, n, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
#define try_cmpxchg_acquire(p, o, n) __shim_try_cmpxchg(p, o, n, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)
#define try_cmpxchg_release(p, o, n) __shim_try_cmpxchg(p, o, n, __ATOMIC_RELEASE, __ATOMIC_RELAXED)
#define try_cmpxchg_relaxed(p, o, n) __shim_try_cmpxchg(p, o, n, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
#define try_cmpxchg64(p, o, n) try_cmpxchg(p, o, n)

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	long counter;
} atomic_long_t;

typedef struct {
	s64 counter;
} atomic64_t;

#define ATOMIC_INIT(i)	{ (i) }
#define ATOMIC_LONG_INIT(i) { (i) }
#define ATOMIC64_INIT(i) { (i) }

#define SHIM_ATOMIC_ORDERED(A, self_t, T, ord, ford, sfx...)		\
static inline T A##_xchg##sfx(self_t *v, T i)				\
{ return __atomic_exchange_n(&v->counter, i, ord); }			\
static inline T A##_cmpxchg##sfx(self_t *v, T o, T n)			\
{									\
	__atomic_compare_exchange_n(&v->counter, &o, n, false, ord, ford); \
	return o;							\
}									\
static inline bool A##_try_cmpxchg##sfx(self_t *v, T *o, T n)		\
{									\
	return __atomic_compare_exchange_n(&v->counter, o, n, false,	\
					   ord, ford);			\
}									\
static inline T A##_add_return##sfx(T i, self_t *v)			\
{ return __atomic_add_fetch(&v->counter, i, ord); }			\
static inline T A##_sub_return##sfx(T i, self_t *v)			\
{ return __atomic_sub_fetch(&v->counter, i, ord); }			\
static inline T A##_inc_return##sfx(self_t *v)				\
{ return __atomic_add_fetch(&v->counter, 1, ord); }			\
static inline T A##_dec_return##sfx(self_t *v)				\
{ return __atomic_sub_fetch(&v->counter, 1, ord); }			\
static inline T A##_fetch_add##sfx(T i, self_t *v)			\
{ return __atomic_fetch_add(&v->counter, i, ord); }			\
static inline T A##_fetch_sub##sfx(T i, self_t *v)			\
{ return __atomic_fetch_sub(&v->counter, i, ord); }			\
static inline T A##_fetch_inc##sfx(self_t *v)				\
{ return __atomic_fetch_add(&v->counter, 1, ord); }			\
static inline T A##_fetch_dec##sfx(self_t *v)				\
{ return __atomic_fetch_sub(&v->counter, 1, ord); }			\
static inline T A##_fetch_or##sfx(T i, self_t *v)			\
{ return __atomic_fetch_or(&v->counter, i, ord); }			\
static inline T A##_fetch_and##sfx(T i, self_t *v)			\
{ return __atomic_fetch_and(&v->counter, i, ord); }			\
static inline T A##_fetch_xor##sfx(T i, self_t *v)			\
{ return __atomic_fetch_xor(&v->counter, i, ord); }			\
static inline T A##_fetch_andnot##sfx(T i, self_t *v)			\
{ return __atomic_fetch_and(&v->counter, ~i, ord); }

#define SHIM_ATOMIC_TYPE(A, self_t, T)					\
static inline T A##_read(const self_t *v)				\
{ return __atomic_load_n(&v->counter, __ATOMIC_RELAXED); }		\
static inline T A##_read_acquire(const self_t *v)			\
{ return __atomic_load_n(&v->counter, __ATOMIC_ACQUIRE); }		\
static inline void A##_set(self_t *v, T i)				\
{ __atomic_store_n(&v->counter, i, __ATOMIC_RELAXED); }			\
static inline void A##_set_release(self_t *v, T i)			\
{ __atomic_store_n(&v->counter, i, __ATOMIC_RELEASE); }			\
SHIM_ATOMIC_ORDERED(A, self_t, T, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)	\
SHIM_ATOMIC_ORDERED(A, self_t, T, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE, _acquire) \
SHIM_ATOMIC_ORDERED(A, self_t, T, __ATOMIC_RELEASE, __ATOMIC_RELAXED, _release) \
SHIM_ATOMIC_ORDERED(A, self_t, T, __ATOMIC_RELAXED, __ATOMIC_RELAXED, _relaxed) \
static inline void A##_add(T i, self_t *v)				\
{ (void)A##_fetch_add_relaxed(i, v); }					\
static inline void A##_sub(T i, self_t *v)				\
{ (void)A##_fetch_sub_relaxed(i, v); }					\
static inline void A##_inc(self_t *v)					\
{ (void)A##_fetch_add_relaxed(1, v); }					\
static inline void A##_dec(self_t *v)					\
{ (void)A##_fetch_sub_relaxed(1, v); }					\
static inline void A##_or(T i, self_t *v)				\
{ (void)A##_fetch_or_relaxed(i, v); }					\
static inline void A##_and(T i, self_t *v)				\
{ (void)A##_fetch_and_relaxed(i, v); }					\
static inline void A##_xor(T i, self_t *v)				\
{ (void)A##_fetch_xor_relaxed(i, v); }					\
static inline void A##_andnot(T i, self_t *v)				\
{ (void)A##_fetch_andnot_relaxed(i, v); }				\
static inline bool A##_inc_and_test(self_t *v)				\
{ return !A##_inc_return(v); }						\
static inline bool A##_dec_and_test(self_t *v)				\
{ return !A##_dec_return(v); }						\
static inline bool A##_sub_and_test(T i, self_t *v)			\
{ return !A##_sub_return(i, v); }					\
static inline bool A##_add_negative(T i, self_t *v)			\
{ return A##_add_return(i, v) < 0; }					\
static inline T A##_fetch_add_unless(self_t *v, T a, T u)		\
{									\
	T c = A##_read(v);						\
									\
	while (c != u && !A##_try_cmpxchg(v, &c, c + a))		\
		;							\
	return c;							\
}									\
static inline bool A##_add_unless(self_t *v, T a, T u)			\
{ return A##_fetch_add_unless(v, a, u) != u; }				\
static inline bool A##_inc_not_zero(self_t *v)				\
{ return A##_add_unless(v, 1, 0); }					\
static inline bool A##_inc_unless_negative(self_t *v)			\
{									\
	T c = A##_read(v);						\
									\
	while (c >= 0 && !A##_try_cmpxchg(v, &c, c + 1))		\
		;							\
	return c >= 0;							\
}									\
static inline T A##_dec_if_positive(self_t *v)				\
{									\
	T c = A##_read(v);						\
									\
	while (c > 0 && !A##_try_cmpxchg(v, &c, c - 1))			\
		;							\
	return c - 1;							\
}

SHIM_ATOMIC_TYPE(atomic, atomic_t, int)
SHIM_ATOMIC_TYPE(atomic_long, atomic_long_t, long)
SHIM_ATOMIC_TYPE(atomic64, atomic64_t, s64)

#define atomic_cond_read_acquire(v, c) smp_cond_load_acquire(&(v)->counter, c)
#define atomic_cond_read_relaxed(v, c) smp_cond_load_relaxed(&(v)->counter, c)
#define atomic_long_cond_read_acquire(v, c) smp_cond_load_acquire(&(v)->counter, c)

/* refcount_t without saturation: errors are fatal instead. */
typedef struct {
	atomic_t refs;
} refcount_t;

/* of what is never freed; never counted here */
#define REFCOUNT_SATURATED	(INT_MIN / 2)

#define REFCOUNT_INIT(n) { .refs = ATOMIC_INIT(n) }

static inline void refcount_set(refcount_t *r, int n)
{
	atomic_set(&r->refs, n);
}

static inline unsigned int refcount_read(const refcount_t *r)
{
	return atomic_read(&r->refs);
}

static inline bool refcount_inc_not_zero(refcount_t *r)
{
	return atomic_inc_not_zero(&r->refs);
}

static inline void refcount_inc(refcount_t *r)
{
	if (!atomic_inc_not_zero(&r->refs))
		shim_fatal("refcount_inc on zero");
}

static inline bool refcount_dec_and_test(refcount_t *r)
{
	int left = atomic_dec_return(&r->refs);

	if (left < 0)
		shim_fatal("refcount underflow");
	return !left;
}

#endif /* _SHIM_ATOMIC_H */
