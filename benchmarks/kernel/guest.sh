# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Runs in the guest: all benches in a kernel. Prints lines for collect.py, with tabs:
#   KMLB figure <bench> <parameters> <unit> <workers> <value> [at-least]
#
# From the environment: OBJECTS of the large dense heap, SMALL of the others,
# HEAPS of that size, LEAKS planted in each, RUNS of a row and BUDGET (seconds; after
# them a row has no more runs, but at least three), LOOPS of pairs, CHURN blocks, LIMIT
# (seconds; a scan with churning threads is stopped then), WORKERS: numbers of workers,
# like "1 2", or "stock".
# shellcheck disable=SC2153 # from the environment
set -u
k=/sys/kernel/debug/kmemleak
p=/sys/module/kmemleak_scale/parameters
min_unref=/sys/module/kmemleak/parameters/min_unref_scans
cpus=$(nproc)
workers=stock

die()
{
	echo "error: $*" >&2
	exit 1
}

# figure <bench> <parameters> <unit> <value> [at-least]
figure()
{
	printf 'KMLB\tfigure\t%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$workers" "$4" "${5:-}"
}

choose_workers()
{
	workers=$1
	[ "$workers" = stock ] || echo "parallel=$workers" >$k ||
		die "this kmemleak has no command parallel=$workers"
}

# Sets took, in us. By the shell's clock: no process is started in between.
timed_scan()
{
	local t0=${EPOCHREALTIME/./}
	echo scan >$k || die "a scan failed"
	took=$((${EPOCHREALTIME/./} - t0))
}

# As above, but a signal stops it after LIMIT seconds, and sets stopped to 1.
stopped=0
limited_scan()
{
	local me=$$ guard
	stopped=0
	trap 'stopped=1' USR1
	# shellcheck disable=SC2064 # the pid is known now
	(sleep "$LIMIT" && kill -USR1 "$me") 2>/dev/null &
	guard=$!
	timed_scan
	kill "$guard" 2>/dev/null
	wait "$guard" 2>/dev/null
}

# The time from a signal to the end of the scan that it stops. Scans take TOOK us without
# a signal, which is sent at several times in their middle. The sender reads the clock
# before it sends, so the figure contains its system call.
# stops <parameters> <took>
stops()
{
	local me=$$ sent=/tmp/sent n=$((4 * RUNS)) i us guard t0 t1
	# on average each takes half a scan
	[ $(($2 * n / 2)) -lt $((BUDGET * 1000000)) ] || n=3
	trap ':' USR1
	for ((i = 1; i <= n; i++)); do
		rm -f $sent
		us=$(($2 / 10 + $2 * i * 8 / ((n + 1) * 10)))
		(sleep "$((us / 1000000)).$(printf %06d $((us % 1000000)))" && t0=$EPOCHREALTIME &&
			kill -USR1 "$me" && echo "$t0" >$sent) 2>/dev/null &
		guard=$!
		echo scan >$k
		t1=${EPOCHREALTIME/./}
		# the signal may end the first
		wait "$guard" || wait "$guard"
		# no figure if the scan has ended before the signal
		read -r t0 <$sent || die "nothing has stopped a scan"
		t0=${t0/./}
		[ "$t0" -ge "$t1" ] || figure scan-stop "$1" us $((t1 - t0))
	done
}

# The time of scan=off during a scan of the scan thread.
# offs <parameters> <took>
offs()
{
	local n=$((4 * RUNS)) i us t0
	[ $(($2 * n)) -lt $((BUDGET * 1000000)) ] || n=3
	for ((i = 1; i <= n; i++)); do
		us=$(($2 / 10 + $2 * i * 8 / ((n + 1) * 10)))
		echo scan=on >$k
		sleep "$((us / 1000000)).$(printf %06d $((us % 1000000)))"
		t0=${EPOCHREALTIME/./}
		echo scan=off >$k
		figure scan-off "$1" us $((${EPOCHREALTIME/./} - t0))
	done
}

# scans <bench> <parameters>: RUNS figures, or fewer, within the budget
scans()
{
	local i spent=0 least=3
	for ((i = 0; i < RUNS; i++)); do
		[ "$i" -lt "$least" ] || [ $spent -lt $((BUDGET * 1000000)) ] || break
		limited_scan
		figure "$1" "$2" us "$took" "${stopped/1/at-least}"
		spent=$((spent + took))
		# a scan that was stopped at the limit is not repeated
		[ "$stopped" = 0 ] || break
	done
}

