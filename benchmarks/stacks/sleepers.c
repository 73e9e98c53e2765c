// SPDX-License-Identifier: GPL-2.0
/*
 * Processes that leak by kmemleak_sleepers and sleep in system calls, or end.
 *
 *	sleepers sleep N	N processes that sleep; returns when all have leaked
 *	sleepers end N		N processes that end
 *	sleepers count NAME	a line with the number of reported leaks, by kind of task
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DIR		"/sys/kernel/debug/kmemleak-sleepers/"
#define NR_WAYS		9
#define MAX_REPORTS	65536

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void plant(const char *who, int n)
{
	char buf[32];
	int fd = open(DIR "plant", O_WRONLY);
	int len = snprintf(buf, sizeof(buf), "%s %d", who, n);

	if (fd < 0 || write(fd, buf, len) != len)
		die(DIR "plant");
	close(fd);
}

/* Some more system calls, which use the same stack. */
static void work(int n)
{
	char buf[4096];
	struct stat st;
	int fd;

	while (n--) {
		fd = open(n % 2 ? "/proc/self/status" : "/proc/self/maps", O_RDONLY);
		while (read(fd, buf, sizeof(buf)) > 0)
			;
		close(fd);
		stat("/etc/nothing", &st);
		mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	}
}

static void wait_by_epoll(int fd)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int e = epoll_create1(0);

	epoll_ctl(e, EPOLL_CTL_ADD, fd, &ev);
	epoll_wait(e, &ev, 1, -1);
}

static void wait_by_select(int fd)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	select(fd + 1, &set, NULL, NULL, NULL);
}

/* @fd: a pipe without a writer */
static void doze(int way, int fd)
{
	struct timespec long_time = { .tv_sec = 1000000 };
	struct pollfd p = { .fd = fd, .events = POLLIN };
	static int word;
	sigset_t none;
	char c;

	sigemptyset(&none);
	for (;;) {
		switch (way) {
		case 0:
			if (read(fd, &c, 1) < 0)
				die("read");
			break;
		case 1:
			poll(&p, 1, -1);
			break;
		case 2:
			syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0);
			break;
		case 3:
			nanosleep(&long_time, NULL);
			break;
		case 4:
			wait_by_epoll(fd);
			break;
		case 5:
			pause();
			break;
		case 6:
			wait_by_select(fd);
			break;
		case 7:
			sigsuspend(&none);
			break;
		default:
			if (!fork())
				pause();
			wait(NULL);
		}
	}
}

static int sleepers(int nr)
{
	int ready[2], quiet[2], i;
	char c = 0;

	if (pipe(ready) || pipe(quiet))
		die("pipe");
	for (i = 0; i < nr; i++) {
		if (fork())
			continue;
		plant("here", i);
		if (i / NR_WAYS % 2)
			work(3 + i % 7);
		if (write(ready[1], &c, 1) != 1)
			die("pipe");
		doze(i % NR_WAYS, quiet[0]);
	}
	for (i = 0; i < nr; i++)
		if (read(ready[0], &c, 1) != 1)
			die("pipe");
	return 0;
}

static int enders(int nr)
{
	int i;

	for (i = 0; i < nr; i++) {
		if (!fork()) {
			plant("end", i);
			if (i % 2)
				work(3 + i % 7);
			_exit(0);
		}
		/* a few at a time */
		while (i % 4 == 3 && wait(NULL) > 0)
			;
	}
	while (wait(NULL) > 0)
		;
	return 0;
}

/*
 * Addresses are inverted here, too: the kernel may use memory of a process that has ended
 * without clearing it.
 */
static unsigned long reports[MAX_REPORTS];

static unsigned int read_reports(void)
{
	FILE *f = fopen("/sys/kernel/debug/kmemleak", "r");
	unsigned int nr = 0;
	char line[512];

	if (!f)
		die("kmemleak");
	while (nr < MAX_REPORTS && fgets(line, sizeof(line), f))
		if (!strncmp(line, "unreferenced object 0x", 22))
			reports[nr++] = ~strtoul(line + 20, NULL, 16);
	fclose(f);
	return nr;
}

static int count(const char *name)
{
	static const char * const names[] = {
		"process-sleeps", "thread-sleeps", "work", "thread-ended", "process-ended",
	};
	unsigned int nr = read_reports(), kind, i, w, all[5] = {}, found[5] = {}, sum[2] = {};
	FILE *f = fopen(DIR "leaks", "r");
	unsigned long leak;
	char who[32];

	if (!f)
		die(DIR "leaks");
	while (fscanf(f, "%31s %u %lx", who, &kind, &leak) == 3) {
		for (w = 0; w < 4 && strcmp(names[w], who); w++)
			;
		for (i = 0; i < nr && reports[i] != leak; i++)
			;
		all[w]++;
		found[w] += i < nr;
	}
	fclose(f);
	for (w = 0; w < 5; w++) {
		sum[0] += found[w];
		sum[1] += all[w];
	}
	printf("%-6s %4u of %4u", name, sum[0], sum[1]);
	for (w = 0; w < 5; w++)
		printf("  %s %u/%u", names[w], found[w], all[w]);
	printf("  others %u\n", nr - sum[0]);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "sleep"))
		return sleepers(atoi(argv[2]));
	if (argc == 3 && !strcmp(argv[1], "end"))
		return enders(atoi(argv[2]));
	if (argc == 3 && !strcmp(argv[1], "count"))
		return count(argv[2]);
	fprintf(stderr, "usage: sleepers sleep N | end N | count NAME\n");
	return 2;
}
