#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Keep a private copy of a kernel source for this checkout's builds.

usage: copy-tree.py SOURCE COPY

The first run copies all files. Later runs copy only files that changed in SOURCE, so
that a build compiles only those again. SOURCE is not written to.
"""

import os
import pickle
import re
import shutil
import subprocess
import sys

# Files that a build in the source directory writes are not copied.
PRODUCTS = re.compile(
    r"(^|/)(\.git|\.kmemleak-overlay|\.tmp_versions|generated|modules\.order|\.config(\.old)?|Module\.symvers"
    r"|System\.map|vmlinux[^/]*)(/|$)|^include/config/|\.(o|ko|a|cmd|d|mod|mod\.c|order|symvers)$")


def snapshot(top: str) -> dict[str, tuple]:
    """Path -> size, time and mode, to see whether the file changes."""
    found = {}
    for where, dirs, files in os.walk(top):
        rel = os.path.relpath(where, top)
        dirs[:] = [d for d in dirs if not PRODUCTS.search(os.path.normpath(os.path.join(rel, d)) + "/")]
        for name in files + [d for d in dirs if os.path.islink(os.path.join(where, d))]:
            path = os.path.normpath(os.path.join(rel, name))
            if not PRODUCTS.search(path):
                st = os.lstat(os.path.join(where, name))
                found[path] = (st.st_size, st.st_mtime_ns, st.st_mode)
    return found


def first_copy(source: str, copy: str) -> None:
    print(f"  ... copying {source} (1.8 GB)", file=sys.stderr)
    new = f"{copy}.new"
    shutil.rmtree(new, ignore_errors=True)
    os.makedirs(new)
    entries = [os.path.join(source, n) for n in sorted(os.listdir(source))
               if n not in (".git", ".kmemleak-overlay")]
    done = subprocess.run(["cp", "-a", "--reflink=auto", "--", *entries, new + "/"],
                          stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        # On a full disk cp prints a line for each file.
        raise OSError(done.stderr.split("\n", 1)[0])
    if any(os.path.exists(os.path.join(new, n)) for n in (".config", "vmlinux.o", "include/config/auto.conf")):
        # kbuild refuses to build elsewhere from a tree that was built in.
        subprocess.run(["make", "-s", "-C", new, "mrproper"], check=True, stdout=sys.stderr)
    shutil.rmtree(copy, ignore_errors=True)
    os.rename(new, copy)


def carry_over(source: str, copy: str, old: dict, new: dict) -> None:
    changed = [p for p, what in new.items() if old.get(p) != what]
    gone = [p for p in old if p not in new]
    if not changed and not gone:
        return
    print(f"  ... carrying over {len(changed) + len(gone)} changed files of {source}", file=sys.stderr)
    # The overlay hides or replaces some files of the copy: uninstall it first.
    if os.path.exists(os.path.join(copy, ".kmemleak-overlay/manifest.json")):
        overlay = os.path.join(os.path.dirname(os.path.abspath(__file__)), "overlay.py")
        subprocess.run([overlay, "uninstall", copy], check=True, stdout=sys.stderr)
    for path in gone:
        try:
            os.unlink(os.path.join(copy, path))
        except FileNotFoundError:
            pass
    for path in changed:
        to = os.path.join(copy, path)
        os.makedirs(os.path.dirname(to), exist_ok=True)
        if os.path.lexists(to):
            os.unlink(to)
        # With a new time: make must see a file that went back to an older version
        # as changed.
        shutil.copy(os.path.join(source, path), to, follow_symlinks=False)


def main(argv: list[str]) -> int:
    if len(argv) != 2:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    source, copy = (os.path.abspath(a) for a in argv)
    if os.path.exists(os.path.join(source, ".kmemleak-overlay/manifest.json")):
        print(f"error: the overlay is installed in {source}; run: make uninstall KDIR={source} "
              f"(builds use a private copy)", file=sys.stderr)
        return 1
    record = copy + ".snapshot"
    try:
        now = snapshot(source)
        if os.path.isdir(copy) and os.path.exists(record):
            with open(record, "rb") as f:
                old = pickle.load(f)
            if old.get("source") == source:
                # No record until the end: after an interruption all is copied.
                if old["files"] != now:
                    os.unlink(record)
                carry_over(source, copy, old["files"], now)
            else:
                first_copy(source, copy)
        else:
            first_copy(source, copy)
        with open(record + ".tmp", "wb") as f:
            pickle.dump({"source": source, "files": now}, f)
        os.replace(record + ".tmp", record)
    except (OSError, subprocess.CalledProcessError) as e:
        shutil.rmtree(copy + ".new", ignore_errors=True)
        print(f"error: could not copy {source} to {copy}: {e}; make room or check permissions, "
              f"and run again", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
