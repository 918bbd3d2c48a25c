#!/usr/bin/env bash
# Prints the licences of what the release is made from: this program's own, then of each crate which they are, then the texts that
# the crates come with, each once.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# What is linked into the server and into the browser's files, as "name version|licences".
crates() {
  {
    cargo tree --locked --edges normal --prefix none --format '{p}|{l}' --package hubbub --target "$1"
    cargo tree --locked --edges normal --prefix none --format '{p}|{l}' --package frontend --target wasm32-unknown-unknown
  } | grep -v ' (/' | sed -E 's/ \(\*\)$//; s/ v([^ |]+)[^|]*\|/ \1|/' | LC_ALL=C sort -u
}

rule() { printf '\n%s\n\n' '--------------------------------------------------------------------------------'; }

sources=("${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/)
texts=$(mktemp -d)
trap 'rm -rf "$texts"' EXIT
list=$(crates "$(rustc -vV | sed -n 's/^host: //p')")
[[ $list ]] || die "cargo tree names no crate"

while IFS='|' read -r crate _; do
  for source in "${sources[@]}"; do
    folder=$source${crate/ /-}
    [[ -d $folder ]] || continue
    while IFS= read -r -d '' text; do
      sum=$(sha256sum <"$text" | cut -d ' ' -f 1)
      [[ -e $texts/$sum ]] || cp "$text" "$texts/$sum"
      grep -qxF "$crate" "$texts/$sum.crates" 2>/dev/null || printf '%s\n' "$crate" >>"$texts/$sum.crates"
    done < <(find "$folder" -maxdepth 1 -type f \( -iname 'licen[cs]e*' -o -iname 'copying*' -o -iname 'notice*' -o -iname 'unlicense*' \) -print0 | LC_ALL=C sort -z)
    break
  done
done <<<"$list"

printf 'Hubbub is licensed under either of the Apache License 2.0 and the MIT license, at your choice.\n'
for own in LICENSE-MIT LICENSE-APACHE; do
  rule
  cat "$own"
done
rule
printf 'It is made from these crates:\n\n%s\n' "${list//|/: }"
for crates in "$texts"/*.crates; do
  rule
  printf 'Of %s:\n\n' "$(paste -s -d , "$crates" | sed 's/,/, /g')"
  cat "${crates%.crates}"
done
