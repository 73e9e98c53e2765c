// SPDX-License-Identifier: GPL-2.0-only
/*
 * What callers say about an object after its birth. Unless noted: any context;
 * return 0, or -ENOENT if no object starts at the address (nor waits in the
 * reserve, where there is nothing more to say about it).
 */

#include "os.h"
#include "pool.h"
#include "reserve.h"
#include "track.h"

/**
 * kml_track_paint() - make an object grey (never a leak) or black (ignored)
 * @space: where
 * @ptr: start of the object
 * @color: 0 or -1
 *
 * Return: see above.
 */
int kml_track_paint(struct kml_space *space, unsigned long ptr, int color)
{
	unsigned long start = kml_untag(ptr);
	struct kml_locked l;

	if (!kml_object_lock(&l, space, start, false))
		return kml_reserve_paint(space, start, color < 0 ?
					 KML_RESERVE_MAKE_BLACK :
					 KML_RESERVE_MAKE_GREY) ? 0 : -ENOENT;
	kml_hot_change(l.hot, KML_MIN_MASK,
		       kml_state_set_min(0, color) |
		       (color < 0 ? KML_F_NO_SCAN : 0));
	kml_object_unlock(&l);
	return 0;
}

/* kml_track_no_scan() - references to the object count, its content does not */
int kml_track_no_scan(struct kml_space *space, unsigned long ptr)
{
	unsigned long start = kml_untag(ptr);
	struct kml_locked l;

	if (!kml_object_lock(&l, space, start, false))
		return kml_reserve_paint(space, start, KML_RESERVE_MAKE_NO_SCAN) ? 0 : -ENOENT;
	kml_hot_change(l.hot, 0, KML_F_NO_SCAN);
	kml_object_unlock(&l);
	return 0;
}

/**
 * kml_track_hush() - set or clear NO_SCAN on the block of a stack
 * @stack: where the stack begins; may be NULL
 * @hush: set it
 *
 * With VMAP_STACK, a stack is a block like others, and would be read as a whole
 * by any scan, dead frames included. roots_stack.c reads what is to be read of
 * it.
 *
 * Context: process.
 * Return: true if this changed anything.
 */
bool kml_track_hush(const void *stack, bool hush)
{
	unsigned long start = kml_untag((unsigned long)stack);
	struct kml_locked l;
	bool change;

	if (!start || !kml_object_lock(&l, kml_space(KML_VIRT), start, false))
		return false;
	change = hush == !(kml_hot_state(l.hot) & KML_F_NO_SCAN);
	if (change)
		kml_hot_change(l.hot, hush ? 0 : KML_F_NO_SCAN,
			       hush ? KML_F_NO_SCAN : 0);
	kml_object_unlock(&l);
	return change;
}

/**
 * kml_track_hush_stack() - set or clear NO_SCAN on the stack of this task
 * @hush: set it
 *
 * The stack of a task that scans is littered with addresses that it went
 * through.
 *
 * Context: process.
 * Return: true if this changed anything.
 */
bool kml_track_hush_stack(bool hush)
{
	return kml_track_hush(task_stack_page(current), hush);
}

/* kml_track_reset_checksum() - let the next scan take the object as changed */
int kml_track_reset_checksum(struct kml_space *space, unsigned long ptr)
{
	unsigned long start = kml_untag(ptr);
	struct kml_locked l;

	if (!kml_object_lock(&l, space, start, false))
		return kml_reserve_paint(space, start, KML_RESERVE_KEEP) ? 0 : -ENOENT;
	l.hot->cold->checksum = ~0;
	kml_object_unlock(&l);
	return 0;
}

/* kml_track_set_trace() - @ptr may point anywhere into the object */
int kml_track_set_trace(struct kml_space *space, unsigned long ptr,
			depot_stack_handle_t trace)
{
	struct kml_locked l;

	if (!kml_object_lock(&l, space, kml_untag(ptr), true))
		return -ENOENT;
	l.hot->cold->trace = trace;
	kml_object_unlock(&l);
	return 0;
}

/*
 * Give a locked object an extension: @ext if it has none. Return: metadata that
 * is now unused, to be freed after unlocking, in @unused.
 */
