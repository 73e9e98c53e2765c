# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2154
#
# Test cases that are shell functions. Sourced, never run; needs $work, a directory.
# With $about, titles begin with it.

n=0 failed=0

# check <title> <function> [arguments]: one line of TAP, after the output of the
# function if it fails
check()
{
	local what=${about:-}$1 rc=0
	shift
	# Each command of a case may fail it. Errexit does not work on the left side
	# of ||, not even in a subshell: hence a subshell in the background.
	(set -e; "$@") >"$work/out" 2>&1 &
	wait $! || rc=$?
	n=$((n + 1))
	if [ "$rc" = 0 ]; then
		echo "ok $n $what"
	else
		sed 's/^/  # /' "$work/out"
		echo "not ok $n $what"
		failed=1
	fi
}
