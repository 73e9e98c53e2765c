// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmemleak why without an image: the running kernel says who refers to a block, and to
 * the blocks that these references are in, breadth first until one is a root.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "reports.h"

/* The kernel reads all of memory for each block. */
#define MAX_BLOCKS	256
#define NO_BLOCK	(~0UL)

/* A reference to a block: one line of kmemleak_refs. */
struct ref {
	unsigned long object;	/* block with the word, or 0: it is in none */
	const char *text;	/* where the word is */
	unsigned long to;	/* offset in the block */
	bool strong;
	bool vague;		/* in memory of which nothing is known but that it is in use */
};

/* A block that was or will be looked at. */
struct node {
	unsigned long addr, to;
	unsigned long parent;	/* index of the block to which this one refers */
	const char *ref;	/* where this block refers to it */
	unsigned int depth;
};

struct search {
	const char *debugfs;
	int fd;
	struct node *nodes;
	unsigned long nr, room;
	struct ref *refs;	/* of one block */
	unsigned long nr_refs, room_refs;
	struct reports reports;	/* if a reference needs them */
	bool has_reports;
	char space[16];
	unsigned long addr, size, listed, more;
};

static void __attribute__((noreturn)) damaged(const struct search *s, const char *line)
{
	die(EXIT_BAD_IMAGE, "%s/kmemleak_refs: this line is not understood: %.80s", s->debugfs,
	    line);
}

/* The value of a key in a line, up to the next space or quotation mark. */
static const char *value(const char *line, const char *key)
{
	const char *p = line;
	size_t len = strlen(key);

	while ((p = strstr(p, key)) && p != line && p[-1] != ' ')
		p += len;
	if (!p)
		return NULL;
	p += len;
	if (*p == '"')
		return intern(p + 1, strcspn(p + 1, "\""));
	return intern(p, strcspn(p, " "));
}

static unsigned long number(const struct search *s, const char *line, const char *key)
{
	const char *text = value(line, key);
	unsigned long n;
	char *end;

	if (!text)
		damaged(s, line);
	errno = 0;
	n = strtoul(text, &end, 0);
	if (end == text || *end || errno)
		damaged(s, line);
	return n;
}

/* " (allocated by leak_init+0x12/0x40)": the first frame that is not an allocator's. */
static void add_origin(char *buf, size_t room, const char *line)
{
	const char *p = strstr(line, " at "), *end;
	size_t n = strlen(buf);

	for (p = p ? p + 4 : NULL; p; p = end ? end + 3 : NULL) {
		const char *func = intern(p, strcspn(p, "+ "));

		end = strstr(p, " < ");
		if (is_allocator(func))
			continue;
		snprintf(buf + n, room - n, ", allocated by %.*s",
			 (int)(end ? end - p : strlen(p)), p);
		return;
	}
}

