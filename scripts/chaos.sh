#!/usr/bin/env bash
# People talk through three instances while instances, Redis and the network fail; then everything they saw is checked.
# Settable: SEED, FAULTS, SECS, ENGINE (redis or embedded), PEOPLE, PAUSE_MS, SOCKET_LIFETIME. The last line is the result.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

scripts/setup.sh redis
scripts/build.sh
say "the clients and the checker"
cargo build --quiet --release -p bench
exec target/release/bench chaos "$@"
