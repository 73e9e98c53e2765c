# SPDX-License-Identifier: GPL-2.0-only
#
# Count the results in a log of TAP or KTAP, nested or not: prints
# "<passed> <failed> <skipped>". The line with the sum of nested results does not
# count, unless it fails and none of them does.
# A line "N passed, N failed, N skipped" counts instead of all above it.

function result(indent, bad, skip) {
	if (last > indent) {
		# The sum of nested results.
		if (bad && !below[indent])
			failed++
		below[indent] = 0
	} else if (skip) {
		skipped++
	} else if (bad) {
		failed++
		for (i = 0; i < indent; i++)
			below[i] = 1
	} else {
		passed++
	}
	last = indent
}

{ sub(/\r$/, "") }

/^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ {
	passed = $1; failed = $3; skipped = $5
	last = 0
	next
}

/^ *(not )?ok( |$)/ {
	match($0, /^ */)
	result(RLENGTH, $0 ~ /^ *not ok/, toupper($0) ~ /# *SKIP/)
	next
}

# A whole plan that was skipped, if no outer result says so.
/^ *1\.\.0 # *SKIP/ {
	match($0, /^ */)
	if (RLENGTH == 0)
		skipped++
}

END { print passed + 0, failed + 0, skipped + 0 }
