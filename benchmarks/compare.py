#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Run the user-space benches of ours and of stock in turn; print a table.

Each row is one bench with one set of parameters. The two programs run in turn,
several times, so that a drift of the machine meets both; the table has the
median of each, the spread (least and greatest), and the ratio of the medians.
"""

import argparse
import json
import statistics
import subprocess
import sys

# bench, parameters, runs of the program, figures each run prints
ROWS = [
    ("meta", ["-n", "100000"], 1, 1),
    ("meta", ["-n", "1000000"], 1, 1),
    ("meta", ["-n", "4000000"], 1, 1),
    ("hot", ["-t", "1", "-l", "2000000"], 5, 3),
    ("hot", ["-t", "2", "-l", "2000000"], 5, 3),
    ("cold", ["-t", "1", "-n", "1000000", "-l", "1000000"], 3, 3),
    ("cold", ["-t", "2", "-n", "1000000", "-l", "500000"], 3, 3),
    ("scan", ["-n", "100000", "-H", "dense"], 3, 3),
    ("scan", ["-n", "1000000", "-H", "dense"], 1, 3),
    ("scan", ["-n", "1000000", "-H", "local"], 1, 3),
    ("scan", ["-n", "1000000", "-H", "sparse"], 1, 3),
    ("scan", ["-n", "1000000", "-H", "list"], 1, 3),
    ("scan", ["-n", "1000000", "-H", "white"], 1, 3),
]


def run(program, bench, params, figures):
    """Figures of one run of one program, and their unit."""
    out = subprocess.run([program, *params, "-r", str(figures), bench],
                         check=True, capture_output=True, text=True).stdout
    rows = [line.split() for line in out.splitlines()]
    return [float(row[1]) for row in rows], rows[0][2]


def measure(programs, row):
    """Run the programs in turn; figures by name of the program."""
    bench, params, runs, figures = row
    found = {name: [] for name in programs}
    unit = ""
    for _ in range(runs):
        for name, program in programs.items():
            more, unit = run(program, bench, params, figures)
            found[name] += more
    return found, unit


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ours")
    parser.add_argument("stock")
    parser.add_argument("--only", help="only benches of this name")
    parser.add_argument("--json", help="write all figures to this file")
    args = parser.parse_args()
    programs = {"ours": args.ours, "stock": args.stock}

    print("| bench | parameters | ours | stock | unit | ours/stock |")
    print("|---|---|---|---|---|---|")
    results = []
    for row in ROWS:
        if args.only and row[0] != args.only:
            continue
        found, unit = measure(programs, row)
        cells = {}
        for name, figures in found.items():
            cells[name] = (f"{statistics.median(figures):.4g} "
                           f"({min(figures):.4g}..{max(figures):.4g})")
        ratio = statistics.median(found["ours"]) / statistics.median(found["stock"])
        print(f"| {row[0]} | {' '.join(row[1])} | {cells['ours']} | "
              f"{cells['stock']} | {unit} | {ratio:.3f} |", flush=True)
        results.append({"bench": row[0], "params": row[1], "unit": unit, **found})
    if args.json:
        with open(args.json, "w", encoding="utf-8") as out:
            json.dump(results, out, indent=1)


if __name__ == "__main__":
    sys.exit(main())
