// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects that are not in slabs: vmalloc() and alloc_percpu() blocks. What the kernel
 * itself keeps of a block's address is no reference: in struct vmap_area; a reference
 * to a struct vm_struct is one to its block, and the other way round.
 *
 * The stack of a task is read from its stack pointer on. A stack that no task has is
 * kept for the next one, and not read.
 */

#include "kmemleak.h"

#define VM_ALLOC	0x2
#define LIST_MAX	(1UL << 26)	/* longer lists are damaged */

/* === vmalloc ============================================================ */

struct vm {
	unsigned long va, addr;		/* struct vmap_area, struct vm_struct */
	bool object;
};

static struct vm *vms;
static unsigned long nr_vms, room_vms;

static bool is_percpu_area(struct image *im, unsigned long caller)
{
	const char *name = symbol_name(im, caller);

	return name && !strncmp(name, "pcpu_", 5);
}

/* The pages of an area are read by its address, if at all. */
static void own_pages(struct heap *heap, unsigned long start, unsigned long size)
{
	unsigned long at, phys;

	for (at = start; at < start + size; at += IMAGE_PAGE(heap->im))
		if (image_to_phys(heap->im, at, &phys) &&
		    heap_page(heap, phys >> heap->im->page_shift) == PAGE_ROOT)
			heap_set_page(heap, phys >> heap->im->page_shift, PAGE_OWNED);
}

static void add_vmap_area(struct heap *heap, unsigned long va)
{
	struct image *im = heap->im;
	u64 vm, addr, size, flags, nr_pages, caller;
	struct area *area;

	if (!layout_get(im, "vmap_area", "vm", va, &vm) || !vm)
		return;
	if (!layout_get(im, "vm_struct", "addr", vm, &addr) ||
	    !layout_get(im, "vm_struct", "size", vm, &size) ||
	    !layout_get(im, "vm_struct", "flags", vm, &flags) ||
	    !layout_get(im, "vm_struct", "nr_pages", vm, &nr_pages) ||
	    !layout_get(im, "vm_struct", "caller", vm, &caller))
		return;
	GROW(vms, nr_vms, room_vms);
	vms[nr_vms++] = (struct vm){ va, vm, false };
	if (!(flags & VM_ALLOC) || !addr || !nr_pages || is_percpu_area(im, caller) ||
	    nr_pages << im->page_shift > size)
		return;
	vms[nr_vms - 1].object = true;
	area = heap_add_area(heap, AREA_VMALLOC, addr, nr_pages << im->page_shift);
	area->owner = vm;
	own_pages(heap, addr, area->size);
}

static void vmap_list(struct heap *heap, unsigned long head)
{
	struct image *im = heap->im;
	unsigned long at, left = LIST_MAX;
	struct kml_field list;

	if (!layout_member(im, "vmap_area", "list", &list) ||
	    !image_read(im, head, &at, sizeof(at)))
		return;
	while (at && at != head && left--) {
		add_vmap_area(heap, at - list.off);
		if (!image_read(im, at, &at, sizeof(at)))
			break;
	}
}

/* One list in 6.1; since 6.9 a list in each of several nodes. */
static void load_vmalloc(struct heap *heap)
{
	struct image *im = heap->im;
	unsigned long list = symbol(im, "vmap_area_list"), nodes = symbol(im, "vmap_nodes");
	unsigned long nr = symbol(im, "nr_vmap_nodes"), size = layout_size(im, "vmap_node"), i;
	struct kml_field busy, head;
	int count;

	nr_vms = 0;
	if (nodes && nr && size && layout_member(im, "vmap_node", "busy", &busy) &&
	    layout_member(im, "rb_list", "head", &head) &&
	    image_read(im, nodes, &nodes, sizeof(nodes)) &&
	    image_read(im, nr, &count, sizeof(count))) {
		for (i = 0; i < (unsigned long)count && i < 65536; i++)
			vmap_list(heap, nodes + i * size + busy.off + head.off);
		return;
	}
	if (list)
		vmap_list(heap, list);
	else
		warn("the list of vmalloc areas was not found: their pages are roots");
}

/* === Per-CPU chunks ===================================================== */

struct chunk {
	unsigned long base, alloc_map, bound_map;
	unsigned long start, end;	/* offsets of what may be allocated */
	unsigned long size;
};

struct percpu {
	unsigned long base_addr;	/* of the first chunk, with its static part */
	unsigned long *unit;		/* offset of a CPU's copy in a chunk */
	unsigned long to_ptr;		/* from an address to a per-CPU pointer */
	unsigned int cpus;
};

#define PERCPU_GRAIN	4UL		/* bytes a bit of the maps */

