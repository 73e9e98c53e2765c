// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hooks that include/linux/kmemleak.h declares. They check their arguments, call
 * the index, and log errors.
 *
 * Rules for all hooks: NULL and error pointers are ignored. A hook never fails. The
 * gfp flags that a hook gets limit its own allocations of metadata. If there is no
 * memory for metadata, a new block goes into the reserve: it is scanned, unless it
 * is black, but never reported.
 */

#include "scan.h"

/* Context: between kml_print_begin() and kml_print_end(). */
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
 * Overlapping blocks are the bug of one allocator or hook, so kmemleak stays
 * enabled: the second block goes into the reserve, is scanned, and is never
 * reported. Each call site that allocates such blocks is logged once. With the
 * parameter "strict", the first overlap disables kmemleak.
 */
#define KML_OVERLAP_SITES	64

static u32 kml_overlap_sites[KML_OVERLAP_SITES];

/* Was an overlap of this call site logged before, or is the table of sites full? */
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

/* Log @ptr if it points into an object. */
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

/*
 * Log a block that is not tracked. Nothing is logged while there are pages with lost
 * blocks: it may be one of these.
 */
static noinline void kml_unknown(const char *what, unsigned long ptr, bool start)
{
	unsigned long flags;

	if (kml_lost_pages())
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
	depot_stack_handle_t trace = kml_stack_save(gfp);
	struct kml_info hit __uninitialized;	/* filled on -EEXIST */

	if (likely(!kml_object_insert(space, ptr, size, min_count, gfp, trace, &hit)))
		return;
	kml_overlap_insert(space, ptr, size, min_count);
	kml_overlap(ptr, trace, &hit);
}

static __always_inline void kml_remove(struct kml_space *space, unsigned long ptr)
{
	if (likely(kml_object_remove(space, ptr)))
		return;
	/* kfree() of a kmalloc_nolock() block: never an object, so no warning */
	if (space->id == KML_VIRT)
		kml_nolock_forget(kml_untag(ptr));
	kml_warn_alias(space, ptr);
}

static __always_inline void kml_remove_part(struct kml_space *space,
					    unsigned long ptr, size_t size)
{
	depot_stack_handle_t trace = kml_stack_save(GFP_NOWAIT);
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
 * kmemleak_alloc() - track a block that was allocated
 * @ptr: start of the block
 * @size: in bytes
 * @min_count: number of references wanted; the block is a leak if a scan finds
 *	fewer. 0: the block is scanned, but never reported; -1: neither scanned nor
 *	reported.
 * @gfp: flags of the allocation
 *
 * Context: any but NMI, IRQs on or off, from early boot on.
 */
void __ref kmemleak_alloc(const void *ptr, size_t size, int min_count, gfp_t gfp)
{
	if (kml_enabled() && kml_valid(ptr))
		kml_insert(kml_space(KML_VIRT), (unsigned long)ptr, size,
			   min_count, gfp);
}
EXPORT_SYMBOL_GPL(kmemleak_alloc);

/**
 * kmemleak_alloc_percpu() - track a per-CPU block that was allocated
 * @ptr: per-CPU pointer to the block
 * @size: in bytes, on each CPU
 * @gfp: flags of the allocation
 *
 * The block is reported if no reference to it is found.
 *
 * Context: any but NMI, IRQs on or off, from early boot on.
 */
void __ref kmemleak_alloc_percpu(const void __percpu *ptr, size_t size, gfp_t gfp)
{
	if (kml_enabled() && kml_valid_percpu(ptr))
		kml_insert(kml_space(KML_PERCPU), (__force unsigned long)ptr,
			   size, 1, gfp);
}
EXPORT_SYMBOL_GPL(kmemleak_alloc_percpu);

/**
 * kmemleak_vmalloc() - track a block that was allocated in vmalloc space
 * @area: descriptor of the block, itself a tracked object
 * @size: of the block, in bytes
 * @gfp: flags of the allocation
 *
 * The block wants two references, since @area->addr is one. A user may keep a
 * pointer to @area instead of one to the block, as free_thread_stack() does. So
 * references to @area in excess of the one that it wants count for the block.
 *
 * Context: any but NMI, IRQs on or off, from early boot on.
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
	/*
	 * Surplus references cannot be forwarded. Never report the block rather than
	 * report it falsely.
	 */
	if (ret == -ENOMEM || kml_lost_pages())
		kml_object_paint(kml_space(KML_VIRT), addr, 0);
}
EXPORT_SYMBOL_GPL(kmemleak_vmalloc);

