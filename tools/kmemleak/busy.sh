#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A guest that does something: a load on network, block devices, file systems,
# namespaces, control groups, BPF and io_uring, and scans beside it. What they report
# is alive, or a leak of the kernel's own. See guest/busy.sh.
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/lib.sh"

usage()
{
	cat <<-EOT
	usage: busy.sh [options]
	  --seconds N       the load runs that long at least (default 60)
	  --scans N         and until there have been so many scans (default 20)
	  --floor N         of the control's 14 leaks so many must be reported
	                    (default $default_floor; 0 with --stock)
	  --kernel K        $KML_KERNELS or the path of a kernel tree (default 7.3)
	  --stock           the tree's own kmemleak
	  --compare         the same for the tree's own kmemleak, which is not judged;
	                    fails where ours reports what stock does not, by call site
	  --debug           with lockdep and its like
	  --mem SIZE        memory of the guest (default 1G)
	  --append ARGS     more kernel parameters
	  --out DIR         where logs go (default: below the cache, by date)
	exit status: 0 when every run has passed
	EOT
}

# Of 14: 11 were found on 7.3 with the patches to the allocators, 1 and 2 without. What
# hides the others are words that the load's programs and drivers leave behind, so it
# is not the same number each time.
default_floor=7
seconds=60 scans=20 floor='' kernel=7.3 stock=0 compare=0 debug=0 mem=1G append='' out=''
number()
{
	case $2 in
	'' | *[!0-9]*) usage_error "$1 $2 is not a number" ;;
	esac
}
while [ $# -gt 0 ]; do
	case $1 in
	--seconds | --scans | --floor | --flavor | --flavour | --kernel | --config | --mem | --append | --out)
		[ $# -ge 2 ] || usage_error "$1 needs a value" ;;
	esac
	case $1 in
	--seconds) number "$1" "$2"; seconds=$2; shift ;;
	--scans) number "$1" "$2"; scans=$2; shift ;;
	--floor) number "$1" "$2"; floor=$2; shift ;;
	--flavor | --flavour)
		[ "$2" = um ] || usage_error "FLAVOR=$2: the busy guest is a user-mode one"
		shift
		;;
	--kernel) kernel=$2; shift ;;
	--config)
		[ "$2" = busy ] || usage_error "CONFIG=$2: the busy guest has a configuration of its own"
		shift
		;;
	--stock) stock=1 ;;
	--compare) compare=1 ;;
	--debug) debug=1 ;;
	--mem) mem=$2; shift ;;
	--append) append=$2; shift ;;
	--out) out=$2; shift ;;
	-h | --help) usage; exit 0 ;;
	*) usage >&2; usage_error "unknown option $1" ;;
	esac
	shift
done
check_kernel "$kernel"
[ $compare = 0 ] || [ $stock = 0 ] || usage_error "--compare runs both: leave --stock out"
[ -n "$floor" ] || floor=$([ $stock = 1 ] && echo 0 || echo $default_floor)
[ -n "$out" ] || out=$KML_CACHE/checkout/$(checkout_key)/busy/$(date +%Y-%m-%d-%H%M%S)
mkdir -p "$out"
out=$(cd "$out" && pwd)
"$KML_TOOLS/build-deps.sh" busy

# run <name> [--stock]: one guest; its figures go to <name>.figures.
failed=0
run()
{
	local name=$1 build=(--kernel "$kernel" --config busy) guest=() selftests status=0
	shift
	build+=("$@")
	[ $debug = 0 ] || build+=(--debug)
	"$KML_TOOLS/build-kernel.sh" "${build[@]}"
	selftests=$("$KML_TOOLS/build-selftests.sh" "${build[@]}")
	# devices that come and go are all named there
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
	# What it fails is no failure of ours.
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
	# By call site: an object of which stock has reported none.
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
