// SPDX-License-Identifier: GPL-2.0-only
/* kmemleak scan without an image: a scan of the running kernel, and its new leaks. */

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reports.h"

/* A child that shows how far the scan is, until it is killed. */
static pid_t show_progress(const char *debugfs)
{
	unsigned long running, bytes, expected;
	pid_t pid, parent = getpid();
	char *stats;

	if (quiet || !isatty(STDERR_FILENO) || !live_has(debugfs, "kmemleak_stats"))
		return -1;
	pid = fork();
	if (pid)
		return pid;
	live_catch_signals(false);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (getppid() == parent) {
		char stage[64] = "scan";

		stats = live_stats(debugfs);
		if (stats && live_stat(stats, "running", &running) && running &&
		    live_stat(stats, "running_bytes", &bytes)) {
			const char *line = strstr(stats, "\nrunning_stage ");

			if (line)
				sscanf(line, "\nrunning_stage %63s", stage);
			if (!live_stat(stats, "running_bytes_expected", &expected))
				expected = 0;
			/* memory may have grown since the last scan */
			if (expected && bytes > expected)
				bytes = expected;
			progress(stage, expected ? bytes : bytes >> 20, expected);
		}
		free(stats);
		usleep(100000);
	}
	_exit(0);
}

static void end_progress(pid_t pid)
{
	if (pid < 0)
		return;
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	fputs("\r\033[K", stderr);
}

static int compare_leaks(const void *a, const void *b)
{
	const struct rleak *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	/* another block may have the address now */
	if (x->born != y->born)
		return x->born < y->born ? -1 : 1;
	if (x->scan != y->scan)
		return x->scan < y->scan ? -1 : 1;
	return x->percpu - y->percpu;
}

/* Leaves the leaks that were not listed before. */
static void only_new(struct reports *now, struct reports *before)
{
	unsigned long i, j = 0;

	sort_array(before->leaks, before->nr, sizeof(*before->leaks), compare_leaks);
	for (i = 0; i < now->nr; i++)
		if (!find_array(&now->leaks[i], before->leaks, before->nr,
				sizeof(*before->leaks), compare_leaks))
			now->leaks[j++] = now->leaks[i];
	now->nr = j;
}

/**
 * live_scan() - scan the running kernel, and print new leaks
 * @debugfs: where debugfs is
 * @check: find leaks of any age
 * @o: how it is printed
 *
 * Return: the exit status.
 */
int live_scan(const char *debugfs, bool check, const struct group_options *o)
{
	struct reports_source from = { .debugfs = debugfs };
	const char *command = check ? "check" : "scan";
	struct reports before, now;
	struct groups g;
	pid_t pid;
	int err;

	signal(SIGPIPE, SIG_IGN);
	if (check)
		live_needs_ours(debugfs, "scan --check");
	reports_load(&before, &from);
	live_catch_signals(true);
	pid = show_progress(debugfs);
	err = live_command(debugfs, command);
	end_progress(pid);
	live_catch_signals(false);
	if (err)
		live_failed(command, err);
	reports_load(&now, &from);
	only_new(&now, &before);
	groups_make(&g, &now, o);
	if (o->format == FORMAT_TEXT)
		printf("%s: %lu new, %lu known before\n", command, now.nr, before.nr);
	if (g.leaks || o->format != FORMAT_TEXT)
		groups_print(&g);
	output_done();
	err = check && g.leaks ? EXIT_LEAKS : EXIT_DONE;
	groups_free(&g);
	return err;
}
