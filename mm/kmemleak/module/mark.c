// SPDX-License-Identifier: GPL-2.0-only
/*
 * Marking: words of roots, then of objects that were found, pass the range filter of
 * the core, and those that point to objects turn these grey. A slab is queued once for
 * all of its objects that are grey, and objects that lie beside each other are read
 * together.
 */

#include "oneshot.h"

/* The mark that runs. */
static struct {
	struct kmemleak_windows direct, percpu;
	bool has_percpu;
	atomic_long_t next;	/* table of pages, or word of bits */
	atomic_t busy;
	spinlock_t lock;	/* of @head, @tail and heap->queue */
	unsigned long head, tail, room;
} mark;

/* === Turning grey ======================================================= */

static void push(struct kml_heap *heap, unsigned long unit)
{
	/* pairs with the barrier in pop(): either it sees the grey bit, or we push */
	if (test_and_set_bit(unit, heap->queued))
		return;
	spin_lock(&mark.lock);
	heap->queue[mark.tail++ % mark.room] = unit;
	spin_unlock(&mark.lock);
}

/* The next unit with grey objects, or KML_NONE. */
static unsigned long pop(struct kml_heap *heap)
{
	unsigned long unit = KML_NONE;

	if (READ_ONCE(mark.head) == READ_ONCE(mark.tail))
		return KML_NONE;
	spin_lock(&mark.lock);
	if (mark.head != mark.tail)
		unit = heap->queue[mark.head++ % mark.room];
	spin_unlock(&mark.lock);
	if (unit != KML_NONE) {
		clear_bit(unit, heap->queued);
		/* pairs with the atomic in push() */
		smp_mb__after_atomic();
	}
	return unit;
}

static void mark_one(struct kml_heap *heap, unsigned long id, unsigned long unit)
{
	const struct kml_area *area;
	unsigned long vm_unit, vm;

	if (test_bit(id, heap->marked) || test_and_set_bit(id, heap->marked))
		return;
	set_bit(id, heap->grey);
	push(heap, unit);
	if (id < heap->nr_slots)
		return;
	/* a reference to a block is one to its struct vm_struct */
	area = kml_heap_area(heap, id);
	if (!area->vm)
		return;
	vm = kml_heap_find(heap, area->vm, &vm_unit);
	if (vm != KML_NONE && vm < heap->nr_slots)
		mark_one(heap, vm, vm_unit);
}

/* === Reading ============================================================ */

static void hit(struct kml_worker *w, unsigned long id, unsigned long unit, unsigned long from)
{
	if (!w->hit)
		mark_one(w->heap, id, unit);
	else if (id != from)
		w->hit(w, id, unit, from);
}

/* Words of the module's own copy. */
static void sieve(struct kml_worker *w, const void *p, size_t len, unsigned long from)
{
	struct kml_heap *heap = w->heap;
	unsigned long id, unit;
	unsigned int n, i;

	w->words += len / sizeof(long);
	n = kml_filter_run_at(p, len, &mark.direct, w->out);
	for (i = 0; i < n; i++) {
		id = kml_heap_find(heap, w->out[i], &unit);
		if (id != KML_NONE)
			hit(w, id, unit, from);
	}
	if (!mark.has_percpu)
		return;
	n = kml_filter_run_at(p, len, &mark.percpu, w->out);
	for (i = 0; i < n; i++) {
		id = kml_heap_find_percpu(heap, w->out[i]);
		if (id != KML_NONE)
			hit(w, id, heap->nr_slabs + id - heap->nr_slots, from);
	}
}

/* Memory in the direct map; pages that are not there are left out. */
static void read_range(struct kml_worker *w, unsigned long start, unsigned long len,
		       unsigned long from)
{
	unsigned long end = start + len, n;

	for (start = ALIGN(start, sizeof(long)); start + sizeof(long) <= end; start += n) {
		n = min(end - start, KML_CHUNK - start % KML_CHUNK);
		if (kml_read(start, w->copy, n))
			sieve(w, w->copy, n, from);
	}
}

/* A page of memory that is no object. */
static void read_root(struct kml_worker *w, unsigned long pfn)
{
	unsigned long addr = w->heap->direct_map + (pfn << PAGE_SHIFT), off;

	for (off = 0; off < PAGE_SIZE; off += KML_CHUNK) {
		if (!kml_read(addr + off, w->copy, KML_CHUNK) &&
		    !kml_read_image(pfn, off, w->copy, KML_CHUNK))
			continue;
		sieve(w, w->copy, KML_CHUNK, KML_NONE);
	}
}

