// SPDX-License-Identifier: GPL-2.0-only
/* Roots, and memory in use that is not tracked. */

#include "os.h"
#include "mark.h"

/* === Sections, per-CPU areas, struct pages ============================== */

/*
 * Roots: sections, per-CPU areas, struct pages. Whoever gives them to a sink may
 * sleep, and returns false if the sink wanted to stop.
 */

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

/* A place among the pages of all zones: the first that nobody has taken yet. */
struct kml_zone_pos {
	unsigned int zone;		/* kml_zone_nr() */
	unsigned long pfn;
};

/* Behind the last zone. */
#define KML_NO_ZONE	UINT_MAX

/*
 * The position in the roots: CPUs, then physical blocks, then struct pages, then the
 * content of pages if that is asked for, then tasks. Workers take from here in turn: a
 * few hundred KiB, or the content of some MiB.
 *
 * A worker holds the memory hotplug lock for one unit of pages, and takes it before it
 * takes the unit: a worker that gives up waiting has then taken no unit that nobody
 * would read. Zones may come, go, grow and shrink between two units, so the position is
 * a number that a zone keeps, not a count of populated zones. Memory that comes online
 * before the position is read by the next mark.
 *
 * A plug request that waits for readers lets no new ones in. So a reader must not wait
 * for the lock while it holds it, nor hold it for long.
 */
static struct {
	spinlock_t lock;		/* of all that follows */
	unsigned int cpu;
	unsigned long phys;
	struct kml_zone_pos structs;
	struct kml_zone_pos content;
	int pid;
	bool stacks;
} kml_roots_at = {
	.lock = __SPIN_LOCK_UNLOCKED(kml_roots_at.lock),
};

#define KML_STRUCT_UNIT	(128UL * KML_PAGE_RUN)

/* The size of a free block at most, with pages of 4 KiB: a ms or two to read. */
#define KML_CONTENT_UNIT	(SZ_4M / PAGE_SIZE)

/* Increases in the order of for_each_zone(), and stays. */
static unsigned int kml_zone_nr(struct zone *zone)
{
	return zone_to_nid(zone) * MAX_NR_ZONES + zone_idx(zone);
}

/**
 * kml_roots_begin() - be ready to hand out roots
 * @sink: asked whether to stop
 * @stacks: are stacks roots?
 * @content: is the content of all pages in use a root?
 *
 * Context: process, memory hotplug lock not held.
 * Return: false if the sink wanted to stop.
 */
bool kml_roots_begin(struct kml_root_sink *sink, bool stacks, bool content)
{
	if (stacks && !kml_stacks_set_no_scan(sink))
		return false;
	/* pages that wait to be free would count as used ones */
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

/* Take up to @unit pages. Context: memory hotplug lock. Return: see kml_roots_pages(). */
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

/* Are there none left, for anybody? */
static bool kml_zones_done(const struct kml_zone_pos *at)
{
	return READ_ONCE(at->zone) == KML_NO_ZONE;
}

/**
 * kml_roots_pages() - take some pages of a zone that nobody else got
 * @pfn: set to the first
 * @end: set to one behind the last
 *
 * As many as their content may be read of before the memory hotplug lock is
 * released.
 *
 * Context: process, for one or many; after kml_roots_begin(), memory hotplug lock held.
 * Return: the zone, or NULL if there are none left.
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

/**
 * kml_pages_free() - how many pages from one on are free, as parts of one block?
 * @zone: of the page
 * @pfn: the page's
 * @first: may the block have begun before the page?
 *
 * Only the first page of a free block says so, and says its order. Nothing keeps it
 * from being allocated meanwhile: what is then read where the order was may be
 * anything. So the page is asked again, and a block is aligned to its size.
 *
 * Context: memory hotplug lock held.
 * Return: 0 if it is not free.
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
 * The content of pages in use, as far as mapped. When blocks got away untracked,
 * what they reference is unknown: this finds all references there are, and many
 * which are stale.
 *
 * A count of 0 says nothing: slab pages have that, and all but the first page of a
 * block that is not compound. Pages that are free and not in a free block are on the
 * lists of a CPU: drained before, and few.
 */
static void kml_roots_in_use(struct kml_root_sink *sink, struct zone *zone,
			     unsigned long pfn, unsigned long end)
{
	bool first = true, more = true;
	unsigned long nr;

	for (; more && pfn < end; pfn += nr) {
		struct page *page = pfn_to_online_page(pfn);
		size_t off;

		nr = 1;
		cond_resched_tasks_rcu_qs();
		if (!page || page_zone(page) != zone)
			continue;
		nr = kml_pages_free(zone, pfn, first);
		first = false;
		if (nr)
			continue;
		nr = 1;
		if (kml_pfn_is_untouchable(page, pfn))
			continue;
		for (off = 0; more && off < PAGE_SIZE; off += KML_CHUNK)
			if (kml_roots_copy(page, off, sink->buf, KML_CHUNK))
				more = sink->range(sink, sink->buf, KML_CHUNK);
	}
}

/* Read the struct pages of a unit. Return: false if there are none left. */
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

/* Read the content of a unit of pages. Return: false if there are none left. */
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
		kml_roots_in_use(sink, zone, pfn, end);
	put_online_mems();
	return zone;
}

