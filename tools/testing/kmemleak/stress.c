// SPDX-License-Identifier: GPL-2.0-only
/* The part that stress programs share: threads, their seeds, and scans. */
#include "stress.h"
#include "kmemleak.h"

bool stress_over;
static bool stress_pause;
static struct worker *stress_workers;
static unsigned int stress_nr;
struct world_file stress_file;

u64 stress_rnd(struct worker *w)
{
	w->rnd ^= w->rnd << 13;
	w->rnd ^= w->rnd >> 7;
	return w->rnd ^= w->rnd << 17;
}

/* The same for the same seed. */
u64 stress_rnd_seed(u64 seed)
{
	struct worker w = { .rnd = (seed + 1) * 0x9e3779b97f4a7c15ULL };

	return stress_rnd(&w);
}

static void *stress_main(void *arg)
{
	struct worker *w = arg;

	shim_thread_attach(w->cpu);
	while (!READ_ONCE(stress_over)) {
		if (unlikely(smp_load_acquire(&stress_pause))) {
			smp_store_release(&w->parked, true);
			while (smp_load_acquire(&stress_pause))
				cpu_relax();
			smp_store_release(&w->parked, false);
		}
		w->step(w);
		w->ops++;
	}
	smp_store_release(&w->parked, true);
	shim_thread_detach();
	return NULL;
}

void stress_boot(unsigned int cpus)
{
	world_cpus(cpus);
	world_task(&world_tasks[0]);
	shim_strict = true;
	world_boot("on");
	shim_rcu_thread(true);
	if (world_open(&stress_file, "kmemleak", FMODE_READ | FMODE_WRITE))
		shim_fatal("no debugfs file");
}

void stress_start(struct worker *w, unsigned int nr, void (*step)(struct worker *w))
{
	unsigned int i;

	stress_workers = w;
	stress_nr = nr;
	for (i = 0; i < nr; i++) {
		w[i].nr = i;
		w[i].cpu = i % shim_nr_cpus;
		w[i].rnd = 88172645463325252ULL + i * 7919;
		w[i].step = step;
		if (pthread_create(&w[i].thread, NULL, stress_main, &w[i]))
			shim_fatal("no thread");
	}
}

u64 stress_stop(struct worker *w, unsigned int nr)
{
	unsigned int i;
	u64 ops = 0;

	WRITE_ONCE(stress_over, true);
	for (i = 0; i < nr; i++) {
		pthread_join(w[i].thread, NULL);
		ops += w[i].ops;
	}
	stress_nr = 0;
	shim_rcu_thread(false);
	return ops;
}

/*
 * Advance the clock by six seconds, between two steps of each thread. A thread must not
 * be in a hook meanwhile: the block that it registers would be old before its owner has
 * stored a reference to it.
 */
static void stress_age(void)
{
	unsigned int i;

	smp_store_release(&stress_pause, true);
	for (i = 0; i < stress_nr; i++)
		while (!smp_load_acquire(&stress_workers[i].parked))
			cpu_relax();
	shim_time_advance(msecs_to_jiffies(6000));
	smp_store_release(&stress_pause, false);
	/* Wait until all threads have left this pause. */
	for (i = 0; i < stress_nr; i++)
		while (smp_load_acquire(&stress_workers[i].parked))
			cpu_relax();
}

ssize_t stress_scan(void)
{
	ssize_t n;

	stress_age();
	n = world_write(&stress_file, "scan", 4);
	shim_work_run();
	free(shim_log_take());
	if (kml_count_sum(KML_C_RESERVED) || kml_count_sum(KML_C_LOST)) {
		fprintf(stderr, "# a block went into the reserve\n");
		return -1;
	}
	return n;
}

char *stress_report(void)
{
	ssize_t err;

	return world_slurp(&stress_file, 65536, &err);
}
