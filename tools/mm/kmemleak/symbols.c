// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names of addresses. The kernel's own table is in its memory, compressed: each name
 * is a list of indexes of tokens. Where it lacks data (CONFIG_KALLSYMS_ALL=n), a
 * vmlinux or a System.map has them, moved by what KASLR added.
 */

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <gelf.h>

#include "kmemleak.h"

struct symbol {
	unsigned long addr;
	u32 name;		/* offset in names */
	u32 module;		/* index + 1 */
};

struct symbols {
	struct symbol *by_addr;
	struct symbol *by_name;
	size_t nr, room;
	char *names;
	size_t len, names_room;
	char **modules;
	struct range *module_ranges;	/* and whose they are */
	u32 *range_module;
	size_t nr_modules, room_modules, nr_ranges, room_ranges, room_owners;
};

/* No kernel has more. */
#define SYMBOLS_MAX	(1U << 23)
#define NAME_MAX_LEN	512
#define MODULES_MAX	4096

static void add(struct symbols *s, const char *name, size_t len, unsigned long addr, u32 module)
{
	struct symbol *sym;

	GROW(s->by_addr, s->nr, s->room);
	while (s->len + len + 1 > s->names_room) {
		s->names_room = s->names_room ? 2 * s->names_room : 1 << 20;
		s->names = must_alloc(s->names, s->names_room, 1);
	}
	sym = &s->by_addr[s->nr++];
	sym->addr = addr;
	sym->name = s->len;
	sym->module = module;
	memcpy(s->names + s->len, name, len);
	s->names[s->len + len] = '\0';
	s->len += len + 1;
}

static int compare_addr(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return x->addr < y->addr ? -1 :
	       x->addr > y->addr ? 1 :
	       x->name < y->name ? -1 :
				   x->name > y->name;
}

static int compare_name(const void *a, const void *b, void *names)
{
	const struct symbol *x = a, *y = b;
	int ret = strcmp((char *)names + x->name, (char *)names + y->name);

	return ret ? ret : compare_addr(a, b);
}

static void sort(struct symbols *s)
{
	qsort(s->by_addr, s->nr, sizeof(*s->by_addr), compare_addr);
	free(s->by_name);
	s->by_name = must_alloc(NULL, s->nr, sizeof(*s->by_name));
	memcpy(s->by_name, s->by_addr, s->nr * sizeof(*s->by_name));
	qsort_r(s->by_name, s->nr, sizeof(*s->by_name), compare_name, s->names);
}

/* === kallsyms =========================================================== */

struct kallsyms {
	u32 nr;
	unsigned long offsets, base;
	bool has_base;
	u8 *names;
	size_t names_len;
	char *tokens;
	u16 index[256];
	int *offset;
};

#define TOKENS_LEN	8192

static bool kallsyms_read(struct image *im, struct kallsyms *k)
{
	unsigned long names, tokens, index, nr, base;
	unsigned int i;

	if (!image_symbol(im, "kallsyms_names", &names) ||
	    !image_symbol(im, "kallsyms_num_syms", &nr) ||
	    !image_symbol(im, "kallsyms_token_table", &tokens) ||
	    !image_symbol(im, "kallsyms_token_index", &index) ||
	    !image_symbol(im, "kallsyms_offsets", &k->offsets))
		return false;
	if (!image_read(im, nr, &k->nr, sizeof(k->nr)) || !k->nr || k->nr > SYMBOLS_MAX)
		return false;
	k->has_base = image_symbol(im, "kallsyms_relative_base", &base) &&
		      image_read(im, base, &k->base, sizeof(k->base));
	if (!image_read(im, index, k->index, sizeof(k->index)))
		return false;
	for (i = 0; i < ARRAY_SIZE(k->index); i++)
		if (k->index[i] > k->index[255])
			return false;
	/* the last token ends soon behind its start */
	k->tokens = must_alloc(NULL, TOKENS_LEN + 1, 1);
	if (k->index[255] >= TOKENS_LEN - 64 ||
	    !image_read(im, tokens, k->tokens, k->index[255] + 64))
		return false;
	k->offset = must_alloc(NULL, k->nr, sizeof(*k->offset));
	if (!image_read(im, k->offsets, k->offset, k->nr * sizeof(*k->offset)))
		return false;
	/* an upper limit of their length; what follows them is in the image, too */
	k->names_len = (size_t)k->nr * 32;
	k->names = must_alloc(NULL, k->names_len, 1);
	while (!image_read(im, names, k->names, k->names_len)) {
		k->names_len -= k->names_len / 16;
		if (k->names_len < k->nr)
			return false;
	}
	return true;
}

