#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make run: build a kernel, boot it, leak memory, and show the report. Fails if a leak is
# not in it. For a stock kernel it only prints how many leaks were found.
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/lib.sh"

"$KML_TOOLS/build-kernel.sh" "$@"
note "  ... booting"
stock=0
for word; do
	[ "$word" != --stock ] || stock=1
done
exec "$KML_TOOLS/run.sh" "$@" --quiet --timeout 120 --env "KML_STOCK=$stock" \
	--append no_hash_pointers -- "$KML_TOOLS/guest/demo.sh"
