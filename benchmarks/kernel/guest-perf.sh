# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Runs in the guest: scans of a heap, for a profiler on the host. From the environment:
# HEAP, OBJECTS, SCANS, WORKERS as for guest.sh.
set -u
k=/sys/kernel/debug/kmemleak

echo scan=off >$k || exit 1
[ "$WORKERS" = stock ] || echo "parallel=$WORKERS" >$k || exit 1
insmod /kml/kmemleak_scale.ko heap="$HEAP" objects="$OBJECTS" || exit 1
for ((i = 0; i < SCANS; i++)); do
	echo scan >$k || exit 1
done
