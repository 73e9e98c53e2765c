// SPDX-License-Identifier: GPL-2.0-only
/*
 * Marking: words of roots, then of objects that were found, through the range filters
 * of mm/kmemleak. The core's index is left out: 63 bytes an object are for hooks that
 * insert and remove; here all objects are known before, in the order of addresses,
 * and a bit each is enough.
 *
 * What is grey is queued by slab, not by object: a slab is read once for all of its
 * objects that became grey meanwhile.
 */

#include "kmemleak.h"
#include "../../../include/linux/kmemleak_filter.h"

extern const struct kmemleak_filter * const kml_filters[];
unsigned int kml_filter_generic(const unsigned long *words, unsigned int nr,
				const struct kmemleak_windows *win, unsigned long *out);

#define CHUNK		4096UL
#define CHUNK_WORDS	(CHUNK / sizeof(long))

/* Words go to it that may point to an object. */
struct sieve {
	struct heap *heap;
	const struct kmemleak_filter *filter;
	struct kmemleak_windows direct, percpu;
	bool has_percpu;
	unsigned long words;
	void (*hit)(struct sieve *sieve, unsigned long word, unsigned long id,
		    unsigned long unit, unsigned long where, unsigned long from);
	void *data;
	bool wants_where;
	u8 *slab;		/* the slab that is read */
	unsigned long slab_size;
	unsigned long *slab_pages;
	unsigned long out[CHUNK_WORDS + KMEMLEAK_FILTER_PAD];
};

static struct kmemleak_range range_of(unsigned long min, unsigned long max)
{
	return min > max ? (struct kmemleak_range){} :
			   (struct kmemleak_range){ min, max - min + 1 };
}

static void sieve_init(struct sieve *s, struct heap *heap)
{
	unsigned long max = 0, i;

	memset(s, 0, offsetof(struct sieve, out));
	s->heap = heap;
	for (i = 0; kml_filters[i]; i++)
		if (!kml_filters[i]->usable || kml_filters[i]->usable())
			break;
	s->filter = kml_filters[i];
	s->direct.virt = range_of(heap->direct_min, heap->direct_max);
	/* another range, for the same price */
	s->direct.percpu = range_of(heap->vmalloc_min, heap->vmalloc_max);
	s->percpu.virt = range_of(heap->percpu_min, heap->percpu_max);
	s->has_percpu = s->percpu.virt.len;
	for (i = 0; i < heap->nr_slabs; i++)
		max = max_t(unsigned long, max, (unsigned long)heap->slabs[i].nr *
			    heap->caches[heap->slabs[i].cache].c.size);
	s->slab_size = (max + 2 * CHUNK) & -CHUNK;
	s->slab = must_alloc(NULL, s->slab_size + CHUNK, 1);
	s->slab_pages = must_alloc(NULL, s->slab_size / CHUNK / BITS_PER_LONG + 1, sizeof(long));
}

static void sieve_free(struct sieve *s)
{
	free(s->slab);
	free(s->slab_pages);
}

static unsigned int sieve_filter(struct sieve *s, const unsigned long *words, unsigned int nr,
				 const struct kmemleak_windows *win)
{
	if (nr < s->filter->min_words)
		return kml_filter_generic(words, nr, win, s->out);
	return s->filter->filter(words, nr, win, s->out);
}

/*
 * The mark queues and reads units: a slab is one, and so is an area. Numbers of areas
 * follow those of slabs.
 */
static unsigned long unit_of_area(const struct heap *heap, unsigned long id)
{
	return heap->nr_slabs + id - heap->nr_objects;
}

static unsigned long unit_of(const struct heap *heap, unsigned long id)
{
	return id < heap->nr_objects ? (unsigned long)(heap_slab_of(heap, id) - heap->slabs) :
				       unit_of_area(heap, id);
}

/* Where in the words did it come from? Candidates are in order. */
static unsigned long word_at(const unsigned long *words, unsigned int nr, unsigned int *at,
			     unsigned long word)
{
	while (*at < nr && words[*at] != word)
		(*at)++;
	return (*at)++;
}

