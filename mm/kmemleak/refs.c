// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmemleak_refs: who holds a block?
 *
 * A write names the block by any address in it. All memory that a scan reads is then
 * searched for words that point into the block, and a read lists these words with their
 * owners. The windows of the filter are as wide as the block, so most chunks of memory
 * have no candidates. No state of any object changes.
 *
 * The task that writes does all the work, and holds kml_scan_mutex meanwhile: no scan
 * runs. A signal ends the search.
 */

#include "os.h"
#include "scan.h"

#define KML_REFS_VERSION	1

/* References that are listed; further ones are counted. */
#define KML_MAX_REFS	256U

enum kml_ref_kind {
	KML_REF_OBJECT,			/* in a tracked block, kernel data included */
	KML_REF_PERCPU,			/* in the static per-CPU area of a CPU */
	KML_REF_PHYS,			/* in a physical block */
	KML_REF_STRUCT_PAGE,
	KML_REF_TASK,			/* on the stack of a task */
	KML_REF_PAGE,			/* in a page that nobody tracks */
	KML_REF_NOLOCK,			/* in a block of kmalloc_nolock() */
};

/* Why a scan does not count a word as a reference. */
enum kml_ref_weak {
	KML_REF_STRONG,
	KML_REF_NO_SCAN,		/* the block is not scanned */
	KML_REF_IGNORED,		/* kmemleak_ignore() */
	KML_REF_LEAK,			/* the block is itself reported as a leak */
	KML_REF_DEAD,			/* in no frame in use of a stack */
};

/* A word that points to the block. Addresses are inverted: they are no references. */
struct kml_ref {
	enum kml_ref_kind kind;
	enum kml_ref_weak weak;
	unsigned long not_at;		/* address of the word */
	unsigned long not_owner;	/* start of the block, or pfn */
	phys_addr_t phys;		/* of the word; 0: unknown */
	unsigned long to;		/* offset in the block that is held */
	size_t size;			/* of the owner, in bytes */
	unsigned long frame;		/* return address above a word on a stack */
	depot_stack_handle_t trace;	/* of the owner */
	int nr;				/* CPU, PID, or order */
	bool dropped;			/* by kml_refs_settle() */
	char comm[TASK_COMM_LEN];
};

/* The state of an open file. */
struct kml_refs {
	struct kml_root_sink sink;	/* must be first */
	struct kml_visitor v;
	struct mutex lock;		/* a write against reads */
	struct kml_info target;
	unsigned long start;		/* of the target, untagged; 0: none yet */
	struct kmemleak_windows win;
	struct kml_ref found;		/* owner of the memory being searched */
	struct task_struct *task;	/* whose stack is being searched */
	unsigned long nr;
	struct kml_ref ref[KML_MAX_REFS];
	unsigned long cand[KML_WORDS + KMEMLEAK_FILTER_PAD];
	unsigned long buf[KML_WORDS];
};

static struct kml_refs *kml_refs_of(struct kml_root_sink *sink)
{
	return container_of(sink, struct kml_refs, sink);
}

/* === Search ============================================================= */

/*
 * The first return address above a word of a stack: usually that of the function in
 * whose frame the word is.
 */
static unsigned long kml_refs_frame(const unsigned long *at, const unsigned long *top)
{
	while (++at < top) {
		unsigned long word = READ_ONCE_NOCHECK(*at);

		if (__kernel_text_address(word))
			return word;
	}
	return 0;
}

/* The physical address of a word in memory of the kernel, or 0. */
static phys_addr_t kml_refs_phys_addr(const struct kml_ref *ref, unsigned long at)
{
	struct page *page;

	switch (ref->kind) {
	case KML_REF_PAGE:
		return PFN_PHYS(~ref->not_owner) + offset_in_page(at);
	case KML_REF_OBJECT:
		if (ref->nr >= 0)
			return per_cpu_ptr_to_phys((void *)at);
		if (!is_vmalloc_or_module_addr((void *)at))
			return virt_addr_valid((void *)at) ? virt_to_phys((void *)at) : 0;
		page = vmalloc_to_page((void *)at);
		return page ? page_to_phys(page) + offset_in_page(at) : 0;
	default:
		return 0;
	}
}

