// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/kmemleak: commands in, reports out. kmemleak_stats beside
 * it: one "name value" pair a line.
 */

#include "os.h"
#include "control.h"
#include "debugfs.h"
#include "filter.h"
#include "progress.h"
#include "report.h"
#include "reserve.h"
#include "shard.h"
#include "signals.h"
#include "state.h"
#include "workers.h"

static void *kml_seq_start(struct seq_file *seq, loff_t *pos)
{
	int err = kml_scan_lock();

	return err ? ERR_PTR(err) : kml_report_get(*pos);
}

static void *kml_seq_next(struct seq_file *seq, void *v, loff_t *pos)
{
	return kml_report_get(++*pos);
}

static void kml_seq_stop(struct seq_file *seq, void *v)
{
	/* not locked if start() was interrupted */
	if (!IS_ERR(v))
		mutex_unlock(&kml_scan_mutex);
}

static int kml_seq_show(struct seq_file *seq, void *v)
{
	kml_report_show(seq, v);
	return 0;
}

static const struct seq_operations kml_seq_ops = {
	.start	= kml_seq_start,
	.next	= kml_seq_next,
	.stop	= kml_seq_stop,
	.show	= kml_seq_show,
};

static int kml_open(struct inode *inode, struct file *file)
{
	return seq_open(file, &kml_seq_ops);
}

/* One command a write; what does not fit into the buffer is ignored. */
static ssize_t kml_write(struct file *file, const char __user *user_buf,
			 size_t size, loff_t *ppos)
{
	char buf[64];
	long len;
	int ret;

	len = min(size, sizeof(buf) - 1);
	if (strncpy_from_user(buf, user_buf, len) < 0)
		return -EFAULT;
	buf[len] = '\0';

	ret = kml_control_write(buf);
	if (ret)
		return ret;

	*ppos += size;
	return size;
}

static const struct file_operations kml_fops = {
	.owner		= THIS_MODULE,
	.open		= kml_open,
	.read_iter	= seq_read_iter,
	.splice_read	= copy_splice_read,
	.write		= kml_write,
	.llseek		= seq_lseek,
	.release	= seq_release,
};

static void kml_show_running(struct seq_file *seq)
{
	u64 begin = READ_ONCE(kml_progress.begin);

	seq_printf(seq, "running %d\n", !!begin);
	if (!begin)
		return;
	seq_printf(seq, "running_phase %s\n",
		   kml_stage_name(READ_ONCE(kml_progress.stage)));
	seq_printf(seq, "running_ms %llu\n",
		   div_u64(ktime_get_ns() - begin, NSEC_PER_MSEC));
	seq_printf(seq, "running_bytes %llu\n", kml_workers_words() * sizeof(long));
	seq_printf(seq, "running_bytes_expected %llu\n",
		   READ_ONCE(kml_progress.expected));
	seq_printf(seq, "running_workers %u\n", kml_workers_nr());
}

static void kml_show_scan(struct seq_file *seq, const struct kml_scan_stats *s)
{
	unsigned int i;

	seq_printf(seq, "scan_stopped %d\n", s->stopped);
	seq_printf(seq, "scan_ms %llu\n", div_u64(s->ns, NSEC_PER_MSEC));
	seq_printf(seq, "scan_us %llu\n", div_u64(s->ns, NSEC_PER_USEC));
	for (i = KML_STAGE_PREPARE; i < KML_NR_STAGES; i++)
		seq_printf(seq, "scan_%s_us %llu\n", kml_stage_name(i),
			   div_u64(s->stage_ns[i], NSEC_PER_USEC));
	seq_printf(seq, "scan_workers %u\n", s->workers);
	seq_printf(seq, "scan_worker_us %llu\n", div_u64(s->sum.ns, NSEC_PER_USEC));
	seq_printf(seq, "scan_bytes %llu\n", s->sum.words * sizeof(long));
	seq_printf(seq, "scan_objects %llu\n", s->sum.objects);
	seq_printf(seq, "scan_candidates %llu\n", s->sum.candidates);
	seq_printf(seq, "scan_settled %llu\n", s->sum.settled);
	seq_printf(seq, "scan_lookups %llu\n", s->sum.lookups);
	seq_printf(seq, "scan_steals %llu\n", s->sum.steals);
	seq_printf(seq, "scan_overflows %llu\n", s->sum.overflows);
	seq_printf(seq, "scan_suspects %lu\n", s->suspects);
	seq_printf(seq, "scan_leaks %lu\n", s->leaks);
}

/* Takes no lock that a scan holds: how it gets on is what one wants to know. */
static int kml_stats_show(struct seq_file *seq, void *v)
{
	struct kml_scan_stats *scans;
	unsigned int i, nr;

	scans = kcalloc(KML_SCANS_KEPT, sizeof(*scans), GFP_KERNEL);
	if (!scans)
		return -ENOMEM;
	nr = kml_progress_last(scans);

	seq_printf(seq, "objects %ld\n", kml_count_objects());
	for (i = 0; i < KML_NR_COUNTERS; i++)
		seq_printf(seq, "%s %ld\n", kml_counter_name(i), kml_count_sum(i));
	seq_printf(seq, "intervals %lu\n", kml_shard_intervals());
	seq_printf(seq, "reserve_blocks %lu\n", READ_ONCE(kml_reserve_nr));
	seq_printf(seq, "reserve_dry %d\n", kml_reserve_ran_dry());
	seq_printf(seq, "enabled %d\n", kml_enabled());
	seq_printf(seq, "parallel %d\n", kml_workers_wanted() > 1);
	seq_printf(seq, "workers_wanted %u\n",
		   min(kml_workers_wanted(), num_possible_cpus()));
	seq_printf(seq, "filter %s\n", kml_filter_current()->name);
	kml_show_running(seq);
	seq_printf(seq, "scans %lu\n", nr ? scans[0].seq : 0);
	seq_printf(seq, "scans_stopped %lu\n", nr ? scans[0].all_stopped : 0);
	if (nr)
		kml_show_scan(seq, &scans[0]);
	/* 1: the one before the last */
	for (i = 1; i < nr; i++) {
		seq_printf(seq, "scan_us.%u %llu\n", i,
			   div_u64(scans[i].ns, NSEC_PER_USEC));
		seq_printf(seq, "scan_bytes.%u %llu\n", i,
			   scans[i].sum.words * sizeof(long));
		seq_printf(seq, "scan_workers.%u %u\n", i, scans[i].workers);
		seq_printf(seq, "scan_stopped.%u %d\n", i, scans[i].stopped);
		seq_printf(seq, "scan_leaks.%u %lu\n", i, scans[i].leaks);
	}
	kfree(scans);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(kml_stats);

/**
 * kml_debugfs_init() - create the files
 *
 * "unsafe" only means that the file is not expected to be removed; in return
 * splice (so sendfile()) reaches us.
 *
 * Context: late_initcall.
 */
void __init kml_debugfs_init(void)
{
	debugfs_create_file_unsafe("kmemleak", 0644, NULL, NULL, &kml_fops);
	debugfs_create_file("kmemleak_stats", 0444, NULL, NULL, &kml_stats_fops);
}
