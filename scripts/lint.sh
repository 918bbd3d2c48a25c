#!/usr/bin/env bash
# Formatting, lints, licences and sources of crates, types, shell scripts, that the deliberate bugs of the chaos and the simulation can be put in, and
# that nothing names a machine it was written on.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

scripts/setup.sh lint

say "rustfmt"
cargo fmt --all --check
say "clippy: server, shared code, bench"
cargo clippy --all-targets -- -D warnings
say "clippy: traces for OpenTelemetry"
cargo clippy --package hubbub --lib --bins --test opentelemetry --features opentelemetry -- -D warnings
say "clippy: browser"
cargo clippy -p frontend --target wasm32-unknown-unknown -- -D warnings
say "cargo-deny: licences, bans, sources"
# Without advisories: those change while nothing here does. `make advisories` asks for them.
cargo-deny --log-level error check bans licenses sources
say "shellcheck"
shellcheck --external-sources --check-sourced scripts/*.sh deploy/cloud-run/*.sh .ci/run
say "TypeScript"
npm --prefix end2end --silent run check
say "the deliberate bugs of chaos and simulation fit the code, and stand in docs/reliability.md with what finds them"
for bug in bench/mutants/*.patch; do
  patch --dry-run --silent --strip=1 <"$bug" || die "$bug does not apply any more: write it anew"
  name=$(basename "$bug" .patch)
  row=$(grep "^| \`$name\` |" docs/reliability.md) || die "docs/reliability.md does not name $name"
  simulation=$(sed -n 's/^Simulation: .* finds //p' "$bug") chaos=$(sed -n 's/^Expect: //p' "$bug")
  [[ $row == *" | ${simulation:-–}"*" | ${chaos:-–} |" ]] ||
    die "docs/reliability.md says of $name what its patch does not: found by simulation ${simulation:-–}, by chaos ${chaos:-–}"
done
say "portable files"
scripts/check-portable.sh
