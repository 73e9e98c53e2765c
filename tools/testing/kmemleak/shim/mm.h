/* SPDX-License-Identifier: GPL-2.0-only */
/* GFP flags, slab, pages, zones, sections, sanitizer hooks. */
#ifndef _SHIM_MM_H
#define _SHIM_MM_H

#include "sched.h"

#define PAGE_SHIFT	CONFIG_PAGE_SHIFT
#define PAGE_SIZE	(1UL << PAGE_SHIFT)
#define PAGE_MASK	(~(PAGE_SIZE - 1))
#define offset_in_page(p) ((unsigned long)(p) & ~PAGE_MASK)
#define PAGE_ALIGN(a)	ALIGN(a, PAGE_SIZE)
#define PAGE_ALIGNED(a)	IS_ALIGNED((unsigned long)(a), PAGE_SIZE)
#define PHYS_PFN(x)	((unsigned long)((x) >> PAGE_SHIFT))
#define PFN_PHYS(x)	((phys_addr_t)(x) << PAGE_SHIFT)
#define PFN_UP(x)	(((x) + PAGE_SIZE - 1) >> PAGE_SHIFT)
#define PFN_DOWN(x)	((x) >> PAGE_SHIFT)
#define MAX_PAGE_ORDER	10
#define PAGES_PER_SECTION 0x8000UL

#define __GFP_DMA	0x01u
#define __GFP_HIGHMEM	0x02u
#define __GFP_IO	0x40u
#define __GFP_FS	0x80u
#define __GFP_ZERO	0x100u
#define __GFP_DIRECT_RECLAIM 0x400u
#define __GFP_KSWAPD_RECLAIM 0x800u
#define __GFP_RECLAIM	(__GFP_DIRECT_RECLAIM | __GFP_KSWAPD_RECLAIM)
#define __GFP_NOWARN	0x2000u
#define __GFP_RETRY_MAYFAIL 0x4000u
#define __GFP_NOFAIL	0x8000u
#define __GFP_NORETRY	0x10000u
#define __GFP_MEMALLOC	0x20000u
#define __GFP_COMP	0x40000u
#define __GFP_NOMEMALLOC 0x80000u
#define __GFP_HARDWALL	0x100000u
#define __GFP_THISNODE	0x200000u
#define __GFP_ACCOUNT	0x400000u
#define __GFP_HIGH	0x20u
#define __GFP_NOLOCKDEP	0x800000u
#define GFP_ATOMIC	(__GFP_HIGH | __GFP_KSWAPD_RECLAIM)
#define GFP_NOWAIT	(__GFP_KSWAPD_RECLAIM | __GFP_NOWARN)
#define GFP_KERNEL	(__GFP_RECLAIM | __GFP_IO | __GFP_FS)
#define GFP_NOIO	(__GFP_RECLAIM)
#define GFP_NOFS	(__GFP_RECLAIM | __GFP_IO)
#define GFP_USER	(GFP_KERNEL | __GFP_HARDWALL)
#define GFP_KERNEL_ACCOUNT (GFP_KERNEL | __GFP_ACCOUNT)

static inline bool gfpflags_allow_blocking(gfp_t gfp)
{
	return gfp & __GFP_DIRECT_RECLAIM;
}

static inline gfp_t gfp_nested_mask(gfp_t gfp)
{
	return (gfp & (GFP_KERNEL | GFP_ATOMIC | __GFP_NOLOCKDEP)) |
	       __GFP_NORETRY | __GFP_NOMEMALLOC | __GFP_NOWARN;
}

