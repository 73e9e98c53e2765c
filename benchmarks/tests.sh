#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2317 # the cases are called by name
#
# Tests of the benchmarks: they run, refuse wrong options, and write results in the
# documented form. No speed is tested. Prints TAP.
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/../tools/kmemleak/lib.sh"

here=$KML_TOP/benchmarks
work=$(mktemp -d "${TMPDIR:-/tmp}/kmemleak-bench-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
"$KML_TOOLS/build-deps.sh" kernel um
"$KML_TOOLS/fetch-kernel.sh" 7.3
kernel_paths um 7.3 1 0
stock_src=${kml_pristine:?}

# shellcheck source=tools/kmemleak/tests/tap.sh
. "$KML_TOOLS/tests/tap.sh"

# expect <status> <expression for its output> <command...>
expect()
{
	local want=$1 text=$2 rc=0
	shift 2
	"$@" >"$work/said" 2>&1 </dev/null || rc=$?
	cat "$work/said"
	[ "$rc" = "$want" ] || { echo "exit $rc, expected $want: $*"; return 1; }
	grep -qE -- "$text" "$work/said" || { echo "does not match: $text"; return 1; }
}

t_user_refuses()
{
	make -s -C "$here" KSRC="$stock_src" BUILD="$work/build" >/dev/null
	local bench=$work/build/native/bench-ours
	expect 2 'heaps: dense' "$bench" nonsense
	expect 2 '-n 12x: expected a number' "$bench" -n 12x scan
	expect 2 '-n -1: expected a number' "$bench" -n -1 scan
	expect 2 '-r 0: expected a number' "$bench" -r 0 scan
	expect 2 'at most' "$bench" -t 99 scan
	expect 2 'no heap "vax"' "$bench" -H vax -n 10 scan
	expect 2 'fewer objects than threads' "$bench" -t 2 -n 1 cold
	expect 0 'scan .*ms' "$bench" -h
	expect 2 'set KSRC' make -s -C "$here" compare KSRC= BUILD="$work/build"
}

# All benches and heaps, ours and stock, with the same leaks.
t_user_quick()
{
	expect 0 'identical' make -s -C "$here" compare KSRC="$stock_src" BUILD="$work/build" \
		ARGS="--quick --json $work/user.json --plots $work/plots"
	if grep -qE 'DIFFERENT|nothing to compare' "$work/said"; then return 1; fi
	structure "$work/user.json" user stream random meta hot cold lookup scan suspects mark
	expect 0 ' 0 worse' "$here/compare.py" --regress "$work/user.json" "$work/user.json"
}

# structure <file> <kind> <bench...>: the file has these, with numbers above 0
structure()
{
	python3 - "$@" <<-'EOT'
	import json, sys
	data = json.load(open(sys.argv[1]))
	assert data["kind"] == sys.argv[2], data["kind"]
	for bench in sys.argv[3:]:
	    rows = [row for row in data["rows"] if row["bench"] == bench]
	    assert rows, f"no row {bench}"
	    for row in rows:
	        assert row["unit"] and row["figures"], row
	        for series, figures in row["figures"].items():
	            assert figures and all(f >= 0 for f in figures), row
	        if bench.startswith("scan"):
	            assert {"ours", "stock"} <= set(row["figures"]), row
	            assert all(f > 0 for figures in row["figures"].values() for f in figures), row
	assert data["leaks"]
	for case in data["leaks"]:
	    assert case["identical"], case
	EOT
}

# Artificial figures: changes are distinguished from noise.
t_regress()
{
	cat >"$work/results_test.py" <<-'EOT'
	import sys
	sys.path.insert(0, sys.argv[1])
	import results as res
	def file(name, kind="user", **rows):
	    found = res.Results(kind)
	    for bench, (unit, ours, stock) in rows.items():
	        found.add(bench, "p", unit, "ours", ours)
	        if stock:
	            found.add(bench, "p", unit, "stock", stock)
	    found.save(f"{sys.argv[2]}/{name}.json")
	file("old", slow=("ms", [10, 10.1, 10.2], []), same=("ms", [5, 5.1, 5.2], []),
	     rate=("GB/s", [5, 5, 5], []), noisy=("ms", [5, 9, 7], []),
	     machine=("ms", [10, 10, 10], [100, 100, 100]), gone=("ms", [1], []))
	file("new", slow=("ms", [12, 12.1, 12.2], []), same=("ms", [5.1, 5.2, 5.1], []),
	     rate=("GB/s", [6, 6, 6], []), noisy=("ms", [8, 8, 12], []),
	     machine=("ms", [20, 20, 20], [200, 200, 200]), added=("ms", [1], []))
	file("kernel", kind="kernel", slow=("ms", [1], []))
	EOT
	python3 "$work/results_test.py" "$here" "$work"
	expect 1 '1 worse beyond noise' "$here/compare.py" --regress "$work/old.json" "$work/new.json"
	grep -q '^worse *slow p, ours: time 10.1 -> 12.1 (+20%)' "$work/said"
	grep -q '^better *rate' "$work/said"
	grep -q '^unsure *noisy' "$work/said"
	grep -q '^gone *gone' "$work/said"
	grep -q '^new *added' "$work/said"
	# twice as slow as before, like stock: another machine
	if grep -qE '^[a-z]+ +(same|machine)' "$work/said"; then return 1; fi
	expect 1 'not a file of results' "$here/compare.py" --regress "$work/old.json" <(echo '{}')
	expect 1 'No such file' "$here/compare.py" --regress "$work/old.json" "$work/none"
	expect 1 'one file is of user' "$here/compare.py" --regress "$work/old.json" "$work/kernel.json"
	expect 2 'bench-ours and bench-stock' "$here/compare.py"
}

# Stages of an artificial profile, by symbols and by tracepoints.
t_stages()
{
	cat >"$work/symbols" <<-'EOT'
	linux 1/1 [000] 1.000000:  1003009 cpu-clock: 
	        10 kml_filter_generic+0x10 (linux)
	        20 kml_mark_group.part.0 (linux)
	        30 kml_do_job (linux)

	linux 1/1 [000] 1.001000:  1003009 cpu-clock/freq=997/: 
	        10 memset
	        20 kml_prepare_all
	        30 kml_scan

	bash 2/2 [001] 1.002000:  1003009 cpu-clock: 
	        10 do_fork
	EOT
	expect 0 '2 samples of scans, of 3 in all; stages by symbols' \
		"$here/perf_stages.py" "$work/symbols" --folded "$work/folded"
	grep -q '50.0 %  mark' "$work/said"
	grep -q '50.0 %  prepare' "$work/said"
	grep -qx 'kml_do_job;kml_mark_group;kml_filter_generic 1' "$work/folded"
	cat >"$work/traced" <<-'EOT'
	bash 1/1 [000] 1.000000: kmemleak:kmemleak_stage_begin: stage=confirm
	bash 1/1 [000] 1.000500:  1 cycles: 
	        20 kml_mark_group
	        30 kml_scan

	bash 1/1 [000] 1.000600: kmemleak:kmemleak_stage_end: stage=confirm
	EOT
	expect 0 'stages by tracepoints' "$here/perf_stages.py" "$work/traced"
	grep -q '100.0 %  confirm' "$work/said"
	echo nothing >"$work/empty"
	expect 1 'none of 0 samples' "$here/perf_stages.py" "$work/empty"
	expect 1 'No such file' "$here/perf_stages.py" "$work/none"
}

t_scripts_refuse()
{
	expect 2 'is not a number' "$here/bench-kernel.sh" --objects 1k
	expect 2 'needs a value' "$here/bench-kernel.sh" --runs
	expect 2 'choices: dense' "$here/bench-kernel.sh" --heaps vax
	expect 2 'not above 0' "$here/bench-kernel.sh" --cpus 0
	expect 2 'choices: 7.3' "$here/bench-kernel.sh" --kernel 5.4
	expect 2 'choices: um' make -s -C "$KML_TOP" bench FLAVOR=arm64
	expect 2 'is not a number' "$here/accuracy.sh" --boots many
	expect 2 'not above 0' "$here/accuracy.sh" --boots 0
	expect 2 'needs a value' "$here/accuracy.sh" --out
	expect 2 'choices: ours stock' "$here/accuracy.sh" --only theirs
	expect 2 'per cent' "$here/accuracy.sh" --goal 101
	expect 2 'choices: um' make -s -C "$KML_TOP" accuracy FLAVOR=vax
	expect 2 'only an emulated machine' "$here/bench-pairs.sh" --flavor um
	expect 2 'above 0' "$here/bench-pairs.sh" --size 0
	expect 2 'choices: ours stock patched' "$here/bench-pairs.sh" --only theirs
	expect 2 'x86_64 arm64' "$here/price.sh" --flavors um
	expect 2 'needs both' "$here/price.sh" --flavors arm64 --keep
	expect 2 'choices: whole live off' "$here/bench-stacks.sh" --order 'live dead'
	expect 2 'there is none' "$here/kernel/build.sh" --module kmemleak_vax
	expect 2 'unknown option' "$here/perf-scan.sh" --vax
	expect 2 'not above 0' "$here/perf-scan.sh" --scans 0
	expect 2 '--stock goes with --uml' "$here/perf-scan.sh" --stock
	expect 2 'is not a program' "$here/compare.py" "$work/none" "$work/none"
	expect 2 'cannot be written' "$here/compare.py" --json "$work/none/x" /bin/true /bin/true
	expect 2 'is not a program' "$here/model.py" "$work/none"
	expect 2 'cannot be written' "$here/model.py" --json "$work/none/x" /bin/true
	expect 1 'error: ' "$here/model.py" --from "$work/none"
	expect 0 'usage: build.sh' "$here/kernel/build.sh" --help
}

# make bench, with small heaps.
t_kernel_quick()
{
	expect 0 'results: ' "$here/bench-kernel.sh" --quick --cpus 2 --heaps dense --out "$work/kernel"
	structure "$work/kernel/results.json" kernel pairs cold untracked stack latency_alloc_p99.9 \
		scan-booted scan-idle scan-churn scan scan-suspects scan-timed-pairs scanned-latency_alloc_max
	[ -s "$work/kernel/table.txt" ]
	if command -v gnuplot >/dev/null; then
		head -n 2 "$work/kernel/scan.svg" | grep -q '<svg'
	else
		grep -q 'no plots: gnuplot' "$work/said"
	fi
	if grep -q DIFFERENT "$work/kernel/table.txt"; then return 1; fi
}

# made_up <file> <first scan's reports> <two later>: the output of a guest with leaks at
# 0x1000, 0x2000 and 0x3000, and a control at 0x4000. The block at 0x5000 was a control
# that was freed, and leaked then.
made_up()
{
	local kind address
	{
		printf 'KMLA\tkind\t%s\n' $'leak\tsmall\t2' $'leak\tlarge\t2' $'control\tlist\t2' $'control\tnolock\t0'
		while read -r kind address; do
			printf 'KMLA\t%s\t%x\n' "${kind/:/$'\t'}" $((~address))
		done <<-EOT
		leak:small 0x1000
		leak:small 0x2000
		leak:large 0x3000
		control:list 0x4000
		control:list 0x5000
		leak:large 0x5000
		EOT
		printf 'KMLA\treport\tfirst\t%s\n' "$2"
		printf 'KMLA\treport\tlater\t%s\n' "$3"
	} >"$1"
}

# From planted and reported blocks: shares, verdicts and JSON.
t_accuracy_table()
{
	local collect=$here/kernel/accuracy.py dir=$work/made-up
	mkdir "$dir"
	made_up "$dir/stock-1.log" 0x1000 '0x1000 0x2000'
	made_up "$dir/ours-1.log" '0x1000 0x3000 0x5000 0x9000' '0x1000 0x2000 0x3000 0x5000'
	expect 0 '98 % of the leaks .*: MISSED, 75 %' "$collect" --out "$dir" --goal 98 "$dir"/*.log
	tr -s ' ' <"$work/said" >"$work/table"
	grep -qx '| small | 2 | 1 | 2 | 1 | 2 |' "$work/table"
	grep -qx '| large | 2 | 0 | 0 | 2 | 2 |' "$work/table"
	grep -qx '| per cent | | 25 | 50 | 75 | 100 |' "$work/table"
	grep -qx '| only in untracked pages | | - | | - | |' "$work/table"
	grep -qx '| list | 2 | 0 | 0 |' "$work/table"
	grep -qx '| nolock | - | - | - |' "$work/table"
	grep -qx '| anything else | | 0 | 1 |' "$work/table"
	grep -q 'nothing that is referenced: met' "$work/table"
	expect 1 MISSED "$collect" --out "$dir" --goal 98 --strict "$dir"/*.log
	expect 0 ': met, 75 %' "$collect" --out "$dir" --goal 75 --strict "$dir"/*.log
	cp "$dir/results.json" "$work/accuracy-old.json"
	# a referenced block is reported; pages refer to another leak
	made_up "$dir/ours-1.log" '0x1000 0x4000' '0x1000 0x3000 0x5000'
	printf 'KMLA\tstat\tfirst\tscan_in_pages\t1\nKMLA\tpages\tfirst\t0x2000\n' >>"$dir/ours-1.log"
	expect 1 'is referenced: MISSED, reported: list' "$collect" --out "$dir" --goal 0 --strict "$dir"/*.log
	tr -s ' ' <"$work/said" | grep -qx '| only in untracked pages | | - | | 1 | |'
	expect 0 'unsure *leaks when=first, ours: count 75 -> 25' \
		"$here/compare.py" --regress "$work/accuracy-old.json" "$dir/results.json"
	# the median of three boots
	made_up "$dir/ours-2.log" '0x1000 0x2000 0x3000 0x5000' '0x1000 0x3000 0x5000'
	made_up "$dir/ours-3.log" '0x1000 0x2000 0x3000' '0x1000 0x3000 0x5000'
	expect 0 'MISSED, 75 \(25\.\.100\) %' "$collect" --out "$dir" "$dir"/*.log
	echo nothing >"$dir/ours-4.log"
	expect 1 'nothing was planted' "$collect" --out "$dir" "$dir"/*.log
	printf 'KMLA\treport\tnever\t0x1\n' >"$dir/ours-4.log"
	expect 1 'cannot read' "$collect" --out "$dir" "$dir"/*.log
	expect 1 'No such file' "$collect" --out "$dir" "$dir/none"
}

# One boot of each: leaks of all kinds are planted, and some are reported.
t_accuracy_quick()
{
	expect 0 'results: ' "$here/accuracy.sh" --boots 1 --churn 2000 --out "$work/accuracy"
	python3 - "$work/accuracy/results.json" <<-'EOT'
	import json, sys
	data = json.load(open(sys.argv[1]))
	assert data["kind"] == "accuracy", data["kind"]
	rows = {(row["bench"], row["params"]): row for row in data["rows"]}
	for when in ("first", "later"):
	    total = rows["leaks", f"when={when}"]
	    assert total["unit"] == "%" and set(total["figures"]) == {"ours", "stock"}, total
	    kinds = [row for (bench, params), row in rows.items()
	             if bench.startswith("leaks, ") and params == f"when={when}"]
	    assert len(kinds) == 22, len(kinds)
	    for row in [total, *kinds]:
	        assert all(0 <= f <= 100 for figures in row["figures"].values() for f in figures), row
	    assert all(f > 0 for figures in total["figures"].values() for f in figures), total
	false = {bench: row for (bench, _), row in rows.items() if bench.startswith("false, ")}
	assert len(false) >= 18, false
	for kind in ("variable", "list", "xarray", "per-CPU variable", "stack of a sleeping thread"):
	    assert not any(f for figures in false[f"false, {kind}"]["figures"].values() for f in figures), kind
	EOT
	grep -qE '^\| all +\| 460 ' "$work/accuracy/table.txt"
}

# Spans of all three kinds are found, with lines of the core. A span that is made long on
# purpose is the longest.
t_spans()
{
	local bench=$work/build/native/bench-spans
	expect 2 'heaps: dense' "$bench" -n 0
	expect 2 'no heap "vax"' "$bench" -H vax
	expect 0 'no preemption' "$bench" -n 5000 -t 2 -r 2 -g 10000000
	grep -q 'kml_mark_group mark.c:' "$work/said"
	[ "$(grep -c 'ended in' "$work/said")" = 3 ]
	cp -r "$KML_TOP/mm/kmemleak" "$work/core"
	sed -i '/^bool kml_greylist_push(/,/^}/s/^\tcur->work/\tfor (unsigned int volatile i = 0; i < 100000; i++);\n&/' \
		"$work/core/grey.c"
	make -s -C "$here" CORE="$work/core" BUILD="$work/slow" KSRC= "$work/slow/native/bench-spans" >/dev/null
	expect 0 'no preemption' "$work/slow/native/bench-spans" -n 2000 -r 1
	grep -A 2 'read-side section, us' "$work/said" | grep -q 'mark'
	awk '/read-side/ { getline; getline; exit !($2 > 100) }' "$work/said"
}

# The fit finds the costs from which times were computed. A file replaces a run.
t_model()
{
	expect 2 'a program to measure' "$here/model.py"
	expect 0 '256' "$here/model.py" --quick --json "$work/model.json" "$work/build/native/bench-ours"
	python3 - "$work/model.json" <<-'EOT'
	import json, sys
	data = json.load(open(sys.argv[1]))
	cost = {"bytes": 0.1, "tracked": 40, "objects": 90, "candidates": 4,
	        "lookups": 30, "summed": 0.5, "chained": 200,
	        "far": 35}
	for i, run in enumerate(data["runs"]):
	    run["work"]["far"] = 1000 * (i * i % 11)	# so small a heap has none
	    run["ms"] = sum(cost[k] * v for k, v in run["work"].items()) / 1e6
	json.dump(data, open(sys.argv[1], "w"))
	EOT
	expect 0 'Worst miss of those not used: 0%' "$here/model.py" --from "$work/model.json"
	grep -qE '^ +4\.000  each candidate' "$work/said"
}

# Results become tables at their places in the text, and nothing else changes.
t_figures()
{
	python3 - "$work" <<-'EOT'
	import json, sys
	def file(name, kind, rows):
	    json.dump({"format": 1, "kind": kind, "about": {}, "leaks": [],
	               "rows": [{"bench": b, "params": p, "unit": u, "figures": f, "at_least": a}
	                        for b, p, u, f, a in rows]}, open(f"{sys.argv[1]}/{name}.json", "w"))
	file("fu", "user", [("hot", "-l 9 -t 2", "ns/pair", {"ours": [3, 1, 2], "stock": [4, 6, 5]}, []),
	                    ("scan", "-n 1000000 -H list", "ms", {"ours": [7], "stock": [7]}, [])])
	file("fu2", "user", [("scan", "-n 1000000 -H list", "ms", {"ours": [1], "ours/2": [0.5], "stock": [30000]}, ["stock"])])
	file("fk", "kernel", [("scan", "heap=dense objects=200000 cpus=1", "ms", {"ours": [1], "stock": [8]}, []),
	                      ("stack", "threads=1 cpus=1", "ns", {"ours": [1]}, [])])
	EOT
	printf '%s\n' before '.. tables: user' old '.. tables end' between '.. tables: kernel' '.. tables end' after >"$work/text"
	expect 0 'tables of user, kernel' "$here/figures.py" "$work/text" "$work/fu.json" "$work/fu2.json" "$work/fk.json"
	cat "$work/text"
	grep -qE '^alloc and free, same object, 2 CPUs, ns/pair +2 \(1\.\.3\) +5 \(4\.\.6\) +2\.5x$' "$work/text"
	grep -qE '^scan, 1 M list, ms +1 +0\.5 +> 30000 +> 30000x, > 60000x$' "$work/text"
	grep -qE '^scan, dense 0\.2 M, ms +1 +8 +8x$' "$work/text"
	if grep -qE '^old$|^stack' "$work/text"; then return 1; fi
	[ "$(grep -cE '^(before|between|after)$' "$work/text")" = 3 ]
	# a second time there is no change; without a place for them, an error
	cp "$work/text" "$work/once"
	expect 0 'tables of user, kernel' "$here/figures.py" "$work/text" "$work/fu.json" "$work/fu2.json" "$work/fk.json"
	cmp "$work/text" "$work/once"
	expect 1 'not one place' "$here/figures.py" "$work/fu.json" "$work/fu.json"
	expect 1 'not a file of results' "$here/figures.py" "$work/text" "$here/README.md"
	expect 1 'No such file' "$here/figures.py" "$work/text" "$work/none"
	cmp "$work/text" "$work/once"
}

# guest_said <log> <line>...: the log of a guest; a comma is a tab
guest_said()
{
	printf 'KMLP,%s\n' "${@:2}" | tr , '\t' >"$work/price/$1.log"
}

# Calls of the test are taken off, and numbers of frames are matched. A plot of them.
t_price()
{
	local price=$here/price.py
	mkdir "$work/price"
	guest_said x86_64-off pairs,-,200 0,-,203 1,-,210 2,-,217
	guest_said x86_64-stock pairs,-,5000 0,6,5003 1,7,6010 2,7,6017
	guest_said x86_64-ours pairs,-,900 0,7,903 1,8,935 2,8,942 depth,4,853
	expect 0 'x86_64, 7 +200 +6000 +900 +0\.15' "$price" --out "$work/price" "$work"/price/*.log
	printf '%s\n' '4 200 - 850' '6 200 5000 -' '7 200 6000 900' '8 200 - 925' >"$work/price/want"
	grep -v '^#' "$work/price/price.dat" | diff "$work/price/want" -
	printf '%s\n' '.. tables: price' '.. tables end' >"$work/price/text"
	expect 0 'tables of price' "$here/figures.py" "$work/price/text" "$work/price/results.json"
	grep -qE '^7 frames, instructions +200 +900 +6000 +6\.67x$' "$work/price/text"
	cp "$work/price/results.json" "$work/price/old.json"
	guest_said x86_64-ours pairs,-,900 0,7,1003 1,8,935 2,8,942 depth,4,853
	expect 0 '' "$price" --out "$work/price" "$work"/price/*.log
	expect 1 'worse *pair flavor=x86_64 frames=7, ours: count 900 -> 1000' \
		"$here/compare.py" --regress "$work/price/old.json" "$work/price/results.json"
	if command -v gnuplot >/dev/null; then
		"$price" --plot "$work/price/price.dat" "$work/price/price.svg"
		grep -q 'stock, x86_64' "$work/price/price.svg"
	fi
	rm "$work/price/x86_64-off.log"
	expect 1 'no log with kmemleak=off' "$price" "$work"/price/*.log
	guest_said x86_64-off pairs,-
	expect 1 'cannot read' "$price" "$work"/price/*.log
	echo nothing >"$work/price/x86_64-off.log"
	expect 1 'no lines of a guest' "$price" "$work"/price/*.log
}

# The kept figures are those of the text.
t_price_kept()
{
	python3 - "$here/price.dat" "$here/figures.rst" <<-'EOT'
	import sys
	rows = [line.split() for line in open(sys.argv[2]) if "frames, instructions" in line]
	kept = [line.split() for line in open(sys.argv[1]) if line[0] not in "#\n"]
	assert len(kept) > 10 and len(rows) == len(kept), (len(kept), len(rows))
	for row, (frames, off, stock, ours) in zip(rows, kept):
	    assert row[0] == frames and row[3:5] == [off, ours], (row, frames)
	    assert stock == "-" or row[5] == stock, row
	EOT
}

# The figures of the plot are those of figures.rst, and the plot is that of its data.
t_scan_time()
{
	python3 - "$here/scan-time.dat" "$here/figures.rst" <<-'EOT'
	import sys
	text = open(sys.argv[2]).read()
	lines = [line.split() for line in open(sys.argv[1]) if line[0] != "#"]
	assert len(lines) > 2, lines
	for line in lines:
	    for word in line[1:]:
	        ms = f" {1000 * float(word):.6g} " if word != "-" else " "
	        assert ms in text or f"{word} s" in text, f"{word} is not in figures.rst"
	EOT
	if command -v gnuplot >/dev/null; then
		mkdir "$work/top"
		(cd "$KML_TOP" && cp -r --parents tools/kmemleak benchmarks/scan-time.* "$work/top/")
		rm "$work/top/benchmarks/scan-time.svg"
		expect 0 'scan-time.svg' "$work/top/benchmarks/scan-time.sh"
		grep -q '^<svg' "$work/top/benchmarks/scan-time.svg"
	fi
	expect 2 'usage' "$here/scan-time.sh" --nonsense
}

# A guest's process under perf, where the machine allows that.
t_perf()
{
	expect 0 'samples of scans' "$here/perf-scan.sh" --uml --objects 20000 --scans 5 --out "$work/perf"
	grep -qE '^(kml_scan|kml_do_job);.* [0-9]+$' "$work/perf/scan.folded"
}

check "user space: wrong choices are refused, and the right ones named" t_user_refuses
check "user space: all benches and heaps, ours and stock; the same leaks" t_user_quick
check "regress: changes and noise" t_regress
check "figures: tables in a text" t_figures
check "scan-time: the plot and its data" t_scan_time
check "price: from the output of guests to tables and a plot" t_price
check "price: the kept figures are those of the text" t_price_kept
check "perf: stages by symbols, by tracepoints" t_stages
check "spans: the longest waits and their lines" t_spans
check "model: finds the costs from the times" t_model
check "accuracy: a table, goals and JSON from the output of guests" t_accuracy_table
check "scripts: wrong options are refused" t_scripts_refuse
check "make accuracy, small: all kinds are planted" t_accuracy_quick
check "make bench, small: all rows, and the same leaks" t_kernel_quick
if command -v perf >/dev/null && perf record -q -e cpu-clock -o "$work/perf.data" true >/dev/null 2>&1; then
	check "perf: a guest's process" t_perf
else
	n=$((n + 1))
	echo "ok $n perf: a guest's process # SKIP no perf, or not allowed here"
fi
echo "1..$n"
exit $failed
