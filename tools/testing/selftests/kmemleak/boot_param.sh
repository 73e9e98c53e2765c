#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The effect of kmemleak= and kmemleak.NAME= on the command line. One boot shows one
# variant: run this after booting with each of
#
#   kmemleak=off  kmemleak=on  kmemleak=parallel  kmemleak=on,parallel
#   kmemleak=bogus  (none)  kmemleak.min_unref_scans=3 kmemleak.verbose=1
#   kmemleak  kmemleak=  kmemleak=ON  kmemleak=on,bogus  kmemleak=on,,parallel  kmemleak=off,parallel
#   kmemleak.min_unref_scans=-1 kmemleak.verbose=maybe kmemleak.workers=4294967296
#   kmemleak.filter=nosuch
#
# KMEMLEAK_DEFAULT=off: the kernel was built with CONFIG_DEBUG_KMEMLEAK_DEFAULT_OFF. The
# log must still have the messages of the boot.
DIR=$(dirname "$0")
# shellcheck source=kmemleak_lib.sh
. "$DIR/kmemleak_lib.sh"

need_file
start

# parameter <name>: its value on the command line, the last one if it is repeated
parameter() {
	tr ' ' '\n' </proc/cmdline | sed -n "s/^$1=//p" | tail -n 1
}

words=$(parameter kmemleak)
expect=${KMEMLEAK_DEFAULT:-on}
known=yes
parallel=no

for word in $(echo "$words" | tr ',' ' '); do
	case $word in
	on) expect=on ;;
	off) expect=off ;;
	parallel) parallel=yes expect=on ;;
	*) known=no ;;
	esac
done
# an empty word is an unknown word
case ,$words, in
,,) ;;
*,,*) known=no ;;
esac
# and so is a missing value
if [ -z "$words" ] && tr ' ' '\n' </proc/cmdline | grep -qxE 'kmemleak=?'; then
	known=no
fi
# off has precedence, at any place
case ,$words, in
*,off,*) expect=off ;;
esac
if [ "$parallel" = yes ] && ! is_ours; then
	skip "kmemleak=$words" "this kmemleak has no kmemleak=parallel"
	finish
fi
if [ "$known" = no ]; then
	# no word of the list takes effect
	expect=${KMEMLEAK_DEFAULT:-on}
fi
echo "# kmemleak=$words, expected to be ${expect:-either}"

check "the file is there" test -f "$KMEMLEAK"
check "the parameters are there" test -f "$KMEMLEAK_PARAMS/verbose"

case $expect in
on)
	check "scan is accepted" command_ok scan
	check "initialisation is logged" \
		sh -c "dmesg | grep -q 'kmemleak: Kernel memory leak detector initialized'"
	;;
off)
	for command in scan scan=on scan=off stack=on off dump=1 nonsense; do
		check "$command is refused" not command_ok "$command"
		check "$command: the error is EPERM" \
			sh -c "echo '$(command_error "$command")' | grep -qi 'not permitted'"
	done
	check "clear is accepted" command_ok clear
	check "the report is empty" empty "$KMEMLEAK"
	check "no scan thread runs" not grep -qx kmemleak /proc/[0-9]*/comm
	check "disabling is logged" \
		sh -c "dmesg | grep -q 'kmemleak: Kernel memory leak detector disabled'"
	;;
esac

if [ "$known" = no ]; then
	check "the unknown word is reported" \
		sh -c "dmesg | grep -qi \"malformed early option 'kmemleak'\|kmemleak: .*${words:-Unknown word}\""
else
	check "no word is unknown" \
		not sh -c "dmesg | grep -q \"Malformed early option 'kmemleak'\""
fi

# kmemleak.NAME=; a wrong number or name does not change the value
refused() {
	check "kmemleak.$1 is refused" \
		sh -c "dmesg | grep -qe \"$2' invalid for parameter .kmemleak.$1'\""
}

value=$(parameter kmemleak.min_unref_scans)
case $value in
'') ;;
*[!0-9]*)
	refused min_unref_scans "$value"
	check "kmemleak.min_unref_scans is as built" \
		grep -qx '[12]' "$KMEMLEAK_PARAMS/min_unref_scans"
	;;
*)
	check "kmemleak.min_unref_scans=$value" \
		test "$(cat "$KMEMLEAK_PARAMS/min_unref_scans")" = "$value"
	;;
esac
case $(parameter kmemleak.verbose) in
'') ;;
1 | y | Y | on)
	check "kmemleak.verbose" test "$(cat "$KMEMLEAK_PARAMS/verbose")" = Y ;;
maybe)
	refused verbose maybe ;;
*)
	check "kmemleak.verbose" test "$(cat "$KMEMLEAK_PARAMS/verbose")" = N ;;
esac
# modinfo finds the types of built-in parameters there.
# shellcheck disable=SC2317 # called by check()
modinfo_has_types() {
	local name file
	file=/lib/modules/$(uname -r)/modules.builtin.modinfo
	for name in min_unref_scans min_age_ms verbose; do
		tr '\0' '\n' <"$file" | grep -q "^kmemleak\.parmtype=$name:" || return 1
	done
}
if is_ours; then
	check "modules.builtin.modinfo has the parameters' types" modinfo_has_types
	value=$(parameter kmemleak.workers)
	case $value in
	'' | [0-9] | [0-9][0-9]) ;;
	*)
		refused workers "$value"
		check "kmemleak.workers is as built" grep -qx 0 "$KMEMLEAK_PARAMS/workers"
		;;
	esac
	if [ "$(parameter kmemleak.filter)" = nosuch ]; then
		check "kmemleak.filter=nosuch is reported, with choices" \
			sh -c "dmesg | grep -q 'kmemleak: No filter \"nosuch\" here: choose one of auto, '"
		check "another filter is used" \
			grep -q '^filter [a-z0-9]' "$KMEMLEAK_STATS"
	fi
fi

finish
