#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Run a script as root in a guest with a kernel that build-kernel.sh has built. The guest
# has no disk. Prints the console, keeps a log, and returns the script's exit status. The
# run fails if the kernel has complained.
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tools/kmemleak/machine.sh
. "$KML_TOOLS/machine.sh"

usage()
{
	cat <<-EOT
	usage: run.sh [options] -- SCRIPT [ARGUMENT]...
	       run.sh [options] --shell
	  --flavor F        $KML_FLAVOURS (default um)
	  --kernel K        $KML_KERNELS or the path of a kernel tree (default 7.3)
	  --stock, --debug, --config NAME
	                    which build of it (see build-kernel.sh)
	  --cpus N          CPUs of the guest (default 2 where the kernel has SMP)
	  --mem SIZE        memory of the guest (default 256M, 512M with --debug or
	                    for an emulated machine)
	  --model CPU       emulated processor, as qemu names it (default max)
	  --nodes N         NUMA nodes, which share memory and CPUs evenly
	  --hotmem SIZE     memory that can be added and removed: SIZE by virtio-mem
	                    (a module) and, on x86_64, a DIMM of SIZE
	  --kvm             run the guest on the host's processor (default: qemu
	                    emulates one, which works everywhere)
	  --icount          the guest's clock counts instructions, one a nanosecond:
	                    times do not depend on the host; one CPU
	  --keys S          press Enter at the guest's console every S seconds, to
	                    wake it up
	  --append ARGS     more kernel parameters
	  --add DIR:PATH    copy DIR (or a file) to PATH in the guest; repeatable
	  --programs "NAME.." more programs of this machine for the guest
	  --env NAME=VALUE  environment of the script; repeatable
	  --timeout S       kill the guest after S seconds (default 300)
	  --quiet           print no kernel messages; the log has them
	  --log FILE        the log (default: below the build directory)
	  --no-splat-check  do not look for kernel complaints in the log
	  --injected        the script makes allocations fail: messages about that
	                    are no complaints
	  --leaves          the script ends the guest itself, after a line "leaving",
	                    which means status 0
	exit status: the script's; or
	  123  the script succeeded but the kernel complained (lines are shown),
	       or the beginning of the kernel's log is missing
	  124  timed out     125  the guest ended without a status (it crashed)
	EOT
}

flavour=um kernel=7.3 stock=0 debug=0 config='' cpus='' mem='' append='' timeout=300
quiet=0 log='' splats_pass=0 injected=0 shell=0 model='' nodes='' hotmem='' kvm=0 icount=0 leaves=0 keys=''
programs='' adds=() envs=() words=()
parse_options "
	--flavor|--flavour flavour flavour
	--kernel kernel kernel
	--stock stock flag
	--debug debug flag
	--config config config
	--cpus cpus count
	--mem mem text
	--model model text
	--nodes nodes count
	--hotmem hotmem text
	--kvm kvm flag
	--icount icount flag
	--keys keys text
	--leaves leaves flag
	--append append words
	--add adds each
	--programs programs text
	--env envs each
	--timeout timeout number
	--quiet quiet flag
	--log log text
	--no-splat-check splats_pass flag
	--injected injected flag
	--shell shell flag
	-- words
