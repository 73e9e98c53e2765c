#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Run the user-space benches of ours and of stock in turn; print a table.

Each row is one bench with one set of parameters. The programs run in turn, several times,
so that a drift of the machine affects both. The table has the median of each, the spread
(least and greatest), and the ratio of the medians. Stock scans with one thread in all rows.

    compare.py OURS STOCK [--quick|--big] [--json FILE] [--plots DIR]
    compare.py --regress OLD.json NEW.json
"""

import argparse
import json
import os
import platform
import subprocess
import sys

import results as res

# Exit status of a bench that cannot measure: a tree without min_unref_scans.
SKIP = 3

# bench, parameters, runs of the program, figures each run prints
ROWS = [
    ("stream", ["-n", "1000000"], 3, 3),
    ("random", ["-n", "1000000"], 3, 3),
    ("meta", ["-n", "100000"], 1, 1),
    ("meta", ["-n", "1000000"], 1, 1),
    ("meta", ["-n", "1000000", "-H", "tiny"], 1, 1),
    ("hot", ["-l", "2000000"], 5, 3),
    ("cold", ["-n", "1000000", "-l", "500000"], 3, 3),
    ("lookup", ["-n", "1000000", "-l", "1000000"], 3, 3),
    ("scan", ["-n", "100000", "-H", "dense"], 3, 3),
    ("scan", ["-n", "1000000", "-H", "dense"], 3, 3),
    ("scan", ["-n", "1000000", "-H", "region"], 3, 3),
    ("scan", ["-n", "1000000", "-H", "local"], 3, 3),
    ("scan", ["-n", "1000000", "-H", "sparse"], 3, 3),
    ("scan", ["-n", "1000000", "-H", "plain"], 3, 3),
    ("scan", ["-n", "1000000", "-H", "blank"], 3, 3),
    ("scan", ["-n", "1000000", "-H", "huge"], 3, 3),
    ("scan", ["-n", "1000000", "-H", "tiny"], 3, 3),
    ("scan", ["-n", "1000000", "-H", "list"], 3, 3),
    ("scan", ["-n", "1000000", "-H", "white"], 3, 3),
    ("pages", ["-n", "4000000"], 3, 3),
    ("suspects", ["-n", "200000", "-H", "dense"], 1, 3),
    ("mark", ["-n", "200000", "-H", "dense"], 1, 3),
]
BIG = [
    ("meta", ["-n", "4000000"], 1, 1),
    ("scan", ["-n", "4000000", "-H", "dense"], 1, 3),
    ("mark", ["-n", "1000000", "-H", "dense"], 1, 3),
    ("mark", ["-n", "8000000", "-H", "dense"], 1, 2),
]
QUICK = [
    ("stream", ["-n", "20000"], 1, 2),
    ("random", ["-n", "20000"], 1, 2),
    ("meta", ["-n", "20000"], 1, 1),
    ("hot", ["-l", "50000"], 1, 2),
    ("cold", ["-n", "20000", "-l", "20000"], 1, 2),
    ("lookup", ["-n", "20000", "-l", "20000"], 1, 2),
    *(("scan", ["-n", "5000", "-H", heap], 1, 2) for heap in
      ("dense", "region", "local", "sparse", "plain", "blank", "huge", "tiny", "list", "white")),
    ("pages", ["-n", "200000"], 1, 2),
    ("suspects", ["-n", "5000", "-H", "dense"], 1, 2),
    ("mark", ["-n", "5000", "-H", "dense"], 1, 2),
]
LIMITS = {"stream", "random"}		# of the machine
SCANS = {"scan", "suspects", "mark", "pages"}	# stock does them alone
ALONE = {"meta"}
ONCE = 1000000	# objects: stock scans so many in one run, which takes a minute


def run(program, bench, params, figures, threads):
    """The result of one run of a program, or None if it cannot measure."""
    command = [program, "-j", *params, "-t", str(threads), "-r", str(figures), bench]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == SKIP:
        return None
    if done.returncode:
        sys.exit(f"error: {' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def series(threads):
    return "ours" if threads == 1 else f"ours/{threads}"


def jobs(row, programs, threads):
    """(program, threads, series, parameters in the table) of a row, in turn."""
    bench, params = row[0], " ".join(row[1])
    if bench in LIMITS:
        return [(programs["ours"], t, "limit", f"{params} -t {t}") for t in threads]
    if bench in SCANS:
        return [*((programs["ours"], t, series(t), params) for t in threads),
                (programs["stock"], 1, "stock", params)]
    if bench in ALONE:
        return [(programs[who], 1, who, params) for who in programs]
    # hooks: the same number of threads for both
    return [(programs[who], t, who, f"{params} -t {t}") for t in threads for who in programs]


def measure(found, row, programs, threads, heap_bytes):
    bench, params, runs, figures = row
    for nr in range(runs):
        for program, t, name, shown in jobs(row, programs, threads):
            if nr and name == "stock" and bench in SCANS and int(params[1]) >= ONCE:
                continue
            print(f"  ... {bench} {shown}, {name}", file=sys.stderr)
            said = run(program, bench, params, figures, t)
            if said is None:
                print(f"      nothing to measure: {name} cannot", file=sys.stderr)
                continue
            found.add(bench, shown, said["unit"], name, said["figures"])
            heap_bytes[(bench, shown)] = said["bytes"]
            if "leaks" in said:
                found.add_leaks(f"{bench} {params[-1]} {params[1]}", name, said["leaks"])


def limit_lines(found, heap_bytes):
    """Complete scans compared with the speed of memory."""
    lines = []
    for (bench, params), row in found.rows.items():
        if bench != "scan" or "dense" not in params and "sparse" not in params:
            continue
        for name in (s for s in row["figures"] if s.startswith("ours")):
            threads = name.partition("/")[2] or "1"
            key = next((k for k in found.rows if k[0] == "random" and k[1].endswith(f"-t {threads}")), None)
            if not key:
                continue
            rate = res.median(found.rows[key]["figures"]["limit"])
            limit = heap_bytes[(bench, params)] / rate / 1e6
            lines.append(f"{bench} {params}, {name}: {res.median(row['figures'][name]) / limit:.2f} "
                         f"times reading these bytes as random objects ({limit:.4g} ms)")
    return lines


def plots():
    def label(_bench, params):
        words = params.split()
        return f"{words[3]} {words[1]}" if len(words) > 3 else words[1]
    return [("scan", "a scan, user space", {"scan"}, label),
            ("mark", "a scan, for each word", {"mark"}, label)]


def compare(args):
    threads = list(range(1, args.threads + 1))
    programs = {"ours": args.ours, "stock": args.stock}
    rows = QUICK if args.quick else ROWS + (BIG if args.big else [])
    known = {row[0] for row in rows}
    if args.only and args.only not in known:
        sys.exit(f"error: --only {args.only}: choices are {' '.join(sorted(known))}")
    found = res.Results("user", {"machine": platform.machine(), "cpus": os.cpu_count(),
                                 "load": os.getloadavg()[0]})
    heap_bytes = {}
    for row in rows:
        if not args.only or row[0] == args.only:
            measure(found, row, programs, threads, heap_bytes)

    print(f"ours and stock, user space, {platform.machine()}, {os.cpu_count()} CPU(s), "
          f"load {os.getloadavg()[0]:.1f}")
    print("median (least..greatest); ours/N: N threads mark\n")
    print("\n".join([*found.table(), "", *limit_lines(found, heap_bytes), "", *found.leak_lines()]))
    if args.json:
        found.save(args.json)
    if args.plots:
        os.makedirs(args.plots, exist_ok=True)
        res.plot_all(found, args.plots, plots(), lambda text: print(text, file=sys.stderr))
    return 0 if found.same_leaks() else 1


def regress(args):
    try:
        old, new = (res.Results.load(path) for path in args.regress)
    except (OSError, ValueError) as err:
        sys.exit(f"error: {err}")
    if old.kind != new.kind:
        sys.exit(f"error: one file is of {old.kind} benches, the other of {new.kind} ones")
    lines, worse = res.regress(old, new, args.threshold / 100)
    print("\n".join(lines))
    return 1 if worse else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ours", nargs="?", help="bench-ours")
    parser.add_argument("stock", nargs="?", help="bench-stock")
    parser.add_argument("--only", help="only benches of this name")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1),
                        help="try 1 to so many (default: 2, or what there is)")
    parser.add_argument("--quick", action="store_true", help="small: to see that all works")
    parser.add_argument("--big", action="store_true", help="4 and 8 million objects, too; hours")
    parser.add_argument("--json", help="write all figures to this file")
    parser.add_argument("--plots", help="write plots to this directory")
    parser.add_argument("--regress", nargs=2, metavar=("OLD", "NEW"),
                        help="compare two files of figures; exit 1 if something is worse")
    parser.add_argument("--threshold", type=float, default=5, help="per cent that are noise (5)")
    args = parser.parse_args()
    if args.regress:
        return regress(args)
    if not args.ours or not args.stock:
        parser.error("name the programs bench-ours and bench-stock, or --regress OLD NEW")
    if args.threads < 1 or args.threads > 16:
        parser.error("--threads is 1 to 16")
    for program in (args.ours, args.stock):
        res.expect_program(parser, program)
    if args.json:
        res.expect_writable(parser, args.json)
    return compare(args)


if __name__ == "__main__":
    sys.exit(main())
