#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make busy: a guest with a load on network, block devices, file systems, namespaces,
# control groups, BPF and io_uring, and scans at the same time. A block that is reported
# is alive, or leaked by the kernel. See guest/busy.sh.
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/lib.sh"

usage()
{
	cat <<-EOT
	usage: busy.sh [options]
	  --seconds N       the load runs for at least N seconds (default 60),
	  --scans N         and until N scans are done (default 20)
	  --floor N         the number of the control's 14 leaks that must be reported
	                    (default $default_floor; 0 with --stock)
	  --flavor F        um, the only one that this guest is made for
	  --kernel K        $KML_KERNELS or the path of a kernel tree (default 7.3)
	  --stock           the tree's own kmemleak
	  --compare         run the tree's own kmemleak, too, without judging it; fails
	                    if ours reports a call site that stock does not report
	  --debug           with lockdep and other checks
	  --mem SIZE        memory of the guest (default 1G)
	  --append ARGS     more kernel parameters
	  --out DIR         where logs go (default: below the cache, by date)
	exit status: 0 when every run has passed
	EOT
}

# Of 14 leaks, 11 were found on 7.3 with the patches to the allocators, and 1 or 2
# without. The others are hidden by words that the load's programs and drivers leave
# in memory, so the number differs from run to run.
default_floor=7
seconds=60 scans=20 floor='' kernel=7.3 stock=0 compare=0 debug=0 mem=1G append='' out=''
flavour=um config=busy
parse_options "
	--seconds seconds number
	--scans scans number
	--floor floor number
	--flavor|--flavour flavour um
	--kernel kernel kernel
	--config config busy
	--stock stock flag
	--compare compare flag
	--debug debug flag
	--mem mem text
	--append append words
	--out out text
" "$@"
[ $compare = 0 ] || [ $stock = 0 ] || usage_error "--compare runs both: leave --stock out"
[ -n "$floor" ] || floor=$([ $stock = 1 ] && echo 0 || echo $default_floor)
results_directory busy
"$KML_TOOLS/build-deps.sh" busy

# run <name> [--stock]: one guest; its figures go to <name>.figures.
failed=0
run()
{
	local name=$1 build=(--flavor "$flavour" --kernel "$kernel" --config "$config") guest=() selftests status=0
	shift
	build+=("$@")
	[ $debug = 0 ] || build+=(--debug)
	"$KML_TOOLS/build-kernel.sh" "${build[@]}"
	selftests=$("$KML_TOOLS/build-selftests.sh" "${build[@]}")
	# the log names all devices that come and go
	guest+=(--append log_buf_len=8M)
	[ -z "$append" ] || guest+=(--append "$append")
	[ "$name" = stock ] || guest+=(--append 'kmemleak=on,parallel')
	note "  ... $name: $seconds s of load, $scans scans"
	"$KML_TOOLS/run.sh" "${build[@]}" --quiet --mem "$mem" --timeout $((4 * seconds + 20 * scans + 600)) \
		"${guest[@]}" --log "$out/$name.console" \
		--programs "stress-ng iperf3 ip bpftool mkfs.ext4 mount umount losetup unshare" \
		--add "$KML_TOOLS/guest:/kml/guest" --add "$selftests:/kml/kselftest/kmemleak" \
		--env "BUSY_SECONDS=$seconds" --env "BUSY_SCANS=$scans" --env "BUSY_FLOOR=$floor" \
		-- "$KML_TOOLS/guest/busy.sh" >"$out/$name.log" || status=$?
	sed -n 's/^# figure //p' "$out/$name.log" >"$out/$name.figures"
	# Failures of stock are not ours.
	if [ $compare = 1 ] && [ "$name" = stock ]; then
		sed 's/^not ok - /# not ok, not judged: /; s/^ok - /# ok: /' "$out/$name.log"
		echo "# busy $name: exit $status"
		return
	fi
	cat "$out/$name.log"
	if [ $status = 0 ]; then
		echo "ok - busy $name"
	else
		echo "not ok - busy $name: exit $status, logs: $out/$name.*"
		failed=1
	fi
}

if [ $stock = 1 ]; then
	run stock --stock
else
	run ours
fi
if [ $compare = 1 ]; then
	run stock --stock
	for figure in scans reported reported_gone reported_stays planted found_first found found_without_stacks \
		found_without_trial; do
		printf '# %-24s' "$figure"
		for name in ours stock; do
			printf '%8s' "$(awk -v f="$figure" '$1 == f { print $2 }' "$out/$name.figures")"
		done
		echo
	done
	# Call sites that stock has not reported.
	more=$(awk '
		$1 !~ /^site_/ { next }
		FILENAME == ARGV[1] { stock[$1] = $2; next }
		!($1 in stock) { print " " substr($1, 6) }' "$out/stock.figures" "$out/ours.figures" | tr -d '\n')
	if [ -s "$out/stock.figures" ] && [ -s "$out/ours.figures" ] && [ -z "$more" ]; then
		echo "ok - busy compare: ours reports nothing that stock does not"
	else
		echo "not ok - busy compare: ours reports what stock does not:${more:- no figures}"
		failed=1
	fi
fi
note "  logs: $out"
exit $failed
