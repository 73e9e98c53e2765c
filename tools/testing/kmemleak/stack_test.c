// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stacks of tasks that sleep, or wake up while their stacks are read. KUnit tests
 * threads of the kernel. Here, a case sets the state of a task, and runs complete scans.
 */
#include "tap.h"
#include "world.h"
#include "mark.h"

#define WORDS	(THREAD_SIZE / sizeof(long))
#define LIVE	(WORDS - 20)		/* the stack pointer, in words */

enum { DEAD, LOWEST, TOP, REGS, LOST, NR_OBJECTS };

static struct world_file file;

static unsigned long object(unsigned int i)
{
	return W_HEAP + 4096 + i * 256;
}

static struct task_struct *sleeper(void)
{
	return &shim_tasks[1];
}

static unsigned long *stack(void)
{
	return sleeper()->stack;
}

/* Objects to each of which one part of a sleeping task refers. */
static int start(void)
{
	unsigned int i;

	world_cpus(2);
	world_task(&world_tasks[0]);
	world_boot("on");
	if (world_open(&file, "kmemleak", FMODE_READ | FMODE_WRITE))
		return 1;
	for (i = 0; i < NR_OBJECTS; i++)
		kmemleak_alloc((void *)object(i), 64, 1, GFP_KERNEL);
	stack()[LIVE - 1] = object(DEAD);
	stack()[LIVE] = object(LOWEST);
	stack()[WORDS - 1] = object(TOP);
	sleeper()->regs[1] = object(REGS);
	sleeper()->sp = &stack()[LIVE];
	shim_time_advance(secs_to_jiffies(60));
	return 0;
}

/* Scan, and compare the reported objects with @lost, a bit each. */
static int expect(const char *what, unsigned int lost)
{
	unsigned int i, found = 0;
	char line[64], *text;
	ssize_t err;

	world_write(&file, "scan", 4);
	world_write(&file, "scan", 4);
	text = world_slurp(&file, 65536, &err);
	for (i = 0; i < NR_OBJECTS; i++) {
		shim_snprintf(line, sizeof(line), "unreferenced object 0x%08lx", object(i));
		found |= strstr(text, line) ? 1U << i : 0;
	}
	free(text);
	TAP_CHECK(found == lost, "%s: reported %x, not %x", what, found, lost);
	return 0;
}

static int parts_case(void *arg)
{
	return start() || expect("asleep", BIT(DEAD) | BIT(LOST));
}

static int running_case(void *arg)
{
	if (start())
		return 1;
	sleeper()->on_cpu = 1;
	sleeper()->regs[1] = 0;
	return expect("running", BIT(REGS) | BIT(LOST));
}

static int parameter_case(void *arg)
{
	if (start())
		return 1;
	kml_live_stacks = false;
	sleeper()->regs[1] = 0;
	return expect("live_stacks=0", BIT(REGS) | BIT(LOST));
}

static int off_case(void *arg)
{
	if (start())
		return 1;
	world_write(&file, "stack=off", 9);
	return expect("stack=off", GENMASK(NR_OBJECTS - 1, 0));
}

