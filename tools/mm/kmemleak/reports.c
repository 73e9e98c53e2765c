// SPDX-License-Identifier: GPL-2.0-only
/*
 * Readers of reports: the files kmemleak_leaks and kmemleak_stacks, and the text file
 * kmemleak, which all kernels have. Text and tables are kept until the program ends.
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reports.h"

/* A file while it is read line by line. */
struct input {
	const char *name;
	char *at, *end;
	char *line;		/* ends with NUL */
	size_t len;
	unsigned long nr;	/* of the line, from 1 */
};

static void __attribute__((noreturn)) damaged(const struct input *in, const char *why)
{
	die(EXIT_BAD_IMAGE, "%s:%lu: %s", in->name, in->nr, why);
}

static bool next_line(struct input *in)
{
	char *nl;

	if (in->at == in->end)
		return false;
	in->nr++;
	nl = memchr(in->at, '\n', in->end - in->at);
	if (!nl)
		damaged(in, "the report is truncated");
	if (memchr(in->at, '\0', nl - in->at))
		damaged(in, "this is no report of kmemleak");
	*nl = '\0';
	in->line = in->at;
	in->len = nl - in->at;
	in->at = nl + 1;
	return true;
}

/* === Strings and stacks ================================================= */

static unsigned long hash_bytes(const char *s, size_t len)
{
	unsigned long h = 0xcbf29ce484222325UL;

	while (len--)
		h = (h ^ (u8)*s++) * 0x100000001b3UL;
	return h ^ h >> 32;
}

/* Table of pointers by hash, open addressing, at most half full. */
struct table {
	void **slot;
	unsigned long room, nr;
};

typedef bool (*same_fn)(const void *entry, const void *key, size_t len);
typedef unsigned long (*hash_fn)(const void *entry);

static void **table_find(struct table *t, unsigned long hash, const void *key, size_t len,
			 same_fn same)
{
	unsigned long i = hash & (t->room - 1);

	while (t->slot[i] && !same(t->slot[i], key, len))
		i = (i + 1) & (t->room - 1);
	return &t->slot[i];
}

static void table_grow(struct table *t, hash_fn hash)
{
	struct table old = *t;
	unsigned long i, j;

	if (2 * (t->nr + 1) <= t->room)
		return;
	t->room = t->room ? 2 * t->room : 1024;
	t->slot = must_alloc(NULL, t->room, sizeof(*t->slot));
	for (i = 0; i < old.room; i++) {
		if (!old.slot[i])
			continue;
		j = hash(old.slot[i]) & (t->room - 1);
		while (t->slot[j])
			j = (j + 1) & (t->room - 1);
		t->slot[j] = old.slot[i];
	}
	free(old.slot);
}

static bool same_string(const void *entry, const void *key, size_t len)
{
	return !strncmp(entry, key, len) && !((const char *)entry)[len];
}

static unsigned long hash_string(const void *entry)
{
	return hash_bytes(entry, strlen(entry));
}

/* The one copy of a string; it is never freed. */
const char *intern(const char *s, size_t len)
{
	static struct table strings;
	void **slot;

	table_grow(&strings, hash_string);
	slot = table_find(&strings, hash_bytes(s, len), s, len, same_string);
	if (!*slot) {
		*slot = strndup(s, len);
		if (!*slot)
			die(EXIT_OTHER, "out of memory");
		strings.nr++;
	}
	return *slot;
}

/* Bytes that are not printable are octal numbers, as in kmemleak_leaks. */
static const char *escaped(const char *s, size_t len)
{
	char buf[1024];
	size_t n = 0;

	for (; len && n < sizeof(buf) - 5; s++, len--) {
		if (*s >= ' ' && *s < 0x7f && *s != '"' && *s != '\\')
			buf[n++] = *s;
		else
			n += sprintf(buf + n, "\\%03o", (u8)*s);
	}
	return intern(buf, n);
}

