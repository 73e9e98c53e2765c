// SPDX-License-Identifier: GPL-2.0
/*
 * kmemleak selftests: objects of the kmemleak_selftest module
 *
 * Every object takes the next free slot of the module. An object is held, if
 * at all, under the number of its slot.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../kselftest.h"
#include "kmemleak_util.h"

#define KST_FILE	"/sys/kernel/debug/kmemleak_selftest/cmd"

#define KST_MAX_PLANTERS	64
#define KST_MAX_BLOCKS		1024

static int kst_next_slot;
static void (*kst_planters[KST_MAX_PLANTERS])(void);
static int kst_nr_planters;

int kst(const char *fmt, ...)
{
	va_list args;
	int ret;

	if (!strcmp(fmt, "reset"))
		kst_next_slot = 0;
	va_start(args, fmt);
	ret = kml_vprint_file(KST_FILE, fmt, args);
	va_end(args);
	return ret;
}

/* The result of the last command, all of it. */
int kst_read(char *buf, size_t size)
{
	ssize_t len;
	int fd;

	fd = open(KST_FILE, O_RDONLY);
	if (fd < 0)
		return -errno;
	len = read(fd, buf, size - 1);
	if (len < 0)
		len = -errno;
	close(fd);
	buf[len < 0 ? 0 : len] = '\0';
	return len < 0 ? len : 0;
}

static void kst_give_up(const char *what, int err)
{
	ksft_print_msg("kmemleak_selftest: %s: %s\n", what, strerror(-err));
	exit(KSFT_FAIL);
}

static void kst_locate(struct kst_obj *obj)
{
	char buf[128];

	kst_read(buf, sizeof(buf));
	if (sscanf(buf, "0x%lx %lu %lu", &obj->key, &obj->since,
		   &obj->until) != 3)
		kst_give_up("no object", -EINVAL);
}

static unsigned long __attribute__((noinline))
kst_key_at(struct kst_obj obj, long offset)
{
	return kml_scramble(kml_scramble(obj.key) + offset);
}

/* An address as kmemleak writes it, good until a few calls later. */
const char *kst_name(struct kst_obj obj, long offset)
{
	static char names[8][32];
	static unsigned int next;
	char *name = names[next++ % ARRAY_SIZE(names)];

	snprintf(name, sizeof(names[0]), "0x%08lx",
		 kml_scramble(obj.key) + offset);
	return name;
}

const struct kml_entry *kml_find_key(const struct kml_report *report,
				     unsigned long key)
{
	int i;

	for (i = 0; i < report->nr; i++)
		if (report->entry[i].key == key)
			return &report->entry[i];
	return NULL;
}

const struct kml_entry *kml_find(const struct kml_report *report,
				 struct kst_obj obj)
{
	return kml_find_key(report, obj.key);
}

const struct kml_entry *kml_find_at(const struct kml_report *report,
				    struct kst_obj obj, long offset)
{
	return kml_find_key(report, kst_key_at(obj, offset));
}

/* min_count and count from the log of a dump, of the object in that space. */
static bool kst_dump_counts(const char *log, bool percpu, long *min_count, long *count)
{
	const char *at = strstr(log, percpu ? "Object (percpu)" : "Object 0x");

	at = at ? strstr(at, "min_count = ") : NULL;
	if (!at || sscanf(at, "min_count = %ld", min_count) != 1)
		return false;
	at = strstr(at, " count = ");
	return at && sscanf(at, " count = %ld", count) == 1;
}

enum kst_opinion kst_opinion(unsigned long key, bool percpu)
{
	struct kst_obj obj = { .key = key };
	enum kst_opinion opinion = KST_UNKNOWN;
	long min_count, count;
	char command[64];
	char *log;
	int fd;

	fd = kml_log_open();
	snprintf(command, sizeof(command), "dump=%s", kst_name(obj, 0));
	kml_command(command);
	memset(command, 0, sizeof(command));
	log = kml_log_read(fd);
	if (log && kst_dump_counts(log, percpu, &min_count, &count)) {
		if (min_count <= 0)
			opinion = KST_GREY;
		else
			opinion = count < min_count ? KST_WHITE : KST_REFERENCED;
	}
	free(log);
	return opinion;
}

bool kml_listed(struct kst_obj obj)
{
	struct kml_report report;
	bool found = false;

	if (!kml_load(&report))
		found = kml_find(&report, obj);
	kml_unload(&report);
	return found;
}

/*
 * Have the module make its pool, see its kst_pool.c: takes as long as an object
 * takes to come of age, but only once.
 */
