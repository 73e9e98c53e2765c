/* SPDX-License-Identifier: GPL-2.0-only */
/* Types, attributes, errors and arithmetic for all other shims. */
#ifndef _SHIM_BASE_H
#define _SHIM_BASE_H

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "config.h"

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;
typedef u8 __u8;
typedef u16 __u16;
typedef u32 __u32;
typedef u64 __u64;
typedef s32 __s32;
typedef s64 __s64;
typedef u64 phys_addr_t;
typedef u64 resource_size_t;
typedef unsigned int gfp_t;
typedef unsigned int slab_flags_t;
typedef unsigned int fmode_t;
typedef unsigned short umode_t;
typedef u64 async_cookie_t;

/* Annotations without meaning here, or for which the compiler has other names. */
#define __init
#define __initdata
#define __exit
#define __ref
#define __refdata
#define __meminit
#define __latent_entropy
#define __read_mostly
#define __ro_after_init
#define __user
#define __kernel
#define __iomem
#define __percpu
#define __rcu
#define __force
#define __bitwise
#define __nocast
#define __safe
#define __must_hold(x)
#define __acquires(x)
#define __releases(x)
#define __acquire(x)	((void)0)
#define __release(x)	((void)0)
#define __guarded_by(x...)
#define __pt_guarded_by(x...)
#define __counted_by(m)
#undef __always_inline
#define __always_inline	inline __attribute__((__always_inline__))
#define noinline	__attribute__((__noinline__))
#define noinline_for_stack noinline
#define __noreturn	__attribute__((__noreturn__))
#define __printf(a, b)	__attribute__((__format__(printf, a, b)))
#define __packed	__attribute__((__packed__))
#define __aligned(x)	__attribute__((__aligned__(x)))
#define __uninitialized
#define __maybe_unused	__attribute__((__unused__))
#define __always_unused	__attribute__((__unused__))
#define __used		__attribute__((__used__))
#define __weak		__attribute__((__weak__))
#define __must_check	__attribute__((__warn_unused_result__))
#define __cold		__attribute__((__cold__))
#define __pure		__attribute__((__pure__))
#undef __attribute_const__
#define __attribute_const__ __attribute__((__const__))
#define __malloc	__attribute__((__malloc__))
#define __flatten	__attribute__((__flatten__))
#define __visible
#define __nostackprotector
#define __no_stack_protector
#define notrace
#define noinstr		noinline
#define asmlinkage
#define fallthrough	__attribute__((__fallthrough__))
#define ____cacheline_aligned __aligned(64)
#define ____cacheline_aligned_in_smp __aligned(64)
#define __cacheline_aligned __aligned(64)
#define __cacheline_aligned_in_smp __aligned(64)
#define ____cacheline_internodealigned_in_smp __aligned(64)
#define __cacheline_group_begin(g) ((void)0)
#define __cacheline_group_end(g) ((void)0)
#define L1_CACHE_SHIFT	6
#define L1_CACHE_BYTES	64
#define SMP_CACHE_BYTES	64
#define cache_line_size() 64
#define __free(f)	__attribute__((__cleanup__(__free_##f)))

#if defined(__SANITIZE_THREAD__)
#define SHIM_TSAN	1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SHIM_TSAN	1
#endif
#endif
#ifndef SHIM_TSAN
#define SHIM_TSAN	0
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SHIM_ASAN	1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SHIM_ASAN	1
#endif
#endif
#ifndef SHIM_ASAN
#define SHIM_ASAN	0
#endif

