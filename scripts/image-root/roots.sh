# shellcheck shell=bash
# Roots made of layers, what runs in them, and what stands for the images that a Dockerfile begins from.

# The layers of the stage that is being made, the newest first, and the variables of whatever runs in it.
layers=() environment=()

# What a step has of this machine: a layer below its own changes, which then have nothing of it.
make_host_layer() {
  local file files
  read -ra files <<<"${HUBBUB_ROOT_FILES:-}"
  rm -rf "$folder/host"
  for file in /etc/resolv.conf /etc/hosts "${files[@]}"; do
    [[ -f ${file%%=*} ]] || die "there is no ${file%%=*} here"
    mkdir -p "$(dirname "$folder/host${file#*=}")"
    cp "${file%%=*}" "$folder/host${file#*=}"
  done
  # As the image of Debian has it.
  mkdir -p "$folder/host/etc/apt/apt.conf.d"
  printf 'Dir::Cache::%s "";\n' pkgcache srcpkgcache >"$folder/host/etc/apt/apt.conf.d/docker-clean"
}

# The variables that tell programs the way to their registries, and where this machine's certificates are: apart from the root's
# own, which a step may install.
passed_on() {
  local variable
  env | grep -E '^([a-z]+_proxy|[A-Z]+_PROXY|CARGO_(HTTP|NET|REGISTR|SOURCE)[A-Z0-9_]*|RUSTUP_(DIST_SERVER|UPDATE_ROOT)|(npm_config|NPM_CONFIG)_[A-Za-z_]+)=' ||
    true
  for variable in SSL_CERT_FILE CURL_CA_BUNDLE CARGO_HTTP_CAINFO GIT_SSL_CAINFO NODE_EXTRA_CA_CERTS; do
    echo "$variable=/dev/ca-certificates.crt"
  done
}

# Mounts layers over one another. Their names are short, for an option of mount has at most a page.
mount_layers() { # where, options, layers…
  local lower
  lower=$(IFS=: && echo "${*:3}")
  (cd "$folder/layers" && mount -t overlay -o "lowerdir=$lower$2" overlay "$1") ||
    die "No overlay on $folder: that needs a file system such as ext4 or xfs."
}

# Those that a container has.
mount_devices() { # root
  local name
  mount -t tmpfs -o mode=755,size=64m devices "$1/dev"
  mkdir "$1/dev/pts"
  mkdir -m 1777 "$1/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$1/dev/pts"
  ln -s pts/ptmx "$1/dev/ptmx"
  for name in null zero full random urandom; do
    : >"$1/dev/$name"
    mount --bind "/dev/$name" "$1/dev/$name"
  done
  ln -s /proc/self/fd "$1/dev/fd"
}

# A user's number, its group's and its home, as the image's file says.
account() { # root, name or number
  awk -F: -v user="$2" '$1 == user || $3 == user { print $3, $4, $6; found = 1; exit } END { if (!found) print user, 0, "/" }' \
    "$1/etc/passwd"
}

# Becomes a command in a root and a namespace of processes of its own: to be called with `&`.
contained() { # root, user, working directory, options of unshare…, --, command…
  local uid gid home found
  found=$(account "$1" "$2")
  read -r uid gid home <<<"$found"
  exec setpriv --no-new-privs env -i "${environment[@]}" "HOME=$home" \
    "$(type -P unshare)" --mount --pid --fork --mount-proc "--root=$1" "--wd=$3" "--setgid=$gid" "--setuid=$uid" "${@:4}"
}

# A command of the image's shell in the stage that is being made.
in_shell() { # user, working directory, further variables…, --, command
  local environment=("${environment[@]}") user=$1 directory=$2
  shift 2
  mapfile -t -O "${#environment[@]}" environment < <(passed_on)
  while [[ $1 != -- ]]; do environment+=("$1") && shift; done
  contained "$folder/merged" "$user" "$directory" -- /bin/sh -c "$2" &
  wait "$!"
}

# What a step is made from gives its layer's name, with what lies below.
layer_name() { printf '%s\n' "${layers[0]:-}" "$1" | sha256sum | cut -c 1-16; }

# Makes a layer of what a command changes in $folder/merged, unless it is there.
layer() { # what it is made from, command…
  local name new=$folder/layers/.new
  name=$(layer_name "$1")
  if [[ ! -d $folder/layers/$name ]]; then
    rm -rf "$new" "$folder/layers/.work"
    mkdir "$new" "$folder/layers/.work"
    mount_layers "$folder/merged" ",upperdir=.new,workdir=.work,index=off,metacopy=off,redirect_dir=off" ../host "${layers[@]}"
    mount_devices "$folder/merged"
    cp /etc/ssl/certs/ca-certificates.crt "$folder/merged/dev/"
    "${@:2}"
    umount --recursive "$folder/merged"
    mv "$new" "$folder/layers/$name"
  fi
  layers=("$name" "${layers[@]}")
}

base_debian() { # release
  local name new=$folder/layers/.new mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
  environment=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
  layers=()
  name=$(layer_name "debian $1 $mirror")
  if [[ ! -d $folder/layers/$name ]]; then
    say "making a root of Debian $1"
    rm -rf "$new"
    debootstrap --variant=minbase "$1" "$new" "$mirror" >"$folder/debootstrap.log" || die "debootstrap failed: $folder/debootstrap.log"
    # Debootstrap leaves this machine's.
    : >"$new/etc/resolv.conf"
    rm -rf "${new:?}"/etc/hostname "${new:?}"/dev/* "${new:?}"/var/cache/apt/archives/*.deb "${new:?}"/var/lib/apt/lists/*
    printf 'deb %s %s main\n' "$mirror" "$1" "$mirror" "$1-updates" "$mirror-security" "$1-security" >"$new/etc/apt/sources.list"
    # No service is started in an image.
    printf '#!/bin/sh\nexit 101\n' >"$new/usr/sbin/policy-rc.d"
    chmod 755 "$new/usr/sbin/policy-rc.d"
    mv "$new" "$folder/layers/$name"
  fi
  layers=("$name")
}

base_rust() { # version, release
  local channel packages rust
  channel=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
  [[ $channel.0 == "$1".* ]] || die "Dockerfile: its image has Rust $1, and rust-toolchain.toml pins $channel"
  base_debian "$2"
  environment=(RUSTUP_HOME=/usr/local/rustup CARGO_HOME=/usr/local/cargo "PATH=/usr/local/cargo/bin:${environment[0]#PATH=}")
  have rustup || die "Please install rustup (https://rustup.rs), then run this again: the image of Rust has it."
  say "installing a C compiler and Rust $channel there"
  packages="
    apt-get -qq update &&
    apt-get -qq -y install --no-install-recommends build-essential ca-certificates curl git libssl-dev pkg-config >/dev/null &&
    rm -rf /var/lib/apt/lists/*"
  layer "$packages" in_shell root / DEBIAN_FRONTEND=noninteractive -- "$packages"
  layer "copy rustup" install -m 755 "$(type -P rustup)" "$folder/merged/usr/local/bin/rustup-init"
  rust="/usr/local/bin/rustup-init -y -q --no-modify-path --profile minimal --default-toolchain $channel >/dev/null"
  layer "$rust" in_shell root / -- "$rust"
}

base() { # image
  case $1 in
    debian:*-slim) base_debian "$(sed -E 's/debian:(.*)-slim/\1/' <<<"$1")" ;;
    rust:*-*) base_rust "$(sed -E 's/rust:(.*)-.*/\1/' <<<"$1")" "${1##*-}" ;;
    *) die "Dockerfile: FROM $1: nothing is said here of what stands for that image" ;;
  esac
}
