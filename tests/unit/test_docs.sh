#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The tests that docs/admission.md names are there.
set -u
cd "$(dirname "$0")/../.." || exit 1
document=docs/admission.md
rows=0 missing=()

while IFS='|' read -r _ _ _ shown _; do
	shown=${shown# }
	shown=${shown% }
	case $shown in
	unit/* | net/* | bpf/*) ;;
	*) continue ;;
	esac
	rows=$((rows + 1))
	file=tests/${shown%%: *} name=${shown#*: }
	case $file in
	*.c) pattern="($name)" ;;  # as the table of cases in main has it
	*) pattern="\"$name\"" ;;
	esac
	grep -qF -- "$pattern" "$file" 2>/dev/null || missing+=("$shown")
done <"$document"

if [ "${#missing[@]}" -eq 0 ] && [ "$rows" -gt 50 ]; then
	echo "ok the $rows tests that $document names are there"
else
	echo "not ok every test that $document names is there"
	printf '# %s\n' "$rows rows" "${missing[@]}"
	exit 1
fi
