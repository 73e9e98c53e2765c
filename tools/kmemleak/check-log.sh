#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Look for complaints of the kernel in console logs. Shows those that known-splats.txt
# does not list, and then exits with 1.
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/lib.sh"

usage='usage: check-log.sh [--injected] LOG...'
injected=0
case ${1:-} in
-h | --help)
	echo "$usage"
	echo "  --injected  allocations were made to fail: messages about that are no complaints"
	exit 0
	;;
--injected) injected=1; shift ;;
esac
[ $# -ge 1 ] || usage_error "$usage"

complaints='BUG:|BUG |WARNING:|Kernel panic|Oops|unable to handle'
complaints="$complaints|possible recursive|possible circular|inconsistent lock state|lock inversion"
complaints="$complaints|suspicious RCU usage|lockdep is turned off"
complaints="$complaints|scheduling while atomic|sleeping function called|Invalid wait context"
complaints="$complaints|detected stall|self-detected stall|blocked for more than|soft lockup"
complaints="$complaints|ODEBUG:|(list_add|list_del) corruption|refcount_t:|general protection"
complaints="$complaints|Voluntary context switch within RCU|bad unlock balance|held lock freed"
complaints="$complaints|UBSAN:|pagealloc: |detected expedited stall|trying to register non-static key"
complaints="$complaints|Freezing .* failed|kml_[a-z_]* hogged CPU"
# The first two are messages of arm64 about an Oops.
complaints="$complaints|Unable to handle|Internal error:|hard LOCKUP|nobody cared"
[ $injected = 1 ] || complaints="$complaints|page allocation failure|SLUB: Unable to allocate"

bad=0
for log in "$@"; do
	[ -f "$log" ] || usage_error "no such log: $log"
	# Only lines of printk(), which begin with a time: a test may print such a
	# word, too. The same line is on the console and in the dump of the ring
	# buffer, and counts once, by its time and text.
	awk -v complaints="$complaints" '
		FILENAME == ARGV[1] {
			if ($0 ~ /^#/ || $0 == "")
				next
			n = split($0, f, / \| /)
			if (n != 5) {
				print "error: " FILENAME ": expected 5 fields: " $0
				exit 2
			}
			known++
			max[known] = f[2]; line[known] = f[3]; after[known] = f[4]
			next
		}
		{ text[FNR] = $0; last = FNR }
		END {
			for (i = 1; i <= last; i++) {
				if (!match(text[i], /\[ *[0-9]+\.[0-9]+\] .*/))
					continue
				said = substr(text[i], RSTART)
				if (said !~ complaints || said in seen)
					continue
				# Other code of the kernel has data races, too. The
				# line names both functions.
				if (said ~ /BUG: KCSAN: data-race/ && said !~ /kml_|kmemleak|kst_| kt_/)
					continue
				seen[said] = 1
				context = ""
				for (j = i; j <= last && j < i + 60; j++)
					context = context " " text[j]
				excused = 0
				for (k = 1; k <= known && !excused; k++)
					if (said ~ line[k] && context ~ after[k] && used[k] < max[k]) {
						used[k]++
						excused = 1
					}
				if (excused)
					continue
				for (j = i; j <= last && j < i + 25; j++)
					print "  " text[j]
				print "  --"
				bad = 1
			}
			exit bad
		}' "$KML_TOOLS/known-splats.txt" "$log" >&2 || bad=$?
done
exit "$bad"
