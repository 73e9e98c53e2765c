#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# In a guest with one of Debian's kernels: leaks are made, then kmemleak.ko is loaded,
# and has to find these and no other; then it is used as it should not be. Results are
# TAP, behind "KML " on the console; the last line is for the host.
set -u
report=/sys/kernel/debug/kmemleak
summary=/sys/kernel/debug/kmemleak_summary
LEAST=35		# leaks that have to be found
nr=0

say()
{
	echo "KML $*"
}

# result <status of the check> <name>
result()
{
	nr=$((nr + 1))
	if [ "$1" = 0 ]; then
		say "ok $nr - $2"
	else
		say "not ok $nr - $2"
	fi
}

use_kernel()
{
	local f
	ls -lR /sys/kernel /proc/self >/dev/null 2>&1
	mkdir -p "/tmp/mnt$1"
	mount -t tmpfs tmpfs "/tmp/mnt$1"
	dd if=/dev/zero of="/tmp/mnt$1/file" bs=64k count=32 2>/dev/null
	for f in 1 2 3 4 5 6 7 8; do echo x >"/tmp/mnt$1/$f"; done
	umount "/tmp/mnt$1"
	ip link set lo up 2>/dev/null
	ping -c 1 127.0.0.1 >/dev/null 2>&1
}

# Addresses that the log has behind some words, sorted.
logged()
{
	dmesg | awk -v pattern="kmemleak_leaks: $1" '$0 ~ pattern { print $NF }' | sort -u
}

reported()
{
	sed -n 's/^unreferenced object\( (percpu)\)\? \(0x[0-9a-f]*\) .*/\2/p' "$1" | sort -u
}

write_to()
{
	printf '%s\n' "$2" >"$1"
}

comments()
{
	while read -r line; do say "# $line"; done
}

# Large kmalloc() blocks cannot be told from other pages before Linux 6.14.
unseen()
{
	case $(uname -r) in
	7.*) echo nothing ;;
	*) echo large ;;
	esac
}

# From the time of boot, and nobody points to it, as scans of memory images find, too: in
# 7.3 a pointer to a page in 8 bytes, in 6.1 zeros in 128.
allowed_others()
{
	case $(uname -r) in
	7.* | 6.1.*) echo 1 ;;
	*) echo 0 ;;
	esac
}

others()
{
	reported "$1" >/tmp/found
	comm -13 /tmp/planted /tmp/found | wc -l
}

leaks_are_found()
{
	local missing others head
	insmod /image/kmemleak.ko
	result $? "the module is loaded"
	cat "$report" >/tmp/report
	result $? "the report is read"
	grep -v '^$' "$summary" | comments
	logged "leaked" >/tmp/planted
	logged "leaked $(unseen)" >/tmp/unseen
	comm -23 /tmp/planted /tmp/unseen >/tmp/wanted
	logged kept >/tmp/kept
	reported /tmp/report >/tmp/found
	missing=$(comm -23 /tmp/wanted /tmp/found | wc -l)
	others=$(comm -13 /tmp/planted /tmp/found | wc -l)
	say "# $(wc -l </tmp/wanted) planted, $missing not found, $others others"
	comm -23 /tmp/wanted /tmp/found | while read -r a; do
		dmesg | grep -F "$a" | head -n 1
	done | comments
	comm -13 /tmp/planted /tmp/found | while read -r a; do
		grep -F -A 4 "$a (size" /tmp/report
	done | comments
	# some may be hidden by a stale word, as may all that a block leads to
	[ $(($(wc -l </tmp/wanted) - missing)) -ge "$LEAST" ]
	result $? "the leaks are found"
	[ "$others" -le "$(allowed_others)" ]
	result $? "nothing else is reported"
	[ -s /tmp/kept ] && [ -z "$(comm -12 /tmp/kept /tmp/found)" ]
	result $? "no block that is kept is reported"
	grep -q '^leaks: ' "$summary" && ! grep -q PARTIAL "$summary"
	result $? "the summary is complete"
	cat /dev/kmemleak >/tmp/device
	[ "$(reported /tmp/device)" = "$(cat /tmp/found)" ] && grep -q '^leaks: ' /tmp/device
	result $? "the device has the same report"
	head=$(logged 'leaked head')
	! grep -qx "$head" /tmp/found || grep -q '1 head, retaining 1536' "$summary"
	result $? "a chain has one head"
}

