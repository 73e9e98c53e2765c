#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2317 # functions are called by name
#
# The machine goes to sleep while all CPUs scan and allocate: first to each level of the
# tests of CONFIG_PM_DEBUG, and then completely. It must sleep, wake up, and continue to
# scan. A machine without a source of wake-ups would not wake, so it only sleeps with one
# of these settings:
#
# KMEMLEAK_ALARM="freeze mem": the alarm of the clock wakes the machine from these states
# of /sys/power/state (suspend to idle, to RAM).
# KMEMLEAK_KEYS=1: keys are pressed at the serial console again and again, which ends
# suspend to idle.
DIR=$(dirname "$0")
# shellcheck source=kmemleak_lib.sh
. "$DIR/kmemleak_lib.sh"
# shellcheck source=kmemleak_load.sh
. "$DIR/kmemleak_load.sh"

need_enabled
need_module
grep -qw freeze /sys/power/state 2>/dev/null ||
	skip_all "this machine cannot suspend to idle, needs CONFIG_SUSPEND"
start

cleanup() {
	[ ! -e /sys/power/pm_test ] || echo none >/sys/power/pm_test
	load_cleanup
}
trap cleanup EXIT

# sleep_once [state]: has slept without an error, and the kernel has counted it
sleep_once() {
	local before
	before=$(cat /sys/power/suspend_stats/success)
	echo "${1:-freeze}" >/sys/power/state || return 1
	[ "$(cat /sys/power/suspend_stats/success)" -gt "$before" ] || return 1
	load_await_scans 2
}

load_start
if [ -e /sys/power/pm_test ]; then
	# seconds; the default is five
	echo 1 >/sys/module/suspend/parameters/pm_test_delay
	for level in freezer devices platform; do
		if echo $level 2>/dev/null >/sys/power/pm_test; then
			check "sleep as far as $level" sleep_once
		else
			skip "sleep as far as $level" "not offered"
		fi
	done
	echo none >/sys/power/pm_test
else
	skip "rehearsals" "no /sys/power/pm_test, needs CONFIG_PM_DEBUG"
fi

alarm=$(find /sys/class/rtc/*/ -maxdepth 1 -name wakealarm 2>/dev/null | head -n 1)
with_alarm() {
	echo 0 >"$alarm"
	echo +4 >"$alarm" || return 1
	sleep_once "$1"
}
if [ -z "${KMEMLEAK_ALARM:-}" ]; then
	[ -n "${KMEMLEAK_KEYS:-}" ] ||
		skip "sleep in earnest" "no KMEMLEAK_ALARM, no KMEMLEAK_KEYS: nothing that is known to wake this machine"
elif [ -n "$alarm" ] && [ "$(cat "$(dirname "$alarm")/device/power/wakeup" 2>/dev/null)" = enabled ]; then
	for state in $KMEMLEAK_ALARM; do
		check "sleep ($state), woken by the clock" with_alarm "$state"
		check "and again" with_alarm "$state"
	done
else
	skip "sleep in earnest" "no clock that could wake this machine"
fi

# The last console has the keyboard.
tty=$(awk '{ print $NF }' /sys/class/tty/console/active)
wakeup=/sys/class/tty/$tty/power/wakeup
key_wakes() {
	echo enabled >"$wakeup" 2>/dev/null
	[ "$(cat "$wakeup" 2>/dev/null)" = enabled ]
}
if [ -n "${KMEMLEAK_KEYS:-}" ]; then
	check "a key at $tty can wake the machine" key_wakes
	if key_wakes; then
		check "sleep (freeze), woken by a key" sleep_once
		check "and again" sleep_once
		echo disabled >"$wakeup"
	fi
fi
load_stop

# Now scans of the scan thread, for which no task waits.
thread_sleeps() {
	local before
	echo freezer 2>/dev/null >/sys/power/pm_test || return 1
	command_ok scan=1
	before=$(stat_of scans)
	echo freeze >/sys/power/state || return 1
	for _ in {1..300}; do
		[ "$(stat_of scans)" -le "$((before + 2))" ] || return 0
		sleep 0.1
	done
	return 1
}
if [ -e /sys/power/pm_test ] && is_ours; then
	check "the scan thread stops for it, and continues" thread_sleeps
	command_ok scan=off
else
	skip "the scan thread stops for it, and continues" "no /sys/power/pm_test, or no statistics"
fi
finish
