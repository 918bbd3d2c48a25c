#!/usr/bin/env bash
# What the RustSec database knows against the crates in Cargo.lock, beyond what deny.toml says does not matter here.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

scripts/setup.sh lint
cargo-deny check advisories
