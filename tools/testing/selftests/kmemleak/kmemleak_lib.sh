# SPDX-License-Identifier: GPL-2.0
#
# Functions of the kmemleak test scripts: KTAP output, the kmemleak file, the module.
# shellcheck shell=bash disable=SC2034

KMEMLEAK=/sys/kernel/debug/kmemleak
KMEMLEAK_STATS=/sys/kernel/debug/kmemleak_stats
KMEMLEAK_PARAMS=/sys/module/kmemleak/parameters
KST=/sys/kernel/debug/kmemleak_selftest/cmd
# seconds after which an object is surely old enough to be reported
AGE=6

KTAP_NR=0
KTAP_FAILED=0

# result <status> <name>: one test, which has passed if the status is 0
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

# empty <file>: is it empty? Prints its content
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

# missing <what>: skip all tests, which need it. With KMEMLEAK_REQUIRED=1, as in a guest
# for these tests, it is a failure: otherwise a kmemleak that has disabled itself would
# pass all other tests.
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

# the name of the module of samples/kmemleak
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

# Write a command like a shell: with a newline. Prints no error.
command_ok() {
	(echo "$1" >"$KMEMLEAK") 2>/dev/null
}

# The error message of a command that fails, in the C locale.
command_error() {
	(LC_ALL=C; echo "$1" >"$KMEMLEAK") 2>&1
}

kst() {
	echo "$1" >"$KST"
}

# The address of the object that the last command has made.
kst_address() {
	sed 's/.* 0x0*//' "$KST"
}

# Allocate and free many objects of a size on each CPU.
churn() {
	for cpu in /sys/devices/system/cpu/cpu[0-9]*; do
		taskset -c "${cpu##*cpu}" sh -c "echo churn $1 1024 >$KST" 2>/dev/null ||
			kst "churn $1 1024"
	done
}

# Is it our kmemleak, and not stock?
is_ours() {
	[ -e "$KMEMLEAK_STATS" ]
}
