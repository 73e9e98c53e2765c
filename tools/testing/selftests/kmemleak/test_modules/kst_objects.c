// SPDX-License-Identifier: GPL-2.0
/*
 * kmemleak_selftest: objects and the kmemleak hooks
 *
 * Most objects are whole pages, which the page allocator does not register. They are
 * registered by hand, with any size and minimum count, and no allocator keeps stale
 * pointers to them. The functions that register an object are noinline: tests look for
 * their names in backtraces.
 */
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/kernel_stat.h>
#include <linux/kmemleak.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "first_chunk.h"
#include "kst.h"

static struct kst_slot kst_slots[KST_NR_SLOTS];

struct kst_slot *kst_get_slot(unsigned long nr)
{
	return nr < KST_NR_SLOTS ? &kst_slots[nr] : NULL;
}

unsigned long kst_slot_address(const struct kst_slot *slot)
{
	return kst_scramble(slot->hidden);
}

static void kst_slot_set(struct kst_slot *slot, enum kst_kind kind,
			 unsigned long address, size_t size)
{
	slot->kind = kind;
	slot->hidden = kst_scramble(address);
	slot->size = size;
	slot->nr_splits = 0;
}

/* The memory of an object; @cpu only matters for a per-CPU object. */
void *kst_slot_memory(const struct kst_slot *slot, unsigned int cpu)
{
	unsigned long address = kst_slot_address(slot);

	if (slot->kind == KST_PERCPU)
		return per_cpu_ptr((__force void __percpu *)address, cpu);
	if (slot->kind == KST_PHYS)
		return __va((phys_addr_t)address);
	return (void *)address;
}

/*
 * Planters. The barrier prevents a tail call, with which the planter would not be in the
 * backtrace.
 */
static noinline void kst_plant_page(struct kst_slot *slot, int min_count,
				    gfp_t gfp)
{
	kmemleak_alloc((void *)kst_slot_address(slot), slot->size, min_count,
		       gfp);
	barrier();
}

static noinline int kst_plant_kmalloc(struct kst_slot *slot, size_t size)
{
	void *p = kzalloc(size, GFP_KERNEL);

	if (!p)
		return -ENOMEM;
	kst_slot_set(slot, KST_KMALLOC, (unsigned long)p, size);
	return 0;
}

/*
 * The memory of a module's initialisation is free, and used by vmalloc() on some machines.
 * /sys/module/.../sections has its addresses as long as the module is loaded. Blocks at
 * such addresses are kept, in a chain that kmemleak can follow.
 */
#define KST_INIT_ROOM	SZ_64K

static unsigned long kst_init_at;	/* scrambled */
static void *kst_in_init;

void kst_avoid_init(unsigned long address)
{
	kst_init_at = kst_scramble(address);
}

static bool kst_lies_in_init(void *p, size_t size)
{
	unsigned long from = kst_scramble(kst_init_at) - KST_INIT_ROOM;

	return (unsigned long)p - from < 2 * KST_INIT_ROOM ||
	       from - (unsigned long)p < size;
}

void kst_free_in_init(void)
{
	while (kst_in_init) {
		void *p = kst_in_init;

		kst_in_init = *(void **)p;
		vfree(p);
	}
}

static noinline int kst_plant_vmalloc(struct kst_slot *slot, size_t size)
{
	void *p;

	while ((p = vzalloc(size)) && kst_lies_in_init(p, size)) {
		*(void **)p = kst_in_init;
		kst_in_init = p;
	}
	if (!p)
		return -ENOMEM;
	kst_slot_set(slot, KST_VMALLOC, (unsigned long)p, size);
	return 0;
}

/* Per-CPU memory in the first chunk is kept, in a chain that kmemleak can follow. */
static void __percpu *kst_in_first;

static void kst_keep_in_first(void __percpu *p)
{
	*(void __percpu **)per_cpu_ptr(p, 0) = kst_in_first;
	kst_in_first = p;
}

void kst_free_in_first(void)
{
	while (kst_in_first) {
		void __percpu *p = kst_in_first;

		kst_in_first = *(void __percpu **)per_cpu_ptr(p, 0);
		free_percpu(p);
	}
}

static noinline int kst_plant_percpu(struct kst_slot *slot, size_t size)
{
	void __percpu *p;

	size = max(size, sizeof(p));
	while ((p = __alloc_percpu(size, sizeof(long))) && in_first_chunk(p))
		kst_keep_in_first(p);
	if (!p)
		return -ENOMEM;
	kst_slot_set(slot, KST_PERCPU, (__force unsigned long)p, size);
	return 0;
}

static noinline int kst_plant_phys(struct kst_slot *slot, size_t size)
{
	void *p = kst_get_pages(size);

	if (!p)
		return -ENOMEM;
	kst_slot_set(slot, KST_PHYS, (unsigned long)__pa(p), size);
	kmemleak_alloc_phys(__pa(p), size, GFP_KERNEL);
	return 0;
}

static noinline void kst_retrace(void *p)
{
	kmemleak_update_trace(p);
	barrier();
}

