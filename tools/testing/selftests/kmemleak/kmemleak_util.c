// SPDX-License-Identifier: GPL-2.0
/*
 * kmemleak selftests: the kmemleak file, its report, the kernel log
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "../kselftest.h"
#include "kmemleak_util.h"

#define HEADLINE	"unreferenced object"

/* Set-up */

static pid_t kml_owner;
static bool kml_thread_ran;
static char kml_saved_min_scans[16];
static char kml_saved_parallel[32];

/* The harness runs tests in children, whose ends must not undo the set-up. */
static void kml_teardown(void)
{
	if (getpid() != kml_owner)
		return;
	kst("reset");
	kml_command("stack=on");
	kml_write_file(KML_PARAM("min_unref_scans"), kml_saved_min_scans);
	if (*kml_saved_parallel)
		kml_command(kml_saved_parallel);
	if (kml_thread_ran)
		kml_command("scan=on");
}

/* See missing() in kmemleak_lib.sh. */
static void kml_missing(const char *what)
{
	const char *required = getenv("KMEMLEAK_REQUIRED");

	ksft_print_header();
	if (required && !strcmp(required, "1"))
		ksft_exit_fail_msg("%s\n", what);
	ksft_exit_skip("%s\n", what);
}

int kml_load_module(const char *name)
{
	char path[4096], word[256];
	ssize_t len;
	int fd, ret;

	snprintf(word, sizeof(word), "/sys/module/%s", name);
	if (!access(word, F_OK))
		return 0;
	len = readlink("/proc/self/exe", path, sizeof(path) - 64);
	if (len < 0)
		return -errno;
	path[len] = '\0';
	snprintf(strrchr(path, '/'), 64, "/test_modules/%s.ko", name);
	fd = open(path, O_RDONLY);
	if (fd < 0) {
		snprintf(word, sizeof(word), "modprobe -q %s", name);
		return system(word) ? -ENOENT : 0;
	}
	ret = syscall(__NR_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return ret;
}

/*
 * By default task stacks are not read, and the scan thread does not run: stale words on
 * stacks would hide leaks at random, and scans of the thread would disturb tests that
 * count scans.
 */
void kml_setup(unsigned int needs)
{
	if (geteuid())
		kml_missing("needs root");
	if (access(KML_FILE, F_OK))
		mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	if (access(KML_FILE, F_OK))
		kml_missing("no " KML_FILE ", needs CONFIG_DEBUG_KMEMLEAK");
	if ((needs & KML_NEED_MODULE) && kml_load_module("kmemleak_selftest"))
		kml_missing("no kmemleak_selftest module");
	if (!(needs & KML_NEED_ENABLED))
		return;

	kml_thread_ran = kml_task_exists("kmemleak");
	if (kml_command("scan=off"))
		kml_missing("kmemleak is disabled");
	kml_read_file(KML_PARAM("min_unref_scans"), kml_saved_min_scans,
		      sizeof(kml_saved_min_scans));
	kml_write_file(KML_PARAM("min_unref_scans"), "1");
	if (kml_stat("workers_wanted") > 0)
		snprintf(kml_saved_parallel, sizeof(kml_saved_parallel), "parallel=%ld",
			 kml_stat("workers_wanted"));
	kml_command("stack=off");
	if (needs & KML_NEED_MODULE) {
		kst("reset");
		if (kst_make_pool())
			kml_missing("no memory for the kmemleak_selftest module");
	}
	/* clear leaks that existed before */
	kml_scan();
	kml_scan();
	kml_command("clear");
	kml_owner = getpid();
	atexit(kml_teardown);
}

bool kml_is_stock(void)
{
	return access(KML_STATS, F_OK);
}

bool kml_is_rt(void)
{
	struct utsname name;

	return !uname(&name) && strstr(name.version, "PREEMPT_RT");
}

/* A value of kmemleak_stats, or -1. */
long kml_stat(const char *name)
{
	size_t len = strlen(name);
	char line[200];
	long value = -1;
	FILE *f;

	f = fopen(KML_STATS, "r");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, len) && line[len] == ' ')
			value = atol(line + len);
	if (f)
		fclose(f);
	return value;
}

/* Is @line, with its newline, in the statistics? */
bool kml_stats_has(const char *line)
{
	bool found = false;
	char text[200];
	FILE *f;

	f = fopen(KML_STATS, "r");
	while (f && !found && fgets(text, sizeof(text), f))
		found = !strcmp(text, line);
	if (f)
		fclose(f);
	return found;
}