#define SLAB_NOLEAKTRACE 0x1u
#define SLAB_PANIC	0x2u
#define SLAB_HWCACHE_ALIGN 0x4u
#define SLAB_TYPESAFE_BY_RCU 0x8u
#define SLAB_ACCOUNT	0x10u
#define SLAB_NO_MERGE	0x20u
#define SLAB_RECLAIM_ACCOUNT 0x40u
#define KMALLOC_MAX_SIZE (1UL << 22)
#define KMALLOC_MAX_CACHE_SIZE (1UL << 13)
#define ARCH_KMALLOC_MINALIGN 8
#define KMALLOC_MIN_SIZE 8
#define ZERO_SIZE_PTR	((void *)16)
#define ZERO_OR_NULL_PTR(p) ((unsigned long)(p) <= (unsigned long)ZERO_SIZE_PTR)

struct kmem_cache;
struct kmem_cache *shim_cache_create(const char *name, size_t size, size_t align,
				     slab_flags_t flags, void (*ctor)(void *));
void *shim_cache_alloc(struct kmem_cache *c, gfp_t gfp);
void kmem_cache_free(struct kmem_cache *c, void *p);
void kmem_cache_destroy(struct kmem_cache *c);
unsigned int kmem_cache_size(struct kmem_cache *c);
#define kmem_cache_create(n, s, a, f, c) shim_cache_create(n, s, a, f, c)
#define KMEM_CACHE(s, f) shim_cache_create(#s, sizeof(struct s), __alignof__(struct s), f, NULL)
#define kmem_cache_alloc(c, g) shim_cache_alloc(c, g)
#define kmem_cache_alloc_noprof(c, g) shim_cache_alloc(c, g)
#define kmem_cache_alloc_node(c, g, n) shim_cache_alloc(c, g)
#define kmem_cache_alloc_node_noprof(c, g, n) shim_cache_alloc(c, g)
#define kmem_cache_zalloc(c, g) shim_cache_alloc(c, (g) | __GFP_ZERO)
#define kmem_cache_shrink(c) ((void)(c), 0)
int kmem_cache_alloc_bulk(struct kmem_cache *c, gfp_t gfp, size_t n, void **p);
void kmem_cache_free_bulk(struct kmem_cache *c, size_t n, void **p);

void *shim_kmalloc(size_t n, gfp_t gfp);
void kfree(const void *p);
size_t ksize(const void *p);
#define kmalloc(n, g)	shim_kmalloc(n, g)
#define kmalloc_noprof(n, g) shim_kmalloc(n, g)
#define kmalloc_node(n, g, d) shim_kmalloc(n, g)
#define kzalloc(n, g)	shim_kmalloc(n, (g) | __GFP_ZERO)
#define kzalloc_node(n, g, d) kzalloc(n, g)
#define kmalloc_array(n, s, g) shim_kmalloc(size_mul(n, s), g)
#define kcalloc(n, s, g) shim_kmalloc(size_mul(n, s), (g) | __GFP_ZERO)
#define kvmalloc(n, g)	shim_kmalloc(n, g)
#define kvzalloc(n, g)	kzalloc(n, g)
#define kvmalloc_node(n, g, d) shim_kmalloc(n, g)
#define kvzalloc_node(n, g, d) kzalloc(n, g)
#define kvmalloc_array(n, s, g) kmalloc_array(n, s, g)
#define kvcalloc(n, s, g) kcalloc(n, s, g)
#define kvfree(p)	kfree(p)
#define kfree_sensitive(p) kfree(p)
#define kvfree_sensitive(p, n) kfree(p)
/* Zeroed pages, between pages that cannot be accessed. */
void *vmalloc(size_t n);
void vfree(const void *p);
void *krealloc(const void *p, size_t n, gfp_t gfp);
char *kstrdup(const char *s, gfp_t gfp);
char *kasprintf(gfp_t gfp, const char *fmt, ...) __printf(2, 3);
#define kmalloc_obj(o, g...) ((typeof(o) *)kmalloc(sizeof(o), GFP_KERNEL))
#define kzalloc_obj(o, g...) ((typeof(o) *)kzalloc(sizeof(o), GFP_KERNEL))
unsigned long __get_free_pages(gfp_t gfp, unsigned int order);
void free_pages(unsigned long addr, unsigned int order);
#define __get_free_page(g) __get_free_pages(g, 0)
#define get_zeroed_page(g) __get_free_pages((g) | __GFP_ZERO, 0)
#define free_page(a)	free_pages(a, 0)
#define alloc_pages_exact(n, g) shim_kmalloc(n, g)
#define free_pages_exact(p, n) kfree(p)
void *memblock_alloc(phys_addr_t size, phys_addr_t align);
#define SMP_CACHE_ALIGN(x) ALIGN(x, 64)
#define is_vmalloc_addr(p) ((unsigned long)(p) - W_VMALLOC < W_VMALLOC_SIZE)

