// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reference implementation: kmemleak's rules with an array as index, in one
 * thread, without regard to speed. It follows a program operation by operation, and
 * reads the same memory as the implementation under test.
 *
 * The rules. An object needs min_count references (0: it is a root; -1: it is ignored
 * and not read). Each aligned word of the roots, and of the objects with enough
 * references, is a reference if it points into another object. Surplus references to
 * an object with excess_ref count for the object that starts at that address. An
 * object with too few references, which has not changed since the last scan and is
 * old enough, is a suspect. It is reported if a second mark agrees, and so do
 * min_unref_scans scans in a row.
 *
 * A block that overlaps another one is only a root, until it is freed, or the part of
 * the other block in which it begins. Stock disables itself instead.
 */
#include <stdio.h>
#include <stdlib.h>

#include "oracle.h"
#include "world.h"
#undef snprintf

enum { VIRT, PHYS, PCPU };

bool oracle_tags;

/* Remove the tag of a pointer, which is not part of the address. */
static unsigned long untag(unsigned long p)
{
	return oracle_tags ? (unsigned long)((s64)((u64)p << 8) >> 8) : p;
}

struct area {
	struct area *next;
	unsigned long start;
	size_t size;
};

struct obj {
	int space;
	unsigned long addr;
	unsigned long tag;		/* for the report only */
	size_t size;
	int want, have;
	bool no_scan, full_scan, reported, suspect;
	bool lost;			/* unreferenced, reported or not */
	unsigned int unref;
	u32 sum;
	unsigned long born, excess;
	pid_t pid;
	char comm[TASK_COMM_LEN];
	struct area *areas;
};

static struct obj **objs;
static size_t nr_objs, cap_objs;
/* Blocks that overlap others. */
static struct extra {
	int space;
	unsigned long addr;
	size_t size;
	bool black, no_scan;
} extras[256];
static unsigned int nr_extras;
static struct obj **queue;
static size_t nr_queue, cap_queue;
static unsigned long lo[3] = { ULONG_MAX, ULONG_MAX, ULONG_MAX }, hi[3];

static bool off, started, stacks = true;
static unsigned int min_unref = 1;
static unsigned long last_scan, min_age;
static long suspects;

static bool white(const struct obj *o)
{
	return o->have < o->want;
}

static bool grey(const struct obj *o)
{
	return o->want >= 0 && o->have >= o->want;
}

static bool orphan(const struct obj *o)
{
	return white(o) && time_before_eq(o->born + min_age, last_scan);
}

static struct obj *find(int space, unsigned long addr, bool inner)
{
	size_t i;

	addr = untag(addr);
	for (i = 0; i < nr_objs; i++) {
		struct obj *o = objs[i];

		if (o->space == space && addr - o->addr < o->size &&
		    (inner || addr == o->addr))
			return o;
	}
	return NULL;
}

static void forget(struct obj *o)
{
	size_t i;

	for (i = 0; objs[i] != o; i++)
		;
	memmove(&objs[i], &objs[i + 1], (nr_objs - i - 1) * sizeof(*objs));
	nr_objs--;
	while (o->areas) {
		struct area *a = o->areas;

		o->areas = a->next;
		free(a);
	}
	free(o);
}

static bool strict(void)
{
	const char *env = getenv("KMEMLEAK_STRICT");

	return env && *env == 'Y';
}

static struct extra *find_extra(int space, unsigned long addr)
{
	unsigned int i;

	for (i = 0; i < nr_extras; i++)
		if (extras[i].space == space && extras[i].addr == untag(addr))
			return &extras[i];
	return NULL;
}

static void add_extra(int space, unsigned long addr, size_t size, int want)
{
	struct extra *e = find_extra(space, addr);

	if (e) {
		e->size = max(e->size, size);
		return;
	}
	if (nr_extras == ARRAY_SIZE(extras))
		abort();
	extras[nr_extras++] = (struct extra){
		.space = space, .addr = addr, .size = size, .black = want < 0,
	};
}

/* Remove those that begin in a range. */
static void forget_extras(int space, unsigned long addr, size_t size)
{
	unsigned int i;

	for (i = 0; i < nr_extras;)
		if (extras[i].space == space && extras[i].addr - addr < size)
			extras[i] = extras[--nr_extras];
		else
			i++;
}

static void split_extra(int space, unsigned long addr, size_t size)
{
	unsigned int i;

	addr = untag(addr);
	for (i = 0; i < nr_extras; i++) {
		struct extra e = extras[i];

		if (e.space != space || addr - e.addr >= e.size)
			continue;
		extras[i] = extras[--nr_extras];
		if (addr > e.addr)
			add_extra(space, e.addr, addr - e.addr, e.black ? -1 : 0);
		if (addr + size < e.addr + e.size)
			add_extra(space, addr + size, e.addr + e.size - addr - size,
				  e.black ? -1 : 0);
		return;
	}
}

