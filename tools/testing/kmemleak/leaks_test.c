// SPDX-License-Identifier: GPL-2.0-only
/* kmemleak_leaks and kmemleak_stacks: heads, what these retain, and the text. */
#include "tap.h"
#include "world.h"

#define SIZE	256UL			/* of a leak, in bytes */
#define WORDS	(SIZE / sizeof(long))
#define MANY	300000UL

static struct world_file file, leaks, stacks;

static ssize_t command(const char *cmd)
{
	return world_command(&file, cmd);
}

static int boot(void)
{
	shim_strict = true;
	world_task(&world_tasks[0]);
	world_boot("on");
	return world_open(&file, "kmemleak", FMODE_READ | FMODE_WRITE) ?:
	       world_open(&leaks, "kmemleak_leaks", FMODE_READ) ?:
	       world_open(&stacks, "kmemleak_stacks", FMODE_READ);
}

/* Leak i is allocated as the i-th one; 7 and 10007 have no common factor. */
static unsigned long leak(unsigned long i)
{
	return W_HEAP + i * 7 % 10007 * SIZE;
}

static void plant(unsigned long nr)
{
	unsigned long i;

	for (i = 0; i < nr; i++) {
		shim_time_advance(1);
		memset((void *)leak(i), 0, SIZE);
		kmemleak_alloc((void *)leak(i), SIZE, 1, GFP_KERNEL);
	}
}

/* Let word @word of a leak point into another. */
static void point(unsigned long from, unsigned int word, unsigned long to)
{
	((unsigned long *)leak(from))[word] = leak(to) + to % SIZE;
}

static bool find_all(void)
{
	command("scan");
	shim_time_advance(msecs_to_jiffies(6000));
	return command("scan") == 4;
}

/* A line of kmemleak_leaks. */
struct line {
	unsigned long addr, size, head, blocks, bytes;
	unsigned int scan, generation, stack;
	char rest[400];
};

static struct line *lines;
static unsigned long nr_lines;

static unsigned long value(const char *line, const char *key)
{
	const char *at = strstr(line, key);

	return at ? strtoul(at + strlen(key), NULL, 0) : 0;
}

static bool read_leaks(size_t chunk)
{
	ssize_t err;
	char *text = world_slurp(&leaks, chunk, &err), *at = text, *end;
	static const char first[] = "kmemleak_leaks 1\n";
	bool good = !strncmp(text, first, strlen(first));

	nr_lines = 0;
	for (at += strlen(first); good && *at; at = end + 1) {
		struct line *l;

		end = strchr(at, '\n');
		*end = '\0';
		lines = realloc(lines, (nr_lines + 1) * sizeof(*lines));
		l = &lines[nr_lines++];
		*l = (struct line){
			.addr = value(at, "addr="),
			.size = value(at, " size="),
			.head = value(at, " head="),
			.blocks = value(at, " retains="),
			.bytes = value(at, " retained_bytes="),
			.scan = value(at, " scan="),
			.generation = value(at, " generation="),
			.stack = value(at, " stack="),
		};
		snprintf(l->rest, sizeof(l->rest), "%s", at);
	}
	free(text);
	if (err < 0)
		fprintf(stderr, "# read: %zd\n", err);
	return good && err >= 0;
}

/* Are there so many leaks, and has leak @head @blocks of these? 0: it is no head. */
static bool retains(unsigned long nr, unsigned long head, unsigned long blocks)
{
	unsigned long i, of = 0;

	if (nr_lines != nr)
		fprintf(stderr, "# %lu lines, not %lu\n", nr_lines, nr);
	for (i = 0; i < nr_lines; i++) {
		of += lines[i].head == leak(head);
		if (lines[i].addr != leak(head))
			continue;
		if (lines[i].blocks != blocks || lines[i].bytes != blocks * SIZE ||
		    (blocks ? lines[i].head != leak(head) : lines[i].head == leak(head))) {
			fprintf(stderr, "# leak %lu: %s\n", head, lines[i].rest);
			return false;
		}
	}
	if (of != blocks)
		fprintf(stderr, "# %lu leaks have head %lu\n", of, head);
	return nr_lines == nr && of == blocks;
}

