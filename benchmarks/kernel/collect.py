#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Make a table, JSON and plots of what guest.sh has printed in some guests.

Files are called <ours|stock>-<n>cpu.log and <ours|stock>-leaks-<...>.log.
"""

import argparse
import os
import platform
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import results as res  # noqa: E402  the path comes first

SCALE = {"us": ("ms", 1e-3)}

# Leaks in 100 that may be held by a word outside of the leaks. In user-mode Linux any
# 32-bit number may be an address. In 60 boots there was one such word, for two leaks.
MOST_HELD = 4


def read_log(found, path):
    """Add the figures of one guest. Return how many there were."""
    who = path.name.split("-")[0]
    cpus = path.name.split("-")[1].removesuffix("cpu.log")
    nr = 0
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        cells = line.split("\t")
        if cells[0] != "KMLB":
            continue
        try:
            if cells[1] == "figure":
                bench, params, unit, workers, value, at_least = cells[2:8]
                unit, factor = SCALE.get(unit, (unit, 1))
                if "cpus=" not in params:
                    params = f"{params} cpus={cpus}"
                found.add(bench, params, unit, series(who, workers),
                          [float(value) * factor], bool(at_least.strip("0")))
                nr += 1
            elif cells[1] == "leaks":
                case, workers, planted, ids, held = cells[2:7]
                nrs = sorted(map(int, ids.split()))
                found.add("leaks", case, "%", series(who, workers), [100 * len(nrs) / int(planted)])
                held = list(map(int, held.split()))
                if 100 * len(held) > MOST_HELD * int(planted):
                    raise ValueError(f"{len(held)} leaks are held")
                nrs = sorted(nrs + held)
                # slots of allocators hide a varying number from stock
                if who != "stock":
                    found.add_leaks(case, "planted", leak_text(range(int(planted))))
                    found.add_leaks(case, series(who, workers), leak_text(nrs))
                nr += 1
        except ValueError as err:
            sys.exit(f"error: {path}: cannot read {line!r}: {err}")
    return nr


def leak_text(nrs):
    return f"{len(nrs)}: {' '.join(map(str, nrs))}"


def series(who, workers):
    return who if who == "stock" or workers in ("1", "stock") else f"{who}/{workers}"


def scan_label(_bench, params):
    words = dict(word.split("=", 1) for word in params.split())
    heap = words.get("heap", "")
    return f"{heap} {words.get('objects', '')}, {words['cpus']} CPU".strip()


def latency_label(bench, params):
    words = bench.split("_")
    if len(words) < 3 or words[-2] != "alloc":
        return None
    words[0] = words[0].removesuffix("latency").removesuffix("-") or "idle"
    return f"{words[0]} {words[-1]}, {params.split('cpus=')[-1]} CPU"


def plots(found):
    latency = {bench for bench, _ in found.rows if "latency_alloc" in bench}
    return [
        ("scan", "a scan", {"scan"}, scan_label),
        ("suspects", "a scan with suspects to confirm", {"scan-suspects"}, scan_label),
        ("churn", "a scan, idle and while all CPUs allocate", {"scan-idle", "scan-churn"},
         lambda bench, params: f"{bench}, {scan_label(bench, params)}"),
        ("latency", "latency of kmalloc()", latency, latency_label),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True, help="directory for the results")
    parser.add_argument("--version", default="unknown", help="of our code")
    parser.add_argument("--kernel", default="unknown")
    parser.add_argument("--seconds", type=int, default=0, help="how long it took")
    parser.add_argument("logs", nargs="+", type=Path)
    args = parser.parse_args()

    found = res.Results("kernel", {
        "version": args.version, "kernel": args.kernel, "seconds": args.seconds,
        "machine": platform.machine(), "host_cpus": os.cpu_count(),
        "load": os.getloadavg()[0],
    })
    for path in args.logs:
        if not read_log(found, path):
            sys.exit(f"error: {path} has no figures: the guest did not get that far")

    out = Path(args.out)
    lines = [f"kmemleak {args.version} and stock, Linux {args.kernel}, user mode; host with "
             f"{os.cpu_count()} CPU(s), load {os.getloadavg()[0]:.1f}; {args.seconds} s",
             "median (least..greatest); > : stopped before it was done", "",
             *found.table(), "", *found.leak_lines()]
    (out / "table.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))
    found.save(out / "results.json")
    res.plot_all(found, out, plots(found), lambda text: print(text, file=sys.stderr))
    return 0 if found.same_leaks() else 1


if __name__ == "__main__":
    sys.exit(main())
