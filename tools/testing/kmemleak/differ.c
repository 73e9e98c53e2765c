// SPDX-License-Identifier: GPL-2.0-only
/*
 * The differential runner: feeds the same programs to two implementations and
 * compares their output. A program for which it differs is made smaller, and printed
 * so that "run-* exec" can replay it.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "prog.h"
#undef snprintf
#undef sprintf

struct server {
	const char *path;
	pid_t pid;
	int in, out;
};

static struct server ours, theirs;
static bool only_ours;
static unsigned int extra;	/* flavour of all programs */

static void start(struct server *s, const char *path)
{
	int to[2], from[2];

	if (pipe(to) || pipe(from))
		abort();
	s->path = path;
	s->pid = fork();
	if (s->pid < 0)
		abort();
	if (!s->pid) {
		dup2(to[0], 0);
		dup2(from[1], 1);
		close(to[1]);
		close(from[0]);
		execl(path, path, "serve", NULL);
		perror(path);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	s->in = to[1];
	s->out = from[0];
}

static void xread(int fd, void *buf, size_t n)
{
	char *p = buf;

	while (n) {
		ssize_t done = read(fd, p, n);

		if (done <= 0) {
			fprintf(stderr, "an implementation's server died\n");
			exit(2);
		}
		p += done;
		n -= done;
	}
}

static void ask(struct server *s, const struct sink *text)
{
	struct sink out = { .fd = s->in };
	u32 len = text->len;

	sink_write(&out, (char *)&len, sizeof(len));
	sink_write(&out, text->buf, text->len);
}

static char *answer(struct server *s)
{
	char *buf;
	u32 len;

	xread(s->out, &len, sizeof(len));
	buf = malloc(len + 1);
	if (!buf)
		abort();
	xread(s->out, buf, len);
	buf[len] = 0;
	return buf;
}

static bool line_has(const char *line, const char *what)
{
	return !strncmp(line, what, strlen(what));
}

/*
 * Remove lines that may differ: the size of the static pool, the filter, and a warning
 * of stock in the middle of a scan, that an excess_ref is the address of a freed block
 * and now inside another object.
 */
static void normalize(char *t)
{
	static const char pool[] = "(mem pool available: ";
	bool scan = false, drop = false;
	char *out = t, *end, *n;
	size_t len;

	for (; *t; t = end) {
		end = t + strcspn(t, "\n");
		end += *end == '\n';
		if (*t != '|' && *t != '=')
			scan = line_has(t, "cmd scan\n");
		if (drop)
			drop = line_has(t, "| (stack") || line_has(t, "| kmemleak: Object") ||
			       line_has(t, "| kmemleak:   ") || line_has(t, "|  ");
		drop |= scan && line_has(t, "| kmemleak: Found object by alias");
		if (drop || line_has(t, "| kmemleak: filter: "))
			continue;
		len = end - t;
		memmove(out, t, len);
		n = memmem(out, len, pool, sizeof(pool) - 1);
		if (n)
			len = sprintf(n + sizeof(pool) - 1, "N)\n") + n + sizeof(pool) - 1 - out;
		out += len;
	}
	*out = 0;
}

static bool broken(const char *t)
{
	return strstr(t, "\nCRASH ") || strstr(t, "ORACLE: ") || strstr(t, "WARNINGS ");
}

/* Do the transcripts differ, or is one wrong? The caller frees them. */
static bool differ(const struct prog *p, char **a, char **b)
{
	struct sink text = { .fd = -1 };
	bool bad;

	prog_print(p, &text);
	ask(&ours, &text);
	if (!only_ours)
		ask(&theirs, &text);
	*a = answer(&ours);
	*b = only_ours ? strdup(*a) : answer(&theirs);
	normalize(*a);
	normalize(*b);
	bad = strcmp(*a, *b) || broken(*a);
	free(text.buf);
	return bad;
}

/*
 * The kind of a difference: the first line that differs, without its numbers. A
 * smaller program must have the same kind of difference.
 */
struct sign {
	char line[2][100];
};

static void sign_line(char *out, size_t n, const char *t)
{
	size_t i = 0;

	for (; *t && *t != '\n' && i < n - 1; t++)
		if (!strchr("0123456789abcdefx", *t))
			out[i++] = *t;
	out[i] = 0;
}

static void sign_of(struct sign *s, const char *a, const char *b)
{
	const char *bad = strstr(a, "ORACLE: ") ?: strstr(a, "FATAL: ") ?:
			  strstr(a, "CRASH ") ?: a;
	size_t i = 0, line = 0;

	if (strcmp(a, b)) {
		for (; a[i] == b[i]; i++)
			if (a[i] == '\n')
				line = i + 1;
		bad = a + line;
		b += line;
	}
	sign_line(s->line[0], sizeof(s->line[0]), bad);
	sign_line(s->line[1], sizeof(s->line[1]), b);
}

static bool still(const struct prog *p, struct sign *s)
{
	char *a, *b;
	bool bad = differ(p, &a, &b);

	memset(s, 0, sizeof(*s));
	if (bad)
		sign_of(s, a, b);
	free(a);
	free(b);
	return bad;
}

/* Remove parts of the program, ever smaller ones, while the difference stays. */
static void shrink(struct prog *p)
{
	struct sign want, got;
	size_t step, at;
	bool any;

	if (!still(p, &want))
		return;

	do {
		any = false;
		for (step = p->nr / 2; step; step /= 2) {
			for (at = 0; at + step <= p->nr;) {
				struct prog q = { 0 };

				q.op = malloc(p->nr * sizeof(*q.op));
				if (!q.op)
					abort();
				memcpy(q.op, p->op, at * sizeof(*q.op));
				memcpy(q.op + at, p->op + at + step,
				       (p->nr - at - step) * sizeof(*q.op));
				q.cap = p->nr - step;
				q.nr = q.cap;
				if (still(&q, &got) && !memcmp(&want, &got, sizeof(got))) {
					prog_free(p);
					*p = q;
					any = true;
				} else {
					prog_free(&q);
					at += step;
				}
			}
		}
	} while (any);
}

static void save(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (!f || fputs(text, f) < 0 || fclose(f))
		perror(path);
}

/* Print the difference by diff(1). */
static void print_diff(const char *a, const char *b)
{
	char fa[] = "/tmp/kml-ours-XXXXXX", fb[] = "/tmp/kml-peer-XXXXXX", cmd[256];

	if (mkstemp(fa) < 0 || mkstemp(fb) < 0)
		return;
	save(fa, a);
	save(fb, b);
	fflush(stdout);
	snprintf(cmd, sizeof(cmd), "diff -u --label peer --label ours %s %s | head -150", fb, fa);
	if (system(cmd) < 0)
		perror("diff");
	unlink(fa);
	unlink(fb);
}

static void report(struct prog *p, const char *what)
{
	struct sink out = { .fd = -1 };
	size_t before = p->nr;
	char *a, *b;

	fprintf(stderr, "%s: shrinking...\n", what);
	shrink(p);
	prog_print(p, &out);
	printf("%s, shrunk from %zu to %zu operations:\n%s----\n", what, before, p->nr, out.buf);
	differ(p, &a, &b);
	if (strcmp(a, b))
		print_diff(a, b);
	else
		printf("%s", a);
	free(a);
	free(b);
	free(out.buf);
}

static int replay(const char *path)
{
	struct prog p = { 0 };
	FILE *f = fopen(path, "r");
	static char text[1 << 20];
	struct sign s;
	const char *err;
	int line, bad;
	size_t n;

	n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
	if (!n) {
		perror(path);
		return 2;
	}
	text[n] = 0;
	fclose(f);
	err = prog_parse(&p, text, &line);
	if (err) {
		fprintf(stderr, "%s:%d: %s\n", path, line, err);
		return 2;
	}
	bad = still(&p, &s);
	if (bad)
		report(&p, path);
	prog_free(&p);
	return bad;
}

static int seeds(u64 from, u64 to, int most)
{
	time_t next = time(NULL) + 10;
	int bad = 0;
	u64 s;

	for (s = from; s < to && bad < most; s++) {
		struct prog p = { 0 };
		struct sign sign;
		char name[40];

		prog_generate(&p, s, gen_flavour(s) | extra);
		if (still(&p, &sign)) {
			snprintf(name, sizeof(name), "seed %llu", s);
			report(&p, name);
			bad++;
		}
		prog_free(&p);
		if (time(NULL) >= next) {
			fprintf(stderr, "# %llu of %llu programs\n", s - from, to - from);
			next += 10;
		}
	}
	printf("%llu programs, %d with a difference\n", s - from, bad);
	return bad != 0;
}

int main(int argc, char **argv)
{
	int most = 1;

	signal(SIGPIPE, SIG_IGN);
	for (; argc > 2 && argv[1][0] == '-' && argv[1][1]; argv++, argc--) {
		if (!strcmp(argv[1], "-t")) {
			extra = GEN_TAGS;
		} else if (!strcmp(argv[1], "-k")) {
			most = atoi(argv[2]);
			argv++;
			argc--;
		}
	}
	if (argc < 4) {
		fprintf(stderr, "usage: differ [-t] [-k MOST] OURS PEER|- FROM TO | FILE...\n"
			"Runs seeds FROM to TO, or program files, on two implementations\n"
			"(or, with \"-\", one and the oracle). Stops after MOST failures;\n"
			"-t: with tagged pointers, for programs built that way.\n");
		return 2;
	}
	only_ours = !strcmp(argv[2], "-");
	/* stock disables itself when blocks overlap; the oracle does so with that flag */
	if (!only_ours)
		setenv("KMEMLEAK_STRICT", "Y", 0);
	start(&ours, argv[1]);
	if (!only_ours)
		start(&theirs, argv[2]);
	if (argc == 5 && strspn(argv[3], "0123456789") == strlen(argv[3]))
		return seeds(strtoull(argv[3], NULL, 0), strtoull(argv[4], NULL, 0), most);
	for (argv += 3; *argv; argv++)
		if (replay(*argv))
			return 1;
	return 0;
}
