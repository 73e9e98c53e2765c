#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Fetch and unpack a kernel source into the cache, from the Debian archive of this
# machine's apt. The state of that apt is not changed.
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tools/kmemleak/apt.sh
. "$KML_TOOLS/apt.sh"

usage="usage: fetch-kernel.sh $(echo "$KML_KERNELS" | tr ' ' '|')"
kernel=${1:-}
case $kernel in -h | --help) echo "$usage; into $KML_CACHE/source, if it is not there"; exit 0 ;; esac
[ $# -eq 1 ] || usage_error "$usage"
case " $KML_KERNELS " in
*" $kernel "*) ;;
*) usage_error "kernel $kernel is not known; choices: $KML_KERNELS" ;;
esac

dest=$KML_CACHE/source/$kernel
if [ -f "$dest/src/Kbuild" ] && [ -f "$dest/id" ]; then
	exit 0
fi

mkdir -p "$dest"
exec 8>"$dest/.fetch-lock"
flock 8
[ ! -f "$dest/src/Kbuild" ] || [ ! -f "$dest/id" ] || exit 0

for tool in apt-get dpkg-deb xz; do
	command -v "$tool" >/dev/null ||
		die "$tool is needed to fetch linux-source-$kernel" \
			"unpack that source yourself and pass KERNEL=<its path>"
done

work=$(mktemp -d "$dest/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# The address of the main Debian archive in this machine's apt: the entry of the
# release's own suite and component main. Entries of security archives and third parties
# have other suites or components.
debian_site()
{
	local codename
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	# shellcheck disable=SC2016 # apt's format, not the shell's
	apt-get indextargets --format '$(SITE)|$(COMPONENT)|$(RELEASE)|$(ORIGIN)' 2>/dev/null |
		awk -F '|' -v codename="$codename" '
			$1 ~ /^cdrom:/ || $2 != "main" || ($4 != "" && $4 != "Debian") { next }
			$3 == codename { print $1; found = 1; exit }
			$4 == "Debian" && $3 !~ /-/ && other == "" { other = $1 }
			END { if (!found && other != "") print other }'
}

no_network()
{
	die "could not $1: $(tail -n 3 "$work/apt.log" | tr '\n' ' ')" \
		"check the network and this machine's apt sources, or unpack a kernel source yourself and pass KERNEL=<its path>"
}

# download <apt configuration name> <package>: the .deb lands in $work.
download()
{
	note "  ... downloading $2 (about 160 MB)"
	(cd "$work" && private_apt "$1" apt-get -q download "$2") >"$work/apt.log" 2>&1 ||
		no_network "download $2"
	find "$work" -maxdepth 1 -name '*.deb' | head -n 1
}

from_machine_sources()
{
	package=linux-source-$1
	# First with the package lists of the machine, then with new ones.
	apt_sources=()
	if (cd "$work" && apt-get -q -o APT::Sandbox::User=root download "$package") >"$work/apt.log" 2>&1; then
		deb=$(find "$work" -maxdepth 1 -name '*.deb' | head -n 1)
		return
	fi
	note "  ... reading package lists"
	# A list of a third party may fail. It only matters whether the package is
	# known afterwards.
	private_apt machine apt-get -q update >"$work/apt.log" 2>&1 || :
	private_apt machine apt-cache show "$package" >/dev/null 2>&1 ||
		no_network "find $package in this machine's apt sources"
	deb=$(download machine "$package")
}

from_backports()
{
	local site keyring='' k
	package=linux-source-$1
	site=$(debian_site)
	[ -n "$site" ] ||
		die "no Debian archive among this machine's apt sources (apt-get indextargets shows none with component main)" \
			"unpack a $1 kernel source yourself and pass KERNEL=<its path>"
	for k in /usr/share/keyrings/debian-archive-keyring.gpg /usr/share/keyrings/debian-archive-keyring.pgp; do
		[ ! -f "$k" ] || keyring=${keyring:-$k}
	done
	[ -n "$keyring" ] ||
		die "no Debian archive keyring" "run: apt-get install debian-archive-keyring"
	mkdir -p "$KML_CACHE/apt/backports"
	echo "deb [signed-by=$keyring] $site trixie-backports main" >"$KML_CACHE/apt/backports/sources.list"
	apt_sources=(-o Dir::Etc::sourcelist="$KML_CACHE/apt/backports/sources.list" -o Dir::Etc::sourceparts=-)
	note "  ... reading the package list of trixie-backports from $site"
	private_apt backports apt-get -q -o APT::Update::Error-Mode=any update >"$work/apt.log" 2>&1 ||
		no_network "read the package list of trixie-backports"
	if ! private_apt backports apt-cache show "$package" >/dev/null 2>&1; then
		local newest
		newest=$(private_apt backports apt-cache pkgnames linux-source-7. |
			grep -xE 'linux-source-7\.[0-9]+' | sort -V | tail -n 1)
		[ -n "$newest" ] ||
			die "trixie-backports on $site has neither $package nor any other linux-source-7.x" \
				"unpack a 7.x kernel source yourself and pass KERNEL=<its path>"
		note "note: $package is gone from trixie-backports; using $newest, the newest 7.x there, in its place"
		package=$newest
	fi
	deb=$(download backports "$package")
}

note "fetching the source of Linux $kernel into $dest"
deb='' package='' apt_sources=()
case $kernel in
7.*) from_backports "$kernel" ;;
*) from_machine_sources "$kernel" ;;
esac
[ -n "$deb" ] || die "apt reported success but left no $package .deb in $work"

note "  ... unpacking $(basename "$deb") (half a minute)"
mkdir "$work/unpacked"
# On a full disk tar prints a line for each file; show the first.
if ! (
	dpkg-deb --fsys-tarfile "$deb" |
		tar -xO --wildcards './usr/src/linux-source-*.tar.xz' |
		xz -dc -T0 | tar -x -C "$work/unpacked"
) 2>"$work/unpack.log"; then
	die "could not unpack $(basename "$deb"): $(grep -m 1 . "$work/unpack.log" || :)" \
		"2.5 GB are needed in $KML_CACHE; make room and run again"
fi
tree=$(find "$work/unpacked" -mindepth 1 -maxdepth 1 -type d)
[ -f "$tree/Kbuild" ] || die "$(basename "$deb") holds no kernel tree (looked for */Kbuild)"
rm -rf "$dest/src" "$dest/id"
mv "$tree" "$dest/src"
# The id is written last: a source without it is not used.
dpkg-deb -f "$deb" Package Version >"$work/id"
mv "$work/id" "$dest/id"
note "  ok  $package, Linux $(tree_version "$dest/src")"
