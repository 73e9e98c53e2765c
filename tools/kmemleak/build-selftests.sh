#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Build tools/testing/selftests/kmemleak, its module included, for a kernel that
# build-kernel.sh built. Prints the directory to put into the guest.
#   build-selftests.sh [--kernel K] [--flavor F] [--stock] [--debug]
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/lib.sh"

for word; do
	case $word in
	-h | --help) echo "usage: build-selftests.sh [--kernel K] [--flavor F] [--stock] [--debug] [--config C]"; exit 0 ;;
	esac
done
assignments=$("$KML_TOOLS/build-kernel.sh" --print "$@")
KSRC='' KOUT=''
eval "$assignments"

# A small tree of their own: in the source directory the module would be built
# for one kernel at a time, and the private copy would fill with objects.
tests=tools/testing/selftests
top=$KOUT/kselftest
mkdir -p "$top/$tests/kmemleak"
# One at a time; the one that waited finds it built.
exec 8>"$top/.lock"
flock 8
cp -u -p "$KSRC/$tests/lib.mk" "$KSRC/$tests/"*.h "$top/$tests/"
cp -u -p -R "$KSRC/$tests/kselftest" "$top/$tests/"
# From the checkout: a stock kernel's tree does not have them.
find "$KML_TOP/$tests/kmemleak" -type f ! -name '*.o' ! -name '*.ko' ! -name '*.cmd' ! -name '*.mod*' \
	-printf '%P\n' | sort >"$top/files.new"
if ! cmp -s "$top/files.new" "$top/files"; then
	rm -rf "${top:?}/$tests/kmemleak"
	mkdir -p "$top/$tests/kmemleak"
fi
while read -r f; do
	mkdir -p "$(dirname "$top/$tests/kmemleak/$f")"
	cmp -s "$KML_TOP/$tests/kmemleak/$f" "$top/$tests/kmemleak/$f" ||
		cp "$KML_TOP/$tests/kmemleak/$f" "$top/$tests/kmemleak/$f"
done <"$top/files.new"
mv "$top/files.new" "$top/files"

# The flavour by what was built: callers pass options of build-kernel.sh.
flavour=$(sed -n 's/^CONFIG_UML=y$/um/p; s/^CONFIG_X86_64=y$/x86_64/p; s/^CONFIG_ARM64=y$/arm64/p' "$KOUT/.config" | head -n 1)
! grep -q '^CONFIG_UML=y' "$KOUT/.config" || flavour=um
flavour_facts "$flavour"
cross=()
# The guest has another C library than the one that cross compilers bring.
[ -z "$kml_cross" ] || cross=(CROSS_COMPILE="$kml_cross" LDFLAGS=-static)
# Modules are compiled by what the kernel was; the programs are, too.
! grep -q '^CONFIG_CC_IS_CLANG=y' "$KOUT/.config" || cross+=(CC="$(newest_clang)")
logged "$top/build.log" "building the selftests" \
	make -C "$top/$tests/kmemleak" ARCH="$kml_arch" "${cross[@]}" KDIR="$KOUT" OUTPUT="$top/$tests/kmemleak"
echo "$top/$tests/kmemleak"
