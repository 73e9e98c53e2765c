#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A memory dump of one of Debian's own kernels, unmodified, with leaks in it: the
# kernel comes by apt, runs in QEMU, loads tools/testing/kmemleak/image, and QEMU writes
# its memory to a file.
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tools/kmemleak/apt.sh
. "$KML_TOOLS/apt.sh"

IMAGE_KERNELS='6.1 6.12 7.3'

usage()
{
	cat <<-EOT
	usage: image-dump.sh [options] FILE
	  --kernel K     Debian's kernel: $IMAGE_KERNELS (default 6.12)
	  --arch A       amd64 or arm64, as Debian calls it (default amd64)
	  --format F     elf, or kdump-zlib, kdump-lzo, kdump-snappy (default elf)
	  --mem SIZE     memory of the guest (default 384M)
	  --cpus N       CPUs of the guest (default 1)
	  --append ARGS  more kernel parameters
	  --model CPU    emulated processor, as qemu names it (default max)
	  --timeout S    give up after S seconds (default 400)
	  --prepare      only fetch the kernel and build the module; no FILE
	The guest's console is written to FILE.log: which blocks leaked, which were
	kept, and /proc/slabinfo.
	EOT
}

kernel=6.12 arch=amd64 format=elf mem=384M cpus=1 append='' model='' timeout=400 prepare=0
while [ $# -gt 0 ]; do
	case $1 in
	--kernel) kernel=${2:?}; shift ;;
	--arch) arch=${2:?}; shift ;;
	--format) format=${2:?}; shift ;;
	--mem) mem=${2:?}; shift ;;
	--cpus) cpus=${2:?}; shift ;;
	--append) append=${2:?}; shift ;;
	--model) model=${2:?}; shift ;;
	--timeout) timeout=${2:?}; shift ;;
	--prepare) prepare=1 ;;
	-h | --help) usage; exit 0 ;;
	-*) usage >&2; usage_error "unknown option $1" ;;
	*) break ;;
	esac
	shift
done
[ $prepare = 1 ] || [ $# -eq 1 ] || { usage >&2; usage_error "one file is needed"; }
out=${1:-}
case " $IMAGE_KERNELS " in
*" $kernel "*) ;;
*) usage_error "unknown kernel $kernel; choices: $IMAGE_KERNELS" ;;
esac
case $arch in
amd64) flavour=x86_64 tty=ttyS0 ;;
arm64) flavour=arm64 tty=ttyAMA0 ;;
*) usage_error "unknown architecture $arch; choices: amd64, arm64" ;;
esac
case $format in
elf | kdump-zlib | kdump-lzo | kdump-snappy) ;;
*) usage_error "unknown format $format; choices: elf, kdump-zlib, kdump-lzo, kdump-snappy" ;;
esac

"$KML_TOOLS/build-deps.sh" kernel "$flavour"
"$KML_TOOLS/build-deps.sh" guest "$flavour"
flavour_facts "$flavour"
work=$(mktemp -d "${TMPDIR:-/tmp}/kmemleak-image.XXXXXX")
guest=''
trap '[ -z "$guest" ] || kill "$guest" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# image_apt <architecture> <command>...: 7.x is in backports only.
image_apt()
{
	local deb=$1 tool=$2 list=$KML_CACHE/apt/image-$1/sources.list site
	shift 2
	apt_sources=()
	case $kernel in
	7.*)
		if [ ! -s "$list" ]; then
			# shellcheck disable=SC2016 # apt's format, not the shell's
			site=$(apt-get indextargets --format '$(SITE)|$(COMPONENT)|$(RELEASE)|$(ORIGIN)' 2>/dev/null |
				awk -F '|' '$1 !~ /^cdrom:/ && $2 == "main" && $4 == "Debian" && $3 !~ /-/ { print $1; exit }')
			[ -n "$site" ] || die "no Debian archive among this machine's apt sources"
			mkdir -p "${list%/*}"
			echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $site trixie-backports main" >"$list"
		fi
		apt_sources=(-o "Dir::Etc::sourcelist=$list" -o Dir::Etc::sourceparts=-)
		;;
	esac
	private_apt "image-${kernel%%.*}-$deb" "$tool" -o "APT::Architecture=$deb" \
		-o "APT::Architectures=$deb" "$@"
}

