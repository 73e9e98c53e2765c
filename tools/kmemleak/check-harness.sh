#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The user-space harness, compared with the mm/kmemleak.c of a fetched tree: natively, or
# built for other architectures and run by qemu-user.
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/lib.sh"

harness=$KML_TOP/tools/testing/kmemleak
[ -f "$harness/Makefile" ] || die "this checkout has no tools/testing/kmemleak" "get a complete one"
usage='usage: check-harness.sh [cross [--quick] [ARCH]...]'
what=${1:-native}
case $what in
-h | --help) echo "$usage; see check-cross.sh --help"; exit 0 ;;
native) "$KML_TOOLS/build-deps.sh" harness ;;
cross) shift ;;
*) usage_error "$usage" ;;
esac
# Architectures without a compiler are skipped.
"$KML_TOOLS/build-deps.sh" cross || :
"$KML_TOOLS/fetch-kernel.sh" 7.3
kernel_paths um 7.3 1 0
export KSRC=${kml_pristine:?}
if [ "$what" = cross ]; then
	exec "$harness/check-cross.sh" "$@"
fi
exec make -s -C "$harness" check KSRC="$KSRC"
