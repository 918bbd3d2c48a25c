# shellcheck shell=bash
# What the scripts beside this file share: the settings, and how gcloud is called.
#
# DRY_RUN=1 prints every command instead of running it.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

say() { printf '\033[2m·\033[0m %s\n' "$*" >&2; }
die() { printf '%s\n' "$*" >&2; exit 1; }

# What the file says, unless the environment says something.
if [[ -e ${ENV_FILE:-env} ]]; then
  while IFS='=' read -r name value; do
    [[ $name =~ ^[A-Z_]+$ && -z ${!name+set} ]] && printf -v "$name" '%s' "$value"
  done <"${ENV_FILE:-env}"
fi
REGION=${REGION:-europe-west1} SERVICE=${SERVICE:-hubbub} STORE=${STORE:-redis} SIZE_GB=${SIZE_GB:-1}
NETWORK=${NETWORK:-default} SUBNET=${SUBNET:-default} EGRESS=${EGRESS:-direct}
CONNECTOR_RANGE=${CONNECTOR_RANGE:-10.8.0.0/28} MIN=${MIN:-1} MAX=${MAX:-10} PUBLIC_URL=${PUBLIC_URL:-}

[[ -n ${PROJECT:-} ]] || die "PROJECT is not set: copy env.example to env and put your project's id there."
[[ $PROJECT =~ ^[a-z][a-z0-9.:-]{4,}[a-z0-9]$ ]] || die "PROJECT=$PROJECT is no project id: see \`gcloud projects list\`."
[[ $REGION =~ ^[a-z]+-[a-z]+[0-9]+$ ]] || die "REGION=$REGION is no region such as europe-west1: see \`gcloud run regions list\`."
[[ $SERVICE =~ ^[a-z][a-z0-9-]{0,29}$ ]] || die "SERVICE=$SERVICE: lower case letters, digits and -, at most 30."
[[ $STORE == redis || $STORE == valkey ]] || die "STORE=$STORE: redis or valkey."
[[ $EGRESS == direct || $EGRESS == connector ]] || die "EGRESS=$EGRESS: direct or connector."
for number in SIZE_GB MIN MAX; do
  [[ ${!number} =~ ^[0-9]+$ ]] || die "$number=${!number} is no number."
done
((MAX >= 1 && MIN <= MAX && SIZE_GB >= 1)) || die "MIN=$MIN, MAX=$MAX, SIZE_GB=$SIZE_GB: at least 1, and MIN no more than MAX."
[[ -z $PUBLIC_URL || $PUBLIC_URL =~ ^https://[^/]+$ ]] || die "PUBLIC_URL=$PUBLIC_URL is no address such as https://chat.example.org."

# shellcheck disable=SC2034 # here and below: used by the scripts
repository=$SERVICE identity=$SERVICE-identity connector=$SERVICE-connector
identity_email=$identity@$PROJECT.iam.gserviceaccount.com
# shellcheck disable=SC2034
url_secret=$SERVICE-redis-url ca_secret=$SERVICE-redis-ca

dry=${DRY_RUN:-}
# For what a dry run says, wherever a command's own output goes.
exec 3>&1
[[ $dry ]] || command -v gcloud >/dev/null || die "gcloud is missing: see https://cloud.google.com/sdk/docs/install"

show() {
  local words
  printf -v words '%q ' gcloud "$@"
  printf '%s\n' "${words% }" >&3
}

# Runs a command that changes something.
run() {
  if [[ $dry ]]; then
    show "$@" --project="$PROJECT"
  else
    gcloud "$@" --project="$PROJECT"
  fi
}

# Whether something is there. What cannot be found out is not taken for no: nothing is made twice by mistake.
exists() {
  local error
  if [[ $dry ]]; then
    show "$@" --project="$PROJECT"
    return 1
  fi
  if error=$(gcloud "$@" --project="$PROJECT" --format='value(name)' 2>&1 >/dev/null); then return 0; fi
  case $error in
    *NOT_FOUND* | *'not found'* | *'does not exist'* | *'could not be found'*) return 1 ;;
    *) die "gcloud $* failed, so nothing more was done:
$error" ;;
  esac
}

# Prints what a command says; stops everything if that is nothing.
value() { # what it is, command
  local what=$1 found
  shift
  if [[ $dry ]]; then
    show "$@" --project="$PROJECT"
    printf '%s' "($what)"
    return
  fi
  found=$(gcloud "$@" --project="$PROJECT") || die "The $what is not known, so nothing more was done: see above."
  [[ $found ]] || die "gcloud $* names no $what, so nothing more was done."
  printf '%s' "$found"
}

# Gives a secret this value, which is read from the standard input, unless it has it.
secret() { # name
  local value
  value=$(cat)
  [[ $value ]] || die "The value of the secret $1 is empty, so nothing more was done."
  if ! exists secrets describe "$1"; then
    run secrets create "$1" --replication-policy=automatic --data-file=- <<<"$value"
  elif [[ $(gcloud secrets versions access latest --secret="$1" --project="$PROJECT") != "$value" ]]; then
    run secrets versions add "$1" --data-file=- <<<"$value"
  fi
  run secrets add-iam-policy-binding "$1" --member="serviceAccount:$identity_email" \
    --role=roles/secretmanager.secretAccessor >/dev/null
}
