#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Make a table and JSON of what guest-accuracy.sh has printed in some guests.

Files are called <ours|stock>-<boot>.log.
"""

import argparse
import os
import platform
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import results as res  # noqa: E402  the path comes first

WHEN = ("first", "later")
ALL = (1 << 64) - 1	# addresses of all flavours are words of 64 bits


class Boot:
    """What one guest has planted and reported."""

    def __init__(self, path):
        self.who = path.name.split("-")[0]
        self.planted = {"leak": {}, "control": {}}	# kind: number
        blocks = {"leak": {}, "control": {}}		# address: kind
        self.reported = {when: set() for when in WHEN}
        self.in_pages = {when: set() for when in WHEN}
        self.stats = {}
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            cells = line.split("\t")
            if cells[0] == "KMLA":
                try:
                    self.take(cells[1:], blocks)
                except (ValueError, KeyError, IndexError) as err:
                    sys.exit(f"error: {path}: cannot read {line!r}: {err!r}")
        if not blocks["leak"]:
            sys.exit(f"error: {path}: nothing was planted: the guest did not get that far")
        # A block that waited for RCU may have been freed, and leaked then.
        for address in blocks["leak"]:
            blocks["control"].pop(address, None)
        self.blocks = blocks

    def take(self, cells, blocks):
        word = cells[0]
        if word == "kind":
            self.planted[cells[1]][cells[2]] = int(cells[3])
        elif word in blocks:
            blocks[word][int(cells[2], 16) ^ ALL] = cells[1]
        elif word in ("report", "pages"):
            found = self.reported if word == "report" else self.in_pages
            found[cells[1]].update(int(text, 16) for text in cells[2].split())
        elif word == "stat":
            self.stats[(cells[1], cells[2])] = int(cells[3])
        else:
            raise ValueError("no such line")

    def found(self, when, kind=None):
        """How many leaks are reported, of one kind or of all."""
        return sum(1 for address, k in self.blocks["leak"].items()
                   if kind in (None, k) and address in self.reported[when])

    def every_report(self):
        return self.reported["first"] | self.reported["later"]

    def false(self, kind):
        """How many blocks of a kind are reported that are none, ever."""
        return sum(1 for address, k in self.blocks["control"].items()
                   if k == kind and address in self.every_report())

    def foreign(self):
        """Reports of blocks that the module has not planted."""
        return len(self.every_report() - self.blocks["leak"].keys() - self.blocks["control"].keys())

    def leaks_in_pages(self):
        """Leaks to which only untracked memory refers; None if not known."""
        if ("first", "scan_in_pages") not in self.stats:
            return None
        pages = self.in_pages["first"] | self.in_pages["later"]
        return sum(1 for address in self.blocks["leak"] if address in pages)

    def total(self):
        return sum(self.planted["leak"].values())

    def share(self, when):
        return 100 * self.found(when) / self.total()


def by_who(boots, number):
    """{series: one number a boot}, those that have one."""
    figures = {}
    for boot in boots:
        value = number(boot)
        if value is not None:
            figures.setdefault(boot.who, []).append(value)
    return figures


def rows(boots):
    """(bench, parameters, unit, {series: figures})"""
    for when in WHEN:
        yield ("leaks", f"when={when}", "%", by_who(boots, lambda boot: boot.share(when)))
        for kind, nr in boots[0].planted["leak"].items():
            if nr:
                yield (f"leaks, {kind}", f"when={when}", "%",
                       by_who(boots, lambda boot: 100 * boot.found(when, kind) / boot.planted["leak"][kind]))
    for kind, nr in boots[0].planted["control"].items():
        if nr:
            yield (f"false, {kind}", "", "reports", by_who(boots, lambda boot: boot.false(kind)))
    yield ("foreign", "", "reports", by_who(boots, Boot.foreign))
    yield ("leaks in pages", "", "reports", by_who(boots, Boot.leaks_in_pages))


def show(figures):
    """Median and spread; boots often agree."""
    def word(figure):
        return f"{figure:.1f}".removesuffix(".0")
    if min(figures) == max(figures):
        return word(figures[0])
    return f"{word(res.median(figures))} ({word(min(figures))}..{word(max(figures))})"


def grid(head, lines):
    """A table whose columns line up, for people."""
    widths = [max(len(row[i]) for row in [head, *lines]) for i in range(len(head))]
    rule = ["-" * width for width in widths]
    return ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |"
            for row in [head, rule, *lines]]


def cells(boots, series, numbers):
    """One cell for each series and function of a boot."""
    found = []
    for who in series:
        for number in numbers:
            figures = by_who(boots, number).get(who)
            found.append(show(figures) if figures else "-")
    return found


def leak_table(boots, series):
    head = ["leaks", "planted", *(f"{who}, {when}" for who in series
                                  for when in ("first scan", "two later"))]
    lines = []
    for kind, nr in boots[0].planted["leak"].items():
        lines.append([kind, str(nr), *cells(boots, series, [
            lambda boot, when=when, kind=kind: boot.found(when, kind) for when in WHEN])])
    lines.append(["all", str(boots[0].total()), *cells(boots, series, [
        lambda boot, when=when: boot.found(when) for when in WHEN])])
    lines.append(["per cent", "", *cells(boots, series, [
        lambda boot, when=when: boot.share(when) for when in WHEN])])
    lines.append(["only in untracked pages", "", *(
        cell for who in series for cell in (*cells(boots, [who], [Boot.leaks_in_pages]), ""))])
    return grid(head, lines)


def control_table(boots, series):
    head = ["referenced, from", "planted", *(f"{who}, reported" for who in series)]
    lines = []
    for kind, nr in boots[0].planted["control"].items():
        reported = cells(boots, series, [lambda boot, kind=kind: boot.false(kind)])
        lines.append([kind, str(nr) if nr else "-", *(reported if nr else ["-"] * len(series))])
    lines.append(["anything else", "", *cells(boots, series, [Boot.foreign])])
    return grid(head, lines)


def goals(boots, percent):
    """Lines, and whether all are met. They are ours; stock has none."""
    ours = [boot for boot in boots if boot.who == "ours"]
    if not ours:
        return ["no goals: nothing of ours was measured"], True
    share = res.median([boot.share("first") for boot in ours])
    wrong = [kind for kind in ours[0].planted["control"] if any(boot.false(kind) for boot in ours)]
    met = (share >= percent, not wrong)
    words = ["met" if ok else "MISSED" for ok in met]
    return [f"goal, {percent} % of the leaks at the first scan that may report them: "
            f"{words[0]}, {show([boot.share('first') for boot in ours])} %",
            f"goal, nothing that is referenced: {words[1]}"
            + (f", reported: {'; '.join(wrong)}" if wrong else "")], all(met)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True, help="directory for the results")
    parser.add_argument("--version", default="unknown", help="of our code")
    parser.add_argument("--kernel", default="unknown")
    parser.add_argument("--flavor", default="um")
    parser.add_argument("--seconds", type=int, default=0, help="how long it took")
    parser.add_argument("--goal", type=int, default=98, help="per cent of the leaks (98)")
    parser.add_argument("--strict", action="store_true", help="exit 1 if a goal is missed")
    parser.add_argument("logs", nargs="+", type=Path)
    args = parser.parse_args()

    boots = []
    for path in args.logs:
        try:
            boots.append(Boot(path))
        except OSError as err:
            sys.exit(f"error: {path}: {err.strerror}")
    for boot in boots:
        if boot.planted["leak"] != boots[0].planted["leak"]:
            sys.exit("error: not the same was planted in all guests: there is nothing to compare")

    found = res.Results("accuracy", {
        "version": args.version, "kernel": args.kernel, "flavor": args.flavor,
        "seconds": args.seconds, "machine": platform.machine(), "host_cpus": os.cpu_count(),
        "load": os.getloadavg()[0],
    })
    for bench, params, unit, figures in rows(boots):
        for who, numbers in figures.items():
            found.add(bench, params, unit, who, numbers)
    series = sorted({boot.who for boot in boots}, key=lambda who: who != "stock")
    said, met = goals(boots, args.goal)
    lines = [f"kmemleak {args.version}{' and stock' if 'stock' in series else ''}, "
             f"Linux {args.kernel}, {args.flavor}; {len(boots)} boots, {args.seconds} s",
             "median (least..greatest) of the boots; two later: after two scans more", "",
             *leak_table(boots, series), "", *control_table(boots, series), "", *said]
    out = Path(args.out)
    (out / "table.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))
    found.save(out / "results.json")
    return 0 if met or not args.strict else 1


if __name__ == "__main__":
    sys.exit(main())
