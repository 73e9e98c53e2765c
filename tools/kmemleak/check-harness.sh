#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The user-space harness, with the stock file of a fetched tree as its peer.
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/lib.sh"

harness=$KML_TOP/tools/testing/kmemleak
[ -f "$harness/Makefile" ] || die "this checkout has no tools/testing/kmemleak" "get a complete one"
"$KML_TOOLS/build-deps.sh" harness
# Without these the filters of arm64 are skipped.
"$KML_TOOLS/build-deps.sh" cross || :
"$KML_TOOLS/fetch-kernel.sh" 7.3
kernel_paths um 7.3 1 0
exec make -s -C "$harness" check KSRC="${kml_pristine:?}"
