#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Run these selftests, all of them or those named, on the kernel this runs on,
# and print their KTAP with a line of totals at its end.
#
#   run_in_guest.sh [-d DIR] [-g core|users] [-l off|overlap|warnings]... [TEST]...
#
#   -d DIR  where the built tests are (default: where this script is)
#   -g ...  only half of them: what kmemleak does, or what its users do with it
#   -l ...  tests that leave their mark, run last: "off" and "overlap" disable
#           kmemleak until the next boot (one of them a boot), "warnings" makes
#           the kernel print the warnings of misused hooks, backtraces and all
#
# Exit status: 0 when nothing failed, else 1. Without -l, what runs here is what
# "make run_tests" runs, but for torture_test, which is run when it is named.
# Meant for a guest made for the purpose, as root: what the tests need is there, so
# a test that misses it fails, which "make run_tests" skips.
set -u
export KMEMLEAK_REQUIRED=1

dir=$(dirname "$(readlink -f "$0")")
last=()
group=all
while getopts d:g:l: option; do
	case $option in
	d) dir=$OPTARG ;;
	g) group=$OPTARG ;;
	l) last+=("$OPTARG") ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
cd "$dir" || exit 2

core=(abi_test report_test read_test hooks_test policy_test trial_test log_test
	interrupt_test check_test parallel_test isolated.sh tracing.sh
	stress_test)
# The sample module's leaks are all found if it is the first that is loaded.
users=(sample_module.sh syzkaller_test wireguard_test consumers.sh badinput_test
	badparam_test boot_param.sh)
for script in regress_*.sh; do
	[ ! -x "$script" ] || users+=("$script")
done

tests=("$@")
if [ ${#tests[@]} -eq 0 ]; then
	case $group in
	all) tests=("${core[@]}" "${users[@]}") ;;
	core) tests=("${core[@]}") ;;
	users) tests=("${users[@]}") ;;
	*) echo "unknown: -g $group, use core or users" >&2; exit 2 ;;
	esac
fi
# Once, though somebody has named it: the second would find kmemleak disabled.
run_last() {
	local i
	for i in "${!tests[@]}"; do
		[ "${tests[i]}" != "$1" ] || unset "tests[i]"
	done
	tests+=("$1")
}
for mark in "${last[@]}"; do
	case $mark in
	off) run_last "disable_test" ;;
	overlap) run_last "disable_test overlap" ;;
	warnings) run_last "warn_test" ;;
	*) echo "unknown: -l $mark" >&2; exit 2 ;;
	esac
done

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Counts of one program's own KTAP, as "pass fail skip".
count() {
	awk '
		/^ok / { if (/# SKIP/) skip++; else pass++ }
		/^not ok / { fail++ }
		/^1\.\.0 # SKIP/ { skip++ }
		END { print pass + 0, fail + 0, skip + 0 }' "$log"
}

# Is kmemleak on? Only ours says so without being asked to do something.
is_on() {
	grep -qsx 'enabled 1' /sys/kernel/debug/kmemleak_stats
}

was_on=no
! is_on || was_on=yes
echo "KTAP version 1"
echo "1..${#tests[@]}"
nr=0 pass=0 fail=0 skip=0 error=0
for test in "${tests[@]}"; do
	nr=$((nr + 1))
	# shellcheck disable=SC2086 # a test may come with an argument
	./$test 2>&1 | tee "$log" | sed -u 's/^/  /'
	status=${PIPESTATUS[0]}
	if [ $was_on = yes ] && [[ $test != disable_test* ]] && ! is_on; then
		echo "not ok - kmemleak is on after it" | tee -a "$log" | sed 's/^/  /'
		was_on=no
		status="$status, and kmemleak is off"
	fi
	read -r p f s < <(count)
	pass=$((pass + p)) fail=$((fail + f)) skip=$((skip + s))
	case $status in
	0) echo "ok $nr $test" ;;
	4) echo "ok $nr $test # SKIP" ;;
	*)
		echo "not ok $nr $test # exit=$status"
		# a failure that none of its tests owns up to
		[ "$f" -gt 0 ] || error=$((error + 1))
		;;
	esac
done
echo "# Totals: pass:$pass fail:$fail xfail:0 xpass:0 skip:$skip error:$error"
[ $((fail + error)) -eq 0 ]
