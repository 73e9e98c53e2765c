/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module's one-shot mode: what its files share. The road of a scan goes memory.c
 * (reading) -> heap.c and areas.c (objects and roots) -> mark.c (what roots lead to) ->
 * leaks.c (passes, until two agree) -> text.c. Algorithms are those of
 * tools/mm/kmemleak, which has the same job on an image.
 *
 * Rules
 * -----
 *
 * Nothing is tracked, no lock of the kernel's is taken, and no object is kept from being
 * freed. So each word that is not the module's own is read by kml_read(), which copies
 * it and does not fault, and may be stale: all are checked before use, and a report
 * needs several passes that agree.
 *
 * Addresses of objects in memory of the module would be references to them. Such memory
 * comes from kml_alloc() and kml_alloc_page() and is not read; elsewhere addresses are
 * kept inverted.
 *
 * All functions sleep, and are called by the thread that scans, but for those whose
 * comment says that workers call them.
 */
#ifndef _KMEMLEAK_ONESHOT_H
#define _KMEMLEAK_ONESHOT_H

#include "os.h"
#include "mark.h"
#include "slabs.h"

/* === Layouts: btf.c ===================================================== */

/**
 * struct kml_chunk_layout - members of struct pcpu_chunk
 * @list: of all chunks of a slot
 * @base_addr: address of the first page
 * @bound_map: where blocks begin
 * @alloc_map: what is allocated
 * @start: bytes at the start that are not for blocks
 * @end: the same at the end
 * @nr_pages: pages for a CPU
 * @known: the kernel has all of them
 */
struct kml_chunk_layout {
	struct kml_field list;
	struct kml_field base_addr;
	struct kml_field bound_map;
	struct kml_field alloc_map;
	struct kml_field start;
	struct kml_field end;
	struct kml_field nr_pages;
	bool known;
};

int kml_layout_load(struct kml_layout *layout, struct kml_chunk_layout *chunk);

/* === Memory: memory.c =================================================== */

/**
 * struct kml_reader - how slabs.c reads memory of this kernel
 * @mem: for slabs.c; first, since that is what its functions get
 * @percpu: per-CPU pointer to memory that may be read: of the cache that is looked at
 * @off: offset of the CPU whose memory it is
 */
struct kml_reader {
	struct kml_memory mem;
	unsigned long percpu;
	unsigned long off;
};

void kml_reader_init(struct kml_reader *reader, const struct kml_layout *layout);
bool kml_read(unsigned long addr, void *buf, size_t len);
bool kml_read_image(unsigned long pfn, unsigned long off, void *buf, size_t len);
bool kml_in_image(unsigned long addr);
unsigned long kml_direct_map(void);
unsigned long kml_max_pfn(void);

void kml_memory_limit(unsigned long bytes);
void *kml_alloc(size_t size);
void *kml_grow(void *old, size_t nr, size_t *room, size_t size);
void *kml_alloc_page(void);
void kml_free(void *p);
void kml_free_page(void *p);
bool kml_is_own(unsigned long addr);
void kml_each_own_page(void (*fn)(void *data, unsigned long pfn), void *data);
unsigned long kml_memory_left(void);
unsigned long kml_memory_peak(void);
bool kml_memory_failed(void);

/* === Workers: crew.c ==================================================== */

#define KML_WORKERS_MAX	64U

/**
 * struct kml_worker - a thread that scans
 * @nr: 0: the thread that began the scan
 * @task: the thread
 * @heap: of the job
 * @words: read so far
 * @copy: KML_CHUNK bytes, and a word
 * @out: candidates among them
 * @hit: told about words that point to objects; NULL: these are marked
 * @data: for @hit
 * @reader: for slabs.c
 */
struct kml_worker {
	unsigned int nr;
	struct task_struct *task;
	struct kml_heap *heap;
	unsigned long words;
	void *copy;
	unsigned long *out;
	void (*hit)(struct kml_worker *w, unsigned long id, unsigned long unit,
		    unsigned long from);
	void *data;
	struct kml_reader reader;
};

