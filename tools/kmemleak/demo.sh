#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make run: build what is missing, boot it, leak memory, show the report.
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/lib.sh"

"$KML_TOOLS/build-kernel.sh" "$@"
note "  ... booting"
exec "$KML_TOOLS/run.sh" "$@" --quiet --timeout 120 -- "$KML_TOOLS/guest/demo.sh"
