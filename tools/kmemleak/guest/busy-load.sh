# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The load of busy.sh: loops over a network, block devices, file systems, namespaces,
# control groups, BPF maps and operations of stress-ng. Sourced.
#
# Each loop adds a line to $busy/did.NAME after each round, so that a load which does
# nothing is noticed. The output of a loop's programs goes to $busy/said.NAME. All loops
# are in one control group, which ends them.
busy=/run/busy
group=/sys/fs/cgroup/load

# Networks, file systems and control groups for the loops.

load_setup()
{
	mkdir -p $busy /sys/fs/cgroup /sys/fs/bpf /mnt/ext4 /mnt/disk /mnt/overlay /mnt/loop /run/netns
	mount -t cgroup2 cgroup2 /sys/fs/cgroup || return
	mount -t bpf bpf /sys/fs/bpf || return
	ip link set lo up || return

	mkfs.ext4 -q /dev/ram0 || return
	mount -t ext4 /dev/ram0 /mnt/ext4 || return
	truncate -s 160M $busy/disk0 && losetup /dev/loop0 $busy/disk0 || return
	mkfs.ext4 -q /dev/loop0 || return
	mount -t ext4 /dev/loop0 /mnt/disk || return
	mkdir /mnt/ext4/{lower,work} /mnt/disk/{upper,work,files} || return
	cp /usr/bin/busybox /mnt/ext4/lower || return
	mount -t overlay -o "lowerdir=/mnt/ext4/lower,upperdir=/mnt/disk/upper,workdir=/mnt/disk/work" \
		overlay /mnt/overlay || return
	truncate -s 16M $busy/disk1 || return
	echo 64M >/sys/block/zram0/disksize || return
	mkswap /dev/zram0 >/dev/null && swapon /dev/zram0 || return

	# Two hosts at a bridge; each of the three has a namespace.
	local ns
	for ns in hub left right; do
		ip netns add $ns || return
		ip -n $ns link set lo up || return
	done
	ip -n hub link add bridge0 type bridge || return
	ip -n hub link set bridge0 up || return
	connect left 1 && connect right 2 || return

	mkdir $group $group/all $group/one || return
	echo '+memory +pids +io' >/sys/fs/cgroup/cgroup.subtree_control || return
	echo '+memory +pids +io' >$group/cgroup.subtree_control || return
}

# connect <namespace> <number of the host>
connect()
{
	ip -n hub link add "to$1" type veth peer name eth0 netns "$1" || return
	ip -n hub link set "to$1" master bridge0 up || return
	ip -n "$1" addr add "10.9.0.$2/24" dev eth0 || return
	ip -n "$1" addr add "fd09::$2/64" dev eth0 nodad || return
	ip -n "$1" link set eth0 up
}

# Repeat a command up to 200 times: a process that was killed may still hold the resource.
patiently()
{
	local n
	for n in {1..200}; do
		! "$@" 2>/dev/null || return 0
		sleep 0.05
	done
	"$@"
}

load_teardown()
{
	local ns at
	for at in /mnt/loop /mnt/overlay /mnt/disk /mnt/ext4; do
		! grep -q " $at " /proc/mounts || patiently umount $at || return
	done
	for at in /dev/loop0 /dev/loop1; do
		! losetup $at >/dev/null 2>&1 || patiently losetup -d $at || return
	done
	swapoff /dev/zram0 || return
	echo 1 >/sys/block/zram0/reset || return
	for ns in $(ip netns list | awk '{ print $1 }'); do
		ip netns del "$ns" || return
	done
	# files of loops that were killed
	find /sys/fs/bpf -type f -delete
	patiently find $group -depth -type d -exec rmdir {} + || return
	blockdev --flushbufs /dev/ram0 || return
	rm -f $busy/disk0 $busy/disk1
	sync
	echo 3 >/proc/sys/vm/drop_caches
}

# One round of each loop.