static void kml_refs_add(struct kml_refs *r, unsigned long at, unsigned long to)
{
	struct kml_ref *ref;

	if (r->nr++ >= KML_MAX_REFS)
		return;
	ref = &r->ref[r->nr - 1];
	*ref = r->found;
	ref->not_at = ~at;
	ref->to = to;
	ref->phys = kml_refs_phys_addr(ref, at);
	if (r->task) {
		const void *stack = task_stack_page(r->task);

		if (at - (unsigned long)stack < THREAD_SIZE)
			ref->frame = kml_refs_frame((void *)at, stack + THREAD_SIZE);
	}
}

/*
 * Search up to KML_CHUNK bytes at @mem, which are those at @at or a copy of them.
 * Context: the memory stays readable; a leaf may be locked.
 */
static void kml_refs_search(struct kml_refs *r, const void *mem, unsigned long at,
			    size_t len)
{
	size_t off;

	mem = kasan_reset_tag(mem);
	off = -(unsigned long)mem % sizeof(long);
	if (!kml_filter_run(mem, len, &r->win, r->cand))
		return;
	for (; off + sizeof(long) <= len; off += sizeof(long)) {
		unsigned long word = READ_ONCE_NOCHECK(*(unsigned long *)(mem + off));

		if (r->target.space == KML_VIRT)
			word = kml_untag(word);
		if (word - r->start < r->target.size)
			kml_refs_add(r, at + off, word - r->start);
	}
}

static bool kml_refs_stop(struct kml_root_sink *sink)
{
	cond_resched_tasks_rcu_qs();
	return kml_signalled() || !kml_enabled();
}

static bool kml_refs_lock_mems(struct kml_root_sink *sink)
{
	while (!try_get_online_mems()) {
		if (kml_refs_stop(sink))
			return false;
		usleep_range_state(500, 1000 * KML_SIGNAL_POLL_MSECS, TASK_IDLE);
	}
	return true;
}

/* Roots that are ranges are per-CPU areas and stacks. Which CPU is it? */
static void kml_refs_percpu(struct kml_refs *r, const void *start)
{
#ifdef CONFIG_SMP
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		if (start == __per_cpu_start + per_cpu_offset(cpu))
			r->found = (struct kml_ref){ .kind = KML_REF_PERCPU, .nr = cpu };
#endif
}

static bool kml_refs_range(struct kml_root_sink *sink, const void *start, size_t len)
{
	size_t chunk;

	kml_refs_percpu(kml_refs_of(sink), start);
	for (; len; start += chunk, len -= chunk) {
		chunk = min_t(size_t, len, KML_CHUNK);
		kml_refs_search(kml_refs_of(sink), start, (unsigned long)start, chunk);
		if (kml_refs_stop(sink))
			return false;
	}
	return true;
}

static bool kml_refs_phys(struct kml_root_sink *sink, unsigned long start, size_t len)
{
	struct kml_refs *r = kml_refs_of(sink);
	unsigned long addr;
	size_t step;

	r->found = (struct kml_ref){ .kind = KML_REF_PHYS };
	for (addr = start; addr - start < len; addr += step) {
		/* words that are aligned in memory are aligned in the copy */
		void *copy = (void *)r->buf + addr % sizeof(long);

		step = min(len - (addr - start), KML_CHUNK - addr % KML_CHUNK);
		if (!kml_refs_lock_mems(sink))
			return false;
		/* no pin: the word of a block that is freed meanwhile does no harm */
		if (kml_phys_copy_root(copy, addr, step))
			kml_refs_search(r, copy, addr, step);
		put_online_mems();
		if (kml_refs_stop(sink))
			return false;
	}
	return true;
}

