#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Frames of a module that was unloaded keep their names, with a note, in the file and in
# the log. Frames of a module that is loaded at the same address have names of that module.
DIR=$(dirname "$0")
# shellcheck source=kmemleak_lib.sh
. "$DIR/kmemleak_lib.sh"

MODULE=kmemleak-test
INIT='kmemleak_test_init+0x[0-9a-f]*/0x[0-9a-f]*'

need_enabled
need_sample "$MODULE"
is_ours || skip_all "stock prints numbers"
grep -q ' module_kallsyms_on_each_symbol$' /proc/kallsyms || skip_all "needs CONFIG_KALLSYMS"
start

tmp=$(mktemp -d)
verbose=$(cat "$KMEMLEAK_PARAMS/verbose")
# shellcheck disable=SC2317 # called by the trap
cleanup() {
	rmmod "$MODULE" 2>/dev/null
	echo "$verbose" >"$KMEMLEAK_PARAMS/verbose"
	command_ok clear
	rm -rf "$tmp"
}
trap cleanup EXIT

# The address of each report, and its frames that match.
frames() {
	awk -v re="$1" '/^unreferenced/ { obj = $0 } $0 ~ re { print obj, $0 }' "$KMEMLEAK" | sort
}

rmmod "$MODULE" 2>/dev/null
command_ok scan=off
command_ok check
command_ok clear
modprobe "$MODULE" || missing "no $MODULE"
check "leaks of a loaded module are found" command_ok check
frames 'kmemleak_test' >"$tmp/loaded"
sed 's/^/# /' "$tmp/loaded"
check "frames of leaks have names" grep -q " $INIT \[kmemleak_test\]$" "$tmp/loaded"
rmmod "$MODULE"

frames 'kmemleak_test' >"$tmp/gone"
sed 's/\[kmemleak_test\]$/[kmemleak_test, unloaded]/' "$tmp/loaded" >"$tmp/wanted"
check "they keep their names when the module is unloaded" diff "$tmp/wanted" "$tmp/gone"

# Probably at the same address. Its leaks are distinguished.
modprobe "$MODULE"
command_ok check
frames 'kmemleak_test' >"$tmp/both"
check "they keep their names when another module is loaded" \
	diff "$tmp/wanted" <(grep -Ff <(cut -d: -f1 "$tmp/loaded") "$tmp/both")
check "frames of that module have its name" grep -q ' \[kmemleak_test\]$' "$tmp/both"
rmmod "$MODULE"
command_ok clear

echo 1 >"$KMEMLEAK_PARAMS/verbose"
modprobe "$MODULE"
rmmod "$MODULE"
echo "kmemleak selftest $$" >/dev/kmsg
command_ok check
dmesg | sed "1,/kmemleak selftest $$/d" >"$tmp/log"
check "the log has them, too" \
	grep -q "kmemleak:     $INIT \[kmemleak_test, unloaded\]$" "$tmp/log"
check "the log has no frames without a name" not grep -q 'kmemleak:     0x' "$tmp/log"
check "data that kmemleak keeps of modules are not reported" not grep -q 'kml_modules' "$tmp/log"

finish
