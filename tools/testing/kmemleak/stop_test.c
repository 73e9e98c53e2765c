// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scans that are stopped. On random heaps a signal arrives at each point where
 * a scan may sleep, one after the other. Such a scan must change nothing that
 * can be seen: the report stays as it was, and the next whole scan finds what it
 * would have found.
 */
#include "tap.h"
#include "oracle.h"
#include "world.h"

#define SEEDS		24
#define MOST_POLLS	4000

static struct world_file file;

static bool scan_stopped_at(long poll)
{
	bool stopped;

	shim_signal_in = poll;
	world_write(&file, "scan", 4);
	stopped = current->sigpending;
	current->sigpending = 0;
	shim_signal_in = 0;
	world_quiesce();
	return stopped;
}

static char *report(void)
{
	ssize_t err;

	return world_slurp(&file, 65536, &err);
}

/* Lines of @a that @b has not, for the eye. */
static void missing(const char *a, const char *b, char sign)
{
	char line[200];

	while (*a) {
		size_t len = strcspn(a, "\n");

		shim_snprintf(line, sizeof(line), "%.*s\n", (int)min_t(size_t, len, 198), a);
		if (*a != ' ' && !strstr(b, line))
			fprintf(stderr, "# %c %s", sign, line);
		a += len + (a[len] == '\n');
	}
}

static bool same(const char *a, const char *b)
{
	if (!strcmp(a, b))
		return true;
	missing(a, b, '-');
	missing(b, a, '+');
	return false;
}

/* Stop at each poll; every now and then let one scan through. */
static int stop_everywhere(const char *what)
{
	char *want = report(), *got;
	long k;

	for (k = 1; k < MOST_POLLS && scan_stopped_at(k); k++) {
		got = report();
		TAP_CHECK(same(want, got), "%s, stopped at poll %ld", what, k);
		free(got);
		if (k % 16)
			continue;
		TAP_CHECK(!scan_stopped_at(0), "a scan without a signal was stopped");
		got = report();
		TAP_CHECK(same(want, got), "%s, whole scan after %ld", what, k);
		free(got);
	}
	TAP_CHECK(k > 3, "%s: only %ld polls in a scan", what, k);
	free(want);
	return 0;
}

/* Run more of the same program: the oracle follows. */
static int follow(struct prog *p, const char *what)
{
	struct sink out = { .fd = -1 };

	prog_exec(p, &out, EXEC_ORACLE | EXEC_STRICT);
	TAP_CHECK(!strstr(out.buf, "ORACLE:"), "%s:\n%s", what, out.buf);
	free(out.buf);
	prog_free(p);
	return 0;
}

static int stop_case(void *arg)
{
	struct prog p = { 0 };
	unsigned long addr;
	char *text;

	prog_generate(&p, (long)arg, GEN_CALM);
	if (follow(&p, "start"))
		return 1;
	if (world_open(&file, "kmemleak", FMODE_READ | FMODE_WRITE))
		return 1;
	world_task(&world_tasks[0]);
	if (stop_everywhere("steady heap"))
		return 1;

	/* What was reported and is referenced again must not come back. */
	text = report();
	if (sscanf(text, "unreferenced object 0x%lx", &addr) != 1)
		return 0;
	free(text);
	prog_add(&p, OP_STORE, W_DATA + 8, addr, 0);
	prog_add_text(&p, OP_CMD, "scan");
	prog_add(&p, OP_CAT, 0, 0, 0);
	if (follow(&p, "found again"))
		return 1;
	return stop_everywhere("one found again");
}

/* An argument n: only every nth heap. */
int main(int argc, char **argv)
{
	long seed, every = argc > 1 ? atol(argv[1]) : 1;
	char name[80];

	world_map();
	for (seed = 1; seed <= SEEDS; seed += every) {
		shim_snprintf(name, sizeof(name), "stopped scans, heap %ld", seed);
		tap_case(name, stop_case, (void *)seed, 120);
	}
	return tap_done();
}
