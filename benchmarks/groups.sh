# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Guests run in process groups of their own, which are all ended with the script
# that sources this: a shell that waits for one in the foreground would not hear of
# a signal, and one in the background not of the terminal's.
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

# finish <what start has set>: its exit status
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
