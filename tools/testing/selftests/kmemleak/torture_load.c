// SPDX-License-Identifier: GPL-2.0
/*
 * Torture: the processes that scan, read, and write commands
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "../kselftest.h"
#include "kmemleak_util.h"
#include "torture.h"

#define MAX_SHOWN	4

/* The tags of the module, in the order of its enum kt_class */
static const struct {
	const char *tag, *name;
} classes[TORTURE_NR] = {
	[TORTURE_LIVE]	= { "KTLIVE!!", "live" },
	[TORTURE_MOVED]	= { "KTMOVED!", "moved" },
	[TORTURE_LEAK]	= { "KTLEAK!!", "leak" },
};

int torture_tell(const char *fmt, ...)
{
	va_list args;
	int ret;

	va_start(args, fmt);
	ret = kml_vprint_file(TORTURE_CMD, fmt, args);
	va_end(args);
	return ret;
}

static bool torture_stopped(void)
{
	return __atomic_load_n(&shared->stop, __ATOMIC_RELAXED);
}

void torture_unreported(char *buf, size_t size)
{
	size_t used = 0;
	ssize_t len = 0;
	int fd = open(TORTURE_CMD, O_RDONLY);

	while (fd >= 0 && used < size - 1 && (len = read(fd, buf + used, size - 1 - used)) > 0)
		used += len;
	if (fd >= 0)
		close(fd);
	buf[used] = '\0';
}

/* The number of leaks, from the first line of the module's file */
long torture_planted(void)
{
	char line[64];
	long nr = 0;

	if (!kml_read_file(TORTURE_CMD, line, sizeof(line)))
		sscanf(line, "planted %ld", &nr);
	return nr;
}

/* Scans */

void torture_scan(void)
{
	unsigned long long t0 = kml_now_ms();
	long took;

	if (kml_scan()) {
		shared->bad_commands++;
		return;
	}
	took = kml_now_ms() - t0;
	__sync_fetch_and_add(&shared->scans, 1);
	if (took > shared->scan_max_ms)
		shared->scan_max_ms = took;
}

static void on_alarm(int signal)
{
}

/* A scan that a signal stops, or the wait for another scan. */
static void stopped_scan(unsigned int us)
{
	struct itimerval when = { .it_value.tv_usec = us }, never = {};
	int ret;

	setitimer(ITIMER_REAL, &when, NULL);
	ret = kml_scan();
	setitimer(ITIMER_REAL, &never, NULL);
	if (ret && ret != -EINTR) {
		ksft_print_msg("a stopped scan: %s\n", strerror(-ret));
		shared->bad_commands++;
	}
	__sync_fetch_and_add(&shared->scans_stopped, 1);
}

void torture_scanner(void)
{
	struct sigaction action = { .sa_handler = on_alarm };
	unsigned long long next = kml_now_ms(), now;

	srandom(getpid());
	sigaction(SIGALRM, &action, NULL);
	while (!torture_stopped()) {
		if (random() % 8 == 0)
			stopped_scan(1 + random() % 50000);
		else
			torture_scan();
		next += shared->scan_every_ms;
		while ((now = kml_now_ms()) < next && !torture_stopped())
			kml_sleep_ms(next - now < 100 ? next - now : 100);
		/* a late scan does not make the next one earlier */
		next = now;
	}
}

/* Reports */

/* The object's tag and number, from the first row of its hex dump. */
static bool first_row(const struct kml_entry *entry, char *tag, unsigned long *id)
{
	char *text = strndup(entry->text, entry->len), *row;
	unsigned int byte[16];
	bool found = false;
	int i;

	row = text ? strstr(text, "  hex dump (first 32 bytes") : NULL;
	row = row ? strchr(row, '\n') : NULL;
	if (row && sscanf(row, " %x %x %x %x %x %x %x %x %x %x %x %x %x %x %x %x",
			  &byte[0], &byte[1], &byte[2], &byte[3], &byte[4], &byte[5],
			  &byte[6], &byte[7], &byte[8], &byte[9], &byte[10], &byte[11],
			  &byte[12], &byte[13], &byte[14], &byte[15]) == 16) {
		unsigned long long number = 0;

		for (i = 0; i < 8; i++) {
			tag[i] = byte[i];
			((unsigned char *)&number)[i] = byte[8 + i];
		}
		tag[8] = '\0';
		*id = (unsigned int)number;
		found = true;
	}
	free(text);
	return found;
}

static void note_other(const struct kml_entry *entry)
{
	int i;

	for (i = 0; i < shared->nr_others && i < TORTURE_OTHERS; i++)
		if (shared->others[i] == entry->key)
			return;
	if (shared->nr_others < TORTURE_OTHERS)
		shared->others[shared->nr_others] = entry->key;
	shared->nr_others++;
	if (shared->nr_others <= 8)
		ksft_print_msg("reported, but none of the module's:\n%.*s", (int)entry->len,
			       entry->text);
}

