#!/usr/bin/env bash
# Formatting, lints, types, shell scripts, and that nothing names a machine it was written on.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

scripts/setup.sh lint

say "rustfmt"
cargo fmt --all --check
say "clippy: server, shared code, bench"
cargo clippy --all-targets -- -D warnings
say "clippy: browser"
cargo clippy -p frontend --target wasm32-unknown-unknown -- -D warnings
say "shellcheck"
shellcheck scripts/*.sh .ci/run
say "TypeScript"
npm --prefix end2end --silent run check
say "portable files"
scripts/check-portable.sh
