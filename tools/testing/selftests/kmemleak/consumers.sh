#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kmemleak as others drive it: the sequences of commands that test suites use,
# and the expressions they apply to what they read. With and without leaks; with
# one CPU that scans, and with all. syzkaller and wireguard use C: see their tests.
DIR=$(dirname "$0")
# shellcheck source=kmemleak_lib.sh
. "$DIR/kmemleak_lib.sh"

need_enabled
need_module
start

tmp=$(mktemp)
workers=$(sed -n 's/^workers_wanted //p' "$KMEMLEAK_STATS" 2>/dev/null)
# shellcheck disable=SC2317 # called by the trap
cleanup() {
	kst reset
	command_ok stack=on
	command_ok clear
	[ -z "$workers" ] || command_ok "parallel=$workers"
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

# settle <first slot>...: leaks that a stale word has hidden from the consumer's
# scan would be the next one's surprise. What was reported and cleared is grey for
# good, and stays; the others are freed.
nr_asked=0
settle() {
	local first slot
	for first in "$@"; do
		for ((slot = first; slot < first + 6; slot++)); do
			kst "addr $slot"
			nr_asked=$((nr_asked + 1))
			echo "consumers.sh: question $nr_asked" >/dev/kmsg
			command_ok "dump=0x$(kst_address)"
			dmesg | sed "1,/consumers.sh: question $nr_asked\$/d" |
				grep -q 'min_count = 0' || kst "free $slot"
		done
	done
}

# What moves from one place to another while a scan looks may be reported, by
# stock as well: once in 400 scans, stock, or in 500, beside two CPUs that only
# start processes. The next scan takes it back, but not a leak. In $tmp. On UML only:
# there the stacks of interrupts are no roots, elsewhere none was seen. And once in
# this script's dozen of scans: that it happens twice is one in thousands.
pardons=0
! grep -q 'User Mode Linux' /proc/cpuinfo || pardons=1
unless_false() {
	[ -s "$tmp" ] || return 0
	[ $pardons -gt 0 ] || return 0
	pardons=$((pardons - 1))
	sed 's/^/# once: /' "$tmp"
	kst drain
	command_ok scan
	cat "$KMEMLEAK" >"$tmp"
}

# netdev's runner: a scan, its five seconds, a scan, the report, which it
# searches for crashes and for frames to know them by.
nipa() {
	echo scan >"$KMEMLEAK" && sleep 5 && echo scan >"$KMEMLEAK" && cat "$KMEMLEAK" >"$tmp"
}

netdev() {
	# in use, and of age by the second scan: what "nothing" is said of
	plant 30
	in_use=$address
	for ((slot = 0; slot < 6; slot++)); do
		kst "hold $((30 + slot)) $((10 + slot))"
	done
	kst drain
	nipa
	unless_false
	check "$mode netdev: nothing to show" empty "$tmp"
	# Its tests take longer than this, so what they leak is of age in time.
	plant 1
	sleep 0.2
	nipa
	check "$mode netdev: the leak is shown" grep -q 'unreferenced object 0x' "$tmp"
	check "$mode netdev: frames are recognised" \
		grep -Eq '.*(  |0:|>\] )([a-z0-9_]+)\+0x[0-9a-f]+/0x[0-9a-f]+.*' "$tmp"
	check "$mode netdev: frames are to the point" test "$(planted "$tmp")" -gt 0
	check "$mode netdev: what is in use is not" not grep -q "0x0*$in_use " "$tmp"
	command_ok clear
	for ((slot = 0; slot < 6; slot++)); do
		kst "drop $((10 + slot))"
		kst "free $((30 + slot))"
	done
	settle 1
}

# blktests: only where the kernel says it is on; xfstests: whether it may be
# written to. Then, after each test: scan, show, scan, show, clear; a single byte
# that was read fails the test.

# kernel_option <name>: is it set, by the configuration that can be read? Where none
# can, KMEMLEAK_DEFAULT says how kmemleak was built; see boot_param.sh.
# shellcheck disable=SC2317 # called by blktests_wants_it
kernel_option() {
	local config
	for config in /proc/config.gz "/boot/config-$(uname -r)"; do
		[ ! -e "$config" ] || {
			zgrep -q "^CONFIG_$1=[ym]" "$config"
			return
		}
	done
	case $1 in
	DEBUG_KMEMLEAK) return 0 ;;
	*_DEFAULT_OFF) [ "${KMEMLEAK_DEFAULT:-on}" = off ] ;;
	esac
}

# It looks for the text, wherever that is: "kmemleak=on,parallel" has it.
# shellcheck disable=SC2317 # called by check
in_cmdline() {
	grep --quiet kmemleak=on /proc/cmdline
}

# shellcheck disable=SC2317 # called by check
blktests_wants_it() {
	kernel_option DEBUG_KMEMLEAK && [ -e "$KMEMLEAK" ] && [ -r "$KMEMLEAK" ] || return 1
	! kernel_option DEBUG_KMEMLEAK_DEFAULT_OFF || in_cmdline
}

# shellcheck disable=SC2317 # called by check
xfstests_probe() {
	(echo "scan=off" >"$KMEMLEAK") 2>/dev/null
}

# after_each_test leaks|no: are there to be some?
after_each_test() {
	: >"$tmp"
	kst drain
	echo "scan" >"$KMEMLEAK"
	cat "$KMEMLEAK" >>"$tmp"
	echo "scan" >"$KMEMLEAK"
	cat "$KMEMLEAK" >>"$tmp"
	[ "$1" = leaks ] || unless_false
	echo "clear" >"$KMEMLEAK"
}

fstests() {
	check "$mode $1: it is found to be on" "$2"
	after_each_test no
	check "$mode $1: nothing to read when nothing leaks" empty "$tmp"
	plant 10
	plant 20
	kst "hold 20 0"
	sleep "$AGE"
	after_each_test leaks
	check "$mode $1: leaks are read" test "$(planted "$tmp")" -gt 5
	check "$mode $1: what is in use is not" not grep -q "0x0*$address " "$tmp"
	check "$mode $1: clear leaves nothing" empty "$KMEMLEAK"
	kst "drop 0"
	settle 10 20
	after_each_test no
	check "$mode $1: the next test is not blamed" empty "$tmp"
	check "$mode $1: nor the one behind it" empty "$KMEMLEAK"
}

consumers() {
	mode=$1
	command_ok scan
	command_ok scan
	command_ok clear
	netdev
	fstests blktests blktests_wants_it
	fstests xfstests xfstests_probe
}

command_ok scan=off
if is_ours; then
	command_ok parallel=off
	consumers serial
	command_ok parallel=on
	consumers parallel
else
	consumers serial
	skip "all consumers, parallel" "this kmemleak scans with one CPU"
fi

# blktests, on a kernel that has kmemleak off by default: what switches it on here
# must be what it looks for.
case $(tr ' ' '\n' </proc/cmdline | grep '^kmemleak=') in
*=on | *=on,*) check "blktests: kmemleak=on is in the command line" in_cmdline ;;
esac

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
