#!/bin/busybox sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
#
# Process 1 of the guest: mounts file systems, runs the script or a shell, and powers off.
# Its messages to the host are lines "KML-<nonce>-<word>"; the output of a test cannot
# have the nonce.
export PATH=/usr/bin HOME=/root TERM="${TERM:-linux}" LC_ALL=C

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts 2>/dev/null
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
ln -sf /proc/self/fd /dev/fd
ln -sf fd/0 /dev/stdin
ln -sf fd/1 /dev/stdout
ln -sf fd/2 /dev/stderr

exec </dev/console >/dev/console 2>&1
# Do not change the line ends of scripts.
stty -onlcr 2>/dev/null

KML_NONCE=none KML_MODE=script KML_ARGS=''
# shellcheck source=/dev/null
. /kml/env
cd /root || exit 1

case $KML_MODE in
shell)
	stty onlcr
	echo
	echo "kmemleak: /sys/kernel/debug/kmemleak; leave with: exit (or control-D)"
	setsid -c /bin/bash -i
	echo
	;;
*)
	# Do not echo keys, which are pressed to wake the machine.
	stty -echo 2>/dev/null
	eval "set -- $KML_ARGS"
	/bin/bash /kml/script "$@" </dev/null
	status=$?
	sync
	# Print the whole log for the host's check: a quiet console shows only errors,
	# and dmesg leaves out lines that a test has cleared. dd by its path, since
	# busybox would run its own, which cannot stop at the end of the buffer. FIRST
	# is the number of the first line in the buffer: 0, unless it was overwritten.
	echo "KML-$KML_NONCE-DMESG"
	/usr/bin/dd if=/dev/kmsg iflag=nonblock bs=8192 2>/dev/null | /usr/bin/awk -v nonce="$KML_NONCE" '
		/^ / { next }
		{ n = index($0, ";"); split($0, f, ",")
		  if (!lines++)
			printf "KML-%s-DMESG-FIRST %d\n", nonce, f[2]
		  printf "[%12.6f] %s\n", f[3] / 1000000, substr($0, n + 1) }'
	echo "KML-$KML_NONCE-DMESG-END"
	echo "KML-$KML_NONCE-STATUS $status"
	# Output that a slow host has not read is lost when the machine ends. Setting
	# the modes of the terminal waits for it, by tcsetattr(TCSADRAIN).
	stty onlcr 2>/dev/null
	;;
esac
# A qemu PC that has slept does not power off, but qemu ends at a reboot.
! grep -qs '^[1-9]' /sys/power/suspend_stats/success || reboot -f
poweroff -f
# The kernel panics if process 1 ends before the machine does.
sleep 60
