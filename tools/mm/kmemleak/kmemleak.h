/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kmemleak(8): what its files share. A subcommand is a file; the road of an image goes
 * image.c (bytes) -> symbols.c, layout.c -> heap.c and areas.c (objects and roots)
 * -> mark.c -> report.c.
 */
#ifndef _TOOLS_KMEMLEAK_H
#define _TOOLS_KMEMLEAK_H

#include <stdio.h>
#include <stdlib.h>

#include "kernel.h"
#include "../../../mm/kmemleak/slabs.h"

/* === Exit status (kmemleak.8) =========================================== */

enum exit_status {
	EXIT_DONE	= 0,
	EXIT_LEAKS	= 1,	/* with --check: there are some */
	EXIT_USAGE	= 2,
	EXIT_NO_FILE	= 3,	/* a file is not there, or may not be read */
	EXIT_BAD_IMAGE	= 4,	/* no dump or report, or a damaged one */
	EXIT_UNKNOWN	= 5,	/* a kernel that is not understood */
	EXIT_OTHER	= 6,
	EXIT_RIGHTS	= 7,	/* not root, or the kernel is locked down */
	EXIT_NO_DEBUGFS	= 8,
	EXIT_NO_KMEMLEAK = 9,	/* the kernel was built without it */
	EXIT_OFF	= 10,	/* kmemleak is disabled */
	EXIT_LACKING	= 11,	/* the kernel or the report does not have it */
	EXIT_PIPE	= 12,	/* the reader of the output is gone */
	EXIT_STOPPED	= 13,	/* a signal ended a scan */
	EXIT_NO_BLOCK	= 14,	/* no tracked block is at the address */
};

__attribute__((noreturn, format(printf, 2, 3)))
void die(enum exit_status status, const char *fmt, ...);
__attribute__((format(printf, 1, 2)))
void warn(const char *fmt, ...);
void *must_alloc(void *old, size_t nr, size_t size);
void progress(const char *phase, unsigned long done, unsigned long of);
void progress_end(void);
extern bool quiet;

/* An array that grows. */
#define GROW(array, nr, room) do {						\
	if ((nr) == (room)) {							\
		(room) = (room) ? 2 * (room) : 64;				\
		(array) = must_alloc((array), (room), sizeof(*(array)));	\
	}									\
} while (0)

typedef int (*compare_fn)(const void *a, const void *b);

/* An array of nothing may be NULL here. */
static inline void sort_array(void *array, size_t nr, size_t size, compare_fn compare)
{
	if (nr)
		qsort(array, nr, size, compare);
}

static inline void *find_array(const void *key, const void *array, size_t nr, size_t size,
			       compare_fn compare)
{
	return nr ? bsearch(key, array, nr, size, compare) : NULL;
}

/* === Images: image.c ==================================================== */

struct image_options {
	const char *file;
	const char *vmlinux;
	const char *btf;
	const char *map;
};

/**
 * struct image - a memory image
 * @mem: for slabs.c; first, since that is what its functions get
 * @layout: of its kernel
 * @page_offset: address of physical address 0 in the direct map
 * @max_pfn: behind the last page
 * @page_shift: log2 of the size of a page
 * @release: of the kernel
 * @arch: as libkdumpfile names it
 * @missing: pages with objects that are not in the image
 * @damaged: reads that failed, of what the file says it has
 * @damage: the first of them
 */
struct image {
	struct kml_memory mem;
	struct kml_layout layout;
	unsigned long page_offset;
	unsigned long max_pfn;
	unsigned int page_shift;
	char *release;
	const char *arch;
	unsigned long missing;
	unsigned long damaged;
	char *damage;
	struct image_private *private;
	struct symbols *symbols;
	struct btf *btf;
};

#define IMAGE_PAGE(im)	(1UL << (im)->page_shift)

void image_open(struct image *im, const struct image_options *options);
void image_check(struct image *im);
void image_close(struct image *im);
bool image_read(struct image *im, unsigned long addr, void *buf, size_t len);
bool image_read_phys(struct image *im, unsigned long addr, void *buf, size_t len);
bool image_to_phys(struct image *im, unsigned long addr, unsigned long *phys);
bool image_has_page(struct image *im, unsigned long pfn);
/* The array of struct pages of a section: its address, or 0; sets the pages in it. */
unsigned long image_section(struct image *im, unsigned long pfn, unsigned long *nr);
/* From VMCOREINFO. */
bool image_number(struct image *im, const char *key, unsigned long *value);
bool image_symbol(struct image *im, const char *name, unsigned long *addr);
char *image_string(struct image *im, unsigned long addr, size_t max);

