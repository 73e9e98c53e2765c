# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# Run test programs and count their results. Sourced, never run. Needs $logs, a
# directory, and patterns, an array with parts of the names of tests to run; empty: all.

nr=0 failed=0 skipped=0

# result GOOD NAME [# SKIP why]
result()
{
	nr=$((nr + 1))
	if [ "$1" = skip ]; then
		skipped=$((skipped + 1))
		echo "ok $nr - $2 # SKIP $3"
		return
	fi
	if [ "$1" = good ]; then
		echo "ok $nr - $2"
	else
		failed=$((failed + 1))
		echo "not ok $nr - $2"
	fi
}

wanted()
{
	local p

	[ ${#patterns[@]} -gt 0 ] || return 0
	for p in "${patterns[@]}"; do
		case $1 in *"$p"*) return 0 ;; esac
	done
	return 1
}

# The results are the lines of TAP in the log, or else the exit status.
collect()
{
	local name=$1 status=$2 log=$3 any='' bad='' line

	while IFS= read -r line; do
		any=1
		case $line in
		*"# SKIP"*) result skip "$name: ${line#*- }" '' ;;
		ok*) result good "$name: ${line#*- }" ;;
		*) bad=1; result bad "$name: ${line#*- }" ;;
		esac
	done < <(grep -E '^(not )?ok [0-9]+ - ' "$log")
	if [ -z "$any" ] || { [ "$status" -ne 0 ] && [ -z "$bad" ]; }; then
		if [ "$status" -eq 0 ]; then
			result good "$name"
		else
			result bad "$name"
		fi
	fi
	if [ "$status" -ne 0 ] || [ -n "$bad" ]; then
		sed 's/^/# /' "$log" | grep -vE '^# ok ' | tail -n 60
	fi
}

# run NAME COMMAND...
run()
{
	local name=$1 log=$logs/${1// /-}.log t0=$SECONDS status=0

	shift
	wanted "$name" || return 0
	"$@" </dev/null >"$log" 2>&1 || status=$?
	collect "$name" "$status" "$log"
	echo "# $name: $((SECONDS - t0)) s" >&2
}