/**
 * sieve_words() - pass words on that point to objects
 * @s: the sieve
 * @p: the words, aligned
 * @len: in bytes, up to CHUNK
 * @where: their address in the image
 * @from: id of the object they are in, or NO_OBJECT
 */
static void sieve_words(struct sieve *s, const void *p, size_t len, unsigned long where,
			unsigned long from)
{
	unsigned int nr = len / sizeof(long), n, i, at = 0;
	const unsigned long *words = p;

	s->words += nr;
	n = sieve_filter(s, words, nr, &s->direct);
	for (i = 0; i < n; i++) {
		unsigned long off = 0, unit, id = heap_find_unit(s->heap, s->out[i], &unit);

		if (s->wants_where)
			off = word_at(words, nr, &at, s->out[i]) * sizeof(long);
		if (id != NO_OBJECT && id != from)
			s->hit(s, s->out[i], id, unit, where + off, from);
	}
	if (!s->has_percpu)
		return;
	at = 0;
	n = sieve_filter(s, words, nr, &s->percpu);
	for (i = 0; i < n; i++) {
		unsigned long off = 0, id = heap_find_percpu(s->heap, s->out[i]);

		if (s->wants_where)
			off = word_at(words, nr, &at, s->out[i]) * sizeof(long);
		if (id != NO_OBJECT && id != from)
			s->hit(s, s->out[i], id, unit_of_area(s->heap, id), where + off, from);
	}
}

/* Words of the image by address, page by page: what is not there is left out. */
static void sieve_range(struct sieve *s, unsigned long start, unsigned long len,
			unsigned long from)
{
	unsigned long at, end = start + len, n;
	unsigned long copy[CHUNK_WORDS];

	for (at = (start + 7) & ~7UL; at + 8 <= end; at += n) {
		n = min_t(unsigned long, CHUNK - at % CHUNK, end - at);
		if (image_read(s->heap->im, at, copy, n))
			sieve_words(s, copy, n, at, from);
	}
}

/* === Objects ============================================================ */

/* The bytes of an object that are read: all, but for those of heap->special. */
static void object_words(struct sieve *s, unsigned long id, const u8 *p, unsigned long size,
			 unsigned long addr)
{
	struct heap *heap = s->heap;
	unsigned long low = 0, high = heap->nr_special, from = 0, n;

	if (test_bit(id, heap->is_special)) {
		while (low < high) {
			unsigned long mid = (low + high) / 2;

			if (heap->special[mid].id < id)
				low = mid + 1;
			else
				high = mid;
		}
		for (; low < heap->nr_special && heap->special[low].id == id; low++) {
			const struct special *sp = &heap->special[low];

			if (sp->from > from && sp->from < size)
				sieve_words(s, p + from, sp->from - from, addr + from, id);
			from = max_t(unsigned long, from, (unsigned long)sp->from + sp->len);
		}
	}
	for (; from < size; from += n) {
		n = min_t(unsigned long, size - from, CHUNK);
		sieve_words(s, p + from, n, addr + from, id);
	}
}

static void read_area(struct sieve *s, unsigned long id)
{
	struct heap *heap = s->heap;
	const struct area *a = &heap->areas[id - heap->nr_objects];
	unsigned long off;
	unsigned int cpu;

	if (a->kind != AREA_PERCPU) {
		sieve_range(s, a->start + a->from, a->size - a->from, id);
		return;
	}
	for (cpu = 0; cpu < heap->cpus; cpu++)
		if (heap->im->mem.percpu(&heap->im->mem, cpu, &off))
			sieve_range(s, a->start + off, a->size, id);
}

