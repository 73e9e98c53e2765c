#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# In the guest: let tasks leak and sleep, or end; then read stacks in each way of
# ORDER (whole, live, off), and count what is reported. See bench-stacks.sh.
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
# stacks are blocks, too, until they were once read alive
way "${ORDER%% *}"
echo scan >$file
echo "threads $SLEEPERS" >$plant
/kml/stacks/sleepers sleep "$SLEEPERS"
echo "works $ENDERS" >$plant
echo "ends $ENDERS" >$plant
/kml/stacks/sleepers end "$ENDERS"
sleep 1
echo scan >$file
# nothing younger is reported
sleep 6
for w in $ORDER; do
	way "$w"
	# what was referenced before has a checksum after the first
	echo scan >$file
	echo scan >$file
	/kml/stacks/sleepers count "$w"
done
