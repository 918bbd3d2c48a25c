#!/usr/bin/env bash
# Makes the release in dist/, unless it already is what these sources give:
#
#   dist/hubbub      the server
#   dist/hash.txt    the hashes in the names of the browser's files, for scripts/check-dist.sh
#   dist/LICENCES    of this program, and of everything that it is made from
#   dist/site/       what it serves: public/ at the top, pkg/ with hubbub.<hash>.{js,wasm,css}; each also .br and .gz
#
# HUBBUB_COMMIT is what `hubbub --version` names; in a checkout it is the last commit that changed anything here.
#
# `scripts/build.sh dependencies` only compiles what the sources depend on, without them: a layer of an image.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# Whatever the reader's own settings are, the release is built in one place.
export CARGO_TARGET_DIR=target LEPTOS_SITE_ROOT=target/site

# Panics carry the path of their source file, and the browser's files are public: keep the builder's home out of them.
# For the browser alone, so that the server shares what plain `cargo build --release` compiles.
crates=${CARGO_HOME:-$HOME/.cargo}/registry/src
# What is said here takes the place of the flags in .cargo/config.toml, so they are said again.
flags="${CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS:-} --cfg erase_components"
if [[ $crates$PWD != *' '* ]]; then # flags are separated by spaces
  flags+=" --remap-path-prefix=$crates=crates --remap-path-prefix=$PWD=hubbub"
fi
export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS=$flags

inputs=()
for path in src app crates frontend style public Cargo.toml Cargo.lock bench/Cargo.toml rust-toolchain.toml .cargo \
  LICENSE-APACHE LICENSE-MIT scripts/lib.sh scripts/setup.sh scripts/build.sh scripts/licences.sh; do
  [[ -e $path ]] && inputs+=("$path")
done

if [[ ${1:-} == dependencies ]]; then
  # Empty sources for every crate, which cargo then forgets: real ones may be older than what was made of these.
  made=()
  empty() { [[ -e $1 ]] || { mkdir -p "$(dirname "$1")" && touch "$1" && made+=("$1"); }; }
  for manifest in Cargo.toml */Cargo.toml crates/*/Cargo.toml; do
    empty "$(dirname "$manifest")/src/lib.rs"
  done
  [[ -e src/main.rs ]] || { echo 'fn main() {}' >src/main.rs && made+=(src/main.rs); }
  say "compiling what the release depends on"
  cargo build --locked --release --package hubbub --bin hubbub
  cargo build --locked --profile wasm-release --package frontend --lib --target wasm32-unknown-unknown --target-dir target/front
  for member in $(members); do
    cargo clean --quiet --release --package "$member"
    cargo clean --quiet --profile wasm-release --package "$member" --target wasm32-unknown-unknown --target-dir target/front
  done
  rm "${made[@]}"
  exit
fi

if [[ -z ${HUBBUB_COMMIT:-} ]] && have git; then
  HUBBUB_COMMIT=$(git log -1 --format=%h -- "${inputs[@]}" 2>/dev/null || true)
fi
export HUBBUB_COMMIT=${HUBBUB_COMMIT:-}

# By content: a checkout of another branch and back changes every time stamp and nothing else.
fingerprint() {
  {
    find "${inputs[@]}" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
    env | grep -E '^(HUBBUB_COMMIT|CARGO_(BUILD|ENCODED|PROFILE|TARGET)|LEPTOS|RUSTFLAGS|SERVER_FN)' | LC_ALL=C sort
  } | sha256sum
}

mkdir -p target
if have flock; then
  exec 8>target/.build.lock
  flock -n 8 || { say "waiting for another build to finish" && flock 8; }
fi

now=$(fingerprint)
[[ -x dist/hubbub && $(cat target/dist.stamp 2>/dev/null) == "$now" ]] && exit

scripts/setup.sh build
say "building the release"
# Called by its own name: `cargo leptos` would put ~/.cargo/bin, and any other version of a tool there, first.
cargo-leptos leptos build --release --precompress

rm -rf target/dist.new target/dist.old
mkdir target/dist.new
cp target/release/hubbub target/release/hash.txt target/dist.new/
cp -R target/site target/dist.new/site
scripts/licences.sh >target/dist.new/LICENCES
# Type declarations are for people who write TypeScript against the module; nobody fetches them.
find target/dist.new/site/pkg -type f \( -name '*.ts' -o -name '*.ts.br' -o -name '*.ts.gz' \) -delete

rm -f target/dist.stamp
[[ ! -e dist ]] || mv dist target/dist.old
mv target/dist.new dist
rm -rf target/dist.old
# Sources that changed during the build are not in it: this stamp then fails to match, and the next build takes them.
echo "$now" >target/dist.stamp
say "the release is in dist/ ($(du -h dist/hubbub | cut -f1) server, $(du -ch dist/site/pkg/*.br | tail -n 1 | cut -f1) for the browser)"