static void add(int space, unsigned long ptr, size_t size, int want)
{
	size_t real = kfence_ksize((void *)ptr) ?: size;
	unsigned long addr = untag(ptr);
	struct shim_thread *t = shim_self();
	struct obj *o;
	size_t i;

	if (off)
		return;
	for (i = 0; i < nr_objs; i++) {
		o = objs[i];
		if (o->space == space && addr < o->addr + o->size && o->addr < addr + size) {
			off = strict();
			if (!off)
				add_extra(space, addr, real, want);
			return;
		}
	}
	if (nr_objs == cap_objs) {
		cap_objs = cap_objs * 2 + 64;
		objs = realloc(objs, cap_objs * sizeof(*objs));
	}
	o = calloc(1, sizeof(*o));
	if (!objs || !o)
		abort();
	o->space = space;
	o->addr = addr;
	o->tag = ptr - addr;
	o->size = real;
	o->want = want;
	o->sum = ~0;
	o->born = jiffies;
	o->pid = t->task->pid;
	strscpy(o->comm, t->task->comm);
	objs[nr_objs++] = o;
	lo[space] = min(lo[space], addr);
	hi[space] = max(hi[space], addr + real);
}

static void split(int space, unsigned long addr, size_t size)
{
	struct obj *o = off ? NULL : find(space, addr, true);
	unsigned long start, end, tag;
	int want;

	if (!o) {
		if (!off)
			split_extra(space, addr, size);
		return;
	}
	start = o->addr;
	end = o->addr + o->size;
	want = o->want;
	tag = o->tag;
	addr = untag(addr);
	forget(o);
	if (addr > start)
		add(space, start + tag, addr - start, want);
	if (addr + size < end)
		add(space, addr + size + tag, end - addr - size, want);
	forget_extras(space, addr, min(size, end - addr));
}

static void paint(int space, unsigned long addr, int want)
{
	struct obj *o = off ? NULL : find(space, addr, false);
	struct extra *e = off || o ? NULL : find_extra(space, addr);

	if (e)
		e->black = want < 0;
	if (!o)
		return;
	o->want = want;
	if (want < 0)
		o->no_scan = true;
}

static void add_area(unsigned long addr, size_t size)
{
	struct obj *o = off || !size ? NULL : find(VIRT, addr, true);
	struct area *a;

	addr = untag(addr);
	if (!o || (size != SIZE_MAX && addr + size > o->addr + o->size))
		return;
	if (!started) {
		o->full_scan = true;	/* no memory for areas yet */
		return;
	}
	a = calloc(1, sizeof(*a));
	if (!a)
		abort();
	a->start = addr;
	a->size = size == SIZE_MAX ? o->addr + o->size - addr : size;
	a->next = o->areas;
	o->areas = a;
}

/* Marking. */

static void push(struct obj *o)
{
	if (nr_queue == cap_queue) {
		cap_queue = cap_queue * 2 + 64;
		queue = realloc(queue, cap_queue * sizeof(*queue));
		if (!queue)
			abort();
	}
	queue[nr_queue++] = o;
}

static void refer(struct obj *o)
{
	if (!white(o))
		return;
	o->have++;
	if (!grey(o))
		return;
	if (o->suspect) {
		o->suspect = false;
		suspects--;
	}
	push(o);
}

static void word(unsigned long v, struct obj *from, int space)
{
	unsigned long excess;
	struct obj *o;

	v = untag(v);
	if (v < lo[space] || v >= hi[space])
		return;
	o = find(space, v, true);
	if (!o || o == from)
		return;
	excess = grey(o) ? o->excess : 0;
	refer(o);
	if (!excess)
		return;
	o = find(VIRT, excess, false);
	if (o && o != from)
		refer(o);
}

/* The second mark of a kmemleak with a trial reads words at all byte offsets. */
static size_t step = sizeof(long);

static bool trial(void)
{
	const char *env = getenv("KMEMLEAK_TRIAL");

	return !env || *env != 'N';
}

static void block(unsigned long start, size_t size, struct obj *from)
{
	unsigned long p, end = start + size;

	for (p = ALIGN(start, step); p + sizeof(long) <= end; p += step) {
		unsigned long v = get_unaligned((unsigned long *)p);

		word(v, from, VIRT);
		/* per-CPU pointers resemble other numbers: only aligned words count */
		if (IS_ALIGNED(p, sizeof(long)))
			word(v, from, PCPU);
	}
}

