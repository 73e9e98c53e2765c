#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests of kmemleak.ko, mm/kmemleak/module, on Debian's own kernels in an emulated
# machine: leaks that were made before it is loaded are found, and it can be unloaded at
# any time. Prints TAP.
#   check-module.sh [KERNEL-ARCH...], for example 6.12-amd64 (the default) 7.3-amd64
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tools/kmemleak/debian-kernel.sh
. "$KML_TOOLS/debian-kernel.sh"

usage()
{
	cat <<-EOT
	usage: check-module.sh [options] [KERNEL-ARCH...]
	  --cpus N      CPUs of the guest (default 2)
	  --mem SIZE    memory of the guest (default 384M)
	  --timeout S   give up after S seconds (default 600)
	Kernels are those of image-dump.sh (default 6.12-amd64).
	EOT
}

cpus=2 mem=384M timeout=600 names=()
parse_options "
	--cpus cpus count
	--mem mem text
	--timeout timeout count
	... names
" "$@"
[ ${#names[@]} -gt 0 ] || names=(6.12-amd64)
for name in "${names[@]}"; do
	kernel=${name%%-*} arch=${name#*-}
	debian_choices
done

guest='' top=$(mktemp -d "${TMPDIR:-/tmp}/kmemleak-module.XXXXXX")
trap '[ -z "$guest" ] || kill "$guest" 2>/dev/null; rm -rf "$top"' EXIT
trap 'exit 130' INT TERM

build()
{
	debian_kernel
	debian_leaks
	logged "$work/kmemleak.log" "building kmemleak.ko for $release-$arch" \
		make -C "$KML_TOP/mm/kmemleak/module" KDIR="$headers" BUILD="$work/kmemleak" \
		KBUILD_ARGS="$(printf "'%s' " "${module_args[@]}")"
	mkdir "$work/image"
	cp "$work/module/kmemleak_leaks.ko" "$work/kmemleak/kmemleak.ko" "$work/image/"
	printf 'KML_NONCE=module KML_MODE=script KML_ARGS=\n' >"$work/env"
	"$KML_TOOLS/initramfs.sh" --programs 'comm pgrep' "$work/root.cpio" "$arch" '' \
		"$KML_TOOLS/guest/module.sh" "$work/env" "$work/image:/image"
}

# Runs the guest until its last line; false if that does not come.
boot()
{
	local log=$1 t0=$SECONDS
	debian_machine ''
	note "  ... starting Linux $release for $arch"
	"$kml_qemu" "${machine[@]}" -smp "$cpus" -m "$mem" -accel tcg,thread=multi -nodefaults \
		-no-user-config -display none -no-reboot -serial "file:$log" -kernel "$vmlinuz" \
		-initrd "$work/root.cpio" -append "$append" </dev/null >"$work/qemu.log" 2>&1 &
	guest=$!
	until grep -qs '^KML END' "$log"; do
		if [ $((SECONDS - t0)) -ge "$timeout" ] || ! kill -0 "$guest" 2>/dev/null; then
			tail -n 30 "$log" "$work/qemu.log" >&2
			return 1
		fi
		sleep 0.5
	done
	kill "$guest"
	wait "$guest" 2>/dev/null || :
	guest=''
	note "  ok  the guest is done ($((SECONDS - t0)) s)"
}

# One sequence of numbers for all kernels.
nr=0 bad=0
for name in "${names[@]}"; do
	kernel=${name%%-*} arch=${name#*-} work=$top/$name
	debian_choices
	mkdir "$work"
	build
	log=$KML_CACHE/checkout/$(checkout_key)/module-$name.log
	mkdir -p "${log%/*}"
	rm -f "$log"
	boot "$log" || bad=1
	while read -r line; do
		case $line in
		'ok '* | 'not ok '*)
			nr=$((nr + 1))
			[ "${line#not}" = "$line" ] || bad=1
			echo "${line%% [0-9]*} $nr - $name:${line#*-}"
			;;
		'#'*) echo "$line" ;;
		1..*) planned=${line#1..} ;;
		esac
	done < <(tr -d '\r' <"$log" | sed -n 's/^KML //p')
	[ -n "${planned:-}" ] || { nr=$((nr + 1)); echo "not ok $nr - $name: the guest came to its end"; bad=1; }
	planned=''
done
echo "1..$nr"
exit $bad