/* A KST_PAGE object that is made here is only memory, and not registered. */
int kst_create(enum kst_kind kind, struct kst_slot *slot, size_t size)
{
	void *p;

	kst_destroy(slot);
	if (!size)
		return -EINVAL;

	switch (kind) {
	case KST_KMALLOC:
		return kst_plant_kmalloc(slot, size);
	case KST_VMALLOC:
		return kst_plant_vmalloc(slot, size);
	case KST_PERCPU:
		return kst_plant_percpu(slot, size);
	case KST_PHYS:
		return kst_plant_phys(slot, size);
	case KST_PAGE:
		p = kst_get_pages(size);
		if (!p)
			return -ENOMEM;
		kst_slot_set(slot, KST_PAGE, (unsigned long)p, size);
		return 0;
	default:
		return -EINVAL;
	}
}

struct kst_registration {
	struct kst_slot *slot;
	int min_count;
};

static void kst_register_atomic(void *arg)
{
	struct kst_registration *reg = arg;

	kst_plant_page(reg->slot, reg->min_count, GFP_ATOMIC);
}

int kst_create_registered(struct kst_slot *slot, size_t size, int min_count,
			  enum kst_context context)
{
	struct kst_registration reg = { .slot = slot, .min_count = min_count };
	int ret;

	ret = kst_create(KST_PAGE, slot, size);
	if (ret)
		return ret;
	if (context != KST_TASK)
		return kst_run_in(context, kst_register_atomic, &reg);
	kst_plant_page(slot, min_count, GFP_KERNEL);
	return 0;
}

int kst_create_rawphys(struct kst_slot *slot, unsigned long phys, size_t size)
{
	kst_destroy(slot);
	kst_slot_set(slot, KST_RAWPHYS, phys, size);
	kmemleak_alloc_phys(phys, size, GFP_KERNEL);
	return 0;
}

/* @nr objects from one call site, which share a backtrace. */
int kst_burst(enum kst_kind kind, unsigned long first, unsigned long nr,
	      size_t size)
{
	unsigned long i;
	int ret;

	for (i = first; i < first + nr; i++) {
		struct kst_slot *slot = kst_get_slot(i);

		if (!slot)
			return -EINVAL;
		ret = kst_create(kind, slot, size);
		if (ret)
			return ret;
		if (kind == KST_PAGE)
			kst_plant_page(slot, 1, GFP_KERNEL);
	}
	return 0;
}

static int kst_free_part(struct kst_slot *slot, size_t offset, size_t size)
{
	if (slot->nr_splits == KST_NR_SPLITS)
		return -ENOSPC;
	if (offset + size < slot->size)
		slot->split[slot->nr_splits++] = offset + size;
	if (slot->kind == KST_PHYS || slot->kind == KST_RAWPHYS)
		kmemleak_free_part_phys(kst_slot_address(slot) + offset, size);
	else
		kmemleak_free_part((void *)kst_slot_address(slot) + offset,
				   size);
	return 0;
}

int kst_hook(const char *name, struct kst_slot *slot, size_t offset,
	     size_t size)
{
	void *p = (void *)kst_slot_address(slot) + offset;

	if (!strcmp(name, "alloc"))
		kst_plant_page(slot, 1, GFP_KERNEL);
	else if (!strcmp(name, "free"))
		kmemleak_free(p);
	else if (!strcmp(name, "free_part"))
		return kst_free_part(slot, offset, size);
	else if (!strcmp(name, "not_leak"))
		kmemleak_not_leak(p);
#ifdef KST_HAVE_TRANSIENT_LEAK
	else if (!strcmp(name, "transient_leak"))
		kmemleak_transient_leak(p);
#else
	else if (!strcmp(name, "transient_leak"))
		return -EOPNOTSUPP;
#endif
	else if (!strcmp(name, "ignore"))
		kmemleak_ignore(p);
	else if (!strcmp(name, "ignore_phys"))
		kmemleak_ignore_phys(kst_slot_address(slot) + offset);
	else if (!strcmp(name, "scan_area"))
		kmemleak_scan_area(p, size, GFP_KERNEL);
	else if (!strcmp(name, "no_scan"))
		kmemleak_no_scan(p);
	else if (!strcmp(name, "update_trace"))
		kst_retrace(p);
#ifdef KST_HAVE_IGNORE_PERCPU
	else if (!strcmp(name, "ignore_percpu"))
		kmemleak_ignore_percpu((__force void __percpu *)p);
#else
	else if (!strcmp(name, "ignore_percpu"))
		return -EOPNOTSUPP;
#endif
	else
		return -EINVAL;
	return 0;
}

/*
 * Register the block of @slot like vmalloc(): the object @vm becomes the vm_struct that
 * points to it.
 */
int kst_vm_struct(struct kst_slot *vm, struct kst_slot *slot)
{
	struct vm_struct *area;

	if (vm->kind != KST_PAGE || vm->size < sizeof(*area) ||
	    slot->kind != KST_PAGE)
		return -EINVAL;
	area = (void *)kst_slot_address(vm);
	area->addr = (void *)kst_slot_address(slot);
	area->size = slot->size;
	kmemleak_vmalloc(area, slot->size, GFP_KERNEL);
	return 0;
}

