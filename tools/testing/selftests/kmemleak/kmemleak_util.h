/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Functions of all kmemleak selftests: the kmemleak file, its report, the kernel log, and
 * objects of the kmemleak_selftest module.
 */
#ifndef _KMEMLEAK_UTIL_H
#define _KMEMLEAK_UTIL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* With all checks of a debugging kernel, a scan may take seconds. */
#ifdef TEST_TIMEOUT_DEFAULT
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	180
#endif

#define KML_FILE	"/sys/kernel/debug/kmemleak"
#define KML_STATS	"/sys/kernel/debug/kmemleak_stats"
#define KML_PAGES	"/sys/kernel/debug/kmemleak_pages"
#define KML_LEAKS	"/sys/kernel/debug/kmemleak_leaks"
#define KML_STACKS	"/sys/kernel/debug/kmemleak_stacks"
#define KML_REFS	"/sys/kernel/debug/kmemleak_refs"
#define KML_PARAM(name)	"/sys/module/kmemleak/parameters/" name

/* milliseconds: the least age of a reported object, and an age that is surely enough */
#define KML_MIN_AGE_MS	5000
#define KML_AGE_MS	5300

/* The needs of a test program. */
#define KML_NEED_MODULE		(1 << 0)
#define KML_NEED_ENABLED	(1 << 1)

/* Set up, or skip the whole program. Undone when the program exits. */
void kml_setup(unsigned int needs);

/* True with stock kmemleak. */
bool kml_is_stock(void);

/* True on a kernel with PREEMPT_RT. */
bool kml_is_rt(void);

/* A module of test_modules/, loaded if it is not: 0 or -errno. */
int kml_load_module(const char *name);

/* A value of kmemleak_stats, or -1. */
long kml_stat(const char *name);
bool kml_stats_has(const char *line);

/* The kmemleak file: 0 or -errno. */
int kml_command(const char *command);
int kml_scan(void);
char *kml_read_chunks(int fd, size_t chunk, size_t *len);
long long kml_position(int fd);

/*
 * Addresses of objects are kept scrambled, as keys, and unscrambled only for printing. The
 * registers of a task are saved in memory that kmemleak reads, so that even a copy through
 * a vector register would hide a leak.
 */

/* The report, cut into entries. */
struct kml_entry {
	const char *text;
	size_t len;
	unsigned long key;
	size_t size;
	char space[16];		/* "", "phys" or "percpu" */
	char comm[32];
	int pid;
	unsigned long jiffies;
	unsigned int crc;
	int nr_frames;
};

struct kml_report {
	char *text;
	size_t len;
	struct kml_entry *entry;
	int nr;
};

int kml_parse(char *text, size_t len, struct kml_report *report);
int kml_load(struct kml_report *report);
void kml_unload(struct kml_report *report);
bool kml_has_frame(const struct kml_entry *entry, const char *function);
bool kml_match(const char *text, const char *regex);
unsigned long kml_scramble(unsigned long value);

/* The kernel log from a point on, one message a line, without its prefix. */
int kml_log_open(void);
char *kml_log_read(int fd);

/* Files, time, CPUs */
int kml_write_file(const char *path, const char *value);
int __printf(2, 0) kml_vprint_file(const char *path, const char *fmt, va_list args);
int kml_read_once(const char *path, char *buf, size_t size);
int kml_read_file(const char *path, char *buf, size_t size);
void kml_sleep_ms(unsigned int ms);
unsigned long long kml_now_ms(void);
int kml_nr_cpus(void);
int kml_pin(int cpu);
bool kml_task_exists(const char *comm);
bool kml_task_ends(const char *comm);

/* Objects of the test module. */
struct kst_obj {
	int slot;
	unsigned long key;
	unsigned long since;	/* jiffies around its creation */
	unsigned long until;
	size_t size;
};

const char *kst_name(struct kst_obj obj, long offset);
const struct kml_entry *kml_find_key(const struct kml_report *report,
				     unsigned long key);
const struct kml_entry *kml_find(const struct kml_report *report,
				 struct kst_obj obj);
const struct kml_entry *kml_find_at(const struct kml_report *report,
				    struct kst_obj obj, long offset);
bool kml_listed(struct kst_obj obj);
const struct kml_entry *kml_find_leak(const struct kml_report *report, struct kst_obj obj);
bool kml_must_list(struct kst_obj obj);

int kst(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int kst_read(char *buf, size_t size);
struct kst_obj kst_make(size_t size, const char *kind, const char *rest);
struct kst_obj kst_page(size_t size);
struct kst_obj kst_page_min(size_t size, int min_count);
struct kst_obj kst_bare(size_t size);
int kst_burst(const char *kind, int nr, size_t size, struct kst_obj *objs);
int kst_hold(struct kst_obj obj, size_t offset);
int kst_drop(struct kst_obj obj);
int kst_hook(const char *hook, struct kst_obj obj);
int kst_hook_part(const char *hook, struct kst_obj obj, size_t offset,
		  size_t size);
int kst_store(struct kst_obj obj, size_t offset, struct kst_obj container,
	      size_t where);

/* The state of an object after the last scan, by dump=. */
enum kst_opinion {
	KST_UNKNOWN,		/* there is no such object */
	KST_GREY,		/* is never reported */
	KST_WHITE,		/* has too few references */
	KST_REFERENCED,		/* has enough references, or words that look like them */
};

enum kst_opinion kst_opinion(unsigned long key, bool percpu);
int kst_make_pool(void);

/*
 * A single object must be listed. If it is not, words that look like references to it
 * are printed, and it must be listed after another scan. Later tests must count that
 * scan.
 */
#define EXPECT_LISTED(obj)	EXPECT_TRUE(kml_must_list(obj))
#define EXPECT_UNLISTED(obj)	EXPECT_FALSE(kml_listed(obj))

/*
 * The objects that a test needs, next to the test. main() calls kst_plant_all() before
 * the first scan, and waits once until all objects are old enough.
 */
#define KST_PLANT(name)							\
	static void kst_plant_##name(void);				\
	static void __attribute__((constructor)) kst_add_##name(void)	\
	{								\
		kst_add_planter(kst_plant_##name);			\
	}								\
	static void kst_plant_##name(void)

void kst_add_planter(void (*planter)(void));
void kst_plant_all(void);

#endif /* _KMEMLEAK_UTIL_H */
