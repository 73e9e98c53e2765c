#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Everything that runs inside one kernel, each part in a boot of its own (a
# test may leave kmemleak disabled). Prints TAP.
#   check-kernel.sh [--kernel K] [--debug] [--stock] [PART]...
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/lib.sh"

kernel=7.3 debug=0 stock=0 wanted=''
while [ $# -gt 0 ]; do
	case $1 in
	--kernel) kernel=${2:?}; shift ;;
	--debug) debug=1 ;;
	--stock) stock=1 ;;
	-*) usage_error "unknown option $1" ;;
	*) wanted="$wanted $1" ;;
	esac
	shift
done
build=(--kernel "$kernel")
[ $debug = 0 ] || build+=(--debug)
[ $stock = 0 ] || build+=(--stock)

"$KML_TOOLS/build-kernel.sh" "${build[@]}"
selftests=$("$KML_TOOLS/build-selftests.sh" "${build[@]}")
# The tree's own scripts; 6.12 has none, and must behave like 7.3.
"$KML_TOOLS/fetch-kernel.sh" 7.3
kernel_paths um 7.3 0 0
tree_tests=${kml_pristine:?}/tools/testing/selftests

here=/kml/kselftest
in_guest=(--add "$selftests:$here/kmemleak" --add "$tree_tests/kselftest:$here/kselftest"
	--add "$tree_tests/mm/ksft_kmemleak_confirm.sh:$here/mm/ksft_kmemleak_confirm.sh"
	--add "$tree_tests/mm/ksft_kmemleak_dedup.sh:$here/mm/ksft_kmemleak_dedup.sh")
suite=$selftests/run_in_guest.sh

# Guests spend most of their time waiting for objects to age: several at once.
slots=$(nproc)
[ "$slots" -le 4 ] || slots=4
work=$(mktemp -d "${TMPDIR:-/tmp}/kmemleak-check.XXXXXX")
# shellcheck disable=SC2046 # one word per process
trap 'kill $(jobs -p) 2>/dev/null || :; wait; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

parts=0
# part <name> <run.sh options> -- <script> [arguments]: one boot, which starts
# when there is a slot free.
part()
{
	local name=$1
	shift
	case "$wanted " in
	' ' | *" $name "*) ;;
	*) return 0 ;;
	esac
	[ "$(jobs -rp | wc -l)" -lt "$slots" ] || wait -n || :
	parts=$((parts + 1))
	one_part "$name" "$@" >"$work/$parts" &
}

one_part()
{
	local name=$1 status=0 t0=$SECONDS runner
	shift
	echo "# $name"
	"$KML_TOOLS/run.sh" "${build[@]}" --quiet "${in_guest[@]}" "$@" &
	runner=$!
	trap 'kill $runner 2>/dev/null; wait $runner; exit 130' INT TERM
	wait $runner || status=$?
	note "  $kernel$([ $debug = 0 ] || echo ' debug'): $name, $((SECONDS - t0)) s"
	# What the tests said counts by itself; this line is about the rest: the
	# guest lived to the end and its log is clean.
	case $status in
	0) echo "ok - $name: the guest ended well, its log is clean" ;;
	123) echo "not ok - $name: the kernel complained" ;;
	124) echo "not ok - $name: timed out" ;;
	125) echo "not ok - $name: the guest crashed" ;;
	*) echo "# $name: exit $status" ;;
	esac
	[ "$status" = 0 ] || : >"$work/failed"
}

# The long ones first, to end together. On kernels with SMP all CPUs scan; the
# others of these boots, and kernels without, use one.
parallel=()
[ $stock = 1 ] || parallel=(--append 'kmemleak=on,parallel')
part selftests "${parallel[@]}" --timeout 600 -- "$suite" -d $here/kmemleak -g core
part users "${parallel[@]}" --timeout 600 -- "$suite" -d $here/kmemleak -g users
part tree --timeout 300 -- "$KML_TOOLS/guest/kselftests.sh" $here/mm \
	ksft_kmemleak_confirm.sh ksft_kmemleak_dedup.sh
part kunit --append 'kunit.enable=1 kunit.autorun=1' --timeout 300 -- "$KML_TOOLS/guest/kunit.sh"
[ $debug = 0 ] || part failslab --timeout 180 -- "$KML_TOOLS/guest/failslab.sh" 20
part off --timeout 120 -- "$suite" -d $here/kmemleak -l off disable_test
part overlap --timeout 120 -- "$suite" -d $here/kmemleak -l overlap abi_test
# Warnings are what this one provokes.
part warnings --timeout 120 --no-splat-check -- "$suite" -d $here/kmemleak -l warnings abi_test
for words in off on parallel on,parallel bogus ON on,bogus on,,parallel off,parallel; do
	part "boot-$words" --append "kmemleak=$words" --timeout 60 -- \
		"$suite" -d $here/kmemleak boot_param.sh
done
part boot-bad-parameters --append 'kmemleak.min_unref_scans=-1 kmemleak.verbose=maybe' \
	--append 'kmemleak.threads=4294967296 kmemleak.filter=nosuch' --timeout 60 -- \
	"$suite" -d $here/kmemleak boot_param.sh
part boot-parameters --append 'kmemleak.min_unref_scans=3 kmemleak.verbose=1' --timeout 60 -- \
	"$suite" -d $here/kmemleak boot_param.sh
# It takes all of this machine's time: alone, and nobody else's waits suffer.
if [ "$kernel" = 7.3 ] && [ $debug = 0 ]; then
	case "$wanted " in
	' ' | *' torture '*) wait ;;
	esac
	part torture "${parallel[@]}" --mem 512M --timeout 400 --env KMEMLEAK_TORTURE_SECONDS=60 -- \
		"$suite" -d $here/kmemleak torture_test
fi

[ $parts -gt 0 ] || usage_error "no such part:$wanted"
wait
for ((i = 1; i <= parts; i++)); do
	cat "$work/$i"
done
[ ! -e "$work/failed" ]
