# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Download packages without installing them. Sourced, after lib.sh.

# Options that name the sources of packages; empty: those of this machine.
apt_sources=()

# Run apt with lists, a cache and a status of its own. "Sandbox::User root" avoids
# the warning that the user _apt cannot write here.
# private_apt <name> <program> [arguments]
private_apt()
{
	local state=$KML_CACHE/apt/$1 tool=$2
	shift 2
	mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
	"$tool" -o Dir::State::lists="$state/lists" -o Dir::Cache="$state/cache" \
		-o Dir::State::status=/dev/null -o APT::Sandbox::User=root \
		-o Acquire::Retries=2 -o Acquire::http::Timeout=30 \
		-o Acquire::Languages=none \
		"${apt_sources[@]}" "$@"
}
