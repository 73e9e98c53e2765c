#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Name what this machine lacks for a job, and install it when that is possible
# without asking anyone: as root, or through a sudo that needs no password.
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/lib.sh"

# program, /file, <header>, compiler<header> or +sanitizer -> Debian package. Where
# headers and runtime libraries lie differs between releases, so the compiler is asked.
kernel_needs='gcc:gcc make:make flex:flex bison:bison bc:bc perl:perl
	python3:python3 xz:xz-utils cpio:cpio depmod:kmod
	<libelf.h>:libelf-dev <openssl/opensslv.h>:libssl-dev <stdlib.h>:libc6-dev'
guest_needs='cpio:cpio busybox:busybox-static bash:bash modprobe:kmod gzip:gzip'
harness_needs='gcc:gcc make:make clang:clang +fuzzer:libclang-rt-dev spin:spin'
# What the harness is built with and run by: arm64, a 32-bit and a big-endian one.
cross_needs='aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu
	arm-linux-gnueabihf-gcc:gcc-arm-linux-gnueabihf i686-linux-gnu-gcc:gcc-i686-linux-gnu
	s390x-linux-gnu-gcc:gcc-s390x-linux-gnu
	aarch64-linux-gnu-gcc<stdlib.h>:libc6-dev-arm64-cross
	arm-linux-gnueabihf-gcc<stdlib.h>:libc6-dev-armhf-cross
	i686-linux-gnu-gcc<stdlib.h>:libc6-dev-i386-cross
	s390x-linux-gnu-gcc<stdlib.h>:libc6-dev-s390x-cross
	qemu-aarch64:qemu-user qemu-arm:qemu-user qemu-i386:qemu-user qemu-s390x:qemu-user'
# Debian 12's clang is too old for 7.x; clang 19 is in 12 and in 13. loongarch has
# no gcc there.
builds_needs='arm-linux-gnueabihf-gcc:gcc-arm-linux-gnueabihf aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu
	riscv64-linux-gnu-gcc:gcc-riscv64-linux-gnu s390x-linux-gnu-gcc:gcc-s390x-linux-gnu
	powerpc64le-linux-gnu-gcc:gcc-powerpc64le-linux-gnu mips64-linux-gnuabi64-gcc:gcc-mips64-linux-gnuabi64
	clang-19:clang-19 ld.lld-19:lld-19 llvm-nm-19:llvm-19 sparse:sparse'
# What CONFIG=kmsan is compiled by.
clang_needs='clang-19:clang-19'
# The load of busy.sh. Not fio: it would bring Ceph, Gluster and InfiniBand along.
busy_needs='stress-ng:stress-ng iperf3:iperf3 ip:iproute2 bpftool:bpftool
	mkfs.ext4:e2fsprogs unshare:util-linux mount:mount losetup:mount'
# The menu of kconfig.sh.
menu_needs='<ncurses.h>:libncurses-dev'
# What nothing needs, but saves the second of two builds.
speed_needs='ccache:ccache'
lint_needs='shellcheck:shellcheck sparse:sparse clang:clang perl:perl python3:python3
	/usr/lib/python3/dist-packages/docutils:python3-docutils'

case ${1:-} in
kernel) needs=$kernel_needs ;;
guest) needs=$guest_needs ;;
harness) needs=$harness_needs ;;
cross) needs=$cross_needs ;;
builds) needs=$builds_needs ;;
clang) needs=$clang_needs ;;
busy) needs=$busy_needs ;;
lint) needs=$lint_needs ;;
menu) needs=$menu_needs ;;
speed) needs=$speed_needs ;;
*) usage_error "usage: build-deps.sh kernel|guest|harness|cross|builds|clang|busy|lint|menu|speed [$(echo "$KML_FLAVOURS" | tr ' ' '|')]" ;;
esac
# A flavour that is not this machine's own: a compiler, its C library for the
# selftests, and an emulator for the guest.
if [ -n "${2:-}" ]; then
	flavour_facts "$2"
	case $1:$kml_cross in
	kernel:aarch64*) needs="$needs ${kml_cross}gcc:gcc-aarch64-linux-gnu
		/usr/aarch64-linux-gnu/lib/libc.a:libc6-dev-arm64-cross" ;;
	kernel:x86_64*) needs="$needs ${kml_cross}gcc:gcc-x86-64-linux-gnu
		/usr/x86_64-linux-gnu/lib/libc.a:libc6-dev-amd64-cross" ;;
	esac
	case $1:$kml_qemu in
	guest:qemu-system-x86_64) needs="$needs $kml_qemu:qemu-system-x86" ;;
	guest:qemu-system-aarch64) needs="$needs $kml_qemu:qemu-system-arm" ;;
	esac
	# Programs for another processor come as packages, too.
	case $1 in guest) native_guest "$kml_deb" || needs="$needs dpkg-deb:dpkg readelf:binutils" ;; esac
fi

# kmod's programs live in /sbin, which a user's PATH may lack.
PATH=$PATH:/usr/sbin:/sbin
missing=''
for need in $needs; do
	what=${need%:*} package=${need##*:}
	case $what in
	*'<'*)
		cc=${what%%<*}
		printf '#include %s\n' "<${what#*<}" | "${cc:-gcc}" -E -x c - >/dev/null 2>&1 ||
			missing="$missing $package"
		;;
	+*)
		echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' |
			clang -fsanitize="${what#+}" -x c - -o /dev/null 2>/dev/null || missing="$missing $package"
		;;
	/*) [ -e "$what" ] || missing="$missing $package" ;;
	*) command -v "$what" >/dev/null || missing="$missing $package" ;;
	esac
done
[ -n "$missing" ] || exit 0
# shellcheck disable=SC2086 # words on purpose
missing=$(printf '%s\n' $missing | sort -u | tr '\n' ' ')
missing=${missing% }

# One at a time: whoever waited looks again at what is missing.
mkdir -p "$KML_CACHE/apt"
if [ -z "${KML_DEPS_LOCKED:-}" ]; then
	exec 7>"$KML_CACHE/apt/.install-lock"
	flock 7
	KML_DEPS_LOCKED=1 exec "$0" "$@"
fi

note "missing packages: $missing"
install="apt-get install -y --no-install-recommends $missing"
if ! command -v apt-get >/dev/null; then
	die "these Debian packages, or this system's equivalents, are missing: $missing"
fi
sudo=''
if [ "$(id -u)" != 0 ]; then
	if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
		die "packages are missing" "run: sudo $install"
	fi
	sudo='sudo -n'
fi
log=$KML_CACHE/apt/install.log
note "  ... $sudo $install"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # words on purpose
$sudo $install >"$log" 2>&1 ||
	{ $sudo apt-get update >"$log" 2>&1 && $sudo $install >>"$log" 2>&1; } ||
	{ tail -n 5 "$log" >&2; die "could not install: $missing" "run: $sudo $install"; }
note "  ok  packages installed"
