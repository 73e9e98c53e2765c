// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocks that are allocated during a scan. In each mark of a scan, the only reference
 * to an old object moves into such a block, at any point where the scan may sleep: the
 * object must not be reported. And a scan ends, although a block is allocated at each
 * such point.
 */
#include "tap.h"
#include "world.h"

#define VICTIM		W_HEAP
#define LEAKS		(W_HEAP + SZ_1M)
#define BORN		(W_HEAP + SZ_64M)
#define RING		512		/* blocks alive at a time */
#define CELL		((unsigned long *)W_DATA)

static struct world_file file;
static long polls, move_at[2];
static unsigned int born;
static unsigned long *holds;	/* the word that points to the victim */

/* Move the reference to a new block, to which a section refers. */
static void move(void)
{
	unsigned long *block = (void *)(BORN + born * PAGE_SIZE);

	born = (born + 1) % 64;
	kmemleak_alloc(block, 512, 1, GFP_KERNEL);
	WRITE_ONCE(CELL[8], (unsigned long)block);
	WRITE_ONCE(block[3], VICTIM + 8);
	WRITE_ONCE(*holds, 0);
	if (holds != CELL)
		kmemleak_free((void *)((unsigned long)holds & PAGE_MASK));
	holds = &block[3];
}

static void poll_and_move(void)
{
	/* only at polls of the initiator */
	if (current->flags & PF_KTHREAD)
		return;
	polls++;
	if (polls == move_at[0] || polls == move_at[1])
		move();
}

static ssize_t scan(void)
{
	ssize_t ret;

	shim_time_advance(msecs_to_jiffies(6000));
	polls = 0;
	ret = world_write(&file, "scan", 4);
	world_quiesce();
	return ret;
}

static bool reported(unsigned long addr)
{
	char line[60];
	bool found;
	ssize_t err;
	char *text = world_slurp(&file, 65536, &err);

	shim_snprintf(line, sizeof(line), "unreferenced object 0x%08lx", addr);
	found = strstr(text, line);
	free(text);
	return found;
}

static void boot(void)
{
	unsigned int i;

	world_task(&world_tasks[0]);
	world_boot("on");
	if (world_open(&file, "kmemleak", FMODE_READ | FMODE_WRITE))
		shim_fatal("no debugfs file");
	/* Objects to scan, so that there are polls. */
	for (i = 0; i < 40; i++)
		kmemleak_alloc((void *)(W_HEAP + SZ_16M + i * PAGE_SIZE), 256, 0, GFP_KERNEL);
	kmemleak_alloc((void *)VICTIM, 128, 1, GFP_KERNEL);
	*CELL = VICTIM;
	holds = CELL;
	scan();
}

/* Remove the new block, and add a leak, so that the scan confirms. */
static void next_round(unsigned int i)
{
	*CELL = VICTIM;
	if (holds != CELL) {
		*holds = 0;
		kmemleak_free((void *)((unsigned long)holds & PAGE_MASK));
	}
	holds = CELL;
	born = 0;
	kmemleak_alloc((void *)(LEAKS + i * 64), 64, 1, GFP_KERNEL);
	move_at[0] = 0;
	move_at[1] = 0;
	scan();
}

static int move_case(void *arg)
{
	unsigned int i, rounds = 0;
	long all, first, second;

	boot();
	shim_poll = poll_and_move;
	next_round(rounds++);
	scan();
	all = polls;
	TAP_CHECK(all > 20, "only %ld polls", all);
	for (i = 0; i < 600; i++) {
		next_round(rounds++);
		first = 1 + i * 7 % all;
		second = 1 + (i * 13 + all / 2) % all;
		move_at[0] = first;
		move_at[1] = second;
		TAP_CHECK(scan() == 4, "scan failed");
		TAP_CHECK(!reported(VICTIM), "moved at polls %ld and %ld of %ld", first,
			  second, all);
		TAP_CHECK(reported(LEAKS + (rounds - 1) * 64), "leak %u missed", rounds);
	}
	/* Both marks, from their first polls on. */
	for (first = 1; first <= all / 2; first++) {
		next_round(rounds++);
		move_at[0] = first;
		move_at[1] = first + all / 2;
		scan();
		TAP_CHECK(!reported(VICTIM), "moved at polls %ld and %ld of %ld", first,
			  move_at[1], all);
	}
	shim_poll = NULL;
	return 0;
}

static unsigned long chain;

/*
 * Allocate a block to which the block before refers, and free the oldest. A section
 * refers to the first. A mark that followed them would not end.
 */
static void give_birth(void)
{
	unsigned long *block = (void *)(BORN + SZ_1M + chain % RING * PAGE_SIZE);

	if (chain == 100 * RING || current->flags & PF_KTHREAD)
		return;
	if (chain >= RING)
		kmemleak_free(block);
	kmemleak_alloc(block, PAGE_SIZE, 1, GFP_KERNEL);
	chain++;
	WRITE_ONCE(block[0], BORN + SZ_1M + chain % RING * PAGE_SIZE);
}

static int ends_case(void *arg)
{
	unsigned long before;
	unsigned int scans = 0;

	boot();
	WRITE_ONCE(CELL[9], BORN + SZ_1M);
	shim_poll = give_birth;
	/* Blocks are allocated at one thread's polls: few if helpers do all the work. */
	do {
		before = chain;
		TAP_CHECK(scan() == 4, "scan failed");
		TAP_CHECK(chain - before < 5 * RING, "the scan went on for %lu births",
			  chain - before);
	} while (chain <= 100 && ++scans < 100);
	shim_poll = NULL;
	TAP_CHECK(chain > 100, "only %lu births in %u scans", chain, scans);
	return 0;
}

int main(void)
{
	world_map();
	tap_case("a reference moves into new blocks", move_case, NULL, 120);
	tap_case("a scan ends while blocks are allocated", ends_case, NULL, 60);
	return tap_done();
}