/* Bytes allocated from caches and by kmalloc(), without the allocator's overhead. */
struct shim_mem_usage {
	long bytes, blocks, allocs;
};

struct shim_mem_usage shim_mem_usage(void);

/* Fault injection, over all caches and kmalloc(). */
struct shim_mem {
	long fail_nth;			/* 1: the next one fails, then none */
	unsigned int fail_permille;	/* and at random, with this */
	u64 fail_seed;
	long fail_after;		/* -1, or the number of allocations that still succeed */
	long failed;
	bool fail_atomic_only;
	bool never;			/* suspended */
	size_t fail_above;		/* 0, or kmalloc() of more fails */
	const char *fail_cache;		/* only in caches with this in their names */
};

extern struct shim_mem shim_mem;
/* Is the slab up? Allocations before that are a bug. */
extern bool shim_slab_up;

/* A vmalloc area: the fields that kmemleak_vmalloc() reads. */
struct vm_struct {
	union {
		struct vm_struct *next;
		unsigned long unused;
	};
	void *addr;
	unsigned long size;
	unsigned long flags;
};

/* The memory map. */
struct zone {
	unsigned long zone_start_pfn;
	unsigned long spanned_pages;
	unsigned long present_pages;
	int index;
	int node;
	const char *name;
};

struct page {
	unsigned long flags;		/* the zone, as in the kernel */
	union {
		unsigned long word[__SIZEOF_LONG__ == 8 ? 5 : 12];
		struct {
			unsigned long lru[2];
			void *mapping;
		};
	};
	int mapcount;
	int refcount;
	unsigned long memcg;
};

#define SHIM_NR_ZONES	3
extern struct zone shim_zones[SHIM_NR_ZONES];
extern unsigned long min_low_pfn, max_low_pfn, max_pfn;
struct page *pfn_to_online_page(unsigned long pfn);
#define zone_end_pfn(z)	((z)->zone_start_pfn + (z)->spanned_pages)
#define zone_spans_pfn(z, p) ((p) - (z)->zone_start_pfn < (z)->spanned_pages)
#define zone_to_nid(z)	((z)->node)
#define zone_idx(z)	((unsigned int)(z)->index)
#define MAX_NR_ZONES	SHIM_NR_ZONES
#define populated_zone(z) ((z)->present_pages != 0)
#define for_each_zone(z) for ((z) = shim_zones; (z) < shim_zones + SHIM_NR_ZONES; (z)++)
#define for_each_populated_zone(z) for_each_zone(z) if (populated_zone(z))
#define page_zone(p)	(&shim_zones[(p)->flags >> (BITS_PER_LONG - 2)])
#define page_count(p)	READ_ONCE((p)->refcount)
#define page_ref_count(p) page_count(p)
/* W_VMEMMAP, unless world_many_pages() has moved it */
extern struct page *shim_vmemmap;
#define pfn_to_page(n)	(shim_vmemmap + (n))
#define page_to_pfn(p)	((unsigned long)((p) - shim_vmemmap))
/* The address of a page in the direct map. */
#define page_address(p)	((void *)(W_PHYSMAP + page_to_pfn(p) * PAGE_SIZE))
#define page_to_virt(p)	page_address(p)
#define PageHighMem(p)	((void)(p), false)
/* Pages of the heap are reserved, except those that a test has taken. */
#define PageReserved(p) (page_to_pfn(p) - shim_untracked_pfn >= shim_untracked_nr)
extern unsigned long shim_untracked_pfn, shim_untracked_nr;
/* Free blocks, made by world_free_block(): the first page has the order. */
#define SHIM_BUDDY	0x100
#define PageBuddy(p)	(READ_ONCE((p)->mapcount) >= SHIM_BUDDY)
#define page_private(p)	((unsigned long)READ_ONCE((p)->mapcount) - SHIM_BUDDY)
#define PageOffline(p)	((void)(p), false)
#define PageLRU(p)	((void)(p), false)
#define PageHead(p)	((void)(p), false)
#define compound_head(p) (p)
#define compound_order(p) ((void)(p), 0)
#define page_has_type(p) PageBuddy(p)
static inline void drain_all_pages(struct zone *zone) { }
#define virt_to_head_page(v) pfn_to_page(0 * (unsigned long)(v))
#define vmalloc_to_page(v) ((void)(v), (struct page *)NULL)
#define per_cpu_ptr_to_phys(p) ((void)(p), (phys_addr_t)0)
#define is_vmalloc_or_module_addr(p) is_vmalloc_addr(p)
#define totalram_pages() (W_PHYS_SIZE / PAGE_SIZE)
#define global_node_page_state_pages(item) 0UL
#define pcpu_nr_pages()	0UL
#define PageHWPoison(p)	((void)(p), false)
#define is_page_hwpoison(p) PageHWPoison(p)
#define pfn_is_unaccepted_memory(n) ((void)(n), false)
/*
 * A sweep of all memory copies the heap, which is not at page_address(). Programs store
 * pointers to the heap in struct pages; if the heap were the memory of these pages, ours
 * would not take the pointers for references, and stock would.
 */
