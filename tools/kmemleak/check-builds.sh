#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Compile our directories, not whole kernels, for each architecture and configuration
# of builds.tab. A message of the compiler at W=1 or of sparse is a failure. Results on
# stdout as TAP, progress on stderr.
set -euo pipefail
# shellcheck source=tools/kmemleak/lib.sh
. "$(dirname "$0")/lib.sh"

table=$KML_TOOLS/builds.tab
compilers='gcc clang'

usage()
{
	cat <<-EOT
	usage: check-builds.sh [--list] [--quick] [--resume] [--configure] [--kernel K] [--cc C] [NAME]...
	  --kernel K   only this kernel of: $KML_KERNELS
	  --cc C       only this compiler of: $compilers
	  --quick      the cheap subset that is part of make check
	  --resume     skip builds that have passed with the same sources, configuration
	               and compiler
	  --configure  only check whether the options exist, and compile nothing
	  --list       print the names of builds.tab
	  NAME         only builds of this name, or of a pattern like 'arm64*'
	EOT
}

kernels=$KML_KERNELS wanted_cc=$compilers quick=0 list=0 configure=0 resume=0
patterns=()
parse_options "
	--kernel kernels ${KML_KERNELS// /|}
	--cc wanted_cc ${compilers// /|}
	--quick quick flag
	--resume resume flag
	--configure configure flag
	--list list flag
	... patterns
" "$@"
all_names=$(awk '!/^#/ && NF && !seen[$1]++ { print $1 }' "$table")
if [ "$list" = 1 ]; then
	echo "$all_names"
	exit 0
fi
for pattern in "${patterns[@]}"; do
	while read -r name; do
		# shellcheck disable=SC2053 # a pattern
		[[ $name != $pattern ]] || continue 2
	done <<<"$all_names"
	usage_error "no build is called $pattern; choices: $(echo "$all_names" | tr '\n' ' ')"
done

# Is a row to be built, for the present kernel and compiler?
# selected <name> <kernels> <compilers> <words>
selected()
{
	local pattern
	[ "$2" = '*' ] || [[ ,$2, = *,$kernel,* ]] || return 1
	[ "$3" = '*' ] || [[ ,$3, = *,$cc,* ]] || return 1
	if [ "$quick" = 1 ]; then
		[[ " $4 " = *' @quick '* ]] && [ "$cc" = gcc ] && [ "$kernel" = 7.3 ] || return 1
	fi
	[ ${#patterns[@]} -gt 0 ] || return 0
	for pattern in "${patterns[@]}"; do
		# shellcheck disable=SC2053 # a pattern
		[[ $1 != $pattern ]] || return 0
	done
	return 1
}

# kbuild's names of an architecture, and its compiler. Sets arch, srcarch and cross.
architecture()
{
	arch=$1 srcarch=$1
	case $1 in
	x86_64 | i386) srcarch=x86 cross=x86_64-linux-gnu- ;;
	arm64) cross=aarch64-linux-gnu- ;;
	arm) cross=arm-linux-gnueabihf- ;;
	riscv) cross=riscv64-linux-gnu- ;;
	s390) cross=s390x-linux-gnu- ;;
	powerpc) cross=powerpc64le-linux-gnu- ;;
	mips) cross=mips64-linux-gnuabi64- ;;
	loongarch) cross=loongarch64-linux-gnu- ;;
	*) die "builds.tab has an unknown architecture: $1" ;;
	esac
}

