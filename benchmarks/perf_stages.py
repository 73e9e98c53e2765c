#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Read "perf script" text: where did a scan spend its time?

Writes a folded file (one line a stack: frames from the outermost, a blank, a
number), as flame graph tools read it, and prints time by stage and by function.

Stages come from tracepoints kmemleak:*_stage_begin and *_stage_end where the
text has them, each with stage=NAME, on any CPU; else from the functions on the
stack. Only samples below a scan's entry points are counted, and with tracepoints
those between a begin and its end.
"""

import argparse
import re
import sys
from collections import Counter

# Samples count if one of these functions is on their stack: of the initiator, or a helper.
ENTRIES = re.compile(r"^(kml_scan|kml_do_job|__kmemleak_scan|kmemleak_scan)$")

# The first match, from the outermost frame on. For both implementations.
PHASES = [
    ("prepare", r"^(kml_prepare_all|kml_source_tables|kml_source_whiten|kml_scan_open|kml_interval_trim)$"),
    ("roots", r"^(kml_source_roots|kml_own_roots|kml_roots_\w+|scan_large_block|kmemleak_scan_task_stacks)$"),
    ("check", r"^(kml_check_\w+|kml_source_check\w*|update_checksum)$"),
    ("confirm", r"^(kml_confirm_\w+|kml_source_sweep|kml_source_confirm|kml_report_visit\w*)$"),
    ("report", r"^(kml_report_\w+|confirm_leak|dedup_\w+)$"),
    ("mark", r"^(kml_mark_\w+|kml_source_pending|kml_source_newborn|scan_gray_list|scan_block|scan_object)$"),
    ("wait", r"^(kml_wait_for_work|kml_workers_cancel)$"),
]
PHASES = [(name, re.compile(text)) for name, text in PHASES]

# "comm  pid/tid [cpu] time: [period] event: text"; a blank line ends a sample.
HEAD = re.compile(r"^(?P<comm>.+?)\s+(?P<pid>\d+)(/\d+)?\s+(\[\d+\]\s+)?(?P<time>\d+\.\d+):\s+"
                  r"(?:(?P<period>\d+)\s+)?(?P<event>[\w:./=,-]*[\w/-]):?(?:\s(?P<text>.*))?$")
FRAME = re.compile(r"^\s+[0-9a-f]+\s+(?P<symbol>.+?)(?:\+0x[0-9a-f]+)?(?:\s+\((?P<dso>.*)\))?$")
PHASE_EVENT = re.compile(r"^kmemleak:\w*stage_(?P<edge>begin|end)$")
PHASE_NAME = re.compile(r"stage[=: ]+(\w+)")


def samples(lines):
    """Yield (event, text, frames from the outermost, period)."""
    head, frames = None, []
    for line in lines:
        line = line.rstrip("\n")
        match = HEAD.match(line) if line and not line[0].isspace() else None
        if match:
            if head:
                yield head, frames[::-1]
            head, frames = match, []
        elif head and line.strip():
            frame = FRAME.match(line)
            if frame:
                # clones of a function by gcc count as the function
                frames.append(re.sub(r"\.(isra|part|constprop|cold)\b.*", "", frame["symbol"]))
        elif head:
            yield head, frames[::-1]
            head, frames = None, []
    if head:
        yield head, frames[::-1]


def below_entry(frames):
    """The part of a stack that is a scan's, or None."""
    for i, frame in enumerate(frames):
        if ENTRIES.match(frame):
            return frames[i:]
    return None


def stage_by_symbol(frames):
    for frame in frames:
        for name, pattern in PHASES:
            if pattern.match(frame):
                return name
    return "other"


class Profile:
    """What was found."""

    def __init__(self):
        self.folded, self.stages, self.leaves = Counter(), Counter(), Counter()
        self.samples = self.seen = 0
        self.traced = False

    def read(self, lines):
        stage = None
        for head, frames in samples(lines):
            edge = PHASE_EVENT.match(head["event"])
            if edge:
                self.traced = True
                name = PHASE_NAME.search(head["text"] or "")
                stage = name[1] if name and edge["edge"] == "begin" else None
                continue
            if head["event"].startswith("kmemleak:"):
                continue
            self.seen += 1
            below = below_entry(frames)
            if not below:
                continue
            self.samples += 1
            self.folded[";".join(f.replace(";", ",") for f in below)] += 1
            self.stages[stage or "between" if self.traced else stage_by_symbol(below)] += 1
            self.leaves[below[-1]] += 1


def show(title, counts, total, most):
    print(f"{title}:")
    for name, n in counts.most_common(most):
        print(f"  {100 * n / total:5.1f} %  {name}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("script", help='output of "perf script", or - for standard input')
    parser.add_argument("--folded", help="write folded stacks to this file")
    args = parser.parse_args()
    profile = Profile()
    try:
        if args.script == "-":
            profile.read(sys.stdin)
        else:
            with open(args.script, encoding="utf-8", errors="replace") as file:
                profile.read(file)
    except OSError as err:
        sys.exit(f"error: {err}")
    if not profile.samples:
        sys.exit(f"error: none of {profile.seen} samples is of a scan: too few, or no symbols, or no stacks")
    if args.folded:
        with open(args.folded, "w", encoding="utf-8") as out:
            for stack, n in sorted(profile.folded.items()):
                out.write(f"{stack} {n}\n")
    print(f"{profile.samples} samples of scans, of {profile.seen} in all; stages by "
          f"{'tracepoints' if profile.traced else 'symbols'}")
    show("stages", profile.stages, profile.samples, 20)
    show("functions, themselves", profile.leaves, profile.samples, 15)
    return 0


if __name__ == "__main__":
    sys.exit(main())
