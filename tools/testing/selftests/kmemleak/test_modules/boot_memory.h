/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory of the boot allocator that the page allocator owns now
 */
#ifndef KMEMLEAK_TEST_BOOT_MEMORY_H
#define KMEMLEAK_TEST_BOOT_MEMORY_H

#include <linux/kmemleak.h>
#include <linux/mm.h>
#include <linux/sched.h>

/*
 * UML allocates the memory of its initrd at boot, and frees it without a hook. Stock still
 * scans it, by its physical address, whatever it is used for: leaks, and kmemleak's own
 * metadata, which points to all objects. Tell kmemleak that the page allocator owns it.
 */
static inline void forget_boot_memory(void)
{
	unsigned long pfn;

	if (!IS_ENABLED(CONFIG_UML))
		return;
	for (pfn = 0; pfn_valid(pfn); pfn++) {
		if (!PageReserved(pfn_to_page(pfn)))
			kmemleak_free_part_phys(PFN_PHYS(pfn), PAGE_SIZE);
		cond_resched();
	}
}

#endif
