#!/usr/bin/env bash
# Takes away what setup.sh and deploy.sh made. Asks before each part that is there, and keeps the store, which holds every
# message, unless it is told otherwise:
#
#   teardown.sh               the service, its secrets, its identity, its images
#   teardown.sh --with-data   the store as well, for good
#   YES=1 teardown.sh         without asking

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

case ${1:-} in
  '') data= ;;
  --with-data) data=yes ;;
  *) die "usage: teardown.sh [--with-data]" ;;
esac

# Asks, and takes only the part's own name for a yes.
sure() { # what
  [[ -z ${YES:-} && -z $dry ]] || return 0
  printf 'Delete %s? Type %s to do it: ' "$1" "$SERVICE" >&2
  local answer=
  read -r answer || true
  [[ $answer == "$SERVICE" ]] || { say "kept $1"; return 1; }
}

# Deletes a part that is there: what it is, how it is looked for, how it is deleted.
remove() { # what, the words of both commands, separated by "--"
  local what=$1 look=()
  shift
  while [[ $1 != -- ]]; do look+=("$1") && shift; done
  shift
  exists "${look[@]}" || [[ $dry ]] || return 0
  ! sure "$what" || run "$@" --quiet
}

remove "the service $SERVICE" run services describe "$SERVICE" --region="$REGION" \
  -- run services delete "$SERVICE" --region="$REGION"
for secret in "$url_secret" "$ca_secret"; do
  remove "the secret $secret" secrets describe "$secret" -- secrets delete "$secret"
done
remove "the identity $identity" iam service-accounts describe "$identity_email" -- iam service-accounts delete "$identity_email"
remove "the images in $repository" artifacts repositories describe "$repository" --location="$REGION" \
  -- artifacts repositories delete "$repository" --location="$REGION"
if [[ $data && $STORE == redis ]]; then
  remove "Redis and every message in it" redis instances describe "$SERVICE" --region="$REGION" \
    -- redis instances delete "$SERVICE" --region="$REGION"
elif [[ $data ]]; then
  remove "Valkey and every message in it" memorystore instances describe "$SERVICE" --location="$REGION" \
    -- memorystore instances delete "$SERVICE" --location="$REGION"
  remove "the policy by which Valkey is reached" \
    network-connectivity service-connection-policies describe "$SERVICE-store" --region="$REGION" \
    -- network-connectivity service-connection-policies delete "$SERVICE-store" --region="$REGION"
else
  say "kept the store, which holds every message and costs money: teardown.sh --with-data deletes it"
fi
if [[ $EGRESS == connector ]]; then
  remove "the connector $connector" compute networks vpc-access connectors describe "$connector" --region="$REGION" \
    -- compute networks vpc-access connectors delete "$connector" --region="$REGION"
fi
say "done; the APIs stay on and roles/run.builder stays with the build's account: both cost nothing. To be rid of everything, delete the project"
