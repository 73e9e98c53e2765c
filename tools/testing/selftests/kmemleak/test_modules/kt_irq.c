// SPDX-License-Identifier: GPL-2.0
/*
 * kmemleak_torture: interrupts
 *
 * A timer on each CPU allocates and frees in a hard interrupt. Its delay is the time for
 * which interrupts were off, or the host was busy. The time of kmalloc() there does not
 * contain preemption.
 */
#include <linux/cpumask.h>
#include <linux/hrtimer.h>
#include <linux/percpu.h>
#include <linux/smp.h>

#include "kt.h"

#define KT_IRQ_RING	16
/* in hard interrupts, except with PREEMPT_RT, which does not allocate there */
#define KT_IRQ_MODE	HRTIMER_MODE_REL_PINNED

struct kt_irq {
	struct hrtimer timer;
	bool armed;
	unsigned int next;
	u32 seed;
	unsigned long ring[KT_IRQ_RING];
};

static DEFINE_PER_CPU(struct kt_irq, kt_irqs);

static enum hrtimer_restart kt_irq_fn(struct hrtimer *timer)
{
	struct kt_irq *irq = container_of(timer, struct kt_irq, timer);
	s64 late = ktime_to_ns(ktime_sub(ktime_get(), hrtimer_get_expires(timer)));
	unsigned int i = irq->next++ % KT_IRQ_RING;

	kt_note_time(KT_T_LATE, max(late, 0LL));
	if (irq->ring[i] && kt_object_check(irq->ring[i], KT_LIVE))
		kt_object_free(irq->ring[i]);
	irq->seed = irq->seed * 1664525 + 1013904223;
	irq->ring[i] = kt_object_new(KT_KMALLOC, irq->seed >> 16 & 1023, KT_LIVE, irq->next,
				     GFP_ATOMIC | __GFP_NOWARN);
	kt_count(KT_C_IRQS);
	hrtimer_forward_now(timer, ns_to_ktime(kt_irq_us * NSEC_PER_USEC));
	return HRTIMER_RESTART;
}

static void kt_irq_arm(void *unused)
{
	struct kt_irq *irq = this_cpu_ptr(&kt_irqs);

#ifdef KT_HAVE_HRTIMER_SETUP
	hrtimer_setup(&irq->timer, kt_irq_fn, CLOCK_MONOTONIC, KT_IRQ_MODE);
#else
	hrtimer_init(&irq->timer, CLOCK_MONOTONIC, KT_IRQ_MODE);
	irq->timer.function = kt_irq_fn;
#endif
	irq->armed = true;
	hrtimer_start(&irq->timer, ns_to_ktime(kt_irq_us * NSEC_PER_USEC), KT_IRQ_MODE);
}

int kt_irq_init(void)
{
	if (kt_irq_us)
		on_each_cpu(kt_irq_arm, NULL, 1);
	return 0;
}

void kt_irq_exit(void)
{
	unsigned int cpu, i;

	for_each_possible_cpu(cpu) {
		struct kt_irq *irq = &per_cpu(kt_irqs, cpu);

		if (!irq->armed)
			continue;
		hrtimer_cancel(&irq->timer);
		irq->armed = false;
		for (i = 0; i < KT_IRQ_RING; i++)
			if (irq->ring[i])
				kt_object_free(irq->ring[i]);
		memset(irq->ring, 0, sizeof(irq->ring));
	}
}
