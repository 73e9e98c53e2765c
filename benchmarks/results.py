# SPDX-License-Identifier: GPL-2.0-only
"""Results of benches: figures, tables, plots, and what moved between two files.

A row is a bench with its parameters and one unit. It has figures of up to some
series: "ours" (one worker), "ours/N" (N workers), "stock". In a file:

    {"kind": "kernel", "user", "accuracy" or "price", "about": {...},
     "rows": [{"bench", "params", "unit", "figures": {series: [number, ...]},
               "at_least": [series, ...]}],
     "leaks": [{"case", "sets": {series: text}, "identical": bool}]}

"at_least": scans of that series were stopped before they were done.
"""

import json
import math
import os
import shutil
import statistics
import subprocess
from pathlib import Path

FORMAT = 1

# Units of counts, which do not depend on the machine.
COUNTS = {"%", "reports", "instructions"}


def expect_program(parser, path):
    if not (os.path.isfile(path) and os.access(path, os.X_OK)):
        parser.error(f"{path} is not a program; make -C benchmarks builds them")


def expect_writable(parser, path):
    """Hours of measuring are not to end with that."""
    try:
        with open(path, "a", encoding="utf-8"):
            pass
    except OSError as err:
        parser.error(f"{path} cannot be written: {err.strerror}")


def higher_is_better(unit):
    return unit.endswith("/s") or unit == "%"


def median(figures):
    return statistics.median(figures)


def show(figures, at_least=False):
    """Median and spread of figures, for people."""
    mark = "> " if at_least else ""
    text = f"{mark}{median(figures):.4g}"
    if len(figures) > 1:
        text += f" ({min(figures):.4g}..{max(figures):.4g})"
    return text


class Results:
    """What one run of all benches has found."""

    def __init__(self, kind, about=None):
        self.kind = kind
        self.about = about or {}
        self.rows = {}
        self.leaks = {}

    def add(self, bench, params, unit, series, figures, at_least=False):
        row = self.rows.setdefault((bench, params), {"unit": unit, "figures": {}, "at_least": set()})
        if row["unit"] != unit:
            raise ValueError(f"{bench} {params}: {unit} after {row['unit']}")
        row["figures"].setdefault(series, []).extend(figures)
        if at_least:
            row["at_least"].add(series)

    def add_leaks(self, case, series, text):
        self.leaks.setdefault(case, {})[series] = text

    def identical(self, case):
        """Do all series have the same leaks? None if there is only one."""
        sets = self.leaks[case]
        return len(set(sets.values())) == 1 if len(sets) > 1 else None

    def save(self, path):
        data = {
            "format": FORMAT,
            "kind": self.kind,
            "about": self.about,
            "rows": [{"bench": bench, "params": params, "unit": row["unit"],
                      "figures": row["figures"], "at_least": sorted(row["at_least"])}
                     for (bench, params), row in self.rows.items()],
            "leaks": [{"case": case, "sets": sets, "identical": self.identical(case)}
                      for case, sets in self.leaks.items()],
        }
        with open(path, "w", encoding="utf-8") as out:
            json.dump(data, out, indent=1)
            out.write("\n")

    @classmethod
    def load(cls, path):
        """Raises ValueError or OSError with a message for people."""
        with open(path, encoding="utf-8") as file:
            try:
                data = json.load(file)
                if data["format"] != FORMAT:
                    raise ValueError(f"format {data['format']}, expected {FORMAT}")
                results = cls(data["kind"], data["about"])
                for row in data["rows"]:
                    for series, figures in row["figures"].items():
                        if not figures:
                            raise ValueError(f"{row['bench']}: no figures of {series}")
                        results.add(row["bench"], row["params"], row["unit"], series,
                                    [float(f) for f in figures], series in row["at_least"])
                for case in data["leaks"]:
                    results.leaks[case["case"]] = case["sets"]
            except (KeyError, TypeError, AttributeError, ValueError) as err:
                raise ValueError(f"{path} is not a file of results: {err!r}") from err
        return results

    def series(self):
        """All there are: ours by workers, then stock."""
        found = {s for row in self.rows.values() for s in row["figures"]}
        return sorted(found, key=lambda s: (s == "stock", len(s), s))

    def table(self):
        """Lines of a table: medians, spreads, ratios to stock."""
        series = self.series()
        ours = [s for s in series if s.startswith("ours")] if "stock" in series else []
        head = ["bench", "parameters", "unit", *series, *(f"{s} : stock" for s in ours)]
        lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        for (bench, params), row in self.rows.items():
            figures = row["figures"]
            cells = [bench, params, row["unit"]]
            cells += [show(figures[s], s in row["at_least"]) if s in figures else "" for s in series]
            cells += [self.ratio(row, s) for s in ours]
            lines.append("| " + " | ".join(cells) + " |")
        return lines

    @staticmethod
    def ratio(row, series):
        """This series' median in stock's, and the other way round where that says more."""
        figures = row["figures"]
        if series not in figures or "stock" not in figures:
            return ""
        ours, stock = median(figures[series]), median(figures["stock"])
        if not ours or not stock:
            return ""
        bound = {(True, False): "> ", (False, True): "< "}.get(
            (series in row["at_least"], "stock" in row["at_least"]), "")
        text = f"{bound}{ours / stock:.3g}"
        if ours / stock < 0.5 and not higher_is_better(row["unit"]):
            text += f" ({stock / ours:.3g}x faster)"
        return text

    def leak_lines(self):
        """One verdict a case."""
        lines = []
        for case, sets in self.leaks.items():
            verdict = {True: "identical", False: "DIFFERENT", None: "nothing to compare with"}
            lines.append(f"leak sets, {case}: {verdict[self.identical(case)]} ({', '.join(sets)})")
            if self.identical(case) is False:
                every = set().union(*(text.split()[1:] for text in sets.values()))
                lines += [f"  {s}: {text.split()[0]} lacks {' '.join(sorted(every - set(text.split()))[:20])}"
                          for s, text in sets.items()]
        return lines

    def same_leaks(self):
        return all(self.identical(case) is not False for case in self.leaks)


