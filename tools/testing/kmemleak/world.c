// SPDX-License-Identifier: GPL-2.0-only
/* Mapping the world, its tasks and zones, and access to debugfs files. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "world.h"

unsigned long min_low_pfn = PHYS_PFN(W_LOW_START);
unsigned long max_low_pfn = PHYS_PFN(W_LOW_END);
unsigned long max_pfn = PHYS_PFN(W_PHYS_SIZE);
struct zone shim_zones[SHIM_NR_ZONES];
unsigned long shim_kfence_addr;
size_t shim_kfence_size;
struct task_struct world_tasks[4] = {
	{ .pid = 1, .tgid = 1, .comm = "init" },
	{ .pid = 4321, .tgid = 4321, .comm = "modprobe" },
	{ .pid = 77, .tgid = 77, .comm = "kworker/0:1", .flags = PF_KTHREAD },
	{ .pid = 4194303, .tgid = 4194303, .comm = "a long command" },
};

static unsigned long world_nr_pages;
static unsigned long world_max_pages = W_MAX_PAGES;
struct page *shim_vmemmap = (struct page *)W_VMEMMAP;

static void world_map_at(unsigned long addr, size_t size, int prot)
{
	void *p = mmap((void *)addr, size, prot,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
		       -1, 0);

	if (p != (void *)addr)
		shim_fatal("cannot map the world at 0x%lx: %d", addr, errno);
}

void world_map(void)
{
	int i;

	world_map_at(W_BASE, W_HEAP + W_HEAP_SIZE - W_BASE, PROT_READ | PROT_WRITE);
	world_map_at(W_VMALLOC, W_VMALLOC_SIZE, PROT_READ | PROT_WRITE);
	world_map_at(W_GIANT, W_GIANT_SIZE, PROT_READ | PROT_WRITE);
	/* A cookie is no address that may be read. */
	if (mprotect((void *)W_PCPU_COOKIE, W_PCPU_UNIT, PROT_NONE))
		shim_fatal("cannot protect the per-CPU cookies");
	for (i = 0; i < W_NR_TASKS; i++) {
		struct task_struct *t = &shim_tasks[i];

		t->pid = 10 + 7 * i;
		t->pid_struct.nr = t->pid;
		t->stack = i == W_NR_TASKS - 1 ? NULL : (void *)(W_STACKS + i * THREAD_SIZE);
	}
	world_pages(256);
}

void world_cpus(unsigned int nr)
{
	shim_nr_cpus = clamp(nr, 1U, (unsigned int)NR_CPUS);
	bitmap_zero(shim_cpu_mask.bits, NR_CPUS);
	bitmap_set(shim_cpu_mask.bits, 0, shim_nr_cpus);
}

/* Two populated zones with a hole in the second, and an empty one. */
void world_pages(unsigned long nr)
{
	unsigned long pfn, split;

	nr = clamp(nr, 16UL, world_max_pages);
	split = nr / 4;
	world_nr_pages = nr;
	shim_zones[0] = (struct zone){ 0, split, split, 0, 0, "DMA" };
	shim_zones[1] = (struct zone){ split, nr - split, nr - split, 1, 0, "Normal" };
	shim_zones[2] = (struct zone){ nr, 0, 0, 2, 0, "Movable" };
	for (pfn = 0; pfn < nr; pfn++) {
		struct page *page = pfn_to_page(pfn);

		page->flags = (pfn >= split ? 1UL : 0) << (BITS_PER_LONG - 2);
		page->refcount = pfn % 4 != 3;
	}
	/* A page that belongs to the other zone, as pageblocks at borders do. */
	pfn_to_page(split + 1)->flags = 0;
}

void world_free_block(unsigned long pfn, unsigned int order)
{
	unsigned long i;

	for (i = 0; i < 1UL << order; i++)
		pfn_to_page(pfn + i)->refcount = 0;
	pfn_to_page(pfn)->mapcount = SHIM_BUDDY + order;
}

/* @nr pages, at the end of the giant area. */
void world_many_pages(unsigned long nr)
{
	size_t size = round_up(nr * sizeof(struct page), SZ_2M);

	if (size > W_GIANT_SIZE / 4)
		shim_fatal("%lu struct pages do not fit", nr);
	shim_vmemmap = (struct page *)(W_GIANT + W_GIANT_SIZE - size);
	world_max_pages = nr;
	world_pages(nr);
}

/* Tasks that sleep, with the stacks of other tasks. */
void world_many_tasks(int nr)
{
	int i;

	shim_more_tasks = calloc(nr, sizeof(*shim_more_tasks));
	if (!shim_more_tasks)
		shim_fatal("no memory for %d tasks", nr);
	for (i = 0; i < nr; i++) {
		struct task_struct *t = &shim_more_tasks[i];

		t->pid = 1000000 + i;
		t->pid_struct.nr = t->pid;
		t->stack = shim_tasks[i % (W_NR_TASKS - 1)].stack;
	}
	shim_nr_more_tasks = nr;
}

struct page *pfn_to_online_page(unsigned long pfn)
{
	/* Holes are aligned; the kernel's are even larger. */
	unsigned long hole = round_up(world_nr_pages / 2, 64UL);

	if (pfn >= world_nr_pages || (pfn >= hole && pfn < hole + 64))
		return NULL;
	return pfn_to_page(pfn);
}

void world_task(struct task_struct *t)
{
	shim_self()->task = t;
}

int world_open(struct world_file *f, const char *name, unsigned int mode)
{
	const struct file_operations *fops;
	void *data = NULL;
	int err = 0;

	memset(f, 0, sizeof(*f));
	fops = shim_debugfs_find(name, &data, NULL);
	if (!fops)
		return -ENOENT;
	f->inode.i_private = data;
	f->file.f_op = fops;
	f->file.f_inode = &f->inode;
	f->file.f_mode = mode;
	if (fops->open)
		err = fops->open(&f->inode, &f->file);
	f->open = !err;
	return err;
}

