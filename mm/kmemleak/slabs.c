// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which objects of slab caches are allocated: all of a slab's, but for those on its
 * free list, on the free list of the CPU that uses it, and in sheaves. Shared by the
 * module and tools/mm/kmemleak, see slabs.h.
 *
 * Sections: layouts; caches and slabs; free lists; sheaves; KFENCE.
 */

#include "os.h"
#include "slabs.h"

/* === Layouts ============================================================ */

/* By enum kml_field_id, enum kml_struct_id, enum kml_number_id. */
const struct kml_wanted kml_fields[KML_NR_FIELDS] = {
	[KML_page__flags] = { "page", "flags", true },
	[KML_page__mapping] = { "page", "mapping", true },
	[KML_page__private] = { "page", "private", true },
	[KML_page__page_type] = { "page", "page_type", true },
	[KML_page___refcount] = { "page", "_refcount", true },
	[KML_page__compound_head] = { "page", "compound_head", false },
	[KML_page__compound_info] = { "page", "compound_info", false },
	[KML_page__compound_order] = { "page", "compound_order", false },
	[KML_folio___folio_order] = { "folio", "_folio_order", false },
	[KML_folio___flags_1] = { "folio", "_flags_1", false },
	[KML_slab__slab_cache] = { "slab", "slab_cache", true },
	[KML_slab__freelist] = { "slab", "freelist", true },
	[KML_slab__objects] = { "slab", "objects", true },
	[KML_slab__next] = { "slab", "next", false },
	[KML_kmem_cache__flags] = { "kmem_cache", "flags", true },
	[KML_kmem_cache__size] = { "kmem_cache", "size", true },
	[KML_kmem_cache__object_size] = { "kmem_cache", "object_size", true },
	[KML_kmem_cache__offset] = { "kmem_cache", "offset", true },
	[KML_kmem_cache__red_left_pad] = { "kmem_cache", "red_left_pad", false },
	[KML_kmem_cache__name] = { "kmem_cache", "name", true },
	[KML_kmem_cache__random] = { "kmem_cache", "random", false },
	[KML_kmem_cache__cpu_slab] = { "kmem_cache", "cpu_slab", false },
	[KML_kmem_cache__cpu_sheaves] = { "kmem_cache", "cpu_sheaves", false },
	[KML_kmem_cache__node] = { "kmem_cache", "node", false },
	[KML_kmem_cache__per_node] = { "kmem_cache", "per_node", false },
	[KML_kmem_cache_cpu__freelist] = { "kmem_cache_cpu", "freelist", false },
	[KML_kmem_cache_cpu__slab] = { "kmem_cache_cpu", "slab", false },
	[KML_slub_percpu_sheaves__main] = { "slub_percpu_sheaves", "main", false },
	[KML_slub_percpu_sheaves__spare] = { "slub_percpu_sheaves", "spare", false },
	[KML_slub_percpu_sheaves__rcu_free] = { "slub_percpu_sheaves", "rcu_free", false },
	[KML_slab_sheaf__cache] = { "slab_sheaf", "cache", false },
	[KML_slab_sheaf__size] = { "slab_sheaf", "size", false },
	[KML_slab_sheaf__objects] = { "slab_sheaf", "objects", false },
	[KML_kmem_cache_per_node_ptrs__barn] = { "kmem_cache_per_node_ptrs", "barn", false },
	[KML_node_barn__sheaves_full] = { "node_barn", "sheaves_full", false },
	[KML_node_barn__sheaves_empty] = { "node_barn", "sheaves_empty", false },
	[KML_kfence_metadata__state] = { "kfence_metadata", "state", false },
	[KML_kfence_metadata__addr] = { "kfence_metadata", "addr", false },
	[KML_kfence_metadata__size] = { "kfence_metadata", "size", false },
	[KML_kfence_metadata__cache] = { "kfence_metadata", "cache", false },
};

const struct kml_wanted kml_structs[KML_NR_STRUCTS] = {
	[KML_SIZE_page] = { "page", NULL, true },
	[KML_SIZE_kmem_cache_per_node_ptrs] = { "kmem_cache_per_node_ptrs", NULL, false },
	[KML_SIZE_kfence_metadata] = { "kfence_metadata", NULL, false },
};

