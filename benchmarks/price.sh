#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The price of kmemleak: the instructions of an allocation and its free, by the number of
# frames of the stack, on emulated machines whose clocks count instructions: the host and
# its load do not matter. Prints a table. With --keep, the figures and a plot go to
# benchmarks/price.dat and price.svg.
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/../tools/kmemleak/lib.sh"
# shellcheck source=benchmarks/groups.sh
. "$(dirname "$0")/groups.sh"

usage()
{
	cat <<-EOT
	usage: price.sh [option]...
	  --flavors "F.." x86_64 and arm64 (default both)
	  --kernel K      $KML_KERNELS or the path of a kernel tree (default 7.3)
	  --size N        size of a block in bytes (default 128)
	  --out DIR       directory of results (default: one below
	                  ~/.cache/kmemleak/checkout)
	  --keep          put price.dat and price.svg into benchmarks/, which needs both
	                  flavors, and the table into figures.rst
	  --plot          only draw benchmarks/price.svg from price.dat
	EOT
}

flavours='x86_64 arm64' kernel=7.3 size=128 out='' keep=0 plot=0
parse_options "
	--flavors|--flavours flavours x86_64|arm64..
	--kernel kernel kernel
	--size size count
	--out out text
	--keep keep flag
	--plot plot flag
" "$@"
here=$KML_TOP/benchmarks

# draw <directory of price.dat>
draw()
{
	"$KML_TOOLS/build-deps.sh" plot
	(cd "$1" && python3 "$here/price.py" --plot price.dat price.svg)
	note "  ok  $1/price.svg"
}

if [ $plot = 1 ]; then
	draw "$here"
	exit
fi
[ $keep = 0 ] || [ "$flavours" = 'x86_64 arm64' ] || usage_error "--keep needs both flavors"
results_directory price

# guest <log> <kmemleak=> <module> <options of the build>: prints the lines of the guest
# shellcheck disable=SC2317 # by start
guest()
{
	local log=$1 state=$2 module=$3
	shift 3
	logged "$log" "price: $(basename "$log" .log)" \
		"$KML_TOOLS/run.sh" "$@" --icount --quiet --timeout 900 \
		--append "kmemleak=$state" --add "$module:/kml/kmemleak_scale.ko" \
		--env "SIZE=$size" --env LAST=12 -- "$here/kernel/guest-price.sh"
}

logs=()
for flavour in $flavours; do
	for who in off stock ours; do
		build=(--flavor "$flavour" --kernel "$kernel")
		state=on
		case $who in
		off) state=off ;;
		stock) build+=(--stock) ;;
		esac
		"$KML_TOOLS/build-kernel.sh" "${build[@]}"
		module=$("$here/kernel/build.sh" "${build[@]}")
		start guest "$out/$flavour-$who.log" $state "$module" "${build[@]}"
		finish "$started"
		logs+=("$out/$flavour-$who.log")
	done
done
python3 "$here/price.py" --out "$out" "${logs[@]}"
if command -v gnuplot >/dev/null; then draw "$out"; fi
if [ $keep = 1 ]; then
	cp "$out/price.dat" "$here/"
	draw "$here"
	"$here/figures.py" "$here/figures.rst" "$out/results.json" >&2
fi
note "results: $out"
