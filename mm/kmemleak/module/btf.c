// SPDX-License-Identifier: GPL-2.0-only
/*
 * Layouts of structures, from the running kernel's BTF when the module is loaded. So
 * they are those of the kernel that is running by construction, also for structures
 * that no header has; the build needs neither pahole nor bpftool, nor a kernel image
 * with BTF among the headers, which Linux 6.1 of Debian lacks. Members that headers do
 * have are compared: a module that was built for another configuration is refused.
 *
 * The kernel's own parser is not exported. This one reads what it needs: structures,
 * their members, and constants.
 */

#include "oneshot.h"

#define BTF_FILE	"/sys/kernel/btf/vmlinux"
#define BTF_BYTES_MAX	SZ_64M
#define DEPTH_MAX	16	/* of unnamed structures, typedefs and arrays */

struct btf_blob {
	void *data;
	const void *types;
	const char *strings;
	u32 types_len, strings_len;
	u32 *offset;		/* of each type */
	u32 nr;
};

/* Bytes behind a struct btf_type, or -1 for a kind that is not known here. */
static long kind_bytes(const struct btf_type *t)
{
	u32 vlen = btf_vlen(t);

	switch (BTF_INFO_KIND(t->info)) {
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
		return sizeof(u32);
	case BTF_KIND_ARRAY:
		return sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return vlen * sizeof(struct btf_member);
	case BTF_KIND_ENUM:
		return vlen * sizeof(struct btf_enum);
	case BTF_KIND_ENUM64:
		return vlen * 3 * sizeof(u32);
	case BTF_KIND_FUNC_PROTO:
		return vlen * sizeof(struct btf_param);
	case BTF_KIND_DATASEC:
		return vlen * sizeof(struct btf_var_secinfo);
	case BTF_KIND_PTR:
	case BTF_KIND_FWD:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_FUNC:
	case BTF_KIND_FLOAT:
	case BTF_KIND_TYPE_TAG:
		return 0;
	default:
		return -1;
	}
}

static const struct btf_type *type_of(const struct btf_blob *b, u32 id)
{
	return id && id < b->nr ? b->types + b->offset[id] : NULL;
}

static const char *name_of(const struct btf_blob *b, u32 off)
{
	return off < b->strings_len ? b->strings + off : "";
}

/* Number the types. Return: their count, or a negative error. */
static long index_types(struct btf_blob *b, bool fill)
{
	u32 at = 0, nr = 1;

	while (b->types_len - at >= sizeof(struct btf_type)) {
		long more = kind_bytes(b->types + at);

		if (more < 0 || more > b->types_len - at - sizeof(struct btf_type))
			return -EINVAL;
		if (fill)
			b->offset[nr] = at;
		nr++;
		at += sizeof(struct btf_type) + more;
	}
	return at == b->types_len ? nr : -EINVAL;
}

static int blob_parse(struct btf_blob *b, size_t len)
{
	const struct btf_header *h = b->data;
	u64 types = (u64)h->hdr_len + h->type_off, strings = (u64)h->hdr_len + h->str_off;
	long nr;

	if (len < sizeof(*h) || h->magic != BTF_MAGIC || h->version != BTF_VERSION ||
	    types + h->type_len > len || strings + h->str_len > len || types % sizeof(u32) ||
	    !h->str_len)
		return -EINVAL;
	b->types = b->data + types;
	b->types_len = h->type_len;
	b->strings = b->data + strings;
	b->strings_len = h->str_len;
	/* each name ends in the section */
	if (b->strings[b->strings_len - 1])
		return -EINVAL;
	nr = index_types(b, false);
	if (nr < 0)
		return nr;
	b->offset = kvmalloc_array(nr, sizeof(u32), GFP_KERNEL);
	if (!b->offset)
		return -ENOMEM;
	b->nr = nr;
	index_types(b, true);
	return 0;
}

/*
 * Not by kernel_read_file(): security modules ask what a file that the kernel reads is
 * for, and have no answer for this one.
 */
static ssize_t read_file(void **data)
{
	struct file *file = filp_open(BTF_FILE, O_RDONLY, 0);
	loff_t pos = 0, len;
	ssize_t n;

	if (IS_ERR(file))
		return PTR_ERR(file);
	len = i_size_read(file_inode(file));
	if (len <= 0 || len > BTF_BYTES_MAX) {
		n = -EFBIG;
		goto close;
	}
	*data = vmalloc(len);
	n = *data ? 0 : -ENOMEM;
	while (!n && pos < len) {
		n = kernel_read(file, *data + pos, len - pos, &pos);
		n = n > 0 ? 0 : n ?: -EIO;
	}
close:
	fput(file);
	return n ?: len;
}

