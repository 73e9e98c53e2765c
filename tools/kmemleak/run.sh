#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Run a script as root in a kernel built by build-kernel.sh, in a guest that
# lives in memory only. Streams the console, keeps a log, returns the script's
# own exit status. Anything the kernel complained about fails the run.
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
	  --nodes N         NUMA nodes; memory and CPUs are dealt out evenly
	  --hotmem SIZE     memory that may come and go: SIZE by virtio-mem (a
	                    module) and, on x86_64, a DIMM of SIZE
	  --kvm             let the host's processor run the guest (default: qemu
	                    emulates it, which works anywhere)
	  --icount          the guest's clock counts instructions, one a nanosecond:
	                    times are the same whatever the host does; one CPU
	  --keys S          press Enter at the guest's console every S seconds, for
	                    one that sleeps
	  --append ARGS     more kernel parameters
	  --add DIR:PATH    copy DIR (or a file) to PATH in the guest; repeatable
	  --programs "NAME.." more programs of this machine that the guest needs
	  --env NAME=VALUE  environment of the script; repeatable
	  --timeout S       kill the guest after S seconds (default 300)
	  --quiet           keep kernel messages out of the stream (not the log)
	  --log FILE        where the log goes (default: below the build directory)
	  --no-splat-check  do not look for kernel complaints in the log
	  --injected        the script makes allocations fail: that some did is no
	                    complaint
	  --leaves          the script ends the guest itself, after a line "leaving";
	                    status 0 if that was the last that was heard of it
	exit status: the script's; or
	  123  the script succeeded but the kernel complained (lines are shown),
	       or its log is not there from the start of the boot on
	  124  timed out     125  the guest ended without a status (it crashed)
	EOT
}

flavour=um kernel=7.3 stock=0 debug=0 config='' cpus='' mem='' append='' timeout=300
quiet=0 log='' splats=1 injected=() mode=script model='' nodes='' hotmem='' kvm=0 icount=0 leaves=0 keys=''
programs=()
adds=() envs=()
while [ $# -gt 0 ]; do
	case $1 in
	--flavour | --flavor) flavour=${2:?}; shift ;;
	--kernel) kernel=${2:?}; shift ;;
	--stock) stock=1 ;;
	--debug) debug=1 ;;
	--config) config=${2:?}; shift ;;
	--cpus) cpus=${2:?}; shift ;;
	--mem) mem=${2:?}; shift ;;
	--model) model=${2:?}; shift ;;
	--nodes) nodes=${2:?}; shift ;;
	--hotmem) hotmem=${2:?}; shift ;;
	--kvm) kvm=1 ;;
	--icount) icount=1 ;;
	--keys) keys=${2:?}; shift ;;
	--leaves) leaves=1 ;;
	--append) append="$append ${2:?}"; shift ;;
	--add) adds+=("${2:?}"); shift ;;
	--programs) programs=(--programs "${2:?}"); shift ;;
	--env) envs+=("${2:?}"); shift ;;
	--timeout) timeout=${2:?}; shift ;;
	--quiet) quiet=1 ;;
	--log) log=${2:?}; shift ;;
	--no-splat-check) splats=0 ;;
	--injected) injected=(--injected) ;;
	--shell) mode=shell ;;
	-h | --help) usage; exit 0 ;;
	--) shift; break ;;
	*) usage >&2; usage_error "unknown option $1" ;;
	esac
	shift
done
script=/dev/null
if [ $mode = script ]; then
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
	# Logs of past runs are for the last few failures, not an archive.
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
"$KML_TOOLS/initramfs.sh" "${programs[@]}" "$work/root.cpio" "$kml_deb" "$KOUT/modroot" "$script" "$work/env" "${adds[@]}"

# Who leaves does not hand over the kernel's log: what is on the console is all that
# can be checked, so warnings have to be there.
[ $quiet$leaves != 11 ] || append="loglevel=5 $append"
[ $quiet = 0 ] || append="quiet $append"
# KUnit suites run when asked for (--append kunit.enable=1, which comes later
# on the line and wins), not at every boot.
append="kunit.enable=0 $append"
command=() console=() console_shell=() kernel_args=''
if [ -n "$kml_qemu" ]; then machine_qemu; else machine_um; fi
kernel_args="${kernel_args}panic=-1 $append"
if [ -n "$kml_qemu" ]; then
	# One word for all of them.
	command+=("$kernel_args")
else
	# shellcheck disable=SC2206 # words on purpose
	command+=($kernel_args)
fi

if [ $mode = shell ]; then
	# The guest's terminal is ours: its control-C is not for the emulator.
	"${command[@]}" "${console_shell[@]}" || :
	exit 0
fi

# One guest, in the background: a shell that waits for a pipeline in the
# foreground sees no signal before it ends, and timeout puts itself and UML's
# helpers into a process group that the terminal's Ctrl-C does not reach.
guest()
{
	set +e
	{
		echo "$BASHPID" >"$work/pid"
		# No test may wait for a person. Whoever presses keys sees by the pipe
		# that the guest is gone.
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
[ $splats = 1 ] || exit "$status"

complaints=0
# Complaints that later lines have overwritten, or that were never handed over,
# would be missed.
if [ $leaves = 0 ] && ! grep -qE "KML-$nonce-DMESG-FIRST 0([^0-9]|\$)" "$log"; then
	note "error: the kernel's log does not begin with the boot: complaints may be lost (log_buf_len= makes it longer); log: $log"
	complaints=1
fi
if ! "$KML_TOOLS/check-log.sh" "${injected[@]}" "$log"; then
	note "error: the kernel complained (above); log: $log"
	complaints=1
fi
[ "$status$complaints" != 01 ] || status=123
exit "$status"
