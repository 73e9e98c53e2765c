#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2317 # the checks are called by name
#
# All static checks, one line of TAP each, after the output of the check.
#   lint.sh [CHECK]...   (checks: see CHECKS below)
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/lib.sh"

CHECKS='shellcheck python spdx length checkpatch gcc levels clang sparse kernel-doc rst'

case ${1:-} in -h | --help) echo "usage: lint.sh [CHECK]...; checks: $CHECKS"; exit 0 ;; esac
wanted=${*:-$CHECKS}
for check in $wanted; do
	case " $CHECKS " in
	*" $check "*) ;;
	*) usage_error "unknown check $check; choices: $CHECKS" ;;
	esac
done
cd "$KML_TOP"
# Without git no check would find a file, and all would pass.
git rev-parse --is-inside-work-tree >/dev/null 2>&1 ||
	die "lint asks git which files are ours, and $KML_TOP is not a git checkout" "clone the repository"
"$KML_TOOLS/build-deps.sh" lint
"$KML_TOOLS/build-deps.sh" kernel um

# checkpatch and kernel-doc are those of the newest tree.
"$KML_TOOLS/fetch-kernel.sh" 7.3
kernel_paths um 7.3 0 0
checkers=${kml_pristine:?}/scripts
work=$(mktemp -d "${TMPDIR:-/tmp}/kmemleak-lint.XXXXXX")
trap 'rm -rf "$work"' EXIT

# Our files by name pattern, tracked or not.
ours()
{
	git ls-files -co --exclude-standard -- "$@" 2>/dev/null |
		sort -u | while read -r f; do [ ! -f "$f" ] || echo "$f"; done
}

# Compile all our objects again; pass if the compiler prints nothing about our files. The
# build directory is not that of make kernel, whose objects other warning flags would
# make out of date.
# compiler_check <kernel> <variant> <compiler> [make variables]
compiler_check()
{
	local kernel=$1 variant=$2 cc=$3 log=$work/compiler.log rc=0
	shift 3
	"$KML_TOOLS/build-kernel.sh" --kernel "$kernel" --variant "$variant" --cc "$cc" --prepare ||
		{ echo "preparing the $kernel tree failed"; return 1; }
	kernel_paths um "$kernel" 0 0
	find "$kml_out-$variant/mm/kmemleak" "$kml_out-$variant/arch/x86/lib" -name '*.o' -delete 2>/dev/null || :
	make -C "$kml_src" O="$kml_out-$variant" ARCH=um -k -j"$(nproc)" CC="$cc" "$@" \
		mm/kmemleak/ mm/kmemleak/slabs.o mm/kmemleak/pages.o arch/x86/um/ >"$log" 2>&1 || rc=$?
	about_us "$log"
	[ "$rc" -eq 0 ] || tail -n 20 "$log"
	[ "$rc" -eq 0 ] && [ -z "$(about_us "$log")" ]
}

# The messages of a compiler about our files, without those about other headers.
about_us()
{
	grep -E '(mm/kmemleak/|kmemleak-filter|include/linux/kmemleak|asm/kmemleak|include/trace/events/kmemleak)[^ ]*:[0-9]+.*(warning|error|note)' "$1" || :
}

check_shellcheck()
{
	local files
	mapfile -t files < <(ours '*.sh' .ci/run 'tools/kmemleak/*' 'tools/testing/*' |
		while read -r f; do
			case $f in
			*.sh) echo "$f" ;;
			*) head -n 1 "$f" | grep -qE '^#!.*\b(ba|da|)sh\b' && echo "$f" ;;
			esac
		done | sort -u)
	shellcheck -x -P SCRIPTDIR -P . "${files[@]}"
}

check_python()
{
	local files f
	mapfile -t files < <(ours '*.py')
	for f in "${files[@]}"; do
		python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read(), sys.argv[1])' "$f" || return 1
	done
}

check_spdx()
{
	local f bad=0
	while read -r f; do
		head -n 3 "$f" | grep -q 'SPDX-License-Identifier: GPL-2.0' || { echo "$f: no SPDX line"; bad=1; }
	done < <(ours '*.[chS]' '*.sh' '*.py' '*.config' '*Makefile' '*Kconfig' .ci/run)
	return "$bad"
}

check_length()
{
	local f n bad=0
	while read -r f; do
		n=$(wc -l <"$f")
		[ "$n" -lt 1300 ] || { echo "$f: $n lines; the limit is 1299"; bad=1; }
	done < <(ours '*.[chS]' '*.sh' '*.py')
	return "$bad"
}

# Types of messages that are wrong for code that stands in for the kernel in user space.
userspace_ignores=$(tr -d ' \t\n' <<-EOT
	MACRO_ARG_REUSE,MACRO_ARG_UNUSED,MACRO_ARG_PRECEDENCE,COMPLEX_MACRO,MACRO_WITH_FLOW_CONTROL,
	SINGLE_STATEMENT_DO_WHILE_MACRO,MEMORY_BARRIER,NEW_TYPEDEFS,PREFER_DEFINED_ATTRIBUTE_MACRO,
	VOLATILE,BIT_MACRO,CAMELCASE,PREFER_PR_LEVEL,PRINTK_WITHOUT_KERN_LEVEL,LOGGING_CONTINUATION,
	NR_CPUS,AVOID_BUG,IN_ATOMIC,EXPORT_SYMBOL,DATA_RACE,AVOID_EXTERNS,UNCOMMENTED_DEFINITION,
	WAITQUEUE_ACTIVE,USE_LOCKDEP,NAKED_SSCANF,SPLIT_STRING,TYPECAST_INT_CONSTANT,
	EMBEDDED_FUNCTION_NAME,UNNECESSARY_CASTS,CONSTANT_CONVERSION,STRCPY,STRLCPY,SSCANF_TO_KSTRTO,
	PREFER_FALLTHROUGH,USE_FUNC,MSLEEP,USLEEP_RANGE,CONST_STRUCT,ENOSYS,YIELD,UNSPECIFIED_INT
	EOT
)

