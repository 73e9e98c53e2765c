// SPDX-License-Identifier: GPL-2.0-only
/*
 * The objects and the roots of an image: one walk over its struct pages. A slot of a
 * slab is known by its number, from 0 in the order of addresses, so that what is known
 * of one takes bits; where a slab is takes some bytes a slab.
 */

#include "kmemleak.h"

#define STRUCTS	64UL	/* struct pages that are read at a time */

/* === Pages ============================================================== */

u32 heap_page(const struct heap *heap, unsigned long pfn)
{
	u32 *table;

	if (pfn >= heap->im->max_pfn)
		return PAGE_SKIP;
	table = heap->pages[pfn / PAGE_TABLE];
	return table ? table[pfn % PAGE_TABLE] : PAGE_SKIP;
}

void heap_set_page(struct heap *heap, unsigned long pfn, u32 value)
{
	u32 **table;

	if (pfn >= heap->im->max_pfn)
		return;
	table = &heap->pages[pfn / PAGE_TABLE];
	if (!*table)
		*table = must_alloc(NULL, PAGE_TABLE, sizeof(**table));
	(*table)[pfn % PAGE_TABLE] = value;
}

static bool is_slab(u32 page)
{
	return page >= PAGE_SLAB && page < PAGE_OWNED;
}

/* === Looking up ========================================================= */

const struct slab *heap_slab_of(const struct heap *heap, unsigned long id)
{
	unsigned long low = 0, high = heap->nr_slabs;

	while (high - low > 1) {
		unsigned long mid = (low + high) / 2;

		if (heap->slabs[mid].first <= id)
			low = mid;
		else
			high = mid;
	}
	return &heap->slabs[low];
}

static bool is_percpu(const struct heap *heap, unsigned long area)
{
	return heap->areas[area].kind == AREA_PERCPU;
}

