// SPDX-License-Identifier: GPL-2.0-only
/* The table of reports: when memory is short, and after "clear". */
#include "tap.h"
#include "world.h"
#include "scan.h"

#define LEAKS	2000UL

static struct world_file file;

static ssize_t command(const char *cmd)
{
	return world_command(&file, cmd);
}

static int boot(void)
{
	shim_strict = true;
	world_task(&world_tasks[0]);
	world_boot("on");
	return world_open(&file, "kmemleak", FMODE_READ | FMODE_WRITE);
}

/* Addresses are not in the order of allocation: 7 and LEAKS have no common factor. */
static void *leak(unsigned long i)
{
	return (void *)(W_HEAP + i * 7 % LEAKS * 64);
}

static void leak_all(void)
{
	unsigned long i;

	for (i = 0; i < LEAKS; i++) {
		shim_time_advance(1);
		kmemleak_alloc(leak(i), 64, 1, GFP_KERNEL);
	}
	command("scan");
	shim_time_advance(msecs_to_jiffies(6000));
}

/* Are leaks @from to @to - 1 listed, in this order, and no others? */
static bool lists(unsigned long from, unsigned long to)
{
	ssize_t err;
	char *text = world_slurp(&file, 131072, &err), *at = text;
	unsigned long addr, i;
	bool same = true;

	for (i = from; i < to && same; i++) {
		same = sscanf(at, "unreferenced object 0x%lx", &addr) == 1 &&
		       addr == (unsigned long)leak(i);
		at = strstr(at + 1, "unreferenced") ?: at + strlen(at);
	}
	same = same && !*at;
	if (!same)
		fprintf(stderr, "# leak %lu of %lu to %lu is not next: %.40s\n", i, from, to, at);
	free(text);
	return same;
}

static unsigned int said(const char *what)
{
	char *log = shim_log_take(), *at;
	unsigned int n = 0;

	for (at = log; (at = strstr(at, what)); at++)
		n++;
	free(log);
	return n;
}

/*
 * There is memory for some of the leaks: the oldest are listed, the others later, and
 * none is lost. The write fails with -ENOMEM.
 */
static int short_case(void *arg)
{
	unsigned long got, more;

	TAP_CHECK(!boot(), "boot");
	leak_all();
	shim_mem.fail_above = 32 * LEAKS / 3;
	TAP_CHECK(command("scan") == -ENOMEM, "no error");
	got = world_stat("scan_leaks");
	TAP_CHECK(got >= LEAKS / 8 && got < LEAKS, "%lu of %lu leaks", got, LEAKS);
	TAP_CHECK(lists(0, got), "not the oldest");

	/* the table cannot grow: the rest of its room is used, until it is cleared */
	TAP_CHECK(command("scan") == -ENOMEM, "again");
	more = world_stat("scan_leaks");
	TAP_CHECK(lists(0, got + more), "not the next ones");
	TAP_CHECK(said("No memory to report all leaks") == 1, "not logged once");
	TAP_CHECK(command("clear") == 5 && lists(0, 0), "clear");
	TAP_CHECK(command("scan") == -ENOMEM, "after clear");
	TAP_CHECK(world_stat("scan_leaks") >= LEAKS / 8, "%ld leaks after clear",
		  world_stat("scan_leaks"));
	TAP_CHECK(lists(got + more, got + more + world_stat("scan_leaks")),
		  "not those after the cleared ones");

	/* memory is back */
	shim_mem.fail_above = 0;
	TAP_CHECK(command("scan") == 4, "with memory");
	TAP_CHECK(lists(got + more, LEAKS), "some are lost");
	return 0;
}

/* No memory for a single leak: all are reported when there is memory again. */
static int none_case(void *arg)
{
	TAP_CHECK(!boot(), "boot");
	leak_all();
	shim_mem.fail_above = 1000;
	TAP_CHECK(command("scan") == -ENOMEM && lists(0, 0), "listed without memory");
	shim_mem.fail_above = 0;
	TAP_CHECK(command("scan") == 4 && lists(0, LEAKS), "some are lost");
	return 0;
}

/* Cleared reports are not listed again: after many clears the table must be small. */
static int clear_case(void *arg)
{
	unsigned long word;

	TAP_CHECK(!boot(), "boot");
	leak_all();
	TAP_CHECK(command("scan") == 4, "scan");
	/* referenced again: it may leak once more */
	word = (unsigned long)leak(5);
	memcpy((void *)(W_DATA + 64), &word, sizeof(word));
	TAP_CHECK(command("scan") == 4, "scan");
	TAP_CHECK(command("clear") == 5, "clear");
	mutex_lock(&kml_scan_mutex);
	TAP_CHECK(kml_report_get(0) && !kml_report_get(1), "what is cleared stays in the table");
	mutex_unlock(&kml_scan_mutex);
	memset((void *)(W_DATA + 64), 0, sizeof(word));
	TAP_CHECK(command("scan") == 4 && lists(5, 6), "lost once more");
	return 0;
}

int main(void)
{
	world_map();
	tap_case("memory for a part of the report", short_case, NULL, 60);
	tap_case("memory for no report", none_case, NULL, 60);
	tap_case("cleared reports leave the table", clear_case, NULL, 60);
	return tap_done();
}