static int list_case(void *arg)
{
	unsigned long i, nr = 1000;

	TAP_CHECK(!boot(), "boot");
	plant(nr);
	/* the last one allocated comes first */
	for (i = 1; i < nr; i++)
		point(i, WORDS - 1, i - 1);
	TAP_CHECK(find_all(), "scan");
	TAP_CHECK(read_leaks(100) && retains(nr, nr - 1, nr), "a list");
	/* a part is freed: what came after it has a head of its own */
	kmemleak_free((void *)leak(400));
	TAP_CHECK(find_all() && read_leaks(4096), "scan");
	TAP_CHECK(retains(nr - 1, nr - 1, nr - 401) && retains(nr - 1, 399, 400), "two lists");
	return 0;
}

static int cycle_case(void *arg)
{
	unsigned long i;

	TAP_CHECK(!boot(), "boot");
	plant(12);
	/* three cycles of three, each leads to the next, and a tail */
	for (i = 0; i < 9; i++)
		point(i, 3, i / 3 * 3 + (i + 1) % 3);
	point(1, 4, 3);
	point(4, 4, 6);
	point(7, 4, 9);
	/* and a leak that refers to itself only */
	point(10, 0, 10);
	/* and one that the tail of the cycles shares with another head */
	point(11, 5, 9);
	TAP_CHECK(find_all() && read_leaks(4096), "scan");
	TAP_CHECK(retains(12, 10, 1), "of itself");
	for (i = 0; i < 12; i++)
		if (lines[i].head == leak(0) || lines[i].head == leak(1) ||
		    lines[i].head == leak(2))
			break;
	TAP_CHECK(i < 12, "no head in the first cycle");
	TAP_CHECK(!retains(12, 3, 1) || !retains(12, 6, 1), "an inner cycle has a head");
	return 0;
}

/* Each leak refers to the next ones: a mesh with more edges than leaks. */
static int mesh_case(void *arg)
{
	unsigned long i, j, nr = 500;

	TAP_CHECK(!boot(), "boot");
	plant(nr);
	for (i = 0; i < nr; i++)
		for (j = 0; j < WORDS; j++)
			point(i, j, (i + 1 + j * j) % nr);
	TAP_CHECK(find_all() && read_leaks(4096), "scan");
	for (i = 0; i < nr; i++)
		TAP_CHECK(lines[i].head == lines[0].head, "two heads in a mesh");
	return 0;
}

#define GRAPH	24U

/* Random graphs. Reachability is computed by squaring, from the same edges. */
static int random_case(void *arg)
{
	static bool reach[GRAPH][GRAPH];
	unsigned int seed = (unsigned long)arg, i, j, k, heads = 0;

	srand(seed);
	TAP_CHECK(!boot(), "boot");
	plant(GRAPH);
	for (i = 0; i < GRAPH; i++) {
		reach[i][i] = true;
		for (j = rand() % (seed % 4 + 2); j; j--) {
			k = rand() % GRAPH;
			point(i, rand() % WORDS, k);
		}
		for (j = 0; j < WORDS; j++)
			for (k = 0; k < GRAPH; k++)
				reach[i][k] |= ((unsigned long *)leak(i))[j] - leak(k) < SIZE;
	}
	for (k = 0; k < GRAPH; k++)
		for (i = 0; i < GRAPH; i++)
			for (j = 0; j < GRAPH; j++)
				reach[i][j] |= reach[i][k] && reach[k][j];

	TAP_CHECK(find_all() && read_leaks(333) && nr_lines == GRAPH, "scan");
	for (i = 0; i < GRAPH; i++) {
		unsigned int head = GRAPH, of = 0;

		TAP_CHECK(lines[i].addr == leak(i), "order");
		for (j = 0; j < GRAPH; j++) {
			if (leak(j) == lines[i].head)
				head = j;
			of += lines[j].head == leak(i);
		}
		TAP_CHECK(head < GRAPH && reach[head][i], "seed %u: %u has no head", seed, i);
		TAP_CHECK(lines[i].blocks == of && lines[i].bytes == of * SIZE,
			  "seed %u: %u retains %u", seed, i, of);
		if (!of)
			continue;
		heads++;
		/* a leak that leads to a head is in a cycle with it, and is no head */
		for (j = 0; j < GRAPH; j++) {
			TAP_CHECK(!reach[j][i] || reach[i][j], "seed %u: %u is no head", seed, i);
			TAP_CHECK(j == i || !reach[j][i] || !lines[j].blocks,
				  "seed %u: %u and %u are heads of a cycle", seed, i, j);
		}
	}
	TAP_CHECK(heads, "no heads");
	return 0;
}

