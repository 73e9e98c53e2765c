# SPDX-License-Identifier: GPL-2.0-only
#
# The table of check-full.sh: one line per configuration and suite, then why
# tests were skipped. Input: "row id passed failed skipped seconds date id-now";
# the variables results and counter come from there. Suites are what a log has
# between lines "# suite: NAME".

function count(text,    cmd, out, f) {
	# The same counting as everywhere, on a part of the log.
	cmd = "awk -f '" counter "' >'" results "/.count'"
	printf "%s", text | cmd
	close(cmd)
	getline out <(results "/.count")
	close(results "/.count")
	return out
}

function emit(row, suite, text,    c) {
	if (suite == "" && text !~ /(^|\n) *(not )?ok/)
		return
	split(count(text), c, " ")
	printf "%-22s %-18s %7d %7d %8d\n", row, suite == "" ? "all" : suite, c[1], c[2], c[3]
}

function why(row, suite, line,    reason) {
	if (match(line, /# *SKIP */)) {
		reason = substr(line, RSTART + RLENGTH)
		if (reason == "") {
			reason = "(no reason given)"
		}
		key = reason "\t" row
		if (!(key in times))
			order[++reasons] = key
		times[key]++
	}
}

BEGIN {
	printf "%-22s %-18s %7s %7s %8s\n", "configuration", "suite", "passed", "failed", "skipped"
	printf "%-22s %-18s %7s %7s %8s\n", "=============", "=====", "======", "======", "======="
}

{
	row = $1
	if ($7 == "never") {
		printf "%-22s %-18s\n", row, "not run"
		next
	}
	file = results "/" row "/log"
	suite = text = ""
	while ((getline line <file) > 0) {
		if (line ~ /^# suite: /) {
			emit(row, suite, text)
			suite = substr(line, 10)
			text = ""
			continue
		}
		text = text line "\n"
		why(row, suite, line)
	}
	close(file)
	emit(row, suite, text)
	printf "%-22s %-18s %7d %7d %8d   %s, %d s%s\n", row, "total", $3, $4, $5, $7, $6,
		$2 == $8 ? "" : ", of other sources"
}

END {
	if (reasons)
		print "\nSkipped:"
	for (i = 1; i <= reasons; i++) {
		split(order[i], part, "\t")
		if (part[1] in done)
			continue
		done[part[1]] = 1
		where = ""
		for (j = i; j <= reasons; j++) {
			split(order[j], other, "\t")
			if (other[1] == part[1])
				where = where (where == "" ? "" : ", ") other[2] \
					(times[order[j]] > 1 ? " (" times[order[j]] ")" : "")
		}
		print "  " part[1] ": " where
	}
}
