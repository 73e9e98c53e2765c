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
