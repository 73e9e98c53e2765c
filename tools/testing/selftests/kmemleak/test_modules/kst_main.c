// SPDX-License-Identifier: GPL-2.0
/*
 * kmemleak_selftest: the command file, /sys/kernel/debug/kmemleak_selftest/cmd
 *
 * A write is one command; a read from the start of the file gives its result. The result
 * of a command that names an object is "<key> <jiffies> <jiffies> <address>": its
 * scrambled address, the time before and after the command, and its address. Only a human
 * or a shell should read the latter: a program that has it in a register has a reference,
 * since registers are saved in the task.
 *
 * Numbers are in any base that kstrtoul() knows.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "boot_memory.h"
#include "kst.h"

#define KST_MAX_ARGS	6
#define KST_MAX_COMMAND	128

static struct dentry *kst_dir;
/* serialises commands; protects kst_result and all data of commands */
static DEFINE_MUTEX(kst_mutex);
static char kst_result[4 * PAGE_SIZE];

struct kst_args {
	int nr;
	const char *word[KST_MAX_ARGS];
	unsigned long num[KST_MAX_ARGS];
};

struct kst_command {
	const char *name;
	int min_args;
	int (*run)(const struct kst_args *args);
};

static struct kst_slot *kst_arg_slot(const struct kst_args *args, int i)
{
	return kst_get_slot(args->num[i]);
}

static void kst_result_object(const struct kst_slot *slot, unsigned long since)
{
	scnprintf(kst_result, sizeof(kst_result), "0x%lx %lu %lu 0x%08lx\n",
		  slot->hidden, since, jiffies, kst_slot_address(slot));
}

static int kst_run_create(const struct kst_args *args, enum kst_kind kind)
{
	struct kst_slot *slot = kst_arg_slot(args, 0);
	unsigned long since = jiffies;
	int ret;

	if (!slot)
		return -EINVAL;
	ret = kst_create(kind, slot, args->num[1]);
	if (!ret)
		kst_result_object(slot, since);
	return ret;
}

static int kst_run_bare(const struct kst_args *args)
{
	return kst_run_create(args, KST_PAGE);
}

static int kst_run_kmalloc(const struct kst_args *args)
{
	return kst_run_create(args, KST_KMALLOC);
}

static int kst_run_vmalloc(const struct kst_args *args)
{
	return kst_run_create(args, KST_VMALLOC);
}

static int kst_run_percpu(const struct kst_args *args)
{
	return kst_run_create(args, KST_PERCPU);
}

static int kst_run_phys(const struct kst_args *args)
{
	return kst_run_create(args, KST_PHYS);
}

/* page SLOT SIZE [MIN_COUNT [task|softirq|hardirq]] */
static int kst_run_page(const struct kst_args *args)
{
	static const char * const contexts[] = {
		[KST_TASK] = "task",
		[KST_SOFTIRQ] = "softirq",
		[KST_HARDIRQ] = "hardirq",
	};
	struct kst_slot *slot = kst_arg_slot(args, 0);
	int min_count = args->nr > 2 ? (int)args->num[2] : 1;
	unsigned long since = jiffies;
	int context = KST_TASK;
	int ret;

	if (!slot)
		return -EINVAL;
	if (args->nr > 3) {
		context = match_string(contexts, ARRAY_SIZE(contexts),
				       args->word[3]);
		if (context < 0)
			return context;
	}
	/* There, slab allocations of kmemleak's objects, too, take sleeping locks. */
	if (IS_ENABLED(CONFIG_PREEMPT_RT) && context == KST_HARDIRQ)
		return -EOPNOTSUPP;
	ret = kst_create_registered(slot, args->num[1], min_count, context);
	if (!ret)
		kst_result_object(slot, since);
	return ret;
}

