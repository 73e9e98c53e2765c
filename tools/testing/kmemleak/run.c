// SPDX-License-Identifier: GPL-2.0-only
/*
 * One implementation as a program. "exec FILE" runs a program of operations and prints
 * its results. "serve" does so for each program from stdin, in a child of its own; the
 * differential runner uses it.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "world.h"
#include "prog.h"
#undef snprintf

#define RUN_SECONDS	60

/* RUN_FLAGS are the rules that apply to one of the implementations only. */

static char *slurp(FILE *f)
{
	struct sink s = { .fd = -1 };
	char buf[65536];
	size_t n;

	sink_write(&s, "", 0);
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		sink_write(&s, buf, n);
	return s.buf;
}

static void parse(struct prog *p, const char *text)
{
	const char *err;
	int line;

	err = prog_parse(p, text, &line);
	if (err) {
		fprintf(stderr, "line %d: %s\n", line, err);
		exit(2);
	}
}

static int run_text(const char *text, int fd, unsigned int flags)
{
	struct sink out = { .fd = fd };
	struct prog p = { 0 };

	parse(&p, text);
	prog_exec(&p, &out, flags);
	prog_free(&p);
	return 0;
}

static bool read_all(int fd, void *buf, size_t n)
{
	char *p = buf;

	while (n) {
		ssize_t done = read(fd, p, n);

		if (done <= 0)
			return false;
		p += done;
		n -= done;
	}
	return true;
}

/* Run a child, and keep its output, stderr included, until it ends. */
static void run_child(const char *text, struct sink *got)
{
	char buf[65536], line[80];
	int pipefd[2], status;
	ssize_t n;
	pid_t pid;

	if (pipe(pipefd))
		abort();
	pid = fork();
	if (pid < 0)
		abort();
	if (!pid) {
		close(pipefd[0]);
		dup2(pipefd[1], 2);
		alarm(RUN_SECONDS);
		exit(run_text(text, pipefd[1], RUN_FLAGS));
	}
	close(pipefd[1]);
	while ((n = read(pipefd[0], buf, sizeof(buf))) > 0)
		sink_write(got, buf, n);
	close(pipefd[0]);
	if (waitpid(pid, &status, 0) != pid)
		abort();
	if (status) {
		snprintf(line, sizeof(line), "\nCRASH %s %d\n",
			 WIFSIGNALED(status) ? "signal" : "exit",
			 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		sink_write(got, line, strlen(line));
	}
}

/* Length, text; length, transcript. */
static int serve(void)
{
	struct sink out = { .fd = 1 };
	u32 len;

	while (read_all(0, &len, sizeof(len))) {
		struct sink got = { .fd = -1 };
		char *text = malloc(len + 1);

		if (!text || !read_all(0, text, len))
			return 1;
		text[len] = 0;
		run_child(text, &got);
		free(text);
		len = got.len;
		sink_write(&out, (char *)&len, sizeof(len));
		sink_write(&out, got.buf ?: "", got.len);
		free(got.buf);
	}
	return 0;
}

/* Compare with the oracle: a range of seeds, up to the first failure. */
static int seeds(u64 from, u64 to)
{
	u64 s;

	for (s = from; s < to; s++) {
		struct sink text = { .fd = -1 }, got = { .fd = -1 };
		struct prog p = { 0 };
		bool bad;

		prog_generate(&p, s, gen_flavour(s));
		prog_print(&p, &text);
		run_child(text.buf, &got);
		bad = strstr(got.buf ?: "", "ORACLE:") || strstr(got.buf ?: "", "CRASH") ||
		      strstr(got.buf ?: "", "WARNINGS");
		if (bad)
			printf("seed %llu\n%s", s, got.buf);
		free(text.buf);
		free(got.buf);
		prog_free(&p);
		if (bad)
			return 1;
	}
	printf("%llu programs agree with the oracle\n", to - from);
	return 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: exec FILE | serve | gen SEED | seeds FROM TO\n");
	return 2;
}

int main(int argc, char **argv)
{
	world_map();
	if (argc == 3 && !strcmp(argv[1], "exec")) {
		FILE *f = strcmp(argv[2], "-") ? fopen(argv[2], "r") : stdin;

		if (!f)
			return usage();
		return run_text(slurp(f), 1, RUN_FLAGS);
	}
	if (argc == 2 && !strcmp(argv[1], "serve"))
		return serve();
	if (argc == 3 && !strcmp(argv[1], "gen")) {
		struct sink out = { .fd = 1 };
		u64 seed = strtoull(argv[2], NULL, 0);
		struct prog p = { 0 };

		prog_generate(&p, seed, gen_flavour(seed));
		prog_print(&p, &out);
		return 0;
	}
	if (argc == 4 && !strcmp(argv[1], "seeds"))
		return seeds(strtoull(argv[2], NULL, 0), strtoull(argv[3], NULL, 0));
	return usage();
}
