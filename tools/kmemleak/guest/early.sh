# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2317 # functions are called by name
#
# Runs in the guest, a kernel of CONFIG=early: with each user of the memory for metadata in
# early boot, kmemleak knows all blocks, and finds the leaks of the sample module. The
# boot must be the one of the row: options of the command line, KML_CPUS processors,
# KML_GIB of memory. Prints TAP.
set -u
here=/kml/kselftest
stats=/sys/kernel/debug/kmemleak_stats
failed=0

# result <what> <command...>
result()
{
	local what=$1
	shift
	if "$@"; then
		echo "ok - $what"
	else
		echo "not ok - $what"
		failed=1
	fi
}

says()
{
	dmesg | grep -q "$1"
}

asked()
{
	grep -qw "$1" /proc/cmdline
}

# Of the direct mapping, how many KiB are mapped by large pages?
large()
{
	awk '/^DirectMap[^4].*:/ || /^DirectMap4M:/ { n += $2 } END { print n + 0 }' /proc/meminfo
}

# For how many objects the pool has room when the slab works.
available()
{
	dmesg | sed -n 's/.*mem pool available: \([0-9]*\).*/\1/p'
}

kib=$(awk '/^MemTotal:/ { print $2 }' /proc/meminfo)
echo "# $(nproc) CPUs, $kib KiB, $(large) of them in large pages;" \
	"$(dmesg | grep -o 'percpu: .*pages/cpu' | head -n 1)"
dmesg | grep -E 'kmemleak: ' | sed 's/^/# /'
grep -E '^(objects|reserved|reserve_|lost|metadata_bytes)' $stats | sed 's/^/# /'
# What is left of it is used for tables, too: room for some thousand.
result "the pool is the smallest" [ "$(available)" -lt 4000 ]
! asked debug_pagealloc=on || result "no large page maps memory" [ "$(large)" = 0 ]
! asked percpu_alloc=page || result "per-CPU areas are of single pages" says 'percpu: [0-9]* 4K pages/cpu'
[ -z "${KML_CPUS:-}" ] || result "there are $KML_CPUS CPUs" [ "$(nproc)" = "$KML_CPUS" ]
[ -z "${KML_GIB:-}" ] || result "there are $KML_GIB GiB" [ "$kib" -gt $(((KML_GIB - 2) << 20)) ]
result "kmemleak is on" grep -qx 'enabled 1' $stats
result "nothing is lost" grep -qx 'lost 0' $stats
result "no page has lost blocks" grep -qx 'lost_pages 0' $stats
bash $here/kmemleak/run_in_guest.sh -d $here/kmemleak sample_module.sh || failed=1
result "nothing is lost after it" grep -qx 'lost 0' $stats
exit $failed
