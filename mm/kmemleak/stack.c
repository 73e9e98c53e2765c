// SPDX-License-Identifier: GPL-2.0-only
/*
 * Allocation stacks: capture, and their handles in the stack depot.
 *
 * A hook saves the stack of its caller. Where the architecture has a fast walk
 * (<linux/kmemleak_unwind.h>), the unwinder is used only for what this walk does not
 * understand. A kernel has a few thousand different traces, so the hook looks a trace up
 * among remembered records of the depot first.
 *
 * Remembered records: a direct-mapped table of pointers, indexed by the hash of the
 * trace, one word per entry. The depot never frees or changes a record without
 * references that are counted, and only such records are remembered. A record is
 * compared with the trace word for word, so a wrong pointer costs time and nothing
 * else. kml_record_add() publishes a pointer with release semantics, after the depot
 * has filled the record; readers load it with READ_ONCE() and depend on the address.
 * Entries are overwritten and never cleared. Records are not tracked blocks, so that
 * their addresses in bss hide nothing.
 */

#include "os.h"
#include "index.h"
#include <linux/kmemleak_unwind.h>

#define KML_RECORD_BITS	12

static struct stack_record *kml_records[1 << KML_RECORD_BITS];

unsigned int kml_depth = KML_MAX_TRACE;

static __always_inline struct stack_record **kml_record_slot(unsigned long hash)
{
	return &kml_records[hash_32((u32)hash, KML_RECORD_BITS)];
}

/* The handle of a trace that is remembered, or 0. Context: any. */
static __always_inline depot_stack_handle_t
kml_record_find(const unsigned long *entries, unsigned int nr, unsigned long hash)
{
	const struct stack_record *record = READ_ONCE(*kml_record_slot(hash));
	unsigned long i = nr;

	if (unlikely(!record || record->size != nr))
		return 0;
	/* downward: the counter is compared for nothing */
	while (i--)
		if (unlikely(record->entries[i] != entries[i]))
			return 0;
	return record->handle.handle;
}

static unsigned long kml_trace_hash(const unsigned long *entries, unsigned int nr)
{
	unsigned long hash = 0;
	unsigned int i;

	for (i = 0; i < nr; i++)
		hash = kmemleak_stack_hash(hash, entries[i]);
	return hash;
}

/*
 * Save a trace in the depot and remember its record. The depot may allocate a pool.
 * It may wake kswapd only if the allocation that is traced may: with the lock of a
 * run queue held, that deadlocks. Context: any in which @gfp may be used.
 */
static depot_stack_handle_t kml_record_add(unsigned long *entries, unsigned int nr,
					   unsigned long hash, gfp_t gfp)
{
	depot_stack_handle_t handle;
	struct stack_record *record;

	gfp = gfp & __GFP_KSWAPD_RECLAIM ? GFP_NOWAIT : __GFP_NOWARN;
	handle = stack_depot_save(entries, nr, gfp);
	record = __stack_depot_get_stack_record(handle);
	/* others may free a record whose references are counted */
	if (record && refcount_read(&record->count) == REFCOUNT_SATURATED &&
	    kmemleak_stack_valid(entries, nr))
		/* pairs with the address dependency in kml_record_find() */
		smp_store_release(kml_record_slot(hash), record);
	return handle;
}

/*
 * The handle of a trace of which kml_record_find() knows nothing. What precedes the
 * entry of an interrupt is dropped first, as the depot would do.
 */
static noinline depot_stack_handle_t
kml_record_miss(unsigned long *entries, unsigned int nr, unsigned long hash, gfp_t gfp)
{
	unsigned int len = filter_irq_stacks(entries, nr);
	depot_stack_handle_t handle;

	if (len != nr) {
		hash = kml_trace_hash(entries, len);
		handle = kml_record_find(entries, len, hash);
		if (handle)
			return handle;
	}
	return kml_record_add(entries, len, hash, gfp);
}

#ifdef CONFIG_DEBUG_KMEMLEAK_STACK_CHECK
/*
 * Compare a fast walk and the handle it led to with the unwinder and the depot. Must
 * not be inlined, nor be the last call of kml_stack_save(): both frames are skipped.
 */
static noinline void kml_stack_check(unsigned long *entries, unsigned int nr,
				     unsigned int max, depot_stack_handle_t handle, gfp_t gfp)
{
	unsigned long want[KML_MAX_TRACE] __uninitialized;
	unsigned int nr_want, i;
	unsigned long flags;
	static atomic_t shown;

	nr_want = stack_trace_save(want, max, KML_SKIP_FRAMES + 1);
	nr_want = filter_irq_stacks(want, nr_want);
	nr = filter_irq_stacks(entries, nr);
	kml_count_inc(KML_C_STACK_CHECKS);
	if (nr == nr_want && !memcmp(entries, want, nr * sizeof(*want)) &&
	    (!handle || handle == kml_record_add(want, nr_want, 0, gfp)))
		return;
	kml_count_inc(KML_C_STACK_MISMATCHES);
	if (atomic_inc_return(&shown) > 4)
		return;
	flags = kml_print_begin();
	pr_warn("Stack of %u frames, not %u as by the unwinder, handle %x\n", nr, nr_want,
		handle);
	for (i = 0; i < max(nr, nr_want); i++)
		pr_warn("  %pS | %pS\n", (void *)(i < nr ? entries[i] : 0),
			(void *)(i < nr_want ? want[i] : 0));
	kml_print_end(flags);
}
#else
static inline void kml_stack_check(unsigned long *entries, unsigned int nr,
				   unsigned int max, depot_stack_handle_t handle, gfp_t gfp)
{
}
#endif

/**
 * kml_stack_save() - save the stack of the caller in the stack depot
 * @gfp: flags of the allocation that is traced, 0 if they are not known
 *
 * The first frame is that of the caller, an exported hook, which is not inlined:
 * KML_SKIP_FRAMES drops the frame of this function.
 *
 * Context: any but NMI.
 * Return: handle of the stack, or 0 if the depot is not ready or has no memory.
 */
noinline depot_stack_handle_t kml_stack_save(gfp_t gfp)
{
	/* what the walk has not filled is not read */
	unsigned long entries[KML_MAX_TRACE] __uninitialized;
	unsigned int nr, max = READ_ONCE(kml_depth);
	depot_stack_handle_t handle;
	unsigned long hash;

	if (unlikely(!kml_pool_ready()))
		return 0;

	nr = arch_kmemleak_stack(__builtin_frame_address(0), entries, max, &hash);
	if (likely(nr)) {
		handle = kml_record_find(entries, nr, hash);
		if (unlikely(!handle)) {
			if (!kmemleak_stack_valid(entries, nr))
				goto unwind;
			handle = kml_record_miss(entries, nr, hash, gfp);
		}
		kml_stack_check(entries, nr, max, handle, gfp);
		return handle;
	}
unwind:
	if (IS_ENABLED(CONFIG_HAVE_ARCH_KMEMLEAK_STACK))
		kml_count_inc(KML_C_STACK_FALLBACKS);
	nr = stack_trace_save(entries, max, KML_SKIP_FRAMES);
	hash = kml_trace_hash(entries, nr);
	return kml_record_find(entries, nr, hash) ?: kml_record_miss(entries, nr, hash, gfp);
}
