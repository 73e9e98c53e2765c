# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # who sources this sets what it uses
#
# For leaks that are not reported: which words point to them, and whose they are.
# Sourced in a guest, by scripts that set k, pages and find, the files kmemleak,
# kmemleak_pages and kmemleak_find of debugfs.

# A command by a process that has no children: one whose child ends while it scans
# may be told so by a signal, which ends a scan.
tell()
{
	/usr/bin/echo "$1" >"$k"
}

# What dump= says of an object, in a line: where it begins, its size, who allocated it.
object_line()
{
	awk '
		match($0, /Object (\([a-z]+\) )?0x[0-9a-f]+ \(size [0-9]+\)/) {
			what = tolower(substr($0, RSTART, RLENGTH))
			from = ""
			n = 0
		}
		/ count = / { count = $NF }
		/ flags = / { flags = $NF }
		/\+0x[0-9a-f]+\/0x|^(\[[^]]*\] *)?(kmemleak: *)? *0x[0-9a-f]+$/ {
			frame = $NF ~ /^\[/ ? $(NF - 1) : $NF
			sub(/\+0x.*/, "", frame)
			if (frame !~ /stack_trace|^kml_|^kmemleak_(alloc|vmalloc|update|no_scan)|^set_track/ && n++ < 6)
				from = from (n > 1 ? " < " : "") frame
		}
		END { if (what) print what ", references: " count ", flags " flags ", from " (from ? from : "before there were backtraces") }'
}

# What kmemleak has counted for the block with that number, and whether the last scan
# has found it in untracked memory alone: counted <file> <number>
counted()
{
	local address
	read -r address _ < <(sed -n "$(($2 + 1))p" "$1")
	dmesg -c >/dev/null
	! tell "dump=$address" 2>/dev/null || echo "#   $2: $(dmesg -c | object_line)"
	[ ! -e "$pages" ] || sed -n "s/^$address size \(.*\) comm.*/#   $2: only in untracked memory: size \1/p" "$pages"
}

# Of each block in a file of lines "0xaddress size", which words point to it, and whose
# they are: holders <file>. Words of the slab allocator's that are in no tracked object
# are in one that is free, or that kmemleak is not told of (its own lists, for one):
# they are no references, and only counted. The first two words of a vmap_area are not
# read, either. A block without any holder is named, too.
holders()
{
	local line where owner none=0 named=' '
	awk '$3 == "_sdata" { print "image_from 0x" $1 } $3 == "__bss_stop" { print "image_to 0x" $1 }' /proc/kallsyms |
		while read -r line; do echo "$line" >"$find"; done
	echo forget >"$find"
	while read -r line; do
		echo "want $line" >"$find"
	done <"$1"
	dmesg -c >/dev/null
	echo find >"$find"
	dmesg -c | sed -n 's/.*kmemleak-find: //p' | sort -n -s >"$1.found"
	while read -r line; do
		owner=''
		where=$(sed -n 's/.* in a word at \(0x[0-9a-f]*\): *slab.*/\1/p' <<<"$line")
		if [ -n "$where" ]; then
			if ! tell "dump=$where" 2>/dev/null; then
				none=$((none + 1))
				dmesg -c >/dev/null
				continue
			fi
			owner=$(dmesg -c | object_line)
		fi
		case $line in
		*' in a word at '*) named="$named${line%%:*} " ;;
		*' words')
			[[ $named == *" ${line%%:*} "* ]] ||
				echo "#   ${line%%:*}: only words in no tracked object: a register had it, or memory that was free by now"
			counted "$1" "${line%%:*}"
			;;
		esac
		echo "#   $line"
		[ -z "$owner" ] || echo "#        $owner"
	done <"$1.found"
	echo "# and $none words in no tracked object"
}
