/* SPDX-License-Identifier: GPL-2.0-only */
/* Programs of API calls: their operations, text form, execution. */
#ifndef _KML_PROG_H
#define _KML_PROG_H

#include "os.h"

enum op_kind {
	OP_CPUS, OP_PAGES, OP_BOOT, OP_INIT, OP_LATE,
	OP_ALLOC, OP_FREE, OP_FREE_PART,
	OP_PALLOC, OP_PFREE, OP_PIGNORE,
	OP_PHYS, OP_PHYS_PART, OP_PHYS_IGNORE,
	OP_VMALLOC, OP_GREY, OP_TRANSIENT, OP_IGNORE, OP_NO_SCAN,
	OP_TRACE, OP_ERASE, OP_AREA, OP_KFENCE,
	OP_STORE, OP_FILL, OP_PAGE,
	OP_TIME, OP_STACK, OP_TASK, OP_CTX, OP_GFP, OP_CPU,
	OP_CMD, OP_READ, OP_CAT, OP_PARAM, OP_SIGNAL, OP_RESCHED,
	OP_FAIL, OP_QUIESCE,
	NR_OPS,
};

struct op {
	enum op_kind kind;
	u64 a[3];
	char text[72];
};

struct prog {
	struct op *op;
	size_t nr, cap;
};

/* A transcript. A crash of the core may end it early. */
struct sink {
	char *buf;
	size_t len, cap;
	int fd;			/* write through, if not -1 */
};

void sink_put(struct sink *s, const char *fmt, ...) __printf(2, 3);
void sink_write(struct sink *s, const char *p, size_t n);

void prog_add(struct prog *p, enum op_kind kind, u64 a, u64 b, u64 c);
void prog_add_text(struct prog *p, enum op_kind kind, const char *fmt, ...) __printf(3, 4);
void prog_free(struct prog *p);
/* Return: NULL, or the error, and its line in @line. */
const char *prog_parse(struct prog *p, const char *text, int *line);
void op_print(const struct op *op, struct sink *s);
void prog_print(const struct prog *p, struct sink *s);
const char *op_name(enum op_kind kind);

/* A random program; @flavour selects its operations. */
#define GEN_OVERLAP	1	/* end with overlapping insertions or "off" */
#define GEN_THREAD	2	/* the automatic scanning thread */
#define GEN_SIGNAL	4	/* interrupted scans */
#define GEN_GIANT	8	/* objects of MiBs */
#define GEN_CALM	16	/* no commands but scans, no parameters */
#define GEN_TAGS	32	/* pointers carry tags */
void prog_generate(struct prog *p, u64 seed, unsigned int flavour);
unsigned int gen_flavour(u64 seed);
/*
 * The same from bytes instead of random numbers, for a kernel that has booted. At its
 * end all blocks are freed, and parameters have their old values.
 */
void prog_generate_from(struct prog *p, const u8 *input, size_t len);

/* Run @p on the implementation that is linked in, and compare with the oracle. */
#define EXEC_ORACLE	1
#define EXEC_STRICT	2	/* rules of the kernel that only our core obeys */
#define EXEC_QUIET	4	/* no transcript of operations, output only */
#define EXEC_TAGS	16	/* the build has tagged pointers */
#define EXEC_LOSSY	8	/* metadata gets lost: leaks may be missed */
extern bool exec_in_init;	/* kmemleak_init() is running */
void prog_exec(const struct prog *p, struct sink *out, unsigned int flags);

#endif /* _KML_PROG_H */
