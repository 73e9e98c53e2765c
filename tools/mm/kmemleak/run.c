// SPDX-License-Identifier: GPL-2.0-only
/* kmemleak run: the leaks of a command. */

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "reports.h"

/* Jiffies may lag behind the clock by some ticks. */
#define SLOP_MS		100

static unsigned long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000UL + t.tv_nsec / 1000000;
}

/* Runs a command, and returns its exit status as a shell does. */
static int run_command(char **argv)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, was_int, was_quit;
	int status, err;
	pid_t pid;

	fflush(NULL);
	/* a key that ends the command is not to end the check */
	sigaction(SIGINT, &ignore, &was_int);
	sigaction(SIGQUIT, &ignore, &was_quit);
	pid = fork();
	if (pid < 0)
		die(EXIT_OTHER, "fork: %s", strerror(errno));
	if (!pid) {
		sigaction(SIGINT, &was_int, NULL);
		sigaction(SIGQUIT, &was_quit, NULL);
		execvp(argv[0], argv);
		err = errno;
		warn("%s: %s", argv[0], strerror(err));
		_exit(err == ENOENT ? 127 : 126);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			die(EXIT_OTHER, "waitpid: %s", strerror(errno));
	sigaction(SIGINT, &was_int, NULL);
	sigaction(SIGQUIT, &was_quit, NULL);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The first generation that has no leak of at least this age. */
static unsigned long first_new(const struct reports *r, unsigned long old_ms)
{
	unsigned long i, first = 0;

	for (i = 0; i < r->nr; i++) {
		const struct rleak *l = &r->leaks[i];

		if (l->generation == R_UNKNOWN || l->generation < first)
			continue;
		if (!old_ms || (l->age_ms != R_UNKNOWN && l->age_ms >= old_ms))
			first = l->generation + 1;
	}
	return first;
}

static void xml_text(FILE *f, const char *s)
{
	for (; *s; s++) {
		if (*s == '&')
			fputs("&amp;", f);
		else if (*s == '<')
			fputs("&lt;", f);
		else if (*s == '>')
			fputs("&gt;", f);
		else if (*s == '"')
			fputs("&quot;", f);
		else
			fputc((*s >= ' ' && *s < 0x7f) || *s == '\n' ? *s : '?', f);
	}
}

static void xml_case(FILE *f, char **argv, const char *what)
{
	fputs("  <testcase classname=\"kmemleak\" name=\"", f);
	for (; *argv; argv++) {
		xml_text(f, *argv);
		fputc(argv[1] ? ' ' : ':', f);
	}
	fprintf(f, " %s\"", what);
}

/* Two tests: the status of the command, and its leaks. */
static void write_junit(const char *path, char **argv, int status, unsigned long ms,
			const struct groups *g)
{
	struct new_file n;
	unsigned long i;
	u32 j;

	new_file_open(&n, path);
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", n.f);
	fprintf(n.f, "<testsuite name=\"kmemleak\" tests=\"2\" failures=\"%d\" errors=\"0\" ",
		!!status + !!g->leaks);
	fprintf(n.f, "time=\"%lu.%03lu\">\n", ms / 1000, ms % 1000);
	xml_case(n.f, argv, "exit status");
	if (status)
		fprintf(n.f, ">\n    <failure type=\"status\" message=\"exit status %d\"/>\n%s",
			status, "  </testcase>\n");
	else
		fputs("/>\n", n.f);
	xml_case(n.f, argv, "leaks");
	if (!g->leaks)
		fputs("/>\n", n.f);
	else
		fprintf(n.f, ">\n    <failure type=\"leak\" message=\"%lu leaks, %lu bytes\">",
			g->leaks, g->bytes);
	for (i = 0; i < g->nr; i++) {
		const struct rleak *l = &g->reports->leaks[g->groups[i].sample];
		const struct rstack *s = &g->reports->stacks[l->stack];

		fprintf(n.f, "%lu bytes in %lu leaks, the oldest 0x%lx:\n", g->groups[i].bytes,
			g->groups[i].nr, l->addr);
		for (j = 0; j < s->nr; j++) {
			fputs("  ", n.f);
			xml_text(n.f, s->frames[j].text);
			fputc('\n', n.f);
		}
	}
	if (g->leaks)
		fputs("</failure>\n  </testcase>\n", n.f);
	fputs("</testsuite>\n", n.f);
	new_file_done(&n);
}

static void command(const char *debugfs, const char *text)
{
	int err = live_command(debugfs, text);

	if (err)
		live_failed(text, err);
}

int cmd_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "exit-code", required_argument, NULL, 'e' },
		{ "junit", required_argument, NULL, 'J' },
		{ "debugfs", required_argument, NULL, 'D' },
		{ }
	};
	struct reports_source from = { .debugfs = DEBUGFS };
	struct group_options o = { .certain = true };
	unsigned long code = 0, begin, since, ms;
	const char *junit = NULL;
	struct reports r;
	struct groups g;
	int c, status;

	while ((c = getopt_long(argc, argv, "+e:", options, NULL)) != -1) {
		switch (c) {
		case 'e':
			code = parse_number("--exit-code", optarg, 10);
			if (code > 255)
				die(EXIT_USAGE, "--exit-code %s: expected 0 to 255", optarg);
			break;
		case 'J':
			junit = optarg;
			break;
		case 'D':
			from.debugfs = optarg;
			break;
		default:
			return EXIT_USAGE;
		}
	}
	if (optind == argc)
		die(EXIT_USAGE, "run: a command is needed: see kmemleak help run");
	live_needs_ours(from.debugfs, "run");
	/* all that is reported now is older than the mark */
	reports_load(&r, &from);
	since = first_new(&r, 0);
	begin = now_ms();
	command(from.debugfs, "mark");
	status = run_command(argv + optind);
	ms = now_ms() - begin;
	command(from.debugfs, "check");
	reports_load(&r, &from);
	o.since = max_t(unsigned long, since, first_new(&r, now_ms() - begin + SLOP_MS));
	groups_make(&g, &r, &o);
	/* the output of the command may be read by a program */
	if (dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		die(EXIT_OTHER, "standard error: %s", strerror(errno));
	if (g.leaks)
		groups_print(&g);
	else
		puts("kmemleak: no leaks");
	output_done();
	if (junit)
		write_junit(junit, argv + optind, status, ms, &g);
	c = g.leaks && code ? code : status;
	groups_free(&g);
	return c;
}
