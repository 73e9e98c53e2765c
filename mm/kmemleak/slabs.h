/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Other people's memory, read by layouts that were looked up: which objects of slab
 * caches are allocated (slabs.c), and what the pages are used for (pages.c).
 *
 * The module reads the memory of its own kernel with these files, tools/mm/kmemleak
 * that of a memory image. Neither has the definitions of the structures: those of
 * SLUB are private, and an image may be of any kernel. So members are found by a
 * struct kml_layout, which comes from BTF, and memory is read through a struct
 * kml_memory. All values read are checked before use: they may be torn, or damaged.
 */
#ifndef _MM_KMEMLEAK_SLABS_H
#define _MM_KMEMLEAK_SLABS_H

#include "os.h"

/* === Layouts ============================================================ */

/*
 * Members that are read, as KML_structure__member; kml_fields[] in slabs.c has their
 * names and tells which of them every kernel has. A member may be inside of an unnamed
 * structure or union.
 */
enum kml_field_id {
	KML_page__flags,
	KML_page__mapping,
	KML_page__private,
	KML_page__page_type,
	KML_page___refcount,
	KML_page__compound_head,	/* 6.x */
	KML_page__compound_info,	/* 7.x */
	KML_page__compound_order,	/* 6.1 */
	KML_folio___folio_order,	/* 6.1 */
	KML_folio___flags_1,	/* since 6.6 */
	KML_slab__slab_cache,
	KML_slab__freelist,
	KML_slab__objects,
	KML_slab__next,	/* 6.x */
	KML_kmem_cache__flags,
	KML_kmem_cache__size,
	KML_kmem_cache__object_size,
	KML_kmem_cache__offset,
	KML_kmem_cache__red_left_pad,	/* SLUB_DEBUG */
	KML_kmem_cache__name,
	KML_kmem_cache__random,	/* hardened */
	KML_kmem_cache__cpu_slab,	/* 6.x */
	KML_kmem_cache__cpu_sheaves,	/* 7.x */
	KML_kmem_cache__node,
	KML_kmem_cache__per_node,	/* 7.x */
	KML_kmem_cache_cpu__freelist,
	KML_kmem_cache_cpu__slab,
	KML_slub_percpu_sheaves__main,
	KML_slub_percpu_sheaves__spare,
	KML_slub_percpu_sheaves__rcu_free,
	KML_slab_sheaf__cache,
	KML_slab_sheaf__size,
	KML_slab_sheaf__objects,
	KML_kmem_cache_per_node_ptrs__barn,
	KML_node_barn__sheaves_full,
	KML_node_barn__sheaves_empty,
	KML_kfence_metadata__state,	/* KFENCE */
	KML_kfence_metadata__addr,
	KML_kfence_metadata__size,
	KML_kfence_metadata__cache,
	KML_NR_FIELDS,
};

/* Structures whose size is needed. */
enum kml_struct_id {
	KML_SIZE_page,
	KML_SIZE_kmem_cache_per_node_ptrs,
	KML_SIZE_kfence_metadata,
	KML_NR_STRUCTS,
};

/*
 * Numbers of enumerations. Page flags are bit numbers; page types are those of the
 * top byte of page_type (PGTY_*, since 6.12). 6.1 has bits instead, which are macros
 * and in no BTF; VMCOREINFO tells the value of two.
 */
enum kml_number_id {
	KML_NR_PG_reserved,
	KML_NR_PG_lru,
	KML_NR_PG_head,
	KML_NR_PG_hwpoison,	/* MEMORY_FAILURE */
	KML_NR_PG_slab,	/* until 6.9 */
	KML_NR_PGTY_buddy,
	KML_NR_PGTY_offline,
	KML_NR_PGTY_table,
	KML_NR_PGTY_guard,
	KML_NR_PGTY_hugetlb,
	KML_NR_PGTY_slab,
	KML_NR_PGTY_zsmalloc,	/* 6.12 */
	KML_NR_PGTY_unaccepted,	/* 6.12 */
	KML_NR_PGTY_large_kmalloc,	/* 6.14 */
	KML_NR_KFENCE_OBJECT_ALLOCATED,
	KML_NR_NUMBERS,
};

