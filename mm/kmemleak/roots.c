// SPDX-License-Identifier: GPL-2.0-only
/*
 * Roots: sections, per-CPU areas, struct pages. Whoever gives them to a sink may
 * sleep, and returns false if the sink wanted to stop.
 */

#include "os.h"
#include "compat.h"
#include "kmemleak.h"
#include "roots.h"

/*
 * On UML the frames of interrupts are in .bss, or in .data with 6.12, with the
 * registers of what they interrupted: ours, with what a walk had in its hands, long
 * after. Like dead parts of other stacks they are no roots.
 */
static void kml_bss_sections(void (*section)(const void *start, size_t len))
{
	const void *start = __bss_start;

#ifdef CONFIG_UML
	if (cpu_irqstacks) {
		section(start, (void *)cpu_irqstacks - start);
		start = cpu_irqstacks[nr_cpu_ids];
	}
#endif
	section(start, (void *)__bss_stop - start);
}

/*
 * Data of initcalls lies elsewhere, and is freed, but on UML: there it stays in the
 * middle, with the pointers it had, which nobody uses any more.
 */
static void kml_data_sections(void (*section)(const void *start, size_t len))
{
	const void *start = _sdata;

#ifdef CONFIG_UML
	if ((unsigned long)__init_begin > (unsigned long)_sdata &&
	    (unsigned long)__init_end < (unsigned long)_edata) {
		section(_sdata, __init_begin - _sdata);
		start = __init_end;
	}
	if ((unsigned long)&cpu0_irqstack >= (unsigned long)start &&
	    (unsigned long)&cpu0_irqstack < (unsigned long)_edata) {
		section(start, (void *)&cpu0_irqstack - start);
		start = &cpu0_irqstack + 1;
	}
#endif
	section(start, (void *)_edata - start);
}

void kml_roots_sections(void (*section)(const void *start, size_t len))
{
	kml_data_sections(section);
	kml_bss_sections(section);
	/* part of .data on most architectures */
	if ((unsigned long)__start_ro_after_init < (unsigned long)_sdata ||
	    (unsigned long)__end_ro_after_init > (unsigned long)_edata)
		section(__start_ro_after_init,
			__end_ro_after_init - __start_ro_after_init);
}

/*
 * Struct pages are looked at by runs: few hold a pointer to an object (private
 * data, a mapping), so a page's own state is checked only in a run that does.
 * Runs are aligned, so what pfn_to_online_page() says of one page holds for
 * all: memory comes and goes in blocks of at least a subsection, 2 MiB, which
 * with large pages is few.
 */
#ifdef CONFIG_SPARSEMEM
#define KML_PAGE_RUN	(PAGES_PER_SUBSECTION < 64 ? PAGES_PER_SUBSECTION : 64UL)
#else
#define KML_PAGE_RUN	64UL
#endif