static int blob_load(struct btf_blob *b)
{
	ssize_t len = read_file(&b->data);
	int err;

	if (len < 0) {
		pr_err("%s cannot be read (%zd): this kernel has no BTF, or sysfs is not mounted\n",
		       BTF_FILE, len);
		return -ENOENT;
	}
	err = blob_parse(b, len);
	if (err == -EINVAL)
		pr_err("%s is not understood\n", BTF_FILE);
	return err;
}

static void blob_free(struct btf_blob *b)
{
	kvfree(b->offset);
	vfree(b->data);
}

/* === Looking up ========================================================= */

static const struct btf_type *find_struct(const struct btf_blob *b, const char *name)
{
	u32 id;

	for (id = 1; id < b->nr; id++) {
		const struct btf_type *t = type_of(b, id);

		if (BTF_INFO_KIND(t->info) == BTF_KIND_STRUCT &&
		    !strcmp(name_of(b, t->name_off), name))
			return t;
	}
	return NULL;
}

/* The size of a type in bytes; 0: it has none. */
static u32 size_of(const struct btf_blob *b, u32 id)
{
	const struct btf_array *array;
	const struct btf_type *t;
	unsigned int depth;
	u64 elements = 1;

	for (depth = 0; depth < DEPTH_MAX; depth++) {
		t = type_of(b, id);
		if (!t)
			return 0;
		switch (BTF_INFO_KIND(t->info)) {
		case BTF_KIND_INT:
		case BTF_KIND_STRUCT:
		case BTF_KIND_UNION:
		case BTF_KIND_ENUM:
		case BTF_KIND_ENUM64:
		case BTF_KIND_FLOAT:
			return min_t(u64, elements * t->size, U32_MAX);
		case BTF_KIND_PTR:
			return min_t(u64, elements * sizeof(void *), U32_MAX);
		case BTF_KIND_ARRAY:
			array = (const void *)(t + 1);
			elements *= array->nelems;
			if (elements > U32_MAX)
				return 0;
			id = array->type;
			break;
		default:
			id = t->type;
		}
	}
	return 0;
}

struct found {
	u32 bit, bits, type;
};

/* Finds a member, also of unnamed structures inside. */
static bool find_member(const struct btf_blob *b, const struct btf_type *t, const char *name,
			u32 base, unsigned int depth, struct found *found)
{
	const struct btf_member *m = (const void *)(t + 1);
	bool bitfields = BTF_INFO_KFLAG(t->info);
	u32 i;

	if (depth == DEPTH_MAX)
		return false;
	for (i = 0; i < BTF_INFO_VLEN(t->info); i++, m++) {
		u32 at = base + (bitfields ? BTF_MEMBER_BIT_OFFSET(m->offset) : m->offset);
		const char *n = name_of(b, m->name_off);
		const struct btf_type *inner;

		if (*n) {
			if (strcmp(n, name))
				continue;
			found->bit = at;
			found->bits = bitfields ? BTF_MEMBER_BITFIELD_SIZE(m->offset) : 0;
			found->type = m->type;
			return true;
		}
		inner = type_of(b, m->type);
		if (inner && (BTF_INFO_KIND(inner->info) == BTF_KIND_STRUCT ||
			      BTF_INFO_KIND(inner->info) == BTF_KIND_UNION) &&
		    find_member(b, inner, name, at, depth + 1, found))
			return true;
	}
	return false;
}

static bool find_field(const struct btf_blob *b, const char *type, const char *member,
		       struct kml_field *field)
{
	const struct btf_type *t = find_struct(b, type);
	struct found found;

	memset(field, 0, sizeof(*field));
	if (!t || !find_member(b, t, member, 0, 0, &found))
		return false;
	field->off = found.bit / 8;
	field->bytes = size_of(b, found.type);
	if (found.bits && field->bytes) {
		/* the word of the declared type that holds it */
		field->off = found.bit / 8 / field->bytes * field->bytes;
		field->shift = found.bit - field->off * 8;
		field->bits = found.bits;
	}
	return true;
}