static bool kml_refs_page(struct kml_root_sink *sink, const struct page *page,
			  unsigned long mem)
{
	struct kml_refs *r = kml_refs_of(sink);

	/* the page that has the block: its fields are the allocator's */
	if (mem && r->start - mem < PAGE_SIZE)
		return true;
	r->found = (struct kml_ref){
		.kind = KML_REF_STRUCT_PAGE,
		.not_owner = ~page_to_pfn(page),
	};
	kml_refs_search(r, page, (unsigned long)page, sizeof(*page));
	return !kml_refs_stop(sink);
}

static bool kml_refs_probe(struct kml_root_sink *sink, const void *start, size_t len)
{
	struct kml_refs *r = kml_refs_of(sink);
	size_t off, chunk;

	for (off = 0; off < len; off += chunk) {
		chunk = min(len - off, KML_CHUNK);
		if (kml_filter_run(start + off, chunk, &r->win, r->cand))
			return true;
	}
	return false;
}

static bool kml_refs_skip(const struct task_struct *task)
{
	return true;
}

/* The word is in an untracked page. Context: memory hotplug lock held. */
static void kml_refs_untracked(struct kml_root_sink *sink, struct page *page,
			       unsigned long pfn)
{
	struct kml_refs *r = kml_refs_of(sink);
	struct page *head = compound_head(page);
	unsigned long mem = PageHighMem(page) ? 0 : (unsigned long)page_address(page);
	size_t off;

	r->found = (struct kml_ref){
		.kind = KML_REF_PAGE,
		.not_owner = ~pfn,
		.nr = PageHead(head) ? compound_order(head) : 0,
	};
	for (off = 0; off < PAGE_SIZE; off += KML_CHUNK)
		if (kml_roots_copy(page, off, r->buf, KML_CHUNK))
			kml_refs_search(r, r->buf, mem + off, KML_CHUNK);
}

/* Let an object be the owner of the words found. Context: leaf->lock. */
static void kml_refs_owner(struct kml_refs *r, struct kml_space *space,
			   unsigned long start, struct kml_hot *hot, int cpu)
{
	u32 state = kml_hot_state(hot);

	r->found = (struct kml_ref){
		.kind = KML_REF_OBJECT,
		.not_owner = ~start,
		.size = kml_hot_size(hot, state),
		.trace = hot->cold->trace,
		.nr = space->id == KML_PERCPU ? cpu : -1,
	};
	if (kml_black(state))
		r->found.weak = KML_REF_IGNORED;
	else if (!kml_scannable(state) && (state & KML_F_NO_SCAN))
		r->found.weak = KML_REF_NO_SCAN;
	else if (kml_white(state) && (state & KML_F_REPORTED))
		r->found.weak = KML_REF_LEAK;
}

/* Words outside of all scan areas are no references. Context: leaf->lock. */
static void kml_refs_areas(struct kml_refs *r, unsigned long from, struct kml_hot *hot)
{
	u32 state = kml_hot_state(hot);
	struct kml_area *area;
	unsigned long i;

	if (!(state & KML_F_EXT) || (state & KML_F_FULL_SCAN) || !kml_ext(hot)->areas)
		return;
	for (i = from; i < min(r->nr, KML_MAX_REFS); i++) {
		for (area = kml_ext(hot)->areas; area; area = area->next)
			if (~r->ref[i].not_at - ~area->not_start < area->size)
				break;
		if (!area && r->ref[i].weak == KML_REF_STRONG)
			r->ref[i].weak = KML_REF_NO_SCAN;
	}
}

static struct kml_refs *kml_refs_of_visitor(struct kml_visitor *v)
{
	return container_of(v, struct kml_refs, v);
}

static bool kml_refs_is_own(struct kml_refs *r, unsigned long start)
{
	return start == r->start || start == kml_untag((unsigned long)r);
}

