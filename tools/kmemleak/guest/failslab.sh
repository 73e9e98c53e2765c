# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2317 # functions are called by name
#
# Runs in the guest (DEBUG build). First, 1, 10 and 50 % of the slab and page allocations
# fail, at random, under a load of system calls. Meanwhile two tasks scan, one that the
# failures spare and one that they hit; first with one worker, then with all. Second,
# all allocations of kmemleak itself fail, until the reserve is in use, and then until
# it is empty.
#
# kmemleak must stay enabled, report no block that is in use, find leaks as long as the
# reserve has room, and log no complaint.
set -u
here=$(dirname "${BASH_SOURCE[0]}")
[ -e "$here/holders.sh" ] || here=/kml/guest
# shellcheck source=tools/kmemleak/guest/holders.sh
. "$here/holders.sh"
k=/sys/kernel/debug/kmemleak
stats=/sys/kernel/debug/kmemleak_stats
kst=/sys/kernel/debug/kmemleak_selftest/cmd
modules=/kml/kselftest/kmemleak/test_modules
# for holders.sh
pages=/sys/kernel/debug/kmemleak_pages
find=/sys/kernel/debug/kmemleak_find
seconds=${1:-10}	# each load lasts a third of it
injectors='failslab fail_page_alloc'
# Each failure decrements it; it never reaches 0.
budget=100000000
uml=0
! grep -q 'User Mode Linux' /proc/cpuinfo || uml=1
tmp=$(mktemp -d)

n=0 failed=0
# result <what> <command...>
result()
{
	local what=$1
	shift
	n=$((n + 1))
	if "$@"; then echo "ok $n $what"; else echo "not ok $n $what"; failed=1; fi
}

for d in $injectors; do
	if [ ! -d "/sys/kernel/debug/$d" ]; then
		echo "ok 1 failslab # SKIP no /sys/kernel/debug/$d"
		exit 0
	fi
done
# If fork() finds no memory for a vma, flush_tlb_mm() of UML 6.12 takes the XA_ZERO_ENTRY
# in the maple tree for a vma. That is not a fault of kmemleak.
case $(uname -r):$uml in
6.*:1)
	echo "ok 1 failslab # SKIP UML 6.12 crashes when fork() runs out of memory"
	exit 0
	;;
esac

fault()
{
	local d=/sys/kernel/debug/$1
	echo Y >"$d/task-filter"
	echo 0 >"$d/verbose"
	echo $budget >"$d/times"
	echo 0 >"$d/space"
	# Sleeping allocations fail, too: few of kmemleak's are atomic.
	[ ! -f "$d/ignore-gfp-wait" ] || echo N >"$d/ignore-gfp-wait"
	# Single pages, too, except on UML, where programs die of it all the time.
	if [ -f "$d/min-order" ] && [ $uml = 0 ]; then
		echo 0 >"$d/min-order"
	fi
	echo "$2" >"$d/probability"
}

# The failures of an injector since fault().
struck()
{
	echo $((budget - $(cat "/sys/kernel/debug/$1/times")))
}

enough()
{
	[ "$(struck failslab)" -ge 20 ] && { [ $uml = 1 ] || [ "$(struck fail_page_alloc)" -ge 2 ]; }
}

stat_of()
{
	awk -v key="$1" '$1 == key { print $2 }' $stats
}

scan()
{
	echo scan >$k
}

# Failures hit only the shell that calls this, and its children.
expose()
{
	until { echo "$1" >"/proc/self/make-it-fail"; } 2>/dev/null; do :; done
}

# Commands fail, and sometimes the shell dies; the caller then starts the next one. Its
# files stay: some of their blocks may be in the reserve, and refer to others that are
# not.
burst()
{
	expose 1
	local i
	# without more processes: most of them would not start
	for ((i = 0; i < 40; i++)); do
		echo x >"$tmp/$1.$2.$i" && read -r _ <"$tmp/$1.$2.$i"
	done
	for i in 1 2 3; do
		mkdir -p "$tmp/$1/$2/d$i"
		echo x >"$tmp/$1/$2/d$i/file"
		cat /proc/self/maps /proc/slabinfo $k
		ls -lR "$tmp/$1/$2"
		echo scan=off >$k
	done
}

# load <number> <seconds>: for that time, or until enough allocations have failed, which
# takes longer at 1 % on an emulated machine
load()
{
	local start=$SECONDS bursts=0
	while [ $((SECONDS - start)) -lt "$2" ] || { ! enough && [ $((SECONDS - start)) -lt 40 ]; }; do
		(burst "$1" $bursts) >/dev/null 2>&1
		bursts=$((bursts + 1))
	done
	echo "# load $1: $bursts bursts"
}

# Scan until $tmp/stop exists, in a shell that failures spare.
scans()
{
	local asked=0
	until [ -e "$tmp/stop" ]; do
		scan
		asked=$((asked + 1))
	done
	echo $asked >"$tmp/scans"
}

