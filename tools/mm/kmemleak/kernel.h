/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stands in for mm/kmemleak/os.h, same guard: what slabs.c and pages.c need of the
 * kernel's headers, and the rest of this program uses, too.
 */
#ifndef _MM_KMEMLEAK_OS_H
#define _MM_KMEMLEAK_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define BITS_PER_LONG		64
#define BIT_ULL(nr)		(1ULL << (nr))
#define GENMASK_ULL(h, l)	((~0ULL << (l)) & (~0ULL >> (63 - (h))))
#define SZ_64M			0x04000000
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define min_t(type, a, b)	({ type _a = (a), _b = (b); _a < _b ? _a : _b; })
#define max_t(type, a, b)	({ type _a = (a), _b = (b); _a > _b ? _a : _b; })
#define swab64(x)		__builtin_bswap64(x)

#define get_unaligned(p) ({						\
	typeof(*(p)) _v;						\
	memcpy((void *)&_v, (p), sizeof(_v));				\
	_v;								\
})

static inline bool test_bit(unsigned long nr, const unsigned long *map)
{
	return map[nr / BITS_PER_LONG] >> (nr % BITS_PER_LONG) & 1;
}

static inline void set_bit(unsigned long nr, unsigned long *map)
{
	map[nr / BITS_PER_LONG] |= 1UL << (nr % BITS_PER_LONG);
}

static inline void clear_bit(unsigned long nr, unsigned long *map)
{
	map[nr / BITS_PER_LONG] &= ~(1UL << (nr % BITS_PER_LONG));
}

#endif /* _MM_KMEMLEAK_OS_H */
