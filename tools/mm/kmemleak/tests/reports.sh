# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Tests of the subcommands that read reports of kernels, on samples of these: a part of
# check.sh, which has $tool, $work, $here, result() and refused().
# shellcheck disable=SC2154,SC2016

reports=$here/reports
pair=(-i "$reports/leaks.txt" --stacks "$reports/stacks.txt")

# golden <expected file> <name> <arguments>...
golden()
{
	local want=$reports/expected/$1 name=$2 rc
	shift 2
	"$tool" "$@" >"$work/out" 2>"$work/err"
	rc=$?
	diff "$want" "$work/out" >"$work/diff" && [ $rc = 0 ] && [ ! -s "$work/err" ]
	local verdict=$?
	[ $verdict = 0 ] || { echo "# exit status $rc"; sed 's/^/# /' "$work/err"; head -n 20 "$work/diff" | sed 's/^/# /'; }
	result $verdict "$name"
}

# csv <expression of awk on fields of the first group> <name> <arguments>...
csv()
{
	local want=$1 name=$2
	shift 2
	"$tool" report -f csv "$@" 2>"$work/err" | sed -n 2p >"$work/out"
	awk -F, "{ exit !($want) }" "$work/out" && [ -s "$work/out" ]
	local verdict=$?
	[ $verdict = 0 ] || sed 's/^/# /' "$work/out" "$work/err"
	result $verdict "$name"
}

report_formats()
{
	local f
	for f in text json folded csv; do
		golden "pair.$f" "leaks and stacks as $f" report "${pair[@]}" -f $f
		golden "stock.$f" "the text of a stock kernel as $f" report -i "$reports/stock.txt" -f $f
	done
	golden old.text 'the text of an old kernel' report -i "$reports/old.txt"
	golden heads.text 'heads and what they retain' report "${pair[@]}" --heads
	for f in function module cache; do
		golden "pair-$f.csv" "groups by $f" report "${pair[@]}" -g $f -f csv
	done
	: >"$work/empty"
	[ "$("$tool" report -i "$work/empty")" = 'no leaks' ]
	result $? 'a report without leaks'
	python3 -m json.tool "$reports/expected/pair.json" >"$work/out" 2>&1
	result $? 'the JSON is JSON'
	"$tool" report "${pair[@]}" -f csv |
		python3 -c 'import csv, sys; rows = list(csv.DictReader(sys.stdin)); assert len(rows) == 5 and all(None not in r for r in rows) and rows[0]["leaks"] == "2"'
	result $? 'the CSV has the same columns in all rows'
}

report_options()
{
	csv '$2 == 3' 'the group with most leaks is the first' "${pair[@]}" -s count
	csv '$7 == 90000' 'the oldest group is the first' "${pair[@]}" -s age
	csv '$10 == "0xffff888004a3b000"' 'jiffies tell the age where the text has no other' -i "$reports/stock.txt" -s age
	csv '$1 == 320 && $2 == 3' '--module' "${pair[@]}" -m leaky
	csv '$1 == 16' '--module vmlinux' "${pair[@]}" -m vmlinux
	csv '$1 == 1048776 && $2 == 2' '--since' "${pair[@]}" --since 2
	[ "$("$tool" report "${pair[@]}" --since 2 | head -n 1)" = '3 leaks, 1048784 bytes, 2 groups, 3 heads' ]
	result $? '--since leaves out older generations'
	csv '$1 == 1048576 && $2 == 1' '--min-size' "${pair[@]}" --min-size 1000
	[ "$("$tool" report "${pair[@]}" -n 2 | tail -n 1)" = '3 more groups, 280 bytes (-n)' ]
	result $? '--groups says what it leaves out'
	"$tool" report "${pair[@]}" --check >/dev/null
	[ $? = 1 ]
	result $? '--check: exit status 1 if there are leaks'
	"$tool" report "${pair[@]}" --check --since 3 >/dev/null
	result $? '--check: exit status 0 if there are none'
}

