// SPDX-License-Identifier: GPL-2.0-only
/* Files that others read at any time: they are complete, or the old ones stay. */

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reports.h"

/**
 * new_file_open() - begin a file, or give up
 * @n: filled
 * @path: name of the file
 */
void new_file_open(struct new_file *n, const char *path)
{
	mode_t mask = umask(0);
	int fd;

	umask(mask);
	n->path = path;
	/* collectors read names that end with .prom only */
	if (asprintf(&n->temporary, "%s.XXXXXX", path) < 0)
		die(EXIT_OTHER, "out of memory");
	fd = mkstemp(n->temporary);
	if (fd < 0)
		die(EXIT_OTHER, "%s: %s", path, strerror(errno));
	/* as open() would set it */
	n->f = !fchmod(fd, 0666 & ~mask) ? fdopen(fd, "w") : NULL;
	if (!n->f) {
		unlink(n->temporary);
		die(EXIT_OTHER, "%s: %s", path, strerror(errno));
	}
}

/**
 * new_file_done() - put the file in its place, or give up and leave the old one
 * @n: of new_file_open()
 */
void new_file_done(struct new_file *n)
{
	bool bad = fflush(n->f) || ferror(n->f) || fsync(fileno(n->f));
	int err = errno;

	if (fclose(n->f) && !bad) {
		bad = true;
		err = errno;
	}
	if (!bad && rename(n->temporary, n->path)) {
		bad = true;
		err = errno;
	}
	if (bad) {
		unlink(n->temporary);
		die(EXIT_OTHER, "%s could not be written: %s", n->path, strerror(err));
	}
	free(n->temporary);
}
