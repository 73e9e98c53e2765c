// SPDX-License-Identifier: GPL-2.0-only
/* kmemleak_refs: the words that point to a block, and their owners. */
#include "tap.h"
#include "world.h"

#define BLOCK	(W_HEAP + 0x10000UL)
#define SIZE	192UL

static struct world_file file, refs;
static char *text;

static int boot(void)
{
	shim_strict = true;
	world_task(&world_tasks[0]);
	world_boot("on");
	kmemleak_alloc((void *)BLOCK, SIZE, 1, GFP_KERNEL);
	return world_open(&file, "kmemleak", FMODE_READ | FMODE_WRITE) ?:
	       world_open(&refs, "kmemleak_refs", FMODE_READ | FMODE_WRITE);
}

/* The answer about an address, in @text. */
static ssize_t ask(unsigned long addr)
{
	char line[32];
	ssize_t ret, err;

	snprintf(line, sizeof(line), "0x%lx\n", addr);
	ret = world_write(&refs, line, strlen(line));
	free(text);
	text = world_slurp(&refs, 4096, &err);
	if (err < 0)
		return err;
	return ret < 0 ? ret : 0;
}

static long found(void)
{
	const char *at = strstr(text, " refs=");

	return at ? strtol(at + 6, NULL, 0) : -1;
}

/* Is there a line that begins so? */
static bool line(const char *fmt, ...)
{
	char want[200];
	va_list args;

	want[0] = '\n';
	va_start(args, fmt);
	vsnprintf(want + 1, sizeof(want) - 1, fmt, args);
	va_end(args);
	return strstr(text, want);
}

static void put(unsigned long at, unsigned long value)
{
	memcpy((void *)at, &value, sizeof(value));
}

static int objects_case(void *arg)
{
	unsigned long other = W_HEAP + 0x20000, large = W_HEAP + 0x40000;

	TAP_CHECK(!boot(), "boot");
	TAP_CHECK(!ask(BLOCK) && found() == 0, "%s", text);
	TAP_CHECK(!strncmp(text, "kmemleak_refs 1\naddr=0x", 23), "%s", text);

	kmemleak_alloc((void *)other, 64, 1, GFP_KERNEL);
	kmemleak_alloc((void *)large, 40000, 0, GFP_KERNEL);
	put(other + 56, BLOCK);
	put(large + 32768, BLOCK + SIZE - 1);
	put(large + 8, BLOCK + SIZE);
	put(BLOCK + 8, BLOCK + 16);
	/* by any address in the block; its own words do not count */
	TAP_CHECK(!ask(BLOCK + 100) && found() == 2, "%s", text);
	TAP_CHECK(line("at=0x%lx to=+0x0 kind=object object=0x%lx offset=56 size=64 weak=- ",
		       other + 56, other), "%s", text);
	TAP_CHECK(line("at=0x%lx to=+0xbf kind=object object=0x%lx offset=32768 size=40000 ",
		       large + 32768, large), "%s", text);
	/* unreferenced, and then reported */
	world_command(&file, "scan");
	TAP_CHECK(!ask(BLOCK) && strstr(text, "size=64 weak=- "), "%s", text);
	shim_time_advance(msecs_to_jiffies(6000));
	world_command(&file, "scan");
	TAP_CHECK(!ask(BLOCK) && strstr(text, "size=64 weak=leak "), "%s", text);
	kmemleak_no_scan((void *)large);
	kmemleak_ignore((void *)other);
	TAP_CHECK(!ask(BLOCK) && found() == 2, "%s", text);
	TAP_CHECK(strstr(text, "size=64 weak=ignored") && strstr(text, "size=40000 weak=no_scan"),
		  "%s", text);
	kmemleak_free((void *)large);
	TAP_CHECK(!ask(BLOCK) && found() == 1, "%s", text);
	return 0;
}

static int areas_case(void *arg)
{
	unsigned long other = W_HEAP + 0x20000;

	TAP_CHECK(!boot(), "boot");
	kmemleak_alloc((void *)other, 64, 0, GFP_KERNEL);
	put(other + 8, BLOCK);
	put(other + 24, BLOCK);
	kmemleak_scan_area((void *)(other + 16), 16, GFP_KERNEL);
	TAP_CHECK(!ask(BLOCK) && found() == 2, "%s", text);
	TAP_CHECK(strstr(text, "offset=8 size=64 weak=no_scan") &&
		  strstr(text, "offset=24 size=64 weak=-"), "%s", text);
	return 0;
}

static int roots_case(void *arg)
{
	void __percpu *p = (void __percpu *)(W_PCPU_COOKIE + W_PCPU_STATIC + 64);
	unsigned int cpu = nr_cpu_ids - 1;
	unsigned long at;

	TAP_CHECK(!boot(), "boot");
	put(W_DATA + 72, BLOCK);
	TAP_CHECK(!ask(BLOCK) && found() == 1, "%s", text);
	TAP_CHECK(line("at=0x%lx to=+0x0 kind=symbol name=", W_DATA + 72), "%s", text);
	put(W_DATA + 72, 0);

	kmemleak_alloc_percpu(p, 64, GFP_KERNEL);
	at = (unsigned long)per_cpu_ptr(p, cpu) + 40;
	put(at, BLOCK + 1);
	TAP_CHECK(!ask(BLOCK) && found() == 1, "%s", text);
	TAP_CHECK(line("at=0x%lx to=+0x1 kind=object object=0x%lx cpu=%u size=64 ", at,
		       (unsigned long)p, cpu), "%s", text);
	put(at, 0);

	at = (unsigned long)__per_cpu_start + per_cpu_offset(cpu) + 16;
	put(at, BLOCK);
	TAP_CHECK(!ask(BLOCK) && found() == 1, "%s", text);
	TAP_CHECK(line("at=0x%lx to=+0x0 kind=percpu cpu=%u ", at, cpu), "%s", text);
	put(at, 0);

	return 0;
}

