#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Verify all states of each model with Spin. Then break each protocol in one place at a
# time, and expect Spin to find an error. Results as TAP. Each run has at most 1 GB of
# memory and TIMEOUT (300) seconds; all take some two minutes.
#   check.sh [PATTERN...]	only checks with one of these in their names
# Without Spin the check fails, or is skipped with SKIP_MODELS=1.
set -u

here=$(cd "$(dirname "$0")" && pwd)
limit=${TIMEOUT:-300}
patterns=("$@")
# shellcheck source=tools/testing/kmemleak/check-lib.sh
. "$here/../check-lib.sh"

for tool in spin gcc; do
	if ! command -v "$tool" >/dev/null; then
		if [ -n "${SKIP_MODELS:-}" ]; then
			echo "ok 1 - models # SKIP no $tool, and SKIP_MODELS is set"
			echo "1..1"
			exit 0
		fi
		echo "not ok 1 - models: no $tool: install the package $tool, or set SKIP_MODELS=1"
		echo "1..1"
		exit 1
	fi
done

work=$(mktemp -d "${TMPDIR:-/tmp}/kmemleak-models.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# report GOOD NAME
report()
{
	result "$@"
	[ "$1" = good ] || tail -n 20 log | sed 's/^/# /'
}

# explore MODEL SAFETY|LIVE FLAGS...: the output goes to log
explore()
{
	local model=$1 kind=$2 cflags=(-O1 -w -DMEMLIM=1000) pflags=(-m20000 -n)

	shift 2
	rm -f pan pan.* ./*.trail
	if [ "$kind" = LIVE ]; then
		# compressed: there are more states
		cflags+=(-DCOLLAPSE)
		pflags+=(-a -f)
	else
		cflags+=(-DSAFETY -DNOCLAIM)
	fi
	# no reduction: it does not work with "provided" clauses
	[ "$model" != pin_free ] || cflags+=(-DNOREDUCE)
	{
		spin -a "$@" "$here/$model.pml" &&
		nice gcc "${cflags[@]}" -o pan pan.c &&
		nice timeout "$limit" ./pan "${pflags[@]}"
	} >log 2>&1
}

figures()
{
	sed -n -e 's/^ *\([0-9.e+]*\) states, stored.*/# \1 states/p' \
	    -e 's/^ *\([0-9.]*\)\ttotal actual memory usage.*/# \1 MB/p' \
	    -e 's/^pan: elapsed time \(.*\) seconds/# \1 s/p' log | paste -sd' ' | sed 's/ # /, /g'
}

# holds NAME MODEL SAFETY|LIVE FLAGS...: no error, and no state left out
holds()
{
	local name="$2: $1" good=bad

	wanted "$name" || return 0
	shift
	if explore "$@" && grep -q 'errors: 0$' log &&
	   ! grep -qE 'not completed|too small|DMEMLIM|out of memory' log; then
		good=good
	fi
	report "$good" "$name"
	figures
}

# fails NAME MODEL FLAGS HOW: Spin finds an error of this kind
fails()
{
	local name="$2: $1" good=bad flags

	wanted "$name" || return 0
	read -ra flags <<<"$3"
	explore "$2" SAFETY "${flags[@]}"
	grep -q "^pan:1: $4" log && good=good
	report "$good" "$name"
}

lost='assertion violated'
stuck='invalid end state'

m=termination
holds "two helpers, one may leave" $m SAFETY
holds "two jobs" $m SAFETY -DJOBS=2 -DBUDGET=1
holds "stopped at any time" $m SAFETY -DSTOP -DBUDGET=1
holds "returns" $m LIVE -DBUDGET=0
holds "returns, one helper" $m LIVE -DHELPERS=1
holds "returns, one helper, stopped at any time" $m LIVE -DHELPERS=1 -DSTOP
holds "two leave" $m SAFETY -DLEAVERS=2 -DSOURCE=0
fails "two leave, the initiator does not look again" $m \
	"-DLEAVERS=2 -DSOURCE=0 -DBREAK_NO_SECOND_LOOK" "$lost"
fails "the last idle worker wakes none" $m -DBREAK_WAKE_NOBODY_WHEN_LAST "$stuck"
fails "checks, then queues" $m -DBREAK_QUEUE_LATE "$stuck"
fails "leaves without waking" $m -DBREAK_LEAVE_SILENTLY "$stuck"
fails "ends without waking the initiator" $m -DBREAK_LEFT_SILENTLY "$stuck"
# without the initiator's second look, which would find the work of these
once=-DBREAK_NO_SECOND_LOOK
holds "one look is enough while one may leave" $m SAFETY $once
fails "looks at the list before the counter" $m "-DBREAK_LIST_FIRST $once" "$lost"
fails "takes work, then counts as busy" $m "-DBREAK_BUSY_LATE $once" "$lost"
fails "counts as idle, then gives work back" $m "-DBREAK_GIVE_LATE $once" "$lost"
fails "gives no work back" $m -DBREAK_KEEP "$lost"
fails "cancels by a plain store" $m -DBREAK_RECALL_STORE "$lost"
fails "does not wait for helpers" $m -DBREAK_NO_RECALL "$lost"

m=pin_free
holds "two blocks, an owner and an interrupt" $m SAFETY
fails "no barrier after the pin" $m -DBREAK_NO_MB_PIN "$lost"
fails "no barrier in the free" $m -DBREAK_NO_MB_FREE "$lost"
fails "the free does not wait" $m -DBREAK_NO_WAIT "$lost"
fails "looked up before pinned" $m -DBREAK_LOOKUP_FIRST "$lost"
fails "unpinned without a release" $m -DBREAK_UNPIN_EARLY "$lost"
fails "interrupts enabled" $m -DBREAK_IRQS_ON "$stuck"
fails "scan_active set late" $m -DBREAK_ACTIVE_LATE "$lost"
fails "scan_active cleared early" $m -DBREAK_ACTIVE_SHORT "$lost"

m=regrain
one='-DMARKERS=1 -DREFS=1 -DWANTED=1'
holds "two markers" $m SAFETY -DREADERS=0
holds "two markers, twice" $m SAFETY -DREADERS=0 -DREGRAINS=2 -DREFS=1 -DWANTED=2
holds "a marker and a reader, twice" $m SAFETY -DMARKERS=1 -DREFS=1 -DWANTED=1 -DREGRAINS=2
fails "not frozen" $m "-DREADERS=0 -DBREAK_NO_FREEZE" "$lost"
fails "copied, then frozen" $m "-DREADERS=0 -DBREAK_FREEZE_LATE" "$lost"
fails "published without a release" $m "-DREADERS=0 -DBREAK_PUBLISH_PLAIN" "$lost"
fails "published, then filled" $m "-DREADERS=0 -DBREAK_PUBLISH_FIRST" "$lost"
fails "counted in a frozen entry" $m "-DREADERS=0 -DBREAK_COUNT_FROZEN" "$lost"
fails "counted without cmpxchg" $m "-DREADERS=0 -DBREAK_NO_CMPXCHG" "$lost"
fails "state without a release" $m "$one -DBREAK_NO_RELEASE" "$lost"
fails "state looked at again too early" $m "$one -DBREAK_NO_RMB" "$lost"
fails "state looked at once" $m "$one -DBREAK_LOOK_ONCE" "$lost"

m=born
holds "two pages" $m SAFETY
holds "one page" $m SAFETY -DPAGES=1
fails "no grace period" $m -DBREAK_NO_GRACE "$lost"
fails "scan_active read outside of the section" $m -DBREAK_ACTIVE_OUTSIDE "$lost"
fails "without KML_F_NEW" $m -DBREAK_NOT_NEW "$lost"
fails "no barrier before has_new is read" $m -DBREAK_NO_MB_INSERT "$lost"
fails "no barrier after has_new is cleared" $m -DBREAK_NO_MB_SCAN "$lost"
fails "has_new set before the entry" $m -DBREAK_FLAG_FIRST "$lost"
fails "has_new cleared after whitening" $m -DBREAK_HAS_NEW_LATE "$lost"

m=asleep
holds "the task runs three times" $m SAFETY
fails "no barrier when the task is switched in" $m -DBREAK_NO_BARRIER "$lost"
fails "on_cpu cleared without a release" $m -DBREAK_NO_RELEASE "$lost"
fails "counted after on_cpu is cleared" $m -DBREAK_COUNT_LATE "$lost"
fails "does not read on_cpu before" $m -DBREAK_NO_FIRST_LOOK "$lost"
fails "reads on_cpu, then the count" $m -DBREAK_LOOK_BEFORE_COUNT "$lost"
fails "does not read on_cpu after" $m -DBREAK_NO_SECOND_LOOK "$lost"
fails "reads on_cpu again before the stack" $m -DBREAK_NO_RMB "$lost"
fails "does not compare counts" $m -DBREAK_NO_COUNT "$lost"
fails "compares counts, then reads on_cpu again" $m -DBREAK_COUNT_BEFORE_LOOK "$lost"

# each BREAK_ is tried
if wanted breaks; then
	for m in "$here"/*.pml; do
		grep -o 'BREAK_[A-Z_]*' "$m" | sort -u
	done | while read -r b; do
		grep -q -- "-D$b\>" "$here/check.sh" || echo "$b is not tried"
	done >log
	if [ -s log ]; then
		report bad breaks
	else
		report good breaks
	fi
fi

echo "1..$nr"
[ "$failed" -eq 0 ]
