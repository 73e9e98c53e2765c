#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# sparse for trees that are newer than it. Debian's 0.6.4 knows no __typeof_unqual__; 7.x
# then prints one line and checks nothing. It knows no constant strlen(), which each
# module_param() uses. And it refuses extensions of riscv that only compilers use.
for word; do
	shift
	case $word in
	-march=rv*) ;;
	*) set -- "$@" "$word" ;;
	esac
done
exec sparse -D__typeof_unqual__=__typeof__ '-D__builtin_strlen(s)=(sizeof(s)-1)' "$@"
