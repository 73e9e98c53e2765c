// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads of objects that their owners write concurrently: checksums and hex dumps. This
 * file is always built without KASAN and KCSAN instrumentation, which would report such
 * reads.
 *
 * Sections: reading objects; where objects are, for the filters.
 */

#include "os.h"
#include "mark.h"

/* === Reading objects ==================================================== */

/**
 * kml_object_memory() - get the virtual address of an object's content
 * @space: address space of the object
 * @start: untagged start of the object
 * @cpu: CPU whose copy of a per-CPU object is wanted; ignored for other objects
 *
 * Context: any. The object has to be pinned, or its leaf be locked, for reads.
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

/**
 * kml_checksum() - continue a CRC-32
 * @seed: CRC-32 of the preceding memory, or 0
 * @p: memory to add, which may be written meanwhile
 * @len: in bytes
 *
 * Context: any; the memory stays readable.
 * Return: the CRC-32.
 */
u32 kml_checksum(u32 seed, const void *p, size_t len)
{
	kasan_disable_current();
	kcsan_disable_current();
	seed = crc32(seed, kasan_reset_tag(p), len);
	kcsan_enable_current();
	kasan_enable_current();
	return seed;
}

/* Add a chunk of an object to its checksum. Return: false if the object is gone. */
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
	/* pairs with the atomic in kml_remove_entry(): "Pins" in index.h */
	smp_mb();
	/* meanwhile another, shorter object may have been inserted here */
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
 * kml_checksum_pinned() - compute the CRC-32 of an object's content
 * @pins: pins of the calling worker; the first one is used
 * @space: address space of the object
 * @start: untagged start of the object
 * @size: in bytes
 * @sum: set to the CRC-32; for a per-CPU object, of the copies of all CPUs
 * @stop: called after each chunk of KML_CHUNK bytes, with no lock held; may sleep.
 *	Returns true to give up
 * @data: argument of @stop
 *
 * Context: process, in a worker, while a scan is active; may sleep in @stop.
 * Return: false if the object was freed, or @stop returned true.
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
 * @info: metadata of the object, which is not a physical block
 * @buf: room for KML_HEX_BYTES
 * @cpu: set to the CPU whose copy of a per-CPU object was copied
 *
 * Context: any but NMI; no leaf is locked.
 * Return: the number of bytes copied; 0 if the object was freed, even if another one
 * was inserted in its place, or if frees are not tracked any more: then another
 * mapping may be there, of device registers for example.
 */
size_t kml_copy_head(const struct kml_info *info, void *buf, int *cpu)
{
	unsigned long start = kml_untag(info->addr);
	struct kml_space *space = kml_space(info->space);
	size_t len = min_t(size_t, info->size, KML_HEX_BYTES);
	struct kml_locked l;
	const void *mem;

	/* while the leaf is locked, a free of the object cannot return */
	if (!kml_free_enabled() || !kml_object_lock(&l, space, start, false))
		return 0;
	*cpu = raw_smp_processor_id();
	mem = kasan_reset_tag(kml_object_memory(space, start, *cpu));
	if (l.hot->cold->stamp != info->stamp ||
	    l.hot->cold->born != info->born) {
		len = 0;
	} else {
		kasan_disable_current();
		memcpy(buf, mem, len);
		kasan_enable_current();
	}
	kml_object_unlock(&l);
	return len;
}

/* === Windows ============================================================ */

static struct kmemleak_range kml_space_range(enum kml_space_id id)
{
	struct kml_space *space = kml_space(id);

	return kml_filter_range(kml_window_min(space), kml_window_last(space));
}

/**
 * kml_filter_windows() - get the windows of the address spaces
 * @win: filled; no object is being read
 *
 * Objects that are inserted later may lie outside. That is fine in a scan: they are
 * new, and new objects need no references.
 *
 * Context: any.
 */
void kml_filter_windows(struct kmemleak_windows *win)
{
	win->virt = kml_space_range(KML_VIRT);
	win->percpu = kml_space_range(KML_PERCPU);
	win->self = (struct kmemleak_range){};
	win->tag_bits = KML_TAG_BITS;
}
