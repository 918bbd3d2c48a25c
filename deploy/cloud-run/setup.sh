#!/usr/bin/env bash
# Makes everything that a deployment needs and that is not there yet. To be run as often as one likes.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

say "APIs"
apis=(run.googleapis.com artifactregistry.googleapis.com cloudbuild.googleapis.com compute.googleapis.com
  secretmanager.googleapis.com monitoring.googleapis.com)
case $STORE in
  redis) apis+=(redis.googleapis.com) ;;
  valkey) apis+=(memorystore.googleapis.com networkconnectivity.googleapis.com serviceconsumermanagement.googleapis.com) ;;
esac
[[ $EGRESS == direct ]] || apis+=(vpcaccess.googleapis.com)
run services enable "${apis[@]}"

say "the network"
if ! exists compute networks subnets describe "$SUBNET" --region="$REGION" && [[ ! $dry ]]; then
  die "There is no subnet $SUBNET in $REGION, so nothing more was done: name one of \`gcloud compute networks subnets list\` in SUBNET, and its network in NETWORK."
fi
if [[ $EGRESS == connector ]] && ! exists compute networks vpc-access connectors describe "$connector" --region="$REGION"; then
  run compute networks vpc-access connectors create "$connector" --region="$REGION" --network="$NETWORK" \
    --range="$CONNECTOR_RANGE" --min-instances=2 --max-instances=3 --machine-type=e2-micro
fi

say "a place for images"
if ! exists artifacts repositories describe "$repository" --location="$REGION"; then
  run artifacts repositories create "$repository" --location="$REGION" --repository-format=docker
fi

say "who the service is, and who builds it"
if ! exists iam service-accounts describe "$identity_email"; then
  run iam service-accounts create "$identity" --display-name="Hubbub"
fi
number=$(value "number of the project" projects describe "$PROJECT" --format='value(projectNumber)')
run projects add-iam-policy-binding "$PROJECT" --member="serviceAccount:$number-compute@developer.gserviceaccount.com" \
  --role=roles/run.builder --condition=None >/dev/null

case $STORE in
  redis)
    say "Memorystore for Redis (some minutes, the first time)"
    if ! exists redis instances describe "$SERVICE" --region="$REGION"; then
      run redis instances create "$SERVICE" --region="$REGION" --network="$NETWORK" --tier=standard --size="$SIZE_GB" \
        --redis-version=redis_7_2 --redis-config=maxmemory-policy=noeviction --persistence-mode=rdb --rdb-snapshot-period=1h \
        --enable-auth --transit-encryption-mode=server-authentication
    fi
    state=$(value "state of Redis" redis instances describe "$SERVICE" --region="$REGION" --format='value(state)')
    [[ $dry || $state == READY ]] || die "Redis is not ready but $state: wait, then run this again."
    say "its address and password, and the certificate of who signs for it, as secrets"
    host=$(value "address of Redis" redis instances describe "$SERVICE" --region="$REGION" --format='value[separator=":"](host,port)')
    password=$(value "password of Redis" redis instances get-auth-string "$SERVICE" --region="$REGION" --format='value(authString)')
    secret "$url_secret" <<<"rediss://:$password@$host"
    ca=$(value "certificate of Redis" redis instances describe "$SERVICE" --region="$REGION" --format='value(serverCaCerts[].cert)')
    secret "$ca_secret" <<<"$ca"
    ;;
  valkey)
    say "Memorystore for Valkey (some minutes, the first time)"
    if ! exists network-connectivity service-connection-policies describe "$SERVICE-store" --region="$REGION"; then
      run network-connectivity service-connection-policies create "$SERVICE-store" --region="$REGION" --network="$NETWORK" \
        --service-class=gcp-memorystore --subnets="$SUBNET"
    fi
    if ! exists memorystore instances describe "$SERVICE" --location="$REGION"; then
      run memorystore instances create "$SERVICE" --location="$REGION" --engine-version=VALKEY_8_0 --mode=cluster-disabled \
        --node-type=standard-small --shard-count=1 --replica-count=1 --engine-configs=maxmemory-policy=noeviction \
        --persistence-config-mode=aof --aof-config-append-fsync=always \
        --psc-auto-connections="network=projects/$PROJECT/global/networks/$NETWORK,projectId=$PROJECT"
    fi
    state=$(value "state of Valkey" memorystore instances describe "$SERVICE" --location="$REGION" --format='value(state)')
    [[ $dry || $state == ACTIVE ]] || die "Valkey is not ready but $state: wait, then run this again."
    say "its address, as a secret"
    host=$(value "address of Valkey" memorystore instances describe "$SERVICE" --location="$REGION" \
      --format='value(endpoints[0].connections[0].pscAutoConnection.ipAddress)')
    secret "$url_secret" <<<"redis://$host:6379"
    ;;
esac
say "done; next: deploy.sh"
