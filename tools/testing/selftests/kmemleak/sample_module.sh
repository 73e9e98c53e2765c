#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A first try of kmemleak: load the module of samples/kmemleak, scan, and read the report.
# Its list elements leak when it is unloaded, not before.
DIR=$(dirname "$0")
# shellcheck source=kmemleak_lib.sh
. "$DIR/kmemleak_lib.sh"

MODULE=kmemleak-test

need_enabled
need_sample "$MODULE"
start

tmp=$(mktemp)
saved=$(cat "$KMEMLEAK_PARAMS/min_unref_scans")
# shellcheck disable=SC2317 # called by the trap
cleanup() {
	rmmod "$MODULE" 2>/dev/null
	command_ok stack=on
	command_ok scan
	command_ok scan
	command_ok clear
	echo "$saved" >"$KMEMLEAK_PARAMS/min_unref_scans"
	rm -f "$tmp"
}
trap cleanup EXIT

rmmod "$MODULE" 2>/dev/null
command_ok scan=off
command_ok stack=off
echo 1 >"$KMEMLEAK_PARAMS/min_unref_scans"
command_ok scan
command_ok scan
command_ok clear

# The number of entries of such sizes in the report.
leaks_of_size() {
	grep -Ec "^unreferenced object.*\(size ($1)\):" "$tmp"
}

# The same, of the module only: after a single scan, an object that another task is moving
# may be listed. Frames of the module have names while it is loaded.
module_leaks() {
	awk -v size="[(]size ($1)[)]:" '
		/^unreferenced/ { hit = $0 ~ size; entry = "" }
		{ entry = entry "  # " $0 "\n" }
		hit && /\[kmemleak_test\]/ { n++; hit = 0; printf "%s", entry >"/dev/stderr" }
		END { print n + 0 }' "$tmp"
}

# kind_leaks vmalloc|kmalloc: entries with a frame of vmalloc(), or the others of the sizes
# that are leaked at once. It depends on the compiler which functions of the module have
# frames.
kind_leaks() {
	awk -v kind="$1" '
		function judge() {
			if (entry)
				n += kind == "vmalloc" ? vmalloc : sized && !vmalloc
		}
		/^unreferenced/ {
			judge()
			entry = 1
			vmalloc = 0
			sized = /[(]size (32|1024|2048|4096)[)]:/
		}
		/^    (__)?vmalloc_(node_)?(range_)?noprof[+]0x/ { vmalloc = 1 }
		END { judge(); print n + 0 }' "$tmp"
}

percpu_leaks() {
	grep -Ec '^unreferenced object \(percpu\) 0x[0-9a-f]+ \(size 64\):' "$tmp"
}

# The first scan takes checksums.
scan_and_read() {
	command_ok scan
	command_ok scan
	cat "$KMEMLEAK" >"$tmp"
}

# Leaks in kmemleak_pages, by size: only an untracked page refers to them.
# shellcheck disable=SC2317 # called by all
in_pages() {
	grep -Ec "^0x[0-9a-f]+ size ($1) pfn .* comm \"modprobe\"" "$KMEMLEAK"_pages 2>/dev/null
}

# all <planted> <found> <sizes>. Leaks in kmemleak_pages count as found. There may be a
# stale reference to one leak: in one of 14 boots of UML 6.12, 1 of 8 blocks was in
# kmemleak_pages and 1 of 10 on the list was not found; in 5 boots of 7.3 none was missed.
# Without the patches of this project, allocators keep pointers to allocated blocks, which
# may hide some more.
# shellcheck disable=SC2317 # called by check
all() {
	[ "$2" -eq "$1" ] && return
	echo "# $2 of $1 are reported, $(in_pages "$3") in pages:"
	sed 's/^/#   /' "$KMEMLEAK"_pages 2>/dev/null
	! is_ours || [ $(($2 + $(in_pages "$3") + 1)) -ge "$1" ]
}

check "the module loads" modprobe "$MODULE"
sleep "$AGE"
scan_and_read
check "kmalloc leaks are found" all 8 "$(kind_leaks kmalloc)" '32|1024|2048|4096'
# User Mode Linux has modules in the range of vmalloc(). Addresses of their sections, in
# files, and saved stack traces refer to later blocks at the same addresses.
if [ -d /sys/module/kmemleak_selftest ] && grep -q 'User Mode Linux' /proc/cpuinfo; then
	skip "vmalloc leaks are found" "another module has been loaded before"
else
	check "vmalloc leaks are found" all 5 "$(kind_leaks vmalloc)" 4096
fi
percpu_seen=$(percpu_leaks)
check "frames name the module" grep -q '\[kmemleak_test\]' "$tmp"
check "objects on its list are not reported" test "$(module_leaks '416|512')" -eq 0
# Without SMP the compiler drops those pointers, since nothing reads them.
if uname -v | grep -q SMP; then
	check "objects of its per-CPU pointers are not reported" \
		test "$(module_leaks '129|192')" -eq 0
else
	skip "objects of its per-CPU pointers are not reported" "no SMP, no pointers"
fi

command_ok clear
check "the module unloads" rmmod "$MODULE"
scan_and_read
check "its list elements have become leaks" all 10 "$(leaks_of_size '416|512')" '416|512'
if uname -v | grep -q SMP; then
	check "objects of its per-CPU pointers have become leaks" \
		all "$(find /sys/devices/system/cpu -maxdepth 1 -name 'cpu[0-9]*' | wc -l)" "$(leaks_of_size '129|192')" '129|192'
else
	skip "objects of its per-CPU pointers have become leaks" "no SMP, no pointers"
fi
command_ok clear
check "clear leaves nothing" empty "$KMEMLEAK"

# A per-CPU pointer may equal another address, or a small number where per-CPU pointers
# begin at zero (6.12 on x86-64). The next leaks have other addresses.
for _ in 1 2 3; do
	[ "$percpu_seen" -eq 0 ] || break
	modprobe "$MODULE"
	sleep "$AGE"
	scan_and_read
	percpu_seen=$(percpu_leaks)
	rmmod "$MODULE"
	command_ok clear
done
check "the per-CPU leak is found" test "$percpu_seen" -gt 0

finish
