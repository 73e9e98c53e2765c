# SPDX-License-Identifier: GPL-2.0-only
"""Change many files of a tree at once, or none.

The state is in <tree>/.kmemleak-overlay (kernel trees ignore dot files):

  manifest.json   the installed overlay: for each path the checksum and mode of the
                  original and of our file
  orig/<sha256>   the contents of the originals
  txn/            a change in progress: new/ and old/ contents by number, journal.json,
                  and the manifest for after the change

A change is first staged completely, on the file system of the tree, read back and
compared. Then the journal is written, and each file is renamed to its place. Renames
need no space, so a full disk is noticed before anything has changed. The change is made
when the journal is renamed to committed.json: a run that finds journal.json rolls back,
and one that finds committed.json finishes the change.
"""

import errno
import fcntl
import json
import os
import shutil
from typing import Optional

from overlay_tree import File, Plan, Refused, read_file

STATE = ".kmemleak-overlay"


class Tree:
    """One kernel tree, locked, and recovered from an interrupted run."""

    def __init__(self, kdir: str):
        self.kdir = os.path.abspath(kdir)
        self.state = os.path.join(self.kdir, STATE)
        self.txn = os.path.join(self.state, "txn")
        # The lock is on the directory: a lock file would have to be removed.
        self._lock = os.open(self.kdir, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        if os.path.isdir(self.state):
            self._recover()

    # ---- state ---------------------------------------------------------

    def manifest(self) -> Optional[dict]:
        return _read_json(os.path.join(self.state, "manifest.json"))

    def originals(self, manifest: dict) -> dict[str, Optional[File]]:
        """The file at each managed path before the overlay was installed."""
        out: dict[str, Optional[File]] = {}
        for path, e in manifest["files"].items():
            if e["orig"] is None:
                out[path] = None
                continue
            saved = os.path.join(self.state, "orig", e["orig"])
            try:
                with open(saved, "rb") as f:
                    file = File(f.read(), e["orig_mode"])
            except FileNotFoundError:
                raise Refused(f"the saved original of {path} is gone: looked for {saved}") from None
            if file.sha != e["orig"]:
                raise Refused(f"the saved original of {path} is damaged: {saved}")
            out[path] = file
        return out

    def changed_since_install(self, manifest: dict) -> list[str]:
        """Managed files that are neither ours nor the originals."""
        changed = []
        for path, e in manifest["files"].items():
            now = read_file(self.kdir, path)
            sha = now.sha if now else None
            if sha not in (e["new"], e["orig"]):
                changed.append(path)
        return changed

    # ---- changes -------------------------------------------------------

    def install(self, plan: Plan) -> int:
        files = {path: {"orig": before.sha if before else None,
                        "orig_mode": before.mode if before else None,
                        "new": after.sha if after else None,
                        "new_mode": after.mode if after else None}
                 for path, (before, after) in plan.items()}
        manifest = {"format": 1, "files": files, "dirs": []}
        target = {path: after for path, (_, after) in plan.items()}
        old = self.manifest()
        if old:
            # Files of an older checkout that this one does not have.
            for path, file in self.originals(old).items():
                target.setdefault(path, file)
            manifest["dirs"] = old["dirs"]
        return self._change(target, manifest, [b for b, _ in plan.values() if b])

    def uninstall(self, manifest: dict) -> int:
        return self._change(dict(self.originals(manifest)), None, [])

    def _change(self, target: dict[str, Optional[File]], manifest: Optional[dict],
                save: list[File]) -> int:
        todo = []
        for path, after in sorted(target.items()):
            before = read_file(self.kdir, path)
            if before != after:
                todo.append((path, before, after))
        if manifest and not todo and manifest == self.manifest():
            return 0
        fresh = not os.path.isdir(self.state)
        try:
            self._stage(todo, manifest, save)
        except BaseException:
            shutil.rmtree(self.state if fresh else self.txn, ignore_errors=True)
            raise
        try:
            self._swap()
        except BaseException:
            self._undo()
            raise
        try:
            self._recover()
        except OSError as e:
            raise Refused(f"the change to {self.kdir} is made, but cleaning up after it failed: {e}; "
                          f"run again to finish that") from None
        return len(todo)

    def _stage(self, todo: list, manifest: Optional[dict], save: list[File]) -> None:
        for sub in ("new", "old"):
            os.makedirs(os.path.join(self.txn, sub))
        os.makedirs(os.path.join(self.state, "orig"), exist_ok=True)
        staged = [(os.path.join(self.state, "orig", file.sha), file) for file in save]
        dirs: set[str] = set()
        entries = []
        for n, (path, before, after) in enumerate(todo):
            if after:
                staged.append((os.path.join(self.txn, "new", str(n)), after))
                parent = os.path.dirname(path)
                while parent and not os.path.isdir(os.path.join(self.kdir, parent)):
                    dirs.add(parent)
                    parent = os.path.dirname(parent)
            if before:
                staged.append((os.path.join(self.txn, "old", str(n)), before))
            # A rename needs write permission for this directory.
            at = os.path.join(self.kdir, os.path.dirname(path))
            while not os.path.isdir(at):
                at = os.path.dirname(at)
            if not os.access(at, os.W_OK):
                raise PermissionError(13, "no permission to write", at)
            entries.append({"path": path, "before": before.sha if before else None,
                            "after": after.sha if after else None})
        if manifest:
            manifest["dirs"] = sorted(set(manifest["dirs"]) | dirs)
        _write_checked(staged)
        if manifest:
            _write_json(os.path.join(self.txn, "manifest.json"), manifest)
        # The journal is written last, when everything that it needs is there.
        _write_json(os.path.join(self.txn, "journal.json"),
                    {"entries": entries, "new_dirs": sorted(dirs), "uninstall": manifest is None})

    def _swap(self) -> None:
        journal = _read_json(os.path.join(self.txn, "journal.json"))
        for n, e in enumerate(journal["entries"]):
            dest = os.path.join(self.kdir, e["path"])
            if e["after"] is None:
                os.unlink(dest)
            else:
                os.makedirs(os.path.dirname(dest), exist_ok=True)
                os.replace(os.path.join(self.txn, "new", str(n)), dest)
        os.replace(os.path.join(self.txn, "journal.json"),
                   os.path.join(self.txn, "committed.json"))

    # ---- after a change, or after an interruption -------------------------

    def _undo(self) -> None:
        try:
            self._recover()
        except OSError as e:
            raise Refused(f"could not roll back: {e}; the journal stays in {self.txn}: "
                          f"remove the cause and run again, which rolls back first") from None

    def _recover(self) -> None:
        committed = _read_json(os.path.join(self.txn, "committed.json"))
        journal = _read_json(os.path.join(self.txn, "journal.json"))
        if committed is not None:
            self._finish(committed)
        elif journal is not None:
            self._roll_back(journal)
        if os.path.isdir(self.txn):
            shutil.rmtree(self.txn)
        manifest = self.manifest()
        if manifest is None:
            shutil.rmtree(self.state)
            return
        used = {e["orig"] for e in manifest["files"].values()}
        orig = os.path.join(self.state, "orig")
        for name in os.listdir(orig):
            if name not in used:
                os.unlink(os.path.join(orig, name))

    def _finish(self, journal: dict) -> None:
        manifest = os.path.join(self.state, "manifest.json")
        staged = os.path.join(self.txn, "manifest.json")
        if journal["uninstall"]:
            old = self.manifest()
            self._remove_empty(old["dirs"] if old else [])
            if old:
                os.unlink(manifest)
        elif os.path.exists(staged):
            os.replace(staged, manifest)

    def _roll_back(self, journal: dict) -> None:
        lost = []
        for n, e in enumerate(journal["entries"]):
            dest = os.path.join(self.kdir, e["path"])
            now = read_file(self.kdir, e["path"])
            sha = now.sha if now else None
            if sha == e["before"]:
                continue
            if sha != e["after"]:
                lost.append(e["path"])
            elif e["before"] is None:
                os.unlink(dest)
            else:
                os.makedirs(os.path.dirname(dest), exist_ok=True)
                os.replace(os.path.join(self.txn, "old", str(n)), dest)
        if lost:
            raise Refused(f"an earlier run was interrupted and these files of {self.kdir} changed since: "
                          f"{', '.join(lost)}; put them back (what was there is in {self.txn}/old) and run again")
        self._remove_empty(journal["new_dirs"])

    def _remove_empty(self, dirs: list[str]) -> None:
        for d in sorted(dirs, key=len, reverse=True):
            try:
                os.rmdir(os.path.join(self.kdir, d))
            except OSError as e:
                # Not empty: somebody else has put a file there.
                if e.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
                    raise


def _read_json(path: str) -> Optional[dict]:
    try:
        with open(path, encoding="utf-8") as f:
            return json.load(f)
    except FileNotFoundError:
        return None


def _write_json(path: str, data: dict) -> None:
    blob = json.dumps(data, indent=1, sort_keys=True).encode() + b"\n"
    _write_checked([(path + ".tmp", File(blob))])
    os.replace(path + ".tmp", path)


def _write_checked(files: list[tuple[str, File]]) -> None:
    """Write, flush to the disk, and read back: a full disk must be noticed here."""
    for path, file in files:
        with open(path, "wb") as f:
            f.write(file.data)
        os.chmod(path, file.mode)
    # Files are flushed in a second pass, which is many times faster.
    for path, file in files:
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        with open(path, "rb") as f:
            if f.read() != file.data:
                raise OSError(errno.EIO, "reads back differently than written", path)
