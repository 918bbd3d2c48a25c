#!/usr/bin/env bash
# How the service and its store are.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

say "the service"
run run services describe "$SERVICE" --region="$REGION" \
  --format='value[separator="  "](status.url,status.latestReadyRevisionName,status.conditions[0].status,status.conditions[0].message)'
say "its revisions"
run run revisions list --service="$SERVICE" --region="$REGION" --limit=5
say "the store"
case $STORE in
  redis) run redis instances describe "$SERVICE" --region="$REGION" --format='value[separator="  "](host,state,redisVersion,memorySizeGb)' ;;
  valkey) run memorystore instances describe "$SERVICE" --location="$REGION" --format='value[separator="  "](state,engineVersion,nodeType)' ;;
esac
say "what went wrong in the last hour"
run logging read "resource.type=cloud_run_revision AND resource.labels.service_name=$SERVICE AND severity>=WARNING" \
  --freshness=1h --limit=20 --format='value(timestamp,severity,jsonPayload.message)'