typedef void (*kml_job_fn)(struct kml_worker *w, void *data);

int kml_crew_start(unsigned int nr, const struct kml_layout *layout);
void kml_crew_end(void);
void kml_crew_run(struct kml_heap *heap, kml_job_fn fn, void *data);
struct kml_worker *kml_crew_first(void);
unsigned int kml_crew_size(void);
bool kml_crew_has(const struct task_struct *task);
bool kml_stopped(void);
void kml_sleep(unsigned int msecs);
/* Workers: let others run. Return: true if the scan is to end. */
bool kml_pause(void);

/* === Objects: heap.c, areas.c =========================================== */

enum kml_area_kind {
	KML_AREA_LARGE,		/* kmalloc() by pages */
	KML_AREA_VMALLOC,
	KML_AREA_PERCPU,
};

/**
 * struct kml_area - an object that is not in a slab
 * @start: of what points to it; a per-CPU pointer for KML_AREA_PERCPU
 * @size: in bytes
 * @vm: address of its struct vm_struct, or 0
 * @pages: address of its array of addresses of struct pages, or 0
 * @from: bytes at its start that are not read
 * @kind: see above
 */
struct kml_area {
	unsigned long start;
	unsigned long size;
	unsigned long vm;
	unsigned long pages;
	unsigned long from;
	enum kml_area_kind kind;
};

/* A slab: objects first .. first + nr - 1. Its address follows from @pfn. */
struct kml_slab_unit {
	u32 pfn;
	u32 first;
	u16 cache;
	u16 nr;
};

/* A range of bytes of an object that is not read. */
struct kml_special {
	u32 id;
	u32 from;
	u32 len;
};

struct kml_cache_unit {
	struct kml_cache c;
	unsigned long slots;
	unsigned long used;
};

/* A page in kml_heap.pages: one of these, or a slab, or an area. */
#define KML_PAGE_SKIP	0U
#define KML_PAGE_ROOT	1U
#define KML_PAGE_SLAB	2U		/* + index of the slab */
#define KML_PAGE_AREA	0x80000000U	/* + index of the area, of large kmalloc() */
#define KML_PAGE_OWNED	0x7fffffffU	/* of an area in vmalloc space */

#define KML_TABLE_PAGES	(PAGE_SIZE / sizeof(u32))
#define KML_NONE	(~0UL)

/**
 * struct kml_heap - the objects and roots at the time of a pass
 *
 * An object is known by its number: slots of slabs in the order of addresses, then
 * areas. A unit is what is queued and read at a time: a slab or an area; areas follow
 * slabs.
 *
 * @layout: of the kernel
 * @chunk: of struct pcpu_chunk
 * @direct_map: address of physical address 0
 * @max_pfn: the first page that does not exist
 * @tables: for each page what it is, in tables of KML_TABLE_PAGES
 * @nr_tables: number of these
 * @slabs: by address
 * @nr_slabs: number of these
 * @room_slabs: for how many there is room
 * @caches: in no order
 * @nr_caches: number of these
 * @room_caches: for how many there is room
 * @last_cache: the last one that was looked up
 * @areas: by address in each of two groups: direct map and vmalloc first, then per-CPU
 * @nr_areas: number of these
 * @room_areas: for how many there is room
 * @nr_slots: slots of slabs
 * @nr_used: objects that are allocated
 * @used: bit for each object: it is allocated
 * @marked: bit for each object: roots lead to it
 * @grey: bit for each object: marked, and not read yet
 * @is_special: bit for each object: only a part is read
 * @queued: bit for each unit: it is in @queue
 * @special: these parts, by number
 * @nr_special: number of these
 * @room_special: for how many there is room
 * @always: objects that need no reference
 * @nr_always: number of these
 * @room_always: for how many there is room
 * @queue: units with grey objects
 * @classes: pages of each class
 * @bad: free lists that changed while they were read
 * @complete: false: memory did not suffice, and the pass has no result
 * @left_out: slots of slabs that are roots, since there was no memory for more
 * @in_sheaves: objects that are free in sheaves and on CPUs
 * @direct_min: lowest address of an object in the direct map
 * @direct_max: last one
 * @vmalloc_min: lowest address of a vmalloc block
 * @vmalloc_max: last one
 * @percpu_min: lowest per-CPU pointer to a block
 * @percpu_max: last one
 */
