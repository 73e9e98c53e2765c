#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Are the allocated objects that kmemleak finds those that drgn finds?

usage: compare_drgn.py DUMP VMLINUX SLABS [VMCOREINFO]

VMLINUX has debugging information; SLABS is the output of kmemleak scan --slabs --all;
VMCOREINFO is a file with it, for a dump that has none. Prints TAP: a line for each cache.
"""

import collections
import sys
import time

import drgn
from drgn.helpers.linux.slab import for_each_slab_cache, slab_cache_for_each_allocated_object


def main(dump: str, vmlinux: str, slabs: str, vmcoreinfo: str = "") -> int:
    info = open(vmcoreinfo, "rb").read() if vmcoreinfo else None
    prog = drgn.Program(vmcoreinfo=info) if info else drgn.Program()
    prog.set_core_dump(dump)
    prog.load_debug_info([vmlinux])
    ours = collections.defaultdict(set)
    with open(slabs, encoding="utf-8") as f:
        for line in f:
            name, *rest = line.rsplit(" ", 3) if line.count(" ") > 1 else line.split(" ")
            if len(rest) == 1:
                ours[name].add(int(rest[0], 16))
    bad = nr = total = 0
    start = time.monotonic()
    for cache in for_each_slab_cache(prog):
        name = cache.name.string_().decode()
        theirs = {o.value_() for o in slab_cache_for_each_allocated_object(cache, "void")}
        mine = ours.pop(name, set())
        nr += 1
        total += len(theirs)
        if theirs == mine:
            print(f"ok {nr} - {name}: {len(theirs)} objects")
        else:
            bad += 1
            print(f"not ok {nr} - {name}: drgn has {len(theirs)}, kmemleak {len(mine)}, "
                  f"{len(theirs - mine)} and {len(mine - theirs)} are missing")
            print("#", [hex(a) for a in sorted(theirs - mine)[:4]], [hex(a) for a in sorted(mine - theirs)[:4]])
    for name, mine in ours.items():
        if mine:
            nr += 1
            bad += 1
            print(f"not ok {nr} - {name}: drgn does not know this cache")
    print(f"1..{nr}\n# {total} objects, drgn took {time.monotonic() - start:.1f} s")
    return bad != 0


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