static void read_vmalloc(struct kml_worker *w, const struct kml_area *a, unsigned long from)
{
	unsigned long at, pfn;

	for (at = a->from; at < a->size; at = PAGE_ALIGN(at + 1)) {
		pfn = kml_area_page(w->heap, a, at >> PAGE_SHIFT);
		if (pfn != KML_NONE)
			read_range(w, w->heap->direct_map + (pfn << PAGE_SHIFT) +
				   offset_in_page(at), PAGE_SIZE - offset_in_page(at), from);
		if (!(at % SZ_1M) && kml_pause())
			return;
	}
}

static void read_area(struct kml_worker *w, unsigned long id)
{
	const struct kml_area *a = kml_heap_area(w->heap, id);
	unsigned long at;

	switch (a->kind) {
	case KML_AREA_LARGE:
		for (at = 0; at < a->size && !kml_pause(); at += SZ_1M)
			read_range(w, a->start + at, min(a->size - at, (unsigned long)SZ_1M), id);
		break;
	case KML_AREA_VMALLOC:
		read_vmalloc(w, a, id);
		break;
	case KML_AREA_PERCPU:
		/* its pages are roots */
		break;
	}
}

/* An object of which some bytes are left out. */
static void read_special(struct kml_worker *w, unsigned long id, unsigned long addr,
			 unsigned long size)
{
	const struct kml_heap *heap = w->heap;
	size_t low = 0, high = heap->nr_special;
	unsigned long from = 0;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (heap->special[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < heap->nr_special && heap->special[low].id == id; low++) {
		const struct kml_special *sp = &heap->special[low];

		if (sp->from > from && sp->from < size)
			read_range(w, addr + from, sp->from - from, id);
		from = max(from, (unsigned long)sp->from + sp->len);
	}
	if (from < size)
		read_range(w, addr + from, size - from, id);
}

/* Take the grey objects of a slab and read them. */
static void read_slab(struct kml_worker *w, unsigned long unit)
{
	struct kml_heap *heap = w->heap;
	const struct kml_slab_unit *s = &heap->slabs[unit];
	const struct kml_cache *c = &heap->caches[s->cache].c;
	unsigned long start = kml_slab_start(heap, s);
	u32 i, first = 0, run = 0;

	for (i = 0; i <= s->nr; i++) {
		unsigned long id = s->first + i;
		bool grey = i < s->nr && test_bit(id, heap->grey) &&
			    test_and_clear_bit(id, heap->grey);
		bool special = grey && test_bit(id, heap->is_special);

		if (grey && !special) {
			if (!run++)
				first = i;
			continue;
		}
		if (run)
			read_range(w, start + (unsigned long)first * c->size,
				   (unsigned long)(run - 1) * c->size + c->object_size, KML_NONE);
		run = 0;
		if (special)
			read_special(w, id, start + (unsigned long)i * c->size, c->object_size);
	}
}

static void read_unit(struct kml_worker *w, unsigned long unit)
{
	struct kml_heap *heap = w->heap;
	unsigned long id;

	if (unit < heap->nr_slabs) {
		read_slab(w, unit);
		return;
	}
	id = unit - heap->nr_slabs + heap->nr_slots;
	if (test_and_clear_bit(id, heap->grey))
		read_area(w, id);
}

/* === Jobs =============================================================== */

static void drain(struct kml_worker *w)
{
	unsigned long unit, nr = 0;

	for (;;) {
		unit = pop(w->heap);
		if (unit != KML_NONE) {
			read_unit(w, unit);
			if (!(++nr % 64) && kml_pause())
				break;
			continue;
		}
		/* idle, until somebody queues more, or all are */
		atomic_dec(&mark.busy);
		for (;;) {
			if (kml_pause() || !atomic_read(&mark.busy))
				return;
			if (READ_ONCE(mark.head) != READ_ONCE(mark.tail))
				break;
			usleep_range(20, 100);
		}
		atomic_inc(&mark.busy);
	}
	atomic_dec(&mark.busy);
}

static void roots_job(struct kml_worker *w, void *data)
{
	struct kml_heap *heap = w->heap;
	unsigned long i, pfn;
	u32 *table;

	while (!kml_pause()) {
		i = atomic_long_inc_return(&mark.next) - 1;
		if (i >= heap->nr_tables)
			break;
		table = heap->tables[i];
		if (!table)
			continue;
		for (pfn = 0; pfn < KML_TABLE_PAGES; pfn++) {
			if (table[pfn] != KML_PAGE_ROOT)
				continue;
			read_root(w, i * KML_TABLE_PAGES + pfn);
			if (!(pfn % 64))
				cond_resched();
		}
	}
	drain(w);
}

/* Objects that a rule excuses, and all that they lead to. */
static void rules_job(struct kml_worker *w, void *data)
{
	struct kml_heap *heap = w->heap;
	unsigned long nr = heap->nr_slots + heap->nr_areas, i, id;

	while (!kml_pause()) {
		i = atomic_long_inc_return(&mark.next) - 1;
		if (i * BITS_PER_LONG >= nr)
			break;
		if (!(heap->used[i] & ~READ_ONCE(heap->marked[i])))
			continue;
		for (id = i * BITS_PER_LONG; id < min(nr, (i + 1) * BITS_PER_LONG); id++)
			if (test_bit(id, heap->used) && !test_bit(id, heap->marked) &&
			    kml_rules_match(heap, id))
				mark_one(heap, id, kml_heap_unit(heap, id));
	}
	drain(w);
}

static void run(struct kml_heap *heap, kml_job_fn job)
{
	atomic_long_set(&mark.next, 0);
	atomic_set(&mark.busy, kml_crew_size());
	kml_crew_run(heap, job, NULL);
}

/* The kernel's structures for a vmalloc block are no leaks by themselves. */
static void hide_owners(struct kml_heap *heap)
{
	unsigned long id, unit;
	size_t i;

	for (i = 0; i < heap->nr_areas; i++) {
		const struct kml_area *a = &heap->areas[i];

		if (a->kind != KML_AREA_VMALLOC || test_bit(heap->nr_slots + i, heap->marked))
			continue;
		id = kml_heap_find(heap, a->vm, &unit);
		if (id != KML_NONE)
			set_bit(id, heap->marked);
		id = kml_heap_find(heap, a->pages, &unit);
		if (id != KML_NONE)
			set_bit(id, heap->marked);
	}
}

static void mark_init(struct kml_heap *heap)
{
	mark.direct = (struct kmemleak_windows){
		.virt = kml_filter_range(heap->direct_min, heap->direct_max),
		/* another range, for the same price */
		.percpu = kml_filter_range(heap->vmalloc_min, heap->vmalloc_max),
	};
	mark.percpu = (struct kmemleak_windows){
		.virt = kml_filter_range(heap->percpu_min, heap->percpu_max),
	};
	mark.has_percpu = mark.percpu.virt.len;
	spin_lock_init(&mark.lock);
	mark.head = 0;
	mark.tail = 0;
	mark.room = heap->nr_slabs + heap->nr_areas + 1;
}

/**
 * kml_mark() - find all objects that roots lead to
 * @heap: the objects and roots
 *
 * Return: 0, or -EINTR.
 */
int kml_mark(struct kml_heap *heap)
{
	size_t i;

	mark_init(heap);
	for (i = 0; i < heap->nr_always; i++)
		mark_one(heap, heap->always[i], kml_heap_unit(heap, heap->always[i]));
	run(heap, roots_job);
	if (kml_stopped())
		return -EINTR;
	run(heap, rules_job);
	hide_owners(heap);
	return kml_stopped() ? -EINTR : 0;
}

/**
 * kml_refs_of() - call w->hit() for each reference in an object
 * @w: the worker
 * @id: of the object
 */
void kml_refs_of(struct kml_worker *w, unsigned long id)
{
	if (id >= w->heap->nr_slots)
		read_area(w, id);
	else if (!test_bit(id, w->heap->is_special))
		read_range(w, kml_heap_addr(w->heap, id), kml_heap_size(w->heap, id), id);
}

/**
 * kml_object_read() - copy bytes of an object
 * @heap: the heap
 * @id: of the object
 * @off: of the first byte
 * @buf: room for @len bytes
 * @len: in bytes; they are in one page
 *
 * Context: any; workers call it.
 * Return: false if they cannot be read.
 */
bool kml_object_read(const struct kml_heap *heap, unsigned long id, unsigned long off,
		     void *buf, size_t len)
{
	unsigned long addr = kml_heap_addr(heap, id), pfn;
	const struct kml_area *a;

	if (id < heap->nr_slots)
		return kml_read(addr + off, buf, len);
	a = kml_heap_area(heap, id);
	switch (a->kind) {
	case KML_AREA_VMALLOC:
		pfn = kml_area_page(heap, a, off >> PAGE_SHIFT);
		addr = heap->direct_map + (pfn << PAGE_SHIFT) + offset_in_page(off);
		return pfn != KML_NONE && kml_read(addr, buf, len);
	case KML_AREA_PERCPU:
		/* of the first CPU */
		return kml_read(addr + off + per_cpu_offset(cpumask_first(cpu_possible_mask)), buf,
				len);
	default:
		return kml_read(addr + off, buf, len);
	}
}