#define kmap_local_page(p) ((void *)(W_HEAP + page_to_pfn(p) * PAGE_SIZE))
#define kunmap_local(a)	((void)(a))
#define pfn_valid(n)	(!!pfn_to_online_page(n))
extern bool shim_mems_blocked;
extern long shim_mems_readers, shim_mems_most_polls;
bool try_get_online_mems(void);
void get_online_mems(void);
void put_online_mems(void);
void mem_hotplug_begin(void);
void mem_hotplug_done(void);
#define PAGE_OFFSET	W_PHYSMAP
#define __va(x)		((void *)((unsigned long)(x) + PAGE_OFFSET))
#define __pa(x)		((unsigned long)(x) - PAGE_OFFSET)
#define phys_to_virt(x)	__va(x)
#define page_to_phys(p)	((phys_addr_t)page_to_pfn(p) << PAGE_SHIFT)
#define virt_to_phys(x)	((phys_addr_t)__pa(x))

/* Of mm/slab.h: no page belongs to a slab. */
struct slab {
	const struct {
		const char *name;
	} *slab_cache;
};

static inline const struct slab *virt_to_slab(const void *p)
{
	return NULL;
}

/* Blocks of the heap lie in the pages that kmap_local_page() maps. */
#define virt_addr_valid(x) ((unsigned long)(x) - W_HEAP < W_HEAP_SIZE)
#define virt_to_page(x)	pfn_to_page(((unsigned long)(x) - W_HEAP) / PAGE_SIZE)
#define max_low_pfn_mapped max_low_pfn

/* Kernel data has no symbols, and there is no text. */
#define __is_kernel(a)		((unsigned long)(a) - W_DATA < W_RO + W_RO_SIZE - W_DATA)
#define is_module_address(a)	false
#define __kernel_text_address(a) false

