// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes a memory image of an x86-64 kernel that never ran, and what is in it: caches,
 * slabs with scrambled free lists, per-CPU slabs or sheaves, page tables, struct pages,
 * symbols. Structures are laid out as in the BTF that is given, so that an image is of
 * 6.1, 6.12 or 7.x as the BTF is.
 *
 *	gen_image BTF FILE [objects [seed]]
 *
 * Each object but the leaks is in a chain that begins in the kernel's data. On standard
 * output: "used CACHE N" for each cache, "leak ADDRESS" for each leak, "kept ADDRESS"
 * for some others, "free ADDRESS" for some that are free.
 */

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/btf.h>

#include "../kmemleak.h"

#define PAGE		4096UL
#define DIRECT		0xffff888000000000UL
#define VMEMMAP		0xffffea0000000000UL
#define TEXT		0xffffffff81000000UL
#define TEXT_PHYS	0x1000000UL
#define SECTION_SHIFT	27
#define NR_CACHES	4
#define LEAK_EVERY	1009UL		/* one object in so many is a leak */
#define LEAKS_MAX	2000UL

static struct image im;		/* only its BTF is used */
static u8 *ram;
static unsigned long ram_size, brk_phys;
static u64 state;

static u64 next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* BTF is searched from its start: what was found is kept. */
static struct memo {
	const char *type, *member;
	struct kml_field f;
	u32 number;
	bool found;
} memos[64];

static const struct memo *look_up(const char *type, const char *member)
{
	struct memo *m;

	for (m = memos; m->type; m++)
		if (m->member == member && m->type == type)
			return m;
	if (m == &memos[ARRAY_SIZE(memos) - 1])
		die(EXIT_OTHER, "too many names");
	m->type = type;
	m->member = member;
	m->found = member ? layout_member(&im, type, member, &m->f) :
			    layout_number(&im, type, &m->number);
	return m;
}

static struct kml_field field(const char *type, const char *member)
{
	const struct memo *m = look_up(type, member);

	if (!m->found)
		die(EXIT_UNKNOWN, "BTF has no %s.%s", type, member);
	return m->f;
}

static bool has(const char *type, const char *member)
{
	return look_up(type, member)->found;
}

static u32 number(const char *name, u32 fallback)
{
	const struct memo *m = look_up(name, NULL);

	return m->found ? m->number : fallback;
}

static void put(unsigned long phys, const struct kml_field *f, u64 value)
{
	u64 old = 0, mask = ~0ULL;
	size_t n = f->bytes > 8 ? 8 : f->bytes;

	memcpy(&old, ram + phys + f->off, n);
	if (f->bits) {
		mask = GENMASK_ULL(f->bits - 1, 0) << f->shift;
		value = (value << f->shift) & mask;
	}
	old = (old & ~mask) | value;
	memcpy(ram + phys + f->off, &old, n);
}

static void set(unsigned long phys, const char *type, const char *member, u64 value)
{
	struct kml_field f = field(type, member);

	put(phys, &f, value);
}

/* Boot-time memory: part of the kernel's image, and so are its pages' struct pages. */
static unsigned long boot_alloc(unsigned long size, unsigned long align)
{
	unsigned long phys = (brk_phys + align - 1) & -align;

	brk_phys = phys + size;
	if (brk_phys > ram_size)
		die(EXIT_OTHER, "no room for %lu bytes", size);
	return phys;
}

static unsigned long text_of(unsigned long phys)
{
	return phys - TEXT_PHYS + TEXT;
}

static void word(unsigned long phys, u64 value)
{
	memcpy(ram + phys, &value, sizeof(value));
}

/* === Page tables ======================================================== */

static unsigned long pgd;

static void map_2m(unsigned long virt, unsigned long phys)
{
	unsigned long table = pgd, shift;
	u64 entry;

	for (shift = 39; shift > 21; shift -= 9) {
		unsigned long at = table + ((virt >> shift) & 511) * 8;

		memcpy(&entry, ram + at, 8);
		if (!entry) {
			entry = boot_alloc(PAGE, PAGE) | 0x63;
			word(at, entry);
		}
		table = entry & 0xffffffffff000UL;
	}
	word(table + ((virt >> 21) & 511) * 8, phys | 0x1e3);
}

