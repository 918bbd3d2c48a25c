#!/usr/bin/env bash
# Checks the release in dist/: complete, nothing stale, within its budgets.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

failed=0
check() { # what must be true, the test
  if "${@:2}"; then echo "ok    $1"; else echo "FAIL  $1" && failed=1; fi
}
at_most() { # bytes, files
  local size
  size=$(cat "${@:2}" | wc -c)
  echo "      $size of $1 bytes"
  ((size <= $1))
}

[[ -d dist ]] || die "There is no dist/: run make build."
js=dist/site/pkg/hubbub.$(sed -n 's/^js: //p' dist/hash.txt).js
wasm=dist/site/pkg/hubbub.$(sed -n 's/^wasm: //p' dist/hash.txt).wasm
css=dist/site/pkg/hubbub.$(sed -n 's/^css: //p' dist/hash.txt).css

check "the server is executable" test -x dist/hubbub
for file in "$js" "$wasm" "$css"; do
  check "hash.txt names a file that exists: $file" test -s "$file"
  check "  with a .br and a .gz" test -s "$file.br" -a -s "$file.gz"
done
only_current() { [[ $(find dist/site/pkg -maxdepth 1 -type f -name 'hubbub.*' | wc -l) == 9 ]]; }
check "no file of an earlier build is left" only_current
no_home() { ! grep -qaE '/(root|home/[a-z0-9_-]+|Users/[A-Za-z0-9_-]+)/' "$wasm" "$js"; }
check "the browser's files name no one's home folder" no_home
check "WASM and JavaScript fit their budget, compressed" at_most 300000 "$wasm.br" "$js.br"
check "the server fits its budget" at_most 25000000 dist/hubbub
names_commit() { [[ ! -e .git ]] || dist/hubbub --version | grep -qE ', commit [0-9a-f]{7,}, page [0-9a-f]{12}$'; }
check "the server says what it was built from" names_commit
check "the licences of this program and of its crates are there" \
  grep -qzE 'Permission is hereby granted.*axum [0-9.]+: MIT.*leptos [0-9.]+: MIT.*Of [^:]*axum' dist/LICENCES
nothing_to_do() { [[ -z $(scripts/build.sh 2>&1) ]]; }
check "a second build has nothing to do" nothing_to_do
exit "$failed"
