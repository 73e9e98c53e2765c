// SPDX-License-Identifier: GPL-2.0-only
/*
 * The debugfs file under libFuzzer: writes, reads and seeks in any order, with any
 * content. The result of each write is compared with the documented one. Nothing
 * undoes "off", so a child process writes it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "world.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

static struct world_file file;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	unsigned int i;

	world_map();
	shim_strict = true;
	world_task(&world_tasks[0]);
	/* one CPU, no helper threads: a fork would not have them */
	world_cpus(1);
	world_boot("on");
	shim_kthreads_gated = true;
	/* Objects to list and to dump. */
	for (i = 0; i < 40; i++)
		kmemleak_alloc((void *)(W_HEAP + i * 256), 200, 1, GFP_KERNEL);
	kmemleak_alloc_percpu((void *)(W_PCPU_COOKIE + W_PCPU_STATIC), 64, GFP_KERNEL);
	kmemleak_alloc_phys(W_LOW_START, 4096, GFP_KERNEL);
	return 0;
}

static bool starts(const char *s, const char *word)
{
	return !strncmp(s, word, strlen(word));
}

/* The result of a write of @buf, by the list of commands; 1: not known. */
static ssize_t expected(const char *buf, size_t n)
{
	static const char * const plain[] = {
		"clear", "off", "stack=on", "stack=off", "scan=on", "scan=off", "check", "mark",
		"parallel=on", "parallel=off",
	};
	static const char * const numbers[] = { "scan=", "parallel=" };
	char cmd[64];
	unsigned int i;
	size_t len = min(n, sizeof(cmd) - 1);

	memcpy(cmd, buf, len);
	cmd[len] = 0;
	for (i = 0; i < ARRAY_SIZE(plain); i++)
		if (starts(cmd, plain[i]))
			return n;
	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		unsigned int number;
		int err;

		if (!starts(cmd, numbers[i]))
			continue;
		err = kstrtouint(cmd + strlen(numbers[i]), 0, &number);
		return err ?: (ssize_t)n;
	}
	if (starts(cmd, "scan"))
		return n;
	if (starts(cmd, "dump=")) {
		unsigned long addr;

		return kstrtoul(cmd + 5, 0, &addr) ? -EINVAL : 1;
	}
	return -EINVAL;
}

static void do_write(const char *buf, size_t n)
{
	loff_t before = file.file.f_pos;
	ssize_t want = expected(buf, n), got;

	got = world_write(&file, buf, n);
	world_quiesce();
	if (want == 1 && n != 1)
		want = got == -EINVAL ? -EINVAL : (ssize_t)n;
	if (got != want)
		shim_fatal("write of %zu bytes returned %zd, not %zd", n, got, want);
	if (file.file.f_pos != before + (got > 0 ? got : 0))
		shim_fatal("position moved from %lld to %lld", (long long)before,
			   (long long)file.file.f_pos);
}

static void in_child(const char *buf, size_t n)
{
	int status;
	pid_t pid;

	/* A forked child has no other threads: stop them before. */
	world_write(&file, "scan=off", 8);
	pid = fork();
	if (!pid) {
		do_write(buf, n);
		if (n && world_write(&file, "scan", 4) != -EPERM)
			shim_fatal("a scan after \"off\"");
		if (world_write(&file, "clear", 5) != 5)
			shim_fatal("no clear after \"off\"");
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		abort();
}

static void do_read(size_t n)
{
	char *buf = malloc(n + 1);
	ssize_t got;

	if (!buf)
		return;
	got = world_read(&file, buf, n);
	if (got > (ssize_t)n || got < 0)
		shim_fatal("read of %zu returned %zd", n, got);
	free(buf);
}

/* Two bytes with a length and an action, then the data to write. */
int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	if (world_open(&file, "kmemleak", FMODE_READ | FMODE_WRITE))
		abort();
	while (len >= 2) {
		size_t n = data[1];
		u8 act = data[0];

		data += 2;
		len -= 2;
		switch (act % 8) {
		case 0:
			do_read(n);
			break;
		case 1:
			do_read(n * 512);
			break;
		case 2:
			world_seek(&file, n % 4 ? n : 0);
			break;
		case 3:
			shim_time_advance(n * HZ);
			world_quiesce();
			break;
		default:
			n = min(n, len);
			if (n >= 3 && starts((const char *)data, "off"))
				in_child((const char *)data, n);
			else
				do_write((const char *)data, n);
			data += n;
			len -= n;
		}
		free(shim_log_take());
	}
	world_write(&file, "scan=off", 8);
	world_close(&file);
	return 0;
}
