#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The instructions of an allocation and its free, on an emulated machine whose clock counts
# instructions. So the results do not depend on the host and its load.
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/../tools/kmemleak/lib.sh"
# shellcheck source=benchmarks/groups.sh
. "$(dirname "$0")/groups.sh"

usage()
{
	cat <<-EOT
	usage: bench-pairs.sh [option]...
	  --flavor F     x86_64 or arm64 (default x86_64)
	  --kernel K     $KML_KERNELS or the path of a kernel tree (default 7.3)
	  --size N       size of a block in bytes (default 128)
	  --only "W.."   ours, stock, or patched: stock with the patches to the kernel's
	                 own code (default "ours stock patched")
	EOT
}

flavour=x86_64 kernel=7.3 size=128 only='ours stock patched'
parse_options "
	--flavor|--flavour flavour flavour
	--kernel kernel kernel
	--size size count
	--only only ours|stock|patched..
" "$@"
flavour_facts "$flavour"
[ -n "$kml_qemu" ] || usage_error "--flavor $flavour: only an emulated machine counts instructions"
work=$(mktemp -d "${TMPDIR:-/tmp}/kmemleak-pairs.XXXXXX")
trap 'end_groups; rm -rf "$work"' EXIT

# Sets tree: the kernel with the first patches of the series, which do not need our files.
# Each state of the patches has its own tree.
patched_tree()
{
	local patch key
	case $kernel in
	*/*) ;;
	*) "$KML_TOOLS/fetch-kernel.sh" "$kernel" ;;
	esac
	kernel_paths "$flavour" "$kernel" 1 0
	"$KML_TOOLS/overlay.py" patches "$kml_pristine" "$work/series" >/dev/null
	rm "$work"/series/*-mm-kmemleak-* "$work"/series/*-selftests-* "$work"/series/*-Documentation-*
	# it calls a hook that only ours has
	rm -f "$work"/series/*-of-blocks-that-take-no-locks.patch
	key=$(printf '%s' "$kml_pristine" | cat - "$work"/series/*.patch | sha256sum | cut -c1-8)
	tree=$KML_CACHE/checkout/$(checkout_key)/patched-$key/src
	[ ! -e "$tree/.kmemleak-patched" ] || return 0
	mkdir -p "$(dirname "$tree")"
	"$KML_TOOLS/copy-tree.py" "$kml_pristine" "$tree"
	for patch in "$work"/series/*.patch; do
		patch -s -p1 -d "$tree" <"$patch"
	done
	touch "$tree/.kmemleak-patched"
}

# Sets build: options for build-kernel.sh, run.sh and others.
build_of()
{
	tree=$kernel
	[ "$1" != patched ] || patched_tree
	build=(--flavor "$flavour" --kernel "$tree")
	[ "$1" = ours ] || build+=(--stock)
}

# guest <name> <kmemleak=>
# shellcheck disable=SC2317 # by start
guest()
{
	logged "$work/$1-$2.log" "pairs: $1, kmemleak=$2" \
		"$KML_TOOLS/run.sh" "${build[@]}" --icount --quiet --timeout 500 \
		--append "kmemleak=$2" --add "$module:/kml/kmemleak_scale.ko" \
		--env "SIZE=$size" -- "$KML_TOP/benchmarks/kernel/guest-pairs.sh"
}

for who in $only; do
	build_of "$who"
	"$KML_TOOLS/build-kernel.sh" "${build[@]}"
	module=$("$KML_TOP/benchmarks/kernel/build.sh" "${build[@]}")
	for state in on off; do
		start guest "$who" "$state"
		finish "$started"
	done
done

printf '%-24s%10s%10s\n' "instructions, $size bytes" 'on' 'off'
for who in $only; do
	for row in pairs deep cold untracked; do
		printf '%-24s' "$who, $row"
		for state in on off; do
			printf '%10s' "$(sed -n "s/^KMLB\t$row\t//p" "$work/$who-$state.log")"
		done
		echo
	done
done
