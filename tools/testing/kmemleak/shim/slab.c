// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory for the core. With sanitizers each block is allocated by malloc(), so that an
 * access after its free is noticed. Without them a cache has free lists for each thread,
 * so that benchmarks measure the core and not malloc().
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "../os.h"

#define SHIM_MAX_CACHES	64
#define SHIM_SLAB_BYTES	(1UL << 20)
#define SHIM_BATCH	64

struct kmem_cache {
	char name[32];
	size_t size, stride;
	unsigned int idx;
	bool destroyed;
	void (*ctor)(void *p);
	raw_spinlock_t lock;
	void *free;			/* chains of SHIM_BATCH */
	char *slab, *slab_end;
	long live;
};

struct shim_mem shim_mem = { .fail_after = -1 };
bool shim_slab_up = true;
unsigned long shim_untracked_pfn, shim_untracked_nr;

static struct kmem_cache shim_caches[SHIM_MAX_CACHES];
static unsigned int shim_nr_caches;

static bool shim_random_fail(void)
{
	u64 x = __atomic_add_fetch(&shim_mem.fail_seed, 0x9e3779b97f4a7c15ULL,
				   __ATOMIC_RELAXED);

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return (x >> 32) % 1000 < shim_mem.fail_permille;
}

static bool shim_should_fail(const char *name, gfp_t gfp)
{
	bool fail = false;

	if ((gfp & __GFP_NOFAIL) || shim_mem.never)
		return false;
	if (shim_mem.fail_atomic_only && gfpflags_allow_blocking(gfp))
		return false;
	if (shim_mem.fail_cache && !strstr(name, shim_mem.fail_cache))
		return false;
	if (READ_ONCE(shim_mem.fail_nth) > 0 &&
	    !__atomic_sub_fetch(&shim_mem.fail_nth, 1, __ATOMIC_RELAXED))
		fail = true;
	if (shim_mem.fail_permille && shim_random_fail())
		fail = true;
	if (shim_mem.fail_after >= 0 &&
	    __atomic_fetch_sub(&shim_mem.fail_after, 1, __ATOMIC_RELAXED) <= 0) {
		shim_mem.fail_after = 0;
		fail = true;
	}
	if (fail)
		__atomic_fetch_add(&shim_mem.failed, 1, __ATOMIC_RELAXED);
	return fail;
}

/* Counters of each thread: a shared one would slow down benchmarks. */
static void shim_account(long bytes)
{
	struct shim_thread *t = shim_self();

	WRITE_ONCE(t->mem_bytes, t->mem_bytes + bytes);
	if (bytes > 0)
		WRITE_ONCE(t->mem_allocs, t->mem_allocs + 1);
	else
		WRITE_ONCE(t->mem_frees, t->mem_frees + 1);
}

struct shim_mem_usage shim_mem_usage(void)
{
	struct shim_mem_usage u = { 0 };
	struct shim_thread *t;
	unsigned int i;

	for (i = 0; (t = shim_thread_nth(i)); i++) {
		u.bytes += READ_ONCE(t->mem_bytes);
		u.allocs += READ_ONCE(t->mem_allocs);
		u.blocks += READ_ONCE(t->mem_allocs) - READ_ONCE(t->mem_frees);
	}
	return u;
}

static void shim_alloc_context(gfp_t gfp)
{
	if (!shim_slab_up)
		shim_fatal("allocation before the slab is up");
	if (shim_strict)
		shim_no_raw_lock("allocation");
	if (gfpflags_allow_blocking(gfp))
		shim_might_sleep("sleeping allocation");
}

struct kmem_cache *shim_cache_create(const char *name, size_t size, size_t align,
				     slab_flags_t flags, void (*ctor)(void *))
{
	struct kmem_cache *c;

	shim_might_sleep("kmem_cache_create");
	if (!(flags & SLAB_NOLEAKTRACE))
		shim_fatal("cache %s would call back into kmemleak", name);
	if (!(flags & SLAB_PANIC) && shim_should_fail(name, GFP_KERNEL))
		return NULL;
	if (shim_nr_caches == SHIM_MAX_CACHES)
		shim_fatal("too many caches");
	c = &shim_caches[shim_nr_caches];
	strscpy(c->name, name);
	c->idx = shim_nr_caches++;
	c->size = size;
	align = max_t(size_t, align, flags & SLAB_HWCACHE_ALIGN ? 64 : 8);
	c->stride = ALIGN(max_t(size_t, size, sizeof(void *)), align);
	c->ctor = ctor;
	return c;
}

