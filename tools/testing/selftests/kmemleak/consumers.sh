#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kmemleak as other test suites use it: their sequences of commands, and the expressions
# that they apply to reports. With and without leaks; with scans by one CPU, and by all.
# syzkaller and wireguard use C: see their tests.
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

# Each consumer has leaks of its own.
plant() {
	kst "burst page $1 6 64"
	kst "addr $1"
	address=$(kst_address)
}

planted() {
	grep -c '^    kst_plant_page[+.]' "$1"
}

# The runner of netdev: a scan, five seconds, a scan, and the report, in which it searches
# for crashes, and for frames to identify them.
nipa() {
	echo scan >"$KMEMLEAK" && sleep 5 && echo scan >"$KMEMLEAK" && cat "$KMEMLEAK" >"$tmp"
}

netdev() {
	# in use, and old enough at the second scan: must not be reported
	plant 30
	in_use=$address
	for ((slot = 0; slot < 6; slot++)); do
		kst "hold $((30 + slot)) $((10 + slot))"
	done
	kst drain
	nipa
	check "$mode netdev: nothing to show" empty "$tmp"
	# Its tests take longer than this, so their leaks are old enough.
	plant 1
	sleep 0.2
	nipa
	check "$mode netdev: the leak is shown" grep -q 'unreferenced object 0x' "$tmp"
	check "$mode netdev: frames are recognised" \
		grep -Eq '.*(  |0:|>\] )([a-z0-9_]+)\+0x[0-9a-f]+/0x[0-9a-f]+.*' "$tmp"
	check "$mode netdev: each leak has the frame of its test" test "$(planted "$tmp")" -eq 6
	check "$mode netdev: a block in use is not" not grep -q "0x0*$in_use " "$tmp"
	command_ok clear
	for ((slot = 0; slot < 6; slot++)); do
		kst "drop $((10 + slot))"
		kst "free $((30 + slot))"
	done
}

# blktests: only if the kernel reports that kmemleak is on; xfstests: if the file can be
# written. Then, after each test: scan, show, scan, show, clear; the test fails if a byte
# was read.

# kernel_option <name>: is it set in the kernel's configuration? If that cannot be read,
# KMEMLEAK_DEFAULT is the setting of kmemleak: see boot_param.sh.
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

# It searches for the text at any place: "kmemleak=on,parallel" has it.
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

after_each_test() {
	: >"$tmp"
	kst drain
	echo "scan" >"$KMEMLEAK"
	cat "$KMEMLEAK" >>"$tmp"
	echo "scan" >"$KMEMLEAK"
	cat "$KMEMLEAK" >>"$tmp"
	echo "clear" >"$KMEMLEAK"
}

fstests() {
	check "$mode $1: kmemleak is found to be on" "$2"
	after_each_test
	check "$mode $1: nothing to read without leaks" empty "$tmp"
	plant 10
	plant 20
	kst "hold 20 0"
	sleep "$AGE"
	after_each_test
	# by the second scan: the first one takes their checksums
	check "$mode $1: leaks are read" test "$(planted "$tmp")" -eq 11
	check "$mode $1: a block in use is not" not grep -q "0x0*$address " "$tmp"
	check "$mode $1: clear leaves nothing" empty "$KMEMLEAK"
	kst "drop 0"
	kst "free 20"
	after_each_test
	check "$mode $1: the next test is not blamed" empty "$tmp"
	check "$mode $1: nor is the test after it" empty "$KMEMLEAK"
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

# blktests, on a kernel with kmemleak off by default: the words that enable it must be the
# words that blktests looks for.
case $(tr ' ' '\n' </proc/cmdline | grep '^kmemleak=') in
*=on | *=on,*) check "blktests: kmemleak=on is in the command line" in_cmdline ;;
esac

# mptcp: is kmemleak in use?
check "mptcp: kmemleak_init is a symbol" grep -q ' kmemleak_init$' /proc/kallsyms

# Writes and reads by the shell.
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