static void content(struct obj *o)
{
	struct area *a;
	int cpu;

	if (o->no_scan)
		return;
	if (o->space == PCPU) {
		for_each_possible_cpu(cpu)
			block((unsigned long)per_cpu_ptr((char *)o->addr, cpu), o->size, o);
	} else if (!o->areas || o->full_scan) {
		block(o->space == PHYS ? (unsigned long)__va(o->addr) : o->addr, o->size, o);
	} else {
		for (a = o->areas; a; a = a->next)
			block(a->start, a->size, o);
	}
}

static bool stopped(void)
{
	return !(current->flags & PF_KTHREAD) && signal_pending(current);
}

static void drain(void)
{
	size_t i;

	for (i = 0; i < nr_queue; i++)
		if (!stopped())
			content(queue[i]);
	nr_queue = 0;
}

static void roots(void)
{
	unsigned long pfn;
	struct zone *z;
	int i;

	for (i = 0; i < nr_extras; i++)
		if (!extras[i].black && !extras[i].no_scan && extras[i].space == VIRT)
			block(extras[i].addr, extras[i].size, NULL);
	for_each_possible_cpu(i)
		block(W_PCPU_AREA + i * W_PCPU_UNIT, W_PCPU_STATIC, NULL);
	for_each_populated_zone(z) {
		for (pfn = z->zone_start_pfn; pfn < zone_end_pfn(z); pfn++) {
			struct page *page = pfn_to_online_page(pfn);

			/* struct pages have no unaligned members */
			size_t was = step;

			step = sizeof(long);
			if (page && page_zone(page) == z && page_count(page))
				block((unsigned long)page, sizeof(*page), NULL);
			step = was;
		}
	}
	for (i = 0; stacks && i < W_NR_TASKS; i++)
		if (shim_tasks[i].stack)
			block((unsigned long)shim_tasks[i].stack, THREAD_SIZE, NULL);
}

static void mark(bool first)
{
	size_t i;

	last_scan = jiffies;
	if (first)
		suspects = 0;
	for (i = 0; i < nr_objs; i++) {
		struct obj *o = objs[i];

		if (o->space == PHYS && !o->no_scan &&
		    (PHYS_PFN(o->addr) < min_low_pfn ||
		     PHYS_PFN(o->addr + o->size) > max_low_pfn)) {
			o->want = -1;
			o->no_scan = true;
		}
		if (!white(o))
			o->unref = 0;
		o->have = 0;
		if (first)
			o->suspect = false;
		if (grey(o))
			push(o);
	}
	if (!stopped())
		roots();
	drain();
}

static u32 checksum(const struct obj *o)
{
	u32 sum = 0;
	int cpu;

	if (o->space != PCPU)
		return crc32(0, (void *)o->addr, o->size);
	for_each_possible_cpu(cpu)
		sum = crc32(sum, per_cpu_ptr((char *)o->addr, cpu), o->size);
	return sum;
}

static void scan(void)
{
	size_t i;

	mark(true);
	for (i = 0; i < nr_objs; i++) {
		struct obj *o = objs[i];
		u32 sum;

		o->lost = white(o);
		if (!white(o))
			continue;
		sum = checksum(o);
		if (sum != o->sum) {
			o->sum = sum;
			o->have = o->want;
			push(o);
		} else if (orphan(o) && !o->reported) {
			o->suspect = true;
			suspects++;
		}
	}
	drain();
	if (!suspects || stopped())
		return;
	step = trial() ? 1 : sizeof(long);
	mark(false);
	step = sizeof(long);
	if (stopped())
		return;
	for (i = 0; i < nr_objs; i++) {
		struct obj *o = objs[i];

		if (orphan(o) && o->suspect && !o->reported && ++o->unref >= min_unref)
			o->reported = true;
	}
}

static void command(const char *s)
{
	unsigned int secs;
	size_t i;

	if (off)
		return;
	if (!strncmp(s, "clear", 5)) {
		for (i = 0; i < nr_objs; i++)
			if (objs[i]->reported && orphan(objs[i]))
				objs[i]->want = 0;
	} else if (!strncmp(s, "off", 3) || !strncmp(s, "scan=on", 7)) {
		off = true;
	} else if (!strncmp(s, "stack=on", 8)) {
		stacks = true;
	} else if (!strncmp(s, "stack=off", 9)) {
		stacks = false;
	} else if (!strncmp(s, "scan=off", 8)) {
		return;
	} else if (!strncmp(s, "scan=", 5)) {
		off = !kstrtouint(s + 5, 0, &secs);	/* starts a thread */
	} else if (!strncmp(s, "scan", 4)) {
		scan();
	}
}