/* "sym+0x1/0x2 [module, unloaded] build_id=...", "0x... [module]" or "0x...". */
static void parse_frame(struct rframe *f, const char *s)
{
	const char *build = strstr(s, " build_id="), *open, *close;
	size_t len = build ? build - s : strlen(s), n;

	while (len && s[len - 1] == ' ')
		len--;
	f->text = escaped(s, len);
	s = f->text;
	open = strstr(s, " [");
	n = open ? open - s : strlen(s);
	close = open ? open + 2 + strcspn(open + 2, ", ]") : NULL;
	f->module = open && close > open + 2 ? intern(open + 2, close - open - 2) : NULL;
	n = min_t(size_t, n, strcspn(s, "+"));
	/* suffixes such as .isra.0 */
	if (*s != '.')
		n = min_t(size_t, n, strcspn(s, "."));
	f->func = intern(s, n);
}

static void stack_done(struct rstack *s)
{
	u32 i;

	s->caller = s->nr;
	for (i = s->nr; i--;) {
		if (s->frames[i].module)
			s->module = s->frames[i].module;
		/* modules may use the names of the kernel's allocators */
		if (s->frames[i].module || !is_allocator(s->frames[i].func))
			s->caller = i;
	}
}

static struct rstack *add_stack(struct reports *r)
{
	GROW(r->stacks, r->nr_stacks, r->room_stacks);
	r->stacks[r->nr_stacks] = (struct rstack){};
	return &r->stacks[r->nr_stacks++];
}

static struct rleak *add_leak(struct reports *r)
{
	GROW(r->leaks, r->nr, r->room);
	r->leaks[r->nr] = (struct rleak){
		.age_ms = R_UNKNOWN, .born = R_UNKNOWN, .scan = R_UNKNOWN,
		.generation = R_UNKNOWN, .head = R_UNKNOWN, .retains = R_UNKNOWN,
		.retained_bytes = R_UNKNOWN, .pid = -1,
	};
	return &r->leaks[r->nr++];
}

/* === kmemleak_leaks and kmemleak_stacks ================================= */

/* These files are ASCII; names with other bytes have octal numbers. */
static bool next_ascii(struct input *in)
{
	size_t i;

	if (!next_line(in))
		return false;
	for (i = 0; i < in->len; i++)
		if (in->line[i] < ' ' || in->line[i] >= 0x7f)
			damaged(in, "a byte that is not printable");
	return true;
}

static void check_version(struct input *in, const char *name)
{
	size_t len = strlen(name);

	if (!next_ascii(in) || strncmp(in->line, name, len) || in->line[len] != ' ')
		die(EXIT_BAD_IMAGE, "%s: this is no %s", in->name, name);
	if (strcmp(in->line + len, " 1"))
		die(EXIT_UNKNOWN, "%s: version%s of %s is not known, only 1", in->name,
		    in->line + len, name);
}

static unsigned long number(struct input *in, const char *value)
{
	unsigned long v;
	char *end;

	if (!strcmp(value, "-"))
		return R_UNKNOWN;
	errno = 0;
	v = strtoul(value, &end, 0);
	if (end == value || *end || errno || *value == '-')
		damaged(in, "a number is damaged");
	return v;
}