# All kinds of operations on files, on each file system in turn.
work_files()
{
	local at=${places[$(($1 % ${#places[@]}))]}
	stress files "$at" --hdd 1 --hdd-bytes 4M --aio 1 --io-uring 1 --iomix 1 --iomix-bytes 4M \
		--dentry 1 --dentries 64 --dir 1 --rename 1 --link 1 --symlink 1 --xattr 1 \
		--fallocate 1 --fallocate-bytes 4M --flock 1 --fstat 1 --sync-file 1 --sync-file-bytes 4M
}
places=(/mnt/ext4 /mnt/disk/files /mnt/overlay)

# Processes, and objects that the kernel keeps for them.
work_objects()
{
	stress objects $busy --fork 1 --vfork 1 --pidfd 1 --ptrace 1 \
		--pthread 1 --pthread-max 16 --session 1 --pty 1 --seccomp 1 --key 1 --unshare 1 \
		--sigfd 1 --inotify 1 --dup 1 --kcmp 1 --mq 1 --msg 1 --sem-sysv 1 --sem-sysv-procs 2 \
		--shm-sysv 1 --shm-sysv-bytes 2M --memfd 1 --memfd-bytes 8M --userfaultfd 1 --userfaultfd-bytes 1M \
		--mmap 1 --mmap-bytes 8M --pipe 1 --splice 1 --splice-bytes 256K --tee 1 --eventfd 1
}

work_sockets()
{
	stress sockets $busy --sock 1 --sock-port 5000 --sockfd 1 --sockfd-port 5100 \
		--udp 1 --udp-port 5200 --epoll 1 --epoll-port 5300 --sendfile 1 --sendfile-size 1M \
		--sockmany 1 --sockmany-port 5400 --tun 1 --netdev 1
}

# stress <loop> <directory> <stressors...>: two seconds of all of them at a time
stress()
{
	local name=$1 at=$2
	shift 2
	stress-ng --temp-path "$at" --timeout 2 --metrics-brief "$@" >>"$busy/stress.$name" 2>&1
}

# TCP and UDP through the bridge, IPv4 and IPv6.
work_iperf()
{
	local how=(-c 10.9.0.2)
	[ $(($1 % 2)) = 0 ] || how=(-c fd09::2)
	[ $(($1 % 3)) != 2 ] || how+=(-u -b 20M)
	ip netns exec left iperf3 "${how[@]}" -t 1
}

# Add a host with devices of all kinds, and remove it.
work_links()
{
	ip netns add host || return
	ip -n hub link add tohost type veth peer name eth0 netns host &&
		ip -n hub link set tohost master bridge0 up &&
		ip -n host link set lo up &&
		ip -n host addr add 10.9.0.3/24 dev eth0 &&
		ip -n host link set eth0 up &&
		ip -n host link add link eth0 name eth0.7 type vlan id 7 &&
		ip -n host link add link eth0 name mac0 type macvlan mode bridge &&
		ip -n host link add dummy0 type dummy &&
		ip -n host link add br0 type bridge &&
		ip -n host link set dummy0 master br0 up &&
		ip -n host link set br0 up &&
		ip -n host link set eth0.7 up &&
		ip -n host link set mac0 up &&
		ip -n host addr add fd09::3/64 dev eth0 &&
		ip -n host route add 10.10.0.0/16 via 10.9.0.1 &&
		ip -n host neigh add 10.9.0.77 lladdr 02:00:00:00:00:01 dev eth0 &&
		ip netns exec host ping -c 1 -W 1 10.9.0.1 &&
		ip -n host link set eth0 down &&
		ip -n host link del br0
	local status=$?
	ip -n hub link del tohost
	ip netns del host
	return $status
}

work_bpf()
{
	local type map=/sys/fs/bpf/map$1
	for type in hash lru_hash array percpu_hash percpu_array hash_of_maps; do
		local inner=(value 64)
		[ $type != hash_of_maps ] || inner=(value 4 inner_map pinned "${map}_array")
		bpftool map create "${map}_$type" type $type key 4 "${inner[@]}" entries 256 name busy ||
			return
	done
	local value='' n
	for n in {1..64}; do value="$value $n"; done
	for n in {1..8}; do
		# shellcheck disable=SC2086 # words on purpose
		bpftool map update pinned "${map}_hash" key $n 0 0 0 value $value || return
	done
	bpftool map update pinned "${map}_hash_of_maps" key 1 0 0 0 value pinned "${map}_array" || return
	bpftool map delete pinned "${map}_hash" key 3 0 0 0 || return
	bpftool map dump pinned "${map}_hash" || return
	rm "$map"_*
}

# Namespaces of every kind, and mounts in them.
work_namespaces()
{
	# shellcheck disable=SC2016 # not for this shell
	unshare --user --map-root-user --mount --uts --ipc --net --pid --time --cgroup --fork --mount-proc \
		sh -c 'mount -t tmpfs tmpfs /mnt && mkdir /mnt/a /mnt/b && mount --bind /mnt/a /mnt/b &&
			ip link set lo up && ip link add dummy0 type dummy && echo 1 >/mnt/b/file'
}

# A file system is made, used and unmounted.
work_mounts()
{
	patiently losetup /dev/loop1 $busy/disk1 && mkfs.ext4 -q /dev/loop1 || return
	mount -t ext4 /dev/loop1 /mnt/loop || return
	cp /usr/bin/busybox /mnt/loop/file && mkdir -p /mnt/loop/a/b/c && mv /mnt/loop/file /mnt/loop/a/b/c
	local status=$?
	umount /mnt/loop && losetup -d /dev/loop1 && return $status
}

# A control group with too little memory for its programs, so that they are swapped.
work_cgroups()
{
	mkdir $group/one/inner || return
	echo '+memory +pids' >$group/one/cgroup.subtree_control
	echo 12M >$group/one/inner/memory.max && echo 64 >$group/one/inner/pids.max
	(echo "$BASHPID" >$group/one/inner/cgroup.procs &&
		exec stress-ng --vm 1 --vm-bytes 16M --vm-ops 1 --timeout 5) || return
	# its programs need a moment to end
	until rmdir $group/one/inner 2>/dev/null; do sleep 0.01; done
}

loops='files objects sockets iperf links bpf namespaces mounts cgroups'

# A loop that has failed 20 times in a row gives up.
run_loop()
{
	local name=$1 n failures=0
	for ((n = 0; failures < 20; n++)); do
		if work_"$name" $n; then
			failures=0
			echo $n >>$busy/did."$name"
		else
			failures=$((failures + 1))
			sleep 0.1
		fi
	done >$busy/said."$name" 2>&1
	: >$busy/gave_up."$name"
}

# Has each loop done the required number of rounds, or given up?
load_has_worked()
{
	local name
	for name in $loops; do
		[ -e $busy/gave_up."$name" ] || [ "$(wc -l <$busy/did."$name")" -ge $min_rounds ] || return
	done
}
min_rounds=2

# Move this shell to the load's control group, and so all its descendants. At a lower
# priority, so that scans get CPU time.
join_load()
{
	echo "$BASHPID" >$group/all/cgroup.procs && renice 10 -p "$BASHPID"
}

load_start()
{
	local name
	for name in $loops; do
		: >$busy/did."$name"
		(join_load && run_loop "$name") &
	done
	(join_load && exec ip netns exec right iperf3 -s >$busy/said.server 2>&1) &
}

# Returns when all processes of the load have ended.
load_stop()
{
	echo 1 >$group/cgroup.kill
	# the shell prints a line for each job that was killed
	{ wait; } 2>/dev/null
	until grep -qx 'populated 0' $group/cgroup.events; do
		sleep 0.05
	done
}

# Progress, as "NAME VALUE" lines; each value only grows while the load runs.

rounds()
{
	echo "rounds_$1 $(wc -l <$busy/did."$1")"
}

load_progress()
{
	local name
	for name in $loops; do
		rounds "$name"
	done
	echo "veth_mbytes $(($(ip netns exec hub cat /sys/class/net/toleft/statistics/rx_bytes) >> 20))"
	awk '$1 == "pgpgout" { print "written_mbytes", int($2 / 1024) }
		$1 == "pswpout" { print "swapped_pages", $2 }' /proc/vmstat
	awk '$3 == "loop0" { print "loop_bios", $4 + $8 }' /proc/diskstats
}

# The counts of stress-ng: "stressor operations", the sum of all rounds.
load_stressors()
{
	cat $busy/stress.* | awk '
		/metrc:/ && $4 ~ /^[a-z]/ && $5 ~ /^[0-9]+$/ { ops[$4] += $5 }
		END { for (s in ops) print s, ops[s] }' | sort
}
