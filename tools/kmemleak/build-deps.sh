#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Name the packages that this machine lacks for a job, and install them if nobody has
# to be asked: as root, or by a sudo that needs no password.
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/lib.sh"

# need:Debian package. A need is a program, a /file, a <header>, a header
# of another compiler (compiler<header>) or a +sanitizer. The places of headers and
# runtime libraries differ between releases, so the compiler is asked for them.
kernel_needs='gcc:gcc make:make flex:flex bison:bison bc:bc perl:perl
	python3:python3 xz:xz-utils cpio:cpio depmod:kmod
	<libelf.h>:libelf-dev <openssl/opensslv.h>:libssl-dev <stdlib.h>:libc6-dev'
guest_needs='cpio:cpio busybox:busybox-static bash:bash modprobe:kmod gzip:gzip'
harness_needs='gcc:gcc make:make clang:clang +fuzzer:libclang-rt-dev spin:spin'
# Compilers and emulators for the harness: arm64, 32 bits, big endian.
cross_needs='aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu
	arm-linux-gnueabihf-gcc:gcc-arm-linux-gnueabihf i686-linux-gnu-gcc:gcc-i686-linux-gnu
	s390x-linux-gnu-gcc:gcc-s390x-linux-gnu
	aarch64-linux-gnu-gcc<stdlib.h>:libc6-dev-arm64-cross
	arm-linux-gnueabihf-gcc<stdlib.h>:libc6-dev-armhf-cross
	i686-linux-gnu-gcc<stdlib.h>:libc6-dev-i386-cross
	s390x-linux-gnu-gcc<stdlib.h>:libc6-dev-s390x-cross
	qemu-aarch64:qemu-user qemu-arm:qemu-user qemu-i386:qemu-user qemu-s390x:qemu-user'
# The default clang of Debian 12 is too old for 7.x; clang 19 is in 12 and 13. Neither
# has a gcc for loongarch.
builds_needs='arm-linux-gnueabihf-gcc:gcc-arm-linux-gnueabihf aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu
	riscv64-linux-gnu-gcc:gcc-riscv64-linux-gnu s390x-linux-gnu-gcc:gcc-s390x-linux-gnu
	powerpc64le-linux-gnu-gcc:gcc-powerpc64le-linux-gnu mips64-linux-gnuabi64-gcc:gcc-mips64-linux-gnuabi64
	clang-19:clang-19 ld.lld-19:lld-19 llvm-nm-19:llvm-19 sparse:sparse'
# The compiler of CONFIG=kmsan.
clang_needs='clang-19:clang-19'
# The load of busy.sh. Not fio, which depends on Ceph, Gluster and InfiniBand.
busy_needs='stress-ng:stress-ng iperf3:iperf3 ip:iproute2 bpftool:bpftool
	mkfs.ext4:e2fsprogs unshare:util-linux mount:mount losetup:mount'
# kmemleak(8) of tools/mm/kmemleak: formats of dumps, BTF, symbols, JSON.
image_needs='gcc:gcc make:make <libkdumpfile/kdumpfile.h>:libkdumpfile-dev
	<bpf/btf.h>:libbpf-dev <gelf.h>:libelf-dev <json-c/json.h>:libjson-c-dev
	pkg-config:pkg-config mandoc:mandoc'
# The menu of kconfig.sh.
menu_needs='<ncurses.h>:libncurses-dev'
# The plot of benchmarks/scan-time.sh.
plot_needs='gnuplot:gnuplot-nox'
# Not needed, but it saves most of a second build.
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
image) needs=$image_needs ;;
lint) needs=$lint_needs ;;
menu) needs=$menu_needs ;;
plot) needs=$plot_needs ;;
speed) needs=$speed_needs ;;
*) usage_error "usage: build-deps.sh kernel|guest|harness|cross|builds|clang|busy|image|lint|menu|plot|speed [$(echo "$KML_FLAVOURS" | tr ' ' '|')]" ;;
esac
# A flavour for another processor needs a compiler, a C library for the selftests,
# and an emulator for the guest.
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

# One installation at a time: a script that has waited starts again, since the other
# one may have installed the packages.
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
