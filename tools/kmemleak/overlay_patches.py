# SPDX-License-Identifier: GPL-2.0-only
"""The overlay as a series for git am. After each patch the tree can be built.

The series is made in a temporary repository that has only the changed files, so neither
the tree nor the checkout is written to. The patches to the kernel's own code come
first: they do not need our files. Then new files are added, which are not built until
one patch makes the build use them. Patches that use new code come last. The cover
letter is the text of COVER_LETTER, with git's list of the patches.
"""

import os
import re
import subprocess
import sys
import tempfile
from typing import NamedTuple, Optional

from overlay_fixes import choose
from overlay_tree import File, Plan, Refused, patched


class Step(NamedTuple):
    subject: str
    body: str
    # A path is in the first step whose expression matches it.
    paths: str


# The first line is the subject.
COVER_LETTER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cover-letter.txt")

_CORE = r"mm/kmemleak/(%s)\.[chS]$"

STEPS = (
    Step("mm/kmemleak: add the headers of the parallel detector",
         """The filter interface that architectures implement and the tracepoints of a
scan. Nothing includes them yet.""",
         r"include/"),
    Step("mm/kmemleak: add types, rules and the memory of metadata",
         """The rules that all files follow (locks, publication order, contexts) are at
the head of kmemleak.h. Metadata comes from caches of its own, before the slab
exists from a static pool; blocks for which there is none wait in a reserve.

Nothing builds these files yet.""",
         r"mm/kmemleak/(os\.h|kmemleak\.h|index\.h|meta\.c)$"),
    Step("mm/kmemleak: add the index and the objects in it",
         """Objects are found through a directory of aligned address intervals, each
owned by the CPU that first allocated in it, in place of one tree under one
lock. Metadata that marking touches lies apart from what only reports need.

Nothing builds these files yet.""",
         _CORE % "index|object|stack"),
    Step("mm/kmemleak: add marks and their workers",
         """Roots and grey objects become ranges of words, a filter picks candidates, a
bitmap drops those that can change nothing any more, and a batched look-up
shades the rest, on several CPUs.

Nothing builds these files yet.""",
         _CORE % "mark|filter|read|work|roots"),
    Step("mm/kmemleak: add scans, the trial of suspects and the report",
         """A scan is a sequence of stages. Objects that stay white are suspects, and have
a trial before they are reported.

Nothing builds these files yet.""",
         _CORE % "scan|trial|report|leaks|refs"),
    Step("mm/kmemleak: add the unit tests",
         """KUnit suites, one per unit. Nothing builds these files yet.""",
         r"mm/kmemleak/tests/"),
    Step("mm/kmemleak: add hooks, control, report and build files",
         """The hooks of <linux/kmemleak.h>, boot and module parameters, the debugfs
file with its stock commands and text, and the directory's own Kconfig and
Makefile. Nothing reads the latter two yet.""",
         r"mm/kmemleak/"),
    Step("mm/kmemleak: replace the single-file implementation",
         """Build mm/kmemleak/ and read its Kconfig in place of mm/kmemleak.c. Option
names, types and defaults, the boot and module parameters, the debugfs
interface and the report's text stay what they were.""",
         r"mm/"),
    Step("mm/kmemleak: add architecture-specific filters",
         """Filters for the vector units of architectures that have one. The generic
filter stays the reference and the fallback.""",
         r"arch/"),
    Step("selftests: add tests for kmemleak",
         """Commands, format and regressions of the debugfs interface, as seen by the
programs that use it.""",
         r"tools/testing/selftests/"),
    Step("Documentation: describe the parallel kmemleak",
         """Update the user's guide and add a description of the internals.""",
         r"Documentation/|MAINTAINERS$"),
)


def fixes(plan: Plan) -> tuple[list[tuple[Step, Plan]], list[tuple[Step, Plan]]]:
    """The patches to this tree's own code: those that come first, those that come last."""

    def read(path: str) -> Optional[str]:
        before = plan.get(path, (None, None))[0]
        return before.data.decode("utf-8", errors="surrogateescape") if before else None

    first, last = [], []
    now: dict[str, Optional[File]] = {}
    for patch in choose(read):
        mine: Plan = {}
        for path in patch.files:
            before = now.get(path, plan[path][0])
            now[path] = patched(patch, path, before)
            mine[path] = (before, now[path])
        (last if patch.last else first).append((Step(patch.subject, patch.body, ""), mine))
    return first, last