# The newest release of this kernel that the lists have: 6.12.117+deb12, 6.1.0-50.
newest_release()
{
	image_apt "$arch" apt-cache pkgnames linux-headers- |
		sed -nE "s/^linux-headers-(${kernel//./\\.}\.[0-9][^ ]*)-$arch\$/\1/p" |
		grep -vE 'rt|cloud' | sort -V | tail -n 1
}

in_lists()
{
	# to the end: apt-cache does not like a pipe that is closed
	image_apt "$arch" apt-cache pkgnames "$1" | grep -Fx "$1" >/dev/null
}

# Unpack the packages of a kernel for its architecture, and those with the programs
# of its build for this machine.
fetch()
{
	local release host deb kbuild packages
	host=$(dpkg --print-architecture)
	note "  ... reading package lists"
	for deb in $(printf '%s\n' "$arch" "$host" | sort -u); do
		image_apt "$deb" apt-get -q update >"$work/log" 2>&1 || :
	done
	release=$(newest_release)
	[ -n "$release" ] || die "apt knows no linux-headers-$kernel for $arch" "check this machine's apt sources"
	note "  ... downloading Linux $release for $arch (about 130 MB)"
	packages=("linux-headers-$release-$arch" "linux-headers-$release-common")
	# In 7.x the image package only brings the parts together.
	if in_lists "linux-binary-$release-$arch"; then
		packages+=("linux-binary-$release-$arch" "linux-modules-$release-$arch" "linux-base-$release-$arch")
	elif in_lists "linux-image-$release-$arch"; then
		packages+=("linux-image-$release-$arch")
	else
		packages+=("linux-image-$release-$arch-unsigned")
	fi
	kbuild=$(image_apt "$arch" apt-cache depends "linux-headers-$release-$arch" |
		sed -nE 's/.*Depends: (linux-kbuild-[^ ]+).*/\1/p' | head -n 1)
	mkdir "$work/debs"
	(cd "$work/debs" && image_apt "$arch" apt-get -q download "${packages[@]}" &&
		image_apt "$host" apt-get -q download "$kbuild") >"$work/log" 2>&1 ||
		die "could not download ${packages[*]}: $(tail -n 3 "$work/log" | tr '\n' ' ')"
	mkdir "$work/tree"
	for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$work/tree"; done
	echo "$release" >"$work/tree/release"
	# The headers' makefile names its place in an installed system.
	sed -i "s,/usr/src,$dest/usr/src," "$work/tree/usr/src/linux-headers-$release-$arch/Makefile"
	rm -rf "$dest"
	mv "$work/tree" "$dest"
}

dest=$KML_CACHE/image/$kernel-$arch
mkdir -p "$KML_CACHE/image"
exec 8>"$KML_CACHE/image/.lock"
flock 8
[ -f "$dest/release" ] || fetch
exec 8>&-
release=$(cat "$dest/release")

headers=$dest/usr/src/linux-headers-$release-$arch

# Debian's build programs want its own C library, which may be newer than this
# machine's: then those of a kernel of ours, of the same release, do it.
own_programs()
{
	local from
	[ -f "$headers/scripts/mod/modpost.real-lsb-64" ] || return 0
	{
		"$headers/scripts/mod/modpost.real-lsb-64" || :
		"$headers/tools/objtool/objtool.real-x86" --version || :
	} 2>&1 </dev/null | grep GLIBC_ >/dev/null || return 0
	from=$(find "$KML_CACHE"/checkout/*/"$kernel"/x86_64* -path '*/tools/objtool/objtool' -type f 2>/dev/null |
		head -n 1)
	[ -n "$from" ] || die "the programs of linux-kbuild-$release need a newer C library than this machine has" \
		"build a kernel of the same release first: build-kernel.sh --flavor x86_64 --kernel $kernel"
	from=${from%/tools/objtool/objtool}
	rm -f "$headers"/{scripts/mod,tools/objtool}/{modpost,objtool}*
	cp "$from/scripts/mod/modpost" "$headers/scripts/mod/"
	cp "$from/tools/objtool/objtool" "$headers/tools/objtool/"
}
own_programs

