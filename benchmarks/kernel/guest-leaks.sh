# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Runs in the guest, right after the boot: leaks blocks in a heap, and prints those that
# the first scan that may report them reports, for collect.py:
#   KMLB leaks <heap> <workers> <number planted> <those of them that are reported>
# From the environment: HEAP, OBJECTS, LEAKS, and WORKERS as for guest.sh.
set -u
k=/sys/kernel/debug/kmemleak

echo scan=off >$k || exit 1
[ "$WORKERS" = stock ] || echo "parallel=$WORKERS" >$k || exit 1
echo scan >$k
echo clear >$k
insmod /kml/kmemleak_scale.ko heap="$HEAP" objects="$OBJECTS" leaks="$LEAKS" || exit 1
echo plant >/sys/module/kmemleak_scale/parameters/run || exit 1
# takes their checksums
echo scan >$k
sleep 5.1
echo scan >$k || exit 1
ids=$(grep -o 'kml-leak-[0-9]*' $k | sort -u | sed 's/kml-leak-0*\([0-9]\)/\1/')
printf 'KMLB\tleaks\theap=%s\t%s\t%s\t%s\n' "$HEAP" "$WORKERS" \
	"$LEAKS" "$(tr '\n' ' ' <<<"$ids")"
