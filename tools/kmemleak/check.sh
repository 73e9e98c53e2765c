#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make check: the tests that CI runs, in stages. All tests run on user-mode kernels, and
# some on emulated machines (check-full.sh: all). Each stage has a line and a log; the
# last line has the totals.   check.sh [--list | STAGE...]
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/lib.sh"

# name | lane | command. There are two lanes, since most stages use one CPU, or wait for
# objects to age; the stages of a lane run one after another. No test depends on the
# time that it takes. The results of a stage are in its log, as TAP or as a line "N
# passed, N failed, N skipped". On the debugging kernel, only the parts run in which it
# can find most; check-full has the others.
STAGES="
overlay   | 1 | $KML_TOOLS/tests/overlay_test.sh
tools     | 1 | $KML_TOOLS/tests/tools_test.sh
bench     | 1 | $KML_TOP/benchmarks/tests.sh
lint      | 1 | $KML_TOOLS/lint.sh
image     | 1 | $KML_TOOLS/check-image.sh --guest
module    | 1 | $KML_TOOLS/check-module.sh 6.12-amd64
harness   | 1 | $KML_TOOLS/check-harness.sh
x86_64    | 2 | $KML_TOOLS/check-kernel.sh --flavor x86_64 --kernel 6.12 boot sleep
arm64     | 2 | $KML_TOOLS/check-kernel.sh --flavor arm64 --kernel 7.3 boot
cross     | 2 | $KML_TOOLS/check-harness.sh cross --quick i386 s390x
builds    | 2 | $KML_TOOLS/check-builds.sh --quick
um-7.3    | 1 | $KML_TOOLS/check-kernel.sh --kernel 7.3
um-6.12   | 2 | $KML_TOOLS/check-kernel.sh --kernel 6.12
busy      | 2 | $KML_TOOLS/busy.sh --seconds 60 --scans 20
um-debug  | 2 | $KML_TOOLS/check-kernel.sh --kernel 7.3 --debug kunit selftests failslab off overlap
"

names=$(awk -F '|' 'NF == 3 { gsub(/ /, "", $1); printf "%s ", $1 }' <<<"$STAGES")
case ${1:-} in
--list) echo "$names"; exit 0 ;;
-h | --help) echo "usage: check.sh [--list | STAGE...]; stages: $names"; exit 0 ;;
esac
for stage in "$@"; do
	case " $names" in
	*" $stage "*) ;;
	*) usage_error "unknown stage $stage; choices: $names" ;;
	esac
done

words=$*
logs=$KML_CACHE/checkout/$(checkout_key)/check
mkdir -p "$logs"
rm -f "$logs"/*.count

# Writes "passed failed skipped" to $logs/<name>.count.
run_stage()
{
	local name=$1 log=$logs/$1.log t0=$SECONDS status=0 p f s
	shift
	echo "=== $name (log: $log)"
	# Results, from stdout, go to the log. Progress, from stderr, goes to the
	# terminal and to another log.
	"$@" </dev/null 2> >(tee -a "$log.progress" >&2) >"$log" || status=$?
	read -r p f s < <(judge_log "$log" "$name" "$status")
	if [ "$f" -gt 0 ]; then
		show_failures "$log"
		echo "FAIL  $name: $f of $((p + f + s)) failed, $((SECONDS - t0)) s"
	else
		echo "ok    $name: $((p + s)) tests$([ "$s" -eq 0 ] || echo " ($s skipped)"), $((SECONDS - t0)) s"
	fi
	echo "$p $f $s" >"$logs/$name.count"
}

# Names of the stages to run, of one lane or of all: wanted <lane or ''>
wanted()
{
	awk -F '|' -v lane="$1" -v words=" $words " 'NF == 3 {
		gsub(/ /, "", $1)
		gsub(/ /, "", $2)
		if ((lane == "" || lane == $2) && (words == "  " || index(words, " " $1 " ")))
			print $1
	}' <<<"$STAGES"
}

run_lane()
{
	local name command
	for name in $(wanted "$1"); do
		command=$(awk -F '|' -v name="$name" '{ n = $1; gsub(/ /, "", n) } n == name { print $3 }' <<<"$STAGES")
		: >"$logs/$name.log.progress"
		# shellcheck disable=SC2086 # words on purpose
		run_stage "$name" $command
	done
}

# A lane is a process group, so that an interruption ends all of it.
lanes=()
start_lane()
{
	set -m
	run_lane "$1" &
	set +m
	lanes+=($!)
}
interrupted()
{
	local lane
	for lane in "${lanes[@]}"; do
		kill -TERM -- "-$lane" 2>/dev/null || :
	done
	exit 130
}
trap interrupted INT TERM HUP

# Most objects of a kernel are in ccache, from the last run or another checkout.
"$KML_TOOLS/build-deps.sh" speed || note "  ... without ccache: kernels are compiled from the start"
# New sources are preprocessed once, not twice: the compiler lists its includes.
export CCACHE_DEPEND=1

t0=$SECONDS
# a stage that does not end has failed
for name in $(wanted ''); do
	echo "0 1 0" >"$logs/$name.count"
done
start_lane 1
start_lane 2
wait "${lanes[@]}" || :

read -r passed failed skipped < <(awk '{ p += $1; f += $2; s += $3 } END { print p + 0, f + 0, s + 0 }' "$logs"/*.count)
echo "=== all done in $((SECONDS - t0)) s"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