void world_close(struct world_file *f)
{
	if (f->open && f->file.f_op->release)
		f->file.f_op->release(&f->inode, &f->file);
	f->open = false;
}

ssize_t world_read(struct world_file *f, char *buf, size_t n)
{
	const struct file_operations *op = f->file.f_op;
	ssize_t ret = -EINVAL;

	if (op->read) {
		ret = op->read(&f->file, buf, n, &f->file.f_pos);
	} else if (op->read_iter) {
		struct kiocb iocb = { .ki_filp = &f->file, .ki_pos = f->file.f_pos };
		struct iov_iter to = { .buf = buf, .count = n };

		ret = op->read_iter(&iocb, &to);
		f->file.f_pos = iocb.ki_pos;
	}
	return ret;
}

ssize_t world_write(struct world_file *f, const char *buf, size_t n)
{
	if (!f->file.f_op->write)
		return -EINVAL;
	return f->file.f_op->write(&f->file, buf, n, &f->file.f_pos);
}

loff_t world_seek(struct world_file *f, loff_t off)
{
	if (!f->file.f_op->llseek)
		return -ESPIPE;
	return f->file.f_op->llseek(&f->file, off, SEEK_SET);
}

ssize_t world_sendfile(struct world_file *f, char *buf, size_t n)
{
	struct iov_iter to = { .buf = buf, .count = n };

	if (!f->file.f_op->splice_read)
		return -EINVAL;
	return f->file.f_op->splice_read(&f->file, &f->file.f_pos,
					 (struct pipe_inode_info *)&to, n, 0);
}

char *world_slurp(struct world_file *f, size_t chunk, ssize_t *err)
{
	size_t cap = 4096, len = 0;
	char *buf = malloc(cap);
	ssize_t n;

	*err = world_seek(f, 0);
	if (*err)
		chunk = 0;
	while (chunk) {
		if (len + chunk + 1 > cap) {
			cap = (len + chunk + 1) * 2;
			buf = realloc(buf, cap);
		}
		if (!buf)
			shim_fatal("out of memory");
		n = world_read(f, buf + len, chunk);
		if (n <= 0) {
			*err = n;
			break;
		}
		len += n;
	}
	buf[len] = 0;
	return buf;
}

long world_stat(const char *name)
{
	size_t len = strlen(name);
	struct world_file f;
	char *text, *line;
	long value = -1;
	ssize_t err;

	if (world_open(&f, "kmemleak_stats", FMODE_READ))
		return -1;
	text = world_slurp(&f, 4096, &err);
	world_close(&f);
	for (line = text; line; line = line ? line + 1 : NULL) {
		if (!strncmp(line, name, len) && line[len] == ' ')
			value = strtol(line + len, NULL, 10);
		line = strchr(line, '\n');
	}
	free(text);
	return value;
}

void world_quiesce(void)
{
	int i;

	/* A callback may queue work, and work may queue a callback. */
	for (i = 0; i < 4; i++) {
		shim_rcu_run();
		shim_kthreads_settle();
		shim_work_run();
	}
	shim_rcu_run();
}

bool world_reported(struct world_file *f, unsigned long addr)
{
	char line[60];
	ssize_t err;
	char *text = world_slurp(f, 65536, &err);
	bool found;

	shim_snprintf(line, sizeof(line), "unreferenced object 0x%08lx ", addr);
	found = strstr(text, line);
	free(text);
	return found;
}

ssize_t world_command(struct world_file *f, const char *cmd)
{
	ssize_t n = world_write(f, cmd, strlen(cmd));

	world_quiesce();
	return n;
}

/* KMEMLEAK_PARALLEL=<n>: n workers in any test. */
static void world_parallel(void)
{
	const char *nr = getenv("KMEMLEAK_PARALLEL");
	struct task_struct *was = current;
	struct world_file f;
	char cmd[40];

	if (!nr || world_open(&f, "kmemleak", FMODE_READ | FMODE_WRITE))
		return;
	world_task(&world_tasks[0]);
	shim_snprintf(cmd, sizeof(cmd), "parallel=%s", nr);
	/* stock refuses the command, and so does a kmemleak that is off */
	world_write(&f, cmd, strlen(cmd));
	world_close(&f);
	world_task(was);
}

/*
 * KMEMLEAK_FILTER=<name>: use this filter. KMEMLEAK_SIMD=irqs-on: vector registers
 * cannot be used with IRQs off. KMEMLEAK_TRIAL=N: no trial of suspects.
 * KMEMLEAK_STRICT=Y: disable kmemleak at the first overlap, like stock.
 */
static void world_parameters(void)
{
	const char *name = getenv("KMEMLEAK_FILTER"), *simd = getenv("KMEMLEAK_SIMD");
	const char *trial = getenv("KMEMLEAK_TRIAL"), *strict = getenv("KMEMLEAK_STRICT");

	if (trial)
		shim_param_set("kmemleak.trial", trial);
	if (strict)
		shim_param_set("kmemleak.strict", strict);
	if (name)
		shim_param_set("kmemleak.filter", name);
	if (simd)
		shim_simd_wants_irqs = !strcmp(simd, "irqs-on");
}

void world_environment(void)
{
	world_parameters();
	world_parallel();
}

void world_boot(const char *arg)
{
	char buf[128];

	world_parameters();
	if (arg) {
		strscpy(buf, arg);
		shim_boot_param("kmemleak", buf);
	}
	kmemleak_init();
	shim_run_initcalls();
	world_parallel();
}
