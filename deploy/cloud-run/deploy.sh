#!/usr/bin/env bash
# Builds the image from this checkout and has the service run it. A new revision takes over while the sockets move, unnoticed.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

exists secrets describe "$url_secret" || [[ $dry ]] ||
  die "There is no secret $url_secret, which the service needs: run setup.sh first. Nothing was deployed."

commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
image=$REGION-docker.pkg.dev/$PROJECT/$repository/$SERVICE
say "building $image:$commit"
run builds submit ../.. --region="$REGION" --config=cloudbuild.yaml --substitutions="_IMAGE=$image,_COMMIT=$commit"
# By its digest: what runs is what was built, whatever the tag comes to mean.
digest=$(value "digest of the image" artifacts docker images describe "$image:$commit" --format='value(image_summary.digest)')
image=$image@$digest

say "deploying $image"
service=$(mktemp)
trap 'rm -f "$service"' EXIT
without=connector
[[ $EGRESS == direct ]] || without=direct
sed -e "/# $without only\$/d; s/ *# [a-z]* only\$//" \
  -e "$([[ $STORE == redis ]] || echo '/# begin: certificate/,/# end: certificate/d')" \
  -e "$([[ $PUBLIC_URL ]] || echo '/# begin: address/,/# end: address/d')" -e '/# begin:/d; /# end:/d' \
  -e "s|\${SERVICE}|$SERVICE|g; s|\${PROJECT}|$PROJECT|g; s|\${REGION}|$REGION|g; s|\${IMAGE}|$image|g; s|\${MIN}|$MIN|g" \
  -e "s|\${MAX}|$MAX|g; s|\${NETWORK}|$NETWORK|g; s|\${SUBNET}|$SUBNET|g; s|\${PUBLIC_URL}|$PUBLIC_URL|g" \
  service.yaml >"$service"
run run services replace "$service" --region="$REGION"
run run services add-iam-policy-binding "$SERVICE" --region="$REGION" --member=allUsers --role=roles/run.invoker >/dev/null
address=$(value "address of the service" run services describe "$SERVICE" --region="$REGION" --format='value(status.url)')
say "deployed; next: try.sh, or open"
printf '%s\n' "${PUBLIC_URL:-$address}"
