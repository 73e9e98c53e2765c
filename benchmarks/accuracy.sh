#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make accuracy: the leaks that are reported, and false reports, of ours and of the tree's
# own kmemleak, in several boots of each. Prints a table; table and JSON go to a directory
# below the cache.
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/../tools/kmemleak/lib.sh"
# shellcheck source=benchmarks/groups.sh
. "$(dirname "$0")/groups.sh"

usage()
{
	cat <<-EOT
	usage: accuracy.sh [--flavor F] [--kernel K] [option]...
	  --flavor F     $KML_FLAVOURS (default um)
	  --kernel K     $KML_KERNELS or the path of a kernel tree (default 7.3)
	  --boots N      boots of each (default 3), with different orders of planting
	  --churn N      blocks that each CPU replaces before (default 20000)
	  --cpus N       CPUs of a guest (default: that of run.sh)
	  --only WHO     ours or stock (default: both)
	  --append ARGS  more kernel parameters, for ours
	  --goal N       per cent of the leaks in the first scan that may report them (default 98)
	  --strict       exit 1 if a goal is missed, as make accuracy does
	  --out DIR      where results go (default: below the cache, by date)
	EOT
}

flavour=um kernel=7.3 boots=3 churn=20000 cpus='' only='ours stock' append='' goal=98 strict=0 out=''
parse_options "
	--flavor|--flavour flavour flavour
	--kernel kernel kernel
	--boots boots count
	--churn churn number
	--cpus cpus count
	--only only ours|stock..
	--append append words
	--goal goal number
	--strict strict flag
	--out out text
" "$@"
[ "$goal" -le 100 ] || usage_error "--goal $goal: it is per cent"

build=(--flavor "$flavour" --kernel "$kernel")
# module_of <ours|stock>: build both kernels before any guest runs
module_of()
{
	local args=()
	[ "$1" = ours ] || args=(--stock)
	"$KML_TOOLS/build-kernel.sh" "${build[@]}" "${args[@]}"
	"$KML_TOP/benchmarks/kernel/build.sh" --module kmemleak_accuracy "${build[@]}" "${args[@]}"
}
declare -A module=()
for who in $only; do
	module[$who]=$(module_of "$who")
done
"$KML_TOOLS/build-deps.sh" guest "$flavour"
flavour_facts "$flavour"
# No times are measured, so programs run side by side; emulated machines run one by one.
side_by_side=1
[ -z "$kml_qemu" ] || side_by_side=0
version=$(git -C "$KML_TOP" describe --always --dirty 2>/dev/null || echo unknown)
results_directory accuracy
rm -f "$out"/{ours,stock}-*.log

# guest <ours|stock> <boot>
# shellcheck disable=SC2317 # by start
guest()
{
	local who=$1 boot=$2 args=()
	[ "$who" = ours ] || args+=(--stock)
	[ -z "$append" ] || [ "$who" = stock ] || args+=(--append "$append")
	[ -z "$cpus" ] || args+=(--cpus "$cpus")
	logged "$out/$who-$boot.log" "leaks: $who, boot $boot of $boots" \
		"$KML_TOOLS/run.sh" "${build[@]}" "${args[@]}" --quiet --timeout 500 \
		--log "$out/$who-$boot.console" --add "${module[$who]}:/kml/kmemleak_accuracy.ko" \
		--env "SEED=$boot" --env "CHURN=$churn" -- "$KML_TOP/benchmarks/kernel/guest-accuracy.sh"
}

t0=$SECONDS
for ((boot = 1; boot <= boots; boot++)); do
	guests=()
	for who in $only; do
		start guest "$who" "$boot"
		guests+=("$started")
		[ $side_by_side = 1 ] || finish "$started"
	done
	for who in "${guests[@]}"; do
		[ $side_by_side = 0 ] || finish "$who"
	done
done
rc=0 judge=()
[ $strict = 0 ] || judge=(--strict)
"$KML_TOP/benchmarks/kernel/accuracy.py" --out "$out" --version "$version" --kernel "$kernel" \
	--flavor "$flavour" --seconds $((SECONDS - t0)) --goal "$goal" "${judge[@]}" \
	"$out"/*-*.log || rc=$?
note "  ok  results: $out"
exit $rc
