#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Remove the builds of this checkout; with "all", also its results, and fetched files.
#   clean.sh builds|all
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/lib.sh"

case ${1:-} in
builds | all) ;;
*) usage_error "usage: clean.sh builds|all" ;;
esac

key=$(checkout_key)
# Results that may have taken hours stay: of bench, perf, torture and check-full.
for entry in "$KML_CACHE/checkout/$key"/*; do
	case $1:$(basename "$entry") in
	builds:bench | builds:perf | builds:torture | builds:full) ;;
	*) rm -rf "$entry" ;;
	esac
done
# Stock builds lie beside the shared sources, under this checkout's key.
find "$KML_CACHE/source" -mindepth 2 -maxdepth 2 -name "*-$key*" -exec rm -rf {} + 2>/dev/null || :
rm -rf "$KML_TOP/tools/testing/kmemleak/build"
[ "$1" = all ] || exit 0

# Other checkouts fetch these again.
rm -rf "$KML_CACHE/guest" "$KML_CACHE/apt"
for kernel in $KML_KERNELS; do
	rm -rf "$KML_CACHE/source/$kernel/src" "$KML_CACHE/source/$kernel/id"
done
