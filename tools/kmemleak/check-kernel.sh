#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# All tests that run in one kernel. Each part has a boot of its own, since a test may
# leave kmemleak disabled. Prints TAP.
#
# The part "boot" is one boot of an emulated machine with some tests of each kind, for
# make check. It is run only if it is named.
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/lib.sh"

usage()
{
	cat <<-EOT
	usage: check-kernel.sh [options] [PART]...
	  --flavor F        $KML_FLAVOURS (default um)
	  --kernel K        $KML_KERNELS or the path of a kernel tree (default 7.3)
	  --stock, --debug, --config NAME
	                    which build of it (see build-kernel.sh)
	  --list            print the names of the parts that such a kernel has
	  PART              only these parts; "boot" is run only if it is named
	With KML_LOG_DIR=<directory> the log of each part's guest is kept there.
	EOT
}

flavour=um kernel=7.3 debug=0 stock=0 config='' list=0 words=()
parse_options "
	--flavor|--flavour flavour flavour
	--kernel kernel kernel
	--config config config
	--list list flag
	--debug debug flag
	--stock stock flag
	... words
" "$@"
wanted=${words[*]:+ ${words[*]}}
flavour_facts "$flavour"
build=(--flavor "$flavour" --kernel "$kernel")
[ $debug = 0 ] || build+=(--debug)
[ $stock = 0 ] || build+=(--stock)
[ -z "$config" ] || build+=(--config "$config")

selftests=''
if [ $list = 0 ]; then
	"$KML_TOOLS/build-kernel.sh" "${build[@]}"
	selftests=$("$KML_TOOLS/build-selftests.sh" "${build[@]}")
fi
# The tree's own scripts are those of 7.3: 6.12 has none, and should pass these, too.
"$KML_TOOLS/fetch-kernel.sh" 7.3
kernel_paths "$flavour" 7.3 0 0
tree_tests=${kml_pristine:?}/tools/testing/selftests

here=/kml/kselftest
in_guest=(--add "$KML_TOOLS/guest:/kml/guest" --add "$selftests:$here/kmemleak" --add "$tree_tests/kselftest:$here/kselftest"
	--add "$tree_tests/mm/ksft_kmemleak_confirm.sh:$here/mm/ksft_kmemleak_confirm.sh"
	--add "$tree_tests/mm/ksft_kmemleak_dedup.sh:$here/mm/ksft_kmemleak_dedup.sh")
suite=$selftests/run_in_guest.sh

# Guests mostly wait for objects to age, so several run at a time. Emulated machines run
# one by one, since each has more CPUs than this machine.
slots=$(nproc)
[ "$slots" -le 4 ] || slots=4
if [ -n "$kml_qemu" ]; then
	slots=1 cpus=4
	in_guest+=(--cpus "$cpus")
	[ "$debug$config" = 0 ] || in_guest+=(--mem 1G)
fi
# Emulation is slow, and slower with debugging kernels.
slow=1
if [ -n "$kml_qemu" ]; then
	slow=4
	[ "$debug$config" = 0 ] || slow=5
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/kmemleak-check.XXXXXX")
# shellcheck disable=SC2046 # one word per process
trap 'kill $(jobs -p) 2>/dev/null || :; wait; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

parts=0
# part <name> <run.sh options> -- <script> [arguments]: one boot, as soon as a slot is
# free
part()
{
	local name=$1
	shift
	case "$wanted " in
	' ' | *" $name "*) ;;
	*) return 0 ;;
	esac
	if [ $list = 1 ]; then
		echo "$name"
		return 0
	fi
	[ "$(jobs -rp | wc -l)" -lt "$slots" ] || wait -n || :
	parts=$((parts + 1))
	one_part "$name" "$@" >"$work/$parts" &
}

one_part()
{
	local name=$1 status=0 t0=$SECONDS runner log=()
	shift
	[ -z "${KML_LOG_DIR:-}" ] || log=(--log "$KML_LOG_DIR/$name.log")
	echo "# suite: $name"
	"$KML_TOOLS/run.sh" "${build[@]}" --quiet "${log[@]}" "${in_guest[@]}" "$@" &
	runner=$!
	trap 'kill $runner 2>/dev/null; wait $runner; exit 130' INT TERM
	wait $runner || status=$?
	note "  ${kml_qemu:+$flavour }$kernel$([ $debug = 0 ] || echo ' debug')${config:+ $config}: $name, $((SECONDS - t0)) s"
	# The tests have results of their own. This line is about the guest, which
	# must live to its end and leave a clean log.
	case $status in
	0) echo "ok - $name: the guest ended, its log is clean" ;;
	123) echo "not ok - $name: the kernel complained" ;;
	124) echo "not ok - $name: timed out" ;;
	125) echo "not ok - $name: the guest crashed" ;;
	*)
		echo "# $name: exit $status"
		# other parts print what failed
		[ "$name" != demo ] || echo "not ok - demo: it shows all leaks"
		;;
	esac
	[ "$status" = 0 ] || : >"$work/failed"
}