#if SHIM_TSAN
#define __no_kcsan	__attribute__((no_sanitize("thread")))
#else
#define __no_kcsan
#endif
#define __no_sanitize_thread __no_kcsan
#define __no_kasan_or_inline inline
#define __no_sanitize_address __attribute__((no_sanitize("address")))
#define __no_sanitize_undefined __attribute__((no_sanitize("undefined")))
#define __no_sanitize_memory
#define __no_kmsan_checks
#define __no_sanitize_or_inline inline
#define __no_sanitize_coverage

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#define barrier()	__asm__ __volatile__("" : : : "memory")
#define memzero_explicit(p, n)	do { memset(p, 0, n); barrier_data(p); } while (0)
#define barrier_data(p)	__asm__ __volatile__("" : : "r"(p) : "memory")
#define OPTIMIZER_HIDE_VAR(v) __asm__ ("" : "=r" (v) : "0" (v))
#define RELOC_HIDE(p, off) ((typeof(p))((unsigned long)(p) + (off)))
#define unreachable()	__builtin_unreachable()
#define prefetch(p)	__builtin_prefetch(p)
#define prefetchw(p)	__builtin_prefetch((p), 1)
#define static_assert(e, m...) _Static_assert(e, "" m)
#define BUILD_BUG_ON(c)	_Static_assert(!(c), "BUILD_BUG_ON " #c)
#define BUILD_BUG_ON_MSG(c, m) _Static_assert(!(c), m)
#define BUILD_BUG_ON_ZERO(c) ((int)sizeof(struct { int:(-!!(c)); }))
#define BUILD_BUG_ON_NOT_POWER_OF_2(n) BUILD_BUG_ON(!(n) || ((n) & ((n) - 1)))
#define BUILD_BUG()	__builtin_trap()
#define __same_type(a, b) __builtin_types_compatible_p(typeof(a), typeof(b))
#define typeof_member(T, m) typeof(((T *)0)->m)
#define offsetofend(T, m) (offsetof(T, m) + sizeof(((T *)0)->m))
#define sizeof_field(T, m) sizeof(((T *)0)->m)
#define struct_size(p, m, n) (sizeof(*(p)) + sizeof(*(p)->m) * (size_t)(n))
#define struct_size_t(T, m, n) (sizeof(T) + sizeof_field(T, m[0]) * (size_t)(n))
#define flex_array_size(p, m, n) (sizeof(*(p)->m) * (size_t)(n))
#define array_size(a, b) ((size_t)(a) * (size_t)(b))
#define container_of(p, T, m) ({				\
	void *__mp = (void *)(p);				\
	(T *)(__mp - offsetof(T, m)); })
#define container_of_const container_of
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define ARRAY_END(a)	(&(a)[ARRAY_SIZE(a)])
#define __stringify_1(x...) #x
#define __stringify(x...) __stringify_1(x)
#define ___PASTE(a, b)	a##b
#define __PASTE(a, b)	___PASTE(a, b)
#define __UNIQUE_ID(p)	__PASTE(__PASTE(__uid_, p), __COUNTER__)
#define __ADDRESSABLE(s)
#define CONCATENATE(a, b) __PASTE(a, b)

#define SHIM_IS_1	0,
#define __shim_arg2(a, b, ...) b
#define __shim_is(x)	___shim_is(SHIM_IS_##x)
#define ___shim_is(x)	__shim_arg2(x 1, 0, 0)
#define _shim_is(x)	__shim_is(x)
#define IS_ENABLED(CONFIG_name) _shim_is(CONFIG_name)
#define IS_BUILTIN(c)	_shim_is(c)
#define IS_REACHABLE(c)	_shim_is(c)
#define IS_MODULE(c)	0

#define min(a, b) ({ typeof(a) __a = (a); typeof(b) __b = (b);		\
		     __a < __b ? __a : __b; })
#define max(a, b) ({ typeof(a) __a = (a); typeof(b) __b = (b);		\
		     __a > __b ? __a : __b; })
#define min_t(T, a, b)	({ T __a = (a); T __b = (b); __a < __b ? __a : __b; })
#define max_t(T, a, b)	({ T __a = (a); T __b = (b); __a > __b ? __a : __b; })
#define umin(a, b)	min_t(unsigned long, (a), (b))
#define umax(a, b)	max_t(unsigned long, (a), (b))
#define min3(a, b, c)	min(min(a, b), c)
#define max3(a, b, c)	max(max(a, b), c)
#define clamp(v, l, h)	min(max(v, l), h)
#define clamp_t(T, v, l, h) min_t(T, max_t(T, v, l), h)
#define clamp_val(v, l, h) clamp_t(typeof(v), v, l, h)
#define in_range(v, s, n) ((v) - (s) < (n))
#define swap(a, b) do { typeof(a) __t = (a); (a) = (b); (b) = __t; } while (0)
#define abs(x) ({ typeof(x) __x = (x); __x < 0 ? -__x : __x; })
#define check_add_overflow(a, b, d) __builtin_add_overflow(a, b, d)
#define check_sub_overflow(a, b, d) __builtin_sub_overflow(a, b, d)
#define check_mul_overflow(a, b, d) __builtin_mul_overflow(a, b, d)
#define size_add(a, b) ({ size_t __r;					\
	__builtin_add_overflow((size_t)(a), (size_t)(b), &__r) ? SIZE_MAX : __r; })