static unsigned long area_lookup(const struct heap *heap, unsigned long addr, bool percpu)
{
	unsigned long low = 0, high = heap->nr_areas;

	/* the last that starts at or before it; per-CPU ones are behind the others */
	while (low < high) {
		unsigned long mid = (low + high) / 2;
		const struct area *a = &heap->areas[mid];
		bool a_percpu = a->kind == AREA_PERCPU;

		if (a_percpu != percpu ? !a_percpu : a->start <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || percpu != is_percpu(heap, low - 1) ||
	    addr - heap->areas[low - 1].start >= heap->areas[low - 1].size)
		return NO_OBJECT;
	return heap->nr_objects + low - 1;
}

/**
 * heap_slot() - find the slot of a slab, or the area, that an address is in
 * @heap: the heap
 * @addr: virtual address
 *
 * Return: its id, whether it is allocated or not, and if the address is behind the
 * object in its slot; or NO_OBJECT.
 */
unsigned long heap_slot(const struct heap *heap, unsigned long addr)
{
	unsigned long off = addr - heap->im->page_offset, pfn = off >> heap->im->page_shift;
	const struct slab *slab;
	u32 page, i;

	if (pfn >= heap->im->max_pfn)
		return addr >= heap->vmalloc_min && addr <= heap->vmalloc_max ?
		       area_lookup(heap, addr, false) : NO_OBJECT;
	page = heap_page(heap, pfn);
	if (page & PAGE_AREA)
		return heap->nr_objects + (page & ~PAGE_AREA);
	if (!is_slab(page))
		return NO_OBJECT;
	slab = &heap->slabs[page - PAGE_SLAB];
	if (addr < slab->start)
		return NO_OBJECT;
	i = (u32)(addr - slab->start) / heap->caches[slab->cache].c.size;
	return i < slab->nr ? slab->first + i : NO_OBJECT;
}

/**
 * heap_find_unit() - find the allocated object that a word points to
 * @heap: the heap
 * @word: the word
 * @unit: set to the index of its slab, or, behind all slabs, of its area
 *
 * Nearly all words that pass a filter point to slabs, so that this is short for them.
 *
 * Return: its id, or NO_OBJECT.
 */
unsigned long heap_find_unit(const struct heap *heap, unsigned long word, unsigned long *unit)
{
	unsigned long pfn = (word - heap->im->page_offset) >> heap->im->page_shift, id;
	u32 page = heap_page(heap, pfn), i, off;
	const struct kml_cache *c;
	const struct slab *slab;

	if (!is_slab(page)) {
		id = heap_slot(heap, word);
		if (id == NO_OBJECT)
			return NO_OBJECT;
		*unit = heap->nr_slabs + id - heap->nr_objects;
		return word - heap_addr(heap, id) < heap_size(heap, id) ? id : NO_OBJECT;
	}
	slab = &heap->slabs[page - PAGE_SLAB];
	c = &heap->caches[slab->cache].c;
	off = word - slab->start;
	i = off / c->size;
	if (word < slab->start || i >= slab->nr || off - i * c->size >= c->object_size)
		return NO_OBJECT;
	*unit = page - PAGE_SLAB;
	id = slab->first + i;
	return test_bit(id, heap->used) ? id : NO_OBJECT;
}

unsigned long heap_find(const struct heap *heap, unsigned long word)
{
	unsigned long unit;

	return heap_find_unit(heap, word, &unit);
}

unsigned long heap_find_percpu(const struct heap *heap, unsigned long word)
{
	return area_lookup(heap, word, true);
}

unsigned long heap_addr(const struct heap *heap, unsigned long id)
{
	const struct slab *slab;

	if (id >= heap->nr_objects)
		return heap->areas[id - heap->nr_objects].start;
	slab = heap_slab_of(heap, id);
	return slab->start + (id - slab->first) * (unsigned long)heap->caches[slab->cache].c.size;
}

unsigned long heap_size(const struct heap *heap, unsigned long id)
{
	if (id >= heap->nr_objects)
		return heap->areas[id - heap->nr_objects].size;
	return heap->caches[heap_slab_of(heap, id)->cache].c.object_size;
}

const char *heap_cache_name(const struct heap *heap, unsigned long id)
{
	static const char * const names[] = {
		[AREA_LARGE]	= "kmalloc-large",
		[AREA_KFENCE]	= "kfence",
		[AREA_VMALLOC]	= "vmalloc",
		[AREA_PERCPU]	= "percpu",
	};

	if (id >= heap->nr_objects)
		return names[heap->areas[id - heap->nr_objects].kind];
	return heap->caches[heap_slab_of(heap, id)->cache].c.name;
}

/* === Adding ============================================================= */

/* The index of a cache, or NO_OBJECT cut to 32 bits if there is none. */
u32 heap_cache_of(struct heap *heap, unsigned long addr)
{
	struct kml_cache cache;
	unsigned long i;

	/* mostly that of the slab before */
	for (i = heap->nr_caches; i-- > 0;)
		if (heap->caches[i].c.addr == addr)
			return i;
	if (!kml_cache_read(&heap->im->mem, addr, &cache))
		return ~0U;
	GROW(heap->caches, heap->nr_caches, heap->room_caches);
	heap->caches[heap->nr_caches] = (struct cache){ .c = cache };
	return heap->nr_caches++;
}

struct area *heap_add_area(struct heap *heap, enum area_kind kind, unsigned long start,
			   unsigned long size)
{
	GROW(heap->areas, heap->nr_areas, heap->room_areas);
	heap->areas[heap->nr_areas] = (struct area){ .start = start, .size = size, .kind = kind };
	return &heap->areas[heap->nr_areas++];
}

void heap_add_root(struct heap *heap, unsigned long start, unsigned long len)
{
	GROW(heap->roots, heap->nr_roots, heap->room_roots);
	heap->roots[heap->nr_roots++] = (struct range){ start, len };
}

/**
 * heap_no_read() - leave bytes of an object out
 * @heap: the heap, whose objects are known
 * @addr: address of the object
 * @from: first byte
 * @len: number of bytes; they may reach behind the object
 */
void heap_no_read(struct heap *heap, unsigned long addr, u32 from, u32 len)
{
	unsigned long id = heap_slot(heap, addr);

	if (id == NO_OBJECT)
		return;
	GROW(heap->special, heap->nr_special, heap->room_special);
	heap->special[heap->nr_special++] = (struct special){ id, from, len };
	set_bit(id, heap->is_special);
}

/* === The walk over struct pages ========================================= */

struct walk {
	struct heap *heap;
	unsigned long *freelists;	/* of each slab */
	unsigned long room_freelists;
	unsigned long free_end;		/* pages below are in a free block */
	unsigned long head_end;		/* pages below are in a compound page */
	enum kml_frame_class head_class;
	unsigned long pool, pool_end;	/* KFENCE's, in pages */
};

static void add_slab(struct walk *w, unsigned long pfn, unsigned int order, const void *copy)
{
	struct heap *heap = w->heap;
	struct image *im = heap->im;
	unsigned long i, bytes = IMAGE_PAGE(im) << order;
	struct kml_slab slab;
	struct slab *s;
	u32 cache;

	if (!kml_slab_read(&im->layout, copy, &slab))
		return;
	cache = heap_cache_of(heap, slab.cache);
	if (cache == ~0U || (unsigned long)slab.nr * heap->caches[cache].c.size > bytes) {
		heap->nr_bad++;
		return;
	}
	GROW(heap->slabs, heap->nr_slabs, heap->room_slabs);
	GROW(w->freelists, heap->nr_slabs, w->room_freelists);
	if (heap->nr_objects + slab.nr > UINT32_MAX || heap->nr_slabs >= PAGE_OWNED - PAGE_SLAB)
		die(EXIT_OTHER, "more than %u objects", UINT32_MAX);
	w->freelists[heap->nr_slabs] = slab.freelist;
	s = &heap->slabs[heap->nr_slabs];
	s->start = im->page_offset + (pfn << im->page_shift) + heap->caches[cache].c.pad;
	s->first = heap->nr_objects;
	s->cache = cache;
	s->nr = slab.nr;
	heap->caches[cache].nr += slab.nr;
	heap->nr_objects += slab.nr;
	for (i = 0; i < 1UL << order; i++)
		heap_set_page(heap, pfn + i, PAGE_SLAB + heap->nr_slabs);
	heap->nr_slabs++;
}

static void walk_page(struct walk *w, unsigned long pfn, unsigned long addr, const void *copy,
		      const void *next)
{
	struct heap *heap = w->heap;
	struct image *im = heap->im;
	struct kml_frame page;

	if (pfn < w->free_end) {
		heap->classes[KML_FRAME_FREE]++;
		return;
	}
	kml_frame_read(&im->layout, addr, copy, next, &page);
	if (pfn >= w->pool && pfn < w->pool_end) {
		heap->classes[KML_FRAME_SLAB]++;
		return;
	}
	/* a page of a compound page is used for what the first one is */
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
		return;
	case KML_FRAME_SLAB:
		add_slab(w, pfn, page.order, copy);
		return;
	case KML_FRAME_LARGE:
		heap_add_area(heap, AREA_LARGE, im->page_offset + (pfn << im->page_shift),
			      IMAGE_PAGE(im) << page.order);
		return;
	default:
		break;
	}
root:
	if (page.class == KML_FRAME_RESERVED || page.class == KML_FRAME_IN_USE)
		heap_set_page(heap, pfn, PAGE_ROOT);
}

