# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2034,SC2054
#
# The machine of a guest. Sourced by run.sh; uses its options. Sets command, kernel_args,
# and console and console_shell, the arguments of the command for a script and a shell.

# User Mode Linux: a program, whose memory is a file that is mapped executable.
machine_um()
{
	local megabytes
	[ "$model$nodes$hotmem$kvm$icount" = 00 ] ||
		usage_error "--model, --nodes, --hotmem, --kvm and --icount are for an emulated machine, not for FLAVOR=um"
	command=("$IMAGE" mem="$mem" initrd="$work/root.cpio" con=null ssl=null
		"uml_dir=$work/" console=tty0)
	# The file is in /dev/shm if there is room (containers have 64 MB) and it is
	# not mounted noexec.
	TMPDIR=$work
	megabytes=$(to_megabytes "$mem")
	if [ "$(df -BM --output=avail /dev/shm 2>/dev/null | tr -dc '0-9\n' | tail -n 1)" -gt "$megabytes" ] 2>/dev/null &&
		! grep -qE '^[^ ]+ /dev/shm .*\bnoexec\b' /proc/mounts; then
		TMPDIR=/dev/shm
	fi
	export TMPDIR
	# UML's SMP needs its seccomp mode.
	[ "$cpus" = 1 ] || command+=(ncpus="$cpus" seccomp=on)
	console=(con0=null,fd:1)
	console_shell=(con0=fd:0,fd:1)
}

to_megabytes()
{
	local bytes
	bytes=$(numfmt --from=iec "$1") || usage_error "--mem $1: expected a size like 512M"
	echo $((bytes / 1048576))
}

# Hardware acceleration only if it is asked for: it may be offered and not work.
acceleration()
{
	[ "$kvm$icount" != 11 ] || usage_error "--icount: only an emulated processor's instructions are counted"
	if [ "$icount" = 1 ]; then
		echo tcg,thread=single
		return
	fi
	if [ "$kvm" = 0 ]; then
		echo tcg,thread=multi
		return
	fi
	[ "$kml_deb" = "$(dpkg --print-architecture 2>/dev/null)" ] ||
		usage_error "--kvm: this machine's processor cannot run $flavour"
	[ -w /dev/kvm ] || die "--kvm: /dev/kvm is not there or not ours" "leave --kvm away"
	# An idle machine shows whether it works.
	timeout 10 "$kml_qemu" -accel kvm -machine none -display none -monitor none \
		-serial none -S -daemonize -pidfile "$work/kvm.pid" 2>"$work/kvm.log" ||
		die "--kvm: $(tail -n 1 "$work/kvm.log")" "leave --kvm away"
	kill "$(cat "$work/kvm.pid")"
	echo kvm
}

# Memory is split evenly, and CPUs are assigned in turn.
numa_nodes()
{
	local n=$1 total=$2 i cpu share=$(($2 / $1))
	[ "$n" -le "$cpus" ] || usage_error "--nodes $n: more than the $cpus CPUs"
	for ((i = 0; i < n; i++)); do
		command+=(-object "memory-backend-ram,id=ram$i,size=$((i + 1 < n ? share : total - share * (n - 1)))M"
			-numa "node,nodeid=$i,memdev=ram$i")
	done
	for ((cpu = 0; cpu < cpus; cpu++)); do
		command+=(-numa "cpu,node-id=$((cpu % n)),$(cpu_place "$cpu")")
	done
}

cpu_place()
{
	case $flavour in
	x86_64) echo "socket-id=$1" ;;
	*) echo "core-id=$1" ;;
	esac
}

# An emulated machine, without default devices.
machine_qemu()
{
	local megabytes memory accel tty
	megabytes=$(to_megabytes "$mem")
	memory=$megabytes
	accel=$(acceleration)
	[ "$kvm" = 0 ] || model=${model:-host}
	case $flavour in
	x86_64)
		tty=ttyS0
		command=("$kml_qemu" -machine q35 -cpu "${model:-max}" -smp "$cpus,sockets=$cpus")
		;;
	arm64)
		local machine=virt,gic-version=3
		tty=ttyAMA0
		# Tags of memory only for a kernel that checks them: they cost time, and
		# a machine with them cannot add memory.
		if grep -q '^CONFIG_KASAN_HW_TAGS=y' "$KOUT/.config"; then
			machine=$machine,mte=on
		fi
		# The architected signature of pointers takes longer to emulate
		# than everything else.
		command=("$kml_qemu" -machine "$machine" -cpu "${model:-max,pauth-impdef=on}" -smp "$cpus")
		;;
	esac
	command+=(-accel "$accel" -nodefaults -no-user-config -display none -monitor none -no-reboot)
	# Memory that the guest may add and remove: by virtio-mem, whose driver is a
	# module, on both; and in a slot of the board, which needs ACPI.
	if [ -n "$hotmem" ]; then
		local hot
		hot=$(to_megabytes "$hotmem")
		memory="$megabytes,slots=2,maxmem=$((megabytes + 4 * hot + 2048))M"
	fi
	command+=(-m "$memory")
	# On an idle machine, the clock jumps to the next event.
	[ "$icount" = 0 ] || command+=(-icount shift=0,sleep=off)
	if [ -n "$nodes" ]; then
		numa_nodes "$nodes" "$megabytes"
	else
		# It may have more than this machine, as long as it does not use it.
		command+=(-object "memory-backend-ram,id=ram,size=${megabytes}M,reserve=off"
			-machine memory-backend=ram)
	fi
	if [ -n "$hotmem" ]; then
		command+=(-object "memory-backend-ram,id=hot0,size=${hot}M"
			-device "virtio-mem-pci,id=vmem0,memdev=hot0,node=0,requested-size=${hot}M")
		[ "$flavour" != x86_64 ] ||
			command+=(-object "memory-backend-ram,id=hot1,size=${hot}M"
				-device "pc-dimm,id=dimm1,memdev=hot1,node=0")
	fi
	command+=(-chardev stdio,id=tty,signal=off -serial chardev:tty
		-kernel "$IMAGE" -initrd "$work/root.cpio" -append)
	kernel_args="console=$tty "
	# While the kernel checks the PC's timer, a busy host may deliver too few ticks:
	# "IO-APIC + timer doesn't work!", and a panic.
	[ "$flavour" != x86_64 ] || kernel_args="${kernel_args}no_timer_check "
	console=() console_shell=()
}
