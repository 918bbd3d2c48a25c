#!/usr/bin/env bash
# Rebuilds on every change and reloads the page: http://127.0.0.1:3000, or at another $PORT.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

scripts/setup.sh build
# A folder of its own: these builds set other compiler flags, and sharing it would rebuild everything for `cargo test`.
export CARGO_TARGET_DIR=target/dev
# Beside the executable, where the server looks for it.
export LEPTOS_SITE_ROOT=target/dev/debug/site
# cargo-leptos hashes names only in its first build; later ones would write files that no page asks for.
export LEPTOS_HASH_FILES=false
rm -f target/dev/debug/hash.txt
# Where it waits for the server before it reloads the page.
export LEPTOS_SITE_ADDR=127.0.0.1:${PORT:-3000}
# There is nobody to hand over to.
export LEPTOS_GRACEFUL_SHUTDOWN_TIMEOUT_SECS=2
export HUBBUB_DATA_DIR=${HUBBUB_DATA_DIR:-target/dev/data}
if (($#)); then exec cargo-leptos leptos watch -- "$@"; fi
exec cargo-leptos leptos watch