const struct kml_wanted kml_numbers[KML_NR_NUMBERS] = {
	[KML_NR_PG_reserved] = { "PG_reserved", NULL, true },
	[KML_NR_PG_lru] = { "PG_lru", NULL, true },
	[KML_NR_PG_head] = { "PG_head", NULL, true },
	[KML_NR_PG_hwpoison] = { "PG_hwpoison", NULL, false },
	[KML_NR_PG_slab] = { "PG_slab", NULL, false },
	[KML_NR_PGTY_buddy] = { "PGTY_buddy", NULL, false },
	[KML_NR_PGTY_offline] = { "PGTY_offline", NULL, false },
	[KML_NR_PGTY_table] = { "PGTY_table", NULL, false },
	[KML_NR_PGTY_guard] = { "PGTY_guard", NULL, false },
	[KML_NR_PGTY_hugetlb] = { "PGTY_hugetlb", NULL, false },
	[KML_NR_PGTY_slab] = { "PGTY_slab", NULL, false },
	[KML_NR_PGTY_zsmalloc] = { "PGTY_zsmalloc", NULL, false },
	[KML_NR_PGTY_unaccepted] = { "PGTY_unaccepted", NULL, false },
	[KML_NR_PGTY_large_kmalloc] = { "PGTY_large_kmalloc", NULL, false },
	[KML_NR_KFENCE_OBJECT_ALLOCATED] = { "KFENCE_OBJECT_ALLOCATED", NULL, false },
};

/**
 * kml_field_of() - get the value of a member
 * @layout: of the kernel
 * @id: the member, which the kernel has
 * @copy: of the structure
 *
 * Context: any.
 * Return: the value; of a member that is larger than 8 bytes, its first 8.
 */
u64 kml_field_of(const struct kml_layout *layout, enum kml_field_id id, const void *copy)
{
	const struct kml_field *field = &layout->field[id];
	void *p = (void *)copy + field->off;
	u64 value = 0;

	switch (field->bytes) {
	case 0:
		return 0;
	case 1:
		value = *(u8 *)p;
		break;
	case 2:
		value = get_unaligned((u16 *)p);
		break;
	case 4:
		value = get_unaligned((u32 *)p);
		break;
	default:
		value = get_unaligned((u64 *)p);
		break;
	}
	if (field->bits)
		value = (value >> field->shift) & GENMASK_ULL(field->bits - 1, 0);
	return value;
}

/**
 * kml_field_read() - read a member of a structure
 * @mem: memory of the kernel
 * @addr: of the structure
 * @id: the member, which the kernel has
 * @value: set to its value
 *
 * Context: as @mem->read().
 * Return: false if it is not there.
 */
bool kml_field_read(struct kml_memory *mem, unsigned long addr, enum kml_field_id id,
		    u64 *value)
{
	struct kml_layout one = {};
	u64 copy = 0;

	one.field[0] = mem->layout->field[id];
	if (!mem->read(mem, addr + one.field[0].off, &copy,
		       min_t(size_t, one.field[0].bytes, sizeof(copy))))
		return false;
	one.field[0].off = 0;
	*value = kml_field_of(&one, 0, &copy);
	return true;
}

/**
 * kml_layout_check() - does a kernel have the members that belong together?
 * @layout: of the kernel; what every kernel must have is there
 *
 * Context: any.
 * Return: NULL, or the structure and member that is missing.
 */
