# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2317 # functions are called by name
#
# Runs in the guest (DEBUG build): slab and page allocations fail at random, 1, 10
# and 50 of a hundred, under a load of system calls, while scans run that are spared
# and scans that are not; with one CPU that scans, then with all. Then kmemleak's own
# allocations fail, all of them, until the reserve is in use, and until it runs dry.
#
# kmemleak must survive it: on, nothing reported that is in use, leaks found as
# long as the reserve lasts, no complaint logged.
set -u
here=$(dirname "${BASH_SOURCE[0]}")
[ -e "$here/holders.sh" ] || here=/kml/guest
# shellcheck source=tools/kmemleak/guest/holders.sh
. "$here/holders.sh"
k=/sys/kernel/debug/kmemleak
stats=/sys/kernel/debug/kmemleak_stats
kst=/sys/kernel/debug/kmemleak_selftest/cmd
modules=/kml/kselftest/kmemleak/test_modules
# holders.sh
pages=/sys/kernel/debug/kmemleak_pages
find=/sys/kernel/debug/kmemleak_find
seconds=${1:-10}	# each load lasts a third of it
injectors='failslab fail_page_alloc'
# Counted down by each failure; never used up.
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
# Where fork() ran out of memory copying vmas, flush_tlb_mm() of UML 6.12 takes the
# mark of it in the maple tree (XA_ZERO_ENTRY) for a vma. Nothing to do with us.
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
	# Sleeping allocations fail too, or hardly any of ours would.
	[ ! -f "$d/ignore-gfp-wait" ] || echo N >"$d/ignore-gfp-wait"
	# Pages, too, and not only blocks of several; in UML programs die of it all
	# the time.
	if [ -f "$d/min-order" ] && [ $uml = 0 ]; then
		echo 0 >"$d/min-order"
	fi
	echo "$2" >"$d/probability"
}

# How often an injector has struck since fault().
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

# Only the shell that calls this and its children see failures.
expose()
{
	until { echo "$1" >"/proc/self/make-it-fail"; } 2>/dev/null; do :; done
}

# Commands fail, and now and then the shell itself dies of one: the caller starts the
# next. What it has made stays: what is known of it may be in the reserve only, and
# refer to what is not.
burst()
{
	expose 1
	local i
	# without a process of its own, or hardly any would be left to fail
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

# load <number> <seconds>: so long, or until enough has failed: at 1 % on a machine
# that is emulated and has to wait for its host, that may take longer.
load()
{
	local start=$SECONDS bursts=0
	while [ $((SECONDS - start)) -lt "$2" ] || { ! enough && [ $((SECONDS - start)) -lt 40 ]; }; do
		(burst "$1" $bursts) >/dev/null 2>&1
		bursts=$((bursts + 1))
	done
	echo "# load $1: $bursts bursts"
}

# Scans without end, until there is $tmp/stop, by a shell that is spared.
scans()
{
	local asked=0
	until [ -e "$tmp/stop" ]; do
		scan
		asked=$((asked + 1))
	done
	echo $asked >"$tmp/scans"
}

# The same by one that is not. It forks for nothing and opens nothing, so that it is
# there for long, and what fails is the scan's.
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

# Two scans, between which what there is comes of age, when RCU has let go of what
# was freed.
settle()
{
	echo drain >"$kst"
	scan
	sleep 5.5
	scan
	echo "# $SECONDS s: $(stat_of reserved) reserved so far, $(stat_of reserve_blocks) now, $(stat_of lost) lost"
}

# Nothing leaks here but what a path of the kernel's forgets whose allocation failed;
# none was seen.
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
		"ours for want of memory: $reserved reserved, $lost lost"
	read -r spared <"$tmp/scans"
	read -r asked finished < <(awk '{ a += $1; f += $2 } END { print a + 0, f + 0 }' "$tmp/failing_scans" /dev/null)
	echo "# $what: $SECONDS s; scans: $(($(stat_of scans) - before)), $spared spared, $finished of $asked not;" \
		"$(stat_of reserve_blocks) in the reserve, dry $(stat_of reserve_dry), $(stat_of objects) objects"
	result "$what: allocations of the slab failed" [ "$(struck failslab)" -ge 20 ]
	[ $uml = 1 ] || result "$what: allocations of pages failed" [ "$struck_pages" -gt 0 ]
	result "$what: scans went on" [ "$spared" -gt 0 ]
	result "$what: scans were asked for whose memory fails" [ "$asked" -gt 0 ]
	result "$what: kmemleak is on" grep -qx 'enabled 1' $stats
	result "$what: nothing is reported that is in use" nothing_reported
	rm -rf "$tmp"/[12]*
	echo clear >$k
}