static struct kml_ext *kml_hot_extend(struct kml_hot *hot, struct kml_ext *ext,
				      struct kml_cold **unused)
{
	*unused = NULL;
	if (kml_hot_state(hot) & KML_F_EXT)
		return kml_ext(hot);
	if (!ext)
		return NULL;

	ext->cold = *hot->cold;
	ext->not_excess = ~0UL;
	*unused = hot->cold;
	/* pointer before flag: who sees the flag finds an extension */
	smp_store_release(&hot->cold, &ext->cold);
	kml_hot_change(hot, 0, KML_F_EXT);
	return ext;
}

/**
 * kml_track_set_excess() - pass on surplus references
 * @space: where
 * @ptr: start of the object
 * @excess_ref: start of the object that gets what @ptr does not need
 * @gfp: for metadata
 *
 * Called when both are born. A scan that began before and has settled @ptr does
 * not pass references on, but does not report @excess_ref either: that one's
 * checksum is not known yet.
 *
 * Context: as @gfp allows.
 * Return: 0, -ENOENT, or -ENOMEM: then the caller has
 * to see to it that @excess_ref is not taken for a leak.
 */
int kml_track_set_excess(struct kml_space *space, unsigned long ptr,
			 unsigned long excess_ref, gfp_t gfp)
{
	unsigned long start = kml_untag(ptr);
	struct kml_ext *spare, *ext;
	struct kml_cold *unused;
	struct kml_locked l;

	spare = kml_pool_alloc(KML_POOL_EXT, gfp);
	if (!kml_object_lock(&l, space, start, false)) {
		kml_pool_free(KML_POOL_EXT, spare);
		return kml_reserve_paint(space, start, KML_RESERVE_KEEP) ? -ENOMEM : -ENOENT;
	}
	ext = kml_hot_extend(l.hot, spare, &unused);
	if (ext) {
		ext->not_excess = ~excess_ref;
		WRITE_ONCE(kml_interval_find(space, start)->excess, true);
		WRITE_ONCE(l.leaf->excess, true);
	}
	kml_object_unlock(&l);

	if (spare != ext)
		kml_pool_free(KML_POOL_EXT, spare);
	kml_cold_free(0, unused);
	return ext ? 0 : -ENOMEM;
}

/**
 * kml_track_add_area() - scan only this part of an object (and others so named)
 * @space: where
 * @ptr: start of the area, anywhere in the object
 * @size: of the area; SIZE_MAX: up to the object's end
 * @gfp: for metadata
 * @hit: filled on -ERANGE
 *
 * Without memory for the area the whole object is scanned.
 *
 * Context: as @gfp allows.
 * Return: 0, -ENOENT, -ENOMEM, or -ERANGE if the area
 * is longer than the object.
 */
int kml_track_add_area(struct kml_space *space, unsigned long ptr, size_t size,
		       gfp_t gfp, struct kml_info *hit)
{
	unsigned long addr = kml_untag(ptr);
	struct kml_ext *spare, *ext;
	struct kml_cold *unused = NULL;
	struct kml_area *area;
	struct kml_locked l;
	size_t room;
	int ret = 0;

	area = kml_pool_alloc(KML_POOL_AREA, gfp);
	spare = kml_pool_alloc(KML_POOL_EXT, gfp);

	if (!kml_object_lock(&l, space, addr, true)) {
		ret = kml_reserve_holds(space, addr) ? 0 : -ENOENT;
		ext = NULL;
		goto out;
	}

	ext = area ? kml_hot_extend(l.hot, spare, &unused) : NULL;
	room = kml_hot_size(l.hot, kml_hot_state(l.hot)) - (addr - l.start);
	if (!ext) {
		kml_hot_change(l.hot, 0, KML_F_FULL_SCAN);
		ret = -ENOMEM;
	} else if (size != SIZE_MAX && size > room) {
		kml_info_fill(hit, space, l.start, l.hot);
		ret = -ERANGE;
	} else {
		area->not_start = ~addr;
		area->size = min(size, room);
		area->next = ext->areas;
		/* walkers hold a pin, not the lock */
		smp_store_release(&ext->areas, area);
		area = NULL;
	}
	kml_object_unlock(&l);
out:
	if (spare != ext)
		kml_pool_free(KML_POOL_EXT, spare);
	kml_pool_free(KML_POOL_AREA, area);
	kml_cold_free(0, unused);
	return ret;
}
