#!/usr/bin/env bash
# Runs every test, or one part: scripts/test.sh [rust|chaos|dist|e2e|traces]. Traces alone are no part of the whole: with their
# feature half of what the server depends on is compiled once more.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

only=${1:-}
case $only in '' | rust | chaos | dist | e2e | traces) ;; *) die "usage: scripts/test.sh [rust|chaos|dist|e2e|traces]" ;; esac
part() { [[ -z $only || $only == "$1" ]]; }

doing="installing what the tests need"
trap '[[ $? == 0 ]] || echo "FAIL $doing"' EXIT
begin() { doing=$1; say "$1"; }

scripts/setup.sh test

if part rust; then
  begin "Rust tests"
  cargo test
fi
if [[ $only == traces ]]; then
  begin "traces for OpenTelemetry"
  cargo test --features opentelemetry --test opentelemetry
fi
if part chaos; then
  begin "what makes chaos"
  cargo build -p hubbub -p bench
  for engine in embedded redis; do
    begin "a minute of chaos on $engine"
    SECS=60 target/debug/bench --server target/debug/hubbub chaos --engine "$engine"
  done
fi
if part dist || part e2e; then
  begin "the release"
  scripts/build.sh
fi
if part dist; then
  begin "the release's files"
  scripts/check-dist.sh
fi
if part e2e; then
  begin "browser tests"
  npm --prefix end2end --silent test
fi