/* Context: leaf->lock, which delays a free of the object. */
static enum kml_visit kml_refs_visit(struct kml_visitor *v, struct kml_space *space,
				     unsigned long start, struct kml_hot *hot)
{
	struct kml_refs *r = kml_refs_of_visitor(v);
	size_t size = kml_hot_size(hot, kml_hot_state(hot));
	unsigned long before = r->nr;

	if (kml_refs_is_own(r, start))
		return KML_VISIT_NEXT;
	if (space->id == KML_PERCPU || size > KML_CHUNK)
		return KML_VISIT_UNLOCKED;
	kml_refs_owner(r, space, start, hot, 0);
	kml_refs_search(r, kasan_reset_tag(kml_object_memory(space, start, 0)), start, size);
	kml_refs_areas(r, before, hot);
	return KML_VISIT_NEXT;
}

/* Search one chunk. Return: false at the end of the object, or if it was freed. */
static bool kml_refs_chunk(struct kml_refs *r, struct kml_space *space,
			   unsigned long start, size_t off, int cpu)
{
	unsigned long before = r->nr;
	struct kml_locked l;
	const void *mem;
	size_t size;

	if (!kml_object_lock(&l, space, start, false))
		return false;
	size = kml_hot_size(l.hot, kml_hot_state(l.hot));
	if (off < size) {
		kml_refs_owner(r, space, start, l.hot, cpu);
		mem = kasan_reset_tag(kml_object_memory(space, start, cpu)) + off;
		kml_refs_search(r, mem, (unsigned long)mem, min(size - off, KML_CHUNK));
		kml_refs_areas(r, before, l.hot);
	}
	kml_object_unlock(&l);
	return off + KML_CHUNK < size;
}

static void kml_refs_unlocked(struct kml_visitor *v, struct kml_space *space,
			      unsigned long start)
{
	struct kml_refs *r = kml_refs_of_visitor(v);
	unsigned int cpu;
	size_t off;

	for_each_possible_cpu(cpu) {
		for (off = 0; kml_refs_chunk(r, space, start, off, cpu); off += KML_CHUNK)
			if (kml_refs_stop(&r->sink))
				return;
		if (space->id != KML_PERCPU)
			break;
	}
}

static bool kml_refs_resched(struct kml_visitor *v)
{
	return kml_refs_stop(&kml_refs_of_visitor(v)->sink);
}

/* Words in frames in use. The own stack has the address that was written. */
static bool kml_refs_tasks(struct kml_refs *r)
{
	struct task_struct *task;
	bool more = true;
	int nr = 1;

	while (more && (task = kml_task_from(&nr))) {
		r->found = (struct kml_ref){
			.kind = KML_REF_TASK,
			.nr = task_pid_nr(task),
		};
		get_task_comm(r->found.comm, task);
		r->task = task;
		if (task != current)
			more = kml_roots_stack(&r->sink, task);
		r->task = NULL;
		put_task_struct(task);
	}
	return more;
}

static bool kml_refs_nolock(struct kml_refs *r)
{
	struct kml_nolock_block block;
	unsigned long at;
	size_t off, len;

	for (at = 0; kml_nolock_next(&at, &block); at++) {
		r->found = (struct kml_ref){
			.kind = KML_REF_NOLOCK,
			.not_owner = ~block.start,
			.size = block.size,
		};
		for (off = 0; off < block.size; off += len) {
			len = min_t(size_t, block.size - off, KML_CHUNK);
			/* the copy is of this block if the block is still there */
			if (kml_block_copy(r->buf, block.start + off, len) &&
			    kml_nolock_size(at, block.start))
				kml_refs_search(r, r->buf, block.start + off, len);
		}
		if (kml_refs_stop(&r->sink))
			return false;
	}
	return true;
}

/* === Words that were found twice ======================================== */

/*
 * The search of untracked pages also finds words in memory that has an owner: in
 * blocks that lie outside of the direct map, and on stacks. The search of objects
 * finds words on stacks that are vmalloc blocks, whether their frame is in use or
 * not. Only the words that were found matter here, so nothing is walked but tasks.
 */

