/* SPDX-License-Identifier: GPL-2.0-only */
/* The part of KUnit that mm/kmemleak/tests/ uses; kunit.c runs the suites. */
#ifndef _KUNIT_TEST_H
#define _KUNIT_TEST_H

#include "../os.h"
#include <setjmp.h>

#define KUNIT_PARAM_DESC_SIZE	128

enum kunit_status { KUNIT_SUCCESS, KUNIT_FAILURE, KUNIT_SKIPPED };

struct kunit {
	void *priv;
	const char *name;
	const void *param_value;
	int param_index;
	enum kunit_status status;
	char status_comment[256];
	jmp_buf abort;
	struct kunit_action *actions;
};

struct kunit_case {
	void (*run_case)(struct kunit *test);
	const char *name;
	const void *(*generate_params)(struct kunit *test, const void *prev, char *desc);
};

struct kunit_suite {
	const char name[256];
	int (*suite_init)(struct kunit_suite *suite);
	void (*suite_exit)(struct kunit_suite *suite);
	int (*init)(struct kunit *test);
	void (*exit)(struct kunit *test);
	struct kunit_case *test_cases;
};

#define KUNIT_CASE(f)		{ .run_case = (f), .name = #f }
#define KUNIT_CASE_SLOW(f)	KUNIT_CASE(f)
#define KUNIT_CASE_ATTR(f, a)	KUNIT_CASE(f)
#define KUNIT_CASE_PARAM(f, g)	{ .run_case = (f), .name = #f, .generate_params = (g) }
#define KUNIT_CASE_PARAM_ATTR(f, g, a) KUNIT_CASE_PARAM(f, g)

typedef const void *kunit_param_t;
#define KUNIT_ARRAY_PARAM(name, array, get_desc)			\
static kunit_param_t name##_gen_params(struct kunit *test, kunit_param_t prev, char *desc) \
{									\
	typeof(&(array)[0]) next = prev ? (typeof(next))prev + 1 : (array); \
	void (*describe)(typeof(next), char *) = get_desc;		\
									\
	if ((size_t)(next - (array)) >= ARRAY_SIZE(array))		\
		return NULL;						\
	if (describe)							\
		describe(next, desc);					\
	return next;							\
}

#define KUNIT_ARRAY_PARAM_DESC(name, array, member)			\
static kunit_param_t name##_gen_params(struct kunit *test, kunit_param_t prev, char *desc) \
{									\
	typeof(&(array)[0]) next = prev ? (typeof(next))prev + 1 : (array); \
									\
	if ((size_t)(next - (array)) >= ARRAY_SIZE(array))		\
		return NULL;						\
	strscpy(desc, next->member, KUNIT_PARAM_DESC_SIZE);		\
	return next;							\
}

void shim_kunit_register(struct kunit_suite *suite);
#define kunit_test_suites(s...)						\
static void __attribute__((__constructor__)) __UNIQUE_ID(kunit)(void)	\
{									\
	struct kunit_suite *all[] = { s };				\
	size_t i;							\
									\
	for (i = 0; i < ARRAY_SIZE(all); i++)				\
		shim_kunit_register(all[i]);				\
}									\
_Static_assert(1, "")
#define kunit_test_suite(s)	kunit_test_suites(&s)
#define kunit_test_init_section_suites(s...) kunit_test_suites(s)
#define kunit_test_init_section_suite(s) kunit_test_suites(&s)

/* Report a failed expectation; does not return if @fatal. */
void shim_kunit_fail(struct kunit *test, bool fatal, const char *file, int line,
		     const char *fmt, ...) __printf(5, 6);
void kunit_skip_now(struct kunit *test, const char *fmt, ...) __printf(2, 3) __noreturn;
void kunit_mark_skipped_now(struct kunit *test, const char *fmt, ...) __printf(2, 3);
#define kunit_skip(t, f, x...)	kunit_skip_now(t, f, ##x)
#define kunit_mark_skipped(t, f, x...) kunit_mark_skipped_now(t, f, ##x)
#define kunit_info(t, f, x...)	shim_kunit_print(f, ##x)
#define kunit_warn(t, f, x...)	shim_kunit_print(f, ##x)
#define kunit_err(t, f, x...)	shim_kunit_print(f, ##x)
#define kunit_log(l, t, f, x...) shim_kunit_print(f, ##x)
void shim_kunit_print(const char *fmt, ...) __printf(1, 2);