static bool read_chunk(struct image *im, unsigned long addr, struct chunk *c)
{
	u64 base, alloc, bound, start, end, pages;

	if (!layout_get(im, "pcpu_chunk", "base_addr", addr, &base) ||
	    !layout_get(im, "pcpu_chunk", "alloc_map", addr, &alloc) ||
	    !layout_get(im, "pcpu_chunk", "bound_map", addr, &bound) ||
	    !layout_get(im, "pcpu_chunk", "start_offset", addr, &start) ||
	    !layout_get(im, "pcpu_chunk", "end_offset", addr, &end) ||
	    !layout_get(im, "pcpu_chunk", "nr_pages", addr, &pages))
		return false;
	c->base = base;
	c->alloc_map = alloc;
	c->bound_map = bound;
	c->size = pages << im->page_shift;
	c->start = (u32)start;
	c->end = c->size - (u32)end;
	return c->size && c->size < SZ_64M && c->start <= c->end && c->end <= c->size;
}

/* A block begins where the one map has a bit and ends before the next bit in it. */
static void chunk_objects(struct heap *heap, const struct percpu *p, const struct chunk *c)
{
	unsigned long bits = c->size / PERCPU_GRAIN, i, j;
	unsigned long *alloc = must_alloc(NULL, bits / BITS_PER_LONG + 1, sizeof(long));
	unsigned long *bound = must_alloc(NULL, bits / BITS_PER_LONG + 1, sizeof(long));

	if (!image_read(heap->im, c->alloc_map, alloc, bits / 8) ||
	    !image_read(heap->im, c->bound_map, bound, bits / 8))
		goto out;
	for (i = c->start / PERCPU_GRAIN; i < c->end / PERCPU_GRAIN; i = j) {
		j = i + 1;
		if (!test_bit(i, alloc))
			continue;
		while (j < c->end / PERCPU_GRAIN && test_bit(j, alloc) && !test_bit(j, bound))
			j++;
		heap_add_area(heap, AREA_PERCPU, c->base + i * PERCPU_GRAIN + p->to_ptr,
			      (j - i) * PERCPU_GRAIN);
	}
out:
	free(alloc);
	free(bound);
}

static void add_chunk(struct heap *heap, const struct percpu *p, unsigned long addr, bool first)
{
	struct chunk c;
	unsigned int cpu;

	if (!read_chunk(heap->im, addr, &c)) {
		heap->nr_bad++;
		return;
	}
	for (cpu = 0; cpu < p->cpus; cpu++) {
		own_pages(heap, c.base + p->unit[cpu], c.size);
		/* static variables, and those of modules */
		if (first) {
			own_pages(heap, p->base_addr + p->unit[cpu], c.base - p->base_addr);
			heap_add_root(heap, p->base_addr + p->unit[cpu],
				      c.base + c.start - p->base_addr);
		}
	}
	chunk_objects(heap, p, &c);
}

static bool read_var(struct image *im, const char *name, void *value, size_t size)
{
	unsigned long addr = symbol(im, name);

	return addr && image_read(im, addr, value, size);
}

static bool load_percpu(struct heap *heap)
{
	struct image *im = heap->im;
	unsigned long lists, units, first, i, at, left;
	struct percpu p = { .cpus = heap->cpus };
	struct kml_field list;
	unsigned long off;
	int slots;

	if (!read_var(im, "pcpu_chunk_lists", &lists, sizeof(lists)) ||
	    !read_var(im, "pcpu_nr_slots", &slots, sizeof(slots)) || slots > 1024 ||
	    !read_var(im, "pcpu_unit_offsets", &units, sizeof(units)) ||
	    !read_var(im, "pcpu_base_addr", &p.base_addr, sizeof(p.base_addr)) ||
	    !read_var(im, "pcpu_first_chunk", &first, sizeof(first)) ||
	    !layout_member(im, "pcpu_chunk", "list", &list))
		return false;
	p.unit = must_alloc(NULL, p.cpus, sizeof(long));
	if (!image_read(im, units, p.unit, p.cpus * sizeof(long)) ||
	    !im->mem.percpu(&im->mem, 0, &off)) {
		free(p.unit);
		return false;
	}
	/* __per_cpu_offset[0] is the distance from a pointer to the copy of CPU 0 */
	p.to_ptr = p.unit[0] - off;
	for (i = 0; i < (unsigned long)slots; i++) {
		unsigned long head = lists + i * 2 * sizeof(long);

		if (!image_read(im, head, &at, sizeof(at)))
			continue;
		for (left = LIST_MAX; at && at != head && left; left--) {
			add_chunk(heap, &p, at - list.off, at - list.off == first);
			if (!image_read(im, at, &at, sizeof(at)))
				break;
		}
	}
	free(p.unit);
	return true;
}

/* === Stacks ============================================================= */

static struct range *stacks;	/* start, and bytes that are not read */
static unsigned long nr_stacks, room_stacks;