commands()
{
	write_to "$report" "suppress=cache=kmalloc-96 size=96" && write_to "$report" scan
	result $? "a rule and a second scan"
	grep '^suppressed' "$summary" | comments
	# those that are referenced a moment later are counted, too
	grep -qE '^suppressed: [1-9][0-9]+ by "cache=kmalloc-96 size=96"' "$summary" &&
		! grep -q '^unreferenced.*(size 96):' "$report"
	result $? "the rule suppresses leaks, and says how many"
	! echo "suppress=cahce=x" 2>/dev/null >"$report"
	result $? "a rule that is not understood is refused"
	! echo scna 2>/dev/null >"$report"
	result $? "an unknown command is refused"
	timeout -s INT 1 bash -c "echo scan >$report" 2>/dev/null
	grep -q 'the scan was stopped' "$summary"
	result $? "a signal stops a scan"
	bash -c "echo scan >$report" 2>/dev/null &
	use_kernel 3
	echo stop >"$report"
	wait
	grep -q 'the scan was stopped' "$summary"
	result $? "the command stop stops a scan"
	echo scan >"$report" && [ "$(grep -c '^unreferenced' "$report")" -gt 20 ]
	result $? "the scan after it is complete"
	echo clear >"$report" && [ ! -s "$report" ]
	result $? "the command clear empties the report"
	rmmod kmemleak
	result $? "the module is unloaded"
	[ ! -e "$report" ] && [ ! -e "$summary" ] && ! ls /dev/kmemleak >/dev/null 2>&1 &&
		! pgrep -f '^\[kmemleak/' >/dev/null
	result $? "no file and no thread is left"
}

# refused <text> <argument>: one line in the log says why
refused()
{
	dmesg -C
	! insmod /image/kmemleak.ko "$2" 2>/dev/null && dmesg | grep -qF "$1"
	result $? "$2 is refused"
}

# A scan with little memory, its first words, and no wrong report.
partial()
{
	insmod /image/kmemleak.ko "$1"
	cat /dev/kmemleak >/tmp/report
	rmmod kmemleak
	grep -E '^PARTIAL|^no result|^leaks' /tmp/report | comments
	grep -qE "$2" /tmp/report
	result $? "$1: the report says whether it is complete"
	[ "$(others /tmp/report)" -le "$(allowed_others)" ]
	result $? "$1: nothing else is reported"
}

parameters()
{
	dmesg >/tmp/log
	refused 'passes=1: 2 to 100' passes=1
	refused 'workers=65: 0 to 64' workers=65
	refused 'max_mb=99999: this machine has' max_mb=99999
	dmesg -C
	partial max_kb=4 '^no result: no memory'
	partial max_kb=400 '^PARTIAL'
	partial max_mb=1 '^leaks: [1-9]'
	insmod /image/kmemleak.ko scan=0 workers=1 && grep -q 'no scan yet' "$summary" && rmmod kmemleak
	result $? "scan=0: no scan"
}

# Loaded and unloaded in all phases of a scan, while the kernel is busy.
under_load()
{
	local i bad=0
	(while [ ! -e /tmp/enough ]; do use_kernel 4; done) &
	for i in $(seq 1 "$1"); do
		insmod /image/kmemleak.ko || bad=1
		# the later ones end in later phases
		for _ in $(seq 1 $((i % 10))); do : ; sleep 0.1; done
		rmmod kmemleak || bad=1
	done
	result $bad "$1 times loaded and unloaded in scans under load"
	insmod /image/kmemleak.ko
	cat "$report" >/tmp/report
	grep '^leaks' "$summary" | comments
	others /tmp/report >/tmp/others
	say "# under load: $(comm -23 /tmp/wanted /tmp/found | wc -l) not found, $(cat /tmp/others) others"
	[ "$(cat /tmp/others)" -le "$(allowed_others)" ]
	result $? "under load, nothing else is reported"
	[ "$(comm -12 /tmp/wanted /tmp/found | wc -l)" -ge "$LEAST" ]
	result $? "under load, the leaks are found"
	rmmod kmemleak
	touch /tmp/enough
	wait
}

log_is_clean()
{
	dmesg | grep -E 'BUG|WARNING|Oops|Call Trace|general protection|hung task|RCU.*stall' >/tmp/bad
	grep -E 'BUG|WARNING|Oops|Call Trace' /tmp/log >>/tmp/bad
	comments </tmp/bad
	[ ! -s /tmp/bad ]
	result $? "the log is clean"
}

mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
for i in 1 2 3; do use_kernel "$i"; done
insmod /image/kmemleak_leaks.ko || say "not ok 1 - the leaks"
for i in 1 2 3; do use_kernel "$i"; done
leaks_are_found
commands
parameters
under_load 20
log_is_clean
say "1..$nr"
say END
sleep 100000
