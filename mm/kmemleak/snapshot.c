// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading tracked memory: where it is, its checksum, its first bytes.
 *
 * This file is built without KASAN and KCSAN always: it reads what belongs to
 * others, while they write it.
 */

#include "os.h"
#include "interval.h"
#include "snapshot.h"
#include "track.h"

/**
 * kml_object_memory() - where to read an object
 * @space: of the object
 * @start: its untagged start
 * @cpu: whose copy of a per-CPU object
 *
 * Context: any; what is read must be pinned.
 * Return: address of its first byte.
 */
const void *kml_object_memory(struct kml_space *space, unsigned long start,
			      int cpu)
{
	switch (space->id) {
	case KML_PHYS:
		return __va((phys_addr_t)start);
	case KML_PERCPU:
		return per_cpu_ptr((void __percpu *)start, cpu);
	default:
		return (const void *)start;
	}
}

u32 kml_checksum(u32 seed, const void *p, size_t len)
{
	kasan_disable_current();
	kcsan_disable_current();
	seed = crc32(seed, kasan_reset_tag(p), len);
	kcsan_enable_current();
	kasan_enable_current();
	return seed;
}

/* Sum up one chunk of an object, if it still exists. */
static bool kml_checksum_chunk(struct kml_pins *pins, struct kml_space *space,
			       unsigned long start, size_t off, size_t len,
			       int cpu, u32 *sum)
{
	unsigned long flags;
	struct kml_pinned p;
	bool alive;

	rcu_read_lock();
	local_irq_save(flags);
	kml_pin(pins, 0, start);
	/* pairs with the atomic in kml_remove_entry(), see pin.h */
	smp_mb();
	/* it may have become shorter, or be another one, since the last chunk */
	alive = kml_lookup_pinned(kml_leaf_of(space, start), start, &p) &&
		off + len <= p.size;
	if (alive)
		*sum = kml_checksum(*sum, kml_object_memory(space, start, cpu) + off,
				    len);
	kml_unpin(pins, 0);
	local_irq_restore(flags);
	rcu_read_unlock();
	return alive;
}

/**
 * kml_checksum_pinned() - CRC-32 of an object's content, all CPUs' copies
 * @pins: the caller's
 * @space: of the object
 * @start: its untagged start
 * @size: in bytes
 * @sum: result
 * @stop: asked after each chunk; may reschedule
 * @data: for @stop
 *
 * Context: process, a scan is active.
 * Return: false if the object went away or
 * @stop said so.
 */
bool kml_checksum_pinned(struct kml_pins *pins, struct kml_space *space,
			 unsigned long start, size_t size, u32 *sum,
			 bool (*stop)(void *data), void *data)
{
	unsigned int cpu;
	size_t off, len;

	*sum = 0;
	for_each_possible_cpu(cpu) {
		for (off = 0; off < size; off += len) {
			len = min_t(size_t, size - off, KML_CHUNK);
			if (!kml_checksum_chunk(pins, space, start, off, len,
						cpu, sum) || stop(data))
				return false;
		}
		if (space->id != KML_PERCPU)
			break;
	}
	return true;
}

/**
 * kml_copy_head() - copy the first bytes of an object for a hex dump
 * @info: of the object, not in physical space
 * @buf: room for KML_HEX_BYTES
 * @cpu: set to the CPU whose copy of a per-CPU object was taken
 *
 * Context: any.
 * Return: bytes copied; 0 if it is no longer the same object.
 */
size_t kml_copy_head(const struct kml_info *info, void *buf, int *cpu)
{
	unsigned long start = kml_untag(info->addr);
	struct kml_space *space = kml_space(info->space);
	size_t len = min_t(size_t, info->size, KML_HEX_BYTES);
	struct kml_locked l;
	const void *mem;

	/* the lock keeps a free from returning while we copy */
	if (!kml_object_lock(&l, space, start, false))
		return 0;
	*cpu = raw_smp_processor_id();
	mem = kasan_reset_tag(kml_object_memory(space, start, *cpu));
	if (l.hot->cold->stamp != info->stamp ||
	    l.hot->cold->born != info->born) {
		len = 0;
	} else if (!kml_free_enabled()) {
		/* frees go unnoticed now: the block may be gone */
		if (copy_from_kernel_nofault(buf, mem, len))
			len = 0;
	} else {
		kasan_disable_current();
		memcpy(buf, mem, len);
		kasan_enable_current();
	}
	kml_object_unlock(&l);
	return len;
}
