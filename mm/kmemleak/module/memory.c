// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory: reading that of others, and the module's own, which is not read.
 *
 * Only memory is read whose words have no side effects: the direct map, the kernel's
 * image and modules, and a cache's per-CPU part. A stale pointer may lead anywhere,
 * but not to the registers of a device.
 */

#include "oneshot.h"
#ifdef CONFIG_ARM64
#include <linux/init_task.h>
#endif

/* === Reading ============================================================ */

/* Address of physical address 0 in the direct map, which need not be mapped. */
unsigned long kml_direct_map(void)
{
#ifdef CONFIG_ARM64
	return PAGE_OFFSET - PHYS_OFFSET;
#else
	return PAGE_OFFSET;
#endif
}

/* The first page that does not exist. */
unsigned long kml_max_pfn(void)
{
	unsigned long max = 0;
	int nid;

	for_each_online_node(nid)
		max = max(max, node_end_pfn(nid));
	return max;
}

/**
 * kml_read() - copy memory that may be gone or change
 * @addr: where it is: in the direct map, or known to be memory
 * @buf: room for @len bytes
 * @len: in bytes
 *
 * Context: any but NMI.
 * Return: false if some of it cannot be read.
 */
bool kml_read(unsigned long addr, void *buf, size_t len)
{
	return !copy_from_kernel_nofault(buf, (const void *)addr, len);
}

/* In the kernel's image, or in a module? */
bool kml_in_image(unsigned long addr)
{
	/* also the registers of devices that are mapped for good lie above */
	if (addr >= MODULES_VADDR && addr < MODULES_END)
		return true;
#ifdef CONFIG_X86_64
	return addr >= __START_KERNEL_map && addr < MODULES_VADDR;
#elif defined(CONFIG_ARM64)
	return addr >= KIMAGE_VADDR && pfn_valid((addr - kimage_voffset) >> PAGE_SHIFT);
#else
	return false;
#endif
}

/**
 * kml_read_image() - copy a page of the kernel's image
 * @pfn: number of the page, which the direct map does not have
 * @off: of the first byte
 * @buf: room for @len bytes
 * @len: in bytes
 *
 * arm64 since 7.x takes data and bss from the direct map; they are mapped where the
 * image is.
 *
 * Context: any but NMI.
 * Return: false if it is no such page.
 */
bool kml_read_image(unsigned long pfn, unsigned long off, void *buf, size_t len)
{
#ifdef CONFIG_ARM64
	unsigned long addr = (pfn << PAGE_SHIFT) + kimage_voffset;
	long far = addr - (unsigned long)&init_task;

	return far > -SZ_64M && far < SZ_64M && kml_read(addr + off, buf, len);
#else
	return false;
#endif
}

static bool reader_read(struct kml_memory *mem, unsigned long addr, void *buf, size_t len)
{
	struct kml_reader *r = container_of(mem, struct kml_reader, mem);
	unsigned long phys = addr - kml_direct_map();

	if (pfn_valid(phys >> PAGE_SHIFT) || kml_in_image(addr) ||
	    (r->percpu && addr - r->off - r->percpu < PAGE_SIZE))
		return kml_read(addr, buf, len);
	return false;
}

static bool reader_percpu(struct kml_memory *mem, unsigned int cpu, unsigned long *off)
{
	struct kml_reader *r = container_of(mem, struct kml_reader, mem);

	if (!cpu_possible(cpu))
		return false;
	*off = per_cpu_offset(cpu);
	r->off = *off;
	return true;
}

void kml_reader_init(struct kml_reader *reader, const struct kml_layout *layout)
{
	reader->mem.layout = layout;
	reader->mem.read = reader_read;
	reader->mem.percpu = reader_percpu;
	reader->percpu = 0;
}

/* === The module's own =================================================== */

struct own {
	struct list_head link;
	void *p;
	size_t size;
};

/* Pages of which heap.c has very many are found by their links, in the pages. */
static LIST_HEAD(own_blocks);
static DEFINE_MUTEX(own_mutex);
static unsigned long own_limit = ULONG_MAX, own_used, own_peak;
static bool own_failed;

/**
 * kml_memory_limit() - limit the memory that scans may use
 * @bytes: all of it
 */
void kml_memory_limit(unsigned long bytes)
{
	own_limit = bytes;
	own_failed = false;
	own_peak = own_used;
}