static int randoms_case(void *arg)
{
	unsigned long seed;

	for (seed = 1; seed <= 200; seed++)
		if (!tap_try(random_case, (void *)seed, 60))
			return 1;
	return 0;
}

/* Objects that are not scanned have no children; freed and painted ones are not listed. */
static int attributes_case(void *arg)
{
	TAP_CHECK(!boot(), "boot");
	plant(6);
	point(0, 0, 1);
	point(2, 0, 3);
	kmemleak_no_scan((void *)leak(0));
	TAP_CHECK(find_all() && read_leaks(4096), "scan");
	TAP_CHECK(retains(6, 0, 1) && retains(6, 1, 1) && retains(6, 2, 2), "no_scan");
	kmemleak_free((void *)leak(4));
	kmemleak_not_leak((void *)leak(5));
	TAP_CHECK(read_leaks(4096) && nr_lines == 4, "%lu lines", nr_lines);
	TAP_CHECK(command("clear") == 5 && read_leaks(4096) && !nr_lines, "clear");
	return 0;
}

static int percpu_case(void *arg)
{
	void __percpu *p = (void __percpu *)(W_PCPU_COOKIE + W_PCPU_STATIC + 64);
	unsigned long word = leak(1);
	unsigned long i, blocks = 0;

	TAP_CHECK(!boot(), "boot");
	plant(3);
	kmemleak_alloc_percpu(p, 64, GFP_KERNEL);
	((unsigned long *)leak(0))[2] = (unsigned long)p;
	memcpy(per_cpu_ptr(p, nr_cpu_ids - 1) + 56, &word, sizeof(word));
	TAP_CHECK(find_all() && read_leaks(4096), "scan");
	TAP_CHECK(nr_lines == 4, "%lu lines", nr_lines);
	for (i = 0; i < nr_lines; i++) {
		blocks += lines[i].head == leak(0);
		if (lines[i].addr == leak(0))
			TAP_CHECK(lines[i].blocks == 3 && lines[i].bytes == 2 * SIZE + 64,
				  "%s", lines[i].rest);
		TAP_CHECK(!strstr(lines[i].rest, "percpu") == (lines[i].size != 64),
			  "%s", lines[i].rest);
	}
	TAP_CHECK(blocks == 3, "%lu blocks", blocks);
	return 0;
}

static int memory_case(void *arg)
{
	unsigned long i;

	TAP_CHECK(!boot(), "boot");
	plant(1000);
	for (i = 1; i < 1000; i++)
		point(i - 1, 1, i);
	TAP_CHECK(find_all(), "scan");
	shim_mem.fail_above = 8192;
	TAP_CHECK(read_leaks(4096) && nr_lines == 1000, "without memory");
	TAP_CHECK(strstr(lines[7].rest, " head=- retains=- retained_bytes=- "), "%s",
		  lines[7].rest);
	/* the heads are looked for after the next scan */
	shim_mem.fail_above = 0;
	TAP_CHECK(command("scan") == 4 && read_leaks(4096) && retains(1000, 0, 1000), "memory");
	return 0;
}