/* === Symbols ============================================================ */

static struct {
	const char *name;
	unsigned long addr;
} symbols[64];
static unsigned int nr_symbols;

static unsigned long add_symbol(const char *name, unsigned long phys)
{
	symbols[nr_symbols].name = name;
	return symbols[nr_symbols++].addr = text_of(phys);
}

static unsigned long add_var(const char *name, u64 value)
{
	unsigned long phys = boot_alloc(8, 8);

	word(phys, value);
	add_symbol(name, phys);
	return phys;
}

/* Tokens are single characters, so that nothing is compressed. */
static void write_kallsyms(FILE *info, bool relative)
{
	unsigned long tokens = boot_alloc(1024, 8), index = boot_alloc(512, 8), names, offsets,
		      base, nr;
	unsigned int i;
	u8 *at;

	for (i = 0; i < 256; i++) {
		ram[tokens + 2 * i] = i;
		ram[tokens + 2 * i + 1] = 0;
		*(u16 *)(ram + index + 2 * i) = 2 * i;
	}
	nr = boot_alloc(4, 4);
	memcpy(ram + nr, &nr_symbols, 4);
	names = boot_alloc(64 * 64, 8);
	at = ram + names;
	for (i = 0; i < nr_symbols; i++) {
		*at++ = strlen(symbols[i].name) + 1;
		*at++ = 'D';
		at = mempcpy(at, symbols[i].name, strlen(symbols[i].name));
	}
	offsets = boot_alloc(4 * nr_symbols, 8);
	for (i = 0; i < nr_symbols; i++) {
		int off = relative ? (int)(symbols[i].addr - text_of(offsets + 4 * i)) :
				     (int)(TEXT - 1 - symbols[i].addr);

		memcpy(ram + offsets + 4 * i, &off, 4);
	}
	base = boot_alloc(8, 8);
	word(base, TEXT);
	fprintf(info, "SYMBOL(kallsyms_names)=%lx\nSYMBOL(kallsyms_num_syms)=%lx\n",
		text_of(names), text_of(nr));
	fprintf(info, "SYMBOL(kallsyms_token_table)=%lx\nSYMBOL(kallsyms_token_index)=%lx\n",
		text_of(tokens), text_of(index));
	fprintf(info, "SYMBOL(kallsyms_offsets)=%lx\n", text_of(offsets));
	if (!relative)
		fprintf(info, "SYMBOL(kallsyms_relative_base)=%lx\n", text_of(base));
}

/* === Pages and slabs ==================================================== */

static unsigned long structs_phys, page_size_of;
static bool typed;
static struct kml_field f_flags, f_type;

static unsigned long struct_of(unsigned long pfn)
{
	return structs_phys + pfn * page_size_of;
}

static void set_type(unsigned long pfn, const char *pgty, const char *flag)
{
	if (typed)
		put(struct_of(pfn), &f_type, (u64)number(pgty, 0) << 24);
	else if (flag)
		put(struct_of(pfn), &f_flags, BIT_ULL(number(flag, 0)));
}

static void or_flags(unsigned long pfn, const char *flag)
{
	u64 flags = 0;

	memcpy(&flags, ram + struct_of(pfn) + f_flags.off, 8);
	put(struct_of(pfn), &f_flags, flags | BIT_ULL(number(flag, 0)));
}

static void compound(unsigned long pfn, unsigned int order)
{
	bool mask = has("page", "compound_info");
	unsigned long i;

	or_flags(pfn, "PG_head");
	/* 7.x: a mask that makes the first page's address of another's, if it can */
	for (i = 1; i < 1UL << order; i++)
		set(struct_of(pfn + i), "page", mask ? "compound_info" : "compound_head",
		    (mask ? -(page_size_of << order) : VMEMMAP + pfn * page_size_of) | 1);
	if (has("page", "compound_order"))
		set(struct_of(pfn + 1), "page", "compound_order", order);
	else
		set(struct_of(pfn), "folio", "_flags_1", order);
}

