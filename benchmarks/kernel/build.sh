#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Build the modules of this directory for a kernel that build-kernel.sh has built. Prints
# the path of one of them.
#   build.sh [--module M] [--kernel K] [--flavor F] [--stock] [--debug] [--config C]
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/../../tools/kmemleak/lib.sh"

here=$KML_TOP/benchmarks/kernel
module=kmemleak_scale args=()
while [ $# -gt 0 ]; do
	case $1 in
	-h | --help)
		echo "usage: build.sh [--module M] [--kernel K] [--flavor F] [--stock] [--debug] [--config C]"
		exit 0
		;;
	--module) module=${2:?}; shift ;;
	*) args+=("$1") ;;
	esac
	shift
done
grep -q "\b$module\.o\b" "$here/Kbuild" || usage_error "--module $module: there is none in $here"
assignments=$("$KML_TOOLS/build-kernel.sh" --print "${args[@]}")
KSRC='' KOUT=''
eval "$assignments"

# Objects are built beside their sources, so each kernel has a copy.
dir=$KOUT/kmemleak-scale
mkdir -p "$dir"
# One build at a time.
exec 9>"$dir/.lock"
flock 9
for f in "$here"/Kbuild "$here"/*.[ch]; do
	cmp -s "$f" "$dir/$(basename "$f")" || cp "$f" "$dir/"
done
flavour_facts "$(built_flavour "$KOUT/.config")"
logged "$dir/build.log" "building $module" \
	make -C "$KSRC" O="$KOUT" M="$dir" ARCH="$kml_arch" CROSS_COMPILE="$kml_cross" modules
echo "$dir/$module.ko"
