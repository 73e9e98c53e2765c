/* SPDX-License-Identifier: GPL-2.0-only */
/* The simulated kernel memory of programs: see shim/layout.h. */
#ifndef _KML_WORLD_H
#define _KML_WORLD_H

#include "os.h"
#include "shim/log.h"

/* Map everything; once, before the first fork. */
void world_map(void);
/* Number of CPUs and of page frames; before kmemleak_init(). */
void world_cpus(unsigned int nr);
void world_pages(unsigned long nr);
void world_many_pages(unsigned long nr);
/* Give pages to the page allocator: 1 << @order, aligned. */
void world_free_block(unsigned long pfn, unsigned int order);
void world_many_tasks(int nr);
/* Make @t the task that allocates; world_tasks[] have stacks. */
void world_task(struct task_struct *t);
extern struct task_struct world_tasks[4];

/* Files of debugfs, as a user sees them. */
struct world_file {
	struct inode inode;
	struct file file;
	bool open;
};

int world_open(struct world_file *f, const char *name, unsigned int mode);
void world_close(struct world_file *f);
ssize_t world_read(struct world_file *f, char *buf, size_t n);
ssize_t world_write(struct world_file *f, const char *buf, size_t n);
loff_t world_seek(struct world_file *f, loff_t off);
/* Like sendfile(2), into memory; -EINVAL without a splice_read. */
ssize_t world_sendfile(struct world_file *f, char *buf, size_t n);
/* The whole file from its start, in reads of @chunk bytes; malloc()ed. */
char *world_slurp(struct world_file *f, size_t chunk, ssize_t *err);

/* Is an object at @addr listed? The file is read from its start. */
bool world_reported(struct world_file *f, unsigned long addr);
/* Write a command, and run deferred work. */
ssize_t world_command(struct world_file *f, const char *cmd);

/* A value of kmemleak_stats, or -1. */
long world_stat(const char *name);

/* Run deferred work, RCU callbacks and kernel threads. */
void world_quiesce(void);

/* Set parameters and workers from the environment, after the boot. */
void world_environment(void);

/* Boot with the given "kmemleak=" words (may be NULL), init, late initcalls. */
void world_boot(const char *arg);

#endif /* _KML_WORLD_H */
