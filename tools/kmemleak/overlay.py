#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Install this checkout's mm/kmemleak in a kernel tree, or uninstall it.

usage: overlay.py install KDIR        add our files and replace mm/kmemleak.c
       overlay.py uninstall KDIR      restore the tree byte for byte
       overlay.py patches KDIR OUT    the same change as a git am series
       overlay.py status KDIR         installed, modified or absent

Exit status: 0 done, 1 failed (the tree is as it was), 2 wrong usage, 3 refused: either
nothing was changed, or the message says what to do by hand.
"""

import os
import signal
import sys

# The imports below must not leave a cache in the checkout.
sys.dont_write_bytecode = True

from overlay_patches import write_series  # noqa: E402
from overlay_tree import Plan, Refused, plan, tree_version  # noqa: E402
from overlay_txn import Tree  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def refuse_changed(tree: Tree, manifest: dict) -> None:
    """Refuse if files were edited since the overlay was installed."""
    changed = tree.changed_since_install(manifest)
    if changed:
        lines = "".join(f"\n  {path}" for path in changed)
        raise Refused(f"these files of {tree.kdir} changed since install:{lines}\n"
                      f"move your changes away (the originals are in {tree.state}/orig, "
                      f"listed in manifest.json) and run again")


def make_plan(tree: Tree) -> Plan:
    manifest = tree.manifest()
    return plan(TOP, tree.kdir, tree.originals(manifest) if manifest else None)


def install(kdir: str) -> None:
    tree_version(kdir)
    tree = Tree(kdir)
    manifest = tree.manifest()
    if manifest:
        refuse_changed(tree, manifest)
    wanted = make_plan(tree)
    touched = tree.install(wanted)
    print(f"{kdir}: " + (f"kmemleak overlay installed, {touched} files changed" if touched
                         else "kmemleak overlay is up to date"))


def uninstall(kdir: str) -> None:
    if not os.path.isdir(kdir):
        raise Refused(f"{kdir} is not a directory; give the tree you installed into")
    tree = Tree(kdir)
    manifest = tree.manifest()
    if not manifest:
        raise Refused(f"no overlay is installed in {kdir} (looked for {tree.state}/manifest.json)")
    refuse_changed(tree, manifest)
    touched = tree.uninstall(manifest)
    print(f"{kdir}: restored, {touched} files changed")


def patches(kdir: str, out: str) -> None:
    tree_version(kdir)
    tree = Tree(kdir)
    for name in write_series(TOP, make_plan(tree), out):
        print(os.path.join(out, name))


def status(kdir: str) -> None:
    tree_version(kdir)
    tree = Tree(kdir)
    manifest = tree.manifest()
    if not manifest:
        print("absent")
        return
    changed = tree.changed_since_install(manifest)
    print("modified: " + ", ".join(changed) if changed else "installed")


COMMANDS = {"install": (install, 1), "uninstall": (uninstall, 1),
            "patches": (patches, 2), "status": (status, 1)}


def main(argv: list[str]) -> int:
    if len(argv) == 1 and argv[0] in ("-h", "--help"):
        print(__doc__.strip())
        return 0
    if not argv or argv[0] not in COMMANDS or len(argv) - 1 != COMMANDS[argv[0]][1]:
        print(__doc__.strip(), file=sys.stderr)
        return 2

    def stop(signum: int, _frame: object) -> None:
        raise KeyboardInterrupt(signal.Signals(signum).name)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)
    try:
        COMMANDS[argv[0]][0](*argv[1:])
    except Refused as e:
        print(f"error: {e}", file=sys.stderr)
        return 3
    except OSError as e:
        print(f"error: {e}; nothing was changed in {argv[1]}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"error: interrupted; {argv[1]} is as it was", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
