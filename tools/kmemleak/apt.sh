# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Packages without installing any. Sourced, after lib.sh.

# Options that say where packages come from; empty: this machine's sources.
apt_sources=()

# A private apt: own lists, own cache, own status. "Sandbox::User root" keeps
# apt from warning that its _apt user cannot write here.
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
