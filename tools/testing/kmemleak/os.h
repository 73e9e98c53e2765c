/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stands in for mm/kmemleak/os.h: same guard, so a core file compiled with
 * "-include" of this file sees the shims where the kernel has its headers.
 */
#ifndef _MM_KMEMLEAK_OS_H
#define _MM_KMEMLEAK_OS_H

/* The stock file brings its own. */
#ifndef SHIM_STOCK
#define pr_fmt(fmt) "kmemleak: " fmt
#include "shim/rbtree.h"
#endif

#include "shim/base.h"
#include "shim/atomic.h"
#include "shim/bits.h"
#include "shim/list.h"
#include "shim/thread.h"
#include "shim/lock.h"
#include "shim/rcu.h"
#include "shim/percpu.h"
#include "shim/sched.h"
#include "shim/mm.h"
#include "shim/io.h"
#include "shim/xarray.h"
#include "shim/simd.h"

#endif /* _MM_KMEMLEAK_OS_H */