# The same in a shell that failures hit. It does not fork and opens no file, so that it
# lives long, and only allocations of the scan fail.
failing_scans()
{
	local asked=0 finished=0
	exec 3>$k
	expose 1
	until [ -e "$tmp/stop" ]; do
		asked=$((asked + 1))
		{ echo scan >&3; } 2>/dev/null && finished=$((finished + 1))
	done
	expose 0
	echo "$asked $finished" >>"$tmp/failing_scans"
}

keep_failing_scans()
{
	until [ -e "$tmp/stop" ]; do
		(failing_scans) 2>/dev/null
	done
}

# Wait for RCU, and scan twice. Between the scans, blocks become old enough to be reported.
settle()
{
	echo drain >"$kst"
	scan
	sleep 5.5
	scan
	echo "# $SECONDS s: $(stat_of reserved) reserved so far, $(stat_of reserve_blocks) now, $(stat_of lost) lost"
}

# A leak may only come from an error path of the kernel that leaks when an allocation
# fails; none was seen.
nothing_reported()
{
	settle
	[ -z "$(head -c 1 "$k")" ] || ! sed 's/^/# /' "$k"
}

# run <percent> <mode> <seconds>: under load, and after it
run()
{
	local rate=$1 mode=$2 d before reserved lost asked finished spared struck_pages loads
	local what="$mode, $rate %"
	before=$(stat_of scans) reserved=$(stat_of reserved) lost=$(stat_of lost)
	rm -f "$tmp/stop" "$tmp/scans" "$tmp/failing_scans"
	for d in $injectors; do
		fault "$d" "$rate"
	done
	load 1 "$3" &
	loads=$!
	scans &
	keep_failing_scans &
	load 2 "$3"
	wait $loads
	: >"$tmp/stop"
	wait
	for d in $injectors; do
		echo 0 >"/sys/kernel/debug/$d/probability"
	done
	struck_pages=$(struck fail_page_alloc)
	reserved=$(($(stat_of reserved) - reserved)) lost=$(($(stat_of lost) - lost))
	echo "# $what: $(struck failslab) of the slab's and $struck_pages of the page allocator's failed;" \
		"blocks without metadata: $reserved in the reserve, $lost lost"
	read -r spared <"$tmp/scans"
	read -r asked finished < <(awk '{ a += $1; f += $2 } END { print a + 0, f + 0 }' "$tmp/failing_scans" /dev/null)
	echo "# $what: $SECONDS s; scans: $(($(stat_of scans) - before)), $spared spared, $finished of $asked not;" \
		"$(stat_of reserve_blocks) in the reserve, $(stat_of lost_pages) pages with lost blocks, $(stat_of objects) objects"
	result "$what: allocations of the slab failed" [ "$(struck failslab)" -ge 20 ]
	[ $uml = 1 ] || result "$what: allocations of pages failed" [ "$struck_pages" -gt 0 ]
	result "$what: scans went on" [ "$spared" -gt 0 ]
	result "$what: scans were started whose allocations fail" [ "$asked" -gt 0 ]
	result "$what: kmemleak is on" grep -qx 'enabled 1' $stats
	result "$what: no block in use is reported" nothing_reported
	rm -rf "$tmp"/[12]*
	echo clear >$k
}

