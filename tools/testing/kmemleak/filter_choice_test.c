// SPDX-License-Identifier: GPL-2.0-only
/* The range filter that is chosen at boot, and its message; each boot in a child. */
#include "tap.h"
#include "world.h"
#include "mark.h"

static unsigned long memory[KML_CHUNK / sizeof(long)];
static unsigned long out[KML_CHUNK / sizeof(long) + KMEMLEAK_FILTER_PAD];

/* in filter.c */
DECLARE_STATIC_CALL(kml_filter_simd, kml_filter_generic);

static int complain(const char *what, const char *log)
{
	printf("# %s: used is %s, the log says:\n# %s", what, kml_filter_current()->name, log);
	return 1;
}

static bool usable(const struct kmemleak_filter *f)
{
	return !f->usable || f->usable();
}

static void boot(const char *name)
{
	world_map();
	world_task(&world_tasks[0]);
	if (name)
		shim_param_set("kmemleak.filter", name);
	world_boot("on");
}

/* The first usable filter of the table; the log names it. */
static int automatic(void *name)
{
	char want[64];
	const char *log;
	unsigned int i;

	boot(name);
	log = shim_log_take();
	for (i = 0; !usable(kml_filters[i]); i++)
		;
	shim_snprintf(want, sizeof(want), "kmemleak: filter: %s\n", kml_filters[i]->name);
	if (kml_filter_current() != kml_filters[i] || !strstr(log, want))
		return complain("not the first usable one", log);
	return 0;
}

static int forced(void *arg)
{
	const struct kmemleak_filter *f = arg;
	char want[64];
	const char *log;

	boot(f->name);
	log = shim_log_take();
	shim_snprintf(want, sizeof(want), "kmemleak: filter: %s\n", f->name);
	if (kml_filter_current() != f || !strstr(log, want))
		return complain(f->name, log);
	if (static_call_query(kml_filter_simd) != f->filter)
		return complain("chosen, but not called", log);
	return 0;
}

static int unknown(void *arg)
{
	const char *log;
	unsigned int i;

	boot("avx1024");
	log = shim_log_take();
	if (!strstr(log, "No filter \"avx1024\" here: choose one of auto, "))
		return complain("no warning", log);
	for (i = 0; kml_filters[i]; i++)
		if (usable(kml_filters[i]) && !strstr(log, kml_filters[i]->name))
			return complain("choices are missing", log);
	return !strstr(log, "kmemleak: filter: ");
}

/* Changed at run time, to each filter and back. */
static int changed(void *unused)
{
	const struct kmemleak_windows win = { .virt = { 1000, 10 } };
	const struct kmemleak_filter *f;
	const char *log;
	unsigned int i;

	boot(NULL);
	memory[3] = 1005;
	memory[400] = 1006;
	for (i = 0; kml_filters[i]; i++) {
		f = kml_filters[i];
		if (!usable(f))
			continue;
		shim_log_take();
		if (shim_param_set("kmemleak.filter", f->name))
			return complain("refused", shim_log_take());
		log = shim_log_take();
		if (kml_filter_current() != f || !strstr(log, f->name))
			return complain(f->name, log);
		if (f->usable && static_call_query(kml_filter_simd) != f->filter)
			return complain("chosen, but not called", log);
		if (kml_filter_run(memory, sizeof(memory), &win, out) != 2 ||
		    out[0] != 1005 || out[1] != 1006)
			return complain("wrong result", log);
		if (shim_param_set("kmemleak.filter", "avx1024\n") != -EINVAL ||
		    kml_filter_current() != f)
			return complain("a wrong name changes it", shim_log_take());
		if (!strstr(shim_log_take(), "No filter \"avx1024\" here: choose one of auto, "))
			return complain("no warning", "");
	}
	if (shim_param_set("kmemleak.filter", "auto\n") || !usable(kml_filter_current()))
		return complain("not auto again", shim_log_take());
	return 0;
}

/* SIMD registers are not used where they may not be: the shim ends the program. */
static int irqs(void *arg)
{
	const struct kmemleak_windows win = { .virt = { 1000, 10 } };
	unsigned long flags;
	unsigned int n, m;

	shim_simd_wants_irqs = arg;
	boot(kml_filters[0]->name);
	memory[3] = 1005;
	memory[400] = 1006;
	n = kml_filter_run(memory, sizeof(memory), &win, out);
	local_irq_save(flags);
	m = kml_filter_run(memory, sizeof(memory), &win, out);
	local_irq_restore(flags);
	if (n != 2 || m != 2 || out[1] != 1006 || shim_simd_begun)
		return complain("wrong result", "");
	if (kml_filter_copies() != (arg && kml_filter_current()->usable))
		return complain("wrong advice to copy", "");
	return 0;
}

int main(void)
{
	char name[64];
	unsigned int i;

#ifndef CONFIG_HAVE_ARCH_KMEMLEAK_FILTER
	puts("ok 1 - choice # SKIP this architecture has the generic filter only\n1..1");
	return 0;
#endif
	tap_case("by default", automatic, NULL, 10);
	tap_case("auto", automatic, "auto", 10);
	tap_case("unknown", unknown, NULL, 10);
	for (i = 0; kml_filters[i]; i++) {
		if (!usable(kml_filters[i])) {
			tap_skip(kml_filters[i]->name, "this CPU has not got it");
			continue;
		}
		shim_snprintf(name, sizeof(name), "forced: %s", kml_filters[i]->name);
		tap_case(name, forced, (void *)kml_filters[i], 10);
	}
	tap_case("changed while running", changed, NULL, 10);
	tap_case("usable with IRQs off", irqs, NULL, 10);
	tap_case("not usable with IRQs off", irqs, memory, 10);
	return tap_done();
}
