// SPDX-License-Identifier: GPL-2.0
/*
 * Torture: the kmemleak_torture module makes load, and leaks. Here, several processes
 * write commands of all kinds, read the reports in pieces of any size, and judge them by
 * their text. test_modules/kt.h has the rules and their reasons; the module gives the
 * verdict.
 *
 * From the environment: KMEMLEAK_TORTURE_SECONDS of load (default 30);
 * KMEMLEAK_TORTURE_MODE, serial, parallel or both (default), if there is a choice;
 * KMEMLEAK_TORTURE_SCAN_MS (default 0), the least time between the beginnings of two scans
 * of each of two processes; KMEMLEAK_TORTURE_PARAMS, more parameters for the module.
 *
 * Lines "# figure NAME VALUE" are for tools/kmemleak/torture.sh.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest.h"
#include "kmemleak_util.h"
#include "torture.h"

#define MODULE		"kmemleak_torture"
#define FIGURE		"figure"
#define NR_CHECKS	8
#define MAX_ROUNDS	12
/* rounds: a leak that was white in all of them and not reported was missed */
#define WHITE_ROUNDS	3
/* searches for a word that looks like a reference, until there is one */
#define MAX_SEARCHES	6
#define MAX_LEAKS	4096
#define MAX_DUMPS	16
#define MIN_OVERLAP_MS	4000
/* an operation that runs at the end of the load may take that long */
#define ENDING_MS	60000

struct torture_shared *shared;

/* The number of kmemleak's objects, and its memory */
struct baseline {
	long objects, bytes;
};

static const char *mode;
static int seconds = 30;

/* The number of objects of stock */
static long slab_objects(void)
{
	FILE *f = fopen("/proc/slabinfo", "r");
	char line[256];
	long value = -1;

	while (f && value < 0 && fgets(line, sizeof(line), f))
		sscanf(line, "kmemleak_object %ld", &value);
	if (f)
		fclose(f);
	return value;
}

static struct baseline measure(void)
{
	struct baseline now = { -1, -1 };

	if (kml_is_stock()) {
		now.objects = slab_objects();
		return now;
	}
	now.objects = kml_stat("objects");
	now.bytes = kml_stat("metadata_bytes");
	return now;
}

/*
 * Only the kernel has work besides the test: its caches may have grown, and its blocks
 * be in more intervals, each of which has tables. The number of intervals is limited by
 * memory.
 */
static bool back_at(struct baseline before, struct baseline now)
{
	long places = sysconf(_SC_PHYS_PAGES) * (sysconf(_SC_PAGESIZE) / 1024);

	return now.objects <= before.objects + before.objects / 20 + 500 &&
	       now.bytes <= before.bytes + before.bytes / 8 + places;
}

/*
 * Live objects have two references for much longer than a scan takes now, since a scan
 * takes longer under load.
 */
static int load_module(long scan_ms)
{
	char path[4096], params[512];
	const char *more = getenv("KMEMLEAK_TORTURE_PARAMS");
	long overlap = 20 * scan_ms;
	ssize_t len;
	int fd, ret;

	if (overlap < MIN_OVERLAP_MS)
		overlap = MIN_OVERLAP_MS;
	snprintf(params, sizeof(params), "overlap_ms=%ld %s", overlap, more ?: "");
	ksft_print_msg("%s\n", params);
	len = readlink("/proc/self/exe", path, sizeof(path) - 64);
	if (len < 0)
		return -errno;
	path[len] = '\0';
	strcpy(strrchr(path, '/'), "/test_modules/" MODULE ".ko");
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -errno;
	ret = syscall(__NR_finit_module, fd, params, 0) ? -errno : 0;
	close(fd);
	return ret;
}

/* The log */

/*
 * Read the log to its end: the sum of new leaks, and the verdict of the module if it is
 * there.
 */
struct log {
	int fd;
	long new_leaks;
	char verdict[128], stats[2048];
};