static void judge_entry(const struct kml_entry *entry)
{
	/* numbers that this process has written to the module */
	static unsigned char told[TORTURE_NR][1 << 17];
	unsigned char *byte, bit;
	unsigned long id;
	char tag[9];
	int i;

	if (!first_row(entry, tag, &id)) {
		/* freed or changed while it was printed */
		if (strstr(entry->text, "hex dump"))
			shared->bad_reads++;
		return;
	}
	for (i = 0; i < TORTURE_NR; i++)
		if (!strcmp(tag, classes[i].tag))
			break;
	if (i == TORTURE_NR) {
		/* being freed */
		if (strcmp(tag, "KTDEAD!!"))
			note_other(entry);
		return;
	}
	byte = &told[i][id / 8 % sizeof(told[i])];
	bit = 1 << id % 8;
	if (*byte & bit)
		return;
	*byte |= bit;
	if (torture_tell("%s %lu", classes[i].name, id)) {
		shared->bad_reads++;
		return;
	}
	shared->seen[i]++;
	if (i == TORTURE_LIVE || (i == TORTURE_MOVED && shared->seen[i] <= MAX_SHOWN))
		ksft_print_msg("%s, but reported:\n%.*s", classes[i].name, (int)entry->len,
			       entry->text);
}

void torture_read_and_judge(size_t chunk)
{
	struct kml_report report;
	size_t len;
	char *text;
	int i, fd;

	fd = open(KML_FILE, O_RDONLY);
	text = fd < 0 ? NULL : kml_read_chunks(fd, chunk, &len);
	if (fd >= 0)
		close(fd);
	if (!text) {
		ksft_print_msg("cannot be read by %zu bytes\n", chunk);
		shared->bad_reads++;
		return;
	}
	if (kml_parse(text, len, &report)) {
		ksft_print_msg("read by %zu bytes, cannot be parsed:\n%.2000s\n", chunk, text);
		shared->bad_reads++;
	} else {
		for (i = 0; i < report.nr; i++)
			judge_entry(&report.entry[i]);
	}
	kml_unload(&report);
	shared->reads++;
}

void torture_reader(void)
{
	size_t chunk = 1;

	while (!torture_stopped()) {
		/* all sizes in time; some only once, since they take long */
		torture_read_and_judge(chunk);
		chunk = chunk * 5 % 4999 + 1;
		if (chunk < 16)
			chunk += 65536;
		kml_sleep_ms(30);
	}
}

/* Commands */

static void command(const char *what, int expected)
{
	int ret = kml_command(what);

	shared->commands++;
	if (ret == expected)
		return;
	ksft_print_msg("\"%s\": %s, expected: %s\n", what, strerror(-ret), strerror(-expected));
	shared->bad_commands++;
}

static void toggle_parallel(void)
{
	static const char * const widths[] = {
		"parallel=on", "parallel=off", "parallel=1", "parallel=2", "parallel=3",
	};

	if (kml_is_stock())
		command("parallel=on", -EINVAL);
	else if (shared->toggle_parallel)
		command(widths[random() % ARRAY_SIZE(widths)], 0);
}

/* The filter may be changed at any time: all filters find the same. */
static void toggle_filter(void)
{
	static const char * const names[] = { "auto", "generic", "avx2", "neon" };
	size_t i = random() % ARRAY_SIZE(names);
	int ret;

	if (kml_is_stock())
		return;
	ret = kml_write_file(KML_PARAM("filter"), names[i]);
	shared->commands++;
	/* not all machines have the others */
	if (ret && (i < 2 || ret != -EINVAL))
		shared->bad_commands++;
}

/*
 * Stock must not be told to stop its thread while other tasks scan: it would hold the
 * lock for which the thread waits, and wait for the thread.
 */
static void thread_command(const char *what)
{
	if (!kml_is_stock())
		command(what, 0);
}

/* Before that, the module has to move all references from stacks to other places. */
static void without_stacks(void)
{
	if (torture_tell("stacks 0")) {
		shared->bad_commands++;
		return;
	}
	command("stack=off", 0);
	kml_sleep_ms(1000);
	command("stack=on", 0);
	torture_tell("stacks 1");
}

static void dump_anything(void)
{
	char what[64];
	int ret;

	snprintf(what, sizeof(what), "dump=0x%lx", (unsigned long)random() << (random() % 33));
	ret = kml_command(what);
	shared->commands++;
	if (ret && ret != -EINVAL)
		shared->bad_commands++;
}

static void read_stats(void)
{
	static char buf[8192];
	int fd = open(KML_STATS, O_RDONLY);

	if (fd < 0)
		return;
	if (read(fd, buf, sizeof(buf)) <= 0)
		shared->bad_commands++;
	close(fd);
}

void torture_commander(void)
{
	unsigned int n = 0;

	srandom(getpid());
	while (!torture_stopped()) {
		switch (n++ % 16) {
		case 1:
			thread_command("scan=1");
			break;
		case 4:
			thread_command("scan=off");
			break;
		case 6:
			command("nonsense", -EINVAL);
			break;
		case 7:
			/* in most cases the reader should read it first */
			kml_sleep_ms(200);
			command("clear", 0);
			break;
		case 10:
			thread_command("scan=on\n");
			break;
		case 12:
			thread_command("scan=0");
			break;
		case 13:
			toggle_filter();
			break;
		case 15:
			/* rarely, since parkers need time in between */
			if (n % 128 == 0)
				without_stacks();
			break;
		default:
			if (random() % 2)
				toggle_parallel();
			else
				dump_anything();
			read_stats();
		}
		kml_sleep_ms(100);
	}
	thread_command("scan=off");
}