static int signal_case(void *arg)
{
	char buf[200];
	unsigned long i;

	TAP_CHECK(!boot(), "boot");
	plant(1000);
	for (i = 1; i < 1000; i++)
		point(i - 1, 1, i);
	TAP_CHECK(find_all(), "scan");
	for (i = 1; i < 3000; i += 97) {
		shim_signal_in = i;
		TAP_CHECK(world_seek(&leaks, 0) == 0 && world_read(&leaks, buf, sizeof(buf)) < 0,
			  "read in spite of a signal at poll %lu", i);
		current->sigpending = 0;
		shim_signal_in = 0;
	}
	TAP_CHECK(read_leaks(4096) && retains(1000, 0, 1000), "after the signals");
	return 0;
}

static int text_case(void *arg)
{
	struct task_struct *t = &world_tasks[1];
	unsigned long i;
	ssize_t err;
	char *text;

	TAP_CHECK(!boot(), "boot");
	plant(2);
	TAP_CHECK(command("mark") == 4, "mark");
	snprintf(t->comm, sizeof(t->comm), "a \"b\\\n\x7f");
	world_task(t);
	shim_time_advance(1);
	kmemleak_alloc((void *)leak(2), SIZE, 1, GFP_KERNEL);
	TAP_CHECK(command("mark") == 4 && command("mark") == 4, "marks");
	TAP_CHECK(find_all() && read_leaks(17) && nr_lines == 3, "scan");
	TAP_CHECK(strstr(lines[2].rest, " comm=\"a \\042b\\134\\012\\177\" "), "%s", lines[2].rest);
	TAP_CHECK(lines[0].generation == 0 && lines[2].generation == 1, "generations");
	TAP_CHECK(lines[0].scan == 2, "scan %u", lines[0].scan);
	TAP_CHECK(!strncmp(lines[0].rest, "addr=0x", 7) &&
		  strstr(lines[0].rest, " space=virt size=256 age_ms=60"), "%s", lines[0].rest);
	/* after 64 more marks the older ones are forgotten */
	for (i = 0; i < 64; i++)
		command("mark");
	TAP_CHECK(read_leaks(4096) && lines[0].generation == lines[2].generation &&
		  lines[0].generation == 3, "generation %u", lines[2].generation);

	text = world_slurp(&stacks, 100, &err);
	TAP_CHECK(!strncmp(text, "kmemleak_stacks 1\nstack=", 24), "%s", text);
	for (i = 0; i < nr_lines; i++) {
		char name[40], *at;

		snprintf(name, sizeof(name), "stack=%u frames=", lines[i].stack);
		at = strstr(text, name);
		TAP_CHECK(at && !strstr(at + 1, name), "not once: %s", name);
	}
	free(text);
	TAP_CHECK(command("off") == 3 && read_leaks(4096), "off");
	return 0;
}

static int many_case(void *arg)
{
	unsigned long i, *at;

	TAP_CHECK(!boot(), "boot");
	for (i = 0; i < MANY; i++) {
		at = (unsigned long *)(W_HEAP + i * 64);
		at[1] = i + 1 < MANY ? (unsigned long)at + 64 : 0;
		kmemleak_alloc(at, 64, 1, GFP_KERNEL);
	}
	TAP_CHECK(find_all() && read_leaks(65536), "scan");
	TAP_CHECK(nr_lines == MANY && lines[0].blocks == MANY && lines[0].bytes == MANY * 64,
		  "%lu lines, %s", nr_lines, lines[0].rest);
	return 0;
}

int main(void)
{
	world_map();
	tap_case("a list has one head", list_case, NULL, 60);
	tap_case("cycles have one head", cycle_case, NULL, 60);
	tap_case("a mesh has one head", mesh_case, NULL, 60);
	tap_case("random graphs", randoms_case, NULL, 120);
	tap_case("not scanned, freed, painted, cleared", attributes_case, NULL, 60);
	tap_case("per-CPU blocks", percpu_case, NULL, 60);
	tap_case("without memory there are no heads", memory_case, NULL, 60);
	tap_case("a signal ends the search", signal_case, NULL, 60);
	tap_case("text, generations, stacks", text_case, NULL, 60);
	tap_case("a list of 300000", many_case, NULL, 120);
	return tap_done();
}
