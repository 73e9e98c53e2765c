#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make check: every test on every kernel, in stages. One line a stage while it
# runs, its log in a file, and at the very end one line of totals.
#   check.sh [--list | STAGE...]
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/lib.sh"

# name | command. The cheap ones first; each must leave its results in its log,
# as TAP or as a line "N passed, N failed, N skipped".
STAGES="
overlay   | $KML_TOOLS/tests/overlay_test.sh
tools     | $KML_TOOLS/tests/tools_test.sh
bench     | $KML_TOP/benchmarks/tests.sh
harness   | $KML_TOOLS/check-harness.sh
cross     | $KML_TOOLS/check-harness.sh cross --quick i386 s390x
um-7.3    | $KML_TOOLS/check-kernel.sh --kernel 7.3
um-debug  | $KML_TOOLS/check-kernel.sh --kernel 7.3 --debug
um-6.12   | $KML_TOOLS/check-kernel.sh --kernel 6.12
builds    | $KML_TOOLS/check-builds.sh --quick
lint      | $KML_TOOLS/lint.sh
"

names=$(awk -F '|' 'NF == 2 { gsub(/ /, "", $1); printf "%s ", $1 }' <<<"$STAGES")
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

logs=$KML_CACHE/checkout/$(checkout_key)/check
mkdir -p "$logs"
passed=0 failed=0 skipped=0

run_stage()
{
	local name=$1 log=$logs/$1.log t0=$SECONDS status=0 p f s
	shift
	echo "=== $name (log: $log)"
	# Progress of the stage is its stderr; results go to the log. Both in
	# the log, only progress here.
	"$@" </dev/null 2> >(tee -a "$log.progress" >&2) >"$log" || status=$?
	read -r p f s < <(judge_log "$log" "$name" "$status")
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	if [ "$f" -gt 0 ]; then
		show_failures "$log"
		echo "FAIL  $name: $f of $((p + f + s)) failed, $((SECONDS - t0)) s"
	else
		echo "ok    $name: $((p + s)) tests$([ "$s" -eq 0 ] || echo " ($s skipped)"), $((SECONDS - t0)) s"
	fi
}

t0=$SECONDS
while IFS='|' read -r name command; do
	name=${name// /}
	[ -n "$name" ] || continue
	case " $* " in
	'  ' | *" $name "*) ;;
	*) continue ;;
	esac
	: >"$logs/$name.log.progress"
	# shellcheck disable=SC2086 # words on purpose
	run_stage "$name" $command
done <<<"$STAGES"

echo "=== all done in $((SECONDS - t0)) s"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
