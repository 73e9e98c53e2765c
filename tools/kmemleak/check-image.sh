#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests of kmemleak(8), tools/mm/kmemleak: on generated memory images, and on dumps of
# Debian's kernels, each from a guest with leaks in it.
#   check-image.sh [KERNEL-ARCH...], for example 6.12-amd64 7.3-arm64
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/lib.sh"

case ${1:-} in
-h | --help) echo "usage: check-image.sh [KERNEL-ARCH...]; kernels of image-dump.sh, for example 6.12-amd64"; exit 0 ;;
esac
for name in "$@"; do
	case $name in
	?*-?*) ;;
	*) usage_error "expected KERNEL-ARCH, not $name; for example 6.12-amd64" ;;
	esac
done
"$KML_TOOLS/build-deps.sh" image
out=$KML_CACHE/checkout/$(checkout_key)/image
mkdir -p "$out/dumps"
logged "$out/build.log" "building kmemleak(8)" \
	make -C "$KML_TOP/tools/mm/kmemleak" -j2 O="$out/build" all "$out/build/gen_image"
dumps=()
for name in "$@"; do
	"$KML_TOOLS/image-dump.sh" --kernel "${name%%-*}" --arch "${name#*-}" "$out/dumps/$name"
	dumps+=("$out/dumps/$name")
done
mandoc -T lint -W warning "$KML_TOP/tools/mm/kmemleak/kmemleak.8" >&2
KMEMLEAK=$out/build/kmemleak exec "$KML_TOP/tools/mm/kmemleak/tests/check.sh" "${dumps[@]}"
