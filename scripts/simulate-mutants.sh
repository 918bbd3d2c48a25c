#!/usr/bin/env bash
# Proof that the simulation can fail: each deliberate bug in bench/mutants whose code it runs is put into a copy, and the seeds
# that the patch names have to find it.
#
#   scripts/simulate-mutants.sh [name…]
#
# A patch's line "Simulation: SEEDS=… finds …" says of how many seeds one finds it, and which invariant it violates. Without names,
# those that have one. SECS says after how many seconds a mutant counts as not found (300).

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

have patch || die "patch is missing; install it with your system's package manager"

if [ $# -eq 0 ]; then
  mapfile -t all < <(grep -l '^Simulation: ' bench/mutants/*.patch)
  set -- "${all[@]}"
fi
patches=()
for name in "$@"; do
  patches+=("bench/mutants/$(basename "$name" .patch).patch")
  [ -f "${patches[-1]}" ] || die "there is no ${patches[-1]}"
done

out=$PWD/target/simulated
tree=$out/tree bin=$out/target/debug
rm -rf "$out"
mkdir -p "$tree" "$bin/deps"

# As in chaos-mutants.sh: a target folder of its own for what is built from the copy, and what that depends on linked.
own=$(members | tr '\n' '|')
own=${own%|}
if [ -d target/debug/deps ]; then
  cp --archive target/debug/build target/debug/.fingerprint "$bin/"
  find "$bin"/{build,.fingerprint} -mindepth 1 -maxdepth 1 -regextype egrep -regex ".*/($own)-[^/-]*" -exec rm -r {} +
  find target/debug/deps -name 'lib*' -not -name 'lib*.d' -regextype egrep \
    -not -regex ".*/lib($own)-[^/]*" -exec cp --archive --link --target-directory "$bin/deps" {} +
fi
git ls-files -z -- ':!.cargo' | tar --create --null --files-from - | tar --extract --touch --directory "$tree"

report=$(printf '%-26s %-9s %-9s %6s %8s' mutant expected found seeds seconds)
failed=
for patch in "${patches[@]}"; do
  name=$(basename "$patch" .patch)
  line=$(sed -n '/^--- /q; s/^Simulation: *//p' "$patch")
  seeds=$(sed -n 's/^SEEDS=\([0-9]*\).*/\1/p' <<<"$line") expected=${line##*finds }
  say "$name: $line"
  patch --directory "$tree" --strip 1 --no-backup-if-mismatch --quiet <"$patch" || die "$patch does not apply any more"
  (cd "$tree" && cargo test --quiet --test simulation --no-run --target-dir "$out/target") >"$out/$name.build" 2>&1 ||
    { cat "$out/$name.build" >&2; die "$name does not build"; }
  begin=$SECONDS
  (cd "$tree" && QUIET=yes SEEDS=${seeds:-100} timeout "${SECS:-300}" \
    cargo test --quiet --test simulation --target-dir "$out/target" -- --exact one_seed --nocapture) \
    >"$out/$name.log" 2>&1 || true
  took=$((SECONDS - begin))
  patch --directory "$tree" --strip 1 --no-backup-if-mismatch --quiet --reverse <"$patch"
  found=$(sed -n 's/^seed [0-9]*: .* the first of \([A-Za-z0-9]*\)\..*/\1/p' "$out/$name.log" | head -n 1)
  tried=$(grep -c '^seed [0-9]*: ' "$out/$name.log" || true)
  if [ -z "$found" ]; then
    failed=yes
    say "$name SURVIVED; see $out/$name.log"
  fi
  report+=$'\n'$(printf '%-26s %-9s %-9s %6s %8s' "$name" "${expected:--}" "${found:-none}" "$tried" "$took")
done

printf '%s\n' "$report"
[ -z "$failed" ] || die "not every mutant was caught"
say "every mutant was caught"
