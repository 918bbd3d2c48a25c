#!/usr/bin/env bash
# Installs what is lacking: scripts/setup.sh [build] [test] [redis] [lint]. Silent when nothing is.
#
# Build tools go to ~/.cache/hubbub/tools (or $HUBBUB_TOOLS), a folder per version: downloaded ready-made where that
# works, compiled where it does not. Packages of the system are installed with apt if this user may, else named.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

packages=()

# program, the Debian package it comes from
program() { have "$1" || packages+=("$2"); }

# fontconfig pattern, the Debian package of a font that matches
font() { [[ -n $(fc-list "$1" 2>/dev/null) ]] || packages+=("$2"); }

install_packages() {
  ((${#packages[@]})) || return 0
  have apt-get || die "Please install these (named as in Debian), then run this again: ${packages[*]}"
  local sudo=()
  if [[ $(id -u) != 0 ]]; then
    if ! sudo -n true 2>/dev/null; then
      die "Please run this, then try again:
  sudo apt-get update && sudo apt-get install --no-install-recommends ${packages[*]}"
    fi
    sudo=(sudo -n)
  fi
  say "installing Debian packages: ${packages[*]}"
  # A broken list of packages need not stop the installation, and if it does, that says why.
  "${sudo[@]}" apt-get -qq -o DPkg::Lock::Timeout=300 update || true
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "${packages[@]}" >/dev/null
}

rust() {
  local channel sysroot
  have cargo || die "Rust is missing. Install it with rustup (https://rustup.rs), then run this again."
  channel=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
  if ! sysroot=$(RUSTUP_AUTO_INSTALL=0 rustc --print sysroot 2>/dev/null); then
    say "installing Rust $channel"
    rustup toolchain install "$channel" --profile minimal --component clippy,rustfmt --target wasm32-unknown-unknown
    sysroot=$(rustc --print sysroot)
  fi
  if [[ ! -d $sysroot/lib/rustlib/wasm32-unknown-unknown/lib ]]; then
    have rustup || die "This Rust cannot build for wasm32-unknown-unknown. Use rustup's (https://rustup.rs)."
    say "installing Rust's wasm32 target"
    rustup target add wasm32-unknown-unknown
  fi
}

rust_components() {
  cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 && return
  say "installing rustfmt and clippy"
  rustup component add rustfmt clippy
}

is_version() { [[ " $("$1" --version 2>/dev/null) " == *" $2 "* ]]; }

# Downloads an archive and takes one program out of it. Fails quietly: there is another way.
download() { # program, address, folder to put it in
  have curl || return 1
  local unpacked=$3.unpacked found
  mkdir -p "$unpacked" "$3"
  curl --proto '=https' --connect-timeout 5 --max-time 300 -fsL "$2" 2>/dev/null | tar -xz -C "$unpacked" 2>/dev/null || return 1
  found=$(find "$unpacked" -type f -name "$1" | head -n 1)
  [[ -n $found ]] && mv "$found" "$3/$1" && chmod +x "$3/$1" && rm -rf "$unpacked"
}

# Optimised machine code is not worth its compile time in a tool that runs for seconds.
compile() { # folder, cargo install's arguments
  CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=256 \
    CARGO_TARGET_DIR="$1.target" cargo install --quiet --root "$1" "${@:2}"
}

machine=$(uname -s)-$(uname -m)

make_cargo_leptos() {
  local triple
  case $machine in
    Linux-x86_64) triple=x86_64-unknown-linux-gnu ;;
    Linux-aarch64) triple=aarch64-unknown-linux-gnu ;;
    *) triple= ;;
  esac
  local from=https://github.com/leptos-rs/cargo-leptos/releases/download
  if [[ $triple ]] && download cargo-leptos "$from/v$cargo_leptos/cargo-leptos-$triple.tar.gz" "$1/bin" &&
    is_version "$1/bin/cargo-leptos" "$cargo_leptos"; then
    return
  fi
  say "  no ready-made one to be had: compiling it, which takes about 10 minutes on two cores, once"
  compile "$1" --locked --version "=$cargo_leptos" cargo-leptos
}

