#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make check-full: the whole matrix, row by row. A row that has passed is not run again
# until one of its sources changes. So the next run continues an interrupted one, and a
# run on another machine continues from a table of results.
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/lib.sh"

usage()
{
	cat <<-EOT
	usage: check-full.sh [--again] [--table FILE] [ROW]...
	       check-full.sh --list | --show [--table FILE]
	  --again       also run rows that have passed
	  --table FILE  also write the table of results to FILE, after each row; results
	                that it has of rows that were not run here are kept
	  --list        print the names of the rows
	  --show        only print the table of results
	  ROW           a name, or the beginning of names with a * after it
	Rows come from *.rows in tools/kmemleak/matrix (or KMEMLEAK_MATRIX=<directory>),
	one a line:
	    name | minutes at most | sources that do not matter, or - | command [arguments]
	The command, below tools/kmemleak unless it is absolute, prints TAP. A line
	"# suite: NAME" begins a part that has its own line in the table. Sources are
	files or directories, from the top, or the beginning of names with a * after it.
	Groups of sources have a line of their own:
	    @name | sources
	EOT
}

again=0 table='' list=0 show=0 wanted=()
parse_options "
	--again again flag
	--table table text
	--list list flag
	--show show flag
	... wanted
" "$@"

names=()
declare -A minutes=() without=() commands=() groups=()
read_rows()
{
	local file line name
	for file in "${KMEMLEAK_MATRIX:-$KML_TOOLS/matrix}"/*.rows; do
		[ -f "$file" ] || die "no rows: $file"
		while read -r line; do
			case $line in '' | '#'*) continue ;; esac
			if [[ $line =~ ^(@[a-z]+)\ *\|\ *([^ ].*)$ ]]; then
				groups[${BASH_REMATCH[1]}]=${BASH_REMATCH[2]}
				continue
			fi
			[[ $line =~ ^([A-Za-z0-9._-]+)\ *\|\ *([0-9]+)\ *\|\ *([^ |][^|]*)\|\ *([^ ].*)$ ]] ||
				die "$file: expected \"name | minutes | not its sources | command\": $line"
			name=${BASH_REMATCH[1]}
			[ -z "${commands[$name]:-}" ] || die "$file: a second row $name"
			names+=("$name")
			minutes[$name]=${BASH_REMATCH[2]}
			without[$name]=${BASH_REMATCH[3]}
			commands[$name]=${BASH_REMATCH[4]}
		done <"$file"
	done
}
read_rows
for name in "${names[@]}"; do
	for word in ${without[$name]}; do
		[[ $word != @* ]] || [ -n "${groups[$word]:-}" ] || die "row $name: there is no group $word"
	done
done

# The rows asked for, in the order of the files.
rows=()
for want in "${wanted[@]}"; do
	found=0
	for name in "${names[@]}"; do
		# shellcheck disable=SC2053 # a pattern on purpose
		[[ $name != $want ]] || found=1
	done
	[ $found = 1 ] || usage_error "no row $want; choices: ${names[*]}"
done
for name in "${names[@]}"; do
	hit=$([ ${#wanted[@]} -eq 0 ] && echo 1 || echo 0)
	for want in "${wanted[@]}"; do
		# shellcheck disable=SC2053 # a pattern on purpose
		[[ $name != $want ]] || hit=1
	done
	[ "$hit" = 0 ] || rows+=("$name")
done
if [ $list = 1 ]; then
	printf '%s\n' "${rows[@]}"
	exit 0
fi

results=$KML_CACHE/checkout/$(checkout_key)/full
mkdir -p "$results"

# A result depends on the row's command and on all sources but texts, benchmarks,
# scripts that only call others, tests of these tools, and the sources that the row
# excludes.
never='Documentation benchmarks .ci tools/kmemleak/tests tools/kmemleak/lint.sh
	tools/kmemleak/check.sh tools/kmemleak/check-full.sh tools/kmemleak/matrix
	tools/kmemleak/matrix-table.awk tools/kmemleak/cover-letter.txt tools/kmemleak/road.svg'
declare -A sums=()
read_sources()
{
	sums=()
	all_sums=$(
		cd "$KML_TOP"
		{ git ls-files -co --exclude-standard 2>/dev/null || find . -type f; } |
			sed 's,^\./,,' | grep -vE '^\.git/|(^|/)README(\.md)?$' | LC_ALL=C sort -u |
			while read -r f; do [ ! -f "$f" ] || printf '%s\0' "$f"; done |
			xargs -0 sha256sum
	)
}
read_sources
# sources_id <row>: sets $id
sources_id()
{
	local out word
	if [ -z "${sums[$1]:-}" ]; then
		out=$never
		for word in ${without[$1]}; do
			out+=" ${groups[$word]:-$word}"
		done
		# configurations by choice, except those that the row chooses
		for word in $(extra_configs); do
			[[ "${commands[$1]} " = *" --config $word "* ]] ||
				out+=" tools/kmemleak/configs/$word.config"
		done
		# configurations of other flavours
		for word in $KML_FLAVOURS; do
			case "${commands[$1]} " in
			*" --flavor $word "*) continue ;;
			*" --flavor "*) ;;
			*) [ "$word" != um ] || continue ;;
			esac
			out+=" tools/kmemleak/configs/$word.config tools/kmemleak/configs/$word-*"
		done
		sums[$1]=$(awk -v out="${out//[[:space:]]/ }" -v command="${commands[$1]}" '
			BEGIN { n = split(out, dir, " "); print command }
			{
				f = substr($0, 67)
				for (i = 1; i <= n; i++)
					if (f == dir[i] || index(f, dir[i] "/") == 1 ||
					    (dir[i] ~ /\*$/ && index(f, substr(dir[i], 1, length(dir[i]) - 1)) == 1))
						next
				print
			}' <<<"$all_sums" | sha256sum | cut -c1-16)
	fi
	id=${sums[$1]}
}

# A field of a row's verdict. That is a file with "id passed failed skipped seconds
# date", which is written last.
# field <row> <name>
field()
{
	local i p f s t d
	[ -f "$results/$1/verdict" ] || return 0
	read -r i p f s t d <"$results/$1/verdict"
	case $2 in id) echo "$i" ;; passed) echo "$p" ;; failed) echo "$f" ;;
	skipped) echo "$s" ;; seconds) echo "$t" ;; date) echo "$d" ;; esac
}

has_passed()
{
	local id
	sources_id "$1"
	[ "$(field "$1" id)" = "$id" ] && [ "$(field "$1" failed)" = 0 ] &&
		[ "$(field "$1" passed)" -gt 0 ]
}

run_row()
{
	local name=$1 dir=$results/$1 t0=$SECONDS status=0 p f s words id before verdict
	read_sources
	sources_id "$1"
	before=$id
	mkdir -p "$dir"
	read -r -a words <<<"${commands[$name]}"
	case ${words[0]} in
	/*) ;;
	*) words[0]=$KML_TOOLS/${words[0]} ;;
	esac
	[ -x "${words[0]}" ] || die "row $name: no such program: ${words[0]}"
	: >"$dir/progress"
	# The guests' logs of this run are kept as long as its results.
	rm -rf "$dir/guests"
	mkdir "$dir/guests"
	export KML_LOG_DIR=$dir/guests
	# Results on stdout, progress on stderr.
	timeout -k 60 $((minutes[$name] * 60)) "${words[@]}" </dev/null \
		2> >(tee -a "$dir/progress" >&2) >"$dir/log" &
	child=$!
	wait $child || status=$?
	child=''
	if [ $status = 124 ]; then
		echo "not ok - $name did not end within ${minutes[$name]} min" >>"$dir/log"
	fi
	read -r p f s < <(judge_log "$dir/log" "$name" "$status")
	read_sources
	sources_id "$1"
	[ "$id" = "$before" ] || id=changed
	verdict="$id $p $f $s $((SECONDS - t0)) $(date +%Y-%m-%d)"
	awk -v row="$name" -v verdict="$verdict" -v scratch="$dir/.count" \
		-v counter="$KML_TOOLS/count-results.awk" -f "$KML_TOOLS/matrix-table.awk" "$dir/log" >"$dir/part"
	echo "$verdict" >"$dir/verdict"
	keep_table
	if [ "$f" -gt 0 ]; then
		show_failures "$dir/log"
		echo "FAIL  $name: $f of $((p + f + s)) failed, $((SECONDS - t0)) s; log: $dir/log"
	elif [ "$p" -eq 0 ]; then
		echo "NONE  $name: none passed, $s skipped, $((SECONDS - t0)) s; log: $dir/log"
	else
		echo "ok    $name: $p passed, $s skipped, $((SECONDS - t0)) s"
	fi
}

# The minutes that the rows from the n-th on need: those of the last run, or the limit.
minutes_left()
{
	local sum=0 name
	for name in "${rows[@]:$1}"; do
		has_passed "$name" && [ $again = 0 ] && continue
		if [ -n "$(field "$name" seconds)" ]; then
			sum=$((sum + $(field "$name" seconds)))
		else
			sum=$((sum + minutes[$name] * 60))
		fi
	done
	echo $(((sum + 59) / 60))
}

# Align lines that may come from a table with narrower columns.
aligned()
{
	awk -v indent="$1" '{
		name = $1
		sub(/^ *[^ ]+ +/, "")
		printf "%s%-28s %s\n", indent, name, $0
	}'
}

# show_table <row>...
# The lines of a row are in its file "part": the results of its suites and their sum,
# and, indented, the reasons for which tests were skipped.
show_table()
{
	local name reasons='' part
	printf '%-28s %-18s %7s %7s %8s\n' configuration suite passed failed skipped \
		============= ===== ====== ====== =======
	for name; do
		if [ ! -f "$results/$name/verdict" ]; then
			printf '%-28s %s\n' "$name" 'not run'
			continue
		fi
		part=$results/$name/part
		sources_id "$name"
		if [ "$(field "$name" id)" = "$id" ]; then
			grep -v '^ ' "$part"
		else
			grep -v '^ ' "$part" | sed '$s/$/, since changed/'
		fi | aligned ''
		reasons+=$(grep '^ ' "$part" | aligned '  ' && echo .) || :
	done
	[ -z "$reasons" ] || printf '\nSkipped:\n%s' "${reasons//$'\n'./$'\n'}"
}

# Replace the table when the new one is complete.
keep_table()
{
	local tmp
	[ -n "$table" ] || return 0
	tmp=$(mktemp "$table.XXXXXX") || die "$table cannot be written"
	if show_table "${names[@]}" >"$tmp" && chmod 644 "$tmp"; then
		mv "$tmp" "$table"
	else
		rm -f "$tmp"
		die "$table cannot be written"
	fi
}

# Take over the rows of the table that this machine has no current results of.
take_over()
{
	local name p f s date t src
	for name in "${names[@]}"; do
		sources_id "$name"
		[ "$(field "$name" id)" != "$id" ] || continue
		read -r p f s date t src < <(awk -v row="$name" '
			$1 == row && $2 == "total" {
				gsub(",", "")
				print $3, $4, $5, $6, $7, $10
			}' "$table") || continue
		[ ! -f "$results/$name/verdict" ] || [ "$src" = "$id" ] || continue
		mkdir -p "$results/$name"
		awk -v row="$name" '$1 == row { sub(/, since changed$/, ""); print }' "$table" \
			>"$results/$name/part"
		echo "$src $p $f $s $t $date" >"$results/$name/verdict"
	done
}
[ ! -s "$table" ] || take_over

if [ $show = 1 ]; then
	show_table "${rows[@]}"
	exit 0
fi

# ccache has most objects of a row's kernel from the row before.
"$KML_TOOLS/build-deps.sh" speed || note "  ... without ccache: kernels are compiled from the start"
# New sources are preprocessed once, not twice: the compiler lists its includes.
export CCACHE_DEPEND=1

keep_table
child=''
# shellcheck disable=SC2317 # by trap
interrupted()
{
	[ -z "$child" ] || kill "$child" 2>/dev/null || :
	wait || :
	note "interrupted; the same command continues with this row"
	exit 130
}
trap interrupted INT TERM HUP

n=0
for name in "${rows[@]}"; do
	n=$((n + 1))
	if [ $again = 0 ] && has_passed "$name"; then
		echo "=== [$n/${#rows[@]}] $name passed on $(field "$name" date)"
		continue
	fi
	echo "=== [$n/${#rows[@]}] $name, $(minutes_left $((n - 1))) min left at most"
	run_row "$name"
done

show_table "${rows[@]}" | tee "$results/table"
keep_table
passed=0 failed=0 skipped=0
for name in "${rows[@]}"; do
	passed=$((passed + $(field "$name" passed)))
	failed=$((failed + $(field "$name" failed)))
	skipped=$((skipped + $(field "$name" skipped)))
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
