// SPDX-License-Identifier: GPL-2.0
/*
 * kmemleak_torture: words in each kind of memory that a scan reads
 */
#include <linux/gfp.h>
#include <linux/kmemleak.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "kt.h"

/* words of each CPU in this module's static per-CPU memory */
#define KT_STATIC	128
#define KT_BSS		2048
#define KT_PER_PAGE	(PAGE_SIZE / sizeof(long))
/* words of each link of the chain; odd, so that it is no slab size */
#define KT_PER_LINK	61

struct kt_chain {
	struct kt_chain *next;
	unsigned long word[KT_PER_LINK];
};

static unsigned long kt_bss[KT_BSS];
static DEFINE_PER_CPU(unsigned long [KT_STATIC], kt_static);
static unsigned long __percpu *kt_dynamic;
static unsigned long *kt_heap, *kt_vm, *kt_phys, **kt_link;
static struct kt_chain *kt_chain;
static unsigned int kt_capacity, kt_nr_links;

enum { IN_BSS, IN_STATIC, IN_DYNAMIC, IN_HEAP, IN_VM, IN_PHYS, IN_CHAIN, NR_IN };

static unsigned int kt_phys_order(void)
{
	return get_order(kt_capacity * sizeof(long));
}

static unsigned long *kt_per_cpu_word(unsigned long __percpu *base, unsigned int i,
				      unsigned int nr)
{
	unsigned int cpu = i % num_possible_cpus();
	unsigned int word = i / num_possible_cpus();

	return word < nr ? per_cpu_ptr(base + word, cpu) : NULL;
}

/* Word @i; neighbours are in memory of different kinds. */
unsigned long *kt_word(unsigned int i)
{
	unsigned long *word = NULL;
	unsigned int k = i / NR_IN;

	if (WARN_ON_ONCE(k >= kt_capacity))
		return &kt_bss[0];
	switch (i % NR_IN) {
	case IN_BSS:
		word = k < KT_BSS ? &kt_bss[k] : NULL;
		break;
	case IN_STATIC:
		word = kt_per_cpu_word(&kt_static[0], k, KT_STATIC);
		break;
	case IN_DYNAMIC:
		word = kt_per_cpu_word(kt_dynamic, k, KT_STATIC);
		break;
	case IN_VM:
		word = &kt_vm[k];
		break;
	case IN_PHYS:
		word = &kt_phys[k];
		break;
	case IN_CHAIN:
		word = &kt_link[k / KT_PER_LINK][k % KT_PER_LINK];
		break;
	}
	/* words of other kinds that do not fit are in the heap: all kinds have the same number */
	return word ?: &kt_heap[i];
}

/* Each link is referenced only by the one before it. */
static int kt_chain_make(void)
{
	unsigned int i;

	kt_nr_links = DIV_ROUND_UP(kt_capacity, KT_PER_LINK);
	kt_link = kvcalloc(kt_nr_links, sizeof(*kt_link), GFP_KERNEL);
	if (!kt_link)
		return -ENOMEM;
	/* this table, which saves walks, is no reference */
	kmemleak_no_scan(kt_link);
	for (i = 0; i < kt_nr_links; i++) {
		struct kt_chain *link = kzalloc(sizeof(*link), GFP_KERNEL);

		if (!link)
			return -ENOMEM;
		link->next = kt_chain;
		kt_chain = link;
		kt_link[i] = link->word;
	}
	return 0;
}

int kt_words_init(unsigned int nr)
{
	kt_capacity = DIV_ROUND_UP(nr, NR_IN);
	kt_dynamic = __alloc_percpu(KT_STATIC * sizeof(long), sizeof(long));
	kt_heap = kvcalloc((size_t)kt_capacity * NR_IN, sizeof(long), GFP_KERNEL);
	kt_vm = vzalloc(array_size(kt_capacity, sizeof(long)));
	kt_phys = (void *)__get_free_pages(GFP_KERNEL | __GFP_ZERO, kt_phys_order());
	if (kt_phys)
		kmemleak_alloc_phys(__pa(kt_phys), kt_capacity * sizeof(long), GFP_KERNEL);
	if (!kt_dynamic || !kt_heap || !kt_vm || !kt_phys)
		return -ENOMEM;
	return kt_chain_make();
}

void kt_words_exit(void)
{
	while (kt_chain) {
		struct kt_chain *link = kt_chain;

		kt_chain = link->next;
		kfree(link);
	}
	kvfree(kt_link);
	if (kt_phys) {
		kmemleak_free_part_phys(__pa(kt_phys), kt_capacity * sizeof(long));
		free_pages((unsigned long)kt_phys, kt_phys_order());
	}
	vfree(kt_vm);
	kvfree(kt_heap);
	free_percpu(kt_dynamic);
}
