// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory images: formats and address translation are those of libkdumpfile. A dump
 * that was made by an emulator lacks VMCOREINFO, which the kernel keeps in a page of
 * its own: it is looked for in memory.
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gelf.h>
#include <libkdumpfile/addrxlat.h>
#include <libkdumpfile/kdumpfile.h>

#include "kmemleak.h"

/* Pages that are kept of a compressed dump: the library looks for its own one by one. */
#define CACHED_PAGES	16384UL
#define CACHED_SHIFT	12

struct image_private {
	kdump_ctx_t *ctx;
	addrxlat_ctx_t *xlat;
	addrxlat_sys_t *sys;
	int fd;
	/* mem_section of the kernel */
	unsigned long roots, nr_roots, section_size, map_off;
	unsigned int section_shift;
	unsigned long *percpu;
	unsigned int cpus;
	char *vmcoreinfo;
	/* a page by the low bits of its number; NULL: it is not worth it */
	struct cached {
		unsigned long page;	/* its number + 1 */
		u8 data[1UL << CACHED_SHIFT];
	} *cache;
};

/* Bytes of VMCOREINFO; the kernel uses a page. */
#define VMCOREINFO_MAX	4096

static kdump_status image_raw(struct image *im, kdump_addrspace_t as, unsigned long addr,
			      void *buf, size_t len)
{
	size_t done = len;
	kdump_status status = kdump_read(im->private->ctx, as, addr, buf, &done);

	if (status == KDUMP_OK)
		return status;
	/* what is not in a dump is normal; what should be and cannot be read is not */
	if (status == KDUMP_ERR_EOF || status == KDUMP_ERR_SYSTEM || status == KDUMP_ERR_CORRUPT) {
		if (!im->damaged++)
			im->damage = strdup(kdump_get_err(im->private->ctx));
	}
	kdump_clear_err(im->private->ctx);
	return status;
}

/**
 * image_read_phys() - read physical memory
 * @im: the image
 * @addr: physical address
 * @buf: room for @len bytes
 * @len: in bytes
 *
 * Return: false if some of it is not in the image.
 */
bool image_read_phys(struct image *im, unsigned long addr, void *buf, size_t len)
{
	size_t n;

	if (!im->private->cache)
		return image_raw(im, KDUMP_MACHPHYSADDR, addr, buf, len) == KDUMP_OK;
	for (; len; len -= n, addr += n, buf += n) {
		unsigned long page = addr >> CACHED_SHIFT, off = addr & ((1UL << CACHED_SHIFT) - 1);
		struct cached *c = &im->private->cache[page % CACHED_PAGES];

		n = min_t(size_t, len, (1UL << CACHED_SHIFT) - off);
		if (c->page != page + 1) {
			c->page = 0;
			if (image_raw(im, KDUMP_MACHPHYSADDR, page << CACHED_SHIFT, c->data,
				      sizeof(c->data)) != KDUMP_OK)
				return false;
			c->page = page + 1;
		}
		memcpy(buf, c->data + off, n);
	}
	return true;
}

/**
 * image_read() - read memory of the kernel
 * @im: the image
 * @addr: virtual address
 * @buf: room for @len bytes
 * @len: in bytes
 *
 * Return: false if some of it is not in the image, or not mapped.
 */
bool image_read(struct image *im, unsigned long addr, void *buf, size_t len)
{
	unsigned long phys = addr - im->page_offset;

	/* most reads are in the direct map */
	if (im->page_offset && phys >> im->page_shift < im->max_pfn)
		return image_read_phys(im, phys, buf, len);
	return image_raw(im, KDUMP_KVADDR, addr, buf, len) == KDUMP_OK;
}

static bool image_mem_read(struct kml_memory *mem, unsigned long addr, void *buf, size_t len)
{
	return image_read((struct image *)mem, addr, buf, len);
}

static bool image_percpu(struct kml_memory *mem, unsigned int cpu, unsigned long *off)
{
	struct image *im = (struct image *)mem;

	if (cpu >= im->private->cpus) {
		unsigned long array = symbol(im, "__per_cpu_offset");

		if (!array)
			die(EXIT_UNKNOWN,
			    "this kernel has no symbol __per_cpu_offset: give --vmlinux or --map");
		im->private->percpu = must_alloc(im->private->percpu, cpu + 1, sizeof(long));
		for (; im->private->cpus <= cpu; im->private->cpus++)
			if (!image_read(im, array + im->private->cpus * sizeof(long),
					&im->private->percpu[im->private->cpus], sizeof(long)))
				im->private->percpu[im->private->cpus] = 0;
	}
	*off = im->private->percpu[cpu];
	return *off != 0;
}

