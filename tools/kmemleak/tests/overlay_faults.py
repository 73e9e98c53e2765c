#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Inject a fault into each change that overlay.py makes to the file system.

usage: overlay_faults.py TOOLS BASE WORK FAULT COMMAND

FAULT is "crash" (the process ends, as by SIGKILL or a power cut), "error" (the system
call fails) or "full" (the disk is full in the middle of a write). For each place in turn
COMMAND runs on a copy of the tree BASE. Afterwards the copy must be either BASE or the
installed tree, and uninstall must restore BASE.
"""

import builtins
import errno
import os
import shutil
import sys

sys.dont_write_bytecode = True
tools, base, work, fault, command = sys.argv[1:]
sys.path.insert(0, tools)
import overlay  # noqa: E402

STATE = ".kmemleak-overlay"
NOT_REACHED = 77


class FullFile:
    """A file that runs out of space half-way through a write."""

    def __init__(self, file, strike):
        self.file, self.strike = file, strike

    def __enter__(self):
        self.file.__enter__()
        return self

    def __exit__(self, *args):
        return self.file.__exit__(*args)

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, data):
        self.file.write(data[: len(data) // 2])
        self.strike(errno.ENOSPC)
        return self.file.write(data[len(data) // 2:])


def arm(nth: int) -> list[int]:
    """Make the nth change of this process to the file system fail; return the counter."""
    count = [0]

    def strike(code: int) -> None:
        count[0] += 1
        if count[0] == nth:
            if fault == "crash":
                os._exit(9)
            raise OSError(code, os.strerror(code))

    def wrap(name: str) -> None:
        real = getattr(os, name)

        def wrapped(*args, **kwargs):
            strike(errno.EIO)
            return real(*args, **kwargs)

        setattr(os, name, wrapped)

    if fault == "full":
        real_open = builtins.open

        def full_open(path, mode="r", *args, **kwargs):
            file = real_open(path, mode, *args, **kwargs)
            return FullFile(file, strike) if "w" in mode else file

        builtins.open = full_open
    else:
        for name in ("replace", "unlink", "makedirs", "rmdir"):
            wrap(name)
    return count


def run(what: str, tree: str, nth: int = 0) -> int:
    """overlay.py in a process of its own, silent; its exit status."""
    pid = os.fork()
    if pid == 0:
        log = os.open(os.path.join(work, "log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        count = arm(nth) if nth else [0]
        status = overlay.main([what, tree])
        sys.stdout.flush()
        os._exit(status if count[0] >= nth else NOT_REACHED)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def fingerprint(tree: str) -> dict:
    found = {}
    for where, dirs, files in os.walk(tree):
        if STATE in dirs:
            dirs.remove(STATE)
        for name in dirs:
            found[os.path.relpath(os.path.join(where, name), tree)] = None
        for name in files:
            path = os.path.join(where, name)
            with open(path, "rb") as f:
                found[os.path.relpath(path, tree)] = (os.stat(path).st_mode, f.read())
    return found


def message() -> str:
    with open(os.path.join(work, "log"), encoding="utf-8") as f:
        return f.read().strip()


def fail(nth: int, what: str) -> None:
    print(f"{fault} {nth} of {command}: {what}\n{message()}")
    sys.exit(1)


def main() -> None:
    tree, installed_tree = os.path.join(work, "tree"), os.path.join(work, "installed")
    shutil.copytree(base, installed_tree, symlinks=True)
    if run("install", installed_tree):
        fail(0, "could not install")
    pristine, installed = fingerprint(base), fingerprint(installed_tree)
    start = base if command == "install" else installed_tree
    nth, status = 0, 0
    while True:
        nth += 1
        shutil.rmtree(tree, ignore_errors=True)
        shutil.copytree(start, tree, symlinks=True)
        status = run(command, tree, nth)
        if status == NOT_REACHED:
            break
        said = message()
        # The dead cannot clean up, and some errors only allow a promise; a
        # later run keeps it.
        if fault == "crash" or "run again" in said:
            run("status", tree)
        now = fingerprint(tree)
        if now not in (pristine, installed):
            odd = sorted(p for p in now.keys() | pristine.keys() if now.get(p) != pristine.get(p))
            fail(nth, f"a mixed tree: {odd}\n{said}")
        if fault != "crash" and status == 0 and now != (installed if command == "install" else pristine):
            fail(nth, "claims success without it")
        if fault != "crash" and status == 0 and os.path.isdir(os.path.join(tree, STATE, "txn")):
            fail(nth, "claims success and leaves a transaction open")
        run("uninstall", tree)
        if fingerprint(tree) != pristine or os.path.exists(os.path.join(tree, STATE)):
            fail(nth, "uninstall afterwards did not restore")
    print(f"{nth - 1} places")
    sys.exit(0 if nth > 10 else 1)


main()
