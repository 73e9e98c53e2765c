// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hooks, as declared in include/linux/kmemleak.h. They check their
 * arguments, delegate, and print what went wrong.
 *
 * Common to all but those that free a part, which may sleep: any context but
 * NMI, IRQs on or off, from early boot on. NULL and error pointers to blocks are
 * ignored. Where a hook takes gfp flags, its own
 * allocations are limited to what may nest in them, and it never fails.
 */

#include "scan.h"

/* Between kml_print_begin() and kml_print_end(). */
#define kml_warn(fmt, ...)			\
do {						\
	pr_warn(fmt, ##__VA_ARGS__);		\
	dump_stack();				\
} while (0)

static bool kml_valid(const void *ptr)
{
	return ptr && !IS_ERR(ptr);
}

static bool kml_valid_percpu(const void __percpu *ptr)
{
	return kml_valid((const void *)(__force unsigned long)ptr);
}

/*
 * Two blocks in one place are the bug of one allocator or hook. kmemleak goes on: the
 * second block goes to the reserve, is scanned, and is never reported. Each call site
 * that allocates such blocks is logged once.
 */
#define KML_OVERLAP_SITES	64

static u32 kml_overlap_sites[KML_OVERLAP_SITES];

/* Has a block of this call site been logged, or is there no room for one more site? */
static bool kml_overlap_is_known(depot_stack_handle_t trace)
{
	u32 site = trace ?: U32_MAX, seen = 0;
	unsigned int i;

	for (i = 0; i < KML_OVERLAP_SITES; i++) {
		seen = cmpxchg(&kml_overlap_sites[i], 0, site);
		if (!seen || seen == site)
			break;
	}
	return seen;
}

static noinline void kml_overlap(unsigned long ptr, depot_stack_handle_t trace,
				 const struct kml_info *hit)
{
	bool strict = READ_ONCE(kml_strict);
	unsigned long flags;

	if (kml_overlap_is_known(trace) && !strict)
		return;
	flags = kml_print_begin();
	kml_warn("Cannot insert 0x%lx into the object search tree (overlaps existing)\n",
		 ptr);
	if (strict)
		kml_state_disable();
	kml_report_dump(hit);
	kml_print_end(flags);
}

static noinline void kml_overlap_insert(struct kml_space *space, unsigned long ptr,
					size_t size, int min_count)
{
	unsigned long start = kml_untag(ptr);

	size = kfence_ksize((void *)ptr) ?: size;
	kml_reserve_add_overlap(space, start, kml_last(start, size) - start + 1, min_count);
}

/* If @ptr points into an object, say so. */
static noinline void kml_warn_alias(struct kml_space *space, unsigned long ptr)
{
	struct kml_info info;
	unsigned long flags;

	if (space->id == KML_PHYS ? !kml_phys_info(ptr, &info) :
				    !kml_object_info(space, ptr, true, &info))
		return;
	flags = kml_print_begin();
	kml_warn("Found object by alias at 0x%08lx\n", ptr);
	kml_report_dump(&info);
	kml_print_end(flags);
}

/* A hook was given what we do not know; we may have had no memory for it. */
static noinline void kml_unknown(const char *what, unsigned long ptr, bool start)
{
	unsigned long flags;

	if (kml_reserve_ran_dry())
		return;
	if (start)
		kml_warn_alias(kml_space(KML_VIRT), ptr);
	flags = kml_print_begin();
	kml_warn("%s unknown object at 0x%08lx\n", what, ptr);
	kml_print_end(flags);
}

static __always_inline void kml_insert(struct kml_space *space,
				       unsigned long ptr, size_t size,
				       int min_count, gfp_t gfp)
{
	depot_stack_handle_t trace = kml_stack_save();
	struct kml_info hit;

	if (likely(!kml_object_insert(space, ptr, size, min_count, gfp, trace, &hit)))
		return;
	kml_overlap_insert(space, ptr, size, min_count);
	kml_overlap(ptr, trace, &hit);
}

static __always_inline void kml_remove(struct kml_space *space, unsigned long ptr)
{
	if (likely(kml_object_remove(space, ptr)))
		return;
	/* kfree() of a kmalloc_nolock() block is fine, so say nothing */
	if (space->id == KML_VIRT)
		kml_nolock_forget(kml_untag(ptr));
	kml_warn_alias(space, ptr);
}

static __always_inline void kml_remove_part(struct kml_space *space,
					    unsigned long ptr, size_t size)
{
	depot_stack_handle_t trace = kml_stack_save();
	struct kml_info hit;

	if (kml_object_remove_part(space, ptr, size, trace, &hit) == -EEXIST)
		kml_overlap(ptr, trace, &hit);
}

static void kml_paint(struct kml_space *space, unsigned long ptr, int color)
{
	if (kml_object_paint(space, ptr, color))
		kml_warn_alias(space, ptr);
}

/**
 * kmemleak_alloc() - a block was allocated
 * @ptr: its start
 * @size: in bytes
 * @min_count: references wanted; with fewer it is a leak. 0: never a leak, but
 *	scanned; -1: neither
 * @gfp: flags of the allocation
 */
void __ref kmemleak_alloc(const void *ptr, size_t size, int min_count, gfp_t gfp)
{
	if (kml_enabled() && kml_valid(ptr))
		kml_insert(kml_space(KML_VIRT), (unsigned long)ptr, size,
			   min_count, gfp);
}
EXPORT_SYMBOL_GPL(kmemleak_alloc);

/**
 * kmemleak_alloc_percpu() - a per-CPU block was allocated
 * @ptr: its per-CPU pointer
 * @size: in bytes, on each CPU
 * @gfp: flags of the allocation
 */
void __ref kmemleak_alloc_percpu(const void __percpu *ptr, size_t size, gfp_t gfp)
{
	if (kml_enabled() && kml_valid_percpu(ptr))
		kml_insert(kml_space(KML_PERCPU), (__force unsigned long)ptr,
			   size, 1, gfp);
}
EXPORT_SYMBOL_GPL(kmemleak_alloc_percpu);

/**
 * kmemleak_vmalloc() - a block was allocated in vmalloc space
 * @area: describes it
 * @size: in bytes
 * @gfp: flags of the allocation
 *
 * Two references are wanted, for @area has one. Somebody may keep @area only
 * (free_thread_stack() does): references to it beyond the first count for the
 * block.
 */
void __ref kmemleak_vmalloc(const struct vm_struct *area, size_t size, gfp_t gfp)
{
	unsigned long addr;
	int ret;

	if (!kml_enabled())
		return;

	addr = (unsigned long)area->addr;
	kml_insert(kml_space(KML_VIRT), addr, size, 2, gfp);

	ret = kml_object_set_excess(kml_space(KML_VIRT), (unsigned long)area,
				    addr, gfp);
	if (!ret)
		return;
	if (ret == -ENOENT)
		kml_unknown("Setting excess_ref on", (unsigned long)area, true);
	/* references will go missing: rather miss a leak */
	if (ret == -ENOMEM || kml_reserve_ran_dry())
		kml_object_paint(kml_space(KML_VIRT), addr, 0);
}
EXPORT_SYMBOL_GPL(kmemleak_vmalloc);

/**
 * kmemleak_free() - a block is about to be freed
 * @ptr: its start
 *
 * When this returns no scan reads the block. Unknown blocks are ignored.
 */
void __ref kmemleak_free(const void *ptr)
{
	if (kml_free_enabled() && kml_valid(ptr))
		kml_remove(kml_space(KML_VIRT), (unsigned long)ptr);
}
EXPORT_SYMBOL_GPL(kmemleak_free);

/**
 * kmemleak_free_part() - a part of a block is about to be freed
 * @ptr: start of the part
 * @size: of the part
 *
 * Context: process or boot: what remains may need memory.
 */
void __ref kmemleak_free_part(const void *ptr, size_t size)
{
	if (kml_free_enabled() && kml_valid(ptr))
		kml_remove_part(kml_space(KML_VIRT), (unsigned long)ptr, size);
}
EXPORT_SYMBOL_GPL(kmemleak_free_part);

/**
 * kmemleak_free_percpu() - a per-CPU block is about to be freed
 * @ptr: its per-CPU pointer
 */
void __ref kmemleak_free_percpu(const void __percpu *ptr)
{
	if (kml_free_enabled() && kml_valid_percpu(ptr))
		kml_remove(kml_space(KML_PERCPU), (__force unsigned long)ptr);
}
EXPORT_SYMBOL_GPL(kmemleak_free_percpu);

/**
 * kmemleak_update_trace() - report the caller as origin of a block
 * @ptr: anywhere in it
 */
void __ref kmemleak_update_trace(const void *ptr)
{
	if (kml_enabled() && kml_valid(ptr))
		kml_object_set_trace(kml_space(KML_VIRT), (unsigned long)ptr,
				     kml_stack_save());
}
EXPORT_SYMBOL(kmemleak_update_trace);

/**
 * kmemleak_not_leak() - a block is never to be reported, but to be scanned
 * @ptr: its start
 */
void __ref kmemleak_not_leak(const void *ptr)
{
	if (kml_enabled() && kml_valid(ptr))
		kml_paint(kml_space(KML_VIRT), (unsigned long)ptr, 0);
}
EXPORT_SYMBOL(kmemleak_not_leak);

/**
 * kmemleak_transient_leak() - a block may look leaked for a moment
 * @ptr: its start
 *
 * The next scan takes it as changed, hence in use.
 */
void __ref kmemleak_transient_leak(const void *ptr)
{
	if (!kml_enabled() || !kml_valid(ptr))
		return;
	if (kml_object_reset_checksum(kml_space(KML_VIRT), (unsigned long)ptr))
		kml_unknown("Not resetting the checksum of an", (unsigned long)ptr, true);
}
EXPORT_SYMBOL(kmemleak_transient_leak);

/**
 * kmemleak_ignore_percpu() - kmemleak_ignore() for a per-CPU block
 * @ptr: its per-CPU pointer
 */
void __ref kmemleak_ignore_percpu(const void __percpu *ptr)
{
	if (kml_enabled() && kml_valid_percpu(ptr))
		kml_paint(kml_space(KML_PERCPU), (__force unsigned long)ptr, -1);
}
EXPORT_SYMBOL_GPL(kmemleak_ignore_percpu);

/**
 * kmemleak_ignore() - a block is neither to be reported nor to be scanned
 * @ptr: its start
 */
void __ref kmemleak_ignore(const void *ptr)
{
	if (kml_enabled() && kml_valid(ptr))
		kml_paint(kml_space(KML_VIRT), (unsigned long)ptr, -1);
}
EXPORT_SYMBOL(kmemleak_ignore);

/**
 * kmemleak_scan_area() - only part of a block contains references
 * @ptr: start of the part
 * @size: of the part; SIZE_MAX: all from @ptr on
 * @gfp: flags for metadata
 *
 * May be called several times for several parts.
 */
void __ref kmemleak_scan_area(const void *ptr, size_t size, gfp_t gfp)
{
	struct kml_info hit;
	unsigned long flags;
	int ret;

	if (!kml_enabled() || !kml_valid(ptr) || !size)
		return;

	ret = kml_object_add_area(kml_space(KML_VIRT), (unsigned long)ptr, size,
				  gfp, &hit);
	switch (ret) {
	case -ENOENT:
		kml_unknown("Adding scan area to", (unsigned long)ptr, false);
		break;
	case -ENOMEM:
		kml_warn_once("Cannot allocate a scan area, scanning the full object\n");
		break;
	case -ERANGE:
		flags = kml_print_begin();
		kml_warn("Scan area larger than object 0x%08lx\n",
			 (unsigned long)ptr);
		kml_report_dump(&hit);
		kml_print_end(flags);
		break;
	}
}
EXPORT_SYMBOL(kmemleak_scan_area);

/**
 * kmemleak_no_scan() - a block contains no references
 * @ptr: its start
 */
void __ref kmemleak_no_scan(const void *ptr)
{
	if (!kml_enabled() || !kml_valid(ptr))
		return;
	if (kml_object_no_scan(kml_space(KML_VIRT), (unsigned long)ptr))
		kml_unknown("Not scanning", (unsigned long)ptr, true);
}
EXPORT_SYMBOL(kmemleak_no_scan);

/**
 * kmemleak_alloc_phys() - a physical block was allocated
 * @phys: its start
 * @size: in bytes
 * @gfp: flags for metadata
 *
 * It is never reported, and scanned if it is mapped.
 */
void __ref kmemleak_alloc_phys(phys_addr_t phys, size_t size, gfp_t gfp)
{
	depot_stack_handle_t trace;
	struct kml_info hit;

	if (!kml_enabled())
		return;
	trace = kml_stack_save();
	if (!kml_phys_insert(phys, size, gfp, trace, &hit))
		return;
	kml_overlap_insert(kml_space(KML_PHYS), phys, size, 0);
	kml_overlap(phys, trace, &hit);
}
EXPORT_SYMBOL(kmemleak_alloc_phys);

/**
 * kmemleak_free_part_phys() - kmemleak_free_part() for a physical block
 * @phys: start of the part
 * @size: of the part
 *
 * Context: as kmemleak_free_part().
 */
void __ref kmemleak_free_part_phys(phys_addr_t phys, size_t size)
{
	if (kml_free_enabled())
		kml_phys_remove(phys, size, kml_stack_save());
}
EXPORT_SYMBOL(kmemleak_free_part_phys);

/**
 * kmemleak_ignore_phys() - kmemleak_ignore() for a physical block
 * @phys: its start
 */
void __ref kmemleak_ignore_phys(phys_addr_t phys)
{
	if (kml_enabled() && kml_phys_paint(phys, true))
		kml_warn_alias(kml_space(KML_PHYS), phys);
}
EXPORT_SYMBOL(kmemleak_ignore_phys);

static void __init kml_add_section(const void *start, size_t len)
{
	kml_insert(kml_space(KML_VIRT), (unsigned long)start, len, 0, GFP_ATOMIC);
}

/**
 * kmemleak_init() - the slab works: use it
 *
 * Context: from mm_core_init(), one CPU, IRQs off.
 */
void __init kmemleak_init(void)
{
	if (IS_ENABLED(CONFIG_DEBUG_KMEMLEAK_DEFAULT_OFF) && !kml_boot.on) {
		kml_state_disable();
		return;
	}
	if (kml_state_has_error())
		return;

	kml_shard_init();
	kml_pool_init();
	if (kml_workers_init()) {
		pr_err("No memory to scan with\n");
		kml_state_disable();
		return;
	}
	kml_roots_sections(kml_add_section);
}

static int __init kml_late_init(void)
{
	kml_nolock_init();
	kml_debugfs_init();
	kml_control_late_init();
	if (kml_state_has_error())
		return -ENOMEM;

	pr_info("Kernel memory leak detector initialized (mem pool available: %d)\n",
		kml_pool_early_left());
	return 0;
}
late_initcall(kml_late_init);