/*
 * The address of a symbol. Three ways are known: relative to where its offset is
 * stored (7.x); relative to a base; and, for x86-64 before 6.15, offsets that are
 * negative are relative to the base, others are per-CPU variables.
 */
static unsigned long kallsyms_addr(const struct kallsyms *k, u32 i, int way)
{
	switch (way) {
	case 0:
		return k->offsets + i * sizeof(int) + (long)k->offset[i];
	case 1:
		return k->base + (u32)k->offset[i];
	default:
		return k->offset[i] >= 0 ? (unsigned long)k->offset[i] :
					   k->base - 1 - (long)k->offset[i];
	}
}

static bool kallsyms_expand(const struct kallsyms *k, size_t *at, char *name, size_t *len)
{
	size_t n, used = 0;

	if (*at + 2 >= k->names_len)
		return false;
	n = k->names[(*at)++];
	if (n & 0x80)
		n = (n & 0x7f) | (size_t)k->names[(*at)++] << 7;
	if (!n || *at + n > k->names_len)
		return false;
	for (; n; n--) {
		const char *token = k->tokens + k->index[k->names[(*at)++]];
		size_t t = strnlen(token, 64);

		if (used + t >= NAME_MAX_LEN)
			return false;
		memcpy(name + used, token, t);
		used += t;
	}
	name[used] = '\0';
	*len = used;
	return used > 1;
}

/* What VMCOREINFO says of _stext tells the way. */
static bool kallsyms_load(struct image *im, struct symbols *s)
{
	struct kallsyms k = {};
	unsigned long stext;
	char name[NAME_MAX_LEN];
	size_t at = 0, len;
	bool good = false;
	int way = -1;
	u32 i;

	if (!image_symbol(im, "_stext", &stext) || !kallsyms_read(im, &k))
		goto out;
	for (i = 0; i < k.nr && way < 0; i++) {
		int w;

		if (!kallsyms_expand(&k, &at, name, &len))
			goto out;
		if (strcmp(name + 1, "_stext"))
			continue;
		for (w = k.has_base ? 1 : 0; w <= (k.has_base ? 2 : 0); w++)
			if (kallsyms_addr(&k, i, w) == stext)
				way = w;
	}
	if (way < 0)
		goto out;
	at = 0;
	for (i = 0; i < k.nr; i++) {
		if (!kallsyms_expand(&k, &at, name, &len))
			goto out;
		/* the first letter is its type */
		add(s, name + 1, len - 1, kallsyms_addr(&k, i, way), 0);
	}
	good = true;
out:
	free(k.names);
	free(k.tokens);
	free(k.offset);
	return good;
}

/* === Files ============================================================== */

/* What KASLR added to the addresses of a file. */
static unsigned long file_shift(struct image *im, const char *file, unsigned long stext)
{
	unsigned long real;

	if (!stext)
		die(EXIT_UNKNOWN, "%s: no symbol _stext in it", file);
	if (!image_symbol(im, "_stext", &real))
		die(EXIT_UNKNOWN, "the image does not tell where _stext is");
	return real - stext;
}

/* Another symbol that the image knows by itself must be where the file says. */
static void file_check(struct image *im, const char *file, unsigned long in_file)
{
	unsigned long real;

	if (in_file && image_symbol(im, "init_uts_ns", &real) && real != in_file)
		die(EXIT_UNKNOWN, "%s is not of the kernel in the image (%s)", file, im->release);
}

static void shift_all(struct image *im, struct symbols *s, const char *file)
{
	unsigned long stext = 0, uts = 0, shift;
	size_t i;

	for (i = 0; i < s->nr; i++) {
		if (!strcmp(s->names + s->by_addr[i].name, "_stext"))
			stext = s->by_addr[i].addr;
		if (!strcmp(s->names + s->by_addr[i].name, "init_uts_ns"))
			uts = s->by_addr[i].addr;
	}
	shift = file_shift(im, file, stext);
	file_check(im, file, uts ? uts + shift : 0);
	for (i = 0; i < s->nr; i++)
		/* per-CPU variables of x86-64 are not moved */
		if (s->by_addr[i].addr >= 1UL << 32)
			s->by_addr[i].addr += shift;
}

