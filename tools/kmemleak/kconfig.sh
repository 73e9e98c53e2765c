#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make menuconfig and make defconfig: run the newest kernel's scripts/kconfig with the
# Kconfig of this repository.
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/lib.sh"

usage='usage: kconfig.sh defconfig|menuconfig|oldconfig'
case ${1:-} in
defconfig) program=conf args=(--alldefconfig) ;;
oldconfig) program=conf args=(--oldconfig) ;;
menuconfig) program=mconf args=() ;;
-h | --help) echo "$usage"; exit 0 ;;
*) usage_error "$usage" ;;
esac

"$KML_TOOLS/build-deps.sh" kernel um
[ $program = conf ] || "$KML_TOOLS/build-deps.sh" menu
"$KML_TOOLS/fetch-kernel.sh" 7.3
kernel_paths um 7.3 0 0

# The kernel's make builds the program. The kernel configuration that it also writes is
# not used.
out=$KML_CACHE/kconfig
mkdir -p "$out"
exec 9>"$out/.lock"
flock 9
case $program in
conf) target=defconfig ;;
mconf) target=build_menuconfig ;;
esac
make -s -C "${kml_pristine:?}" O="$out" ARCH=um "$target" >"$out/log" 2>&1 ||
	{ tail -n 20 "$out/log" >&2; die "scripts/kconfig/$program of the kernel cannot be built" "see $out/log"; }
exec 9>&-

cd "$KML_TOP"
export srctree=. KCONFIG_CONFIG=.config
# files for the kernel's make do not belong in this directory
export KCONFIG_AUTOCONFIG=$out/auto.conf KCONFIG_AUTOHEADER=$out/autoconf.h
export KCONFIG_RUSTCCFG=$out/rustc_cfg
"$out/scripts/kconfig/$program" "${args[@]}" Kconfig
