#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Run all or some of these selftests on the present kernel. Prints their KTAP, and a line
# of totals at the end.
#
#   run_in_guest.sh [-d DIR] [-g core|users] [-l off|overlap|warnings]... [TEST]...
#
#   -d DIR  where the built tests are (default: where this script is)
#   -g ...  only one half: tests of kmemleak, or of programs that use it
#   -l ...  tests with lasting effects, which run last: "off" and "overlap" disable
#           kmemleak until the next boot (so one of them a boot), "warnings" makes
#           the kernel print warnings about misused hooks, with backtraces
#
# Exit status: 0 if no test has failed, else 1. Without -l, the tests are those of "make
# run_tests", except for torture_test, which runs only by name. For root in a guest that
# has all that the tests need: a test that lacks something fails here, and is skipped by
# "make run_tests".
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
# All leaks of the sample module are found if it is loaded first.
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
# Only once, even if it is also named: a second run would find kmemleak disabled.
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

# The results in the KTAP of one program, as "pass fail skip".
count() {
	awk '
		/^ok / { if (/# SKIP/) skip++; else pass++ }
		/^not ok / { fail++ }
		/^1\.\.0 # SKIP/ { skip++ }
		END { print pass + 0, fail + 0, skip + 0 }' "$log"
}

# Is kmemleak on? Only ours shows that without a command.
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
		# a failure without a failed test
		[ "$f" -gt 0 ] || error=$((error + 1))
		;;
	esac
done
echo "# Totals: pass:$pass fail:$fail xfail:0 xpass:0 skip:$skip error:$error"
[ $((fail + error)) -eq 0 ]
