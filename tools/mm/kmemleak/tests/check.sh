#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests of kmemleak scan and why on images that are generated: of three layouts of
# kernel structures, with what is in them known; and on files that are no images.
# KMEMLEAK names the program; gen_image lies beside it. Prints TAP.
#   check.sh [DUMP...]: with dumps of image-dump.sh, and their logs, these as well
set -u
# A command that ends leaves its memory to the system.
export ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0
here=$(cd "$(dirname "$0")" && pwd)
tool=${KMEMLEAK:-$here/../build/kmemleak}
generate=${tool%/*}/gen_image
work=$(mktemp -d "${TMPDIR:-/tmp}/kmemleak-image-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
nr=0 bad=0

# result <status of the check> <name>
result()
{
	nr=$((nr + 1))
	if [ "$1" = 0 ]; then
		echo "ok $nr - $2"
	else
		echo "not ok $nr - $2"
		bad=1
	fi
}

# refused <exit status> <text> <name> <arguments>...: one line that has the text
refused()
{
	local want=$1 text=$2 name=$3 rc
	shift 3
	"$tool" "$@" >"$work/out" 2>"$work/err"
	rc=$?
	[ $rc = "$want" ] && [ "$(wc -l <"$work/err")" = 1 ] && grep -qF -- "$text" "$work/err" && [ ! -s "$work/out" ]
	local verdict=$?
	[ $verdict = 0 ] || { echo "# exit status $rc, not $want:"; sed 's/^/# /' "$work/err"; }
	result $verdict "$name"
}

# The addresses after a word of the truth, sorted.
truth()
{
	awk -v word="$1" '$1 == word { print $2 }' "$work/truth" | sort
}

scan()
{
	"$tool" scan -q -i "$@" 2>"$work/err"
}

layout()
{
	local kernel=$1 name=$2 image=$work/image
	gcc -gbtf -c -DKERNEL="$kernel" -o "$work/$kernel.o" "$here/kernels/kernel.c" &&
		"$generate" "$work/$kernel.o" "$image" 20000 "$kernel" >"$work/truth"
	result $? "$name: an image is generated"

	scan "$image" --all >"$work/report"
	[ -n "$(truth leak)" ] && diff <(truth leak) <(awk '$1 == "leak" { print substr($2, 3) }' "$work/report" | sort) |
		sed 's/^/# /' | tee "$work/diff" | head -n 10
	[ ! -s "$work/diff" ]
	result $? "$name: the leaks are those that were planted"

	diff <(awk '$1 == "used" { print $2, $3 }' "$work/truth" | sort) \
		<(scan "$image" --slabs | awk '{ print $1, $2 }' | sort) >"$work/diff"
	result $? "$name: each cache has the allocated objects that it should"

	! grep -q contradict "$work/report"
	result $? "$name: no free list contradicts itself"

	"$tool" why -q -i "$image" "$(truth leak | head -n 1)" 2>/dev/null | grep -q '^nobody refers to it'
	result $? "$name: nobody refers to a leak"
	"$tool" why -q -i "$image" "$(awk '$1 == "kept" { print $2; exit }' "$work/truth")" 2>/dev/null >"$work/why"
	grep -q '^chain from a root:' "$work/why" && grep -q 'root: gen_data' "$work/why"
	result $? "$name: a chain from a root leads to a block that is kept"
	"$tool" why -q -i "$image" "$(truth free | head -n 1)" 2>/dev/null | grep -q ': free$'
	result $? "$name: a free block is free"
	rm -f "$image.2"
	mv "$image" "$work/image-$kernel"
	mv "$work/truth" "$work/truth-$kernel"
}

json()
{
	scan "$work/image-612" --all --json >"$work/json"
	python3 - "$work/json" "$work/truth-612" <<-'EOT'
	import json, sys

	report = json.load(open(sys.argv[1]))
	planted = {line.split()[1] for line in open(sys.argv[2]) if line.startswith("leak ")}
	assert {leak["address"][2:] for leak in report["leaks"]} == planted
	assert report["totals"]["leaks"] == len(planted) == sum(g["blocks"] for g in report["groups"])
	assert report["totals"]["leaked_bytes"] == sum(g["bytes"] for g in report["groups"])
	assert report["version"] == 1
	EOT
	result $? "JSON says the same as the text"
}

suppressions()
{
	local all some
	all=$(scan "$work/image-612" --all | grep -c '^leak .* gen_node ')
	echo "cache=gen_* size=324 # a reason" >"$work/rules"
	scan "$work/image-612" --all -S "$work/rules" >"$work/report"
	some=$(grep -c '^leak .* gen_node ' "$work/report")
	[ "$all" -gt 0 ] && [ "$some" = 0 ] && grep -q "^suppressed: $all by \"cache=gen_\* size=324\"" "$work/report"
	result $? "a rule suppresses leaks, and says how many"
	"$tool" scan -q -i "$work/image-612" --check >/dev/null 2>&1
	[ $? = 1 ]
	result $? "--check: exit status 1 if there are leaks"
	echo "cache=*" >"$work/rules"
	"$tool" scan -q -i "$work/image-612" --check -S "$work/rules" >/dev/null 2>&1
	result $? "--check: exit status 0 if there are none"
	echo "cahce=*" >"$work/rules"
	refused 2 'unknown key cahce' 'a rule that is not understood' scan -q -i "$work/image-612" -S "$work/rules"
}

bad_input()
{
	local image=$work/image-612
	refused 2 'needs --image FILE' 'no file is named' scan --slabs
	refused 2 'no subcommand scna' 'an unknown subcommand' scna
	refused 2 'expected a number' 'an address that is none' why -i "$image" 0xxyz
	refused 3 'No such file' 'a file that is not there' scan -i "$work/nothing"
	refused 3 'not a file' 'a directory' scan -i "$work"
	: >"$work/empty"
	refused 4 'empty' 'an empty file' scan -i "$work/empty"
	refused 4 'no memory dump' 'a text' scan -i "$here/check.sh"
	head -c 40000000 "$image" >"$work/cut"
	refused 4 'truncated' 'half of an image' scan -q -i "$work/cut"
	head -c 100 "$image" >"$work/cut"
	refused 4 'no memory' 'the head of an image' scan -q -i "$work/cut"
	{ head -c 4096 "$image"; head -c $(($(stat -c %s "$image") - 4096)) /dev/zero; } >"$work/zeros"
	refused 5 'no VMCOREINFO' 'an image of zeros' scan -q -i "$work/zeros"
	refused 5 'is not understood: no member' 'BTF without a member that is needed' \
		scan -q -i "$image" --btf "$work/without.o"
	grep -qF 'kmem_cache.offset' "$work/err"
	result $? 'the member is named'
	refused 5 'no BTF' 'BTF that is none' scan -q -i "$image" --btf "$tool"
	refused 5 'no symbol' 'a System.map that is none' scan -q -i "$image" --map "$here/check.sh"
	printf 'ffffffff80000000 T _stext\nffffffff80000999 D init_uts_ns\n' >"$work/map"
	refused 5 'is not of the kernel' 'a System.map of another kernel' scan -q -i "$image" --map "$work/map"
	"$tool" scan -q -i "$image" >/dev/full 2>"$work/err"
	[ $? = 6 ] && grep -q 'could not be written' "$work/err"
	result $? 'a full disk'
	if [ "$(id -u)" = 0 ]; then
		nr=$((nr + 1))
		echo "ok $nr - a file without rights # SKIP root has all"
	else
		install -m 000 /dev/null "$work/secret"
		refused 3 'Permission denied' 'a file without rights' scan -i "$work/secret"
	fi
}

# Free lists that are decoded wrongly must be noticed, not believed.
controls()
{
	local image=$work/image-612 rc
	python3 - "$image" "$work/bent" <<-'EOT'
	import re, sys

	data = bytearray(open(sys.argv[1], "rb").read())
	# the name of a cache is behind its numbers; its secret is the next word but one
	import struct
	name = data.index(b"gen_node\0")
	addr = struct.pack("<Q", 0xffffffff80000000 + name - 4096)
	at = data.index(addr)
	data[at + 8] ^= 0xff
	open(sys.argv[2], "wb").write(data)
	EOT
	scan "$work/bent" >"$work/report"
	rc=$?
	[ $rc = 0 ] && grep -q 'contradict themselves' "$work/report"
	result $? "free lists that cannot be decoded are counted"
}

# Dumps of Debian's kernels.
dump()
{
	local file=$1 name=${1##*/} missing
	scan "$file" --all >"$work/report"
	result $? "$name: is read"
	awk '/kmemleak_leaks: leaked (block|cached|node|bulk|vmalloc|percpu|head|child)/ { print $NF }' "$file.log" |
		tr -d '\r' | sort -u >"$work/planted"
	awk '$1 == "leak" { print $2 }' "$work/report" | sort -u >"$work/found"
	missing=$(comm -23 "$work/planted" "$work/found" | wc -l)
	echo "# $(wc -l <"$work/planted") planted, $missing not found, $(comm -13 "$work/planted" "$work/found" | wc -l) others"
	comm -13 "$work/planted" "$work/found" | while read -r a; do grep "^leak $a " "$work/report" | sed 's/^/# other: /'; done
	# one of each kind may be hidden by a stale word
	[ -s "$work/planted" ] && [ "$missing" -le 1 ]
	result $? "$name: the leaks are found"
	awk '/kmemleak_leaks: kept/ { print $NF }' "$file.log" | tr -d '\r' | sort -u >"$work/kept"
	[ -s "$work/kept" ] && [ -z "$(comm -12 "$work/kept" "$work/found")" ]
	result $? "$name: no block that is kept is reported"
	! grep -q contradict "$work/report"
	result $? "$name: no free list contradicts itself"
}

for program in "$tool" "$generate"; do
	[ -x "$program" ] || { echo "Bail out! no $program: make -C tools/mm/kmemleak check"; exit 1; }
done
layout 601 6.1
layout 612 6.12
layout 703 7.3
gcc -gbtf -c -DKERNEL=612 -DWITHOUT_OFFSET -o "$work/without.o" "$here/kernels/kernel.c"
json
suppressions
bad_input
controls
# shellcheck source=tools/mm/kmemleak/tests/reports.sh
. "$here/reports.sh"
for file in "$@"; do dump "$file"; done
echo "1..$nr"
exit $bad
