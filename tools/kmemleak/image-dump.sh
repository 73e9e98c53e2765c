#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A memory dump of one of Debian's own kernels, unmodified, with leaks in it: the
# kernel comes by apt, runs in QEMU, loads tools/testing/kmemleak/image, and QEMU writes
# its memory to a file.
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tools/kmemleak/debian-kernel.sh
. "$KML_TOOLS/debian-kernel.sh"

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
debian_choices
case $format in
elf | kdump-zlib | kdump-lzo | kdump-snappy) ;;
*) usage_error "unknown format $format; choices: elf, kdump-zlib, kdump-lzo, kdump-snappy" ;;
esac

work=$(mktemp -d "${TMPDIR:-/tmp}/kmemleak-image.XXXXXX")
guest=''
trap '[ -z "$guest" ] || kill "$guest" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

debian_kernel
debian_leaks
[ $prepare = 0 ] || exit 0

printf 'KML_NONCE=image KML_MODE=script KML_ARGS=\n' >"$work/env"
mkdir "$work/image"
cp "$work/module/kmemleak_leaks.ko" "$work/image/"
"$KML_TOOLS/initramfs.sh" "$work/root.cpio" "$arch" '' "$KML_TOOLS/guest/image.sh" "$work/env" \
	"$work/image:/image"

more_append=$append
debian_machine "$model"
rm -f "$out" "$out.log"
note "  ... starting Linux $release for $arch"
"$kml_qemu" "${machine[@]}" -smp "$cpus" -m "$mem" -accel tcg,thread=multi -nodefaults -no-user-config \
	-display none -no-reboot -serial "file:$out.log" -qmp "unix:$work/qmp,server=on,wait=off" \
	-kernel "$vmlinuz" -initrd "$work/root.cpio" \
	-append "$append $more_append" </dev/null >"$work/qemu.log" 2>&1 &
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