/* Read those objects of a slab whose bits are set, each page once. */
static void read_slab(struct sieve *s, unsigned long nr, unsigned long *bits, bool clear)
{
	const struct slab *slab = &s->heap->slabs[nr];
	const struct kml_cache *c = &s->heap->caches[slab->cache].c;
	unsigned long base = slab->start & -CHUNK, off, page, i;

	memset(s->slab_pages, 0, (s->slab_size / CHUNK / BITS_PER_LONG + 1) * sizeof(long));
	for (i = 0; i < slab->nr; i++) {
		if (!test_bit(slab->first + i, bits))
			continue;
		if (clear)
			clear_bit(slab->first + i, bits);
		off = slab->start - base + i * c->size;
		for (page = off / CHUNK; page <= (off + c->object_size - 1) / CHUNK; page++) {
			if (test_bit(page, s->slab_pages))
				continue;
			set_bit(page, s->slab_pages);
			if (!image_read(s->heap->im, base + page * CHUNK, s->slab + page * CHUNK,
					CHUNK)) {
				s->heap->im->missing++;
				memset(s->slab + page * CHUNK, 0, CHUNK);
			}
		}
		/* an object need not begin at a word */
		object_words(s, slab->first + i, s->slab + ((off + 7) & ~7UL),
			     c->object_size - ((-off) & 7), base + ((off + 7) & ~7UL));
	}
}

static void read_roots(struct sieve *s)
{
	struct heap *heap = s->heap;
	struct image *im = heap->im;
	unsigned long copy[CHUNK_WORDS], pfn, i, off;

	for (pfn = 0; pfn < im->max_pfn; pfn++) {
		if (!(pfn % PAGE_TABLE)) {
			progress("roots", pfn, im->max_pfn);
			if (!heap->pages[pfn / PAGE_TABLE]) {
				pfn += PAGE_TABLE - 1;
				continue;
			}
		}
		if (heap_page(heap, pfn) != PAGE_ROOT)
			continue;
		for (off = 0; off < IMAGE_PAGE(im); off += CHUNK)
			if (image_read_phys(im, (pfn << im->page_shift) + off, copy, CHUNK))
				sieve_words(s, copy, CHUNK,
					    im->page_offset + (pfn << im->page_shift) + off,
					    NO_OBJECT);
	}
	for (i = 0; i < heap->nr_roots; i++)
		sieve_range(s, heap->roots[i].start, heap->roots[i].len, NO_OBJECT);
}

/* === The mark =========================================================== */

struct mark_private {
	struct sieve sieve;
	unsigned long *grey, *queued;
	u32 *queue;
	unsigned long room, head, tail;
};

static void enqueue(struct mark *m, unsigned long unit)
{
	struct mark_private *p = m->private;

	if (test_bit(unit, p->queued))
		return;
	set_bit(unit, p->queued);
	p->queue[p->tail++ % p->room] = unit;
}

static void mark_one(struct mark *m, unsigned long id, unsigned long unit)
{
	struct heap *heap = m->heap;
	const struct area *a;
	unsigned long owner;

	if (test_bit(id, m->marked))
		return;
	set_bit(id, m->marked);
	set_bit(id, m->private->grey);
	m->nr_marked++;
	enqueue(m, unit);
	if (id < heap->nr_objects)
		return;
	a = &heap->areas[id - heap->nr_objects];
	if (a->kind != AREA_VMALLOC)
		return;
	owner = heap_find(heap, a->owner);
	if (owner != NO_OBJECT)
		mark_one(m, owner, unit_of(heap, owner));
}

static void mark_hit(struct sieve *s, unsigned long word, unsigned long id,
		     unsigned long unit, unsigned long where, unsigned long from)
{
	mark_one(s->data, id, unit);
}

static void mark_grey(struct mark *m)
{
	struct mark_private *p = m->private;
	struct heap *heap = m->heap;

	while (p->head != p->tail) {
		unsigned long unit = p->queue[p->head++ % p->room];

		if (!(p->head % 1024))
			progress("objects", m->nr_marked, heap->nr_used);
		clear_bit(unit, p->queued);
		if (unit < heap->nr_slabs) {
			read_slab(&p->sieve, unit, p->grey, true);
		} else {
			clear_bit(unit - heap->nr_slabs + heap->nr_objects, p->grey);
			read_area(&p->sieve, unit - heap->nr_slabs + heap->nr_objects);
		}
	}
}

/**
 * mark_run() - find all objects that roots lead to
 * @m: filled
 * @heap: the objects and roots
 */
