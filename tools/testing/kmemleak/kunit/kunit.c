// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs the registered KUnit suites after a boot, and prints KTAP like the kernel.
 * Arguments are parts of the names of suites or tests to run.
 */
#include <stdio.h>
#include <stdlib.h>

#include "test.h"
#include "../world.h"
#undef snprintf
#undef vsnprintf

#define MAX_SUITES	64

struct kunit_action {
	struct kunit_action *next;
	kunit_action_t *fn;
	void *ctx;
};

struct kunit *shim_kunit_current;
char shim_kunit_text[1024];
bool shim_kunit_message;
static struct kunit_suite *suites[MAX_SUITES];
static unsigned int nr_suites;
static int nr_passed, nr_failed, nr_skipped;

void shim_kunit_register(struct kunit_suite *suite)
{
	if (nr_suites < MAX_SUITES)
		suites[nr_suites++] = suite;
}

void shim_kunit_print(const char *fmt, ...)
{
	char line[1024], *p = line;
	va_list ap;

	va_start(ap, fmt);
	shim_vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	p[strcspn(p, "\n")] = 0;
	printf("    # %s\n", p);
}

void shim_kunit_fail(struct kunit *test, bool fatal, const char *file, int line,
		     const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	shim_vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	printf("    # %s: %s at %s:%d\n    #   %s\n", test->name,
	       fatal ? "ASSERTION FAILED" : "EXPECTATION FAILED", file, line, text);
	if (shim_kunit_message)
		printf("    #   %s\n", shim_kunit_text);
	shim_kunit_message = false;
	test->status = KUNIT_FAILURE;
	if (fatal)
		longjmp(test->abort, 1);
}

static void skip(struct kunit *test, const char *fmt, va_list ap)
{
	vsnprintf(test->status_comment, sizeof(test->status_comment), fmt, ap);
	if (test->status == KUNIT_SUCCESS)
		test->status = KUNIT_SKIPPED;
}

void kunit_mark_skipped_now(struct kunit *test, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	skip(test, fmt, ap);
	va_end(ap);
}

void kunit_skip_now(struct kunit *test, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	skip(test, fmt, ap);
	va_end(ap);
	longjmp(test->abort, 1);
}

int kunit_add_action(struct kunit *test, kunit_action_t *fn, void *ctx)
{
	struct kunit_action *a = malloc(sizeof(*a));

	if (!a)
		return -ENOMEM;
	*a = (struct kunit_action){ test->actions, fn, ctx };
	test->actions = a;
	return 0;
}

int kunit_add_action_or_reset(struct kunit *test, kunit_action_t *fn, void *ctx)
{
	int err = kunit_add_action(test, fn, ctx);

	if (err)
		fn(ctx);
	return err;
}

void kunit_remove_action(struct kunit *test, kunit_action_t *fn, void *ctx)
{
	struct kunit_action **link = &test->actions, *a;

	while ((a = *link) && (a->fn != fn || a->ctx != ctx))
		link = &a->next;
	if (a) {
		*link = a->next;
		free(a);
	}
}

void kunit_release_action(struct kunit *test, kunit_action_t *fn, void *ctx)
{
	kunit_remove_action(test, fn, ctx);
	fn(ctx);
}

static void free_action(void *p)
{
	kfree(p);
}

void *kunit_kmalloc(struct kunit *test, size_t n, gfp_t gfp)
{
	void *p = kmalloc(n, gfp);

	if (p)
		kunit_add_action(test, free_action, p);
	return p;
}

void kunit_kfree(struct kunit *test, const void *p)
{
	if (p)
		kunit_release_action(test, free_action, (void *)p);
}

static void release_all(struct kunit *test)
{
	while (test->actions) {
		struct kunit_action *a = test->actions;

		test->actions = a->next;
		a->fn(a->ctx);
		free(a);
	}
}

/* One run of one case. */
static void run_once(struct kunit_suite *suite, struct kunit_case *c, struct kunit *test)
{
	int err;

	test->name = c->name;
	shim_kunit_current = test;
	if (!setjmp(test->abort)) {
		err = suite->init ? suite->init(test) : 0;
		if (err)
			shim_kunit_fail(test, true, __FILE__, __LINE__, "init: %d", err);
		c->run_case(test);
	}
	if (!setjmp(test->abort) && suite->exit)
		suite->exit(test);
	release_all(test);
	world_quiesce();
	shim_kunit_current = NULL;
}

static enum kunit_status run_case(struct kunit_suite *suite, struct kunit_case *c, char *why)
{
	enum kunit_status all = KUNIT_SUCCESS;
	const void *param = NULL;
	char desc[KUNIT_PARAM_DESC_SIZE] = "";
	int n = 0;

	if (c->generate_params)
		param = c->generate_params(NULL, NULL, desc);
	do {
		struct kunit *test = calloc(1, sizeof(*test));

		if (!test)
			abort();
		test->param_value = param;
		test->param_index = n++;
		run_once(suite, c, test);
		if (test->status == KUNIT_FAILURE && c->generate_params)
			printf("    # parameter %d: %s\n", n, desc);
		if (test->status == KUNIT_FAILURE)
			all = KUNIT_FAILURE;
		else if (all == KUNIT_SUCCESS)
			all = test->status;
		strcpy(why, test->status_comment);
		free(test);
		desc[0] = 0;
		if (param)
			param = c->generate_params(NULL, param, desc);
	} while (param);
	return all;
}

static bool wanted(struct kunit_suite *suite, struct kunit_case *c, char **names)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (strstr(suite->name, *names) || strstr(c->name, *names))
			return true;
	return false;
}

static void run_suite(struct kunit_suite *suite, char **names)
{
	struct kunit_case *c;
	char why[256];
	int n = 0;

	if (suite->suite_init && suite->suite_init(suite)) {
		printf("not ok - %s: suite_init failed\n", suite->name);
		nr_failed++;
		return;
	}
	for (c = suite->test_cases; c->run_case; c++) {
		enum kunit_status s;

		if (!wanted(suite, c, names))
			continue;
		s = run_case(suite, c, why);
		printf("%sok %d - %s.%s%s%s\n", s == KUNIT_FAILURE ? "not " : "", ++n,
		       suite->name, c->name, s == KUNIT_SKIPPED ? " # SKIP " : "",
		       s == KUNIT_SKIPPED ? why : "");
		fflush(stdout);
		nr_passed += s == KUNIT_SUCCESS;
		nr_failed += s == KUNIT_FAILURE;
		nr_skipped += s == KUNIT_SKIPPED;
	}
	if (suite->suite_exit)
		suite->suite_exit(suite);
}

static void percpu_hook(void *p, size_t size)
{
	kmemleak_alloc_percpu(p, size, GFP_KERNEL);
}

int main(int argc, char **argv)
{
	unsigned int i;

	world_map();
	world_task(&world_tasks[0]);
	shim_strict = true;
	shim_percpu_hook = percpu_hook;
	shim_percpu_unhook = (void (*)(void *))kmemleak_free_percpu;
	world_boot("on");
	for (i = 0; i < nr_suites; i++)
		run_suite(suites[i], argv + 1);
	printf("# %d passed, %d failed, %d skipped\n", nr_passed, nr_failed, nr_skipped);
	if (shim_warnings)
		printf("# %d warnings:\n%s", shim_warnings, shim_log_take());
	return nr_failed || shim_warnings;
}
