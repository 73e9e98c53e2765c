#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Build the guest's root file system. It is an archive in memory, so that the guest cannot
# reach the host's files, even as root.
#
# The programs are the host's, with their libraries, or, for another processor, those of
# guest-programs.sh. They make a first archive, which is cached. Modules, script and
# additions make a second one, which the kernel unpacks over the first.
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/lib.sh"

usage()
{
	cat <<-'EOT'
	usage: initramfs.sh [--programs "NAME..."] OUT.cpio PROCESSOR MODROOT SCRIPT
	                    ENVFILE [DIR:GUESTPATH]...
	  --programs     more programs of this machine for the guest
	  PROCESSOR      Debian's name: amd64, arm64
	  MODROOT        has lib/modules of the kernel, or '' for none
	  SCRIPT         is run in the guest, after it has sourced ENVFILE
	  DIR:GUESTPATH  a directory or file, and its place in the guest
	EOT
}

case ${1:-} in -h | --help) usage; exit 0 ;; esac
more_programs=''
if [ "${1:-}" = --programs ]; then
	[ $# -ge 2 ] || usage_error "--programs needs a value"
	more_programs=$2
	shift 2
fi
[ $# -ge 5 ] || { usage >&2; usage_error "five arguments are needed"; }
out=$1 deb=$2 modroot=$3 script=$4 envfile=$5
shift 5

# Programs that the kernel tree's kselftests and ours call, with their real options. All
# others are those of busybox.
programs='bash kmod dmesg grep awk sed sort readlink cat cp cut date dd diff
	echo env expr find flock head id ls mkdir mkfifo mktemp mv nice nproc
	od paste printf ps realpath rm seq sleep stat stdbuf tail taskset tee
	timeout touch tr uniq wc xargs'
programs="$programs $more_programs"
optional=' diff ps taskset flock '
kmod_names='modprobe modinfo insmod rmmod lsmod depmod'
PATH=$PATH:/usr/sbin:/sbin

# Archive a directory: names sorted, owner root.
archive()
{
	(cd "$1" && find . -mindepth 1 | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet)
}

# The path of a program, of this machine or of guest-programs.sh. The latter have no awk,
# which is a link that Debian makes on installation.
find_program()
{
	local p=$1 dir
	if [ -z "$programs_root" ]; then
		type -P "$p" || :
		return
	fi
	[ "$p" != awk ] || p=gawk
	for dir in usr/bin bin usr/sbin sbin; do
		if [ -e "$programs_root/$dir/$p" ]; then
			echo "$programs_root/$dir/$p"
			return
		fi
	done
}

# The libraries a program is linked with, as paths.
libraries()
{
	if [ -z "$programs_root" ]; then
		ldd "$1" 2>/dev/null | grep -oE '/[^ )]+' || :
		return
	fi
	local todo=("$1") names name lib
	local -A seen=()
	while [ ${#todo[@]} -gt 0 ]; do
		names=$(readelf -ld "${todo[0]}" 2>/dev/null |
			sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p; s/.*interpreter: \(.*\)\]/\1/p')
		todo=("${todo[@]:1}")
		for name in $names; do
			[ -z "${seen[$name]:-}" ] || continue
			seen[$name]=1
			case $name in
			# The dynamic linker has an absolute path in programs.
			/*) lib=$programs_root$name ;;
			*) lib=$(find "$programs_root/lib" "$programs_root/usr/lib" -name "$name" | head -n 1) ;;
			esac
			[ -e "${lib:-/nowhere}" ] || die "$1 needs $name, which no package brought"
			echo "$lib"
			todo+=("$lib")
		done
	done
}

# Copy a program and its libraries to the same places below the new root, in which /bin,
# /sbin and /lib are links into /usr.
copy_program()
{
	local root=$1 file=$2 name=$3 lib
	cp -L "$file" "$root/usr/bin/$name"
	libraries "$file" | while read -r lib; do
		local to=$root/usr/${lib#"$programs_root"/}
		to=${to/"/usr/usr/"/"/usr/"}
		[ -e "$to" ] && continue
		mkdir -p "$(dirname "$to")"
		cp -L "$lib" "$to"
	done
}

build_base()
{
	local root=$1 p file
	mkdir -p "$root"/{usr/bin,usr/lib,usr/lib64,dev,proc,sys,tmp,root,run,etc,kml}
	ln -s usr/bin "$root/bin"
	ln -s usr/bin "$root/sbin"
	ln -s bin "$root/usr/sbin"
	ln -s usr/lib "$root/lib"
	ln -s usr/lib64 "$root/lib64"
	printf 'root:x:0:0:root:/root:/bin/bash\n' >"$root/etc/passwd"
	printf 'root:x:0:\n' >"$root/etc/group"

	cp -L "$(find_program busybox)" "$root/usr/bin/busybox"
	# The applets of the host's busybox: the other one is of the same release.
	for p in $(busybox --list); do
		ln -s busybox "$root/usr/bin/$p" 2>/dev/null || :
	done
	for p in $programs; do
		file=$(find_program "$p")
		if [ -z "$file" ]; then
			case $optional in *" $p "*) continue ;; esac
			[ -z "$programs_root" ] ||
				die "the guest needs the program $p, and guest-programs.sh has no package with it for $deb"
			die "the guest needs the program $p and this machine has none"
		fi
		rm -f "$root/usr/bin/$p"
		copy_program "$root" "$(readlink -f "$file")" "$p"
	done
	for p in $kmod_names; do
		ln -sf kmod "$root/usr/bin/$p"
	done
	cp "$KML_TOOLS/guest/init.sh" "$root/init"
	chmod 755 "$root/init"
}

# The name of the cached archive depends on all its contents.
base_id()
{
	local p file
	{
		cat "$0" "$KML_TOOLS/guest/init.sh"
		for p in busybox $programs; do
			file=$(find_program "$p")
			stat -Lc '%n %s %Y' "${file:-/dev/null}"
		done
	} | sha256sum | cut -c1-16
}

work=$(mktemp -d "${TMPDIR:-/tmp}/kmemleak-root.XXXXXX")
new=''
trap 'rm -rf "$work" ${new:+"$new"}' EXIT
trap 'exit 130' INT TERM

programs_root=''
native_guest "$deb" || programs_root=$("$KML_TOOLS/guest-programs.sh" "$deb")

if ldd "$(command -v busybox)" 2>/dev/null | grep -q '=>'; then
	die "busybox is dynamically linked" "run: apt-get install busybox-static"
fi

base=$KML_CACHE/guest/base-$deb-$(base_id).cpio
# All runs of all checkouts keep their archives here, under a lock. A run touches the
# archive that it uses. Archives that were not used for a week are removed, so none
# disappears before it is read.
mkdir -p "$KML_CACHE/guest"
exec 9>"$KML_CACHE/guest/.lock"
flock 9
if [ ! -f "$base" ]; then
	build_base "$work/base"
	new=$base.$$
	archive "$work/base" >"$new"
	mv "$new" "$base"
fi
touch "$base"
find "$KML_CACHE/guest" -maxdepth 1 -name 'base-*' -mtime +7 -delete
exec 9>&-

mkdir -p "$work/top/kml" "$work/top/usr/lib"
cp "$script" "$work/top/kml/script"
cp "$envfile" "$work/top/kml/env"
if [ -n "$modroot" ] && [ -d "$modroot/lib/modules" ]; then
	# -L would follow the links into the source tree.
	cp -a "$modroot/lib/modules" "$work/top/usr/lib/"
	rm -f "$work"/top/usr/lib/modules/*/build "$work"/top/usr/lib/modules/*/source
fi
for add in "$@"; do
	from=${add%%:*} to=${add#*:}
	case $to in
	/*) ;;
	*) usage_error "--add $add: expected DIR:/PATH/IN/THE/GUEST" ;;
	esac
	[ -e "$from" ] || usage_error "--add $add: $from does not exist"
	mkdir -p "$(dirname "$work/top$to")"
	if [ -d "$from" ]; then
		mkdir -p "$work/top$to"
		cp -aL "$from/." "$work/top$to/"
	else
		cp -L "$from" "$work/top$to"
	fi
done
# /lib, /bin and /sbin are links in the first archive: move additions to their targets.
for d in lib bin sbin; do
	if [ -d "$work/top/$d" ] && [ ! -L "$work/top/$d" ]; then
		to=$work/top/usr/$d
		[ $d != sbin ] || to=$work/top/usr/bin
		mkdir -p "$to"
		cp -a "$work/top/$d/." "$to/"
		rm -rf "${work:?}/top/$d"
	fi
done
{ cat "$base"; archive "$work/top"; } >"$out"
