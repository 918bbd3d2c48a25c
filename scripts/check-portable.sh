#!/usr/bin/env bash
# Checks that no tracked file depends on the machine it was written on: no home folder, no private package registry.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

git rev-parse --git-dir >/dev/null 2>&1 || exit 0 # an unpacked archive, not a checkout

failed=0
# A complaint, then a command that prints what deserves it and otherwise fails.
never() {
  local found
  if found=$("${@:2}"); then
    printf '%s:\n%s\n' "$1" "$found" >&2
    failed=1
  fi
}
foreign_npm() { grep -nE '"resolved": ' "$lock" | grep -vE '"https://registry\.npmjs\.org/'; }
foreign_crates() { grep -nE '^source = ' Cargo.lock | grep -vF '"registry+https://github.com/rust-lang/crates.io-index"'; }

never "a path in someone's home folder" git grep -nIE '(^|[^a-zA-Z0-9_.-])/(root|home/[a-z0-9_-]+|Users/[A-Za-z0-9_-]+)/'
while IFS= read -r lock; do
  never "$lock fetches from another registry than npm's" foreign_npm
done < <(git ls-files '*package-lock.json')
never "Cargo.lock fetches from elsewhere than crates.io" foreign_crates
exit "$failed"
