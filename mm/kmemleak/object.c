// SPDX-License-Identifier: GPL-2.0-only
/*
 * Object metadata.
 *
 * Objects are listed in the order in which they were allocated, but no counter
 * is shared for that: each records jiffies and, for order within a jiffy, a
 * stamp from the clock source, the same for all CPUs, that is made to increase
 * strictly on each. (sched_clock() will not do: on some architectures it only
 * counts jiffies.)
 */

#include "os.h"
#include "object.h"
#include "pool.h"
#include "state.h"

static_assert(PID_MAX_LIMIT <= 1U << KML_PID_BITS);

struct kml_stamp {
	unsigned long born;
	u32 last;
};

static DEFINE_PER_CPU(struct kml_stamp, kml_stamp);

/*
 * Context: IRQs off. Before per-CPU data works the one CPU there is writes to
 * the initial copy, from which all start; that does no harm.
 */
static u32 kml_stamp_next(unsigned long now)
{
	struct kml_stamp *stamp = this_cpu_ptr(&kml_stamp);
	/* 16 ns: what happens within one jiffy before timers tick still fits */
	u32 t = ktime_get_mono_fast_ns() >> 4;

	if (stamp->born == now && (s32)(t - stamp->last) <= 0)
		t = stamp->last + 1;
	stamp->born = now;
	stamp->last = t;
	return t;
}

/*
 * Was the object of (@j1, @s1) allocated before that of (@j2, @s2)? The longer ago,
 * the earlier: unlike time_before() this is right for whatever jiffies can count.
 */
bool kml_born_before(unsigned long j1, u32 s1, unsigned long j2, u32 s2)
{
	unsigned long now = jiffies;

	if (j1 != j2)
		return now - j1 > now - j2;
	return (s32)(s1 - s2) < 0;
}

/* Now, in the same terms, after all that was born so far. Context: any but NMI. */
void kml_born_now(unsigned long *born, u32 *stamp)
{
	unsigned long flags;

	local_irq_save(flags);
	*born = jiffies;
	*stamp = kml_stamp_next(*born);
	local_irq_restore(flags);
}

/**
 * kml_stack_save() - record the caller's stack
 *
 * Skips itself, KML_SKIP_FRAMES: the first frame is its caller, an exported hook
 * that is not inlined.
 *
 * Context: any.
 * Return: handle, or 0 when there is no depot yet or no memory.
 */
noinline depot_stack_handle_t kml_stack_save(void)
{
	unsigned long entries[KML_MAX_TRACE];
	unsigned int nr;

	if (!kml_pool_ready())
		return 0;
	nr = stack_trace_save(entries, ARRAY_SIZE(entries), KML_SKIP_FRAMES);
	return stack_depot_save(entries, nr, GFP_NOWAIT);
}

/**
 * kml_cold_init() - note who allocates
 * @cold: to fill
 * @trace: from kml_stack_save()
 * @ptr: what the allocator returned
 *
 * Context: IRQs off.
 */
void kml_cold_init(struct kml_cold *cold, depot_stack_handle_t trace,
		   unsigned long ptr)
{
	u32 pid = 0;

	cold->born = jiffies;
	cold->stamp = kml_stamp_next(cold->born);
	cold->checksum = ~0;	/* the first scan finds it changed */
	cold->trace = trace;
#ifdef KML_POINTER_TAGS
	cold->tag = ptr >> 56;
#endif
	if (in_hardirq()) {
		strscpy(cold->comm, "hardirq");
	} else if (in_serving_softirq()) {
		strscpy(cold->comm, "softirq");
	} else {
		pid = current->pid;
		/*
		 * No get_task_comm(): its lock is not for all contexts. A
		 * rename at this moment may leave a mixture of both names.
		 */
		strscpy(cold->comm, current->comm);
	}
	cold->pid = pid;
}

/**
 * kml_cold_free() - free metadata of an object that is out of the index
 * @state: the object's last state
 * @cold: its metadata, NULL is fine
 *
 * Context: any, no raw lock held, no pin on the object any more.
 */
void kml_cold_free(u32 state, struct kml_cold *cold)
{
	unsigned long flags;
	bool cached;

	if (!cold)
		return;
	if (unlikely(state & KML_F_EXT)) {
		struct kml_ext *ext = container_of(cold, struct kml_ext, cold);
		struct kml_area *area, *next;

		for (area = ext->areas; area; area = next) {
			next = area->next;
			kml_pool_free(KML_POOL_AREA, area);
		}
		kml_pool_free(KML_POOL_EXT, ext);
		return;
	}
	local_irq_save(flags);
	cached = kml_cold_put_cached(cold);
	local_irq_restore(flags);
	if (!cached)
		kml_pool_free(KML_POOL_COLD, cold);
}

/* Context: leaf->lock, if KML_F_BIG is set in @state. */
size_t kml_hot_size(const struct kml_hot *hot, u32 state)
{
	if (unlikely(state & KML_F_BIG))
		return kml_ext(hot)->size;
	return READ_ONCE(hot->size);
}

/* Copy all there is to know. Context: leaf->lock. */
void kml_info_fill(struct kml_info *info, struct kml_space *space,
		   unsigned long start, const struct kml_hot *hot)
{
	const struct kml_cold *cold = hot->cold;

	info->space = space->id;
	info->state = kml_hot_state(hot);
	info->addr = kml_tagged(start, cold);
	info->size = kml_hot_size(hot, info->state);
	info->born = cold->born;
	info->stamp = cold->stamp;
	info->checksum = cold->checksum;
	info->trace = cold->trace;
	info->pid = kml_cold_pid(cold);
	info->excess_ref = info->state & KML_F_EXT ? ~kml_ext(hot)->not_excess : 0;
	memcpy(info->comm, cold->comm, sizeof(info->comm));
}

unsigned int kml_info_flags(const struct kml_info *info)
{
	static const struct {
		u32 from;
		unsigned int to;
	} map[] = {
		{ KML_F_ALLOCATED,	KML_SHOW_ALLOCATED },
		{ KML_F_REPORTED,	KML_SHOW_REPORTED },
		{ KML_F_NO_SCAN,	KML_SHOW_NO_SCAN },
		{ KML_F_FULL_SCAN,	KML_SHOW_FULL_SCAN },
		{ KML_F_SUSPECT,	KML_SHOW_SUSPECT },
	};
	unsigned int i, flags = 0;

	for (i = 0; i < ARRAY_SIZE(map); i++)
		if (info->state & map[i].from)
			flags |= map[i].to;
	if (info->space == KML_PHYS)
		flags |= KML_SHOW_PHYS;
	if (info->space == KML_PERCPU)
		flags |= KML_SHOW_PERCPU;
	return flags;
}

/* Change flags against concurrent markers. Context: leaf->lock. */
u32 kml_hot_change(struct kml_hot *hot, u32 clear, u32 set)
{
	int old = atomic_read(&hot->state);

	while (!atomic_try_cmpxchg(&hot->state, &old, (old & ~clear) | set))
		;
	return old;
}
