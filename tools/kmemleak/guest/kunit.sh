# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Runs in the guest, booted with kunit.enable=1 kunit.autorun=1. Suites that are built in
# have run at boot; suites in modules run here. Prints the KTAP of each suite.
set -u

while read -r module; do
	modprobe "$(basename "$module" .ko)" || echo "not ok - modprobe $(basename "$module")"
done < <(find /lib/modules/ -name '*kmemleak*kunit*.ko' -o -name '*kmemleak*_test.ko' -o -name 'kml_*test*.ko')

found=0 failed=0
for results in /sys/kernel/debug/kunit/*/results; do
	[ -f "$results" ] || continue
	found=$((found + 1))
	cat "$results"
	# The verdict of the suite is its last line, which is not indented.
	grep -q '^not ok' "$results" && failed=1
	# A suite that did not run has a verdict, too, but no case.
	if ! grep -qE '^ +(not )?ok' "$results"; then
		echo "not ok - $results: no case ran"
		failed=1
	fi
done
[ $found -gt 0 ] || { echo "not ok - no KUnit suite ran"; exit 1; }
exit $failed