" "$@"
set -- "${words[@]}"
script=/dev/null mode=shell
if [ $shell = 0 ]; then
	mode=script
	[ $# -ge 1 ] || { usage >&2; usage_error "no script given"; }
	script=$1
	shift
	[ -f "$script" ] || usage_error "no such script: $script"
fi

args=()
[ $stock = 0 ] || args+=(--stock)
[ $debug = 0 ] || args+=(--debug)
[ -z "$config" ] || args+=(--config "$config")
assignments=$("$KML_TOOLS/build-kernel.sh" --print --flavor "$flavour" --kernel "$kernel" "${args[@]}")
KOUT='' IMAGE=''
eval "$assignments"
"$KML_TOOLS/build-deps.sh" guest "$flavour"
flavour_facts "$flavour"
[ -z "$keys" ] || [ -n "$kml_qemu" ] ||
	usage_error "--keys is for an emulated machine, not for FLAVOR=um"

if [ -z "$log" ]; then
	mkdir -p "$KOUT/log"
	log=$KOUT/log/run-$(date +%H%M%S)-$$.log
	# Logs of runs are kept for two days.
	find "$KOUT/log" -name 'run-*.log' -mtime +2 -delete
fi
: >"$log"

smp=0
grep -q '^CONFIG_SMP=y' "$KOUT/.config" && smp=1
if [ $smp = 0 ]; then
	[ "${cpus:-1}" = 1 ] || usage_error "--cpus $cpus: this kernel is built for one CPU"
	cpus=1
fi
if [ $icount = 1 ]; then
	[ "${cpus:-1}" = 1 ] || usage_error "--cpus $cpus: with --icount a guest has one"
	cpus=1
fi
cpus=${cpus:-2}
[ -n "$mem" ] || { mem=256M; [ $debug = 0 ] && [ -z "$kml_qemu" ] || mem=512M; }

work=$(mktemp -d "${TMPDIR:-/tmp}/kmemleak-run.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

nonce=$(od -An -N6 -tx1 /dev/urandom | tr -d ' \n')
{
	printf 'KML_NONCE=%s KML_MODE=%s\n' "$nonce" "$mode"
	printf 'KML_ARGS=%q\n' "${*@Q}"
	for e in "${envs[@]}"; do
		printf 'export %s=%q\n' "${e%%=*}" "${e#*=}"
	done
} >"$work/env"
"$KML_TOOLS/initramfs.sh" --programs "$programs" "$work/root.cpio" "$kml_deb" "$KOUT/modroot" "$script" "$work/env" "${adds[@]}"

# With --leaves the guest does not print the kernel's log at its end. Only the console can
# be checked, so it must have the warnings.
[ $quiet$leaves != 11 ] || append="loglevel=5 $append"
[ $quiet = 0 ] || append="quiet $append"
# KUnit suites run only with --append kunit.enable=1, which comes later on the line and
# wins.
append="kunit.enable=0 $append"
command=() console=() console_shell=() kernel_args=''
if [ -n "$kml_qemu" ]; then machine_qemu; else machine_um; fi
kernel_args="${kernel_args}panic=-1 $append"
if [ -n "$kml_qemu" ]; then
	# All parameters are one argument.
	command+=("$kernel_args")
else
	# shellcheck disable=SC2206 # words on purpose
	command+=($kernel_args)
fi

if [ $mode = shell ]; then
	# The guest has our terminal: control-C goes to the guest, not to the emulator.
	"${command[@]}" "${console_shell[@]}" || :
	exit 0
fi

# The guest runs in the background: a shell that waits for a pipeline in the foreground
# handles no signal before the pipeline ends. timeout puts itself and UML's helpers into
# a process group that control-C does not reach.
guest()
{
	set +e
	{
		echo "$BASHPID" >"$work/pid"
		# No test may wait for input. The loop that presses keys ends when the
		# guest does, since its pipe is then closed.
		if [ -n "$keys" ]; then
			exec < <(exec 2>/dev/null; while sleep "$keys" && echo; do :; done)
		else
			exec </dev/null
		fi
		exec timeout -k 5 "$timeout" "${command[@]}" "${console[@]}" 2>&1
	} | sed -u 's/\r//g' | tee "$log" |
		sed -u "/KML-$nonce-DMESG\$/,/KML-$nonce-DMESG-END/d; /KML-$nonce-STATUS/,\$d"
	exit "${PIPESTATUS[0]}"
}

# shellcheck disable=SC2317 # by trap
stop_guest()
{
	[ ! -s "$work/pid" ] || kill "$(cat "$work/pid")" 2>/dev/null || :
	wait || :
	exit 130
}

rc=0
trap stop_guest INT TERM HUP
guest &
wait $! || rc=$?
trap 'exit 130' INT TERM

status=$(sed -n "s/.*KML-$nonce-STATUS \([0-9]*\).*/\1/p" "$log" | tail -n 1)
if [ -z "$status" ] && [ $leaves = 1 ] && [ "$rc" = 0 ] && grep -qx leaving "$log"; then
	status=0
fi
if [ -z "$status" ]; then
	if [ "$rc" = 124 ] || [ "$rc" = 137 ]; then
		note "error: the guest did not finish within $timeout s; log: $log"
		exit 124
	fi
	note "error: the guest ended without a status (it crashed?); log: $log"
	exit 125
fi
[ $splats_pass = 0 ] || exit "$status"

complaints=0
# A log that does not begin with the boot may lack complaints.
if [ $leaves = 0 ] && ! grep -qE "KML-$nonce-DMESG-FIRST 0([^0-9]|\$)" "$log"; then
	note "error: the kernel's log does not begin with the boot: complaints may be lost (log_buf_len= makes it longer); log: $log"
	complaints=1
fi
check=()
[ $injected = 0 ] || check=(--injected)
if ! "$KML_TOOLS/check-log.sh" "${check[@]}" "$log"; then
	note "error: the kernel complained (above); log: $log"
	complaints=1
fi
[ "$status$complaints" != 01 ] || status=123
exit "$status"