/* rawphys SLOT ADDRESS SIZE */
static int kst_run_rawphys(const struct kst_args *args)
{
	struct kst_slot *slot = kst_arg_slot(args, 0);

	if (!slot)
		return -EINVAL;
	return kst_create_rawphys(slot, args->num[1], args->num[2]);
}

/* burst page|kmalloc FIRST_SLOT COUNT SIZE */
static int kst_run_burst(const struct kst_args *args)
{
	enum kst_kind kind = KST_PAGE;

	if (!strcmp(args->word[0], "kmalloc"))
		kind = KST_KMALLOC;
	else if (strcmp(args->word[0], "page"))
		return -EINVAL;
	return kst_burst(kind, args->num[1], args->num[2], args->num[3]);
}

static int kst_run_addr(const struct kst_args *args)
{
	struct kst_slot *slot = kst_arg_slot(args, 0);

	if (!slot || slot->kind == KST_NONE)
		return -ENOENT;
	kst_result_object(slot, jiffies);
	return 0;
}

/* fill SLOT SEED: the copy of each CPU differs by 16 from the one before */
static int kst_run_fill(const struct kst_args *args)
{
	struct kst_slot *slot = kst_arg_slot(args, 0);
	unsigned int cpu;
	size_t i;

	if (!slot || slot->kind == KST_NONE || slot->kind == KST_RAWPHYS)
		return -ENOENT;
	for_each_possible_cpu(cpu) {
		u8 *p = kst_slot_memory(slot, cpu);

		for (i = 0; i < slot->size; i++)
			p[i] = args->num[1] + i + 16 * cpu;
		if (slot->kind != KST_PERCPU)
			break;
	}
	return 0;
}

static int kst_write_word(struct kst_slot *slot, size_t offset,
			  unsigned int cpu, unsigned long value)
{
	if (!slot || slot->kind == KST_NONE || slot->kind == KST_RAWPHYS)
		return -ENOENT;
	if (offset + sizeof(value) > slot->size || cpu >= nr_cpu_ids)
		return -ERANGE;
	memcpy(kst_slot_memory(slot, cpu) + offset, &value, sizeof(value));
	return 0;
}

/* store SLOT OFFSET CONTAINER OFFSET [CPU]: refer to SLOT from CONTAINER */
static int kst_run_store(const struct kst_args *args)
{
	struct kst_slot *slot = kst_arg_slot(args, 0);

	if (!slot || slot->kind == KST_NONE)
		return -ENOENT;
	return kst_write_word(kst_arg_slot(args, 2), args->num[3],
			      args->nr > 4 ? args->num[4] : 0,
			      kst_slot_address(slot) + args->num[1]);
}

/* poke SLOT OFFSET VALUE */
static int kst_run_poke(const struct kst_args *args)
{
	return kst_write_word(kst_arg_slot(args, 0), args->num[1], 0,
			      args->num[2]);
}

/* hold SLOT INDEX [OFFSET] */
static int kst_run_hold(const struct kst_args *args)
{
	struct kst_slot *slot = kst_arg_slot(args, 0);

	if (!slot || slot->kind == KST_NONE)
		return -ENOENT;
	return kst_hold(args->num[1], kst_slot_address(slot) +
			(args->nr > 2 ? args->num[2] : 0));
}

static int kst_run_drop(const struct kst_args *args)
{
	return kst_drop(args->num[0]);
}

static int kst_run_root(const struct kst_args *args)
{
	return kst_root(args->word[0], args->num[1]);
}

static int kst_run_unroot(const struct kst_args *args)
{
	return kst_unroot(args->word[0]);
}

/* hook NAME SLOT [OFFSET [SIZE]] */
static int kst_run_hook(const struct kst_args *args)
{
	struct kst_slot *slot = kst_arg_slot(args, 1);

	if (!slot || slot->kind == KST_NONE)
		return -ENOENT;
	return kst_hook(args->word[0], slot, args->nr > 2 ? args->num[2] : 0,
			args->nr > 3 ? args->num[3] : slot->size);
}

