#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make run: build what is missing, boot it, leak memory, show the report. Fails if
# that lacks a leak; of a stock kernel it only says how many were found.
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
