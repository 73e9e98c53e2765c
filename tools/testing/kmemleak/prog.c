// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs as text: one operation a line, its name and its arguments. An address is the
 * letter of a region and an offset, "h:1a40"; other arguments are numbers.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "prog.h"
/* Those of the C library, which check formats. */
#undef snprintf
#undef vsnprintf

/* n: number, a: address or number, t: rest of the line */
static const struct {
	const char *name, *args;
} op_table[] = {
	[OP_CPUS]	= { "cpus", "n" },
	[OP_PAGES]	= { "pages", "n" },
	[OP_BOOT]	= { "boot", "t" },
	[OP_INIT]	= { "init", "" },
	[OP_LATE]	= { "late", "" },
	[OP_ALLOC]	= { "alloc", "ann" },
	[OP_FREE]	= { "free", "a" },
	[OP_FREE_PART]	= { "free_part", "an" },
	[OP_PALLOC]	= { "alloc_percpu", "an" },
	[OP_PFREE]	= { "free_percpu", "a" },
	[OP_PIGNORE]	= { "ignore_percpu", "a" },
	[OP_PHYS]	= { "alloc_phys", "an" },
	[OP_PHYS_PART]	= { "free_part_phys", "an" },
	[OP_PHYS_IGNORE] = { "ignore_phys", "a" },
	[OP_VMALLOC]	= { "vmalloc", "aan" },
	[OP_GREY]	= { "not_leak", "a" },
	[OP_TRANSIENT]	= { "transient_leak", "a" },
	[OP_IGNORE]	= { "ignore", "a" },
	[OP_NO_SCAN]	= { "no_scan", "a" },
	[OP_TRACE]	= { "update_trace", "a" },
	[OP_ERASE]	= { "erase", "a" },
	[OP_AREA]	= { "scan_area", "an" },
	[OP_KFENCE]	= { "kfence", "an" },
	[OP_STORE]	= { "store", "aa" },
	[OP_FILL]	= { "fill", "ann" },
	[OP_PAGE]	= { "page", "nn" },
	[OP_TIME]	= { "time", "n" },
	[OP_STACK]	= { "stack", "n" },
	[OP_TASK]	= { "task", "n" },
	[OP_CTX]	= { "context", "n" },
	[OP_GFP]	= { "gfp", "n" },
	[OP_CPU]	= { "cpu", "n" },
	[OP_CMD]	= { "cmd", "t" },
	[OP_READ]	= { "read", "n" },
	[OP_CAT]	= { "cat", "n" },
	[OP_PARAM]	= { "param", "t" },
	[OP_SIGNAL]	= { "signal", "n" },
	[OP_RESCHED]	= { "resched", "n" },
	[OP_FAIL]	= { "fail", "nn" },
	[OP_QUIESCE]	= { "quiesce", "" },
};

static_assert(ARRAY_SIZE(op_table) == NR_OPS);

static const struct {
	char letter;
	unsigned long base, size;
} regions[] = {
	{ 'd', W_DATA, W_DATA_SIZE },
	{ 'b', W_BSS, W_BSS_SIZE },
	{ 'r', W_RO, W_RO_SIZE },
	{ 'k', W_STACKS, W_NR_TASKS * THREAD_SIZE },
	{ 'm', W_VMEMMAP, W_MAX_PAGES * sizeof(struct page) },
	{ 'p', W_PCPU_COOKIE, W_PCPU_UNIT },
	{ 'c', W_PCPU_AREA, NR_CPUS * W_PCPU_UNIT },
	{ 'f', W_PHYSMAP, W_PHYS_SIZE },
	{ 'h', W_HEAP, W_HEAP_SIZE },
	{ 'v', W_VMALLOC, W_VMALLOC_SIZE },
	{ 'x', W_GIANT, W_GIANT_SIZE },
};

void sink_write(struct sink *s, const char *p, size_t n)
{
	if (s->fd >= 0) {
		while (n) {
			ssize_t done = write(s->fd, p, n);

			if (done <= 0)
				_exit(99);
			p += done;
			n -= done;
		}
		return;
	}
	if (s->len + n + 1 > s->cap) {
		s->cap = (s->len + n + 1) * 2;
		s->buf = realloc(s->buf, s->cap);
		if (!s->buf)
			abort();
	}
	memcpy(s->buf + s->len, p, n);
	s->len += n;
	s->buf[s->len] = 0;
}

