/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Per-CPU memory and CPU masks. There are two kinds of per-CPU addresses: variables of
 * the core (one linker section, copied for each CPU), and cookies, which the core tracks
 * as objects and does not use.
 */
#ifndef _SHIM_PERCPU_H
#define _SHIM_PERCPU_H

#include "rcu.h"
#include "layout.h"

#define PERCPU_SECTION	"shim_percpu"
#define DEFINE_PER_CPU(T, n) __attribute__((__section__(PERCPU_SECTION), __used__)) typeof(T) n
#define DEFINE_PER_CPU_ALIGNED(T, n) DEFINE_PER_CPU(T, n) __aligned(64)
#define DEFINE_PER_CPU_SHARED_ALIGNED(T, n) DEFINE_PER_CPU(T, n) __aligned(64)
#define DEFINE_PER_CPU_READ_MOSTLY(T, n) DEFINE_PER_CPU(T, n)
#define DEFINE_PER_CPU_CACHE_HOT(T, n) DEFINE_PER_CPU(T, n)
#define DEFINE_PER_CPU_PAGE_ALIGNED(T, n) DEFINE_PER_CPU(T, n) __aligned(4096)
#define DECLARE_PER_CPU(T, n) extern typeof(T) n
#define DECLARE_PER_CPU_ALIGNED(T, n) DECLARE_PER_CPU(T, n)
#define DECLARE_PER_CPU_SHARED_ALIGNED(T, n) DECLARE_PER_CPU(T, n)
#define DECLARE_PER_CPU_READ_MOSTLY(T, n) DECLARE_PER_CPU(T, n)

extern unsigned long shim_percpu_off[NR_CPUS];

static inline unsigned long shim_percpu_addr(unsigned long p, int cpu)
{
	if (p - W_PCPU_COOKIE < W_PCPU_UNIT)
		return p - W_PCPU_COOKIE + W_PCPU_AREA + cpu * W_PCPU_UNIT;
	return p + shim_percpu_off[cpu];
}

#define per_cpu_ptr(p, cpu) ((typeof((p) + 0))shim_percpu_addr((unsigned long)(p), cpu))
#define per_cpu(v, cpu)	(*per_cpu_ptr(&(v), cpu))
#define raw_cpu_ptr(p)	per_cpu_ptr(p, raw_smp_processor_id())
#define this_cpu_ptr(p)	raw_cpu_ptr(p)
#define __this_cpu_ptr(p) raw_cpu_ptr(p)
#define get_cpu_ptr(p)	({ preempt_disable(); this_cpu_ptr(p); })
#define put_cpu_ptr(p)	do { (void)(p); preempt_enable(); } while (0)
#define get_cpu_var(v)	(*get_cpu_ptr(&(v)))
#define put_cpu_var(v)	put_cpu_ptr(&(v))
#define lock_local_ptr(p) this_cpu_ptr(p)

/* Single operations are atomic for other threads of the same CPU. */
#define __shim_pcpu(v)	(*raw_cpu_ptr(&(v)))
#define this_cpu_read(v) READ_ONCE(__shim_pcpu(v))
#define this_cpu_write(v, x) WRITE_ONCE(__shim_pcpu(v), x)
#define this_cpu_add(v, x) ((void)__atomic_fetch_add(&__shim_pcpu(v), (x), __ATOMIC_RELAXED))
#define this_cpu_sub(v, x) ((void)__atomic_fetch_sub(&__shim_pcpu(v), (x), __ATOMIC_RELAXED))
#define this_cpu_or(v, x) ((void)__atomic_fetch_or(&__shim_pcpu(v), (x), __ATOMIC_RELAXED))
#define this_cpu_and(v, x) ((void)__atomic_fetch_and(&__shim_pcpu(v), (x), __ATOMIC_RELAXED))
#define this_cpu_inc(v)	this_cpu_add(v, 1)
#define this_cpu_dec(v)	this_cpu_sub(v, 1)
#define this_cpu_add_return(v, x) __atomic_add_fetch(&__shim_pcpu(v), (x), __ATOMIC_RELAXED)
#define this_cpu_inc_return(v) this_cpu_add_return(v, 1)
#define this_cpu_dec_return(v) this_cpu_add_return(v, -1)
#define this_cpu_xchg(v, x) xchg(&__shim_pcpu(v), x)
#define this_cpu_cmpxchg(v, o, n) cmpxchg(&__shim_pcpu(v), o, n)
#define this_cpu_try_cmpxchg(v, o, n) try_cmpxchg(&__shim_pcpu(v), o, n)
#define __this_cpu_read(v) this_cpu_read(v)
#define __this_cpu_write(v, x) this_cpu_write(v, x)
#define __this_cpu_add(v, x) this_cpu_add(v, x)
#define __this_cpu_sub(v, x) this_cpu_sub(v, x)
#define __this_cpu_inc(v) this_cpu_inc(v)
#define __this_cpu_dec(v) this_cpu_dec(v)
#define __this_cpu_inc_return(v) this_cpu_inc_return(v)
#define __this_cpu_dec_return(v) this_cpu_dec_return(v)
#define raw_cpu_read(v)	this_cpu_read(v)
#define raw_cpu_write(v, x) this_cpu_write(v, x)
#define raw_cpu_add(v, x) this_cpu_add(v, x)
#define raw_cpu_inc(v)	this_cpu_inc(v)

