# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Runs in the guest: the programs of a kselftest directory, by default those of its
# kselftest-list.txt. Prints TAP: the output of each program, indented, then its verdict.
#   kselftests.sh DIRECTORY [PROGRAM]...
set -u

dir=$1
shift
if [ $# -eq 0 ]; then
	# "collection:program" per line.
	mapfile -t programs < <(sed 's/^[^:]*://' "$dir/../kselftest-list.txt")
else
	programs=("$@")
fi
timeout=$(sed -n 's/^timeout=//p' "$dir/settings" 2>/dev/null)

failed=0 n=0
cd "$dir" || exit 1
said=$(mktemp)
trap 'rm -f "$said"' EXIT
for program in "${programs[@]}"; do
	n=$((n + 1))
	status=0
	timeout "${timeout:-120}" "./$program" </dev/null >"$said" 2>&1 || status=$?
	sed 's/^/    /' "$said"
	case $status in
	0) echo "ok $n $program" ;;
	4) echo "ok $n $program # SKIP" ;;
	124) echo "not ok $n $program # timed out after ${timeout:-120} s"; failed=1 ;;
	*) echo "not ok $n $program # exit $status"; failed=1 ;;
	esac
	# The next program must not find leaks or settings of this one.
	echo scan=off >/sys/kernel/debug/kmemleak
	echo clear >/sys/kernel/debug/kmemleak
done
[ $n -gt 0 ] || { echo "not ok - no program in $dir"; exit 1; }
exit $failed
