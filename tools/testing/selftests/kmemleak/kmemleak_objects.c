// SPDX-License-Identifier: GPL-2.0
/*
 * kmemleak selftests: objects of the kmemleak_selftest module
 *
 * Each object has the next free slot of the module. If an object is held, the index of
 * the pointer is the number of its slot.
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

#define KST_FIND	"/sys/kernel/debug/kmemleak_find"

#define KST_MAX_PLANTERS	64

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

/* The whole result of the last command. */
int kst_read(char *buf, size_t size)
{
	return kml_read_once(KST_FILE, buf, size);
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

/* An address as kmemleak prints it, valid for a few calls. */
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

/* The bounds of the kernel's data, for kmemleak_find. */
static void kst_tell_image(void)
{
	char line[256], type, name[128];
	unsigned long address;
	char command[64];
	FILE *f;

	f = fopen("/proc/kallsyms", "r");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx %c %127s", &address, &type, name) != 3)
			continue;
		if (strcmp(name, "_sdata") && strcmp(name, "__bss_stop"))
			continue;
		snprintf(command, sizeof(command), "image_%s 0x%lx",
			 name[0] == '_' && name[1] == 's' ? "from" : "to", address);
		kml_write_file(KST_FIND, command);
	}
	if (f)
		fclose(f);
}

/* Print the object that @where is in, if there is one. */
static bool kst_tell_object(unsigned long where)
{
	char *log, *line, *rest, command[64];
	int fd, nr = 0, ret;

	snprintf(command, sizeof(command), "dump=0x%lx", where);
	fd = kml_log_open();
	ret = kml_command(command);
	log = kml_log_read(fd);
	rest = log;
	/* the head, the process, the counts, and the first frames */
	while (!ret && log && (line = strsep(&rest, "\n")) && nr++ < 14)
		if (*line)
			ksft_print_msg("    %s\n", line);
	free(log);
	return !ret;
}

/*
 * Print the words that point to an object that is not reported, and their owners. Words
 * in slabs that are in no tracked object are in a free object or in one of kmemleak
 * itself: they are no references.
 */
static void kst_tell_holders(struct kst_obj obj)
{
	char *log, *line, *rest, *at, command[64], page[256];
	unsigned long where;
	int fd, none = 0;
	FILE *f;

	if (access(KST_FIND, F_OK) && kml_load_module("kmemleak_find"))
		return;
	kst_tell_image();
	kml_write_file(KST_FIND, "forget");
	snprintf(command, sizeof(command), "want %s %zu", kst_name(obj, 0), obj.size);
	kml_write_file(KST_FIND, command);
	memset(command, 0, sizeof(command));
	fd = kml_log_open();
	kml_write_file(KST_FIND, "find");
	log = kml_log_read(fd);
	rest = log;
	while (log && (line = strsep(&rest, "\n"))) {
		at = strstr(line, " in a word at ");
		if (at && strstr(line, " slab ") && sscanf(at, " in a word at %lx:", &where) == 1 &&
		    !kst_tell_object(where))
			none++;
		else if (*line)
			ksft_print_msg("%s\n", line);
	}
	ksft_print_msg("and %d words in slabs that kmemleak has no object of\n", none);
	free(log);
	/* objects to which only untracked pages refer */
	f = fopen(KML_PAGES, "r");
	while (f && fgets(page, sizeof(page), f))
		if (strstr(page, kst_name(obj, 0)))
			ksft_print_msg("%s", page);
	if (f)
		fclose(f);
}

/* Like kml_find(), for an object that must be listed: else prints why it is not. */
const struct kml_entry *kml_find_leak(const struct kml_report *report, struct kst_obj obj)
{
	const struct kml_entry *entry = kml_find(report, obj);

	if (!entry)
		kst_tell_holders(obj);
	return entry;
}

/*
 * Like kml_listed(), for an object that must be listed. A word that disappears may hide
 * it from one scan, but not from the next. In 9 boots of UML with all tests, of some 400
 * leaks each, 2 leaks were hidden from one scan.
 */
bool kml_must_list(struct kst_obj obj)
{
	if (kml_listed(obj))
		return true;
	kst_tell_holders(obj);
	kml_scan();
	if (!kml_listed(obj))
		return false;
	ksft_print_msg("%s was hidden from one scan\n", kst_name(obj, 0));
	return true;
}

/*
 * Have the module make its pool: see kst_pool.c. Each program does, since uninitialised
 * words of objects that were allocated meanwhile may point into the pool.
 */
int kst_make_pool(void)
{
	static char buf[16384];
	struct kml_report report;
	char *line, *rest = buf;
	unsigned long key;
	int ret, i;

	ret = kst("pool try");
	if (!ret)
		ret = kst_read(buf, sizeof(buf));
	if (ret)
		return ret;
	if (kml_is_stock()) {
		kml_scan();
		kml_sleep_ms(KML_AGE_MS);
		kml_scan();
	} else {
		kml_command("check");
	}
	if (kml_load(&report))
		return -EIO;
	for (i = 0; (line = strsep(&rest, "\n")) && sscanf(line, "0x%lx", &key) == 1; i++)
		if (!kml_find_key(&report, key))
			kst("pool reject %d", i);
	kml_unload(&report);
	memset(buf, 0, sizeof(buf));
	return kst("pool use");
}

/* An object: "<kind> <slot> <size> <rest>". On failure the program ends. */
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
