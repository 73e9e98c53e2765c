/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Replaces mm/kmemleak/os.h, whose guard it has: files of the core are compiled with
 * "-include" of this file, and get the shims instead of the kernel's headers.
 */
#ifndef _MM_KMEMLEAK_OS_H
#define _MM_KMEMLEAK_OS_H

/* The stock file has its own. */
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
