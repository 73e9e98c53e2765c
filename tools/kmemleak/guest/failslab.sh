# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Runs in the guest (DEBUG build): make slab and page allocations fail at
# random under a load of system calls and scans, 1, 10 and 50 of a hundred.
# kmemleak must survive it: enabled afterwards, finding a leak planted afterwards,
# no complaint logged.
set -u
k=/sys/kernel/debug/kmemleak
seconds=${1:-10}	# for each rate
# Counted down by each failure; never used up.
budget=100000000
uml=0
! grep -q 'User Mode Linux' /proc/cpuinfo || uml=1

fault()
{
	local d=/sys/kernel/debug/$1
	[ -d "$d" ] || { echo "ok 1 failslab # SKIP no $d"; exit 0; }
	echo Y >"$d/task-filter"
	echo 0 >"$d/verbose"
	echo $budget >"$d/times"
	echo 0 >"$d/space"
	# Sleeping allocations fail too, or hardly any of ours would.
	[ ! -f "$d/ignore-gfp-wait" ] || echo N >"$d/ignore-gfp-wait"
	# Pages, too, and not only blocks of several; in UML programs die of it all
	# the time.
	if [ -f "$d/min-order" ] && [ $uml = 0 ]; then
		echo 0 >"$d/min-order"
	fi
	echo "$2" >"$d/probability"
}

# Where fork() ran out of memory copying vmas, flush_tlb_mm() of UML 6.12 takes the
# mark of it in the maple tree (XA_ZERO_ENTRY) for a vma. Nothing to do with us.
case $(uname -r):$uml in
6.*:1)
	echo "ok 1 failslab # SKIP UML 6.12 crashes when fork() runs out of memory"
	exit 0
	;;
esac

# result <what> <command...>
result()
{
	local what=$1
	shift
	n=$((n + 1))
	if "$@"; then echo "ok $n $what"; else echo "not ok $n $what"; failed=1; fi
}

scan()
{
	echo scan >$k
}

n=0 failed=0
echo scan=off >$k
# Only this shell and its children see failures. Commands fail, and now and
# then the shell itself dies of one: the caller starts the next.
burst()
{
	echo 1 >/proc/self/make-it-fail
	local i
	for i in 1 2 3 4 5 6 7 8; do
		mkdir -p "/tmp/f$1/d$i"
		echo x >"/tmp/f$1/d$i/file"
		cat /proc/self/maps /proc/slabinfo $k
		ls -lR "/tmp/f$1"
		echo scan=off >$k
	done
	[ "$1" != 2 ] || scan
}

load()
{
	local end=$((SECONDS + seconds)) bursts=0
	while [ $SECONDS -lt $end ]; do
		(burst "$1") >/dev/null 2>&1
		rm -rf "/tmp/f$1"
		bursts=$((bursts + 1))
	done
	echo "# load $1: $bursts bursts"
}

left()
{
	cat /sys/kernel/debug/failslab/times /sys/kernel/debug/fail_page_alloc/times |
		awk '{ sum += $1 } END { print sum }'
}

for rate in 1 10 50; do
	fault failslab $rate
	fault fail_page_alloc $rate
	load 1 &
	load 2
	wait
	injected=$((2 * budget - $(left)))
	for d in failslab fail_page_alloc; do
		echo 0 >/sys/kernel/debug/$d/probability
	done
	echo "# $rate %: $injected allocations failed"
	result "$rate %: allocations did fail" [ $injected -ge 20 ]
	result "$rate %: scan works after it" scan
done
echo clear >$k
# Twice: the object's last reference may sit in a stale stack slot once.
leaks=0
for _ in 1 2; do
	modprobe kmemleak-test && rmmod kmemleak-test
	scan
	sleep 5.5
	scan
	leaks=$(grep -c '^unreferenced object' $k)
	[ "$leaks" -eq 0 ] || break
done
result "a leak planted after the failures is found" [ "$leaks" -gt 0 ]
exit $failed