static int compare_addresses(const void *a, const void *b)
{
	const struct rleak *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

/*
 * Is a block in the report? The kernel takes a block for a leak that no scan has reached,
 * and so one that is younger than the last scan.
 */
static bool is_reported(struct search *s, unsigned long addr)
{
	struct rleak key = { .addr = addr };
	struct reports *r = &s->reports;

	if (!s->has_reports) {
		reports_load(r, &(struct reports_source){ .debugfs = s->debugfs });
		sort_array(r->leaks, r->nr, sizeof(*r->leaks), compare_addresses);
		s->has_reports = true;
	}
	return find_array(&key, r->leaks, r->nr, sizeof(*r->leaks), compare_addresses);
}

static void parse_ref(struct search *s, const char *line)
{
	const char *kind = value(line, "kind="), *weak = value(line, "weak="), *name;
	char buf[512];
	struct ref r = { .strong = !weak || !strcmp(weak, "-") };

	if (!kind || strncmp(line, "at=", 3))
		damaged(s, line);
	r.to = number(s, line, "to=");
	if (!strcmp(kind, "object")) {
		const char *cpu = value(line, "cpu=");

		r.object = number(s, line, "object=");
		snprintf(buf, sizeof(buf), "block 0x%lx %s%s (size %lu)", r.object,
			 cpu ? "on CPU " : "+", cpu ?: value(line, "offset=") ?: "?",
			 number(s, line, "size="));
		add_origin(buf, sizeof(buf), line);
		if (weak && !strcmp(weak, "leak") && !is_reported(s, r.object)) {
			r.strong = true;
			snprintf(buf + strlen(buf), sizeof(buf) - strlen(buf), ", not reported");
		}
	} else if (!strcmp(kind, "symbol") || !strcmp(kind, "percpu")) {
		name = strstr(line, " name=");
		if (!name)
			damaged(s, line);
		if (*kind == 'p')
			snprintf(buf, sizeof(buf), "per-CPU variable %s of CPU %lu", name + 6,
				 number(s, line, "cpu="));
		else
			snprintf(buf, sizeof(buf), "variable %s", name + 6);
	} else if (!strcmp(kind, "task")) {
		const char *frame = strstr(line, " frame=");

		snprintf(buf, sizeof(buf), "stack of \"%s\", pid %lu%s%s",
			 value(line, "comm=") ?: "-", number(s, line, "pid="),
			 frame && strcmp(frame, " frame=-") ? ", in " : "",
			 frame && strcmp(frame, " frame=-") ? frame + 7 : "");
	} else if (!strcmp(kind, "page")) {
		r.vague = true;
		snprintf(buf, sizeof(buf), "page %s that is not tracked, order %s",
			 value(line, "pfn=") ?: "?", value(line, "order=") ?: "?");
	} else if (!strcmp(kind, "struct_page")) {
		snprintf(buf, sizeof(buf), "struct page of page %s", value(line, "pfn=") ?: "?");
	} else {
		/* phys, nolock, and what later kernels have; freed boot memory may be phys */
		r.vague = true;
		snprintf(buf, sizeof(buf), "memory of kind %s at %.*s", kind,
			 (int)strcspn(line + 3, " "), line + 3);
	}
	if (!r.strong)
		snprintf(buf + strlen(buf), sizeof(buf) - strlen(buf), " [%s]",
			 !strcmp(weak, "no_scan") ? "not scanned" :
			 !strcmp(weak, "leak") ? "a leak itself" :
			 !strcmp(weak, "dead") ? "in no frame in use" : weak);
	r.text = intern(buf, strlen(buf));
	GROW(s->refs, s->nr_refs, s->room_refs);
	s->refs[s->nr_refs++] = r;
}

/* Asks the kernel for one block. Return: 0 or an error number. */
static int ask(struct search *s, unsigned long addr)
{
	char text[32], *answer, *line, *save;
	size_t len;

	snprintf(text, sizeof(text), "0x%lx", addr);
	if (write(s->fd, text, strlen(text)) < 0)
		return errno;
	lseek(s->fd, 0, SEEK_SET);
	answer = live_read(s->fd, "kmemleak_refs", &len);
	line = strtok_r(answer, "\n", &save);
	if (!line || strncmp(line, "kmemleak_refs ", 14))
		damaged(s, line ?: "(nothing)");
	if (strcmp(line + 14, "1"))
		die(EXIT_UNKNOWN, "kmemleak_refs: version %s is not known, only 1", line + 14);
	line = strtok_r(NULL, "\n", &save);
	if (!line || sscanf(line, "addr=0x%lx space=%15s size=%lu refs=%lu more=%lu", &s->addr,
			    s->space, &s->size, &s->listed, &s->more) != 5)
		damaged(s, line ?: "(nothing)");
	s->nr_refs = 0;
	while ((line = strtok_r(NULL, "\n", &save)))
		parse_ref(s, line);
	free(answer);
	return 0;
}

static bool seen(const struct search *s, unsigned long addr)
{
	unsigned long i;

	for (i = 0; i < s->nr; i++)
		if (s->nodes[i].addr == addr)
			return true;
	return false;
}

static void add_node(struct search *s, unsigned long addr, unsigned long parent,
		     const struct ref *r)
{
	GROW(s->nodes, s->nr, s->room);
	s->nodes[s->nr] = (struct node){
		.addr = addr,
		.parent = parent,
		.ref = r ? r->text : NULL,
		.to = r ? r->to : 0,
		.depth = parent == NO_BLOCK ? 0 : s->nodes[parent].depth + 1,
	};
	s->nr++;
}

static void print_refs(const struct search *s, unsigned long max)
{
	unsigned long i;

	printf("%s 0x%lx (size %lu)\n", strcmp(s->space, "percpu") ? "block" : "per-CPU block",
	       s->addr, s->size);
	for (i = 0; i < s->nr_refs && i < max; i++)
		printf("  +0x%lx <- %s\n", s->refs[i].to, s->refs[i].text);
	if (s->nr_refs + s->more > i)
		printf("  ... and %lu more\n", s->nr_refs + s->more - i);
}

/* A root among the references. */
static const struct ref *root_of(const struct search *s, bool vague)
{
	unsigned long i;

	for (i = 0; i < s->nr_refs; i++)
		if (s->refs[i].strong && !s->refs[i].object && s->refs[i].vague == vague)
			return &s->refs[i];
	return NULL;
}

static void print_chain(const struct search *s, const char *root, unsigned long i)
{
	printf("  %s\n", root);
	for (; s->nodes[i].parent != NO_BLOCK; i = s->nodes[i].parent)
		printf("  -> %s\n", s->nodes[i].ref);
	printf("  -> block 0x%lx\n", s->nodes[i].addr);
}

int live_why(const char *debugfs, unsigned long addr, unsigned long depth, unsigned long max)
{
	struct search s = { .debugfs = debugfs };
	const char *vague = NULL;
	const struct ref *root = NULL;
	unsigned long i, j, vague_at = 0;
	bool strong = false, cut = false;
	int err;

	signal(SIGPIPE, SIG_IGN);
	s.fd = live_open(debugfs, "kmemleak_refs", O_RDWR);
	live_catch_signals(true);
	add_node(&s, addr, NO_BLOCK, NULL);
	for (i = 0; i < s.nr && !root; i++) {
		progress("blocks", i, 0);
		err = ask(&s, s.nodes[i].addr);
		if (err == ENOENT && i)
			continue;	/* freed meanwhile */
		if (err == ENOENT)
			die(EXIT_NO_BLOCK, "no tracked block is at 0x%lx", addr);
		if (err)
			live_failed("why", err);
		progress_end();
		if (!i) {
			s.nodes[0].addr = s.addr;
			print_refs(&s, max);
		}
		root = root_of(&s, false);
		if (root)
			break;
		/* a number there may look like an address: only if there is no other root */
		if (!vague && root_of(&s, true)) {
			vague = root_of(&s, true)->text;
			vague_at = i;
		}
		/* the kernel has listed some of the references only */
		cut |= s.more;
		for (j = 0; j < s.nr_refs; j++) {
			const struct ref *r = &s.refs[j];

			if (!r->strong || !r->object)
				continue;
			strong = true;
			if (seen(&s, r->object))
				continue;
			if (s.nodes[i].depth + 1 >= depth || s.nr == MAX_BLOCKS)
				cut = true;
			else
				add_node(&s, r->object, i, r);
		}
	}
	live_catch_signals(false);
	if (root) {
		puts("chain from a root:");
		print_chain(&s, root->text, i);
	} else if (vague) {
		puts("chain from memory of unknown use, which may be none:");
		print_chain(&s, vague, vague_at);
	} else if (cut) {
		printf("no root among %lu blocks: --depth looks further\n", s.nr);
	} else if (!strong) {
		puts("nobody refers to it");
	} else {
		puts("nobody: no root leads to the blocks that refer to it");
	}
	if (!root && is_reported(&s, s.nodes[0].addr))
		puts("the kernel reports it as a leak");
	output_done();
	close(s.fd);
	return EXIT_DONE;
}
