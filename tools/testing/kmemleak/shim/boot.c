// SPDX-License-Identifier: GPL-2.0-only
/* Boot parameters, initcalls, module parameters and numbers from strings. */
#include <ctype.h>
#include <stdlib.h>

#include "../os.h"

static struct shim_boot *shim_boots;
static struct shim_initcall *shim_initcalls;
static struct kernel_param *shim_params;

__thread bool shim_simd_begun;
bool shim_simd_wants_irqs;

void shim_boot_register(struct shim_boot *b)
{
	b->next = shim_boots;
	shim_boots = b;
}

/* Sorted by level, and by order of registration. */
void shim_initcall_register(struct shim_initcall *c)
{
	struct shim_initcall **link = &shim_initcalls;

	while (*link && (*link)->level <= c->level)
		link = &(*link)->next;
	c->next = *link;
	*link = c;
}

void shim_param_register(struct kernel_param *kp)
{
	kp->next = shim_params;
	shim_params = kp;
}

int shim_boot_param(const char *name, char *arg)
{
	struct shim_boot *b;

	for (b = shim_boots; b; b = b->next)
		if (!strcmp(b->name, name))
			return b->setup(arg);
	return -ENOENT;
}

int shim_run_initcalls(void)
{
	struct shim_initcall *c;
	int err = 0;

	for (c = shim_initcalls; c; c = c->next) {
		int ret = c->fn();

		if (ret && !err)
			err = ret;
	}
	return err;
}

static struct kernel_param *shim_param_find(const char *name)
{
	struct kernel_param *kp;

	for (kp = shim_params; kp; kp = kp->next)
		if (!strcmp(kp->name, name))
			return kp;
	return NULL;
}

int shim_param_set(const char *name, const char *val)
{
	struct kernel_param *kp = shim_param_find(name);

	if (!kp)
		return -ENOENT;
	return kp->ops->set ? kp->ops->set(val, kp) : -EPERM;
}

int shim_param_get(const char *name, char *buf)
{
	struct kernel_param *kp = shim_param_find(name);

	if (!kp)
		return -ENOENT;
	return kp->ops->get ? kp->ops->get(buf, kp) : -EPERM;
}

int shim_param_perm(const char *name)
{
	struct kernel_param *kp = shim_param_find(name);

	return kp ? kp->perm : -ENOENT;
}

#define SHIM_PARAM(T, ctype, conv, fmt)					\
int param_set_##T(const char *val, const struct kernel_param *kp);	\
int param_set_##T(const char *val, const struct kernel_param *kp)	\
{									\
	ctype v;							\
	int err = val ? conv : -EINVAL;					\
									\
	if (!err)							\
		*(ctype *)kp->arg = v;					\
	return err;							\
}									\
int param_get_##T(char *buf, const struct kernel_param *kp);		\
int param_get_##T(char *buf, const struct kernel_param *kp)		\
{									\
	return shim_scnprintf(buf, 4096, fmt "\n", *(ctype *)kp->arg);	\
}									\
const struct kernel_param_ops param_ops_##T = {				\
	.set = param_set_##T, .get = param_get_##T,			\
}

SHIM_PARAM(uint, unsigned int, kstrtouint(val, 0, &v), "%u");
SHIM_PARAM(int, int, kstrtoint(val, 0, &v), "%d");
SHIM_PARAM(ulong, unsigned long, kstrtoul(val, 0, &v), "%lu");

static int param_set_charp(const char *val, const struct kernel_param *kp)
{
	char *copy = strdup(val ?: "");

	if (!copy)
		return -ENOMEM;
	*(char **)kp->arg = copy;
	return 0;
}

static int param_get_charp(char *buf, const struct kernel_param *kp)
{
	return shim_scnprintf(buf, 4096, "%s\n", *(char **)kp->arg);
}

const struct kernel_param_ops param_ops_charp = {
	.set = param_set_charp, .get = param_get_charp,
};

int param_set_bool(const char *val, const struct kernel_param *kp)
{
	return kstrtobool(val ?: "1", kp->arg);
}

int param_get_bool(char *buf, const struct kernel_param *kp)
{
	return shim_scnprintf(buf, 4096, "%c\n", *(bool *)kp->arg ? 'Y' : 'N');
}

const struct kernel_param_ops param_ops_bool = {
	.flags = 1, .set = param_set_bool, .get = param_get_bool,
};

int param_set_uint_minmax(const char *val, const struct kernel_param *kp,
			  unsigned int lo, unsigned int hi)
{
	unsigned int v;
	int err = val ? kstrtouint(val, 0, &v) : -EINVAL;

	if (!err && (v < lo || v > hi))
		err = -EINVAL;
	if (!err)
		*(unsigned int *)kp->arg = v;
	return err;
}

/* Digits up to the end of the string; one newline may follow. */
static int shim_strtou(const char *s, unsigned int base, unsigned long long *res)
{
	unsigned long long v = 0;
	bool any = false;

	if (!base)
		base = s[0] != '0' ? 10 : (s[1] | 32) == 'x' && isxdigit(s[2]) ? 16 : 8;
	if (base == 16 && s[0] == '0' && (s[1] | 32) == 'x')
		s += 2;
	for (; isalnum(*s); s++) {
		unsigned int d = isdigit(*s) ? *s - '0' : (*s | 32) - 'a' + 10;

		if (d >= base)
			break;
		if (v > (ULLONG_MAX - d) / base)
			return -ERANGE;
		v = v * base + d;
		any = true;
	}
	if (!any)
		return -EINVAL;
	if (*s == '\n')
		s++;
	if (*s)
		return -EINVAL;
	*res = v;
	return 0;
}

int kstrtoull(const char *s, unsigned int base, unsigned long long *res)
{
	return shim_strtou(*s == '+' ? s + 1 : s, base, res);
}

int kstrtoll(const char *s, unsigned int base, long long *res)
{
	unsigned long long v;
	int err;

	if (*s != '-') {
		err = kstrtoull(s, base, &v);
		if (!err && (long long)v < 0)
			err = -ERANGE;
	} else {
		err = shim_strtou(s + 1, base, &v);
		if (!err && (long long)-v > 0)
			err = -ERANGE;
		v = -v;
	}
	if (!err)
		*res = v;
	return err;
}

#define SHIM_KSTRTO(name, num_t, wide, via)				\
int name(const char *s, unsigned int base, num_t *res)			\
{									\
	wide v;								\
	int err = via(s, base, &v);					\
									\
	if (!err && v != (wide)(num_t)v)					\
		err = -ERANGE;						\
	if (!err)							\
		*res = v;						\
	return err;							\
}

SHIM_KSTRTO(kstrtoul, unsigned long, unsigned long long, kstrtoull)
SHIM_KSTRTO(kstrtouint, unsigned int, unsigned long long, kstrtoull)
SHIM_KSTRTO(kstrtol, long, long long, kstrtoll)
SHIM_KSTRTO(kstrtoint, int, long long, kstrtoll)

int kstrtobool(const char *s, bool *res)
{
	switch (s[0]) {
	case 'y': case 'Y': case 't': case 'T': case '1':
		*res = true;
		return 0;
	case 'n': case 'N': case 'f': case 'F': case '0':
		*res = false;
		return 0;
	case 'o': case 'O':
		if ((s[1] | 32) == 'n' || (s[1] | 32) == 'f') {
			*res = (s[1] | 32) == 'n';
			return 0;
		}
	}
	return -EINVAL;
}
