# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Runs in the guest, right after the boot: leaks blocks in a heap, and prints those that
# the first scan that may report them reports, for collect.py:
#   KMLB leaks <heap> <workers> <number planted> <those reported> <those that are held>
# A leak is held if a word outside of all leaks points to it. On 32 bits and in user-mode
# Linux a number may look like such a word. The words are printed, too.
# From the environment: HEAP, OBJECTS, LEAKS, and WORKERS as for guest.sh.
set -u
k=/sys/kernel/debug/kmemleak
# for holders.sh
# shellcheck disable=SC2034
pages=/sys/kernel/debug/kmemleak_pages find=/sys/kernel/debug/kmemleak_find
room=8192 sizes=(48 96 200 1000 3000) # as in heap.c
work=$(mktemp -d)

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
# address and number of each leak
awk '/^unreferenced object/ { addr = $3 }
	match($0, /kml-leak-[0-9]+/) { print addr, substr($0, RSTART + 9, RLENGTH - 9) + 0 }' $k |
	sort -u -n -k 2 >"$work/reported"
ids=$(cut -d ' ' -f 2 "$work/reported")
held=''
if [ -e /kml/kmemleak_find.ko ] && [ "$(wc -l <"$work/reported")" -lt "$LEAKS" ] && [ -s "$work/reported" ]; then
	# shellcheck source=tools/kmemleak/guest/holders.sh
	. /kml/holders.sh
	insmod /kml/kmemleak_find.ko || exit 1
	read -r at first <"$work/reported"
	base=$((at - first * room))
	for ((i = 0, n = 0; i < LEAKS; i++)); do
		grep -q " $i\$" "$work/reported" && continue
		printf '0x%x %d\n' $((base + i * room)) "${sizes[i % ${#sizes[@]}]}" >"$work/hidden"
		holders "$work/hidden" >"$work/words"
		cat "$work/words"
		# not those in the leaks themselves, half of which refer to another one
		while read -r at; do
			[ $((at >= base && at < base + LEAKS * room)) = 1 ] || { held="$held $i" && break; }
		done < <(sed -n 's/.* is in a word at \(0x[0-9a-f]*\):.*/\1/p' "$work/words")
		n=$((n + 1))
		[ $n -lt 10 ] || break
	done
fi
printf 'KMLB\tleaks\theap=%s\t%s\t%s\t%s\t%s\n' "$HEAP" "$WORKERS" \
	"$LEAKS" "$(tr '\n' ' ' <<<"$ids")" "$held"