const char *kml_layout_check(const struct kml_layout *layout)
{
	static const struct {
		enum kml_field_id if_this;
		enum kml_field_id then_that;
		const char *name;
	} pairs[] = {
		{ KML_kmem_cache__cpu_slab, KML_kmem_cache_cpu__freelist,
		  "kmem_cache_cpu.freelist" },
		{ KML_kmem_cache__cpu_slab, KML_kmem_cache_cpu__slab, "kmem_cache_cpu.slab" },
		{ KML_kmem_cache__cpu_sheaves, KML_slub_percpu_sheaves__main,
		  "slub_percpu_sheaves.main" },
		{ KML_kmem_cache__cpu_sheaves, KML_slub_percpu_sheaves__spare,
		  "slub_percpu_sheaves.spare" },
		{ KML_kmem_cache__cpu_sheaves, KML_slub_percpu_sheaves__rcu_free,
		  "slub_percpu_sheaves.rcu_free" },
		{ KML_kmem_cache__cpu_sheaves, KML_slab_sheaf__cache, "slab_sheaf.cache" },
		{ KML_kmem_cache__cpu_sheaves, KML_slab_sheaf__size, "slab_sheaf.size" },
		{ KML_kmem_cache__cpu_sheaves, KML_slab_sheaf__objects, "slab_sheaf.objects" },
		{ KML_kmem_cache__cpu_sheaves, KML_node_barn__sheaves_full,
		  "node_barn.sheaves_full" },
		{ KML_kmem_cache__per_node, KML_kmem_cache_per_node_ptrs__barn,
		  "kmem_cache_per_node_ptrs.barn" },
	};
	unsigned int i;

	if (!kml_has(layout, page, compound_head) && !kml_has(layout, page, compound_info))
		return "page.compound_head and page.compound_info";
	if (!kml_has(layout, kmem_cache, cpu_slab) && !kml_has(layout, kmem_cache, cpu_sheaves))
		return "kmem_cache.cpu_slab and kmem_cache.cpu_sheaves";
	if (!kml_has(layout, kmem_cache, node) && !kml_has(layout, kmem_cache, per_node))
		return "kmem_cache.node and kmem_cache.per_node";
	if (!kml_has(layout, page, compound_order) && !kml_has(layout, folio, _folio_order) &&
	    !kml_has(layout, folio, _flags_1))
		return "page.compound_order and folio._flags_1";
	if (!layout->known[KML_NR_PGTY_slab] && !layout->known[KML_NR_PG_slab])
		return "PGTY_slab and PG_slab";
	if (!layout->known[KML_NR_PGTY_buddy] && !layout->types)
		return "PGTY_buddy and PAGE_BUDDY_MAPCOUNT_VALUE";
	for (i = 0; i < ARRAY_SIZE(pairs); i++)
		if (layout->field[pairs[i].if_this].bytes &&
		    !layout->field[pairs[i].then_that].bytes)
			return pairs[i].name;
	return NULL;
}

/* === Caches and slabs =================================================== */

/* Objects of a slab, at most: a bit field of 15 bits. */
#define KML_SLAB_MAX	0x7fff
/* Sheaves of a CPU or a node; more are a damaged list. */
#define KML_SHEAVES_MAX	4096
/* Objects of a sheaf. */
#define KML_SHEAF_MAX	4096

/**
 * kml_cache_read() - read a slab cache
 * @mem: memory of the kernel
 * @addr: of its struct kmem_cache
 * @cache: filled
 *
 * Context: as @mem->read().
 * Return: false if that is not a slab cache.
 */
bool kml_cache_read(struct kml_memory *mem, unsigned long addr, struct kml_cache *cache)
{
	const struct kml_layout *layout = mem->layout;
	u64 size, object_size, offset, pad = 0, name, percpu;
	unsigned int i;

	memset(cache, 0, sizeof(*cache));
	if (!kml_get(mem, kmem_cache, size, addr, &size) ||
	    !kml_get(mem, kmem_cache, object_size, addr, &object_size) ||
	    !kml_get(mem, kmem_cache, offset, addr, &offset) ||
	    !kml_get(mem, kmem_cache, name, addr, &name))
		return false;
	if (!(kml_has(layout, kmem_cache, cpu_sheaves) ?
	      kml_get(mem, kmem_cache, cpu_sheaves, addr, &percpu) :
	      kml_get(mem, kmem_cache, cpu_slab, addr, &percpu)))
		return false;
	if (kml_has(layout, kmem_cache, red_left_pad) &&
	    !kml_get(mem, kmem_cache, red_left_pad, addr, &pad))
		return false;
	cache->hardened = kml_has(layout, kmem_cache, random);
	if (cache->hardened && !kml_get(mem, kmem_cache, random, addr, &cache->random))
		return false;
	if (size < sizeof(long) || size > SZ_64M || !object_size || object_size > size ||
	    offset > size - sizeof(long) || pad > size)
		return false;
	cache->addr = addr;
	cache->size = size;
	cache->object_size = object_size;
	cache->offset = offset;
	cache->pad = pad;
	cache->percpu = percpu;
	/* byte by byte: it may end just before memory that is not there */
	for (i = 0; i < KML_CACHE_NAME - 1; i++)
		if (!mem->read(mem, name + i, &cache->name[i], 1) || !cache->name[i])
			break;
	cache->name[i] = '\0';
	return true;
}

