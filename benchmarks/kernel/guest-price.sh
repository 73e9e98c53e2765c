# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Runs in the guest, whose clock counts instructions (run.sh --icount): pairs of
# kmemleak_scale below more and more frames. Prints a line for each number of them,
# "KMLP <tab> more <tab> frames <tab> instructions": the frames of the stack without those
# of kmemleak, "-" with kmemleak=off, and the least of three runs, since interrupts add
# instructions. Of these frames kmemleak has to have saved as many as fit. "pairs" instead
# of more is the test without a choice; with "depth" four frames are saved
# (kmemleak.depth=4), if this kmemleak can.
# From the environment: SIZE, the size of a block in bytes; LAST, the largest number.
set -u
p=/sys/module/kmemleak_scale/parameters
file=/sys/kernel/debug/kmemleak
depth=/sys/module/kmemleak/parameters/depth

die()
{
	echo "error: $*" >&2
	exit 1
}

# least <kind>: the instructions of a pair
least()
{
	dmesg -C
	for _ in 1 2 3; do
		echo "$1" >$p/run || die "kmemleak_scale: run=$1 failed"
	done
	dmesg | sed -n "s/.*kmemleak_scale: $1_1 \([0-9]*\) ps\$/\1/p" | sort -n |
		awk 'NR == 1 { printf "%d\n", ($1 + 500) / 1000 } END { exit NR != 3 }' ||
		die "three runs of $1: some have said nothing"
}

# lines <pattern>: the frames, other than those, of the block that the last run has kept,
# as kmemleak has saved them.
lines()
{
	local block
	block=$(dmesg | sed -n 's/.*kmemleak_scale: frames_block \([0-9]*\) address$/\1/p' | tail -n 1)
	dmesg -C
	printf 'dump=0x%x' "$block" >$file 2>/dev/null || die "the block that was kept is not tracked"
	dmesg | awk -v not="$1" '/backtrace/ { trace = 1; next }
		trace && /\+0x[0-9a-f]+\/0x/ && $0 !~ not { n++ }
		END { if (!n) exit 1; print n }' || die "no trace of the block that was kept"
}

# no scans meanwhile; fails with kmemleak=off
state=off
if echo scan=off >$file 2>/dev/null; then state=on; fi
insmod /kml/kmemleak_scale.ko loops=5000 size="$SIZE" nthreads=1 ||
	die "kmemleak_scale cannot be loaded"
n=$(least pairs) || exit 1
printf 'KMLP\tpairs\t-\t%s\n' "$n"
first=-
for ((more = 0; more <= LAST; more++)); do
	echo $more >$p/more
	n=$(least frames) || exit 1
	f=-
	if [ "$state" = on ]; then
		# The hook is a frame of its own in one kmemleak, and in another it is not.
		f=$(lines '[ :]kmemleak_') || exit 1
		[ $more != 0 ] || first=$f
		# those that are not saved, too, once the trace is full
		[ "$f" -ge 15 ] || [ "$f" = $((first + more)) ] ||
			die "$f frames were saved of $((first + more))"
		f=$((first + more))
	fi
	[ "$f" = - ] || [ "$f" -le 16 ] || break
	printf 'KMLP\t%s\t%s\t%s\n' $more "$f" "$n"
done
if [ "$state" = on ] && [ -e $depth ]; then
	echo 4 >$depth && echo 0 >$p/more && n=$(least frames) && f=$(lines nothing) || exit 1
	printf 'KMLP\tdepth\t%s\t%s\n' "$f" "$n"
fi
