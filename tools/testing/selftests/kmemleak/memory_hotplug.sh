#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2317 # functions are called by name
#
# Memory is added and removed while all CPUs scan struct pages and allocate.
#
# KMEMLEAK_ROUNDS=N       the number of times that blocks go offline (default 3)
# KMEMLEAK_MEMORY_MODULE  a driver that adds memory when it is loaded (virtio_mem)
# KMEMLEAK_EJECT=1        at the end, eject a DIMM from its slot: only for test machines
DIR=$(dirname "$0")
# shellcheck source=kmemleak_lib.sh
. "$DIR/kmemleak_lib.sh"
# shellcheck source=kmemleak_load.sh
. "$DIR/kmemleak_load.sh"

MEMORY=/sys/devices/system/memory

need_enabled
need_module
[ -d "$MEMORY" ] || skip_all "no $MEMORY, needs CONFIG_MEMORY_HOTPLUG"

state() {
	echo "$2" >"$1/state" 2>/dev/null
}

# The last blocks come first: the first ones have the kernel.
blocks_last_first() {
	find "$MEMORY" -maxdepth 1 -name 'memory[0-9]*' | sort -V -r
}

memory_kb() {
	awk '/^MemTotal:/ { print $2 }' /proc/meminfo
}

# poll <command>...: repeat it until it succeeds, for a minute at most
poll() {
	local end=$((SECONDS + 60))
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.1
	done
}

blocks=()
auto=$(cat "$MEMORY"/auto_online_blocks)
start

cleanup() {
	for block in "${blocks[@]}"; do
		[ ! -d "$block" ] || [ "$(cat "$block/state")" = online ] || state "$block" online
	done
	echo "$auto" >"$MEMORY/auto_online_blocks"
	load_cleanup
}
trap cleanup EXIT

load_start

more_than() {
	[ "$(memory_kb)" -gt "$1" ]
}
memory_appears() {
	local before
	before=$(memory_kb)
	modprobe "$KMEMLEAK_MEMORY_MODULE" || return 1
	poll more_than "$before" || return 1
	echo "# from $before to $(memory_kb) KB"
	load_await_scans 2
}
echo online_movable >"$MEMORY/auto_online_blocks"
if [ -n "${KMEMLEAK_MEMORY_MODULE:-}" ]; then
	check "memory appears" memory_appears
else
	skip "memory appears" "no KMEMLEAK_MEMORY_MODULE"
fi

# Two blocks are enough: unused ones first, then those without unmovable pages.
while read -r block; do
	[ "$(cat "$block/state")" != offline ] || state "$block" online_movable || :
done < <(blocks_last_first)
for movable in yes no; do
	while read -r block; do
		[ ${#blocks[@]} -lt 2 ] || break
		if grep -q Movable "$block/valid_zones"; then is=yes; else is=no; fi
		if [ $is = $movable ] && state "$block" offline; then
			blocks+=("$block")
			state "$block" online_movable || state "$block" online
		fi
	done < <(blocks_last_first)
done
nr=$(blocks_last_first | wc -l)
echo "# ${blocks[*]#"$MEMORY"/} of $nr blocks, $((0x$(cat "$MEMORY"/block_size_bytes) >> 20)) MB each"

# Pages in use cannot always be moved at once: try several times.
go_and_come() {
	local block
	for block in "${blocks[@]}"; do
		poll state "$block" offline || { echo "# $block does not go"; return 1; }
		[ "$(cat "$block/state")" = offline ] || return 1
		load_await_scans 1 || return 1
		state "$block" online_movable || state "$block" online || return 1
		[ "$(cat "$block/state")" = online ] || return 1
		load_await_scans 1 || return 1
	done
}
for ((i = 1; i <= ${KMEMLEAK_ROUNDS:-3}; i++)); do
	if [ ${#blocks[@]} -gt 0 ]; then
		check "blocks go offline and online, round $i" go_and_come
	else
		skip "blocks go offline and online, round $i" "none of the $nr blocks can go offline"
	fi
done

# The blocks of a DIMM that ACPI can eject, if the kernel uses none of them.
dimm=$(find -L /sys/bus/acpi/devices/PNP0C80:* -maxdepth 1 -name eject 2>/dev/null | head -n 1)
dimm=${dimm%/eject}
mapfile -t in_dimm < <(while read -r block; do
	[ "$(readlink -f "$block/firmware_node")" != "$(readlink -f "$dimm")" ] || echo "$block"
done < <(blocks_last_first))

gone() {
	local block
	for block in "${in_dimm[@]}"; do
		[ ! -d "$block" ] || return 1
	done
}
eject() {
	local block
	echo "# $(basename "$dimm"): ${in_dimm[*]#"$MEMORY"/}"
	for block in "${in_dimm[@]}"; do
		[ "$(cat "$block/state")" = offline ] || poll state "$block" offline || return 1
	done
	echo 1 >"$dimm/eject" || return 1
	poll gone || return 1
	load_await_scans 2
}
if [ "${KMEMLEAK_EJECT:-0}" != 1 ]; then
	skip "a DIMM is ejected" "no KMEMLEAK_EJECT=1"
elif [ -z "$dimm" ] || [ ${#in_dimm[@]} -eq 0 ]; then
	skip "a DIMM is ejected" "no slot with memory that ACPI could eject"
else
	check "a DIMM is ejected" eject
fi

# A block of memory for slabs, which then has objects, and so intervals. It is the last
# one, since it cannot go offline any more.
for_the_kernel() {
	local block
	while read -r block; do
		grep -q Movable "$block/valid_zones" || continue
		state "$block" offline || continue
		echo "# $(basename "$block")"
		state "$block" online_kernel || return 1
		for size in 512 1024 2048 4096; do
			churn "$size"
		done
		load_await_scans 2
		return
	done < <(blocks_last_first)
	return 1
}
if [ ${#blocks[@]} -gt 0 ]; then
	check "a block is added for the kernel" for_the_kernel
else
	skip "a block is added for the kernel" "none of the $nr blocks can go offline"
fi
load_stop
finish