/**
 * kml_roots_next() - hand out roots that nobody else got
 * @sink: gets them
 *
 * Context: process, for one or many; memory hotplug lock not held.
 * Return: false if there were none left.
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
 * Roots: the kernel stacks of all tasks. Without them, memory that a task refers
 * to from its stack alone would be reported.
 *
 * Below the frames in use a stack is full of pointers of calls that have
 * returned: they are no references and hide leaks. So a task that does not run
 * is read from the stack pointer on that it has saved, where the architecture
 * says which (<asm/kmemleak_stack.h>), with the registers saved elsewhere.
 *
 * Such a task may wake up at any time, and nobody keeps it from that. Memory is
 * read as if it slept, and then the reader asks whether it did. If it may have
 * run its whole stack is read, as that of a running task is: no worse than
 * before. (What it counted twice then is of no harm: a reference more.) The
 * protocol, kml_roots_asleep() against __schedule() of the kernel's:
 *
 *	reader					who switches to or from the task
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
 * Let L1 read what S5 of the n-th switch from the task has stored. The acquire
 * shows all that the task has written until then, S2 to S4 of the n-th switch
 * with the rest. Can the reader have seen anything later?
 *
 * - If L2 reads the same S5, no. The barrier of a switch orders S1 before all
 *   that the task does afterwards. If sp or a word was of later, L2, after an
 *   smp_rmb(), would have found that switch's S1, or what came after it.
 * - If L2 reads a later S5, the acquire shows that switch's S3: the second look
 *   at the counts has at least n + 1. And the first one had n: it is before L1,
 *   so had it been of a later S3, L1 would have found the S1 before that.
 *
 * The barrier of a switch: any store to the other on x86, which UML runs on, too;
 * dsb(ish) in arm64's __switch_to(), which cpu_switch_to() comes after. An
 * architecture that is added here needs one between prepare_task() and the first
 * store of the task that was switched to.
 *
 * tools/testing/kmemleak/models/asleep.pml is this as a model.
 *
 * A task that has not run yet has the frame of a fork as its stack, one that has
 * ended the frames of do_exit(), for as long as somebody keeps its stack. Idle
 * tasks are not read here.
 *
 * With VMAP_STACK, a stack is a tracked block, too, and would be read as a whole
 * by any mark. So before one it is marked as not to be scanned, and stays so when
 * kernel/fork.c gives it to another task: that one's stack is read here as well.
 */

#ifdef CONFIG_KMEMLEAK_LIVE_STACKS
#include <asm/kmemleak_stack.h>
#endif

/*
 * The first task with a number of at least *@nr, which is set behind it.
 * Context: any that RCU readers may be in. Return: referenced, or NULL.
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

/* How often was it switched from? */
static unsigned long kml_task_switches(const struct task_struct *task)
{
	return READ_ONCE(task->nvcsw) + READ_ONCE(task->nivcsw);
}

/*
 * Read a task from its stack pointer on. Return: whether it slept all that time;
 * if not, what was read is worth nothing.
 */
static bool kml_roots_asleep(struct kml_root_sink *sink, const struct task_struct *task,
			     const void *stack, bool *more)
{
	const void *sp, *regs, *top = stack + THREAD_SIZE;
	unsigned long switches = kml_task_switches(task);
	size_t len;

	/* the count is not younger than on_cpu: at the head of this file */
	smp_rmb();
	if (kml_task_on_cpu(task))
		return false;
	sp = kmemleak_saved_sp(task);
	if (sp < stack || sp >= top || !IS_ALIGNED((unsigned long)sp, sizeof(long)))
		return false;
	regs = kmemleak_saved_regs(task, &len);

	*more = sink->range(sink, regs, len) && sink->range(sink, sp, top - sp);

	/* what was read is not younger than on_cpu, nor that than the count */
	smp_rmb();
	return !kml_task_on_cpu(task) && kml_task_switches(task) == switches;
}

/* Read the part of a stack that is in use. Return: false if that is not known. */
static bool kml_roots_live(struct kml_root_sink *sink, const struct task_struct *task,
			   const void *stack, bool *more)
{
	return READ_ONCE(kml_live_stacks) && kml_roots_asleep(sink, task, stack, more);
}

