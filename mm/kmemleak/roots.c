// SPDX-License-Identifier: GPL-2.0-only
/*
 * Roots: sections, per-CPU areas, physical blocks, struct pages and stacks; and the
 * blocks of kmalloc_nolock(), which are not tracked.
 */

#include "os.h"
#include "mark.h"

/* === Sections, per-CPU areas, struct pages ============================== */

/*
 * Roots are handed to a sink, struct kml_root_sink. These functions may sleep. They
 * stop when a callback of the sink returns false.
 */

#ifdef CONFIG_KMEMLEAK_SECTION_HOLES
#include <asm/kmemleak_sections.h>
#else
static bool kmemleak_section_hole(unsigned int nr, const void **start, const void **end)
{
	return false;
}
#endif

/* Hand a section to @section, without the parts that the architecture excludes. */
static void kml_section(void (*section)(const void *start, size_t len), const void *start,
			const void *end)
{
	const void *hole, *hole_end;
	unsigned int nr;

	for (nr = 0; kmemleak_section_hole(nr, &hole, &hole_end); nr++) {
		if (hole < start || hole >= end || hole >= hole_end)
			continue;
		kml_section(section, start, hole);
		start = min(hole_end, end);
	}
	if (start < end)
		section(start, end - start);
}

/**
 * kml_roots_sections() - find the sections of kernel data that are roots
 * @section: called for each section, with its start and its length in bytes
 *
 * Context: boot, from kmemleak_init().
 */
void kml_roots_sections(void (*section)(const void *start, size_t len))
{
	kml_section(section, _sdata, _edata);
	kml_section(section, __bss_start, __bss_stop);
	/* inside .data on most architectures */
	if ((unsigned long)__start_ro_after_init < (unsigned long)_sdata ||
	    (unsigned long)__end_ro_after_init > (unsigned long)_edata)
		section(__start_ro_after_init,
			__end_ro_after_init - __start_ro_after_init);
}

/*
 * Struct pages are read in runs. Few struct pages hold a pointer to an object
 * (private data, a mapping), so the state of single pages is checked only in a run
 * that has a candidate. With SPARSEMEM a run lies in one subsection (2 MiB, which is
 * few pages if pages are large), and subsections go online and offline as a whole.
 * So the result of pfn_to_online_page() for one page holds for the whole run.
 */
#ifdef CONFIG_SPARSEMEM
#define KML_PAGE_RUN	(PAGES_PER_SUBSECTION < 64 ? PAGES_PER_SUBSECTION : 64UL)
#else
#define KML_PAGE_RUN	64UL
#endif

/*
 * Read a run of struct pages. Context: memory hotplug lock held. Return: false if
 * the sink stops the scan.
 */