static void map_load(struct image *im, struct symbols *s, const char *file)
{
	char line[NAME_MAX_LEN], name[NAME_MAX_LEN];
	FILE *f = fopen(file, "r");
	unsigned long addr;
	char type;

	if (!f)
		die(EXIT_NO_FILE, "%s: %s", file, strerror(errno));
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx %c %511s", &addr, &type, name) == 3)
			add(s, name, strlen(name), addr, 0);
	fclose(f);
	if (!s->nr)
		die(EXIT_UNKNOWN,
		    "%s: no symbols in it (Debian's System.map is in the -dbg package)", file);
	shift_all(im, s, file);
}

static void vmlinux_symbols(Elf *elf, struct symbols *s)
{
	Elf_Scn *scn = NULL;

	while ((scn = elf_nextscn(elf, scn))) {
		GElf_Shdr shdr;
		Elf_Data *data;
		GElf_Sym sym;
		int i;

		if (!gelf_getshdr(scn, &shdr) || shdr.sh_type != SHT_SYMTAB)
			continue;
		data = elf_getdata(scn, NULL);
		for (i = 0; data && gelf_getsym(data, i, &sym); i++) {
			const char *name = elf_strptr(elf, shdr.sh_link, sym.st_name);

			if (name && *name && sym.st_shndx != SHN_UNDEF &&
			    GELF_ST_TYPE(sym.st_info) != STT_FILE)
				add(s, name, strlen(name), sym.st_value, 0);
		}
	}
}

/* Returns false if it has no symbols, as Debian's, which is there for its BTF. */
static bool vmlinux_load(struct image *im, struct symbols *s, const char *file)
{
	int fd = open(file, O_RDONLY);
	Elf *elf;

	if (fd < 0)
		die(EXIT_NO_FILE, "%s: %s", file, strerror(errno));
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!elf || elf_kind(elf) != ELF_K_ELF)
		die(EXIT_UNKNOWN, "%s: not an ELF file", file);
	vmlinux_symbols(elf, s);
	elf_end(elf);
	close(fd);
	if (!s->nr)
		return false;
	shift_all(im, s, file);
	return true;
}

/**
 * symbols_load() - load the kernel's symbols, or give up
 * @im: the image
 * @options: names of files
 */
void symbols_load(struct image *im, const struct image_options *options)
{
	struct symbols *s = must_alloc(NULL, 1, sizeof(*s));

	im->symbols = s;
	if (options->map)
		map_load(im, s, options->map);
	else if (!(options->vmlinux && vmlinux_load(im, s, options->vmlinux)) &&
		 !kallsyms_load(im, s))
		die(EXIT_UNKNOWN,
		    "the kernel's symbols are not in the image (%s): give --vmlinux or --map",
		    im->release);
	sort(s);
}

/* === Modules ============================================================ */

static void module_range(struct symbols *s, unsigned long start, unsigned long len, u32 module)
{
	if (!start || !len || len > SZ_64M)
		return;
	GROW(s->range_module, s->nr_ranges, s->room_owners);
	GROW(s->module_ranges, s->nr_ranges, s->room_ranges);
	s->module_ranges[s->nr_ranges] = (struct range){ start, len };
	s->range_module[s->nr_ranges++] = module;
}

/* Where a module is: in 6.1 two blocks, since 6.4 an array of them. */
static void module_ranges(struct image *im, struct symbols *s, unsigned long mod, u32 module)
{
	static const char * const layouts[] = { "core_layout", "init_layout" };
	struct kml_field field;
	unsigned long at, size;
	u64 base, len;
	unsigned int i;

	if (layout_member(im, "module", "mem", &field)) {
		size = layout_size(im, "module_memory");
		for (i = 0; size && i < field.bytes / size; i++) {
			at = mod + field.off + i * size;
			if (layout_get(im, "module_memory", "base", at, &base) &&
			    layout_get(im, "module_memory", "size", at, &len))
				module_range(s, base, len, module);
		}
		return;
	}
	for (i = 0; i < ARRAY_SIZE(layouts); i++) {
		if (!layout_member(im, "module", layouts[i], &field))
			continue;
		if (layout_get(im, "module_layout", "base", mod + field.off, &base) &&
		    layout_get(im, "module_layout", "size", mod + field.off, &len))
			module_range(s, base, len, module);
	}
}