/* Files, time, CPUs */

int kml_write_file(const char *path, const char *value)
{
	size_t len = strlen(value);
	ssize_t ret;
	int fd;

	fd = open(path, O_WRONLY);
	if (fd < 0)
		return -errno;
	ret = write(fd, value, len);
	if (ret < 0)
		ret = -errno;
	close(fd);
	if (ret < 0)
		return ret;
	return (size_t)ret == len ? 0 : -EIO;
}

int kml_vprint_file(const char *path, const char *fmt, va_list args)
{
	char value[128];
	int len = vsnprintf(value, sizeof(value), fmt, args);

	return len < (int)sizeof(value) ? kml_write_file(path, value) : -E2BIG;
}

/* The beginning of a file, as one read returns it. */
int kml_read_once(const char *path, char *buf, size_t size)
{
	ssize_t len;
	int fd;

	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -errno;
	len = read(fd, buf, size - 1);
	if (len < 0)
		len = -errno;
	close(fd);
	buf[len < 0 ? 0 : len] = '\0';
	return len < 0 ? len : 0;
}

/* The first line of a file. */
int kml_read_file(const char *path, char *buf, size_t size)
{
	int ret = kml_read_once(path, buf, size);

	if (!ret)
		buf[strcspn(buf, "\n")] = '\0';
	return ret;
}

unsigned long long kml_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

void kml_sleep_ms(unsigned int ms)
{
	struct timespec left = {
		.tv_sec = ms / 1000,
		.tv_nsec = ms % 1000 * 1000000L,
	};

	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

int kml_nr_cpus(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN);
}

int kml_pin(int cpu)
{
	cpu_set_t set;
	int i;

	CPU_ZERO(&set);
	if (cpu >= 0)
		CPU_SET(cpu, &set);
	for (i = 0; cpu < 0 && i < kml_nr_cpus(); i++)
		CPU_SET(i, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

/* A task with the name of a kernel thread may be another task. */
bool kml_task_exists(const char *comm)
{
	char path[300], name[64];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	dir = opendir("/proc");
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
		    !kml_read_file(path, name, sizeof(name)))
			found = !strcmp(name, comm);
	}
	closedir(dir);
	return found;
}

/* A task that has ended is in /proc until it is released. */
bool kml_task_ends(const char *comm)
{
	int i;

	for (i = 0; i < 1000 && kml_task_exists(comm); i++)
		kml_sleep_ms(1);
	return i < 1000;
}

/* The kmemleak file */

int kml_command(const char *command)
{
	return kml_write_file(KML_FILE, command);
}

int kml_scan(void)
{
	/* if our module is loaded: clear stale words on the stacks of idle CPUs */
	kst("wipe");
	return kml_command("scan");
}

/* The rest of a file, read in pieces of @chunk bytes. */
char *kml_read_chunks(int fd, size_t chunk, size_t *len)
{
	size_t used = 0, room = 0;
	char *text = NULL;
	ssize_t ret;

	do {
		if (used + chunk + 1 > room) {
			room = 2 * (used + chunk + 1);
			text = realloc(text, room);
			if (!text)
				return NULL;
		}
		ret = read(fd, text + used, chunk);
		if (ret > 0)
			used += ret;
	} while (ret > 0);
	if (ret < 0) {
		free(text);
		return NULL;
	}
	text[used] = '\0';
	*len = used;
	return text;
}

/* The file position, without lseek(), which may change it. */
long long kml_position(int fd)
{
	char path[64], line[64];
	long long pos = -1;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	if (!kml_read_file(path, line, sizeof(line)))
		sscanf(line, "pos: %lld", &pos);
	return pos;
}

/* The report */

/* From an address to a key, and back; never inline, see kmemleak_util.h. */
unsigned long __attribute__((noinline)) kml_scramble(unsigned long value)
{
	return value ^ (unsigned long)0xa5a5a5a5a5a5a5a5ULL;
}

