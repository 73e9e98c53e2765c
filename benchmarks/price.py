#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Instructions of an allocation and its free by the number of frames, from guests' logs.

Logs are named <flavor>-<off, stock or ours>.log, and have the lines of
kernel/guest-price.sh. The test has to call itself to have more frames. These calls are in
the log of "off", too, and their instructions are taken off. Writes results.json and
price.dat, and prints a table.
"""

import argparse
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import results as res  # noqa: E402  the path comes first

SERIES = ("off", "stock", "ours")
UNIT = "instructions"
HEAD = """# SPDX-License-Identifier: GPL-2.0-only
#
# Instructions of kmalloc() and kfree() by the number of frames on the stack: the figures of
# price.svg, written by price.sh, which has the method. A "-" was not measured.
"""
# On a dark page the colours are inverted, and keep their hues.
STYLE = ("<title>Instructions of an allocation and its free</title>\n"
         "<style>@media (prefers-color-scheme: dark) "
         "{ svg { filter: invert(0.9) hue-rotate(180deg) } }</style>\n")
PLOT = """
set terminal svg noenhanced size 760,400 font 'sans-serif,14' background 'white'
set datafile missing '-'
set logscale y
set xrange [3.5:16.5]
set yrange [150:80000]
set xtics 4, 1, 16
set ytics (200, 500, '1,000' 1000, '2,000' 2000, '5,000' 5000, '10,000' 10000, '20,000' 20000)
set grid lc rgb '#dddddd' lt 1
set border 3 lc rgb '#555555'
set tics nomirror
set xlabel 'frames of the stack'
set ylabel 'instructions of kmalloc() and kfree()'
set key top left Left reverse samplen 2 maxrows 3
plot """


def number(word):
    return None if word == "-" else int(word)


def read(path):
    """The lines of a guest: {more: (frames, instructions)}."""
    found = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.rstrip().split("\t")
        if words[0] == "KMLP":
            if len(words) != 4:
                raise ValueError(f"{path}: cannot read: {line}")
            found[words[1]] = number(words[2]), int(words[3])
    if "pairs" not in found or "0" not in found:
        raise ValueError(f"{path}: no lines of a guest")
    return found


def prices(logs):
    """{frames: {series: instructions}} of one flavor, from {series: lines}."""
    off = logs["off"]
    base = off["pairs"][1]
    table = {}
    for series in ("stock", "ours"):
        for more, (frames, instructions) in logs.get(series, {}).items():
            if frames is None:
                continue
            calls = off["0" if more == "depth" else more][1] - base
            # more than are saved: the first of these counts
            table.setdefault(frames, {"off": base}).setdefault(series, instructions - calls)
    return dict(sorted(table.items()))


def data(tables):
    """The text of price.dat: a block of each flavor, for gnuplot's index."""
    text = HEAD
    for flavor, table in tables.items():
        text += f"#\n# {flavor}\n# frames  off  stock  ours\n"
        for frames, row in table.items():
            text += " ".join([str(frames), *(str(row.get(s, "-")) for s in SERIES)]) + "\n"
        text += "\n\n"
    return text.rstrip("\n") + "\n"


def draw(source, target):
    flavors = [line[2:] for line in source.read_text(encoding="utf-8").splitlines()
               if line in ("# x86_64", "# arm64")]
    look = {"off": ("#7f8c8d", 1, "without"), "stock": ("#b03a2e", 7, "stock"),
            "ours": ("#1f618d", 5, "this one")}
    lines = []
    for index, flavor in enumerate(flavors):
        for column, series in enumerate(SERIES):
            color, point, title = look[series]
            lines.append(f"'{source}' index {index} using 1:{column + 2} with linespoints lw 3 "
                         f"pt {point + (flavor == 'arm64') * (series != 'off')} ps 0.7 "
                         f"dt {1 + index} lc rgb '{color}' title '{title}, {flavor}'")
    svg = subprocess.run(["gnuplot"], input=PLOT + ", \\\n".join(lines) + "\n", text=True,
                         check=True, stdout=subprocess.PIPE).stdout
    before, _, after = svg.partition("<title>")
    target.write_text(before + STYLE + after.partition("</title>\n")[2], encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plot", action="store_true",
                        help="draw the second file from the first, a price.dat")
    parser.add_argument("--out", type=Path, help="directory for results.json and price.dat")
    parser.add_argument("files", nargs="+", type=Path)
    args = parser.parse_args()
    if args.plot:
        if len(args.files) != 2:
            parser.error("--plot needs two files")
        draw(*args.files)
        return 0

    found = res.Results("price")
    tables = {}
    try:
        logs = {}
        for path in args.files:
            flavor, _, series = path.stem.rpartition("-")
            if not flavor or series not in SERIES:
                raise ValueError(f"{path}: not the name of a guest's log")
            logs.setdefault(flavor, {})[series] = read(path)
        for flavor, of_flavor in logs.items():
            if "off" not in of_flavor:
                raise ValueError(f"{flavor}: no log with kmemleak=off")
            tables[flavor] = prices(of_flavor)
    except (OSError, ValueError) as err:
        sys.exit(f"error: {err}")
    for flavor, table in tables.items():
        for frames, row in table.items():
            for series in SERIES:
                if series in row:
                    found.add("pair", f"flavor={flavor} frames={frames}", UNIT, series, [row[series]])
    print(f"{'':16}" + "".join(f"{s:>8}" for s in SERIES) + "  ours : stock")
    for flavor, table in tables.items():
        for frames, row in table.items():
            share = f"{row['ours'] / row['stock']:14.2f}" if {"ours", "stock"} <= set(row) else ""
            print(f"{flavor + ', ' + str(frames):16}" +
                  "".join(f"{row.get(s, '-'):>8}" for s in SERIES) + share)
    if args.out:
        found.save(args.out / "results.json")
        (args.out / "price.dat").write_text(data(tables), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