static void module_symbols(struct image *im, struct symbols *s, unsigned long mod, u32 module)
{
	u64 kallsyms, symtab, strtab, nr, i;

	if (!layout_get(im, "module", "kallsyms", mod, &kallsyms) || !kallsyms ||
	    !layout_get(im, "mod_kallsyms", "symtab", kallsyms, &symtab) ||
	    !layout_get(im, "mod_kallsyms", "num_symtab", kallsyms, &nr) ||
	    !layout_get(im, "mod_kallsyms", "strtab", kallsyms, &strtab) || nr > SYMBOLS_MAX)
		return;
	for (i = 1; i < nr; i++) {
		char name[NAME_MAX_LEN], *end;
		Elf64_Sym sym;

		if (!image_read(im, symtab + i * sizeof(sym), &sym, sizeof(sym)))
			return;
		if (!sym.st_shndx || !sym.st_value)
			continue;
		memset(name, 0, sizeof(name));
		/* it may end just before memory that is not there */
		if (!image_read(im, strtab + sym.st_name, name, 64) &&
		    !image_read(im, strtab + sym.st_name, name, 8))
			continue;
		end = memchr(name, 0, 64);
		if (end && end != name)
			add(s, name, end - name, sym.st_value, module);
	}
}

/* The modules, by the kernel's list of them. Those that cannot be read have no names. */
void symbols_load_modules(struct image *im)
{
	unsigned long head = symbol(im, "modules"), at, left = MODULES_MAX;
	struct symbols *s = im->symbols;
	struct kml_field list, name;

	if (!head || !layout_member(im, "module", "list", &list) ||
	    !layout_member(im, "module", "name", &name) ||
	    !image_read(im, head, &at, sizeof(at)))
		return;
	while (at && at != head && left--) {
		unsigned long mod = at - list.off;

		GROW(s->modules, s->nr_modules, s->room_modules);
		s->modules[s->nr_modules++] = image_string(im, mod + name.off, 56);
		module_ranges(im, s, mod, s->nr_modules);
		module_symbols(im, s, mod, s->nr_modules);
		if (!image_read(im, at, &at, sizeof(at)))
			break;
	}
	sort(s);
}

/* === Look-up ============================================================ */

unsigned long symbol(struct image *im, const char *name)
{
	struct symbols *s = im->symbols;
	size_t low = 0, high = s->nr;
	unsigned long addr;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (strcmp(s->names + s->by_name[mid].name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (low < s->nr && !strcmp(s->names + s->by_name[low].name, name))
		return s->by_name[low].addr;
	return image_symbol(im, name, &addr) ? addr : 0;
}

static const struct symbol *symbol_at(struct symbols *s, unsigned long addr)
{
	size_t low = 0, high = s->nr;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (s->by_addr[mid].addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low)
		return NULL;
	/* the first of several names */
	for (low--; low && s->by_addr[low - 1].addr == s->by_addr[low].addr; low--)
		;
	return &s->by_addr[low];
}

static u32 module_at(struct symbols *s, unsigned long addr)
{
	size_t i;

	for (i = 0; i < s->nr_ranges; i++)
		if (addr - s->module_ranges[i].start < s->module_ranges[i].len)
			return s->range_module[i];
	return 0;
}

/**
 * symbol_name() - name an address
 * @im: the image
 * @addr: the address
 *
 * Return: "name+0x10", with " [module]" behind it, valid until the next call but
 * seven; or NULL if it is neither in the kernel's image nor in a module.
 */
const char *symbol_name(struct image *im, unsigned long addr)
{
	static char bufs[8][NAME_MAX_LEN + 96];
	static unsigned int turn;
	static unsigned long text, end;
	struct symbols *s = im->symbols;
	char *buf = bufs[turn++ % ARRAY_SIZE(bufs)];
	const struct symbol *sym;
	u32 module;
	int n;

	if (!end) {
		text = symbol(im, "_text") ? symbol(im, "_text") : symbol(im, "_stext");
		end = symbol(im, "_end") ? symbol(im, "_end") : text + SZ_64M;
	}
	module = addr - text < end - text ? 0 : module_at(s, addr);
	if (!module && addr - text >= end - text)
		return NULL;
	sym = symbol_at(s, addr);
	if (!sym || sym->module != module) {
		if (!module)
			return NULL;
		snprintf(buf, sizeof(bufs[0]), "[%s]", s->modules[module - 1]);
		return buf;
	}
	n = snprintf(buf, sizeof(bufs[0]), "%s", s->names + sym->name);
	if (addr != sym->addr)
		n += snprintf(buf + n, sizeof(bufs[0]) - n, "+0x%lx", addr - sym->addr);
	if (module)
		snprintf(buf + n, sizeof(bufs[0]) - n, " [%s]", s->modules[module - 1]);
	return buf;
}

size_t symbols_count(struct image *im)
{
	return im->symbols->nr;
}
