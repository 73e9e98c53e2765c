// SPDX-License-Identifier: GPL-2.0-only
/*
 * What hooks complain of, and how: while the caller holds a console's lock, too.
 */
#include "tap.h"
#include "world.h"

static struct world_file file;

static int boot(void)
{
	shim_strict = true;
	world_task(&world_tasks[0]);
	world_boot("on");
	free(shim_log_take());
	return world_open(&file, "kmemleak", FMODE_READ | FMODE_WRITE);
}

static void *block(unsigned int i)
{
	return (void *)(W_HEAP + i * 256UL);
}

static void overlap(void *ptr, size_t size)
{
	kmemleak_alloc(ptr, size, 1, GFP_ATOMIC);
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

/* All that hooks say, under a lock that a console wants. */
static int console_case(void *arg)
{
	struct vm_struct *vm = block(50);
	unsigned int i;

	TAP_CHECK(!boot(), "boot");
	kmemleak_alloc(block(0), 64, 1, GFP_KERNEL);
	shim_console_held = true;
	kmemleak_free(block(0) + 16);
	kmemleak_no_scan(block(1));
	kmemleak_transient_leak(block(2));
	kmemleak_scan_area(block(3), 8, GFP_ATOMIC);
	kmemleak_scan_area(block(0) + 32, 64, GFP_ATOMIC);
	vm->addr = (void *)W_VMALLOC;
	vm->size = PAGE_SIZE;
	kmemleak_vmalloc(vm, PAGE_SIZE, GFP_ATOMIC);
	i = said("(stack dump)");
	TAP_CHECK(i == 6, "%u of 6 complaints", i);

	/* no memory for an area, then for anything */
	shim_mem.fail_permille = 1000;
	for (i = 1000; i < 100000; i++)
		kmemleak_alloc((void *)(W_HEAP + i * 64UL), 64, 1, GFP_ATOMIC);
	kmemleak_scan_area(block(0), 8, GFP_ATOMIC);
	i = said("No memory for metadata");
	TAP_CHECK(i == 2, "%u of 2 messages", i);
	shim_mem.fail_permille = 0;

	overlap(block(0) + 8, 8);
	TAP_CHECK(said("detector disabled") == 1, "not off");
	return 0;
}

int main(void)
{
	world_map();
	tap_case("messages while a console is locked", console_case, NULL, 60);
	return tap_done();
}
