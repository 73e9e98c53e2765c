// SPDX-License-Identifier: GPL-2.0-only
/*
 * Executes a program on the implementation that is linked in, and prints its visible
 * results: reports, log lines, return codes.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fail.h"
#include "oracle.h"
#include "world.h"

struct run {
	struct sink *out;
	struct world_file file;
	unsigned int flags;
	int ctx;
	bool atomic_gfp;
};

/* The progress of the boot, which a later program continues. */
static bool inited, late;
bool exec_in_init;

/* The memory of a pointer, with or without a tag in its top byte. */
static void *mem(u64 addr)
{
	return (void *)(long)((s64)(addr << 8) >> 8);
}

static void *ptr(u64 addr)
{
	return (void *)(unsigned long)addr;
}

static void flush_log(struct run *r)
{
	char *log = shim_log_take(), *line = log;

	while (*line) {
		size_t len = strcspn(line, "\n");

		sink_write(r->out, "| ", 2);
		sink_write(r->out, line, len);
		sink_write(r->out, "\n", 1);
		line += len + (line[len] == '\n');
	}
	free(log);
}

static unsigned long enter(struct run *r)
{
	unsigned long flags = 0;

	switch (r->ctx) {
	case 1:
		local_irq_save(flags);
		shim_self()->hardirq++;
		break;
	case 2:
		preempt_disable();
		shim_self()->softirq++;
		break;
	case 3:
		local_irq_save(flags);
		break;
	}
	return flags;
}

static void leave(struct run *r, unsigned long flags)
{
	switch (r->ctx) {
	case 1:
		shim_self()->hardirq--;
		local_irq_restore(flags);
		break;
	case 2:
		shim_self()->softirq--;
		preempt_enable();
		break;
	case 3:
		local_irq_restore(flags);
		break;
	}
}

static void vmalloc_call(const struct op *op, gfp_t gfp)
{
	struct vm_struct *vm = mem(op->a[0]);

	vm->addr = ptr(op->a[1]);
	vm->size = op->a[2];
	kmemleak_vmalloc(ptr(op->a[0]), op->a[2], gfp);
}

/* The hooks, in the context that the program has set. */
static bool hook(struct run *r, const struct op *op)
{
	gfp_t gfp = r->ctx || r->atomic_gfp ? GFP_ATOMIC : GFP_KERNEL;
	unsigned long flags = enter(r);
	void *p = ptr(op->a[0]);
	bool is_hook = true;

	switch (op->kind) {
	case OP_ALLOC:
		kmemleak_alloc(p, op->a[1], (int)op->a[2], gfp);
		break;
	case OP_FREE:
		kmemleak_free(p);
		break;
	case OP_PALLOC:
		kmemleak_alloc_percpu(p, op->a[1], gfp);
		break;
	case OP_PFREE:
		kmemleak_free_percpu(p);
		break;
	case OP_PIGNORE:
#ifndef SHIM_NO_IGNORE_PERCPU
		kmemleak_ignore_percpu(p);
#endif
		break;
	case OP_PHYS:
		kmemleak_alloc_phys(op->a[0], op->a[1], gfp);
		break;
	case OP_PHYS_IGNORE:
		kmemleak_ignore_phys(op->a[0]);
		break;
	case OP_VMALLOC:
		vmalloc_call(op, gfp);
		break;
	case OP_GREY:
		kmemleak_not_leak(p);
		break;
	case OP_TRANSIENT:
		kmemleak_transient_leak(p);
		break;
	case OP_IGNORE:
		kmemleak_ignore(p);
		break;
	case OP_NO_SCAN:
		kmemleak_no_scan(p);
		break;
	case OP_TRACE:
		kmemleak_update_trace(p);
		break;
	case OP_AREA:
		kmemleak_scan_area(p, op->a[1], gfp);
		break;
	default:
		is_hook = false;
	}
	leave(r, flags);
	return is_hook;
}

static void command(struct run *r, const char *text)
{
	ssize_t n;

	n = world_write(&r->file, text, strlen(text));
	sink_put(r->out, "= %zd\n", n);
	if (n < 0 || n == (ssize_t)strlen(text))
		return;
	sink_put(r->out, "short write\n");
}

/* After "off" stock still reads the blocks that it lists; ours has no hex dump then. */
static void drop_dumps(struct run *r, char *text)
{
	static const char head[] = "  hex dump (", row[] = "    ";
	char *end;

	if (world_write(&r->file, "?", 1) != -EPERM)
		return;
	while ((text = strstr(text, head))) {
		end = text + strcspn(text, "\n");
		end += *end == '\n';
		while (!strncmp(end, row, sizeof(row) - 1)) {
			end += strcspn(end, "\n");
			end += *end == '\n';
		}
		memmove(text, end, strlen(end) + 1);
	}
}

static void show(struct run *r, struct world_file *f, size_t chunk)
{
	char why[400];
	ssize_t err;
	char *text;

	if (!f->open)
		return;
	text = world_slurp(f, chunk ?: 131072, &err);
	drop_dumps(r, text);
	sink_write(r->out, text, strlen(text));
	sink_put(r->out, "= %zd\n", err);
	if ((r->flags & EXEC_ORACLE) && oracle_knows() &&
	    (r->flags & EXEC_LOSSY ? oracle_refutes : oracle_differs)(text, why, sizeof(why)))
		sink_put(r->out, "ORACLE: %s\n", why);
	free(text);
}