def split(plan: Plan) -> list[tuple[Step, Plan]]:
    """Assign each changed path to its step; steps without paths are left out."""
    series, last = fixes(plan)
    done = {p for _, mine in series + last for p in mine}
    left = {p: c for p, c in plan.items() if c[0] != c[1] and p not in done}
    for step in STEPS:
        mine = {p: left.pop(p) for p in sorted(left) if re.match(step.paths, p)}
        if mine:
            series.append((step, mine))
    series += last
    if left:
        raise Refused(f"no patch of the series takes {', '.join(sorted(left))}; add a row to STEPS "
                      f"in tools/kmemleak/overlay_patches.py")
    return series


def _author(top: str) -> tuple[str, str]:
    def setting(key: str) -> str:
        out = subprocess.run(["git", "-C", top, "config", "--get", key],
                             capture_output=True, text=True, check=False)
        return out.stdout.strip()

    name, email = setting("user.name"), setting("user.email")
    if name and email:
        return name, email
    print("note: git has no user.name and user.email here; the patches' From: line is a placeholder",
          file=sys.stderr)
    return "kmemleak overlay", "kmemleak@localhost"


def _cover_letter() -> tuple[str, str]:
    """Subject and text."""
    try:
        with open(COVER_LETTER, encoding="utf-8") as f:
            subject, _, text = f.read().partition("\n\n")
    except FileNotFoundError:
        raise Refused(f"this checkout has no {COVER_LETTER}; get a complete one") from None
    return subject, text.rstrip("\n")


def _put(root: str, path: str, file: Optional[File]) -> None:
    full = os.path.join(root, path)
    if file is None:
        os.unlink(full)
        return
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "wb") as f:
        f.write(file.data)
    os.chmod(full, file.mode)


def write_series(top: str, plan: Plan, out: str) -> list[str]:
    """Write the series into the directory out; returns the names of its mails."""
    if os.path.exists(out) and not os.path.isdir(out):
        raise Refused(f"{out} is not a directory; give an empty or new one")
    if os.path.isdir(out) and any(n.endswith(".patch") for n in os.listdir(out)):
        raise Refused(f"{out} already holds patches; give an empty or new directory")
    series = split(plan)
    subject, text = _cover_letter()
    name, email = _author(top)
    env = dict(os.environ, GIT_CONFIG_NOSYSTEM="1", GIT_CONFIG_GLOBAL=os.devnull,
               GIT_AUTHOR_NAME=name, GIT_AUTHOR_EMAIL=email,
               GIT_COMMITTER_NAME=name, GIT_COMMITTER_EMAIL=email)
    for stray in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        env.pop(stray, None)
    with tempfile.TemporaryDirectory(prefix="kmemleak-patches.") as repo:

        def git(*args: str, text: str = "") -> str:
            done = subprocess.run(["git", "-C", repo, "-c", "core.autocrlf=false", "-c", "commit.gpgsign=false",
                                   "-c", "core.excludesFile=", *args],
                                  input=text, capture_output=True, text=True, env=env, check=False)
            if done.returncode:
                raise OSError(f"git {args[0]}: {done.stderr.strip()}")
            return done.stdout

        git("init", "-q")
        for path, (before, _) in plan.items():
            if before:
                _put(repo, path, before)
        git("add", "-A", "-f")
        git("commit", "-q", "--allow-empty", "-m", "base")
        for step, mine in series:
            for path, (_, after) in mine.items():
                _put(repo, path, after)
            git("add", "-A", "-f")
            git("commit", "-q", "-F", "-", text=f"{step.subject}\n\n{step.body}\n")
        os.makedirs(out, exist_ok=True)
        # No renames: git am must not depend on the similarity of a removed and
        # an added file.
        git("format-patch", "-q", "--no-renames", "--full-index", "--binary", "--no-signature", "--cover-letter",
            "--cover-from-description=none", "-o", os.path.abspath(out), "HEAD~%d" % len(series))
    cover = os.path.join(out, "0000-cover-letter.patch")
    with open(cover, encoding="utf-8") as f:
        letter = f.read()
    with open(cover, "w", encoding="utf-8") as f:
        f.write(letter.replace("*** SUBJECT HERE ***", subject, 1).replace("*** BLURB HERE ***", text, 1))
    return sorted(n for n in os.listdir(out) if n.endswith(".patch"))
