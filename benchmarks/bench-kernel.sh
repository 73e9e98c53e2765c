#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make bench: the cost of kmemleak for a running kernel, of ours and of the tree's own in
# turn, in user-mode Linux guests. Prints a table; table, JSON and plots go to a directory
# below the cache.
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/../tools/kmemleak/lib.sh"
# shellcheck source=benchmarks/groups.sh
. "$(dirname "$0")/groups.sh"

usage()
{
	cat <<-EOT
	usage: bench-kernel.sh [--kernel K] [--quick] [option]...
	  --flavor F     um, the only one that is measured in a guest
	  --kernel K     $KML_KERNELS or the path of a kernel tree (default 7.3)
	  --cpus "N.."   numbers of CPUs of the guests (default "1 2"; "1" without SMP)
	  --objects N    blocks of the large heap (default 1000000)
	  --small N      blocks of the other heaps (default 200000)
	  --heaps "H.."  kinds of heaps: dense local sparse list white
	                 (default "dense sparse list white")
	  --runs N       figures of a row (default 5)
	  --out DIR      where results go (default: below the cache, by date)
	  --quick        few figures of small heaps: two minutes, to see that all works
	EOT
}

kernel=7.3 cpus='' quick=0 out='' i=''
objects='' small='' runs='' heaps=''
flavour=um
parse_options "
	--flavor|--flavour flavour um
	--kernel kernel kernel
	--cpus cpus count..
	--objects objects number
	--small small number
	--heaps heaps dense|local|sparse|list|white..
	--runs runs count
	--out out text
	--quick quick flag
" "$@"

if [ $quick = 1 ]; then
	heaps=${heaps:-dense list}
	env=(OBJECTS="${objects:-0}" SMALL="${small:-20000}" RUNS="${runs:-2}" BUDGET=5 LOOPS=5000
		CHURN=4000 LIMIT=5 LATENCY_SECONDS=1)
else
	heaps=${heaps:-dense sparse list white}
	env=(OBJECTS="${objects:-1000000}" SMALL="${small:-200000}" RUNS="${runs:-5}" BUDGET=20
		LOOPS=200000 CHURN=40000 LIMIT=60 LATENCY_SECONDS=3)
fi
most=0
for i in "${env[@]}"; do
	case $i in
	OBJECTS=* | SMALL=*) [ "${i#*=}" -le "$most" ] || most=${i#*=} ;;
	esac
done
# 290 bytes for each block, 190 for its metadata in stock, and memory for the guest.
mem=$((320 + most / 1500))M

build=(--flavor "$flavour" --kernel "$kernel")
for stock in '' --stock; do
	# shellcheck disable=SC2086 # nothing, or one word
	"$KML_TOOLS/build-kernel.sh" "${build[@]}" $stock
done
"$KML_TOOLS/build-deps.sh" guest
# Guests of kernels without SMP have one CPU.
assignments=$("$KML_TOOLS/build-kernel.sh" --print "${build[@]}")
KOUT=''
eval "$assignments"
if ! grep -q '^CONFIG_SMP=y' "$KOUT/.config"; then
	[ -n "$cpus" ] || note "this kernel is built for one CPU: no guests with two"
	cpus=${cpus:-1}
fi
cpus=${cpus:-1 2}
# The version of the code that is measured.
version=$(git -C "$KML_TOP" describe --always --dirty 2>/dev/null || echo unknown)
results_directory bench

# guest <ours|stock> <CPUs>: all benches in one boot.
guest()
{
	local who=$1 n=$2 workers=1 i module args=() log=$out/$1-$2cpu.log
	if [ "$who" = stock ]; then
		args+=(--stock)
		workers=stock
	else
		for ((i = 2; i <= n; i++)); do workers="$workers $i"; done
	fi
	module=$("$KML_TOP/benchmarks/kernel/build.sh" "${build[@]}" "${args[@]}")
	for i in "${env[@]}"; do args+=(--env "$i"); done
	logged "$log" "benches: $who, $n CPU(s), $mem" \
		"$KML_TOOLS/run.sh" "${build[@]}" "${args[@]}" --cpus "$n" --mem "$mem" --quiet --timeout 1500 \
		--log "$out/$who-${n}cpu.console" --add "$module:/kml/kmemleak_scale.ko" \
		--env "WORKERS=$workers" --env "HEAPS=$heaps" --env LEAKS=100 -- \
		"$KML_TOP/benchmarks/kernel/guest.sh"
}

# leaks <ours|stock> <workers> <heap>: the planted leaks that are reported, in a boot of
# its own, without times. For those that ours does not report, there is a module that
# finds the words that point to them.
leaks()
{
	local who=$1 workers=$2 heap=$3 args=() find=() module name
	if [ "$who" = ours ]; then
		module=$("$KML_TOOLS/build-selftests.sh" "${build[@]}")
		find=(--add "$module/test_modules/kmemleak_find.ko:/kml/kmemleak_find.ko"
			--add "$KML_TOOLS/guest/holders.sh:/kml/holders.sh")
	else
		args+=(--stock)
	fi
	module=$("$KML_TOP/benchmarks/kernel/build.sh" "${build[@]}" "${args[@]}")
	name=$out/$who-leaks-$heap-$workers
	logged "$name.log" "leaks of a $heap heap: $who, workers: $workers" \
		"$KML_TOOLS/run.sh" "${build[@]}" "${args[@]}" --cpus "$most_cpus" --quiet --timeout 300 --log "$name.console" \
		--add "$module:/kml/kmemleak_scale.ko" "${find[@]}" --env "WORKERS=$workers" --env "HEAP=$heap" \
		--env OBJECTS=20000 --env LEAKS=100 -- "$KML_TOP/benchmarks/kernel/guest-leaks.sh"
}

# Leaks are compared with the CPUs of the largest guest, and all numbers of workers.
most_cpus=1
for n in $cpus; do
	[ "$n" -le "$most_cpus" ] || most_cpus=$n
done

t0=$SECONDS
for n in $cpus; do
	for who in ours stock; do
		start guest $who "$n"
		finish "$started"
	done
done
for heap in $heaps; do
	# 98 % of its blocks are reported, so leaks prove nothing
	[ "$heap" != white ] || continue
	start leaks stock stock "$heap"
	stock=$started
	for ((w = 1; w <= most_cpus; w++)); do
		start leaks ours "$w" "$heap"
		finish "$started"
	done
	finish "$stock"
done
"$KML_TOP/benchmarks/kernel/collect.py" --out "$out" --version "$version" --kernel "$kernel" \
	--seconds $((SECONDS - t0)) "$out"/{ours,stock}-*.log
note "  ok  results: $out"
