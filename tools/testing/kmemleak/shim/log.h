/* SPDX-License-Identifier: GPL-2.0-only */
/* The log, for the harness. */
#ifndef _SHIM_LOG_H
#define _SHIM_LOG_H

#include <stdbool.h>
#include <stddef.h>

/* Simulated stack frames: frame f of "function" n is n * 0x100 + f, above this. */
#if __SIZEOF_LONG__ == 8
#define SHIM_TEXT	0xffffffff81000000UL
#else
#define SHIM_TEXT	0xf1000000UL
#endif
#define SHIM_TEXT_SIZE	0x1000000UL

/* All messages since the last call; the caller frees them. */
char *shim_log_take(void);
/* Also copy each line to stderr. */
extern bool shim_echo;
/* Callers of hooks hold a lock that consoles take: only deferred printk() may be used. */
extern bool shim_console_held;
void shim_symbol(char *out, size_t n, unsigned long addr, bool offset);

#endif /* _SHIM_LOG_H */
