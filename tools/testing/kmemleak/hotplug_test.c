// SPDX-License-Identifier: GPL-2.0-only
/* A CPU that goes away waits for some KiB, and one that cannot help gets no memory. */
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "tap.h"
#include "world.h"
#include "scan.h"

#define DECOY	(W_HEAP + 8 * SZ_1M)	/* a leak */

static struct world_file file;

static ssize_t command(const char *cmd)
{
	return world_write(&file, cmd, strlen(cmd));
}

static ssize_t scan(void)
{
	ssize_t ret;

	shim_time_advance(msecs_to_jiffies(6000));
	ret = command("scan");
	shim_rcu_run();
	return ret;
}

static bool reported(unsigned long addr)
{
	char line[60];
	ssize_t err;
	char *text = world_slurp(&file, 65536, &err);
	bool found;

	shim_snprintf(line, sizeof(line), "unreferenced object 0x%08lx ", addr);
	found = strstr(text, line);
	free(text);
	return found;
}

static void begin(unsigned int cpus)
{
	world_cpus(cpus);
	world_task(&world_tasks[0]);
	world_boot("on");
	if (world_open(&file, "kmemleak", FMODE_READ | FMODE_WRITE))
		shim_fatal("no debugfs file");
	kmemleak_alloc((void *)DECOY, 64, 1, GFP_KERNEL);
}

/* A CPU is to go while its helper has a large block in its hands. */
#define BLOCKS		6
#define BLOCK		(8 * SZ_1M)
#define PATIENCE	20		/* seconds: only if it is broken */

static long helper_polls, polls_after;
static int leaving = -1;

static void check_poll(void)
{
	time_t end = time(NULL) + PATIENCE;

	if (READ_ONCE(kml_running.stage) != KML_STAGE_CHECK)
		return;
	if (!(current->flags & PF_KTHREAD)) {
		/* let the helper have one */
		while (READ_ONCE(helper_polls) < 20 && time(NULL) < end)
			usleep(100);
		return;
	}
	if (kthread_should_park())
		polls_after++;
	if (++helper_polls != 20)
		return;
	WRITE_ONCE(leaving, raw_smp_processor_id());
	while (!kthread_should_park() && time(NULL) < end)
		sched_yield();
}

static void *down_main(void *arg)
{
	shim_thread_attach(-1);
	while (READ_ONCE(leaving) < 0)
		sched_yield();
	shim_cpu_down(leaving);
	shim_thread_detach();
	return NULL;
}

static int cpu_case(void *arg)
{
	pthread_t thread;
	unsigned int i;

	begin(2);
	TAP_CHECK(command("parallel=2") == 10, "parallel");
	for (i = 0; i < BLOCKS; i++)
		kmemleak_alloc((void *)(W_VMALLOC + i * SZ_16M), BLOCK, 1, GFP_KERNEL);
	TAP_CHECK(scan() == 4, "scan");
	if (pthread_create(&thread, NULL, down_main, NULL))
		shim_fatal("no thread");
	shim_poll = check_poll;
	TAP_CHECK(scan() == 4, "scan");
	shim_poll = NULL;
	TAP_CHECK(leaving >= 0, "the helper had nothing to do");
	pthread_join(thread, NULL);
	TAP_CHECK(polls_after < 50, "the CPU waited for %ld chunks", polls_after);
	/* all sums are known: who left has left it to others */
	for (i = 0; i < BLOCKS; i++)
		TAP_CHECK(reported(W_VMALLOC + i * SZ_16M), "block %u is not reported", i);
	return 0;
}

/* Memory is for CPUs that help, when they first do; without it the next scan asks again. */
static int isolated_case(void *arg)
{
	world_task(&world_tasks[0]);
	shim_isolated = BIT(3);
	begin(4);
	shim_self()->cpu = 0;
	shim_mem.fail_cache = "kmemleak_worker";
	shim_mem.fail_permille = 1000;
	TAP_CHECK(command("parallel=on") == 11, "parallel");
	shim_kthreads_settle();
	TAP_CHECK(!shim_mem.failed, "%ld workers for nobody yet", shim_mem.failed);
	TAP_CHECK(scan() == 4 && world_stat("scan_workers") == 1, "alone: %ld",
		  world_stat("scan_workers"));
	TAP_CHECK(shim_mem.failed == 2, "%ld workers wanted", shim_mem.failed);
	shim_mem.fail_permille = 0;
	TAP_CHECK(scan() == 4 && world_stat("scan_workers") == 3, "%ld workers after it",
		  world_stat("scan_workers"));
	shim_isolated = 0;
	TAP_CHECK(scan() == 4 && world_stat("scan_workers") == 4, "%ld workers at last",
		  world_stat("scan_workers"));
	TAP_CHECK(reported(DECOY), "a leak was not reported");
	return 0;
}

int main(void)
{
	world_map();
	tap_case("a CPU goes during a large checksum", cpu_case, NULL, 120);
	tap_case("workers for CPUs that can help", isolated_case, NULL, 60);
	return tap_done();
}