/* Is the word in the memory of the block that is held? */
static bool kml_refs_in_target(const struct kml_refs *r, phys_addr_t phys)
{
	struct kml_ref here = { .kind = KML_REF_OBJECT, .nr = -1 };
	size_t off;

	if (r->target.space != KML_VIRT)
		return false;
	for (off = 0; off < r->target.size; off += PAGE_SIZE - offset_in_page(r->start + off)) {
		phys_addr_t page = kml_refs_phys_addr(&here, r->start + off);

		if (page && PHYS_PFN(page) == PHYS_PFN(phys))
			return true;
	}
	return false;
}

static bool kml_refs_has_owner(const struct kml_refs *r, const struct kml_ref *ref)
{
	unsigned long i, nr = min(r->nr, KML_MAX_REFS);
	struct kml_info info;

	if (kml_object_info(kml_space(KML_VIRT), ~ref->not_at, true, &info) ||
	    kml_refs_in_target(r, ref->phys))
		return true;
	for (i = 0; i < nr; i++)
		if (r->ref[i].kind == KML_REF_OBJECT && r->ref[i].phys == ref->phys)
			return true;
	return false;
}

/* Was the word found in a frame in use? */
static bool kml_refs_is_live(const struct kml_refs *r, unsigned long not_at)
{
	unsigned long i, nr = min(r->nr, KML_MAX_REFS);

	for (i = 0; i < nr; i++)
		if (r->ref[i].kind == KML_REF_TASK && r->ref[i].not_at == not_at &&
		    r->ref[i].weak != KML_REF_DEAD)
			return true;
	return false;
}

/* Words on this stack, which were found by another search than that of stacks. */
static void kml_refs_settle_stack(struct kml_refs *r, struct task_struct *task)
{
	unsigned long i, nr = min(r->nr, KML_MAX_REFS);
	void *stack = task ? try_get_task_stack(task) : NULL;

	for (i = 0; stack && i < nr; i++) {
		struct kml_ref *ref = &r->ref[i];

		if (kml_untag(~ref->not_at) - kml_untag((unsigned long)stack) >= THREAD_SIZE ||
		    (ref->kind != KML_REF_PAGE && ref->kind != KML_REF_OBJECT))
			continue;
		ref->dropped = task == current || kml_refs_is_live(r, ref->not_at);
		ref->kind = KML_REF_TASK;
		ref->weak = KML_REF_DEAD;
		ref->nr = task_pid_nr(task);
		get_task_comm(ref->comm, task);
	}
	if (stack)
		put_task_stack(task);
}

static void kml_refs_settle(struct kml_refs *r)
{
	unsigned long i, nr = min(r->nr, KML_MAX_REFS);
	struct task_struct *task;
	unsigned int cpu;
	int pid = 1;

	for_each_possible_cpu(cpu)
		kml_refs_settle_stack(r, idle_task(cpu));
	while ((task = kml_task_from(&pid))) {
		kml_refs_settle_stack(r, task);
		put_task_struct(task);
		cond_resched();
	}
	for (i = 0; i < nr; i++)
		if (r->ref[i].kind == KML_REF_PAGE && kml_refs_has_owner(r, &r->ref[i]))
			r->ref[i].dropped = true;
}

/* Return: false if there is a signal, or if kmemleak was disabled. */
static bool kml_refs_all(struct kml_refs *r)
{
	enum kml_space_id id;

	for (id = 0; id < KML_NR_SPACES; id++)
		if (id != KML_PHYS)
			kml_walk(kml_space(id), &r->v);
	if (!kml_refs_tasks(r) || !kml_refs_nolock(r) ||
	    !kml_roots_begin(&r->sink, false, false))
		return false;
	while (kml_roots_next(&r->sink))
		if (kml_refs_stop(&r->sink))
			return false;
	if (!kml_roots_begin(&r->sink, false, true))
		return false;
	while (kml_untracked_next(&r->sink, kml_refs_untracked))
		;
	if (kml_refs_stop(&r->sink))
		return false;
	kml_refs_settle(r);
	return true;
}