/**
 * image_to_phys() - translate a kernel address
 * @im: the image
 * @addr: virtual address
 * @phys: set to the physical address
 *
 * Return: false if it is not mapped.
 */
bool image_to_phys(struct image *im, unsigned long addr, unsigned long *phys)
{
	addrxlat_fulladdr_t full = { .addr = addr, .as = ADDRXLAT_KVADDR };

	*phys = addr - im->page_offset;
	if (im->page_offset && *phys >> im->page_shift < im->max_pfn)
		return true;
	if (addrxlat_fulladdr_conv(&full, ADDRXLAT_KPHYSADDR, im->private->xlat,
				   im->private->sys) != ADDRXLAT_OK) {
		addrxlat_ctx_clear_err(im->private->xlat);
		return false;
	}
	*phys = full.addr;
	return true;
}

/* === VMCOREINFO ========================================================= */

/* The value of a line "KEY=value", which ends at a newline. */
static const char *image_line(struct image *im, const char *key)
{
	const char *p = im->private->vmcoreinfo;
	size_t len = strlen(key);

	while (p && *p) {
		if (!strncmp(p, key, len) && p[len] == '=')
			return p + len + 1;
		p = strchr(p, '\n');
		if (p)
			p++;
	}
	return NULL;
}

static bool image_value(struct image *im, const char *type, const char *name, int base,
			unsigned long *value)
{
	char key[96];
	const char *line;

	snprintf(key, sizeof(key), "%s(%s)", type, name);
	line = image_line(im, key);
	if (!line)
		return false;
	*value = line[0] == '-' ? (unsigned long)strtol(line, NULL, base) :
				  strtoul(line, NULL, base);
	return true;
}

/* NUMBER(), LENGTH(), SIZE() or OFFSET(): @key is "NUMBER(phys_base)". */
bool image_number(struct image *im, const char *key, unsigned long *value)
{
	const char *line = image_line(im, key);

	if (line)
		*value = strtoul(line, NULL, 0);
	return line;
}

bool image_symbol(struct image *im, const char *name, unsigned long *addr)
{
	return image_value(im, "SYMBOL", name, 16, addr);
}

/* The kernel's page with VMCOREINFO begins with this line, and names symbols. */
static bool image_find_vmcoreinfo(struct image *im)
{
	static const char first[] = "OSRELEASE=";
	char head[sizeof(first) - 1], *page;
	unsigned long pfn;

	page = must_alloc(NULL, VMCOREINFO_MAX + 1, 1);
	for (pfn = 0; pfn < im->max_pfn; pfn++) {
		if (!(pfn % 4096))
			progress("looking for VMCOREINFO", pfn, im->max_pfn);
		if (!image_read_phys(im, pfn << im->page_shift, head, sizeof(head)) ||
		    memcmp(head, first, sizeof(head)) ||
		    !image_read_phys(im, pfn << im->page_shift, page, VMCOREINFO_MAX))
			continue;
		page[VMCOREINFO_MAX] = '\0';
		if (strstr(page, "\nSYMBOL(init_uts_ns)=") && strstr(page, "\nSYMBOL(_stext)=")) {
			im->private->vmcoreinfo = page;
			progress_end();
			return true;
		}
	}
	progress_end();
	free(page);
	return false;
}

/* Tell the library what was found. */
static void image_set_vmcoreinfo(struct image *im)
{
	const char *raw = im->private->vmcoreinfo;
	kdump_attr_t attr = { .type = KDUMP_BLOB };

	attr.val.blob = kdump_blob_new_dup(raw, strlen(raw));
	if (!attr.val.blob ||
	    kdump_set_attr(im->private->ctx, "linux.vmcoreinfo.raw", &attr) != KDUMP_OK)
		die(EXIT_BAD_IMAGE, "cannot use the kernel's VMCOREINFO: %s",
		    kdump_get_err(im->private->ctx));
}

static void image_vmcoreinfo(struct image *im, const char *file)
{
	char *raw;

	if (kdump_vmcoreinfo_raw(im->private->ctx, &raw) == KDUMP_OK) {
		im->private->vmcoreinfo = raw;
		if (image_line(im, "OSRELEASE"))
			return;
		free(raw);
		im->private->vmcoreinfo = NULL;
	}
	kdump_clear_err(im->private->ctx);
	if (!image_find_vmcoreinfo(im))
		die(EXIT_UNKNOWN,
		    "%s: no VMCOREINFO in it: no Linux kernel, or one without CONFIG_VMCORE_INFO",
		    file);
	image_set_vmcoreinfo(im);
}

