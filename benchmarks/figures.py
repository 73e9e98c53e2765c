#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Put files of results into the tables of a text.

Tables in the text are between lines ".. tables: user" (or kernel) and ".. tables end",
and are replaced. A row that is in two files is taken from the later one.
"""

import argparse
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import results as res  # noqa: E402  the path comes first

# Rows that are left out: they help to find a reason, and are no results.
LEFT_OUT = re.compile(r"heap-size|stack|untracked|.*clock.*|.*_max|.*_p50|(scanned-)?latency|"
                      r"scan-timed-pairs|scanned-churn|stream|random")
HOOKS = {"meta": "metadata", "hot": "alloc and free, same object",
         "cold": "alloc and free, at random", "lookup": "look-up"}


def count(number):
    number = int(number)
    return f"{number / 1e6:g} M" if number >= 100000 else str(number)


def plural(number, what):
    return f"{number} {what}{'' if number == '1' else 's'}"


def options(params):
    """The words of "-n 10 -H dense" or "heap=dense cpus=2" by name."""
    found = {}
    words = params.split()
    while words:
        name = words.pop(0)
        if name.startswith("-"):
            found[name[1:]] = words.pop(0)
        else:
            found[name.partition("=")[0]] = name.partition("=")[2]
    return found


def user_name(bench, params):
    opt = options(params)
    name = [HOOKS.get(bench, bench)]
    if bench in HOOKS and bench != "meta":
        name.append(plural(opt["t"], "CPU"))
    else:
        name.append(f"{count(opt['n'])} {opt.get('H', '')}".strip())
    return ", ".join(name)


def kernel_name(bench, params):
    opt = options(params)
    name = [bench.replace("_", " ")]
    if "heap" in opt:
        name.append(f"{opt['heap']} {count(opt['objects'])}")
    if "threads" in opt:
        name.append(plural(opt["threads"], "thread"))
    return ", ".join(name)


def price_name(_bench, params):
    return plural(options(params)["frames"], "frame")


def plain(text):
    """Numbers without exponents."""
    return re.sub(r"\d+(\.\d+)?e[+-]\d+", lambda found: f"{float(found.group()):g}", text)


def cell(row, series):
    if series not in row["figures"]:
        return ""
    if row["unit"] == "instructions":
        return f"{res.median(row['figures'][series]):.0f}"
    return plain(res.show(row["figures"][series], series in row["at_least"]))


def gain(row, series):
    figures = row["figures"]
    if series not in figures or "stock" not in figures:
        return ""
    mark = "> " if "stock" in row["at_least"] else ""
    return plain(f"{mark}{res.median(figures['stock']) / res.median(figures[series]):.3g}x")


def table(head, rows, name):
    """Lines. Rows are (bench, parameters, row of results)."""
    columns = [c for c in ("off", "ours") if any(c in row["figures"] for *_, row in rows)]
    columns += sorted({s for *_, row in rows for s in row["figures"] if s.startswith("ours/")})
    titles = [c.replace("ours/", "ours, ") + (" workers" if "/" in c else "") for c in columns]
    cells = [[head, *titles, "stock", "gain"]]
    for bench, params, row in rows:
        gains = [g for g in (gain(row, s) for s in columns if s != "off") if g]
        cells.append([f"{name(bench, params)}, {row['unit']}", *(cell(row, s) for s in columns),
                      cell(row, "stock"), ", ".join(gains)])
    wide = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    rule = "  ".join("=" * w for w in wide)
    lines = ["  ".join(c.ljust(w) for c, w in zip(line, wide)).rstrip() for line in cells]
    return [rule, lines[0], rule, *lines[1:], rule]


def tables(found):
    """Lines for the results of one kind."""
    rows = [(bench, params, row) for (bench, params), row in found.rows.items()
            if not LEFT_OUT.fullmatch(bench)]
    if found.kind == "user":
        parts = [("User space", [r for r in rows if r[0] in HOOKS], user_name),
                 ("User space", [r for r in rows if r[0] not in HOOKS], user_name)]
    elif found.kind == "price":
        flavors = sorted({options(params)["flavor"] for _, params, _ in rows}, reverse=True)
        parts = [(f, [r for r in rows if options(r[1])["flavor"] == f], price_name) for f in flavors]
    else:
        cpus = sorted({options(params)["cpus"] for _, params, _ in rows})
        parts = [(f"UML, {plural(n, 'CPU')}",
                  [r for r in rows if options(r[1])["cpus"] == n], kernel_name) for n in cpus]
    lines = []
    for part in parts:
        if part[1]:
            lines += [*table(*part), ""]
    return lines


def replace(text, kind, lines):
    """The text with these lines as its tables of that kind."""
    old = re.compile(rf"^\.\. tables: {kind}\n.*?^\.\. tables end$", re.M | re.S)
    if len(old.findall(text)) != 1:
        sys.exit(f'error: the text has not one place between ".. tables: {kind}" and ".. tables end"')
    new = "\n".join([f".. tables: {kind}", "", *lines, ".. tables end"])
    return old.sub(lambda _: new, text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path, help="file to change")
    parser.add_argument("results", nargs="+", help="what compare.py --json and make bench have left")
    args = parser.parse_args()

    kinds = {}
    try:
        text = args.text.read_text(encoding="utf-8")
        for path in args.results:
            found = res.Results.load(path)
            kinds.setdefault(found.kind, res.Results(found.kind)).rows.update(found.rows)
    except (OSError, ValueError) as err:
        sys.exit(f"error: {err}")
    for kind, found in kinds.items():
        text = replace(text, kind, tables(found))
    args.text.write_text(text, encoding="utf-8")
    print(f"{args.text}: tables of {', '.join(kinds)} benches")
    return 0


if __name__ == "__main__":
    sys.exit(main())