/* Find the block, and set up the search. Return: false if there is no such block. */
static bool kml_refs_begin(struct kml_refs *r, unsigned long addr)
{
	struct kmemleak_range range;

	r->nr = 0;
	r->start = 0;
	if (!kml_object_info(kml_space(KML_VIRT), addr, true, &r->target) &&
	    !kml_object_info(kml_space(KML_PERCPU), addr, true, &r->target))
		return false;
	r->start = kml_untag(r->target.addr);
	range = kml_filter_range(r->start, kml_last(r->start, r->target.size));
	r->win = (struct kmemleak_windows){ .tag_bits = KML_TAG_BITS };
	if (r->target.space == KML_PERCPU)
		r->win.percpu = range;
	else
		r->win.virt = range;
	return true;
}

static int kml_refs_find(struct kml_refs *r, unsigned long addr)
{
	int err = kml_scan_lock();

	if (err)
		return err;
	if (!kml_enabled())
		err = -EPERM;
	else if (!kml_refs_begin(r, addr))
		err = -ENOENT;
	else if (!kml_refs_all(r))
		err = kml_enabled() ? -ERESTARTSYS : -EPERM;
	kml_scan_unlock();
	if (err)
		r->start = 0;
	return err;
}

/* === File =============================================================== */

static const char * const kml_ref_weak_names[] = {
	[KML_REF_STRONG]	= "-",
	[KML_REF_NO_SCAN]	= "no_scan",
	[KML_REF_IGNORED]	= "ignored",
	[KML_REF_LEAK]		= "leak",
	[KML_REF_DEAD]		= "dead",
};

static void kml_ref_object(struct seq_file *seq, const struct kml_ref *ref)
{
	unsigned long at = ~ref->not_at;

	if (__is_kernel(at) || is_module_address(at)) {
		seq_printf(seq, "symbol name=%pS", (void *)at);
		return;
	}
	if (ref->nr < 0)
		seq_printf(seq, "object object=0x%08lx offset=%lu size=%zu weak=%s",
			   ~ref->not_owner, at - ~ref->not_owner, ref->size,
			   kml_ref_weak_names[ref->weak]);
	else
		seq_printf(seq, "object object=0x%08lx cpu=%d size=%zu weak=%s",
			   ~ref->not_owner, ref->nr, ref->size,
			   kml_ref_weak_names[ref->weak]);
	kml_report_stack(seq, ref->trace);
}

static void kml_ref_show(struct seq_file *seq, const struct kml_ref *ref)
{
	unsigned long at = ~ref->not_at;

	seq_printf(seq, "at=0x%08lx to=+0x%lx kind=", at, ref->to);
	switch (ref->kind) {
	case KML_REF_OBJECT:
		kml_ref_object(seq, ref);
		break;
	case KML_REF_PERCPU:
#ifdef CONFIG_SMP
		at -= per_cpu_offset(ref->nr);
#endif
		seq_printf(seq, "percpu cpu=%d name=%pS", ref->nr, (void *)at);
		break;
	case KML_REF_PHYS:
		seq_puts(seq, "phys");
		break;
	case KML_REF_STRUCT_PAGE:
		seq_printf(seq, "struct_page pfn=0x%lx", ~ref->not_owner);
		break;
	case KML_REF_TASK:
		seq_printf(seq, "task pid=%d comm=\"", ref->nr);
		seq_escape_str(seq, ref->comm, ESCAPE_NAP | ESCAPE_OCTAL | ESCAPE_APPEND,
			       "\"\\");
		seq_printf(seq, "\" weak=%s frame=", kml_ref_weak_names[ref->weak]);
		if (ref->frame)
			seq_printf(seq, "%pS", (void *)ref->frame);
		else
			seq_putc(seq, '-');
		break;
	case KML_REF_PAGE:
		seq_printf(seq, "page pfn=0x%lx order=%d", ~ref->not_owner, ref->nr);
		break;
	case KML_REF_NOLOCK:
		seq_printf(seq, "nolock object=0x%08lx offset=%lu size=%zu", ~ref->not_owner,
			   at - ~ref->not_owner, ref->size);
		break;
	}
	seq_putc(seq, '\n');
}

