/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Declarations for torture_test.c and torture_load.c.
 */
#ifndef _TORTURE_H
#define _TORTURE_H

#include <stdbool.h>
#include <stddef.h>

#define TORTURE_CMD		"/sys/kernel/debug/kmemleak_torture/cmd"
#define TORTURE_PROCESSES	4
#define TORTURE_OTHERS		64

enum torture_class { TORTURE_LIVE, TORTURE_MOVED, TORTURE_LEAK, TORTURE_NR };

/* Shared by all processes. Each number has one writer, or need not be exact. */
struct torture_shared {
	bool stop, toggle_parallel;
	unsigned int scan_every_ms;	/* the period of each scanner; 0: without a pause */
	long scans, scans_stopped, scan_max_ms;
	long reads, bad_reads;
	long commands, bad_commands;
	long seen[TORTURE_NR];		/* objects, each counted once */
	long nr_others;
	unsigned long others[TORTURE_OTHERS];
};

extern struct torture_shared *shared;

int __printf(1, 2) torture_tell(const char *fmt, ...);
void torture_unreported(char *buf, size_t size);
long torture_planted(void);
void torture_scan(void);
void torture_read_and_judge(size_t chunk);
void torture_scanner(void);
void torture_reader(void);
void torture_commander(void);

#endif /* _TORTURE_H */