static void read_log(struct log *log)
{
	char record[8192];
	ssize_t len;
	long n;

	while ((len = read(log->fd, record, sizeof(record) - 1)) > 0 || errno == EPIPE) {
		char *text;

		if (len <= 0)
			continue;
		record[len] = '\0';
		text = strchr(record, ';');
		if (!text)
			continue;
		text[1 + strcspn(text + 1, "\n")] = '\0';
		text++;
		if (sscanf(text, "kmemleak: %ld new suspected memory leaks", &n) == 1)
			log->new_leaks += n;
		else if (!strncmp(text, "kmemleak-torture: --- End of test:", 34))
			snprintf(log->verdict, sizeof(log->verdict), "%s", text);
		else if (!strncmp(text, "kmemleak-torture: end: ", 23))
			snprintf(log->stats, sizeof(log->stats), "%s", text + 23);
	}
}

/* Leaks that were not reported, by their states in kmemleak */

struct leftovers {
	long hidden, missed, left, bare;
	char which[1024];
};

/* The module's list of these leaks */
static char unreported[MAX_LEAKS * 48];

static void ask_about(unsigned long key, int id, const char *kind, int *white)
{
	switch (kst_opinion(key, !strcmp(kind, "percpu"))) {
	case KST_GREY:
		/* only a reported leak is cleared, before it was read */
		torture_tell("leak %d", id);
		break;
	case KST_REFERENCED:
		white[id] = 0;
		break;
	case KST_UNKNOWN:
		ksft_print_msg("no answer about leak %d (%s)\n", id, kind);
		white[id]++;
		break;
	case KST_WHITE:
		white[id]++;
	}
}

/* The leaks that were not reported so far, by their states. */
static struct leftovers count_leftovers(const int *white)
{
	struct leftovers left = {};
	char *line, *rest = unreported;
	char kind[16], seen[16];
	unsigned long key;
	int id;

	torture_unreported(unreported, sizeof(unreported));
	while ((line = strsep(&rest, "\n"))) {
		if (sscanf(line, "0x%lx %d %15s %15s", &key, &id, kind, seen) != 4 ||
		    id >= MAX_LEAKS)
			continue;
		left.left++;
		if (white[id] >= WHITE_ROUNDS)
			left.missed++;
		else
			left.hidden++;
		/*
		 * Per-CPU pointers equal other addresses: on arm64 those of the
		 * first CPU's idle stack, which is part of the kernel's data. It
		 * refers to itself, in different words each time.
		 */
		left.bare += white[id] < WHITE_ROUNDS && !strcmp(seen, "bare") &&
			     strcmp(kind, "percpu");
		snprintf(left.which + strlen(left.which), sizeof(left.which) - strlen(left.which),
			 " %d:%s%s", id, kind, white[id] >= WHITE_ROUNDS ? ":MISSED" : "");
	}
	return left;
}

/* Called once after each scan: @white counts scans. */
static struct leftovers ask_about_leaks(int *white)
{
	char *line, *rest = unreported;
	unsigned long key;
	char kind[16];
	int id;

	torture_unreported(unreported, sizeof(unreported));
	while ((line = strsep(&rest, "\n")))
		if (sscanf(line, "0x%lx %d %15s", &key, &id, kind) == 3 && id < MAX_LEAKS)
			ask_about(key, id, kind, white);
	return count_leftovers(white);
}

/* Tell the module the bounds of the kernel's data, which it cannot know. */
static void tell_image(void)
{
	unsigned long at, from = 0, to = 0;
	FILE *f = fopen("/proc/kallsyms", "r");
	char line[512], name[256];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx %*c %255s", &at, name) != 2)
			continue;
		if (!strcmp(name, "_sdata"))
			from = at;
		else if (!strcmp(name, "__bss_stop"))
			to = at;
	}
	if (f)
		fclose(f);
	if (!from || from >= to)
		return;
	torture_tell("image_from 0x%lx", from);
	torture_tell("image_to 0x%lx", to);
}

/* Log words that look like references, and their owners. */
static void find_references(void)
{
	int fd = kml_log_open(), n = 0;
	char command[64], *log, *at;
	unsigned long where;

	torture_tell("find");
	log = kml_log_read(fd);
	at = log;
	while (at && n < MAX_DUMPS && (at = strstr(at, "a word at 0x"))) {
		int len = 0;

		at += strlen("a word at ");
		if (sscanf(at, "0x%lx (slab%n", &where, &len) != 1 || !len)
			continue;
		snprintf(command, sizeof(command), "dump=0x%lx", where);
		kml_command(command);
		n++;
	}
	free(log);
}

/*
 * The load has ended, and live objects stay in their places. Scan without stacks, which
 * have many stale words, and several times, since stale words in other places may
 * disappear.
 */
