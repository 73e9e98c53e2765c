/* SPDX-License-Identifier: GPL-2.0-only */
/* Bit operations, bit searches and bitmaps over arrays of unsigned long. */
#ifndef _SHIM_BITS_H
#define _SHIM_BITS_H

#include "atomic.h"

#define BIT(n)		(1UL << (n))
#define BIT_ULL(n)	(1ULL << (n))
#define BIT_MASK(n)	(1UL << ((n) % BITS_PER_LONG))
#define BIT_WORD(n)	((n) / BITS_PER_LONG)
#define GENMASK(h, l)	((~0UL << (l)) & (~0UL >> (BITS_PER_LONG - 1 - (h))))
#define GENMASK_ULL(h, l) ((~0ULL << (l)) & (~0ULL >> (63 - (h))))
#define BITS_TO_LONGS(n) DIV_ROUND_UP(n, BITS_PER_LONG)
#define BITS_TO_BYTES(n) DIV_ROUND_UP(n, BITS_PER_BYTE)
#define DECLARE_BITMAP(name, n) unsigned long name[BITS_TO_LONGS(n)]
#define BITMAP_FIRST_WORD_MASK(s) (~0UL << ((s) & (BITS_PER_LONG - 1)))
#define BITMAP_LAST_WORD_MASK(n) (~0UL >> (-(n) & (BITS_PER_LONG - 1)))
#define FIELD_GET(m, v)	((typeof(m))(((v) & (m)) >> __builtin_ctzll(m)))
#define FIELD_PREP(m, v) (((typeof(m))(v) << __builtin_ctzll(m)) & (m))
#define FIELD_MAX(m)	((typeof(m))((m) >> __builtin_ctzll(m)))

#define __ffs(w)	((unsigned long)__builtin_ctzl(w))
#define __fls(w)	((unsigned long)(BITS_PER_LONG - 1 - __builtin_clzl(w)))
#define ffz(w)		__ffs(~(w))
#define ffs(x)		__builtin_ffs(x)
#define __ffs64(w)	((unsigned int)__builtin_ctzll(w))
#define fls(x)		((x) ? 32 - __builtin_clz((unsigned int)(x)) : 0)
#define fls64(x)	((x) ? 64 - __builtin_clzll(x) : 0)
#define fls_long(x)	fls64(x)
#define hash_32(v, bits) ((u32)(v) * 0x61C88647U >> (32 - (bits)))
#define hash_long(v, bits) ((unsigned long)((u64)(v) * 0x61C8864680B583EBULL >> (64 - (bits))))
#define hweight8(w)	((unsigned int)__builtin_popcount((u8)(w)))
#define hweight16(w)	((unsigned int)__builtin_popcount((u16)(w)))
#define hweight32(w)	((unsigned int)__builtin_popcount(w))
#define hweight64(w)	((unsigned long)__builtin_popcountll(w))
#define hweight_long(w)	((unsigned long)__builtin_popcountl(w))
#define ilog2(n)	(63 - __builtin_clzll((unsigned long long)(n)))
#define const_ilog2(n)	ilog2(n)
#define order_base_2(n)	((n) > 1 ? ilog2((n) - 1) + 1 : 0)
#define is_power_of_2(n) ((n) != 0 && (((n) & ((n) - 1)) == 0))
#define roundup_pow_of_two(n) (1UL << order_base_2(n))
#define rounddown_pow_of_two(n) (1UL << ilog2(n))

#define get_order(n)	((n) <= PAGE_SIZE ? 0 : ilog2((unsigned long)(n) - 1) - PAGE_SHIFT + 1)

static inline bool test_bit(long nr, const volatile unsigned long *p)
{
	return READ_ONCE(p[BIT_WORD(nr)]) & BIT_MASK(nr);
}

static inline bool test_bit_acquire(long nr, const volatile unsigned long *p)
{
	return smp_load_acquire(&p[BIT_WORD(nr)]) & BIT_MASK(nr);
}

static inline void set_bit(long nr, volatile unsigned long *p)
{
	__atomic_fetch_or(&p[BIT_WORD(nr)], BIT_MASK(nr), __ATOMIC_RELAXED);
}

static inline void clear_bit(long nr, volatile unsigned long *p)
{
	__atomic_fetch_and(&p[BIT_WORD(nr)], ~BIT_MASK(nr), __ATOMIC_RELAXED);
}

static inline void change_bit(long nr, volatile unsigned long *p)
{
	__atomic_fetch_xor(&p[BIT_WORD(nr)], BIT_MASK(nr), __ATOMIC_RELAXED);
}

static inline void clear_bit_unlock(long nr, volatile unsigned long *p)
{
	__atomic_fetch_and(&p[BIT_WORD(nr)], ~BIT_MASK(nr), __ATOMIC_RELEASE);
}

static inline bool test_and_set_bit(long nr, volatile unsigned long *p)
{
	return __atomic_fetch_or(&p[BIT_WORD(nr)], BIT_MASK(nr),
				 __ATOMIC_SEQ_CST) & BIT_MASK(nr);
}

static inline bool test_and_set_bit_lock(long nr, volatile unsigned long *p)
{
	return __atomic_fetch_or(&p[BIT_WORD(nr)], BIT_MASK(nr),
				 __ATOMIC_ACQUIRE) & BIT_MASK(nr);
}