static void cat(struct run *r, size_t chunk)
{
	struct world_file f;
	int err = world_open(&f, "kmemleak", FMODE_READ);

	if (err)
		sink_put(r->out, "open = %d\n", err);
	else
		show(r, &f, chunk);
	world_close(&f);
}

static void param(struct run *r, const char *text)
{
	char name[64], val[64] = "", full[80], buf[4096];

	sscanf(text, "%63s %63s", name, val);
	shim_snprintf(full, sizeof(full), "kmemleak.%s", name);
	sink_put(r->out, "= %d\n", shim_param_set(full, val));
	if (shim_param_get(full, buf) > 0)
		sink_put(r->out, "%s", buf);
}

static void open_file(struct run *r)
{
	if (world_open(&r->file, "kmemleak", FMODE_READ | FMODE_WRITE))
		sink_put(r->out, "no debugfs file\n");
}

static void other(struct run *r, const struct op *op)
{
	char buf[80];

	switch (op->kind) {
	case OP_CPUS:
		if (!inited)
			world_cpus(op->a[0]);
		break;
	case OP_PAGES:
		world_pages(op->a[0]);
		break;
	case OP_BOOT:
		strscpy(buf, op->text);
		sink_put(r->out, "= %d\n", shim_boot_param("kmemleak", buf));
		break;
	case OP_INIT:
		/* A machine that has no memory during this call does not boot. */
		exec_in_init = true;
		shim_mem.never = true;
		kmemleak_init();
		shim_mem.never = false;
		exec_in_init = false;
		break;
	case OP_LATE:
		sink_put(r->out, "= %d\n", shim_run_initcalls());
		world_environment();
		open_file(r);
		break;
	case OP_FREE_PART:
		kmemleak_free_part(ptr(op->a[0]), op->a[1]);
		break;
	case OP_PHYS_PART:
		kmemleak_free_part_phys(op->a[0], op->a[1]);
		break;
	case OP_ERASE:
		kmemleak_erase((void **)mem(op->a[0]));
		break;
	case OP_KFENCE:
		shim_kfence_addr = op->a[0];
		shim_kfence_size = op->a[1];
		break;
	case OP_STORE:
		put_unaligned((unsigned long)op->a[1], (unsigned long *)mem(op->a[0]));
		break;
	case OP_FILL:
		memset(mem(op->a[0]), (int)op->a[2], op->a[1]);
		break;
	case OP_PAGE:
		pfn_to_page(op->a[0] % W_MAX_PAGES)->refcount = op->a[1];
		break;
	case OP_TIME:
		shim_time_advance(msecs_to_jiffies(op->a[0]));
		break;
	case OP_STACK:
		shim_stack_id = op->a[0];
		break;
	case OP_TASK:
		world_task(&world_tasks[op->a[0] % ARRAY_SIZE(world_tasks)]);
		break;
	case OP_CTX:
		r->ctx = op->a[0] % 4;
		break;
	case OP_GFP:
		r->atomic_gfp = op->a[0];
		break;
	case OP_CPU:
		shim_self()->cpu = op->a[0] % shim_nr_cpus;
		break;
	case OP_CMD:
		command(r, op->text);
		break;
	case OP_READ:
		show(r, &r->file, op->a[0]);
		break;
	case OP_CAT:
		cat(r, op->a[0]);
		break;
	case OP_PARAM:
		param(r, op->text);
		break;
	case OP_SIGNAL:
		current->sigpending = op->a[0];
		break;
	case OP_RESCHED:
		shim_need_resched = op->a[0];
		break;
	case OP_FAIL:
		fail.nth = op->a[0];
		fail.permille = op->a[1];
		break;
	default:
		break;
	}
}

/* A kernel boots once and in order, whatever a shrunk or fuzzed program asks. */
static bool possible(struct run *r, const struct op *op)
{
	switch (op->kind) {
	case OP_CPUS:
	case OP_BOOT:
		return !inited;
	case OP_INIT:
		if (inited)
			return false;
		inited = true;
		return true;
	case OP_LATE:
		if (!inited || late)
			return false;
		late = true;
		return true;
	case OP_CMD:
		return late;
	case OP_AREA:
		return inited;
	default:
		return true;
	}
}

void prog_exec(const struct prog *p, struct sink *out, unsigned int flags)
{
	struct run r = { .out = out, .flags = flags };
	size_t i;

	shim_strict = flags & EXEC_STRICT;
	oracle_tags = flags & EXEC_TAGS;
	shim_kthreads_gated = true;
	world_task(&world_tasks[0]);
	if (late)
		open_file(&r);
	for (i = 0; i < p->nr; i++) {
		const struct op *op = &p->op[i];

		if (!possible(&r, op))
			continue;
		if (!(flags & EXEC_QUIET))
			op_print(op, out);
		if (!hook(&r, op))
			other(&r, op);
		oracle_op(op);
		world_quiesce();
		flush_log(&r);
	}
	world_close(&r.file);
	if (shim_warnings)
		sink_put(out, "WARNINGS %d\n", shim_warnings);
}