void oracle_op(const struct op *op)
{
	unsigned long a = op->a[0];
	bool valid = a && !IS_ERR((void *)a);
	struct obj *o;

	switch (op->kind) {
	case OP_BOOT:
		off |= !strstr(op->text, "on") && !strstr(op->text, "parallel");
		break;
	case OP_INIT:
		min_age = msecs_to_jiffies(5000);
		started = true;
		add(VIRT, W_DATA, W_DATA_SIZE, 0);
		add(VIRT, W_BSS, W_BSS_SIZE, 0);
		add(VIRT, W_RO, W_RO_SIZE, 0);
		break;
	case OP_ALLOC:
		if (valid)
			add(VIRT, a, op->a[1], (int)op->a[2]);
		break;
	case OP_PALLOC:
		if (valid)
			add(PCPU, a, op->a[1], 1);
		break;
	case OP_PHYS:
		add(PHYS, a, op->a[1], 0);
		break;
	case OP_VMALLOC:
		add(VIRT, op->a[1], op->a[2], 2);
		o = off ? NULL : find(VIRT, a, false);
		if (o)
			o->excess = op->a[1];
		break;
	case OP_FREE:
	case OP_PFREE:
		o = find(op->kind == OP_FREE ? VIRT : PCPU, a, false);
		if (!valid || off)
			break;
		if (o) {
			forget_extras(o->space, o->addr, o->size);
			forget(o);
		} else {
			forget_extras(op->kind == OP_FREE ? VIRT : PCPU, untag(a), 1);
		}
		break;
	case OP_FREE_PART:
		if (valid)
			split(VIRT, a, op->a[1]);
		break;
	case OP_PHYS_PART:
		split(PHYS, a, op->a[1]);
		break;
	case OP_GREY:
		paint(VIRT, a, 0);
		break;
	case OP_IGNORE:
		paint(VIRT, a, -1);
		break;
	case OP_PIGNORE:
		paint(PCPU, a, -1);
		break;
	case OP_PHYS_IGNORE:
		paint(PHYS, a, -1);
		break;
	case OP_TRANSIENT:
	case OP_NO_SCAN:
		o = off || !valid ? NULL : find(VIRT, a, false);
		if (o && op->kind == OP_TRANSIENT)
			o->sum = ~0;
		else if (o)
			o->no_scan = true;
		else if (!off && op->kind == OP_NO_SCAN && find_extra(VIRT, a))
			find_extra(VIRT, a)->no_scan = true;
		break;
	case OP_AREA:
		if (valid)
			add_area(a, op->a[1]);
		break;
	case OP_CMD:
		command(op->text);
		break;
	case OP_PARAM:
		sscanf(op->text, "min_unref_scans %u", &min_unref);
		break;
	default:
		break;
	}
}

bool oracle_knows(void)
{
	return !off;
}

size_t oracle_reported(void)
{
	size_t i, n = 0;

	for (i = 0; i < nr_objs; i++)
		n += objs[i]->reported && orphan(objs[i]);
	return n;
}

static bool line_is(const char **p, const char *want, char *why, size_t n)
{
	size_t len = strcspn(*p, "\n");

	if (len == strlen(want) && !strncmp(*p, want, len)) {
		*p += len + ((*p)[len] == '\n');
		return true;
	}
	snprintf(why, n, "expected \"%s\", got \"%.*s\"", want, (int)min_t(size_t, len, 160), *p);
	return false;
}

bool oracle_differs(const char *report, char *why, size_t n)
{
	static const char * const infix[] = { "", " (phys)", " (percpu)" };
	char want[160];
	size_t i;

	for (i = 0; i < nr_objs; i++) {
		struct obj *o = objs[i];

		if (!o->reported || !orphan(o))
			continue;
		snprintf(want, sizeof(want), "unreferenced object%s 0x%08lx (size %zu):",
			 infix[o->space], o->addr + o->tag, o->size);
		if (!line_is(&report, want, why, n))
			return true;
		report = strstr(report, "  backtrace (crc ");
		if (!report)
			report = "";
		snprintf(want, sizeof(want), "  backtrace (crc %x):", o->sum);
		if (!line_is(&report, want, why, n))
			return true;
		while (!strncmp(report, "    ", 4))
			report += strcspn(report, "\n") + 1;
	}
	return !line_is(&report, "", why, n);
}

bool oracle_refutes(const char *report, char *why, size_t n)
{
	static const char mark[] = "unreferenced object";

	while ((report = strstr(report, mark))) {
		int space = VIRT;
		unsigned long addr;
		struct obj *o;

		report += sizeof(mark) - 1;
		if (!strncmp(report, " (phys)", 7))
			space = PHYS;
		else if (!strncmp(report, " (percpu)", 9))
			space = PCPU;
		addr = strtoul(strstr(report, "0x") ?: "0", NULL, 16);
		o = find(space, addr, false);
		if (o && o->reported && o->lost)
			continue;
		snprintf(why, n, "0x%lx is reported and %s", addr,
			 !o ? "no object" : o->lost ? "not due" : "referenced");
		return true;
	}
	return false;
}
