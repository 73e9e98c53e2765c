#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2317 # the cases are called by name
#
# Tests of the scripts: wrong options, the counting of results, and the verdicts of
# run.sh. Prints TAP.
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/../lib.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/kmemleak-tools-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$KML_TOP"

# shellcheck source=tools/kmemleak/tests/tap.sh
. "$KML_TOOLS/tests/tap.sh"

# expect <status> <command...>: the output is left in $work/said
expect()
{
	local want=$1 rc=0
	shift
	"$@" >"$work/said" 2>&1 </dev/null || rc=$?
	cat "$work/said"
	if [ "$rc" != "$want" ]; then
		echo "exit $rc, expected $want: $*"
		return 1
	fi
}

t_count()
{
	local want=$1 got
	got=$(printf '%b' "$2" | awk -f tools/kmemleak/count-results.awk)
	echo "expected '$want', got '$got'"
	[ "$got" = "$want" ]
}

# The options of all scripts are read by one function: each kind of value, and the
# error for each wrong one.
t_options()
{
	local flag=0 text='' words='' list='' number='' each=() others=() rest=()
	local table='
		--flag|-f flag flag
		--text text text
		--words words words
		--list list one|two..
		--number number count
		--each each each
		... others
		-- rest'
	usage() { echo usage; }
	# in a shell of its own, which an error ends
	given() { (parse_options "$table" "$@"); }
	parse_options "$table" -f --text 'a  b' other --words a=1 --words 'b=2 c' --list 'two one' \
		--each 'x y' --each z --number 3 more -- --text 'q r'
	[ "$flag|$text|$words|$list|$number" = '1|a  b|a=1 b=2 c|two one|3' ]
	[ "${each[*]@Q}|${others[*]@Q}|${rest[*]@Q}" = "'x y' 'z'|'other' 'more'|'--text' 'q r'" ]
	[ "$options_given" = ' -f --text --words --words --list --each --each --number ' ]
	expect 0 given --text '' --help
	expect 2 given --list 'one three'
	grep -q 'error: --list three .*choices: one two$' "$work/said"
	expect 2 given --number 0
	grep -q 'not above 0' "$work/said"
	expect 2 given --number 1k
	grep -q 'not a number' "$work/said"
	expect 2 given --text
	grep -q 'error: --text needs a value' "$work/said"
	expect 2 given --nosuch
	grep -q 'error: unknown option --nosuch' "$work/said"
	grep -q '^usage' "$work/said"
}

t_bad_torture()
{
	expect 2 tools/kmemleak/torture.sh --mode sideways
	grep -q 'choices: serial parallel both' "$work/said"
	expect 2 tools/kmemleak/torture.sh --seconds ten
	grep -q 'not a number' "$work/said"
	expect 2 tools/kmemleak/torture.sh --seconds
	grep -q 'needs a value' "$work/said"
	expect 2 tools/kmemleak/torture.sh --flavor vax
	expect 2 tools/kmemleak/torture.sh workers
	grep -q 'NAME=VALUE' "$work/said"
	expect 2 tools/kmemleak/torture.sh --compare --stock
	grep -q 'leave --stock out' "$work/said"
	expect 2 tools/kmemleak/torture.sh --nonsense
	grep -q 'usage:' "$work/said"
}

t_bad_choice()
{
	expect 2 tools/kmemleak/build-kernel.sh --flavor vax
	grep -q 'choices: um x86_64 arm64' "$work/said"
	expect 2 tools/kmemleak/build-kernel.sh --kernel 5.4
	grep -q 'choices: 7.3 6.12' "$work/said"
	expect 2 tools/kmemleak/build-kernel.sh --kernel ./mm
	grep -q 'looked for Makefile' "$work/said"
	expect 2 make -s kernel FLAVOR=vax
	expect 2 tools/kmemleak/fetch-kernel.sh 2.4
	expect 2 tools/kmemleak/check.sh nonsense
	expect 2 tools/kmemleak/lint.sh nonsense
	expect 2 tools/kmemleak/check-builds.sh --cc tcc
	grep -q 'choices: gcc clang' "$work/said"
	expect 2 tools/kmemleak/check-builds.sh --kernel 5.4
	grep -q 'choices: 7.3 6.12' "$work/said"
	expect 2 tools/kmemleak/check-builds.sh 'vax*'
	grep -q 'choices: x86_64 ' "$work/said"
	expect 2 tools/testing/kmemleak/check-cross.sh vax
	grep -q 'choices: i386 arm s390x arm64' "$work/said"
	expect 2 tools/kmemleak/check-full.sh nonsense
	grep -q 'choices: um-7.3 ' "$work/said"
	expect 2 tools/kmemleak/build-kernel.sh --config vax
	grep -q 'choices: .*kasan' "$work/said"
	expect 2 tools/kmemleak/check-kernel.sh --flavor vax
	expect 2 make -s install
	grep -q 'KDIR is not set' "$work/said"
}