int kst_make_pool(void)
{
	static char buf[16384];
	bool seen[KST_MAX_BLOCKS] = {};
	struct kml_report report;
	unsigned long key;
	char *line, *rest;
	int ret, i, round;

	ret = kst("pool try");
	if (!ret)
		ret = kst_read(buf, sizeof(buf));
	if (ret || !*buf)
		return ret;

	kml_sleep_ms(KML_AGE_MS);
	kml_scan();
	for (round = 0; round < 4; round++) {
		char copy[sizeof(buf)];

		kml_scan();
		if (kml_load(&report))
			return -EIO;
		strcpy(copy, buf);
		rest = copy;
		for (i = 0; i < KST_MAX_BLOCKS; i++) {
			line = strsep(&rest, "\n");
			if (!line || sscanf(line, "0x%lx", &key) != 1)
				break;
			seen[i] |= !!kml_find_key(&report, key);
		}
		kml_unload(&report);
	}
	for (i = 0; i < KST_MAX_BLOCKS; i++)
		if (!seen[i])
			kst("pool reject %d", i);
	return kst("pool use");
}

/* An object: "<kind> <slot> <size> <rest>". There is no test without it. */
struct kst_obj kst_make(size_t size, const char *kind, const char *rest)
{
	struct kst_obj obj = { .slot = kst_next_slot++, .size = size };
	int ret;

	ret = kst("%s %d %zu %s", kind, obj.slot, size, rest);
	if (ret)
		kst_give_up(kind, ret);
	kst_locate(&obj);
	return obj;
}

struct kst_obj kst_page(size_t size)
{
	return kst_make(size, "page", "");
}

struct kst_obj kst_page_min(size_t size, int min_count)
{
	char rest[16];

	snprintf(rest, sizeof(rest), "%d", min_count);
	return kst_make(size, "page", rest);
}

struct kst_obj kst_bare(size_t size)
{
	return kst_make(size, "bare", "");
}

/* @nr objects that share a backtrace. */
int kst_burst(const char *kind, int nr, size_t size, struct kst_obj *objs)
{
	int first = kst_next_slot;
	int i, ret;

	kst_next_slot += nr;
	ret = kst("burst %s %d %d %zu", kind, first, nr, size);
	for (i = 0; !ret && i < nr; i++) {
		objs[i].slot = first + i;
		objs[i].size = size;
		ret = kst("addr %d", first + i);
		if (!ret)
			kst_locate(&objs[i]);
	}
	return ret;
}

int kst_hold(struct kst_obj obj, size_t offset)
{
	return kst("hold %d %d %zu", obj.slot, obj.slot, offset);
}

int kst_drop(struct kst_obj obj)
{
	return kst("drop %d", obj.slot);
}

int kst_hook(const char *hook, struct kst_obj obj)
{
	return kst("hook %s %d", hook, obj.slot);
}

int kst_hook_part(const char *hook, struct kst_obj obj, size_t offset,
		  size_t size)
{
	return kst("hook %s %d %zu %zu", hook, obj.slot, offset, size);
}

int kst_store(struct kst_obj obj, size_t offset, struct kst_obj container,
	      size_t where)
{
	return kst("store %d %zu %d %zu", obj.slot, offset, container.slot,
		   where);
}

struct kst_set kst_set(size_t size, const char *kind)
{
	struct kst_set set;
	int i;

	for (i = 0; i < KST_SET; i++)
		set.obj[i] = kst_make(size, kind, "");
	return set;
}

void kst_set_hold(struct kst_set *set, size_t offset)
{
	int i;

	for (i = 0; i < KST_SET; i++)
		kst_hold(set->obj[i], offset);
}

void kst_set_drop(struct kst_set *set)
{
	int i;

	for (i = 0; i < KST_SET; i++)
		kst_drop(set->obj[i]);
}

void kst_set_hook(struct kst_set *set, const char *hook)
{
	int i;

	for (i = 0; i < KST_SET; i++)
		kst_hook(hook, set->obj[i]);
}

void kst_set_poke(struct kst_set *set, size_t offset, unsigned long value)
{
	int i;

	for (i = 0; i < KST_SET; i++)
		kst("poke %d %zu %lu", set->obj[i].slot, offset, value);
}

/* How many of a set are in the report now; negative when it cannot be read. */
int kst_set_listed(struct kst_set *set)
{
	struct kml_report report;
	int i, found = 0;

	if (kml_load(&report))
		return -1;
	for (i = 0; i < KST_SET; i++)
		found += !!kml_find(&report, set->obj[i]);
	kml_unload(&report);
	return found;
}

/* See kst_churn() in the module. */
int kst_churn_all_cpus(size_t size)
{
	int cpu, ret = 0;

	for (cpu = 0; !ret && cpu < kml_nr_cpus(); cpu++) {
		kml_pin(cpu);
		ret = kst("churn %zu 1024", size);
	}
	kml_pin(-1);
	return ret;
}

void kst_add_planter(void (*planter)(void))
{
	if (kst_nr_planters == KST_MAX_PLANTERS)
		abort();
	kst_planters[kst_nr_planters++] = planter;
}

void kst_plant_all(void)
{
	int i;

	for (i = 0; i < kst_nr_planters; i++)
		kst_planters[i]();
}
