// SPDX-License-Identifier: GPL-2.0-only
/* The files of kmemleak in debugfs, and what may be wrong with them. */

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "reports.h"

char *live_path(const char *debugfs, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", debugfs, name) < 0)
		die(EXIT_OTHER, "out of memory");
	return path;
}

bool live_has(const char *debugfs, const char *name)
{
	char *path = live_path(debugfs, name);
	bool has = !access(path, F_OK);

	free(path);
	return has;
}

/* Gives up, for a file of debugfs could not be opened. */
static void __attribute__((noreturn)) no_file(const char *debugfs, const char *name, int err)
{
	struct statfs fs;

	if (err == EPERM)
		die(EXIT_RIGHTS, "%s/%s: the kernel is locked down, and refuses debugfs", debugfs,
		    name);
	if (err == EACCES)
		die(EXIT_RIGHTS, "%s/%s may be read by root only", debugfs, name);
	if (err != ENOENT && err != ENOTDIR)
		die(EXIT_NO_FILE, "%s/%s: %s", debugfs, name, strerror(err));
	if (statfs(debugfs, &fs) || (!strcmp(debugfs, DEBUGFS) && fs.f_type != DEBUGFS_MAGIC))
		die(EXIT_NO_DEBUGFS,
		    "no debugfs at %s: mount -t debugfs nodev " DEBUGFS, debugfs);
	if (live_has(debugfs, "kmemleak"))
		die(EXIT_LACKING, "no %s/%s: this needs a kernel with the parallel kmemleak",
		    debugfs, name);
	die(EXIT_NO_KMEMLEAK,
	    "no %s/kmemleak: the kernel was built without CONFIG_DEBUG_KMEMLEAK", debugfs);
}

int live_open(const char *debugfs, const char *name, int flags)
{
	char *path = live_path(debugfs, name);
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		no_file(debugfs, name, errno);
	free(path);
	return fd;
}

void live_needs_ours(const char *debugfs, const char *what)
{
	if (live_has(debugfs, "kmemleak") && !live_has(debugfs, "kmemleak_leaks"))
		die(EXIT_LACKING,
		    "%s needs a kernel with the parallel kmemleak (no %s/kmemleak_leaks)", what,
		    debugfs);
	close(live_open(debugfs, "kmemleak_leaks", O_RDONLY));
}

int live_command(const char *debugfs, const char *command)
{
	int fd = live_open(debugfs, "kmemleak", O_WRONLY);
	int err = write(fd, command, strlen(command)) < 0 ? errno : 0;

	close(fd);
	return err;
}

static void on_signal(int sig)
{
}

/* Without SA_RESTART, a write that takes long ends with EINTR. */
void live_catch_signals(bool on)
{
	struct sigaction act = { .sa_handler = on ? on_signal : SIG_DFL };

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
}

void live_failed(const char *command, int err)
{
	switch (err) {
	case EPERM:
		die(EXIT_OFF, "%s: kmemleak is disabled (see kmemleak=on of the command line)",
		    command);
	case EINTR:
		die(EXIT_STOPPED, "%s: stopped by a signal, nothing new is reported", command);
	case EAGAIN:
		die(EXIT_STOPPED, "%s: the machine is about to sleep, no scan runs", command);
	case EINVAL:
		die(EXIT_LACKING, "%s: this kernel does not know it, the parallel kmemleak does",
		    command);
	default:
		die(EXIT_OTHER, "%s: %s", command, strerror(err));
	}
}

char *live_read(int fd, const char *name, size_t *len)
{
	size_t room = 1 << 16, n = 0;
	char *buf = must_alloc(NULL, room, 1);
	ssize_t got;

	while ((got = read(fd, buf + n, room - n - 1))) {
		if (got < 0 && errno == EINTR)
			die(EXIT_STOPPED, "%s: stopped by a signal", name);
		if (got < 0)
			die(EXIT_NO_FILE, "%s: %s", name, strerror(errno));
		n += got;
		if (n + 1 == room) {
			room *= 2;
			buf = must_alloc(buf, room, 1);
		}
	}
	buf[n] = '\0';
	if (len)
		*len = n;
	return buf;
}

char *live_stats(const char *debugfs)
{
	char *text;
	int fd;

	if (!live_has(debugfs, "kmemleak_stats"))
		return NULL;
	fd = live_open(debugfs, "kmemleak_stats", O_RDONLY);
	text = live_read(fd, "kmemleak_stats", NULL);
	close(fd);
	return text;
}

bool live_stat(const char *stats, const char *name, unsigned long *value)
{
	size_t len = strlen(name);
	const char *line;
	char *end;

	for (line = stats; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, len) || line[len] != ' ')
			continue;
		*value = strtoul(line + len + 1, &end, 10);
		return end != line + len + 1 && (*end == '\n' || !*end);
	}
	return false;
}

/* Gives up if the output could not be written. */
void output_done(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return;
	if (errno == EPIPE)
		die(EXIT_PIPE, "the reader of the output is gone");
	die(EXIT_OTHER, "the output could not be written: %s", strerror(errno));
}
