#!/usr/bin/env bash
# Makes something with the release in a real browser: scripts/browser.sh icons|screenshots|switch

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

scripts/setup.sh test
[[ ${1:-} == icons ]] || scripts/build.sh
npm --prefix end2end --silent run tool -- "${1:?what to make}"
