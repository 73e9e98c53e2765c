// SPDX-License-Identifier: GPL-2.0-only
/*
 * Roots: sections, per-CPU areas, struct pages. All functions return false if
 * the sink wanted to stop; they may sleep.
 */

#include "os.h"
#include "kmemleak.h"
#include "roots.h"

void kml_roots_sections(void (*section)(const void *start, size_t len))
{
	section(_sdata, _edata - _sdata);
	section(__bss_start, __bss_stop - __bss_start);
	/* part of .data on most architectures */
	if ((unsigned long)__start_ro_after_init < (unsigned long)_sdata ||
	    (unsigned long)__end_ro_after_init > (unsigned long)_edata)
		section(__start_ro_after_init,
			__end_ro_after_init - __start_ro_after_init);
}

bool kml_roots_percpu(struct kml_root_sink *sink)
{
#ifdef CONFIG_SMP
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		if (!sink->range(sink, __per_cpu_start + per_cpu_offset(cpu),
				 __per_cpu_end - __per_cpu_start))
			return false;
#endif
	return true;
}

/*
 * Struct pages are looked at by runs: few hold a pointer to an object (private
 * data, a mapping), so a page's own state is checked only in a run that does.
 * Runs are aligned, so what pfn_to_online_page() says of one page holds for
 * all: memory comes and goes in larger blocks.
 */
#define KML_PAGE_RUN	64

static bool kml_roots_run(struct kml_root_sink *sink, struct zone *zone,
			  unsigned long pfn, unsigned long end)
{
	struct page *page = pfn_to_online_page(pfn);

	if (!page || !sink->probe(sink, page, (end - pfn) * sizeof(*page)))
		return true;

	for (; pfn < end; pfn++) {
		page = pfn_to_online_page(pfn);
		/* in this zone and in use? */
		if (!page || page_zone(page) != zone || !page_count(page))
			continue;
		if (!sink->page(sink, page, PageHighMem(page) ? 0 :
				kml_untag((unsigned long)page_address(page))))
			return false;
	}
	return true;
}

bool kml_roots_pages(struct kml_root_sink *sink)
{
	struct zone *zone;
	bool more = true;

	get_online_mems();
	for_each_populated_zone(zone) {
		unsigned long pfn = zone->zone_start_pfn, next;
		unsigned long end = zone_end_pfn(zone);

		for (; more && pfn < end; pfn = next) {
			next = min(end, round_down(pfn, KML_PAGE_RUN) + KML_PAGE_RUN);
			more = kml_roots_run(sink, zone, pfn, next);
			cond_resched_tasks_rcu_qs();
		}
		if (!more)
			break;
	}
	put_online_mems();
	return more;
}

/* Copy what may not be mapped, or not for long. */
static bool kml_copy_page(struct page *page, size_t off, void *buf)
{
	void *mem = kmap_local_page(page);
	long ret = copy_from_kernel_nofault(buf, mem + off, KML_CHUNK);

	kunmap_local(mem);
	return !ret;
}

/**
 * kml_roots_in_use() - the content of all memory in use, as far as mapped
 * @sink: gets copies
 * @buf: of KML_CHUNK bytes, for the copies
 *
 * When blocks got away untracked, what they reference is unknown: this finds
 * all references there are, and many which are stale.
 *
 * Return: false if the sink wanted to stop.
 */
bool kml_roots_in_use(struct kml_root_sink *sink, void *buf)
{
	struct zone *zone;
	bool more = true;

	get_online_mems();
	for_each_populated_zone(zone) {
		unsigned long pfn = zone->zone_start_pfn;

		for (; more && pfn < zone_end_pfn(zone); pfn++) {
			struct page *page = pfn_to_online_page(pfn);
			size_t off;

			cond_resched_tasks_rcu_qs();
			/* a count of 0 says nothing: slab pages have that, too */
			if (!page || page_zone(page) != zone || PageBuddy(page))
				continue;
			for (off = 0; more && off < PAGE_SIZE; off += KML_CHUNK)
				if (kml_copy_page(page, off, buf))
					more = sink->range(sink, buf, KML_CHUNK);
		}
	}
	put_online_mems();
	return more;
}

/* Is all of a physical block mapped? */
bool kml_phys_in_lowmem(unsigned long phys, size_t size)
{
	return PHYS_PFN(phys) >= min_low_pfn &&
	       PHYS_PFN(phys + size) <= max_low_pfn;
}
