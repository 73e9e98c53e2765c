# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The part that scripts share: messages, options, directories, and the choices that
# a user may name. Sourced, never run.

KML_TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
KML_TOP=$(cd "$KML_TOOLS/../.." && pwd)
KML_CACHE=${KMEMLEAK_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/kmemleak}
KML_FLAVOURS="um x86_64 arm64"
KML_KERNELS="7.3 6.12"
export KML_TOOLS KML_TOP KML_CACHE

# The options of a make that called us are not for the makes that we call: -s would
# hide their progress, and variables would configure the kernel.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

# Progress goes to stderr: stdout is for the output that the script was asked for.
note()
{
	printf '%s\n' "$*" >&2
}

# die <message> [what to do about it]; exit 1
die()
{
	printf 'error: %s%s\n' "$1" "${2:+; $2}" >&2
	exit 1
}

# Wrong usage exits with 2, so that callers can tell it from a failed build.
usage_error()
{
	printf 'error: %s\n' "$*" >&2
	exit 2
}

# Read a script's options into its variables.
# parse_options "<table>" <argument>...
# The table has one option a line, "names variable kind". Names are separated by |.
# The kind says which values the option takes:
#	flag		none; the variable becomes 1
#	text		any
#	words		any; appended to the variable, after a blank
#	each		any; becomes one more element of the array
#	number		digits
#	count		digits, above 0
#	flavour, kernel, config
#			what build-kernel.sh can build
#	A|B|C		one of these words
# A kind with .. after it takes a list of such values, separated by blanks. The line
# "... array" accepts arguments that are no options, and "-- array" accepts all
# arguments after --. $options_given becomes the list of the options, with a blank
# before and after each. Needs a function usage.
parse_options()
{
	local _names _variable _kind _name _free='' _rest=''
	local -A _variables=() _kinds=()
	while read -r _names _variable _kind; do
		case $_names in
		'') ;;
		...) _free=$_variable ;;
		--) _rest=$_variable ;;
		*)
			for _name in ${_names//|/ }; do
				_variables[$_name]=$_variable _kinds[$_name]=$_kind
			done
			;;
		esac
	done <<<"$1"
	shift
	options_given=' '
	while [ $# -gt 0 ]; do
		_name=$1
		shift
		case $_name in
		-h | --help) usage; exit 0 ;;
		-*) ;;
		*) [ -z "$_free" ] || { eval "$_free+=(\"\$_name\")"; continue; } ;;
		esac
		if [ -n "$_rest" ] && [ "$_name" = -- ]; then
			eval "$_rest+=(\"\$@\")"
			return
		fi
		_kind=${_kinds[${_name:-none}]:-}
		[ -n "$_kind" ] || { usage >&2; usage_error "unknown option $_name"; }
		_variable=${_variables[$_name]}
		options_given+="$_name "
		if [ "$_kind" = flag ]; then
			printf -v "$_variable" 1
			continue
		fi
		[ $# -gt 0 ] || usage_error "$_name needs a value"
		check_values "$_name" "$_kind" "$1"
		case $_kind in
		words) printf -v "$_variable" '%s' "${!_variable:+${!_variable} }$1" ;;
		each) eval "$_variable+=(\"\$1\")" ;;
		*) printf -v "$_variable" '%s' "$1" ;;
		esac
		shift
	done
}

# check_values <option> <kind> <value>: one value, or a list where the kind ends in ..
check_values()
{
	local value
	case $2 in
	*..) for value in $3; do check_value "$1" "${2%..}" "$value"; done ;;
	*) check_value "$1" "$2" "$3" ;;
	esac
}

check_value()
{
	local option=$1 kind=$2 value=$3
	case $kind in
	text | words | each) return ;;
	flavour) check_flavour "$value"; return ;;
	kernel) check_kernel "$value"; return ;;
	config) check_extra_config "$value"; return ;;
	number | count)
		case $value in
		'' | *[!0-9]*) usage_error "$option $value is not a number" ;;
		esac
		[ "$kind" = number ] || [ "$value" -gt 0 ] || usage_error "$option $value is not above 0"
		return
		;;
	esac
	case "|$kind|" in
	*"|$value|"*) ;;
	*) usage_error "$option $value is not known here; choices: ${kind//|/ }" ;;
	esac
}

# Set and make the directory $out of a script's results, if --out has not named one.
# results_directory <name>
results_directory()
{
	[ -n "$out" ] || out=$KML_CACHE/checkout/$(checkout_key)/$1/$(date +%Y-%m-%d-%H%M%S)
	mkdir -p "$out"
	out=$(cd "$out" && pwd)
}

