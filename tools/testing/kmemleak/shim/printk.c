// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's printf dialect, the log, hex dumps and warnings. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../os.h"
#include "log.h"

/* Those of the C library, for all formats but the kernel's pointers. */
#undef snprintf
#undef vsnprintf

int shim_warnings;
int oops_in_progress, panic_on_warn;
atomic_t panic_cpu = ATOMIC_INIT(PANIC_CPU_INVALID);
bool shim_echo, shim_console_held;

static pthread_mutex_t shim_log_lock = PTHREAD_MUTEX_INITIALIZER;
static char *shim_log_buf;
static size_t shim_log_len, shim_log_cap;
static __thread int shim_deferring;

struct shim_out {
	char *buf;
	size_t size, len;
};

static void shim_emit(struct shim_out *o, const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++, o->len++)
		if (o->len + 1 < o->size)
			o->buf[o->len] = s[i];
}

/* Simulated frames are numbers of the harness, and their "symbols" show these. */
void shim_symbol(char *out, size_t n, unsigned long addr, bool offset)
{
	if (addr >= SHIM_TEXT && addr < SHIM_TEXT + SHIM_TEXT_SIZE) {
		unsigned long fn = (addr - SHIM_TEXT) / 0x100;
		unsigned long off = (addr - SHIM_TEXT) % 0x100;

		if (offset)
			snprintf(out, n, "frame_%lu+0x%lx/0x100", fn, off);
		else
			snprintf(out, n, "frame_%lu", fn);
	} else {
		snprintf(out, n, "0x%lx", addr);
	}
}

/* "%p" and its variants in the kernel; returns the number of letters after the p. */
static size_t shim_pointer(struct shim_out *o, const char *ext, const char *spec,
			   void *ptr)
{
	char tmp[256], fmt[48];

	switch (*ext) {
	case 'S':
	case 'B':
		shim_symbol(tmp, sizeof(tmp), (unsigned long)ptr, true);
		shim_emit(o, tmp, strlen(tmp));
		return 1;
	case 's':
		shim_symbol(tmp, sizeof(tmp), (unsigned long)ptr, false);
		shim_emit(o, tmp, strlen(tmp));
		return 1;
	case 'a':
		snprintf(tmp, sizeof(tmp), "0x%016llx", *(unsigned long long *)ptr);
		shim_emit(o, tmp, strlen(tmp));
		return 1;
	case 'e':
		snprintf(tmp, sizeof(tmp), "%ld", (long)ptr);
		shim_emit(o, tmp, strlen(tmp));
		return 1;
	case 'x':
	case 'K':
		snprintf(tmp, sizeof(tmp), "%016lx", (unsigned long)ptr);
		shim_emit(o, tmp, strlen(tmp));
		return 1;
	default:
		snprintf(fmt, sizeof(fmt), "%s", spec);
		snprintf(tmp, sizeof(tmp), "%016lx", (unsigned long)ptr);
		shim_emit(o, tmp, strlen(tmp));
		return 0;
	}
}

int shim_vsnprintf(char *buf, size_t size, const char *fmt, va_list ap0)
{
	struct shim_out o = { buf, size, 0 };
	va_list ap;

	va_copy(ap, ap0);
	while (*fmt) {
		char spec[48], tmp[512];
		const char *s = fmt;
		size_t n = 0;
		int longs = 0, len, width[2] = { 0, 0 }, stars = 0;

		if (*s != '%') {
			s = strchrnul(fmt, '%');
			shim_emit(&o, fmt, s - fmt);
			fmt = s;
			continue;
		}
		spec[n++] = *s++;
		while (*s && strchr("-+ #0123456789.*hlLqjzt", *s)) {
			if (*s == '*')
				width[stars++ & 1] = va_arg(ap, int);
			if (*s == 'l' || *s == 'L' || *s == 'q')
				longs++;
			if (*s == 'z' || *s == 't' || *s == 'j')
				longs = 1;
			if (n < sizeof(spec) - 3)
				spec[n++] = *s;
			s++;
		}
		spec[n++] = *s;
		spec[n] = 0;
		fmt = *s ? s + 1 : s;
#define SHIM_ARG(v) (stars == 0 ? snprintf(tmp, sizeof(tmp), spec, v) :	\
	stars == 1 ? snprintf(tmp, sizeof(tmp), spec, width[0], v) :	\
	snprintf(tmp, sizeof(tmp), spec, width[0], width[1], v))
		switch (*s) {
		case 'd':
		case 'i':
			len = longs > 1 ? SHIM_ARG(va_arg(ap, long long)) :
			      longs ? SHIM_ARG(va_arg(ap, long)) : SHIM_ARG(va_arg(ap, int));
			break;
		case 'u':
		case 'x':
		case 'X':
		case 'o':
			len = longs > 1 ? SHIM_ARG(va_arg(ap, unsigned long long)) :
			      longs ? SHIM_ARG(va_arg(ap, unsigned long)) :
			      SHIM_ARG(va_arg(ap, unsigned int));
			break;
		case 'c':
			len = SHIM_ARG(va_arg(ap, int));
			break;
		case 's': {
			const char *str = va_arg(ap, const char *);

			if (n == 2) {
				shim_emit(&o, str ?: "(null)", str ? strlen(str) : 6);
				continue;
			}
			len = SHIM_ARG(str);
			break;
		}
		case 'p':
			fmt += shim_pointer(&o, fmt, spec, va_arg(ap, void *));
			continue;
		case '%':
			shim_emit(&o, "%", 1);
			continue;
		default:
			shim_fatal("format '%s' is beyond the harness", spec);
		}
		shim_emit(&o, tmp, min_t(size_t, len, sizeof(tmp) - 1));
	}
	va_end(ap);
	if (size)
		buf[min(o.len, size - 1)] = 0;
	return o.len;
}