/* vmstruct VM_SLOT SLOT: register SLOT as a block whose vm_struct is VM_SLOT */
static int kst_run_vmstruct(const struct kst_args *args)
{
	struct kst_slot *vm = kst_arg_slot(args, 0);
	struct kst_slot *slot = kst_arg_slot(args, 1);

	if (!vm || !slot)
		return -EINVAL;
	return kst_vm_struct(vm, slot);
}

static int kst_run_free_atomic(const struct kst_args *args)
{
	return kst_free_atomic(args->num[0]);
}

static int kst_run_overlap(const struct kst_args *args)
{
	struct kst_slot *slot = kst_arg_slot(args, 0);

	return slot ? kst_overlap(slot) : -EINVAL;
}

static int kst_run_tolerate(const struct kst_args *args)
{
	kst_tolerate();
	return 0;
}

static int kst_run_free(const struct kst_args *args)
{
	struct kst_slot *slot = kst_arg_slot(args, 0);

	if (!slot)
		return -EINVAL;
	kst_destroy(slot);
	return 0;
}

/*
 * Blocks that were just freed may be referenced only by a CPU that runs RCU callbacks,
 * until this CPU continues.
 */
static int kst_run_drain(const struct kst_args *args)
{
	rcu_barrier();
	return 0;
}

/* chain COUNT: that many more objects, each of which refers to another */
static int kst_run_chain(const struct kst_args *args)
{
	return kst_chain_grow(args->num[0]);
}

static int kst_run_reset(const struct kst_args *args)
{
	kst_stress_cleanup();
	kst_chain_free();
	kst_unroot_all();
	kst_unalias();
	kst_destroy_all();
	return kst_run_drain(args);
}

/* alias COUNT TARGET_SLOT: COUNT views of a block full of pointers */
static int kst_run_alias(const struct kst_args *args)
{
	struct kst_slot *target = kst_arg_slot(args, 1);

	return target ? kst_alias(args->num[0], target) : -EINVAL;
}

/* pool try|use, pool reject NUMBER; see kst_pool.c */
static int kst_run_pool(const struct kst_args *args)
{
	int ret;

	if (!strcmp(args->word[0], "reject"))
		return args->nr > 1 ? kst_pool_reject(args->num[1]) : -EINVAL;
	if (!strcmp(args->word[0], "use")) {
		kst_pool_use();
		return 0;
	}
	if (strcmp(args->word[0], "try"))
		return -EINVAL;
	ret = kst_pool_try();
	if (ret)
		return ret;
	return kst_pool_list(kst_result, sizeof(kst_result));
}

static int kst_run_unalias(const struct kst_args *args)
{
	kst_unalias();
	return 0;
}

/* churn SIZE COUNT */
static int kst_run_churn(const struct kst_args *args)
{
	return kst_churn(args->num[0], args->num[1]);
}

/* stress THREADS LIVE LEAKS: live and leaked objects of each thread */
static int kst_run_stress(const struct kst_args *args)
{
	return kst_stress_start(args->num[0], args->num[1], args->num[2]);
}

static int kst_run_unstress(const struct kst_args *args)
{
	return kst_stress_stop();
}

static int kst_run_leaks(const struct kst_args *args)
{
	return kst_stress_leaks(kst_result, sizeof(kst_result));
}

static int kst_run_wipe(const struct kst_args *args)
{
	kst_wipe_idle();
	return 0;
}

