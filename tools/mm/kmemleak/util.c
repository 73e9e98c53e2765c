// SPDX-License-Identifier: GPL-2.0-only
/* Messages, memory, and the line that tells how far a command is. */

#include <errno.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

#include "kmemleak.h"

bool quiet;
static bool line_open;

void progress_end(void)
{
	if (line_open)
		fputs("\r\033[K", stderr);
	line_open = false;
}

/**
 * progress() - tell how far a phase is, on a terminal
 * @phase: its name
 * @done: units done
 * @of: units in all, or 0 if that is not known
 */
void progress(const char *phase, unsigned long done, unsigned long of)
{
	static struct timespec last;
	struct timespec now;

	if (quiet || !isatty(STDERR_FILENO))
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (line_open &&
	    (now.tv_sec - last.tv_sec) * 1000 + (now.tv_nsec - last.tv_nsec) / 1000000 < 100)
		return;
	last = now;
	line_open = true;
	if (of)
		fprintf(stderr, "\r\033[K%s: %lu%%", phase, done * 100 / of);
	else
		fprintf(stderr, "\r\033[K%s: %lu", phase, done);
}

static void say(const char *fmt, va_list args)
{
	progress_end();
	fflush(stdout);
	fputs("kmemleak: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
}

void warn(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(fmt, args);
	va_end(args);
}

void die(enum exit_status status, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(fmt, args);
	va_end(args);
	exit(status);
}

/**
 * must_alloc() - allocate or resize an array, or give up
 * @old: to be resized, or NULL for one of zeros
 * @nr: number of elements
 * @size: of one, in bytes
 *
 * Return: the array; elements that a resize added are not initialised.
 */
void *must_alloc(void *old, size_t nr, size_t size)
{
	void *p;

	if (size && nr > SIZE_MAX / size)
		die(EXIT_OTHER, "out of memory: %zu elements of %zu bytes", nr, size);
	p = old ? realloc(old, nr * size) : calloc(nr ? nr : 1, size);
	if (!p && nr)
		die(EXIT_OTHER, "out of memory: %zu bytes", nr * size);
	return p;
}

/* The number that an option has, or give up. */
unsigned long parse_number(const char *option, const char *s, int base)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(s, &end, base);
	if (end == s || *end || errno)
		die(EXIT_USAGE, "%s %s: expected a number", option, s);
	return value;
}