# Run a long command with its output in a log, a line before and after it, and a
# sign of life in between. If it fails, show the end of the log, where the reason is.
# logged <log> <title> <command...>
logged()
{
	local log=$1 what=$2 t0=$SECONDS rc=0 alive
	shift 2
	note "  ... $what"
	mkdir -p "$(dirname "$log")"
	: >"$log"
	sign_of_life "$log" &
	alive=$!
	"$@" >"$log" 2>&1 </dev/null || rc=$?
	kill "$alive" 2>/dev/null || :
	wait "$alive" 2>/dev/null || :
	if [ "$rc" -ne 0 ]; then
		grep -nE '(error|Error|ERROR|undefined reference|No space left)' "$log" |
			head -n 15 >&2 || :
		tail -n 15 "$log" >&2
		note "error: $what failed (exit $rc); the whole log is $log"
		return "$rc"
	fi
	note "  ok  $what ($((SECONDS - t0)) s)"
}

# Count the results in a log: prints "passed failed skipped". A command that failed
# without a failed test, or that left no result, is one more failure, which is
# added to the log.
# judge_log <log> <name> <exit status>
judge_log()
{
	local log=$1 name=$2 status=$3 p f s
	read -r p f s < <(awk -f "$KML_TOOLS/count-results.awk" "$log")
	if [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then
		echo "not ok - $name ended with exit $status and no failed test" >>"$log"
		f=1
	fi
	if [ $((p + f + s)) -eq 0 ]; then
		echo "not ok - $name left no results" >>"$log"
		f=1
	fi
	echo "$p $f $s"
}

# Only the failures, with enough lines around each to know which test it was.
show_failures()
{
	grep -nE -B 4 '^ *not ok|^error:' "$1" | tail -n 60 | sed 's/^/    /'
}

sign_of_life()
{
	local t0=$SECONDS
	# A bash that is killed leaves its sleep running: the timeout of read waits
	# without a child.
	exec {never}<> <(:)
	while kill -0 $$ 2>/dev/null; do
		read -r -t 20 -u "$never" || :
		note "      $((SECONDS - t0)) s, $(wc -l <"$1") steps so far"
	done
}

# A short name for this checkout, so that two checkouts never share a build.
checkout_key()
{
	printf '%s' "$KML_TOP" | sha256sum | cut -c1-8
}

check_flavour()
{
	case " $KML_FLAVOURS " in
	*" $1 "*) ;;
	*) usage_error "FLAVOR=$1 is not known; choices: $KML_FLAVOURS" ;;
	esac
}

# Configurations by choice: fragments that no flavour or release implies.
extra_configs()
{
	local f name
	for f in "$KML_TOOLS"/configs/*.config; do
		name=$(basename "$f" .config)
		case " common debug ours proc-sysctl sanitize um-smp um-xstate $KML_FLAVOURS " in
		*" $name "*) ;;
		*) printf '%s ' "$name" ;;
		esac
	done
}

check_extra_config()
{
	case " $(extra_configs)" in
	*" $1 "*) ;;
	*) usage_error "CONFIG=$1 is not known; choices: $(extra_configs)" ;;
	esac
}

# A kernel is a release that this project fetches, or the path of a kernel tree.
check_kernel()
{
	case " $KML_KERNELS " in
	*" $1 "*) return ;;
	esac
	case $1 in
	*/*)
		local need
		for need in Makefile Kbuild mm; do
			[ -e "$1/$need" ] ||
				usage_error "KERNEL=$1 is not a kernel tree: looked for $need there"
		done
		;;
	*)
		usage_error "KERNEL=$1 is not known; choices: $KML_KERNELS or the path of a kernel tree"
		;;
	esac
}

# The version in a tree's Makefile, as "7.3.4".
tree_version()
{
	awk -F ' *= *' '
		$1 == "VERSION" { v = $2 }
		$1 == "PATCHLEVEL" { p = $2 }
		$1 == "SUBLEVEL" { s = $2; exit }
		END { if (v != "") print v "." p "." s }' "$1/Makefile"
}