/* Register a block that begins inside that of @slot. */
int kst_overlap(struct kst_slot *slot)
{
	if (slot->kind != KST_PAGE)
		return -EINVAL;
	kmemleak_alloc((void *)kst_slot_address(slot) + slot->size / 2,
		       slot->size, 1, GFP_KERNEL);
	return 0;
}

static void kst_tolerate_pointer(void *p)
{
	kmemleak_alloc(p, 64, 1, GFP_KERNEL);
	kmemleak_free(p);
	kmemleak_free_part(p, 8);
	kmemleak_update_trace(p);
	kmemleak_not_leak(p);
#ifdef KST_HAVE_TRANSIENT_LEAK
	kmemleak_transient_leak(p);
#endif
	kmemleak_ignore(p);
	kmemleak_scan_area(p, 8, GFP_KERNEL);
	kmemleak_no_scan(p);
	kmemleak_alloc_percpu((__force void __percpu *)p, 64, GFP_KERNEL);
	kmemleak_free_percpu((__force void __percpu *)p);
#ifdef KST_HAVE_IGNORE_PERCPU
	kmemleak_ignore_percpu((__force void __percpu *)p);
#endif
}

/*
 * Arguments about which hooks must not complain: NULL, an error pointer, and, for hooks
 * that may get untracked blocks, a pointer that is not registered.
 */
void kst_tolerate(void)
{
	void *unknown;

	kst_tolerate_pointer(NULL);
	kst_tolerate_pointer(ERR_PTR(-ENOMEM));
	kst_tolerate_pointer(ERR_PTR(-MAX_ERRNO));

	unknown = kst_get_pages(PAGE_SIZE);
	if (!unknown)
		return;
	kmemleak_free(unknown);
	kmemleak_free_part(unknown, 8);
	kmemleak_not_leak(unknown);
	kmemleak_ignore(unknown);
	kmemleak_update_trace(unknown);
	kmemleak_scan_area(unknown, 0, GFP_KERNEL);
	kmemleak_free_part_phys(__pa(unknown), 8);
	kmemleak_ignore_phys(__pa(unknown));
	kst_free_pages(unknown, PAGE_SIZE);
}

/* Freed memory must not keep pointers to objects of later tests. */
static void kst_wipe(struct kst_slot *slot)
{
	unsigned int cpu;

	if (slot->kind == KST_NONE || slot->kind == KST_RAWPHYS)
		return;
	for_each_possible_cpu(cpu) {
		memset(kst_slot_memory(slot, cpu), 0, slot->size);
		if (slot->kind != KST_PERCPU)
			break;
	}
}

void kst_destroy(struct kst_slot *slot)
{
	unsigned long address = kst_slot_address(slot);
	unsigned int i;

	kst_wipe(slot);
	switch (slot->kind) {
	case KST_NONE:
		return;
	case KST_PAGE:
		kmemleak_free((void *)address);
		for (i = 0; i < slot->nr_splits; i++)
			kmemleak_free((void *)address + slot->split[i]);
		kst_free_pages((void *)address, slot->size);
		break;
	case KST_KMALLOC:
		kfree((void *)address);
		break;
	case KST_VMALLOC:
		vfree((void *)address);
		break;
	case KST_PERCPU:
		free_percpu((__force void __percpu *)address);
		break;
	case KST_PHYS:
	case KST_RAWPHYS:
		kmemleak_free_part_phys(address, slot->size);
		for (i = 0; i < slot->nr_splits; i++)
			kmemleak_free_part_phys(address + slot->split[i],
						slot->size - slot->split[i]);
		if (slot->kind == KST_PHYS)
			kst_free_pages(__va((phys_addr_t)address), slot->size);
		break;
	}
	slot->kind = KST_NONE;
	slot->hidden = 0;
}

void kst_destroy_all(void)
{
	unsigned long i;

	for (i = 0; i < KST_NR_SLOTS; i++)
		kst_destroy(&kst_slots[i]);
}

/*
 * Register @nr objects, and free all of them with preemption disabled, like bio_put(). On
 * PREEMPT_RT no sleeping lock may be taken then. Some objects have scan areas.
 */
int kst_free_atomic(unsigned long nr)
{
	const size_t size = 64;
	unsigned long i;
	char *memory;

	if (!nr || nr > SZ_1M / size)
		return -EINVAL;
	/* pages are not tracked */
	memory = (void *)__get_free_pages(GFP_KERNEL, get_order(nr * size));
	if (!memory)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		kmemleak_alloc(memory + i * size, size, 1, GFP_KERNEL);
		if (i % 3 == 0)
			kmemleak_scan_area(memory + i * size, 16, GFP_KERNEL);
	}
	preempt_disable();
	for (i = 0; i < nr; i++)
		kmemleak_free(memory + i * size);
	preempt_enable();
	free_pages((unsigned long)memory, get_order(nr * size));
	return 0;
}
