#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Profile scans, of this machine's kernel or of a guest in user-mode Linux, which is a
# process here. Counts events, prints time by stage and by function, and writes folded
# stacks for flame graphs.
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/../tools/kmemleak/lib.sh"

here=$(cd "$(dirname "$0")" && pwd)
k=/sys/kernel/debug/kmemleak

usage()
{
	cat <<-EOT
	usage: perf-scan.sh [--scans N] [--frequency HZ] [--out DIR]
	       perf-scan.sh --uml [--kernel K] [--stock] [--cpus N] [--workers N]
	                    [--heap KIND] [--objects N] [...as above]
	  --scans N      scans to profile (default 3)
	  --frequency HZ samples a second and CPU (default 997)
	  --out DIR      where perf.data, stat.txt, stages.txt and scan.folded go
	                 (default: below the cache, by date)
	  --uml          profile the process of a guest: a kernel of make kernel, with a
	                 heap of KIND (dense) and N blocks (200000), N CPUs (1) and N
	                 workers (all CPUs)
	EOT
}

scans=3 frequency=997 out='' uml=0 kernel=7.3 stock=0 cpus=1 workers='' heap=dense objects=200000
parse_options "
	--scans scans count
	--frequency frequency count
	--out out text
	--uml uml flag
	--kernel kernel kernel
	--stock stock flag
	--cpus cpus count
	--workers workers count
	--heap heap dense|local|sparse|list|white
	--objects objects count
" "$@"
for word in $options_given; do
	case $uml$word in
	0--kernel | 0--stock | 0--cpus | 0--workers | 0--heap | 0--objects)
		usage_error "$word goes with --uml" ;;
	esac
done

command -v perf >/dev/null || die "perf is not installed" "run: apt-get install linux-perf"
results_directory perf

# Does this machine count an event? If not, perf prints "<not supported>" and succeeds.
counts()
{
	local said
	said=$(perf stat -x, -e "$1" true 2>&1) || return 1
	! grep -qE 'not supported|not counted' <<<"$said"
}

# Sets stat_events and sample_event.
choose_events()
{
	local e hardware=''
	for e in cycles instructions cache-misses LLC-load-misses dTLB-load-misses branch-misses; do
		! counts "$e" || hardware=$hardware,$e
	done
	stat_events=task-clock,context-switches,cpu-migrations,page-faults$hardware
	sample_event=cpu-clock
	case $hardware, in
	*,cycles,*) sample_event=cycles ;;
	*) note "no hardware events here (a virtual machine?): software events only, so nothing about cycles and cache misses" ;;
	esac
}

summary()
{
	perf script -i "$out/perf.data" -F comm,pid,tid,cpu,time,period,event,trace,ip,sym 2>/dev/null |
		"$here/perf_stages.py" --folded "$out/scan.folded" - | tee "$out/stages.txt"
	note "  ok  $out: perf.data, stat.txt, stages.txt, scan.folded"
}

profile_live()
{
	local traced=()
	[ "$(id -u)" = 0 ] || die "a scan of this kernel needs root" "or profile a guest: --uml"
	[ -w $k ] || die "there is no $k" "boot a kernel with CONFIG_DEBUG_KMEMLEAK and mount debugfs, or profile a guest: --uml"
	# The first scan takes checksums and fills caches, and fails if kmemleak is off.
	echo scan >$k || die "kmemleak does not scan" "is it off?"

	# shellcheck disable=SC2016 # the inner shell's
	local loop='for i in $(seq "$1"); do echo scan >"$2"; done'
	perf stat -a -e "$stat_events" -o "$out/stat.txt" -- sh -c "$loop" sh "$scans" $k
	cat "$out/stat.txt"
	if perf list 'kmemleak:*' 2>/dev/null | grep -q 'kmemleak:.*stage'; then
		traced=(-e 'kmemleak:*')
	else
		note "no tracepoints kmemleak:*: stages are told by the functions on the stack"
	fi
	# -F would sample tracepoints, too
	perf record -q -a -g -e "$sample_event/freq=$frequency/" "${traced[@]}" -o "$out/perf.data" -- \
		sh -c "$loop" sh "$scans" $k
	summary
}

# The guest's kernel is a program here, with symbols and frame pointers. Its processes are
# recorded, too: only samples with a scan on their stacks count.
profile_guest()
{
	local args=(--kernel "$kernel") module
	[ $stock = 0 ] || { args+=(--stock); workers=stock; }
	"$KML_TOOLS/build-kernel.sh" "${args[@]}"
	"$KML_TOOLS/build-deps.sh" guest
	module=$("$here/kernel/build.sh" "${args[@]}")
	local guest=("$KML_TOOLS/run.sh" "${args[@]}" --cpus "$cpus" --mem $((320 + objects / 1500))M
		--quiet --timeout 900 --log "$out/console" --add "$module:/kml/kmemleak_scale.ko"
		--env "HEAP=$heap" --env "OBJECTS=$objects" --env "SCANS=$((scans + 1))"
		--env "WORKERS=${workers:-$cpus}" -- "$here/kernel/guest-perf.sh")
	note "events are of the whole guest, boot included; stages only of its scans"
	logged "$out/guest.log" "a guest under perf: $cpus CPU(s), $objects blocks, $scans scans" \
		perf stat -e "$stat_events" -o "$out/stat.txt" -- \
		perf record -q --sample-cpu --call-graph fp -F "$frequency" -e "$sample_event" -o "$out/perf.data" -- "${guest[@]}"
	cat "$out/stat.txt"
	summary
}

choose_events
if [ $uml = 1 ]; then profile_guest; else profile_live; fi