#define __kunit_true(t, fatal, c, want, text) do {			\
	if ((!!(c)) != (want))						\
		shim_kunit_fail(t, fatal, __FILE__, __LINE__, "%s", text); \
} while (0)
#define __kunit_cmp(t, fatal, l, op, r, text) do {			\
	typeof(l) __l = (l);						\
	typeof(r) __r = (r);						\
									\
	if (!(__l op __r))						\
		shim_kunit_fail(t, fatal, __FILE__, __LINE__,		\
				"%s: %lld (0x%llx) against %lld (0x%llx)", text, \
				(long long)__l, (long long)__l,		\
				(long long)__r, (long long)__r);	\
} while (0)
#define __kunit_ptr(t, fatal, l, op, r, text) do {			\
	const void *__l = (l), *__r = (r);				\
									\
	if (!(__l op __r))						\
		shim_kunit_fail(t, fatal, __FILE__, __LINE__,		\
				"%s: %p against %p", text, __l, __r);	\
} while (0)
#define __kunit_str(t, fatal, l, op, r, text) do {			\
	const char *__l = (l), *__r = (r);				\
									\
	if (!__l || !__r || !(strcmp(__l, __r) op 0))			\
		shim_kunit_fail(t, fatal, __FILE__, __LINE__,		\
				"%s: \"%s\" against \"%s\"", text, __l, __r); \
} while (0)
#define __kunit_mem(t, fatal, l, op, r, n, text) do {			\
	if (!(memcmp(l, r, n) op 0))					\
		shim_kunit_fail(t, fatal, __FILE__, __LINE__, "%s", text); \
} while (0)

/* With a message of the test, which is printed first: an assertion ends the test. */
#define __kunit_msg(t, check, f, x...) do {				\
	shim_kunit_message = true;					\
	shim_snprintf(shim_kunit_text, sizeof(shim_kunit_text), f, ##x); \
	check;								\
	shim_kunit_message = false;					\
} while (0)
extern char shim_kunit_text[1024];
extern bool shim_kunit_message;

#define KUNIT_FAIL(t, f, x...)	shim_kunit_fail(t, false, __FILE__, __LINE__, f, ##x)
#define KUNIT_FAIL_AND_ABORT(t, f, x...) shim_kunit_fail(t, true, __FILE__, __LINE__, f, ##x)
#define KUNIT_SUCCEED(t)	((void)(t))

