# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2086 # busy.sh sets what this uses, without blanks
#
# The control of busy.sh: leaks of samples/kmemleak. Counts those that are reported, and
# for each of the others shows the words that point to it, and their owners. Sourced.

# The leaks of the sample module, as "0xaddress size".
planted()
{
	dmesg | awk '
		/Kmemleak testing/ { n = 0 }
		{ what = "" }
		match($0, /(kmalloc\((32|1024|2048|4096)\)|vmalloc\(64\)|__alloc_percpu\(64, 4\)) = 0x[0-9a-f]+/) {
			what = substr($0, RSTART, RLENGTH)
			size = what
			sub(/^[^(]*\(/, "", size)
			sub(/[,)].*/, "", size)
			if (what ~ /^vmalloc/)
				size = 4096
			sub(/.* = 0x0*/, "", what)
			block[++n] = "0x" what " " size
		}
		END { for (i = 1; i <= n; i++) print block[i] }'
}

# The leaks that are not reported.
hidden()
{
	awk '
		FILENAME == ARGV[1] {
			if (/^unreferenced object/) {
				sub(/.* 0x0*/, "0x")
				listed[$1] = 1
			}
			next
		}
		!($1 in listed)' $k $busy/planted
}

# The number of leaks that are reported: found <figure>
found()
{
	hidden >$busy/hidden
	echo "# figure $1 $(($(wc -l <$busy/planted) - $(wc -l <$busy/hidden)))"
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

# References that kmemleak has counted for the hidden block of that number, and whether
# the last scan has found references in untracked memory only: counted <number>
counted()
{
	local address
	read -r address _ < <(sed -n "$(($1 + 1))p" $busy/hidden)
	dmesg -c >/dev/null
	! tell "dump=$address" 2>/dev/null || echo "#   $1: $(dmesg -c | object_line)"
	[ ! -e $pages ] || sed -n "s/^$address size \(.*\) comm.*/#   $1: only in untracked memory: size \1/p" $pages
}

# The words that point to each hidden block, and their owners. A word in slab memory that
# is in no tracked object is in a free object, or in one that kmemleak does not track
# (its own lists, for example). Such words are no references, and only counted. The
# first two words of a vmap_area are not read, either. Blocks without an owner are
# named, too.
holders()
{
	local line where owner none=0 named=' '
	awk '$3 == "_sdata" { print "image_from 0x" $1 } $3 == "__bss_stop" { print "image_to 0x" $1 }' /proc/kallsyms |
		while read -r line; do echo "$line" >$find; done
	echo forget >$find
	while read -r line; do
		echo "want $line" >$find
	done <$busy/hidden
	dmesg -c >/dev/null
	echo find >$find
	dmesg -c | sed -n 's/.*kmemleak-find: //p' | sort -n -s >$busy/found
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
			counted "${line%%:*}"
			;;
		esac
		echo "#   $line"
		[ -z "$owner" ] || echo "#        $owner"
	done <$busy/found
	echo "# and $none words in no tracked object"
}
