// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects that are not in slabs: vmalloc() blocks.
 *
 * The allocator's lists are not exported. A struct vmap_area is an object of a
 * slab cache, which the walk has found; it is one if the struct vm_struct that it points
 * to has the same address and size. What the kernel keeps of a block's address there is
 * no reference to the block.
 *
 * Vmalloc blocks are read by their pages, in the direct map: at a stale address in
 * vmalloc space there may be the registers of a device.
 *
 * The stack of a task is read from its stack pointer on, and a stack that no task has
 * is kept for the next one, and not read.
 */

#include "oneshot.h"

/* === vmalloc ============================================================ */

/* A struct vmap_area that was believed. */
struct vm {
	unsigned long va, vm;		/* addresses */
	bool object;
};

static struct vm *vms;
static size_t nr_vms, room_vms;

static bool in_direct_map(const struct kml_heap *heap, unsigned long addr)
{
	return (addr - heap->direct_map) >> PAGE_SHIFT < heap->max_pfn;
}

/* Read an address of a struct page. Return: the number of the page, or KML_NONE. */
static unsigned long read_page(const struct kml_heap *heap, unsigned long addr)
{
	struct page *page;
	unsigned long pfn;

	if (!kml_read(addr, &page, sizeof(page)))
		return KML_NONE;
	pfn = page_to_pfn(page);
	return pfn < heap->max_pfn && pfn_to_page(pfn) == page ? pfn : KML_NONE;
}

/* The pages of an area are read as such. Also its array of pages may be in vmalloc space. */
static bool own_pages(struct kml_heap *heap, const struct kml_area *area)
{
	unsigned long i, pfn;

	for (i = 0; i < area->size >> PAGE_SHIFT; i++) {
		pfn = read_page(heap, area->pages + i * sizeof(struct page *));
		if (pfn != KML_NONE && kml_heap_page(heap, pfn) == KML_PAGE_ROOT &&
		    !kml_heap_set_page(heap, pfn, KML_PAGE_OWNED))
			return false;
		if (!(i % 1024))
			cond_resched();
	}
	return true;
}

static unsigned long area_page_at(const struct kml_heap *heap, const struct kml_area *area,
				  unsigned long nr, unsigned int depth)
{
	unsigned long addr = area->pages + nr * sizeof(struct page *), id, pfn;
	const struct kml_area *of;

	if (!in_direct_map(heap, addr)) {
		id = kml_heap_slot(heap, addr);
		if (id == KML_NONE || !depth)
			return KML_NONE;
		of = kml_heap_area(heap, id);
		pfn = area_page_at(heap, of, (addr - of->start) >> PAGE_SHIFT, depth - 1);
		if (pfn == KML_NONE)
			return KML_NONE;
		addr = heap->direct_map + (pfn << PAGE_SHIFT) + offset_in_page(addr);
	}
	pfn = read_page(heap, addr);
	return pfn != KML_NONE && kml_heap_page(heap, pfn) == KML_PAGE_OWNED ? pfn : KML_NONE;
}

/**
 * kml_area_page() - find a page of a vmalloc block
 * @heap: the heap, whose areas are known
 * @area: the block
 * @nr: number of the page in it
 *
 * Context: any; workers call it.
 * Return: the number of the page; KML_NONE: the block is gone, or changes.
 */
unsigned long kml_area_page(const struct kml_heap *heap, const struct kml_area *area,
			    unsigned long nr)
{
	return area_page_at(heap, area, nr, 2);
}

/* The caller of vmalloc(), or NULL. */
const void *kml_area_caller(const struct kml_area *area)
{
	struct vm_struct vm;

	return kml_read(area->vm, &vm, sizeof(vm)) ? vm.caller : NULL;
}

/*
 * Is a struct vm_struct the one of an area? The one of an area that was freed is free,
 * and that of another one has another address. Those of boot are in the kernel's image.
 */
static bool read_vm(struct kml_heap *heap, const struct vmap_area *va, struct vm_struct *vm)
{
	unsigned long addr = (unsigned long)va->vm, unit;

	return addr && IS_ALIGNED(addr, sizeof(long)) && va->va_start < va->va_end &&
	       PAGE_ALIGNED(va->va_start | va->va_end) &&
	       (kml_heap_find(heap, addr, &unit) != KML_NONE || kml_in_image(addr)) &&
	       kml_read(addr, vm, sizeof(*vm)) &&
	       (unsigned long)vm->addr == va->va_start && vm->size == va->va_end - va->va_start;
}

