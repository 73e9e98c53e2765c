# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Guests run in process groups, all of which end with the script that sources this. A
# shell that waits for a guest in the foreground would not handle signals, and a guest in
# the background would not get those of the terminal.
declare -A groups=()
started=''

# start <function> <arguments>: sets $started
start()
{
	set -m
	"$@" &
	set +m
	started=$!
	groups[$started]=1
}

# finish <$started>: waits; its exit status
finish()
{
	local status=0
	wait "$1" || status=$?
	unset "groups[$1]"
	return $status
}

# shellcheck disable=SC2317 # by trap
end_groups()
{
	local group
	for group in "${!groups[@]}"; do
		kill -TERM -- "-$group" 2>/dev/null || :
	done
	wait
}
trap end_groups EXIT
trap 'exit 130' INT TERM HUP