int shim_snprintf(char *buf, size_t n, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = shim_vsnprintf(buf, n, fmt, ap);
	va_end(ap);
	return len;
}

int shim_scnprintf(char *buf, size_t n, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = shim_vsnprintf(buf, n, fmt, ap);
	va_end(ap);
	return n ? min_t(int, len, n - 1) : 0;
}

static void shim_log_add(const char *s, size_t n)
{
	pthread_mutex_lock(&shim_log_lock);
	if (shim_log_len + n + 1 > shim_log_cap) {
		shim_log_cap = (shim_log_cap + n + 1) * 2;
		shim_log_buf = realloc(shim_log_buf, shim_log_cap);
		if (!shim_log_buf)
			abort();
	}
	memcpy(shim_log_buf + shim_log_len, s, n);
	shim_log_len += n;
	shim_log_buf[shim_log_len] = 0;
	pthread_mutex_unlock(&shim_log_lock);
	if (shim_echo && write(2, s, n) < 0)
		return;
}

char *shim_log_take(void)
{
	char *s;

	pthread_mutex_lock(&shim_log_lock);
	s = shim_log_buf ?: calloc(1, 1);
	shim_log_buf = NULL;
	shim_log_len = 0;
	shim_log_cap = 0;
	pthread_mutex_unlock(&shim_log_lock);
	return s;
}

static int shim_vprintk(const char *fmt, va_list ap)
{
	char line[2048];
	int n;

	if (fmt[0] == KERN_SOH[0] && fmt[1])
		fmt += 2;
	n = shim_vsnprintf(line, sizeof(line), fmt, ap);
	shim_log_add(line, min_t(size_t, n, sizeof(line) - 1));
	return n;
}

int shim_printk(const char *fmt, ...)
{
	va_list ap;
	int n;

	if (shim_strict && !shim_deferring)
		shim_no_raw_lock("printk");
	if (shim_console_held && !shim_deferring)
		shim_fatal("printk() waits for the console's lock, which we have: %s", fmt);
	va_start(ap, fmt);
	n = shim_vprintk(fmt, ap);
	va_end(ap);
	return n;
}

int shim_printk_deferred(const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = shim_vprintk(fmt, ap);
	va_end(ap);
	return n;
}

void shim_printk_deferring(bool on)
{
	if (!shim_self()->irqs_off)
		shim_fatal("printk_deferred_enter() with interrupts on");
	shim_deferring += on ? 1 : -1;
	if (shim_deferring < 0)
		shim_fatal("printk_deferred_exit() without an enter");
}

void dump_stack(void)
{
	shim_printk("(stack dump)\n");
}

bool shim_warn(const char *file, int line, const char *what)
{
	__atomic_fetch_add(&shim_warnings, 1, __ATOMIC_RELAXED);
	shim_printk_deferred("WARNING: %s:%d: %s\n", file, line, what);
	return true;
}

void shim_fatal(const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	shim_vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fprintf(stderr, "FATAL: %s\n", line);
	fflush(stderr);
	abort();
}

static const char *shim_hex_group(char *tmp, const u8 *p, int group)
{
	unsigned long long v = 0;
	int i;

	for (i = group - 1; i >= 0; i--)
		v = v << 8 | p[i];
	snprintf(tmp, 20, "%0*llx", group * 2, v);
	return tmp;
}

/*
 * One row. The text column begins two spaces after the end of a full row of hex. Odd
 * sizes of groups, and lengths that are no multiple, are printed as single bytes.
 */
int hex_dump_to_buffer(const void *buf, size_t len, int rowsize, int groupsize,
		       char *linebuf, size_t linebuflen, bool ascii)
{
	struct shim_out o = { linebuf, linebuflen, 0 };
	const u8 *p = buf;
	char tmp[24];
	size_t i;

	if (rowsize != 16 && rowsize != 32)
		rowsize = 16;
	len = min_t(size_t, len, rowsize);
	if (!is_power_of_2(groupsize) || groupsize > 8 || len % groupsize)
		groupsize = 1;
	for (i = 0; i + groupsize <= len; i += groupsize) {
		if (i)
			shim_emit(&o, " ", 1);
		shim_hex_group(tmp, p + i, groupsize);
		shim_emit(&o, tmp, strlen(tmp));
	}
	if (ascii && len) {
		size_t column = rowsize * 2 + rowsize / groupsize + 1;

		while (o.len < column)
			shim_emit(&o, " ", 1);
		for (i = 0; i < len; i++)
			shim_emit(&o, p[i] >= 0x20 && p[i] < 0x7f ? (const char *)p + i : ".", 1);
	}
	if (linebuflen)
		linebuf[min(o.len, linebuflen - 1)] = 0;
	return o.len;
}

void print_hex_dump(const char *level, const char *prefix, int type, int rowsize,
		    int groupsize, const void *buf, size_t len, bool ascii)
{
	const u8 *p = buf;
	char line[32 * 3 + 2 + 32 + 1];
	size_t i;

	for (i = 0; i < len; i += rowsize) {
		hex_dump_to_buffer(p + i, min_t(size_t, len - i, rowsize), rowsize,
				   groupsize, line, sizeof(line), ascii);
		if (type == DUMP_PREFIX_ADDRESS)
			shim_printk("%s%s%p: %s\n", level, prefix, p + i, line);
		else if (type == DUMP_PREFIX_OFFSET)
			shim_printk("%s%s%.8x: %s\n", level, prefix, (unsigned int)i, line);
		else
			shim_printk("%s%s%s\n", level, prefix, line);
	}
}
