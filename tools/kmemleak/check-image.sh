#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests of kmemleak(8), tools/mm/kmemleak: on saved reports and generated memory images, on
# dumps of Debian's kernels, each from a guest with leaks in it, and in a guest (--guest).
#   check-image.sh [--guest] [KERNEL-ARCH...], for example 6.12-amd64 7.3-arm64
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/lib.sh"

case ${1:-} in
-h | --help) echo "usage: check-image.sh [--guest] [KERNEL-ARCH...]; kernels of image-dump.sh, for example 6.12-amd64"; exit 0 ;;
esac
guest=0
if [ "${1:-}" = --guest ]; then
	guest=1
	shift
fi
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
	make -C "$KML_TOP/tools/mm/kmemleak" -j2 O="$out/build" all "$out/build/gen_image" "$out/build/fake_debugfs.so"
dumps=()
for name in "$@"; do
	"$KML_TOOLS/image-dump.sh" --kernel "${name%%-*}" --arch "${name#*-}" "$out/dumps/$name"
	dumps+=("$out/dumps/$name")
done
mandoc -T lint -W warning "$KML_TOP/tools/mm/kmemleak/kmemleak.8" >&2
status=0
KMEMLEAK=$out/build/kmemleak "$KML_TOP/tools/mm/kmemleak/tests/check.sh" "${dumps[@]}" || status=1
[ $guest = 1 ] || exit $status

# The guest has this machine's programs, but not the libraries of this one.
"$KML_TOOLS/build-kernel.sh" --flavor um --kernel 7.3
libraries=()
while read -r library; do
	libraries+=(--add "$(readlink -f "$library"):/kml/lib/${library##*/}")
done < <(ldd "$out/build/kmemleak" | awk '$3 ~ "^/" && $1 !~ /^lib(c|m|pthread|dl)\.so/ { print $3 }')
echo "# suite: guest"
"$KML_TOOLS/run.sh" --flavor um --kernel 7.3 --quiet --timeout 120 --append no_hash_pointers \
	--add "$out/build/kmemleak:/kml/kmemleak" "${libraries[@]}" -- "$KML_TOOLS/guest/command.sh" || status=1
exit $status
