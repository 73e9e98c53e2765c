# SPDX-License-Identifier: GPL-2.0-only
#
# The lines of one row in the table of check-full.sh: one for each suite, one for the
# sum, and, indented, the reasons for which tests were skipped. Input is the row's log,
# in which a line "# suite: NAME" begins a suite. Variables: row; verdict, "sources
# passed failed skipped seconds date"; counter, the program that counts results;
# scratch, a file for it.

function count(text,    cmd, out) {
	# Count a part of the log.
	cmd = "awk -f '" counter "' >'" scratch "'"
	printf "%s", text | cmd
	close(cmd)
	getline out <scratch
	close(scratch)
	return out
}

function count_reason(reason) {
	if (!(reason in times))
		order[++reasons] = reason
	times[reason]++
}

function emit(    c) {
	if (suite == "" && text !~ /(^|\n) *(not )?ok/)
		return
	split(count(text), c, " ")
	printf "%-28s %-18s %7d %7d %8d\n", row, suite == "" ? "all" : suite, c[1], c[2], c[3]
}

/^# suite: / {
	emit()
	suite = substr($0, 10)
	text = ""
	next
}

{ text = text $0 "\n" }

# Results and plans, except the sum of a plan that was skipped.
/^ *((not )?ok|1\.\.0) .*# *SKIP/ {
	match($0, /# *SKIP */)
	reason = substr($0, RSTART + RLENGTH)
	sub(/\r$/, "", reason)
	if (reason != "" || !of_plan)
		count_reason(reason == "" ? "(no reason given)" : reason)
}

/^ *((not )?ok|1\.\.)/ { of_plan = /^ *1\.\.0 / }

END {
	emit()
	split(verdict, v, " ")
	printf "%-28s %-18s %7d %7d %8d   %s, %d s, sources %s\n",
		row, "total", v[2], v[3], v[4], v[6], v[5], v[1]
	for (i = 1; i <= reasons; i++)
		printf "  %-28s %s%s\n", row, order[i],
			(times[order[i]] > 1 ? " (" times[order[i]] ")" : "")
}
