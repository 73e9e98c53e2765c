/* SPDX-License-Identifier: GPL-2.0-only */
/* Test programs: each case runs in a process of its own, and prints a line of TAP. */
#ifndef _KML_TAP_H
#define _KML_TAP_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* After the C library's headers: some of their names are macros here. */
#include "os.h"

static int tap_nr, tap_bad;

static void tap_line(const char *name, bool good, const char *why)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++tap_nr, name);
	if (!good) {
		tap_bad++;
		if (*why)
			printf("# %s\n", why);
	}
	fflush(stdout);
}

/* Run @fn in a child. Return: true if it exits with 0. */
static __maybe_unused bool tap_try(int (*fn)(void *arg), void *arg, unsigned int seconds)
{
	int status;
	pid_t pid;

	fflush(stdout);
	fflush(stderr);
	pid = fork();
	if (pid < 0)
		abort();
	if (!pid) {
		alarm(seconds);
		status = fn(arg);
		fflush(stdout);
		fflush(stderr);
		_exit(status);
	}
	if (waitpid(pid, &status, 0) != pid)
		abort();
	if (WIFSIGNALED(status))
		fprintf(stderr, "# killed by signal %d\n", WTERMSIG(status));
	return !status;
}

static __maybe_unused void tap_case(const char *name, int (*fn)(void *arg), void *arg,
				    unsigned int seconds)
{
	tap_line(name, tap_try(fn, arg, seconds), "");
}

/* Skip a case that this machine cannot run. */
static __maybe_unused void tap_skip(const char *name, const char *why)
{
	printf("ok %d - %s # SKIP %s\n", ++tap_nr, name, why);
}

static __maybe_unused int tap_done(void)
{
	printf("1..%d\n", tap_nr);
	return tap_bad != 0;
}

/* For use in a case: print the error and fail. */
#define TAP_CHECK(cond, fmt, args...) do {				\
	if (!(cond)) {							\
		fprintf(stderr, "# %s:%d: " fmt "\n", __FILE__, __LINE__, ##args); \
		return 1;						\
	}								\
} while (0)

#endif /* _KML_TAP_H */