# Only allocations of kmemleak's metadata fail, in all tasks.
own_fail()
{
	local cache
	for cache in /sys/kernel/slab/kmemleak_*/failslab; do
		case $cache in
		# a scan needs these, and the reserve fails later
		*_reserve/* | *_work/* | *_worker/* | *_bloom/*) ;;
		*) echo 1 >"$cache" || return 1 ;;
		esac
	done
	fault failslab 0
	echo N >/sys/kernel/debug/failslab/task-filter
	echo Y >/sys/kernel/debug/failslab/cache-filter
}

# Read a counter into $value without another process, whose allocations would fail, too.
stat_now()
{
	local line lines
	mapfile -t lines <$stats
	for line in "${lines[@]}"; do
		[ "${line% *}" != "$1" ] || value=${line#* }
	done
}

# fill <counter>: allocate objects, for whose metadata there is no memory, until the
# counter changes. The boot pool is used first, so many objects are needed before the
# reserve is used; the steps are small, since the reserve has room for 512. On one CPU,
# since each CPU has a stock of metadata.
fill()
{
	local before i
	taskset -pc 0 $$ >/dev/null
	stat_now "$1"
	before=$value
	echo 100 >/sys/kernel/debug/failslab/probability
	for ((i = 0; i < 900 && value == before; i++)); do
		echo "chain 100" >"$kst"
		stat_now "$1"
	done
	[ "$1" = lost ] || echo "burst kmalloc 12 150 64" >"$kst"
	echo 0 >/sys/kernel/debug/failslab/probability
	taskset -pc "0-$(($(nproc --all) - 1))" $$ >/dev/null
	echo "# $((i * 100)) objects until some were $1"
	[ "$value" -gt "$before" ]
}

# Fill the slots with memory to which nothing refers, as in the other tests: kst_pool.c.
make_pool()
{
	local i address keys=() free=0
	declare -A listed=()
	echo "pool try" >"$kst"
	mapfile -t keys <"$kst"
	settle
	while read -r address; do
		listed[$address]=1
	done < <(awk '/^unreferenced object/ { print $3 }' "$k")
	for i in "${!keys[@]}"; do
		printf -v address '0x%08x' $((keys[i] ^ 0xa5a5a5a5a5a5a5a5))
		if [ -n "${listed[$address]:-}" ]; then
			free=$((free + 1))
		else
			echo "pool reject $i" >"$kst"
		fi
	done
	echo "# $free of the ${#keys[@]} blocks of the pool are reported"
	echo "pool use" >"$kst"
}

# The number of blocks in six slots that are reported must be that: reported <slot> <number>
# If it is less, show the references to the others.
reported()
{
	local i listed=0
	: >"$tmp/hidden"
	for ((i = $1; i < $1 + 6; i++)); do
		echo "addr $i" >"$kst"
		if grep -q "^unreferenced object $(sed 's/.* //' "$kst") " "$k"; then
			listed=$((listed + 1))
		else
			echo "$(sed 's/.* //' "$kst") 64" >>"$tmp/hidden"
		fi
	done
	echo "# $listed of slots $1 to $(($1 + 5)) are reported"
	[ "$listed" != "$2" ] || return 0
	[ "$listed" -gt "$2" ] || ! insmod "$modules/kmemleak_find.ko" || holders "$tmp/hidden"
	return 1
}

own_failures()
{
	local i in lost value lost_pages before leaks cache
	result "leaks are found before" planted
	before=$leaks
	make_pool
	own_fail || { result "allocations of kmemleak can be made to fail" false; return; }
	stat_now lost
	lost=$value
	# the first are referenced by blocks in the reserve, the others are leaks
	echo "burst page 0 6 64" >"$kst"
	echo "burst page 6 6 64" >"$kst"
	result "allocations of kmemleak fail, and the reserve is used" fill reserved
	# Store each block in several others. Memory that is freed meanwhile may serve
	# as metadata of one of these, which is then a leak, with all it refers to.
	for ((i = 0; i < 6; i++)); do
		for in in 50 80 110 140; do
			echo "store $i 0 $((in + i)) 0" >"$kst"
		done
	done
	settle
	result "the reserve has room" grep -qx "lost $lost" $stats
	result "blocks to which only blocks in the reserve refer are not reported" reported 0 0
	result "nor are blocks to which those refer" [ "$(grep -c ' kst_chain_grow[+.]' $k)" -eq 0 ]
	result "leaks are reported" reported 6 6
	# not all are: allocations of kmemleak still fail, and blocks in the reserve are not
	# reported
	result "a leak planted after the failures is found" planted
	# the reserve is refilled as soon as half of it is used
	echo 1 >/sys/kernel/slab/kmemleak_reserve/failslab
	result "the reserve runs dry" fill lost
	settle
	lost_pages=$(stat_of lost_pages)
	echo "# $lost_pages pages have lost blocks, of $(stat_of lost)"
	result "pages with lost blocks are roots" [ "$lost_pages" -gt 0 ]
	result "blocks in use are still not reported" reported 0 0
	result "nor are blocks to which they refer" [ "$(grep -c ' kst_chain_grow[+.]' $k)" -eq 0 ]
	result "kmemleak is on" grep -qx 'enabled 1' $stats
	echo reset >"$kst"
	# return slab pages without objects
	for cache in /sys/kernel/slab/*/shrink; do
		echo 1 >"$cache"
	done
	settle
	result "fewer pages have lost blocks when these are freed" [ "$(stat_of lost_pages)" -lt "$lost_pages" ]
	result "each leak planted after it is found" planted "$before"
}

# planted [<at least>]: how many leaks of the sample are found, in $leaks. A leak that a
# stale word hides is found when it is planted again.
planted()
{
	leaks=0
	for _ in 1 2; do
		modprobe kmemleak-test || break
		settle
		leaks=$(grep -c '\[kmemleak_test\]' "$k")
		rmmod kmemleak-test
		[ "$leaks" -lt "${1:-1}" ] || break
	done
	echo "# $leaks lines of [kmemleak_test]"
	[ "$leaks" -ge "${1:-1}" ]
}

insmod "$modules/kmemleak_selftest.ko" || { echo "not ok 1 the module loads"; exit 1; }
echo scan=off >$k
settle
echo clear >$k
modes=serial
! echo parallel=on >$k || modes='serial parallel'
for mode in $modes; do
	case $mode in
	serial) echo parallel=off >$k ;;
	parallel) echo parallel=on >$k ;;
	esac
	for rate in 1 10 50; do
		run "$rate" "$mode" $(((seconds + 2) / 3))
	done
done
own_failures
rm -rf "$tmp"
exit $failed
