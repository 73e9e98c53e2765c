# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Runs in the guest, fresh from boot: leak blocks on purpose in a heap, and print
# which of them are reported, for collect.py:
#   KMLB leaks <heap> <workers> <number reported> <the planted ones among them>
# From the environment: HEAP, OBJECTS, LEAKS, SKIP, and WORKERS as for guest.sh.
#
# Nothing is timed here. A kernel is full of stale pointers, and any of them hides
# a leak: boot with slab_debug=P init_on_alloc=1, which wipes most. What is left,
# on stacks, goes in a while: hence more than one scan, with work in between.
set -u
k=/sys/kernel/debug/kmemleak

echo scan=off >$k || exit 1
[ "$WORKERS" = stock ] || echo "parallel=$WORKERS" >$k || exit 1
echo scan >$k
echo clear >$k
insmod /kml/kmemleak_scale.ko heap="$HEAP" objects="$OBJECTS" leaks="$LEAKS" skip="$SKIP" || exit 1
echo plant >/sys/module/kmemleak_scale/parameters/run || exit 1
echo scan >$k
sleep 5.1
for ((i = 0; i < 12; i++)); do
	echo scan >$k || exit 1
	ids=$(grep -o 'kml-leak-[0-9]*' $k | sort -u | sed 's/kml-leak-0*\([0-9]\)/\1/')
	[ "$(wc -w <<<"$ids")" -lt "$LEAKS" ] || break
	for ((j = 0; j < 20; j++)); do
		find /proc/self /sys/kernel -maxdepth 2 >/dev/null 2>&1 &
	done
	wait
done
printf 'KMLB\tleaks\theap=%s\t%s\t%s\t%s\n' "$HEAP" "$WORKERS" \
	"$(grep -c '^unreferenced object' $k)" "$(tr '\n' ' ' <<<"$ids")"
[ "$(wc -w <<<"$ids")" -lt "$LEAKS" ] || printf 'KMLB\tall-found\n'
