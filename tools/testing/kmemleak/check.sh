#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# All tests of the user-space harness, each in the builds that can find most. Called by
# "make check", which sets BUILD and KSRC. Results on stdout as TAP, progress on stderr;
# the output of each test is kept in $BUILD/check/.
#   check.sh [PATTERN...]	only tests whose names contain one of these
set -u

here=$(cd "$(dirname "$0")" && pwd)
BUILD=${BUILD:-$here/build}
KSRC=${KSRC:-}
SEEDS=${SEEDS:-2000}
FUZZ_SECONDS=${FUZZ_SECONDS:-60}
logs=$BUILD/check
patterns=("$@")
# shellcheck source=tools/testing/kmemleak/check-lib.sh
. "$here/check-lib.sh"

mkdir -p "$logs"

# Run two commands at a time; a command is one word here.
# pair NAME COMMAND NAME COMMAND
pair()
{
	local n1=$1 c1=$2 n2=$3 c2=$4 s1=0 s2=0 t0=$SECONDS

	wanted "$n1" || wanted "$n2" || return 0
	bash -c "$c1" </dev/null >"$logs/${n1// /-}.log" 2>&1 &
	bash -c "$c2" </dev/null >"$logs/${n2// /-}.log" 2>&1 || s2=$?
	wait $! || s1=$?
	collect "$n1" "$s1" "$logs/${n1// /-}.log"
	collect "$n2" "$s2" "$logs/${n2// /-}.log"
	echo "# $n1, $n2: $((SECONDS - t0)) s" >&2
}

# build MODE|arm64; for arm64 only the tests of filters, in a directory of their own
build()
{
	local t0=$SECONDS
	local args=("MODE=$1" "KSRC=$KSRC" "BUILD=$BUILD" all)

	if [ "$1" = arm64 ]; then
		args=(CC=aarch64-linux-gnu-gcc KSRC= "BUILD=$BUILD/arm64"
		      "$BUILD/arm64/native/run-kunit" "$BUILD/arm64/native/filter_choice_test")
	fi
	echo "# building: $1" >&2
	if ! make -s -C "$here" -j"$(nproc)" "${args[@]}" >"$logs/build-$1.log" 2>&1; then
		result bad "build $1"
		tail -n 40 "$logs/build-$1.log" | sed 's/^/# /'
		return 1
	fi
	result good "build $1"
	echo "# built: $((SECONDS - t0)) s" >&2
}

native=$BUILD/native asan=$BUILD/asan tsan=$BUILD/tsan fuzz=$BUILD/fuzz