/* === Opening ============================================================ */

/* The library reads zeros behind the end of an ELF file that was cut. */
static void image_check_size(int fd, unsigned long size, const char *file)
{
	unsigned long end = 0;
	size_t nr, i;
	Elf *elf;

	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!elf || elf_kind(elf) != ELF_K_ELF || elf_getphdrnum(elf, &nr))
		nr = 0;
	for (i = 0; i < nr; i++) {
		GElf_Phdr p;

		if (!gelf_getphdr(elf, i, &p))
			die(EXIT_BAD_IMAGE, "%s: truncated: it ends in its headers", file);
		if (p.p_filesz)
			end = max_t(unsigned long, end, p.p_offset + p.p_filesz);
	}
	elf_end(elf);
	if (end > size)
		die(EXIT_BAD_IMAGE, "%s: truncated: %lu of %lu bytes are there", file, size, end);
}

static void image_open_file(struct image *im, const char *file)
{
	struct image_private *p = im->private;
	kdump_status status;
	const char *format;
	struct stat st;

	p->fd = open(file, O_RDONLY);
	if (p->fd < 0)
		die(EXIT_NO_FILE, "%s: %s", file, strerror(errno));
	if (fstat(p->fd, &st) || S_ISDIR(st.st_mode))
		die(EXIT_NO_FILE, "%s: not a file", file);
	if (S_ISREG(st.st_mode) && !st.st_size)
		die(EXIT_BAD_IMAGE, "%s: empty", file);
	if (S_ISREG(st.st_mode) && strcmp(file, "/proc/kcore"))
		image_check_size(p->fd, st.st_size, file);
	p->ctx = kdump_new();
	if (!p->ctx)
		die(EXIT_OTHER, "out of memory");
	status = kdump_open_fd(p->ctx, p->fd);
	if (status != KDUMP_OK)
		die(EXIT_BAD_IMAGE, "%s: no memory dump that can be read: %s", file,
		    kdump_get_err(p->ctx));
	/* an ELF file is mapped; of others a page is unpacked at each read */
	if (kdump_get_string_attr(p->ctx, KDUMP_ATTR_FILE_FORMAT, &format) != KDUMP_OK ||
	    strcmp(format, "elf"))
		p->cache = must_alloc(NULL, CACHED_PAGES, sizeof(*p->cache));
}

static void image_numbers(struct image *im, const char *file)
{
	kdump_num_t page_shift, max_pfn, ptr_size;
	kdump_ctx_t *ctx = im->private->ctx;

	if (kdump_get_string_attr(ctx, KDUMP_ATTR_ARCH_NAME, &im->arch) != KDUMP_OK)
		die(EXIT_BAD_IMAGE, "%s: no architecture: %s", file, kdump_get_err(ctx));
	if (kdump_get_number_attr(ctx, KDUMP_ATTR_PTR_SIZE, &ptr_size) != KDUMP_OK || ptr_size != 8)
		die(EXIT_UNKNOWN, "%s: of %s: only 64-bit kernels are read", file, im->arch);
	if (kdump_get_number_attr(ctx, KDUMP_ATTR_PAGE_SHIFT, &page_shift) != KDUMP_OK)
		page_shift = 12;
	if (kdump_get_number_attr(ctx, "max_pfn", &max_pfn) != KDUMP_OK)
		die(EXIT_BAD_IMAGE, "%s: how much memory there is: %s", file, kdump_get_err(ctx));
	im->page_shift = page_shift;
	im->max_pfn = max_pfn;
	if (!im->max_pfn)
		die(EXIT_BAD_IMAGE, "%s: no memory in it", file);
}

static void image_sections(struct image *im, const char *file)
{
	struct image_private *p = im->private;
	unsigned long shift;

	if (!image_symbol(im, "mem_section", &p->roots) ||
	    !image_number(im, "LENGTH(mem_section)", &p->nr_roots) ||
	    !image_number(im, "SIZE(mem_section)", &p->section_size) ||
	    !image_number(im, "OFFSET(mem_section.section_mem_map)", &p->map_off) ||
	    !image_number(im, "NUMBER(SECTION_SIZE_BITS)", &shift) ||
	    !p->section_size || shift < im->page_shift || shift > 40)
		die(EXIT_UNKNOWN,
		    "%s: VMCOREINFO does not tell where struct pages are (mem_section)", file);
	p->section_shift = shift - im->page_shift;
}

