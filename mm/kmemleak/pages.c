// SPDX-License-Identifier: GPL-2.0-only
/*
 * What pages are used for: which hold objects, which are roots, and which are neither.
 * Shared by the module and tools/mm/kmemleak, see slabs.h.
 */

#include "os.h"
#include "slabs.h"

const char * const kml_frame_class_names[KML_NR_FRAME_CLASSES] = {
	[KML_FRAME_FREE]		= "free",
	[KML_FRAME_SLAB]		= "slab",
	[KML_FRAME_LARGE]	= "large kmalloc",
	[KML_FRAME_USER]		= "user and page cache",
	[KML_FRAME_TABLE]	= "page table",
	[KML_FRAME_ABSENT]	= "absent",
	[KML_FRAME_RESERVED]	= "reserved",
	[KML_FRAME_IN_USE]	= "in use",
};

static bool kml_frame_flag(const struct kml_layout *layout, u64 flags, enum kml_number_id id)
{
	return layout->known[id] && (flags & BIT_ULL(layout->number[id]));
}

/* Is this the type of a page? Since 6.12 it is the top byte. */
static bool kml_frame_type(const struct kml_layout *layout, u32 type, enum kml_number_id id)
{
	return layout->known[id] && type >> 24 == layout->number[id];
}

/* The order of a compound page, from the struct page behind its first one. */
static unsigned int kml_frame_order(const struct kml_layout *layout, const void *next)
{
	u64 order = 0;

	if (!next)
		return 0;
	if (kml_has(layout, page, compound_order))
		order = kml_in(layout, page, compound_order, next);
	else if (kml_has(layout, folio, _folio_order))
		order = kml_field_of(layout, KML_folio___folio_order,
				     next - layout->size[KML_SIZE_page]);
	else if (kml_has(layout, folio, _flags_1))
		order = kml_field_of(layout, KML_folio___flags_1,
				     next - layout->size[KML_SIZE_page]) & 0xff;
	return order > layout->max_order ? 0 : order;
}

/*
 * The first page of a compound page, from what the others hold: its address and 1, or
 * a mask that makes it from their own address, and 1. Masks are ones above zeros, which
 * no address in the array of struct pages is.
 */
static unsigned long kml_frame_head(const struct kml_layout *layout, unsigned long addr,
				    const void *copy)
{
	unsigned long info, low;

	info = kml_has(layout, page, compound_info) ?
	       kml_in(layout, page, compound_info, copy) :
	       kml_in(layout, page, compound_head, copy);
	if (!(info & 1))
		return 0;
	info--;
	low = -info;
	return info && !(low & (low - 1)) ? addr & info : info;
}

/* A page that must not be read, or whose words mean nothing. */
static bool kml_frame_absent(const struct kml_layout *layout, u64 flags, u32 type)
{
	if (layout->types)
		return type == layout->type_offline ||
		       kml_frame_flag(layout, flags, KML_NR_PG_hwpoison);
	return kml_frame_flag(layout, flags, KML_NR_PG_hwpoison) ||
	       kml_frame_type(layout, type, KML_NR_PGTY_offline) ||
	       kml_frame_type(layout, type, KML_NR_PGTY_guard) ||
	       kml_frame_type(layout, type, KML_NR_PGTY_zsmalloc) ||
	       kml_frame_type(layout, type, KML_NR_PGTY_unaccepted);
}

static enum kml_frame_class kml_frame_class(const struct kml_layout *layout, u64 flags,
					    u32 type, const void *copy, bool tail)
{
	bool typed = layout->known[KML_NR_PGTY_slab];

	if (kml_frame_absent(layout, flags, type))
		return KML_FRAME_ABSENT;
	if (typed ? kml_frame_type(layout, type, KML_NR_PGTY_buddy) :
	    layout->types && type == layout->type_buddy)
		return KML_FRAME_FREE;
	if (tail)
		return KML_FRAME_IN_USE;
	if (typed ? kml_frame_type(layout, type, KML_NR_PGTY_slab) :
	    kml_frame_flag(layout, flags, KML_NR_PG_slab))
		return KML_FRAME_SLAB;
	if (kml_frame_type(layout, type, KML_NR_PGTY_large_kmalloc))
		return KML_FRAME_LARGE;
	if (kml_frame_type(layout, type, KML_NR_PGTY_table))
		return KML_FRAME_TABLE;
	if (kml_frame_flag(layout, flags, KML_NR_PG_reserved))
		return KML_FRAME_RESERVED;
	if (kml_frame_flag(layout, flags, KML_NR_PG_lru) ||
	    kml_frame_type(layout, type, KML_NR_PGTY_hugetlb) ||
	    kml_in(layout, page, mapping, copy))
		return KML_FRAME_USER;
	return KML_FRAME_IN_USE;
}

/**
 * kml_frame_read() - find out what a page is used for
 * @layout: of the kernel
 * @addr: address of its struct page
 * @copy: of its struct page
 * @next: copy of the next struct page, which lies behind @copy; NULL: it could not
 *	be read
 * @page: filled
 *
 * Only the first page of a free block is known to be free, and only the first page of
 * a compound page knows what all of them are used for: the caller applies that to the
 * others.
 *
 * Context: any.
 */
void kml_frame_read(const struct kml_layout *layout, unsigned long addr, const void *copy,
		    const void *next, struct kml_frame *page)
{
	u64 flags = kml_in(layout, page, flags, copy);
	u32 type = kml_in(layout, page, page_type, copy);

	page->head = kml_frame_head(layout, addr, copy);
	page->order = 0;
	page->class = kml_frame_class(layout, flags, type, copy, page->head);
	if (page->head)
		return;
	if (page->class == KML_FRAME_FREE) {
		u64 order = kml_in(layout, page, private, copy);

		page->order = order > layout->max_order ? 0 : order;
	} else if (kml_frame_flag(layout, flags, KML_NR_PG_head)) {
		page->order = kml_frame_order(layout, next);
	}
}
