#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make torture: tools/testing/selftests/kmemleak/torture_test in a guest, once for each
# mode; with --compare also with the tree's own kmemleak, and a table of both.
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/lib.sh"

usage()
{
	cat <<-EOT
	usage: torture.sh [options] [PARAMETER=VALUE]...
	  --seconds N       seconds of load in each run (default 600)
	  --scan-ms N       two processes scan; each begins a scan every N ms at most
	                    (default: one after another); for comparing at equal rates
	  --flavor F        $KML_FLAVOURS (default um)
	  --kernel K        $KML_KERNELS or the path of a kernel tree (default 7.3)
	  --stock, --debug, --config NAME
	                    which build of it (see build-kernel.sh)
	  --cpus N          CPUs of the guest (default 2 where the kernel has SMP)
	  --mem SIZE        memory of the guest (default 512M)
	  --mode "M.."      serial, parallel, or both: alternate between the two
	                    (default "both"; with --compare "serial parallel")
	  --filter NAME     kmemleak.filter= of the guest (default: its own choice)
	  --append ARGS     more kernel parameters
	  --compare         the same load with the tree's own kmemleak, too, without
	                    judging it; prints a table, and fails if ours is worse:
	                    leaks missed, moving objects reported
	  --out DIR         where logs go (default: below the cache, by date)
	Parameters are the module's: see "modinfo kmemleak_torture".
	exit status: 0 when every run has passed
	EOT
}

seconds=600 flavour=um kernel=7.3 stock=0 debug=0 cpus='' mem=512M modes='' filter='' append=''
compare=0 out='' params=() scan_ms=0 config=''
parse_options "
	--seconds seconds count
	--scan-ms scan_ms count
	--flavor|--flavour flavour flavour
	--kernel kernel kernel
	--stock stock flag
	--debug debug flag
	--config config config
	--cpus cpus count
	--mem mem text
	--mode modes serial|parallel|both..
	--filter filter text
	--append append words
	--compare compare flag
	--out out text
	... params
" "$@"
for word in "${params[@]}"; do
	case $word in
	[a-z]*=*) ;;
	*) usage_error "$word is no parameter: expected NAME=VALUE" ;;
	esac
done
[ $compare = 0 ] || [ $stock = 0 ] || usage_error "--compare runs both: leave --stock out"
if [ $compare = 1 ]; then
	modes=${modes:-serial parallel}
else
	modes=${modes:-both}
fi
results_directory torture

# run <name> <mode> [--stock]: one guest; its figures go to <name>.figures.
run()
{
	local name=$1 mode=$2 build=(--flavor "$flavour" --kernel "$kernel") guest=() selftests status=0
	local judged=1
	shift 2
	# Failures of stock are not ours.
	[ "$compare:$name" != 1:stock ] || judged=0
	build+=("$@")
	[ $debug = 0 ] || build+=(--debug)
	[ -z "$config" ] || build+=(--config "$config")
	"$KML_TOOLS/build-kernel.sh" "${build[@]}"
	selftests=$("$KML_TOOLS/build-selftests.sh" "${build[@]}")
	[ $debug = 0 ] || guest+=(--append watchdog_thresh=2)
	[ -z "$config" ] || guest+=(--append 'watchdog_thresh=4 rcupdate.rcu_cpu_stall_timeout=10')
	[ -z "$cpus" ] || guest+=(--cpus "$cpus")
	[ -z "$filter" ] || guest+=(--append "kmemleak.filter=$filter")
	[ -z "$append" ] || guest+=(--append "$append")
	note "  ... $name: $seconds s of load"
	"$KML_TOOLS/run.sh" "${build[@]}" --quiet --mem "$mem" --timeout $((2 * seconds + 600)) "${guest[@]}" \
		--log "$out/$name.console" --add "$selftests:/kml/kselftest/kmemleak" \
		--env "KMEMLEAK_TORTURE_SECONDS=$seconds" --env "KMEMLEAK_TORTURE_MODE=$mode" \
		--env "KMEMLEAK_TORTURE_SCAN_MS=$scan_ms" \
		--env "KMEMLEAK_TORTURE_PARAMS=${params[*]}" \
		-- "$selftests/run_in_guest.sh" -d /kml/kselftest/kmemleak torture_test |
		if [ $judged = 1 ]; then tee "$out/$name.log"; else cat >"$out/$name.log"; fi || status=$?
	sed -n 's/^ *# figure //p' "$out/$name.log" >"$out/$name.figures"
	# Messages of the kernel's watchdogs.
	printf 'stalls %s\n' "$(grep -cE 'soft lockup|detected stall|blocked for more than' \
		"$out/$name.console")" >>"$out/$name.figures"
	if [ $judged = 0 ]; then
		echo "# torture $name: exit $status"
	elif [ $status = 0 ]; then
		echo "ok - torture $name"
	else
		echo "not ok - torture $name: exit $status, logs: $out/$name.*"
		failed=1
	fi
}

