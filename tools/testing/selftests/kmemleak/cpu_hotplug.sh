#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2317 # functions are called by name
#
# CPUs go offline and come online while all of them scan and allocate: scans end, helpers
# take part again, no live object is reported, and no leak is missed.
# KMEMLEAK_ROUNDS: the number of times that each CPU goes offline (default 2).
DIR=$(dirname "$0")
# shellcheck source=kmemleak_lib.sh
. "$DIR/kmemleak_lib.sh"
# shellcheck source=kmemleak_load.sh
. "$DIR/kmemleak_load.sh"

CPUS=/sys/devices/system/cpu

need_enabled
need_module
mapfile -t cpus < <(ls -d $CPUS/cpu[0-9]*/online 2>/dev/null)
[ ${#cpus[@]} -gt 0 ] || skip_all "no CPU of this machine can be taken offline"
for cpu in "${cpus[@]}"; do
	[ "$(cat "$cpu")" = 1 ] || skip_all "$cpu is offline already"
done
start

cleanup() {
	for cpu in "${cpus[@]}"; do
		[ "$(cat "$cpu")" = 1 ] || echo 1 >"$cpu"
	done
	load_cleanup
}
trap cleanup EXIT

# switch <cpu> <0|1>; on some machines the boot CPU cannot go offline
switch() {
	echo "$2" >"$1" 2>/dev/null && [ "$(cat "$1")" = "$2" ]
}

all=$(cpus_online)
rounds=${KMEMLEAK_ROUNDS:-2}
load_start

one_by_one() {
	local cpu n=0
	for cpu in "${cpus[@]}"; do
		if switch "$cpu" 0; then
			n=$((n + 1))
			switch "$cpu" 1 || return 1
		fi
	done
	echo "# $n CPUs, one at a time"
	[ "$n" -gt 0 ]
}
for ((i = 1; i <= rounds; i++)); do
	check "each CPU goes offline and online, round $i" one_by_one
done

all_but_one() {
	local cpu
	for cpu in "${cpus[@]}"; do
		[ "$(cpus_online)" -gt 1 ] || break
		switch "$cpu" 0 || :
	done
	[ "$(cpus_online)" -eq 1 ]
}
check "all CPUs but one go offline" all_but_one
check "the last CPU scans" load_await_scans 2
! is_ours || check "it scans alone" test "$(stat_of scan_workers)" -eq 1

all_come() {
	local cpu
	for cpu in "${cpus[@]}"; do
		[ "$(cat "$cpu")" = 1 ] || switch "$cpu" 1 || return 1
	done
	[ "$(cpus_online)" -eq "$all" ]
}
check "all CPUs come online" all_come
check "all CPUs scan" load_await_scans 2
! is_ours || check "all CPUs take part" test "$(stat_of scan_workers)" -eq "$all"
load_stop
finish
