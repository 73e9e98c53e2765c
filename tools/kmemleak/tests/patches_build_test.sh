#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Build UML after each patch of the series, in a copy of the source. Prints TAP. Run it by
# hand, since it takes minutes.
#   patches_build_test.sh [KERNEL]...
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/../lib.sh"

[ $# -gt 0 ] || set -- 7.3 6.12
n=0 failed=0
for kernel in "$@"; do
	check_kernel "$kernel"
	"$KML_TOOLS/fetch-kernel.sh" "$kernel"
	kernel_paths um "$kernel" 0 0
	base=$KML_CACHE/checkout/$(checkout_key)/series-$kernel
	rm -rf "$base"
	mkdir -p "$base"
	trap 'rm -rf "$base"' EXIT
	make -s -C "$KML_TOP" patches KDIR="${kml_pristine:?}" OUT="$base/series" >/dev/null
	note "  ... copying the source"
	cp -a --reflink=auto "$kml_pristine" "$base/src"
	for p in none "$base"/series/*.patch; do
		case $p in */0000-cover-letter.patch) continue ;; esac
		n=$((n + 1))
		if [ "$p" != none ]; then
			# Like git am, without a repository: to make one of a
			# whole kernel tree takes longer than the builds.
			(cd "$base/src" && git apply --whitespace=nowarn "$p")
		fi
		name="$kernel: after $(basename "$p")"
		# Build it as a tree of the user's, with --stock: it needs no
		# overlay any more.
		if "$KML_TOOLS/build-kernel.sh" --kernel "$base/src" --stock; then
			echo "ok $n $name"
		else
			echo "not ok $n $name"
			failed=1
		fi
	done
	rm -rf "$base" "$KML_CACHE/checkout/$(checkout_key)/src-"*-stock
done
echo "1..$n"
exit $failed