/* Sections: those of this program, or arrays at fixed addresses. */
#ifdef SHIM_OWN_SECTIONS
extern char shim_sdata[] __asm__("__data_start"), shim_edata[] __asm__("_edata");
extern char shim_sbss[] __asm__("__bss_start"), shim_ebss[] __asm__("_end");
/* Other names: the compiler warns of a comparison of two arrays. */
extern char shim_sro[] __asm__("__data_start"), shim_ero[] __asm__("_edata");
#define _sdata		shim_sdata
#define _edata		shim_edata
#define __bss_start	shim_sbss
#define __bss_stop	shim_ebss
#define __start_ro_after_init shim_sro
#define __end_ro_after_init shim_ero
#else
#define __shim_section(a) (*(char (*)[SHIM_ANY_SIZE])(a))
#define _sdata		__shim_section(W_DATA)
#define _edata		__shim_section(W_DATA + W_DATA_SIZE)
#define __bss_start	__shim_section(W_BSS)
#define __bss_stop	__shim_section(W_BSS + W_BSS_SIZE)
#define __start_ro_after_init __shim_section(W_RO)
#define __end_ro_after_init __shim_section(W_RO + W_RO_SIZE)
#endif
#define VMALLOC_START	W_VMALLOC
#define VMALLOC_END	(W_VMALLOC + W_VMALLOC_SIZE)

/* No sanitizers of the kernel; tags only if a test wants them. */
#ifdef SHIM_KASAN_TAGS
#define kasan_reset_tag(p) ((void *)((long)((unsigned long)(p) << 8) >> 8))
#else
#define kasan_reset_tag(p) ((void *)(p))
#endif
#define kasan_disable_current() do { } while (0)
#define kasan_enable_current() do { } while (0)
#if SHIM_TSAN
/* memcpy() is TSan's, and attributes of the caller have no effect on it */
void AnnotateIgnoreReadsBegin(const char *file, int line);
void AnnotateIgnoreReadsEnd(const char *file, int line);
#define kcsan_disable_current() AnnotateIgnoreReadsBegin(__FILE__, __LINE__)
#define kcsan_enable_current() AnnotateIgnoreReadsEnd(__FILE__, __LINE__)
#else
#define kcsan_disable_current() do { } while (0)
#define kcsan_enable_current() do { } while (0)
#endif
#define kmsan_unpoison_memory(p, n) do { } while (0)
#define kasan_set_tag(p, t) ((void)(t), (p))
#define get_tag(p)	((u8)((unsigned long)(p) >> 56))
/* A test may name one KFENCE object: its size overrides the caller's. */
extern unsigned long shim_kfence_addr;
extern size_t shim_kfence_size;
#define kfence_ksize(p) ((unsigned long)(p) == shim_kfence_addr ? shim_kfence_size : 0)
#define is_kfence_address(p) ((unsigned long)(p) == shim_kfence_addr)

/* Memory that has no mapping. */
extern unsigned long shim_unmapped, shim_unmapped_len;
long copy_from_kernel_nofault(void *dst, const void *src, size_t n);
#define get_kernel_nofault(v, p) copy_from_kernel_nofault(&(v), (p), sizeof(v))

/* The interface under test. */
void kmemleak_init(void);
void kmemleak_alloc(const void *ptr, size_t size, int min_count, gfp_t gfp);
void kmemleak_alloc_percpu(const void *ptr, size_t size, gfp_t gfp);
void kmemleak_vmalloc(const struct vm_struct *area, size_t size, gfp_t gfp);
void kmemleak_free(const void *ptr);
void kmemleak_free_part(const void *ptr, size_t size);
void kmemleak_free_percpu(const void *ptr);
void kmemleak_update_trace(const void *ptr);
void kmemleak_not_leak(const void *ptr);
void kmemleak_transient_leak(const void *ptr);
void kmemleak_ignore(const void *ptr);
void kmemleak_ignore_percpu(const void *ptr);
void kmemleak_scan_area(const void *ptr, size_t size, gfp_t gfp);
void kmemleak_no_scan(const void *ptr);
void kmemleak_alloc_phys(phys_addr_t phys, size_t size, gfp_t gfp);
void kmemleak_free_part_phys(phys_addr_t phys, size_t size);
void kmemleak_ignore_phys(phys_addr_t phys);
#define kmemleak_erase(p) (*(p) = NULL)

#endif /* _SHIM_MM_H */