/**
 * kmemleak_free() - stop tracking a block that is about to be freed
 * @ptr: start of the block
 *
 * When this returns no scan reads the block. A block that is not tracked is ignored,
 * but a pointer into the middle of a tracked one is logged.
 *
 * Context: any but NMI, IRQs on or off, from early boot on. May wait while a worker
 * reads up to KML_CHUNK bytes of the block.
 */
void __ref kmemleak_free(const void *ptr)
{
	if (kml_free_enabled() && kml_valid(ptr))
		kml_remove(kml_space(KML_VIRT), (unsigned long)ptr);
}
EXPORT_SYMBOL_GPL(kmemleak_free);

/**
 * kmemleak_free_part() - stop tracking a part of a block that is about to be freed
 * @ptr: start of the part
 * @size: of the part, in bytes
 *
 * The memory before and after the part becomes new objects. When this returns no
 * scan reads the part. A block that is not tracked is ignored.
 *
 * Context: process or early boot; may sleep, to allocate metadata of the new
 * objects. The caller serialises partial frees of a block.
 */
void __ref kmemleak_free_part(const void *ptr, size_t size)
{
	if (kml_free_enabled() && kml_valid(ptr))
		kml_remove_part(kml_space(KML_VIRT), (unsigned long)ptr, size);
}
EXPORT_SYMBOL_GPL(kmemleak_free_part);

/**
 * kmemleak_free_percpu() - stop tracking a per-CPU block that is about to be freed
 * @ptr: per-CPU pointer to the block
 *
 * When this returns no scan reads the block. A block that is not tracked is ignored,
 * but a pointer into the middle of a tracked one is logged.
 *
 * Context: any but NMI, IRQs on or off, from early boot on. May wait while a worker
 * reads up to KML_CHUNK bytes of the block.
 */
void __ref kmemleak_free_percpu(const void __percpu *ptr)
{
	if (kml_free_enabled() && kml_valid_percpu(ptr))
		kml_remove(kml_space(KML_PERCPU), (__force unsigned long)ptr);
}
EXPORT_SYMBOL_GPL(kmemleak_free_percpu);

/**
 * kmemleak_update_trace() - make the caller's stack the reported origin of a block
 * @ptr: any address in the block
 *
 * A block that is not tracked is ignored.
 *
 * Context: any but NMI, IRQs on or off, from early boot on.
 */
void __ref kmemleak_update_trace(const void *ptr)
{
	if (kml_enabled() && kml_valid(ptr))
		kml_object_set_trace(kml_space(KML_VIRT), (unsigned long)ptr,
				     kml_stack_save(0));
}
EXPORT_SYMBOL(kmemleak_update_trace);

/**
 * kmemleak_not_leak() - never report a block, but scan it
 * @ptr: start of the block
 *
 * A block that is not tracked is ignored, but a pointer into the middle of a tracked
 * one is logged.
 *
 * Context: any but NMI, IRQs on or off, from early boot on.
 */
void __ref kmemleak_not_leak(const void *ptr)
{
	if (kml_enabled() && kml_valid(ptr))
		kml_paint(kml_space(KML_VIRT), (unsigned long)ptr, 0);
}
EXPORT_SYMBOL(kmemleak_not_leak);

/**
 * kmemleak_transient_leak() - do not let the next scan report a block
 * @ptr: start of the block
 *
 * For a block that is unreferenced for a short time. The next scan takes its content
 * as changed, and the block as in use. A block that is not tracked is logged.
 *
 * Context: any but NMI, IRQs on or off, from early boot on.
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
 * kmemleak_ignore_percpu() - neither report nor scan a per-CPU block
 * @ptr: per-CPU pointer to the block
 *
 * A block that is not tracked is ignored, but a pointer into the middle of a tracked
 * one is logged.
 *
 * Context: any but NMI, IRQs on or off, from early boot on.
 */
