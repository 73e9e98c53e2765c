#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2317 # functions are called by name
#
# The tracepoints of a scan, which must agree with the report and the statistics, and the
# statistics of its progress.
DIR=$(dirname "$0")
# shellcheck source=kmemleak_lib.sh
. "$DIR/kmemleak_lib.sh"

need_enabled
is_ours || skip_all "this kmemleak shows nothing"
need_module
TRACING=/sys/kernel/tracing
[ -d "$TRACING" ] && [ ! -d "$TRACING/events" ] && mount -t tracefs tracefs "$TRACING" 2>/dev/null
[ -d "$TRACING/events/kmemleak" ] || skip_all "no trace events, needs CONFIG_EVENT_TRACING"
start

tmp=$(mktemp -d)
# Clocks may be coarse, and events are merged by time: use a counter instead.
clock=$(sed 's/.*\[\(.*\)\].*/\1/' "$TRACING/trace_clock")
echo counter >"$TRACING/trace_clock"
cleanup() {
	echo 0 >"$TRACING/events/kmemleak/enable"
	[ -z "$clock" ] || echo "$clock" >"$TRACING/trace_clock"
	: >"$tmp/stop"
	wait
	kst reset
	command_ok clear
	rm -rf "$tmp"
}
trap cleanup EXIT

stat_of() {
	sed -n "s/^$1 //p" "$KMEMLEAK_STATS"
}

# One line for each event: its name and its fields. Only events of the last scan count.
traced_scan() {
	: >"$TRACING/trace"
	echo 1 >"$TRACING/events/kmemleak/enable"
	command_ok scan
	echo 0 >"$TRACING/events/kmemleak/enable"
	sed -n 's/.*: kmemleak_\([a-z_]*: .*\)/\1/p' "$TRACING/trace" |
		awk '/^scan_begin:/ { nr = 0 }
			{ line[nr++] = $0 }
			END { for (i = 0; i < nr; i++) print line[i] }' >"$tmp/events"
}

# events <name>: their number
events() {
	grep -c "^$1:" "$tmp/events"
}

# sum <field>: the sum of all workers
sum() {
	awk -v field="$1" '/^worker_end:/ {
			for (i = 2; i <= NF; i++)
				if (split($i, f, "=") == 2 && f[1] == field)
					sum += f[2]
		}
		END { printf "%.0f\n", sum }' "$tmp/events"
}

# no other scan may find them first
command_ok scan=off
kst "burst page 0 6 64"
command_ok scan
sleep "$AGE"
traced_scan
leaks=$(stat_of scan_leaks)
sed 's/^/# /' "$tmp/events" | head -n 60

begins_and_ends() {
	[ "$(events scan_begin)" = 1 ] && [ "$(events scan_end)" = 1 ] &&
		[ "$(head -n 1 "$tmp/events" | cut -d: -f1)" = scan_begin ] &&
		grep -q "^scan_end: seq=$(stat_of scans) done=1 .* leaks=$leaks\$" "$tmp/events"
}
check "a scan begins and ends, with its number and leaks" begins_and_ends

# No more than in the statistics: some work is outside of jobs.
agree() {
	local trace=$1 stats=$2
	[ "$trace" -gt 0 ] && [ "$trace" -le "$stats" ] && [ "$trace" -ge $((stats / 2)) ]
}
check "every worker that begins ends" test "$(events worker_begin)" = "$(events worker_end)"
bits=$(getconf LONG_BIT 2>/dev/null || echo 64)
check "words are those of the statistics" agree "$(sum words)" $(($(stat_of scan_bytes) / (bits / 8)))
check "candidates are those of the statistics" agree "$(sum candidates)" "$(stat_of scan_candidates)"
# Words of the initiator's own stack, found before a job, are looked up in the job.
nearly() {
	[ "$1" -ge $(($2 * 9 / 10)) ] && [ "$1" -le $(($2 * 11 / 10)) ]
}
check "all candidates are settled or looked up" nearly $(($(sum settled) + $(sum lookups))) "$(sum candidates)"

stages_of() {
	sed -n "s/^stage_$1: stage=//p" "$tmp/events" | tr '\n' ' '
}
check "stages begin in their order" test "$(stages_of begin)" = "prepare mark check confirm report "
check "stages end in their order" test "$(stages_of end)" = "prepare mark check confirm report "

# Addresses are hashed like those of the kmem events, unless hashing is off.
pointers() {
	sed -n 's/^report: ptr=0*\([0-9a-f]*\) .*/\1/p' "$tmp/events"
}
listed() {
	grep -q "^unreferenced object\( ([a-z]*)\)* 0x0*$1 (size" "$KMEMLEAK"
}
reports() {
	[ "$(events report)" = "$leaks" ] && [ "$leaks" -ge 6 ] && [ "$(pointers | wc -l)" = "$leaks" ]
}
hashed() {
	local pointer found=0
	for pointer in $(pointers); do
		! listed "$pointer" || found=$((found + 1))
	done
	if grep -qw no_hash_pointers /proc/cmdline; then
		[ "$found" = "$leaks" ]
	else
		[ "$found" = 0 ]
	fi
}
check "each report is an event" reports
check "with an address as kmem's events have it" hashed

# The numbers of the stages, for tools that read binary events.
numbers() {
	grep -q '{ 1, "prepare" }, { 2, "mark" }' "$TRACING/events/kmemleak/kmemleak_stage_begin/format"
}
check "the format of an event has the numbers of the stages" numbers

# With one scan after another, one of many reads of the file is during a scan.
while [ ! -e "$tmp/stop" ]; do
	command_ok scan
done &
progress() {
	local n
	for ((n = 0; n < 5000; n++)); do
		cat "$KMEMLEAK_STATS" >"$tmp/stats"
		grep -qx 'running 1' "$tmp/stats" || continue
		! grep -qxE 'running_stage (mark|check)' "$tmp/stats" || break
	done
	grep '^running' "$tmp/stats" | sed 's/^/# /'
	awk '$1 ~ /^running/ { value[$1] = $2 }
		END { exit !(value["running_bytes"] > 0 && value["running_bytes_expected"] > 0 &&
			     value["running_workers"] >= 1 && value["running_ms"] != "") }' "$tmp/stats"
}
check "a running scan shows its progress" progress
: >"$tmp/stop"
wait
progress_ends() {
	[ "$(stat_of running)" = 0 ] && ! grep -q '^running_' "$KMEMLEAK_STATS"
}
check "no progress is shown after its end" progress_ends
finish