/* Struct pages of a part of a section; those that cannot be read are not there. */
static void walk_structs(struct walk *w, unsigned long pfn, unsigned long nr, unsigned long addr)
{
	struct image *im = w->heap->im;
	unsigned long size = im->layout.size[KML_SIZE_page], i, got = nr + 1;
	u8 copy[(STRUCTS + 1) * 256];

	if (!image_read(im, addr, copy, (nr + 1) * size)) {
		got = nr;
		if (!image_read(im, addr, copy, nr * size))
			return;
	}
	for (i = 0; i < nr; i++)
		walk_page(w, pfn + i, addr + i * size, copy + i * size,
			  i + 1 < got ? copy + (i + 1) * size : NULL);
}

static void walk_all(struct walk *w)
{
	struct image *im = w->heap->im;
	unsigned long pfn, nr, n, addr;

	if (im->layout.size[KML_SIZE_page] > 256)
		die(EXIT_UNKNOWN, "struct page has %u bytes", im->layout.size[KML_SIZE_page]);
	for (pfn = 0; pfn < im->max_pfn; pfn += nr) {
		progress("pages", pfn, im->max_pfn);
		addr = image_section(im, pfn, &nr);
		if (!addr) {
			w->free_end = 0;
			w->head_end = 0;
			continue;
		}
		/* a run at a time; holes are of whole subsections */
		for (n = 0; n < nr && pfn + n < im->max_pfn; n += STRUCTS)
			walk_structs(w, pfn + n,
				     min_t(unsigned long, STRUCTS, im->max_pfn - pfn - n),
				     addr + n * im->layout.size[KML_SIZE_page]);
	}
}