#define KUNIT_EXPECT_TRUE(t, c)	__kunit_true(t, false, c, true, #c)
#define KUNIT_EXPECT_FALSE(t, c) __kunit_true(t, false, c, false, "!(" #c ")")
#define KUNIT_EXPECT_TRUE_MSG(t, c, f, x...) __kunit_msg(t, KUNIT_EXPECT_TRUE(t, c), f, ##x)
#define KUNIT_EXPECT_FALSE_MSG(t, c, f, x...) __kunit_msg(t, KUNIT_EXPECT_FALSE(t, c), f, ##x)
#define KUNIT_EXPECT_EQ(t, l, r) __kunit_cmp(t, false, l, ==, r, #l " == " #r)
#define KUNIT_EXPECT_NE(t, l, r) __kunit_cmp(t, false, l, !=, r, #l " != " #r)
#define KUNIT_EXPECT_LT(t, l, r) __kunit_cmp(t, false, l, <, r, #l " < " #r)
#define KUNIT_EXPECT_LE(t, l, r) __kunit_cmp(t, false, l, <=, r, #l " <= " #r)
#define KUNIT_EXPECT_GT(t, l, r) __kunit_cmp(t, false, l, >, r, #l " > " #r)
#define KUNIT_EXPECT_GE(t, l, r) __kunit_cmp(t, false, l, >=, r, #l " >= " #r)
#define KUNIT_EXPECT_EQ_MSG(t, l, r, f, x...) __kunit_msg(t, KUNIT_EXPECT_EQ(t, l, r), f, ##x)
#define KUNIT_EXPECT_NE_MSG(t, l, r, f, x...) __kunit_msg(t, KUNIT_EXPECT_NE(t, l, r), f, ##x)
#define KUNIT_EXPECT_LT_MSG(t, l, r, f, x...) __kunit_msg(t, KUNIT_EXPECT_LT(t, l, r), f, ##x)
#define KUNIT_EXPECT_LE_MSG(t, l, r, f, x...) __kunit_msg(t, KUNIT_EXPECT_LE(t, l, r), f, ##x)
#define KUNIT_EXPECT_GT_MSG(t, l, r, f, x...) __kunit_msg(t, KUNIT_EXPECT_GT(t, l, r), f, ##x)
#define KUNIT_EXPECT_GE_MSG(t, l, r, f, x...) __kunit_msg(t, KUNIT_EXPECT_GE(t, l, r), f, ##x)
#define KUNIT_EXPECT_PTR_EQ(t, l, r) __kunit_ptr(t, false, l, ==, r, #l " == " #r)
#define KUNIT_EXPECT_PTR_NE(t, l, r) __kunit_ptr(t, false, l, !=, r, #l " != " #r)
#define KUNIT_EXPECT_PTR_EQ_MSG(t, l, r, f, x...)			\
	__kunit_msg(t, KUNIT_EXPECT_PTR_EQ(t, l, r), f, ##x)
#define KUNIT_EXPECT_NULL(t, p)	KUNIT_EXPECT_PTR_EQ(t, p, NULL)
#define KUNIT_EXPECT_NOT_NULL(t, p) KUNIT_EXPECT_PTR_NE(t, p, NULL)
#define KUNIT_EXPECT_NOT_ERR_OR_NULL(t, p) KUNIT_EXPECT_FALSE(t, IS_ERR_OR_NULL(p))
#define KUNIT_EXPECT_STREQ(t, l, r) __kunit_str(t, false, l, ==, r, #l " == " #r)
#define KUNIT_EXPECT_STRNEQ(t, l, r) __kunit_str(t, false, l, !=, r, #l " != " #r)
#define KUNIT_EXPECT_MEMEQ(t, l, r, n) __kunit_mem(t, false, l, ==, r, n, #l " == " #r)
#define KUNIT_EXPECT_MEMNEQ(t, l, r, n) __kunit_mem(t, false, l, !=, r, n, #l " != " #r)

#define KUNIT_ASSERT_TRUE(t, c)	__kunit_true(t, true, c, true, #c)
#define KUNIT_ASSERT_FALSE(t, c) __kunit_true(t, true, c, false, "!(" #c ")")
#define KUNIT_ASSERT_EQ(t, l, r) __kunit_cmp(t, true, l, ==, r, #l " == " #r)
#define KUNIT_ASSERT_NE(t, l, r) __kunit_cmp(t, true, l, !=, r, #l " != " #r)
#define KUNIT_ASSERT_LT(t, l, r) __kunit_cmp(t, true, l, <, r, #l " < " #r)
#define KUNIT_ASSERT_LE(t, l, r) __kunit_cmp(t, true, l, <=, r, #l " <= " #r)
#define KUNIT_ASSERT_GT(t, l, r) __kunit_cmp(t, true, l, >, r, #l " > " #r)
#define KUNIT_ASSERT_GE(t, l, r) __kunit_cmp(t, true, l, >=, r, #l " >= " #r)
#define KUNIT_ASSERT_EQ_MSG(t, l, r, f, x...) __kunit_msg(t, KUNIT_ASSERT_EQ(t, l, r), f, ##x)
#define KUNIT_ASSERT_TRUE_MSG(t, c, f, x...) __kunit_msg(t, KUNIT_ASSERT_TRUE(t, c), f, ##x)
#define KUNIT_ASSERT_PTR_EQ(t, l, r) __kunit_ptr(t, true, l, ==, r, #l " == " #r)
#define KUNIT_ASSERT_PTR_NE(t, l, r) __kunit_ptr(t, true, l, !=, r, #l " != " #r)
#define KUNIT_ASSERT_NULL(t, p)	KUNIT_ASSERT_PTR_EQ(t, p, NULL)
#define KUNIT_ASSERT_NOT_NULL(t, p) KUNIT_ASSERT_PTR_NE(t, p, NULL)
#define KUNIT_ASSERT_NOT_ERR_OR_NULL(t, p) KUNIT_ASSERT_FALSE(t, IS_ERR_OR_NULL(p))
#define KUNIT_ASSERT_STREQ(t, l, r) __kunit_str(t, true, l, ==, r, #l " == " #r)

/* Memory and actions that are released at the end of the test. */
typedef void kunit_action_t(void *);
int kunit_add_action(struct kunit *test, kunit_action_t *fn, void *ctx);
int kunit_add_action_or_reset(struct kunit *test, kunit_action_t *fn, void *ctx);
void kunit_remove_action(struct kunit *test, kunit_action_t *fn, void *ctx);
void kunit_release_action(struct kunit *test, kunit_action_t *fn, void *ctx);
#define KUNIT_DEFINE_ACTION_WRAPPER(wrapper, fn, T)			\
static void wrapper(void *p) { fn((T)p); }
void *kunit_kmalloc(struct kunit *test, size_t n, gfp_t gfp);
void kunit_kfree(struct kunit *test, const void *p);
#define kunit_kzalloc(t, n, g)	kunit_kmalloc(t, n, (g) | __GFP_ZERO)
#define kunit_kcalloc(t, n, s, g) kunit_kzalloc(t, size_mul(n, s), g)
#define kunit_kmalloc_array(t, n, s, g) kunit_kmalloc(t, size_mul(n, s), g)
#define kunit_get_current_test() shim_kunit_current
#define current_kunit_test	shim_kunit_current
extern struct kunit *shim_kunit_current;

#endif /* _KUNIT_TEST_H */
