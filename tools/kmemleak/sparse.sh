#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# sparse for trees newer than it: Debian's 0.6.4 knows no __typeof_unqual__ and
# no constant strlen(). 7.x notices the first and checks nothing, with one line
# to say so. The second is in each module_param(). It also refuses extensions of
# riscv that matter to compilers only.
for word; do
	shift
	case $word in
	-march=rv*) ;;
	*) set -- "$@" "$word" ;;
	esac
done
exec sparse -D__typeof_unqual__=__typeof__ '-D__builtin_strlen(s)=(sizeof(s)-1)' "$@"
