# shellcheck shell=bash
# Starts the image as `docker run --read-only` does, with an empty volume for its data and a network of its own, and tries it.

failed=0
check() { # what must be true, the test
  if "${@:2}"; then echo "ok    $1"; else echo "FAIL  $1" && failed=1; fi
}

# The value of a variable that the image sets.
variable() {
  local pair found=''
  for pair in "${environment[@]}"; do [[ $pair != "$1="* ]] || found=${pair#*=}; done
  echo "$found"
}

# Becomes a command in the container that runs, as `docker exec` does.
in_container() { # user, command…
  local uid gid home
  read -r uid gid home < <(account "$folder/running" "$1")
  env -i "${environment[@]}" "HOME=$home" "$(type -P nsenter)" --target "$main" --mount --pid --net --root --wd \
    "--setgid=$gid" "--setuid=$uid" -- "${@:2}"
}

# From outside, at the address that it listens on.
fetch() { nsenter --target "$main" --net curl --noproxy '*' --silent --show-error --fail --max-time 10 "http://127.0.0.1:$port$1"; }

healthy() { in_container "$user" timeout "$health_timeout" "${health[@]}" >/dev/null 2>&1; }
becomes_healthy() {
  local until=$((SECONDS + health_start + 3 * health_timeout))
  until healthy; do
    kill -0 "$container" 2>/dev/null && ((SECONDS < until)) || return 1
    sleep 0.2
  done
}

serves_its_page() {
  local page script
  page=$(fetch /) || return
  script=$(sed -n 's/^js: //p' "$folder/running$program_folder/hash.txt")
  [[ $page == *"/pkg/hubbub.$script.js"* ]] && fetch "/pkg/hubbub.$script.js" >/dev/null
}
takes_messages() { fetch /health/ready >/dev/null; }

is_no_one_special() {
  local uid gid
  read -r uid gid _ < <(account "$folder/running" "$user")
  [[ $uid != 0 && $gid != 0 ]] || return
  grep -qx "Uid:	$uid	$uid	$uid	$uid" "/proc/$main/status" && grep -qx "Gid:	$gid	$gid	$gid	$gid" "/proc/$main/status" &&
    grep -qxE 'Groups:\s*' "/proc/$main/status" && [[ $(grep -cxE 'Cap(Inh|Prm|Eff):\s0+' "/proc/$main/status") == 3 ]]
}

# Not even root can write there.
is_read_only() {
  local path
  for path in / /etc /tmp "$program_folder"; do
    [[ $(in_container root touch "$path/new" 2>&1) == *'Read-only file system'* ]] || return
    ! in_container "$user" touch "$path/new" 2>/dev/null || return
  done
}
# By the modes of the image's files, but for folders such as /tmp in which everyone keeps what is their own.
may_write_nothing() {
  local uid gid found path but=()
  read -r uid gid _ < <(account "$folder/running" "$user")
  for path in "${data[@]}"; do but+=(! -path "$folder/running$path"); done
  found=$(find "$folder/running" -xdev ! -type l ! -perm -1000 "${but[@]}" \
    \( -user "$uid" -o -group "$gid" -perm -g+w -o -perm -o+w \))
  [[ ! $found ]] || { echo "$found" && return 1; }
}
keeps_its_data() {
  local uid
  read -r uid _ < <(account "$folder/running" "$user")
  [[ $(find "$folder/running${data[0]}" -type f -user "$uid") ]]
}

has_licences() { grep -qzE 'Permission is hereby granted.*axum [0-9.]+: MIT.*Of [^:]*axum' "$folder/running$program_folder/LICENCES"; }
says_commit() { in_container "$user" "${entrypoint[0]}" --version | grep -qE "${HUBBUB_COMMIT:+, commit $HUBBUB_COMMIT}, page [0-9a-f]{12}\$"; }

# Though someone is connected, in the midst of a request.
ends_by_signal() {
  local timer asking began status=0
  rm -f "$folder/asking.txt"
  nsenter --target "$main" --net "$BASH" -c \
    "exec 3<>/dev/tcp/127.0.0.1/$port && printf 'GET / HTTP/1.1\r\nHost:' >&3 && echo asked && cat <&3" >"$folder/asking.txt" 2>&1 &
  asking=$!
  until [[ -s $folder/asking.txt ]]; do sleep 0.05; done
  [[ $(cat "$folder/asking.txt") == asked ]] || return
  sleep 10 &
  timer=$!
  began=${EPOCHREALTIME/./}
  kill -s "$stop_signal" "$main"
  wait -n "$container" "$timer" || status=$?
  ! kill -0 "$container" 2>/dev/null || return
  echo "      after $(((${EPOCHREALTIME/./} - began) / 1000)) ms, with $status"
  kill "$timer" "$asking" 2>/dev/null || true
  [[ $status == 0 ]]
}

size() { (cd "$folder/layers" && du -sch "$@" | tail -n 1 | cut -f 1); }

try_image() {
  local port main='' container data=() program_folder path
  port=$(variable PORT) program_folder=$(dirname "${entrypoint[0]}")
  # The image may name none, so that no forgotten volume is left of each container.
  data=("${volumes[@]}")
  ((${#data[@]})) || data=("$(variable HUBBUB_DATA_DIR)")

  say "starting the image, as user $user"
  mount_layers "$folder/running" ,ro "${layers[@]}"
  mount_devices "$folder/running"
  for path in "${data[@]}"; do
    # As a new volume begins: with what the image has of the folder.
    mount -t tmpfs -o "$(stat -c 'mode=%a,uid=%u,gid=%g' "$folder/running$path")" data "$folder/running$path"
  done
  contained "$folder/running" "$user" "$workdir" --net -- "${entrypoint[@]}" "${command[@]}" >"$folder/log.txt" 2>&1 &
  container=$!
  until grep -qsxE 'NSpid:\s[0-9]+\s1' "/proc/$main/status"; do
    kill -0 "$container" 2>/dev/null || die "the container did not start: $(cat "$folder/log.txt")"
    read -r main _ <"/proc/$container/task/$container/children" 2>/dev/null || true
  done
  nsenter --target "$main" --net ip link set lo up

  check "its health check passes: ${health[*]}" becomes_healthy
  check "it is process 1, neither root nor in a group of others, and without capabilities" is_no_one_special
  check "it serves its page and the page's script" serves_its_page
  check "it takes messages, which it keeps in ${data[*]}" takes_messages
  check "  with files of its own" keeps_its_data
  check "nothing else can be written to" is_read_only
  check "nothing else could be written to by its user if it were not read-only" may_write_nothing
  check "the licences are there" has_licences
  check "it says what it was built from" says_commit
  check "$stop_signal ends it within 10 s" ends_by_signal
  ((!failed)) || tail -n 20 "$folder/log.txt"
  echo "      $(size "${layers[@]:0:${#layers[@]}-base_layers}") over a base of $(size "${layers[@]: -base_layers}")"
  exit "$failed"
}
