#!/usr/bin/env bash
# Measures the release's pages with Lighthouse as on a phone; fails where a limit is missed: scripts/lighthouse.sh

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

scripts/setup.sh test
scripts/build.sh
# Apart from end2end/: 200 packages that only this needs.
installed=lighthouse/node_modules/.lock-installed
if ! cmp -s lighthouse/package-lock.json "$installed"; then
  say "installing npm packages for lighthouse/"
  npm ci --prefix lighthouse --silent --no-audit --no-fund --ignore-scripts
  cp lighthouse/package-lock.json "$installed"
fi
say "measuring: other work on this machine makes the numbers worse"
node lighthouse/measure.mjs
