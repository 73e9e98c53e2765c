#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The harness on other architectures: 32 bits, big endian, NEON. Programs are linked
# statically by a cross compiler and run by qemu-user, except that programs for i386 run
# natively if the machine can run them. Results on stdout as TAP, progress on stderr.
set -u

here=$(cd "$(dirname "$0")" && pwd)
all='i386 arm s390x arm64'
BUILD=${BUILD:-$here/build}
KSRC=${KSRC:-}
SEEDS=${SEEDS:-100}
logs=$BUILD/check-cross
patterns=()
# shellcheck source=tools/testing/kmemleak/check-lib.sh
. "$here/check-lib.sh"

case ${1:-} in
-h | --help)
	cat <<-EOT
	usage: check-cross.sh [--quick] [ARCH...]
	  ARCH     only these of: $all
	  --quick  without the tests that emulation makes longest, a quarter of the time
	environment: KSRC=<kernel tree> to compare with, SEEDS=<programs> (100), BUILD=<directory>
	EOT
	exit 0
	;;
esac
quick=0
if [ "${1:-}" = --quick ]; then
	quick=1
	shift
fi
archs=${*:-$all}
for arch in $archs; do
	case " $all " in
	*" $arch "*) ;;
	*) echo "error: unknown architecture $arch; choices: $all" >&2; exit 2 ;;
	esac
done
mkdir -p "$logs"

# Sets cross and qemu.
choose()
{
	case $1 in
	i386) cross=i686-linux-gnu- qemu=qemu-i386 ;;
	arm) cross=arm-linux-gnueabihf- qemu=qemu-arm ;;
	s390x) cross=s390x-linux-gnu- qemu=qemu-s390x ;;
	arm64) cross=aarch64-linux-gnu- qemu=qemu-aarch64 ;;
	esac
}

build()
{
	local t0=$SECONDS programs='run-ours run-kunit differ abi_test stop_test birth_test
		giveback_test filter_choice_test'

	[ -z "$KSRC" ] || programs="$programs run-stock"
	echo "# building: $1" >&2
	# shellcheck disable=SC2046,SC2086 # one word a program
	if ! make -s -C "$here" -j"$(nproc)" CROSS_COMPILE="$cross" KSRC="$KSRC" \
		BUILD="$BUILD/cross-$1" $(printf "$out/%s " $programs) \
		>"$logs/build-$1.log" 2>&1; then
		result bad "build $1"
		tail -n 40 "$logs/build-$1.log" | sed 's/^/# /'
		return 1
	fi
	result good "build $1"
	echo "# built: $((SECONDS - t0)) s" >&2
}

# The program that compares is of the same architecture, since addresses are. It starts
# the others by scripts, which run them with qemu or without.
wrap()
{
	local program

	for program in "$@"; do
		printf '#!/bin/sh\nexec %s "%s" "$@"\n' "${how[*]}" "$out/$program" >"$out/$program.sh"
		chmod +x "$out/$program.sh"
	done
}

for arch in $archs; do
	choose "$arch"
	out=$BUILD/cross-$arch/native
	if ! command -v "${cross}gcc" >/dev/null; then
		result skip "$arch" "no ${cross}gcc"
		continue
	fi
	how=()
	echo 'int main(void) { return 0; }' |
		"${cross}gcc" -static -x c - -o "$logs/true-$arch" 2>/dev/null ||
		{ result skip "$arch" "${cross}gcc has no C library"; continue; }
	if ! "$logs/true-$arch" 2>/dev/null; then
		how=("$qemu")
		command -v "$qemu" >/dev/null || { result skip "$arch" "no $qemu"; continue; }
	fi
	build "$arch" || continue
	wrap run-ours
	run "$arch: kunit" "${how[@]}" "$out/run-kunit"
	run "$arch: abi" "${how[@]}" "$out/abi_test"
	run "$arch: filter choice" "${how[@]}" "$out/filter_choice_test"
	if [ "$quick" = 0 ] || [ ${#how[@]} = 0 ]; then
		run "$arch: stopped scans" "${how[@]}" "$out/stop_test"
		run "$arch: born during a scan, 3 workers" env KMEMLEAK_PARALLEL=3 "${how[@]}" "$out/birth_test"
		run "$arch: memory given back" "${how[@]}" "$out/giveback_test"
	fi
	run "$arch: ours with a trial against the oracle" "${how[@]}" "$out/differ" \
		"$out/run-ours.sh" - 0 "$SEEDS"
	if [ -n "$KSRC" ]; then
		wrap run-stock
		# stock has no trial of suspects
		run "$arch: ours against stock" env KMEMLEAK_TRIAL=N "${how[@]}" "$out/differ" \
			"$out/run-ours.sh" "$out/run-stock.sh" 0 "$SEEDS"
		run "$arch: ours against stock, 4 workers" env KMEMLEAK_TRIAL=N \
			KMEMLEAK_PARALLEL=4 "${how[@]}" "$out/differ" \
			"$out/run-ours.sh" "$out/run-stock.sh" "$SEEDS" $((SEEDS + SEEDS / 2))
	else
		result skip "$arch: ours against stock" "no KSRC: give a kernel tree"
	fi
done

echo "1..$nr"
echo "$((nr - failed - skipped)) passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
