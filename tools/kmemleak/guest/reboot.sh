# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Runs in the guest: reboots while all CPUs scan a heap that threads change. The host
# waits until the machine ends (run.sh --leaves).
set -u
k=/sys/kernel/debug/kmemleak
cmd=/sys/kernel/debug/kmemleak_selftest/cmd

insmod /kml/kselftest/kmemleak/test_modules/kmemleak_selftest.ko || exit 1
echo scan=off >$k
echo parallel=on >$k || exit 1
echo "stress $(nproc) 20000 0" >$cmd || exit 1
while :; do echo scan >$k; done &
for _ in {1..600}; do
	if grep -qx 'running_stage mark' /sys/kernel/debug/kmemleak_stats; then
		echo "# $(grep -x 'running_workers .*' /sys/kernel/debug/kmemleak_stats)"
		echo leaving
		exec reboot -f
	fi
done
echo "no scan was seen to be marking"
exit 1
