// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files: /dev/kmemleak, which is always there, and those of debugfs, where lockdown
 * allows them. Both may only be opened by root.
 *
 *	/dev/kmemleak		read: the summary, then the blocks; write: commands
 *	debugfs/kmemleak	read: the blocks; write: commands
 *	debugfs/kmemleak_summary	read: the summary
 *
 * A read waits for the end of the scan that runs. Commands: "scan", which waits for its
 * end, too, and ends it if a signal comes; "stop"; "clear"; "suppress=RULE".
 */

#include "oneshot.h"

/* === Reading ============================================================ */

/* Position 0 is the summary, others are blocks. */
static void *seq_from(loff_t pos, const struct kml_report *report)
{
	if (!pos)
		return SEQ_START_TOKEN;
	return pos <= report->nr ? &report->leaks[pos - 1] : NULL;
}

static void *report_start(struct seq_file *seq, loff_t *pos)
{
	return seq_from(*pos, kml_report_get());
}

static void *report_next(struct seq_file *seq, void *v, loff_t *pos)
{
	++*pos;
	return seq_from(*pos, seq->private);
}

static void report_stop(struct seq_file *seq, void *v)
{
	kml_report_put();
}

static void show_leak(struct seq_file *seq, const struct kml_report *report, void *v)
{
	kml_text_leak(seq, report, (struct kml_leak *)v - report->leaks);
}

static int blocks_show(struct seq_file *seq, void *v)
{
	if (v != SEQ_START_TOKEN)
		show_leak(seq, seq->private, v);
	return 0;
}

static int all_show(struct seq_file *seq, void *v)
{
	if (v != SEQ_START_TOKEN) {
		show_leak(seq, seq->private, v);
		return 0;
	}
	kml_text_summary(seq, seq->private);
	seq_putc(seq, '\n');
	return 0;
}

#define REPORT_SEQ(name)				\
static const struct seq_operations name##_seq = {	\
	.start	= report_start,				\
	.next	= report_next,				\
	.stop	= report_stop,				\
	.show	= name##_show,				\
}

REPORT_SEQ(blocks);

REPORT_SEQ(all);

/* Those who write need not wait. */
static int open_report(struct file *file, const struct seq_operations *ops)
{
	struct seq_file *seq;
	int err = 0;

	if (file->f_mode & FMODE_READ && !(file->f_flags & O_NONBLOCK))
		err = kml_scan_wait();
	/* misc devices find themselves there */
	file->private_data = NULL;
	err = err ?: seq_open(file, ops);
	if (err)
		return err;
	seq = file->private_data;
	seq->private = (void *)kml_report_get();
	kml_report_put();
	return 0;
}

static int blocks_open(struct inode *inode, struct file *file)
{
	return open_report(file, &blocks_seq);
}

static int all_open(struct inode *inode, struct file *file)
{
	return open_report(file, &all_seq);
}

static int summary_show(struct seq_file *seq, void *v)
{
	kml_text_summary(seq, kml_report_get());
	kml_report_put();
	return 0;
}

static int summary_open(struct inode *inode, struct file *file)
{
	return kml_scan_wait() ?: single_open(file, summary_show, NULL);
}

/* === Commands =========================================================== */

#define COMMAND_MAX	200

static int command(char *text)
{
	if (!strcmp(text, "scan"))
		return kml_scan_run();
	if (!strcmp(text, "stop")) {
		kml_scan_stop();
		return 0;
	}
	if (!strcmp(text, "clear")) {
		kml_report_clear();
		return 0;
	}
	if (!strncmp(text, "suppress=", 9))
		return kml_scan_rule(text + 9);
	return -EINVAL;
}

static ssize_t report_write(struct file *file, const char __user *user, size_t len, loff_t *pos)
{
	char text[COMMAND_MAX];
	int err;

	if (len >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, user, len))
		return -EFAULT;
	text[len] = '\0';
	err = command(strim(text));
	return err ?: len;
}

/* === Files ============================================================== */

#define REPORT_FILE(name)				\
static const struct file_operations name##_fops = {	\
	.owner		= THIS_MODULE,			\
	.open		= name##_open,			\
	.read		= seq_read,			\
	.write		= report_write,			\
	.llseek		= seq_lseek,			\
	.release	= seq_release,			\
}

REPORT_FILE(blocks);

REPORT_FILE(all);

static const struct file_operations summary_fops = {
	.owner		= THIS_MODULE,
	.open		= summary_open,
	.read		= seq_read,
	.llseek		= seq_lseek,
	.release	= single_release,
};

static struct miscdevice device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "kmemleak",
	.fops	= &all_fops,
	.mode	= 0600,
};

static struct dentry *blocks_file, *summary_file;

/**
 * kml_control_init() - make the files
 *
 * Return: 0, or a negative error.
 */
int kml_control_init(void)
{
	int err = misc_register(&device);

	if (err || security_locked_down(LOCKDOWN_DEBUGFS))
		return err;
	blocks_file = debugfs_create_file("kmemleak", 0600, NULL, NULL, &blocks_fops);
	summary_file = debugfs_create_file("kmemleak_summary", 0400, NULL, NULL, &summary_fops);
	return 0;
}

void kml_control_exit(void)
{
	debugfs_remove(blocks_file);
	debugfs_remove(summary_file);
	misc_deregister(&device);
}