static struct leftovers judge(void)
{
	static int white[MAX_LEAKS];
	struct leftovers left = {};
	int round, same = 0;

	/* first: scans may not end under load */
	if (torture_tell("stop"))
		ksft_print_msg("the module does not stop\n");
	kml_command("scan=off");
	kml_command("stack=off");
	kml_sleep_ms(KML_AGE_MS);
	kml_scan();
	for (round = 0; round < MAX_ROUNDS; round++) {
		long last = left.left;

		torture_scan();
		torture_read_and_judge(4096);
		left = ask_about_leaks(white);
		if (!left.left)
			break;
		same = left.left == last ? same + 1 : 0;
		/* no change in four rounds, and the state of each leak is certain */
		if (same >= WHITE_ROUNDS + 1 && round > 2 * WHITE_ROUNDS)
			break;
	}
	ksft_print_msg("%d rounds of scans in the end; not reported:%s\n", round + 1,
		       left.left ? left.which : " none");
	/*
	 * kmemleak has found references to the remaining leaks. Search for these. Such a
	 * word may have disappeared when it is searched for, but not each time.
	 */
	if (!left.left)
		return left;
	tell_image();
	find_references();
	left = count_leftovers(white);
	for (round = 1; left.bare && round < MAX_SEARCHES; round++) {
		torture_scan();
		torture_read_and_judge(4096);
		ask_about_leaks(white);
		find_references();
		left = count_leftovers(white);
	}
	ksft_print_msg("%ld not reported, %ld of them without a word that looks like a reference\n",
		       left.left, left.bare);
	return left;
}

/*
 * The log counts each reported object once. Objects that were not read were freed or
 * cleared before: they were alive.
 */
static long unseen(const struct log *log, long unreported)
{
	long seen = torture_planted() - unreported + shared->nr_others +
		    shared->seen[TORTURE_LIVE] + shared->seen[TORTURE_MOVED];

	return log->new_leaks > seen ? log->new_leaks - seen : 0;
}

/* Load */

static pid_t spawn(void (*what)(void))
{
	pid_t pid = fork();

	if (!pid) {
		what();
		_exit(0);
	}
	return pid;
}

/* Return: the number of processes that have failed. */
static int run_load(struct log *log)
{
	unsigned long long end = kml_now_ms() + seconds * 1000ULL, limit;
	pid_t pids[TORTURE_PROCESSES];
	int i, status, bad = 0;

	pids[0] = spawn(torture_scanner);
	pids[1] = spawn(torture_scanner);
	pids[2] = spawn(torture_reader);
	pids[3] = spawn(torture_commander);
	while (kml_now_ms() < end) {
		kml_sleep_ms(500);
		read_log(log);
	}
	__atomic_store_n(&shared->stop, true, __ATOMIC_RELAXED);
	limit = kml_now_ms() + ENDING_MS;
	for (i = 0; i < TORTURE_PROCESSES; i++) {
		while (waitpid(pids[i], &status, WNOHANG) == 0 && kml_now_ms() < limit)
			kml_sleep_ms(100);
		if (waitpid(pids[i], &status, WNOHANG) == 0) {
			ksft_print_msg("process %d does not end\n", i);
			kill(pids[i], SIGKILL);
			bad++;
		} else if (status) {
			bad += WIFSIGNALED(status) || WEXITSTATUS(status);
		}
	}
	return bad;
}

static void set_mode(void)
{
	if (kml_is_stock())
		return;
	if (!strcmp(mode, "serial"))
		kml_command("parallel=off");
	else
		kml_command("parallel=on");
}

static void figure(const char *name, long value)
{
	ksft_print_msg(FIGURE " %s %ld\n", name, value);
}

/* Figures of the module, "name value name value ..." */
static void module_figures(char *stats)
{
	char *name, *value;

	while ((name = strsep(&stats, " ")) && (value = strsep(&stats, " ")))
		if (strlen(name))
			ksft_print_msg(FIGURE " %s %s\n", name, value);
}

