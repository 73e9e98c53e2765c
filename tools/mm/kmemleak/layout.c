// SPDX-License-Identifier: GPL-2.0-only
/* Layouts of structures, from the kernel's BTF, which is in its memory, or in a file. */

#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "kmemleak.h"

static int btf_silent(enum libbpf_print_level level, const char *fmt, va_list args)
{
	return 0;
}

/* Finds a member, also of unnamed structures inside. */
static bool find_member(const struct btf *btf, const struct btf_type *type, const char *name,
			u32 base, u32 *bit, u32 *bits, __u32 *id)
{
	const struct btf_member *m = btf_members(type);
	int i;

	for (i = 0; i < btf_vlen(type); i++, m++) {
		u32 at = base + btf_member_bit_offset(type, i);
		const char *n = btf__name_by_offset(btf, m->name_off);

		if (n && *n) {
			if (strcmp(n, name))
				continue;
			*bit = at;
			*bits = btf_member_bitfield_size(type, i);
			*id = m->type;
			return true;
		}
		if (btf_is_composite(btf__type_by_id(btf, m->type)) &&
		    find_member(btf, btf__type_by_id(btf, m->type), name, at, bit, bits, id))
			return true;
	}
	return false;
}

/**
 * layout_member() - find a member of a structure
 * @im: the image
 * @type: name of the structure
 * @member: name of the member
 * @field: filled
 *
 * Return: false if there is none.
 */
bool layout_member(struct image *im, const char *type, const char *member,
		   struct kml_field *field)
{
	int id = btf__find_by_name_kind(im->btf, type, BTF_KIND_STRUCT);
	u32 bit, bits, bytes;
	__u32 member_id;

	memset(field, 0, sizeof(*field));
	if (id < 0 || !find_member(im->btf, btf__type_by_id(im->btf, id), member, 0, &bit, &bits,
				   &member_id))
		return false;
	bytes = btf__resolve_size(im->btf, member_id) > 0 ?
			btf__resolve_size(im->btf, member_id) :
			8;
	field->off = bit / 8;
	field->bytes = bytes;
	if (bits) {
		/* the word of the declared type that holds it */
		field->off = bit / 8 / bytes * bytes;
		field->shift = bit - field->off * 8;
		field->bits = bits;
	}
	return true;
}

unsigned long layout_size(struct image *im, const char *type)
{
	int id = btf__find_by_name_kind(im->btf, type, BTF_KIND_STRUCT);

	return id < 0 ? 0 : btf__type_by_id(im->btf, id)->size;
}

bool layout_get(struct image *im, const char *type, const char *member, unsigned long addr,
		u64 *value)
{
	struct kml_layout one = {};
	struct kml_memory mem = im->mem;
	struct kml_field field;
	u64 copy = 0;

	if (!layout_member(im, type, member, &field))
		return false;
	one.field[0] = field;
	one.field[0].off = 0;
	if (!mem.read(&im->mem, addr + field.off, &copy, min_t(size_t, field.bytes, sizeof(copy))))
		return false;
	*value = kml_field_of(&one, 0, &copy);
	return true;
}

/* A constant of any enumeration. */
bool layout_number(struct image *im, const char *name, u32 *value)
{
	const struct btf *btf = im->btf;
	u32 id, i, nr = btf__type_cnt(btf);

	for (id = 1; id < nr; id++) {
		const struct btf_type *type = btf__type_by_id(btf, id);
		const struct btf_enum *e;

		if (!btf_is_enum(type))
			continue;
		e = btf_enum(type);
		for (i = 0; i < btf_vlen(type); i++)
			if (!strcmp(btf__name_by_offset(btf, e[i].name_off), name)) {
				*value = e[i].val;
				return true;
			}
	}
	return false;
}

static struct btf *btf_of_file(const char *file)
{
	struct btf *btf;

	if (access(file, R_OK))
		die(EXIT_NO_FILE, "%s: %s", file, strerror(errno));
	btf = btf__parse(file, NULL);
	if (libbpf_get_error(btf))
		die(EXIT_UNKNOWN, "%s: no BTF in it: %s", file,
		    strerror(-(int)libbpf_get_error(btf)));
	return btf;
}

static struct btf *btf_of_image(struct image *im)
{
	unsigned long start = symbol(im, "__start_BTF"), stop = symbol(im, "__stop_BTF");
	struct btf *btf;
	void *raw;

