# shellcheck shell=bash
# The Dockerfile's instructions, as Docker understands them.

# What the stage that is being made has so far, beside its layers and variables. The last stage is the image.
arguments=() workdir=/ user=root entrypoint=() command=() volumes=() health=() health_timeout=30 health_start=0
base_layers=0 stop_signal=SIGTERM
# The stages that were made, by name and by number, each with its layers.
declare -A stages=()
stage='' number=-1

# One a line, without comments.
instructions() {
  ! grep -qiE '^# *(escape|syntax) *=' Dockerfile || die "Dockerfile: this does not understand a parser's directive"
  sed -E '/^[[:space:]]*(#|$)/d' Dockerfile | sed -e ':next' -e '/\\$/{' -e N -e 's/\\\n//' -e 'b next' -e '}'
}

# The words of a text without their quotation marks, or the strings of a JSON array, each on a line.
words() {
  local text=$1
  [[ $text != '['*']' ]] || text=$(sed -E 's/^\[ *//; s/ *\]$//; s/" *, *"/" "/g' <<<"$text")
  xargs printf '%s\n' <<<"$text"
}

# A text with the stage's variables in it.
expanded() {
  local rest=$1 done='' name value pair
  while [[ $rest =~ ^([^\$]*)\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?(.*)$ ]]; do
    done+=${BASH_REMATCH[1]} name=${BASH_REMATCH[2]} rest=${BASH_REMATCH[3]} value=''
    for pair in "${arguments[@]}" "${environment[@]}"; do
      [[ $pair != "$name="* ]] || value=${pair#*=}
    done
    done+=$value
  done
  [[ $done$rest != *[\$\\\`]* ]] || die "Dockerfile: this does not understand such a variable: $1"
  printf '%s' "$done$rest"
}

# Adds the words of a text to an array.
add_words() { # array, text
  local text=$2
  local -n array=$1
  [[ $text == '['* ]] || text=$(expanded "$text")
  text=$(words "$text")
  mapfile -t -O "${#array[@]}" array <<<"$text"
}

in_workdir() { if [[ $1 == /* ]]; then echo "$1"; else echo "${workdir%/}/$1"; fi; }

# What .dockerignore lets in.
make_context() {
  local line
  rm -rf "$folder/context"
  mkdir "$folder/context"
  while IFS= read -r line; do
    case $line in
      '' | '#'* | '*') ;;
      *[\*\?]*) die ".dockerignore: this does not understand $line" ;;
      '!'*) cp -R --parents --no-dereference --preserve=mode,timestamps,links "${line#!}" "$folder/context" ;;
      *) die ".dockerignore: this understands nothing but a list of what is let in, and $line keeps something out" ;;
    esac
  done <.dockerignore
}

# A sum over names, modes and contents, such as a time stamp does not change.
sum_of_files() { # folder, paths in it…
  (
    cd "$1"
    find "${@:2}" -printf '%p %M %l\n' | LC_ALL=C sort
    find "${@:2}" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
  ) | sha256sum
}

copy_into() { # folder, where in the root, paths in the folder…
  local to=$folder/merged$2 path
  [[ $(realpath -m "$to") == "${to%/}" ]] || die "Dockerfile: COPY to $2: a link is on the way"
  for path in "${@:3}"; do
    if [[ -d $1/$path ]]; then
      mkdir -p "$to"
      cp -R --no-dereference --preserve=mode,timestamps,links "$1/$path/." "$to"
    else
      if [[ $2 == */ || -d $to || $# -gt 3 ]]; then mkdir -p "$to"; else mkdir -p "$(dirname "$to")"; fi
      cp --no-dereference --preserve=mode,timestamps "$1/$path" "$to"
    fi
  done
}

copy() {
  local paths=() to sum below='' source=$folder/context
  add_words paths "$1"
  if [[ ${paths[0]} == --from=* ]]; then
    below=${stages[${paths[0]#--from=}]:-} source=$folder/source
    [[ $below ]] || die "Dockerfile: COPY $1: there is no such stage"
    # shellcheck disable=SC2086 # a layer a word
    mount_layers "$source" ,ro $below
    paths=("${paths[@]:1}")
  fi
  [[ ${paths[0]} != --* ]] || die "Dockerfile: COPY $1: this does not understand ${paths[0]}"
  to=$(in_workdir "${paths[-1]}")
  # Without dots; the slash at its end says that it is a folder.
  case $to in
    */ | */.) to=$(realpath -ms "$to")/ ;;
    *) to=$(realpath -ms "$to") ;;
  esac
  paths=("${paths[@]:0:${#paths[@]}-1}")
  paths=("${paths[@]#/}")
  sum=$(sum_of_files "$source" "${paths[@]}")
  layer "copy $to $sum" copy_into "$source" "$to" "${paths[@]}"
  [[ ! $below ]] || umount "$source"
}

run() {
  [[ $1 != --* && $1 != '['* && $1 != *'<<'* ]] || die "Dockerfile: RUN $1: this does not understand such a command"
  say "$(tr -s ' ' <<<"$1")"
  layer "run $user $workdir $(printf '%s\n' "${arguments[@]}" "${environment[@]}") $1" \
    in_shell "$user" "$workdir" "${arguments[@]}" -- "$1"
}

start_stage() {
  local image name text
  text=$(expanded "$1")
  read -r image _ name <<<"$text"
  [[ $image != --* ]] || die "Dockerfile: FROM $1: this does not understand $image"
  end_stage
  arguments=() workdir=/ user=root entrypoint=() command=() volumes=() health=() stop_signal=SIGTERM
  stage=$name number=$((number + 1))
  base "$image"
  base_layers=${#layers[@]}
}

end_stage() {
  ((number >= 0)) || return 0
  stages[$number]=${layers[*]}
  [[ ! $stage ]] || stages[$stage]=${layers[*]}
}

health_check() {
  local rest=$1 option
  while [[ $rest == --* ]]; do
    option=${rest%% *} rest=${rest#* }
    case $option in
      --timeout=*s) health_timeout=${option//[!0-9]/} ;;
      --start-period=*s) health_start=${option//[!0-9]/} ;;
      --interval=*s | --retries=*) ;;
      *) die "Dockerfile: HEALTHCHECK: this does not understand $option" ;;
    esac
  done
  [[ $rest == 'CMD ['* ]] || die "Dockerfile: HEALTHCHECK: this does not understand $rest"
  health=()
  add_words health "${rest#CMD }"
}

# The value of an argument is that of the variable here, if there is one.
argument() {
  local name=${1%%=*} value=()
  [[ $1 != *=?* ]] || add_words value "${1#*=}"
  arguments+=("$name=${!name-${value[0]:-}}")
}

step() { # instruction, its text
  ((number >= 0)) || [[ $1 == FROM ]] || die "Dockerfile: this does not understand $1 before FROM"
  case $1 in
    FROM) start_stage "$2" ;;
    ARG) argument "$2" ;;
    ENV)
      [[ ${2%% *} == *=* ]] || die "Dockerfile: ENV $2: this does not understand one without ="
      add_words environment "$2"
      ;;
    WORKDIR)
      workdir=$(expanded "$2")
      workdir=$(in_workdir "$workdir")
      layer "workdir $workdir" mkdir -p "$folder/merged$workdir"
      ;;
    COPY) copy "$2" ;;
    RUN) run "$2" ;;
    USER) user=$(expanded "$2") ;;
    VOLUME) add_words volumes "$2" ;;
    STOPSIGNAL) stop_signal=$2 ;;
    HEALTHCHECK) health_check "$2" ;;
    ENTRYPOINT | CMD)
      # As a line of a shell it would be the shell that a signal reaches.
      [[ $2 == '['* ]] || die "Dockerfile: $1 $2: please name the program and its arguments in brackets"
      if [[ $1 == CMD ]]; then command=() && add_words command "$2"; else entrypoint=() && add_words entrypoint "$2"; fi
      ;;
    EXPOSE | LABEL) ;; # nothing that a process could tell
    *) die "Dockerfile: this does not understand $1" ;;
  esac
}
