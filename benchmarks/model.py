#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A model of the time of a scan, and predictions for large machines.

Runs scans of heaps in user space, counts their work, and fits the time of each kind of
work to some of them. The others show how good the fit is. Then it predicts the times of
large machines, and the number of CPUs beyond which more do not help.

    model.py BENCH-OURS [--quick] [--json FILE]
    model.py --from FILE          # the model of an earlier run, no measuring
"""

import argparse
import json
import math
import statistics
import subprocess
import sys

import results as res

# heap, objects, used for the fit?
RUNS = [
    ("dense", 500000, True), ("dense", 1000000, False), ("dense", 2000000, True),
    ("dense", 4000000, False),
    ("sparse", 500000, True), ("sparse", 1000000, False), ("sparse", 2000000, True),
    ("sparse", 4000000, False),
    ("plain", 500000, True), ("plain", 1000000, False), ("plain", 2000000, True),
    ("local", 500000, True), ("local", 1000000, False), ("local", 2000000, True),
    ("tiny", 1000000, True), ("tiny", 2000000, False), ("tiny", 4000000, True),
    ("white", 500000, True), ("white", 1000000, False), ("white", 2000000, True),
    ("list", 500000, True), ("list", 1000000, False), ("list", 2000000, True),
    ("huge", 2000000, True), ("huge", 4000000, False),
    ("blank", 2000000, True), ("blank", 4000000, False),
]
QUICK = [(heap, max(objects // 50, 10000), fit) for heap, objects, fit in RUNS]
THREADS = (1, 2, 4, 8, 16)

# The kinds of work of a scan, and their units.
WORK = [
    ("bytes", "byte read in large runs"),
    ("tracked", "object walked past, four times"),
    ("objects", "object read"),
    ("far", "doubling of the heap beyond 32 MB, for each object reached at random"),
    ("candidates", "candidate, most of them settled"),
    ("lookups", "look-up"),
    ("summed", "byte checksummed"),
    ("chained", "object that is found only through the one before"),
]
# Beyond the caches and the TLB, each level of page tables makes a miss longer.
CACHE = 32e6
FAR = {"dense": 483, "sparse": 483, "list": 483, "tiny": 32}	# bytes an object
LARGE = {"huge", "blank"}
GOOD = 0.20	# how far off may a prediction be?


def doublings(size):
    """How often does a heap double until it has @size bytes?"""
    return math.log2(max(size / CACHE, 1))


def run(program, heap, objects, threads, runs):
    """The median time of a scan of one heap, and its work."""
    command = [program, "-j", "-s", "-n", str(objects), "-t", str(threads),
               "-r", str(runs), "-H", heap, "scan"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"error: {' '.join(command)}: {done.stderr.strip()}")
    result = json.loads(done.stdout)
    stats = dict(line.split() for line in done.stderr.splitlines() if line.count(" ") == 1)
    read = int(stats["scan_objects"])
    return {
        "heap": heap, "n": objects, "threads": threads,
        "ms": statistics.median(result["figures"]),
        "steals": int(stats["scan_steals"]),
        "work": {
            "bytes": int(stats["scan_bytes"]),
            "tracked": read if heap in LARGE else objects,
            "objects": read,
            "far": read * doublings(objects * FAR.get(heap, 0)),
            "candidates": int(stats["scan_candidates"]),
            "lookups": int(stats["scan_lookups"]),
            "summed": result["bytes"] if heap == "white" else 0,
            "chained": read if heap == "list" else 0,
        },
    }


def solve(matrix, right):
    """Gaussian elimination with pivots; undetermined values become 0."""
    n = len(right)
    rows = [list(row) + [r] for row, r in zip(matrix, right)]
    for col in range(n):
        pivot = max(range(col, n), key=lambda i: abs(rows[i][col]))
        rows[col], rows[pivot] = rows[pivot], rows[col]
        if not rows[col][col]:
            rows[col][col], rows[col][n] = 1.0, 0.0
        for i in range(n):
            factor = rows[i][col] / rows[col][col] if i != col else 0
            if factor:
                rows[i] = [x - factor * y for x, y in zip(rows[i], rows[col])]
    return [row[n] / row[i] for i, row in enumerate(rows)]


def fit(runs):
    """Least squares of relative errors; work with a negative cost is left out."""
    names = [name for name, _ in WORK]
    while True:
        rows = [[r["work"][name] / (r["ms"] * 1e6) for name in names] for r in runs]
        square = [[sum(row[i] * row[j] for row in rows) for j in range(len(names))]
                  for i in range(len(names))]
        cost = solve(square, [sum(row[i] for row in rows) for i in range(len(names))])
        least = min(range(len(names)), key=lambda i: cost[i])
        if cost[least] >= 0:
            return {**{name: 0.0 for name, _ in WORK}, **dict(zip(names, cost))}	# ns
        del names[least]


def predict(cost, work):
    """Milliseconds of one worker."""
    return sum(cost[name] * work[name] for name in cost) / 1e6


def show_fit(cost, runs):
    """Print the costs, and measured and fitted times. Returns the worst difference."""
    print("What a scan's time is made of, in ns (fitted):\n")
    for name, what in WORK:
        print(f"  {cost[name]:9.3f}  each {what}")
    print("\n  heap      objects  measured  model   off   used for the fit")
    worst = 0
    for r in runs:
        guess = predict(cost, r["work"])
        off = guess / r["ms"] - 1
        print(f"  {r['heap']:8} {r['n']:8}  {r['ms']:7.0f}  {guess:6.0f} {off:+6.0%}   "
              f"{'yes' if r['fit'] else 'no'}")
        if not r["fit"]:
            worst = max(worst, abs(off))
    print(f"\nWorst miss of those not used: {worst:.0%}"
          f"{'' if worst <= GOOD else f', which is more than {GOOD:.0%}'}.")
    return worst


def show_sharing(scaling):
    """Print how often workers take over work, which takes one lock."""
    print("\nMeetings over the list of work, dense heap (counted; the machine has "
          "fewer CPUs\nthan workers):\n")
    print("  workers  blocks taken over   each worker's, per ms of its work")
    for r in scaling:
        per = r["steals"] / r["threads"] / (scaling[0]["ms"] / r["threads"])
        print(f"  {r['threads']:7}  {r['steals']:17}   {per:9.3f}")


# Large hosts. Tracked memory is mostly metadata of the page cache, dentries and inodes: 6 %
# of the memory, 483 bytes for each object, 7 % of words are candidates.
SHARE, MEAN, DENSITY, PAGE = 0.06, 483, 0.07, 64
META = 63		# bytes of metadata an object: see the figures
LINE = 250e-9		# s: one transfer of a contended line between sockets
HOSTS = [		# bytes, CPUs, GB/s of all memory
    (1 << 40, 64, 300), (1 << 40, 128, 400), (12 << 40, 128, 600), (12 << 40, 256, 1200),
]


def simulate(seconds, workers, meetings_per_s):
    """
    The time in which @workers do @seconds of work, if they hold one lock for LINE,
    @meetings_per_s times in a second of work. Mean-value analysis of a closed queue with
    one server (Reiser and Lavenberg, Journal of the ACM 27, 1980).
    """
    think = 1 / meetings_per_s
    queue = 0.0
    rate = 0.0
    for n in range(1, workers + 1):
        response = LINE * (1 + queue)
        rate = n / (think + response)
        queue = rate * response
    return seconds * meetings_per_s / rate


def show_hosts(cost, meetings_per_s):
    """What the model says about machines we do not have."""
    print("\nLarge hosts (model): "
          f"{SHARE:.0%} of memory tracked, {MEAN} bytes an object, {DENSITY:.0%} candidates\n")
    print("  memory  CPUs    objects  metadata  struct pages  one CPU     all   by"
          "\n                                     of bytes read")
    for memory, cpus, bandwidth in HOSTS:
        tracked = memory * SHARE
        pages = memory / 4096 * PAGE
        objects = tracked / MEAN
        work = {"bytes": tracked + pages, "tracked": objects, "objects": objects,
                "far": objects * doublings(tracked),
                "candidates": tracked / 8 * DENSITY, "lookups": 1.1 * objects,
                "summed": 0, "chained": 0}
        one = predict(cost, work) / 1e3
        # pages are read in runs; each object fetches one line more than it has
        limit = (tracked + pages + 3 * 64 * objects) / (bandwidth * 1e9)
        queue = simulate(one, cpus, meetings_per_s)
        all_ = max(queue, limit)
        why = "memory" if limit > queue else "CPUs"
        print(f"  {memory >> 40:2} TiB  {cpus:4}  {objects / 1e6:6.0f} M  "
              f"{objects * META / (1 << 30):5.0f} GiB  {pages / (tracked + pages):11.0%}"
              f"  {one:6.0f} s  {all_:5.1f} s   {why}")
    one = 100.0
    print("\nThe one lock all workers share, alone: of 100 s of work")
    for workers in (2, 16, 64, 128, 256, 1024):
        left = simulate(one, workers, meetings_per_s)
        print(f"  {workers:5} workers  {left:7.2f} s  {one / left / workers:6.1%} of what they could")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("program", nargs="?")
    parser.add_argument("--quick", action="store_true", help="small heaps, for tests")
    parser.add_argument("--json", help="keep what was measured")
    parser.add_argument("--from", dest="old", help="use what was kept")
    args = parser.parse_args()
    if bool(args.program) == bool(args.old):
        parser.error("a program to measure, or --from a file")
    if args.program:
        res.expect_program(parser, args.program)
    if args.json:
        res.expect_writable(parser, args.json)

    if args.old:
        try:
            with open(args.old, encoding="utf-8") as f:
                data = json.load(f)
        except (OSError, ValueError) as err:
            sys.exit(f"error: {args.old}: {err}")
    else:
        data = {"runs": [], "scaling": []}
        todo = QUICK if args.quick else RUNS
        for i, (heap, objects, used) in enumerate(todo):
            print(f"\r{i + 1}/{len(todo)} {heap} {objects}        ", end="", file=sys.stderr)
            one = run(args.program, heap, objects, 1, 2 if args.quick else 5)
            data["runs"].append({**one, "fit": used})
        for threads in THREADS:
            data["scaling"].append(run(args.program, "dense", todo[1][1], threads, 2))
        print(file=sys.stderr)
        if args.json:
            with open(args.json, "w", encoding="utf-8") as f:
                json.dump(data, f, indent=1)

    cost = fit([r for r in data["runs"] if r["fit"]])
    show_fit(cost, data["runs"])
    show_sharing(data["scaling"])
    last = data["scaling"][-1]
    # to take over a block takes the lock twice: to add it and to remove it; in
    # a scan as short as those of --quick there may be none
    show_hosts(cost, 2 * max(last["steals"], 1) / (data["scaling"][0]["ms"] / 1e3))
    return 0


if __name__ == "__main__":
    sys.exit(main())