static const struct kst_command kst_commands[] = {
	{ "addr",	1, kst_run_addr },
	{ "alias",	2, kst_run_alias },
	{ "bare",	2, kst_run_bare },
	{ "burst",	4, kst_run_burst },
	{ "chain",	1, kst_run_chain },
	{ "churn",	2, kst_run_churn },
	{ "drain",	0, kst_run_drain },
	{ "drop",	1, kst_run_drop },
	{ "fill",	2, kst_run_fill },
	{ "free",	1, kst_run_free },
	{ "freeatomic",	1, kst_run_free_atomic },
	{ "hold",	2, kst_run_hold },
	{ "hook",	2, kst_run_hook },
	{ "kmalloc",	2, kst_run_kmalloc },
	{ "leaks",	0, kst_run_leaks },
	{ "overlap",	1, kst_run_overlap },
	{ "page",	2, kst_run_page },
	{ "percpu",	2, kst_run_percpu },
	{ "phys",	2, kst_run_phys },
	{ "poke",	3, kst_run_poke },
	{ "pool",	1, kst_run_pool },
	{ "rawphys",	3, kst_run_rawphys },
	{ "reset",	0, kst_run_reset },
	{ "root",	2, kst_run_root },
	{ "store",	4, kst_run_store },
	{ "stress",	3, kst_run_stress },
	{ "tolerate",	0, kst_run_tolerate },
	{ "unalias",	0, kst_run_unalias },
	{ "unroot",	1, kst_run_unroot },
	{ "unstress",	0, kst_run_unstress },
	{ "vmalloc",	2, kst_run_vmalloc },
	{ "vmstruct",	2, kst_run_vmstruct },
	{ "wipe",	0, kst_run_wipe },
};

static int kst_run_line(char *line)
{
	struct kst_args args = {};
	const char *name;
	char *word;
	int i;

	line = strim(line);
	name = strsep(&line, " ");
	while ((word = strsep(&line, " "))) {
		if (args.nr == KST_MAX_ARGS)
			return -E2BIG;
		args.word[args.nr] = word;
		/* the command itself checks words that are no numbers */
		if (kstrtoul(word, 0, &args.num[args.nr])) {
			long value;

			if (!kstrtol(word, 0, &value))
				args.num[args.nr] = value;
		}
		args.nr++;
	}

	for (i = 0; i < ARRAY_SIZE(kst_commands); i++) {
		if (strcmp(name, kst_commands[i].name))
			continue;
		if (args.nr < kst_commands[i].min_args)
			return -EINVAL;
		return kst_commands[i].run(&args);
	}
	return -EINVAL;
}

static ssize_t kst_write(struct file *file, const char __user *user_buf,
			 size_t size, loff_t *ppos)
{
	char line[KST_MAX_COMMAND];
	int ret;

	if (size >= sizeof(line))
		return -E2BIG;
	if (copy_from_user(line, user_buf, size))
		return -EFAULT;
	line[size] = '\0';

	mutex_lock(&kst_mutex);
	kst_result[0] = '\0';
	ret = kst_run_line(line);
	mutex_unlock(&kst_mutex);
	return ret ?: size;
}

static ssize_t kst_read(struct file *file, char __user *user_buf, size_t size,
			loff_t *ppos)
{
	ssize_t ret;

	mutex_lock(&kst_mutex);
	ret = simple_read_from_buffer(user_buf, size, ppos, kst_result,
				      strlen(kst_result));
	mutex_unlock(&kst_mutex);
	return ret;
}

static const struct file_operations kst_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = kst_read,
	.write = kst_write,
	.llseek = default_llseek,
};

static int __init kst_init(void)
{
	forget_boot_memory();
	kst_avoid_init((unsigned long)kst_init);
	kst_dir = debugfs_create_dir("kmemleak_selftest", NULL);
	debugfs_create_file("cmd", 0600, kst_dir, NULL, &kst_fops);
	return 0;
}
module_init(kst_init);

static void __exit kst_exit(void)
{
	static const struct kst_args no_args;

	debugfs_remove(kst_dir);
	kst_run_reset(&no_args);
	kst_free_in_first();
	kst_free_in_init();
	kst_pool_destroy();
}
module_exit(kst_exit);

MODULE_DESCRIPTION("Objects under the control of the kmemleak selftests");
MODULE_LICENSE("GPL");
