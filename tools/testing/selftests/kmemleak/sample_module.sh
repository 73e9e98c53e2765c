#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The first thing anybody tries: load samples/kmemleak's module, scan, read the
# report. Its list elements leak when it is unloaded, not before.
DIR=$(dirname "$0")
# shellcheck source=kmemleak_lib.sh
. "$DIR/kmemleak_lib.sh"

MODULE=kmemleak-test

need_enabled
need_module
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

# How many entries of such sizes were read.
leaks_of_size() {
	grep -Ec "^unreferenced object.*\(size ($1)\):" "$tmp"
}

# The same, of the module only: where one scan decides, something that another
# task has in its hands may be listed for a moment. The module's frames have names
# as long as it is loaded.
module_leaks() {
	awk -v size="[(]size ($1)[)]:" '
		/^unreferenced/ { hit = $0 ~ size; entry = "" }
		{ entry = entry "  # " $0 "\n" }
		hit && /\[kmemleak_test\]/ { n++; hit = 0; printf "%s", entry >"/dev/stderr" }
		END { print n + 0 }' "$tmp"
}

# Which of its functions have frames is the compiler's choice.
vmalloc_leaks() {
	grep -Ec '^    (__)?vmalloc_(node_)?(range_)?noprof\+0x' "$tmp"
}

percpu_leaks() {
	grep -Ec '^unreferenced object \(percpu\) 0x[0-9a-f]+ \(size 64\):' "$tmp"
}

# The slab allocator may keep a pointer to the latest objects of a size for some
# time: give it others to keep.
scan_and_read() {
	for size in 32 64 96 192 512 1024; do
		churn "$size"
	done
	for _ in 1 2 3; do
		command_ok scan
	done
	cat "$KMEMLEAK" >"$tmp"
}

# What is there may take more than one try to be seen, for the same reason.
# shellcheck disable=SC2317 # called by check
found_in_time() {
	for _ in 1 2 3 4 5; do
		[ "$(leaks_of_size "$1")" -eq 0 ] || return 0
		scan_and_read
	done
	[ "$(leaks_of_size "$1")" -gt 0 ]
}

check "the module loads" modprobe "$MODULE"
sleep "$AGE"
scan_and_read
check "kmalloc leaks are found" test "$(leaks_of_size '32|1024|2048')" -gt 0
vmalloc_seen=$(vmalloc_leaks)
percpu_seen=$(percpu_leaks)
check "frames name the module" grep -q '\[kmemleak_test\]' "$tmp"
check "what its list holds is no leak" test "$(module_leaks '416|512')" -eq 0
# Without SMP the compiler sees that nobody reads those pointers, and drops them.
if uname -v | grep -q SMP; then
	check "what its per-CPU pointers hold is no leak" \
		test "$(module_leaks '129|192')" -eq 0
else
	skip "what its per-CPU pointers hold is no leak" "no SMP, no pointers"
fi

command_ok clear
check "the module unloads" rmmod "$MODULE"
scan_and_read
check "its list elements have become leaks" found_in_time '416|512'
if uname -v | grep -q SMP; then
	check "and so have its per-CPU pointers' objects" \
		found_in_time '129|192'
else
	skip "and so have its per-CPU pointers' objects" "no SMP, no pointers"
fi
command_ok clear
check "clear leaves nothing" empty "$KMEMLEAK"

# A block is referenced by the free range before it, which ends where the block
# begins; and there is one wherever a task's stack was before. And where per-CPU
# pointers count from zero (6.12 on x86-64), some number is one to the block. What
# leaks next is elsewhere.
for _ in 1 2 3 4 5 6; do
	[ "$vmalloc_seen" -eq 0 ] || [ "$percpu_seen" -eq 0 ] || break
	modprobe "$MODULE"
	sleep "$AGE"
	scan_and_read
	vmalloc_seen=$((vmalloc_seen + $(vmalloc_leaks)))
	percpu_seen=$((percpu_seen + $(percpu_leaks)))
	rmmod "$MODULE"
	command_ok clear
done
check "vmalloc leaks are found" test "$vmalloc_seen" -gt 0
check "the per-CPU leak is found" test "$percpu_seen" -gt 0

finish
