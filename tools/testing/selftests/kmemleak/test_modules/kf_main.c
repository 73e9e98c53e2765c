// SPDX-License-Identifier: GPL-2.0
/*
 * kmemleak_find: words that point to a block, and their owners
 *
 * For leaks that are not reported. /sys/kernel/debug/kmemleak_find takes one command a
 * write:
 *
 *   want ADDRESS SIZE		 add a block to search for
 *   forget			 remove all blocks
 *   find			 search for words that point into the blocks, log them
 *   image_from N, image_to N	 the bounds of the kernel's data, for find
 *   settle			 wait until RCU has freed all blocks
 *
 * Words that point to the vm_struct of a block of vmalloc() are references to the block,
 * too: if the first search finds the vm_struct, a second one searches for them.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "kf.h"

#define KF_NAME		"kmemleak-find: "
#define KF_MAX_WANTED	64
/*
 * The words that are logged for each block. Most are in free or untracked memory: of a
 * block with 598 words, the first 64 were such words, and the one that mattered was not
 * among them.
 */
#define KF_MAX_SAID	2048

static DEFINE_MUTEX(kf_mutex);
static struct dentry *kf_file;
static struct kf_wanted kf_blocks[KF_MAX_WANTED], kf_areas[KF_MAX_WANTED];
static unsigned int kf_nr_blocks, kf_nr_areas;

/* Is @page a page of this stack? Then *offset is its offset in the stack. */
static bool kf_in_stack(void *stack, struct page *page, unsigned long *offset)
{
	for (*offset = 0; stack && *offset < THREAD_SIZE; *offset += PAGE_SIZE) {
		void *at = stack + *offset;

		if (page == (is_vmalloc_addr(at) ? vmalloc_to_page(at) : virt_to_page(at)))
			return true;
	}
	return false;
}

/* The task whose stack the page is in, if any. */
static bool kf_whose_stack(struct page *page, unsigned long where, char *buf, size_t size)
{
	struct task_struct *g, *t;
	unsigned long offset;
	bool found = false;

	rcu_read_lock();
	for_each_process_thread(g, t) {
		found = kf_in_stack(task_stack_page(t), page, &offset);
		if (found)
			break;
	}
	if (found)
		scnprintf(buf, size, "stack of %s/%d, offset %lu of %lu", t->comm, t->pid,
			  offset + offset_in_page(where), (unsigned long)THREAD_SIZE);
	rcu_read_unlock();
	return found;
}

/* The owner of a word that is not in a slab */
static void kf_whose(struct page *page, unsigned long where, char *buf, size_t size)
{
	struct folio *folio;

	if (!page || PageReserved(page)) {
		scnprintf(buf, size, "%s %pS", kf_page_kind(page), (void *)where);
		return;
	}
	if (kf_whose_stack(page, where, buf, size))
		return;
	folio = page_folio(page);
	if (folio_test_anon(folio) || folio->mapping)
		strscpy(buf, "memory of programs or files", size);
	else
		scnprintf(buf, size, "page, pfn 0x%lx, order %u, count %d", page_to_pfn(page),
			  folio_order(folio), page_count(page));
}

static void kf_say(const char *what, struct kf_wanted *w, unsigned long offset,
		   unsigned long where, struct page *page)
{
	char whose[128];

	if (w->found >= KF_MAX_SAID)
		return;
	if (page && folio_test_slab(page_folio(page))) {
		/* the owner of the word ends the line */
		pr_info(KF_NAME "%u: %s 0x%lx+%lu is in a word at 0x%lx:", w->id, what,
			kt_scramble(w->hidden), offset, where);
		mem_dump_obj((void *)where);
		return;
	}
	kf_whose(page, where, whose, sizeof(whose));
	pr_info(KF_NAME "%u: %s 0x%lx+%lu is in a word at 0x%lx: %s\n", w->id, what,
		kt_scramble(w->hidden), offset, where, whose);
}