/* A wrong stack pointer: the whole stack is read. */
static int astray_case(void *arg)
{
	static const struct {
		const char *what;
		long off;
	} all[] = {
		{ "below", -(long)sizeof(long) },
		{ "at the top", THREAD_SIZE },
		{ "between two words", 1 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(all); i++) {
		if (!i && start())
			return 1;
		sleeper()->regs[1] = 0;
		sleeper()->sp = sleeper()->stack + all[i].off;
		if (expect(all[i].what, BIT(REGS) | BIT(LOST)))
			return 1;
	}
	sleeper()->sp = sleeper()->stack;
	return expect("the whole stack is live", BIT(REGS) | BIT(LOST));
}

/* The stack is a tracked block, too, as with VMAP_STACK. */
static int block_case(void *arg)
{
	if (start())
		return 1;
	kmemleak_alloc(sleeper()->stack, THREAD_SIZE, 0, GFP_KERNEL);
	return expect("a block", BIT(DEAD) | BIT(LOST));
}

/* Called for each range, before the range is read: changes the task. */
struct sink {
	struct kml_root_sink sink;	/* must be first */
	unsigned int ranges, at;
	void (*meanwhile)(struct task_struct *task);
	bool whole;
};

static bool sink_range(struct kml_root_sink *sink, const void *start, size_t len)
{
	struct sink *k = container_of(sink, struct sink, sink);

	if (k->ranges++ == k->at)
		k->meanwhile(sleeper());
	k->whole |= start == sleeper()->stack && len == THREAD_SIZE;
	return true;
}

static void wakes(struct task_struct *task)
{
	task->on_cpu = 1;
}

static void runs_voluntarily(struct task_struct *task)
{
	task->nvcsw++;
}

static void runs_and_is_preempted(struct task_struct *task)
{
	task->nivcsw++;
}

static void sleeps_on(struct task_struct *task)
{
}

/* At the first look, the task is counted as switched out, and still on its CPU. */
static void falls_asleep(struct task_struct *task)
{
	task->on_cpu = 0;
}

static int falling_asleep_case(void *arg)
{
	struct sink k = {
		.sink.range = sink_range,
		.meanwhile = falls_asleep,
	};

	sleeper()->sp = &stack()[LIVE];
	sleeper()->on_cpu = 1;
	kml_roots_stack(&k.sink, sleeper());
	TAP_CHECK(k.whole && k.ranges == 1, "taken for one that sleeps: %u ranges", k.ranges);
	return 0;
}

static int woken_case(void *arg)
{
	static const struct {
		const char *what;
		void (*meanwhile)(struct task_struct *task);
		bool whole;
	} all[] = {
		{ "sleeps on", sleeps_on, false },
		{ "wakes", wakes, true },
		{ "runs and sleeps again", runs_voluntarily, true },
		{ "runs and is preempted", runs_and_is_preempted, true },
	};
	unsigned int i, at;

	sleeper()->sp = &stack()[LIVE];
	for (i = 0; i < ARRAY_SIZE(all); i++)
		for (at = 0; at < 2; at++) {
			struct sink k = {
				.sink.range = sink_range,
				.at = at,
				.meanwhile = all[i].meanwhile,
			};

			sleeper()->on_cpu = 0;
			kml_roots_stack(&k.sink, sleeper());
			TAP_CHECK(k.whole == all[i].whole, "%s at range %u", all[i].what, at);
			TAP_CHECK(k.ranges == 2 + k.whole, "%s: %u ranges", all[i].what,
				  k.ranges);
		}
	return 0;
}

static bool sink_full(struct kml_root_sink *sink, const void *start, size_t len)
{
	struct sink *k = container_of(sink, struct sink, sink);

	return k->ranges++ != k->at;
}

/* A sink that stops gets no more ranges, and its caller gets that result. */
static int stopped_case(void *arg)
{
	unsigned int at;

	sleeper()->sp = &stack()[LIVE];
	for (at = 0; at < 2; at++) {
		struct sink k = { .sink.range = sink_full, .at = at };

		TAP_CHECK(!kml_roots_stack(&k.sink, sleeper()), "more ranges after range %u", at);
		TAP_CHECK(k.ranges == at + 1, "%u ranges", k.ranges);
	}
	return 0;
}

int main(void)
{
	world_map();
	tap_case("parts of a stack, and registers", parts_case, NULL, 60);
	tap_case("a task that runs", running_case, NULL, 60);
	tap_case("live_stacks=0", parameter_case, NULL, 60);
	tap_case("stack=off", off_case, NULL, 60);
	tap_case("no stack pointer", astray_case, NULL, 60);
	tap_case("a stack that is a block", block_case, NULL, 60);
	tap_case("a task that falls asleep meanwhile", falling_asleep_case, NULL, 60);
	tap_case("woken meanwhile", woken_case, NULL, 60);
	tap_case("stopped meanwhile", stopped_case, NULL, 60);
	return tap_done();
}
