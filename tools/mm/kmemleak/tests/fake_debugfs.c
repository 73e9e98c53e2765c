// SPDX-License-Identifier: GPL-2.0-only
/*
 * Preloaded, so that ordinary files act as those of debugfs. A command that is written
 * to .../kmemleak is appended to kmemleak.log; if there is a file kmemleak.errno.COMMAND,
 * the number in it is the error; scan and check rename kmemleak.next to kmemleak_leaks. An
 * address that is written to .../kmemleak_refs selects what kmemleak_refs.ADDRESS has.
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOM	4096

static ssize_t command(const char *path, const char *text, size_t len)
{
	char name[ROOM + 64], to[ROOM + 64];
	FILE *f;
	int err = 0;

	snprintf(name, sizeof(name), "%s.log", path);
	f = fopen(name, "a");
	if (!f)
		return -1;
	fprintf(f, "%.*s\n", (int)len, text);
	fclose(f);
	snprintf(name, sizeof(name), "%s.errno.%.*s", path, (int)len, text);
	f = fopen(name, "r");
	if (f) {
		if (fscanf(f, "%d", &err) != 1)
			abort();
		fclose(f);
		errno = err;
		return -1;
	}
	snprintf(name, sizeof(name), "%s.next", path);
	snprintf(to, sizeof(to), "%s_leaks", path);
	if (strncmp(text, "mark", 4) && access(name, F_OK) == 0 && rename(name, to))
		return -1;
	return len;
}

/* The descriptor is that of an answer after the first address. */
static ssize_t refs(int fd, const char *path, const char *text, size_t len)
{
	size_t dir = strrchr(path, '/') - path;
	char name[ROOM + 64];
	int found;

	snprintf(name, sizeof(name), "%.*s/kmemleak_refs.%.*s", (int)dir, path, (int)len, text);
	found = open(name, O_RDONLY);
	if (found < 0)
		return -1;
	if (dup2(found, fd) < 0)
		return -1;
	close(found);
	return len;
}

ssize_t write(int fd, const void *buf, size_t len)
{
	ssize_t (*next)(int fd, const void *buf, size_t len) = dlsym(RTLD_NEXT, "write");
	char link[64], path[ROOM];
	const char *base;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n < 0 ? 0 : n] = '\0';
	base = strrchr(path, '/');
	if (base && !strcmp(base, "/kmemleak"))
		return command(path, buf, len);
	if (base && !strncmp(base, "/kmemleak_refs", strlen("/kmemleak_refs")))
		return refs(fd, path, buf, len);
	return next(fd, buf, len);
}
