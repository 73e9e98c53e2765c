# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Runs in the guest, a kernel of CONFIG=busy: a load on all its subsystems, and scans at
# the same time. Nothing is leaked on purpose during the load, so each reported object
# is alive or was leaked by the kernel. Objects that are not listed at the end were
# alive; the others may be leaks. Then comes a control: samples/kmemleak leaks 14
# blocks. For each that is not reported, all words that point to it are shown, and their
# owners.
#
# From the environment: BUSY_SECONDS, the least duration of the load; BUSY_SCANS, the
# least number of scans during it (the load runs longer until each of its loops has done
# two rounds); BUSY_FLOOR, the number of leaks that must be reported.
# Prints TAP, and lines "# figure NAME VALUE".
set -u
here=$(dirname "${BASH_SOURCE[0]}")
[ -e "$here/busy-load.sh" ] || here=/kml/guest
# shellcheck source=tools/kmemleak/guest/busy-load.sh
. "$here/busy-load.sh"
# shellcheck source=tools/kmemleak/guest/busy-control.sh
. "$here/busy-control.sh"
# shellcheck source=tools/kmemleak/guest/holders.sh
. "$here/holders.sh"
k=/sys/kernel/debug/kmemleak
stats=/sys/kernel/debug/kmemleak_stats
pages=/sys/kernel/debug/kmemleak_pages
trial=/sys/module/kmemleak/parameters/trial
find=/sys/kernel/debug/kmemleak_find
find_module=/kml/kselftest/kmemleak/test_modules/kmemleak_find.ko
seconds=${BUSY_SECONDS:-60} scans=${BUSY_SCANS:-20} floor=${BUSY_FLOOR:-0}
failed=0

# result <status> <what>
result()
{
	if [ "$1" = 0 ]; then
		echo "ok - busy: $2"
	else
		echo "not ok - busy: $2"
		failed=1
	fi
}

# at_least <figure> <floor> <what>
at_least()
{
	[ "$1" -ge "$2" ]
	result $? "$3: $1, at least $2"
}

stat_of()
{
	awk -v key="$1" '$1 == key { print $2 }' $stats
}

# One scan, and the report after it: scan <load|after>
scan()
{
	nr=$((nr + 1))
	# all CPUs and one CPU in turn, if there is a choice
	[ ! -e $stats ] || tell "parallel=$([ $((nr % 2)) = 0 ] && echo on || echo off)"
	tell scan || scan_errors=$((scan_errors + 1))
	echo "=== SCAN $nr $1" >>$busy/reports
	cat $k >>$busy/reports
}
nr=0 scan_errors=0

# Wait until RCU has freed all blocks, and the others are old enough to be reported.
settle()
{
	echo settle >$find
	sleep 6
}

echo scan=off >$k || { result 1 "kmemleak is on"; exit 1; }
load_setup
result $? "the network and the file systems are set up"
[ $failed = 0 ] || exit 1

# The load, and scans.
begun=0
[ ! -e $stats ] || begun=$(($(stat_of scans) - $(stat_of scans_stopped)))
t0=$SECONDS
load_start
while [ $((SECONDS - t0)) -lt "$seconds" ] || [ $nr -lt "$scans" ] || ! load_has_worked; do
	scan load
	sleep 0.1
done
load_progress >$busy/progress
load_stop
echo "# the load has run for $((SECONDS - t0)) s, $nr scans"
load_stressors >$busy/stressors
load_teardown
result $? "the network and the file systems are removed"

# Has each loop and each kind of operation made progress?
while read -r name value; do
	echo "# figure $name $value"
	case $name in
	rounds_*) at_least "$value" "$min_rounds" "$name" ;;
	veth_mbytes | written_mbytes) at_least "$value" 4 "$name" ;;
	*) at_least "$value" 10 "$name" ;;
	esac
done <$busy/progress
awk '{ printf "%s %s, ", $1, $2 } END { print "" }' $busy/stressors | fold -s -w 90 |
	sed 's/^/# operations: /'
# There are some 50 kinds. A long operation may not have ended; on a machine with other
# load, operations of 28 kinds had.
at_least "$(awk '$2 > 0' $busy/stressors | wc -l)" 20 "kinds of operations"
if [ $failed != 0 ]; then
	for name in $loops; do
		echo "# $name said:"
		tail -n 4 "$busy/said.$name" 2>/dev/null | sed 's/^/#     /'
		grep -shE 'fail|skip|error' "$busy/stress.$name" | tail -n 12 | sed 's/^/#     /'
	done
fi

# The objects that are still listed without the load.
insmod $find_module || result 1 "kmemleak_find is there"
settle
for _ in 1 2 3; do
	scan after
done
at_least $nr "$scans" "scans"
if [ -e $stats ]; then
	[ $(($(stat_of scans) - $(stat_of scans_stopped) - begun)) = $nr ]
	result $? "no scan was stopped"
fi
[ $scan_errors = 0 ]
result $? "no scan failed"
awk -f "$here/busy-report.awk" $busy/reports | tee $busy/judged
reported=$(awk '$3 == "reported" { print $4 }' $busy/judged)
[ "$reported" = 0 ]
result $? "no object was reported during the load: $reported were"

# The control. Sheaves keep blocks of kfree_rcu() until they are full, and these blocks
# have the addresses of others. A module cannot flush them; the command "check" does, if
# there is one.
[ ! -e $stats ] || tell check
tell clear
# in a process of its own, so that its stack is freed
modprobe kmemleak-test
planted >$busy/planted
echo "# figure planted $(wc -l <$busy/planted)"
tell scan
sleep 6
tell scan
found found_first
tell scan
tell scan
found found
got=$(($(wc -l <$busy/planted) - $(wc -l <$busy/hidden)))

if [ -s $busy/hidden ]; then
	echo "# hidden: number, address and size"
	awk '{ print "#   " NR - 1, $0 }' $busy/hidden
	holders $busy/hidden
	# Without stacks: blocks that only stacks have hidden.
	tell stack=off
	tell scan
	found found_without_stacks
	tell stack=on
	# Without the trial: blocks that only odd offsets and untracked memory have hidden.
	if [ -e $trial ]; then
		echo N >$trial
		tell scan
		found found_without_trial
		echo Y >$trial
	fi
fi
at_least "$got" "$floor" "leaks found of $(wc -l <$busy/planted)"
exit $failed