# The names that other programs have for a flavour. Sets
#   kml_arch    kbuild's ARCH
#   kml_cross   CROSS_COMPILE, empty if the compiler of this machine will do
#   kml_target  the make target that builds the image, kml_image its path
#   kml_deb     Debian's name of the guest's processor
#   kml_qemu    the emulator, empty for a kernel that is a program
# shellcheck disable=SC2034 # the callers use what it sets
flavour_facts()
{
	local machine
	machine=$(uname -m)
	kml_cross='' kml_qemu=''
	case $1 in
	um)
		kml_arch=um kml_target=linux kml_image=linux
		case $machine in
		x86_64) kml_deb=amd64 ;;
		*) kml_deb=$machine ;;
		esac
		;;
	x86_64)
		kml_arch=x86_64 kml_target=bzImage kml_image=arch/x86/boot/bzImage
		kml_deb=amd64 kml_qemu=qemu-system-x86_64
		[ "$machine" = x86_64 ] || kml_cross=x86_64-linux-gnu-
		;;
	arm64)
		kml_arch=arm64 kml_target=Image kml_image=arch/arm64/boot/Image
		kml_deb=arm64 kml_qemu=qemu-system-aarch64
		[ "$machine" = aarch64 ] || kml_cross=aarch64-linux-gnu-
		;;
	esac
}

# The flavour of a kernel that was built.
# built_flavour <.config>
built_flavour()
{
	if grep -q '^CONFIG_UML=y' "$1"; then
		echo um
	else
		sed -n 's/^CONFIG_X86_64=y$/x86_64/p; s/^CONFIG_ARM64=y$/arm64/p' "$1" | head -n 1
	fi
}

# Does a guest of that Debian architecture run this machine's programs?
native_guest()
{
	case $1:$(uname -m) in
	amd64:x86_64 | arm64:aarch64) return 0 ;;
	*) [ "$1" = "$(uname -m)" ] ;;
	esac
}

# The directories of a kernel. Sets
#   kml_pristine  the untouched source that this project fetched, or the user's tree
#   kml_src       the source that is built: a private copy with the overlay, or
#                 (stock) an untouched source
#   kml_out       the build directory
# Build directories lie beside the source, so that relative paths are the same
# everywhere, and one ccache serves all builds.
# kernel_paths <flavour> <kernel> <stock 0|1> <debug 0|1>
# shellcheck disable=SC2034 # the callers use what it sets
kernel_paths()
{
	local flavour=$1 kernel=$2 stock=$3 debug=$4 key label base
	key=$(checkout_key)
	case $kernel in
	*/*)
		kml_pristine=$(cd "$kernel" && pwd -P)
		label=$(basename "$kml_pristine")-$(printf '%s' "$kml_pristine" | sha256sum | cut -c1-8)
		base=$KML_CACHE/checkout/$key/$label
		[ "$stock" = 0 ] || base=$base-stock
		kml_src=$base/src
		kml_out=$base/$flavour
		;;
	*)
		kml_pristine=$KML_CACHE/source/$kernel/src
		if [ "$stock" = 1 ]; then
			# Builds in another directory leave the source alone, so
			# all checkouts may build from the same copy.
			kml_src=$kml_pristine
			kml_out=$KML_CACHE/source/$kernel/$flavour-$key
		else
			kml_src=$KML_CACHE/checkout/$key/$kernel/src
			kml_out=$KML_CACHE/checkout/$key/$kernel/$flavour
		fi
		;;
	esac
	[ "$debug" = 0 ] || kml_out=$kml_out-debug
}

# The name of the newest clang, as "clang-19"; "clang" if none has a number.
newest_clang()
{
	local name
	name=$(compgen -c clang- | grep -xE 'clang-[0-9]+' | sort -uV | tail -n 1)
	echo "${name:-clang}"
}

# The environment of all builds. Sets $ccache, a prefix for compilers.
# shellcheck disable=SC2034 # the callers use it
build_env()
{
	ccache=''
	if command -v ccache >/dev/null; then
		ccache='ccache '
		# Paths are relative to the build directory, which lies beside the
		# source: objects of one checkout serve the builds of others.
		export CCACHE_BASEDIR=$KML_CACHE CCACHE_NOHASHDIR=1
	fi
	# Objects that contain the version banner should not change with each build.
	export KBUILD_BUILD_TIMESTAMP='2026-01-01' KBUILD_BUILD_USER=kmemleak
	export KBUILD_BUILD_HOST=kmemleak KBUILD_BUILD_VERSION=1
}

# Options of a fragment that the configuration does not have, for example since they
# depend on others.
# lost_options <.config> <fragment>
lost_options()
{
	awk '
		NR == FNR {
			if (/^CONFIG_/) {
				i = index($0, "=")
				have[substr($0, 1, i - 1)] = substr($0, i + 1)
			}
			next
		}
		/^CONFIG_/ { i = index($0, "="); want[substr($0, 1, i - 1)] = substr($0, i + 1) }
		/^# CONFIG_.* is not set$/ { want[$2] = "n" }
		END {
			for (o in want) {
				got = o in have ? have[o] : "n"
				if (got != want[o])
					print "  " o ": asked " want[o] ", got " got
			}
		}' "$1" "$2" | sort
}
