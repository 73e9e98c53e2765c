# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the scripts of this directory share: messages, where things live, and
# the choices a user may name. Sourced, never run.

KML_TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
KML_TOP=$(cd "$KML_TOOLS/../.." && pwd)
KML_CACHE=${KMEMLEAK_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/kmemleak}
KML_FLAVOURS="um x86_64 arm64"
KML_KERNELS="7.3 6.12"
export KML_TOOLS KML_TOP KML_CACHE

# A make above us has nothing to say to the makes below: -s would hide their
# progress, variables would configure the kernel.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

# Progress goes to stderr: stdout belongs to what a script was asked for.
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

# Wrong usage is exit 2, so that callers can tell it from a failed build.
usage_error()
{
	printf 'error: %s\n' "$*" >&2
	exit 2
}

# Run a long command with its output in a log, one line before it and one after,
# and a sign of life in between; on failure show the log's end, which is where
# the reason is.
# logged <log> <what> <command...>
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

# What a log of results says, as "passed failed skipped". A command that failed
# without a failed test, or that tested nothing, is a failure: it is written to
# the log.
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

# Only what failed, with enough around it to know which test that was.
show_failures()
{
	grep -nE -B 4 '^ *not ok|^error:' "$1" | tail -n 60 | sed 's/^/    /'
}

sign_of_life()
{
	local t0=$SECONDS
	# bash keeps a sleeping child alive when it is killed: read's timeout
	# sleeps without one.
	exec {never}<> <(:)
	while kill -0 $$ 2>/dev/null; do
		read -r -t 20 -u "$never" || :
		note "      $((SECONDS - t0)) s, $(wc -l <"$1") steps so far"
	done
}

# A short name for this checkout, so that two of them never share a build.
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

# Configurations by choice: fragments that no flavour or release brings along.
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

# A kernel is a release this project fetches or the path of an unpacked tree.
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

# The version a tree's own Makefile states, as "7.3.4".
tree_version()
{
	awk -F ' *= *' '
		$1 == "VERSION" { v = $2 }
		$1 == "PATCHLEVEL" { p = $2 }
		$1 == "SUBLEVEL" { s = $2; exit }
		END { if (v != "") print v "." p "." s }' "$1/Makefile"
}

# What a flavour is called elsewhere. Sets
#   kml_arch    kbuild's ARCH
#   kml_cross   CROSS_COMPILE: empty where this machine's own compiler will do
#   kml_target  the make target that builds the image, kml_image its path
#   kml_deb     Debian's name of the guest's processor
#   kml_qemu    the emulator; empty for a kernel that is a program
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

# Does a guest of that Debian architecture run this machine's programs?
native_guest()
{
	case $1:$(uname -m) in
	amd64:x86_64 | arm64:aarch64) return 0 ;;
	*) [ "$1" = "$(uname -m)" ] ;;
	esac
}

# Where a kernel's files live. Sets
#   kml_pristine  the untouched source this project fetched, or the user's tree
#   kml_src       what gets built: a private copy with the overlay, or (STOCK)
#                 an untouched one
#   kml_out       the build directory
# Build directories are siblings of the source, one level apart, so that
# relative paths are the same everywhere and ccache serves all of them.
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
			# Out-of-tree builds leave the source alone, so every
			# checkout may build from the one pristine copy.
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

# The newest clang there is, as "clang-19"; "clang" if none has a number.
newest_clang()
{
	local name
	name=$(compgen -c clang- | grep -xE 'clang-[0-9]+' | sort -uV | tail -n 1)
	echo "${name:-clang}"
}

# What builds share: $ccache is a prefix for compilers.
# shellcheck disable=SC2034 # the callers use it
build_env()
{
	ccache=''
	if command -v ccache >/dev/null; then
		ccache='ccache '
		# Paths relative to the build directory, which lies beside every
		# source: one checkout's objects serve the next one's build.
		export CCACHE_BASEDIR=$KML_CACHE CCACHE_NOHASHDIR=1
	fi
	# The build's own identity would change every object that prints a banner.
	export KBUILD_BUILD_TIMESTAMP='2026-01-01' KBUILD_BUILD_USER=kmemleak
	export KBUILD_BUILD_HOST=kmemleak KBUILD_BUILD_VERSION=1
}

# Options of a fragment that a dependency silently dropped.
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