struct gen_cache {
	const char *name;
	unsigned int size, object_size, offset, order;
	unsigned long phys, random;
	unsigned long used;
	/* the slab that a CPU allocates from, or a sheaf */
	unsigned long sheaf;
	unsigned int in_sheaf;
	unsigned long cpu_slab;
} caches[NR_CACHES] = {
	{ "kmalloc-64", 64, 64, 32, 0 },
	{ "kmalloc-192", 192, 192, 96, 0 },
	{ "gen_node", 328, 324, 160, 1 },
	{ "kmalloc-2k", 2048, 2048, 1024, 3 },
};

static u64 scramble(const struct gen_cache *c, unsigned long next, unsigned long at)
{
	return next ^ c->random ^ swab64(at + c->offset);
}

static unsigned long chain[64], chain_tail[64];	/* physical addresses of the tails */
static unsigned long nr_leaks, nr_kept, nr_free;
static unsigned long leaks[LEAKS_MAX + 1];
static unsigned long total;

static void object(struct gen_cache *c, unsigned long phys)
{
	unsigned int k = next_random() % ARRAY_SIZE(chain);

	total++;
	c->used++;
	if (!(total % LEAK_EVERY) && nr_leaks < LEAKS_MAX) {
		leaks[nr_leaks++] = DIRECT + phys;
		printf("leak %lx\n", DIRECT + phys);
		return;
	}
	/* an inner pointer at times */
	word(chain_tail[k], DIRECT + phys + (next_random() % 4 ? 0 : 8));
	chain_tail[k] = phys + 8 * (next_random() % 3);
	if (nr_kept++ < 50)
		printf("kept %lx\n", DIRECT + phys);
}

/* Objects of a slab: some used, some on its list, some on a CPU's or in a sheaf. */
static void slab(struct gen_cache *c, unsigned long pfn, bool sheaves)
{
	static struct kml_field f_cache, f_freelist, f_objects;
	unsigned long bytes = PAGE << c->order, nr = bytes / c->size, i, list = 0, cpu = 0;
	unsigned long page = struct_of(pfn);

	if (!f_cache.bytes) {
		f_cache = field("slab", "slab_cache");
		f_freelist = field("slab", "freelist");
		f_objects = field("slab", "objects");
	}
	set_type(pfn, "PGTY_slab", "PG_slab");
	if (c->order)
		compound(pfn, c->order);
	put(page, &f_cache, DIRECT + c->phys);
	for (i = 0; i < nr; i++) {
		unsigned long at = (pfn << 12) + i * c->size, kind = next_random() % 16;

		if (kind > 2) {
			object(c, at);
			continue;
		}
		/* stale pointers of what was there: to an object that is used */
		word(at, chain_tail[kind] + DIRECT);
		if (nr_free++ < 50)
			printf("free %lx\n", DIRECT + at);
		if (kind == 0 && sheaves && c->in_sheaf < 24) {
			word(c->sheaf + field("slab_sheaf", "objects").off + 8 * c->in_sheaf++,
			     DIRECT + at);
		} else if (kind == 0 && !sheaves && (!c->cpu_slab || c->cpu_slab == pfn)) {
			c->cpu_slab = pfn;
			word(at + c->offset, scramble(c, cpu, DIRECT + at));
			cpu = DIRECT + at;
		} else {
			word(at + c->offset, scramble(c, list, DIRECT + at));
			list = DIRECT + at;
		}
	}
	put(page, &f_freelist, list);
	put(page, &f_objects, nr);
	if (cpu)
		set(c->cpu_slab ? c->sheaf : 0, "kmem_cache_cpu", "freelist", cpu);
	if (cpu)
		set(c->sheaf, "kmem_cache_cpu", "slab", VMEMMAP + pfn * page_size_of);
}

/* === Pages that are no slabs ============================================ */

#define PAGES_MISC	32UL

/*
 * Pages of each use. Chains begin in those that are roots: a page, a part of a compound
 * page. The others are full of the addresses of leaks: see misc_fill().
 */
