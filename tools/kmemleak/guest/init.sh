#!/bin/busybox sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
#
# Process 1 of the guest: mounts, then the script or a shell, then power off.
# Its words to the host are lines "KML-<nonce>-<word>"; the nonce keeps a
# test's own output from being mistaken for them.
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
# Line ends as the scripts wrote them.
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
	# Keys that are pressed to wake it are no output.
	stty -echo 2>/dev/null
	eval "set -- $KML_ARGS"
	/bin/bash /kml/script "$@" </dev/null
	status=$?
	sync
	# The whole log, for the host's check: a quiet console shows only errors,
	# and dmesg would leave out what a test cleared. By path, or busybox takes
	# its own dd, which cannot stop at the end of the buffer. FIRST is the number
	# of the first line that is left: 0, unless later ones have overwritten it.
	echo "KML-$KML_NONCE-DMESG"
	/usr/bin/dd if=/dev/kmsg iflag=nonblock bs=8192 2>/dev/null | /usr/bin/awk -v nonce="$KML_NONCE" '
		/^ / { next }
		{ n = index($0, ";"); split($0, f, ",")
		  if (!lines++)
			printf "KML-%s-DMESG-FIRST %d\n", nonce, f[2]
		  printf "[%12.6f] %s\n", f[3] / 1000000, substr($0, n + 1) }'
	echo "KML-$KML_NONCE-DMESG-END"
	echo "KML-$KML_NONCE-STATUS $status"
	# What a slow host has not read yet is lost with the machine: wait until it
	# is out. Setting a terminal's modes does, by tcsetattr(TCSADRAIN).
	stty onlcr 2>/dev/null
	;;
esac
# Once it has slept, qemu's PC does not switch itself off; it leaves at a reboot.
! grep -qs '^[1-9]' /sys/power/suspend_stats/success || reboot -f
poweroff -f
# A process 1 that ends makes the kernel panic; wait for the power to go.
sleep 60