#if SHIM_ASAN || SHIM_TSAN
static void *shim_block_get(struct kmem_cache *c)
{
	void *p = aligned_alloc(c->stride & -c->stride & 4095 ? c->stride & -c->stride : 4096,
				c->stride);

	if (p)
		memset(p, 0x5a, c->size);
	return p;
}

static void shim_block_put(struct kmem_cache *c, void *p)
{
	free(p);
}
#else
/*
 * Slabs are parts of one region of huge pages, if the host has some, like the direct map
 * of a kernel.
 */
#ifdef SHIM_SMALL_WORLD
#define SHIM_REGION	(64UL << 20)
#else
#define SHIM_REGION	(8UL << 30)
#endif
#define SHIM_HUGE	(2UL << 20)

static char *shim_region;

static __attribute__((constructor)) void shim_region_setup(void)
{
	void *p = mmap(NULL, SHIM_REGION + SHIM_HUGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return;
	shim_region = (char *)ALIGN((unsigned long)p, SHIM_HUGE);
	madvise(shim_region, SHIM_REGION, MADV_HUGEPAGE);
}

static void *shim_slab_get(size_t n)
{
	static size_t used;
	size_t at = __atomic_fetch_add(&used, n, __ATOMIC_RELAXED);

	if (shim_region && at + n <= SHIM_REGION)
		return shim_region + at;
	return mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

struct shim_magazine {
	void *head;
	unsigned int nr;
};

static __thread struct shim_magazine shim_magazines[SHIM_MAX_CACHES];

/* Fill an empty magazine: with a chain that another thread has freed, or a new slab. */
static bool shim_magazine_fill(struct kmem_cache *c, struct shim_magazine *m)
{
	raw_spin_lock(&c->lock);
	if (c->free) {
		m->head = c->free;
		m->nr = SHIM_BATCH;
		c->free = ((void **)c->free)[1];
	} else {
		while (m->nr < SHIM_BATCH) {
			if (c->slab + c->stride > c->slab_end) {
				size_t n = max_t(size_t, SHIM_SLAB_BYTES, c->stride);

				c->slab = shim_slab_get(n);
				if (c->slab == MAP_FAILED)
					break;
				c->slab_end = c->slab + n;
			}
			*(void **)c->slab = m->head;
			m->head = c->slab;
			m->nr++;
			c->slab += c->stride;
			if (c->stride > 1024)
				break;
		}
	}
	raw_spin_unlock(&c->lock);
	return m->nr;
}

static void *shim_block_get(struct kmem_cache *c)
{
	struct shim_magazine *m = &shim_magazines[c->idx];
	void *p;

	if (unlikely(!m->head) && !shim_magazine_fill(c, m))
		return NULL;
	p = m->head;
	m->head = *(void **)p;
	m->nr = m->head ? m->nr - 1 : 0;
	return p;
}

static void shim_block_put(struct kmem_cache *c, void *p)
{
	struct shim_magazine *m = &shim_magazines[c->idx];
	void *chain, *rest;

	*(void **)p = m->head;
	m->head = p;
	if (likely(++m->nr < 2 * SHIM_BATCH || c->stride < 2 * sizeof(void *)))
		return;
	/* The second word of the first block of a chain points to the next chain. */
	chain = p;
	for (m->nr = 1; m->nr < SHIM_BATCH; m->nr++)
		p = *(void **)p;
	rest = *(void **)p;
	*(void **)p = NULL;
	raw_spin_lock(&c->lock);
	((void **)chain)[1] = c->free;
	c->free = chain;
	raw_spin_unlock(&c->lock);
	m->head = rest;
}
#endif

void *shim_cache_alloc(struct kmem_cache *c, gfp_t gfp)
{
	void *p;

	shim_alloc_context(gfp);
	if (unlikely(shim_should_fail(c->name, gfp)))
		return NULL;
	p = shim_block_get(c);
	if (!p)
		return NULL;
	shim_account(c->size);
#if SHIM_ASAN || SHIM_TSAN
	__atomic_fetch_add(&c->live, 1, __ATOMIC_RELAXED);
#endif
	if (c->ctor)
		c->ctor(p);
	else if (gfp & __GFP_ZERO)
		memset(p, 0, c->size);
	return p;
}

void kmem_cache_free(struct kmem_cache *c, void *p)
{
	if (!p)
		return;
	if (shim_strict)
		shim_no_raw_lock("slab free");
	shim_account(-(long)c->size);
#if SHIM_ASAN || SHIM_TSAN
	if (__atomic_sub_fetch(&c->live, 1, __ATOMIC_RELAXED) < 0)
		shim_fatal("cache %s: more frees than allocations", c->name);
#endif
	shim_block_put(c, p);
}

int kmem_cache_alloc_bulk(struct kmem_cache *c, gfp_t gfp, size_t n, void **p)
{
	size_t i;

	for (i = 0; i < n; i++) {
		p[i] = shim_cache_alloc(c, gfp);
		if (!p[i]) {
			kmem_cache_free_bulk(c, i, p);
			return 0;
		}
	}
	return n;
}

void kmem_cache_free_bulk(struct kmem_cache *c, size_t n, void **p)
{
	while (n--)
		kmem_cache_free(c, p[n]);
}

void kmem_cache_destroy(struct kmem_cache *c)
{
	if (!c)
		return;
	if (c->live)
		shim_fatal("cache %s destroyed with %ld live objects", c->name, c->live);
	c->destroyed = true;
}

unsigned int kmem_cache_size(struct kmem_cache *c)
{
	return c->size;
}

/* kmalloc(): a header holds the size. */
struct shim_kmalloc_head {
	size_t size;
	size_t magic;
};

#define SHIM_KMALLOC_MAGIC ((size_t)0x6b6d616c6c6f63ULL)

void *shim_kmalloc(size_t n, gfp_t gfp)
{
	struct shim_kmalloc_head *h;

	shim_alloc_context(gfp);
	if (!n)
		return ZERO_SIZE_PTR;
	if (n > SIZE_MAX / 2 || shim_should_fail("kmalloc", gfp))
		return NULL;
	if (shim_mem.fail_above && n > shim_mem.fail_above)
		return NULL;
	h = gfp & __GFP_ZERO ? calloc(1, n + sizeof(*h)) : malloc(n + sizeof(*h));
	if (!h)
		return NULL;
	h->size = n;
	h->magic = SHIM_KMALLOC_MAGIC;
	shim_account(n);
	return h + 1;
}

void kfree(const void *p)
{
	struct shim_kmalloc_head *h;

	if (ZERO_OR_NULL_PTR(p))
		return;
	h = (struct shim_kmalloc_head *)p - 1;
	if (h->magic != SHIM_KMALLOC_MAGIC)
		shim_fatal("kfree() of what kmalloc() did not give");
	h->magic = 0;
	shim_account(-(long)h->size);
	free(h);
}

size_t ksize(const void *p)
{
	return ((const struct shim_kmalloc_head *)p - 1)->size;
}

void *krealloc(const void *p, size_t n, gfp_t gfp)
{
	void *q = shim_kmalloc(n, gfp);

	if (q && !ZERO_OR_NULL_PTR(p)) {
		memcpy(q, p, min(n, ksize(p)));
		kfree(p);
	}
	return q;
}

char *kstrdup(const char *s, gfp_t gfp)
{
	char *p = s ? shim_kmalloc(strlen(s) + 1, gfp) : NULL;

	return p ? strcpy(p, s) : NULL;
}

char *kasprintf(gfp_t gfp, const char *fmt, ...)
{
	char tmp[512];
	va_list ap;

	va_start(ap, fmt);
	shim_vsnprintf(tmp, sizeof(tmp), fmt, ap);
	va_end(ap);
	return kstrdup(tmp, gfp);
}

unsigned long __get_free_pages(gfp_t gfp, unsigned int order)
{
	void *p;

	shim_alloc_context(gfp);
	if (shim_should_fail("pages", gfp))
		return 0;
	p = aligned_alloc(PAGE_SIZE, PAGE_SIZE << order);
	if (p && (gfp & __GFP_ZERO))
		memset(p, 0, PAGE_SIZE << order);
	if (p)
		shim_account(PAGE_SIZE << order);
	return (unsigned long)p;
}

void free_pages(unsigned long addr, unsigned int order)
{
	if (!addr)
		return;
	shim_account(-(long)(PAGE_SIZE << order));
	free((void *)addr);
}

void *memblock_alloc(phys_addr_t size, phys_addr_t align)
{
	return calloc(1, size);
}

/* The first page, which callers do not get, has the size. */
void *vmalloc(size_t n)
{
	size_t all = PAGE_ALIGN(n) + 2 * PAGE_SIZE;
	char *p = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	*(size_t *)p = all;
	if (mprotect(p, PAGE_SIZE, PROT_NONE) ||
	    mprotect(p + all - PAGE_SIZE, PAGE_SIZE, PROT_NONE))
		shim_fatal("cannot protect the ends of vmalloc memory");
	return p + PAGE_SIZE;
}

void vfree(const void *p)
{
	char *first = (char *)p - PAGE_SIZE;

	if (!p)
		return;
	if (mprotect(first, PAGE_SIZE, PROT_READ) || munmap(first, *(size_t *)first))
		shim_fatal("not vmalloc memory: %p", p);
}