static int kml_refs_show(struct seq_file *seq, void *v)
{
	struct kml_refs *r = seq->private;
	unsigned long i, nr = 0;
	int err = mutex_lock_interruptible(&r->lock);

	if (err)
		return err;
	seq_printf(seq, "kmemleak_refs %d\n", KML_REFS_VERSION);
	if (r->start) {
		for (i = 0; i < min(r->nr, KML_MAX_REFS); i++)
			nr += !r->ref[i].dropped;
		seq_printf(seq, "addr=0x%08lx space=%s size=%zu refs=%lu more=%lu\n",
			   r->target.addr, r->target.space == KML_PERCPU ? "percpu" : "virt",
			   r->target.size, nr, r->nr - min(r->nr, KML_MAX_REFS));
		for (i = 0; i < min(r->nr, KML_MAX_REFS); i++)
			if (!r->ref[i].dropped)
				kml_ref_show(seq, &r->ref[i]);
	}
	mutex_unlock(&r->lock);
	return 0;
}

static int kml_refs_open(struct inode *inode, struct file *file)
{
	struct kml_refs *r = kvzalloc(sizeof(*r), GFP_KERNEL);
	int err;

	if (!r)
		return -ENOMEM;
	/* it has the address of the block: it must not be a reference */
	kml_object_paint(kml_space(KML_VIRT), (unsigned long)r, -1);
	mutex_init(&r->lock);
	r->sink = (struct kml_root_sink){
		.range = kml_refs_range,
		.phys = kml_refs_phys,
		.page = kml_refs_page,
		.probe = kml_refs_probe,
		.skip = kml_refs_skip,
		.stop = kml_refs_stop,
		.lock = kml_refs_lock_mems,
		.buf = r->buf,
	};
	r->v = (struct kml_visitor){
		.visit = kml_refs_visit,
		.unlocked = kml_refs_unlocked,
		.resched = kml_refs_resched,
	};
	err = single_open(file, kml_refs_show, r);
	if (err)
		kvfree_sensitive(r, sizeof(*r));
	return err;
}

static int kml_refs_release(struct inode *inode, struct file *file)
{
	struct kml_refs *r = ((struct seq_file *)file->private_data)->private;

	kvfree_sensitive(r, sizeof(*r));
	return single_release(inode, file);
}

/* A write is one address. The position stays, so that a read begins at the start. */
static ssize_t kml_refs_write(struct file *file, const char __user *user_buf,
			      size_t size, loff_t *ppos)
{
	struct kml_refs *r = ((struct seq_file *)file->private_data)->private;
	unsigned long addr;
	int err;

	err = kstrtoul_from_user(user_buf, size, 0, &addr);
	if (err)
		return err;
	err = mutex_lock_interruptible(&r->lock);
	if (err)
		return err;
	err = kml_refs_find(r, addr);
	mutex_unlock(&r->lock);
	return err ?: size;
}

static const struct file_operations kml_refs_fops = {
	.owner		= THIS_MODULE,
	.open		= kml_refs_open,
	.read		= seq_read,
	.write		= kml_refs_write,
	.llseek		= seq_lseek,
	.release	= kml_refs_release,
};

/**
 * kml_refs_init() - create the file
 *
 * Context: late_initcall.
 */
void __init kml_refs_init(void)
{
	debugfs_create_file("kmemleak_refs", 0600, NULL, NULL, &kml_refs_fops);
}