t_not_built()
{
	export KMEMLEAK_CACHE=$work/empty
	expect 1 tools/kmemleak/build-kernel.sh --print
	grep -q 'no built kernel.*run: make kernel' "$work/said"
	expect 2 make -s print-kernel
}

t_bad_busy()
{
	expect 2 tools/kmemleak/busy.sh --scans ten
	grep -q 'not a number' "$work/said"
	expect 2 tools/kmemleak/busy.sh --seconds
	grep -q 'needs a value' "$work/said"
	expect 2 tools/kmemleak/busy.sh --flavor arm64
	grep -q 'choices: um$' "$work/said"
	expect 2 tools/kmemleak/busy.sh --config kasan
	grep -q 'choices: busy$' "$work/said"
	expect 2 tools/kmemleak/busy.sh --compare --stock
	grep -q 'leave --stock out' "$work/said"
	expect 2 tools/kmemleak/busy.sh --nonsense
}

t_help()
{
	local target
	make -s help >"$work/help"
	for target in $(make -pq 2>/dev/null | sed -n 's/^\.PHONY: //p'); do
		grep -qE "make $target( |\$)" "$work/help" || { echo "help lacks $target"; return 1; }
	done
	# Variables that the rules use must be in the help, too.
	grep -oE '\$\(([a-z-]+ [^$]*\$\()?[A-Z_]+\)' Makefile | grep -oE '[A-Z_]{2,}' | sort -u |
		grep -vxE 'MAKE|MAKEFILE_LIST|MAKECMDGOALS|CONFIG_.*' >"$work/variables"
	while read -r target; do
		grep -q "$target=" "$work/help" || { echo "help lacks $target="; return 1; }
	done <"$work/variables"
}

# A choice of make menuconfig reaches the kernel; without .config there is no change.
t_chosen()
{
	local top=$work/checkout
	mkdir -p "$top"
	cp -a --parents Kconfig Makefile mm tools "$top/"
	make -s -C "$top" defconfig
	grep -qx 'CONFIG_DEBUG_KMEMLEAK_MEM_POOL_SIZE=16000' "$top/.config"
	[ ! -e "$top/include" ]
	sed -i 's/^\(CONFIG_DEBUG_KMEMLEAK_MEM_POOL_SIZE\)=.*/\1=4321/' "$top/.config"
	KMEMLEAK_CONFIG=$top/.config tools/kmemleak/build-kernel.sh --variant chosen --prepare
	kernel_paths um 7.3 0 0
	grep -qx 'CONFIG_DEBUG_KMEMLEAK_MEM_POOL_SIZE=4321' "$kml_out-chosen/.config"
	tools/kmemleak/build-kernel.sh --variant chosen --prepare
	grep -q '^CONFIG_DEBUG_KMEMLEAK_MEM_POOL_SIZE=' "$kml_out-chosen/.config"
	[ "$(grep -c 'MEM_POOL_SIZE=4321' "$kml_out-chosen/.config")" = 0 ]
	rm -rf "$kml_out-chosen"
	sed -i 's/^# \(CONFIG_FLAVOR_ARM64\) .*/\1=y/; s/^CONFIG_FLAVOR_UM=y//' "$top/.config"
	make -s -C "$top" -n kernel | grep -q -e "--flavor 'arm64'"
	make -s -C "$top" -n kernel FLAVOR=um | grep -q -e "--flavor 'um'"
}

# Each script that the makefile or README.md names has a usage text.
t_script_help()
{
	local script
	for script in tools/kmemleak/{run,check,check-kernel,check-full,check-builds,check-harness,check-log}.sh \
		tools/kmemleak/{lint,fetch-kernel,initramfs,build-kernel,torture,busy,kconfig}.sh \
		tools/testing/kmemleak/check-cross.sh benchmarks/{bench-kernel,bench-pairs,accuracy}.sh; do
		expect 0 "$script" --help
		grep -q "^usage: $(basename "$script")" "$work/said"
	done
}

