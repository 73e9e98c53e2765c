#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2317 # functions are called by name
#
# The struct page of a freed slab kept the head of its free list, an address in these
# pages. Whatever had the pages next was referenced by it: of 2000 leaked pages 186.
DIR=$(dirname "$0")
# shellcheck source=kmemleak_lib.sh
. "$DIR/kmemleak_lib.sh"

NR=2000

need_enabled
need_module
is_ours || skip_all "stock has no patch for it"
[ -d /sys/kernel/slab ] || skip_all "no /sys/kernel/slab, needs CONFIG_SLUB_DEBUG"
start

tmp=$(mktemp -d)
cleanup() {
	kst reset
	command_ok clear
	rm -rf "$tmp"
}
trap cleanup EXIT

# Of the slots' addresses those that are in the report
listed() {
	local i line
	for ((i = 0; i < NR; i++)); do
		kst "addr $i"
		read -r line <"$KST"
		echo "${line##* }"
	done >"$tmp/planted"
	awk 'NR == FNR { planted[$1] = 1; next }
		/^unreferenced object/ && $3 in planted { n++ }
		END { print n + 0 }' "$tmp/planted" "$KMEMLEAK"
}

# Numbers that equal an address have hidden one of 2000.
most() {
	local n
	n=$(listed)
	echo "# $n of $NR"
	[ "$n" -ge $((NR * 99 / 100)) ]
}

command_ok scan=off
# slabs of eight pages, an object at the start of each of these
kst "churn 4096 2000"
for cache in /sys/kernel/slab/*/shrink; do
	echo 1 >"$cache"
done
check "their pages are allocated" kst "burst page 0 $NR 64"
kst drain
command_ok scan
sleep "$AGE"
command_ok scan
check "leaked pages that were slabs are found" most

finish