# Find the compiler; of several clangs, the newest. Sets toolchain, the words for make,
# and nm; or skip, the reason.
find_compiler()
{
	local tool=$1 suffix least
	if [ "$tool" = gcc ]; then
		toolchain=("CROSS_COMPILE=$cross" "CC=$ccache${cross}gcc")
		nm=${cross}nm
		command -v "${cross}gcc" >/dev/null || { skip="no ${cross}gcc"; return; }
		# rows of gcc are checked by sparse
		command -v sparse >/dev/null || { skip="no sparse"; return; }
		have=$("${cross}gcc" -dumpfullversion)
		least=$(SRCARCH=$srcarch "$kml_src/scripts/min-tool-version.sh" gcc)
	else
		suffix=$(newest_clang)
		suffix=${suffix#clang}
		command -v "clang$suffix" >/dev/null || { skip="no clang"; return; }
		command -v "ld.lld$suffix" >/dev/null || { skip="no ld.lld$suffix"; return; }
		toolchain=("LLVM=${suffix:-1}" "CC=${ccache}clang$suffix" "CROSS_COMPILE=$cross")
		nm=llvm-nm$suffix
		have=$("clang$suffix" -dumpversion)
		least=$(SRCARCH=$srcarch "$kml_src/scripts/min-tool-version.sh" llvm)
	fi
	if [ "$(printf '%s\n' "$least" "$have" | sort -V | head -n 1)" != "$least" ]; then
		skip="$tool $have is older than $least, which this kernel wants"
	fi
}

kmake()
{
	make -C "$kml_src" O="$out" ARCH="$arch" "${toolchain[@]}" HOSTCC="${ccache}gcc" \
		-j"${JOBS:-$(nproc)}" "$@" </dev/null
}

# Write the configuration of a row's words to $fragment. Sets goal, targets and base.
write_fragment()
{
	local word
	goal=allnoconfig targets='' base=1
	for word in "$@"; do
		case $word in
		@bare) base=0 ;;
		@allmod) goal=allmodconfig ;;
		@default) goal=alldefconfig ;;
		@link) targets=vmlinux ;;
		@off)
			set -- "$@" -DEBUG_KMEMLEAK -KMEMLEAK_KUNIT_TEST -KALLSYMS
			set -- "$@" -KMEMLEAK_KUNIT_SCAN_TEST
			set -- "$@" -DEBUG_KMEMLEAK_AUTO_SCAN
			set -- "$@" -FUNCTION_TRACER -ENABLE_DEFAULT_TRACERS -FTRACE
			;;
		@quick) ;;
		@*) die "builds.tab has an unknown word: $word" ;;
		esac
	done
	{
		if [ "$goal" = allnoconfig ]; then
			[ "$base" = 0 ] || cat "$KML_TOOLS/configs/builds/common.config"
			[ "$base" = 0 ] || cat "$KML_TOOLS/configs/builds/$family.config"
			! grep -q '^config PROC_SYSCTL' "$kml_src/fs/proc/Kconfig" ||
				[ "$base" = 0 ] || cat "$KML_TOOLS/configs/proc-sysctl.config"
		fi
		for word in "$@"; do
			case $word in
			@* | !*) ;;
			-*) echo "# CONFIG_${word#-} is not set" ;;
			*=*) echo "CONFIG_$word" ;;
			*) echo "CONFIG_$word=y" ;;
			esac
		done
	} >"$fragment"
}

# With kmemleak, the targets are our directories; without, files that include
# linux/kmemleak.h. Sets targets and arch_target. The latter is a directory, built
# alone: kbuild builds a single file of arch/<name>/lib without the file's own flags,
# and enters that directory twice if other targets are built with it.
choose_targets()
{
	arch_target=''
	[ -z "$targets" ] || return 0
	if grep -q '^CONFIG_DEBUG_KMEMLEAK=y' "$out/.config"; then
		targets=mm/kmemleak/
		! grep -q '^CONFIG_KMEMLEAK_ARCH_FILTER=y' "$out/.config" ||
			arch_target=arch/$srcarch/lib/
	else
		targets='mm/slub.o mm/vmalloc.o mm/percpu.o mm/page_alloc.o mm/memblock.o
			kernel/module/main.o lib/scatterlist.o'
	fi
}

our_objects()
{
	find "$out/mm/kmemleak" "$out/arch/$srcarch/lib" -name '*.o' \
		\( -path '*/mm/kmemleak/*' -o -name 'kmemleak-filter-*' \) 2>/dev/null || :
}

# Objects must not need functions of libgcc: divisions of 64 bits (the kernel has
# shifts) and atomic operations.
check_symbols()
{
	our_objects | xargs -r "$nm" -u |
		grep -E ' (__u?(div|mod|divmod)[dt]i[34]|__aeabi_u?ldivmod|__(atomic|sync)_.*)$' |
		sort -u >"$log.libgcc" || :
	[ ! -s "$log.libgcc" ] || { echo "undefined, and libgcc's:"; cat "$log.libgcc"; return 1; }
}