static inline bool test_and_clear_bit(long nr, volatile unsigned long *p)
{
	return __atomic_fetch_and(&p[BIT_WORD(nr)], ~BIT_MASK(nr),
				  __ATOMIC_SEQ_CST) & BIT_MASK(nr);
}

/* Non-atomic forms: plain accesses, so that TSan reports unlocked use. */
static inline void __set_bit(long nr, unsigned long *p)
{
	p[BIT_WORD(nr)] |= BIT_MASK(nr);
}

static inline void __clear_bit(long nr, unsigned long *p)
{
	p[BIT_WORD(nr)] &= ~BIT_MASK(nr);
}

static inline void __change_bit(long nr, unsigned long *p)
{
	p[BIT_WORD(nr)] ^= BIT_MASK(nr);
}

static inline bool __test_and_set_bit(long nr, unsigned long *p)
{
	bool old = p[BIT_WORD(nr)] & BIT_MASK(nr);

	__set_bit(nr, p);
	return old;
}

static inline bool __test_and_clear_bit(long nr, unsigned long *p)
{
	bool old = p[BIT_WORD(nr)] & BIT_MASK(nr);

	__clear_bit(nr, p);
	return old;
}

#define __assign_bit(nr, p, v) ((v) ? __set_bit(nr, p) : __clear_bit(nr, p))
#define assign_bit(nr, p, v) ((v) ? set_bit(nr, p) : clear_bit(nr, p))

/* First bit at or after @from whose value differs from @flip's; @n if none. */
static inline unsigned long __shim_find(const unsigned long *p, unsigned long n,
					unsigned long from, unsigned long flip)
{
	unsigned long w;

	if (from >= n)
		return n;
	w = (READ_ONCE(p[BIT_WORD(from)]) ^ flip) & BITMAP_FIRST_WORD_MASK(from);
	from = round_down(from, BITS_PER_LONG);
	while (!w) {
		from += BITS_PER_LONG;
		if (from >= n)
			return n;
		w = READ_ONCE(p[BIT_WORD(from)]) ^ flip;
	}
	return min(from + __ffs(w), n);
}

#define find_first_bit(p, n) __shim_find(p, n, 0, 0)
#define find_next_bit(p, n, f) __shim_find(p, n, f, 0)
#define find_first_zero_bit(p, n) __shim_find(p, n, 0, ~0UL)
#define find_next_zero_bit(p, n, f) __shim_find(p, n, f, ~0UL)

static inline unsigned long find_next_and_bit(const unsigned long *a,
					      const unsigned long *b,
					      unsigned long n, unsigned long f)
{
	for (; f < n; f++)
		if (test_bit(f, a) && test_bit(f, b))
			break;
	return f;
}

static inline unsigned long find_last_bit(const unsigned long *p, unsigned long n)
{
	unsigned long i = n;

	while (i-- > 0)
		if (test_bit(i, p))
			return i;
	return n;
}

#define for_each_set_bit(b, p, n)					\
	for ((b) = find_first_bit(p, n); (b) < (n); (b) = find_next_bit(p, n, (b) + 1))
#define for_each_set_bit_from(b, p, n)					\
	for ((b) = find_next_bit(p, n, b); (b) < (n); (b) = find_next_bit(p, n, (b) + 1))
#define for_each_clear_bit(b, p, n)					\
	for ((b) = find_first_zero_bit(p, n); (b) < (n);		\
	     (b) = find_next_zero_bit(p, n, (b) + 1))

static inline void bitmap_zero(unsigned long *p, unsigned int n)
{
	memset(p, 0, BITS_TO_LONGS(n) * sizeof(long));
}

static inline void bitmap_fill(unsigned long *p, unsigned int n)
{
	memset(p, 0xff, BITS_TO_LONGS(n) * sizeof(long));
}

static inline void bitmap_copy(unsigned long *d, const unsigned long *s, unsigned int n)
{
	memcpy(d, s, BITS_TO_LONGS(n) * sizeof(long));
}

static inline void bitmap_set(unsigned long *p, unsigned int s, unsigned int n)
{
	while (n--)
		__set_bit(s++, p);
}

static inline void bitmap_clear(unsigned long *p, unsigned int s, unsigned int n)
{
	while (n--)
		__clear_bit(s++, p);
}

static inline bool bitmap_empty(const unsigned long *p, unsigned int n)
{
	return find_first_bit(p, n) >= n;
}

static inline bool bitmap_full(const unsigned long *p, unsigned int n)
{
	return find_first_zero_bit(p, n) >= n;
}

static inline unsigned int bitmap_weight(const unsigned long *p, unsigned int n)
{
	unsigned int b, w = 0;

	for_each_set_bit(b, p, n)
		w++;
	return w;
}

/* A lock in one bit; the caller keeps preemption off as the kernel does. */
#define bit_spin_lock(nr, p) do {					\
	preempt_disable();						\
	while (test_and_set_bit_lock(nr, p))				\
		cpu_relax();						\
} while (0)
#define bit_spin_trylock(nr, p) ({ bool __got;				\
	preempt_disable();						\
	__got = !test_and_set_bit_lock(nr, p);				\
	if (!__got)							\
		preempt_enable();					\
	__got; })
#define bit_spin_unlock(nr, p) do {					\
	clear_bit_unlock(nr, p);					\
	preempt_enable();						\
} while (0)

#endif /* _SHIM_BITS_H */
