# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2317 # functions are called by name
#
# Runs in the guest, whose kernel has DEBUG_KMEMLEAK_STACK_CHECK and was booted with
# kunit.enable=1 kunit.autorun=1: the fast stack walk must equal the unwinder at boot,
# under a load, while modules come and go, and while tracers replace return addresses.
# KML_STACKS is the number of checks wanted in each part. Prints TAP.
set -u
stats=/sys/kernel/debug/kmemleak_stats
tracing=/sys/kernel/tracing
wanted=${KML_STACKS:-20000}
failed=0

stat_of()
{
	awk -v key="$1" '$1 == key { print $2 }' $stats
}

# result <what> <command...>
result()
{
	local what=$1
	shift
	if "$@"; then
		echo "ok - $what"
	else
		echo "not ok - $what"
		failed=1
	fi
}

# Processes, files, pipes, page faults, timers.
load()
{
	local i
	for ((i = 0; i < 10; i++)); do
		find /proc /sys/kernel /lib -maxdepth 3 2>/dev/null | tail -n 1 >/dev/null
		(sleep 0.01; ls -l /dev) | cat >/dev/null
		head -c 300000 /dev/zero >/tmp/stacks-file
		cat /tmp/stacks-file /proc/self/maps >/dev/null
		rm /tmp/stacks-file
	done
}

# part <what> <most fallbacks, per cent> <command...>: repeat until there are enough
# checks. With active tracers the unwinder has to do much of the work.
part()
{
	local what=$1 most=$2 checks fallbacks did=0 fell
	shift 2
	checks=$(stat_of stack_checks) fallbacks=$(stat_of stack_fallbacks)
	while [ $did -lt "$wanted" ]; do
		"$@" || { result "$what" false; return; }
		did=$(($(stat_of stack_checks) + $(stat_of stack_fallbacks) - checks - fallbacks))
	done
	fell=$(($(stat_of stack_fallbacks) - fallbacks))
	echo "# $what: $((did - fell)) stacks compared, $fell left to the unwinder"
	result "$what: no stack differs" [ "$(stat_of stack_mismatches)" = 0 ]
	result "$what: at most $most % of the stacks are left to the unwinder" \
		[ $((fell * 100)) -le $((most * did)) ]
}

modules()
{
	local module
	load
	# both get the same addresses
	for module in kmemleak-test virtio_mem kmemleak-test; do
		modprobe "$module" 2>/dev/null || return
		rmmod "${module/-/_}" || return
	done
	return 0
}

# Functions below which the load allocates.
traced='do_sys_openat2 alloc_empty_file vfs_read seq_open copy_process'

kprobes()
{
	local fn
	for fn in $traced; do
		! grep -qw "$fn" "$tracing"/available_filter_functions || echo "$1:k_$fn $fn" >>"$tracing"/kprobe_events || return
	done
	echo 1 >"$tracing"/events/kprobes/enable || return
	load
	echo 0 >"$tracing"/events/kprobes/enable
	echo >"$tracing"/kprobe_events
}

tracer()
{
	echo "$1" >"$tracing"/current_tracer || return
	load
	echo nop >"$tracing"/current_tracer
}

grep -q '^stack_checks ' $stats || { echo "not ok - this kernel does not compare stacks"; exit 1; }
[ -e $tracing/current_tracer ] || mount -t tracefs tracefs $tracing || exit 1

bash /kml/guest/kunit.sh || failed=1
echo "# boot: $(stat_of stack_checks) stacks compared, $(stat_of stack_fallbacks) left to the unwinder"
result "boot: stacks were compared" [ "$(stat_of stack_checks)" -gt 10000 ]
result "boot: no stack differs" [ "$(stat_of stack_mismatches)" = 0 ]
part load 5 load
part "modules come and go" 5 modules
part kprobes 10 kprobes p
part kretprobes 100 kprobes r
part "function tracer" 10 tracer function
part "function graph tracer" 100 tracer function_graph
part "load afterwards" 5 load
dmesg | grep -A 40 'kmemleak: Stack of' | sed 's/^/# /'
exit $failed
