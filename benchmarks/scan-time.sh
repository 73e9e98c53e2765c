#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Draw scan-time.svg, the plot of README.md, from scan-time.dat.
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/../tools/kmemleak/lib.sh"

case ${1:-} in
'') ;;
-h | --help) echo "usage: scan-time.sh; writes benchmarks/scan-time.svg"; exit 0 ;;
*) usage_error "usage: scan-time.sh" ;;
esac
"$KML_TOOLS/build-deps.sh" plot
cd "$KML_TOP/benchmarks"

# On a dark page the colours are inverted, and keep their hues.
style='<style>@media (prefers-color-scheme: dark) { svg { filter: invert(0.9) hue-rotate(180deg) } }<\/style>'
gnuplot <<-'EOT' | sed "s/^<title>.*/<title>Scan time by number of objects<\/title>\n$style/" >scan-time.svg
	set terminal svg size 760,400 font 'sans-serif,14' background 'white'
	set datafile missing '-'
	set logscale xy
	set xrange [0.08:10]
	set yrange [0.01:200]
	set xtics ('0.1 M' 0.1, '1 M' 1, '4 M' 4, '8 M' 8)
	set ytics ('10 ms' 0.01, '100 ms' 0.1, '1 s' 1, '10 s' 10, '100 s' 100)
	set grid lc rgb '#dddddd' lt 1
	set border 3 lc rgb '#555555'
	set tics nomirror
	set xlabel 'objects of 483 bytes on average; 26 % of the words are pointers'
	set ylabel 'time of a scan'
	set key top left Left reverse samplen 2
	plot 'scan-time.dat' using 1:4 with linespoints lw 3 pt 7 ps 0.7 lc rgb '#b03a2e' title 'stock', \
	     '' using 1:2 with linespoints lw 3 pt 5 ps 0.7 lc rgb '#1f618d' title 'this one, one CPU', \
	     '' using 1:3 with linespoints lw 3 pt 9 ps 0.8 lc rgb '#1e8449' title 'this one, two CPUs'
EOT
note "  ok  $PWD/scan-time.svg"