/**
 * struct kml_wanted - what a layout has to be asked for
 * @type: name of a structure, or of a constant
 * @member: name of a member, or NULL
 * @must: every kernel has it; of the others, kml_layout_check() knows which belong
 *	together
 */
struct kml_wanted {
	const char *type;
	const char *member;
	bool must;
};

extern const struct kml_wanted kml_fields[KML_NR_FIELDS];
extern const struct kml_wanted kml_structs[KML_NR_STRUCTS];
extern const struct kml_wanted kml_numbers[KML_NR_NUMBERS];

/**
 * struct kml_field - where a member is
 * @off: bytes from the start of the structure to the word that holds it
 * @bytes: size of that word: 1, 2, 4 or 8; larger for arrays and structures. 0: there
 *	is no such member
 * @shift: lowest bit of a bit field in the word
 * @bits: bits of a bit field; 0: the member is no bit field
 */
struct kml_field {
	u32 off;
	u32 bytes;
	u8 shift;
	u8 bits;
};

/**
 * struct kml_layout - how a kernel's structures are laid out
 * @field: by enum kml_field_id
 * @size: of structures in bytes, by enum kml_struct_id; 0: there is none
 * @number: by enum kml_number_id
 * @known: is that number defined?
 * @page_shift: log2 of the size of a page
 * @max_order: order of the largest free block
 * @type_buddy: without PGTY_*: value of page_type of a free block
 * @type_offline: without PGTY_*: value of page_type of a page that is offline
 * @types: @type_buddy and @type_offline are known
 */
struct kml_layout {
	struct kml_field field[KML_NR_FIELDS];
	u32 size[KML_NR_STRUCTS];
	u32 number[KML_NR_NUMBERS];
	bool known[KML_NR_NUMBERS];
	unsigned int page_shift;
	unsigned int max_order;
	u32 type_buddy;
	u32 type_offline;
	bool types;
};

/* Has a kernel this member? */
#define kml_has(layout, s, m)	((layout)->field[KML_##s##__##m].bytes != 0)

const char *kml_layout_check(const struct kml_layout *layout);

/* === Memory ============================================================= */

/**
 * struct kml_memory - memory of a kernel
 * @layout: of its structures
 * @read: copy @len bytes at virtual address @addr to @buf. Return: false, without
 *	anything said, if they are not there
 * @percpu: offset of a CPU's copy of per-CPU variables; false: there is no such CPU
 */
struct kml_memory {
	const struct kml_layout *layout;
	bool (*read)(struct kml_memory *mem, unsigned long addr, void *buf, size_t len);
	bool (*percpu)(struct kml_memory *mem, unsigned int cpu, unsigned long *off);
};

u64 kml_field_of(const struct kml_layout *layout, enum kml_field_id id, const void *copy);
bool kml_field_read(struct kml_memory *mem, unsigned long addr, enum kml_field_id id,
		    u64 *value);

/* The value of a member in a copy of its structure. */
#define kml_in(layout, s, m, copy)	kml_field_of(layout, KML_##s##__##m, copy)
/* Read a member of the structure at an address. */
#define kml_get(mem, s, m, addr, value)	kml_field_read(mem, addr, KML_##s##__##m, value)

/* === Pages: pages.c ===================================================== */

/**
 * enum kml_frame_class - what a page is used for
 * @KML_FRAME_FREE: in a free block; not read
 * @KML_FRAME_SLAB: objects of slab caches
 * @KML_FRAME_LARGE: a large kmalloc()
 * @KML_FRAME_USER: user memory and page cache; not read
 * @KML_FRAME_TABLE: page table; not read
 * @KML_FRAME_ABSENT: offline (also given to a balloon), poisoned, not accepted, a
 *	guard page, compressed swap; must not be read, or holds nothing
 * @KML_FRAME_RESERVED: the kernel's image and boot-time memory; a root
 * @KML_FRAME_IN_USE: allocated by pages; a root
 */
