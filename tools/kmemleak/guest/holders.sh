# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # the script that sources this sets its variables
#
# For leaks that are not reported: the words that point to them, and their owners.
# Sourced in a guest, by scripts that set k, pages and find, the files kmemleak,
# kmemleak_pages and kmemleak_find of debugfs.

# Write a command from a process without children. The end of a child sends a signal,
# which may stop the scan of its parent.
tell()
{
	/usr/bin/echo "$1" >"$k"
}

# The output of dump= about an object as one line: start, size, and call site.
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

# References that kmemleak has counted for the block of that number in a file, and
# whether the last scan has found references in untracked memory only:
# counted <file> <number>
counted()
{
	local address
	read -r address _ < <(sed -n "$(($2 + 1))p" "$1")
	dmesg -c >/dev/null
	! tell "dump=$address" 2>/dev/null || echo "#   $2: $(dmesg -c | object_line)"
	[ ! -e "$pages" ] || sed -n "s/^$address size \(.*\) comm.*/#   $2: only in untracked memory: size \1/p" "$pages"
}

# The words that point to each block of a file with lines "0xaddress size", and their
# owners: holders <file>. A word in slab memory that is in no tracked object is in a
# free object, or in one that kmemleak does not track (its own lists, for example). Such
# words are no references, and only counted. The first two words of a vmap_area are not
# read, either. Blocks without an owner are named, too.
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
				echo "#   ${line%%:*}: only words in no tracked object: a register had the pointer, or memory that was freed since"
			counted "$1" "${line%%:*}"
			;;
		esac
		echo "#   $line"
		[ -z "$owner" ] || echo "#        $owner"
	done <"$1.found"
	echo "# and $none words in no tracked object"
}