/* Is a word with a block's address the member of a vm_struct? Then add the vm_struct. */
static void kf_want_area(struct kf_wanted *w, unsigned long where)
{
	unsigned long start = where - offsetof(struct vm_struct, addr);
	struct vm_struct area;

	if (kf_nr_areas == KF_MAX_WANTED || !is_vmalloc_addr((void *)kt_scramble(w->hidden)))
		return;
	if (copy_from_kernel_nofault(&area, (void *)start, sizeof(area)))
		return;
	if ((unsigned long)area.addr == kt_scramble(w->hidden) && area.size >= w->size &&
	    area.nr_pages && (area.flags & VM_ALLOC))
		kf_areas[kf_nr_areas++] = (struct kf_wanted) {
			.hidden = kt_scramble(kt_untagged(start)),
			.size = sizeof(area),
			.id = w->id,
		};
	memset(&area, 0, sizeof(area));
}

static void kf_block_found(struct kf_wanted *w, unsigned long offset, unsigned long where,
			   struct page *page)
{
	kf_say("block", w, offset, where, page);
	if (page && folio_test_slab(page_folio(page)))
		kf_want_area(w, where);
}

static void kf_area_found(struct kf_wanted *w, unsigned long offset, unsigned long where,
			  struct page *page)
{
	kf_say("vm_struct", w, offset, where, page);
}

static int kf_find(void)
{
	unsigned int i;
	int ret;

	kf_nr_areas = 0;
	for (i = 0; i < kf_nr_blocks; i++)
		kf_blocks[i].found = 0;
	ret = kf_search(kf_blocks, kf_nr_blocks, 1, kf_block_found);
	if (!ret && kf_nr_areas)
		ret = kf_search(kf_areas, kf_nr_areas, 1, kf_area_found);
	for (i = 0; !ret && i < kf_nr_blocks; i++)
		pr_info(KF_NAME "%u: %u words\n", kf_blocks[i].id, kf_blocks[i].found);
	return ret;
}

static int kf_want(char *line)
{
	const char *address = strsep(&line, " ");
	unsigned long start, size;

	if (!line || kstrtoul(address, 0, &start) || kstrtoul(line, 0, &size) || !size)
		return -EINVAL;
	if (kf_nr_blocks == KF_MAX_WANTED)
		return -ENOSPC;
	kf_blocks[kf_nr_blocks] = (struct kf_wanted) {
		.hidden = kt_scramble(kt_untagged(start)),
		.size = size,
		.id = kf_nr_blocks,
	};
	kf_nr_blocks++;
	return 0;
}

static int kf_command(char *line)
{
	const char *name = strsep(&line, " ");
	unsigned long arg;

	if (!strcmp(name, "want"))
		return line ? kf_want(line) : -EINVAL;
	if (!strcmp(name, "image_from") || !strcmp(name, "image_to")) {
		if (!line || kstrtoul(line, 0, &arg))
			return -EINVAL;
		kf_set_image(name[6] == 'f' ? arg : 0, name[6] == 't' ? arg : 0);
		return 0;
	}
	if (line)
		return -EINVAL;
	if (!strcmp(name, "forget")) {
		kf_nr_blocks = 0;
		return 0;
	}
	if (!strcmp(name, "find"))
		return kf_find();
	if (!strcmp(name, "settle")) {
		/* a callback may queue another */
		rcu_barrier();
		rcu_barrier();
		return 0;
	}
	return -EINVAL;
}

static ssize_t kf_write(struct file *file, const char __user *user_buf, size_t size, loff_t *ppos)
{
	char line[64];
	int ret;

	if (size >= sizeof(line))
		return -E2BIG;
	if (copy_from_user(line, user_buf, size))
		return -EFAULT;
	line[size] = '\0';
	mutex_lock(&kf_mutex);
	ret = kf_command(strim(line));
	mutex_unlock(&kf_mutex);
	return ret ?: size;
}

static const struct file_operations kf_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = kf_write,
};

static int __init kf_init(void)
{
	kf_file = debugfs_create_file("kmemleak_find", 0200, NULL, NULL, &kf_fops);
	return PTR_ERR_OR_ZERO(kf_file);
}

static void __exit kf_exit(void)
{
	debugfs_remove(kf_file);
}

module_init(kf_init);
module_exit(kf_exit);
MODULE_DESCRIPTION("Which words point to a block that kmemleak does not report");
MODULE_LICENSE("GPL");