/* === Symbols: symbols.c ================================================= */

void symbols_load(struct image *im, const struct image_options *options);
void symbols_load_modules(struct image *im);
/* The address of a symbol, of VMCOREINFO or the kernel's own table; 0: none. */
unsigned long symbol(struct image *im, const char *name);
/* "name+0x10 [module]", or NULL if the address is in no symbol. */
const char *symbol_name(struct image *im, unsigned long addr);
size_t symbols_count(struct image *im);

/* === Layouts: layout.c ================================================== */

void layout_load(struct image *im, const struct image_options *options);
bool layout_member(struct image *im, const char *type, const char *member, struct kml_field *field);
unsigned long layout_size(struct image *im, const char *type);
bool layout_number(struct image *im, const char *name, u32 *value);
/* Reads a member of a structure that slabs.h does not know. */
bool layout_get(struct image *im, const char *type, const char *member, unsigned long addr,
		u64 *value);

/* === Objects: heap.c, areas.c =========================================== */

/* What is an object, besides those in slabs. */
enum area_kind {
	AREA_LARGE,		/* kmalloc() by pages */
	AREA_KFENCE,
	AREA_VMALLOC,
	AREA_PERCPU,
};

/**
 * struct area - an object that is not in a slab
 * @start: of what points to it; a per-CPU pointer for AREA_PERCPU
 * @size: in bytes
 * @owner: address of its struct vm_struct or struct kmem_cache, or 0
 * @from: bytes at its start that are not read
 * @kind: see above
 */
struct area {
	unsigned long start;
	unsigned long size;
	unsigned long owner;
	unsigned long from;
	enum area_kind kind;
};

/* A slab: objects first .. first + nr - 1 */
struct slab {
	unsigned long start;
	u32 first;
	u32 cache;
	u32 nr;
};

/* Memory that is read, by virtual address. */
struct range {
	unsigned long start;
	unsigned long len;
};

struct cache {
	struct kml_cache c;
	unsigned long nr;	/* slots */
	unsigned long used;
	u32 reciprocal;
};

/* A page in heap.pages: one of these, or a slab, or an area. */
#define PAGE_SKIP	0U
#define PAGE_ROOT	1U
#define PAGE_SLAB	2U		/* + index of the slab */
#define PAGE_AREA	0x80000000U	/* + index of the area: large, KFENCE */
#define PAGE_OWNED	0x7fffffffU	/* read by virtual address only */

/**
 * struct heap - the objects and roots of an image
 * @pages: for each page, in tables of PAGE_TABLE
 * @used: bit for each object: it is allocated
 * @nr_objects: slots of slabs; ids of areas follow
 * @areas: by address in each of two groups: direct map and vmalloc first, then per-CPU
 * @special: objects of which only a part is read, by id
 * @roots: ranges that are roots, besides pages
 */
struct heap {
	struct image *im;
	u32 **pages;
	struct slab *slabs;
	unsigned long nr_slabs, room_slabs;
	struct cache *caches;
	unsigned long nr_caches, room_caches;
	struct area *areas;
	unsigned long nr_areas, room_areas;
	unsigned long nr_objects;
	unsigned long *used;
	unsigned long nr_used;
	struct special {
		unsigned long id;
		u32 from, len;		/* bytes that are not read */
	} *special;
	unsigned long nr_special, room_special;
	unsigned long *is_special;	/* bit for each object */
	struct range *roots;
	unsigned long nr_roots, room_roots;
	unsigned long *always;		/* ids of objects that need no reference */
	unsigned long nr_always, room_always;
	unsigned long classes[KML_NR_FRAME_CLASSES];
	unsigned long nr_sheaf_objects, nr_bad;
	unsigned int cpus, nodes;
	/* limits of addresses of objects, for the filter */
	unsigned long direct_min, direct_max;
	unsigned long vmalloc_min, vmalloc_max;
	unsigned long percpu_min, percpu_max;
};

#define NO_OBJECT	(~0UL)
#define PAGE_TABLE	512UL