/**
 * kml_slab_read() - read the first struct page of a slab
 * @layout: of the kernel
 * @copy: of that struct page
 * @slab: filled, but for @slab->start, which is the address of the page and depends
 *	on the cache
 *
 * Context: any.
 * Return: false if there is no cache: the slab is being made or given back.
 */
bool kml_slab_read(const struct kml_layout *layout, const void *copy, struct kml_slab *slab)
{
	slab->cache = kml_in(layout, slab, slab_cache, copy);
	slab->freelist = kml_in(layout, slab, freelist, copy);
	slab->nr = kml_in(layout, slab, objects, copy);
	slab->start = 0;
	return slab->cache && slab->nr && slab->nr <= KML_SLAB_MAX;
}

/* === Free lists ========================================================= */

/*
 * Follow a free list. Each pointer is at cache->offset of the object before; scrambled,
 * it is combined with a number of the cache and its own address, bytes swapped.
 */
static void kml_walk_free(struct kml_memory *mem, const struct kml_cache *cache,
			  unsigned long addr, struct kml_slab_sink *sink)
{
	unsigned int left = KML_SLAB_MAX;
	u64 raw;

	while (addr) {
		if (!left-- || !sink->free(sink, cache, addr) ||
		    !mem->read(mem, addr + cache->offset, &raw, sizeof(raw))) {
			sink->bad++;
			return;
		}
		if (cache->hardened)
			raw ^= cache->random ^ swab64(addr + cache->offset);
		addr = raw;
	}
}

/**
 * kml_slab_free_objects() - find the objects on the free list of a slab
 * @mem: memory of the kernel
 * @cache: of the slab
 * @slab: the slab
 * @sink: told about each
 *
 * Context: as @mem->read().
 */
void kml_slab_free_objects(struct kml_memory *mem, const struct kml_cache *cache,
			   const struct kml_slab *slab, struct kml_slab_sink *sink)
{
	kml_walk_free(mem, cache, slab->freelist, sink);
}

/* === Sheaves and what CPUs hold ========================================= */

/*
 * The first @size of a sheaf's objects are free. Behind them are those that were
 * handed out, which makes no reference of them.
 */
static void kml_sheaf(struct kml_memory *mem, const struct kml_cache *cache,
		      unsigned long addr, struct kml_slab_sink *sink)
{
	const struct kml_field *objects = &mem->layout->field[KML_slab_sheaf__objects];
	u64 owner, size, object;
	unsigned int i;

	if (!addr)
		return;
	if (!kml_get(mem, slab_sheaf, cache, addr, &owner) ||
	    !kml_get(mem, slab_sheaf, size, addr, &size) ||
	    owner != cache->addr || size > KML_SHEAF_MAX) {
		sink->bad++;
		return;
	}
	sink->sheaf(sink, addr, objects->off);
	for (i = 0; i < size; i++) {
		if (!mem->read(mem, addr + objects->off + i * sizeof(long), &object,
			       sizeof(object)) ||
		    !sink->free(sink, cache, object)) {
			sink->bad++;
			return;
		}
	}
}

/* The sheaves of one of a node's two lists. */
static void kml_barn_list(struct kml_memory *mem, const struct kml_cache *cache,
			  unsigned long head, struct kml_slab_sink *sink)
{
	unsigned int left = KML_SHEAVES_MAX;
	unsigned long at;

	if (!mem->read(mem, head, &at, sizeof(at)))
		return;
	while (at && at != head) {
		if (!left--) {
			sink->bad++;
			return;
		}
		/* barn_list is the first member */
		kml_sheaf(mem, cache, at, sink);
		if (!mem->read(mem, at, &at, sizeof(at)))
			return;
	}
}

static void kml_barn(struct kml_memory *mem, const struct kml_cache *cache,
		     unsigned int node, struct kml_slab_sink *sink)
{
	const struct kml_layout *layout = mem->layout;
	const struct kml_field *field = layout->field;
	u64 barn;

	if (!kml_has(layout, kmem_cache, per_node))
		return;
	if (!kml_get(mem, kmem_cache_per_node_ptrs, barn,
		     cache->addr + field[KML_kmem_cache__per_node].off +
		     node * layout->size[KML_SIZE_kmem_cache_per_node_ptrs], &barn) || !barn)
		return;
	kml_barn_list(mem, cache, barn + field[KML_node_barn__sheaves_full].off, sink);
	if (kml_has(layout, node_barn, sheaves_empty))
		kml_barn_list(mem, cache, barn + field[KML_node_barn__sheaves_empty].off, sink);
}