/* A constant of any enumeration. */
static bool find_number(const struct btf_blob *b, const char *name, u32 *value)
{
	u32 id, i;

	for (id = 1; id < b->nr; id++) {
		const struct btf_type *t = type_of(b, id);
		const struct btf_enum *e = (const void *)(t + 1);

		if (BTF_INFO_KIND(t->info) != BTF_KIND_ENUM)
			continue;
		for (i = 0; i < BTF_INFO_VLEN(t->info); i++) {
			if (strcmp(name_of(b, e[i].name_off), name))
				continue;
			*value = e[i].val;
			return true;
		}
	}
	return false;
}

/* === Layouts ============================================================ */

static int missing(const char *type, const char *member)
{
	pr_err("this kernel is not understood: no %s%s%s in its BTF\n", type,
	       member ? "." : "", member ?: "");
	return -EOPNOTSUPP;
}

static int load_fields(const struct btf_blob *b, struct kml_layout *layout)
{
	const struct kml_wanted *w;
	unsigned int i;

	for (i = 0; i < KML_NR_FIELDS; i++) {
		w = &kml_fields[i];
		if (!find_field(b, w->type, w->member, &layout->field[i]) && w->must)
			return missing(w->type, w->member);
		cond_resched();
	}
	/* an array without a size, a member that is not empty */
	if (layout->field[KML_slab_sheaf__objects].off)
		layout->field[KML_slab_sheaf__objects].bytes = sizeof(u64);
	for (i = 0; i < KML_NR_STRUCTS; i++) {
		const struct btf_type *t = find_struct(b, kml_structs[i].type);

		layout->size[i] = t ? t->size : 0;
		if (!t && kml_structs[i].must)
			return missing(kml_structs[i].type, NULL);
	}
	for (i = 0; i < KML_NR_NUMBERS; i++) {
		w = &kml_numbers[i];
		layout->known[i] = find_number(b, w->type, &layout->number[i]);
		if (!layout->known[i] && w->must)
			return missing(w->type, NULL);
		cond_resched();
	}
	return 0;
}

static void load_chunk(const struct btf_blob *b, struct kml_chunk_layout *c)
{
	static const char type[] = "pcpu_chunk";

	c->known = find_field(b, type, "list", &c->list) &&
		   find_field(b, type, "base_addr", &c->base_addr) &&
		   find_field(b, type, "bound_map", &c->bound_map) &&
		   find_field(b, type, "alloc_map", &c->alloc_map) &&
		   find_field(b, type, "start_offset", &c->start) &&
		   find_field(b, type, "end_offset", &c->end) &&
		   find_field(b, type, "nr_pages", &c->nr_pages);
}

static int differs(const char *name, u32 btf, size_t headers)
{
	if (btf == headers)
		return 0;
	pr_err("built for another kernel: %s is %u here, %zu in the headers\n", name, btf,
	       headers);
	return -EOPNOTSUPP;
}

#define DIFFERS(s, m)	\
	differs(#s "." #m, layout->field[KML_##s##__##m].off, offsetof(struct s, m))

/* Is what headers say of public structures true? */
static int compare_headers(const struct kml_layout *layout)
{
	return differs("sizeof(struct page)", layout->size[KML_SIZE_page],
		       sizeof(struct page)) ?:
	       DIFFERS(page, flags) ?: DIFFERS(page, mapping) ?: DIFFERS(page, private) ?:
	       DIFFERS(page, _refcount) ?:
	       differs("PG_reserved", layout->number[KML_NR_PG_reserved], PG_reserved) ?:
	       differs("PG_lru", layout->number[KML_NR_PG_lru], PG_lru) ?:
	       differs("PG_head", layout->number[KML_NR_PG_head], PG_head);
}

/**
 * kml_layout_load() - learn the layouts of the running kernel's structures
 * @layout: filled
 * @chunk: filled
 *
 * Context: process; may sleep.
 * Return: 0, or a negative error, after a line in the log that says what is wrong.
 */
int kml_layout_load(struct kml_layout *layout, struct kml_chunk_layout *chunk)
{
	struct btf_blob b = {};
	const char *name;
	int err;

	memset(layout, 0, sizeof(*layout));
	layout->page_shift = PAGE_SHIFT;
	layout->max_order = NR_PAGE_ORDERS - 1;
#ifdef PG_buddy
	/* until 6.9 these are macros, as bits that are cleared in page_type */
	layout->types = true;
	layout->type_buddy = ~PG_buddy;
	layout->type_offline = ~PG_offline;
#endif
	err = blob_load(&b) ?: load_fields(&b, layout) ?: compare_headers(layout);
	if (!err) {
		name = kml_layout_check(layout);
		if (name)
			err = missing(name, NULL);
		load_chunk(&b, chunk);
	}
	blob_free(&b);
	return err;
}
