/* SPDX-License-Identifier: GPL-2.0-only */
/* The generator's view of the heap: live blocks, and places for new ones. */
#ifndef _KML_GEN_H
#define _KML_GEN_H

#include "prog.h"

enum { G_VIRT, G_PCPU, G_PHYS };

struct blk {
	int space;
	unsigned long addr;
	size_t size;
	unsigned long tag;		/* of its pointers, if they have tags */
};

struct gen {
	struct prog *p;
	u64 rnd;
	const u8 *input, *input_end;	/* used instead of rnd */
	unsigned int flavour, cpus, pages;
	bool early;			/* before kmemleak_init() */
	struct blk *blk;
	size_t nr, cap;
	unsigned long window;		/* the range of addresses */
	unsigned long freed[16];
	unsigned int nr_freed;
	unsigned long cell[64];		/* words with pointers */
	unsigned int nr_cells;
};

/* 0 to @n - 1, at random or from the input; 0 at the end of the input. */
unsigned long gen_below(struct gen *g, unsigned long n);
bool gen_chance(struct gen *g, unsigned int percent);

bool gen_vacant(struct gen *g, int space, unsigned long addr, size_t size);
bool gen_mapped(unsigned long addr, size_t size);
struct blk *gen_remember(struct gen *g, int space, unsigned long addr, size_t size);
/* A live block of a space, or of any if it is negative; NULL: there is none. */
struct blk *gen_pick(struct gen *g, int space);
/* A word that may be searched for pointers; a pointer to store there. */
unsigned long gen_cell(struct gen *g);
unsigned long gen_pointer(struct gen *g);

/* These add operations to the program. */
void gen_store(struct gen *g, unsigned long at, unsigned long v);
void gen_new_block(struct gen *g);
void gen_new_percpu(struct gen *g);
void gen_new_phys(struct gen *g);
void gen_new_vmalloc(struct gen *g);
void gen_release(struct gen *g);
void gen_release_part(struct gen *g);

#endif /* _KML_GEN_H */