enum kml_frame_class {
	KML_FRAME_FREE,
	KML_FRAME_SLAB,
	KML_FRAME_LARGE,
	KML_FRAME_USER,
	KML_FRAME_TABLE,
	KML_FRAME_ABSENT,
	KML_FRAME_RESERVED,
	KML_FRAME_IN_USE,
	/* private: how many there are */
	KML_NR_FRAME_CLASSES,
};

extern const char * const kml_frame_class_names[KML_NR_FRAME_CLASSES];

/**
 * struct kml_frame - what a struct page says
 * @class: what the page is used for
 * @order: of the block that begins here, if it is free, a slab or a large kmalloc()
 * @head: address of the struct page of the first page, if this is another page of a
 *	compound page; else 0
 */
struct kml_frame {
	enum kml_frame_class class;
	unsigned int order;
	unsigned long head;
};

void kml_frame_read(const struct kml_layout *layout, unsigned long addr, const void *copy,
		    const void *next, struct kml_frame *page);

/* === Slabs: slabs.c ===================================================== */

#define KML_CACHE_NAME	48	/* longer names are cut */

/**
 * struct kml_cache - a slab cache
 * @addr: of its struct kmem_cache
 * @size: from one object to the next, in bytes
 * @object_size: of an object, in bytes
 * @offset: of the free pointer in an object
 * @pad: bytes before an object (red zone)
 * @random: what free pointers are scrambled with, if @hardened
 * @hardened: free pointers are scrambled
 * @percpu: per-CPU pointer to what each CPU has
 * @name: ends with 0
 */
struct kml_cache {
	unsigned long addr;
	u32 size;
	u32 object_size;
	u32 offset;
	u32 pad;
	u64 random;
	bool hardened;
	unsigned long percpu;
	char name[KML_CACHE_NAME];
};

/**
 * struct kml_slab - the pages of a slab
 * @start: address of the first object, behind its red zone
 * @cache: address of its struct kmem_cache
 * @freelist: the first free object, or 0
 * @nr: number of objects
 */
struct kml_slab {
	unsigned long start;
	unsigned long cache;
	unsigned long freelist;
	unsigned int nr;
};

/**
 * struct kml_slab_sink - who is told about objects
 * @free: an object of a cache is free: it is on a free list or in a sheaf. Return:
 *	false if there is no such object; the rest of that list is then not believed
 * @sheaf: memory that holds addresses of free objects; what is behind its head are
 *	no references
 * @bad: free lists and sheaves that were not believed
 */
struct kml_slab_sink {
	bool (*free)(struct kml_slab_sink *sink, const struct kml_cache *cache,
		     unsigned long addr);
	void (*sheaf)(struct kml_slab_sink *sink, unsigned long addr, size_t head);
	unsigned long bad;
};

bool kml_cache_read(struct kml_memory *mem, unsigned long addr, struct kml_cache *cache);
bool kml_slab_read(const struct kml_layout *layout, const void *copy, struct kml_slab *slab);
void kml_slab_free_objects(struct kml_memory *mem, const struct kml_cache *cache,
			   const struct kml_slab *slab, struct kml_slab_sink *sink);
void kml_cache_free_objects(struct kml_memory *mem, const struct kml_cache *cache,
			    unsigned int cpus, unsigned int nodes,
			    struct kml_slab_sink *sink);

/**
 * struct kml_kfence - an object in KFENCE's pool
 * @addr: of its first byte
 * @size: in bytes, as it was asked for
 * @cache: address of its struct kmem_cache
 * @used: it is allocated
 */
struct kml_kfence {
	unsigned long addr;
	size_t size;
	unsigned long cache;
	bool used;
};

bool kml_kfence_read(struct kml_memory *mem, unsigned long metadata, unsigned long pool,
		     unsigned int i, struct kml_kfence *object);

#endif /* _MM_KMEMLEAK_SLABS_H */
