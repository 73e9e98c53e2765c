#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Programs for a guest with another processor than this machine's: Debian's packages,
# unpacked in the cache and not installed. Prints the directory.
#   guest-programs.sh amd64|arm64
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tools/kmemleak/apt.sh
. "$KML_TOOLS/apt.sh"

deb=${1:-}
case $deb in
amd64 | arm64) ;;
*) usage_error "usage: guest-programs.sh amd64|arm64" ;;
esac

# Packages of the programs that initramfs.sh copies. apt adds their libraries.
packages='bash busybox-static coreutils diffutils findutils gawk grep kmod procps sed util-linux'

dest=$KML_CACHE/guest/programs-$deb
stamp=$dest/.complete
mkdir -p "$KML_CACHE/guest"
exec 8>"$KML_CACHE/guest/.programs-lock"
flock 8
if [ -f "$stamp" ] && cmp -s "$stamp" <(echo "$packages"); then
	echo "$dest"
	exit 0
fi

command -v apt-get >/dev/null ||
	die "apt-get is needed for the guest's programs (Debian packages for $deb)" \
		"use FLAVOR=um, whose guest runs this machine's own"
work=$(mktemp -d "$KML_CACHE/guest/.programs.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

foreign_apt()
{
	private_apt "machine-$deb" "$1" -o "APT::Architecture=$deb" -o "APT::Architectures=$deb" "${@:2}"
}

failed()
{
	die "could not $1: $(tail -n 3 "$work/log" | tr '\n' ' ')" \
		"check the network and this machine's apt sources, or use FLAVOR=um"
}

note "  ... downloading the guest's programs for $deb (about 20 MB)"
# A list of a third party may fail. It only matters whether the packages are known
# afterwards.
foreign_apt apt-get -q update >"$work/log" 2>&1 || :
# Of the packages that an installation would need, take the libraries.
# shellcheck disable=SC2086 # words on purpose
foreign_apt apt-get -q -s --no-install-recommends install $packages >"$work/plan" 2>"$work/log" ||
	failed "find packages for $deb"
wanted=$(awk -v own=" $packages " '
	$1 == "Inst" && (index(own, " " $2 " ") || ($2 ~ /^lib/ && $2 !~ /perl|gdbm|^libdb/)) { print $2 }' "$work/plan")
# shellcheck disable=SC2086 # words on purpose
(cd "$work" && foreign_apt apt-get -q download $wanted) >"$work/log" 2>&1 ||
	failed "download packages for $deb"
mkdir "$work/tree"
for package in "$work"/*.deb; do
	dpkg-deb -x "$package" "$work/tree" 2>"$work/log" || failed "unpack $(basename "$package")"
done
echo "$packages" >"$work/tree/.complete"
rm -rf "$dest"
mv "$work/tree" "$dest"
note "  ok  programs for $deb"
echo "$dest"