#define size_mul(a, b) ({ size_t __r;					\
	__builtin_mul_overflow((size_t)(a), (size_t)(b), &__r) ? SIZE_MAX : __r; })

#define __ALIGN_MASK(x, m) (((x) + (m)) & ~(m))
#define ALIGN(x, a)	__ALIGN_MASK(x, (typeof(x))(a) - 1)
#define ALIGN_DOWN(x, a) ((x) & ~((typeof(x))(a) - 1))
#define PTR_ALIGN(p, a)	((typeof(p))ALIGN((unsigned long)(p), (a)))
#define PTR_ALIGN_DOWN(p, a) ((typeof(p))ALIGN_DOWN((unsigned long)(p), (a)))
#define IS_ALIGNED(x, a) (((x) & ((typeof(x))(a) - 1)) == 0)
#define round_up(x, y)	((((x) - 1) | ((typeof(x))(y) - 1)) + 1)
#define round_down(x, y) ((x) & ~((typeof(x))(y) - 1))
#define roundup(x, y)	((((x) + ((y) - 1)) / (y)) * (y))
#define rounddown(x, y)	((x) - ((x) % (y)))
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
#define DIV_ROUND_UP_ULL(n, d) DIV_ROUND_UP((unsigned long long)(n), d)
#define DIV_ROUND_CLOSEST(n, d) (((n) + (d) / 2) / (d))
#define div_u64(n, d)	((u64)(n) / (u32)(d))
#define div64_u64(n, d)	((u64)(n) / (u64)(d))
#define div64_ul(n, d)	((u64)(n) / (unsigned long)(d))
#define do_div(n, b) ({ u32 __r = (n) % (b); (n) /= (b); __r; })
#define lower_32_bits(n) ((u32)((n) & 0xffffffff))
#define upper_32_bits(n) ((u32)(((u64)(n)) >> 32))

#define U8_MAX		((u8)~0U)
#define U16_MAX		((u16)~0U)
#define S16_MAX		((s16)(U16_MAX >> 1))
#define U32_MAX		((u32)~0U)
#define S32_MAX		((s32)(U32_MAX >> 1))
#define U64_MAX		((u64)~0ULL)
#define S64_MAX		((s64)(U64_MAX >> 1))
#define PHYS_ADDR_MAX	(~(phys_addr_t)0)
#define BITS_PER_LONG	(__SIZEOF_LONG__ * 8)
#define BITS_PER_BYTE	8
#define BITS_PER_LONG_LONG 64
#define HZ		CONFIG_HZ
#define MSEC_PER_SEC	1000L
#define USEC_PER_MSEC	1000L
#define USEC_PER_SEC	1000000L
#define NSEC_PER_USEC	1000L
#define NSEC_PER_MSEC	1000000L
#define NSEC_PER_SEC	1000000000L
#define SZ_1K		0x400
#define SZ_2K		0x800
#define SZ_4K		0x1000
#define SZ_8K		0x2000
#define SZ_16K		0x4000
#define SZ_32K		0x8000
#define SZ_64K		0x10000
#define SZ_128K		0x20000
#define SZ_256K		0x40000
#define SZ_512K		0x80000
#define SZ_1M		0x100000
#define SZ_2M		0x200000
#define SZ_4M		0x400000
#define SZ_16M		0x1000000
#define SZ_64M		0x4000000
#define SZ_1G		0x40000000
#define SZ_2G		0x80000000UL
#define SZ_4G		0x100000000UL

#define ERESTARTSYS	512
#define ERESTARTNOINTR	513
#define ENOTSUPP	524
#define MAX_ERRNO	4095
#define IS_ERR_VALUE(x)	unlikely((unsigned long)(void *)(x) >= (unsigned long)-MAX_ERRNO)