# early <name> <run.sh options>: a boot of CONFIG=early
early()
{
	local name=$1
	shift
	part "$name" "$@" --timeout "$(seconds 300)" -- "$KML_TOOLS/guest/early.sh"
}

# seconds <n>: a time limit, longer on slow machines
seconds()
{
	echo $(($1 * slow))
}

# Debugging kernels complain about a CPU that is kept for four seconds (RCU's limit is in
# debug.config), sanitizers about eight.
if [ $debug = 1 ]; then
	in_guest+=(--append watchdog_thresh=2)
elif [ -n "$config" ]; then
	in_guest+=(--append watchdog_thresh=4 --append rcupdate.rcu_cpu_stall_timeout=10)
fi
case $config in
# Built in, but enabled by a parameter only.
poison) in_guest+=(--append page_poison=1 --env KML_POISON=1) ;;
default-off) in_guest+=(--env KMEMLEAK_DEFAULT=off) ;;
esac

# Long parts come first, so that all end at about the same time. All CPUs scan in parts
# with "parallel", if the kernel has SMP.
parallel=()
[ $stock = 1 ] || parallel=(--append 'kmemleak=on,parallel')
kunit=(--append 'kunit.enable=1 kunit.autorun=1')

# Emulated machines: hotplug, suspend, reboot, and other processors.
if [ -n "$kml_qemu" ]; then
	case $flavour in
	x86_64) filter=avx2 plain=Nehalem ;;
	arm64) filter=neon plain='' ;;
	esac
	# A sanitizer that is compiled in may be inactive: expect its message.
	case $config in
	kcsan) alive='kcsan: enabled early' ;;
	kasan*) alive='KernelAddressSanitizer initialized' ;;
	kmsan) alive='Starting KernelMemorySanitizer' ;;
	poison) alive='kfence: initialized' ;;
	rt) alive='PREEMPT_RT' ;;
	*) alive='' ;;
	esac
	# Two nodes, memory in a slot, and memory by virtio-mem.
	nodes=2
	machine=(--nodes "$nodes" --env "KML_CPUS=$cpus" --env "KML_NODES=$nodes")
	# A key ends suspend to idle: with qemu 7.2 the PC's alarm does not.
	machine+=(--keys 5 --env KMEMLEAK_KEYS=1)
	happenings='cpu_hotplug.sh suspend.sh module_load.sh'
	# Hotplugged memory has no tags in qemu, and no shadow in KMSAN.
	case $config in
	kasan-hw-tags | kmsan) ;;
	*)
		machine+=(--hotmem 256M --env KMEMLEAK_MEMORY_MODULE=virtio_mem --env KMEMLEAK_EJECT=1)
		happenings="memory_hotplug.sh $happenings"
		;;
	esac
	# Pages have owners, and the struct page of a page without a user is poisoned.
	[ "$config" != early ] ||
		machine+=(--append 'page_owner=on vm_debug=P' --env KML_PAGE_OWNER=1)
	case "$wanted " in
	*' boot '*)
		# shellcheck disable=SC2086 # words on purpose
		part boot "${parallel[@]}" "${kunit[@]}" "${machine[@]}" \
			--env KML_FILTER=$filter --append kmemleak.filter=$filter \
			--env KMEMLEAK_ROUNDS=1 --env "KML_ALIVE=$alive" --timeout "$(seconds 300)" -- "$KML_TOOLS/guest/boot.sh" \
			abi_test parallel_test sample_module.sh $happenings
		;;
	esac
	# shellcheck disable=SC2086 # words on purpose
	part machine "${parallel[@]}" "${machine[@]}" --timeout "$(seconds 300)" -- \
		"$suite" -d $here/kmemleak $happenings
	# Suspend to RAM: not with virtio-mem, and not on arm64.
	[ "$flavour" != x86_64 ] ||
		part sleep "${parallel[@]}" --nodes 2 --env KMEMLEAK_ALARM=mem --timeout "$(seconds 120)" -- \
			"$suite" -d $here/kmemleak suspend.sh
	# It needs what its configuration compiles in.
	[ "$config" != stack-check ] || part stacks "${kunit[@]}" --timeout "$(seconds 400)" -- \
		"$KML_TOOLS/guest/stacks.sh"
	# Each user of the memory for metadata of early boot, alone and together. The guest
	# has far more memory than it uses, and more processors than can run at once here.
	if [ "$config" = early ]; then
		early early-pool
		early early-pagealloc --append debug_pagealloc=on
		early early-percpu --append percpu_alloc=page
		early early-cpus --cpus 64 --env KML_CPUS=64
		early early-memory --mem 40G --env KML_GIB=40
		early early-all --cpus 64 --env KML_CPUS=64 --mem 40G --env KML_GIB=40 \
			--append 'debug_pagealloc=on percpu_alloc=page'
	fi
	part reboot "${parallel[@]}" --leaves --timeout "$(seconds 60)" -- "$KML_TOOLS/guest/reboot.sh"
	[ -z "$plain" ] || [ $stock = 1 ] ||
		part plain "${parallel[@]}" "${kunit[@]}" --model "$plain" --env KML_FILTER=generic \
			--timeout "$(seconds 120)" -- "$KML_TOOLS/guest/boot.sh" abi_test
