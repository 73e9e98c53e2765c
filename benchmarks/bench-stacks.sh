#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The leaks that dead parts of stacks hide. Hundreds of tasks leak in a guest, and then
# sleep or end. Prints the number of these leaks that are reported with stacks that are
# read as a whole, from the stack pointer on, and not at all.
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/../tools/kmemleak/lib.sh"

usage()
{
	cat <<-EOT
	usage: bench-stacks.sh [option]...
	  --kernel K      $KML_KERNELS or the path of a kernel tree (default 7.3)
	  --flavor F      $KML_FLAVOURS (default um)
	  --runs N        guests, each with a seed of its own (default 3)
	  --order "W.."   ways to read stacks, in this order in each guest
	                  (default "whole live off")
	  --sleepers N    threads, and processes, that sleep (default 120)
	  --enders N      threads, processes, works that end (default 40)
	EOT
}

kernel=7.3 flavour=um runs=3 order='whole live off' sleepers=120 enders=40
parse_options "
	--kernel kernel kernel
	--flavor|--flavour flavour flavour
	--runs runs count
	--order order whole|live|off..
	--sleepers sleepers count
	--enders enders count
" "$@"
[ "$sleepers" -le 1000 ] || usage_error "--sleepers $sleepers: at most 1000"

args=(--flavor "$flavour" --kernel "$kernel")
"$KML_TOOLS/build-kernel.sh" "${args[@]}"
assignments=$("$KML_TOOLS/build-kernel.sh" --print "${args[@]}")
KSRC='' KOUT=''
eval "$assignments"
flavour_facts "$flavour"

# Objects are built beside their sources, so each kernel has a copy.
dir=$KOUT/kmemleak-stacks
mkdir -p "$dir/guest"
cp -u "$KML_TOP"/benchmarks/stacks/Kbuild "$KML_TOP"/benchmarks/stacks/*.c "$dir/"
logged "$dir/build.log" "building kmemleak_sleepers" \
	make -C "$KSRC" O="$KOUT" M="$dir" ARCH="$kml_arch" CROSS_COMPILE="$kml_cross" modules
"${kml_cross}gcc" -O2 -Wall -static -o "$dir/guest/sleepers" "$dir/sleepers.c"
cp "$dir/kmemleak_sleepers.ko" "$dir/guest/"

for ((seed = 1; seed <= runs; seed++)); do
	"$KML_TOOLS/run.sh" "${args[@]}" --quiet --mem 512M --timeout 600 \
		--add "$dir/guest:/kml/stacks" --env "SEED=$seed" --env "ORDER=$order" \
		--env "SLEEPERS=$sleepers" --env "ENDERS=$enders" \
		-- "$KML_TOP/benchmarks/stacks/guest.sh"
done
