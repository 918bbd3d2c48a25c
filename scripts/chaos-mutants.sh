#!/usr/bin/env bash
# Proof that `make chaos` can fail: each deliberate bug in bench/mutants is put into a copy, and the chaos that the patch
# names has to find it. First the same chaos has to find nothing in the copy as it is.
#
#   scripts/chaos-mutants.sh [--no-control] [name…]
#
# The lines before a patch's diff say what it breaks, with which options of the chaos it is caught, and which invariant it
# violates. SEED in the environment takes precedence over a patch's own.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

have patch || die "patch is missing; install it with your system's package manager"
scripts/setup.sh redis

control=yes
if [ "${1:-}" = --no-control ]; then
  control=
  shift
fi
# Those that the chaos finds; the others are the simulation's, see simulate-mutants.sh.
mapfile -t all < <(grep -l '^Caught-by: ' bench/mutants/*.patch)
if [ $# -eq 0 ]; then
  set -- "${all[@]}"
fi
patches=()
for name in "$@"; do
  patches+=("bench/mutants/$(basename "$name" .patch).patch")
  [ -f "${patches[-1]}" ] || die "there is no ${patches[-1]}"
done

out=$PWD/target/mutants
tree=$out/tree bin=$out/target/debug
rm -rf "$out"
mkdir -p "$tree" "$bin/deps"

# A target folder of its own: Cargo names what it builds from the copy as it names what it builds from here, and goes by
# times alone, so in a common one a mutant would be taken for the real thing. What both depend on is linked, not built again.
own=$(members | tr '\n' '|')
own=${own%|}
if [ -d target/debug/deps ]; then
  cp --archive target/debug/build target/debug/.fingerprint "$bin/"
  find "$bin"/{build,.fingerprint} -mindepth 1 -maxdepth 1 -regextype egrep -regex ".*/($own)-[^/-]*" -exec rm -r {} +
  find target/debug/deps -name 'lib*' -not -name 'lib*.d' -regextype egrep \
    -not -regex ".*/lib($own)-[^/]*" -exec cp --archive --link --target-directory "$bin/deps" {} +
fi

# As of now, and patched and restored files as of later, so that what a mutant left never looks newer than the file that
# was put right. Without .cargo, which already counts for what is below it.
git ls-files -z -- ':!.cargo' | tar --create --null --files-from - | tar --extract --touch --directory "$tree"

# Builds the copy as it is now.
build() {
  (cd "$tree" && cargo build --quiet -p hubbub -p bench --target-dir "$out/target") >"$out/$1.build" 2>&1 ||
    { cat "$out/$1.build" >&2; die "$1 does not build"; }
}

# What a patch says of itself.
header() { sed -n "/^--- /q; s/^$2: *//p" "$1"; }

# Runs the chaos with some options; what it found is in $found afterwards: "" for nothing, "no verdict" for a run that
# did not come to its end.
found='' seed='' took=0 runs=0
run() {
  local name=$1 begin=$SECONDS line
  shift
  mkdir "$out/$name.files"
  env -u FAULTS -u SECS -u ENGINE -u PEOPLE -u PAUSE_MS -u SOCKET_LIFETIME "$@" ${SEED:+SEED="$SEED"} \
    TMPDIR="$out/$name.files" timeout 300 \
    "$bin/bench" --server "$bin/hubbub" chaos >"$out/$name.json" 2>"$out/$name.log" || true
  took=$((SECONDS - begin)) runs=$((runs + 1))
  line=$(tail -n 1 "$out/$name.json")
  seed=$(sed -n 's/^{"seed":\([0-9]*\).*/\1/p' <<<"$line")
  case $line in
    '{"seed":'*'"violations":{}'*) found='' ;;
    '{"seed":'*) found=$(sed 's/.*"violations":{\([^}]*\)}.*/\1/; s/"//g; s/:/ × /g; s/,/, /g' <<<"$line") ;;
    *) found='no verdict' ;;
  esac
  [ -n "$found" ] || rm -rf "$out/$name.files"
}

failed=
row() { printf '%-30s %-9s %-34s %7s %7s%s' "$@"; }
report=$(row mutant expected violations seed seconds '')
note() {
  report+=$'\n'$(row "$1" "$2" "${3:-none}" "$seed" "$took" "${4:-}")
  say "$1: ${3:-none}${4:-}"
}

if [ "$control" ]; then
  say "building the copy"
  build control
  declare -A seen=()
  for patch in "${patches[@]}"; do
    options=$(header "$patch" Caught-by)
    [ -z "${seen[$options]:-}" ] || continue
    seen[$options]=1
    say "control: $options"
    # shellcheck disable=SC2086 # words
    run "control-$runs" $options
    if [ -n "$found" ]; then
      failed=yes
      note "(none, ${#seen[@]})" nothing "$found" "  FALSE ALARM, $options; see $out/control-$((runs - 1)).log"
    else
      note "(none, ${#seen[@]})" nothing "$found"
    fi
  done
fi

for patch in "${patches[@]}"; do
  name=$(basename "$patch" .patch) options=$(header "$patch" Caught-by) expected=$(header "$patch" Expect)
  say "$name: $options"
  patch --directory "$tree" --strip 1 --no-backup-if-mismatch --quiet <"$patch" || die "$patch does not apply any more"
  build "$name"
  # shellcheck disable=SC2086 # words
  run "$name" $options
  patch --directory "$tree" --strip 1 --no-backup-if-mismatch --quiet --reverse <"$patch"
  if grep -q "\b$expected ×" <<<"$found"; then
    note "$name" "$expected" "$found"
    rm -rf "$out/$name.files"
  else
    failed=yes
    note "$name" "$expected" "$found" "  SURVIVED; see $out/$name.log"
  fi
done

printf '%s\n' "$report"
[ -z "$failed" ] || die "not every mutant was caught, or there was a false alarm"
say "every mutant was caught"