# run_checkpatch <more types to ignore> <file patterns>
run_checkpatch()
{
	local ignore=$1 files
	shift
	mapfile -t files < <(ours "$@" | grep -E '\.[chS]$')
	[ ${#files[@]} -gt 0 ] || return 0
	# With -f, checkpatch does not know who maintains a file. Without GIT_DIR, it
	# leaves out its SPDX check, which needs more Python packages.
	printf '%s\0' "${files[@]}" | GIT_DIR=/nonexistent xargs -0 -P "$(nproc)" -n 12 \
		perl "$checkers/checkpatch.pl" --root="$kml_pristine" --strict --terse \
		--no-summary --show-types --ignore "FILE_PATH_CHANGES,EMBEDDED_FILENAME,$ignore" -f
}

check_checkpatch()
{
	local rc=0
	run_checkpatch '' 'mm/*' 'include/linux/*' || rc=1
	# Trace events have a layout of their own in all of the kernel.
	run_checkpatch OPEN_ENDED_LINE,PARENTHESIS_ALIGNMENT 'include/trace/*' || rc=1
	# linux/cpufeature.h does not include asm/cpufeature.h of User Mode Linux.
	run_checkpatch ARCH_INCLUDE_LINUX 'arch/*' || rc=1
	run_checkpatch "$userspace_ignores" 'tools/testing/*' 'tools/mm/*' 'benchmarks/*' || rc=1
	# The patches to the kernel's own code, which are not signed yet.
	GIT_DIR=/nonexistent perl "$checkers/checkpatch.pl" --root="$kml_pristine" --strict --terse \
		--no-summary --show-types --no-signoff tools/kmemleak/patches/*.patch || rc=1
	return "$rc"
}

check_gcc()
{
	compiler_check 7.3 lint-gcc gcc W=1
}

# No include and no call goes to a higher level of levels.txt.
check_levels()
{
	compiler_check 7.3 lint-gcc gcc W=1 || return 1
	"$KML_TOOLS/levels.py" mm/kmemleak "$kml_out-lint-gcc/mm/kmemleak"
}

# The newest tree that accepts the clang of this machine.
check_clang()
{
	local have kernel
	command -v clang >/dev/null || { skip='no clang'; return 0; }
	have=$(clang -dumpversion | cut -d. -f1)
	for kernel in 7.3 6.12; do
		"$KML_TOOLS/fetch-kernel.sh" "$kernel"
		kernel_paths um "$kernel" 0 0
		if [ "$have" -ge "$("$kml_pristine/scripts/min-tool-version.sh" llvm | cut -d. -f1)" ]; then
			compiler_check "$kernel" lint-clang clang W=1
			return
		fi
	done
	skip="clang $have is older than any tree here accepts"
}

check_sparse()
{
	command -v sparse >/dev/null || { skip='no sparse'; return 0; }
	local kernel
	# The older tree has lock annotations for sparse; in the newer, clang checks them.
	for kernel in 7.3 6.12; do
		compiler_check "$kernel" lint-gcc gcc C=2 "CHECK=$KML_TOOLS/sparse.sh" || return 1
		# kbuild leaves out a checker that is too old, with this line.
		! grep 'C=2 specified, but' "$work/compiler.log" || return 1
	done
}

check_kernel-doc()
{
	local files
	mapfile -t files < <(ours 'mm/kmemleak/*.[ch]' 'include/*.h' 'arch/*.[ch]')
	"$checkers/kernel-doc" -none "${files[@]}" 2>&1 | tee "$work/kerneldoc"
	[ ! -s "$work/kerneldoc" ]
}

# Errors of reStructuredText only: docutils does not know the kernel's directives.
check_rst()
{
	local files
	mapfile -t files < <(ours '*.rst')
	python3 - "${files[@]}" <<-'EOT'
	import sys
	from docutils.core import publish_doctree
	from docutils.utils import Reporter

	bad = 0
	for path in sys.argv[1:]:
	    with open(path) as file:
	        tree = publish_doctree(file.read(), source_path=path, settings_overrides={
	            "report_level": Reporter.SEVERE_LEVEL + 1, "halt_level": Reporter.SEVERE_LEVEL + 1})
	    for message in tree.findall(lambda node: node.tagname == "system_message"):
	        text = message.astext().replace("\n", " ")
	        if message["level"] >= Reporter.WARNING_LEVEL and "Unknown" not in text:
	            print(f"{path}:{message.get('line', 0)}: {text}")
	            bad = 1
	sys.exit(bad)
	EOT
}

n=0 failed=0
echo "1..$(echo "$wanted" | wc -w)"
for check in $wanted; do
	n=$((n + 1))
	skip=''
	# Checks run in this shell, since they set $skip. set -e has no effect inside
	# "if": each check returns its own verdict.
	if "check_$check" >"$work/out"; then verdict=ok; else verdict='not ok'; failed=1; fi
	sed 's/^/  # /' "$work/out"
	echo "$verdict $n lint: $check${skip:+ # SKIP $skip}"
done
exit $failed
