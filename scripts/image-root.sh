#!/usr/bin/env bash
# Runs the Dockerfile's steps in clean Debian roots, without Docker, then starts what comes of them and tries it.
#
# It reads the Dockerfile itself, and the context is what .dockerignore lets in; an instruction that it does not understand is
# an error. Everything is in target/image-root/, each step's changes in a folder that the next run takes again if nothing
# changed that they are made from: remove it to begin anew. Instead of what Docker has there is
#
#   FROM debian:RELEASE-slim    what `debootstrap --variant=minbase` makes of that release: larger, for its manuals
#   FROM rust:VERSION-RELEASE   that with a C compiler, curl, git, this machine's rustup, and the toolchain that
#                               rust-toolchain.toml pins, which has to be of the version in the image's name
#   --build-arg NAME=VALUE      the variable of that name: HUBBUB_COMMIT=… scripts/image-root.sh
#
# A step has, and does not keep, this machine's resolv.conf, hosts and certificates, each file of HUBBUB_ROOT_FILES (a path, or
# PATH=PATH-THERE, separated by spaces: what apt or cargo have to be told to reach their registries from here, or a tool that
# need not be compiled) and the variables that tell programs the way there, such as https_proxy and CARGO_HTTP_CAINFO.
# DEBIAN_MIRROR is where Debian comes from.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

[[ $(uname -s) == Linux && $(id -u) == 0 ]] || die "This changes roots and mounts: please run it as root, on Linux."
if [[ ${1:-} != inside ]]; then
  scripts/setup.sh image
  # When this ends, however it ends, so do all processes and mounts inside.
  setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc "$BASH" scripts/image-root.sh inside &
  trap 'kill -KILL "$!" 2>/dev/null || true' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  wait "$!"
  exit
fi

folder=$PWD/target/image-root
umask 022
mkdir -p "$folder"/{layers,merged,source,running}

# shellcheck source=image-root/roots.sh
. scripts/image-root/roots.sh
# shellcheck source=image-root/steps.sh
. scripts/image-root/steps.sh
# shellcheck source=image-root/try.sh
. scripts/image-root/try.sh

make_host_layer
make_context
text=$(instructions)
mapfile -t lines <<<"$text"
for line in "${lines[@]}"; do
  step "${line%% *}" "${line#* }"
done
try_image
