#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kmemleak as others drive it: the sequences of commands that test suites and
# fuzzers use, and the expressions they apply to what they read.
DIR=$(dirname "$0")
# shellcheck source=kmemleak_lib.sh
. "$DIR/kmemleak_lib.sh"

need_enabled
need_module
start

tmp=$(mktemp)
# shellcheck disable=SC2317 # called by the trap
cleanup() {
	kst reset
	command_ok stack=on
	command_ok clear
	rm -f "$tmp"
}
trap cleanup EXIT

# Each consumer gets leaks of its own, a few: one may escape for a scan, and
# stale words on stacks would let more escape.
plant() {
	kst "burst page $1 6 64"
	kst "addr $1"
	address=$(kst_address)
}

planted() {
	grep -c '^    kst_plant_page[+.]' "$1"
}

command_ok scan=off
command_ok stack=off
command_ok scan
command_ok scan
command_ok clear

# netdev CI: scan, wait, scan, show; a clean machine shows nothing
nipa() {
	echo scan >"$KMEMLEAK"
	sleep "${1:-5}"
	echo scan >"$KMEMLEAK" && cat "$KMEMLEAK" >"$tmp"
}
nipa 1
check "netdev: nothing to show" not grep -q . "$tmp"
plant 1
# its own wait is all the time the leak gets
nipa 5.2
check "netdev: the leak is shown" grep -q 'unreferenced object 0x' "$tmp"
check "netdev: frames are recognised" \
	grep -Eq '.*(  |0:|>\] )([a-z0-9_]+)\+0x[0-9a-f]+/0x[0-9a-f]+.*' "$tmp"
check "netdev: frames are to the point" test "$(planted "$tmp")" -gt 0
# what a stale pointer hid from that scan is no surprise to the next consumer
for _ in 1 2 3; do
	command_ok scan
	command_ok clear
done

# blktests, xfstests: probe by scan=off, then twice scan and cat, then clear;
# anything at all that was read is a failure
# shellcheck disable=SC2317 # called by check
probe() {
	(echo "scan=off" >"$KMEMLEAK") 2>/dev/null
}
fstests() {
	: >"$tmp"
	echo "scan" >"$KMEMLEAK"
	cat "$KMEMLEAK" >>"$tmp"
	echo "scan" >"$KMEMLEAK"
	cat "$KMEMLEAK" >>"$tmp"
	echo "clear" >"$KMEMLEAK"
}
check "fstests: the probe finds it enabled" probe
fstests
check "fstests: nothing to read when nothing leaks" not test -s "$tmp"
plant 10
plant 20
kst "hold 20 0"
sleep "$AGE"
fstests
check "fstests: leaks are read" test "$(planted "$tmp")" -gt 5
check "fstests: what is in use is not" not grep -q "0x0*$address " "$tmp"
check "fstests: clear leaves nothing" not grep -q . "$KMEMLEAK"
# what has escaped so far has not been cleared
for _ in 1 2 3 4 5; do
	command_ok scan
	command_ok clear
done
fstests
check "fstests: the next test is not blamed" not test -s "$tmp"

# mptcp: is it worth a look at all?
check "mptcp: kmemleak_init is a symbol" grep -q ' kmemleak_init$' /proc/kallsyms

# The shell's own ways to write and read.
check "echo -n" sh -c "printf scan >$KMEMLEAK"
check "append" sh -c "echo scan >>$KMEMLEAK"
check "cat into it" sh -c "echo clear | cat >$KMEMLEAK"
check "tee into it" sh -c "echo clear | tee $KMEMLEAK >/dev/null"
check "dd one byte at a time" \
	sh -c "dd if=$KMEMLEAK bs=1 count=1 of=/dev/null 2>/dev/null"
check "wc" test "$(wc -c <"$KMEMLEAK")" -eq 0
check "unknown commands fail" not command_ok nonsense
check "with EINVAL" sh -c "echo '$(command_error nonsense)' | grep -q 'nvalid argument'"

finish