/* === Free objects ======================================================= */

struct free_sink {
	struct kml_slab_sink sink;
	struct heap *heap;
	bool sheaves;
	struct range *sheaf;
	unsigned long nr_sheaves, room_sheaves;
};

static bool free_object(struct kml_slab_sink *sink, const struct kml_cache *cache,
			unsigned long addr)
{
	struct free_sink *f = (struct free_sink *)sink;
	struct heap *heap = f->heap;
	u32 page = heap_page(heap, (addr - heap->im->page_offset) >> heap->im->page_shift);
	const struct slab *slab;
	unsigned long id;

	/* KFENCE's are known otherwise */
	if (page & PAGE_AREA)
		return true;
	if (!is_slab(page))
		return false;
	slab = &heap->slabs[page - PAGE_SLAB];
	id = slab->first + (u32)(addr - slab->start) / cache->size;
	if (heap->caches[slab->cache].c.addr != cache->addr || addr < slab->start ||
	    id >= slab->first + slab->nr || (addr - slab->start) % cache->size ||
	    !test_bit(id, heap->used))
		return false;
	clear_bit(id, heap->used);
	if (f->sheaves)
		heap->nr_sheaf_objects++;
	return true;
}

static void free_sheaf(struct kml_slab_sink *sink, unsigned long addr, size_t head)
{
	struct free_sink *f = (struct free_sink *)sink;

	GROW(f->sheaf, f->nr_sheaves, f->room_sheaves);
	f->sheaf[f->nr_sheaves++] = (struct range){ addr, head };
}

static void find_free(struct heap *heap, const unsigned long *freelists)
{
	struct free_sink f = {
		.sink = { .free = free_object, .sheaf = free_sheaf },
		.heap = heap,
	};
	struct kml_memory *mem = &heap->im->mem;
	unsigned long i;

	for (i = 0; i < heap->nr_slabs; i++) {
		struct kml_slab slab = { .freelist = freelists[i] };

		progress("free lists", i, heap->nr_slabs);
		kml_slab_free_objects(mem, &heap->caches[heap->slabs[i].cache].c, &slab, &f.sink);
	}
	f.sheaves = true;
	for (i = 0; i < heap->nr_caches; i++)
		kml_cache_free_objects(mem, &heap->caches[i].c, heap->cpus, heap->nodes, &f.sink);
	for (i = 0; i < f.nr_sheaves; i++)
		heap_no_read(heap, f.sheaf[i].start, f.sheaf[i].len, UINT32_MAX);
	heap->nr_bad += f.sink.bad;
	free(f.sheaf);
}

/* === All ================================================================ */

static int compare_areas(const void *a, const void *b)
{
	const struct area *x = a, *y = b;
	int px = x->kind == AREA_PERCPU, py = y->kind == AREA_PERCPU;

	return px != py ? px - py : x->start < y->start ? -1 : x->start > y->start;
}

static int compare_special(const void *a, const void *b)
{
	const struct special *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id ? 1 : (int)x->from - (int)y->from;
}

static unsigned int read_count(struct image *im, const char *name, unsigned int fallback,
			       unsigned int max)
{
	unsigned long addr = symbol(im, name);
	unsigned int value;

	if (!addr || !image_read(im, addr, &value, sizeof(value)) || !value || value > max)
		return fallback;
	return value;
}

static void kfence_pool(struct walk *w)
{
	struct image *im = w->heap->im;
	unsigned long addr = symbol(im, "__kfence_pool"), meta = symbol(im, "kfence_metadata");
	unsigned long pool;
	struct kml_kfence object;
	unsigned int i;

	if (!addr || !meta || !image_read(im, addr, &pool, sizeof(pool)) || pool < im->page_offset)
		return;
	/* an array in 6.1, a pointer to one later */
	if (!kml_kfence_read(&im->mem, meta, pool, 0, &object) &&
	    !image_read(im, meta, &meta, sizeof(meta)))
		return;
	for (i = 0; kml_kfence_read(&im->mem, meta, pool, i, &object); i++)
		if (object.used)
			heap_add_area(w->heap, AREA_KFENCE, object.addr, object.size)->owner =
				object.cache;
	w->pool = (pool - im->page_offset) >> im->page_shift;
	w->pool_end = i ? w->pool + 2 * i + 2 : w->pool;
}

