#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Build a kernel with this checkout's kmemleak or, for comparisons, with the tree's own.
# After an edit, only the files that the edit affects are compiled again.
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/lib.sh"

usage()
{
	cat <<-EOT
	usage: build-kernel.sh [option]...
	  --flavor    $KML_FLAVOURS (default um)
	  --kernel    $KML_KERNELS or the path of a kernel tree (default 7.3)
	  --stock     with the tree's own mm/kmemleak.c, and the same configuration
	  --debug     lockdep, PROVE_RCU, sleep and list checks, fault injection
	  --config    adds configs/NAME.config, in a build directory of its own; one of
	              $(extra_configs)
	  --variant   NAME of a build directory of its own (lint, experiments)
	  --cc        the compiler (default gcc; for --config kmsan the newest clang)
	  --prepare   stop before compiling the kernel proper
	  --print     only print KSRC=, KOUT= and IMAGE= of a kernel that was built
	EOT
}

flavour=um kernel=7.3 stock=0 debug=0 print=0 prepare=0 config='' variant='' cc=''
parse_options "
	--flavor|--flavour flavour flavour
	--kernel kernel kernel
	--stock stock flag
	--debug debug flag
	--print print flag
	--config config config
	--variant variant text
	--cc cc text
	--prepare prepare flag
" "$@"
kernel_paths "$flavour" "$kernel" "$stock" "$debug"
kml_out=$kml_out${config:+-$config}${variant:+-$variant}

flavour_facts "$flavour"
arch=$kml_arch cross=$kml_cross image=$kml_image target=$kml_target

stamp=$kml_out/.kmemleak-built
if [ "$print" = 1 ]; then
	if [ ! -f "$stamp" ] || [ ! -f "$kml_out/$image" ]; then
		die "no built kernel in $kml_out" \
			"run: make kernel FLAVOR=$flavour KERNEL=$kernel$([ $stock = 0 ] || echo ' STOCK=1')$([ $debug = 0 ] || echo ' DEBUG=1')${config:+ CONFIG=$config}"
	fi
	printf 'KSRC=%q\nKOUT=%q\nIMAGE=%q\n' "$kml_src" "$kml_out" "$kml_out/$image"
	exit 0
fi

"$KML_TOOLS/build-deps.sh" kernel "$flavour"
if [ "$config" = kmsan ]; then
	# gcc has no KMSAN.
	"$KML_TOOLS/build-deps.sh" clang
	cc=${cc:-$(newest_clang)}
fi
cc=${cc:-gcc}

# One build at a time. The plain and the debugging build share a copy of the source,
# hence the lock is in the directory above.
mkdir -p "$kml_out"
exec 9>"$(dirname "$kml_out")/.lock"
flock -n 9 || { note "  ... waiting for another build in $(dirname "$kml_out")"; flock 9; }

