# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Runs in the guest, booted with no_hash_pointers: leaks memory by the sample module of
# the kernel, scans, and shows the report. Fails if a leak is not in it, or a block is in
# it that the module still refers to. With KML_STOCK=1 it only prints them.
#
# The module logs each block that it allocates, as "call = address". It leaks all of them
# except those of two calls, which it keeps on a list and in per-CPU pointers. The report
# is searched for the addresses.
set -u
k=/sys/kernel/debug/kmemleak
stats=/sys/kernel/debug/kmemleak_stats
stock=${KML_STOCK:-0}

# stat_of <key>: a counter; empty if this kmemleak has no such file
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

# The module's log as lines "leaked|kept address call". Without SMP the compiler drops the
# per-CPU pointers, since nothing reads them.
planted()
{
	local kept='^(kzalloc[(]sizeof[(][*]elem[)][)]|kmalloc[(]129[)])$'
	uname -v | grep -q SMP || kept='^kzalloc[(]sizeof[(][*]elem[)][)]$'
	dmesg | awk -v kept="$kept" '
		/kmemleak: Kmemleak testing$/ { begun = 1; next }
		begun && sub(/.*kmemleak: /, "") && / = (0x)?[0-9a-f]+$/ {
			address = $NF
			sub(/^(0x)?0*/, "", address)
			sub(/ = [^=]*$/, "")
			print ($0 ~ kept ? "kept" : "leaked"), address, $0
		}'
}

# The same with "reported" or "hidden" in place of the address.
judged()
{
	awk '
		NR == FNR {
			if (match($0, /^unreferenced object ([(][a-z]+[)] )?0x[0-9a-f]+/)) {
				n = split(substr($0, 1, RLENGTH), word, " ")
				sub(/^0x0*/, "", word[n])
				reported[word[n]]
			}
			next
		}
		{ $2 = $2 in reported ? "reported" : "hidden"; print }' /tmp/report <(planted)
}

# calls <words>: the calls that allocated such blocks, with their numbers
calls()
{
	sed -n "s/^$1 //p" /tmp/judged | sort | uniq -c | awk '
		{ n = $1; sub(/^ *[0-9]+ /, ""); printf "%s%d x %s", said++ ? ", " : "", n, $0 }'
}

echo "kmemleak demo on Linux $(uname -r), $(nproc) CPU(s)"
echo scan=off >$k || { echo "error: kmemleak is not running here" >&2; exit 1; }
modprobe kmemleak-test || exit 1
leaked=$(now_ms)
echo "leaked memory on purpose (samples/kmemleak)"
if { echo check >$k; } 2>/tmp/said; then
	took=$(($(now_ms) - leaked))
elif grep -q 'Invalid argument' /tmp/said; then
	# This scan reports none of the blocks: it takes their first checksums.
	echo scan >$k || exit 1
	echo "waiting until it is 5 s old"
	while [ $(($(now_ms) - leaked)) -lt 5100 ]; do
		sleep 0.1
	done
	t0=$(now_ms)
	echo scan >$k || exit 1
	took=$(($(now_ms) - t0))
else
	cat /tmp/said >&2
	exit 1
fi
cat $k >/tmp/report
echo
cat /tmp/report
echo
leaks=$(grep -c '^unreferenced object' /tmp/report)
objects=$(stat_of objects)
bytes=$(stat_of scan_bytes)
ms=$(stat_of scan_ms)
if [ -z "$objects" ]; then
	# Stock has no statistics, but its slab cache has the number of objects.
	objects=$(awk '$1 == "kmemleak_object" { print $2 }' /proc/slabinfo 2>/dev/null)
fi
printf 'objects tracked: %s, bytes scanned: %s, time: %s ms, leaks: %s\n' \
	"${objects:-unknown}" "${bytes:-unknown}" "${ms:-$took}" "$leaks"

judged >/tmp/judged
all=$(grep -c '^leaked' /tmp/judged)
found=$(grep -c '^leaked reported' /tmp/judged)
[ "$all" -gt 0 ] || { echo "error: the sample module has logged no leak" >&2; exit 1; }
echo "found $found of the $all leaks that the sample module planted"
wrong=()
[ "$found" = "$all" ] || wrong+=("found $found of $all planted leaks; hidden: $(calls 'leaked hidden')")
! grep -q '^kept reported' /tmp/judged ||
	wrong+=("reported, though the sample module refers to it: $(calls 'kept reported')")
if [ "$stock" = 1 ]; then
	[ ${#wrong[@]} = 0 ] || printf 'stock: %s\n' "${wrong[@]}"
	exit 0
fi
[ ${#wrong[@]} != 0 ] || exit 0
printf 'error: %s\n' "${wrong[@]}" >&2
# Blocks to which only untracked memory refers are listed here. For the others, show the
# number of references that kmemleak has counted.
cat "${k}_pages" 2>/dev/null
awk '$1 == "leaked" && $2 == "hidden"' /tmp/judged >/tmp/hidden
judged_at()
{
	planted | awk -v call="$1" '$1 == "leaked" && index($0, call) { print $2 }'
}
while read -r _ _ call; do
	for at in $(judged_at "$call"); do
		echo "dump=0x$at" >$k
	done
done </tmp/hidden
dmesg | grep 'kmemleak:.*\(Object\|count\|flags\)' | tail -n 30
exit 1