	if (!start || stop <= start || stop - start > SZ_64M)
		die(EXIT_UNKNOWN,
		    "the kernel in the image (%s) has no symbol __start_BTF: give --btf, for example its /sys/kernel/btf/vmlinux",
		    im->release);
	raw = must_alloc(NULL, stop - start, 1);
	if (!image_read(im, start, raw, stop - start))
		die(EXIT_BAD_IMAGE,
		    "the kernel's BTF is not in the image: give --btf, for example its /sys/kernel/btf/vmlinux");
	btf = btf__new(raw, stop - start);
	if (libbpf_get_error(btf))
		die(EXIT_UNKNOWN,
		    "the BTF of the kernel in the image is not understood: %s; give --btf",
		    strerror(-(int)libbpf_get_error(btf)));
	free(raw);
	return btf;
}

static void layout_missing(struct image *im, const char *what, const char *name)
{
	die(EXIT_UNKNOWN, "Linux %s: this kernel is not understood: no %s %s in its BTF",
	    im->release, what, name);
}

static void load_fields(struct image *im)
{
	struct kml_layout *layout = &im->layout;
	char name[80];
	unsigned int i;

	for (i = 0; i < KML_NR_FIELDS; i++) {
		const struct kml_wanted *w = &kml_fields[i];

		snprintf(name, sizeof(name), "%s.%s", w->type, w->member);
		if (!layout_member(im, w->type, w->member, &layout->field[i]) &&
		    w->must)
			layout_missing(im, "member", name);
		/* an array without a size, a member that is not empty */
		if (!strcmp(name, "slab_sheaf.objects"))
			layout->field[i].bytes = layout->field[i].off ? 8 : 0;
	}
	for (i = 0; i < KML_NR_STRUCTS; i++) {
		layout->size[i] = layout_size(im, kml_structs[i].type);
		if (!layout->size[i] && kml_structs[i].must)
			layout_missing(im, "structure", kml_structs[i].type);
	}
	for (i = 0; i < KML_NR_NUMBERS; i++) {
		layout->known[i] = layout_number(im, kml_numbers[i].type, &layout->number[i]);
		if (!layout->known[i] && kml_numbers[i].must)
			layout_missing(im, "constant", kml_numbers[i].type);
	}
}

/**
 * layout_load() - find all that slabs.c and pages.c have to know, or give up
 * @im: the image, whose symbols are loaded
 * @options: names of files
 */
void layout_load(struct image *im, const struct image_options *options)
{
	struct kml_layout *layout = &im->layout;
	unsigned long value, size;
	const char *missing;

	libbpf_set_print(btf_silent);
	if (options->btf || options->vmlinux)
		im->btf = btf_of_file(options->btf ? options->btf : options->vmlinux);
	else
		im->btf = btf_of_image(im);
	layout->page_shift = im->page_shift;
	layout->max_order = 10;
	if (image_number(im, "LENGTH(zone.free_area)", &value) && value && value <= 32)
		layout->max_order = value - 1;
	load_fields(im);
	if (image_number(im, "NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)", &value) &&
	    !layout->known[KML_NR_PGTY_buddy]) {
		layout->types = true;
		layout->type_buddy = value;
		if (image_number(im, "NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)", &value))
			layout->type_offline = value;
	}
	missing = kml_layout_check(layout);
	if (missing)
		layout_missing(im, "members", missing);
	/* BTF of another kernel: the image itself knows some */
	if (image_number(im, "SIZE(page)", &size) && size != layout->size[KML_SIZE_page])
		die(EXIT_UNKNOWN,
		    "%s is not of the kernel in the image (%s): struct page has %u bytes, not %lu",
		    options->btf     ? options->btf :
		    options->vmlinux ? options->vmlinux :
				       "BTF",
		    im->release, layout->size[KML_SIZE_page], size);
	if (image_number(im, "OFFSET(page._mapcount)", &value) &&
	    value != layout->field[KML_page__page_type].off)
		die(EXIT_UNKNOWN,
		    "%s is not of the kernel in the image (%s): page._mapcount is at %lu, not at %u",
		    options->btf     ? options->btf :
		    options->vmlinux ? options->vmlinux :
				       "BTF",
		    im->release, value, layout->field[KML_page__page_type].off);
}