static void misc_pages(unsigned long pfn)
{
	chain_tail[0] = (pfn << 12) + 8;
	compound(pfn + 4, 2);
	chain_tail[1] = ((pfn + 6) << 12) + 4088;
	or_flags(pfn + 8, "PG_lru");
	or_flags(pfn + 9, "PG_hwpoison");
	if (typed) {
		put(struct_of(pfn + 10), &f_type, (u64)number("PGTY_offline", 0) << 24);
		put(struct_of(pfn + 11), &f_type, (u64)number("PGTY_table", 0) << 24);
	} else {
		put(struct_of(pfn + 10), &f_type, (u32)-257);
		or_flags(pfn + 11, "PG_lru");
	}
	or_flags(pfn + 12, "PG_lru");
	compound(pfn + 12, 2);
	/* anonymous memory of a user, not on a list */
	set(struct_of(pfn + 16), "page", "mapping", DIRECT + 1);
	if (!number("PGTY_large_kmalloc", 0)) {
		or_flags(pfn + 17, "PG_lru");
		return;
	}
	put(struct_of(pfn + 20), &f_type, (u64)number("PGTY_large_kmalloc", 0) << 24);
	put(struct_of(pfn + 24), &f_type, (u64)number("PGTY_large_kmalloc", 0) << 24);
	compound(pfn + 20, 2);
	compound(pfn + 24, 2);
	/* a chain goes on in the one, which the data refer to by an inner address */
	word(chain_tail[2], DIRECT + ((pfn + 21) << 12) + 16);
	chain_tail[2] = ((pfn + 23) << 12) + 800;
	printf("leak %lx\n", DIRECT + ((pfn + 24) << 12));
}

static void misc_fill(unsigned long pfn)
{
	static const u8 others[] = { 8, 9, 10, 11, 12, 13, 14, 15, 16 };
	unsigned long i, j;

	for (i = 0; i < ARRAY_SIZE(others); i++)
		for (j = 0; nr_leaks && j < 512; j++)
			word(((pfn + others[i]) << 12) + 8 * j, leaks[j % nr_leaks]);
}

static void make_cache(struct gen_cache *c, bool sheaves, unsigned long percpu)
{
	unsigned long name = boot_alloc(32, 8), pcs;

	c->phys = boot_alloc(layout_size(&im, "kmem_cache"), 64);
	c->random = next_random();
	strcpy((char *)ram + name, c->name);
	set(c->phys, "kmem_cache", "size", c->size);
	set(c->phys, "kmem_cache", "object_size", c->object_size);
	set(c->phys, "kmem_cache", "offset", c->offset);
	set(c->phys, "kmem_cache", "name", text_of(name));
	if (has("kmem_cache", "random"))
		set(c->phys, "kmem_cache", "random", c->random);
	else
		c->random = 0;
	/* a per-CPU pointer is an offset to where CPU 0 has its variables */
	pcs = boot_alloc(256, 64);
	if (!sheaves) {
		set(c->phys, "kmem_cache", "cpu_slab", pcs - percpu);
		c->sheaf = pcs;		/* struct kmem_cache_cpu */
		return;
	}
	set(c->phys, "kmem_cache", "cpu_sheaves", pcs - percpu);
	c->sheaf = boot_alloc(1024, 64);
	set(pcs, "slub_percpu_sheaves", "main", DIRECT + c->sheaf);
	set(c->sheaf, "slab_sheaf", "cache", DIRECT + c->phys);
}

/* === The file =========================================================== */

static void write_elf(const char *file)
{
	Elf64_Ehdr h = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(h),
		.e_ehsize = sizeof(h),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 1,
	};
	Elf64_Phdr p = {
		.p_type = PT_LOAD, .p_offset = PAGE, .p_filesz = ram_size, .p_memsz = ram_size,
	};
	int fd = open(file, O_CREAT | O_TRUNC | O_WRONLY, 0644);
	unsigned long done;

	if (fd < 0 || pwrite(fd, &h, sizeof(h), 0) != sizeof(h) ||
	    pwrite(fd, &p, sizeof(p), sizeof(h)) != sizeof(p))
		die(EXIT_OTHER, "cannot write %s", file);
	for (done = 0; done < ram_size; done += PAGE) {
		/* zeros stay a hole */
		if (ram[done] || memcmp(ram + done, ram + done + 1, PAGE - 1))
			if (pwrite(fd, ram + done, PAGE, PAGE + done) != (ssize_t)PAGE)
				die(EXIT_OTHER, "cannot write %s", file);
	}
	if (ftruncate(fd, PAGE + ram_size) || close(fd))
		die(EXIT_OTHER, "cannot write %s", file);
}

