#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# In the guest whose memory is dumped: a little use of the kernel, the leaks, more use
# of it, then a line for the host and silence. What the kernel itself says of its slab
# caches is on the console.
set -u

use_kernel()
{
	local f
	for _ in 1 2 3; do
		ls -lR /sys/kernel /proc/self >/dev/null 2>&1
		mkdir -p "/tmp/mnt$1"
		mount -t tmpfs tmpfs "/tmp/mnt$1"
		dd if=/dev/zero of="/tmp/mnt$1/file" bs=64k count=32 2>/dev/null
		for f in 1 2 3 4 5 6 7 8; do echo x >"/tmp/mnt$1/$f"; done
		umount "/tmp/mnt$1"
		ip link set lo up 2>/dev/null
		ping -c 1 127.0.0.1 >/dev/null 2>&1
	done
}

use_kernel 1
for module in /image/*.ko; do
	case $module in */kmemleak_leaks.ko) continue ;; esac
	insmod "$module"
done
insmod /image/kmemleak_leaks.ko || { echo "KML-IMAGE-FAILED: insmod"; exit 1; }
use_kernel 2
# What runs now leaves the fewest changes behind the figures it prints.
sync
echo 3 >/proc/sys/vm/drop_caches
sleep 1
dmesg | grep -E 'kmemleak_leaks: (leaked|kept)'
echo "KML-IMAGE-SLABINFO"
cat /proc/slabinfo
echo "KML-IMAGE-READY"
sleep 100000