static bool kml_roots_run(struct kml_root_sink *sink, struct zone *zone,
			  unsigned long pfn, unsigned long end)
{
	struct page *page = pfn_to_online_page(pfn);

	/* without SPARSEMEM, online memory may begin at any page of a run */
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

/* A position in the pages of all zones: the first page that no worker has taken. */
struct kml_zone_pos {
	unsigned int zone;		/* kml_zone_nr() */
	unsigned long pfn;
};

/* The position after the last zone. */
#define KML_NO_ZONE	UINT_MAX

/*
 * The position in the roots. Workers take roots in this order: the per-CPU areas of
 * all CPUs, physical blocks, struct pages, the content of pages (only if requested),
 * and the stacks of tasks. A unit of work is a few hundred KiB, or the content of a
 * few MiB of pages.
 *
 * A worker takes the memory hotplug lock, then a unit of pages, and releases the
 * lock after that unit. In this order, a worker that gives up waiting for the lock
 * has not taken a unit that would then remain unread. Zones may appear, disappear,
 * grow and shrink between two units. So the position has a number that is constant
 * for a zone, not a count of populated zones. Memory that comes online before the
 * position is read by the next mark.
 *
 * A hotplug request that waits for readers of the lock blocks new readers. So a
 * worker must not take the lock a second time while it holds it, nor hold it for
 * long.
 */
static struct {
	spinlock_t lock;		/* protects the other fields */
	unsigned int cpu;		/* next CPU */
	unsigned long phys;		/* next physical address */
	struct kml_zone_pos structs;
	struct kml_zone_pos content;
	int pid;			/* lowest PID of the next task */
	bool stacks;			/* stacks are roots */
} kml_roots_at = {
	.lock = __SPIN_LOCK_UNLOCKED(kml_roots_at.lock),
};

/* Pages whose struct pages are one unit. */
#define KML_STRUCT_UNIT	(128UL * KML_PAGE_RUN)

/*
 * Pages whose content is one unit: with pages of 4 KiB the size of the largest free
 * block. To read it takes one or two ms.
 */
#define KML_CONTENT_UNIT	(SZ_4M / PAGE_SIZE)

/* The number of a zone: constant, and increasing in the order of for_each_zone(). */
static unsigned int kml_zone_nr(struct zone *zone)
{
	return zone_to_nid(zone) * MAX_NR_ZONES + zone_idx(zone);
}

/**
 * kml_roots_begin() - set the position to the first root
 * @sink: its @stop is called
 * @stacks: true if the stacks of tasks are roots
 * @content: true if the content of pages is read, for kml_roots_pages() and for lost
 *	blocks
 *
 * Called before each mark from roots, when no worker calls kml_roots_next().
 *
 * Context: process, initiator of a scan; memory hotplug lock not held; sleeps.
 * Return: false if the sink stops the scan.
 */
bool kml_roots_begin(struct kml_root_sink *sink, bool stacks, bool content)
{
	if (stacks && !kml_stacks_set_no_scan(sink))
		return false;
	/* free pages on per-CPU lists would be taken for pages in use */
	if (content)
		drain_all_pages(NULL);
	spin_lock(&kml_roots_at.lock);
	kml_roots_at.cpu = IS_ENABLED(CONFIG_SMP) ? 0 : nr_cpu_ids;
	kml_roots_at.phys = 0;
	kml_roots_at.structs = (struct kml_zone_pos){};
	kml_roots_at.content = (struct kml_zone_pos){ .zone = content ? 0 : KML_NO_ZONE };
	kml_roots_at.pid = 1;
	kml_roots_at.stacks = stacks;
	spin_unlock(&kml_roots_at.lock);
	return true;
}

/*
 * Take up to @unit pages: from *@pfn to *@end - 1. Context: memory hotplug lock
 * held.
 * Return: their zone, or NULL if no pages are left.
 */
static struct zone *kml_take_pages(struct kml_zone_pos *at, unsigned long unit,
				   unsigned long *pfn, unsigned long *end)
{
	struct zone *zone;

	spin_lock(&kml_roots_at.lock);
	for_each_populated_zone(zone) {
		unsigned int nr = kml_zone_nr(zone);

		if (nr < at->zone)
			continue;
		if (nr > at->zone) {
			WRITE_ONCE(at->zone, nr);
			at->pfn = 0;
		}
		*pfn = max(at->pfn, zone->zone_start_pfn);
		*end = min(zone_end_pfn(zone), round_down(*pfn, unit) + unit);
		if (*pfn >= *end)
			continue;
		at->pfn = *end;
		spin_unlock(&kml_roots_at.lock);
		return zone;
	}
	WRITE_ONCE(at->zone, KML_NO_ZONE);
	spin_unlock(&kml_roots_at.lock);
	return NULL;
}

/* Are no pages left for any worker? */
static bool kml_zones_done(const struct kml_zone_pos *at)
{
	return READ_ONCE(at->zone) == KML_NO_ZONE;
}

/**
 * kml_roots_pages() - take pages of a zone that no other worker has taken
 * @pfn: set to the page frame number of the first page
 * @end: set to the page frame number after the last page
 *
 * The caller reads their content, and releases the memory hotplug lock before it
 * takes more pages. kml_roots_begin() was called with @content.
 *
 * Context: process, several workers at a time; memory hotplug lock held.
 * Return: the zone, or NULL if no pages are left.
 */
struct zone *kml_roots_pages(unsigned long *pfn, unsigned long *end)
{
	return kml_take_pages(&kml_roots_at.content, KML_CONTENT_UNIT, pfn, end);
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

static size_t kml_take_phys(unsigned long *start)
{
	size_t len;

	spin_lock(&kml_roots_at.lock);
	len = kml_phys_next(&kml_roots_at.phys, start, false);
	spin_unlock(&kml_roots_at.lock);
	return len;
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
 * kml_roots_copy() - copy from memory that may be unmapped concurrently
 * @page: struct page of the memory
 * @off: offset of the first byte in the page, in bytes
 * @buf: room for @len bytes
 * @len: in bytes; the range does not leave the page
 *
 * Context: process; memory hotplug lock held.
 * Return: false if the memory is not mapped; @buf is then undefined.
 */
bool kml_roots_copy(struct page *page, size_t off, void *buf, size_t len)
{
	void *mem = kasan_reset_tag(kmap_local_page(page));
	long ret = copy_from_kernel_nofault(buf, mem + off, len);

	kunmap_local(mem);
	return !ret;
}

/**
 * kml_pages_free() - count the pages from a page on that are in the same free block
 * @zone: zone of the page
 * @pfn: page frame number of the page
 * @first: true if the free block may begin before the page
 *
 * Only the first page of a free block has the mark and the order of the block. The
 * block may be allocated concurrently, and the field of the order may then hold any
 * value. So the mark is read again after the order, and the order is used only if
 * the first page is aligned to it.
 *
 * Context: memory hotplug lock held.
 * Return: the number of pages, or 0 if the page is not free.
 */
unsigned long kml_pages_free(struct zone *zone, unsigned long pfn, bool first)
{
	unsigned int order;

	for (order = 0; order <= (first ? MAX_PAGE_ORDER : 0); order++) {
		unsigned long head = round_down(pfn, 1UL << order), size;
		struct page *page = pfn_to_page(head);

		if (head < zone->zone_start_pfn)
			break;
		if (!PageBuddy(page))
			continue;
		size = 1UL << min_t(unsigned long, page_private(page), MAX_PAGE_ORDER);
		if (PageBuddy(page) && IS_ALIGNED(head, size) && head + size > pfn)
			return head + size - pfn;
	}
	return 0;
}

/*
 * Read the content of the pages that may have lost blocks: all that such a page
 * references, stale pointers included.
 *
 * A page count of 0 does not mean that a page is free: slab pages have it, and all
 * but the first page of a block that is not compound. Free pages outside of free
 * blocks are on per-CPU lists; kml_roots_begin() has drained these, so there are
 * few.
 *
 * Context: memory hotplug lock held; may reschedule.
 */
static void kml_roots_lost(struct kml_root_sink *sink, struct zone *zone,
			   unsigned long pfn, unsigned long end)
{
	bool more = true;

	for (; more && pfn < end; pfn++) {
		struct page *page;
		size_t off;

		if (!kml_lost_has(pfn))
			continue;
		cond_resched_tasks_rcu_qs();
		page = pfn_to_online_page(pfn);
		if (!page || page_zone(page) != zone || kml_pages_free(zone, pfn, true))
			continue;
		kml_lost_keep(pfn);
		if (kml_pfn_is_untouchable(page, pfn))
			continue;
		for (off = 0; more && off < PAGE_SIZE; off += KML_CHUNK)
			if (kml_roots_copy(page, off, sink->buf, KML_CHUNK))
				more = sink->range(sink, sink->buf, KML_CHUNK);
	}
}

/* Read one unit of struct pages. Return: false if none are left. */
static bool kml_next_structs(struct kml_root_sink *sink)
{
	unsigned long pfn, end, next;
	struct zone *zone;

	if (kml_zones_done(&kml_roots_at.structs))
		return false;
	if (!sink->lock(sink))
		return true;
	zone = kml_take_pages(&kml_roots_at.structs, KML_STRUCT_UNIT, &pfn, &end);
	for (; zone && pfn < end; pfn = next) {
		next = min(end, round_down(pfn, KML_PAGE_RUN) + KML_PAGE_RUN);
		if (!kml_roots_run(sink, zone, pfn, next))
			break;
		cond_resched_tasks_rcu_qs();
	}
	put_online_mems();
	return zone;
}

/* Read the lost blocks of one unit of pages. Return: false if none are left. */
static bool kml_next_content(struct kml_root_sink *sink)
{
	unsigned long pfn, end;
	struct zone *zone;

	if (kml_zones_done(&kml_roots_at.content))
		return false;
	if (!sink->lock(sink))
		return true;
	zone = kml_roots_pages(&pfn, &end);
	if (zone)
		kml_roots_lost(sink, zone, pfn, end);
	put_online_mems();
	return zone;
}

/**
 * kml_roots_next() - hand one unit of roots, which no other worker has taken, to a
 * sink
 * @sink: receives the roots
 *
 * Context: process, several workers at a time; memory hotplug lock not held; sleeps.
 * Return: false if no roots are left.
 */
bool kml_roots_next(struct kml_root_sink *sink)
{
	struct task_struct *task;
	unsigned long start;
	unsigned int cpu;
	size_t len;

	cpu = kml_take_cpu();
	if (cpu < nr_cpu_ids) {
#ifdef CONFIG_SMP
		if (cpu_possible(cpu))
			sink->range(sink, __per_cpu_start + per_cpu_offset(cpu),
				    __per_cpu_end - __per_cpu_start);
#endif
		return true;
	}
	len = kml_take_phys(&start);
	if (len) {
		sink->phys(sink, start, len);
		return true;
	}
	if (kml_next_structs(sink) || kml_next_content(sink))
		return true;

	task = kml_take_task();
	if (task) {
		if (!sink->skip(task))
			kml_roots_stack(sink, task);
		put_task_struct(task);
	}
	return task;
}

/* === Stacks ============================================================= */

/*
 * The kernel stacks of all tasks are roots. Otherwise a block that only a stack
 * references would be reported.
 *
 * Below the frames in use, a stack is full of pointers of calls that have returned.
 * They are not references, and would hide leaks. So the stack of a task that does
 * not run is read only from its saved stack pointer on, together with the registers
 * that are saved outside of the stack. <asm/kmemleak_stack.h> says where both are;
 * without this header, whole stacks are read.
 *
 * A sleeping task may wake up at any time, and is not prevented from it. The reader
 * reads the stack as if the task slept, and then checks whether it did. If the task
 * may have run, its whole stack is read, as that of a running task. References that
 * are counted twice then do no harm: they can only hide a leak. The protocol,
 * kml_roots_asleep() against __schedule():
 *
 *	reader					switch to or from the task
 *
 *	c = nvcsw + nivcsw			prepare_task():
 *	smp_rmb()				  S1: on_cpu = 1
 *	L1: on_cpu == 0? (acquire)		barrier of the switch
 *	sp, registers				  S2: stack, as long as it runs
 *	[sp, top)				__schedule():
 *	smp_rmb()				  S3: ++*switch_count
 *	L2: on_cpu == 0? (acquire)		switch_to(): S4: sp, registers
 *	c == nvcsw + nivcsw?			finish_task():
 *						  S5: on_cpu = 0 (release)
 *
 * Let L1 read the value that S5 of the n-th switch from the task has stored. Due to
 * the acquire, the reader sees all stores of the task up to then, S2 to S4 of the
 * n-th switch included. Can the reader have seen a later store?
 *
 * - Not if L2 reads the value of the same S5. The barrier of a switch orders S1 before
 *   all later stores of the task. If the reader had seen a later sp or a later word of
 *   the stack, L2, which follows an smp_rmb(), would have read the value of the S1
 *   before that store, or a later value.
 * - If L2 reads the value of a later S5, the reader sees S3 of that switch, due to the
 *   acquire: the second read of the counts gives at least n + 1. The first read gave
 *   n: it precedes L1, so if it had seen a later S3, L1 would have read the value of
 *   the S1 before that S3, or a later value.
 *
 * The barrier of a switch is implied on x86, and so on UML, where stores are not
 * reordered with other stores. On arm64 it is the dsb(ish) in __switch_to(), before
 * cpu_switch_to(). Another architecture needs a barrier between prepare_task() and
 * the first store of the task that is switched to.
 *
 * tools/testing/kmemleak/models/asleep.pml is a model of the protocol.
 *
 * A task that has not run yet has the frame of a fork as its stack. A task that has
 * exited has the frames of do_exit(), until its stack is released. Idle tasks are
 * not read here.
 *
 * With VMAP_STACK a stack is also a tracked block, and a mark would read it as a
 * whole. So kml_stacks_set_no_scan() sets KML_F_NO_SCAN before a mark. The flag
 * stays set when kernel/fork.c reuses the stack for another task, whose stack is
 * read here, too.
 */

#ifdef CONFIG_KMEMLEAK_LIVE_STACKS
#include <asm/kmemleak_stack.h>
#endif

/**
 * kml_task_from() - get the first task whose PID is not less than a number
 * @nr: PID from which to search; set to the PID after that of the task
 *
 * Context: any but NMI; takes the RCU read lock.
 * Return: the task, for put_task_struct(), or NULL if there is none.
 */
struct task_struct *kml_task_from(int *nr)
{
	struct task_struct *task = NULL;
	struct pid *pid;

	rcu_read_lock();
	do {
		pid = find_ge_pid(*nr, &init_pid_ns);
		if (!pid)
			break;
		*nr = pid_nr(pid) + 1;
		task = pid_task(pid, PIDTYPE_PID);
		if (task)
			get_task_struct(task);
	} while (!task);
	rcu_read_unlock();
	return task;
}

#ifdef CONFIG_KMEMLEAK_LIVE_STACKS
bool kml_live_stacks = true;

/* How often did the scheduler switch from a task to another one? */
static unsigned long kml_task_switches(const struct task_struct *task)
{
	return READ_ONCE(task->nvcsw) + READ_ONCE(task->nivcsw);
}

/*
 * Read the stack of a task from its saved stack pointer on. @more is set to false if
 * the sink stops the scan. Return: true if the task slept all the time; otherwise
 * the words that were read may not be those of the frames in use.
 */
static bool kml_roots_asleep(struct kml_root_sink *sink, const struct task_struct *task,
			     const void *stack, bool *more)
{
	const void *sp, *regs, *top = stack + THREAD_SIZE;
	unsigned long switches = kml_task_switches(task);
	size_t len;

	/* read the counts before L1: "Stacks" above */
	smp_rmb();
	if (kml_task_on_cpu(task))
		return false;
	sp = kmemleak_saved_sp(task);
	if (sp < stack || sp >= top || !IS_ALIGNED((unsigned long)sp, sizeof(long)))
		return false;
	regs = kmemleak_saved_regs(task, &len);

	*more = sink->range(sink, regs, len) && sink->range(sink, sp, top - sp);

	/* read the stack before L2, whose acquire precedes the counts */
	smp_rmb();
	return !kml_task_on_cpu(task) && kml_task_switches(task) == switches;
}

/* Read the frames in use of a stack. Return: false if they are not known. */
static bool kml_roots_live(struct kml_root_sink *sink, const struct task_struct *task,
			   const void *stack, bool *more)
{
	return READ_ONCE(kml_live_stacks) && kml_roots_asleep(sink, task, stack, more);
}

/**
 * kml_stacks_set_no_scan() - set KML_F_NO_SCAN on the blocks of all task stacks
 * @sink: its @stop is called after each task
 *
 * Marks then do not read a VMAP stack as a block, with its unused frames.
 *
 * Context: process, before a mark; may reschedule.
 * Return: false if the sink stops the scan.
 */
bool kml_stacks_set_no_scan(struct kml_root_sink *sink)
{
	struct task_struct *task;
	int nr = 1;

	if (!IS_ENABLED(CONFIG_VMAP_STACK) || !READ_ONCE(kml_live_stacks))
		return true;
	while ((task = kml_task_from(&nr))) {
		void *stack = try_get_task_stack(task);

		if (stack) {
			kml_stack_set_no_scan(stack, true);
			put_task_stack(task);
		}
		put_task_struct(task);
		if (sink->stop(sink))
			return false;
	}
	return true;
}
#else
static bool kml_roots_live(struct kml_root_sink *sink, const struct task_struct *task,
			   const void *stack, bool *more)
{
	return false;
}
#endif

/**
 * kml_roots_stack() - hand the stack of a task to a sink
 * @sink: receives the stack, or the frames in use if these are known
 * @task: task other than current; the caller holds a reference to it
 *
 * Context: process; sleeps.
 * Return: false if the sink stops the scan.
 */
bool kml_roots_stack(struct kml_root_sink *sink, struct task_struct *task)
{
	void *stack = try_get_task_stack(task);
	bool more = true;

	if (stack) {
		if (!kml_roots_live(sink, task, stack, &more) && more)
			more = sink->range(sink, stack, THREAD_SIZE);
		put_task_stack(task);
	}
	return more;
}

/**
 * kml_roots_own_stack() - hand the frames in use of current's stack to a sink
 * @sink: receives the frames
 *
 * The unused part of the stack is not read: it has object addresses of earlier
 * stages of the scan. The function is not inlined, so that the registers that its
 * callers saved are in the part that is read.
 *
 * Context: process; sleeps.
 * Return: false if the sink stops the scan.
 */
noinline bool kml_roots_own_stack(struct kml_root_sink *sink)
{
	void *stack = task_stack_page(current);
	const void *begin = stack;

	if (!stack)
		return true;
#ifndef CONFIG_STACK_GROWSUP
	begin = __builtin_frame_address(0);
#endif
	return sink->range(sink, begin, stack + THREAD_SIZE - begin);
}

/* === Blocks of kmalloc_nolock() ========================================= */

/*
 * Blocks of kmalloc_nolock() are not objects: they are allocated and freed in any
 * context, NMI included, where no lock may be taken. But objects that they reference
 * are in use. So their addresses are kept in a hash table, which the trial of
 * suspects (trial.c) reads.
 *
 * The table has a fixed size and no locks. A block may be in any slot of a short
 * window that begins at the hash of its address (open addressing; Knuth, The Art of
 * Computer Programming 3, 6.4). A search reads the whole window, so a slot that
 * becomes empty needs no mark.
 *
 *	allocation:	claims an empty slot with cmpxchg(), then stores the size
 *			(release)
 *	free:		clears the size, then the slot (release), before the block
 *			is freed
 *	reader of the table: loads the size (acquire) and the slot, and copies the
 *			block without faulting. Later it copies a word of interest
 *			again, issues smp_rmb(), and loads size and slot again. The
 *			word counts if it has not changed and the block is still in
 *			the slot.
 *
 * A block is counted as missed if there is no room in its window. Objects that only
 * such a block references may be reported, as if the table did not exist.
 */

#include <linux/kmemleak_nolock.h>

#define KML_NOLOCK_WINDOW	16U	/* slots in which a block may be */

/*
 * @not_start is inverted, since the table must not reference blocks; 0: the slot is
 * empty. @size is in bytes; 0: the slot is being filled or cleared.
 */
struct kml_nolock_slot {
	unsigned long not_start;
	unsigned long size;
};

static struct kml_nolock_slot *kml_nolock_slots __read_mostly;
static unsigned int kml_nolock_bits __read_mostly;
static atomic_long_t kml_nolock_lost;

static unsigned long kml_nolock_slot(unsigned long start, unsigned int i)
{
	unsigned long mask = (1UL << kml_nolock_bits) - 1;

	return (hash_long(start, kml_nolock_bits) + i) & mask;
}

/**
 * kmemleak_alloc_nolock() - register a block that kmalloc_nolock() has allocated
 * @ptr: start of the block, or NULL
 * @size: in bytes
 *
 * The block is not an object and is never reported. Objects that it references are
 * not reported either. If the hash table has no room, the block is counted as
 * missed.
 *
 * Context: any, NMI included; takes no lock.
 */
void kmemleak_alloc_nolock(const void *ptr, size_t size)
{
	/* pairs with the release in kml_nolock_init() */
	struct kml_nolock_slot *slots = smp_load_acquire(&kml_nolock_slots);
	unsigned long start = kml_untag((unsigned long)ptr);
	unsigned int i;

	if (!ptr || !kml_enabled())
		return;
	for (i = 0; slots && i < KML_NOLOCK_WINDOW; i++) {
		struct kml_nolock_slot *slot = &slots[kml_nolock_slot(start, i)];

		if (READ_ONCE(slot->not_start) ||
		    cmpxchg(&slot->not_start, 0, ~start))
			continue;
		/* pairs with the acquire in kml_nolock_next() */
		smp_store_release(&slot->size, size);
		return;
	}
	atomic_long_inc(&kml_nolock_lost);
}

/**
 * kml_nolock_forget() - remove a block that is about to be freed from the hash table
 * @start: untagged start of the block
 *
 * A block that is not in the table is ignored.
 *
 * Context: any, NMI included; takes no lock.
 */
void kml_nolock_forget(unsigned long start)
{
	/* pairs with the release in kml_nolock_init() */
	struct kml_nolock_slot *slots = smp_load_acquire(&kml_nolock_slots);
	unsigned int i;

	for (i = 0; slots && i < KML_NOLOCK_WINDOW; i++) {
		struct kml_nolock_slot *slot = &slots[kml_nolock_slot(start, i)];

		if (READ_ONCE(slot->not_start) != ~start)
			continue;
		WRITE_ONCE(slot->size, 0);
		/* size before slot: the next hook that claims it stores its size */
		smp_store_release(&slot->not_start, 0);
		return;
	}
}

/**
 * kmemleak_free_nolock() - forget a block of kmalloc_nolock() that is about to be
 * freed
 * @ptr: start of the block, or NULL
 *
 * kmemleak_free() may be called instead in any context but NMI.
 *
 * Context: any, NMI included; takes no lock.
 */
void kmemleak_free_nolock(const void *ptr)
{
	if (ptr && kml_free_enabled())
		kml_nolock_forget(kml_untag((unsigned long)ptr));
}

/**
 * kml_nolock_next() - get the next block of the hash table
 * @at: slot from which to search; set to the slot of the block. The caller sets it
 *	to 0 before the first call, and increments it before each other call.
 * @block: filled on success
 *
 * Context: any, after kml_nolock_init().
 * Return: false if there are no more blocks.
 */
bool kml_nolock_next(unsigned long *at, struct kml_nolock_block *block)
{
	if (!kml_nolock_slots)
		return false;
	for (; *at < 1UL << kml_nolock_bits; ++*at) {
		struct kml_nolock_slot *slot = &kml_nolock_slots[*at];

		/* pairs with the release in kmemleak_alloc_nolock() */
		block->size = smp_load_acquire(&slot->size);
		if (!block->size)
			continue;
		block->start = ~READ_ONCE(slot->not_start);
		if (block->start != ~0UL)
			return true;
	}
	return false;
}

/**
 * kml_nolock_size() - check whether a block is still in its slot
 * @at: the slot, from kml_nolock_next()
 * @start: untagged start of the block
 *
 * If it is, words that the caller read before this call were read before the block
 * was freed.
 *
 * Context: any.
 * Return: size of the block in bytes, or 0 if it was freed.
 */
size_t kml_nolock_size(unsigned long at, unsigned long start)
{
	struct kml_nolock_slot *slot = &kml_nolock_slots[at];
	size_t size;

	/* read the content of the block before the slot */
	smp_rmb();
	/* pairs with the release in kmemleak_alloc_nolock() */
	size = smp_load_acquire(&slot->size);
	return READ_ONCE(slot->not_start) == ~start ? size : 0;
}

/**
 * kml_nolock_missed() - count the blocks for which the hash table had no room
 *
 * Context: any.
 * Return: their number since boot, blocks before kml_nolock_init() included.
 */
unsigned long kml_nolock_missed(void)
{
	return atomic_long_read(&kml_nolock_lost);
}

/* Bytes of memory per slot of the table: 256 KiB of table for 4 GiB. */
#define KML_NOLOCK_BYTES	(256UL * 1024)
#define KML_NOLOCK_MIN_BITS	10U
#define KML_NOLOCK_MAX_BITS	20U

/**
 * kml_nolock_init() - allocate the hash table
 *
 * The few blocks that were allocated before are counted as missed. If there is no
 * memory, all blocks are.
 *
 * Context: late_initcall; sleeps.
 */
void __init kml_nolock_init(void)
{
	unsigned long want = totalram_pages() / (KML_NOLOCK_BYTES / PAGE_SIZE);
	unsigned int bits = clamp((unsigned int)fls_long(want), KML_NOLOCK_MIN_BITS,
				  KML_NOLOCK_MAX_BITS);
	struct kml_nolock_slot *slots;

	slots = kvcalloc(1UL << bits, sizeof(*slots), GFP_KERNEL | __GFP_NOWARN);
	if (!slots)
		return;
	/* it holds no references, and is never freed */
	kml_object_paint(kml_space(KML_VIRT), (unsigned long)slots, -1);
	kml_nolock_bits = bits;
	/* pairs with the acquires in the hooks */
	smp_store_release(&kml_nolock_slots, slots);
}

/**
 * kml_lost_init() - allocate the maps of pages with lost blocks
 *
 * A map has a bit for each page, unless there are holes in physical memory or memory
 * is added later. If there is no memory for the maps, the small ones of boot stay.
 *
 * Context: late_initcall; sleeps.
 */
void __init kml_lost_init(void)
{
	unsigned long nr = max(roundup_pow_of_two(totalram_pages()), BITS_PER_LONG);
	unsigned long *bits = kvcalloc(2 * nr / BITS_PER_LONG, sizeof(long),
				       GFP_KERNEL | __GFP_NOWARN);

	if (!bits)
		return;
	/* it holds no references, and is never freed */
	kml_object_paint(kml_space(KML_VIRT), (unsigned long)bits, -1);
	kml_lost_grow(bits, nr);
}
