# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Runs in the guest: reboot while all CPUs scan a heap that others change. The
# host waits for the machine to end (run.sh --leaves).
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
echo "no scan was seen to run"
exit 1
