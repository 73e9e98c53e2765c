#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Build tools/testing/selftests/kmemleak, its module included, for a kernel that
# build-kernel.sh built. Prints the directory that goes into the guest.
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

# They are built in a small tree below the build directory. In the source directory
# the modules could be built for one kernel only.
tests=tools/testing/selftests
top=$KOUT/kselftest
mkdir -p "$top/$tests/kmemleak"
# One build at a time. One that has waited finds all objects made.
exec 8>"$top/.lock"
flock 8
cp -u -p "$KSRC/$tests/lib.mk" "$KSRC/$tests/"*.h "$top/$tests/"
cp -u -p -R "$KSRC/$tests/kselftest" "$top/$tests/"
# The files are those of the checkout: a stock kernel's tree does not have them.
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

# The flavour of the kernel: callers pass options of build-kernel.sh.
flavour_facts "$(built_flavour "$KOUT/.config")"
cross=()
# Static, since the guest's C library is not the one of the cross compiler.
[ -z "$kml_cross" ] || cross=(CROSS_COMPILE="$kml_cross" LDFLAGS=-static)
# Modules are compiled by what the kernel was; the programs are, too.
! grep -q '^CONFIG_CC_IS_CLANG=y' "$KOUT/.config" || cross+=(CC="$(newest_clang)")
logged "$top/build.log" "building the selftests" \
	make -C "$top/$tests/kmemleak" ARCH="$kml_arch" "${cross[@]}" KDIR="$KOUT" OUTPUT="$top/$tests/kmemleak"
echo "$top/$tests/kmemleak"