# Changes: medians differ by more than a threshold, and the ranges do not overlap.
def apart(old, new):
    return max(old) < min(new) or max(new) < min(old)


def moved(old, new, unit, threshold):
    """"worse", "better", "unsure" (few figures or overlap) or None; and new/old."""
    if not median(old) and (unit not in COUNTS or not median(new)):
        return None, 1.0
    change = median(new) / median(old) if median(old) else math.inf
    if abs(change - 1) < threshold:
        return None, change
    # instructions are the same in all runs
    few = unit != "instructions" and (len(old) < 3 or len(new) < 3)
    if few or not apart(old, new):
        return "unsure", change
    return ("better" if (change > 1) == higher_is_better(unit) else "worse"), change


def regress(old, new, threshold):
    """Lines that say what moved, and how many figures have become worse.

    Where both files have stock, times of ours are compared by their ratio to it:
    machines, and hours of one machine, differ.
    """
    lines, worse, compared = [], 0, 0
    for key, row in new.rows.items():
        before = old.rows.get(key)
        if not before or before["unit"] != row["unit"]:
            lines.append(f"new     {' '.join(key)}")
            continue
        for series, figures in row["figures"].items():
            was = before["figures"].get(series)
            if not was or series == "stock":
                continue
            compared += 1
            what = "time"
            if row["unit"] in COUNTS:
                what = "count"
            elif "stock" in row["figures"] and "stock" in before["figures"]:
                what = "ratio"
                figures = [f / median(row["figures"]["stock"]) for f in figures]
                was = [f / median(before["figures"]["stock"]) for f in was]
            verdict, change = moved(was, figures, row["unit"], threshold)
            if verdict:
                lines.append(f"{verdict:7} {' '.join(key)}, {series}: {what} "
                             f"{median(was):.4g} -> {median(figures):.4g} ({change - 1:+.0%})")
            worse += verdict == "worse"
    for key in old.rows.keys() - new.rows.keys():
        lines.append(f"gone    {' '.join(key)}")
    for case in new.leaks:
        if new.identical(case) is False:
            lines.append(f"worse   {case}: leak sets differ")
            worse += 1
    lines.append(f"{compared} compared, {worse} worse beyond noise and {threshold:.0%}")
    return lines, worse


# Plots.
def have_gnuplot():
    return shutil.which("gnuplot") is not None


def plot_bars(path, title, unit, rows, log=True):
    """An SVG of clustered bars. rows: [(label, {series: figures})]."""
    series = sorted({s for _, figures in rows for s in figures},
                    key=lambda s: (s == "stock", len(s), s))
    lines = []
    for label, figures in rows:
        cells = [f'"{label}"']
        for s in series:
            f = figures.get(s)
            cells += [f"{median(f):.6g} {min(f):.6g} {max(f):.6g}"] if f else ["NaN NaN NaN"]
        lines.append(" ".join(cells))
    data = Path(path).with_suffix(".dat")
    data.write_text("\n".join(lines) + "\n", encoding="utf-8")
    style = ", ".join(
        f"'{data.name}' using {3 * i + 2}:{3 * i + 3}:{3 * i + 4}:xtic(1) title '{s}'"
        for i, s in enumerate(series))
    script = "\n".join([
        "set terminal svg size 900,500 dynamic background 'white'",
        f"set output '{Path(path).name}'",
        f"set title '{title}'", f"set ylabel '{unit}'",
        "set style data histograms", "set style histogram errorbars gap 2 lw 1",
        "set style fill solid 0.7 border -1", "set key top left", "set grid y",
        "set xtics rotate by -20", "set logscale y" if log else "set yrange [0:*]",
        f"plot {style}", ""])
    subprocess.run(["gnuplot"], input=script, text=True, check=True, cwd=Path(path).parent)


def plot_all(results, directory, plots, say):
    """plots: [(file, title, benches, label of a row)]; label returns None to skip it."""
    if not have_gnuplot():
        say("no plots: gnuplot is not installed (Debian: gnuplot-nox)")
        return
    for name, title, benches, label in plots:
        rows = [(label(bench, params), row) for (bench, params), row in results.rows.items()
                if bench in benches]
        rows = [(text, row) for text, row in rows if text]
        if rows:
            plot_bars(Path(directory) / f"{name}.svg", title, rows[0][1]["unit"],
                      [(text, row["figures"]) for text, row in rows])
