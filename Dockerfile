# syntax=docker/dockerfile:1

FROM rust:1.95-bookworm AS build
WORKDIR /hubbub
ENV HUBBUB_TOOLS=/opt/hubbub-tools
# The tools change rarely: this layer depends only on what pins their versions.
COPY rust-toolchain.toml Cargo.lock ./
COPY scripts scripts
RUN scripts/setup.sh build
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/hubbub/target \
    make build

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
# By number, so that Kubernetes can tell that it is not root.
USER 10001
WORKDIR /data
# The embedded engine's file; unused with REDIS_URL.
VOLUME /data
EXPOSE 3000
STOPSIGNAL SIGTERM
# Whether it serves, not whether its store takes messages: a restart would not help that. The image has no curl.
HEALTHCHECK --interval=10s --timeout=3s --start-period=150s CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/$PORT && \
    printf 'GET /health/serve HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]
ENTRYPOINT ["/opt/hubbub/hubbub"]