void __ref kmemleak_ignore_percpu(const void __percpu *ptr)
{
	if (kml_enabled() && kml_valid_percpu(ptr))
		kml_paint(kml_space(KML_PERCPU), (__force unsigned long)ptr, -1);
}
EXPORT_SYMBOL_GPL(kmemleak_ignore_percpu);

/**
 * kmemleak_ignore() - neither report nor scan a block
 * @ptr: start of the block
 *
 * A block that is not tracked is ignored, but a pointer into the middle of a tracked
 * one is logged.
 *
 * Context: any but NMI, IRQs on or off, from early boot on.
 */
void __ref kmemleak_ignore(const void *ptr)
{
	if (kml_enabled() && kml_valid(ptr))
		kml_paint(kml_space(KML_VIRT), (unsigned long)ptr, -1);
}
EXPORT_SYMBOL(kmemleak_ignore);

/**
 * kmemleak_scan_area() - scan only a part of a block
 * @ptr: start of the part, any address in the block
 * @size: of the part, in bytes; SIZE_MAX: up to the end of the block
 * @gfp: flags for the allocation of metadata
 *
 * Each call adds a part. If there is no memory for the metadata of a part, scans
 * read the whole block. A part that ends after the block and a block that is not
 * tracked are logged.
 *
 * Context: any but NMI, IRQs on or off, from early boot on.
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
 * kmemleak_no_scan() - do not scan a block, since it contains no references
 * @ptr: start of the block
 *
 * The block is still reported if it is leaked. A block that is not tracked is
 * logged.
 *
 * Context: any but NMI, IRQs on or off, from early boot on.
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
 * kmemleak_alloc_phys() - track a block of physical memory that was allocated
 * @phys: physical address of its first byte
 * @size: in bytes
 * @gfp: flags for the allocation of metadata
 *
 * The block is scanned if it is mapped, and never reported.
 *
 * Context: any but NMI, IRQs on or off, from early boot on.
 */
void __ref kmemleak_alloc_phys(phys_addr_t phys, size_t size, gfp_t gfp)
{
	depot_stack_handle_t trace;
	struct kml_info hit;

	if (!kml_enabled())
		return;
	trace = kml_stack_save(gfp);
	if (!kml_phys_insert(phys, size, gfp, trace, &hit))
		return;
	kml_overlap_insert(kml_space(KML_PHYS), phys, size, 0);
	kml_overlap(phys, trace, &hit);
}
EXPORT_SYMBOL(kmemleak_alloc_phys);

/**
 * kmemleak_free_part_phys() - stop tracking physical memory that is being freed
 * @phys: physical address of its first byte
 * @size: in bytes; the memory may consist of several blocks, or of parts of blocks
 *
 * When this returns no scan reads the memory. Memory that is not tracked is ignored.
 *
 * Context: process or early boot; may sleep, to allocate metadata of the memory that
 * remains tracked.
 */
void __ref kmemleak_free_part_phys(phys_addr_t phys, size_t size)
{
	if (kml_free_enabled())
		kml_phys_remove(phys, size, kml_stack_save(GFP_NOWAIT));
}
EXPORT_SYMBOL(kmemleak_free_part_phys);

/**
 * kmemleak_ignore_phys() - do not scan a physical block
 * @phys: physical address of its first byte
 *
 * A block that is not tracked is ignored, but an address in the middle of a tracked
 * one is logged.
 *
 * Context: any but NMI, IRQs on or off, from early boot on.
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
 * kmemleak_init() - set up the parts that need the slab allocator
 *
 * Kernel sections become objects that are scanned and never reported. kmemleak is
 * disabled here if it is off by default and not requested by kmemleak=on, or if
 * there is no memory for a worker.
 *
 * Context: called by mm_core_init(): one CPU, IRQs off, the slab allocator works.
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
	kml_lost_init();
	kml_debugfs_init();
	kml_control_late_init();
	if (kml_state_has_error())
		return -ENOMEM;

	pr_info("Kernel memory leak detector initialized (mem pool available: %d)\n",
		kml_pool_early_left());
	return 0;
}
late_initcall(kml_late_init);