static bool stack_pointer(struct image *im, unsigned long task, u64 *sp)
{
	struct kml_field thread, context;

	if (!layout_member(im, "task_struct", "thread", &thread))
		return false;
	if (layout_get(im, "thread_struct", "sp", task + thread.off, sp))
		return true;
	return layout_member(im, "thread_struct", "cpu_context", &context) &&
	       layout_get(im, "cpu_context", "sp", task + thread.off + context.off, sp);
}

static void add_stack(struct image *im, unsigned long task)
{
	u64 stack, sp, on_cpu = 0;

	if (!layout_get(im, "task_struct", "stack", task, &stack) || !stack)
		return;
	GROW(stacks, nr_stacks, room_stacks);
	stacks[nr_stacks] = (struct range){ stack, 0 };
	layout_get(im, "task_struct", "on_cpu", task, &on_cpu);
	if (!(u32)on_cpu && stack_pointer(im, task, &sp) && sp > stack && sp - stack < SZ_64M)
		stacks[nr_stacks].len = sp - stack;
	nr_stacks++;
}

static void load_threads(struct image *im, unsigned long task)
{
	struct kml_field head, node;
	unsigned long at, left = LIST_MAX;
	u64 signal;

	if (!layout_get(im, "task_struct", "signal", task, &signal) ||
	    !layout_member(im, "signal_struct", "thread_head", &head) ||
	    !layout_member(im, "task_struct", "thread_node", &node) ||
	    !image_read(im, signal + head.off, &at, sizeof(at))) {
		add_stack(im, task);
		return;
	}
	while (at && at != signal + head.off && left--) {
		add_stack(im, at - node.off);
		if (!image_read(im, at, &at, sizeof(at)))
			break;
	}
}

static int compare_ranges(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static void load_stacks(struct image *im)
{
	unsigned long init = symbol(im, "init_task"), at, left = LIST_MAX;
	struct kml_field tasks;

	nr_stacks = 0;
	if (!init || !layout_member(im, "task_struct", "tasks", &tasks) ||
	    !image_read(im, init + tasks.off, &at, sizeof(at)))
		return;
	add_stack(im, init);
	while (at && at != init + tasks.off && left--) {
		load_threads(im, at - tasks.off);
		if (!image_read(im, at, &at, sizeof(at)))
			break;
	}
	sort_array(stacks, nr_stacks, sizeof(*stacks), compare_ranges);
}

/* Leave out what is below the stack pointers, and stacks that no task has. */
static void trim_stacks(struct heap *heap)
{
	struct image *im = heap->im;
	u64 stack_caller = 0, caller;
	unsigned long i;

	for (i = 0; i < heap->nr_areas; i++) {
		struct area *a = &heap->areas[i];
		struct range key = { a->start }, *found;

		if (a->kind != AREA_VMALLOC)
			continue;
		found = find_array(&key, stacks, nr_stacks, sizeof(*stacks), compare_ranges);
		if (!found)
			continue;
		if (found->len < a->size)
			a->from = found->len;
		layout_get(im, "vm_struct", "caller", a->owner, &stack_caller);
	}
	for (i = 0; stack_caller && i < heap->nr_areas; i++) {
		struct area *a = &heap->areas[i];
		struct range key = { a->start };

		if (a->kind == AREA_VMALLOC &&
		    !find_array(&key, stacks, nr_stacks, sizeof(*stacks), compare_ranges) &&
		    layout_get(im, "vm_struct", "caller", a->owner, &caller) &&
		    caller == stack_caller)
			a->from = a->size;
	}
}

/* === All ================================================================ */

/**
 * areas_load() - find the objects that are not in slabs
 * @heap: the heap, whose pages are known
 */
void areas_load(struct heap *heap)
{
	load_vmalloc(heap);
	if (!load_percpu(heap))
		warn("the per-CPU allocator's chunks were not found: per-CPU memory is a root");
	load_stacks(heap->im);
	trim_stacks(heap);
}

static void no_read_member(struct heap *heap, const char *type, const char *member,
			   unsigned long addr)
{
	struct kml_field f;

	if (layout_member(heap->im, type, member, &f))
		heap_no_read(heap, addr, f.off, f.bytes);
}

/**
 * areas_special() - leave out the kernel's own notes of where blocks are
 * @heap: the heap, whose objects are known
 */
void areas_special(struct heap *heap)
{
	unsigned long i, id;

	for (i = 0; i < nr_vms; i++) {
		no_read_member(heap, "vmap_area", "va_start", vms[i].va);
		no_read_member(heap, "vmap_area", "va_end", vms[i].va);
		if (vms[i].object) {
			no_read_member(heap, "vmap_area", "vm", vms[i].va);
			continue;
		}
		id = heap_find(heap, vms[i].addr);
		if (id == NO_OBJECT)
			continue;
		GROW(heap->always, heap->nr_always, heap->room_always);
		heap->always[heap->nr_always++] = id;
	}
	free(vms);
	vms = NULL;
	room_vms = 0;
}
