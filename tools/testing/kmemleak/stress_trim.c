// SPDX-License-Identifier: GPL-2.0-only
/*
 * Insertions against the trimmer: threads insert and remove the only block of two
 * intervals, again and again, while another thread frees empty intervals without a
 * pause. All blocks must be inserted: a table that is freed right after it was made is
 * no lack of memory.
 */
#include "stress.h"
#include "index.h"

/* few threads with one block each, so that tables are often made and freed */
#define THREADS		2
#define TRIMS		(SHIM_TSAN ? 10000 : SHIM_ASAN ? 100000 : 1000000)
#define SIZE		(3 * PAGE_SIZE)

static bool there[THREADS];

/* The end of one interval and the beginning of the next. */
static void *block(unsigned int thread)
{
	return (void *)(W_VMALLOC + (2 * thread + 1) * SZ_2M - PAGE_SIZE);
}

static void step(struct worker *w)
{
	if (there[w->nr])
		kmemleak_free(block(w->nr));
	else
		kmemleak_alloc(block(w->nr), SIZE, 1, GFP_ATOMIC);
	there[w->nr] = !there[w->nr];
}

static int trim_case(void *arg)
{
	struct worker w[THREADS] = { 0 };
	unsigned int i, n = 0;
	char *report, *at;
	u64 ops;

	stress_boot(4);
	stress_start(w, THREADS, step);
	for (i = 0; i < TRIMS; i++) {
		mutex_lock(&kml_scan_mutex);
		kml_interval_trim(i % 2);
		mutex_unlock(&kml_scan_mutex);
	}
	ops = stress_stop(w, THREADS);
	TAP_CHECK(ops > 100, "only %llu steps", ops);
	fprintf(stderr, "# %d trims, %llu frees and allocations\n", TRIMS, ops);

	/* the remaining blocks are tracked, and leaks: nothing refers to them */
	for (i = 0; i < 2; i++)
		TAP_CHECK(stress_scan() == 4, "a scan failed");
	report = stress_report();
	for (at = report; (at = strstr(at, "unreferenced object")); at++)
		n++;
	free(report);
	for (i = 0; i < THREADS; i++)
		n -= there[i];
	TAP_CHECK(!n, "%d more leaks than blocks", (int)n);
	return 0;
}

int main(void)
{
	world_map();
	tap_case("blocks are inserted while tables are freed", trim_case, NULL, 300);
	return tap_done();
}