static int compare_stacks(const void *a, const void *b)
{
	const struct rstack *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static void read_stacks(struct reports *r, struct input *in)
{
	unsigned long id, nr, i, j;
	struct rstack *s;
	char extra;

	check_version(in, "kmemleak_stacks");
	while (next_ascii(in)) {
		if (sscanf(in->line, "stack=%lu frames=%lu%c", &id, &nr, &extra) < 2 ||
		    nr > 1024 || !id)
			damaged(in, "the line of a stack is damaged");
		s = add_stack(r);
		s->id = id;
		s->nr = nr;
		s->frames = must_alloc(NULL, nr, sizeof(*s->frames));
		for (i = 0; i < nr; i++) {
			char *p;

			if (!next_ascii(in) || strncmp(in->line, " 0x", 3))
				damaged(in, "the line of a frame is damaged");
			p = strchr(in->line + 1, ' ');
			if (!p)
				damaged(in, "the line of a frame is damaged");
			parse_frame(&s->frames[i], p + 1);
		}
		stack_done(s);
	}
	/* a stack may be listed twice */
	sort_array(r->stacks, r->nr_stacks, sizeof(*r->stacks), compare_stacks);
	for (i = j = 0; i < r->nr_stacks; i++)
		if (!i || r->stacks[i].id != r->stacks[j - 1].id)
			r->stacks[j++] = r->stacks[i];
	r->nr_stacks = j;
}

/* The end of a value in quotation marks, which has none itself. */
static char *quoted(struct input *in, char *value)
{
	char *end = strchr(value, '"');

	if (!end || (end[1] && end[1] != ' '))
		damaged(in, "a comm is damaged");
	*end = '\0';
	return end + 1;
}

static void leak_key(struct input *in, struct rleak *l, unsigned long *stack,
		     const char *key, const char *value)
{
	static const struct {
		const char *key;
		size_t member;
	} numbers[] = {
		{ "addr", offsetof(struct rleak, addr) },
		{ "size", offsetof(struct rleak, size) },
		{ "age_ms", offsetof(struct rleak, age_ms) },
		{ "scan", offsetof(struct rleak, scan) },
		{ "generation", offsetof(struct rleak, generation) },
		{ "head", offsetof(struct rleak, head) },
		{ "retains", offsetof(struct rleak, retains) },
		{ "retained_bytes", offsetof(struct rleak, retained_bytes) },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		if (!strcmp(key, numbers[i].key)) {
			*(unsigned long *)((char *)l + numbers[i].member) = number(in, value);
			return;
		}
	if (!strcmp(key, "stack"))
		*stack = number(in, value);
	else if (!strcmp(key, "pid"))
		l->pid = *value == '-' ? -1 : number(in, value);
	else if (!strcmp(key, "space"))
		l->percpu = !strcmp(value, "percpu");
	else if (!strcmp(key, "comm"))
		l->comm = intern(value, strlen(value));
	else if (!strcmp(key, "cache"))
		l->cache = strcmp(value, "-") ? intern(value, strlen(value)) : NULL;
	else if (!strcmp(key, "flags"))
		l->possible = !!strstr(value, "possible");
}

static void parse_leak(struct reports *r, struct input *in)
{
	struct rstack *found, key = { .id = R_UNKNOWN };
	struct rleak *l = add_leak(r);
	char *p = in->line, *name;

	l->addr = R_UNKNOWN;
	l->size = R_UNKNOWN;
	while (*p) {
		name = p;
		p += strcspn(p, "= ");
		if (*p != '=' || p == name)
			damaged(in, "a key without a value");
		*p++ = '\0';
		if (*p == '"') {
			char *value = ++p;

			p = quoted(in, value);
			leak_key(in, l, &key.id, name, value);
		} else {
			char *value = p;

			p += strcspn(p, " ");
			if (*p)
				*p++ = '\0';
			leak_key(in, l, &key.id, name, value);
			continue;
		}
		p += *p == ' ';
	}
	if (l->addr == R_UNKNOWN || l->size == R_UNKNOWN || key.id == R_UNKNOWN)
		damaged(in, "a leak without address, size or stack");
	if (!key.id)
		return;
	found = find_array(&key, r->stacks, r->nr_stacks, sizeof(*r->stacks), compare_stacks);
	if (found)
		l->stack = found - r->stacks;
	else
		r->lost_stacks++;
}

static void read_leaks(struct reports *r, struct input *in)
{
	check_version(in, "kmemleak_leaks");
	while (next_ascii(in))
		parse_leak(r, in);
}

/* === The text =========================================================== */

struct text_stack {
	unsigned long hash, index;
	const char *start;
	size_t len;
};

static bool same_text_stack(const void *entry, const void *key, size_t len)
{
	const struct text_stack *s = entry;

	return s->len == len && !memcmp(s->start, key, len);
}

static unsigned long hash_text_stack(const void *entry)
{
	return ((const struct text_stack *)entry)->hash;
}

/* The frames of a text are lines that end with NUL here. */
static u32 text_stack(struct reports *r, struct table *t, char *start, size_t len)
{
	unsigned long hash = hash_bytes(start, len);
	struct rstack *s;
	void **slot;
	char *p;

	if (!len)
		return 0;
	table_grow(t, hash_text_stack);
	slot = table_find(t, hash, start, len, same_text_stack);
	if (!*slot) {
		struct text_stack *new = must_alloc(NULL, 1, sizeof(*new));
		unsigned long room = 0;

		*new = (struct text_stack){ hash, r->nr_stacks, start, len };
		*slot = new;
		t->nr++;
		s = add_stack(r);
		for (p = start; p < start + len; p += strlen(p) + 1) {
			const char *frame = p + strspn(p, " ");

			/* kernels before 5.19 print an address that is hashed */
			if (!strncmp(frame, "[<", 2) && strstr(frame, ">] "))
				frame = strstr(frame, ">] ") + 3;
			if (!strcmp(frame, "0xffffffffffffffff"))
				continue;
			GROW(s->frames, s->nr, room);
			parse_frame(&s->frames[s->nr++], frame);
		}
		stack_done(s);
		s->id = r->nr_stacks - 1;
	}
	return ((struct text_stack *)*slot)->index;
}

/* comm "NAME", pid N, jiffies N (age N.Ns); the name may have anything. */
static void text_owner(struct rleak *l, struct input *in)
{
	char *name = in->line + strlen("  comm \""), *pid = NULL, *p;
	unsigned long sec, ms = 0;
	int n = 0;

	if (strncmp(in->line, "  comm \"", strlen("  comm \"")))
		damaged(in, "a leak without the line of its owner");
	for (;;) {
		for (p = name; (p = strstr(p, "\", pid ")); p++)
			pid = p;
		if (pid)
			break;
		/* a newline in the name */
		in->line[in->len] = '\n';
		p = in->line;
		if (in->at - name > 64 || !next_line(in))
			damaged(in, "the line of an owner is damaged");
		in->len += in->line - p;
		in->line = p;
	}
	l->comm = escaped(name, pid - name);
	if (sscanf(pid, "\", pid %d, jiffies %lu%n", &l->pid, &l->born, &n) != 2 || !n)
		damaged(in, "the line of an owner is damaged");
	if (sscanf(pid + n, " (age %lu.%3lus)", &sec, &ms) >= 1)
		l->age_ms = sec * 1000 + ms;
}

static bool is_header(const char *line)
{
	return !strncmp(line, "unreferenced object", strlen("unreferenced object"));
}

static void text_header(struct rleak *l, struct input *in)
{
	const char *p = in->line + strlen("unreferenced object");
	int n = 0;

	if (!strncmp(p, " (percpu)", 9)) {
		l->percpu = true;
		p += 9;
	}
	if (sscanf(p, " 0x%lx (size %lu):%n", &l->addr, &l->size, &n) != 2 || !n || p[n])
		damaged(in, "the first line of a leak is damaged");
}

static void read_text(struct reports *r, struct input *in)
{
	struct table table = {};
	bool more = next_line(in);

	while (more) {
		struct rleak *l;
		char *start;

		if (!is_header(in->line))
			damaged(in, "this is no report of kmemleak");
		l = add_leak(r);
		text_header(l, in);
		if (!next_line(in))
			damaged(in, "the report is truncated");
		text_owner(l, in);
		more = next_line(in);
		if (more && !strncmp(in->line, "  hex dump ", 11)) {
			start = in->at;
			while ((more = next_line(in)) && !strncmp(in->line, "    ", 4))
				in->line[in->len] = '\n';
			l->hex = start;
			l->hex_len = (more ? in->line : in->end) - start;
		}
		if (!more)
			damaged(in, "the report is truncated");
		if (strncmp(in->line, "  backtrace", 11))
			damaged(in, "a leak without a backtrace");
		start = in->at;
		while ((more = next_line(in)) && !strncmp(in->line, "    ", 4))
			;
		l->stack = text_stack(r, &table, start, (more ? in->line : in->end) - start);
	}
}

/* === Where it is from =================================================== */

static void open_saved(struct input *in, const char *file)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	struct stat st;
	size_t len;

	if (fd < 0 || fstat(fd, &st))
		die(EXIT_NO_FILE, "%s: %s", file, strerror(errno));
	if (S_ISDIR(st.st_mode))
		die(EXIT_NO_FILE, "%s: not a file", file);
	*in = (struct input){ .name = file, .at = live_read(fd, file, &len) };
	in->end = in->at + len;
	close(fd);
}

static void open_live(struct input *in, const char *debugfs, const char *name)
{
	int fd = live_open(debugfs, name, O_RDONLY);
	size_t len;

	*in = (struct input){ .name = live_path(debugfs, name) };
	in->at = live_read(fd, in->name, &len);
	in->end = in->at + len;
	close(fd);
}

static bool is_leaks(const struct input *in)
{
	return !strncmp(in->at, "kmemleak_leaks", strlen("kmemleak_leaks"));
}

static void start_reports(struct reports *r)
{
	*r = (struct reports){};
	/* the stack of those that have none */
	add_stack(r);
}

static void load_saved(struct reports *r, const struct reports_source *from)
{
	struct input in, stacks;

	open_saved(&in, from->file);
	if (!is_leaks(&in)) {
		if (from->stacks)
			die(EXIT_USAGE, "--stacks %s: %s is a text, which has its stacks",
			    from->stacks, from->file);
		r->text = true;
		read_text(r, &in);
		return;
	}
	if (!from->stacks)
		die(EXIT_USAGE, "%s: --stacks FILE with kmemleak_stacks is needed", from->file);
	open_saved(&stacks, from->stacks);
	read_stacks(r, &stacks);
	read_leaks(r, &in);
}

/* An empty report of a kernel that tracks nothing is no good news. */
static void check_enabled(const struct reports *r, const char *debugfs)
{
	unsigned long enabled;
	char *stats = live_stats(debugfs);

	if (stats && live_stat(stats, "enabled", &enabled) && !enabled) {
		if (!r->nr)
			live_failed("report", EPERM);
		warn("kmemleak is disabled: the report is of an earlier scan");
	}
	free(stats);
}

/**
 * reports_load() - read all reports, or give up with the reason
 * @r: filled
 * @from: where they are
 *
 * A scan may end between the reading of two files of debugfs. The leaks are read first,
 * and both again if a stack is not there.
 */
void reports_load(struct reports *r, const struct reports_source *from)
{
	const char *debugfs = from->debugfs ? from->debugfs : DEBUGFS;
	struct input in, stacks;
	unsigned int try;

	start_reports(r);
	if (from->file) {
		load_saved(r, from);
	} else if (live_has(debugfs, "kmemleak_leaks")) {
		for (try = 0; try < 3; try++) {
			start_reports(r);
			open_live(&in, debugfs, "kmemleak_leaks");
			open_live(&stacks, debugfs, "kmemleak_stacks");
			read_stacks(r, &stacks);
			read_leaks(r, &in);
			if (!r->lost_stacks)
				break;
		}
	} else {
		open_live(&in, debugfs, "kmemleak");
		r->text = true;
		read_text(r, &in);
	}
	if (!from->file)
		check_enabled(r, debugfs);
	if (r->lost_stacks)
		warn("%lu leaks have stacks that are not listed", r->lost_stacks);
}
