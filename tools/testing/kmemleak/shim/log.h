/* SPDX-License-Identifier: GPL-2.0-only */
/* What only the harness sees of the log. */
#ifndef _SHIM_LOG_H
#define _SHIM_LOG_H

#include <stdbool.h>
#include <stddef.h>

/* Where fake stack frames live: frame f of "function" n is n * 0x100 + f. */
#if __SIZEOF_LONG__ == 8
#define SHIM_TEXT	0xffffffff81000000UL
#else
#define SHIM_TEXT	0xf1000000UL
#endif
#define SHIM_TEXT_SIZE	0x1000000UL

/* Everything printed since the last call; the caller frees it. */
char *shim_log_take(void);
/* Copy each line to stderr as it comes. */
extern bool shim_echo;
/* The callers of hooks have a lock that consoles take: only deferred printk() is fine. */
extern bool shim_console_held;
void shim_symbol(char *out, size_t n, unsigned long addr, bool offset);

#endif /* _SHIM_LOG_H */