void sink_put(struct sink *s, const char *fmt, ...)
{
	char tmp[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(tmp, sizeof(tmp), fmt, ap);
	va_end(ap);
	sink_write(s, tmp, min_t(size_t, n, sizeof(tmp) - 1));
}

static struct op *prog_new(struct prog *p, enum op_kind kind)
{
	struct op *op;

	if (p->nr == p->cap) {
		p->cap = p->cap * 2 + 64;
		p->op = realloc(p->op, p->cap * sizeof(*p->op));
		if (!p->op)
			abort();
	}
	op = &p->op[p->nr++];
	memset(op, 0, sizeof(*op));
	op->kind = kind;
	return op;
}

void prog_add(struct prog *p, enum op_kind kind, u64 a, u64 b, u64 c)
{
	struct op *op = prog_new(p, kind);

	op->a[0] = a;
	op->a[1] = b;
	op->a[2] = c;
}

void prog_add_text(struct prog *p, enum op_kind kind, const char *fmt, ...)
{
	struct op *op = prog_new(p, kind);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(op->text, sizeof(op->text), fmt, ap);
	va_end(ap);
}

void prog_free(struct prog *p)
{
	free(p->op);
	memset(p, 0, sizeof(*p));
}

const char *op_name(enum op_kind kind)
{
	return op_table[kind].name;
}

static bool parse_arg(const char **s, char type, u64 *v)
{
	char *end;
	size_t i;

	*s += strspn(*s, " \t");
	if (type == 'a' && isalpha(**s) && (*s)[1] == ':') {
		for (i = 0; i < ARRAY_SIZE(regions); i++) {
			if (regions[i].letter != **s)
				continue;
			*v = regions[i].base + strtoull(*s + 2, &end, 16);
			*s = end;
			return true;
		}
		return false;
	}
	if (!isdigit(**s) && **s != '-')
		return false;
	*v = **s == '-' ? (u64)strtoll(*s, &end, 0) : strtoull(*s, &end, 0);
	*s = end;
	return true;
}

const char *prog_parse(struct prog *p, const char *text, int *line)
{
	*line = 0;
	while (*text) {
		size_t len = strcspn(text, "\n"), word;
		char buf[256];
		const char *s = buf, *arg;
		struct op *op;
		int k, n = 0;

		++*line;
		if (len >= sizeof(buf))
			return "line too long";
		memcpy(buf, text, len);
		buf[len] = 0;
		text += len + (text[len] == '\n');
		s += strspn(s, " \t");
		if (!*s || *s == '#')
			continue;
		word = strcspn(s, " \t");
		for (k = 0; k < NR_OPS; k++)
			if (strlen(op_table[k].name) == word && !strncmp(op_table[k].name, s, word))
				break;
		if (k == NR_OPS)
			return "unknown operation";
		op = prog_new(p, k);
		s += word;
		for (arg = op_table[k].args; *arg; arg++) {
			if (*arg == 't') {
				snprintf(op->text, sizeof(op->text), "%s", s + (*s == ' '));
				s += strlen(s);
			} else if (!parse_arg(&s, *arg, &op->a[n++])) {
				return "bad argument";
			}
		}
		if (s[strspn(s, " \t")])
			return "too many arguments";
	}
	return NULL;
}

static void print_arg(struct sink *s, char type, u64 v)
{
	size_t i;

	if (type == 'a')
		for (i = 0; i < ARRAY_SIZE(regions); i++)
			if (v - regions[i].base < regions[i].size) {
				sink_put(s, " %c:%llx", regions[i].letter, v - regions[i].base);
				return;
			}
	if (v > (u64)-MAX_ERRNO - 1)
		sink_put(s, " %lld", (s64)v);
	else if (v > 65536 || type == 'a')
		sink_put(s, " 0x%llx", v);
	else
		sink_put(s, " %llu", v);
}

void op_print(const struct op *op, struct sink *s)
{
	const char *arg;
	int n = 0;

	sink_put(s, "%s", op_table[op->kind].name);
	for (arg = op_table[op->kind].args; *arg; arg++) {
		if (*arg == 't')
			sink_put(s, " %s", op->text);
		else
			print_arg(s, *arg, op->a[n++]);
	}
	sink_put(s, "\n");
}

void prog_print(const struct prog *p, struct sink *s)
{
	size_t i;

	for (i = 0; i < p->nr; i++)
		op_print(&p->op[i], s);
}
