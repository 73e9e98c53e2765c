/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel configuration of the harness; -D overrides a number. */
#ifndef _SHIM_CONFIG_H
#define _SHIM_CONFIG_H

#if __SIZEOF_LONG__ == 8
#define CONFIG_64BIT			1
#endif
#define CONFIG_SMP			1
#define CONFIG_MMU			1
#define CONFIG_DEBUG_FS			1
#define CONFIG_STACKTRACE		1
#define CONFIG_STACKDEPOT		1
#define CONFIG_DEBUG_KMEMLEAK		1
#define CONFIG_KUNIT			1
#define CONFIG_FREEZER			1
#define CONFIG_KMEMLEAK_LIVE_STACKS	1
#define CONFIG_VMAP_STACK		1
#define CONFIG_HOTPLUG_CPU		1
#define CONFIG_PAGE_SHIFT		12

#ifndef CONFIG_HZ
#define CONFIG_HZ			250
#endif
#ifndef CONFIG_NR_CPUS
#define CONFIG_NR_CPUS			16
#endif
#ifndef CONFIG_DEBUG_KMEMLEAK_MEM_POOL_SIZE
#define CONFIG_DEBUG_KMEMLEAK_MEM_POOL_SIZE 16000
#endif

/* Pointers with tags in their top byte: only in builds that ask for them. */
#ifdef SHIM_KASAN_TAGS
#define CONFIG_KASAN			1
#define CONFIG_KASAN_SW_TAGS		1
#endif

#ifdef __x86_64__
#define CONFIG_X86			1
#define CONFIG_X86_64			1
#define CONFIG_HAVE_ARCH_KMEMLEAK_FILTER 1
#endif
#ifdef __aarch64__
#define CONFIG_ARM64			1
#define CONFIG_HAVE_ARCH_KMEMLEAK_FILTER 1
#endif

#endif /* _SHIM_CONFIG_H */