# Lines of the module in the log since the last call, as "name value unit".
said()
{
	dmesg | sed -n 's/.*kmemleak_scale: \([^ ]* [0-9]* [a-z]*\)$/\1/p'
	dmesg -C
}

run()
{
	echo "$1" >$p/run || { dmesg | tail -n 3; die "kmemleak_scale: run=$1 failed"; }
}

load()
{
	insmod /kml/kmemleak_scale.ko "$@" || { dmesg | tail -n 3; die "kmemleak_scale $* cannot be loaded"; }
}

unload()
{
	rmmod kmemleak_scale || die "kmemleak_scale cannot be unloaded"
	# forget old reports: later ones are of new leaks
	echo clear >$k
}

# Print the module's results as figures of <bench> <parameters>. Their names end in the
# number of threads.
module_figures()
{
	local name value unit
	said | while read -r name value unit; do
		case $unit in
		ps) figure "$1${name%_*}" "$2" ns "$((value / 1000)).$(printf %03d $((value % 1000)))" ;;
		ns) figure "$1${name%_*}" "$2" ns "$value" ;;
		esac
	done
}

bench_pairs()
{
	local threads test i
	dmesg -C
	load loops="$LOOPS" objects=20000
	for ((threads = 1; threads <= cpus; threads++)); do
		echo "$threads" >$p/nthreads
		for test in pairs cold untracked stack latency; do
			for ((i = 0; i < RUNS; i++)); do
				run $test
				module_figures '' "threads=$threads"
			done
		done
	done
	unload
}

# During allocations and frees by threads, each of which is timed.
bench_latency()
{
	local begin=$SECONDS
	echo "$cpus" >$p/nthreads
	echo 4096 >$p/objects
	echo 18446744073709551615 >$p/loops
	dmesg -C
	run background-latency
	while :; do
		limited_scan
		figure scan-timed-pairs "$1" us "$took" "${stopped/1/at-least}"
		[ $((SECONDS - begin)) -lt "$LATENCY_SECONDS" ] || break
	done
	run stop
	module_figures scanned- "$1"
}

# bench_heap <kind> <objects> <full 0|1>
bench_heap()
{
	local what="heap=$1 objects=$2 cpus=$cpus" w
	dmesg -C
	load heap="$1" objects="$2" leaks="$LEAKS"
	said | while read -r _ value _; do figure heap-size "$what" bytes "$value"; done
	run plant
	# take checksums, and wait until blocks are old enough to be reported
	timed_scan
	sleep 5.1
	dmesg -C
	if [ "$3" = 1 ] && [ -e $min_unref ]; then
		# never reported: they stay suspects, which each scan confirms
		echo 1000 >$min_unref
		for w in $WORKERS; do
			choose_workers "$w"
			scans scan-suspects "$what"
		done
		echo 1 >$min_unref
	fi
	timed_scan
	for w in $WORKERS; do
		choose_workers "$w"
		scans scan "$what"
		[ "$stopped" = 1 ] || { stops "$what" "$took"; offs "$what" "$took"; }
		[ "$3" = 0 ] || [ "$1" != dense ] || bench_latency "$what"
	done
	unload
}

bench_churn()
{
	local w what="blocks=$CHURN cpus=$cpus"
	load nthreads="$cpus" objects=$((CHURN / cpus))
	for w in $WORKERS; do
		choose_workers "$w"
		echo 0 >$p/loops
		run background-churn
		timed_scan
		scans scan-idle "$what"
		run stop
		echo 18446744073709551615 >$p/loops
		dmesg -C
		run background-churn
		scans scan-churn "$what"
		run stop
		module_figures scanned- "$what"
	done
	unload
}

echo scan=off >$k || die "kmemleak is not running here"
timed_scan
echo clear >$k
dmesg -C
for w in $WORKERS; do
	choose_workers "$w"
	scans scan-booted "cpus=$cpus"
done
choose_workers "${WORKERS%% *}"
bench_pairs
bench_churn
for heap in $HEAPS; do
	bench_heap "$heap" "$SMALL" 1
done
[ "$OBJECTS" -eq 0 ] || bench_heap dense "$OBJECTS" 0
