// SPDX-License-Identifier: GPL-2.0-only
/*
 * The objects and roots of the running kernel: a walk over struct pages, then the free
 * objects of each slab and cache. A slot of a slab is known by its number, from 0 in
 * the order of addresses, so that the state of a slot takes bits, and the place of
 * a slab 12 bytes.
 */

#include "oneshot.h"

#define STRUCTS		63UL	/* struct pages that are copied at a time */
#define BLOCK		512UL	/* pages that are online or not together */

/* === Pages ============================================================== */

u32 kml_heap_page(const struct kml_heap *heap, unsigned long pfn)
{
	u32 *table;

	if (pfn >= heap->max_pfn)
		return KML_PAGE_SKIP;
	table = heap->tables[pfn / KML_TABLE_PAGES];
	return table ? table[pfn % KML_TABLE_PAGES] : KML_PAGE_SKIP;
}

bool kml_heap_set_page(struct kml_heap *heap, unsigned long pfn, u32 value)
{
	u32 **table;

	if (pfn >= heap->max_pfn)
		return true;
	table = &heap->tables[pfn / KML_TABLE_PAGES];
	if (!*table) {
		*table = kml_alloc_page();
		if (!*table)
			return false;
	}
	(*table)[pfn % KML_TABLE_PAGES] = value;
	return true;
}

static void skip_page(void *data, unsigned long pfn)
{
	struct kml_heap *heap = data;

	if (pfn < heap->max_pfn && heap->tables[pfn / KML_TABLE_PAGES])
		heap->tables[pfn / KML_TABLE_PAGES][pfn % KML_TABLE_PAGES] = KML_PAGE_SKIP;
}

/**
 * kml_heap_skip_own() - take the module's own memory from the roots
 * @heap: the heap; no memory is allocated before the mark ends
 */
void kml_heap_skip_own(struct kml_heap *heap)
{
	unsigned long i;

	kml_each_own_page(skip_page, heap);
	for (i = 0; i < heap->nr_tables; i++)
		if (heap->tables[i])
			skip_page(heap, page_to_pfn(virt_to_page(heap->tables[i])));
}

static bool is_slab(u32 page)
{
	return page >= KML_PAGE_SLAB && page < KML_PAGE_OWNED;
}

/* === Looking up ========================================================= */

unsigned long kml_slab_start(const struct kml_heap *heap, const struct kml_slab_unit *slab)
{
	return heap->direct_map + ((unsigned long)slab->pfn << PAGE_SHIFT) +
	       heap->caches[slab->cache].c.pad;
}

static unsigned long slab_of(const struct kml_heap *heap, unsigned long id)
{
	unsigned long low = 0, high = heap->nr_slabs;

	while (high - low > 1) {
		unsigned long mid = (low + high) / 2;

		if (heap->slabs[mid].first <= id)
			low = mid;
		else
			high = mid;
	}
	return low;
}

