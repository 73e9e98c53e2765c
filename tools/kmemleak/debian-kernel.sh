# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Debian's own kernels, unmodified: they come by apt, and modules are built for them.
# Sourced, after lib.sh, by scripts that have set $kernel, $arch and $work.
# shellcheck disable=SC2154,SC2034 # set or used by them

# shellcheck source=tools/kmemleak/apt.sh
. "$KML_TOOLS/apt.sh"

IMAGE_KERNELS='6.1 6.12 7.3'

# Check $kernel and $arch, and set $flavour.
debian_choices()
{
	case " $IMAGE_KERNELS " in
	*" $kernel "*) ;;
	*) usage_error "unknown kernel $kernel; choices: $IMAGE_KERNELS" ;;
	esac
	case $arch in
	amd64) flavour=x86_64 ;;
	arm64) flavour=arm64 ;;
	*) usage_error "unknown architecture $arch; choices: amd64, arm64" ;;
	esac
}

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
# Fetch the kernel, if it is not there. Sets $dest, $release and $headers, and what
# flavour_facts sets.
debian_kernel()
{
	"$KML_TOOLS/build-deps.sh" kernel "$flavour"
	"$KML_TOOLS/build-deps.sh" guest "$flavour"
	flavour_facts "$flavour"
	dest=$KML_CACHE/image/$kernel-$arch
	mkdir -p "$KML_CACHE/image"
	exec 8>"$KML_CACHE/image/.lock"
	flock 8
	[ -f "$dest/release" ] || fetch
	exec 8>&-
	release=$(cat "$dest/release")
	headers=$dest/usr/src/linux-headers-$release-$arch
	own_programs
}

# Sets $module_args, which a build of a module for that kernel gets: no type information
# of its own, which would need pahole, and nothing that this machine's compiler does not
# know and a module can do without.
debian_module_args()
{
	module_args=(CC="${kml_cross}gcc" CROSS_COMPILE="$kml_cross" CONFIG_DEBUG_INFO_BTF_MODULES=)
	echo 'int f;' | "${kml_cross}gcc" -fmin-function-alignment=16 -x c - -c -o /dev/null 2>/dev/null ||
		module_args+=(CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT=)
}

# Build tools/testing/kmemleak/image, which leaks, in $work/module.
debian_leaks()
{
	mkdir "$work/module"
	cp "$KML_TOP"/tools/testing/kmemleak/image/{Kbuild,kmemleak_leaks.c} "$work/module/"
	debian_module_args
	logged "$work/module.log" "building kmemleak_leaks.ko for $release-$arch" \
		make -C "$headers" M="$work/module" "${module_args[@]}" modules
}

# Sets $machine and $append, qemu's and the kernel's arguments, and $vmlinuz.
# debian_machine <processor or ''>
debian_machine()
{
	local tty=ttyS0
	# shellcheck disable=SC2054 # options of qemu
	case $arch in
	amd64) machine=(-machine q35 -cpu "${1:-max}") append="no_timer_check" ;;
	arm64) machine=(-machine virt,gic-version=3 -cpu "${1:-max,pauth-impdef=on}") append='' tty=ttyAMA0 ;;
	esac
	append="console=$tty panic=-1 loglevel=6 $append"
	vmlinuz=$(find "$dest/boot" "$dest/usr/lib" -name "vmlinuz*" -type f 2>/dev/null | head -n 1)
	[ -n "$vmlinuz" ] || die "no kernel image in $dest"
}