# Several first runs at a time, in a cache with files of other checkouts: each run gets
# its archive, old archives are removed, and no incomplete one remains.
t_initramfs()
{
	local i guest=$work/base-cache/guest runs=()
	export KMEMLEAK_CACHE=$work/base-cache
	mkdir -p "$guest"
	touch "$guest/base-amd64-other.cpio"
	touch -d '8 days ago' "$guest/base-amd64-old.cpio" "$guest/base-amd64-half.cpio.12"
	echo : >"$work/script"
	for i in 1 2 3; do
		tools/kmemleak/initramfs.sh "$work/out$i.cpio" "$(dpkg --print-architecture)" '' "$work/script" "$work/script" &
		runs+=($!)
	done
	for i in 1 2 3; do
		wait "${runs[i - 1]}"
		cpio -it --quiet <"$work/out$i.cpio" >"$work/said"
		grep -qx init "$work/said"
	done
	ls "$guest"
	[ "$(find "$guest" -name 'base-*' | wc -l)" = 2 ]
	[ -e "$guest/base-amd64-other.cpio" ]
	# A disk that is full while the archive is written.
	rm "$guest"/base-*
	mkdir -p "$work/full"
	printf '#!/bin/sh\necho some; exit 1\n' >"$work/full/cpio"
	chmod +x "$work/full/cpio"
	PATH=$work/full:$PATH expect 1 tools/kmemleak/initramfs.sh "$work/out1.cpio" \
		"$(dpkg --print-architecture)" '' "$work/script" "$work/script"
	[ -z "$(find "$guest" -name 'base-*')" ]
}

# A log passes if it is clean, or has a known complaint no more often than allowed.
# t_log <status> <log> [option]; KNOWN stands for a complaint of stock.
t_log()
{
	local known='[    0.230000] WARNING: suspicious RCU usage\n[    0.230000] tree.c:1 Callback enqueued on offline CPU!!\n[    0.230000]  os_start_secondary+0x67\n'
	printf '%b' "${2//KNOWN/$known}" >"$work/log"
	expect "$1" tools/kmemleak/check-log.sh "${@:3}" "$work/log"
}

# Options that a configuration lacks, should not have, or has with another value, and no
# others.
t_lost_options()
{
	printf 'CONFIG_%s\n' A=y N=5 'S="x y"' ON=y >"$work/.config"
	printf '# CONFIG_OFF is not set\n' >>"$work/.config"
	printf 'CONFIG_%s\n' A=y N=6 'S="x y"' B=y OFF=y >"$work/fragment"
	printf '# CONFIG_%s is not set\n' ON C >>"$work/fragment"
	lost_options "$work/.config" "$work/fragment" >"$work/got"
	cat "$work/got"
	printf '  CONFIG_%s\n' 'B: asked y, got n' 'N: asked 6, got 5' 'OFF: asked y, got n' \
		'ON: asked n, got y' | diff - "$work/got"
}

# Each line of builds.tab has three columns, and its architecture is in configs/.
t_builds_table()
{
	local name kernels compilers words
	[ "$(tools/kmemleak/check-builds.sh --list | wc -l)" -gt 30 ]
	while read -r name kernels compilers words; do
		echo "$name $kernels $compilers $words"
		[ -f "tools/kmemleak/configs/builds/${name%%-*}.config" ]
		[[ $kernels =~ ^(\*|[0-9.,]+)$ ]]
		[[ $compilers =~ ^(\*|[a-z,]+)$ ]]
	done < <(grep -vE '^(#|$)' tools/kmemleak/builds.tab)
	# A name may occur twice, for different kernels.
	! awk '!/^#/ && NF { print $1, $2 }' tools/kmemleak/builds.tab | sort | uniq -d | grep .
}

# The private copy follows the changes of its source, and only these files are written.
t_copy()
{
	local from=$work/from to=$work/to
	mkdir -p "$from/mm" "$from/include/config"
	echo one >"$from/mm/a.c"
	echo two >"$from/mm/b.c"
	echo x >"$from/mm/a.o"
	tools/kmemleak/copy-tree.py "$from" "$to"
	cmp "$from/mm/a.c" "$to/mm/a.c"
	touch -d '1 day ago' "$to/mm/a.c" "$to/mm/b.c"
	stat -c %y "$to/mm/b.c" >"$work/before"
	echo three >"$from/mm/a.c"
	echo new >"$from/mm/c.c"
	tools/kmemleak/copy-tree.py "$from" "$to"
	cmp "$from/mm/a.c" "$to/mm/a.c"
	cmp "$from/mm/c.c" "$to/mm/c.c"
	# The copy is newer for make, whatever the time of the source is.
	[ "$to/mm/a.c" -nt "$to/mm/b.c" ]
	stat -c %y "$to/mm/b.c" | diff "$work/before" -
	rm "$from/mm/c.c"
	tools/kmemleak/copy-tree.py "$from" "$to"
	[ ! -e "$to/mm/c.c" ]
	mkdir "$from/.kmemleak-overlay"
	echo '{}' >"$from/.kmemleak-overlay/manifest.json"
	expect 1 tools/kmemleak/copy-tree.py "$from" "$to"
	grep -q 'make uninstall' "$work/said"
}