failed=0 runs=()
what=$([ $stock = 0 ] || echo --stock)
for mode in $modes; do
	# shellcheck disable=SC2086 # nothing, or one word
	run "$([ $stock = 0 ] && echo ours || echo stock)-$mode" "$mode" $what
	runs+=("$([ $stock = 0 ] && echo ours || echo stock)-$mode")
done
if [ $compare = 1 ]; then
	run stock serial --stock
	runs+=(stock)
	# Title, figure, and unit: v value, k in 1000 scans, n ns, printed as us.
	awk -v runs="${runs[*]}" -v dir="$out" '
		BEGIN {
			n = split(runs, run, " ")
			for (r = 1; r <= n; r++)
				while ((getline line < (dir "/" run[r] ".figures")) > 0) {
					split(line, f, " ")
					value[r, f[1]] = f[2]
				}
			rows = split("scans|scans|v;longest scan that has ended, ms|scan_max_ms|v;" \
				"processes that had to be killed|stuck|v;" \
				"live objects reported|live_reported|v;" \
				"moving objects reported|moved|v;" \
				"  in 1000 scans|moved|k;other objects reported|others_reported|v;" \
				"leaks planted|planted|v;leaks reported|found|v;leaks with a stale reference|leaks_hidden|v;" \
				"leaks missed|leaks_missed|v;  without a word like a reference|leaks_bare|v;timer interrupt late, worst, us|irq_late_max_ns|n;" \
				"  more than 1 ms, times|irq_late_above_ms|v;" \
				"kmalloc() in an interrupt, worst, us|irq_alloc_max_ns|n;" \
				"  more than 1 ms, times|irq_alloc_above_ms|v;" \
				"kmalloc() in a thread, worst, us|alloc_max_ns|n;" \
				"  more than 1 ms, times|alloc_above_ms|v;" \
				"kfree() in an interrupt, worst, us|irq_free_max_ns|n;" \
				"steps of threads|ops|v;soft lockups, stalls|stalls|v", row, ";")
			printf "%-40s", ""
			for (r = 1; r <= n; r++)
				printf "%16s", run[r]
			printf "\n"
			for (i = 1; i <= rows; i++) {
				split(row[i], f, "|")
				printf "%-40s", f[1]
				for (r = 1; r <= n; r++) {
					v = ((r, f[2]) in value) ? value[r, f[2]] : "-"
					if (v != "-" && f[3] == "k")
						v = value[r, "scans"] ? sprintf("%.2f", 1000 * v / value[r, "scans"]) : "-"
					else if (v != "-" && f[3] == "n")
						v = sprintf("%.1f", v / 1000)
					printf "%16s", v
				}
				printf "\n"
			}
		}' | tee "$out/table.txt"
	# Moving objects are reported by chance. The limit is the rate of stock (at least
	# one object), plus three standard deviations.
	for name in "${runs[@]}"; do
		[ "$name" = stock ] || awk -v name="$name" '
			{ value[(FILENAME == ARGV[1] ? "stock" : "ours"), $1] = $2 }
			function verdict(good) {
				bad = bad || !good
				return good ? "ok" : "not ok"
			}
			END {
				missed = value["ours", "leaks_missed"] + value["ours", "leaks_bare"]
				allowed = value["stock", "leaks_missed"] + value["stock", "leaks_bare"]
				printf "%s - compare: %s missed %d leaks, stock %d\n",
					verdict((missed <= allowed)), name, missed, allowed
				few = value["stock", "moved"] > 0 ? value["stock", "moved"] : 1
				scans = value["ours", "scans"]
				expected = 0
				if (value["stock", "scans"])
					expected = few / value["stock", "scans"] * scans
				limit = expected + 3 * sqrt(expected)
				moved = value["ours", "moved"] + 0
				printf "%s - compare: %s reported %d moving objects in %d scans, stock would up to %d\n",
					verdict((scans > 0 && moved <= limit)), name, moved, scans, limit
				exit bad
			}' "$out/stock.figures" "$out/$name.figures" || failed=1
	done
fi
note "  logs: $out"
exit $failed
