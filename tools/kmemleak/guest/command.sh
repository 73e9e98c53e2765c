# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2317 # functions are called by name
#
# Runs in the guest: kmemleak(8) on the files of this kernel. /kml/kmemleak is the
# command, /kml/lib its libraries. The leaks are those of the sample, kmemleak-test.
# Prints TAP.
set -u
k=/sys/kernel/debug/kmemleak
export LD_LIBRARY_PATH=/kml/lib
planted=14
work=$(mktemp -d)
nr=0 failed=0

# result <what> <command...>
result()
{
	local what=$1
	shift
	nr=$((nr + 1))
	if "$@"; then
		echo "ok $nr $what"
	else
		echo "not ok $nr $what"
		sed 's/^/# /' "$work/out"
		failed=1
	fi
}

# says <exit status> <pattern> <arguments...>: what the command prints, and how it ends
says()
{
	local want=$1 pattern=$2 rc
	shift 2
	/kml/kmemleak "$@" >"$work/out" 2>&1
	rc=$?
	[ "$rc" = "$want" ] || echo "# exit status $rc, expected $want"
	[ "$rc" = "$want" ] && grep -qE -- "$pattern" "$work/out"
}

# Each leak of the sample has the module in its backtrace.
reports_all()
{
	says 0 "^$planted leaks?, " report "$@" && grep -q 'kmemleak_test_init.*\[kmemleak_test' "$work/out"
}

echo scan=off >$k
echo clear >$k
modprobe kmemleak-test
result "scan --check finds what is new" says 1 "$planted new" scan --check
result "report reads kmemleak_leaks" reports_all
result "groups by function are named after the module's" says 0 ' leaks?: kmemleak_test_init \[kmemleak_test' report -g function
result "groups by cache" says 0 'kmalloc-1k' report -g cache
cat $k >"$work/text"
result "report reads the text, too" reports_all -i "$work/text"
result "the text has no caches" says 11 kmemleak_leaks report -g cache -i "$work/text"

address=$(awk '/^unreferenced object 0x/ { print $3; exit }' $k)
result "why: nobody holds a leak" says 0 '[Nn]obody' why "$address"
result "why: no block is there" says 14 . why 0x10

rmmod kmemleak-test
echo check >$k
echo clear >$k
result "run: a command that leaks nothing" says 0 '(no|0) leaks' run -- true
result "run: a command that leaks" says 9 "$planted leaks" run --exit-code 9 -- \
	modprobe kmemleak-test
result "run: its exit status" says 3 . run -- sh -c 'exit 3'

echo off >$k
result "kmemleak is off" says 10 disabled scan
echo "1..$nr"
rm -rf "$work"
exit $failed