# What this machine's compiler does not know and a module can do without.
lacks=()
echo 'int f;' | "${kml_cross}gcc" -fmin-function-alignment=16 -x c - -c -o /dev/null 2>/dev/null ||
	lacks+=(CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT=)

# The module: no type information of its own, which would need pahole.
mkdir "$work/module"
cp "$KML_TOP"/tools/testing/kmemleak/image/{Kbuild,kmemleak_leaks.c} "$work/module/"
logged "$work/module.log" "building kmemleak_leaks.ko for $release-$arch" \
	make -C "$headers" M="$work/module" CC="${kml_cross}gcc" \
	CROSS_COMPILE="$kml_cross" CONFIG_DEBUG_INFO_BTF_MODULES= "${lacks[@]}" modules

[ $prepare = 0 ] || exit 0

printf 'KML_NONCE=image KML_MODE=script KML_ARGS=\n' >"$work/env"
mkdir "$work/image"
cp "$work/module/kmemleak_leaks.ko" "$work/image/"
"$KML_TOOLS/initramfs.sh" "$work/root.cpio" "$arch" '' "$KML_TOOLS/guest/image.sh" "$work/env" \
	"$work/image:/image"

# shellcheck disable=SC2054 # options of qemu
case $arch in
amd64) machine=(-machine q35 -cpu "${model:-max}") append="no_timer_check $append" ;;
arm64) machine=(-machine virt,gic-version=3 -cpu "${model:-max,pauth-impdef=on}") ;;
esac
vmlinuz=$(find "$dest/boot" "$dest/usr/lib" -name "vmlinuz*" -type f 2>/dev/null | head -n 1)
[ -n "$vmlinuz" ] || die "no kernel image in $dest"
rm -f "$out" "$out.log"
note "  ... starting Linux $release for $arch"
"$kml_qemu" "${machine[@]}" -smp "$cpus" -m "$mem" -accel tcg,thread=multi -nodefaults -no-user-config \
	-display none -no-reboot -serial "file:$out.log" -qmp "unix:$work/qmp,server=on,wait=off" \
	-kernel "$vmlinuz" -initrd "$work/root.cpio" \
	-append "console=$tty panic=-1 loglevel=6 $append" </dev/null >"$work/qemu.log" 2>&1 &
guest=$!
t0=$SECONDS
until grep -qs KML-IMAGE-READY "$out.log"; do
	[ $((SECONDS - t0)) -lt "$timeout" ] || die "the guest is not ready after $timeout s; see $out.log"
	kill -0 "$guest" 2>/dev/null || die "the guest has ended: $(tail -n 3 "$work/qemu.log" "$out.log" | tr '\n' ' ')"
	! grep -qs KML-IMAGE-FAILED "$out.log" || die "the guest could not load the module; see $out.log"
	sleep 0.5
done
note "  ok  the guest is ready ($((SECONDS - t0)) s)"
python3 - "$work/qmp" "$(realpath -m "$out")" "$format" <<-'EOT'
	import json, socket, sys

	with socket.socket(socket.AF_UNIX) as s:
	    s.connect(sys.argv[1])
	    f = s.makefile("rw")

	    def command(name, **arguments):
	        f.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
	        f.flush()
	        for line in f:
	            answer = json.loads(line)
	            if "error" in answer:
	                sys.exit("qemu: " + answer["error"]["desc"])
	            if "return" in answer:
	                return
	    f.readline()
	    command("qmp_capabilities")
	    command("dump-guest-memory", paging=False, protocol="file:" + sys.argv[2], format=sys.argv[3])
	    command("quit")
EOT
wait "$guest" || :
guest=''
note "  ok  $out ($(($(stat -c %s "$out") / 1048576)) MB)"