case $kernel in
*/*) ;;
*) "$KML_TOOLS/fetch-kernel.sh" "$kernel" ;;
esac

if [ "$stock" = 0 ] || [ "$kml_src" != "$kml_pristine" ]; then
	"$KML_TOOLS/copy-tree.py" "$kml_pristine" "$kml_src"
fi
if [ "$stock" = 0 ]; then
	"$KML_TOOLS/overlay.py" install "$kml_src" >&2
fi
# UML before 6.13 has a fixed size for the vector registers of a process. If the host's
# processor has more (AMX: 11008 bytes), the guest does not reach init. Newer trees ask
# the host for the size. Only our copy is changed: the stock tree stays as it is.
um_offsets=$kml_src/arch/x86/um/user-offsets.c
if [ "$flavour" = um ] && [ "$kml_src" != "$kml_pristine" ] &&
   grep -qs 'HOST_FP_SIZE, 2696)' "$um_offsets"; then
	sed -i 's/HOST_FP_SIZE, 2696)/HOST_FP_SIZE, 11008)/' "$um_offsets"
fi
# If a fault finds no memory for a page table, UML still reads the page's entry, at
# address 0. That happens in exec() under failslab.
um_uaccess=$kml_src/arch/um/kernel/skas/uaccess.c
if [ "$flavour" = um ] && [ "$kml_src" != "$kml_pristine" ] &&
   grep -qs '^	if (!pte_present(\*pte))$' "$um_uaccess"; then
	sed -i 's/^	if (!pte_present(\*pte))$/	if (!pte || !pte_present(*pte))/' "$um_uaccess"
fi

build_env
compiler=$ccache$cross$cc
[ "$cc" = gcc ] || compiler=$ccache$cc
jobs=${JOBS:-$(nproc)}

kmake()
{
	make -C "$kml_src" O="$kml_out" ARCH="$arch" CROSS_COMPILE="$cross" \
		CC="$compiler" HOSTCC="${ccache}gcc" -j"$jobs" "$@"
}

# The fragments of this build. Some depend on what the tree has.
fragments()
{
	local dir=$KML_TOOLS/configs
	echo "$dir/common.config" "$dir/$flavour.config"
	if grep -q '^config PROC_SYSCTL' "$kml_src/fs/proc/Kconfig"; then
		echo "$dir/proc-sysctl.config"
	fi
	if [ "$flavour" = um ] && grep -q '^config SMP' "$kml_src/arch/um/Kconfig"; then
		echo "$dir/um-smp.config"
	fi
	if [ "$flavour" = um ] && grep -qs 'HOST_FP_SIZE, [0-9]' "$um_offsets"; then
		echo "$dir/um-xstate.config"
	fi
	if [ "$stock" = 0 ] && grep -qs '^config KMEMLEAK_KUNIT_TEST' "$kml_src/mm/kmemleak/Kconfig"; then
		echo "$dir/ours.config"
	fi
	if [ "$debug" = 1 ]; then
		echo "$dir/debug.config"
	fi
	if [ -n "$config" ]; then
		echo "$dir/$config.config"
	fi
	if [ "$stock" = 0 ] && [ -n "${KMEMLEAK_CONFIG:-}" ]; then
		grep -E '^(# )?CONFIG_(DEBUG_KMEMLEAK|KMEMLEAK_KUNIT_TEST)' "$KMEMLEAK_CONFIG" \
			>"$kml_out/.kmemleak-chosen" || :
		echo "$kml_out/.kmemleak-chosen"
	fi
	case $stock$config in
	0kasan* | 0kcsan*) echo "$dir/sanitize.config" ;;
	esac
}

configure()
{
	local frag=$kml_out/.kmemleak-fragment
	# shellcheck disable=SC2046 # one word per fragment
	cat $(fragments) >"$kml_out/.kmemleak-allconfig"
	cp "$kml_out/.kmemleak-allconfig" "$frag.new"
	# A changed fragment needs a new .config, and so does a new option in the
	# Kconfig files of kmemleak. All else is left to syncconfig. A .config that
	# is not written again keeps all objects.
	cat "$kml_src/mm/Kconfig.debug" "$kml_src"/mm/kmemleak/Kconfig >>"$frag.new" 2>/dev/null || :
	if [ -f "$kml_out/.config" ] && cmp -s "$frag" "$frag.new"; then
		rm -f "$frag.new"
		return
	fi
	rm -f "$frag"
	logged "$kml_out/.kmemleak-config.log" "configuring $flavour in $kml_out" \
		kmake KCONFIG_ALLCONFIG="$kml_out/.kmemleak-allconfig" allnoconfig
	check_config "$kml_out/.kmemleak-allconfig"
	mv "$frag.new" "$frag"
}

# If an option of the fragments is not in the configuration, the name of the build would
# be wrong.
check_config()
{
	local lost
	lost=$(lost_options "$kml_out/.config" "$1")
	[ -z "$lost" ] || {
		printf '%s\n' "$lost" >&2
		rm -f "$kml_out/.config"
		die "options above did not survive the configuration of $kml_src" \
			"fix the fragments in tools/kmemleak/configs"
	}
}

install_modules()
{
	rm -rf "$kml_out/.kmemleak-modroot.new"
	kmake INSTALL_MOD_PATH="$kml_out/.kmemleak-modroot.new" modules_install
	rm -rf "$kml_out/modroot"
	mv "$kml_out/.kmemleak-modroot.new" "$kml_out/modroot"
}

what="$flavour $(tree_version "$kml_src")$([ $stock = 0 ] || echo ', stock')$([ $debug = 0 ] || echo ', debug')${config:+, $config}"
rm -f "$stamp"
configure
if [ "$prepare" = 1 ]; then
	logged "$kml_out/.kmemleak-build.log" "preparing $what" kmake prepare
	exit 0
fi
logged "$kml_out/.kmemleak-build.log" "building $what (-j$jobs; a first build takes minutes)" \
	kmake "$target" modules
logged "$kml_out/.kmemleak-modules.log" "installing its modules" install_modules
date >"$stamp"
note "  ok  $what: $kml_out/$image"
