# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Runs in the guest, booted with kunit.enable=1 kunit.autorun=1: all that one
# boot of an architecture can show. KML_FILTER is the range filter that this
# processor should get; the arguments are the kselftests to run. Prints TAP.
set -u
here=/kml/kselftest failed=0

line=$(dmesg | grep -o 'kmemleak: filter: .*' | head -n 1)
echo "# ${line:-no line about the filter in the log}"
# Left alone, kmemleak takes the fastest: in an emulator, any.
want="kmemleak: filter: ${KML_FILTER:?}"
case $line in
*';'*) [ "$KML_FILTER" != generic ] || want="$want alone" ;;
esac
case $line in
"$want"[\ ,]*) echo "ok - the filter is $KML_FILTER" ;;
*) echo "not ok - the filter is $KML_FILTER"; failed=1 ;;
esac
# A sanitizer that is compiled in need not be at work: KML_ALIVE is what its kernel
# says when it is.
if [ -n "${KML_ALIVE:-}" ]; then
	if { uname -v; dmesg; } | grep -q "$KML_ALIVE"; then
		echo "ok - this kernel says: $KML_ALIVE"
	else
		echo "not ok - this kernel says: $KML_ALIVE"
		failed=1
	fi
fi
echo "# $(nproc) CPUs, $(find /sys/devices/system/node -maxdepth 1 -name 'node[0-9]*' 2>/dev/null | wc -l) nodes"

bash /kml/guest/kunit.sh || failed=1
bash $here/kmemleak/run_in_guest.sh -d $here/kmemleak "$@" || failed=1
bash /kml/guest/kselftests.sh $here/mm ksft_kmemleak_confirm.sh ksft_kmemleak_dedup.sh || failed=1
exit $failed