/* The direct map begins where its first page is, as the library found it. */
static void image_direct_map(struct image *im, const char *file)
{
	unsigned long section, nr, pfn;
	addrxlat_fulladdr_t full;

	for (pfn = 0; pfn < im->max_pfn;
	     pfn = (pfn | ((1UL << im->private->section_shift) - 1)) + 1) {
		section = image_section(im, pfn, &nr);
		if (!section)
			continue;
		full.addr = pfn << im->page_shift;
		full.as = ADDRXLAT_KPHYSADDR;
		if (addrxlat_fulladdr_conv(&full, ADDRXLAT_KVADDR, im->private->xlat,
					   im->private->sys) == ADDRXLAT_OK) {
			im->page_offset = full.addr - (pfn << im->page_shift);
			return;
		}
		addrxlat_ctx_clear_err(im->private->xlat);
	}
	die(EXIT_UNKNOWN, "%s: the direct map was not found", file);
}

/**
 * image_open() - open a memory image and find out about its kernel, or give up
 * @im: filled, but for the layouts
 * @options: names of files
 */
void image_open(struct image *im, const struct image_options *options)
{
	const char *file = options->file, *release;
	struct image_private *p;

	memset(im, 0, sizeof(*im));
	p = must_alloc(NULL, 1, sizeof(*p));
	im->private = p;
	im->mem.layout = &im->layout;
	im->mem.read = image_mem_read;
	im->mem.percpu = image_percpu;
	image_open_file(im, file);
	image_numbers(im, file);
	image_vmcoreinfo(im, file);
	if (kdump_set_string_attr(p->ctx, KDUMP_ATTR_OSTYPE, "linux") != KDUMP_OK ||
	    kdump_get_addrxlat(p->ctx, &p->xlat, &p->sys) != KDUMP_OK)
		die(EXIT_UNKNOWN, "%s: the translation of addresses: %s", file,
		    kdump_get_err(p->ctx));
	release = image_line(im, "OSRELEASE");
	im->release = strndup(release, strcspn(release, "\n"));
	image_sections(im, file);
	symbols_load(im, options);
	layout_load(im, options);
	image_direct_map(im, file);
	symbols_load_modules(im);
}

void image_close(struct image *im)
{
	struct image_private *p = im->private;

	addrxlat_ctx_decref(p->xlat);
	addrxlat_sys_decref(p->sys);
	kdump_free(p->ctx);
	close(p->fd);
	free(p->percpu);
	free(p);
	free(im->release);
}

/* Give up if some of the image could not be read: what refers to a block may be there. */
void image_check(struct image *im)
{
	if (im->damaged)
		die(EXIT_BAD_IMAGE, "the image is truncated or damaged, %lu reads failed: %s",
		    im->damaged, im->damage);
}

/* === Pages ============================================================== */

/* Is there anything of a page in the image? */
bool image_has_page(struct image *im, unsigned long pfn)
{
	char byte;

	return image_read_phys(im, pfn << im->page_shift, &byte, 1);
}

/**
 * image_section() - find struct pages
 * @im: the image
 * @pfn: a page
 * @nr: set to the number of pages from @pfn to the end of its section
 *
 * Return: the address of the struct page of @pfn, if the array was contiguous, or 0
 * if the section is not there.
 */
unsigned long image_section(struct image *im, unsigned long pfn, unsigned long *nr)
{
	struct image_private *p = im->private;
	unsigned long section = pfn >> p->section_shift, per_root, root, map;
	unsigned long size = 1UL << p->section_shift;

	*nr = size - (pfn & (size - 1));
	per_root = IMAGE_PAGE(im) / p->section_size;
	if (section / per_root >= p->nr_roots ||
	    !image_read(im, p->roots + section / per_root * sizeof(long), &root, sizeof(root)) ||
	    !root ||
	    !image_read(im, root + section % per_root * p->section_size + p->map_off, &map,
			sizeof(map)))
		return 0;
	/* low bits are flags: present, has an array */
	if ((map & 3) != 3)
		return 0;
	return (map & ~0xfffUL) + pfn * im->layout.size[KML_SIZE_page];
}

/* A string of the image; to be freed. */
char *image_string(struct image *im, unsigned long addr, size_t max)
{
	char *s = must_alloc(NULL, max + 1, 1);
	size_t i;

	for (i = 0; i < max; i++)
		if (!image_read(im, addr + i, s + i, 1) || !s[i])
			break;
	s[i] = '\0';
	return s;
}