static void set_vmcoreinfo(unsigned long phys, unsigned long sections, unsigned long nr_roots,
			   bool relative)
{
	char *text = (char *)ram + phys;
	FILE *f = fmemopen(text, PAGE, "w");

	fprintf(f, "OSRELEASE=%s\nPAGESIZE=4096\n",
		has("kmem_cache", "cpu_sheaves") ? "7.3.0-generated" :
		typed				 ? "6.12.0-generated" :
						   "6.1.0-generated");
	fprintf(f, "SYMBOL(init_uts_ns)=%lx\nSYMBOL(_stext)=%lx\n", TEXT + 64, TEXT);
	fprintf(f, "OFFSET(uts_namespace.name)=0\n");
	fprintf(f, "SYMBOL(swapper_pg_dir)=%lx\nSYMBOL(init_top_pgt)=%lx\nNUMBER(phys_base)=0\n",
		text_of(pgd), text_of(pgd));
	fprintf(f, "NUMBER(pgtable_l5_enabled)=0\nKERNELOFFSET=0\n");
	fprintf(f, "SYMBOL(mem_section)=%lx\nLENGTH(mem_section)=%lu\nSIZE(mem_section)=16\n",
		DIRECT + sections, nr_roots);
	fprintf(f,
		"OFFSET(mem_section.section_mem_map)=0\nNUMBER(SECTION_SIZE_BITS)=%d\nNUMBER(MAX_PHYSMEM_BITS)=46\n",
		SECTION_SHIFT);
	fprintf(f, "SIZE(page)=%lu\nLENGTH(zone.free_area)=11\n", page_size_of);
	if (!typed)
		fprintf(f,
			"NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-129\nNUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=-257\n");
	write_kallsyms(f, relative);
	fclose(f);
}

