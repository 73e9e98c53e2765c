// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shards. An interval belongs to the CPU on which its first object was born;
 * its tables were allocated there, so they are on that node, and the CPU's
 * share of a scan is its own intervals. What is born before per-CPU data works
 * belongs to the boot shard.
 */

#include "os.h"
#include "shard.h"
#include "state.h"

static struct kml_shard kml_boot_shard = {
	.lock = __RAW_SPIN_LOCK_UNLOCKED(kml_boot_shard.lock),
	.cpu = -1,
	.intervals = {
		[KML_VIRT]	= LIST_HEAD_INIT(kml_boot_shard.intervals[KML_VIRT]),
		[KML_PHYS]	= LIST_HEAD_INIT(kml_boot_shard.intervals[KML_PHYS]),
		[KML_PERCPU]	= LIST_HEAD_INIT(kml_boot_shard.intervals[KML_PERCPU]),
	},
};

static DEFINE_PER_CPU(struct kml_shard, kml_shards);

/* Context: any. The caller may migrate; then its memory is remote, no more. */
struct kml_shard *kml_shard_here(void)
{
	return likely(kml_pool_ready()) ? raw_cpu_ptr(&kml_shards) : &kml_boot_shard;
}

/* The boot shard first, then one a CPU; NULL starts and ends. */
struct kml_shard *kml_shard_next(struct kml_shard *shard)
{
	unsigned int cpu;

	if (!shard)
		return &kml_boot_shard;
	if (!kml_pool_ready())
		return NULL;

	cpu = cpumask_next(shard->cpu, cpu_possible_mask);
	return cpu < nr_cpu_ids ? per_cpu_ptr(&kml_shards, cpu) : NULL;
}

/* Context: space->lock. Walkers go without a lock, see kml_interval_walk(). */
void kml_shard_add(struct kml_interval *iv, enum kml_space_id id)
{
	struct kml_shard *shard = iv->shard;

	raw_spin_lock(&shard->lock);
	list_add_tail_rcu(&iv->link, &shard->intervals[id]);
	shard->nr++;
	raw_spin_unlock(&shard->lock);
}

/* Context: space->lock and kml_scan_mutex. */
void kml_shard_del(struct kml_interval *iv)
{
	struct kml_shard *shard = iv->shard;

	raw_spin_lock(&shard->lock);
	list_del_rcu(&iv->link);
	shard->nr--;
	raw_spin_unlock(&shard->lock);
}

/*
 * Let workers take all intervals anew. Context: kml_scan_mutex held, so that
 * none vanishes; nobody is taking.
 */
void kml_shards_rewind(void)
{
	struct kml_shard *shard;

	for (shard = kml_shard_next(NULL); shard; shard = kml_shard_next(shard)) {
		raw_spin_lock_irq(&shard->lock);
		WRITE_ONCE(shard->space, 0);
		shard->taken = &shard->intervals[0];
		raw_spin_unlock_irq(&shard->lock);
	}
}

void kml_shard_cursor_init(struct kml_shard_cursor *c, unsigned int cpu)
{
	*c = (struct kml_shard_cursor){ .cpu = cpu };
}

/* Intervals born meanwhile are taken, too, unless their list is done. */
static struct kml_interval *kml_shard_take_one(struct kml_shard *shard,
					       enum kml_space_id *id)
{
	struct kml_interval *iv = NULL;

	if (READ_ONCE(shard->space) == KML_NR_SPACES)
		return NULL;

	raw_spin_lock_irq(&shard->lock);
	while (!iv && shard->space < KML_NR_SPACES) {
		struct list_head *next = shard->taken->next;

		if (next != &shard->intervals[shard->space]) {
			iv = list_entry(next, struct kml_interval, link);
			*id = shard->space;
		} else {
			WRITE_ONCE(shard->space, shard->space + 1);
			next = &shard->intervals[shard->space % KML_NR_SPACES];
		}
		shard->taken = next;
	}
	raw_spin_unlock_irq(&shard->lock);
	return iv;
}

/**
 * kml_shard_take() - take an interval that nobody else has taken
 * @c: the caller's, its own
 * @id: set to the interval's space
 *
 * Context: process; the initiator of the scan holds kml_scan_mutex.
 * Return: the interval, or NULL if there is none left.
 */
struct kml_interval *kml_shard_take(struct kml_shard_cursor *c,
				    enum kml_space_id *id)
{
	struct kml_interval *iv = NULL;

	for (;;) {
		/* behind the last CPU: the boot shard */
		unsigned int cpu = (c->cpu + c->i) % (nr_cpu_ids + 1);

		if (cpu == nr_cpu_ids)
			iv = kml_shard_take_one(&kml_boot_shard, id);
		else if (cpu_possible(cpu) &&
			 (c->remote || cpu_to_node(cpu) == cpu_to_node(c->cpu)))
			iv = kml_shard_take_one(per_cpu_ptr(&kml_shards, cpu), id);
		if (iv)
			return iv;
		if (c->i < nr_cpu_ids) {
			c->i++;
		} else {
			if (c->remote)
				return NULL;
			c->remote = true;
			c->i = 0;
		}
	}
}

unsigned long kml_shard_intervals(void)
{
	struct kml_shard *shard;
	unsigned long nr = 0;

	for (shard = kml_shard_next(NULL); shard; shard = kml_shard_next(shard))
		nr += READ_ONCE(shard->nr);
	return nr;
}

/* Context: before kml_pool_init(). */
void __init kml_shard_init(void)
{
	int cpu, id;

	for_each_possible_cpu(cpu) {
		struct kml_shard *shard = per_cpu_ptr(&kml_shards, cpu);

		raw_spin_lock_init(&shard->lock);
		shard->cpu = cpu;
		for (id = 0; id < KML_NR_SPACES; id++)
			INIT_LIST_HEAD(&shard->intervals[id]);
	}
}