fi
# On an emulated machine, name the filter that the processor has.
own=()
[ -z "$kml_qemu" ] || [ $stock = 1 ] || own=(--append "kmemleak.filter=$filter")
part selftests "${parallel[@]}" "${own[@]}" --timeout "$(seconds 600)" -- "$suite" -d $here/kmemleak -g core
part users "${parallel[@]}" --timeout "$(seconds 600)" -- "$suite" -d $here/kmemleak -g users
part tree --timeout "$(seconds 300)" -- "$KML_TOOLS/guest/kselftests.sh" $here/mm \
	ksft_kmemleak_confirm.sh ksft_kmemleak_dedup.sh
# Like "make run", except for the number of CPUs.
part demo "${parallel[@]}" --env "KML_STOCK=$stock" --append no_hash_pointers \
	--timeout "$(seconds 120)" -- "$KML_TOOLS/guest/demo.sh"
part kunit "${kunit[@]}" --timeout "$(seconds 600)" -- "$KML_TOOLS/guest/kunit.sh"
[ $debug = 0 ] || part failslab --injected --timeout "$(seconds 600)" -- "$KML_TOOLS/guest/failslab.sh" 10
part isolated "${parallel[@]}" --append isolcpus=1 --timeout "$(seconds 120)" -- "$suite" -d $here/kmemleak isolated.sh
part off --timeout "$(seconds 300)" -- "$suite" -d $here/kmemleak -l off disable_test
part overlap --timeout "$(seconds 300)" -- "$suite" -d $here/kmemleak -l overlap abi_test
# This part provokes warnings of kmemleak itself, which check-log.sh does not count.
part warnings --timeout "$(seconds 300)" -- "$suite" -d $here/kmemleak -l warnings abi_test
for words in off on parallel on,parallel bogus ON on,bogus on,,parallel off,parallel; do
	part "boot-$words" --append "kmemleak=$words" --timeout "$(seconds 120)" -- \
		"$suite" -d $here/kmemleak boot_param.sh
done
# The option without a value, and with an empty one.
part boot-bare --append kmemleak --timeout "$(seconds 120)" -- "$suite" -d $here/kmemleak boot_param.sh
part boot-empty --append kmemleak= --timeout "$(seconds 120)" -- "$suite" -d $here/kmemleak boot_param.sh
part boot-bad-parameters --append 'kmemleak.min_unref_scans=-1 kmemleak.verbose=maybe' \
	--append 'kmemleak.workers=4294967296 kmemleak.filter=nosuch' --timeout "$(seconds 120)" -- \
	"$suite" -d $here/kmemleak boot_param.sh
part boot-parameters --append 'kmemleak.min_unref_scans=3 kmemleak.verbose=1' --timeout "$(seconds 120)" -- \
	"$suite" -d $here/kmemleak boot_param.sh
# The torture test uses all CPUs, so it runs alone.
if [ "$kernel" = 7.3 ] && [ $debug = 0 ]; then
	case "$wanted " in
	' ' | *' torture '*) wait ;;
	esac
	# A scan by one emulated CPU takes seconds: see torture.rows. In UML it does if the
	# host is busy elsewhere: one object was reported beside a scan of 0.6 s.
	moved=3
	[ -z "$kml_qemu" ] || moved=10
	part torture "${parallel[@]}" --env "KMEMLEAK_TORTURE_PARAMS=max_moved=$moved" --mem 512M --timeout "$(seconds 400)" --env KMEMLEAK_TORTURE_SECONDS=60 -- \
		"$suite" -d $here/kmemleak torture_test
fi

[ $list = 0 ] || exit 0
[ $parts -gt 0 ] || usage_error "no such part:$wanted"
wait
for ((i = 1; i <= parts; i++)); do
	cat "$work/$i"
done
[ ! -e "$work/failed" ]
