#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The size rules hold, shell scripts pass shellcheck, every source names its licence, and both
# compilers are content (the other one than CC is tried).
cd "$(dirname "$0")/../.." || exit 1
rc=0

result() { # NAME EXIT_CODE OUTPUT
	if [ "$2" -eq 0 ]; then
		echo "ok $1"
	else
		echo "not ok $1"
		sed 's/^/# /' <<<"$3"
		rc=1
	fi
}

if command -v ctags >/dev/null; then
	out=$(scripts/size-limits 2>&1)
	result "functions, files and lines are short enough" $? "$out"
else
	echo "skip functions, files and lines are short enough: ctags is not installed"
fi

mapfile -t shell < <(grep -rlE '^#!.*\bbash|^# shellcheck shell' .ci scripts tests --include='*' | grep -v '\.[ch]$')
if command -v shellcheck >/dev/null; then
	out=$(shellcheck -x -P SCRIPTDIR -S warning "${shell[@]}" 2>&1)
	result "shell scripts pass shellcheck" $? "$out"
else
	echo "skip shell scripts pass shellcheck: shellcheck is not installed"
fi

out=$(grep -rL 'SPDX-License-Identifier' bpf maps user tests scripts .ci Makefile vmlinux.h \
	--include='*.[ch]' --include='*.sh' --include=Makefile)
[ -z "$out" ]
result "every source names its licence" $? "$out"

out=$(grep -n 'BUILD/sipwardd' tests/net/test_*.sh tests/bench/*.sh)
[ -z "$out" ]
result "tests start \$sipwardd, which has as many workers as make check WORKERS=N says" $? "$out"

other=clang
[ "${CC:-gcc}" != clang ] || other=gcc
out=$(for file in user/*/*.c; do
	"$other" -D_GNU_SOURCE -Iuser -I"${BUILD:-build}" -std=gnu11 -O1 -fsyntax-only -Wall -Wextra \
		-Wshadow -Wundef -Werror "$file" || echo "$file"
done 2>&1)
[ -z "$out" ]
result "$other compiles user/ without a warning" $? "$out"
exit $rc
