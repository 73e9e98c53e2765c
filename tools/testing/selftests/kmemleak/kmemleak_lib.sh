# SPDX-License-Identifier: GPL-2.0
#
# What the kmemleak test scripts share: KTAP output, the file, the module.
# shellcheck shell=bash disable=SC2034

KMEMLEAK=/sys/kernel/debug/kmemleak
KMEMLEAK_STATS=/sys/kernel/debug/kmemleak_stats
KMEMLEAK_PARAMS=/sys/module/kmemleak/parameters
KST=/sys/kernel/debug/kmemleak_selftest/cmd
# seconds after which an object may be reported, and then some
AGE=6

KTAP_NR=0
KTAP_FAILED=0

# result <status> <name>: one test, passed when the status is 0
result() {
	KTAP_NR=$((KTAP_NR + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $KTAP_NR $2"
	else
		echo "not ok $KTAP_NR $2"
		KTAP_FAILED=$((KTAP_FAILED + 1))
	fi
}

skip() {
	KTAP_NR=$((KTAP_NR + 1))
	echo "ok $KTAP_NR $1 # SKIP $2"
}

# check <name> <command>...: one test, the command's status
check() {
	check_name=$1
	shift
	if "$@"; then
		result 0 "$check_name"
	else
		result 1 "$check_name"
	fi
}

not() {
	! "$@"
}

# empty <file>: not a byte can be read from it; what can is shown
empty() {
	[ -r "$1" ] && ! sed 's/^/# /' "$1" | grep .
}

start() {
	echo "TAP version 13"
}

finish() {
	echo "1..$KTAP_NR"
	[ "$KTAP_FAILED" -eq 0 ] || exit 1
	exit 0
}

skip_all() {
	echo "TAP version 13"
	echo "1..0 # SKIP $1"
	exit 4
}

# missing <what>: nothing can be tested without. With KMEMLEAK_REQUIRED=1, as in a
# guest made for these tests, that is a failure: or a kmemleak that has switched
# itself off would pass all that is left.
missing() {
	[ "${KMEMLEAK_REQUIRED:-0}" = 1 ] || skip_all "$1"
	start
	result 1 "$1"
	finish
}

need_file() {
	[ "$(id -u)" -eq 0 ] || missing "needs root"
	[ -e "$KMEMLEAK" ] || mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
	[ -e "$KMEMLEAK" ] || missing "no $KMEMLEAK"
}

need_enabled() {
	need_file
	command_ok scan || missing "kmemleak is disabled"
}

# the module of samples/kmemleak, by name
need_sample() {
	modinfo "$1" >/dev/null 2>&1 ||
		missing "no $1, needs CONFIG_SAMPLE_KMEMLEAK=m"
}

need_module() {
	[ -d /sys/module/kmemleak_selftest ] ||
		insmod "$(dirname "$0")/test_modules/kmemleak_selftest.ko" 2>/dev/null ||
		modprobe -q kmemleak_selftest ||
		missing "no kmemleak_selftest module"
	kst reset
}

# As a user's shell does it: with a newline, and no word about a failure.
command_ok() {
	(echo "$1" >"$KMEMLEAK") 2>/dev/null
}

# The message that goes with a command's failure, in C's words.
command_error() {
	(LC_ALL=C; echo "$1" >"$KMEMLEAK") 2>&1
}

kst() {
	echo "$1" >"$KST"
}

# The address of the object that the last command made.
kst_address() {
	sed 's/.* 0x0*//' "$KST"
}

# Allocate and free many objects of a size on every CPU.
churn() {
	for cpu in /sys/devices/system/cpu/cpu[0-9]*; do
		taskset -c "${cpu##*cpu}" sh -c "echo churn $1 1024 >$KST" 2>/dev/null ||
			kst "churn $1 1024"
	done
}

# The kmemleak of these tests, and not the one it replaces.
is_ours() {
	[ -e "$KMEMLEAK_STATS" ]
}
