#!/usr/bin/env bash
# Builds the release if need be and serves it, with the embedded engine unless REDIS_URL says otherwise.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

scripts/build.sh
# Not in dist/, which the next build replaces.
export HUBBUB_DATA_DIR=${HUBBUB_DATA_DIR:-data}
exec dist/hubbub "$@"