static unsigned long area_lookup(const struct kml_heap *heap, unsigned long addr, bool percpu)
{
	unsigned long low = 0, high = heap->nr_areas;
	const struct kml_area *found;
	bool is_percpu;

	/* the last that starts at or before it; per-CPU ones are behind the others */
	while (low < high) {
		unsigned long mid = (low + high) / 2;
		const struct kml_area *a = &heap->areas[mid];

		is_percpu = a->kind == KML_AREA_PERCPU;
		if (is_percpu != percpu ? !is_percpu : a->start <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low)
		return KML_NONE;
	found = &heap->areas[low - 1];
	is_percpu = found->kind == KML_AREA_PERCPU;
	if (is_percpu != percpu || addr - found->start >= found->size)
		return KML_NONE;
	return heap->nr_slots + low - 1;
}

/**
 * kml_heap_slot() - find the slot of a slab, or the area, that an address is in
 * @heap: the heap
 * @addr: virtual address
 *
 * Context: any; workers call it.
 * Return: its number, whether it is allocated or not, and if the address is behind the
 * object in its slot; or KML_NONE.
 */
unsigned long kml_heap_slot(const struct kml_heap *heap, unsigned long addr)
{
	unsigned long pfn = (addr - heap->direct_map) >> PAGE_SHIFT, start;
	const struct kml_slab_unit *slab;
	u32 page, i;

	if (pfn >= heap->max_pfn)
		return addr >= heap->vmalloc_min && addr <= heap->vmalloc_max ?
		       area_lookup(heap, addr, false) : KML_NONE;
	page = kml_heap_page(heap, pfn);
	if (page & KML_PAGE_AREA)
		return heap->nr_slots + (page & ~KML_PAGE_AREA);
	if (!is_slab(page))
		return KML_NONE;
	slab = &heap->slabs[page - KML_PAGE_SLAB];
	start = kml_slab_start(heap, slab);
	if (addr < start)
		return KML_NONE;
	i = (u32)(addr - start) / heap->caches[slab->cache].c.size;
	return i < slab->nr ? slab->first + i : KML_NONE;
}

/**
 * kml_heap_find() - find the allocated object that a word points to
 * @heap: the heap
 * @word: the word
 * @unit: set to its unit
 *
 * Context: any; workers call it.
 * Return: its number, or KML_NONE.
 */
unsigned long kml_heap_find(const struct kml_heap *heap, unsigned long word,
			    unsigned long *unit)
{
	unsigned long pfn = (word - heap->direct_map) >> PAGE_SHIFT, id, start;
	u32 page = kml_heap_page(heap, pfn), i, off;
	const struct kml_slab_unit *slab;
	const struct kml_cache *c;

	if (!is_slab(page)) {
		id = kml_heap_slot(heap, word);
		if (id == KML_NONE)
			return KML_NONE;
		*unit = heap->nr_slabs + id - heap->nr_slots;
		return word - kml_heap_addr(heap, id) < kml_heap_size(heap, id) ? id : KML_NONE;
	}
	slab = &heap->slabs[page - KML_PAGE_SLAB];
	c = &heap->caches[slab->cache].c;
	start = kml_slab_start(heap, slab);
	off = word - start;
	i = off / c->size;
	if (word < start || i >= slab->nr || off - i * c->size >= c->object_size)
		return KML_NONE;
	*unit = page - KML_PAGE_SLAB;
	id = slab->first + i;
	return test_bit(id, heap->used) ? id : KML_NONE;
}

unsigned long kml_heap_find_percpu(const struct kml_heap *heap, unsigned long word)
{
	return area_lookup(heap, word, true);
}

unsigned long kml_heap_unit(const struct kml_heap *heap, unsigned long id)
{
	return id < heap->nr_slots ? slab_of(heap, id) : heap->nr_slabs + id - heap->nr_slots;
}

unsigned long kml_heap_addr(const struct kml_heap *heap, unsigned long id)
{
	const struct kml_slab_unit *slab;

	if (id >= heap->nr_slots)
		return kml_heap_area(heap, id)->start;
	slab = &heap->slabs[slab_of(heap, id)];
	return kml_slab_start(heap, slab) +
	       (id - slab->first) * (unsigned long)heap->caches[slab->cache].c.size;
}

unsigned long kml_heap_size(const struct kml_heap *heap, unsigned long id)
{
	if (id >= heap->nr_slots)
		return kml_heap_area(heap, id)->size;
	return heap->caches[heap->slabs[slab_of(heap, id)].cache].c.object_size;
}

const char *kml_heap_cache_name(const struct kml_heap *heap, unsigned long id)
{
	static const char * const names[] = {
		[KML_AREA_LARGE]	= "kmalloc-large",
		[KML_AREA_VMALLOC]	= "vmalloc",
		[KML_AREA_PERCPU]	= "percpu",
	};

	if (id >= heap->nr_slots)
		return names[kml_heap_area(heap, id)->kind];
	return heap->caches[heap->slabs[slab_of(heap, id)].cache].c.name;
}

/* === Adding ============================================================= */

/* The index of a cache, or -1 if there is none. */
static int cache_of(struct kml_heap *heap, struct kml_reader *reader, unsigned long addr)
{
	struct kml_cache_unit *caches;
	struct kml_cache cache;
	size_t i;

	/* mostly that of the slab before */
	if (heap->last_cache < heap->nr_caches &&
	    heap->caches[heap->last_cache].c.addr == addr)
		return heap->last_cache;
	for (i = heap->nr_caches; i-- > 0;)
		if (heap->caches[i].c.addr == addr) {
			heap->last_cache = i;
			return i;
		}
	if (heap->nr_caches > U16_MAX || !kml_cache_read(&reader->mem, addr, &cache))
		return -1;
	caches = kml_grow(heap->caches, heap->nr_caches, &heap->room_caches, sizeof(*caches));
	if (!caches)
		return -1;
	heap->caches = caches;
	caches[heap->nr_caches] = (struct kml_cache_unit){ .c = cache };
	return heap->nr_caches++;
}

struct kml_area *kml_heap_add_area(struct kml_heap *heap, enum kml_area_kind kind,
				   unsigned long start, unsigned long size)
{
	struct kml_area *areas = kml_grow(heap->areas, heap->nr_areas, &heap->room_areas,
					  sizeof(*areas));

	if (!areas)
		return NULL;
	heap->areas = areas;
	areas += heap->nr_areas++;
	*areas = (struct kml_area){ .start = start, .size = size, .kind = kind };
	return areas;
}

/**
 * kml_heap_no_read() - leave bytes of an object out
 * @heap: the heap, whose objects are known
 * @addr: address of the object
 * @from: first byte
 * @len: number of bytes; they may reach behind the object
 *
 * Context: not in a job.
 * Return: false if there is no memory for it.
 */
bool kml_heap_no_read(struct kml_heap *heap, unsigned long addr, u32 from, u32 len)
{
	unsigned long id = kml_heap_slot(heap, addr);
	struct kml_special *special;

	if (id == KML_NONE)
		return true;
	special = kml_grow(heap->special, heap->nr_special, &heap->room_special,
			   sizeof(*special));
	if (!special)
		return false;
	heap->special = special;
	special[heap->nr_special++] = (struct kml_special){ id, from, len };
	set_bit(id, heap->is_special);
	return true;
}

/* === The walk over struct pages ========================================= */

struct walk {
	struct kml_heap *heap;
	struct kml_reader *reader;
	u8 *copy;			/* of struct pages */
	unsigned long free_end;		/* pages below are in a free block */
	unsigned long head_end;		/* pages below are in a compound page */
	enum kml_frame_class head_class;
};

/* Besides objects: areas, stacks, suspects. */
#define RESERVE		SZ_64K

/*
 * Objects take some bits each, and units some bytes: is there memory for one more slab,
 * and for the map of the pages that follow?
 */
static struct kml_slab_unit *room_for(struct kml_heap *heap, unsigned long pfn,
				      unsigned int slots)
{
	unsigned long map = (heap->nr_tables - pfn / KML_TABLE_PAGES) * PAGE_SIZE;
	struct kml_slab_unit *slabs;

	if (heap->nr_slots + slots > U32_MAX ||
	    heap->nr_slabs >= KML_PAGE_OWNED - KML_PAGE_SLAB ||
	    heap->nr_slots + slots + heap->nr_slabs * 16 + map + RESERVE > kml_memory_left())
		return NULL;
	slabs = kml_grow(heap->slabs, heap->nr_slabs, &heap->room_slabs, sizeof(*slabs));
	if (slabs)
		heap->slabs = slabs;
	return slabs;
}

/* Objects that are no candidates are roots. */
static bool set_roots(struct kml_heap *heap, unsigned long pfn, unsigned int order)
{
	unsigned long i;

	for (i = 0; i < 1UL << order; i++)
		if (!kml_heap_set_page(heap, pfn + i, KML_PAGE_ROOT))
			return false;
	return true;
}

static bool add_slab(struct walk *w, unsigned long pfn, unsigned int order, const void *copy)
{
	struct kml_heap *heap = w->heap;
	struct kml_slab_unit *slabs;
	struct kml_slab slab;
	unsigned long i;
	int cache;

	if (!kml_slab_read(heap->layout, copy, &slab))
		return true;
	cache = cache_of(heap, w->reader, slab.cache);
	if (cache < 0 ||
	    (u64)slab.nr * heap->caches[cache].c.size > PAGE_SIZE << order) {
		atomic_long_inc(&heap->bad);
		return true;
	}
	slabs = room_for(heap, pfn, slab.nr);
	if (!slabs) {
		heap->left_out += slab.nr;
		return set_roots(heap, pfn, order);
	}
	for (i = 0; i < 1UL << order; i++)
		if (!kml_heap_set_page(heap, pfn + i, KML_PAGE_SLAB + heap->nr_slabs))
			return false;
	slabs[heap->nr_slabs++] = (struct kml_slab_unit){ pfn, heap->nr_slots, cache, slab.nr };
	heap->caches[cache].slots += slab.nr;
	heap->nr_slots += slab.nr;
	return true;
}

/* Its objects are in guarded pages of their own, and are roots. */
static bool in_kfence(unsigned long pfn)
{
#ifdef CONFIG_KFENCE
	return is_kfence_address(pfn_to_kaddr(pfn));
#else
	return false;
#endif
}

/* Legacy devices have registers in the first MiB of the direct map. */
static bool is_legacy_device(unsigned long pfn)
{
	return pfn < SZ_1M >> PAGE_SHIFT && !page_is_ram(pfn);
}

static bool walk_page(struct walk *w, unsigned long pfn, unsigned long addr, const void *copy,
		      const void *next)
{
	struct kml_heap *heap = w->heap;
	struct kml_frame page;

	if (pfn < w->free_end) {
		heap->classes[KML_FRAME_FREE]++;
		return true;
	}
	kml_frame_read(heap->layout, addr, copy, next, &page);
	if (in_kfence(pfn))
		page = (struct kml_frame){ .class = KML_FRAME_IN_USE };
	else if (is_legacy_device(pfn))
		page = (struct kml_frame){ .class = KML_FRAME_ABSENT };
	/* a page of a compound page has the use of the first one */
	if (page.head && pfn < w->head_end && page.class != KML_FRAME_ABSENT)
		page.class = w->head_class;
	heap->classes[page.class]++;
	if (page.head && pfn < w->head_end)
		goto root;
	if (page.order) {
		w->head_end = pfn + (1UL << page.order);
		w->head_class = page.class;
	}
	switch (page.class) {
	case KML_FRAME_FREE:
		w->free_end = pfn + (1UL << page.order);
		w->head_end = 0;
		return true;
	case KML_FRAME_SLAB:
		return add_slab(w, pfn, page.order, copy);
	case KML_FRAME_LARGE:
		return kml_heap_add_area(heap, KML_AREA_LARGE,
					 heap->direct_map + (pfn << PAGE_SHIFT),
					 PAGE_SIZE << page.order);
	default:
		break;
	}
root:
	if (page.class == KML_FRAME_RESERVED || page.class == KML_FRAME_IN_USE)
		return kml_heap_set_page(heap, pfn, KML_PAGE_ROOT);
	return true;
}

/* Struct pages that cannot be read are gone. */
static bool walk_structs(struct walk *w, unsigned long pfn, unsigned long nr)
{
	unsigned long size = sizeof(struct page), i, got = nr + 1;
	unsigned long addr = (unsigned long)pfn_to_page(pfn);

	if (!kml_read(addr, w->copy, (nr + 1) * size)) {
		got = nr;
		if (!kml_read(addr, w->copy, nr * size))
			return true;
	}
	for (i = 0; i < nr; i++)
		if (!walk_page(w, pfn + i, addr + i * size, w->copy + i * size,
			       i + 1 < got ? w->copy + (i + 1) * size : NULL))
			return false;
	return true;
}

/* Return: 0, also if memory does not suffice; or -EINTR. */
static int walk_all(struct walk *w)
{
	struct kml_heap *heap = w->heap;
	unsigned long pfn, n, nr;

	for (pfn = 0; pfn < heap->max_pfn; pfn += BLOCK) {
		if (kml_pause())
			return -EINTR;
		if (!pfn_to_online_page(pfn)) {
			w->free_end = 0;
			w->head_end = 0;
			continue;
		}
		/* a large free block */
		if (w->free_end >= pfn + BLOCK) {
			heap->classes[KML_FRAME_FREE] += BLOCK;
			continue;
		}
		for (n = 0; n < BLOCK && pfn + n < heap->max_pfn; n += nr) {
			nr = min3(STRUCTS, BLOCK - n, heap->max_pfn - pfn - n);
			if (!walk_structs(w, pfn + n, nr)) {
				heap->complete = false;
				return 0;
			}
		}
	}
	return 0;
}

/* === Pages that CPUs hold free ========================================== */

#define LIST_MAX	65536	/* longer lists have changed while they were read */

/* Their struct pages do not say that they are free, and their content is stale. */
static void skip_list(struct kml_heap *heap, struct list_head *head, unsigned int order)
{
	struct list_head *at;
	unsigned int left = LIST_MAX;
	unsigned long pfn, i;

	if (!kml_read((unsigned long)&head->next, &at, sizeof(at)))
		return;
	while (at != head && left--) {
		struct page *page = container_of(at, struct page, pcp_list);

		pfn = page_to_pfn(page);
		if (pfn >= heap->max_pfn || pfn_to_page(pfn) != page)
			return;
		for (i = 0; i < 1UL << order; i++)
			if (kml_heap_page(heap, pfn + i) == KML_PAGE_ROOT)
				skip_page(heap, pfn + i);
		if (!kml_read((unsigned long)&at->next, &at, sizeof(at)))
			return;
	}
}

/* Lists are for orders one by one, and the last ones for huge pages. */
static unsigned int order_of_list(unsigned int i)
{
	i /= MIGRATE_PCPTYPES;
	return i <= PAGE_ALLOC_COSTLY_ORDER ? i : pageblock_order;
}

static void skip_zone(struct kml_heap *heap, struct zone *zone)
{
	unsigned int cpu, i;

	for_each_possible_cpu(cpu) {
		struct per_cpu_pages *pcp = per_cpu_ptr(zone->per_cpu_pageset, cpu);

		for (i = 0; i < NR_PCP_LISTS; i++)
			skip_list(heap, &pcp->lists[i], order_of_list(i));
		cond_resched();
	}
}

static void skip_free_of_cpus(struct kml_heap *heap)
{
	unsigned int i;
	int nid;

	for_each_online_node(nid)
		for (i = 0; i < MAX_NR_ZONES; i++)
			if (populated_zone(&NODE_DATA(nid)->node_zones[i]))
				skip_zone(heap, &NODE_DATA(nid)->node_zones[i]);
}

/* === Free objects ======================================================= */

struct free_sink {
	struct kml_slab_sink sink;
	struct kml_heap *heap;
	bool sheaves;
};

static bool free_object(struct kml_slab_sink *sink, const struct kml_cache *cache,
			unsigned long addr)
{
	struct free_sink *f = container_of(sink, struct free_sink, sink);
	struct kml_heap *heap = f->heap;
	unsigned long pfn = (addr - heap->direct_map) >> PAGE_SHIFT, start;
	u32 page = kml_heap_page(heap, pfn), i;
	const struct kml_slab_unit *slab;

	if (pfn < heap->max_pfn && in_kfence(pfn))
		return true;
	if (!is_slab(page))
		return false;
	slab = &heap->slabs[page - KML_PAGE_SLAB];
	start = kml_slab_start(heap, slab);
	i = (u32)(addr - start) / cache->size;
	if (heap->caches[slab->cache].c.addr != cache->addr || addr < start || i >= slab->nr ||
	    (addr - start) % cache->size)
		return false;
	/* again: freed meanwhile, or the list leads back */
	if (test_and_clear_bit(slab->first + i, heap->used) && f->sheaves)
		atomic_long_inc(&heap->in_sheaves);
	return true;
}

static void free_sheaf(struct kml_slab_sink *sink, unsigned long addr, size_t head)
{
	struct free_sink *f = container_of(sink, struct free_sink, sink);

	if (!kml_heap_no_read(f->heap, addr, head, U32_MAX))
		f->heap->complete = false;
}

/* A list that changes while it is read is read again, some times. */
#define TRIES	4

static void find_free_of(struct kml_worker *w, struct free_sink *f, const struct kml_slab_unit *s)
{
	const struct kml_cache *cache = &w->heap->caches[s->cache].c;
	struct kml_slab slab;
	unsigned int i;

	for (i = 0; i < TRIES; i++) {
		/* what was free at one time is no candidate, so nothing is taken back */
		f->sink.bad = 0;
		if (!kml_read((unsigned long)pfn_to_page(s->pfn), w->copy, sizeof(struct page)) ||
		    !kml_slab_read(w->heap->layout, w->copy, &slab) ||
		    slab.cache != cache->addr || slab.nr != s->nr) {
			/* given back to the page allocator */
			for (i = 0; i < s->nr; i++)
				clear_bit(s->first + i, w->heap->used);
			return;
		}
		kml_slab_free_objects(&w->reader.mem, cache, &slab, &f->sink);
		if (!f->sink.bad)
			return;
	}
	atomic_long_inc(&w->heap->bad);
}

#define SLABS_AT_ONCE	256UL

static void find_free_job(struct kml_worker *w, void *data)
{
	struct free_sink f = { .sink = { .free = free_object, .sheaf = free_sheaf },
			       .heap = w->heap };
	atomic_long_t *next = data;
	size_t i, end;

	for (;;) {
		end = atomic_long_add_return(SLABS_AT_ONCE, next);
		i = end - SLABS_AT_ONCE;
		if (i >= w->heap->nr_slabs || kml_pause())
			return;
		for (; i < min(end, w->heap->nr_slabs); i++)
			find_free_of(w, &f, &w->heap->slabs[i]);
	}
}

/* Free lists of slabs by all workers; what CPUs and nodes hold by one. */
static int find_free(struct kml_heap *heap)
{
	struct free_sink f = { .sink = { .free = free_object, .sheaf = free_sheaf },
			       .heap = heap, .sheaves = true };
	struct kml_reader *reader = &kml_crew_first()->reader;
	atomic_long_t next = ATOMIC_LONG_INIT(0);
	size_t i;

	kml_crew_run(heap, find_free_job, &next);
	for (i = 0; i < heap->nr_caches; i++) {
		if (kml_pause())
			return -EINTR;
		reader->percpu = heap->caches[i].c.percpu;
		kml_cache_free_objects(&reader->mem, &heap->caches[i].c, nr_cpu_ids,
				       nr_node_ids, &f.sink);
	}
	reader->percpu = 0;
	atomic_long_add(f.sink.bad, &heap->bad);
	return kml_stopped() ? -EINTR : 0;
}

/* === All ================================================================ */

static int compare_areas(const void *a, const void *b)
{
	const struct kml_area *x = a, *y = b;
	int px = x->kind == KML_AREA_PERCPU, py = y->kind == KML_AREA_PERCPU;

	return px != py ? px - py : x->start < y->start ? -1 : x->start > y->start;
}

static int compare_special(const void *a, const void *b)
{
	const struct kml_special *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->from < y->from ? -1 : x->from > y->from;
}

static void limits(struct kml_heap *heap)
{
	size_t i;

	heap->direct_min = ULONG_MAX;
	heap->vmalloc_min = ULONG_MAX;
	heap->percpu_min = ULONG_MAX;
	for (i = 0; i < heap->nr_slabs; i++) {
		const struct kml_slab_unit *s = &heap->slabs[i];
		unsigned long start = kml_slab_start(heap, s);

		heap->direct_min = min(heap->direct_min, start);
		heap->direct_max = max(heap->direct_max, start - 1 +
				       (unsigned long)s->nr * heap->caches[s->cache].c.size);
	}
	for (i = 0; i < heap->nr_areas; i++) {
		const struct kml_area *a = &heap->areas[i];
		unsigned long *min, *max;

		min = a->kind == KML_AREA_PERCPU ? &heap->percpu_min :
		      a->kind == KML_AREA_VMALLOC ? &heap->vmalloc_min : &heap->direct_min;
		max = a->kind == KML_AREA_PERCPU ? &heap->percpu_max :
		      a->kind == KML_AREA_VMALLOC ? &heap->vmalloc_max : &heap->direct_max;
		*min = min(*min, a->start);
		*max = max(*max, a->start + a->size - 1);
	}
}

/* Areas in the direct map are found by their pages. */
static bool area_pages(struct kml_heap *heap)
{
	unsigned long at, first;
	size_t i;

	for (i = 0; i < heap->nr_areas; i++) {
		const struct kml_area *a = &heap->areas[i];

		first = (a->start - heap->direct_map) >> PAGE_SHIFT;
		if (a->kind != KML_AREA_LARGE)
			continue;
		for (at = 0; at < a->size; at += PAGE_SIZE)
			if (!kml_heap_set_page(heap, first + (at >> PAGE_SHIFT),
					       KML_PAGE_AREA | i))
				return false;
	}
	return true;
}

static unsigned long *alloc_bits(unsigned long nr)
{
	return kml_alloc(BITS_TO_LONGS(nr + 1) * sizeof(long));
}

static bool alloc_marks(struct kml_heap *heap)
{
	unsigned long nr = heap->nr_slots + heap->nr_areas;
	unsigned long units = heap->nr_slabs + heap->nr_areas;

	if (!heap->used)
		heap->used = alloc_bits(nr);
	heap->marked = alloc_bits(nr);
	heap->grey = alloc_bits(nr);
	heap->queued = alloc_bits(units);
	heap->queue = kml_alloc((units + 1) * sizeof(*heap->queue));
	return heap->used && heap->marked && heap->grey && heap->queued && heap->queue;
}

static void count_used(struct kml_heap *heap)
{
	size_t i;
	u32 j;

	for (i = 0; i < heap->nr_slabs; i++) {
		const struct kml_slab_unit *s = &heap->slabs[i];

		for (j = 0; j < s->nr; j++)
			heap->caches[s->cache].used += test_bit(s->first + j, heap->used);
		if (!(i % SLABS_AT_ONCE))
			cond_resched();
	}
	for (i = 0; i < heap->nr_caches; i++)
		heap->nr_used += heap->caches[i].used;
	heap->nr_used += heap->nr_areas;
}

/* Slabs are known: find the objects in use, which areas.c looks at, then areas. */
static int load_objects(struct kml_heap *heap)
{
	unsigned long bits, i;
	int err;

	/* areas come later, and cannot be more than their struct vm_structs */
	bits = heap->nr_slots + heap->nr_areas;
	heap->used = alloc_bits(bits);
	if (!heap->used)
		return -ENOMEM;
	for (i = 0; i < heap->nr_slots; i++)
		set_bit(i, heap->used);
	heap->is_special = alloc_bits(bits);
	if (!heap->is_special)
		return -ENOMEM;
	limits(heap);
	err = find_free(heap);
	if (err)
		return err;
	return kml_areas_load(heap);
}

/* Areas are known now, too: make room for their bits. */
static int load_areas(struct kml_heap *heap)
{
	unsigned long *used = heap->used, *special = heap->is_special;
	unsigned long nr = heap->nr_slots + heap->nr_areas, i;
	size_t old = BITS_TO_LONGS(heap->nr_slots + 1) * sizeof(long);

	sort(heap->areas, heap->nr_areas, sizeof(*heap->areas), compare_areas, NULL);
	limits(heap);
	if (!area_pages(heap))
		return -ENOMEM;
	heap->used = alloc_bits(nr);
	heap->is_special = alloc_bits(nr);
	if (heap->used && heap->is_special) {
		memcpy(heap->used, used, old);
		memcpy(heap->is_special, special, old);
		for (i = heap->nr_slots; i < nr; i++)
			set_bit(i, heap->used);
	}
	kml_free(used);
	kml_free(special);
	return heap->used && heap->is_special ? 0 : -ENOMEM;
}

/**
 * kml_heap_load() - find the objects and roots
 * @heap: filled; to be freed in any case
 * @layout: of the kernel
 * @chunk: of struct pcpu_chunk
 *
 * Return: 0, -EINTR or -ENOMEM. With 0, heap->complete may be false.
 */
int kml_heap_load(struct kml_heap *heap, const struct kml_layout *layout,
		  const struct kml_chunk_layout *chunk)
{
	struct walk w = { .heap = heap, .reader = &kml_crew_first()->reader };
	int err;

	memset(heap, 0, sizeof(*heap));
	heap->layout = layout;
	heap->chunk = chunk;
	heap->complete = true;
	heap->direct_map = kml_direct_map();
	heap->max_pfn = min_t(unsigned long, kml_max_pfn(), U32_MAX);
	heap->nr_tables = heap->max_pfn / KML_TABLE_PAGES + 1;
	heap->tables = kml_alloc(heap->nr_tables * sizeof(*heap->tables));
	w.copy = kml_alloc((STRUCTS + 1) * sizeof(struct page));
	err = heap->tables && w.copy ? walk_all(&w) : -ENOMEM;
	kml_free(w.copy);
	/* with half of the pages, all that the other half refers to would be a leak */
	if (!err && !heap->complete)
		err = -ENOMEM;
	if (!err)
		skip_free_of_cpus(heap);
	err = err ?: load_objects(heap) ?: load_areas(heap);
	if (!err && !alloc_marks(heap))
		err = -ENOMEM;
	err = err ?: kml_areas_special(heap);
	if (!err && !heap->complete)
		err = -ENOMEM;
	if (err)
		return err;
	sort(heap->special, heap->nr_special, sizeof(*heap->special), compare_special, NULL);
	count_used(heap);
	kml_heap_skip_own(heap);
	return 0;
}

void kml_heap_free(struct kml_heap *heap)
{
	unsigned long i;

	for (i = 0; heap->tables && i < heap->nr_tables; i++)
		kml_free_page(heap->tables[i]);
	kml_free(heap->tables);
	kml_free(heap->slabs);
	kml_free(heap->caches);
	kml_free(heap->areas);
	kml_free(heap->used);
	kml_free(heap->marked);
	kml_free(heap->grey);
	kml_free(heap->is_special);
	kml_free(heap->queued);
	kml_free(heap->special);
	kml_free(heap->always);
	kml_free(heap->queue);
	kml_areas_free();
	memset(heap, 0, sizeof(*heap));
}