/* Bytes until the limit is reached. */
unsigned long kml_memory_left(void)
{
	return own_limit - min(own_used, own_limit);
}

unsigned long kml_memory_peak(void)
{
	return own_peak;
}

/* Did an allocation fail since kml_memory_limit()? */
bool kml_memory_failed(void)
{
	return own_failed;
}

static bool charge(size_t size)
{
	if (size > own_limit || own_used > own_limit - size) {
		own_failed = true;
		return false;
	}
	own_used += size;
	own_peak = max(own_peak, own_used);
	return true;
}

/* A machine that is short of memory must not lose processes to a scan. */
#define OWN_GFP	(GFP_KERNEL | __GFP_ZERO | __GFP_NORETRY | __GFP_NOWARN)

/**
 * kml_alloc() - get zeroed memory that scans do not read
 * @size: in bytes
 *
 * Return: the memory, for kml_free(); NULL: the limit is reached, or there is none.
 */
void *kml_alloc(size_t size)
{
	struct own *own = kmalloc(sizeof(*own), GFP_KERNEL);

	size = PAGE_ALIGN(max_t(size_t, size, 1));
	mutex_lock(&own_mutex);
	if (!own || !charge(size))
		goto fail;
	own->size = size;
	own->p = __vmalloc(size, OWN_GFP);
	if (!own->p) {
		own_used -= size;
		own_failed = true;
		goto fail;
	}
	list_add(&own->link, &own_blocks);
	mutex_unlock(&own_mutex);
	return own->p;
fail:
	mutex_unlock(&own_mutex);
	kfree(own);
	return NULL;
}

/**
 * kml_free() - give memory of kml_alloc() back
 * @p: the memory, or NULL
 */
void kml_free(void *p)
{
	struct own *own;

	if (!p)
		return;
	mutex_lock(&own_mutex);
	list_for_each_entry(own, &own_blocks, link) {
		if (own->p != p)
			continue;
		list_del(&own->link);
		own_used -= own->size;
		kfree(own);
		break;
	}
	mutex_unlock(&own_mutex);
	vfree(p);
}

/**
 * kml_grow() - make sure that an array has room for one more
 * @old: the array, of kml_alloc(); NULL: there is none yet
 * @nr: number of elements
 * @room: of how many there is room; changed
 * @size: bytes of an element
 *
 * Return: the array; NULL: it stays as it is.
 */
void *kml_grow(void *old, size_t nr, size_t *room, size_t size)
{
	size_t more = max_t(size_t, 2 * nr, PAGE_SIZE / size);
	void *p;

	if (nr < *room)
		return old;
	p = kml_alloc(more * size);
	/* little is left: by a quarter */
	if (!p && nr) {
		more = nr + nr / 4 + 1;
		p = kml_alloc(more * size);
	}
	if (!p)
		return NULL;
	memcpy(p, old, nr * size);
	kml_free(old);
	*room = more;
	return p;
}

/* A page, as kml_alloc(); the caller takes care that it is not read. */
void *kml_alloc_page(void)
{
	void *p = NULL;

	mutex_lock(&own_mutex);
	if (charge(PAGE_SIZE)) {
		p = (void *)__get_free_page(OWN_GFP);
		if (!p) {
			own_used -= PAGE_SIZE;
			own_failed = true;
		}
	}
	mutex_unlock(&own_mutex);
	return p;
}

void kml_free_page(void *p)
{
	if (!p)
		return;
	mutex_lock(&own_mutex);
	own_used -= PAGE_SIZE;
	mutex_unlock(&own_mutex);
	free_page((unsigned long)p);
}

/* Is that the address of memory of kml_alloc()? */
bool kml_is_own(unsigned long addr)
{
	struct own *own;
	bool found = false;

	mutex_lock(&own_mutex);
	list_for_each_entry(own, &own_blocks, link)
		if (addr - (unsigned long)own->p < own->size) {
			found = true;
			break;
		}
	mutex_unlock(&own_mutex);
	return found;
}

/* Call a function for each page of kml_alloc()'s memory. */
void kml_each_own_page(void (*fn)(void *data, unsigned long pfn), void *data)
{
	struct own *own;
	size_t off;

	mutex_lock(&own_mutex);
	list_for_each_entry(own, &own_blocks, link)
		for (off = 0; off < own->size; off += PAGE_SIZE)
			fn(data, vmalloc_to_pfn(own->p + off));
	mutex_unlock(&own_mutex);
}