struct kml_heap {
	const struct kml_layout *layout;
	const struct kml_chunk_layout *chunk;
	unsigned long direct_map;
	unsigned long max_pfn;
	u32 **tables;
	unsigned long nr_tables;
	struct kml_slab_unit *slabs;
	size_t nr_slabs, room_slabs;
	struct kml_cache_unit *caches;
	size_t nr_caches, room_caches, last_cache;
	struct kml_area *areas;
	size_t nr_areas, room_areas;
	unsigned long nr_slots;
	unsigned long nr_used;
	unsigned long *used, *marked, *grey, *is_special, *queued;
	struct kml_special *special;
	size_t nr_special, room_special;
	u32 *always;
	size_t nr_always, room_always;
	u32 *queue;
	unsigned long classes[KML_NR_FRAME_CLASSES];
	atomic_long_t bad;
	atomic_long_t in_sheaves;
	bool complete;
	unsigned long left_out;
	unsigned long direct_min, direct_max;
	unsigned long vmalloc_min, vmalloc_max;
	unsigned long percpu_min, percpu_max;
};

int kml_heap_load(struct kml_heap *heap, const struct kml_layout *layout,
		  const struct kml_chunk_layout *chunk);
void kml_heap_free(struct kml_heap *heap);
u32 kml_heap_page(const struct kml_heap *heap, unsigned long pfn);
bool kml_heap_set_page(struct kml_heap *heap, unsigned long pfn, u32 value);
void kml_heap_skip_own(struct kml_heap *heap);
unsigned long kml_heap_slot(const struct kml_heap *heap, unsigned long addr);
unsigned long kml_heap_find(const struct kml_heap *heap, unsigned long word,
			    unsigned long *unit);
unsigned long kml_heap_find_percpu(const struct kml_heap *heap, unsigned long word);
unsigned long kml_heap_unit(const struct kml_heap *heap, unsigned long id);
unsigned long kml_heap_addr(const struct kml_heap *heap, unsigned long id);
unsigned long kml_heap_size(const struct kml_heap *heap, unsigned long id);
const char *kml_heap_cache_name(const struct kml_heap *heap, unsigned long id);
bool kml_heap_no_read(struct kml_heap *heap, unsigned long addr, u32 from, u32 len);
struct kml_area *kml_heap_add_area(struct kml_heap *heap, enum kml_area_kind kind,
				   unsigned long start, unsigned long size);
unsigned long kml_slab_start(const struct kml_heap *heap, const struct kml_slab_unit *slab);

static inline const struct kml_area *kml_heap_area(const struct kml_heap *heap,
						   unsigned long id)
{
	return &heap->areas[id - heap->nr_slots];
}

int kml_areas_load(struct kml_heap *heap);
int kml_areas_special(struct kml_heap *heap);
void kml_areas_free(void);
const void *kml_area_caller(const struct kml_area *area);
unsigned long kml_area_page(const struct kml_heap *heap, const struct kml_area *area,
			    unsigned long nr);

/* === Marking: mark.c ==================================================== */

int kml_mark(struct kml_heap *heap);
void kml_refs_of(struct kml_worker *w, unsigned long id);
bool kml_object_read(const struct kml_heap *heap, unsigned long id, unsigned long off,
		     void *buf, size_t len);

/* === Suppressions: suppress.c =========================================== */

int kml_rules_init(void);
int kml_rules_add(const char *text);
void kml_rules_free(void);
bool kml_rules_match(const struct kml_heap *heap, unsigned long id);
void kml_rules_begin(void);
void kml_rules_each(void (*fn)(void *data, const char *text, unsigned long nr), void *data);

/* === Leaks: leaks.c ===================================================== */

#define KML_LEAK_BYTES	32	/* of content, in the report */
#define KML_LEAK_OWNERS	4