void mark_run(struct mark *m, struct heap *heap)
{
	unsigned long bits = (heap->nr_objects + heap->nr_areas) / BITS_PER_LONG + 1, i;
	struct mark_private *p = must_alloc(NULL, 1, sizeof(*p));

	memset(m, 0, sizeof(*m));
	m->heap = heap;
	m->private = p;
	m->marked = must_alloc(NULL, bits, sizeof(long));
	p->grey = must_alloc(NULL, bits, sizeof(long));
	p->room = heap->nr_slabs + heap->nr_areas + 1;
	p->queue = must_alloc(NULL, p->room, sizeof(*p->queue));
	p->queued = must_alloc(NULL, p->room / BITS_PER_LONG + 1, sizeof(long));
	sieve_init(&p->sieve, heap);
	p->sieve.hit = mark_hit;
	p->sieve.data = m;
	for (i = 0; i < heap->nr_always; i++)
		mark_one(m, heap->always[i], unit_of(heap, heap->always[i]));
	read_roots(&p->sieve);
	mark_grey(m);
	progress_end();
	m->words = p->sieve.words;
}

/**
 * mark_also() - an object needs no reference: mark what it leads to
 * @m: what was marked
 * @id: of the object
 */
void mark_also(struct mark *m, unsigned long id)
{
	mark_one(m, id, unit_of(m->heap, id));
	mark_grey(m);
}

void mark_free(struct mark *m)
{
	struct mark_private *p = m->private;

	sieve_free(&p->sieve);
	free(p->grey);
	free(p->queue);
	free(p->queued);
	free(p);
	free(m->marked);
}

/* === Who refers to whom ================================================= */

struct sweep {
	mark_ref_fn fn;
	void *data;
};

static void sweep_hit(struct sieve *s, unsigned long word, unsigned long id,
		      unsigned long unit, unsigned long where, unsigned long from)
{
	struct sweep *sweep = s->data;

	sweep->fn(sweep->data, id, where, from, word);
}

/**
 * mark_sweep() - read all roots and some objects for references to some addresses
 * @heap: the objects and roots
 * @live: bit for each object that is read
 * @min: lowest address that is looked for
 * @max: highest
 * @fn: called for each reference
 * @data: its argument
 */
void mark_sweep(struct heap *heap, const unsigned long *live, unsigned long min,
		unsigned long max, mark_ref_fn fn, void *data)
{
	struct sweep sweep = { fn, data };
	struct sieve *s = must_alloc(NULL, 1, sizeof(*s));
	unsigned long i;

	sieve_init(s, heap);
	s->hit = sweep_hit;
	s->data = &sweep;
	s->wants_where = true;
	s->direct.virt = range_of(min, max);
	s->direct.percpu = (struct kmemleak_range){};
	/* per-CPU pointers are no addresses */
	s->has_percpu = s->has_percpu && heap->percpu_min <= max && min <= heap->percpu_max;
	read_roots(s);
	for (i = 0; i < heap->nr_slabs; i++) {
		if (!(i % 1024))
			progress("objects", i, heap->nr_slabs);
		read_slab(s, i, (unsigned long *)live, false);
	}
	for (i = 0; i < heap->nr_areas; i++)
		if (test_bit(heap->nr_objects + i, live))
			read_area(s, heap->nr_objects + i);
	progress_end();
	sieve_free(s);
	free(s);
}

/**
 * mark_refs() - find the references in one object
 * @heap: the objects
 * @id: of the object
 * @fn: called for each reference
 * @data: its argument
 */
void mark_refs(struct heap *heap, unsigned long id, mark_ref_fn fn, void *data)
{
	static struct sieve *s;
	struct sweep sweep = { fn, data };
	unsigned long addr = heap_addr(heap, id);

	if (!s) {
		s = must_alloc(NULL, 1, sizeof(*s));
		sieve_init(s, heap);
		s->hit = sweep_hit;
		s->wants_where = true;
	}
	s->data = &sweep;
	if (id >= heap->nr_objects)
		read_area(s, id);
	else if (!test_bit(id, heap->is_special))
		sieve_range(s, addr, heap_size(heap, id), id);
}