# Configure, prepare, and compile all objects again. Errors go to stdout.
build()
{
	local lost word check=() rc=0 arch_target
	mkdir -p "$out"
	write_fragment "$@"
	kmake KCONFIG_ALLCONFIG="$fragment" "$goal" >"$log" 2>&1 ||
		{ echo "$goal failed:"; tail -n 20 "$log"; return 1; }
	lost=$(lost_options "$out/.config" "$fragment")
	[ -z "$lost" ] || { echo "options that this kernel did not accept:"; echo "$lost"; return 1; }
	for word in "$@"; do
		[ "${word#!}" = "$word" ] || grep -qx "# CONFIG_${word#!} is not set" "$out/.config" ||
			{ echo "CONFIG_${word#!} does not exist, or is on without being asked for"; return 1; }
	done
	[ "$configure" = 0 ] || return 0
	# At W=1 as well: files that are made here, and their warnings, do not
	# appear again below.
	kmake W=1 prepare >"$log" 2>&1 ||
		{ echo "make prepare failed:"; tail -n 20 "$log"; return 1; }
	choose_targets
	[ -z "$arch_target" ] || kmake -k -j1 W=1 "$arch_target" >"$log" 2>&1 || :
	# The compiler says nothing about objects that are up to date.
	our_objects | xargs -r rm -f
	(cd "$out" && for t in $targets; do [ "${t%.o}" = "$t" ] || rm -f "$t"; done)
	[ "$cc" != gcc ] || check=(C=1 "CHECK=$KML_TOOLS/sparse.sh" 'CF=-D__CHECK_ENDIAN__')
	# shellcheck disable=SC2086 # words on purpose
	kmake -k W=1 "${check[@]}" $targets >"$log" 2>&1 || rc=$?
	[ -z "$arch_target" ] || kmake -k -j1 W=1 "${check[@]}" "$arch_target" >>"$log" 2>&1 || rc=$?
	[ "$rc" = 0 ] || { echo "the compiler failed:"; grep -E 'error|Error' "$log" | head -n 30; return 1; }
	if [ "$targets" = vmlinux ]; then
		complaints=$(grep -iE '(mm/kmemleak/|kmemleak-filter|kml_|kmemleak_).*(warning|error)|(warning|error|mismatch).*(kml_|kmemleak_)' "$log" || :)
	else
		# kbuild leaves out a checker that is too old, with the line "C=1
		# specified, but". Four kinds of warnings are not about our code: mips
		# passes predefined macros to sparse twice; sparse knows no locks that
		# are taken conditionally, nor some declarations of the kernel; and on
		# s390 of 6.12 inb() adds to a null PCI_IOBASE, of which clang warns in
		# each file that includes it.
		complaints=$(grep -E '(warning|error|WARNING|ERROR):|C=1 specified, but' "$log" |
			grep -vE '^builtin:[0-9]+:[0-9]+: warning: preprocessor token .* redefined' |
			grep -vE '/(mm|kernel|lib)(/module)?/[a-z_]+\.c:.* warning: (context imbalance in|symbol .* was not declared)' |
			grep -vE '/include/asm-generic/io\.h:.* warning: performing pointer arithmetic on a null pointer' || :)
	fi
	[ -z "$complaints" ] || { echo "$complaints" | sort -u | head -n 60; return 1; }
	[ "$targets" = "${targets#mm/kmemleak/}" ] && return
	check_symbols
}

# Everything that the result of a row depends on: our files and scripts, the kernel,
# the compiler, the words.
key_of()
{
	printf '%s\n' "$sources" "$kernel" "$cc" "$have" "$*"
}

nr=0 failed=0 skipped=0
# row <name> <words>: one line of TAP
row()
{
	local name=$1 t0=$SECONDS what family skip='' said
	local arch srcarch cross nm toolchain have
	local targets goal base out log fragment complaints
	shift
	family=${name%%-*}
	what="$kernel $cc $name"
	architecture "$family"
	kernel_paths "build-$family-$cc" "$kernel" 0 0
	out=$kml_out log=$logs/$kernel-$cc-$name.log fragment=$out/.kmemleak-fragment
	find_compiler "$cc"
	nr=$((nr + 1))
	if [ -n "$skip" ]; then
		skipped=$((skipped + 1))
		echo "ok $nr - $what # SKIP $skip"
		return
	fi
	if [ "$resume" = 1 ] && [ "$(cat "$log.passed" 2>/dev/null)" = "$(key_of "$@")" ]; then
		echo "ok $nr - $what, in an earlier run"
		return
	fi
	rm -f "$log.passed"
	note "  ... $what"
	if said=$(build "$@"); then
		echo "ok $nr - $what"
		[ "$configure" = 1 ] || key_of "$@" >"$log.passed"
		note "  ok  $what ($((SECONDS - t0)) s)"
	else
		failed=$((failed + 1))
		printf '%s\n' "$said" "the whole log: $log" | sed 's/^/# /'
		echo "not ok $nr - $what"
		note "  not ok  $what ($((SECONDS - t0)) s)"
	fi
}

# Rows are skipped if their compiler cannot be installed.
"$KML_TOOLS/build-deps.sh" kernel
"$KML_TOOLS/build-deps.sh" builds || :
build_env
logs=$KML_CACHE/checkout/$(checkout_key)/builds
mkdir -p "$logs"
sources=$(cd "$KML_TOP/tools/kmemleak" && find ../../mm ../../arch ../../include configs/builds \
		check-builds.sh lib.sh overlay*.py patches -type f -print0 |
	sort -z | xargs -0 sha256sum | sha256sum)

for kernel in $kernels; do
	# build-kernel.sh uses the same source.
	kernel_paths um "$kernel" 0 0
	mkdir -p "$(dirname "$kml_src")"
	exec 9>"$(dirname "$kml_src")/.lock"
	flock -n 9 || { note "  ... waiting for another build in $(dirname "$kml_src")"; flock 9; }
	"$KML_TOOLS/fetch-kernel.sh" "$kernel"
	"$KML_TOOLS/copy-tree.py" "${kml_pristine:?}" "$kml_src"
	"$KML_TOOLS/overlay.py" install "$kml_src" >&2
	for cc in $wanted_cc; do
		while read -r name in_kernels in_compilers words; do
			selected "$name" "$in_kernels" "$in_compilers" "$words" || continue
			# shellcheck disable=SC2086 # words on purpose
			row "$name" $words
		done < <(grep -vE '^(#|$)' "$table")
	done
done
echo "1..$nr"
echo "$((nr - failed - skipped)) passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