/* Not modules: their memory is a root. */
static bool is_block(const struct vm_struct *vm)
{
	unsigned long addr = (unsigned long)vm->addr;

	return (vm->flags & VM_ALLOC) && vm->nr_pages && vm->pages &&
	       vm->nr_pages <= vm->size >> PAGE_SHIFT &&
	       addr >= VMALLOC_START && addr < VMALLOC_END && !kml_is_own(addr);
}

static bool add_vmap_area(struct kml_heap *heap, unsigned long addr)
{
	struct vmap_area va;
	struct vm_struct vm;
	struct kml_area *area;
	struct vm *p;

	if (!kml_read(addr, &va, sizeof(va)) || !read_vm(heap, &va, &vm))
		return true;
	p = kml_grow(vms, nr_vms, &room_vms, sizeof(*vms));
	if (!p)
		return false;
	vms = p;
	vms[nr_vms++] = (struct vm){ addr, (unsigned long)va.vm, is_block(&vm) };
	if (!vms[nr_vms - 1].object)
		return true;
	area = kml_heap_add_area(heap, KML_AREA_VMALLOC, va.va_start, vm.nr_pages << PAGE_SHIFT);
	if (!area)
		return false;
	area->vm = (unsigned long)va.vm;
	area->pages = (unsigned long)vm.pages;
	return own_pages(heap, area);
}

/* Caches of about the size may have been merged, so the name says nothing. */
static bool may_have_areas(const struct kml_cache *c)
{
	return c->object_size >= sizeof(struct vmap_area) &&
	       c->object_size < ALIGN(sizeof(struct vmap_area), 2 * sizeof(long)) + sizeof(long) &&
	       strncmp(c->name, "kmalloc", 7);
}

static int load_vmalloc(struct kml_heap *heap)
{
	size_t i;
	u32 j;

	for (i = 0; i < heap->nr_slabs; i++) {
		const struct kml_slab_unit *s = &heap->slabs[i];
		const struct kml_cache *c = &heap->caches[s->cache].c;

		if (!(i % 64) && kml_pause())
			return -EINTR;
		if (!may_have_areas(c))
			continue;
		for (j = 0; j < s->nr; j++)
			if (test_bit(s->first + j, heap->used) &&
			    !add_vmap_area(heap, kml_slab_start(heap, s) + j * c->size))
				return -ENOMEM;
	}
	return 0;
}

/* === Stacks ============================================================= */

struct stack {
	unsigned long start;
	unsigned long from;		/* bytes that are not read */
};

#define TASKS_AT_ONCE	32

static unsigned long stack_pointer(struct task_struct *task)
{
#ifdef CONFIG_X86_64
	return READ_ONCE(task->thread.sp);
#elif defined(CONFIG_ARM64)
	return READ_ONCE(task->thread.cpu_context.sp);
#else
	return 0;
#endif
}

/* Stacks of a few tasks. Return: their number; 0: there are no more. */
static unsigned int some_stacks(int *nr, struct stack *stacks)
{
	unsigned int n = 0;
	struct pid *pid;

	rcu_read_lock();
	while (n < TASKS_AT_ONCE) {
		struct task_struct *task;
		unsigned long sp;

		pid = find_ge_pid(*nr, &init_pid_ns);
		if (!pid)
			break;
		*nr = pid_nr(pid) + 1;
		task = pid_task(pid, PIDTYPE_PID);
		if (!task)
			continue;
		stacks[n].start = (unsigned long)READ_ONCE(task->stack);
		stacks[n].from = 0;
		if (!stacks[n].start)
			continue;
		sp = stack_pointer(task) - stacks[n].start;
		/* that of a scan holds what it looks at */
		if (kml_crew_has(task))
			stacks[n].from = THREAD_SIZE;
		else if (!READ_ONCE(task->on_cpu) && sp < THREAD_SIZE)
			stacks[n].from = sp;
		n++;
	}
	rcu_read_unlock();
	return n;
}