/* A physical block, whose memory then becomes that of a program, without a hook. */
static int phys_case(void *arg)
{
	unsigned long block = W_LOW_START + 4 * PAGE_SIZE, at = block + PAGE_SIZE + 8;
	struct page *page = pfn_to_page(PHYS_PFN(at));

	world_pages(4096);
	TAP_CHECK(!boot(), "boot");
	kmemleak_alloc_phys(block, 2 * PAGE_SIZE, 0);
	put((unsigned long)__va(at), BLOCK + 3);
	TAP_CHECK(!ask(BLOCK) && found() == 1, "%s", text);
	TAP_CHECK(line("at=0x%08lx to=+0x3 kind=phys\n", at), "%s", text);
	/* not reserved any more */
	shim_untracked_pfn = PHYS_PFN(block);
	shim_untracked_nr = 2;
	page->mapping = page;
	TAP_CHECK(!ask(BLOCK) && found() == 0, "%s", text);
	return 0;
}

/* A task that sleeps; with @tracked, its stack is a block, too, as with VMAP_STACK. */
static int stack_case(void *tracked)
{
	struct task_struct *task = &shim_tasks[1];
	unsigned long stack;

	world_cpus(2);
	TAP_CHECK(!boot(), "boot");
	stack = (unsigned long)task_stack_page(task);
	if (tracked)
		kmemleak_alloc((void *)stack, THREAD_SIZE, 0, GFP_KERNEL);
	task->sp = (void *)(stack + THREAD_SIZE - 128);
	put(stack + THREAD_SIZE - 64, BLOCK);
	put(stack + THREAD_SIZE - 256, BLOCK + 1);
	TAP_CHECK(!ask(BLOCK) && found() == 1 + !!tracked, "%s", text);
	TAP_CHECK(line("at=0x%lx to=+0x0 kind=task pid=%d comm=\"%s\" weak=- frame=-",
		       stack + THREAD_SIZE - 64, task_pid_nr(task), task->comm), "%s", text);
	if (tracked)
		TAP_CHECK(line("at=0x%lx to=+0x1 kind=task pid=%d comm=\"%s\" weak=dead frame=-",
			       stack + THREAD_SIZE - 256, task_pid_nr(task), task->comm),
			  "%s", text);
	return 0;
}

/* Pointers to per-CPU blocks are other numbers than addresses of their copies. */
static int percpu_case(void *arg)
{
	void __percpu *p = (void __percpu *)(W_PCPU_COOKIE + W_PCPU_STATIC + 64);

	TAP_CHECK(!boot(), "boot");
	kmemleak_alloc_percpu(p, 64, GFP_KERNEL);
	put(W_DATA + 72, (unsigned long)p + 8);
	put(W_DATA + 80, (unsigned long)per_cpu_ptr(p, 0) + 8);
	TAP_CHECK(!ask((unsigned long)p) && found() == 1, "%s", text);
	TAP_CHECK(strstr(text, " space=percpu size=64 refs=1 more=0\n"), "%s", text);
	TAP_CHECK(line("at=0x%lx to=+0x8 kind=symbol", W_DATA + 72), "%s", text);
	return 0;
}

static int many_case(void *arg)
{
	unsigned long other = W_HEAP + 0x20000, i;

	TAP_CHECK(!boot(), "boot");
	kmemleak_alloc((void *)other, 4096, 0, GFP_KERNEL);
	for (i = 0; i < 300; i++)
		put(other + 8 * i, BLOCK);
	TAP_CHECK(!ask(BLOCK) && strstr(text, " refs=256 more=44\n"), "%s", text);
	return 0;
}

static int errors_case(void *arg)
{
	unsigned long poll;
	int stopped = 0;

	TAP_CHECK(!boot(), "boot");
	TAP_CHECK(ask(BLOCK - 1) == -ENOENT && !strcmp(text, "kmemleak_refs 1\n"), "%s", text);
	TAP_CHECK(world_write(&refs, "what", 4) == -EINVAL, "a word");
	TAP_CHECK(world_write(&refs, "", 0) == -EINVAL, "nothing");
	put(W_DATA + 72, BLOCK);
	for (poll = 1; poll < 2000; poll += 13) {
		shim_signal_in = poll;
		stopped += ask(BLOCK) < 0;
		current->sigpending = 0;
		shim_signal_in = 0;
	}
	TAP_CHECK(stopped, "never stopped");
	TAP_CHECK(!ask(BLOCK) && found() == 1, "%s", text);
	/* a scan afterwards is as before: the file holds nothing */
	put(W_DATA + 72, 0);
	world_command(&file, "scan");
	shim_time_advance(msecs_to_jiffies(6000));
	world_command(&file, "scan");
	TAP_CHECK(world_reported(&file, BLOCK), "the open file is a reference");
	world_command(&file, "off");
	TAP_CHECK(ask(BLOCK) == -EPERM, "off");
	return 0;
}

int main(void)
{
	world_map();
	tap_case("words in objects", objects_case, NULL, 60);
	tap_case("scan areas", areas_case, NULL, 60);
	tap_case("words in roots", roots_case, NULL, 60);
	tap_case("words in physical blocks", phys_case, NULL, 60);
	tap_case("words on a stack", stack_case, NULL, 60);
	tap_case("words on a stack that is a block", stack_case, (void *)1, 60);
	tap_case("per-CPU pointers", percpu_case, NULL, 60);
	tap_case("more words than are listed", many_case, NULL, 60);
	tap_case("errors and signals", errors_case, NULL, 60);
	return tap_done();
}
