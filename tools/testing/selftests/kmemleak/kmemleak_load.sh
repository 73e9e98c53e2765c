# SPDX-License-Identifier: GPL-2.0
#
# Scans and allocations during an action of a test on the machine, and the verdict after
# it: live objects are never reported, leaks are, and all scan commands have succeeded.
# Sourced after kmemleak_lib.sh.
# shellcheck shell=bash

LOAD_LIVE=2000
# of each thread
LOAD_LEAKS=8

# stat_of <name>: a value of kmemleak_stats; 0 if there is none
stat_of() {
	local value
	value=$(awk -v name="$1" '$1 == name { print $2 }' /sys/kernel/debug/kmemleak_stats 2>/dev/null)
	echo "${value:-0}"
}

cpus_online() {
	getconf _NPROCESSORS_ONLN 2>/dev/null || grep -c '^processor' /proc/cpuinfo
}

# Reports of live objects. Not those of modprobe: the sample module leaks uninitialised
# memory of kmalloc(), in which there may be the tag of a live object.
load_alive() {
	awk '/^unreferenced/ { entry = ""; other = 0 }
		{ entry = entry $0 "\n" }
		/^  comm "modprobe"/ { other = 1 }
		/KSTLIVE!/ && !other { printf "%s", entry }' "$KMEMLEAK" >>"$LOAD_TMP/alive"
}

# Scan without a pause, and check that no live object is in the report. Scans may fail with
# EAGAIN only while the machine goes to sleep.
load_scanner() {
	while [ ! -e "$LOAD_TMP/stop" ]; do
		if ! error=$(command_error scan); then
			case $error in
			*"Resource temporarily unavailable"*) sleep 0.01; continue ;;
			esac
			echo "a scan was refused: $error" >>"$LOAD_TMP/errors"
			break
		fi
		echo >>"$LOAD_TMP/scans"
		load_alive
	done
}

# load_start: threads on all CPUs allocate, free and leak; all CPUs scan
load_start() {
	LOAD_THREADS=$(cpus_online)
	[ "$LOAD_THREADS" -le 8 ] || LOAD_THREADS=8
	LOAD_TMP=$(mktemp -d)
	: >"$LOAD_TMP/scans"
	: >"$LOAD_TMP/alive"
	: >"$LOAD_TMP/errors"
	command_ok scan=off
	command_ok stack=off
	! is_ours || command_ok parallel=on
	command_ok scan
	command_ok clear
	kst "stress $LOAD_THREADS $LOAD_LIVE $LOAD_LEAKS"
	load_scanner &
	LOAD_PID=$!
}

load_scans() {
	wc -l <"$LOAD_TMP/scans"
}

# Wait until a number of scans have ended since the call, for two minutes at most. The
# action of the test was during one of them.
load_await_scans() {
	local until=$(($(load_scans) + $1)) end=$((SECONDS + 120))
	while [ "$(load_scans)" -lt "$until" ]; do
		if [ "$SECONDS" -gt "$end" ] || ! kill -0 "$LOAD_PID" 2>/dev/null; then
			return 1
		fi
		sleep 0.1
	done
}

load_found() {
	grep -c 'KSTLEAK!' "$KMEMLEAK"
}

# load_stop: four results
load_stop() {
	local leaks found

	check "scans continue afterwards" load_await_scans 1
	: >"$LOAD_TMP/stop"
	wait "$LOAD_PID"
	kst unstress
	kst leaks
	leaks=$(grep -c '^0x' "$KST")
	echo "# $(load_scans) scans, $leaks leaks"
	check "no scan was refused" empty "$LOAD_TMP/errors"

	# the last leaks may be newer than the scans so far
	command_ok scan
	sleep "$AGE"
	command_ok scan
	found=$(load_found)
	load_alive
	check "no live object was reported" empty "$LOAD_TMP/alive"
	echo "# $found of $leaks leaks found"
	# there may be a stale reference to one: see stress_test.c
	check "leaks were reported" test "$leaks" -gt 0 -a "$found" -ge $((leaks - 1))
}

# for a trap
load_cleanup() {
	if [ -n "${LOAD_TMP:-}" ]; then
		: >"$LOAD_TMP/stop"
		wait
		rm -rf "$LOAD_TMP"
	fi
	kst reset
	command_ok stack=on
	command_ok scan
	command_ok clear
}