# The matrix: rows that passed are not run again, rows that failed are. The table has the
# reasons for skips. A row whose sources changed is run again.
t_matrix()
{
	local results
	export KMEMLEAK_CACHE=$work/matrix-cache KMEMLEAK_MATRIX=$work/matrix
	mkdir -p "$KMEMLEAK_MATRIX"
	cat >"$work/good" <<-'EOT'
	#!/bin/sh
	printf '# suite: one\nok 1 a\n#      SKIP      no such thing\nok 2 b # SKIP no such thing\n# suite: two\nok 3 c\n'
	EOT
	printf '#!/bin/sh\ncat %s/bad-said\n' "$work" >"$work/bad"
	chmod +x "$work/good" "$work/bad"
	echo 'not ok 1 broken' >"$work/bad-said"
	printf '# a remark\n\ngood | 1 | - | %s\nbad|1|-|%s\n' "$work/good" "$work/bad" >"$KMEMLEAK_MATRIX/a.rows"
	expect 1 tools/kmemleak/check-full.sh
	grep -qxE 'good +one +1 +0 +1' "$work/said"
	grep -qxE 'good +two +1 +0 +0' "$work/said"
	grep -qE '^bad +total +0 +1 +0 ' "$work/said"
	grep -qxE '  good +no such thing' "$work/said"
	[ "$(tail -n 1 "$work/said")" = '2 passed, 1 failed, 1 skipped' ]
	echo 'ok 1 mended' >"$work/bad-said"
	expect 0 tools/kmemleak/check-full.sh
	grep -q '1/2. good passed on' "$work/said"
	grep -q '^ok    bad: 1 passed' "$work/said"
	expect 0 tools/kmemleak/check-full.sh 'go*'
	if grep -q bad "$work/said"; then return 1; fi
	results=$(echo "$KMEMLEAK_CACHE"/checkout/*/full)
	# Sources that a row excludes do not count.
	printf 'less | 1 | tools/testing mm | %s\nsame | 1 | nosuch mmm | %s\n' "$work/good" "$work/good" \
		>"$KMEMLEAK_MATRIX/c.rows"
	printf '@most | tools/testing m*\ngroup | 1 | @most | %s\n' "$work/good" >>"$KMEMLEAK_MATRIX/c.rows"
	expect 0 tools/kmemleak/check-full.sh less same group
	echo "none | 1 | @few | $work/good" >"$KMEMLEAK_MATRIX/c.rows"
	expect 1 tools/kmemleak/check-full.sh less
	grep -q 'no group @few' "$work/said"
	rm "$KMEMLEAK_MATRIX/c.rows"
	[ "$(cut -d ' ' -f 1 "$results/same/verdict")" = "$(cut -d ' ' -f 1 "$results/good/verdict")" ]
	[ "$(cut -d ' ' -f 1 "$results/less/verdict")" != "$(cut -d ' ' -f 1 "$results/good/verdict")" ]
	[ "$(cut -d ' ' -f 1 "$results/less/verdict")" = "$(cut -d ' ' -f 1 "$results/group/verdict")" ]
	sed -i 's/^[^ ]*/otherid/' "$results/good/verdict"
	expect 0 tools/kmemleak/check-full.sh --show
	grep -qE '^good +total .*, since changed' "$work/said"
	expect 0 tools/kmemleak/check-full.sh
	grep -q '^ok    good: 2 passed' "$work/said"
	echo 'bad | 1 | - | /bin/true' >"$KMEMLEAK_MATRIX/b.rows"
	expect 1 tools/kmemleak/check-full.sh
	grep -q 'a second row bad' "$work/said"
	echo 'bad' >"$KMEMLEAK_MATRIX/b.rows"
	expect 1 tools/kmemleak/check-full.sh
	grep -q 'expected "name' "$work/said"
	# A row without results fails.
	echo 'quiet | 1 | - | /bin/true' >"$KMEMLEAK_MATRIX/b.rows"
	expect 1 tools/kmemleak/check-full.sh quiet
	grep -q 'left no results' "$results/quiet/log"
	# A row whose tests were all skipped has not passed.
	# shellcheck disable=SC2016 # the row's variable
	printf '#!/bin/sh\necho "ok 1 a # SKIP no machine" | tee "$KML_LOG_DIR/a.log"\n' >"$work/skips"
	chmod +x "$work/skips"
	echo "skips | 1 | - | $work/skips" >"$KMEMLEAK_MATRIX/b.rows"
	expect 0 tools/kmemleak/check-full.sh skips
	grep -q '^NONE  skips: none passed, 1 skipped' "$work/said"
	expect 0 tools/kmemleak/check-full.sh skips
	grep -q '^NONE  skips' "$work/said"
	# The guests' logs of the last run are kept.
	touch "$results/skips/guests/b.log"
	expect 0 tools/kmemleak/check-full.sh skips
	[ "$(ls "$results/skips/guests")" = a.log ]
	# A result does not count for sources that changed during the run.
	mkdir -p "$work/top/tools"
	cp -r tools/kmemleak "$work/top/tools/"
	printf '#!/bin/sh\necho >>%s/top/source\necho ok 1\n' "$work" >"$work/moves"
	chmod +x "$work/moves"
	echo "moves | 1 | - | $work/moves" >"$KMEMLEAK_MATRIX/b.rows"
	expect 0 "$work/top/tools/kmemleak/check-full.sh" moves
	grep -q '^changed 1 0 0 ' "$KMEMLEAK_CACHE"/checkout/*/full/moves/verdict
	expect 0 "$work/top/tools/kmemleak/check-full.sh" moves
	grep -q '^ok    moves: 1 passed' "$work/said"
	# A configuration is a source of those rows that choose it.
	printf 'chosen | 1 | - | %s --config rt\nnone | 1 | - | %s\n' "$work/good" "$work/good" \
		>"$KMEMLEAK_MATRIX/b.rows"
	expect 0 "$work/top/tools/kmemleak/check-full.sh" chosen none
	echo >>"$work/top/tools/kmemleak/configs/rt.config"
	expect 0 "$work/top/tools/kmemleak/check-full.sh" --show chosen none
	grep -qE '^chosen +total .*, since changed' "$work/said"
	if grep -qE '^none +total .*, since changed' "$work/said"; then return 1; fi
	# And so is the configuration of a flavour.
	printf 'uml | 1 | - | %s\npc | 1 | - | %s --flavor x86_64\narm | 1 | - | %s --flavor arm64\n' \
		"$work/good" "$work/good" "$work/good" >"$KMEMLEAK_MATRIX/b.rows"
	expect 0 "$work/top/tools/kmemleak/check-full.sh" uml pc arm
	echo >>"$work/top/tools/kmemleak/configs/x86_64.config"
	expect 0 "$work/top/tools/kmemleak/check-full.sh" --show uml pc arm
	[ "$(grep -c 'since changed' "$work/said")" = 1 ]
	grep -qE '^pc +total .*, since changed' "$work/said"
	echo >>"$work/top/tools/kmemleak/configs/um-smp.config"
	expect 0 "$work/top/tools/kmemleak/check-full.sh" --show uml pc arm
	[ "$(grep -c 'since changed' "$work/said")" = 2 ]
	grep -qE '^uml +total .*, since changed' "$work/said"
	# A run on another machine continues from the table, and keeps other rows.
	rm "$KMEMLEAK_MATRIX/b.rows"
	expect 0 tools/kmemleak/check-full.sh --table "$work/table" good
	grep -qE '^bad +total +1 +0 +0 ' "$work/table"
	cp "$work/table" "$work/table1"
	rm -r "$KMEMLEAK_CACHE"
	expect 0 tools/kmemleak/check-full.sh --show --table "$work/table"
	diff "$work/said" "$work/table1"
	rm -r "$KMEMLEAK_CACHE"
	sed -i '/^bad/s/sources .*/sources 0123, since changed/' "$work/table"
	expect 0 tools/kmemleak/check-full.sh --table "$work/table" bad
	grep -q '^ok    bad: 1 passed' "$work/said"
	diff <(sed 's/, [0-9]* s,//' "$work/table") <(sed 's/, [0-9]* s,//' "$work/table1")
	expect 0 tools/kmemleak/check-full.sh --table "$work/table"
	grep -q '1/2. good passed on' "$work/said"
	expect 1 tools/kmemleak/check-full.sh --table "$work/none/table"
	grep -q 'cannot be written' "$work/said"
}

# No file of the repository names a directory or tool of the machine it was made on, or
# the host of a package registry.
t_names()
{
	local words='(^|[^[:alnum:]_.])/(work|root)/|farm[-]|debian[.]org|ubuntu[.]com'
	git ls-files -co --exclude-standard 2>/dev/null | while read -r f; do
		[ ! -f "$f" ] || grep -nHIE "$words" "$f" || :
	done | grep -vE '^(COPYING|tools/kmemleak/tests/tools_test.sh):' >"$work/named" || :
	cat "$work/named"
	[ ! -s "$work/named" ]
}

guest()
{
	local script=$1
	shift
	printf '%s\n' "$script" >"$work/script"
	tools/kmemleak/run.sh --quiet --timeout 60 --log "$work/guest.log" "$@"
}

t_status()
{
	expect 7 guest 'exit 7' -- "$work/script"
}

t_machine()
{
	local option
	for option in '--nodes 2' --icount; do
		# shellcheck disable=SC2086 # words on purpose
		expect 2 guest 'exit 0' $option -- "$work/script"
		grep -q 'not for FLAVOR=um' "$work/said"
	done
}

t_arguments()
{
	mkdir -p "$work/add/sub"
	echo inside >"$work/add/sub/file"
	# shellcheck disable=SC2016 # the guest's variables
	expect 0 guest 'echo "<$1> <$2> <$NAME> $(cat /some/where/sub/file)"' \
		--add "$work/add:/some/where" --env "NAME=it's \$HOME" -- "$work/script" 'a  b' "c'\"d"
	grep -qF "<a  b> <c'\"d> <it's \$HOME> inside" "$work/said"
}

# More output than fits into a pipe, read slowly: the end must not be lost.
t_slow_reader()
{
	mkdir -p "$work/slow"
	cat >"$work/slow/sed" <<-EOT
		#!/usr/bin/python3
		import os, sys, time
		if sys.argv[1:] != ["-u", r"s/\r//g"]:
		    os.execv("$(command -v sed)", sys.argv)
		while data := os.read(0, 4096):
		    os.write(1, data)
		    time.sleep(0.05)
	EOT
	chmod +x "$work/slow/sed"
	PATH=$work/slow:$PATH
	# shellcheck disable=SC2016 # the guest's variables
	expect 7 guest 'for i in {1..1500}; do printf "%080d\n" $i >/dev/kmsg; done; exit 7' -- "$work/script"
}

# Guests of these tests are identified by their memory size, which no others have.
no_guest_left()
{
	local pid left
	# A process that was killed needs time to release its memory.
	SECONDS=0
	while :; do
		left=''
		for pid in /proc/[0-9]*; do
			if tr '\0' ' ' 2>/dev/null <"$pid/cmdline" | grep -q ' mem=203M '; then
				left="$left $pid"
			fi
		done
		[ -n "$left" ] || return 0
		[ "$SECONDS" -lt 10 ] || break
		sleep 0.1
	done
	echo "left behind:$left"
	return 1
}

t_timeout()
{
	expect 124 guest 'sleep 50' --mem 203M --timeout 4 -- "$work/script"
	no_guest_left
}

t_interrupted()
{
	local rc=0
	printf 'echo script runs\nsleep 50\n' >"$work/script"
	mkdir -p "$work/tmp"
	# A log of its own: the log of an earlier guest has that line, too, and the
	# signal must not come before the guest runs.
	TMPDIR=$work/tmp tools/kmemleak/run.sh --quiet --mem 203M --timeout 60 --log "$work/interrupted.log" -- "$work/script" &
	# The time-out of the guest ends this loop in any case.
	until grep -qs '^script runs' "$work/interrupted.log"; do
		kill -0 %1
		sleep 0.1
	done
	SECONDS=0
	kill %1
	wait %1 || rc=$?
	[ "$rc" = 130 ]
	[ "$SECONDS" -lt 10 ]
	no_guest_left
	[ -z "$(ls "$work/tmp")" ]
}

t_crash()
{
	expect 125 guest 'poweroff -f' -- "$work/script"
}

t_complaint()
{
	expect 123 guest 'echo "BUG: made up" >/dev/kmsg; dmesg -C' -- "$work/script"
	grep -q 'BUG: made up' "$work/said"
	expect 0 guest 'echo "BUG: made up" >/dev/kmsg' --no-splat-check -- "$work/script"
	# A failure of the script has precedence.
	expect 3 guest 'echo "BUG: made up" >/dev/kmsg; exit 3' -- "$work/script"
}

# A log is not clean if the buffer has lost its first lines.
t_lost_log()
{
	# shellcheck disable=SC2016 # the guest's variables
	expect 123 guest 'line=$(printf "%0900d" 0); for i in {1..1300}; do echo $line >/dev/kmsg; done' \
		--append printk.devkmsg=on -- "$work/script"
	grep -q 'does not begin with the boot' "$work/said"
}

# With --leaves the log is not dumped: warnings are on the console.
t_leaves()
{
	expect 0 guest 'echo leaving; poweroff -f' --leaves -- "$work/script"
	expect 123 guest 'echo "<4>WARNING: made up" >/dev/kmsg; sleep 1; echo leaving; poweroff -f' --leaves -- "$work/script"
	grep -q 'WARNING: made up' "$work/said"
}

# modprobe and modinfo as the tree's scripts use them, backtraces with names, and trace
# events.
t_facilities()
{
	# shellcheck disable=SC2016 # the guest's variables
	expect 0 guest 'set -e
		modinfo kmemleak-test >/dev/null
		modprobe kmemleak-test
		rmmod kmemleak-test
		[ -e /sys/kernel/debug/kmemleak ]
		grep -q " kmemleak_init" /proc/kallsyms
		[ "$(wc -l </sys/kernel/tracing/available_events)" -gt 100 ]
		cat /proc/self/stack
		grep -q "+0x" /proc/self/stack
		[ "$(nproc)" = 2 ]' -- "$work/script"
}

# The demo fails if a leak is not reported, and if a block is reported that the module has
# kept; both lines are added to its log. With stock it only prints them.
t_demo()
{
	# shellcheck disable=SC2016 # the guest's variables
	local script='mkdir /tmp/stub
		cat >/tmp/stub/modprobe <<-"EOT"
			#!/bin/bash
			/usr/bin/modprobe "$@" || exit
			dmesg | sed -n "s/.*kmemleak: kmalloc(.*)\( = .*\)/kmemleak: kzalloc(sizeof(*elem))\1/p" |
			while read -r line; do echo "$line" >/dev/kmsg; done
			echo "kmemleak: kmalloc(7) = 0xabcde" >/dev/kmsg
		EOT
		chmod +x /tmp/stub/modprobe
		PATH=/tmp/stub:$PATH bash /kml/demo.sh'
	local args=(--append no_hash_pointers --append printk.devkmsg=on --add "$PWD/tools/kmemleak/guest/demo.sh:/kml/demo.sh")
	expect 1 guest "$script" "${args[@]}" -- "$work/script"
	grep -qE '^error: found [0-9]+ of 15 planted leaks; hidden: .*1 x kmalloc\(7\)' "$work/said"
	grep -qE '^error: reported, though .*: [0-9]+ x kzalloc\(sizeof\(\*elem\)\)$' "$work/said"
	expect 0 guest "$script" "${args[@]}" --env KML_STOCK=1 -- "$work/script"
	grep -q '^stock: found .* of 15' "$work/said"
}

t_shell()
{
	python3 - "$@" <<-'EOT'
	import os, pty, select, sys, time
	pid, fd = pty.fork()
	if pid == 0:
	    os.execv("tools/kmemleak/run.sh", ["run.sh", "--shell", "--append", "quiet"])
	said, sent, end = b"", False, time.time() + 60
	while time.time() < end:
	    if not select.select([fd], [], [], 1)[0]:
	        continue
	    try:
	        data = os.read(fd, 4096)
	    except OSError:
	        break
	    if not data:
	        break
	    said += data
	    if not sent and b"# " in said:
	        os.write(fd, b"echo an$((40 + 2))swer; exit\n")
	        sent = True
	print(said.decode(errors="replace"))
	_, status = os.waitpid(pid, 0)
	sys.exit(0 if b"an42swer" in said and os.waitstatus_to_exitcode(status) == 0 else 1)
	EOT
}

check "results: flat TAP" t_count '2 1 1' 'ok 1 a\nnot ok 2 b\nok 3 c # SKIP no\nok 4 d\n'
check "results: a suite does not count if its tests do" t_count '2 1 0' \
	'    ok 1 a\n    not ok 2 b\n    ok 3 c\nnot ok 1 suite\n'
check "results: a suite that fails though all tests passed" t_count '1 1 0' '    ok 1 a\nnot ok 1 suite\n'
check "results: three levels" t_count '3 1 0' \
	'        ok 1 a\n        not ok 2 b\n    not ok 1 p\n    ok 2 c\nnot ok 1 suite\nok 2 other\n'
check "results: a line of totals replaces the lines above" t_count '10 0 2' 'ok 1 a\n10 passed, 0 failed, 2 skipped\n'
check "results: none" t_count '0 0 0' 'hello\n'
check "log: clean" t_log 0 '[    0.1] all is well\nBUG: not from the kernel\n'
check "log: a complaint" t_log 1 '[    0.1] BUG: sleeping function called\n'
check "log: a complaint in the middle of a line" t_log 1 'text[    0.1] WARNING: at foo\n'
check "log: an undefined operation" t_log 1 '[    0.1] UBSAN: shift-out-of-bounds in foo.c:3:4\n'
check "log: poison overwritten" t_log 1 '[    0.1] pagealloc: memory corruption\n'
check "log: an expedited stall" t_log 1 '[    0.1] rcu: INFO: rcu_sched detected expedited stalls on CPUs\n'
check "log: a known complaint" t_log 0 'KNOWN[    1.0] fine\n'
check "log: a known complaint, twice" t_log 1 '[    0.240000] WARNING: suspicious RCU usage\n[ 0.24] Callback enqueued on offline CPU!! os_start_secondary\nKNOWN'
check "log: a complaint like the known one" t_log 1 '[    0.1] WARNING: suspicious RCU usage\n[    0.1] tree.c:9 other\n'
check "log: a data race of kmemleak" t_log 1 '[    0.1] BUG: KCSAN: data-race in foo / kml_bar\n'
check "log: a data race of the torture module" t_log 1 '[    0.1] BUG: KCSAN: data-race in kt_all / foo\n'
check "log: a data race of a name with kt_ in it" t_log 0 '[    0.1] BUG: KCSAN: data-race in pkt_all / foo\n'
check "log: an Oops on arm64" t_log 1 '[    0.1] Unable to handle kernel paging request at virtual address 0\n'
check "log: the second line of that Oops" t_log 1 '[    0.1] Internal error: synchronous external abort: 0000000096000010\n'
check "log: a hard lockup" t_log 1 '[    0.1] watchdog: Watchdog detected hard LOCKUP on cpu 0\n'
check "log: an interrupt without a handler" t_log 1 '[    0.1] irq 9: nobody cared (try booting with the "irqpoll" option)\n'
check "log: no page left" t_log 1 '[    0.1] bash: page allocation failure: order:0\n'
check "log: no memory for a slab" t_log 1 '[    0.1] SLUB: Unable to allocate memory on CPU 0\n'
check "log: injected failures" t_log 0 \
	'[    0.1] SLUB: Unable to allocate memory on CPU 0\n[    0.1] x: page allocation failure: order:0\n' --injected
check "log: a complaint besides injected failures" t_log 1 '[    0.1] BUG: sleeping function called\n' --injected
check "log: a data race of other code" t_log 0 '[    0.1] BUG: KCSAN: data-race in foo / bar\n'
check "options: every kind of value, and the error for a wrong one" t_options
check "wrong FLAVOR, KERNEL, KDIR: the choices, exit 2" t_bad_choice
check "torture.sh: wrong options, the choices, exit 2" t_bad_torture
check "print-kernel without a kernel names the command to build one" t_not_built
check "busy.sh: wrong options, the choices, exit 2" t_bad_busy
check "help lists every target" t_help
check "--help of every script" t_script_help
check "menuconfig: choices reach the kernel" t_chosen
check "initramfs: several runs at a time" t_initramfs
check "options that a configuration lacks" t_lost_options
check "the table of builds" t_builds_table
check "a private copy follows its source" t_copy
check "check-full: results kept, failures run again, the table" t_matrix
check "no name of a machine or registry" t_names

"$KML_TOOLS/build-kernel.sh" --kernel 7.3
check "guest: the script's exit status" t_status
check "guest: a slow reader loses nothing" t_slow_reader
check "guest: an emulated machine's options are refused by UML" t_machine
check "guest: arguments, environment, added files" t_arguments
check "guest: time-out" t_timeout
check "guest: interrupted" t_interrupted
check "guest: ended without a status" t_crash
check "guest: a kernel complaint fails the run" t_complaint
check "guest: a log without its beginning fails the run" t_lost_log
check "guest: warnings of a guest that leaves" t_leaves
check "guest: modules, symbols, trace events" t_facilities
check "demo: fails for a hidden leak, and for a false report" t_demo
check "guest: a shell" t_shell
echo "1..$n"
exit $failed