static void setup(void)
{
	const char *s = getenv("KMEMLEAK_TORTURE_SECONDS");
	const char *every = getenv("KMEMLEAK_TORTURE_SCAN_MS");
	long scan_every_ms = every ? strtol(every, NULL, 10) : 0;

	ksft_print_header();
	if (s)
		seconds = atoi(s);
	if (seconds < 1 || seconds > 86400)
		ksft_exit_fail_msg("KMEMLEAK_TORTURE_SECONDS=%s: use 1 to 86400\n", s);
	if (scan_every_ms < 0 || scan_every_ms > 3600000)
		ksft_exit_fail_msg("KMEMLEAK_TORTURE_SCAN_MS=%s: use 0 to 3600000\n", every);
	mode = getenv("KMEMLEAK_TORTURE_MODE") ?: "both";
	if (strcmp(mode, "serial") && strcmp(mode, "parallel") && strcmp(mode, "both"))
		ksft_exit_fail_msg("KMEMLEAK_TORTURE_MODE=%s: use serial, parallel or both\n",
				   mode);
	if (geteuid())
		ksft_exit_skip("needs root\n");
	if (access(KML_FILE, F_OK))
		ksft_exit_skip("no " KML_FILE "\n");
	if (kml_command("scan=off"))
		ksft_exit_skip("kmemleak is disabled\n");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		ksft_exit_fail_msg("no memory\n");
	shared->toggle_parallel = !strcmp(mode, "both");
	shared->scan_every_ms = scan_every_ms;
}

int main(void)
{
	struct baseline before, after;
	struct log log = {};
	struct leftovers left;
	long scan_ms = 0;
	int bad, ret, i;

	setup();
	ksft_set_plan(NR_CHECKS);
	set_mode();
	/* clear leaks that existed before */
	for (i = 0; i < 3; i++) {
		unsigned long long t0 = kml_now_ms();

		kml_scan();
		scan_ms = kml_now_ms() - t0;
	}
	kml_sleep_ms(KML_AGE_MS);
	kml_scan();
	kml_command("clear");
	before = measure();
	log.fd = kml_log_open();

	ret = load_module(scan_ms);
	ksft_test_result(!ret, "the module loads\n");
	if (ret)
		ksft_exit_fail_msg(MODULE ".ko: %s\n", strerror(-ret));
	bad = run_load(&log);
	set_mode();
	left = judge();
	read_log(&log);

	torture_tell("scans %ld", shared->scans);
	torture_tell("hidden %ld", left.hidden);
	torture_tell("missed %ld", left.missed);
	torture_tell("bare %ld", left.bare);
	torture_tell("unseen %ld", unseen(&log, left.left));
	torture_tell("others %ld", shared->nr_others);
	torture_tell("judged");
	ret = syscall(__NR_delete_module, MODULE, 0) ? -errno : 0;
	read_log(&log);

	ksft_test_result(!ret, "the module unloads\n");
	ksft_test_result(!bad, "every process has ended by itself\n");
	ksft_test_result(shared->scans > 0 && shared->reads > 0,
			 "it was scanned and read under load\n");
	ksft_test_result(!shared->bad_reads, "every report was well-formed\n");
	ksft_test_result(!shared->bad_commands, "every command was answered as it should be\n");
	ksft_test_result(!!strstr(log.verdict, "SUCCESS"), "the module's verdict: %s\n",
			 log.verdict[0] ? log.verdict : "none");

	/* some frees are delayed for seconds by design */
	kml_command("stack=on");
	for (i = 0; i < 30; i++) {
		kml_write_file("/proc/sys/vm/drop_caches", "3");
		kml_scan();
		after = measure();
		if (back_at(before, after))
			break;
		kml_sleep_ms(1000);
	}
	ksft_print_msg("objects %ld, then %ld; bytes of metadata %ld, then %ld\n",
		       before.objects, after.objects, before.bytes, after.bytes);
	ksft_test_result(back_at(before, after), "metadata is back to what it was\n");

	figure("seconds", seconds);
	figure("stuck", bad);
	figure("scans", shared->scans);
	figure("scans_stopped", shared->scans_stopped);
	figure("scan_max_ms", shared->scan_max_ms);
	figure("reads", shared->reads);
	figure("commands", shared->commands);
	figure("live_reported", shared->seen[TORTURE_LIVE]);
	figure("others_reported", shared->nr_others);
	figure("leaks_hidden", left.hidden);
	figure("leaks_missed", left.missed);
	figure("leaks_bare", left.bare);
	figure("new_leaks_logged", log.new_leaks);
	module_figures(log.stats);
	ksft_finished();
}