int main(int argc, char **argv)
{
	unsigned long objects = argc > 3 ? strtoul(argv[3], NULL, 0) : 20000, pfn, i, first, roots;
	unsigned long misc, sections, percpu, vmcoreinfo, data, btf_phys, max_pfn;
	bool sheaves;
	u32 btf_size;
	const void *raw;

	if (argc < 3)
		die(EXIT_USAGE, "usage: gen_image BTF FILE [objects [seed]]");
	state = 88172645463325252ULL + (argc > 4 ? strtoul(argv[4], NULL, 0) * 7919 : 0);
	im.btf = btf__parse(argv[1], NULL);
	if (!im.btf)
		die(EXIT_UNKNOWN, "%s: no BTF", argv[1]);
	sheaves = has("kmem_cache", "cpu_sheaves");
	typed = number("PGTY_slab", 0);
	page_size_of = layout_size(&im, "page");
	f_flags = field("page", "flags");
	f_type = field("page", "page_type");
	raw = btf__raw_data(im.btf, &btf_size);

	/* 190 bytes an object, free ones with it; the image; and some that is free */
	ram_size = (96UL << 20) + btf_size + objects * 200;
	ram_size += ram_size / 32;
	ram_size = (ram_size + (2UL << 20) - 1) & -(2UL << 20);
	max_pfn = ram_size >> 12;
	ram = mmap(NULL, ram_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ram == MAP_FAILED)
		die(EXIT_OTHER, "no memory for an image of %lu bytes", ram_size);

	brk_phys = TEXT_PHYS;
	boot_alloc(PAGE, PAGE);
	/* init_uts_ns: what it is, and where one looks for it */
	strcpy((char *)ram + TEXT_PHYS + 64, "Linux");
	strcpy((char *)ram + TEXT_PHYS + 64 + 65 * 2, "0.0.0");
	strcpy((char *)ram + TEXT_PHYS + 64 + 65, "none");
	strcpy((char *)ram + TEXT_PHYS + 64 + 65 * 3, "#1");
	strcpy((char *)ram + TEXT_PHYS + 64 + 65 * 4, "x86_64");
	symbols[nr_symbols].name = "_stext";
	symbols[nr_symbols++].addr = TEXT;
	pgd = boot_alloc(PAGE, PAGE);
	data = boot_alloc(ARRAY_SIZE(chain) * 8, 64);
	add_symbol("gen_data", data);
	percpu = boot_alloc(PAGE, PAGE);
	add_var("__per_cpu_offset", DIRECT + percpu);
	add_var("nr_cpu_ids", 1);
	add_var("nr_node_ids", 1);
	for (i = 0; i < NR_CACHES; i++)
		make_cache(&caches[i], sheaves, percpu);
	btf_phys = boot_alloc(btf_size, 8);
	memcpy(ram + btf_phys, raw, btf_size);
	add_symbol("__start_BTF", btf_phys);
	symbols[nr_symbols].name = "__stop_BTF";
	symbols[nr_symbols++].addr = text_of(btf_phys) + btf_size;
	vmcoreinfo = boot_alloc(PAGE, PAGE);
	roots = ((ram_size >> SECTION_SHIFT) + 1) / 256 + 1;
	sections = boot_alloc(roots * 8, 8);
	structs_phys = boot_alloc(max_pfn * page_size_of, 2UL << 20);
	for (i = 0; i < roots; i++) {
		unsigned long root = boot_alloc(PAGE, PAGE), j;

		word(sections + 8 * i, DIRECT + root);
		for (j = 0; j < 256; j++)
			if ((i * 256 + j) << SECTION_SHIFT < ram_size)
				word(root + 16 * j, VMEMMAP | 3);
	}
	for (i = 0; i < ram_size; i += 2UL << 20)
		map_2m(DIRECT + i, i);
	for (i = 0; i < max_pfn * page_size_of; i += 2UL << 20)
		map_2m(VMEMMAP + i, structs_phys + i);
	boot_alloc(8UL << 20, 2UL << 20);
	for (i = 2UL << 20; i < brk_phys && i < 512UL << 20; i += 2UL << 20)
		map_2m(text_of(i), i);

	for (i = 0; i < ARRAY_SIZE(chain); i++)
		chain_tail[i] = data + 8 * i;
	for (pfn = 0; pfn < max_pfn; pfn++) {
		put(struct_of(pfn), &f_type, 0xffffffff);
		if (pfn << 12 < brk_phys)
			put(struct_of(pfn), &f_flags, BIT_ULL(number("PG_reserved", 0)));
	}
	first = (brk_phys + PAGE - 1) >> 12;
	first = (first + PAGES_MISC - 1) & -PAGES_MISC;
	misc_pages(first);
	misc = first;
	first += PAGES_MISC;
	for (pfn = first; total < objects && pfn + 8 <= max_pfn; pfn += 8) {
		struct gen_cache *c = &caches[next_random() % NR_CACHES];

		for (i = 0; i < 8; i += 1UL << c->order)
			slab(c, pfn + i, sheaves);
	}
	misc_fill(misc);
	for (i = 0; sheaves && i < NR_CACHES; i++)
		set(caches[i].sheaf, "slab_sheaf", "size", caches[i].in_sheaf);
	/* the rest is free, and full of what must not be read */
	for (; pfn + 8 <= max_pfn; pfn += 8) {
		if (typed)
			put(struct_of(pfn), &f_type, (u64)number("PGTY_buddy", 0) << 24);
		else
			put(struct_of(pfn), &f_type, (u32)-129);
		set(struct_of(pfn), "page", "private", 3);
		for (i = 0; i < 512 * 8; i++)
			word((pfn << 12) + 8 * i,
			     DIRECT + (first << 12) + 64 * i * 13 % (max_pfn << 11));
	}
	/* kallsyms go where there is room: below the image */
	brk_phys = 2UL << 20;
	set_vmcoreinfo(vmcoreinfo, sections, roots, sheaves);
	for (i = 0; i < NR_CACHES; i++)
		printf("used %s %lu\n", caches[i].name, caches[i].used);
	printf("total %lu leaks %lu\n", total, nr_leaks);
	write_elf(argv[2]);
	return 0;
}
