# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Runs in the guest, booted with kunit.enable=1 kunit.autorun=1: tests of each kind for
# one boot of an architecture. KML_FILTER is the range filter that kmemleak should
# choose on this processor, KML_CPUS and KML_NODES are the expected numbers of CPUs and
# nodes, and the arguments are kselftests. Prints TAP.
set -u
here=/kml/kselftest failed=0

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

line=$(dmesg | grep -o 'kmemleak: filter: .*' | head -n 1)
echo "# ${line:-no line about the filter in the log}"
result "the filter is $KML_FILTER" [ "$line" = "kmemleak: filter: ${KML_FILTER:?}" ]
# A sanitizer that is compiled in may be inactive: KML_ALIVE is the message of a kernel
# in which it is active.
# shellcheck disable=SC2317 # by result
says()
{
	{ uname -v; dmesg; } | grep -q "$1"
}
[ -z "${KML_ALIVE:-}" ] || result "the log has: $KML_ALIVE" says "$KML_ALIVE"
if [ "${KML_POISON:-0}" = 1 ]; then
	result "freed blocks are poisoned" grep -qx 1 /sys/kernel/slab/kmalloc-64/poison
fi
if [ "${KML_PAGE_OWNER:-0}" = 1 ]; then
	result "pages have owners" [ "$(dd if=/sys/kernel/debug/page_owner bs=4k count=1 2>/dev/null | wc -c)" -gt 0 ]
fi
cpus=$(nproc)
nodes=$(find /sys/devices/system/node -maxdepth 1 -name 'node[0-9]*' 2>/dev/null | wc -l)
echo "# $cpus CPUs, $nodes nodes"
[ -z "${KML_CPUS:-}" ] || result "there are $KML_CPUS CPUs" [ "$cpus" = "$KML_CPUS" ]
[ -z "${KML_NODES:-}" ] || result "there are $KML_NODES nodes" [ "$nodes" = "$KML_NODES" ]

bash /kml/guest/kunit.sh || failed=1
bash $here/kmemleak/run_in_guest.sh -d $here/kmemleak "$@" || failed=1
bash /kml/guest/kselftests.sh $here/mm ksft_kmemleak_confirm.sh ksft_kmemleak_dedup.sh || failed=1
exit $failed
