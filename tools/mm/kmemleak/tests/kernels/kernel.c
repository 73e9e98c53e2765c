// SPDX-License-Identifier: GPL-2.0-only
/*
 * The structures that kmemleak scan reads, for images that tests generate: compiled to
 * BTF with -DKERNEL=601, 612 or 703 for 6.1, 6.12 or 7.3. Members have the order of
 * those kernels; what is between them is left out, so that no offset is that of a
 * real kernel. -DWITHOUT_OFFSET leaves out a member that every kernel has.
 */

typedef unsigned int u32;
typedef unsigned long ulong;

struct list_head {
	struct list_head *next, *prev;
};

typedef struct {
	ulong f;
} memdesc_flags_t;

struct kmem_cache;
struct slab;

struct page {
#if KERNEL >= 703
	memdesc_flags_t flags;
#else
	ulong flags;
#endif
	union {
		struct {
			struct list_head lru;
			void *mapping;
			ulong index;
			ulong private;
		};
		struct {
#if KERNEL >= 703
			ulong compound_info;
#else
			ulong compound_head;
#endif
#if KERNEL < 612
			unsigned char compound_dtor;
			unsigned char compound_order;
#endif
		};
	};
	union {
		u32 page_type;
		int _mapcount;
	};
	int _refcount;
	ulong memcg_data;
};

struct folio {
	union {
		struct {
			ulong flags;
		};
		struct page page;
	};
	union {
		struct {
#if KERNEL >= 612
			ulong _flags_1;
			ulong _head_1;
#else
			ulong unused;
#endif
		};
		struct page __page_1;
	};
};

struct slab {
	ulong __page_flags;
#if KERNEL >= 612
	struct kmem_cache *slab_cache;
#endif
	union {
		struct {
			struct list_head slab_list;
			void *freelist;
			union {
				ulong counters;
				struct {
					unsigned int inuse:16;
					unsigned int objects:15;
					unsigned int frozen:1;
				};
			};
		};
	};
#if KERNEL < 612
	struct kmem_cache *slab_cache;
#endif
};

struct kmem_cache_cpu {
	void **freelist;
	ulong tid;
	struct slab *slab;
};

struct slab_sheaf {
	struct list_head barn_list;
	struct kmem_cache *cache;
	u32 size;
	int node;
	void *objects[];
};

struct slub_percpu_sheaves {
	int lock;
	struct slab_sheaf *main;
	struct slab_sheaf *spare;
	struct slab_sheaf *rcu_free;
};

struct node_barn {
	int lock;
	struct list_head sheaves_full;
	struct list_head sheaves_empty;
};

struct kmem_cache_per_node_ptrs {
	struct node_barn *barn;
	void *node;
};

struct kmem_cache {
#if KERNEL >= 703
	struct slub_percpu_sheaves *cpu_sheaves;
#else
	struct kmem_cache_cpu *cpu_slab;
#endif
	ulong flags;
	u32 size;
	u32 object_size;
#ifndef WITHOUT_OFFSET
	u32 offset;
#endif
	u32 red_left_pad;
	const char *name;
	ulong random;
#if KERNEL >= 703
	struct kmem_cache_per_node_ptrs per_node[1];
#else
	void *node[1];
#endif
};

#if KERNEL >= 612
enum pagetype {
	PGTY_buddy = 0xf0,
	PGTY_offline,
	PGTY_table,
	PGTY_guard,
	PGTY_hugetlb,
	PGTY_slab,
	PGTY_zsmalloc,
	PGTY_unaccepted,
#if KERNEL >= 703
	PGTY_large_kmalloc,
#endif
};
#endif

enum pageflags {
	PG_locked,
	PG_lru = 5,
	PG_head = 6,
#if KERNEL < 612
	PG_slab = 9,
#endif
	PG_reserved = 14,
	PG_hwpoison = 22,
};

struct page *a_page;
struct folio *a_folio;
struct slab *a_slab;
struct kmem_cache *a_cache;
struct kmem_cache_cpu *a_cpu;
struct slab_sheaf *a_sheaf;
struct slub_percpu_sheaves *sheaves;
struct node_barn *a_barn;
enum pageflags a_flag;
#if KERNEL >= 612
enum pagetype a_type;
#endif