/* A CPU's free list: of a slab whose own list says nothing of these objects. */
static void kml_cpu_slab(struct kml_memory *mem, const struct kml_cache *cache,
			 unsigned long cpu_slab, struct kml_slab_sink *sink)
{
	u64 freelist, slab;

	if (kml_get(mem, kmem_cache_cpu, freelist, cpu_slab, &freelist) &&
	    kml_get(mem, kmem_cache_cpu, slab, cpu_slab, &slab) && slab)
		kml_walk_free(mem, cache, freelist, sink);
}

static void kml_cpu_sheaves(struct kml_memory *mem, const struct kml_cache *cache,
			    unsigned long pcs, struct kml_slab_sink *sink)
{
	u64 sheaf;

	if (kml_get(mem, slub_percpu_sheaves, main, pcs, &sheaf))
		kml_sheaf(mem, cache, sheaf, sink);
	if (kml_get(mem, slub_percpu_sheaves, spare, pcs, &sheaf))
		kml_sheaf(mem, cache, sheaf, sink);
	/* freed, and waiting for the end of a grace period */
	if (kml_get(mem, slub_percpu_sheaves, rcu_free, pcs, &sheaf))
		kml_sheaf(mem, cache, sheaf, sink);
}

/**
 * kml_cache_free_objects() - find the free objects that CPUs and nodes hold
 * @mem: memory of the kernel
 * @cache: the cache
 * @cpus: number of possible CPUs
 * @nodes: number of possible nodes
 * @sink: told about each
 *
 * Context: as @mem->read().
 */
void kml_cache_free_objects(struct kml_memory *mem, const struct kml_cache *cache,
			    unsigned int cpus, unsigned int nodes,
			    struct kml_slab_sink *sink)
{
	const struct kml_layout *layout = mem->layout;
	unsigned long off;
	unsigned int i;

	for (i = 0; i < cpus && cache->percpu; i++) {
		if (!mem->percpu(mem, i, &off))
			continue;
		if (kml_has(layout, kmem_cache, cpu_sheaves))
			kml_cpu_sheaves(mem, cache, cache->percpu + off, sink);
		else
			kml_cpu_slab(mem, cache, cache->percpu + off, sink);
	}
	for (i = 0; i < nodes; i++)
		kml_barn(mem, cache, i, sink);
}

/* === KFENCE ============================================================= */

/**
 * kml_kfence_read() - read an object of KFENCE's pool
 * @mem: memory of the kernel
 * @metadata: address of the array of struct kfence_metadata
 * @pool: address of the pool: two pages that hold nothing, then a page with an object
 *	and a page that guards it for each entry of the array
 * @i: index into the array
 * @object: filled
 *
 * Context: as @mem->read().
 * Return: false if the array has no such entry.
 */
bool kml_kfence_read(struct kml_memory *mem, unsigned long metadata, unsigned long pool,
		     unsigned int i, struct kml_kfence *object)
{
	const struct kml_layout *layout = mem->layout;
	unsigned long entry = metadata + (unsigned long)i * layout->size[KML_SIZE_kfence_metadata];
	unsigned long page = pool + ((2UL * i + 2) << layout->page_shift);
	u64 state, addr, size, cache;

	if (!kml_has(layout, kfence_metadata, addr) ||
	    !layout->known[KML_NR_KFENCE_OBJECT_ALLOCATED] ||
	    !kml_get(mem, kfence_metadata, state, entry, &state) ||
	    !kml_get(mem, kfence_metadata, addr, entry, &addr) ||
	    !kml_get(mem, kfence_metadata, size, entry, &size) ||
	    !kml_get(mem, kfence_metadata, cache, entry, &cache))
		return false;
	if (addr - page >= 1UL << layout->page_shift ||
	    size > page + (1UL << layout->page_shift) - addr)
		return false;
	object->addr = addr;
	object->size = size;
	object->cache = cache;
	object->used = state == layout->number[KML_NR_KFENCE_OBJECT_ALLOCATED];
	return true;
}