/**
 * struct kml_leak - a block that nobody refers to
 * @not_addr: its address, inverted
 * @size: in bytes
 * @id: of the object, in the heap of the last pass
 * @sum: CRC-32 of its content
 * @head: index of the leak that retains it; its own: it is a head
 * @group: index of its group
 * @nr_retained: of a head, blocks that it retains, with itself
 * @retained: of a head, their bytes
 * @kind: of area, or -1
 * @len: bytes in @content
 * @content: its first bytes
 */
struct kml_leak {
	unsigned long not_addr;
	unsigned long size;
	unsigned long retained;
	u32 id;
	u32 sum;
	u32 head;
	u32 group;
	u32 nr_retained;
	s8 kind;
	u8 len;
	u8 content[KML_LEAK_BYTES];
};

/**
 * struct kml_group - leaks of one cache and size whose first words look alike
 * @look: hash of what they have in common
 * @nr: number of leaks
 * @bytes: of these
 * @heads: how many of them are heads
 * @retained: bytes that these retain
 * @sample: index of one of them
 * @name: of their cache
 * @owner: addresses of symbols of the kernel that the sample points to
 * @at: where it does
 * @nr_owners: number of these
 * @caller: of vmalloc(), for such a block
 */
struct kml_group {
	u64 look;
	unsigned long nr, bytes, heads, retained;
	u32 sample;
	char name[KML_CACHE_NAME];
	unsigned long owner[KML_LEAK_OWNERS];
	u16 at[KML_LEAK_OWNERS];
	u8 nr_owners;
	const void *caller;
};

/**
 * struct kml_report - all that a scan says
 * @leaks: by address
 * @nr: number of these
 * @room: for how many there is room
 * @groups: most retained bytes first
 * @nr_groups: number of these
 * @room_groups: for how many there is room
 * @bytes: of leaks
 * @heads: leaks that no other leak refers to
 * @objects: that were looked at
 * @slots: of their slabs
 * @caches: of these
 * @areas: objects of each kind of area
 * @in_sheaves: slots that are free in sheaves and on CPUs
 * @bad: free lists that changed while they were read
 * @words: read
 * @msecs: that the scan took
 * @classes: pages of each class
 * @passes: that were completed
 * @workers: that took part
 * @suspects: unreferenced in the first pass
 * @metadata: bytes that the scan needed
 * @left_out: slots of slabs for which there was no memory
 * @cut: suspects for which there was no memory
 * @err: 0; -EINTR: the scan was stopped; -ENOMEM: no memory at all
 * @done: there was a scan
 */
struct kml_report {
	struct kml_leak *leaks;
	size_t nr, room;
	struct kml_group *groups;
	size_t nr_groups, room_groups;
	unsigned long bytes, heads;
	unsigned long objects, slots, caches, areas[KML_AREA_PERCPU + 1];
	unsigned long in_sheaves, bad, words, msecs;
	unsigned long classes[KML_NR_FRAME_CLASSES];
	unsigned long suspects, metadata, left_out, cut;
	unsigned int passes, workers;
	int err;
	bool done;
};

int kml_leaks_scan(struct kml_report *report, const struct kml_layout *layout,
		   const struct kml_chunk_layout *chunk, unsigned int passes);
void kml_leaks_free(struct kml_report *report);

/* === Text: text.c ======================================================= */

void kml_text_summary(struct seq_file *seq, const struct kml_report *report);
void kml_text_leak(struct seq_file *seq, const struct kml_report *report, size_t nr);

/* === Control: control.c ================================================= */

int kml_control_init(void);
void kml_control_exit(void);

/* === Scans: main.c ====================================================== */

int kml_scan_run(void);
int kml_scan_wait(void);
void kml_scan_stop(void);
int kml_scan_rule(const char *text);
void kml_report_clear(void);
/* The report stays until kml_report_put(). */
const struct kml_report *kml_report_get(void);
void kml_report_put(void);

#endif /* _KMEMLEAK_ONESHOT_H */