static inline void *ERR_PTR(long e)
{
	return (void *)e;
}

static inline long PTR_ERR(const void *p)
{
	return (long)p;
}

static inline bool IS_ERR(const void *p)
{
	return IS_ERR_VALUE(p);
}

static inline bool IS_ERR_OR_NULL(const void *p)
{
	return !p || IS_ERR_VALUE(p);
}

static inline int PTR_ERR_OR_ZERO(const void *p)
{
	return IS_ERR(p) ? (int)PTR_ERR(p) : 0;
}

#define ERR_CAST(p)	((void *)(p))
#define ERR_PTR_PCPU(e)	((void *)(long)(e))
#define IS_ERR_PCPU(p)	IS_ERR((const void *)(p))
#define PTR_ERR_PCPU(p)	PTR_ERR((const void *)(p))

#define THIS_MODULE	((struct module *)0)
struct module;
#define MODULE_LICENSE(x)	_Static_assert(1, x)
#define MODULE_DESCRIPTION(x)	_Static_assert(1, x)
#define MODULE_AUTHOR(x)	_Static_assert(1, x)
#define MODULE_IMPORT_NS(x)	_Static_assert(1, "")
#define EXPORT_SYMBOL(s)	_Static_assert(1, #s)
#define EXPORT_SYMBOL_GPL(s)	_Static_assert(1, #s)
#define EXPORT_SYMBOL_IF_KUNIT(s) _Static_assert(1, #s)
#define EXPORT_SYMBOL_NS_GPL(s, n) _Static_assert(1, #s)
#if IS_ENABLED(CONFIG_KUNIT)
#define VISIBLE_IF_KUNIT
#else
#define VISIBLE_IF_KUNIT static
#endif

/* End the process: the core has broken a rule. */
void shim_fatal(const char *fmt, ...) __printf(1, 2) __noreturn;

ssize_t shim_strscpy(char *dst, const char *src, size_t n);
#define __shim_strscpy3(d, s, n) shim_strscpy(d, s, n)
#define __shim_strscpy2(d, s) shim_strscpy(d, s, sizeof(d))
#define __shim_pick3(a, b, c, f, ...) f
#define strscpy(x...) __shim_pick3(x, __shim_strscpy3, __shim_strscpy2)(x)
#define strscpy_pad(x...) strscpy(x)
char *skip_spaces(const char *s);
char *strim(char *s);
#define strstrip(s) strim(s)
void *memchr_inv(const void *p, int c, size_t n);
bool sysfs_streq(const char *a, const char *b);
int match_string(const char *const *tab, size_t n, const char *s);
size_t str_has_prefix(const char *s, const char *prefix);
static inline bool strstarts(const char *s, const char *p)
{
	return !strncmp(s, p, strlen(p));
}

static inline bool mem_is_zero(const void *p, size_t n)
{
	return !memchr_inv(p, 0, n);
}

static inline void memset64(u64 *p, u64 v, size_t n)
{
	while (n--)
		*p++ = v;
}

static inline void memset_l(unsigned long *p, unsigned long v, size_t n)
{
	while (n--)
		*p++ = v;
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define le32_to_cpu(v)	((u32)(v))
#else
#define le32_to_cpu(v)	__builtin_bswap32(v)
#endif

#define get_unaligned(p) ({ typeof(*(p) + 0) __v;			\
	__builtin_memcpy(&__v, (const void *)(p), sizeof(__v)); __v; })
#define put_unaligned(v, p) do {					\
	typeof(*(p)) __v = (v);						\
	__builtin_memcpy((p), &__v, sizeof(__v));			\
} while (0)

u32 crc32_le(u32 crc, const void *p, size_t len);
#define crc32(seed, p, n) crc32_le(seed, p, n)

void sort(void *base, size_t n, size_t size,
	  int (*cmp)(const void *, const void *),
	  void (*swp)(void *, void *, int));
void *bsearch(const void *key, const void *base, size_t n, size_t size,
	      int (*cmp)(const void *, const void *));

#endif /* _SHIM_BASE_H */
