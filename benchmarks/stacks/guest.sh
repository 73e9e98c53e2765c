#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs in the guest: has tasks leak and sleep, or end; then scans with stacks read in each
# way of ORDER (whole, live, off), and counts reported leaks. See bench-stacks.sh.
set -eu

file=/sys/kernel/debug/kmemleak
live=/sys/module/kmemleak/parameters/live_stacks
plant=/sys/kernel/debug/kmemleak-sleepers/plant

way()
{
	case $1 in
	whole) echo 0 >$live; echo stack=on >$file ;;
	live) echo 1 >$live; echo stack=on >$file ;;
	off) echo stack=off >$file ;;
	esac
}

echo scan=off >$file
insmod /kml/stacks/kmemleak_sleepers.ko seed="$SEED"
# stacks are read as blocks, too, until they were read once by live_stacks
way "${ORDER%% *}"
echo scan >$file
echo "threads $SLEEPERS" >$plant
/kml/stacks/sleepers sleep "$SLEEPERS"
echo "works $ENDERS" >$plant
echo "ends $ENDERS" >$plant
/kml/stacks/sleepers end "$ENDERS"
sleep 1
echo scan >$file
# younger blocks are not reported
sleep 6
for w in $ORDER; do
	way "$w"
	# the first scan takes checksums of blocks that were referenced before
	echo scan >$file
	echo scan >$file
	/kml/stacks/sleepers count "$w"
done
