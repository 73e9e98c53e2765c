# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Runs in the guest: leak memory with the stock sample module, scan, show.
set -u
k=/sys/kernel/debug/kmemleak
stats=/sys/kernel/debug/kmemleak_stats

# stat_of <key>: one counter, empty where this kmemleak has no such file.
stat_of()
{
	awk -v key="$1" '$1 == key { print $2 }' "$stats" 2>/dev/null
}

now_ms()
{
	local now
	now=$(date +%s%N)
	echo $((now / 1000000))
}

echo "kmemleak demo on Linux $(uname -r), $(nproc) CPU(s)"
echo scan=off >$k || { echo "error: kmemleak is not running here" >&2; exit 1; }
modprobe kmemleak-test || exit 1
leaked=$(now_ms)
# A new object's checksum must settle first: this scan reports none of them.
echo scan >$k || exit 1
echo "leaked memory on purpose (samples/kmemleak); waiting until it is 5 s old"
while [ $(($(now_ms) - leaked)) -lt 5100 ]; do
	sleep 0.1
done
t0=$(now_ms)
echo scan >$k || exit 1
took=$(($(now_ms) - t0))
echo
cat $k
echo
leaks=$(grep -c '^unreferenced object' $k)
objects=$(stat_of objects)
bytes=$(stat_of scan_bytes)
ms=$(stat_of scan_ms)
if [ -z "$objects" ]; then
	# Stock counts nothing; its slab cache knows the objects at least.
	objects=$(awk '$1 == "kmemleak_object" { print $2 }' /proc/slabinfo 2>/dev/null)
fi
printf 'objects tracked: %s, bytes scanned: %s, time: %s ms, leaks: %s\n' \
	"${objects:-unknown}" "${bytes:-unknown}" "${ms:-$took}" "$leaks"
[ "$leaks" -gt 0 ] || { echo "error: no leak was reported, though some were planted" >&2; exit 1; }
