# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Runs in the guest, right after the boot: loads kmemleak_accuracy, which leaks some blocks
# and holds others, and prints the reported blocks for accuracy.py:
#   KMLA <line of the module's file>
#   KMLA report <first|later> <address>...
#   KMLA pages <first|later> <address>...      only untracked pages refer to these
#   KMLA stat <first|later> <name> <value>
# "first" is the first scan that may report planted blocks, "later" is two scans later.
# From the environment: SEED, CHURN.
set -u
k=/sys/kernel/debug/kmemleak
stats=/sys/kernel/debug/kmemleak_stats
pages=/sys/kernel/debug/kmemleak_pages
min_age=/sys/module/kmemleak/parameters/min_age_ms

die()
{
	echo "error: $*" >&2
	exit 1
}

# stat_of <name>: empty if this kmemleak has no such counter
stat_of()
{
	awk -v name="$1" '$1 == name { print $2 }' $stats 2>/dev/null
}

# Run one complete scan, and check that with the statistics; stock has none.
scan()
{
	local before after
	before=$(stat_of scans) stopped=$(stat_of scans_stopped)
	echo scan >$k || die "a scan failed"
	after=$(stat_of scans)
	[ -n "$before" ] || return 0
	[ "$after" = $((before + 1)) ] || die "one scan was asked for, $((after - before)) were made"
	[ "$(stat_of scans_stopped)" = "$stopped" ] || die "a scan was stopped"
}

# lines <words>: print the addresses of the input in lines of limited length
lines()
{
	xargs -r -n 20 | while read -r words; do
		printf 'KMLA\t%s\t%s\n' "$1" "$words"
	done
}

# The present report.
show()
{
	grep -oE '^unreferenced object (\([a-z]+\) )?0x[0-9a-f]+' $k | sed 's/.* //' | lines "report	$1"
	[ ! -e $pages ] || grep -oE '\b(0x)?[0-9a-f]{7,16}\b.*' $pages | sed 's/[^0-9a-fx].*//' |
		lines "pages	$1"
	[ -z "$(stat_of scan_in_pages)" ] ||
		printf 'KMLA\tstat\t%s\tscan_in_pages\t%s\n' "$1" "$(stat_of scan_in_pages)"
}

echo scan=off >$k || die "kmemleak is not running here"
insmod /kml/kmemleak_accuracy.ko seed="$SEED" churn="$CHURN" ||
	{ dmesg | tail -n 3; die "kmemleak_accuracy cannot be loaded"; }
# This scan takes checksums of the planted blocks, and reports none of them.
scan
age=5000
[ ! -e $min_age ] || age=$(cat $min_age)
# Ages are in ticks.
age=$((age + 100))
sleep "$((age / 1000)).$(printf %03d $((age % 1000)))"
scan
show first
scan
scan
show later
sed 's/^/KMLA\t/' /sys/kernel/debug/kmemleak_accuracy
