#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2317 # functions are called by name
#
# Helpers of a scan do not run on isolated CPUs (isolcpus=, nohz_full=, cpusets). Without
# any of these, all CPUs help.
DIR=$(dirname "$0")
# shellcheck source=kmemleak_lib.sh
. "$DIR/kmemleak_lib.sh"

need_enabled
is_ours || skip_all "this kmemleak scans with one CPU"
start

SYS=/sys/devices/system/cpu

# The CPUs of a list like 0-3,8; none if there is no such file.
cpus_of() {
	local first last cpu
	tr ',' '\n' 2>/dev/null <"$SYS/$1" | while IFS=- read -r first last; do
		case $first in
		'' | *[!0-9]*) continue ;;
		esac
		for ((cpu = first; cpu <= ${last:-$first}; cpu++)); do
			echo "$cpu"
		done
	done
}

# A kernel for one CPU may have no lists.
online=$(cpus_of online)
isolated=$(cpus_of isolated; cpus_of nohz_full)
mine=$(printf '%s\n' "${online:-0}" | grep -vxF "${isolated:-none}")
first=$(printf '%s\n' "$mine" | sort -n | head -n 1)
want=$(printf '%s\n' "$mine" | wc -l)
# shellcheck disable=SC2086 # on one line
echo "# online:" $online "isolated:" $isolated

scan_workers() {
	command_ok parallel=on &&
		taskset -c "$first" sh -c "echo scan >$KMEMLEAK" &&
		grep -qx "scan_workers $want" "$KMEMLEAK_STATS"
}
workers=$(sed -n 's/^workers_wanted //p' "$KMEMLEAK_STATS")
check "$want CPUs scan" scan_workers
command_ok "parallel=$workers"
finish