/**
 * kml_stacks_set_no_scan() - let no mark read a stack as a block
 * @sink: asked after each task whether to stop
 *
 * Context: process, before a mark.
 * Return: false if stopped.
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

/* Another task's stack. */
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

/*
 * Our own. Below the frames in use, it is littered with addresses that we went
 * through in an earlier stage: they are not references. Not inlined, so that
 * registers which our callers saved lie above.
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
 * Blocks of kmalloc_nolock() are no objects: they come and go in any context, NMI
 * included, where no lock may be taken. But what they reference is in use. So
 * their addresses are kept in a hash table, which the trial of suspects reads.
 *
 * The table has a fixed size and no locks. A block may be in any slot of a short
 * window behind the hash of its address (open addressing; Knuth, The Art of
 * Computer Programming 3, 6.4), so that a slot that becomes empty needs no mark.
 *
 *	alloc: claims an empty slot by cmpxchg(), then stores the size (release);
 *	free: clears the size, then the slot (release). The block is freed after.
 *	a reader of the table loads the size (acquire) and the slot, and copies the
 *	block without faulting. Later it copies a word of interest again, smp_rmb(),
 *	and loads size and slot again. The word counts if it is the same, and lies
 *	in a block that is still there.
 *
 * A block for which there is no room in its window is counted as missed: what it
 * alone references may be reported, as in a kernel without this file.
 */

#include <linux/kmemleak_nolock.h>

#define KML_NOLOCK_WINDOW	16U	/* slots looked at */

/* Inverted addresses: the table must not be a reference. 0: the slot is empty. */
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
 * kmemleak_alloc_nolock() - a block was allocated that the other hooks cannot track
 * @ptr: its start
 * @size: in bytes
 *
 * The block is never reported. What it references is not reported either.
 *
 * Context: any, NMI included.
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
 * kml_nolock_forget() - a block that is no object is about to be freed
 * @start: its untagged start
 *
 * Context: any, NMI included.
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
		/* the size first: the next hook that claims the slot stores its own */
		smp_store_release(&slot->not_start, 0);
		return;
	}
}

/**
 * kmemleak_free_nolock() - a block of kmalloc_nolock() is about to be freed
 * @ptr: its start
 *
 * kmemleak_free() does it as well.
 *
 * Context: any, NMI included.
 */
void kmemleak_free_nolock(const void *ptr)
{
	if (ptr && kml_free_enabled())
		kml_nolock_forget(kml_untag((unsigned long)ptr));
}

/**
 * kml_nolock_next() - the next block of the table
 * @at: where to look from; set to the block's place. 0 before the first call, and
 *	one more than it was set to before the next
 * @block: filled
 *
 * Context: any.
 * Return: false if there are no more.
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
 * kml_nolock_size() - is a block still in its place?
 * @at: the place, from kml_nolock_next()
 * @start: the block's start
 *
 * If it is, what was read of the block before was read while it was there.
 *
 * Context: any.
 * Return: its size in bytes, or 0 if it is gone.
 */
size_t kml_nolock_size(unsigned long at, unsigned long start)
{
	struct kml_nolock_slot *slot = &kml_nolock_slots[at];
	size_t size;

	/* the block's content before the slot */
	smp_rmb();
	/* pairs with the release in kmemleak_alloc_nolock() */
	size = smp_load_acquire(&slot->size);
	return READ_ONCE(slot->not_start) == ~start ? size : 0;
}

/* Blocks for which there was no room since boot. Context: any. */
unsigned long kml_nolock_missed(void)
{
	return atomic_long_read(&kml_nolock_lost);
}

/* One slot for so much memory: 256 KiB for 4 GiB. */
#define KML_NOLOCK_BYTES	(256UL * 1024)
#define KML_NOLOCK_MIN_BITS	10U
#define KML_NOLOCK_MAX_BITS	20U

/* Context: late_initcall. Blocks allocated before are few, and counted as missed. */
void __init kml_nolock_init(void)
{
	unsigned long want = totalram_pages() / (KML_NOLOCK_BYTES / PAGE_SIZE);
	unsigned int bits = clamp((unsigned int)fls_long(want), KML_NOLOCK_MIN_BITS,
				  KML_NOLOCK_MAX_BITS);
	struct kml_nolock_slot *slots;

	slots = kvcalloc(1UL << bits, sizeof(*slots), GFP_KERNEL | __GFP_NOWARN);
	if (!slots)
		return;
	/* what it holds are no references, and it is never freed */
	kml_object_paint(kml_space(KML_VIRT), (unsigned long)slots, -1);
	kml_nolock_bits = bits;
	/* pairs with the acquires in the hooks */
	smp_store_release(&kml_nolock_slots, slots);
}
