#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Check that the files of mm/kmemleak/ follow the order of levels.txt.

usage: levels.py SOURCES [OBJECTS]

Each file of the directory SOURCES may include headers of lower levels only. With a
directory OBJECTS, in which these sources were compiled, each object may use only
symbols of lower levels. Prints each exception, and exits with 1 if there is one.
"""

import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def levels() -> dict[str, int]:
    with open(os.path.join(HERE, "levels.txt"), encoding="utf-8") as f:
        names = [line.strip() for line in f if line.strip() and not line.startswith("#")]
    return {name: i for i, name in enumerate(names)}


def includes(path: str) -> list[str]:
    with open(path, encoding="utf-8") as f:
        return re.findall(r'^#include "([^"/]+)"', f.read(), re.M)


def symbols(path: str) -> tuple[set[str], set[str]]:
    """The global symbols that an object defines, and those that it needs."""
    out = subprocess.run(["nm", "-g", path], capture_output=True, text=True, check=True).stdout
    rows = [line.split()[-2:] for line in out.splitlines() if line.strip()]
    return {n for t, n in rows if t not in "Uw"}, {n for t, n in rows if t in "Uw"}


def main(sources: str, objects: str = "") -> int:
    level = levels()
    here = sorted(n for n in os.listdir(sources) if re.search(r"\.[ch]$", n))
    bad = [f"{n}: not in levels.txt" for n in here if n not in level]
    bad += [f"levels.txt: there is no {n}" for n in level if n not in here]
    here = [n for n in here if n in level]
    for name in here:
        bad += [f"{name} includes {h}" for h in includes(os.path.join(sources, name))
                if level.get(h, len(level)) >= level[name]]
    if objects and not bad:
        of = {n: symbols(os.path.join(objects, n[:-1] + "o")) for n in here if n.endswith(".c")}
        owner = {s: n for n, (defined, _) in of.items() for s in defined}
        bad += [f"{n} uses {s} of {owner[s]}" for n, (_, needed) in of.items()
                for s in sorted(needed) if s in owner and level[owner[s]] > level[n]]
    print("\n".join(bad), end="\n" if bad else "")
    return 1 if bad else 0


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
