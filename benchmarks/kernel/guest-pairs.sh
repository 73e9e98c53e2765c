# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Runs in the guest, whose clock counts instructions (run.sh --icount): pairs of
# kmemleak_scale. The result of each kind is the least of three runs, since interrupts add
# instructions. Prints lines "KMLB <tab> kind <tab> instructions".
# From the environment: SIZE, the size of a block in bytes.
set -u
p=/sys/module/kmemleak_scale/parameters

die()
{
	echo "error: $*" >&2
	exit 1
}

# no scans meanwhile; fails with kmemleak=off
echo scan=off >/sys/kernel/debug/kmemleak 2>/dev/null
insmod /kml/kmemleak_scale.ko loops=20000 objects=20000 size="$SIZE" nthreads=1 ||
	die "kmemleak_scale cannot be loaded"
for kind in pairs deep cold untracked; do
	dmesg -C
	for _ in 1 2 3; do
		echo $kind >$p/run || die "kmemleak_scale: run=$kind failed"
	done
	dmesg | sed -n "s/.*kmemleak_scale: ${kind}_1 \([0-9]*\) ps\$/\1/p" | sort -n |
		awk -v kind=$kind 'NR == 1 { printf "KMLB\t%s\t%d\n", kind, ($1 + 500) / 1000 }
			END { exit NR != 3 }' || die "three runs of $kind: some have said nothing"
done
