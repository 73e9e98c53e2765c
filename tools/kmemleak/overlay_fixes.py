# SPDX-License-Identifier: GPL-2.0-only
"""Patches to the kernel's own code that come with the overlay.

Each is a file below patches/: a subject, a body and a unified diff, as for git am. The
line numbers of hunks are not used, because trees differ. Instead, the context of a hunk
must occur in the file exactly once, to the letter.

FIXES is the whole list, in the order of the series.
"""

import os
import re
from typing import Callable, NamedTuple, Optional

from overlay_edits import Missing, whole_line

PATCHES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "patches")


class Fix(NamedTuple):
    """One patch, for all trees or for some.

    line: the patch is for trees that have this line in the first file that the patch
    changes. Such a tree must have the context, too.
    otherwise: the patch for trees without that line. If it is empty, they need none.
    last: the patch uses code that the series adds, so it comes at the end of the series.
    """

    patch: str
    line: str = ""
    otherwise: str = ""
    last: bool = False


class Patch(NamedTuple):
    name: str
    subject: str
    body: str
    # The hunks of each path: (old text, new text).
    files: dict[str, list[tuple[str, str]]]
    last: bool = False


FIXES = (
    Fix("slub-sheaves.patch", line="struct slab_sheaf {"),
    Fix("slub-freeptr.patch", line="struct slab_sheaf {", otherwise="slub-freeptr-6.12.patch"),
    Fix("slub-freelist.patch",
        line="static void __free_slab(struct kmem_cache *s, struct slab *slab, bool allow_spin)",
        otherwise="slub-freelist-6.12.patch"),
    Fix("vmalloc-lazy.patch"),
    Fix("vmalloc-areas.patch",
        line="* pre-loading. If it fails va_clip() may return -ENOMEM from its",
        otherwise="vmalloc-areas-6.12.patch"),
    Fix("memblock-hugetlb.patch",
        line="void * __init memblock_alloc_hugetlb(phys_addr_t size, int nid, bool exact_nid)",
        otherwise="hugetlb-6.12.patch"),
    Fix("kfence.patch"),
    Fix("mempool.patch"),
    Fix("skbuff.patch", line="u32 napi_skb_cache_get_bulk(void **skbs, u32 n)",
        otherwise="skbuff-6.12.patch"),
    Fix("io_uring.patch", line="#include <linux/io_uring_types.h>",
        otherwise="io_uring-6.12.patch"),
    Fix("kvm.patch"),
    Fix("kvfree_rcu.patch", line="struct kvfree_rcu_bulk_data {",
        otherwise="kvfree_rcu-6.12.patch"),
    # The core calls the functions that these two add.
    Fix("memory-hotplug.patch"),
    Fix("unwind-orc.patch"),
    Fix("slub-nolock.patch", line="void kfree_nolock(const void *object)", last=True),
)


def parse(name: str) -> Patch:
    """Read patches/<name>, or raise ValueError, which says what is wrong."""
    with open(os.path.join(PATCHES, name), encoding="utf-8") as f:
        text = f.read()
    head, found, diff = text.partition("\n---\n")
    m = re.match(r"Subject: (\S.*(?:\n \S.*)*)\n\n(.*)", head, re.S)
    if not found or not m:
        raise ValueError(f"patches/{name}: no 'Subject:', body and '---'")
    files: dict[str, list[tuple[str, str]]] = {}
    hunks: list[tuple[str, str]] = []
    in_hunk = False
    for line in diff.splitlines(keepends=True):
        if line.startswith(("diff --git ", "index ", "--- a/")):
            in_hunk = False
        elif line.startswith("+++ b/"):
            hunks = files.setdefault(line[6:].rstrip("\n"), [])
        elif line.startswith("@@ -"):
            hunks.append(("", ""))
            in_hunk = True
        elif in_hunk and line[0] in " -+":
            old, new = hunks[-1]
            hunks[-1] = (old + (line[1:] if line[0] != "+" else ""),
                         new + (line[1:] if line[0] != "-" else ""))
        elif in_hunk:
            raise ValueError(f"patches/{name}: not a line of a hunk: {line.rstrip()!r}")
    if not hunks:
        raise ValueError(f"patches/{name}: no hunk")
    return Patch(name, m[1].replace("\n ", " "), m[2].strip("\n"), files)


def apply_hunks(patch: Patch, path: str, text: str) -> str:
    """Apply the hunks of a path, or raise Missing, which names the context not found."""
    for old, new in patch.files[path]:
        # The context begins at the beginning of a line.
        if ("\n" + text).count("\n" + old) != 1:
            begin = next(line for line in old.split("\n") if line.strip())
            raise Missing(f"the {old.count(chr(10))} lines from '{begin.strip()}' on, exactly once "
                          f"(patches/{patch.name})")
        text = ("\n" + text).replace("\n" + old, "\n" + new)[1:]
    return text


def choose(read: Callable[[str], Optional[str]]) -> list[Patch]:
    """The patches for one tree; read() returns the original text of its files."""
    chosen = []
    for fix in FIXES:
        patch = parse(fix.patch)
        if fix.line and not whole_line(fix.line).search(read(next(iter(patch.files))) or ""):
            if not fix.otherwise:
                continue
            patch = parse(fix.otherwise)
        chosen.append(patch._replace(last=fix.last))
    return chosen
