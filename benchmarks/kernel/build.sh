#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Build the kmemleak_scale module for a kernel that build-kernel.sh built. Prints
# where it is.
#   build.sh [--kernel K] [--stock] [--debug]
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/../../tools/kmemleak/lib.sh"

for word; do
	case $word in
	-h | --help) echo "usage: build.sh [--kernel K] [--flavor F] [--stock] [--debug] [--config C]"; exit 0 ;;
	esac
done
assignments=$("$KML_TOOLS/build-kernel.sh" --print "$@")
KSRC='' KOUT=''
eval "$assignments"

# A copy for each kernel: objects lie beside their sources.
here=$KML_TOP/benchmarks/kernel
dir=$KOUT/kmemleak-scale
mkdir -p "$dir"
for f in "$here"/Kbuild "$here"/*.[ch]; do
	cmp -s "$f" "$dir/$(basename "$f")" || cp "$f" "$dir/"
done
arch=um
grep -q '^CONFIG_UML=y' "$KOUT/.config" ||
	arch=$(sed -n 's/^CONFIG_X86_64=y$/x86_64/p; s/^CONFIG_ARM64=y$/arm64/p' "$KOUT/.config" | head -n 1)
logged "$dir/build.log" "building kmemleak_scale" \
	make -C "$KSRC" O="$KOUT" M="$dir" ARCH="$arch" modules
echo "$dir/kmemleak_scale.ko"