static void limits(struct heap *heap)
{
	unsigned long i;

	heap->direct_min = ~0UL;
	heap->vmalloc_min = ~0UL;
	heap->percpu_min = ~0UL;
	for (i = 0; i < heap->nr_slabs; i++) {
		const struct slab *s = &heap->slabs[i];

		heap->direct_min = min_t(unsigned long, heap->direct_min, s->start);
		heap->direct_max = max_t(unsigned long, heap->direct_max, s->start +
					 (unsigned long)s->nr * heap->caches[s->cache].c.size - 1);
	}
	for (i = 0; i < heap->nr_areas; i++) {
		const struct area *a = &heap->areas[i];
		unsigned long *min, *max;

		min = a->kind == AREA_PERCPU ? &heap->percpu_min :
		      a->kind == AREA_VMALLOC ? &heap->vmalloc_min : &heap->direct_min;
		max = a->kind == AREA_PERCPU ? &heap->percpu_max :
		      a->kind == AREA_VMALLOC ? &heap->vmalloc_max : &heap->direct_max;
		*min = min_t(unsigned long, *min, a->start);
		*max = max_t(unsigned long, *max, a->start + a->size - 1);
	}
}

/* Areas in the direct map are found by their pages. */
static void area_pages(struct heap *heap)
{
	struct image *im = heap->im;
	unsigned long i, at;

	for (i = 0; i < heap->nr_areas; i++) {
		const struct area *a = &heap->areas[i];

		if (a->kind != AREA_LARGE && a->kind != AREA_KFENCE)
			continue;
		for (at = a->start & -IMAGE_PAGE(im); at < a->start + a->size; at += IMAGE_PAGE(im))
			heap_set_page(heap, (at - im->page_offset) >> im->page_shift,
				      PAGE_AREA | i);
	}
}

/**
 * heap_load() - find the objects and roots of an image, or give up
 * @heap: filled
 * @im: the image
 */
void heap_load(struct heap *heap, struct image *im)
{
	struct walk w = { .heap = heap };
	unsigned long i, words;

	memset(heap, 0, sizeof(*heap));
	heap->im = im;
	heap->pages = must_alloc(NULL, im->max_pfn / PAGE_TABLE + 1, sizeof(*heap->pages));
	heap->cpus = read_count(im, "nr_cpu_ids", 1, 65536);
	heap->nodes = read_count(im, "nr_node_ids", 1, 1024);
	kfence_pool(&w);
	walk_all(&w);
	progress_end();
	if (!heap->nr_slabs)
		die(EXIT_BAD_IMAGE, "no slab page among the %lu pages of the image", im->max_pfn);
	areas_load(heap);
	sort_array(heap->areas, heap->nr_areas, sizeof(*heap->areas), compare_areas);
	limits(heap);
	area_pages(heap);
	words = (heap->nr_objects + heap->nr_areas) / BITS_PER_LONG + 1;
	heap->used = must_alloc(NULL, words, sizeof(long));
	heap->is_special = must_alloc(NULL, words, sizeof(long));
	for (i = 0; i < heap->nr_objects + heap->nr_areas; i++)
		set_bit(i, heap->used);
	find_free(heap, w.freelists);
	free(w.freelists);
	areas_special(heap);
	sort_array(heap->special, heap->nr_special, sizeof(*heap->special), compare_special);
	for (i = 0; i < heap->nr_slabs; i++) {
		unsigned long j;

		for (j = 0; j < heap->slabs[i].nr; j++)
			heap->caches[heap->slabs[i].cache].used +=
				test_bit(heap->slabs[i].first + j, heap->used);
	}
	for (i = 0; i < heap->nr_caches; i++)
		heap->nr_used += heap->caches[i].used;
	heap->nr_used += heap->nr_areas;
	progress_end();
}

void heap_free(struct heap *heap)
{
	unsigned long i;

	for (i = 0; i <= heap->im->max_pfn / PAGE_TABLE; i++)
		free(heap->pages[i]);
	free(heap->pages);
	free(heap->slabs);
	free(heap->caches);
	free(heap->areas);
	free(heap->used);
	free(heap->special);
	free(heap->is_special);
	free(heap->roots);
	free(heap->always);
}
