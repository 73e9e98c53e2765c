// SPDX-License-Identifier: GPL-2.0
/*
 * kmemleak_torture: leaks on purpose, until the module is unloaded
 *
 * Their addresses are kept scrambled. Functions that handle a plain address are not
 * inlined, and their stacks are wiped: stale words there would be references.
 */
#include <linux/cpumask.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include "first_chunk.h"
#include "kt.h"

struct kt_leak {
	unsigned long hidden;
	enum kt_kind kind;
	bool found;
	bool explained;			/* a word looked like a reference */
};

static struct kt_leak *kt_leaks;
static atomic_t kt_nr_leaks, kt_nr_found;

static const char * const kt_kind_names[KT_NR_KINDS] = {
	[KT_KMALLOC]	= "kmalloc",
	[KT_PAGES]	= "pages",
	[KT_VMALLOC]	= "vmalloc",
	[KT_PERCPU]	= "percpu",
};

int kt_leak_init(void)
{
	kt_leaks = kvcalloc(max(kt_max_leaks, 1U), sizeof(*kt_leaks), GFP_KERNEL);
	return kt_leaks ? 0 : -ENOMEM;
}

unsigned int kt_leaks_planted(void)
{
	return min_t(unsigned int, atomic_read(&kt_nr_leaks), kt_max_leaks);
}

unsigned int kt_leaks_found(void)
{
	return atomic_read(&kt_nr_found);
}

/* Deeper than all functions that handle the address of a leak. */
noinline void kt_wipe_stack(void)
{
	unsigned long wiped[200];

	memset(wiped, 0, sizeof(wiped));
	barrier_data(wiped);
}

static noinline void kt_plant(struct kt_leak *leak, enum kt_kind kind, size_t size,
			      unsigned int id)
{
	unsigned long ref = kt_object_new(kind, size, KT_LEAK, id, GFP_KERNEL);

	if (ref && kind == KT_PERCPU &&
	    in_first_chunk((const void __percpu *)(ref & ~KT_REF_PERCPU))) {
		kt_object_free(ref);
		kind = KT_PAGES;
		ref = kt_object_new(kind, size, KT_LEAK, id, GFP_KERNEL);
	}
	if (ref) {
		leak->kind = kind;
		leak->hidden = kt_scramble(ref);
	}
}

void kt_leak_one(struct rnd_state *rnd)
{
	unsigned int id, what = prandom_u32_state(rnd) % 16;

	if (atomic_read(&kt_nr_leaks) >= kt_max_leaks)
		return;
	id = atomic_fetch_inc(&kt_nr_leaks);
	if (id >= kt_max_leaks)
		return;
	if (what < 7)
		kt_plant(&kt_leaks[id], KT_PAGES, KT_MIN_SIZE << (what % 4), id);
	else if (what < 13)
		kt_plant(&kt_leaks[id], KT_KMALLOC, KT_MIN_SIZE << (what % 4), id);
	else if (what < 15)
		kt_plant(&kt_leaks[id], KT_VMALLOC, PAGE_SIZE << (what % 4), id);
	else
		kt_plant(&kt_leaks[id], KT_PERCPU, KT_MIN_SIZE, id);
	kt_wipe_stack();
}

void kt_leak_found(unsigned long id)
{
	if (id >= kt_leaks_planted() || !kt_leaks[id].hidden || kt_leaks[id].found) {
		/* no leak of ours has this number */
		if (id >= kt_leaks_planted() || !kt_leaks[id].hidden)
			kt_count(KT_C_BAD);
		return;
	}
	kt_leaks[id].found = true;
	atomic_inc(&kt_nr_found);
}

/* False if it has been reported, or there is none of this number. */
bool kt_leak_unreported(unsigned int id, unsigned long *hidden, unsigned long *size)
{
	struct kt_leak *leak = &kt_leaks[id];

	if (!leak->hidden || leak->found)
		return false;
	/* its address as kmemleak compares it, scrambled */
	*hidden = kt_scramble(kt_untagged(kt_scramble(leak->hidden) & ~KT_REF_PERCPU));
	*size = kt_object(kt_scramble(leak->hidden))->size;
	return true;
}

void kt_leak_explained(unsigned int id)
{
	kt_leaks[id].explained = true;
}

/*
 * The number of leaks; then those that were not reported, one a line: scrambled reference,
 * number, kind, and whether a word looked like a reference.
 */
size_t kt_leak_list(char *buf, size_t size)
{
	unsigned int i;
	size_t len = scnprintf(buf, size, "planted %u\n", kt_leaks_planted());

	for (i = 0; i < kt_leaks_planted(); i++)
		if (kt_leaks[i].hidden && !kt_leaks[i].found)
			len += scnprintf(buf + len, size - len, "0x%lx %u %s %s\n",
					 kt_leaks[i].hidden, i,
					 kt_kind_names[kt_leaks[i].kind],
					 kt_leaks[i].explained ? "word" : "bare");
	return len;
}

void kt_leak_exit(void)
{
	unsigned int i;

	for (i = 0; kt_leaks && i < kt_leaks_planted(); i++) {
		unsigned long ref = kt_scramble(kt_leaks[i].hidden);

		if (kt_leaks[i].hidden && kt_object_check(ref, KT_LEAK))
			kt_object_free(ref);
	}
	kvfree(kt_leaks);
}
