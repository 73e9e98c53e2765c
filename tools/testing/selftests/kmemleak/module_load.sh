#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2317 # functions are called by name
#
# Modules are loaded and unloaded while all CPUs scan: their sections are roots, which
# disappear at any time. Leaks of the modules are reported, and no other objects.
# KMEMLEAK_ROUNDS: number of rounds (default 20).
DIR=$(dirname "$0")
# shellcheck source=kmemleak_lib.sh
. "$DIR/kmemleak_lib.sh"
# shellcheck source=kmemleak_load.sh
. "$DIR/kmemleak_load.sh"

MODULE=kmemleak-test

need_enabled
need_module
need_sample "$MODULE"
rmmod "$MODULE" 2>/dev/null
start
trap load_cleanup EXIT

come_and_go() {
	local i
	for ((i = 0; i < ${KMEMLEAK_ROUNDS:-20}; i++)); do
		modprobe "$MODULE" && rmmod "$MODULE" || return 1
	done
}

load_start
check "a module is loaded and unloaded" come_and_go
load_stop
check "its leaks are reported" grep -Eq '\(size (416|512)\):' "$KMEMLEAK"
finish