make_wasm_bindgen() {
  local triple
  case $machine in
    Linux-x86_64) triple=x86_64-unknown-linux-musl ;;
    Linux-aarch64) triple=aarch64-unknown-linux-gnu ;;
    *) triple= ;;
  esac
  local from=https://github.com/wasm-bindgen/wasm-bindgen/releases/download
  if [[ $triple ]] && download wasm-bindgen "$from/$wasm_bindgen/wasm-bindgen-$wasm_bindgen-$triple.tar.gz" "$1/bin" &&
    is_version "$1/bin/wasm-bindgen" "$wasm_bindgen"; then
    return
  fi
  say "  no ready-made one to be had: compiling it, which takes about a minute on two cores, once"
  compile "$1" --version "=$wasm_bindgen" wasm-bindgen-cli
}

make_wasm_opt() {
  local archive
  case $machine in
    Linux-x86_64 | Linux-aarch64) archive=binaryen-version_$binaryen-$(uname -m)-linux.tar.gz ;;
    *) archive= ;;
  esac
  local from=https://github.com/WebAssembly/binaryen/releases/download
  if [[ $archive ]] && download wasm-opt "$from/version_$binaryen/$archive" "$1/bin" &&
    is_version "$1/bin/wasm-opt" "$binaryen"; then
    return
  fi
  say "  taking it from npm instead"
  program node nodejs
  program npm npm
  install_packages
  npm install --prefix "$1" --silent --no-audit --no-fund --ignore-scripts "binaryen@$binaryen" >&2
  mkdir -p "$1/bin"
  ln -sf ../node_modules/.bin/wasm-opt "$1/bin/wasm-opt"
}

# Makes sure that a build tool is there: this version from the PATH, or in a folder of its own.
tool() { # program, folder's name, version, function that fills the folder
  local program=$1 folder=$tools/$2-$3 new
  # What is in the folder was tried before it was put there.
  [[ -x $folder/bin/$program ]] && return
  is_version "$program" "$3" && return

  mkdir -p "$tools"
  if have flock; then
    exec 9>"$tools/.lock"
    flock -n 9 || { say "waiting for another set-up to finish" && flock 9; }
    [[ -x $folder/bin/$program ]] && { exec 9>&-; return; }
  fi
  say "installing $program $3"
  new=$(mktemp -d "$tools/.new.XXXXXX")
  # shellcheck disable=SC2064 # now, while the name is known
  trap "rm -rf '$new'" EXIT
  "$4" "$new/tool"
  is_version "$new/tool/bin/$program" "$3" || die "$program $3 was installed but does not run."
  rm -rf "$folder"
  mv "$new/tool" "$folder"
  rm -rf "$new"
  trap - EXIT
  if have flock; then exec 9>&-; fi
}

npm_packages() {
  local installed=end2end/node_modules/.lock-installed
  [[ $(node --version) =~ ^v(2[0-9]|[3-9][0-9])\. ]] ||
    die "Playwright needs Node.js 20 or newer and this is $(node --version): see https://nodejs.org"
  cmp -s end2end/package-lock.json "$installed" && return
  say "installing npm packages for end2end/"
  npm ci --prefix end2end --silent --no-audit --no-fund
  cp end2end/package-lock.json "$installed"
}

for what in "${@:-build}"; do
  case $what in
    build) program cc build-essential && program curl curl ;;
    test)
      program redis-server redis-server
      program strace strace
      program python3 python3
      [[ -n ${CHROMIUM:-} ]] || program chromium chromium
      font :lang=ko fonts-noto-cjk
      font :lang=und-zsye fonts-noto-color-emoji
      program node nodejs && program npm npm
      ;;
    redis) program redis-server redis-server ;;
    lint) program shellcheck shellcheck && program node nodejs && program npm npm ;;
    *) die "usage: scripts/setup.sh [build] [test] [redis] [lint]" ;;
  esac
done
install_packages

rust
for what in "${@:-build}"; do
  case $what in
    build)
      tool cargo-leptos cargo-leptos "$cargo_leptos" make_cargo_leptos
      tool wasm-bindgen wasm-bindgen-cli "$wasm_bindgen" make_wasm_bindgen
      tool wasm-opt binaryen "$binaryen" make_wasm_opt
      ;;
    test) npm_packages ;;
    lint) rust_components && npm_packages ;;
  esac
done