report_errors()
{
	local old=$reports/stock.txt option
	for option in '-g cache' --heads '--since 1'; do
		# shellcheck disable=SC2086
		refused 11 'kmemleak_leaks of the parallel kmemleak' "stock's text and $option" report -i "$old" $option
	done
	refused 2 '--stacks FILE' 'leaks without stacks' report -i "$reports/leaks.txt"
	refused 2 '--group bytes' 'a group that does not exist' report "${pair[@]}" -g bytes
	refused 2 'expected a number' 'a size that is none' report "${pair[@]}" --min-size big
	refused 2 'stacks are its only groups' 'folded modules' report "${pair[@]}" -f folded -g module
	refused 3 'No such file' 'a report that is not there' report -i "$work/nothing"
	refused 3 'not a file' 'a report that is a directory' report -i "$work"
	head -c -1 "$old" >"$work/cut"
	refused 4 'truncated' 'a text without its last byte' report -i "$work/cut"
	sed '$d' "$old" >"$work/cut"
	refused 4 'truncated' 'a text without its last line' report -i "$work/cut"
	sed '/^  comm "modprobe"/d' "$old" >"$work/cut"
	refused 4 'without the line of its owner' 'a text without an owner' report -i "$work/cut"
	refused 4 'no report of kmemleak' 'a program as text' report -i "$tool"
	head -c -20 "$reports/leaks.txt" >"$work/cut"
	refused 4 'truncated' 'leaks without their end' report -i "$work/cut" --stacks "$reports/stacks.txt"
	sed 's/size=256/size=2z6/' "$reports/leaks.txt" >"$work/cut"
	refused 4 ':4: a number is damaged' 'a number that is damaged' report -i "$work/cut" --stacks "$reports/stacks.txt"
	sed '/do_one_initcall/d' "$reports/stacks.txt" >"$work/cut"
	refused 4 'the line of a frame is damaged' 'a stack without a frame' report -i "$reports/leaks.txt" --stacks "$work/cut"
	refused 4 'no kmemleak_stacks' 'stacks that are none' report -i "$reports/leaks.txt" --stacks "$old"
	sed $'s/kworker/k\x9b/' "$reports/leaks.txt" >"$work/cut"
	refused 4 'not printable' 'a byte that a terminal may obey' report -i "$work/cut" --stacks "$reports/stacks.txt"
	sed $'s/kkkk$/k\x1bkk/' "$old" >"$work/cut"
	[ "$("$tool" report -i "$work/cut" | LC_ALL=C tr -d '\n -~' | wc -c)" = 0 ]
	result $? 'a dump with a byte that a terminal may obey'
	sed '1s/1/2/' "$reports/leaks.txt" >"$work/cut"
	refused 5 'version 2' 'a version that is not known' report -i "$work/cut" --stacks "$reports/stacks.txt"
	refused 8 'no debugfs' 'no debugfs' report --debugfs "$work/nothing"
	mkdir -p "$work/debugfs"
	refused 9 'CONFIG_DEBUG_KMEMLEAK' 'no kmemleak' report --debugfs "$work/debugfs"
	: >"$work/debugfs/kmemleak"
	echo kmemleak_leaks 1 >"$work/debugfs/kmemleak_leaks"
	echo kmemleak_stacks 1 >"$work/debugfs/kmemleak_stacks"
	echo 'enabled 0' >"$work/debugfs/kmemleak_stats"
	refused 10 'kmemleak is disabled' 'kmemleak is off' report --debugfs "$work/debugfs"
	echo 'enabled 1' >"$work/debugfs/kmemleak_stats"
	[ "$("$tool" report --debugfs "$work/debugfs")" = 'no leaks' ]
	result $? 'kmemleak is on, and there are no leaks'
	if [ "$(id -u)" != 0 ]; then
		chmod 0 "$work/debugfs/kmemleak_leaks"
		refused 7 'by root only' 'not root' report --debugfs "$work/debugfs"
	elif command -v setpriv >/dev/null; then
		chmod 755 "$work"
		chmod 400 "$work/debugfs/kmemleak_leaks"
		cp "$tool" "$work/kmemleak"
		setpriv --reuid 65534 --clear-groups "$work/kmemleak" report --debugfs "$work/debugfs" >"$work/out" 2>"$work/err"
		[ $? = 7 ] && grep -q 'by root only' "$work/err"
		result $? 'not root'
	else
		nr=$((nr + 1))
		echo "ok $nr - not root # SKIP there is no setpriv"
	fi
	"$tool" report "${pair[@]}" >/dev/full 2>"$work/err"
	[ $? = 6 ] && grep -q 'could not be written' "$work/err" && [ "$(wc -l <"$work/err")" = 1 ]
	result $? 'a report to a full disk'
	python3 - "$tool" "${pair[@]}" 2>"$work/err" <<-'EOT'
	import os, subprocess, sys

	r, w = os.pipe()
	os.close(r)
	p = subprocess.run([sys.argv[1], "report", *sys.argv[2:]], stdout=w, stderr=subprocess.PIPE)
	assert p.returncode == 12 and p.stderr.count(b"\n") == 1 and b"reader" in p.stderr, p
	EOT
	result $? 'a report to a pipe that is closed'
}