void *shim_alloc_percpu(size_t size, size_t align);
/* Set if per-CPU allocations are to be tracked, as in the kernel. */
extern void (*shim_percpu_hook)(void *p, size_t size);
extern void (*shim_percpu_unhook)(void *p);
void free_percpu(void *p);
#define alloc_percpu(T)	((typeof(T) *)shim_alloc_percpu(sizeof(T), __alignof__(T)))
#define alloc_percpu_gfp(T, g) alloc_percpu(T)
#define __alloc_percpu(s, a) shim_alloc_percpu(s, a)

/* The static area, a root: that of the units, or variables of the core and tests. */
#ifdef SHIM_OWN_SECTIONS
extern char __start_shim_percpu[], __stop_shim_percpu[];
#define __per_cpu_start	__start_shim_percpu
#define __per_cpu_end	__stop_shim_percpu
#define per_cpu_offset(c) shim_percpu_off[c]
#else
#define __per_cpu_start	(*(char (*)[SHIM_ANY_SIZE])W_PCPU_COOKIE)
#define __per_cpu_end	(*(char (*)[SHIM_ANY_SIZE])(W_PCPU_COOKIE + W_PCPU_STATIC))
#define per_cpu_offset(c) (W_PCPU_AREA + (unsigned long)(c) * W_PCPU_UNIT - W_PCPU_COOKIE)
#endif

typedef struct { int unused; } local_lock_t;
#define INIT_LOCAL_LOCK(l) { 0 }
#define local_lock(l)		do { (void)(l); preempt_disable(); } while (0)
#define local_unlock(l)		do { (void)(l); preempt_enable(); } while (0)
#define local_lock_irqsave(l, f) do { (void)(l); local_irq_save(f); } while (0)
#define local_unlock_irqrestore(l, f) do { (void)(l); local_irq_restore(f); } while (0)

struct cpumask {
	DECLARE_BITMAP(bits, NR_CPUS);
};

typedef struct cpumask cpumask_t;
typedef struct cpumask cpumask_var_t[1];

extern struct cpumask shim_cpu_mask;
#define cpu_possible_mask ((const struct cpumask *)&shim_cpu_mask)
#define cpu_online_mask	cpu_possible_mask
#define cpu_present_mask cpu_possible_mask
#define cpumask_bits(m)	((m)->bits)
#define nr_cpumask_bits	nr_cpu_ids
#define num_possible_cpus() nr_cpu_ids
#define num_online_cpus() nr_cpu_ids
#define num_present_cpus() nr_cpu_ids
#define cpu_possible(c)	((unsigned int)(c) < nr_cpu_ids)
#define cpu_online(c)	cpu_possible(c)
#define for_each_possible_cpu(c) for ((c) = 0; (unsigned int)(c) < nr_cpu_ids; (c)++)
#define for_each_online_cpu(c) for_each_possible_cpu(c)
#define for_each_present_cpu(c) for_each_possible_cpu(c)
#define for_each_cpu(c, m)						\
	for ((c) = find_first_bit((m)->bits, nr_cpu_ids); (unsigned int)(c) < nr_cpu_ids; \
	     (c) = find_next_bit((m)->bits, nr_cpu_ids, (c) + 1))
#define cpumask_first(m) ((unsigned int)find_first_bit((m)->bits, nr_cpu_ids))
#define cpumask_last(m) ((unsigned int)find_last_bit((m)->bits, nr_cpu_ids))
#define cpumask_next(c, m) ((unsigned int)find_next_bit((m)->bits, nr_cpu_ids, (c) + 1))
#define cpumask_set_cpu(c, m) set_bit(c, (m)->bits)
#define __cpumask_set_cpu(c, m) __set_bit(c, (m)->bits)
#define cpumask_clear_cpu(c, m) clear_bit(c, (m)->bits)
#define cpumask_test_cpu(c, m) test_bit(c, (m)->bits)
#define cpumask_clear(m) bitmap_zero((m)->bits, NR_CPUS)
#define cpumask_copy(d, s) bitmap_copy((d)->bits, (s)->bits, NR_CPUS)
#define cpumask_weight(m) bitmap_weight((m)->bits, nr_cpu_ids)
#define cpumask_empty(m) bitmap_empty((m)->bits, nr_cpu_ids)
#define cpumask_of(c) shim_cpumask_of(c)
const struct cpumask *shim_cpumask_of(int cpu);
#define cpumask_of_node(n) cpu_possible_mask
#define housekeeping_cpumask(t) cpu_possible_mask
#define housekeeping_cpu(c, t) true
#define housekeeping_enabled(t) false
enum hk_type { HK_TYPE_DOMAIN, HK_TYPE_KTHREAD, HK_TYPE_TICK, HK_TYPE_MISC };
#define zalloc_cpumask_var(m, g) (cpumask_clear(*(m)), true)
#define free_cpumask_var(m) do { } while (0)

/* Callbacks of CPU hotplug are registered and not called. */
enum cpuhp_state { CPUHP_AP_ONLINE_DYN, CPUHP_BP_PREPARE_DYN, CPUHP_MM_KMEMLEAK };
#define cpuhp_setup_state(s, n, up, down) ((void)(up), (void)(down), (int)(s))
#define cpuhp_setup_state_nocalls(s, n, up, down) cpuhp_setup_state(s, n, up, down)
#define cpuhp_remove_state(s) do { } while (0)
#define cpuhp_remove_state_nocalls(s) do { } while (0)
#define cpus_read_lock() do { } while (0)
#define cpus_read_unlock() do { } while (0)

void smp_call_function_single(int cpu, void (*fn)(void *), void *arg, int wait);
void on_each_cpu(void (*fn)(void *), void *arg, int wait);

#endif /* _SHIM_PERCPU_H */