if build native; then
	run "kunit" "$native/run-kunit"
	run "kunit with tags" "$native/run-kunit-tags"
	run "filter choice" "$native/filter_choice_test"
	run "filter registers" "$native/filter_regs_test"
	run "abi" "$native/abi_test"
	run "check, mark, errors" "$native/check_test"
	run "the table of reports" "$native/report_test"
	run "heads and leaks for tools" "$native/leaks_test"
	run "who holds a block" "$native/refs_test"
	run "complaints of hooks" "$native/warn_test"
	if [ -n "$KSRC" ]; then
		# stock has no trial of suspects; with KMEMLEAK_TRIAL=N the oracle has none
		run "stock against the oracle" env KMEMLEAK_TRIAL=N KMEMLEAK_STRICT=Y \
			"$native/differ" "$native/run-stock" - 0 300
		run "ours with a trial against the oracle" "$native/differ" \
			"$native/run-ours" - 0 "$SEEDS"
		run "ours with a trial against the oracle, 3 workers" env \
			KMEMLEAK_PARALLEL=3 "$native/differ" "$native/run-ours" - \
			"$SEEDS" $((SEEDS + SEEDS / 4))
		export KMEMLEAK_TRIAL=N
		run "ours against stock" "$native/differ" "$native/run-ours" \
			"$native/run-stock" 0 "$SEEDS"
		run "ours against stock, 4 workers" env KMEMLEAK_PARALLEL=4 \
			"$native/differ" "$native/run-ours" "$native/run-stock" \
			"$SEEDS" $((SEEDS + SEEDS / 2))
		run "ours against stock, SIMD with IRQs on" env KMEMLEAK_SIMD=irqs-on \
			"$native/differ" "$native/run-ours" "$native/run-stock" \
			"$SEEDS" $((SEEDS + SEEDS / 4))
		run "ours against stock with tags" "$native/differ" -t \
			"$native/run-ours-tags" "$native/run-stock-tags" 0 $((SEEDS / 4))
		run "programs by hand" "$native/differ" "$native/run-ours" \
			"$native/run-stock" "$here"/progs/*.prog
		unset KMEMLEAK_TRIAL
	else
		result skip "ours against stock" "no KSRC: give a kernel tree"
	fi
	run "stacks of sleeping tasks" "$native/stack_test"
	run "stopped scans" "$native/stop_test"
	run "stopped scans, 3 workers" env KMEMLEAK_PARALLEL=3 "$native/stop_test" 3
	run "hotplug of memory and CPUs" "$native/hotplug_test"
	run "references that move during a scan" "$native/confirm_test"
	run "blocks allocated during a scan" "$native/birth_test"
	run "blocks allocated during a scan, 3 workers" env KMEMLEAK_PARALLEL=3 "$native/birth_test"
	run "memory given back" "$native/giveback_test"
	run "lost metadata" "$native/fault_test"
	run "late reads" "$native/stress_free"
	run "late reads, 3 workers" env KMEMLEAK_PARALLEL=3 "$native/stress_free"
	run "late reads, SIMD with IRQs on" env KMEMLEAK_SIMD=irqs-on "$native/stress_free"
	run "moving pointers" "$native/stress_move"
	run "moving pointers, 3 workers" env KMEMLEAK_PARALLEL=3 "$native/stress_move"
	run "CPUs going offline and online" "$native/stress_park"
	run "tables made and freed" "$native/stress_trim"
	run "parts given back" "$native/stress_part"
fi
if ! command -v aarch64-linux-gnu-gcc >/dev/null || ! command -v qemu-aarch64 >/dev/null; then
	result skip "filters of arm64" "no aarch64-linux-gnu-gcc or no qemu-aarch64"
elif build arm64; then
	arm64=(qemu-aarch64 -L /usr/aarch64-linux-gnu)
	run "filters of arm64" "${arm64[@]}" "$BUILD/arm64/native/run-kunit" kmemleak_filter
	run "filter choice, arm64" "${arm64[@]}" "$BUILD/arm64/native/filter_choice_test"
fi
if build asan; then
	run "kunit, asan" "$asan/run-kunit"
	run "abi, asan" "$asan/abi_test"
	run "ours against the oracle, asan" "$native/differ" "$asan/run-ours" - \
		"$SEEDS" $((SEEDS + SEEDS / 5))
	pair "stopped scans, asan" "$asan/stop_test 4" "lost metadata, asan" "$asan/fault_test 4"
	run "hotplug of memory and CPUs, asan" "$asan/hotplug_test"
	run "blocks allocated during a scan, asan" "$asan/birth_test"
	run "moving pointers, asan" "$asan/stress_move"
	run "CPUs going offline and online, asan" "$asan/stress_park"
	run "tables made and freed, asan" "$asan/stress_trim"
	run "parts given back, asan" "$asan/stress_part"
fi
if build tsan; then
	run "hotplug of memory and CPUs, tsan" "$tsan/hotplug_test"
	run "late reads, tsan" "$tsan/stress_free"
	run "late reads, 3 workers, tsan" env KMEMLEAK_PARALLEL=3 "$tsan/stress_free"
	run "moving pointers, tsan" "$tsan/stress_move"
	run "moving pointers, 3 workers, tsan" env KMEMLEAK_PARALLEL=3 "$tsan/stress_move"
	run "CPUs going offline and online, tsan" "$tsan/stress_park"
	run "tables made and freed, tsan" "$tsan/stress_trim"
	run "parts given back, tsan" "$tsan/stress_part"
fi
if ! command -v clang >/dev/null; then
	result skip "fuzz" "no clang"
elif build fuzz; then
	# New inputs go to the build directory; the first ones are in the tree.
	mkdir -p "$logs/corpus/debugfs" "$logs/corpus/api"
	opts="-max_total_time=$FUZZ_SECONDS -print_final_stats=1 -verbosity=0"
	pair "fuzz debugfs" \
		"cd $logs && $fuzz/fuzz_debugfs $opts -max_len=512 -dict=$here/corpus/debugfs.dict corpus/debugfs $here/corpus/debugfs" \
		"fuzz api" \
		"cd $logs && $fuzz/fuzz_api $opts -max_len=1024 corpus/api $here/corpus/api"
fi
# The protocols, in all interleavings.
run "models" "$here/models/check.sh"

echo "1..$nr"
echo "$((nr - failed - skipped)) passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
