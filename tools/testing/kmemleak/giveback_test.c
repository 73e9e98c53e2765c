// SPDX-License-Identifier: GPL-2.0-only
/*
 * Metadata is given back: when a million objects were freed, less than a twentieth of
 * their metadata may remain.
 */
#include "tap.h"
#include "world.h"

#define OBJECTS	1000000UL

static long metadata(void)
{
	struct shim_thread *t;
	long bytes = 0;
	unsigned int i;

	for (i = 0; (t = shim_thread_nth(i)); i++)
		bytes += READ_ONCE(t->mem_bytes);
	return bytes;
}

static void *block(unsigned long i)
{
	/* sizes and places like those of a heap */
	return (void *)(W_GIANT + i / 8 * 4096 + i % 8 * (64 << i / 8 % 4));
}

int main(void)
{
	long before, peak, after;
	struct world_file file;
	unsigned long i;

	world_map();
	world_cpus(2);
	world_boot(NULL);
	if (world_open(&file, "kmemleak", FMODE_READ | FMODE_WRITE))
		return 1;
	world_write(&file, "scan", 4);
	world_quiesce();

	before = metadata();
	for (i = 0; i < OBJECTS; i++)
		kmemleak_alloc(block(i), 32, 1, GFP_KERNEL);
	peak = metadata() - before;
	for (i = 0; i < OBJECTS; i++)
		kmemleak_free(block(i));
	/* the trimmer runs with each scan, and from time to time */
	jiffies += 10 * HZ;
	world_quiesce();
	world_write(&file, "scan", 4);
	world_quiesce();
	after = metadata() - before;

	printf("# %ld bytes at the peak, %ld remain\n", peak, after);
	tap_line("a million objects take memory", peak > 40 * (long)OBJECTS, "");
	tap_line("it is given back", after < peak / 20, "");
	return tap_done();
}