# Nothing but what kmemleak knows objects by, for whoever allocates.
own_fail()
{
	local cache
	for cache in /sys/kernel/slab/kmemleak_*/failslab; do
		case $cache in
		# a scan without these is none, and the reserve is for later
		*_reserve/* | *_work/* | *_worker/* | *_bloom/*) ;;
		*) echo 1 >"$cache" || return 1 ;;
		esac
	done
	fault failslab 0
	echo N >/sys/kernel/debug/failslab/task-filter
	echo Y >/sys/kernel/debug/failslab/cache-filter
}

# The counter, in $value; without a process, whose objects would be more to fail.
stat_now()
{
	local line lines
	mapfile -t lines <$stats
	for line in "${lines[@]}"; do
		[ "${line% *}" != "$1" ] || value=${line#* }
	done
}

# fill <counter>: objects without memory for what is known of them, until the counter
# moves. The pool that serves at boot serves then, too: there are many before there
# is use for the reserve, and the steps are small, as that has room for 512. On one
# CPU: each has some in stock, too.
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

# Slots are memory that nothing refers to, as in the other tests: see kst_pool.c.
make_pool()
{
	local i address keys=()
	declare -A listed=()
	echo "pool try" >"$kst"
	mapfile -t keys <"$kst"
	settle
	while read -r address; do
		listed[$address]=1
	done < <(awk '/^unreferenced object/ { print $3 }' "$k")
	for i in "${!keys[@]}"; do
		printf -v address '0x%08x' $((keys[i] ^ 0xa5a5a5a5a5a5a5a5))
		[ -n "${listed[$address]:-}" ] || echo "pool reject $i" >"$kst"
	done
	echo "# ${#listed[@]} reported, of ${#keys[@]} that are the pool"
	echo "pool use" >"$kst"
}

# How many of the slots are reported: of all that must be, whatever hides the others.
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

# A mark reads the pages in use, and the tracked blocks in them as such; the search
# for what untracked pages refer to reads them once more. The kernel itself and struct
# pages are in use, too, but not in MemTotal.
in_use_is_read()
{
	local kib marks used
	kib=$(($(stat_of scan_bytes) / 1024)) marks=$(stat_of scan_marks)
	used=$(awk '/^MemTotal:/ { n += $2 } /^MemFree:/ { n -= $2 } END { print n }' /proc/meminfo)
	echo "# $kib KiB read by $marks marks, $used KiB in use of $(awk '/^MemTotal:/ { print $2 }' /proc/meminfo)"
	[ "$kib" -ge $((marks * used / 2)) ] && [ "$kib" -le $(((marks + 1) * (2 * used + 65536))) ]
}

own_failures()
{
	local i in lost value
	make_pool
	own_fail || { result "kmemleak's own can be made to fail" false; return; }
	stat_now lost
	lost=$value
	# used by what will be in the reserve; leaks
	echo "burst page 0 6 64" >"$kst"
	echo "burst page 6 6 64" >"$kst"
	result "kmemleak's own fail, and the reserve is used" fill reserved
	# Each in more than one: what is freed meanwhile gives room for one to be known,
	# and that is a leak, with what it refers to.
	for ((i = 0; i < 6; i++)); do
		for in in 50 80 110 140; do
			echo "store $i 0 $((in + i)) 0" >"$kst"
		done
	done
	settle
	result "the reserve has room" grep -qx "lost $lost" $stats
	result "what only blocks in the reserve refer to is not reported" reported 0 0
	result "nor what hangs by them" [ "$(grep -c ' kst_chain_grow[+.]' $k)" -eq 0 ]
	result "leaks are" reported 6 6
	planted
	# which is refilled as soon as half of it is used
	echo 1 >/sys/kernel/slab/kmemleak_reserve/failslab
	result "the reserve runs dry" fill lost
	settle
	result "all memory is taken as referencing" grep -qx 'reserve_dry 1' $stats
	result "all that is in use is read, and no more" in_use_is_read
	result "what is in use is still not reported" reported 0 0
	result "nor what hangs by that" [ "$(grep -c ' kst_chain_grow[+.]' $k)" -eq 0 ]
	result "kmemleak is on" grep -qx 'enabled 1' $stats
	echo reset >"$kst"
	result "scan works after it" scan
}

# Not all: kmemleak's own still fail, and what is in the reserve is no leak.
planted()
{
	local leaks=0
	for _ in 1 2; do
		modprobe kmemleak-test || break
		settle
		leaks=$(grep -c '\[kmemleak_test\]' $k)
		rmmod kmemleak-test
		[ "$leaks" -eq 0 ] || break
	done
	result "a leak planted after the failures is found" [ "$leaks" -gt 0 ]
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
