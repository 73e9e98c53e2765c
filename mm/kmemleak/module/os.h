/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every kernel header that the module uses. Stands in for ../os.h where the files that
 * the module shares with the core (slabs.c, pages.c, filter.c) are built: the module is
 * built against the headers of Linux 6.1 and later.
 */
#ifndef _MM_KMEMLEAK_OS_H
#define _MM_KMEMLEAK_OS_H

#define pr_fmt(fmt) "kmemleak: " fmt

#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/btf.h>
#include <linux/cc_platform.h>
#include <linux/cpumask.h>
#include <linux/crc32.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/glob.h>
#include <linux/init.h>
#include <linux/kallsyms.h>
#include <linux/kasan.h>
#include <linux/kcsan-checks.h>
#include <linux/kernel.h>
#include <linux/kfence.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/memory_hotplug.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/page-flags.h>
#include <linux/pagemap.h>
#include <linux/percpu.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/security.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/spinlock.h>
#include <linux/static_call.h>
#include <linux/string.h>
#include <linux/swab.h>
#include <linux/uaccess.h>
#include <linux/utsname.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>

#ifdef HAVE_LINUX_UNALIGNED_H
#include <linux/unaligned.h>
#else
#include <asm/unaligned.h>
#endif

/* Linux 6.1: the number, not the largest */
#ifndef NR_PAGE_ORDERS
#define NR_PAGE_ORDERS	MAX_ORDER
#endif

/* Of ../filter.c: a module has one initialiser, which calls this. */
#undef late_initcall
#define late_initcall(fn)	int __init __alias(fn) kml_filter_setup(void)

#endif /* _MM_KMEMLEAK_OS_H */
