#!/usr/bin/env bash
# Tries the deployed service as people use it: health, sign-in, and a message from one socket to another.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

address=${1:-${PUBLIC_URL:-}}
[[ $address ]] || address=$(value "address of the service" run services describe "$SERVICE" --region="$REGION" --format='value(status.url)')
[[ ! $dry ]] || { say "would try $address"; exit; }
command -v python3 >/dev/null || die "python3 is missing, which the example client needs."
jar=$(mktemp -d)
trap 'rm -rf "$jar"' EXIT

say "health"
status=$(curl -sS -o "$jar/health" -w '%{http_code}' --max-time 30 "$address/health/ready") || die "$address does not answer."
[[ $status == 200 ]] || die "$address cannot take messages: $status, $(cat "$jar/health")"

say "a message from one person to another"
room="trial $RANDOM$RANDOM" text="hello from $RANDOM"
client() { python3 ../../examples/client.py --url "$address" --room "$room" --name "$1" --cookie-file "$jar/$1" "${@:2}"; }
# The listener is there first, or sees it when it comes: either way it has come through the store.
client "listener $RANDOM" --timeout 90 --expect 1 >"$jar/heard" 2>"$jar/listener" &
listener=$!
client "sender $RANDOM" --send "$text" >"$jar/sent" 2>&1 || die "The message was not sent: $(cat "$jar/sent")"
wait "$listener" || die "The message did not arrive: $(cat "$jar/listener")"
grep -qF "$text" "$jar/heard" || die "Another message arrived than the one that was sent: $(cat "$jar/heard")"
say "everything works at"
printf '%s\n' "$address"