# What 100,000 leaks of 1,000 stacks cost is printed, not judged.
report_size()
{
	python3 - "$work" <<-'EOT'
	import sys

	with open(sys.argv[1] + "/leaks", "w") as f:
	    print("kmemleak_leaks 1", file=f)
	    for i in range(100000):
	        print(f'addr={0xffff888000000000 + 64 * i:#x} space=virt size={i % 512 + 1} age_ms={i} pid=7 comm="sh" cpu=- scan=3 generation=0 cache=kmalloc-64 gfp=- stack={i % 1000 + 1} head={0xffff888000000000 + 64 * i:#x} retains=1 retained_bytes={i % 512 + 1} flags=-', file=f)
	with open(sys.argv[1] + "/stacks", "w") as f:
	    print("kmemleak_stacks 1", file=f)
	    for i in range(1000):
	        print(f"stack={i + 1} frames=3\n 0x1 __kmalloc_noprof+0x1/0x2\n 0x2 fn_{i}+0x1/0x2\n 0x3 main+0x1/0x2", file=f)
	with open(sys.argv[1] + "/text", "w") as f:
	    for i in range(100000):
	        print(f'unreferenced object {0xffff888000000000 + 64 * i:#x} (size {i % 512 + 1}):\n  comm "sh", pid 7, jiffies {i}\n  hex dump (first 1 bytes):\n    6b  k\n  backtrace (crc 0):\n    __kmalloc_noprof+0x1/0x2\n    fn_{i % 1000}+0x1/0x2\n    main+0x1/0x2', file=f)
	EOT
	local form
	for form in "leaks --stacks $work/stacks" text; do
		# shellcheck disable=SC2086
		python3 - "$tool" report -i "$work/"$form >"$work/out" <<-'EOT'
		import os, subprocess, sys

		p = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, text=True)
		print(p.stdout.split("\n")[0])
		t = os.times()
		print(f"# 100,000 leaks: {t.children_user + t.children_system:.2f} s of a CPU")
		EOT
		tail -n 1 "$work/out"
		grep -q "^100000 leaks, $(awk 'BEGIN { for (i = 0; i < 100000; i++) s += i % 512 + 1; print s }') bytes, 1000 groups" "$work/out"
		result $? "100,000 leaks of ${form%% *}"
	done
}

# A directory whose files act as those of debugfs, with the leaks of the sample.
live=$work/live
fake()
{
	rm -rf "$live"
	mkdir "$live"
	: >"$live/kmemleak"
	cp "$reports/leaks.txt" "$live/kmemleak_leaks"
	cp "$reports/stacks.txt" "$live/kmemleak_stacks"
}

