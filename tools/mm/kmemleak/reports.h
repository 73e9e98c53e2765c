/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a kernel with kmemleak reports: read by reports.c from debugfs or from a saved
 * file, grouped by groups.c, and printed by formats.c. live.c has the files of debugfs.
 */
#ifndef _TOOLS_KMEMLEAK_REPORTS_H
#define _TOOLS_KMEMLEAK_REPORTS_H

#include "kmemleak.h"

#define DEBUGFS		"/sys/kernel/debug"
#define R_UNKNOWN	(~0UL)	/* number that the input does not have */

/* Where a report is from, and where it goes. */
struct reports_source {
	const char *debugfs;
	const char *file;	/* saved copy, or NULL */
	const char *stacks;	/* of kmemleak_stacks beside it, or NULL */
};

/**
 * struct rframe - frame of an allocation stack; equal strings have one address
 * @text: the frame as the kernel prints it, without its address
 * @func: name of the function, without suffixes of the compiler
 * @module: module of the function, or NULL
 */
struct rframe {
	const char *text;
	const char *func;
	const char *module;
};

/**
 * struct rstack - allocation stack
 * @id: number of the kernel
 * @nr: number of frames
 * @caller: first frame that is not of an allocator; @nr: there is none
 * @module: of the first frame that is in a module, or NULL
 */
struct rstack {
	unsigned long id;
	u32 nr;
	u32 caller;
	const char *module;
	struct rframe *frames;
};

/**
 * struct rleak - one report; numbers may be R_UNKNOWN, strings NULL
 * @born: of a text, jiffies
 * @stack: index of its stack; stack 0 has no frames
 * @hex: of a text, the lines of the dump
 * @hex_len: bytes of @hex
 */
struct rleak {
	unsigned long addr, size, age_ms, born;
	unsigned long scan, generation;
	unsigned long head, retains, retained_bytes;
	const char *comm, *cache, *hex;
	u32 hex_len, stack;
	int pid;
	bool percpu, possible;
};

/**
 * struct reports - all reports
 * @text: they are from the text, which does not have all numbers
 * @lost_stacks: leaks whose stack is not listed
 */
struct reports {
	struct rleak *leaks;
	unsigned long nr, room;
	struct rstack *stacks;
	unsigned long nr_stacks, room_stacks;
	unsigned long lost_stacks;
	bool text;
};

void reports_load(struct reports *r, const struct reports_source *from);
const char *intern(const char *s, size_t len);

/* === Groups: groups.c =================================================== */

enum group_by { BY_STACK, BY_FUNCTION, BY_MODULE, BY_CACHE };
enum sort_by { SORT_BYTES, SORT_COUNT, SORT_AGE };
enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_FOLDED, FORMAT_CSV };

struct group_options {
	enum group_by by;
	enum sort_by sort;
	enum format format;
	bool heads;
	bool certain;			/* without those that untracked memory refers to */
	unsigned long since;		/* generation, or R_UNKNOWN: all */
	const char *module;
	unsigned long min_size;
	unsigned long max_groups;	/* 0: all */
};

/**
 * struct rgroup - leaks with one key
 * @key: their common property
 * @sample: index of the leak that stands for them, the oldest
 * @youngest: index of the youngest
 * @nr: number of leaks; with heads only, of those that they retain
 * @bytes: of these
 */
struct rgroup {
	const char *key;
	unsigned long sample, youngest;
	unsigned long nr, bytes;
	unsigned long heads, possible;
	unsigned long min_size, max_size;
};

struct groups {
	const struct reports *reports;
	const struct group_options *options;
	struct rgroup *groups;
	unsigned long nr, room;
	unsigned long leaks, bytes, heads;
};

void groups_make(struct groups *g, const struct reports *r, const struct group_options *o);
void groups_free(struct groups *g);
/* "function [module]" of the caller of the allocator. */
const char *stack_function(const struct rstack *s);
bool is_allocator(const char *func);
void groups_print(const struct groups *g);
void groups_json(const struct groups *g);

/* === Files of debugfs: live.c =========================================== */

char *live_path(const char *debugfs, const char *name);
bool live_has(const char *debugfs, const char *name);
/* Opens a file, or gives up with the reason. */
int live_open(const char *debugfs, const char *name, int flags);
/* Writes a command. Return: 0 or an error number. */
int live_command(const char *debugfs, const char *command);
__attribute__((noreturn)) void live_failed(const char *command, int err);
void live_catch_signals(bool on);
/* Gives up if the kernel is stock's; @what names what needs more. */
void live_needs_ours(const char *debugfs, const char *what);
char *live_read(int fd, const char *name, size_t *len);
/* A number of kmemleak_stats. Return: false if there is no such line. */
bool live_stat(const char *stats, const char *name, unsigned long *value);
/* kmemleak_stats, or NULL if the kernel has none; to be freed. */
char *live_stats(const char *debugfs);
void output_done(void);

/* Of the subcommands that read an image as well. */
int live_scan(const char *debugfs, bool check, const struct group_options *o);
int live_why(const char *debugfs, unsigned long addr, unsigned long depth, unsigned long max);

/* === A file that is new as a whole: newfile.c =========================== */

/**
 * struct new_file - file that replaces another when it is complete
 * @f: to write to
 * @path: its name then
 * @temporary: its name until then
 */
struct new_file {
	FILE *f;
	const char *path;
	char *temporary;
};

void new_file_open(struct new_file *n, const char *path);
void new_file_done(struct new_file *n);

#endif /* _TOOLS_KMEMLEAK_REPORTS_H */