static bool kml_roots_run(struct kml_root_sink *sink, struct zone *zone,
			  unsigned long pfn, unsigned long end)
{
	struct page *page = pfn_to_online_page(pfn);

	/* without sections, it may begin at any page */
	while (!page && !IS_ENABLED(CONFIG_SPARSEMEM) && ++pfn < end)
		page = pfn_to_online_page(pfn);
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

/*
 * Where we are: CPUs, then struct pages, then tasks. Workers take from here in
 * turn, a few hundred KiB at a time.
 */
static struct {
	spinlock_t lock;		/* of all that follows */
	unsigned int cpu;
	unsigned int zone;		/* number of a populated one */
	unsigned long pfn;		/* 0: its first */
	int pid;
	bool stacks;
} kml_roots_at = {
	.lock = __SPIN_LOCK_UNLOCKED(kml_roots_at.lock),
};

#define KML_PAGE_UNIT	(128UL * KML_PAGE_RUN)

/**
 * kml_roots_begin() - be ready to hand out roots
 * @stacks: are stacks roots?
 *
 * Context: process; memory does not go offline until kml_roots_end().
 */
void kml_roots_begin(bool stacks)
{
	if (stacks)
		kml_roots_hush_stacks();
	get_online_mems();
	spin_lock(&kml_roots_at.lock);
	kml_roots_at.cpu = IS_ENABLED(CONFIG_SMP) ? 0 : nr_cpu_ids;
	kml_roots_at.zone = 0;
	kml_roots_at.pfn = 0;
	kml_roots_at.pid = 1;
	kml_roots_at.stacks = stacks;
	spin_unlock(&kml_roots_at.lock);
}

void kml_roots_end(void)
{
	put_online_mems();
}

static struct zone *kml_nth_zone(unsigned int n)
{
	struct zone *zone;

	for_each_populated_zone(zone)
		if (!n--)
			return zone;
	return NULL;
}

/**
 * kml_roots_pages() - take some pages of a zone that nobody else got
 * @pfn: set to the first
 * @end: set to one behind the last
 *
 * Context: process, for one or many; between kml_roots_begin() and kml_roots_end().
 * Return: the zone, or NULL if there are none left.
 */
struct zone *kml_roots_pages(unsigned long *pfn, unsigned long *end)
{
	struct zone *zone;

	spin_lock(&kml_roots_at.lock);
	zone = kml_nth_zone(kml_roots_at.zone);
	if (zone) {
		*pfn = kml_roots_at.pfn ?: zone->zone_start_pfn;
		*end = min(zone_end_pfn(zone),
			   round_down(*pfn, KML_PAGE_UNIT) + KML_PAGE_UNIT);
		kml_roots_at.pfn = *end;
		if (*end == zone_end_pfn(zone)) {
			kml_roots_at.zone++;
			kml_roots_at.pfn = 0;
		}
	}
	spin_unlock(&kml_roots_at.lock);
	return zone;
}

static unsigned int kml_take_cpu(void)
{
	unsigned int cpu;

	spin_lock(&kml_roots_at.lock);
	cpu = kml_roots_at.cpu;
	if (cpu < nr_cpu_ids)
		kml_roots_at.cpu++;
	spin_unlock(&kml_roots_at.lock);
	return cpu;
}

static struct task_struct *kml_take_task(void)
{
	struct task_struct *task;

	spin_lock(&kml_roots_at.lock);
	task = kml_roots_at.stacks ? kml_task_from(&kml_roots_at.pid) : NULL;
	spin_unlock(&kml_roots_at.lock);
	return task;
}

/**
 * kml_roots_next() - hand out roots that nobody else got
 * @sink: gets them
 *
 * Context: process, for one or many.
 * Return: false if there were none left.
 */
bool kml_roots_next(struct kml_root_sink *sink)
{
	unsigned long pfn = 0, end = 0;
	struct task_struct *task;
	struct zone *zone;
	unsigned int cpu;

	cpu = kml_take_cpu();
	if (cpu < nr_cpu_ids) {
#ifdef CONFIG_SMP
		if (cpu_possible(cpu))
			sink->range(sink, __per_cpu_start + per_cpu_offset(cpu),
				    __per_cpu_end - __per_cpu_start);
#endif
		return true;
	}

	zone = kml_roots_pages(&pfn, &end);
	if (zone) {
		while (pfn < end) {
			unsigned long next = min(end, round_down(pfn, KML_PAGE_RUN) +
						 KML_PAGE_RUN);

			if (!kml_roots_run(sink, zone, pfn, next))
				break;
			cond_resched_tasks_rcu_qs();
			pfn = next;
		}
		return true;
	}

	task = kml_take_task();
	if (task) {
		if (!sink->skip(task))
			kml_roots_stack(sink, task);
		put_task_struct(task);
	}
	return task;
}

/**
 * kml_roots_copy() - copy from a page that may be unmapped, or not for long mapped
 * @page: the page
 * @off: of the first byte in the page
 * @buf: where to
 * @len: in bytes
 *
 * Context: process.
 * Return: false if it could not be read.
 */
bool kml_roots_copy(struct page *page, size_t off, void *buf, size_t len)
{
	void *mem = kasan_reset_tag(kmap_local_page(page));
	long ret = copy_from_kernel_nofault(buf, mem + off, len);

	kunmap_local(mem);
	return !ret;
}

/*
 * Pages that must not be read, mapped or not: given away to a hypervisor, not
 * yet taken from it, or broken.
 */
static bool kml_page_untouchable(struct page *page, unsigned long pfn)
{
	return PageOffline(page) || is_page_hwpoison(page) ||
	       pfn_is_unaccepted_memory(pfn);
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
			if (!page || page_zone(page) != zone ||
			    PageBuddy(page) || kml_page_untouchable(page, pfn))
				continue;
			for (off = 0; more && off < PAGE_SIZE; off += KML_CHUNK)
				if (kml_roots_copy(page, off, buf, KML_CHUNK))
					more = sink->range(sink, buf, KML_CHUNK);
		}
	}
	put_online_mems();
	return more;
}

/*
 * Does the page belong to somebody else than memblock: is it free, a user's, the page
 * cache's, a slab? What is in use and none of these is untracked memory.
 */
bool kml_page_has_owner(struct page *page)
{
	struct page *head = compound_head(page);

	return page_has_type(head) || PageLRU(head) || READ_ONCE(head->mapping);
}

/**
 * kml_phys_is_root() - does a part of a physical block still belong to it?
 * @phys: first byte
 * @len: in bytes, not 0
 *
 * Nobody tells when memblock's memory goes to the page allocator: the initrd's does,
 * and boot-time huge pages become user memory. What is there then is no reference.
 *
 * Context: any.
 */
bool kml_phys_is_root(unsigned long phys, size_t len)
{
	unsigned long pfn;

	for (pfn = PHYS_PFN(phys); pfn <= PHYS_PFN(phys + len - 1); pfn++) {
		struct page *page = pfn_to_online_page(pfn);

		if (!page || PageReserved(page) || !kml_page_has_owner(page))
			return true;
	}
	return false;
}

/* Is all of a physical block mapped? */
bool kml_phys_in_lowmem(unsigned long phys, size_t size)
{
	return PHYS_PFN(phys) >= min_low_pfn &&
	       PHYS_PFN(phys + size) <= max_low_pfn;
}