faked()
{
	LD_PRELOAD=${tool%/*}/fake_debugfs.so "$tool" "$@"
}

# What a check finds next: a block of the new generation, an old one, and a possible one.
fake_next()
{
	{
		cat "$reports/leaks.txt"
		echo 'addr=0xffff888009000000 space=virt size=96 age_ms=0 pid=5 comm="t" cpu=- scan=6 generation=3 cache=kmalloc-96 gfp=- stack=19 head=0xffff888009000000 retains=1 retained_bytes=96 flags=-'
		echo 'addr=0xffff888009000100 space=virt size=96 age_ms=700000 pid=5 comm="t" cpu=- scan=6 generation=2 cache=kmalloc-96 gfp=- stack=19 head=0xffff888009000100 retains=1 retained_bytes=96 flags=-'
		echo 'addr=0xffff888009000200 space=virt size=96 age_ms=0 pid=5 comm="t" cpu=- scan=- generation=3 cache=kmalloc-96 gfp=- stack=19 head=- retains=- retained_bytes=- flags=possible'
	} >"$live/kmemleak.next"
}

# status <exit status> <name> <command>...: its output is in $work/out and $work/err
status()
{
	local want=$1 name=$2 rc
	shift 2
	"$@" >"$work/out" 2>"$work/err"
	rc=$?
	[ $rc = "$want" ]
	local verdict=$?
	[ $verdict = 0 ] || { echo "# exit status $rc, not $want"; sed 's/^/# /' "$work/out" "$work/err"; }
	result $verdict "$name"
}

run()
{
	fake
	status 3 'run: without leaks, the exit status is that of the command' \
		faked run --exit-code 77 --debugfs "$live" -- sh -c 'cat "$0"; exit 3' "$live/kmemleak.log"
	[ "$(cat "$work/out")" = mark ] && [ "$(cat "$work/err")" = 'kmemleak: no leaks' ] &&
		[ "$(tr '\n' ' ' <"$live/kmemleak.log")" = 'mark check ' ]
	result $? 'run: marks, runs the command, and checks'
	fake
	fake_next
	status 77 'run: with leaks, the exit status is --exit-code' \
		faked run --exit-code 77 --junit "$work/junit" --debugfs "$live" -- sh -c 'exit 4' 'a<b'
	[ "$(head -n 1 "$work/err")" = '1 leak, 96 bytes, 1 group, 1 head' ] && [ ! -s "$work/out" ]
	result $? 'run: only the block of the new generation is reported'
	python3 - "$work/junit" <<-'EOT'
	import sys, xml.etree.ElementTree as tree

	suite = tree.parse(sys.argv[1]).getroot()
	assert suite.get("tests") == "2" and suite.get("failures") == "2", suite.attrib
	status, leaks = suite.findall("testcase")
	assert status.find("failure").get("message") == "exit status 4"
	assert leaks.find("failure").get("message") == "1 leaks, 96 bytes"
	assert leaks.get("name") == "sh -c exit 4 a<b: leaks" and "leak_child" in leaks.find("failure").text
	EOT
	result $? 'run: the JUnit file has both'
	fake
	fake_next
	status 4 'run: without --exit-code, the exit status is that of the command' \
		faked run --debugfs "$live" -- sh -c 'exit 4'
	fake
	fake_next
	sed -i '/generation=2/d' "$live/kmemleak_leaks"
	status 77 'run: leaks that are only found now' faked run -e 77 --debugfs "$live" true
	[ "$(head -n 1 "$work/err")" = '1 leak, 96 bytes, 1 group, 1 head' ]
	result $? 'run: a block that is older than the mark is not reported'
	fake
	sed -i 's/age_ms=[0-9]*/age_ms=0/' "$live/kmemleak_leaks"
	cp "$live/kmemleak_leaks" "$live/kmemleak.next"
	status 0 'run: ages that have overflowed' faked run -e 77 --debugfs "$live" true
	fake
	status 0 'run: JUnit without failures' faked run --junit "$work/junit" --debugfs "$live" true
	python3 -c 'import sys, xml.etree.ElementTree as t; s = t.parse(sys.argv[1]).getroot(); assert s.get("failures") == "0" and s.find(".//failure") is None' "$work/junit"
	result $? 'run: the JUnit file has no failure'
	status 143 'run: a command that a signal ends' faked run --debugfs "$live" -- sh -c 'kill $$'
	status 127 'run: a command that does not exist' faked run --debugfs "$live" -- "$work/nothing"
	status 6 'run: a JUnit file that cannot be written' faked run --debugfs "$live" --junit "$work/nothing/x" true
	refused 2 'a command is needed' 'run: no command' run
	echo 4 >"$live/kmemleak.errno.check"
	status 13 'run: a check that a signal ends' faked run --debugfs "$live" true
	grep -q 'check: stopped by a signal' "$work/err"
	result $? 'run: the check is named'
	echo 1 >"$live/kmemleak.errno.mark"
	status 10 'run: kmemleak is off' faked run --debugfs "$live" touch "$work/ran"
	[ ! -e "$work/ran" ]
	result $? 'run: nothing is run without a mark'
	rm "$live/kmemleak_leaks"
	refused 11 'run needs a kernel with the parallel kmemleak' 'run: a stock kernel' run --debugfs "$live" true
}

live_scans()
{
	fake
	fake_next
	status 0 'scan: of the running kernel' faked scan --debugfs "$live"
	[ "$(head -n 2 "$work/out" | tr '\n' ';')" = 'scan: 3 new, 8 known before;3 leaks, 288 bytes, 1 group, 2 heads;' ] &&
		[ "$(cat "$live/kmemleak.log")" = scan ]
	result $? 'scan: prints what is new'
	status 0 'scan: nothing is new' faked scan --debugfs "$live"
	[ "$(cat "$work/out")" = 'scan: 0 new, 11 known before' ]
	result $? 'scan: does not print what was known'
	# another block at the address of one that was known
	sed 's/\(addr=0xffff888004a1b080.*scan=\)3/\19/' "$live/kmemleak_leaks" >"$live/kmemleak.next"
	status 1 'scan: --check' faked scan --check --debugfs "$live"
	[ "$(head -n 1 "$work/out")" = 'check: 1 new, 11 known before' ] && [ "$(tail -n 1 "$live/kmemleak.log")" = check ]
	result $? 'scan: a new block at an address that was known'
	echo 4 >"$live/kmemleak.errno.scan"
	status 13 'scan: Ctrl-C' faked scan --debugfs "$live"
	grep -q 'stopped by a signal, nothing new is reported' "$work/err" && [ ! -s "$work/out" ]
	result $? 'scan: says that it was stopped'
	echo 1 >"$live/kmemleak.errno.scan"
	status 10 'scan: kmemleak is off' faked scan --debugfs "$live"
	echo 11 >"$live/kmemleak.errno.scan"
	status 13 'scan: the machine is about to sleep' faked scan --debugfs "$live"
	rm "$live/kmemleak_leaks"
	refused 11 'scan --check needs' 'scan --check: a stock kernel' scan --check --debugfs "$live"
}

# refs <address> <size> <line>...: what the kernel says about a block
refs()
{
	local addr=$1 size=$2
	shift 2
	{
		echo kmemleak_refs 1
		echo "addr=$addr space=virt size=$size refs=$# more=0"
		[ $# = 0 ] || printf '%s\n' "$@"
	} >"$live/kmemleak_refs.$addr"
}

live_whys()
{
	local tail='__kmalloc_cache_noprof+0x1a0/0x210 < leak_init+0x12/0x40 [leaky] < do_one_initcall+0x4e/0x2d0'
	fake
	: >"$live/kmemleak_refs"
	sed -i '2s/addr=[^ ]*/addr=0xc000/' "$live/kmemleak_leaks"
	refs 0xa000 128 "at=0xb010 to=+0x8 kind=object object=0xb000 offset=16 size=64 weak=- at $tail" \
		"at=0xc010 to=+0x0 kind=object object=0xc000 offset=16 size=64 weak=leak at $tail" \
		'at=0xd010 to=+0x0 kind=task pid=77 comm="a\042b" weak=dead frame=-'
	# a cycle, and the way on
	refs 0xb000 64 "at=0xa018 to=+0x0 kind=object object=0xa000 offset=24 size=128 weak=- at $tail" \
		"at=0xe010 to=+0x0 kind=object object=0xe000 cpu=1 size=32 weak=-"
	refs 0xe000 32 'at=0xf010 to=+0x0 kind=page pfn=0x12 order=1' \
		'at=0xf000 to=+0x4 kind=symbol name=pending_list+0x8/0x10 [leaky]'
	status 0 'why: of the running kernel' faked why --debugfs "$live" 0xa000
	diff "$reports/expected/why.text" "$work/out" >"$work/diff"
	local verdict=$?
	[ $verdict = 0 ] || sed 's/^/# /' "$work/diff"
	result $verdict 'why: the references, and a chain from a root'
	status 0 'why: a chain that is too long' faked why --depth 2 --debugfs "$live" 0xa000
	[ "$(tail -n 1 "$work/out")" = 'no root among 2 blocks: --depth looks further' ]
	result $? 'why: --depth ends the search'
	refs 0xb000 64 "at=0xa018 to=+0x0 kind=object object=0xa000 offset=24 size=128 weak=- at $tail"
	status 0 'why: a cycle' faked why --debugfs "$live" 0xa000
	[ "$(tail -n 1 "$work/out")" = 'nobody: no root leads to the blocks that refer to it' ]
	result $? 'why: blocks that only refer to each other'
	refs 0xb000 64 'at=0xf010 to=+0x0 kind=task pid=5 comm="t" weak=- frame=do_work+0x5a/0xf0' \
		'at=0xf010 to=+0x0 kind=percpu cpu=1 name=cache+0x0/0x8'
	status 0 'why: a stack' faked why --debugfs "$live" 0xb000
	grep -qxF '  stack of "t", pid 5, in do_work+0x5a/0xf0' "$work/out" &&
		grep -qxF '  +0x0 <- per-CPU variable cache+0x0/0x8 of CPU 1' "$work/out"
	result $? 'why: a stack is a root'
	refs 0xb000 64 'at=0xe010 to=+0x0 kind=object object=0xe000 offset=8 size=32 weak=leak'
	status 0 'why: a block that is younger than the last scan' faked why --debugfs "$live" 0xb000
	grep -qxF '  +0x0 <- block 0xe000 +8 (size 32), not reported' "$work/out" &&
		[ "$(tail -n 3 "$work/out" | head -n 1)" = '  variable pending_list+0x8/0x10 [leaky]' ]
	result $? 'why: it is followed, although the kernel takes it for a leak'
	refs 0xb000 64 'at=0xf018 to=+0x0 kind=phys'
	status 0 'why: a physical block' faked why --debugfs "$live" 0xb000
	grep -qxF '  memory of kind phys at 0xf018' "$work/out"
	result $? 'why: a physical block is named'
	[ "$(sed -n 3p "$work/out")" = 'chain from memory of unknown use, which may be none:' ]
	result $? 'why: it may be no root'
	refs 0xb000 64 'at=0xf018 to=+0x0 kind=phys' 'at=0xe010 to=+0x0 kind=object object=0xe000 offset=8 size=32 weak=-'
	status 0 'why: a physical block, and a chain' faked why --debugfs "$live" 0xb000
	[ "$(tail -n 3 "$work/out" | head -n 1)" = '  variable pending_list+0x8/0x10 [leaky]' ]
	result $? 'why: a root that is certain is better, also if it is farther'
	refs 0xb000 64 'at=0xf010 to=+0x0 kind=task pid=5 comm="t" weak=dead frame=-'
	status 0 'why: a dead word' faked why --debugfs "$live" 0xb000
	[ "$(tail -n 1 "$work/out")" = 'nobody refers to it' ]
	result $? 'why: nobody'
	refs 0xc000 64
	status 0 'why: a leak' faked why --debugfs "$live" 0xc000
	[ "$(tail -n 2 "$work/out" | tr '\n' ';')" = 'nobody refers to it;the kernel reports it as a leak;' ]
	result $? 'why: says that the kernel reports it'
	status 14 'why: no block' faked why --debugfs "$live" 0x1234
	grep -q 'no tracked block is at 0x1234' "$work/err" && [ "$(wc -l <"$work/err")" = 1 ]
	result $? 'why: says that there is no block'
	echo nonsense >>"$live/kmemleak_refs.0xb000"
	status 4 'why: a line that is not understood' faked why --debugfs "$live" 0xb000
	refused 2 'an address is needed' 'why: no address' why --debugfs "$live"
	rm "$live/kmemleak_refs"
	refused 11 'no '"$live"'/kmemleak_refs' 'why: a stock kernel' why --debugfs "$live" 0xa000
	rm "$live/kmemleak"
	refused 9 'CONFIG_DEBUG_KMEMLEAK' 'why: no kmemleak' why --debugfs "$live" 0xa000
}

exports()
{
	fake
	printf '%s\n' 'enabled 1' 'objects 12345' 'leaks 7' 'scans 5' 'scan_age_ms 61005' \
		'scan_ms_else 3' 'scan_ms 35' 'lost_pages 0' 'filter avx2' >"$live/kmemleak_stats"
	echo old >"$work/leaks.prom"
	status 0 'export: metrics' faked export --textfile "$work/leaks.prom" -n 2 --debugfs "$live"
	diff "$reports/expected/export.prom" "$work/leaks.prom" >"$work/diff"
	local verdict=$?
	[ $verdict = 0 ] || sed 's/^/# /' "$work/diff"
	result $verdict 'export: each metric has its help and type'
	if command -v promtool >/dev/null; then
		promtool check metrics <"$work/leaks.prom" | sed 's/^/# /'
		result "${PIPESTATUS[0]}" 'export: promtool finds nothing wrong'
	fi
	cp "$work/leaks.prom" "$work/before.prom"
	# a file size limit is a full disk that needs no rights
	(trap '' XFSZ; ulimit -f 0; faked export --textfile "$work/leaks.prom" --debugfs "$live" 2>&1; echo "status $?") | cat >"$work/out"
	grep -q 'leaks.prom could not be written' "$work/out" && grep -qx 'status 6' "$work/out" &&
		cmp -s "$work/leaks.prom" "$work/before.prom" && [ "$(echo "$work"/leaks.prom*)" = "$work/leaks.prom" ]
	result $? 'export: if the disk is full, the old file stays, and no other'
	echo 'enabled 0' >"$live/kmemleak_stats"
	echo kmemleak_leaks 1 >"$live/kmemleak_leaks"
	status 0 'export: kmemleak is off' faked export --textfile "$work/leaks.prom" --debugfs "$live"
	grep -qx 'kmemleak_enabled 0' "$work/leaks.prom" && ! grep -q function "$work/leaks.prom"
	result $? 'export: that kmemleak is off is a metric'
	rm "$live"/kmemleak_*
	cp "$reports/stock.txt" "$live/kmemleak"
	status 0 'export: a stock kernel' faked export --textfile "$work/leaks.prom" --debugfs "$live"
	grep -qx 'kmemleak_leaks 9' "$work/leaks.prom" &&
		grep -qx 'kmemleak_function_leaks{function="drv_probe",module="drv"} 2' "$work/leaks.prom"
	result $? 'export: leaks of a stock kernel'
	refused 6 'nothing/x' 'export: a directory that does not exist' export --textfile "$work/nothing/x" --debugfs "$live"
	refused 2 '--textfile FILE' 'export: no file' export
}

diffs()
{
	"$tool" report "${pair[@]}" -f json >"$work/a.json"
	sed -e '/size=16 /d' -e '/size=256 /p' -e 's/size=64 /size=60 /' \
		-e 's/stack=0 /stack=40 /' "$reports/leaks.txt" >"$work/leaks"
	{ cat "$reports/stacks.txt"; printf 'stack=40 frames=1\n 0x1 later_fn+0x1/0x2\n'; } >"$work/stacks"
	"$tool" report -i "$work/leaks" --stacks "$work/stacks" -f json >"$work/b.json"
	golden diff.text 'diff: what is new, grown, shrunk and gone' diff "$work/a.json" "$work/b.json"
	status 1 'diff: --check' "$tool" diff --check "$work/a.json" "$work/b.json"
	status 0 'diff: the same file' "$tool" diff --check "$work/a.json" "$work/a.json"
	[ "$(tail -n 1 "$work/out")" = 'no group has changed' ]
	result $? 'diff: nothing has changed'
	"$tool" report "${pair[@]}" -f json -n 1 >"$work/c.json"
	"$tool" diff "$work/a.json" "$work/c.json" 2>&1 >/dev/null | grep -q 'has 1 of 5 groups'
	result $? 'diff: a file without all groups'
	"$tool" report "${pair[@]}" -f json -g module >"$work/c.json"
	refused 2 'groups by module' 'diff: other groups' diff "$work/a.json" "$work/c.json"
	refused 4 'no JSON of a report' 'diff: no JSON' diff "$reports/leaks.txt" "$work/a.json"
	echo '{"version": 1}' >"$work/c.json"
	refused 4 'no by' 'diff: JSON of something else' diff "$work/c.json" "$work/a.json"
	refused 3 'No such file' 'diff: a file that is not there' diff "$work/nothing" "$work/a.json"
	refused 2 'two files' 'diff: one file' diff "$work/a.json"
}

report_formats
report_options
report_errors
report_size
run
live_scans
live_whys
exports
diffs
