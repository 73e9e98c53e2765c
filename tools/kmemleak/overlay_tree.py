# SPDX-License-Identifier: GPL-2.0-only
"""The changes of the overlay to a kernel tree, and whether the tree can take them.

plan() only reads. If it refuses, it says what it looked for and where, before anything
was written.
"""

import hashlib
import os
import re
import stat
import subprocess
from typing import NamedTuple, Optional

from overlay_edits import EDITS, REMOVED, Missing, kconfig_blocks
from overlay_fixes import Patch, apply_hunks, choose

OLDEST = (6, 12)
# The directories of this checkout that a kernel tree has, too.
MIRRORED = ("mm", "arch", "include", "Documentation", "tools/testing/selftests")
HOOKS_HEADER = "include/linux/kmemleak.h"


class Refused(Exception):
    """The tree or this checkout is not in a known state; the message says why."""


class File(NamedTuple):
    """A file's content; an absent file is None."""

    data: bytes
    mode: int = 0o644

    @property
    def sha(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


Plan = dict[str, tuple[Optional[File], Optional[File]]]


def read_file(root: str, path: str) -> Optional[File]:
    full = os.path.join(root, path)
    try:
        st = os.lstat(full)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(st.st_mode):
        raise Refused(f"{full} is not a regular file; replace it by one")
    if not os.path.realpath(full).startswith(os.path.realpath(root) + os.sep):
        raise Refused(f"{full} leads out of the tree through a symbolic link; use a tree of plain directories")
    with open(full, "rb") as f:
        return File(f.read(), stat.S_IMODE(st.st_mode))


def _git_files(top: str) -> Optional[list[str]]:
    """Files that git tracks or does not ignore; None without git."""
    if not os.path.exists(os.path.join(top, ".git")):
        return None
    try:
        git = subprocess.run(
            ["git", "-C", top, "ls-files", "-z", "-co", "--exclude-standard", "--", *MIRRORED],
            capture_output=True, check=False)
    except FileNotFoundError:
        return None
    return [os.fsdecode(n) for n in git.stdout.split(b"\0") if n] if git.returncode == 0 else None


def our_files(top: str) -> dict[str, File]:
    """All files of this checkout for the tree, without files that builds leave."""
    names: list[str] = []
    listing = _git_files(top)
    if listing is not None:
        names = listing
    else:
        # Without git, as in an unpacked archive: leave out files that builds leave.
        litter = re.compile(r"(~|\.(o|ko|a|cmd|d|orig|rej|sw[op]|mod|mod\.c))$")
        for part in MIRRORED:
            for where, _, files in os.walk(os.path.join(top, part)):
                names += [os.path.relpath(os.path.join(where, n), top) for n in files
                          if not litter.search(n)]
    found = {}
    for name in sorted(set(names)):
        file = read_file(top, name)
        if file:
            found[name] = File(file.data, 0o755 if file.mode & 0o100 else 0o644)
    for needed in ("mm/kmemleak/Makefile", "mm/kmemleak/Kconfig"):
        if needed not in found:
            raise Refused(f"this checkout has no {needed}; get a complete one")
    return found


def tree_version(kdir: str) -> tuple[int, int]:
    """Check that kdir is a kernel source tree that is new enough."""
    if not os.path.isdir(kdir):
        raise Refused(f"{kdir} is not a directory; give the top of a kernel source tree")
    for needed in ("Makefile", "Kbuild", "Kconfig", "mm/Makefile", "scripts/Kbuild.include"):
        if not os.path.isfile(os.path.join(kdir, needed)):
            raise Refused(f"{kdir} is not a kernel source tree: looked for {needed} there")
    with open(os.path.join(kdir, "Makefile"), encoding="utf-8", errors="replace") as f:
        head = f.read(4096)
    numbers = []
    for name in ("VERSION", "PATCHLEVEL"):
        m = re.search(rf"^{name}\s*=\s*(\d+)\s*$", head, re.M)
        if not m:
            raise Refused(f"{kdir} is not a kernel source tree: looked for '{name} =' in its Makefile")
        numbers.append(int(m[1]))
    version = (numbers[0], numbers[1])
    if version < OLDEST:
        raise Refused(f"{kdir} is Linux {version[0]}.{version[1]}, looked for at least "
                      f"{OLDEST[0]}.{OLDEST[1]} in its Makefile; use a newer tree")
    return version


def strip_c(text: str) -> str:
    """C without comments and the contents of strings; continued lines are joined."""
    text = text.replace("\\\n", " ")
    token = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    return token.sub(lambda m: " " if m[0][0] == "/" else '""', text)


def blank_braces(text: str) -> str:
    """Drop everything inside braces, so that declarations remain."""
    out, depth = [], 0
    for c in text:
        if c == "{":
            depth += 1
            out.append("{" if depth == 1 else "")
        elif c == "}":
            depth = max(depth - 1, 0)
            out.append("}" if depth == 0 else "")
        elif depth == 0:
            out.append(c)
    return "".join(out)


def declared_hooks(header: str) -> set[str]:
    """Functions that the header declares and mm/ has to define: no inline functions."""
    text = strip_c(header)
    m = re.search(r"^[ \t]*#[ \t]*ifdef[ \t]+CONFIG_DEBUG_KMEMLEAK\b", text, re.M)
    if not m:
        return set()
    depth, end = 1, len(text)
    for d in re.finditer(r"^[ \t]*#[ \t]*(if|ifdef|ifndef|else|elif|endif)\b", text[m.end():], re.M):
        if d[1].startswith("if"):
            depth += 1
        elif d[1] == "endif":
            depth -= 1
        if depth == 0 or (depth == 1 and d[1] in ("else", "elif")):
            end = m.end() + d.start()
            break
    body = re.sub(r"^[ \t]*#.*$", "", text[m.end():end], flags=re.M)
    hooks = set()
    for declaration in re.split(r";|\}", blank_braces(body)):
        if "{" in declaration or re.search(r"\bstatic\b", declaration):
            continue
        name = re.search(r"\b(kmemleak_\w+)\s*\(", declaration)
        if name:
            hooks.add(name[1])
    return hooks


def defined_hooks(sources: list[str]) -> set[str]:
    """Non-static functions kmemleak_* that these C files define.

    In kernel style the first line of a definition begins at column 0. Braces cannot
    tell, since branches of #ifdef may unbalance them.
    """
    start = re.compile(r"^(?!static\b)(?:[A-Za-z_][^\n;={}]*?[\s*])?(kmemleak_\w+)\s*\(", re.M)
    defined = set()
    for source in sources:
        text = re.sub(r"^[ \t]*#.*$", "", strip_c(source), flags=re.M)
        for m in start.finditer(text):
            depth, at = 1, m.end()
            while at < len(text) and depth:
                depth += {"(": 1, ")": -1}.get(text[at], 0)
                at += 1
            if re.match(r"[\w\s()]*\{", text[at:at + 200]):
                defined.add(m[1])
    return defined


def check_hooks(kdir: str, ours: dict[str, File]) -> None:
    header = read_file(kdir, HOOKS_HEADER)
    if not header:
        raise Refused(f"looked for {HOOKS_HEADER} in {kdir} and found none")
    declared = declared_hooks(header.data.decode(errors="replace"))
    if "kmemleak_alloc" not in declared:
        raise Refused(f"looked for a prototype of kmemleak_alloc() under '#ifdef CONFIG_DEBUG_KMEMLEAK' "
                      f"in {kdir}/{HOOKS_HEADER} and found none")
    defined = defined_hooks([f.data.decode(errors="replace") for n, f in ours.items()
                             if n.startswith("mm/kmemleak/") and n.endswith(".c")])
    lacking = sorted(declared - defined)
    if lacking:
        raise Refused(f"{kdir}/{HOOKS_HEADER} declares " + ", ".join(f"{n}()" for n in lacking) +
                      f", looked for in this checkout's mm/kmemleak/*.c and not defined there; "
                      f"the tree is newer than this checkout")


def check_options(kdir: str, kconfig: str, ours: dict[str, File]) -> None:
    """Options that are removed from the tree's Kconfig must be in ours."""
    have = set(re.findall(r"^config (\w+)$", ours["mm/kmemleak/Kconfig"].data.decode(), re.M))
    lost = [name for _, _, name in kconfig_blocks(kconfig, "DEBUG_KMEMLEAK") if name not in have]
    if lost:
        raise Refused(f"{kdir}/mm/Kconfig.debug has {', '.join(lost)}, looked for in this checkout's "
                      f"mm/kmemleak/Kconfig and not found there; the tree is newer than this checkout")


def patched(patch: Patch, path: str, file: File) -> File:
    text = apply_hunks(patch, path, file.data.decode("utf-8", errors="surrogateescape"))
    return File(text.encode("utf-8", errors="surrogateescape"), file.mode)


def plan(top: str, kdir: str, originals: Optional[dict[str, Optional[File]]]) -> Plan:
    """{path: (original, wanted)} for each file that the overlay changes.

    originals: the files that an earlier install saved (None for files it added), or
    None without an overlay in the tree. The plan always starts from the untouched
    tree, so that a second install changes nothing.
    """
    tree_version(kdir)
    ours = our_files(top)

    def original(path: str) -> Optional[File]:
        if originals is not None and path in originals:
            return originals[path]
        return read_file(kdir, path)

    for path in REMOVED:
        if not original(path):
            hint = ("; the tree already has mm/kmemleak/, as after 'make patches': use an unpatched tree"
                    if os.path.isdir(os.path.join(kdir, "mm/kmemleak")) else "")
            raise Refused(f"looked for {path} in {kdir} and found none, and this overlay "
                          f"is not installed there{hint}")
    check_hooks(kdir, ours)

    wanted: Plan = {path: (original(path), None) for path in REMOVED}
    for path, file in ours.items():
        wanted[path] = (original(path), file)

    edited: dict[str, str] = {}
    for edit in EDITS:
        if not any(name.startswith(edit.when) for name in ours):
            continue
        before = original(edit.path)
        if not before:
            raise Refused(f"looked for {edit.path} in {kdir} and found none")
        if edit.path in ours:
            raise Refused(f"this checkout both brings and edits {edit.path}")
        text = edited.get(edit.path, before.data.decode("utf-8", errors="surrogateescape"))
        if edit.path == "mm/Kconfig.debug":
            check_options(kdir, text, ours)
        try:
            text = edit.apply(text)
        except Missing as e:
            raise Refused(f"looked for {e} in {kdir}/{edit.path} and did not find it") from None
        edited[edit.path] = text
        wanted[edit.path] = (before, File(text.encode("utf-8", errors="surrogateescape"), before.mode))

    def text_of(path: str) -> Optional[str]:
        file = original(path)
        return file.data.decode("utf-8", errors="surrogateescape") if file else None

    try:
        patches = choose(text_of)
    except ValueError as e:
        raise Refused(f"{e}; get a complete checkout") from None
    for patch in patches:
        for path in patch.files:
            before, after = wanted.get(path) or (original(path), original(path))
            if not before or not after:
                raise Refused(f"looked for {path} in {kdir} and found none (patches/{patch.name} changes it)")
            try:
                wanted[path] = (before, patched(patch, path, after))
            except Missing as e:
                raise Refused(f"looked for {e} in {kdir}/{path} and did not find it") from None
    return wanted