void heap_load(struct heap *heap, struct image *im);
void heap_free(struct heap *heap);
u32 heap_page(const struct heap *heap, unsigned long pfn);
void heap_set_page(struct heap *heap, unsigned long pfn, u32 value);
/* The object that an address points to, or NO_OBJECT; may be unused. */
unsigned long heap_slot(const struct heap *heap, unsigned long addr);
/* The allocated object that a word points to, or NO_OBJECT. */
unsigned long heap_find(const struct heap *heap, unsigned long word);
unsigned long heap_find_unit(const struct heap *heap, unsigned long word, unsigned long *unit);
unsigned long heap_find_percpu(const struct heap *heap, unsigned long word);
const struct slab *heap_slab_of(const struct heap *heap, unsigned long id);
unsigned long heap_addr(const struct heap *heap, unsigned long id);
unsigned long heap_size(const struct heap *heap, unsigned long id);
const char *heap_cache_name(const struct heap *heap, unsigned long id);
u32 heap_cache_of(struct heap *heap, unsigned long addr);
void heap_no_read(struct heap *heap, unsigned long addr, u32 from, u32 len);
void heap_add_root(struct heap *heap, unsigned long start, unsigned long len);
struct area *heap_add_area(struct heap *heap, enum area_kind kind, unsigned long start,
			   unsigned long size);

void areas_load(struct heap *heap);
void areas_special(struct heap *heap);

/* === Marking: mark.c ==================================================== */

/**
 * struct mark - what is referenced
 * @marked: bit for each object
 */
struct mark {
	struct heap *heap;
	unsigned long *marked;
	unsigned long words;
	unsigned long nr_marked;
	struct mark_private *private;
};

void mark_run(struct mark *mark, struct heap *heap);
void mark_also(struct mark *mark, unsigned long id);
void mark_free(struct mark *mark);
/* Who refers to objects: called for each word that points to one. */
typedef void (*mark_ref_fn)(void *data, unsigned long id, unsigned long where,
			    unsigned long from, unsigned long word);
void mark_sweep(struct heap *heap, const unsigned long *live, unsigned long min,
		unsigned long max, mark_ref_fn fn, void *data);
void mark_refs(struct heap *heap, unsigned long id, mark_ref_fn fn, void *data);

/* === Suppressions: suppress.c =========================================== */

struct suppressions;
struct leak;
struct leaks;
struct suppressions *suppress_load(struct suppressions *s, const char *file, bool must);
const char *suppress_match(struct suppressions *s, struct heap *heap, const struct leak *leak);

/* === Reports: leaks.c, report.c, json.c ================================= */

#define LEAK_HEAD_BYTES	64
#define LEAK_OWNERS	4

/**
 * struct leak - an object that nobody refers to
 * @id: of the object
 * @head: index of the leak that retains it; its own: it is a head
 * @retained: of a head, bytes of all that it retains, with its own
 * @nr_retained: of a head, those blocks
 * @group: index of its group
 * @len: bytes in @content
 * @content: first bytes
 */
struct leak {
	unsigned long id;
	unsigned long head;
	unsigned long retained;
	unsigned long nr_retained;
	u32 group;
	u32 len;
	u8 content[LEAK_HEAD_BYTES];
};

/**
 * struct group - leaks of one cache and size that look alike
 * @sample: index of the first of them
 * @nr: number of leaks
 * @bytes: of these
 * @heads: how many of them are heads
 * @retained: bytes that these retain
 * @owners: names of symbols that the sample points to, and where
 * @nr_owners: number of these
 */
struct group {
	unsigned long sample;
	unsigned long nr;
	unsigned long bytes;
	unsigned long heads;
	unsigned long retained;
	struct {
		char *name;
		u32 off;
	} owners[LEAK_OWNERS];
	unsigned int nr_owners;
};

/**
 * struct leaks - all that a report says
 * @leaks: by address
 * @groups: most retained bytes first
 * @suppressed: how often each rule matched
 */
struct leaks {
	struct heap *heap;
	struct leak *leaks;
	unsigned long nr, room;
	struct group *groups;
	unsigned long nr_groups, room_groups;
	struct {
		const char *rule;
		unsigned long nr;
	} *suppressed;
	unsigned long nr_suppressed, room_suppressed;
	unsigned long bytes, heads;
	unsigned long words;	/* read */
	double seconds;
};

struct report_options {
	const char *suppressions;
	bool no_suppressions;
	bool json;
	bool all;		/* each leak, not groups only */
	unsigned long max_groups;
};

void leaks_find(struct leaks *leaks, struct heap *heap, struct mark *mark,
		struct suppressions *rules);
void leaks_free(struct leaks *leaks);
void report_text(const struct leaks *leaks, const struct report_options *options);
void report_json(const struct leaks *leaks, const struct report_options *options);

/* === Subcommands ======================================================== */

int cmd_scan(int argc, char **argv);
int cmd_why(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_help(int argc, char **argv);
unsigned long parse_number(const char *option, const char *s, int base);
bool image_option(int c, char *arg, struct image_options *options);

#endif /* _TOOLS_KMEMLEAK_H */
