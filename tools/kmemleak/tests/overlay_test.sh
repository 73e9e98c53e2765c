#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2317 # the cases are called by name
#
# Tests of install, uninstall, patches and refusals, on minimal copies of both trees.
# Prints TAP. The checkout under test is a copy, too: some cases edit it.
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/../lib.sh"

# In memory if possible: the overlay flushes all that it writes to the disk.
shm=/dev/shm
[ -w $shm ] || shm=${TMPDIR:-/tmp}
work=$(mktemp -d "$shm/kmemleak-overlay-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
for kernel in $KML_KERNELS; do
	"$KML_TOOLS/fetch-kernel.sh" "$kernel"
done

# The files of a tree that the overlay reads or writes, and neighbours that it must
# not touch.
tree_files='Makefile Kbuild Kconfig .gitignore mm/Makefile mm/Kconfig.debug mm/kmemleak.c mm/slub.c
	scripts/Kbuild.include include/linux/kmemleak.h tools/testing/selftests/Makefile
	Documentation/mm/index.rst Documentation/dev-tools/kmemleak.rst MAINTAINERS
	Documentation/core-api/mm-api.rst Documentation/admin-guide/kernel-parameters.txt
	arch/x86/Kconfig arch/x86/lib/Makefile arch/x86/um/Makefile arch/x86/um/Kconfig arch/um/Kconfig
	arch/arm64/Kconfig arch/arm64/lib/Makefile include/trace/events/kmem.h'
# The files that its patches to the kernel's own code change.
tree_files+=" $(sed -n 's/^--- a\///p' "$KML_TOOLS"/patches/*.patch | sort -u | tr '\n' ' ')"

case_dir=''
# shellcheck source=tools/kmemleak/tests/tap.sh
. "$KML_TOOLS/tests/tap.sh"

# A failing "! command" does not end a shell with set -e.
fails()
{
	if "$@"; then
		echo "succeeded, and should not: $*"
		return 1
	fi
}

overlay()
{
	"$work/checkout/tools/kmemleak/overlay.py" "$@"
}

new_checkout()
{
	rm -rf "$work/checkout"
	mkdir -p "$work/checkout"
	local part
	for part in mm arch include Documentation tools Makefile .gitignore; do
		[ ! -e "$KML_TOP/$part" ] || cp -a --parents "$part" "$work/checkout/"
	done
	[ -d "$work/checkout/mm/kmemleak" ] || die "this checkout has no mm/kmemleak"
	git -C "$work/checkout" init -q
}

# A new tree, with a space in its name, and an untouched copy of it.
new_tree()
{
	case_dir="$work/a tree"
	rm -rf "$case_dir" "$work/pristine"
	cp -a "$work/base-$kernel" "$case_dir"
	cp -a "$work/base-$kernel" "$work/pristine"
}

# Names, contents and modes of a tree, without the overlay's own directory.
fingerprint()
{
	(cd "$1" && find . -path ./.kmemleak-overlay -prune -o -path ./.git -prune -o -print | LC_ALL=C sort |
		while read -r f; do
			if [ -f "$f" ]; then
				printf '%s %s %s\n' "$f" "$(stat -c %a "$f")" "$(sha256sum <"$f")"
			else
				printf '%s\n' "$f"
			fi
		done)
}

same_tree()
{
	diff <(fingerprint "$1") <(fingerprint "$2")
}

untouched()
{
	same_tree "$work/pristine" "$case_dir" &&
		{ [ ! -e "$case_dir/.kmemleak-overlay" ] || { echo "state directory left behind"; return 1; }; }
}

# refuses <expression for the message>: exits with 3, and the tree is unchanged
refuses()
{
	local rc=0
	# The case's own damage is part of "as it was".
	rm -rf "$work/pristine"
	cp -a "$case_dir" "$work/pristine"
	overlay install "$case_dir" >"$work/message" 2>&1 || rc=$?
	cat "$work/message"
	[ "$rc" = 3 ] || { echo "exit $rc, expected 3"; return 1; }
	grep -qE "$1" "$work/message" || { echo "message does not match: $1"; return 1; }
	untouched
}

t_install()
{
	overlay install "$case_dir"
	[ ! -e "$case_dir/mm/kmemleak.c" ]
	[ "$(grep -c kmemleak "$case_dir/mm/Makefile")" = 1 ]
	# shellcheck disable=SC2016 # make's variable
	grep -qxF 'obj-$(CONFIG_DEBUG_KMEMLEAK) += kmemleak/' "$case_dir/mm/Makefile"
	grep -qxF 'source "mm/kmemleak/Kconfig"' "$case_dir/mm/Kconfig.debug"
	fails grep -q 'config DEBUG_KMEMLEAK' "$case_dir/mm/Kconfig.debug"
	grep -qx 'config PER_VMA_LOCK_STATS' "$case_dir/mm/Kconfig.debug"
	diff -r "$work/checkout/mm/kmemleak" "$case_dir/mm/kmemleak"
	for f in x86 um arm64; do
		[ "$(grep -c 'select HAVE_ARCH_KMEMLEAK_FILTER' "$case_dir/arch/$f/Kconfig")" = 1 ]
	done
	for f in x86/lib x86/um arm64/lib; do
		grep -q 'CONFIG_KMEMLEAK_ARCH_FILTER) += .*kmemleak-filter' "$case_dir/arch/$f/Makefile"
	done
	if [ -d "$work/checkout/tools/testing/selftests/kmemleak" ]; then
		grep -qx 'TARGETS += kmemleak' "$case_dir/tools/testing/selftests/Makefile"
	fi
	[ "$(overlay status "$case_dir")" = installed ]
}

# Lines that name the removed file, except those that say whose interface it is.
names_old_file()
{
	grep -rn 'mm/kmemleak\.c' "$case_dir/MAINTAINERS" "$case_dir/Documentation" |
		grep -v 'annotations are those of mm/kmemleak\.c,'
}

# No document refers to the removed file. Only documents for a kernel tree are added,
# and no results of this checkout.
t_documents()
{
	overlay install "$case_dir"
	fails names_old_file
	grep -qx 'F:.mm/kmemleak/' "$case_dir/MAINTAINERS"
	# MAINTAINERS names a maintainer of each file that was added.
	python3 - "$case_dir" <<-'EOT'
	import fnmatch, json, sys
	top = sys.argv[1]
	entry = open(top + "/MAINTAINERS").read().split("\nKMEMLEAK\n")[1].split("\n\n")[0]
	owned = [line[2:].strip() for line in entry.split("\n") if line.startswith("F:")]
	assert owned == sorted(owned), owned
	files = json.load(open(top + "/.kmemleak-overlay/manifest.json"))["files"]
	added = [path for path, file in files.items() if not file.get("orig")]
	assert len(added) > 50, added
	for path in added:
	    if not any(fnmatch.fnmatchcase(path, p + "*" if p.endswith("/") else p) for p in owned):
	        sys.exit(path + " has no maintainer in MAINTAINERS")
	EOT
	local named
	named=$(sed -n 's/^\.\. kernel-doc:: \(mm\/kmemleak\/.*\)/\1/p' "$case_dir/Documentation/core-api/mm-api.rst")
	[ -n "$named" ]
	grep -q '^ \* kmemleak_alloc() - ' "$case_dir/$named"
	awk '/kmemleak=\t/, /^$/' "$case_dir/Documentation/admin-guide/kernel-parameters.txt" |
		grep -q 'Valid arguments: on, off, parallel'
	diff <(cd "$case_dir" && find Documentation -name '*kmemleak*' | LC_ALL=C sort) - <<-'EOT'
		Documentation/dev-tools/kmemleak.rst
		Documentation/mm/kmemleak-internals.rst
	EOT
}

# The patches to the kernel's own code: each gives the same text as patch(1), and a tree
# gets only those that it needs.
t_fixes()
{
	local p f
	overlay install "$case_dir"
	for p in "$work"/checkout/tools/kmemleak/patches/*.patch; do
		git apply --numstat "$p" >/dev/null
	done
	for f in mm/vmalloc.c mm/mempool.c net/core/skbuff.c io_uring/alloc_cache.h; do
		fails cmp -s "$case_dir/$f" "$work/pristine/$f"
		grep -q '^#include <linux/kmemleak\.h>' "$case_dir/$f"
		grep -q 'kmemleak_erase(' "$case_dir/$f"
	done
	if grep -q 'struct slab_sheaf {' "$work/pristine/mm/slub.c"; then
		[ "$(grep -c 'kmemleak_erase(&' "$case_dir/mm/slub.c")" = 4 ]
		grep -q 'kmemleak_not_leak(sheaf)' "$case_dir/mm/slub.c"
	else
		fails grep -q sheaf "$case_dir/mm/slub.c"
	fi
	# Several patches, one file.
	grep -q 'kmemleak_erase(&slab->freelist)' "$case_dir/mm/slub.c"
	grep -q 'CONFIG_SLAB_FREELIST_HARDENED) &&' "$case_dir/mm/slub.c"
}

t_twice()
{
	overlay install "$case_dir"
	(cd "$case_dir" && find . -printf '%p %T@ %C@\n' | sort) >"$work/before"
	overlay install "$case_dir"
	(cd "$case_dir" && find . -printf '%p %T@ %C@\n' | sort) >"$work/after"
	# The lock is a flock on a directory: it leaves no trace either.
	diff "$work/before" "$work/after"
}

t_uninstall()
{
	chmod 600 "$case_dir/mm/Makefile" "$work/pristine/mm/Makefile"
	overlay install "$case_dir"
	fails same_tree "$work/pristine" "$case_dir" >/dev/null
	overlay uninstall "$case_dir"
	untouched
	# And there is nothing left to uninstall.
	fails overlay uninstall "$case_dir"
}

t_user_edit()
{
	overlay install "$case_dir"
	echo "# mine" >>"$case_dir/$1"
	cp -a "$case_dir" "$work/edited"
	local command rc
	for command in install uninstall; do
		rc=0
		overlay "$command" "$case_dir" >"$work/message" 2>&1 || rc=$?
		cat "$work/message"
		[ "$rc" = 3 ]
		grep -qF "$1" "$work/message"
		diff -r "$work/edited" "$case_dir"
	done
	rm -rf "$work/edited"
}

t_user_restored()
{
	overlay install "$case_dir"
	cp "$work/pristine/mm/Makefile" "$case_dir/mm/Makefile"
	overlay uninstall "$case_dir"
	untouched
}

t_upgrade()
{
	overlay install "$case_dir"
	touch -d '2 days ago' "$case_dir"/mm/kmemleak/*
	stat -c '%n %y' "$case_dir"/mm/kmemleak/* | grep -v /Kconfig >"$work/before"
	echo "# newer" >>"$work/checkout/mm/kmemleak/Kconfig"
	overlay install "$case_dir"
	stat -c '%n %y' "$case_dir"/mm/kmemleak/* | grep -v /Kconfig >"$work/after"
	diff "$work/before" "$work/after"
	cmp "$work/checkout/mm/kmemleak/Kconfig" "$case_dir/mm/kmemleak/Kconfig"
	# A file the checkout no longer has goes; one it gained comes.
	echo "/* SPDX */" >"$work/checkout/mm/kmemleak/gained.h"
	overlay install "$case_dir"
	[ -f "$case_dir/mm/kmemleak/gained.h" ]
	rm "$work/checkout/mm/kmemleak/gained.h"
	overlay install "$case_dir"
	[ ! -e "$case_dir/mm/kmemleak/gained.h" ]
	overlay uninstall "$case_dir"
	untouched
}

t_faults()
{
	mkdir "$work/faults"
	python3 "$work/checkout/tools/kmemleak/tests/overlay_faults.py" "$work/checkout/tools/kmemleak" \
		"$work/base-$kernel" "$work/faults" "$@"
}

t_patches()
{
	rm -rf "$work/series" "$work/series2"
	overlay patches "$case_dir" "$work/series"
	untouched
	local p
	for p in "$work"/series/*.patch; do
		# A long address goes to a line of its own.
		grep -A 1 '^From: ' "$p" | grep -q '<.*@.*>'
		grep -qE '^Subject: \[PATCH [0-9]+/[0-9]+\] ' "$p"
	done
	# The cover letter has its text, and counts and lists the patches.
	local letter=$work/series/0000-cover-letter.patch
	grep -qE "^Subject: \[PATCH 0+/$(($(find "$work/series" -name '*.patch' | wc -l) - 1))\] $(head -n 1 "$KML_TOOLS/cover-letter.txt")\$" "$letter"
	fails grep -F '***' "$letter"
	[ "$(grep -cxFf <(tail -n +3 "$KML_TOOLS/cover-letter.txt" | grep .) "$letter")" = \
		"$(tail -n +3 "$KML_TOOLS/cover-letter.txt" | grep -c .)" ]
	grep -q '^  mm/kmemleak: replace the single-file implementation$' "$letter"
	# git am of the series gives the same tree as install.
	rm -rf "$work/am"
	cp -a "$work/base-$kernel" "$work/am"
	git -C "$work/am" init -q
	git -C "$work/am" add -A -f
	git -C "$work/am" -c user.name=t -c user.email=t@t commit -qm base
	git -C "$work/am" -c user.name=t -c user.email=t@t am -q --empty=drop "$work"/series/*.patch
	overlay install "$case_dir"
	same_tree "$work/am" "$case_dir"
	# From an installed tree too, and never over an older series.
	overlay patches "$case_dir" "$work/series2"
	diff <(cat "$work"/series/*.patch | grep -vE '^(From|Date)') <(cat "$work"/series2/*.patch | grep -vE '^(From|Date)')
	fails overlay patches "$case_dir" "$work/series"
}

# The order of the series: patches to the kernel's own code come first, one by one, and
# the patch that makes the build use our files removes mm/kmemleak.c.
t_patch_order()
{
	rm -rf "$work/series" "$work/series2"
	overlay patches "$case_dir" "$work/series"
	local p switched=0 own=1 n=0 last
	last=$(find "$work/series" -name '*.patch' | sort | tail -n 1)
	for p in "$work"/series/*.patch; do
		[ "${p##*/}" != 0000-cover-letter.patch ] || continue
		if grep '^+++ b/' "$p" | grep -qxFf <(grep -h '^+++ b/' "$KML_TOOLS"/patches/*.patch); then
			# patches that do not need our files come first, others last
			if [ "$own" = 0 ]; then
				[ "$switched" = 1 ]
				[ "$p" = "$last" ]
				grep -q '^+#include <linux/kmemleak_nolock.h>' "$p"
			fi
			# a function, and its declaration
			[ "$(grep -c '^+++ b/' "$p")" -le 2 ]
			n=$((n + 1))
		else
			own=0
		fi
		if grep -q '^+++ b/mm/Makefile' "$p"; then
			switched=1
			grep -q '^--- a/mm/kmemleak.c' "$p"
			grep -q '^+++ b/mm/Kconfig.debug' "$p"
		elif [ "$switched" = 1 ]; then
			fails grep -q '^+++ b/mm/kmemleak/' "$p"
		fi
	done
	[ "$switched" = 1 ]
	[ "$n" -ge 7 ]
}

edit_line()
{
	sed -i "$2" "$case_dir/$1"
	! cmp -s "$case_dir/$1" "$work/base-$kernel/$1" || die "test bug: '$2' changed nothing in $1"
}

refusals()
{
	new_tree; rm -rf "${case_dir:?}"/*
	check "refuses an empty directory" refuses 'looked for Makefile'
	new_tree; edit_line Makefile 's/^VERSION = .*/VERSION = 6/; s/^PATCHLEVEL = .*/PATCHLEVEL = 11/'
	check "refuses 6.11" refuses '6\.11.*6\.12'
	new_tree; edit_line mm/Makefile '/CONFIG_DEBUG_KMEMLEAK/d'
	check "refuses without the object's line" refuses 'looked for .*kmemleak.o.* in .*mm/Makefile'
	new_tree; edit_line mm/Makefile '/KCSAN_SANITIZE_kmemleak/d'
	check "refuses without an opt-out that it moves" refuses 'KCSAN_SANITIZE_kmemleak.*mm/Makefile'
	new_tree; edit_line mm/Makefile '/KCSAN_SANITIZE_kmemleak/a NEWSAN_kmemleak.o := n'
	check "refuses an opt-out that it does not know" refuses 'NEWSAN_kmemleak.*mm/Makefile'
	new_tree; edit_line mm/Kconfig.debug 's/^config DEBUG_KMEMLEAK$/config DEBUG_MEMLEAK/'
	check "refuses without the Kconfig block" refuses 'config DEBUG_KMEMLEAK.*mm/Kconfig.debug'
	new_tree; edit_line mm/Kconfig.debug '/^config DEBUG_KMEMLEAK_AUTO_SCAN/i config DEBUG_KMEMLEAK_NEW\n\tbool\n'
	check "refuses an option that this checkout lacks" refuses 'DEBUG_KMEMLEAK_NEW'
	new_tree; edit_line include/linux/kmemleak.h '/^extern void kmemleak_free(/i extern void kmemleak_new_hook(const void *ptr) __ref;'
	check "refuses an unknown hook" refuses 'kmemleak\.h declares kmemleak_new_hook'
	new_tree; edit_line include/linux/kmemleak.h '/^extern void kmemleak_free(/i void kmemleak_new_a(int (*f)(void *), int a),\n     kmemleak_skip(int); __printf(1, 2) int kmemleak_new_b(\n\tconst char *f, ...);'
	check "refuses hooks declared without extern" refuses 'kmemleak_new_a\(\).*kmemleak_new_b\(\)'
	new_tree; edit_line include/linux/kmemleak.h '/^static inline void kmemleak_erase/i static inline void kmemleak_inline(void) { kmemleak_x(); }\n/* extern void kmemleak_comment(void); */'
	check "counts no inline function and no comment as a hook" overlay install "$case_dir"
	new_tree; edit_line include/linux/kmemleak.h 's/CONFIG_DEBUG_KMEMLEAK/CONFIG_MEMLEAK/'
	check "refuses a header that it cannot read" refuses 'looked for a prototype of kmemleak_alloc'
	new_tree; edit_line arch/x86/um/Makefile '/CONFIG_MODULES/d'
	check "refuses without the line after which an architecture's files go" refuses 'CONFIG_MODULES.*arch/x86/um/Makefile'
	new_tree; edit_line Documentation/admin-guide/kernel-parameters.txt 's/^\(\tkmemleak=.*enable\).disable/\1/'
	check "refuses without the option's description" refuses 'kmemleak=.*kernel-parameters.txt'
	new_tree; edit_line Documentation/admin-guide/kernel-parameters.txt '/^\tkmemleak=/,/^$/s/on, off/on or off/'
	check "refuses another description of the option's words" refuses "'Valid arguments: on, off' in the paragraph"
	new_tree; rm "$case_dir/mm/kmemleak.c"
	check "refuses without mm/kmemleak.c" refuses 'looked for mm/kmemleak.c'
	new_tree; rm "$case_dir/mm/Kconfig.debug"
	check "refuses without mm/Kconfig.debug" refuses 'looked for mm/Kconfig.debug'
	new_tree; rm "$case_dir/mm/vmalloc.c"
	check "refuses without a file that a patch changes" refuses 'looked for mm/vmalloc.c .*vmalloc-lazy.patch'
	new_tree; edit_line mm/vmalloc.c 's/free_unmap_vmap_area(va);/free_unmap_vmap_area(va, 0);/'
	check "refuses without a patch's context" refuses 'looked for the .*exactly once.*vmalloc-lazy.patch.*mm/vmalloc.c'
	new_tree; edit_line net/core/skbuff.c '/^#include <linux.kcov.h>/s/<linux/ <linux/'
	check "refuses context that differs in blanks" refuses 'exactly once.*skbuff.*net/core/skbuff.c'
	new_tree; sed -n '/^static void \*remove_element/,/^}/p' "$work/pristine/mm/mempool.c" >>"$case_dir/mm/mempool.c"
	check "refuses context that occurs twice" refuses 'exactly once.*mempool.patch'
	if grep -q 'struct slab_sheaf {' "$case_dir/mm/slub.c"; then
		new_tree; edit_line mm/slub.c 's/pcs->main->size--;/--pcs->main->size;/'
		check "refuses unknown sheaves" refuses 'exactly once.*slub-sheaves.patch.*mm/slub.c'
		new_tree; edit_line mm/slub.c 's/^struct slab_sheaf {/struct slab_stack {/'
		check "accepts an allocator without sheaves" overlay install "$case_dir"
		check "  and leaves its sheaves alone" fails grep -q 'kmemleak.*sheaf' "$case_dir/mm/slub.c"
	fi
	new_tree; sed -i 's/^@@ -/@ -/' "$work/checkout/tools/kmemleak/patches/vmalloc-lazy.patch"
	check "refuses a patch that it cannot read" refuses 'patches/vmalloc-lazy.patch: '
	new_checkout
	new_tree; mv "$case_dir/include/trace/events/kmem.h" "$case_dir/include/trace/events/x"
	ln -sf x "$case_dir/include/trace/events/kmem.h"
	check "accepts a link that it does not write to" overlay install "$case_dir"
	new_tree; mv "$case_dir/mm/Makefile" "$case_dir/mm/M"; ln -s M "$case_dir/mm/Makefile"
	check "refuses to write through a link" refuses 'mm/Makefile is not a regular file'
	new_tree; edit_line tools/testing/selftests/Makefile '/^TARGETS += kexec/d'
	if [ -d "$work/checkout/tools/testing/selftests/kmemleak" ]; then
		check "refuses without the selftest list's neighbour" refuses 'TARGETS \+= kexec'
	fi
	new_tree; rm -r "$work/checkout/mm/kmemleak/Kconfig"
	check "refuses when this checkout is incomplete" refuses 'this checkout has no mm/kmemleak/Kconfig'
	new_checkout
}

cd "$KML_TOP"
new_checkout
for kernel in $KML_KERNELS; do
	about="$kernel: "
	mkdir "$work/base-$kernel"
	(
		cd "$KML_CACHE/source/$kernel/src"
		# shellcheck disable=SC2086 # words on purpose
		tar -c --ignore-failed-read $tree_files 2>/dev/null
	) | tar -x -C "$work/base-$kernel"

	# The first failing line of a case decides.
	for t in install documents fixes twice uninstall user_restored upgrade patches patch_order \
		'user_edit mm/Makefile' 'user_edit mm/kmemleak/Makefile' 'user_edit mm/vmalloc.c'; do
		new_tree
		# shellcheck disable=SC2086 # words on purpose
		set -- $t
		check "$t" "t_$1" "${@:2}"
		new_checkout
	done
	refusals

	# Transactions do not depend on the tree: one kernel is enough.
	if [ "$kernel" = 7.3 ]; then
		for t in 'full install' 'error install' 'crash install' 'error uninstall' 'crash uninstall'; do
			# shellcheck disable=SC2086 # words on purpose
			check "a fault at each place: $t" t_faults $t
			rm -rf "$work/faults"
		done
	fi
done
echo "1..$n"
exit $failed