static int compare_stacks(const void *a, const void *b)
{
	const struct stack *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static struct stack *load_stacks(size_t *nr)
{
	struct stack *stacks = NULL, *more, *batch;
	unsigned int got, i;
	size_t room = 0;
	int pid = 1;

	*nr = 0;
	batch = kml_alloc(TASKS_AT_ONCE * sizeof(*batch));
	while (batch && (got = some_stacks(&pid, batch))) {
		for (i = 0; i < got; i++) {
			more = kml_grow(stacks, *nr, &room, sizeof(*stacks));
			if (!more)
				goto fail;
			stacks = more;
			stacks[(*nr)++] = batch[i];
		}
		cond_resched();
	}
	kml_free(batch);
	if (stacks)
		sort(stacks, *nr, sizeof(*stacks), compare_stacks, NULL);
	return stacks;
fail:
	kml_free(batch);
	kml_free(stacks);
	return NULL;
}

static const struct stack *find_stack(const struct stack *stacks, size_t nr, unsigned long start)
{
	size_t low = 0, high = nr;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (stacks[mid].start < start)
			low = mid + 1;
		else
			high = mid;
	}
	return low < nr && stacks[low].start == start ? &stacks[low] : NULL;
}

/* Leave out what is below the stack pointers, and stacks that no task has. */
static int trim_stacks(struct kml_heap *heap)
{
	const void *stack_caller = NULL;
	const struct stack *found;
	struct stack *stacks;
	size_t nr, i;

	stacks = load_stacks(&nr);
	if (!stacks)
		return -ENOMEM;
	for (i = 0; i < heap->nr_areas; i++) {
		struct kml_area *a = &heap->areas[i];

		if (a->kind != KML_AREA_VMALLOC)
			continue;
		found = find_stack(stacks, nr, a->start);
		if (!found)
			continue;
		a->from = min(found->from, a->size);
		stack_caller = kml_area_caller(a);
	}
	for (i = 0; stack_caller && i < heap->nr_areas; i++) {
		struct kml_area *a = &heap->areas[i];

		if (a->kind == KML_AREA_VMALLOC && a->size == THREAD_SIZE &&
		    !find_stack(stacks, nr, a->start) && kml_area_caller(a) == stack_caller)
			a->from = a->size;
	}
	kml_free(stacks);
	return 0;
}

/* === All ================================================================ */

/**
 * kml_areas_load() - find the objects that are not in slabs
 * @heap: the heap, whose slabs are known
 *
 * Return: 0, -EINTR or -ENOMEM.
 */
int kml_areas_load(struct kml_heap *heap)
{
	nr_vms = 0;
	return load_vmalloc(heap) ?: trim_stacks(heap);
}

static bool add_always(struct kml_heap *heap, unsigned long id)
{
	u32 *always = kml_grow(heap->always, heap->nr_always, &heap->room_always,
			       sizeof(*always));

	if (!always)
		return false;
	heap->always = always;
	always[heap->nr_always++] = id;
	return true;
}

static bool no_reference(struct kml_heap *heap, const struct vm *p)
{
	unsigned long id, unit;

	if (!kml_heap_no_read(heap, p->va, offsetof(struct vmap_area, va_start),
			      2 * sizeof(long)))
		return false;
	if (p->object)
		return kml_heap_no_read(heap, p->va, offsetof(struct vmap_area, vm),
					sizeof(void *));
	/* a mapping: it needs no reference */
	id = kml_heap_find(heap, p->vm, &unit);
	return id == KML_NONE || add_always(heap, id);
}

/**
 * kml_areas_special() - leave out the kernel's own notes of where blocks are
 * @heap: the heap, whose objects are known
 *
 * Return: 0, or -ENOMEM.
 */
int kml_areas_special(struct kml_heap *heap)
{
	int err = 0;
	size_t i;

	for (i = 0; i < nr_vms && !err; i++)
		if (!no_reference(heap, &vms[i]))
			err = -ENOMEM;
	kml_areas_free();
	return err;
}

/* Also after an error of kml_areas_load(). */
void kml_areas_free(void)
{
	kml_free(vms);
	vms = NULL;
	nr_vms = 0;
	room_vms = 0;
}
