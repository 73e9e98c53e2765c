/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _MM_KMEMLEAK_DEBUGFS_H
#define _MM_KMEMLEAK_DEBUGFS_H

void kml_debugfs_init(void);

#endif /* _MM_KMEMLEAK_DEBUGFS_H */