static int kml_parse_entry(struct kml_entry *entry)
{
	const char *line = entry->text + strlen(HEADLINE);
	const char *end = entry->text + entry->len;
	bool in_trace = false;

	if (sscanf(line, " (%15[a-z])", entry->space) == 1)
		line = strchr(line, ')') + 1;
	if (sscanf(line, " 0x%lx (size %zu):", &entry->key, &entry->size) != 2)
		return -EINVAL;
	entry->key = kml_scramble(entry->key);

	while (line < end) {
		sscanf(line, "  comm \"%31[^\"]\", pid %d, jiffies %lu",
		       entry->comm, &entry->pid, &entry->jiffies);
		if (in_trace && !strncmp(line, "    ", 4))
			entry->nr_frames++;
		if (sscanf(line, "  backtrace (crc %x):", &entry->crc) == 1)
			in_trace = true;
		line = strchr(line, '\n');
		if (!line)
			break;
		line++;
	}
	return in_trace ? 0 : -EINVAL;
}

/* Takes over @text. */
int kml_parse(char *text, size_t len, struct kml_report *report)
{
	char *pos = text;
	int room = 0;

	memset(report, 0, sizeof(*report));
	report->text = text;
	report->len = len;
	if (len && strncmp(text, HEADLINE, strlen(HEADLINE)))
		return -EINVAL;

	while (*pos) {
		char *next = strstr(pos + 1, "\n" HEADLINE);
		struct kml_entry *entry;

		if (report->nr == room) {
			room = 2 * room + 64;
			report->entry = realloc(report->entry,
						room * sizeof(*entry));
			if (!report->entry)
				return -ENOMEM;
		}
		entry = &report->entry[report->nr++];
		memset(entry, 0, sizeof(*entry));
		entry->text = pos;
		entry->len = next ? (size_t)(next + 1 - pos) : strlen(pos);
		if (kml_parse_entry(entry))
			return -EINVAL;
		pos += entry->len;
	}
	return 0;
}

static char *kml_read_report(size_t *len)
{
	char *text;
	int fd;

	fd = open(KML_FILE, O_RDONLY);
	if (fd < 0)
		return NULL;
	text = kml_read_chunks(fd, 128 << 10, len);
	close(fd);
	return text;
}

/*
 * Stock may lose an entry if other objects, reported or not, are freed between two reads:
 * read until two reports are the same. On one CPU, whose copies of per-CPU objects are
 * shown; on the last one, which differs most from the others.
 */
int kml_load(struct kml_report *report)
{
	char *text, *last = NULL;
	size_t len = 0;
	int tries;

	kml_pin(kml_nr_cpus() - 1);
	text = kml_read_report(&len);
	for (tries = 0; kml_is_stock() && text && tries < 20; tries++) {
		free(last);
		last = text;
		text = kml_read_report(&len);
		if (text && !strcmp(text, last))
			break;
	}
	free(last);
	kml_pin(-1);
	memset(report, 0, sizeof(*report));
	return text ? kml_parse(text, len, report) : -EIO;
}

void kml_unload(struct kml_report *report)
{
	free(report->entry);
	free(report->text);
	memset(report, 0, sizeof(*report));
}

/* Extended regular expressions; '^' and '$' match at each line. */
bool kml_match(const char *text, const char *regex)
{
	regex_t re;
	bool match;

	if (regcomp(&re, regex, REG_EXTENDED | REG_NEWLINE | REG_NOSUB)) {
		ksft_print_msg("bad regular expression: %s\n", regex);
		return false;
	}
	match = !regexec(&re, text, 0, NULL, 0);
	regfree(&re);
	return match;
}

bool kml_has_frame(const struct kml_entry *entry, const char *function)
{
	char *text = strndup(entry->text, entry->len);
	char frame[128];
	bool found;

	/* the compiler may have renamed it to "function.isra.0" */
	snprintf(frame, sizeof(frame), "^    %s(\\.[a-z0-9.]+)?\\+0x", function);
	found = text && kml_match(text, frame);
	free(text);
	return found;
}

/* The kernel log */

int kml_log_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

/* All messages since then; closes @fd. */
char *kml_log_read(int fd)
{
	size_t used = 0, room = 1 << 16;
	char *log = calloc(1, room);
	char record[8192];
	ssize_t len;

	while (log) {
		char *text, *end;

		len = read(fd, record, sizeof(record) - 1);
		if (len < 0 && errno == EPIPE)
			continue;
		if (len <= 0)
			break;
		record[len] = '\0';
		text = strchr(record, ';');
		if (!text)
			continue;
		text++;
		/* lines after the first one are properties of the record */
		end = strchr(text, '\n');
		if (end)
			end[1] = '\0';
		if (used + strlen(text) + 1 > room) {
			room *= 2;
			log = realloc(log, room);
			if (!log)
				break;
		}
		strcpy(log + used, text);
		used += strlen(text);
	}
	close(fd);
	return log;
}
